//! `aifix eval`: the repository of a case.

use crate::doors::files;
use crate::error::Error;
use crate::model::intent::Intent;
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::model::tree::{Entry, Tree};
use crate::schema::NoCluster;
use crate::source::{self, Candidate, Question, Stop, Tools, lead};
use crate::text::Sanitised;
use std::path::Path;
use std::sync::Arc;

/// Files of one repository at most, and folders below each other.
const FILES: usize = 2_000;
const DEPTH: usize = 16;
/// Bytes of one file at most.
const FILE: u64 = 1 << 20;

/// Reads the files of a folder, as Git would hold them.
///
/// # Errors
/// When something in it can't be read, is no plain file, or is too much.
pub(super) fn read(folder: &Path) -> Result<Tree, Error> {
    let mut tree = Tree::default();
    let mut folders = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let wrong = |why: &str| {
            let shown = Sanitised::line(&folder.display().to_string()).to_string();
            Error::usage(format!("the repository `{shown}` of a case can't be used")).because(why.to_owned())
        };
        for name in files::list(&folder).map_err(|error| wrong(&error.to_string()))? {
            let (path, key) = (folder.join(&name), format!("{prefix}{name}"));
            if path.is_symlink() {
                return Err(wrong(&format!("`{}` is a link", Sanitised::line(&key))));
            }
            if files::is_dir(&path) {
                folders.push((path, format!("{key}/"), depth + 1));
                continue;
            }
            let bytes = files::read_bounded(&path, FILE).map_err(|error| wrong(&format!("`{name}`: {error}")))?;
            tree.entries.insert(key, Entry::File(Arc::from(bytes)));
        }
        if depth >= DEPTH || tree.entries.len() > FILES {
            return Err(wrong(&format!("it has more than {FILES} files, or {DEPTH} folders below each other")));
        }
    }
    Ok(tree)
}

/// Renders the repository before and after the change.
///
/// # Errors
/// When a renderer fails; why the change can't be proved is the inner refusal.
pub(super) async fn prove(
    tree: &Tree,
    snapshot: &Snapshot,
    intent: &Intent,
    tools: &Tools,
) -> Result<Result<(), Refusal>, Error> {
    let Some(object) = snapshot.seen(&intent.object) else {
        let message = format!("{} was not seen", intent.object.qualified());
        return Ok(Err(Refusal::new("not-seen", message, "record it with the case")));
    };
    let question = Question {
        base: Candidate { revision: "the case", tree },
        deployed: &[],
        path: None,
        values: &[],
        found: &lead::Found::default(),
        live: &object.to_value(),
        intent,
        fields: &NoCluster,
        maps: &NoCluster,
        choose: None,
        allow_shared: false,
        repo: "the case",
        branch: "main",
        tools,
    };
    match source::locate(&question).await {
        Ok(_) => Ok(Ok(())),
        Err(Stop::Refused(refusal)) => Ok(Err(refusal)),
        Err(Stop::Failed(error)) => Err(error),
    }
}
