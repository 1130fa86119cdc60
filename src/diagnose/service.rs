//! Services whose selector selects nothing.

use super::observe::Observation;
use super::view::{View, Workload};
use super::workload::Consequence;
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Severity, Source};
use crate::model::kube::Object;
use crate::model::path::Path;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(crate) static SERVICE_SELECTOR_MISMATCH: CodeInfo = CodeInfo {
    name: "service-selector-mismatch",
    family: "service",
    title: "no pod and no pod template has the labels that a Service selects",
    meaning: "The Service has a selector and there is nothing it could ever select, so it has no endpoints and every \
              connection to it fails. No event tells this.",
    signals: "spec.selector against the labels of all pods and of all pod templates of the namespace; EndpointSlices \
              without endpoints.",
    causes: "A mistyped label, a label that was renamed in the workload only, a Service that was left behind.",
    class: FixClass::Rule,
    fix: "Sets the one wrong pair of the Service's selector to the label of the only workload that has all others and \
          declares the port. Labels that are set at run time or that mean a role are for a person to choose.",
};

pub(crate) static SERVICE_NO_READY_ENDPOINTS: CodeInfo = CodeInfo {
    name: "service-no-ready-endpoints",
    family: "service",
    title: "a Service selects pods and none of them is ready",
    meaning: "Connections to the Service fail because every pod behind it is not ready. It is an effect of what keeps \
              the pods from being ready.",
    signals: "pods that the selector matches, none with condition Ready=True.",
    causes: "Whatever keeps the pods from being ready.",
    class: FixClass::None,
    fix: "Nothing to change on the Service: the cause below its pods is what to fix.",
};

/// Rows of this family.
pub(crate) const CODES: &[&CodeInfo] = &[&SERVICE_SELECTOR_MISMATCH, &SERVICE_NO_READY_ENDPOINTS];

/// Lists without which "nothing has these labels" cannot be said.
const LISTS: [&str; 7] = ["pods", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs"];

/// The selector of a Service that has one and looks for pods.
pub fn selector(service: &Object) -> &BTreeMap<String, String> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    if service.text("/spec/type") == "ExternalName" { &NONE } else { service.selector() }
}

pub(crate) fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    if LISTS.iter().any(|list| view.snapshot.lacks(list)) {
        return Vec::new();
    }
    view.snapshot.kind("Service").iter().filter_map(|service| mismatch(view, service)).collect()
}

fn mismatch(view: &View<'_>, service: &Object) -> Option<Observation> {
    let selector = selector(service);
    let namespace = &service.metadata.namespace;
    let here = || view.workloads.iter().filter(|w| w.top.namespace() == namespace);
    let is_one = |w: &Workload<'_>| {
        selects(selector, w.labels) || w.pods.iter().any(|pod| selects(selector, &pod.metadata.labels))
    };
    if selector.is_empty() || view.selectable(namespace, selector).any(is_one) {
        return None;
    }
    let near: Vec<(&Workload<'_>, String, String)> =
        here().filter_map(|w| one_pair_off(selector, w.labels).map(|(key, value)| (w, key, value))).collect();
    let name = &service.metadata.name;
    let mut seen = Observation::of_object(&SERVICE_SELECTOR_MISMATCH, service.object());
    let pairs: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    seen.message = pairs.join(",");
    seen.summary = format!("Service {name} selects {}, no pod has it", pairs.join(", "));
    if let [(workload, key, value)] = near.as_slice() {
        let object = &workload.top;
        seen.summary.push_str(&format!("; {} {} has {key}={value}", object.kind, object.name));
    }
    // Nothing comes near it: it may be a Service that was left behind, and nothing shows that it is missed.
    seen.severity = near.is_empty().then_some(Severity::Warning);
    seen.since = service.metadata.creation_timestamp;
    seen.show(Source::Spec, None, &format!("selector: {}", pairs.join(", ")), Some(Path::of("spec.selector")));
    for (workload, key, value) in &near {
        let of_template = workload.source.and_then(Object::template_pointer).map(|pointer| {
            let root = Path::of(&pointer.trim_start_matches('/').replace('/', "."));
            root.field("metadata").field("labels").field(key)
        });
        seen.show(Source::Spec, None, &format!("{} has label {key}={value}", workload.top), of_template);
    }
    if let Some(slice) = empty_slice(view, service) {
        seen.show(Source::Status, None, &format!("EndpointSlice {slice} has no endpoints"), None);
    }
    let candidates =
        near.iter().map(|(w, key, value)| json!({"workload": w.top.to_string(), "key": key, "value": value}));
    seen.facts = json!({"candidates": candidates.collect::<Vec<_>>()});
    Some(seen)
}

/// The label of a workload that, in place of one pair of the selector, would make it match.
fn one_pair_off(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> Option<(String, String)> {
    let mut wrong = selector.iter().filter(|(key, value)| labels.get(*key) != Some(value));
    let (key, _) = wrong.next()?;
    if wrong.next().is_some() {
        return None;
    }
    labels.get(key).map(|value| (key.clone(), value.clone()))
}

fn empty_slice<'s>(view: &View<'s>, service: &Object) -> Option<&'s str> {
    let slices = view.snapshot.kind("EndpointSlice").iter().filter(|slice| {
        slice.metadata.namespace == service.metadata.namespace
            && slice.metadata.labels.get("kubernetes.io/service-name") == Some(&service.metadata.name)
    });
    let mut empty = slices.filter(|slice| slice.at("/endpoints").and_then(Value::as_array).is_none_or(Vec::is_empty));
    empty.next().map(|slice| slice.metadata.name.as_str())
}

/// Services behind which no pod is ready, linked to the workloads of those pods.
pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    let no_ready = |service: &Object| {
        let selector = selector(service);
        let mut pods = 0;
        let mut workloads = Vec::new();
        for workload in view.selectable(&service.metadata.namespace, selector) {
            let selected: Vec<_> = workload.pods.iter().filter(|p| selects(selector, &p.metadata.labels)).collect();
            if selected.iter().any(|pod| pod.is_ready()) {
                return None;
            }
            if !selected.is_empty() || (workload.counts.desired > 0 && selects(selector, workload.labels)) {
                pods += selected.len();
                workloads.push(workload.key.clone());
            }
        }
        // A headless Service of not-ready addresses serves them all the same.
        let anyway = service.at("/spec/publishNotReadyAddresses").and_then(Value::as_bool) == Some(true);
        (!selector.is_empty() && !workloads.is_empty() && !anyway).then(|| Consequence {
            code: &SERVICE_NO_READY_ENDPOINTS,
            object: service.object(),
            follows: workloads,
            container: None,
            summary: format!(
                "Service {} has {} and none is ready",
                service.metadata.name,
                crate::text::count(pods, "pod")
            ),
        })
    };
    view.snapshot.kind("Service").iter().filter_map(no_ready).collect()
}
