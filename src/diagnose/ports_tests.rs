//! Ports that match nothing, and their twins.

use super::super::testing::{all, event, finding, ready, roots};
use serde_json::{Value, json};

fn service(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
}

fn to(target: Value) -> Value {
    service(json!({"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": target}]}))
}

fn pod() -> Value {
    ready("web", json!({"app": "web"}))
}

#[test]
fn a_number_that_a_probe_or_a_setting_uses_is_meant() {
    assert_eq!(roots(&[pod(), to(json!(8081))]), ["service-target-port-mismatch Service/web"]);
    assert!(roots(&[pod(), to(json!(8080))]).is_empty());
    let mut admin = pod();
    admin["spec"]["containers"][0]["args"] = json!(["--listen=:8081"]);
    // What is ready was reduced while reading; a snapshot file may still hold it.
    assert!(roots(&[admin, to(json!(8081))]).is_empty());
    let mut silent = pod();
    silent["spec"]["containers"][0]["ports"] = json!([]);
    assert!(roots(&[silent, to(json!(8081))]).is_empty(), "declaring a port is optional");
}

#[test]
fn a_port_name_that_no_pod_has_is_certain_to_fail() {
    assert_eq!(roots(&[pod(), to(json!("htpp"))]), ["service-named-port-missing Service/web"]);
    let told = finding(&[pod(), to(json!("htpp"))], "service-named-port-missing");
    assert_eq!(told.summary, "Service web sends to port htpp, which no pod names; http is declared");
    assert!(roots(&[pod(), to(json!("http"))]).is_empty());
}

#[test]
fn another_port_that_fits_makes_it_worth_knowing_only() {
    let two = service(json!({"selector": {"app": "web"},
        "ports": [{"name": "a", "port": 80, "targetPort": 8080}, {"name": "b", "port": 81, "targetPort": 9999}]}));
    assert_eq!(all(&[pod(), two]), ["service-target-port-mismatch Service/web"]);
}

#[test]
fn protocols_external_names_and_load_balancers_are_checked() {
    let udp = service(json!({"selector": {"app": "web"}, "ports": [{"port": 8080, "protocol": "UDP"}]}));
    assert_eq!(roots(&[pod(), udp]), ["service-protocol-mismatch Service/web"]);
    let external = |name: &str| roots(&[service(json!({"type": "ExternalName", "externalName": name}))]);
    assert_eq!(external("10.0.0.1"), ["service-external-name-bad Service/web"]);
    assert_eq!(external("web.a.svc.cluster.local"), ["service-external-name-bad Service/web"]);
    assert!(external("db.example.com").is_empty());
    let balancer = service(
        json!({"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}),
    );
    let failed = event("Service", "web", "SyncLoadBalancerFailed", "Error syncing load balancer: quota");
    assert_eq!(roots(&[pod(), balancer.clone(), failed]), ["service-loadbalancer-pending Service/web"]);
    assert!(roots(&[pod(), balancer]).is_empty(), "without an event there may be no controller");
}

#[test]
fn what_is_only_worth_knowing_of_services() {
    let mut other = to(json!(8080));
    other["metadata"]["name"] = json!("web-old");
    assert_eq!(all(&[pod(), to(json!(8080)), other]), ["service-duplicate-endpoints Service/web"]);
    let node = json!({"kind": "Node", "metadata": {"name": "n"}, "status": {"addresses": [{"address": "10.0.0.1"}]}});
    let endpoints =
        |ip: &str| json!({"kind": "Endpoints", "metadata": {"name": "web"}, "subsets": [{"addresses": [{"ip": ip}]}]});
    let manual = service(json!({"ports": [{"port": 80}]}));
    assert_eq!(all(&[node.clone(), manual.clone(), endpoints("10.9.9.9")]), ["endpoints-manual-stale Service/web"]);
    let told = finding(&[node.clone(), manual.clone(), endpoints("10.9.9.9")], "endpoints-manual-stale");
    assert!(told.evidence[0].text.contains("10.9.9.9"), "{:?}", told.evidence);
    assert!(all(&[node, manual, endpoints("10.0.0.1")]).is_empty());
    let headless =
        service(json!({"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}));
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
        "spec": {"ingressClassName": "nginx", "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
        "status": {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}]}}});
    assert_eq!(all(&[pod(), headless, ingress]), ["service-headless-misuse Service/web"]);
}
