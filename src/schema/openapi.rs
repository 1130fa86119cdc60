//! Kinds as an OpenAPI document of an API server says them.

use super::{Inner, Leaf, Shape};
use crate::model::object::ObjectRef;
use crate::text;
use regex::Regex;
use serde_json::Value;

/// References that lead on to the next are followed at most.
const HOPS: usize = 8;
/// Choices that are named at most.
const CHOICES: usize = 12;

/// One document of `/openapi/v3`: the kinds of one version of one group.
#[derive(Debug)]
pub struct OpenApi {
    document: Value,
}

impl OpenApi {
    /// Reads a document; `None` when it holds no schemas.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(bytes).ok()?;
        document.pointer("/components/schemas")?.as_object()?;
        Some(Self { document })
    }

    /// Whether the kind is in it.
    pub fn has(&self, object: &ObjectRef) -> bool {
        self.kind(object).is_some()
    }

    pub(super) fn kind(&self, object: &ObjectRef) -> Option<Node<'_>> {
        let is_it = |one: &Value| {
            one["group"] == object.group.as_str()
                && one["version"] == object.version.as_str()
                && one["kind"] == object.kind.as_str()
        };
        let schemas = self.document.pointer("/components/schemas")?.as_object()?;
        let schema = schemas.values().find(|schema| {
            let kinds = schema["x-kubernetes-group-version-kind"].as_array();
            schema.get("properties").is_some() && kinds.is_some_and(|kinds| kinds.iter().any(is_it))
        })?;
        Some(Node { document: &self.document, schema })
    }
}

/// One schema of a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'s> {
    document: &'s Value,
    schema: &'s Value,
}

impl<'s> Node<'s> {
    fn at(self, schema: &'s Value) -> Shape<'s> {
        Shape::Open(Self { schema, ..self })
    }

    /// The schema that a reference, or an `allOf` of one with a default beside it, stands for, and its name.
    fn resolved(self) -> (&'s Value, &'s str) {
        let (mut schema, mut name) = (self.schema, "");
        for _ in 0..HOPS {
            let only = match schema["allOf"].as_array().map(Vec::as_slice) {
                Some([only]) => only,
                _ => schema,
            };
            let Some(next) = only["$ref"].as_str().and_then(|text| text.strip_prefix("#/components/schemas/")) else {
                break;
            };
            name = next;
            schema = &self.document["components"]["schemas"][next];
        }
        (schema, name)
    }

    pub(super) fn inner(self) -> Inner<'s> {
        let (schema, name) = self.resolved();
        if leaf(schema, name).is_some() || schema["enum"].is_array() {
            return Inner::Nothing;
        }
        let open = schema["x-kubernetes-preserve-unknown-fields"] == true
            || schema["x-kubernetes-embedded-resource"] == true
            || schema["additionalProperties"] == true;
        if let Some(fields) = schema["properties"].as_object() {
            let fields = fields.iter().map(|(name, schema)| (name.as_str(), self.at(schema))).collect();
            return Inner::Fields { fields, open };
        }
        match (schema["type"].as_str(), &schema["items"], &schema["additionalProperties"]) {
            (Some("array"), items @ Value::Object(_), _) => Inner::List(self.at(items)),
            (Some("object"), _, values @ Value::Object(_)) if !open => Inner::Map(self.at(values)),
            _ => Inner::Anything,
        }
    }

    /// What it takes, when the value is none of it.
    pub(super) fn wrong_leaf(self, value: &Value) -> Option<String> {
        let (schema, name) = self.resolved();
        // A default beside a reference stands outside; so may a choice.
        let choices = [self.schema, schema].into_iter().find_map(|schema| schema["enum"].as_array());
        if let Some(choices) = choices.filter(|choices| !choices.contains(value)) {
            let shown = choices.iter().take(CHOICES);
            let named: Vec<String> = shown.map(|one| one.as_str().map_or(one.to_string(), str::to_owned)).collect();
            return Some(text::clip(&text::or(&named), 300));
        }
        leaf(schema, name)?.wrong(value).or_else(|| out_of_bounds(schema, value))
    }
}

fn leaf(schema: &Value, name: &str) -> Option<Leaf> {
    if name.ends_with(".resource.Quantity") {
        return Some(Leaf::Quantity);
    }
    if schema["x-kubernetes-int-or-string"] == true || schema["format"] == "int-or-string" {
        return Some(Leaf::WholeOrText);
    }
    match schema["type"].as_str()? {
        "string" => Some(Leaf::Text),
        "integer" => Some(Leaf::Whole),
        "number" => Some(Leaf::Number),
        "boolean" => Some(Leaf::Truth),
        _ => None,
    }
}

/// Bounds of a number, shape of a text.
fn out_of_bounds(schema: &Value, value: &Value) -> Option<String> {
    if let Some(number) = value.as_f64() {
        let bound = |name: &str| schema[name].as_f64();
        return match (bound("minimum"), bound("maximum")) {
            (Some(least), _) if number < least => Some(format!("{least} or more")),
            (_, Some(most)) if number > most => Some(format!("{most} or less")),
            _ => None,
        };
    }
    let (text, pattern) = (value.as_str()?, schema["pattern"].as_str()?);
    // A pattern of another dialect says nothing.
    let shape = Regex::new(pattern).ok()?;
    (!shape.is_match(text)).then(|| format!("text of the shape {}", text::clip(pattern, 200)))
}

#[cfg(test)]
mod tests {
    use super::super::{Fit, fit};
    use super::*;
    use crate::model::path::Path;
    use serde_json::json;

    fn document() -> OpenApi {
        let release = json!({
            "type": "object",
            "x-kubernetes-group-version-kind": [{"group": "example.org", "version": "v2", "kind": "Release"}],
            "properties": {
                "metadata": {"allOf": [{"$ref": "#/components/schemas/io.k8s.ObjectMeta"}], "default": {}},
                "spec": {"type": "object", "properties": {
                    "interval": {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"},
                    "history": {"type": "integer", "minimum": 0, "maximum": 9},
                    "mode": {"type": "string", "enum": ["enabled", "warn"]},
                    "values": {"x-kubernetes-preserve-unknown-fields": true},
                    "port": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true},
                    "memory": {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity"},
                    "from": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "open": {"type": "object", "properties": {"a": {"type": "boolean"}}, "x-kubernetes-preserve-unknown-fields": true},
                    "loop": {"$ref": "#/components/schemas/Loop"},
                }},
            },
        });
        let meta = json!({"type": "object", "properties": {"name": {"type": "string"}}});
        let quantity = json!({"oneOf": [{"type": "string"}, {"type": "number"}]});
        let document = json!({"components": {"schemas": {
            "org.example.v2.Release": release, "io.k8s.ObjectMeta": meta,
            "io.k8s.apimachinery.pkg.api.resource.Quantity": quantity,
            "Loop": {"$ref": "#/components/schemas/Loop"},
        }}});
        OpenApi::parse(document.to_string().as_bytes()).unwrap()
    }

    fn check(path: &str, value: &Value) -> Fit {
        fit(Some(&document()), &ObjectRef::new("example.org/v2", "Release", "prod", "web"), &Path::of(path), value)
    }

    #[test]
    fn a_custom_kind_is_known_by_its_document() {
        for (path, value) in [
            ("spec.interval", json!("1m30s")),
            ("spec.history", json!(3)),
            ("spec.mode", json!("warn")),
            ("spec.values.image.tag", json!({"any": ["thing", 1]})),
            ("spec.port", json!("http")),
            ("spec.port", json!(80)),
            ("spec.memory", json!("64Mi")),
            ("spec.from[0].name", json!("a")),
            ("spec.labels.any", json!("a")),
            ("spec.open.b.c", json!(1)),
            ("spec.loop.x", json!(1)),
            ("metadata.name", json!("a")),
            ("spec", json!({"history": 1, "from": [{"name": "a"}]})),
        ] {
            assert_eq!(check(path, &value), Fit::Fits, "{path}");
        }
    }

    #[test]
    fn what_the_document_does_not_take_is_said() {
        for (path, value, words) in [
            ("spec.intervall", json!("1m"), "a Release has no field spec.intervall; the nearest is interval"),
            ("spec.interval", json!("soon"), "spec.interval takes text of the shape ^([0-9]+(ms|s|m|h))+$"),
            ("spec.interval", json!(60), "takes text (in quotes"),
            ("spec.history", json!(-1), "spec.history takes 0 or more"),
            ("spec.history", json!(10), "spec.history takes 9 or less"),
            ("spec.mode", json!("off"), "spec.mode takes enabled or warn"),
            ("spec.port", json!(true), "a whole number or text"),
            ("spec.memory", json!("64 MB"), "a quantity, such as 64Mi"),
            ("spec.from[0]", json!({"nam": 1}), "no field nam"),
            ("spec.labels.any", json!(1), "text (in quotes"),
            ("spec.open.a", json!("x"), "true or false"),
            ("metadata.nam", json!("a"), "no field metadata.nam"),
        ] {
            match check(path, &value) {
                Fit::NoField(said) | Fit::Wrong(said) => assert!(said.contains(words), "{said}"),
                other => panic!("{path}: {other:?}"),
            }
        }
    }

    #[test]
    fn another_version_or_kind_is_not_known() {
        for (version, kind) in [("example.org/v1", "Release"), ("example.org/v2", "Releases"), ("v2", "Release")] {
            let object = ObjectRef::new(version, kind, "prod", "web");
            assert_eq!(fit(Some(&document()), &object, &Path::of("spec"), &json!({})), Fit::NotKnown);
        }
        assert!(OpenApi::parse(b"{}").is_none() && OpenApi::parse(b"<html>").is_none());
    }
}
