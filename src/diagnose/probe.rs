//! Probes that fail.

mod answer;
mod failing;
mod refused;
pub(crate) mod rows;
mod said;
mod state;

use super::observe::Observation;
use super::view::{Running, View, Workload};
use crate::model::finding::Source;
use crate::model::kube::{Container, ContainerPort, Probe};
use crate::text;
use answer::Answer;
use failing::Failing;
pub(crate) use rows::CODES;
use serde_json::Value;
pub(crate) use state::missing;

/// The probes of a container by the name that events use.
pub const PROBES: [(&str, &str); 3] =
    [("Readiness", "readinessProbe"), ("Liveness", "livenessProbe"), ("Startup", "startupProbe")];

/// The probe of this field name.
pub fn probe_of<'c>(container: &'c Container, field: &str) -> Option<&'c Probe> {
    match field {
        "readinessProbe" => container.readiness_probe.as_deref(),
        "livenessProbe" => container.liveness_probe.as_deref(),
        "startupProbe" => container.startup_probe.as_deref(),
        _ => None,
    }
}

/// The handler of a probe that has a port, and the port as written.
pub fn handler_port(probe: &Probe) -> Option<(&'static str, &Value)> {
    let http = probe.http_get.as_ref().map(|get| ("httpGet", &get.port));
    let tcp = probe.tcp_socket.as_ref().map(|tcp| ("tcpSocket", &tcp.port));
    let grpc = probe.grpc.as_ref().map(|grpc| ("grpc", &grpc.port));
    http.or(tcp).or(grpc)
}

/// The number of a port that may be a name.
pub fn port_number(port: &Value, ports: &[ContainerPort]) -> Option<i64> {
    match port {
        Value::Number(number) => number.as_i64(),
        Value::String(name) => {
            name.parse().ok().or_else(|| ports.iter().find(|p| p.name == *name).map(|p| p.container_port))
        }
        _ => None,
    }
}

/// Seconds after the start in which probes may fail: what they allow, and a minute. Defaults as the API sets them.
pub(crate) fn settling_seconds(probes: &[Option<&Probe>]) -> i64 {
    let allowed = probes.iter().flatten().map(|probe| {
        let or = |value: i64, default: i64| if value == 0 { default } else { value };
        probe.initial_delay_seconds + or(probe.period_seconds, 10) * or(probe.failure_threshold, 3)
    });
    allowed.fold(60, i64::saturating_add)
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for subject in view.subjects() {
        for container in subject.containers() {
            let failing = failing::all(&container);
            let found = out.len();
            out.extend(refused::observe(&container, &failing));
            out.extend(said::observe(&container, &failing));
            if out.len() == found {
                out.extend(state::flapping(&container));
            }
            out.extend(state::redirect(&container));
        }
        out.extend(state::readiness_gate(subject));
    }
    out
}

/// `readiness probe of container app`, `readiness and liveness probes of container app`.
fn who(failing: &[&Failing<'_>], name: &str) -> String {
    let kinds: Vec<String> = failing.iter().map(|one| one.kind.to_lowercase()).collect();
    let probe = if kinds.len() == 1 { "probe" } else { "probes" };
    format!("{} {probe} of container {name}", text::and(&kinds))
}

/// A verb for them: `asks`, `ask`.
fn does(failing: &[&Failing<'_>], one: &'static str, many: &'static str) -> &'static str {
    if failing.len() == 1 { one } else { many }
}

/// The events of these probes, and where their handlers stand.
fn show(seen: &mut Observation, container: &Running<'_, '_>, failing: &[&Failing<'_>]) {
    for one in failing {
        let path = container.path().field(one.field);
        if let Some(event) = one.event {
            seen.show_event(event);
            seen.since = event.first_seen().or(seen.since);
        }
        let Some(probe) = container.spec.and_then(|spec| probe_of(spec, one.field)) else { continue };
        if let Some((handler, port)) = handler_port(probe) {
            let text = format!("{}.{handler}.port: {port}", one.field);
            seen.show(Source::Spec, None, &text, Some(path.field(handler).field("port")));
        }
        if let Some(get) = probe.http_get.as_ref().filter(|_| !matches!(one.answer, Answer::Refused(_))) {
            let text = format!("{}.httpGet: {} {}", one.field, get.scheme, get.path);
            seen.show(Source::Spec, None, &text, Some(path.field("httpGet").field("path")));
        }
        if let Some(exec) = &probe.exec {
            let command = exec.get("command").map(Value::to_string).unwrap_or_default();
            let text = format!("{}.exec.command: {command}", one.field);
            seen.show(Source::Spec, None, &text, Some(path.field("exec").field("command")));
        }
    }
    if let Some(killing) = container.events().filter(|e| e.reason == "Killing").last() {
        seen.show_event(killing);
    }
}

/// Whether this readiness probe ever said yes: `Ready` once, or a sibling that is ready now.
fn was_ready(container: &Running<'_, '_>, refused: &[&Failing<'_>]) -> bool {
    let workload: &Workload<'_> = container.at.workload;
    refused.iter().any(|r| r.field == "readinessProbe")
        && workload.current.iter().any(|pod| {
            let created = pod.status.start_time.0.or(pod.metadata.creation_timestamp);
            let ready = pod.condition("Ready");
            pod.is_ready() || ready.is_some_and(|c| c.last_transition_time.0 > created.and_then(|t| later(t, 30)))
        })
}

/// The Ready condition turns False once, with the other first conditions: a later turn was from True.
fn later(time: jiff::Timestamp, seconds: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(time.as_second() + seconds).ok()
}
