//! What is told of a place: policies, guidance, the past.

use super::Session;
use super::audit::Records;
use super::propose_place::Place;
use crate::learn::{self, Record};
use crate::llm::Counsel;
use crate::model::finding::Finding;
use crate::redact;
use crate::settings::environment;
use jiff::SignedDuration;

/// Where a repository says how it wants changes to be; read from the base branch.
const GUIDANCE: &str = ".aifix/guidance.md";

/// A change that was made twice within it and did not last is not made again.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Records that are looked through, the newest.
const RECORDS: usize = 1_000;

/// The records that lessons come from. Those that can't be read are none: they only order and give examples.
pub(super) fn records(session: &Session) -> Vec<Record> {
    let read = || {
        let store = Records::of(session).ok()?.open().ok()??;
        store.latest(RECORDS).ok()
    };
    read().unwrap_or_default()
}

/// Tells the place what records teach: lessons, and what was tried within the last week. Gives the records.
pub(super) fn teach(place: &mut Place, session: &Session) -> Vec<Record> {
    let records = records(session);
    place.lessons = learn::lessons(&records);
    place.tried = learn::tried(&records, environment::now() - WEEK);
    records
}

/// Everything that bounds a change about this finding here.
pub(super) fn gather(finding: &Finding, place: &Place, records: &[Record]) -> Counsel {
    let mut policies: Vec<_> = place.policies.policies().collect();
    // The user's own come after ours, and are said first.
    policies.reverse();
    let demands = policies.iter().filter(|file| file.text.lines().any(|line| line.starts_with("deny")));
    let titles = demands.map(|file| file.metadata().title).filter(|title| !title.is_empty());
    let guidance = place.base_tree.text(GUIDANCE).unwrap_or_default();
    let mut examples = learn::examples(records, finding.code.name());
    examples.truncate(crate::llm::EXAMPLES);
    Counsel {
        policies: titles.map(|title| redact::text(&title)).collect(),
        accepted: examples.iter().map(|line| redact::text(line)).collect(),
        guidance: redact::text(guidance).as_str().lines().map(redact::text).collect(),
    }
}
