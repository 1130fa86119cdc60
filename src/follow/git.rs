//! Whether the base branch has the change, and kept it.

use super::content::{Difference, Reading};
use crate::model::history::Commit;

/// One commit of the base branch that touched what the change is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    pub commit: Commit,
    /// How the places stand after it.
    pub reading: Reading,
    /// The pushed commit is in its history.
    pub contains: bool,
    /// Its message names our record.
    pub named: bool,
}

/// What Git tells.
#[derive(Debug, Clone, PartialEq)]
pub struct GitFacts {
    pub base_branch: String,
    /// The newest commit of the base branch.
    pub tip: String,
    /// Commits of the base branch since the proposal that touched its files, oldest first.
    pub moments: Vec<Moment>,
    /// Whether the history was seen back to where the proposal stands.
    pub whole: bool,
    /// The commit that the pushed branch has now; `None`: there is no such branch.
    pub branch: Option<String>,
}

/// What the base branch did with the change.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate<'g> {
    /// It is not in it.
    Out,
    In(Merged<'g>),
}

/// How the change came in, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Merged<'g> {
    pub(super) at: &'g Moment,
    pub(super) how: How,
    /// Where the merge differs from the proposal.
    pub(super) changes: &'g [Difference],
    /// The later commit that took it back.
    pub(super) reverted: Option<&'g Commit>,
    /// The later commit that gave the places other values.
    pub(super) superseded: Option<&'g Commit>,
}

/// By what the change was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The pushed commit is in the history.
    Merge,
    /// Another commit names the record: a squash or a rebase.
    Named,
    /// The forge says which commit the merge is.
    Told,
    /// Another commit made the same change.
    Same,
}

impl How {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Merge => "the pushed commit is in it",
            Self::Named => "another commit names the record: squashed or rebased",
            Self::Told => "the forge names the commit",
            Self::Same => "another commit made the same change",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Named | Self::Told => "squash",
            Self::Same => "same-change",
        }
    }
}

impl GitFacts {
    /// What became of the change; `merged` is the merge commit that the forge names.
    pub(super) fn fate(&self, merged: Option<&str>) -> Fate<'_> {
        let how = |moment: &Moment| {
            // Whatever a commit says of itself: without the change it brought none.
            if moment.reading == Reading::Before {
                None
            } else if moment.contains {
                Some(How::Merge)
            } else if moment.named {
                Some(How::Named)
            } else if merged == Some(moment.commit.id.as_str()) {
                Some(How::Told)
            } else {
                (moment.reading == Reading::Proposed).then_some(How::Same)
            }
        };
        let found = self.moments.iter().enumerate().find_map(|(at, moment)| Some((at, moment, how(moment)?)));
        let Some((at, moment, how)) = found else { return Fate::Out };
        let changes = match &moment.reading {
            Reading::Other(changes) => changes.as_slice(),
            _ => &[],
        };
        let mut fate = Merged { at: moment, how, changes, reverted: None, superseded: None };
        for later in &self.moments[at + 1..] {
            match &later.reading {
                Reading::Before => (fate.reverted, fate.superseded) = (Some(&later.commit), None),
                Reading::Proposed => (fate.reverted, fate.superseded) = (None, None),
                reading if *reading != moment.reading => {
                    (fate.reverted, fate.superseded) = (None, Some(&later.commit));
                }
                _ => {}
            }
        }
        Fate::In(fate)
    }
}
