//! What the cluster tells of a merged fix.

use super::{item, later, merge, phases, pushed, status};
use crate::harness::recorded;
use serde_json::json;

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
