//! `git` child processes and their environment.

use crate::doors::process::{self, Finished, Run, RunError};
use crate::error::Error;
use crate::text::Sanitised;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// Keys of models, and our own token for a forge; no child needs them.
const KEYS: [&str; 4] = ["AIFIX_LLM_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AIFIX_FORGE_TOKEN"];

/// Variables that bind Git to another repository (`git rev-parse --local-env-vars`, less those that
/// carry configuration). A hook or an editor may have left them in our environment.
const LOCAL: [&str; 14] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// The oldest Git that is supported: Debian 12 has it, and everything that is used here.
const OLDEST: (u32, u32) = (2, 39);

/// For a question that is answered from memory or disk.
pub(super) const LOCAL_TIME: Duration = Duration::from_secs(30);
/// For a short question to a remote.
pub(super) const ASK_TIME: Duration = Duration::from_secs(60);
/// For a transfer.
pub(super) const TRANSFER_TIME: Duration = Duration::from_secs(300);

/// Whether Git may ask a person for a password or a host key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prompt {
    Never,
    Terminal,
}

/// How `git` is started for one repository.
#[derive(Debug, Clone)]
pub(super) struct Git {
    env: BTreeMap<OsString, OsString>,
    /// Where it runs, as if the user had typed it there.
    pub(super) folder: PathBuf,
    /// Whether the user chose how ssh is started (`GIT_SSH_COMMAND`, `GIT_SSH`, `core.sshCommand`).
    pub(super) own_ssh: bool,
}

impl Git {
    pub(super) fn new(folder: PathBuf, environment: BTreeMap<OsString, OsString>) -> Self {
        let mut env = environment;
        for name in KEYS.iter().chain(&LOCAL) {
            env.remove(OsStr::new(name));
        }
        // Messages are read below, and a status must not refresh the user's index.
        env.remove(OsStr::new("LANGUAGE"));
        env.insert("LC_ALL".into(), "C".into());
        env.insert("GIT_OPTIONAL_LOCKS".into(), "0".into());
        let set = |name: &str| env.get(OsStr::new(name)).is_some_and(|value| !value.is_empty());
        let own_ssh = set("GIT_SSH_COMMAND") || set("GIT_SSH");
        Self { env, folder, own_ssh }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(OsStr::new(name))?.to_str().filter(|value| !value.is_empty())
    }

    /// A `git` command; the caller sets deadline and input.
    pub(super) fn command<I: IntoIterator<Item = S>, S: Into<OsString>>(&self, prompt: Prompt, args: I) -> Run {
        let mut run = Run::new("git").args(["-c", "core.fsmonitor=false", "-c", "submodule.recurse=false"]).args(args);
        run.env = self.env.clone();
        run.folder = Some(self.folder.clone());
        run.interactive = prompt == Prompt::Terminal;
        if prompt == Prompt::Never {
            run = run.env("GIT_TERMINAL_PROMPT", "0");
            if !self.own_ssh {
                run = run.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
            }
        }
        run
    }

    /// Runs a command that asks nobody and touches no remote, from code that is not async.
    pub(super) fn run_now<I: IntoIterator<Item = S>, S: Into<OsString>>(&self, args: I) -> Result<Finished, Error> {
        let mut run = self.command(Prompt::Never, args);
        run.deadline = LOCAL_TIME;
        run_now(run)
    }

    /// Refuses a missing or an old Git.
    pub(super) fn check_version(&self) -> Result<(), Error> {
        let done = self.run_now(["version"])?;
        let text = String::from_utf8_lossy(&done.stdout);
        match version(&text) {
            Some(found) if found >= OLDEST => Ok(()),
            found => {
                let found = found.map_or_else(
                    || format!("`{}`", Sanitised::line(text.trim())),
                    |(major, minor)| format!("{major}.{minor}"),
                );
                Err(Error::usage(format!("Git {found} is too old"))
                    .hint(format!("install Git {}.{} or newer", OLDEST.0, OLDEST.1)))
            }
        }
    }
}

/// Runs a child to its end on a thread of its own, so that it works inside and outside of a runtime.
pub(super) fn run_now(run: Run) -> Result<Finished, Error> {
    let result = std::thread::scope(|scope| {
        let child = scope.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok::<_, std::io::Error>(runtime.block_on(process::run(run)))
        });
        child.join()
    });
    match result {
        Ok(Ok(finished)) => finished.map_err(|error| failed_to_run(&error)),
        Ok(Err(error)) => Err(Error::usage("no thread could be set up to run `git`").caused_by(&error)),
        Err(_) => Err(Error::bug("the thread that runs `git` panicked")),
    }
}

/// The error of a `git` that could not be run at all.
pub(super) fn failed_to_run(error: &RunError) -> Error {
    match error {
        RunError::NotFound(_) => Error::usage("`git` was not found on `PATH`")
            .hint(format!("install Git {}.{} or newer", OLDEST.0, OLDEST.1)),
        RunError::Start { .. } => Error::usage("`git` could not be run").caused_by(error),
        RunError::Deadline { .. } => Error::unreachable(error.to_string()),
        RunError::TooMuchOutput { .. } => Error::usage(error.to_string()),
    }
}

/// `git version 2.39.5 (Apple Git-154)` is `(2, 39)`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim().strip_prefix("git version ")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_every_vendor_are_read() {
        for (text, want) in [
            ("git version 2.39.5\n", Some((2, 39))),
            ("git version 2.50.1 (Apple Git-155)", Some((2, 50))),
            ("git version 2.48.1.windows.1", Some((2, 48))),
            ("git version 3.0.rc1", Some((3, 0))),
            ("hub 2", None),
        ] {
            assert_eq!(version(text), want, "{text}");
        }
    }

    #[test]
    fn children_see_no_key_and_no_other_repository() {
        let given: BTreeMap<OsString, OsString> =
            ["OPENAI_API_KEY", "AIFIX_FORGE_TOKEN", "GIT_DIR", "LANGUAGE", "HOME"]
                .map(|name| (OsString::from(name), OsString::from("x")))
                .into_iter()
                .collect();
        let run = Git::new("/".into(), given).command(Prompt::Never, ["status"]);
        let names: Vec<&str> = run.env.keys().filter_map(|name| name.to_str()).collect();
        assert_eq!(names, ["GIT_OPTIONAL_LOCKS", "GIT_SSH_COMMAND", "GIT_TERMINAL_PROMPT", "HOME", "LC_ALL"]);
    }

    #[test]
    fn an_own_ssh_command_stays() {
        let given = BTreeMap::from([(OsString::from("GIT_SSH_COMMAND"), OsString::from("ssh -i key"))]);
        let run = Git::new("/".into(), given).command(Prompt::Never, ["fetch"]);
        assert_eq!(run.env[OsStr::new("GIT_SSH_COMMAND")], "ssh -i key");
    }
}
