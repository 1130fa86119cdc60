//! Extended resources and node labels that no node has.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::{drifted, outside};
use super::super::{history, refusal};
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("ds-tainted-nodes", taint),
    ("node-name-unknown", node_name),
    ("unschedulable-extended-resource", device),
    ("unschedulable-node-selector", node_selector),
    ("unschedulable-taint", taint),
];

/// A device under a name that no node offers: the one with a close name.
fn device(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (wanted, offered) = (case.text("resource"), case.texts("offered"));
    let hint = "see whether the device plugin runs, or ask for what nodes offer";
    if offered.contains(&wanted) {
        return Err(outside(format!("every {wanted} is in use"), "free one, or add a node that has it"));
    }
    let Some(near) = only_close(wanted, &offered, &[]) else {
        return Err(outside(format!("no node offers {wanted}"), hint));
    };
    let spec = case.pod_spec();
    let mut edits: Vec<FieldEdit> = Vec::new();
    for (list, containers) in [("initContainers", &spec.init_containers), ("containers", &spec.containers)] {
        for container in containers {
            let root = case.spec_path().field(list).item(&container.name).field("resources");
            for (field, values) in
                [("limits", &container.resources.limits), ("requests", &container.resources.requests)]
            {
                let Some(value) = values.get(wanted) else { continue };
                let (old, here) = (Some(value.clone()), root.field(field));
                edits.push(FieldEdit { path: here.field(wanted), op: Op::Remove, old, new: None });
                edits.push(case.set(here.field(near), value.clone()));
            }
        }
    }
    if edits.is_empty() {
        return Err(drifted(format!("nothing asks for {wanted} any more")));
    }
    let why = format!("no node offers {wanted}; {near} is the only one with a name as close");
    let review = vec!["whether the program can use it is not shown".to_owned()];
    Ok(vec![case.intent(format!("Ask for {near} instead of {wanted}"), why, edits, review)])
}

/// A label that nodes have under a close value.
fn node_selector(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let root = case.spec_path().field("nodeSelector");
    let missing = case.texts("missing");
    let spec = case.pod_spec();
    let wanted = |key: &str| spec.node_selector.get(key).cloned().unwrap_or_default();
    let values = |key: &str| -> Vec<&str> {
        let all = case.fact("existing").and_then(|existing| existing.get(key)).and_then(Value::as_array);
        all.into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let take = |key: &str, value: &str, why: String| {
        let review = vec!["another label is another kind of node".to_owned()];
        let edits = vec![case.set(root.field(key), json!(value))];
        case.intent(format!("Select nodes with {key}={value}"), why, edits, review)
    };
    if let [key] = missing.as_slice()
        && let Some(near) = only_close(&wanted(key), &values(key), &[])
    {
        let why = format!("no node has {key}={}; {near} is the only value as close", wanted(key));
        return Ok(vec![take(key, near, why)]);
    }
    let why = "no node has the labels that the pod selects";
    if let Some(found) = history::put_back(case, why, |path| path.starts_with(&root))? {
        return Ok(found);
    }
    let mut choices = Vec::new();
    if let [key] = missing.as_slice() {
        let offer = |value: &&str| take(key, value, format!("no node has {key}={}, some have this", wanted(key)));
        choices.extend(values(key).iter().take(super::CHOICES).map(offer));
    }
    Err(case.ask(why.to_owned(), "label a node, or select by labels that nodes have", choices))
}

/// A taint is there for a reason: only a person tolerates it.
fn taint(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.spec_path().field("tolerations");
    let taints = case.texts("taints");
    if let Some(found) =
        history::put_back(case, "the pod does not tolerate the nodes' taints", |at| at.starts_with(&path))?
    {
        return Ok(found);
    }
    let message = format!("the pod does not tolerate {}", text::and(&taints));
    let hint = "remove the taint, add a node without it, or tolerate it";
    if taints.iter().any(|taint| taint.starts_with("node.kubernetes.io/")) {
        return Err(outside(message, "see to the node: its own state brings the taint"));
    }
    let present = case.at(&path).and_then(Value::as_array).cloned().unwrap_or_default();
    let offer = |taint: &&str| {
        let (key, effect) = taint.rsplit_once(':')?;
        let (key, value) = key.split_once('=').unwrap_or((key, ""));
        let mut all = present.clone();
        all.push(if value.is_empty() {
            json!({"key": key, "operator": "Exists", "effect": effect})
        } else {
            json!({"key": key, "operator": "Equal", "value": value, "effect": effect})
        });
        let edits = vec![case.set(path.clone(), Value::Array(all))];
        Some(case.intent(
            format!("Tolerate {taint}"),
            "the pod may then run on nodes with it".to_owned(),
            edits,
            Vec::new(),
        ))
    };
    Err(case.ask(message, hint, taints.iter().filter_map(offer).take(super::CHOICES).collect()))
}

/// A pod that is bound to a node by name.
fn node_name(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let (wanted, path) = (case.text("nodeName"), case.spec_path().field("nodeName"));
    case.expect(&path, &json!(wanted))?;
    let message = format!("node {wanted} does not exist");
    let hint = "name a node that exists, or select nodes by label instead";
    let mut names: Vec<&str> = case.snapshot.kind("Node").iter().map(|node| node.metadata.name.as_str()).collect();
    names.sort_by_key(|name| text::distance(name, wanted));
    let offer =
        |name: &&str| case.choice(path.clone(), json!(name), format!("Bind it to node {name}"), "the node is there");
    let mut choices: Vec<Intent> = names.iter().take(super::CHOICES).map(offer).collect();
    let free = FieldEdit { path: path.clone(), op: Op::Remove, old: Some(json!(wanted)), new: None };
    let subject = "Let the scheduler choose the node".to_owned();
    choices.push(case.intent(subject, "without nodeName it does".to_owned(), vec![free], Vec::new()));
    if choices.is_empty() {
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    }
    Err(case.ask(message, hint, choices))
}
