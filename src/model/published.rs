//! What a pushed commit says of a record.

use jiff::Timestamp;
use serde::Serialize;

/// One commit with the trailer `Aifix-Record:`. Its author wrote it: only the hash ties it to a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// The hash of the record's entry `proposed`.
    pub record: String,
    pub commit: String,
    /// The branch or remote-tracking branch that it was found on.
    pub branch: String,
    /// It is in the history of a default branch, or of what is checked out.
    pub merged: bool,
    /// The failure, as `Aifix-Finding:` names it; empty when it does not.
    pub code: String,
    /// `Deployment shop/web`, as `Aifix-Object:` names it.
    pub object: String,
    /// The model that wrote the change; `None`: a rule or a person did.
    pub model: Option<String>,
    /// `Ada <ada@example.com>`.
    pub author: String,
    pub at: Option<Timestamp>,
    pub message: String,
}

impl Published {
    /// The first line of the message.
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}
