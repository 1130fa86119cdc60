//! Records as they are written, and what they teach.

use super::patterns::{By, patterns};
use super::*;
use crate::model::lesson::Outcome;
use crate::model::record::Phase;
use serde_json::json;

fn entry(record: &str, phase: Phase, at: &str, body: Value) -> Entry {
    Entry { seq: 1, record: record.into(), phase, at: at.into(), body, previous: String::new(), hash: String::new() }
}

/// A kill in `payments` after a change of one field, and the fix that was pushed.
fn incident(record: &str, name: &str, day: &str, change: (&str, &str, &str), author: &str) -> Record {
    let at = format!("{day}T08:00:00Z");
    let (path, old, new) = change;
    let body = json!({
        "failure": {"code": "oom-killed", "container": "app", "since": at,
            "object": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "payments", "name": name}},
        "context": {"change": {"fields": [{"path": path, "old": old, "new": new}]}},
        "proposedFix": {
            "intent": {"object": {"kind": "Deployment"}, "edits": [{"path": path, "op": "set", "old": new, "new": old}]},
            "origin": {"trail": [{"signal": "blame", "value": format!("`a.yaml` has this value since 3f2a91c \"Save \\\"it\\\" by hand\" by {author}, 2026-11-20")}]},
            "objects": [{"intended": true, "before": {"spec": {"template": {"metadata": {"labels": {"team": "pay"}},
                "spec": {"containers": [{"name": "app", "image": "registry:5000/jvm:17@sha256:1"}]}}}}}],
        },
    });
    vec![entry(record, Phase::Proposed, &at, body), entry(record, Phase::Pushed, &at, json!({}))]
}

const LIMIT: &str = "spec.template.spec.containers[app].resources.limits.memory";

fn nine() -> Vec<Record> {
    let mut all: Vec<Record> = (1..=7)
        .map(|day| {
            let (record, name) = (format!("r{day}"), if day < 4 { "cart" } else { "till" });
            incident(&record, name, &format!("2026-11-0{day}"), (LIMIT, "64Mi", "32Mi"), "Ada")
        })
        .collect();
    all.push(incident("r8", "cart", "2026-11-08", ("spec.replicas", "1", "2"), "Bob"));
    all.push(incident("r9", "cart", "2026-11-09", (LIMIT, "64Mi", "128Mi"), "Bob"));
    all
}

#[test]
fn a_change_before_most_incidents_is_a_pattern_and_says_its_share() {
    let found = patterns(&nine());
    assert_eq!(found[0].words(), "image registry:5000/jvm had 9 of 9 oom-killed incidents in payments");
    let words: Vec<String> = found.iter().map(Pattern::words).collect();
    for wanted in [
        "the memory limit was lowered in 7 of 9 oom-killed incidents in payments",
        "label team=pay is on 9 of 9 oom-killed incidents in payments",
        "the value was brought by Ada in 7 of 9 oom-killed incidents in payments",
        "Deployment/cart had 5 of 9 oom-killed incidents in payments",
        "9 of 9 oom-killed incidents in payments began between 08:00 and 08:59 UTC",
        "oom-killed happened 9 times in payments",
    ] {
        assert!(words.iter().any(|words| words == wanted), "{wanted}: {words:#?}");
    }
    assert!(!words.iter().any(|words| words.contains("replicas") || words.contains("Bob")), "{words:#?}");
    assert_eq!(found.last().unwrap().by, By::Code);
}

#[test]
fn several_records_of_one_failure_are_one_incident() {
    let mut twice = incident("a", "cart", "2026-11-01", (LIMIT, "64Mi", "32Mi"), "Ada");
    twice.retain(|entry| entry.phase == Phase::Proposed);
    let records = vec![twice, incident("b", "cart", "2026-11-01", (LIMIT, "64Mi", "32Mi"), "Ada")];
    assert_eq!(patterns(&records), []);
}

#[test]
fn what_became_of_a_fix_is_its_lesson_and_a_persons_word_is_stronger() {
    let with = |phases: &[(Phase, Value)]| {
        let mut record = incident("a", "cart", "2026-11-01", (LIMIT, "64Mi", "32Mi"), "Ada");
        record.extend(phases.iter().map(|(phase, body)| entry("a", *phase, "2026-11-02T00:00:00Z", body.clone())));
        lessons(&[record]).all.first().map(|lesson| (lesson.outcome, lesson.note.clone()))
    };
    let none = || json!({});
    assert_eq!(with(&[]), None);
    assert_eq!(with(&[(Phase::Merged, none()), (Phase::Healed, none())]), Some((Outcome::Healed, None)));
    assert_eq!(with(&[(Phase::Closed, none())]), Some((Outcome::Closed, None)));
    assert_eq!(with(&[(Phase::Merged, none())]), Some((Outcome::Merged, None)));
    let phases = [(Phase::Merged, none()), (Phase::Synced, none()), (Phase::Worse, none())];
    assert_eq!(with(&phases), Some((Outcome::Worse, None)));
    assert_eq!(with(&[(Phase::Worse, none()), (Phase::Healed, none())]), Some((Outcome::Healed, None)));
    assert_eq!(with(&[(Phase::Merged, none()), (Phase::Reverted, none())]), Some((Outcome::Reverted, None)));
    let other = json!({"changes": [{"proposed": "64Mi", "merged": "1Gi"}]});
    let note = Some("proposed \"64Mi\", merged \"1Gi\"".to_owned());
    assert_eq!(with(&[(Phase::Merged, other), (Phase::Healed, none())]), Some((Outcome::Changed, note)));
    let word = |verdict: &str, note: &str| (Phase::Feedback, json!({"verdict": verdict, "note": note}));
    let said = with(&[(Phase::Healed, none()), word("accept", ""), word("reject", "luck")]);
    assert_eq!(said, Some((Outcome::Rejected, Some("luck".to_owned()))));
}

#[test]
fn examples_are_fixes_that_were_not_turned_down_the_best_first() {
    let mut good = incident("a", "cart", "2026-11-01", (LIMIT, "64Mi", "32Mi"), "Ada");
    good.push(entry("a", Phase::Healed, "2026-11-02T00:00:00Z", json!({})));
    let mut bad = incident("b", "cart", "2026-11-02", (LIMIT, "65Mi", "32Mi"), "Ada");
    bad.push(entry("b", Phase::Reverted, "2026-11-02T00:00:00Z", json!({})));
    let unknown = incident("c", "cart", "2026-11-03", (LIMIT, "66Mi", "32Mi"), "Ada");
    let told = examples(&[unknown, bad, good], "oom-killed");
    let line = |value: &str| format!("oom-killed of Deployment: {LIMIT}: 32Mi -> {value}");
    assert_eq!(told, [line("64Mi"), line("66Mi")]);
}
