//! Records as text.

use crate::model::record::Entry;
use crate::text::Sanitised;
use crate::ui::{Page, Paint};
use serde_json::Value;

/// One line per record, newest first.
pub fn list(page: &mut Page, records: &[Vec<Entry>]) {
    for entries in records {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { continue };
        let text = |pointer: &str| first.body.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
        let words = format!(
            "{}  {}  {:<8}  {} {}/{}  {}",
            first.record.get(..8).unwrap_or(&first.record),
            first.at.get(..16).unwrap_or(&first.at).replace('T', " "),
            last.phase.name(),
            text("/failure/object/kind"),
            text("/failure/object/namespace"),
            text("/failure/object/name"),
            text("/failure/code"),
        );
        page.foreign(Paint::Plain, &words).end();
    }
}

/// Every entry of one record, as indented text.
pub fn show(page: &mut Page, entries: &[Entry], width: usize) {
    for entry in entries {
        page.put(Paint::Bold, format_args!("{}  {}", Sanitised::line(&entry.at), entry.phase.name()));
        page.put(Paint::Dim, format_args!("  entry {}, record {}", entry.seq, Sanitised::line(&entry.record))).end();
        body(page, &entry.body, 1, width);
        page.put(Paint::Dim, format_args!("  hash {}", Sanitised::line(&entry.hash))).end();
    }
}

fn body(page: &mut Page, value: &Value, depth: usize, width: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (name, item) in map {
                match item {
                    Value::Null => {}
                    Value::Object(_) | Value::Array(_) if is_empty(item) => {}
                    Value::Object(_) | Value::Array(_) => {
                        page.put(Paint::Plain, &indent).foreign(Paint::Cyan, name).end();
                        body(page, item, depth + 1, width);
                    }
                    Value::String(long) if long.contains('\n') => {
                        page.put(Paint::Plain, &indent).foreign(Paint::Cyan, name).end();
                        for line in long.lines() {
                            page.put(Paint::Plain, &indent).put(Paint::Plain, "  ").foreign(Paint::Plain, line).end();
                        }
                    }
                    item => {
                        let first = format!("{indent}{} ", Sanitised::line(name));
                        page.wrapped(width, &first, &format!("{indent}  "), Sanitised::line(&plain(item)).as_str());
                    }
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(_) | Value::Array(_) => {
                        page.put(Paint::Plain, &indent).line("-");
                        body(page, item, depth + 1, width);
                    }
                    item => {
                        page.wrapped(
                            width,
                            &format!("{indent}- "),
                            &format!("{indent}  "),
                            Sanitised::line(&plain(item)).as_str(),
                        );
                    }
                }
            }
        }
        item => {
            page.put(Paint::Plain, &indent).foreign(Paint::Plain, &plain(item)).end();
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Said when there is nothing to list.
pub fn none(page: &mut Page, folder: &str) {
    page.line(format_args!("No records in {}", Sanitised::line(folder)));
}

/// The answer of `audit verify`.
pub fn verified(page: &mut Page, entries: u64, records: u64) {
    page.put(Paint::Green, "holds");
    page.line(format_args!(
        ": {} in {}",
        if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") },
        if records == 1 { "1 record".to_owned() } else { format!("{records} records") }
    ));
}
