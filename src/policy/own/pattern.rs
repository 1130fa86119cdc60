//! Regular expressions, as Go reads them.
//!
//! `\w`, `\d`, `\s` and `\b` know ASCII alone there (<https://github.com/google/re2/wiki/Syntax>), and a `[` within a
//! class is a character. A pattern that is still read otherwise does not compile, which is an error.

use regex::{Regex, RegexBuilder};
use regorus::Value;
use std::collections::BTreeMap;

/// Bytes that a compiled pattern may take.
const SIZE: usize = 1 << 20;
/// Compiled patterns that are kept.
const KEPT: usize = 256;

/// Patterns that were compiled already.
#[derive(Clone, Default)]
pub(super) struct Patterns(BTreeMap<String, Regex>);

impl Patterns {
    fn get(&mut self, pattern: &str) -> Result<&Regex, String> {
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        if !self.0.contains_key(pattern) {
            let read = RegexBuilder::new(&translated(pattern)).size_limit(SIZE).build();
            self.0.insert(pattern.to_owned(), read.map_err(|error| error.to_string())?);
        }
        self.0.get(pattern).ok_or_else(String::new)
    }

    /// One of the builtins on patterns; `None` when it takes no such arguments.
    pub(super) fn call(&mut self, name: &str, values: &[Value]) -> Result<Option<Value>, String> {
        let list = |items: Vec<&str>| Value::from(items.into_iter().map(Value::from).collect::<Vec<_>>());
        let said = match (name, values) {
            ("regex.is_valid", [Value::String(pattern)]) => Value::from(self.get(pattern).is_ok()),
            ("regex.is_valid", [_]) => Value::from(false),
            ("regex.match" | "re_match", [Value::String(pattern), Value::String(text)]) => {
                Value::from(self.get(pattern)?.is_match(text))
            }
            ("regex.find_n", [Value::String(pattern), Value::String(text), count]) => {
                let found = self.get(pattern)?.find_iter(text).take(at_most(count)?);
                list(found.map(|found| found.as_str()).collect())
            }
            ("regex.find_all_string_submatch_n", [Value::String(pattern), Value::String(text), count]) => {
                let found = self.get(pattern)?.captures_iter(text).take(at_most(count)?);
                let groups =
                    found.map(|one| list(one.iter().map(|part| part.map_or("", |part| part.as_str())).collect()));
                Value::from(groups.collect::<Vec<_>>())
            }
            ("regex.replace", [Value::String(text), Value::String(pattern), Value::String(by)]) => {
                Value::from(&*self.get(pattern)?.replace_all(text, &**by))
            }
            ("regex.split", [Value::String(pattern), Value::String(text)]) => list(split(self.get(pattern)?, text)),
            _ => return Ok(None),
        };
        Ok(Some(said))
    }
}

/// A negative number means all.
fn at_most(count: &Value) -> Result<usize, String> {
    let count = count.as_i64().map_err(|_| "the count is no whole number")?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// A match of nothing at the start separates nothing.
fn split<'t>(pattern: &Regex, text: &'t str) -> Vec<&'t str> {
    if text.is_empty() {
        return vec![""];
    }
    let (mut out, mut begin, mut end) = (Vec::new(), 0, 0);
    for found in pattern.find_iter(text) {
        end = found.start();
        if found.end() != 0 {
            out.push(&text[begin..end]);
        }
        begin = found.end();
    }
    if end != text.len() {
        out.push(&text[begin..]);
    }
    out
}

/// The same pattern in this language.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let next = chars.next();
                match next.and_then(|next| ascii(next, in_class)) {
                    Some(class) => out.push_str(class),
                    None => out.extend(std::iter::once('\\').chain(next)),
                }
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                out.extend(chars.next_if_eq(&'^'));
                // In the first place it is a character.
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '[' | '&' | '~' if in_class => out.extend(['\\', c]),
            '-' if in_class && chars.peek() == Some(&'-') => {
                chars.next();
                out.push_str("-\\-");
            }
            c => out.push(c),
        }
    }
    out
}

fn ascii(letter: char, in_class: bool) -> Option<&'static str> {
    Some(match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => "[\\t\\n\\x0c\\r ]",
        'S' => "[^\\t\\n\\x0c\\r ]",
        'b' if !in_class => "(?-u:\\b)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let said = Patterns::default().call("regex.match", &[Value::from(pattern), Value::from(text)]);
        said.unwrap().unwrap() == Value::from(true)
    }

    #[test]
    fn short_classes_are_of_ascii() {
        for (pattern, yes, no) in [
            (r"^\w+$", "web_1", "wéb"),
            (r"^[\w.-]+$", "a.b-c", "ä.b"),
            (r"^\d+$", "12", "١٢"),
            (r"^\s$", "\t", "\u{a0}"),
            (r"^[^\w]$", "é", "e"),
            (r"^\W$", "é", "e"),
            (r"^[\D]$", "a", "1"),
            (r"^\S$", "\u{a0}", "\n"),
            (r"\bcd\b", "ab cd", "abcd"),
            (r"é\bx", "éx", "ax"),
            (r"^\\w$", r"\w", "a"),
            (r"^\p{L}$", "é", "1"),
        ] {
            assert!(matches(pattern, yes) && !matches(pattern, no), "{pattern}");
        }
    }

    #[test]
    fn a_class_holds_the_characters_that_stand_in_it() {
        for (pattern, yes, no) in [
            ("^[[a]$", "[", "]"),
            ("^[]a]$", "]", "["),
            ("^[^]a]$", "[", "]"),
            ("^[a&&b]$", "&", "-"),
            ("^[a~~b]$", "~", "-"),
            ("^[+--]$", ",", "."),
            ("^[[:alpha:]_]$", "_", "1"),
            (r"^[\]a]$", "]", "["),
        ] {
            assert!(matches(pattern, yes) && !matches(pattern, no), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_an_error() {
        let mut patterns = Patterns::default();
        for (name, values) in [
            ("regex.match", vec![Value::from("("), Value::from("a")]),
            ("regex.replace", vec![Value::from("a"), Value::from("("), Value::from("b")]),
            ("regex.split", vec![Value::from("("), Value::from("a")]),
        ] {
            assert!(patterns.call(name, &values).is_err(), "{name}");
        }
        assert_eq!(patterns.call("regex.is_valid", &[Value::from("(")]), Ok(Some(Value::from(false))));
        assert_eq!(patterns.call("regex.match", &[Value::from("a"), Value::from(1)]), Ok(None));
    }
}
