//! Which probes of a container fail and do harm.

use super::answer::{self, Answer};
use super::{PROBES, handler_port, port_number, probe_of, settling_seconds};
use crate::diagnose::view::{Running, Settled};
use crate::model::kube::{ContainerPort, Event};

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
    killing.map(Event::times).sum()
}

/// Whether it does harm now: not ready for longer than the probe allows, or killed again and again.
/// A probe that cannot run kills nothing; a liveness probe is then silently off.
fn hurts(container: &Running<'_, '_>, failing: &Failing<'_>) -> bool {
    let status = container.status;
    let never_counts = matches!(failing.answer, Answer::NoPort(_) | Answer::NoCommand(_));
    if failing.field == "livenessProbe" && never_counts {
        let mark = format!("{} probe errored", failing.kind);
        let errors = container.events().filter(|e| e.reason == "Unhealthy" && e.text().starts_with(&mark));
        return errors.map(Event::times).sum::<i64>() >= 3;
    }
    if failing.field != "readinessProbe" && !never_counts {
        let killed = kills(container, failing.kind);
        return !status.ready && (killed >= 2 || killed >= 1 && status.restart_count >= 2);
    }
    let any_kill = kills(container, "liveness") + kills(container, "startup");
    let Some(spec) = container.spec else { return false };
    let settling = settling_seconds(&[&spec.startup_probe, &spec.readiness_probe]);
    let started = status.state.running.as_ref().and_then(|running| running.started_at.0);
    let up_long = container.at.view.settled(started, settling) == Settled::Yes;
    !status.ready && (status.state.running.is_some() && up_long || any_kill >= 2)
}
