//! Proposals of objects that a controller applies.

use crate::harness::{Ran, Sandbox, oom_manifest, recorded};
use crate::road::exit_code;
use rexpect::session::spawn_command;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

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

#[test]
fn a_clone_of_another_repository_is_refused_before_anything_is_fetched() {
    let sandbox = sandbox(URL, &json!({"branch": "prod"}));
    // No such host: a fetch would fail.
    sandbox.git("work", &["remote", "set-url", "origin", "https://git.invalid/acme/other.git"]);
    let refusal = propose(&sandbox, &["-o", "json"]).exits(4).json()["proposals"][0]["refusal"].clone();
    assert_eq!(refusal["code"], "repo-mismatch", "{refusal}");
    let ran = propose(&sandbox, &[]).exits(4);
    let command = "aifix propose --repo https://git.example.com/acme/shop.git";
    assert!(ran.out.contains(command) && ran.out.contains("git.invalid/acme/other"), "{}", ran.out);
    assert!(!format!("{}{}", ran.out, ran.err).contains("hunter2"), "{}", ran.out);
    // A person who names the folder has decided.
    let ran = propose(&sandbox, &["--path", "apps"]);
    assert!(!ran.out.contains("repo-mismatch") && ran.err.contains("git.invalid"), "{}{}", ran.out, ran.err);
}

const ADDRESS: &str = "https://git.example.com/acme/shop.git";

/// Proposes outside of any repository; what Git asks that host for comes from the sandbox's remote.
fn elsewhere(sandbox: &Sandbox) -> Command {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    let key = format!("url.file://{}.insteadOf", sandbox.path("remote.git").display());
    command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", key).env("GIT_CONFIG_VALUE_0", ADDRESS);
    command.args(["propose", "deployment/web", "--from"]).arg(sandbox.path("seen.json"));
    command.current_dir(sandbox.path("home"));
    command
}

/// What a person at a terminal types when a clone is offered, and whether it is a yes.
const ANSWERS: [(&str, bool); 6] =
    [("y\r", true), ("n\r", false), ("\r", false), ("\u{3}", false), ("\u{4}", false), ("\u{1b}", false)];

/// Asks at a terminal whether to clone, and answers.
fn answer(question: &str, declined: i32, more: &[&str]) {
    for (typed, is_yes) in ANSWERS {
        let sandbox = sandbox(URL, &json!({"branch": "prod"}));
        let mut command = elsewhere(&sandbox);
        command.args(more).env("TERM", "xterm").env("COLUMNS", "400").stdin(std::process::Stdio::inherit());
        let mut session = spawn_command(command, Some(30_000)).unwrap();
        let before = session.exp_string("[y/N]").unwrap();
        assert!(before.contains(question) && !before.contains("hunter2"), "{before}");
        assert!(!sandbox.path("home/.cache/aifix/repos").exists(), "nothing is cloned before the answer");
        session.send(typed).unwrap();
        session.flush().unwrap();
        let rest = session.exp_eof().unwrap();
        assert_eq!(exit_code(&session), if is_yes { 0 } else { declined }, "{typed:?}: {rest}");
        let clones = fs::read_dir(sandbox.path("home/.cache/aifix/repos")).map_or(0, Iterator::count);
        assert_eq!(clones, usize::from(is_yes), "{typed:?}: {rest}");
    }
}

#[test]
fn the_clone_of_a_named_address_is_asked_for_and_only_a_yes_clones() {
    answer(&format!("Clone {ADDRESS} into "), 7, &["--repo", ADDRESS]);
}

#[test]
fn the_clone_of_what_the_controller_reads_is_asked_for_and_only_a_yes_clones() {
    answer(&format!("This is no clone of {ADDRESS}, which Kustomization flux-system/apps reads."), 2, &[]);
}

#[test]
fn outside_of_a_repository_the_one_of_the_controller_is_named_and_its_clone_used() {
    let sandbox = sandbox(URL, &json!({"branch": "prod"}));
    let address = ADDRESS;
    let run = |more: &[&str]| Ran::of(&elsewhere(&sandbox).args(more).output().unwrap());
    let ran = run(&[]).exits(2);
    assert!(ran.err.contains(&format!("Kustomization flux-system/apps reads {address}")), "{}", ran.err);
    assert!(ran.err.contains(&format!("aifix propose --repo {address}")), "{}", ran.err);
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
    assert!(!sandbox.path("home/.cache").exists(), "nothing is cloned without a yes");
    run(&["--repo", address, "--push", "--yes=review"]).exits(0);
    sandbox.git("remote.git", &["update-ref", "-d", &format!("refs/heads/{}", pushed(&sandbox))]);
    let ran = run(&["-o", "patch"]).exits(0);
    assert!(ran.out.contains("+++ b/apps/web.yaml"), "{}", ran.out);
    assert!(ran.err.contains(&format!("Using the clone of {address}")), "{}", ran.err);
}

fn pushed(sandbox: &Sandbox) -> String {
    sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/aifix"])
}
