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
    /// What was heard before, for the record; `None`: nobody was asked.
    pub heard: Option<Box<Heard>>,
}

/// Whom a refusal listened to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    /// What a model was asked and said; redacted.
    pub model: Option<Value>,
    /// What the policies say of the change that was not made.
    pub policies: Option<Evaluation>,
}

impl Refusal {
    /// A refusal without details.
    pub fn new(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let (message, hint) = (message.into(), hint.into());
        Self { code, message, hint, details: Vec::new(), choices: Vec::new(), heard: None }
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

    /// The same, with what a model was asked and said.
    #[must_use]
    pub fn with_model(mut self, asked: Value) -> Self {
        self.heard.get_or_insert_default().model = Some(asked);
        self
    }

    /// The same, with what the policies say.
    #[must_use]
    pub fn with_policies(mut self, evaluation: Evaluation) -> Self {
        self.heard.get_or_insert_default().policies = Some(evaluation);
        self
    }

    /// Takes over what another refusal has heard and this one has not.
    pub fn hear(&mut self, other: &Self) {
        let Some(other) = &other.heard else { return };
        let heard = self.heard.get_or_insert_default();
        heard.model = heard.model.take().or_else(|| other.model.clone());
        heard.policies = heard.policies.take().or_else(|| other.policies.clone());
    }
}
