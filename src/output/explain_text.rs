//! An explanation that a person reads from top to bottom.

use super::{codes, scan_text};
use crate::diagnose::Check;
use crate::model::finding::{Evidence, Finding, Source};
use crate::model::object::ObjectRef;
use crate::model::proposal::{Signal, Trust};
use crate::model::refusal::Refusal;
use crate::narrative::Narrative;
use crate::redact;
use crate::text::{self, Sanitised};
use crate::ui::{Page, Paint};
use jiff::Timestamp;
use serde_json::Value;

/// So many lines of what stands in the way are shown.
const DETAILS: usize = 8;

/// What an explanation stands on besides the finding.
#[derive(Debug, Clone)]
pub struct Around<'a> {
    pub width: usize,
    pub now: Option<Timestamp>,
    /// The object that was asked about, when it is not the root itself.
    pub asked: Option<&'a str>,
    pub trail: &'a [Signal],
    /// Why no edit is decided, with what there is to choose or to do instead.
    pub refusal: Option<&'a Refusal>,
    /// Commands that look further, each with what it shows.
    pub next: &'a [(String, String)],
}

/// Explains a failing object: root, chain, evidence, change, origin, fix, next.
pub fn failing(page: &mut Page, finding: &Finding, around: &Around<'_>) {
    scan_text::title(page, finding, true);
    let width = around.width;
    page.wrapped(width, "  ", "  ", Sanitised::line(&finding.summary).as_str());
    if let (Some(since), Some(now)) = (finding.since, around.now) {
        page.line(format_args!("  since {} ago", text::span(since, now)));
    }
    if let Some(asked) = around.asked {
        page.wrapped(width, "  ", "  ", &format!("{} fails because of it", Sanitised::line(asked)));
    }
    heading(page, "What it means");
    page.wrapped(width, "  ", "  ", finding.code.0.meaning);
    page.wrapped(width, "  ", "  ", &format!("Typical causes: {}", finding.code.0.causes));
    chain(page, finding, width);
    heading(page, "Evidence");
    for item in &finding.evidence {
        evidence(page, item, around);
    }
    changed(page, finding, around);
    origin(page, around);
    heading(page, "Fix");
    let fix = codes::fix(&finding.fix);
    page.wrapped(width, "  ", "  ", Sanitised::line(&fix).as_str());
    if let Some(refusal) = around.refusal {
        instead(page, finding, refusal, width);
    }
    if !around.next.is_empty() {
        heading(page, "Look next");
        for (command, what) in around.next {
            page.put(Paint::Plain, "  ").foreign(Paint::Bold, command).end();
            page.wrapped(width, "    ", "    ", what);
        }
    }
}

/// What a person can choose, and what there is to do where no field is the answer.
fn instead(page: &mut Page, finding: &Finding, refusal: &Refusal, width: usize) {
    for (at, choice) in refusal.choices.iter().enumerate() {
        let words = format!("{}: {}", choice.subject, choice.why);
        page.wrapped(width, &format!("  {:>2}. ", at + 1), "      ", Sanitised::line(&words).as_str());
    }
    for detail in refusal.details.iter().take(DETAILS) {
        page.wrapped(width, "  - ", "    ", Sanitised::line(&text::clip(detail, 300)).as_str());
    }
    // A row of the catalogue may have said it already.
    if !refusal.hint.is_empty() && !refusal.hint.starts_with(&finding.fix.summary) {
        page.wrapped(width, "  What to do: ", "    ", Sanitised::line(&refusal.hint).as_str());
    }
}

/// The model's words, below what was found without it. `about` names the object whose evidence is cited,
/// when several are explained.
pub fn narrative(page: &mut Page, told: &Narrative, about: Option<&ObjectRef>, width: usize) {
    let of = about.map(|object| format!(", about {}", Sanitised::line(&object.to_string()))).unwrap_or_default();
    heading(page, &format!("In words (by a model, {}){of}", Sanitised::line(&told.model)));
    for sentence in &told.sentences {
        let cited: Vec<String> = sentence.evidence.iter().map(u32::to_string).collect();
        let words = format!("{} [{}]", sentence.marked(), cited.join(", "));
        page.wrapped(width, "  ", "  ", Sanitised::line(&words).as_str());
    }
    if told.sentences.iter().any(|sentence| !sentence.unverified.is_empty()) {
        page.wrapped(width, "  ", "  ", "(?) stands nowhere in what was found: do not rely on it");
    }
}

/// A healthy object says so, and shows what was looked at.
pub fn healthy(page: &mut Page, object: &ObjectRef, checks: &[Check], unseen: &[String], width: usize) {
    let unfit = checks.iter().any(|check| !check.fine);
    page.foreign(Paint::Bold, &object.qualified());
    if !unseen.is_empty() {
        page.put(Paint::Yellow, ": nothing failing was seen, but not everything could be looked at").end();
    } else if unfit {
        page.put(Paint::Yellow, ": no known failure").end();
    } else {
        page.put(Paint::Green, ": healthy").end();
    }
    page.end().line("Looked at");
    for check in checks {
        let first = format!("  {:<10}", check.what);
        page.wrapped(width, &first, "            ", Sanitised::line(&check.state).as_str());
    }
    for gap in unseen {
        page.wrapped(width, "  not seen  ", "            ", Sanitised::line(gap).as_str());
    }
}

fn heading(page: &mut Page, words: &str) {
    page.end().put(Paint::Bold, words).end();
}

/// From the cause to the symptoms.
fn chain(page: &mut Page, finding: &Finding, width: usize) {
    heading(page, "From cause to symptom");
    let root = format!("{}: {} ({})", finding.object, finding.summary, finding.code);
    page.wrapped(width, "  ", "    ", Sanitised::line(&root).as_str());
    for effect in &finding.effects {
        let words = format!("{}: {} ({})", effect.object, effect.summary, effect.code);
        page.wrapped(width, "  -> ", "     ", Sanitised::line(&words).as_str());
    }
}

fn evidence(page: &mut Page, item: &Evidence, around: &Around<'_>) {
    let source = item.source.name();
    let age = match (item.at, around.now) {
        (Some(at), Some(now)) => format!(" ({} ago)", text::span(at, now)),
        _ => String::new(),
    };
    let words = format!("{}{age}", text::clip(Sanitised::line(&item.text).as_str(), 600));
    page.wrapped(around.width, &format!(" {:>2}. {source}: ", item.id), "     ", &words);
}

fn changed(page: &mut Page, finding: &Finding, around: &Around<'_>) {
    heading(page, "What changed");
    revision(page, finding, around);
    for item in finding.evidence.iter().filter(|item| item.source == Source::History) {
        let words = format!("{} [{}]", text::clip(&item.text, 600), item.id);
        page.wrapped(around.width, "  - ", "    ", Sanitised::line(&words).as_str());
    }
}

fn revision(page: &mut Page, finding: &Finding, around: &Around<'_>) {
    let Some(change) = &finding.change else {
        page.line("  no earlier revision is known");
        return;
    };
    let from = if change.good { "which has ready pods" } else { "the one before; whether it worked is not known" };
    let by = change.manager.as_deref().map(|m| format!(", last written by {}", Sanitised::line(m))).unwrap_or_default();
    page.wrapped(
        around.width,
        "  ",
        "  ",
        &format!("revision {} against {} ({from}){by}", Sanitised::line(&change.to), Sanitised::line(&change.from)),
    );
    for field in &change.fields {
        let shown = |value: &Option<Value>| {
            value
                .as_ref()
                .map_or_else(|| "absent".to_owned(), |v| text::clip(&redact::field(&field.path, v).to_string(), 120))
        };
        let words = format!("{}: {} -> {}", field.path, shown(&field.old), shown(&field.new));
        page.wrapped(around.width, "  - ", "    ", Sanitised::line(&words).as_str());
    }
}

fn origin(page: &mut Page, around: &Around<'_>) {
    heading(page, "Where it comes from");
    if around.trail.is_empty() {
        page.line("  no label or annotation tells; aifix propose searches the clone it runs in");
    }
    for signal in around.trail {
        let trust = if signal.trust == Trust::Proved { "proved" } else { "claimed, not proved" };
        let words = format!("{}: {} ({trust})", signal.signal, signal.value);
        page.wrapped(around.width, "  - ", "    ", Sanitised::line(&words).as_str());
    }
}
