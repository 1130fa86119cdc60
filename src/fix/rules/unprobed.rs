//! Pods that count as ready because nothing asks them.

use super::super::case::Case;
use super::super::facts::drifted;
use super::super::refusal;
use crate::model::intent::Intent;
use crate::model::kube::Container;
use crate::model::refusal::Refusal;
use serde_json::{Map, Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("probe-missing", probe)];

/// A readiness probe of the port that refused, as far as facts name one: whether the port answers, or what the
/// liveness probe of the container asks there.
fn probe(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let hint = "give the container that serves a readinessProbe: a path that tells health shows in the program alone";
    let message = case.finding.summary.clone();
    let spec = case.pod_spec();
    if spec.containers.iter().any(|container| container.readiness_probe.is_some()) {
        return Err(drifted(format!("{} has a readiness probe now", case.target)));
    }
    let port = target_port(case);
    let Some((container, port)) = port.and_then(|port| Some((serving(&spec.containers, &port)?, port))) else {
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    };
    let path = case.spec_path().field("containers").item(&container.name).field("readinessProbe");
    let name = &container.name;
    let mut choices = Vec::new();
    let alive = case.at(&case.spec_path().field("containers").item(name).field("livenessProbe")).cloned();
    if let Some(handler) = alive.as_ref().and_then(|alive| handler_of(alive, container, &port)) {
        let why = "its livenessProbe asks the same, on the port that callers use; not ready means no traffic, no kill";
        let subject = format!("Ask container {name} for readiness as for liveness");
        choices.push(case.choice(path.clone(), handler, subject, why));
    }
    let why = format!("callers are sent to port {port} and were refused; it says no more than that the port answers");
    let subject = format!("Count container {name} as ready once port {port} answers");
    choices.push(case.choice(path, json!({"tcpSocket": {"port": port}}), subject, &why));
    Err(case.ask(message, hint, choices))
}

/// The port of the pods that the Service's port leads to.
fn target_port(case: &Case<'_>) -> Option<Value> {
    let service = case.snapshot.find("Service", case.target.namespace(), case.text("service"))?;
    let ports: Vec<Value> = service.view("/spec/ports");
    let asked = case.fact("port");
    let mut fit = ports.iter().filter(|one| asked.is_none_or(|port| one.get("port") == Some(port)));
    let only = fit.next().filter(|_| fit.next().is_none())?;
    let target = only.get("targetPort").filter(|target| **target != json!(0));
    target.or_else(|| only.get("port")).cloned()
}

/// The container that declares the port, or the only one.
fn serving<'c>(containers: &'c [Container], port: &Value) -> Option<&'c Container> {
    let declares = |container: &&Container| {
        container.ports.iter().any(|own| *port == json!(own.container_port) || *port == json!(own.name))
    };
    match containers {
        [only] => Some(only).filter(|_| port.is_number() || containers.iter().any(|one| declares(&one))),
        several => several.iter().find(declares),
    }
}

/// What a probe asks, where it asks this port: its handler without its times.
fn handler_of(probe: &Value, container: &Container, port: &Value) -> Option<Value> {
    let (field, handler) = ["httpGet", "grpc"].into_iter().find_map(|field| Some((field, probe.get(field)?)))?;
    let number = |port: &Value| {
        let named = container.ports.iter().find(|own| *port == json!(own.name)).map(|own| own.container_port);
        named.or_else(|| port.as_i64())
    };
    let same = handler.get("port").and_then(number) == number(port) && number(port).is_some();
    let mut out = Map::new();
    out.insert(field.to_owned(), handler.clone());
    same.then_some(Value::Object(out))
}
