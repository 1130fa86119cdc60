//! From the live object to its line in Git, proved.
//!
//! Labels lead to a folder at best; nothing writes down which line made a field. So the renderer
//! is the map: change one scalar in a scratch copy, render, compare. The story of [`locate()`]:
//! trace the folder that reproduces the running object, find the place that makes the field,
//! change it, render once more, and let it out only if nothing but the asked field changed.

mod accept;
mod blame;
mod blast;
mod claims;
mod draft;
mod draft_values;
mod filled;
mod guards;
mod history;
mod laid;
pub mod lead;
mod lines;
pub mod locate;
mod next;
mod overlay;
mod point;
mod programs;
mod prove;
mod releases;
mod remote;
mod revert;
mod scaler;
mod search;
mod trace;
mod unseen;
mod writers;

pub use crate::render::{Stop, Tools};
pub use blame::blame;
pub use claims::claims;
pub use filled::{Maps, Reading};
pub use history::History;
pub use lines::Lines;
pub use next::{next, next_by};
pub use point::{Pointed, point};
pub use revert::{Ask, Failing, Reverted, revert};

use crate::model::intent::Intent;
use crate::model::proposal::{Edit, FileChange, ObjectChange, Origin, Proof};
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use crate::schema::Describe;
use serde_json::Value;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// A revision of the repository.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The commit's id.
    pub revision: &'a str,
    pub tree: &'a Tree,
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The tip of the base branch: what is edited.
    pub base: Candidate<'a>,
    /// Further revisions that may be what runs; they only prove the mapping.
    pub deployed: &'a [Candidate<'a>],
    /// `--path`: the folder that a person named.
    pub path: Option<&'a str>,
    /// `--values`: the values files that a person named, the last wins.
    pub values: &'a [String],
    /// What the controllers' objects say of the live one.
    pub found: &'a lead::Found,
    /// The whole live object in the API's shape, with managedFields when they are known.
    pub live: &'a Value,
    pub intent: &'a Intent,
    /// Who says which fields a kind has.
    pub fields: &'a dyn Describe,
    /// Who reads the ConfigMaps whose values a controller fills in.
    pub maps: &'a dyn Maps,
    /// `--choose N`, from 1: the answer to an earlier `ambiguous`.
    pub choose: Option<usize>,
    /// `--allow-shared`: files that other roots use may be edited.
    pub allow_shared: bool,
    /// The repository as it is shown, without credentials.
    pub repo: &'a str,
    /// The base branch.
    pub branch: &'a str,
    pub tools: &'a Tools,
}

/// A proved edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    pub origin: Origin,
    pub edits: Vec<Edit>,
    pub files: Vec<FileChange>,
    /// Every object of the render that differs, whole.
    pub objects: Vec<ObjectChange>,
    pub proof: Proof,
    /// Why a person must look, one line each; empty when nothing but the intent changes.
    pub review: Vec<String>,
}

/// Finds the place in Git that makes the intent's fields, changes it and proves the change.
///
/// # Errors
/// A [`Refusal`] with its code when no edit could be proved; an error when the machine failed.
pub async fn locate(question: &Question<'_>) -> Result<Located, Stop> {
    guards::refuse_object(&question.intent.object, question.live)?;
    guards::refuse_updated(question.found, question.intent)?;
    let budget = Budget::new();
    let traced = search::trace(question, &budget).await?;
    let mut draft = draft::Draft::new(question, &traced, &budget).await?;
    trace::check_targets(question, &traced)?;
    for edit in &question.intent.edits {
        draft.place(edit).await?;
    }
    prove::prove(question, draft).await
}

/// Renders that find the place at most, and the time for all.
const PROBES: usize = 64;
const TIME: Duration = Duration::from_secs(60);

/// The code of a search that is over.
const OVER: &str = "probe-budget";

/// Counts renders.
#[derive(Debug)]
struct Budget {
    renders: AtomicUsize,
    probes: AtomicUsize,
    ends: Instant,
}

impl Budget {
    fn new() -> Self {
        Self { renders: AtomicUsize::new(0), probes: AtomicUsize::new(0), ends: Instant::now() + TIME }
    }

    /// Counts a render that had to be made.
    fn render(&self) {
        self.renders.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends a search that takes too long, before a walk or a render.
    fn time(&self) -> Result<(), Refusal> {
        if Instant::now() >= self.ends {
            let text = format!("the folder that makes the object was not found within {} s", TIME.as_secs());
            return Err(Refusal::new(OVER, text, "name a smaller folder: --path DIR"));
        }
        Ok(())
    }

    /// Counts a render that looks for the place.
    fn probe(&self) -> Result<(), Refusal> {
        self.render();
        let probes = self.probes.fetch_add(1, Ordering::Relaxed) + 1;
        if probes > PROBES || Instant::now() >= self.ends {
            let text = format!("the place was not found with {PROBES} renders within {} s", TIME.as_secs());
            return Err(Refusal::new(OVER, text, "name a smaller folder: --path DIR"));
        }
        Ok(())
    }

    fn renders(&self) -> usize {
        self.renders.load(Ordering::Relaxed)
    }
}

/// `3f2a91c`: a commit as people read it.
fn short(revision: &str) -> &str {
    revision.get(..7).unwrap_or(revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_takes_too_long_ends() {
        let budget = Budget { ends: Instant::now(), ..Budget::new() };
        assert_eq!(budget.time().map_err(|refusal| refusal.code), Err("probe-budget"));
        assert_eq!(Budget::new().time(), Ok(()));
    }

    #[test]
    fn the_search_ends_after_its_last_probe() {
        let budget = Budget::new();
        assert!((0..PROBES).all(|_| budget.probe().is_ok()));
        assert_eq!(budget.probe().map_err(|refusal| refusal.code), Err("probe-budget"));
        assert_eq!(budget.renders(), PROBES + 1);
    }
}
