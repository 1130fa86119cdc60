//! The commit that broke it, in the history of the branch.

use super::{Failing, OVER, Scene, State, Stop};
use crate::model::finding::Change;
use crate::model::history::Commit;
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use crate::render::compare::{diff_objects, same_value};
use crate::render::names::find;
use crate::render::{Inputs, Rendered};
use serde_json::Value;

/// Commits that are walked at most.
const COMMITS: usize = 2000;
/// Commits that are listed at most.
const LISTED: usize = 8;

/// The commit that did it, and what was there before.
pub(super) struct Culprit {
    pub(super) commit: Commit,
    pub(super) before: Tree,
    pub(super) after: Tree,
    /// Its files that make this folder, before or after it.
    pub(super) files: Vec<String>,
    pub(super) good: Rendered,
    pub(super) review: Vec<String>,
}

impl Culprit {
    /// `3f2a91c "Lower the limit" by Ada, 2026-11-20 changed Deployment prod/web`.
    pub(super) fn said(&self, scene: &Scene<'_, '_>) -> String {
        let what = scene.object().map_or_else(
            || format!("broke the build of `{}`", scene.root.shown()),
            |object| format!("changed {}", object.qualified()),
        );
        format!("{} {what}", self.commit.shown())
    }
}

struct Suspect {
    commit: Commit,
    before: Tree,
    after: Tree,
    good: Option<Rendered>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Worked {
    Yes,
    No,
    Unknown,
}

/// Walks first parents from the tip to the newest revision that worked.
pub(super) async fn culprit(scene: &Scene<'_, '_>, tip: &State) -> Result<Culprit, Stop> {
    let history = scene.ask.history;
    let mut here = scene.ask.question.base.revision.to_owned();
    let mut tree = scene.ask.question.base.tree.clone();
    let mut reach = Reach::of(scene, &tree);
    let mut older: Option<State> = None;
    let mut suspects: Vec<Suspect> = Vec::new();
    let mut worked = Worked::No;
    for _ in 0..COMMITS {
        let Some(commit) = history.commit(&here) else { break };
        let Some(parent) = commit.parents.first().filter(|parent| history.commit(parent).is_some()).cloned() else {
            break;
        };
        let state = older.as_ref().unwrap_or(tip);
        if matches!(state, State::Broken(_)) || history.changed(&commit).iter().any(|path| reach.touches(path)) {
            let before = history.tree(&parent)?;
            let there = match scene.state(&before).await {
                Err(Stop::Refused(refusal)) if refusal.code == OVER => return Err(too_far(&refusal, &suspects).into()),
                other => other?,
            };
            reach.add(scene, &before);
            let after = std::mem::replace(&mut tree, before.clone());
            if scene.changed(&there, state) {
                let good = match &there {
                    State::Built(objects) => Some(objects.clone()),
                    State::Broken(_) => None,
                };
                suspects.push(Suspect { commit, before, after, good });
            }
            older = Some(there);
        }
        here = parent;
        worked = scene.worked(&here, older.as_ref().unwrap_or(tip));
        let enough = worked == Worked::Unknown && !suspects.is_empty() || suspects.len() > LISTED;
        if worked == Worked::Yes || enough {
            break;
        }
    }
    scene.judge(suspects, worked)
}

impl Scene<'_, '_> {
    /// Whether a commit changed what must be as it was.
    fn changed(&self, before: &State, after: &State) -> bool {
        match (before, after, self.object()) {
            (State::Built(_), State::Broken(_), None) => true,
            (_, _, None) => false,
            (State::Built(before), State::Built(after), Some(object)) => {
                match (find(before, &object), find(after, &object)) {
                    (Some(before), Some(after)) => !diff_objects(&object, before, after).is_empty(),
                    (before, after) => before.is_some() != after.is_some(),
                }
            }
            _ => true,
        }
    }

    fn worked(&self, id: &str, state: &State) -> Worked {
        let yes = |yes| if yes { Worked::Yes } else { Worked::No };
        match (self.ask.failing, state) {
            (Failing::Builds, state) => yes(matches!(state, State::Built(_))),
            (Failing::Applies { applied: Some(applied), .. }, _) => yes(id == applied),
            (Failing::Applies { .. } | Failing::Runs { change: None }, _) => Worked::Unknown,
            (Failing::Runs { change: Some(change) }, State::Built(objects)) => {
                yes(find(objects, &self.ask.question.intent.object).is_some_and(|object| is_as_it_was(object, change)))
            }
            (Failing::Runs { .. }, State::Broken(_)) => Worked::No,
        }
    }

    /// The only suspect, when what was there before it worked.
    fn judge(&self, mut suspects: Vec<Suspect>, worked: Worked) -> Result<Culprit, Stop> {
        let what = self.object().map_or_else(|| format!("`{}`", self.root.shown()), |object| object.qualified());
        if worked == Worked::No {
            let text = format!("no revision of {} that is here makes {what} as it worked", self.ask.question.branch);
            return Err(Refusal::new("no-commit", text, "a shallow clone has little history: git fetch --unshallow")
                .with_details(listed(&suspects))
                .into());
        }
        if suspects.len() > 1 {
            let text = format!("{} commits changed {what} since it worked", suspects.len());
            return Err(Refusal::new("several-commits", text, "take back what is wrong by hand: git revert")
                .with_details(listed(&suspects))
                .into());
        }
        let Some((suspect, good)) = suspects.pop().and_then(|mut one| one.good.take().map(|good| (one, good))) else {
            let text = format!("no commit changed {what} since it worked");
            return Err(Refusal::new("no-commit", text, "the cause is not in this folder").into());
        };
        let there = |object| find(&good, &object).is_some();
        if matches!(self.ask.failing, Failing::Runs { .. }) && !self.object().is_none_or(there) {
            let text = format!("{} is the one that made {what}: nothing worked before it", suspect.commit.shown());
            return Err(Refusal::new("no-commit", text, "change it by hand").into());
        }
        let mut reach = Reach::of(self, &suspect.after);
        reach.add(self, &suspect.before);
        let files = self.ask.history.changed(&suspect.commit).into_iter().filter(|path| reach.is_input(path)).collect();
        let review = match self.ask.failing {
            Failing::Runs { change: Some(Change { good: false, .. }) } => {
                vec!["the revision before is not known to have worked".to_owned()]
            }
            _ if worked == Worked::Unknown => vec![format!("nothing says that {what} worked before this commit")],
            _ => vec!["everything that the commit did to these files is taken back".to_owned()],
        };
        let Suspect { commit, before, after, .. } = suspect;
        Ok(Culprit { commit, before, after, files, good, review })
    }
}

fn listed(suspects: &[Suspect]) -> Vec<String> {
    suspects.iter().take(LISTED).map(|suspect| suspect.commit.shown()).collect()
}

fn too_far(refusal: &Refusal, suspects: &[Suspect]) -> Refusal {
    let text = "the revision that worked was not found within the renders and the time of one search";
    Refusal::new(refusal.code, text, "take the commit back by hand: git revert").with_details(listed(suspects))
}

/// Whether a render has the values of the revision that worked, in every field that Git sets.
fn is_as_it_was(object: &Value, change: &Change) -> bool {
    let mut agrees = false;
    for field in &change.fields {
        if field.old.as_ref().is_some_and(|old| crate::redact::is_masked(&old.to_string())) {
            continue;
        }
        match (field.path.get(object), &field.old) {
            (Some(rendered), Some(old)) if same_value(&field.path, rendered, Some(old)) => agrees = true,
            (Some(_), _) => return false,
            // What is new since then is rightly absent; what Git leaves to defaults tells nothing.
            (None, None) => agrees = true,
            (None, Some(_)) => {}
        }
    }
    agrees
}

/// The files that a folder has been made of, at the revisions that were seen.
struct Reach {
    inputs: Vec<Inputs>,
    root: String,
}

impl Reach {
    fn of(scene: &Scene<'_, '_>, tree: &Tree) -> Self {
        Self { inputs: vec![Inputs::reach(tree, &scene.root_of(tree)).0], root: scene.root.path.clone() }
    }

    fn add(&mut self, scene: &Scene<'_, '_>, tree: &Tree) {
        let inputs = Inputs::reach(tree, &scene.root_of(tree)).0;
        if !self.inputs.iter().any(|known| known.files == inputs.files && known.folders == inputs.folders) {
            self.inputs.push(inputs);
        }
    }

    /// Whether a file may be a part of the folder, also one that was there before or is missing.
    fn touches(&self, path: &str) -> bool {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let below = self.root.is_empty() || path.strip_prefix(&self.root).is_some_and(|rest| rest.starts_with('/'));
        below || self.is_input(path) || self.inputs.iter().any(|inputs| inputs.folders.contains(folder))
    }

    /// Whether a file was read.
    fn is_input(&self, path: &str) -> bool {
        self.inputs.iter().any(|inputs| inputs.files.contains_key(path))
    }
}
