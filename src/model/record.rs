//! The record of one decision.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The state that one entry of a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A proved change, durable before anything is pushed.
    Proposed,
    /// No safe change was found.
    Refused,
    /// The person said No.
    Declined,
    /// The branch is on the remote.
    Pushed,
    /// A pull request asks for the branch.
    PullRequest,
    /// The push did not work, or the pull request after it.
    Failed,
    /// Somebody approved the pull request, or asked for changes.
    Reviewed,
    /// The change is in the base branch.
    Merged,
    /// The pull request was closed, or the branch deleted, without a merge.
    Closed,
    /// The controller has applied a revision with the change, or the live object has its values.
    Synced,
    /// The workload runs with it.
    RolledOut,
    /// The failure is gone and no new one took its place.
    Healed,
    /// The failure is still there, or another took its place.
    Worse,
    /// A later commit took the change back.
    Reverted,
    /// The live object has other values than the merged ones.
    Drifted,
    /// A person's word on the fix: accepted or rejected.
    Feedback,
    /// Bodies of the record's evidence were erased on demand.
    Erased,
}

impl Phase {
    /// Whether it tells what became of a change after it was pushed.
    pub fn is_outcome(self) -> bool {
        matches!(
            self,
            Self::Merged
                | Self::Closed
                | Self::Synced
                | Self::RolledOut
                | Self::Healed
                | Self::Worse
                | Self::Reverted
                | Self::Drifted
        )
    }

    /// Every phase, in the order in which they come.
    pub const ALL: [Self; 17] = [
        Self::Proposed,
        Self::Refused,
        Self::Declined,
        Self::Pushed,
        Self::PullRequest,
        Self::Failed,
        Self::Reviewed,
        Self::Merged,
        Self::Closed,
        Self::Synced,
        Self::RolledOut,
        Self::Healed,
        Self::Worse,
        Self::Reverted,
        Self::Drifted,
        Self::Feedback,
        Self::Erased,
    ];

    /// `proposed`, `refused`, `pull-request`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Refused => "refused",
            Self::Declined => "declined",
            Self::Pushed => "pushed",
            Self::PullRequest => "pull-request",
            Self::Failed => "failed",
            Self::Reviewed => "reviewed",
            Self::Merged => "merged",
            Self::Closed => "closed",
            Self::Synced => "synced",
            Self::RolledOut => "rolled-out",
            Self::Healed => "healed",
            Self::Worse => "worse",
            Self::Reverted => "reverted",
            Self::Drifted => "drifted",
            Self::Feedback => "feedback",
            Self::Erased => "erased",
        }
    }
}

/// What of a body can be erased: what was seen, what a model was asked, and what it said. The change itself
/// stays, as its commit holds it. JSON pointers, in order.
pub const ERASABLE: [&str; 11] = [
    "/context/change",
    "/context/effects",
    "/context/evidence",
    "/failure/summary",
    "/prompt/answers",
    "/prompt/opinion",
    "/prompt/request",
    "/proposedFix/intent/why",
    "/refusal/choices",
    "/refusal/details",
    "/refusal/message",
];

/// One link of the chain. `hash` covers every other field and the previous link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Position in the store, from 1.
    pub seq: u64,
    /// The record that it belongs to: 16 hex digits.
    pub record: String,
    pub phase: Phase,
    /// RFC 3339, UTC.
    pub at: String,
    /// The redacted content; its shape belongs to the phase.
    pub body: Value,
    /// Hash of the entry before, 64 hex digits.
    pub previous: String,
    /// HMAC-SHA-256 under the store's key, 64 hex digits.
    pub hash: String,
}
