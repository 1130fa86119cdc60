//! References to ConfigMaps and keys that do not exist.

use super::super::case::Case;
use super::super::closeness::{only_close, split_hash};
use super::super::{history, refusal};
use crate::model::intent::{FieldEdit, Intent};
use crate::model::path::{Path, Step};
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] =
    &[("configmap-missing", config_map_missing), ("secret-key-missing", secret_key_missing)];

fn config_map_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let wanted = case.text("missing");
    let namespace = case.finding.object.namespace();
    let maps: Vec<_> = case.snapshot.config_maps.iter().filter(|m| m.metadata.namespace == namespace).collect();
    let names: Vec<&str> = maps.iter().map(|map| map.metadata.name.as_str()).collect();
    refuse_early(case, wanted, &names)?;
    let references = references(case, wanted);
    if references.is_empty() {
        let message = format!("{} no longer names ConfigMap {wanted}", case.finding.object);
        return Err(Refusal::new(refusal::DRIFTED, message, "scan again after the rollout"));
    }
    let keys: BTreeSet<&str> = references.iter().flat_map(|r| &r.keys).map(String::as_str).collect();
    let close = only_close(wanted, &names, &[]);
    let fits = close.and_then(|name| {
        let map = maps.iter().find(|map| map.metadata.name == name)?;
        // Unknown keys prove nothing when the pod names some.
        let has_all = match &map.keys {
            Some(there) => keys.iter().all(|key| there.contains(*key)),
            None => keys.is_empty(),
        };
        has_all.then_some(name)
    });
    if let Some(name) = fits.filter(|_| !case.is("worked")) {
        let edits: Vec<FieldEdit> = references.iter().map(|r| case.set(r.path.clone(), json!(name))).collect();
        let review = if keys.is_empty() {
            vec![format!("the pod names no key, so only the name speaks for {name}")]
        } else {
            Vec::new()
        };
        let subject = format!("Take ConfigMap {name} instead of {wanted}");
        let why = format!("ConfigMap {wanted} does not exist; {name} is the only one with a name as close");
        return Ok(vec![case.intent(subject, why, edits, review)]);
    }
    let named = |path: &Path| references.iter().any(|r| r.path == *path || r.path.starts_with(path));
    if let Some(revert) = history::revert(case, named)? {
        let subject = format!("Put back the reference to ConfigMap {wanted}");
        let why = format!("ConfigMap {wanted} does not exist; revision {} names another", revert.from);
        return Ok(vec![case.intent(subject, why, revert.edits, revert.review)]);
    }
    if case.is("worked") {
        return Err(history::worked(case));
    }
    Err(choose(wanted, &names))
}

fn choose(wanted: &str, names: &[&str]) -> Refusal {
    let mut details = vec![format!("create ConfigMap {wanted}")];
    details.extend(names.iter().map(|name| format!("use ConfigMap {name}")));
    let message = format!("ConfigMap {wanted} does not exist and no other is close enough to be meant");
    Refusal::new(refusal::NEEDS_CHOICE, message, "create it, or name one that exists").with_details(details)
}

fn refuse_early(case: &Case<'_>, wanted: &str, names: &[&str]) -> Result<(), Refusal> {
    if names.contains(&wanted) {
        let message = format!("ConfigMap {wanted} exists now");
        return Err(Refusal::new(refusal::DRIFTED, message, "scan again: the kubelet tries again by itself"));
    }
    if case.snapshot.lacks("configmaps") {
        let message = format!("ConfigMap {wanted} does not exist, and which others exist is not known");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "allow `list` on configmaps, or choose a name"));
    }
    let (base, hash) = split_hash(wanted);
    if let Some(other) = names.iter().find(|name| hash.is_some() && split_hash(name).0 == base) {
        let message = format!("{wanted} carries a content hash and {other} is there: the reference is stale");
        return Err(Refusal::new(
            refusal::NOT_IN_GIT,
            message,
            "render and apply the workload and its ConfigMap together",
        ));
    }
    if let Some(owners) = case.fact("owners").and_then(Value::as_array) {
        let mut refusal = choose(wanted, names);
        let named = owners.iter().filter_map(|owner| owner.get("object")?.as_str());
        refusal.details.extend(named.map(|owner| format!("named by {owner}")));
        refusal.message =
            format!("{} name ConfigMap {wanted}, which does not exist", text::count(owners.len(), "workload"));
        return Err(refusal);
    }
    Ok(())
}

/// One place of the live template that names the ConfigMap, and the keys that are named with it.
struct Reference {
    path: Path,
    keys: Vec<String>,
}

/// Every reference of the live template to this ConfigMap: env, envFrom, volumes and projected volumes.
fn references(case: &Case<'_>, name: &str) -> Vec<Reference> {
    let root = case.spec_path();
    let Some(spec) = case.at(&root) else { return Vec::new() };
    let mut out = Vec::new();
    let is_it = |source: Option<&Value>| source.and_then(|s| s.get("name")).and_then(Value::as_str) == Some(name);
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            let here = root.field(list).item(text_of(container, "name"));
            for variable in items(container, "env") {
                let reference = variable.pointer("/valueFrom/configMapKeyRef");
                if is_it(reference) {
                    let path = here.field("env").item(text_of(variable, "name"));
                    let path = path.field("valueFrom").field("configMapKeyRef").field("name");
                    let key = reference.map(|r| text_of(r, "key").to_owned());
                    out.push(Reference { path, keys: key.into_iter().collect() });
                }
            }
            for (at, source) in items(container, "envFrom").enumerate() {
                if is_it(source.get("configMapRef")) {
                    let path = here.field("envFrom").push(Step::Index(at)).field("configMapRef").field("name");
                    out.push(Reference { path, keys: Vec::new() });
                }
            }
        }
    }
    for volume in items(spec, "volumes") {
        let here = root.field("volumes").item(text_of(volume, "name"));
        let mounted = || sub_paths(spec, text_of(volume, "name"));
        if is_it(volume.get("configMap")) {
            let mut keys = item_keys(volume.get("configMap"));
            if keys.is_empty() {
                keys = mounted();
            }
            out.push(Reference { path: here.field("configMap").field("name"), keys });
        }
        for (at, source) in volume.get("projected").into_iter().flat_map(|p| items(p, "sources")).enumerate() {
            if is_it(source.get("configMap")) {
                let path = here.field("projected").field("sources").push(Step::Index(at));
                let keys = item_keys(source.get("configMap"));
                out.push(Reference { path: path.field("configMap").field("name"), keys });
            }
        }
    }
    out
}

fn items<'v>(value: &'v Value, list: &str) -> impl Iterator<Item = &'v Value> {
    value.get(list).and_then(Value::as_array).into_iter().flatten()
}

fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn item_keys(source: Option<&Value>) -> Vec<String> {
    source.into_iter().flat_map(|s| items(s, "items")).map(|item| text_of(item, "key").to_owned()).collect()
}

/// Keys that mounts of a volume name with `subPath`.
fn sub_paths(spec: &Value, volume: &str) -> Vec<String> {
    let containers = ["initContainers", "containers"].into_iter().flat_map(|list| items(spec, list));
    let mounts = containers.flat_map(|container| items(container, "volumeMounts"));
    mounts
        .filter(|mount| text_of(mount, "name") == volume && !text_of(mount, "subPath").is_empty())
        .map(|mount| text_of(mount, "subPath").to_owned())
        .collect()
}

fn secret_key_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (secret, key) = (case.text("secret"), case.text("key"));
    let paths = key_paths(case, secret, key);
    let namespace = case.finding.object.namespace();
    let known = case
        .snapshot
        .secrets
        .iter()
        .find(|s| s.metadata.namespace == namespace && s.metadata.name == secret)
        .and_then(|s| s.keys.as_ref());
    if known.is_some_and(|keys| keys.contains(key)) {
        let message = format!("Secret {secret} has key {key} now");
        return Err(Refusal::new(refusal::DRIFTED, message, "scan again: the kubelet tries again by itself"));
    }
    let keys: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
    let shared = case.fact("owners").is_some();
    if let Some(name) = only_close(key, &keys, &[]).filter(|_| !shared && !case.is("worked") && !paths.is_empty()) {
        let edits = paths.iter().map(|path| case.set(path.clone(), json!(name))).collect();
        let review = vec!["another key of a Secret is another credential".to_owned()];
        let subject = format!("Take key {name} of Secret {secret}");
        let why = format!("Secret {secret} has no key {key}; {name} is the only key with a name as close");
        return Ok(vec![case.intent(subject, why, edits, review)]);
    }
    let named = |path: &Path| paths.iter().any(|p| p == path || p.starts_with(path));
    if let Some(mut revert) = history::revert(case, named)? {
        revert.review.push("another key of a Secret is another credential".to_owned());
        let subject = format!("Put back the key of Secret {secret}");
        let why = format!("Secret {secret} has no key {key}; revision {} names another", revert.from);
        return Ok(vec![case.intent(subject, why, revert.edits, revert.review)]);
    }
    if case.is("worked") {
        return Err(history::worked(case));
    }
    let message = format!("Secret {secret} has no key {key}, and values of Secrets are never made up");
    let hint = match known {
        Some(_) => format!("add {key} to Secret {secret} where it comes from, or name a key that it has"),
        None => format!("add {key} to Secret {secret}; --read-secret-keys lets aifix see which keys it has"),
    };
    let details = keys.iter().map(|key| format!("key {key}")).collect();
    Err(Refusal::new(refusal::NOT_IN_GIT, message, hint).with_details(details))
}

/// Where the live template takes this key of this Secret into a variable.
fn key_paths(case: &Case<'_>, secret: &str, key: &str) -> Vec<Path> {
    let root = case.spec_path();
    let spec = case.pod_spec();
    let mut out = Vec::new();
    for (list, containers) in [("initContainers", &spec.init_containers), ("containers", &spec.containers)] {
        for container in containers {
            let found = crate::diagnose::references(container, "secret", secret);
            let here = root.field(list).item(&container.name);
            out.extend(found.into_iter().filter(|(_, k)| k.as_deref() == Some(key)).map(|(path, _)| here.join(&path)));
        }
    }
    out
}
