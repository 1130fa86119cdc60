//! The folders of a repository that render to objects.

use super::inputs::Inputs;
use super::plain;
use crate::model::proposal::Tool;
use crate::model::tree::{Entry, Tree};
use crate::yaml::parse;
use std::collections::BTreeSet;

/// A folder that is rendered; `path` is empty for the repository's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root {
    pub path: String,
    pub tool: Tool,
}

impl Root {
    /// The root that a path given by a person names: a kustomization when there is one.
    pub fn at(tree: &Tree, path: &str) -> Self {
        let path = path.trim_start_matches("./").trim_matches('/');
        let path = if path == "." { "" } else { path };
        let tool = if kustomization_file(tree, path).is_some() {
            Tool::Kustomize
        } else if tree.entries.contains_key(&join(path, "Chart.yaml")) {
            Tool::Helm
        } else {
            Tool::Plain
        };
        Self { path: path.to_owned(), tool }
    }

    /// As it is shown: `.` for the repository's root.
    pub fn shown(&self) -> &str {
        if self.path.is_empty() { "." } else { &self.path }
    }
}

/// Names that kustomize accepts, in its order.
pub(super) const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The kustomization file of a folder.
pub(super) fn kustomization_file(tree: &Tree, folder: &str) -> Option<String> {
    KUSTOMIZATIONS.iter().map(|name| join(folder, name)).find(|path| tree.file(path).is_some())
}

pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// All roots: folders with a kustomization (components cannot be rendered alone), and folders
/// of plain manifests that no kustomization reads and that are not part of a chart.
pub fn roots(tree: &Tree) -> Vec<Root> {
    let mut roots = BTreeSet::new();
    let mut used: BTreeSet<String> = BTreeSet::new();
    for path in tree.entries.keys() {
        let folder = folder_of(path);
        if kustomization_file(tree, folder).as_ref() != Some(path) {
            continue;
        }
        used.insert(folder.to_owned());
        let kind = tree.text(path).and_then(|text| parse::document(text).ok()).map(|spec| spec["kind"].clone());
        if kind.is_some_and(|kind| kind == "Component") {
            continue;
        }
        let root = Root { path: folder.to_owned(), tool: Tool::Kustomize };
        if let Ok(inputs) = Inputs::of(tree, &root) {
            used.extend(inputs.files.keys().map(|file| folder_of(file).to_owned()));
        }
        roots.insert(root);
    }
    let charts: Vec<&str> =
        tree.entries.keys().filter(|path| path.ends_with("Chart.yaml")).map(|path| folder_of(path)).collect();
    for (path, entry) in &tree.entries {
        let folder = folder_of(path);
        let Entry::File(bytes) = entry else { continue };
        let in_chart = charts.iter().any(|chart| folder == *chart || folder.starts_with(&join(chart, "")));
        let hidden = path.split('/').any(|part| part.starts_with('.'));
        if !in_chart && !hidden && !used.contains(folder) && plain::is_manifest(path, bytes) {
            roots.insert(Root { path: folder.to_owned(), tool: Tool::Plain });
        }
    }
    roots.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::resolve_tests::tree;

    #[test]
    fn components_charts_and_files_of_a_kustomization_are_no_roots() {
        let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let tree = tree(&[
            ("base/kustomization.yaml", "resources: [a.yaml]\n"),
            ("base/a.yaml", object),
            ("prod/kustomization.yml", "resources: [../base]\ncomponents: [../c]\n"),
            ("c/kustomization.yaml", "kind: Component\n"),
            ("plain/a.yaml", object),
            ("chart/Chart.yaml", "name: x\n"),
            ("chart/templates/a.yaml", object),
            (".github/a.yaml", object),
            ("docs/a.yaml", "kind of: prose\n"),
        ]);
        let found: Vec<(String, Tool)> = roots(&tree).into_iter().map(|root| (root.path, root.tool)).collect();
        assert_eq!(
            found,
            [
                ("base".to_owned(), Tool::Kustomize),
                ("plain".to_owned(), Tool::Plain),
                ("prod".to_owned(), Tool::Kustomize)
            ]
        );
    }
}
