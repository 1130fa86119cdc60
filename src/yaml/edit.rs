//! One change of one document; every other byte stays.
//!
//! A change is a single splice. Before it leaves this room the result is read again:
//! the edited document must equal the asked value, all others must be the same bytes.

use super::scalars::Place;
use super::splice::{item, splice, wrap};
use super::tree::Tree;
use super::write::Style;
use super::{YamlError, disputed, parse, split};
use crate::model::path::{Path, Step};
use serde::Deserialize as _;
use serde::de::IgnoredAny;
use serde_json::Value;

/// What happens at a place.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Another value where one is.
    Set(Value),
    /// A value where none is; maps on the way are made, and list items that the path names.
    Add(Value),
    /// The value goes, with its key or its `- `.
    Remove,
}

/// Applies `change` at `place` of `text`.
///
/// # Errors
/// When the text is not read the same way by everyone, when the place is shared by an anchor,
/// and when the result would differ in anything but the asked place.
pub fn apply(text: &str, place: &Place, change: &Change) -> Result<String, YamlError> {
    disputed::agreed(text)?;
    let ranges = split::documents(text)?;
    let range = ranges.get(place.document).cloned().ok_or(YamlError::NoDocument(place.document))?;
    let document = &text[range.clone()];
    let before = parse::document(document)?;
    let (path, change) = match &place.inner {
        None => (&place.path, change.clone()),
        Some(inner) => (&place.path, outer_change(&before, &place.path, inner, change)?),
    };
    let expected = expected(&before, path, &change)?;
    let (mut splice, new) = splice(document, path, &change)?;
    let at_end = splice.end == document.len() && !document.ends_with('\n');
    if at_end && change == Change::Remove {
        // The break before the last line is in the text of a block that the file then ends with.
        let left = &document[..splice.start];
        let eol = ["\r\n", "\n"].into_iter().find(|eol| document[splice.start..].starts_with(eol));
        let ends_in_block = || Tree::of(left).is_ok_and(|tree| tree.ends_in_block());
        splice.start += eol.filter(|_| ends_in_block()).map_or(0, str::len);
    }
    let breaks = match &change {
        Change::Add(_) => true,
        Change::Set(new) => new.as_str().is_some_and(|text| text.ends_with('\n')),
        Change::Remove => false,
    };
    if at_end && breaks && Tree::of(document)?.ends_in_block() {
        // Parsers differ over the line break that is not there: one more, or one less, would be in the block's text.
        return Err(YamlError::Unsupported("the file ends inside a block, without a line break".to_owned()));
    }
    let edited = format!("{}{new}{}", &document[..splice.start], &document[splice.end..]);
    let whole = format!("{}{edited}{}", &text[..range.start], &text[range.end..]);
    guard(text, &whole, place.document, &expected).map_err(|_| YamlError::Guard(path.to_string()))?;
    Ok(whole)
}

/// The change of a string that comes from a change inside it.
fn outer_change(before: &Value, path: &Path, inner: &Path, change: &Change) -> Result<Change, YamlError> {
    let old = path.get(before).and_then(Value::as_str).ok_or_else(|| YamlError::Missing(path.to_string()))?;
    let place = Place { document: 0, path: inner.clone(), inner: None };
    Ok(Change::Set(Value::from(apply(old, &place, change)?)))
}

/// A value as a new YAML file, in kustomize's style.
pub fn render(value: &Value) -> String {
    let style = Style { eol: "\n", json: false, indent: 2, deep_lists: false };
    format!("{}\n", style.block(value).join("\n"))
}

fn guard(before: &str, after: &str, document: usize, expected: &Value) -> Result<(), YamlError> {
    let failed = || YamlError::Guard(String::new());
    let (old, new) = (split::documents(before)?, split::documents(after)?);
    if old.len() != new.len() {
        return Err(failed());
    }
    let others_same = old
        .into_iter()
        .zip(new.iter().cloned())
        .enumerate()
        .all(|(at, (old, new))| at == document || before[old] == after[new]);
    let edited = parse::document(&after[new[document].clone()])?;
    // Kubernetes' own tools read with descendants of libyaml: what they read before they read after.
    let read_by_all = libyaml_reads(after) || !libyaml_reads(before);
    if others_same && edited == *expected && read_by_all { Ok(()) } else { Err(failed()) }
}

fn libyaml_reads(text: &str) -> bool {
    serde_yaml::Deserializer::from_str(text).all(|document| IgnoredAny::deserialize(document).is_ok())
}

fn expected(before: &Value, path: &Path, change: &Change) -> Result<Value, YamlError> {
    let mut value = before.clone();
    let there = path.get(before).is_some_and(|value| !value.is_null());
    match change {
        Change::Set(new) => {
            if path.get(before).is_none() || !path.set(&mut value, new.clone()) {
                return Err(YamlError::Missing(path.to_string()));
            }
        }
        Change::Remove => {
            path.remove(&mut value).ok_or_else(|| YamlError::Missing(path.to_string()))?;
        }
        Change::Add(_) if there => return Err(YamlError::Occupied(path.to_string())),
        Change::Add(new) => grow(&mut value, &path.0, new).ok_or_else(|| YamlError::Missing(path.to_string()))?,
    }
    Ok(value)
}

/// Writes `new` below `here`, making what is missing on the way.
fn grow(here: &mut Value, steps: &[Step], new: &Value) -> Option<()> {
    let Some((step, rest)) = steps.split_first() else {
        *here = new.clone();
        return Some(());
    };
    let here_path = Path(vec![step.clone()]);
    if here_path.get(here).is_none() {
        let made = wrap(rest, new);
        match (step, &mut *here) {
            (Step::Field(name), Value::Object(map)) => {
                map.insert(name.clone(), made);
            }
            (Step::Field(_) | Step::Item { .. } | Step::Index(0), Value::Null) => *here = wrap(steps, new),
            (Step::Index(at), Value::Array(items)) if *at == items.len() => items.push(made),
            (Step::Item { .. }, Value::Array(items)) => items.push(item(step, made)),
            _ => return None,
        }
        return Some(());
    }
    let next = match step {
        Step::Field(name) => here.get_mut(name)?,
        Step::Index(at) => here.get_mut(*at)?,
        Step::Item { key, value } => here.as_array_mut()?.iter_mut().find(|item| {
            item.get(key).is_some_and(|found| {
                found.as_str() == Some(value) || found.as_u64().is_some_and(|found| value.parse() == Ok(found))
            })
        })?,
    };
    grow(next, rest, new)
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
