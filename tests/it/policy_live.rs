//! Policies that ask for what only the cluster knows.

use crate::api_server::ApiServer;
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
