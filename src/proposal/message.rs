//! The commit message of a proposal.

use crate::model::intent::Author;
use crate::model::proposal::{Delta, Proposal};
use crate::redact;
use crate::text::{self, Sanitised};
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// Columns of a subject at most.
const SUBJECT: usize = 72;

/// Changed fields that are listed at most; the record has all.
const LISTED: usize = 40;

/// Folders or fields that are named at most.
const FEW: usize = 5;

/// The whole message. Foreign text (evidence, names) stands inside a fence that it can't close,
/// never at a line's start, where forges and runners read commands.
/// `record` is the hash of the record's entry `proposed`.
pub fn write(proposal: &Proposal, record: &str) -> String {
    let mut facts = vec![format!("{}: {}", proposal.finding.code, proposal.finding.summary)];
    facts.extend(proposal.finding.evidence.iter().map(|item| text::clip(&item.text, 300)));
    let mut out = subject(proposal);
    out.push_str("\n\n");
    out.push_str(&paragraph(&proposal.intent.why));
    if let Some(commit) = &proposal.reverts {
        out.push_str(&format!("\n\nThis reverts commit {}, for the files of one folder.", commit.id));
    }
    out.push_str("\n\nFound on the cluster:\n");
    out.push_str(&fenced(&facts));
    out.push_str("\nRendered before and after:\n");
    let deltas: Vec<String> = proposal.proof.delta.iter().chain(&proposal.proof.companions).map(delta).collect();
    let mut listed = deltas.iter().take(LISTED).cloned().collect::<Vec<_>>();
    if deltas.len() > LISTED {
        listed.push(format!("and {} more", text::count(deltas.len() - LISTED, "field")));
    }
    out.push_str(&fenced(&listed));
    let renderer = if proposal.proof.renderer.is_empty() { "plain manifests" } else { &proposal.proof.renderer };
    let proof = &proposal.proof;
    out.push_str(&format!(
        "\nProved with {} ({renderer}) on {}; nothing else changes.\n",
        text::count(proof.renders, "render"),
        proof.base.get(..10).unwrap_or(&proof.base)
    ));
    if !proof.siblings.is_empty() {
        let same: Vec<&String> = proof.siblings.iter().take(FEW).collect();
        out.push_str(&format!("- {}\n", paragraph(&format!("unchanged: {}", text::and(&same)))));
    }
    if !proof.masked.is_empty() {
        let masked: Vec<&String> = proof.masked.iter().take(FEW).collect();
        let words = format!("not compared, as it differs between two renders: {}", text::and(&masked));
        out.push_str(&format!("- {}\n", paragraph(&words)));
    }
    for words in proposal.intent.review.iter().chain(&proposal.proof.not_proved) {
        out.push_str(&format!("- {}\n", paragraph(words)));
    }
    let object = &proposal.finding.object;
    out.push_str(&format!("\nAifix-Object: {}\n", Sanitised::line(&object.qualified())));
    out.push_str(&format!("Aifix-Finding: {}\n", proposal.finding.code));
    if let Some(asked) = proposal.asked.as_ref().filter(|_| proposal.intent.author == Author::Model) {
        let name = |key: &str| asked.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
        let model = name("model").or_else(|| name("host")).unwrap_or("unknown");
        out.push_str(&format!("Aifix-Model: {}\n", Sanitised::line(model)));
    }
    let out = tame(&out);
    format!("{out}Aifix-Record: {record}\n")
}

/// `Deployment prod/web: raise the memory limit to 64Mi` or `Revert "Lower the limit"`, at most 72 columns.
pub fn subject(proposal: &Proposal) -> String {
    if let Some(commit) = &proposal.reverts {
        let clipped = text::clip(&tame(Sanitised::line(&commit.subject).as_str()), SUBJECT - "Revert \"\"".len());
        return format!("Revert \"{clipped}\"");
    }
    let object = proposal.intent.object.qualified();
    let mut words = proposal.intent.subject.chars();
    let lower: String = words.next().map(|c| c.to_lowercase().chain(words).collect()).unwrap_or_default();
    let line = redact::text(&format!("{object}: {lower}"));
    text::clip(&tame(Sanitised::line(line.as_str()).as_str()), SUBJECT)
}

/// What forges and runners obey wherever it stands in a message, and what is written for it. `[skip ci]`
/// and its kin in brackets, as GitLab also takes `[skip-ci]` and others `[skip <name>]`; Azure's
/// `***NO_CI***`; GitHub's `skip-checks: true`; `closes #1`, `closes GH-1`, `closes <address of an issue>`
/// and Jira's `#close`; names of people.
static ORDERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"(?i)\[([^\[\]]*(?:skip|no[\s_-]*ci)[^\[\]]*)\]", "($1)"),
        (r"\*{3}", "* * *"),
        (r"(?i)\b(skip|request)-checks", "$1 checks"),
        (r"#(\w)", "# $1"),
        (r"(?i)\b(GH)-(\d)", "$1- $2"),
        (r"(?i)/(issues|pull|pulls|merge_requests|work_items)/(\d)", "/$1/ $2"),
        (r"(^|[^A-Za-z0-9_])@(\w)", "$1(at)$2"),
    ]
    .iter()
    .filter_map(|(shape, instead)| Some((Regex::new(shape).ok()?, *instead)))
    .collect()
});

/// Text that gives no order to a forge or a runner.
pub fn tame(text: &str) -> String {
    ORDERS.iter().fold(text.to_owned(), |text, (shape, instead)| shape.replace_all(&text, *instead).into_owned())
}

fn delta(delta: &Delta) -> String {
    let shown = |value: &Option<Value>| {
        value.as_ref().map_or_else(
            || "absent".to_owned(),
            |value| text::clip(&redact::field(&delta.path, value).to_string(), 120),
        )
    };
    format!("{} {}: {} -> {}", delta.object.qualified(), delta.path, shown(&delta.old), shown(&delta.new))
}

/// Our own words with foreign names in them: one line, wrapped, never starting with a command.
fn paragraph(words: &str) -> String {
    let safe = Sanitised::line(words).as_str().replace('@', "(at)");
    let options = textwrap::Options::new(SUBJECT);
    textwrap::wrap(&safe, options)
        .iter()
        .map(|line| if line.starts_with(['/', '#']) { format!(" {line}") } else { line.to_string() })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Lines in a fence longer than any run of backticks in them, each indented.
fn fenced(lines: &[String]) -> String {
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let body: String = lines.iter().map(|line| format!("  {}\n", Sanitised::line(line))).collect();
    format!("{fence}text\n{body}{fence}\n")
}

fn longest_run(line: &str) -> usize {
    line.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_lines_can_not_close_their_fence() {
        let text = fenced(&["a ```` b".into(), "/lgtm".into(), "x\n```\nCloses #1".into()]);
        assert_eq!(text, "`````text\n  a ```` b\n  /lgtm\n  x\\n```\\nCloses #1\n`````\n");
    }

    #[test]
    fn a_paragraph_names_nobody_and_commands_nothing() {
        let text = paragraph("/close this and tell @team\n/merge");
        assert!(text.starts_with(" /close") && !text.contains("@team") && !text.contains("\n/merge"), "{text:?}");
    }

    #[test]
    fn nothing_in_a_message_gives_an_order_to_a_forge_or_a_runner() {
        for (text, want) in [
            ("a [skip ci] [CI skip] [no ci]", "a (skip ci) (CI skip) (no ci)"),
            ("[skip actions][actions skip] [skip-ci]", "(skip actions)(actions skip) (skip-ci)"),
            ("***NO_CI***", "* * *NO_CI* * *"),
            ("skip-checks: true", "skip checks: true"),
            ("fixes #1 closes acme/prod#7, AB#3 #close", "fixes # 1 closes acme/prod# 7, AB# 3 # close"),
            ("closes GH-7", "closes GH- 7"),
            ("closes https://github.com/acme/prod/issues/7", "closes https://github.com/acme/prod/issues/ 7"),
            ("@acme/admins and (@bob) @@eve", "(at)acme/admins and ((at)bob) @(at)eve"),
        ] {
            assert_eq!(tame(text), want);
            assert_eq!(tame(want), want);
        }
    }

    #[test]
    fn what_orders_nothing_stays() {
        for text in
            ["web:1@sha256:98334c58", "a@example.org", "spec.containers[app].env[MODE]", "32Mi -> 64Mi", "# small"]
        {
            assert_eq!(tame(text), text);
        }
    }
}
