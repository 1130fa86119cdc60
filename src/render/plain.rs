//! Plain manifests: the objects of a folder's files.

use super::roots::{KUSTOMIZATIONS, Root, folder_of};
use super::{Rendered, flatten, inputs::unsafe_yaml};
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use crate::yaml::parse;

/// A line that keeps a file out of Argo CD's directory sources.
const SKIP: &str = "+argocd:skip-file-rendering";

/// Whether a file is called as one that holds Kubernetes objects.
pub(super) fn is_named_so(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending)) && !KUSTOMIZATIONS.contains(&name)
}

/// Whether a file holds Kubernetes objects, by its name and a look at its text.
pub(super) fn is_manifest(path: &str, entry: &Entry) -> bool {
    if !is_named_so(path) {
        return false;
    }
    let Some(text) = entry.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok()) else { return false };
    text.contains("apiVersion") && text.contains("kind") && !text.contains(SKIP)
}

/// The manifests of a folder: its own files, or all below it when it has none or the root says so
/// (Argo CD reads one level by default, Flux reads all).
pub(super) fn files(tree: &Tree, folder: &str, root: &Root) -> Vec<String> {
    let all: Vec<&str> = tree
        .below(folder)
        .filter(|(path, entry)| is_manifest(path, entry))
        .map(|(path, _)| path)
        .filter(|path| !root.without.contains(*path))
        .collect();
    if root.recurse {
        return all.into_iter().map(str::to_owned).collect();
    }
    let own: Vec<&str> = all.iter().copied().filter(|path| folder_of(path) == folder).collect();
    if own.is_empty() { all } else { own }.into_iter().map(str::to_owned).collect()
}

/// The objects of a folder, in order of files and documents.
pub(super) fn render(tree: &Tree, root: &Root) -> Result<Rendered, Refusal> {
    let mut objects = Vec::new();
    for path in files(tree, &root.path, root) {
        let text = tree.text(&path).unwrap_or_default();
        objects.extend(flatten(parse::all(text).map_err(|error| unsafe_yaml(&path, &error))?));
    }
    Ok(objects)
}
