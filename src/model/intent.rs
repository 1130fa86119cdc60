//! A typed change of a live object.

use super::object::ObjectRef;
use super::path::Path;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What happens at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Replace the value that is there.
    Set,
    /// Write a value where there is none.
    Add,
    /// Take the value away.
    Remove,
    /// Take the carriage returns from the line ends of the text that is there. Neither text is told.
    Lf,
}

/// One changed field of the live object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldEdit {
    pub path: Path,
    pub op: Op,
    /// The live value, `None` for [`Op::Add`] and [`Op::Lf`].
    pub old: Option<Value>,
    /// The wanted value, `None` for [`Op::Remove`] and [`Op::Lf`].
    pub new: Option<Value>,
}

/// A text with `\n` for each `\r\n`; `None` where it has none. A carriage return within a line stays.
pub fn unix(text: &str) -> Option<String> {
    text.contains("\r\n").then(|| text.replace("\r\n", "\n"))
}

/// Who thought of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    Rule,
    Model,
    Person,
}

/// Whether a person must look before it may be pushed. `Review` is the default; `Safe` is earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    Safe,
    Review,
}

/// What should change on the live object, and why. It never names a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    pub object: ObjectRef,
    pub edits: Vec<FieldEdit>,
    /// A commit subject in the imperative, without the object: `Raise the memory limit to 64Mi`.
    pub subject: String,
    /// Why, in a sentence or two.
    pub why: String,
    /// Ids of the finding's evidence that it stands on.
    pub evidence: Vec<u32>,
    pub author: Author,
    pub disposition: Disposition,
    /// Why it is not `Safe`, one line each; empty when it is.
    #[serde(default)]
    pub review: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::unix;

    #[test]
    fn only_line_ends_lose_their_carriage_return() {
        assert_eq!(unix("a\r\nb\rc\n\r\n").as_deref(), Some("a\nb\rc\n\n"));
        assert_eq!(unix("a\nb\rc\n"), None);
    }
}
