//! Probes that ask where nobody listens.

use super::failing::{Failing, declared, kills};
use super::{Answer, does, probe_of, rows, settling_seconds, show, was_ready, who};
use crate::diagnose::crash;
use crate::diagnose::log_lines::{self, LastLine};
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Running, run_seconds};
use crate::model::code::CodeInfo;
use crate::model::finding::{Confidence, Source};
use crate::model::kube::ContainerPort;
use crate::text;
use regex::Regex;
use serde_json::{Value, json};
use std::sync::LazyLock;

static LISTENS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:listening|listens?|serving|started|running|bound)\b.{0,60}?(?:port\(?s?\)?:? |:)(\d{2,5})\b")
        .ok()
});

fn port_of(failing: &Failing<'_>) -> Option<i64> {
    match failing.answer {
        Answer::Refused(port) => Some(port),
        _ => None,
    }
}

/// The finding for the refused probes of a container: one port at a time.
pub(super) fn observe(container: &Running<'_, '_>, failing: &[Failing<'_>]) -> Option<Observation> {
    let declared = declared(container);
    let is_declared = |port: i64| declared.iter().any(|other| other.container_port == port);
    // A port that nobody declares tells most.
    let port = failing.iter().filter_map(port_of).find(|port| !is_declared(*port));
    let port = port.or_else(|| failing.iter().find_map(port_of))?;
    let refused: Vec<&Failing<'_>> = failing.iter().filter(|other| port_of(other) == Some(port)).collect();
    let listener = listener(container, port);
    let code = match &listener {
        _ if is_declared(port) => code_of_declared(container, &refused, listener.is_some()),
        Some(_) if declared.is_empty() => &rows::PROBE_APP_NOT_LISTENING,
        _ => &rows::PROBE_PORT_MISMATCH,
    };
    Some(tell(container, code, port, &refused, listener.as_ref()))
}

/// Which of the codes of a declared port: killed before it was up, or not up where it should be.
fn code_of_declared(container: &Running<'_, '_>, refused: &[&Failing<'_>], elsewhere: bool) -> &'static CodeInfo {
    let has = |field: &str| refused.iter().any(|failing| failing.field == field);
    let quiet = !elsewhere && !crash::names_an_error(container);
    if has("startupProbe") && quiet && kills(container, "startup") >= 1 {
        &rows::PROBE_STARTUP_TOO_SHORT
    } else if has("livenessProbe") && quiet && kills(container, "liveness") >= 1 && dies_young(container) {
        &rows::PROBE_KILLS_SLOW_START
    } else {
        &rows::PROBE_APP_NOT_LISTENING
    }
}

/// Whether each known run ended within what the liveness probe allows, without a startup probe.
fn dies_young(container: &Running<'_, '_>) -> bool {
    const GRACE: i64 = 30;
    let Some(probe) = container.spec.filter(|spec| spec.startup_probe.is_none()).map(|spec| &spec.liveness_probe)
    else {
        return false;
    };
    let grace = probe.as_ref().and_then(|probe| probe.termination_grace_period_seconds).unwrap_or(GRACE);
    let period = probe.as_ref().map_or(10, |probe| if probe.period_seconds == 0 { 10 } else { probe.period_seconds });
    let allowed = settling_seconds(&[probe.as_deref()]) - 60 + period + grace;
    let states = [&container.status.state, &container.status.last_state];
    let mut runs = states.into_iter().filter_map(|state| state.terminated.as_ref()).filter_map(run_seconds).peekable();
    runs.peek().is_some() && runs.all(|seconds| seconds <= allowed)
}

/// A line that names another port on which the program listens, and that port.
fn listener(container: &Running<'_, '_>, asked: i64) -> Option<(i64, LastLine)> {
    let port = |line: &str| LISTENS.as_ref()?.captures(line)?.get(1)?.as_str().parse::<i64>().ok();
    let line = log_lines::find(container, |line| port(line).is_some())?;
    let port = port(&line.text).filter(|port| *port != asked)?;
    Some((port, line))
}

fn tell(
    container: &Running<'_, '_>,
    code: &'static CodeInfo,
    port: i64,
    refused: &[&Failing<'_>],
    listener: Option<&(i64, LastLine)>,
) -> Observation {
    let name = &container.status.name;
    let kinds: Vec<String> = refused.iter().map(|r| r.kind.to_lowercase()).collect();
    let mut seen = Observation::of_container(code, container);
    seen.message = format!("{kinds:?} {port}");
    let ports = container.spec.map(|spec| spec.ports.as_slice()).unwrap_or_default();
    let numbers: Vec<String> = ports.iter().map(|p| p.container_port.to_string()).collect();
    let asks = format!("{} {} port {port}", who(refused, name), does(refused, "asks", "ask"));
    seen.summary = match (code.name, listener) {
        ("probe-app-not-listening", Some((other, _))) => format!("{asks}, and the program listens on {other}"),
        ("probe-app-not-listening", None) => format!("{asks}, where the program does not listen"),
        ("probe-startup-too-short", _) => {
            format!(
                "{asks} and {} up after {} of a start",
                does(refused, "gives", "give"),
                allowed(container, "startupProbe")
            )
        }
        ("probe-kills-slow-start", _) => {
            format!(
                "{asks} and {} the container killed after {}, before it listens",
                does(refused, "has", "have"),
                allowed(container, "livenessProbe")
            )
        }
        _ if numbers.is_empty() => format!("{asks}, where nothing listens; no container declares a port"),
        _ => format!("{asks}, where nothing listens; it declares {}", text::and(&numbers)),
    };
    show(&mut seen, container, refused);
    if let Some((other, line)) = listener {
        seen.show(Source::Log, line.at, &line.text, None);
        seen.fact("listens", *other);
    }
    if refused.iter().all(|failing| failing.event.is_none()) || code.name != rows::PROBE_PORT_MISMATCH.name {
        seen.confidence = Confidence::Likely;
    }
    let ends = [&container.status.state, &container.status.last_state];
    let lives: Vec<i64> = ends.into_iter().filter_map(|s| s.terminated.as_ref()).filter_map(run_seconds).collect();
    seen.fact("port", port);
    seen.fact("lifetimes", lives);
    seen.fact("probes", refused.iter().map(|r| json!(r.field)).collect::<Vec<_>>());
    seen.fact("declared", ports.iter().map(declared_fact).collect::<Vec<_>>());
    seen.fact("worked", container.ran_long_in_revision() || was_ready(container, refused));
    seen
}

/// What a probe allows a start, in words.
fn allowed(container: &Running<'_, '_>, field: &str) -> String {
    let probe = container.spec.and_then(|spec| probe_of(spec, field));
    text::duration(settling_seconds(&[probe]) - 60)
}

fn declared_fact(port: &ContainerPort) -> Value {
    json!({"number": port.container_port, "name": port.name, "tcp": matches!(port.protocol.as_str(), "" | "TCP")})
}
