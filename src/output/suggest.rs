//! Suggested policies, as text, JSON and a commit's message.

use super::json;
use crate::error::Error;
use crate::learn::{Stop, Suggestion, Unmade};
use crate::proposal::message::tame;
use crate::text::{self, Sanitised};
use crate::ui::{Page, Paint};
use serde_json::{Value, json};

/// Stops that are shown of a kind.
const FEW: usize = 5;

/// Each policy with what it would have stopped, and each that was not made with the reason.
pub fn text(page: &mut Page, made: &[Suggestion], unmade: &[Unmade], width: usize) {
    if made.is_empty() && unmade.is_empty() {
        page.line("No policy to suggest: no change was followed by most incidents of a failure.");
    }
    for suggestion in made {
        page.put(Paint::Green, "policy").put(Paint::Plain, "  ").foreign(Paint::Bold, &suggestion.name).end();
        page.wrapped(width, "  ", "  ", Sanitised::line(&suggestion.pattern.words()).as_str());
        stops(page, &suggestion.stops, width);
        page.end();
        for line in suggestion.policy.lines() {
            page.foreign(Paint::Added, line).end();
        }
        page.end();
    }
    for one in unmade {
        page.put(Paint::Yellow, "not made").put(Paint::Plain, "  ");
        page.foreign(Paint::Plain, &one.pattern.words()).end();
        page.wrapped(width, "  ", "  ", &one.why);
        stops(page, &one.stops, width);
    }
    if !made.is_empty() {
        let files = text::count(made.len(), "branch");
        page.line(format_args!("Nothing was written. As {files} to review: aifix policy suggest --push"));
    }
}

fn stops(page: &mut Page, stops: &[Stop], width: usize) {
    for rightly in [true, false] {
        let of_kind: Vec<&Stop> = stops.iter().filter(|stop| stop.rightly == rightly).collect();
        let word = if rightly { "rightly" } else { "wrongly" };
        page.line(format_args!("  would have stopped {} {word}", of_kind.len()));
        for stop in of_kind.iter().take(FEW) {
            page.wrapped(width, "    - ", "      ", Sanitised::line(&stop.what).as_str());
        }
        if of_kind.len() > FEW {
            page.line(format_args!("    and {} more", of_kind.len() - FEW));
        }
    }
}

/// The document `PolicySuggestions`.
///
/// # Errors
/// Only a bug: it could not be written as JSON.
pub fn json(made: &[Suggestion], unmade: &[Unmade]) -> Result<String, Error> {
    let suggestions: Vec<Value> = made
        .iter()
        .map(|one| {
            json!({"name": one.name, "text": one.pattern.words(), "records": one.pattern.records, "policy": one.policy,
                "test": one.test, "stops": one.stops})
        })
        .collect();
    let refused: Vec<Value> =
        unmade.iter().map(|one| json!({"text": one.pattern.words(), "why": one.why, "stops": one.stops})).collect();
    json::render(&json!({"apiVersion": json::API_VERSION, "kind": "PolicySuggestions", "suggestions": suggestions,
        "notMade": refused}))
}

/// The commit's message with the hash of its record; what is foreign stands in lists, tamed.
pub fn message(suggestion: &Suggestion, record: &str) -> String {
    let subject = text::clip(&format!("Add policy {}", suggestion.name), 72);
    let mut out = format!("{subject}\n\nLearned from records: {}.\n", suggestion.pattern.words());
    for rightly in [true, false] {
        let of_kind: Vec<&Stop> = suggestion.stops.iter().filter(|stop| stop.rightly == rightly).collect();
        let word = if rightly { "rightly" } else { "wrongly" };
        out.push_str(&format!("\nOf the known changes it would have stopped {} {word}:\n", of_kind.len()));
        for stop in of_kind.iter().take(40) {
            out.push_str(&format!("- {}\n", Sanitised::line(&stop.what)));
        }
    }
    format!("{}\nAifix-Policy: {}\nAifix-Record: {record}\n", tame(&out), suggestion.name)
}
