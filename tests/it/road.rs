//! The road from a recorded failure to a pushed branch, and every way it can end.

use crate::harness::{Ran, Sandbox, oom_manifest, recorded};
use rexpect::session::{PtySession, spawn_command};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const OOM: &str = "oom-killed";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest()), ("README.md", "x\n")]);
    sandbox
}

fn propose(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let from = recorded(OOM);
    let mut args = vec!["propose", "deployment/web", "--from", &from];
    args.extend(more);
    sandbox.aifix_in("work", &args)
}

/// Names and bytes of every file below a folder; what aifix may add is left out.
pub(crate) fn bytes(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_path_buf();
            let added = [
                ".git/objects",
                ".git/refs/aifix",
                ".git/refs/remotes/origin/aifix",
                ".git/logs/refs/remotes/origin/aifix",
            ];
            if added.iter().any(|above| name.to_string_lossy().starts_with(above)) {
                continue;
            }
            if path.is_symlink() {
                found.insert(name, fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes());
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn remote_branches(sandbox: &Sandbox) -> Vec<String> {
    let out = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    out.lines().map(str::to_owned).collect()
}

#[test]
fn without_push_everything_is_shown_and_nothing_is_written() {
    let sandbox = sandbox();
    let before = bytes(&sandbox.path("work"));
    let ran = propose(&sandbox, &[]).exits(0);
    assert_eq!(bytes(&sandbox.path("work")), before);
    assert_eq!(remote_branches(&sandbox), ["main"]);
    assert!(!sandbox.path("state").exists());
    for part in [
        "oom-killed",
        "killed at its memory limit of 32Mi",
        "-            memory: 32Mi   # small nodes",
        "+            memory: 64Mi   # small nodes",
        "\"32Mi\" -> \"64Mi\"",
        "k8s of",
        "Nothing was written. Next: aifix propose deployment/web --from",
        "--push",
    ] {
        assert!(ran.out.contains(part), "{part:?} is not in:\n{}", ran.out);
    }
}

#[test]
fn a_push_lands_one_commit_with_one_changed_line_and_a_record() {
    let sandbox = sandbox();
    let before = bytes(&sandbox.path("work"));
    let ran = propose(&sandbox, &["--push", "--yes=review"]).exits(0);
    assert_eq!(bytes(&sandbox.path("work")), before, "the user's repository stays byte-identical");
    let branches = remote_branches(&sandbox);
    let [branch, main] = branches.as_slice() else { panic!("{branches:?}") };
    assert_eq!(main, "main");
    assert!(branch.starts_with("aifix/cat-oom-killed/deployment-web/oom-killed-"), "{branch}");
    assert!(ran.out.contains(branch.as_str()), "{}", ran.out);
    let stat = sandbox.git("remote.git", &["diff", "--numstat", "main", branch]);
    assert_eq!(stat, "1\t1\tk8s/web.yaml");
    let file = sandbox.git("remote.git", &["show", &format!("{branch}:k8s/web.yaml")]);
    assert_eq!(file.trim_end(), oom_manifest().replace("32Mi", "64Mi").trim_end());

    let message = sandbox.git("remote.git", &["log", "-1", "--format=%B", branch]);
    let subject = message.lines().next().unwrap();
    assert!(
        subject.len() <= 72 && subject.starts_with("Deployment cat-oom-killed/web: raise the memory limit"),
        "{subject}"
    );
    let trailers = sandbox.git("remote.git", &["log", "-1", "--format=%(trailers:only,unfold)", branch]);
    assert!(
        trailers.contains("Aifix-Object: Deployment cat-oom-killed/web")
            && trailers.contains("Aifix-Finding: oom-killed"),
        "{trailers}"
    );
    let hash = trailers.lines().find_map(|line| line.strip_prefix("Aifix-Record: ")).unwrap();

    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    let record = list["items"][0]["metadata"]["name"].as_str().unwrap();
    assert_eq!(list["items"][0]["status"]["phase"], "pushed");
    let shown = sandbox.aifix(&["audit", "show", record, "-o", "json"]).exits(0).json();
    assert_eq!(shown["status"]["entries"][0]["hash"], hash, "the trailer is the hash of the entry `proposed`");
    assert_eq!(shown["status"]["commit"], sandbox.git("remote.git", &["rev-parse", branch]).as_str());
    let objects = &shown["spec"]["proposedFix"]["objects"];
    let limit =
        |side: &str| &objects[0][side]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"];
    assert_eq!(*limit("before"), "32Mi", "{objects:#}");
    assert_eq!(*limit("after"), "64Mi", "{objects:#}");
    let told = sandbox.aifix(&["audit", "show", record]).exits(0).out;
    assert!(told.starts_with("pushed  Deployment cat-oom-killed/web  oom-killed\n"), "{told}");
    for part in [
        branch.as_str(),
        "+            memory: 64Mi",
        "whole     Deployment cat-oom-killed/web, before and after",
        "asked: allowed",
        "containers[app].resources.limits.memory",
        hash,
    ] {
        assert!(told.contains(part), "{part:?}: {told}");
    }
    assert!(told.lines().count() < 60, "{told}");
    sandbox.aifix(&["audit", "verify"]).exits(0);
}

#[test]
fn a_second_run_finds_the_open_branch_and_makes_no_other() {
    let sandbox = sandbox();
    propose(&sandbox, &["--push", "--yes=review"]).exits(0);
    let branches = remote_branches(&sandbox);
    let ran = propose(&sandbox, &["--push", "--yes=review"]).exits(4);
    assert!(
        ran.out.contains("already-proposed") && ran.out.contains("is open for Deployment cat-oom-killed/web"),
        "{}",
        ran.out
    );
    assert_eq!(remote_branches(&sandbox), branches);
}

#[test]
fn after_the_merge_the_next_run_says_fixed_but_not_deployed() {
    let sandbox = sandbox();
    propose(&sandbox, &["--push", "--yes=review"]).exits(0);
    let branch = remote_branches(&sandbox).remove(0);
    sandbox.git("remote.git", &["update-ref", "refs/heads/main", &branch]);
    let ran = propose(&sandbox, &[]).exits(4);
    assert!(ran.out.contains("already-fixed"), "{}", ran.out);
}

#[test]
fn the_patch_applies_and_the_json_says_the_same() {
    let sandbox = sandbox();
    let patch = propose(&sandbox, &["-o", "patch"]).exits(0);
    sandbox.write("fix.patch", &patch.out);
    sandbox.git("work", &["apply", sandbox.path("fix.patch").to_str().unwrap()]);
    assert_eq!(fs::read_to_string(sandbox.path("work/k8s/web.yaml")).unwrap(), oom_manifest().replace("32Mi", "64Mi"));
    sandbox.git("work", &["checkout", "-q", "."]);
    let report = propose(&sandbox, &["-o", "json"]).exits(0).json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["diff"], patch.out.as_str());
    assert_eq!(report["apiVersion"], "aifix.dev/v1alpha1");
    assert_eq!(report["kind"], "ProposalReport");
    assert_eq!(proposal["edits"][0]["file"], "k8s/web.yaml");
    assert_eq!(proposal["intent"]["edits"][0]["new"], "64Mi");
    assert_eq!(proposal["pushed"], false);
    let head = sandbox.git("work", &["rev-parse", "--short=7", "HEAD"]);
    let blame = format!("`k8s/web.yaml` has this value since {head} \"Add manifests\" by Ada, 2026-11-22");
    let trail = proposal["origin"]["trail"].as_array().unwrap();
    assert!(trail.iter().any(|signal| signal["signal"] == "blame" && signal["value"] == blame.as_str()), "{trail:?}");
}

#[test]
fn without_a_terminal_nobody_is_asked_and_nothing_is_pushed() {
    let sandbox = sandbox();
    let ran = propose(&sandbox, &["--push"]).exits(7);
    assert!(ran.err.contains("not a terminal") && ran.err.contains("--yes"), "{}", ran.err);
    assert_eq!(remote_branches(&sandbox), ["main"]);
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).json();
    assert_eq!(list["items"][0]["status"]["phase"], "declined");
}

#[test]
fn yes_alone_does_not_answer_for_what_a_person_should_look_at() {
    let sandbox = sandbox();
    let ran = propose(&sandbox, &["--push", "--yes"]).exits(7);
    assert!(ran.err.contains("--yes=review"), "{}", ran.err);
    assert_eq!(remote_branches(&sandbox), ["main"]);
}

fn on_a_terminal(sandbox: &Sandbox) -> PtySession {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.args(["propose", "deployment/web", "--push", "--from", &recorded(OOM)]).current_dir(sandbox.path("work"));
    command.env("TERM", "xterm").stdin(std::process::Stdio::inherit());
    let mut session = spawn_command(command, Some(30_000)).unwrap();
    session.exp_string("[y/N]").unwrap();
    session
}

pub(crate) fn exit_code(session: &PtySession) -> i32 {
    match session.process().wait().unwrap() {
        rexpect::process::WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_yes_on_the_terminal_pushes() {
    let sandbox = sandbox();
    let mut session = on_a_terminal(&sandbox);
    session.send_line("y").unwrap();
    session.exp_string("pushed").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(exit_code(&session), 0);
    assert_eq!(remote_branches(&sandbox).len(), 2);
}

#[test]
fn no_enter_escape_and_control_keys_all_mean_no() {
    for keys in ["n\r", "\r", "\u{1b}", "\u{3}", "\u{4}", "yex\r"] {
        let sandbox = sandbox();
        let mut session = on_a_terminal(&sandbox);
        session.send(keys).unwrap();
        session.flush().unwrap();
        let rest = session.exp_eof().unwrap();
        assert_eq!(exit_code(&session), 7, "{keys:?}: {rest}");
        assert_eq!(remote_branches(&sandbox), ["main"], "{keys:?}");
        let list = sandbox.aifix(&["audit", "list", "-o", "json"]).json();
        assert_eq!(list["items"][0]["status"]["phase"], "declined", "{keys:?}");
    }
}

#[test]
fn a_remote_that_rejects_is_quoted_and_the_record_says_failed() {
    let sandbox = sandbox();
    let hook = sandbox
        .write("remote.git/hooks/pre-receive", "#!/bin/sh\necho 'branch names need a ticket \u{1b}[2J' >&2\nexit 1\n");
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = propose(&sandbox, &["--push", "--yes=review"]).exits(4);
    assert!(ran.err.contains("branch names need a ticket") && !ran.err.contains('\u{1b}'), "{}", ran.err);
    assert_eq!(remote_branches(&sandbox), ["main"]);
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).json();
    assert_eq!(list["items"][0]["status"]["phase"], "failed");
}

#[test]
fn no_record_no_push() {
    let sandbox = sandbox();
    // A file stands where the folder of the records should be.
    sandbox.write("state", "x");
    let ran = propose(&sandbox, &["--push", "--yes=review"]).exits(2);
    assert!(ran.err.contains("state"), "{}", ran.err);
    assert_eq!(remote_branches(&sandbox), ["main"]);
}

#[test]
fn outside_of_a_repository_and_without_a_remote_the_way_out_is_named() {
    let sandbox = Sandbox::new();
    let from = recorded(OOM);
    let ran = sandbox.aifix(&["propose", "--from", &from]).exits(2);
    assert!(ran.err.contains("hint:") && ran.err.contains("--repo"), "{}", ran.err);
    sandbox.git("", &["init", "-q", "lonely"]);
    let ran = sandbox.aifix_in("lonely", &["propose", "--from", &from]).exits(2);
    assert!(ran.err.contains("remote"), "{}", ran.err);
}

#[test]
fn a_remote_that_does_not_answer_is_unreachable_and_one_that_is_not_there_is_a_wrong_address() {
    let sandbox = sandbox();
    sandbox.git("work", &["remote", "set-url", "origin", "http://ada:hunter2@127.0.0.1:1/x.git"]);
    let ran = propose(&sandbox, &[]).exits(3);
    assert!(ran.err.contains("hint:") && !ran.err.contains("hunter2"), "{}", ran.err);
    sandbox.git("work", &["remote", "set-url", "origin", "/nowhere.git"]);
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains("git remote get-url origin"), "{}", ran.err);
}

#[test]
fn a_manifest_that_is_not_what_runs_is_not_edited() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest().replace("busybox:1.36", "busybox:1.35"))]);
    let ran = propose(&sandbox, &[]).exits(4);
    assert!(ran.out.contains("not-explained") && ran.out.contains("image"), "{}", ran.out);
}

#[test]
fn an_unknown_object_is_a_usage_error_that_lists_what_fails() {
    let sandbox = sandbox();
    let from = recorded(OOM);
    let ran = sandbox.aifix_in("work", &["propose", "deployment/wbe", "--from", &from]).exits(2);
    assert!(ran.err.contains("did you mean Deployment/web?"), "{}", ran.err);
    let ran = sandbox.aifix_in("work", &["propose", "statefulset.apps/database", "--from", &from]).exits(2);
    assert!(ran.err.contains("failing here: Deployment/web"), "{}", ran.err);
}

#[test]
fn every_fixable_root_gets_a_branch_of_its_own() {
    let sandbox = sandbox();
    let from = recorded(OOM);
    let ran = sandbox
        .aifix_in("work", &["propose", "--all", "--push", "--yes=review", "--from", &from, "-o", "json"])
        .exits(0);
    assert_eq!(ran.json()["proposals"].as_array().unwrap().len(), 1);
    assert_eq!(remote_branches(&sandbox).len(), 2);
}

/// One file with the objects of two recordings: two root causes that a rule fixes.
fn two_roots(sandbox: &Sandbox) -> String {
    let mut items = Vec::new();
    for name in [OOM, "service-selector-mismatch"] {
        let text = fs::read_to_string(Path::new(&recorded(name)).join("objects.json")).unwrap();
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        items.extend(list["items"].as_array().unwrap().clone());
    }
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items});
    sandbox.write("two.json", &list.to_string()).to_str().unwrap().to_owned()
}

#[test]
fn several_roots_and_nobody_to_ask_is_a_usage_error_that_lists_them() {
    let sandbox = sandbox();
    let from = two_roots(&sandbox);
    let at = "2026-11-22T16:51:27Z";
    let ran = sandbox.aifix_in("work", &["propose", "--from", &from, "--at", at]).exits(2);
    for part in [
        "2 root causes could be meant",
        "Deployment/web  oom-killed",
        "Service/web  service-selector-mismatch",
        "--all",
    ] {
        assert!(ran.err.contains(part), "{part:?}: {}", ran.err);
    }
    let ran = sandbox.aifix_in("work", &["propose", "--from", &from, "--at", at, "--all", "-o", "json"]).exits(0);
    let report = ran.json();
    assert_eq!(report["proposals"].as_array().unwrap().len(), 2, "{report:#}");
    let ran = sandbox
        .aifix_in("work", &["propose", "--from", &from, "--at", at, "--all", "--max", "1", "-o", "json"])
        .exits(0);
    assert_eq!(ran.json()["proposals"].as_array().unwrap().len(), 1);
}

#[test]
fn a_changed_record_does_not_verify() {
    let sandbox = sandbox();
    propose(&sandbox, &["--push", "--yes=review"]).exits(0);
    sandbox.aifix(&["audit", "verify"]).exits(0);
    let state = sandbox.path("state");
    let store = fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "db" || e == "sqlite"));
    let store = store.unwrap_or_else(|| panic!("no store in {}", state.display()));
    let mut content = fs::read(&store).unwrap();
    let at = content.windows(10).position(|window| window == b"oom-killed").unwrap();
    content[at] = b'O';
    fs::write(&store, content).unwrap();
    let ran = sandbox.aifix(&["audit", "verify"]).exits(5);
    assert!(ran.err.contains("do not hold") && ran.err.contains("hint:"), "{}", ran.err);
}

/// Starts a push that stands still in the remote's hook, sends it a signal, and answers its exit code.
pub(crate) fn signal_during_push(sandbox: &Sandbox, signal: &str) -> i32 {
    let hook = sandbox.write("remote.git/hooks/pre-receive", "#!/bin/sh\ntouch started\nsleep 20\n");
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command
        .args(["propose", "deployment/web", "--push", "--yes=review", "--from", &recorded(OOM)])
        .current_dir(sandbox.path("work"));
    let mut child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !sandbox.path("remote.git/started").exists() {
        assert!(std::time::Instant::now() < deadline, "waited for the remote's hook to start");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let killed = sandbox.command("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    child.wait().unwrap().code().unwrap_or(-1)
}

#[test]
fn a_signal_during_the_push_leaves_nothing_half_done_and_the_next_run_pushes() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let sandbox = sandbox();
        let before = bytes(&sandbox.path("work"));
        assert_eq!(signal_during_push(&sandbox, signal), code);
        assert_eq!(remote_branches(&sandbox), ["main"], "{signal}");
        assert_eq!(bytes(&sandbox.path("work")), before, "{signal}");
        sandbox.aifix(&["audit", "verify"]).exits(0);
        fs::remove_file(sandbox.path("remote.git/hooks/pre-receive")).unwrap();
        propose(&sandbox, &["--push", "--yes=review"]).exits(0);
        assert_eq!(remote_branches(&sandbox).len(), 2, "{signal}");
    }
}

#[test]
fn a_killed_process_leaves_a_chain_that_holds_and_no_branch() {
    let sandbox = sandbox();
    signal_during_push(&sandbox, "-KILL");
    assert_eq!(
        remote_branches(&sandbox).len() % 2,
        1,
        "the branch is whole or absent, and here its hook had not answered"
    );
    sandbox.aifix(&["audit", "verify"]).exits(0);
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).json();
    assert_eq!(list["items"][0]["status"]["phase"], "proposed");
}

const OVERLAY: &str = "resources:\n- ../../base\n";

#[test]
fn without_a_renderer_the_way_to_get_one_is_named() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[
        ("base/web.yaml", &oom_manifest()),
        ("base/kustomization.yaml", "resources:\n- web.yaml\n"),
        ("overlays/prod/kustomization.yaml", OVERLAY),
    ]);
    let bin = sandbox.path("bin");
    fs::create_dir(&bin).unwrap();
    let git = sandbox.git("", &["--exec-path"]);
    std::os::unix::fs::symlink(Path::new(&git).join("git"), bin.join("git")).unwrap();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.env("PATH", &bin).args(["propose", "deployment/web", "--path", "overlays/prod", "--from", &recorded(OOM)]);
    let output = command.current_dir(sandbox.path("work")).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{out}{}", String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("tool-missing") && out.contains("kustomize"), "{out}");
}

#[test]
fn a_panic_is_a_bug_with_its_own_exit_code() {
    let ran = Sandbox::new().aifix(&["__panic"]).exits(70);
    assert!(ran.err.contains("bug") && ran.err.contains("please report"), "{}", ran.err);
    assert!(!ran.err.contains("RUST_BACKTRACE"), "{}", ran.err);
}

/// A Service whose pods a selector on labels does not name, beside another workload.
fn labelled(sandbox: &Sandbox) -> String {
    let mut items = Vec::new();
    for (name, tier) in [("web", "a"), ("webs", "b")] {
        let labels = serde_json::json!({"app": name, "tier": tier});
        let spec = serde_json::json!({"containers": [{"name": "c", "image": "x:1", "ports": [{"containerPort": 80}]}]});
        items.push(serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "n", "uid": name, "labels": labels, "generation": 1},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels": labels}, "spec": spec}},
            "status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}}));
        let owner = serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": name, "controller": true});
        items.push(serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("{name}-1"), "namespace": "n", "uid": format!("{name}-1"), "labels": labels, "ownerReferences": [owner]},
            "spec": spec, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}));
    }
    items
        .push(serde_json::json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "n"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}));
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items});
    sandbox.write("labelled.json", &list.to_string()).to_str().unwrap().to_owned()
}

#[test]
fn a_label_selector_narrows_the_answer_and_never_what_is_looked_at() {
    let sandbox = Sandbox::new();
    let from = labelled(&sandbox);
    let at = "2026-11-22T16:51:27Z";
    for selector in ["tier=b", "tier=a", "tier in (a,b)", "app!=x"] {
        let ran = sandbox.aifix(&["scan", "--from", &from, "--at", at, "-l", selector]);
        assert!(!ran.out.contains("service-selector-mismatch"), "{selector}: {}", ran.out);
    }
    let count = |selector: &str| {
        let report = sandbox.aifix(&["scan", "--from", &from, "--at", at, "-l", selector, "-o", "json"]).json();
        report["contexts"][0]["summary"]["workloads"].as_u64().unwrap()
    };
    assert_eq!((count("tier=b"), count("tier in (a,b)"), count("tier=z")), (1, 2, 0));
    let ran = sandbox.aifix(&["scan", "--from", &from, "-l", "a b"]).exits(2);
    assert!(ran.err.contains("is no label selector"), "{}", ran.err);
}

#[test]
fn a_fix_that_needs_a_person_does_not_hold_up_those_that_do_not() {
    let sandbox = Sandbox::new();
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: cat-service-selector-mismatch\nspec:\n  selector:\n    app: webb\n  ports:\n  - port: 80\n    targetPort: 8080\n";
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest()), ("svc/service.yaml", service)]);
    let from = two_roots(&sandbox);
    let args = ["propose", "--from", &from, "--at", "2026-11-22T16:51:27Z", "--all", "--push", "--yes", "-o", "json"];
    let ran = sandbox.aifix_in("work", &args).exits(0);
    let pushed: Vec<bool> = ran.json()["proposals"].as_array().unwrap().iter().map(|p| p["pushed"] == true).collect();
    assert_eq!(pushed.iter().filter(|pushed| **pushed).count(), 1, "{}", ran.out);
    assert!(ran.err.contains("needs a person's look"), "{}", ran.err);
    assert_eq!(remote_branches(&sandbox).len(), 2);
}

#[test]
fn a_change_given_in_a_file_is_never_safe_and_only_for_its_object() {
    let sandbox = sandbox();
    let step = |name: &str| serde_json::json!({"field": name});
    let path = ["spec", "template", "spec"]
        .map(step)
        .into_iter()
        .chain([step("containers"), serde_json::json!({"item": {"key": "name", "value": "app"}})])
        .chain(["resources", "limits", "memory"].map(step))
        .collect::<Vec<_>>();
    let intent = |name: &str| {
        serde_json::json!({
        "object": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "cat-oom-killed", "name": name},
        "edits": [{"path": path, "op": "set", "old": "32Mi", "new": "48Mi"}],
        "subject": "Raise it", "why": "because", "evidence": [1], "author": "model", "disposition": "safe"})
        .to_string()
    };
    let file = sandbox.write("intent.json", &intent("web"));
    let ran = propose(&sandbox, &["--intent", file.to_str().unwrap(), "--push", "--yes"]).exits(7);
    assert!(ran.out.contains("the change was given in a file"), "{}", ran.out);
    assert_eq!(remote_branches(&sandbox), ["main"]);
    let file = sandbox.write("intent.json", &intent("other"));
    let ran = propose(&sandbox, &["--intent", file.to_str().unwrap()]).exits(4);
    assert!(ran.out.contains("other-object"), "{}", ran.out);
}

#[test]
fn a_branch_may_be_named_but_not_as_the_base() {
    let sandbox = sandbox();
    propose(&sandbox, &["--push", "--yes=review", "--branch", "ops/cart-memory"]).exits(0);
    assert_eq!(remote_branches(&sandbox), ["main", "ops/cart-memory"]);
    let ran = propose(&sandbox, &["--branch", "main"]).exits(2);
    assert!(ran.err.contains("may not name the base branch"), "{}", ran.err);
}

#[test]
fn a_snapshot_replaces_no_device_and_follows_no_link() {
    let sandbox = Sandbox::new();
    let from = recorded(OOM);
    sandbox.write("precious", "x");
    std::os::unix::fs::symlink(sandbox.path("precious"), sandbox.path("link")).unwrap();
    for file in ["/dev/null", "link"] {
        let ran = sandbox.aifix(&["snapshot", "--from", &from, "--file", file]).exits(2);
        assert!(ran.err.contains("no regular file"), "{}", ran.err);
    }
    assert_eq!(fs::read_to_string(sandbox.path("precious")).unwrap(), "x");
    let ran = sandbox.aifix(&["snapshot", "--from", &from, "--file", "-"]).exits(0);
    assert!(ran.out.starts_with('{') && !sandbox.path("-").exists(), "{}", ran.out);
}
