//! The cluster's own description of a kind decides what a fix may write.

use crate::api_server::{Act, ApiServer};
use crate::dry_run::kubeconfig;
use crate::harness::{Ran, Sandbox, oom_manifest};
use serde_json::{Value, json};

const INDEX: &str = r#"{"paths": {"apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1?hash=C0FFEE"}}}"#;

/// A server that describes Deployments; memory limits are of this schema.
fn server(memory: &Value) -> ApiServer {
    let server = ApiServer::recorded("oom-killed");
    let object = |fields: Value| json!({"type": "object", "properties": fields});
    let resources = object(json!({"limits": object(json!({"memory": memory}))}));
    let containers = json!({"type": "array", "items": object(json!({"resources": resources}))});
    let template = object(json!({"spec": object(json!({"containers": containers}))}));
    let mut deployment = object(json!({"spec": object(json!({"template": template}))}));
    deployment["x-kubernetes-group-version-kind"] = json!([{"group": "apps", "version": "v1", "kind": "Deployment"}]);
    let document = json!({"components": {"schemas": {"io.k8s.api.apps.v1.Deployment": deployment}}});
    server.always("/openapi/v3$", Act::Body(INDEX.to_owned()));
    server.always("/openapi/v3/apis/apps/v1?hash=C0FFEE$", Act::Body(document.to_string()));
    server
}

fn sandbox(server: &ApiServer) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    sandbox.use_kubeconfig(&kubeconfig(server.port()));
    sandbox
}

fn propose(sandbox: &Sandbox, more: &[&str]) -> Ran {
    sandbox.aifix_in("work", &[&["propose", "deployment/web", "-n", "cat-oom-killed"][..], more].concat())
}

#[test]
fn it_is_asked_for_once_and_kept_under_its_hash() {
    let server = server(&json!({"type": "string"}));
    let sandbox = sandbox(&server);
    let ran = propose(&sandbox, &["-o", "json"]).exits(0).json();
    let checked = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "by": "cluster", "why": null}]);
    assert_eq!(ran["proposals"][0]["proof"]["schema"], checked);
    assert_eq!(server.targets("/openapi"), ["/openapi/v3", "/openapi/v3/apis/apps/v1?hash=C0FFEE"]);
    let again = propose(&sandbox, &[]).exits(0);
    assert!(again.out.contains("fit the fields of Deployment as the cluster has them"), "{}", again.out);
    assert_eq!(server.targets("/openapi").len(), 3, "only the index again: {:?}", server.targets("/openapi"));
    assert!(server.seen().iter().all(|seen| seen.method == "GET"));
}

#[test]
fn what_the_cluster_does_not_take_is_refused() {
    for (memory, words) in [
        (json!({"type": "integer"}), "takes a whole number"),
        (json!({"type": "string", "enum": ["32Mi"]}), "takes 32Mi"),
    ] {
        let ran = propose(&sandbox(&server(&memory)), &[]).exits(4);
        assert!(ran.out.contains("(schema)") && ran.out.contains(words), "{}", ran.out);
    }
}

#[test]
fn without_it_the_copy_of_the_built_in_kinds_decides() {
    let with = |server: &ApiServer| {
        let ran = propose(&sandbox(server), &["-o", "json"]).exits(0).json();
        let checked = &ran["proposals"][0]["proof"]["schema"][0];
        assert_eq!(checked["by"], "bundled", "{checked}");
        checked["why"].as_str().unwrap_or_default().to_owned()
    };
    assert!(with(&ApiServer::recorded("oom-killed")).starts_with("not found"));
    let server = ApiServer::recorded("oom-killed");
    server.always("/openapi/v3", Act::Fail(403, "", "no\u{1b}[2J"));
    assert!(with(&server).starts_with("forbidden: no"));
    let shown = propose(&sandbox(&server), &[]).exits(0).out;
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("as Kubernetes 1.34 has them (not those of the cluster: forbidden: no"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown}");
    for (index, document, words) in [
        ("<html>", "{}", "the answer could not be read"),
        (r#"{"paths": {}}"#, "{}", "the cluster has no document of apps/v1"),
        (INDEX, "<html>", "the cluster's document can't be read"),
        (INDEX, r#"{"components": {"schemas": {}}}"#, "the cluster's document lacks the kind"),
    ] {
        let server = ApiServer::recorded("oom-killed");
        server.always("/openapi/v3$", Act::Body(index.to_owned()));
        server.always("/openapi/v3/apis/apps/v1", Act::Body(document.to_owned()));
        let why = with(&server);
        assert!(why.starts_with(words), "{why}");
    }
}

#[test]
fn a_scan_asks_for_none() {
    let server = server(&json!({"type": "string"}));
    let mut sandbox = Sandbox::new();
    sandbox.use_kubeconfig(&kubeconfig(server.port()));
    sandbox.aifix(&["scan", "-n", "cat-oom-killed"]).exits(1);
    assert!(server.targets("/openapi").is_empty());
}

#[test]
fn a_chart_sees_the_version_of_the_cluster_and_what_it_serves() {
    let gate =
        "and (semverCompare \">=1.90-0\" .Capabilities.KubeVersion.Version) (.Capabilities.APIVersions.Has \"SERVED\")";
    let value = format!("{{{{ if {gate} }}}}{{{{ .Values.memory }}}}{{{{ else }}}}16Mi{{{{ end }}}}");
    let gated = oom_manifest().replace("32Mi", &value.replace("SERVED", "example.org/v1"));
    let chart = [
        ("c/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("c/values.yaml", "memory: 32Mi\n"),
        ("c/templates/web.yaml", gated.as_str()),
    ];
    let with = |version: Option<&str>| {
        let server = ApiServer::recorded("oom-killed");
        if let Some(version) = version {
            server.always("/version", Act::Body(json!({ "gitVersion": version }).to_string()));
        }
        let mut sandbox = Sandbox::new();
        sandbox.repository(&chart);
        sandbox.use_kubeconfig(&kubeconfig(server.port()));
        let ran = propose(&sandbox, &[]);
        assert_eq!(server.targets("/version").len(), 1, "{:?}", server.targets(""));
        ran
    };
    let ran = with(Some("v1.99.7+k3s1")).exits(0);
    assert!(ran.out.contains("+memory: 64Mi"), "{}", ran.out);
    // What Helm is built with is older, and so the chart does not make what runs.
    for version in [None, Some("--post-renderer=/bin/true"), Some("v1.29.7+k3s1")] {
        let ran = with(version).exits(4);
        assert!(ran.out.contains("memory"), "{version:?}: {}", ran.out);
    }
}
