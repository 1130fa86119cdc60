//! One document of a file, its items made lean at once.

use super::decode::Collected;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::fmt;

/// One document. Items are made lean as they are read: a whole file of values would be far larger.
pub(super) enum Document {
    Nothing,
    Scalar,
    Items(Items),
    Object { fields: Map<String, Value>, items: Option<Items> },
}

#[derive(Default)]
pub(super) struct Items {
    pub(super) done: Collected,
    /// Without a kind of their own, which the list may tell behind its items.
    pub(super) pending: Vec<(usize, Value)>,
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Read)
    }
}

struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Document, E> {
        Ok(Document::Nothing)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Document, E> {
        Ok(Document::Nothing)
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Document, A::Error> {
        ReadItems.visit_seq(seq).map(|items| items.map_or(Document::Nothing, Document::Items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let (mut fields, mut items) = (Map::new(), None);
        while let Some(name) = map.next_key::<String>()? {
            if name == "items" {
                items = map.next_value_seed(ReadItems)?;
            } else {
                fields.insert(name, map.next_value()?);
            }
        }
        Ok(Document::Object { fields, items })
    }
}

/// A list's `items`; `None` when it is `null`.
struct ReadItems;

impl<'de> DeserializeSeed<'de> for ReadItems {
    type Value = Option<Items>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Option<Items>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReadItems {
    type Value = Option<Items>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of Kubernetes objects")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Option<Items>, E> {
        Ok(Some(Items::default()))
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Option<Items>, E> {
        Ok(Some(Items::default()))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Option<Items>, A::Error> {
        Err(A::Error::custom("`items` is no list"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<Items>, A::Error> {
        let (mut items, mut index) = (Items::default(), 0);
        while let Some(value) = seq.next_element::<Value>()? {
            let told = value.get("kind").and_then(Value::as_str).is_some_and(|kind| !kind.is_empty());
            if told {
                items.done.object(value, &format!("item {}", index + 1), 0);
            } else {
                items.pending.push((index, value));
            }
            index += 1;
        }
        Ok(Some(items))
    }
}
