//! The folders of a repository that render to objects.

use super::control::Control;
use super::inputs::Inputs;
use super::plain;
use super::release::{Release, Values};
use super::resolve::resolve;
use crate::model::proposal::Tool;
use crate::model::tree::Tree;
use crate::yaml::parse;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A folder that is rendered; `path` is empty for the repository's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root {
    pub path: String,
    pub tool: Tool,
    /// Files of a plain folder that a kustomization applies already.
    pub without: BTreeSet<String>,
    /// All manifests below a plain folder count, not only its own.
    pub recurse: bool,
    /// The controller that renders the folder, and lays something over it.
    pub control: Option<Box<Control>>,
    /// How a chart is released; `None` for all other folders, and for a chart of which nothing is said.
    pub release: Option<Box<Release>>,
}

impl Root {
    /// A folder that is rendered as it stands.
    pub fn new(path: &str, tool: Tool) -> Self {
        Self { path: path.to_owned(), tool, without: BTreeSet::new(), recurse: false, control: None, release: None }
    }

    /// A chart that is rendered as it is released.
    pub fn chart(path: &str, release: Release) -> Self {
        Self { release: Some(Box::new(release)), ..Self::new(path, Tool::Helm) }
    }

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
        Self::new(path, tool)
    }

    /// The root that makes the controller's own object, where that is in this repository.
    pub fn above(&self) -> Option<&Self> {
        self.control.as_ref()?.above.as_ref()
    }

    /// This root and those that make its controllers' objects.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |root| root.above().or_else(|| root.values_root()))
    }

    /// The root that makes the object whose fields say how the chart is released.
    fn values_root(&self) -> Option<&Self> {
        self.feeds().next()
    }

    /// As it is shown: `.` for the repository's root, `charts/web with values-prod.yaml` for a release.
    pub fn shown(&self) -> Cow<'_, str> {
        let folder = self.folder();
        let files = self.values_files();
        if files.is_empty() {
            return Cow::Borrowed(folder);
        }
        Cow::Owned(format!("{folder} with {}", crate::text::and(&files)))
    }

    /// Its folder: `.` for the repository's root.
    pub fn folder(&self) -> &str {
        if self.path.is_empty() { "." } else { &self.path }
    }

    /// The values files of its release, in order.
    pub fn values_files(&self) -> Vec<&str> {
        let values = self.release.iter().flat_map(|release| &release.values);
        values.filter_map(|values| if let Values::File(file) = values { Some(file.as_str()) } else { None }).collect()
    }

    /// Roots that make the objects with what its release says.
    pub fn feeds(&self) -> impl Iterator<Item = &Self> {
        self.release.iter().flat_map(|release| release.fields()).map(|field| &*field.root)
    }

    /// Whether it is what `other` is built on: the same chart, with values files that are all among the other's.
    pub fn is_part_of(&self, other: &Self) -> bool {
        let (own, others) = (self.values_files(), other.values_files());
        let values = |root: &Self| root.release.as_deref().map_or(0, |release| release.values.len());
        self.path == other.path && own.len() == values(self) && own.iter().all(|file| others.contains(file))
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

/// A path from a folder, without `.` and `..`.
pub fn within(folder: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// All roots: folders with a kustomization (components cannot be rendered alone), charts with each of the
/// values files that may be theirs, and folders of plain manifests that no kustomization reads and that are
/// not part of a chart.
pub fn roots(tree: &Tree) -> Vec<Root> {
    let mut roots: BTreeSet<Root> = super::variants::charts(tree).into_iter().collect();
    let (mut used, mut resources) = (BTreeSet::<String>::new(), BTreeSet::<String>::new());
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
        let root = Root::new(folder, Tool::Kustomize);
        let (inputs, _) = Inputs::reach(tree, &root);
        for (file, spec) in &inputs.kustomizations {
            let named = spec["resources"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
            let found = named.filter_map(|name| resolve(tree, folder_of(file), name, file, &mut BTreeMap::new()).ok());
            resources.extend(found.map(|(path, _)| path));
        }
        used.extend(inputs.files.into_keys());
        roots.insert(root);
    }
    // What lies beside a patch is a part of an object too, and no object.
    let parts: BTreeSet<&str> = used.difference(&resources).map(|file| folder_of(file)).collect();
    let charts: Vec<&str> =
        tree.entries.keys().filter(|path| path.ends_with("Chart.yaml")).map(|path| folder_of(path)).collect();
    let mut folders: BTreeSet<&str> = BTreeSet::new();
    for (path, entry) in &tree.entries {
        let folder = folder_of(path);
        if !entry.is_file() || !plain::is_named_so(path) {
            continue;
        }
        let in_chart = charts.iter().any(|chart| folder == *chart || folder.starts_with(&join(chart, "")));
        let hidden = path.split('/').any(|part| part.starts_with('.'));
        // The content is looked at last: most files need not be read.
        let may_be = !in_chart && !hidden && !parts.contains(folder) && !used.contains(path);
        if may_be && !folders.contains(folder) && plain::is_manifest(path, entry) {
            folders.insert(folder);
        }
    }
    for folder in folders {
        let inside = join(folder, "");
        let without = used.iter().filter(|file| file.starts_with(&inside)).cloned().collect();
        roots.insert(Root { without, ..Root::new(folder, Tool::Plain) });
    }
    roots.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::resolve_tests::tree;

    #[test]
    fn components_and_files_of_a_kustomization_or_a_chart_are_no_roots() {
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
                ("chart".to_owned(), Tool::Helm),
                ("plain".to_owned(), Tool::Plain),
                ("prod".to_owned(), Tool::Kustomize)
            ]
        );
    }

    #[test]
    fn a_file_that_a_kustomization_applies_is_not_applied_twice() {
        let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        let tree = tree(&[
            ("kustomization.yaml", "resources: [apps/web.yaml]\npatches: [{path: patches/used.yaml}]\n"),
            ("apps/web.yaml", object),
            ("apps/api.yaml", object),
            ("patches/used.yaml", object),
            ("patches/unused.yaml", object),
        ]);
        let plain: Vec<Root> = roots(&tree).into_iter().filter(|root| root.tool == Tool::Plain).collect();
        assert_eq!(plain.iter().map(|root| root.path.as_str()).collect::<Vec<_>>(), ["apps"]);
        let files = Inputs::of(&tree, &plain[0]).unwrap_or_default().files;
        assert_eq!(files.into_keys().collect::<Vec<_>>(), ["apps/api.yaml"]);
    }
}
