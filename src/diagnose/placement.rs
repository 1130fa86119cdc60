//! Pods that no node takes: where they may and may not go.

use super::observe::{Observation, named};
use super::row::rows;
use super::scheduling::{Unscheduled, for_all, verdict};
use super::volumes;
use crate::model::code::CodeInfo;
use crate::model::finding::Source;
use crate::model::kube::{Object, Pod};
use crate::text;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

rows! { "scheduling";
UNSCHEDULABLE_NODE_SELECTOR "unschedulable-node-selector" Rule:
    "no node has the labels that a pod's nodeSelector wants";
    "The pod may only run on nodes with all labels of its nodeSelector, and no node that is open to it has them.";
    "condition PodScheduled=False with `didn't match Pod's node affinity/selector`; spec.nodeSelector against the \
     labels of the nodes.";
    "A mistyped label, a node pool that was renamed or removed, a manifest from another cluster.";
    "When one pair is wrong and exactly one existing value of that key differs by a typo, it is set for a person to \
     review; or the pair of the last good revision is put back. Otherwise the values that nodes have are listed.".
UNSCHEDULABLE_AFFINITY "unschedulable-affinity" Rule:
    "no node satisfies the node affinity that a pod requires";
    "requiredDuringSchedulingIgnoredDuringExecution has terms that no node satisfies.";
    "condition PodScheduled=False with `didn't match Pod's node affinity/selector` and no nodeSelector to blame.";
    "An architecture or zone that the cluster does not have, a mistyped label key or value.";
    "Puts back the affinity of the last good revision when only that changed. Otherwise a person chooses.".
UNSCHEDULABLE_TAINT "unschedulable-taint" Rule:
    "the nodes that could take a pod have taints that it does not tolerate";
    "A taint keeps pods away from a node unless they tolerate it. Newer releases do not print which taint: it is read \
     from the nodes.";
    "condition PodScheduled=False with `had untolerated taint`; spec.taints of the nodes.";
    "A toleration that is missing or mistyped, a pool that is meant for others, a node that is not healthy \
     (node.kubernetes.io/...).";
    "Puts back the tolerations of the last good revision. Adding a toleration is a choice that a person makes.".
UNSCHEDULABLE_CORDONED "unschedulable-cordoned" None:
    "the nodes that could take a pod are cordoned";
    "A cordoned node takes no new pods. It is done on purpose, for maintenance, and sometimes forgotten.";
    "condition PodScheduled=False with `were unschedulable`; spec.unschedulable of the nodes.";
    "A drain that is going on or was never finished.";
    "Not in Git: uncordon the node (`kubectl uncordon`) or add one.".
UNSCHEDULABLE_ANTI_AFFINITY "unschedulable-anti-affinity" Ask:
    "a pod may not run beside the pods that are already there";
    "Required anti-affinity allows one such pod per topology domain, and every domain has one.";
    "condition PodScheduled=False with `didn't match pod anti-affinity rules` or `existing pods anti-affinity rules`.";
    "More replicas than nodes or zones, a rollout that needs one place more.";
    "A person chooses: preferred instead of required, or fewer replicas. In a rollout see rollout-surge-blocked.".
UNSCHEDULABLE_POD_AFFINITY "unschedulable-pod-affinity" Rule:
    "a pod must run beside a pod that is not there";
    "Required pod affinity names labels that no pod has in any topology domain that is open to it.";
    "condition PodScheduled=False with `didn't match pod affinity rules`; labels of the pods in the namespace.";
    "A mistyped label, a peer that is not deployed or itself waits.";
    "When one label differs by a typo from that of an existing pod, it is set for a person to review. Otherwise a \
     person chooses.".
UNSCHEDULABLE_TOPOLOGY_SPREAD "unschedulable-topology-spread" Rule:
    "a pod can't be placed without breaking its topology spread";
    "A constraint with DoNotSchedule allows only so much difference between domains; a node without the topology \
     label belongs to none.";
    "condition PodScheduled=False with `didn't match pod topology spread constraints`, `missing required label`.";
    "A topology key that no node has, a domain that is full, too few domains.";
    "Puts back the constraint of the last good revision. Otherwise a person chooses, such as ScheduleAnyway.".
UNSCHEDULABLE_HOST_PORT "unschedulable-host-port" Ask:
    "the port of the node that a pod wants is taken on every node";
    "A hostPort can be used by one pod per node, and a pod on each node holds it.";
    "condition PodScheduled=False with `didn't have free ports for the requested pod ports`.";
    "More replicas than nodes, another workload on the same port, an old pod during a rollout.";
    "A person chooses: drop hostPort when a Service serves it, or fewer replicas. In a rollout see \
     rollout-surge-blocked.".
PVC_MISSING "pvc-missing" Rule:
    "a pod mounts a PersistentVolumeClaim that does not exist";
    "The scheduler does not place a pod whose claim is not there or is being deleted.";
    "condition PodScheduled=False with `persistentvolumeclaim \"N\" not found`.";
    "A mistyped name, a claim that was not applied, a claim that was deleted.";
    "When exactly one claim of the namespace differs by a typo, is used by no other pod and fits the mount, it is set \
     for a person to review; or the name of the last good revision is put back. Otherwise the claims are listed.".
UNSCHEDULABLE_PVC_UNBOUND "unschedulable-pvc-unbound" None:
    "a pod waits for a claim that has no volume yet";
    "A claim whose class binds at once must be bound before the pod is placed. What keeps the claim pending is the \
     cause.";
    "condition PodScheduled=False with `pod has unbound immediate PersistentVolumeClaims`.";
    "A storage class that does not exist, a provisioner that does not run, no volume that fits.";
    "An effect: what keeps the claim from being bound is what to fix.".
UNSCHEDULABLE_CLAIMS "unschedulable-claims" Ask:
    "the devices that a pod claims can't be allocated";
    "The pod has resource claims (dynamic resource allocation) that do not exist or that no node can satisfy.";
    "condition PodScheduled=False with `cannot allocate all claims` or a resourceclaim that is not found.";
    "A claim template that is missing, a driver that is not installed, all devices in use.";
    "A person chooses: the claim, its class, or another node pool; `kubectl describe resourceclaim` tells what \
     no node has.".
SCHEDULING_GATED "scheduling-gated" None:
    "a pod is held back by a scheduling gate";
    "The scheduler does not look at a pod while spec.schedulingGates is not empty. The controller of the gate removes \
     it. There is no event.";
    "condition PodScheduled=False, reason SchedulingGated.";
    "A queueing controller that has not admitted the pod, or that does not run.";
    "Not in Git of the workload: see the controller that the gate is named after.".
UNSCHEDULABLE_PREEMPTION_PENDING "unschedulable-preemption-pending" None:
    "a pod waits for others to make room for it";
    "The scheduler has chosen a node and evicts pods of lower priority there. This takes as long as they take to end.";
    "condition PodScheduled=False and status.nominatedNodeName is set.";
    "Pods with a long grace period on the nominated node.";
    "Nothing to change: it resolves itself.".
}

/// Closed to the pod on purpose: what is left of the nodes decides.
pub(crate) fn is_by_intent(reason: &str) -> bool {
    reason.contains("untolerated taint") || reason.contains("node affinity/selector")
}

type Look = fn(&Unscheduled<'_, '_>, &str) -> Observation;

/// Texts of the scheduler, the most telling first: where several stand against different nodes the
/// first of these decides. Nodes closed by intent come last.
const REASONS: [(&str, Look); 16] = [
    ("didn't match PersistentVolume's node affinity", volumes::affinity),
    ("had volume node affinity conflict", volumes::affinity),
    ("had no available volume zone", volumes::zone),
    ("ReadWriteOncePod access mode already in-use", volumes::single_writer),
    ("exceed max volume count", volumes::limit),
    ("didn't find available persistent volumes to bind", volumes::bind),
    ("did not have enough free storage", volumes::bind),
    ("didn't have free ports", |pod, reason| contended(pod, &UNSCHEDULABLE_HOST_PORT, reason)),
    ("didn't match pod anti-affinity rules", |pod, reason| contended(pod, &UNSCHEDULABLE_ANTI_AFFINITY, reason)),
    ("didn't satisfy existing pods anti-affinity", |pod, reason| contended(pod, &UNSCHEDULABLE_ANTI_AFFINITY, reason)),
    ("didn't match pod affinity rules", pod_affinity),
    ("didn't match pod topology spread constraints", topology_spread),
    ("cannot allocate all claims", |pod, reason| simple(pod, &UNSCHEDULABLE_CLAIMS, reason)),
    ("were unschedulable", cordoned),
    ("node affinity/selector", selector),
    ("untolerated taint", taint),
];

/// Which of the scheduler's reasons decides, other than resources that stand against all nodes.
pub(crate) fn decide(pod: &Unscheduled<'_, '_>) -> Option<Observation> {
    let message = pod.condition.message.as_str();
    // The message still tells why it did not fit before.
    let nominated = pod.at.pod.status.nominated_node_name.as_str();
    if !nominated.is_empty() {
        let mut seen = simple(pod, &UNSCHEDULABLE_PREEMPTION_PENDING, "waiting for the preemption");
        seen.summary = format!("the pod waits for others to make room on node {nominated}");
        seen.severity = Some(crate::model::finding::Severity::Info);
        return Some(seen);
    }
    let Some(verdict) = verdict(message) else { return volumes::for_all_nodes(pod, for_all(message)) };
    let find = |text: &str| verdict.reasons.iter().find(|(_, reason)| reason.contains(text)).map(|(n, r)| (*n, r));
    if let (Some((mismatched, _)), Some((tainted, reason))) =
        (find("node affinity/selector"), find("untolerated taint"))
        && mismatched + tainted >= verdict.nodes
    {
        // A tainted node was not asked for its labels: the taint decides where one of them matches.
        let matching = matching_nodes(pod);
        let any_tainted = matching.iter().any(|node| !untolerated(pod.at.pod, node).is_empty());
        let known = !pod.at.view.snapshot.kind("Node").is_empty();
        if if known { any_tainted } else { tainted >= mismatched } {
            return pod.settle(taint(pod, reason));
        }
    }
    let (look, reason) = REASONS.iter().find_map(|(text, look)| Some((look, find(text)?.1)))?;
    pod.settle(look(pod, reason))
}

/// A reason that needs no more than its text.
pub(crate) fn simple(pod: &Unscheduled<'_, '_>, code: &'static CodeInfo, reason: &str) -> Observation {
    let mut seen = pod.observation(code, reason);
    seen.summary = format!("no node takes the pod: {}", reason.trim_start_matches("node(s) "));
    seen
}

/// What another pod holds: one of the same workload's earlier revision makes it a blocked rollout.
pub(crate) fn contended(pod: &Unscheduled<'_, '_>, code: &'static CodeInfo, reason: &str) -> Observation {
    let workload = pod.at.workload;
    let old_serves = workload.pods.iter().any(|other| {
        other.is_ready() && !workload.current.iter().any(|current| current.metadata.uid == other.metadata.uid)
    });
    let is_deployment = workload.source.is_some_and(|source| source.kind == "Deployment");
    if old_serves && is_deployment {
        return super::rollout::surge_blocked(pod, code, reason);
    }
    let mut seen = simple(pod, code, reason);
    let ports: BTreeSet<i64> = pod
        .at
        .pod
        .spec
        .containers
        .iter()
        .flat_map(|c| &c.ports)
        .map(|port| port.host_port)
        .filter(|p| *p > 0)
        .collect();
    let nodes = pod.at.view.snapshot.kind("Node").len();
    seen.summary = match code.name {
        "unschedulable-host-port" => {
            let ports: Vec<i64> = ports.iter().copied().collect();
            format!("port {} of every node is taken", text::and(&ports))
        }
        _ if nodes > 0 => format!(
            "{} may not share a node, and there {}",
            text::count(workload.counts.desired, "pod"),
            if nodes == 1 { "is 1 node".to_owned() } else { format!("are {nodes} nodes") }
        ),
        _ => format!("the {} may not share a node with each other", text::count(workload.counts.desired, "pod")),
    };
    let field = if code.name == "unschedulable-host-port" { "containers" } else { "affinity" };
    seen.show(Source::Spec, None, reason, Some(workload.spec_path().field(field)));
    seen.fact("hostPorts", ports.into_iter().collect::<Vec<_>>());
    seen.fact("replicas", workload.counts.desired);
    seen
}

/// Nodes whose labels satisfy the pod's nodeSelector.
fn matching_nodes<'s>(pod: &Unscheduled<'_, 's>) -> Vec<&'s Object> {
    let wanted = &pod.at.pod.spec.node_selector;
    let matches = |node: &&Object| wanted.iter().all(|(key, value)| node.metadata.labels.get(key) == Some(value));
    pod.at.view.snapshot.kind("Node").iter().filter(matches).collect()
}

fn selector(pod: &Unscheduled<'_, '_>, reason: &str) -> Observation {
    let (spec, nodes) = (&pod.at.pod.spec, pod.at.view.snapshot.kind("Node"));
    let missing: Vec<(&String, &String)> = spec
        .node_selector
        .iter()
        .filter(|(key, value)| !nodes.iter().any(|node| node.metadata.labels.get(*key) == Some(value)))
        .collect();
    if spec.node_selector.is_empty() || (missing.is_empty() && !spec.affinity.is_null()) {
        return affinity(pod, reason);
    }
    let mut seen = simple(pod, &UNSCHEDULABLE_NODE_SELECTOR, reason);
    let pairs: Vec<String> = spec.node_selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    seen.summary = format!("no node has the label {}", text::and(&pairs));
    let mut existing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (key, value) in &missing {
        let values: BTreeSet<&str> =
            nodes.iter().filter_map(|node| node.metadata.labels.get(*key)).map(String::as_str).collect();
        if let (Some(near), 1) = (text::nearest(value, values.iter().copied()), missing.len()) {
            seen.summary = format!("no node has the label {key}={value}; {key}={near} exists");
        }
        existing.insert(key.as_str(), values);
    }
    for (key, value) in &spec.node_selector {
        let path = pod.at.workload.spec_path().field("nodeSelector").field(key);
        seen.show(Source::Spec, None, &format!("nodeSelector {key}: {value}"), Some(path));
    }
    seen.fact("missing", missing.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>());
    seen.fact("existing", serde_json::json!(existing));
    seen
}

fn affinity(pod: &Unscheduled<'_, '_>, reason: &str) -> Observation {
    let mut seen = simple(pod, &UNSCHEDULABLE_AFFINITY, reason);
    let pointer = "/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let terms = pod.at.pod.spec.affinity.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let expressions = terms.iter().filter_map(|term| term.get("matchExpressions")?.as_array()).flatten();
    let shown: Vec<String> = expressions
        .map(|one| {
            let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
            let values: Vec<&str> =
                one.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            format!("{} {} [{}]", text("key"), text("operator"), values.join(", ")).replace(" []", "")
        })
        .collect();
    if !shown.is_empty() {
        seen.summary = format!("no node satisfies the affinity {}", text::and(&shown));
    }
    let path = pod.at.workload.spec_path().field("affinity").field("nodeAffinity");
    for expression in &shown {
        seen.show(Source::Spec, None, expression, Some(path.clone()));
    }
    seen
}

/// Taints of a node that keep the pod away: `key=value:Effect`.
pub(crate) fn untolerated(pod: &Pod, node: &Object) -> Vec<String> {
    let taints: Vec<Value> = node.view("/spec/taints");
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let tolerates = |taint: &Value| {
        pod.spec.tolerations.iter().any(|toleration| {
            let key = text(toleration, "key");
            let effect = text(toleration, "effect");
            (key.is_empty() || key == text(taint, "key"))
                && (effect.is_empty() || effect == text(taint, "effect"))
                && (text(toleration, "operator") == "Exists" || text(toleration, "value") == text(taint, "value"))
        })
    };
    let keeps = taints.iter().filter(|taint| text(taint, "effect") != "PreferNoSchedule" && !tolerates(taint));
    keeps
        .map(|taint| {
            let value = text(taint, "value");
            let equals = if value.is_empty() { String::new() } else { format!("={value}") };
            format!("{}{equals}:{}", text(taint, "key"), text(taint, "effect"))
        })
        .collect()
}

fn taint(pod: &Unscheduled<'_, '_>, _reason: &str) -> Observation {
    let mut seen = simple(pod, &UNSCHEDULABLE_TAINT, "node(s) had untolerated taint");
    let mut all: BTreeSet<String> = BTreeSet::new();
    let matching = matching_nodes(pod);
    for node in &matching {
        let kept = untolerated(pod.at.pod, node);
        for taint in &kept {
            seen.show(Source::Spec, None, &format!("node {} has the taint {taint}", node.metadata.name), None);
        }
        // A taint that the node's own state brings is an effect of that state.
        if kept.iter().any(|taint| taint.starts_with("node.kubernetes.io/")) {
            seen.follows.push(named("Node", "", &node.metadata.name));
        }
        all.extend(kept);
    }
    let taints: Vec<String> = all.into_iter().collect();
    seen.summary = if taints.is_empty() {
        "the nodes have taints that the pod does not tolerate".to_owned()
    } else {
        format!("the pod does not tolerate {}", text::and(&taints))
    };
    seen.fact("taints", taints);
    seen
}

fn cordoned(pod: &Unscheduled<'_, '_>, reason: &str) -> Observation {
    let mut seen = simple(pod, &UNSCHEDULABLE_CORDONED, "node(s) were unschedulable");
    let is_cordoned = |node: &&Object| node.at("/spec/unschedulable").and_then(Value::as_bool) == Some(true);
    let nodes: Vec<&str> =
        pod.at.view.snapshot.kind("Node").iter().filter(is_cordoned).map(|n| n.metadata.name.as_str()).collect();
    seen.follows = nodes.iter().map(|name| named("Node", "", name)).collect();
    seen.summary = if nodes.is_empty() {
        format!("no node takes the pod: {}", reason.trim_start_matches("node(s) "))
    } else {
        format!("cordoned: {}", text::and(&nodes))
    };
    seen
}

fn pod_affinity(pod: &Unscheduled<'_, '_>, reason: &str) -> Observation {
    let mut seen = simple(pod, &UNSCHEDULABLE_POD_AFFINITY, reason);
    let pointer = "/podAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    let terms = pod.at.pod.spec.affinity.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let labels: Vec<(String, String)> = terms
        .iter()
        .filter_map(|term| term.pointer("/labelSelector/matchLabels")?.as_object())
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let namespace = &pod.at.pod.metadata.namespace;
    let here = || pod.at.view.snapshot.pods.iter().filter(|other| other.metadata.namespace == *namespace);
    for (key, value) in &labels {
        if here().any(|other| other.metadata.labels.get(key) == Some(value)) {
            continue;
        }
        let values: BTreeSet<&str> = here().filter_map(|o| o.metadata.labels.get(key)).map(String::as_str).collect();
        seen.summary = match text::nearest(value, values) {
            Some(near) => format!("no pod has the label {key}={value}; {key}={near} exists"),
            None => format!("no pod has the label {key}={value}"),
        };
        let path = pod.at.workload.spec_path().field("affinity").field("podAffinity");
        seen.show(Source::Spec, None, &format!("pod affinity to {key}={value}"), Some(path));
    }
    seen.fact("labels", labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>());
    seen
}

fn topology_spread(pod: &Unscheduled<'_, '_>, reason: &str) -> Observation {
    let mut seen = simple(pod, &UNSCHEDULABLE_TOPOLOGY_SPREAD, reason);
    let keys: Vec<&str> = pod
        .at
        .pod
        .spec
        .topology_spread_constraints
        .iter()
        .filter(|one| one.get("whenUnsatisfiable").and_then(Value::as_str) != Some("ScheduleAnyway"))
        .filter_map(|one| one.get("topologyKey")?.as_str())
        .collect();
    let path = pod.at.workload.spec_path().field("topologySpreadConstraints");
    for key in &keys {
        seen.show(Source::Spec, None, &format!("topologyKey: {key}"), Some(path.clone()));
    }
    let shown = text::and(&keys);
    seen.summary = if reason.contains("missing required label") {
        format!("no node that is open to the pod has the label {shown}, over which it must be spread")
    } else {
        format!("the pod can't be placed without breaking its spread over {shown}")
    };
    seen.fact("topologyKeys", keys);
    seen
}
