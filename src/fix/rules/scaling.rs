//! Autoscalers, budgets and DaemonSets that reach nothing.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::reference::Reference;
use super::super::{history, refusal};
use super::service::is_role;
use crate::model::intent::{FieldEdit, Intent};
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("hpa-ambiguous", ambiguous),
    ("hpa-limited-max", maximum),
    ("hpa-target-missing", target),
    ("hpa-missing-requests", requests),
    ("pdb-selects-nothing", budget),
    ("ds-no-matching-nodes", no_nodes),
];

fn strings(case: &Case<'_>, fact: &str) -> Vec<String> {
    let all = case.fact(fact).and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn target(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let kind = case.text("kind").to_owned();
    let namespace = case.target.namespace();
    let path = Path::of("spec.scaleTargetRef.name");
    let (least, most) = (Path::of("spec.minReplicas"), Path::of("spec.maxReplicas"));
    let int = |path: &Path, default: i64| case.at(path).and_then(Value::as_i64).unwrap_or(default);
    let bounds = int(&least, 1)..=int(&most, i64::MAX);
    let scaled = strings(case, "scaled");
    let reference = Reference::new(case, &kind, namespace, path)?;
    let review = "the autoscaler then sets its replicas";
    // The close one must be free, and of a size that the autoscaler would leave alone.
    let fits = |name: &str| {
        let replicas = case.snapshot.find(&kind, namespace, name).map(|one| one.int("/spec/replicas").unwrap_or(1));
        !scaled.iter().any(|one| one == name) && replicas.is_some_and(|replicas| bounds.contains(&replicas))
    };
    match reference.close() {
        Some(name) if fits(name) => reference.decide(case, &[review], false),
        _ => Err(reference.only(|name| !scaled.iter().any(|one| one == name)).choose(case)),
    }
}

/// An autoscaler that is named like a workload which nothing scales may be meant for that one.
fn ambiguous(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let hint = "keep one of them in Git, and take the others out or point them to what they are meant for";
    let all = case.snapshot.kind("HorizontalPodAutoscaler");
    let path = Path::of("spec.scaleTargetRef.name");
    let (mut choices, mut details) = (Vec::new(), Vec::new());
    for one in strings(case, "autoscalers") {
        let Some((namespace, name)) = one.split_once('/') else { continue };
        let Some(hpa) = case.snapshot.find("HorizontalPodAutoscaler", namespace, name) else { continue };
        let (kind, target) = (hpa.text("/spec/scaleTargetRef/kind"), hpa.text("/spec/scaleTargetRef/name"));
        let (least, most) = (hpa.int("/spec/minReplicas").unwrap_or(1), hpa.int("/spec/maxReplicas").unwrap_or(0));
        details.push(format!("{name} keeps {kind} {target} at {least} to {most} replicas"));
        let is_scaled = all.iter().any(|other| {
            other.metadata.namespace == namespace
                && other.text("/spec/scaleTargetRef/kind") == kind
                && other.text("/spec/scaleTargetRef/name") == name
        });
        if is_scaled || name == target || case.snapshot.find(kind, namespace, name).is_none() {
            continue;
        }
        let Ok(on) = case.on(&hpa.object()) else { continue };
        let why = format!("{kind} {name} has the autoscaler's name, and no autoscaler scales it");
        let edits = vec![on.set(path.clone(), json!(name))];
        choices.push(on.intent(format!("Scale {kind} {name} with autoscaler {name}"), why, edits, Vec::new()));
    }
    Err(case.ask(case.finding.summary.clone(), hint, choices).with_details(details))
}

/// Half as many again: what the load needs is not known, and nodes and quotas must have room.
fn maximum(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = Path::of("spec.maxReplicas");
    let most = case.at(&path).and_then(Value::as_i64).unwrap_or(1);
    let new = most + (most + 1) / 2;
    let why = format!("the load wanted more than {most} for a quarter of an hour and longer");
    let choice = case.choice(path, json!(new), format!("Allow {new} replicas"), &why);
    Err(case.ask(case.finding.summary.clone(), "allow more replicas, or make each serve more", vec![choice]))
}

/// The request is missing on the workload that is scaled: the edit belongs there.
fn requests(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (resource, container) = (case.text("resource"), case.text("container"));
    let hint = format!("set requests.{resource} to what the container needs, as its use shows");
    let ask = |message: String| Refusal::new(refusal::NEEDS_CHOICE, message, hint.clone());
    let owner = case.text("target").split_once('/').and_then(|(kind, name)| {
        case.snapshot.find(kind, case.target.namespace(), name).map(crate::model::kube::Object::object)
    });
    let Some(owner) = owner else { return Err(ask(case.finding.summary.clone())) };
    let on = case.on(&owner)?;
    let path =
        |name: &str| on.spec_path().field("containers").item(name).field("resources").field("requests").field(resource);
    let own = path(container);
    let named = |changed: &Path| own.starts_with(changed) && changed.0.len() > on.spec_path().0.len() + 1;
    if let Some(intents) = history::put_back(&on, &case.finding.summary, named)? {
        return Ok(intents);
    }
    let spec = on.pod_spec();
    if !spec.containers.iter().any(|one| one.name == container) {
        return Err(ask(format!("{}: container {container} is added when the pod is made", case.finding.summary)));
    }
    // Values are never made up: that of a sibling may serve.
    let siblings = spec.containers.iter().filter(|one| one.name != container);
    let choices = siblings.filter_map(|sibling| {
        let value = on.at(&path(&sibling.name))?.clone();
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let why = format!("container {} of the same pod requests as much", sibling.name);
        let subject = format!("Request {shown} {resource} for container {container}");
        Some(on.intent(subject, why, vec![on.set(own.clone(), value)], Vec::new()))
    });
    Err(on.ask(case.finding.summary.clone(), &hint, choices.collect()))
}

/// The one workload that has all labels of the budget but one.
fn budget(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let near = strings(case, "near");
    let wanted: BTreeMap<String, String> =
        case.object.map(|budget| budget.view("/spec/selector/matchLabels")).unwrap_or_default();
    let hint = "set the selector to labels of the pods that it should protect";
    let ask =
        |message: &str| Err(Refusal::new(refusal::NEEDS_CHOICE, message.to_owned(), hint).with_details(near.clone()));
    let [only] = near.as_slice() else { return ask(&case.finding.summary) };
    let workload =
        only.split_once('/').and_then(|(kind, name)| case.snapshot.find(kind, case.target.namespace(), name));
    let labels = workload.map(crate::model::kube::Object::template_labels).cloned().unwrap_or_default();
    let mut wrong = wanted.iter().filter(|(key, value)| labels.get(*key).is_some_and(|has| has != *value));
    let (Some((key, value)), None) = (wrong.next(), wrong.next()) else { return ask(&case.finding.summary) };
    let has = &labels[key];
    if is_role(key) {
        return ask(&format!("label {key} means a role or is set at run time: that no pod has it may be right"));
    }
    let close = only_close(value, &[has.as_str()], &[]).is_some();
    if !close && wanted.len() < 3 {
        return ask(&format!("{key}={value} is not a typo of {has}, and too little else tells what is meant"));
    }
    let edits = vec![case.set(Path::of("spec.selector.matchLabels").field(key), json!(has))];
    let why = format!("no pod has {key}={value}; {only} is the only workload with all other labels");
    let review = vec!["the budget then holds back evictions of these pods".to_owned()];
    Ok(vec![case.intent(format!("Protect the pods with {key}={has}"), why, edits, review)])
}

/// One pair of the nodeSelector that no node has.
fn no_nodes(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let spec = case.pod_spec();
    let nodes = case.snapshot.kind("Node");
    let hint = "label the nodes that should run it, or select labels that nodes have";
    let wrong: Vec<(&String, &String)> = spec
        .node_selector
        .iter()
        .filter(|(key, value)| !nodes.iter().any(|node| node.metadata.labels.get(*key) == Some(value)))
        .collect();
    let ask = |choices: Vec<Intent>| Err(case.ask(case.finding.summary.clone(), hint, choices));
    let [(key, value)] = wrong.as_slice() else { return ask(Vec::new()) };
    let others = |labels: &BTreeMap<String, String>| {
        spec.node_selector.iter().all(|(other, wanted)| other == *key || labels.get(other) == Some(wanted))
    };
    let fitting = nodes.iter().map(|node| &node.metadata.labels).filter(|labels| others(labels));
    let values: BTreeSet<&str> = fitting.filter_map(|labels| labels.get(*key)).map(String::as_str).collect();
    let values: Vec<&str> = values.into_iter().collect();
    let take = |new: &str, review: Vec<String>| {
        let edit: FieldEdit = case.set(case.spec_path().field("nodeSelector").field(key), json!(new));
        let why = format!("no node has {key}={value}; nodes have {key}={new}");
        case.intent(format!("Select nodes with {key}={new}"), why, vec![edit], review)
    };
    match only_close(value, &values, &[]) {
        Some(new) => Ok(vec![take(new, vec!["it then starts on every such node".to_owned()])]),
        None => ask(values.iter().map(|new| take(new, Vec::new())).collect()),
    }
}
