//! Containers that end, or that never start.

use super::log_lines;
use super::observe::Observation;
use super::view::{Running, Settled, View, run_seconds};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Confidence, Source};
use crate::model::kube::Terminated;
use crate::text;
use regex::Regex;
use serde_json::json;
use std::sync::LazyLock;

pub(crate) static OOM_KILLED: CodeInfo = CodeInfo {
    name: "oom-killed",
    family: "crash",
    title: "a container is killed at its memory limit",
    meaning: "The kernel killed a process of the container because the container reached its memory limit, and the \
              container ended. It is started again and will be killed again.",
    signals: "state.terminated or lastState.terminated with reason OOMKilled and an exit code other than 0. The exit \
              code is 137, or the parent's own when a child was killed. 137 alone is no proof of it.",
    causes: "A limit below what the program needs, a leak, a load peak, a heap setting that does not know the limit.",
    class: FixClass::Rule,
    fix: "Raises limits.memory: to that of the last good revision, else double below 1Gi and by half above it, capped by \
          node, quota and LimitRange. The limit is never removed. A leak, a single kill or a heap error is for a person.",
};

pub(crate) static COMMAND_NOT_FOUND: CodeInfo = CodeInfo {
    name: "command-not-found",
    family: "crash",
    title: "the image does not have the command to run",
    meaning: "The runtime could not start the container because the program named by command, args or the image's \
              entrypoint is not in the image.",
    signals: "terminated.reason StartError, exit code 128, and `exec: \"X\": executable file not found in $PATH` or \
              `exec: \"X\": stat X: no such file or directory` in its message.",
    causes: "A mistyped command, an image that was rebuilt without the program, a whole shell line as one word.",
    class: FixClass::Rule,
    fix: "Puts back command and args of the last good revision when the image is unchanged. A changed image or a shell \
          line in one word is for a person to choose.",
};

pub(crate) static CRASH_APP_ERROR: CodeInfo = CodeInfo {
    name: "crash-app-error",
    family: "crash",
    title: "the program ends with an error of its own",
    meaning: "The container ends by itself with an exit code other than 0, and nothing else that is known explains it: \
              no memory kill, no probe, no signal.",
    signals: "terminated.reason Error in a crash loop or a failed pod, with the last error line of its log.",
    causes: "A bug, a wrong setting, a dependency that does not answer, a migration that failed.",
    class: FixClass::Rule,
    fix: "When the last good revision differs in a single field, that field is put back, for a person to review. \
          Otherwise it needs judgement: the exit code, the log and what changed are shown.",
};

/// Rows of this family.
pub(crate) const CODES: &[&CodeInfo] = &[&OOM_KILLED, &COMMAND_NOT_FOUND, &CRASH_APP_ERROR];

/// Exit codes whose own meaning is more than "an error": 126 and 127 of a shell, 128 and above of signals
/// that have codes of their own.
const OWN_CODES: [i64; 7] = [126, 127, 132, 134, 137, 139, 143];

static NO_COMMAND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"exec: "([^"]*)": (?:stat [^:"]*: no such file or directory|executable file not found in \$PATH)"#)
        .ok()
});

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let containers = view.subjects().flat_map(super::view::Subject::containers);
    containers.filter_map(|c| command_not_found(&c).or_else(|| oom_killed(&c)).or_else(|| app_error(&c))).collect()
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
        || has_failed_for_good(container)
}

fn is_recovered(container: &Running<'_, '_>) -> bool {
    let Some(running) = container.status.state.running.as_ref().filter(|_| container.status.ready) else {
        return false;
    };
    let run = container.at.view.age(running.started_at.0);
    let longer_than = |seconds| run.is_some_and(|run| run >= seconds);
    container.status.restart_count < 2 || longer_than(3600) || (longer_than(600) && container.status.restart_count < 3)
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

fn oom_killed(container: &Running<'_, '_>) -> Option<Observation> {
    let end = container.last_exit().filter(|end| end.reason == "OOMKilled" && end.exit_code != 0)?;
    // An init container that ends is another code.
    if container.list == "initContainers" && !container.sidecar || !is_crashing(container) {
        return None;
    }
    let name = &container.status.name;
    let limit = container.spec.and_then(|spec| spec.resources.limits.get("memory"));
    let shown = limit.map(|limit| limit.as_str().map_or_else(|| limit.to_string(), str::to_owned));
    let mut seen = Observation::of_container(&OOM_KILLED, container);
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

/// A start error cannot heal by waiting: it counts at once.
fn command_not_found(container: &Running<'_, '_>) -> Option<Observation> {
    if container.status.ready {
        return None;
    }
    let end = container.last_exit().filter(|end| end.reason == "StartError");
    let waiting = matches!(container.waiting(), "RunContainerError" | "CreateContainerError");
    let message = match end {
        Some(end) => &end.message,
        None if waiting => container.waiting_message(),
        None => return None,
    };
    let program = NO_COMMAND.as_ref()?.captures(message)?.get(1)?.as_str();
    let mut seen = Observation::of_container(&COMMAND_NOT_FOUND, container);
    program.clone_into(&mut seen.message);
    seen.summary = format!(
        "container {} cannot start: {program} is not in image {}",
        container.status.name,
        container.spec.map_or(container.status.image.as_str(), |spec| spec.image.as_str())
    );
    seen.show(Source::Status, end.and_then(|end| end.finished_at.0), message, None);
    for (field, words) in container.spec.iter().flat_map(|c| [("command", &c.command), ("args", &c.args)]) {
        if !words.is_empty() {
            seen.show(Source::Spec, None, &format!("{field}: {}", json!(words)), Some(container.path().field(field)));
        }
    }
    seen.fact("program", program);
    seen.fact("worked", container.ran_long_in_revision());
    Some(seen)
}

fn app_error(container: &Running<'_, '_>) -> Option<Observation> {
    let end = container.last_exit().filter(|end| end.exit_code != 0 && end.reason == "Error")?;
    if OWN_CODES.contains(&end.exit_code) || !is_crashing(container) || was_killed(container, end) {
        return None;
    }
    let last = log_lines::of(container).or_else(|| from_message(end));
    let mut seen = Observation::of_container(&CRASH_APP_ERROR, container);
    seen.confidence = Confidence::Strong;
    seen.message = end.exit_code.to_string();
    let code = end.exit_code;
    let said = last.as_ref().map_or_else(String::new, |line| format!(": {}", text::clip(&line.text, 160)));
    seen.summary =
        format!("container {} ends with exit code {code}, {}{said}", container.status.name, restarts(container));
    show_exit(&mut seen, container, end);
    if let Some(line) = last {
        seen.show(Source::Log, line.at, &line.text, None);
    }
    seen.fact("exitCode", code);
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
    let killing = |e: &crate::model::kube::Event| {
        e.reason == "Killing" || e.reason == "FailedPostStartHook" || e.reason == "Preempted"
    };
    if container.events().any(killing) {
        return true;
    }
    // The event is gone after an hour: then a failing probe and a run as long as it allows speak for it.
    let Some(spec) = container.spec else { return false };
    let unhealthy = container.events().any(|e| e.reason == "Unhealthy");
    let allowed = super::probe::settling_seconds(&[&spec.startup_probe, &spec.liveness_probe]) - 60;
    let has_probe = spec.startup_probe.is_some() || spec.liveness_probe.is_some();
    let lasted = run_seconds(end).unwrap_or_default();
    unhealthy && has_probe && (allowed - 15..=allowed + 45).contains(&lasted)
}

fn show_exit(seen: &mut Observation, container: &Running<'_, '_>, end: &Terminated) {
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

fn restarts(container: &Running<'_, '_>) -> String {
    text::count(usize::try_from(container.status.restart_count).unwrap_or_default(), "restart")
}
