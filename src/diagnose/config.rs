//! ConfigMaps and Secrets that are named and are not there.

use super::observe::Observation;
use super::view::{Running, View};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::Source;
use crate::model::kube::Container;
use crate::model::path::{Path, Step};
use crate::text;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

pub(crate) static CONFIGMAP_MISSING: CodeInfo = CodeInfo {
    name: "configmap-missing",
    family: "config",
    title: "a container takes its environment from a ConfigMap that does not exist",
    meaning: "The kubelet cannot create the container because a ConfigMap that it names in env or envFrom, and does not \
              mark as optional, is not in the namespace.",
    signals: "state.waiting.reason CreateContainerConfigError with `configmap \"N\" not found`.",
    causes: "A mistyped name, a ConfigMap that was renamed or deleted, a manifest that was not applied.",
    class: FixClass::Rule,
    fix: "When exactly one ConfigMap of the namespace has a name that differs only by a typo and has every key the pod \
          names, every reference is set to it; or the reference of the last good revision is put back. Otherwise it \
          lists the ConfigMaps and refuses.",
};

pub(crate) static SECRET_KEY_MISSING: CodeInfo = CodeInfo {
    name: "secret-key-missing",
    family: "config",
    title: "a container takes a variable from a key that the Secret does not have",
    meaning: "The kubelet cannot create the container because the Secret exists and the named key is not in it.",
    signals: "state.waiting.reason CreateContainerConfigError with `couldn't find key K in Secret NS/N`.",
    causes: "A mistyped key, a key that was renamed when the credential was rotated, a Secret made by another tool.",
    class: FixClass::Rule,
    fix: "Puts back the key of the last good revision, or, with --read-secret-keys, the only key that differs by a \
          typo. A person always looks: another key is another credential. Values of Secrets are never read or changed.",
};

/// Rows of this family.
pub(crate) const CODES: &[&CodeInfo] = &[&CONFIGMAP_MISSING, &SECRET_KEY_MISSING];

/// A missing reference may be created a moment later.
const SETTLING: i64 = 15;

static NO_CONFIG_MAP: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^(?:Error: )?configmap "([^"]+)" not found$"#).ok());
static NO_SECRET_KEY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:Error: )?couldn't find key (\S+) in Secret ([^/\s]+)/(\S+)$").ok());

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let containers = view.subjects().flat_map(super::view::Subject::containers);
    containers
        .filter(|container| container.waiting() == "CreateContainerConfigError")
        .filter_map(|container| {
            let seen = config_map(&container).or_else(|| secret_key(&container))?;
            seen.settle(view.settled(container.at.pod.metadata.creation_timestamp, SETTLING))
        })
        .collect()
}

fn config_map(container: &Running<'_, '_>) -> Option<Observation> {
    let message = container.waiting_message().trim();
    let name = NO_CONFIG_MAP.as_ref()?.captures(message)?.get(1)?.as_str();
    let snapshot = container.at.view.snapshot;
    let namespace = &container.at.pod.metadata.namespace;
    let there: BTreeSet<&str> = snapshot
        .config_maps
        .iter()
        .filter(|map| map.metadata.namespace == *namespace)
        .map(|map| map.metadata.name.as_str())
        .collect();
    let mut seen = Observation::of_container(&CONFIGMAP_MISSING, container);
    if snapshot.lacks("configmaps") {
        // Which name is the closest is then not known.
        seen.class = FixClass::Ask;
    }
    seen.message = message.to_owned();
    seen.summary = match text::nearest(name, there.iter().copied()) {
        Some(near) => format!("ConfigMap {name} does not exist; {near} does"),
        None => format!("ConfigMap {name} does not exist"),
    };
    explain(&mut seen, container, message, &format!("ConfigMap/{name}"));
    for (path, key) in container.spec.iter().flat_map(|c| references(c, "configMap", name)) {
        let what = key.map_or_else(|| format!("every key of {name}"), |key| format!("key {key} of {name}"));
        seen.show(Source::Spec, None, &what, Some(container.path().join(&path)));
    }
    seen.fact("missing", name);
    seen.fact("worked", container.started_in_revision());
    Some(seen)
}

fn secret_key(container: &Running<'_, '_>) -> Option<Observation> {
    let message = container.waiting_message().trim();
    let found = NO_SECRET_KEY.as_ref()?.captures(message)?;
    let (key, name) = (found.get(1)?.as_str(), found.get(3)?.as_str());
    let mut seen = Observation::of_container(&SECRET_KEY_MISSING, container);
    seen.message = message.to_owned();
    seen.summary = format!("Secret {name} has no key {key}");
    explain(&mut seen, container, message, &format!("Secret/{name}"));
    let wanted = Some(key.to_owned());
    for (path, _) in container.spec.iter().flat_map(|c| references(c, "secret", name)).filter(|(_, k)| *k == wanted) {
        seen.show(Source::Spec, None, &format!("key {key} of {name}"), Some(container.path().join(&path)));
    }
    seen.fact("missing", format!("{name}/{key}"));
    seen.fact("secret", name);
    seen.fact("key", key);
    seen.fact("worked", container.started_in_revision());
    Some(seen)
}

fn explain(seen: &mut Observation, container: &Running<'_, '_>, message: &str, object: &str) {
    seen.show(Source::Status, None, &format!("CreateContainerConfigError: {message}"), None);
    let failed: Vec<_> = container.events().filter(|e| e.reason == "Failed" && e.text().contains(message)).collect();
    if let Some(event) = failed.last() {
        seen.show_event(event);
        seen.since = failed.iter().filter_map(|e| e.first_seen()).min().or(seen.since);
    }
    seen.fact("object", object);
}

/// Where a container names an object of `kind` (`configMap`, `secret`): the path of the name or the key
/// below the container, and the key when one is named.
pub fn references(container: &Container, kind: &str, name: &str) -> Vec<(Path, Option<String>)> {
    let mut out = Vec::new();
    let (key_ref, whole_ref) = (format!("{kind}KeyRef"), format!("{kind}Ref"));
    for variable in &container.env {
        let Some(reference) = variable.value_from.as_ref().and_then(|from| from.get(&key_ref)) else { continue };
        if reference.get("name").and_then(serde_json::Value::as_str) == Some(name) {
            let key = reference.get("key").and_then(serde_json::Value::as_str).map(str::to_owned);
            let leaf = if kind == "secret" { "key" } else { "name" };
            let path = Path::of("env").item(&variable.name).field("valueFrom").field(&key_ref).field(leaf);
            out.push((path, key));
        }
    }
    for (at, source) in container.env_from.iter().enumerate() {
        let named = source.get(&whole_ref).and_then(|reference| reference.get("name"));
        if named.and_then(serde_json::Value::as_str) == Some(name) {
            out.push((Path::of("envFrom").push(Step::Index(at)).field(&whole_ref).field("name"), None));
        }
    }
    out
}
