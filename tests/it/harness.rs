//! Runs the binary hermetically: own home, own Git identity, no network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A temporary home with a fixed environment.
pub(crate) struct Sandbox {
    root: tempfile::TempDir,
    kubeconfig: Option<PathBuf>,
}

/// What a run of the binary left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("home")).unwrap();
        Self { root, kubeconfig: None }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn use_kubeconfig(&mut self, text: &str) {
        self.kubeconfig = Some(self.write("kubeconfig", text));
    }

    /// A command with nothing of the caller's environment but `PATH`.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("HOME", self.path("home"));
        command.env("AIFIX_STATE_DIR", self.path("state"));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for (name, value) in [("AUTHOR", "Ada"), ("COMMITTER", "Ada")] {
            command.env(format!("GIT_{name}_NAME"), value).env(format!("GIT_{name}_EMAIL"), "ada@example.com");
            command.env(format!("GIT_{name}_DATE"), "2026-11-22T17:00:00Z");
        }
        command.env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs aifix in `folder` of the sandbox.
    pub(crate) fn aifix_in(&self, folder: &str, args: &[&str]) -> Ran {
        let mut command = self.command(env!("CARGO_BIN_EXE_aifix"));
        Ran::of(&command.current_dir(self.path(folder)).args(args).output().unwrap())
    }

    /// Runs aifix in the sandbox's root.
    pub(crate) fn aifix(&self, args: &[&str]) -> Ran {
        self.aifix_in("", args)
    }

    /// Runs git; it must succeed.
    pub(crate) fn git(&self, folder: &str, args: &[&str]) -> String {
        let ran = Ran::of(&self.command("git").current_dir(self.path(folder)).args(args).output().unwrap());
        assert_eq!(ran.code, 0, "git {args:?}: {}", ran.err);
        ran.out.trim_end().to_owned()
    }

    /// A bare remote `remote.git` and a clone `work` whose `main` holds `files`.
    pub(crate) fn repository(&self, files: &[(&str, &str)]) {
        self.git("", &["init", "-q", "--bare", "-b", "main", "remote.git"]);
        self.git("", &["clone", "-q", self.path("remote.git").to_str().unwrap(), "work"]);
        for (name, text) in files {
            self.write(&format!("work/{name}"), text);
        }
        self.git("work", &["checkout", "-q", "-B", "main"]);
        self.git("work", &["add", "-A"]);
        self.git("work", &["commit", "-qm", "Add manifests"]);
        self.git("work", &["push", "-q", "origin", "main"]);
        self.git("work", &["remote", "set-head", "origin", "main"]);
    }
}

/// Every record that a test made is valid, whatever the test is about.
impl Drop for Sandbox {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            crate::record_schema::check(&self.path("state"));
        }
    }
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The run must end with this exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// A folder of `tests/recorded`.
pub(crate) fn recorded(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name);
    assert!(folder.is_dir(), "{} is missing", folder.display());
    folder.to_str().unwrap().to_owned()
}

/// The Deployment `web` of a recording, as a person keeps it: one container `app` of busybox.
pub(crate) fn manifest(namespace: &str, script: &str, memory: Option<&str>) -> String {
    let limits = memory
        .map(|memory| format!("        resources:\n          limits:\n            memory: {memory}   # small nodes\n"));
    format!(
        "# The shop's front end.\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: {namespace}\nspec:\n  replicas: 1\n  \
         selector:\n    matchLabels: {{app: web}}\n  template:\n    metadata:\n      labels: {{app: web}}\n    spec:\n      \
         terminationGracePeriodSeconds: 2\n      containers:\n      - name: app\n        image: busybox:1.36\n        \
         imagePullPolicy: IfNotPresent\n        command: [\"sh\", \"-c\", \"{script}\"]\n{}",
        limits.unwrap_or_default()
    )
}

/// The manifest of the recorded `oom-killed`.
pub(crate) fn oom_manifest() -> String {
    manifest("cat-oom-killed", "echo starting; tail /dev/zero", Some("32Mi"))
}
