//! The newest time that occurs in a snapshot.

use crate::model::kube::{ContainerState, Meta, Object, Pod};
use crate::model::snapshot::Snapshot;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// Fields of a status that name a past moment. Others may lie ahead: `nextScheduleTime`, `notAfter`.
const PAST: [&str; 10] = [
    "lastTransitionTime",
    "lastUpdateTime",
    "lastHeartbeatTime",
    "lastProbeTime",
    "startTime",
    "completionTime",
    "lastScheduleTime",
    "lastSuccessfulTime",
    "lastScaleTime",
    "renewTime",
];

/// The newest past moment that any object names: a lower bound of the clock, where none was told.
/// A deletion counts at its request, which is `deletionTimestamp` less the grace period.
pub(crate) fn newest(snapshot: &Snapshot) -> Option<Timestamp> {
    if snapshot.taken_at.is_some() {
        return None;
    }
    let pods = snapshot.pods.iter().filter_map(pod);
    let events = snapshot.events.iter().filter_map(|event| event.last_seen().max(meta(&event.metadata)));
    let keyed = snapshot.config_maps.iter().chain(&snapshot.secrets).filter_map(|keyed| meta(&keyed.metadata));
    let objects = snapshot.objects.values().flatten().filter_map(object);
    pods.chain(events).chain(keyed).chain(objects).max()
}

fn meta(metadata: &Meta) -> Option<Timestamp> {
    let grace = SignedDuration::from_secs(metadata.deletion_grace_period_seconds.unwrap_or(0));
    let deleted = metadata.deletion_timestamp.and_then(|at| at.checked_sub(grace).ok());
    let managed = metadata.managed_fields.iter().filter_map(|entry| entry.time).max();
    metadata.creation_timestamp.max(deleted).max(managed)
}

fn pod(pod: &Pod) -> Option<Timestamp> {
    let status = &pod.status;
    let conditions = status.conditions.iter().filter_map(|c| c.last_transition_time.0);
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses);
    let states = containers.flat_map(|container| [&container.state, &container.last_state]).filter_map(state);
    conditions.chain(states).max().max(status.start_time.0).max(meta(&pod.metadata))
}

fn state(state: &ContainerState) -> Option<Timestamp> {
    let running = state.running.as_ref().and_then(|running| running.started_at.0);
    let ended = state.terminated.as_ref().and_then(|ended| ended.finished_at.0.max(ended.started_at.0));
    running.max(ended)
}

fn object(object: &Object) -> Option<Timestamp> {
    let status = object.at("/status").and_then(past);
    let spec = if object.kind == "Lease" { object.at("/spec").and_then(past) } else { None };
    meta(&object.metadata).max(status).max(spec)
}

fn past(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Object(map) => map
            .iter()
            .filter_map(|(name, value)| match value {
                Value::String(text) if PAST.contains(&name.as_str()) => text.parse().ok(),
                Value::String(_) => None,
                value => past(value),
            })
            .max(),
        Value::Array(items) => items.iter().filter_map(past).max(),
        _ => None,
    }
}
