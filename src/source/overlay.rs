//! Changes that must not reach other roots.

use super::Stop;
use super::blast::Blast;
use super::draft::Draft;
use super::guards::refuse_file;
use super::locate::candidates::beside;
use super::locate::place::{may_reorder, patch, patch_name, patch_text, speakers};
use crate::model::intent::FieldEdit;
use crate::model::path::Path;
use crate::model::proposal::{Edit, Tool};
use crate::model::refusal::Refusal;
use crate::render::compare::{diff, is_order};
use crate::render::{Overlay, Values};
use crate::yaml::edit::{Change, apply};
use crate::yaml::parse;
use crate::yaml::scalars::Place;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A patch in a file of its own.
struct NewPatch {
    file: String,
    content: Value,
    text: String,
    /// The kustomization that names it, as it becomes, and where it does.
    kustomization: String,
    changed: String,
    at: Path,
}

impl Draft<'_, '_> {
    /// The field goes into a patch of the root itself, because the place that makes it is shared.
    pub(super) async fn overlay(&mut self, edit: &FieldEdit, new: Option<&Value>) -> Result<(), Stop> {
        let all = self.speakers(&edit.path);
        let own = all.iter().find(|speaker| speaker.layer == 0 && !speaker.holds && new.is_some());
        if let (Some(speaker), Some(new)) = (own, new) {
            let text = self.text(&speaker.file).unwrap_or_default();
            refuse_file(&speaker.file, &text)?;
            let changed = apply(&text, &speaker.place, &Change::Add(new.clone())).ok();
            let keeps = match &changed {
                Some(changed) => !self.reorders(&edit.path, &speaker.file, changed).await?,
                None => false,
            };
            if let Some(changed) = changed.filter(|_| keeps) {
                let (file, place) = (speaker.file.clone(), speaker.place.clone());
                self.keep(
                    Edit { file, document: place.document, path: place.path, old: None, new: Some(new.clone()) },
                    changed,
                );
                return Ok(());
            }
        }
        let inputs = self.traced.bench.inputs();
        let is_kustomize = self.traced.root.tool == Tool::Kustomize;
        let kustomization = inputs.kustomizations.first().filter(|_| is_kustomize).map(|(file, _)| file.clone());
        let identity = all.last().map(|base| base.identity.clone()).or_else(|| self.inflated());
        let made = identity.zip(kustomization).and_then(|(identity, file)| {
            let content = patch(&identity, &self.traced.object, &edit.path, new)?;
            self.new_patch(&file, &identity, content, &edit.path)
        });
        let Some(made) = made else {
            let (changed, unknown): (Vec<String>, Vec<String>) =
                (self.spared.iter().cloned().collect(), self.unrendered.iter().cloned().collect());
            let none = changed.is_empty() && unknown.is_empty();
            return Err(if none { moved(&edit.path) } else { wide_blast(&changed, &unknown) }.into());
        };
        self.keep_patch(made);
        Ok(())
    }

    /// The value goes into a patch of the release's own object, beside the kustomization that makes it: what says
    /// the other values is shared. `false` where that can't be.
    pub(super) fn release_patch(&mut self, key: &Path, value: &Value) -> bool {
        let made = self.patch_of_release(key, value);
        let is_made = made.is_some();
        made.into_iter().for_each(|made| self.keep_patch(made));
        is_made
    }

    fn patch_of_release(&self, key: &Path, value: &Value) -> Option<NewPatch> {
        let release = self.traced.root.release.as_deref()?;
        // A text with values in it is one value for a patch.
        let field = release.values.iter().rev().find_map(|values| match values {
            Values::Field(field) if field.object.kind == "HelmRelease" => Some(field),
            _ => None,
        })?;
        let kustomizations = &self.traced.bench.inputs().kustomizations;
        let is_own = |file: &str| file.rsplit_once('/').map_or("", |(folder, _)| folder) == field.root.path;
        let (kustomization, _) = kustomizations.iter().find(|(file, _)| is_own(file))?;
        let path = field.path.join(key);
        let texts = self.texts();
        let all = speakers(&self.sources(&texts), &field.object, &path);
        let base = all.last()?;
        let content = patch(&base.identity, &Value::Null, &path, Some(value))?;
        self.new_patch(kustomization, &base.identity, content, &path)
    }

    fn keep_patch(&mut self, made: NewPatch) {
        let NewPatch { file, content, text, kustomization, changed, at } = made;
        let entry = json!({ "path": file.rsplit('/').next() });
        self.keep(Edit { file, document: 0, path: Path::default(), old: None, new: Some(content) }, text);
        self.keep(Edit { file: kustomization, document: 0, path: at, old: None, new: Some(entry) }, changed);
    }

    /// What a chart of the kustomization makes is named in no file: as it is rendered.
    fn inflated(&self) -> Option<Value> {
        let (object, inputs) = (&self.traced.object, self.traced.bench.inputs());
        let metadata = json!({ "name": object["metadata"]["name"] });
        inputs.inflating.as_ref()?;
        Some(json!({ "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": metadata }))
    }

    /// Whether changing this file puts a list of the object in another order.
    pub(super) async fn reorders(&self, path: &Path, file: &str, changed: &str) -> Result<bool, Stop> {
        if self.traced.root.tool != Tool::Kustomize || !may_reorder(&self.traced.object, path) {
            return Ok(false);
        }
        let after = self.try_render(BTreeMap::from([(file.to_owned(), changed.to_owned())])).await?;
        Ok(after.is_some_and(|after| diff(&self.traced.base, &after, &self.noise).iter().any(is_order)))
    }

    /// A new patch file and its line in the kustomization.
    fn new_patch(&self, kustomization: &str, identity: &Value, content: Value, path: &Path) -> Option<NewPatch> {
        let text = patch_text(&content)?;
        let place_of = |name: &str| beside(kustomization, name);
        let taken = |name: &str| {
            self.question.base.tree.entries.contains_key(&place_of(name)) || self.files.contains_key(&place_of(name))
        };
        let name = patch_name(identity, path, taken);
        let spec = self.text(kustomization)?;
        let count = parse::document(&spec).ok()?["patches"].as_array().map_or(0, Vec::len);
        let at = Path::of("patches").index(count);
        let place = Place { document: 0, path: at.clone(), inner: None };
        let changed = apply(&spec, &place, &Change::Add(json!({ "path": name }))).ok()?;
        let kustomization = kustomization.to_owned();
        Some(NewPatch { file: place_of(&name), content, text, kustomization, changed, at })
    }

    /// Whether other roots would change with this file, and that is not wanted.
    pub(super) async fn is_shared(&mut self, file: &str, changed: &str) -> Result<bool, Stop> {
        if self.question.allow_shared {
            return Ok(false);
        }
        let overlay = Overlay::from([(file.to_owned(), changed.as_bytes().to_vec())]);
        let blast = self.siblings.blast(self.question, &self.traced.root, &overlay, self.budget).await?;
        let reached = !blast.changed.is_empty() || !blast.unknown.is_empty();
        self.spared.extend(blast.changed);
        self.unrendered.extend(blast.unknown);
        Ok(reached)
    }

    /// What the whole change does to the other roots; those that it was kept away from count as same.
    ///
    /// # Errors
    /// `wide-blast` when one of them changes and that was not allowed.
    pub(super) async fn final_blast(&mut self) -> Result<Blast, Stop> {
        let overlay = self.overlay_with(BTreeMap::new());
        let mut blast = self.siblings.blast(self.question, &self.traced.root, &overlay, self.budget).await?;
        let reached = [blast.changed.as_slice(), &blast.unknown].concat();
        if !reached.is_empty() && !self.question.allow_shared {
            return Err(wide_blast(&blast.changed, &blast.unknown).into());
        }
        blast.same.extend(self.spared.iter().filter(|root| !reached.contains(root)).cloned());
        blast.same.sort();
        blast.same.dedup();
        Ok(blast)
    }
}

fn moved(path: &Path) -> Refusal {
    let text = format!("adding {path} there moves other items of its list");
    Refusal::new("side-effects", text, "change it by hand, so that the list keeps its order")
}

fn wide_blast(changed: &[String], unknown: &[String]) -> Refusal {
    let list =
        |roots: &[String]| crate::text::and(&roots.iter().map(|root| format!("`{root}`")).collect::<Vec<String>>());
    let text = match (changed, unknown) {
        (changed, []) => format!("this also changes {}", list(changed)),
        ([], unknown) => format!("this may also change {}, not rendered here", list(unknown)),
        (changed, unknown) => {
            format!("this also changes {}, and maybe {}, not rendered here", list(changed), list(unknown))
        }
    };
    Refusal::new("wide-blast", text, "accept it with --allow-shared, or set the field in a folder of its own")
}
