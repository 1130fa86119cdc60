//! Kustomize, as a child process that sees only a scratch copy.

use super::roots::Root;
use super::substitute::Substitution;
use super::{Rendered, Stop, flatten};
use crate::doors::files::{self, Scratch};
use crate::doors::process::{self, Finished, Run, RunError};
use crate::error::Error;
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use crate::yaml::parse;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tokio::sync::OnceCell;

/// Renderers on this machine. Their versions are asked once.
#[derive(Debug, Default)]
pub struct Tools {
    pub kustomize: Option<PathBuf>,
    /// `kubectl kustomize` is used where there is no `kustomize`.
    pub kubectl: Option<PathBuf>,
    version: OnceCell<String>,
}

impl Tools {
    /// Those at the given places.
    pub fn new(kustomize: Option<PathBuf>, kubectl: Option<PathBuf>) -> Self {
        Self { kustomize, kubectl, version: OnceCell::new() }
    }

    /// Those on `PATH`.
    pub fn find() -> Self {
        Self::new(process::which("kustomize"), process::which("kubectl"))
    }

    /// `kustomize 5.8.2`.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn version(&self) -> Result<String, Stop> {
        self.version.get_or_try_init(|| self.ask_version()).await.cloned()
    }

    async fn ask_version(&self) -> Result<String, Stop> {
        let scratch = scratch()?;
        let (program, is_kubectl) = self.program()?;
        let args: &[&str] = if is_kubectl { &["version", "--client", "--output=json"] } else { &["version"] };
        let finished = run(program, args, &scratch).await?;
        let text = String::from_utf8_lossy(&finished.stdout);
        let kubectl = serde_json::from_str::<Value>(&text).ok();
        let version = kubectl.as_ref().and_then(|v| v["kustomizeVersion"].as_str()).unwrap_or(&text);
        let digits = version.find(|c: char| c.is_ascii_digit()).map_or("", |at| &version[at..]);
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
        Ok(format!("kustomize {}", &digits[..end]).trim_end().to_owned())
    }

    fn program(&self) -> Result<(&Path, bool), Refusal> {
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
}

/// Lines of the tool's own words that are repeated.
const LINES: usize = 5;

/// Renders a folder of `tree`, which holds nothing but inputs that were walked.
/// `finish` is done to the text of each document.
pub(super) async fn render(
    tree: &Tree,
    root: &Root,
    tools: &Tools,
    finish: Option<&Substitution>,
) -> Result<Rendered, Stop> {
    let (program, is_kubectl) = tools.program()?;
    let scratch = scratch()?;
    let copy = scratch.path().join("tree");
    for (path, entry) in &tree.entries {
        let written = match entry {
            Entry::File(bytes) => files::write_scratch(&copy.join(path), bytes),
            Entry::Link(target) => files::link_scratch(&copy.join(path), target),
            Entry::Large(_) | Entry::Submodule => Ok(()),
        };
        written.map_err(|error| Error::bug("the scratch copy could not be written").caused_by(&error))?;
    }
    let folder = copy.join(&root.path).display().to_string();
    // Every input was walked, so files beside the root are allowed, as Flux does.
    let restrictor = "--load-restrictor=LoadRestrictionsNone";
    let verb = if is_kubectl { "kustomize" } else { "build" };
    let finished = run(program, &[verb, restrictor, &folder], &scratch).await?;
    if finished.code != 0 {
        return Err(failed(root, &finished.stderr, &copy).into());
    }
    let mut text = String::from_utf8_lossy(&finished.stdout).into_owned();
    if let Some(substitution) = finish {
        let documents = text.split("\n---\n").map(|document| substitution.document(document));
        text = documents.collect::<Vec<String>>().join("\n---\n");
    }
    let documents = parse::all(&text).map_err(|error| {
        Refusal::new("render-failed", format!("`{}` renders to what is no YAML: {error}", root.shown()), "")
    })?;
    Ok(flatten(documents))
}

fn scratch() -> Result<Scratch, Error> {
    Scratch::new().map_err(|error| {
        Error::usage("the scratch folder could not be made").caused_by(&error).hint("set TMPDIR to a folder with room")
    })
}

/// Nothing of the user's environment, no program on `PATH`, no way out of the machine.
async fn run(program: &Path, args: &[&str], scratch: &Scratch) -> Result<Finished, Stop> {
    let home = scratch.path().join("home");
    let mut run = Run::new(program).args(args.iter().copied()).env("PATH", "").env("KUBECONFIG", "/dev/null");
    for name in ["HOME", "TMPDIR", "KUSTOMIZE_PLUGIN_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        run = run.env(name, home.as_os_str());
    }
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        run = run.env(name, "http://127.0.0.1:1");
    }
    files::make_private_folder(&home)
        .map_err(|error| Error::bug("the scratch folder is not writable").caused_by(&error))?;
    run.folder = Some(home);
    process::run(run).await.map_err(|error| match error {
        RunError::NotFound(_) | RunError::Start { .. } => Stop::Failed(
            Error::usage("the renderer could not be started")
                .caused_by(&error)
                .hint("install kustomize, or check PATH"),
        ),
        RunError::Deadline { .. } | RunError::TooMuchOutput { .. } => {
            Stop::Refused(Refusal::new("render-limit", error.to_string(), "name a smaller folder: --path DIR"))
        }
    })
}

fn failed(root: &Root, stderr: &str, copy: &Path) -> Refusal {
    let prefix = format!("{}/", copy.display());
    let clean = stderr.replace(&prefix, "").replace(prefix.trim_end_matches('/'), ".");
    let lines: Vec<String> = crate::redact::text(&clean).as_str().lines().take(LINES).map(str::to_owned).collect();
    Refusal::new(
        "render-failed",
        format!("`{}` does not render", root.shown()),
        format!("try it: kustomize build {}", root.shown()),
    )
    .with_details(lines)
}
