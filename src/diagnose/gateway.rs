//! Gateways and routes of the Gateway API.

use super::ingress::INGRESS_BACKEND_DEAD;
use super::observe::{Observation, named};
use super::row::rows;
use super::view::{Settled, View};
use super::workload::Consequence;
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Condition, Object};
use crate::model::path::Path;
use crate::text;
use serde_json::Value;
use std::collections::BTreeSet;

rows! { "ingress";
GATEWAY_CLASS_MISSING "gateway-class-missing" Rule:
    "a Gateway's class does not exist or is not accepted";
    "No controller takes the Gateway, so nothing listens.";
    "spec.gatewayClassName against the GatewayClasses; condition Accepted of the class or the Gateway.";
    "A mistyped class, a controller that is not installed, parameters that it rejects.";
    "When exactly one class differs by a typo, it is set for a person to review. Otherwise a person chooses.".
GATEWAY_NOT_PROGRAMMED "gateway-not-programmed" Ask:
    "a Gateway is not set up";
    "The controller took the Gateway and could not set up its address or a listener.";
    "condition Programmed=False; a listener's ResolvedRefs=False (InvalidCertificateRef, RefNotPermitted).";
    "A certificate that is not there, a reference into another namespace that is not granted, no address left.";
    "A person chooses: the message names the listener and the reference. Where a certificate is missing, those \
     that a ready Certificate makes are listed.".
HTTPROUTE_NOT_ACCEPTED "httproute-not-accepted" Rule:
    "no Gateway takes a route";
    "The route's parent does not exist, has no such listener, or does not allow routes of this namespace or host.";
    "status.parents[].conditions Accepted=False: NoMatchingParent, NotAllowedByListeners, NoMatchingListenerHostname; \
     no parents at all.";
    "A mistyped Gateway or listener, a host that the listener does not serve, a namespace that is not allowed.";
    "When exactly one Gateway or listener name differs by a typo, it is set for a person to review. Otherwise a \
     person chooses.".
HTTPROUTE_BACKEND_MISSING "httproute-backend-missing" Rule:
    "a route sends to a backend that does not exist";
    "Requests that match get an error, because the backend can't be resolved.";
    "condition ResolvedRefs=False: BackendNotFound, InvalidKind, RefNotPermitted.";
    "A mistyped Service, one in another namespace without a ReferenceGrant.";
    "As for an Ingress: the only Service that differs by a typo is set. A reference that is not permitted is for a \
     person to choose.".
}

/// A controller gets this long to say something.
const SETTLING: i64 = 60;

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for gateway in view.snapshot.kind("Gateway").iter().filter(|one| is_gateway_api(one)) {
        out.extend(class(view, gateway).or_else(|| programmed(view, gateway)));
    }
    for route in view.snapshot.kind("HTTPRoute") {
        out.extend(accepted(view, route));
        out.extend(resolved(view, route));
    }
    out
}

/// Istio has a kind of the same name.
fn is_gateway_api(object: &Object) -> bool {
    object.api_version.starts_with("gateway.networking.k8s.io/")
}

fn base(code: &'static CodeInfo, object: &Object, summary: String, condition: Option<&Condition>) -> Observation {
    let mut seen = Observation::of_object(code, object.object());
    seen.summary = summary;
    seen.severity = Some(Severity::Error);
    let turned = condition.and_then(|condition| condition.last_transition_time.0);
    seen.since = turned.or(object.metadata.creation_timestamp);
    if let Some(condition) = condition {
        let text = format!("{}={}: {}: {}", condition.kind, condition.status, condition.reason, condition.message);
        seen.show(Source::Status, turned, &text, None);
        seen.fact("reason", condition.reason.as_str());
    }
    seen
}

fn class(view: &View<'_>, gateway: &Object) -> Option<Observation> {
    let name = gateway.text("/spec/gatewayClassName");
    let classes = view.snapshot.kind("GatewayClass");
    let names: BTreeSet<&str> = classes.iter().map(|class| class.metadata.name.as_str()).collect();
    let own = gateway.conditions();
    let path = Path::of("spec.gatewayClassName");
    let mut seen = if let Some(class) = classes.iter().find(|class| class.metadata.name == name) {
        let conditions = class.conditions();
        let rejected = conditions.iter().find(|c| c.kind == "Accepted" && c.status != "True")?;
        let said = if rejected.message.is_empty() { &rejected.reason } else { &rejected.message };
        let summary = format!("GatewayClass {name} is not accepted: {}", text::clip(said, 120));
        let mut seen = base(&GATEWAY_CLASS_MISSING, gateway, summary, Some(rejected));
        seen.class = FixClass::Ask;
        seen
    } else {
        let waiting = own.iter().find(|c| c.kind == "Accepted" && c.status != "True");
        if classes.is_empty() && waiting.is_none() {
            return None;
        }
        let near = text::nearest(name, names.iter().copied()).map(|near| format!("; {near} does")).unwrap_or_default();
        let summary = if classes.is_empty() {
            format!("no controller has accepted Gateway {} of class {name}", gateway.metadata.name)
        } else {
            format!("GatewayClass {name} does not exist{near}")
        };
        base(&GATEWAY_CLASS_MISSING, gateway, summary, waiting)
    };
    seen.show(Source::Spec, None, &format!("gatewayClassName: {name}"), Some(path));
    seen.fact("missing", name);
    seen.fact("existing", names.into_iter().collect::<Vec<_>>());
    seen.settle(view.settled(gateway.metadata.creation_timestamp, SETTLING))
}

fn programmed(view: &View<'_>, gateway: &Object) -> Option<Observation> {
    let listeners: Vec<Value> = gateway.view("/status/listeners");
    let of_listener = listeners.iter().find_map(|listener| {
        let name = listener.get("name")?.as_str()?.to_owned();
        let conditions: Vec<Condition> = serde_json::from_value(listener.get("conditions")?.clone()).ok()?;
        let bad = conditions.into_iter().find(|c| c.kind == "ResolvedRefs" && c.status == "False")?;
        Some((name, bad))
    });
    if let Some((listener, condition)) = of_listener {
        let said = if condition.message.is_empty() { &condition.reason } else { &condition.message };
        let summary = format!("listener {listener} of Gateway {} is not set up: {said}", gateway.metadata.name);
        let mut seen = base(&GATEWAY_NOT_PROGRAMMED, gateway, summary, Some(&condition));
        let path = Path::of("spec.listeners").item(&listener);
        seen.show(Source::Spec, None, &format!("listener {listener}"), Some(path));
        seen.fact("listener", listener);
        seen.fact("reason", condition.reason.as_str());
        return seen.settle(view.settled(condition.last_transition_time.0, SETTLING));
    }
    let conditions = gateway.conditions();
    let bad = conditions.iter().find(|c| c.kind == "Programmed" && c.status == "False")?;
    let said = if bad.message.is_empty() { &bad.reason } else { &bad.message };
    let summary = format!("Gateway {} is not set up: {}", gateway.metadata.name, text::clip(said, 120));
    base(&GATEWAY_NOT_PROGRAMMED, gateway, summary, Some(bad))
        .settle(view.settled(bad.last_transition_time.0, SETTLING))
}

/// A condition of this type that is False, in any parent's part of the status.
fn of_parents(route: &Object, kind: &str) -> Option<Condition> {
    let parents: Vec<Value> = route.view("/status/parents");
    parents.iter().find_map(|parent| {
        let conditions: Vec<Condition> = serde_json::from_value(parent.get("conditions")?.clone()).ok()?;
        conditions.into_iter().find(|c| c.kind == kind && c.status == "False")
    })
}

fn accepted(view: &View<'_>, route: &Object) -> Option<Observation> {
    let references: Vec<Value> = route.view("/spec/parentRefs");
    let names: Vec<&str> = references.iter().filter_map(|one| one.get("name")?.as_str()).collect();
    let parents: Vec<Value> = route.view("/status/parents");
    let condition = of_parents(route, "Accepted");
    let untaken = parents.is_empty() && !names.is_empty();
    if condition.is_none() && !untaken {
        return None;
    }
    let name = &route.metadata.name;
    let summary = match &condition {
        Some(bad) if bad.message.is_empty() => {
            format!("route {name} is not accepted by {}: {}", text::or(&names), bad.reason)
        }
        Some(bad) => format!("route {name} is not accepted by {}: {}", text::or(&names), text::clip(&bad.message, 120)),
        None => format!("no controller has taken route {name} to {}", text::or(&names)),
    };
    let mut seen = base(&HTTPROUTE_NOT_ACCEPTED, route, summary, condition.as_ref());
    let there: BTreeSet<&str> = view.snapshot.kind("Gateway").iter().map(|one| one.metadata.name.as_str()).collect();
    for (at, reference) in references.iter().enumerate() {
        let text = |name: &str| reference.get(name).and_then(Value::as_str);
        let Some(parent) = text("name") else { continue };
        let path = Path::of("spec.parentRefs").index(at).field("name");
        seen.show(Source::Spec, None, &format!("parentRef {parent}"), Some(path));
        seen.follows.push(named("Gateway", text("namespace").unwrap_or(&route.metadata.namespace), parent));
    }
    seen.fact("existing", there.into_iter().collect::<Vec<_>>());
    let since = condition.and_then(|c| c.last_transition_time.0).or(route.metadata.creation_timestamp);
    seen.settle(view.settled(since, SETTLING))
}

fn resolved(view: &View<'_>, route: &Object) -> Option<Observation> {
    let condition = of_parents(route, "ResolvedRefs")?;
    let backends = backends(route);
    let namespace = &route.metadata.namespace;
    let missing: Vec<&(String, String, Path)> =
        backends.iter().filter(|(ns, name, _)| view.snapshot.find("Service", ns, name).is_none()).collect();
    let services = view.snapshot.kind("Service").iter().filter(|one| one.metadata.namespace == *namespace);
    let names: BTreeSet<&str> = services.map(|one| one.metadata.name.as_str()).collect();
    let summary = match missing.first() {
        Some((_, name, _)) if condition.reason == "BackendNotFound" => {
            let near = text::nearest(name, names.iter().copied()).map(|near| format!("; {near} does"));
            format!(
                "route {} goes to Service {name}, which does not exist{}",
                route.metadata.name,
                near.unwrap_or_default()
            )
        }
        _ => {
            format!("a backend of route {} can't be used: {}", route.metadata.name, text::clip(&condition.message, 120))
        }
    };
    let mut seen = base(&HTTPROUTE_BACKEND_MISSING, route, summary, Some(&condition));
    if condition.reason != "BackendNotFound" {
        seen.class = FixClass::Ask;
    }
    for (_, name, path) in &missing {
        seen.show(Source::Spec, None, &format!("backend {name}"), Some(path.field("name")));
    }
    seen.fact("missing", missing.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>());
    seen.fact("existing", names.into_iter().collect::<Vec<_>>());
    (view.settled(condition.last_transition_time.0, SETTLING) != Settled::No).then_some(seen)
}

/// Namespace, name and place of every Service that a route sends to.
fn backends(route: &Object) -> Vec<(String, String, Path)> {
    let rules: Vec<Value> = route.view("/spec/rules");
    let mut out = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        let references = rule.get("backendRefs").and_then(Value::as_array);
        for (j, one) in references.into_iter().flatten().enumerate() {
            let text = |name: &str| one.get(name).and_then(Value::as_str);
            let Some(name) = text("name").filter(|_| text("kind").is_none_or(|kind| kind == "Service")) else {
                continue;
            };
            let namespace = text("namespace").unwrap_or(&route.metadata.namespace);
            let path = Path::of("spec.rules").index(i).field("backendRefs").index(j);
            out.push((namespace.to_owned(), name.to_owned(), path));
        }
    }
    out
}

/// Routes whose backend has a fault of its own.
pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    let routes = view.snapshot.kind("HTTPRoute").iter();
    routes
        .map(|route| Consequence {
            code: &INGRESS_BACKEND_DEAD,
            object: route.object(),
            follows: backends(route).iter().map(|(namespace, name, _)| named("Service", namespace, name)).collect(),
            container: None,
            summary: format!("route {} sends to a Service that has a fault", route.metadata.name),
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
mod tests {
    use super::super::testing::{OLD, finding, roots};
    use serde_json::{Value, json};

    const API: &str = "gateway.networking.k8s.io/v1";

    fn gateway(class: &str, status: Value) -> Value {
        json!({"apiVersion": API, "kind": "Gateway", "metadata": {"name": "gw"}, "spec": {"gatewayClassName": class}, "status": status})
    }

    fn bad(kind: &str, reason: &str) -> Value {
        json!([{"type": kind, "status": "False", "reason": reason, "message": "", "lastTransitionTime": OLD}])
    }

    fn class(name: &str) -> Value {
        json!({"apiVersion": API, "kind": "GatewayClass", "metadata": {"name": name},
            "status": {"conditions": [{"type": "Accepted", "status": "True"}]}})
    }

    #[test]
    fn gateways_without_class_or_address_are_told() {
        assert_eq!(roots(&[gateway("istoi", json!({})), class("istio")]), ["gateway-class-missing Gateway/gw"]);
        assert!(roots(&[gateway("istio", json!({})), class("istio")]).is_empty());
        let waits = gateway("istio", json!({"conditions": bad("Programmed", "AddressNotAssigned")}));
        assert_eq!(roots(&[waits, class("istio")]), ["gateway-not-programmed Gateway/gw"]);
        let listener = gateway(
            "istio",
            json!({"listeners": [{"name": "https", "conditions": bad("ResolvedRefs", "InvalidCertificateRef")}]}),
        );
        let told = finding(&[listener, class("istio")], "gateway-not-programmed");
        assert_eq!(told.summary, "listener https of Gateway gw is not set up: InvalidCertificateRef");
    }

    fn route(status: Value) -> Value {
        json!({"apiVersion": API, "kind": "HTTPRoute", "metadata": {"name": "r"}, "status": status,
            "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": "wbe", "port": 80}]}]}})
    }

    #[test]
    fn routes_name_their_parent_and_their_missing_backend() {
        let parent = |kind: &str, reason: &str| json!({"parents": [{"conditions": bad(kind, reason)}]});
        let not = route(parent("Accepted", "NoMatchingListenerHostname"));
        assert_eq!(roots(&[not]), ["httproute-not-accepted HTTPRoute/r"]);
        assert_eq!(roots(&[route(json!({}))]), ["httproute-not-accepted HTTPRoute/r"]);
        let service = json!({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "web"}, "spec": {}});
        let told = finding(&[route(parent("ResolvedRefs", "BackendNotFound")), service], "httproute-backend-missing");
        assert_eq!(told.summary, "route r goes to Service wbe, which does not exist; web does");
        let good = route(json!({"parents": [{"conditions": [{"type": "Accepted", "status": "True"}]}]}));
        assert!(roots(&[good]).is_empty());
    }

    #[test]
    fn a_route_follows_the_fault_of_its_gateway() {
        let broken = gateway("istoi", json!({}));
        let told = finding(&[route(json!({})), broken, class("istio")], "gateway-class-missing");
        assert_eq!(told.effects[0].code.name(), "httproute-not-accepted");
    }
}
