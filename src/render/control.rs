//! What a controller lays over the folder that it renders.

use super::filled::{Filled, MapName};
use super::roots::Root;
use super::substitute::Substitution;
use super::{argo, flux};
use crate::model::object::ObjectRef;
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use crate::render::compare::reference;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The controller's object that names a folder: a Flux Kustomization or an Argo CD Application.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Control {
    pub object: ObjectRef,
    /// As it is in the cluster, as JSON.
    pub live: String,
    /// Which of an Application's `sources`.
    pub source: usize,
    /// `spec.ignore` of the source: it stands for the default exclusions.
    pub ignore: Option<String>,
    /// The root of this repository that makes the object itself. What the object lays over the folder is
    /// then read from that root's render, so that an edit of its files is seen.
    pub above: Option<Root>,
    /// ConfigMaps of its namespace that no root of this repository makes, as far as they were read in the cluster.
    pub filled: BTreeMap<String, Filled>,
}

/// A folder with the controller's part laid over it.
pub(super) struct Laid {
    /// How it is rendered now.
    pub(super) root: Root,
    pub(super) substitution: Option<Substitution>,
    /// Labels and annotations of every object.
    pub(super) labels: Map<String, Value>,
    pub(super) annotations: Map<String, Value>,
}

impl Laid {
    pub(super) fn new(root: &Root) -> Self {
        let root = Root { control: None, ..root.clone() };
        Self { root, substitution: None, labels: Map::new(), annotations: Map::new() }
    }

    /// What is done to the objects after the build.
    pub(super) fn finish(&self, objects: &mut [Value]) {
        for (field, pairs) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if pairs.is_empty() {
                continue;
            }
            for object in objects.iter_mut() {
                let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { continue };
                let known = metadata.entry(field).or_insert_with(|| Value::Object(Map::new()));
                if let Some(known) = known.as_object_mut() {
                    known.extend(pairs.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
            }
        }
    }
}

impl Control {
    /// The object: as another root renders it, else as it is in the cluster.
    pub fn said(&self, above: &[Value]) -> Value {
        let is_it = |value: &&Value| {
            reference(value).is_some_and(|found| {
                let namespace = found.namespace.is_none() || found.namespace == self.object.namespace;
                namespace
                    && (&found.group, &found.kind, &found.name)
                        == (&self.object.group, &self.object.kind, &self.object.name)
            })
        };
        let live = || serde_json::from_str(&self.live).unwrap_or_default();
        above.iter().find(is_it).cloned().unwrap_or_else(live)
    }

    /// The prefix and suffix that it puts around names, as a kustomization says them.
    pub fn names(&self) -> Value {
        let said = self.said(&[]);
        let from = if self.object.kind == "Kustomization" {
            &said["spec"]
        } else {
            &argo::source(&said["spec"], self.source)["kustomize"]
        };
        let known = ["namePrefix", "nameSuffix"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), from.get(name)?.clone())));
        Value::Object(known.collect())
    }

    /// Whether a change of this object is a change of what the controller says: the object itself, or a
    /// ConfigMap whose values it fills in.
    pub fn reads(&self, other: &ObjectRef) -> bool {
        let own =
            (&other.group, &other.kind, &other.name) == (&self.object.group, &self.object.kind, &self.object.name);
        own || fills_in(&self.said(&[]), other)
    }

    /// Values that the controller reads and that are not known: `Secret cluster-secrets`.
    pub fn unread(&self, above: &[Value]) -> Vec<String> {
        self.substitution(above).map(|known| known.unread).unwrap_or_default()
    }

    /// ConfigMaps among them that were not looked for in the cluster.
    pub(super) fn lacks(&self, above: &[Value]) -> Vec<MapName> {
        let maps = self.substitution(above).map(|known| known.maps).unwrap_or_default();
        let unknown = maps.into_iter().filter(|name| !self.filled.contains_key(name));
        unknown.map(|name| (self.object.namespace().to_owned(), name)).collect()
    }

    fn substitution(&self, above: &[Value]) -> Option<Substitution> {
        let is_flux = self.object.kind == "Kustomization";
        is_flux.then(|| flux::substitution(&self.said(above), above, &self.filled)).flatten()
    }

    /// Lays it over the folder of `root` in `tree`; `above` is what the root above renders.
    pub(super) fn lay(&self, tree: &mut Tree, root: &Root, above: &[Value]) -> Result<Laid, Refusal> {
        let said = self.said(above);
        if self.object.kind == "Kustomization" {
            flux::lay(self, &said, tree, root, above)
        } else {
            argo::lay(self, &said, tree, root)
        }
    }
}

/// Whether a Kustomization fills in the values of this ConfigMap.
pub fn fills_in(kustomization: &Value, map: &ObjectRef) -> bool {
    map.kind == "ConfigMap"
        && items(&kustomization["spec"]["postBuild"]["substituteFrom"])
            .any(|from| from["kind"] == "ConfigMap" && from["name"] == map.name.as_str())
}

/// Items of a list.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
