//! Pods that no node takes: which reason decides.

use super::health;
use super::observe::Observation;
use super::row::rows;
use super::view::{Settled, Subject, View};
use super::{placement, unpicked};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::Source;
use crate::model::kube::{Condition, Container, PodSpec};
use crate::model::quantity::Quantity;
use crate::model::snapshot::Snapshot;
use crate::text;
use serde_json::json;

rows! { "scheduling";
UNSCHEDULABLE_CPU "unschedulable-cpu" Rule:
    "no node has the cpu that a pod requests";
    "The scheduler found no node with enough cpu that is not requested by other pods. A request above the largest \
     node can never fit; a smaller one waits for room.";
    "condition PodScheduled=False, reason Unschedulable, with `Insufficient cpu` for every node.";
    "A request in cores where millicores were meant, a cluster that is full, nodes that are cordoned.";
    "When the request exceeds every node and an earlier revision asked for less and that fits, its request is put \
     back. Otherwise the sizes are shown for a person to choose.".
UNSCHEDULABLE_MEMORY "unschedulable-memory" Rule:
    "no node has the memory that a pod requests";
    "The scheduler found no node with enough memory, or ephemeral storage, that is not requested by other pods.";
    "condition PodScheduled=False, reason Unschedulable, with `Insufficient memory` or `Insufficient \
     ephemeral-storage`.";
    "A request in the wrong unit, a cluster that is full, replicas raised beyond what the nodes hold.";
    "When the request exceeds every node and an earlier revision asked for less and that fits, its request is put \
     back. Otherwise the sizes are shown for a person to choose.".
UNSCHEDULABLE_EXTENDED_RESOURCE "unschedulable-extended-resource" Rule:
    "no node offers the device that a pod requests";
    "The pod asks for an extended resource, such as a GPU, that no node has free or that no node offers at all.";
    "condition PodScheduled=False with `Insufficient R` where R has a slash; status.allocatable of the nodes.";
    "A device plugin that is not installed or not running, a mistyped resource name, all devices in use.";
    "When no node offers the resource and exactly one offered name differs by a typo, the name is set for a person to \
     review. A missing device plugin can't be fixed in Git of the workload.".
UNSCHEDULABLE_PODS "unschedulable-pods" None:
    "every node runs as many pods as it may";
    "A node takes a limited number of pods whatever they request, and all nodes that could take this one are full.";
    "condition PodScheduled=False with `Too many pods`; status.allocatable.pods of the nodes.";
    "Many small pods, finished pods that are not cleaned up, a low maxPods of the kubelet.";
    "Not in the workload's manifest: nodes must be added or pods removed.".
}

/// A new pod waits this long at most for the next try.
pub(crate) const SETTLING: i64 = 60;
/// A cluster autoscaler that asked for a node gets this long.
const SCALE_UP: i64 = 600;

/// What the scheduler says: how many nodes there are, and how many have which reason against them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub nodes: u64,
    pub reasons: Vec<(u64, String)>,
}

/// Reads `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). preemption: ...`.
/// `None` when the reason is one for all nodes, without a number: see [`for_all`].
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

/// The reason that holds for all nodes: what follows the first `: `, up to the odd tail `. not found`.
pub(crate) fn for_all(message: &str) -> &str {
    let rest = message.split_once("nodes are available: ").map_or(message, |(_, rest)| rest);
    rest.split_once(". ").map_or(rest, |(body, _)| body).trim_end_matches('.')
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
pub fn largest_allocatable(snapshot: &Snapshot, resource: &str) -> Option<Quantity> {
    let nodes = snapshot.kind("Node").iter();
    let pointer = format!("/status/allocatable/{}", resource.replace('/', "~1"));
    nodes.filter_map(|node| Quantity::of(node.at(&pointer)?)).max()
}

/// A pod that is not scheduled, with the condition that says so.
#[derive(Clone, Copy)]
pub(crate) struct Unscheduled<'v, 's> {
    pub at: Subject<'v, 's>,
    pub condition: &'s Condition,
}

/// Every judged pod that the scheduler turned down, not while an autoscaler adds a node for it.
pub(crate) fn unscheduled<'v, 's>(view: &'v View<'s>) -> impl Iterator<Item = Unscheduled<'v, 's>> {
    view.subjects().filter_map(|at| {
        let condition = at.pod.condition("PodScheduled")?;
        let turned_down = condition.status == "False" && condition.reason == "Unschedulable";
        (turned_down && !scales_up(at)).then_some(Unscheduled { at, condition })
    })
}

impl Unscheduled<'_, '_> {
    /// A finding of this code; the normalised message is only the reason: counts come and go with the load.
    pub(crate) fn observation(&self, code: &'static CodeInfo, reason: &str) -> Observation {
        let mut seen = Observation::of_workload(code, self.at.workload);
        seen.pod = Some(self.at.pod.metadata.name.clone());
        reason.clone_into(&mut seen.message);
        let turned = self.condition.last_transition_time.0;
        seen.since = turned.or(self.at.pod.metadata.creation_timestamp);
        seen.show(Source::Status, turned, &self.condition.message, None);
        seen.fact("drifted", self.at.workload.drifted);
        seen.fact("revision", self.at.workload.revision.clone());
        seen
    }

    /// The finding once the pod had its time.
    pub(crate) fn settle(&self, seen: Observation) -> Option<Observation> {
        let deployment = self.at.workload.source.filter(|source| source.kind == "Deployment");
        if deployment.is_some_and(health::passed_deadline) {
            return Some(seen);
        }
        seen.settle(self.at.view.settled(self.condition.last_transition_time.0, SETTLING))
    }
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let turned_down = unscheduled(view).filter_map(|pod| resource(&pod).or_else(|| placement::decide(&pod)));
    turned_down.chain(view.subjects().filter_map(unpicked::observe)).collect()
}

/// Resources decide when the request exceeds every node, or when nothing else stands against the nodes
/// that are open to the pod.
fn resource(pod: &Unscheduled<'_, '_>) -> Option<Observation> {
    let verdict = verdict(&pod.condition.message)?;
    let name_of = |text: &str| match text {
        "Too many pods" => Some("pods".to_owned()),
        text => text.strip_prefix("Insufficient ").map(str::to_owned),
    };
    // Nodes that are closed to the pod by intent do not count: taints and selectors.
    let mut open = verdict.reasons.iter().filter(|(_, text)| !placement::is_by_intent(text));
    let only_capacity = open.clone().all(|(_, text)| name_of(text).is_some());
    let never = |name: &str| {
        let total = requested(&pod.at.pod.spec, name);
        largest_allocatable(pod.at.view.snapshot, name).is_some_and(|largest| total > largest)
    };
    let found = open.by_ref().filter_map(|(n, text)| Some((name_of(text)?, *n)));
    let found = found.map(|(name, n)| (!never(&name), std::cmp::Reverse(n), name));
    let (fits, _, name) = found.min()?;
    if fits && !only_capacity {
        return None;
    }
    pod.settle(match name.as_str() {
        "cpu" => lacks(pod, &UNSCHEDULABLE_CPU, &name, "m"),
        "memory" | "ephemeral-storage" => lacks(pod, &UNSCHEDULABLE_MEMORY, &name, "Mi"),
        "pods" => placement::simple(pod, &UNSCHEDULABLE_PODS, "Too many pods"),
        name => device(pod, name),
    })
}

fn lacks(pod: &Unscheduled<'_, '_>, code: &'static CodeInfo, resource: &str, unit: &str) -> Observation {
    let workload = pod.at.workload;
    let mut seen = pod.observation(code, &format!("Insufficient {resource}"));
    let total = requested(&pod.at.pod.spec, resource);
    let largest = largest_allocatable(pod.at.view.snapshot, resource);
    let never_fits = largest.map(|largest| total > largest);
    let asked = total.written_like(unit);
    seen.summary = match (never_fits, largest) {
        (Some(true), Some(largest)) => {
            format!("pods request {asked} {resource}, the largest node has {}", largest.written_like(unit))
        }
        _ => format!("no node has room for the {asked} {resource} that a pod requests"),
    };
    for container in &pod.at.pod.spec.containers {
        if let Some(value) = container.resources.requests.get(resource) {
            let path = workload.spec_path().field("containers").item(&container.name).field("resources");
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text = format!("requests.{resource}: {shown}");
            seen.show(Source::Spec, None, &text, Some(path.field("requests").field(resource)));
        }
    }
    if let Some(largest) = largest {
        let most = largest.written_like(unit);
        seen.show(Source::Status, None, &format!("largest allocatable {resource} of a node: {most}"), None);
    }
    seen.fact("resource", resource);
    seen.fact("neverFits", json!(never_fits));
    seen.fact("requested", asked);
    seen
}

fn device(pod: &Unscheduled<'_, '_>, resource: &str) -> Observation {
    let mut seen = pod.observation(&UNSCHEDULABLE_EXTENDED_RESOURCE, &format!("Insufficient {resource}"));
    let nodes = pod.at.view.snapshot.kind("Node");
    let offers = |name: &str| largest_allocatable(pod.at.view.snapshot, name).is_some_and(|most| most.milli > 0);
    let mut names: Vec<String> = Vec::new();
    for node in nodes {
        let offered: std::collections::BTreeMap<String, serde_json::Value> = node.view("/status/allocatable");
        names.extend(offered.into_keys().filter(|name| name.contains('/')));
    }
    names.sort();
    names.dedup();
    seen.summary = if nodes.is_empty() {
        format!("no node has {resource} free")
    } else if offers(resource) {
        format!("every node's {resource} is in use")
    } else {
        match text::nearest(resource, names.iter().map(String::as_str)) {
            Some(near) => format!("no node offers {resource}; {near} is offered"),
            None => format!("no node offers {resource}"),
        }
    };
    // A typo can be put right in the manifest; a device plugin can't.
    if nodes.is_empty() || offers(resource) || names.is_empty() {
        seen.class = FixClass::None;
    }
    for container in pod.at.pod.spec.containers.iter().filter(|c| c.resources.limits.contains_key(resource)) {
        let path = pod.at.workload.spec_path().field("containers").item(&container.name).field("resources");
        let text = format!("container {} asks for {resource}", container.name);
        seen.show(Source::Spec, None, &text, Some(path.field("limits").field(resource)));
    }
    seen.fact("resource", resource);
    seen.fact("offered", names);
    seen
}

/// The cluster autoscaler is about to add a node.
fn scales_up(subject: Subject<'_, '_>) -> bool {
    subject.view.events(&subject.pod.metadata.uid).iter().any(|event| {
        event.reason == "TriggeredScaleUp" && subject.view.settled(event.last_seen(), SCALE_UP) == Settled::No
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{all, event, finding, pending, roots};
    use super::*;

    #[test]
    fn a_verdict_is_read_without_its_tails() {
        let message = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. \
                       no new claims to deallocate, preemption: 0/3 nodes are available: 3 No preemption.";
        let want = vec![(1, "Insufficient cpu".to_owned()), (2, "node(s) had untolerated taint {a: b}".to_owned())];
        assert_eq!(verdict(message), Some(Verdict { nodes: 3, reasons: want }));
        let unbound = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found";
        assert_eq!(verdict(unbound), None);
        assert_eq!(for_all(unbound), "pod has unbound immediate PersistentVolumeClaims");
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

    #[test]
    fn a_pod_with_a_nominated_node_waits_and_the_one_that_was_preempted_has_one_root() {
        let message = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.";
        let mut strong = pending("strong", json!({}), message);
        assert_eq!(roots(std::slice::from_ref(&strong)), ["unschedulable-host-port Pod/strong"]);
        strong["status"]["nominatedNodeName"] = json!("n");
        assert_eq!(all(&[strong]), ["unschedulable-preemption-pending Pod/strong"]);

        let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "weak", "uid": "ReplicaSet-weak", "controller": true}]);
        let mut weak = pending("weak-1", json!({}), message);
        weak["metadata"]["ownerReferences"] = owner;
        let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "weak"},
            "spec": {"replicas": 1, "template": {"spec": {}}}});
        let gone = event("Pod", "weak-2", "Preempted", "Preempted by pod 91a2b74c on node n");
        let told = finding(&[weak.clone(), set.clone(), gone.clone()], "preempted");
        assert_eq!(told.effects[0].code.name(), "unschedulable-host-port");
        assert_eq!(roots(&[weak.clone(), set.clone(), gone.clone()]), ["preempted ReplicaSet/weak"]);
        // Of two such events one speaks, whichever the server lists first.
        let mut strong = pending("strong", json!({}), "");
        strong["metadata"]["uid"] = json!("91a2b74c");
        let other = event("Pod", "weak-3", "Preempted", "Preempted by something on node n");
        let told = |events: [&serde_json::Value; 2]| {
            let all = [weak.clone(), set.clone(), strong.clone(), events[0].clone(), events[1].clone()];
            finding(&all, "preempted").summary
        };
        assert_eq!(told([&gone, &other]), told([&other, &gone]));
    }

    #[test]
    fn nodes_that_are_closed_by_intent_leave_the_others_to_decide() {
        let spec = json!({"containers": [{"name": "app", "resources": {"requests": {"memory": "3Gi"}}}]});
        let message = "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient memory.";
        assert_eq!(roots(&[pending("web", spec.clone(), message)]), ["unschedulable-memory Pod/web"]);
        let told = finding(&[pending("web", spec, message)], "unschedulable-memory");
        assert_eq!(told.summary, "no node has room for the 3Gi memory that a pod requests");
    }

    #[test]
    fn a_mistyped_device_is_told_apart_from_one_that_is_in_use() {
        let node =
            |name: &str| json!({"kind": "Node", "metadata": {"name": "n"}, "status": {"allocatable": {name: "1"}}});
        let spec = json!({"containers": [{"name": "app", "resources": {"limits": {"nvidia.com/gup": "1"}}}]});
        let pod = pending("web", spec, "0/1 nodes are available: 1 Insufficient nvidia.com/gup.");
        let code = "unschedulable-extended-resource";
        let told = finding(&[pod.clone(), node("nvidia.com/gpu")], code);
        assert_eq!(told.summary, "no node offers nvidia.com/gup; nvidia.com/gpu is offered");
        let told = finding(&[pod, node("nvidia.com/gup")], code);
        assert_eq!((told.summary.as_str(), told.fix.class), ("every node's nvidia.com/gup is in use", FixClass::None));
    }

    #[test]
    fn full_nodes_are_named_by_their_pods() {
        let pod = pending("web", json!({}), "0/1 nodes are available: 1 Too many pods.");
        assert_eq!(roots(&[pod]), ["unschedulable-pods Pod/web"]);
    }
}
