//! Users that an image runs as elsewhere.

use super::super::case::Case;
use super::super::facts::judge;
use super::image::repository;
use crate::model::code::FixClass;
use crate::model::intent::Intent;
use crate::model::kube::{Container, PodSpec};
use crate::model::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("run-as-user-name", user_name)];

fn user_name(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    Err(choose(case))
}

/// Numbers of users of ready pods with an image of the same repository; none is guessed.
pub(super) fn choose(case: &Case<'_>) -> Refusal {
    let path = case.container_path().field("securityContext").field("runAsUser");
    let name = case.name();
    let choices: Vec<Intent> = known(case)
        .into_iter()
        .take(super::CHOICES)
        .map(|(id, place)| {
            let why = format!("{place} runs an image of this repository as that user");
            case.choice(path.clone(), json!(id), format!("Run container {name} as user {id}"), &why)
        })
        .collect();
    let message = match choices.is_empty() {
        true => format!("which user container {name} may run as is not known: no ready pod here runs its image as one"),
        false => format!("container {name} needs the number of a user that is not root"),
    };
    let hint = "set runAsUser to a number that the image has (docker run --rm --entrypoint id IMAGE shows its own); \
                never drop runAsNonRoot";
    // Where the code is not one of a choice, judgement may still find the number.
    if choices.is_empty() && case.finding.code.0.class != FixClass::Ask {
        return judge(message, hint);
    }
    case.ask(message, hint, choices)
}

/// Each user, not root, with a pod that runs as it.
fn known(case: &Case<'_>) -> BTreeMap<i64, String> {
    let mut found = BTreeMap::new();
    let Ok(own) = case.container() else { return found };
    let wanted = repository(&own.image);
    let same = |container: &&Container| repository(&container.image) == wanted;
    for pod in case.snapshot.pods.iter().filter(|pod| pod.is_ready()) {
        let users = pod.spec.containers.iter().filter(same).filter_map(|container| user(&pod.spec, container));
        for id in users.filter(|id| *id > 0) {
            let place = format!("pod {}/{}", pod.metadata.namespace, pod.metadata.name);
            found.entry(id).or_insert(place);
        }
    }
    found
}

/// The user that a container is told to run as.
fn user(spec: &PodSpec, container: &Container) -> Option<i64> {
    let of = |context: &Value| context.get("runAsUser").and_then(Value::as_i64);
    of(&container.security_context).or_else(|| of(&spec.security_context))
}
