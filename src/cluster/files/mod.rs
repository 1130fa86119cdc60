//! Snapshots in files: read what was recorded, write it.

mod decode;
mod document;
mod dump;
mod gaps;
mod newest;
mod once;
mod save;
#[cfg(test)]
mod tests;

pub use gaps::unrecorded;
pub(crate) use newest::newest;
pub use save::{digest, save};

use super::logs;
use crate::doors::files;
use crate::error::Error;
use crate::model::snapshot::{LogTail, Scope, Snapshot};
use decode::Collected;
use jiff::Timestamp;
use std::io::ErrorKind;
use std::path::Path;

/// Bytes of a snapshot that are read at most.
const MAX_BYTES: u64 = 512 << 20;

/// Reads files of one snapshot, and counts their bytes.
struct Reader {
    /// Bytes that may still be read.
    left: u64,
}

/// Reads a snapshot: a `List` or single objects as `kubectl get -o json|yaml` writes them, a stream of
/// YAML documents, or a folder with `objects.json` (or `.yaml`), and optionally `logs.txt` and `taken-at`;
/// or what `kubectl cluster-info dump` writes, a folder or a stream. Values of Secrets and ConfigMaps are dropped
/// at once.
///
/// `at` is the clock to measure ages with; it goes before the one that the files name.
///
/// # Errors
/// When there is nothing to read, it is larger than 512 MiB in all, or it holds no Kubernetes objects;
/// the message names file and position.
pub fn load(path: &Path, at: Option<Timestamp>) -> Result<Snapshot, Error> {
    let context = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut snapshot = Snapshot::new(&context, Scope::All);
    let mut reader = Reader { left: MAX_BYTES };
    let tells_of_workloads = if files::is_dir(path) {
        folder(&mut reader, path, &mut snapshot)?
    } else {
        fill(&mut snapshot, reader.whole(path)?)
    };
    once::keep(&mut snapshot);
    snapshot.taken_at = at.or(snapshot.taken_at);
    snapshot.newest = newest(&snapshot);
    gaps::missing_pods(&mut snapshot);
    if !tells_of_workloads {
        snapshot.gaps.push(gaps::no_workloads());
    }
    Ok(snapshot)
}

/// Puts what a file held into the snapshot; whether it tells of pods or workloads.
fn fill(snapshot: &mut Snapshot, collected: Collected) -> bool {
    let tells = collected.tells_of_workloads();
    collected.fill(snapshot);
    tells
}

impl Reader {
    /// Reads the objects of one file, and the logs that stand between them.
    fn objects(&mut self, path: &Path) -> Result<Collected, Error> {
        let file = path.display().to_string();
        let bytes = self.read(path)?;
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let (bytes, logs) = dump::without_logs(&bytes);
        let mut collected = decode::objects(&file, &bytes, is_yaml)?;
        collected.logs = logs;
        Ok(collected)
    }

    /// Reads the objects of the file that is the whole snapshot.
    fn whole(&mut self, path: &Path) -> Result<Collected, Error> {
        let collected = self.objects(path)?;
        if collected.is_empty() {
            return Err(Error::usage(format!("{} holds no Kubernetes object", path.display()))
                .hint("nothing can be said about a cluster from it; check the namespace it was written from"));
        }
        Ok(collected)
    }

    fn read(&mut self, path: &Path) -> Result<Vec<u8>, Error> {
        let file = path.display();
        let bytes = files::read_bounded(path, self.left).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::usage(format!("{file} does not exist"))
                .hint("write one with `aifix snapshot`, or with `kubectl get all,events,configmaps -o json`"),
            ErrorKind::FileTooLarge => {
                let what = format!("{file} makes the snapshot larger than {} MiB", MAX_BYTES >> 20);
                Error::usage(what).hint("write one snapshot per namespace")
            }
            _ => Error::usage(format!("{file} can't be read"))
                .because(error)
                .hint("a snapshot is a file or a folder that you may read"),
        })?;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Ok(bytes)
    }
}

/// As [`fill`], of a folder.
fn folder(reader: &mut Reader, path: &Path, snapshot: &mut Snapshot) -> Result<bool, Error> {
    let names = names(path)?;
    let tells = match ["objects.json", "objects.yaml", "objects.yml"]
        .into_iter()
        .find(|name| names.iter().any(|n| n == name))
    {
        Some(objects) => fill(snapshot, reader.whole(&path.join(objects))?),
        None => dump::folder(reader, path, &names, snapshot)?,
    };
    if names.iter().any(|name| name == "logs.txt") {
        let text = reader.read(&path.join("logs.txt"))?;
        let logs = logs_of(snapshot, &String::from_utf8_lossy(&text));
        snapshot.logs.extend(logs);
    }
    if names.iter().any(|name| name == "taken-at") {
        let file = path.join("taken-at");
        let text = String::from_utf8_lossy(&reader.read(&file)?).trim().to_owned();
        let at = text.parse().map_err(|_| {
            Error::usage(format!("{} holds no time", file.display()))
                .hint("write it as `2026-11-22T16:46:58Z`, or give `--at`")
        })?;
        snapshot.taken_at = Some(at);
    }
    Ok(tells)
}

fn names(path: &Path) -> Result<Vec<String>, Error> {
    files::list(path).map_err(|error| Error::usage(format!("{} can't be read", path.display())).because(error))
}

/// Logs name pods; their namespace is that of the pod of this name.
fn logs_of(snapshot: &Snapshot, text: &str) -> Vec<LogTail> {
    let namespace_of = |pod: &str| {
        let found = snapshot.pods.iter().find(|one| one.metadata.name == pod);
        found.or(snapshot.pods.first()).map(|one| one.metadata.namespace.clone()).unwrap_or_default()
    };
    logs::parse(text, &namespace_of)
}
