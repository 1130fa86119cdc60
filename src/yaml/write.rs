//! YAML text for new values, in the style of what is there.

use super::{YamlError, parse};
use granit_parser::ScalarStyle;
use serde_json::{Map, Value};

/// How a document is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) eol: &'static str,
    /// JSON: keys and strings in double quotes.
    pub(super) json: bool,
    /// Columns that a nested map is indented by.
    pub(super) indent: usize,
    /// Whether `- ` of a list stands deeper than its key.
    pub(super) deep_lists: bool,
}

impl Style {
    /// Text of a scalar that replaces one written as `like`.
    pub(super) fn scalar(self, value: &Value, like: ScalarStyle, flow: bool) -> Result<String, YamlError> {
        let Value::String(text) = value else { return Ok(self.flow(value)) };
        if self.json {
            return Ok(quoted(text));
        }
        Ok(match like {
            ScalarStyle::SingleQuoted if !text.contains(char::is_control) => format!("'{}'", text.replace('\'', "''")),
            ScalarStyle::Plain if parse::is_plain_string(text, flow) => text.clone(),
            ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => quoted(text),
            _ => return Err(YamlError::Unsupported("the value is a folded block".to_owned())),
        })
    }

    /// A value on one line.
    pub(super) fn flow(self, value: &Value) -> String {
        match value {
            Value::String(text) if self.json || !parse::is_plain_string(text, true) => quoted(text),
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.flow(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Object(map) => {
                let entries: Vec<String> = map.iter().map(|(key, value)| self.flow_entry(key, value)).collect();
                format!("{{{}}}", entries.join(", "))
            }
            other => other.to_string(),
        }
    }

    /// `key: value` on one line.
    pub(super) fn flow_entry(self, key: &str, value: &Value) -> String {
        format!("{}: {}", self.key(key, true), self.flow(value))
    }

    fn key(self, key: &str, flow: bool) -> String {
        if !self.json && parse::is_plain_string(key, flow) { key.to_owned() } else { quoted(key) }
    }

    /// Lines of a map's entries or a list's items, without indentation of their own.
    pub(super) fn block(self, value: &Value) -> Vec<String> {
        match value {
            Value::Object(map) if !map.is_empty() => self.block_map(map),
            Value::Array(items) if !items.is_empty() => items.iter().flat_map(|item| self.block_item(item)).collect(),
            Value::String(text) if parse::is_plain_string(text, false) => vec![text.clone()],
            other => vec![self.flow(other)],
        }
    }

    /// Lines of one list item, `- ` in front.
    pub(super) fn block_item(self, item: &Value) -> Vec<String> {
        let mut lines = self.block(item);
        for (at, line) in lines.iter_mut().enumerate() {
            line.insert_str(0, if at == 0 { "- " } else { "  " });
        }
        lines
    }

    /// Lines of one entry.
    pub(super) fn block_entry(self, key: &str, value: &Value) -> Vec<String> {
        let key = self.key(key, false);
        let depth = match value {
            Value::Object(map) if !map.is_empty() => self.indent,
            Value::Array(items) if !items.is_empty() => self.indent * usize::from(self.deep_lists),
            scalar => return vec![format!("{key}: {}", self.block(scalar).concat())],
        };
        let mut lines = vec![format!("{key}:")];
        lines.extend(self.block(value).into_iter().map(|line| format!("{:depth$}{line}", "")));
        lines
    }

    fn block_map(self, map: &Map<String, Value>) -> Vec<String> {
        map.iter().flat_map(|(key, value)| self.block_entry(key, value)).collect()
    }
}

/// In double quotes. JSON's escapes are YAML's too; what YAML calls a line break is escaped besides.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    json.replace('\u{7f}', "\\x7f")
        .replace('\u{85}', "\\N")
        .replace('\u{2028}', "\\L")
        .replace('\u{2029}', "\\P")
        .replace('\u{feff}', "\\ufeff")
}
