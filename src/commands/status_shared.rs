//! `status`: fixes of which only the commits are here.

use super::Session;
use super::status_git::Clone;
use crate::follow::{Subject, Words, of_commit};
use crate::repo::{CommitId, Remote, Repo};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Commits of the base branch that are looked through.
const HISTORY: usize = 2_000;
/// Branches that are fetched at most.
const BRANCHES: usize = 200;

/// Fixes that `aifix/` branches of the remote and commits of its default branch tell of, the newest first. What
/// can't be fetched tells of none; a record that is here is not read from its commit.
pub(super) async fn find(clone: &Clone, known: &BTreeSet<String>, session: &Session) -> Vec<Subject> {
    let Ok(repo) = &clone.repo else { return Vec::new() };
    let Ok(remote) = repo.remote(None) else { return Vec::new() };
    let ask = session.ui.can_ask();
    let Ok(base) = repo.base_branch(&remote, None, ask).await else { return Vec::new() };
    let mut found: Vec<(Option<Timestamp>, Subject)> = Vec::new();
    let mut seen = known.clone();
    let mut keep = |subject: Option<(Option<Timestamp>, Subject)>| {
        if let Some((at, subject)) = subject.filter(|(_, subject)| seen.insert(subject.hash.clone())) {
            found.push((at, subject));
        }
    };
    if let Ok(branches) = repo.branches(&remote, "aifix/").await {
        for (name, tip) in branches.iter().take(BRANCHES) {
            if repo.fetch_commit(&remote, tip, false).await.is_ok() {
                keep(subject(repo, &remote, base.as_str(), tip, Some(name)));
            }
        }
    }
    if let Ok(tip) = repo.fetch(&remote, &base, ask).await {
        for commit in repo.ancestors(&tip, HISTORY) {
            keep(subject(repo, &remote, base.as_str(), &commit, None));
        }
    }
    found.sort_by_key(|(at, subject)| Reverse((*at, subject.hash.clone())));
    found.into_iter().map(|(_, subject)| subject).collect()
}

fn subject(
    repo: &Repo,
    remote: &Remote,
    base_branch: &str,
    commit: &CommitId,
    branch: Option<&String>,
) -> Option<(Option<Timestamp>, Subject)> {
    let message = repo.message(commit).filter(|message| message.contains("Aifix-Record:"))?;
    let facts = repo.commit_facts(commit)?;
    let subject = of_commit(Words {
        commit: &facts.id,
        parent: facts.parents.first()?,
        message: &message,
        branch: branch.map(String::as_str),
        base_branch,
        repo: &remote.url.to_string(),
        remote: &remote.push_url.to_string(),
        at: facts.at,
    })?;
    Some((facts.at, subject))
}
