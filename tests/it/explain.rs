//! `explain` and `doctor`: what a person reads at three in the morning.

use crate::harness::{Sandbox, recorded};
use serde_json::Value;
use std::path::Path;

const POD: &str = "web-6b46dcddd9-lt8jr";

#[test]
fn a_pod_is_explained_from_cause_to_symptom() {
    let from = recorded("oom-killed");
    let out = Sandbox::new().aifix(&["explain", "pod", POD, "--from", &from]).exits(0).out;
    for part in [
        "critical  Deployment/web in cat-oom-killed  oom-killed",
        "What it means",
        "From cause to symptom",
        "Evidence",
        " 1. status: terminated: OOMKilled (exit 137)",
        "What changed",
        "no earlier revision is known",
        "Where it comes from",
        "by rule: Raise the memory limit of container app to 64Mi",
        "kubectl logs -n cat-oom-killed web-6b46dcddd9-lt8jr -c app --previous",
    ] {
        assert!(out.contains(part), "{part:?}:\n{out}");
    }
}

#[test]
fn a_log_is_offered_only_where_a_container_has_run() {
    for (recording, has_log) in [("oom-killed", true), ("image-not-found", false), ("configmap-missing", false)] {
        let out = Sandbox::new().aifix(&["explain", "--from", &recorded(recording)]).exits(0).out;
        assert!(out.contains("kubectl describe pod"), "{recording}:\n{out}");
        assert_eq!(out.contains("kubectl logs"), has_log, "{recording}:\n{out}");
    }
}

#[test]
fn what_changed_names_the_field_and_both_values() {
    let from = recorded("rollout-stalled");
    let out = Sandbox::new().aifix(&["explain", "--from", &from]).exits(0).out;
    assert!(out.contains("revision 2 against 1 (which has ready pods)"), "{out}");
    assert!(
        out.contains("- spec.template.spec.containers[app].image: \"lab/web:1\" -> \"localhost:5055/app/web:9.9\""),
        "{out}"
    );
}

#[test]
fn what_changed_names_who_wrote_which_keys_of_a_config_map() {
    let read = |case: &str| -> Value {
        let text = std::fs::read_to_string(Path::new(&recorded(case)).join("objects.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let find = |list: &Value, kind: &str| list["items"].as_array().unwrap().iter().position(|one| one["kind"] == kind);
    let (mut list, crash) = (read("config-changed-not-reloaded"), read("crash-app-error.exit-2"));
    let pod = find(&list, "Pod").unwrap();
    list["items"][pod]["status"] = crash["items"][find(&crash, "Pod").unwrap()]["status"].clone();
    let sandbox = Sandbox::new();
    let file = sandbox.write("crash.json", &list.to_string());
    let words = ["explain", "deploy/web", "--from", file.to_str().unwrap(), "--at", "2026-11-22T16:53:00Z"];
    let out = sandbox.aifix(&words).exits(0).out;
    let (_, below) = out.split_once("What changed\n").unwrap_or_else(|| panic!("{out}"));
    let (section, _) = below.split_once("\n\n").unwrap_or((below, ""));
    assert!(section.starts_with("  no earlier revision is known\n"), "{section}");
    let wrote = "  - key MODE of ConfigMap app-config was written by kubectl-patch; its old value is only in Git [";
    assert!(section.contains(wrote), "{section}");
}

#[test]
fn a_healthy_object_says_so_and_shows_what_was_looked_at() {
    let from = recorded("trap-old-restart");
    let out = Sandbox::new().aifix(&["explain", "deploy/web", "--from", &from]).exits(0).out;
    for part in [": healthy", "pods      1 of 1 ready", "restarts  1, the last", "rollout   complete"] {
        assert!(out.contains(part), "{part:?}:\n{out}");
    }
}

#[test]
fn an_object_that_is_not_there_is_a_usage_error() {
    let from = recorded("oom-killed");
    let ran = Sandbox::new().aifix(&["explain", "pod", "nobody", "--from", &from]).exits(2);
    assert!(ran.err.contains("Pod/nobody was not seen") && ran.err.contains("Deployment/web"), "{}", ran.err);
}

#[test]
fn an_explanation_is_a_document_too() {
    let from = recorded("oom-killed");
    let report = Sandbox::new().aifix(&["explain", "deploy/web", "--from", &from, "-o", "json"]).exits(0).json();
    assert_eq!((report["kind"].as_str(), report["failing"].as_bool()), (Some("Explanation"), Some(true)));
    assert_eq!(report["roots"][0]["code"], "oom-killed");
}

#[test]
fn a_hostile_name_and_log_can_not_move_the_cursor() {
    let sandbox = Sandbox::new();
    let text = std::fs::read_to_string(Path::new(&recorded("crash-app-error.exit-2")).join("objects.json")).unwrap();
    let hostile = text.replace("web-", "w\\u001b[2J\\u202eb-");
    sandbox.write("hostile/objects.json", &hostile);
    sandbox.write("hostile/taken-at", "2026-11-22T16:50:00Z\n");
    for args in [&["scan", "--all", "--from", "hostile"][..], &["explain", "--from", "hostile"]] {
        let ran = sandbox.aifix(args);
        assert!(!ran.out.contains('\u{1b}') && !ran.out.contains('\u{202e}'), "{:?}", ran.out);
        assert!(ran.out.contains("\\e[2J"), "{}", ran.out);
    }
}

#[test]
fn the_doctor_names_what_is_missing_and_what_to_type() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", "kind: x\n")]);
    let ran = sandbox.aifix_in("work", &["doctor"]).exits(2);
    for part in [
        "broken   cluster",
        "--kubeconfig FILE",
        "works    git",
        "(not contacted), branch main",
        "works    policies  42 built in",
        "none yet in",
    ] {
        assert!(ran.out.contains(part), "{part:?}:\n{}", ran.out);
    }
    assert!(!sandbox.path("state").exists());
    let report = sandbox.aifix_in("work", &["doctor", "-o", "json"]).exits(2).json();
    assert_eq!(report["checkups"][0]["state"], "broken");
}

#[test]
fn the_doctor_ends_as_a_scan_would_when_the_cluster_does_not_answer() {
    let mut sandbox = Sandbox::new();
    sandbox.use_kubeconfig(
        "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\ncurrent-context: c\n",
    );
    let ran = sandbox.aifix(&["doctor"]).exits(3);
    assert!(ran.out.contains("broken   cluster"), "{}", ran.out);
}

#[test]
fn the_doctor_sees_that_records_can_not_be_kept() {
    let sandbox = Sandbox::new();
    let doctor = |folder: &str| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
        command.env("AIFIX_STATE_DIR", folder).current_dir(sandbox.path("")).arg("doctor");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let file = sandbox.write("file", "");
    let out = doctor(file.join("state").to_str().unwrap());
    assert!(out.contains("broken   records") && out.contains("hint: set AIFIX_STATE_DIR"), "{out}");
    let out = doctor("rel");
    assert!(out.contains("AIFIX_STATE_DIR is `rel`") && !sandbox.path("rel").exists(), "{out}");
}
