//! Where a template names ConfigMaps and Secrets.

use super::super::case::Case;
use super::super::facts::{items, text_of};
use crate::model::path::{Path, Step};
use serde_json::Value;

/// A kind of object that files and variables come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ConfigMap,
    Secret,
}

impl Kind {
    /// As the API spells it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    /// As field names begin, and the field that has the name in a volume.
    fn fields(self) -> (&'static str, &'static str) {
        match self {
            Self::ConfigMap => ("configMap", "name"),
            Self::Secret => ("secret", "secretName"),
        }
    }
}

/// One place of the live template that names the object, and the keys that are named with it.
pub(super) struct Reference {
    /// Of the name.
    pub(super) path: Path,
    /// Each key that is named, with the path of its name.
    pub(super) keys: Vec<(String, Path)>,
}

/// Every reference of the live template to this object: env, envFrom, volumes and projected volumes.
pub(super) fn references(case: &Case<'_>, kind: Kind, name: &str) -> Vec<Reference> {
    let root = case.spec_path();
    let Some(spec) = case.at(&root) else { return Vec::new() };
    let mut out = Vec::new();
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            of_container(container, &root.field(list).item(text_of(container, "name")), kind, name, &mut out);
        }
    }
    for volume in items(spec, "volumes") {
        of_volume(spec, volume, &root, kind, name, &mut out);
    }
    out
}

fn of_container(container: &Value, here: &Path, kind: Kind, name: &str, out: &mut Vec<Reference>) {
    let (field, _) = kind.fields();
    let (key_ref, whole_ref) = (format!("{field}KeyRef"), format!("{field}Ref"));
    for variable in items(container, "env") {
        let Some(found) = variable.pointer(&format!("/valueFrom/{key_ref}")) else { continue };
        if text_of(found, "name") == name {
            let path = here.field("env").item(text_of(variable, "name")).field("valueFrom").field(&key_ref);
            let key = (text_of(found, "key").to_owned(), path.field("key"));
            out.push(Reference { path: path.field("name"), keys: vec![key] });
        }
    }
    for (at, source) in items(container, "envFrom").enumerate() {
        if source.get(&whole_ref).is_some_and(|found| text_of(found, "name") == name) {
            let path = here.field("envFrom").push(Step::Index(at)).field(&whole_ref).field("name");
            out.push(Reference { path, keys: Vec::new() });
        }
    }
}

fn of_volume(spec: &Value, volume: &Value, root: &Path, kind: Kind, name: &str, out: &mut Vec<Reference>) {
    let (field, leaf) = kind.fields();
    let here = root.field("volumes").item(text_of(volume, "name"));
    if let Some(source) = volume.get(field).filter(|source| text_of(source, leaf) == name) {
        let mut keys = item_keys(source, &here.field(field));
        if keys.is_empty() {
            keys = sub_paths(spec, text_of(volume, "name"), root);
        }
        out.push(Reference { path: here.field(field).field(leaf), keys });
    }
    for (at, sources) in volume.get("projected").into_iter().flat_map(|p| items(p, "sources")).enumerate() {
        // Here a Secret is named as a ConfigMap is.
        if let Some(source) = sources.get(field).filter(|source| text_of(source, "name") == name) {
            let path = here.field("projected").field("sources").push(Step::Index(at)).field(field);
            out.push(Reference { keys: item_keys(source, &path), path: path.field("name") });
        }
    }
}

fn item_keys(source: &Value, here: &Path) -> Vec<(String, Path)> {
    let path = |at| here.field("items").push(Step::Index(at)).field("key");
    items(source, "items").enumerate().map(|(at, item)| (text_of(item, "key").to_owned(), path(at))).collect()
}

/// Keys that mounts of a volume name with `subPath`.
fn sub_paths(spec: &Value, volume: &str, root: &Path) -> Vec<(String, Path)> {
    let mut out = Vec::new();
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            let here = root.field(list).item(text_of(container, "name"));
            let mounts = items(container, "volumeMounts").filter(|mount| text_of(mount, "name") == volume);
            for mount in mounts.filter(|mount| !text_of(mount, "subPath").is_empty()) {
                out.push((text_of(mount, "subPath").to_owned(), mount_path(&here, mount).field("subPath")));
            }
        }
    }
    out
}

/// Path of a mount, which its mountPath names.
pub(super) fn mount_path(container: &Path, mount: &Value) -> Path {
    let value = text_of(mount, "mountPath").to_owned();
    container.field("volumeMounts").push(Step::Item { key: "mountPath".to_owned(), value })
}
