//! `metadata` of any object, with or without its managers.

use super::{OwnerReference, is_default, nullable, timestamp};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// `metadata` of any object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "annotations", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<OwnerReference>,
    #[serde(deserialize_with = "timestamp", skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "timestamp", skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_grace_period_seconds: Option<i64>,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
    #[serde(skip_serializing_if = "is_default")]
    pub generation: i64,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub managed_fields: Vec<ManagedField>,
}

impl Meta {
    /// The owner with `controller: true`.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// One entry of `metadata.managedFields`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedField {
    pub manager: String,
    pub operation: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    #[serde(deserialize_with = "timestamp", skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    pub fields_v1: Fields,
}

/// `fieldsV1` as it came: it is longer than the object, and few rules read it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Option<Box<RawValue>>);

impl Fields {
    /// The set of fields: `{"f:spec": {"f:replicas": {}}}`.
    pub fn read(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_default()
    }

    /// The same as JSON text.
    pub fn text(&self) -> &str {
        self.0.as_deref().map_or("null", RawValue::get)
    }
}

impl From<Value> for Fields {
    fn from(value: Value) -> Self {
        Self(serde_json::value::to_raw_value(&value).ok())
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

/// The same fields, but `managedFields` are passed over: they are half of a pod, and of pods nobody asks them.
#[derive(Default, Deserialize)]
#[serde(remote = "Meta", rename_all = "camelCase", default)]
struct Unmanaged {
    name: String,
    namespace: String,
    uid: String,
    #[serde(deserialize_with = "nullable")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "annotations")]
    annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    owner_references: Vec<OwnerReference>,
    #[serde(deserialize_with = "timestamp")]
    creation_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "timestamp")]
    deletion_timestamp: Option<Timestamp>,
    deletion_grace_period_seconds: Option<i64>,
    #[serde(deserialize_with = "nullable")]
    finalizers: Vec<String>,
    generation: i64,
    #[serde(skip)]
    managed_fields: Vec<ManagedField>,
}

/// Reads metadata without `managedFields`; `null` is the default.
pub(super) fn unmanaged<'de, D: Deserializer<'de>>(from: D) -> Result<Meta, D::Error> {
    #[derive(Deserialize)]
    struct Wrapped(#[serde(with = "Unmanaged")] Meta);
    Ok(Option::<Wrapped>::deserialize(from)?.map(|Wrapped(meta)| meta).unwrap_or_default())
}

/// Annotations without `last-applied-configuration`, which repeats whole objects with their values.
fn annotations<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let mut map: BTreeMap<String, String> = nullable(from)?;
    map.remove("kubectl.kubernetes.io/last-applied-configuration");
    Ok(map)
}
