//! What the forge says of the pull request.

use super::{Line, Source};
use crate::model::record::Phase;
use serde_json::{Value, json};

/// How the request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Open,
    Merged,
    Closed,
}

/// What a reviewer said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Foreign.
    pub by: String,
    pub approves: bool,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeFacts {
    pub number: u64,
    pub address: String,
    pub standing: Standing,
    pub draft: bool,
    /// The commit on the base branch that the merge made, when it is told.
    pub merged: Option<String>,
    /// Who merged it; foreign.
    pub by: Option<String>,
    /// The last word of each reviewer.
    pub reviews: Vec<Review>,
}

impl ForgeFacts {
    /// One row of how it stands, one of what was said.
    pub(super) fn lines(&self) -> Vec<Line> {
        let line = |phase, text| Line { source: Source::Forge, phase, text };
        let by = self.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let (phase, words) = match self.standing {
            Standing::Open if self.draft => (Phase::PullRequest, "open, a draft".to_owned()),
            Standing::Open => (Phase::PullRequest, "open".to_owned()),
            Standing::Merged => (Phase::Merged, format!("merged{by}")),
            Standing::Closed => (Phase::Closed, "closed without a merge".to_owned()),
        };
        let mut lines = vec![line(phase, format!("{}: {words}", self.address))];
        for (approves, words) in [(true, "approved by"), (false, "changes asked for by")] {
            let names: Vec<&str> =
                self.reviews.iter().filter(|one| one.approves == approves).map(|one| one.by.as_str()).collect();
            if !names.is_empty() {
                lines.push(line(Phase::Reviewed, format!("{words} {}", crate::text::and(&names))));
            }
        }
        lines
    }

    /// What the record says of the reviews; `None` without one.
    pub(super) fn reviewed(&self) -> Option<Value> {
        let said = |approves: bool| -> Vec<&str> {
            self.reviews.iter().filter(|one| one.approves == approves).map(|one| one.by.as_str()).collect()
        };
        (!self.reviews.is_empty()).then(|| json!({"approved": said(true), "changesAsked": said(false)}))
    }
}
