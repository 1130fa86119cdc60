//! What a model must answer on a recording is among what it is offered.

use super::{names, recorded};
use aifix::diagnose::diagnose;
use aifix::fix;
use aifix::fix::model::fields;
use std::collections::{BTreeMap, BTreeSet};

const CASES: &str = include_str!("../../eval/cases.tsv");

/// Right answers that are no such field of a container: of another kind, a whole list or text, another repository. A
/// rule decides them, and a model may only choose what the rule found.
const ELSEWHERE: [&str; 13] = [
    "configmap-missing",
    "evicted-ephemeral-limit",
    "ingress-backend-port-missing",
    "mount-type-mismatch.directory",
    "probe-scheme-mismatch",
    "pvc-no-matching-volume.named",
    "rollout-stalled",
    "rollout-surge-blocked.quota",
    "script-crlf",
    "service-named-port-missing",
    "service-selector-mismatch",
    "service-target-port-mismatch",
    "volume-key-missing",
];

#[test]
fn the_right_field_of_every_recording_is_offered() {
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in CASES.lines().filter(|line| !line.starts_with('#')) {
        let [case, field, _] = row.split('\t').collect::<Vec<_>>().try_into().unwrap();
        if field != "-" {
            wanted.entry(case).or_default().push(field);
        }
    }
    let all = names();
    let (mut missing, mut chosen) = (Vec::new(), Vec::new());
    for (case, right) in wanted.into_iter().filter(|(case, _)| all.iter().any(|name| name == case)) {
        let snapshot = recorded(case);
        let findings = diagnose(&snapshot).findings;
        let offered: BTreeSet<String> = findings
            .iter()
            .flat_map(|finding| fields(&snapshot, finding))
            .map(|field| field.path.to_string())
            .collect();
        let is_right = |path: &String| {
            let is_word = path.contains(".command[") || path.contains(".args[");
            right.iter().any(|field| path.ends_with(field) || *field == "words" && is_word)
        };
        if !offered.iter().any(is_right) {
            missing.push(case);
            let ruled = fix::candidates(&snapshot, &findings[0]).unwrap_or_default();
            chosen.extend(
                ruled
                    .iter()
                    .flat_map(|intent| &intent.edits)
                    .any(|edit| is_right(&edit.path.to_string()))
                    .then_some(case),
            );
        }
    }
    assert_eq!(missing, ELSEWHERE);
    assert_eq!(chosen, ELSEWHERE, "the rule's own change is offered in place of a field");
}
