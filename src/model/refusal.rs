//! Why no safe edit was made.

use super::intent::Intent;
use serde::Serialize;

/// A named refusal: no safe edit could be proved. Not an error; it is an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The stable name, such as `ambiguous` or `not-explained`.
    pub code: &'static str,
    /// One sentence, without a full stop.
    pub message: String,
    /// What to do or type next, empty when there is nothing.
    pub hint: String,
    /// Further lines: the candidates, the differing fields, the files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Changes a person can choose among, the likeliest first; each is proved like any other when chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Intent>,
}

impl Refusal {
    /// A refusal without details.
    pub fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into(), details: Vec::new(), choices: Vec::new() }
    }

    /// The same refusal with further lines.
    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }
}
