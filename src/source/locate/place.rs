//! Where a field goes that no file has yet. No I/O.

use super::candidates::{Source, by_position, known_names, names, objects};
use crate::model::object::ObjectRef;
use crate::model::path::{Path, Step};
use crate::yaml::parse;
use crate::yaml::scalars::{Place, embedded, leaves};
use serde_json::{Map, Value, json};

/// A document that speaks of the object.
#[derive(Debug, Clone, PartialEq)]
pub struct Speaker {
    pub file: String,
    /// The field's place in that file.
    pub place: Place,
    pub layer: usize,
    /// Steps of the field's path that are there already.
    pub depth: usize,
    /// Whether the whole path is there.
    pub holds: bool,
    /// `apiVersion`, `kind`, and `metadata` with name and namespace, as this document says them.
    pub identity: Value,
}

/// Documents that speak of `object`, nearest first, then those that hold most of `path`.
pub fn speakers(sources: &[Source<'_>], object: &ObjectRef, path: &Path) -> Vec<Speaker> {
    let mut found = Vec::new();
    let known = known_names(sources, object);
    for source in sources {
        if let Some(spec) = source.kustomization {
            for (outer, leaf) in leaves(spec) {
                let Some(inner) = embedded(leaf) else { continue };
                let at = |deep| Place { document: 0, path: outer.clone(), inner: Some(deep) };
                found.extend(speaker(source, &inner, &at, object, &known, path));
            }
        } else {
            for (number, value) in parse::all(source.text).unwrap_or_default().iter().enumerate() {
                let at = |path| Place { document: number, path, inner: None };
                found.extend(speaker(source, value, &at, object, &known, path));
            }
        }
    }
    found.sort_by_key(|speaker| (speaker.layer, usize::MAX - speaker.depth));
    found
}

fn speaker(
    source: &Source<'_>,
    document: &Value,
    at: &dyn Fn(Path) -> Place,
    object: &ObjectRef,
    known: &[String],
    path: &Path,
) -> Vec<Speaker> {
    let speaks = objects(document)
        .into_iter()
        .filter(|(_, value)| value["kind"] == object.kind.as_str() && names(value, object, known));
    speaks
        .map(|(prefix, value)| {
            let depth =
                (0..=path.0.len()).rev().find(|n| Path(path.0[..*n].to_vec()).get(value).is_some()).unwrap_or(0);
            let mut metadata = Map::from_iter([("name".to_owned(), value["metadata"]["name"].clone())]);
            if let Some(namespace) = value["metadata"].get("namespace") {
                metadata.insert("namespace".to_owned(), namespace.clone());
            }
            Speaker {
                file: source.path.to_owned(),
                place: at(prefix.join(&by_position(path, value))),
                layer: source.layer,
                depth,
                holds: depth == path.0.len(),
                identity: json!({"apiVersion": value["apiVersion"], "kind": value["kind"], "metadata": metadata}),
            }
        })
        .collect()
}

/// A strategic merge patch that sets `new` at `path`; `None` where such a patch can't name the place.
/// A list without merge keys is written whole, so `current` (the rendered object) is needed.
pub fn patch(identity: &Value, current: &Value, path: &Path, new: Option<&Value>) -> Option<Value> {
    let value = new.cloned().unwrap_or(Value::Null);
    let split = path.0.iter().position(|step| matches!(step, Step::Index(_)));
    let (steps, value) = match split {
        None => (path.0.as_slice(), value),
        Some(at) => {
            let head = Path(path.0[..at].to_vec());
            let mut whole = head.get(current)?.clone();
            let scalars = whole.as_array()?.iter().all(|item| !item.is_object() && !item.is_array());
            if !scalars || at + 1 != path.0.len() || !Path(path.0[at..].to_vec()).set(&mut whole, value) {
                return None;
            }
            (&path.0[..at], whole)
        }
    };
    let body = (0..steps.len()).rev().try_fold(value, |inner, at| {
        Some(match &steps[at] {
            Step::Field(name) => json!({ name.as_str(): inner }),
            Step::Item { key, value } => {
                let Value::Object(fields) = inner else { return None };
                let own = value
                    .parse::<i64>()
                    .ok()
                    .filter(|_| key != "name")
                    .map_or_else(|| Value::from(value.as_str()), Value::from);
                let mut item = Map::from_iter([(key.clone(), own.clone())]);
                item.extend(fields);
                // Kustomize puts the items of a patch first: those above are named, so that they stay above.
                let list = Path(steps[..at].to_vec()).get(current).and_then(Value::as_array);
                let above = list.into_iter().flatten().map(|item| &item[key]).take_while(|name| **name != own);
                let above = above.filter(|name| !name.is_null()).map(|name| json!({ key.as_str(): name }));
                Value::Array(above.chain([Value::Object(item)]).collect())
            }
            Step::Index(_) => return None,
        })
    })?;
    let mut out = identity.clone();
    merge(&mut out, body);
    Some(out)
}

/// Lays `more` over `into`: maps are merged, all else is replaced.
pub(super) fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                match into.get_mut(&key) {
                    Some(known) => merge(known, value),
                    None => {
                        into.insert(key, value);
                    }
                }
            }
        }
        (into, more) => *into = more,
    }
}

/// Whether a patch that names only the items of `path` would move them: kustomize puts them first.
pub fn may_reorder(current: &Value, path: &Path) -> bool {
    (0..path.0.len()).any(|at| {
        let Step::Item { key, value } = &path.0[at] else { return false };
        let list = Path(path.0[..at].to_vec()).get(current).and_then(Value::as_array);
        let is_it = |item: &Value| item[key].as_str().map_or_else(|| item[key].to_string(), str::to_owned) == *value;
        list.is_some_and(|items| items.first().is_some_and(|first| !is_it(first)))
    })
}

/// A patch as YAML text.
pub fn patch_text(patch: &Value) -> Option<String> {
    let text = crate::yaml::edit::render(patch);
    (parse::document(&text).as_ref() == Ok(patch)).then_some(text)
}

/// `web-memory.yaml`: the object's name and the field's.
pub fn patch_name(identity: &Value, path: &Path, taken: impl Fn(&str) -> bool) -> String {
    let field = path.0.iter().rev().find_map(|step| match step {
        Step::Field(name) => Some(name.as_str()),
        _ => None,
    });
    let mut kebab = String::new();
    for c in field.unwrap_or("patch").chars() {
        if c.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    }
    let name: String = identity["metadata"]["name"].as_str().unwrap_or("object").chars().take(60).collect();
    let stem = format!("{name}-{}", kebab.trim_matches('-'));
    let free = (1..).map(|n| if n == 1 { format!("{stem}.yaml") } else { format!("{stem}-{n}.yaml") });
    free.take(100).find(|name| !taken(name)).unwrap_or_else(|| format!("{stem}-aifix.yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_document_that_speaks_of_the_object_is_first() {
        let base = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: web, resources: {}}]}}}\n";
        let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n";
        let other = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: dev}\n";
        let near = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: acme}\nspec: {replicas: 2}\n";
        let prefix = json!({"namePrefix": "acme-"});
        let sources = [
            Source { path: "k.yaml", layer: 0, text: "", kustomization: Some(&prefix) },
            Source { path: "n.yaml", layer: 0, text: near, kustomization: None },
            Source { path: "base/web.yaml", layer: 2, text: base, kustomization: None },
            Source { path: "p.yaml", layer: 0, text: patch, kustomization: None },
            Source { path: "o.yaml", layer: 0, text: other, kustomization: None },
        ];
        let object = ObjectRef::new("apps/v1", "Deployment", "prod", "acme-web");
        let found = speakers(&sources, &object, &Path::of("spec.template.spec.containers[web].resources.limits"));
        let files: Vec<(&str, usize)> = found.iter().map(|speaker| (speaker.file.as_str(), speaker.depth)).collect();
        assert_eq!(files, [("p.yaml", 1), ("base/web.yaml", 6)]);
        assert_eq!(found[1].place.path, Path::of("spec.template.spec.containers[0].resources.limits"));
    }

    #[test]
    fn a_patch_names_only_the_field() {
        let identity = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
        let made = patch(
            &identity,
            &Value::Null,
            &Path::of("spec.template.spec.containers[web].resources.limits.memory"),
            Some(&json!("64Mi")),
        );
        let text = made.as_ref().and_then(patch_text).unwrap_or_default();
        assert_eq!(
            text,
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        resources:\n          limits:\n            memory: 64Mi\n"
        );
    }

    #[test]
    fn a_patch_keeps_the_order_of_named_items() {
        let identity = json!({"kind": "Pod", "metadata": {"name": "a"}});
        let current = json!({"spec": {"containers": [{"name": "proxy", "image": "p"}, {"name": "web",
            "env": [{"name": "A", "value": "1"}]}, {"name": "last"}]}});
        let made = patch(&identity, &current, &Path::of("spec.containers[web].env[B].value"), Some(&json!("$(A)")));
        assert_eq!(
            made.map(|patch| patch["spec"]["containers"].clone()),
            Some(json!([{"name": "proxy"}, {"name": "web", "env": [{"name": "A"}, {"name": "B", "value": "$(A)"}]}]))
        );
    }

    #[test]
    fn a_list_without_names_is_written_whole() {
        let identity = json!({"kind": "Job", "metadata": {"name": "a"}});
        let current = json!({"spec": {"args": ["a", "b"], "rules": [{"x": 1}]}});
        let made = patch(&identity, &current, &Path::of("spec.args[1]"), Some(&json!("c")));
        assert_eq!(made.map(|patch| patch["spec"].clone()), Some(json!({"args": ["a", "c"]})));
        assert_eq!(patch(&identity, &current, &Path::of("spec.rules[0].x"), Some(&json!(2))), None);
    }

    #[test]
    fn a_new_file_gets_a_free_name() {
        let identity = json!({"metadata": {"name": "web"}});
        assert_eq!(patch_name(&identity, &Path::of("spec.readinessProbe"), |_| false), "web-readiness-probe.yaml");
        assert_eq!(patch_name(&identity, &Path::of("a.memory"), |name| name == "web-memory.yaml"), "web-memory-2.yaml");
    }
}
