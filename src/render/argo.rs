//! What an Argo CD Application lays over its folder.
//!
//! Fields: <https://argo-cd.readthedocs.io/en/stable/user-guide/application-specification/>.

use super::control::{Control, Laid, items};
use super::inputs::unsafe_yaml;
use super::roots::{Root, join, kustomization_file};
use crate::model::proposal::Tool;
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use crate::yaml::parse;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Applies `spec.source.kustomize` to the folder's kustomization, as `kustomize edit` does.
pub(super) fn lay(control: &Control, said: &Value, tree: &mut Tree, root: &Root) -> Result<Laid, Refusal> {
    let mut laid = Laid::new(root);
    let mut source = source(&said["spec"], control.source).clone();
    for file in overrides(root, control) {
        if let Some(text) = tree.text(&file) {
            let more = parse::document(text).map_err(|error| unsafe_yaml(&file, &error))?;
            merge(&mut source, &more);
        }
    }
    let spec = &source["kustomize"];
    let (Tool::Kustomize, Some(file), true) = (root.tool, kustomization_file(tree, &root.path), spec.is_object())
    else {
        return Ok(laid);
    };
    let text = tree.text(&file).unwrap_or_default();
    let before = parse::document(text).map_err(|error| unsafe_yaml(&file, &error))?;
    let mut after = before.clone();
    write(&mut after, spec);
    if after != before {
        tree.entries.insert(file, Entry::File(Arc::from(after.to_string().as_bytes())));
    }
    laid.root.tool = Tool::Kustomize;
    Ok(laid)
}

/// The source that a number means: `spec.sources` counts when it is there, else `spec.source`.
pub(super) fn source(spec: &Value, number: usize) -> &Value {
    match spec["sources"].as_array().filter(|all| !all.is_empty()) {
        Some(all) => all.get(number).unwrap_or(&Value::Null),
        None => &spec["source"],
    }
}

/// Files in the folder that are merged over the Application, in this order.
pub(super) fn overrides(root: &Root, control: &Control) -> [String; 3] {
    let (namespace, name) = (control.object.namespace(), &control.object.name);
    // An Application outside of Argo CD's own namespace is called `<namespace>_<name>`.
    let of = |name: &str| join(&root.path, &format!(".argocd-source{name}.yaml"));
    [of(""), of(&format!("-{name}")), of(&format!("-{namespace}_{name}"))]
}

/// The file beside a chart that changes how an Application releases it.
pub fn released_by(tree: &Tree, root: &Root, control: &Control) -> Option<String> {
    let says = |file: &String| {
        // What can't be read may say it.
        tree.text(file).is_some_and(|text| parse::document(text).map_or(true, |more| more.get("helm").is_some()))
    };
    overrides(root, control).into_iter().filter(|_| control.object.kind == "Application").find(says)
}

/// A JSON merge patch (RFC 7396).
fn merge(into: &mut Value, more: &Value) {
    let Some(more) = more.as_object() else {
        into.clone_from(more);
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in more {
        if value.is_null() {
            into.as_object_mut().and_then(|map| map.shift_remove(key));
        } else {
            merge(&mut into[key.as_str()], value);
        }
    }
}

fn write(into: &mut Value, spec: &Value) {
    for field in ["namePrefix", "nameSuffix", "namespace"] {
        if let Some(text) = spec[field].as_str().filter(|text| !text.is_empty()) {
            into[field] = json!(text);
        }
    }
    let mut fields = vec!["commonAnnotations"];
    match (&spec["commonLabels"], spec["labelWithoutSelector"] == true) {
        (Value::Object(pairs), true) => {
            let mut all = into["labels"].as_array().cloned().unwrap_or_default();
            let in_templates = spec["labelIncludeTemplates"] == true;
            all.push(json!({"pairs": pairs, "includeSelectors": false, "includeTemplates": in_templates}));
            into["labels"] = Value::Array(all);
        }
        _ => fields.push("commonLabels"),
    }
    for field in fields {
        if let Some(pairs) = spec[field].as_object() {
            let known = into[field].as_object().cloned().unwrap_or_default();
            into[field] = Value::Object(known.into_iter().chain(pairs.clone()).collect());
        }
    }
    for text in items(&spec["images"]).filter_map(Value::as_str) {
        set_image(into, text);
    }
    for replica in items(&spec["replicas"]) {
        put(into, "replicas", replica.clone());
    }
    for field in ["patches", "components"] {
        let known = into[field].as_array().cloned().unwrap_or_default();
        let all: Vec<Value> = known.into_iter().chain(items(&spec[field]).cloned()).collect();
        if !all.is_empty() {
            into[field] = json!(all);
        }
    }
}

/// `kustomize edit set image`: `name=new:tag`, `name:tag`, `name@digest`.
fn set_image(into: &mut Value, text: &str) {
    let (name, image) = match text.split_once('=') {
        Some((name, image)) => (Some(name), image),
        None => (None, text),
    };
    let (rest, digest) = image.split_once('@').map_or((image, None), |(rest, digest)| (rest, Some(digest)));
    let (own, tag) = match rest.rsplit_once(':') {
        Some((own, tag)) if !tag.contains('/') => (own, Some(tag)),
        _ => (rest, None),
    };
    let mut entry = Map::from_iter([("name".to_owned(), json!(name.unwrap_or(own)))]);
    if name.is_some_and(|name| name != own) {
        entry.insert("newName".to_owned(), json!(own));
    }
    for (key, value) in [("newTag", tag), ("digest", digest)] {
        entry.extend(value.map(|value| (key.to_owned(), json!(value))));
    }
    put(into, "images", Value::Object(entry));
}

/// Takes the place of the entry of the same name.
fn put(into: &mut Value, field: &str, entry: Value) {
    let mut all = into[field].as_array().cloned().unwrap_or_default();
    match all.iter_mut().find(|known| known["name"] == entry["name"]) {
        Some(known) => *known = entry,
        None => all.push(entry),
    }
    into[field] = Value::Array(all);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_are_written_as_kustomize_edit_does() {
        let mut known = json!({"images": [{"name": "web", "newTag": "1"}], "replicas": [{"name": "web", "count": 1}]});
        let spec = json!({"images": ["web=r.example.com:5000/web:2", "db@sha256:1", "x:3"],
            "replicas": [{"name": "web", "count": 4}], "namePrefix": "p-", "commonLabels": {"a": "b"}});
        write(&mut known, &spec);
        assert_eq!(
            known["images"],
            json!([{"name": "web", "newName": "r.example.com:5000/web", "newTag": "2"},
                {"name": "db", "digest": "sha256:1"}, {"name": "x", "newTag": "3"}])
        );
        assert_eq!(known["replicas"], json!([{"name": "web", "count": 4}]));
        assert_eq!((&known["namePrefix"], &known["commonLabels"]["a"]), (&json!("p-"), &json!("b")));
    }

    #[test]
    fn labels_may_leave_selectors_alone() {
        let mut known = json!({});
        write(&mut known, &json!({"commonLabels": {"a": "b"}, "labelWithoutSelector": true}));
        let wanted = json!([{"pairs": {"a": "b"}, "includeSelectors": false, "includeTemplates": false}]);
        assert_eq!(known, json!({ "labels": wanted }));
    }

    #[test]
    fn sources_count_before_the_single_source() {
        let spec = json!({"source": {"path": "a"}, "sources": [{"path": "b"}, {"path": "c"}]});
        assert_eq!(source(&spec, 1)["path"], "c");
        assert_eq!(source(&json!({"source": {"path": "a"}}), 0)["path"], "a");
    }

    #[test]
    fn an_override_file_is_a_merge_patch() {
        let mut source = json!({"path": "a", "kustomize": {"images": ["a:1"], "namePrefix": "x"}});
        merge(&mut source, &json!({"kustomize": {"images": ["a:2"], "namePrefix": null}}));
        assert_eq!(source, json!({"path": "a", "kustomize": {"images": ["a:2"]}}));
    }
}
