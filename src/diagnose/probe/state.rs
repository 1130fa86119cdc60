//! What conditions and single events tell of readiness.

use super::rows;
use crate::diagnose::crash::hosts::Target;
use crate::diagnose::log_lines::LastLine;
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Running, Settled, Subject, Workload};
use crate::model::finding::{Confidence, Source};
use crate::model::kube::{Event, PodSpec};
use regex::Regex;
use std::sync::LazyLock;

/// A controller may take this long to set its gate.
const SETTLING: i64 = 60;
/// A change of readiness is one of now when it is younger than this.
const FRESH: i64 = 300;
/// A pod that is older than this has long started.
const OLD: i64 = 1800;

static GATE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"pod readiness gate "([^"]+)""#).ok());

/// Containers that are ready in a pod that is not.
pub(super) fn readiness_gate(subject: Subject<'_, '_>) -> Option<Observation> {
    let pod = subject.pod;
    let ready = pod.condition("Ready").filter(|c| c.status == "False" && c.reason == "ReadinessGatesNotReady")?;
    let containers = pod.condition("ContainersReady").filter(|c| c.status == "True")?;
    let gates: Vec<&str> =
        GATE.as_ref()?.captures_iter(&ready.message).filter_map(|f| Some(f.get(1)?.as_str())).collect();
    let mut seen = Observation::of_workload(&rows::READINESS_GATE_UNSET, subject.workload);
    seen.pod = Some(pod.metadata.name.clone());
    seen.message = gates.join(", ");
    seen.since = containers.last_transition_time.0.or(pod.metadata.creation_timestamp);
    seen.summary = format!("readiness gate {} is not set, so the pod is not ready", gates.join(", "));
    seen.show(Source::Status, ready.last_transition_time.0, &format!("Ready=False: {}", ready.message), None);
    let path = subject.workload.spec_path().field("readinessGates");
    seen.show(Source::Spec, None, &format!("readinessGates: {}", gates.join(", ")), Some(path));
    seen.fact("gates", gates.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let since = containers.last_transition_time.0;
    seen.settle(subject.view.settled(since.or(pod.metadata.creation_timestamp), SETTLING))
}

/// A redirect to another host: the probe passes.
pub(super) fn redirect(container: &Running<'_, '_>) -> Option<Observation> {
    let is_redirect = |event: &&Event| event.reason == "ProbeWarning" && event.text().contains("terminated redirects");
    let event = container.events().filter(is_redirect).last()?;
    let mut seen = Observation::of_container(&rows::PROBE_REDIRECT_OFF_HOST, container);
    let kind = event.text().split_whitespace().next().unwrap_or_default().to_lowercase();
    seen.message.clone_from(&kind);
    seen.summary =
        format!("{kind} probe of container {} is redirected to another host, and passes", container.status.name);
    seen.since = event.first_seen();
    seen.show_event(event);
    Some(seen.aside())
}

/// A pod that has long been up and whose readiness comes and goes.
pub(super) fn flapping(container: &Running<'_, '_>) -> Option<Observation> {
    let (status, pod, view) = (container.status, container.at.pod, container.at.view);
    let ready = pod.condition("Ready")?;
    let is_fresh = view.settled(ready.last_transition_time.0, FRESH) == Settled::No;
    let is_old = view.settled(pod.metadata.creation_timestamp, OLD) == Settled::Yes;
    let runs = status.state.running.is_some() && status.restart_count == 0;
    if !is_fresh || !is_old || !runs || container.list != "containers" {
        return None;
    }
    let is_own = |event: &&Event| event.reason == "Unhealthy" && event.text().starts_with("Readiness probe failed");
    let event = container.events().filter(is_own).last().filter(|event| event.times() >= 2)?;
    let mut seen = Observation::of_container(&rows::PROBE_READINESS_FLAPPING, container);
    seen.confidence = Confidence::Likely;
    seen.summary = format!("readiness of container {} comes and goes", status.name);
    seen.since = event.first_seen();
    seen.show_event(event);
    seen.show(Source::Status, ready.last_transition_time.0, &format!("Ready={} since then", ready.status), None);
    Some(if status.ready { seen.aside() } else { seen })
}

/// A Service whose pods count as ready, refuse connections and have no readiness probe.
pub(crate) fn missing(workload: &Workload<'_>, target: &Target<'_, '_>, line: &LastLine) -> Option<Observation> {
    let pointer = workload.source?.template_pointer()?;
    let spec: PodSpec = workload.source?.view(&format!("{pointer}/spec"));
    if spec.containers.is_empty() || spec.containers.iter().any(|c| c.readiness_probe.is_some()) {
        return None;
    }
    let mut seen = Observation::of_workload(&rows::PROBE_MISSING, workload);
    seen.confidence = Confidence::Hypothesis;
    seen.message.clone_from(&target.host);
    seen.summary =
        format!("{} refuses connections while its pods count as ready: they have no readiness probe", target.host);
    seen.show(Source::Log, line.at, &line.text, None);
    seen.fact("service", target.service.map(|service| service.metadata.name.as_str()));
    seen.fact("port", target.port);
    Some(seen.aside())
}
