//! Putting back what an earlier revision had.

use super::case::Case;
use super::refusal;
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
    let count = change.fields.len();
    let show = |field: &&FieldChange| {
        let value = |value: &Option<serde_json::Value>| value.as_ref().map_or("absent".to_owned(), ToString::to_string);
        format!("{}: {} -> {}", field.path, value(&field.old), value(&field.new))
    };
    if !change.good && count > 1 {
        let message = format!("revision {} is not known to have worked, and {count} fields changed since", change.from);
        let details = change.fields.iter().map(|field| show(&field)).collect();
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "choose what to put back").with_details(details));
    }
    let mut review = Vec::new();
    if !change.good {
        review.push(format!("revision {} has no ready pods now: it is not known to have worked", change.from));
    }
    if !left.is_empty() {
        let fields = left.iter().map(show).collect::<Vec<_>>().join("; ");
        let others = text::count(left.len(), "other change");
        review.push(format!("{others} since revision {} left alone: {}", change.from, text::clip(&fields, 300)));
    }
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
    Ok(Some(Revert { edits, review, from: change.from.clone(), good: change.good }))
}

/// The intent that puts back the changed fields that `names` says the code is about; `None` as for [`revert`].
///
/// # Errors
/// As for [`revert`].
pub(crate) fn put_back(
    case: &Case<'_>,
    names: impl Fn(&Path) -> bool,
    what: &str,
    because: &str,
) -> Result<Option<Vec<Intent>>, Refusal> {
    Ok(revert(case, names)?.map(|revert| {
        let had = if revert.good { "whose pods are ready, had another" } else { "which came before, had another" };
        let why = format!("{because}; revision {}, {had}", revert.from);
        vec![case.intent(format!("Put back {what}"), why, revert.edits, revert.review)]
    }))
}

/// The refusal for a value that worked: then it is no typo, something else changed.
pub(crate) fn worked(case: &Case<'_>) -> Refusal {
    let message = format!("{} worked before with this value, so something else changed", case.finding.object);
    let details = vec!["put back what was deleted".to_owned(), "change the reference".to_owned()];
    Refusal::new(refusal::NEEDS_CHOICE, message, "look for what was deleted or changed since").with_details(details)
}
