//! What records teach: lessons, examples, patterns, policies.
//!
//! Pure: records in, values out. A lesson orders candidates and gives a model examples; it changes no candidate,
//! proof or verdict.

mod examples;
mod lessons;

pub use examples::examples;
pub use lessons::lessons;

use crate::model::record::Entry;
use serde_json::Value;

/// All entries of one record, oldest first.
pub type Record = Vec<Entry>;

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn items<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
