//! Which files a policy folder holds, on disk or in Git.

use crate::doors::files;
use crate::error::Error;
use crate::model::tree::{Entry, Tree};
use std::path::{Path, PathBuf};

/// Files in one policy folder at most.
pub(super) const FILES: usize = 1_000;
/// Folders below a policy folder that are entered.
pub(super) const DEPTH: usize = 8;
/// Bytes of one file at most.
const FILE: u64 = 1 << 20;
/// Bytes of all files of one folder at most.
const TOTAL: usize = 16 << 20;

/// One file of a policy folder.
#[derive(Debug)]
pub(super) struct Found {
    /// Its path below the folder.
    pub(super) below: String,
    /// Its path as it is shown.
    pub(super) path: String,
    pub(super) text: String,
}

/// Reads a folder, or the one file that is named.
///
/// # Errors
/// When it can't be read, or holds too much.
pub(super) fn read(folder: &Path) -> Result<Vec<Found>, Error> {
    let shown = folder.display().to_string();
    let mut found = Vec::new();
    if files::is_dir(folder) {
        walk(folder, "", 0, &mut found)?;
    } else if let (Some(parent), Some(name)) = (folder.parent(), folder.file_name().and_then(|name| name.to_str())) {
        found.push((parent.to_owned(), name.to_owned()));
    }
    let mut total = 0;
    let read = found.into_iter().map(|(base, below)| {
        let file = base.join(&below);
        let path = file.display().to_string();
        if files::exists(&file) && !file.is_file() {
            // Reading a pipe would wait for ever.
            return Err(Error::usage(format!("the policy file `{path}` is not a regular file")));
        }
        let bytes = files::read_bounded(&file, FILE).map_err(|error| {
            Error::usage(format!("the policy file `{path}` can't be read"))
                .caused_by(&error)
                .hint("check the path given with --policy")
        })?;
        total += bytes.len();
        if total > TOTAL {
            return Err(too_much(&shown, &format!("more than {} MiB", TOTAL >> 20)));
        }
        let text =
            String::from_utf8(bytes).map_err(|_| Error::usage(format!("the policy file `{path}` is not UTF-8")))?;
        Ok(Found { below, path, text })
    });
    read.collect()
}

/// Reads a folder of a revision, or the one file that is named. `None` when there is none.
///
/// # Errors
/// When something in it is no plain file, or is too much.
pub(super) fn of_tree(tree: &Tree, folder: &str, revision: &str) -> Result<Option<Vec<Found>>, Error> {
    let folder = folder.trim_matches('/');
    let shown = |path: &str| format!("{path}@{}", revision.get(..10).unwrap_or(revision));
    let wrong = |path: &str, what: &str| {
        Error::usage(format!("the repository's policy file `{}` {what}", shown(path)))
            .hint("the repository's policies are plain files of its base branch")
    };
    let mut entries: Vec<(&str, &Entry)> = tree.below(folder).collect();
    entries.extend(tree.entries.get_key_value(folder).map(|(path, entry)| (path.as_str(), entry)));
    let mut found = Vec::new();
    let mut total = 0;
    for (path, entry) in &entries {
        let below = path.strip_prefix(folder).map_or(*path, |below| below.trim_start_matches('/'));
        let below = if below.is_empty() { path.rsplit('/').next().unwrap_or(path) } else { below };
        let is_hidden = below.split('/').any(|part| part.starts_with('.'));
        match entry {
            Entry::Link(_) | Entry::Submodule if !is_hidden => return Err(wrong(path, "is a link or a submodule")),
            _ if is_hidden || !counts(below) => continue,
            _ => {}
        }
        let bytes = entry.bytes().filter(|bytes| bytes.len() as u64 <= FILE);
        let bytes = bytes.ok_or_else(|| wrong(path, "is too large, or can't be read"))?;
        let text = std::str::from_utf8(bytes).map_err(|_| wrong(path, "is not UTF-8"))?;
        total += bytes.len();
        found.push(Found { below: below.to_owned(), path: shown(path), text: text.to_owned() });
        let what = match (found.len() > FILES, total > TOTAL) {
            (true, _) => format!("more than {FILES} files"),
            (false, true) => format!("more than {} MiB", TOTAL >> 20),
            (false, false) => continue,
        };
        return Err(holds(&shown(folder), &what)
            .because("nothing is proposed by a part of the repository's policies")
            .hint("keep only policies in that folder, as the base branch has it"));
    }
    Ok((!entries.is_empty()).then_some(found))
}

fn too_much(folder: &str, what: &str) -> Error {
    holds(folder, what).hint("give a folder that holds policies only: --policy DIR")
}

fn holds(folder: &str, what: &str) -> Error {
    Error::usage(format!("the policy folder `{folder}` holds {what}"))
}

/// Whether a file may say something: kustomize's own files are none of ours.
fn counts(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let is_kustomize = matches!(file, "kustomization.yaml" | "kustomization.yml");
    !is_kustomize && [".rego", ".yaml", ".yml", ".json"].iter().any(|end| file.ends_with(end))
}

/// Collects the files of a folder that count; hidden ones are left out. Nothing else is passed over
/// in silence: a policy that was not loaded can't deny.
fn walk(root: &Path, below: &str, depth: usize, out: &mut Vec<(PathBuf, String)>) -> Result<(), Error> {
    let here = root.join(below);
    let shown = root.display().to_string();
    let names = files::list(&here).map_err(|error| {
        Error::usage(format!("the policy folder `{}` can't be read", here.display())).caused_by(&error)
    })?;
    if names.len() > FILES {
        return Err(too_much(&shown, &format!("{} files, more than {FILES}", names.len())));
    }
    for name in names.iter().filter(|name| !name.starts_with('.')) {
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let file = root.join(&path);
        if files::is_dir(&file) {
            if file.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
                return Err(Error::usage(format!("`{}` is a link to a folder, which is not followed", file.display()))
                    .hint("name the folder itself with another --policy"));
            }
            if depth == DEPTH {
                return Err(too_much(&shown, &format!("folders that nest deeper than {DEPTH}")));
            }
            walk(root, &path, depth + 1, out)?;
        } else if counts(name) {
            out.push((root.to_owned(), path));
            if out.len() > FILES {
                return Err(too_much(&shown, &format!("more than {FILES} files")));
            }
        }
    }
    Ok(())
}
