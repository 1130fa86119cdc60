//! What `status` makes of clocks that differ or jump.

use super::{item, later, merge, phases, pushed, status};
use serde_json::json;
use std::fs;
use std::path::Path;

#[test]
fn a_snapshot_from_before_the_merge_is_not_healed_by_it() {
    let sandbox = pushed();
    merge(&sandbox);
    // Somebody gave the object the value by hand, and the merge came an hour later.
    let from = later(&sandbox, "64Mi", true);
    fs::write(Path::new(&from).join("taken-at"), "2026-11-22T16:59:00Z").unwrap();
    let early = item(&sandbox, &["--from", &from]);
    assert_eq!((&early["phase"], &early["end"]), (&json!("merged"), &json!("open")), "{early:#}");
    let words = "not yet: the cluster was seen at 2026-11-22T16:59:00Z, before the merge at 2026-11-22T17:00:00Z";
    assert!(early["lines"].to_string().contains(words), "{early:#}");
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged"]);
    fs::write(Path::new(&from).join("taken-at"), "2026-11-22T17:16:58Z").unwrap();
    assert_eq!(item(&sandbox, &["--from", &from])["phase"], "healed");
    // The clock jumps back again: what was seen is not taken for drift, nor told anew.
    let back = later(&sandbox, "32Mi", true);
    fs::write(Path::new(&back).join("taken-at"), "2026-11-22T16:59:00Z").unwrap();
    status(&sandbox, &["--from", &back]).exits(0);
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged", "synced", "rolled-out", "healed"]);
}

#[test]
fn pods_whose_times_are_still_to_come_are_not_healed() {
    let sandbox = pushed();
    merge(&sandbox);
    let from = later(&sandbox, "64Mi", true);
    // After the merge, and before the pods say that they became ready.
    fs::write(Path::new(&from).join("taken-at"), "2026-11-22T17:01:00Z").unwrap();
    let ran = status(&sandbox, &["--from", &from, "--stable", "500ms"]).exits(0);
    assert!(ran.out.starts_with("rolled-out  "), "{}", ran.out);
    let words = "oom-killed is gone since a time that is still to come: a clock is wrong";
    assert!(ran.out.contains(words), "{}", ran.out);
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged", "synced", "rolled-out"]);
}
