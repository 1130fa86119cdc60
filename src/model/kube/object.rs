//! Any object: typed metadata, and the rest as it came.

use super::lazy::Body;
use super::meta::unmanaged;
use super::{Condition, Meta, PodSpec};
use crate::model::object::ObjectRef;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

/// Any other object: typed metadata, and the rest as it came (without `apiVersion`, `kind`, `metadata`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object {
    pub api_version: String,
    pub kind: String,
    pub metadata: Meta,
    pub body: Body,
    lean: Lean,
}

/// What many rules ask for, read when it is asked for first.
#[derive(Default)]
struct Lean {
    /// The pod spec of a template.
    spec: OnceLock<Option<Box<PodSpec>>>,
    /// Labels of a template.
    labels: OnceLock<BTreeMap<String, String>>,
    /// What a Service or a workload selects by labels.
    selector: OnceLock<BTreeMap<String, String>>,
}

/// It follows from the body: a copy, which may be changed, reads it again; what was read so far tells nothing.
impl Clone for Lean {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Lean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("_")
    }
}

impl PartialEq for Lean {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// An object that is read without its `managedFields`.
#[derive(Debug)]
pub struct Unmanaged(pub Object);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields::<true>)
    }
}

impl<'de> Deserialize<'de> for Unmanaged {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Fields::<false>).map(Self)
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("apiVersion", &self.api_version)?;
        map.serialize_entry("kind", &self.kind)?;
        map.serialize_entry("metadata", &self.metadata)?;
        self.body.write(&mut map)?;
        map.end()
    }
}

/// By hand: what `serde(flatten)` makes holds every object twice, and takes twice as long.
struct Fields<const MANAGED: bool>;

impl<'de, const MANAGED: bool> Visitor<'de> for Fields<MANAGED> {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Object, A::Error> {
        #[derive(Deserialize)]
        struct Bare(#[serde(deserialize_with = "unmanaged")] Meta);
        let mut object = Object::default();
        while let Some(key) = fields.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" => object.api_version = fields.next_value()?,
                "kind" => object.kind = fields.next_value()?,
                "metadata" if MANAGED => object.metadata = fields.next_value()?,
                "metadata" => object.metadata = fields.next_value::<Bare>()?.0,
                _ => object.body.take(key, &mut fields)?,
            }
        }
        Ok(object)
    }
}

impl Object {
    /// Which object it is.
    pub fn object(&self) -> ObjectRef {
        ObjectRef::new(&self.api_version, &self.kind, &self.metadata.namespace, &self.metadata.name)
            .with_uid(&self.metadata.uid)
    }

    /// The value at a JSON pointer below `spec` or `status`: `/spec/replicas`.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.body.pointer(pointer)
    }

    /// The integer at a JSON pointer.
    pub fn int(&self, pointer: &str) -> Option<i64> {
        self.at(pointer)?.as_i64()
    }

    /// The text at a JSON pointer, empty when absent.
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The value at a JSON pointer in a lean shape; the default when absent or of another shape.
    pub fn view<T: DeserializeOwned + Default>(&self, pointer: &str) -> T {
        self.body.read(pointer).unwrap_or_default()
    }

    /// `status.conditions`.
    pub fn conditions(&self) -> Vec<Condition> {
        self.view("/status/conditions")
    }

    /// JSON pointer of its pod template, `None` for kinds without one.
    pub fn template_pointer(&self) -> Option<&'static str> {
        match self.kind.as_str() {
            "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "ReplicationController" => {
                Some("/spec/template")
            }
            "CronJob" => Some("/spec/jobTemplate/spec/template"),
            // It may borrow that of a Deployment; other projects have a kind of this name without any.
            "Rollout" if self.api_version.starts_with("argoproj.io/") && self.at("/spec/template").is_some() => {
                Some("/spec/template")
            }
            _ => None,
        }
    }

    /// Its pod template as it came: `{metadata, spec}`.
    pub fn template(&self) -> Option<&Value> {
        self.at(self.template_pointer()?)
    }

    /// Its pod template's spec in lean shape.
    pub fn pod_spec(&self) -> Option<&PodSpec> {
        let read = || self.body.read(&format!("{}/spec", self.template_pointer()?)).map(Box::new);
        self.lean.spec.get_or_init(read).as_deref()
    }

    /// Labels of its pod template.
    pub fn template_labels(&self) -> &BTreeMap<String, String> {
        let read = || self.template_pointer().map(|at| self.view(&format!("{at}/metadata/labels"))).unwrap_or_default();
        self.lean.labels.get_or_init(read)
    }

    /// Reads what rules ask of every workload.
    pub fn read_ahead(&self) {
        if self.template_pointer().is_none() {
            return;
        }
        self.int("/status/replicas");
        self.body.raw("/spec/template/spec");
        if self.kind != "ReplicaSet" {
            self.template_labels();
        }
    }

    /// The labels that a Service, or the `matchLabels` that a workload, selects by.
    pub fn selector(&self) -> &BTreeMap<String, String> {
        let pointer = if self.kind == "Service" { "/spec/selector" } else { "/spec/selector/matchLabels" };
        self.lean.selector.get_or_init(|| self.view(pointer))
    }

    /// The whole object as JSON, in the API's shape.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
