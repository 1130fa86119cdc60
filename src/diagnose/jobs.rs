//! Jobs that do not end, and schedules that do not start.

mod cron;
mod starts;

use super::current::{job_end, judged_jobs};
use super::observe::Observation;
use super::refusal;
use super::row::rows;
use super::view::{Settled, View, Workload};
use super::workload::Consequence;
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::kube::{Object, Pod};
use crate::model::path::Path;
use crate::text;
use serde_json::Value;

rows! { "job";
JOB_POD_CREATE_FAILED "job-pod-create-failed" None:
    "a Job can't make its pods";
    "The API refuses them. The Job has no condition for it, only an event.";
    "event FailedCreate on the Job while it has no active pod and no condition.";
    "A policy, a quota, a missing account or class.";
    "An effect: the refusal is what to fix.".
JOB_SIDECAR_NEVER_ENDS "job-sidecar-never-ends" Rule:
    "a Job does not end because a helper container runs on";
    "The main container has ended well, and another of the pod runs for ever, so the pod never completes.";
    "a running pod of a Job in which one container ended with 0 and another has run on for minutes.";
    "A proxy, agent or log shipper beside the task.";
    "When the container that runs on is a known helper of the template, it is made a sidecar (an init container with \
     restartPolicy Always) for a person to review. Otherwise a person chooses.".
JOB_SUSPENDED "job-suspended" None:
    "a Job is suspended";
    "It has no pods, and starts none until spec.suspend is false.";
    "spec.suspend; condition Suspended=True.";
    "A queue that has not admitted it, a person who stopped it.";
    "By intent: change it in Git when it should run again.".
JOB_HANGING "job-hanging" Model:
    "a Job runs far longer than it did before";
    "It has no deadline and has been running for over ten times the usual time, or for over a day.";
    "status.active above 0, startTime, and the durations of earlier runs.";
    "A program that waits for something for ever.";
    "A possible cause only: a person looks at the log of the pod.".
JOB_STUCK_FINALIZER "job-stuck-finalizer" None:
    "a pod of a Job that is gone does not go away";
    "Pods of Jobs have a finalizer for counting, which the Job controller removes. It has not done so.";
    "the finalizer batch.kubernetes.io/job-tracking on a pod whose Job does not exist.";
    "A controller manager that is down, a Job that was removed by force.";
    "Ask who runs the cluster: its controller manager takes the finalizer away once it works again.".
CRONJOB_BLOCKED "cronjob-blocked" None:
    "a CronJob does not start because an earlier run goes on";
    "With concurrencyPolicy Forbid no run starts while one is active, and that one has been active for more than two \
     periods.";
    "status.active with an old Job; event JobAlreadyActive.";
    "A run that hangs or whose pod can't start.";
    "An effect of the run that does not end; activeDeadlineSeconds is for a person to choose.".
CRONJOB_INVALID_SCHEDULE "cronjob-invalid-schedule" Rule:
    "the schedule of a CronJob can't be used";
    "It does not parse, or names a date that never comes. No run is ever started.";
    "event UnparseableSchedule or InvalidSchedule on the CronJob.";
    "Fields in the wrong order, a day that the month does not have, a macro that is not known.";
    "Puts back the schedule of the last good revision in Git. Otherwise a person chooses.".
CRONJOB_UNKNOWN_TIMEZONE "cronjob-unknown-timezone" Rule:
    "the time zone of a CronJob is not known";
    "No run is started until spec.timeZone is a name of the IANA database that the controller has.";
    "event UnknownTimeZone on the CronJob.";
    "An abbreviation, a mistyped name.";
    "When exactly one zone differs by a typo, it is set for a person to review. Otherwise a person chooses.".
CRONJOB_MISSED "cronjob-missed" Rule:
    "a CronJob missed its starts";
    "The controller saw the time too late for startingDeadlineSeconds, or too many starts were missed to catch up.";
    "event MissSchedule or TooManyMissedTimes on the CronJob.";
    "A deadline below ten seconds, a controller that was down, a clock that jumped.";
    "A deadline below ten seconds is raised to a minute for a person to review. Otherwise a person chooses.".
CRONJOB_NEVER_RAN "cronjob-never-ran" Model:
    "a CronJob has never started a run";
    "More than two periods have passed since it was made, and it is not suspended.";
    "no lastScheduleTime, an age of more than two periods.";
    "A controller that does not work, a schedule that was just changed.";
    "Needs judgement: no event says why.".
CRONJOB_SUSPENDED "cronjob-suspended" None:
    "a CronJob is suspended";
    "It starts no runs until spec.suspend is false; runs that have begun go on.";
    "spec.suspend of the CronJob is true.";
    "A person or a tool that stopped it.";
    "By intent: change it in Git when it should run again.".
CRONJOB_CREATE_FAILED "cronjob-create-failed" Model:
    "a CronJob can't make its Job";
    "The API refuses the Job, so the run does not start.";
    "event FailedCreate on the CronJob with `Error creating job: ...`.";
    "A quota on Jobs, a name that is too long, a webhook.";
    "Needs judgement: the message names the cause.".
}

/// Helpers that are run beside a task: names of containers or images.
const HELPERS: [&str; 10] = [
    "istio-proxy",
    "envoy",
    "linkerd-proxy",
    "cloud-sql-proxy",
    "cloudsql-proxy",
    "vault-agent",
    "otel-collector",
    "fluent-bit",
    "fluentd",
    "filebeat",
];

fn of_kind<'v, 's>(view: &'v View<'s>, kind: &'static str) -> impl Iterator<Item = (&'v Workload<'s>, &'s Object)> {
    let with_source = view.workloads.iter().filter_map(|workload| Some((workload, workload.source?)));
    with_source.filter(move |(_, source)| source.kind == kind)
}

fn is_suspended(object: &Object) -> bool {
    object.at("/spec/suspend").and_then(Value::as_bool) == Some(true)
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out: Vec<Observation> =
        view.subjects().filter_map(|subject| sidecar(view, subject.workload, subject.pod)).collect();
    for (workload, job) in of_kind(view, "Job") {
        if is_suspended(job) && job_end(job).is_none() {
            out.push(intent(&JOB_SUSPENDED, workload, format!("Job {} is suspended", job.metadata.name)));
        }
        out.extend(hanging(view, workload, job, None));
    }
    for (workload, cron_job) in of_kind(view, "CronJob") {
        if is_suspended(cron_job) {
            out.push(intent(&CRONJOB_SUSPENDED, workload, format!("CronJob {} is suspended", cron_job.metadata.name)));
            continue;
        }
        let by_event = cron::schedule(view, workload, cron_job);
        let silent = by_event.is_none();
        out.extend(by_event);
        out.extend(cron::blocked(view, workload, cron_job));
        out.extend(cron::never_ran(view, workload, cron_job).filter(|_| silent));
        let usual = usual_seconds(view, cron_job);
        for job in judged_jobs(&view.children, cron_job) {
            out.extend(hanging(view, workload, job, usual));
        }
    }
    out.extend(orphans(view));
    out
}

fn intent(code: &'static CodeInfo, workload: &Workload<'_>, summary: String) -> Observation {
    let mut seen = Observation::of_workload(code, workload);
    seen.show(Source::Spec, None, "suspend: true", Some(Path::of("spec.suspend")));
    seen.summary = summary;
    seen.severity = Some(Severity::Info);
    seen
}

fn sidecar(view: &View<'_>, workload: &Workload<'_>, pod: &Pod) -> Option<Observation> {
    let kind = workload.source.map(|source| source.kind.as_str());
    if !matches!(kind, Some("Job" | "CronJob")) || pod.status.phase != "Running" {
        return None;
    }
    let statuses = &pod.status.container_statuses;
    let ended = |status: &&crate::model::kube::ContainerStatus| {
        status.state.terminated.as_ref().is_some_and(|end| end.exit_code == 0)
    };
    let running: Vec<_> = statuses.iter().filter(|status| status.state.running.is_some()).collect();
    let main = statuses.iter().find(ended)?;
    let all_others_ended = statuses.iter().filter(ended).count() + running.len() == statuses.len();
    let last_end = statuses.iter().filter_map(|s| s.state.terminated.as_ref()?.finished_at.0).max();
    let held = running.first().filter(|_| all_others_ended)?;
    let mut seen = Observation::of_workload(&JOB_SIDECAR_NEVER_ENDS, workload);
    seen.pod = Some(pod.metadata.name.clone());
    seen.container = Some(held.name.clone());
    seen.since = last_end;
    seen.severity = Some(Severity::Error);
    seen.summary = format!("container {} ended well and {} runs on, so the Job never ends", main.name, held.name);
    seen.show(Source::Status, last_end, &format!("container {}: Completed (exit 0)", main.name), None);
    seen.show(Source::Status, None, &format!("container {} is running", held.name), None);
    let spec = workload.source.and_then(Object::pod_spec);
    let of_template = spec.and_then(|spec| spec.containers.iter().find(|container| container.name == held.name));
    let image = of_template.map_or("", |container| container.image.as_str());
    let base = image.rsplit('/').next().and_then(|base| base.split([':', '@']).next()).unwrap_or_default();
    let known = HELPERS.iter().any(|helper| held.name == *helper || base == *helper);
    if !known || of_template.is_none() {
        seen.class = FixClass::Ask;
    }
    seen.fact("helper", known && of_template.is_some());
    seen.fact("runsSeconds", last_end.and_then(|at| view.age(Some(at))));
    seen.settle(view.settled(last_end, 600))
}

fn started(job: &Object) -> Option<jiff::Timestamp> {
    job.text("/status/startTime").parse().ok()
}

/// Median of the seconds that earlier runs took.
fn usual_seconds(view: &View<'_>, cron_job: &Object) -> Option<i64> {
    let mut all: Vec<i64> = view
        .children
        .of("Job", cron_job)
        .filter_map(|job| {
            let end: jiff::Timestamp = job.text("/status/completionTime").parse().ok()?;
            Some(end.as_second() - started(job)?.as_second())
        })
        .collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

fn hanging(view: &View<'_>, workload: &Workload<'_>, job: &Object, usual: Option<i64>) -> Option<Observation> {
    let active = job.int("/status/active").unwrap_or_default() > 0;
    let deadline = job.at("/spec/activeDeadlineSeconds").is_some();
    let age = view.age(started(job)).filter(|_| active && !deadline)?;
    let limit = usual.map_or(24 * 3600, |usual| (usual * 10).max(600));
    if age <= limit.min(24 * 3600) {
        return None;
    }
    let mut seen = Observation::of_workload(&JOB_HANGING, workload);
    let earlier = usual.map_or_else(String::new, |usual| format!("; earlier runs took {}", text::duration(usual)));
    seen.summary = format!("Job {} has been running for {}{earlier}", job.metadata.name, text::duration(age));
    seen.confidence = Confidence::Hypothesis;
    seen.severity = Some(Severity::Info);
    seen.since = started(job);
    let pods = text::count(usize::try_from(job.int("/status/active").unwrap_or_default()).unwrap_or_default(), "pod");
    seen.show(Source::Status, seen.since, &format!("active: {pods}, no activeDeadlineSeconds"), None);
    seen.message.clone_from(&job.metadata.name);
    Some(seen)
}

/// Pods that keep the counting finalizer of a Job that is gone.
fn orphans(view: &View<'_>) -> Vec<Observation> {
    if view.snapshot.lacks("jobs") {
        return Vec::new();
    }
    let kept = view.snapshot.pods.iter().filter(|pod| {
        let tracked = pod.metadata.finalizers.iter().any(|name| name == "batch.kubernetes.io/job-tracking");
        let job = pod.metadata.controller().filter(|owner| owner.kind == "Job");
        let gone = job.is_some_and(|owner| view.snapshot.find("Job", &pod.metadata.namespace, &owner.name).is_none());
        let late =
            view.settled(pod.metadata.deletion_timestamp.or(pod.metadata.creation_timestamp), 300) == Settled::Yes;
        tracked && gone && late
    });
    kept.map(|pod| {
        let mut seen = Observation::of_object(&JOB_STUCK_FINALIZER, pod.object());
        seen.summary = format!("pod {} is kept for a Job that does not exist", pod.metadata.name);
        seen.severity = Some(Severity::Warning);
        seen.since = pod.metadata.deletion_timestamp.or(pod.metadata.creation_timestamp);
        let path = Path::of("metadata.finalizers");
        seen.show(Source::Spec, None, "finalizer batch.kubernetes.io/job-tracking", Some(path));
        seen
    })
    .collect()
}

/// Jobs whose pods are refused.
pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    let refused = |(workload, job): (&Workload<'_>, &Object)| {
        refusal::of(view, workload)?;
        Some(Consequence {
            code: &JOB_POD_CREATE_FAILED,
            object: job.object(),
            follows: vec![workload.key.clone()],
            container: None,
            summary: format!("Job {} can't make its pods", job.metadata.name),
        })
    };
    of_kind(view, "Job").filter_map(refused).collect()
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
mod tests {
    use super::super::diagnose;
    use super::super::testing::{OLD, all, event, finding, of, ready, roots};
    use super::Severity;
    use super::cron::period;
    use serde_json::{Value, json};

    fn cron_job(spec: Value, status: Value) -> Value {
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"}, "spec": spec, "status": status})
    }

    fn told(schedule: Value, reason: &str, message: &str) -> Vec<String> {
        let one = cron_job(schedule, json!({"lastScheduleTime": OLD}));
        roots(&[one, event("CronJob", "report", reason, message)])
    }

    #[test]
    fn what_the_controller_says_of_a_schedule_has_its_code() {
        let zone = json!({"schedule": "* * * * *", "timeZone": "Europe/Berln"});
        assert_eq!(
            told(zone, "UnknownTimeZone", r#"invalid timeZone: "Europe/Berln": unknown time zone"#),
            ["cronjob-unknown-timezone CronJob/report"]
        );
        let often = json!({"schedule": "* * * * *", "startingDeadlineSeconds": 5});
        assert_eq!(
            told(often.clone(), "MissSchedule", "Missed scheduled time to start a job: Sun"),
            ["cronjob-missed CronJob/report"]
        );
        let long = "Error creating job: Job.batch \"x\" is invalid: metadata.name: Too long";
        assert_eq!(told(often.clone(), "FailedCreate", long), ["cronjob-create-failed CronJob/report"]);
        assert_eq!(
            told(
                json!({"schedule": "99 * * * *"}),
                "UnparseableSchedule",
                "unparseable schedule: 99 * * * * : end of range"
            ),
            ["cronjob-invalid-schedule CronJob/report"]
        );
        assert!(
            told(often, "UnparseableSchedule", "unparseable schedule: 99 * * * * : x").is_empty(),
            "it was corrected"
        );
    }

    #[test]
    fn a_schedule_without_a_run_is_late_after_two_periods() {
        let never = |schedule: &str| roots(&[cron_job(json!({"schedule": schedule}), json!({}))]);
        assert_eq!(never("*/5 * * * *"), ["cronjob-never-ran CronJob/report"]);
        assert!(never("0 3 * * *").is_empty(), "it was made an hour ago");
        let mut timeless = of(&[made("2026-10-22T16:00:00Z", "*/5 * * * *")]);
        timeless.taken_at = None;
        timeless.newest = "2026-10-22T16:00:00Z".parse().ok();
        let info = diagnose(&timeless).findings.remove(0);
        assert_eq!((info.code.name(), info.severity), ("cronjob-never-ran", Severity::Info));
        let monthly = roots(&[made("2026-09-22T16:00:00Z", "0 3 1 * *")]);
        assert_eq!(monthly, ["cronjob-never-ran CronJob/report"], "October and November");
        assert!(roots(&[made("2026-10-22T16:00:00Z", "0 3 1 * *")]).is_empty(), "one start only");
        assert_eq!(
            [period("* * * * *"), period("*/15 * * * *"), period("0 */2 * * *"), period("0 3 * * 1")],
            [60, 900, 7200, 604_800]
        );
    }

    fn made(at: &str, schedule: &str) -> Value {
        let mut report = cron_job(json!({"schedule": schedule}), json!({}));
        report["metadata"]["creationTimestamp"] = json!(at);
        report
    }

    #[test]
    fn a_date_that_never_comes_is_told_without_its_event() {
        assert_eq!(roots(&[made(OLD, "0 0 31 2 *")]), ["cronjob-invalid-schedule CronJob/report"]);
        assert!(roots(&[made(OLD, "0 0 31 3 *")]).is_empty());
    }

    #[test]
    fn what_is_suspended_is_by_intent() {
        let job =
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"suspend": true}});
        let report = cron_job(json!({"schedule": "* * * * *", "suspend": true}), json!({}));
        assert_eq!(all(&[report, job]), ["cronjob-suspended CronJob/report", "job-suspended Job/j"]);
    }

    #[test]
    fn a_run_that_takes_far_longer_than_before_is_a_possible_cause() {
        let run = |name: &str, status: Value| {
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "ownerReferences": [{"apiVersion": "batch/v1",
                "kind": "CronJob", "name": "report", "uid": "CronJob-report", "controller": true}]}, "spec": {}, "status": status})
        };
        let done = run(
            "a",
            json!({"startTime": "2026-11-22T15:00:00Z", "completionTime": "2026-11-22T15:01:00Z",
            "conditions": [{"type": "Complete", "status": "True"}]}),
        );
        let hangs = run("b", json!({"startTime": OLD, "active": 1}));
        let report = |policy: &str| {
            cron_job(
                json!({"schedule": "* * * * *", "concurrencyPolicy": policy}),
                json!({"lastScheduleTime": OLD, "active": [{"name": "b"}]}),
            )
        };
        assert_eq!(all(&[report("Allow"), done.clone(), hangs.clone()]), ["job-hanging CronJob/report"]);
        assert_eq!(roots(&[report("Forbid"), done, hangs]), ["cronjob-blocked CronJob/report"]);
    }

    #[test]
    fn a_run_that_is_refused_its_pod_is_told_though_earlier_ones_were_well() {
        let run = |name: &str, status: Value| {
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "ownerReferences": [{"apiVersion": "batch/v1",
                "kind": "CronJob", "name": "report", "uid": "CronJob-report", "controller": true}]}, "spec": {}, "status": status})
        };
        let done = run(
            "a",
            json!({"startTime": "2026-11-22T16:00:00Z", "conditions": [{"type": "Complete", "status": "True"}]}),
        );
        let mut left = ready("a-1", json!({}));
        left["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "a", "uid": "Job-a", "controller": true}]);
        left["status"]["phase"] = json!("Succeeded");
        let mut refused = run("b", json!({"startTime": "2026-11-22T16:30:00Z", "ready": 0}));
        refused["metadata"]["creationTimestamp"] = json!("2026-11-22T16:30:00Z");
        let report =
            cron_job(json!({"schedule": "0 * * * *"}), json!({"lastScheduleTime": OLD, "active": [{"name": "b"}]}));
        let text = r#"Error creating: pods "b-" is forbidden: error looking up service account a/x: serviceaccount "x" not found"#;
        let told = roots(&[report, done, left, refused, event("Job", "b", "FailedCreate", text)]);
        assert_eq!(told, ["serviceaccount-missing CronJob/report"]);
    }

    #[test]
    fn a_refused_job_and_an_orphan_pod_are_told() {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {}, "status": {"startTime": OLD}});
        let refused = event(
            "Job",
            "j",
            "FailedCreate",
            "Error creating: pods \"j-\" is forbidden: no PriorityClass with name x was found",
        );
        let told = finding(&[job, refused], "priorityclass-missing");
        assert_eq!(told.effects[0].code.name(), "job-pod-create-failed");
        let mut pod = ready("j-1", json!({}));
        pod["metadata"]["finalizers"] = json!(["batch.kubernetes.io/job-tracking"]);
        pod["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "batch/v1", "kind": "Job", "name": "gone", "uid": "u", "controller": true}]);
        assert_eq!(roots(&[pod]), ["job-stuck-finalizer Pod/j-1"]);
    }
}
