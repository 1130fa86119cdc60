//! Which fields the built-in kinds have, and what they take.
//!
//! `kinds.txt` is written from an API server's OpenAPI documents by `tests/lab/kinds`; its head there
//! explains the shapes.

mod immutable;

pub use immutable::{immutable, is_unbound_claim};

use crate::model::object::ObjectRef;
use crate::model::path::{Path, Step};
use crate::model::quantity::Quantity;
use crate::text;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Types by name; kinds as `@group/version/Kind`.
static TYPES: LazyLock<BTreeMap<&str, &str>> =
    LazyLock::new(|| include_str!("kinds.txt").lines().filter_map(|line| line.split_once('\t')).collect());

/// What is known of a value at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    Fits,
    /// The kind has no such field.
    NoField(String),
    /// The field takes something else.
    Wrong(String),
    /// Nothing is known of the kind.
    NotKnown,
}

/// Whether an object of this kind takes the value at the path.
pub fn fit(object: &ObjectRef, path: &Path, value: &Value) -> Fit {
    let kind = format!("@{}/{}", object.api_version(), object.kind);
    if !TYPES.contains_key(kind.as_str()) {
        return Fit::NotKnown;
    }
    let mut shape = kind.as_str();
    for (at, step) in path.0.iter().enumerate() {
        shape = match (step, inner(shape)) {
            (_, Inner::Anything) => return Fit::Fits,
            (Step::Field(_), Inner::Map(inner)) | (Step::Index(_) | Step::Item { .. }, Inner::List(inner)) => inner,
            (Step::Field(name), Inner::Fields(fields)) => match field(fields, name) {
                Some(inner) => inner,
                None => return no_field(object, &Path(path.0[..=at].to_vec()), name, fields),
            },
            (..) => return Fit::NoField(format!("{path} leads into a value that holds no others")),
        };
    }
    match wrong(shape, value) {
        None => Fit::Fits,
        Some(takes) => Fit::Wrong(format!("{path} takes {takes}")),
    }
}

enum Inner<'s> {
    Fields(&'s str),
    List(&'s str),
    Map(&'s str),
    Anything,
    Nothing,
}

fn inner(shape: &str) -> Inner<'_> {
    if let Some(item) = shape.strip_prefix("[]") {
        return Inner::List(item);
    }
    if let Some(value) = shape.strip_prefix("{}") {
        return Inner::Map(value);
    }
    match TYPES.get(shape) {
        Some(fields) => Inner::Fields(fields),
        None if shape == "o" => Inner::Anything,
        None => Inner::Nothing,
    }
}

fn names(fields: &str) -> impl Iterator<Item = (&str, &str)> {
    fields.split(' ').filter_map(|field| field.split_once(':'))
}

fn field<'f>(fields: &'f str, name: &str) -> Option<&'f str> {
    names(fields).find(|(known, _)| *known == name).map(|(_, shape)| shape)
}

fn no_field(object: &ObjectRef, path: &Path, name: &str, fields: &str) -> Fit {
    let near = text::nearest(name, names(fields).map(|(known, _)| known));
    let near = near.map(|near| format!("; the nearest is {near}")).unwrap_or_default();
    Fit::NoField(format!("a {} has no field {path}{near}", object.kind))
}

/// What a shape takes, when the value is none of it.
fn wrong(shape: &str, value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    let says = |fits: bool, takes: &str| (!fits).then(|| takes.to_owned());
    if let Some(texts) = shape.strip_prefix('=') {
        let texts: Vec<&str> = texts.split('|').collect();
        let fits = value.as_str().is_some_and(|text| texts.contains(&text));
        return (!fits).then(|| text::or(&texts));
    }
    match inner(shape) {
        Inner::Anything => None,
        Inner::List(item) => match value.as_array() {
            Some(items) => items.iter().find_map(|value| wrong(item, value)),
            None => Some("a list".to_owned()),
        },
        Inner::Map(of) => match value.as_object() {
            Some(map) => map.values().find_map(|value| wrong(of, value)),
            None => Some("a map".to_owned()),
        },
        Inner::Fields(fields) => match value.as_object() {
            Some(map) => map.iter().find_map(|(name, value)| match field(fields, name) {
                Some(shape) => wrong(shape, value),
                None => Some(format!("no field {name}")),
            }),
            None => Some("a map".to_owned()),
        },
        Inner::Nothing => match shape {
            "s" => says(value.is_string(), "text (in quotes when it looks like a number)"),
            "i" => says(value.is_i64() || value.is_u64(), "a whole number"),
            "n" => says(value.is_number(), "a number"),
            "b" => says(value.is_boolean(), "true or false"),
            "q" => says(Quantity::of(value).is_some(), "a quantity, such as 64Mi"),
            "x" => says(value.is_i64() || value.is_u64() || value.is_string(), "a whole number or text"),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(path: &str, value: &Value) -> Fit {
        fit(&ObjectRef::new("apps/v1", "Deployment", "prod", "web"), &Path::of(path), value)
    }

    #[test]
    fn every_shape_that_is_named_is_known() {
        assert!(TYPES.len() > 150);
        for (title, fields) in TYPES.iter() {
            for (name, shape) in names(fields) {
                let last = shape.trim_start_matches("[]").trim_start_matches("{}").trim_start_matches("[]");
                let plain = ["s", "i", "n", "b", "q", "x", "o"].contains(&last) || last.starts_with('=');
                assert!(plain || TYPES.contains_key(last), "{title} {name}:{shape}");
            }
        }
    }

    #[test]
    fn fields_that_exist_take_values_of_their_type() {
        for (path, value) in [
            ("spec.replicas", json!(2)),
            ("spec.template.spec.containers[web].resources.limits.memory", json!("64Mi")),
            ("spec.template.spec.containers[web].resources.limits.cpu", json!(1)),
            ("spec.template.spec.containers[web].imagePullPolicy", json!("Always")),
            ("spec.template.spec.containers[web].args", json!(["a", "b"])),
            ("spec.template.spec.containers[web].readinessProbe.httpGet.port", json!("http")),
            ("spec.template.spec.containers[web].readinessProbe", json!({"httpGet": {"port": 80}, "periodSeconds": 3})),
            ("metadata.annotations[\"a.b/c\"]", json!("true")),
        ] {
            assert_eq!(check(path, &value), Fit::Fits, "{path}");
        }
    }

    #[test]
    fn what_the_api_would_refuse_is_named() {
        let container = "spec.template.spec.containers[web]";
        for (path, value, words) in [
            ("spec.replica".to_owned(), json!(2), "a Deployment has no field spec.replica; the nearest is replicas"),
            ("spec.replicas".to_owned(), json!("2"), "spec.replicas takes a whole number"),
            ("spec.paused".to_owned(), json!("true"), "spec.paused takes true or false"),
            (format!("{container}.resources.limits.memory"), json!("64 MB"), "a quantity, such as 64Mi"),
            (format!("{container}.imagePullPolicy"), json!("always"), "takes Always, IfNotPresent or Never"),
            (format!("{container}.env[A].value"), json!(1), "takes text (in quotes when it looks like a number)"),
            (format!("{container}.readinessProbe"), json!({"http": {}}), "takes no field http"),
            (format!("{container}.image.tag"), json!("1"), "leads into a value that holds no others"),
            ("spec.template.spec.containers".to_owned(), json!({}), "takes a list"),
        ] {
            match check(&path, &value) {
                Fit::NoField(said) | Fit::Wrong(said) => assert!(said.contains(words), "{said}"),
                other => panic!("{path}: {other:?}"),
            }
        }
    }

    #[test]
    fn of_a_kind_that_is_not_built_in_nothing_is_known() {
        let custom = ObjectRef::new("example.com/v1", "Widget", "prod", "w");
        assert_eq!(fit(&custom, &Path::of("spec.x"), &json!(1)), Fit::NotKnown);
    }
}
