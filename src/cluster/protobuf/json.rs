//! From a message to the JSON that stands for it.
//!
//! Fields that JSON writes as `null`, or as nothing when they are empty, are left out.

use super::Unread;
use super::shapes::{Field, Kind, Many, Shape, Table};
use super::wire::{Fields, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::value::RawValue;
use std::fmt::Write as _;

/// Writes objects one after the other into one text.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) out: String,
    /// Whether to write who set which field.
    pub(super) managed: bool,
}

impl Writer {
    pub(super) fn message(&mut self, shape: &Shape, bytes: &[u8]) -> Result<(), Unread> {
        self.out.push('{');
        self.fields(shape, bytes)?;
        self.close('}');
        Ok(())
    }

    fn fields(&mut self, shape: &Shape, bytes: &[u8]) -> Result<(), Unread> {
        let (mut before, mut open) = (0, None::<char>);
        for field in Fields(bytes) {
            let (number, value) = field?;
            let field = shape.field(number).ok_or(Unread::Newer(number, shape.name))?;
            // The server writes each field once, in the order of their numbers, and lists in one piece.
            if number < before || number == before && field.many == Many::One {
                return Err(Unread::Broken("its fields are not in order"));
            }
            if field.is_managed && !self.managed {
                before = number;
                continue;
            }
            if number > before {
                self.end(&mut open);
                let marks = match field.many {
                    Many::One => None,
                    Many::List => Some(('[', ']')),
                    Many::Map => Some(('{', '}')),
                };
                open = marks.map(|(begins, ends)| {
                    self.out.push_str(&field.name);
                    self.out.push(begins);
                    ends
                });
            }
            before = number;
            match field.many {
                Many::One => self.one(field, value)?,
                Many::List => {
                    if !self.value(field.kind, value)? {
                        self.out.push_str("null");
                    }
                    self.out.push(',');
                }
                Many::Map => self.entry(field.kind, value.bytes()?)?,
            }
        }
        self.end(&mut open);
        Ok(())
    }

    /// Ends a list or a map that is open.
    fn end(&mut self, open: &mut Option<char>) {
        if let Some(ends) = open.take() {
            self.close(ends);
            self.out.push(',');
        }
    }

    fn close(&mut self, ends: char) {
        if self.out.ends_with(',') {
            self.out.pop();
        }
        self.out.push(ends);
    }

    fn one(&mut self, field: &Field, value: Value<'_>) -> Result<(), Unread> {
        let is_zero = match field.kind {
            Kind::Text => value == Value::Bytes(b""),
            Kind::Integer | Kind::Boolean => value == Value::Number(0),
            _ => false,
        };
        if is_zero && !field.shows_zero {
            return Ok(());
        }
        if field.name.is_empty() {
            let Kind::Message(place) = field.kind else { return Err(NO_TYPE) };
            return self.fields(Table::here().at(place).ok_or(NO_TYPE)?, value.bytes()?);
        }
        let start = self.out.len();
        self.out.push_str(&field.name);
        if self.value(field.kind, value)? {
            self.out.push(',');
        } else {
            self.out.truncate(start);
        }
        Ok(())
    }

    /// One entry of a map, which is a message of a key and a value.
    fn entry(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), Unread> {
        let key = Fields(bytes).find(1)?.map_or(Ok(&[][..]), Value::bytes)?;
        let value = Fields(bytes).find(2)?.ok_or(Unread::Broken("an entry has no value"))?;
        self.text(key);
        self.out.push(':');
        if !self.value(kind, value)? {
            self.out.push_str("null");
        }
        self.out.push(',');
        Ok(())
    }

    /// Writes a value; `false` when there is none.
    fn value(&mut self, kind: Kind, value: Value<'_>) -> Result<bool, Unread> {
        match kind {
            Kind::Text => self.text(value.bytes()?),
            Kind::Integer => self.integer(value.signed()?),
            Kind::Boolean => self.out.push_str(if value.number()? == 0 { "false" } else { "true" }),
            Kind::Bytes => {
                self.out.push('"');
                STANDARD.encode_string(value.bytes()?, &mut self.out);
                self.out.push('"');
            }
            Kind::Time | Kind::MicroTime => return self.time(kind, value.bytes()?),
            Kind::Quantity => match Fields(value.bytes()?).find(1)? {
                Some(text) => self.text(text.bytes()?),
                None => self.out.push_str("\"0\""),
            },
            Kind::IntOrString => {
                let [is_text, number, text] = [1, 2, 3].map(|number| Fields(value.bytes()?).find(number));
                if is_text?.map_or(Ok(0), Value::number)? == 0 {
                    self.integer(number?.map_or(Ok(0), Value::signed)?);
                } else {
                    self.text(text?.map_or(Ok(&[][..]), Value::bytes)?);
                }
            }
            Kind::Json => return self.json(value.bytes()?),
            Kind::Message(place) => self.message(Table::here().at(place).ok_or(NO_TYPE)?, value.bytes()?)?,
        }
        Ok(true)
    }

    fn integer(&mut self, number: i64) {
        let _ = write!(self.out, "{number}");
    }

    fn text(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if bytes.iter().all(|byte| *byte >= b' ' && !matches!(byte, b'"' | b'\\')) {
            self.out.push('"');
            self.out.push_str(&text);
            self.out.push('"');
        } else {
            let _ = write!(self.out, "{}", serde_json::Value::from(text));
        }
    }

    /// Seconds and nanoseconds since 1970. Nothing is written for no time at all.
    fn time(&mut self, kind: Kind, bytes: &[u8]) -> Result<bool, Unread> {
        if bytes.is_empty() {
            return Ok(false);
        }
        let part = |number| Fields(bytes).find(number)?.map_or(Ok(0), Value::signed);
        let nanos = if kind == Kind::MicroTime { part(2)? } else { 0 };
        let nanos = i32::try_from(nanos).map_err(|_| NO_TIME)?;
        let time = Timestamp::new(part(1)?, nanos).map_err(|_| NO_TIME)?;
        let _ = match kind {
            Kind::MicroTime => write!(self.out, "\"{time:.6}\""),
            _ => write!(self.out, "\"{time}\""),
        };
        Ok(true)
    }

    /// JSON that was stored as it came.
    fn json(&mut self, bytes: &[u8]) -> Result<bool, Unread> {
        let text = Fields(bytes).find(1)?.map_or(Ok(&[][..]), Value::bytes)?;
        if text.is_empty() {
            return Ok(false);
        }
        let text: &RawValue = serde_json::from_slice(text).map_err(|_| Unread::Broken("a field holds no JSON"))?;
        self.out.push_str(text.get());
        Ok(true)
    }
}

const NO_TYPE: Unread = Unread::Broken("a type is not in the table");
const NO_TIME: Unread = Unread::Broken("a time is out of bounds");
