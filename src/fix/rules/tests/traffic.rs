//! Services, Ingresses, routes and budgets.

use super::{Row, check, deployment, named, web};
use crate::diagnose::testing::{OLD, ready};
use serde_json::{Value, json};

fn service(name: &str, port: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [port]}})
}

fn behind(port: Value) -> Vec<Value> {
    let mut all = web(json!({"app": "web"})).to_vec();
    all.push(service("web", port));
    all
}

/// A ready pod of a Deployment whose readiness probe asks port 8080.
fn probed() -> Vec<Value> {
    let by = |kind: &str, name: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": format!("{kind}-{name}"), "controller": true}]);
    let container = json!({"name": "app", "image": "x", "ports": [{"containerPort": 8080}], "readinessProbe": {"tcpSocket": {"port": 8080}}});
    let mut pod = ready("web-1-a", json!({"app": "web", "pod-template-hash": "1"}));
    pod["metadata"]["ownerReferences"] = by("ReplicaSet", "web-1");
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"replicas": 1, "template": template},
        "metadata": {"name": "web-1", "labels": {"pod-template-hash": "1"}, "ownerReferences": by("Deployment", "web")}});
    let mut owner =
        deployment("web", json!({"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}));
    owner["status"] = json!({"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
    vec![pod, set, owner]
}

fn two_ports() -> Value {
    let mut pod = ready("web-1", json!({"app": "web"}));
    pod["spec"]["containers"][0]["ports"] =
        json!([{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]);
    pod
}

#[test]
fn ports_of_services() {
    let with_probe = |port: Value| [probed(), vec![service("web", port)]].concat();
    let mut udp = ready("web-1", json!({"app": "web"}));
    udp["spec"]["containers"][0]["ports"] = json!([{"containerPort": 53, "protocol": "UDP"}]);
    check(vec![
        Row {
            code: "service-target-port-mismatch",
            objects: behind(json!({"port": 80, "targetPort": 8081})),
            answer: "review spec.ports[0].targetPort: 8081 -> 8080",
            twin: behind(json!({"port": 80, "targetPort": 8080})),
            of_twin: "none",
        },
        Row {
            code: "service-target-port-mismatch",
            objects: with_probe(json!({"port": 80, "targetPort": 8081})),
            answer: "safe spec.ports[0].targetPort: 8081 -> 8080",
            twin: vec![two_ports(), service("web", json!({"port": 80, "targetPort": 8081}))],
            of_twin: "needs-choice [spec.ports[0].targetPort: 8081 -> 8080 | spec.ports[0].targetPort: 8081 -> 9090]",
        },
        Row {
            code: "service-target-port-mismatch",
            objects: with_probe(json!({"port": 80})),
            answer: "safe spec.ports[0].targetPort: - -> 8080",
            twin: with_probe(json!({"port": 8080})),
            of_twin: "none",
        },
        Row {
            code: "service-named-port-missing",
            objects: vec![two_ports(), service("web", json!({"port": 80, "targetPort": "metrisc"}))],
            answer: "safe spec.ports[0].targetPort: \"metrisc\" -> \"metrics\"",
            twin: vec![two_ports(), service("web", json!({"port": 80, "targetPort": "web"}))],
            of_twin: "needs-choice [spec.ports[0].targetPort: \"web\" -> \"http\" | spec.ports[0].targetPort: \"web\" -> \"metrics\"]",
        },
        Row {
            code: "service-named-port-missing",
            objects: behind(json!({"port": 80, "targetPort": "web"})),
            answer: "review spec.ports[0].targetPort: \"web\" -> \"http\"",
            twin: behind(json!({"port": 80, "targetPort": "http"})),
            of_twin: "none",
        },
        Row {
            code: "service-protocol-mismatch",
            objects: vec![udp.clone(), service("web", json!({"port": 53, "targetPort": 53}))],
            answer: "review spec.ports[0].protocol: - -> \"UDP\"",
            twin: vec![udp, service("web", json!({"port": 53, "targetPort": 53, "protocol": "UDP"}))],
            of_twin: "none",
        },
    ]);
}

fn ingress(service: &str, port: Value) -> Value {
    let path = |path: &str| json!({"path": path, "backend": {"service": {"name": service, "port": port}}});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop"},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "x.io", "http": {"paths": [path("/"), path("/api")]}}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "1.1.1.1"}]}}})
}

fn routed(ingress: Value) -> Vec<Value> {
    let mut all = behind(json!({"name": "http", "port": 80, "targetPort": 8080}));
    all[1]["metadata"]["name"] = json!("orders");
    all.push(ingress);
    all
}

#[test]
fn backends_of_ingresses() {
    let two = |ingress: Value| {
        let mut all = routed(ingress);
        all[1]["spec"]["ports"] = json!([{"name": "http", "port": 80, "targetPort": 8080}, {"name": "admin", "port": 81, "targetPort": 8080}]);
        all
    };
    let by_name = |name: &str| ingress("orders", json!({"name": name}));
    let by_number = |number: i64| ingress("orders", json!({"number": number}));
    let at = |n: usize| format!("spec.rules[0].http.paths[{n}].backend.service");
    let both = |leaf: &str, change: &str| format!("{}.{leaf}: {change}; {}.{leaf}: {change}", at(0), at(1));
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    check(vec![
        Row {
            code: "ingress-backend-service-missing",
            objects: routed(ingress("ordres", json!({"number": 80}))),
            answer: leak(format!("safe {}", both("name", "\"ordres\" -> \"orders\""))),
            twin: routed(ingress("ordres", json!({"number": 81}))),
            of_twin: "needs-choice",
        },
        Row {
            code: "ingress-backend-service-missing",
            objects: routed(ingress("checkout", json!({"number": 80}))),
            answer: leak(format!("needs-choice [{}]", both("name", "\"checkout\" -> \"orders\""))),
            twin: routed(by_number(80)),
            of_twin: "none",
        },
        Row {
            code: "ingress-backend-port-missing",
            objects: routed(by_number(8080)),
            answer: leak(format!("safe {}", both("port.number", "8080 -> 80"))),
            twin: routed(by_number(9999)),
            of_twin: leak(format!("review {}", both("port.number", "9999 -> 80"))),
        },
        Row {
            code: "ingress-backend-port-missing",
            objects: routed(by_name("web")),
            answer: leak(format!("review {}", both("port.name", "\"web\" -> \"http\""))),
            twin: two(by_name("web")),
            of_twin: leak(format!(
                "needs-choice [{} | {}]",
                both("port.name", "\"web\" -> \"http\""),
                both("port.name", "\"web\" -> \"admin\"")
            )),
        },
    ]);
}

fn class(name: &str) -> Value {
    named("IngressClass", "networking.k8s.io/v1", name)
}

#[test]
fn classes_and_certificates_of_ingresses() {
    let of_class = |name: Value, classes: &[&str]| {
        let mut all = routed(ingress("orders", json!({"number": 80})));
        all[2]["status"] = json!({});
        all[2]["spec"].as_object_mut().unwrap().shift_remove("ingressClassName");
        if !name.is_null() {
            all[2]["spec"]["ingressClassName"] = name;
        }
        all.extend(classes.iter().map(|name| class(name)));
        all
    };
    let secret = |name: &str| {
        let mut all = routed(ingress("orders", json!({"number": 80})));
        all[2]["spec"]["tls"] = json!([{"secretName": "shop-certificat"}]);
        all.push(json!({"kind": "Secret", "metadata": {"name": name}}));
        all
    };
    check(vec![
        Row {
            code: "ingress-class-missing",
            objects: of_class(json!("ngnix"), &["nginx", "traefik"]),
            answer: "review spec.ingressClassName: \"ngnix\" -> \"nginx\"",
            twin: of_class(json!("haproxy"), &["nginx", "traefik"]),
            of_twin: "needs-choice [spec.ingressClassName: \"haproxy\" -> \"nginx\" | spec.ingressClassName: \"haproxy\" -> \"traefik\"]",
        },
        Row {
            code: "ingress-class-missing",
            objects: of_class(json!("haproxy"), &["nginx"]),
            answer: "review spec.ingressClassName: \"haproxy\" -> \"nginx\"",
            twin: of_class(json!("nginx"), &["nginx"]),
            of_twin: "none",
        },
        Row {
            code: "ingress-no-class",
            objects: of_class(Value::Null, &["nginx"]),
            answer: "review spec.ingressClassName: - -> \"nginx\"",
            twin: of_class(Value::Null, &["nginx", "traefik"]),
            of_twin: "needs-choice [spec.ingressClassName: - -> \"nginx\" | spec.ingressClassName: - -> \"traefik\"]",
        },
        Row {
            code: "ingress-tls-secret-missing",
            objects: secret("shop-certificate"),
            answer: "review spec.tls[0].secretName: \"shop-certificat\" -> \"shop-certificate\"",
            twin: secret("database"),
            of_twin: "not-in-git",
        },
    ]);
}

const GATEWAY: &str = "gateway.networking.k8s.io/v1";

fn gateway(class: &str) -> Value {
    json!({"apiVersion": GATEWAY, "kind": "Gateway", "metadata": {"name": "public"},
        "spec": {"gatewayClassName": class, "listeners": [{"name": "http"}, {"name": "secure"}]}})
}

fn route(parent: Value, backend: &str, kind: &str, reason: &str) -> Value {
    json!({"apiVersion": GATEWAY, "kind": "HTTPRoute", "metadata": {"name": "shop"},
        "spec": {"parentRefs": [parent], "rules": [{"backendRefs": [{"name": backend, "port": 80}]}]},
        "status": {"parents": [{"conditions": [{"type": kind, "status": "False", "reason": reason, "message": "", "lastTransitionTime": OLD}]}]}})
}

fn accepted(name: &str) -> Value {
    json!({"apiVersion": GATEWAY, "kind": "GatewayClass", "metadata": {"name": name},
        "status": {"conditions": [{"type": "Accepted", "status": "True"}]}})
}

#[test]
fn gateways_and_routes() {
    let parent = |name: &str, section: &str| {
        let one = route(json!({"name": name, "sectionName": section}), "web", "Accepted", "NoMatchingParent");
        vec![gateway("istio"), accepted("istio"), one, service("web", json!({"port": 80}))]
    };
    let backend = |name: &str, reason: &str| {
        let one = route(json!({"name": "public"}), name, "ResolvedRefs", reason);
        let mut all = routed(one);
        all.extend([gateway("istio"), accepted("istio")]);
        all
    };
    check(vec![
        Row {
            code: "gateway-class-missing",
            objects: vec![gateway("itsio"), accepted("istio")],
            answer: "review spec.gatewayClassName: \"itsio\" -> \"istio\"",
            twin: vec![gateway("nginx"), accepted("istio")],
            of_twin: "needs-choice [spec.gatewayClassName: \"nginx\" -> \"istio\"]",
        },
        Row {
            code: "httproute-not-accepted",
            objects: parent("pulbic", "http"),
            answer: "needs-choice [spec.parentRefs[0].name: \"pulbic\" -> \"public\"]",
            twin: parent("public", "secrue"),
            of_twin: "review spec.parentRefs[0].sectionName: \"secrue\" -> \"secure\"",
        },
        Row {
            code: "httproute-not-accepted",
            objects: parent("public", "admin"),
            answer: "needs-choice [spec.parentRefs[0].sectionName: \"admin\" -> \"http\" | spec.parentRefs[0].sectionName: \"admin\" -> \"secure\"]",
            twin: parent("public", "http"),
            of_twin: "needs-choice",
        },
        Row {
            code: "httproute-backend-missing",
            objects: backend("ordres", "BackendNotFound"),
            answer: "safe spec.rules[0].backendRefs[0].name: \"ordres\" -> \"orders\"",
            twin: backend("ordres", "RefNotPermitted"),
            of_twin: "needs-choice",
        },
    ]);
}

fn hpa(target: &str) -> Value {
    json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop"},
        "spec": {"minReplicas": 2, "maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": target}},
        "status": {"conditions": [{"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "lastTransitionTime": OLD,
            "message": format!("unable to get the target's current scale: deployments.apps \"{target}\" not found")}]}})
}

#[test]
fn autoscalers_and_budgets() {
    let orders = |replicas: i64| {
        let mut one = deployment(
            "orders",
            json!({"replicas": replicas, "template": {"metadata": {"labels": {"app": "orders"}}, "spec": {}}}),
        );
        one["status"] = json!({"replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas});
        one
    };
    let budget = |label: &str, value: &str| {
        let one = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {label: value}}},
            "status": {"expectedPods": 0, "currentHealthy": 0, "disruptionsAllowed": 0}});
        let mut owner = orders(0);
        owner["spec"]["template"]["metadata"]["labels"] = json!({"app": "orders", "tier": "backend"});
        vec![one, owner]
    };
    let node = |value: &str| json!({"kind": "Node", "metadata": {"name": "n", "labels": {"pool": value}}});
    let set = |pool: &str| {
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"},
        "spec": {"template": {"metadata": {"labels": {"app": "agent"}}, "spec": {"nodeSelector": {"pool": pool}}}},
        "status": {"desiredNumberScheduled": 0}})
    };
    check(vec![
        Row {
            code: "hpa-target-missing",
            objects: vec![hpa("ordres"), orders(3)],
            answer: "review spec.scaleTargetRef.name: \"ordres\" -> \"orders\"",
            twin: vec![hpa("ordres"), orders(9)],
            of_twin: "needs-choice [spec.scaleTargetRef.name: \"ordres\" -> \"orders\"]",
        },
        Row {
            code: "pdb-selects-nothing",
            objects: budget("app", "ordres"),
            answer: "review spec.selector.matchLabels.app: \"ordres\" -> \"orders\"",
            twin: budget("app", "checkout"),
            of_twin: "needs-choice",
        },
        Row {
            code: "pdb-selects-nothing",
            objects: budget("tier", "bakcend"),
            answer: "needs-choice",
            twin: budget("app", "orders"),
            of_twin: "none",
        },
        Row {
            code: "ds-no-matching-nodes",
            objects: vec![set("bacth"), node("batch")],
            answer: "review spec.template.spec.nodeSelector.pool: \"bacth\" -> \"batch\"",
            twin: vec![set("gpu"), node("batch")],
            of_twin: "needs-choice [spec.template.spec.nodeSelector.pool: \"gpu\" -> \"batch\"]",
        },
    ]);
}

#[test]
fn a_missing_request_is_set_on_what_the_autoscaler_scales() {
    let scaled = |sibling: Value| {
        let mut one = hpa("orders");
        one["status"]["conditions"] = json!([{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "lastTransitionTime": OLD,
            "message": "failed to get cpu utilization: missing request for cpu in container app of Pod orders-1"}]);
        let containers = json!([{"name": "app", "image": "x"}, {"name": "log", "image": "y", "resources": sibling}]);
        vec![one, deployment("orders", json!({"replicas": 0, "template": {"spec": {"containers": containers}}}))]
    };
    check(vec![Row {
        code: "hpa-missing-requests",
        objects: scaled(json!({"requests": {"cpu": "50m"}})),
        answer: "needs-choice [Deployment/orders spec.template.spec.containers[app].resources.requests.cpu: - -> \"50m\"]",
        twin: scaled(json!({})),
        of_twin: "needs-choice",
    }]);
}

/// Tests that make cases, for the table of classes.
pub(super) const MADE: &[fn()] = &[
    ports_of_services,
    backends_of_ingresses,
    classes_and_certificates_of_ingresses,
    gateways_and_routes,
    autoscalers_and_budgets,
    a_missing_request_is_set_on_what_the_autoscaler_scales,
];
