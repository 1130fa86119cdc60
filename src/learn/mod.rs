//! What records teach: lessons, examples, patterns, policies.
//!
//! Pure: records in, values out. A lesson orders candidates and gives a model examples; it changes no candidate,
//! proof or verdict. What was tried lately is no lesson but a bound.

mod examples;
mod lessons;
mod past;
mod patterns;
mod share;
mod suggest;
#[cfg(test)]
mod tests;
mod tried;

pub use examples::examples;
pub use lessons::lessons;
pub use past::{PastChange, past_changes};
pub use patterns::{By, Changed, Incident, Pattern, incidents, patterns};
pub use share::{Share, shares};
pub use suggest::{Stop, Suggestion, Unmade, suggest};
pub use tried::tried;

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
