//! One place that could make a field: what to write there.

use super::candidates::Target;
use crate::model::path::{Path, Step};
use crate::model::quantity::Quantity;
use crate::yaml::scalars::Place;
use crate::yaml::{YamlError, edit};
use serde_json::Value;

/// Where in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    Yaml(Place),
    /// A place that has no value yet.
    New(Place),
    /// A list that another file has, as a whole: the value goes to `rest` of it.
    List {
        place: Place,
        list: Value,
        rest: Path,
    },
    /// A word of a template's line: from 0, with its bytes in that line.
    Word {
        line: usize,
        start: usize,
        end: usize,
    },
    /// A `KEY=value` line, from 0.
    Line(usize),
    /// The value behind `KEY=` of another place.
    Behind {
        key: String,
        of: Box<Spot>,
    },
    /// The whole file.
    Whole,
}

impl Spot {
    /// What holds it: itself, or the place that it is a part of.
    pub fn base(&self) -> &Self {
        if let Self::Behind { of, .. } = self { of.base() } else { self }
    }

    /// A value with what stands before it in that place.
    pub fn whole(&self, value: &Value) -> Value {
        match self {
            Self::Behind { key, of } => of.whole(&Value::from(format!("{key}={}", text_of(value)))),
            _ => value.clone(),
        }
    }
}

/// How a place makes the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// The value is the field.
    Value,
    /// `newTag` of an `images:` entry.
    Tag,
    /// `newName` of an `images:` entry.
    Name,
    /// `digest` of an `images:` entry.
    Digest,
    /// `KEY=value`, with its key.
    Pair(String),
    /// The value is a part of the field: what stands around it.
    Part { before: String, after: String },
}

/// One place that could make the field.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub file: String,
    pub spot: Spot,
    pub way: Way,
    /// The value that stands there.
    pub old: Value,
    /// The smaller, the nearer to the environment.
    pub layer: usize,
    /// Whether its document names the object; patches with a `target` need not.
    pub related: bool,
}

/// `repo:tag@digest` in its parts.
pub fn split_image(image: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    match rest.rsplit_once(':') {
        // A colon before a slash is a port of the registry.
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag), digest),
        _ => (rest, None, digest),
    }
}

impl Candidate {
    /// What must stand here for the field to become `new`; `None` when this place can't do it.
    pub fn wanted(&self, current: &Value, new: &Value) -> Option<Value> {
        let (old_text, new_text) = (current.as_str().unwrap_or_default(), new.as_str().unwrap_or_default());
        let (old, wanted) = (split_image(old_text), split_image(new_text));
        match &self.way {
            // A file whose number the renderer makes a text of, or the other way, keeps its type.
            Way::Value => Some(match (&self.old, current, new) {
                (Value::String(_), Value::Number(_), Value::Number(number)) => Value::from(number.to_string()),
                (Value::Number(_), Value::String(_), Value::String(text)) => {
                    text.parse::<i64>().map_or_else(|_| new.clone(), Value::from)
                }
                _ => new.clone(),
            }),
            Way::Tag if old.0 == wanted.0 && wanted.2.is_none() && old.2.is_none() => wanted.1.map(Value::from),
            Way::Name if (old.1, old.2) == (wanted.1, wanted.2) => Some(Value::from(wanted.0)),
            Way::Digest if old.0 == wanted.0 => wanted.2.map(Value::from),
            Way::Pair(key) => {
                let is_one_line = |text: &&str| !text.contains('\n') || old_text.contains('\n');
                new.as_str().filter(is_one_line).map(|text| Value::from(format!("{key}={text}")))
            }
            Way::Part { before, after } => {
                let inner = text_of(new).strip_prefix(before.as_str())?.strip_suffix(after.as_str())?.to_owned();
                let number = inner.parse::<i64>().ok().filter(|_| self.old.is_number());
                Some(number.map_or_else(|| Value::from(inner), Value::from))
            }
            Way::Tag | Way::Name | Way::Digest => None,
        }
    }

    /// Whether it has a part in this change. A name that stays is left alone: other entries match it.
    pub fn concerns(&self, current: &Value, new: &Value) -> bool {
        let (old, new) = (current.as_str().unwrap_or_default(), new.as_str().unwrap_or_default());
        let (old, new) = (split_image(old), split_image(new));
        match self.way {
            Way::Name => old.0 != new.0,
            Way::Tag | Way::Digest => (old.1, old.2) != (new.1, new.2),
            Way::Value | Way::Pair(_) | Way::Part { .. } => true,
        }
    }

    /// A value of the same type that no other place has, and what of the field then shows it.
    /// `None` for booleans and collections: they have no spare values.
    pub fn sentinel(&self, target: &Target<'_>, number: usize) -> Option<(Value, Shown)> {
        let text = format!("aifix-{number}");
        let is_image = target.path.0.iter().rev().find_map(field) == Some("image");
        Some(match &self.way {
            Way::Tag => (Value::from(text.as_str()), Shown::Ends(format!(":{text}"))),
            Way::Name => (Value::from(text.as_str()), Shown::Starts(text)),
            Way::Digest => {
                let digest = format!("sha256:{number:064x}");
                (Value::from(digest.as_str()), Shown::Ends(format!("@{digest}")))
            }
            Way::Pair(key) if is_image => {
                let (name, ..) = split_image(target.value.as_str().unwrap_or_default());
                (Value::from(format!("{key}={name}:{text}")), Shown::Ends(format!(":{text}")))
            }
            Way::Pair(key) => (Value::from(format!("{key}={text}")), Shown::Is(text)),
            // What stands around it may be more than is known: it is looked at later.
            Way::Part { .. } => match &self.old {
                Value::Number(_) => (Value::from(spare(number)), Shown::Holds(spare(number).to_string())),
                Value::String(old) if !old.is_empty() => {
                    let new = spare_text(old, number, &text);
                    (Value::from(new.as_str()), Shown::Holds(new))
                }
                Value::String(_) | Value::Null => (Value::from(text.as_str()), Shown::Holds(text)),
                _ => return None,
            },
            Way::Value => match &self.old {
                Value::Number(_) => (Value::from(spare(number)), Shown::Is(spare(number).to_string())),
                Value::String(old) if is_image => {
                    let (name, ..) = split_image(old);
                    (Value::from(format!("{name}:{text}")), Shown::Ends(format!(":{text}")))
                }
                Value::String(old) => {
                    let new = spare_text(old, number, &text);
                    (Value::from(new.as_str()), Shown::Is(new))
                }
                _ => return None,
            },
        })
    }

    /// The file with another value at this place.
    ///
    /// # Errors
    /// As [`edit::apply`].
    pub fn apply(&self, text: &str, new: &Value) -> Result<String, YamlError> {
        match &self.spot {
            Spot::Yaml(place) => edit::apply(text, place, &edit::Change::Set(new.clone())),
            Spot::New(place) => edit::apply(text, place, &edit::Change::Add(new.clone())),
            Spot::List { place, list, rest } => {
                let mut whole = list.clone();
                if let (Some(Step::Item { key, value }), Some(items)) = (rest.0.first(), whole.as_array_mut())
                    && Path(rest.0[..1].to_vec()).get(list).is_none()
                {
                    items.push(serde_json::json!({ key.as_str(): value }));
                }
                if !rest.set(&mut whole, new.clone()) {
                    return Err(YamlError::Missing(rest.to_string()));
                }
                edit::apply(text, place, &edit::Change::Add(whole))
            }
            Spot::Whole => Ok(text_of(new)),
            Spot::Behind { key, .. } if text_of(new).contains('\n') => {
                Err(YamlError::Unsupported(format!("what stands behind `{key}=` is one line")))
            }
            Spot::Behind { of, .. } => Self { spot: (**of).clone(), ..self.clone() }.apply(text, &self.spot.whole(new)),
            Spot::Word { line, start, end } => {
                let word = edit::render(new);
                let changed = text.split_inclusive('\n').enumerate().map(|(n, old)| match n == *line {
                    true => format!("{}{}{}", &old[..*start], word.trim_end(), &old[*end..]),
                    false => old.to_owned(),
                });
                Ok(changed.collect())
            }
            Spot::Line(number) => {
                let changed = text.split_inclusive('\n').enumerate().map(|(n, line)| match n == *number {
                    true => format!("{}{}", text_of(new), &line[line.trim_end_matches(['\r', '\n']).len()..]),
                    false => line.to_owned(),
                });
                Ok(changed.collect())
            }
        }
    }

    /// `file:place`, as it is listed.
    pub fn shown(&self) -> String {
        match &self.spot {
            Spot::Yaml(place) | Spot::New(place) | Spot::List { place, .. } => match &place.inner {
                None => format!("{}: {}", self.file, place.path),
                Some(inner) => format!("{}: {} > {inner}", self.file, place.path),
            },
            Spot::Line(number) | Spot::Word { line: number, .. } => format!("{}:{}", self.file, number + 1),
            Spot::Behind { of, .. } => Self { spot: (**of).clone(), ..self.clone() }.shown(),
            Spot::Whole => self.file.clone(),
        }
    }
}

/// What of a field shows that a sentinel got there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    Is(String),
    Starts(String),
    Ends(String),
    Holds(String),
}

impl Shown {
    /// Whether `value` shows it.
    pub fn by(&self, value: &Value) -> bool {
        let text = text_of(value);
        match self {
            Self::Is(wanted) => text == *wanted,
            Self::Starts(wanted) => {
                text == *wanted || text.starts_with(&format!("{wanted}:")) || text.starts_with(&format!("{wanted}@"))
            }
            Self::Ends(wanted) => text.ends_with(wanted),
            Self::Holds(wanted) => text.contains(wanted),
        }
    }
}

/// A number that is a valid port and hardly anybody's value.
fn spare(number: usize) -> u64 {
    20_011 + number as u64
}

/// A text that is read as the old one is: a quantity stays one, digits stay digits.
fn spare_text(old: &str, number: usize, text: &str) -> String {
    let digits = old.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(old.len());
    if digits > 0 && Quantity::parse(old).is_some() {
        return format!("{}{}", spare(number), &old[digits..]);
    }
    let slash = if old.starts_with('/') { "/" } else { "" };
    format!("{slash}{text}{}", if old.ends_with('\n') { "\n" } else { "" })
}

pub fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The name of a field step.
pub fn field(step: &Step) -> Option<&str> {
    match step {
        Step::Field(name) => Some(name),
        _ => None,
    }
}
