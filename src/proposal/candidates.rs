//! Which changes are tried, and in which order. No I/O.

use super::Ground;
use crate::error::Error;
use crate::fix;
use crate::model::finding::Finding;
use crate::model::intent::Intent;
use crate::model::lesson::{Lessons, Tried, tried_before};
use crate::model::refusal::Refusal;
use crate::source;
use crate::text;

/// The rules' candidates, or their choices, those that earlier fixes speak for first.
pub(super) fn ranked(finding: &Finding, ground: &Ground<'_>) -> Result<Vec<Intent>, Refusal> {
    let code = finding.code.name();
    match fix::candidates(ground.snapshot, finding) {
        Ok(intents) => Ok(ground.lessons.order(code, untried(code, intents, ground.tried)?)),
        Err(mut refusal) => {
            if let Some(intent) = close_folder(finding, ground) {
                return untried(code, vec![intent], ground.tried);
            }
            refusal.choices = ground.lessons.order(code, refusal.choices);
            let known = refusal.choices.iter().filter_map(|choice| {
                let reason = ground.lessons.reason(code, choice)?;
                Some(format!("{}: {reason}", choice.subject))
            });
            refusal.details.extend(known.collect::<Vec<_>>());
            Err(refusal)
        }
    }
}

/// The folder that a controller should name, of the repository that it reads.
fn close_folder(finding: &Finding, ground: &Ground<'_>) -> Option<Intent> {
    let lead = source::lead::of_controller(ground.snapshot, &finding.object).ok()?.lead?;
    lead.check(ground.repo_identity, ground.base_branch, ground.based).ok()?;
    let folders: Vec<&str> = ground.base_tree.folders().into_iter().collect();
    fix::close_folder(ground.snapshot, finding, &folders)
}

/// How often a rule may change the same field of an object within the days of [`Ground::tried`].
const TRIES: usize = 2;

/// The candidates without those that were made twice already and did not last.
fn untried(code: &str, intents: Vec<Intent>, tried: &[Tried]) -> Result<Vec<Intent>, Refusal> {
    let (worn, left): (Vec<Intent>, Vec<Intent>) =
        intents.into_iter().partition(|intent| tried_before(tried, code, intent).len() >= TRIES);
    match worn.first() {
        Some(first) if left.is_empty() => {
            let records = tried_before(tried, code, first);
            let message = format!("the same was changed {} times within 7 days, and it failed again", records.len());
            let hint = "look for what lies beneath, or give the change yourself: --intent FILE";
            let details = records.iter().map(|record| format!("aifix audit show {record}")).collect();
            Err(Refusal::new(fix::refusal::NEEDS_JUDGEMENT, message, hint).with_details(details))
        }
        _ => Ok(left),
    }
}

/// Candidates that stood first by rule and were put behind.
pub(super) fn overtaken(finding: &Finding, prepared: &[Intent], ground: &Ground<'_>) -> Vec<Intent> {
    let by_rule = fix::candidates(ground.snapshot, finding).unwrap_or_default();
    let first = prepared.first();
    by_rule.into_iter().take_while(|intent| Some(intent) != first).collect()
}

/// What the past says of the proposed change, and of those that it was put before.
pub(super) fn taught(finding: &Finding, intent: &Intent, behind: &[Intent], lessons: &Lessons) -> Vec<String> {
    let code = finding.code.name();
    let own = lessons.reason(code, intent);
    let others = behind.iter().filter(|other| *other != intent).filter_map(|other| {
        let reason = lessons.reason(code, other)?;
        Some(format!("put before \"{}\"; {reason}", other.subject))
    });
    own.into_iter().chain(others).collect()
}

pub(super) fn out_of_range(finding: &Finding, number: usize, refusal: &Refusal) -> Error {
    let count = text::count(refusal.choices.len(), "change");
    Error::usage(format!("--choose {number}: there are {count} to choose from for {}", finding.object))
        .hint("run it without --choose to see them")
}

/// The first refusal, with those of later candidates as details.
pub(super) fn first_of(refusals: Vec<Refusal>) -> Refusal {
    let mut refusals = refusals.into_iter();
    let Some(mut first) = refusals.next() else {
        return Refusal::new(
            "needs-judgement",
            "no rule decides a fix from the facts",
            "read the evidence: aifix scan --all",
        );
    };
    for other in refusals {
        first.hear(&other);
        if !first.details.iter().any(|detail| detail.contains(&other.message)) && other != first {
            first.details.push(format!("another candidate: {} ({})", other.message, other.code));
        }
    }
    first
}
