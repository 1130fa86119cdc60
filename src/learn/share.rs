//! How often recorded fixes were right.

use super::{Record, lessons, text};
use crate::model::lesson::Outcome;
use crate::model::record::Phase;
use serde::Serialize;
use std::collections::BTreeMap;

/// What came of the records of one author about one failure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// `rule`, `model`, `person`, or `none` where nothing safe was found.
    pub author: String,
    pub code: String,
    pub records: usize,
    /// Accepted, healed or merged.
    pub right: usize,
    /// Merged with other values.
    pub changed: usize,
    /// Rejected, reverted, closed, or it did not heal.
    pub wrong: usize,
    /// Refused: nobody was asked to take it.
    pub refused: usize,
    /// Not pushed, or not known how it ended.
    pub open: usize,
}

/// One row for each author and failure.
pub fn shares(records: &[Record]) -> Vec<Share> {
    let mut rows: BTreeMap<(String, String), Share> = BTreeMap::new();
    for record in records {
        let Some(first) = record.iter().find(|entry| matches!(entry.phase, Phase::Proposed | Phase::Refused)) else {
            continue;
        };
        let author = match text(&first.body, "/proposedFix/intent/author") {
            "" => "none",
            author => author,
        };
        let code = text(&first.body, "/failure/code");
        let row = rows.entry((author.to_owned(), code.to_owned())).or_default();
        (row.author, row.code) = (author.to_owned(), code.to_owned());
        row.records += 1;
        let known = lessons(std::slice::from_ref(record));
        match (first.phase, known.all.first().map(|lesson| lesson.outcome)) {
            (Phase::Refused, _) => row.refused += 1,
            (_, None) => row.open += 1,
            (_, Some(Outcome::Changed)) => row.changed += 1,
            (_, Some(outcome)) if outcome.weight() > 0 => row.right += 1,
            (_, Some(_)) => row.wrong += 1,
        }
    }
    rows.into_values().collect()
}
