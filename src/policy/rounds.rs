//! What one policy is asked, one evaluation after the other.

use super::dialect::Dialect;
use regorus::Value;
use serde_json::Value as Json;

/// One evaluation.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) input: Value,
    /// The same question about the object as it was: what is said of both is no new violation.
    pub(super) before: Option<Value>,
    /// The object that is looked at, for a verdict that names none.
    pub(super) object: Option<String>,
}

/// All evaluations of one policy, and how they are read.
#[derive(Debug, Clone, Default)]
pub(super) struct Asking {
    pub(super) rounds: Vec<Round>,
    /// A builtin that fails says nothing, as in OPA; it is told once.
    pub(super) is_lenient: bool,
    /// Rules named `exception` excuse others.
    pub(super) has_exceptions: bool,
}

impl Asking {
    /// One question about a whole document.
    fn whole(document: &Value) -> Self {
        Self {
            rounds: vec![Round { input: document.clone(), before: None, object: None }],
            is_lenient: false,
            has_exceptions: false,
        }
    }

    /// What a package of this dialect is asked about `document`. A document that is no change is
    /// itself the manifest.
    pub(super) fn of(dialect: Dialect, document: &Json, value: &Value) -> Self {
        let Some(changes) = document.get("changes").and_then(Json::as_array) else { return Self::whole(value) };
        match dialect {
            Dialect::Changes => Self::whole(value),
            Dialect::Template => Self::default(),
            Dialect::Manifests => {
                Self { rounds: changes.iter().filter_map(manifest).collect(), is_lenient: true, has_exceptions: true }
            }
            Dialect::Either => {
                let mut both = Self::whole(value);
                both.rounds.extend(changes.iter().filter_map(manifest));
                both
            }
        }
    }
}

/// One object of a change; `None` when it is gone.
fn manifest(change: &Json) -> Option<Round> {
    let there = |side: &str| change.get(side).filter(|value| !value.is_null());
    Some(Round {
        input: value(there("after")?),
        before: there("before").map(value),
        object: change.get("object").and_then(qualified),
    })
}

/// `Kind namespace/name` of something with those fields.
pub(super) fn qualified(object: &Json) -> Option<String> {
    let part = |key: &str| object.get(key).and_then(Json::as_str).filter(|part| !part.is_empty());
    Some(match part("namespace") {
        Some(namespace) => format!("{} {namespace}/{}", part("kind")?, part("name")?),
        None => format!("{} {}", part("kind")?, part("name")?),
    })
}

/// JSON as the evaluator's value; it has one for each.
pub(super) fn value(json: &Json) -> Value {
    Value::from(json.clone())
}
