//! Fields that can't be changed while an object exists.

use crate::model::object::ObjectRef;
use crate::model::path::{Path, Step};
use crate::text::shell_word;
use serde_json::Value;

/// What a person has to do when this field of an existing object is to change; `None` when the API takes it.
/// Source: the validation of each kind, Kubernetes 1.34 (`pkg/apis/*/validation`).
pub fn immutable(object: &ObjectRef, before: &Value, path: &Path) -> Option<String> {
    if is_replaced(before) {
        return None;
    }
    let fields: Vec<&str> = path
        .0
        .iter()
        .map(|step| match step {
            Step::Field(name) => name.as_str(),
            _ => "*",
        })
        .collect();
    let again = |more: &str| {
        let namespace = object.namespace.as_ref().map(|name| format!(" -n {}", shell_word(name))).unwrap_or_default();
        let kind = object.kind.to_lowercase();
        format!(
            "change it by hand in Git, and delete the object, so that the sync makes it again: kubectl delete {kind} {}{namespace}{more}",
            shell_word(&object.name)
        )
    };
    match (object.group.as_str(), object.kind.as_str(), fields.as_slice()) {
        ("apps", "Deployment" | "DaemonSet" | "ReplicaSet", ["spec", "selector", ..]) => {
            Some(again(" --cascade=orphan"))
        }
        ("apps", "StatefulSet", ["spec", field, ..]) if !STATEFUL.contains(field) => Some(again(" --cascade=orphan")),
        ("batch", "Job", ["spec", field, ..]) if JOB.contains(field) => Some(again("")),
        ("", "Service", ["spec", "clusterIP" | "clusterIPs", ..])
        | ("", "Secret", ["type"])
        | ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding", ["roleRef", ..]) => Some(again("")),
        ("", "Pod", ["spec", rest @ ..]) if !is_mutable_of_a_pod(rest) => Some(again("")),
        ("", "PersistentVolumeClaim", ["spec", rest @ ..])
            if !matches!(rest, ["resources", "requests", "storage"] | ["volumeAttributesClassName"]) =>
        {
            Some("make a claim of another name, and move the data to it".to_owned())
        }
        ("", "ConfigMap" | "Secret", ["data" | "binaryData" | "stringData" | "immutable", ..])
            if before["immutable"] == true =>
        {
            Some("give it another name, and name that one where it is used".to_owned())
        }
        (
            "storage.k8s.io",
            "StorageClass",
            ["parameters" | "provisioner" | "reclaimPolicy" | "volumeBindingMode", ..],
        ) => Some("make a class of another name, and name that one in new claims".to_owned()),
        _ => None,
    }
}

/// Whether a live object is a claim without a volume: it holds nothing, so that it can be deleted and made anew.
pub fn is_unbound_claim(live: &Value) -> bool {
    live["kind"] == "PersistentVolumeClaim"
        && live["status"]["phase"] == "Pending"
        && live["spec"]["volumeName"].as_str().unwrap_or_default().is_empty()
}

/// The only fields of a StatefulSet's spec that may change.
const STATEFUL: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// Fields of a Job's spec that may not.
const JOB: [&str; 8] = [
    "template",
    "selector",
    "completions",
    "completionMode",
    "podFailurePolicy",
    "successPolicy",
    "backoffLimitPerIndex",
    "managedBy",
];

fn is_mutable_of_a_pod(fields: &[&str]) -> bool {
    matches!(
        fields,
        ["containers" | "initContainers", "*", "image"]
            | ["activeDeadlineSeconds" | "terminationGracePeriodSeconds"]
            | ["tolerations" | "schedulingGates", ..]
    )
}

/// Whether what applies the object deletes it and makes it again by itself.
fn is_replaced(object: &Value) -> bool {
    let annotation = |name: &str| object["metadata"]["annotations"][name].as_str().unwrap_or_default();
    let options = annotation("argocd.argoproj.io/sync-options");
    annotation("kustomize.toolkit.fluxcd.io/force").eq_ignore_ascii_case("enabled")
        || options.contains("Force=true")
        || !annotation("argocd.argoproj.io/hook").is_empty()
        || !annotation("helm.sh/hook").is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(api_version: &str, kind: &str, path: &str, before: &Value) -> Option<String> {
        immutable(&ObjectRef::new(api_version, kind, "prod", "web"), before, &Path::of(path))
    }

    #[test]
    fn each_kind_has_its_own_fields() {
        for (api_version, kind, fixed, free) in [
            ("apps/v1", "Deployment", "spec.selector.matchLabels.app", "spec.template.metadata.labels.app"),
            (
                "apps/v1",
                "StatefulSet",
                "spec.volumeClaimTemplates[data].spec.resources.requests.storage",
                "spec.replicas",
            ),
            ("apps/v1", "StatefulSet", "spec.serviceName", "spec.template.spec.containers[a].image"),
            ("batch/v1", "Job", "spec.template.spec.containers[a].image", "spec.parallelism"),
            ("v1", "Service", "spec.clusterIP", "spec.ports[80].targetPort"),
            ("v1", "PersistentVolumeClaim", "spec.storageClassName", "spec.resources.requests.storage"),
            ("v1", "Pod", "spec.containers[a].command", "spec.containers[a].image"),
            ("storage.k8s.io/v1", "StorageClass", "parameters.type", "allowVolumeExpansion"),
            ("rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef.name", "subjects[0].name"),
        ] {
            assert!(of(api_version, kind, fixed, &Value::Null).is_some(), "{kind} {fixed}");
            assert_eq!(of(api_version, kind, free, &Value::Null), None, "{kind} {free}");
        }
        // The same name in another group is another kind.
        assert_eq!(of("serving.knative.dev/v1", "Service", "spec.clusterIP", &Value::Null), None);
    }

    #[test]
    fn a_config_map_is_immutable_when_it_says_so() {
        let sealed = json!({"immutable": true});
        assert!(of("v1", "ConfigMap", "data.a", &sealed).is_some());
        assert_eq!(of("v1", "ConfigMap", "data.a", &json!({})), None);
        assert_eq!(of("v1", "ConfigMap", "metadata.labels.a", &sealed), None);
    }

    #[test]
    fn a_claim_holds_nothing_only_while_it_waits_for_a_volume() {
        let claim = |phase: &str, spec: Value| json!({"kind": "PersistentVolumeClaim", "spec": spec, "status": {"phase": phase}});
        assert!(is_unbound_claim(&claim("Pending", json!({}))));
        assert!(!is_unbound_claim(&claim("Bound", json!({}))));
        assert!(!is_unbound_claim(&claim("Pending", json!({"volumeName": "v"}))), "it may be bound any moment");
        assert!(!is_unbound_claim(&json!({"kind": "Pod", "status": {"phase": "Pending"}})));
    }

    #[test]
    fn what_is_made_again_by_itself_may_change() {
        let forced = json!({"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/force": "enabled"}}});
        assert_eq!(of("batch/v1", "Job", "spec.template.spec.containers[a].image", &forced), None);
        let words = of("batch/v1", "Job", "spec.template.spec.containers[a].image", &json!({}));
        assert!(words.is_some_and(|words| words.ends_with("kubectl delete job web -n prod")));
    }
}
