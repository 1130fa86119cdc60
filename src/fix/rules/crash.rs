//! Programs that fail: what changed, variables that lack.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::{judge, name_of};
use super::super::history;
use crate::model::intent::Intent;
use crate::model::refusal::Refusal;
use serde_json::Value;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("crash-app-error", app_error), ("crash-env-missing", env_missing)];

fn app_error(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let code = case.fact("exitCode").map(ToString::to_string).unwrap_or_default();
    let container = case.name();
    let hint = "read its log: the last error line is in the evidence";
    let Some(change) = &case.finding.change else {
        let message = format!("container {container} ends with exit code {code}, and no earlier revision differs");
        return Err(judge(message, hint));
    };
    if change.fields.len() > 1 {
        let message = format!(
            "{} fields changed since revision {}, any of them may be the cause",
            change.fields.len(),
            change.from
        );
        // A program that ran well with all of them is not broken by any.
        let mut choices = if case.is("worked") { Vec::new() } else { history::each(case) };
        choices.truncate(super::CHOICES);
        return Err(case.ask(message, hint, choices).with_details(history::changes(case)));
    }
    let Some(mut revert) = history::revert(case, |_| true)? else {
        return Err(judge("nothing changed that an edit could put back", hint));
    };
    revert.review.push("the change came before the failure; that it caused it is not proved".to_owned());
    let field = revert.edits.first().map(|edit| name_of(&edit.path)).unwrap_or_default();
    let subject = format!("Put back {field} of container {container}");
    let why = format!(
        "container {container} ends with exit code {code}; {field} is all that changed since revision {}",
        revert.from
    );
    Ok(vec![case.intent(subject, why, revert.edits, revert.review)])
}

/// A variable that the program needs: it was there before, or one with a close name holds its value.
fn env_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let wanted = case.text("missing");
    let here = case.container_path();
    let path = here.field("env").item(wanted);
    if case.at(&path).is_some() {
        return Err(judge(format!("{wanted} is set, and the program does not accept it"), "look at its value"));
    }
    let why = format!("container {} needs variable {wanted}", case.name());
    if let Some(found) = history::put_back(case, &why, |changed| changed.starts_with(&path))? {
        return Ok(found);
    }
    let container = case.container()?;
    let names: Vec<&str> = container.env.iter().map(|variable| variable.name.as_str()).collect();
    let by_map = container.env_from.iter().any(|source| gives(case, source, wanted));
    let near = only_close(wanted, &names, &[]).filter(|_| !by_map && !case.is("worked"));
    let hint = "set it, or take it from where its value lives";
    let Some(near) = near else { return Err(judge(format!("{why}, and nothing here has its value"), hint)) };
    let Some(mut entry) = case.at(&here.field("env").item(near)).cloned() else { return Err(judge(why, hint)) };
    // A value that was masked on the way here is not the value.
    if crate::redact::is_masked(&entry.to_string()) {
        return Err(judge(format!("{why}; {near} is close, and its value is a secret"), "name it by hand"));
    }
    if let Some(name) = entry.get_mut("name") {
        *name = Value::String(wanted.to_owned());
    }
    let edits = vec![case.set(path, entry)];
    let review = vec![format!("{near} stays; whether it is the same value is a guess by its name")];
    let why = format!("{why}, which is set nowhere; {near} is the only one with a name as close");
    Ok(vec![case.intent(format!("Set {wanted} to the value of {near}"), why, edits, review)])
}

/// Whether a source of `envFrom` may set this variable.
fn gives(case: &Case<'_>, source: &Value, variable: &str) -> bool {
    let prefix = source.get("prefix").and_then(Value::as_str).unwrap_or_default();
    let Some(key) = variable.strip_prefix(prefix) else { return false };
    let namespace = case.finding.object.namespace();
    let Some(name) = source.pointer("/configMapRef/name").and_then(Value::as_str) else { return true };
    let mut maps = case.snapshot.config_maps.iter().filter(|map| map.metadata.namespace == namespace);
    maps.find(|map| map.metadata.name == name).and_then(|map| map.keys.as_ref()).is_none_or(|keys| keys.contains(key))
}
