//! What was found, on what evidence.

use super::code::{Code, FixClass};
use super::object::ObjectRef;
use super::path::Path;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How bad a finding is, worst first in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Failing, and nothing serves.
    Critical,
    /// Degraded: something serves.
    Error,
    /// Stalled: the old revision serves.
    Warning,
    /// Worth knowing; never in the exit code.
    Info,
}

impl Severity {
    /// `critical`, `error`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The API names it.
    Certain,
    /// Static proof, or an exact log line.
    Strong,
    /// A heuristic over logs.
    Likely,
    /// A possible cause.
    Hypothesis,
}

/// Where a piece of evidence was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Status,
    Spec,
    Event,
    Log,
    History,
}

impl Source {
    /// `status`, `spec`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Spec => "spec",
            Self::Event => "event",
            Self::Log => "log",
            Self::History => "history",
        }
    }
}

/// One fact that a person can check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// 1, 2, ... within its finding.
    pub id: u32,
    pub source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Redacted; not yet escaped for a terminal.
    pub text: String,
    /// The field, when it is one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub path: Option<Path>,
}

fn as_text<S: serde::Serializer>(path: &Option<Path>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path.as_ref().unwrap_or(&Path::default()))
}

/// A consequence that is folded under its root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    pub code: Code,
    pub object: ObjectRef,
    pub summary: String,
}

/// Pod counts of the owner of a finding, and up to three names of failing pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PodCounts {
    pub failing: usize,
    pub ready: usize,
    pub desired: usize,
    pub names: Vec<String>,
}

/// One leaf that differs between two revisions. `None` is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    #[serde(serialize_with = "path_text")]
    pub path: Path,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

fn path_text<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path)
}

/// The difference between the failing revision and an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The revision number before, as its owner counts: `3`.
    pub from: String,
    pub to: String,
    /// Whether pods of `from` are ready now; otherwise it is merely the previous one.
    pub good: bool,
    /// Paths are of the owner: `spec.template.spec...`.
    pub fields: Vec<FieldChange>,
    /// The newest field manager of the owner's spec; a client's name, not a person's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// What can be done about one finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FixHint {
    pub class: FixClass,
    pub summary: String,
}

/// One root cause with its effects.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub code: Code,
    pub severity: Severity,
    pub confidence: Confidence,
    /// The top owner, or the object itself.
    pub object: ObjectRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    pub pods: PodCounts,
    /// One sentence without a full stop.
    pub summary: String,
    pub since: Option<Timestamp>,
    pub evidence: Vec<Evidence>,
    pub effects: Vec<Effect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    pub fix: FixHint,
    /// What the rule extracted, for `fix/`; its shape belongs to the code.
    #[serde(skip)]
    pub facts: Value,
}
