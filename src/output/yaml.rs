//! Values as YAML text that people read and programs take.

use crate::text::is_invisible;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// A document in block style. Text of several lines stands as it is; what a terminal or a CI runner would act on
/// is escaped.
pub fn document(value: &Value) -> String {
    let mut lines = block(value);
    lines.push(String::new());
    lines.join("\n")
}

fn block(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) if !map.is_empty() => entries(map),
        Value::Array(items) if !items.is_empty() => items.iter().flat_map(item).collect(),
        leaf => vec![scalar(leaf)],
    }
}

fn entries(map: &Map<String, Value>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in map {
        let key = string(key);
        match value {
            Value::Object(map) if !map.is_empty() => {
                lines.push(format!("{key}:"));
                lines.extend(entries(map).into_iter().map(|line| indented(&line)));
            }
            Value::Array(items) if !items.is_empty() => {
                lines.push(format!("{key}:"));
                lines.extend(items.iter().flat_map(item));
            }
            Value::String(text) if is_block(text) => {
                lines.push(format!("{key}: {}", indicator(text)));
                lines.extend(text.strip_suffix('\n').unwrap_or(text).split('\n').map(indented));
            }
            leaf => lines.push(format!("{key}: {}", scalar(leaf))),
        }
    }
    lines
}

fn item(item: &Value) -> Vec<String> {
    let mut lines = block(item);
    for (at, line) in lines.iter_mut().enumerate() {
        *line = if at == 0 { format!("- {line}") } else { indented(line) };
    }
    lines
}

fn indented(line: &str) -> String {
    if line.is_empty() { String::new() } else { format!("  {line}") }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        other => other.to_string(),
    }
}

fn string(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Words that no reader of any age takes for something else than text.
fn is_plain(text: &str) -> bool {
    const OLD: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " _./-".contains(c))
        && !text.ends_with(' ')
        && !OLD.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether text of several lines can stand as it is. The first line gives the indentation: it may not begin
/// with a blank.
fn is_block(text: &str) -> bool {
    let lines = text.strip_suffix('\n').unwrap_or(text);
    lines.contains('\n')
        && !lines.ends_with('\n')
        && !lines.starts_with([' ', '\n'])
        && !lines
            .split('\n')
            .any(|line| is_acted_on(line) || line.contains('\r') || !line.is_empty() && line.trim().is_empty())
}

fn indicator(text: &str) -> &'static str {
    if text.ends_with('\n') { "|" } else { "|-" }
}

/// Whether a terminal or a CI runner acts on a part of a line.
fn is_acted_on(line: &str) -> bool {
    let control = |c: char| c.is_control() || is_invisible(c);
    line.contains(control) || line.contains("##[") || line.contains("##vso[") || line.trim_start().starts_with("::")
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_string().chars() {
        if c.is_control() || is_invisible(c) {
            let _ = write!(out, "\\U{:08x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out.replace("##[", "\\x23#[").replace("##vso[", "\\x23#vso[")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn lines_of_a_diff_stand_as_they_are() {
        let value =
            json!({"a": [{"b": "yes", "n": 1, "none": null}], "diff": "-a\n+b\n", "e": [], "o": {}, "t": "x\ny"});
        let text = document(&value);
        insta::assert_snapshot!(text, @r#"
        a:
        - b: "yes"
          "n": 1
          none: null
        diff: |
          -a
          +b
        e: []
        o: {}
        t: |-
          x
          y
        "#);
        assert_eq!(read(&text), value);
    }

    #[test]
    fn what_a_terminal_or_a_runner_acts_on_is_escaped() {
        let value =
            json!({"a": "x\n::error::y\n", "b": "##[error]x", "c": "\u{202e}\u{1b}[2J\u{e0041}\u{7f}", "::d": "::e"});
        let text = document(&value);
        assert!(text.is_ascii() && !text.contains("##["), "{text}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
        assert_eq!(read(&text), value);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[ \\-#:\n\t'\"a-c|>&*!%@`{}\\[\\],?~0-9.]{0,12}",
            "(yes|no|null|~|0x1|1e3|-|=)"
        ];
        let leaf = prop_oneof![
            text.clone().prop_map(Value::String),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null)
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((text.clone(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_comes_back(value in prop::collection::vec(("[a-z]{1,4}", any_value()), 1..4)) {
            let value = Value::Object(value.into_iter().collect());
            prop_assert_eq!(read(&document(&value)), value);
        }
    }
}
