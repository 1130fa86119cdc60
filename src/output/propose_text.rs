//! A proposal as text: finding, fix, diff, proof, next command.

use super::{diff, scan_text, verdicts};
use crate::model::finding::Finding;
use crate::model::intent::{Author, Disposition};
use crate::model::proposal::{Delta, Origin, Proof, Proposal, Schema, Trust};
use crate::model::refusal::Refusal;
use crate::redact;
use crate::schema::BUNDLED;
use crate::text::{self, Sanitised};
use crate::ui::{Page, Paint};
use serde_json::Value;

/// Pieces of evidence shown of the finding.
const FEW: usize = 4;

/// Writes a proved proposal.
pub fn proposed(page: &mut Page, proposal: &Proposal, width: usize) {
    finding(page, &proposal.finding, width);
    page.end();
    let fix = format!("{}. {}", proposal.intent.subject, proposal.intent.why);
    row(page, "fix", &fix, width);
    origin(page, &proposal.origin, width);
    page.end();
    if proposal.intent.author == Author::Model {
        page.put(Paint::Yellow, "Written by a model; a person decides:").end();
    }
    diff::write(page, &proposal.files);
    page.end();
    asked(page, proposal, width);
    for words in &proposal.lessons {
        row(page, "lesson", words, width);
    }
    deltas(page, "renders", &proposal.proof.delta, width);
    deltas(page, "with it", &proposal.proof.companions, width);
    proof(page, proposal, width);
    verdicts::summary(page, &proposal.evaluation);
    verdicts::write(page, &proposal.evaluation, width);
    for words in &proposal.proof.not_proved {
        row(page, "unproved", words, width);
    }
    for (at, words) in proposal.next.lines.iter().enumerate() {
        row(page, if at == 0 { "after it" } else { "" }, words, width);
    }
    disposition(page, proposal, width);
}

/// Writes what stood in the way of a fix.
pub fn refused(page: &mut Page, of: &Finding, refusal: &Refusal, width: usize) {
    finding(page, of, width);
    page.end();
    let heading = match refusal.code {
        "already-fixed" | "already-proposed" | "rollout-in-progress" => "nothing to do now",
        _ => "no safe fix",
    };
    page.put(Paint::Yellow, heading)
        .put(Paint::Plain, " (")
        .put(Paint::Cyan, refusal.code)
        .put(Paint::Plain, ")")
        .end();
    page.wrapped(width, "  ", "  ", Sanitised::line(&refusal.message).as_str());
    for detail in &refusal.details {
        page.wrapped(width, "    ", "      ", Sanitised::line(detail).as_str());
    }
    for (at, choice) in refusal.choices.iter().enumerate() {
        let words = format!("{}: {}", choice.subject, choice.why);
        page.wrapped(width, &format!("  {:>2}. ", at + 1), "      ", Sanitised::line(&words).as_str());
    }
    if !refusal.hint.is_empty() {
        page.put(Paint::Cyan, "  hint: ").put(Paint::Plain, Sanitised::line(&refusal.hint)).end();
    }
    if !refusal.choices.is_empty() {
        page.put(Paint::Cyan, "  hint: ").line("prove one of these changes with --choose N");
    }
}

fn finding(page: &mut Page, finding: &Finding, width: usize) {
    scan_text::title(page, finding, true);
    page.wrapped(width, "  ", "  ", Sanitised::line(&finding.summary).as_str());
    for (at, item) in finding.evidence.iter().take(FEW).enumerate() {
        let source = item.source.name();
        let first = format!("  {} {:>2}. {source}: ", if at == 0 { "evidence" } else { "        " }, item.id);
        page.wrapped(width, &first, "               ", &text::clip(Sanitised::line(&item.text).as_str(), 400));
    }
}

fn row(page: &mut Page, label: &str, words: &str, width: usize) {
    page.wrapped(width, &format!("{label:<10}"), "          ", Sanitised::line(words).as_str());
}

fn origin(page: &mut Page, origin: &Origin, width: usize) {
    let path = if origin.path.is_empty() { "." } else { &origin.path };
    let words = format!(
        "{} of {} ({}), branch {}, at {}",
        path,
        origin.repo,
        origin.tool.name(),
        origin.branch,
        short(&origin.revision)
    );
    row(page, "origin", &words, width);
    for signal in &origin.trail {
        let trust = match signal.trust {
            Trust::Proved => "proved",
            Trust::Given => "given",
            Trust::Claimed => "claimed",
        };
        row(page, "", &format!("- {}: {} ({trust})", signal.signal, signal.value), width);
    }
}

fn deltas(page: &mut Page, label: &str, deltas: &[Delta], width: usize) {
    for (at, delta) in deltas.iter().enumerate() {
        let shown = |value: &Option<Value>| {
            value
                .as_ref()
                .map_or_else(|| "absent".to_owned(), |v| text::clip(&redact::field(&delta.path, v).to_string(), 120))
        };
        let words =
            format!("{}: {}: {} -> {}", delta.object.qualified(), delta.path, shown(&delta.old), shown(&delta.new));
        row(page, if at == 0 { label } else { "" }, &words, width);
    }
}

fn proof(page: &mut Page, proposal: &Proposal, width: usize) {
    let proof = &proposal.proof;
    let holds = match &proposal.reverts {
        None => "with the edit this field changes, and nothing else".to_owned(),
        Some(commit) => {
            format!("with {} taken back it renders as before it; all that changes is named", commit.short())
        }
    };
    let renderer = if proof.renderer.is_empty() { "plain manifests" } else { &proof.renderer };
    let mut words =
        format!("{} ({renderer}, base {}): {holds}", text::count(proof.renders, "render"), short(&proof.base));
    if !proof.siblings.is_empty() {
        words.push_str(&format!("; unchanged: {}", text::and(&proof.siblings[..proof.siblings.len().min(5)])));
    }
    row(page, "proof", &words, width);
    for words in checked(proof) {
        row(page, "", &words, width);
    }
    if let Some(by) = &proof.dry_run {
        row(page, "", &format!("the API server takes it from {by} (dry run, nothing stored)"), width);
    }
    if proof.noise > 0 {
        let fields = text::count(proof.noise, "field");
        row(
            page,
            "",
            &format!("not compared, as they differ between two renders: {fields}: {}", text::and(&proof.masked)),
            width,
        );
    }
}

/// By which fields the new values were checked.
pub(super) fn checked(proof: &Proof) -> Vec<String> {
    let of = |by| proof.schema.iter().filter(move |one| one.by == by);
    let mut out = Vec::new();
    let own: Vec<&str> = of(Schema::Cluster).map(|one| one.kind.as_str()).collect();
    if !own.is_empty() {
        out.push(format!("the values fit the fields of {} as the cluster has them", text::and(&own)));
    }
    let copied: Vec<&str> = of(Schema::Bundled).map(|one| one.kind.as_str()).collect();
    if let Some(why) = of(Schema::Bundled).find_map(|one| one.why.as_ref()) {
        let kinds = text::and(&copied);
        out.push(format!(
            "the values fit the fields of {kinds} as {BUNDLED} has them (not those of the cluster: {why})"
        ));
    }
    out
}

/// What a model said of a rule's change, and where its answer came from.
fn asked(page: &mut Page, proposal: &Proposal, width: usize) {
    let Some(asked) = &proposal.asked else { return };
    if let Some(opinion) = asked.get("opinion").and_then(Value::as_str) {
        row(page, "opinion", Sanitised::line(opinion).as_str(), width);
    }
    if asked.get("remembered").and_then(Value::as_u64).is_some_and(|n| n > 0) {
        row(page, "model", "this answer was given before; --no-cache asks anew", width);
    }
}

fn disposition(page: &mut Page, proposal: &Proposal, width: usize) {
    match proposal.disposition {
        Disposition::Safe => {
            page.put(Paint::Green, "safe").line("      decided by facts");
        }
        Disposition::Review => {
            page.put(Paint::Yellow, "review").put(Paint::Plain, "    a person should look:").end();
            for why in &proposal.intent.review {
                page.wrapped(width, "          - ", "            ", Sanitised::line(why).as_str());
            }
        }
    }
    page.put(Paint::Plain, "branch    ").foreign(Paint::Bold, &proposal.branch).end();
}

/// The first ten digits of a commit id.
pub fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
