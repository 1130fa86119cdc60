//! Nodes that can't run pods.

use super::observe::{Explains, Observation};
use super::row::rows;
use super::scheduling::unscheduled;
use super::view::{Settled, View};
use crate::model::code::CodeInfo;
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Condition, Object};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::text;
use serde_json::Value;

rows! { "node";
NODE_NOT_READY "node-not-ready" None:
    "a node says that it is not ready";
    "The kubelet runs and reports that it can't run pods: the network, the container runtime or the pod lifecycle \
     does not work.";
    "node condition Ready=False, reason KubeletNotReady, and its message.";
    "A network plugin that is not set up, a container runtime that is down or stuck.";
    "Ask who runs the node to repair or replace it: `kubectl describe node NAME` has what the kubelet says.".
NODE_LOST "node-lost" None:
    "a node no longer reports";
    "The kubelet has not posted its status. Pods there count as not ready, and after five minutes they are deleted, \
     which nobody there completes.";
    "node condition Ready=Unknown, reason NodeStatusUnknown or NodeStatusNeverUpdated; taint \
     node.kubernetes.io/unreachable.";
    "A machine that is off or cut off, a kubelet that stopped.";
    "Not in Git of a workload: bring the node back, or delete its Node object when it is gone for good.".
NODE_MEMORY_PRESSURE "node-memory-pressure" None:
    "a node is short of memory";
    "The kubelet evicts pods, those that use more than they request first, and takes no pods without requests.";
    "node condition MemoryPressure=True; taint node.kubernetes.io/memory-pressure.";
    "Pods without memory requests, requests far below use, a leak.";
    "Not by rule: requests that match the use keep it from happening again.".
NODE_DISK_PRESSURE "node-disk-pressure" None:
    "a node is short of disk space";
    "The kubelet removes images and evicts pods until space is free.";
    "node condition DiskPressure=True; taint node.kubernetes.io/disk-pressure.";
    "Logs and temporary files of pods, many large images, a small disk.";
    "Ask who runs the node to free or add disk space: `kubectl describe node NAME` shows what it holds.".
NODE_PID_PRESSURE "node-pid-pressure" None:
    "a node is short of process ids";
    "The kubelet evicts pods until processes can be started again.";
    "node condition PIDPressure=True; taint node.kubernetes.io/pid-pressure.";
    "A program that starts processes and does not wait for them.";
    "Find what starts the processes: `kubectl top pods -A` and the node itself tell it.".
NODE_NETWORK_UNAVAILABLE "node-network-unavailable" None:
    "a node's network is not set up";
    "The network plugin or the cloud's route controller has not set the node up, so its pods get no network.";
    "node condition NetworkUnavailable=True.";
    "A network plugin that does not run there, a route quota of the provider.";
    "Ask who runs the node to repair its network: `kubectl describe node NAME` has what its plugin says.".
NODE_CORDONED "node-cordoned" None:
    "a node is cordoned while pods wait for one";
    "A cordoned node takes no new pods. It is done on purpose, and sometimes forgotten.";
    "spec.unschedulable of the node, and pods that the scheduler turns down for it.";
    "A drain that is going on or was never finished.";
    "Not in Git: `kubectl uncordon` the node when its maintenance is over.".
NODE_TAINTED "node-tainted" None:
    "a node has a taint that keeps waiting pods away";
    "A taint reserves a node for pods that tolerate it. It is usually meant.";
    "spec.taints of the node, and pods that the scheduler turns down for it.";
    "A pool of nodes that is kept for certain workloads, a node that is being set up.";
    "By intent: tolerate the taint in the pods that belong there, or ask who runs the node.".
NODE_CUSTOM_CONDITION "node-custom-condition" None:
    "a node has a condition of another tool that is not what it was";
    "Tools add conditions of their own to nodes. Whether True is good or bad only they know, so it is no fault by \
     itself.";
    "a node condition of an unknown type while something else is wrong with the node.";
    "A problem detector, a driver of the platform.";
    "Worth knowing only: the documentation of the tool tells what its condition means.".
NODE_IMAGE_GC_FAILED "node-image-gc-failed" None:
    "a node can't free space by removing images";
    "The kubelet found nothing to remove; disk pressure comes next.";
    "events ImageGCFailed or FreeDiskSpaceFailed on the node.";
    "All images in use, a disk that is filled by something else.";
    "Ask who runs the node to free or add disk space: `kubectl describe node NAME` shows what it holds.".
NODE_REBOOTED "node-rebooted" None:
    "a node was rebooted";
    "All its containers restarted at one time, which explains their restart counts.";
    "event Rebooted on the node.";
    "Maintenance, an upgrade, a crash of the machine.";
    "Nothing to change: it explains restarts.".
NODE_CLOCK "node-clock" None:
    "a clock in the cluster is wrong";
    "Events carry times in the future, so ages computed from them are not right.";
    "the time of an event is over a minute after the API server's clock.";
    "A node or a control plane without time synchronisation, a virtual machine that was paused.";
    "Ask who runs the node to set its clock. Ages here may be wrong.".
}

/// Conditions of a node that are faults when True, and their codes.
const PRESSURES: [(&str, &CodeInfo); 4] = [
    ("MemoryPressure", &NODE_MEMORY_PRESSURE),
    ("DiskPressure", &NODE_DISK_PRESSURE),
    ("PIDPressure", &NODE_PID_PRESSURE),
    ("NetworkUnavailable", &NODE_NETWORK_UNAVAILABLE),
];

/// What a node that can't run pods makes of them.
const OF_LOST: &[&str] = &[
    "not-ready",
    "node-name-unknown",
    "pod-terminating-stuck",
    "sandbox-failed",
    "sandbox-network",
    "evicted-taint",
    "node-shutdown-killed",
    "volume-multi-attach",
    "volume-timeout",
    "probe-timeout",
];
const OF_PRESSURE: &[&str] = &["evicted-node-pressure", "evicted-node-condition", "evicted-taint"];

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for node in view.snapshot.kind("Node") {
        let conditions = node.conditions();
        out.extend(ready(view, node, &conditions));
        out.extend(pressures(view, node, &conditions));
        out.extend(closed(view, node));
        out.extend(events(view, node));
        out.extend(custom(node, &conditions));
    }
    out.extend(clock(view));
    out
}

fn base(code: &'static CodeInfo, node: &Object, summary: String, condition: Option<&Condition>) -> Observation {
    let mut seen = Observation::of_object(code, node.object());
    seen.summary = summary;
    seen.severity = Some(Severity::Error);
    seen.since = condition.and_then(|c| c.last_transition_time.0).or(node.metadata.creation_timestamp);
    if let Some(c) = condition {
        let text = format!("{}={}: {}: {}", c.kind, c.status, c.reason, c.message);
        seen.show(Source::Status, c.last_transition_time.0, &text, None);
    }
    seen
}

/// Workloads whose unready pods are all on this node: what is wrong with them can come from it.
fn explain(seen: &mut Observation, view: &View<'_>, node: &Object, codes: &'static [&'static str]) {
    let mut names = Vec::new();
    for workload in &view.workloads {
        let mut unready =
            workload.pods.iter().filter(|pod| !pod.is_ready() && pod.status.phase != "Succeeded").peekable();
        let here = |pod: &&&crate::model::kube::Pod| pod.spec.node_name == node.metadata.name;
        names.extend(unready.clone().filter(here).map(|pod| pod.metadata.name.clone()));
        if unready.peek().is_some() && unready.all(|pod| here(&pod)) {
            seen.explains.push(Explains { key: workload.key.clone(), codes });
        }
    }
    if !names.is_empty() {
        names.sort();
        let shown = text::and(&names.iter().take(5).collect::<Vec<_>>());
        seen.show(Source::Status, None, &format!("{} there: {shown}", text::count(names.len(), "unready pod")), None);
    }
    seen.fact("pods", names);
}

fn ready(view: &View<'_>, node: &Object, conditions: &[Condition]) -> Option<Observation> {
    let ready = conditions.iter().find(|c| c.kind == "Ready" && c.status != "True")?;
    let name = &node.metadata.name;
    let (code, summary) = match ready.status.as_str() {
        "Unknown" => (&NODE_LOST, format!("node {name} does not report: {}", text::clip(&ready.message, 120))),
        _ => (&NODE_NOT_READY, format!("node {name} is not ready: {}", text::clip(&ready.message, 160))),
    };
    let mut seen = base(code, node, summary, Some(ready));
    explain(&mut seen, view, node, OF_LOST);
    let cordoned = node.at("/spec/unschedulable").and_then(Value::as_bool) == Some(true);
    if cordoned {
        seen.show(Source::Spec, None, "the node is cordoned: it may be in maintenance", None);
    }
    seen.fact("reason", ready.reason.as_str());
    // A reboot takes a moment.
    seen.settle(view.settled(ready.last_transition_time.0, 30))
}

fn pressures(view: &View<'_>, node: &Object, conditions: &[Condition]) -> Vec<Observation> {
    let of = |(kind, code): (&str, &'static CodeInfo)| {
        let condition = conditions.iter().find(|c| c.kind == kind && c.status == "True")?;
        let what = match kind {
            "MemoryPressure" => "is short of memory",
            "DiskPressure" => "is short of disk space",
            "PIDPressure" => "is short of process ids",
            _ => "has no network",
        };
        let mut seen = base(code, node, format!("node {} {what}", node.metadata.name), Some(condition));
        let codes = if kind == "NetworkUnavailable" { OF_LOST } else { OF_PRESSURE };
        explain(&mut seen, view, node, codes);
        seen.severity = Some(Severity::Warning);
        Some(seen)
    };
    PRESSURES.into_iter().filter_map(of).collect()
}

/// Cordoned and tainted nodes matter only while pods wait for them.
fn closed(view: &View<'_>, node: &Object) -> Vec<Observation> {
    let waits = |text: &str| unscheduled(view).any(|pod| pod.condition.message.contains(text));
    let mut out = Vec::new();
    let name = &node.metadata.name;
    if node.at("/spec/unschedulable").and_then(Value::as_bool) == Some(true) && waits("were unschedulable") {
        let mut seen = base(&NODE_CORDONED, node, format!("node {name} is cordoned and pods wait for a node"), None);
        seen.severity = Some(Severity::Warning);
        seen.show(Source::Spec, None, "unschedulable: true", Some(Path::of("spec.unschedulable")));
        out.push(seen);
    }
    let taints: Vec<Value> = node.view("/spec/taints");
    let own = taints.iter().filter_map(|taint| {
        let text = |name: &str| taint.get(name).and_then(Value::as_str).unwrap_or_default();
        let system =
            text("key").starts_with("node.kubernetes.io/") || text("key").starts_with("node-role.kubernetes.io/");
        (!system && text("effect") != "PreferNoSchedule")
            .then(|| format!("{}={}:{}", text("key"), text("value"), text("effect")))
    });
    let own: Vec<String> = own.collect();
    if !own.is_empty() && waits("untolerated taint") {
        let mut seen = base(&NODE_TAINTED, node, format!("node {name} has the taint {}", text::and(&own)), None);
        seen.severity = Some(Severity::Info);
        seen.show(Source::Spec, None, &format!("taints: {}", text::and(&own)), Some(Path::of("spec.taints")));
        seen.fact("taints", own);
        out.push(seen);
    }
    out
}

fn events(view: &View<'_>, node: &Object) -> Vec<Observation> {
    // Events of a node carry its name as uid when the kubelet made them.
    let all = view.events(&node.metadata.uid).iter().chain(view.events(&node.metadata.name));
    let mut out = Vec::new();
    for event in all {
        let (code, what, severity) = match event.reason.as_str() {
            "ImageGCFailed" | "FreeDiskSpaceFailed" => {
                (&NODE_IMAGE_GC_FAILED, "can't free space by removing images", Severity::Warning)
            }
            "Rebooted" => (&NODE_REBOOTED, "was rebooted", Severity::Info),
            _ => continue,
        };
        // What is over an hour old says nothing about now.
        let young = view.settled(event.last_seen(), 900) == Settled::No || event.times() >= 3;
        if !young && code.name == NODE_IMAGE_GC_FAILED.name {
            continue;
        }
        let mut seen = base(code, node, format!("node {} {what}", node.metadata.name), None);
        seen.severity = Some(severity);
        seen.since = event.first_seen();
        seen.show_event(event);
        out.push(seen);
    }
    out
}

fn custom(node: &Object, conditions: &[Condition]) -> Option<Observation> {
    const KNOWN: [&str; 5] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];
    let is_unwell = conditions.iter().any(|c| c.kind == "Ready" && c.status != "True");
    let other: Vec<&Condition> =
        conditions.iter().filter(|c| !KNOWN.contains(&c.kind.as_str()) && c.status == "True").collect();
    let first = other.first().filter(|_| is_unwell)?;
    let kinds: Vec<&str> = other.iter().map(|c| c.kind.as_str()).collect();
    let summary = format!("node {} also has the condition {}", node.metadata.name, text::and(&kinds));
    let mut seen = base(&NODE_CUSTOM_CONDITION, node, summary, Some(first));
    seen.severity = Some(Severity::Info);
    Some(seen)
}

fn clock(view: &View<'_>) -> Option<Observation> {
    let now = view.snapshot.taken_at?;
    let mut late = view
        .snapshot
        .events
        .iter()
        .filter_map(|event| {
            let ahead = event.last_seen()?.as_second() - now.as_second();
            (ahead > 60).then_some((ahead, event))
        })
        .collect::<Vec<_>>();
    late.sort_by_key(|(ahead, event)| (std::cmp::Reverse(*ahead), event.metadata.name.as_str()));
    let (ahead, event) = late.first()?;
    // Controllers do not say where they run: then the event alone is known.
    let (host, object) = match event.source.host.as_str() {
        "" => ("a component", ObjectRef::new("v1", "Event", &event.metadata.namespace, &event.metadata.name)),
        host => (host, ObjectRef::new("v1", "Node", "", host)),
    };
    let mut seen = Observation::of_object(&NODE_CLOCK, object);
    seen.summary =
        format!("the clock of {host} is {} ahead of the API server's; ages may be wrong", text::duration(*ahead));
    seen.severity = Some(Severity::Info);
    seen.since = Some(now);
    seen.show_event(event);
    Some(seen)
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
mod tests {
    use super::super::testing::{OLD, all, event, finding, of, pending, ready, roots};
    use serde_json::{Value, json};

    fn node(conditions: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "status": {"conditions": conditions}})
    }

    fn condition(kind: &str, status: &str, reason: &str) -> Value {
        json!({"type": kind, "status": status, "reason": reason, "message": reason, "lastTransitionTime": OLD})
    }

    #[test]
    fn each_condition_of_a_node_has_its_code() {
        for (kind, status, code) in [
            ("Ready", "False", "node-not-ready"),
            ("Ready", "Unknown", "node-lost"),
            ("MemoryPressure", "True", "node-memory-pressure"),
            ("DiskPressure", "True", "node-disk-pressure"),
            ("PIDPressure", "True", "node-pid-pressure"),
            ("NetworkUnavailable", "True", "node-network-unavailable"),
        ] {
            assert_eq!(roots(&[node(json!([condition(kind, status, "x")]))]), [format!("{code} Node/n")]);
        }
        assert!(
            roots(&[node(json!([condition("Ready", "True", "x"), condition("MemoryPressure", "False", "x")]))])
                .is_empty()
        );
    }

    #[test]
    fn unready_pods_of_a_lost_node_are_its_effects_and_those_elsewhere_are_not() {
        let unready = |name: &str, node: &str| {
            let mut pod = ready(name, json!({}));
            pod["spec"]["nodeName"] = json!(node);
            pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
            pod["status"]["containerStatuses"][0]["ready"] = json!(false);
            pod
        };
        let lost = node(json!([condition("Ready", "Unknown", "NodeStatusUnknown")]));
        let objects = [lost, unready("here", "n"), unready("there", "m")];
        let told = finding(&objects, "node-lost");
        let effects: Vec<String> = told.effects.iter().map(|e| format!("{} {}", e.code, e.object)).collect();
        assert_eq!(effects, ["not-ready Pod/here"]);
        assert_eq!(roots(&objects), ["node-lost Node/n", "not-ready Pod/there"]);
    }

    #[test]
    fn a_cordoned_or_tainted_node_matters_only_to_pods_that_wait() {
        let mut cordoned = node(json!([]));
        cordoned["spec"] = json!({"unschedulable": true});
        assert!(all(&[cordoned.clone()]).is_empty());
        let waits = pending("web", json!({}), "0/1 nodes are available: 1 node(s) were unschedulable.");
        let told = finding(&[cordoned, waits], "node-cordoned");
        assert_eq!(told.effects[0].code.name(), "unschedulable-cordoned");
        let mut tainted = node(json!([]));
        tainted["spec"] = json!({"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]});
        let waits = pending("web", json!({}), "0/1 nodes are available: 1 node(s) had untolerated taint(s).");
        assert_eq!(all(&[tainted, waits]), ["unschedulable-taint Pod/web", "node-tainted Node/n"]);
    }

    #[test]
    fn events_of_a_node_are_found_by_its_name_too() {
        let mut gc = event("Node", "n", "ImageGCFailed", "failed to garbage collect");
        gc["involvedObject"]["uid"] = json!("n");
        let mut boot = event("Node", "n", "Rebooted", "Node n has been rebooted, boot id: x");
        boot["involvedObject"]["uid"] = json!("n");
        let well = node(json!([condition("Ready", "True", "x")]));
        assert_eq!(all(&[well, gc, boot]), ["node-image-gc-failed Node/n", "node-rebooted Node/n"]);
    }

    #[test]
    fn conditions_of_other_tools_are_told_only_beside_a_fault() {
        let other = condition("KernelDeadlock", "True", "x");
        assert!(all(&[node(json!([condition("Ready", "True", "x"), other.clone()]))]).is_empty());
        let unwell = node(json!([condition("Ready", "False", "x"), other]));
        assert_eq!(all(&[unwell]), ["node-not-ready Node/n", "node-custom-condition Node/n"]);
    }

    #[test]
    fn an_event_from_the_future_tells_a_wrong_clock() {
        let mut early = event("Pod", "web", "Pulled", "x");
        early["lastTimestamp"] = json!("2026-11-22T17:05:00Z");
        early["source"] = json!({"host": "n2"});
        let found = super::super::diagnose(&of(&[early]));
        assert_eq!(found.findings[0].summary, "the clock of n2 is 5 min ahead of the API server's; ages may be wrong");
    }
}
