//! What a Flux Kustomization lays over its folder.
//!
//! Fields: <https://fluxcd.io/flux/components/kustomize/kustomizations/>.

use super::control::{Control, Laid, items};
use super::filled::Filled;
use super::inputs::unsafe_yaml;
use super::roots::{KUSTOMIZATIONS, Root, folder_of, join, kustomization_file, within};
use super::substitute::Substitution;
use crate::model::proposal::Tool;
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use crate::repo::Ignore;
use crate::yaml::parse;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What source-controller leaves out unless `spec.ignore` says otherwise
/// (fluxcd/pkg `sourceignore`, as far as YAML is concerned).
const EXCLUDED: &str = ".git/\n.github/\n.circleci/\n.travis.yml\n.gitlab-ci.yml\nappveyor.yml\n.drone.yml\n\
    cloudbuild.yaml\ncodeship-services.yml\ncodeship-steps.yml\n**/.goreleaser.yml\n**/.goreleaser.yaml\n\
    **/.sops.yaml\n**/.flux.yaml\n";

/// Writes the Kustomization's fields into the folder's kustomization, or makes one.
pub(super) fn lay(
    control: &Control,
    said: &Value,
    tree: &mut Tree,
    root: &Root,
    above: &[Value],
) -> Result<Laid, Refusal> {
    let spec = &said["spec"];
    let known = kustomization_file(tree, &root.path).filter(|file| !root.without.contains(file));
    let mut laid = Laid::new(root);
    laid.substitution = substitution(said, above, &control.filled);
    for (field, into) in [("labels", &mut laid.labels), ("annotations", &mut laid.annotations)] {
        into.extend(spec["commonMetadata"][field].as_object().cloned().unwrap_or_default());
    }
    let before = match &known {
        Some(file) => parse::document(tree.text(file).unwrap_or_default()).map_err(|e| unsafe_yaml(file, &e))?,
        None => json!({}),
    };
    let mut after = before.clone();
    write(&mut after, spec, tree, &root.path);
    if known.is_none() {
        let (files, folders) = generated(tree, root, control.ignore.as_deref());
        if folders.is_empty() && after == before && laid.substitution.is_none() {
            (laid.root.tool, laid.root.recurse) = (Tool::Plain, true);
            let inside: BTreeSet<String> = tree.below(&root.path).map(|(path, _)| path.to_owned()).collect();
            laid.root.without = inside.into_iter().filter(|path| !files.contains(path)).collect();
            return Ok(laid);
        }
        let below = |path: &String| path.strip_prefix(&join(&root.path, "")).unwrap_or(path).to_owned();
        let resources: BTreeSet<String> = files.iter().chain(&folders).map(below).collect();
        after["resources"] = json!(resources);
    }
    laid.root.tool = Tool::Kustomize;
    if known.is_none() || after != before {
        let file = known.unwrap_or_else(|| join(&root.path, KUSTOMIZATIONS[0]));
        // JSON is YAML.
        tree.entries.insert(file, Entry::File(Arc::from(after.to_string().as_bytes())));
    }
    Ok(laid)
}

/// The fields that Flux writes into `kustomization.yaml` before it builds.
fn write(into: &mut Value, spec: &Value, tree: &Tree, folder: &str) {
    for (from, to) in [("targetNamespace", "namespace"), ("namePrefix", "namePrefix"), ("nameSuffix", "nameSuffix")] {
        if let Some(text) = spec[from].as_str() {
            into[to] = json!(text);
        }
    }
    for patch in items(&spec["patches"]) {
        push(into, "patches", json!({"patch": patch["patch"], "target": patch["target"]}));
    }
    let skips = spec["ignoreMissingComponents"] == true;
    for component in items(&spec["components"]).filter_map(Value::as_str) {
        let there = || !tree.below(&within(folder, component)).collect::<Vec<_>>().is_empty();
        if !skips || there() {
            push(into, "components", json!(component));
        }
    }
    for image in items(&spec["images"]) {
        let known =
            into["images"].as_array_mut().and_then(|all| all.iter_mut().find(|one| one["name"] == image["name"]));
        match known {
            Some(known) => merge_image(known, image),
            None => push(into, "images", image.clone()),
        }
    }
}

/// Tag and digest are one unit: what the Kustomization says of them stands alone.
fn merge_image(known: &mut Value, image: &Value) {
    let Some(known) = known.as_object_mut() else { return };
    if image.get("newTag").is_some() || image.get("digest").is_some() {
        known.retain(|key, _| key != "newTag" && key != "digest");
    }
    known.extend(image.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
}

fn push(into: &mut Value, field: &str, value: Value) {
    match into[field].as_array_mut() {
        Some(list) => list.push(value),
        None => into[field] = json!([value]),
    }
}

/// What a folder without a kustomization holds: manifests below it, and folders with a kustomization,
/// each taken as one.
fn generated(tree: &Tree, root: &Root, own: Option<&str>) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut ignore = Ignore::default();
    ignore.add("", own.unwrap_or(EXCLUDED));
    let lists = tree.entries.keys().filter(|path| path.rsplit('/').next() == Some(".sourceignore"));
    for path in lists {
        ignore.add(folder_of(path), tree.text(path).unwrap_or_default());
    }
    let hides = |path: &str| ignore.hides(path) || root.without.contains(path);
    let (mut files, mut folders) = (BTreeSet::new(), BTreeSet::<String>::new());
    for (path, entry) in tree.below(&root.path) {
        if !entry.is_file() || hides(path) {
            continue;
        }
        let inner = folders.iter().any(|folder| path.starts_with(&join(folder, "")));
        let outer = ancestors(folder_of(path), &root.path)
            .find(|folder| kustomization_file(tree, folder).is_some_and(|file| !hides(&file)));
        if let Some(folder) = outer {
            folders.insert(folder.to_owned());
        } else if !inner && (path.ends_with(".yaml") || path.ends_with(".yml")) {
            files.insert(path.to_owned());
        }
    }
    (files, folders)
}

/// The folders from just below `top` down to `folder`.
fn ancestors<'f>(folder: &'f str, top: &str) -> impl Iterator<Item = &'f str> {
    let start = if top.is_empty() { 0 } else { top.len() + 1 };
    let cuts = folder.get(start..).unwrap_or_default().match_indices('/').map(move |(at, _)| start + at);
    let whole = (folder.len() > top.len()).then_some(folder.len());
    cuts.chain(whole).map(|end| &folder[..end])
}

/// The values of `postBuild`, of maps in Git before those in the cluster; `None` when nothing is filled in.
pub(super) fn substitution(said: &Value, above: &[Value], filled: &BTreeMap<String, Filled>) -> Option<Substitution> {
    let post = said["spec"].get("postBuild").filter(|post| post.is_object())?;
    let namespace = &said["metadata"]["namespace"];
    let mut known = Substitution::default();
    for from in items(&post["substituteFrom"]) {
        let (kind, name) = (from["kind"].as_str().unwrap_or_default(), from["name"].as_str().unwrap_or_default());
        let is_it = |value: &&Value| {
            let own = &value["metadata"]["namespace"];
            value["kind"] == kind && value["metadata"]["name"] == name && (own.is_null() || own == namespace)
        };
        let is_map = kind == "ConfigMap";
        match (above.iter().find(is_it).filter(|_| is_map), filled.get(name).filter(|_| is_map)) {
            (Some(map), _) => known.values.extend(texts(&map["data"])),
            (None, Some(Filled::Missing)) if from["optional"] == true => {}
            (None, Some(Filled::Read { values, whole: true })) => known.values.extend(values.clone()),
            (None, found) => {
                if let Some(Filled::Read { values, .. }) = found {
                    known.values.extend(values.clone());
                }
                known.maps.extend(is_map.then(|| name.to_owned()));
                known.unread.push(format!("{kind} {name}"));
            }
        }
    }
    known.values.extend(texts(&post["substitute"]));
    (!known.values.is_empty() || !known.unread.is_empty()).then_some(known)
}

fn texts(value: &Value) -> impl Iterator<Item = (String, String)> {
    value.as_object().into_iter().flatten().map(|(key, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (key.clone(), text.replace('\n', ""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        let entries = paths.iter().map(|path| ((*path).to_owned(), Entry::File(Arc::from(b"a: 1\n".as_slice()))));
        Tree { entries: entries.collect(), unreadable: 0 }
    }

    #[test]
    fn a_folder_without_kustomization_is_walked_as_flux_does() {
        let mut tree = tree(&[
            "apps/a.yaml",
            "apps/b/c.yml",
            "apps/b/x.json",
            "apps/k/kustomization.yaml",
            "apps/k/d.yaml",
            "apps/k/deep/e.yaml",
            "apps/dev/f.yaml",
            "apps/.github/g.yaml",
            "other/h.yaml",
        ]);
        tree.entries.insert(".sourceignore".to_owned(), Entry::File(Arc::from(b"/apps/dev\n".as_slice())));
        let (files, folders) = generated(&tree, &Root::new("apps", Tool::Plain), None);
        assert_eq!(files.into_iter().collect::<Vec<_>>(), ["apps/a.yaml", "apps/b/c.yml"]);
        assert_eq!(folders.into_iter().collect::<Vec<_>>(), ["apps/k"]);
        let (files, _) = generated(&tree, &Root::new("apps", Tool::Plain), Some("/apps/b\n"));
        assert!(files.contains("apps/.github/g.yaml") && !files.contains("apps/b/c.yml"), "{files:?}");
    }

    #[test]
    fn an_image_is_merged_and_its_tag_takes_the_place_of_a_digest() {
        let mut known = json!({"images": [{"name": "web", "newName": "r/web", "digest": "sha256:1"}]});
        let spec = json!({"images": [{"name": "web", "newTag": "2"}, {"name": "db", "newTag": "3"}]});
        write(&mut known, &spec, &Tree::default(), "");
        assert_eq!(
            known["images"],
            json!([{"name": "web", "newName": "r/web", "newTag": "2"}, {"name": "db", "newTag": "3"}])
        );
    }

    #[test]
    fn inline_values_win_over_maps_and_unread_ones_are_named() {
        let said = json!({"metadata": {"namespace": "flux-system"}, "spec": {"postBuild": {"substitute": {"A": "1"},
            "substituteFrom": [{"kind": "ConfigMap", "name": "m"}, {"kind": "Secret", "name": "s"}]}}});
        let map = json!({"kind": "ConfigMap", "metadata": {"name": "m", "namespace": "flux-system"}, "data": {"A": "2", "B": "3"}});
        let known = substitution(&said, &[map], &BTreeMap::new()).unwrap_or_default();
        assert_eq!((known.values["A"].as_str(), known.values["B"].as_str()), ("1", "3"));
        assert_eq!(known.unread, ["Secret s"]);
        assert_eq!(substitution(&json!({"spec": {"postBuild": {}}}), &[], &BTreeMap::new()), None);
    }

    #[test]
    fn a_map_of_the_cluster_is_read_where_git_makes_none() {
        let said = |optional: bool| {
            json!({"metadata": {"namespace": "flux-system"},
                "spec": {"postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "m", "optional": optional}]}}})
        };
        let of = |optional: bool, above: &[Value], filled: Filled| {
            let known = substitution(&said(optional), above, &BTreeMap::from([("m".to_owned(), filled)]));
            let known = known.unwrap_or_default();
            (known.values.get("A").cloned().unwrap_or_default(), known.unread.join(","))
        };
        let read = |whole: bool| Filled::Read { values: BTreeMap::from([("A".to_owned(), "1".to_owned())]), whole };
        let unread = || "ConfigMap m".to_owned();
        assert_eq!(of(false, &[], read(true)), ("1".to_owned(), String::new()));
        assert_eq!(of(false, &[], read(false)), ("1".to_owned(), unread()), "what was left out may be anything");
        assert_eq!(of(false, &[], Filled::Missing), (String::new(), unread()));
        assert_eq!(of(true, &[], Filled::Missing), (String::new(), String::new()));
        let map = json!({"kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"A": "2"}});
        assert_eq!(of(false, &[map], read(true)), ("2".to_owned(), String::new()));
    }
}
