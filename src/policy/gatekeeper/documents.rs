//! Templates and constraints as they stand in YAML.

use crate::model::verdict::Decision;
use serde_json::{Map, Value};

/// The target that admission is checked by; templates may have others.
const TARGET: &str = "admission.k8s.gatekeeper.sh";
/// Items of a `List` in a `List` that are still read.
const DEPTH: usize = 3;
/// API groups of other engines' policies.
const OTHERS: [&str; 3] = ["kyverno.io", "policies.kyverno.io", "policies.kubewarden.io"];

/// What a document of a policy folder is.
#[derive(Debug)]
pub(in crate::policy) enum Document {
    Template(Template),
    Constraint(Written),
    /// A policy that is not evaluated: `ClusterPolicy of kyverno.io`.
    Other(String),
    /// An object that decides nothing, such as an example.
    Object,
    /// No object at all: data.
    Data(Value),
}

/// A ConstraintTemplate.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Template {
    /// The kind of its constraints.
    pub(in crate::policy) kind: String,
    /// The Rego with the rule `violation`, then its libraries.
    pub(in crate::policy) rego: Vec<String>,
    /// Why it can't be used; empty when it can.
    pub(in crate::policy) fault: String,
    /// `openAPIV3Schema` of its parameters.
    pub(in crate::policy) schema: Value,
    /// What its annotations say of it.
    pub(in crate::policy) title: String,
    pub(in crate::policy) reason: String,
}

/// A constraint, before its template is known.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Written {
    pub(in crate::policy) kind: String,
    pub(in crate::policy) name: String,
    pub(in crate::policy) action: Decision,
    pub(in crate::policy) matching: Value,
    pub(in crate::policy) parameters: Value,
    /// Whole, for its digest.
    pub(in crate::policy) text: String,
}

/// What the documents of a file are; a `List` counts as its items.
pub(in crate::policy) fn read(document: Value) -> Vec<Document> {
    let mut out = Vec::new();
    flatten(document, 0, &mut out);
    out
}

fn flatten(document: Value, depth: usize, out: &mut Vec<Document>) {
    let (Some(version), Some(kind)) = (text(&document, "apiVersion"), text(&document, "kind")) else {
        out.push(Document::Data(document));
        return;
    };
    let group = version.split_once('/').map_or("", |(group, _)| group);
    match (group, kind) {
        (_, "List") if depth < DEPTH => {
            let items = document.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            items.into_iter().for_each(|item| flatten(item, depth + 1, out));
        }
        ("templates.gatekeeper.sh", "ConstraintTemplate") => out.push(Document::Template(template(&document))),
        ("constraints.gatekeeper.sh", _) => out.push(Document::Constraint(constraint(kind, &document))),
        (group, kind) if OTHERS.contains(&group) || kind.ends_with("AdmissionPolicy") => {
            out.push(Document::Other(format!("{kind} of {group}")));
        }
        ("kustomize.config.k8s.io", _) => {}
        _ => out.push(Document::Object),
    }
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn template(document: &Value) -> Template {
    let at = |pointer: &str| document.pointer(pointer).cloned().unwrap_or_default();
    let kind = at("/spec/crd/spec/names/kind");
    let (rego, fault) = match rego(document) {
        Ok(rego) => (rego, String::new()),
        Err(fault) => (Vec::new(), fault),
    };
    let schema = at("/spec/crd/spec/validation/openAPIV3Schema");
    let note = |name: &str| {
        let said = document.pointer("/metadata/annotations").and_then(|notes| text(notes, name));
        said.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (title, reason) = (note("metadata.gatekeeper.sh/title"), note("description"));
    Template { kind: kind.as_str().unwrap_or_default().to_owned(), rego, fault, schema, title, reason }
}

/// The Rego of a template: `rego` and `libs` of its target, or its `code` for the engine Rego.
fn rego(document: &Value) -> Result<Vec<String>, String> {
    let targets = document.pointer("/spec/targets").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let target = targets.iter().find(|target| text(target, "target") == Some(TARGET));
    let target = target.ok_or_else(|| format!("its template has no target {TARGET}"))?;
    let code = target.get("code").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let of_engine = code.iter().find(|code| text(code, "engine") == Some("Rego"));
    let source = match (of_engine.and_then(|code| code.get("source")), text(target, "rego")) {
        (Some(source), _) => source,
        (None, Some(_)) => target,
        (None, None) => {
            let engines: Vec<&str> = code.iter().filter_map(|code| text(code, "engine")).collect();
            return Err(match engines.as_slice() {
                [] => "its template has no Rego".to_owned(),
                engines => format!("its template has no Rego, only code for {}", engines.join(", ")),
            });
        }
    };
    let main = text(source, "rego").ok_or("its template has no Rego")?;
    let libs = source.get("libs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    Ok(std::iter::once(main).chain(libs.iter().filter_map(Value::as_str)).map(str::to_owned).collect())
}

fn constraint(kind: &str, document: &Value) -> Written {
    let spec = document.get("spec").cloned().unwrap_or_default();
    let part = |key: &str| spec.get(key).cloned().unwrap_or_else(|| Value::Object(Map::new()));
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    Written {
        kind: kind.to_owned(),
        name: name.to_owned(),
        action: action(&spec),
        matching: part("match"),
        parameters: part("parameters"),
        text: document.to_string(),
    }
}

/// What a violation means. Of several scoped actions the strictest counts, and what is not known denies.
fn action(spec: &Value) -> Decision {
    let one = |name: &str| match name {
        "warn" | "dryrun" => Decision::Warn,
        _ => Decision::Deny,
    };
    match text(spec, "enforcementAction") {
        None => Decision::Deny,
        Some("scoped") => {
            let scoped = spec.get("scopedEnforcementActions").and_then(Value::as_array);
            let actions = scoped.into_iter().flatten().filter_map(|scoped| text(scoped, "action"));
            actions.map(one).max().unwrap_or(Decision::Deny)
        }
        Some(name) => one(name),
    }
}

/// The parameters with what the template's schema gives those that are left out: in a cluster the API server fills
/// them in.
pub(in crate::policy) fn with_defaults(schema: &Value, parameters: &Value) -> Value {
    let mut whole = parameters.clone();
    fill(schema, &mut whole, 0);
    whole
}

fn fill(schema: &Value, value: &mut Value, depth: usize) {
    let (Some(properties), Some(fields)) = (schema.get("properties").and_then(Value::as_object), value.as_object_mut())
    else {
        return;
    };
    for (name, below) in properties.iter().filter(|_| depth < 16) {
        if let Some(default) = below.get("default").filter(|_| !fields.contains_key(name)) {
            fields.insert(name.clone(), default.clone());
        }
        if let Some(there) = fields.get_mut(name) {
            fill(below, there, depth + 1);
        }
    }
}

/// The Rego where it stands in the YAML file, every other line blank: so each line keeps its number. `None` when it
/// does not stand there line by line.
pub(in crate::policy) fn in_place(yaml: &str, rego: &str) -> Option<String> {
    let wanted: Vec<&str> = rego.trim_end().lines().map(str::trim).collect();
    let lines: Vec<&str> = yaml.lines().collect();
    let is_there = |at: usize| {
        wanted.iter().enumerate().all(|(nth, line)| lines.get(at + nth).is_some_and(|there| there.trim() == *line))
    };
    let start = (0..lines.len()).find(|at| is_there(*at)).filter(|_| !wanted.is_empty())?;
    let body = lines.get(start..start + wanted.len())?;
    Some("\n".repeat(start) + &body.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rego_keeps_the_lines_that_it_has_in_its_template() {
        let yaml = "a: 1\nrego: |\n    package x\n\n    violation[m] { m := 1 }\nb: 2\n";
        let placed = in_place(yaml, "package x\n\nviolation[m] { m := 1 }\n").unwrap();
        assert_eq!(placed, "\n\n    package x\n\n    violation[m] { m := 1 }\n");
        assert_eq!(in_place("rego: \"package x\\nv := 1\"", "package x\nv := 1"), None);
    }

    #[test]
    fn the_strictest_action_counts_and_an_unknown_one_denies() {
        let scoped = |actions: &[&str]| {
            let actions: Vec<Value> = actions.iter().map(|action| json!({"action": action})).collect();
            action(&json!({"enforcementAction": "scoped", "scopedEnforcementActions": actions}))
        };
        assert_eq!(action(&json!({})), Decision::Deny);
        assert_eq!(action(&json!({"enforcementAction": "dryrun"})), Decision::Warn);
        assert_eq!(action(&json!({"enforcementAction": "dreirun"})), Decision::Deny);
        assert_eq!(scoped(&["warn", "deny"]), Decision::Deny);
        assert_eq!(scoped(&["warn", "dryrun"]), Decision::Warn);
        assert_eq!(scoped(&[]), Decision::Deny);
    }

    #[test]
    fn parameters_that_are_left_out_get_their_default() {
        let schema = json!({"properties": {"a": {"default": 1}, "b": {"properties": {"c": {"default": "x"}}}}});
        assert_eq!(with_defaults(&schema, &json!({"b": {}})), json!({"a": 1, "b": {"c": "x"}}));
        assert_eq!(with_defaults(&schema, &json!({"a": 2})), json!({"a": 2}));
    }

    #[test]
    fn what_is_no_object_is_data_and_foreign_policies_are_named() {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy"}, {"apiVersion": "v1", "kind": "Pod"}]});
        let found = read(list);
        assert!(
            matches!(&found[..], [Document::Other(what), Document::Object] if what == "ClusterPolicy of kyverno.io")
        );
        assert!(matches!(&read(json!({"kind": "x"}))[..], [Document::Data(_)]));
    }

    #[test]
    fn a_template_without_rego_says_what_it_has() {
        let cel = json!({"spec": {"targets": [{"target": TARGET, "code": [{"engine": "K8sNativeValidation"}]}]}});
        assert_eq!(rego(&cel).unwrap_err(), "its template has no Rego, only code for K8sNativeValidation");
        let both = json!({"spec": {"targets": [{"target": TARGET, "code": [
            {"engine": "K8sNativeValidation"}, {"engine": "Rego", "source": {"rego": "package x", "libs": ["package lib.y"]}}]}]}});
        assert_eq!(rego(&both).unwrap(), ["package x", "package lib.y"]);
    }
}
