//! Pushing a commit to a new branch, never with force.

use super::config::Remote;
use super::remote::Failed;
use super::trouble::{self, Trouble};
use super::url::Branch;
use super::{CommitId, Repo, git};
use crate::error::{Error, Kind};
use crate::text::Sanitised;

impl Repo {
    /// Pushes a commit as a new branch of the remote. The user's pre-push hooks run.
    ///
    /// Nothing of the remote is ever overwritten or moved: a branch that is there with the same commit
    /// is a success, with any other it is an error.
    ///
    /// # Errors
    /// Refused when the branch is there already or the remote rejects it; unreachable when credentials
    /// are missing, the host does not answer, or it takes longer than 300 s.
    pub async fn push(
        &self,
        remote: &Remote,
        commit: &CommitId,
        branch: &Branch,
        interactive: bool,
    ) -> Result<(), Error> {
        let full = branch.full();
        let refspec = format!("{commit}:{full}");
        // "The branch must not be there": without it a push would fast-forward a branch of somebody
        // else that is at our base. It can't overwrite anything.
        let lease = format!("--force-with-lease={full}:");
        let args = [
            "push",
            "--porcelain",
            "--no-follow-tags",
            "--recurse-submodules=no",
            &lease,
            remote.name.as_str(),
            &refspec,
        ];
        let result = self.try_talk(remote, &args, git::TRANSFER_TIME, interactive).await;
        let failed = match result {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(failed)) => failed,
            Err(error) if error.kind == Kind::Unreachable => {
                let check = format!("git ls-remote {} {full}", Sanitised::line(&remote.name));
                return Err(error.hint(format!("see whether the branch arrived: `{check}`")));
            }
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&failed.done.stdout).into_owned();
        let Some(reason) = rejection(&text) else { return Err(failed_push(remote, branch, &failed)) };
        // Another run may have pushed the same commit at this moment.
        match self.branches(remote, branch.as_str()).await.ok().and_then(|found| found.get(branch.as_str()).copied()) {
            Some(there) if there == *commit => Ok(()),
            Some(there) => Err(exists(remote, branch, &there)),
            None => Err(rejected(remote, branch, reason, &failed.done.stderr)),
        }
    }
}

/// The reason of the first rejected ref in the output of `git push --porcelain`:
/// `!\t<from>:<to>\t[remote rejected] (<reason>)`.
fn rejection(stdout: &str) -> Option<&str> {
    stdout.lines().find_map(|line| line.strip_prefix("!\t")?.split('\t').nth(1))
}

fn exists(remote: &Remote, branch: &Branch, there: &CommitId) -> Error {
    let name = Sanitised::line(&remote.name);
    Error::new(
        Kind::Refused,
        format!("`{name}` already has a branch `{branch}` with another commit ({})", there.short()),
    )
    .hint(format!("look at it: `git fetch {name} {branch}`, then `git log FETCH_HEAD`"))
    .hint("pass --branch NAME for another name, or delete that branch if it is no longer needed")
}

fn rejected(remote: &Remote, branch: &Branch, reason: &str, stderr: &str) -> Error {
    let name = Sanitised::line(&remote.name);
    let reason = Sanitised::line(&trouble::scrub(remote, reason));
    let said = trouble::words(&trouble::scrub(remote, stderr));
    let error = Error::new(Kind::Refused, format!("`{name}` rejected the branch `{branch}`: {reason}"));
    let error = if said.as_str().is_empty() { error } else { error.because(&said) };
    if said.as_str().contains("exists; cannot create") || Trouble::read(stderr) == Trouble::Lock {
        return error.hint("a branch there is a folder of this name: pass --branch NAME, or delete that branch");
    }
    error.hint("ask who looks after the repository which branches may be pushed, or pass --branch NAME")
}

/// The error of a push that ended before the remote judged it.
fn failed_push(remote: &Remote, branch: &Branch, failed: &Failed) -> Error {
    let error = failed.error(&format!("push `{branch}` to"), remote);
    // Git says no more than this when a hook ends with an error.
    if failed.trouble == Trouble::Other && failed.done.stderr.contains("failed to push some refs") {
        let mut error =
            Error::new(Kind::Refused, format!("a pre-push hook of this repository stopped the push of `{branch}`"));
        let said = trouble::words(&trouble::scrub(remote, &failed.done.stderr));
        if !said.as_str().is_empty() {
            error = error.because(said);
        }
        return error.hint("run what it checks, or look at it: `git rev-parse --git-path hooks/pre-push`");
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_rejection_is_read_from_the_porcelain() {
        let out = "To /r.git\n!\tabc:refs/heads/x\t[remote rejected] (pre-receive hook declined)\nDone\n";
        assert_eq!(rejection(out), Some("[remote rejected] (pre-receive hook declined)"));
        assert_eq!(rejection("To /r.git\n*\tabc:refs/heads/x\t[new branch]\nDone\n"), None);
    }
}
