//! What a record says of a proposal or a refusal.

use crate::model::finding::Finding;
use crate::model::proposal::Proposal;
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use serde_json::{Value, json};

/// Who ran which command on what.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'c> {
    pub snapshot: &'c Snapshot,
    /// The command line as it was typed, words joined.
    pub command: &'c str,
    /// The Git identity, when there is one.
    pub who: &'c str,
}

/// Body of the entry `proposed`. `patch` is the unified diff.
pub fn proposed(proposal: &Proposal, patch: &str, circumstances: &Circumstances<'_>) -> Value {
    json!({
        "failure": failure(&proposal.finding),
        "context": context(&proposal.finding, circumstances),
        "prompt": proposal.asked,
        "proposedFix": {
            "intent": proposal.intent,
            "origin": proposal.origin,
            "edits": proposal.edits,
            "diff": patch,
            "proof": proposal.proof,
            "disposition": proposal.disposition,
            "branch": proposal.branch,
        },
        "policyReport": proposal.evaluation,
    })
}

/// Body of the entry `refused`.
pub fn refused(finding: &Finding, refusal: &Refusal, circumstances: &Circumstances<'_>) -> Value {
    json!({
        "failure": failure(finding),
        "context": context(finding, circumstances),
        "refusal": refusal,
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
        "evidence": finding.evidence,
        "effects": finding.effects,
        "change": finding.change,
        "gaps": snapshot.gaps,
        "command": circumstances.command,
        "who": circumstances.who,
        "version": env!("CARGO_PKG_VERSION"),
    })
}
