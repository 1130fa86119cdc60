//! Proposals of objects that a controller applies.

use crate::harness::{Ran, Sandbox, oom_manifest, recorded};
use serde_json::{Value, json};
use std::fs;

const NAMESPACE: &str = "cat-oom-killed";

/// The recording, with the Deployment applied by a Kustomization of the branch `prod`.
pub(crate) fn sandbox(url: &str, reference: &Value) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest()), ("apps/web.yaml", &oom_manifest())]);
    sandbox.git("work", &["push", "-q", "origin", "main:prod"]);
    let revision = sandbox.git("work", &["rev-parse", "main"]);
    let text = fs::read_to_string(format!("{}/objects.json", recorded("oom-killed"))).unwrap();
    let mut list: Value = serde_json::from_str(&text).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    let web = items.iter_mut().find(|item| item["kind"] == "Deployment").unwrap();
    web["metadata"]["labels"] =
        json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
    items.push(json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system"},
        "spec": {"path": "./apps", "sourceRef": {"kind": "GitRepository", "name": "shop"}},
        "status": {"inventory": {"entries": [{"id": format!("{NAMESPACE}_web_apps_Deployment"), "v": "v1"}]},
            "lastAttemptedRevision": format!("prod@sha1:{revision}")}}));
    items.push(json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "shop", "namespace": "flux-system"}, "spec": {"url": url, "ref": reference}}));
    sandbox.write("seen.json", &list.to_string());
    sandbox
}

fn propose(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let from = sandbox.path("seen.json");
    let mut args = vec!["propose", "deployment/web", "--from", from.to_str().unwrap()];
    args.extend(more);
    sandbox.aifix_in("work", &args)
}

pub(crate) const URL: &str = "https://bot:hunter2@git.example.com/acme/shop.git";

#[test]
fn the_folder_and_the_branch_that_the_cluster_follows_are_changed() {
    let sandbox = sandbox(URL, &json!({"branch": "prod"}));
    // Without the Kustomization two folders could be meant, and `main` would be the base.
    sandbox.write("work/README.md", "x\n");
    sandbox.git("work", &["add", "-A"]);
    sandbox.git("work", &["commit", "-qm", "Only on main"]);
    sandbox.git("work", &["push", "-q", "origin", "main"]);
    let ran = propose(&sandbox, &["--push", "--yes=review"]).exits(0);
    let branch = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads/aifix"]);
    assert_eq!(sandbox.git("remote.git", &["diff", "--numstat", "prod", &branch]), "1\t1\tapps/web.yaml");
    assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{}", ran.out);
}

#[test]
fn a_tag_is_no_base_until_a_person_names_one() {
    let sandbox = sandbox(URL, &json!({"tag": "v1.4.0"}));
    let ran = propose(&sandbox, &[]).exits(4);
    assert!(ran.out.contains("follows tag v1.4.0, not a branch") && ran.out.contains("--base BRANCH"), "{}", ran.out);
    propose(&sandbox, &["--base", "prod"]).exits(0);
}

#[test]
fn an_address_is_cloned_into_the_cache_after_a_yes() {
    let sandbox = sandbox(URL, &json!({"branch": "prod"}));
    let url = format!("file://{}", sandbox.path("remote.git").display());
    let ran = propose(&sandbox, &["--repo", &url]).exits(2);
    assert!(ran.err.contains("nobody can be asked"), "{}", ran.err);
    assert!(!sandbox.path("home/.cache").exists());
    for _ in 0..2 {
        propose(&sandbox, &["--repo", &url, "--push", "--yes"]);
        let clones: Vec<_> = fs::read_dir(sandbox.path("home/.cache/aifix/repos")).unwrap().collect();
        assert_eq!(clones.len(), 1);
    }
    let ran = propose(&sandbox, &["--repo", &url, "-o", "patch"]).exits(0);
    assert!(ran.out.contains("+++ b/apps/web.yaml"), "{}", ran.out);
}
