//! The history that revisions are read from.

use crate::error::Error;
use crate::model::history::Commit;
use crate::model::tree::Tree;

/// What is known of earlier revisions; ids are full.
pub trait History: Sync {
    /// One commit; `None` where the history that is here ends.
    fn commit(&self, id: &str) -> Option<Commit>;

    /// Files that differ from the first parent.
    fn changed(&self, commit: &Commit) -> Vec<String>;

    /// The bytes of one file of a commit; `None` when it is not there.
    fn file(&self, commit: &str, path: &str) -> Option<Vec<u8>>;

    /// Everything that a commit holds.
    ///
    /// # Errors
    /// When it can't be read.
    fn tree(&self, commit: &str) -> Result<Tree, Error>;
}
