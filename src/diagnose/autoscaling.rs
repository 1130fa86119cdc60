//! Autoscalers that can't scale.

use super::observe::{Observation, key, named};
use super::row::rows;
use super::view::{Settled, View};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Condition, Event, Object};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::text;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

rows! { "autoscaling";
HPA_TARGET_MISSING "hpa-target-missing" Rule:
    "an autoscaler's target does not exist";
    "The HorizontalPodAutoscaler can't read the scale of the workload that it names.";
    "condition AbleToScale=False, reason FailedGetScale, with `KIND \"N\" not found`.";
    "A workload that was renamed, a mistyped name, a kind that is not served.";
    "When exactly one workload of the kind differs by a typo, has no autoscaler and runs within its bounds, it is set \
     for a person to review. Otherwise a person chooses.".
HPA_METRICS_UNAVAILABLE "hpa-metrics-unavailable" None:
    "an autoscaler gets no resource metrics";
    "The metrics API of the cluster does not answer, so every autoscaler on cpu or memory stands still.";
    "condition ScalingActive=False, reason FailedGetResourceMetric, with `could not find the requested resource` or \
     an error of the API.";
    "A metrics server that is not installed or is down.";
    "Ask who runs the cluster to install or repair the metrics server: `kubectl get apiservice \
     v1beta1.metrics.k8s.io`.".
HPA_MISSING_REQUESTS "hpa-missing-requests" Rule:
    "an autoscaler can't compute utilisation because a request is missing";
    "Utilisation is use divided by the request, and a container of the pod sets none. Sidecars count too.";
    "condition ScalingActive=False with `missing request for R in container C of Pod P`.";
    "A container without requests, a sidecar that was injected.";
    "Puts back the requests of the last good revision. Otherwise a person chooses the value.".
HPA_PODS_UNREADY "hpa-pods-unready" None:
    "an autoscaler has no pods to measure";
    "No pod that it counts is ready, so there are no metrics.";
    "condition ScalingActive=False with `did not receive metrics for targeted pods` or `no pods returned by selector`.";
    "What keeps the workload's pods from being ready.";
    "An effect: the workload's own fault is what to fix.".
HPA_EXTERNAL_METRIC "hpa-external-metric" Model:
    "an autoscaler can't read a metric of its own";
    "A metric of pods, an object or an external system is not served under the name that the autoscaler asks for.";
    "condition ScalingActive=False, reason FailedGetExternalMetric, FailedGetObjectMetric or FailedGetPodsMetric.";
    "A mistyped metric, an adapter that is down or does not export it.";
    "Needs judgement: the message names the metric.".
HPA_INVALID_SELECTOR "hpa-invalid-selector" Ask:
    "an autoscaler's target has no usable selector";
    "The scale of the target does not say which pods belong to it.";
    "condition ScalingActive=False, reason InvalidSelector.";
    "A custom resource without a selector in its scale.";
    "A person chooses: the controller of the target writes this selector, so correct its definition, or scale \
     another target.".
HPA_AMBIGUOUS "hpa-ambiguous" Ask:
    "several autoscalers scale the same pods";
    "They would undo each other, so all of them stop.";
    "condition ScalingActive=False, reason AmbiguousSelector, with the list of autoscalers.";
    "An autoscaler that was renamed and not removed, two tools that each make one.";
    "A person chooses which autoscaler stays. One that is named like a workload which nothing scales may be \
     pointed to that; the others are taken out of Git by hand.".
HPA_SCALING_DISABLED "hpa-scaling-disabled" None:
    "an autoscaler is off because its target is scaled to zero";
    "By intent: it goes on when the target has a replica again.";
    "condition ScalingActive=False, reason ScalingDisabled.";
    "A workload that is scaled to zero.";
    "By intent: change it in Git when it should run again.".
HPA_LIMITED_MAX "hpa-limited-max" Ask:
    "an autoscaler has been at its maximum for a while";
    "It wants more replicas than maxReplicas allows.";
    "condition ScalingLimited=True, reason TooManyReplicas, for over fifteen minutes.";
    "More load than the bound was made for, a metric that never falls.";
    "Worth knowing only; raising maxReplicas is for a person to choose.".
HPA_FIGHTS_GIT "hpa-fights-git" Ask:
    "a replica count is set by hand and by an autoscaler";
    "A manifest that sets replicas resets the autoscaler's count with every sync.";
    "an active autoscaler, and spec.replicas in the fields that a delivery tool manages.";
    "A manifest from before the autoscaler.";
    "A person chooses: when `replicas` is removed from an applied manifest, the count falls to 1 once.".
HPA_UPDATE_FAILED "hpa-update-failed" None:
    "an autoscaler can't set the replica count";
    "It has computed a count, and the API refuses the change.";
    "condition AbleToScale=False, reason FailedUpdateScale; event FailedRescale.";
    "A webhook that denies the change, a permission that the autoscaler lacks.";
    "An effect: the message names what refuses.".
}

static NOT_FOUND: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"([a-z.]+) "([^"]+)" not found"#).ok());
static REQUEST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"missing request for (\S+)(?: in container (\S+) of Pod (\S+))?").ok());
static SEVERAL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"multiple HPAs: \[([^\]]+)\]").ok());

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for hpa in view.snapshot.kind("HorizontalPodAutoscaler") {
        let conditions = hpa.conditions();
        let get = |kind: &str, status: &str| conditions.iter().find(|c| c.kind == kind && c.status == status);
        let stopped = get("AbleToScale", "False").and_then(|c| scale(view, hpa, c));
        let inactive = || get("ScalingActive", "False").and_then(|c| metrics(view, hpa, c));
        out.extend(stopped.or_else(inactive));
        out.extend(get("ScalingLimited", "True").and_then(|c| limited(view, hpa, c)));
        out.extend(get("ScalingActive", "True").and_then(|_| fights(view, hpa)));
    }
    out
}

/// The workload that an autoscaler scales: kind and name.
fn target(hpa: &Object) -> (&str, &str) {
    (hpa.text("/spec/scaleTargetRef/kind"), hpa.text("/spec/scaleTargetRef/name"))
}

fn base(code: &'static CodeInfo, hpa: &Object, condition: &Condition, summary: String) -> Observation {
    let mut seen = Observation::of_object(code, hpa.object());
    seen.summary = summary;
    seen.severity = Some(Severity::Warning);
    seen.since = condition.last_transition_time.0.or(hpa.metadata.creation_timestamp);
    let text = format!("{}={}: {}: {}", condition.kind, condition.status, condition.reason, condition.message);
    seen.show(Source::Status, condition.last_transition_time.0, &text, None);
    seen
}

fn scale(view: &View<'_>, hpa: &Object, condition: &Condition) -> Option<Observation> {
    let (kind, name) = target(hpa);
    match condition.reason.as_str() {
        "FailedGetScale" => {
            let found = NOT_FOUND.as_ref().and_then(|shape| shape.captures(&condition.message));
            let here = |one: &&Object| one.metadata.namespace == hpa.metadata.namespace;
            let names: BTreeSet<&str> =
                view.snapshot.kind(kind).iter().filter(here).map(|one| one.metadata.name.as_str()).collect();
            let summary = match text::nearest(name, names.iter().copied()) {
                _ if found.is_none() => format!("the scale of {kind} {name} can't be read"),
                Some(near) => format!("{kind} {name} does not exist; {near} does"),
                None => format!("{kind} {name} does not exist"),
            };
            let mut seen = base(&HPA_TARGET_MISSING, hpa, condition, summary);
            if found.is_none() {
                seen.class = FixClass::Ask;
            }
            let path = Path::of("spec.scaleTargetRef.name");
            seen.show(Source::Spec, None, &format!("scaleTargetRef: {kind} {name}"), Some(path));
            let scaled = view.snapshot.kind("HorizontalPodAutoscaler").iter().filter(here);
            let scaled: Vec<&str> = scaled.map(|other| target(other).1).filter(|other| *other != name).collect();
            seen.fact("missing", name);
            seen.fact("kind", kind);
            seen.fact("existing", names.into_iter().collect::<Vec<_>>());
            seen.fact("scaled", scaled);
            Some(seen)
        }
        "FailedUpdateScale" => {
            let summary =
                format!("the replica count of {kind} {name} can't be set: {}", text::clip(&condition.message, 120));
            let mut seen = base(&HPA_UPDATE_FAILED, hpa, condition, summary);
            seen.follows.push(named(kind, &hpa.metadata.namespace, name));
            Some(seen)
        }
        _ => None,
    }
}

fn metrics(view: &View<'_>, hpa: &Object, condition: &Condition) -> Option<Observation> {
    let (kind, name) = target(hpa);
    let message = condition.message.as_str();
    let mut seen = match condition.reason.as_str() {
        "ScalingDisabled" => {
            let summary = format!("{kind} {name} is scaled to zero");
            let mut seen = base(&HPA_SCALING_DISABLED, hpa, condition, summary);
            seen.severity = Some(Severity::Info);
            return Some(seen);
        }
        "AmbiguousSelector" => return Some(ambiguous(hpa, condition)),
        "InvalidSelector" => {
            base(&HPA_INVALID_SELECTOR, hpa, condition, format!("{kind} {name} does not say which pods belong to it"))
        }
        "FailedGetExternalMetric" | "FailedGetObjectMetric" | "FailedGetPodsMetric" => {
            let said = message.rsplit_once("unable to ").map_or(message, |(_, said)| said);
            base(&HPA_EXTERNAL_METRIC, hpa, condition, format!("a metric can't be read: {}", text::clip(said, 140)))
        }
        _ if message.contains("missing request for") => return missing_request(hpa, condition),
        _ if message.contains("did not receive metrics for") || message.contains("no pods returned by selector") => {
            let mut seen =
                base(&HPA_PODS_UNREADY, hpa, condition, format!("{kind} {name} has no ready pod to measure"));
            seen.follows.push(named(kind, &hpa.metadata.namespace, name));
            seen
        }
        "FailedGetResourceMetric" => {
            let why = message.rsplit(": ").next().unwrap_or(message);
            let summary = format!("the metrics API gives no resource metrics: {}", text::clip(why, 120));
            let mut seen = base(&HPA_METRICS_UNAVAILABLE, hpa, condition, summary);
            let api = ObjectRef::new("apiregistration.k8s.io/v1", "APIService", "", "v1beta1.metrics.k8s.io");
            seen.follows.push(key(&api));
            seen.shared = Some(api);
            seen
        }
        _ => return None,
    };
    let events = view.events(&hpa.metadata.uid);
    let same = |event: &&&Event| event.reason == condition.reason;
    if let Some(event) = events.iter().rev().find(same) {
        seen.show_event(event);
    }
    seen.settle(view.settled(condition.last_transition_time.0, 60))
}

fn ambiguous(hpa: &Object, condition: &Condition) -> Observation {
    let list = SEVERAL.as_ref().and_then(|shape| shape.captures(&condition.message));
    let mut names: Vec<String> =
        list.map(|found| found[1].split_whitespace().map(str::to_owned).collect()).unwrap_or_default();
    // The order of the names changes from one look to the next.
    names.sort();
    let short: Vec<&str> = names.iter().map(|name| name.rsplit('/').next().unwrap_or(name)).collect();
    let summary = format!("autoscalers {} scale the same pods, so none of them does", text::and(&short));
    let mut seen = base(&HPA_AMBIGUOUS, hpa, condition, summary);
    let path = Path::of("spec.scaleTargetRef.name");
    let (kind, name) = target(hpa);
    seen.show(Source::Spec, None, &format!("scaleTargetRef: {kind} {name}"), Some(path));
    seen.shared = names.first().and_then(|first| {
        let (namespace, name) = first.split_once('/')?;
        Some(ObjectRef::new("autoscaling/v2", "HorizontalPodAutoscaler", namespace, name))
    });
    seen.fact("autoscalers", names);
    seen
}

fn missing_request(hpa: &Object, condition: &Condition) -> Option<Observation> {
    let found = REQUEST.as_ref()?.captures(&condition.message)?;
    let (kind, name) = target(hpa);
    let container = found.get(2).map(|container| container.as_str());
    let of = container.map(|container| format!(" of container {container}")).unwrap_or_default();
    let summary = format!("{kind} {name} can't be measured: the {} request{of} is missing", &found[1]);
    let mut seen = base(&HPA_MISSING_REQUESTS, hpa, condition, summary);
    seen.fact("resource", &found[1]);
    seen.fact("container", container);
    seen.fact("target", format!("{kind}/{name}"));
    seen.fact("changedWith", named(kind, &hpa.metadata.namespace, name));
    Some(seen)
}

fn limited(view: &View<'_>, hpa: &Object, condition: &Condition) -> Option<Observation> {
    let long = view.settled(condition.last_transition_time.0, 900) == Settled::Yes;
    let at_max = hpa.int("/status/currentReplicas").is_some_and(|now| Some(now) == hpa.int("/spec/maxReplicas"));
    (condition.reason == "TooManyReplicas" && long && at_max).then(|| {
        let most = hpa.int("/spec/maxReplicas").unwrap_or_default();
        let (kind, name) = target(hpa);
        let summary = format!("{kind} {name} has been at its maximum of {most} replicas");
        let mut seen = base(&HPA_LIMITED_MAX, hpa, condition, summary);
        seen.severity = Some(Severity::Info);
        let path = Path::of("spec.maxReplicas");
        seen.show(Source::Spec, None, &format!("maxReplicas: {most}"), Some(path));
        seen
    })
}

/// A delivery tool that manages the replica count of an autoscaler's target.
fn fights(view: &View<'_>, hpa: &Object) -> Option<Observation> {
    const TOOLS: [&str; 4] = ["kustomize-controller", "helm-controller", "argocd", "helm"];
    let (kind, name) = target(hpa);
    let source = view.snapshot.find(kind, &hpa.metadata.namespace, name)?;
    let entry = source.metadata.managed_fields.iter().find(|entry| {
        TOOLS.iter().any(|tool| entry.manager.starts_with(tool))
            && entry.fields_v1.read().pointer("/f:spec/f:replicas").is_some()
    })?;
    let mut seen = Observation::of_object(&HPA_FIGHTS_GIT, hpa.object());
    seen.summary = format!("{} sets the replicas of {kind} {name} with every sync", entry.manager);
    seen.severity = Some(Severity::Info);
    seen.since = entry.time;
    let text = format!("{} manages spec.replicas of {kind} {name}", entry.manager);
    seen.show(Source::Spec, entry.time, &text, None);
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{OLD, all, finding, pending, roots};
    use serde_json::{Value, json};

    fn hpa(name: &str, kind: &str, status: &str, reason: &str, message: &str) -> Value {
        json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
            "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
            "status": {"currentReplicas": 3, "conditions": [{"type": kind, "status": status, "reason": reason,
                "message": message, "lastTransitionTime": OLD}]}})
    }

    #[test]
    fn reasons_and_texts_name_their_code() {
        for (reason, message, code) in [
            (
                "FailedGetResourceMetric",
                "failed to get cpu utilization: missing request for cpu in container app of Pod web-1",
                "hpa-missing-requests",
            ),
            (
                "FailedGetExternalMetric",
                "unable to get external metric a/queue: unable to fetch metrics from external metrics API",
                "hpa-external-metric",
            ),
            ("InvalidSelector", "the HPA target's scale is missing a selector", "hpa-invalid-selector"),
            (
                "FailedGetResourceMetric",
                "unable to fetch metrics from resource metrics API: the server is currently unable to handle the request (get pods.metrics.k8s.io)",
                "hpa-metrics-unavailable",
            ),
            (
                "FailedGetResourceMetric",
                "did not receive metrics for targeted pods (pods might be unready)",
                "hpa-pods-unready",
            ),
        ] {
            let one = hpa("h", "ScalingActive", "False", reason, message);
            assert_eq!(roots(&[one]), [format!("{code} HorizontalPodAutoscaler/h")], "{message}");
        }
        let refused = hpa("h", "AbleToScale", "False", "FailedUpdateScale", "admission webhook denied");
        assert_eq!(roots(&[refused]), ["hpa-update-failed HorizontalPodAutoscaler/h"]);
        for (kind, status, reason) in [
            ("ScalingActive", "True", "ValidMetricFound"),
            ("ScalingLimited", "True", "TooFewReplicas"),
            ("AbleToScale", "True", "ScaleDownStabilized"),
        ] {
            assert!(all(&[hpa("h", kind, status, reason, "")]).is_empty(), "{reason}");
        }
    }

    #[test]
    fn one_metrics_api_that_is_down_is_one_root_for_all_autoscalers() {
        let message = "unable to fetch metrics from resource metrics API: not found";
        let one = |name: &str| hpa(name, "ScalingActive", "False", "FailedGetResourceMetric", message);
        assert_eq!(roots(&[one("a"), one("b")]), ["hpa-metrics-unavailable APIService/v1beta1.metrics.k8s.io"]);
        let api = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "status": {"conditions": [{"type": "Available", "status": "False", "reason": "MissingEndpoints"}]}});
        assert_eq!(finding(&[one("a"), api], "apiservice-unavailable").effects.len(), 1);
    }

    #[test]
    fn pods_without_metrics_follow_the_fault_of_their_workload() {
        let mut pod = pending("web", json!({}), "0/1 nodes are available: 1 Too many pods.");
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "Deployment-web", "controller": true}]);
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 1}});
        let one = hpa(
            "h",
            "ScalingActive",
            "False",
            "FailedGetResourceMetric",
            "no pods returned by selector while calculating replica count",
        );
        assert_eq!(finding(&[pod, web, one], "unschedulable-pods").effects[0].code.name(), "hpa-pods-unready");
    }

    #[test]
    fn a_maximum_and_a_managed_count_are_worth_knowing() {
        assert_eq!(
            all(&[hpa("h", "ScalingLimited", "True", "TooManyReplicas", "")]),
            ["hpa-limited-max HorizontalPodAutoscaler/h"]
        );
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "managedFields":
            [{"manager": "kustomize-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]}, "spec": {"replicas": 0}});
        assert_eq!(
            all(&[web, hpa("h", "ScalingActive", "True", "ValidMetricFound", "")]),
            ["hpa-fights-git HorizontalPodAutoscaler/h"]
        );
    }
}
