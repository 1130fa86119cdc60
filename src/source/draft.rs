//! The change as it grows, field by field.

use super::blast::Siblings;
use super::guards::{refuse_file, refuse_line};
use super::locate::candidate::{Candidate, Spot, split_image};
use super::locate::candidates::{Source, Target, candidates};
use super::locate::choose::{Probed, best};
use super::locate::place::{Speaker, speakers};
use super::locate::probe::{Bench, shortlist};
use super::trace::Traced;
use super::{Budget, Question, Stop};
use crate::model::intent::{FieldEdit, Op, unix};
use crate::model::path::Path;
use crate::model::proposal::{Edit, Tool};
use crate::model::refusal::Refusal;
use crate::render::compare::{Noise, canonical, diff, noise};
use crate::render::names::find;
use crate::render::{Control, Overlay, Rendered, inflations};
use crate::yaml::YamlError;
use crate::yaml::edit::{Change, apply};
use crate::yaml::scalars::Place;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Changed files, and what was decided on the way.
pub(super) struct Draft<'d, 't> {
    pub(super) question: &'d Question<'t>,
    pub(super) traced: &'d Traced<'t>,
    pub(super) budget: &'d Budget,
    pub(super) noise: Noise,
    pub(super) files: BTreeMap<String, String>,
    pub(super) edits: Vec<Edit>,
    /// The intent's edits with paths as the render has them.
    pub(super) done: Vec<FieldEdit>,
    /// Other roots that the first place would have changed.
    pub(super) spared: BTreeSet<String>,
    /// Those of which it is not known: they do not render.
    pub(super) unrendered: BTreeSet<String>,
    /// Why a person must look at the places, one line each.
    pub(super) review: Vec<String>,
    pub(super) siblings: Siblings<'t>,
    /// What the controller puts around names, as a kustomization says it.
    around: Value,
}

impl<'d, 't> Draft<'d, 't> {
    /// Renders the base once more, to know what changes by itself.
    pub(super) async fn new(
        question: &'d Question<'t>,
        traced: &'d Traced<'t>,
        budget: &'d Budget,
    ) -> Result<Self, Stop> {
        budget.render();
        let again = traced.bench.render(&Overlay::new()).await?;
        let noise = noise(&traced.base, &again);
        let draft = Self {
            question,
            traced,
            budget,
            noise,
            files: BTreeMap::new(),
            edits: Vec::new(),
            done: Vec::new(),
            spared: BTreeSet::new(),
            unrendered: BTreeSet::new(),
            review: Vec::new(),
            siblings: Siblings::default(),
            around: traced.root.control.as_deref().map(Control::names).unwrap_or_default(),
        };
        let object = &traced.object;
        let random = find(&again, &traced.reference)
            .is_none_or(|again| question.intent.edits.iter().any(|edit| edit.path.get(again) != edit.path.get(object)));
        if random {
            let text = format!("`{}` renders the field differently each time", traced.root.shown());
            return Err(Refusal::new("nondeterministic", text, "make it a fixed value first").into());
        }
        Ok(draft)
    }

    /// Finds the place of one field and changes it.
    pub(super) async fn place(&mut self, edit: &FieldEdit) -> Result<(), Stop> {
        let path = canonical(&edit.path, &self.traced.object);
        let current = path.get(&self.traced.object).cloned();
        let mut edit = FieldEdit { path, old: current.clone(), ..edit.clone() };
        if edit.op == Op::Lf {
            let text = current.as_ref().and_then(Value::as_str).unwrap_or_default();
            self.review.extend(mixed(&edit.path, text));
            edit.new = unix(text).map(Value::from);
        }
        let is_chart = self.traced.root.tool == Tool::Helm;
        match (edit.op, &current, &edit.new) {
            (Op::Remove, Some(_), _) if is_chart => self.remove_value(&edit).await?,
            (Op::Set | Op::Add | Op::Lf, Some(current), Some(new)) if is_chart => {
                self.set_value(&edit, current, new).await?;
            }
            (Op::Set | Op::Add, None, Some(new)) if is_chart => self.add_value(&edit, new).await?,
            (Op::Remove, Some(_), _) => self.remove(&edit).await?,
            (Op::Set | Op::Add | Op::Lf, Some(current), Some(new)) => self.set(&edit, current, new).await?,
            (Op::Set | Op::Add, None, Some(new)) => self.add(&edit, new).await?,
            _ => {
                let text = format!("Git does not set {}", edit.path);
                return Err(Refusal::new("no-effect", text, "change it where it is set").into());
            }
        }
        self.done.push(edit);
        Ok(())
    }

    async fn set(&mut self, edit: &FieldEdit, current: &Value, new: &Value) -> Result<(), Stop> {
        let target = Target { object: &self.traced.reference, path: &edit.path, value: current };
        let any = self.traced.root.control.is_some()
            || self.traced.bench.inputs().kustomizations.iter().any(|(_, spec)| {
                ["replacements", "vars"]
                    .iter()
                    .any(|name| spec[*name].as_array().is_some_and(|items| !items.is_empty()))
            });
        let texts = self.texts();
        let (mut found, unread) = candidates(&self.sources(&texts), &target, any);
        found.retain(|candidate| candidate.concerns(current, new));
        if found.is_empty() && self.new_name(current, new)? {
            return Ok(());
        }
        if found.is_empty() {
            return Err(self.no_place(&target, new, unread).into());
        }
        let reached = if found.len() == 1 { vec![0] } else { shortlist(self, &found, &target, new).await? };
        let winner = match reached.as_slice() {
            [] => return Err(self.no_place(&target, new, unread).into()),
            [only] => *only,
            several => self.probe(edit, current, new, &found, several).await?,
        };
        let candidate = &found[winner];
        let Some(wanted) = candidate.wanted(current, new) else { return Err(cannot(candidate, new).into()) };
        let Some(text) = self.text(&candidate.file) else { return Err(no_candidate(&edit.path, "", unread).into()) };
        refuse_file(&candidate.file, &text)?;
        let changed = candidate.apply(&text, &wanted).map_err(|error| unsafe_edit(&candidate.file, &error))?;
        refuse_line(&candidate.file, &text, &changed)?;
        // What was copied from elsewhere stays as it is: a patch of our own goes over it.
        // A text as a whole is written in one place: the proof refuses what other roots use.
        let may_part = edit.op != Op::Lf || self.is_copied(&candidate.file);
        if may_part && (self.is_copied(&candidate.file) || self.is_shared(&candidate.file, &changed).await?) {
            return self.overlay(edit, Some(new)).await;
        }
        let (document, path) = match &candidate.spot {
            Spot::Yaml(place) => (place.document, place.path.clone()),
            _ => (0, Path::default()),
        };
        let old = Some(candidate.old.clone());
        self.keep(Edit { file: candidate.file.clone(), document, path, old, new: Some(wanted) }, changed);
        Ok(())
    }

    /// An `images:` entry that sets only the tag gets a `newName`; returns whether there is one.
    fn new_name(&mut self, current: &Value, new: &Value) -> Result<bool, Stop> {
        let (old, new) =
            (split_image(current.as_str().unwrap_or_default()), split_image(new.as_str().unwrap_or_default()));
        if old.0.is_empty() || old.0 == new.0 || (old.1, old.2) != (new.1, new.2) {
            return Ok(false);
        }
        let applies = |entry: &Value| entry["name"] == old.0 && entry.get("newName").is_none();
        let entry = self
            .traced
            .bench
            .inputs()
            .kustomizations
            .iter()
            .find_map(|(file, spec)| Some((file.clone(), spec["images"].as_array()?.iter().position(applies)?)));
        let Some((file, at)) = entry else { return Ok(false) };
        let text = self.text(&file).unwrap_or_default();
        refuse_file(&file, &text)?;
        let path = Path::of("images").index(at).field("newName");
        let place = Place { document: 0, path: path.clone(), inner: None };
        let changed =
            apply(&text, &place, &Change::Add(Value::from(new.0))).map_err(|error| unsafe_edit(&file, &error))?;
        self.keep(Edit { file, document: 0, path, old: None, new: Some(Value::from(new.0)) }, changed);
        Ok(true)
    }

    /// Tries each candidate that reaches the field with the wanted value.
    pub(super) async fn probe(
        &self,
        edit: &FieldEdit,
        current: &Value,
        new: &Value,
        found: &[Candidate],
        reached: &[usize],
    ) -> Result<usize, Stop> {
        let mut probed = Vec::new();
        for at in reached {
            let candidate = &found[*at];
            let Some(text) = self.text(&candidate.file) else { continue };
            let Some(Ok(changed)) = candidate.wanted(current, new).map(|wanted| candidate.apply(&text, &wanted)) else {
                continue;
            };
            let Some(after) = self.try_render(BTreeMap::from([(candidate.file.clone(), changed)])).await? else {
                continue;
            };
            let edits = [self.done.as_slice(), std::slice::from_ref(edit)].concat();
            let delta = diff(&self.traced.base, &after, &self.noise);
            let judged = self.traced.judge(&edits, &delta);
            if judged.holds {
                let side_effects = judged.side_effects.len() + judged.review.len();
                probed.push(Probed { candidate: *at, side_effects, layer: candidate.layer });
            }
        }
        Ok(best(&probed, &|at| found[at].shown(), self.question.choose)?)
    }

    /// Where no file has the field yet: the nearest document that speaks of the object.
    async fn add(&mut self, edit: &FieldEdit, new: &Value) -> Result<(), Stop> {
        let all = self.speakers(&edit.path);
        let Some(first) = all.first() else {
            return Err(no_candidate(&edit.path, &self.traced.root.shown(), Vec::new()).into());
        };
        let ties: Vec<&Speaker> =
            all.iter().filter(|one| (one.layer, one.depth) == (first.layer, first.depth)).collect();
        let speaker = match (ties.as_slice(), self.question.choose) {
            ([only], _) => (*only).clone(),
            (several, Some(n)) if n >= 1 && n <= several.len() => several[n - 1].clone(),
            (several, _) => {
                let list =
                    several.iter().enumerate().map(|(n, one)| format!("{}. {}: {}", n + 1, one.file, one.place.path));
                let text = format!("{} files could hold {}", several.len(), edit.path);
                let refusal = Refusal::new("ambiguous", text, "choose with --choose N").with_details(list.collect());
                return Err(refusal.into());
            }
        };
        self.write(edit, &speaker, Change::Add(new.clone())).await
    }

    async fn remove(&mut self, edit: &FieldEdit) -> Result<(), Stop> {
        let holder = self.speakers(&edit.path).into_iter().find(|speaker| speaker.holds);
        match holder {
            Some(speaker) => self.write(edit, &speaker, Change::Remove).await,
            None => Err(no_candidate(&edit.path, &self.traced.root.shown(), Vec::new()).into()),
        }
    }

    async fn write(&mut self, edit: &FieldEdit, speaker: &Speaker, change: Change) -> Result<(), Stop> {
        let text = self.text(&speaker.file).unwrap_or_default();
        refuse_file(&speaker.file, &text)?;
        let changed = apply(&text, &speaker.place, &change).map_err(|error| unsafe_edit(&speaker.file, &error))?;
        refuse_line(&speaker.file, &text, &changed)?;
        if self.is_shared(&speaker.file, &changed).await? || self.reorders(&edit.path, &speaker.file, &changed).await? {
            return self.overlay(edit, edit.new.as_ref()).await;
        }
        let place = speaker.place.clone();
        self.keep(
            Edit {
                file: speaker.file.clone(),
                document: place.document,
                path: place.path,
                old: edit.old.clone(),
                new: edit.new.clone(),
            },
            changed,
        );
        Ok(())
    }

    pub(super) fn speakers(&self, path: &Path) -> Vec<Speaker> {
        let texts = self.texts();
        speakers(&self.sources(&texts), &self.traced.reference, path)
    }

    pub(super) fn keep(&mut self, edit: Edit, text: String) {
        self.files.insert(edit.file.clone(), text);
        self.edits.push(edit);
    }

    /// Whether a file belongs to a chart that kustomize would fetch if it were not here.
    fn is_copied(&self, file: &str) -> bool {
        let specs = &self.traced.bench.inputs().kustomizations;
        specs.iter().flat_map(|(by, spec)| inflations(by, spec)).any(|chart| chart.foreign && chart.holds(file))
    }

    /// The text of an input, as changed so far.
    pub(super) fn text(&self, file: &str) -> Option<String> {
        self.files.get(file).cloned().or_else(|| self.traced.bench.tree().text(file).map(str::to_owned))
    }

    /// All inputs with their layers; new files belong to the root.
    pub(super) fn texts(&self) -> Vec<(String, usize, String)> {
        let inputs = &self.traced.bench.inputs().files;
        let known = inputs.iter().filter_map(|(file, layer)| Some((file.clone(), *layer, self.text(file)?)));
        let new = self.files.iter().filter(|(file, _)| !inputs.contains_key(*file));
        known.chain(new.map(|(file, text)| (file.clone(), 0, text.clone()))).collect()
    }

    pub(super) fn sources<'s>(&'s self, texts: &'s [(String, usize, String)]) -> Vec<Source<'s>> {
        let specs = &self.traced.bench.inputs().kustomizations;
        texts
            .iter()
            .map(|(path, layer, text)| {
                let kustomization = specs.iter().find(|(file, _)| file == path).map(|(_, spec)| spec);
                Source { path, layer: *layer, text, kustomization }
            })
            .chain(self.around.is_object().then_some(Source {
                path: "",
                layer: 0,
                text: "",
                kustomization: Some(&self.around),
            }))
            .collect()
    }

    /// Renders the draft with further files; `None` when that does not render.
    pub(super) async fn try_render(&self, more: BTreeMap<String, String>) -> Result<Option<Rendered>, Stop> {
        self.budget.probe()?;
        match self.traced.bench.render(&self.overlay_with(more)).await {
            Ok(objects) => Ok(Some(objects)),
            Err(Stop::Refused(_)) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    /// The changed files as bytes.
    pub(super) fn overlay_with(&self, more: BTreeMap<String, String>) -> Overlay {
        let mut files = self.files.clone();
        files.extend(more);
        files.into_iter().map(|(file, text)| (file, text.into_bytes())).collect()
    }
}

impl Bench for Draft<'_, '_> {
    fn text(&self, file: &str) -> Option<String> {
        Draft::text(self, file)
    }

    async fn field(&self, files: BTreeMap<String, String>) -> Result<Option<Value>, Stop> {
        let Some(objects) = self.try_render(files).await? else { return Ok(None) };
        let path =
            self.question.intent.edits.get(self.done.len()).map(|edit| canonical(&edit.path, &self.traced.object));
        let object = find(&objects, &self.traced.reference);
        Ok(object.zip(path).map(|(object, path)| path.get(object).cloned().unwrap_or_default()))
    }
}

pub(super) fn no_candidate(path: &Path, root: &str, unread: Vec<String>) -> Refusal {
    if !unread.is_empty() {
        let hint = "make it plain YAML without templates, tabs and duplicate keys";
        return Refusal::new("yaml-unsafe", "a file that may hold the field can't be read safely", hint)
            .with_details(unread);
    }
    Refusal::new(
        "no-effect",
        format!("no place was found in `{root}` that makes {path}"),
        "change it by hand, where it is computed",
    )
}

/// Some lines of a text end in a carriage return, and some do not.
fn mixed(path: &Path, text: &str) -> Option<String> {
    let (windows, all) = (text.matches("\r\n").count(), text.matches('\n').count());
    (windows < all).then(|| format!("{windows} of {all} lines of {path} end in a carriage return: one may be meant"))
}

/// The place that decides can't make the wanted value.
fn cannot(candidate: &Candidate, new: &Value) -> Refusal {
    Refusal::new(
        "no-effect",
        format!("{} decides, and can't be made to give {}", candidate.shown(), super::trace::shown(new)),
        "name a value of the same shape (a digest for a digest, a tag for a tag)",
    )
}

pub(super) fn unsafe_edit(file: &str, error: &YamlError) -> Refusal {
    Refusal::new("yaml-unsafe", format!("`{file}` can't be edited safely: {error}"), "change it by hand")
}
