//! Rollouts that wait for themselves.

use super::super::case::Case;
use super::super::{history, refusal};
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::json;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("rollout-surge-blocked", surge_blocked),
    ("rollout-zero-surge-zero", zero),
    ("sts-broken-rollout-stuck", set_stuck),
];

fn strategy(field: &str) -> Path {
    Path::of("spec.strategy.rollingUpdate").field(field)
}

/// The intent to end the old pods before new ones start.
pub(super) fn recreate(case: &Case<'_>, why: String) -> Intent {
    let mut edits = vec![case.set(Path::of("spec.strategy.type"), json!("Recreate"))];
    let rolling = Path::of("spec.strategy.rollingUpdate");
    // What the API filled in is in no manifest.
    let default = json!({"maxSurge": "25%", "maxUnavailable": "25%"});
    if let Some(old) = case.at(&rolling).filter(|old| **old != default) {
        edits.push(FieldEdit { path: rolling, op: Op::Remove, old: Some(old.clone()), new: None });
    }
    let review = vec!["every rollout then has a gap without pods".to_owned()];
    case.intent("End the old pod before the new one starts".to_owned(), why, edits, review)
}

fn surge_blocked(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let Some(object) = case.object.filter(|object| object.kind == "Deployment") else {
        let hint = "let the old pods go first";
        return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, case.finding.summary.clone(), hint));
    };
    let in_turn = |review: Vec<String>| {
        let edits = vec![case.set(strategy("maxSurge"), json!(0)), case.set(strategy("maxUnavailable"), json!(1))];
        let why = "a new pod can only have what an old one frees".to_owned();
        case.intent("Replace one pod at a time, the old one first".to_owned(), why, edits, review)
    };
    let least = case.autoscalers().map(|hpa| hpa.int("/spec/minReplicas").unwrap_or(1)).min();
    let replicas = object.int("/spec/replicas").unwrap_or(1);
    let rolls = object.text("/spec/strategy/type") != "Recreate";
    if replicas > 1 && least.is_none_or(|least| least > 1) && rolls {
        return Ok(vec![in_turn(vec!["one replica less serves during a rollout".to_owned()])]);
    }
    let why = "the old pods end first and free it".to_owned();
    let message = format!("{}; with one replica every way has a gap", case.finding.summary);
    Err(case.ask(message, "choose the gap, or free what both need", vec![in_turn(Vec::new()), recreate(case, why)]))
}

fn zero(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let edits = vec![case.set(strategy("maxUnavailable"), json!(1))];
    let review = vec!["the controller takes one pod at a time already: it only says so".to_owned()];
    Ok(vec![case.intent(
        "Let a rollout take one pod at a time".to_owned(),
        case.finding.summary.clone(),
        edits,
        review,
    )])
}

/// A pod that waits for an image which the template still names: that goes back first. Otherwise nothing in
/// Git replaces the pod.
fn set_stuck(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (name, namespace) = (case.text("pod"), case.target.namespace());
    let pods = &case.snapshot.pods;
    let pod = pods.iter().find(|pod| pod.metadata.name == name && pod.metadata.namespace == namespace);
    let waits = pod.iter().flat_map(|pod| &pod.status.container_statuses).filter(|status| {
        let reason = status.state.waiting.as_ref().map_or("", |waiting| waiting.reason.as_str());
        matches!(reason, "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName")
    });
    for status in waits {
        let path = case.spec_path().field("containers").item(&status.name).field("image");
        let own = pod.and_then(|pod| pod.spec.containers.iter().find(|one| one.name == status.name));
        if own.is_none_or(|own| case.at(&path) != Some(&json!(own.image))) {
            continue;
        }
        let because = format!("pod {name} can't pull the image that the template still names");
        if let Some(intents) = history::put_back(case, &because, |changed| *changed == path)? {
            return Ok(intents);
        }
    }
    let message = format!("the template is another already, and pod {name} is not replaced until it is deleted");
    let hint = format!("kubectl delete pod {} -n {}", text::shell_word(name), text::shell_word(namespace));
    Err(Refusal::new(refusal::NOT_IN_GIT, message, hint))
}
