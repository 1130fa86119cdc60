//! Earlier revisions, read from the user's repository.

use crate::error::Error;
use crate::model::history::{Commit, FileAt};
use crate::model::tree::Tree;
use crate::repo::{CommitId, Repo};
use crate::source::History;

impl History for Repo {
    fn commit(&self, id: &str) -> Option<Commit> {
        self.commit_facts(&CommitId::parse(id)?)
    }

    fn changed(&self, commit: &Commit) -> Vec<String> {
        let Some(own) = CommitId::parse(&commit.id) else { return Vec::new() };
        let parent = commit.parents.first().and_then(|id| CommitId::parse(id));
        parent.map(|parent| self.changed_paths(&parent, &own)).unwrap_or_default()
    }

    fn file(&self, commit: &str, path: &str) -> FileAt {
        CommitId::parse(commit).map_or(FileAt::Unread, |id| self.file_at(&id, path))
    }

    fn tree(&self, commit: &str) -> Result<Tree, Error> {
        let id = CommitId::parse(commit).ok_or_else(|| Error::bug(format!("`{commit}` is no commit id")))?;
        Repo::tree(self, &id)
    }
}
