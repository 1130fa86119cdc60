//! Refusals to create pods, as controllers report them.

use super::health::Health;
use super::view::{Settled, View, Workload};
use crate::model::kube::{Event, Object};
use jiff::Timestamp;
use regex::Regex;
use std::sync::LazyLock;

/// What the API said when a pod, a claim or a Job was to be created.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// Without the controller's words before it and without the random name of the pod.
    pub text: String,
    /// As it was read: `ReplicaFailure: ...`.
    pub shown: String,
    pub at: Option<Timestamp>,
    /// Whether a claim of a StatefulSet was refused, not a pod.
    pub claim: bool,
}

static WORDS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:Error creating(?: job)?: |create (?:Pod|Claim) .*? failed error: )").ok());
static FORBIDDEN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"^[a-z.0-9]+ "[^"]*" is forbidden: "#).ok());

/// The message without what differs from pod to pod.
fn bare(message: &str) -> String {
    let mut rest = message.trim();
    for shape in [&WORDS, &FORBIDDEN] {
        if let Some(found) = shape.as_ref().and_then(|shape| shape.find(rest)) {
            rest = &rest[found.end()..];
        }
    }
    rest.to_owned()
}

/// The newest refusal for a workload: its condition ReplicaFailure, which never expires, or, for kinds
/// without one, an event that is young or came again.
pub(crate) fn of(view: &View<'_>, workload: &Workload<'_>) -> Option<Refusal> {
    let source = workload.source.filter(|_| workload.health != Health::Healthy)?;
    let of_set = || {
        let sets = if source.kind == "Rollout" { children(view, source) } else { Vec::new() };
        sets.into_iter().find_map(from_condition)
    };
    from_condition(source).or_else(of_set).or_else(|| {
        let mut objects = vec![source];
        objects.extend(children(view, source));
        // What an earlier run of a CronJob left is none of this one's.
        let over = |phase: &str| phase == "Failed" || (phase == "Succeeded" && source.kind == "CronJob");
        let live = workload.pods.iter().filter(|pod| !over(&pod.status.phase)).count();
        let short = live < workload.counts.desired.max(1);
        objects.into_iter().filter(|_| short).find_map(|object| from_events(view, object))
    })
}

fn children<'s>(view: &View<'s>, source: &Object) -> Vec<&'s Object> {
    match source.kind.as_str() {
        "Deployment" | "Rollout" => super::current::newest_replica_set(&view.children, source).into_iter().collect(),
        "CronJob" => super::current::judged_jobs(&view.children, source),
        _ => Vec::new(),
    }
}

fn from_condition(source: &Object) -> Option<Refusal> {
    let failure = source.conditions().into_iter().find(|c| c.kind == "ReplicaFailure" && c.status == "True")?;
    Some(Refusal {
        text: bare(&failure.message),
        shown: format!("ReplicaFailure: {}", failure.message),
        at: failure.last_transition_time.0,
        claim: false,
    })
}

fn from_events(view: &View<'_>, object: &Object) -> Option<Refusal> {
    let is_live = |event: &&&Event| {
        event.reason == "FailedCreate" && (event.times() >= 3 || view.settled(event.last_seen(), 900) == Settled::No)
    };
    let events = view.events(&object.metadata.uid);
    let event = events.iter().rev().find(is_live)?;
    Some(Refusal {
        text: bare(event.text()),
        shown: format!("FailedCreate: {}", event.text()),
        at: events.iter().filter(is_live).filter_map(|event| event.first_seen()).min(),
        claim: event.text().starts_with("create Claim "),
    })
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn every_controller_says_the_same_after_its_own_words() {
        for text in [
            r#"Error creating: pods "web-7" is forbidden: exceeded quota: q"#,
            r#"pods "web-7" is forbidden: exceeded quota: q"#,
            r#"create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: exceeded quota: q"#,
            r#"Error creating job: jobs.batch "r-1" is forbidden: exceeded quota: q"#,
            r#"create Claim data-db-0 Pod db-0 in StatefulSet db failed error: persistentvolumeclaims "data-db-0" is forbidden: exceeded quota: q"#,
        ] {
            assert_eq!(bare(text), "exceeded quota: q");
        }
        assert_eq!(bare(r#"Pod "x" is invalid: spec"#), r#"Pod "x" is invalid: spec"#);
    }
}
