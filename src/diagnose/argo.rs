//! Argo Rollouts: how one is, by its own status.

use super::health::{Counts, Health, on_the_way, passed_deadline};
use super::view::{View, Workload};
use crate::model::kube::Object;
use serde_json::Value;

/// An Argo Rollout: it may wait between two steps for a person or for an analysis as long as it likes.
pub(super) fn health(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Health {
    let Counts { desired, ready } = workload.counts;
    if desired == 0 {
        return Health::Healthy;
    }
    if passed_deadline(source) || gave_up(source).is_some() {
        return Health::Failing;
    }
    let updated = usize::try_from(source.int("/status/updatedReplicas").unwrap_or_default()).unwrap_or_default();
    let waits = || {
        let for_what = source.at("/status/pauseConditions").and_then(Value::as_array);
        source.at("/spec/paused").and_then(Value::as_bool) == Some(true) || for_what.is_some_and(|all| !all.is_empty())
    };
    match ready >= desired {
        true if updated >= desired => Health::Healthy,
        true if waits() => Health::InProgress,
        _ => on_the_way(view, workload, source),
    }
}

/// Why an Argo Rollout does not go on by itself: its spec is refused, or the new revision was given up.
pub(super) fn gave_up(source: &Object) -> Option<&'static str> {
    if source.kind != "Rollout" {
        return None;
    }
    let conditions = source.conditions();
    let is = |kind: &str, status: &str, reason: &str| {
        conditions.iter().any(|c| c.kind == kind && c.status == status && (reason.is_empty() || c.reason == reason))
    };
    if is("InvalidSpec", "True", "") {
        Some("its controller refuses the spec")
    } else if is("Progressing", "False", "RolloutAborted") {
        Some("the rollout of its newest revision was aborted")
    } else if source.text("/status/phase") == "Degraded" && !passed_deadline(source) {
        Some("its controller says that it is degraded")
    } else {
        None
    }
}
