//! Files, mutated and edited: an edit changes what was asked, or nothing.
//!
//! The oracle is another YAML parser, `libyaml`, as Kubernetes has it: the file after the edit must be read there as
//! the file before with that one change. And no byte may move outside of the edit's own lines.

use crate::chance::Chance;
use aifix::model::path::{Path, Step};
use aifix::yaml::YamlError;
use aifix::yaml::edit::{Change, apply};
use aifix::yaml::scalars::{self, Place};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Values that are read as something else when they are written carelessly.
const HOSTILE: [&str; 32] = [
    "on",
    "NO",
    "y",
    "~",
    "null",
    "1_000",
    "0x1F",
    "0o17",
    "012",
    "12:30:45",
    "1e3",
    ".5",
    "1.",
    "-.inf",
    ".NaN",
    "=",
    "<<",
    "a: b",
    "a #b",
    "#c",
    "- x",
    "? x",
    "&a",
    "*a",
    "!t",
    "%d",
    "@at",
    "`",
    "{a",
    "it's \"both\"",
    " lead",
    "trail ",
];

/// What one edit did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Edited,
    Refused,
    /// Refused as the last step: the result was not what was asked.
    Guarded,
    /// The other parser does not read the file.
    NotJudged,
}

/// One edit of one text, chosen by chance. `Err` tells what went wrong.
pub(crate) fn one(text: &str, chance: &mut Chance) -> Result<Did, String> {
    let Ok(all) = scalars::of(text) else {
        // What nobody can read is not edited.
        let place = Place { document: 0, path: Path::of("a"), inner: None };
        return match apply(text, &place, &Change::Set(json!(1))) {
            Err(_) => Ok(Did::Refused),
            Ok(_) => Err("a file that is not read was edited".to_owned()),
        };
    };
    if all.is_empty() {
        return Ok(Did::Refused);
    }
    let scalar = chance.pick(&all);
    let new = value(chance);
    let change = chance.below(3);
    check(text, &scalar.place, &scalar.value, change, new)
}

/// Sets, adds beside, or removes (0, 1, 2) and judges.
pub(crate) fn check(text: &str, place: &Place, old: &Value, change: usize, new: Value) -> Result<Did, String> {
    let (place, change) = match change {
        0 => (place.clone(), Change::Set(new)),
        1 => match beside(text, place) {
            Some(place) => (place, Change::Add(new)),
            None => return Ok(Did::Refused),
        },
        _ => (place.clone(), Change::Remove),
    };
    let edited = match apply(text, &place, &change) {
        Ok(edited) => edited,
        // The editor was wrong, and nothing was let out.
        Err(YamlError::Guard(_)) => return Ok(Did::Guarded),
        Err(_) => return Ok(Did::Refused),
    };
    bytes(text, &edited, old, &change)?;
    meaning(text, &edited, &place, &change)
}

/// A name beside the place, or the end of the list that it is in.
fn beside(text: &str, place: &Place) -> Option<Place> {
    let target = place.inner.as_ref().unwrap_or(&place.path);
    let parent = target.parent()?;
    let path = match target.0.last()? {
        Step::Field(_) => parent.field("aifixNew"),
        _ => parent.index(length(text, place, &parent)?),
    };
    Some(match &place.inner {
        Some(_) => Place { inner: Some(path), ..place.clone() },
        None => Place { path, ..place.clone() },
    })
}

/// The items of the list at `parent`, as the other parser counts them.
fn length(text: &str, place: &Place, parent: &Path) -> Option<usize> {
    let documents = read(text)?;
    let document = documents.get(place.document)?;
    let items = |value: &Value| parent.get(value)?.as_array().map(Vec::len);
    match &place.inner {
        None => items(document),
        Some(_) => items(read(place.path.get(document)?.as_str()?)?.first()?),
    }
}

fn value(chance: &mut Chance) -> Value {
    match chance.below(10) {
        0 => json!(chance.below(100_000)),
        1 => json!(chance.percent(50)),
        2 => json!(-1.5),
        3 => json!(format!("line one\n  {}\n", chance.pick(&HOSTILE))),
        4 => json!({"name": chance.pick(&HOSTILE), "deep": {"list": [1, "two"]}}),
        5 => json!([chance.pick(&HOSTILE), {"a": null}]),
        6 => json!(""),
        _ => json!(chance.pick(&HOSTILE)),
    }
}

/// An addition only inserts, a removal only deletes, and a value on one line stays on it.
fn bytes(before: &str, after: &str, old: &Value, change: &Change) -> Result<(), String> {
    let head = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let rest = before.len().min(after.len()) - head;
    let tail = before.bytes().rev().zip(after.bytes().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (gone, come) = (before.len() - head - tail, after.len() - head - tail);
    let short = |value: &Value| {
        value.as_str().is_none_or(|text| !text.contains('\n')) && !value.is_object() && !value.is_array()
    };
    match change {
        // The value of an empty field is put on its line.
        Change::Add(_) if gone > 0 => Err(format!("an addition took {gone} bytes away")),
        Change::Remove if come > 4 => Err(format!("a removal brought {come} bytes")),
        Change::Set(new) if short(old) && short(new) => {
            let lost = before[head..before.len() - tail].matches('\n').count();
            // A plain or quoted text may be folded over lines; then it loses them.
            let is_one_line = before.lines().count() == after.lines().count();
            if is_one_line && lost > 0 { Err(format!("{lost} further lines were touched")) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

fn meaning(before: &str, after: &str, place: &Place, change: &Change) -> Result<Did, String> {
    let Some(mut expected) = read(before).filter(|_| !names_twice(before)) else { return Ok(Did::NotJudged) };
    let Some(found) = read(after) else { return Err("the other parser no longer reads the file".to_owned()) };
    let Some(document) = expected.get_mut(place.document) else { return Ok(Did::NotJudged) };
    match &place.inner {
        None => {
            if !change_of(document, &place.path, change) {
                return Ok(Did::NotJudged);
            }
        }
        Some(inner) => {
            // The string's own layout is the editor's: what it says is compared.
            let outer = |document: Option<&Value>| {
                let text = place.path.get(document?)?.as_str()?.to_owned();
                read(&text)?.into_iter().next()
            };
            let Some(mut wanted) = outer(Some(document)) else { return Ok(Did::NotJudged) };
            if !change_of(&mut wanted, inner, change) {
                return Ok(Did::NotJudged);
            }
            if outer(found.get(place.document)).as_ref() != Some(&wanted) {
                return Err("the string inside says something else than was asked".to_owned());
            }
            let now = found.get(place.document).and_then(|document| place.path.get(document)).cloned();
            place.path.set(document, now.unwrap_or_default());
        }
    }
    if expected == found {
        return Ok(Did::Edited);
    }
    Err(format!("the other parser reads something else at {}", differing(&expected, &found)))
}

/// The change, made to a value. `false` when the two parsers do not see the same structure.
fn change_of(document: &mut Value, path: &Path, change: &Change) -> bool {
    match change {
        Change::Set(new) => path.get(document).is_some() && path.set(document, new.clone()),
        Change::Remove => path.remove(document).is_some(),
        Change::Add(new) => {
            let (Some(parent), Some(last)) = (path.parent(), path.0.last()) else { return false };
            let grown = match (last, parent.get(document).cloned()) {
                (Step::Field(name), Some(Value::Object(mut map))) => {
                    map.insert(name.clone(), new.clone());
                    Value::Object(map)
                }
                (Step::Index(at), Some(Value::Array(mut items))) if items.len() == *at => {
                    items.push(new.clone());
                    Value::Array(items)
                }
                _ => return false,
            };
            if parent.0.is_empty() {
                *document = grown;
                return true;
            }
            parent.set(document, grown)
        }
    }
}

fn differing(expected: &[Value], found: &[Value]) -> String {
    if expected.len() != found.len() {
        return format!("{} documents instead of {}", found.len(), expected.len());
    }
    let leaves = |documents: &[Value]| -> BTreeMap<String, Value> {
        let all = documents.iter().enumerate();
        let pairs = all.flat_map(|(at, document)| {
            let leaves = scalars::leaves(document).into_iter();
            leaves.map(move |(path, value)| (format!("{at}:{path}"), value.clone())).collect::<Vec<_>>()
        });
        pairs.collect()
    };
    let (expected, found) = (leaves(expected), leaves(found));
    let keys = expected.keys().chain(found.keys());
    let differs = keys.into_iter().find(|key| expected.get(*key) != found.get(*key));
    differs.map_or_else(|| "?".to_owned(), |key| format!("{key}: {:?}, wanted {:?}", found.get(key), expected.get(key)))
}

/// Whether an anchor's name is given twice: `serde_yaml` takes one for another then.
fn names_twice(text: &str) -> bool {
    let mut names = BTreeSet::new();
    let mut anchors = text.split_whitespace().filter(|word| word.len() > 1 && word.starts_with('&'));
    anchors.any(|name| !names.insert(name))
}

/// All documents as `libyaml` reads them, with numbers that look whole as whole.
fn read(text: &str) -> Option<Vec<Value>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = serde_yaml::Deserializer::from_str(text).map(|document| {
        let value = serde_yaml::Value::deserialize(document).ok()?;
        json_of(&value)
    });
    documents.collect()
}

/// `None` for what JSON does not have: tags, keys that are no text, `.nan`.
fn json_of(value: &serde_yaml::Value) -> Option<Value> {
    use serde_yaml::Value as Yaml;
    Some(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(yes) => json!(yes),
        Yaml::Number(number) => serde_json::to_value(number).ok().filter(|number| !number.is_null())?,
        Yaml::String(text) => json!(text),
        Yaml::Sequence(items) => Value::Array(items.iter().map(json_of).collect::<Option<_>>()?),
        Yaml::Mapping(map) => {
            let pairs = map.iter().map(|(key, value)| Some((key.as_str()?.to_owned(), json_of(value)?)));
            Value::Object(pairs.collect::<Option<Map<_, _>>>()?)
        }
        Yaml::Tagged(_) => return None,
    })
}

/// A text with up to five mutations of the kind that people and tools make.
pub(crate) fn mutated(text: &str, chance: &mut Chance) -> String {
    let mut text = text.to_owned();
    for _ in 0..chance.below(6) {
        text = mutation(&text, chance);
    }
    match chance.below(12) {
        0 => text.replace('\n', "\r\n"),
        1 => format!("\u{feff}{text}"),
        2 => format!("{}\n---\n{text}", text.trim_end()),
        3 => text.trim_end().to_owned(),
        _ => text,
    }
}

/// The line with another value after its key.
fn valued(line: &str, new: impl FnOnce(&str) -> String) -> String {
    line.split_once(": ").map_or(line.to_owned(), |(key, old)| format!("{key}: {}", new(old)))
}

fn mutation(text: &str, chance: &mut Chance) -> String {
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let at = chance.below(lines.len());
    let line = lines[at].clone();
    let indent: String = line.chars().take_while(|c| *c == ' ').collect();
    match chance.below(14) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, line),
        2 => lines.insert(at, format!("{indent}# a comment: {}", chance.pick(&HOSTILE))),
        3 => lines.insert(at, String::new()),
        4 => lines[at] = format!("{line}  # {}", chance.pick(&HOSTILE)),
        5 => lines[at] = format!("{line}   "),
        6 => lines[at] = format!("  {line}"),
        7 => lines[at] = line.replacen(": ", ": &a ", 1),
        8 => lines[at] = line.replacen(": ", ":   ", 1),
        9 => lines[at] = valued(&line, |_| (*chance.pick(&HOSTILE)).to_owned()),
        10 => lines[at] = valued(&line, |old| format!("\"{old}\"")),
        11 => lines[at] = valued(&line, |_| "{a: 1, b: [x, {c: 2}], }".to_owned()),
        12 => lines[at] = valued(&line, |_| format!("|-\n{indent}    a: 1\n{indent}    b:\n{indent}      - c\n")),
        _ => {
            let mut letters: Vec<char> = line.chars().collect();
            let spot = chance.below(letters.len() + 1);
            letters.insert(
                spot,
                *chance.pick(&[' ', '\t', ':', '-', '"', '\'', '#', '{', '[', '|', '>', '&', '*', 'é', '\u{2028}']),
            );
            lines[at] = letters.into_iter().collect();
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_added_to_a_list_wherever_it_is() {
        let at = |path: Path, inner: Option<Path>| Place { document: 0, path, inner };
        for (text, place) in [
            ("- op: test\n- op: add\n", at(Path::default().index(0).field("op"), None)),
            ("- a\n- b # two\n", at(Path::default().index(1), None)),
            ("[a, b]\n", at(Path::default().index(0), None)),
            ("args:\n- --level=info\nimage: web\n", at(Path::of("args").index(0), None)),
            ("patch: |-\n  - op: add\n    path: /a\n  - x\n", at(Path::of("patch"), Some(Path::default().index(1)))),
        ] {
            let new = json!("on");
            assert_eq!(check(text, &place, &json!("x"), 1, new), Ok(Did::Edited), "{text}");
        }
        // The oracle itself sees an item that is not the one that was asked for.
        let place = at(Path::default().index(2), None);
        assert!(meaning("- a\n- b\n", "- a\n- b\n- c\n", &place, &Change::Add(json!("d"))).is_err());
    }
}
