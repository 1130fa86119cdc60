//! `propose`: ConfigMaps that Flux fills in and Git does not have.

use crate::api_server::{Act, ApiServer};
use crate::controlled::{self, URL};
use crate::dry_run::kubeconfig;
use crate::harness::{Ran, Sandbox, oom_manifest};
use serde_json::{Value, json};
use std::fs;

const MAP: &str = "/api/v1/namespaces/flux-system/configmaps/settings";

/// The Deployment's image has a tag that a ConfigMap gives; the server has all that was seen.
fn world(post_build: &Value, manifest: &str) -> (Sandbox, ApiServer) {
    let mut sandbox = controlled::sandbox(URL, &json!({"branch": "prod"}));
    sandbox.write("work/apps/web.yaml", manifest);
    sandbox.git("work", &["commit", "-qam", "Take the tag from the cluster", "--allow-empty"]);
    sandbox.git("work", &["push", "-q", "origin", "main"]);
    let seen = fs::read_to_string(sandbox.path("seen.json")).unwrap();
    let mut seen: Value = serde_json::from_str(&seen).unwrap();
    for object in seen["items"].as_array_mut().unwrap() {
        if object["kind"] == "Kustomization" {
            object["apiVersion"] = json!("kustomize.toolkit.fluxcd.io/v1beta2");
            object["spec"]["postBuild"] = post_build.clone();
        }
    }
    let server = ApiServer::start(seen["items"].as_array().unwrap().clone(), "", 500);
    sandbox.use_kubeconfig(&kubeconfig(server.port()));
    (sandbox, server)
}

/// The manifest with a variable for its tag, and that tag.
fn with_variable() -> (String, String) {
    let manifest = oom_manifest();
    let image = manifest.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap().to_owned();
    let (name, tag) = image.rsplit_once(':').unwrap();
    (manifest.replace(&image, &format!("{name}:${{tag}}")), tag.to_owned())
}

fn propose(sandbox: &Sandbox, more: &[&str]) -> Ran {
    sandbox.aifix_in("work", &[&["propose", "deployment/web", "-n", "cat-oom-killed"][..], more].concat())
}

fn from_map() -> Value {
    json!({"substituteFrom": [{"kind": "ConfigMap", "name": "settings"}]})
}

#[test]
fn one_is_read_by_name_and_once() {
    let (manifest, tag) = with_variable();
    let manifest = manifest.replacen("  name: web\n", "  name: web\n  labels: {team: \"${api_token}\"}\n", 1);
    let (sandbox, server) = world(&from_map(), &manifest);
    let data = json!({"tag": tag, "api_token": "s3cr3t-canary-value"});
    server.always(&format!("{MAP}$"), Act::Body(json!({"kind": "ConfigMap", "data": data}).to_string()));
    let ran = propose(&sandbox, &["-o", "json"]).exits(0);
    assert_eq!(server.targets("configmaps/"), [MAP]);
    assert!(ran.out.contains("was read, but for what looks like a secret"), "{}", ran.out);
    let everything = format!("{}{}{}", ran.out, ran.err, sandbox.aifix(&["audit", "-o", "json"]).out);
    assert!(!everything.contains("canary"), "{everything}");
}

#[test]
fn what_git_says_itself_is_not_asked_for() {
    let (sandbox, server) = world(&json!({"substitute": {"other": "1"}}), &oom_manifest());
    propose(&sandbox, &[]).exits(0);
    assert!(server.targets("configmaps/").is_empty(), "{:?}", server.targets("configmaps/"));
}

#[test]
fn a_missing_right_is_told_and_a_secret_is_never_asked_for() {
    let (manifest, _) = with_variable();
    let (sandbox, server) = world(&from_map(), &manifest);
    server.always(&format!("{MAP}$"), Act::Fail(403, "", "User \"ada\" cannot get resource \"configmaps\""));
    let ran = propose(&sandbox, &["-o", "json"]).exits(0);
    assert!(ran.out.contains("ConfigMap flux-system/settings was not read: "), "{}", ran.out);
    assert!(ran.out.contains("is filled in from ConfigMap settings"), "{}", ran.out);

    let from = json!({"substituteFrom": [{"kind": "Secret", "name": "settings"}]});
    let (sandbox, server) = world(&from, &manifest);
    let ran = propose(&sandbox, &["-o", "json"]).exits(0);
    assert!(ran.out.contains("is filled in from Secret settings"), "{}", ran.out);
    assert!(server.targets("secrets").is_empty() && server.targets("configmaps/").is_empty(), "{:?}", server.seen());
}

#[test]
fn the_rights_of_a_namespace_name_it() {
    let sandbox = Sandbox::new();
    let ran = sandbox.aifix(&["doctor", "--rbac", "-n", "shop"]).exits(0);
    assert!(ran.out.contains("-n flux-system --verb=get --resource=configmaps\n"), "{}", ran.out);
    let all = sandbox.aifix(&["doctor", "--rbac", "-A"]).exits(0);
    assert!(!all.out.contains("flux-system"), "a ClusterRole has it: {}", all.out);
}
