//! Flux objects that fail, and their twins.

use super::super::testing::{OLD, all, finding, roots};
use super::seconds;
use serde_json::{Value, json};

fn object(kind: &str, name: &str, spec: Value, reason: &str, message: &str) -> Value {
    json!({"apiVersion": format!("{}.toolkit.fluxcd.io/v1", kind.to_lowercase()), "kind": kind, "metadata": {"name": name},
        "spec": spec, "status": {"conditions": [{"type": "Ready", "status": "False", "reason": reason,
            "message": message, "lastTransitionTime": OLD}]}})
}

#[test]
fn reasons_of_releases_and_charts_have_their_codes() {
    for (kind, reason, message, code) in [
        (
            "HelmRelease",
            "InstallFailed",
            "Helm install failed: template: x:1: function \"y\" not defined",
            "helmrelease-failed",
        ),
        (
            "HelmRelease",
            "UpgradeFailed",
            "Helm upgrade failed: timed out waiting for the condition",
            "helmrelease-failed",
        ),
        (
            "HelmRelease",
            "ValuesError",
            "could not resolve Secret chart values reference: could not find Secret 'a/x'",
            "helmrelease-values-missing",
        ),
        ("HelmRelease", "SourceNotReady", "HelmChart 'a/x' is not ready", "helmrelease-chart-missing"),
        (
            "HelmChart",
            "InvalidChartReference",
            "invalid chart reference: failed to get chart version: no chart version found for x-9.9",
            "helmrelease-chart-missing",
        ),
        ("Kustomization", "PruneFailed", "ConfigMap/a/x delete failed: forbidden", "flux-prune-failed"),
        ("Kustomization", "Unheard", "something new", "flux-apply-failed"),
        ("HelmRepository", "Failed", "failed to fetch index: 404", "flux-source-failed"),
    ] {
        assert_eq!(roots(&[object(kind, "x", json!({}), reason, message)]), [format!("{code} {kind}/x")], "{message}");
    }
    let policy = object("ImagePolicy", "x", json!({}), "Failed", "no tag matches");
    assert_eq!(all(&[policy]), ["image-automation-stuck ImagePolicy/x"]);
}

#[test]
fn refusals_of_the_api_have_codes_of_their_own() {
    for (message, code) in [
        (
            "StatefulSet/a/db dry-run failed (Forbidden): updates to statefulset spec for fields other than 'replicas' are forbidden",
            "sts-template-immutable",
        ),
        (
            "ConfigMap/a/x dry-run failed (Invalid): data: Forbidden: field is immutable when `immutable` is set",
            "config-immutable",
        ),
        ("ConfigMap/a/x dry-run failed (Invalid): []: Too long: must have at most 1048576 bytes", "config-too-large"),
    ] {
        let one = object("Kustomization", "k", json!({}), "ReconciliationFailed", message);
        assert_eq!(roots(&[one]), [format!("{code} Kustomization/k")]);
    }
}

#[test]
fn a_release_follows_its_chart_and_its_source() {
    let source = object("HelmRepository", "charts", json!({}), "Failed", "404");
    let chart = object(
        "HelmChart",
        "a-web",
        json!({"sourceRef": {"kind": "HelmRepository", "name": "charts"}}),
        "NoSource",
        "no source",
    );
    let mut release = object("HelmRelease", "web", json!({}), "SourceNotReady", "HelmChart 'a/a-web' is not ready");
    release["status"]["helmChart"] = json!("a/a-web");
    let told = finding(&[source, chart, release], "flux-source-failed");
    assert_eq!(told.effects.len(), 2);
}

#[test]
fn a_source_that_is_newer_than_what_runs_is_stale_after_two_intervals() {
    let source = |at: &str| {
        json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "s"},
        "status": {"artifact": {"revision": "main@2", "lastUpdateTime": at}}})
    };
    let run = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "k"},
        "spec": {"interval": "10m", "sourceRef": {"kind": "GitRepository", "name": "s"}}, "status": {"lastAppliedRevision": "main@1"}});
    assert_eq!(roots(&[source(OLD), run.clone()]), ["flux-source-stale Kustomization/k"]);
    assert!(roots(&[source("2026-11-22T16:55:00Z"), run]).is_empty());
    assert_eq!(seconds("1h30m5s"), 5405);
}

#[test]
fn the_revision_that_failed_and_the_one_that_runs_are_told() {
    let told = |applied: &str| {
        let mut object = object("Kustomization", "x", json!({}), "BuildFailed", "kustomize build failed: no");
        object["status"]["lastAttemptedRevision"] = json!("main@sha1:b");
        object["status"]["lastAppliedRevision"] = json!(applied);
        finding(&[object], "flux-build-failed").evidence.iter().map(|one| one.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told("main@sha1:a")[1], "attempted main@sha1:b, last applied main@sha1:a");
    assert_eq!(told("")[1], "attempted main@sha1:b, last applied nothing");
    assert_eq!(told("main@sha1:b").len(), 1);
}
