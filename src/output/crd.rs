//! The CustomResourceDefinition of records.

use super::json::API_VERSION;
use super::{schema, yaml};
use crate::error::Error;
use serde_json::{Map, Value, json};

/// Says nothing of what is below.
const OPEN: &str = "x-kubernetes-preserve-unknown-fields";

/// Keywords that mean the same in a structural schema (kubernetes.io/docs, "Specifying a structural schema").
const SAME: [&str; 6] = ["description", "required", "pattern", "minimum", "maxItems", "format"];

/// The definition, as `kubectl apply` takes it: made of the JSON Schema of `AIFix`.
///
/// # Errors
/// Only a bug: an embedded schema is no JSON.
pub fn definition() -> Result<String, Error> {
    let text = schema::of(Some("AIFix"))?;
    let whole: Value =
        serde_json::from_str(&text).map_err(|error| Error::bug("the schema of AIFix is no JSON").caused_by(&error))?;
    let part = |name: &str| structural(&whole["properties"][name], &whole["$defs"]);
    let (group, version) = API_VERSION.split_once('/').unwrap_or((API_VERSION, ""));
    let column = |name: &str, path: &str, kind: &str| json!({"name": name, "type": kind, "jsonPath": path});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("aifixes.{group}")},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "AIFix", "listKind": "AIFixList", "plural": "aifixes", "singular": "aifix"},
            "versions": [{
                "name": version,
                "served": true,
                "storage": true,
                "additionalPrinterColumns": [
                    column("Phase", ".status.phase", "string"),
                    column("Code", ".spec.failure.code", "string"),
                    column("Kind", ".spec.failure.object.kind", "string"),
                    column("Name", ".spec.failure.object.name", "string"),
                    column("Commit", ".status.commit", "string"),
                ],
                "schema": {"openAPIV3Schema": {
                    "description": "The record of one decision of aifix.",
                    "type": "object",
                    "required": ["spec", "status"],
                    // The API server knows these, and lets nobody describe them.
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "metadata": {"type": "object"},
                        "spec": part("spec"),
                        "status": part("status"),
                    },
                }},
            }],
        },
    });
    Ok(yaml::document(&definition))
}

/// A JSON Schema as the API server wants it: one type everywhere, `nullable` for null, no references. What
/// it can't say is left open.
fn structural(schema: &Value, defs: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|text| text.strip_prefix("#/$defs/")) {
        return structural(&defs[name], defs);
    }
    let branches = schema["anyOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let [null, other] = branches
        && null["type"] == "null"
    {
        let mut out = structural(other, defs);
        out["nullable"] = Value::Bool(true);
        return out;
    }
    let mut out = Map::new();
    for keyword in SAME {
        if let Some(said) = schema.get(keyword) {
            out.insert(keyword.to_owned(), said.clone());
        }
    }
    let mut types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    };
    if types.contains(&"null") {
        types.retain(|name| *name != "null");
        out.insert("nullable".to_owned(), Value::Bool(true));
    }
    let values = schema.get("const").map(|only| json!([only])).or_else(|| schema.get("enum").cloned());
    if let Some(values) = values {
        types = vec![if values[0].is_boolean() { "boolean" } else { "string" }];
        out.insert("enum".to_owned(), values);
    }
    let Some(name) = types.first() else {
        // Any value, or one of several shapes.
        out.insert("nullable".to_owned(), Value::Bool(true));
        out.insert(OPEN.to_owned(), Value::Bool(true));
        return Value::Object(out);
    };
    out.insert("type".to_owned(), json!(name));
    if let Some(properties) = schema["properties"].as_object() {
        let below = properties.iter().map(|(name, below)| (name.clone(), structural(below, defs)));
        out.insert("properties".to_owned(), Value::Object(below.collect()));
    } else if *name == "object" {
        out.insert(OPEN.to_owned(), Value::Bool(true));
    }
    if schema["items"].is_object() {
        out.insert("items".to_owned(), structural(&schema["items"], defs));
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_has_one_type_or_is_open_and_nothing_else_is_said() {
        fn walk(schema: &Value, at: &str) {
            let map = schema.as_object().unwrap();
            assert!(map.get("type").is_some_and(Value::is_string) || map[OPEN] == true, "{at}: {schema}");
            let known = ["type", "properties", "items", "enum", "nullable", OPEN];
            for keyword in map.keys() {
                assert!(known.contains(&keyword.as_str()) || SAME.contains(&keyword.as_str()), "{at}: {keyword}");
            }
            for (name, below) in schema["properties"].as_object().into_iter().flatten() {
                walk(below, &format!("{at}/{name}"));
            }
            if schema["items"].is_object() {
                walk(&schema["items"], &format!("{at}[]"));
            }
        }
        let definition: Value = serde_saphyr::from_str(&definition().unwrap()).unwrap();
        let root = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        walk(root, "");
        let context = &root["properties"]["spec"]["properties"]["context"];
        assert_eq!((&context["nullable"], &context["properties"]["takenAt"]["nullable"]), (&json!(true), &json!(true)));
        assert_eq!(root["properties"]["status"]["properties"]["entries"]["items"]["properties"]["body"][OPEN], true);
    }
}
