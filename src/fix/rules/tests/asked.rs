//! Objects that leave a choice, each beside a twin.

use super::{Row, check, deployment, named};
use crate::diagnose::testing::{OLD, of, refused};
use crate::diagnose::{codes, diagnose};
use serde_json::{Value, json};

#[test]
fn an_autoscaler_may_scale_the_workload_that_it_is_named_like() {
    let with = |second: &str| {
        let web = |name: &str| deployment(name, json!({"replicas": 1, "template": {"spec": {"containers": []}}}));
        let hpa = |name: &str| {
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name},
                "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
                "status": {"conditions": [{"type": "ScalingActive", "status": "False", "reason": "AmbiguousSelector",
                    "lastTransitionTime": OLD, "message": format!(
                        "pods by selector app=web are controlled by multiple HPAs: [a/{second} a/web]")}]}})
        };
        vec![web("web"), web("api"), hpa("web"), hpa(second)]
    };
    check(vec![Row {
        code: "hpa-ambiguous",
        objects: with("api"),
        answer: "needs-choice [spec.scaleTargetRef.name: \"web\" -> \"api\"]",
        twin: with("web-old"),
        of_twin: "needs-choice",
    }]);
}

fn ingress(name: &str, made: &str, service: &str, paths: &[&str]) -> Value {
    let backend = json!({"service": {"name": service, "port": {"number": 80}}});
    let paths: Vec<Value> = paths.iter().map(|path| json!({"path": path, "backend": backend})).collect();
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "creationTimestamp": made}, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "shop.example", "http": {"paths": paths}}]}})
}

fn service(name: &str, more: &Value) -> Value {
    let mut one =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}});
    one["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    one
}

#[test]
fn a_path_of_two_ingresses_is_left_to_one_of_them() {
    let with = |first: &[&str], second: &[&str], service_of_second: &str| {
        vec![
            ingress("a", "2026-11-01T00:00:00Z", "web", first),
            ingress("b", "2026-11-20T00:00:00Z", service_of_second, second),
            service("web", &json!({})),
            service("api", &json!({})),
        ]
    };
    let path = |path: &str, service: &str| {
        format!(r#"{{"path":"{path}","backend":{{"service":{{"name":"{service}","port":{{"number":80}}}}}}}}"#)
    };
    let list = "spec.rules[0].http.paths";
    // The older one keeps it in the first choice.
    let answer = format!(
        "needs-choice [Ingress/b {list}: [{},{}] -> [{}] | {list}: [{},{}] -> [{}]]",
        path("/", "api"),
        path("/y", "api"),
        path("/y", "api"),
        path("/", "web"),
        path("/x", "web"),
        path("/x", "web"),
    );
    check(vec![
        Row {
            code: "ingress-host-conflict",
            objects: with(&["/", "/x"], &["/", "/y"], "api"),
            answer: Box::leak(answer.into_boxed_str()),
            twin: with(&["/", "/x"], &["/", "/y"], "web"),
            of_twin: "none",
        },
        // Nothing would be left of either.
        Row {
            code: "ingress-host-conflict",
            objects: with(&["/"], &["/"], "api"),
            answer: "needs-choice",
            twin: with(&["/"], &["/y"], "api"),
            of_twin: "none",
        },
    ]);
}

#[test]
fn a_class_that_a_quota_is_for_may_be_chosen() {
    let with = |scope: &str| {
        let message =
            "pods \"web-1\" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [high]}]";
        let mut quota = named("ResourceQuota", "v1", "team");
        quota["spec"] = json!({"scopeSelector": {"matchExpressions": [
            {"scopeName": scope, "operator": "In", "values": ["batch", "high", "system-node-critical"]}]}});
        vec![refused(message, json!({"priorityClassName": "high", "containers": []})), quota]
    };
    check(vec![Row {
        code: "quota-insufficient-scope",
        objects: with("PriorityClass"),
        answer: "needs-choice [spec.template.spec.priorityClassName: \"high\" -> \"batch\"]",
        twin: with("CrossNamespacePodAffinity"),
        of_twin: "needs-choice",
    }]);
}

#[test]
fn an_ingress_may_go_to_the_service_of_the_same_pods_that_has_an_address() {
    let with = |app: &str| {
        vec![
            ingress("a", OLD, "db", &["/"]),
            service(
                "db",
                &json!({"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 80, "targetPort": 8080}]}),
            ),
            service("db-front", &json!({"clusterIP": "10.0.0.7", "selector": {"app": app}})),
        ]
    };
    check(vec![Row {
        code: "service-headless-misuse",
        objects: with("db"),
        answer: "needs-choice [Ingress/a spec.rules[0].http.paths[0].backend.service.name: \"db\" -> \"db-front\"]",
        twin: with("web"),
        of_twin: "needs-choice",
    }]);
}

#[test]
fn a_listener_may_take_the_certificate_that_is_issued() {
    let with = |ready: &str, reason: &str| {
        let condition = json!([{"type": "ResolvedRefs", "status": "False", "reason": reason, "message": "", "lastTransitionTime": OLD}]);
        let mut class = named("GatewayClass", "gateway.networking.k8s.io/v1", "istio");
        class["status"] = json!({"conditions": [{"type": "Accepted", "status": "True"}]});
        let mut certificate = named("Certificate", "cert-manager.io/v1", "shop");
        certificate["spec"] = json!({"secretName": "shop-tls"});
        certificate["status"] = json!({"conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": OLD}]});
        let gateway = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw"},
            "spec": {"gatewayClassName": "istio", "listeners": [{"name": "https", "tls": {"certificateRefs": [{"name": "shop"}]}}]},
            "status": {"listeners": [{"name": "https", "conditions": condition}]}});
        vec![gateway, class, certificate]
    };
    let answer = "needs-choice [spec.listeners[https].tls.certificateRefs[0].name: \"shop\" -> \"shop-tls\"]";
    let row = |twin: Vec<Value>| Row {
        code: "gateway-not-programmed",
        objects: with("True", "InvalidCertificateRef"),
        answer,
        twin,
        of_twin: "needs-choice",
    };
    check(vec![row(with("False", "InvalidCertificateRef")), row(with("True", "RefNotPermitted"))]);
}

#[test]
fn an_immutable_map_names_those_that_must_name_the_new_one() {
    let env = json!([{"configMapRef": {"name": "x"}}]);
    let web = |name: &str, env: &Value| {
        deployment(
            name,
            json!({"replicas": 0, "template": {"spec": {"containers": [{"name": "app", "envFrom": env}]}}}),
        )
    };
    let message = "ConfigMap/a/x dry-run failed (Invalid): data: Forbidden: field is immutable when `immutable` is set";
    let kustomization = json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "k"},
        "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "ReconciliationFailed",
            "message": message, "lastTransitionTime": OLD}]}});
    let snapshot = of(&[kustomization, web("web", &env), web("twin", &json!([{"configMapRef": {"name": "y"}}]))]);
    let found = diagnose(&snapshot);
    let finding = found.findings.iter().find(|finding| finding.code.name() == "config-immutable").unwrap();
    let refusal = super::candidates(&snapshot, finding).unwrap_err();
    assert_eq!((refusal.code, refusal.choices.len()), ("needs-choice", 0));
    assert_eq!(refusal.details, ["Deployment/web names it"]);
    assert!(refusal.hint.contains("another name"), "{}", refusal.hint);
}

#[test]
fn a_possible_cause_is_never_decided() {
    for code in codes().iter().filter(|code| code.is_hypothesis()) {
        assert_ne!(code.class, crate::model::code::FixClass::Rule, "{}", code.name);
    }
}

/// Tests that make cases, for the table of classes.
pub(super) const MADE: &[fn()] = &[
    an_autoscaler_may_scale_the_workload_that_it_is_named_like,
    a_path_of_two_ingresses_is_left_to_one_of_them,
    a_class_that_a_quota_is_for_may_be_chosen,
    an_ingress_may_go_to_the_service_of_the_same_pods_that_has_an_address,
    a_listener_may_take_the_certificate_that_is_issued,
    an_immutable_map_names_those_that_must_name_the_new_one,
];
