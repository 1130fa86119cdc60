//! Our own clone of a repository that is only an address.

use super::git::{self, Git, Prompt};
use super::trouble::{self, Trouble};
use super::{Remote, Repo, RepoUrl};
use crate::doors::process;
use crate::error::Error;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Whether a text is the address of a repository on another machine, and no path.
pub fn is_address(text: &str) -> bool {
    text.contains("://") || text.starts_with("git@")
}

impl RepoUrl {
    /// The name of a folder for a clone of it: the same for all addresses of one repository.
    pub fn folder_name(&self) -> String {
        use std::fmt::Write as _;
        let mut name = String::new();
        for byte in self.identity().bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
                name.push(char::from(byte));
            } else {
                let _ = write!(name, "%{byte:02X}");
            }
        }
        name + ".git"
    }
}

impl Repo {
    /// Makes a bare clone of the newest commit in `folder`, which is not there yet; git takes it away
    /// again when it fails.
    ///
    /// # Errors
    /// When the repository is not there, when credentials are missing, or when the host does not answer.
    pub async fn clone_bare(
        url: &RepoUrl,
        folder: &Path,
        environment: BTreeMap<OsString, OsString>,
        interactive: bool,
    ) -> Result<(), Error> {
        let git = Git::new(PathBuf::from("."), environment);
        git.check_version()?;
        let prompt = if interactive { Prompt::Terminal } else { Prompt::Never };
        let args = ["clone", "--quiet", "--bare", "--depth=1", "--no-tags", "--no-recurse-submodules", "--"];
        let args = args.map(OsString::from).into_iter().chain([url.written().into(), folder.as_os_str().to_owned()]);
        let mut run = git.command(prompt, args);
        run.deadline = git::TRANSFER_TIME;
        let done = process::run(run).await.map_err(|error| git::failed_to_run(&error))?;
        if done.code == 0 {
            return Ok(());
        }
        let remote = Remote { name: "origin".to_owned(), url: url.clone(), push_url: url.clone() };
        Err(trouble::error("clone", &remote, Trouble::read(&done.stderr), &done.stderr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_of_a_repository_share_a_folder_that_shows_no_credentials() {
        let names: Vec<String> = ["https://u:token@git.example.com/Acme/shop.git", "git@git.example.com:acme/shop"]
            .iter()
            .map(|text| RepoUrl::parse(text).unwrap().folder_name())
            .collect();
        assert_eq!(names, ["git.example.com%2Facme%2Fshop.git"; 2]);
    }

    #[test]
    fn a_path_is_no_address() {
        assert!(is_address("https://git.example.com/a/b") && is_address("git@git.example.com:a/b"));
        assert!(!is_address(".") && !is_address("/srv/git/a.git") && !is_address("a:b"));
    }
}
