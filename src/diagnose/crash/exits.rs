//! Ends that their exit code tells, or that are no error.

use super::{Hit, log_lines, paths, restarts, rows, show_exit, signature, signatures};
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Running, run_seconds};
use crate::model::code::CodeInfo;
use crate::model::finding::{Confidence, Source};
use crate::model::kube::{Event, Terminated};
use crate::text;

/// Controllers that want their pods to run for ever.
const SERVICES: [&str; 6] =
    ["DaemonSet", "Deployment", "ReplicaSet", "ReplicationController", "Rollout", "StatefulSet"];

/// Exit codes that name the cause before any log does.
pub(super) fn by_code(container: &Running<'_, '_>, end: &Terminated) -> Option<Observation> {
    let (code, what): (&'static CodeInfo, &str) = match end.exit_code {
        126 => (&rows::CRASH_EXIT_126, "a shell may not execute its command"),
        132 => (&rows::CRASH_ILLEGAL_INSTRUCTION, "it uses an instruction that the processor does not have"),
        139 => (&rows::CRASH_SEGFAULT, "it ends with a segmentation fault"),
        137 => match system_oom(container, end) {
            Some(event) => return Some(oom_node(container, end, event)),
            None => {
                (&rows::CRASH_EXIT_137, "it is killed by signal 9, not by its memory limit, and no event says by whom")
            }
        },
        143 => (&rows::CRASH_EXIT_143, "it is asked to end by signal 15, and no event says by whom"),
        _ => return None,
    };
    let mut seen = start(container, end, code, what);
    let hit = signature(container, end);
    if let Some(program) = program(container, hit.as_ref()) {
        seen.summary.push_str(&format!(": {program}"));
        seen.fact("program", program);
    }
    if let Some(feature) = hit.as_ref().and_then(|hit| hit.get("feature")) {
        seen.fact("feature", feature);
    }
    let script = hit.as_ref().filter(|_| end.exit_code == 126).and_then(|hit| hit.get("path"));
    if let Some(told) = script.and_then(|path| paths::windows(&mut seen, container, path)) {
        seen.summary = format!("{told} (exit 126, {})", restarts(container));
    }
    if matches!(end.exit_code, 137 | 143) {
        let siblings = container.at.pod.status.container_statuses.iter().filter(|s| s.name != container.status.name);
        seen.fact("siblings", siblings.map(|s| s.name.clone()).collect::<Vec<_>>());
        let child = log_lines::find(container, |line| line == "Killed" || line.contains("signal 9"));
        seen.fact("childKilled", child.is_some());
    }
    Some(seen)
}

/// What an exit code means by custom, for one that has no finding of its own. Above 128 it is a signal's number.
pub(super) fn meaning(exit: i64) -> Option<String> {
    let told = match exit {
        2 => "wrong use of a shell or of arguments, or a panic of a Go program",
        64 => "wrong use of its arguments",
        65 => "input that it can't read",
        66 => "an input that is missing",
        69 => "a service that is not available",
        77 => "no permission",
        78 => "a configuration that it does not accept",
        101 => "a panic of a Rust program",
        255 => "an error that it gives no code of its own, or a lost status",
        129 => "signal 1: its terminal is gone",
        130 => "signal 2: it was interrupted",
        131 => "signal 3: it was told to quit",
        133 => "signal 5: a trap of a debugger or of the program itself",
        135 => "signal 7: memory that is not there, such as a file cut off while it is mapped",
        136 => "signal 8: wrong arithmetic, such as a division by zero",
        141 => "signal 13: it wrote to a pipe that nobody reads",
        159 => "signal 31: a system call that the seccomp profile forbids",
        144..=192 | 138 | 140 | 142 => return Some(format!("signal {}", exit - 128)),
        _ => return None,
    };
    Some(told.to_owned())
}

/// 127 and 134, once the log did not name a loader or a heap.
pub(super) fn shell(container: &Running<'_, '_>, end: &Terminated) -> Option<Observation> {
    let (code, what): (&'static CodeInfo, &str) = match end.exit_code {
        127 => (&rows::CRASH_EXIT_127, "a shell does not find its command"),
        134 => (&rows::CRASH_ABORT, "it aborts itself"),
        _ => return None,
    };
    Some(start(container, end, code, what))
}

fn start(container: &Running<'_, '_>, end: &Terminated, code: &'static CodeInfo, what: &str) -> Observation {
    let mut seen = Observation::of_container(code, container);
    seen.message = end.exit_code.to_string();
    seen.summary = format!(
        "container {} ends with exit code {}, {}: {what}",
        container.status.name,
        end.exit_code,
        restarts(container)
    );
    show_exit(&mut seen, container, end);
    if let Some(line) = log_lines::of(container) {
        seen.show(Source::Log, line.at, &line.text, None);
    }
    seen.fact("exitCode", end.exit_code);
    seen.fact("runSeconds", run_seconds(end));
    seen.fact("worked", container.ran_long_in_revision());
    seen
}

/// What a shell could not execute: `sh: X: Permission denied`.
fn program(container: &Running<'_, '_>, hit: Option<&Hit>) -> Option<String> {
    if let Some(program) = hit.and_then(|hit| hit.get("program").or(hit.get("path"))) {
        return Some(program.to_owned());
    }
    let line = log_lines::find(container, |line| line.ends_with(": Permission denied"))?;
    let head = line.text.strip_suffix(": Permission denied")?;
    head.rsplit_once(": ").map(|(_, program)| program.to_owned())
}

/// A program that should serve and ends without an error. A probe that killed it was ruled out before.
pub(super) fn zero(container: &Running<'_, '_>, end: &Terminated) -> Option<Observation> {
    let kind = container.at.workload.source.map_or("", |source| source.kind.as_str());
    if end.reason != "Completed" || !SERVICES.contains(&kind) || container.list != "containers" {
        return None;
    }
    let mut seen = Observation::of_container(&rows::CRASH_EXITS_ZERO, container);
    let lasted = run_seconds(end).map_or_else(String::new, |s| format!(" after {}", text::duration(s)));
    seen.summary = format!(
        "container {} ends well (exit 0){lasted} and its {kind} starts it again, {}",
        container.status.name,
        restarts(container)
    );
    show_exit(&mut seen, container, end);
    for (field, words) in container.spec.iter().flat_map(|c| [("command", &c.command), ("args", &c.args)]) {
        if !words.is_empty() {
            let shown = serde_json::json!(words).to_string();
            seen.show(Source::Spec, None, &format!("{field}: {shown}"), Some(container.path().field(field)));
        }
    }
    if let Some(line) = log_lines::of(container) {
        seen.show(Source::Log, line.at, &line.text, None);
    }
    seen.fact("runSeconds", run_seconds(end));
    seen.fact("worked", container.ran_long_in_revision());
    Some(seen)
}

/// A log that tells of killed children, in a container that is well.
pub(super) fn child_killed(container: &Running<'_, '_>) -> Option<Observation> {
    let status = container.status;
    if !status.ready || status.restart_count > 0 || status.state.running.is_none() {
        return None;
    }
    let is_kill = |line: &str| line == "Killed" || line.contains("signal 9") || line.contains("exit 137");
    let kills = log_lines::runs(container).flatten().filter(|line| is_kill(&log_lines::strip(&line.text))).count();
    let hit = signatures::of(container, None).filter(|hit| hit.id == "child-killed" && kills >= 2)?;
    let mut seen = Observation::of_container(&rows::OOM_CHILD_KILLED, container);
    seen.confidence = Confidence::Hypothesis;
    seen.summary = format!("children of container {} seem to be killed for memory while it runs on", status.name);
    seen.show(Source::Log, hit.line.at, &hit.line.text, None);
    let limit = container.spec.and_then(|spec| spec.resources.limits.get("memory"));
    seen.fact("limit", limit.cloned().unwrap_or_default());
    seen.fact("kills", kills);
    Some(seen.aside())
}

/// The event by which a node tells that its kernel had to kill something, near this end.
pub(super) fn system_oom<'s>(container: &Running<'_, 's>, end: &Terminated) -> Option<&'s Event> {
    const NEAR: i64 = 60;
    let node = &container.at.pod.spec.node_name;
    let at = end.finished_at.0?.as_second();
    container.at.view.snapshot.events.iter().find(|event| {
        event.reason == "SystemOOM"
            && event.involved_object.name == *node
            && event.last_seen().is_some_and(|seen| (seen.as_second() - at).abs() <= NEAR)
    })
}

pub(super) fn oom_node(container: &Running<'_, '_>, end: &Terminated, event: &Event) -> Observation {
    let mut seen = Observation::of_container(&rows::OOM_NODE, container);
    let node = &container.at.pod.spec.node_name;
    seen.message.clone_from(node);
    seen.summary = format!("node {node} ran out of memory and container {} was killed for it", container.status.name);
    seen.confidence = Confidence::Likely;
    show_exit(&mut seen, container, end);
    seen.show_event(event);
    let victim = event.text().split_once("victim process: ").and_then(|(_, rest)| rest.split(',').next());
    seen.fact("victim", victim);
    seen.fact("node", node.as_str());
    seen
}
