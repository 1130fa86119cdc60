//! What rules answer is what the class of a code promises.
//!
//! Codes of pods are in `tests/it/recorded/classes.rs`.

use super::{ANSWERED, Answered, ELSEWHERE, candidates, chosen, delivered, namespace, pods, traffic};
use crate::cluster::files;
use crate::diagnose::{codes, diagnose};
use crate::model::code::{CodeInfo, FixClass};

/// Codes of which a person decides, and no field of a manifest is the candidate.
const BY_HAND: [(&str, &str); 20] = [
    ("argocd-shared-resource", "which of the two keeps the object"),
    ("config-immutable", "the map gets a new name, and its users with it"),
    ("config-too-large", "what is kept elsewhere is not known"),
    ("drift-by-hand", "the change is made again in Git, or is undone"),
    ("ds-selects-all", "a selector can't be changed"),
    ("external-secret-not-synced", "the store and its key lie outside"),
    ("gateway-not-programmed", "what the listener refers to is made elsewhere"),
    ("hpa-ambiguous", "one of the autoscalers goes"),
    ("hpa-invalid-selector", "which series are meant is not known"),
    ("ingress-host-conflict", "one of the two Ingresses goes"),
    ("pdb-multiple", "one of the budgets goes"),
    ("pvc-misbound", "a decision about data"),
    ("pvc-quota", "a quota is never edited"),
    ("pvc-resize-failed", "a size between the two; which is not known"),
    ("quota-insufficient-scope", "a quota is never edited"),
    ("rolebinding-role-missing", "a roleRef can't be changed"),
    ("selector-overlap", "a selector can't be changed"),
    ("service-external-name-bad", "which host is meant is not known"),
    ("service-headless-misuse", "a cluster IP can't be changed"),
    ("sts-headless-service-missing", "the Service is made, or the set is made anew"),
];

/// Recordings that show what no made case does.
const RECORDED: [&str; 2] = ["rollout-surge-blocked.quota", "service-selector-mismatch"];

/// Codes of pods that are shown here, among objects.
const OF_PODS: [&str; 3] = ["config-url-typo", "env-ref-order", "unschedulable-host-port"];

/// The codes whose answers are not what their class says.
fn wrong(answered: &Answered) -> Vec<String> {
    let mut wrong = Vec::new();
    let here = |code: &&CodeInfo| !ELSEWHERE.contains(&code.family) || OF_PODS.contains(&code.name);
    for code in codes().into_iter().filter(here) {
        let (intents, choices) = answered.get(code.name).copied().unwrap_or_default();
        let by_hand = BY_HAND.iter().any(|(name, _)| *name == code.name);
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
    let tests = [chosen::MADE, delivered::MADE, namespace::MADE, pods::MADE, traffic::MADE];
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
