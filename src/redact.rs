//! What is removed before anything leaves or is stored.

mod diff;
mod entropy;
mod names;
mod numbers;
mod places;
mod shapes;
mod tokens;

pub use names::{is_secret_name, is_secret_variable};
pub use numbers::{is_masked, unnumbered};
pub use places::{Also, also};

use crate::model::path::{Path, Step};
use serde_json::{Map, Value};
use std::fmt;

/// Text with every recognised secret replaced. The only text that is stored or sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What stands where `secret` stood: `<secret:1>`, the same for the same secret until the process ends.
pub fn mask(secret: &str) -> String {
    numbers::placeholder(numbers::Kind::Secret, secret)
}

/// [`mask`] of any value.
pub fn masked(secret: &Value) -> Value {
    Value::String(mask(&secret.as_str().map_or_else(|| secret.to_string(), str::to_owned)))
}

/// Reads the shapes of secrets now, where a caller has nothing else to do; else the first text waits for it.
pub fn prepare() {
    shapes::prepare();
}

/// Removes every recognised secret from `text`, and the addresses that were asked for.
pub fn text(text: &str) -> Redacted {
    let shaped = match text {
        _ if text.starts_with("diff --git ") => diff::without(text),
        _ if diff::is_yaml(text) => diff::yaml(text),
        _ => shapes::without(text),
    };
    Redacted(places::without(&shaped, places::asked()))
}

/// Removes secrets from a whole file, line by line: fields are read as YAML, and no line is added or lost.
pub fn file(text: &str) -> Redacted {
    Redacted(places::without(&diff::yaml(text), places::asked()))
}

/// A Secret object without its values, for whatever holds rendered objects: two values that differ have
/// placeholders that differ.
pub fn drop_values(object: &mut Value) {
    if object.get("kind").and_then(Value::as_str) != Some("Secret") {
        return;
    }
    for part in ["data", "stringData"] {
        let Some(values) = object.get_mut(part).and_then(Value::as_object_mut) else { continue };
        values.values_mut().for_each(|value| *value = masked(value));
    }
    let copies = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    if let Some(copy) = copies.and_then(|all| all.get_mut("kubectl.kubernetes.io/last-applied-configuration")) {
        *copy = value(copy);
    }
}

/// Removes secrets from a unified diff of YAML files, line by line. For a record: the diff does not
/// apply any more.
pub fn diff(text: &str) -> Redacted {
    Redacted(places::without(&diff::without(text), places::asked()))
}

/// Removes secrets from every string of a JSON value: values of variables, headers and fields whose
/// name says secret, words after flags that take one, the values of Secret objects, the `old` and `new`
/// of a `path` that leads to one, and recognised shapes anywhere.
pub fn value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(document(text).unwrap_or_else(|| self::text(text).into_string())),
        Value::Array(items) => Value::Array(arguments(items, None)),
        Value::Object(map) => Value::Object(entries(map)),
        other => other.clone(),
    }
}

/// A string that holds JSON itself, as an annotation does: without the secrets of its fields. `None` when
/// it is none or has none.
fn document(text: &str) -> Option<String> {
    let start = text.trim_start();
    if !start.starts_with(['{', '[']) {
        return None;
    }
    let parsed: Value = serde_json::from_str(start).ok()?;
    let shown = value(&parsed);
    (shown != parsed).then(|| shown.to_string())
}

fn entries(map: &Map<String, Value>) -> Map<String, Value> {
    let words = |key: &str| map.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let is_secret = map.get("kind").and_then(Value::as_str) == Some("Secret");
    let is_item = map.get("name").is_some_and(Value::is_string);
    let is_variable = map.get("name").and_then(Value::as_str).is_some_and(is_secret_variable);
    let changed = map.get("path").and_then(Value::as_str).map(Path::of);
    let shown = |key: &str, item: &Value| match (item, &changed) {
        (Value::Object(data), _) if is_secret && matches!(key, "data" | "stringData") => {
            Value::Object(data.iter().map(|(key, item)| (key.clone(), masked(item))).collect())
        }
        (Value::String(_), _) if is_variable && key == "value" => masked(item),
        // No name says so: the value of a variable or a header that only a generator wrote.
        (Value::String(text), _) if is_item && key == "value" && entropy::is_key(text) => masked(item),
        (Value::String(text), _) if is_password(key, text) => masked(item),
        (Value::Array(items), _) if matches!(key, "args" | "command") => {
            Value::Array(arguments(items, names::client(words("command").chain(words("args")))))
        }
        (item, Some(path)) if matches!(key, "old" | "new") => field(path, item),
        (item, _) => value(item),
    };
    map.iter().map(|(key, item)| (key.clone(), shown(key, item))).collect()
}

/// The words of an array, without those that a flag before them, or the client that is started, says
/// are secret.
fn arguments(items: &[Value], client: Option<names::Client>) -> Vec<Value> {
    let client = client.or_else(|| names::client(items.iter().filter_map(Value::as_str).take(1)));
    let mut before = None;
    items
        .iter()
        .map(|item| {
            let Value::String(word) = item else { return value(item) };
            let flag = before.replace(word.as_str()).unwrap_or_default();
            let is_named = names::is_secret_flag(flag) && names::is_secret_argument(word);
            match client {
                _ if is_named || entropy::is_key(word) => masked(item),
                Some(names::Client::Redis) if flag == "-a" => masked(item),
                Some(names::Client::MySql)
                    if word.len() > 2 && word.starts_with("-p") && !names::is_reference(&word[2..]) =>
                {
                    Value::String(format!("-p{}", mask(&word[2..])))
                }
                _ => value(item),
            }
        })
        .collect()
}

/// The value of one field as it may be shown: the value of a variable or field whose name says secret
/// is masked, recognised shapes are removed from any other.
pub fn field(path: &Path, value: &Value) -> Value {
    let mut steps = path.0.iter().rev();
    let is_named = match (steps.next(), steps.next()) {
        (Some(Step::Field(last)), Some(Step::Item { value: name, .. })) if last == "value" => is_secret_variable(name),
        (Some(Step::Field(last)), _) => names::is_password_field(last),
        _ => false,
    };
    let named_secret = path.0.iter().any(|step| matches!(step, Step::Item { value, .. } if is_secret_name(value)));
    let in_item = matches!(path.0.iter().rev().nth(1), Some(Step::Item { .. }));
    let last_is_value = matches!(path.0.last(), Some(Step::Field(name)) if name == "value");
    match value {
        Value::String(_) if is_named || named_secret && last_is_value => masked(value),
        Value::String(text) if in_item && last_is_value && entropy::is_key(text) => masked(value),
        value => self::value(value),
    }
}

/// Whether a field of this name with this text is a secret: any text under `password`, under `secret` and
/// its like only what does not look like the name of one.
fn is_password(key: &str, text: &str) -> bool {
    let is_named = names::is_password_field(key) && !text.is_empty() && !names::is_reference(text);
    is_named || names::is_secret_field(key) && looks_random(text)
}

/// Whether text mixes letters and digits in one long word, as names do not.
fn looks_random(text: &str) -> bool {
    text.len() >= 12
        && !text.contains(char::is_whitespace)
        && text.chars().any(|c| c.is_ascii_digit())
        && text.chars().any(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests;
