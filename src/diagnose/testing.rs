//! Small snapshots for unit tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test without its snapshot has failed")]
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]

use super::diagnose;
use crate::model::finding::{Finding, Severity};
use crate::model::kube::Keyed;
use crate::model::snapshot::{Scope, Snapshot};
use serde_json::{Value, json};

/// The clock of these snapshots.
pub(crate) const NOW: &str = "2026-11-22T17:00:00Z";
/// Long before it.
pub(crate) const OLD: &str = "2026-11-22T16:00:00Z";

/// A snapshot of these objects, in namespace `a` where they name none and are of a namespaced kind.
pub(crate) fn of(objects: &[Value]) -> Snapshot {
    const CLUSTER: [&str; 12] = [
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "StorageClass",
        "ValidatingWebhookConfiguration",
    ];
    let mut out = Snapshot::new("test", Scope::All);
    out.taken_at = NOW.parse().ok();
    for object in objects {
        let mut object = object.clone();
        let kind = object["kind"].as_str().unwrap().to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or("e").to_owned();
        let meta = &mut object["metadata"];
        if meta["namespace"].is_null() && !CLUSTER.contains(&kind.as_str()) {
            meta["namespace"] = json!("a");
        }
        if meta["uid"].is_null() {
            meta["uid"] = json!(format!("{kind}-{name}"));
        }
        if meta["creationTimestamp"].is_null() {
            meta["creationTimestamp"] = json!(OLD);
        }
        match kind.as_str() {
            "Pod" => out.pods.push(serde_json::from_value(object).unwrap()),
            "Event" => out.events.push(serde_json::from_value(object).unwrap()),
            "ConfigMap" => out.config_maps.extend(Keyed::config_map(&object)),
            "Secret" => out.secrets.extend(Keyed::from_value(&object)),
            _ => out.objects.entry(kind).or_default().push(serde_json::from_value(object).unwrap()),
        }
    }
    out
}

/// An event on an object that [`of`] made.
pub(crate) fn event(kind: &str, name: &str, reason: &str, message: &str) -> Value {
    json!({"kind": "Event", "reason": reason, "message": message, "count": 5,
        "firstTimestamp": "2026-11-22T16:40:00Z", "lastTimestamp": "2026-11-22T16:59:00Z",
        "metadata": {"name": format!("{name}.{reason}")},
        "involvedObject": {"kind": kind, "name": name, "namespace": "a", "uid": format!("{kind}-{name}")}})
}

/// A bare pod that waits for a node.
pub(crate) fn pending(name: &str, spec: Value, message: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec,
        "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": message, "lastTransitionTime": OLD}]}})
}

/// A ready bare pod with one container on port 8080.
pub(crate) fn ready(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
        "spec": {"nodeName": "n", "containers": [{"name": "app", "image": "x",
            "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "True", "lastTransitionTime": OLD}],
            "containerStatuses": [{"name": "app", "ready": true, "started": true, "restartCount": 0,
                "state": {"running": {"startedAt": OLD}}}]}})
}

/// A Deployment `web` that wants one pod and can't make it for this reason.
pub(crate) fn refused(message: &str, spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec}},
        "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "message": message, "lastTransitionTime": OLD}]}})
}

/// `code Kind/name` of every finding worse than info, worst first.
pub(crate) fn roots(objects: &[Value]) -> Vec<String> {
    let found = diagnose(&of(objects));
    let told = found.findings.iter().filter(|finding| finding.severity != Severity::Info);
    told.map(|finding| format!("{} {}", finding.code, finding.object)).collect()
}

/// `code Kind/name` of every finding, info too.
pub(crate) fn all(objects: &[Value]) -> Vec<String> {
    diagnose(&of(objects)).findings.iter().map(|finding| format!("{} {}", finding.code, finding.object)).collect()
}

/// The finding of this code.
pub(crate) fn finding(objects: &[Value], code: &str) -> Finding {
    let found = diagnose(&of(objects));
    let shown: Vec<String> = found.findings.iter().map(|f| format!("{} {}", f.code, f.object)).collect();
    found.findings.into_iter().find(|f| f.code.name() == code).unwrap_or_else(|| panic!("{code} in {shown:?}"))
}
