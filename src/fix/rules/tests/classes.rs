//! What rules answer is what the class of a code promises.
//!
//! Codes of pods are in `tests/it/recorded/classes.rs`.

use super::{
    ANSWERED, Answered, ELSEWHERE, asked, asked_of_pods, candidates, chosen, delivered, namespace, pods, traffic,
};
use crate::cluster::files;
use crate::diagnose::{codes, diagnose};
use crate::model::code::{CodeInfo, FixClass};

/// Codes of which a person decides, and no fact names a change to choose: rows with a third field.
const BY_HAND: &str = include_str!("../../../../tests/it/planned/arms.tsv");

/// Recordings that show what no made case does.
const RECORDED: [&str; 2] = ["rollout-surge-blocked.quota", "service-selector-mismatch"];

/// Codes of pods that are shown here, among objects.
const OF_PODS: [&str; 9] = [
    "config-url-typo",
    "crash-rbac-forbidden",
    "env-duplicate",
    "env-ref-order",
    "pod-deadline-exceeded",
    "probe-missing",
    "run-as-user-name",
    "unschedulable-host-port",
    "unschedulable-volume-affinity",
];

/// The codes whose answers are not what their class says.
fn wrong(answered: &Answered) -> Vec<String> {
    let mut wrong = Vec::new();
    let here = |code: &&CodeInfo| !ELSEWHERE.contains(&code.family) || OF_PODS.contains(&code.name);
    for code in codes().into_iter().filter(here) {
        let (intents, choices) = answered.get(code.name).copied().unwrap_or_default();
        let by_hand = BY_HAND.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let by_hand = by_hand.filter(|row| row.len() > 2).any(|row| row[0] == code.name);
        let holds = match code.class {
            FixClass::Rule => intents > 0,
            FixClass::Ask => (intents + choices > 0) != by_hand,
            FixClass::Model | FixClass::None => intents + choices == 0,
        };
        if !holds {
            wrong.push(format!("{} is {:?}: {intents} edits, {choices} times choices", code.name, code.class));
        }
    }
    wrong
}

#[test]
fn every_code_is_answered_as_its_class_says() {
    let tests =
        [asked::MADE, asked_of_pods::MADE, chosen::MADE, delivered::MADE, namespace::MADE, pods::MADE, traffic::MADE];
    tests.into_iter().flatten().for_each(|made| made());
    for name in RECORDED {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name);
        let snapshot = files::load(&folder, None).unwrap();
        for finding in diagnose(&snapshot).findings {
            let _ = candidates(&snapshot, &finding);
        }
    }
    let wrong = wrong(&ANSWERED.take());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The table itself tells what is missing.
    assert!(self::wrong(&Answered::new()).len() > 40);
}
