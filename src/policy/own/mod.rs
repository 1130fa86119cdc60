//! Builtins that the evaluator lacks or reads otherwise.
//!
//! A builtin that says nothing where OPA's says something makes a rule silently not hold. Those of which that is known
//! are replaced; `tests/lab/parity` asks both.

mod date;
mod format;
mod legacy;
mod pattern;

pub(super) use legacy::is_one as is_legacy;

use pattern::Patterns;
use regorus::{Engine, Value};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Names and numbers of arguments.
const REPLACED: [(&str, u8); 8] = [
    ("regex.find_all_string_submatch_n", 3),
    ("regex.find_n", 3),
    ("regex.is_valid", 1),
    ("regex.match", 2),
    ("regex.replace", 3),
    ("regex.split", 2),
    ("sprintf", 2),
    ("time.add_date", 4),
];

/// Adds them to an evaluator; a policy's own function of that name goes before. An argument that
/// they do not take is an error while `is_strict`, else it says nothing.
///
/// # Errors
/// Only a bug: one is added twice.
pub(super) fn add(engine: &mut Engine, is_strict: &Arc<AtomicBool>) -> Result<(), String> {
    for (name, arguments) in REPLACED.into_iter().chain(legacy::ALL) {
        let is_strict = Arc::clone(is_strict);
        let mut patterns = Patterns::default();
        let called = move |values: Vec<Value>| match call(name, &values, &mut patterns) {
            Err(words) if is_strict.load(Ordering::Relaxed) => {
                Err(io::Error::other(format!("`{name}`: {words}")).into())
            }
            said => Ok(said.unwrap_or(Value::Undefined)),
        };
        engine.add_extension(name.to_owned(), arguments, Box::new(called)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn call(name: &str, values: &[Value], patterns: &mut Patterns) -> Result<Value, String> {
    match name {
        "sprintf" => format::sprintf(values),
        "time.add_date" => date::add(values),
        _ => match patterns.call(name, values)?.or(legacy::call(name, values)) {
            Some(said) => Ok(said),
            None => Err("it got an argument that it does not take".to_owned()),
        },
    }
}

/// A value as Rego writes it.
fn shown(value: &Value) -> String {
    let all = |items: Vec<String>| items.join(", ");
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(holds) => holds.to_string(),
        Value::Number(number) => number.format_decimal(),
        Value::String(text) => format::quoted(text),
        Value::Array(items) => format!("[{}]", all(items.iter().map(shown).collect())),
        Value::Set(items) if items.is_empty() => "set()".to_owned(),
        Value::Set(items) => format!("{{{}}}", all(items.iter().map(shown).collect())),
        Value::Object(fields) => {
            let fields = fields.iter_sorted().map(|(key, value)| format!("{}: {}", shown(key), shown(value)));
            format!("{{{}}}", all(fields.collect()))
        }
        Value::Undefined => String::new(),
    }
}
