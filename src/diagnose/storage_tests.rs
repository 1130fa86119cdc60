//! Claims, volumes and classes that fail, and their twins.

use super::super::testing::{event, finding, of, pending, roots};
use serde_json::{Value, json};

fn claim(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec,
        "status": {"phase": "Pending"}})
}

fn volume(size: &str, mode: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
        "spec": {"storageClassName": "manual", "capacity": {"storage": size}, "accessModes": [mode]},
        "status": {"phase": "Available"}})
}

fn wanted(class: &str) -> Value {
    json!({"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}})
}

fn class(name: &str) -> Value {
    json!({"kind": "StorageClass", "metadata": {"name": name}})
}

const UNBOUND: &str = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found";

#[test]
fn a_class_that_only_volumes_carry_is_no_missing_class() {
    let failed = event(
        "PersistentVolumeClaim",
        "data",
        "ProvisioningFailed",
        r#"storageclass.storage.k8s.io "manual" not found"#,
    );
    let with = |volume: Value| roots(&[claim(wanted("manual")), failed.clone(), volume]);
    assert_eq!(with(class("fast")), ["storageclass-missing PersistentVolumeClaim/data"]);
    assert_eq!(with(volume("1Gi", "ReadWriteOnce")), ["pvc-no-matching-volume PersistentVolumeClaim/data"]);
    assert!(with(volume("5Gi", "ReadWriteOnce")).is_empty(), "it fits and is bound in a moment");
    let told = finding(&[claim(wanted("manual")), volume("1Gi", "ReadOnlyMany")], "pvc-no-matching-volume");
    assert_eq!(
        told.summary,
        "no volume fits claim data: pv (has 1Gi, 5Gi are wanted and does not offer ReadWriteOnce)"
    );
}

#[test]
fn the_closest_class_is_named() {
    let told = finding(&[claim(wanted("fats")), class("fast"), class("slow")], "storageclass-missing");
    assert_eq!(told.summary, "StorageClass fats of claim data does not exist; fast does");
    assert!(roots(&[claim(wanted("fast")), class("fast")]).is_empty(), "it was asked for a moment ago");
}

#[test]
fn a_pod_that_waits_for_a_claim_hangs_below_it_and_makes_it_as_bad() {
    let spec = json!({"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]});
    let found = super::super::diagnose(&of(&[claim(wanted("fats")), class("fast"), pending("web", spec, UNBOUND)]));
    let [root] = found.findings.as_slice() else { panic!("{:?}", found.findings) };
    assert_eq!((root.code.name(), root.severity), ("storageclass-missing", crate::model::finding::Severity::Critical));
    assert_eq!(root.effects[0].code.name(), "unschedulable-pvc-unbound");
    assert_eq!(root.pods.failing, 1);
}

#[test]
fn two_claims_of_one_missing_class_are_one_root() {
    let mut other = claim(wanted("fats"));
    other["metadata"]["name"] = json!("logs");
    assert_eq!(roots(&[claim(wanted("fats")), other, class("fast")]), ["storageclass-missing StorageClass/fats"]);
}

#[test]
fn what_the_driver_says_is_told() {
    let error = r#"failed to provision volume with StorageClass "fast": rpc error: code = ResourceExhausted desc = quota reached"#;
    let failed = event("PersistentVolumeClaim", "data", "ProvisioningFailed", error);
    assert_eq!(
        roots(&[claim(wanted("fast")), class("fast"), failed]),
        ["provisioning-failed PersistentVolumeClaim/data"]
    );
    let plugin = "no volume plugin matched name: kubernetes.io/none";
    let failed = event("PersistentVolumeClaim", "data", "ProvisioningFailed", plugin);
    let told = finding(&[claim(wanted("fast")), class("fast"), failed], "provisioning-failed");
    assert_eq!(told.summary, format!("no volume of class fast for claim data: {plugin}"));
}

#[test]
fn a_volume_that_is_kept_for_a_gone_claim_explains_the_pending_one() {
    let mut kept = volume("5Gi", "ReadWriteOnce");
    kept["spec"]["claimRef"] = json!({"name": "old", "namespace": "a", "uid": "x"});
    kept["status"]["phase"] = json!("Released");
    assert_eq!(roots(&[claim(wanted("manual")), kept]), ["pv-released PersistentVolume/pv"]);
}

#[test]
fn states_of_bound_claims_have_their_codes() {
    let bound = |status: Value| {
        let mut bound = claim(wanted("fast"));
        bound["status"] = status;
        bound["status"]["phase"] = json!("Bound");
        super::super::testing::all(&[bound, class("fast")])
    };
    let resize =
        json!({"capacity": {"storage": "1Gi"}, "conditions": [{"type": "ControllerResizeError", "status": "True"}]});
    assert_eq!(bound(resize), ["pvc-resize-failed PersistentVolumeClaim/data"]);
    let waits = json!({"conditions": [{"type": "FileSystemResizePending", "status": "True", "lastTransitionTime": "2026-11-22T16:00:00Z"}]});
    assert_eq!(bound(waits), ["pvc-fs-resize-pending PersistentVolumeClaim/data"]);
    assert!(bound(json!({"capacity": {"storage": "5Gi"}})).is_empty());
}

#[test]
fn a_claim_that_waits_for_its_pod_is_an_effect_of_the_pod() {
    let waits = event(
        "PersistentVolumeClaim",
        "data",
        "WaitForFirstConsumer",
        "waiting for first consumer to be created before binding",
    );
    let spec =
        json!({"nodeSelector": {"x": "y"}, "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]});
    let message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    let lone = [claim(wanted("fast")), class("fast"), waits];
    assert!(roots(&lone).is_empty(), "nothing mounts it: by design");
    let mut all = lone.to_vec();
    all.push(pending("web", spec, message));
    let told = finding(&all, "unschedulable-node-selector");
    assert_eq!(told.effects[0].code.name(), "pvc-waits-for-consumer");
}

#[test]
fn two_claims_of_one_volume_are_told() {
    let misbound = event(
        "PersistentVolumeClaim",
        "data",
        "ClaimMisbound",
        "Two claims are bound to the same volume, this one is bound incorrectly",
    );
    let mut lost = claim(wanted("manual"));
    lost["spec"]["volumeName"] = json!("pv");
    lost["status"]["phase"] = json!("Lost");
    let mut taken = volume("5Gi", "ReadWriteOnce");
    taken["spec"]["claimRef"] = json!({"name": "other", "namespace": "a", "uid": "x"});
    // The event is gone after an hour; the volume tells it as well.
    assert_eq!(roots(&[lost.clone(), taken]), ["pvc-misbound PersistentVolumeClaim/data"]);
    assert_eq!(roots(&[lost.clone(), misbound]), ["pvc-misbound PersistentVolumeClaim/data"]);
    assert_eq!(roots(&[lost]), ["pvc-lost PersistentVolumeClaim/data"]);
}

#[test]
fn a_pod_that_wants_a_volume_that_is_gone_hangs_below_the_claim() {
    let mut lost = claim(wanted("manual"));
    lost["spec"]["volumeName"] = json!("pv");
    lost["status"]["phase"] = json!("Lost");
    let spec = json!({"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]});
    let message = r#"0/1 nodes are available: persistentvolumeclaim "data" bound to non-existent persistentvolume "pv". not found"#;
    let told = finding(&[lost.clone(), pending("web", spec.clone(), message)], "pvc-lost");
    assert_eq!(told.effects[0].code.name(), "unschedulable-pvc-unbound");
    assert_eq!(roots(&[lost, pending("web", spec, message)]), ["pvc-lost PersistentVolumeClaim/data"]);
}
