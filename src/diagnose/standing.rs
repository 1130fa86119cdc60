//! How one workload stands, for who asks about it alone.

use super::health::{self, Health};
use super::view::View;
use crate::model::object::ObjectRef;
use crate::model::snapshot::Snapshot;
use jiff::Timestamp;

/// How far a workload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has what it asks for, of the revision that it should be.
    There,
    /// A rollout or a start within its time.
    Underway,
    Failing,
}

/// One workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub progress: Progress,
    pub desired: usize,
    pub ready: usize,
    /// Since when all its ready pods are.
    pub ready_since: Option<Timestamp>,
    /// When its newest pod was made.
    pub newest_pod: Option<Timestamp>,
}

/// The workload of this name; `None` when it is none, or was not seen.
pub fn standing(snapshot: &Snapshot, object: &ObjectRef) -> Option<Standing> {
    let view = View::new(snapshot);
    let workload = view.workloads.iter().find(|workload| workload.top.same_object(object))?;
    let ready = workload.current.iter().filter_map(|pod| {
        let ready = pod.condition("Ready").filter(|ready| ready.status == "True")?;
        ready.last_transition_time.0
    });
    let progress = match workload.health {
        Health::Healthy if workload.drifted => Progress::Underway,
        Health::Healthy => Progress::There,
        Health::InProgress => Progress::Underway,
        Health::Failing => Progress::Failing,
    };
    Some(Standing {
        progress,
        desired: workload.counts.desired,
        ready: workload.counts.ready,
        ready_since: ready.max(),
        newest_pod: workload.current.iter().filter_map(|pod| pod.metadata.creation_timestamp).max(),
    })
}

/// When an object was last written by anything but a controller that reports its status.
pub fn written(snapshot: &Snapshot, object: &ObjectRef) -> Option<Timestamp> {
    let object = snapshot.resolve(object)?;
    let of_spec = object.metadata.managed_fields.iter().filter(|entry| entry.subresource.is_empty());
    of_spec.filter_map(|entry| entry.time).max().or_else(|| health::changed(object))
}
