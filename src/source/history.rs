//! The history that revisions are read from.

use crate::error::Error;
use crate::model::history::{Commit, FileAt};
use crate::model::tree::Tree;

/// What is known of earlier revisions; ids are full.
pub trait History: Sync {
    /// One commit; `None` where the history that is here ends.
    fn commit(&self, id: &str) -> Option<Commit>;

    /// Files that differ from the first parent.
    fn changed(&self, commit: &Commit) -> Vec<String>;

    /// One file of a commit.
    fn file(&self, commit: &str, path: &str) -> FileAt;

    /// Everything that a commit holds.
    ///
    /// # Errors
    /// When it can't be read.
    fn tree(&self, commit: &str) -> Result<Tree, Error>;
}
