//! What incidents have in common, as text and JSON.

use super::json;
use crate::error::Error;
use crate::learn::Pattern;
use crate::text::{self, Sanitised};
use crate::ui::{Page, Paint};
use serde_json::{Value, json};

/// One line for each, with the records behind it.
pub fn text(page: &mut Page, patterns: &[Pattern], records: usize, width: usize) {
    if patterns.is_empty() {
        let of = text::count(records, "record");
        page.line(format_args!("No pattern in {of}: no failure happened twice."));
        return;
    }
    for pattern in patterns {
        page.wrapped(width, "", "  ", Sanitised::line(&pattern.words()).as_str());
        let shown: Vec<&str> = pattern.records.iter().take(4).map(|id| id.get(..8).unwrap_or(id)).collect();
        let more = pattern.records.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        page.put(Paint::Plain, "  ");
        page.foreign(Paint::Dim, &format!("records {}{more}", shown.join(", "))).end();
    }
}

/// The document `PatternReport`.
///
/// # Errors
/// Only a bug: it could not be written as JSON.
pub fn json(patterns: &[Pattern], records: usize) -> Result<String, Error> {
    let items: Vec<Value> = patterns
        .iter()
        .map(|pattern| {
            json!({"by": pattern.by, "code": pattern.code, "namespace": pattern.namespace, "value": pattern.value,
                "count": pattern.count, "of": pattern.of, "records": pattern.records, "text": pattern.words()})
        })
        .collect();
    json::render(
        &json!({"apiVersion": json::API_VERSION, "kind": "PatternReport", "records": records, "patterns": items}),
    )
}
