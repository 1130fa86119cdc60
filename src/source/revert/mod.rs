//! Taking back the one commit that broke an object.
//!
//! A field that fails has a line in Git; a folder that does not build has none, because nothing of it
//! runs. The commit that broke either is found in the history of the base branch, rendering only where a
//! commit touches what the folder is made of. Its changes to the files of this folder are undone on the
//! tip, and let out only if the object is then rendered as it was before that commit.

mod merge;
mod undo;
mod walk;

use super::accept::{Accepted, accepted};
use super::history::History;
use super::prove::{after_the_sync, changed_objects, rendered};
use super::{Budget, Located, OVER, Question, Stop, blast, guards, search, short};
use crate::model::finding::Change;
use crate::model::history::Commit;
use crate::model::object::ObjectRef;
use crate::model::proposal::{Delta, Origin, Proof, Signal, Trust};
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use crate::render::compare::{Noise, diff, diff_objects, masked, noise, reference};
use crate::render::names::find;
use crate::render::{Overlay, Rendered, Root, Workbench};
use serde_json::Value;

/// What fails.
#[derive(Debug, Clone, Copy)]
pub enum Failing<'q> {
    /// The running object: what it had when it worked, as far as the cluster tells.
    Runs { change: Option<&'q Change> },
    /// The folder does not build, so nothing of it was applied.
    Builds,
    /// The folder builds and the API refuses this object of it; the commit that was applied last.
    Applies { object: &'q ObjectRef, applied: Option<&'q str> },
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct Ask<'q> {
    /// Its intent changes no field. Without a running object its `path` names the folder.
    pub question: Question<'q>,
    pub failing: Failing<'q>,
    pub history: &'q dyn History,
}

/// A proved revert.
#[derive(Debug, Clone, PartialEq)]
pub struct Reverted {
    pub located: Located,
    pub commit: Commit,
}

/// Finds the commit that broke what fails, undoes it in this folder's files and proves the result.
///
/// # Errors
/// A [`Refusal`] with its code when no single commit did it or it can't be undone; an error when the machine failed.
pub async fn revert(ask: &Ask<'_>) -> Result<Reverted, Stop> {
    let budget = Budget::new();
    let mut scene = Scene::set(ask, &budget).await?;
    let tip = scene.state(ask.question.base.tree).await?;
    scene.check(&tip)?;
    scene.name_object(&tip);
    let culprit = walk::culprit(&scene, &tip).await?;
    let files = undo::inverse(ask.question.base.tree, &culprit)?;
    let after_tree = undo::applied(ask.question.base.tree, &files);
    let after = match scene.state(&after_tree).await? {
        State::Built(objects) => objects,
        State::Broken(refusal) => return Err(undone_breaks(&culprit.commit, &refusal).into()),
    };
    let State::Built(again) = scene.state(&after_tree).await? else {
        return Err(
            Refusal::new("nondeterministic", "the folder builds only now and then", "look at it by hand").into()
        );
    };
    let mask = noise(&after, &again);
    scene.check_good(&culprit, &after, &mask)?;
    let before = match &tip {
        State::Built(objects) => objects,
        State::Broken(_) => &culprit.good,
    };
    let changed = diff(before, &after, &mask);
    guards::refuse_secrets(&changed)?;
    let (delta, companions): (Vec<Delta>, Vec<Delta>) =
        changed.into_iter().partition(|delta| scene.object().is_some_and(|object| delta.object.same_object(&object)));
    let taken = match ask.failing {
        Failing::Runs { .. } => accepted(ask.question.fields, delta.iter().chain(&companions), before).await?,
        // What was never applied need not be changed on the cluster.
        Failing::Builds | Failing::Applies { .. } => Accepted::default(),
    };
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let blast = blast::between(&ask.question, &scene.root, &after_tree, &paths, &budget).await?;
    let mut review = std::mem::take(&mut scene.review);
    review.extend(culprit.review.clone());
    review.extend(others(&companions).into_iter().map(|object| format!("{} changes too", object.qualified())));
    review.extend(blast.changed.iter().map(|root| format!("`{root}` changes too")));
    let mut not_proved = vec![match scene.object().and_then(|object| find(&after, &object)) {
        Some(object) => after_the_sync(object),
        None => "that the cluster takes it; see `aifix scan` after the sync".to_owned(),
    }];
    not_proved.extend(taken.unknown);
    not_proved.extend(blast.unknown.iter().map(|root| format!("`{root}` uses the files and does not render")));
    let bench = Workbench::new(&after_tree, &scene.root_of(&after_tree), ask.question.tools)?;
    let proof = Proof {
        base: ask.question.base.revision.to_owned(),
        renderer: bench.renderer().await?,
        delta,
        companions,
        noise: mask.len(),
        masked: masked(&mask),
        siblings: blast.same,
        renders: budget.renders(),
        not_proved,
        schema: taken.schema,
        dry_run: None,
    };
    let mut trail = std::mem::take(&mut scene.trail);
    trail.push(Signal { signal: "commit".to_owned(), value: culprit.said(&scene), trust: Trust::Proved });
    let origin = Origin {
        tool: scene.root_of(&after_tree).tool,
        repo: ask.question.repo.to_owned(),
        path: scene.root.folder().to_owned(),
        branch: ask.question.branch.to_owned(),
        revision: ask.question.base.revision.to_owned(),
        trail,
    };
    let intended = scene.object().unwrap_or_else(|| ask.question.intent.object.clone());
    let mut objects = changed_objects(&proof, &intended, before, &after);
    for change in &mut objects {
        change.good = rendered(&culprit.good, &change.object);
    }
    let located = Located { origin, edits: Vec::new(), files, objects, proof, review };
    Ok(Reverted { located, commit: culprit.commit })
}

/// One folder at different revisions.
struct Scene<'a, 'q> {
    ask: &'a Ask<'q>,
    budget: &'a Budget,
    root: Root,
    /// The object that must be as it was; `None` when it is the folder as a whole.
    wanted: Option<ObjectRef>,
    trail: Vec<Signal>,
    review: Vec<String>,
}

/// What a folder is at one revision.
enum State {
    Built(Rendered),
    /// The renderer, or what reads its input, says no.
    Broken(Refusal),
}

impl<'a, 'q> Scene<'a, 'q> {
    /// The folder that makes the running object, or the one that was named.
    async fn set(ask: &'a Ask<'q>, budget: &'a Budget) -> Result<Self, Stop> {
        let question = &ask.question;
        if let Failing::Runs { .. } = ask.failing {
            guards::refuse_object(&question.intent.object, question.live)?;
            let traced = search::trace(question, budget).await?;
            if traced.revision != question.base.revision {
                let text = format!(
                    "{} was changed on {} since {}, which is what runs",
                    question.intent.object.qualified(),
                    question.branch,
                    short(&traced.revision)
                );
                return Err(Refusal::new("already-fixed", text, "wait for the sync, or sync now").into());
            }
            let wanted = Some(question.intent.object.clone());
            return Ok(Self { ask, budget, root: traced.root, wanted, trail: traced.trail, review: traced.review });
        }
        let led = question.found.lead.as_ref().and_then(|lead| lead.folders.first());
        let (root, trail) = match (question.path, led.map(|folder| (folder, &folder.remote))) {
            (Some(path), _) => (Root::at(question.base.tree, path), Vec::new()),
            (None, Some((folder, None))) => (folder.root(question.base.tree), question.found.trail.clone()),
            (None, Some((_, Some(remote)))) => {
                let text = format!("{} renders {remote}, which is not in this repository", question.intent.object);
                return Err(Refusal::new("remote-source", text, "take its values back by hand: git revert").into());
            }
            (None, None) => {
                let text = format!("{} does not say which folder it builds", question.intent.object.qualified());
                return Err(Refusal::new("no-owner-in-git", text, "name it: --path DIR").into());
            }
        };
        let wanted = match ask.failing {
            Failing::Applies { object, .. } => Some(object.clone()),
            _ => None,
        };
        Ok(Self { ask, budget, root, wanted, trail, review: Vec::new() })
    }

    fn object(&self) -> Option<ObjectRef> {
        self.wanted.clone()
    }

    /// A controller's message names a kind without its group: the render has it.
    fn name_object(&mut self, tip: &State) {
        let (Failing::Applies { object, .. }, State::Built(objects)) = (self.ask.failing, tip) else { return };
        let is_it = |found: &ObjectRef| {
            let open = found.namespace.is_none() || object.namespace.is_none();
            let namespace = open || found.namespace == object.namespace;
            found.kind == object.kind && found.name == object.name && namespace
        };
        if let Some(found) = objects.iter().filter_map(reference).find(is_it) {
            self.wanted = Some(found);
        }
    }

    /// The folder may be of another kind at another revision.
    fn root_of(&self, tree: &Tree) -> Root {
        let there = Root::at(tree, &self.root.path);
        if there.tool == self.root.tool { self.root.clone() } else { there }
    }

    async fn state(&self, tree: &Tree) -> Result<State, Stop> {
        const BROKEN: [&str; 2] = ["render-failed", "yaml-unsafe"];
        self.budget.probe()?;
        let built = match Workbench::new(tree, &self.root_of(tree), self.ask.question.tools) {
            Ok(bench) => bench.render(&Overlay::new()).await,
            Err(refusal) => Err(refusal.into()),
        };
        match built {
            Ok(objects) => Ok(State::Built(objects)),
            Err(Stop::Refused(refusal)) if BROKEN.contains(&refusal.code) => Ok(State::Broken(refusal)),
            Err(stop) => Err(stop),
        }
    }

    /// Whether the tip of the base branch is what fails.
    fn check(&self, tip: &State) -> Result<(), Refusal> {
        let at = short(self.ask.question.base.revision);
        match (self.ask.failing, tip) {
            (Failing::Builds, State::Built(_)) => Err(Refusal::new(
                "already-fixed",
                format!("`{}` builds at {at} of {}", self.root.shown(), self.ask.question.branch),
                "wait for the sync, or sync now",
            )),
            (Failing::Builds, State::Broken(_)) | (_, State::Built(_)) => Ok(()),
            (_, State::Broken(refusal)) => Err(refusal.clone()),
        }
    }

    /// Whether the result is what was there before the commit.
    fn check_good(&self, culprit: &walk::Culprit, after: &[Value], mask: &Noise) -> Result<(), Refusal> {
        let Some(object) = self.object() else { return Ok(()) };
        let differs: Vec<Delta> = match (find(&culprit.good, &object), find(after, &object)) {
            (Some(good), Some(after)) if reference(good) == reference(after) => {
                diff(std::slice::from_ref(good), std::slice::from_ref(after), mask)
            }
            (None, None) => Vec::new(),
            (good, after) => diff_objects(&object, good.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null)),
        };
        if differs.is_empty() {
            return Ok(());
        }
        let text =
            format!("with {} taken back, {} is not what it was before", culprit.commit.short(), object.qualified());
        let details = differs.iter().take(8).map(super::prove::line).collect();
        Err(Refusal::new("no-effect", text, "take it back by hand: git revert").with_details(details))
    }
}

fn undone_breaks(commit: &Commit, refusal: &Refusal) -> Refusal {
    Refusal::new(
        "revert-conflict",
        format!("with {} taken back the folder does not build: {}", commit.short(), refusal.message),
        format!("take it back by hand: git revert {}", commit.short()),
    )
    .with_details(refusal.details.clone())
}

/// The objects of deltas, each once.
fn others(deltas: &[Delta]) -> Vec<&ObjectRef> {
    let mut out: Vec<&ObjectRef> = Vec::new();
    for delta in deltas {
        if !out.iter().any(|known| known.same_object(&delta.object)) {
            out.push(&delta.object);
        }
    }
    out
}

#[cfg(test)]
mod tests;
