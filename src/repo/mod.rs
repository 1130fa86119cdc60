//! The only toucher of Git: read, fetch, commit, push.
//!
//! Objects and refs are read and written with `gix`; remotes are reached by the user's own `git`,
//! so that credentials, proxies and hooks work as they do on the command line.
//! The worktree, the index, HEAD, the configuration, `refs/heads`, `refs/tags` and every reflog stay
//! as they are: only objects and refs under `refs/aifix/` are added. `git push` itself may write the
//! remote-tracking ref of the branch that it pushed.

mod clone;
mod commit;
mod config;
mod credential;
mod git;
mod history;
mod ignore;
mod published;
mod push;
mod read;
mod remote;
mod trouble;
mod url;

pub use clone::is_address;
pub use config::Remote;
pub use credential::Credential;
pub use ignore::{Ignore, matches};
pub use url::{Branch, RepoUrl};

use crate::error::Error;
use crate::text::Sanitised;
use config::Config;
use git::{Git, Prompt};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// The id of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(gix::ObjectId);

impl CommitId {
    /// Reads a full id: 40 hex digits, or 64 in a SHA-256 repository.
    pub fn parse(hex: &str) -> Option<Self> {
        gix::ObjectId::from_hex(hex.as_bytes()).ok().map(Self)
    }

    /// Its first 7 digits, for people.
    pub fn short(&self) -> String {
        self.0.to_hex_with_len(7).to_string()
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A repository of the user.
pub struct Repo {
    inner: gix::ThreadSafeRepository,
    git: Git,
    config: Config,
}

impl fmt::Debug for Repo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repo({})", self.inner.path().display())
    }
}

impl Repo {
    /// Finds the repository that `path` is in, as Git itself does: from a sub-directory, in a linked
    /// worktree, with a detached HEAD, bare or shallow.
    ///
    /// `environment` is what `git` and its configuration see; model keys are taken out.
    ///
    /// # Errors
    /// A usage error when there is none, when Git refuses it, when it is kept in a format that can't
    /// be read (reftable), or when Git is missing or older than 2.39.
    pub fn discover(path: &Path, environment: BTreeMap<OsString, OsString>) -> Result<Self, Error> {
        let mut git = Git::new(PathBuf::from("."), environment);
        git.check_version()?;
        let git_dir = git_dir(&git, path)?;
        git.folder.clone_from(&git_dir);
        let listed = git.run_now(["config", "--list", "--null", "--includes"])?;
        if listed.code != 0 {
            return Err(Error::usage("the Git configuration could not be read").because(trouble::words(&listed.stderr)));
        }
        let config = Config::parse(&listed.stdout);
        if config.get("extensions.refstorage").is_some_and(|format| format != "files") {
            return Err(reftable(&git_dir));
        }
        let inner = open(&git_dir, &config, &git)?;
        if let Some(root) = inner.to_thread_local().workdir() {
            git.folder = root.to_owned();
        }
        git.own_ssh |= config.get("core.sshcommand").is_some();
        Ok(Self { inner, git, config })
    }

    /// The top of the worktree; `None` in a bare repository.
    pub fn root(&self) -> Option<&Path> {
        self.inner.work_dir()
    }

    /// The commit that is checked out; `None` before the first one.
    pub fn head(&self) -> Option<CommitId> {
        self.local().head_id().ok().map(|id| CommitId(id.detach()))
    }

    /// The branch that is checked out; `None` with a detached HEAD.
    pub fn head_branch(&self) -> Option<Branch> {
        let name = self.local().head_name().ok()??;
        Branch::parse(&name.shorten().to_string()).ok()
    }

    /// Whether there is work that no commit holds, untracked files included; `None` in a bare
    /// repository or when Git can't tell. Nothing is refreshed.
    pub async fn is_dirty(&self) -> Option<bool> {
        self.root()?;
        let mut run = self.git.command(Prompt::Never, ["status", "--porcelain", "--ignore-submodules"]);
        run.deadline = git::LOCAL_TIME;
        let done = crate::doors::process::run(run).await.ok()?;
        (done.code == 0).then_some(!done.stdout.is_empty())
    }

    /// The version of the user's Git: `2.39.5`.
    pub fn git_version(&self) -> Option<String> {
        let done = self.git.run_now(["version"]).ok()?;
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        text.trim().strip_prefix("git version ").map(str::to_owned)
    }

    fn local(&self) -> gix::Repository {
        self.inner.to_thread_local()
    }
}

/// Asks Git where the repository of `path` is kept.
fn git_dir(git: &Git, path: &Path) -> Result<PathBuf, Error> {
    let shown = Sanitised::line(&path.display().to_string()).to_string();
    let args = ["-C".as_ref(), path.as_os_str(), "rev-parse".as_ref(), "--absolute-git-dir".as_ref()];
    let found = git.run_now(args.map(OsStr::to_owned))?;
    let stderr = found.stderr.to_lowercase();
    if found.code == 0 {
        use std::os::unix::ffi::OsStringExt;
        let mut bytes = found.stdout;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        return Ok(PathBuf::from(OsString::from_vec(bytes)));
    }
    if stderr.contains("refstorage") {
        return Err(reftable(path));
    }
    if stderr.contains("repository extension") || stderr.contains("extensions.") || stderr.contains("repo version") {
        return Err(Error::usage(format!("the repository at `{shown}` is kept in a format that can't be read"))
            .because(trouble::words(&found.stderr))
            .hint("make a new clone of it: `git clone URL`"));
    }
    if stderr.contains("dubious ownership") {
        return Err(Error::usage(format!("the repository at `{shown}` belongs to another user"))
            .because("Git reads no configuration of a repository that others own")
            .hint(format!("if you trust it: `git config --global --add safe.directory {shown}`")));
    }
    if stderr.contains("not a git repository") {
        return Err(Error::usage(format!("`{shown}` is not in a Git repository"))
            .hint("run inside a clone, or pass --repo PATH"));
    }
    Err(Error::usage(format!("no Git repository can be opened at `{shown}`"))
        .because(trouble::words(&found.stderr))
        .hint("run inside a clone, or pass --repo PATH"))
}

fn reftable(path: &Path) -> Error {
    let shown = Sanitised::line(&path.display().to_string()).to_string();
    Error::usage(format!("the refs of the repository at `{shown}` are kept as `reftable`, which can't be read yet"))
        .hint("make a clone with the usual format: `git clone --ref-format=files URL`")
}

/// Opens it with nothing of the process's own environment: what matters of the configuration is
/// handed over as Git resolved it.
fn open(git_dir: &Path, config: &Config, git: &Git) -> Result<gix::ThreadSafeRepository, Error> {
    let wanted = |key: &str| {
        key.starts_with("gpg.")
            || key.starts_with("user.")
            || matches!(key, "commit.gpgsign" | "core.logallrefupdates" | "core.sharedrepository" | "core.compression")
    };
    let home = git.variable("HOME").unwrap_or_default();
    // gix may not look into our environment, so `~` is expanded here.
    let values = config.pick(wanted).into_iter().map(|entry| match entry.split_once("=~/") {
        Some((key, rest)) if !home.is_empty() => format!("{key}={home}/{rest}"),
        _ => entry,
    });
    gix::open::Options::isolated()
        .config_overrides(values)
        .open_path_as_is(true)
        // Git has just checked the owner.
        .with(gix::sec::Trust::Full)
        .open(git_dir)
        .map_err(|error| {
            let shown = Sanitised::line(&git_dir.display().to_string()).to_string();
            Error::usage(format!("the repository at `{shown}` can't be read"))
                .because(Sanitised::line(&error.to_string()))
                .hint("check it with `git fsck`, or make a new clone")
        })
}
