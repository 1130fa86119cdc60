//! What the second wave of requests should fetch.

use super::crash;
use super::health::{self, Health};
use super::view::{Running, Settled, View};
use crate::model::snapshot::{LogNeed, Needs, Snapshot};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Containers whose logs are read at most.
const LOGS: usize = 20;

/// What observed failures point to: nodes for pods without one and for memory kills, quotas and limit ranges
/// for memory kills and refused pods, logs of containers that end or that are never ready.
pub fn needs(snapshot: &Snapshot) -> Needs {
    let view = View::new(snapshot);
    let mut kinds = BTreeSet::new();
    for subject in view.subjects() {
        if subject.pod.spec.node_name.is_empty() && subject.pod.status.phase != "Failed" && !subject.pod.is_ready() {
            kinds.insert("nodes");
        }
    }
    let containers: Vec<Running<'_, '_>> = view.subjects().flat_map(super::view::Subject::containers).collect();
    if containers.iter().any(|c| c.last_exit().is_some_and(|end| end.reason == "OOMKilled" && end.exit_code != 0)) {
        kinds.extend(["limitranges", "nodes", "resourcequotas"]);
    }
    let refuses_pods = |w: &super::view::Workload<'_>| {
        let conditions = w.source.map(crate::model::kube::Object::conditions).unwrap_or_default();
        conditions.iter().any(|c| c.kind == "ReplicaFailure" && c.status == "True")
            || (w.health == Health::Failing && w.pods.len() < w.counts.desired)
    };
    if view.workloads.iter().any(refuses_pods) {
        kinds.extend(["limitranges", "resourcequotas"]);
    }
    Needs { kinds: kinds.into_iter().collect(), logs: logs(&containers) }
}

/// One container of each workload, that of the pod which restarted most; worst first.
fn logs(containers: &[Running<'_, '_>]) -> Vec<LogNeed> {
    let mut worst: BTreeMap<(&str, &str), &Running<'_, '_>> = BTreeMap::new();
    for container in containers.iter().filter(|container| tells_something(container)) {
        let place = (container.at.workload.key.as_str(), container.status.name.as_str());
        let held = worst.entry(place).or_insert(container);
        if order(container) < order(held) {
            *held = container;
        }
    }
    let mut all: Vec<_> = worst.into_values().collect();
    all.sort_by_key(|container| order(container));
    all.into_iter()
        .take(LOGS)
        .map(|container| LogNeed {
            namespace: container.at.pod.metadata.namespace.clone(),
            pod: container.at.pod.metadata.name.clone(),
            container: container.status.name.clone(),
            previous: container.status.restart_count > 0,
        })
        .collect()
}

fn order<'c>(container: &Running<'_, 'c>) -> (bool, Reverse<i64>, &'c str, &'c str, &'c str) {
    let meta = &container.at.pod.metadata;
    let name = container.status.name.as_str();
    (container.status.ready, Reverse(container.status.restart_count), &meta.namespace, &meta.name, name)
}

fn tells_something(container: &Running<'_, '_>) -> bool {
    // A container that never ran has no log.
    if container.last_exit().is_some_and(|end| end.reason == "StartError") {
        return false;
    }
    let pod_is_late = || health::settled(container.at.view, container.at.pod) != Settled::No;
    let runs_unready = container.status.state.running.is_some() && !container.status.ready && pod_is_late();
    crash::is_crashing(container)
        || container.last_exit().is_some_and(|end| end.exit_code != 0 && !container.status.ready)
        || runs_unready
}
