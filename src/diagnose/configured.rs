//! What configures the containers of a template.

use super::view::Workload;
use crate::model::kube::{Container, EnvVar, PodSpec, nullable};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// A text of an object.
#[derive(Default, Deserialize)]
pub(super) struct Text<'s>(#[serde(borrow)] Cow<'s, str>);

macro_rules! lent {
    ($($(#[$doc:meta])* $name:ident { $($field:ident : $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub(super) struct $name<'s> { $(#[serde(borrow, deserialize_with = "nullable")] pub(super) $field: $type,)* }
    )*};
}

lent! {
    /// The part of a pod spec that configures programs.
    Settings { containers: Vec<Configured<'s>>, volumes: Vec<Volume<'s>> }
    Configured { name: Text<'s>, env: Vec<Variable<'s>>, env_from: Vec<Source<'s>>, volume_mounts: Vec<Mount<'s>> }
    Variable { name: Text<'s>, value: Text<'s>, value_from: Option<Source<'s>> }
    /// Where variables come from, in `valueFrom` and in `envFrom`.
    Source { config_map_key_ref: Option<Named<'s>>, config_map_ref: Option<Named<'s>> }
    Mount { name: Text<'s>, sub_path: Option<Text<'s>> }
    Volume { name: Text<'s>, config_map: Option<Named<'s>> }
    Named { name: Text<'s> }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl<'s> From<&'s str> for Text<'s> {
    fn from(text: &'s str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'s> Settings<'s> {
    /// What a workload's template asks for, or its pod.
    pub(super) fn of(workload: &Workload<'s>) -> Self {
        let of_source = workload.source.and_then(|source| {
            let at = source.template_pointer()?;
            source.body.read(&format!("{at}/spec"))
        });
        let of_pod = || workload.current.first().map(|pod| Self::from(&pod.spec));
        of_source.or_else(of_pod).unwrap_or_default()
    }
}

/// What `pointer` names in a value.
fn named<'s>(value: &'s Value, pointer: &str) -> Option<Named<'s>> {
    Some(Named { name: value.pointer(pointer)?.get("name")?.as_str()?.into() })
}

fn text<'s>(value: &'s Value, name: &str) -> Option<Text<'s>> {
    Some(value.get(name)?.as_str()?.into())
}

fn source(value: &Value) -> Source<'_> {
    Source { config_map_key_ref: named(value, "/configMapKeyRef"), config_map_ref: named(value, "/configMapRef") }
}

impl<'s> From<&'s PodSpec> for Settings<'s> {
    fn from(spec: &'s PodSpec) -> Self {
        let volume = |volume: &'s Value| Volume {
            name: text(volume, "name").unwrap_or_default(),
            config_map: named(volume, "/configMap"),
        };
        Self {
            containers: spec.containers.iter().map(Configured::from).collect(),
            volumes: spec.volumes.iter().map(volume).collect(),
        }
    }
}

impl<'s> From<&'s Container> for Configured<'s> {
    fn from(container: &'s Container) -> Self {
        let variable = |EnvVar { name, value, value_from }: &'s EnvVar| Variable {
            name: name.as_str().into(),
            value: value.as_deref().unwrap_or_default().into(),
            value_from: value_from.as_ref().map(source),
        };
        let mount = |mount: &'s Value| Mount {
            name: text(mount, "name").unwrap_or_default(),
            sub_path: text(mount, "subPath"),
        };
        Self {
            name: container.name.as_str().into(),
            env: container.env.iter().map(variable).collect(),
            env_from: container.env_from.iter().map(source).collect(),
            volume_mounts: container.volume_mounts.iter().map(mount).collect(),
        }
    }
}
