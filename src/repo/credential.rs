//! What Git knows of a web host: who we are, whom to trust.

use super::git::{self, Prompt};
use super::{Repo, RepoUrl};
use crate::doors::process;
use std::fmt;
use std::path::PathBuf;

/// A user and a password or token, as a helper of Git gave them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Repo {
    /// What the user's credential helpers know of a repository below `base`, such as `https://git.example.com`.
    /// Credentials that stand in the remote's own address count when it is of that host. Nobody is asked, and
    /// the helpers are told nothing of how it went.
    pub async fn credential(&self, remote: &RepoUrl, base: &str) -> Option<Credential> {
        let base = base.trim_end_matches('/');
        // It goes to standard input: arguments can be seen by every user of the machine.
        let url = match remote.web() {
            Some(web) if remote.is_web() && web == base => remote.written().to_owned(),
            _ => format!("{base}/{}", remote.path()),
        };
        let mut run = self.git.command(Prompt::Never, ["-c", "core.askPass=", "credential", "fill"]);
        run = run.env("GIT_ASKPASS", "").env("SSH_ASKPASS", "").env("GCM_INTERACTIVE", "never");
        run.input = format!("url={url}\n\n").into_bytes();
        run.deadline = git::LOCAL_TIME;
        run.output_limit = 64 << 10;
        let done = process::run(run).await.ok().filter(|done| done.code == 0)?;
        read(&String::from_utf8_lossy(&done.stdout))
    }

    /// The file of certificate authorities that Git trusts for an address: `GIT_SSL_CAINFO`, else
    /// `http.sslCAInfo` for it.
    pub async fn authorities(&self, url: &str) -> Option<PathBuf> {
        if let Some(file) = self.git.variable("GIT_SSL_CAINFO") {
            return Some(PathBuf::from(file));
        }
        let args = ["config", "--type=path", "--get-urlmatch", "http.sslCAInfo", url];
        let done = self.run(Prompt::Never, &args, git::LOCAL_TIME).await.ok().filter(|done| done.code == 0)?;
        let file = String::from_utf8(done.stdout).ok()?;
        Some(PathBuf::from(file.trim_end_matches('\n'))).filter(|file| !file.as_os_str().is_empty())
    }
}

/// Reads `username=...` and `password=...` (`git help credential`).
fn read(text: &str) -> Option<Credential> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let password = value("password").filter(|password| !password.is_empty())?;
    Some(Credential { user: value("username").unwrap_or_default().to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_read_and_never_printed() {
        let found = read("protocol=https\nhost=h\nusername=bot\npassword=hunter2=\n").unwrap();
        assert_eq!((found.user.as_str(), found.password.as_str()), ("bot", "hunter2="));
        assert_eq!(format!("{found:?}"), "***");
        assert_eq!(read("username=bot\n"), None);
    }
}
