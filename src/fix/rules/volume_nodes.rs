//! Pods that are sent away from where their volume is.

use super::super::case::Case;
use super::super::facts::{items, text_of};
use crate::model::intent::Intent;
use crate::model::kube::Object;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("unschedulable-volume-affinity", beside_data)];

/// The node selector follows the volume: its label as the volume and a node have it.
fn beside_data(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let spec = case.pod_spec();
    let mut choices = Vec::new();
    for (key, values) in places(case) {
        let Some(now) = spec.node_selector.get(&key).filter(|now| !values.contains(*now)) else { continue };
        let path = case.spec_path().field("nodeSelector").field(&key);
        for value in values {
            let has = |node: &&Object| node.metadata.labels.get(&key) == Some(&value);
            let Some(node) = case.snapshot.kind("Node").iter().find(has) else { continue };
            let why = format!(
                "its volume can be used there alone, node {} is there; now it asks for {now}",
                node.metadata.name
            );
            let subject = format!("Run it where its volume is: {key}={value}");
            choices.push(case.choice(path.clone(), json!(value), subject, &why));
        }
    }
    choices.truncate(super::CHOICES);
    let hint = "bring back a node of the place where the volume is, or move the data to a new claim";
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}

/// By label of nodes, the values that every volume of the failing pod allows.
fn places(case: &Case<'_>) -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let namespace = case.target.namespace();
    let is_ours = |name: &str| case.finding.pods.names.iter().any(|own| own == name);
    let mut pods = case.snapshot.pods.iter().filter(|pod| pod.metadata.namespace == namespace);
    let Some(pod) = pods.find(|pod| is_ours(&pod.metadata.name)) else { return out };
    let claims =
        pod.spec.volumes.iter().filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName")?.as_str());
    for claim in claims.filter_map(|name| case.snapshot.find("PersistentVolumeClaim", namespace, name)) {
        let Some(volume) = case.snapshot.find("PersistentVolume", "", claim.text("/spec/volumeName")) else { continue };
        let terms = json!({"all": volume.at("/spec/nodeAffinity/required/nodeSelectorTerms")});
        // Terms are alternatives: one alone says what must hold.
        let [term] = items(&terms, "all").collect::<Vec<_>>()[..] else { continue };
        for one in items(term, "matchExpressions").filter(|one| text_of(one, "operator") == "In") {
            let values: BTreeSet<String> = items(one, "values").filter_map(Value::as_str).map(str::to_owned).collect();
            let known = out.entry(text_of(one, "key").to_owned()).or_insert_with(|| values.clone());
            known.retain(|value| values.contains(value));
        }
    }
    out
}
