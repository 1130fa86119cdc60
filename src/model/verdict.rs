//! What a policy says about a change.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What follows from a verdict, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    Allow,
    /// Shown, and nothing else.
    Warn,
    /// A person named in the settings has to approve it.
    NeedsApproval,
    /// The change may not be pushed.
    Deny,
}

impl Decision {
    /// `allow`, `warn`, `needs approval` or `deny`, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::NeedsApproval => "needs approval",
            Self::Deny => "deny",
        }
    }
}

/// A place in a policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Location {
    /// As the file was named when it was loaded.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// The whole line, without its line break; empty when it is not known.
    pub source: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One sentence of one policy about a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The policy's name: its file without `.rego`, or `KIND/NAME` of a Gatekeeper constraint. Empty when no
    /// policy can be named.
    pub policy: String,
    /// The rule that said it, such as `deny`; empty when the policy could not be evaluated.
    #[serde(default)]
    pub rule: String,
    pub decision: Decision,
    /// One sentence without a full stop.
    pub message: String,
    /// The object that is meant, as the policy wrote it: `Deployment shop/web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The field that is meant, as the policy wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The same was said of the object as it was before the change; it is then a warning at most.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held_before: bool,
}

/// One policy and what it decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRun {
    pub name: String,
    /// Of the file's bytes; of a constraint, of what it and its template say.
    pub sha256: String,
    /// The strictest of its verdicts.
    pub decision: Decision,
}

/// What all policies said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    /// The strictest first.
    pub verdicts: Vec<Verdict>,
    /// In the order of the set; libraries are not among them.
    pub policies: Vec<PolicyRun>,
}

impl Evaluation {
    /// The strictest of all verdicts.
    pub fn decision(&self) -> Decision {
        self.verdicts.iter().map(|verdict| verdict.decision).max().unwrap_or(Decision::Allow)
    }
}
