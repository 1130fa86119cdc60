//! Which changes of an object were pushed lately.
//!
//! No lesson: it bounds how often the rules try the same, whatever came of it, and says so as a refusal.

use super::lessons::edits;
use super::{Record, text};
use crate::model::lesson::{Edited, Shape, Tried, values};
use crate::model::object::ObjectRef;
use crate::model::record::Phase;
use jiff::Timestamp;
use serde::Deserialize as _;

/// The rules' changes that were pushed since then, and were not closed.
pub fn tried(records: &[Record], since: Timestamp) -> Vec<Tried> {
    records.iter().filter_map(|record| pushed(record, since)).collect()
}

fn pushed(record: &Record, since: Timestamp) -> Option<Tried> {
    let proposed = record.iter().find(|entry| entry.phase == Phase::Proposed)?;
    let pushed = record.iter().find(|entry| entry.phase == Phase::Pushed)?;
    let is_late = pushed.at.parse::<Timestamp>().is_ok_and(|at| at >= since);
    let is_closed = record.iter().any(|entry| matches!(entry.phase, Phase::Closed | Phase::Failed));
    if !is_late || is_closed || text(&proposed.body, "/proposedFix/intent/author") != "rule" {
        return None;
    }
    let object = ObjectRef::deserialize(proposed.body.pointer("/proposedFix/intent/object")?).ok()?;
    let edits = edits(&proposed.body);
    let each =
        || edits.iter().map(|edit| Edited { path: &edit.0, op: edit.1, old: edit.2.as_ref(), new: edit.3.as_ref() });
    Some(Tried {
        code: text(&proposed.body, "/failure/code").to_owned(),
        shape: Shape::of(&object.kind, each()),
        object,
        values: values(each()),
        record: proposed.record.clone(),
    })
}
