//! What happens next, by what was seen.

use super::next;
use crate::model::intent::{FieldEdit, Op};
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::model::proposal::{Delivery, Next};
use crate::model::snapshot::{Scope, Snapshot};
use serde_json::{Value, json};

const FIELD: &str = "spec.template.spec.containers[web].image";

fn web(metadata: &Value, more: &Value) -> Value {
    let mut web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "log", "image": "a"}, {"name": "web", "image": "a"}]}}}});
    for (part, more) in [("metadata", metadata), ("spec", more)] {
        web[part].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    web
}

fn by_flux() -> Value {
    json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}})
}

fn by_argo() -> Value {
    json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:prod/web"}})
}

fn kustomization(spec: &Value) -> Value {
    let mut object = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "shop", "namespace": "flux-system"},
        "spec": {"interval": "10m", "sourceRef": {"kind": "GitRepository", "name": "shop"}},
        "status": {"inventory": {"entries": [{"id": "prod_web_apps_Deployment", "v": "v1"}]}}});
    object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    object
}

fn repository(spec: Value) -> Value {
    json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "shop", "namespace": "flux-system"}, "spec": spec})
}

fn application(spec: Value) -> Value {
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd"}, "spec": spec,
        "status": {"resources": [{"group": "apps", "kind": "Deployment", "namespace": "prod", "name": "web"}]}})
}

fn ask(object: &Value, seen: &[Value], field: &str) -> Next {
    ask_with(object, seen, field, Op::Set)
}

fn ask_with(object: &Value, seen: &[Value], field: &str, op: Op) -> Next {
    let read = |value: &Value| serde_json::from_value::<Object>(value.clone()).unwrap();
    let mut snapshot = Snapshot::new("x", Scope::All);
    for value in seen {
        snapshot.objects.entry(value["kind"].as_str().unwrap().to_owned()).or_default().push(read(value));
    }
    next(&snapshot, &read(object), &[FieldEdit { path: Path::of(field), op, old: None, new: None }], "main")
}

#[track_caller]
fn check(object: &Value, seen: &[Value], delivery: Delivery, lines: &[&str], commands: &[&str]) {
    let next = ask(object, seen, FIELD);
    assert_eq!(next.lines, lines);
    assert_eq!(next.commands, commands);
    assert_eq!(next.delivery, delivery);
}

const RECONCILE: &str = "flux reconcile kustomization shop -n flux-system --with-source";

#[test]
fn flux_syncs_by_itself_when_its_source_follows_the_branch() {
    let seen = [kustomization(&json!({})), repository(json!({"ref": {"branch": "main"}}))];
    let line = "Kustomization flux-system/shop syncs by itself, at the latest every 10m";
    check(&web(&by_flux(), &json!({})), &seen, Delivery::Automatic, &[line], &[RECONCILE]);
}

#[test]
fn what_is_suspended_keeps_the_change_away() {
    let seen = [kustomization(&json!({"suspend": true}))];
    let line = "Kustomization flux-system/shop is suspended: `flux resume kustomization shop -n flux-system` lets the \
                change arrive";
    check(&web(&by_flux(), &json!({})), &seen, Delivery::Blocked, &[line], &[RECONCILE]);
    let next =
        ask(&web(&by_flux(), &json!({})), &[kustomization(&json!({})), repository(json!({"suspend": true}))], FIELD);
    assert_eq!(next.delivery, Delivery::Blocked);
    assert!(next.lines[1].contains("`flux resume source git shop -n flux-system`"), "{next:?}");
}

#[test]
fn a_source_that_follows_something_else_is_named() {
    for (reference, words) in [
        (json!({"tag": "v1.4.0"}), "GitRepository flux-system/shop follows tag v1.4.0, not a branch"),
        (
            json!({"branch": "release"}),
            "GitRepository flux-system/shop follows branch release, and the change is based on main",
        ),
    ] {
        let seen = [kustomization(&json!({})), repository(json!({"ref": reference}))];
        let next = ask(&web(&by_flux(), &json!({})), &seen, FIELD);
        assert_eq!((next.delivery, next.lines[1].as_str()), (Delivery::Blocked, words));
    }
    let bucket = kustomization(&json!({"sourceRef": {"kind": "OCIRepository", "name": "shop"}}));
    let next = ask(&web(&by_flux(), &json!({})), &[bucket], FIELD);
    assert_eq!(next.delivery, Delivery::Manual);
    assert!(next.lines[1].starts_with("OCIRepository flux-system/shop is published from Git"), "{next:?}");
}

#[test]
fn an_object_that_flux_is_told_to_leave_alone_is_blocked() {
    let mut metadata = by_flux();
    metadata["annotations"] = json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"});
    let next = ask(&web(&metadata, &json!({})), &[kustomization(&json!({}))], FIELD);
    assert_eq!(next.delivery, Delivery::Blocked);
    assert_eq!(
        next.lines[0],
        "Deployment prod/web is left alone by Flux (kustomize.toolkit.fluxcd.io/reconcile: disabled)"
    );
}

#[test]
fn a_mark_that_its_controller_does_not_know_says_nothing() {
    let mut stale = kustomization(&json!({}));
    stale["status"]["inventory"]["entries"][0]["id"] = json!("prod_other_apps_Deployment");
    let nothing = "nothing on the object says what applies it from Git: apply it as it was applied before";
    check(&web(&by_flux(), &json!({})), &[stale], Delivery::Unknown, &[nothing], &[]);
    let mut copied = by_argo();
    copied["annotations"]["argocd.argoproj.io/tracking-id"] = json!("shop:apps/Deployment:prod/other");
    check(&web(&copied, &json!({})), &[application(json!({}))], Delivery::Unknown, &[nothing], &[]);
}

#[test]
fn a_controller_that_was_not_seen_is_named_and_nothing_is_promised() {
    let line = "Kustomization flux-system/shop was not seen: whether it syncs by itself is not known";
    check(&web(&by_flux(), &json!({})), &[], Delivery::Unknown, &[line], &[RECONCILE]);
}

#[test]
fn a_release_is_reconciled_after_the_kustomization_that_applies_it() {
    let release = json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": "web", "namespace": "prod", "labels": by_flux()["labels"]}, "spec": {"interval": "1h"}});
    let mut above = kustomization(&json!({}));
    above["status"]["inventory"]["entries"][0]["id"] = json!("prod_web_helm.toolkit.fluxcd.io_HelmRelease");
    let labels = json!({"labels": {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "prod"}});
    check(
        &web(&labels, &json!({})),
        &[release, above],
        Delivery::Automatic,
        &[
            "HelmRelease prod/web syncs by itself, at the latest every 1h",
            "Kustomization flux-system/shop syncs by itself, at the latest every 10m",
        ],
        &[RECONCILE, "flux reconcile helmrelease web -n prod"],
    );
}

#[test]
fn argo_cd_syncs_by_its_policy() {
    let web = web(&by_argo(), &json!({}));
    let sync = ["argocd app sync shop"];
    let automated = application(json!({"syncPolicy": {"automated": {}}, "source": {"targetRevision": "HEAD"}}));
    check(&web, &[automated], Delivery::Automatic, &["Application argocd/shop syncs by itself"], &sync);
    for by_hand in [json!({}), json!({"syncPolicy": {"automated": {"enabled": false}}})] {
        check(&web, &[application(by_hand)], Delivery::Manual, &["Application argocd/shop syncs by hand"], &sync);
    }
    let pinned = application(json!({"syncPolicy": {"automated": {}}, "source": {"targetRevision": "v1"}}));
    let next = ask(&web, &[pinned], FIELD);
    assert_eq!(next.delivery, Delivery::Blocked);
    assert_eq!(next.lines[1], "Application argocd/shop follows v1, and the change is based on main");
}

#[test]
fn fields_that_argo_cd_overlooks_are_told() {
    let rules = |pointer: &str| json!([{"group": "apps", "kind": "Deployment", "jsonPointers": [pointer]}]);
    let image = "/spec/template/spec/containers/1/image";
    let ask = |spec: Value| ask(&web(&by_argo(), &json!({})), &[application(spec)], FIELD);
    let respected = ask(json!({"ignoreDifferences": rules(image),
        "syncPolicy": {"automated": {}, "syncOptions": ["RespectIgnoreDifferences=true"]}}));
    assert_eq!(respected.delivery, Delivery::Blocked);
    assert_eq!(
        respected.lines[1],
        format!("Application shop ignores differences of {FIELD}, and a sync keeps the live value")
    );
    let overlooked = ask(json!({"ignoreDifferences": rules("/spec/template"), "syncPolicy": {"automated": {}}}));
    assert_eq!(overlooked.delivery, Delivery::Manual);
    for other in ["/spec/template/spec/containers/0/image", "/spec/temp", "/spec/replicas"] {
        let next = ask(json!({"ignoreDifferences": rules(other), "syncPolicy": {"automated": {}}}));
        assert_eq!((next.delivery, next.lines.len()), (Delivery::Automatic, 1), "{other}");
    }
}

#[test]
fn an_autoscaler_and_a_paused_rollout_keep_a_field_as_it_is() {
    let hpa = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "prod"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}}});
    let scaled = ask(&web(&json!({}), &json!({})), std::slice::from_ref(&hpa), "spec.replicas");
    assert_eq!(scaled.delivery, Delivery::Blocked);
    assert_eq!(scaled.lines[0], "spec.replicas is set by HorizontalPodAutoscaler prod/web, not by Git");
    let left = ask_with(&web(&json!({}), &json!({})), std::slice::from_ref(&hpa), "spec.replicas", Op::Remove);
    assert_eq!(left.delivery, Delivery::Unknown, "what Git no longer says is the autoscaler's");
    let off = ask(&web(&json!({}), &json!({"replicas": 0})), std::slice::from_ref(&hpa), "spec.replicas");
    assert_eq!(off.delivery, Delivery::Unknown, "0 replicas turn it off");
    assert_eq!(ask(&web(&json!({}), &json!({})), &[hpa], FIELD).delivery, Delivery::Unknown);
    let paused = ask(&web(&json!({}), &json!({"paused": true})), &[], FIELD);
    assert_eq!(paused.delivery, Delivery::Blocked);
    let on_delete = ask(&web(&json!({}), &json!({"updateStrategy": {"type": "OnDelete"}})), &[], FIELD);
    assert_eq!(on_delete.delivery, Delivery::Manual);
}
