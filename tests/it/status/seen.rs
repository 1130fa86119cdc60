//! What the cluster tells of a merged fix.

use super::{item, later, merge, phases, pushed, status};
use crate::harness::{Sandbox, recorded};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

#[test]
fn a_failure_that_is_gone_is_healed_once_and_for_the_record() {
    let sandbox = pushed();
    merge(&sandbox);
    let from = later(&sandbox, "64Mi", true);
    let ran = status(&sandbox, &["--from", &from, "--wait", "1m"]).exits(0);
    assert!(ran.out.starts_with("healed  Deployment cat-oom-killed/web  oom-killed\n"), "{}", ran.out);
    for part in [
        "synced        the live object has the values\n",
        "rolled-out    1 of 1 pod run with it\n",
        "healed        oom-killed is gone for 10 min\n",
    ] {
        assert!(ran.out.contains(part), "{part:?}: {}", ran.out);
    }
    assert_eq!(item(&sandbox, &["--from", &from])["recorded"], json!([]));
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged", "synced", "rolled-out", "healed"]);
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    let record = list["items"][0]["metadata"]["name"].as_str().unwrap();
    let exported = sandbox.aifix(&["audit", "export", record]).exits(0).out;
    let exported: Value = serde_saphyr::from_str(exported.trim_start_matches("---\n")).unwrap();
    let status = &exported["status"];
    assert_eq!(status["deployment"]["baseBranch"], "main", "{status:#}");
    assert_eq!(status["deployment"]["mergeCommit"], sandbox.git("remote.git", &["rev-parse", "main"]).as_str());
    assert_eq!((&status["deployment"]["readyPods"], &status["deployment"]["desiredPods"]), (&json!(1), &json!(1)));
    let conditions = status["conditions"].as_array().unwrap().iter();
    let stands: Vec<String> = conditions
        .map(|one| {
            format!(
                "{}={}: {}",
                one["type"].as_str().unwrap(),
                one["status"].as_str().unwrap(),
                one["message"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        stands[2..],
        [
            "Synced=True: the live object has the values",
            "RolledOut=True: 1 of 1 pod run with it",
            "Healed=True: oom-killed is gone"
        ]
    );
}

#[test]
fn a_failure_that_is_gone_for_a_moment_counts_later() {
    let sandbox = pushed();
    merge(&sandbox);
    let from = later(&sandbox, "64Mi", true);
    let item = item(&sandbox, &["--from", &from, "--stable", "20m"]);
    assert_eq!((&item["phase"], &item["end"]), (&json!("rolled-out"), &json!("open")), "{item:#}");
    assert!(item["lines"].to_string().contains("gone for 10 min, which counts after 20 min"), "{item:#}");
}

#[test]
fn a_failure_that_is_still_there_with_the_change_is_worse() {
    let sandbox = pushed();
    merge(&sandbox);
    let from = later(&sandbox, "64Mi", false);
    let ran = status(&sandbox, &["--from", &from, "--wait", "1m"]).exits(1);
    assert!(ran.out.starts_with("worse  "), "{}", ran.out);
    assert!(ran.out.contains("still there: oom-killed: "), "{}", ran.out);
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged", "synced", "worse"]);
}

/// The well recording, whose pod ends with exit code 2 again and again since this day.
fn crashing(sandbox: &Sandbox, day: &str) -> String {
    let folder = later(sandbox, "64Mi", true);
    let file = Path::new(&folder).join("objects.json");
    let mut list: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    for object in list["items"].as_array_mut().unwrap() {
        if object["kind"] == "Pod" {
            object["metadata"]["creationTimestamp"] = format!("{day}T00:20:00Z").into();
            for condition in object["status"]["conditions"].as_array_mut().unwrap() {
                if ["Ready", "ContainersReady"].contains(&condition["type"].as_str().unwrap()) {
                    condition["status"] = "False".into();
                }
                condition["lastTransitionTime"] = format!("{day}T00:30:00Z").into();
            }
            let ended = json!({"exitCode": 2, "reason": "Error", "startedAt": format!("{day}T00:58:00Z"),
                "finishedAt": format!("{day}T00:58:01Z")});
            object["status"]["containerStatuses"] = json!([{"name": "app", "ready": false, "started": false,
                "restartCount": 9, "image": "busybox:1.36", "lastState": {"terminated": ended},
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}}]);
        } else if object["kind"] == "Deployment" {
            object["status"] =
                json!({"replicas": 1, "unavailableReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1});
        }
    }
    fs::write(file, list.to_string()).unwrap();
    fs::write(Path::new(&folder).join("taken-at"), "2100-01-01T01:00:00Z").unwrap();
    folder
}

#[test]
fn another_failure_that_took_its_place_is_worse_and_an_older_one_is_not_held_against_it() {
    let sandbox = pushed();
    merge(&sandbox);
    let older = crashing(&sandbox, "2026-11-23");
    let open = item(&sandbox, &["--from", &older]);
    assert_eq!(open["end"], "open", "{open:#}");
    assert!(!open["lines"].to_string().contains("in its place"), "{open:#}");
    let from = crashing(&sandbox, "2100-01-01");
    let ran = status(&sandbox, &["--from", &from, "--wait", "1m"]).exits(1);
    assert!(ran.out.starts_with("worse  "), "{}", ran.out);
    assert!(ran.out.contains("in its place: crash-app-error: ") && !ran.out.contains("still there"), "{}", ran.out);
    assert_eq!(phases(&sandbox).last().map(String::as_str), Some("worse"));
}

#[test]
fn a_failure_that_is_still_there_before_the_change_arrived_is_not_held_against_it() {
    let sandbox = pushed();
    merge(&sandbox);
    let from = recorded("oom-killed");
    let item = item(&sandbox, &["--from", &from]);
    assert_eq!((&item["phase"], &item["end"]), (&json!("merged"), &json!("open")), "{item:#}");
    assert!(item["lines"].to_string().contains("not yet: Deployment cat-oom-killed/web does not have the values"));
}

#[test]
fn a_failure_that_went_away_without_the_merge_is_not_healed_by_it() {
    let sandbox = pushed();
    let from = later(&sandbox, "64Mi", true);
    let item = item(&sandbox, &["--from", &from]);
    assert_eq!(item["phase"], "pushed", "{item:#}");
    let told = item["lines"].to_string();
    assert!(told.contains("oom-killed is gone, and not by this fix"), "{told}");
    assert!(told.contains("the live object has the values, and the base branch does not"), "{told}");
}

#[test]
fn a_live_value_that_was_set_back_by_hand_is_drift_and_the_way_back_is_told_too() {
    let sandbox = pushed();
    merge(&sandbox);
    let well = later(&sandbox, "64Mi", true);
    let back = later(&sandbox, "32Mi", true);
    status(&sandbox, &["--from", &well]).exits(0);
    let drifted = item(&sandbox, &["--from", &back]);
    assert_eq!((&drifted["phase"], &drifted["end"]), (&json!("drifted"), &json!("open")), "{drifted:#}");
    assert!(drifted["lines"].to_string().contains("merged \\\"64Mi\\\", live \\\"32Mi\\\""), "{drifted:#}");
    status(&sandbox, &["--from", &well]).exits(0);
    let want = ["proposed", "pushed", "merged", "synced", "rolled-out", "healed", "drifted", "healed"];
    assert_eq!(phases(&sandbox), want);
}

#[test]
fn pods_that_could_not_be_seen_are_never_healthy() {
    let sandbox = pushed();
    merge(&sandbox);
    // A recording of another namespace alone.
    let from = recorded("crash-app-error.exit-2");
    let ran = status(&sandbox, &["--from", &from, "--wait", "1s"]).exits(6);
    assert!(ran.out.starts_with("merged  ") && !ran.out.contains("healed"), "{}", ran.out);
    assert!(ran.out.contains("not looked at cluster: "), "{}", ran.out);
}
