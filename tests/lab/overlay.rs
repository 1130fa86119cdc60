//! A Kustomize overlay on the real cluster: the fix lands in the overlay, staging stays.

use crate::kit::{Namespace, Repository, aifix, failing, faults, run, wait};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn files(namespace: &str) -> Vec<(&'static str, String)> {
    let overlay = |namespace: &str, patches: &str| {
        format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: {namespace}\nresources:\n- ../../base\n{patches}"
        )
    };
    vec![
        ("base/cart.yaml", fs::read_to_string(faults().join("oom-killed.yaml")).unwrap().replace("memory: 32Mi", "memory: 128Mi")),
        ("base/kustomization.yaml", "resources:\n- cart.yaml\n".to_owned()),
        ("overlays/prod/kustomization.yaml", overlay(namespace, "patches:\n- path: limits.yaml\n")),
        (
            "overlays/prod/limits.yaml",
            "# What production may use.\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: cart\nspec:\n  template:\n    spec:\n      \
             containers:\n      - name: app\n        resources:\n          requests:\n            memory: 32Mi\n          limits:\n            memory: 32Mi # small nodes\n"
                .to_owned(),
        ),
        ("overlays/staging/kustomization.yaml", overlay("staging", "")),
    ]
}

fn build(folder: &Path) -> String {
    let kustomize = std::env::var("AIFIX_TEST_KUSTOMIZE").unwrap_or_else(|_| "kustomize".to_owned());
    run(Command::new(kustomize).arg("build").arg(folder))
}

#[test]
fn an_oom_kill_under_an_overlay_is_healed_in_the_overlay_alone() {
    let namespace = Namespace::new("overlay");
    let repository = Repository::new("overlay", &files(&namespace.0));
    let work = repository.work();
    let staging = build(&work.join("overlays/staging"));
    let apply = |folder: &Path| {
        let rendered = folder.join("../rendered.yaml");
        fs::write(&rendered, build(&folder.join("overlays/prod"))).unwrap();
        namespace.kubectl(&["apply", "-f", rendered.to_str().unwrap()]);
    };
    apply(&work);
    wait("the kill to repeat", Duration::from_secs(90), || {
        let found = failing(&aifix(&work, &["scan", "-n", &namespace.0, "-o", "json"]).json());
        if found == ["oom-killed Deployment/cart"] { Ok(()) } else { Err(format!("{found:?}")) }
    });
    let ran = aifix(&work, &["propose", "-n", &namespace.0, "--push", "--yes=review", "-o", "json"]).exits(0);
    let report = ran.json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["edits"][0]["file"], "overlays/prod/limits.yaml", "{report:#}");
    assert_eq!(proposal["origin"]["tool"], "kustomize");
    let checkout = repository.checkout(proposal["branch"].as_str().unwrap());
    assert_eq!(build(&checkout.join("overlays/staging")), staging, "staging is unchanged to the byte");
    assert!(
        fs::read_to_string(checkout.join("overlays/prod/limits.yaml")).unwrap().contains("memory: 64Mi # small nodes")
    );
    apply(&checkout);
    namespace.kubectl(&["rollout", "status", "--timeout=90s", "deployment/cart"]);
    aifix(&work, &["scan", "-n", &namespace.0]).exits(0);
}
