//! Which Service a host of a log or an argument means.

use crate::diagnose::service::selector;
use crate::diagnose::view::{Running, View, Workload};
use crate::model::kube::Object;
use crate::text;
use serde_json::{Value, json};

/// What is known of a host.
pub(crate) struct Target<'v, 's> {
    pub host: String,
    pub port: Option<i64>,
    /// Whether its name is one of the cluster.
    pub internal: bool,
    pub service: Option<&'s Object>,
    /// The closest existing Service of the namespace that the name means.
    pub near: Option<&'s str>,
    pub workloads: Vec<&'v Workload<'s>>,
}

/// Resolves a host as the cluster's DNS would: `name`, `name.ns`, `name.ns.svc[.domain]`, or a Service's address.
pub(crate) fn resolve<'v, 's>(container: &Running<'v, 's>, host: &str, port: Option<i64>) -> Target<'v, 's> {
    let view: &'v View<'s> = container.at.view;
    let services = || view.snapshot.kind("Service").iter();
    let own = container.at.pod.metadata.namespace.as_str();
    let parts: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    let seen = |namespace: &str| services().any(|service| service.metadata.namespace == namespace);
    let named = match parts.as_slice() {
        _ if is_address => None,
        [name] if *name != "localhost" => Some((*name, own)),
        [name, namespace] if seen(namespace) || *namespace == own => Some((*name, *namespace)),
        [name, namespace, "svc", ..] => Some((*name, *namespace)),
        _ => None,
    };
    let service = services().find(|service| match named {
        Some((name, namespace)) => service.metadata.name == name && service.metadata.namespace == namespace,
        None => is_address && service.text("/spec/clusterIP") == host,
    });
    let near = named.filter(|_| service.is_none()).and_then(|(name, namespace)| {
        let there = services().filter(|service| service.metadata.namespace == namespace);
        text::nearest(name, there.map(|service| service.metadata.name.as_str()))
    });
    let workloads = service.map(|service| behind(view, service)).unwrap_or_default();
    let internal = named.is_some() || service.is_some();
    Target { host: host.to_owned(), port, internal, service, near, workloads }
}

fn behind<'v, 's>(view: &'v View<'s>, service: &Object) -> Vec<&'v Workload<'s>> {
    let selector = selector(service);
    let selected = |workload: &&Workload<'_>| {
        !selector.is_empty()
            && workload.top.namespace() == service.metadata.namespace
            && selector.iter().all(|(key, value)| workload.labels.get(key) == Some(value))
    };
    view.workloads.iter().filter(selected).collect()
}

impl Target<'_, '_> {
    /// Whether the Service has pods to answer.
    pub(crate) fn has_ready_pods(&self) -> bool {
        self.workloads.iter().any(|workload| workload.pods.iter().any(|pod| pod.is_ready()))
    }

    /// The ports of the Service, as numbers.
    pub(crate) fn ports(&self) -> Vec<i64> {
        let ports = self.service.and_then(|service| service.at("/spec/ports")).and_then(Value::as_array);
        ports.into_iter().flatten().filter_map(|port| port.get("port")?.as_i64()).collect()
    }

    /// Why it cannot work, from what is known of the Service.
    pub(crate) fn trouble(&self) -> Option<String> {
        if let Some(near) = self.near {
            return Some(format!("no Service has that name; {near} does"));
        }
        let service = &self.service.filter(|_| self.internal)?.metadata.name;
        if let Some(port) = self.port.filter(|port| !self.ports().contains(port)) {
            let ports: Vec<String> = self.ports().iter().map(ToString::to_string).collect();
            return Some(format!("Service {service} has no port {port}; it has {}", text::and(&ports)));
        }
        (!self.workloads.is_empty() && !self.has_ready_pods()).then(|| format!("no pod of Service {service} is ready"))
    }

    /// Keys of the workloads whose fault would explain that nothing answers.
    pub(crate) fn follows(&self) -> Vec<String> {
        if self.has_ready_pods() { Vec::new() } else { self.workloads.iter().map(|w| w.key.clone()).collect() }
    }

    /// For `fix/`.
    pub(crate) fn fact(&self) -> Value {
        json!({
            "host": self.host, "port": self.port, "internal": self.internal, "near": self.near,
            "service": self.service.map(|service| service.object().qualified()), "ports": self.ports(),
            "ready": self.has_ready_pods(),
        })
    }
}
