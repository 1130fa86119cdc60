//! A scan as text: the first line answers, worst first.

use super::{codes, set_aside, words};
use crate::model::code::FixClass;
use crate::model::finding::{Change, Effect, Evidence, Finding, Severity};
use crate::model::report::{ContextReport, ReportedFinding, ScanReport};
use crate::model::snapshot::Gap;
use crate::redact;
use crate::text::{self, Sanitised};
use crate::ui::{Page, Paint};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// What is shown.
#[derive(Clone, Copy)]
pub struct View<'v> {
    /// Columns, 0 for no wrapping.
    pub width: usize,
    /// Also info findings, all effects and all evidence.
    pub all: bool,
    /// The command that fixes this finding, when it is worth naming.
    pub next: Option<&'v dyn Fn(&ReportedFinding) -> String>,
}

/// Effects, changed fields and pieces of evidence shown of one finding without `--all`.
const FEW: usize = 4;

/// Writes the report.
pub fn write(page: &mut Page, report: &ScanReport, view: View<'_>) {
    for context in &report.contexts {
        headline(page, report, context);
    }
    let shown = |reported: &&ReportedFinding| view.all || reported.finding.severity != Severity::Info;
    let findings: Vec<&ReportedFinding> = report.findings.iter().filter(shown).collect();
    let (namespaces, contexts) = (namespaced(report), report.contexts.len() > 1);
    for reported in &findings {
        let context = report.contexts.iter().find(|context| context.name == reported.context);
        let now = context.and_then(|context| context.taken_at);
        page.end();
        let place = contexts.then_some(reported.context.as_str());
        one(page, reported, place, &Frame { view, now, namespaces });
    }
    for context in &report.contexts {
        gaps(page, &context.gaps, contexts.then_some(context.name.as_str()), view);
    }
    set_aside::write(page, &report.set_aside, view.width, view.all, contexts);
    let hidden = report.findings.len() - findings.len();
    if hidden > 0 {
        page.end().line(format_args!("{} worth knowing: aifix scan --all", text::count(hidden, "thing")));
    }
    let fixable = findings.iter().find(|reported| reported.finding.fix.class == FixClass::Rule);
    if let (Some(command), Some(reported)) = (view.next, fixable) {
        page.end().put(Paint::Plain, "Next: ").foreign(Paint::Bold, &command(reported)).end();
    }
}

/// Whether names need their namespace to be told apart.
fn namespaced(report: &ScanReport) -> bool {
    let mut names = report.findings.iter().map(|reported| reported.finding.object.namespace());
    let first = names.next();
    names.any(|name| Some(name) != first) || report.contexts.iter().any(|context| context.scope.contains(' '))
}

/// The answer in a few words: does something fail in this context?
pub(super) fn answer(report: &ScanReport, context: &ContextReport) -> (Paint, String) {
    let set_aside = report.set_aside.iter().any(|one| one.reported.context == context.name);
    let summary = &context.summary;
    let essential = context.gaps.iter().any(|gap| gap.essential);
    let workloads = text::count(summary.workloads, "workload");
    let fails = match summary.failing {
        0 => "no workload fails".to_owned(),
        1 => format!("1 of {workloads} fails"),
        n => format!("{n} of {workloads} fail"),
    };
    if summary.roots > 0 {
        (Paint::Red, format!("{}; {fails}", text::count(summary.roots, "root cause")))
    } else if context.taken_at.is_none() && essential {
        (Paint::Yellow, "could not be looked at".to_owned())
    } else if summary.failing > 0 {
        let why = if set_aside { "no root cause that counts" } else { "no root cause was found" };
        (Paint::Yellow, format!("{why}; {fails}"))
    } else if essential {
        (Paint::Yellow, "nothing failing was seen, but not everything could be looked at".to_owned())
    } else if summary.workloads == 0 {
        (Paint::Yellow, "no workloads here".to_owned())
    } else if summary.in_progress > 0 {
        let still = if summary.in_progress == 1 { "is" } else { "are" };
        (Paint::Yellow, format!("nothing fails; {} of {workloads} {still} still rolling out", summary.in_progress))
    } else if summary.workloads == 1 {
        (Paint::Green, "the only workload is healthy".to_owned())
    } else {
        (Paint::Green, format!("all {workloads} are healthy"))
    }
}

/// One line that answers.
fn headline(page: &mut Page, report: &ScanReport, context: &ContextReport) {
    let (paint, answer) = answer(report, context);
    page.foreign(Paint::Bold, &context.scope).put(Paint::Plain, ": ").put(paint, answer);
    page.end().put(Paint::Dim, format_args!("context {}", Sanitised::line(&context.name)));
    if let Some(at) = context.taken_at {
        page.put(Paint::Dim, format_args!(", {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")));
    }
    page.end();
}

/// What every finding of a report is shown with.
struct Frame<'v> {
    view: View<'v>,
    now: Option<Timestamp>,
    namespaces: bool,
}

fn one(page: &mut Page, reported: &ReportedFinding, context: Option<&str>, frame: &Frame<'_>) {
    let (finding, width) = (&reported.finding, frame.view.width);
    placed(page, finding, frame.namespaces, context);
    page.wrapped(width, "  ", "  ", Sanitised::line(&finding.summary).as_str());
    pods(page, finding, width);
    if let (Some(since), Some(now)) = (finding.since, frame.now) {
        page.line(format_args!("  since     {} ago", text::span(since, now)));
    }
    if let Some(source) = &reported.source {
        page.line(format_args!(
            "  source    {}:{}{}",
            Sanitised::line(&source.file),
            source.line,
            words::likely(source)
        ));
        if let Some(commit) = words::commit(source) {
            page.wrapped(width, "  commit    ", "            ", &commit);
        }
    }
    evidence(page, &finding.evidence, frame);
    if let Some(change) = &finding.change {
        changed(page, change, frame);
    }
    effects(page, finding, frame);
    let fix = codes::fix(&finding.fix);
    page.wrapped(width, "  fix       ", "            ", Sanitised::line(&fix).as_str());
}

/// `critical  Deployment/web  oom-killed`.
pub fn title(page: &mut Page, finding: &Finding, namespaces: bool) {
    placed(page, finding, namespaces, None);
}

/// `critical  Deployment/web in shop on prod  oom-killed`, `prod` being the context.
pub(super) fn placed(page: &mut Page, finding: &Finding, namespaces: bool, context: Option<&str>) {
    let paint = match finding.severity {
        Severity::Critical | Severity::Error => Paint::Red,
        Severity::Warning => Paint::Yellow,
        Severity::Info => Paint::Cyan,
    };
    let word = finding.severity.name();
    let object = match &finding.object.namespace {
        Some(namespace) if namespaces => format!("{}/{} in {namespace}", finding.object.kind, finding.object.name),
        _ => finding.object.to_string(),
    };
    page.put(paint, word).put(Paint::Plain, "  ").foreign(Paint::Bold, &object);
    if let Some(context) = context {
        page.put(Paint::Plain, " on ").foreign(Paint::Bold, context);
    }
    page.put(Paint::Plain, "  ").put(Paint::Cyan, finding.code).end();
}

fn pods(page: &mut Page, finding: &Finding, width: usize) {
    let pods = &finding.pods;
    if pods.failing == 0 {
        return;
    }
    let mut words = format!("{} of {} failing", pods.failing, pods.desired.max(pods.failing));
    if finding.severity == Severity::Warning {
        words.push_str(", the old revision serves");
    }
    if !pods.names.is_empty() {
        let names: Vec<Sanitised> = pods.names.iter().map(|name| Sanitised::line(name)).collect();
        words.push_str(&format!(": {}", text::and(&names)));
    }
    page.wrapped(width, "  pods      ", "            ", &words);
}

fn evidence(page: &mut Page, evidence: &[Evidence], frame: &Frame<'_>) {
    let few = if frame.view.all { evidence.len() } else { FEW };
    for (at, item) in evidence.iter().take(few).enumerate() {
        let source = item.source.name();
        let age = match (item.at, frame.now) {
            (Some(at), Some(now)) => format!(" ({} ago)", text::span(at, now)),
            _ => String::new(),
        };
        let text = text::clip(Sanitised::line(&item.text).as_str(), 400);
        let first = format!("  {} {:>2}. {source}: ", if at == 0 { "evidence" } else { "        " }, item.id);
        page.wrapped(frame.view.width, &first, "               ", &format!("{text}{age}"));
    }
    more(page, evidence.len().saturating_sub(few), "piece of evidence", "pieces of evidence");
}

fn changed(page: &mut Page, change: &Change, frame: &Frame<'_>) {
    let from = if change.good { "which has ready pods" } else { "the one before" };
    let age = match (change.at, frame.now) {
        (Some(at), Some(now)) => format!(", {} ago", text::span(at, now)),
        _ => String::new(),
    };
    let by = change.manager.as_deref().map(|m| format!(", by {}", Sanitised::line(m))).unwrap_or_default();
    let words = format!(
        "in revision {} against {} ({from}){by}{age}:",
        Sanitised::line(&change.to),
        Sanitised::line(&change.from)
    );
    page.wrapped(frame.view.width, "  changed   ", "            ", &words);
    let few = if frame.view.all { change.fields.len() } else { FEW };
    for field in change.fields.iter().take(few) {
        let shown = |value: &Option<Value>| {
            value
                .as_ref()
                .map_or_else(|| "absent".to_owned(), |v| text::clip(&redact::field(&field.path, v).to_string(), 80))
        };
        let words = format!("{}: {} -> {}", short(&field.path.to_string()), shown(&field.old), shown(&field.new));
        page.wrapped(frame.view.width, "            ", "              ", Sanitised::line(&words).as_str());
    }
    more(page, change.fields.len().saturating_sub(few), "field", "fields");
}

/// A path without the long prefix that all pod templates share.
fn short(path: &str) -> &str {
    path.strip_prefix("spec.template.spec.").unwrap_or(path)
}

fn effects(page: &mut Page, finding: &Finding, frame: &Frame<'_>) {
    // What follows for the object itself is said by its pods' line.
    let elsewhere = |effect: &&Effect| frame.view.all || !effect.object.same_object(&finding.object);
    let effects: Vec<&Effect> = finding.effects.iter().filter(elsewhere).collect();
    let few = if frame.view.all { effects.len() } else { FEW };
    for (at, effect) in effects.iter().take(few).enumerate() {
        let first = if at == 0 { "  effects   " } else { "            " };
        let words = format!("{}: {} ({})", effect.object, effect.summary, effect.code);
        page.wrapped(frame.view.width, first, "              ", Sanitised::line(&words).as_str());
    }
    more(page, effects.len().saturating_sub(few), "effect", "effects");
}

fn more(page: &mut Page, n: usize, one: &str, many: &str) {
    if n > 0 {
        let noun = if n == 1 { one } else { many };
        page.put(Paint::Dim, format_args!("            and {n} more {noun}: aifix scan --all")).end();
    }
}

/// What was not looked at; it is never left out.
fn gaps(page: &mut Page, gaps: &[Gap], context: Option<&str>, view: View<'_>) {
    if gaps.is_empty() {
        return;
    }
    page.end().put(Paint::Yellow, "Not looked at");
    if let Some(context) = context {
        page.put(Paint::Plain, " in context ").foreign(Paint::Plain, context);
    }
    page.end();
    let is_forbidden = |gap: &&Gap| gap.why.starts_with("forbidden");
    // A user without rights has one such answer per kind, all in the same words.
    for essential in [true, false] {
        let same: Vec<&Gap> = gaps.iter().filter(is_forbidden).filter(|gap| gap.essential == essential).collect();
        let (Some(first), names) = (same.first(), same.iter().map(|gap| gap.what.as_str())) else { continue };
        let why = if same.len() == 1 { first.why.as_str() } else { "forbidden" };
        let codes: BTreeSet<&str> = same.iter().flat_map(|gap| gap.codes.iter().map(String::as_str)).collect();
        one_gap(page, essential, &text::and(&names.collect::<Vec<_>>()), why, codes, view);
    }
    for gap in gaps.iter().filter(|gap| !is_forbidden(gap)) {
        one_gap(page, gap.essential, &gap.what, &gap.why, gap.codes.iter().map(String::as_str), view);
    }
    if gaps.iter().any(|gap| is_forbidden(&gap)) {
        page.line("  What may be read: aifix doctor");
    }
}

fn one_gap<'c>(
    page: &mut Page,
    essential: bool,
    what: &str,
    why: &str,
    codes: impl IntoIterator<Item = &'c str>,
    view: View<'_>,
) {
    let mark = if essential { "essential: " } else { "" };
    let codes = match codes.into_iter().take(6).collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        codes => format!("; could hide {}", text::and(codes)),
    };
    page.wrapped(view.width, "  ", "    ", Sanitised::line(&format!("{mark}{what}: {why}{codes}")).as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(what: &str, essential: bool, why: &str, code: &str) -> Gap {
        Gap { what: what.into(), why: why.into(), essential, codes: vec![code.into()] }
    }

    fn text(found: &[Gap]) -> String {
        let mut page = Page::default();
        gaps(&mut page, found, None, View { width: 0, all: false, next: None });
        page.as_str().trim().to_owned()
    }

    #[test]
    fn what_is_forbidden_is_told_once_per_weight() {
        let why = |what: &str| format!("forbidden: {what} is forbidden: User \"me\" cannot list");
        let found = [
            gap("pods", true, &why("pods"), "a"),
            gap("nodes", false, &why("nodes"), "b"),
            gap("jobs", true, &why("jobs"), "a"),
            gap("leases", false, "timed out", "c"),
            gap("events", false, &why("events"), "d"),
        ];
        assert_eq!(
            text(&found),
            "Not looked at\n  essential: pods and jobs: forbidden; could hide a\n  nodes and events: forbidden; could hide b \
             and d\n  leases: timed out; could hide c\n  What may be read: aifix doctor"
        );
    }

    #[test]
    fn the_only_forbidden_kind_keeps_its_reason() {
        let one = text(&[gap("pods", true, "forbidden: User \"me\" cannot list", "a")]);
        assert!(one.contains("essential: pods: forbidden: User \"me\" cannot list; could hide a"), "{one}");
        assert!(!text(&[gap("leases", false, "timed out", "c")]).contains("doctor"));
    }
}
