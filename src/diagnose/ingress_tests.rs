//! Ingresses that lead nowhere, and their twins.

use super::super::testing::{finding, of, ready, roots};
use serde_json::{Value, json};

fn ingress(name: &str, service: &str, port: Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "x.io", "http": {"paths": [
            {"path": "/", "backend": {"service": {"name": service, "port": port}}}]}}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}]}}})
}

fn service(name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": app}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
}

#[test]
fn the_port_of_a_backend_is_that_of_the_service() {
    let with =
        |port: Value| roots(&[ready("web", json!({"app": "web"})), service("web", "web"), ingress("i", "web", port)]);
    assert!(with(json!({"number": 80})).is_empty());
    assert!(with(json!({"name": "http"})).is_empty());
    assert_eq!(with(json!({"number": 8080})), ["ingress-backend-port-missing Ingress/i"]);
}

#[test]
fn the_closest_service_is_named_and_actions_of_annotations_are_left_alone() {
    let objects = |name: &str, port: Value| {
        [ready("web", json!({"app": "web"})), service("web", "web"), ingress("i", name, port)]
    };
    let told = finding(&objects("wbe", json!({"number": 80})), "ingress-backend-service-missing");
    assert_eq!(told.summary, "x.io/ goes to Service wbe, which does not exist; web does");
    assert!(roots(&objects("redirect", json!({"name": "use-annotation"}))).is_empty());
}

#[test]
fn a_fault_of_the_service_is_the_root_of_a_dead_backend() {
    let objects =
        [ready("web", json!({"app": "web"})), service("web", "wbe"), ingress("i", "web", json!({"number": 80}))];
    let told = finding(&objects, "service-selector-mismatch");
    assert_eq!(told.effects[0].code.name(), "ingress-backend-dead");
    assert_eq!(roots(&objects).len(), 1);
}

#[test]
fn classes_are_judged_only_without_an_address() {
    let class = |name: &str| json!({"kind": "IngressClass", "metadata": {"name": name}});
    let services = [ready("web", json!({"app": "web"})), service("web", "web")];
    let with = |mut ingress: Value, name: Option<&str>| {
        ingress["status"] = json!({});
        ingress["spec"]["ingressClassName"] = json!(name);
        let mut all = services.to_vec();
        all.extend([ingress, class("nginx")]);
        roots(&all)
    };
    let one = ingress("i", "web", json!({"number": 80}));
    assert_eq!(with(one.clone(), Some("ngnix")), ["ingress-class-missing Ingress/i"]);
    assert_eq!(with(one.clone(), None), ["ingress-no-class Ingress/i"]);
    assert!(with(one.clone(), Some("nginx")).is_empty());
    let mut all = services.to_vec();
    all.extend([one, class("other")]);
    assert!(roots(&all).is_empty(), "a controller has taken it");
}

#[test]
fn a_missing_certificate_is_known_only_when_secrets_are_read() {
    let mut one = ingress("i", "web", json!({"number": 80}));
    one["spec"]["tls"] = json!([{"secretName": "tls-x"}]);
    let mut all = vec![ready("web", json!({"app": "web"})), service("web", "web"), one];
    assert!(roots(&all).is_empty());
    all.push(json!({"kind": "Secret", "metadata": {"name": "tls-y"}, "data": {}}));
    assert_eq!(roots(&all), ["ingress-tls-secret-missing Ingress/i"]);
}

#[test]
fn one_host_with_two_backends_is_a_conflict_unless_it_is_a_canary() {
    let services = [ready("web", json!({"app": "web"})), service("web", "web"), service("api", "web")];
    let mut other = ingress("j", "api", json!({"number": 80}));
    let with = |other: Value| {
        let mut all = services.to_vec();
        all.extend([ingress("i", "web", json!({"number": 80})), other]);
        roots(&all)
    };
    assert_eq!(with(other.clone()), ["ingress-host-conflict Ingress/i"]);
    other["metadata"]["annotations"] = json!({"nginx.ingress.kubernetes.io/canary": "true"});
    assert!(with(other).is_empty());
}

#[test]
fn an_ingress_without_an_address_follows_the_fault_of_its_controller() {
    let class =
        json!({"kind": "IngressClass", "metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}});
    let mut one = ingress("i", "web", json!({"number": 80}));
    one["status"] = json!({});
    let controller = ready("ctl", json!({"app": "ingress-nginx"}));
    let objects = [ready("web", json!({"app": "web"})), service("web", "web"), one, class, controller];
    assert_eq!(roots(&objects), ["ingress-no-address Ingress/i"]);
    let mut broken = objects.to_vec();
    broken[4]["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
    broken[4]["status"]["containerStatuses"][0]["ready"] = json!(false);
    let found = super::super::diagnose(&of(&broken));
    assert!(found.findings.iter().any(|f| f.code.name() == "not-ready" && !f.effects.is_empty()));
}
