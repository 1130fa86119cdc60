//! `kubectl cluster-info dump`, a folder or a stream.
//!
//! <https://github.com/kubernetes/kubectl/blob/master/pkg/cmd/clusterinfo/clusterinfo_dump.go>

use super::{Reader, fill, names};
use crate::cluster::logs;
use crate::doors::files;
use crate::error::Error;
use crate::model::snapshot::{LogTail, Snapshot};
use std::borrow::Cow;
use std::path::Path;

/// Reads a folder: `nodes.json`, and per namespace a folder with `pods.json`, `events.json` and so on, and
/// `POD/logs.txt`. Whether it tells of pods or workloads.
///
/// # Errors
/// When a file can't be read, or none holds an object.
pub(super) fn folder(
    reader: &mut Reader,
    path: &Path,
    there: &[String],
    snapshot: &mut Snapshot,
) -> Result<bool, Error> {
    let is_objects = |name: &String| [".json", ".yaml", ".yml"].iter().any(|end| name.ends_with(end));
    let (mut is_empty, mut tells) = (true, false);
    for name in there.iter().filter(|name| is_objects(name)) {
        let collected = reader.objects(&path.join(name))?;
        is_empty &= collected.is_empty();
        tells |= fill(snapshot, collected);
    }
    for namespace in there.iter().filter(|name| files::is_dir(&path.join(name))) {
        let folder = path.join(namespace);
        for name in names(&folder)? {
            let entry = folder.join(&name);
            if is_objects(&name) {
                let collected = reader.objects(&entry)?;
                is_empty &= collected.is_empty();
                tells |= fill(snapshot, collected);
            } else if files::is_dir(&entry) && files::exists(&entry.join("logs.txt")) {
                let (_, mut logs) = logs::cut_dump(&reader.read(&entry.join("logs.txt"))?);
                // A program may print the marks of another pod.
                logs.retain(|log| log.namespace == *namespace && log.pod == name);
                snapshot.logs.extend(logs);
            }
        }
    }
    if !is_empty {
        return Ok(tells);
    }
    Err(Error::usage(format!("{} holds no snapshot", path.display()))
        .hint("a snapshot folder has `objects.json`, and may have `logs.txt` and `taken-at`"))
}

/// A stream without the logs that stand between its objects, and these logs. Each line of a log leaves an empty
/// one: positions in errors stay right.
pub(super) fn without_logs(bytes: &[u8]) -> (Cow<'_, [u8]>, Vec<LogTail>) {
    if !bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(logs::DUMP_START.as_bytes())) {
        return (Cow::Borrowed(bytes), Vec::new());
    }
    let (rest, logs) = logs::cut_dump(bytes);
    (Cow::Owned(rest), logs)
}
