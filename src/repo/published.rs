//! Commits that aifix made: what their trailers say.

use super::{CommitId, Repo, trouble};
use crate::error::Error;
use crate::model::published::Published;
use jiff::Timestamp;

/// Branches of aifix, the remotes' first: the local refs also name what could not be pushed.
const BRANCHES: [&str; 3] = ["--remotes=*/aifix/*", "--branches=aifix/*", "--glob=refs/aifix/heads/*"];
/// Where merged commits are: the remotes' default branches, and what was fetched of base branches.
const BASES: [&str; 2] = ["--glob=refs/remotes/*/HEAD", "--glob=refs/aifix/base/*"];
/// Commit, the ref that led to it, author, seconds, message.
const FORMAT: &str = "--format=%H%n%S%n%an <%ae>%n%ct%n%B%x00";
/// Commits that are read at most; the newest come first.
const MOST: usize = 10_000;

impl Repo {
    /// The commits of `aifix/*` branches and of the default branches that name a record, as far as they are
    /// here: no remote is asked. The newest first.
    ///
    /// # Errors
    /// When Git can't tell.
    pub fn published(&self) -> Result<Vec<Published>, Error> {
        let head = self.head();
        let mut open: Vec<String> = BRANCHES.map(str::to_owned).to_vec();
        open.push("--not".to_owned());
        let mut bases: Vec<String> = BASES.map(str::to_owned).to_vec();
        bases.extend(head.as_ref().map(CommitId::to_string));
        let open = self.trailers(&[open, bases.clone()].concat(), false)?;
        let mut all = self.trailers(&bases, true)?;
        all.extend(open);
        all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.commit.cmp(&b.commit)));
        Ok(all)
    }

    fn trailers(&self, revisions: &[String], merged: bool) -> Result<Vec<Published>, Error> {
        let most = format!("--max-count={MOST}");
        let fixed = ["log", "--no-show-signature", "--no-color", "--encoding=UTF-8", "--grep=^Aifix-Record: ", FORMAT];
        let args = fixed.into_iter().chain([most.as_str()]).chain(revisions.iter().map(String::as_str));
        let done = self.git.run_now(args)?;
        if done.code != 0 {
            return Err(Error::usage("the commits of this repository could not be read")
                .because(trouble::words(&done.stderr))
                .hint("check it: `git fsck`"));
        }
        let text = String::from_utf8_lossy(&done.stdout);
        Ok(text.split('\0').filter_map(|commit| read(commit, merged)).collect())
    }
}

/// Reads what [`FORMAT`] wrote; `None` when its last paragraph names no record.
fn read(text: &str, merged: bool) -> Option<Published> {
    let mut lines = text.trim_start_matches('\n').splitn(5, '\n');
    let (commit, branch, author, at) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
    let message = lines.next()?.trim_end();
    let (_, trailers) = message.rsplit_once("\n\n")?;
    let trailer = |name: &str| {
        let value = trailers.lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.map(|value| value.trim().to_owned())
    };
    Some(Published {
        record: trailer("Aifix-Record")?,
        commit: commit.to_owned(),
        branch: branch.strip_prefix("refs/").map_or(branch, |name| name.trim_start_matches("remotes/")).to_owned(),
        merged,
        code: trailer("Aifix-Finding").unwrap_or_default(),
        object: trailer("Aifix-Object")
            .or_else(|| Some(format!("Policy {}", trailer("Aifix-Policy")?)))
            .unwrap_or_default(),
        model: trailer("Aifix-Model"),
        author: author.to_owned(),
        at: at.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()),
        message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_paragraph_names_a_record_and_the_last_line_counts() {
        let commit =
            |message: &str| read(&format!("\nc0ffee\norigin/aifix/x\nAda <a@b>\n1795876021\n{message}\n"), false);
        let found =
            commit("Fix it\n\nWhy.\n\nAifix-Object: D a/b\nAifix-Record: 00\nAifix-Record: 11\nSigned-off-by: x");
        let found = found.unwrap();
        assert_eq!((found.record.as_str(), found.object.as_str(), found.code.as_str()), ("11", "D a/b", ""));
        assert_eq!((found.subject(), found.branch.as_str()), ("Fix it", "origin/aifix/x"));
        assert_eq!(found.at.unwrap().to_string(), "2026-11-28T14:27:01Z");
        for message in ["Aifix-Record: 00", "Fix\n\nAifix-Record: 00\n\nmore", "Fix\n\n  Aifix-Record: 00"] {
            assert_eq!(commit(message), None, "{message}");
        }
    }
}
