//! Reading commits and trees.

use super::{CommitId, Repo};
use crate::error::Error;
use crate::model::tree::{BlobId, Content, Entry, Store, Stored, Tree};
use crate::text::Sanitised;
use gix::bstr::{BStr, ByteSlice};
use gix::validate::path::component;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A larger file is no manifest.
pub(super) const FILE_LIMIT: u64 = 5 << 20;
/// What all files of one revision may take in memory; those beyond it count as too large.
const TREE_LIMIT: u64 = 1 << 30;
/// More files than any real repository has: a tree that names one folder many times grows without end.
const ENTRY_LIMIT: usize = 500_000;
const DEPTH_LIMIT: usize = 128;
/// A symbolic link is no longer than a path (PATH_MAX).
const LINK_LIMIT: u64 = 4096;

impl Repo {
    /// Whether the objects of a commit are here.
    pub fn has(&self, commit: &CommitId) -> bool {
        self.local().find_commit(commit.0).is_ok()
    }

    /// The commit that a local ref, such as `refs/aifix/base/main`, points to.
    pub fn resolve(&self, full_name: &str) -> Option<CommitId> {
        let repo = self.local();
        let mut found = repo.try_find_reference(full_name).ok()??;
        Some(CommitId(found.peel_to_id().ok()?.detach()))
    }

    /// Whether aifix made a commit: its message ends with the trailer `Aifix-Object:`.
    /// `None` when the commit is not here.
    pub fn made_by_aifix(&self, commit: &CommitId) -> Option<bool> {
        let repo = self.local();
        let commit = repo.find_commit(commit.0).ok()?;
        let message = commit.message_raw().ok()?.to_str_lossy().into_owned();
        let last = message.trim_end().rsplit("\n\n").next()?;
        // A message of one paragraph has no trailers.
        Some(last != message.trim_end() && last.lines().any(|line| line.starts_with("Aifix-Object:")))
    }

    /// Everything that a commit holds, as it is stored: no filter runs, and LFS pointers stay pointers.
    ///
    /// Files are read when they are first asked for; that all of them are here is known before.
    /// Names that are not UTF-8, that could leave a folder (`..`, an absolute path) or that Git keeps
    /// for itself (`.git` in any disguise) are left out and counted.
    ///
    /// # Errors
    /// When objects are missing or damaged, or there are more than half a million entries.
    pub fn tree(&self, commit: &CommitId) -> Result<Tree, Error> {
        let mut before = BTreeSet::new();
        loop {
            let walk = self.walk(commit)?;
            if walk.missing.is_empty() {
                return Ok(walk.tree);
            }
            // In a partial clone (`--filter`) objects are fetched when they are needed.
            if self.promisor().is_none() || walk.missing == before {
                return Err(missing(commit, walk.missing.len()));
            }
            self.fill(&walk.missing)?;
            before = walk.missing;
        }
    }

    fn walk(&self, commit: &CommitId) -> Result<Walk, Error> {
        let mut repo = self.local();
        repo.object_cache_size_if_unset(32 << 20);
        let damaged = |error: &dyn std::fmt::Display| {
            Error::usage(format!("commit {} can't be read", commit.short()))
                .because(Sanitised::line(&error.to_string()))
                .hint("check the repository: `git fsck`")
        };
        if !repo.has_object(commit.0) {
            return Err(Error::usage(format!("commit {} is not in this repository", commit.short()))
                .hint(format!("fetch it: `git fetch REMOTE {commit}`")));
        }
        let root =
            repo.find_commit(commit.0).and_then(|found| Ok(found.tree_id()?.detach())).map_err(|e| damaged(&e))?;
        let store = Arc::new(Blobs { repo: Mutex::new(self.local()), read: AtomicU64::new(0) });
        let mut walk = Walk { tree: Tree::default(), store, missing: BTreeSet::new(), seen: 0 };
        let mut folders = vec![(String::new(), root, 0)];
        while let Some((folder, id, depth)) = folders.pop() {
            let Some(object) = repo.try_find_object(id).map_err(|e| damaged(&e))? else {
                walk.missing.insert(id);
                continue;
            };
            let tree = object.try_into_tree().map_err(|e| damaged(&e))?;
            for entry in tree.iter() {
                let entry = entry.map_err(|e| damaged(&e))?;
                let Some(name) = safe_name(entry.filename()) else {
                    walk.tree.unreadable += 1;
                    continue;
                };
                let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                if entry.mode().is_tree() && depth < DEPTH_LIMIT {
                    folders.push((path, entry.object_id(), depth + 1));
                } else {
                    walk.add(&repo, path, entry.mode(), entry.object_id()).map_err(|e| damaged(&e))?;
                }
                walk.seen += 1;
                if walk.seen > ENTRY_LIMIT {
                    return Err(Error::usage(format!("commit {} has more than {ENTRY_LIMIT} entries", commit.short()))
                        .hint("name the repository of the manifests: --repo PATH"));
                }
            }
        }
        Ok(walk)
    }

    /// The remote that a partial clone gets its objects from.
    fn promisor(&self) -> Option<&str> {
        self.config
            .get("extensions.partialclone")
            .or_else(|| {
                self.config.remote_names().into_iter().find(|name| {
                    self.config.get(&format!("remote.{name}.promisor")).is_some_and(|value| value == "true")
                })
            })
            .filter(|name| !name.starts_with('-'))
    }

    /// Fetches missing objects of a partial clone, as Git does it itself (promisor-remote.c).
    fn fill(&self, missing: &BTreeSet<gix::ObjectId>) -> Result<(), Error> {
        let remote = self.named(self.promisor().unwrap_or("origin"))?;
        let args = [
            "-c",
            "fetch.negotiationAlgorithm=noop",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--recurse-submodules=no",
            "--filter=blob:none",
            "--stdin",
            remote.name.as_str(),
        ];
        let mut run = self.git.command(super::Prompt::Never, args);
        run.deadline = super::git::TRANSFER_TIME;
        run.input = missing.iter().map(|id| format!("{id}\n")).collect::<String>().into_bytes();
        let done = super::git::run_now(run)?;
        if done.code == 0 {
            return Ok(());
        }
        let trouble = super::trouble::Trouble::read(&done.stderr);
        Err(super::trouble::error("fetch missing files from", &remote, trouble, &done.stderr))
    }
}

fn missing(commit: &CommitId, objects: usize) -> Error {
    Error::usage(format!("{} of commit {} can't be found", crate::text::count(objects, "object"), commit.short()))
        .hint("check the repository with `git fsck`, or make a new clone")
}

/// A tree while it is read.
struct Walk {
    tree: Tree,
    store: Arc<Blobs>,
    missing: BTreeSet<gix::ObjectId>,
    seen: usize,
}

impl Walk {
    fn add(
        &mut self,
        repo: &gix::Repository,
        path: String,
        mode: gix::objs::tree::EntryMode,
        id: gix::ObjectId,
    ) -> Result<(), gix::Error> {
        if mode.is_commit() {
            self.put(path, Entry::Submodule);
            return Ok(());
        }
        if !mode.is_blob_or_symlink() {
            self.tree.unreadable += 1;
            return Ok(());
        }
        // A file's size is a part of its content: whether the object is here is all that is looked at now.
        if !mode.is_link() {
            if !repo.has_object(id) {
                self.missing.insert(id);
                return Ok(());
            }
            let mut known = BlobId::default();
            known[..id.as_slice().len()].copy_from_slice(id.as_slice());
            self.put(path, Entry::Stored(Stored::new(known, self.store.clone())));
            return Ok(());
        }
        let Some(size) = repo.try_find_header(id)?.map(|header| header.size()) else {
            self.missing.insert(id);
            return Ok(());
        };
        let target = if size > LINK_LIMIT { None } else { String::from_utf8(repo.find_blob(id)?.take_data()).ok() };
        match target {
            Some(target) => self.put(path, Entry::Link(target)),
            None => self.tree.unreadable += 1,
        }
        Ok(())
    }

    /// A damaged tree can name one path twice.
    fn put(&mut self, path: String, entry: Entry) {
        if self.tree.entries.insert(path, entry).is_some() {
            self.tree.unreadable += 1;
        }
    }
}

/// The files of a tree, read when they are asked for.
struct Blobs {
    repo: Mutex<gix::Repository>,
    /// Bytes that were read so far.
    read: AtomicU64,
}

impl Store for Blobs {
    fn read(&self, id: &BlobId) -> Content {
        let repo = self.repo.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(id) = gix::ObjectId::try_from(&id[..repo.object_hash().len_in_bytes()]) else { return Content::Lost };
        let Some(size) = repo.try_find_header(id).ok().flatten().map(|header| header.size()) else {
            return Content::Lost;
        };
        if size > FILE_LIMIT || self.read.load(Ordering::Relaxed) + size > TREE_LIMIT {
            return Content::Large(size);
        }
        self.read.fetch_add(size, Ordering::Relaxed);
        repo.find_blob(id).map_or(Content::Lost, |mut blob| Content::Bytes(Arc::from(blob.take_data())))
    }
}

/// A name that is UTF-8 and stays in its folder on any file system.
pub(super) fn safe_name(name: &BStr) -> Option<&str> {
    // Of what only Windows can't hold (`a:b`, `aux`), real repositories are full.
    let options = component::Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };
    if name.contains(&0) {
        return None;
    }
    component(name, None, options).ok()?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_their_folder_or_are_gits_own_are_refused() {
        for name in
            ["..", ".", "", "/", "a/b", "/etc", ".git", ".GIT", ".Git", "git~1", ".git ", ".g\u{200c}it", "a\0b"]
        {
            assert_eq!(safe_name(name.into()), None, "{name:?}");
        }
        for name in ["app.yaml", ".github", ".gitignore", "a:b", "ü", "...", "-x"] {
            assert_eq!(safe_name(name.into()), Some(name));
        }
        assert_eq!(safe_name(b"caf\xe9"[..].into()), None);
    }
}
