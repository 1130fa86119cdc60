//! Ingresses and routes that lead nowhere.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::reference::Reference;
use super::super::refusal;
use crate::diagnose::ingress_backends;
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("ingress-backend-service-missing", backend_service),
    ("ingress-backend-port-missing", backend_port),
    ("ingress-class-missing", class_missing),
    ("ingress-host-conflict", conflict),
    ("ingress-no-class", no_class),
    ("ingress-tls-secret-missing", certificate),
    ("gateway-class-missing", gateway_class),
    ("gateway-not-programmed", listener_certificate),
    ("httproute-not-accepted", parent),
    ("httproute-backend-missing", route_backend),
];

/// What a class decides beside the name.
const EXPOSES: &str = "another class may be another way in from outside";

fn drifted(case: &Case<'_>) -> Refusal {
    Refusal::new(refusal::DRIFTED, format!("{} has changed", case.target), "scan again")
}

fn ports(service: &Object) -> Vec<Value> {
    service.view("/spec/ports")
}

/// Whether a Service has the port that a backend names or numbers.
pub(super) fn serves(service: &Object, port: &Value) -> bool {
    let fits = |one: &Value| match port {
        Value::String(name) => one.get("name").and_then(Value::as_str) == Some(name),
        number => one.get("port") == Some(number),
    };
    port.is_null() || ports(service).iter().any(fits)
}

fn backend_service(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.evidence_path().ok_or_else(|| drifted(case))?;
    let wanted = case.text("missing");
    let same = case.object.map(ingress_backends).unwrap_or_default().into_iter().filter(|one| one.service == wanted);
    let (paths, ports): (Vec<Path>, Vec<Value>) = same.map(|one| (one.at.field("name"), one.port)).unzip();
    service(case, path, wanted, &ports, paths)
}

/// The close Service that has the ports; else those that have them, as choices.
fn service(
    case: &Case<'_>,
    path: Path,
    wanted: &str,
    ports: &[Value],
    paths: Vec<Path>,
) -> Result<Vec<Intent>, Refusal> {
    let namespace = case.target.namespace();
    let fits = |name: &str| {
        let service = case.snapshot.find("Service", namespace, name);
        service.is_some_and(|one| ports.iter().all(|port| serves(one, port)))
    };
    let reference = Reference::to(case, "Service", namespace, path, wanted)?.everywhere(paths);
    // Closeness is judged among all: the close one may be another's.
    match reference.close() {
        Some(name) if fits(name) => reference.decide(case, &[], false),
        _ => Err(reference.only(fits).choose(case)),
    }
}

fn backend_port(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.evidence_path().ok_or_else(|| drifted(case))?;
    let port = case.fact("port").cloned().unwrap_or_default();
    case.expect(&path, &port)?;
    let name = case.text("service");
    let all = case.fact("ports").and_then(Value::as_array).cloned().unwrap_or_default();
    let leaf = if port.is_string() { "name" } else { "number" };
    let same = case.object.map(ingress_backends).unwrap_or_default().into_iter();
    let same = same.filter(|one| one.service == name && one.port == port).map(|one| one.at.field("port").field(leaf));
    let same: Vec<Path> = same.collect();
    let take = |one: &Value, review: Vec<String>, why: String| {
        let shown = one.get("port").map(ToString::to_string).unwrap_or_default();
        let subject = format!("Go to port {shown} of Service {name}");
        case.intent(subject, why, same.iter().flat_map(|path| to_port(case, path, one)).collect(), review)
    };
    let targets = |one: &&Value| one.get("targetPort").or(one.get("port")) == Some(&port);
    let of_target: Vec<&Value> = all.iter().filter(targets).collect();
    if let [one] = of_target.as_slice() {
        let why = format!("{port} is the port of the pods; a backend names that of the Service");
        return Ok(vec![take(one, Vec::new(), why)]);
    }
    if let [only] = all.as_slice() {
        let review = vec![format!("{port} has nothing to do with the only port of the Service")];
        return Ok(vec![take(only, review, format!("Service {name} has one port"))]);
    }
    let choices = all.iter().map(|one| take(one, Vec::new(), format!("Service {name} has it"))).collect();
    Err(case.ask(case.finding.summary.clone(), "choose a port of the Service", choices))
}

/// The edits that make a backend go to a port: by name where it had a name and the port has one.
fn to_port(case: &Case<'_>, path: &Path, port: &Value) -> Vec<FieldEdit> {
    let number = port.get("port").cloned().unwrap_or_default();
    let is_name = case.at(path).is_some_and(Value::is_string);
    match (is_name, port.get("name")) {
        (false, _) => vec![case.set(path.clone(), number)],
        (true, Some(name)) => vec![case.set(path.clone(), name.clone())],
        (true, None) => {
            let by_number = path.parent().unwrap_or_default().field("number");
            let old = FieldEdit { path: path.clone(), op: Op::Remove, old: case.at(path).cloned(), new: None };
            vec![old, case.set(by_number, number)]
        }
    }
}

fn class_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    Reference::new(case, "IngressClass", "", Path::of("spec.ingressClassName"))?.decide(case, &[EXPOSES], true)
}

fn no_class(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = Path::of("spec.ingressClassName");
    if case.at(&path).is_some_and(|now| *now != "") {
        return Err(drifted(case));
    }
    Reference::to(case, "IngressClass", "", path, "")?.decide(case, &[EXPOSES], true)
}

/// Another Secret is another certificate.
fn certificate(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.evidence_path().ok_or_else(|| drifted(case))?;
    let wanted = case.text("missing");
    case.expect(&path, &json!(wanted))?;
    let names = case.fact("existing").and_then(Value::as_array).cloned().unwrap_or_default();
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    if let Some(name) = only_close(wanted, &names, &[]) {
        let why = format!("Secret {wanted} does not exist; {name} is the only one with a name as close");
        let review = vec!["another Secret is another certificate".to_owned()];
        let edits = vec![case.set(path, json!(name))];
        return Ok(vec![case.intent(format!("Take the certificate of Secret {name}"), why, edits, review)]);
    }
    let hint = format!("make Secret {wanted}, or look why its Certificate is not issued");
    Err(Refusal::new(refusal::NOT_IN_GIT, case.finding.summary.clone(), hint))
}

fn gateway_class(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = Path::of("spec.gatewayClassName");
    let wanted = case.text("missing");
    if case.snapshot.find("GatewayClass", "", wanted).is_some() {
        let hint = "look what its controller says, or name another class";
        return Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint));
    }
    Reference::new(case, "GatewayClass", "", path)?.decide(case, &[EXPOSES], false)
}

/// Another Secret with a certificate: one that a Certificate makes.
fn listener_certificate(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let hint = "make what the listener refers to, or name what is there; the message tells which";
    let message = case.finding.summary.clone();
    let list = Path::of("spec.listeners").item(case.text("listener")).field("tls").field("certificateRefs");
    let references = case.at(&list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    // With several it is not known which of them is meant; one of another namespace needs a grant.
    let ([one], "InvalidCertificateRef") = (references, case.text("reason")) else {
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    };
    let text = |field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default();
    let elsewhere = !text("namespace").is_empty() && text("namespace") != case.target.namespace();
    if elsewhere || !matches!(text("kind"), "" | "Secret") {
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    }
    let ready = |object: &&Object| object.conditions().iter().any(|c| c.kind == "Ready" && c.status == "True");
    let made = case.here("Certificate").filter(ready).map(|one| {
        (one.text("/spec/secretName").to_owned(), format!("Certificate {} is issued into it", one.metadata.name))
    });
    let made: BTreeMap<String, String> = made.filter(|(name, _)| !name.is_empty() && name != text("name")).collect();
    let path = list.index(0).field("name");
    let choices = made.into_iter().take(super::CHOICES).map(|(name, why)| {
        case.choice(path.clone(), json!(name), format!("Take the certificate of Secret {name}"), &why)
    });
    Err(case.ask(message, hint, choices.collect()))
}

/// The Gateway, or the listener of it, that a route names.
fn parent(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let references = case.at(&Path::of("spec.parentRefs")).and_then(Value::as_array).cloned().unwrap_or_default();
    for (at, reference) in references.iter().enumerate() {
        let text = |name: &str| reference.get(name).and_then(Value::as_str).unwrap_or_default();
        let namespace = if text("namespace").is_empty() { case.target.namespace() } else { text("namespace") };
        let path = Path::of("spec.parentRefs").index(at);
        let Some(gateway) = case.snapshot.find("Gateway", namespace, text("name")) else {
            return Reference::to(case, "Gateway", namespace, path.field("name"), text("name"))?.decide(
                case,
                &["another Gateway is another way in from outside"],
                false,
            );
        };
        let listeners: Vec<Value> = gateway.view("/spec/listeners");
        let names: Vec<&str> = listeners.iter().filter_map(|one| one.get("name")?.as_str()).collect();
        let section = text("sectionName");
        if section.is_empty() || names.contains(&section) {
            continue;
        }
        let take = |name: &str, review: Vec<String>| {
            let edits = vec![case.set(path.field("sectionName"), json!(name))];
            let why = format!("{} has no listener {section}", gateway.object());
            case.intent(format!("Name listener {name} instead of {section}"), why, edits, review)
        };
        if let Some(name) = only_close(section, &names, &[]) {
            return Ok(vec![take(name, vec!["another listener is another way in from outside".to_owned()])]);
        }
        let choices = names.iter().map(|name| take(name, Vec::new())).collect();
        return Err(case.ask(case.finding.summary.clone(), "name a listener of the Gateway", choices));
    }
    let hint = "the message names what the listener does not allow: host, namespace or kind";
    Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint))
}

fn route_backend(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let missing = case.fact("missing").and_then(Value::as_array).cloned().unwrap_or_default();
    let hint = "grant the reference with a ReferenceGrant, or name a Service of this namespace";
    let reason = case.text("reason");
    let ([wanted], "BackendNotFound", Some(path)) = (missing.as_slice(), reason, case.evidence_path()) else {
        return Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint));
    };
    // In another namespace a Service is another team's.
    let backend = path.parent().and_then(|backend| case.at(&backend)).cloned().unwrap_or_default();
    if backend.get("namespace").is_some_and(|other| *other != case.target.namespace()) {
        return Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint));
    }
    let port = backend.get("port").cloned().unwrap_or_default();
    service(case, path.clone(), wanted.as_str().unwrap_or_default(), &[port], vec![path])
}

/// One of the Ingresses leaves the path to the others.
fn conflict(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (host, path) = (case.text("host"), case.text("path"));
    let hint = "let one of them have it: take the path out of the others, or give it another host or path";
    let claims =
        |one: &&Object| ingress_backends(one).iter().any(|backend| backend.host == host && backend.path == path);
    let mut all: Vec<&Object> = case.snapshot.kind("Ingress").iter().filter(claims).collect();
    all.retain(|one| one.text("/spec/ingressClassName") == case.text("class"));
    // Most controllers give it to the oldest: that one stays in the first choice.
    all.sort_by_key(|one| std::cmp::Reverse((one.metadata.creation_timestamp, &one.metadata.name)));
    let mut choices = Vec::new();
    for own in &all {
        let others: Vec<&&Object> = all.iter().filter(|other| other.metadata.uid != own.metadata.uid).collect();
        let [other] = others.as_slice() else { continue };
        let Ok(on) = case.on(&own.object()) else { continue };
        let Some(edit) = without(&on, own, host, path) else { continue };
        let goes = ingress_backends(other).into_iter().find(|one| one.host == host && one.path == path);
        let service = goes.map(|one| one.service).unwrap_or_default();
        let is_older = other.metadata.creation_timestamp < own.metadata.creation_timestamp;
        let age = if is_older { ", the older of the two," } else { "" };
        let there = &other.metadata;
        let why = format!("Ingress {}/{}{age} sends it to Service {service}", there.namespace, there.name);
        let subject = format!("Leave {host}{path} to Ingress {}", there.name);
        choices.push(on.intent(subject, why, vec![edit], Vec::new()));
    }
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}

/// The rules of an Ingress without this host and path; `None` where nothing would be left of it.
fn without(on: &Case<'_>, ingress: &Object, host: &str, path: &str) -> Option<FieldEdit> {
    let is_host = |rule: &Value| rule.get("host").and_then(Value::as_str) == Some(host);
    let is_path = |one: &Value| one.get("path").and_then(Value::as_str).unwrap_or_default() == path;
    let rules: Vec<Value> = ingress.view("/spec/rules");
    let at = rules.iter().position(|rule| {
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        is_host(rule) && paths.is_some_and(|paths| paths.iter().any(is_path))
    })?;
    let list = Path::of("spec.rules").index(at).field("http").field("paths");
    let mut paths = on.at(&list)?.as_array()?.clone();
    paths.retain(|one| !is_path(one));
    if !paths.is_empty() {
        return Some(on.set(list, json!(paths)));
    }
    let mut left = rules;
    left.remove(at);
    (!left.is_empty()).then(|| on.set(Path::of("spec.rules"), json!(left)))
}
