//! `propose --server-dry-run`: the API server is asked, and stores nothing.

use crate::api_server::{Act, ApiServer};
use crate::harness::{Ran, Sandbox, oom_manifest};
use serde_json::{Value, json};

fn propose(server: &ApiServer, more: &[&str]) -> Ran {
    let mut sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    sandbox.use_kubeconfig(&kubeconfig(server.port()));
    sandbox.aifix_in("work", &[&["propose", "deployment/web", "-n", "cat-oom-killed"][..], more].concat())
}

/// A kubeconfig for a server on this port.
pub(crate) fn kubeconfig(port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\ncontexts: [{{name: lab, context: {{cluster: lab, user: ada}}}}]\n\
         clusters: [{{name: lab, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\nusers: [{{name: ada, user: {{}}}}]\n"
    )
}

#[test]
fn the_change_is_tried_as_the_controller_would_apply_it() {
    let mut objects = ApiServer::recorded("oom-killed").objects_without("");
    for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
        let by =
            |name: &str, of: &str| json!({"manager": name, "operation": "Apply", "subresource": of, "fieldsV1": {}});
        let managers = json!([by("kustomize-controller", "status"), by("argocd-controller", "")]);
        object["metadata"]["managedFields"] = managers;
    }
    let server = ApiServer::start(objects, "", 500);
    let ran = propose(&server, &["--server-dry-run", "-o", "json"]).exits(0);
    let patches: Vec<_> = server.seen().into_iter().filter(|seen| seen.method != "GET").collect();
    let [patch] = patches.as_slice() else { panic!("{patches:?}") };
    assert_eq!(patch.method, "PATCH");
    let path = "/apis/apps/v1/namespaces/cat-oom-killed/deployments/web?";
    assert!(patch.target.starts_with(path), "{}", patch.target);
    for part in ["dryRun=All", "fieldManager=argocd-controller", "force=true"] {
        assert!(patch.target.contains(part), "{part}: {}", patch.target);
    }
    assert_eq!(ran.json()["proposals"][0]["proof"]["dryRun"], "argocd-controller");
}

#[test]
fn without_the_flag_nothing_is_tried() {
    let server = ApiServer::recorded("oom-killed");
    let ran = propose(&server, &["-o", "json"]).exits(0);
    assert!(server.seen().iter().all(|seen| seen.method == "GET"), "{:?}", server.seen());
    assert_eq!(ran.json()["proposals"][0]["proof"]["dryRun"], Value::Null);
}

#[test]
fn what_admission_says_is_a_refusal_and_a_missing_right_is_an_error() {
    let server = ApiServer::recorded("oom-killed");
    server.always("dryRun=All", Act::Fail(403, "", "admission webhook \"limits.acme.io\" denied the request: no"));
    let ran = propose(&server, &["--server-dry-run", "--push", "--yes=review"]).exits(4);
    assert!(ran.out.contains("(dry-run)") && ran.out.contains("denied the request: no"), "{}", ran.out);
    let server = ApiServer::recorded("oom-killed");
    server.always("dryRun=All", Act::Fail(403, "", "User \"ada\" cannot patch resource \"deployments\""));
    let ran = propose(&server, &["--server-dry-run"]).exits(3);
    assert!(ran.err.contains("ask for the right `patch` on deployments"), "{}", ran.err);
}

#[test]
fn a_recording_can_not_be_tried() {
    let ran = Sandbox::new().aifix(&["propose", "--server-dry-run", "--from", "x"]).exits(2);
    assert!(ran.err.contains("--server-dry-run") && ran.err.contains("--from"), "{}", ran.err);
}
