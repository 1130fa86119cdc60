//! What the laboratory's tests share: kubectl, git, aifix, and waiting.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A variable of the laboratory's env file.
#[track_caller]
pub(crate) fn lab(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run tests/run --lab, or source the env file of tests/lab/up"))
}

/// Runs a command to its end; it must succeed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Runs kubectl as the admin.
#[track_caller]
pub(crate) fn kubectl(args: &[&str]) -> String {
    run(Command::new("kubectl").args(args))
}

/// Where the faults and their healthy neighbours lie.
pub(crate) fn faults() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/faults")
}

/// Asks until the answer is `Ok`, or says what was waited for and how it stood.
#[track_caller]
pub(crate) fn wait<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match ask() {
            Ok(value) => return value,
            Err(state) if began.elapsed() > limit => panic!("waited {limit:?} for {what}; it stood at: {state}"),
            Err(_) => std::thread::sleep(Duration::from_millis(500)),
        }
    }
}

/// A namespace of its own that is deleted when it is dropped.
pub(crate) struct Namespace(pub(crate) String);

impl Namespace {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        kubectl(&["create", "namespace", &name]);
        wait("the namespace's service account", Duration::from_secs(20), || {
            let output =
                Command::new("kubectl").args(["-n", &name, "get", "serviceaccount", "default"]).output().unwrap();
            if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
        });
        Self(name)
    }

    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        let mut all = vec!["-n", self.0.as_str()];
        all.extend(args);
        kubectl(&all)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("kubectl").args(["delete", "namespace", &self.0, "--wait=false"]).output();
    }
}

/// A run of the binary.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.out, self.err))
    }
}

/// Runs aifix in a folder; the records lie in the folder's `.state`.
pub(crate) fn aifix(folder: &Path, args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_aifix"))
        .args(args)
        .current_dir(folder)
        .env("AIFIX_STATE_DIR", folder.join("../state"))
        .envs(GIT_ENVIRONMENT)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) const GIT_ENVIRONMENT: [(&str, &str); 7] = [
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_AUTHOR_NAME", "Ada"),
    ("GIT_AUTHOR_EMAIL", "ada@example.com"),
    ("GIT_COMMITTER_NAME", "Ada"),
    ("GIT_COMMITTER_EMAIL", "ada@example.com"),
];

/// A remote on a server of the laboratory (HTTP, basic authentication) and a clone of it.
pub(crate) struct Repository {
    root: tempfile::TempDir,
    /// Who may read it, and the password.
    pub(crate) reader: (String, String),
}

impl Repository {
    /// On the Git server: `files` are committed on `main` and pushed.
    pub(crate) fn new(name: &str, files: &[(&str, String)]) -> Self {
        let name = format!("{name}-{}.git", std::process::id());
        let bare = Path::new(&lab("AIFIX_LAB_GIT_DIR")).join(&name);
        run(Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(&bare));
        let url = format!("{}/{name}", lab("AIFIX_LAB_GIT_URL").trim_end_matches('/'));
        let reader = (lab("AIFIX_LAB_GIT_READER_USER"), lab("AIFIX_LAB_GIT_READER_PASSWORD"));
        Self::fill(&url, &(lab("AIFIX_LAB_GIT_USER"), lab("AIFIX_LAB_GIT_PASSWORD")), reader, files)
    }

    /// The same at an empty repository of the forge, whose path is given.
    pub(crate) fn at_the_forge(path: &str, files: &[(&str, String)]) -> Self {
        let login = (lab("AIFIX_LAB_GITEA_USER"), lab("AIFIX_LAB_GITEA_TOKEN"));
        Self::fill(&format!("{}/{path}.git", lab("AIFIX_LAB_GITEA_URL")), &login.clone(), login, files)
    }

    fn fill(url: &str, login: &(String, String), reader: (String, String), files: &[(&str, String)]) -> Self {
        let repository = Self { root: tempfile::tempdir().unwrap(), reader };
        let work = repository.work();
        fs::create_dir(&work).unwrap();
        repository.git(&["init", "-q", "-b", "main"]);
        // The password comes from a credential helper, as on a workstation.
        let (scheme, rest) = url.split_once("://").unwrap();
        let stored = format!("{scheme}://{}:{}@{}\n", login.0, login.1, rest.split('/').next().unwrap());
        let file = repository.root.path().join("credentials");
        fs::write(&file, stored).unwrap();
        repository.git(&["config", "credential.helper", &format!("store --file={}", file.display())]);
        repository.git(&["remote", "add", "origin", url]);
        for (path, text) in files {
            let path = work.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        repository.git(&["add", "-A"]);
        repository.git(&["commit", "-qm", "Add manifests"]);
        repository.git(&["push", "-q", "origin", "main"]);
        repository
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        run(Command::new("git").args(args).current_dir(self.work()).envs(GIT_ENVIRONMENT))
    }

    /// Where the laboratory's server has it.
    pub(crate) fn url(&self) -> String {
        self.git(&["remote", "get-url", "origin"]).trim().to_owned()
    }

    /// Somebody else's commit on the server's `main`: the clone here does not know of it.
    pub(crate) fn commit(&self, message: &str, files: &[(&str, String)]) -> String {
        self.colleague(|git, folder| {
            for (path, text) in files {
                fs::write(folder.join(path), text).unwrap();
            }
            git(&["commit", "-qam", message]);
        })
    }

    /// A reviewer's merge of a pushed branch into the server's `main`; answers the merge commit.
    pub(crate) fn merge(&self, branch: &str) -> String {
        self.colleague(|git, _| {
            git(&["fetch", "-q", "origin", branch]);
            git(&["merge", "-q", "--no-ff", "-m", "Merge the fix", "FETCH_HEAD"]);
        })
    }

    /// What happens in another clone of `main`, pushed; answers the new tip.
    fn colleague(&self, act: impl FnOnce(&dyn Fn(&[&str]), &Path)) -> String {
        let clone = tempfile::tempdir_in(self.root.path()).unwrap();
        let git = |args: &[&str]| run(Command::new("git").args(args).current_dir(&clone).envs(GIT_ENVIRONMENT));
        let helper = self.git(&["config", "credential.helper"]);
        let setting = format!("credential.helper={}", helper.trim());
        git(&["clone", "-q", "-b", "main", "-c", &setting, &self.url(), "."]);
        act(&|args| drop(git(args)), clone.path());
        git(&["push", "-q", "origin", "HEAD:main"]);
        git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// A worktree of the pushed branch, as a reviewer would fetch it.
    pub(crate) fn checkout(&self, branch: &str) -> PathBuf {
        let folder = self.root.path().join(branch.replace('/', "_"));
        self.git(&["fetch", "-q", "origin", branch]);
        self.git(&["worktree", "add", "-q", "--detach", folder.to_str().unwrap(), "FETCH_HEAD"]);
        folder
    }
}

/// `code Kind/name` of every finding worse than info, sorted.
pub(crate) fn failing(report: &Value) -> Vec<String> {
    let mut all: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] != "info")
        .map(|finding| {
            let text = |pointer: &str| finding.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
            format!("{} {}/{}", text("/code"), text("/object/kind"), text("/object/name"))
        })
        .collect();
    all.sort();
    all
}
