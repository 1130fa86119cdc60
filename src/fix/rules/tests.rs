//! Each rule on made objects, beside a near twin of each.
#![allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]

use crate::diagnose::testing::{of, ready, refused};
use crate::diagnose::{codes, diagnose};
use crate::model::code::FixClass;
use crate::model::finding::{Finding, Severity};
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::path::{Path, Step};
use crate::model::refusal::Refusal;
use crate::model::snapshot::{LogLine, LogTail, Scope, Snapshot};
use crate::model::verdict::{Decision, Verdict};
use crate::policy::{Change, Input, Surroundings, testing};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

mod asked;
mod asked_of_pods;
mod chosen;
mod classes;
mod delivered;
mod namespace;
mod never;
mod pods;
mod traffic;

/// One rule: what shows the code, what it answers, and what a near twin gets.
struct Row {
    code: &'static str,
    objects: Vec<Value>,
    /// `safe PATH: OLD -> NEW`, `review ...`, or a refusal with its choices: `needs-choice [... | ...]`.
    answer: &'static str,
    twin: Vec<Value>,
    /// `none` where the twin does not show the code at all.
    of_twin: &'static str,
}

/// What was answered to findings of a code: edits, and how often choices.
type Answered = BTreeMap<&'static str, (usize, usize)>;

thread_local! {
    static ANSWERED: RefCell<Answered> = RefCell::default();
}

/// What the rules answer, kept for the table of classes.
fn candidates(snapshot: &Snapshot, finding: &Finding) -> Result<Vec<Intent>, Refusal> {
    let answer = crate::fix::candidates(snapshot, finding);
    ANSWERED.with_borrow_mut(|answered| {
        let (intents, choices) = answered.entry(finding.code.name()).or_default();
        match &answer {
            Ok(_) => *intents += 1,
            Err(refusal) => *choices += usize::from(!refusal.choices.is_empty()),
        }
    });
    answer
}

fn answer(snapshot: &Snapshot, finding: &Finding) -> String {
    let edits = |intent: &Intent| {
        let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
        let one = |edit: &FieldEdit| format!("{}: {} -> {}", edit.path, shown(&edit.old), shown(&edit.new));
        let object =
            if intent.object.same_object(&finding.object) { String::new() } else { format!("{} ", intent.object) };
        format!("{object}{}", intent.edits.iter().map(one).collect::<Vec<_>>().join("; "))
    };
    match candidates(snapshot, finding) {
        Ok(intents) => {
            format!("{} {}", if intents[0].review.is_empty() { "safe" } else { "review" }, edits(&intents[0]))
        }
        Err(Refusal { code, choices, .. }) if choices.is_empty() => code.to_owned(),
        Err(Refusal { code, choices, .. }) => {
            format!("{code} [{}]", choices.iter().map(edits).collect::<Vec<_>>().join(" | "))
        }
    }
}

fn told(objects: &[Value], code: &str) -> String {
    let snapshot = of(objects);
    let found = diagnose(&snapshot);
    match found.findings.iter().find(|finding| finding.code.name() == code) {
        Some(finding) => answer(&snapshot, finding),
        None => "none".to_owned(),
    }
}

/// Writes an edit into the objects as the cluster would have it.
fn apply(objects: &mut [Value], intent: &Intent) {
    let target = objects
        .iter_mut()
        .find(|one| {
            one["kind"] == intent.object.kind.as_str() && one["metadata"]["name"] == intent.object.name.as_str()
        })
        .unwrap();
    for edit in &intent.edits {
        match (&edit.new, edit.path.0.last()) {
            (None, _) => {
                edit.path.remove(target).unwrap();
            }
            (Some(new), Some(Step::Item { .. })) if edit.op == Op::Add => {
                let list = edit.path.parent().unwrap();
                let mut items = list.get(target).and_then(Value::as_array).cloned().unwrap_or_default();
                items.push(new.clone());
                assert!(list.set(target, json!(items)), "{}", edit.path);
            }
            (Some(new), _) => assert!(edit.path.set(target, new.clone()), "{}", edit.path),
        }
    }
}

fn worse(snapshot: &Snapshot) -> BTreeSet<String> {
    let found = diagnose(snapshot).findings;
    let all = found.iter().filter(|finding| finding.severity != Severity::Info);
    all.map(|finding| format!("{} {}", finding.code, finding.object)).collect()
}

/// What the policies that come with the binary have against an edit, but for the approvals that its code is known for.
fn stopped(before: &[Value], after: &[Value], intent: &Intent, finding: &Finding) -> Vec<String> {
    // Who a pod is and where its data lies is never decided without a person.
    const APPROVED: [(&str, &str); 4] = [
        ("serviceaccount-missing", "access_rights"),
        ("storageclass-missing", "critical_objects"),
        ("pvc-no-class", "critical_objects"),
        ("pvc-volume-name-mismatch", "critical_objects"),
    ];
    let is_it = |one: &&Value| {
        one["kind"] == intent.object.kind.as_str() && one["metadata"]["name"] == intent.object.name.as_str()
    };
    let (Some(old), Some(new)) = (before.iter().find(is_it), after.iter().find(is_it)) else { return Vec::new() };
    // Whether budgets were seen is not asked here.
    let seen = Surroundings::of(&Snapshot::new("lab", Scope::All));
    let changes = vec![Change::new(intent.object.clone(), old, new, true, false).within(&seen)];
    let value = |value: Result<Value, _>| value.unwrap_or_default();
    let input = Input {
        intent: value(serde_json::to_value(intent)),
        finding: value(serde_json::to_value(finding)),
        author: value(serde_json::to_value(intent.author)),
        disposition: value(serde_json::to_value(intent.disposition)),
        ..Input::change(changes)
    };
    let code = finding.code.name();
    let stops = |verdict: &Verdict| match verdict.decision {
        Decision::Deny => true,
        Decision::NeedsApproval => !APPROVED.contains(&(code, verdict.policy.as_str())),
        Decision::Warn | Decision::Allow => false,
    };
    let told = |verdict: Verdict| format!("{code}: policy {} stops it: {}", verdict.policy, verdict.message);
    testing::verdicts(&input.to_value()).into_iter().filter(stops).map(told).collect()
}

/// Codes that the specs alone decide: the applied edit removes the finding.
const BY_SPEC: [&str; 9] = [
    "ingress-backend-port-missing",
    "ingress-backend-service-missing",
    "ingress-class-missing",
    "ingress-no-class",
    "pdb-selects-nothing",
    "rollout-zero-surge-zero",
    "service-named-port-missing",
    "service-selector-mismatch",
    "service-target-port-mismatch",
];

/// The answer of each row and of its twin, and what holds for every edit among them.
fn check(rows: Vec<Row>) {
    let mut wrong = Vec::new();
    for row in rows {
        for (objects, want, which) in [(&row.objects, row.answer, ""), (&row.twin, row.of_twin, " of its twin")] {
            let got = told(objects, row.code);
            if got != want {
                wrong.push(format!("{}{which}:\n   got {got}\n  want {want}", row.code));
            }
            settles(objects, row.code, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first edit is of what is there, no policy of ours stops it, and once it is applied its rule has nothing more to
/// propose; where the specs alone decide, the finding is gone and no other has come.
fn settles(objects: &[Value], code: &str, wrong: &mut Vec<String>) {
    let snapshot = of(objects);
    let found = diagnose(&snapshot);
    let Some(finding) = found.findings.iter().find(|finding| finding.code.name() == code) else { return };
    let Ok(intents) = candidates(&snapshot, finding) else { return };
    for edit in &intents[0].edits {
        let live = crate::fix::case::Case::new(&snapshot, finding).unwrap().on(&intents[0].object).unwrap().live;
        assert_eq!(edit.old.as_ref(), edit.path.get(&live), "{code}: {}", edit.path);
    }
    let mut after = objects.to_vec();
    apply(&mut after, &intents[0]);
    wrong.extend(stopped(objects, &after, &intents[0], finding));
    let after = of(&after);
    if let Ok(again) = candidates(&after, finding) {
        wrong.push(format!("{code}: it proposes more after its own edit: {:?}", again[0].subject));
    }
    let left = diagnose(&after).findings;
    let same = |other: &&Finding| other.code == finding.code && other.object.same_object(&finding.object);
    if let Some(again) = left.iter().filter(same).find_map(|other| candidates(&after, other).ok()) {
        wrong.push(format!("{code}: found again, it proposes more: {:?}", again[0].subject));
    }
    if BY_SPEC.contains(&code) {
        let added: Vec<String> = worse(&after).difference(&worse(&snapshot)).cloned().collect();
        if left.iter().any(|other| same(&other)) || !added.is_empty() {
            wrong.push(format!("{code} stays, or its edit adds something: {added:?} {left:?}"));
        }
    }
}

/// Families whose rules stand in another place.
const ELSEWHERE: [&str; 7] = ["image", "start", "crash", "probe", "eviction", "scheduling", "config"];

#[test]
fn every_code_that_facts_decide_has_a_rule() {
    let bare: Vec<&str> = codes()
        .iter()
        .filter(|code| code.class == FixClass::Rule && !ELSEWHERE.contains(&code.family))
        .map(|code| code.name)
        .filter(|name| super::of(name).is_none())
        .collect();
    assert!(bare.is_empty(), "{bare:?}");
    for (name, _) in super::FAMILIES.into_iter().flatten() {
        assert!(codes().iter().any(|code| code.name == *name), "{name} is no code");
        assert_eq!(super::FAMILIES.into_iter().flatten().filter(|(other, _)| other == name).count(), 1, "{name}");
    }
}

/// The snapshot with one line in the log of container `app` of this pod.
fn with_log(mut snapshot: Snapshot, pod: &str, text: &str) -> Snapshot {
    snapshot.logs.push(LogTail {
        namespace: "a".to_owned(),
        pod: pod.to_owned(),
        container: "app".to_owned(),
        previous: false,
        lines: vec![LogLine { at: None, text: text.to_owned() }],
    });
    snapshot
}

/// The same object, made by a controller.
fn owned_by(mut object: Value, kind: &str, name: &str) -> Value {
    let api = if kind == "CronJob" || kind == "Job" { "batch/v1" } else { "apps/v1" };
    object["metadata"]["ownerReferences"] =
        json!([{"apiVersion": api, "kind": kind, "name": name, "uid": format!("{kind}-{name}"), "controller": true}]);
    object
}

fn deployment(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})
}

/// The specs of a Deployment that runs ready pods with these labels and port.
fn web(labels: Value) -> [Value; 1] {
    [ready("web-1", labels)]
}

fn named(kind: &str, api_version: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

#[test]
fn policies_and_quotas_are_never_edited() {
    let finding = |kind: &str, version: &str| {
        let objects = [
            refused("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2", json!({})),
            json!({"apiVersion": version, "kind": kind, "metadata": {"name": "q"}, "spec": {"hard": {"pods": "2"}}}),
        ];
        let snapshot = of(&objects);
        let found = diagnose(&snapshot).findings.remove(0);
        let intent = Intent {
            object: snapshot.kind(kind)[0].object(),
            edits: vec![FieldEdit {
                path: Path::of("spec.hard.pods"),
                op: Op::Set,
                old: Some(json!("2")),
                new: Some(json!("3")),
            }],
            subject: String::new(),
            why: String::new(),
            evidence: Vec::new(),
            author: crate::model::intent::Author::Rule,
            disposition: crate::model::intent::Disposition::Review,
            review: Vec::new(),
        };
        let case = crate::fix::case::Case::new(&snapshot, &found).unwrap();
        case.check(&intent).unwrap_err().code
    };
    assert_eq!(finding("ResourceQuota", "v1"), "not-in-git");
    assert_eq!(finding("LimitRange", "v1"), "not-in-git");
    assert_eq!(finding("NetworkPolicy", "networking.k8s.io/v1"), "weakens");
    assert_eq!(finding("PodDisruptionBudget", "policy/v1"), "weakens");
    assert_eq!(finding("Role", "rbac.authorization.k8s.io/v1"), "weakens");
}
