//! Pods that no scheduler or kubelet has picked up.

use super::observe::{Observation, named};
use super::placement::SCHEDULING_GATED;
use super::row::rows;
use super::view::Subject;
use super::volumes;
use crate::model::code::FixClass;
use crate::model::finding::{Confidence, Source};
use crate::text;
use serde_json::Value;
use std::collections::BTreeSet;

rows! { "scheduling";
SCHEDULER_NAME_UNKNOWN "scheduler-name-unknown" Rule:
    "no scheduler has the name that a pod wants";
    "A pod is placed only by the scheduler that its schedulerName names. When none has that name, nothing ever looks \
     at the pod, and no event or condition says so.";
    "phase Pending, no conditions, no node, and a schedulerName other than default-scheduler.";
    "A second scheduler that is not installed or does not run, a mistyped name.";
    "Puts back the name of the last good revision, or, when it differs from default-scheduler by a typo only, sets \
     that for a person to review. A scheduler that is down can't be fixed here.".
NODE_NAME_UNKNOWN "node-name-unknown" Ask:
    "a pod is bound to a node that does not exist";
    "spec.nodeName was set without a scheduler and names no node. The pod garbage collector deletes such a pod soon.";
    "spec.nodeName against the list of nodes; phase Pending without conditions.";
    "A manifest that pins a node that was replaced, a mistyped name.";
    "A person chooses: another node, or a nodeSelector instead of nodeName.".
}

/// A scheduler gets this long to notice a pod.
const SETTLING: i64 = 60;

/// A pod that nobody has judged: gated, without a scheduler, or bound to a node that is not there.
pub(crate) fn observe(subject: Subject<'_, '_>) -> Option<Observation> {
    let pod = subject.pod;
    let gated = pod.condition("PodScheduled").is_some_and(|c| c.status == "False" && c.reason == "SchedulingGated");
    let untouched = pod.status.phase == "Pending" && pod.status.conditions.is_empty();
    let seen = if gated {
        Some(gates(subject))
    } else if untouched && pod.spec.node_name.is_empty() {
        scheduler(subject).or_else(|| volumes::awaited(subject))
    } else if untouched {
        node(subject)
    } else {
        None
    }?;
    // The pod of an unknown node is deleted within a minute and made anew.
    let since = if seen.code.name == NODE_NAME_UNKNOWN.name { bound_since(subject) } else { None };
    seen.settle(subject.view.settled(since.or(pod.metadata.creation_timestamp), SETTLING))
}

/// When the revision was made whose pods are bound to the node of this one.
fn bound_since(subject: Subject<'_, '_>) -> Option<jiff::Timestamp> {
    let (workload, snapshot) = (subject.workload, subject.view.snapshot);
    let set = snapshot.find("ReplicaSet", workload.top.namespace(), &workload.revision);
    let maker = set.or(workload.source)?;
    (maker.pod_spec()?.node_name == subject.pod.spec.node_name).then_some(maker.metadata.creation_timestamp)?
}

fn base(subject: Subject<'_, '_>, code: &'static crate::model::code::CodeInfo) -> Observation {
    let mut seen = Observation::of_workload(code, subject.workload);
    seen.pod = Some(subject.pod.metadata.name.clone());
    seen.since = subject.pod.metadata.creation_timestamp;
    seen.fact("drifted", subject.workload.drifted);
    seen
}

fn gates(subject: Subject<'_, '_>) -> Observation {
    let mut seen = base(subject, &SCHEDULING_GATED);
    let name = |gate: &Value| gate.get("name").and_then(Value::as_str).unwrap_or("without a name").to_owned();
    let names: Vec<String> = subject.pod.spec.scheduling_gates.iter().map(name).collect();
    seen.summary = match names.as_slice() {
        [] => "the pod is held back by a scheduling gate".to_owned(),
        names => format!("the pod is held back by the scheduling gate {}", text::and(names)),
    };
    seen.show(Source::Status, None, "PodScheduled is False: SchedulingGated", None);
    for name in &names {
        let path = subject.workload.spec_path().field("schedulingGates").item(name);
        seen.show(Source::Spec, None, &format!("scheduling gate {name}"), Some(path));
    }
    seen.message = names.join(",");
    seen.fact("gates", names);
    seen
}

fn scheduler(subject: Subject<'_, '_>) -> Option<Observation> {
    const DEFAULT: &str = "default-scheduler";
    let name = subject.pod.spec.scheduler_name.as_str();
    if name.is_empty() || name == DEFAULT {
        return None;
    }
    let mut seen = base(subject, &SCHEDULER_NAME_UNKNOWN);
    name.clone_into(&mut seen.message);
    let pods = subject.view.snapshot.pods.iter();
    let worked = pods.clone().any(|pod| pod.spec.scheduler_name == name && !pod.spec.node_name.is_empty());
    seen.summary = if worked {
        seen.class = FixClass::None;
        format!("scheduler {name} placed other pods and does not look at this one: it may be down")
    } else {
        format!("no scheduler named {name} looks at the pod")
    };
    let path = subject.workload.spec_path().field("schedulerName");
    seen.show(Source::Spec, None, &format!("schedulerName: {name}"), Some(path));
    seen.show(
        Source::Status,
        None,
        &format!("pod {} has no conditions and no events", subject.pod.metadata.name),
        None,
    );
    seen.confidence = Confidence::Strong;
    seen.fact("schedulerName", name);
    seen.fact("worked", worked);
    Some(seen)
}

fn node(subject: Subject<'_, '_>) -> Option<Observation> {
    let (name, snapshot) = (&subject.pod.spec.node_name, subject.view.snapshot);
    let nodes: BTreeSet<&str> = snapshot.kind("Node").iter().map(|node| node.metadata.name.as_str()).collect();
    // Without the list it is not known whether the node is there.
    if nodes.is_empty() || nodes.contains(name.as_str()) {
        return None;
    }
    let mut seen = base(subject, &NODE_NAME_UNKNOWN);
    seen.message.clone_from(name);
    seen.summary = match text::nearest(name, nodes.iter().copied()) {
        Some(near) => format!("the pod is bound to node {name}, which does not exist; {near} does"),
        None => format!("the pod is bound to node {name}, which does not exist"),
    };
    let path = subject.workload.spec_path().field("nodeName");
    seen.show(Source::Spec, None, &format!("nodeName: {name}"), Some(path));
    seen.follows.push(named("Node", "", name));
    seen.fact("nodeName", name.as_str());
    Some(seen)
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
mod tests {
    use super::super::testing::{OLD, finding, of, pending, roots};
    use crate::model::code::FixClass;
    use serde_json::{Value, json};

    fn untouched(spec: Value) -> Value {
        let mut pod = pending("web", spec, "");
        pod["status"] = json!({"phase": "Pending"});
        pod
    }

    #[test]
    fn a_scheduler_that_placed_others_is_down_and_no_typo() {
        let pod = untouched(json!({"schedulerName": "volcano"}));
        assert_eq!(finding(std::slice::from_ref(&pod), "scheduler-name-unknown").fix.class, FixClass::Rule);
        let other = json!({"kind": "Pod", "metadata": {"name": "b"}, "status": {"phase": "Succeeded"},
            "spec": {"schedulerName": "volcano", "nodeName": "n"}});
        assert_eq!(finding(&[pod, other], "scheduler-name-unknown").fix.class, FixClass::None);
    }

    #[test]
    fn a_node_is_unknown_only_when_nodes_were_listed() {
        let node = json!({"kind": "Node", "metadata": {"name": "lab-1"}});
        let pod = untouched(json!({"nodeName": "lab-2"}));
        assert_eq!(roots(&[pod.clone(), node.clone()]), ["node-name-unknown Pod/web"]);
        assert_eq!(roots(&[pod]), ["not-ready Pod/web"]);
        let there = untouched(json!({"nodeName": "lab-1"}));
        assert_eq!(roots(&[there, node]), ["not-ready Pod/web"]);
    }

    #[test]
    fn a_pod_that_is_deleted_and_made_anew_is_as_old_as_its_revision() {
        let spec = json!({"nodeName": "lab-2", "containers": []});
        let owner = |kind: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": "web", "uid": format!("{kind}-web"), "controller": true}]);
        let mut pod = untouched(spec.clone());
        pod["metadata"]["creationTimestamp"] = json!("2026-11-22T16:59:50Z");
        pod["metadata"]["ownerReferences"] = owner("ReplicaSet");
        let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web", "creationTimestamp": OLD},
            "spec": {"replicas": 1, "template": {"spec": spec}}});
        let node = json!({"kind": "Node", "metadata": {"name": "lab-1"}});
        assert_eq!(roots(&[pod.clone(), set, node.clone()]), ["node-name-unknown ReplicaSet/web"]);
        assert!(roots(&[pod, node]).is_empty(), "a moment ago");
    }

    #[test]
    fn a_pod_of_a_minute_ago_may_still_be_picked_up() {
        let mut snapshot = of(&[untouched(json!({"schedulerName": "volcano"}))]);
        snapshot.taken_at = "2026-11-22T16:00:30Z".parse().ok();
        assert!(super::super::diagnose(&snapshot).findings.is_empty());
    }
}
