//! Pods that lost their place, or cannot change their size.

use super::rows;
use crate::diagnose::observe::{Explains, Observation};
use crate::diagnose::view::{Settled, View, Workload};
use crate::model::code::CodeInfo;
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Event, Pod};

/// What a pod may lack once another has taken its room.
const ROOM: &[&str] = &[
    "unschedulable-cpu",
    "unschedulable-memory",
    "unschedulable-extended-resource",
    "unschedulable-host-port",
    "unschedulable-anti-affinity",
    "unschedulable-pods",
];

pub(super) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    // The first of several speaks for its workload: which that is may not depend on the order of the list.
    let mut events: Vec<&Event> = view.snapshot.events.iter().collect();
    events.sort_by_key(|e| (e.first_seen(), e.text(), e.metadata.name.as_str(), e.metadata.uid.as_str()));
    for event in events {
        let code: &'static CodeInfo = match event.reason.as_str() {
            "Preempted" => &rows::PREEMPTED,
            "TaintManagerEviction" if !event.text().starts_with("Cancel") => &rows::EVICTED_TAINT,
            _ => continue,
        };
        if let Some(workload) = view.workload_of_gone(&event.involved_object) {
            out.extend(displaced(view, workload, code, Some(event)));
        }
    }
    for workload in &view.workloads {
        for pod in &workload.current {
            let disrupted = pod.condition("DisruptionTarget").filter(|c| c.status == "True");
            let code: Option<&'static CodeInfo> = match disrupted.map(|c| c.reason.as_str()) {
                Some("PreemptionByScheduler") => Some(&rows::PREEMPTED),
                Some("DeletionByTaintManager") => Some(&rows::EVICTED_TAINT),
                _ => None,
            };
            out.extend(code.and_then(|code| displaced(view, workload, code, None)));
            out.extend(resize(view, workload, pod));
        }
    }
    // A condition and an event of one preemption are one.
    let mut known: Vec<(String, &str)> = Vec::new();
    out.retain(|seen| {
        let key = (seen.workload.clone(), seen.code.name);
        let is_new = seen.code.name == rows::RESIZE_INFEASIBLE.name || !known.contains(&key);
        known.push(key);
        is_new
    });
    out
}

/// A workload that lost a pod and has none in its place. One that has its pods again is no failure.
fn displaced(
    view: &View<'_>,
    workload: &Workload<'_>,
    code: &'static CodeInfo,
    event: Option<&Event>,
) -> Option<Observation> {
    let is_pending = |pod: &&&Pod| {
        pod.metadata.deletion_timestamp.is_none()
            && pod.condition("PodScheduled").is_some_and(|scheduled| scheduled.status == "False")
    };
    let waiting = Some(*workload.current.iter().find(is_pending)?);
    if workload.counts.ready >= workload.counts.desired {
        return None;
    }
    let mut seen = Observation::of_workload(code, workload);
    seen.pod = waiting.map(|pod| pod.metadata.name.clone());
    seen.since = event.and_then(Event::first_seen);
    let (verb, by) = if code.name == rows::PREEMPTED.name {
        ("was preempted", event.and_then(|event| preemptor(view, event)))
    } else {
        ("was evicted by a taint of its node", None)
    };
    let by_whom = by.map_or_else(String::new, |pod| {
        let priority = pod.spec.priority.map_or_else(String::new, |p| format!(" of priority {p}"));
        format!(" by pod {}{priority}", pod.metadata.name)
    });
    seen.summary = format!("a pod {verb}{by_whom}, and its replacement has no place yet");
    if let Some(event) = event {
        seen.show_event(event);
    }
    if let Some(scheduled) = waiting.and_then(|pod| pod.condition("PodScheduled")).filter(|c| c.status == "False") {
        seen.show(Source::Status, scheduled.last_transition_time.0, &scheduled.message, None);
    }
    if let Some(by) = by {
        let shown = format!(
            "pod {}/{}, priority class {:?}",
            by.metadata.namespace, by.metadata.name, by.spec.priority_class_name
        );
        seen.show(Source::Spec, None, &shown, None);
        seen.fact("preemptor", by.metadata.name.as_str());
        seen.fact("preemptorPriority", by.spec.priority);
        seen.fact("preemptorClass", by.spec.priority_class_name.as_str());
    }
    // What the replacement waits for is what the preemptor took.
    if code.name == rows::PREEMPTED.name {
        seen.explains.push(Explains { key: workload.key.clone(), codes: ROOM });
    }
    seen.fact("priority", waiting.and_then(|pod| pod.spec.priority));
    Some(seen)
}

/// `Preempted by pod UID on node N`: it tells a uid and no name.
fn preemptor<'s>(view: &View<'s>, event: &Event) -> Option<&'s Pod> {
    let uid = event.text().strip_prefix("Preempted by pod ")?.split_whitespace().next()?;
    view.snapshot.pods.iter().find(|pod| pod.metadata.uid == uid)
}

fn resize(view: &View<'_>, workload: &Workload<'_>, pod: &Pod) -> Option<Observation> {
    const SETTLING: i64 = 60;
    let pending = pod.condition("PodResizePending").filter(|c| c.status == "True")?;
    let infeasible = pending.reason == "Infeasible";
    if !infeasible && pending.reason != "Deferred"
        || view.settled(pending.last_transition_time.0, SETTLING) == Settled::No
    {
        return None;
    }
    let mut seen = Observation::of_workload(&rows::RESIZE_INFEASIBLE, workload);
    seen.pod = Some(pod.metadata.name.clone());
    seen.message.clone_from(&pending.reason);
    seen.since = pending.last_transition_time.0;
    let when = if infeasible { "can never" } else { "cannot yet" };
    seen.summary = format!("node {} {when} give the pod its new size: {}", pod.spec.node_name, pending.message.trim());
    seen.show(
        Source::Status,
        pending.last_transition_time.0,
        &format!("{}: {}", pending.reason, pending.message),
        None,
    );
    seen.severity = Some(if infeasible { Severity::Warning } else { Severity::Info });
    seen.is_aside = true;
    Some(seen)
}
