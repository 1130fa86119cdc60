//! The line that most likely holds a finding's field.

use super::locate::candidates::{names, objects};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::proposal::Edit;
use crate::model::report::SourceLine;
use crate::model::tree::Tree;
use crate::yaml::{lines, parse};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The manifests of a revision, read without rendering them: only a proposal proves a line. Each file is parsed at most once, and only when a finding needs it.
pub struct Lines<'t> {
    tree: &'t Tree,
    parsed: BTreeMap<&'t str, Vec<Value>>,
}

impl<'t> Lines<'t> {
    /// The manifests of a revision.
    pub fn of(tree: &'t Tree) -> Self {
        Self { tree, parsed: BTreeMap::new() }
    }

    /// The line of the first of these fields that is written, with its value, else that of the object. `None` when no
    /// document or several documents could be meant: a base and its overlays are told apart by rendering alone.
    /// `within`: the only files that are asked.
    pub fn find(
        &mut self,
        object: &ObjectRef,
        paths: &[&Path],
        within: Option<&BTreeSet<String>>,
    ) -> Option<(SourceLine, Edit)> {
        let known = [object.name.clone()];
        let tree = self.tree;
        let mut found: Vec<(&str, &str, usize, Path, Option<Value>)> = Vec::new();
        let asked = texts(tree).filter(|(file, _)| within.is_none_or(|within| within.contains(*file)));
        for (file, text) in asked.filter(|(_, text)| text.contains(&object.name) && text.contains(&object.kind)) {
            let documents = self.parsed.entry(file).or_insert_with(|| parse::all(text).unwrap_or_default());
            for (number, document) in documents.iter().enumerate() {
                for (place, value) in objects(document) {
                    if is_kind(value, object) && names(value, object, &known) {
                        let path = paths.iter().find(|path| path.get(value).is_some());
                        let held = path.and_then(|path| path.get(value)).cloned();
                        let path = path.map_or_else(|| Path::of("metadata.name"), |path| (*path).clone());
                        found.push((file, text, number, place.join(&path), held));
                    }
                }
            }
        }
        // A patch of the object names it too; the one that holds the field is meant.
        let holds_field = found.iter().filter(|(.., held)| held.is_some()).count();
        if holds_field == 1 {
            found.retain(|(.., held)| held.is_some());
        }
        let [(file, text, number, path, held)] = found.as_slice() else { return None };
        let (line, _) = lines::line(text, *number, path)?;
        let line =
            SourceLine { file: (*file).to_owned(), line: u32::try_from(line).ok()?, proved: false, commit: None };
        let file = line.file.clone();
        Some((line, Edit { file, document: *number, path: path.clone(), old: held.clone(), new: None }))
    }
}

fn texts(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.entries.iter().filter_map(|(path, entry)| {
        let is_manifest = [".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending));
        let text = std::str::from_utf8(is_manifest.then(|| entry.bytes())??).ok()?;
        Some((path.as_str(), text))
    })
}

fn is_kind(document: &Value, object: &ObjectRef) -> bool {
    let group =
        document["apiVersion"].as_str().and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
    document["kind"].as_str() == Some(&object.kind) && group == object.group
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tree::Entry;
    use std::sync::Arc;

    const WEB: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      \
                       containers:\n        - name: app\n          image: x:1\n";
    const PATCH: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 2\n";

    fn found(files: &[(&str, &str)], paths: &[Path]) -> Option<(String, u32)> {
        let entries = files.iter().map(|(path, text)| ((*path).to_owned(), Entry::File(Arc::from(text.as_bytes()))));
        let tree = Tree { entries: entries.collect(), unreadable: 0 };
        let object = ObjectRef::new("apps/v1", "Deployment", "a", "web");
        let paths: Vec<&Path> = paths.iter().collect();
        Lines::of(&tree).find(&object, &paths, None).map(|(line, _)| (line.file, line.line))
    }

    fn image() -> Path {
        Path::of("spec.template.spec.containers").item("app").field("image")
    }

    #[test]
    fn the_field_has_its_line_and_a_missing_one_that_of_the_object() {
        let files = [("apps/web.yaml", WEB), ("README.md", WEB), ("broken.yaml", "kind: Deployment web: [")];
        assert_eq!(found(&files, &[image()]), Some(("apps/web.yaml".to_owned(), 10)));
        assert_eq!(found(&files, &[Path::of("spec.paused"), image()]), Some(("apps/web.yaml".to_owned(), 10)));
        assert_eq!(found(&files, &[]), Some(("apps/web.yaml".to_owned(), 4)));
    }

    #[test]
    fn between_a_base_and_a_patch_the_field_decides_and_else_nothing_is_claimed() {
        let files = [("base/web.yaml", WEB), ("prod/patch.yaml", PATCH)];
        assert_eq!(found(&files, &[image()]), Some(("base/web.yaml".to_owned(), 10)));
        assert_eq!(found(&files, &[Path::of("spec.replicas")]), Some(("prod/patch.yaml".to_owned(), 6)));
        assert_eq!(found(&files, &[]), None);
        assert_eq!(found(&[("a.yaml", WEB), ("b.yaml", WEB)], &[image()]), None);
    }

    #[test]
    fn another_group_kind_or_namespace_is_another_object() {
        for text in [
            WEB.replace("apps/v1", "other.io/v1"),
            WEB.replace("Deployment", "StatefulSet"),
            WEB.replace("name: web", "name: web\n  namespace: b"),
        ] {
            assert_eq!(found(&[("a.yaml", &text)], &[image()]), None, "{text}");
        }
        let here = WEB.replace("name: web", "name: web\n  namespace: a");
        assert_eq!(found(&[("a.yaml", &here)], &[image()]), Some(("a.yaml".to_owned(), 11)));
    }

    #[test]
    fn an_object_in_a_list_is_found_there() {
        let item = "{\"apiVersion\": \"apps/v1\",\n\"kind\": \"Deployment\", \"metadata\":\n{\"name\": \"web\"}}";
        let list = format!("{{\"kind\": \"List\", \"items\": [\n{item}]}}");
        assert_eq!(found(&[("all.json", &list)], &[]), Some(("all.json".to_owned(), 4)));
    }
}
