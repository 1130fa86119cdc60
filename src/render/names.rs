//! Names that kustomize makes, and objects found by name.

use super::compare::reference;
use crate::model::object::ObjectRef;
use serde_json::Value;

/// Characters of a hash suffix: hexadecimal with look-alikes replaced
/// (kustomize `api/hasher/hasher.go`, kept from kubectl).
const HASH: &str = "2456789bcdfghkmt";

/// The name without a generator's hash suffix: `web-config-thctc996df` is `web-config`.
pub fn without_hash(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((head, hash)) if hash.len() == 10 && hash.chars().all(|c| HASH.contains(c)) && !head.is_empty() => head,
        _ => name,
    }
}

/// Names that are followed at most.
const NAMES: usize = 64;

/// What a rendered name may be called in the files: itself, without its hash, and without what `specs`
/// (kustomizations, nearest first) declare to put around it.
pub fn originals<'v>(name: &str, specs: impl IntoIterator<Item = &'v Value>) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    if without_hash(name) != name {
        names.push(without_hash(name).to_owned());
    }
    for spec in specs {
        for known in names.clone() {
            let prefix = spec["namePrefix"].as_str().and_then(|prefix| known.strip_prefix(prefix));
            let suffix = spec["nameSuffix"].as_str().and_then(|suffix| known.strip_suffix(suffix));
            let both = prefix.and_then(|rest| rest.strip_suffix(spec["nameSuffix"].as_str()?));
            names.extend([prefix, suffix, both].into_iter().flatten().map(str::to_owned));
        }
        names.truncate(NAMES);
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The object in a render: by name, else by its name without hash. A render without namespace
/// is applied with `kubectl -n`.
pub fn find<'r>(objects: &'r [Value], wanted: &ObjectRef) -> Option<&'r Value> {
    let fits = |object: &ObjectRef| {
        let namespace = object.namespace.is_none() || object.namespace == wanted.namespace;
        object.group == wanted.group && object.kind == wanted.kind && namespace
    };
    let known: Vec<(ObjectRef, &Value)> = objects
        .iter()
        .filter_map(|value| Some((reference(value)?, value)))
        .filter(|(object, _)| fits(object))
        .collect();
    let stem = without_hash(&wanted.name);
    let by = |name: &dyn Fn(&ObjectRef) -> bool| {
        let mut fitting = known.iter().filter(|(object, _)| name(object));
        fitting
            .clone()
            .find(|(object, _)| object.namespace == wanted.namespace)
            .or_else(|| fitting.next())
            .map(|(_, value)| *value)
    };
    by(&|object| object.name == wanted.name)
        .or_else(|| (stem != wanted.name).then(|| by(&|object| without_hash(&object.name) == stem)).flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_declared_is_taken_off_a_name() {
        let specs = [json!({"namePrefix": "eu-"}), json!({"namePrefix": "shop-", "nameSuffix": "-v2"})];
        let names = originals("eu-shop-web-v2-thctc996df", &specs);
        assert!(["web", "eu-shop-web-v2"].iter().all(|name| names.iter().any(|known| known == name)), "{names:?}");
        assert_eq!(originals("web-admin", []), ["web-admin"]);
    }

    #[test]
    fn only_a_hash_is_taken_off() {
        assert_eq!(without_hash("web-config-thctc996df"), "web-config");
        for name in ["web-config", "web-production", "web-0123456789", "-thctc996df", "web-thctc996d"] {
            assert_eq!(without_hash(name), name);
        }
    }

    fn config(name: &str, namespace: Option<&str>) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}})
    }

    #[test]
    fn the_object_is_found_by_namespace_name_and_stem() {
        let objects = [
            config("a", Some("dev")),
            config("a", None),
            config("a", Some("prod")),
            config("c-thctc996df", Some("prod")),
        ];
        let at =
            |name| find(&objects, &ObjectRef::new("v1", "ConfigMap", "prod", name)).map(|found| &found["metadata"]);
        assert_eq!(at("a"), Some(&objects[2]["metadata"]));
        assert_eq!(at("c-26b8dfm5tk"), Some(&objects[3]["metadata"]));
        assert_eq!(at("c"), None);
        assert!(find(&objects[..1], &ObjectRef::new("v1", "ConfigMap", "prod", "a")).is_none());
    }
}
