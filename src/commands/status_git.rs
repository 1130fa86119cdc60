//! `status`: what Git tells of a pushed fix.

use super::{Session, propose_clone};
use crate::doors::files;
use crate::error::Error;
use crate::follow::content::{self, Changed, Whole};
use crate::follow::git::{GitFacts, Moment};
use crate::follow::{Asked, Subject};
use crate::model::history::FileAt;
use crate::repo::{Branch, CommitId, Remote, Repo, RepoUrl, is_address};
use crate::text::Sanitised;
use std::collections::BTreeMap;
use std::path::Path;

/// Commits of the base branch that are looked at.
const HISTORY: usize = 5_000;

/// The clone that is asked; or why there is none.
pub(super) struct Clone {
    pub(super) repo: Result<Repo, String>,
}

impl Clone {
    /// An address stands for the clone of it that `propose` made.
    pub(super) fn open(path: &Path, session: &Session) -> Self {
        let Some(address) = path.to_str().filter(|text| is_address(text)) else {
            let opened = Repo::discover(path, session.environment.0.clone());
            return Self { repo: opened.map_err(|error| error.message) };
        };
        let kept = RepoUrl::parse(address).and_then(|url| {
            let folder = propose_clone::folder(&url, session)?;
            let there = files::is_dir(&folder).then_some(folder);
            there.ok_or_else(|| Error::usage(format!("`propose` has made no clone of {url} here yet")))
        });
        let opened = kept.and_then(|folder| Repo::discover(&folder, session.environment.0.clone()));
        Self { repo: opened.map_err(|error| error.message) }
    }

    /// Whether a commit has another in its history; `None` when one of them is not here.
    pub(super) fn contains(&self, tip: &str, commit: &str) -> Option<bool> {
        let repo = self.repo.as_ref().ok()?;
        let (tip, commit) = (CommitId::parse(tip)?, CommitId::parse(commit)?);
        (repo.has(&tip) && repo.has(&commit)).then(|| repo.contains(&tip, &commit))
    }

    /// The remote of an address that a record names.
    pub(super) fn remote_of(&self, address: &str) -> Option<Remote> {
        let wanted = RepoUrl::parse(address).ok()?.identity();
        let remotes = self.repo.as_ref().ok()?.remotes();
        let fetched = |remote: &Remote| remote.url.identity() == wanted;
        let at = remotes.iter().position(fetched);
        let at = at.or_else(|| remotes.iter().position(|remote| remote.push_url.identity() == wanted))?;
        remotes.into_iter().nth(at)
    }
}

/// What was fetched in this round already.
#[derive(Default)]
pub(super) struct Fetched {
    tips: BTreeMap<(String, String), Result<CommitId, String>>,
    branches: BTreeMap<String, Result<BTreeMap<String, CommitId>, String>>,
}

/// Fetches the base branch and looks for the change in it.
pub(super) async fn ask(subject: &Subject, clone: &Clone, fetched: &mut Fetched, session: &Session) -> Asked<GitFacts> {
    let repo = match &clone.repo {
        Ok(repo) => repo,
        Err(why) => return Asked::Not(format!("{why}; name a clone: --repo PATH")),
    };
    let Some(remote) = clone.remote_of(&subject.repo) else {
        let repo = Sanitised::line(&subject.repo);
        return Asked::Not(format!("this is no clone of {repo}; name one: --repo PATH"));
    };
    let facts = facts(subject, clone, repo, &remote, fetched, session).await;
    facts.map_or_else(Asked::Not, Asked::Seen)
}

async fn facts(
    subject: &Subject,
    clone: &Clone,
    repo: &Repo,
    remote: &Remote,
    fetched: &mut Fetched,
    session: &Session,
) -> Result<GitFacts, String> {
    let ask = session.ui.can_ask();
    let said = |error: Error| error.to_string().replace('\n', " ");
    let base_branch = Branch::parse(&subject.base_branch).map_err(said)?;
    let key = (remote.name.clone(), subject.base_branch.clone());
    if !fetched.tips.contains_key(&key) {
        let tip = repo.fetch(remote, &base_branch, ask).await.map_err(said);
        fetched.tips.insert(key.clone(), tip);
    }
    let tip = fetched.tips.get(&key).cloned().unwrap_or_else(|| Err(String::new()))?;
    let push = clone.remote_of(&subject.remote).unwrap_or_else(|| remote.clone());
    if !fetched.branches.contains_key(&push.name) {
        let prefix = subject.branch.split('/').next().unwrap_or_default();
        let all = repo.branches(&push, prefix).await.map_err(said);
        fetched.branches.insert(push.name.clone(), all);
    }
    let mut branches = fetched.branches.get(&push.name).cloned().unwrap_or_else(|| Ok(BTreeMap::new()))?;
    if !branches.contains_key(&subject.branch) && !subject.branch.starts_with("aifix/") {
        branches = repo.branches(&push, &subject.branch).await.map_err(said)?;
    }
    let branch = branches.get(&subject.branch).copied();
    let commit = CommitId::parse(&subject.commit);
    if let Some(commit) = commit.filter(|commit| !repo.has(commit) && branch.is_some()) {
        // Without it the record says what was changed.
        let _ = repo.fetch_commit(&push, &commit, false).await;
    }
    let changed = changed(subject, repo, commit);
    let (moments, whole) = moments(subject, repo, tip, commit, &changed);
    Ok(GitFacts {
        base_branch: subject.base_branch.clone(),
        tip: tip.to_string(),
        moments,
        whole,
        branch: branch.map(|id| id.to_string()),
    })
}

/// What the pushed commit changed.
fn changed(subject: &Subject, repo: &Repo, commit: Option<CommitId>) -> Vec<Changed> {
    let parent = commit.and_then(|commit| CommitId::parse(repo.commit_facts(&commit)?.parents.first()?));
    let (Some(commit), Some(parent)) = (commit, parent.filter(|parent| repo.has(parent))) else {
        return Changed::of_record(subject);
    };
    let bytes = |at: &CommitId, path: &str| match repo.file_at(at, path) {
        FileAt::Here(bytes) => Some(bytes),
        FileAt::Absent | FileAt::Unread => None,
    };
    let of_file = |path: &String| {
        let whole = Whole { before: bytes(&parent, path), after: bytes(&commit, path) };
        Changed::of_commit(subject, path, whole)
    };
    repo.changed_paths(&parent, &commit).iter().map(of_file).collect()
}

/// Commits of the base branch that touched what was changed, oldest first; and whether all were seen.
fn moments(
    subject: &Subject,
    repo: &Repo,
    tip: CommitId,
    pushed: Option<CommitId>,
    changed: &[Changed],
) -> (Vec<Moment>, bool) {
    let Some(base) = CommitId::parse(&subject.base) else { return (Vec::new(), false) };
    let (walked, whole) = repo.first_parents(&tip, &base, HISTORY);
    let files = |at: &CommitId| -> Vec<FileAt> { changed.iter().map(|one| repo.file_at(at, &one.file)).collect() };
    let mut before = whole.then(|| files(&base));
    let mut out = Vec::new();
    let trailer = format!("Aifix-Record: {}", subject.hash);
    for id in walked.iter().rev() {
        let now = files(id);
        if before.as_ref() == Some(&now) {
            continue;
        }
        let Some(commit) = repo.commit_facts(id) else { continue };
        let reading = content::read(changed, |path| {
            let at = changed.iter().position(|one| one.file == path);
            at.and_then(|at| now.get(at).cloned()).unwrap_or(FileAt::Unread)
        });
        out.push(Moment {
            contains: pushed.is_some_and(|pushed| repo.contains(id, &pushed)),
            named: repo.message(id).is_some_and(|text| text.lines().any(|line| line.trim() == trailer)),
            commit,
            reading,
        });
        before = Some(now);
    }
    (out, whole)
}
