//! Services whose ports do not meet those of their pods.

use super::observe::Observation;
use super::row::rows;
use super::service::{selector, selects};
use super::view::{View, Workload};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::kube::{ContainerPort, Object, Pod, PodSpec};
use crate::model::path::Path;
use crate::text;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

rows! { "service";
SERVICE_TARGET_PORT_MISMATCH "service-target-port-mismatch" Rule:
    "a Service sends to a port that its pods do not declare";
    "Every object looks healthy, and connections are refused when nothing listens on that number. Declaring a port is \
     optional, so it is a warning while the pods are ready.";
    "a numeric targetPort that is in no containerPort of the selected pods, in no probe and in none of their settings.";
    "A port that was changed in the workload only, the Service's own port left as the target.";
    "When the pods declare exactly one TCP port, targetPort is set to it, for a person to review. With several a \
     person chooses.".
SERVICE_NAMED_PORT_MISSING "service-named-port-missing" Rule:
    "a Service sends to a port name that no pod has";
    "The pods are listed as endpoints, and without a port: no connection goes anywhere, though the Service looks \
     ready.";
    "a targetPort that is a name, against the port names of the selected pods; EndpointSlices with `ports: null`.";
    "A port that was renamed, a mistyped name.";
    "When exactly one port name differs by a typo, targetPort is set to it; when the pods declare exactly one port, \
     to its name for a person to review. Otherwise a person chooses.".
SERVICE_PROTOCOL_MISMATCH "service-protocol-mismatch" Rule:
    "a Service and its pods speak different protocols on a port";
    "The Service forwards UDP or SCTP and the container declares TCP on that number, or the other way round.";
    "spec.ports[].protocol against the protocol of the containerPort with the same number.";
    "A protocol left out where UDP was meant: the default is TCP.";
    "Puts back the protocol of the last good revision, or sets the only declared one for a person to review.".
}

/// Kinds of sidecars that a Service does not mean.
const SIDECARS: [&str; 6] = ["istio-proxy", "envoy", "linkerd-proxy", "vault-agent", "fluent-bit", "otel-collector"];

/// What a Service selects: pod specs, whether pods are ready, and the workloads.
struct Selected<'v, 's> {
    specs: Vec<&'s PodSpec>,
    ready: bool,
    workloads: Vec<&'v Workload<'s>>,
}

fn selected<'v, 's>(view: &'v View<'s>, service: &Object) -> Selected<'v, 's> {
    let wanted = selector(service);
    let mut out = Selected { specs: Vec::new(), ready: false, workloads: Vec::new() };
    if wanted.is_empty() {
        return out;
    }
    for workload in view.selectable(&service.metadata.namespace, wanted) {
        let pods: Vec<_> = workload.current.iter().filter(|p| selects(wanted, &p.metadata.labels)).collect();
        let template = workload.source.filter(|_| selects(wanted, workload.labels)).and_then(Object::pod_spec);
        // A template still has what a healthy pod's reduced copy has not: probes, env, args.
        match (template, pods.first()) {
            (Some(spec), _) => out.specs.push(spec),
            (None, Some(pod)) => out.specs.push(&pod.spec),
            (None, None) => continue,
        }
        out.ready |= pods.iter().any(|pod| pod.is_ready());
        out.workloads.push(workload);
    }
    out
}

fn declared(specs: &[&PodSpec]) -> Vec<(String, ContainerPort)> {
    let sidecars = |spec: &PodSpec| {
        spec.init_containers.iter().filter(|c| c.restart_policy == "Always").cloned().collect::<Vec<_>>()
    };
    let mut out = Vec::new();
    for spec in specs {
        for container in spec.containers.iter().chain(&sidecars(spec)) {
            out.extend(container.ports.iter().map(|port| (container.name.clone(), port.clone())));
        }
    }
    out
}

fn protocol(text: &str) -> &str {
    if text.is_empty() { "TCP" } else { text }
}

/// Ports of the containers that serve, not those of helpers.
fn served<'p>(declared: &'p [(String, ContainerPort)], wanted: &str) -> BTreeMap<i64, &'p str> {
    let own = declared.iter().filter(|(container, port)| {
        !SIDECARS.iter().any(|name| container.contains(name)) && protocol(&port.protocol) == wanted
    });
    own.map(|(_, port)| (port.container_port, port.name.as_str())).collect()
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for service in view.snapshot.kind("Service") {
        let ports: Vec<Value> = service.view("/spec/ports");
        if !is_plain(view, service, &ports) {
            let selected = selected(view, service);
            for (at, port) in ports.iter().enumerate() {
                out.extend(port_fault(service, &selected, at, port));
            }
        }
    }
    out
}

/// Whether pods of every workload that a Service selects declare all that it sends to: then no template has to be read.
fn is_plain(view: &View<'_>, service: &Object, ports: &[Value]) -> bool {
    let wanted = selector(service);
    let is_selected = |workload: &&Workload<'_>| {
        selects(wanted, workload.labels) || workload.current.iter().any(|pod| selects(wanted, &pod.metadata.labels))
    };
    let mut selected = view.selectable(&service.metadata.namespace, wanted).filter(is_selected).peekable();
    let declares = |pod: &Pod, port: &Value| {
        let target = port.get("targetPort").filter(|target| !target.is_null()).or_else(|| port.get("port"));
        let wanted = protocol(port.get("protocol").and_then(Value::as_str).unwrap_or_default());
        let is_it = |declared: &ContainerPort| match target {
            Some(Value::String(name)) => declared.name == *name,
            Some(number) => number.as_i64() == Some(declared.container_port) && protocol(&declared.protocol) == wanted,
            None => false,
        };
        pod.spec.containers.iter().flat_map(|container| &container.ports).any(is_it)
    };
    selected.peek().is_some()
        && selected.all(|workload| {
            let pod = workload.current.iter().find(|pod| selects(wanted, &pod.metadata.labels));
            !workload.drifted && pod.is_some_and(|pod| ports.iter().all(|port| declares(pod, port)))
        })
}

fn port_fault(service: &Object, selected: &Selected<'_, '_>, at: usize, port: &Value) -> Option<Observation> {
    let target = port.get("targetPort").filter(|target| !target.is_null()).or_else(|| port.get("port"))?;
    let wanted = protocol(port.get("protocol").and_then(Value::as_str).unwrap_or_default()).to_owned();
    let declared = declared(&selected.specs);
    let path = Path::of("spec.ports").index(at).field("targetPort");
    if let Some(name) = target.as_str().filter(|name| name.parse::<i64>().is_err()) {
        let there = declared.iter().any(|(_, port)| port.name == name);
        return (!there && !selected.specs.is_empty())
            .then(|| named(service, selected, name, &declared, &wanted, path));
    }
    let number = target.as_i64().or_else(|| target.as_str()?.parse().ok())?;
    let same: Vec<_> = declared.iter().filter(|(_, port)| port.container_port == number).collect();
    if !same.is_empty() {
        let fits = same.iter().any(|(_, port)| protocol(&port.protocol) == wanted);
        let has: BTreeSet<&str> = same.iter().map(|(_, port)| protocol(&port.protocol)).collect();
        return (!fits).then(|| wrong_protocol(service, number, at, &wanted, &has));
    }
    // The pods of a headless Service are asked directly: its ports are not mapped.
    let headless = service.text("/spec/clusterIP") == "None";
    let known = headless || declared.is_empty() || is_meant(&selected.specs, number);
    (!known).then(|| numeric(service, selected, number, &declared, &wanted, path))
}

/// A port that a probe asks or that stands in the pod's settings is meant, declared or not.
fn is_meant(specs: &[&PodSpec], number: i64) -> bool {
    let shown = number.to_string();
    let has = |text: &str| {
        text.match_indices(&shown).any(|(at, _)| {
            let before = text[..at].chars().next_back().is_some_and(|c| c.is_ascii_digit());
            let after = text[at + shown.len()..].chars().next().is_some_and(|c| c.is_ascii_digit());
            !before && !after
        })
    };
    specs.iter().flat_map(|spec| spec.containers.iter().chain(&spec.init_containers)).any(|container| {
        let probes = [&container.readiness_probe, &container.liveness_probe, &container.startup_probe];
        let probed = probes.into_iter().flatten().any(|probe| {
            super::handler_port(probe).and_then(|(_, port)| super::port_number(port, &container.ports)) == Some(number)
        });
        let set = container.env.iter().filter_map(|variable| variable.value.as_deref()).any(has);
        probed || set || container.args.iter().chain(&container.command).any(|word| has(word))
    })
}

/// An observation of a Service.
pub(super) fn base(code: &'static CodeInfo, service: &Object, summary: String) -> Observation {
    let mut seen = Observation::of_object(code, service.object());
    seen.summary = summary;
    seen.since = service.metadata.creation_timestamp;
    seen.confidence = Confidence::Strong;
    seen
}

fn with_declared(
    seen: &mut Observation,
    selected: &Selected<'_, '_>,
    declared: &[(String, ContainerPort)],
    wanted: &str,
) {
    let shown: BTreeSet<String> = declared
        .iter()
        .map(|(container, port)| {
            let name = if port.name.is_empty() { String::new() } else { format!(" ({})", port.name) };
            format!("container {container} declares {}/{}{name}", port.container_port, protocol(&port.protocol))
        })
        .collect();
    for text in &shown {
        seen.show(Source::Spec, None, text, None);
    }
    let facts = declared.iter().map(|(container, port)| {
        json!({"container": container, "number": port.container_port, "name": port.name, "protocol": protocol(&port.protocol)})
    });
    seen.fact("declared", facts.collect::<Vec<_>>());
    let served = served(declared, wanted).into_iter().map(|(number, name)| json!({"number": number, "name": name}));
    seen.fact("served", served.collect::<Vec<_>>());
    let names: Vec<String> = selected.workloads.iter().map(|workload| workload.top.to_string()).collect();
    seen.fact("workloads", names);
}

fn named(
    service: &Object,
    selected: &Selected<'_, '_>,
    name: &str,
    declared: &[(String, ContainerPort)],
    wanted: &str,
    path: Path,
) -> Observation {
    let names: BTreeSet<&str> = declared.iter().map(|(_, port)| port.name.as_str()).filter(|n| !n.is_empty()).collect();
    let has = match text::nearest(name, names.iter().copied()) {
        Some(near) => format!("; {near} is declared"),
        None if names.is_empty() => String::new(),
        None => format!("; they have {}", text::and(&names.iter().collect::<Vec<_>>())),
    };
    let summary = format!("Service {} sends to port {name}, which no pod names{has}", service.metadata.name);
    let mut seen = base(&SERVICE_NAMED_PORT_MISSING, service, summary);
    name.clone_into(&mut seen.message);
    if names.is_empty() && served(declared, wanted).len() != 1 {
        seen.class = FixClass::Ask;
    }
    seen.show(Source::Spec, None, &format!("targetPort: {name}"), Some(path));
    with_declared(&mut seen, selected, declared, wanted);
    seen.fact("targetPort", name);
    seen
}

fn numeric(
    service: &Object,
    selected: &Selected<'_, '_>,
    number: i64,
    declared: &[(String, ContainerPort)],
    wanted: &str,
    path: Path,
) -> Observation {
    let served = served(declared, wanted);
    let numbers: Vec<&i64> = served.keys().collect();
    let summary =
        format!("Service {} sends to port {number}; its pods declare {}", service.metadata.name, text::and(&numbers));
    let mut seen = base(&SERVICE_TARGET_PORT_MISMATCH, service, summary);
    seen.message = number.to_string();
    if served.len() != 1 {
        seen.class = FixClass::Ask;
    }
    // No fact shows that traffic fails: the pods are ready and may listen on more than they declare.
    seen.severity = Some(Severity::Warning);
    let all: Vec<Value> = service.view("/spec/ports");
    let other_fits = all.iter().any(|port| {
        let target = port.get("targetPort").or_else(|| port.get("port")).and_then(Value::as_i64);
        target.is_some_and(|target| served.contains_key(&target))
    });
    if other_fits || served.is_empty() {
        seen.severity = Some(Severity::Info);
    }
    seen.show(Source::Spec, None, &format!("targetPort: {number}"), Some(path));
    with_declared(&mut seen, selected, declared, wanted);
    seen.fact("targetPort", number);
    seen.fact("podsReady", selected.ready);
    seen
}

fn wrong_protocol(service: &Object, number: i64, at: usize, wanted: &str, has: &BTreeSet<&str>) -> Observation {
    let has: Vec<&str> = has.iter().copied().collect();
    let is = text::and(&has);
    let summary = format!("Service {} sends {wanted} to port {number}, which is {is}", service.metadata.name);
    let mut seen = base(&SERVICE_PROTOCOL_MISMATCH, service, summary);
    seen.message = number.to_string();
    seen.severity = Some(Severity::Warning);
    let path = Path::of("spec.ports").index(at).field("protocol");
    seen.show(Source::Spec, None, &format!("protocol: {wanted}"), Some(path));
    seen.fact("declared", has);
    seen
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
#[path = "ports_tests.rs"]
mod tests;
