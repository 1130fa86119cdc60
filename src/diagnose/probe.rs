//! Probes that ask where nobody listens.

use super::observe::Observation;
use super::view::{Running, Settled, View, Workload};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Confidence, Source};
use crate::model::kube::{Container, ContainerPort, Event, Probe};
use regex::Regex;
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(crate) static PROBE_PORT_MISMATCH: CodeInfo = CodeInfo {
    name: "probe-port-mismatch",
    family: "probe",
    title: "a probe asks a port that no container declares, and nobody answers",
    meaning: "The kubelet's connection to the probe's port is refused, and no container of the pod declares that port. \
              A readiness or startup probe keeps the pod from becoming ready, a liveness probe has it killed again and \
              again.",
    signals: "Unhealthy events `connect: connection refused` (grpc: `failed to connect service`) on a port that is not \
              among the containerPorts, while the container runs long enough or was killed by the probe.",
    causes: "A port that was changed in the program and not in the probe, a copied manifest, a management port that is \
             switched off.",
    class: FixClass::Rule,
    fix: "Sets the probe to the only declared TCP port of the container when a Service, another probe or the last good \
          revision uses it too. A liveness probe is always for a person to review. A port that the container's settings \
          name, or a probe that worked before, is left alone.",
};

/// Rows of this family.
pub(crate) const CODES: &[&CodeInfo] = &[&PROBE_PORT_MISMATCH];

/// The probes of a container by the name that events use.
pub const PROBES: [(&str, &str); 3] =
    [("Readiness", "readinessProbe"), ("Liveness", "livenessProbe"), ("Startup", "startupProbe")];

static REFUSED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shape = r#"(?:dial tcp \S+:(\d+): connect: connection refused|failed to connect service "[^"]*:(\d+)" within)"#;
    Regex::new(shape).ok()
});

/// The probe of this field name.
pub fn probe_of<'c>(container: &'c Container, field: &str) -> Option<&'c Probe> {
    match field {
        "readinessProbe" => container.readiness_probe.as_ref(),
        "livenessProbe" => container.liveness_probe.as_ref(),
        "startupProbe" => container.startup_probe.as_ref(),
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
pub(crate) fn settling_seconds(probes: &[&Option<Probe>]) -> i64 {
    let allowed = probes.iter().filter_map(|probe| probe.as_ref()).map(|probe| {
        let or = |value: i64, default: i64| if value == 0 { default } else { value };
        probe.initial_delay_seconds + or(probe.period_seconds, 10) * or(probe.failure_threshold, 3)
    });
    allowed.sum::<i64>() + 60
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    view.subjects().flat_map(super::view::Subject::containers).filter_map(|c| port_mismatch(&c)).collect()
}

/// One probe that is refused.
struct Refused<'e> {
    field: &'static str,
    kind: &'static str,
    port: i64,
    event: Option<&'e Event>,
}

fn port_mismatch(container: &Running<'_, '_>) -> Option<Observation> {
    let spec = container.spec?;
    let pod = &container.at.pod.spec;
    let declared: Vec<&ContainerPort> =
        pod.init_containers.iter().chain(&pod.containers).flat_map(|c| &c.ports).collect();
    let refused: Vec<Refused<'_>> = PROBES
        .into_iter()
        .filter_map(|(kind, field)| refusal(container, spec, kind, field, &declared))
        .filter(|refused| declared.iter().all(|port| port.container_port != refused.port))
        .filter(|refused| hurts(container, refused))
        .collect();
    let first = refused.first()?;
    let port = first.port;
    let refused: Vec<&Refused<'_>> = refused.iter().filter(|other| other.port == port).collect();
    let kinds: Vec<String> = refused.iter().map(|r| r.kind.to_lowercase()).collect();
    let mut seen = Observation::of_container(&PROBE_PORT_MISMATCH, container);
    seen.message = format!("{kinds:?} {port}");
    let numbers: Vec<String> = spec.ports.iter().map(|p| p.container_port.to_string()).collect();
    let declares = if numbers.is_empty() {
        "no container declares a port".to_owned()
    } else {
        format!("it declares {}", crate::text::and(&numbers))
    };
    seen.summary = format!(
        "{} probe of container {} asks port {port}, where nothing listens; {declares}",
        crate::text::and(&kinds),
        container.status.name
    );
    show(&mut seen, container, &refused);
    if first.event.is_none() {
        seen.confidence = Confidence::Likely;
    }
    seen.fact("port", port);
    seen.fact("probes", refused.iter().map(|r| json!(r.field)).collect::<Vec<_>>());
    seen.fact("declared", spec.ports.iter().map(declared_fact).collect::<Vec<_>>());
    seen.fact("worked", container.ran_long_in_revision() || was_ready(container, &refused));
    Some(seen)
}

fn declared_fact(port: &ContainerPort) -> Value {
    json!({"number": port.container_port, "name": port.name, "tcp": matches!(port.protocol.as_str(), "" | "TCP")})
}

fn show(seen: &mut Observation, container: &Running<'_, '_>, refused: &[&Refused<'_>]) {
    for refused in refused {
        let path = container.path().field(refused.field);
        if let Some(event) = refused.event {
            seen.show_event(event);
            seen.since = event.first_seen().or(seen.since);
        }
        let handler = container.spec.and_then(|spec| handler_port(probe_of(spec, refused.field)?));
        if let Some((handler, port)) = handler {
            let text = format!("{}.{handler}.port: {port}", refused.field);
            seen.show(Source::Spec, None, &text, Some(path.field(handler).field("port")));
        }
    }
    if let Some(killing) = container.events().filter(|e| e.reason == "Killing").last() {
        seen.show_event(killing);
    }
}

/// What events say of one probe: refused, and nothing but refused. An answer of any kind means that
/// something listens. Without events (they live an hour) a static port that nobody declares is a guess.
fn refusal<'e>(
    container: &Running<'_, 'e>,
    spec: &Container,
    kind: &'static str,
    field: &'static str,
    declared: &[&ContainerPort],
) -> Option<Refused<'e>> {
    let (_, wanted) = handler_port(probe_of(spec, field)?)?;
    let port = port_number(wanted, &spec.ports)?;
    let prefix = format!("{kind} probe ");
    let unhealthy: Vec<&Event> = container.events().filter(|e| e.reason == "Unhealthy").collect();
    let own: Vec<&Event> = unhealthy.iter().copied().filter(|event| event.text().starts_with(&prefix)).collect();
    if unhealthy.is_empty() {
        let static_guess = !declared.is_empty() && field == "readinessProbe" && !container.status.ready;
        let runs = container.status.state.running.is_some();
        return (static_guess && runs).then_some(Refused { field, kind, port, event: None });
    }
    let refused_at = |event: &Event| {
        let found = REFUSED.as_ref()?.captures(event.text())?;
        found.get(1).or(found.get(2))?.as_str().parse::<i64>().ok()
    };
    let event = own.last()?;
    own.iter().all(|event| refused_at(event) == Some(port)).then_some(Refused { field, kind, port, event: Some(event) })
}

/// Whether the refusals do harm now: not ready for longer than the probe allows, or killed again and again.
fn hurts(container: &Running<'_, '_>, refused: &Refused<'_>) -> bool {
    let status = container.status;
    let killed: i64 = container
        .events()
        .filter(|event| event.reason == "Killing" && event.text().contains("probe"))
        .map(Event::times)
        .sum();
    if refused.field != "readinessProbe" {
        return killed >= 2 && !status.ready || killed >= 1 && status.restart_count >= 2 && !status.ready;
    }
    let Some(spec) = container.spec else { return false };
    let settling = settling_seconds(&[&spec.readiness_probe]);
    let started = status.state.running.as_ref().and_then(|running| running.started_at.0);
    let up_long = container.at.view.settled(started, settling) == Settled::Yes;
    !status.ready && (status.state.running.is_some() && up_long || killed >= 2)
}

/// Whether this readiness probe ever said yes: `Ready` once, or a sibling that is ready now.
fn was_ready(container: &Running<'_, '_>, refused: &[&Refused<'_>]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_each_shape_of_refusal() {
        for text in [
            r#"Get "http://10.88.0.1:9090/": dial tcp 10.88.0.1:9090: connect: connection refused"#,
            "dial tcp [fd00::1]:9090: connect: connection refused",
            r#"timeout: failed to connect service "10.88.0.160:9090" within 1s: context deadline exceeded"#,
        ] {
            let found = REFUSED.as_ref().unwrap().captures(text).unwrap();
            assert_eq!(found.get(1).or(found.get(2)).unwrap().as_str(), "9090", "{text}");
        }
        assert!(!REFUSED.as_ref().unwrap().is_match("HTTP probe failed with statuscode: 404"));
    }
}
