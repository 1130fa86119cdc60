//! Argo CD, Helm, and changes by hand.

use super::flux::refusal_code;
use super::observe::{Observation, named};
use super::row::rows;
use super::view::{Settled, View, Workload};
use super::workload::Consequence;
use crate::model::code::CodeInfo;
use crate::model::finding::{Severity, Source};
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::text;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

rows! { "delivery";
ARGOCD_SYNC_FAILED "argocd-sync-failed" Model:
    "Argo CD can't apply what is in Git";
    "A sync was tried and the API refused part of it.";
    "Application status.operationState.phase Failed or Error; resources with status SyncFailed; condition SyncError.";
    "A field that does not exist, an immutable field, a kind that is not served, a hook that fails.";
    "What the API refuses never ran, so there is no live field to change: the message names what to correct in Git, or \
     the commit that brought it is taken back (--revert).".
ARGOCD_COMPARISON_ERROR "argocd-comparison-error" Rule:
    "Argo CD can't build or read what is in Git";
    "Without manifests nothing is compared or delivered.";
    "Application condition ComparisonError, InvalidSpecError or UnknownError.";
    "A path that does not exist, a chart or kustomization that does not build, a repository that can't be read.";
    "When the path does not exist and exactly one directory differs by a typo, it is set for a person to review. \
     Otherwise it needs judgement.".
ARGOCD_OUT_OF_SYNC "argocd-out-of-sync" None:
    "what runs differs from Git and Argo CD has not changed it";
    "The live object is not what Git says: an edit must be made on Git's value, not on the live one.";
    "Application status.sync.status OutOfSync for over ten minutes.";
    "Automatic sync that is off, a change by hand, a field that another tool sets.";
    "Sync it (`argocd app sync NAME`), or bring the change into Git.".
ARGOCD_DEGRADED "argocd-degraded" None:
    "Argo CD reports workloads that are not healthy";
    "The Application was applied; what it runs fails.";
    "Application status.health.status Degraded or Missing.";
    "What is wrong with its workloads, which are the roots above this effect.";
    "An effect: the workloads' own fault is what to fix.".
ARGOCD_SHARED_RESOURCE "argocd-shared-resource" Ask:
    "an object belongs to more than one Application, or to none";
    "Two Applications that own one object undo each other.";
    "Application condition SharedResourceWarning, RepeatedResourceWarning or OrphanedResourceWarning.";
    "A manifest that two paths include, an Application that was copied.";
    "A person chooses which Application keeps the object: take it out of the source of the other one.".
HELM_RELEASE_FAILED "helm-release-failed" None:
    "the newest revision of a Helm release failed";
    "Helm gave up on its newest install or upgrade. The reason is inside a Secret and not read.";
    "the Secret labelled owner=helm with the highest version of a release and status=failed, read with \
     --read-secret-keys.";
    "Workloads that did not become ready, an error of the API, a hook.";
    "Not by an edit: fix the cause and upgrade again, or `helm rollback`.".
HELM_RELEASE_PENDING "helm-release-pending" None:
    "a Helm release is locked by an operation that did not end";
    "Later upgrades fail with `another operation is in progress`.";
    "the Secret labelled owner=helm with status=pending-install, pending-upgrade or pending-rollback for over ten \
     minutes.";
    "A pipeline that was cancelled in the middle of an upgrade.";
    "Not by an edit: `helm rollback` to the last deployed revision.".
DRIFT_BY_HAND "drift-by-hand" Ask:
    "a field was changed by hand after the last delivery";
    "What runs is not what Git says, and the next sync may undo it.";
    "managedFields of a delivered workload: a kubectl manager wrote spec fields after the delivery tool did.";
    "A quick change on the cluster, an experiment that was left.";
    "A person chooses: bring the change into Git by a commit, or undo it by a sync.".
}

/// A difference or a lock of this age is no longer in transit.
const TRANSIT: i64 = 600;

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for application in applications(view) {
        out.extend(conditions(application));
        out.extend(sync(application));
        out.extend(out_of_sync(view, application));
    }
    out.extend(helm(view));
    out.extend(view.workloads.iter().filter_map(drift));
    out
}

fn applications<'v>(view: &'v View<'_>) -> impl Iterator<Item = &'v Object> {
    view.snapshot.kind("Application").iter().filter(|one| one.api_version.starts_with("argoproj.io/"))
}

fn base(code: &'static CodeInfo, application: &Object, summary: String) -> Observation {
    let mut seen = Observation::of_object(code, application.object());
    seen.summary = summary;
    seen.severity = Some(Severity::Warning);
    seen.since = application.metadata.creation_timestamp;
    let revision = application.text("/status/sync/revision");
    if !revision.is_empty() {
        seen.fact("revision", revision);
    }
    seen
}

fn conditions(application: &Object) -> Vec<Observation> {
    // Conditions of an Application have a type and a message, and no status.
    let all: Vec<Value> = application.view("/status/conditions");
    let own = &application.metadata.name;
    let of = |condition: &Value| {
        let text = |name: &str| condition.get(name).and_then(Value::as_str).unwrap_or_default();
        let (kind, message) = (text("type"), text("message"));
        let at: Option<Timestamp> = text("lastTransitionTime").parse().ok();
        let mut seen = match kind {
            "ComparisonError" | "InvalidSpecError" | "UnknownError" => {
                let short = message.rsplit_once("desc = ").map_or(message, |(_, short)| short);
                let summary = format!("Application {own} can't be compared with Git: {}", text::clip(short, 160));
                let mut seen = base(&ARGOCD_COMPARISON_ERROR, application, summary);
                if message.contains("path does not exist") {
                    let path = application.text("/spec/source/path");
                    seen.show(Source::Spec, None, &format!("path: {path}"), Some(Path::of("spec.source.path")));
                    seen.fact("path", path);
                } else {
                    seen.class = crate::model::code::FixClass::Model;
                }
                seen
            }
            "SyncError" => base(
                &ARGOCD_SYNC_FAILED,
                application,
                format!("Application {own} can't be synced: {}", text::clip(message, 160)),
            ),
            "SharedResourceWarning" | "RepeatedResourceWarning" | "OrphanedResourceWarning" => {
                let summary = format!("Application {own}: {}", text::clip(message, 160));
                let mut seen = base(&ARGOCD_SHARED_RESOURCE, application, summary);
                seen.severity = Some(Severity::Info);
                seen
            }
            _ => return None,
        };
        kind.clone_into(&mut seen.message);
        seen.since = at.or(seen.since);
        seen.show(Source::Status, at, &format!("{kind}: {message}"), None);
        Some(seen)
    };
    all.iter().filter_map(of).collect()
}

fn sync(application: &Object) -> Option<Observation> {
    let phase = application.text("/status/operationState/phase");
    let told = application.at("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let already = told.into_iter().any(|one| one.get("type").and_then(Value::as_str) == Some("SyncError"));
    if !matches!(phase, "Failed" | "Error") || already {
        return None;
    }
    let message = application.text("/status/operationState/message");
    let resources: Vec<Value> = application.view("/status/operationState/syncResult/resources");
    let failed = resources.iter().find(|one| one.get("status").and_then(Value::as_str) == Some("SyncFailed"));
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let why = failed.map_or_else(|| message.to_owned(), |one| text(one, "message"));
    // The refusals of the API that have a code of their own do so whoever applied.
    let code = match refusal_code(&why) {
        code if code.name == "flux-apply-failed" => &ARGOCD_SYNC_FAILED,
        code => code,
    };
    let what = failed.map_or_else(String::new, |one| format!(" {} {}", text(one, "kind"), text(one, "name")));
    let summary = format!("Application {} can't apply{what}: {}", application.metadata.name, text::clip(&why, 160));
    let mut seen = base(code, application, summary);
    let at: Option<Timestamp> = application.text("/status/operationState/finishedAt").parse().ok();
    seen.since = at.or(seen.since);
    seen.show(Source::Status, at, &format!("{phase}: {message}"), None);
    if let Some(one) = failed {
        seen.show(Source::Status, at, &format!("SyncFailed:{what}: {}", text(one, "message")), None);
        seen.fact("object", format!("{}/{}", text(one, "kind"), text(one, "name")));
    }
    Some(seen)
}

fn out_of_sync(view: &View<'_>, application: &Object) -> Option<Observation> {
    let since: Option<Timestamp> = ["/status/operationState/finishedAt", "/status/health/lastTransitionTime"]
        .into_iter()
        .find_map(|pointer| application.text(pointer).parse().ok());
    let differs = application.text("/status/sync/status") == "OutOfSync";
    if !differs || view.settled(since, TRANSIT) == Settled::No {
        return None;
    }
    let resources: Vec<Value> = application.view("/status/resources");
    let names: Vec<String> = resources
        .iter()
        .filter(|one| one.get("status").and_then(Value::as_str) == Some("OutOfSync"))
        .filter_map(|one| Some(format!("{} {}", one.get("kind")?.as_str()?, one.get("name")?.as_str()?)))
        .collect();
    let automatic = application.at("/spec/syncPolicy/automated").is_some();
    let how = if automatic { "" } else { "; automatic sync is off" };
    let what = if names.is_empty() { "something".to_owned() } else { text::and(&names) };
    let summary = format!("Application {}: {what} differs from Git{how}", application.metadata.name);
    let mut seen = base(&ARGOCD_OUT_OF_SYNC, application, summary);
    seen.severity = Some(Severity::Info);
    seen.since = since;
    seen.show(Source::Status, since, &format!("OutOfSync: {what}"), Some(Path::of("status.sync.status")));
    seen.fact("automated", automatic);
    seen.fact("resources", names);
    Some(seen)
}

/// Applications whose workloads fail.
pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    applications(view)
        .filter(|one| matches!(one.text("/status/health/status"), "Degraded" | "Missing"))
        .map(|application| {
            let resources: Vec<Value> = application.view("/status/resources");
            let follows = resources.iter().filter_map(|one| {
                let text = |name: &str| one.get(name).and_then(Value::as_str);
                Some(named(text("kind")?, text("namespace").unwrap_or_default(), text("name")?))
            });
            let health = application.text("/status/health/status");
            Consequence {
                code: &ARGOCD_DEGRADED,
                object: application.object(),
                follows: follows.collect(),
                container: None,
                summary: format!("Application {} is {health}", application.metadata.name),
            }
        })
        .collect()
}

/// The newest revision of each Helm release, by the labels of its Secrets.
fn helm(view: &View<'_>) -> Vec<Observation> {
    let mut newest: BTreeMap<(String, String), (i64, &crate::model::kube::Keyed)> = BTreeMap::new();
    for secret in &view.snapshot.secrets {
        let labels = &secret.metadata.labels;
        let (Some("helm"), Some(name)) = (labels.get("owner").map(String::as_str), labels.get("name")) else {
            continue;
        };
        let version = labels.get("version").and_then(|version| version.parse().ok()).unwrap_or_default();
        let held = newest.entry((secret.metadata.namespace.clone(), name.clone())).or_insert((version, secret));
        if version > held.0 {
            *held = (version, secret);
        }
    }
    let of = |((namespace, name), (version, secret)): ((String, String), (i64, &crate::model::kube::Keyed))| {
        let status = secret.metadata.labels.get("status")?;
        let created = secret.metadata.creation_timestamp;
        let (code, what) = match status.as_str() {
            "failed" => (&HELM_RELEASE_FAILED, "failed".to_owned()),
            status if status.starts_with("pending-") => {
                if view.settled(created, TRANSIT) != Settled::Yes {
                    return None;
                }
                (&HELM_RELEASE_PENDING, format!("is still {status}"))
            }
            _ => return None,
        };
        let object = ObjectRef::new("v1", "Secret", &namespace, &secret.metadata.name);
        let mut seen = Observation::of_object(code, object);
        seen.summary = format!("revision {version} of Helm release {name} {what}");
        seen.severity = Some(Severity::Warning);
        seen.since = created;
        seen.show(Source::Status, created, &format!("label status={status}, version={version}"), None);
        // Workloads of a release name it: what is wrong with them is why it failed.
        let own = view.workloads.iter().filter(|workload| {
            workload.source.is_some_and(|source| {
                source.metadata.namespace == namespace
                    && source.metadata.annotations.get("meta.helm.sh/release-name") == Some(&name)
            })
        });
        seen.follows = own.map(|workload| workload.key.clone()).collect();
        seen.fact("release", name);
        seen.fact("version", version);
        Some(seen)
    };
    newest.into_iter().filter_map(of).collect()
}

/// A workload that a tool delivers and whose spec kubectl wrote to afterwards.
fn drift(workload: &Workload<'_>) -> Option<Observation> {
    const TOOLS: [&str; 4] = ["kustomize-controller", "helm-controller", "argocd", "helm"];
    let source = workload.source?;
    let fields = &source.metadata.managed_fields;
    let is_tool = |manager: &str| TOOLS.iter().any(|tool| manager.starts_with(tool));
    let delivered = fields.iter().filter(|entry| is_tool(&entry.manager)).filter_map(|entry| entry.time).max()?;
    let by_hand = fields.iter().find(|entry| {
        entry.manager.starts_with("kubectl")
            && entry.operation == "Update"
            && entry.subresource.is_empty()
            && entry.time > Some(delivered)
            && !entry.fields_v1.text().contains("restartedAt")
            && entry.fields_v1.read().get("f:spec").is_some()
    })?;
    let mut seen = Observation::of_workload(&DRIFT_BY_HAND, workload);
    seen.summary = format!("{} was changed with {} after its last delivery", workload.top, by_hand.manager);
    seen.severity = Some(Severity::Info);
    seen.since = by_hand.time;
    let text = format!("{} wrote fields of the spec, the delivery tool before that", by_hand.manager);
    seen.show(Source::History, by_hand.time, &text, None);
    seen.fact("manager", by_hand.manager.as_str());
    seen.fact("fields", by_hand.fields_v1.read());
    Some(seen)
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
mod tests {
    use super::super::testing::{OLD, all, finding, pending, roots};
    use serde_json::{Value, json};

    fn application(status: Value) -> Value {
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"}, "spec": {}, "status": status})
    }

    fn helm(version: &str, status: &str, at: &str) -> Value {
        json!({"kind": "Secret", "metadata": {"name": format!("sh.helm.release.v1.web.v{version}"), "creationTimestamp": at,
            "labels": {"owner": "helm", "name": "web", "version": version, "status": status}}})
    }

    #[test]
    fn the_highest_version_of_a_release_speaks_for_it() {
        assert_eq!(
            roots(&[helm("9", "superseded", OLD), helm("10", "failed", OLD)]),
            ["helm-release-failed Secret/sh.helm.release.v1.web.v10"]
        );
        assert!(roots(&[helm("9", "failed", OLD), helm("10", "deployed", OLD)]).is_empty());
        assert_eq!(
            roots(&[helm("2", "pending-upgrade", OLD)]),
            ["helm-release-pending Secret/sh.helm.release.v1.web.v2"]
        );
        assert!(roots(&[helm("2", "pending-upgrade", "2026-11-22T16:55:00Z")]).is_empty(), "it is going on");
    }

    #[test]
    fn a_sync_that_failed_names_the_object() {
        let failed = application(
            json!({"operationState": {"phase": "Failed", "message": "one or more objects failed to apply",
            "syncResult": {"resources": [{"kind": "Service", "name": "web", "status": "SyncFailed", "message": "spec.clusterIP: field is immutable"}]}}}),
        );
        let told = finding(&[failed], "argocd-sync-failed");
        assert_eq!(told.summary, "Application shop can't apply Service web: spec.clusterIP: field is immutable");
        assert!(all(&[application(json!({"operationState": {"phase": "Succeeded"}}))]).is_empty());
    }

    #[test]
    fn a_degraded_application_hangs_under_its_workload_and_a_shared_object_is_told() {
        let pod = pending("web", json!({}), "0/1 nodes are available: 1 Too many pods.");
        let degraded = application(
            json!({"health": {"status": "Degraded"}, "resources": [{"kind": "Pod", "namespace": "a", "name": "web"}]}),
        );
        assert_eq!(finding(&[pod, degraded], "unschedulable-pods").effects[0].code.name(), "argocd-degraded");
        let shared = application(
            json!({"conditions": [{"type": "SharedResourceWarning", "message": "Service/web is part of shop and old"}]}),
        );
        assert_eq!(all(&[shared]), ["argocd-shared-resource Application/shop"]);
    }

    #[test]
    fn a_change_by_hand_counts_only_after_the_delivery() {
        let web = |at: &str| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "managedFields": [
            {"manager": "kustomize-controller", "operation": "Apply", "time": "2026-11-22T16:10:00Z", "fieldsV1": {"f:spec": {}}},
            {"manager": "kubectl-edit", "operation": "Update", "time": at, "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}, "spec": {"replicas": 0}})
        };
        assert_eq!(all(&[web("2026-11-22T16:20:00Z")]), ["drift-by-hand Deployment/web"]);
        assert!(all(&[web("2026-11-22T16:05:00Z")]).is_empty());
    }
}
