//! Making a commit beside the user's work.

use super::read::safe_name;
use super::trouble;
use super::url::Branch;
use super::{CommitId, Repo};
use crate::error::Error;
use crate::model::proposal::FileChange;
use crate::text::Sanitised;
use gix::actor::Signature;
use gix::objs::tree::EntryKind;
use gix::refs::transaction::PreviousValue;

impl Repo {
    /// Commits changed files on top of `base` and points `refs/aifix/heads/<branch>` to it.
    ///
    /// Worktree, index and HEAD are not looked at. Modes stay, new files are not executable, and bytes
    /// are written as given. Author and committer are the user, at one time; the commit is signed when
    /// the user's configuration says so. Made again without a change, the commit is the one that is
    /// already there.
    ///
    /// # Errors
    /// A usage error when the user has no name or the commit can't be signed; a bug when a file is not
    /// what `before` says, or its path leaves the repository.
    pub fn commit(
        &self,
        base: &CommitId,
        files: &[FileChange],
        message: &str,
        branch: &Branch,
    ) -> Result<CommitId, Error> {
        let repo = self.local();
        let tree = edited_tree(&repo, base, files)?;
        let time = self.time()?;
        let commit = gix::objs::Commit {
            tree,
            parents: std::iter::once(base.0).collect(),
            author: self.person("author", time)?,
            committer: self.person("committer", time)?,
            encoding: None,
            message: format!("{}\n", message.trim_end()).into(),
            extra_headers: Vec::new(),
        };
        let name = format!("refs/aifix/heads/{branch}");
        let signing = repo.commit_signing_options_if_enabled().map_err(|error| cannot_sign(&error))?;
        let old = self.resolve(&name);
        if let Some(old) = old.filter(|old| is_same(&repo, old, &commit, signing.is_some())) {
            return Ok(old);
        }
        let commit = match signing {
            None => commit,
            Some(options) => commit.sign(options).map_err(|error| cannot_sign(&error))?,
        };
        let id = repo.write_object(commit).map_err(|error| cannot_write(&error))?.detach();
        // Only aifix keeps refs there; one of an earlier try, whose base or files have moved on, is replaced.
        let expected = match old {
            None => PreviousValue::MustNotExist,
            Some(old) => PreviousValue::MustExistAndMatch(old.0.into()),
        };
        self.set_ref(&repo, &name, id, expected, time)?;
        Ok(CommitId(id))
    }

    fn set_ref(
        &self,
        repo: &gix::Repository,
        name: &str,
        id: gix::ObjectId,
        expected: PreviousValue,
        time: gix::date::Time,
    ) -> Result<(), Error> {
        let conflict = |why: String| {
            Error::usage(format!("the ref `{name}` can't be written"))
                .because(why)
                .hint("look for a ref that is a folder of it, or a lock: `git for-each-ref refs/aifix`")
        };
        let full = gix::refs::FullName::try_from(name).map_err(|error| conflict(error.to_string()))?;
        let edit = gix::refs::transaction::RefEdit::update(full, id, expected, "aifix: propose");
        let person = self.person("committer", time)?;
        let mut buffer = gix::date::parse::TimeBuf::default();
        repo.edit_references_as([edit], Some(person.to_ref(&mut buffer)))
            .map(|_| ())
            .map_err(|error| conflict(Sanitised::line(&error.to_string()).to_string()))
    }

    /// The user as Git knows them: the environment, then `author.*`, then `user.*`.
    ///
    /// Git would make up a name from the host's; nobody wants to be `root@build-7` in a history.
    pub(super) fn person(&self, role: &str, time: gix::date::Time) -> Result<Signature, Error> {
        let role_key = role.to_uppercase();
        let find = |what: &str| {
            self.git
                .variable(&format!("GIT_{role_key}_{}", what.to_uppercase()))
                .or_else(|| self.config.get(&format!("{role}.{what}")))
                .or_else(|| self.config.get(&format!("user.{what}")))
        };
        let name = find("name").map(clean).filter(|name| !name.is_empty());
        let email = find("email").or_else(|| self.git.variable("EMAIL")).map(clean);
        match (name, email) {
            (Some(name), Some(email)) => Ok(Signature { name: name.into(), email: email.into(), time }),
            _ => Err(Error::usage("Git does not know who you are, so nothing can be committed")
                .hint("run `git config --global user.name \"Your Name\"`")
                .hint("and `git config --global user.email you@example.com`")),
        }
    }

    /// One time for author and committer: `GIT_COMMITTER_DATE` when it is set, else now.
    pub(super) fn time(&self) -> Result<gix::date::Time, Error> {
        let Some(text) = self.git.variable("GIT_COMMITTER_DATE") else {
            return Ok(gix::date::Time::now_local_or_utc());
        };
        gix::date::parse(text, None).map_err(|_| {
            Error::usage(format!("`GIT_COMMITTER_DATE` is no date: `{}`", Sanitised::line(text)))
                .hint("write it as `2026-01-31 12:00:00 +0000`, or unset it")
        })
    }
}

/// Git takes these characters out of names (ident.c, `crud`).
fn clean(text: &str) -> String {
    let text: String = text.chars().filter(|c| !matches!(c, '\n' | '<' | '>' | '\0')).collect();
    text.trim_matches(|c: char| c <= ' ' || matches!(c, ',' | ':' | ';' | '"' | '\\' | '\'')).to_owned()
}

/// Whether an existing commit says and does the same; only its time may differ.
fn is_same(repo: &gix::Repository, old: &CommitId, new: &gix::objs::Commit, signed: bool) -> bool {
    let Ok(found) = repo.find_commit(old.0) else { return false };
    let Ok(found) = found.decode().and_then(gix::objs::CommitRef::into_owned) else { return false };
    let same_person = |a: &Signature, b: &Signature| a.name == b.name && a.email == b.email;
    found.tree == new.tree
        && found.parents == new.parents
        && found.message == new.message
        && same_person(&found.author, &new.author)
        && same_person(&found.committer, &new.committer)
        && found.extra_headers.is_empty() != signed
}

fn edited_tree(repo: &gix::Repository, base: &CommitId, files: &[FileChange]) -> Result<gix::ObjectId, Error> {
    let root = repo.find_commit(base.0).and_then(|commit| commit.tree()).map_err(|error| {
        Error::usage(format!("commit {} can't be read", base.short()))
            .because(Sanitised::line(&error.to_string()))
            .hint("check the repository: `git fsck`")
    })?;
    let mut editor = root.edit().map_err(|error| cannot_write(&error))?;
    for file in files {
        let kind = entry_kind(repo, &root, file)?;
        let edited = match &file.after {
            Some(after) => {
                let blob = repo.write_blob(after).map_err(|error| cannot_write(&error))?;
                editor.upsert(file.path.as_str(), kind, blob)
            }
            None => editor.remove(file.path.as_str()),
        };
        edited.map_err(|error| cannot_write(&error))?;
    }
    let id = editor.write().map_err(|error| cannot_write(&error))?.detach();
    if id == root.id {
        return Err(Error::bug("a commit without a change was asked for"));
    }
    Ok(id)
}

/// The mode of the file after the edit. Refuses what the edit was not made for: another content,
/// a link, and a path that leads through a file, a link or a submodule.
fn entry_kind(repo: &gix::Repository, root: &gix::Tree<'_>, file: &FileChange) -> Result<EntryKind, Error> {
    let wrong =
        |why: &str| Error::bug(format!("`{}` can't be edited", Sanitised::line(&file.path))).because(why.to_owned());
    let parts: Vec<&str> = file.path.split('/').collect();
    if parts.iter().any(|part| safe_name((*part).into()).is_none()) {
        return Err(wrong("its path leaves the repository"));
    }
    let find =
        |depth: usize| root.lookup_entry(parts[..depth].iter().copied()).map_err(|error| wrong(&error.to_string()));
    for depth in 1..parts.len() {
        match find(depth)? {
            Some(entry) if !entry.mode().is_tree() => return Err(wrong("a part of its path is no folder")),
            Some(_) => {}
            None => break,
        }
    }
    match (find(parts.len())?, &file.before) {
        (None, None) if file.after.is_some() => Ok(EntryKind::Blob),
        (None, None) => Err(wrong("it should be taken away and is not there")),
        (Some(_), None) => Err(wrong("it should be new and is there already")),
        (None, Some(_)) => Err(wrong("it is not there")),
        (Some(entry), Some(before)) => {
            if !entry.mode().is_blob() || entry.mode().is_link() {
                return Err(wrong("it is no regular file"));
            }
            let blob = repo.find_blob(entry.object_id()).map_err(|error| cannot_write(&error))?;
            if blob.data != *before {
                return Err(wrong("its content is not what the edit was made for"));
            }
            Ok(entry.mode().kind())
        }
    }
}

fn cannot_write(error: &gix::Error) -> Error {
    let mut refusal = Error::usage("the commit can't be written");
    refusal.causes = trouble::causes(error);
    refusal.hint("check that `.git/objects` can be written and the disk is not full")
}

fn cannot_sign(error: &gix::Error) -> Error {
    let mut refusal = Error::usage("the commit can't be signed, and `commit.gpgSign` is on");
    refusal.causes = trouble::causes(error);
    refusal
        .hint("check `git config user.signingKey` and `git config gpg.format`")
        .hint("or turn it off in this repository: `git config commit.gpgSign false`")
}
