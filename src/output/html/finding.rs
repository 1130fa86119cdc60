//! One root cause of the HTML page.

use super::markup::Markup;
use super::{graph, moment};
use crate::model::finding::{Change, Effect, Evidence, Finding, Severity};
use crate::model::object::ObjectRef;
use crate::model::report::ReportedFinding;
use crate::output::{codes, words};
use crate::redact;
use crate::text;
use jiff::Timestamp;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Effects that are shown unfolded.
const FEW: usize = 12;

/// What a finding is shown with.
pub(super) struct Frame<'f> {
    /// 1, 2, ... within the page.
    pub(super) number: usize,
    /// When its cluster was looked at.
    pub(super) now: Option<Timestamp>,
    /// The context's name, where it tells findings apart.
    pub(super) context: Option<&'f str>,
    pub(super) next: Option<String>,
}

/// Writes one finding as an article.
pub(super) fn write(out: &mut Markup, reported: &ReportedFinding, frame: &Frame<'_>) {
    let finding = &reported.finding;
    out.raw("<article class=\"")
        .raw(finding.severity.name())
        .raw("\" id=\"root-")
        .number(frame.number)
        .raw("\">\n<h3>");
    severity(out, finding.severity);
    object(out, &finding.object);
    out.raw(" <code class=\"code quiet\">").name(finding.code).raw("</code></h3>\n");
    out.raw("<p class=\"summary\">").words(&finding.summary).raw("</p>\n");
    facts(out, reported, frame);
    if !finding.evidence.is_empty() {
        out.raw("<h4>Evidence</h4>\n<ol class=\"evidence\">\n");
        for item in &finding.evidence {
            evidence(out, item, frame.now);
        }
        out.raw("</ol>\n");
    }
    if let Some(change) = &finding.change {
        changed(out, change, frame.now);
    }
    effects(out, finding, frame.number);
    fix(out, finding, frame);
    out.raw("</article>\n");
}

/// The word in its colour.
pub(super) fn severity(out: &mut Markup, severity: Severity) {
    out.raw("<span class=\"severity ").raw(severity.name()).raw("\">").raw(severity.name()).raw("</span>");
}

/// `Deployment/web in shop`.
pub(super) fn object(out: &mut Markup, object: &ObjectRef) {
    out.name(object);
    if let Some(namespace) = &object.namespace {
        out.raw(" <span class=\"quiet\">in ").name(namespace).raw("</span>");
    }
}

fn facts(out: &mut Markup, reported: &ReportedFinding, frame: &Frame<'_>) {
    let ReportedFinding { finding, source, .. } = reported;
    out.raw("<dl class=\"facts\">\n");
    let pods = &finding.pods;
    if pods.failing > 0 {
        out.raw("<div><dt>Pods</dt><dd>").number(pods.failing).raw(" of ").number(pods.desired.max(pods.failing));
        out.raw(" failing");
        if finding.severity == Severity::Warning {
            out.raw(", the old revision serves");
        }
        for (at, name) in pods.names.iter().enumerate() {
            out.raw(if at == 0 { ": <code>" } else { ", <code>" }).name(name).raw("</code>");
        }
        out.raw("</dd></div>\n");
    }
    if let Some(since) = finding.since {
        out.raw("<div><dt>Since</dt><dd>");
        when(out, since, frame.now);
        out.raw("</dd></div>\n");
    }
    if let Some(source) = source {
        out.raw("<div><dt>Source</dt><dd><code>").name(&source.file).raw(":").number(source.line);
        out.raw("</code>").raw(words::likely(source)).raw("</dd></div>\n");
        if let Some(commit) = words::commit(source) {
            out.raw("<div><dt>Commit</dt><dd>").name(commit).raw("</dd></div>\n");
        }
    }
    if let Some(context) = frame.context {
        out.raw("<div><dt>Context</dt><dd>").name(context).raw("</dd></div>\n");
    }
    out.raw("<div><dt>Meaning</dt><dd>").words(finding.code.0.meaning).raw("</dd></div>\n</dl>\n");
}

/// `12 min ago, 2026-11-22 16:46:58 UTC`.
fn when(out: &mut Markup, at: Timestamp, now: Option<Timestamp>) {
    if let Some(now) = now {
        out.words(&text::span(at, now)).raw(" ago, ");
    }
    moment(out, at);
}

fn evidence(out: &mut Markup, item: &Evidence, now: Option<Timestamp>) {
    out.raw("<li><span class=\"id\">").number(item.id).raw("</span><div><span class=\"from\">");
    out.raw(item.source.name());
    if let Some(at) = item.at {
        out.raw(", ");
        when(out, at, now);
    }
    out.raw("</span><code class=\"words\">").words(&item.text).raw("</code></div></li>\n");
}

fn changed(out: &mut Markup, change: &Change, now: Option<Timestamp>) {
    out.raw("<h4>What changed</h4>\n<p>Revision ").name(&change.to).raw(" against ").name(&change.from);
    out.raw(if change.good { " (which has ready pods)" } else { " (the one before)" });
    if let Some(manager) = &change.manager {
        out.raw(", by ").name(manager);
    }
    if let Some(at) = change.at {
        out.raw(", ");
        when(out, at, now);
    }
    out.raw("</p>\n<ul class=\"changed\">\n");
    for field in &change.fields {
        let value = |value: &Value| redact::field(&field.path, value).to_string();
        out.raw("<li><code class=\"path\">").name(&field.path).raw("</code>");
        match &field.old {
            Some(old) => out.raw("<del><code>").clipped(&value(old), 400).raw("</code></del>"),
            None => out.raw("<span class=\"quiet\">absent</span>"),
        };
        out.raw(" <span class=\"quiet\">→</span> ");
        match &field.new {
            Some(new) => out.raw("<ins><code>").clipped(&value(new), 400).raw("</code></ins>"),
            None => out.raw("<span class=\"quiet\">absent</span>"),
        };
        out.raw("</li>\n");
    }
    out.raw("</ul>\n");
}

/// The graph, and the same as a table; folded when there are many.
fn effects(out: &mut Markup, finding: &Finding, number: usize) {
    if finding.effects.is_empty() {
        return;
    }
    out.raw(if finding.effects.len() > FEW {
        "<details>\n<summary><h4>"
    } else {
        "<details open=\"\">\n<summary><h4>"
    });
    out.words(&text::count(finding.effects.len(), "effect")).raw("</h4>");
    if finding.effects.len() > FEW {
        out.raw(" <span class=\"kinds\">").words(&kinds(&finding.effects)).raw("</span>");
    }
    out.raw("</summary>\n");
    graph::draw(out, finding, number);
    out.raw(
        "<table>\n<thead><tr><th scope=\"col\">Effect</th><th scope=\"col\">What happens</th></tr></thead>\n<tbody>\n",
    );
    for Effect { code, object, summary } in &finding.effects {
        out.raw("<tr><th scope=\"row\">");
        self::object(out, object);
        out.raw("<span class=\"from\">").name(code).raw("</span></th><td>").words(summary).raw("</td></tr>\n");
    }
    out.raw("</tbody>\n</table>\n</details>\n");
}

/// `40 rollout-stalled and 3 service-no-ready-endpoints`, most first.
fn kinds(effects: &[Effect]) -> String {
    let mut of_code: BTreeMap<&str, usize> = BTreeMap::new();
    for effect in effects {
        *of_code.entry(effect.code.name()).or_default() += 1;
    }
    let mut kinds: Vec<(&str, usize)> = of_code.into_iter().collect();
    kinds.sort_by_key(|(_, n)| Reverse(*n));
    text::and(&kinds.iter().map(|(code, n)| format!("{n} {code}")).collect::<Vec<_>>())
}

fn fix(out: &mut Markup, finding: &Finding, frame: &Frame<'_>) {
    out.raw("<h4>Fix</h4>\n<p>").words(&codes::fix(&finding.fix));
    out.raw("</p>\n<p class=\"next\">Next: <code>");
    match &frame.next {
        Some(command) => out.words(command),
        None => out.raw("aifix codes ").name(finding.code),
    };
    out.raw("</code></p>\n");
}
