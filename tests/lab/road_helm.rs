//! The whole road with Helm: a kill under a chart, a fix in the environment's values, an upgrade.

use crate::kit::{Namespace, Repository, aifix, faults, run, wait};
use crate::rights::bound_to;
use crate::road_flux::wait_for_the_kill;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A chart and the values of two environments; `memory` is what production may use.
fn files(memory: &str) -> Vec<(&'static str, String)> {
    let template = fs::read_to_string(faults().join("oom-killed.yaml"))
        .unwrap()
        .replace("name: cart", "name: {{ .Release.Name }}")
        .replace("replicas: 1", "replicas: {{ .Values.replicas }}")
        .replace("limits:\n              memory: 32Mi", "limits:\n              memory: {{ .Values.memory }}");
    vec![
        ("charts/cart/Chart.yaml", "apiVersion: v2\nname: cart\nversion: 0.3.1\n".to_owned()),
        ("charts/cart/values.yaml", "replicas: 1\nmemory: 128Mi\n".to_owned()),
        ("charts/cart/values-prod.yaml", values(memory)),
        ("charts/cart/values-staging.yaml", "replicas: 2\n".to_owned()),
        ("charts/cart/templates/deployment.yaml", template),
    ]
}

fn values(memory: &str) -> String {
    format!("# What production may use.\nreplicas: 1\nmemory: {memory} # small nodes\n")
}

fn helm(folder: &Path, args: &[&str]) -> String {
    let helm = std::env::var("AIFIX_TEST_HELM").unwrap_or_else(|_| "helm".to_owned());
    run(Command::new(helm).args(args).current_dir(folder))
}

#[test]
fn a_kill_under_a_chart_is_healed_in_the_values_of_its_environment() {
    let namespace = Namespace::new("helm");
    let repository = Repository::new("helm", &files("32Mi"));
    let work = repository.work();
    let prod = ["charts/cart", "-f", "charts/cart/values-prod.yaml", "-n", &namespace.0];
    let staging =
        |folder: &Path| helm(folder, &["template", "cart", "charts/cart", "-f", "charts/cart/values-staging.yaml"]);
    helm(&work, &[&["install", "cart"], prod.as_slice()].concat());
    wait_for_the_kill(&namespace, &work);

    // A release's Secret is never asked for: who may read the namespace's workloads finds the same place.
    let (account, _guard) = bound_to(&namespace);
    let searched = aifix(&work, &["propose", "-n", &namespace.0, "--as", &account, "-o", "json"]).exits(0).json();
    let ran = aifix(&work, &["propose", "-n", &namespace.0, "--push", "--yes=review", "-o", "json"]).exits(0);
    let report = ran.json();
    let proposal = &report["proposals"][0];
    assert_eq!(searched["proposals"][0]["edits"], proposal["edits"], "{searched:#}");
    assert_eq!(proposal["edits"][0]["file"], "charts/cart/values-prod.yaml", "{report:#}");
    assert_eq!(proposal["origin"]["tool"], "helm", "{report:#}");
    let branch = proposal["branch"].as_str().unwrap();
    let checkout = repository.checkout(branch);
    assert_eq!(staging(&checkout), staging(&work), "staging is unchanged to the byte");
    assert_eq!(fs::read_to_string(checkout.join("charts/cart/values-prod.yaml")).unwrap(), values("64Mi"));

    // The step that deploys: here a person's own.
    repository.merge(branch);
    let merged = repository.checkout("main");
    helm(&merged, &[&["upgrade", "cart"], prod.as_slice()].concat());
    namespace.kubectl(&["rollout", "status", "--timeout=90s", "deployment/cart"]);
    wait("a healthy namespace", Duration::from_secs(60), || {
        let ran = aifix(&work, &["scan", "-n", &namespace.0]);
        if ran.code == 0 { Ok(()) } else { Err(ran.out) }
    });
}

#[test]
fn a_bad_value_that_was_released_is_taken_back_with_its_commit() {
    let namespace = Namespace::new("helm-revert");
    let repository = Repository::new("helm-revert", &files("128Mi"));
    let work = repository.work();
    let release = |folder: &Path, verb: &str| {
        let words = [verb, "cart", "charts/cart", "-f", "charts/cart/values-prod.yaml", "-n", &namespace.0];
        helm(folder, &words);
    };
    release(&work, "install");
    namespace.kubectl(&["rollout", "status", "--timeout=90s", "deployment/cart"]);

    let bad = repository.commit("Save memory", &[("charts/cart/values-prod.yaml", values("32Mi"))]);
    release(&repository.checkout("main"), "upgrade");
    wait_for_the_kill(&namespace, &work);

    let words = ["propose", "deployment/cart", "-n", &namespace.0, "--revert", "--push", "--yes=review", "-o", "json"];
    let report = aifix(&work, &words).exits(0).json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["reverts"]["id"], bad.as_str(), "{report:#}");
    let diff = proposal["diff"].as_str().unwrap();
    let files: Vec<&str> = diff.lines().filter_map(|line| line.strip_prefix("+++ ")).collect();
    assert_eq!(files, ["b/charts/cart/values-prod.yaml"], "{report:#}");
    let branch = proposal["branch"].as_str().unwrap();
    repository.merge(branch);
    // What the branch holds is what was merged: nothing else came to `main`.
    let merged = repository.checkout(branch);
    assert_eq!(fs::read_to_string(merged.join("charts/cart/values-prod.yaml")).unwrap(), values("128Mi"));
    release(&merged, "upgrade");
    namespace.kubectl(&["rollout", "status", "--timeout=90s", "deployment/cart"]);
    wait("a healthy namespace", Duration::from_secs(60), || {
        let ran = aifix(&work, &["scan", "-n", &namespace.0]);
        if ran.code == 0 { Ok(()) } else { Err(ran.out) }
    });
}
