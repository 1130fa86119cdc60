//! Places that could make a field. Decides without I/O.

use super::candidate::{Candidate, Spot, Way, field, split_image};
use super::controlled;
use super::inflated::Inflated;
use crate::model::object::ObjectRef;
use crate::model::path::{Path, Step};
use crate::render::names::originals;
use crate::render::within;
use crate::yaml::parse;
use crate::yaml::scalars::{Place, embedded, leaves};
use serde_json::Value;

/// The field of the rendered object.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub object: &'a ObjectRef,
    pub path: &'a Path,
    pub value: &'a Value,
}

/// A file that a renderer reads.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub path: &'a str,
    pub layer: usize,
    pub text: &'a str,
    /// The parsed kustomization, when it is one.
    pub kustomization: Option<&'a Value>,
}

/// All places whose value is the rendered one, nearest first, and files that can't be read.
/// `any_source`: fields may come from other objects (`replacements`, `vars`).
pub fn candidates(sources: &[Source<'_>], target: &Target<'_>, any_source: bool) -> (Vec<Candidate>, Vec<String>) {
    let mut found = Vec::new();
    let mut unread = Vec::new();
    let known = known_names(sources, target.object);
    let target = &Known { target: *target, names: &known };
    let charts = Inflated::of(sources);
    for source in sources {
        if let Some(spec) = source.kustomization {
            typed(source, spec, sources, target, &mut found);
            found.extend(Inflated::inline(source, spec, target));
            for (path, leaf) in leaves(spec) {
                if let Some(inner) = embedded(leaf) {
                    let at = |deep| Place { document: 0, path: path.clone(), inner: Some(deep) };
                    document(source, &inner, &at, target, any_source, &mut found);
                }
            }
            continue;
        }
        if let Some(values) = charts.places(source, target) {
            found.extend(values);
            continue;
        }
        if !is_yaml(source.path) {
            continue;
        }
        match parse::all(source.text) {
            Ok(documents) => {
                for (number, value) in documents.iter().enumerate() {
                    let at = |path| Place { document: number, path, inner: None };
                    document(source, value, &at, target, any_source, &mut found);
                }
            }
            Err(error) => unread.push(format!("{}: {error}", source.path)),
        }
    }
    if found.iter().any(|candidate| candidate.related) && found.len() > 16 {
        found.retain(|candidate| candidate.related);
    }
    found.sort_by_key(|candidate| (candidate.layer, !candidate.related));
    (found, unread)
}

fn is_yaml(path: &str) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml") || path.ends_with(".json")
}

/// The field, and what its object may be called.
pub(super) struct Known<'a> {
    pub(super) target: Target<'a>,
    pub(super) names: &'a [String],
}

impl<'a> std::ops::Deref for Known<'a> {
    type Target = Target<'a>;

    fn deref(&self) -> &Target<'a> {
        &self.target
    }
}

pub(super) type At<'a> = dyn Fn(Path) -> Place + 'a;

pub(super) fn document(
    source: &Source<'_>,
    value: &Value,
    at: &At<'_>,
    target: &Known<'_>,
    any: bool,
    out: &mut Vec<Candidate>,
) {
    if let Some(operations) = operations(value) {
        return operations.iter().enumerate().for_each(|(n, op)| operation(source, n, op, at, target, out));
    }
    if controlled::is_override(source.path) {
        return controlled::places(source, value, at, target, out);
    }
    for (prefix, object) in objects(value) {
        if controlled::is_controller(object) {
            controlled::places(source, object, &|path| at(prefix.join(&path)), target, out);
            for (path, leaf) in leaves(object) {
                let place = at(prefix.join(&path));
                // A patch that stands in it as a text.
                if let Some(inner) = embedded(leaf).filter(|_| place.inner.is_none()) {
                    let deeper = |deep| Place { inner: Some(deep), ..place.clone() };
                    document(source, &inner, &deeper, target, any, out);
                }
            }
            continue;
        }
        let same_kind = object["kind"] == target.object.kind.as_str();
        if !same_kind && !any {
            continue;
        }
        let related = same_kind && names(object, target.object, target.names);
        let push = |path: Path, old: &Value, out: &mut Vec<Candidate>| {
            let spot = Spot::Yaml(at(prefix.join(&path)));
            out.push(Candidate {
                file: source.path.to_owned(),
                spot,
                way: Way::Value,
                old: old.clone(),
                layer: source.layer,
                related,
            });
        };
        // What `${name}` stands for may be a part of the field.
        if any && !same_kind && object["kind"] == "ConfigMap" {
            controlled::places(source, object, &|path| at(prefix.join(&path)), target, out);
            continue;
        }
        if target.value.is_object() || target.value.is_array() {
            if let Some(old) = target.path.get(object).filter(|old| same(old, target.value)) {
                push(by_position(target.path, object), old, out);
            }
            continue;
        }
        for (path, leaf) in leaves(object) {
            if same(leaf, target.value) && (any || similar(&named(&path, object), target.path)) && !is_identity(&path) {
                push(path, leaf, out);
            }
        }
    }
}

/// The operations of a JSON patch (RFC 6902).
fn operations(value: &Value) -> Option<&Vec<Value>> {
    value
        .as_array()
        .filter(|items| !items.is_empty() && items.iter().all(|op| op["op"].is_string() && op["path"].is_string()))
}

fn operation(source: &Source<'_>, n: usize, op: &Value, at: &At<'_>, target: &Known<'_>, out: &mut Vec<Candidate>) {
    let pointer = op["path"].as_str().unwrap_or_default();
    let Some(value) = op.get("value").filter(|_| op["op"] != "test") else { return };
    let last = pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
    let wanted = target.path.0.iter().rev().find_map(field);
    for (path, leaf) in leaves(value) {
        let name = path.0.iter().rev().find_map(field).or(Some(last.as_str()));
        let is_index = last == "-" || last.parse::<usize>().is_ok();
        if same(leaf, target.value) && (name == wanted || path.0.is_empty() && is_index) {
            let spot = Spot::Yaml(at(Path::default().index(n).field("value").join(&path)));
            out.push(Candidate {
                file: source.path.to_owned(),
                spot,
                way: Way::Value,
                old: leaf.clone(),
                layer: source.layer,
                related: true,
            });
        }
    }
}

/// The objects of a document with their places: itself, or the items of a `List`.
pub fn objects(value: &Value) -> Vec<(Path, &Value)> {
    match (value["kind"].as_str(), value["items"].as_array()) {
        (Some(kind), Some(items)) if kind.ends_with("List") => {
            items.iter().enumerate().map(|(n, item)| (Path::of("items").index(n), item)).collect()
        }
        (Some(_), _) => vec![(Path::default(), value)],
        _ => Vec::new(),
    }
}

/// What the object may be called in the files.
pub fn known_names(sources: &[Source<'_>], object: &ObjectRef) -> Vec<String> {
    let mut specs: Vec<(usize, &Value)> =
        sources.iter().filter_map(|source| Some((source.layer, source.kustomization?))).collect();
    specs.sort_by_key(|(layer, _)| *layer);
    originals(&object.name, specs.into_iter().map(|(_, spec)| spec))
}

/// Whether a document's name becomes the object's: one of `known` ([`known_names`]).
/// A namespace in the document must be the object's.
pub fn names(document: &Value, object: &ObjectRef, known: &[String]) -> bool {
    let name = document["metadata"]["name"].as_str().unwrap_or_default();
    let namespace = document["metadata"]["namespace"].as_str();
    known.iter().any(|known| known == name)
        && namespace.is_none_or(|namespace| object.namespace.as_deref().is_none_or(|own| own == namespace))
}

fn is_identity(path: &Path) -> bool {
    ["apiVersion", "kind", "metadata.name", "metadata.namespace"].iter().any(|text| *path == Path::of(text))
}

/// The same value, although one file writes a number and another its text.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
            number.to_string() == *text
        }
        _ => a == b,
    }
}

/// The same path with list items named, as far as they have a name.
fn named(path: &Path, root: &Value) -> Path {
    crate::render::compare::canonical(path, root)
}

/// The same path with list items by position.
pub fn by_position(path: &Path, root: &Value) -> Path {
    let mut here = Some(root);
    let mut out = Path::default();
    for step in &path.0 {
        let one = Path(vec![step.clone()]);
        let next = here.and_then(|value| one.get(value));
        let items = here.and_then(Value::as_array);
        let at = items.zip(next).and_then(|(items, next)| items.iter().position(|item| std::ptr::eq(item, next)));
        out = out.push(at.map_or_else(|| step.clone(), Step::Index));
        here = next;
    }
    out
}

/// The same fields in the same order; items named `name` must have the same name,
/// others are named differently in a patch and in the object (a port by name or by number).
fn similar(a: &Path, b: &Path) -> bool {
    a.0.len() == b.0.len()
        && a.0.iter().zip(&b.0).all(|pair| match pair {
            (Step::Field(a), Step::Field(b)) => a == b,
            (Step::Item { key: ka, value: va }, Step::Item { key: kb, value: vb }) if ka == kb => va == vb,
            (Step::Field(_), _) | (_, Step::Field(_)) => false,
            _ => true,
        })
}

/// `images`, `replicas` and generators of a kustomization.
fn typed(source: &Source<'_>, spec: &Value, sources: &[Source<'_>], target: &Known<'_>, out: &mut Vec<Candidate>) {
    let candidate = |path: Path, way: Way, old: &Value| Candidate {
        file: source.path.to_owned(),
        spot: Spot::Yaml(Place { document: 0, path, inner: None }),
        way,
        old: old.clone(),
        layer: source.layer,
        related: true,
    };
    let last = target.path.0.iter().rev().find_map(field);
    if let (Some("image"), Some(image)) = (last, target.value.as_str()) {
        let (name, tag, digest) = split_image(image);
        for (n, entry) in items(spec, "images") {
            let applies = [&entry["name"], &entry["newName"]].iter().any(|known| *known == name);
            for (key, way, part) in
                [("newTag", Way::Tag, tag), ("newName", Way::Name, Some(name)), ("digest", Way::Digest, digest)]
            {
                let known = entry.get(key).filter(|old| part.is_some_and(|part| text_of(old) == part));
                if let Some(old) = known.filter(|_| applies || entry.get("newName").is_none()) {
                    out.push(candidate(Path::of("images").index(n).field(key), way, old));
                }
            }
        }
    }
    if *target.path == Path::of("spec.replicas") {
        for (n, entry) in items(spec, "replicas") {
            let named = entry["name"].as_str().is_some_and(|name| target.names.iter().any(|known| known == name));
            if let Some(old) = entry.get("count").filter(|old| named && same(old, target.value)) {
                out.push(candidate(Path::of("replicas").index(n).field("count"), Way::Value, old));
            }
        }
    }
    let [Step::Field(data), Step::Field(key)] = target.path.0.as_slice() else { return };
    let Some(value) = target.value.as_str().filter(|_| target.object.kind == "ConfigMap" && data == "data") else {
        return;
    };
    for (n, entry) in items(spec, "configMapGenerator") {
        if !entry["name"].as_str().is_some_and(|name| target.names.iter().any(|known| known == name)) {
            continue;
        }
        for (m, literal) in items(entry, "literals") {
            if literal.as_str().and_then(|text| text.split_once('=')) == Some((key, value)) {
                let path = Path::of("configMapGenerator").index(n).field("literals").index(m);
                out.push(candidate(path, Way::Pair(key.clone()), literal));
            }
        }
        generator_files(source, entry, sources, key, value, out);
    }
}

fn generator_files(
    source: &Source<'_>,
    entry: &Value,
    sources: &[Source<'_>],
    key: &str,
    value: &str,
    out: &mut Vec<Candidate>,
) {
    let read = |relative: &str| {
        let path = beside(source.path, relative);
        sources.iter().find(move |other| other.path == path)
    };
    let candidate = |file: &Source<'_>, spot: Spot, way: Way, old: Value| Candidate {
        file: file.path.to_owned(),
        spot,
        way,
        old,
        layer: source.layer,
        related: true,
    };
    for name in items(entry, "files").filter_map(|(_, name)| name.as_str()) {
        let (own, path) = name.split_once('=').unwrap_or((name.rsplit('/').next().unwrap_or_default(), name));
        if let Some(file) = read(path).filter(|file| own == key && file.text == value) {
            out.push(candidate(file, Spot::Whole, Way::Value, Value::from(value)));
        }
    }
    for name in items(entry, "envs").filter_map(|(_, name)| name.as_str()).chain(entry["env"].as_str()) {
        let Some(file) = read(name) else { continue };
        for (number, line) in file.text.lines().enumerate() {
            if line.split_once('=') == Some((key, value)) {
                out.push(candidate(file, Spot::Line(number), Way::Pair(key.to_owned()), Value::from(line)));
            }
        }
    }
}

/// A path beside a file.
pub fn beside(file: &str, relative: &str) -> String {
    within(file.rsplit_once('/').map_or("", |(folder, _)| folder), relative)
}

fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = (usize, &'v Value)> {
    value[name].as_array().into_iter().flatten().enumerate()
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
#[path = "candidates_tests.rs"]
mod tests;
