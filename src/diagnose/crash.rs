//! Containers that end, or that never start.

mod exits;
pub(crate) mod hosts;
mod logged;
pub(crate) mod mounts;
mod paths;
pub(crate) mod rows;

use super::log_lines;
use super::observe::Observation;
use super::signatures::{self, Hit};
use super::view::{Running, Settled, View, run_seconds};
use crate::model::code::FixClass;
use crate::model::finding::{Confidence, Source};
use crate::model::kube::{Event, Terminated};
use crate::text;
pub(crate) use logged::names_an_error;
pub(crate) use rows::CODES;
use serde_json::json;

/// How many times as long as the run that ended a run must last to be more than the next one that ends.
const OUTLASTS: i64 = 10;

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let containers = view.subjects().flat_map(super::view::Subject::containers);
    let mut out: Vec<Observation> = containers.filter_map(|container| of(&container)).collect();
    out.extend(logged::unprobed_dependencies(view));
    out
}

/// What ended a container: a kill for memory; then what an exit code names; then the log.
/// What a probe or a hook killed, and what never started, has codes of its own.
fn of(container: &Running<'_, '_>) -> Option<Observation> {
    if let Some(seen) = oom_killed(container) {
        return Some(seen);
    }
    let Some(end) = container.last_exit().filter(|_| is_crashing(container)) else {
        return exits::child_killed(container);
    };
    if was_killed(container, end) || may_have_been_killed(container, end) {
        return None;
    }
    if end.exit_code == 0 {
        return exits::zero(container, end);
    }
    if end.reason != "Error" {
        return None;
    }
    if let Some(seen) = exits::by_code(container, end) {
        return Some(seen);
    }
    let hit = signature(container, end);
    let seen = hit.as_ref().and_then(|hit| logged::observe(container, end, hit));
    if seen.as_ref().is_none_or(|seen| seen.code.name == rows::CRASH_FILE_MISSING.name)
        && super::config::explains_crash(container)
    {
        return None;
    }
    seen.or_else(|| exits::shell(container, end)).or_else(|| app_error(container, end, hit.as_ref()))
}

/// What the log of the run that ended, or its termination message, is known to mean.
fn signature(container: &Running<'_, '_>, end: &Terminated) -> Option<Hit> {
    let exit = Some(end.exit_code);
    signatures::of(container, exit).or_else(|| signatures::of_text(container, exit, &end.message))
}

/// Whether the log of a container that crashes names the cause, other than a file that is missing.
pub(crate) fn named_by_log(container: &Running<'_, '_>) -> bool {
    let hit = container.last_exit().and_then(|end| signature(container, end));
    hit.is_some_and(|hit| hit.code.is_some() && hit.id != "enoent")
}

/// Whether a container crashes now: a past restart is no finding, nor is a count of restarts alone.
pub(crate) fn is_crashing(container: &Running<'_, '_>) -> bool {
    let Some(end) = container.last_exit() else { return false };
    if is_recovered(container) {
        return false;
    }
    let restarts = container.status.restart_count;
    let exited_within = |seconds| container.at.view.settled(end.finished_at.0, seconds) == Settled::No;
    container.waiting() == "CrashLoopBackOff"
        || (restarts >= 2 && exited_within(600))
        || (restarts >= 3 && exited_within(3600))
        || has_ended_again(container)
        || has_failed_for_good(container)
}

/// Down at this moment after other failed runs, before its back-off: no clock is needed to know it.
fn has_ended_again(container: &Running<'_, '_>) -> bool {
    let failed = container.status.state.terminated.as_ref().is_some_and(|end| end.exit_code != 0);
    failed && container.status.restart_count >= 2 && container.at.pod.status.phase == "Running"
}

fn is_recovered(container: &Running<'_, '_>) -> bool {
    let Some(running) = container.status.state.running.as_ref().filter(|_| container.status.ready) else {
        return false;
    };
    let run = container.at.view.age(running.started_at.0);
    let longer_than = |seconds| run.is_some_and(|run| run >= seconds);
    // What ended at once again and again, and then stays up: its dependency came, or its file was mended.
    let outlasts = || container.last_exit().and_then(run_seconds).is_some_and(|last| longer_than(last * OUTLASTS));
    container.status.restart_count < 2
        || longer_than(3600)
        || (longer_than(600) && (container.status.restart_count < 3 || outlasts()))
}

/// A failed pod counts when nothing replaced it: its Job gave up or fails again, or it is bare.
fn has_failed_for_good(container: &Running<'_, '_>) -> bool {
    let workload = container.at.workload;
    if container.at.pod.status.phase != "Failed" {
        return false;
    }
    let failed = workload.current.iter().filter(|pod| pod.status.phase == "Failed").count();
    match workload.source.map(|source| source.kind.as_str()) {
        None => true,
        Some("Job" | "CronJob") => {
            workload.health == super::health::Health::Failing
                || (failed >= 2 && workload.health != super::health::Health::Healthy)
        }
        // History, unless the controller lacks pods.
        Some(_) => workload.counts.ready < workload.counts.desired,
    }
}

/// The last end of a container, where it was a kill for memory. The runtime may miss one of several: an end like
/// that of the run before, which was one, is one too.
fn memory_kill<'s>(container: &Running<'_, 's>) -> Option<&'s Terminated> {
    let last = container.last_exit()?;
    let before = container.status.last_state.terminated.as_ref();
    let is_kill = |end: &&Terminated| end.reason == "OOMKilled" && end.exit_code != 0;
    Some(last).filter(is_kill).or_else(|| before.filter(is_kill).filter(|end| end.exit_code == last.exit_code))
}

fn oom_killed(container: &Running<'_, '_>) -> Option<Observation> {
    let end = memory_kill(container)?;
    if !is_crashing(container) {
        return None;
    }
    let is_init = container.list == "initContainers" && !container.sidecar;
    let name = &container.status.name;
    let limit = container.spec.and_then(|spec| spec.resources.limits.get("memory"));
    let shown = limit.map(|limit| limit.as_str().map_or_else(|| limit.to_string(), str::to_owned));
    if limit.is_none()
        && let Some(event) = exits::system_oom(container, end)
    {
        return Some(exits::oom_node(container, end, event));
    }
    let code = if is_init { &rows::OOM_INIT } else { &rows::OOM_KILLED };
    let mut seen = Observation::of_container(code, container);
    if limit.is_none() {
        seen.class = FixClass::Model;
    }
    let at_limit = shown.as_ref().map_or_else(
        || format!("container {name} was killed for memory without a limit of its own"),
        |limit| format!("container {name} was killed at its memory limit of {limit}"),
    );
    seen.summary = format!("{at_limit} (exit {}), {}", end.exit_code, restarts(container));
    show_exit(&mut seen, container, end);
    if let Some(limit) = &shown {
        let path = container.path().field("resources").field("limits").field("memory");
        seen.show(Source::Spec, None, &format!("limits.memory: {limit}"), Some(path));
    }
    let memory_volume = container
        .at
        .pod
        .spec
        .volumes
        .iter()
        .any(|volume| volume.pointer("/emptyDir/medium").and_then(serde_json::Value::as_str) == Some("Memory"));
    let heap_error = log_lines::any_line(container, |line| {
        ["java.lang.OutOfMemoryError", "JavaScript heap out of memory", "Reached heap limit"]
            .iter()
            .any(|text| line.contains(text))
    });
    seen.fact("limit", limit.cloned().unwrap_or_default());
    seen.fact("memoryVolume", memory_volume);
    seen.fact("heapError", heap_error);
    seen.fact("logReadable", log_lines::readable(container));
    seen.fact("kills", kills(container));
    Some(seen)
}

/// Memory kills of this revision, one each of `state` and `lastState`: how many, the most restarts of one
/// container, and the shortest run before a kill.
fn kills(container: &Running<'_, '_>) -> serde_json::Value {
    let pods = container.at.workload.current.iter();
    let statuses: Vec<_> = pods
        .flat_map(|pod| pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses))
        .filter(|status| status.name == container.status.name)
        .collect();
    let ends: Vec<_> = statuses
        .iter()
        .flat_map(|status| [&status.state, &status.last_state])
        .filter_map(|state| state.terminated.as_ref())
        .filter(|end| end.reason == "OOMKilled" && end.exit_code != 0)
        .collect();
    json!({
        "exits": ends.len(),
        "restarts": statuses.iter().map(|status| status.restart_count).max(),
        "shortestRun": ends.iter().filter_map(|end| run_seconds(end)).min(),
    })
}

fn app_error(container: &Running<'_, '_>, end: &Terminated, hit: Option<&Hit>) -> Option<Observation> {
    let told = hit.map(|hit| hit.line.clone());
    let last = told.or_else(|| log_lines::of(container)).or_else(|| from_message(end));
    let mut seen = Observation::of_container(&rows::CRASH_APP_ERROR, container);
    seen.confidence = Confidence::Strong;
    seen.message = end.exit_code.to_string();
    let code = end.exit_code;
    let said = last.as_ref().map_or_else(String::new, |line| format!(": {}", text::clip(&line.text, 160)));
    let means = exits::meaning(code).map_or_else(String::new, |told| format!(" ({told})"));
    seen.summary =
        format!("container {} ends with exit code {code}{means}, {}{said}", container.status.name, restarts(container));
    show_exit(&mut seen, container, end);
    if let Some(line) = last {
        seen.show(Source::Log, line.at, &line.text, None);
    }
    seen.fact("exitCode", code);
    seen.fact("signature", hit.map(|hit| hit.id));
    seen.fact("worked", container.ran_long_in_revision());
    Some(seen)
}

/// The end of a termination message: with `FallbackToLogsOnError` it is the end of the log.
fn from_message(end: &Terminated) -> Option<log_lines::LastLine> {
    let lines: Vec<_> =
        end.message.lines().map(|line| crate::model::snapshot::LogLine { at: None, text: line.to_owned() }).collect();
    log_lines::last_error(&lines)
}

/// Whether somebody else ended the container: a probe, a hook, a deletion. Those are other codes.
pub(crate) fn was_killed(container: &Running<'_, '_>, end: &Terminated) -> bool {
    let killing = |e: &Event| e.reason == "Killing" || e.reason == "FailedPostStartHook" || e.reason == "Preempted";
    if container.events().any(killing) {
        return true;
    }
    // The event is gone after an hour: then a failing probe and a run as long as it allows speak for it.
    let Some(spec) = container.spec else { return false };
    let unhealthy = container.events().any(|e| e.reason == "Unhealthy");
    let allowed = super::probe::settling_seconds(&[spec.startup_probe.as_deref(), spec.liveness_probe.as_deref()]) - 60;
    let has_probe = spec.startup_probe.is_some() || spec.liveness_probe.is_some();
    let lasted = run_seconds(end).unwrap_or_default();
    unhealthy && has_probe && (allowed - 15..=allowed + 45).contains(&lasted)
}

/// Whether a probe or a hook may have ended it and its event is still on the way: events come after the state,
/// and a busy node sends them late.
fn may_have_been_killed(container: &Running<'_, '_>, end: &Terminated) -> bool {
    const LATE: i64 = 90;
    let Some(spec) = container.spec else { return false };
    let has_killer =
        spec.liveness_probe.is_some() || spec.startup_probe.is_some() || spec.lifecycle.get("postStart").is_some();
    let is_recent = |at| container.at.view.settled(at, LATE) == Settled::No;
    let has_just_begun = container.status.restart_count < 3 || is_recent(container.at.pod.metadata.creation_timestamp);
    matches!(end.exit_code, 137 | 143) && has_killer && has_just_begun && is_recent(end.finished_at.0)
}

pub(crate) fn show_exit(seen: &mut Observation, container: &Running<'_, '_>, end: &Terminated) {
    let lasted = run_seconds(end).map(|s| format!(" after {}", text::duration(s))).unwrap_or_default();
    let waiting = container.waiting();
    let now = if waiting.is_empty() { String::new() } else { format!(", now {waiting}") };
    let line = format!("terminated: {} (exit {}){lasted}, {}{now}", end.reason, end.exit_code, restarts(container));
    seen.show(Source::Status, end.finished_at.0, &line, None);
    if !end.message.trim().is_empty() {
        let tail: Vec<&str> = end.message.trim().lines().rev().take(5).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        seen.show(Source::Status, end.finished_at.0, &format!("termination message: {}", tail.join("\n")), None);
    }
    seen.since = seen.since.or(end.finished_at.0);
}

pub(crate) fn restarts(container: &Running<'_, '_>) -> String {
    text::count(usize::try_from(container.status.restart_count).unwrap_or_default(), "restart")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{OLD, ready, roots};
    use serde_json::{Value, json};

    /// A pod that was made at `made`, with a startup probe where `probed`, whose container was killed just now.
    fn killed(probed: bool, made: &str, restarts: u32) -> Value {
        let mut pod = ready("web", json!({}));
        pod["metadata"]["creationTimestamp"] = json!(made);
        if probed {
            pod["spec"]["containers"][0]["startupProbe"] = json!({"tcpSocket": {"port": 8080}, "periodSeconds": 2});
        }
        pod["status"]["conditions"][1]["status"] = json!("False");
        pod["status"]["containerStatuses"][0] = json!({"name": "app", "restartCount": restarts,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": "2026-11-22T16:59:50Z"}}});
        pod
    }

    #[test]
    fn an_end_like_the_memory_kill_before_it_is_one() {
        let ended = |code: u32| {
            let mut pod = killed(false, OLD, 5);
            let end = |reason: &str, code: u32| json!({"terminated": {"exitCode": code, "reason": reason, "finishedAt": "2026-11-22T16:59:50Z"}});
            let status = &mut pod["status"]["containerStatuses"][0];
            (status["state"], status["lastState"]) = (end("Error", code), end("OOMKilled", 137));
            roots(&[pod])
        };
        assert_eq!(ended(137), ["oom-killed Pod/web"]);
        assert_eq!(ended(3), ["crash-app-error Pod/web"]);
    }

    #[test]
    fn a_kill_that_a_probe_may_have_made_waits_for_the_event_of_it() {
        assert_eq!(roots(&[killed(false, OLD, 1)]), ["crash-exit-137 Pod/web"]);
        assert_eq!(roots(&[killed(true, OLD, 5)]), ["crash-exit-137 Pod/web"], "no event of it in all that time");
        for (made, restarts) in [(OLD, 1), ("2026-11-22T16:58:40Z", 4)] {
            let found = roots(&[killed(true, made, restarts)]);
            assert!(found.iter().all(|root| !root.starts_with("crash-")), "{found:?}");
        }
    }
}
