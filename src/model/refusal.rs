//! Why no safe edit was made.

use super::intent::Intent;
use super::verdict::Evaluation;
use serde_json::Value;

/// A named refusal: no safe edit could be proved. Not an error; it is an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The stable name, such as `ambiguous` or `not-explained`.
    pub code: &'static str,
    /// One sentence, without a full stop.
    pub message: String,
    /// What to do or type next, empty when there is nothing.
    pub hint: String,
    /// Further lines: the candidates, the differing fields, the files.
    pub details: Vec<String>,
    /// Changes a person can choose among, the likeliest first; each is proved like any other when chosen.
    pub choices: Vec<Intent>,
    /// What a model was asked and said, when one was; redacted.
    pub asked: Option<Box<Value>>,
    /// What the policies said, when they stood in the way.
    pub evaluation: Option<Box<Evaluation>>,
}

impl Refusal {
    /// A refusal without details.
    pub fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            details: Vec::new(),
            choices: Vec::new(),
            asked: None,
            evaluation: None,
        }
    }

    /// The N-th choice, from 1, as a person's; `None` when there are not so many.
    pub fn chosen(&self, number: usize) -> Option<Intent> {
        let mut choice = self.choices.get(number.checked_sub(1)?)?.clone();
        choice.review.push(format!("a person chose it: change {number} of {}", self.choices.len()));
        Some(choice)
    }

    /// The same refusal with further lines.
    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }
}
