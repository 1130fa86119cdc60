//! The values of a release: where a key of them stands. No I/O.

use super::candidate::{Candidate, Spot, Way};
use super::candidates::{Source, beside, known_names, names, objects};
use super::place::merge;
use crate::model::path::{Path, Step};
use crate::render::charts::Chart;
use crate::render::template::{Action, actions};
use crate::render::{Field, Release, Values};
use crate::yaml::parse;
use crate::yaml::scalars::{Place, embedded, leaves};
use serde_json::Value;
use std::collections::BTreeSet;

/// Who says some values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// A chart: its `values.yaml`.
    Chart { foreign: bool },
    /// The release.
    Release,
    /// The release, one key of them.
    Set,
}

/// One place with values.
#[derive(Debug, Clone)]
struct Layer {
    file: String,
    /// Where they stand in that file; with `inner`, as a text.
    place: Place,
    /// Where they stand in the values of the named chart.
    prefix: Path,
    values: Value,
    says: Says,
    /// Where the one value stands that is no YAML of its own: a literal of a generator.
    spot: Option<Spot>,
}

impl Layer {
    /// The place of a key, as far as it lies below the prefix.
    fn place(&self, key: &Path) -> Option<Place> {
        let own = Path(key.0.strip_prefix(self.prefix.0.as_slice())?.to_vec());
        let mut place = self.place.clone();
        match &mut place.inner {
            Some(inner) => *inner = inner.join(&own),
            None => place.path = place.path.join(&own),
        }
        Some(place)
    }

    fn get(&self, key: &Path) -> Option<&Value> {
        Path(key.0.strip_prefix(self.prefix.0.as_slice())?.to_vec()).get(&self.values)
    }
}

/// All values of a release, the last that wins last.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    all: Vec<Layer>,
    /// What the chart gets.
    merged: Value,
    /// Keys that templates name, whether they have a value or not.
    named: BTreeSet<Path>,
    /// Files that can't be read.
    pub unread: Vec<String>,
}

/// A key of the values, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub path: Path,
    /// `Null` where it has no value.
    pub value: Value,
}

impl Layers {
    /// Reads the values of a release: `sources` are all inputs.
    pub fn of(sources: &[Source<'_>], charts: &[Chart], release: &Release) -> Self {
        let mut layers = Self { merged: Value::Object(serde_json::Map::new()), ..Self::default() };
        for chart in charts.iter().rev() {
            let prefix = Path(chart.prefix.iter().map(|name| Step::Field(name.clone())).collect());
            let file = join(&chart.folder, "values.yaml");
            layers.file(sources, &file, prefix.clone(), Says::Chart { foreign: chart.foreign });
            let templates = join(&chart.folder, "templates/");
            for source in sources.iter().filter(|source| source.path.starts_with(&templates)) {
                let keys = actions(source.text).flat_map(Action::values);
                layers.named.extend(keys.map(|key| key_path(&prefix, key)));
            }
        }
        for values in &release.values {
            match values {
                Values::File(file) => layers.file(sources, file, Path::default(), Says::Release),
                Values::Field(field) => layers.field(sources, field),
                Values::Fixed(text) => {
                    if let Ok(values) = parse::document(text) {
                        merge(&mut layers.merged, values);
                    }
                }
                Values::Set { .. } => {}
            }
        }
        for values in &release.values {
            if let Values::Set { name, value, .. } = values {
                layers.set(sources, &set_path(name), value);
            }
        }
        layers
    }

    fn file(&mut self, sources: &[Source<'_>], file: &str, prefix: Path, says: Says) {
        let Some(source) = sources.iter().find(|source| source.path == file) else { return };
        match parse::document(source.text) {
            Ok(values) => {
                let place = Place { document: 0, path: Path::default(), inner: None };
                self.push(Layer { file: file.to_owned(), place, prefix, values, says, spot: None });
            }
            Err(error) => self.unread.push(format!("{file}: {error}")),
        }
    }

    /// A map or a text in the documents that make one object, the nearest last.
    fn field(&mut self, sources: &[Source<'_>], field: &Field) {
        for (file, place, value) in holders(sources, field) {
            let (place, values) = match embedded(&value) {
                Some(values) if place.inner.is_none() => (Place { inner: Some(Path::default()), ..place }, values),
                _ if value.is_object() => (place, value),
                _ => continue,
            };
            self.push(Layer { file, place, prefix: Path::default(), values, says: Says::Release, spot: None });
        }
        for file in generated(sources, field) {
            self.file(sources, &file, Path::default(), Says::Release);
        }
    }

    fn set(&mut self, sources: &[Source<'_>], key: &Path, field: &Field) {
        for (file, place, values) in holders(sources, field) {
            self.push(Layer { file, place, prefix: key.clone(), values, says: Says::Set, spot: None });
        }
        for (file, spot, value) in paired(sources, field) {
            let place = Place { document: 0, path: Path::default(), inner: None };
            let (prefix, values) = (key.clone(), Value::from(value));
            self.push(Layer { file, place, prefix, values, says: Says::Set, spot: Some(spot) });
        }
    }

    fn push(&mut self, layer: Layer) {
        let mut below = layer.values.clone();
        for step in layer.prefix.0.iter().rev() {
            below = match step {
                Step::Field(name) => serde_json::json!({ name.as_str(): below }),
                _ => return self.all.push(layer),
            };
        }
        merge(&mut self.merged, below);
        self.all.push(layer);
    }

    /// Every scalar, every empty collection, and what templates name without a value.
    pub fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> =
            leaves(&self.merged).into_iter().map(|(path, value)| Key { path, value: value.clone() }).collect();
        let missing = self.named.iter().filter(|path| path.get(&self.merged).is_none());
        let whole = |path: &&Path| !self.named.iter().any(|other| other != *path && other.starts_with(path));
        keys.extend(missing.filter(whole).map(|path| Key { path: path.clone(), value: Value::Null }));
        keys
    }

    /// Every map and list, and what templates name without a value.
    pub fn collections(&self) -> Vec<Key> {
        let mut found: BTreeSet<Path> = BTreeSet::new();
        for (path, leaf) in leaves(&self.merged) {
            let end =
                path.0.len() - usize::from(!leaf.is_object() && !leaf.is_array() && !leaf.is_null()).min(path.0.len());
            found.extend((1..=end).map(|length| Path(path.0[..length].to_vec())));
        }
        found.extend(self.named.iter().filter(|path| path.get(&self.merged).is_none_or(Value::is_null)).cloned());
        let value = |path: &Path| path.get(&self.merged).cloned().unwrap_or_default();
        found.into_iter().map(|path| Key { value: value(&path), path }).collect()
    }

    /// Where a key is written so that it wins: the last place that has it, unless that is a chart
    /// and the release has values of its own. With `own`, always the release's last values.
    pub fn spot(&self, key: &Path, own: bool) -> Option<(String, Spot, usize)> {
        let count = self.all.len();
        let found = self.all.iter().enumerate().rev().find(|(_, layer)| layer.get(key).is_some());
        let release = self.all.iter().enumerate().rev().find(|(_, layer)| layer.says == Says::Release);
        let list = key.0.iter().position(|step| !matches!(step, Step::Field(_)));
        let holder =
            |at: usize| self.all.iter().enumerate().rev().find(|(_, layer)| layer.get(&head(key, at)).is_some());
        // An item of a list stands where the list does: a list in a later file replaces it whole.
        let listed = list.and_then(holder).filter(|_| !own);
        let is_release = |layer: &Layer| {
            layer.says != (Says::Chart { foreign: false }) && layer.says != (Says::Chart { foreign: true })
        };
        let (at, layer) = match (found.or(listed), release) {
            (Some((at, layer)), _) if !own && (is_release(layer) || list.is_some() && !foreign(layer)) => (at, layer),
            (_, Some(release)) => release,
            // The named chart's own values; those of a chart inside it are set from there.
            (_, None) => self.all.iter().enumerate().rev().find(|(_, layer)| layer.prefix.0.is_empty())?,
        };
        let spot = match (layer.get(key), &layer.spot) {
            (Some(_), Some(spot)) => spot.clone(),
            (Some(_), None) => Spot::Yaml(layer.place(key)?),
            (None, _) => match list.filter(|at| layer.get(&head(key, *at)).is_none()) {
                Some(at) => {
                    let whole = head(key, at);
                    let list = whole.get(&self.merged).cloned().unwrap_or_else(|| Value::Array(Vec::new()));
                    let rest = Path(key.0[at..].to_vec());
                    Spot::List { place: layer.place(&whole)?, list, rest }
                }
                None => Spot::New(layer.place(key)?),
            },
        };
        Some((layer.file.clone(), spot, count - 1 - at))
    }

    /// A key as a place that could make the field.
    pub fn candidate(&self, key: &Key, way: Way, related: bool) -> Option<Candidate> {
        let (file, spot, layer) = self.spot(&key.path, false)?;
        Some(Candidate { file, spot, way, old: key.value.clone(), layer, related })
    }

    /// How many files have a key.
    pub fn holders(&self, key: &Path) -> usize {
        self.all.iter().filter(|layer| layer.get(key).is_some()).count()
    }

    /// Whether a key has no value, or an empty one.
    pub fn is_free(&self, key: &Path) -> bool {
        key.get(&self.merged).is_none_or(|value| match value {
            Value::Object(map) => map.is_empty(),
            Value::Array(items) => items.is_empty(),
            other => other.is_null(),
        })
    }

    /// Whether this is the last file of the release's own values.
    pub fn is_last(&self, file: &str) -> bool {
        self.all.iter().rev().find(|layer| layer.says == Says::Release).is_none_or(|layer| layer.file == file)
    }
}

fn foreign(layer: &Layer) -> bool {
    layer.says == Says::Chart { foreign: true }
}

fn head(path: &Path, length: usize) -> Path {
    Path(path.0[..length].to_vec())
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// `global` is one for all charts of a release.
fn key_path(prefix: &Path, key: &str) -> Path {
    let own = Path(key.split('.').map(|name| Step::Field(name.to_owned())).collect());
    if own.0.first() == Some(&Step::Field("global".to_owned())) { own } else { prefix.join(&own) }
}

/// `a.b[0].c` of `--set`; `\.` is a dot inside a name.
fn set_path(name: &str) -> Path {
    let mut path = Path::default();
    for part in name.replace("\\.", "\0").split('.') {
        let mut pieces = part.replace('\0', ".").split('[').map(str::to_owned).collect::<Vec<_>>().into_iter();
        path = path.field(&pieces.next().unwrap_or_default());
        for index in pieces.filter_map(|piece| piece.trim_end_matches(']').parse().ok()) {
            path = path.index(index);
        }
    }
    path
}

/// The values of a field in every document that speaks of its object, nearest last.
pub(super) fn holders(sources: &[Source<'_>], field: &Field) -> Vec<(String, Place, Value)> {
    let known = known_names(sources, &field.object);
    let mut found: Vec<(usize, String, Place, Value)> = Vec::new();
    for source in sources {
        let mut take = |document: &Value, at: &dyn Fn(Path) -> Place| {
            let speaks =
                |value: &Value| value["kind"] == field.object.kind.as_str() && names(value, &field.object, &known);
            for (prefix, value) in objects(document).into_iter().filter(|(_, value)| speaks(value)) {
                if let Some(held) = field.path.get(value) {
                    let path = prefix.join(&super::candidates::by_position(&field.path, value));
                    found.push((source.layer, source.path.to_owned(), at(path), held.clone()));
                }
            }
        };
        match source.kustomization {
            Some(spec) => {
                for (outer, leaf) in leaves(spec) {
                    if let Some(inner) = embedded(leaf) {
                        take(&inner, &|deep| Place { document: 0, path: outer.clone(), inner: Some(deep) });
                    }
                }
            }
            None if source.text.contains(field.object.kind.as_str()) => {
                for (number, document) in parse::all(source.text).unwrap_or_default().iter().enumerate() {
                    take(document, &|path| Place { document: number, path, inner: None });
                }
            }
            None => {}
        }
    }
    found.sort_by_key(|(layer, ..)| std::cmp::Reverse(*layer));
    found.into_iter().map(|(_, file, place, value)| (file, place, value)).collect()
}

/// Files that a kustomization makes the key of a ConfigMap of, nearest last.
fn generated(sources: &[Source<'_>], field: &Field) -> Vec<String> {
    let mut found = Vec::new();
    for (source, _, entry, key) in generators(sources, field) {
        for file in items(entry, "files") {
            let (own, path) = file.split_once('=').unwrap_or((file.rsplit('/').next().unwrap_or_default(), file));
            if own == key {
                found.push((source.layer, beside(source.path, path)));
            }
        }
    }
    found.sort_by_key(|(layer, _)| std::cmp::Reverse(*layer));
    found.into_iter().map(|(_, file)| file).collect()
}

/// `KEY=value` of generators, as literals and as lines of files, with the values, nearest last.
fn paired(sources: &[Source<'_>], field: &Field) -> Vec<(String, Spot, String)> {
    let mut found = Vec::new();
    for (source, number, entry, key) in generators(sources, field) {
        let value = |text: &str| text.split_once('=').filter(|(own, _)| *own == key).map(|(_, value)| value.to_owned());
        let behind = |spot: Spot| Spot::Behind { key: key.to_owned(), of: Box::new(spot) };
        for (at, value) in items(entry, "literals").enumerate().filter_map(|(at, text)| Some((at, value(text)?))) {
            let path = Path::of("configMapGenerator").index(number).field("literals").index(at);
            let spot = behind(Spot::Yaml(Place { document: 0, path, inner: None }));
            found.push((source.layer, source.path.to_owned(), spot, value));
        }
        for file in items(entry, "envs").chain(entry["env"].as_str()).map(|file| beside(source.path, file)) {
            let text = sources.iter().find(|other| other.path == file).map_or("", |other| other.text);
            for (line, value) in text.lines().enumerate().filter_map(|(line, text)| Some((line, value(text)?))) {
                found.push((source.layer, file.clone(), behind(Spot::Line(line)), value));
            }
        }
    }
    found.sort_by_key(|(layer, ..)| std::cmp::Reverse(*layer));
    found.into_iter().map(|(_, file, spot, value)| (file, spot, value)).collect()
}

/// The generators of the ConfigMap that a field is a key of, with their numbers and that key.
fn generators<'s>(sources: &[Source<'s>], field: &'s Field) -> Vec<(Source<'s>, usize, &'s Value, &'s str)> {
    let [Step::Field(data), Step::Field(key)] = field.path.0.as_slice() else { return Vec::new() };
    if data != "data" || field.object.kind != "ConfigMap" {
        return Vec::new();
    }
    let known = known_names(sources, &field.object);
    let named = |entry: &Value| entry["name"].as_str().is_some_and(|name| known.iter().any(|known| known == name));
    let mut found = Vec::new();
    for source in sources {
        let Some(all) = source.kustomization.and_then(|spec| spec["configMapGenerator"].as_array()) else { continue };
        let ours = all.iter().enumerate().filter(|(_, entry)| named(entry));
        found.extend(ours.map(|(number, entry)| (*source, number, entry, key.as_str())));
    }
    found
}

fn items<'v>(entry: &'v Value, name: &str) -> impl Iterator<Item = &'v str> {
    entry[name].as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
