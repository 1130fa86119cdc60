//! Workloads short of pods for a reason without a code.

use super::argo;
use super::current::judged_jobs;
use super::health::{self, Health};
use super::observe::Observation;
use super::parallel;
use super::refusal::{self, Refusal};
use super::view::{Settled, View, Workload};
use super::workload::{NOT_READY, job_failure};
use crate::model::code::CodeInfo;
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Object, Pod};
use crate::text;
use std::collections::BTreeSet;

/// Workloads that lack ready pods beyond their settling times and that no other rule explains.
/// "Not looked at" and "no code for it" never print as healthy.
pub(crate) fn observe(view: &View<'_>, seen: &[Observation]) -> Vec<Observation> {
    let explained: BTreeSet<(&str, &str)> = seen
        .iter()
        .filter(|one| !one.is_aside)
        .filter_map(|one| Some((one.workload.as_str(), one.pod.as_deref()?)))
        .collect();
    // A fault of the workload as a whole, such as a refusal, explains why pods are lacking.
    let told: BTreeSet<&str> = seen
        .iter()
        .filter(|one| one.pod.is_none() && !one.is_aside && one.severity != Some(Severity::Info))
        .map(|one| one.workload.as_str())
        .collect();
    let unexplained =
        |workload: &Workload<'_>| unexplained(view, workload, &explained, told.contains(workload.key.as_str()));
    parallel::map(&view.workloads, unexplained).into_iter().flatten().collect()
}

fn unexplained(
    view: &View<'_>,
    workload: &Workload<'_>,
    explained: &BTreeSet<(&str, &str)>,
    told: bool,
) -> Option<Observation> {
    let is_explained = |pod: &Pod| explained.contains(&(workload.key.as_str(), pod.metadata.name.as_str()));
    let any_explained = told || workload.pods.iter().any(|pod| is_explained(pod));
    let stuck: Vec<(&Pod, Settled)> = workload
        .pods
        .iter()
        .filter(|pod| !is_explained(pod))
        .map(|pod| (*pod, pod_settled(view, workload, pod)))
        .filter(|(_, settled)| *settled != Settled::No)
        .collect();
    if let Some((code, job, summary)) = failed_job(view, workload).filter(|_| !any_explained) {
        return Some(job_root(workload, code, job, summary, &stuck));
    }
    let refused: Vec<Refusal> = refusal::of(view, workload).into_iter().collect();
    let lacks = workload.health == Health::Failing && !any_explained;
    if stuck.is_empty() && (refused.is_empty() || any_explained) && !lacks {
        return None;
    }
    let settled = stuck.iter().any(|(_, settled)| *settled == Settled::Yes);
    let certain = lacks || settled || !refused.is_empty();
    let pods: Vec<&Pod> = stuck.iter().map(|(pod, _)| *pod).collect();
    finding(view, workload, &pods, &refused).settle(if certain { Settled::Yes } else { Settled::Unknown })
}

/// The finding itself, with the reasons of all its pods and the messages of three.
fn finding(view: &View<'_>, workload: &Workload<'_>, stuck: &[&Pod], refused: &[Refusal]) -> Observation {
    let mut one = Observation::of_workload(&NOT_READY, workload);
    let mut reasons: Vec<String> = Vec::new();
    let all = stuck.iter().flat_map(|pod| pod_reasons(view, workload, pod));
    for reason in all.chain(refused.iter().map(|_| "FailedCreate".to_owned())) {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(", ")) };
    one.summary = format!("{}{why}", headline(workload, stuck.len()));
    one.message = why;
    for pod in stuck.iter().take(3) {
        show_pod(&mut one, view, pod);
    }
    for refusal in refused {
        one.show(Source::Status, None, &refusal.shown, None);
    }
    show_conditions(&mut one, workload);
    if one.evidence.is_empty() {
        show_counts(&mut one, workload, stuck);
    }
    let created = stuck.iter().filter_map(|pod| pod.metadata.creation_timestamp).min();
    one.since = created.or(workload.source.and_then(|source| source.metadata.creation_timestamp));
    one.pod = stuck.first().map(|pod| pod.metadata.name.clone());
    one.facts = serde_json::json!({"pods": stuck.len(), "revision": workload.revision});
    // Nothing of what serves is lost by a rollout that does not go on.
    let stands = workload.counts.ready >= workload.counts.desired;
    one.severity = workload.source.and_then(argo::gave_up).filter(|_| stands).map(|_| Severity::Warning);
    one
}

fn headline(workload: &Workload<'_>, stuck: usize) -> String {
    let counts = workload.counts;
    let evicted = workload.pods.iter().filter(|pod| pod.status.phase == "Failed").count();
    if workload.source.is_none() {
        let (is, pod) = if stuck == 1 { ("is", "the pod") } else { ("are", "the pods") };
        return format!("{pod} {is} not ready");
    }
    if let Some(why) = workload.source.and_then(argo::gave_up).filter(|_| counts.ready >= counts.desired) {
        return why.to_owned();
    }
    if counts.ready >= counts.desired && evicted > 0 {
        return format!("{} failed one after another", text::count(evicted, "pod"));
    }
    if counts.ready >= counts.desired && stuck == 0 {
        return "no further pods can be made".to_owned();
    }
    if counts.ready >= counts.desired {
        let are = if stuck == 1 { "is" } else { "are" };
        return format!("{} {are} stuck", text::count(stuck, "pod"));
    }
    let missing = counts.desired - counts.ready;
    let are = if missing == 1 { "is" } else { "are" };
    format!("{missing} of {} {are} not ready", text::count(counts.desired, "pod"))
}

/// Whether a pod's fault counts for its workload.
fn pod_settled(view: &View<'_>, workload: &Workload<'_>, pod: &Pod) -> Settled {
    let kind = workload.source.map(|source| source.kind.as_str());
    // Pods of runs and revisions that are over are not judged.
    let is_current = workload.current.iter().any(|other| other.metadata.uid == pod.metadata.uid);
    let short = workload.counts.ready < workload.counts.desired;
    if matches!(kind, Some("CronJob")) && !is_current || workload.counts.desired == 0 || (!is_current && !short) {
        return Settled::No;
    }
    if pod.status.phase == "Failed" && pod.metadata.deletion_timestamp.is_none() {
        return failed_settled(view, workload, pod, kind);
    }
    let deployment = || workload.source.filter(|source| health::has_deadline(source));
    if is_current && !pod.is_ready() && deployment().is_some_and(health::passed_deadline) {
        return Settled::Yes;
    }
    let settled = health::settled(view, pod);
    // Soft symptoms of a rollout within its deadline.
    let rolling = settled != Settled::No && deployment().is_some_and(|one| health::is_rolling_out(view, one));
    if rolling && !is_hard(pod) { Settled::No } else { settled }
}

/// Failed pods left behind by a controller that has its pods are history, unless they come again and again.
pub(crate) fn failed_settled(view: &View<'_>, workload: &Workload<'_>, pod: &Pod, kind: Option<&str>) -> Settled {
    match kind {
        None => Settled::Yes,
        Some("Job" | "CronJob") => {
            if workload.health == Health::Failing {
                Settled::Yes
            } else {
                Settled::No
            }
        }
        Some(_) => {
            let last_hour = |other: &Pod| view.settled(last_change(other), 3600) == Settled::No;
            let alike = workload
                .current
                .iter()
                .filter(|p| p.status.phase == "Failed" && p.status.reason == pod.status.reason && last_hour(p));
            if alike.count() >= 2 { Settled::Yes } else { Settled::No }
        }
    }
}

fn last_change(pod: &Pod) -> Option<jiff::Timestamp> {
    let conditions = pod.status.conditions.iter().filter_map(|c| c.last_transition_time.0).max();
    conditions.or(pod.metadata.creation_timestamp)
}

/// Causes that cannot heal by waiting: refused, never started, or ended again and again.
fn is_hard(pod: &Pod) -> bool {
    const SOFT: [&str; 4] = ["", "ContainerCreating", "PodInitializing", "ErrImagePull"];
    let mut all = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    pod.status.phase == "Failed"
        || pod.condition("PodScheduled").is_some_and(|c| c.status == "False")
        || all.any(|s| {
            s.state.waiting.as_ref().is_some_and(|w| !SOFT.contains(&w.reason.as_str())) || s.restart_count >= 2
        })
}

/// Reasons in words: waiting and exit reasons of containers, else of the pod.
fn pod_reasons(view: &View<'_>, workload: &Workload<'_>, pod: &Pod) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    if pod.metadata.deletion_timestamp.is_some() {
        out.push("still being deleted after its grace period".to_owned());
    } else if !pod.status.reason.is_empty() {
        out.push(pod.status.reason.clone());
    } else if let Some(scheduled) = pod.condition("PodScheduled").filter(|c| c.status == "False") {
        out.push(scheduled.reason.clone());
    } else if pod.status.conditions.is_empty() {
        out.push("no scheduler or kubelet has picked it up".to_owned());
    }
    let statuses = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    let untold = out.is_empty();
    for status in statuses.filter(|status| !status.ready && untold) {
        let ended = status.state.terminated.as_ref().or(status.last_state.terminated.as_ref());
        let waiting = status.state.waiting.as_ref().map(|w| w.reason.clone()).filter(|r| r != "PodInitializing");
        let exit = ended.map(|end| format!("{} (exit {})", end.reason, end.exit_code));
        match (waiting, exit) {
            // It has no message of its own: only events say what it waits for.
            (Some(waiting), None) if waiting == "ContainerCreating" => {
                const BLOCKERS: [&str; 3] = ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"];
                let events = view.events(&pod.metadata.uid).iter().rev();
                let blocker = events.map(|event| event.reason.as_str()).find(|reason| BLOCKERS.contains(reason));
                out.push(blocker.map_or(waiting, str::to_owned));
            }
            (Some(waiting), Some(exit)) => out.push(format!("{waiting} after {exit}")),
            (one, other) => out.extend(one.or(other)),
        }
    }
    if out.is_empty() {
        let reason = pod.condition("Ready").map(|ready| ready.reason.as_str()).filter(|reason| !reason.is_empty());
        out.extend(reason.map(|reason| match reason {
            "ContainersNotReady" => "running and not ready".to_owned(),
            other => other.to_owned(),
        }));
    }
    let is_current = workload.current.iter().any(|other| other.metadata.uid == pod.metadata.uid);
    if !is_current {
        out.iter_mut().for_each(|reason| reason.push_str(" of an earlier revision"));
    }
    out
}

fn show_pod(one: &mut Observation, view: &View<'_>, pod: &Pod) {
    let name = &pod.metadata.name;
    if !pod.status.reason.is_empty() {
        one.show(Source::Status, None, &format!("pod {name}: {}: {}", pod.status.reason, pod.status.message), None);
    }
    let told = |kind: &str| pod.condition(kind).filter(|c| c.status == "False" && !c.message.is_empty());
    for condition in ["PodScheduled", "Ready"].into_iter().filter_map(told).take(1) {
        let text = format!("pod {name}: {}=False: {}", condition.kind, condition.message);
        one.show(Source::Status, condition.last_transition_time.0, &text, None);
    }
    let statuses = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    for status in statuses.filter(|status| !status.ready) {
        if let Some(waiting) = status.state.waiting.as_ref().filter(|w| w.reason != "PodInitializing") {
            let text = format!("container {}: waiting: {} {}", status.name, waiting.reason, waiting.message);
            one.show(Source::Status, None, &text, None);
        }
        if let Some(end) = status.state.terminated.as_ref().or(status.last_state.terminated.as_ref()) {
            let text = format!(
                "container {}: terminated: {} (exit {}) {}",
                status.name, end.reason, end.exit_code, end.message
            );
            one.show(Source::Status, end.finished_at.0, &text, None);
        }
    }
    const TELLING: [&str; 9] = [
        "Failed",
        "FailedMount",
        "FailedAttachVolume",
        "FailedCreatePodSandBox",
        "FailedScheduling",
        "Unhealthy",
        "Killing",
        "FailedPostStartHook",
        "Evicted",
    ];
    let events = view.events(&pod.metadata.uid).iter().rev().filter(|e| TELLING.contains(&e.reason.as_str()));
    for event in events.take(3) {
        one.show_event(event);
    }
}

fn show_conditions(one: &mut Observation, workload: &Workload<'_>) {
    for condition in workload.source.map(Object::conditions).unwrap_or_default() {
        let bad = match condition.kind.as_str() {
            "Available" | "Progressing" => condition.status == "False",
            "InvalidSpec" => condition.status == "True",
            _ => false,
        };
        if bad {
            let (kind, status) = (&condition.kind, &condition.status);
            let text = format!("{kind}={status}: {}: {}", condition.reason, condition.message);
            one.show(Source::Status, condition.last_transition_time.0, &text, None);
        }
    }
}

/// All there is to see of pods without reasons and of pods that are not there.
fn show_counts(one: &mut Observation, workload: &Workload<'_>, stuck: &[&Pod]) {
    for pod in stuck.iter().take(3) {
        let phase = Some(pod.status.phase.as_str()).filter(|phase| !phase.is_empty()).unwrap_or("not told");
        one.show(Source::Status, None, &format!("pod {}: phase {phase}", pod.metadata.name), None);
    }
    let counts = workload.counts;
    one.show(Source::Status, None, &format!("{} of {} pods ready", counts.ready, counts.desired), None);
}

/// A Job that failed and left no pod that explains it.
fn failed_job<'s>(view: &View<'s>, workload: &Workload<'s>) -> Option<(&'static CodeInfo, &'s Object, String)> {
    let source = workload.source?;
    let jobs = match source.kind.as_str() {
        "Job" => vec![source],
        "CronJob" => judged_jobs(&view.children, source),
        _ => return None,
    };
    // Only a Job whose pods are gone: pods that failed tell more.
    jobs.into_iter().filter(|_| workload.current.is_empty()).find_map(|job| {
        let (code, summary) = job_failure(job)?;
        Some((code, job, summary))
    })
}

fn job_root(
    workload: &Workload<'_>,
    code: &'static CodeInfo,
    job: &Object,
    summary: String,
    stuck: &[(&Pod, Settled)],
) -> Observation {
    let mut one = Observation::of_workload(code, workload);
    one.summary = summary;
    for condition in job.conditions().iter().filter(|c| c.status == "True") {
        let text = format!("{}: {}: {}", condition.kind, condition.reason, condition.message);
        one.show(Source::Status, condition.last_transition_time.0, &text, None);
        one.since = one.since.or(condition.last_transition_time.0);
    }
    one.since = one.since.or(job.metadata.creation_timestamp);
    one.pod = stuck.first().map(|(pod, _)| pod.metadata.name.clone());
    one.severity = Some(if workload.key.starts_with("CronJob") { Severity::Error } else { Severity::Critical });
    one
}
