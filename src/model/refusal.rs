//! Why no safe edit was made.

use serde::Serialize;

/// A named refusal: no safe edit could be proved. Not an error; it is an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
}

impl Refusal {
    /// A refusal without details.
    pub fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into(), details: Vec::new() }
    }

    /// The same refusal with further lines.
    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }
}
