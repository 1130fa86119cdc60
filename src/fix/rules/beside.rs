//! Choices on objects that stand beside a workload.

use super::super::case::Case;
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("hpa-fights-git", replicas),
    ("pdb-blocks-everything", one_at_a_time),
    ("pdb-unhealthy-blocks-drain", broken_ones),
    ("pdb-unmanaged-pods", counted),
    ("sa-secret-not-mountable", list_secret),
];

fn taken(case: &Case<'_>, path: Path) -> FieldEdit {
    FieldEdit { op: Op::Remove, old: case.at(&path).cloned(), path, new: None }
}

/// One pod may be evicted at a time.
fn one_at_a_time(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let spec = Path::of("spec");
    let mut edits: Vec<FieldEdit> = Vec::new();
    if case.at(&spec.field("minAvailable")).is_some() {
        edits.push(taken(case, spec.field("minAvailable")));
    }
    edits.push(case.set(spec.field("maxUnavailable"), json!(1)));
    let why = "a node can then be drained, one of the pods at a time".to_owned();
    let choice = case.intent("Let one pod at a time be evicted".to_owned(), why, edits, Vec::new());
    let hint = "allow one eviction, or run another replica";
    Err(case.ask(case.finding.summary.clone(), hint, vec![choice]))
}

/// Pods that do not work may be evicted; those that do stay protected.
fn broken_ones(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = Path::of("spec.unhealthyPodEvictionPolicy");
    let subject = "Let pods that do not work be evicted".to_owned();
    let why = "a node can then be drained while they fail; healthy pods stay protected";
    let choice = case.choice(path, json!("AlwaysAllow"), subject, why);
    Err(case.ask(case.finding.summary.clone(), "mend the pods first, or let the broken ones go", vec![choice]))
}

/// A number of pods needs no controller that says how many there should be.
fn counted(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let spec = Path::of("spec");
    let wanted: BTreeMap<String, String> =
        case.object.map(|budget| budget.view("/spec/selector/matchLabels")).unwrap_or_default();
    let selects = |labels: &BTreeMap<String, String>| {
        !wanted.is_empty() && wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let here = case.snapshot.pods.iter().filter(|pod| pod.metadata.namespace == case.target.namespace());
    let pods = here.filter(|pod| selects(&pod.metadata.labels)).count();
    let mut choices = Vec::new();
    // With one pod any number above zero blocks every drain.
    if let Some(kept) = pods.checked_sub(1).filter(|kept| *kept > 0) {
        let mut edits = vec![case.set(spec.field("minAvailable"), json!(kept))];
        if case.at(&spec.field("maxUnavailable")).is_some() {
            edits.push(taken(case, spec.field("maxUnavailable")));
        }
        let why = format!("it selects {pods} pods now, and one of them may be evicted");
        choices.push(case.intent(format!("Keep {kept} pods"), why, edits, Vec::new()));
    }
    let hint = "say minAvailable as a number, or give the pods a controller";
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}

/// The manifest leaves the count to the autoscaler.
fn replicas(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let text = |field: &str| case.object.map(|hpa| hpa.text(&format!("/spec/scaleTargetRef/{field}")).to_owned());
    let (kind, name) = (text("kind").unwrap_or_default(), text("name").unwrap_or_default());
    let hint = "leave replicas out of the manifest, or take the autoscaler away";
    let mut choices = Vec::new();
    if let Some(target) = case.snapshot.find(&kind, case.target.namespace(), &name) {
        let on = case.on(&target.object())?;
        let why = "when the field goes, the count falls to 1 once, until the autoscaler raises it".to_owned();
        let edits = vec![taken(&on, Path::of("spec.replicas"))];
        choices.push(on.intent(format!("Leave the replicas of {name} to the autoscaler"), why, edits, Vec::new()));
    }
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}

/// The account lists the Secret that its pods mount.
fn list_secret(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (secret, account) = (case.text("secret"), case.text("serviceAccount"));
    let hint = format!("list Secret {secret} in ServiceAccount {account}, or mount another");
    let mut choices = Vec::new();
    if let Some(object) = case.snapshot.find("ServiceAccount", case.target.namespace(), account) {
        let on = case.on(&object.object())?;
        let list = Path::of("secrets");
        let mut all = on.at(&list).and_then(Value::as_array).cloned().unwrap_or_default();
        all.push(json!({"name": secret}));
        let why = format!("every pod of {account} may then mount it");
        let edits = vec![on.set(list, json!(all))];
        choices.push(on.intent(format!("Let pods of {account} mount Secret {secret}"), why, edits, Vec::new()));
    }
    Err(case.ask(case.finding.summary.clone(), &hint, choices))
}
