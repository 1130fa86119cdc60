//! `propose --choose N`: what facts do not decide, a person does.

use crate::harness::{Ran, Sandbox, recorded};
use rexpect::session::spawn_command;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: cat-image-not-found\nspec:\n  \
    replicas: 1\n  selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      \
    terminationGracePeriodSeconds: 2\n      containers:\n      - name: app\n        image: localhost:5055/app/web:9.9\n        \
    imagePullPolicy: IfNotPresent\n";

/// A tag that does not exist, and a node that has two others.
pub(crate) fn two_tags(sandbox: &Sandbox) -> String {
    sandbox.repository(&[("k8s/web.yaml", WEB)]);
    let from = Path::new(&recorded("image-not-found")).join("objects.json");
    let mut list: Value = serde_json::from_str(&fs::read_to_string(from).unwrap()).unwrap();
    let names = ["localhost:5055/app/web:1.0", "localhost:5055/app/web:2.0", "localhost:5055/app/other:3"];
    let images: Vec<Value> = names.iter().map(|name| json!({"names": [name]})).collect();
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "status": {"images": images}});
    list["items"].as_array_mut().unwrap().push(node);
    sandbox.write("choose.json", &list.to_string()).to_str().unwrap().to_owned()
}

fn propose(sandbox: &Sandbox, from: &str, more: &[&str]) -> Ran {
    let at = fs::read_to_string(Path::new(&recorded("image-not-found")).join("taken-at")).unwrap();
    let args = [&["propose", "deployment/web", "--from", from, "--at", at.trim()][..], more].concat();
    sandbox.aifix_in("work", &args)
}

#[test]
fn choices_are_numbered_and_the_chosen_one_is_proved_for_review() {
    let sandbox = Sandbox::new();
    let from = two_tags(&sandbox);
    let shown = propose(&sandbox, &from, &[]).exits(4).out;
    for part in ["needs-choice", " 1. Use image localhost:5055/app/web:1.0", " 2. Use image localhost:5055/app/web:2.0"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(shown.contains("--choose N") && !shown.contains("other:3"), "{shown}");

    let json = propose(&sandbox, &from, &["-o", "json"]).exits(4).json();
    let choices = json["proposals"][0]["refusal"]["choices"].as_array().unwrap().clone();
    assert_eq!(choices.len(), 2);
    assert_eq!(choices[1]["edits"][0]["new"], "localhost:5055/app/web:2.0");
    assert_eq!(choices[1]["edits"][0]["path"], "spec.template.spec.containers[app].image");

    let args = ["--choose", "2", "-o", "json", "--push", "--yes=review"];
    let proposed = propose(&sandbox, &from, &args).exits(0).json()["proposals"][0].clone();
    assert_eq!(proposed["disposition"], "review");
    assert_eq!(proposed["intent"]["author"], "rule");
    let review = proposed["intent"]["review"].to_string();
    assert!(review.contains("a person chose it: change 2 of 2"), "{review}");
    let branch = proposed["branch"].as_str().unwrap();
    let file = sandbox.git("remote.git", &["show", &format!("{branch}:k8s/web.yaml")]);
    assert_eq!(file.trim_end(), WEB.replace("web:9.9", "web:2.0").trim_end());
    let record = sandbox.aifix(&["audit", "show", proposed["record"].as_str().unwrap()]).exits(0).out;
    assert!(record.contains("a person chose it: change 2 of 2") && record.contains("--choose 2"), "{record}");
}

#[test]
fn a_choice_is_never_answered_by_yes_and_a_refusal_records_what_there_was_to_choose() {
    let sandbox = Sandbox::new();
    let from = two_tags(&sandbox);
    propose(&sandbox, &from, &["--choose", "1", "--push", "--yes"]).exits(7);
    let refused = propose(&sandbox, &from, &["--push", "--yes", "-o", "json"]).exits(4).json();
    let record = refused["proposals"][0]["record"].as_str().unwrap().to_owned();
    let told = sandbox.aifix(&["audit", "show", &record]).exits(0).out;
    assert!(told.contains("  2. Use image localhost:5055/app/web:2.0"), "{told}");
}

#[test]
fn a_number_that_is_none_of_the_choices_is_a_usage_error_that_counts_them() {
    let sandbox = Sandbox::new();
    let from = two_tags(&sandbox);
    let error = propose(&sandbox, &from, &["--choose", "3"]).exits(2).err;
    assert!(error.contains("there are 2 changes to choose from"), "{error}");
    assert!(propose(&sandbox, &from, &["--choose", "0"]).exits(2).err.contains("a number from 1"));
}

#[test]
fn one_number_does_not_choose_for_two_findings() {
    let sandbox = Sandbox::new();
    let from = two_tags(&sandbox);
    let mut list: Value = serde_json::from_str(&fs::read_to_string(&from).unwrap()).unwrap();
    let twins: Vec<Value> = list["items"].as_array().unwrap().iter().filter(|o| o["kind"] != "Node").cloned().collect();
    for twin in twins {
        let text = twin.to_string().replace("\"web", "\"api").replace("\"uid\":\"", "\"uid\":\"2");
        list["items"].as_array_mut().unwrap().push(serde_json::from_str(&text).unwrap());
    }
    sandbox.write("choose.json", &list.to_string());
    let at = fs::read_to_string(Path::new(&recorded("image-not-found")).join("taken-at")).unwrap();
    let args = ["propose", "--all", "--from", &from, "--at", at.trim(), "--choose", "1"];
    let error = sandbox.aifix_in("work", &args).exits(2).err;
    assert!(error.contains("2 have changes to choose from") && error.contains("Deployment/api"), "{error}");
    propose(&sandbox, &from, &["--choose", "1"]).exits(0);
}

#[test]
fn on_a_terminal_the_person_is_asked_which_and_enter_is_none() {
    let sandbox = Sandbox::new();
    let from = two_tags(&sandbox);
    for (typed, code, end) in [("2\r", 0, "Nothing was written. Next:"), ("\r", 4, "\n")] {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
        let at = fs::read_to_string(Path::new(&recorded("image-not-found")).join("taken-at")).unwrap();
        command.args(["propose", "deployment/web", "--from", &from, "--at", at.trim()]);
        command.current_dir(sandbox.path("work")).env("TERM", "xterm").stdin(std::process::Stdio::inherit());
        let mut session = spawn_command(command, Some(30_000)).unwrap();
        session.exp_string("Which change [1-2, Enter: none]").unwrap();
        session.send(typed).unwrap();
        session.flush().unwrap();
        session.exp_string(end).unwrap();
        let rest = session.exp_eof().unwrap();
        match session.process().wait().unwrap() {
            rexpect::process::WaitStatus::Exited(_, left) => assert_eq!(left, code, "{rest}"),
            other => panic!("{other:?}"),
        }
    }
}

const RESTARTED: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: cat-config-changed-not-reloaded
spec:
  replicas: 1
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: app
        image: busybox:1.36
        imagePullPolicy: IfNotPresent
        command: [sh, -c, sleep 99999]
        envFrom:
        - configMapRef: {name: app-config}
";

#[test]
fn what_is_merely_worth_knowing_is_chosen_by_who_names_it() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", RESTARTED)]);
    let from = recorded("config-changed-not-reloaded");
    let propose =
        |more: &[&str]| sandbox.aifix_in("work", &[&["propose", "deployment/web", "--from", &from][..], more].concat());
    let healthy = propose(&[]).exits(0).out;
    assert!(healthy.contains("Nothing to fix") && healthy.contains("aifix explain Deployment/web"), "{healthy}");

    let told = sandbox.aifix(&["explain", "deployment/web", "--from", &from]).exits(0).out;
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "1. Restart to read ConfigMap app-config: its pods are made anew",
        "What to do: restart it in Git or by hand (kubectl rollout restart deployment/web",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }

    let patch = propose(&["--choose", "1", "-o", "patch"]).exits(0).out;
    let added: Vec<&str> = patch.lines().filter(|line| line.starts_with('+') && !line.starts_with("+++")).collect();
    let [map, note] = added.as_slice() else { panic!("{patch}") };
    assert_eq!(map.trim_start_matches('+').trim(), "annotations:");
    let note = note.trim_start_matches('+').trim().replace(['"', '\''], "");
    assert_eq!(note, "kubectl.kubernetes.io/restartedAt: 2026-11-22T16:51:49Z");
    assert!(!patch.lines().any(|line| line.starts_with('-') && !line.starts_with("---")), "{patch}");
    let wrong = propose(&["--choose", "2"]).exits(2).err;
    assert!(wrong.contains("there is 1 change") || wrong.contains("there are 1 change"), "{wrong}");
}
