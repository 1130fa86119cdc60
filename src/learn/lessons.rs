//! What became of each recorded fix, as a lesson.

use super::{Record, items, text};
use crate::model::intent::Op;
use crate::model::lesson::{Edited, Lesson, Lessons, Outcome, Shape, values};
use crate::model::path::Path;
use crate::model::record::{Entry, Phase};
use serde::Deserialize;
use serde_json::Value;

/// One lesson of each record whose end is known, in the order of the records.
pub fn lessons(records: &[Record]) -> Lessons {
    Lessons { all: records.iter().filter_map(|record| lesson(record)).collect() }
}

fn lesson(record: &[Entry]) -> Option<Lesson> {
    let proposed = record.iter().find(|entry| entry.phase == Phase::Proposed)?;
    let (outcome, note) = outcome(record)?;
    let edits = edits(&proposed.body);
    let kind = text(&proposed.body, "/proposedFix/intent/object/kind");
    let each =
        || edits.iter().map(|edit| Edited { path: &edit.0, op: edit.1, old: edit.2.as_ref(), new: edit.3.as_ref() });
    (!edits.is_empty()).then(|| Lesson {
        code: text(&proposed.body, "/failure/code").to_owned(),
        shape: Shape::of(kind, each()),
        values: values(each()),
        outcome,
        record: proposed.record.clone(),
        note,
    })
}

/// Path, what happens there, the value before and after, of each edit of a recorded fix.
pub(super) type RecordedEdit = (Path, Op, Option<Value>, Option<Value>);

pub(super) fn edits(body: &Value) -> Vec<RecordedEdit> {
    let each = items(body, "/proposedFix/intent/edits").iter().filter_map(|edit| {
        let path = edit.get("steps").and_then(|steps| Path::deserialize(steps).ok());
        let path = path.or_else(|| edit.get("path")?.as_str().map(Path::of))?;
        let op = Op::deserialize(edit.get("op")?).ok()?;
        let present = |name: &str| edit.get(name).filter(|value| !value.is_null()).cloned();
        Some((path, op, present("old"), present("new")))
    });
    each.collect()
}

/// A person's last word, else the last thing that was seen to happen.
fn outcome(record: &[Entry]) -> Option<(Outcome, Option<String>)> {
    let said = record.iter().rev().find(|entry| entry.phase == Phase::Feedback).and_then(|entry| {
        let outcome = match text(&entry.body, "/verdict") {
            "accept" => Outcome::Accepted,
            "reject" => Outcome::Rejected,
            _ => return None,
        };
        let note = Some(text(&entry.body, "/note").to_owned()).filter(|note| !note.is_empty());
        Some((outcome, note))
    });
    said.or_else(|| {
        let seen = record.iter().rev().find_map(|entry| {
            Some(match entry.phase {
                Phase::Healed => Outcome::Healed,
                Phase::Worse => Outcome::Worse,
                Phase::Reverted => Outcome::Reverted,
                Phase::Closed => Outcome::Closed,
                Phase::Merged => Outcome::Merged,
                _ => return None,
            })
        })?;
        let difference = difference(record);
        match (seen, difference) {
            // The failure is gone, by other values than the proposed ones.
            (Outcome::Healed | Outcome::Merged, Some(difference)) => Some((Outcome::Changed, Some(difference))),
            (seen, _) => Some((seen, None)),
        }
    })
}

/// `proposed "64Mi", merged "128Mi"`, where the merge differs.
pub(super) fn difference(record: &[Entry]) -> Option<String> {
    let merged = record.iter().rev().find(|entry| entry.phase == Phase::Merged)?;
    let parts: Vec<String> = items(&merged.body, "/changes")
        .iter()
        .map(|change| {
            let value = |name: &str| match change.get(name) {
                None | Some(Value::Null) => "absent".to_owned(),
                Some(value) => value.to_string(),
            };
            format!("proposed {}, merged {}", value("proposed"), value("merged"))
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
