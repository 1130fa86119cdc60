//! Policies that ask for what only the cluster knows.

use crate::api_server::{Act, ApiServer};
use crate::dry_run::kubeconfig;
use crate::harness::{Ran, Sandbox, oom_manifest};
use serde_json::json;

/// A constraint that every Deployment violates, in namespaces of production.
const POLICY: &str = "apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: {name: k8sno}
spec:
  crd: {spec: {names: {kind: K8sNo}}}
  targets:
  - target: admission.k8s.gatekeeper.sh
    rego: |
      package k8sno

      violation[{\"msg\": \"not in production\"}] {
        input.review.kind.kind == \"Deployment\"
      }
---
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: K8sNo
metadata: {name: it}
spec:
  match:
    namespaceSelector: {matchLabels: {env: prod}}
";

fn server(env: Option<&str>) -> ApiServer {
    let mut objects = ApiServer::recorded("oom-killed").objects_without("Namespace");
    if let Some(env) = env {
        let metadata = json!({"name": "cat-oom-killed", "labels": {"env": env}});
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
    }
    ApiServer::start(objects, "", 500)
}

/// The recording with a budget that selects pods with this label.
fn budgeted(app: &str) -> ApiServer {
    let mut objects = ApiServer::recorded("oom-killed").objects_without("");
    objects.push(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "keep-one", "namespace": "cat-oom-killed"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": app}}}}));
    ApiServer::start(objects, "", 500)
}

/// Pushes what needs no approval.
fn push(server: &ApiServer) -> Ran {
    let mut sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    sandbox.use_kubeconfig(&kubeconfig(server.port()));
    let ran =
        sandbox.aifix_in("work", &["propose", "deployment/web", "-n", "cat-oom-killed", "--push", "--yes=review"]);
    let pushed = sandbox.git("remote.git", &["for-each-ref", "refs/heads"]).lines().count() > 1;
    assert_eq!(pushed, ran.code == 0, "{}{}", ran.out, ran.err);
    ran
}

fn propose(server: &ApiServer, policy: Option<&str>) -> Ran {
    let mut sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    sandbox.use_kubeconfig(&kubeconfig(server.port()));
    let mut args = vec!["propose", "deployment/web", "-n", "cat-oom-killed"];
    if let Some(text) = policy {
        sandbox.write("team/x.yaml", text);
        args.extend(["--policy", "../team"]);
    }
    sandbox.aifix_in("work", &args)
}

#[test]
fn the_namespace_is_read_when_a_constraint_asks_for_its_labels() {
    // The recording was violating before, and what held before is no new violation.
    let production = server(Some("prod"));
    let ran = propose(&production, Some(POLICY)).exits(0);
    assert!(ran.out.contains("warn (held before)  K8sNo/it"), "{}", ran.out);
    assert!(!ran.out.contains("are not known"), "{}", ran.out);
    let ran = propose(&server(Some("test")), Some(POLICY)).exits(0);
    assert!(!ran.out.contains("K8sNo/it"), "{}", ran.out);
    let ran = propose(&server(None), Some(POLICY)).exits(0);
    assert!(ran.out.contains("the labels of namespace cat-oom-killed are not known"), "{}", ran.out);
}

#[test]
fn no_namespace_is_read_when_nobody_asks_for_it() {
    let server = server(Some("prod"));
    propose(&server, None).exits(0);
    assert!(server.targets("/namespaces/cat-oom-killed?").is_empty());
    assert!(!server.seen().iter().any(|seen| seen.target.ends_with("/namespaces/cat-oom-killed")));
}

#[test]
fn a_workload_under_a_disruption_budget_changes_only_with_an_approval() {
    let ran = push(&budgeted("web")).exits(5);
    assert!(ran.err.contains("the disruption budget keep-one protects its pods"), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("needs a person's approval"), "{}", ran.err);
    // A budget of other pods is none of its own.
    push(&budgeted("db")).exits(0);
    push(&ApiServer::recorded("oom-killed")).exits(0);
}

#[test]
fn budgets_that_could_not_be_listed_want_an_approval_and_a_kind_that_is_not_served_has_none() {
    let wanted = "its disruption budgets were not seen (they could not be listed): one may protect its pods";
    for act in [
        Act::Fail(403, "", "poddisruptionbudgets is forbidden: User \"ada\" cannot list"),
        Act::Body("{\"kind\": \"PodDisruptionBudgetList\"".to_owned()),
    ] {
        let server = budgeted("db");
        server.always("/poddisruptionbudgets", act.clone());
        let ran = push(&server).exits(5);
        assert!(ran.err.contains(wanted), "{act:?}: {}{}", ran.out, ran.err);
        let shown = propose(&server, None).exits(0);
        assert!(shown.out.contains("critical_objects") && shown.out.contains(wanted), "{}", shown.out);
    }
    let server = budgeted("web");
    server.always("/poddisruptionbudgets", Act::Fail(404, "", "the server could not find the requested resource"));
    push(&server).exits(0);
}
