//! What the report formats say alike of one thing.

use super::codes;
use crate::model::finding::{Change, Effect, Evidence, Finding};
use crate::model::history::Commit;
use crate::model::object::ObjectRef;
use crate::model::report::{ContextReport, Filter, ReportedFinding, ScanReport, SetAside, SourceLine};
use crate::model::snapshot::Gap;
use crate::redact;
use crate::text::{self, Sanitised};
use jiff::Timestamp;
use serde_json::Value;

/// Characters of a name that are shown: more is no name of Kubernetes.
const NAME: usize = 300;

/// Characters of a sentence that are shown.
const SENTENCE: usize = 600;

/// Pieces of evidence, changed fields and effects of one finding that are shown each.
const MANY: usize = 20;

/// Foreign text on one line: redacted, escaped, and at most `max` characters of it.
pub(super) fn line(foreign: &str, max: usize) -> String {
    text::clip(Sanitised::line(redact::text(foreign).as_str()).as_str(), max)
}

/// A name, as a label.
pub(super) fn name(foreign: &str) -> String {
    line(foreign, NAME)
}

/// `Deployment/web in shop`.
pub(super) fn object(object: &ObjectRef) -> String {
    let namespace = object.namespace.as_deref().map(|namespace| format!(" in {}", name(namespace)));
    format!("{}/{}{}", name(&object.kind), name(&object.name), namespace.unwrap_or_default())
}

/// `Deployment/web in shop`, or `Deployment/web in shop on prod` when the report has several contexts.
pub(super) fn subject(report: &ScanReport, reported: &ReportedFinding) -> String {
    let object = object(&reported.finding.object);
    if report.contexts.len() > 1 { format!("{object} on {}", name(&reported.context)) } else { object }
}

/// Where a finding is shown among files: its line in Git, else `cluster/NAMESPACE/KIND/NAME`.
/// A relative reference of RFC 3986, and the line.
pub(super) fn place(reported: &ReportedFinding) -> (String, u32) {
    match &reported.source {
        Some(source) => (reference(source.file.split('/')), source.line.max(1)),
        None => (cluster(&reported.finding.object), 1),
    }
}

/// `apps/web.yaml:12`; a line that no render showed is only likely.
pub(super) fn in_git(source: &SourceLine) -> String {
    format!("{}:{}{}", name(&source.file), source.line, likely(source))
}

/// What is said of a line that no render showed.
pub(super) fn likely(source: &SourceLine) -> &'static str {
    if source.proved { "" } else { " (likely)" }
}

/// `3f2a91c "Lower the limit" by Ada, 2026-11-20`: the commit that brought the value of a line.
pub(super) fn commit(source: &SourceLine) -> Option<String> {
    // Redacted whole: a part of a secret is not known as one.
    let clean =
        |commit: &Commit| Commit { subject: redact::text(&commit.subject).as_str().to_owned(), ..commit.clone() };
    source.commit.as_ref().map(|commit| line(&clean(commit).shown(), 200))
}

/// `cluster/NAMESPACE/KIND/NAME`, percent-encoded.
pub(super) fn cluster(object: &ObjectRef) -> String {
    let steps = [Some("cluster"), object.namespace.as_deref(), Some(&object.kind), Some(&object.name)];
    reference(steps.into_iter().flatten())
}

fn reference<'s>(steps: impl Iterator<Item = &'s str>) -> String {
    steps.map(segment).collect::<Vec<_>>().join("/")
}

/// One step of a reference; never empty, and never a step to another folder.
fn segment(step: &str) -> String {
    match name(step).as_str() {
        "" => "-".to_owned(),
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        step => step
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect(),
    }
}

/// The clock of the context that a finding was seen in.
pub(super) fn clock(report: &ScanReport, context: &str) -> Option<Timestamp> {
    report.contexts.iter().find(|looked| looked.name == context)?.taken_at
}

/// `shop: 1 root cause; 1 of 3 workloads fails`.
pub(super) fn headline(report: &ScanReport, context: &ContextReport) -> String {
    let (_, answer) = super::scan_text::answer(report, context);
    format!("{}: {answer}", name(&context.scope))
}

/// What is known of a finding, one line each: in what state, on what evidence, what changed, what
/// follows, what can be done. Each line begins with our own word.
pub(super) fn story(finding: &Finding, now: Option<Timestamp>) -> Vec<String> {
    let mut lines = Vec::new();
    let pods = &finding.pods;
    if pods.failing > 0 {
        let names: Vec<String> = pods.names.iter().map(|pod| name(pod)).collect();
        let names = if names.is_empty() { String::new() } else { format!(": {}", text::and(&names)) };
        lines.push(format!("pods: {} of {} failing{names}", pods.failing, pods.desired.max(pods.failing)));
    }
    if let (Some(since), Some(now)) = (finding.since, now) {
        lines.push(format!("since: {} ago", text::span(since, now)));
    }
    few(&mut lines, &finding.evidence, "pieces of evidence", |item| evidence(item, now));
    if let Some(change) = &finding.change {
        lines.push(revisions(change, now));
        few(&mut lines, &change.fields, "fields", |field| {
            let shown = |value: &Option<Value>| match value {
                None => "absent".to_owned(),
                Some(value) => line(&redact::field(&field.path, value).to_string(), 120),
            };
            format!("changed: {}: {} -> {}", name(&field.path.to_string()), shown(&field.old), shown(&field.new))
        });
    }
    few(&mut lines, &finding.effects, "effects", effect);
    lines.push(format!("fix ({}): {}", codes::class(finding.fix.class), line(&finding.fix.summary, SENTENCE)));
    lines
}

fn few<T>(lines: &mut Vec<String>, items: &[T], noun: &str, words: impl Fn(&T) -> String) {
    lines.extend(items.iter().take(MANY).map(words));
    if items.len() > MANY {
        lines.push(format!("and {} more {noun}", items.len() - MANY));
    }
}

fn evidence(item: &Evidence, now: Option<Timestamp>) -> String {
    let age = match (item.at, now) {
        (Some(at), Some(now)) => format!(" ({} ago)", text::span(at, now)),
        _ => String::new(),
    };
    format!("evidence {}, {}{age}: {}", item.id, item.source.name(), line(&item.text, SENTENCE))
}

fn revisions(change: &Change, now: Option<Timestamp>) -> String {
    let from = if change.good { "which has ready pods" } else { "the one before" };
    let by = change.manager.as_deref().map(|manager| format!(", by {}", name(manager))).unwrap_or_default();
    let age = match (change.at, now) {
        (Some(at), Some(now)) => format!(", {} ago", text::span(at, now)),
        _ => String::new(),
    };
    format!("changed: revision {} against {} ({from}){by}{age}", name(&change.to), name(&change.from))
}

fn effect(effect: &Effect) -> String {
    format!("effect: {}: {} ({})", object(&effect.object), line(&effect.summary, SENTENCE), effect.code)
}

/// `container app was killed`, the sentence of a finding.
pub(super) fn summary(finding: &Finding) -> String {
    line(&finding.summary, SENTENCE)
}

/// `pods in namespace prod: forbidden; could hide oom-killed`.
pub(super) fn gap(gap: &Gap) -> String {
    let codes = match gap.codes.iter().take(6).map(|code| name(code)).collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        codes => format!("; could hide {}", text::and(codes)),
    };
    format!("{}: {}{codes}", name(&gap.what), line(&gap.why, SENTENCE))
}

/// `ignored: known, see the runbook`.
pub(super) fn reason(aside: &SetAside) -> String {
    let filter = match aside.filter {
        Filter::Baseline => "in the baseline",
        Filter::Ignored => "ignored",
        Filter::Unasked => "not asked for",
        Filter::Minor => "below the least severity",
    };
    match line(&aside.reason, SENTENCE).as_str() {
        "" if aside.filter == Filter::Ignored => format!("{filter}, no reason given"),
        "" => filter.to_owned(),
        reason => format!("{filter}: {reason}"),
    }
}

/// Text in which the five characters that mean something to HTML and XML are escaped.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_relative_reference_that_leaves_no_folder() {
        let place = |namespace: &str, name: &str| cluster(&ObjectRef::new("v1", "Pod", namespace, name));
        assert_eq!(place("shop", "web-0"), "cluster/shop/Pod/web-0");
        assert_eq!(place("", "node 1"), "cluster/Pod/node%201");
        assert_eq!(place("..", "a/../b"), "cluster/%2E%2E/Pod/a%2F..%2Fb");
        assert_eq!(place("shop", ""), "cluster/shop/Pod/-");
        assert_eq!(place("shop", "system:ü\u{202e}"), "cluster/shop/Pod/system%3A%C3%BC%5Cu%7B202e%7D");
        assert!(place("shop", &"x".repeat(1 << 20)).len() < 400);
    }
}
