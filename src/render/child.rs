//! A renderer as a child process that sees only a scratch copy.

use super::roots::Root;
use super::tools::Limits;
use super::{Rendered, Stop, flatten};
use crate::doors::files::{self, Scratch};
use crate::doors::process::{self, Finished, Run, RunError};
use crate::error::Error;
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use crate::yaml::parse;
use std::path::{Path, PathBuf};

/// Lines of the tool's own words that are repeated.
const LINES: usize = 5;

/// Folders of the user that a tool would look into.
const HOMES: [&str; 12] = [
    "HOME",
    "TMPDIR",
    "KUSTOMIZE_PLUGIN_HOME",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "HELM_CACHE_HOME",
    "HELM_CONFIG_HOME",
    "HELM_DATA_HOME",
    "HELM_PLUGINS",
    "HELM_REPOSITORY_CACHE",
    "DOCKER_CONFIG",
];

pub(super) fn scratch() -> Result<Scratch, Error> {
    Scratch::new().map_err(|error| {
        Error::usage("the scratch folder could not be made").caused_by(&error).hint("set TMPDIR to a folder with room")
    })
}

/// A copy of `tree`, which holds nothing but inputs that were walked.
pub(super) fn copy(tree: &Tree, scratch: &Scratch) -> Result<PathBuf, Error> {
    let copy = scratch.path().join("tree");
    for (path, entry) in &tree.entries {
        if let Entry::Link(target) = entry {
            files::link_scratch(&copy.join(path), target).map_err(|error| unwritten(&error))?;
        } else if let Some(bytes) = entry.bytes() {
            write(&copy.join(path), bytes)?;
        }
    }
    Ok(copy)
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    files::write_scratch(path, bytes).map_err(|error| unwritten(&error))
}

fn unwritten(error: &std::io::Error) -> Error {
    Error::bug("the scratch copy could not be written").caused_by(error)
}

/// Nothing of the user's environment, no program on `PATH`, no way out of the machine.
pub(super) async fn run(program: &Path, args: &[&str], scratch: &Scratch, limits: Limits) -> Result<Finished, Stop> {
    let home = scratch.path().join("home");
    let mut run = Run::new(program).args(args.iter().copied()).env("PATH", "").env("KUBECONFIG", "/dev/null");
    for name in HOMES {
        run = run.env(name, home.as_os_str());
    }
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        run = run.env(name, "http://127.0.0.1:1");
    }
    files::make_private_folder(&home)
        .map_err(|error| Error::bug("the scratch folder is not writable").caused_by(&error))?;
    run.folder = Some(home);
    run.deadline = limits.time;
    run.memory_limit = Some(limits.memory);
    let finished = process::run(run).await.map_err(|error| match error {
        RunError::NotFound(_) | RunError::Start { .. } => Stop::Failed(
            Error::usage("the renderer could not be started")
                .caused_by(&error)
                .hint("install kustomize or helm, or check PATH"),
        ),
        RunError::Deadline { .. } | RunError::TooMuchOutput { .. } => {
            Stop::Refused(Refusal::new("render-limit", error.to_string(), "name a smaller folder: --path DIR"))
        }
    })?;
    if finished.code != 0 && OUT_OF_MEMORY.iter().any(|words| finished.stderr.contains(words)) {
        let text = format!("`{}` needs more than {} MiB of memory", program.display(), limits.memory >> 20);
        return Err(Refusal::new("render-limit", text, "name a smaller folder: --path DIR").into());
    }
    Ok(finished)
}

/// How programs in Go end that get no more memory.
const OUT_OF_MEMORY: [&str; 2] = ["runtime: out of memory", "runtime: cannot allocate memory"];

/// The objects that a tool printed, or its own words. `command` renders the same by hand.
pub(super) fn objects(root: &Root, finished: &Finished, scratch: &Scratch, command: &str) -> Result<Rendered, Refusal> {
    if finished.code != 0 {
        return Err(failed(root, &finished.stderr, scratch, command));
    }
    let text = String::from_utf8_lossy(&finished.stdout);
    let documents = parse::all(&text).map_err(|error| {
        Refusal::new("render-failed", format!("`{}` renders to what is no YAML: {error}", root.shown()), "")
    })?;
    Ok(flatten(documents))
}

fn failed(root: &Root, stderr: &str, scratch: &Scratch, command: &str) -> Refusal {
    Refusal::new("render-failed", format!("`{}` does not render", root.shown()), format!("try it: {command}"))
        .with_details(words(stderr, scratch))
}

/// The first lines of a tool's own words, with paths as the repository has them.
pub(super) fn words(stderr: &str, scratch: &Scratch) -> Vec<String> {
    let prefix = format!("{}/", scratch.path().join("tree").display());
    let clean = stderr.replace(&prefix, "").replace(prefix.trim_end_matches('/'), ".");
    crate::redact::text(&clean).as_str().lines().take(LINES).map(str::to_owned).collect()
}
