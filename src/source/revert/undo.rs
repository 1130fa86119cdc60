//! The inverse of one commit, on top of the tip.

use super::merge::merge;
use super::walk::Culprit;
use crate::model::proposal::FileChange;
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use crate::source::guards::refuse_file;
use std::sync::Arc;

/// The commit's changes to the files of the folder, taken back on the tip.
pub(super) fn inverse(tip: &Tree, culprit: &Culprit) -> Result<Vec<FileChange>, Refusal> {
    let (mut files, mut conflicts) = (Vec::new(), Vec::new());
    for path in &culprit.files {
        let Some([ours, bad, good]) = sides([tip, &culprit.after, &culprit.before], path) else {
            conflicts.push(format!("{path} is no regular file"));
            continue;
        };
        for text in [ours, good].into_iter().flatten() {
            refuse_file(path, &String::from_utf8_lossy(text))?;
        }
        if ours == good {
            continue;
        }
        let after = if ours == bad { Some(good.map(<[u8]>::to_vec)) } else { both(bad, ours, good).map(Some) };
        match after {
            Some(after) => {
                files.push(FileChange { path: path.clone(), before: ours.map(<[u8]>::to_vec), after });
            }
            None => conflicts.push(format!("{path} was changed again since then")),
        }
    }
    let hint = format!("take it back by hand: git revert {}", culprit.commit.short());
    if !conflicts.is_empty() {
        let text = format!("{} can't be taken back as it is", culprit.commit.short());
        return Err(Refusal::new("revert-conflict", text, hint).with_details(conflicts));
    }
    if files.is_empty() {
        let text = format!("{} changed no file that is still as it left it", culprit.commit.short());
        return Err(Refusal::new("revert-conflict", text, hint));
    }
    Ok(files)
}

/// A file at three revisions; `None` when it is something else than a file at one of them.
fn sides<'t>(trees: [&'t Tree; 3], path: &str) -> Option<[Option<&'t [u8]>; 3]> {
    let side = |tree: &'t Tree| match tree.entries.get(path) {
        None => Some(None),
        Some(entry) => entry.bytes().map(Some),
    };
    let [a, b, c] = trees.map(side);
    Some([a?, b?, c?])
}

fn both(bad: Option<&[u8]>, ours: Option<&[u8]>, good: Option<&[u8]>) -> Option<Vec<u8>> {
    let text = |bytes: Option<&'_ [u8]>| bytes.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    merge(&text(bad)?, &text(ours)?, &text(good)?).map(String::into_bytes)
}

/// The tree with changed files.
pub(super) fn applied(tree: &Tree, files: &[FileChange]) -> Tree {
    let mut tree = tree.clone();
    for file in files {
        match &file.after {
            Some(bytes) => tree.entries.insert(file.path.clone(), Entry::File(Arc::from(bytes.as_slice()))),
            None => tree.entries.remove(&file.path),
        };
    }
    tree
}
