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
}

impl Phase {
    /// `proposed`, `refused`, `pull-request`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Refused => "refused",
            Self::Declined => "declined",
            Self::Pushed => "pushed",
            Self::PullRequest => "pull-request",
            Self::Failed => "failed",
        }
    }
}

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
