//! ConfigMaps and Secrets: names of keys, never a value.

use super::Meta;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// A ConfigMap or a Secret: its name and key names, never a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Keyed {
    pub metadata: Meta,
    /// `None`: the keys are not known.
    pub keys: Option<BTreeSet<String>>,
}

impl Keyed {
    /// Names of `data`, `binaryData` and `stringData` when they are there (an offline file),
    /// else the keys that `managedFields` own (a metadata list). Values are dropped here.
    pub fn from_value(value: &Value) -> Option<Self> {
        let mut metadata = Meta::deserialize(value.get("metadata")?).ok()?;
        let mut keys = BTreeSet::new();
        let mut known = !metadata.managed_fields.is_empty();
        for name in ["data", "binaryData", "stringData"] {
            if let Some(Value::Object(map)) = value.get(name) {
                known = true;
                keys.extend(map.keys().cloned());
            }
            for entry in &metadata.managed_fields {
                if let Some(Value::Object(fields)) = entry.fields_v1.get(format!("f:{name}")) {
                    keys.extend(fields.keys().filter_map(|key| key.strip_prefix("f:")).map(str::to_owned));
                }
            }
        }
        // Only who and when is kept: field sets of a Secret say nothing more.
        for entry in &mut metadata.managed_fields {
            entry.fields_v1 = Value::Null;
        }
        Some(Self { metadata, keys: known.then_some(keys) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_a_secret_are_never_held() {
        let secret = Keyed::from_value(&json!({
            "metadata": {"name": "db", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"p\":\"hunter2\"}}"}},
            "data": {"password": "aHVudGVyMg=="}
        }));
        let printed = format!("{secret:?}");
        assert!(
            printed.contains("password") && !printed.contains("aHVudGVyMg") && !printed.contains("hunter2"),
            "{printed}"
        );
    }
}
