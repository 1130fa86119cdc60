//! What a record says of a proposal or a refusal.

use crate::model::finding::Finding;
use crate::model::intent::Intent;
use crate::model::proposal::{ObjectChange, Proposal};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::redact;
use serde_json::{Value, json};

/// Who ran which command on what.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'c> {
    pub snapshot: &'c Snapshot,
    /// The command line as it was typed, words joined.
    pub command: &'c str,
    /// The Git identity, when there is one.
    pub who: &'c str,
    /// SHA-256 of what was seen.
    pub seen: &'c str,
    /// Version of the user's Git.
    pub git: &'c str,
    /// The repository that was fetched, without credentials, and the branch that a change is based on.
    pub repository: &'c str,
    pub base_branch: &'c str,
}

/// Body of the entry `proposed`. `patch` is the unified diff, which is kept without the secrets that
/// its lines hold.
pub fn proposed(proposal: &Proposal, patch: &str, circumstances: &Circumstances<'_>) -> Value {
    json!({
        "failure": failure(&proposal.finding),
        "context": context(&proposal.finding, circumstances),
        "prompt": proposal.asked,
        "proposedFix": {
            "intent": intent(&proposal.intent),
            "origin": proposal.origin,
            "edits": proposal.edits,
            "diff": redact::diff(patch).as_str(),
            "objects": objects(&proposal.objects),
            "proof": proposal.proof,
            "next": proposal.next,
            "reverts": proposal.reverts,
            "disposition": proposal.disposition,
            "branch": proposal.branch,
        },
        "policyReport": proposal.evaluation,
    })
}

/// Every object of the render that differs, whole, before and after; of a Secret only its name.
fn objects(changes: &[ObjectChange]) -> Value {
    let rows = changes.iter().map(|change| {
        let side = |value: &Value| if change.object.kind == "Secret" { Value::Null } else { redact::value(value) };
        let (before, after) = (side(&change.before), side(&change.after));
        json!({"object": change.object, "intended": change.intended, "before": before, "after": after})
    });
    rows.collect()
}

/// Body of the entry `refused`.
pub fn refused(finding: &Finding, refusal: &Refusal, circumstances: &Circumstances<'_>) -> Value {
    json!({
        "failure": failure(finding),
        "context": context(finding, circumstances),
        "prompt": refusal.heard.as_ref().and_then(|heard| heard.model.as_ref()),
        "policyReport": refusal.heard.as_ref().and_then(|heard| heard.policies.as_ref()),
        "refusal": self::refusal(refusal),
    })
}

/// A refusal with the changes that a person can choose among.
pub fn refusal(refusal: &Refusal) -> Value {
    let mut out = json!({"code": refusal.code, "message": refusal.message, "hint": refusal.hint});
    if !refusal.details.is_empty() {
        out["details"] = json!(refusal.details);
    }
    if !refusal.choices.is_empty() {
        out["choices"] = refusal.choices.iter().map(intent).collect();
    }
    out
}

/// An intent with its paths both as a person types them and as steps, secrets masked.
pub fn intent(intent: &Intent) -> Value {
    let edits = intent.edits.iter().map(|edit| {
        let shown = |value: &Option<Value>| value.as_ref().map(|value| redact::field(&edit.path, value));
        json!({
            "path": edit.path.to_string(),
            "steps": edit.path,
            "op": edit.op,
            "old": shown(&edit.old),
            "new": shown(&edit.new),
        })
    });
    json!({
        "object": intent.object,
        "edits": edits.collect::<Vec<_>>(),
        "subject": intent.subject,
        "why": intent.why,
        "evidence": intent.evidence,
        "author": intent.author,
        "disposition": intent.disposition,
        "review": intent.review,
    })
}

fn failure(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "object": finding.object,
        "container": finding.container,
        "summary": finding.summary,
        "since": finding.since,
    })
}

fn context(finding: &Finding, circumstances: &Circumstances<'_>) -> Value {
    let snapshot = circumstances.snapshot;
    json!({
        "cluster": snapshot.context,
        "scope": snapshot.scope.to_string(),
        "takenAt": snapshot.taken_at,
        "snapshot": circumstances.seen,
        "evidence": finding.evidence,
        "effects": finding.effects,
        "change": finding.change,
        "gaps": snapshot.gaps,
        "command": circumstances.command,
        "who": circumstances.who,
        "repository": circumstances.repository,
        "baseBranch": circumstances.base_branch,
        "version": env!("CARGO_PKG_VERSION"),
        "git": circumstances.git,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::intent::{Author, Disposition, FieldEdit, Op};
    use crate::model::object::ObjectRef;
    use crate::model::path::Path;

    #[test]
    fn a_changed_object_is_kept_whole_and_a_secret_by_its_name() {
        let change = |kind: &str, before: Value, after: Value| ObjectChange {
            good: Value::Null,
            object: ObjectRef::new("v1", kind, "shop", "web"),
            before,
            after,
            intended: kind == "ConfigMap",
        };
        let config =
            |level: &str| json!({"kind": "ConfigMap", "data": {"LEVEL": level, "DB_PASSWORD": "hunter2hunter2"}});
        let secret = json!({"kind": "Secret", "stringData": {"a": "s3cr3t"}});
        let kept =
            objects(&[change("ConfigMap", config("info"), config("debug")), change("Secret", Value::Null, secret)]);
        assert_eq!(kept[0]["before"]["data"]["LEVEL"], "info");
        assert_eq!(kept[0]["after"]["data"]["LEVEL"], "debug");
        assert_eq!((&kept[0]["intended"], &kept[1]["object"]["name"]), (&json!(true), &json!("web")));
        assert_eq!((&kept[1]["before"], &kept[1]["after"]), (&Value::Null, &Value::Null));
        assert!(!kept.to_string().contains("s3cr3t"), "{kept}");
        assert!(!kept.to_string().contains("hunter2"), "{kept}");
    }

    #[test]
    fn a_changed_field_is_recorded_as_a_person_types_it() {
        let edit =
            |path: &str, new: &str| FieldEdit { path: Path::of(path), op: Op::Set, old: None, new: Some(json!(new)) };
        let written = intent(&Intent {
            object: ObjectRef::new("apps/v1", "Deployment", "shop", "web"),
            edits: vec![
                edit("spec.containers[app].image", "web:2"),
                edit("spec.containers[app].env[TOKEN].value", "s3cr3t"),
            ],
            subject: String::new(),
            why: String::new(),
            evidence: Vec::new(),
            author: Author::Rule,
            disposition: Disposition::Safe,
            review: Vec::new(),
        });
        assert_eq!(written["edits"][0]["path"], "spec.containers[app].image");
        assert_eq!(written["edits"][0]["steps"][0], json!({"field": "spec"}));
        assert_eq!(written["disposition"], "safe");
        assert!(!written.to_string().contains("s3cr3t"), "{written}");
    }
}
