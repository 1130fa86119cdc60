//! Selectors with one wrong pair.

use super::super::case::Case;
use super::super::closeness::{is_close, only_close};
use super::super::refusal;
use crate::diagnose::selector;
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::kube::{Container, Object};
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("service-selector-mismatch", selector_mismatch)];

/// Keys that mean a role, or that are set at run time: no pod may have the value, and that may be right.
const ROLES: [&str; 13] = [
    "version",
    "track",
    "color",
    "slot",
    "release",
    "revision",
    "role",
    "tier",
    "leader",
    "master",
    "primary",
    "shard",
    "rollouts-pod-template-hash",
];

/// Whether a label means a role or is set at run time.
pub(super) fn is_role(key: &str) -> bool {
    key == "statefulset.kubernetes.io/pod-name" || ROLES.iter().any(|role| key.rsplit('/').next() == Some(role))
}

fn selector_mismatch(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let Some(service) = case.object else {
        return Err(Refusal::new(refusal::DRIFTED, "the Service is gone", "scan again"));
    };
    let candidates = case.fact("candidates").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let details: Vec<String> = candidates
        .iter()
        .map(|c| format!("{} has {}={}", text(c, "workload"), text(c, "key"), text(c, "value")))
        .collect();
    let ask = |message: String| {
        let hint = "set spec.selector to labels of the pods that should serve";
        Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint).with_details(details.clone()))
    };
    // A workload whose value the wrong one may be a typo of goes before those that merely share the other labels.
    let near: Vec<&Value> =
        candidates.iter().filter(|c| may_be_typo(case, service, &text(c, "key"), &text(c, "value"))).collect();
    let only = match (near.as_slice(), candidates.as_slice()) {
        ([near], _) => Some(*near),
        (_, [one]) => Some(one),
        _ => None,
    };
    let Some(one) = only else {
        if let Some(intent) = close_key(case, service).filter(|_| candidates.is_empty()) {
            return Ok(vec![intent]);
        }
        return ask(match candidates.len() {
            0 => "no workload has all labels of the selector but one".to_owned(),
            n => format!("{n} workloads have all labels of the selector but one"),
        });
    };
    let (key, value) = (text(one, "key"), text(one, "value"));
    if is_role(&key) {
        return ask(format!("label {key} means a role or is set at run time: that no pod has it may be right"));
    }
    let Some(workload) = workload(case, &text(one, "workload")) else {
        return ask("the workload that comes near is gone".to_owned());
    };
    let wanted = selector(service);
    let wrong = wanted.get(&key).cloned().unwrap_or_default();
    if !declares_ports(service, workload) {
        return ask(format!("{} does not declare the ports that the Service targets", workload.object()));
    }
    if let Some(other) = serves_already(case, service, workload) {
        return ask(format!("{} already selects {} on the same port", other.object(), workload.object()));
    }
    let close = may_be_typo(case, service, &key, &value);
    if !close && wanted.len() < 3 {
        return ask(format!("{key}={wrong} is not a typo of {value}, and too little else tells what is meant"));
    }
    let review =
        if close { Vec::new() } else { vec![format!("{value} is not close to {wrong}; the other labels agree")] };
    let edits = vec![case.set(Path::of("spec.selector").field(&key), json!(value))];
    let subject = format!("Select {key}={value} instead of {wrong}");
    let why = match candidates.len() {
        1 => format!("no pod has {key}={wrong}; {} is the only workload with all other labels", workload.object()),
        _ => format!(
            "no pod has {key}={wrong}; of the workloads with all other labels only {} is close",
            workload.object()
        ),
    };
    Ok(vec![case.intent(subject, why, edits, review)])
}

/// Whether the selector's value of `key` may be a typo of `value`: close to it, and used nowhere else.
fn may_be_typo(case: &Case<'_>, service: &Object, key: &str, value: &str) -> bool {
    let wanted = selector(service);
    let Some(wrong) = wanted.get(key) else { return false };
    let known = values_of(case, service, key);
    let others: Vec<&str> = known.iter().map(String::as_str).filter(|v| *v != value && v != wrong).collect();
    !selected_elsewhere(case, service, key, wrong) && is_close(wrong, value, &others)
}

/// One key of the selector is a typo of a label key that has the same value, on one workload only.
fn close_key(case: &Case<'_>, service: &Object) -> Option<Intent> {
    let wanted = selector(service);
    let in_namespace = |o: &&Object| o.metadata.namespace == service.metadata.namespace;
    let mut found = Vec::new();
    for object in case.snapshot.objects.values().flatten().filter(in_namespace) {
        let labels = object.template_labels();
        if labels.is_empty() || object.metadata.controller().is_some() {
            continue;
        }
        let mut wrong = wanted.iter().filter(|(key, value)| labels.get(*key) != Some(value));
        let (Some((key, value)), None) = (wrong.next(), wrong.next()) else { continue };
        let others: Vec<&str> = labels.keys().map(String::as_str).collect();
        let same_value = labels.iter().filter(|(_, v)| *v == value).map(|(k, _)| k.as_str()).collect::<Vec<_>>();
        if let Some(near) = only_close(key, &same_value, &others) {
            found.push((object, key.clone(), near.to_owned(), value.clone()));
        }
    }
    let [(workload, key, near, value)] = found.as_slice() else { return None };
    let taken = serves_already(case, service, workload).is_some();
    if is_role(key) || is_role(near) || taken || !declares_ports(service, workload) {
        return None;
    }
    let root = Path::of("spec.selector");
    let old = FieldEdit { path: root.field(key), op: Op::Remove, old: Some(json!(value)), new: None };
    let edits = vec![old, case.set(root.field(near), json!(value))];
    let why = format!("no pod has label {key}; {} is the only workload with {near}={value}", workload.object());
    Some(case.intent(format!("Select {near}={value} instead of {key}"), why, edits, Vec::new()))
}

/// `Kind/name` in the namespace of the Service.
fn workload<'s>(case: &Case<'s>, named: &str) -> Option<&'s Object> {
    let (kind, name) = named.split_once('/')?;
    case.snapshot.find(kind, case.finding.object.namespace(), name)
}

/// Whether some container declares each targetPort.
fn declares_ports(service: &Object, workload: &Object) -> bool {
    let containers: &[Container] = workload.pod_spec().map_or(&[], |spec| &spec.containers);
    let declares = |target: &Value| {
        containers.iter().flat_map(|c| &c.ports).any(|port| match target {
            Value::String(name) => port.name == *name,
            number => number.as_i64() == Some(port.container_port),
        })
    };
    let targets = target_ports(service);
    !targets.is_empty() && targets.iter().all(declares)
}

/// `targetPort` of each port, which defaults to the port itself.
pub(super) fn target_ports(service: &Object) -> Vec<Value> {
    let ports: Vec<Value> = service.view("/spec/ports");
    ports.iter().filter_map(|port| port.get("targetPort").or(port.get("port"))).cloned().collect()
}

fn serves_already<'s>(case: &Case<'s>, service: &Object, workload: &Object) -> Option<&'s Object> {
    let labels = workload.template_labels();
    let targets = target_ports(service);
    other_services(case, service).find(|other| {
        let wanted = selector(other);
        !wanted.is_empty()
            && wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
            && target_ports(other).iter().any(|port| targets.contains(port))
    })
}

fn other_services<'s>(case: &Case<'s>, service: &Object) -> impl Iterator<Item = &'s Object> {
    let (namespace, name) = (service.metadata.namespace.clone(), service.metadata.name.clone());
    let services = case.snapshot.kind("Service").iter();
    services.filter(move |other| other.metadata.namespace == namespace && other.metadata.name != name)
}

fn selected_elsewhere(case: &Case<'_>, service: &Object, key: &str, value: &str) -> bool {
    other_services(case, service).any(|other| selector(other).get(key).is_some_and(|other| other == value))
}

/// Values that the label has on pods and templates of the namespace.
fn values_of(case: &Case<'_>, service: &Object, key: &str) -> BTreeSet<String> {
    let namespace = &service.metadata.namespace;
    let pods = case.snapshot.pods.iter().filter(|pod| pod.metadata.namespace == *namespace);
    let templates = case.snapshot.objects.values().flatten().filter(|o| o.metadata.namespace == *namespace);
    let labels = pods.map(|pod| &pod.metadata.labels).chain(templates.map(Object::template_labels));
    labels.filter_map(|labels| labels.get(key).cloned()).collect()
}
