//! Changes of a chart's values, and of its templates.

use super::Stop;
use super::draft::{Draft, unsafe_edit};
use super::guards::{refuse_file, refuse_line};
use super::locate::candidate::{Candidate, Shown, Spot, Way, field, text_of};
use super::locate::candidates::{Target, same};
use super::locate::post;
use super::locate::probe::{Bench, shortlist};
use super::locate::templates::{is_foreign, literals};
use super::locate::values::{Key, Layers};
use crate::model::intent::FieldEdit;
use crate::model::path::{Path, Step};
use crate::model::proposal::Edit;
use crate::model::refusal::Refusal;
use crate::render::charts::{Chart, charts};
use crate::render::{Made, Post};
use crate::yaml::edit::{Change, apply};
use crate::yaml::scalars::Place;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Keys that rename the objects: they make no other field.
const NAMES: [&str; 3] = ["nameOverride", "fullnameOverride", "namespaceOverride"];

/// Values that may go, tried one by one at most.
const REMOVALS: usize = 12;

/// A place, and the key of the values that stands there.
type Found = Vec<(Candidate, Option<Path>)>;

impl Draft<'_, '_> {
    fn values(&self) -> Result<(Vec<Chart>, Layers), Refusal> {
        let root = &self.traced.root;
        let charts = charts(self.traced.bench.tree(), &root.path)?;
        let texts = self.texts();
        let layers = Layers::of(&self.sources(&texts), &charts, &root.release.as_deref().cloned().unwrap_or_default());
        Ok((charts, layers))
    }

    /// Another value: first what lies over the chart, then keys that have it or a part of it, then empty ones
    /// behind which the chart has a default, then the templates.
    pub(super) async fn set_value(&mut self, edit: &FieldEdit, current: &Value, new: &Value) -> Result<(), Stop> {
        let reference = self.traced.reference.clone();
        let target = Target { object: &reference, path: &edit.path, value: current };
        let (charts, layers) = self.values()?;
        let texts = self.texts();
        let written: Found =
            literals(&self.sources(&texts), &charts, &target).into_iter().map(|candidate| (candidate, None)).collect();
        drop(texts);
        let over = self.posts(&target).into_iter().filter(|candidate| candidate.concerns(current, new));
        let over: Found = over.map(|candidate| (candidate, None)).collect();
        for found in [over, with_value(&layers, &target), without_value(&layers, &target), written] {
            let Some((winner, key)) = self.decide(edit, &target, new, found).await? else { continue };
            if let Spot::Word { line, .. } = winner.spot {
                let at = format!("`{}:{}`", winner.file, line + 1);
                if is_foreign(&winner.file, &charts) {
                    let text = format!("{} is written in {at}, in a chart that is copied from elsewhere", edit.path);
                    return Err(Refusal::new("remote-source", text, "change it where the chart comes from").into());
                }
                self.review.push(format!("{at} is a template: every release of the chart changes"));
            }
            let Some(wanted) = winner.wanted(current, new) else { continue };
            return self.take(edit, &layers, &winner, key.as_ref(), wanted).await;
        }
        let elsewhere = self.said_after(&target, new).or_else(|| self.said_in_the_cluster(&target));
        match elsewhere {
            Some(refusal) => Err(refusal.into()),
            None => Err(self.no_value(&edit.path, layers.unread).await.into()),
        }
    }

    /// Places that lie over what the chart renders.
    fn posts(&self, target: &Target<'_>) -> Vec<Candidate> {
        let texts = self.texts();
        let release = self.traced.root.release.as_deref();
        let post = release.and_then(|release| release.post.as_ref());
        post.map(|post| post::places(&self.sources(&texts), post, target)).unwrap_or_default()
    }

    /// The post renderers of an object that is not in this repository make the field.
    fn said_after(&self, target: &Target<'_>, new: &Value) -> Option<Refusal> {
        let Some(Post::Fixed(object, _)) = &self.traced.root.release.as_deref()?.post else { return None };
        let found = self.posts(target).into_iter().find(|one| one.concerns(target.value, new))?;
        let (place, name) = (found.shown(), object.qualified());
        let place = place.trim_start_matches(": ");
        let text = format!("{} is made by {place} of {name}, which is not in this repository", target.path);
        Some(Refusal::new("remote-source", text, format!("change {name} where it is kept")))
    }

    /// A value where the object has none.
    pub(super) async fn add_value(&mut self, edit: &FieldEdit, new: &Value) -> Result<(), Stop> {
        let reference = self.traced.reference.clone();
        let target = Target { object: &reference, path: &edit.path, value: &Value::Null };
        let (_, layers) = self.values()?;
        for related in [true, false] {
            if !related && (new.is_object() || new.is_array() || new.is_boolean()) {
                continue;
            }
            let found: Found = additions(&layers, &edit.path, related)
                .into_iter()
                .filter_map(|path| {
                    // The sentinel is of the new value's kind.
                    let key = Key { path: path.clone(), value: new.clone() };
                    Some((layers.candidate(&key, Way::Value, related)?, Some(path)))
                })
                .collect();
            if let Some((winner, key)) = self.decide(edit, &target, new, found).await? {
                return self.take(edit, &layers, &winner, key.as_ref(), new.clone()).await;
            }
        }
        Err(self.no_value(&edit.path, layers.unread).await.into())
    }

    /// The value goes: out of the last file that has it, or by `null` where a file below has it too.
    pub(super) async fn remove_value(&mut self, edit: &FieldEdit) -> Result<(), Stop> {
        let current = edit.old.clone().unwrap_or_default();
        let reference = self.traced.reference.clone();
        let target = Target { object: &reference, path: &edit.path, value: &current };
        let over = self.posts(&target).into_iter().filter_map(|one| match one.spot {
            Spot::Yaml(place) => Some((one.file, place)),
            _ => None,
        });
        let over: Vec<(String, Place)> = over.collect();
        for (file, place) in over {
            if self.remove_at(edit, file, &place, &Change::Remove).await? {
                return Ok(());
            }
        }
        let (_, layers) = self.values()?;
        let keys = layers.keys().into_iter().chain(layers.collections());
        let mut keys: Vec<Key> = keys.filter(|key| same(&key.value, &current)).collect();
        keys.sort_by_key(|key| !is_related(&key.path, &edit.path));
        keys.dedup_by(|a, b| a.path == b.path);
        for key in keys.into_iter().take(REMOVALS) {
            let Some((file, spot, _)) = layers.spot(&key.path, false) else { continue };
            let (place, change) = match &spot {
                Spot::Yaml(place) if layers.holders(&key.path) == 1 => (place, Change::Remove),
                Spot::Yaml(place) => (place, Change::Set(Value::Null)),
                Spot::New(place) => (place, Change::Add(Value::Null)),
                _ => continue,
            };
            if self.remove_at(edit, file, place, &change).await? {
                return Ok(());
            }
        }
        Err(self.no_value(&edit.path, layers.unread).await.into())
    }

    /// Whether this change of one place takes the field away; then it is kept.
    async fn remove_at(
        &mut self,
        edit: &FieldEdit,
        file: String,
        place: &Place,
        change: &Change,
    ) -> Result<bool, Stop> {
        let Some(text) = self.text(&file) else { return Ok(false) };
        let Ok(changed) = apply(&text, place, change) else { return Ok(false) };
        let after = self.field(BTreeMap::from([(file.clone(), changed.clone())])).await?;
        if after != Some(Value::Null) {
            return Ok(false);
        }
        refuse_file(&file, &text)?;
        if self.is_shared(&file, &changed).await? {
            self.overlay(edit, None).await?;
            return Ok(true);
        }
        let (document, path) = (place.document, place.path.clone());
        self.keep(Edit { file, document, path, old: edit.old.clone(), new: None }, changed);
        Ok(true)
    }

    /// The best place of these that makes the field become `new`.
    async fn decide(
        &self,
        edit: &FieldEdit,
        target: &Target<'_>,
        new: &Value,
        found: Found,
    ) -> Result<Option<(Candidate, Option<Path>)>, Stop> {
        let (all, keys): (Vec<Candidate>, Vec<Option<Path>>) = found.into_iter().unzip();
        let reached = shortlist(self, &all, target, new).await?;
        let mut able: Found = Vec::new();
        for at in reached {
            let Some(candidate) = self.refined(&all[at], target, at).await? else { continue };
            if candidate.wanted(target.value, new).is_some() {
                able.push((candidate, keys[at].clone()));
            }
        }
        if able.len() > 1 {
            let places: Vec<Candidate> = able.iter().map(|(candidate, _)| candidate.clone()).collect();
            let all: Vec<usize> = (0..places.len()).collect();
            return match self.probe(edit, target.value, new, &places, &all).await {
                Ok(winner) => Ok(Some(able.swap_remove(winner))),
                Err(Stop::Refused(refusal)) if refusal.code == "no-effect" => Ok(None),
                Err(stop) => Err(stop),
            };
        }
        Ok(able.pop())
    }

    /// What stands around a part of the field, seen in a render.
    async fn refined(&self, candidate: &Candidate, target: &Target<'_>, at: usize) -> Result<Option<Candidate>, Stop> {
        if !matches!(candidate.way, Way::Part { .. }) {
            return Ok(Some(candidate.clone()));
        }
        let Some((value, Shown::Holds(shown))) = candidate.sentinel(target, at) else { return Ok(None) };
        let Some(Ok(changed)) = self.text(&candidate.file).map(|text| candidate.apply(&text, &value)) else {
            return Ok(None);
        };
        let Some(field) = self.field(BTreeMap::from([(candidate.file.clone(), changed)])).await? else {
            return Ok(None);
        };
        let field = text_of(&field);
        Ok(field.split_once(&shown).map(|(before, after)| {
            let way = Way::Part { before: before.to_owned(), after: after.to_owned() };
            Candidate { way, ..candidate.clone() }
        }))
    }

    /// Writes the value; into the release's own values where other releases use the place.
    async fn take(
        &mut self,
        edit: &FieldEdit,
        layers: &Layers,
        winner: &Candidate,
        key: Option<&Path>,
        wanted: Value,
    ) -> Result<(), Stop> {
        let (mut place, mut changed) = (winner.clone(), self.written(winner, &wanted)?);
        if self.is_shared(&place.file, &changed).await? {
            let own = key.filter(|_| !layers.is_last(&place.file)).and_then(|key| layers.spot(key, true));
            let mut shared = own.is_none();
            if let Some((file, spot, layer)) = own {
                place = Candidate { file, spot, layer, ..place };
                changed = self.written(&place, &wanted)?;
                shared = self.is_shared(&place.file, &changed).await?;
            } else if key.is_none() {
                return self.overlay(edit, Some(&wanted)).await;
            }
            if shared && let Some(key) = key {
                if self.release_patch(key, &wanted) {
                    return Ok(());
                }
                return self.overlay(edit, Some(&wanted)).await;
            }
        }
        let (document, path) = match place.spot.base() {
            Spot::Yaml(place) | Spot::New(place) | Spot::List { place, .. } => (place.document, place.path.clone()),
            Spot::Word { .. } | Spot::Line(_) | Spot::Behind { .. } | Spot::Whole => (0, Path::default()),
        };
        let has_old = matches!(place.spot, Spot::Yaml(_) | Spot::Word { .. } | Spot::Behind { .. });
        let old = has_old.then(|| place.spot.whole(&place.old));
        let new = Some(place.spot.whole(&wanted));
        self.keep(Edit { file: place.file, document, path, old, new }, changed);
        Ok(())
    }

    fn written(&self, place: &Candidate, wanted: &Value) -> Result<String, Refusal> {
        let text = self.text(&place.file).unwrap_or_default();
        refuse_file(&place.file, &text)?;
        let changed = place.apply(&text, wanted).map_err(|error| unsafe_edit(&place.file, &error))?;
        refuse_line(&place.file, &text, &changed)?;
        Ok(changed)
    }

    /// No value makes the field; the template of the object is named where Helm tells it.
    async fn no_value(&self, path: &Path, unread: Vec<String>) -> Refusal {
        if !unread.is_empty() {
            return super::draft::no_candidate(path, "", unread);
        }
        let root = self.traced.root.shown();
        let made = self.traced.bench.made(&self.traced.reference).await;
        let text = format!("no value of `{root}` makes {path}");
        if let Some(Made::Packed(archive)) = &made {
            let text = format!("{text}, and its template is packed in `{archive}`");
            return Refusal::new("generated", text, "change the chart where it comes from, and pack it again");
        }
        let templates = match made {
            Some(Made::Template(file)) => format!("`{file}`"),
            _ => "its templates".to_owned(),
        };
        let hint = format!("the chart computes it or does not read a value for it: change {templates}");
        Refusal::new("no-effect", text, hint)
    }
}

/// Keys whose value is the field or a part of it.
fn with_value(layers: &Layers, target: &Target<'_>) -> Found {
    let field = text_of(target.value);
    let mut found = Vec::new();
    let all = layers.keys().into_iter().chain(layers.collections().into_iter().filter(|key| is_collection(&key.value)));
    for key in all {
        let text = text_of(&key.value);
        let way = if same(&key.value, target.value) {
            Way::Value
        } else if is_text(target.value) && is_text(&key.value) && !text.is_empty() && field.contains(&text) {
            unknown()
        } else {
            continue;
        };
        let related = is_related(&key.path, target.path);
        found.extend(layers.candidate(&key, way, related).map(|candidate| (candidate, Some(key.path))));
    }
    // Where nothing can be told apart by a sentinel, each costs a render: the name decides which.
    let blind = |(candidate, _): &(Candidate, Option<Path>)| candidate.sentinel(target, 0).is_none();
    if found.iter().any(|one| blind(one) && one.0.related) {
        found.retain(|one| !blind(one) || one.0.related);
    }
    found
}

/// Keys without a value: the chart may have a default behind them.
fn without_value(layers: &Layers, target: &Target<'_>) -> Found {
    if !is_text(target.value) {
        return Vec::new();
    }
    let is_empty = |key: &Key| key.value.is_null() || key.value == "";
    let is_name = |key: &Key| key.path.0.last().and_then(field).is_some_and(|name| NAMES.contains(&name));
    let keys = layers.keys().into_iter().filter(|key| is_empty(key) && !is_name(key));
    keys.filter_map(|mut key| {
        // A number stays one.
        if target.value.is_number() && key.value.is_null() {
            key.value = Value::from(0);
        }
        let related = is_related(&key.path, target.path);
        Some((layers.candidate(&key, unknown(), related)?, Some(key.path)))
    })
    .collect()
}

fn unknown() -> Way {
    Way::Part { before: String::new(), after: String::new() }
}

fn is_text(value: &Value) -> bool {
    value.is_string() || value.is_number()
}

fn is_collection(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

/// Whether the last names are alike: `podAnnotations` and `annotations`.
fn is_related(key: &Path, path: &Path) -> bool {
    let last = |path: &Path| path.0.iter().rev().find_map(field).unwrap_or_default().to_ascii_lowercase();
    let (key, name) = (last(key), last(path));
    !key.is_empty() && !name.is_empty() && (key.ends_with(&name) || name.ends_with(&key))
}

/// Keys that could make a field that is not there: below a map or a list that has its parent's name.
fn additions(layers: &Layers, path: &Path, related: bool) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    for key in layers.collections() {
        for cut in 1..=path.0.len() {
            let (head, tail) = path.0.split_at(cut);
            if !matches!(head.last(), Some(Step::Field(_))) || related != is_related(&key.path, &Path(head.to_vec())) {
                continue;
            }
            let is_free = key.value.is_null()
                || key.value.as_object().is_some_and(serde_json::Map::is_empty)
                || key.value.as_array().is_some_and(Vec::is_empty);
            let below = match tail {
                [] if is_free => key.path.clone(),
                [Step::Field(_), ..] if key.value.is_object() || key.value.is_null() => {
                    key.path.join(&Path(tail.to_vec()))
                }
                [Step::Item { value, .. }, Step::Field(last)] if last == "value" && key.value.is_object() => {
                    key.path.field(value)
                }
                [Step::Item { .. } | Step::Index(_), ..] if key.value.is_array() => key.path.join(&Path(tail.to_vec())),
                _ => continue,
            };
            found.insert(below);
        }
    }
    found.retain(|key| layers.is_free(key));
    found
}
