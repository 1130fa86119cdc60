//! What each rule answers on what a real cluster reported.

use super::answered::candidates;
use super::{of_code, recorded};
use aifix::cluster::files;
use aifix::diagnose::diagnose;
use aifix::model::intent::Intent;
use aifix::model::snapshot::Snapshot;
use serde_json::Value;
use std::path::Path;

/// `safe PATH: OLD -> NEW`, `review ...`, or a refusal with its choices: `needs-choice [... | ...]`.
fn answer(snapshot: &Snapshot, code: &str) -> String {
    let found = diagnose(snapshot);
    let finding = of_code(&found, code).unwrap_or_else(|| panic!("{code}: {:?}", found.findings));
    let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
    let edits = |intent: &Intent| {
        let one =
            intent.edits.iter().map(|edit| format!("{}: {} -> {}", edit.path, shown(&edit.old), shown(&edit.new)));
        one.collect::<Vec<_>>().join("; ")
    };
    match candidates(snapshot, finding) {
        Ok(all) => format!("{} {}", if all[0].review.is_empty() { "safe" } else { "review" }, edits(&all[0])),
        Err(refusal) if refusal.choices.is_empty() => refusal.code.to_owned(),
        Err(refusal) => {
            format!("{} [{}]", refusal.code, refusal.choices.iter().map(edits).collect::<Vec<_>>().join(" | "))
        }
    }
}

/// Folder, code (the folder's name where empty), answer.
const ANSWERS: [(&str, &str, &str); 37] = [
    ("cronjob-invalid-schedule", "", "needs-choice"),
    ("ds-no-matching-nodes", "", "needs-choice"),
    ("hpa-target-missing", "", r#"needs-choice [spec.scaleTargetRef.name: "web-app" -> "web"]"#),
    ("ingress-backend-port-missing", "", "safe spec.rules[0].http.paths[0].backend.service.port.number: 8080 -> 80"),
    ("job-deadline-exceeded", "", "needs-choice [spec.activeDeadlineSeconds: 20 -> 40]"),
    ("job-sidecar-never-ends", "", "needs-choice"),
    (
        "limitrange-default-below-request",
        "",
        r#"review spec.template.spec.containers[app].resources.limits.memory: - -> "256Mi""#,
    ),
    (
        "limitrange-max",
        "",
        r#"needs-choice [spec.template.spec.containers[app].resources.limits.memory: "512Mi" -> "128Mi"]"#,
    ),
    (
        "limitrange-min",
        "",
        r#"review spec.template.spec.containers[app].resources.requests.memory: "16Mi" -> "64Mi"; spec.template.spec.containers[app].resources.limits.memory: "16Mi" -> "64Mi""#,
    ),
    (
        "limitrange-ratio",
        "",
        r#"review spec.template.spec.containers[app].resources.requests.memory: "16Mi" -> "32Mi""#,
    ),
    ("pdb-selects-nothing", "", "needs-choice"),
    ("pod-security-denied", "", "needs-choice"),
    ("pod-security-denied.daemonset", "", "needs-choice"),
    (
        "pod-security-denied.restricted",
        "",
        r#"needs-choice [spec.template.spec.containers[app].securityContext.allowPrivilegeEscalation: - -> false; spec.template.spec.containers[app].securityContext.capabilities.drop: - -> ["ALL"]; spec.template.spec.containers[app].securityContext.runAsNonRoot: - -> true; spec.template.spec.containers[app].securityContext.seccompProfile.type: - -> "RuntimeDefault"]"#,
    ),
    ("priorityclass-missing", "", "needs-choice"),
    ("provisioner-missing", "", "not-in-git"),
    ("provisioner-missing.wffc", "", "not-in-git"),
    ("pvc-no-class.no-default", "", "needs-choice"),
    (
        "pvc-no-matching-volume.named",
        "pvc-volume-name-mismatch",
        r#"review spec.resources.requests.storage: "5Gi" -> "1Gi""#,
    ),
    ("quota-exceeded", "", "needs-choice"),
    ("quota-exceeded.pods", "", "needs-choice"),
    (
        "rollout-surge-blocked",
        "",
        r#"needs-choice [spec.strategy.rollingUpdate.maxSurge: "25%" -> 0; spec.strategy.rollingUpdate.maxUnavailable: "25%" -> 1 | spec.strategy.type: "RollingUpdate" -> "Recreate"]"#,
    ),
    (
        "rollout-surge-blocked.quota",
        "",
        r#"review spec.strategy.rollingUpdate.maxSurge: "25%" -> 0; spec.strategy.rollingUpdate.maxUnavailable: "25%" -> 1"#,
    ),
    ("runtimeclass-missing", "", "needs-choice"),
    ("service-named-port-missing", "", r#"review spec.ports[0].targetPort: "web" -> "http""#),
    ("service-target-port-mismatch", "", "review spec.ports[0].targetPort: 8081 -> 8080"),
    ("serviceaccount-missing", "", r#"needs-choice [spec.template.spec.serviceAccountName: "web-sa" -> "default"]"#),
    ("storageclass-missing", "", "needs-choice"),
    ("sts-broken-rollout-stuck", "", "not-in-git"),
    ("sts-headless-service-missing", "", "needs-choice"),
    ("hpa-ambiguous", "", "needs-choice"),
    ("rolebinding-role-missing", "", "needs-choice"),
    ("pdb-unmanaged-pods", "", "needs-choice"),
    (
        "config-changed-not-reloaded",
        "",
        r#"needs-choice [spec.template.metadata.annotations["kubectl.kubernetes.io/restartedAt"]: - -> "2026-11-22T16:51:49Z"]"#,
    ),
    ("preempted", "", r#"needs-choice [spec.template.spec.priorityClassName: "cat-low" -> "cat-high"]"#),
    ("pod-deadline-exceeded", "", "needs-choice"),
    ("unschedulable-volume-affinity", "", "needs-choice"),
];

#[test]
fn each_recording_leads_to_the_edit_or_the_refusal_that_its_facts_decide() {
    let wrong: Vec<String> = ANSWERS
        .iter()
        .filter_map(|(folder, code, want)| {
            let code = if code.is_empty() { folder.split('.').next().unwrap() } else { *code };
            let got = answer(&recorded(folder), code);
            (got != *want).then(|| format!("{folder}: {got}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Folder, code, answer.
const DELIVERED: [(&str, &str, &str); 6] = [
    ("argo-wrong-path", "argocd-comparison-error", "not-in-git"),
    ("flux-gitrepo-bad-branch", "flux-source-failed", "not-in-git"),
    ("flux-gitrepo-auth-failed", "flux-source-failed", "not-in-git"),
    ("flux-ks-bad-schema", "flux-apply-failed", "needs-judgement"),
    ("flux-ks-wrong-path", "flux-path-missing", "not-in-git"),
    ("flux-ks-immutable", "flux-apply-failed", "needs-judgement"),
];

#[test]
fn what_delivery_tools_reported_is_edited_only_where_facts_decide() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded-gitops");
    let wrong: Vec<String> = DELIVERED
        .iter()
        .filter_map(|(folder, code, want)| {
            let got = answer(&files::load(&root.join(folder), None).unwrap(), code);
            (got != *want).then(|| format!("{folder}: {got}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Tests of recordings, for the table of classes.
pub(super) const MADE: [fn(); 2] = [
    each_recording_leads_to_the_edit_or_the_refusal_that_its_facts_decide,
    what_delivery_tools_reported_is_edited_only_where_facts_decide,
];
