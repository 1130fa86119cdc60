//! What the cluster says: arrived, rolled out, healed.

use super::Subject;
use super::controller::Controller;
use crate::diagnose::{self, Standing};
use crate::model::finding::{Finding, Severity};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::quantity::Quantity;
use crate::model::snapshot::Snapshot;
use crate::redact;
use jiff::Timestamp;
use serde_json::Value;

/// How one live field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Wanted,
    /// The value from before the fix.
    Old,
    Other,
    /// It cannot be compared: the record holds no secret, or the merged value is not known.
    Unknown,
}

/// One live field of the fix.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveField {
    pub path: Path,
    pub wanted: Option<Value>,
    pub now: Option<Value>,
    pub holds: Holds,
}

/// What was seen of the object and its failure.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterFacts {
    pub context: String,
    /// The cluster's clock.
    pub now: Option<Timestamp>,
    /// Whether the changed object is there; `None`: it was not seen, and could not have been.
    pub there: Option<bool>,
    pub fields: Vec<LiveField>,
    pub controller: Option<Controller>,
    /// When the object was last written.
    pub written: Option<Timestamp>,
    /// `None` for what is no workload.
    pub standing: Option<Standing>,
    /// The same failure, as it is now.
    pub still: Option<String>,
    /// Failures in its place, `code: summary`.
    pub instead: Vec<String>,
    /// Essential things that were not seen, `what: why`.
    pub gaps: Vec<String>,
}

/// Reads the facts off a diagnosed snapshot. `wanted` tells the value that a field of the live object should have,
/// where the merge has another one than the proposal.
pub fn facts(
    snapshot: &Snapshot,
    findings: &[Finding],
    subject: &Subject,
    wanted: impl Fn(usize) -> Option<Value>,
) -> ClusterFacts {
    let live = snapshot.seen(&subject.target);
    let gaps: Vec<String> =
        snapshot.gaps.iter().filter(|gap| gap.essential).map(|gap| format!("{}: {}", gap.what, gap.why)).collect();
    let worse = findings.iter().filter(|finding| finding.severity != Severity::Info);
    let (same, others): (Vec<&Finding>, Vec<&Finding>) =
        worse.filter(|finding| is_about(finding, subject)).partition(|finding| is_same(finding, subject));
    let is_new = |finding: &&&Finding| match (finding.since, subject.pushed) {
        (Some(since), Some(pushed)) => since > pushed,
        _ => true,
    };
    ClusterFacts {
        context: snapshot.context.clone(),
        now: snapshot.now(),
        there: match &live {
            Some(_) => Some(true),
            None => gaps.is_empty().then_some(false),
        },
        fields: live.map(|live| fields(&live.to_value(), subject, wanted)).unwrap_or_default(),
        controller: Controller::of(snapshot, subject),
        written: diagnose::written(snapshot, &subject.target),
        standing: diagnose::standing(snapshot, &subject.object),
        still: same.first().map(|finding| finding.summary.clone()),
        instead: others
            .iter()
            .filter(is_new)
            .map(|finding| format!("{}: {}", finding.code.name(), finding.summary))
            .collect(),
        gaps,
    }
}

/// Whether a finding is about what failed, or what was changed, or has it among its effects.
fn is_about(finding: &Finding, subject: &Subject) -> bool {
    let ours = |object: &ObjectRef| object.same_object(&subject.object) || object.same_object(&subject.target);
    ours(&finding.object) || finding.effects.iter().any(|effect| ours(&effect.object))
}

fn is_same(finding: &Finding, subject: &Subject) -> bool {
    finding.code.name() == subject.code
        && finding.object.same_object(&subject.object)
        && (finding.container.is_none() || subject.container.is_none() || finding.container == subject.container)
}

fn fields(live: &Value, subject: &Subject, wanted: impl Fn(usize) -> Option<Value>) -> Vec<LiveField> {
    let each = subject.live.iter().enumerate().map(|(at, edit)| {
        // Values of a ConfigMap are not kept.
        let unkept = subject.target.kind == "ConfigMap" && edit.path.starts_with(&Path::of("data"));
        let now = edit.path.get(live).filter(|_| !unkept).cloned();
        let wanted = wanted(at).or_else(|| edit.new.clone());
        let masked = |value: &Option<Value>| value.as_ref().is_some_and(has_mask);
        let holds = if unkept || masked(&wanted) || masked(&edit.old) {
            Holds::Unknown
        } else if same(now.as_ref(), wanted.as_ref()) {
            Holds::Wanted
        } else if same(now.as_ref(), edit.old.as_ref()) {
            Holds::Old
        } else {
            Holds::Other
        };
        let shown = |value: Option<Value>| value.map(|value| redact::field(&edit.path, &value));
        LiveField { path: edit.path.clone(), wanted: shown(wanted), now: shown(now), holds }
    });
    each.collect()
}

/// A value that the record holds without its secret part.
fn has_mask(value: &Value) -> bool {
    match value {
        Value::String(text) => redact::is_masked(text),
        Value::Array(items) => items.iter().any(has_mask),
        Value::Object(map) => map.values().any(has_mask),
        _ => false,
    }
}

/// Equal for Kubernetes: `0.5` is `500m`, and what is wanted may have got defaults.
fn same(now: Option<&Value>, wanted: Option<&Value>) -> bool {
    match (now, wanted) {
        (None, None) => true,
        (Some(Value::Object(now)), Some(Value::Object(wanted))) => {
            wanted.iter().all(|(key, value)| same(now.get(key), Some(value)))
        }
        (Some(Value::Array(now)), Some(Value::Array(wanted))) => {
            now.len() == wanted.len() && now.iter().zip(wanted).all(|(now, wanted)| same(Some(now), Some(wanted)))
        }
        (Some(now), Some(wanted)) => {
            now == wanted || Quantity::of(now).is_some_and(|quantity| Quantity::of(wanted) == Some(quantity))
        }
        _ => false,
    }
}
