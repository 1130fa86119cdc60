//! Claims that are missing, or held by another pod.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::{drifted, items, text_of};
use super::super::{history, refusal};
use crate::model::intent::{FieldEdit, Intent};
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("pvc-missing", missing), ("unschedulable-rwop", held)];

fn missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let (wanted, existing) = (case.text("missing"), case.texts("existing"));
    let root = case.spec_path().field("volumes");
    let volumes = case.at(&case.spec_path()).cloned().unwrap_or(Value::Null);
    let claim =
        |volume: &&Value| volume.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str) == Some(wanted);
    let paths: Vec<Path> = items(&volumes, "volumes")
        .filter(claim)
        .map(|volume| root.item(text_of(volume, "name")).field("persistentVolumeClaim").field("claimName"))
        .collect();
    let why = format!("PersistentVolumeClaim {wanted} does not exist");
    if paths.is_empty() {
        return Err(drifted(format!("{} no longer names claim {wanted}", case.finding.object)));
    }
    let take = |name: &str, why: String| {
        let edits = paths.iter().map(|path| case.set(path.clone(), json!(name))).collect();
        let review = vec!["another claim is other data".to_owned()];
        case.intent(format!("Take claim {name} instead of {wanted}"), why, edits, review)
    };
    let near = only_close(wanted, &existing, &[]).filter(|name| !case.is("worked") && !is_used(case, name));
    if let Some(name) = near.filter(|_| !case.snapshot.lacks("persistentvolumeclaims")) {
        return Ok(vec![take(
            name,
            format!("{why}; {name} is the only one with a name as close, and nothing uses it"),
        )]);
    }
    if let Some(found) = history::put_back(case, &why, |path| paths.iter().any(|own| own.starts_with(path)))? {
        return Ok(found);
    }
    let mut free: Vec<&str> = existing.into_iter().filter(|name| !is_used(case, name)).collect();
    free.sort_by_key(|name| text::distance(name, wanted));
    let choices = free.iter().take(super::CHOICES).map(|name| take(name, "nothing uses it".to_owned())).collect();
    Err(case.ask(why, &format!("create claim {wanted}, or name one that exists"), choices))
}

/// Whether a pod or a template of the namespace names the claim.
fn is_used(case: &Case<'_>, claim: &str) -> bool {
    let namespace = case.finding.object.namespace();
    let names = |volumes: &[Value]| {
        volumes.iter().any(|v| v.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str) == Some(claim))
    };
    let pods = case.snapshot.pods.iter().filter(|pod| pod.metadata.namespace == namespace);
    let objects = case.snapshot.objects.values().flatten().filter(|one| one.metadata.namespace == namespace);
    let mut specs = objects.filter_map(Object::pod_spec);
    pods.into_iter().any(|pod| names(&pod.spec.volumes)) || specs.any(|spec| names(&spec.volumes))
}

/// The old pod of a rollout holds a claim for one pod: it must end before the new one starts.
fn held(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let deployment = case.object.filter(|object| object.kind == "Deployment");
    let one = deployment.is_some_and(|object| object.int("/spec/replicas").unwrap_or(1) == 1);
    let hint = "run one replica, or give each its own claim";
    if !case.is("holderIsOwnOldPod") || !one || case.autoscalers().next().is_some() {
        let message = "the claim is for one pod, and another has it";
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    }
    let why = "the claim is for one pod, and the old pod of the rollout keeps it until the new one is ready".to_owned();
    let review = vec!["every rollout then has a gap: the old pod ends before the new one starts".to_owned()];
    Ok(vec![case.intent("End the old pod before the new one starts".to_owned(), why, recreate(case), review)])
}

/// Strategy `Recreate`; what belongs to a rolling update goes with it.
pub(super) fn recreate(case: &Case<'_>) -> Vec<FieldEdit> {
    vec![case.set(Path::of("spec.strategy"), json!({"type": "Recreate"}))]
}
