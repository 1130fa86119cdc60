//! Commands that do not exist and programs that fail.

use super::super::case::Case;
use super::super::{history, refusal};
use crate::model::intent::Intent;
use crate::model::path::{Path, Step};
use crate::model::refusal::Refusal;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] =
    &[("command-not-found", command_not_found), ("crash-app-error", app_error)];

fn command_not_found(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let program = case.text("program");
    let here = case.container_path();
    let container = case.finding.container.as_deref().unwrap_or_default();
    if program.contains(char::is_whitespace) {
        let message = format!("`{program}` is a shell line in one word, and no shell reads it");
        let details = vec![
            format!("[\"sh\", \"-c\", {program:?}], if the image has a shell"),
            "each word an element of its own".to_owned(),
        ];
        return Err(
            Refusal::new(refusal::NEEDS_CHOICE, message, "split it, or wrap it in a shell").with_details(details)
        );
    }
    let (image, command, args) = (here.field("image"), here.field("command"), here.field("args"));
    let is_command = |path: &Path| path.starts_with(&command) || path.starts_with(&args);
    let changed = |is_it: &dyn Fn(&Path) -> bool| {
        case.finding.change.as_ref().is_some_and(|change| change.fields.iter().any(|field| is_it(&field.path)))
    };
    if changed(&|path| *path == image) {
        let message = format!("the image of container {container} changed and may lack {program}");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "put back the image, or name a command that it has")
            .with_details(changes(case)));
    }
    if let Some(revert) = history::revert(case, is_command)? {
        let subject = format!("Put back the command of container {container}");
        let why =
            format!("{program} is not in the image; revision {} runs the same image with another command", revert.from);
        return Ok(vec![case.intent(subject, why, revert.edits, revert.review)]);
    }
    let message = format!("the image does not have {program}, and no earlier revision says what it should run");
    Err(Refusal::new(refusal::NEEDS_JUDGEMENT, message, "look what the image has, or leave command unset"))
}

fn app_error(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let code = case.fact("exitCode").map(ToString::to_string).unwrap_or_default();
    let container = case.finding.container.as_deref().unwrap_or_default();
    let hint = "read its log: the last error line is in the evidence";
    let Some(change) = &case.finding.change else {
        let message = format!("container {container} ends with exit code {code}, and no earlier revision differs");
        return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, message, hint));
    };
    if change.fields.len() > 1 {
        let message = format!(
            "{} fields changed since revision {}, any of them may be the cause",
            change.fields.len(),
            change.from
        );
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint).with_details(changes(case)));
    }
    let Some(mut revert) = history::revert(case, |_| true)? else {
        return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, "nothing changed that an edit could put back", hint));
    };
    revert.review.push("the change came before the failure; that it caused it is not proved".to_owned());
    let field = revert.edits.first().and_then(|edit| name_of(&edit.path)).unwrap_or_default();
    let subject = format!("Put back {field} of container {container}");
    let why = format!(
        "container {container} ends with exit code {code}; {field} is all that changed since revision {}",
        revert.from
    );
    Ok(vec![case.intent(subject, why, revert.edits, revert.review)])
}

fn changes(case: &Case<'_>) -> Vec<String> {
    let shown = |value: &Option<serde_json::Value>| value.as_ref().map_or("absent".to_owned(), ToString::to_string);
    let fields = case.finding.change.iter().flat_map(|change| &change.fields);
    fields.map(|field| format!("{}: {} -> {}", field.path, shown(&field.old), shown(&field.new))).collect()
}

/// What people call a field: its last name, and the variable it belongs to.
fn name_of(path: &Path) -> Option<String> {
    path.0.iter().rev().find_map(|step| match step {
        Step::Field(name) if name != "value" => Some(name.clone()),
        Step::Item { value, .. } => Some(value.clone()),
        _ => None,
    })
}
