//! Which probes of a container fail and do harm.

use super::answer::{self, Answer};
use super::{PROBES, handler_port, port_number, probe_of, settling_seconds};
use crate::diagnose::view::{Running, Settled};
use crate::model::kube::{ContainerPort, Event};

/// A container that runs this long after a kill has recovered.
const RECOVERED: i64 = 600;

/// One probe that fails.
pub(super) struct Failing<'e> {
    /// `readinessProbe`.
    pub field: &'static str,
    /// `Readiness`.
    pub kind: &'static str,
    pub answer: Answer,
    /// `None`: events are gone, and a static port that nobody declares is a guess.
    pub event: Option<&'e Event>,
}

/// Every port that a container of the pod declares: they share one network.
pub(super) fn declared<'s>(container: &Running<'_, 's>) -> Vec<&'s ContainerPort> {
    let pod = &container.at.pod.spec;
    pod.init_containers.iter().chain(&pod.containers).flat_map(|c| &c.ports).collect()
}

/// The probes of a container that fail and do harm.
pub(super) fn all<'e>(container: &Running<'_, 'e>) -> Vec<Failing<'e>> {
    let found = PROBES.into_iter().filter_map(|(kind, field)| one(container, kind, field));
    found.filter(|failing| hurts(container, failing)).collect()
}

fn one<'e>(container: &Running<'_, 'e>, kind: &'static str, field: &'static str) -> Option<Failing<'e>> {
    let probe = container.spec.and_then(|spec| probe_of(spec, field));
    let prefix = format!("{kind} probe ");
    let unhealthy: Vec<&Event> = container.events().filter(|e| e.reason == "Unhealthy").collect();
    if unhealthy.is_empty() {
        let port = handler_port(probe?).and_then(|(_, port)| port_number(port, &container.spec?.ports))?;
        let ports = declared(container);
        let undeclared = !ports.is_empty() && ports.iter().all(|other| other.container_port != port);
        let is_guess = undeclared && field == "readinessProbe" && !container.status.ready;
        let runs = container.status.state.running.is_some();
        return (is_guess && runs).then_some(Failing { field, kind, answer: Answer::Refused(port), event: None });
    }
    let is_exec = probe.is_some_and(|probe| probe.exec.is_some());
    let own = unhealthy.into_iter().filter(|event| event.text().starts_with(&prefix));
    let own: Vec<(&Event, Answer)> = own.map(|event| (event, answer::read(event.text(), is_exec))).collect();
    // An answer of any kind means that something listens: a refusal is then that of a start.
    let answered = own.iter().rev().find(|(_, answer)| !matches!(answer, Answer::Refused(_)));
    let (event, answer) = answered.or(own.last())?;
    Some(Failing { field, kind, answer: answer.clone(), event: Some(event) })
}

/// How often this probe had the container killed.
pub(super) fn kills(container: &Running<'_, '_>, kind: &str) -> i64 {
    let mark = format!("{} probe", kind.to_lowercase());
    let killing = container.events().filter(|event| event.reason == "Killing" && event.text().contains(&mark));
    killing.map(Event::times).fold(0, i64::saturating_add)
}

/// Whether it does harm now: not ready for longer than the probe allows, or killed again and again.
/// A probe that cannot run kills nothing; a liveness probe is then silently off.
fn hurts(container: &Running<'_, '_>, failing: &Failing<'_>) -> bool {
    let status = container.status;
    let never_counts = matches!(failing.answer, Answer::NoPort(_) | Answer::NoCommand(_));
    if failing.field == "livenessProbe" && never_counts {
        let mark = format!("{} probe errored", failing.kind);
        let errors = container.events().filter(|e| e.reason == "Unhealthy" && e.text().starts_with(&mark));
        return errors.map(Event::times).fold(0, i64::saturating_add) >= 3;
    }
    if failing.field != "readinessProbe" && !never_counts {
        let killed = kills(container, failing.kind);
        // Between two kills it runs, and without a readiness probe it counts as ready all the while.
        let started = status.state.running.as_ref().and_then(|running| running.started_at.0);
        let is_young = container.at.view.settled(started, RECOVERED) == Settled::No;
        let between_kills = status.restart_count >= 2 && is_young;
        return (!status.ready || between_kills) && (killed >= 2 || killed >= 1 && status.restart_count >= 2);
    }
    let any_kill = kills(container, "liveness") + kills(container, "startup");
    let Some(spec) = container.spec else { return false };
    let settling = settling_seconds(&[spec.startup_probe.as_deref(), spec.readiness_probe.as_deref()]);
    let started = status.state.running.as_ref().and_then(|running| running.started_at.0);
    let up_long = container.at.view.settled(started, settling) == Settled::Yes;
    !status.ready && (status.state.running.is_some() && up_long || any_kill >= 2)
}

#[cfg(test)]
mod tests {
    use crate::diagnose::diagnose;
    use crate::diagnose::testing::of;
    use serde_json::{Value, json};

    /// A container without a readiness probe, killed six times, up again since `started`.
    fn between_kills(started: &str) -> Vec<Value> {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web-1", "namespace": "n", "uid": "u1", "creationTimestamp": "2026-11-22T16:00:00Z"},
            "spec": {"restartPolicy": "Always", "containers": [{"name": "web", "image": "x:1", "ports": [{"containerPort": 8080}],
                "livenessProbe": {"httpGet": {"path": "/", "port": 8081}, "periodSeconds": 2, "failureThreshold": 3}}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "web", "ready": true, "restartCount": 6, "state": {"running": {"startedAt": started}},
                    "lastState": {"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": started}}}]}});
        let event = |reason: &str, message: &str| {
            json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": reason, "namespace": "n"}, "reason": reason, "message": message,
                "involvedObject": {"kind": "Pod", "name": "web-1", "namespace": "n", "uid": "u1", "fieldPath": "spec.containers{web}"},
                "count": 6, "lastTimestamp": started})
        };
        vec![
            pod,
            event(
                "Unhealthy",
                "Liveness probe failed: Get \"http://10.0.0.1:8081/\": dial tcp 10.0.0.1:8081: connect: connection refused",
            ),
            event("Killing", "Container web failed liveness probe, will be restarted"),
        ]
    }

    fn codes(objects: &[Value]) -> Vec<&'static str> {
        diagnose(&of(objects)).findings.iter().map(|finding| finding.code.name()).collect()
    }

    #[test]
    fn a_container_that_runs_between_two_kills_still_fails_and_one_that_stays_up_has_recovered() {
        assert_eq!(codes(&between_kills("2026-11-22T16:59:55Z")), ["probe-port-mismatch"]);
        assert!(codes(&between_kills("2026-11-22T16:30:00Z")).is_empty());
    }
}
