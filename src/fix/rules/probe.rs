//! Probes on a port where nothing listens.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::drifted;
use super::super::{history, refusal};
use super::service::target_ports;
use crate::diagnose::{PROBES, handler_port, port_number, probe_of, selector};
use crate::model::intent::{FieldEdit, Intent};
use crate::model::kube::{Container, ContainerPort, Object};
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("probe-app-not-listening", not_listening),
    ("probe-auth-required", auth_required),
    ("probe-exec-command-missing", exec_missing),
    ("probe-grpc-unimplemented", no_grpc),
    ("probe-named-port-missing", named_port),
    ("probe-path-missing", path_missing),
    ("probe-port-mismatch", port_mismatch),
    ("probe-scheme-mismatch", scheme),
];

/// The log names another port, which the container declares.
fn not_listening(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let port = case.int("port").unwrap_or_default();
    let container = case.container()?;
    if case.is("worked") {
        return Err(judge(format!("the probe on port {port} worked before: what listened there is gone")));
    }
    let listens = case.int("listens");
    let Some(target) = container.ports.iter().find(|other| Some(other.container_port) == listens) else {
        return Err(judge(format!("nothing listens on port {port}, which the probe asks")));
    };
    let fields = fields(case);
    let edits = edits(case, &container, &fields, port, target)?;
    let mut review = vec!["the log says where it listens, nothing else does".to_owned()];
    review.extend(liveness(&fields));
    let number = target.container_port;
    let why = format!("the probe asks port {port}, and the log of {} says that it listens on {number}", container.name);
    Ok(vec![case.intent(format!("Probe port {number} of container {}", container.name), why, edits, review)])
}

/// Fields of the probes that a finding is about.
fn fields(case: &Case<'_>) -> Vec<String> {
    case.texts("probes").into_iter().map(str::to_owned).collect()
}

fn liveness(fields: &[String]) -> Option<String> {
    let has = fields.iter().any(|field| field == "livenessProbe");
    has.then(|| "a liveness probe on another port may hide that a server is down".to_owned())
}

fn exec_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let here = case.container_path();
    let own: Vec<_> = fields(case).iter().map(|field| here.field(field)).collect();
    let program = case.text("program");
    let named = |path: &Path| own.iter().any(|probe| path.starts_with(probe));
    if let Some(found) = history::put_back(case, &format!("{program}, which the probe runs, is not there"), named)? {
        return Ok(found);
    }
    let message = format!("the image lacks {program}, which the probe runs");
    Err(Refusal::new(refusal::NEEDS_CHOICE, message, "name a program of the image, or probe by HTTP, TCP or gRPC"))
}

/// A probe names a port by a name that the container does not have.
fn named_port(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (wanted, container) = (case.text("missing"), case.container()?);
    let mut paths = Vec::new();
    for field in fields(case) {
        let found = probe_of(&container, &field).and_then(handler_port);
        if let Some((handler, _)) = found.filter(|(_, port)| port.as_str() == Some(wanted)) {
            paths.push(case.container_path().field(&field).field(handler).field("port"));
        }
    }
    if paths.is_empty() {
        return Err(drifted(format!("no probe of container {} names port {wanted} any more", container.name)));
    }
    let why = format!("container {} has no port named {wanted}", container.name);
    let take = |port: &ContainerPort, why: String, review: Vec<String>| {
        let new = if port.name.is_empty() { json!(port.container_port) } else { json!(port.name) };
        let shown = if port.name.is_empty() { port.container_port.to_string() } else { port.name.clone() };
        let edits = paths.iter().map(|path| case.set(path.clone(), new.clone())).collect();
        case.intent(format!("Probe port {shown} of container {}", container.name), why, edits, review)
    };
    if let Some(found) = history::put_back(case, &why, |path| paths.contains(path))? {
        return Ok(found);
    }
    let names: Vec<&str> =
        container.ports.iter().map(|port| port.name.as_str()).filter(|name| !name.is_empty()).collect();
    let near = only_close(wanted, &names, &[]).filter(|_| !case.is("worked"));
    if let Some(port) = container.ports.iter().find(|port| near == Some(port.name.as_str())) {
        return Ok(vec![take(port, format!("{why}; {} is the only name as close", port.name), Vec::new())]);
    }
    let tcp: Vec<&ContainerPort> = tcp(&container).collect();
    if let [only] = tcp.as_slice() {
        let review = vec![format!("nothing but its declaration speaks for port {}", only.container_port)];
        return Ok(vec![take(
            only,
            format!("{why}; {} is the only port that it declares", only.container_port),
            review,
        )]);
    }
    let choices = tcp.iter().map(|port| take(port, format!("{why}, it declares this one"), Vec::new())).collect();
    Err(case.ask(why, "name a port that the container declares", choices))
}

/// The path of each HTTP probe that a finding is about.
fn asked_paths(case: &Case<'_>) -> Vec<Path> {
    let path_of = |field: &String| case.container_path().field(field).field("httpGet").field("path");
    fields(case).iter().map(path_of).collect()
}

/// The path of another probe of the same port passes; no path is guessed.
fn path_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let why = format!("the program answers {} at the path of the probe", case.int("status").unwrap_or(404));
    let own = asked_paths(case);
    if let Some(found) = history::put_back(case, &why, |path| own.contains(path))? {
        return Ok(found);
    }
    if let Some(found) = passing_path(case, &why)? {
        return Ok(vec![found]);
    }
    let message = format!("{why}, and which path tells its health is not known");
    Err(Refusal::new(refusal::NEEDS_CHOICE, message, "name a path that the program answers with 200"))
}

/// A path behind a login: another path, or a header with a credential, is for a person.
fn auth_required(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let why = format!("the program wants a login at the path of the probe ({})", case.int("status").unwrap_or(401));
    let choices = passing_path(case, &why)?.into_iter().collect();
    Err(case.ask(why, "name a path that needs no login, or open this one to the probe", choices))
}

/// A server without the health service: that it takes connections is less, and is something.
fn no_grpc(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let container = case.container()?;
    let mut edits = Vec::new();
    for field in fields(case) {
        let path = case.container_path().field(&field);
        let Some(port) = case.at(&path.field("grpc").field("port")).cloned() else { continue };
        let mut probe = case.at(&path).cloned().unwrap_or_default();
        if let Some(probe) = probe.as_object_mut() {
            probe.remove("grpc");
            probe.insert("tcpSocket".to_owned(), json!({"port": port}));
        }
        edits.push(case.set(path, probe));
    }
    let message = format!("the server of container {} lacks the grpc health service", container.name);
    let why = "it shows that the port is open, and nothing of the program behind it".to_owned();
    let subject = format!("Probe container {} by TCP", container.name);
    let choices = if edits.is_empty() { Vec::new() } else { vec![case.intent(subject, why, edits, Vec::new())] };
    Err(case.ask(message, "add the health service to the program, or probe by TCP", choices))
}

/// The probes at the path at which another probe of the same port passes.
fn passing_path(case: &Case<'_>, why: &str) -> Result<Option<Intent>, Refusal> {
    let (container, fields) = (case.container()?, fields(case));
    let get = |field: &str| probe_of(&container, field).and_then(|probe| probe.http_get.clone());
    let passes = PROBES
        .iter()
        .filter(|(kind, field)| !fields.iter().any(|own| own == field) && !fails(case, kind, &container.name));
    let asked: Vec<_> = fields.iter().filter_map(|field| get(field)).collect();
    let same_port = |port: &Value| {
        asked.iter().all(|own| port_number(&own.port, &container.ports) == port_number(port, &container.ports))
    };
    let mut good =
        passes.filter_map(|(kind, field)| Some((kind, get(field)?))).filter(|(_, other)| same_port(&other.port));
    let Some((kind, other)) = good.next().filter(|_| !case.is("worked") && !asked.is_empty()) else { return Ok(None) };
    let edits = asked_paths(case).into_iter().map(|path| case.set(path, json!(other.path))).collect();
    let why = format!("{why}; the {} probe passes at {} of the same port", kind.to_lowercase(), other.path);
    let review = vec![format!("both probes then ask the same of the program: {}", other.path)];
    Ok(Some(case.intent(format!("Probe {} of container {}", other.path, container.name), why, edits, review)))
}

/// The program speaks another scheme than the probe.
fn scheme(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (container, speaks) = (case.container()?, case.text("scheme"));
    if case.is("worked") {
        let message = format!("the probe worked before: the program of {} changed how it speaks", container.name);
        return Err(judge(message));
    }
    let of_probe = |field: &String| probe_of(&container, field).is_some_and(|probe| probe.http_get.is_some());
    let edits: Vec<FieldEdit> = fields(case)
        .iter()
        .filter(|field| of_probe(field))
        .map(|field| case.set(case.container_path().field(field).field("httpGet").field("scheme"), json!(speaks)))
        .filter(|edit| edit.old != edit.new)
        .collect();
    if edits.is_empty() {
        return Err(drifted(format!("the probe of container {} speaks {speaks} now", container.name)));
    }
    let mut review = Vec::new();
    if speaks != "HTTP" {
        review.push("the probe does not check the certificate".to_owned());
    }
    let says = |service: &&Object| {
        service.object().name.contains("https")
            || service.at("/spec/ports").is_some_and(|p| p.to_string().contains("https"))
    };
    if let Some(service) = services(case).into_iter().find(|service| speaks == "HTTP" && says(service)) {
        review.push(format!("{} calls a port https: the program may have lost its certificate", service.object()));
    }
    let why = format!("the program of {} answers in {speaks}", container.name);
    Ok(vec![case.intent(format!("Probe container {} by {speaks}", container.name), why, edits, review)])
}

fn port_mismatch(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let port = case.fact("port").and_then(Value::as_i64).unwrap_or_default();
    let fields = fields(case);
    let container = &case.container()?;
    let name = case.name();
    if case.is("worked") {
        return Err(judge(format!("the probe on port {port} worked before: what listened there is gone")));
    }
    if let Some(place) = named_elsewhere(case, container, port) {
        let message = format!("port {port} also stands in {place}: the probe may be right and its server down");
        return Err(judge(message));
    }
    let target = only_port(case, container, &fields, port)?;
    let edits = edits(case, container, &fields, port, target)?;
    let number = target.container_port;
    let fact = adjacent(case, container, &fields, number);
    let mut review = Vec::new();
    if fact.is_none() {
        review.push(format!("nothing but its declaration speaks for port {number}"));
    }
    review.extend(liveness(&fields));
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

/// TCP ports that a container declares.
fn tcp(container: &Container) -> impl Iterator<Item = &ContainerPort> {
    container.ports.iter().filter(|port| matches!(port.protocol.as_str(), "" | "TCP"))
}

/// The only TCP port that a container declares.
fn only_port<'c>(
    case: &Case<'_>,
    container: &'c Container,
    fields: &[String],
    asked: i64,
) -> Result<&'c ContainerPort, Refusal> {
    let tcp: Vec<_> = tcp(container).collect();
    match tcp.as_slice() {
        [] => Err(judge(format!("container {} declares no port that the probe could ask", container.name))),
        [one] => Ok(*one),
        many => {
            let message = format!("container {} declares {} ports", container.name, many.len());
            let offer = |port: &&&ContainerPort| {
                let edits = edits(case, container, fields, asked, port).ok()?;
                let number = port.container_port;
                let why = format!("container {} declares it", container.name);
                Some(case.intent(
                    format!("Probe port {number} of container {}", container.name),
                    why,
                    edits,
                    Vec::new(),
                ))
            };
            let choices = many.iter().filter_map(|port| offer(&port)).collect();
            Err(case.ask(message, "choose the port that tells its health", choices))
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
        Some(object) => object.template_labels().clone(),
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
