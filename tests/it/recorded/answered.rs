//! What rules answer, and that an applied answer leaves the same rule nothing more to do.

use aifix::diagnose::diagnose;
use aifix::fix;
use aifix::model::finding::{Finding, Severity};
use aifix::model::intent::{Intent, Op};
use aifix::model::path::{Path, Step};
use aifix::model::refusal::Refusal;
use aifix::model::snapshot::Snapshot;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Codes that the specs alone decide: the applied edit removes the finding.
const BY_SPEC: [&str; 5] = [
    "ingress-backend-port-missing",
    "pdb-selects-nothing",
    "service-named-port-missing",
    "service-selector-mismatch",
    "service-target-port-mismatch",
];

/// What was answered to findings of a code.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Answered {
    pub(super) intents: usize,
    pub(super) choices: usize,
}

thread_local! {
    static ANSWERED: RefCell<BTreeMap<&'static str, Answered>> = RefCell::default();
}

/// Everything that was answered on this thread so far.
pub(super) fn taken() -> BTreeMap<&'static str, Answered> {
    ANSWERED.take()
}

/// What the rules answer. Whichever test asks, the first edit is applied, and the rule must have no second one.
#[track_caller]
pub(super) fn candidates(snapshot: &Snapshot, finding: &Finding) -> Result<Vec<Intent>, Refusal> {
    let answer = fix::candidates(snapshot, finding);
    ANSWERED.with_borrow_mut(|answered| {
        let own = answered.entry(finding.code.name()).or_default();
        match &answer {
            Ok(_) => own.intents += 1,
            Err(refusal) => own.choices += usize::from(!refusal.choices.is_empty()),
        }
    });
    let offered = answer.as_ref().unwrap_or_else(|refusal| &refusal.choices);
    offered.iter().for_each(|intent| never(snapshot, finding, intent));
    if let Ok(intents) = &answer {
        settles(snapshot, finding, &intents[0]);
    }
    answer
}

/// No answer takes a probe, a limit or a policy away, touches a Secret, guesses a tag or scales to zero.
#[track_caller]
fn never(snapshot: &Snapshot, finding: &Finding, intent: &Intent) {
    let kinds = ["Secret", "NetworkPolicy", "ResourceQuota", "LimitRange", "ClusterRole", "ClusterRoleBinding"];
    assert!(!kinds.contains(&intent.object.kind.as_str()), "{}: {intent:#?}", finding.code);
    for edit in &intent.edits {
        let path = edit.path.to_string();
        let ends = |end: &str| path.ends_with(end);
        let protects = ["Probe", ".limits", ".limits.memory", ".limits.cpu", ".requests", "securityContext"];
        assert!(edit.op != Op::Remove || !protects.iter().any(|end| ends(end)), "{}: {edit:#?}", finding.code);
        assert!(path != "spec.replicas" || edit.new != Some(json!(0)), "{}: {edit:#?}", finding.code);
        assert!(
            !path.starts_with("spec.selector") || intent.object.group.is_empty() || intent.object.group == "policy"
        );
        if let Some(image) = edit.new.as_ref().and_then(Value::as_str).filter(|_| ends(".image")) {
            assert!(is_known(snapshot, edit.old.as_ref(), image), "{}: {image} is guessed", finding.code);
        }
    }
}

/// Whether an image is one that the cluster has, or the old one in right spelling.
fn is_known(snapshot: &Snapshot, old: Option<&Value>, image: &str) -> bool {
    let pods = snapshot.pods.iter().flat_map(|pod| &pod.spec.containers).any(|container| container.image == image);
    let mut objects = snapshot.objects.values().flatten();
    let quoted = json!(image).to_string();
    let spelled = old.and_then(Value::as_str).is_some_and(|old| {
        old.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'').to_lowercase() == image
    });
    pods || spelled || objects.any(|object| object.to_value().to_string().contains(&quoted))
}

#[track_caller]
fn settles(before: &Snapshot, finding: &Finding, intent: &Intent) {
    let after = applied(before, intent);
    let found = diagnose(&after).findings;
    let same = |other: &&Finding| other.code == finding.code && other.object.same_object(&finding.object);
    let again = found.iter().filter(same).find_map(|other| fix::candidates(&after, other).ok());
    assert!(again.is_none(), "{}: more after its own edit {:?}: {again:#?}", finding.code, intent.edits);
    if BY_SPEC.contains(&finding.code.name()) {
        assert!(!found.iter().any(|other| same(&other)), "{} stays after {:?}", finding.code, intent.edits);
        let (was, is) = (worse(&diagnose(before).findings), worse(&found));
        let added: Vec<&String> = is.difference(&was).collect();
        assert!(added.is_empty(), "{} adds {added:?}", finding.code);
    }
}

fn worse(findings: &[Finding]) -> BTreeSet<String> {
    let all = findings.iter().filter(|finding| finding.severity != Severity::Info);
    all.map(|finding| format!("{} {}", finding.code, finding.object)).collect()
}

/// The snapshot after the edits reached the object of the intent, and nothing has rolled out yet.
fn applied(snapshot: &Snapshot, intent: &Intent) -> Snapshot {
    let mut after = snapshot.clone();
    for object in after.objects.values_mut().flatten().filter(|object| object.object().same_object(&intent.object)) {
        let mut value = object.to_value();
        apply(&mut value, intent);
        *object = serde_json::from_value(value).unwrap();
    }
    for pod in after.pods.iter_mut().filter(|pod| pod.object().same_object(&intent.object)) {
        let mut value = serde_json::to_value(&*pod).unwrap();
        apply(&mut value, intent);
        *pod = serde_json::from_value(value).unwrap();
    }
    for map in after
        .config_maps
        .iter_mut()
        .filter(|map| map.object().is_some_and(|one| one.object().same_object(&intent.object)))
    {
        map.odd.retain(|key, _| intent.edits.iter().all(|edit| edit.path != Path::of("data").field(key)));
    }
    after
}

/// Writes an edit into an object as the cluster would have it.
pub(super) fn apply(object: &mut Value, intent: &Intent) {
    for edit in &intent.edits {
        match (&edit.new, edit.path.0.last()) {
            (None, _) => {
                edit.path.remove(object).unwrap();
            }
            (Some(new), Some(Step::Item { .. })) if edit.op == Op::Add => {
                let list = edit.path.parent().unwrap();
                let mut items = list.get(object).and_then(Value::as_array).cloned().unwrap_or_default();
                items.push(new.clone());
                assert!(list.set(object, json!(items)), "{}", edit.path);
            }
            (Some(new), _) => assert!(edit.path.set(object, new.clone()), "{}", edit.path),
        }
    }
}
