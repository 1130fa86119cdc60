//! Builtins of Rego v0 that the evaluator left out.
//!
//! OPA keeps them for v0 (`topdown/builtins`, "deprecated"); public Gatekeeper templates call
//! `re_match`, `any` and `all`.

use regex::{Regex, RegexBuilder};
use regorus::{Engine, Value};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that a compiled pattern may take.
const PATTERN: usize = 1 << 20;

const ALL: [(&str, u8); 4] = [("all", 1), ("any", 1), ("re_match", 2), ("set_diff", 2)];

/// Whether it is one of them.
pub(super) fn is_one(name: &str) -> bool {
    ALL.iter().any(|(known, _)| *known == name)
}

/// Adds them to an evaluator; a policy's own function of that name goes before. An argument that
/// they do not take is an error while `is_strict`, else it says nothing.
///
/// # Errors
/// When the evaluator knows one already.
pub(super) fn add(engine: &mut Engine, is_strict: &Arc<AtomicBool>) -> Result<(), String> {
    for (name, arguments) in ALL {
        let is_strict = Arc::clone(is_strict);
        let called = move |values: Vec<Value>| match call(name, &values) {
            Err(words) if is_strict.load(Ordering::Relaxed) => Err(io::Error::other(words).into()),
            said => Ok(said.unwrap_or(Value::Undefined)),
        };
        engine.add_extension(name.to_owned(), arguments, Box::new(called)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn call(name: &str, values: &[Value]) -> Result<Value, String> {
    match (name, values) {
        ("all", [items]) => Ok(Value::from(truths(items, name)?.iter().all(|holds| *holds))),
        ("any", [items]) => Ok(Value::from(truths(items, name)?.iter().any(|holds| *holds))),
        ("re_match", [Value::String(pattern), Value::String(text)]) => {
            Ok(Value::from(compile(pattern)?.is_match(text)))
        }
        ("set_diff", [Value::Set(one), Value::Set(other)]) => Ok(Value::from(one.difference(other))),
        _ => Err(format!("`{name}` got an argument that it does not take")),
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).size_limit(PATTERN).build().map_err(|error| error.to_string())
}

/// Which items of a list or a set are `true`.
fn truths(items: &Value, name: &str) -> Result<Vec<bool>, String> {
    let holds = |item: &Value| *item == Value::from(true);
    match items {
        Value::Array(items) => Ok(items.iter().map(holds).collect()),
        Value::Set(items) => Ok(items.iter().map(holds).collect()),
        _ => Err(format!("`{name}` takes a list or a set")),
    }
}
