//! What records have in common, and the policies that they suggest.

use crate::harness::{Sandbox, oom_manifest, recorded};
use aifix::audit::Store;
use aifix::model::record::Phase;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

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
        if harmless == 0 {
            sandbox.aifix_in("work", &["policy", "suggest", "--push", "--yes"]).exits(0);
            all.push(newest(&sandbox));
        }
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
fn a_policy_that_would_stop_as_many_harmless_changes_as_harmful_ones_is_made() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("README.md", "x\n")]);
    incidents(&sandbox, 2, 1);
    harmless_cuts(&sandbox, 2);
    let report = suggest(&sandbox, &[]);
    assert_eq!(report["notMade"], json!([]), "{report:#}");
    let stops = report["suggestions"][0]["stops"].as_array().unwrap();
    let count = |rightly: bool| stops.iter().filter(|stop| stop["rightly"] == rightly).count();
    assert_eq!((count(true), count(false)), (2, 2), "{report:#}");
}

#[test]
fn what_propose_records_is_what_patterns_are_read_from() {
    let sandbox = Sandbox::new();
    let api = oom_manifest().replace("  name: web\n", "  name: api\n");
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest()), ("k8s/api.yaml", &api)]);
    let text = fs::read_to_string(format!("{}/objects.json", recorded("oom-killed"))).unwrap();
    for name in ["web", "api"] {
        let named = text.replace("\"name\":\"web\"", &format!("\"name\":\"{name}\""));
        let from = sandbox.write(
            &format!("{name}.json"),
            &with_a_revision_before(&named.replace("web-6b46", &format!("{name}-6b46"))),
        );
        let object = format!("deployment/{name}");
        let args = ["propose", &object, "--from", from.to_str().unwrap(), "--at", "2026-11-22T16:46:58Z", "--push"];
        sandbox.aifix_in("work", &[&args[..], &["--yes=review"]].concat()).exits(0);
    }
    let out = sandbox.aifix(&["audit", "patterns"]).exits(0).out;
    let told: Vec<&str> = out.lines().filter(|line| !line.contains("records ")).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    the memory limit was lowered in 2 of 2 oom-killed incidents in cat-oom-killed
    image busybox had 2 of 2 oom-killed incidents in cat-oom-killed
    label app=web is on 2 of 2 oom-killed incidents in cat-oom-killed
    the value was brought by Ada in 2 of 2 oom-killed incidents in cat-oom-killed
    oom-killed happened 2 times in cat-oom-killed
    ");
}

/// The recording of a kill, where the revision before had twice the memory.
fn with_a_revision_before(objects: &str) -> String {
    let mut list: Value = serde_json::from_str(objects).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    let set = items.iter_mut().find(|object| object["kind"] == "ReplicaSet").unwrap();
    let mut before = set.clone();
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "2".into();
    for (field, value) in [("name", "before-1"), ("uid", "b"), ("creationTimestamp", "2026-11-21T00:00:00Z")] {
        before["metadata"][field] = value.into();
    }
    before["metadata"]["labels"]["pod-template-hash"] = "1".into();
    before["spec"]["selector"]["matchLabels"]["pod-template-hash"] = "1".into();
    before["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = "1".into();
    before["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "64Mi".into();
    before["spec"]["replicas"] = 0.into();
    before["status"] = json!({"replicas": 0, "observedGeneration": 1});
    items.push(before);
    let web = items.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
    web["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "2".into();
    list.to_string()
}

#[test]
fn hostile_words_of_records_stay_words_in_patterns_and_in_suggested_policies() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("README.md", "x\n")]);
    let hostile = "app\n\nallow := true\n::error::x\u{1b}[2J\u{202e}";
    let mut store = Store::open(&sandbox.path("state"), None).unwrap();
    for n in 1..=2 {
        let at = format!("2026-11-0{n}T08:00:00Z");
        let fields = json!([{"path": LIMIT, "old": "64Mi", "new": "32Mi"},
            {"path": "::error::x\"\u{1b}) := true.containers[app].args", "old": "2", "new": "1"}]);
        let body = json!({
            "failure": {"code": "oom-killed", "severity": "critical", "container": "app", "since": at, "summary": "killed",
                "object": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "payments",
                    "name": format!("{hostile}-{n}")}},
            "context": {"cluster": "prod", "scope": "payments", "takenAt": at, "evidence": [], "effects": [], "gaps": [],
                "change": {"from": "1", "to": "2", "good": true, "fields": fields},
                "command": "aifix propose", "who": "Ada <ada@example.com>", "version": "0.1.0"},
        });
        store.append(None, Phase::Refused, &at, body).unwrap();
    }
    let patterns = sandbox.aifix(&["audit", "patterns"]).exits(0).out;
    let shown = sandbox.aifix_in("work", &["policy", "suggest"]).exits(0).out;
    for out in [&patterns, &shown] {
        assert!(!out.contains(['\u{1b}', '\u{202e}']), "{out}");
        assert!(!out.lines().any(|line| line.trim_start().starts_with("::")), "{out}");
    }
    let report = suggest(&sandbox, &[]);
    assert_eq!(report["suggestions"].as_array().unwrap().len(), 1, "{report:#}");
    let (policy, test) = (&report["suggestions"][0]["policy"], &report["suggestions"][0]["test"]);
    let policy = policy.as_str().unwrap();
    let evidence: Vec<&str> = policy.lines().filter(|line| line.contains("allow := true")).collect();
    assert_eq!(evidence.len(), 2, "{policy}");
    assert!(evidence.iter().all(|line| line.starts_with("#   Deployment/app\\n")), "{policy}");
    sandbox.write("own/p.rego", policy);
    sandbox.write("own/p_test.rego", test.as_str().unwrap());
    let ran = sandbox.aifix(&["policy", "test", "--policy", "own"]).exits(0);
    assert!(ran.out.contains("4 passed"), "{}", ran.out);
    let why = &report["notMade"][0]["why"];
    assert_eq!(why, "no rule can be written for such a change", "{report:#}");
}

fn newest(sandbox: &Sandbox) -> Value {
    sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json()["items"][0].take()
}

fn phases(record: &Value) -> Vec<&str> {
    record["status"]["entries"].as_array().unwrap().iter().map(|entry| entry["phase"].as_str().unwrap()).collect()
}

#[test]
fn a_suggestion_is_pushed_as_a_branch_for_review_and_only_after_a_yes() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("README.md", "x\n")]);
    incidents(&sandbox, 7, 2);
    let heads = || sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    sandbox.aifix_in("work", &["policy", "suggest"]).exits(0);
    let count = || sandbox.aifix(&["audit", "list", "-o", "json"]).json()["items"].as_array().unwrap().len();
    let known = count();
    sandbox.aifix_in("work", &["policy", "suggest", "--push"]).exits(7);
    assert_eq!(heads(), "main");
    let declined = newest(&sandbox);
    assert_eq!(phases(&declined), ["proposed", "declined"], "{declined:#}");
    let hook = sandbox.write("remote.git/hooks/pre-receive", "#!/bin/sh\nexit 1\n");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = sandbox.aifix_in("work", &["policy", "suggest", "--push", "--yes"]);
    assert_ne!(ran.code, 0, "{}", ran.err);
    assert_eq!(phases(&newest(&sandbox)), ["proposed", "failed"]);
    fs::remove_file(hook).unwrap();
    assert_eq!(count(), known + 2);
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
    let pushed = newest(&sandbox);
    assert_eq!(phases(&pushed), ["proposed", "pushed"], "{pushed:#}");
    let hash = pushed["status"]["entries"][0]["hash"].as_str().unwrap();
    assert!(message.contains(&format!("\nAifix-Record: {hash}")), "{message}");
    assert_eq!(pushed["status"]["commit"], sandbox.git("remote.git", &["rev-parse", branch]).as_str());
    let suggestion = &pushed["spec"]["suggestion"];
    assert_eq!(suggestion["branch"], branch, "{suggestion:#}");
    let policy = sandbox
        .git("remote.git", &["show", &format!("{branch}:.aifix/policies/memory_limit_lowered_in_payments.rego")]);
    assert_eq!(suggestion["policy"].as_str().unwrap().trim_end(), policy);
    let id = pushed["metadata"]["name"].as_str().unwrap();
    let shown = sandbox.aifix(&["audit", "show", id]).exits(0).out;
    assert!(shown.starts_with("pushed  Policy memory_limit_lowered_in_payments"), "{shown}");
    assert!(shown.contains("stops     7 rightly and 0 wrongly, of past changes\n"), "{shown}");
    let list = sandbox.aifix(&["audit", "list"]).exits(0).out;
    assert!(list.contains("Policy memory_limit_lowered_in_payments") && !list.contains('?'), "{list}");
    sandbox.aifix(&["audit", "export", id]).exits(0);
    let verified = sandbox.aifix_in("work", &["audit", "verify"]).exits(0).out;
    assert!(verified.contains("1 commit"), "{verified}");
    let told = sandbox.aifix_in("work", &["audit", "list", "--git"]).exits(0).out;
    assert!(told.contains("Policy memory_limit_lowered_in_payments"), "{told}");
    let ran = sandbox.aifix_in("work", &["status", id]).exits(2);
    assert!(ran.err.contains("is of a policy"), "{}", ran.err);
    assert_eq!(sandbox.aifix_in("work", &["status"]).exits(0).out, "No fix was pushed.\n");
    let again = sandbox.aifix_in("work", &["policy", "suggest", "--push", "--yes"]).exits(0);
    assert!(again.err.contains("is open at"), "{}", again.err);
}
