//! Priority classes: who makes room, and what quotas are for.

use super::super::case::Case;
use super::super::facts::{items, text_of};
use crate::model::intent::Intent;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("preempted", equal), ("quota-insufficient-scope", covered)];

fn class(case: &Case<'_>) -> Path {
    case.spec_path().field("priorityClassName")
}

/// Classes of the system are for what a cluster can't run without.
fn is_free(name: &str, now: &str) -> bool {
    !name.is_empty() && name != now && !name.starts_with("system-")
}

/// The class of the pod that took the room: of two equals, none is ended for the other.
fn equal(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (path, other, by) = (class(case), case.text("preemptorClass"), case.text("preemptor"));
    let now = case.at(&path).and_then(Value::as_str).unwrap_or_default();
    let mut choices = Vec::new();
    if is_free(other, now) {
        let why = format!("pod {by}, which took the room, has it; pods of lower priority then make room for this one");
        choices.push(case.choice(path, json!(other), format!("Give its pods priority class {other}"), &why));
    }
    let hint = "add a node, lower what the pods request, or weigh the priorities of both";
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}

/// A class that a quota of the namespace is made for.
fn covered(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = class(case);
    let now = case.at(&path).and_then(Value::as_str).unwrap_or_default();
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for quota in case.here("ResourceQuota") {
        let scopes = json!({"all": quota.at("/spec/scopeSelector/matchExpressions")});
        let of_class = |one: &&Value| text_of(one, "scopeName") == "PriorityClass" && text_of(one, "operator") == "In";
        for name in items(&scopes, "all").filter(of_class).flat_map(|one| items(one, "values")) {
            let name = name.as_str().unwrap_or_default();
            let exists = case.snapshot.find("PriorityClass", "", name).is_some();
            if is_free(name, now) && (exists || case.snapshot.kind("PriorityClass").is_empty()) {
                found.entry(name.to_owned()).or_insert_with(|| quota.metadata.name.clone());
            }
        }
    }
    let choices = found.into_iter().take(super::CHOICES).map(|(name, quota)| {
        let why = format!("quota {quota} of the namespace is for pods of that class");
        case.choice(path.clone(), json!(name), format!("Give its pods priority class {name}"), &why)
    });
    let hint = "name a priority class that the namespace may use, or ask who runs the cluster for a quota of this one";
    Err(case.ask(case.finding.summary.clone(), hint, choices.collect()))
}
