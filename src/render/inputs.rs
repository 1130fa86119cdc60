//! Everything that a renderer may read of one root.

use super::packed::Packed;
use super::roots::Root;
use super::walk;
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use crate::yaml::parse;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How near a file is to the environment: the smaller, the nearer.
/// The root's own files are 0; a component is one, a base two further than who names it.
pub type Layer = usize;

/// The inputs of one root.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Every regular file, links resolved, with its nearest layer.
    pub files: BTreeMap<String, Layer>,
    /// Links on the way to them, with their targets.
    pub links: BTreeMap<String, String>,
    /// The parsed kustomization files by path, nearest first.
    pub kustomizations: Vec<(String, Value)>,
    /// Folders that are bases or components of this root.
    pub folders: BTreeSet<String>,
    /// The first kustomization that renders charts.
    pub inflating: Option<String>,
    /// Charts that lie packed in others, by their archives.
    pub packed: BTreeMap<String, Packed>,
    /// What the render can't show, one line each.
    pub notes: Vec<String>,
}

/// The files that rendering `root` reads.
///
/// # Errors
/// As [`Inputs::of`].
pub fn inputs(tree: &Tree, root: &Root) -> Result<BTreeSet<String>, Refusal> {
    Ok(Inputs::of(tree, root)?.files.into_keys().collect())
}

impl Inputs {
    /// Walks the inputs of `root`.
    ///
    /// # Errors
    /// `path-escape`, `remote-source`, `plugin`, `render-limit`, `yaml-unsafe`, and `render-failed`
    /// for a file that is not there.
    pub fn of(tree: &Tree, root: &Root) -> Result<Self, Refusal> {
        let (inputs, refused) = Self::walk(tree, root, false);
        refused.into_iter().next().map_or(Ok(inputs), Err)
    }

    /// As far as the walk comes: what is known of a root that is not rendered, and why it is not.
    pub fn reach(tree: &Tree, root: &Root) -> (Self, Vec<Refusal>) {
        Self::walk(tree, root, true)
    }

    /// Whether all files can be read.
    pub(super) fn check(&self, tree: &Tree) -> Result<(), Refusal> {
        self.files.keys().try_for_each(|path| match tree.entries.get(path) {
            Some(entry) if entry.is_pointer() => Err(Refusal::new(
                "remote-source",
                format!("`{path}` is a Git LFS pointer: its content is not in this repository"),
                "keep manifests in Git itself: git lfs untrack, then commit them",
            )),
            Some(entry) if entry.bytes().is_none() => match entry.large() {
                Some(_) => Err(too_large(path)),
                None => Err(lost(path)),
            },
            _ => Ok(()),
        })
    }

    /// The same, and what is laid over the folder by who controls it.
    pub(super) fn walk(tree: &Tree, root: &Root, on: bool) -> (Self, Vec<Refusal>) {
        let Some(control) = &root.control else { return walk::walk(tree, root, on) };
        let mut laid = tree.clone();
        let (mut inputs, mut refused) = match control.lay(&mut laid, root, &[]) {
            Ok(whole) => walk::walk(&laid, &whole.root, on),
            Err(refusal) => return (Self::default(), vec![refusal]),
        };
        inputs.as_written(tree);
        for file in super::argo::overrides(root, control).into_iter().filter(|file| tree.file(file).is_some()) {
            inputs.files.insert(file, 0);
        }
        if let Some(above) = &control.above {
            let (above, more) = Self::walk(tree, above, on);
            inputs.add(above);
            refused.extend(more);
        }
        (inputs, refused)
    }

    /// Kustomizations as the repository has them, not as a controller changed or made them.
    fn as_written(&mut self, tree: &Tree) {
        self.files.retain(|path, _| tree.file(path).is_some());
        self.kustomizations.retain_mut(|(path, spec)| {
            let written = tree.text(path).and_then(|text| parse::document(text).ok());
            written.map(|written| *spec = written).is_some()
        });
    }

    /// The inputs of another root as further ones of this.
    pub(super) fn add(&mut self, other: Self) {
        for (path, layer) in other.files {
            let known = self.files.entry(path).or_insert(layer);
            *known = layer.min(*known);
        }
        self.links.extend(other.links);
        let known: BTreeSet<String> = self.kustomizations.iter().map(|(path, _)| path.clone()).collect();
        self.kustomizations.extend(other.kustomizations.into_iter().filter(|(path, _)| !known.contains(path)));
        self.folders.extend(other.folders);
        self.inflating = self.inflating.take().or(other.inflating);
        self.packed.extend(other.packed);
        other.notes.into_iter().for_each(|note| self.note(note));
    }

    /// Says a thing once.
    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// A file beyond what is read of one.
pub(super) fn too_large(path: &str) -> Refusal {
    limit(format!("`{path}` is too large to be read"))
}

/// Somebody else tidied the clone, or it is damaged.
fn lost(path: &str) -> Refusal {
    let text = format!("`{path}` can't be read from the clone: its object is damaged, or is gone since we began");
    Refusal::new("render-failed", text, "see what is missing: git fsck; then run aifix again")
}

/// More than a walk takes.
pub(super) fn limit(message: String) -> Refusal {
    Refusal::new("render-limit", message, "name a smaller folder: --path DIR")
}

/// A file that is not read the same way by everyone.
pub(super) fn unsafe_yaml(file: &str, error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(
        "yaml-unsafe",
        format!("`{file}` can't be read safely: {error}"),
        "make it plain YAML without templates, tabs and duplicate keys",
    )
}

#[cfg(test)]
#[path = "inputs_tests.rs"]
mod tests;
