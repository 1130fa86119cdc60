//! Kubernetes label selectors, as JSON has them.

use serde_json::Value;

/// The texts of a list.
pub(super) fn strings(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A Kubernetes LabelSelector; without one everything is selected, and a part that Kubernetes would refuse (an operator
/// that does not exist, no values for one that needs them, a value that is no text) selects everything too, so that
/// nothing slips through.
pub(super) fn selects(selector: Option<&Value>, labels: &Value) -> bool {
    let Some(selector) = selector else { return true };
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let exact = selector.get("matchLabels").and_then(Value::as_object);
    let terms = selector.get("matchExpressions").and_then(Value::as_array);
    exact.into_iter().flatten().all(|(key, value)| !value.is_string() || label(key) == value.as_str())
        && terms.into_iter().flatten().all(|term| {
            let key = term.get("key").and_then(Value::as_str).unwrap_or_default();
            let values = strings(term.get("values"));
            match term.get("operator").and_then(Value::as_str) {
                Some("In") if values.is_empty() => true,
                Some("In") => label(key).is_some_and(|value| values.contains(&value)),
                Some("NotIn") => label(key).is_none_or(|value| !values.contains(&value)),
                Some("Exists") => label(key).is_some(),
                Some("DoesNotExist") => label(key).is_none(),
                _ => true,
            }
        })
}
