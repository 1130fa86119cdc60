//! Workloads as a whole: rows, and effects of their pods.

use super::current::{job_end, judged_jobs};
use super::view::{View, Workload};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::text;

macro_rules! row {
    ($name:ident, $code:literal, $class:ident, $title:literal, $meaning:literal, $signals:literal, $causes:literal, $fix:literal) => {
        pub(crate) static $name: CodeInfo = CodeInfo {
            name: $code,
            family: "workload",
            title: $title,
            meaning: $meaning,
            signals: $signals,
            causes: $causes,
            class: FixClass::$class,
            fix: $fix,
        };
    };
}

row!(
    NOT_READY,
    "not-ready",
    Model,
    "a workload lacks ready pods for a reason without a code of its own",
    "The workload has had the time it needs and still lacks ready pods, and no more exact code explains it. The \
     reasons and messages of its pods and conditions are the evidence.",
    "pods that are not ready, waiting reasons, status.reason of failed pods, ReplicaFailure and FailedCreate.",
    "Anything: admission, storage, a kill by a probe, a node. The evidence names it.",
    "Needs judgement: nothing is changed by rule."
);
row!(
    ROLLOUT_STALLED,
    "rollout-stalled",
    None,
    "a rollout passed its progress deadline",
    "The Deployment's new pods did not become ready in progressDeadlineSeconds. Pods of the earlier revision may \
     still serve.",
    "condition Progressing=False, reason ProgressDeadlineExceeded.",
    "What keeps the new pods from being ready.",
    "An effect: the cause in its pods is what to fix."
);
row!(
    DEPLOYMENT_UNAVAILABLE,
    "deployment-unavailable",
    None,
    "a Deployment has fewer pods than it must have",
    "Fewer pods are available than the Deployment's strategy allows.",
    "condition Available=False, reason MinimumReplicasUnavailable.",
    "What keeps its pods from being ready.",
    "An effect: the cause in its pods is what to fix."
);
row!(
    STS_FIRST_POD_BLOCKED,
    "sts-first-pod-blocked",
    None,
    "a StatefulSet waits for a pod that is not ready",
    "With the policy OrderedReady the next pod is made only when the one before is ready, so one pod holds all others.",
    "fewer pods than spec.replicas while a pod of a lower ordinal is not ready.",
    "What keeps that pod from being ready.",
    "An effect: the cause in that pod is what to fix."
);
row!(
    DS_UNAVAILABLE,
    "ds-unavailable",
    None,
    "a DaemonSet lacks ready pods on some nodes",
    "Fewer pods of the DaemonSet are ready than nodes should run one.",
    "status.numberReady below status.desiredNumberScheduled.",
    "What keeps its pods from being ready.",
    "An effect: the cause in its pods is what to fix."
);
row!(
    INIT_CONTAINER_FAILING,
    "init-container-failing",
    None,
    "an init container fails, so the others never start",
    "Init containers run one after another; the main containers wait until all of them have ended well.",
    "condition Initialized=False while an init container ends with an error.",
    "What makes the init container fail: its exit code and its log tell it.",
    "An effect: the failure of the init container is what to fix."
);
row!(
    SIDECAR_NOT_STARTED,
    "sidecar-not-started",
    None,
    "a sidecar does not start, so the others never start",
    "An init container with restartPolicy Always must be started before the next container is.",
    "an init container with restartPolicy Always and started=false while the main containers wait.",
    "A startup probe that fails, a crash of the sidecar.",
    "An effect: the fault of the sidecar is what to fix."
);
row!(
    JOB_BACKOFF_EXCEEDED,
    "job-backoff-exceeded",
    Model,
    "a Job gave up after its retries",
    "The pods of the Job failed more often than backoffLimit allows. With restartPolicy OnFailure the pod is deleted \
     and its log is gone.",
    "Job condition Failed=True, reason BackoffLimitExceeded.",
    "What makes its pods fail: the exit code and the log of the last one tell it.",
    "Needs judgement: fix what makes the pods fail, then the Job must be made anew."
);
row!(
    JOB_DEADLINE_EXCEEDED,
    "job-deadline-exceeded",
    Rule,
    "a Job ran longer than it may",
    "The Job was ended, and its pods deleted, when activeDeadlineSeconds were over.",
    "Job condition Failed=True, reason DeadlineExceeded.",
    "A program that hangs, a pod that could not start, a deadline that is too short.",
    "Puts back the deadline of the last good revision, or doubles it for a person to review when earlier successful \
     runs took most of it. Otherwise a person chooses."
);
row!(
    JOB_FAILED_INDEXES,
    "job-failed-indexes",
    Model,
    "some indexes of a Job failed",
    "An indexed Job ended and some of its indexes used up their own retries.",
    "Job condition Failed=True, reason FailedIndexes.",
    "What makes the pods of these indexes fail.",
    "Needs judgement: fix what makes the pods fail, then the Job must be made anew."
);
row!(
    JOB_MAX_FAILED_INDEXES,
    "job-max-failed-indexes",
    Model,
    "more indexes of a Job failed than may",
    "An indexed Job was ended because more than maxFailedIndexes failed.",
    "Job condition Failed=True, reason MaxFailedIndexesExceeded.",
    "What makes the pods of these indexes fail.",
    "Needs judgement: fix what makes the pods fail, then the Job must be made anew."
);
row!(
    JOB_POD_FAILURE_POLICY,
    "job-pod-failure-policy",
    Model,
    "a pod failed in a way for which its Job gives up at once",
    "A rule of podFailurePolicy with the action FailJob matched a failed pod.",
    "Job condition Failed=True, reason PodFailurePolicy.",
    "The exit code or condition that the rule names.",
    "Needs judgement: fix what makes the pod fail, then the Job must be made anew."
);
row!(
    CRONJOB_LAST_RUN_FAILED,
    "cronjob-last-run-failed",
    None,
    "the newest finished run of a CronJob failed",
    "The Job of the newest run that ended has failed.",
    "condition Failed=True of the newest finished Job that the CronJob owns.",
    "What makes the pods of that Job fail: see the exit code and the log of its last pod.",
    "An effect: the failure of the run is what to fix."
);

/// Rows of this family.
pub(crate) const CODES: &[&CodeInfo] = &[
    &NOT_READY,
    &ROLLOUT_STALLED,
    &DEPLOYMENT_UNAVAILABLE,
    &STS_FIRST_POD_BLOCKED,
    &DS_UNAVAILABLE,
    &INIT_CONTAINER_FAILING,
    &SIDECAR_NOT_STARTED,
    &JOB_BACKOFF_EXCEEDED,
    &JOB_DEADLINE_EXCEEDED,
    &JOB_FAILED_INDEXES,
    &JOB_MAX_FAILED_INDEXES,
    &JOB_POD_FAILURE_POLICY,
    &CRONJOB_LAST_RUN_FAILED,
];

/// Reasons of a Job's condition `Failed`.
const JOB_ENDS: [(&str, &CodeInfo); 5] = [
    ("BackoffLimitExceeded", &JOB_BACKOFF_EXCEEDED),
    ("DeadlineExceeded", &JOB_DEADLINE_EXCEEDED),
    ("FailedIndexes", &JOB_FAILED_INDEXES),
    ("MaxFailedIndexesExceeded", &JOB_MAX_FAILED_INDEXES),
    ("PodFailurePolicy", &JOB_POD_FAILURE_POLICY),
];

/// What follows from a fault in the pods of some workload.
pub(crate) struct Consequence {
    pub code: &'static CodeInfo,
    pub object: ObjectRef,
    /// Keys of the workloads, or of other objects, that it can follow from.
    pub follows: Vec<String>,
    /// Only a fault of this container has it.
    pub container: Option<String>,
    pub summary: String,
}

/// Effects of every workload, to be hung under a root.
pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    let mut out = Vec::new();
    for workload in &view.workloads {
        if let Some(source) = workload.source {
            out.extend(of_source(view, workload, source));
        }
        out.extend(init(workload));
    }
    out
}

fn consequence(code: &'static CodeInfo, workload: &Workload<'_>, object: ObjectRef, summary: String) -> Consequence {
    Consequence { code, object, follows: vec![workload.key.clone()], container: None, summary }
}

fn of_source(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Vec<Consequence> {
    let (name, counts) = (&source.metadata.name, workload.counts);
    let ready = format!("{} of {} pods are ready", counts.ready, counts.desired);
    let make = |code, summary| consequence(code, workload, source.object(), summary);
    match source.kind.as_str() {
        "Deployment" => {
            let conditions = source.conditions();
            let has = |kind: &str, reason: &str| {
                conditions.iter().any(|c| c.kind == kind && c.status == "False" && c.reason == reason)
            };
            let stalled = has("Progressing", "ProgressDeadlineExceeded").then(|| {
                make(&ROLLOUT_STALLED, format!("the rollout of {name} passed its progress deadline; {ready}"))
            });
            let unavailable = has("Available", "MinimumReplicasUnavailable")
                .then(|| make(&DEPLOYMENT_UNAVAILABLE, format!("Deployment {name} is unavailable: {ready}")));
            stalled.into_iter().chain(unavailable).collect()
        }
        "Rollout" if super::health::passed_deadline(source) => {
            vec![make(&ROLLOUT_STALLED, format!("the rollout of {name} passed its progress deadline; {ready}"))]
        }
        "StatefulSet" if workload.pods.len() < counts.desired && workload.pods.iter().any(|pod| !pod.is_ready()) => {
            let blocker = workload.pods.iter().find(|pod| !pod.is_ready()).map_or("", |pod| &pod.metadata.name);
            vec![make(&STS_FIRST_POD_BLOCKED, format!("StatefulSet {name} waits for pod {blocker}; {ready}"))]
        }
        "DaemonSet" if counts.ready < counts.desired => {
            vec![make(&DS_UNAVAILABLE, format!("DaemonSet {name}: {ready}"))]
        }
        "Job" => job_failure(source).into_iter().map(|(code, summary)| make(code, summary)).collect(),
        "CronJob" => {
            let failed =
                judged_jobs(&view.children, source).into_iter().filter_map(|job| Some((job, job_failure(job)?)));
            failed
                .flat_map(|(job, (code, summary))| {
                    let last = format!("the newest run of CronJob {name} that ended, {}, failed", job.metadata.name);
                    [make(&CRONJOB_LAST_RUN_FAILED, last), consequence(code, workload, job.object(), summary)]
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The code of a Job that failed, and what it says.
pub(crate) fn job_failure(job: &Object) -> Option<(&'static CodeInfo, String)> {
    let end = job_end(job).filter(|end| end.kind == "Failed")?;
    let (_, code) = JOB_ENDS.into_iter().find(|(reason, _)| *reason == end.reason)?;
    Some((code, format!("Job {} failed: {}", job.metadata.name, text::clip(&end.message, 120))))
}

fn init(workload: &Workload<'_>) -> Vec<Consequence> {
    let mut out: Vec<Consequence> = Vec::new();
    let waits = workload.current.iter().filter(|pod| {
        pod.condition("Initialized").is_some_and(|c| c.status == "False") && pod.metadata.deletion_timestamp.is_none()
    });
    for pod in waits {
        let Some(held) = super::view::first_unfinished_init(pod) else { continue };
        let (name, sidecar) = (&held.status.name, held.sidecar);
        if out.iter().any(|known| known.container.as_ref() == Some(name)) {
            continue;
        }
        let (code, summary) = if sidecar {
            (&SIDECAR_NOT_STARTED, format!("sidecar {name} does not start, so the other containers wait"))
        } else {
            (&INIT_CONTAINER_FAILING, format!("init container {name} fails, so the other containers wait"))
        };
        let mut one = consequence(code, workload, workload.top.clone(), summary);
        one.container = Some(name.clone());
        out.push(one);
    }
    out
}
