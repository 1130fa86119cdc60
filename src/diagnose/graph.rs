//! Which finding is the root of which.

use super::observe::Draft;
use super::workload::Consequence;
use crate::model::code::Code;
use crate::model::finding::{Effect, Finding, Severity};
use crate::model::object::ObjectRef;
use crate::redact;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Families in the order in which they explain others: what a pod cannot even start with comes first.
const FAMILIES: [&str; 7] = ["scheduling", "image", "config", "crash", "probe", "service", "workload"];

/// Codes whose missing object is the root when several owners name it.
const SHARED: [&str; 2] = ["configmap-missing", "secret-key-missing"];

/// The rank of a code: lower explains higher. Kills and start errors come before probes,
/// a crash that only its log explains comes after them.
pub(crate) fn rank(finding: &Finding) -> usize {
    let of = |family: &str| FAMILIES.iter().position(|name| *name == family).unwrap_or(FAMILIES.len()) * 2;
    if finding.code.name() == "crash-app-error" { of("probe") + 1 } else { of(finding.code.0.family) }
}

/// Hangs every consequence under the root it is linked to by a reference in the specs:
/// the pods of its owner, or the pods that a selector selects. What has no root is dropped:
/// a consequence alone says nothing that `not-ready` does not.
pub(crate) fn roots(mut drafts: Vec<Draft>, consequences: Vec<Consequence>) -> Vec<Finding> {
    merge_shared(&mut drafts);
    for consequence in consequences {
        let candidates = drafts.iter_mut().filter(|draft| {
            draft.finding.severity != Severity::Info
                && consequence.workloads.iter().any(|key| owners(draft).any(|owner| owner == key))
                && consequence.container.as_ref().is_none_or(|name| draft.finding.container.as_ref() == Some(name))
        });
        let root = candidates.min_by_key(|draft| {
            let finding = &draft.finding;
            (rank(finding), finding.since.is_none(), finding.since, finding.object.clone(), finding.container.clone())
        });
        let is_itself = |finding: &Finding| finding.code.0.name == consequence.code.name;
        if let Some(root) = root.filter(|root| !is_itself(&root.finding)) {
            root.finding.effects.push(Effect {
                code: Code(consequence.code),
                object: consequence.object,
                summary: redact::text(&consequence.summary).into_string(),
            });
        }
    }
    let mut findings: Vec<Finding> = drafts.into_iter().map(|draft| draft.finding).collect();
    for finding in &mut findings {
        finding.effects.sort_by(|a, b| (a.code.name(), &a.object).cmp(&(b.code.name(), &b.object)));
        finding.effects.dedup();
    }
    findings.sort_by_key(order);
    findings
}

fn owners(draft: &Draft) -> impl Iterator<Item = &str> {
    let shared = draft.finding.facts.get("owners").and_then(Value::as_array);
    let keys = shared.into_iter().flatten().filter_map(|owner| owner.get("key")?.as_str());
    keys.chain(std::iter::once(draft.workload.as_str()))
}

/// Worst first; then what hits more pods; then by name, so that the order is always the same.
fn order(finding: &Finding) -> impl Ord + use<> {
    (
        finding.severity,
        rank(finding),
        std::cmp::Reverse(finding.effects.len()),
        finding.object.qualified(),
        finding.container.clone(),
        finding.code.name(),
        finding.summary.clone(),
    )
}

/// A missing thing that several owners name is one root on the missing object; the owners are its effects.
/// With one owner the finding stays there: that is what an edit changes.
fn merge_shared(drafts: &mut Vec<Draft>) {
    let mut groups: BTreeMap<String, Vec<Draft>> = BTreeMap::new();
    let mut rest = Vec::new();
    for draft in drafts.drain(..) {
        let facts = &draft.finding.facts;
        let missing = facts
            .get("missing")
            .and_then(Value::as_str)
            .filter(|_| SHARED.contains(&draft.finding.code.name()) && draft.finding.severity != Severity::Info);
        match missing {
            Some(missing) => {
                let place = draft.finding.object.namespace();
                groups.entry(format!("{} {place} {missing}", draft.finding.code)).or_default().push(draft);
            }
            None => rest.push(draft),
        }
    }
    for group in groups.into_values() {
        let mut keys: Vec<&String> = group.iter().map(|draft| &draft.workload).collect();
        keys.dedup();
        if keys.len() < 2 { rest.extend(group) } else { rest.extend(shared(group)) }
    }
    *drafts = rest;
}

fn shared(group: Vec<Draft>) -> Option<Draft> {
    let owners: Vec<Value> =
        group.iter().map(|d| json!({"key": d.workload, "object": d.finding.object.to_string()})).collect();
    let effects = group.iter().map(|d| Effect {
        code: d.finding.code,
        object: d.finding.object.clone(),
        summary: d.finding.summary.clone(),
    });
    let effects: Vec<Effect> = effects.collect();
    let (failing, ready, desired) = group.iter().fold((0, 0, 0), |(f, r, d), draft| {
        let pods = &draft.finding.pods;
        (f + pods.failing, r + pods.ready, d + pods.desired)
    });
    let severity = group.iter().map(|draft| draft.finding.severity).min();
    let since = group.iter().filter_map(|draft| draft.finding.since).min();
    let mut root = group.into_iter().next()?;
    let (kind, name) = match root.finding.facts.get("object").and_then(Value::as_str)?.split_once('/') {
        Some((kind, name)) => (kind.to_owned(), name.to_owned()),
        None => return Some(root),
    };
    let finding = &mut root.finding;
    let namespace = finding.object.namespace().to_owned();
    finding.object = ObjectRef::new("v1", &kind, &namespace, &name);
    finding.container = None;
    finding.severity = severity.unwrap_or(finding.severity);
    finding.since = since;
    finding.pods.failing = failing;
    finding.pods.ready = ready;
    finding.pods.desired = desired;
    finding.summary = format!("{}, which {} workloads need", finding.summary, owners.len());
    finding.effects = effects;
    finding.change = None;
    if let Some(facts) = finding.facts.as_object_mut() {
        facts.insert("owners".to_owned(), Value::Array(owners));
    }
    Some(root)
}
