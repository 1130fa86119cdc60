//! Real Flux that follows a repository on the laboratory's Git server.

use crate::kit::{Namespace, Repository, kubectl, lab, wait};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What Flux needs for one revision; a busy machine is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A GitRepository and a Kustomization in a namespace of their own.
pub(crate) struct Flux {
    pub(crate) namespace: Namespace,
}

impl Flux {
    /// Follows `main` and applies what `path` renders; `None`: `tests/lab/up` has said that there is no Flux, and why.
    pub(crate) fn follow(repository: &Repository, name: &str, path: &str) -> Option<Self> {
        if lab("AIFIX_LAB_FLUX") != "yes" {
            return None;
        }
        let flux = Self { namespace: Namespace::new(name) };
        flux.apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git"}, "stringData": {
            "username": repository.reader.0,
            "password": repository.reader.1,
        }}));
        flux.apply(&json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "shop"}, "spec": {
            "url": repository.url(), "ref": {"branch": "main"}, "secretRef": {"name": "git"}, "interval": "10m",
        }}));
        flux.apply(&json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "shop"}, "spec": {
            "sourceRef": {"kind": "GitRepository", "name": "shop"}, "path": path, "prune": true, "wait": true,
            "interval": "10m", "retryInterval": "5s", "timeout": "30s",
        }}));
        Some(flux)
    }

    fn apply(&self, object: &Value) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, object.to_string()).unwrap();
        self.namespace.kubectl(&["apply", "-f", file.path().to_str().unwrap()]);
    }

    /// Has Flux look at Git now.
    pub(crate) fn reconcile(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let asked = format!("reconcile.fluxcd.io/requestedAt={now}");
        self.namespace.kubectl(&["annotate", "--overwrite", "gitrepository/shop", "kustomization/shop", &asked]);
    }

    /// The Kustomization as it is.
    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.namespace.kubectl(&["get", "kustomization", "shop", "-o", "json"])).unwrap()
    }

    pub(crate) fn patch(&self, spec: &Value) {
        let patch = json!({"spec": spec}).to_string();
        self.namespace.kubectl(&["patch", "kustomization", "shop", "--type=merge", "-p", &patch]);
    }

    /// Waits until a field of the Kustomization's status names this commit.
    #[track_caller]
    pub(crate) fn wait_for(&self, field: &str, commit: &str) {
        wait(&format!("{field} {commit}"), PATIENCE, || {
            let status = &self.state()["status"];
            if status[field].as_str() == Some(&format!("main@sha1:{commit}")) {
                Ok(())
            } else {
                Err(status.to_string())
            }
        });
    }

    /// Waits for the reason of the Kustomization's `Ready`.
    #[track_caller]
    pub(crate) fn wait_for_reason(&self, reason: &str) {
        wait(reason, PATIENCE, || {
            let conditions = self.state()["status"]["conditions"].clone();
            let is = |one: &Value| one["type"] == "Ready" && one["reason"] == reason;
            if conditions.as_array().is_some_and(|all| all.iter().any(is)) {
                Ok(())
            } else {
                Err(conditions.to_string())
            }
        });
    }
}

impl Drop for Flux {
    /// What Flux applied goes while Flux still knows where it is.
    fn drop(&mut self) {
        let _ = std::panic::catch_unwind(|| {
            kubectl(&["delete", "kustomization", "shop", "-n", &self.namespace.0, "--timeout=30s"])
        });
    }
}
