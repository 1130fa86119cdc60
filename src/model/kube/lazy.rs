//! Fields of an object that are parsed when they are asked for.
//!
//! Of most objects a scan reads a few fields; their values in full are five times as large as their text.

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer as _};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;
use std::ops::{Index, IndexMut, Range};
use std::sync::OnceLock;

/// The fields of an object beside `apiVersion`, `kind` and `metadata`, in their order.
#[derive(Debug, Clone, Default)]
pub struct Body(Vec<(String, Field)>);

/// One of them.
#[derive(Default)]
struct Field {
    /// As it came.
    text: Option<Box<RawValue>>,
    root: Node,
    /// As it was set, which counts.
    set: Option<Box<Value>>,
}

/// A part of a text.
#[derive(Default)]
struct Node {
    at: Range<usize>,
    /// What is in it, one level deep.
    parts: OnceLock<Parts>,
    /// All of it.
    value: OnceLock<Box<Value>>,
}

enum Parts {
    /// By where a name stands, with its quotes.
    Map(Vec<(Range<usize>, Node)>),
    List(Vec<Node>),
    Scalar,
}

impl Body {
    /// The value at a JSON pointer, which begins with the name of a field.
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        let (field, rest) = self.find(pointer)?;
        if let Some(value) = &field.set {
            return value.pointer(rest);
        }
        let (node, rest) = field.root.nearest(field.text(), rest)?;
        node.value(field.text()).pointer(rest)
    }

    /// The same in a shape of its own, without the values between.
    pub fn read<'b, T: Deserialize<'b>>(&'b self, pointer: &str) -> Option<T> {
        let (field, rest) = self.find(pointer)?;
        if let Some(value) = &field.set {
            return T::deserialize(value.pointer(rest)?).ok();
        }
        serde_json::from_str(field.part(rest)?).ok()
    }

    /// The text at a JSON pointer, where it is as it came.
    pub fn raw(&self, pointer: &str) -> Option<&str> {
        let (field, rest) = self.find(pointer)?;
        if field.set.is_some() { None } else { field.part(rest) }
    }

    /// Whether these words may occur in it; no is certain, for words that JSON does not escape.
    pub fn may_contain(&self, words: &str) -> bool {
        self.0.iter().any(|(_, field)| field.set.is_some() || field.text().contains(words))
    }

    /// Sets a field.
    pub fn insert(&mut self, name: &str, value: Value) {
        *self.index_mut(name) = value;
    }

    /// Takes the next field of a map.
    pub(super) fn take<'de, A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        let text: Box<RawValue> = map.next_value()?;
        // A text may be sound and its escapes not: then the object is not, today as later.
        if text.get().contains("\\u") {
            serde_json::from_str::<Value>(text.get()).map_err(A::Error::custom)?;
        }
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, Field::new(text)));
        Ok(())
    }

    /// Writes the fields.
    pub(super) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.0.iter().try_for_each(|(name, field)| match field.set.as_ref().or(field.root.value.get()) {
            Some(value) => map.serialize_entry(name, value),
            None => map.serialize_entry(name, &parsed(field.text())),
        })
    }

    fn find<'p>(&self, pointer: &'p str) -> Option<(&Field, &'p str)> {
        let (name, rest) = first_step(pointer)?;
        self.0.iter().find(|(known, _)| known == name).map(|(_, field)| (field, rest))
    }
}

impl Index<&str> for Body {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        static NULL: Value = Value::Null;
        self.0.iter().find(|(known, _)| known == name).map_or(&NULL, |(_, field)| field.value())
    }
}

impl IndexMut<&str> for Body {
    fn index_mut(&mut self, name: &str) -> &mut Value {
        let at = self.0.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.0.push((name.to_owned(), Field::default()));
            self.0.len() - 1
        });
        let field = &mut self.0[at].1;
        if field.set.is_none() {
            field.set = Some(Box::new(field.value().clone()));
        }
        field.set.get_or_insert_default()
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|(name, _)| self[name] == other[name])
    }
}

impl Field {
    fn new(text: Box<RawValue>) -> Self {
        let at = 0..text.get().len();
        Self { text: Some(text), root: Node { at, ..Node::default() }, set: None }
    }

    fn text(&self) -> &str {
        self.text.as_deref().map_or("", RawValue::get)
    }

    /// The text at a pointer.
    fn part(&self, pointer: &str) -> Option<&str> {
        let node = self.root.down(self.text(), pointer)?;
        Some(&self.text()[node.at.clone()])
    }

    fn value(&self) -> &Value {
        self.set.as_deref().unwrap_or_else(|| self.root.value(self.text()))
    }
}

impl Clone for Field {
    fn clone(&self) -> Self {
        let kept = self.text.clone().map(Self::new).unwrap_or_default();
        Self { set: self.set.clone(), ..kept }
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}

/// The first step of a JSON pointer and what follows; `None` at its end.
fn first_step(pointer: &str) -> Option<(&str, &str)> {
    let path = pointer.strip_prefix('/')?;
    Some(path.split_at(path.find('/').unwrap_or(path.len())))
}

/// Whether a quoted name says `name`.
fn is_name(quoted: &str, name: &str) -> bool {
    match quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        // What is escaped is longer than what it says.
        Some(plain) if plain.len() < name.len() => false,
        Some(plain) if !plain.contains('\\') => plain == name,
        _ => serde_json::from_str::<String>(quoted).is_ok_and(|known| known == name),
    }
}

/// What could be parsed as text can be as a value, but for numbers that no type holds.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

impl Node {
    /// The first part on the way that was read whole, or the last, and what is left of the way.
    fn nearest<'n, 'p>(&'n self, text: &str, pointer: &'p str) -> Option<(&'n Self, &'p str)> {
        match first_step(pointer).filter(|_| self.value.get().is_none()) {
            Some((step, rest)) => self.part(text, step)?.nearest(text, rest),
            None => Some((self, pointer)),
        }
    }

    /// The part at a pointer.
    fn down(&self, text: &str, pointer: &str) -> Option<&Self> {
        match first_step(pointer) {
            Some((step, rest)) => self.part(text, step)?.down(text, rest),
            None => Some(self),
        }
    }

    fn part(&self, text: &str, step: &str) -> Option<&Self> {
        let own = &text[self.at.clone()];
        let parts = self.parts.get_or_init(|| {
            let read = serde_json::Deserializer::from_str(own).deserialize_any(Reader { base: text });
            read.unwrap_or(Parts::Scalar)
        });
        match parts {
            Parts::Map(map) if step.contains('~') => {
                let name = step.replace("~1", "/").replace("~0", "~");
                map.iter().rev().find(|(known, _)| is_name(&text[known.clone()], &name)).map(|(_, node)| node)
            }
            Parts::Map(map) => {
                map.iter().rev().find(|(known, _)| is_name(&text[known.clone()], step)).map(|(_, node)| node)
            }
            // As in a JSON pointer: no sign, no leading zero.
            Parts::List(list) if step == "0" || !step.starts_with(['0', '+']) => list.get(step.parse::<usize>().ok()?),
            _ => None,
        }
    }

    fn value(&self, text: &str) -> &Value {
        self.value.get_or_init(|| Box::new(parsed(&text[self.at.clone()])))
    }
}

/// Finds where the parts of a map or list stand in `base`.
struct Reader<'b> {
    base: &'b str,
}

impl Reader<'_> {
    fn at(&self, part: &RawValue) -> Range<usize> {
        let start = part.get().as_ptr().addr() - self.base.as_ptr().addr();
        start..start + part.get().len()
    }

    fn node(&self, part: &RawValue) -> Node {
        Node { at: self.at(part), ..Node::default() }
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Parts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts, A::Error> {
        let mut parts = Vec::new();
        while let Some((name, part)) = map.next_entry::<&RawValue, &RawValue>()? {
            parts.push((self.at(name), self.node(part)));
        }
        Ok(Parts::Map(parts))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Parts, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = list.next_element::<&RawValue>()? {
            parts.push(self.node(part));
        }
        Ok(Parts::List(parts))
    }
}

#[cfg(test)]
#[path = "lazy_tests.rs"]
mod tests;
