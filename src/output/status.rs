//! What became of pushed fixes, as text and JSON.

use super::json;
use crate::error::Error;
use crate::follow::{End, Source, State, Subject};
use crate::model::record::Phase;
use crate::text::Sanitised;
use crate::ui::{Page, Paint};
use serde_json::{Value, json};

/// One followed fix.
#[derive(Debug, Clone)]
pub struct Row {
    pub subject: Subject,
    pub state: State,
    /// Phases that were written into the record now.
    pub recorded: Vec<Phase>,
}

/// One block for each, with what was seen of it.
pub fn text(page: &mut Page, rows: &[Row], width: usize) {
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            page.end();
        }
        one(page, row, width);
    }
}

fn one(page: &mut Page, row: &Row, width: usize) {
    let Row { subject, state, .. } = row;
    let paint = match state.end {
        End::Well => Paint::Green,
        End::Ill => Paint::Red,
        End::Open => Paint::Yellow,
    };
    page.put(paint, state.phase.name()).put(Paint::Plain, "  ").foreign(Paint::Bold, &subject.object.qualified());
    page.put(Paint::Plain, "  ").foreign(Paint::Cyan, &subject.code).end();
    let mut put = |label: &str, words: &str| {
        page.wrapped(width, &format!("{label:<14}"), "              ", Sanitised::line(words).as_str());
    };
    put("record", &subject.record);
    for line in &state.lines {
        put(line.phase.name(), &line.text);
    }
    for unasked in &state.unasked {
        put("not looked at", &format!("{}: {}", unasked.source.name(), unasked.why));
    }
}

/// The document `StatusReport`.
///
/// # Errors
/// Only a bug: it could not be written as JSON.
pub fn json(rows: &[Row]) -> Result<String, Error> {
    let items: Vec<Value> = rows.iter().map(item).collect();
    json::render(&json!({"apiVersion": json::API_VERSION, "kind": "StatusReport", "items": items}))
}

fn item(row: &Row) -> Value {
    let Row { subject, state, recorded } = row;
    let reached = state.reached.iter().map(|(phase, body)| json!({"phase": phase, "body": body}));
    let looked = |source: Source| state.lines.iter().any(|line| line.source == source);
    let sources: Vec<Source> =
        [Source::Git, Source::Forge, Source::Cluster].into_iter().filter(|one| looked(*one)).collect();
    json!({
        "record": subject.record,
        "object": subject.object,
        "code": subject.code,
        "branch": subject.branch,
        "commit": subject.commit,
        "phase": state.phase,
        "end": state.end,
        "lookedAt": sources,
        "notLookedAt": state.unasked,
        "lines": state.lines,
        "reached": reached.collect::<Vec<_>>(),
        "recorded": recorded,
    })
}
