//! What the rules answer is what the class of a code promises. Codes of pods; those of other objects are beside the rules.

use super::answered::{Answered, candidates, taken};
use super::{decided, fixes, names, pod_rules, recorded, rules};
use crate::planned::by_hand;
use aifix::diagnose::{codes, diagnose};
use aifix::model::code::{CodeInfo, FixClass};
use std::collections::BTreeMap;

/// The families that are about pods.
const FAMILIES: [&str; 7] = ["config", "crash", "eviction", "image", "probe", "scheduling", "start"];

/// Made beside the rules, among objects.
const BESIDE_RULES: [&str; 9] = [
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

/// The codes of pods whose answers are not what their class says.
fn wrong(answered: &BTreeMap<&'static str, Answered>) -> Vec<String> {
    let mut wrong = Vec::new();
    let ours = |code: &&CodeInfo| FAMILIES.contains(&code.family) && !BESIDE_RULES.contains(&code.name);
    for code in codes().into_iter().filter(ours) {
        let Answered { intents, choices } = answered.get(code.name).copied().unwrap_or_default();
        let by_hand = by_hand().contains_key(code.name);
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
fn every_code_of_a_pod_is_answered_as_its_class_says() {
    for name in names() {
        let snapshot = recorded(&name);
        for finding in diagnose(&snapshot).findings {
            let _ = candidates(&snapshot, &finding);
        }
    }
    let tests = pod_rules::MADE.iter().chain(&fixes::MADE).chain(&decided::MADE).chain(&rules::MADE);
    tests.for_each(|made| made());
    let answered = taken();
    let wrong = wrong(&answered);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(answered.values().map(|one| one.intents).sum::<usize>() > 60, "too few edits were applied");
    // The table itself tells what is missing.
    assert!(self::wrong(&BTreeMap::new()).len() > 60);
}

#[test]
fn what_no_edit_mends_says_what_to_do_instead() {
    for code in codes().iter().filter(|code| code.class == FixClass::None) {
        let idle = ["Nothing.", "None.", "No fix."];
        assert!(code.fix.len() >= 20 && !idle.contains(&code.fix), "{}: {:?}", code.name, code.fix);
    }
}
