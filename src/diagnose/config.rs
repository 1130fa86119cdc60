//! ConfigMaps and Secrets that are named and are not there.

mod expand;
pub(crate) mod rows;
mod subpath;
mod volume;

use super::observe::Observation;
use super::view::{Running, View};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::Source;
use crate::model::kube::{Container, Keyed};
use crate::model::path::{Path, Step};
use crate::model::snapshot::Snapshot;
use crate::text;
use regex::Regex;
pub(crate) use rows::CODES;
use std::collections::BTreeSet;
use std::sync::LazyLock;
pub(crate) use volume::{MountFailure, failures as mount_failures};

/// A missing reference may be created a moment later.
const SETTLING: i64 = 15;

static NO_OBJECT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^(?:Error: )?(configmap|secret) "([^"]+)" not found$"#).ok());
static NO_KEY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:Error: )?couldn't find key (\S+) in (ConfigMap|Secret) ([^/\s]+)/(\S+)$").ok());
/// The suffix that kustomize's generators add.
static HASHED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(.+)-([a-z0-9]{10})$").ok());

/// A ConfigMap or a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ConfigMap,
    Secret,
}

impl Kind {
    /// Reads `configmap`, `ConfigMap`, `secret`, `Secret`.
    pub(crate) fn of(text: &str) -> Self {
        if text.eq_ignore_ascii_case("secret") { Self::Secret } else { Self::ConfigMap }
    }

    /// As the API spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    /// As field names begin: `configMapKeyRef`, `secretRef`.
    fn field(self) -> &'static str {
        match self {
            Self::ConfigMap => "configMap",
            Self::Secret => "secret",
        }
    }

    /// The list that was asked for; Secrets are not listed by default.
    fn is_listed(self, snapshot: &Snapshot) -> bool {
        match self {
            Self::ConfigMap => !snapshot.lacks("configmaps"),
            Self::Secret => !snapshot.secrets.is_empty(),
        }
    }

    /// Every object of this kind in a namespace that was seen.
    pub(crate) fn all<'s>(self, snapshot: &'s Snapshot, namespace: &str) -> impl Iterator<Item = &'s Keyed> {
        let list = match self {
            Self::ConfigMap => &snapshot.config_maps,
            Self::Secret => &snapshot.secrets,
        };
        list.iter().filter(move |one| one.metadata.namespace == namespace)
    }

    /// The keys of one object, `None` when they are not known.
    pub(crate) fn keys<'s>(self, snapshot: &'s Snapshot, namespace: &str, name: &str) -> Option<&'s BTreeSet<String>> {
        self.all(snapshot, namespace).find(|one| one.metadata.name == name)?.keys.as_ref()
    }
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for subject in view.subjects() {
        for container in subject.containers() {
            if container.waiting() == "CreateContainerConfigError" {
                let seen = missing_object(&container)
                    .or_else(|| missing_key(&container))
                    .or_else(|| expand::sub_path(&container));
                let since = subject.pod.metadata.creation_timestamp;
                out.extend(seen.and_then(|seen| seen.settle(view.settled(since, SETTLING))));
            }
            out.extend(subpath::static_check(&container));
            out.extend(expand::dollar(&container));
        }
        out.extend(volume::observe(subject));
        out.extend(expand::skipped_keys(subject));
    }
    out
}

/// Whether this family knows why a container ends with an error that its log does not name:
/// a folder where it wants a file, a dollar sign that did not arrive.
pub(crate) fn explains_crash(container: &Running<'_, '_>) -> bool {
    subpath::missing(container).is_some() || expand::dollar(container).is_some()
}

/// Whether this family has a code for what the container waits for.
pub(crate) fn knows(container: &Running<'_, '_>) -> bool {
    missing_object(container).or_else(|| missing_key(container)).or_else(|| expand::sub_path(container)).is_some()
}

fn missing_object(container: &Running<'_, '_>) -> Option<Observation> {
    let message = container.waiting_message().trim();
    let found = NO_OBJECT.as_ref()?.captures(message)?;
    let (kind, name) = (Kind::of(found.get(1)?.as_str()), found.get(2)?.as_str());
    let code = match kind {
        Kind::ConfigMap => &rows::CONFIGMAP_MISSING,
        Kind::Secret => &rows::SECRET_MISSING,
    };
    let mut seen = Observation::of_container(code, container);
    tell_missing(&mut seen, container.at.view.snapshot, &container.at.pod.metadata.namespace, kind, name);
    message.clone_into(&mut seen.message);
    explain(&mut seen, container, message);
    for (path, key) in container.spec.iter().flat_map(|c| references(c, kind.field(), name)) {
        let what = key.map_or_else(|| format!("every key of {name}"), |key| format!("key {key} of {name}"));
        seen.show(Source::Spec, None, &what, Some(container.path().join(&path)));
    }
    seen.fact("worked", container.started_in_revision());
    Some(seen)
}

/// The summary and facts of an object that does not exist: the closest name, or another hash of the same base.
fn tell_missing(seen: &mut Observation, snapshot: &Snapshot, namespace: &str, kind: Kind, name: &str) {
    let there: Vec<&str> = kind.all(snapshot, namespace).map(|one| one.metadata.name.as_str()).collect();
    let what = kind.name();
    if !kind.is_listed(snapshot) && seen.class == FixClass::Rule && kind == Kind::ConfigMap {
        // Which name is the closest is then not known.
        seen.class = FixClass::Ask;
    }
    seen.fact("missing", name);
    seen.fact("object", format!("{what}/{name}"));
    if let Some(fresh) = other_hash(name, &there) {
        seen.code = &rows::CONFIG_HASH_STALE;
        seen.class = rows::CONFIG_HASH_STALE.class;
        seen.summary = format!("{what} {name} is gone; {fresh}, of the same generator, exists");
        seen.fact("fresh", fresh);
        return;
    }
    seen.summary = match text::nearest(name, there.iter().copied()) {
        Some(near) => format!("{what} {name} does not exist; {near} does"),
        None => format!("{what} {name} does not exist"),
    };
}

/// The existing name that has the same base and another generator's hash.
fn other_hash<'n>(name: &str, there: &[&'n str]) -> Option<&'n str> {
    let base = |name: &str| HASHED.as_ref()?.captures(name)?.get(1).map(|base| base.as_str().to_owned());
    let wanted = base(name)?;
    there.iter().copied().find(|other| *other != name && base(other).as_ref() == Some(&wanted))
}

fn missing_key(container: &Running<'_, '_>) -> Option<Observation> {
    let message = container.waiting_message().trim();
    let found = NO_KEY.as_ref()?.captures(message)?;
    let (key, kind, name) = (found.get(1)?.as_str(), Kind::of(found.get(2)?.as_str()), found.get(4)?.as_str());
    let code = match kind {
        Kind::ConfigMap => &rows::CONFIGMAP_KEY_MISSING,
        Kind::Secret => &rows::SECRET_KEY_MISSING,
    };
    let mut seen = Observation::of_container(code, container);
    message.clone_into(&mut seen.message);
    let namespace = &container.at.pod.metadata.namespace;
    seen.summary = no_key(container.at.view.snapshot, namespace, kind, name, key);
    explain(&mut seen, container, message);
    let wanted = Some(key.to_owned());
    let named = container.spec.iter().flat_map(|c| references(c, kind.field(), name));
    for (path, _) in named.filter(|(_, found)| *found == wanted) {
        // The leaf of a ConfigMap reference is its name: here the key beside it is what is wrong.
        let path = if kind == Kind::ConfigMap { path.parent().unwrap_or_default().field("key") } else { path };
        seen.show(Source::Spec, None, &format!("key {key} of {name}"), Some(container.path().join(&path)));
    }
    key_facts(&mut seen, code, container.at.view.snapshot, namespace, kind, (name, key));
    seen.fact("worked", container.started_in_revision());
    Some(seen)
}

fn key_facts(
    seen: &mut Observation,
    code: &'static CodeInfo,
    snapshot: &Snapshot,
    namespace: &str,
    kind: Kind,
    (name, key): (&str, &str),
) {
    seen.fact("missing", format!("{name}/{key}"));
    seen.fact("object", format!("{}/{name}", kind.name()));
    seen.fact(if kind == Kind::Secret { "secret" } else { "configMap" }, name);
    seen.fact("key", key);
    let keys = kind.keys(snapshot, namespace, name);
    seen.fact("keys", keys.map(|keys| keys.iter().cloned().collect::<Vec<_>>()));
    if keys.is_none() && kind == Kind::ConfigMap && code.class == FixClass::Rule {
        seen.class = FixClass::Ask;
    }
}

/// `ConfigMap app-config has no key LOGLEVEL; it has LOG_LEVEL`.
fn no_key(snapshot: &Snapshot, namespace: &str, kind: Kind, name: &str, key: &str) -> String {
    let head = format!("{} {name} has no key {key}", kind.name());
    match kind.keys(snapshot, namespace, name) {
        Some(keys) => match text::nearest(key, keys.iter().map(String::as_str)) {
            Some(near) => format!("{head}; it has {near}"),
            None => head,
        },
        None => head,
    }
}

/// The kubelet's words, and since when it says them.
fn explain(seen: &mut Observation, container: &Running<'_, '_>, message: &str) {
    seen.show(Source::Status, None, &format!("CreateContainerConfigError: {message}"), None);
    let failed: Vec<_> = container.events().filter(|e| e.reason == "Failed" && e.text().contains(message)).collect();
    if let Some(event) = failed.last() {
        seen.show_event(event);
        seen.since = failed.iter().filter_map(|e| e.first_seen()).min().or(seen.since);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_hash_of_a_generated_name_is_not_a_typo() {
        let there = ["app-config-2b5mkfgt9h", "app-config", "other-7d9f5k2c8m"];
        assert_eq!(other_hash("app-config-6ct58987ht", &there), Some("app-config-2b5mkfgt9h"));
        assert_eq!(other_hash("app-confg", &there), None);
        assert_eq!(other_hash("app-config-2b5mkfgt9h", &there[1..]), None);
    }
}
