//! Services whose own address does not lead where it should.

use super::observe::Observation;
use super::ports::base;
use super::row::rows;
use super::service::selector;
use super::view::{Settled, View};
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::text;
use serde_json::Value;
use std::collections::BTreeMap;

rows! { "service";
SERVICE_HEADLESS_MISUSE "service-headless-misuse" Ask:
    "a headless Service is used as if it had an address";
    "A headless Service resolves to the pods themselves: its port mapping does not apply, and some ingress \
     controllers do not take it.";
    "clusterIP None with a port that differs from its targetPort, used by an Ingress.";
    "A Service that was made for a StatefulSet and is used for traffic.";
    "A possible cause only: a person chooses a second Service with an address. Where one of the same pods is \
     there, the Ingress may be sent to it.".
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

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = duplicates(view);
    for service in view.snapshot.kind("Service") {
        out.extend(external_name(service));
        out.extend(load_balancer(view, service));
        out.extend(headless(view, service));
        out.extend(stale(view, service));
    }
    out
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

fn headless(view: &View<'_>, service: &Object) -> Option<Observation> {
    if service.text("/spec/clusterIP") != "None" {
        return None;
    }
    let ports: Vec<Value> = service.view("/spec/ports");
    let mapped = ports.iter().any(|port| {
        let target = port.get("targetPort").and_then(Value::as_i64);
        target.is_some() && target != port.get("port").and_then(Value::as_i64)
    });
    if !mapped || !used_by(view, service) {
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
    type Way<'s> = (&'s str, &'s BTreeMap<String, String>, String);
    let mut groups: BTreeMap<Way<'_>, Vec<&Object>> = BTreeMap::new();
    for service in view.snapshot.kind("Service") {
        let wanted = selector(service);
        // A headless Service beside one with an address is the usual pair of a StatefulSet.
        if wanted.is_empty() || service.text("/spec/clusterIP") == "None" {
            continue;
        }
        let ports: Vec<Value> = service.view("/spec/ports");
        let ports: Vec<String> =
            ports.iter().map(|port| format!("{:?}>{:?}", port.get("port"), port.get("targetPort"))).collect();
        let key = (service.metadata.namespace.as_str(), wanted, ports.join(","));
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
