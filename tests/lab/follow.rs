//! What becomes of a pushed fix under a real Flux: healed, drifted, reverted, worse.

use crate::flux::{Flux, PATIENCE};
use crate::kit::{Namespace, Ran, Repository, aifix, wait};
use crate::road_flux::{files, limits, wait_for_the_kill};
use serde_json::Value;
use std::path::Path;

fn status(work: &Path, more: &[&str]) -> Ran {
    aifix(work, &[&["status", "--stable", "10s"], more].concat())
}

fn phases(work: &Path) -> Vec<String> {
    let list = aifix(work, &["audit", "list", "-o", "json"]).exits(0).json();
    aifix(work, &["audit", "verify"]).exits(0);
    let entries = list["items"][0]["status"]["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["phase"].as_str().unwrap().to_owned()).collect()
}

/// Waits until one look says this phase; answers what it said.
#[track_caller]
fn wait_for(phase: &str, work: &Path) -> Value {
    wait(phase, PATIENCE, || {
        let item = status(work, &["-o", "json"]).json()["items"][0].take();
        if item["phase"] == phase { Ok(item) } else { Err(format!("{item:#}")) }
    })
}

/// Pushes the fix of the kill; answers its branch and the hash of its record.
fn push(namespace: &Namespace, work: &Path) -> (String, String) {
    wait_for_the_kill(namespace, work);
    let ran = aifix(work, &["propose", "-n", &namespace.0, "--push", "--yes=review", "-o", "json"]).exits(0);
    let branch = ran.json()["proposals"][0]["branch"].as_str().unwrap().to_owned();
    let list = aifix(work, &["audit", "list", "-o", "json"]).exits(0).json();
    (branch, list["items"][0]["status"]["entries"][0]["hash"].as_str().unwrap().to_owned())
}

#[test]
fn a_merged_fix_is_healed_then_drifts_by_hand_and_is_reverted() {
    let namespace = Namespace::new("follow");
    let repository = Repository::new("follow", &files(&namespace.0, "32Mi"));
    let Some(flux) = Flux::follow(&repository, "follow-flux", "./overlays/prod") else { return };
    let work = repository.work();
    let (branch, _) = push(&namespace, &work);
    let ran = status(&work, &[]).exits(0);
    assert!(ran.out.starts_with("pushed  ") && ran.out.contains("still there: oom-killed"), "{}", ran.out);

    let merged = repository.merge(&branch);
    let ran = status(&work, &[]).exits(0);
    assert!(ran.out.starts_with("merged  ") && ran.out.contains("not yet: "), "{}", ran.out);
    flux.reconcile();
    let ran = status(&work, &["--wait", "4m"]).exits(0);
    assert!(ran.out.starts_with("healed  ") && ran.out.contains("oom-killed is gone for "), "{}", ran.out);
    flux.wait_for("lastAppliedRevision", &merged);
    let ran = status(&work, &[]).exits(0);
    assert!(ran.out.contains(&format!("has applied {}", &merged[..7])), "{}", ran.out);

    flux.patch(&serde_json::json!({"suspend": true}));
    namespace.kubectl(&["set", "resources", "deployment/cart", "--limits=memory=32Mi"]);
    let drifted = wait_for("drifted", &work);
    assert!(drifted["lines"].to_string().contains("live \\\"32Mi\\\""), "{drifted:#}");
    flux.patch(&serde_json::json!({"suspend": false}));
    flux.reconcile();
    wait_for("healed", &work);

    repository.commit("Save memory again", &[("overlays/prod/limits.yaml", limits("32Mi"))]);
    let ran = status(&work, &["--wait", "1m"]).exits(1);
    assert!(ran.out.starts_with("reverted  ") && ran.out.contains("Save memory again"), "{}", ran.out);
    let want = ["proposed", "pushed", "merged", "synced", "rolled-out", "healed", "drifted", "healed", "reverted"];
    let mut told = phases(&work);
    // Looks may meet the pods of before, and then those that have not been there for long enough.
    let back = told.iter().position(|phase| phase == "drifted").unwrap() + 1;
    let later: Vec<String> = told.drain(back..).skip_while(|phase| phase == "synced").collect();
    told.extend(later.into_iter().skip_while(|phase| phase == "rolled-out"));
    assert_eq!(told, want);
}

#[test]
fn a_fix_that_was_merged_with_too_little_is_worse() {
    let namespace = Namespace::new("worse");
    let repository = Repository::new("worse", &files(&namespace.0, "32Mi"));
    let Some(flux) = Flux::follow(&repository, "worse-flux", "./overlays/prod") else { return };
    let work = repository.work();
    let (_, hash) = push(&namespace, &work);
    let message = format!("Raise it a little\n\nAifix-Record: {hash}");
    repository.commit(&message, &[("overlays/prod/limits.yaml", limits("33Mi"))]);
    flux.reconcile();
    let ran = status(&work, &["--wait", "4m"]).exits(1);
    assert!(ran.out.starts_with("worse  "), "{}", ran.out);
    assert!(ran.out.contains("merged \"33Mi\"") && ran.out.contains("still there: oom-killed"), "{}", ran.out);
    assert_eq!(phases(&work).last().map(String::as_str), Some("worse"));
}
