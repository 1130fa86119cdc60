//! Which remote and branch, and fetching from it.

use super::config::Remote;
use super::git::{self, Prompt};
use super::trouble::{self, Trouble};
use super::url::Branch;
use super::{CommitId, Repo};
use crate::doors::process::{self, Finished};
use crate::error::Error;
use crate::text::{Sanitised, nearest, or};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a fetch is tried again while another process holds the lock of the same ref.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// A `git` that did not end well, and why.
pub(super) struct Failed {
    pub(super) trouble: Trouble,
    pub(super) done: Finished,
}

impl Failed {
    /// Another process holds the lock of the same ref, or has just moved it.
    fn is_busy(&self) -> bool {
        let said = |words: &str| self.done.stderr.contains(words);
        self.trouble == Trouble::Lock && (said("File exists") || said("but expected"))
    }

    pub(super) fn error(&self, doing: &str, remote: &Remote) -> Error {
        trouble::error(doing, remote, self.trouble, &self.done.stderr)
    }
}

impl Repo {
    /// The remotes whose address can be used, by name.
    pub fn remotes(&self) -> Vec<Remote> {
        self.config.remote_names().into_iter().filter_map(|name| self.config.remote(name)?.ok()).collect()
    }

    /// The remote to fetch from and push to: `wanted`, else where Git would push the current branch
    /// (`branch.*.pushRemote`, `remote.pushDefault`, `branch.*.remote`), else `origin`, else the only one.
    ///
    /// # Errors
    /// A usage error when there is none, or no way to choose.
    pub fn remote(&self, wanted: Option<&str>) -> Result<Remote, Error> {
        let names = self.config.remote_names();
        if let Some(wanted) = wanted {
            return self.named(wanted);
        }
        let branch = self.head_branch();
        let of_branch = |what: &str| self.config.get(&format!("branch.{}.{what}", branch.as_ref()?));
        let configured = [of_branch("pushremote"), self.config.get("remote.pushdefault"), of_branch("remote")];
        // `.` is this repository itself: a branch that tracks another local one.
        if let Some(name) = configured.into_iter().flatten().find(|name| *name != "." && names.contains(name)) {
            return self.named(name);
        }
        if names.contains("origin") {
            return self.named("origin");
        }
        let names: Vec<&str> = names.into_iter().collect();
        match names.as_slice() {
            [] => Err(Error::usage("this repository has no remote to push to")
                .hint("add one: `git remote add origin URL`, or pass --repo PATH")),
            [only] => self.named(only),
            several => Err(Error::usage("this repository has several remotes and none is the default")
                .hint(format!("pass --remote {}", or(several)))),
        }
    }

    pub(super) fn named(&self, name: &str) -> Result<Remote, Error> {
        // A name is an argument of `git` below.
        if name.starts_with('-') {
            return Err(Error::usage(format!("`{}` can't be the name of a remote", Sanitised::line(name))));
        }
        self.config.remote(name).unwrap_or_else(|| {
            let names = self.config.remote_names();
            let error = Error::usage(format!("there is no remote `{}`", Sanitised::line(name)));
            Err(match nearest(name, names.iter().copied()) {
                Some(near) => error.hint(format!("did you mean `{}`?", Sanitised::line(near))),
                None => error.hint("list them: `git remote -v`"),
            })
        })
    }

    /// The branch that a change is based on: `wanted`, else the remote's default as this clone knows it,
    /// else as the remote says now.
    ///
    /// # Errors
    /// A usage error when the remote names no default branch; unreachable when it does not answer.
    pub async fn base_branch(&self, remote: &Remote, wanted: Option<&str>, ask: bool) -> Result<Branch, Error> {
        if let Some(wanted) = wanted {
            return Branch::parse(wanted);
        }
        if let Some(branch) = self.known_default(remote) {
            return Ok(branch);
        }
        let args = ["ls-remote", "--symref", remote.name.as_str(), "HEAD"];
        let done = self.talk("ask for the default branch of", remote, &args, git::ASK_TIME, ask).await?;
        let text = String::from_utf8_lossy(&done.stdout);
        text.lines()
            .find_map(|line| line.strip_prefix("ref: refs/heads/")?.strip_suffix("\tHEAD"))
            .and_then(|name| Branch::parse(name).ok())
            .ok_or_else(|| {
                Error::usage(format!("`{}` names no default branch", Sanitised::line(&remote.name)))
                    .hint("name the branch to change: --base BRANCH")
            })
    }

    /// The default branch as this clone knows it (`refs/remotes/<remote>/HEAD`, which `git clone` writes);
    /// the remote is not asked.
    pub fn known_default(&self, remote: &Remote) -> Option<Branch> {
        let repo = self.local();
        let head = repo.try_find_reference(&format!("refs/remotes/{}/HEAD", remote.name)).ok()??;
        let target = head.target().try_name()?.as_bstr().to_string();
        Branch::parse(target.strip_prefix(&format!("refs/remotes/{}/", remote.name))?).ok()
    }

    /// Fetches the tip of a branch into `refs/aifix/base/<branch>` and returns it.
    ///
    /// Neither remote-tracking refs nor FETCH_HEAD nor tags move, and a shallow clone stays shallow.
    /// A password or a host key is asked for only when `interactive`, and only when it is needed.
    ///
    /// # Errors
    /// When the branch or the repository is not there, when credentials are missing, or when the
    /// host does not answer.
    pub async fn fetch(&self, remote: &Remote, branch: &Branch, interactive: bool) -> Result<CommitId, Error> {
        let target = format!("refs/aifix/base/{branch}");
        let doing = format!("fetch `{branch}` from");
        self.fetch_to(remote, &doing, &format!("+{}:{target}", branch.full()), interactive).await?;
        let repo = self.local();
        let id = repo.find_reference(&target).ok().and_then(|mut found| found.peel_to_id().ok().map(gix::Id::detach));
        id.map(CommitId).ok_or_else(|| Error::bug(format!("`git fetch` ended well and `{target}` is not there")))
    }

    /// Fetches one commit by its id into `refs/aifix/commit/<id>`, unless it is here already.
    ///
    /// # Errors
    /// As for [`Repo::fetch`], and when the remote does not hand out commits by id.
    pub async fn fetch_commit(&self, remote: &Remote, commit: &CommitId, interactive: bool) -> Result<(), Error> {
        if self.has(commit) {
            return Ok(());
        }
        let doing = format!("fetch commit {} from", commit.short());
        self.fetch_to(remote, &doing, &format!("+{commit}:refs/aifix/commit/{commit}"), interactive).await
    }

    async fn fetch_to(&self, remote: &Remote, doing: &str, refspec: &str, interactive: bool) -> Result<(), Error> {
        // Git 2.48 sets refs/remotes/R/HEAD on a fetch unless it is told not to.
        let follow = format!("remote.{}.followRemoteHEAD=never", remote.name);
        let args = [
            "-c",
            &follow,
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--no-prune",
            "--no-prune-tags",
            "--refmap=",
            remote.name.as_str(),
            refspec,
        ];
        for attempt in 1.. {
            match self.try_talk(remote, &args, git::TRANSFER_TIME, interactive).await? {
                Ok(_) => break,
                // Another aifix fetches the same branch at this moment.
                Err(failed) if attempt < LOCK_TRIES && failed.is_busy() => {
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(failed) => return Err(failed.error(doing, remote)),
            }
        }
        Ok(())
    }

    /// The branches of the remote whose name starts with `prefix`, such as `aifix/`, and their tips.
    ///
    /// # Errors
    /// When the remote can't be asked.
    pub async fn branches(&self, remote: &Remote, prefix: &str) -> Result<BTreeMap<String, CommitId>, Error> {
        let prefix = prefix.trim_end_matches('*');
        let pattern = format!("refs/heads/{prefix}*");
        let args = ["ls-remote", "--refs", remote.name.as_str(), pattern.as_str()];
        let done = self.talk("list the branches of", remote, &args, git::ASK_TIME, false).await?;
        let text = String::from_utf8_lossy(&done.stdout);
        let branches = text.lines().filter_map(|line| {
            let (id, name) = line.split_once('\t')?;
            // Git's patterns match the end of a name, too.
            let name = name.strip_prefix("refs/heads/").filter(|name| name.starts_with(prefix))?;
            Some((name.to_owned(), CommitId::parse(id)?))
        });
        Ok(branches.collect())
    }

    /// Runs a `git` that talks to a remote; a failure is the error of `doing`.
    async fn talk(
        &self,
        doing: &str,
        remote: &Remote,
        args: &[&str],
        time: Duration,
        interactive: bool,
    ) -> Result<Finished, Error> {
        let result = self.try_talk(remote, args, time, interactive).await?;
        result.map_err(|failed| failed.error(doing, remote))
    }

    /// Runs a `git` that talks to a remote, first in silence. Only when that fails for want of a
    /// password or a host key, and a person may be asked, the terminal is handed to it.
    pub(super) async fn try_talk(
        &self,
        remote: &Remote,
        args: &[&str],
        time: Duration,
        interactive: bool,
    ) -> Result<Result<Finished, Failed>, Error> {
        // An ssh command of the user's own may ask, which would stop a child in the background.
        let silent = !(interactive && self.git.own_ssh && !remote.url.is_web() && remote.url.host().is_some());
        if silent {
            let done = self.run(Prompt::Never, args, time).await?;
            let trouble = Trouble::read(&done.stderr);
            if done.code == 0 {
                return Ok(Ok(done));
            }
            // What is on standard output came after signing in.
            if !(interactive && trouble.can_be_asked() && done.stdout.is_empty()) {
                return Ok(Err(Failed { trouble, done }));
            }
        }
        let done = self.run(Prompt::Terminal, args, time).await?;
        // What is on standard output came after signing in; without it, what was typed did not do.
        let trouble = if silent && done.stdout.is_empty() { Trouble::Asked } else { Trouble::Other };
        Ok(if done.code == 0 { Ok(done) } else { Err(Failed { trouble, done }) })
    }

    pub(super) async fn run(&self, prompt: Prompt, args: &[&str], time: Duration) -> Result<Finished, Error> {
        let mut run = self.git.command(prompt, args.iter().copied());
        run.deadline = time;
        process::run(run).await.map_err(|error| git::failed_to_run(&error))
    }
}
