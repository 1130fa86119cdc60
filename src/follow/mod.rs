//! What became of a pushed fix: Git, forge and cluster.
//!
//! Pure: what was seen of each is a value, and one that was not seen is named. "Not looked at" never looks healthy.

pub mod cluster;
pub mod content;
pub mod controller;
pub mod forge;
pub mod git;
mod judge;
mod news;
mod subject;
#[cfg(test)]
mod tests;
mod told;

pub use judge::{Seen, judge, waiting, wanted};
pub use news::news;
pub use subject::{FileEdit, LiveEdit, Subject};
pub use told::{Words, of_commit};

use crate::model::record::Phase;
use serde::Serialize;
use serde_json::Value;

/// Where something was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Record,
    Git,
    Forge,
    Cluster,
}

impl Source {
    /// `record`, `git`, `forge` or `cluster`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Git => "git",
            Self::Forge => "forge",
            Self::Cluster => "cluster",
        }
    }
}

/// What was seen of one source, or why nothing was.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked<T> {
    Seen(T),
    Not(String),
}

impl<T> Asked<T> {
    /// What was seen.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(seen) => Some(seen),
            Self::Not(_) => None,
        }
    }
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub source: Source,
    /// The phase that it speaks of.
    pub phase: Phase,
    /// Foreign text is in it.
    pub text: String,
}

/// A source that was not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unasked {
    pub source: Source,
    pub why: String,
}

/// Whether there is anything left to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// It is healed.
    Well,
    /// It is worse, reverted, or was closed without a merge.
    Ill,
    /// It can still go either way.
    Open,
}

/// What it comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The last phase that was reached.
    pub phase: Phase,
    pub end: End,
    pub lines: Vec<Line>,
    pub unasked: Vec<Unasked>,
    /// Phases that were seen to be reached, in order, with what the record says of each.
    pub reached: Vec<(Phase, Value)>,
}
