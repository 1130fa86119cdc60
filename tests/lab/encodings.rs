//! The API server's binary form says what its JSON says, of every object of this cluster.

use crate::kit::{Namespace, faults, kubectl, lab};
use aifix::cluster::protobuf;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// Kinds that every cluster has, or that the faults make.
const AT_LEAST: [&str; 12] = [
    "Pod",
    "Event",
    "Deployment",
    "ReplicaSet",
    "Service",
    "EndpointSlice",
    "ConfigMap",
    "Node",
    "Namespace",
    "ServiceAccount",
    "ClusterRole",
    "PriorityClass",
];

/// A client of the API server with the admin's token.
struct Client(reqwest::Client, String);

impl Client {
    fn new() -> Self {
        let kubeconfig = fs::read_to_string(lab("AIFIX_LAB_ADMIN_KUBECONFIG")).unwrap();
        let value = |name: &str| {
            let line =
                kubeconfig.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_else(|| panic!("{name}"));
            line.trim().to_owned()
        };
        let authority =
            reqwest::Certificate::from_pem_bundle(&fs::read(value("certificate-authority:")).unwrap()).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only(authority).build().unwrap();
        Self(client, value("token:"))
    }

    async fn get(&self, path: &str, accept: &str) -> Vec<u8> {
        let request = self.0.get(format!("{}{path}", lab("AIFIX_LAB_SERVER"))).header("accept", accept);
        let answer = request.bearer_auth(&self.1).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.bytes().await.unwrap().to_vec()
    }
}

/// Every list that this server has and whose kind is known in its binary form: its path and kind.
fn lists() -> Vec<(String, String)> {
    let read = |path: &str| -> Value { serde_json::from_str(&kubectl(&["get", "--raw", path])).unwrap() };
    let mut found = Vec::new();
    for version in kubectl(&["api-versions"]).lines() {
        let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        for resource in read(&root)["resources"].as_array().unwrap() {
            let (name, kind) = (resource["name"].as_str().unwrap(), resource["kind"].as_str().unwrap());
            let is_listed = resource["verbs"].as_array().unwrap().iter().any(|verb| verb == "list");
            if is_listed && protobuf::knows(version, kind) {
                found.push((format!("{root}/{name}"), kind.to_owned()));
            }
        }
    }
    found
}

/// Null, an empty map of a status that nobody wrote and an absent field are one; times of one second too.
fn plain(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.values_mut().for_each(|value| *value = plain(value.take()));
            map.retain(|_, value| !value.is_null());
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = plain(item.take())),
        _ => {}
    }
    value
}

fn revision(object: &Value) -> (String, String) {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("/metadata/uid"), text("/metadata/resourceVersion"))
}

#[tokio::test]
async fn every_object_of_the_cluster_is_the_same_in_both_forms() {
    let namespace = Namespace::new("encodings");
    for fault in ["oom-killed", "service-selector-mismatch", "configmap-missing"] {
        let file = faults().join(format!("{fault}.yaml"));
        namespace.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    }
    let client = Client::new();
    let (mut kinds, mut compared) = (BTreeSet::new(), 0);
    for (path, kind) in lists() {
        for form in ["", ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"] {
            let json = client.get(&path, &format!("application/json{form}")).await;
            let packed = client.get(&path, &format!("application/vnd.kubernetes.protobuf{form}")).await;
            let mut json: Value = serde_json::from_slice(&json).unwrap();
            let json: Vec<Value> = match json["items"].take() {
                Value::Array(items) => items.into_iter().map(plain).collect(),
                _ => Vec::new(),
            };
            assert!(protobuf::is(&packed), "{path}");
            let page = protobuf::Page::read(&packed).unwrap_or_else(|why| panic!("{path}: {why}"));
            let mut written = page.written(true);
            while let Some(item) = written.advance() {
                let item = item.unwrap_or_else(|why| panic!("{path}: {why}"));
                let item: Value = serde_json::from_str(item).unwrap_or_else(|why| panic!("{path}: {why}: {item}"));
                // An object that was changed between the two answers is another.
                let Some(same) = json.iter().find(|one| revision(one) == revision(&item)) else { continue };
                let mut same = same.clone();
                for typed in ["kind", "apiVersion"] {
                    same.as_object_mut().unwrap().remove(typed);
                }
                assert_eq!(item, same, "{path}");
                compared += 1;
                kinds.insert(kind.clone());
            }
        }
    }
    let missing: Vec<&&str> = AT_LEAST.iter().filter(|kind| !kinds.contains(**kind)).collect();
    assert!(missing.is_empty() && compared > 100, "{missing:?} not compared, of {kinds:?}; {compared} objects");
}
