//! Codes that no recording shows, each beside a twin.
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]

use super::testing::{OLD, all, event, of, pending, ready, refused};
use serde_json::{Value, json};

/// The first objects show the code, the second differ in one fact and must not.
#[track_caller]
fn shows(code: &str, faulty: &[Value], twin: &[Value]) {
    let has = |objects: &[Value]| all(objects).iter().any(|found| found.starts_with(&format!("{code} ")));
    assert!(has(faulty), "{code}: {:?}", all(faulty));
    assert!(!has(twin), "{code} of its twin: {:?}", all(twin));
}

/// A pod that no node takes for this reason of the scheduler.
fn turned_down(reason: &str) -> [Value; 1] {
    [pending("web", json!({}), &format!("0/1 nodes are available: {reason}. preemption: not helpful."))]
}

/// A Deployment `web` with its ready pod.
fn deployment(name: &str, label: &str, spec: Value, status: Value) -> Value {
    let mut spec = spec;
    spec["selector"] = json!({"matchLabels": {"app": label}});
    spec["template"] = json!({"metadata": {"labels": {"app": label}}, "spec": {}});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec, "status": status})
}

fn owned(name: &str, owner: &str) -> Vec<Value> {
    let mut pod = ready(name, json!({"app": owner, "pod-template-hash": "1"}));
    let by = |kind: &str, name: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": format!("{kind}-{name}"), "controller": true}]);
    let set = format!("{owner}-1");
    pod["metadata"]["ownerReferences"] = by("ReplicaSet", &set);
    let replicas = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"replicas": 1},
        "metadata": {"name": set, "labels": {"pod-template-hash": "1"}, "ownerReferences": by("Deployment", owner)}});
    vec![replicas, pod]
}

#[test]
fn reasons_of_the_scheduler_that_no_recording_has() {
    let other = turned_down("1 Insufficient cpu");
    for (code, reason) in [
        ("unschedulable-claims", "1 cannot allocate all claims"),
        ("unschedulable-volume-limit", "1 node(s) exceed max volume count"),
        ("unschedulable-volume-zone", "1 node(s) had no available volume zone"),
        ("unschedulable-host-port", "1 node(s) didn't have free ports for the requested pod ports"),
        ("unschedulable-pod-affinity", "1 node(s) didn't match pod affinity rules"),
    ] {
        shows(code, &turned_down(reason), &other);
    }
    shows("unschedulable-claims", &[pending("web", json!({}), "resourceclaim \"a/gpu\" not found")], &other);
}

#[test]
fn a_pod_that_preempts_others_waits_for_them() {
    let message = "0/1 nodes are available: waiting for the preemption for this pod to be finished";
    let mut chosen = pending("web", json!({}), message);
    let twin = chosen.clone();
    chosen["status"]["nominatedNodeName"] = json!("n");
    shows("unschedulable-preemption-pending", &[chosen], &[twin]);
}

#[test]
fn a_replica_set_that_is_refused() {
    let with = |status: &str, reason: &str| {
        let mut made = refused("", json!({}));
        made["status"]["conditions"] = json!([{"type": "Progressing", "status": status, "reason": reason,
            "message": "replicasets.apps is forbidden: exceeded quota: sets", "lastTransitionTime": OLD}]);
        [made]
    };
    let code = "replicaset-create-error";
    shows(code, &with("False", "ReplicaSetCreateError"), &with("True", "ReplicaSetUpdated"));
}

#[test]
fn two_controllers_with_one_selector() {
    let status = || json!({"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
    let two = |label: &str| {
        ["web", "api"].map(|name| {
            let label = if name == "web" { "web" } else { label };
            deployment(name, label, json!({"replicas": 1}), status())
        })
    };
    shows("selector-overlap", &two("web"), &two("api"));
}

#[test]
fn settings_of_a_deployment_that_are_worth_knowing() {
    let status = json!({"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1});
    let with = |field: &str, value: i64| {
        let mut objects = owned("web-1-a", "web");
        objects.push(deployment("web", "web", json!({"replicas": 1, field: value}), status.clone()));
        objects
    };
    shows("history-exhausted", &with("revisionHistoryLimit", 0), &with("revisionHistoryLimit", 2));
    // The pod has been ready for an hour.
    shows("min-ready-too-long", &with("minReadySeconds", 7200), &with("minReadySeconds", 5));
}

#[test]
fn a_spec_that_no_controller_looked_at() {
    let at = |seen: i64| {
        let mut made = deployment("web", "web", json!({"replicas": 0}), json!({"observedGeneration": seen}));
        made["metadata"]["generation"] = json!(2);
        [made]
    };
    shows("generation-not-observed", &at(1), &at(2));
}

#[test]
fn keys_that_are_no_names_of_variables() {
    let pod = ready("web", json!({"app": "web"}));
    let said = |reason: &str| {
        [
            pod.clone(),
            event("Pod", "web", reason, "Keys [1st] from the EnvFrom configMap a/b were skipped since they are"),
        ]
    };
    shows("env-from-invalid-keys", &said("InvalidEnvironmentVariableNames"), &said("Pulled"));
}

#[test]
fn an_event_of_the_future() {
    let at = |time: &str| {
        let mut made = event("Pod", "web", "Pulled", "pulled");
        made["lastTimestamp"] = json!(time);
        made["source"] = json!({"host": "n"});
        [made]
    };
    shows("node-clock", &at("2026-11-22T17:05:00Z"), &at("2026-11-22T17:00:30Z"));
    let mut nowhere = at("2026-11-22T17:05:00Z");
    nowhere[0]["source"] = json!({});
    assert_eq!(all(&nowhere), ["node-clock Event/web.Pulled"], "a controller does not say where it runs");
}

#[test]
fn an_application_that_differs_from_git() {
    let with = |status: &str| {
        [json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"},
            "spec": {}, "status": {"sync": {"status": status}, "operationState": {"finishedAt": OLD}}})]
    };
    shows("argocd-out-of-sync", &with("OutOfSync"), &with("Synced"));
    let found = super::diagnose(&of(&with("OutOfSync"))).findings;
    assert!(found[0].summary.starts_with("Application shop: something differs"), "{}", found[0].summary);
    assert_eq!(found[0].evidence[0].text, "OutOfSync: something");
}
