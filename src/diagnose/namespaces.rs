//! What can't be deleted, and API groups that do not answer.

use super::observe::{Observation, key, named};
use super::row::rows;
use super::view::{Settled, View};
use crate::model::code::CodeInfo;
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Condition, Meta, Object};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::text;
use regex::Regex;
use std::sync::LazyLock;

rows! { "namespace";
NAMESPACE_TERMINATING_STUCK "namespace-terminating-stuck" None:
    "a namespace does not go away";
    "It was deleted, and something in it still has finalizers whose controller does not remove them.";
    "phase Terminating for over five minutes; conditions NamespaceContentRemaining and NamespaceFinalizersRemaining.";
    "A controller that was removed before its objects, an API that does not answer.";
    "Not in Git: restore the controller that owns the finalizer, so that it can clean up. Finalizers are never \
     stripped by rule.".
NAMESPACE_DISCOVERY_FAILED "namespace-discovery-failed" None:
    "a namespace can't be emptied because an API does not answer";
    "The namespace controller must list every kind, and one API group does not answer.";
    "condition NamespaceDeletionDiscoveryFailure=True with the groups that fail.";
    "An aggregated API whose Service is down or was removed.";
    "Repair or remove the APIService that does not answer: `kubectl get apiservices` names it.".
NAMESPACE_CONTENT_FAILED "namespace-content-failed" None:
    "the objects of a namespace can't be deleted";
    "The API refuses to delete some of them: a webhook, a permission, an error of the API.";
    "condition NamespaceDeletionContentFailure=True, reason ContentDeletionFailed.";
    "A webhook that denies or does not answer.";
    "Do what the message asks for: `kubectl get namespace NAME -o yaml` shows it whole.".
OBJECT_FINALIZER_STUCK "object-finalizer-stuck" None:
    "a deleted object does not go away";
    "It has a finalizer, and the controller that should remove it does not.";
    "deletionTimestamp over five minutes ago and a finalizer.";
    "A controller that was removed or fails at its clean-up.";
    "Not in Git: restore the controller that owns the finalizer. Stripping it by hand skips the clean-up.".
POD_FINALIZER_STUCK "pod-finalizer-stuck" None:
    "a deleted pod does not go away because of a finalizer";
    "Its containers have ended and a finalizer keeps the object. The phase may read Failed with exit code 137, which \
     is only the end of the deletion.";
    "deletionTimestamp passed by over a minute and a finalizer.";
    "A controller that was removed or fails at its clean-up.";
    "Not in Git: restore the controller that owns the finalizer.".
POD_TERMINATING_STUCK "pod-terminating-stuck" None:
    "a deleted pod does not end";
    "Its grace period is over and no finalizer keeps it: the node does not confirm its end.";
    "deletionTimestamp passed by over a minute without finalizers; event FailedKillPod; the state of the node.";
    "A node that is lost, a process that can't be killed because it waits for storage.";
    "Not in Git: see the node. Forcing the deletion may leave the process running.".
APISERVICE_UNAVAILABLE "apiservice-unavailable" None:
    "an aggregated API does not answer";
    "Part of the API is served by another server in the cluster, and that one is not reachable.";
    "APIService condition Available=False: MissingEndpoints, ServiceNotFound, FailedDiscoveryCheck.";
    "A metrics server or adapter that is down or was removed.";
    "Ask who runs the cluster: the server behind it must answer (`kubectl describe apiservice NAME`), or the \
     APIService go.".
CRD_NOT_ESTABLISHED "crd-not-established" Model:
    "a custom kind is not served";
    "Its definition is in the cluster and not accepted, so objects of the kind can't be made.";
    "CustomResourceDefinition condition Established=False, NamesAccepted=False or NonStructuralSchema=True.";
    "A name that another definition has, a schema that is not valid.";
    "Needs judgement: the message names what is wrong with the definition.".
}

static RESOURCES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"([a-z0-9.-]+?)\.? has (\d+) resource instances").ok());
static FINALIZERS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\S+) in (\d+) resource instances").ok());

/// Any object but a pod gets this long after its deletion.
const DELETION: i64 = 300;
/// A pod gets a minute after its grace period.
const POD_DELETION: i64 = 60;

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for namespace in view.snapshot.kind("Namespace") {
        out.extend(namespace_stuck(view, namespace));
    }
    for objects in view.snapshot.objects.values() {
        out.extend(objects.iter().filter_map(|object| object_stuck(view, &object.metadata, object.object())));
    }
    for keyed in &view.snapshot.config_maps {
        let object = ObjectRef::new("v1", "ConfigMap", &keyed.metadata.namespace, &keyed.metadata.name);
        out.extend(object_stuck(view, &keyed.metadata, object.with_uid(&keyed.metadata.uid)));
    }
    out.extend(pods(view));
    out.extend(view.snapshot.kind("APIService").iter().filter_map(api_service));
    out.extend(view.snapshot.kind("CustomResourceDefinition").iter().filter_map(definition));
    out
}

fn base(code: &'static CodeInfo, object: ObjectRef, summary: String) -> Observation {
    let mut seen = Observation::of_object(code, object);
    seen.summary = summary;
    seen.severity = Some(Severity::Warning);
    seen
}

fn show(seen: &mut Observation, condition: &Condition) {
    let text = format!("{}: {}", condition.kind, condition.message);
    seen.show(Source::Status, condition.last_transition_time.0, &text, None);
}

fn namespace_stuck(view: &View<'_>, namespace: &Object) -> Option<Observation> {
    let deleted = namespace.metadata.deletion_timestamp?;
    let conditions = namespace.conditions();
    let bad = |kind: &str| conditions.iter().find(|c| c.kind == kind && c.status == "True");
    let name = &namespace.metadata.name;
    let (remaining, finalizers) = (bad("NamespaceContentRemaining"), bad("NamespaceFinalizersRemaining"));
    let mut seen = if let Some(condition) = bad("NamespaceDeletionDiscoveryFailure") {
        let summary = format!("namespace {name} can't be emptied: {}", text::clip(&condition.message, 140));
        let mut seen = base(&NAMESPACE_DISCOVERY_FAILED, namespace.object(), summary);
        show(&mut seen, condition);
        let services = view.snapshot.kind("APIService").iter().map(|one| key(&one.object()));
        seen.follows.extend(services);
        seen
    } else if let Some(condition) = bad("NamespaceDeletionContentFailure") {
        let summary = format!("objects of namespace {name} can't be deleted: {}", text::clip(&condition.message, 140));
        let mut seen = base(&NAMESPACE_CONTENT_FAILED, namespace.object(), summary);
        show(&mut seen, condition);
        seen
    } else {
        let found = |shape: &Option<Regex>, condition: Option<&Condition>| -> Vec<String> {
            let text = condition.map_or("", |condition| condition.message.as_str());
            let all = shape.iter().flat_map(|shape| shape.captures_iter(text));
            all.map(|found| format!("{} {}", &found[2], found[1].trim_end_matches('.'))).collect()
        };
        let (objects, kept) = (found(&RESOURCES, remaining), found(&FINALIZERS, finalizers));
        let with = if kept.is_empty() { String::new() } else { format!(" kept by {}", text::and(&names_only(&kept))) };
        let left = if objects.is_empty() { "something is".to_owned() } else { text::and(&objects) };
        let summary = format!("namespace {name} does not go away: {left} left{with}");
        let mut seen = base(&NAMESPACE_TERMINATING_STUCK, namespace.object(), summary);
        [remaining, finalizers].into_iter().flatten().for_each(|condition| show(&mut seen, condition));
        seen.show(Source::Status, Some(deleted), "it is being deleted", Some(Path::of("metadata.deletionTimestamp")));
        seen.follows = stuck_in(view, name);
        seen.fact("finalizers", names_only(&kept));
        seen
    };
    seen.since = Some(deleted);
    seen.settle(view.settled(Some(deleted), DELETION))
}

fn names_only(counted: &[String]) -> Vec<String> {
    counted.iter().filter_map(|text| Some(text.split_once(' ')?.1.to_owned())).collect()
}

/// Keys of the deleted objects of a namespace that still have finalizers.
fn stuck_in(view: &View<'_>, namespace: &str) -> Vec<String> {
    let kept =
        |meta: &Meta| meta.namespace == namespace && meta.deletion_timestamp.is_some() && !meta.finalizers.is_empty();
    let maps = view.snapshot.config_maps.iter().filter(|one| kept(&one.metadata));
    let objects = view.snapshot.objects.values().flatten().filter(|one| kept(&one.metadata));
    let pods = view.snapshot.pods.iter().filter(|one| kept(&one.metadata));
    maps.map(|one| named("ConfigMap", namespace, &one.metadata.name))
        .chain(objects.map(|one| key(&one.object())))
        .chain(pods.map(|one| named("Pod", namespace, &one.metadata.name)))
        .collect()
}

fn object_stuck(view: &View<'_>, meta: &Meta, object: ObjectRef) -> Option<Observation> {
    let deleted = meta.deletion_timestamp?;
    // A claim in use and a foreground deletion have codes of their own; a Namespace has its own conditions.
    let own: Vec<&String> = meta
        .finalizers
        .iter()
        .filter(|name| {
            !matches!(name.as_str(), "kubernetes.io/pvc-protection" | "kubernetes.io/pv-protection" | "kubernetes")
        })
        .collect();
    if own.is_empty() || object.kind == "Namespace" {
        return None;
    }
    let summary = format!("{} {} was deleted and is kept by {}", object.kind, object.name, text::and(&own));
    let mut seen = base(&OBJECT_FINALIZER_STUCK, object, summary);
    seen.since = Some(deleted);
    for name in &own {
        seen.show(Source::Spec, None, &format!("finalizer {name}"), Some(Path::of("metadata.finalizers")));
    }
    seen.fact("finalizers", own.into_iter().cloned().collect::<Vec<_>>());
    seen.settle(view.settled(Some(deleted), DELETION))
}

fn pods(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for workload in &view.workloads {
        for pod in &workload.pods {
            let Some(deleted) = pod.metadata.deletion_timestamp else { continue };
            let settled = view.settled(Some(deleted), POD_DELETION);
            if settled == Settled::No {
                continue;
            }
            let (name, node) = (&pod.metadata.name, &pod.spec.node_name);
            let mut seen;
            if pod.metadata.finalizers.is_empty() {
                seen = Observation::of_workload(&POD_TERMINATING_STUCK, workload);
                seen.summary = format!("pod {name} on node {node} does not end after its grace period");
                let events = view.events(&pod.metadata.uid);
                events.iter().filter(|event| event.reason == "FailedKillPod").for_each(|event| seen.show_event(event));
                seen.follows.push(named("Node", "", node));
            } else {
                seen = Observation::of_workload(&POD_FINALIZER_STUCK, workload);
                seen.summary = format!("pod {name} was deleted and is kept by {}", text::and(&pod.metadata.finalizers));
                for finalizer in &pod.metadata.finalizers {
                    let path = Path::of("metadata.finalizers");
                    seen.show(Source::Spec, None, &format!("finalizer {finalizer}"), Some(path));
                }
                seen.fact("finalizers", pod.metadata.finalizers.clone());
            }
            seen.pod = Some(name.clone());
            seen.since = Some(deleted);
            let grace = format!("pod {name} should have ended by {deleted}");
            seen.show(Source::Status, Some(deleted), &grace, None);
            // What it was deleted for may have its pods already.
            let short = workload.counts.ready < workload.counts.desired;
            seen.severity = (!short || workload.source.is_none()).then_some(Severity::Warning);
            out.extend(seen.settle(settled));
        }
    }
    out
}

fn api_service(service: &Object) -> Option<Observation> {
    let conditions = service.conditions();
    let bad = conditions.iter().find(|c| c.kind == "Available" && c.status == "False")?;
    let name = &service.metadata.name;
    let summary = format!("API {name} does not answer: {}", text::clip(&bad.message, 140));
    let mut seen = base(&APISERVICE_UNAVAILABLE, service.object(), summary);
    seen.since = bad.last_transition_time.0;
    show(&mut seen, bad);
    let (namespace, behind) = (service.text("/spec/service/namespace"), service.text("/spec/service/name"));
    if !behind.is_empty() {
        seen.follows.push(named("Service", namespace, behind));
        seen.fact("service", format!("{namespace}/{behind}"));
    }
    seen.fact("reason", bad.reason.as_str());
    Some(seen)
}

fn definition(definition: &Object) -> Option<Observation> {
    let conditions = definition.conditions();
    let bad = conditions.iter().find(|c| {
        matches!(c.kind.as_str(), "Established" | "NamesAccepted") && c.status == "False"
            || c.kind == "NonStructuralSchema" && c.status == "True"
    })?;
    let summary = format!("kind {} is not served: {}", definition.metadata.name, text::clip(&bad.message, 140));
    let mut seen = base(&CRD_NOT_ESTABLISHED, definition.object(), summary);
    seen.since = bad.last_transition_time.0;
    show(&mut seen, bad);
    seen.fact("reason", bad.reason.as_str());
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{OLD, finding, ready, roots};
    use serde_json::{Value, json};

    fn namespace(kind: &str, message: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "deletionTimestamp": OLD},
            "status": {"phase": "Terminating", "conditions": [{"type": kind, "status": "True", "message": message}]}})
    }

    #[test]
    fn a_namespace_that_stays_says_why() {
        for (kind, code) in [
            ("NamespaceDeletionDiscoveryFailure", "namespace-discovery-failed"),
            ("NamespaceDeletionContentFailure", "namespace-content-failed"),
            ("NamespaceContentRemaining", "namespace-terminating-stuck"),
        ] {
            assert_eq!(
                roots(&[namespace(kind, "Some resources are remaining: pods. has 2 resource instances")]),
                [format!("{code} Namespace/a")]
            );
        }
        let mut young = namespace("NamespaceContentRemaining", "");
        young["metadata"]["deletionTimestamp"] = json!("2026-11-22T16:58:00Z");
        assert!(roots(&[young]).is_empty());
    }

    #[test]
    fn a_broken_api_is_the_root_of_what_waits_for_it() {
        let api = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {"service": {"name": "metrics-server", "namespace": "kube-system"}},
            "status": {"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints", "message": "no endpoints"}]}});
        let told =
            finding(&[api.clone(), namespace("NamespaceDeletionDiscoveryFailure", "x")], "apiservice-unavailable");
        assert_eq!(told.effects[0].code.name(), "namespace-discovery-failed");
        assert_eq!(roots(&[api]), ["apiservice-unavailable APIService/v1beta1.metrics.k8s.io"]);
    }

    #[test]
    fn deleted_pods_are_told_apart_by_their_finalizers() {
        let deleted = |at: &str, finalizers: Value| {
            let mut pod = ready("web", json!({}));
            pod["metadata"]["deletionTimestamp"] = json!(at);
            pod["metadata"]["finalizers"] = finalizers;
            pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
            roots(&[pod])
        };
        assert_eq!(deleted(OLD, json!([])), ["pod-terminating-stuck Pod/web"]);
        assert_eq!(deleted(OLD, json!(["x/y"])), ["pod-finalizer-stuck Pod/web"]);
        assert!(deleted("2026-11-22T16:59:30Z", json!(["x/y"])).is_empty(), "half a minute over");
        assert!(deleted("2026-11-22T17:09:30Z", json!([])).is_empty(), "grace is left");
    }

    #[test]
    fn a_definition_that_is_not_served_is_told() {
        let with = |status: &str| {
            roots(&[
                json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x.y.io"},
                "status": {"conditions": [{"type": "NamesAccepted", "status": status, "message": "conflict"}]}}),
            ])
        };
        assert_eq!(with("False"), ["crd-not-established CustomResourceDefinition/x.y.io"]);
        assert!(with("True").is_empty());
    }
}
