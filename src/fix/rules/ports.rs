//! Services whose ports do not meet those of their pods.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::refusal;
use super::service::target_ports;
use crate::diagnose::{handler_port, port_number, probe_of};
use crate::model::intent::Intent;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("service-target-port-mismatch", target_port),
    ("service-named-port-missing", named_port),
    ("service-protocol-mismatch", protocol),
];

/// A port that the containers which serve declare.
struct Port {
    number: i64,
    name: String,
}

impl Port {
    /// As a targetPort names it.
    fn target(&self) -> Value {
        if self.name.is_empty() { json!(self.number) } else { json!(self.name) }
    }

    fn shown(&self) -> String {
        if self.name.is_empty() { self.number.to_string() } else { format!("{} ({})", self.name, self.number) }
    }
}

fn served(case: &Case<'_>) -> Vec<Port> {
    let all = case.fact("served").and_then(Value::as_array).into_iter().flatten();
    let name = |one: &Value| one.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    all.filter_map(|one| Some(Port { number: one.get("number")?.as_i64()?, name: name(one) })).collect()
}

/// The field that the finding is about, with its live value.
fn field(case: &Case<'_>) -> Result<Path, Refusal> {
    let gone = || Refusal::new(refusal::DRIFTED, format!("the port of {} has changed", case.target), "scan again");
    let path = case.evidence_path().ok_or_else(gone)?;
    // A target that is not written is the port itself.
    let now = case.at(&path).or_else(|| path.parent()?.field("port").get(&case.live));
    let seen = case.fact("targetPort");
    if seen.is_some() && now != seen { Err(gone()) } else { Ok(path) }
}

fn target_port(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = field(case)?;
    let ports = served(case);
    let now = case.fact("targetPort").cloned().unwrap_or_default();
    let take = |port: &Port, review: Vec<String>| {
        let why = format!("no container declares port {now}; {} is declared", port.number);
        let subject = format!("Send to port {} instead of {now}", port.number);
        case.intent(subject, why, vec![case.set(path.clone(), json!(port.number))], review)
    };
    let [only] = ports.as_slice() else {
        let choices = ports.iter().map(|port| take(port, Vec::new())).collect();
        return Err(case.ask(case.finding.summary.clone(), "choose the port that serves", choices));
    };
    let is_it =
        |target: &Value| *target == json!(only.number) || (!only.name.is_empty() && *target == json!(only.name));
    let targeted = case.object.is_some_and(|service| target_ports(service).iter().any(is_it));
    let review = if !probed(case, only.number) {
        vec!["a program may listen on more ports than it declares".to_owned()]
    } else if targeted {
        vec![format!("another port of {} goes there already", case.target)]
    } else {
        Vec::new()
    };
    Ok(vec![take(only, review)])
}

/// Whether ready pods answer a readiness probe on this port.
fn probed(case: &Case<'_>, number: i64) -> bool {
    let names = case.fact("workloads").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut specs = names.filter_map(|name| {
        let (kind, name) = name.split_once('/')?;
        case.snapshot.find(kind, case.target.namespace(), name)?.pod_spec()
    });
    let asks = |spec: &crate::model::kube::PodSpec| {
        spec.containers.iter().any(|container| {
            let probe = probe_of(container, "readinessProbe").and_then(handler_port);
            probe.is_some_and(|(_, port)| port_number(port, &container.ports) == Some(number))
        })
    };
    case.is("podsReady") && specs.any(asks)
}

fn named_port(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = field(case)?;
    let ports = served(case);
    let wanted = case.text("targetPort");
    let take = |port: &Port, review: Vec<String>, why: &str| {
        let why = format!("no pod names port {wanted}; {why}");
        let subject = format!("Send to port {} instead of {wanted}", port.shown());
        case.intent(subject, why, vec![case.set(path.clone(), port.target())], review)
    };
    let all = case.fact("declared").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = all.filter_map(|one| one.get("name")?.as_str()).filter(|name| !name.is_empty()).collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let close = only_close(wanted, &distinct, &[]).and_then(|name| ports.iter().find(|port| port.name == name));
    if let Some(port) = close {
        return Ok(vec![take(port, Vec::new(), "the name that is declared differs by a typo")]);
    }
    if let [only] = ports.as_slice() {
        let review = vec![format!("{} is the only port, its name is not close", only.shown())];
        return Ok(vec![take(only, review, "one port is declared")]);
    }
    let choices = ports.iter().map(|port| take(port, Vec::new(), "it is declared")).collect();
    Err(case.ask(case.finding.summary.clone(), "choose the port that serves, or declare the name", choices))
}

fn protocol(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = field(case)?;
    let has = case.fact("declared").and_then(Value::as_array).cloned().unwrap_or_default();
    let take = |new: &str, review: Vec<String>| {
        let edits = vec![case.set(path.clone(), json!(new))];
        case.intent(format!("Send {new} to the port"), case.finding.summary.clone(), edits, review)
    };
    let names: Vec<&str> = has.iter().filter_map(Value::as_str).collect();
    match names.as_slice() {
        [only] => Ok(vec![take(only, vec!["a container may declare another protocol than it speaks".to_owned()])]),
        names => {
            let choices = names.iter().map(|name| take(name, Vec::new())).collect();
            Err(case.ask(case.finding.summary.clone(), "choose the protocol that the program speaks", choices))
        }
    }
}
