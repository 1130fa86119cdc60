//! What a person's word, and what became of a fix, do to the next one.

use crate::choose::two_tags;
use crate::harness::{Ran, Sandbox, oom_manifest, recorded};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn propose(sandbox: &Sandbox, from: &str, more: &[&str]) -> Ran {
    let at = fs::read_to_string(Path::new(&recorded("image-not-found")).join("taken-at")).unwrap();
    let args = [&["propose", "deployment/web", "--from", from, "--at", at.trim()][..], more].concat();
    sandbox.aifix_in("work", &args)
}

/// Images that a person may choose, in order.
fn choices(report: &Value) -> Vec<String> {
    let choices = report["proposals"][0]["refusal"]["choices"].as_array().unwrap();
    let image = |choice: &Value| choice["edits"][0]["new"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    choices.iter().map(image).collect()
}

fn newest(sandbox: &Sandbox) -> String {
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    list["items"][0]["metadata"]["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_rejected_choice_comes_after_the_other_and_says_why_and_an_accepted_one_comes_back() {
    let sandbox = Sandbox::new();
    let from = two_tags(&sandbox);
    let ask = || propose(&sandbox, &from, &["-o", "json"]).exits(4).json();
    assert_eq!(choices(&ask()), ["1.0", "2.0"]);
    let pushed = propose(&sandbox, &from, &["--choose", "1", "--push", "--yes=review", "-o", "json"]).exits(0).json();
    sandbox.git("remote.git", &["branch", "-D", pushed["proposals"][0]["branch"].as_str().unwrap()]);
    assert_eq!(choices(&ask()), ["1.0", "2.0"], "a push alone teaches nothing");
    let record = newest(&sandbox);

    let ran = sandbox.aifix(&["audit", "feedback", &record[..6], "reject", "--note", "1.0 is too old"]).exits(0);
    assert_eq!(ran.out, "Recorded: the fix for image-not-found of Deployment/web is rejected.\n");
    let report = ask();
    assert_eq!(choices(&report), ["2.0", "1.0"]);
    let details = report["proposals"][0]["refusal"]["details"].to_string();
    assert!(details.contains("rejected (") && details.contains("1.0 is too old"), "{details}");
    let chosen = propose(&sandbox, &from, &["--choose", "1", "-o", "json"]).exits(0).json();
    assert_eq!(chosen["proposals"][0]["intent"]["edits"][0]["new"], "localhost:5055/app/web:2.0");
    assert_eq!(chosen["proposals"][0]["disposition"], "review");

    sandbox.aifix(&["audit", "feedback", &record, "accept"]).exits(0);
    assert_eq!(choices(&ask()), ["1.0", "2.0"], "the last word counts");
    let shown = propose(&sandbox, &from, &["--choose", "1"]).exits(0).out;
    assert!(shown.contains("lesson    fixes of this shape before: accepted ("), "{shown}");
    sandbox.aifix(&["audit", "verify"]).exits(0);

    fs::remove_dir_all(sandbox.path("state")).unwrap();
    assert_eq!(choices(&ask()), ["1.0", "2.0"], "without records the order is the old one");
}

/// What becomes of a pushed choice, before and while `aifix status` looks.
#[derive(Debug, Clone, Copy)]
enum End {
    Closed,
    Reverted,
    Merged,
    MergedWith(&'static str),
    Healed,
}

/// The recording as it is after the merge: the image runs.
fn well(from: &str, image: &str) -> String {
    let mut list: Value = serde_json::from_str(&fs::read_to_string(from).unwrap()).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    items.retain(|object| object["kind"] != "Event");
    for object in items {
        let spec = match object["kind"].as_str().unwrap() {
            "Deployment" | "ReplicaSet" => "/spec/template/spec",
            "Pod" => "/spec",
            _ => continue,
        };
        object.pointer_mut(spec).unwrap()["containers"][0]["image"] = image.into();
        object["status"] = match object["kind"].as_str().unwrap() {
            "Pod" => json!({"phase": "Running",
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T17:06:00Z"}],
                "containerStatuses": [{"name": "app", "ready": true, "started": true, "restartCount": 0, "image": image,
                    "state": {"running": {"startedAt": "2026-11-22T17:05:59Z"}}}]}),
            _ => {
                json!({"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1})
            }
        };
    }
    list.to_string()
}

/// Pushes a choice, brings it to its end in the remote, and lets `aifix status` see and record it; the base is then
/// as it was. Gives the images that the next run offers, and what it says of the past.
fn after(choice: &str, end: End) -> (Vec<String>, String) {
    let sandbox = Sandbox::new();
    let from = two_tags(&sandbox);
    let args = ["--choose", choice, "--push", "--yes=review", "-o", "json"];
    let pushed = propose(&sandbox, &from, &args).exits(0).json();
    let branch = pushed["proposals"][0]["branch"].as_str().unwrap().to_owned();
    let image = pushed["proposals"][0]["intent"]["edits"][0]["new"].as_str().unwrap().to_owned();
    let before = sandbox.git("work", &["rev-parse", "HEAD"]);
    sandbox.git("", &["clone", "-q", sandbox.path("remote.git").to_str().unwrap(), "team"]);
    let git = |args: &[&str]| drop(sandbox.git("team", args));
    let merge = |more: &[&str]| git(&[&["merge", "-q", "--no-ff"], more, &[&format!("origin/{branch}")[..]]].concat());
    let mut look = vec!["status".to_owned(), "-o".to_owned(), "json".to_owned()];
    match end {
        End::Closed => {}
        End::Reverted => {
            merge(&["-m", "Take it"]);
            git(&["revert", "--no-edit", "-m", "1", "HEAD"]);
        }
        End::Merged => merge(&["-m", "Take it"]),
        End::MergedWith(other) => {
            merge(&["--no-commit"]);
            let file = sandbox.path("team/k8s/web.yaml");
            fs::write(&file, fs::read_to_string(&file).unwrap().replace(&image, other)).unwrap();
            git(&["commit", "-qam", "Take another one"]);
        }
        End::Healed => {
            merge(&["-m", "Take it"]);
            let file = sandbox.write("well.json", &well(&from, &image));
            let file = file.to_str().unwrap().to_owned();
            look.extend(["--from".to_owned(), file, "--at".to_owned(), "2026-11-22T17:16:58Z".to_owned()]);
        }
    }
    git(&["push", "-q", "origin", "HEAD:main"]);
    sandbox.git("remote.git", &["branch", "-D", &branch]);
    let look: Vec<&str> = look.iter().map(String::as_str).collect();
    let seen = sandbox.aifix_in("work", &look).exits(0).json();
    let phase = seen["items"][0]["phase"].as_str().unwrap();
    let want = match end {
        End::Closed => "closed",
        End::Reverted => "reverted",
        End::Merged | End::MergedWith(_) => "merged",
        End::Healed => "healed",
    };
    assert_eq!(phase, want, "{end:?}: {seen:#}");
    git(&["checkout", "-q", &before, "--", "k8s/web.yaml"]);
    git(&["commit", "-q", "--allow-empty", "-m", "As it was"]);
    git(&["push", "-q", "origin", "HEAD:main"]);
    let report = propose(&sandbox, &from, &["-o", "json"]).exits(4).json();
    let chosen = propose(&sandbox, &from, &["--choose", "1", "-o", "json"]).exits(0).json();
    let told = &chosen["proposals"][0]["lessons"];
    assert_eq!(told.as_array().unwrap().len(), 1, "{end:?}: {chosen:#}");
    (choices(&report), told[0].as_str().unwrap().to_owned())
}

#[test]
fn what_status_saw_of_a_fix_orders_the_next_ones_and_says_why() {
    for (choice, end, order, reason) in [
        ("1", End::Closed, ["2.0", "1.0"], "closed without a merge ("),
        ("1", End::Reverted, ["2.0", "1.0"], "reverted ("),
        ("2", End::Merged, ["2.0", "1.0"], "merged ("),
        ("2", End::Healed, ["2.0", "1.0"], "healed ("),
    ] {
        let (choices, told) = after(choice, end);
        assert_eq!(choices, order, "{end:?}");
        assert!(told.starts_with(&format!("fixes of this shape before: {reason}")), "{end:?}: {told}");
    }
    // What people merged instead is the lesson: it speaks neither for the proposed value nor against it.
    let other = "localhost:5055/app/web:2.1";
    let (choices, told) = after("2", End::MergedWith(other));
    assert_eq!(choices, ["1.0", "2.0"]);
    assert!(told.contains("merged with other values (") && told.contains(&format!("merged \"{other}\"")), "{told}");
}

#[test]
fn a_lesson_changes_no_verdict_and_no_schema() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    sandbox.write("team/data.yaml", "aifix:\n  critical:\n    namespaces: [cat-oom-killed]\n");
    let warn = "package team.small\n\nwarn contains \"limits grow\" if { count(input.changes) > 0 }\n";
    sandbox.write("team/small.rego", warn);
    let from = recorded("oom-killed");
    let push = ["propose", "deployment/web", "--from", &from, "--push", "--yes=review", "-o", "json"];
    let ask = ["propose", "deployment/web", "--from", &from, "--policy", "../team", "-o", "json"];
    let schema = || sandbox.aifix(&["schema"]).exits(0).out;
    let before = (sandbox.aifix_in("work", &ask).exits(0).json(), schema());
    let verdicts = before.0["proposals"][0]["verdicts"].to_string();
    for decision in ["warn", "needsApproval"] {
        assert!(verdicts.contains(&format!("\"decision\":\"{decision}\"")), "{verdicts}");
    }
    for word in ["reject", "accept"] {
        let pushed = sandbox.aifix_in("work", &push).exits(0).json();
        sandbox.git("remote.git", &["branch", "-D", pushed["proposals"][0]["branch"].as_str().unwrap()]);
        sandbox.aifix(&["audit", "feedback", &newest(&sandbox), word]).exits(0);
        let mut after = (sandbox.aifix_in("work", &ask).exits(0).json(), schema());
        let lessons = std::mem::replace(&mut after.0["proposals"][0]["lessons"], json!([]));
        assert!(lessons[0].as_str().unwrap().contains(&format!("{word}ed (")), "{lessons}");
        assert_eq!(after, before, "{word}");
    }
}

#[test]
fn a_lesson_changes_nothing_of_a_fix_but_the_line_that_tells_of_it() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    let from = recorded("oom-killed");
    let args = ["propose", "deployment/web", "--from", &from, "-o", "json"];
    let before = sandbox.aifix_in("work", &args).exits(0).json();
    let push = [&args[..], &["--push", "--yes=review"]].concat();
    let pushed = sandbox.aifix_in("work", &push).exits(0).json();
    sandbox.git("remote.git", &["branch", "-D", pushed["proposals"][0]["branch"].as_str().unwrap()]);
    sandbox.aifix(&["audit", "feedback", &newest(&sandbox), "reject"]).exits(0);
    let mut after = sandbox.aifix_in("work", &args).exits(0).json();
    let lessons = std::mem::replace(&mut after["proposals"][0]["lessons"], serde_json::json!([]));
    assert!(lessons[0].as_str().unwrap().contains("rejected ("), "{lessons}");
    assert_eq!(after, before);
}

#[test]
fn feedback_on_what_is_no_fix_is_an_error() {
    let sandbox = Sandbox::new();
    let ran = sandbox.aifix(&["audit", "feedback", "00", "accept"]).exits(2);
    assert!(ran.err.contains("there is no record `00`"), "{}", ran.err);
    let from = two_tags(&sandbox);
    propose(&sandbox, &from, &["--push", "--yes"]).exits(4);
    let ran = sandbox.aifix(&["audit", "feedback", "zz", "accept"]).exits(2);
    assert!(ran.err.contains("there is no record `zz`") && ran.err.contains("aifix audit list"), "{}", ran.err);
    let ran = sandbox.aifix(&["audit", "feedback", &newest(&sandbox), "accept"]).exits(2);
    assert!(ran.err.contains("holds no fix"), "{}", ran.err);
    let ran = sandbox.aifix(&["audit", "feedback", "00", "perhaps"]).exits(2);
    assert!(ran.err.contains("accept") && ran.err.contains("reject"), "{}", ran.err);
}

#[test]
fn what_was_changed_twice_within_a_week_and_fails_again_is_not_changed_a_third_time() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    let at = |memory: &str| {
        let from = sandbox.path(&format!("kill-at-{memory}"));
        fs::create_dir_all(&from).unwrap();
        for file in ["objects.json", "logs.txt", "taken-at"] {
            let text = fs::read_to_string(Path::new(&recorded("oom-killed")).join(file)).unwrap_or_default();
            fs::write(from.join(file), text.replace("32Mi", memory)).unwrap();
        }
        sandbox.write("work/web.yaml", &oom_manifest().replace("32Mi", memory));
        sandbox.git("work", &["commit", "-qam", &format!("Run with {memory}"), "--allow-empty"]);
        sandbox.git("work", &["push", "-q", "origin", "main"]);
        let from = from.to_str().unwrap().to_owned();
        let args = ["propose", "deployment/web", "--from", &from, "--push", "--yes=review", "-o", "json"];
        let ran = sandbox.aifix_in("work", &args);
        // Merged by hand: the branch is gone.
        if let Some(branch) = ran.json()["proposals"][0]["branch"].as_str() {
            sandbox.git("remote.git", &["branch", "-D", branch]);
        }
        ran
    };
    at("64Mi").exits(0);
    at("128Mi").exits(0);
    let third = at("256Mi").exits(4).json();
    let refusal = &third["proposals"][0]["refusal"];
    assert_eq!(refusal["message"], "the same was changed 2 times within 7 days, and it failed again", "{third:#}");
    assert_eq!(refusal["details"].as_array().unwrap().len(), 2);
    fs::remove_dir_all(sandbox.path("state")).unwrap();
    at("256Mi").exits(0);
}
