//! Which fields a kind has, and what they take.
//!
//! The cluster's own description goes first, where it can be had: it knows every custom kind. Of the built-in
//! kinds there is a copy in `kinds.txt`, written from an API server's OpenAPI documents by `tests/lab/kinds`;
//! its head there explains the shapes.

mod immutable;
mod openapi;

pub use immutable::{immutable, is_unbound_claim};
pub use openapi::OpenApi;

use crate::model::object::ObjectRef;
use crate::model::path::{Path, Step};
use crate::model::quantity::Quantity;
use crate::text;
use openapi::Node;
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

/// The Kubernetes whose kinds are in the copy.
pub const BUNDLED: &str = "Kubernetes 1.34";

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

/// The answer of [`Describe`]: a document, or why there is none.
pub type Described<'d> = Pin<Box<dyn Future<Output = Result<Arc<OpenApi>, String>> + 'd>>;

/// Who asks the cluster what it says of a kind.
pub trait Describe: Sync {
    /// The document that holds the object's kind.
    fn describe<'d>(&'d self, object: &'d ObjectRef) -> Described<'d>;
}

/// Where no cluster can be asked.
#[derive(Debug, Clone, Copy)]
pub struct NoCluster;

impl Describe for NoCluster {
    fn describe<'d>(&'d self, _: &'d ObjectRef) -> Described<'d> {
        Box::pin(ready(Err("there is no cluster to ask".to_owned())))
    }
}

/// Whether an object of this kind takes the value at the path, by the cluster's document or else by the copy.
pub fn fit(document: Option<&OpenApi>, object: &ObjectRef, path: &Path, value: &Value) -> Fit {
    let kind = format!("@{}/{}", object.api_version(), object.kind);
    let own = || TYPES.get_key_value(kind.as_str()).map(|(name, _)| Shape::Own(name));
    let Some(mut shape) = document.map_or_else(own, |document| document.kind(object).map(Shape::Open)) else {
        return Fit::NotKnown;
    };
    for (at, step) in path.0.iter().enumerate() {
        shape = match (step, shape.inner()) {
            (_, Inner::Anything) => return Fit::Fits,
            (Step::Field(_), Inner::Map(inner)) | (Step::Index(_) | Step::Item { .. }, Inner::List(inner)) => inner,
            (Step::Field(name), Inner::Fields { fields, open }) => match field(&fields, name) {
                Some(inner) => inner,
                None if open => return Fit::Fits,
                None => return no_field(object, &Path(path.0[..=at].to_vec()), name, &fields),
            },
            (..) => return Fit::NoField(format!("{path} leads into a value that holds no others")),
        };
    }
    match wrong(shape, value) {
        None => Fit::Fits,
        Some(takes) => Fit::Wrong(format!("{path} takes {takes}")),
    }
}

/// Whether the copy has the kind.
pub fn is_bundled(object: &ObjectRef) -> bool {
    TYPES.contains_key(format!("@{}/{}", object.api_version(), object.kind).as_str())
}

/// What a place takes, as either source writes it.
#[derive(Debug, Clone, Copy)]
enum Shape<'s> {
    Own(&'s str),
    Open(Node<'s>),
}

type Fields<'s> = Vec<(&'s str, Shape<'s>)>;

enum Inner<'s> {
    /// With `open`, also fields that are not named.
    Fields {
        fields: Fields<'s>,
        open: bool,
    },
    List(Shape<'s>),
    Map(Shape<'s>),
    Anything,
    Nothing,
}

impl<'s> Shape<'s> {
    fn inner(self) -> Inner<'s> {
        let shape = match self {
            Self::Own(shape) => shape,
            Self::Open(node) => return node.inner(),
        };
        if let Some(item) = shape.strip_prefix("[]") {
            return Inner::List(Self::Own(item));
        }
        if let Some(value) = shape.strip_prefix("{}") {
            return Inner::Map(Self::Own(value));
        }
        match TYPES.get(shape) {
            Some(fields) => {
                let fields = names(fields).map(|(name, shape)| (name, Self::Own(shape))).collect();
                Inner::Fields { fields, open: false }
            }
            None if shape == "o" => Inner::Anything,
            None => Inner::Nothing,
        }
    }

    /// What a place without inner places takes, when the value is none of it.
    fn wrong_leaf(self, value: &Value) -> Option<String> {
        let shape = match self {
            Self::Own(shape) => shape,
            Self::Open(node) => return node.wrong_leaf(value),
        };
        if let Some(texts) = shape.strip_prefix('=') {
            let texts: Vec<&str> = texts.split('|').collect();
            let fits = value.as_str().is_some_and(|text| texts.contains(&text));
            return (!fits).then(|| text::or(&texts));
        }
        let of = match shape {
            "s" => Leaf::Text,
            "i" => Leaf::Whole,
            "n" => Leaf::Number,
            "b" => Leaf::Truth,
            "q" => Leaf::Quantity,
            "x" => Leaf::WholeOrText,
            _ => return None,
        };
        of.wrong(value)
    }
}

/// What takes no inner places.
#[derive(Debug, Clone, Copy)]
enum Leaf {
    Text,
    Whole,
    Number,
    Truth,
    Quantity,
    WholeOrText,
}

impl Leaf {
    fn wrong(self, value: &Value) -> Option<String> {
        let is_whole = value.is_i64() || value.is_u64();
        let (fits, takes) = match self {
            Self::Text => (value.is_string(), "text (in quotes when it looks like a number)"),
            Self::Whole => (is_whole, "a whole number"),
            Self::Number => (value.is_number(), "a number"),
            Self::Truth => (value.is_boolean(), "true or false"),
            Self::Quantity => (Quantity::of(value).is_some(), "a quantity, such as 64Mi"),
            Self::WholeOrText => (is_whole || value.is_string(), "a whole number or text"),
        };
        (!fits).then(|| takes.to_owned())
    }
}

fn names(fields: &str) -> impl Iterator<Item = (&str, &str)> {
    fields.split(' ').filter_map(|field| field.split_once(':'))
}

fn field<'s>(fields: &Fields<'s>, name: &str) -> Option<Shape<'s>> {
    fields.iter().find(|(known, _)| *known == name).map(|(_, shape)| *shape)
}

fn no_field(object: &ObjectRef, path: &Path, name: &str, fields: &Fields<'_>) -> Fit {
    let near = text::nearest(name, fields.iter().map(|(known, _)| *known));
    let near = near.map(|near| format!("; the nearest is {near}")).unwrap_or_default();
    Fit::NoField(format!("a {} has no field {path}{near}", object.kind))
}

/// What a shape takes, when the value is none of it.
fn wrong(shape: Shape<'_>, value: &Value) -> Option<String> {
    if value.is_null() {
        return None;
    }
    match shape.inner() {
        Inner::Anything => None,
        Inner::List(item) => match value.as_array() {
            Some(items) => items.iter().find_map(|value| wrong(item, value)),
            None => Some("a list".to_owned()),
        },
        Inner::Map(of) => match value.as_object() {
            Some(map) => map.values().find_map(|value| wrong(of, value)),
            None => Some("a map".to_owned()),
        },
        Inner::Fields { fields, open } => match value.as_object() {
            Some(map) => map.iter().find_map(|(name, value)| match field(&fields, name) {
                Some(shape) => wrong(shape, value),
                None => (!open).then(|| format!("no field {name}")),
            }),
            None => Some("a map".to_owned()),
        },
        Inner::Nothing => shape.wrong_leaf(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(path: &str, value: &Value) -> Fit {
        fit(None, &ObjectRef::new("apps/v1", "Deployment", "prod", "web"), &Path::of(path), value)
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
        assert_eq!(fit(None, &custom, &Path::of("spec.x"), &json!(1)), Fit::NotKnown);
    }
}
