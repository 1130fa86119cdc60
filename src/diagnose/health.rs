//! Whether a workload has what it asks for.

use super::argo;
use super::current::{job_end, judged_jobs};
use super::view::{Settled, View, Workload};
use crate::model::kube::{ContainerStatus, Object, Pod};

/// Pods that are wanted and that are ready now, of whatever revision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub desired: usize,
    pub ready: usize,
}

/// The state of a workload by its own status, before any rule has looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Healthy,
    /// A rollout or a start within its time.
    InProgress,
    /// It lacks pods, or a Job of it failed.
    Failing,
}

pub(crate) fn counts(workload: &Workload<'_>) -> Counts {
    let ready_pods = workload.pods.iter().filter(|pod| pod.is_ready()).count();
    let size =
        |object: &Object, pointer, default| usize::try_from(object.int(pointer).unwrap_or(default)).unwrap_or_default();
    match workload.source {
        Some(object) => match object.kind.as_str() {
            "DaemonSet" => Counts {
                desired: size(object, "/status/desiredNumberScheduled", 0),
                ready: size(object, "/status/numberReady", 0),
            },
            "Job" => Counts { desired: size(object, "/spec/parallelism", 1), ready: ready_pods },
            "CronJob" => Counts { desired: size(object, "/spec/jobTemplate/spec/parallelism", 1), ready: ready_pods },
            _ => Counts { desired: size(object, "/spec/replicas", 1), ready: size(object, "/status/readyReplicas", 0) },
        },
        None => Counts {
            desired: workload.pods.iter().filter(|pod| pod.status.phase != "Succeeded").count(),
            ready: ready_pods,
        },
    }
}

pub(crate) fn of(view: &View<'_>, workload: &Workload<'_>) -> Health {
    let Some(source) = workload.source else { return pods_only(view, workload) };
    if is_unobserved(source) && view.settled(changed(source), UNOBSERVED) != Settled::Yes {
        return Health::InProgress;
    }
    match source.kind.as_str() {
        "CronJob" => cron_job(view, source),
        "Job" => job(source),
        "Deployment" => deployment(view, workload, source),
        "Rollout" => argo::health(view, workload, source),
        _ => replicas(view, workload, source),
    }
}

/// Seconds that a controller has to look at a new spec.
pub(crate) const UNOBSERVED: i64 = 120;

/// Whether the status is of an earlier spec, or its controller has written none yet. A Job and a CronJob have
/// no `observedGeneration`.
pub(crate) fn is_unobserved(source: &Object) -> bool {
    let observes =
        matches!(source.kind.as_str(), "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Rollout");
    let status = || source.at("/status").and_then(serde_json::Value::as_object);
    let seen = match observed_generation(source) {
        None if observes && status().is_none_or(serde_json::Map::is_empty) => Some(0),
        seen => seen,
    };
    seen.is_some_and(|seen| seen < source.metadata.generation)
}

/// The generation that a controller saw last. That of Argo Rollouts writes it as text.
pub(crate) fn observed_generation(source: &Object) -> Option<i64> {
    const PLACE: &str = "/status/observedGeneration";
    source.int(PLACE).or_else(|| source.text(PLACE).parse().ok())
}

/// When an object was last written, as far as it tells.
pub(crate) fn changed(source: &Object) -> Option<jiff::Timestamp> {
    let newest = source.metadata.managed_fields.iter().filter_map(|entry| entry.time).max();
    newest.max(source.metadata.creation_timestamp)
}

fn job(job: &Object) -> Health {
    if job.at("/spec/suspend").and_then(serde_json::Value::as_bool) == Some(true) {
        return Health::Healthy;
    }
    match job_end(job) {
        Some(end) if end.kind == "Complete" => Health::Healthy,
        Some(_) => Health::Failing,
        None => Health::InProgress,
    }
}

fn cron_job(view: &View<'_>, cron_job: &Object) -> Health {
    if cron_job.at("/spec/suspend").and_then(serde_json::Value::as_bool) == Some(true) {
        return Health::Healthy;
    }
    let runs = judged_jobs(&view.children, cron_job);
    if runs.iter().any(|run| job(run) == Health::Failing) {
        return Health::Failing;
    }
    // A run that was begun and has no pod may be refused one.
    let without_pods =
        |run: &&Object| run.int("/status/active").unwrap_or_default() == 0 && job(run) != Health::Healthy;
    if runs.iter().any(without_pods) { Health::InProgress } else { Health::Healthy }
}

fn deployment(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Health {
    let Counts { desired, ready } = workload.counts;
    // Scaled to zero by intent.
    if desired == 0 {
        return Health::Healthy;
    }
    let paused = source.at("/spec/paused").and_then(serde_json::Value::as_bool) == Some(true);
    let updated = source.int("/status/updatedReplicas").unwrap_or_default();
    let rolled_out = paused || usize::try_from(updated).unwrap_or_default() >= desired;
    if ready >= desired && rolled_out && source.int("/status/unavailableReplicas").unwrap_or_default() == 0 {
        return Health::Healthy;
    }
    if passed_deadline(source) {
        return Health::Failing;
    }
    on_the_way(view, workload, source)
}

/// A rollout that is short of pods, its deadline aside.
pub(super) fn on_the_way(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Health {
    // Its controller may not have written a condition yet.
    let young = source.conditions().is_empty() && view.settled(source.metadata.creation_timestamp, 60) != Settled::Yes;
    if young || is_rolling_out(view, source) || only_settling(view, workload) {
        Health::InProgress
    } else {
        Health::Failing
    }
}

/// Whether its kind has rollouts with a deadline.
pub(crate) fn has_deadline(source: &Object) -> bool {
    matches!(source.kind.as_str(), "Deployment" | "Rollout")
}

/// Whether the pods that are not ready may still become so, or one became ready or was made a moment ago:
/// an ordered StatefulSet makes the next one only then. One failed pod alone is about to be replaced.
fn only_settling(view: &View<'_>, workload: &Workload<'_>) -> bool {
    let (failed, alive): (Vec<&Pod>, Vec<&Pod>) = workload.pods.iter().partition(|pod| pod.status.phase == "Failed");
    if failed.len() > 1 {
        return false;
    }
    let mut unready = alive.iter().filter(|pod| !pod.is_ready()).peekable();
    if unready.peek().is_some() {
        return unready.all(|pod| is_settling(view, pod));
    }
    alive.len() >= workload.counts.desired
        || workload.pods.iter().any(|pod| {
            let turned = pod.condition("Ready").and_then(|ready| ready.last_transition_time.0);
            view.settled(turned.max(pod.metadata.creation_timestamp), 60) == Settled::No
        })
}

/// Whether the rollout had the time that the Deployment itself allows.
pub(crate) fn passed_deadline(deployment: &Object) -> bool {
    let conditions = deployment.conditions();
    conditions.iter().any(|c| c.kind == "Progressing" && c.status == "False" && c.reason == "ProgressDeadlineExceeded")
}

/// The Deployment controller saw the newest generation and its deadline is not over.
pub(crate) fn is_rolling_out(view: &View<'_>, deployment: &Object) -> bool {
    let deadline = deployment.int("/spec/progressDeadlineSeconds").unwrap_or(600);
    deployment.conditions().iter().any(|c| {
        c.kind == "Progressing"
            && c.status == "True"
            && matches!(c.reason.as_str(), "NewReplicaSetCreated" | "FoundNewReplicaSet" | "ReplicaSetUpdated")
            && view.settled(c.last_update_time.0, deadline) != Settled::Yes
    })
}

fn replicas(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Health {
    let Counts { desired, ready } = workload.counts;
    if ready >= desired {
        return Health::Healthy;
    }
    // Without a Progressing condition a start gets as long as its pods need to settle.
    let young = view.settled(source.metadata.creation_timestamp, 60) != Settled::Yes;
    if young || only_settling(view, workload) { Health::InProgress } else { Health::Failing }
}

fn pods_only(view: &View<'_>, workload: &Workload<'_>) -> Health {
    let mut worst = Health::Healthy;
    for pod in &workload.pods {
        let late = match pod.metadata.deletion_timestamp {
            // It is on its way out, ready or not.
            Some(deleted) => view.settled(Some(deleted), 60) == Settled::Yes,
            None if pod.status.phase == "Succeeded" || pod.is_ready() => continue,
            None => !is_settling(view, pod),
        };
        if late {
            return Health::Failing;
        }
        worst = Health::InProgress;
    }
    worst
}

/// Whether a pod that is not ready may still become so without help (the settling times).
pub(crate) fn is_settling(view: &View<'_>, pod: &Pod) -> bool {
    settled(view, pod) == Settled::No
}

/// Whether the time that a pod has to become ready is over.
pub(crate) fn settled(view: &View<'_>, pod: &Pod) -> Settled {
    let created = pod.metadata.creation_timestamp;
    if pod.is_ready() || pod.status.phase == "Succeeded" {
        return Settled::No;
    }
    if let Some(deleted) = pod.metadata.deletion_timestamp {
        // `deletionTimestamp` already has the grace period in it.
        return view.settled(Some(deleted), 60);
    }
    if pod.status.phase == "Failed" {
        return Settled::Yes;
    }
    if let Some(scheduled) = pod.condition("PodScheduled").filter(|c| c.status == "False") {
        return view.settled(scheduled.last_transition_time.0.or(created), 60);
    }
    if pod.status.conditions.is_empty() {
        return view.settled(created, 60);
    }
    let statuses: Vec<_> = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses).collect();
    // It has a node, and the kubelet has not written a status yet.
    if statuses.is_empty() {
        let scheduled = pod.condition("PodScheduled").and_then(|c| c.last_transition_time.0);
        return view.settled(scheduled.or(created), 120);
    }
    let waiting = |soft: bool| {
        statuses.iter().filter_map(|s| s.state.waiting.as_ref()).any(|w| {
            matches!(w.reason.as_str(), "ContainerCreating" | "PodInitializing") == soft && !w.reason.is_empty()
        })
    };
    if waiting(false) {
        return view.settled(created, 15);
    }
    if statuses.iter().any(|s| s.restart_count >= 2 && !s.ready && s.state.running.is_none()) {
        return Settled::Yes;
    }
    if waiting(true) {
        return view.settled(created, 120);
    }
    running_settled(view, pod)
}

/// Not Ready while running: what the probes allow, and a minute.
fn running_settled(view: &View<'_>, pod: &Pod) -> Settled {
    let mut answer = Settled::Yes;
    // A container of a task that ended well is done, not late.
    let is_task = matches!(pod.spec.restart_policy.as_str(), "Never" | "OnFailure");
    let done =
        |status: &&ContainerStatus| is_task && status.state.terminated.as_ref().is_some_and(|end| end.exit_code == 0);
    let late: Vec<_> = pod.status.container_statuses.iter().filter(|s| !s.ready && !done(s)).collect();
    if late.is_empty() && is_task {
        return Settled::No;
    }
    for status in late {
        let spec = pod.spec.containers.iter().find(|c| c.name == status.name);
        let seconds = spec.map_or(60, |c| {
            super::probe::settling_seconds(&[c.startup_probe.as_deref(), c.readiness_probe.as_deref()])
        });
        let started = status.state.running.as_ref().and_then(|running| running.started_at.0);
        match view.settled(started.or(pod.metadata.creation_timestamp), seconds) {
            Settled::Yes => {}
            other => answer = other,
        }
    }
    answer
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
mod tests {
    use super::super::diagnose;
    use super::super::testing::{NOW, OLD, all, of, ready};
    use serde_json::{Value, json};

    /// Failing, in progress and healthy workloads.
    fn states(objects: &[Value]) -> [usize; 3] {
        let summary = diagnose(&of(objects)).summary;
        [summary.failing, summary.in_progress, summary.healthy]
    }

    fn workload(kind: &str, created: &str, status: &Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": "web", "generation": 1, "creationTimestamp": created},
            "spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}},
            "status": status})
    }

    #[test]
    fn what_was_made_a_moment_ago_is_in_progress() {
        for kind in ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"] {
            let young = workload(kind, "2026-11-22T16:59:55Z", &json!({}));
            assert_eq!(states(std::slice::from_ref(&young)), [0, 1, 0], "{kind}");
            assert!(all(&[young]).is_empty(), "{kind}");
            let old = workload(kind, OLD, &json!({}));
            assert_eq!(all(&[old]), [format!("generation-not-observed {kind}/web")]);
        }
        let without_conditions = |created: &str| {
            states(&[workload("Deployment", created, &json!({"observedGeneration": 1, "unavailableReplicas": 1}))])
        };
        assert_eq!(without_conditions("2026-11-22T16:59:05Z"), [0, 1, 0]);
        assert_eq!(without_conditions("2026-11-22T16:58:55Z"), [1, 0, 0]);
    }

    #[test]
    fn a_pod_that_has_just_got_its_node_may_still_start() {
        let placed = |at: &str| {
            let mut pod = ready("web", json!({}));
            pod["metadata"]["creationTimestamp"] = json!(at);
            pod["status"] = json!({"phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at}]});
            all(&[pod])
        };
        assert!(placed("2026-11-22T16:59:58Z").is_empty());
        assert_eq!(placed("2026-11-22T16:57:00Z"), ["not-ready Pod/web"]);
    }

    #[test]
    fn a_failed_pod_that_is_replaced_is_no_failing_workload_and_two_are() {
        let web = workload("StatefulSet", OLD, &json!({"observedGeneration": 1, "replicas": 1}));
        let owned = |name: &str, status: Value| {
            let mut pod = ready(name, json!({"app": "web"}));
            pod["metadata"]["creationTimestamp"] = json!("2026-11-22T16:59:50Z");
            pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet",
                "name": "web", "uid": "StatefulSet-web", "controller": true}]);
            pod["status"] = status;
            pod
        };
        let evicted = |name: &str| owned(name, json!({"phase": "Failed", "reason": "Evicted"}));
        let new = owned("new", json!({"phase": "Pending"}));
        assert_eq!(states(&[web.clone(), evicted("a"), new.clone()]), [0, 1, 0]);
        assert_eq!(states(&[web, evicted("a"), evicted("b"), new]), [1, 0, 0]);
    }

    #[test]
    fn a_status_of_an_earlier_spec_does_not_speak_for_the_new_one() {
        let mut web = workload(
            "Deployment",
            OLD,
            &json!({"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}),
        );
        assert_eq!(states(std::slice::from_ref(&web)), [0, 0, 1]);
        web["metadata"]["generation"] = json!(2);
        web["metadata"]["managedFields"] = json!([{"manager": "kubectl", "time": "2026-11-22T16:59:55Z"}]);
        assert_eq!(states(std::slice::from_ref(&web)), [0, 1, 0]);
        web["metadata"]["managedFields"] = json!([{"manager": "kubectl", "time": OLD}]);
        assert_eq!(states(&[web]), [1, 0, 0]);
    }

    #[test]
    fn a_ready_pod_that_is_being_deleted_is_not_healthy() {
        let deleted = |at: &str| {
            let mut pod = ready("web", json!({}));
            pod["metadata"]["deletionTimestamp"] = json!(at);
            pod
        };
        assert_eq!(states(&[deleted("2026-10-22T16:00:00Z")]), [1, 0, 0]);
        assert_eq!(all(&[deleted("2026-10-22T16:00:00Z")]), ["pod-terminating-stuck Pod/web"]);
        assert_eq!(states(&[deleted(NOW)]), [0, 1, 0]);
        let mut timeless = of(&[deleted("2026-10-22T16:00:00Z")]);
        timeless.newest = "2026-10-22T16:00:00Z".parse().ok();
        timeless.taken_at = None;
        assert_eq!(diagnose(&timeless).summary.in_progress, 1, "without a clock");
    }
}
