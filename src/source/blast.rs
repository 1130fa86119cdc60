//! Other roots that a changed file reaches.

use super::{Budget, Question, Stop};
use crate::model::proposal::Tool;
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use crate::render::compare::{Noise, diff};
use crate::render::{Inputs, Overlay, Rendered, Root, Values, Workbench};

/// The other roots that are deployed (no other root includes them), with what they render to.
#[derive(Debug, Default)]
pub(super) struct Siblings<'t> {
    all: Option<Vec<Sibling<'t>>>,
    unread: Vec<Unread>,
}

/// A root that is not rendered.
#[derive(Debug)]
struct Unread {
    root: Root,
    /// As far as the walk came.
    inputs: Inputs,
    /// Something on the way could not be read, so that it may use more.
    blind: bool,
}

impl Unread {
    /// Whether it may use a file. Of one whose kustomization can't be read nothing is known,
    /// but what stands in the folder of `own` is rarely used from outside.
    fn may_use(&self, file: &str, own: &Root) -> bool {
        self.inputs.files.contains_key(file) || self.blind && !below(file, &own.path)
    }
}

fn below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[derive(Debug)]
struct Sibling<'t> {
    root: Root,
    bench: Workbench<'t>,
    base: Option<Rendered>,
}

/// What a change does to the other roots.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Blast {
    pub(super) changed: Vec<String>,
    pub(super) same: Vec<String>,
    /// They use the file or may use it, and do not render.
    pub(super) unknown: Vec<String>,
}

impl<'t> Siblings<'t> {
    /// Renders each other root that uses one of the changed files, before and after.
    pub(super) async fn blast(
        &mut self,
        question: &Question<'t>,
        own: &Root,
        overlay: &Overlay,
        budget: &Budget,
    ) -> Result<Blast, Stop> {
        if self.all.is_none() {
            let (all, unread) = others(question, own);
            self.all = Some(all);
            self.unread = unread;
        }
        let mut blast = Blast::default();
        let may_use = self.unread.iter().filter(|other| overlay.keys().any(|file| other.may_use(file, own)));
        blast.unknown.extend(may_use.map(|other| other.root.shown().into_owned()));
        let all = self.all.get_or_insert_default();
        for sibling in
            all.iter_mut().filter(|other| overlay.keys().any(|file| other.bench.inputs().files.contains_key(file)))
        {
            let name = sibling.root.shown().into_owned();
            if sibling.base.is_none() {
                budget.render();
                sibling.base = refused_is_none(sibling.bench.render(&Overlay::new()).await)?;
            }
            let Some(before) = &sibling.base else {
                blast.unknown.push(name);
                continue;
            };
            budget.probe()?;
            match refused_is_none(sibling.bench.render(overlay).await)? {
                Some(after) if diff(before, &after, &Noise::new()).is_empty() => blast.same.push(name),
                _ => blast.changed.push(name),
            }
        }
        Ok(blast)
    }
}

/// What another tree does to the other roots that use one of these files.
pub(super) async fn between(
    question: &Question<'_>,
    own: &Root,
    after: &Tree,
    files: &[&str],
    budget: &Budget,
) -> Result<Blast, Stop> {
    let (all, unread) = others(question, own);
    let mut blast = Blast::default();
    for sibling in &all {
        let there = Workbench::new(after, &sibling.root, question.tools);
        let uses = |bench: &Workbench<'_>| files.iter().any(|file| bench.inputs().files.contains_key(*file));
        if !uses(&sibling.bench) && !there.as_ref().is_ok_and(uses) {
            continue;
        }
        let name = sibling.root.shown().into_owned();
        budget.probe()?;
        let before = refused_is_none(sibling.bench.render(&Overlay::new()).await)?;
        let after = match there {
            Ok(bench) => refused_is_none(bench.render(&Overlay::new()).await)?,
            Err(_) => None,
        };
        match (before, after) {
            (None, None) => blast.unknown.push(name),
            (Some(before), Some(after)) if diff(&before, &after, &Noise::new()).is_empty() => blast.same.push(name),
            _ => blast.changed.push(name),
        }
    }
    // One that could not be read before may be read again now.
    for other in unread.iter().filter(|other| files.iter().any(|file| other.may_use(file, own))) {
        let name = other.root.shown().into_owned();
        match Workbench::new(after, &other.root, question.tools) {
            Ok(_) => blast.changed.push(name),
            Err(_) => blast.unknown.push(name),
        }
    }
    Ok(blast)
}

fn refused_is_none(rendered: Result<Rendered, Stop>) -> Result<Option<Rendered>, Stop> {
    match rendered {
        Ok(objects) => Ok(Some(objects)),
        Err(Stop::Refused(_)) => Ok(None),
        Err(failed) => Err(failed),
    }
}

/// A plain folder below another one is read with it, not beside it.
fn is_part(root: &Root, own: &Root) -> bool {
    (root.tool, own.tool) == (Tool::Plain, Tool::Plain) && below(&root.path, &own.path)
}

/// Another release of the same chart has the same first values, and another last file.
fn beside(mut root: Root, own: &Root) -> Root {
    let Some((own, release)) =
        own.release.as_deref().zip(root.release.as_deref_mut()).filter(|_| root.path == own.path)
    else {
        return root;
    };
    let shared = own.values.len().saturating_sub(1);
    if own.values.iter().all(|values| matches!(values, Values::File(_))) && !release.values.is_empty() {
        release.values.splice(0..0, own.values[..shared].iter().cloned());
    }
    root
}

fn others<'t>(question: &Question<'t>, own: &Root) -> (Vec<Sibling<'t>>, Vec<Unread>) {
    let tree = question.base.tree;
    let all: Vec<(Root, Inputs, Vec<Refusal>)> = question
        .roots()
        .into_iter()
        .map(|root| beside(root, own))
        .map(|root| {
            let (inputs, refused) = Inputs::reach(tree, &root);
            (root, inputs, refused)
        })
        .collect();
    let is_base = |root: &Root| {
        all.iter().any(|(other, inputs, _)| {
            other.path != root.path && inputs.folders.contains(&root.path) || other != root && root.is_part_of(other)
        })
    };
    // What makes the controllers' objects is rendered with it, and what its inputs include is a part of it.
    let led = own.chain().count() > 1 || own.control.is_some();
    let within = if led { Inputs::reach(tree, own).0 } else { Inputs::default() };
    // The same chart with files that the release reads already is a guess that the controller answers.
    let is_guess = |root: &Root| {
        led && root.path == own.path && root.values_files().iter().all(|file| within.files.contains_key(*file))
    };
    let is_above = |root: &Root| own.chain().skip(1).any(|one| one.path == root.path || is_part(root, one));
    let is_own = |root: &Root| {
        root.is_part_of(own)
            || is_part(root, own)
            || is_above(root)
            || is_guess(root)
            || within.folders.contains(&root.path)
    };
    let (mut siblings, mut unread) = (Vec::new(), Vec::new());
    for (root, inputs, refused) in all.iter().filter(|(root, ..)| !is_own(root) && !is_base(root)) {
        let (root, inputs) = (root.clone(), inputs.clone());
        let bench = Workbench::walked(tree, &root, question.tools, inputs.clone()).ok();
        if let Some(bench) = bench.filter(|_| refused.is_empty()) {
            siblings.push(Sibling { root, bench, base: None });
        } else {
            let blind = refused.iter().any(|refusal| matches!(refusal.code, "yaml-unsafe" | "render-limit"));
            unread.push(Unread { root, inputs, blind });
        }
    }
    (siblings, unread)
}
