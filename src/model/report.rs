//! What a scan reports.

use super::finding::Finding;
use super::history::Commit;
use super::snapshot::{Gap, Requests};
use jiff::Timestamp;
use serde::Serialize;

/// Counts of one context. `failing` workloads have a finding worse than info.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub workloads: usize,
    pub healthy: usize,
    pub in_progress: usize,
    pub failing: usize,
    pub roots: usize,
    pub effects: usize,
    pub gaps: usize,
    pub requests: Requests,
}

/// One context that was looked at.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextReport {
    pub name: String,
    pub scope: String,
    pub taken_at: Option<Timestamp>,
    pub summary: Summary,
    pub gaps: Vec<Gap>,
}

/// The line of a file in Git that makes the failing field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceLine {
    /// From the root of the repository, with slashes.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// Renders showed it: the folder makes the running object, and this line the field. Else it was read off
    /// the files, and is only likely.
    pub proved: bool,
    /// Since when the file has this value; `None` where no value stands, or the history that is here does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
}

/// A finding and the context it was seen in.
#[derive(Debug, Clone, Serialize)]
pub struct ReportedFinding {
    pub context: String,
    #[serde(flatten)]
    pub finding: Finding,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceLine>,
}

/// Why a finding does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// It was there when the baseline was written.
    Baseline,
    /// An `--ignore` names it.
    Ignored,
    /// No `--only` names it.
    Unasked,
    /// It is below `--min-severity`.
    Minor,
}

/// A finding that was seen and does not count, with the reason that a person gave.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAside {
    #[serde(flatten)]
    pub reported: ReportedFinding,
    pub filter: Filter,
    pub reason: String,
}

/// The whole answer of a scan. What is set aside is counted in no summary's roots, and every format names it.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanReport {
    pub contexts: Vec<ContextReport>,
    pub findings: Vec<ReportedFinding>,
    pub set_aside: Vec<SetAside>,
}
