//! Ingresses: backends, classes, hosts, addresses.

use super::observe::{Observation, named};
use super::row::rows;
use super::view::{Settled, View};
use super::workload::Consequence;
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::text;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

rows! { "ingress";
INGRESS_BACKEND_SERVICE_MISSING "ingress-backend-service-missing" Rule:
    "an Ingress sends to a Service that does not exist";
    "Requests for this host and path get an error of the ingress controller, because the backend is not in the \
     namespace.";
    "backend.service.name against the Services of the namespace. Without a controller there is no event.";
    "A mistyped name, a Service that was renamed, an Ingress in another namespace than its Service.";
    "When exactly one Service differs by a typo and has the port, it is set; or the name of the last good revision. \
     Otherwise a person chooses.".
INGRESS_BACKEND_PORT_MISSING "ingress-backend-port-missing" Rule:
    "an Ingress sends to a port that its Service does not have";
    "The port of a backend is the Service's port, not the port of the pods behind it.";
    "backend.service.port against spec.ports of the Service.";
    "The container's port used instead of the Service's, a port that was renamed.";
    "When the number is the targetPort of exactly one port, that port is set; when the Service has one port, that \
     one, for a person to review.".
INGRESS_BACKEND_DEAD "ingress-backend-dead" None:
    "the Service behind an Ingress serves nothing";
    "The Ingress is right; what it sends to has a fault of its own.";
    "a backend Service with a fault.";
    "What is wrong with the Service or its pods.";
    "An effect: the fault behind it is what to fix.".
INGRESS_CLASS_MISSING "ingress-class-missing" Rule:
    "an Ingress names a class that does not exist";
    "No controller takes the Ingress, unless one matches the name without the object.";
    "spec.ingressClassName against the IngressClasses; no address in status.";
    "A mistyped class, a manifest from another cluster.";
    "When exactly one class differs by a typo, or there is only one, it is set for a person to review. Otherwise a \
     person chooses.".
INGRESS_NO_CLASS "ingress-no-class" Rule:
    "an Ingress names no class and there is no default one";
    "Which controller should take it is not said, so perhaps none does.";
    "no ingressClassName, no annotation, no default IngressClass, no address in status.";
    "A manifest from a cluster with a default class.";
    "When there is exactly one class, it is set for a person to review. Otherwise a person chooses.".
INGRESS_TLS_SECRET_MISSING "ingress-tls-secret-missing" Rule:
    "the Secret with the certificate of an Ingress does not exist";
    "The controller serves its own certificate or none for this host.";
    "spec.tls[].secretName against the Secrets, read only with --read-secret-keys, or an event or Certificate that \
     says so.";
    "A certificate that was not issued, a mistyped name, a Secret in another namespace.";
    "When exactly one Secret differs by a typo, it is set for a person to review. A Secret that a Certificate should \
     make is an effect of that Certificate.".
INGRESS_NO_ADDRESS "ingress-no-address" None:
    "an Ingress has no address though its class has a controller";
    "The controller of its class has not taken the Ingress up, so no traffic from outside reaches its backends.";
    "an empty status.loadBalancer for over five minutes and a class with a controller.";
    "A controller that is down or rejects the Ingress.";
    "Look at the controller, not at the Ingress: `kubectl get pods` and `kubectl logs` in its namespace.".
INGRESS_HOST_CONFLICT "ingress-host-conflict" Ask:
    "two Ingresses claim the same host and path";
    "They send to different backends, and which one wins depends on the controller.";
    "host and path of the rules of all Ingresses of a class.";
    "A copy that was left behind, two teams with one host.";
    "A person chooses which Ingress keeps the path: for each, the path is taken out of the other one. An \
     Ingress that would be left empty is taken out of Git by hand.".
}

/// One backend of an Ingress.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    pub service: String,
    /// A number or a name.
    pub port: Value,
    pub host: String,
    pub path: String,
    /// Of `service` in the Ingress.
    pub at: Path,
}

/// Every Service that an Ingress sends to.
pub(crate) fn backends(ingress: &Object) -> Vec<Backend> {
    let of = |value: &Value, host: &str, path: &str, at: Path| {
        let service = value.get("service")?;
        let port = service.get("port")?;
        Some(Backend {
            service: service.get("name")?.as_str()?.to_owned(),
            port: port.get("number").or_else(|| port.get("name")).cloned().unwrap_or_default(),
            host: host.to_owned(),
            path: path.to_owned(),
            at: at.field("service"),
        })
    };
    let mut out: Vec<Backend> = ingress
        .at("/spec/defaultBackend")
        .and_then(|backend| of(backend, "", "", Path::of("spec.defaultBackend")))
        .into_iter()
        .collect();
    let rules: Vec<Value> = ingress.view("/spec/rules");
    for (i, rule) in rules.iter().enumerate() {
        let host = rule.get("host").and_then(Value::as_str).unwrap_or_default();
        let paths = rule.pointer("/http/paths").and_then(Value::as_array);
        for (j, one) in paths.into_iter().flatten().enumerate() {
            let path = one.get("path").and_then(Value::as_str).unwrap_or_default();
            let at = Path::of("spec.rules").index(i).field("http").field("paths").index(j).field("backend");
            out.extend(one.get("backend").and_then(|backend| of(backend, host, path, at)));
        }
    }
    out
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for ingress in view.snapshot.kind("Ingress") {
        for backend in backends(ingress) {
            out.extend(service(view, ingress, &backend));
        }
        out.extend(class(view, ingress));
        out.extend(tls(view, ingress));
        out.extend(no_address(view, ingress));
    }
    out.extend(conflicts(view));
    out
}

fn base(code: &'static CodeInfo, ingress: &Object, summary: String) -> Observation {
    let mut seen = Observation::of_object(code, ingress.object());
    seen.summary = summary;
    seen.since = ingress.metadata.creation_timestamp;
    seen.severity = Some(Severity::Error);
    seen
}

fn place(backend: &Backend) -> String {
    match (backend.host.as_str(), backend.path.as_str()) {
        ("", "") => "every request".to_owned(),
        (host, path) => format!("{host}{path}"),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn service(view: &View<'_>, ingress: &Object, backend: &Backend) -> Option<Observation> {
    // AWS: the name is that of an action in an annotation.
    if view.snapshot.lacks("services") || backend.port.as_str() == Some("use-annotation") {
        return None;
    }
    let namespace = &ingress.metadata.namespace;
    let services = view.snapshot.kind("Service").iter().filter(|one| one.metadata.namespace == *namespace);
    let names: BTreeSet<&str> = services.map(|one| one.metadata.name.as_str()).collect();
    let Some(found) = view.snapshot.find("Service", namespace, &backend.service) else {
        let summary = match text::nearest(&backend.service, names.iter().copied()) {
            Some(near) => {
                format!("{} goes to Service {}, which does not exist; {near} does", place(backend), backend.service)
            }
            None => format!("{} goes to Service {}, which does not exist", place(backend), backend.service),
        };
        let mut seen = base(&INGRESS_BACKEND_SERVICE_MISSING, ingress, summary);
        seen.message.clone_from(&backend.service);
        let text = format!("backend service {}", backend.service);
        seen.show(Source::Spec, None, &text, Some(backend.at.field("name")));
        seen.fact("missing", backend.service.as_str());
        seen.fact("port", backend.port.clone());
        seen.fact("existing", names.into_iter().collect::<Vec<_>>());
        return Some(seen);
    };
    let ports: Vec<Value> = found.view("/spec/ports");
    let fits = ports.iter().any(|port| match &backend.port {
        Value::String(name) => port.get("name").and_then(Value::as_str) == Some(name),
        number => port.get("port") == Some(number),
    });
    // An ExternalName Service needs no ports.
    if fits || ports.is_empty() || backend.port.is_null() {
        return None;
    }
    let port = shown(&backend.port);
    let has: Vec<String> = ports.iter().filter_map(|one| one.get("port")).map(Value::to_string).collect();
    let summary =
        format!("{} goes to port {port} of Service {}, which has {}", place(backend), backend.service, text::and(&has));
    let mut seen = base(&INGRESS_BACKEND_PORT_MISSING, ingress, summary);
    seen.message = format!("{}:{port}", backend.service);
    let leaf = if backend.port.is_string() { "name" } else { "number" };
    let path = backend.at.field("port").field(leaf);
    seen.show(Source::Spec, None, &format!("backend port {port} of Service {}", backend.service), Some(path));
    for one in &ports {
        let target = one.get("targetPort").map(shown).unwrap_or_default();
        let text = format!(
            "Service {} has port {} to {target}",
            backend.service,
            one.get("port").cloned().unwrap_or_default()
        );
        seen.show(Source::Spec, None, &text, None);
    }
    seen.fact("service", backend.service.as_str());
    seen.fact("port", backend.port.clone());
    seen.fact("ports", ports);
    Some(seen)
}

fn has_address(ingress: &Object) -> bool {
    let addresses = ingress.at("/status/loadBalancer/ingress").and_then(Value::as_array);
    addresses.is_some_and(|addresses| !addresses.is_empty())
}

fn class(view: &View<'_>, ingress: &Object) -> Option<Observation> {
    let classes = view.snapshot.kind("IngressClass");
    if classes.is_empty() || has_address(ingress) || view.snapshot.lacks("ingressclasses") {
        return None;
    }
    let names: BTreeSet<&str> = classes.iter().map(|class| class.metadata.name.as_str()).collect();
    let name = ingress.text("/spec/ingressClassName");
    let annotated = ingress.metadata.annotations.contains_key("kubernetes.io/ingress.class");
    let is_default = |class: &Object| {
        class.metadata.annotations.get("ingressclass.kubernetes.io/is-default-class").is_some_and(|v| v == "true")
    };
    let (code, summary) = if !name.is_empty() && !names.contains(name) {
        let near = text::nearest(name, names.iter().copied()).map(|near| format!("; {near} does")).unwrap_or_default();
        (&INGRESS_CLASS_MISSING, format!("IngressClass {name} does not exist{near}"))
    } else if name.is_empty() && !annotated && !classes.iter().any(is_default) {
        (&INGRESS_NO_CLASS, format!("Ingress {} names no class, and none is the default", ingress.metadata.name))
    } else {
        return None;
    };
    let mut seen = base(code, ingress, summary);
    if names.len() > 1 && text::nearest(name, names.iter().copied()).is_none() {
        seen.class = FixClass::Ask;
    }
    seen.confidence = Confidence::Strong;
    let path = Path::of("spec.ingressClassName");
    seen.show(Source::Spec, None, &format!("ingressClassName: {name}"), Some(path));
    seen.fact("missing", name);
    seen.fact("existing", names.into_iter().collect::<Vec<_>>());
    seen.settle(view.settled(ingress.metadata.creation_timestamp, 60))
}

fn tls(view: &View<'_>, ingress: &Object) -> Option<Observation> {
    let namespace = &ingress.metadata.namespace;
    let entries: Vec<Value> = ingress.view("/spec/tls");
    let secrets: BTreeSet<&str> = view
        .snapshot
        .secrets
        .iter()
        .filter(|secret| secret.metadata.namespace == *namespace)
        .map(|secret| secret.metadata.name.as_str())
        .collect();
    let events = view.events(&ingress.metadata.uid);
    entries.iter().enumerate().find_map(|(at, entry)| {
        let name = entry.get("secretName")?.as_str()?;
        let said = events.iter().rev().find(|event| {
            let text = event.text();
            text.contains(name) && (text.contains("not found") || text.contains("does not exist"))
        });
        let certificate = view
            .snapshot
            .kind("Certificate")
            .iter()
            .find(|one| one.metadata.namespace == *namespace && one.text("/spec/secretName") == name);
        let not_issued = certificate.is_some_and(|one| {
            one.conditions().iter().any(|c| c.kind == "Ready" && c.status == "False" && c.reason == "DoesNotExist")
        });
        // Without reading Secrets nothing is known of those that are not named.
        let listed = !view.snapshot.secrets.is_empty() && !secrets.contains(name);
        if !listed && said.is_none() && !not_issued {
            return None;
        }
        let summary = format!("Secret {name} with the certificate of Ingress {} does not exist", ingress.metadata.name);
        let mut seen = base(&INGRESS_TLS_SECRET_MISSING, ingress, summary);
        seen.severity = Some(Severity::Warning);
        name.clone_into(&mut seen.message);
        let path = Path::of("spec.tls").index(at).field("secretName");
        seen.show(Source::Spec, None, &format!("secretName: {name}"), Some(path));
        if let Some(event) = said {
            seen.show_event(event);
        }
        if let Some(certificate) = certificate {
            seen.follows.push(named("Certificate", namespace, &certificate.metadata.name));
        }
        seen.fact("missing", name);
        seen.fact("existing", secrets.iter().copied().collect::<Vec<_>>());
        Some(seen)
    })
}

fn no_address(view: &View<'_>, ingress: &Object) -> Option<Observation> {
    let name = ingress.text("/spec/ingressClassName");
    let class = view.snapshot.find("IngressClass", "", name)?;
    let controller = class.text("/spec/controller");
    // The controller's pods carry the last word of its name: `k8s.io/ingress-nginx`.
    let word = controller.rsplit('/').next().filter(|word| !word.is_empty())?;
    let pods = view.workloads.iter().find(|workload| workload.labels.values().any(|value| value == word))?;
    if has_address(ingress) || view.settled(ingress.metadata.creation_timestamp, 300) != Settled::Yes {
        return None;
    }
    let summary = format!("controller {controller} has given Ingress {} no address", ingress.metadata.name);
    let mut seen = base(&INGRESS_NO_ADDRESS, ingress, summary);
    seen.severity = Some(Severity::Warning);
    seen.confidence = Confidence::Likely;
    seen.show(Source::Spec, None, &format!("IngressClass {name} is served by {controller}"), None);
    seen.follows.push(pods.key.clone());
    Some(seen)
}

fn conflicts(view: &View<'_>) -> Vec<Observation> {
    type Claim<'s> = (&'s Object, Backend);
    let mut claims: BTreeMap<(String, String, String), Vec<Claim<'_>>> = BTreeMap::new();
    for ingress in view.snapshot.kind("Ingress") {
        // A canary is meant to share its host.
        let is_canary =
            ingress.metadata.annotations.iter().any(|(key, value)| key.ends_with("/canary") && value == "true");
        for backend in backends(ingress).into_iter().filter(|backend| !backend.host.is_empty() && !is_canary) {
            let class = ingress.text("/spec/ingressClassName").to_owned();
            claims.entry((class, backend.host.clone(), backend.path.clone())).or_default().push((ingress, backend));
        }
    }
    let mut out = Vec::new();
    for ((class, host, path), mut claims) in claims {
        claims.sort_by_key(|(ingress, _)| (&ingress.metadata.namespace, &ingress.metadata.name));
        let [(first, one), rest @ ..] = claims.as_slice() else { continue };
        let other = rest.iter().find(|(ingress, backend)| {
            let elsewhere = ingress.metadata.namespace != first.metadata.namespace;
            ingress.metadata.uid != first.metadata.uid && (elsewhere || backend.service != one.service)
        });
        let Some((other, backend)) = other else { continue };
        let summary = format!(
            "{host}{path} goes to Service {} here and to {} in Ingress {}/{}",
            one.service, backend.service, other.metadata.namespace, other.metadata.name
        );
        let mut seen = base(&INGRESS_HOST_CONFLICT, first, summary);
        seen.severity = Some(Severity::Warning);
        seen.message = format!("{host}{path}");
        seen.show(Source::Spec, None, &format!("{host}{path} to {}", one.service), Some(one.at.clone()));
        seen.fact("other", json!(other.object().to_string()));
        seen.fact("class", class);
        seen.fact("host", host);
        seen.fact("path", path);
        out.push(seen);
    }
    out
}

/// Ingresses and routes whose backend has a fault of its own.
pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    let dead = |ingress: &Object| {
        let namespace = &ingress.metadata.namespace;
        let mut services: Vec<String> = backends(ingress).into_iter().map(|backend| backend.service).collect();
        services.sort();
        services.dedup();
        services
            .into_iter()
            .map(|service| Consequence {
                code: &INGRESS_BACKEND_DEAD,
                object: ingress.object(),
                follows: vec![named("Service", namespace, &service)],
                container: None,
                summary: format!("Ingress {} sends to Service {service}, which has a fault", ingress.metadata.name),
            })
            .collect::<Vec<_>>()
    };
    view.snapshot.kind("Ingress").iter().flat_map(dead).collect()
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
#[path = "ingress_tests.rs"]
mod tests;
