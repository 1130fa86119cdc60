//! What became of a pushed fix, as a person and a pipeline are told.

mod argo;
mod clocks;
mod forges;
mod seen;
mod waiting;

use crate::harness::{Ran, Sandbox, oom_manifest, recorded};
use aifix::model::record::{Entry, Phase};
use serde_json::{Value, json};
use std::fs;

/// A fix of the recorded kill, pushed: `32Mi -> 64Mi` in `k8s/web.yaml`.
fn pushed() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest()), ("README.md", "x\n")]);
    push(&sandbox);
    sandbox
}

fn push(sandbox: &Sandbox) {
    let from = recorded("oom-killed");
    sandbox.aifix_in("work", &["propose", "deployment/web", "--from", &from, "--push", "--yes=review"]).exits(0);
}

fn branch(sandbox: &Sandbox) -> String {
    sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads/aifix"])
}

fn status(sandbox: &Sandbox, more: &[&str]) -> Ran {
    sandbox.aifix_in("work", &[&["status"], more].concat())
}

/// The one followed fix.
fn item(sandbox: &Sandbox, more: &[&str]) -> Value {
    let mut report = status(sandbox, &[more, &["-o", "json"]].concat()).json();
    assert_eq!(report["items"].as_array().unwrap().len(), 1, "{report:#}");
    report["items"][0].take()
}

fn phases(sandbox: &Sandbox) -> Vec<String> {
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    sandbox.aifix(&["audit", "verify"]).exits(0);
    let entries = list["items"][0]["status"]["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["phase"].as_str().unwrap().to_owned()).collect()
}

/// What a colleague does in a clone of their own, pushed to `main`; answers the new tip.
fn colleague(sandbox: &Sandbox, name: &str, act: impl FnOnce(&dyn Fn(&[&str]))) -> String {
    let remote = sandbox.path("remote.git");
    sandbox.git("", &["clone", "-q", remote.to_str().unwrap(), name]);
    act(&|args| drop(sandbox.git(name, args)));
    sandbox.git(name, &["push", "-q", "origin", "HEAD:main"]);
    sandbox.git(name, &["rev-parse", "HEAD"])
}

fn merge(sandbox: &Sandbox) -> String {
    let branch = format!("origin/{}", branch(sandbox));
    colleague(sandbox, "merger", |git| git(&["merge", "-q", "--no-ff", "-m", "Merge the fix", &branch]))
}

/// The recording as it is later than the merge: with this limit, and well or killed again.
fn later(sandbox: &Sandbox, memory: &str, is_well: bool) -> String {
    let folder = recorded("oom-killed");
    let mut list: Value = serde_json::from_str(&fs::read_to_string(format!("{folder}/objects.json")).unwrap()).unwrap();
    for object in list["items"].as_array_mut().unwrap() {
        let spec = match object["kind"].as_str().unwrap() {
            "Deployment" | "ReplicaSet" => "/spec/template/spec",
            "Pod" => "/spec",
            _ => continue,
        };
        let containers = object.pointer_mut(&format!("{spec}/containers")).unwrap();
        containers[0]["resources"]["limits"]["memory"] = memory.into();
        if !is_well {
            continue;
        }
        match object["kind"].as_str().unwrap() {
            "Pod" => {
                for condition in object["status"]["conditions"].as_array_mut().unwrap() {
                    condition["status"] = "True".into();
                    condition["lastTransitionTime"] = "2026-11-22T17:06:00Z".into();
                }
                object["status"]["containerStatuses"] = json!([{"name": "app", "ready": true, "started": true,
                    "restartCount": 0, "image": "busybox:1.36", "state": {"running": {"startedAt": "2026-11-22T17:05:59Z"}}}]);
            }
            _ => {
                let replicas = json!({"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1,
                    "observedGeneration": 1});
                object["status"] = replicas;
            }
        }
    }
    if is_well {
        list["items"].as_array_mut().unwrap().retain(|object| object["kind"] != "Event");
    }
    let name = format!("later-{memory}-{is_well}");
    let file = sandbox.write(&format!("{name}/objects.json"), &list.to_string());
    sandbox.write(&format!("{name}/taken-at"), "2026-11-22T17:16:58Z");
    file.parent().unwrap().to_str().unwrap().to_owned()
}

/// Documents of `status -o json`: an open branch, and a fix that is healed.
pub(crate) fn documents() -> Vec<Value> {
    let sandbox = pushed();
    let open = status(&sandbox, &["-o", "json"]).exits(0).json();
    merge(&sandbox);
    let from = later(&sandbox, "64Mi", true);
    let healed = status(&sandbox, &["--from", &from, "--all", "-o", "json"]).exits(0).json();
    let other = pushed();
    merge_with(&other, "96Mi");
    status(&other, &[]).exits(0);
    let list = other.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    vec![open, healed, list["items"][0].clone(), followed()]
}

/// A record whose forge and controller said all that they can.
fn followed() -> Value {
    let entry = |seq: u64, phase, body| Entry {
        seq,
        record: "00112233445566aa".to_owned(),
        phase,
        at: format!("2026-11-24T08:00:0{seq}Z"),
        body,
        previous: String::new(),
        hash: String::new(),
    };
    let entries = [
        entry(1, Phase::Merged, json!({"base": "main", "mergeCommit": "c0ffee", "by": "grace", "changes": []})),
        entry(2, Phase::Synced, json!({"controller": "Kustomization flux/apps", "applied": "c0ffee", "live": true})),
        entry(3, Phase::RolledOut, json!({"ready": 2, "desired": 2})),
    ];
    serde_json::from_str(&aifix::output::json::record(&entries).unwrap()).unwrap()
}

/// The fix is merged with this limit instead.
fn merge_with(sandbox: &Sandbox, memory: &str) {
    let branch = format!("origin/{}", branch(sandbox));
    colleague(sandbox, "merger", |git| {
        git(&["merge", "-q", "--no-ff", "--no-commit", &branch]);
        let file = sandbox.path("merger/k8s/web.yaml");
        let text = fs::read_to_string(&file).unwrap().replace("64Mi", memory);
        fs::write(&file, text).unwrap();
        git(&["commit", "-qam", "Merge the fix with more"]);
    });
}

#[test]
fn an_open_branch_is_pushed_and_what_was_not_looked_at_is_named() {
    let sandbox = pushed();
    let out = status(&sandbox, &[]).exits(0).out;
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    let record = list["items"][0]["metadata"]["name"].as_str().unwrap();
    let commit = &list["items"][0]["status"]["commit"].as_str().unwrap()[..7];
    let out = out.replace(record, "RECORD").replace(commit, "COMMIT").replace(&branch(&sandbox), "BRANCH");
    let out = out.replace(sandbox.path("").to_str().unwrap(), "ROOT/");
    insta::assert_snapshot!(out, @"
    pushed  Deployment cat-oom-killed/web  oom-killed
    record        RECORD
    pushed        BRANCH at COMMIT
    pushed        main lacks the change
    not looked at forge: a folder has no pull requests
    not looked at cluster: there is no kubeconfig at ROOT/home/.kube/config
    ");
    assert_eq!(phases(&sandbox), ["proposed", "pushed"]);
}

#[test]
fn a_merge_is_recognised_however_it_was_made() {
    for (how, words) in [
        ("merge", "the pushed commit is in it"),
        ("squash", "names the record"),
        ("rebase", "names the record"),
        ("same-change", "made the same change"),
    ] {
        let sandbox = pushed();
        let branch = format!("origin/{}", branch(&sandbox));
        let message = sandbox.git("remote.git", &["log", "-1", "--format=%B", &branch["origin/".len()..]]);
        colleague(&sandbox, "merger", |git| match how {
            "merge" => git(&["merge", "-q", "--no-ff", "-m", "Merge the fix", &branch]),
            "squash" => {
                git(&["commit", "-q", "--allow-empty", "-m", "Something else"]);
                git(&["merge", "-q", "--squash", &branch]);
                git(&["commit", "-q", "-m", &format!("Raise it (#7)\n\n{message}")]);
                git(&["push", "-q", "origin", &format!(":{}", &branch["origin/".len()..])]);
            }
            "rebase" => {
                git(&["commit", "-q", "--allow-empty", "-m", "Something else"]);
                git(&["cherry-pick", &branch]);
            }
            _ => {
                git(&["merge", "-q", "--squash", &branch]);
                git(&["commit", "-q", "-m", "Raise the limit by hand"]);
            }
        });
        let item = item(&sandbox, &[]);
        assert_eq!((&item["phase"], &item["end"]), (&json!("merged"), &json!("open")), "{how}: {item:#}");
        let told = item["lines"].to_string();
        assert!(told.contains(words), "{how}: {told}");
        let body = &item["reached"][0]["body"];
        assert_eq!(body["changes"], json!([]), "{how}: {item:#}");
        assert_eq!(item["recorded"], json!(["merged"]), "{how}");
        assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged"], "{how}");
        // A second look has no news.
        let again = self::item(&sandbox, &[]);
        assert_eq!(again["recorded"], json!([]), "{how}");
    }
}

#[test]
fn a_merge_with_another_value_says_which() {
    let sandbox = pushed();
    merge_with(&sandbox, "96Mi");
    let from = later(&sandbox, "96Mi", true);
    let item = item(&sandbox, &["--from", &from]);
    assert_eq!(item["phase"], "healed", "{item:#}");
    let change = &item["reached"][0]["body"]["changes"][0];
    assert_eq!((&change["proposed"], &change["merged"]), (&json!("64Mi"), &json!("96Mi")), "{item:#}");
    assert!(item["lines"].to_string().contains("proposed \\\"64Mi\\\", merged \\\"96Mi\\\""), "{item:#}");
}

/// Hash of the entry that the pushed commit names.
fn proposed_hash(sandbox: &Sandbox) -> String {
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    list["items"][0]["status"]["entries"][0]["hash"].as_str().unwrap().to_owned()
}

#[test]
fn a_commit_that_names_the_record_without_the_change_is_no_merge() {
    let sandbox = pushed();
    let hash = proposed_hash(&sandbox);
    colleague(&sandbox, "forger", |git| {
        let file = sandbox.path("forger/k8s/web.yaml");
        fs::write(&file, fs::read_to_string(&file).unwrap().replace("# small nodes", "# large nodes")).unwrap();
        git(&["commit", "-qam", &format!("Say that it is done\n\nAifix-Record: {hash}")]);
    });
    let from = later(&sandbox, "64Mi", true);
    let item = item(&sandbox, &["--from", &from]);
    assert_eq!((&item["phase"], &item["reached"]), (&json!("pushed"), &json!([])), "{item:#}");
    assert!(item["lines"].to_string().contains("main lacks the change"), "{item:#}");
    assert_eq!(phases(&sandbox), ["proposed", "pushed"]);
}

#[test]
fn the_words_of_commits_are_shown_without_escapes() {
    let sandbox = pushed();
    let branch = format!("origin/{}", branch(&sandbox));
    let hostile = "Raise\u{1b}[2J\u{202e} ::error::it";
    colleague(&sandbox, "merger", |git| {
        git(&["merge", "-q", "--squash", &branch]);
        git(&["commit", "-q", "--author", "::error::Eve\u{1b}[31m <e@example.com>", "-m", hostile]);
    });
    let merged = status(&sandbox, &[]).exits(0).out;
    assert!(merged.contains("Raise\\e[2J\\u{202e}") && merged.contains("Eve\\e[31m"), "{merged}");
    // Without the records the trailers of a commit are all that tells of a fix.
    fs::remove_dir_all(sandbox.path("state")).unwrap();
    colleague(&sandbox, "forger", |git| {
        let trailers = "Aifix-Object: Deployment \u{1b}[2J/::error::x\nAifix-Finding: \u{202e}oom\nAifix-Record: 00ff";
        git(&["commit", "-q", "--allow-empty", "-m", &format!("x\n\n{trailers}")]);
    });
    let forged = status(&sandbox, &["00ff"]).exits(0).out;
    assert!(forged.contains("\\e[2J") && forged.contains("\\u{202e}oom"), "{forged}");
    for out in [merged, forged] {
        assert!(!out.contains(['\u{1b}', '\u{202e}']), "{out}");
        assert!(!out.lines().any(|line| line.trim_start().starts_with("::")), "{out}");
    }
}

#[test]
fn a_revert_is_an_ill_end_however_well_the_cluster_looks() {
    let sandbox = pushed();
    merge(&sandbox);
    let from = later(&sandbox, "64Mi", true);
    status(&sandbox, &["--from", &from, "--wait", "1s"]).exits(0);
    colleague(&sandbox, "doubter", |git| git(&["revert", "--no-edit", "-m", "1", "HEAD"]));
    let ran = status(&sandbox, &["--from", &from, "--wait", "1s"]).exits(1);
    assert!(ran.out.starts_with("reverted  Deployment cat-oom-killed/web  oom-killed\n"), "{}", ran.out);
    assert!(ran.out.contains("taken back by ") && ran.out.contains("Revert \""), "{}", ran.out);
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged", "synced", "rolled-out", "healed", "reverted"]);
}

#[test]
fn a_later_change_of_the_same_value_is_no_revert() {
    let sandbox = pushed();
    merge(&sandbox);
    colleague(&sandbox, "other", |git| {
        let file = sandbox.path("other/k8s/web.yaml");
        fs::write(&file, fs::read_to_string(&file).unwrap().replace("64Mi", "1Gi")).unwrap();
        git(&["commit", "-qam", "Give it much more"]);
    });
    let item = item(&sandbox, &[]);
    assert_eq!(item["phase"], "merged");
    assert!(item["lines"].to_string().contains("changed again by "), "{item:#}");
}

#[test]
fn a_branch_that_was_deleted_without_a_merge_is_closed() {
    let sandbox = pushed();
    sandbox.git("remote.git", &["branch", "-D", &branch(&sandbox)]);
    let ran = status(&sandbox, &["--wait", "1s"]).exits(1);
    assert!(ran.out.starts_with("closed  ") && ran.out.contains("the branch is gone and main lacks"), "{}", ran.out);
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "closed"]);
}

#[test]
fn waiting_for_what_does_not_come_ends_with_not_known() {
    let sandbox = pushed();
    let ran = status(&sandbox, &["--wait", "1s"]).exits(6);
    assert!(ran.out.starts_with("pushed  ") && ran.out.contains("not looked at cluster: "), "{}", ran.out);
    assert!(ran.err.contains("Deployment/web: pushed"), "{}", ran.err);
}

#[test]
fn outside_of_a_clone_and_without_a_cluster_nothing_is_claimed() {
    let sandbox = pushed();
    merge(&sandbox);
    let ran = sandbox.aifix(&["status"]).exits(6);
    for source in ["git", "forge", "cluster"] {
        assert!(ran.out.contains(&format!("not looked at {source}: ")), "{}", ran.out);
    }
    assert!(!ran.out.contains("healed") && !ran.out.contains("merged"), "{}", ran.out);
    assert_eq!(phases(&sandbox), ["proposed", "pushed"]);
}

#[test]
fn the_users_refs_stay_as_they_are() {
    let sandbox = pushed();
    merge(&sandbox);
    let before = crate::road::bytes(&sandbox.path("work"));
    status(&sandbox, &[]).exits(0);
    assert_eq!(crate::road::bytes(&sandbox.path("work")), before);
}

#[test]
fn a_record_that_is_not_there_or_was_never_pushed_is_an_error() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    assert_eq!(status(&sandbox, &[]).exits(0).out, "No fix was pushed.\n");
    let ran = status(&sandbox, &["0011"]).exits(2);
    assert!(ran.err.contains("there is no record `0011`"), "{}", ran.err);
    let from = recorded("oom-killed");
    sandbox.aifix_in("work", &["propose", "deployment/web", "--from", &from, "--push", "--yes"]).exits(7);
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    let record = list["items"][0]["metadata"]["name"].as_str().unwrap();
    let ran = status(&sandbox, &[record]).exits(2);
    assert!(ran.err.contains("was pushed") && ran.err.contains(&format!("aifix audit show {record}")), "{}", ran.err);
}

#[test]
fn a_proposal_that_nobody_answered_is_shown_as_one_and_found_by_its_branch() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    crate::road::signal_during_push(&sandbox, "-KILL");
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    let record = list["items"][0]["metadata"]["name"].as_str().unwrap();
    let out = status(&sandbox, &[record]).exits(0).out;
    assert_eq!(
        out,
        format!(
            "proposed  Deployment cat-oom-killed/web  oom-killed\nrecord        {record}\n\
             proposed      nothing of it is pushed: its run waits for an answer, or was ended before one\n"
        )
    );
    let proposed = item(&sandbox, &[record]);
    assert_eq!((&proposed["phase"], &proposed["end"]), (&json!("proposed"), &json!("open")), "{proposed:#}");
    status(&sandbox, &[record, "--wait", "1s"]).exits(6);
    assert_eq!(phases(&sandbox), ["proposed"]);
    // The remote took the branch, and the run was killed before it could say so.
    let message = format!(
        "Raise it\n\nAifix-Object: Deployment cat-oom-killed/web\nAifix-Finding: oom-killed\nAifix-Record: {}",
        proposed_hash(&sandbox)
    );
    fs::remove_file(sandbox.path("remote.git/hooks/pre-receive")).unwrap();
    sandbox.git("work", &["checkout", "-q", "-b", "aifix/web"]);
    sandbox.git("work", &["commit", "-q", "--allow-empty", "-m", &message]);
    sandbox.git("work", &["push", "-q", "origin", "aifix/web"]);
    let pushed = item(&sandbox, &[record]);
    assert_eq!((&pushed["phase"], &pushed["branch"]), (&json!("pushed"), &json!("aifix/web")), "{pushed:#}");
    assert_eq!(pushed["record"], record, "{pushed:#}");
}

#[test]
fn a_colleague_without_the_record_follows_the_fix_by_its_commit() {
    let sandbox = pushed();
    let hash = {
        let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
        list["items"][0]["status"]["entries"][0]["hash"].as_str().unwrap().to_owned()
    };
    fs::rename(sandbox.path("state"), sandbox.path("elsewhere")).unwrap();
    let open = item(&sandbox, &[]);
    assert_eq!((&open["phase"], &open["record"]), (&json!("pushed"), &json!(hash)), "{open:#}");
    assert!(open["lines"][0]["text"].as_str().unwrap().ends_with("; its record is not here"), "{open:#}");
    merge(&sandbox);
    sandbox.git("remote.git", &["branch", "-D", &branch(&sandbox)]);
    let merged = item(&sandbox, &["--all"]);
    assert_eq!((&merged["phase"], &merged["code"]), (&json!("merged"), &json!("oom-killed")), "{merged:#}");
    assert_eq!(merged["recorded"], json!([]));
    // The values are in the record alone, and no controller says what it has applied.
    let from = later(&sandbox, "64Mi", true);
    let seen = item(&sandbox, &[&hash[..8], "--from", &from]);
    assert_eq!(seen["phase"], "merged", "{seen:#}");
    assert!(seen["lines"].to_string().contains("oom-killed: not seen now"), "{seen:#}");
    assert!(!sandbox.path("state").exists());
}
