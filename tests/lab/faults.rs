//! Ten real faults beside healthy neighbours: found, proposed, pushed, healed.

use crate::kit::{Namespace, Repository, aifix, failing, faults, run, wait};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What a scan must say, sorted.
const FINDINGS: [&str; 10] = [
    "command-not-found Deployment/mailer",
    "configmap-missing Deployment/billing",
    "crash-app-error Deployment/ledger",
    "image-not-found Deployment/storefront",
    "oom-killed Deployment/cart",
    "probe-port-mismatch Deployment/catalog",
    "probe-port-mismatch Deployment/search",
    "secret-key-missing Deployment/orders",
    "service-selector-mismatch Service/shop",
    "unschedulable-cpu Deployment/reports",
];

/// The findings that facts decide: the object, and the file that holds it in Git.
const BY_RULE: [(&str, &str); 8] = [
    ("Deployment/mailer", "command-not-found.then.yaml"),
    ("Deployment/billing", "configmap-missing.yaml"),
    ("Deployment/storefront", "image-not-found.then.yaml"),
    ("Deployment/cart", "oom-killed.yaml"),
    ("Deployment/catalog", "probe-port-mismatch.liveness.yaml"),
    ("Deployment/search", "probe-port-mismatch.readiness.yaml"),
    ("Service/shop", "service-selector-mismatch.yaml"),
    ("Deployment/reports", "unschedulable-cpu.then.yaml"),
];

#[test]
fn ten_faults_are_ten_findings_and_each_rule_heals_its_own() {
    let namespace = Namespace::new("faults");
    run(Command::new(faults().join("apply")).arg(&namespace.0));
    let folder = tempfile::tempdir().unwrap();
    wait("ten findings, no more and no fewer", Duration::from_secs(150), || {
        let ran = aifix(folder.path(), &["scan", "-n", &namespace.0, "-o", "json"]);
        let found = failing(&ran.json());
        if found == FINDINGS { Ok(()) } else { Err(format!("{found:#?}")) }
    });
    let text = aifix(folder.path(), &["scan", "-n", &namespace.0]).exits(1).out;
    assert!(text.lines().next().unwrap().contains("10 root causes"), "{text}");

    let repository = Repository::new("faults", &manifests());
    let mut lines = Vec::new();
    for (object, file) in BY_RULE {
        let branch = propose(&namespace, &repository, object);
        lines.push(format!("{object} {branch}"));
        let checkout = repository.checkout(&branch);
        assert_eq!(changed(&checkout), [format!("apps/{file}")], "{object}: only its file changes");
        namespace.kubectl(&["apply", "-f", checkout.join("apps").join(file).to_str().unwrap()]);
    }
    wait("every healed object to be healthy", Duration::from_secs(120), || {
        let ran = aifix(folder.path(), &["scan", "-n", &namespace.0, "-o", "json"]);
        let found = failing(&ran.json());
        if found == ["crash-app-error Deployment/ledger", "secret-key-missing Deployment/orders"] {
            Ok(())
        } else {
            Err(format!("{found:#?}"))
        }
    });
    for (object, _) in BY_RULE {
        if let Some(deployment) = object.strip_prefix("Deployment/") {
            namespace.kubectl(&["rollout", "status", "--timeout=60s", &format!("deployment/{deployment}")]);
        }
    }
    eprintln!("healed:\n{}", lines.join("\n"));

    let refused =
        aifix(&repository.work(), &["propose", "deployment/ledger", "-n", &namespace.0, "--push", "--yes=review"])
            .exits(4);
    assert!(refused.out.contains("no safe fix"), "{}", refused.out);
    aifix(&repository.work(), &["audit", "verify"]).exits(0);
    let records = aifix(&repository.work(), &["audit", "list", "-o", "json"]).exits(0).json();
    assert_eq!(records["items"].as_array().unwrap().len(), BY_RULE.len() + 1);
}

/// Pushes the fix of one object; answers its branch.
#[track_caller]
fn propose(namespace: &Namespace, repository: &Repository, object: &str) -> String {
    let before = repository.git(&["status", "--porcelain=v2", "--branch"]);
    let ran =
        aifix(&repository.work(), &["propose", object, "-n", &namespace.0, "--push", "--yes=review", "-o", "json"])
            .exits(0);
    assert_eq!(repository.git(&["status", "--porcelain=v2", "--branch"]), before);
    let report = ran.json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["pushed"], true, "{report:#}");
    proposal["branch"].as_str().unwrap().to_owned()
}

/// Every fault's manifest as it is now, below `apps/`.
fn manifests() -> Vec<(&'static str, String)> {
    BY_RULE
        .iter()
        .map(|(_, file)| *file)
        .chain(["crash-app-error.yaml", "secret-key-missing.yaml"])
        .map(|file| (leaked(format!("apps/{file}")), fs::read_to_string(faults().join(file)).unwrap()))
        .collect()
}

/// A path that lives as long as the test does.
fn leaked(path: String) -> &'static str {
    Box::leak(path.into_boxed_str())
}

fn changed(checkout: &Path) -> Vec<String> {
    let out =
        run(Command::new("git").args(["diff", "--name-only", "HEAD~1", "HEAD"]).current_dir(PathBuf::from(checkout)));
    out.lines().map(str::to_owned).collect()
}
