//! Renderers on this machine, and their versions.

use super::Stop;
use super::child;
use crate::doors::process;
use crate::model::refusal::Refusal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::OnceCell;

/// What a renderer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub time: Duration,
    /// Bytes of memory, where the system can bound them (Linux).
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), memory: 4 << 30 }
    }
}

/// Renderers on this machine. Their versions are asked once.
#[derive(Debug, Default)]
pub struct Tools {
    pub kustomize: Option<PathBuf>,
    /// `kubectl kustomize` is used where there is no `kustomize`.
    pub kubectl: Option<PathBuf>,
    /// Helm 3 or 4.
    pub helm: Option<PathBuf>,
    /// Kustomize may have it render charts.
    inflates: bool,
    /// What each run of a renderer may take.
    pub(super) limits: Limits,
    /// `.Capabilities.KubeVersion` of charts of which nothing else is said.
    pub(super) kube_version: Option<String>,
    /// Further `.Capabilities.APIVersions`.
    pub(super) api_versions: Vec<String>,
    kustomize_version: OnceCell<String>,
    helm_version: OnceCell<String>,
}

impl Tools {
    /// Those at the given places.
    pub fn new(kustomize: Option<PathBuf>, kubectl: Option<PathBuf>, helm: Option<PathBuf>) -> Self {
        Self { kustomize, kubectl, helm, ..Self::default() }
    }

    /// The same, where kustomize may have Helm render charts of the repository.
    pub fn inflating(self, inflates: bool) -> Self {
        Self { inflates, ..self }
    }

    /// Charts see what the cluster says of itself.
    pub fn see_cluster(&mut self, kube_version: Option<String>, api_versions: Vec<String>) {
        (self.kube_version, self.api_versions) = (kube_version, api_versions);
    }

    /// The same with other limits.
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Those on `PATH`.
    pub fn find() -> Self {
        Self::new(process::which("kustomize"), process::which("kubectl"), process::which("helm"))
    }

    /// `kustomize 5.8.2`.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn kustomize_version(&self) -> Result<String, Stop> {
        let (program, is_kubectl) = self.kustomize()?;
        let args: &[&str] = if is_kubectl { &["version", "--client", "--output=json"] } else { &["version"] };
        let ask = async || {
            let text = ask(program, args).await?;
            let kubectl = serde_json::from_str::<Value>(&text).ok();
            let version = kubectl.as_ref().and_then(|v| v["kustomizeVersion"].as_str()).unwrap_or(&text);
            Ok(named("kustomize", version))
        };
        self.kustomize_version.get_or_try_init(ask).await.cloned()
    }

    /// `helm 3.22.0`.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn helm_version(&self) -> Result<String, Stop> {
        let program = self.helm()?;
        let ask = async || Ok(named("helm", &ask(program, &["version", "--short"]).await?));
        self.helm_version.get_or_try_init(ask).await.cloned()
    }

    /// The Helm that kustomize may start for the charts of a file.
    ///
    /// # Errors
    /// When it may not, or there is none.
    pub(super) fn inflater(&self, file: &str) -> Result<&Path, Refusal> {
        if self.inflates {
            return self.helm();
        }
        Err(Refusal::new(
            "unsupported-renderer",
            format!("`{file}` renders Helm charts (`helmCharts`)"),
            "let kustomize have Helm render those of the repository: --enable-helm",
        ))
    }

    /// The same for a folder that may have none.
    pub(super) fn spare_inflater(&self) -> Option<&Path> {
        self.helm.as_deref().filter(|_| self.inflates)
    }

    pub(super) fn kustomize(&self) -> Result<(&Path, bool), Refusal> {
        match (&self.kustomize, &self.kubectl) {
            (Some(program), _) => Ok((program, false)),
            (None, Some(program)) => Ok((program, true)),
            _ => Err(Refusal::new(
                "tool-missing",
                "neither `kustomize` nor `kubectl` is on PATH",
                "install one: https://kubectl.docs.kubernetes.io/installation/kustomize/",
            )),
        }
    }

    pub(super) fn helm(&self) -> Result<&Path, Refusal> {
        self.helm.as_deref().ok_or_else(|| {
            Refusal::new("tool-missing", "`helm` is not on PATH", "install it: https://helm.sh/docs/intro/install/")
        })
    }
}

async fn ask(program: &Path, args: &[&str]) -> Result<String, Stop> {
    let scratch = child::scratch()?;
    let finished = child::run(program, args, &scratch, Limits::default()).await?;
    Ok(String::from_utf8_lossy(&finished.stdout).into_owned())
}

/// `v3.22.0+g144c579` of `helm` is `helm 3.22.0`.
fn named(tool: &str, version: &str) -> String {
    let digits = version.find(|c: char| c.is_ascii_digit()).map_or("", |at| &version[at..]);
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
    format!("{tool} {}", &digits[..end]).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_its_digits() {
        for (said, wanted) in [("v3.22.0+g144c579\n", "helm 3.22.0"), ("v4.3.1", "helm 4.3.1"), ("", "helm")] {
            assert_eq!(named("helm", said), wanted);
        }
    }
}
