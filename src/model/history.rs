//! One commit and its files, as histories tell of them.

use jiff::Timestamp;
use serde::Serialize;

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// Its full id.
    pub id: String,
    /// The first line of its message; foreign text.
    pub subject: String,
    /// The author's name; foreign text.
    pub author: String,
    /// When it was written.
    pub at: Option<Timestamp>,
    /// Full ids; the first one is the branch that it was made on.
    #[serde(skip)]
    pub parents: Vec<String>,
}

impl Commit {
    /// `3f2a91c "Lower the limit" by Ada, 2026-11-20`.
    pub fn shown(&self) -> String {
        let day = self.at.map(|at| format!(", {}", at.strftime("%Y-%m-%d"))).unwrap_or_default();
        format!("{} \"{}\" by {}{day}", self.short(), crate::text::clip(&self.subject, 72), self.author)
    }

    /// The first seven digits of its id.
    pub fn short(&self) -> &str {
        self.id.get(..7).unwrap_or(&self.id)
    }
}

/// One file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAt {
    Here(Vec<u8>),
    /// There is no regular file of this name.
    Absent,
    /// It is too large, or its object is not in this clone.
    Unread,
}
