//! What earlier fixes teach about the order of new ones.

use super::intent::{Intent, Op};
use super::object::ObjectRef;
use super::path::{Path, Step};
use super::quantity::Quantity;
use serde_json::Value;
use std::cmp::Reverse;
use std::fmt;

/// What a fix does, without names and values: `set spec...containers[*].resources.limits.memory up`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(String);

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One changed field, as an intent or a record tells of it.
#[derive(Debug, Clone, Copy)]
pub struct Edited<'e> {
    pub path: &'e Path,
    pub op: Op,
    pub old: Option<&'e Value>,
    pub new: Option<&'e Value>,
}

impl Shape {
    /// The shape of changes of an object of this kind; their order does not matter.
    pub fn of<'e>(kind: &str, edits: impl IntoIterator<Item = Edited<'e>>) -> Self {
        let mut parts: Vec<String> = edits
            .into_iter()
            .map(|edit| {
                let verb = match edit.op {
                    Op::Set => "set",
                    Op::Add => "add",
                    Op::Remove => "remove",
                    Op::Lf => "lf",
                };
                let direction = direction(edit.old, edit.new).map(|word| format!(" {word}")).unwrap_or_default();
                format!("{verb} {}{direction}", general(edit.path))
            })
            .collect();
        parts.sort();
        Self(format!("{kind}: {}", parts.join(", ")))
    }

    /// The shape of an intent.
    pub fn of_intent(intent: &Intent) -> Self {
        Self::of(&intent.object.kind, edited(intent))
    }
}

fn edited(intent: &Intent) -> impl Iterator<Item = Edited<'_>> {
    let each = intent.edits.iter();
    each.map(|edit| Edited { path: &edit.path, op: edit.op, old: edit.old.as_ref(), new: edit.new.as_ref() })
}

/// A path without the names of list items: `spec.containers[*].image`.
pub fn general(path: &Path) -> String {
    let mut out = String::new();
    for step in &path.0 {
        match step {
            Step::Field(name) if out.is_empty() => out.push_str(name),
            Step::Field(name) => {
                out.push('.');
                out.push_str(name);
            }
            Step::Item { .. } | Step::Index(_) => out.push_str("[*]"),
        }
    }
    out
}

/// `up` or `down`, of two numbers or quantities that differ.
pub fn direction(old: Option<&Value>, new: Option<&Value>) -> Option<&'static str> {
    let (old, new) = (Quantity::of(old?)?, Quantity::of(new?)?);
    match new.cmp(&old) {
        std::cmp::Ordering::Greater => Some("up"),
        std::cmp::Ordering::Less => Some("down"),
        std::cmp::Ordering::Equal => None,
    }
}

/// The new values of a change, in the order of its fields.
pub fn values<'e>(edits: impl IntoIterator<Item = Edited<'e>>) -> Vec<(String, Option<Value>)> {
    let mut all: Vec<(String, Option<Value>)> =
        edits.into_iter().map(|edit| (general(edit.path), edit.new.cloned())).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// What came of a fix, the strongest word that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// A person accepted it.
    Accepted,
    Healed,
    Merged,
    /// Merged with other values than proposed.
    Changed,
    /// Closed without a merge.
    Closed,
    /// Merged, and the failure stayed.
    Worse,
    Reverted,
    /// A person rejected it.
    Rejected,
}

impl Outcome {
    /// How much it moves a fix of the same shape, up or down.
    pub fn weight(self) -> i64 {
        match self {
            Self::Accepted => 3,
            Self::Healed => 2,
            Self::Merged => 1,
            Self::Changed => 0,
            Self::Closed => -1,
            Self::Worse | Self::Reverted => -2,
            Self::Rejected => -3,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Healed => "healed",
            Self::Merged => "merged",
            Self::Changed => "merged with other values",
            Self::Closed => "closed without a merge",
            Self::Worse => "did not heal",
            Self::Reverted => "reverted",
            Self::Rejected => "rejected",
        }
    }
}

/// What one record teaches.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    pub code: String,
    pub shape: Shape,
    /// The values that it wrote.
    pub values: Vec<(String, Option<Value>)>,
    pub outcome: Outcome,
    pub record: String,
    /// A person's words; foreign.
    pub note: Option<String>,
}

/// A rule's change of one object that was pushed lately.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    pub code: String,
    pub object: ObjectRef,
    pub shape: Shape,
    /// The values that it wrote.
    pub values: Vec<(String, Option<Value>)>,
    pub record: String,
}

/// Records of the same change of the same object, one for each set of other values. Two of them, and the failure
/// is back: the change is not what mends it.
pub fn tried_before<'t>(tried: &'t [Tried], code: &str, intent: &Intent) -> Vec<&'t str> {
    let (shape, own) = (Shape::of_intent(intent), values(edited(intent)));
    let same = |one: &&Tried| {
        one.code == code && one.shape == shape && one.object.same_object(&intent.object) && one.values != own
    };
    let mut found: Vec<&Tried> = Vec::new();
    for one in tried.iter().filter(same) {
        if !found.iter().any(|other| other.values == one.values) {
            found.push(one);
        }
    }
    found.into_iter().map(|one| one.record.as_str()).collect()
}

/// All that is taught. It orders candidates and changes none of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lessons {
    pub all: Vec<Lesson>,
}

impl Lessons {
    fn about<'l>(&'l self, code: &'l str, shape: &'l Shape) -> impl Iterator<Item = &'l Lesson> {
        self.all.iter().filter(move |lesson| lesson.code == code && lesson.shape == *shape)
    }

    /// How much the past speaks for a candidate: fixes of its shape first, those of its very values second.
    pub fn weight(&self, code: &str, intent: &Intent) -> (i64, i64) {
        let shape = Shape::of_intent(intent);
        let values = values(edited(intent));
        let of_shape = self.about(code, &shape).map(|lesson| lesson.outcome.weight()).sum();
        let same = self.about(code, &shape).filter(|lesson| lesson.values == values);
        (of_shape, same.map(|lesson| lesson.outcome.weight()).sum())
    }

    /// The candidates, those that the past speaks for first. Without a difference they stay as they are.
    pub fn order(&self, code: &str, mut intents: Vec<Intent>) -> Vec<Intent> {
        intents.sort_by_key(|intent| Reverse(self.weight(code, intent)));
        intents
    }

    /// What the past says of a candidate: `fixes of this shape: healed 2 times, rejected (0011: too small)`.
    pub fn reason(&self, code: &str, intent: &Intent) -> Option<String> {
        let shape = Shape::of_intent(intent);
        let mut known: Vec<&Lesson> = self.about(code, &shape).collect();
        known.sort_by_key(|lesson| lesson.outcome);
        let mut parts = Vec::new();
        for group in known.chunk_by(|one, other| one.outcome == other.outcome) {
            let [first, ..] = group else { continue };
            let times = if group.len() > 1 { format!(" {} times", group.len()) } else { String::new() };
            let record = first.record.get(..8).unwrap_or(&first.record);
            let note = group.iter().find_map(|lesson| lesson.note.as_ref());
            let note = note.map(|note| format!(": {note}")).unwrap_or_default();
            parts.push(format!("{}{times} ({record}{note})", first.outcome.words()));
        }
        (!parts.is_empty()).then(|| format!("fixes of this shape before: {}", parts.join(", ")))
    }
}

#[cfg(test)]
#[path = "lesson_tests.rs"]
mod tests;
