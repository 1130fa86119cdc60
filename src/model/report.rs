//! What a scan reports.

use super::finding::Finding;
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

/// A finding and the context it was seen in.
#[derive(Debug, Clone, Serialize)]
pub struct ReportedFinding {
    pub context: String,
    #[serde(flatten)]
    pub finding: Finding,
}

/// The whole answer of a scan.
#[derive(Debug, Clone, Serialize)]
pub struct ScanReport {
    pub contexts: Vec<ContextReport>,
    pub findings: Vec<ReportedFinding>,
}
