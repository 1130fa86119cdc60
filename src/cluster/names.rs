//! Names for completion: contexts, namespaces, objects.

use super::client::{Count, METADATA_LIST};
use super::kinds::{self, Place, collection};
use super::{Cluster, kubeconfig};
use crate::model::snapshot::Scope;
use serde_json::Value;
use std::path::PathBuf;

/// Names of the contexts of a kubeconfig, as they stand in it; empty when it can't be read.
pub fn contexts(paths: &[PathBuf]) -> Vec<String> {
    let found = kubeconfig::read(paths).ok().flatten();
    found.map(|config| config.contexts.into_iter().map(|context| context.name).collect()).unwrap_or_default()
}

impl Cluster {
    /// Names of the objects of a kind in the asked namespace, or of all namespaces: one page at most.
    /// Empty when they can't be read: a completion has nobody to tell why.
    pub async fn names(&self, kind: &str) -> Vec<String> {
        let namespace = match &self.scope {
            Scope::Namespaces(names) => names.first().map(String::as_str),
            Scope::All => None,
        };
        let path = match kind {
            "Namespace" => "/api/v1/namespaces".to_owned(),
            "Secret" => return Vec::new(),
            kind => match kinds::by_kind(kind) {
                Some(row) => {
                    let namespace = namespace.filter(|_| row.place != Place::Cluster);
                    collection(row.api_version, namespace, row.plural)
                }
                None => return Vec::new(),
            },
        };
        let Ok(bytes) = self.api.read(&format!("{path}?limit=500"), METADATA_LIST, Count::List).await else {
            return Vec::new();
        };
        let list: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let items = list.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let name = |item: &Value| item.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
        items.iter().filter_map(name).collect()
    }
}
