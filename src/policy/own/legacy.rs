//! Builtins of Rego v0 that the evaluator left out.
//!
//! OPA keeps them for v0 (`topdown/builtins`, "deprecated"); public Gatekeeper templates call
//! `re_match`, `any` and `all`.

use regorus::Value;

/// Names and numbers of arguments.
pub(super) const ALL: [(&str, u8); 4] = [("all", 1), ("any", 1), ("re_match", 2), ("set_diff", 2)];

/// Whether it is one of them.
pub(in crate::policy) fn is_one(name: &str) -> bool {
    ALL.iter().any(|(known, _)| *known == name)
}

/// What one of them says; `None` when it takes no such arguments. `re_match` is with the patterns.
pub(super) fn call(name: &str, values: &[Value]) -> Option<Value> {
    match (name, values) {
        ("all", [items]) => Some(Value::from(truths(items)?.iter().all(|holds| *holds))),
        ("any", [items]) => Some(Value::from(truths(items)?.iter().any(|holds| *holds))),
        ("set_diff", [Value::Set(one), Value::Set(other)]) => Some(Value::from(one.difference(other))),
        _ => None,
    }
}

/// Which items of a list or a set are `true`.
fn truths(items: &Value) -> Option<Vec<bool>> {
    let holds = |item: &Value| *item == Value::from(true);
    match items {
        Value::Array(items) => Some(items.iter().map(holds).collect()),
        Value::Set(items) => Some(items.iter().map(holds).collect()),
        _ => None,
    }
}
