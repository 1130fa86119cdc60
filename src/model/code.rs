//! What a failure code is.

use serde::{Serialize, Serializer};
use std::fmt;

/// How a finding of a code may be fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FixClass {
    /// Facts decide the edit.
    Rule,
    /// A person chooses among candidates.
    Ask,
    /// It needs judgement: logs, history, a model or a person.
    Model,
    /// Nothing in Git fixes it.
    None,
}

/// One row of the failure catalogue.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeInfo {
    /// The stable name that users allow, ignore and look up: `oom-killed`.
    #[serde(rename = "code")]
    pub name: &'static str,
    /// The group it belongs to: `crash`, `image`, `config`, `probe`, `scheduling`, `service`.
    pub family: &'static str,
    /// One line, imperative-free: `container killed for exceeding its memory limit`.
    pub title: &'static str,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
    /// Which fields, events or log lines show it.
    pub signals: &'static str,
    /// What typically causes it.
    pub causes: &'static str,
    /// The class of the strongest fix.
    pub class: FixClass,
    /// How aifix fixes it, and when it refuses.
    pub fix: &'static str,
}

/// Codes that are never more than a possible cause.
const HYPOTHESES: [&str; 13] = [
    "config-changed-broke",
    "config-changed-not-reloaded",
    "config-encoding",
    "config-value-empty",
    "cpu-throttled",
    "endpoints-manual-stale",
    "env-duplicate",
    "image-tag-moved",
    "job-hanging",
    "networkpolicy-blocks",
    "oom-child-killed",
    "probe-missing",
    "service-headless-misuse",
];

impl CodeInfo {
    /// Whether a finding of it is never more than a possible cause.
    pub fn is_hypothesis(&self) -> bool {
        HYPOTHESES.contains(&self.name)
    }
}

/// A code: a row of the catalogue, compared by name.
#[derive(Clone, Copy)]
pub struct Code(pub &'static CodeInfo);

impl Code {
    /// The stable name.
    pub fn name(self) -> &'static str {
        self.0.name
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}
impl Eq for Code {}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}
