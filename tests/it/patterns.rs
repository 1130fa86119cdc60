//! What records have in common, and the policies that they suggest.

use crate::harness::Sandbox;
use aifix::audit::Store;
use aifix::model::record::Phase;
use serde_json::{Value, json};

const LIMIT: &str = "spec.template.spec.containers[app].resources.limits.memory";

/// Kills in `payments`: `cuts` after a cut of the memory limit, and `others` after nothing.
fn incidents(sandbox: &Sandbox, cuts: usize, others: usize) {
    let mut store = Store::open(&sandbox.path("state"), None).unwrap();
    for n in 0..cuts + others {
        let at = format!("2026-11-{:02}T0{}:00:00Z", n + 1, n % 10);
        let name = format!("app-{n}");
        let fields = if n < cuts { json!([{"path": LIMIT, "old": "64Mi", "new": "32Mi"}]) } else { json!([]) };
        let body = json!({
            "failure": {"code": "oom-killed", "severity": "critical", "container": "app", "since": at, "summary": "killed",
                "object": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "payments", "name": name}},
            "context": {"cluster": "prod", "scope": "payments", "takenAt": at, "evidence": [], "effects": [], "gaps": [],
                "change": {"from": "1", "to": "2", "good": true, "fields": fields},
                "command": "aifix propose", "who": "Ada <ada@example.com>", "version": "0.1.0"},
        });
        store.append(None, Phase::Refused, &at, body).unwrap();
    }
}

fn manifest(name: &str, memory: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  namespace: payments\nspec:\n  template:\n    spec:\n      \
         containers:\n      - name: app\n        resources:\n          limits:\n            memory: {memory}\n"
    )
}

/// Commits that cut the limit of an app that never failed.
fn harmless_cuts(sandbox: &Sandbox, count: usize) {
    for n in 0..count {
        for memory in ["64Mi", "48Mi"] {
            sandbox.write(&format!("work/calm-{n}.yaml"), &manifest(&format!("calm-{n}"), memory));
            sandbox.git("work", &["add", "-A"]);
            sandbox.git("work", &["commit", "-qm", &format!("Give calm-{n} {memory}")]);
        }
    }
    sandbox.git("work", &["push", "-q", "origin", "main"]);
}

/// Documents of `audit patterns` and `policy suggest`: one that is made, and one that is not.
pub(crate) fn documents() -> Vec<Value> {
    let mut all = Vec::new();
    for harmless in [0, 3] {
        let sandbox = Sandbox::new();
        sandbox.repository(&[("README.md", "x\n")]);
        incidents(&sandbox, 2, 1);
        harmless_cuts(&sandbox, harmless);
        all.push(sandbox.aifix(&["audit", "patterns", "-o", "json"]).exits(0).json());
        all.push(suggest(&sandbox, &[]));
    }
    all
}

#[test]
fn a_change_before_most_incidents_is_told_first_with_its_share() {
    let sandbox = Sandbox::new();
    assert_eq!(
        sandbox.aifix(&["audit", "patterns"]).exits(0).out,
        "No pattern in 0 records: no failure happened twice.\n"
    );
    incidents(&sandbox, 7, 2);
    let out = sandbox.aifix(&["audit", "patterns"]).exits(0).out;
    let told: Vec<&str> = out.lines().filter(|line| !line.contains("records ")).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    the memory limit was lowered in 7 of 9 oom-killed incidents in payments
    oom-killed happened 9 times in payments
    ");
    let report = sandbox.aifix(&["audit", "patterns", "--code", "oom-killed", "-n", "payments", "-o", "json"]).json();
    assert_eq!(report["patterns"][0]["count"], 7, "{report:#}");
    assert_eq!(report["patterns"][0]["records"].as_array().unwrap().len(), 7);
    let none = sandbox.aifix(&["audit", "patterns", "--code", "crash-app-error", "-o", "json"]).json();
    assert_eq!(none["patterns"], json!([]));
}

fn suggest(sandbox: &Sandbox, more: &[&str]) -> Value {
    sandbox.aifix_in("work", &[&["policy", "suggest", "-o", "json"], more].concat()).exits(0).json()
}

#[test]
fn a_pattern_becomes_a_policy_whose_tests_pass_and_that_weighs_the_past() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("README.md", "x\n")]);
    incidents(&sandbox, 7, 2);
    harmless_cuts(&sandbox, 2);
    let report = suggest(&sandbox, &[]);
    let one = &report["suggestions"][0];
    assert_eq!(one["name"], "memory_limit_lowered_in_payments", "{report:#}");
    let stops = one["stops"].as_array().unwrap();
    let count = |rightly: bool| stops.iter().filter(|stop| stop["rightly"] == rightly).count();
    assert_eq!((count(true), count(false)), (7, 2), "{report:#}");
    assert!(stops.iter().any(|stop| stop["what"].as_str().unwrap().contains("Give calm-1 48Mi")), "{report:#}");
    let policy = one["policy"].as_str().unwrap();
    assert!(policy.contains("before an incident and 2 harmless ones"), "{policy}");
    assert!(policy.contains("#   Deployment/app-0 oom-killed, 2026-11-01 (record "), "{policy}");
    for (name, text) in [("p.rego", policy), ("p_test.rego", one["test"].as_str().unwrap())] {
        sandbox.write(&format!("own/{name}"), text);
    }
    let ran = sandbox.aifix(&["policy", "test", "--policy", "own"]).exits(0);
    assert!(ran.out.contains("4 passed"), "{}", ran.out);
    // A rule that denies nothing is seen by its tests.
    sandbox.write("own/p.rego", &policy.replace("quantity(after) < quantity(before)", "false"));
    sandbox.aifix(&["policy", "test", "--policy", "own"]).exits(5);
}

#[test]
fn a_policy_that_would_stop_more_harmless_changes_than_harmful_ones_is_not_made() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("README.md", "x\n")]);
    incidents(&sandbox, 2, 1);
    harmless_cuts(&sandbox, 3);
    let report = suggest(&sandbox, &[]);
    assert_eq!(report["suggestions"], json!([]), "{report:#}");
    let why = report["notMade"][0]["why"].as_str().unwrap();
    assert_eq!(why, "it would have stopped 3 harmless changes, and 2 before an incident");
    let ran = sandbox.aifix_in("work", &["policy", "suggest", "--push", "--yes"]).exits(0);
    assert!(ran.out.contains("not made"), "{}", ran.out);
    assert_eq!(sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]), "main");
}

#[test]
fn a_suggestion_is_pushed_as_a_branch_for_review_and_only_after_a_yes() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("README.md", "x\n")]);
    incidents(&sandbox, 7, 2);
    let heads = || sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    sandbox.aifix_in("work", &["policy", "suggest"]).exits(0);
    sandbox.aifix_in("work", &["policy", "suggest", "--push"]).exits(7);
    assert_eq!(heads(), "main");
    let before = crate::road::bytes(&sandbox.path("work"));
    sandbox.aifix_in("work", &["policy", "suggest", "--push", "--yes"]).exits(0);
    assert_eq!(crate::road::bytes(&sandbox.path("work")), before, "the user's repository stays byte-identical");
    let branch = "aifix/policies/memory-limit-lowered-in-payments";
    assert_eq!(heads(), format!("{branch}\nmain"));
    let names = sandbox.git("remote.git", &["diff", "--name-only", "main", branch]);
    assert_eq!(
        names,
        ".aifix/policies/memory_limit_lowered_in_payments.rego\n.aifix/policies/memory_limit_lowered_in_payments_test.rego"
    );
    let message = sandbox.git("remote.git", &["log", "-1", "--format=%B", branch]);
    assert!(message.contains("stopped 7 rightly") && message.contains("stopped 0 wrongly"), "{message}");
    let again = sandbox.aifix_in("work", &["policy", "suggest", "--push", "--yes"]).exits(0);
    assert!(again.err.contains("is open at"), "{}", again.err);
}
