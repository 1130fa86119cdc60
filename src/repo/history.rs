//! Who works here, and what is in what.

use super::{CommitId, Repo};

/// Commits that are looked at: a branch of ours that was merged longer ago than that is history.
const MAX_WALK: usize = 20_000;

impl Repo {
    /// The user as commits name them: `Ada <ada@example.com>`; `None` when Git does not know.
    pub fn identity(&self) -> Option<String> {
        let time = self.time().ok()?;
        let person = self.person("author", time).ok()?;
        Some(format!("{} <{}>", person.name, person.email))
    }

    /// Whether `commit` is in the history of `tip`, as far as the objects are here: `false` when they are not.
    pub fn contains(&self, tip: &CommitId, commit: &CommitId) -> bool {
        if !self.has(commit) {
            return false;
        }
        let repo = self.local();
        let Ok(walk) = repo.rev_walk([tip.0]).all() else { return false };
        walk.take(MAX_WALK).filter_map(Result::ok).any(|step| step.id == commit.0)
    }
}
