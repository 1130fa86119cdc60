//! Putting back what an earlier revision had.

use super::case::Case;
use super::facts::name_of;
use super::refusal;
use super::weigh::{self, Weighed};
use crate::model::finding::FieldChange;
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::text;

/// Fields to put back, and why a person should look.
pub(crate) struct Revert {
    pub edits: Vec<FieldEdit>,
    pub review: Vec<String>,
    /// The revision it comes from.
    pub from: String,
    pub good: bool,
}

/// Reverts the changed fields that `names` says the code is about, and only those.
/// `Ok(None)`: history says nothing about these fields.
///
/// # Errors
/// When the earlier revision never proved to work and more than these fields changed,
/// or when the value worked in the current revision too.
pub(crate) fn revert(case: &Case<'_>, names: impl Fn(&Path) -> bool) -> Result<Option<Revert>, Refusal> {
    let Some(change) = &case.finding.change else { return Ok(None) };
    let (named, left): (Vec<&FieldChange>, Vec<&FieldChange>) =
        change.fields.iter().partition(|field| names(&field.path));
    if named.is_empty() {
        return Ok(None);
    }
    if case.is("worked") {
        return Err(worked(case));
    }
    let edits = edits(case, &named)?;
    if !change.good && change.fields.len() > 1 {
        let count = change.fields.len();
        let message = format!("revision {} is not known to have worked, and {count} fields changed since", change.from);
        let back = case.intent(subject(case, &edits), format!("revision {} had it", change.from), edits, Vec::new());
        let refusal = case.ask(message, "put back what the code is about, or more by hand", vec![back]);
        return Err(refusal.with_details(change.fields.iter().map(show).collect()));
    }
    let mut review = Vec::new();
    if !change.good {
        review.push(format!("revision {} has no ready pods now: it is not known to have worked", change.from));
    }
    if !left.is_empty() {
        let fields = left.iter().map(|field| show(field)).collect::<Vec<_>>().join("; ");
        let others = text::count(left.len(), "other change");
        review.push(format!("{others} since revision {} left alone: {}", change.from, text::clip(&fields, 300)));
    }
    Ok(Some(Revert { edits, review, from: change.from.clone(), good: change.good }))
}

/// The same as a fix; `why` is what is wrong now.
///
/// # Errors
/// As [`revert`].
pub(crate) fn put_back(
    case: &Case<'_>,
    why: &str,
    names: impl Fn(&Path) -> bool,
) -> Result<Option<Vec<Intent>>, Refusal> {
    let Some(back) = revert(case, names)? else { return Ok(None) };
    let worked = if back.good { ", whose pods are ready, has what is put back" } else { " had what is put back" };
    let why = format!("{why}; revision {}{worked}", back.from);
    Ok(Some(vec![case.intent(subject(case, &back.edits), why, back.edits, back.review)]))
}

/// Each changed field put back by itself, for a person to choose among: what the error names comes first.
pub(crate) fn each(case: &Case<'_>) -> Vec<Intent> {
    let Some(change) = &case.finding.change else { return Vec::new() };
    let one = |weighed: Weighed<'_>| {
        // What holds a secret, or changed since, is none to choose.
        let edits = edits(case, &[weighed.field]).ok()?;
        let named = weighed.named.map(|word| format!("; the error names {word}")).unwrap_or_default();
        let why = format!("revision {} had it{named}", change.from);
        Some(case.intent(subject(case, &edits), why, edits, Vec::new()))
    };
    weigh::by_evidence(case.finding).into_iter().filter_map(one).collect()
}

/// `Put back args and image of container app`.
fn subject(case: &Case<'_>, edits: &[FieldEdit]) -> String {
    let mut names: Vec<String> = edits.iter().map(|edit| name_of(&edit.path)).collect();
    names.sort();
    names.dedup();
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let here = case.container_path();
    match case.finding.container.as_deref().filter(|_| edits.iter().all(|edit| edit.path.starts_with(&here))) {
        Some(container) => format!("Put back {}{more} of container {container}", text::and(&names)),
        None => format!("Put back {}{more}", text::and(&names)),
    }
}

fn edits(case: &Case<'_>, named: &[&FieldChange]) -> Result<Vec<FieldEdit>, Refusal> {
    let mut edits = Vec::new();
    for field in named {
        let hidden = |value: &serde_json::Value| crate::redact::is_masked(&value.to_string());
        if field.old.iter().chain(&field.new).any(hidden) {
            let message = format!("{} holds a secret, which is never put back by rule", field.path);
            return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, message, "put it back by hand"));
        }
        match &field.new {
            Some(now) => case.expect(&field.path, now)?,
            None if case.at(&field.path).is_some() => {
                let message = format!("{} of {} has changed since", field.path, case.finding.object);
                return Err(Refusal::new(refusal::DRIFTED, message, "scan again"));
            }
            None => {}
        }
        let op = match (&field.new, &field.old) {
            (None, _) => Op::Add,
            (_, None) => Op::Remove,
            _ => Op::Set,
        };
        edits.push(FieldEdit { path: field.path.clone(), op, old: field.new.clone(), new: field.old.clone() });
    }
    Ok(edits)
}

/// `path: old -> new` of each field that changed.
pub(crate) fn changes(case: &Case<'_>) -> Vec<String> {
    case.finding.change.iter().flat_map(|change| &change.fields).map(show).collect()
}

fn show(field: &FieldChange) -> String {
    let value = |value: &Option<serde_json::Value>| value.as_ref().map_or("absent".to_owned(), ToString::to_string);
    format!("{}: {} -> {}", field.path, value(&field.old), value(&field.new))
}

/// The refusal for a value that worked: then it is no typo, something else changed.
pub(crate) fn worked(case: &Case<'_>) -> Refusal {
    let message = format!("{} worked before with this value, so something else changed", case.finding.object);
    let details = vec!["put back what was deleted".to_owned(), "change the reference".to_owned()];
    Refusal::new(refusal::NEEDS_CHOICE, message, "look for what was deleted or changed since").with_details(details)
}
