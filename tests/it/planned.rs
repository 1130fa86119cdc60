//! The class of each code against how it was meant to be answered.

use aifix::diagnose::codes;
use aifix::model::code::FixClass;
use std::collections::BTreeMap;

const ARMS: &str = include_str!("planned/arms.tsv");

/// Codes that are answered in another way than they were meant to be, and why.
const OTHERWISE: [(&str, FixClass, &str); 22] = [
    ("argocd-sync-failed", FixClass::Model, "as for flux-apply-failed"),
    (
        "crash-config-parse",
        FixClass::Model,
        "no fact tells what the file should say: --revert takes back the commit that changed its ConfigMap",
    ),
    ("crash-db-auth", FixClass::None, "a credential is never edited, and its limits are no choice"),
    (
        "crash-exit-126",
        FixClass::Ask,
        "the log tells no mount: a file's mode is command-not-executable, which has the rule",
    ),
    ("cronjob-blocked", FixClass::None, "an effect of the run that does not end: that one is answered"),
    ("cronjob-create-failed", FixClass::Model, "only the message of the API tells the cause, and it has no code"),
    (
        "flux-apply-failed",
        FixClass::Model,
        "the field is in the manifest alone, which is not live: no edit of a live object",
    ),
    ("job-backoff-exceeded", FixClass::Model, "its pods may be gone: then nothing but judgement is left"),
    ("job-failed-indexes", FixClass::Model, "its pods may be gone: then nothing but judgement is left"),
    ("job-max-failed-indexes", FixClass::Model, "its pods may be gone: then nothing but judgement is left"),
    ("networkpolicy-blocks", FixClass::Model, "a hypothesis, and a policy object is never edited"),
    ("node-disk-pressure", FixClass::None, "on a node: which pod's requests are missing is evicted-node-pressure"),
    ("node-memory-pressure", FixClass::None, "on a node: which pod's requests are missing is evicted-node-pressure"),
    ("node-pid-pressure", FixClass::None, "on a node: no request counts processes"),
    ("node-tainted", FixClass::None, "by intent; a pod that should be there is unschedulable-taint"),
    ("oom-node", FixClass::None, "on a node: the victim is not who took the memory"),
    ("pod-deadline-exceeded", FixClass::Ask, "the pod is over: an earlier deadline is no proof of what it needs"),
    (
        "pvc-no-matching-volume",
        FixClass::Ask,
        "a claim has no earlier revision; a volume that misses by one property is named",
    ),
    ("pvc-resize-failed", FixClass::Ask, "a claim has no earlier revision, and it never shrinks"),
    ("rollout-stalled", FixClass::None, "the code of the pod is answered, and --revert takes the whole template back"),
    ("sa-no-pull-secret", FixClass::Ask, "the account is of every pod here: another credential is a person's choice"),
    ("sts-claim-create-failed", FixClass::Model, "only the message of the API tells the cause, and it has no code"),
];

/// The class of the strongest arm.
fn class(arms: &str) -> FixClass {
    let has = |names: &[&str]| arms.split(' ').any(|arm| names.contains(&arm));
    match () {
        () if has(&["fact", "look", "past"]) => FixClass::Rule,
        () if has(&["ask"]) => FixClass::Ask,
        () if has(&["model"]) => FixClass::Model,
        () => FixClass::None,
    }
}

/// The arms of each code of the table.
fn planned() -> BTreeMap<&'static str, &'static str> {
    let rows = ARMS.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| line.split_once('\t').unwrap())
        .map(|(code, rest)| (code, rest.split_once('\t').map_or(rest, |(arms, _)| arms)))
        .collect()
}

/// Codes of which a person chooses, and no fact names a change to choose; each with the reason.
pub(crate) fn by_hand() -> BTreeMap<&'static str, &'static str> {
    let rows = ARMS.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| {
        let mut fields = line.split('\t');
        Some((fields.next()?, fields.nth(1)?))
    })
    .collect()
}

#[test]
fn what_has_no_change_to_choose_has_a_reason_and_says_what_to_do() {
    let rows: BTreeMap<&str, &aifix::model::code::CodeInfo> = codes().into_iter().map(|row| (row.name, row)).collect();
    for (code, why) in by_hand() {
        let row = rows.get(code).unwrap_or_else(|| panic!("{code} is no code"));
        assert_eq!(row.class, FixClass::Ask, "{code}: only where a person chooses");
        assert!(why.len() > 20, "{code}: {why:?} is no reason");
        let told = row.fix.trim_start_matches("A person chooses").trim_start_matches([':', ' ']);
        assert!(told.len() > 40, "{code} does not say what to do: {:?}", row.fix);
    }
    assert!(by_hand().len() > 10);
}

#[test]
fn every_code_has_the_class_that_it_was_meant_to_have_or_a_reason() {
    let planned = planned();
    let mut wrong = Vec::new();
    for code in codes() {
        let Some(arms) = planned.get(code.name) else {
            wrong.push(format!("{} is not in the table", code.name));
            continue;
        };
        let otherwise = OTHERWISE.iter().find(|(name, ..)| *name == code.name);
        let meant = class(arms);
        match otherwise {
            Some((_, is, why)) if meant == *is || why.len() < 20 => {
                wrong.push(format!("{}: {is:?} is as it was meant to be, or has no reason", code.name));
            }
            Some((_, is, _)) if code.class != *is => {
                wrong.push(format!("{} is {:?}, and the reason is for {is:?}", code.name, code.class));
            }
            None if code.class != meant => {
                wrong.push(format!("{} is {:?}, and was meant to be {meant:?}", code.name, code.class));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known: Vec<&str> = codes().iter().map(|code| code.name).collect();
    let gone: Vec<&&str> = planned.keys().filter(|name| !known.contains(name)).collect();
    assert!(gone.is_empty(), "no codes: {gone:?}");
    assert_eq!(planned.len(), known.len());
}

#[test]
fn the_arms_are_known_and_stand_by_strength() {
    const ORDER: [&str; 6] = ["fact", "look", "past", "ask", "model", "none"];
    for (code, arms) in planned() {
        let at: Vec<usize> = arms.split(' ').map(|arm| ORDER.iter().position(|own| *own == arm).unwrap()).collect();
        assert!(at.is_sorted_by(|a, b| a < b), "{code}: {arms}");
    }
}
