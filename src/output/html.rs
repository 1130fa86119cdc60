//! A scan as one HTML file that needs nothing else.

mod finding;
mod graph;
mod markup;

use super::scan_text;
use crate::model::code::FixClass;
use crate::model::finding::Severity;
use crate::model::report::{ContextReport, Filter, ReportedFinding, ScanReport, SetAside};
use crate::model::snapshot::Gap;
use crate::text;
use crate::ui::Paint;
use finding::Frame;
use jiff::Timestamp;
use markup::Markup;

/// The look; it names no resource, and the policy in the head would let none be loaded.
const STYLE: &str = include_str!("html/style.css");

/// Codes named of one gap.
const FEW_CODES: usize = 8;

/// The command that proposes a fix of a finding, where one can be typed.
pub type Next<'n> = Option<&'n dyn Fn(&ReportedFinding) -> String>;

/// The whole page. It shows everything: what is long is folded, nothing is left out.
pub fn write(report: &ScanReport, next: Next<'_>) -> String {
    let answer = answer(report);
    let mut out = Markup::default();
    out.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    out.raw(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n",
    );
    out.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    out.raw(
        "<meta name=\"color-scheme\" content=\"light dark\"/>\n<meta name=\"referrer\" content=\"no-referrer\"/>\n",
    );
    out.raw("<title>").words(&answer).raw("</title>\n<style>\n").raw(STYLE).raw("</style>\n</head>\n<body>\n");
    header(&mut out, report, &answer);
    out.raw("<main>\n");
    let (roots, minor): (Vec<&ReportedFinding>, Vec<_>) =
        report.findings.iter().partition(|reported| reported.finding.severity != Severity::Info);
    let shown = Shown { report, next, many: report.contexts.len() > 1 };
    index(&mut out, &roots, &shown);
    if !roots.is_empty() {
        out.raw("<h2>Root causes</h2>\n");
    }
    for (at, reported) in roots.iter().enumerate() {
        finding::write(&mut out, reported, &shown.frame(reported, at + 1));
    }
    gaps(&mut out, report);
    if !minor.is_empty() {
        out.raw("<details>\n<summary><h2>Worth knowing (").number(minor.len()).raw(")</h2></summary>\n");
        for (at, reported) in minor.iter().enumerate() {
            finding::write(&mut out, reported, &shown.frame(reported, roots.len() + at + 1));
        }
        out.raw("</details>\n");
    }
    set_aside(&mut out, &report.set_aside, &shown);
    trail(&mut out, report);
    out.raw("</main>\n<footer>aifix ").words(env!("CARGO_PKG_VERSION"));
    out.raw(". This file loads nothing and runs nothing.</footer>\n</body>\n</html>\n");
    out.into_string()
}

/// What findings of this report are shown with.
struct Shown<'r> {
    report: &'r ScanReport,
    next: Next<'r>,
    /// Several contexts: each finding names its own.
    many: bool,
}

impl Shown<'_> {
    fn frame<'f>(&'f self, reported: &'f ReportedFinding, number: usize) -> Frame<'f> {
        let context = self.report.contexts.iter().find(|context| context.name == reported.context);
        Frame {
            number,
            now: context.and_then(|context| context.taken_at),
            context: self.many.then_some(reported.context.as_str()),
            next: self.next.filter(|_| reported.finding.fix.class == FixClass::Rule).map(|command| command(reported)),
        }
    }
}

/// The first line: does something fail?
fn answer(report: &ScanReport) -> String {
    if let [context] = report.contexts.as_slice() {
        return format!("{}: {}", context.scope, scan_text::answer(report, context).1);
    }
    let contexts = text::count(report.contexts.len(), "context");
    let roots: usize = report.contexts.iter().map(|context| context.summary.roots).sum();
    if roots > 0 {
        format!("{} in {contexts}", text::count(roots, "root cause"))
    } else if report.contexts.iter().any(|context| context.gaps.iter().any(|gap| gap.essential)) {
        format!("nothing failing was seen in {contexts}, but not everything could be looked at")
    } else {
        format!("no root cause in {contexts}")
    }
}

fn header(out: &mut Markup, report: &ScanReport, answer: &str) {
    out.raw("<header>\n<h1>").words(answer).raw("</h1>\n");
    if let [context] = report.contexts.as_slice() {
        meta(out, context);
        counts(out, context);
    } else {
        out.raw("<ul class=\"contexts\">\n");
        for context in &report.contexts {
            let (paint, answer) = scan_text::answer(report, context);
            out.raw("<li><p class=\"answer\">").name(&context.scope).raw(": ");
            out.raw(match paint {
                Paint::Red => "<span class=\"bad\">",
                Paint::Green => "<span class=\"good\">",
                _ => "<span class=\"warn\">",
            });
            out.words(&answer).raw("</span></p>\n");
            meta(out, context);
            counts(out, context);
            out.raw("</li>\n");
        }
        out.raw("</ul>\n");
    }
    out.raw("</header>\n");
}

fn meta(out: &mut Markup, context: &ContextReport) {
    out.raw("<p class=\"meta\">context ").name(&context.name);
    if let Some(at) = context.taken_at {
        out.raw(", as of ");
        moment(out, at);
        out.raw("; ages count back from then");
    }
    out.raw("</p>\n");
}

/// A moment as people and programs read it.
fn moment(out: &mut Markup, at: Timestamp) {
    out.raw("<time datetime=\"").name(at).raw("\">");
    out.name(at.strftime("%Y-%m-%d %H:%M:%S UTC")).raw("</time>");
}

fn counts(out: &mut Markup, context: &ContextReport) {
    let summary = &context.summary;
    out.raw("<dl class=\"counts\">\n");
    for (one, many, n) in [
        ("workload", "workloads", summary.workloads),
        ("healthy", "healthy", summary.healthy),
        ("rolling out", "rolling out", summary.in_progress),
        ("failing", "failing", summary.failing),
        ("root cause", "root causes", summary.roots),
        ("effect", "effects", summary.effects),
        ("not looked at", "not looked at", summary.gaps),
    ] {
        out.raw("<div><dt>").raw(if n == 1 { one } else { many }).raw("</dt><dd>").number(n).raw("</dd></div>\n");
    }
    out.raw("</dl>\n");
}

/// Links to the roots, when they do not fit on a screen.
fn index(out: &mut Markup, roots: &[&ReportedFinding], shown: &Shown<'_>) {
    if roots.len() < 2 {
        return;
    }
    out.raw("<nav aria-label=\"Root causes\">\n<h2>At a glance</h2>\n<ol>\n");
    for (at, reported) in roots.iter().enumerate() {
        let finding = &reported.finding;
        out.raw("<li>");
        finding::severity(out, finding.severity);
        out.raw("<span><a href=\"#root-").number(at + 1).raw("\">");
        finding::object(out, &finding.object);
        out.raw("</a> <span class=\"quiet\">").name(finding.code);
        if shown.many {
            out.raw(" in context ").name(&reported.context);
        }
        out.raw("</span></span><span class=\"summary\">").clipped(&finding.summary, 200).raw("</span></li>\n");
    }
    out.raw("</ol>\n</nav>\n");
}

/// What was not looked at; it is never folded.
fn gaps(out: &mut Markup, report: &ScanReport) {
    if report.contexts.iter().all(|context| context.gaps.is_empty()) {
        return;
    }
    out.raw("<h2 class=\"warn\">Not looked at</h2>\n");
    for context in report.contexts.iter().filter(|context| !context.gaps.is_empty()) {
        out.raw("<table>\n");
        if report.contexts.len() > 1 {
            out.raw("<caption>context ").name(&context.name).raw("</caption>\n");
        }
        out.raw("<thead><tr><th scope=\"col\">What</th><th scope=\"col\">Why</th></tr></thead>\n<tbody>\n");
        // What every finding needs comes first.
        let (essential, others): (Vec<&Gap>, Vec<_>) = context.gaps.iter().partition(|gap| gap.essential);
        for gap in essential.into_iter().chain(others) {
            one_gap(out, gap);
        }
        out.raw("</tbody>\n</table>\n");
    }
    if report.contexts.iter().flat_map(|context| &context.gaps).any(|gap| gap.why.starts_with("forbidden")) {
        out.raw("<p class=\"meta\">What may be read: <code>aifix doctor</code></p>\n");
    }
}

fn one_gap(out: &mut Markup, gap: &Gap) {
    out.raw("<tr><th scope=\"row\">").name(&gap.what);
    if gap.essential {
        out.raw(" <span class=\"from warn\">essential</span>");
    }
    out.raw("</th><td>").words(&gap.why);
    out.raw("<span class=\"from\">could hide ");
    if gap.codes.is_empty() {
        out.raw("any failure");
    }
    let few = gap.codes.iter().take(FEW_CODES).map(String::as_str).collect::<Vec<_>>();
    if gap.codes.len() > FEW_CODES {
        out.words(&few.join(", ")).raw(" and ").number(gap.codes.len() - FEW_CODES).raw(" more");
    } else {
        out.words(&text::and(&few));
    }
    out.raw("</span></td></tr>\n");
}

/// What was found and does not count, and who said so.
fn set_aside(out: &mut Markup, set_aside: &[SetAside], shown: &Shown<'_>) {
    if set_aside.is_empty() {
        return;
    }
    out.raw("<h2>Set aside (").number(set_aside.len()).raw(")</h2>\n<table>\n");
    out.raw("<caption>Found, and not counted above</caption>\n<thead><tr><th scope=\"col\">Finding</th>");
    out.raw("<th scope=\"col\">Why it does not count</th></tr></thead>\n<tbody>\n");
    for SetAside { reported, filter, reason } in set_aside {
        let finding = &reported.finding;
        out.raw("<tr><th scope=\"row\">");
        finding::severity(out, finding.severity);
        finding::object(out, &finding.object);
        out.raw(" <span class=\"from\">").name(finding.code);
        if shown.many {
            out.raw(" in context ").name(&reported.context);
        }
        out.raw("</span></th><td>").raw(match filter {
            Filter::Baseline => "in the baseline",
            Filter::Ignored => "ignored",
            Filter::Unasked => "not asked for",
            Filter::Minor => "below the least severity",
        });
        if !reason.is_empty() {
            out.raw(": ").words(reason);
        }
        out.raw("<span class=\"from\">").words(&finding.summary).raw("</span></td></tr>\n");
    }
    out.raw("</tbody>\n</table>\n");
}

/// How the answer was come by.
fn trail(out: &mut Markup, report: &ScanReport) {
    out.raw("<h2>How this was read</h2>\n<table>\n<thead><tr><th scope=\"col\">Context</th>");
    out.raw("<th scope=\"col\">Read</th></tr></thead>\n<tbody>\n");
    for context in &report.contexts {
        let requests = context.summary.requests;
        out.raw("<tr><th scope=\"row\">").name(&context.name);
        out.raw("<span class=\"from\">").name(&context.scope).raw("</span></th><td>");
        let all = [
            ("list", requests.lists),
            ("further page", requests.pages),
            ("single object", requests.gets),
            ("log", requests.logs),
        ];
        let sent: Vec<String> = all.iter().filter(|(_, n)| *n > 0).map(|(what, n)| text::count(*n, what)).collect();
        if sent.is_empty() {
            out.raw("a recording; no request was sent");
        } else {
            out.words(&text::and(&sent));
        }
        if let Some(at) = context.taken_at {
            out.raw("<span class=\"from\">");
            moment(out, at);
            out.raw("</span>");
        }
        out.raw("<span class=\"from\">").words(&match context.gaps.len() {
            0 => "everything asked for was looked at".to_owned(),
            n => format!("{} not looked at, see above", text::count(n, "thing")),
        });
        out.raw("</span></td></tr>\n");
    }
    out.raw("</tbody>\n</table>\n");
}

#[cfg(test)]
mod tests;
