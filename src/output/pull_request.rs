//! The text of a pull request.
//!
//! Foreign text stands in code spans and fences only, each longer than any run of backticks in it: there no
//! forge reads a mention, a reference, a link, an image, HTML or a quick action. A squash makes the text a
//! commit message, where no fence protects: so nothing in it gives an order there either.

use super::markdown::{length, longest_run, prose, span};
use super::{patch, propose_text};
use crate::model::intent::{Author, Disposition};
use crate::model::proposal::{Delta, ObjectChange, Proposal, Tool};
use crate::model::verdict::{Decision, Verdict};
use crate::proposal::message;
use crate::redact;
use crate::text::{self, Sanitised, shell_word};
use serde_json::Value;
use similar::TextDiff;
use std::fmt::Write as _;

/// The first line of every text: a pull request with it is ours, and a later run may write it anew.
pub const MARKER: &str = "<!-- aifix:proposal -->";

/// GitHub takes 65,536 characters.
const LIMIT: usize = 60_000;
/// Lines of one list, and length of one of them, at most: all lists together take half of the room, however
/// much the words of a line are escaped.
const LINES: usize = 10;
const LINE: usize = 300;

/// What the text says besides the proposal.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Name of the remote.
    pub remote: &'a str,
    pub base: &'a str,
    pub commit: &'a str,
    /// Hash of the record's entry `proposed`.
    pub record: &'a str,
}

/// `Deployment prod/web: raise the memory limit to 64Mi`.
pub fn title(proposal: &Proposal) -> String {
    message::subject(proposal)
}

/// The whole text, redacted.
pub fn body(proposal: &Proposal, around: &Around<'_>) -> String {
    let (before, after) = (message::tame(&story(proposal)), message::tame(&rest(proposal, around)));
    let mut room = LIMIT.saturating_sub(length(&before) + length(&after));
    let patch = redact::diff(&patch::text(proposal)).into_string();
    let rendered: String = proposal.objects.iter().map(rendered).collect();
    let mut folds = String::new();
    for (title, diff) in [("The edit", &patch), ("What it changes in the rendered objects", &rendered)] {
        let folded = message::tame(&fold(title, diff, room));
        room = room.saturating_sub(length(&folded));
        folds.push_str(&folded);
    }
    format!("{MARKER}\n{before}{folds}{after}Aifix-Record: {}\n", around.record)
}

fn story(proposal: &Proposal) -> String {
    let finding = &proposal.finding;
    let mut out = format!(
        "`{}`, {}: {}: {}\n\n",
        finding.code,
        finding.severity.name(),
        name(&finding.object.qualified()),
        words(&finding.summary)
    );
    let evidence = finding.evidence.iter().map(|item| format!("{}. {}: {}", item.id, item.source.name(), item.text));
    out.push_str(&fence("text", evidence));
    let _ = write!(out, "\n### Fix\n\n{}. {}\n\n", words(&proposal.intent.subject), words(&proposal.intent.why));
    if proposal.intent.author == Author::Model {
        out.push_str("Written by a model; a person decides.\n\n");
    }
    let deltas: Vec<&Delta> = proposal.proof.delta.iter().chain(&proposal.proof.companions).collect();
    out.push_str(&fence("text", deltas.into_iter().map(delta)));
    out.push('\n');
    out
}

fn rest(proposal: &Proposal, around: &Around<'_>) -> String {
    let mut out = String::new();
    if proposal.disposition == Disposition::Review {
        list(&mut out, "A person should look", proposal.intent.review.iter().map(|why| words(why)));
    }
    list(&mut out, "Proof", proof(proposal).into_iter());
    let _ = write!(out, "### Policies\n\n{} asked: {}\n\n", proposal.evaluation.policies.len(), decision(proposal));
    list(&mut out, "", proposal.evaluation.verdicts.iter().map(verdict));
    let _ = write!(out, "### Verify\n\n{}\n", fence("sh", verify(proposal, around).into_iter()));
    list(&mut out, "After the merge", proposal.next.lines.iter().map(|line| words(line)));
    if !proposal.next.commands.is_empty() {
        let _ = writeln!(out, "{}", fence("sh", proposal.next.commands.iter().cloned()));
    }
    let _ = write!(out, "### Undo\n\n{}\n", fence("sh", undo(proposal, around).into_iter()));
    let _ = writeln!(out, "Aifix-Object: {}", name(&proposal.finding.object.qualified()));
    let _ = writeln!(out, "Aifix-Finding: {}", proposal.finding.code);
    out
}

fn proof(proposal: &Proposal) -> Vec<String> {
    let proof = &proposal.proof;
    let renderer = if proof.renderer.is_empty() { "plain manifests" } else { &proof.renderer };
    let path = if proposal.origin.path.is_empty() { "." } else { &proposal.origin.path };
    let mut lines = vec![format!(
        "{} of {} ({}) on commit {}: with the edit this changes, and nothing else",
        text::count(proof.renders, "render"),
        name(path),
        words(renderer),
        name(&proof.base)
    )];
    if !proof.siblings.is_empty() {
        let shown: Vec<String> = proof.siblings.iter().take(LINES).map(|root| name(root)).collect();
        lines.push(format!("rendered and unchanged ({}): {}", proof.siblings.len(), shown.join(", ")));
    }
    lines.extend(propose_text::checked(proof).iter().map(|line| words(line)));
    lines.extend(proof.not_proved.iter().take(LINES).map(|line| format!("not proved: {}", words(line))));
    lines
}

fn decision(proposal: &Proposal) -> &'static str {
    match proposal.evaluation.decision() {
        Decision::Allow => "allowed",
        Decision::Warn => "allowed with a warning",
        Decision::NeedsApproval => "they want an approval, which the review of this request gives",
        Decision::Deny => "denied",
    }
}

fn verdict(verdict: &Verdict) -> String {
    let policy = if verdict.policy.is_empty() { "policies" } else { &verdict.policy };
    format!("{}: {}: {}", verdict.decision.name(), name(policy), words(&verdict.message))
}

fn verify(proposal: &Proposal, around: &Around<'_>) -> Vec<String> {
    let (remote, base, branch) = (shell_word(around.remote), shell_word(around.base), shell_word(&proposal.branch));
    let side = |branch: &str| shell_word(&format!("{}/{branch}", around.remote));
    let mut lines = vec![
        format!("git fetch {remote} {base} {branch}"),
        format!("git diff {}", shell_word(&format!("{0}/{1}...{0}/{2}", around.remote, around.base, proposal.branch))),
    ];
    if proposal.origin.tool == Tool::Kustomize {
        lines.push(format!("git worktree add --detach ../before {}", side(around.base)));
        lines.push(format!("git worktree add --detach ../after {}", side(&proposal.branch)));
        let build =
            |tree: &str| format!("kustomize build {}", shell_word(&format!("../{tree}/{}", proposal.origin.path)));
        lines.push(format!("diff <({}) <({})", build("before"), build("after")));
    }
    let object = &proposal.finding.object;
    let namespace = match object.namespace() {
        "" => String::new(),
        namespace => format!(" -n {}", shell_word(namespace)),
    };
    lines.push(format!("aifix explain {}{namespace}   # once it is deployed", shell_word(&object.to_string())));
    lines
}

fn undo(proposal: &Proposal, around: &Around<'_>) -> Vec<String> {
    let delete = format!("git push {} --delete {}", shell_word(around.remote), shell_word(&proposal.branch));
    vec![
        format!("{delete}   # before the merge; close this, too"),
        format!("git revert {}   # after it; a squash or a rebase made a commit of its own", shell_word(around.commit)),
    ]
}

/// A diff under a title that unfolds it, cut to the room that there is.
fn fold(title: &str, diff: &str, room: usize) -> String {
    if diff.is_empty() {
        return String::new();
    }
    let diff = Sanitised::block(diff).to_string();
    let mut left = room.saturating_sub(400 + 2 * longest_run(&diff));
    let (mut lines, mut cut) = (Vec::new(), false);
    for line in diff.lines() {
        let Some(rest) = left.checked_sub(length(line) + 2) else {
            cut = true;
            break;
        };
        left = rest;
        lines.push(line.to_owned());
    }
    let more = if cut { "It is longer than a pull request can hold: the rest is in the branch.\n\n" } else { "" };
    let ticks = "`".repeat(longest_run(&diff).max(2) + 1);
    let diff = lines.join("\n");
    format!("<details><summary>{title}</summary>\n\n{ticks}diff\n{diff}\n{ticks}\n\n{more}</details>\n\n")
}

/// One rendered object before and after, without secrets.
fn rendered(change: &ObjectChange) -> String {
    let yaml = |value: &Value| match value {
        Value::Null => String::new(),
        value => serde_yaml::to_string(&redact::value(value)).unwrap_or_default(),
    };
    let (before, after) = (yaml(&change.before), yaml(&change.after));
    let diff = TextDiff::from_lines(&before, &after);
    let name = line(&change.object.qualified());
    diff.unified_diff().context_radius(3).header(&name, &name).to_string()
}

fn delta(delta: &Delta) -> String {
    let shown = |value: &Option<Value>| {
        value.as_ref().map_or_else(|| "absent".to_owned(), |value| redact::field(&delta.path, value).to_string())
    };
    format!("{} {}: {} -> {}", delta.object.qualified(), delta.path, shown(&delta.old), shown(&delta.new))
}

/// Our own words with foreign names in them.
fn words(text: &str) -> String {
    prose(&line(text))
}

/// A foreign name, as code.
fn name(text: &str) -> String {
    span(&line(text))
}

/// One line: redacted, escaped, cut.
fn line(text: &str) -> String {
    let line = Sanitised::line(redact::text(text).as_str()).to_string();
    let mut room = LINE;
    match line.char_indices().find(|(_, c)| room.checked_sub(c.len_utf16()).map(|rest| room = rest).is_none()) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// Lines in a fence that none of them can close.
fn fence(language: &str, lines: impl ExactSizeIterator<Item = String>) -> String {
    let hidden = lines.len().saturating_sub(LINES);
    let mut shown: Vec<String> = lines.take(LINES).map(|text| line(&text)).collect();
    if hidden > 0 {
        shown.push(format!("... and {hidden} more"));
    }
    let ticks = "`".repeat(shown.iter().map(|line| longest_run(line)).max().unwrap_or(0).max(2) + 1);
    format!("{ticks}{language}\n{}\n{ticks}\n", shown.join("\n"))
}

fn list(out: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>) {
    if lines.len() == 0 {
        return;
    }
    let hidden = lines.len().saturating_sub(LINES);
    if !title.is_empty() {
        let _ = write!(out, "### {title}\n\n");
    }
    for line in lines.take(LINES) {
        let _ = writeln!(out, "- {line}");
    }
    if hidden > 0 {
        let _ = writeln!(out, "- and {hidden} more");
    }
    out.push('\n');
}
