//! Who works here, and what is in what.

use super::read::safe_name;
use super::{CommitId, Repo};
use crate::model::history::{Commit, FileAt};
use gix::bstr::ByteSlice;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Commits that are looked at: a branch of ours that was merged longer ago than that is history.
const MAX_WALK: usize = 20_000;

/// Changed files of one commit that are looked at.
const MAX_CHANGED: usize = 20_000;

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

    /// Commits from `tip` along first parents, newest first, until `stop`, which is not among them. False: it was
    /// not reached, as the history was rewritten, is not here, or is longer than `most`.
    pub fn first_parents(&self, tip: &CommitId, stop: &CommitId, most: usize) -> (Vec<CommitId>, bool) {
        let repo = self.local();
        let mut walked = Vec::new();
        let mut here = Some(tip.0);
        while let Some(id) = here {
            if id == stop.0 {
                return (walked, true);
            }
            if walked.len() >= most {
                break;
            }
            let Ok(commit) = repo.find_commit(id) else { break };
            walked.push(CommitId(id));
            here = commit.parent_ids().next().map(gix::Id::detach);
        }
        (walked, false)
    }

    /// A commit and those in its history, newest first, at most so many; as far as they are here.
    pub fn ancestors(&self, tip: &CommitId, most: usize) -> Vec<CommitId> {
        let repo = self.local();
        let newest = gix::traverse::commit::simple::CommitTimeOrder::NewestFirst;
        let walk = repo.rev_walk([tip.0]).sorting(gix::revision::walk::Sorting::ByCommitTime(newest)).all();
        let Ok(walk) = walk else { return Vec::new() };
        walk.take(most).filter_map(Result::ok).map(|step| CommitId(step.id)).collect()
    }

    /// The whole message of a commit; foreign. `None` when its object is not here.
    pub fn message(&self, id: &CommitId) -> Option<String> {
        let repo = self.local();
        let found = repo.find_commit(id.0).ok()?;
        Some(found.message_raw().ok()?.to_str_lossy().into_owned())
    }

    /// One commit; `None` when its object is not here, as beyond the end of a shallow clone.
    pub fn commit_facts(&self, id: &CommitId) -> Option<Commit> {
        let repo = self.local();
        let found = repo.find_commit(id.0).ok()?;
        let author = found.author().ok()?;
        let line = |text: &gix::bstr::BStr| text.to_str_lossy().trim().to_owned();
        Some(Commit {
            id: id.to_string(),
            subject: line(found.message().ok()?.summary().as_ref()),
            author: line(author.name),
            at: author.time().ok().and_then(|time| Timestamp::from_second(time.seconds).ok()),
            parents: found.parent_ids().map(|parent| parent.detach().to_string()).collect(),
        })
    }

    /// Paths of files that differ between two commits, as far as the folders' objects are here.
    pub fn changed_paths(&self, before: &CommitId, after: &CommitId) -> Vec<String> {
        let repo = self.local();
        let root = |id: &CommitId| repo.find_commit(id.0).ok()?.tree_id().ok().map(gix::Id::detach);
        let mut out = Vec::new();
        let mut folders = vec![(String::new(), root(before), root(after))];
        while let Some((folder, before, after)) = folders.pop() {
            if before == after || out.len() >= MAX_CHANGED {
                continue;
            }
            let (old, new) = (entries(&repo, before), entries(&repo, after));
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let (old, new) = (old.get(name), new.get(name));
                if old == new {
                    continue;
                }
                let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                let tree = |entry: Option<&(bool, gix::ObjectId)>| entry.filter(|(tree, _)| *tree).map(|(_, id)| *id);
                let is_file = |entry: Option<&(bool, gix::ObjectId)>| entry.is_some_and(|(tree, _)| !tree);
                if is_file(old) || is_file(new) {
                    out.push(path.clone());
                }
                if tree(old).is_some() || tree(new).is_some() {
                    folders.push((path, tree(old), tree(new)));
                }
            }
        }
        out.sort();
        out
    }

    /// One regular file of a commit.
    pub fn file_at(&self, commit: &CommitId, path: &str) -> FileAt {
        let repo = self.local();
        let Ok(tree) = repo.find_commit(commit.0).and_then(|found| found.tree()) else { return FileAt::Unread };
        let entry = match tree.lookup_entry(path.split('/')) {
            Ok(Some(entry)) => entry,
            Ok(None) => return FileAt::Absent,
            Err(_) => return FileAt::Unread,
        };
        if !entry.mode().is_blob() || entry.mode().is_link() {
            return FileAt::Absent;
        }
        let small = repo.find_header(entry.object_id()).is_ok_and(|found| found.size() <= super::read::FILE_LIMIT);
        match repo.find_blob(entry.object_id()) {
            Ok(mut blob) if small => FileAt::Here(blob.take_data()),
            _ => FileAt::Unread,
        }
    }
}

/// The entries of a folder: whether each is a folder itself, and its object.
fn entries(repo: &gix::Repository, tree: Option<gix::ObjectId>) -> BTreeMap<String, (bool, gix::ObjectId)> {
    let found = tree.and_then(|id| repo.try_find_object(id).ok()??.try_into_tree().ok());
    let Some(found) = found else { return BTreeMap::new() };
    let named = found.iter().filter_map(|entry| {
        let entry = entry.ok()?;
        Some((safe_name(entry.filename())?.to_owned(), (entry.mode().is_tree(), entry.object_id())))
    });
    named.collect()
}
