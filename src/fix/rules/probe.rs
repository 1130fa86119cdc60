//! Probes on a port where nothing listens.

use super::super::case::Case;
use super::super::refusal;
use super::service::target_ports;
use crate::diagnose::{PROBES, handler_port, port_number, probe_of, selector};
use crate::model::intent::{FieldEdit, Intent};
use crate::model::kube::{Container, ContainerPort, Object};
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("probe-port-mismatch", port_mismatch)];

fn port_mismatch(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let port = case.fact("port").and_then(Value::as_i64).unwrap_or_default();
    let fields: Vec<String> = case
        .fact("probes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let spec = case.pod_spec();
    let name = case.finding.container.as_deref().unwrap_or_default();
    let container = spec.init_containers.iter().chain(&spec.containers).find(|c| c.name == name);
    let Some(container) = container else {
        return Err(Refusal::new(refusal::DRIFTED, format!("container {name} is no longer there"), "scan again"));
    };
    if case.is("worked") {
        return Err(judge(format!("the probe on port {port} worked before: what listened there is gone")));
    }
    if let Some(place) = named_elsewhere(case, container, port) {
        let message = format!("port {port} also stands in {place}: the probe may be right and its server down");
        return Err(judge(message));
    }
    let target = only_port(container)?;
    let edits = edits(case, container, &fields, port, target)?;
    let number = target.container_port;
    let fact = adjacent(case, container, &fields, number);
    let mut review = Vec::new();
    if fact.is_none() {
        review.push(format!("nothing but its declaration speaks for port {number}"));
    }
    if fields.iter().any(|field| field == "livenessProbe") {
        review.push("a liveness probe on another port may hide that a server is down".to_owned());
    }
    let probes: Vec<&str> = fields.iter().map(|field| field.trim_end_matches("Probe")).collect();
    let subject = format!("Probe port {number} of container {name}");
    let also = fact.map(|fact| format!(", and {fact}")).unwrap_or_default();
    let why = format!(
        "the {} probe asks port {port}, where nothing listens; {number} is the only port that {name} declares{also}",
        crate::text::and(&probes)
    );
    Ok(vec![case.intent(subject, why, edits, review)])
}

fn judge(message: String) -> Refusal {
    Refusal::new(refusal::NEEDS_JUDGEMENT, message, "look why nothing listens on the probe's port")
}

/// The only TCP port that a container declares.
fn only_port(container: &Container) -> Result<&ContainerPort, Refusal> {
    let tcp: Vec<_> = container.ports.iter().filter(|p| matches!(p.protocol.as_str(), "" | "TCP")).collect();
    match tcp.as_slice() {
        [] => Err(judge(format!("container {} declares no port that the probe could ask", container.name))),
        [one] => Ok(*one),
        many => {
            let details = many.iter().map(|p| format!("{} {}", p.container_port, p.name)).collect();
            let message = format!("container {} declares {} ports", container.name, many.len());
            Err(Refusal::new(refusal::NEEDS_CHOICE, message, "choose the port that tells its health")
                .with_details(details))
        }
    }
}

/// The port of each refused probe, of the same JSON type as it is.
fn edits(
    case: &Case<'_>,
    container: &Container,
    fields: &[String],
    port: i64,
    target: &ContainerPort,
) -> Result<Vec<FieldEdit>, Refusal> {
    let mut edits = Vec::new();
    for field in fields {
        let Some((handler, written)) = probe_of(container, field).and_then(handler_port) else { continue };
        let path = case.container_path().field(field).field(handler).field("port");
        if port_number(written, &container.ports) != Some(port) {
            let message = format!("{path} is {written} now");
            return Err(Refusal::new(refusal::DRIFTED, message, "scan again after the rollout"));
        }
        let new = match written {
            Value::String(_) if !target.name.is_empty() => json!(target.name),
            Value::String(_) => return Err(judge(format!("{path} is a name and the declared port has none"))),
            _ => json!(target.container_port),
        };
        edits.push(case.set(path, new));
    }
    if edits.is_empty() {
        return Err(Refusal::new(refusal::DRIFTED, "the probe is no longer there", "scan again after the rollout"));
    }
    Ok(edits)
}

/// Where else the workload names the port: then it is meant.
fn named_elsewhere(case: &Case<'_>, container: &Container, port: i64) -> Option<String> {
    let number = port.to_string();
    // A whole number in the text: 8081 is not in 18081.
    let has = |text: &str| text.split(|c: char| !c.is_ascii_digit()).any(|word| word == number);
    if container.command.iter().chain(&container.args).any(|word| has(word)) {
        return Some("the command of the container".to_owned());
    }
    if let Some(variable) = container.env.iter().find(|v| v.value.as_deref().is_some_and(has)) {
        return Some(format!("variable {}", variable.name));
    }
    let template = case.object.and_then(Object::template);
    let annotations = template.and_then(|t| t.pointer("/metadata/annotations")).and_then(Value::as_object);
    if let Some((key, _)) = annotations.into_iter().flatten().find(|(_, v)| v.as_str().is_some_and(has)) {
        return Some(format!("annotation {key}"));
    }
    let targeted = services(case).into_iter().find(|s| target_ports(s).iter().any(|p| p.as_i64() == Some(port)));
    targeted.map(|service| service.object().to_string())
}

/// A second fact for the declared port: a Service targets it, another probe of the container passes on it,
/// or the last good revision asked it.
fn adjacent(case: &Case<'_>, container: &Container, refused: &[String], number: i64) -> Option<String> {
    let is_it = |target: &Value| port_number(target, &container.ports) == Some(number);
    if let Some(service) = services(case).into_iter().find(|s| target_ports(s).iter().any(is_it)) {
        return Some(format!("{} targets it", service.object()));
    }
    for (kind, field) in PROBES.iter().filter(|(_, field)| !refused.iter().any(|r| r == field)) {
        let asks = probe_of(container, field).and_then(handler_port).is_some_and(|(_, port)| is_it(port));
        if asks && !fails(case, kind, &container.name) {
            return Some(format!("the {} probe passes there", kind.to_lowercase()));
        }
    }
    let change = case.finding.change.as_ref().filter(|change| change.good)?;
    let here = case.container_path();
    let asked = change.fields.iter().any(|field| {
        field.path.starts_with(&here)
            && field.path.to_string().ends_with(".port")
            && refused.iter().any(|r| field.path.starts_with(&here.field(r)))
            && field.old.as_ref().is_some_and(is_it)
    });
    asked.then(|| format!("revision {} asked it", change.from))
}

/// Whether events say that a probe of this kind fails in a pod of the finding.
fn fails(case: &Case<'_>, kind: &str, container: &str) -> bool {
    case.snapshot.events.iter().any(|event| {
        event.reason == "Unhealthy"
            && event.involved_object.namespace == case.finding.object.namespace()
            && case.finding.pods.names.contains(&event.involved_object.name)
            && event.container() == Some(container)
            && event.text().starts_with(&format!("{kind} probe"))
    })
}

/// Services that select the pods of this workload.
fn services<'s>(case: &Case<'s>) -> Vec<&'s Object> {
    let labels = match case.object {
        Some(object) => object.template_labels(),
        None => {
            let pods = case.snapshot.pods.iter();
            let mut own = pods.filter(|pod| pod.object().same_object(&case.finding.object));
            own.next().map(|pod| pod.metadata.labels.clone()).unwrap_or_default()
        }
    };
    let all = case.snapshot.kind("Service").iter();
    all.filter(|service| {
        let wanted = selector(service);
        service.metadata.namespace == case.finding.object.namespace()
            && !wanted.is_empty()
            && wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
    })
    .collect()
}
