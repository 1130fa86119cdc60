//! Pods that no node takes.

use super::observe::Observation;
use super::view::{Settled, Subject, View};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::Source;
use crate::model::kube::{Container, PodSpec};
use crate::model::quantity::Quantity;
use serde_json::json;

pub(crate) static UNSCHEDULABLE_CPU: CodeInfo = CodeInfo {
    name: "unschedulable-cpu",
    family: "scheduling",
    title: "no node has the cpu that a pod requests",
    meaning: "The scheduler found no node with enough cpu that is not requested by other pods. A request above the \
              largest node can never fit; a smaller one waits for room.",
    signals: "condition PodScheduled=False, reason Unschedulable, with `Insufficient cpu` for every node.",
    causes: "A request in cores where millicores were meant, a cluster that is full, nodes that are cordoned.",
    class: FixClass::Rule,
    fix: "When the request exceeds every node and an earlier revision asked for less and that fits, its request is put \
          back. Otherwise the sizes are shown for a person to choose.",
};

/// Rows of this family.
pub(crate) const CODES: &[&CodeInfo] = &[&UNSCHEDULABLE_CPU];

/// A new pod waits this long at most for the next try.
const SETTLING: i64 = 60;
/// A cluster autoscaler that asked for a node gets this long.
const SCALE_UP: i64 = 600;

/// What the scheduler says: how many nodes there are, and how many have which reason against them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub nodes: u64,
    pub reasons: Vec<(u64, String)>,
}

/// Reads `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). preemption: ...`.
/// `None` when the reason is one for all nodes, without a number.
pub(crate) fn verdict(message: &str) -> Option<Verdict> {
    let (head, rest) = message.split_once(": ")?;
    let nodes = head.strip_prefix("0/")?.split_whitespace().next()?.parse().ok()?;
    let body = rest.split_once(". ").map_or(rest, |(body, _)| body).trim_end_matches('.');
    let mut reasons: Vec<(u64, String)> = Vec::new();
    for part in body.split(", ") {
        match part.split_once(' ').and_then(|(n, text)| Some((n.parse().ok()?, text))) {
            Some((n, text)) => reasons.push((n, text.to_owned())),
            // A comma inside a reason: `untolerated taint {a: b}, ...`.
            None => {
                let (_, last) = reasons.last_mut()?;
                last.push_str(", ");
                last.push_str(part);
            }
        }
    }
    Some(Verdict { nodes, reasons })
}

/// The sum that the scheduler asks for: all containers and sidecars, or the largest init container.
/// Source: <https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers>.
pub fn requested(spec: &PodSpec, resource: &str) -> Quantity {
    let of = |container: &Container| {
        let resources = &container.resources;
        // A limit without a request is the request too.
        let value = resources.requests.get(resource).or_else(|| resources.limits.get(resource));
        value.and_then(Quantity::of).map_or(0, |quantity| quantity.milli)
    };
    let mains: i128 = spec.containers.iter().map(of).sum();
    let sidecars: i128 = spec.init_containers.iter().filter(|c| c.restart_policy == "Always").map(of).sum();
    let init = spec.init_containers.iter().filter(|c| c.restart_policy != "Always").map(of).max().unwrap_or(0);
    Quantity { milli: (mains + sidecars).max(init + sidecars) }
}

/// The most that one node offers of a resource to all its pods; `None` when no node was seen.
pub fn largest_allocatable(snapshot: &crate::model::snapshot::Snapshot, resource: &str) -> Option<Quantity> {
    let nodes = snapshot.kind("Node").iter();
    nodes.filter_map(|node| Quantity::of(node.at(&format!("/status/allocatable/{resource}"))?)).max()
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    view.subjects().filter_map(cpu).collect()
}

fn cpu(subject: Subject<'_, '_>) -> Option<Observation> {
    let Subject { view, workload, pod } = subject;
    let scheduled = pod.condition("PodScheduled").filter(|c| c.status == "False" && c.reason == "Unschedulable")?;
    let verdict = verdict(&scheduled.message)?;
    let lacking: u64 = verdict.reasons.iter().filter(|(_, text)| text == "Insufficient cpu").map(|(n, _)| n).sum();
    let total = requested(&pod.spec, "cpu");
    let largest = largest_allocatable(view.snapshot, "cpu");
    let never_fits = largest.map(|largest| total > largest);
    // Several reasons are several groups of nodes: cpu decides when it stands against all of them.
    if lacking == 0 || (lacking < verdict.nodes && never_fits != Some(true)) || scales_up(subject) {
        return None;
    }
    let mut seen = Observation::of_workload(&UNSCHEDULABLE_CPU, workload);
    seen.pod = Some(pod.metadata.name.clone());
    // Other reasons come and go with the load of the nodes; the finding stays one.
    seen.message = "Insufficient cpu".to_owned();
    seen.since = scheduled.last_transition_time.0.or(pod.metadata.creation_timestamp);
    let asked = total.written_like("m");
    seen.summary = match (never_fits, largest) {
        (Some(true), Some(largest)) => {
            format!("pods request {asked} cpu, the largest node has {}", largest.written_like("m"))
        }
        _ => format!("no node has room for the {asked} cpu that a pod requests"),
    };
    seen.show(Source::Status, scheduled.last_transition_time.0, &scheduled.message, None);
    for container in &pod.spec.containers {
        if let Some(value) = container.resources.requests.get("cpu") {
            let path = workload.spec_path().field("containers").item(&container.name).field("resources");
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            seen.show(Source::Spec, None, &format!("requests.cpu: {shown}"), Some(path.field("requests").field("cpu")));
        }
    }
    if let Some(largest) = largest {
        let most = largest.written_like("m");
        seen.show(Source::Status, None, &format!("largest allocatable cpu of a node: {most}"), None);
    }
    seen.facts = json!({"neverFits": never_fits, "requested": asked, "drifted": workload.drifted});
    seen.settle(view.settled(scheduled.last_transition_time.0, SETTLING))
}

/// The cluster autoscaler is about to add a node.
fn scales_up(subject: Subject<'_, '_>) -> bool {
    subject.view.events(&subject.pod.metadata.uid).iter().any(|event| {
        event.reason == "TriggeredScaleUp" && subject.view.settled(event.last_seen(), SCALE_UP) == Settled::No
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_read_without_its_tails() {
        let message = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. \
                       no new claims to deallocate, preemption: 0/3 nodes are available: 3 No preemption.";
        let want = vec![(1, "Insufficient cpu".to_owned()), (2, "node(s) had untolerated taint {a: b}".to_owned())];
        assert_eq!(verdict(message), Some(Verdict { nodes: 3, reasons: want }));
        assert_eq!(
            verdict("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"),
            None
        );
    }

    #[test]
    fn sidecars_add_up_and_init_containers_do_not() {
        let spec: PodSpec = serde_json::from_value(json!({
            "initContainers": [
                {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}},
                {"name": "i", "resources": {"requests": {"cpu": 2}}}],
            "containers": [{"name": "a", "resources": {"limits": {"cpu": "500m"}}}]
        }))
        .unwrap();
        assert_eq!(requested(&spec, "cpu").milli, 2100);
    }
}
