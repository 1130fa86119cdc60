//! What the API server says of the fields of its kinds.

use super::Cluster;
use super::client::{Count, JSON};
use super::kinds::escape;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The documents that the server has; their hashes by group version, as `apis/apps/v1`.
/// <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents(BTreeMap<String, String>);

/// Where one document is: its text never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    path: String,
}

impl Document {
    /// Path and query at the API server, the hash of the text in it.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Documents {
    /// The document of `apps/v1`; `None` when the server has none or gives it no hash.
    pub fn of(&self, api_version: &str) -> Option<Document> {
        let root = if api_version.contains('/') { "apis" } else { "api" };
        let key = format!("{root}/{api_version}");
        let hash = self.0.get(&key)?;
        let steps: Vec<String> = key.split('/').map(escape).collect();
        Some(Document { path: format!("/openapi/v3/{}?hash={}", steps.join("/"), escape(hash)) })
    }

    fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Index {
            paths: BTreeMap<String, Place>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Place {
            #[serde(rename = "serverRelativeURL")]
            server_relative_url: String,
        }
        let index: Index = serde_json::from_slice(bytes)?;
        // Only the hash is taken: where a document lies is not the server's to say.
        let hash = |place: Place| place.server_relative_url.split_once("?hash=").map(|(_, hash)| hash.to_owned());
        Ok(Self(index.paths.into_iter().filter_map(|(path, place)| Some((path, hash(place)?))).collect()))
    }
}

impl Cluster {
    /// Which documents the server has.
    ///
    /// # Errors
    /// In plain words, when it does not say.
    pub async fn documents(&self) -> Result<Documents, String> {
        self.api.hope();
        let bytes = self.api.read("/openapi/v3", JSON, Count::List).await.map_err(|failure| failure.to_string())?;
        Documents::parse(&bytes).map_err(|error| format!("the answer could not be read: {error}"))
    }

    /// The text of one document.
    ///
    /// # Errors
    /// In plain words, when it does not come.
    pub async fn document(&self, document: &Document) -> Result<Vec<u8>, String> {
        self.api.read(&document.path, JSON, Count::Get).await.map_err(|failure| failure.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hash_is_taken_from_the_server() {
        let index = br#"{"paths": {
            "api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=AA&x"},
            "apis/apps/v1": {"serverRelativeURL": "https://evil.example/apis/apps/v1?hash=BB"},
            "apis/old/v1": {"serverRelativeURL": "/openapi/v3/apis/old/v1"}}}"#;
        let documents = Documents::parse(index).unwrap();
        let path = |version| documents.of(version).map(|document| document.path);
        assert_eq!(path("v1").as_deref(), Some("/openapi/v3/api/v1?hash=AA%26x"));
        assert_eq!(path("apps/v1").as_deref(), Some("/openapi/v3/apis/apps/v1?hash=BB"));
        assert_eq!((path("old/v1"), path("other/v1")), (None, None));
        assert!(Documents::parse(b"<html>").is_err());
    }
}
