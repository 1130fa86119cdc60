//! Parts of a body that can be erased later.
//!
//! They are stored beside their entry, each with a salt; the entry's hash covers their digests alone. A part
//! and its salt can go without the chain breaking, and without the salt nobody can guess a short text from
//! its digest, not even who has the key.

use super::key::{Key, hex, random};
use crate::error::Error;
use crate::model::record::ERASABLE;
use serde_json::Value;

/// One part of one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it stands in the body, a JSON pointer.
    pub(super) name: String,
    /// Salt and JSON text; `None` once it was erased.
    pub(super) kept: Option<(String, String)>,
}

impl Part {
    /// The digest that its entry names.
    pub(super) fn digest(&self, key: &Key) -> Option<String> {
        let (salt, text) = self.kept.as_ref()?;
        Some(key.hash("part", &[salt.as_bytes(), self.name.as_bytes(), text.as_bytes()]))
    }
}

/// Takes the parts out of a body; something empty of the same type stays in the place of each.
pub(super) fn lift(body: &mut Value) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    for name in ERASABLE {
        let Some(found) = body.pointer_mut(name) else { continue };
        let empty = empty(found);
        if *found == empty {
            continue;
        }
        let text = std::mem::replace(found, empty).to_string();
        parts.push(Part { name: name.to_owned(), kept: Some((hex(&random::<16>()?), text)) });
    }
    Ok(parts)
}

fn empty(value: &Value) -> Value {
    match value {
        Value::String(_) => Value::String(String::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}

/// Puts a part back; one that was erased stays empty.
pub(super) fn restore(body: &mut Value, part: &Part) {
    let kept = part.kept.as_ref().and_then(|(_, text)| serde_json::from_str(text).ok());
    if let (Some(value), Some(place)) = (kept, body.pointer_mut(&part.name)) {
        *place = value;
    }
}

/// How an entry names its parts: a line for each, its place and its digest.
pub(super) fn list(parts: &[Part], key: &Key) -> String {
    let digests = parts.iter().filter_map(|part| Some((&part.name, part.digest(key)?)));
    digests.map(|(name, digest)| format!("{name} {digest}\n")).collect()
}

/// What [`list`] wrote.
pub(super) fn listed(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.rsplit_once(' '))
}
