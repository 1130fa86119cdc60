//! Which volume a path of a container lies in.

use crate::diagnose::config::Kind;
use crate::diagnose::view::Running;
use crate::model::kube::Container;
use serde_json::{Value, json};

/// The mount that holds a path, and its volume.
pub(crate) struct Mount<'s> {
    pub name: &'s str,
    pub path: &'s str,
    pub sub_path: &'s str,
    pub read_only: bool,
    pub volume: Option<&'s Value>,
}

/// The mount with the longest path above `path`.
pub(crate) fn holding<'s>(container: &Running<'_, 's>, path: &str) -> Option<Mount<'s>> {
    let spec: &'s Container = container.spec?;
    let text = |mount: &'s Value, name: &str| mount.get(name).and_then(Value::as_str).unwrap_or_default();
    let holds = |mount_path: &str| {
        let bare = mount_path.trim_end_matches('/');
        path == bare || path.strip_prefix(bare).is_some_and(|rest| rest.starts_with('/'))
    };
    let mount = spec
        .volume_mounts
        .iter()
        .filter(|mount| holds(text(mount, "mountPath")))
        .max_by_key(|mount| text(mount, "mountPath").len())?;
    let name = text(mount, "name");
    let volumes = &container.at.pod.spec.volumes;
    Some(Mount {
        name,
        path: text(mount, "mountPath"),
        sub_path: text(mount, "subPath"),
        read_only: mount.get("readOnly").and_then(Value::as_bool) == Some(true),
        volume: volumes.iter().find(|volume| volume.get("name").and_then(Value::as_str) == Some(name)),
    })
}

impl Mount<'_> {
    /// What kind of volume it is: `emptyDir`, `configMap`, `persistentVolumeClaim`.
    pub(crate) fn kind(&self) -> &str {
        let fields = self.volume.and_then(Value::as_object).into_iter().flatten();
        fields.map(|(name, _)| name.as_str()).find(|name| *name != "name").unwrap_or_default()
    }

    /// The object that its files come from.
    pub(crate) fn source(&self) -> Option<(Kind, &str)> {
        let volume = self.volume?;
        let config_map = volume.pointer("/configMap/name").and_then(Value::as_str);
        let secret = volume.pointer("/secret/secretName").and_then(Value::as_str);
        config_map.map(|name| (Kind::ConfigMap, name)).or_else(|| secret.map(|name| (Kind::Secret, name)))
    }

    /// The ConfigMap and the key that the file at `path` is; `has` tells which keys there are.
    pub(crate) fn key(&self, path: &str, has: impl Fn(&str, &str) -> bool) -> Option<(String, String)> {
        let rest = path.strip_prefix(self.path.trim_end_matches('/'))?;
        let parts = [self.sub_path, rest].map(|part| part.trim_matches('/'));
        let file = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let volume = self.volume?;
        let projected = volume.pointer("/projected/sources").and_then(Value::as_array).into_iter().flatten();
        let mut maps = [volume].into_iter().chain(projected).filter_map(|source| source.get("configMap"));
        maps.find_map(|map| {
            let name = text(map, "name")?;
            let key = match map.get("items").and_then(Value::as_array) {
                None => file.clone(),
                Some(items) => text(items.iter().find(|item| text(item, "path").as_ref() == Some(&file))?, "key")?,
            };
            has(&name, &key).then_some((name, key))
        })
    }

    /// For `fix/`.
    pub(crate) fn fact(&self) -> Value {
        json!({
            "name": self.name, "path": self.path, "subPath": self.sub_path, "readOnly": self.read_only,
            "kind": self.kind(), "source": self.source().map(|(kind, name)| format!("{}/{name}", kind.name())),
            "medium": self.volume.and_then(|volume| volume.pointer("/emptyDir/medium")),
            "sizeLimit": self.volume.and_then(|volume| volume.pointer("/emptyDir/sizeLimit")),
        })
    }
}

/// A field of the security context: the container's, else the pod's.
pub(crate) fn security<'s>(container: &Running<'_, 's>, field: &str) -> Option<&'s Value> {
    let own = container.spec.and_then(|spec| spec.security_context.get(field));
    own.or_else(|| container.at.pod.spec.security_context.get(field)).filter(|value| !value.is_null())
}
