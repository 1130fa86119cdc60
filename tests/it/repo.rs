//! Real Git repositories and remotes, hermetic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "set-up of tests")]

mod commit;
mod push;
mod read;
mod remote;
mod traces;

use aifix::error::{Error, Kind};
use aifix::model::proposal::FileChange;
use aifix::model::tree::Entry;
use aifix::repo::{Branch, CommitId, Remote, Repo};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const BRANCH: &str = "aifix/prod/deployment-web/oom-killed-1a2b3c4d";
const MESSAGE: &str =
    "Raise memory limit of Deployment prod/web to 256Mi\n\nBecause.\n\nAifix-Object: Deployment prod/web";

/// A folder with a home, a bare remote and a clone of it, and an environment that sees nothing else.
struct Lab {
    dir: tempfile::TempDir,
    env: BTreeMap<OsString, OsString>,
}

impl Lab {
    fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::write(
            home.join(".gitconfig"),
            "[user]\n\tname = Ada\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n",
        )
        .unwrap();
        let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
        for (name, value) in [
            ("HOME", home.to_str().unwrap()),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_DATE", "2026-01-02 03:04:05 +0100"),
            ("GIT_COMMITTER_DATE", "2026-01-02 03:04:05 +0100"),
            ("GIT_CEILING_DIRECTORIES", dir.path().to_str().unwrap()),
        ] {
            env.insert(name.into(), value.into());
        }
        env.insert("PATH".into(), std::env::var_os("PATH").unwrap());
        Self { dir, env }
    }

    fn new() -> Self {
        Self::with_format("sha1")
    }

    fn with_format(format: &str) -> Self {
        let lab = Self::empty();
        lab.git(".", &["init", "-q", "--object-format", format, "seed"]);
        fs::create_dir_all(lab.path("seed/apps/prod")).unwrap();
        lab.write("seed/apps/prod/web.yaml", b"kind: Deployment\r\nmemory: 64Mi\r\n");
        lab.write("seed/run.sh", b"#!/bin/sh\necho 64Mi\n");
        fs::set_permissions(lab.path("seed/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("../run.sh", lab.path("seed/apps/link")).unwrap();
        lab.git("seed", &["add", "-A"]);
        lab.git("seed", &["-c", "core.autocrlf=false", "commit", "-qm", "first"]);
        lab.write("seed/second", b"2");
        lab.git("seed", &["add", "-A"]);
        lab.git("seed", &["commit", "-qm", "second"]);
        lab.git(".", &["clone", "-q", "--bare", "seed", "remote.git"]);
        lab.git(".", &["clone", "-q", "remote.git", "clone"]);
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn script(&self, name: &str, text: &str) {
        self.write(name, text.as_bytes());
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn git(&self, folder: &str, args: &[&str]) -> String {
        self.git_with(folder, args, b"")
    }

    fn git_with(&self, folder: &str, args: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .args(args)
            .current_dir(self.path(folder))
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    fn open(&self, folder: &str) -> Result<Repo, Error> {
        Repo::discover(&self.path(folder), self.env.clone())
    }

    /// The clone, its remote and the tip of its base branch, fetched.
    async fn ready(&self, folder: &str) -> (Repo, Remote, CommitId) {
        let repo = self.open(folder).unwrap();
        let remote = repo.remote(None).unwrap();
        let base = repo.base_branch(&remote, None, false).await.unwrap();
        let tip = repo.fetch(&remote, &base, false).await.unwrap();
        (repo, remote, tip)
    }

    fn remote_branch(&self, name: &str) -> Option<String> {
        let found = self.git("remote.git", &["for-each-ref", "--format=%(objectname)", &format!("refs/heads/{name}")]);
        (!found.is_empty()).then_some(found)
    }

    /// Every file below a folder and its bytes, and the time of the index, without what aifix may add:
    /// objects, refs/aifix, and what `git push` writes of the pushed branch.
    fn state(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.path(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                let text = path.to_string_lossy().into_owned();
                let ours =
                    [".git/objects", "refs/aifix", "refs/remotes/origin/aifix"].iter().any(|end| text.ends_with(end));
                if ours {
                    continue;
                } else if meta.is_dir() {
                    folders.push(path);
                } else if meta.is_symlink() {
                    found.insert(path.clone(), fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec());
                } else {
                    let mut bytes = fs::read(&path).unwrap();
                    bytes.extend(format!("{:o}", meta.permissions().mode()).bytes());
                    if text.ends_with("/index") {
                        bytes.extend(format!("{:?}", meta.modified().unwrap()).bytes());
                    }
                    found.insert(path, bytes);
                }
            }
        }
        found
    }
}

fn edit(path: &str, before: &[u8], after: &[u8]) -> FileChange {
    FileChange { path: path.to_owned(), before: Some(before.to_vec()), after: Some(after.to_vec()) }
}

fn memory() -> FileChange {
    edit("apps/prod/web.yaml", b"kind: Deployment\r\nmemory: 64Mi\r\n", b"kind: Deployment\r\nmemory: 256Mi\r\n")
}

fn branch() -> Branch {
    Branch::parse(BRANCH).unwrap()
}

fn changed(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) -> BTreeSet<PathBuf> {
    let all: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    all.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

/// Moves the remote's base on, so that a fetch has something to do.
fn move_base(lab: &Lab) -> String {
    lab.write("seed/third", b"3");
    lab.git("seed", &["add", "-A"]);
    lab.git("seed", &["commit", "-qm", "third"]);
    lab.git("seed", &["push", "-q", "../remote.git", "HEAD:main"]);
    lab.git("seed", &["rev-parse", "HEAD"])
}

/// Answers every request with one status.
fn http_server(status: &'static str) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
    });
    port
}

async fn pushed(lab: &Lab) -> (CommitId, Result<(), Error>) {
    let (repo, remote, tip) = lab.ready("clone").await;
    let commit = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    (commit, repo.push(&remote, &commit, &branch(), false).await)
}
