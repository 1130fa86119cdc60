//! What was looked at of one object, and how it stood.

use super::health::Health;
use super::view::{View, Workload};
use crate::model::kube::{Object, Pod};
use crate::model::object::ObjectRef;
use crate::model::snapshot::Snapshot;
use crate::redact;
use crate::text;
use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `pods`, `rollout`, `events`.
    pub what: &'static str,
    /// How it stood, in a sentence; redacted.
    pub state: String,
    /// Whether it is as it should be.
    pub fine: bool,
}

/// What was looked at of an object; `None` when no such object was seen.
pub fn checks(snapshot: &Snapshot, kind: &str, name: &str) -> Option<(ObjectRef, Vec<Check>)> {
    let view = View::new(snapshot);
    if kind == "Pod" {
        let pod = snapshot.pods.iter().find(|pod| pod.metadata.name == name)?;
        return Some((pod.object(), of_pod(&view, pod)));
    }
    if let Some(workload) = view.workloads.iter().find(|w| w.top.kind == kind && w.top.name == name) {
        return Some((workload.top.clone(), of_workload(&view, workload)));
    }
    let object = snapshot.kind(kind).iter().find(|object| object.metadata.name == name)?;
    Some((object.object(), of_object(&view, object)))
}

fn of_workload(view: &View<'_>, workload: &Workload<'_>) -> Vec<Check> {
    let counts = &workload.counts;
    let mut out = vec![Check {
        what: "pods",
        state: if counts.desired == 0 {
            "scaled to 0".to_owned()
        } else {
            format!("{} of {} ready", counts.ready, counts.desired)
        },
        fine: counts.ready >= counts.desired,
    }];
    let (state, fine) = match workload.health {
        Health::InProgress => ("still rolling out, within its time", true),
        Health::Failing => ("not complete", false),
        _ => ("complete", true),
    };
    out.push(Check { what: "rollout", state: state.to_owned(), fine });
    out.push(restarts(view, &workload.current));
    if let Some(object) = workload.source {
        out.extend(conditions(object));
    }
    out.push(events(
        view,
        std::iter::once(workload.top.uid.as_str()).chain(workload.pods.iter().map(|pod| pod.metadata.uid.as_str())),
    ));
    out
}

fn of_pod(view: &View<'_>, pod: &Pod) -> Vec<Check> {
    let ready = pod.is_ready();
    vec![
        Check {
            what: "phase",
            state: pod.status.phase.clone(),
            fine: matches!(pod.status.phase.as_str(), "Running" | "Succeeded"),
        },
        Check {
            what: "ready",
            state: if ready { "yes" } else { "no" }.to_owned(),
            fine: ready || pod.status.phase == "Succeeded",
        },
        restarts(view, &[pod]),
        events(view, std::iter::once(pod.metadata.uid.as_str())),
    ]
}

fn of_object(view: &View<'_>, object: &Object) -> Vec<Check> {
    let mut out = conditions(object);
    out.push(events(view, std::iter::once(object.metadata.uid.as_str())));
    out
}

fn restarts(view: &View<'_>, pods: &[&Pod]) -> Check {
    let statuses = || pods.iter().flat_map(|pod| &pod.status.container_statuses);
    let count: i64 = statuses().map(|status| status.restart_count).sum();
    let last = statuses().filter_map(|status| status.last_state.terminated.as_ref()?.finished_at.0).max();
    let state = match (count, last, view.snapshot.now()) {
        (0, ..) => "none".to_owned(),
        (count, Some(last), Some(now)) => format!("{count}, the last {} ago", text::span(last, now)),
        (count, ..) => count.to_string(),
    };
    // A restart in the past is no failure: the rules have judged it.
    Check { what: "restarts", state, fine: true }
}

fn conditions(object: &Object) -> Vec<Check> {
    object
        .conditions()
        .into_iter()
        .filter(|condition| {
            matches!(
                condition.kind.as_str(),
                "Available" | "Progressing" | "Ready" | "Complete" | "Failed" | "Suspended"
            )
        })
        .map(|condition| {
            let bad = if condition.kind == "Failed" { "True" } else { "False" };
            Check {
                what: "condition",
                state: redact::text(&format!("{}={} {}", condition.kind, condition.status, condition.message))
                    .into_string(),
                fine: condition.status != bad,
            }
        })
        .collect()
}

fn events<'u>(view: &View<'_>, uids: impl Iterator<Item = &'u str>) -> Check {
    let mut warnings: Vec<String> = uids
        .filter(|uid| !uid.is_empty())
        .flat_map(|uid| view.events(uid))
        .filter(|event| event.kind == "Warning")
        .map(|event| format!("{} (x{})", event.reason, event.times()))
        .collect();
    warnings.sort();
    warnings.dedup();
    let state = match warnings.as_slice() {
        [] => "no warnings in the last hour or so".to_owned(),
        some => redact::text(&some[..some.len().min(4)].join(", ")).into_string(),
    };
    Check { what: "events", state, fine: warnings.is_empty() }
}
