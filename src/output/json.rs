//! JSON: the contract that others build on.

use super::deployment;
use super::doctor_text::Checkup;
use super::patch;
use crate::diagnose::Check;
use crate::error::Error;
use crate::model::code::CodeInfo;
use crate::model::finding::{Finding, Severity};
use crate::model::object::ObjectRef;
use crate::model::proposal::{Outcome, Proposal, Signal};
use crate::model::published::Published;
use crate::model::record::{Entry, Phase};
use crate::model::report::ScanReport;
use crate::model::verdict::Evaluation;
use crate::narrative::Narrative;
use crate::proposal::record;
use crate::redact;
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Version of every document.
pub const API_VERSION: &str = "aifix.dev/v1alpha1";

/// `ScanReport`.
///
/// # Errors
/// Only a bug: the report can't be serialised.
pub fn scan(report: &ScanReport) -> Result<String, Error> {
    document("ScanReport", &to_value(report)?)
}

/// `ScanReport` on one line.
///
/// # Errors
/// Only a bug: the report can't be serialised.
pub fn scan_line(report: &ScanReport) -> Result<String, Error> {
    let whole = whole("ScanReport", &to_value(report)?);
    let text = serde_json::to_string(&redact::value(&whole)).map_err(|error| unwritten(&error))?;
    Ok(escaped(&text))
}

/// `CodeList`.
///
/// # Errors
/// Only a bug: the list can't be serialised.
pub fn codes(codes: &[&CodeInfo]) -> Result<String, Error> {
    let rows: Result<Vec<Value>, Error> = codes
        .iter()
        .map(|code| {
            let mut row = to_value(code)?;
            row["fix"] = json!({"class": code.class, "summary": code.fix});
            row["hypothesis"] = json!(code.is_hypothesis());
            Ok(row)
        })
        .collect();
    document("CodeList", &json!({"codes": rows?}))
}

/// What was done with a proposal after it was shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Done {
    pub commit: Option<String>,
    pub pushed: bool,
    /// `{action, url, number, draft, reason}`.
    pub pull_request: Option<Value>,
    pub record: Option<String>,
}

/// `ProposalReport`.
///
/// # Errors
/// Only a bug: a proposal can't be serialised.
pub fn proposals(outcomes: &[(Outcome, Done)]) -> Result<String, Error> {
    let rows: Result<Vec<Value>, Error> = outcomes
        .iter()
        .map(|(outcome, done)| match outcome {
            Outcome::Proposed(proposal) => proposed(proposal, done),
            Outcome::Refused { finding, refusal } => {
                Ok(json!({"finding": to_value(finding)?, "pushed": false, "record": done.record, "refusal": record::refusal(refusal)}))
            }
        })
        .collect();
    document("ProposalReport", &json!({"proposals": rows?}))
}

fn proposed(proposal: &Proposal, done: &Done) -> Result<Value, Error> {
    Ok(json!({
        "finding": to_value(&proposal.finding)?,
        "intent": record::intent(&proposal.intent),
        "origin": to_value(&proposal.origin)?,
        "edits": to_value(&proposal.edits)?,
        "diff": patch::text(proposal),
        "proof": to_value(&proposal.proof)?,
        "next": to_value(&proposal.next)?,
        "reverts": to_value(&proposal.reverts)?,
        "verdicts": to_value(&proposal.evaluation.verdicts)?,
        "policies": to_value(&proposal.evaluation.policies)?,
        "disposition": to_value(&proposal.disposition)?,
        "opinion": proposal.asked.as_ref().and_then(|asked| asked.get("opinion")),
        "lessons": proposal.lessons,
        "branch": proposal.branch,
        "commit": done.commit,
        "pushed": done.pushed,
        "pullRequest": done.pull_request,
        "record": done.record,
        "notProved": proposal.proof.not_proved,
    }))
}

/// `Explanation`: the roots behind one object, or what was looked at when it is healthy. A narrative is
/// about the first root, and cites that one's evidence.
///
/// # Errors
/// Only a bug: a finding can't be serialised.
pub fn explanation(
    object: &ObjectRef,
    roots: &[&Finding],
    checks: &[Check],
    trail: &[Signal],
    narrative: Option<&Narrative>,
) -> Result<String, Error> {
    let mut content = json!({
        "object": to_value(object)?,
        "failing": roots.iter().any(|finding| finding.severity != Severity::Info),
        "roots": to_value(&roots)?,
        "checks": to_value(&checks)?,
        "trail": to_value(&trail)?,
    });
    if let Some(narrative) = narrative {
        content["narrative"] = to_value(narrative)?;
    }
    document("Explanation", &content)
}

/// `Checkup`: what works here.
///
/// # Errors
/// Only a bug: the list can't be serialised.
pub fn doctor(checkups: &[Checkup]) -> Result<String, Error> {
    document("Checkup", &json!({"checkups": to_value(&checkups)?}))
}

/// `PolicyReport`: what policies say of manifests.
///
/// # Errors
/// Only a bug: the report can't be serialised.
pub fn verdicts(evaluation: &Evaluation, objects: usize) -> Result<String, Error> {
    let decision = to_value(&evaluation.decision())?;
    let (verdicts, policies) = (to_value(&evaluation.verdicts)?, to_value(&evaluation.policies)?);
    document(
        "PolicyReport",
        &json!({"objects": objects, "decision": decision, "verdicts": verdicts, "policies": policies}),
    )
}

/// Records as a list of series of entries.
///
/// # Errors
/// Only a bug: an entry can't be serialised.
pub fn records(records: &[Vec<Entry>]) -> Result<String, Error> {
    let rows: Result<Vec<Value>, Error> = records.iter().map(|entries| aifix(entries)).collect();
    document("AIFixList", &json!({"items": rows?}))
}

/// One `AIFix` record.
///
/// # Errors
/// Only a bug: an entry can't be serialised.
pub fn record(entries: &[Entry]) -> Result<String, Error> {
    let value = aifix(entries)?;
    render(&value)
}

/// `PublishedList`: what commits say of records.
///
/// # Errors
/// Only a bug: a commit can't be serialised.
pub fn published(commits: &[Published]) -> Result<String, Error> {
    document("PublishedList", &json!({"items": to_value(&commits)?}))
}

pub(super) fn aifix(entries: &[Entry]) -> Result<Value, Error> {
    let first = entries.first();
    let last = entries.last();
    let body = |name: &str| first.and_then(|entry| entry.body.get(name)).cloned().unwrap_or(Value::Null);
    let mut policies = body("policyReport");
    if let Some(report) = policies.as_object_mut() {
        report.insert("approvals".to_owned(), approvals(entries));
    }
    let pushed = entries.iter().find_map(|entry| entry.body.get("commit"));
    let request = entries.iter().find(|entry| entry.phase == Phase::PullRequest);
    let request = request.map(|entry| json!({"number": entry.body.get("number"), "url": entry.body.get("url")}));
    Ok(json!({
        "apiVersion": API_VERSION,
        "kind": "AIFix",
        "metadata": {"name": first.map(|entry| &entry.record), "creationTimestamp": first.map(|entry| &entry.at)},
        "spec": {
            "failure": body("failure"),
            "context": body("context"),
            "prompt": body("prompt"),
            "proposedFix": body("proposedFix"),
            "policyReport": policies,
            "refusal": body("refusal"),
            "suggestion": body("suggestion"),
        },
        "status": {
            "phase": last.map(|entry| entry.phase.name()),
            "commit": pushed,
            "pullRequest": request,
            "deployment": deployment::deployment(entries),
            "conditions": deployment::conditions(entries),
            "entries": to_value(&entries)?,
        },
    }))
}

/// Who allowed the push, and how: the demands of policies that it meets are named.
fn approvals(entries: &[Entry]) -> Value {
    let rows = entries.iter().filter_map(|entry| {
        let mut row = entry.body.get("answer")?.as_object()?.clone();
        row.insert("at".to_owned(), Value::String(entry.at.clone()));
        Some(Value::Object(row))
    });
    rows.collect()
}

pub(super) fn document(kind: &str, content: &Value) -> Result<String, Error> {
    render(&whole(kind, content))
}

fn whole(kind: &str, content: &Value) -> Value {
    let mut whole = json!({"apiVersion": API_VERSION, "kind": kind});
    if let (Some(whole), Some(content)) = (whole.as_object_mut(), content.as_object()) {
        whole.extend(content.clone());
    }
    whole
}

pub(super) fn to_value<T: Serialize>(value: &T) -> Result<Value, Error> {
    serde_json::to_value(value).map_err(|error| unwritten(&error))
}

fn unwritten(error: &serde_json::Error) -> Error {
    Error::bug("a report could not be written as JSON").caused_by(error)
}

/// Redacts, prints, and escapes what a terminal or a reader's eye would act on.
pub(super) fn render(value: &Value) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(&redact::value(value)).map_err(|error| unwritten(&error))?;
    Ok(escaped(&text))
}

/// The text with a line's end, and no character in it that a terminal acts on.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // Invisible characters stand inside strings only, where JSON allows the escape.
        if c != '\n' && (c.is_control() || crate::text::is_invisible(c)) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out.push('\n');
    // Some CI runners obey these anywhere in a line; both stand inside strings only.
    out.replace("##[", "\\u0023#[").replace("##vso[", "\\u0023#vso[")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_characters_are_escaped_and_the_json_says_the_same() {
        let value = json!({"name": "a\u{202e}b\u{1b}[2J\u{9b}\u{e0041} ##[error]x \\##vso[task.x]"});
        let text = render(&value).unwrap();
        assert!(text.is_ascii() && !text.contains("##"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
