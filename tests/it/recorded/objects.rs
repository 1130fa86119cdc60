//! Recordings of cluster objects: their roots and effects.

use super::{edited, folder, names, of_code, recorded, text};
use aifix::cluster::files::load;
use aifix::diagnose::{Diagnosis, codes, diagnose, needs};
use aifix::model::finding::Severity;
use aifix::model::snapshot::Snapshot;
use serde_json::{Value, json};

/// Families of what lies around the containers.
const FAMILIES: [&str; 15] = [
    "admission",
    "autoscaling",
    "daemonset",
    "delivery",
    "ingress",
    "job",
    "namespace",
    "node",
    "quota",
    "rbac",
    "scheduling",
    "service",
    "statefulset",
    "storage",
    "workload",
];

/// The root of each folder: (folder, code, object).
const ROOTS: [(&str, &str, &str); 57] = [
    ("admission-policy-denied", "admission-policy-denied", "Deployment/web"),
    ("cronjob-blocked", "cronjob-blocked", "CronJob/report"),
    ("cronjob-invalid-schedule", "cronjob-invalid-schedule", "CronJob/report"),
    ("hpa-ambiguous", "hpa-ambiguous", "HorizontalPodAutoscaler/web"),
    ("hpa-metrics-unavailable", "hpa-metrics-unavailable", "HorizontalPodAutoscaler/web"),
    ("hpa-target-missing", "hpa-target-missing", "HorizontalPodAutoscaler/web"),
    ("ingress-backend-port-missing", "ingress-backend-port-missing", "Ingress/web"),
    ("job-backoff-exceeded.onfailure", "job-backoff-exceeded", "Job/migrate"),
    ("job-deadline-exceeded", "job-deadline-exceeded", "Job/migrate"),
    ("job-sidecar-never-ends", "job-sidecar-never-ends", "Job/migrate"),
    ("limitrange-default-below-request", "limitrange-default-below-request", "Deployment/web"),
    ("limitrange-max", "limitrange-max", "Deployment/web"),
    ("limitrange-min", "limitrange-min", "Deployment/web"),
    ("limitrange-ratio", "limitrange-ratio", "Deployment/web"),
    ("namespace-terminating-stuck", "object-finalizer-stuck", "ConfigMap/bucket"),
    ("node-lost", "node-lost", "Node/cat-ghost"),
    ("pod-finalizer-stuck", "pod-finalizer-stuck", "Pod/web"),
    ("pod-security-denied", "pod-security-denied", "Deployment/web"),
    ("pod-security-denied.daemonset", "pod-security-denied", "DaemonSet/agent"),
    ("pod-security-denied.restricted", "pod-security-denied", "Deployment/web"),
    ("priorityclass-missing", "priorityclass-missing", "Deployment/web"),
    ("provisioner-missing", "provisioner-missing", "PersistentVolumeClaim/data"),
    ("provisioner-missing.wffc", "provisioner-missing", "PersistentVolumeClaim/data"),
    ("pvc-lost", "pvc-lost", "PersistentVolumeClaim/data"),
    ("pvc-missing", "pvc-missing", "Deployment/web"),
    ("pvc-no-class.no-default", "pvc-no-class", "PersistentVolumeClaim/data"),
    ("pvc-no-matching-volume.named", "pvc-volume-name-mismatch", "PersistentVolumeClaim/data"),
    ("pvc-terminating-in-use", "pvc-terminating-in-use", "PersistentVolumeClaim/data"),
    ("quota-exceeded", "quota-exceeded", "Deployment/web"),
    ("quota-exceeded.pods", "quota-exceeded", "Deployment/web"),
    ("rolebinding-role-missing", "rolebinding-role-missing", "RoleBinding/reader"),
    ("rollout-surge-blocked", "rollout-surge-blocked", "Deployment/web"),
    ("rollout-surge-blocked.quota", "rollout-surge-blocked", "Deployment/web"),
    ("runtimeclass-missing", "runtimeclass-missing", "Deployment/web"),
    ("scheduler-name-unknown", "scheduler-name-unknown", "Deployment/web"),
    ("scheduling-gated", "scheduling-gated", "Deployment/web"),
    ("service-named-port-missing", "service-named-port-missing", "Service/web"),
    ("service-selector-mismatch", "service-selector-mismatch", "Service/web"),
    ("service-target-port-mismatch", "service-target-port-mismatch", "Service/web"),
    ("serviceaccount-missing", "serviceaccount-missing", "Deployment/web"),
    ("storageclass-missing", "storageclass-missing", "PersistentVolumeClaim/data"),
    ("sts-broken-rollout-stuck", "sts-broken-rollout-stuck", "StatefulSet/db"),
    ("sts-pvc-pending", "storageclass-missing", "PersistentVolumeClaim/data-db-0"),
    ("unschedulable-affinity", "unschedulable-affinity", "Deployment/web"),
    ("unschedulable-anti-affinity", "unschedulable-anti-affinity", "Deployment/web"),
    ("unschedulable-cpu", "unschedulable-cpu", "Deployment/web"),
    ("unschedulable-extended-resource", "unschedulable-extended-resource", "Deployment/web"),
    ("unschedulable-memory", "unschedulable-memory", "Deployment/web"),
    ("unschedulable-node-selector", "unschedulable-node-selector", "Deployment/web"),
    ("unschedulable-rwop", "unschedulable-rwop", "Deployment/web"),
    ("unschedulable-topology-spread", "unschedulable-topology-spread", "Deployment/web"),
    ("unschedulable-volume-affinity", "unschedulable-volume-affinity", "Deployment/web"),
    ("webhook-ca-invalid", "webhook-ca-invalid", "Deployment/web"),
    ("webhook-denied", "webhook-denied", "Deployment/web"),
    ("webhook-service-missing", "webhook-service-missing", "Deployment/web"),
    ("webhook-unreachable", "webhook-unreachable", "Deployment/web"),
    ("webhook-unreachable.timeout", "webhook-unreachable", "Deployment/web"),
];

/// Effects that hang below the root of a folder: (folder, root, effect).
const EFFECTS: [(&str, &str, &str); 17] = [
    ("limitrange-max", "limitrange-max", "deployment-unavailable"),
    ("namespace-terminating-stuck", "object-finalizer-stuck", "namespace-terminating-stuck"),
    ("node-lost", "node-lost", "not-ready"),
    ("pod-security-denied.daemonset", "pod-security-denied", "ds-pod-create-failed"),
    ("provisioner-missing", "provisioner-missing", "unschedulable-pvc-unbound"),
    ("provisioner-missing.wffc", "provisioner-missing", "unschedulable-volume-bind"),
    ("pvc-no-matching-volume.named", "pvc-volume-name-mismatch", "unschedulable-pvc-unbound"),
    ("quota-exceeded", "quota-exceeded", "rollout-stalled"),
    ("rollout-surge-blocked", "rollout-surge-blocked", "rollout-stalled"),
    ("rollout-surge-blocked.quota", "rollout-surge-blocked", "rollout-stalled"),
    ("scheduling-gated", "scheduling-gated", "deployment-unavailable"),
    ("storageclass-missing", "storageclass-missing", "unschedulable-pvc-unbound"),
    ("storageclass-missing", "storageclass-missing", "rollout-stalled"),
    ("sts-pvc-pending", "storageclass-missing", "sts-pvc-pending"),
    ("sts-pvc-pending", "storageclass-missing", "sts-first-pod-blocked"),
    ("sts-pvc-pending", "storageclass-missing", "service-no-ready-endpoints"),
    ("unschedulable-anti-affinity", "unschedulable-anti-affinity", "rollout-stalled"),
];

/// What is only worth knowing: (folder, code, object).
const INFO: [(&str, &str, &str); 13] = [
    ("config-changed-not-reloaded", "config-changed-not-reloaded", "Deployment/web"),
    ("deployment-paused", "deployment-paused", "Deployment/web"),
    ("ds-no-matching-nodes", "ds-no-matching-nodes", "DaemonSet/agent"),
    ("hpa-scaling-disabled", "hpa-scaling-disabled", "HorizontalPodAutoscaler/web"),
    ("networkpolicy-selects-nothing", "networkpolicy-selects-nothing", "NetworkPolicy/allow-web"),
    ("node-lost", "node-tainted", "Node/cat-ghost"),
    ("pdb-selects-nothing", "pdb-selects-nothing", "PodDisruptionBudget/web"),
    ("pdb-unmanaged-pods", "pdb-unmanaged-pods", "PodDisruptionBudget/web"),
    ("sts-headless-service-missing", "sts-headless-service-missing", "StatefulSet/db"),
    ("sts-on-delete-pending", "sts-on-delete-pending", "StatefulSet/db"),
    ("sts-partition-holds", "sts-partition-holds", "StatefulSet/db"),
    ("trap-cronjob-suspended", "cronjob-suspended", "CronJob/report"),
    ("trap-job-suspended", "job-suspended", "Job/migrate"),
];

/// Delivery tools: (folder, code, object, effect or nothing).
const DELIVERED: [(&str, &str, &str, &str); 23] = [
    ("argo-oomkilled", "oom-killed", "Deployment/cart", "deployment-unavailable"),
    ("argo-outofsync-drift", "drift-by-hand", "Deployment/cart", ""),
    ("argo-wrong-path", "argocd-comparison-error", "Application/cart", ""),
    ("flux-gitrepo-auth-failed", "flux-source-failed", "GitRepository/shop", ""),
    ("flux-gitrepo-bad-branch", "flux-source-failed", "GitRepository/bad-branch", ""),
    ("flux-gitrepo-bad-repo", "flux-source-failed", "GitRepository/bad-repo", ""),
    ("flux-gitrepo-suspended", "flux-suspended", "GitRepository/suspended", ""),
    ("flux-ks-bad-kustomization", "flux-build-failed", "Kustomization/bad-kustomization", ""),
    ("flux-ks-bad-schema", "flux-apply-failed", "Kustomization/bad-schema", ""),
    ("flux-ks-bad-yaml", "flux-build-failed", "Kustomization/bad-yaml", ""),
    ("flux-ks-depends-on-bad", "flux-path-missing", "Kustomization/wrong-path", "flux-dependency-not-ready"),
    ("flux-ks-immutable", "flux-apply-failed", "Kustomization/immutable", ""),
    ("flux-ks-missing-source", "flux-source-failed", "Kustomization/missing-source", ""),
    ("flux-ks-no-namespace", "flux-apply-failed", "Kustomization/no-namespace", ""),
    ("flux-ks-oom-healthchecks", "oom-killed", "Deployment/cart-hc", "flux-health-failed"),
    ("flux-ks-oom-nowait", "oom-killed", "Deployment/cart-nowait", "deployment-unavailable"),
    ("flux-ks-suspended", "flux-suspended", "Kustomization/suspended", ""),
    ("flux-ks-unknown-kind", "flux-apply-failed", "Kustomization/unknown-kind", ""),
    ("flux-ks-wrong-path", "flux-path-missing", "Kustomization/wrong-path", ""),
    ("flux-oomkilled", "oom-killed", "Deployment/cart", "flux-health-failed"),
    ("flux-suspended-drift", "flux-suspended", "Kustomization/shop-prod", ""),
    ("flux-suspended-drift", "drift-by-hand", "Deployment/cart", ""),
    ("helm3-install-oom", "oom-killed", "Deployment/cart", "helm-release-failed"),
];

fn roots(found: &Diagnosis) -> Vec<(&'static str, String)> {
    let told = found.findings.iter().filter(|finding| finding.severity != Severity::Info);
    told.filter(|finding| FAMILIES.contains(&finding.code.0.family) && finding.code.name() != "not-ready")
        .map(|finding| (finding.code.name(), finding.object.to_string()))
        .collect()
}

#[test]
fn every_folder_has_the_root_it_must_have_and_no_other_of_these_families() {
    let mut wrong = Vec::new();
    for name in names() {
        let ours = roots(&diagnose(&recorded(&name)));
        let want: Vec<_> =
            ROOTS.iter().filter(|(folder, ..)| *folder == name).map(|(_, c, o)| (*c, (*o).to_owned())).collect();
        if ours != want {
            wrong.push(format!("{name}: {ours:?} instead of {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_folder_with_a_root_of_these_families_has_no_other_finding_that_is_worse_than_info() {
    for (name, code, _) in ROOTS {
        let found = diagnose(&recorded(name));
        let told: Vec<&str> =
            found.findings.iter().filter(|f| f.severity != Severity::Info).map(|f| f.code.name()).collect();
        assert_eq!(told, [code], "{name}");
        assert!(found.findings[0].since.is_some(), "{name}");
        assert!(!found.findings[0].evidence.is_empty(), "{name}");
    }
}

#[test]
fn effects_hang_below_the_root_however_many_steps_lie_between() {
    for (name, root, effect) in EFFECTS {
        let found = diagnose(&recorded(name));
        let finding = of_code(&found, root).unwrap_or_else(|| panic!("{name} has root {root}"));
        assert!(finding.effects.iter().any(|e| e.code.name() == effect), "{name}: {:?}", finding.effects);
        assert!(of_code(&found, effect).is_none(), "{name}: {effect} is no root");
    }
}

#[test]
fn what_is_by_intent_is_told_as_info() {
    for (name, code, object) in INFO {
        let found = diagnose(&recorded(name));
        let finding = of_code(&found, code).unwrap_or_else(|| panic!("{name} has {code}"));
        assert_eq!((finding.severity, finding.object.to_string().as_str()), (Severity::Info, object), "{name}");
    }
}

#[test]
fn a_summary_names_what_was_parsed_and_not_the_message() {
    for (name, summary) in [
        ("hpa-target-missing", "Deployment web-app does not exist"),
        ("ingress-backend-port-missing", "shop.example/ goes to port 8080 of Service web, which has 80"),
        ("job-sidecar-never-ends", "container app ended well and proxy runs on, so the Job never ends"),
        ("limitrange-default-below-request", "container app requests 256Mi memory and the default limit is 64Mi"),
        ("limitrange-ratio", "a memory limit may be 2 times its request, and it is 4 times"),
        ("pvc-no-matching-volume.named", "claim data can't have volume cat-pv-named: it has 1Gi, 5Gi are wanted"),
        ("quota-exceeded", "quota team-quota is full: a pod asks for 16Mi requests.memory with 32Mi of 40Mi used"),
        ("service-named-port-missing", "Service web sends to port web, which no pod names; they have http"),
        ("service-target-port-mismatch", "Service web sends to port 8081; its pods declare 8080"),
        ("unschedulable-affinity", "no node satisfies the affinity kubernetes.io/arch In [arm64]"),
        ("unschedulable-volume-affinity", "volume cat-pv-local of claim data lives on kubernetes.io/hostname=old-node"),
        ("cronjob-invalid-schedule", "schedule `0 0 31 2 *` can't be used: no such date ever comes"),
    ] {
        assert_eq!(diagnose(&recorded(name)).findings[0].summary, summary, "{name}");
    }
}

#[test]
fn facts_for_later_hold_the_amounts_of_a_full_quota() {
    let found = diagnose(&recorded("quota-exceeded"));
    let facts = &of_code(&found, "quota-exceeded").unwrap().facts;
    assert_eq!(facts["quota"], "team-quota");
    let want = json!({"resource": "requests.memory", "requested": "16Mi", "used": "32Mi", "limited": "40Mi", "missing": "8Mi"});
    assert_eq!(facts["resources"][0], want);
}

#[test]
fn the_same_objects_without_the_fault_are_silent() {
    let with = |name: &str, kind: &str, pointer: &str, value: Value| {
        let healed = edited(name, kind, |object| *object.pointer_mut(pointer).unwrap() = value.clone());
        diagnose(&healed).findings.iter().filter(|f| f.severity != Severity::Info).count()
    };
    assert_eq!(with("service-target-port-mismatch", "Service", "/spec/ports/0/targetPort", json!(8080)), 0);
    assert_eq!(with("service-named-port-missing", "Service", "/spec/ports/0/targetPort", json!("http")), 0);
    let port = "/spec/rules/0/http/paths/0/backend/service/port/number";
    assert_eq!(with("ingress-backend-port-missing", "Ingress", port, json!(80)), 0);
    assert_eq!(with("hpa-target-missing", "HorizontalPodAutoscaler", "/status/conditions", json!([])), 0);
    assert_eq!(with("pvc-lost", "PersistentVolumeClaim", "/status/phase", json!("Bound")), 0);
    assert_eq!(with("pvc-terminating-in-use", "PersistentVolumeClaim", "/metadata/deletionTimestamp", Value::Null), 0);
    assert_eq!(with("cronjob-blocked", "CronJob", "/spec/concurrencyPolicy", json!("Allow")), 0);
}

#[test]
fn a_wider_wait_makes_a_lost_node_the_root_of_what_its_taint_keeps_away() {
    let mut later = recorded("node-lost");
    later.taken_at = "2026-11-22T17:20:00Z".parse().ok();
    let found = diagnose(&later);
    let effects: Vec<&str> = of_code(&found, "node-lost").unwrap().effects.iter().map(|e| e.code.name()).collect();
    assert_eq!(effects, ["deployment-unavailable", "not-ready", "unschedulable-taint"]);
}

#[test]
fn delivery_tools_fail_for_their_own_reasons_or_follow_their_workloads() {
    for (name, code, object, effect) in DELIVERED {
        let found = diagnose(&delivered(name));
        let finding = of_code(&found, code).unwrap_or_else(|| panic!("{name} has {code}"));
        assert_eq!(finding.object.to_string(), object, "{name}");
        let effects: Vec<&str> = finding.effects.iter().map(|e| e.code.name()).collect();
        assert!(effect.is_empty() || effects.contains(&effect), "{name}: {effects:?}");
        let known = |code: &str| {
            code == "oom-killed" || DELIVERED.iter().any(|(folder, one, ..)| *folder == name && *one == code)
        };
        let other: Vec<&str> = found.findings.iter().map(|f| f.code.name()).filter(|one| !known(one)).collect();
        assert!(other.is_empty(), "{name}: {other:?}");
    }
    for name in ["argo-fixed-healthy", "flux-fixed-healthy"] {
        assert!(diagnose(&delivered(name)).findings.is_empty(), "{name}");
    }
}

#[test]
fn the_second_wave_asks_for_the_kinds_that_a_code_needs() {
    for (name, kinds) in [
        ("storageclass-missing", &["nodes", "storageclasses", "persistentvolumes"][..]),
        ("provisioner-missing", &["nodes", "storageclasses", "persistentvolumes", "csidrivers"]),
        ("pvc-lost", &["storageclasses", "persistentvolumes"]),
        ("unschedulable-volume-affinity", &["nodes", "persistentvolumes"]),
        ("priorityclass-missing", &["priorityclasses"]),
        ("runtimeclass-missing", &["runtimeclasses"]),
        ("serviceaccount-missing", &["rolebindings", "clusterrolebindings"]),
        ("webhook-denied", &["validatingwebhookconfigurations", "mutatingwebhookconfigurations"]),
        ("admission-policy-denied", &[]),
        ("image-platform-missing", &["nodes"]),
        ("exec-format-error", &["nodes"]),
        ("pod-security-denied.daemonset", &["namespaces"]),
        ("hpa-metrics-unavailable", &["apiservices"]),
        ("ingress-backend-port-missing", &["ingressclasses"]),
        ("rolebinding-role-missing", &["rolebindings", "roles", "clusterrolebindings", "clusterroles"]),
        ("pod-finalizer-stuck", &["nodes"]),
        ("ds-no-matching-nodes", &["nodes"]),
        ("service-selector-mismatch", &[]),
        ("trap-scaled-to-zero", &[]),
        ("deployment-paused", &[]),
    ] {
        assert_eq!(needs(&recorded(name)).kinds, kinds, "{name}");
    }
    let flux = needs(&delivered("flux-oomkilled")).kinds;
    let limits = ["nodes", "resourcequotas", "limitranges", "verticalpodautoscalers"];
    let sources = ["gitrepositories", "imagepolicies", "imageupdateautomations"];
    assert_eq!(flux, [&["kustomizations"][..], &limits, &sources].concat());
    assert_eq!(needs(&delivered("argo-oomkilled")).kinds[0], "applications");
}

#[test]
fn a_row_of_these_families_is_written_for_a_person() {
    let rows = codes();
    let ours: Vec<_> = rows.iter().filter(|row| FAMILIES.contains(&row.family)).collect();
    for row in &ours {
        for text in [row.meaning, row.signals, row.causes, row.fix] {
            assert!(text.ends_with('.') && !text.contains('\n'), "{}: {text}", row.name);
        }
        assert!(!row.title.ends_with('.'), "{}", row.name);
    }
    let mut names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    names.dedup();
    assert_eq!(names.len(), rows.len(), "each code is there once");
}

/// A recording of a delivery tool, read a moment after the newest time in it.
fn delivered(name: &str) -> Snapshot {
    let path = folder().with_file_name("recorded-gitops").join(name);
    let list: Value = serde_json::from_str(&text(&path.join("objects.json")).unwrap()).unwrap();
    let mut newest: Option<jiff::Timestamp> = None;
    let mut todo = vec![&list];
    while let Some(value) = todo.pop() {
        match value {
            Value::String(text) => newest = newest.max(text.parse().ok()),
            Value::Array(all) => todo.extend(all),
            Value::Object(map) => todo.extend(map.values()),
            _ => {}
        }
    }
    let at = newest.and_then(|at| jiff::Timestamp::from_second(at.as_second() + 15).ok());
    load(&path, at).unwrap()
}
