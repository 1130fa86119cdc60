//! Differences between objects, leaf by leaf.

use crate::model::object::ObjectRef;
use crate::model::path::{Path, Step};
use crate::model::proposal::Delta;
use crate::model::quantity::Quantity;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Leaves that differ between two renders of the same input; never compared.
pub type Noise = BTreeSet<(String, Path)>;

/// Keys that name an item of a list, in the order they are tried
/// (`x-kubernetes-patch-merge-key` of the built-in kinds).
const MERGE_KEYS: [&str; 7] = ["name", "mountPath", "devicePath", "containerPort", "port", "ip", "topologyKey"];

/// Which object a value is; `None` without kind or name.
pub fn reference(value: &Value) -> Option<ObjectRef> {
    let metadata = value.get("metadata")?;
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    Some(ObjectRef::new(value["apiVersion"].as_str()?, value["kind"].as_str()?, namespace, metadata["name"].as_str()?))
}

fn key(object: &ObjectRef) -> String {
    format!("{}/{}/{}/{}", object.group, object.kind, object.namespace(), object.name)
}

/// The step that names item `at` of a list: by merge key when every item has another value of it.
fn step(items: &[Value], at: usize) -> Step {
    for key in MERGE_KEYS {
        let texts: Vec<Option<String>> = items
            .iter()
            .map(|item| match item.get(key) {
                Some(Value::String(text)) => Some(text.clone()),
                Some(Value::Number(number)) => Some(number.to_string()),
                _ => None,
            })
            .collect();
        let all: BTreeSet<&String> = texts.iter().flatten().collect();
        if let (true, Some(Some(value))) = (all.len() == items.len(), texts.get(at)) {
            return Step::Item { key: key.to_owned(), value: value.clone() };
        }
    }
    Step::Index(at)
}

/// All leaves of an object; list items by merge key. Empty maps and lists are leaves.
pub fn leaves(value: &Value) -> Vec<(Path, &Value)> {
    fn walk<'v>(value: &'v Value, at: &Path, out: &mut Vec<(Path, &'v Value)>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    walk(value, &at.push(Step::Field(key.clone())), out);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &at.push(step(items, index)), out);
                }
            }
            leaf => out.push((at.clone(), leaf)),
        }
    }
    let mut out = Vec::new();
    walk(value, &Path::default(), &mut out);
    out
}

/// The same place with list items named as [`leaves`] names them. Steps that are not there stay.
pub fn canonical(path: &Path, root: &Value) -> Path {
    let mut here = Some(root);
    let mut steps = Vec::new();
    for taken in &path.0 {
        let one = Path(vec![taken.clone()]);
        let named = match (here.and_then(Value::as_array), taken) {
            (Some(items), Step::Index(_) | Step::Item { .. }) => {
                let found = here.and_then(|list| one.get(list));
                let at = found.and_then(|found| items.iter().position(|item| std::ptr::eq(item, found)));
                at.map_or_else(|| taken.clone(), |at| step(items, at))
            }
            _ => taken.clone(),
        };
        here = here.and_then(|value| one.get(value));
        steps.push(named);
    }
    Path(steps)
}

/// Every leaf that two renders differ in, noise left out. A whole object that comes or goes
/// is one delta with an empty path.
pub fn diff(before: &[Value], after: &[Value], noise: &Noise) -> Vec<Delta> {
    let (old, new) = (by_key(before), by_key(after));
    let mut out = Vec::new();
    for (key, (object, old)) in &old {
        match new.get(key) {
            None => out.push(whole(object, Some(old), None)),
            Some((_, new)) => out.extend(
                diff_objects(object, old, new)
                    .into_iter()
                    .filter(|delta| !noise.contains(&(key.clone(), delta.path.clone()))),
            ),
        }
    }
    out.extend(
        new.iter().filter(|(key, _)| !old.contains_key(*key)).map(|(_, (object, new))| whole(object, None, Some(new))),
    );
    out
}

/// What differs between two renders of the same input.
pub fn noise(first: &[Value], second: &[Value]) -> Noise {
    diff(first, second, &Noise::new()).into_iter().map(|delta| (key(&delta.object), delta.path)).collect()
}

/// Noise as people read it, the first few.
pub fn masked(noise: &Noise) -> Vec<String> {
    const LISTED: usize = 10;
    let shown = |(key, path): &(String, Path)| {
        let parts: Vec<&str> = key.splitn(4, '/').collect();
        match parts.as_slice() {
            [_, kind, "", name] => format!("{kind} {name} {path}"),
            [_, kind, namespace, name] => format!("{kind} {namespace}/{name} {path}"),
            _ => format!("{key} {path}"),
        }
    };
    noise.iter().take(LISTED).map(shown).collect()
}

fn by_key(objects: &[Value]) -> BTreeMap<String, (ObjectRef, &Value)> {
    let named = objects.iter().filter_map(|value| reference(value).map(|object| (object, value)));
    named.map(|(object, value)| (key(&object), (object, value))).collect()
}

fn whole(object: &ObjectRef, old: Option<&Value>, new: Option<&Value>) -> Delta {
    Delta { object: object.clone(), path: Path::default(), old: old.cloned(), new: new.cloned() }
}

/// Whether a delta says that the items of a list stand in another order: both sides are lists of names.
/// Leaves are never such lists.
pub fn is_order(delta: &Delta) -> bool {
    let list = |side: &Option<Value>| side.as_ref().and_then(Value::as_array).is_some_and(|items| !items.is_empty());
    !delta.path.0.is_empty() && list(&delta.old) && list(&delta.new)
}

/// The key and the names of a list whose items have names.
fn item_names(value: &Value) -> Option<(String, Vec<String>)> {
    let items = value.as_array()?;
    let Step::Item { key, .. } = step(items, 0) else { return None };
    let name = |item: &Value| item[&key].as_str().map_or_else(|| item[&key].to_string(), str::to_owned);
    Some((key.clone(), items.iter().map(name).collect()))
}

/// Lists whose common items stand in another order, with those items' names in both orders.
fn orders(old: &Value, new: &Value) -> Vec<(Path, Vec<String>, Vec<String>)> {
    fn walk(old: &Value, new: &Value, at: &Path, out: &mut Vec<(Path, Vec<String>, Vec<String>)>) {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => {
                for (key, old) in old {
                    if let Some(new) = new.get(key) {
                        walk(old, new, &at.field(key), out);
                    }
                }
            }
            (Value::Array(a), Value::Array(b)) => match (item_names(old), item_names(new)) {
                (Some((key, before)), Some((other, after))) if key == other => {
                    let common = |names: &[String], among: &[String]| -> Vec<String> {
                        names.iter().filter(|name| among.contains(name)).cloned().collect()
                    };
                    let (first, second) = (common(&before, &after), common(&after, &before));
                    if first != second {
                        out.push((at.clone(), first, second));
                    }
                    for (name, item) in before.iter().zip(a) {
                        if let Some(other) = after.iter().position(|after| after == name) {
                            walk(item, &b[other], &at.push(Step::Item { key: key.clone(), value: name.clone() }), out);
                        }
                    }
                }
                _ => a.iter().zip(b).enumerate().for_each(|(n, (a, b))| walk(a, b, &at.index(n), out)),
            },
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(old, new, &Path::default(), &mut out);
    out
}

/// Leaves that two states of one object differ in, except its own name, and lists in another order ([`is_order`]).
pub fn diff_objects(object: &ObjectRef, old: &Value, new: &Value) -> Vec<Delta> {
    let (before, after) = (leaves(old), leaves(new));
    let known: BTreeMap<&Path, &Value> = after.iter().map(|(path, value)| (path, *value)).collect();
    let had: BTreeSet<&Path> = before.iter().map(|(path, _)| path).collect();
    let mut out = Vec::new();
    for (path, value) in &before {
        let new = known.get(path).copied();
        if new != Some(value) {
            out.push(Delta {
                object: object.clone(),
                path: path.clone(),
                old: Some((*value).clone()),
                new: new.cloned(),
            });
        }
    }
    for (path, value) in after.iter().filter(|(path, _)| !had.contains(path)) {
        out.push(Delta { object: object.clone(), path: path.clone(), old: None, new: Some((*value).clone()) });
    }
    out.extend(orders(old, new).into_iter().map(|(path, old, new)| Delta {
        object: object.clone(),
        path,
        old: Some(Value::from(old)),
        new: Some(Value::from(new)),
    }));
    out
}

/// Whether the live value is what Kubernetes stores for the rendered one.
pub fn same_value(path: &Path, rendered: &Value, live: Option<&Value>) -> bool {
    let Some(live) = live else { return is_zero(rendered) };
    if rendered == live {
        return true;
    }
    match (rendered, live) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        // Int-or-string: the text decides. Quantities: the amount.
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number))
            if number.to_string() == *text =>
        {
            true
        }
        _ if holds_quantity(path) => {
            let (a, b) = (Quantity::of(rendered), Quantity::of(live));
            a.is_some() && a == b
        }
        _ => false,
    }
}

/// Whether two written values are one: numbers by value, quantities by amount, all else exactly.
/// `8080` and `"8080"` are two: a port by number, and a port by name.
pub fn same_written(path: &Path, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ if a == b => true,
        _ if holds_quantity(path) => Quantity::of(a).is_some() && Quantity::of(a) == Quantity::of(b),
        _ => false,
    }
}

/// The API server leaves zero values out of what it stores.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) => false,
    }
}

fn holds_quantity(path: &Path) -> bool {
    let names =
        ["limits", "requests", "hard", "capacity", "sizeLimit", "divisor", "averageValue", "overhead", "storage"];
    path.0.iter().any(|step| matches!(step, Step::Field(name) if names.contains(&name.as_str())))
}

/// One leaf that the render and the live object do not agree on.
#[derive(Debug, Clone, PartialEq)]
pub struct Disagreement {
    pub path: Path,
    pub rendered: Value,
    pub live: Option<Value>,
    /// A list in another order; both sides are its names.
    pub order: bool,
}

/// Lists whose order Kubernetes follows: starts, and `$(NAME)` of what stands above.
const ORDERED: [&str; 3] = ["containers", "initContainers", "env"];

/// Rendered leaves that the live object does not have. What only the live object has
/// (defaults, injected containers, tracking labels) does not count. The order of containers and of `env` does.
pub fn disagreements(rendered: &Value, live: &Value) -> Vec<Disagreement> {
    let ignored = [
        Path::of("apiVersion"),
        Path::of("status"),
        Path::of("metadata.creationTimestamp"),
        Path::of("metadata.namespace"),
    ];
    let ordered = |path: &Path| matches!(path.0.last(), Some(Step::Field(name)) if ORDERED.contains(&name.as_str()));
    let moved = orders(rendered, live).into_iter().filter(|(path, ..)| ordered(path));
    let moved = moved.map(|(path, rendered, live)| Disagreement {
        path,
        rendered: Value::from(rendered),
        live: Some(Value::from(live)),
        order: true,
    });
    let values = leaves(rendered)
        .into_iter()
        .filter(|(path, _)| !ignored.iter().any(|prefix| path.starts_with(prefix)))
        .filter_map(|(path, value)| {
            let found = path.get(live);
            let same = same_value(&path, value, found);
            (!same).then(|| Disagreement { path, rendered: value.clone(), live: found.cloned(), order: false })
        });
    values.chain(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(memory: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "p"},
            "spec": {"containers": [{"name": "side"}, {"name": "web", "resources": {"limits": {"memory": memory}}}]}})
    }

    #[test]
    fn a_leaf_is_named_by_merge_key() {
        let delta = diff(&[pod("64Mi")], &[pod("128Mi")], &Noise::new());
        assert_eq!(delta.len(), 1);
        assert_eq!(delta[0].path.to_string(), "spec.containers[web].resources.limits.memory");
        assert_eq!((delta[0].object.qualified().as_str(), &delta[0].new), ("Pod p/a", &Some(json!("128Mi"))));
    }

    #[test]
    fn the_order_of_named_items_is_a_difference() {
        let list = |names: &[&str]| {
            let items: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"initContainers": items}})
        };
        let delta = diff(&[list(&["a", "b", "c"])], &[list(&["new", "b", "a"])], &Noise::new());
        let moved: Vec<&Delta> = delta.iter().filter(|delta| is_order(delta)).collect();
        assert_eq!(moved.len(), 1, "{delta:?}");
        assert_eq!(moved[0].path, Path::of("spec.initContainers"));
        assert_eq!((&moved[0].old, &moved[0].new), (&Some(json!(["a", "b"])), &Some(json!(["b", "a"]))));
        assert!(!diff(&[list(&["a", "b"])], &[list(&["a", "new", "b"])], &Noise::new()).iter().any(is_order));
        assert_eq!(disagreements(&list(&["a", "b"]), &list(&["b", "injected", "a"])).len(), 1);
        assert_eq!(disagreements(&list(&["a", "b"]), &list(&["a", "injected", "b"])), []);
    }

    #[test]
    fn noise_is_masked_and_nothing_else() {
        let (a, b) = ([pod("1"), pod("x")], [pod("2")]);
        let mask = noise(&a[..1], &b);
        assert!(diff(&a[..1], &b, &mask).is_empty());
        assert_eq!(masked(&mask), ["Pod p/a spec.containers[web].resources.limits.memory"]);
        let mut other = pod("3");
        other["spec"]["x"] = json!(1);
        assert_eq!(diff(&b, &[other], &mask).len(), 1);
    }

    #[test]
    fn defaults_units_and_injected_containers_are_no_disagreement() {
        let rendered = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {}},
            "spec": {"hostNetwork": false, "containers": [{"name": "web", "ports": [{"containerPort": 80}],
                "resources": {"limits": {"memory": "0.5Gi", "cpu": 1}}, "env": [{"name": "A", "value": ""}]}]}});
        let mut live = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "p", "uid": "1"},
            "spec": {"dnsPolicy": "x", "containers": [{"name": "sidecar"}, {"name": "web", "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "resources": {"limits": {"memory": "512Mi", "cpu": "1"}}, "env": [{"name": "A"}]}]}});
        assert_eq!(disagreements(&rendered, &live), []);
        live["spec"]["containers"][1]["resources"]["limits"]["memory"] = json!("1Gi");
        let paths: Vec<String> = disagreements(&rendered, &live).iter().map(|d| d.path.to_string()).collect();
        assert_eq!(paths, ["spec.containers[web].resources.limits.memory"]);
    }

    #[test]
    fn text_is_no_quantity_outside_resources() {
        assert!(!same_value(&Path::of("metadata.labels.v"), &json!("1.10"), Some(&json!("1.1"))));
        assert!(same_value(&Path::of("spec.ports[0].targetPort"), &json!(80), Some(&json!("80"))));
        assert!(!same_value(&Path::of("spec.x"), &json!(true), None));
    }

    #[test]
    fn a_path_by_position_gets_the_name_of_its_item() {
        assert_eq!(
            canonical(&Path::of("spec.containers[1].image"), &pod("1")).to_string(),
            "spec.containers[web].image"
        );
        assert_eq!(
            canonical(&Path::of("spec.containers[new].image"), &pod("1")).to_string(),
            "spec.containers[new].image"
        );
    }
}
