//! Help, wrong words, broken kubeconfigs, pipes: exactly what a user sees.

use crate::api_server::{Act, ApiServer};
use crate::harness::{Sandbox, recorded};
use std::io::Read;
use std::process::Stdio;

#[test]
fn help_names_every_command_and_every_exit_code() {
    let help = Sandbox::new().aifix(&["--help"]).exits(0).out;
    for word in ["scan", "propose", "codes", "snapshot", "audit", "Exit codes:", "  7  declined", "130  interrupted"] {
        assert!(help.contains(word), "{word:?}:\n{help}");
    }
    for command in ["scan", "propose", "codes", "snapshot", "audit"] {
        let help = Sandbox::new().aifix(&[command, "--help"]).exits(0).out;
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
}

#[test]
fn help_needs_no_home_and_no_files() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    let output = command.env_clear().arg("--help").output().unwrap();
    assert!(output.status.success());
}

#[test]
fn a_wrong_flag_and_a_wrong_command_are_usage_errors_with_the_nearest() {
    let sandbox = Sandbox::new();
    let ran = sandbox.aifix(&["scan", "--namspace", "x"]).exits(2);
    assert!(ran.err.contains("--namespace") && ran.out.is_empty(), "{}", ran.err);
    let ran = sandbox.aifix(&["scna"]).exits(2);
    assert!(ran.err.contains("scan"), "{}", ran.err);
    let ran = sandbox.aifix(&["scan", "--request-timeout", "1h"]).exits(2);
    assert!(ran.err.contains("use ms, s or m"), "{}", ran.err);
}

#[test]
fn a_typo_in_a_code_is_told_the_right_one() {
    let ran = Sandbox::new().aifix(&["codes", "oom-kiled"]).exits(2);
    insta::assert_snapshot!(ran.err, @r"
    error: there is no code `oom-kiled`
      hint: did you mean `aifix codes oom-killed`?
    ");
}

#[test]
fn a_code_is_explained() {
    let out = Sandbox::new().aifix(&["codes", "oom-killed"]).exits(0).out;
    for part in ["oom-killed:", "Meaning", "Signals", "Causes", "Fix (by rule)"] {
        assert!(out.contains(part), "{out}");
    }
    let list = Sandbox::new().aifix(&["codes", "-o", "json"]).exits(0).json();
    assert_eq!(list["kind"], "CodeList");
    assert!(list["codes"].as_array().unwrap().len() >= 9);
}

#[test]
fn without_a_kubeconfig_the_next_step_is_named() {
    let ran = Sandbox::new().aifix(&["scan"]).exits(2);
    assert!(ran.err.contains("kubeconfig") && ran.err.contains("hint:"), "{}", ran.err);
}

#[test]
fn a_broken_kubeconfig_is_named_by_line_and_its_token_is_not_printed() {
    let mut sandbox = Sandbox::new();
    sandbox.use_kubeconfig(
        "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    token: SECRET-TOKEN-abcdef\n  bad: [\n",
    );
    let ran = sandbox.aifix(&["scan"]).exits(2);
    assert!(!ran.err.contains("SECRET") && ran.err.contains("line"), "{}", ran.err);
}

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: u, user: {token: SECRET-TOKEN-abcdef}}]
contexts: [{name: prod, context: {cluster: c, user: u}}]
current-context: prod
";

#[test]
fn an_unknown_context_is_told_the_nearest() {
    let mut sandbox = Sandbox::new();
    sandbox.use_kubeconfig(KUBECONFIG);
    let ran = sandbox.aifix(&["scan", "--context", "prd"]).exits(2);
    assert!(ran.err.contains("prod"), "{}", ran.err);
}

#[test]
fn a_cluster_that_does_not_answer_is_unreachable() {
    let mut sandbox = Sandbox::new();
    sandbox.use_kubeconfig(KUBECONFIG);
    let ran = sandbox.aifix(&["scan"]).exits(3);
    assert!(ran.err.contains("127.0.0.1:1") && !ran.err.contains("SECRET"), "{}", ran.err);
    assert!(ran.out.is_empty());
}

#[test]
fn a_closed_pipe_is_success() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.args(["codes", "-o", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn a_scan_of_a_recording_answers_in_its_first_line() {
    let from = recorded("oom-killed");
    let ran = Sandbox::new().aifix(&["scan", "--from", &from]).exits(1);
    let first = ran.out.lines().next().unwrap();
    assert!(first.contains("1 root cause; 1 of 1 workload fails"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'), "a pipe gets no colour");
    let report = Sandbox::new().aifix(&["scan", "--from", &from, "-o", "json"]).exits(1).json();
    assert_eq!(report["kind"], "ScanReport");
    assert_eq!(report["findings"][0]["code"], "oom-killed");
    assert_eq!(report["findings"][0]["object"]["name"], "web");
    assert_eq!(report["contexts"][0]["summary"]["failing"], 1);
}

#[test]
fn a_healthy_recording_is_one_line() {
    let from = recorded("trap-old-restart");
    let ran = Sandbox::new().aifix(&["scan", "--from", &from]).exits(0);
    assert!(ran.out.contains("healthy") && ran.out.lines().count() <= 3, "{}", ran.out);
}

#[test]
fn a_snapshot_of_a_recording_is_read_back_with_the_same_answer() {
    let sandbox = Sandbox::new();
    let from = recorded("oom-killed");
    let file = sandbox.path("snapshot.json");
    sandbox.aifix(&["snapshot", "--from", &from, "--file", file.to_str().unwrap()]).exits(0);
    let answer = |from: &str| {
        let mut report = sandbox.aifix(&["scan", "--from", from, "-o", "json"]).exits(1).json();
        report["contexts"][0]["name"].take();
        report["findings"][0]["context"].take();
        report
    };
    assert_eq!(answer(file.to_str().unwrap()), answer(&from));
}

#[test]
fn colour_obeys_the_environment_and_the_flag() {
    let sandbox = Sandbox::new();
    let from = recorded("oom-killed");
    let coloured = |name: &str, value: &str, args: &[&str]| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
        let output = command.env(name, value).args(["scan", "--from", &from]).args(args).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!coloured("X", "1", &[]));
    assert!(coloured("CLICOLOR_FORCE", "1", &[]));
    assert!(coloured("X", "1", &["--color", "always"]));
    assert!(!coloured("NO_COLOR", "1", &[]));
    assert!(!coloured("CLICOLOR_FORCE", "1", &["--color", "never"]));
}

#[test]
fn a_missing_or_broken_recording_is_named() {
    let sandbox = Sandbox::new();
    let ran = sandbox.aifix(&["scan", "--from", "nowhere.json"]).exits(2);
    assert!(ran.err.contains("nowhere.json"), "{}", ran.err);
    sandbox.write("cut.json", "{\"kind\": \"List\", \"items\": [{\"kind\": \"Pod\"");
    let ran = sandbox.aifix(&["scan", "--from", "cut.json"]).exits(2);
    assert!(ran.err.contains("cut.json"), "{}", ran.err);
}

#[test]
fn audit_without_records_says_so_and_makes_nothing() {
    let sandbox = Sandbox::new();
    let ran = sandbox.aifix(&["audit", "list"]).exits(0);
    assert!(ran.out.contains("No records in"), "{}", ran.out);
    assert!(!sandbox.path("state").exists());
    let ran = sandbox.aifix(&["audit", "show", "abc"]).exits(2);
    assert!(ran.err.contains("abc"), "{}", ran.err);
}

#[test]
fn a_gap_beside_the_point_counts_only_when_it_is_asked_to() {
    let list =
        |file: &str| std::fs::read_to_string(std::path::Path::new(&recorded(file)).join("objects.json")).unwrap();
    let list: serde_json::Value = serde_json::from_str(&list("oom-killed")).unwrap();
    let quiet = list["items"].as_array().unwrap().iter().filter(|one| one["kind"] == "Namespace").cloned().collect();
    let server = ApiServer::start(quiet, "", 500);
    server.always("/services?", Act::Fail(403, "", "no"));
    let sandbox = crate::live::sandbox(&server);
    let report = sandbox.aifix(&["scan", "-A", "-o", "json"]).exits(0).json();
    let gaps = report["contexts"][0]["gaps"].as_array().unwrap();
    assert!(gaps.len() == 1 && gaps[0]["essential"] == false, "{gaps:?}");
    let ran = sandbox.aifix(&["scan", "-A", "--strict"]).exits(6);
    assert!(ran.out.contains("Not looked at\n  services in all namespaces"), "{}", ran.out);
    // Where all was looked at it asks for nothing more.
    let whole = ApiServer::start(server.objects_without("Pod"), "", 500);
    crate::live::sandbox(&whole).aifix(&["scan", "-A", "--strict"]).exits(0);
    // What fails goes first.
    let failing = ApiServer::recorded("oom-killed");
    failing.always("/services?", Act::Fail(403, "", "no"));
    crate::live::sandbox(&failing).aifix(&["scan", "-A", "--strict"]).exits(1);
}

/// The lines of effects of the one root of a text.
fn effects(out: &str) -> (Vec<&str>, Option<&str>) {
    let lines: Vec<&str> = out.lines().collect();
    let first = lines.iter().position(|line| line.starts_with("  effects   ")).unwrap_or_else(|| panic!("{out}"));
    let all: Vec<&str> =
        lines[first..].iter().take_while(|line| !line.starts_with("  fix ")).map(|l| l.trim()).collect();
    let more = all.iter().position(|line| line.starts_with("and "));
    (all[..more.unwrap_or(all.len())].to_vec(), more.map(|at| all[at]))
}

#[test]
fn ten_effects_are_folded_under_their_root_and_all_unfolds_them() {
    let sandbox = Sandbox::new();
    let from = std::path::PathBuf::from(recorded("quota-exceeded"));
    crate::grown::grow(&from, &sandbox.path("grown"), 9);
    // Ten Deployments, each of which tells nothing but the refusal.
    let objects = sandbox.path("grown/objects.json");
    let mut list: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&objects).unwrap()).unwrap();
    for object in list["items"].as_array_mut().unwrap().iter_mut().filter(|object| object["kind"] == "Deployment") {
        object["status"]["conditions"].as_array_mut().unwrap().retain(|one| one["type"] == "ReplicaFailure");
    }
    std::fs::write(&objects, list.to_string()).unwrap();
    let scan = |words: &[&str]| sandbox.aifix(&[&["scan", "-A", "--from", "grown"], words].concat()).exits(1);
    let report = scan(&["-o", "json"]).json();
    let roots = report["findings"].as_array().unwrap();
    assert_eq!((roots.len(), roots[0]["effects"].as_array().unwrap().len()), (1, 10), "{report:#}");
    let few = scan(&[]).out;
    let (shown, more) = effects(&few);
    assert_eq!((shown.len(), more), (4, Some("and 6 more effects: aifix scan --all")), "{few}");
    let all = scan(&["--all"]).out;
    let (shown, more) = effects(&all);
    assert_eq!((shown.len(), more), (10, None), "{all}");
    assert!((0..9).all(|n| shown.iter().any(|line| line.contains(&format!("Deployment/shop-{n}: ")))), "{all}");
}
