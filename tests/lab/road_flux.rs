//! The whole road with Flux: a kill, a fix in the overlay, a merge, and Flux heals.

use crate::flux::{Flux, PATIENCE};
use crate::forge::api;
use crate::kit::{Namespace, Repository, aifix, failing, faults, lab, run, wait};
use crate::rights::bound_to;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A base, a component, two overlays; `memory` is what production may use.
pub(crate) fn files(namespace: &str, memory: &str) -> Vec<(&'static str, String)> {
    let overlay = |namespace: &str, patches: &str| {
        format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: {namespace}\nresources:\n\
             - ../../base\ncomponents:\n- ../../components/traced\n{patches}"
        )
    };
    let base = fs::read_to_string(faults().join("oom-killed.yaml")).unwrap().replace("memory: 32Mi", "memory: 128Mi");
    vec![
        ("base/cart.yaml", base),
        ("base/kustomization.yaml", "resources:\n- cart.yaml\n".to_owned()),
        (
            "components/traced/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- target: {kind: Deployment}\n  patch: |-\n    \
             - op: add\n      path: /spec/template/spec/containers/0/env\n      value: [{name: TRACE, value: \"1\"}]\n"
                .to_owned(),
        ),
        ("overlays/prod/kustomization.yaml", overlay(namespace, "patches:\n- path: limits.yaml\n")),
        ("overlays/prod/limits.yaml", limits(memory)),
        ("overlays/staging/kustomization.yaml", overlay("staging", "")),
    ]
}

pub(crate) fn limits(memory: &str) -> String {
    format!(
        "# What production may use.\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: cart\nspec:\n  template:\n    spec:\n      \
         containers:\n      - name: app\n        resources:\n          requests:\n            memory: 32Mi\n          \
         limits:\n            memory: {memory} # small nodes\n"
    )
}

fn build(folder: &Path) -> String {
    let kustomize = std::env::var("AIFIX_TEST_KUSTOMIZE").unwrap_or_else(|_| "kustomize".to_owned());
    run(Command::new(kustomize).arg("build").arg(folder))
}

/// Waits until a scan of the namespace finds exactly the kill.
#[track_caller]
pub(crate) fn wait_for_the_kill(namespace: &Namespace, folder: &Path) {
    wait("the kill", Duration::from_secs(120), || {
        let found = failing(&aifix(folder, &["scan", "-n", &namespace.0, "-o", "json"]).json());
        if found == ["oom-killed Deployment/cart"] { Ok(()) } else { Err(format!("{found:?}")) }
    });
}

#[test]
fn a_kill_that_came_with_a_commit_is_healed_by_a_merge_and_flux() {
    let namespace = Namespace::new("road");
    let repository = Repository::new("road", &files(&namespace.0, "128Mi"));
    let Some(flux) = Flux::follow(&repository, "road-flux", "./overlays/prod") else { return };
    let work = repository.work();
    let good = repository.git(&["rev-parse", "HEAD"]).trim().to_owned();
    flux.wait_for("lastAppliedRevision", &good);

    let bad = repository.commit("Save memory", &[("overlays/prod/limits.yaml", limits("32Mi"))]);
    flux.reconcile();
    flux.wait_for("lastAttemptedRevision", &bad);
    wait_for_the_kill(&namespace, &work);
    flux.wait_for_reason("HealthCheckFailed");
    flux.wait_for("lastAppliedRevision", &good);

    // A merge would change nothing as long as Flux is suspended.
    flux.patch(&json!({"suspend": true}));
    let ran = aifix(&work, &["propose", "-n", &namespace.0, "-o", "json"]).exits(0);
    assert!(ran.json()["proposals"][0]["next"]["lines"].to_string().contains("suspended"), "{}", ran.out);
    flux.patch(&json!({"suspend": false}));

    // Who may read no more than this namespace sees no Kustomization: the search finds the same place.
    let (account, _guard) = bound_to(&namespace);
    let ran = aifix(&work, &["propose", "-n", &namespace.0, "--as", &account, "-o", "json"]).exits(0);
    let searched = ran.json();

    let words = ["propose", "-n", &namespace.0, "--push", "--yes=review", "--server-dry-run", "-o", "json"];
    let report = aifix(&work, &words).exits(0).json();
    assert_eq!(searched["proposals"][0]["edits"], report["proposals"][0]["edits"], "{searched:#}");
    let listed = format!("{}/shop, which lists it", flux.namespace.0);
    let trail = |report: &Value| report["proposals"][0]["origin"]["trail"].to_string();
    assert!(trail(&report).contains(&listed) && !trail(&searched).contains(&listed), "{report:#}\n{searched:#}");
    let next = format!("flux reconcile kustomization shop -n {} --with-source", flux.namespace.0);
    assert_eq!(report["proposals"][0]["next"]["commands"], json!([next]), "{report:#}");
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["edits"][0]["file"], "overlays/prod/limits.yaml", "{report:#}");
    assert_eq!(proposal["edits"].as_array().unwrap().len(), 1, "{report:#}");
    // The real server describes its kinds.
    let checked = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "by": "cluster", "why": null}]);
    assert_eq!(proposal["proof"]["schema"], checked, "{report:#}");
    // It takes the change from who applies it, and stores nothing; the record says so, too.
    let applier = json!("kustomize-controller");
    assert_eq!(proposal["proof"]["dryRun"], applier, "{report:#}");
    let record = aifix(&work, &["audit", "show", proposal["record"].as_str().unwrap(), "-o", "json"]).exits(0).json();
    assert_eq!(record["spec"]["proposedFix"]["proof"]["dryRun"], applier, "{record:#}");
    let live = namespace.kubectl(&["get", "deployment", "cart", "-o", "json"]);
    assert!(live.contains("\"memory\": \"32Mi\"") && !live.contains("128Mi"), "{live}");
    let branch = proposal["branch"].as_str().unwrap();
    let staging = build(&work.join("overlays/staging"));
    let checkout = repository.checkout(branch);
    assert_eq!(build(&checkout.join("overlays/staging")), staging, "staging is unchanged to the byte");
    // What ran before the commit is still there to see.
    assert_eq!(fs::read_to_string(checkout.join("overlays/prod/limits.yaml")).unwrap(), limits("128Mi"));

    let merged = repository.merge(branch);
    flux.reconcile();
    flux.wait_for("lastAppliedRevision", &merged);
    namespace.kubectl(&["rollout", "status", "--timeout=90s", "deployment/cart"]);
    wait("a healthy namespace", PATIENCE, || {
        let ran = aifix(&work, &["scan", "-n", &namespace.0]);
        if ran.code == 0 { Ok(()) } else { Err(ran.out) }
    });
}

#[test]
fn a_limit_set_by_hand_while_flux_is_suspended_is_no_matter_for_git() {
    let namespace = Namespace::new("drift");
    let repository = Repository::new("drift", &files(&namespace.0, "128Mi"));
    let Some(flux) = Flux::follow(&repository, "drift-flux", "./overlays/prod") else { return };
    let work = repository.work();
    flux.wait_for("lastAppliedRevision", repository.git(&["rev-parse", "HEAD"]).trim());
    flux.patch(&json!({"suspend": true}));
    namespace.kubectl(&["set", "resources", "deployment/cart", "--limits=memory=32Mi"]);
    wait_for_the_kill(&namespace, &work);

    let ran = aifix(&work, &["propose", "-n", &namespace.0, "-o", "json"]).exits(4);
    assert!(ran.out.contains("\"drifted-field\"") && ran.out.contains("kubectl-set"), "{}", ran.out);
    let ran = aifix(&work, &["scan", "-n", &flux.namespace.0, "-o", "json", "--all"]);
    assert!(ran.out.contains("\"flux-suspended\""), "{}", ran.out);

    // Flux, awake again, takes the field back: that is the fix.
    flux.patch(&json!({"suspend": false}));
    namespace.kubectl(&["rollout", "status", "--timeout=90s", "deployment/cart"]);
    wait("a healthy namespace", PATIENCE, || {
        let ran = aifix(&work, &["scan", "-n", &namespace.0]);
        if ran.code == 0 { Ok(()) } else { Err(ran.out) }
    });
}

#[test]
fn a_commit_that_does_not_build_is_found_and_taken_back_while_what_runs_goes_on() {
    let namespace = Namespace::new("build");
    let repository = Repository::new("build", &files(&namespace.0, "128Mi"));
    let Some(flux) = Flux::follow(&repository, "build-flux", "./overlays/prod") else { return };
    let work = repository.work();
    let good = repository.git(&["rev-parse", "HEAD"]).trim().to_owned();
    flux.wait_for("lastAppliedRevision", &good);

    let broken = limits("128Mi").replace("  name: cart", "  name: card");
    let bad = repository.commit("Rename the cart", &[("overlays/prod/limits.yaml", broken)]);
    flux.reconcile();
    flux.wait_for("lastAttemptedRevision", &bad);
    flux.wait_for_reason("BuildFailed");
    // Told where the workloads are, too: they get nothing new.
    for namespace in [&namespace, &flux.namespace] {
        let report = aifix(&work, &["scan", "-n", &namespace.0, "-o", "json"]).exits(1).json();
        assert_eq!(failing(&report), ["flux-build-failed Kustomization/shop"]);
        let evidence = report["findings"][0]["evidence"].to_string();
        assert!(evidence.contains(&format!("attempted main@sha1:{bad}, last applied main@sha1:{good}")), "{evidence}");
    }

    let words =
        ["propose", "kustomization/shop", "-n", &flux.namespace.0, "--revert", "--push", "--yes=review", "-o", "json"];
    // While Flux tries again, it says nothing of the failure.
    let report = wait("a failure that is told", PATIENCE, || {
        let report = aifix(&work, &words).exits(0).json();
        if report["proposals"] == json!([]) { Err("nothing fails".to_owned()) } else { Ok(report) }
    });
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["reverts"]["id"], bad.as_str(), "{report:#}");
    let branch = proposal["branch"].as_str().unwrap();
    let checkout = repository.checkout(branch);
    assert_eq!(fs::read_to_string(checkout.join("overlays/prod/limits.yaml")).unwrap(), limits("128Mi"));
    let merged = repository.merge(branch);
    flux.reconcile();
    flux.wait_for("lastAppliedRevision", &merged);
    for namespace in [&namespace, &flux.namespace] {
        wait("a healthy namespace", PATIENCE, || {
            let ran = aifix(&work, &["scan", "-n", &namespace.0]);
            if ran.code == 0 { Ok(()) } else { Err(ran.out) }
        });
    }
}

#[test]
fn a_pull_request_that_is_merged_at_the_forge_is_what_flux_applies() {
    if lab("AIFIX_LAB_GITEA_URL").is_empty() {
        return;
    }
    let namespace = Namespace::new("pull");
    let owner = lab("AIFIX_LAB_GITEA_USER");
    let path = format!("{owner}/{}", namespace.0);
    api("POST", &format!("admin/users/{owner}/repos"), &json!({"name": namespace.0, "private": true}));
    let repository = Repository::at_the_forge(&path, &files(&namespace.0, "32Mi"));
    let Some(flux) = Flux::follow(&repository, "pull-flux", "./overlays/prod") else { return };
    let work = repository.work();
    wait_for_the_kill(&namespace, &work);
    let words = ["propose", "-n", &namespace.0, "--push", "--yes=review", "--pr", "-o", "json"];
    let report = aifix(&work, &words).exits(0).json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["edits"][0]["file"], "overlays/prod/limits.yaml", "{report:#}");
    let pull = format!("repos/{path}/pulls/{}", proposal["pullRequest"]["number"]);

    // A person calls it ready and merges it; Flux looks when it is told what the proposal said.
    api("PATCH", &pull, &json!({"title": "Raise the limit of the cart"}));
    wait("a pull request that can be merged", PATIENCE, || {
        let seen = api("GET", &pull, &Value::Null);
        if seen["mergeable"] == true { Ok(()) } else { Err(seen.to_string()) }
    });
    api("POST", &format!("{pull}/merge"), &json!({"Do": "squash", "delete_branch_after_merge": true}));
    flux.reconcile();
    namespace.kubectl(&["rollout", "status", "--timeout=90s", "deployment/cart"]);
    wait("a healthy namespace", PATIENCE, || {
        let ran = aifix(&work, &["scan", "-n", &namespace.0]);
        if ran.code == 0 { Ok(()) } else { Err(ran.out) }
    });
}
