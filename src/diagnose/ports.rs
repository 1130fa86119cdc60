//! Services whose ports do not meet those of their pods.

use super::observe::Observation;
use super::row::rows;
use super::service::{selector, selects};
use super::view::{Settled, View, Workload};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::kube::{ContainerPort, Object, PodSpec};
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
SERVICE_HEADLESS_MISUSE "service-headless-misuse" Ask:
    "a headless Service is used as if it had an address";
    "A headless Service resolves to the pods themselves: its port mapping does not apply, and some ingress \
     controllers do not take it.";
    "clusterIP None with a port that differs from its targetPort, used by an Ingress.";
    "A Service that was made for a StatefulSet and is used for traffic.";
    "A possible cause only: a person chooses a second Service with an address.".
SERVICE_EXTERNAL_NAME_BAD "service-external-name-bad" Ask:
    "the external name of a Service can't work";
    "An ExternalName Service is a DNS alias. An empty name, an IP address or its own name resolves to nothing.";
    "spec.externalName of a Service of type ExternalName.";
    "An address where a name was needed, a placeholder.";
    "A person chooses: a DNS name, or a Service without selector with endpoints for an address.".
SERVICE_LOADBALANCER_PENDING "service-loadbalancer-pending" None:
    "a load balancer Service has no address";
    "The cluster's cloud controller has not given the Service an external address. Inside the cluster it works.";
    "type LoadBalancer and an empty status.loadBalancer for over five minutes; event SyncLoadBalancerFailed.";
    "A quota of the provider, an invalid annotation, a cluster without a load balancer controller.";
    "Ask who runs the cluster: `kubectl describe service NAME` has what its cloud controller says. An event may \
     name a field of the Service.".
SERVICE_DUPLICATE_ENDPOINTS "service-duplicate-endpoints" None:
    "two Services have the same selector and port";
    "Both lead to the same pods. Often one of them was left behind.";
    "spec.selector and spec.ports of two Services of the namespace.";
    "A Service that was renamed and not removed.";
    "Worth knowing only: drop the one that no client names.".
ENDPOINTS_MANUAL_STALE "endpoints-manual-stale" None:
    "hand-made endpoints point to an address that is nobody's";
    "A Service without selector has endpoints that a person wrote, and their address is no pod's and no node's. It \
     may well be outside the cluster.";
    "addresses of Endpoints of a Service without selector against pods and nodes.";
    "A pod address that was copied and has changed.";
    "A possible cause only: correct the addresses where they are written, `kubectl get endpoints NAME -o yaml` \
     shows them.".
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
    for workload in view.selectable(&service.metadata.namespace, &wanted) {
        let pods: Vec<_> = workload.current.iter().filter(|p| selects(&wanted, &p.metadata.labels)).collect();
        let template = workload.source.filter(|_| selects(&wanted, &workload.labels)).and_then(Object::pod_spec);
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
        let selected = selected(view, service);
        let ports: Vec<Value> = service.view("/spec/ports");
        for (at, port) in ports.iter().enumerate() {
            out.extend(port_fault(service, &selected, at, port));
        }
        out.extend(external_name(service));
        out.extend(load_balancer(view, service));
        out.extend(headless(view, service, &ports));
        out.extend(stale(view, service));
    }
    out.extend(duplicates(view));
    out
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

fn base(code: &'static CodeInfo, service: &Object, summary: String) -> Observation {
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

fn external_name(service: &Object) -> Option<Observation> {
    if service.text("/spec/type") != "ExternalName" {
        return None;
    }
    let (name, own) = (service.text("/spec/externalName"), &service.metadata);
    let why = if name.is_empty() {
        "is empty"
    } else if name.parse::<std::net::IpAddr>().is_ok() {
        "is an address, not a DNS name"
    } else if name == own.name || name.starts_with(&format!("{}.{}.svc", own.name, own.namespace)) {
        "is its own name"
    } else {
        return None;
    };
    let mut seen =
        base(&SERVICE_EXTERNAL_NAME_BAD, service, format!("the external name of Service {} {why}", own.name));
    seen.show(Source::Spec, None, &format!("externalName: {name}"), Some(Path::of("spec.externalName")));
    Some(seen)
}

fn load_balancer(view: &View<'_>, service: &Object) -> Option<Observation> {
    let addresses = service.at("/status/loadBalancer/ingress").and_then(Value::as_array);
    let waits = service.text("/spec/type") == "LoadBalancer" && addresses.is_none_or(Vec::is_empty);
    if !waits || view.settled(service.metadata.creation_timestamp, 300) != Settled::Yes {
        return None;
    }
    let events = view.events(&service.metadata.uid);
    let failed = events.iter().rev().find(|event| event.reason == "SyncLoadBalancerFailed");
    let summary = format!("Service {} has no load balancer address", service.metadata.name);
    let mut seen = base(&SERVICE_LOADBALANCER_PENDING, service, summary);
    seen.severity = Some(if failed.is_some() { Severity::Warning } else { Severity::Info });
    if let Some(event) = failed {
        seen.show_event(event);
    }
    seen.confidence = Confidence::Certain;
    Some(seen)
}

/// Ingresses of the namespace that name this Service.
fn used_by(view: &View<'_>, service: &Object) -> bool {
    view.snapshot.kind("Ingress").iter().any(|ingress| {
        ingress.metadata.namespace == service.metadata.namespace
            && super::ingress::backends(ingress).iter().any(|backend| backend.service == service.metadata.name)
    })
}

fn headless(view: &View<'_>, service: &Object, ports: &[Value]) -> Option<Observation> {
    let mapped = ports.iter().any(|port| {
        let target = port.get("targetPort").and_then(Value::as_i64);
        target.is_some() && target != port.get("port").and_then(Value::as_i64)
    });
    if service.text("/spec/clusterIP") != "None" || !mapped || !used_by(view, service) {
        return None;
    }
    let name = &service.metadata.name;
    let summary = format!("an Ingress uses headless Service {name}, whose ports are not mapped");
    let mut seen = base(&SERVICE_HEADLESS_MISUSE, service, summary);
    seen.confidence = Confidence::Hypothesis;
    seen.severity = Some(Severity::Info);
    seen.show(Source::Spec, None, "clusterIP: None", Some(Path::of("spec.clusterIP")));
    Some(seen)
}

fn stale(view: &View<'_>, service: &Object) -> Option<Observation> {
    let own = service.text("/spec/type") != "ExternalName" && selector(service).is_empty();
    let endpoints = view.snapshot.find("Endpoints", &service.metadata.namespace, &service.metadata.name)?;
    let subsets: Vec<Value> = endpoints.view("/subsets");
    let addresses: Vec<&str> = subsets
        .iter()
        .filter_map(|subset| subset.get("addresses")?.as_array())
        .flatten()
        .filter_map(|address| address.get("ip")?.as_str())
        .collect();
    let of_node = |ip: &str| {
        view.snapshot.kind("Node").iter().any(|node| {
            let all: Vec<Value> = node.view("/status/addresses");
            all.iter().any(|one| one.get("address").and_then(Value::as_str) == Some(ip))
        })
    };
    let known = |ip: &str| view.snapshot.pods.iter().any(|pod| pod.status.pod_ip == ip) || of_node(ip);
    let stray: Vec<&str> = addresses.into_iter().filter(|ip| !known(ip)).collect();
    if !own || stray.is_empty() || view.snapshot.kind("Node").is_empty() {
        return None;
    }
    let summary = format!("hand-made endpoints of Service {} point to {}", service.metadata.name, text::and(&stray));
    let mut seen = base(&ENDPOINTS_MANUAL_STALE, service, summary);
    seen.confidence = Confidence::Hypothesis;
    seen.severity = Some(Severity::Info);
    let text = format!("Endpoints {}: {}, no pod and no node has it", service.metadata.name, stray.join(", "));
    seen.show(Source::Spec, None, &text, None);
    Some(seen)
}

fn duplicates(view: &View<'_>) -> Vec<Observation> {
    type Way = (String, Vec<(String, String)>, String);
    let mut groups: BTreeMap<Way, Vec<&Object>> = BTreeMap::new();
    for service in view.snapshot.kind("Service") {
        let wanted: Vec<(String, String)> = selector(service).into_iter().collect();
        // A headless Service beside one with an address is the usual pair of a StatefulSet.
        if wanted.is_empty() || service.text("/spec/clusterIP") == "None" {
            continue;
        }
        let ports: Vec<Value> = service.view("/spec/ports");
        let ports: Vec<String> =
            ports.iter().map(|port| format!("{:?}>{:?}", port.get("port"), port.get("targetPort"))).collect();
        let key = (service.metadata.namespace.clone(), wanted, ports.join(","));
        groups.entry(key).or_default().push(service);
    }
    let twice = groups.into_values().filter(|group| group.len() > 1);
    twice
        .filter_map(|mut group| {
            group.sort_by_key(|service| &service.metadata.name);
            let names: Vec<&String> = group.iter().map(|service| &service.metadata.name).collect();
            let summary = format!("Services {} lead to the same pods on the same port", text::and(&names));
            let wanted = selector(group.first()?);
            let wanted: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let mut seen = base(&SERVICE_DUPLICATE_ENDPOINTS, group.first()?, summary);
            seen.severity = Some(Severity::Info);
            seen.show(
                Source::Spec,
                None,
                &format!("selector of each: {}", text::and(&wanted)),
                Some(Path::of("spec.selector")),
            );
            Some(seen)
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
#[path = "ports_tests.rs"]
mod tests;
