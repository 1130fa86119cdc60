//! The commit message of a proposal.

use crate::model::proposal::{Delta, Proposal};
use crate::redact;
use crate::text::{self, Sanitised};
use serde_json::Value;

/// Columns of a subject at most.
const SUBJECT: usize = 72;

/// The whole message. Foreign text (evidence, names) stands inside a fence that it can't close,
/// never at a line's start, where forges and runners read commands.
/// `record` is the hash of the record's entry `proposed`.
pub fn write(proposal: &Proposal, record: &str) -> String {
    let mut facts = vec![format!("{}: {}", proposal.finding.code, proposal.finding.summary)];
    facts.extend(proposal.finding.evidence.iter().map(|item| text::clip(&item.text, 300)));
    let mut out = subject(proposal);
    out.push_str("\n\n");
    out.push_str(&paragraph(&proposal.intent.why));
    out.push_str("\n\nFound on the cluster:\n");
    out.push_str(&fenced(&facts));
    out.push_str("\nRendered before and after:\n");
    out.push_str(&fenced(
        &proposal.proof.delta.iter().chain(&proposal.proof.companions).map(delta).collect::<Vec<_>>(),
    ));
    let renderer = if proposal.proof.renderer.is_empty() { "plain manifests" } else { &proposal.proof.renderer };
    out.push_str(&format!(
        "\nProved with {} ({renderer}); nothing else changes.\n",
        text::count(proposal.proof.renders, "render")
    ));
    for words in proposal.intent.review.iter().chain(&proposal.proof.not_proved) {
        out.push_str(&format!("- {}\n", paragraph(words)));
    }
    let object = &proposal.finding.object;
    out.push_str(&format!("\nAifix-Object: {}\n", Sanitised::line(&object.qualified())));
    out.push_str(&format!("Aifix-Finding: {}\n", proposal.finding.code));
    if let Some(asked) = &proposal.asked {
        let name = |key: &str| asked.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
        let model = name("model").or_else(|| name("host")).unwrap_or("unknown");
        out.push_str(&format!("Aifix-Model: {}\n", Sanitised::line(model)));
    }
    out.push_str(&format!("Aifix-Record: {record}\n"));
    out
}

/// `Deployment prod/web: raise the memory limit to 64Mi`, at most 72 columns.
pub fn subject(proposal: &Proposal) -> String {
    let object = proposal.intent.object.qualified();
    let mut words = proposal.intent.subject.chars();
    let lower: String = words.next().map(|c| c.to_lowercase().chain(words).collect()).unwrap_or_default();
    text::clip(Sanitised::line(&format!("{object}: {lower}")).as_str(), SUBJECT)
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
}
