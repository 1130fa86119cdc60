//! Variables that can't mean what they say.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::{drifted, judge, text_of};
use super::super::refusal;
use crate::model::intent::Intent;
use crate::model::refusal::Refusal;
use crate::redact;
use crate::text;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] =
    &[("config-url-typo", url), ("env-dollar-eaten", dollar), ("env-duplicate", duplicate), ("env-ref-order", order)];

fn url(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (host, variable) = (case.text("host"), case.text("variable"));
    let path = case.container_path().field("env").item(variable).field("value");
    let now = case.at(&path).and_then(Value::as_str).unwrap_or_default();
    let Some((before, after)) = now.split_once("://") else {
        return Err(Refusal::new(refusal::DRIFTED, format!("{variable} has changed"), "scan again"));
    };
    if after.split('/').next().unwrap_or_default().contains('@') || redact::is_secret_variable(variable) {
        let message = format!("{variable} holds a credential beside host {host}");
        return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, message, "correct the host by hand"));
    }
    let namespace = case.text("namespace");
    let services = case.snapshot.kind("Service").iter().filter(|one| one.metadata.namespace == namespace);
    let names: Vec<&str> = services.map(|one| one.metadata.name.as_str()).collect();
    let take = |name: &str, review: Vec<String>| {
        let new = format!("{before}://{}", after.replacen(host, name, 1));
        let why = format!("no Service is named {host}, and {variable} names it");
        case.intent(
            format!("Name host {name} instead of {host}"),
            why,
            vec![case.set(path.clone(), json!(new))],
            review,
        )
    };
    if let Some(name) = only_close(host, &names, &[]).filter(|_| !case.is("worked")) {
        return Ok(vec![take(name, vec![format!("{name} is the only Service with a name as close")])]);
    }
    let mut near = names;
    near.sort_by_key(|name| (text::distance(host, name), *name));
    let choices = near.into_iter().take(5).map(|name| take(name, Vec::new())).collect();
    Err(case.ask(case.finding.summary.clone(), "name a Service that exists", choices))
}

/// A variable that is not set, where the container has one of a close name.
fn dollar(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let (field, leftover) = (case.text("field"), case.text("leftover"));
    let path =
        case.container_path().field(field).index(case.int("index").and_then(|at| at.try_into().ok()).unwrap_or(0));
    let word = case.at(&path).and_then(Value::as_str).unwrap_or_default();
    if !word.contains(leftover) {
        return Err(drifted(format!("{path} of {} no longer has {leftover}", case.target)));
    }
    let Some(name) = leftover.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')')) else {
        let message = format!("`$$` in {field} of container {} is one `$` to the program", case.name());
        return Err(judge(message, "write four where the program must see two; a shell's own number is no use here"));
    };
    let container = case.container()?;
    let names: Vec<&str> = container.env.iter().map(|variable| variable.name.as_str()).collect();
    let near = only_close(name, &names, &[]).filter(|_| !redact::is_masked(word));
    let Some(near) = near else {
        let message = format!("container {} has no variable {name}, nor one with a name as close", case.name());
        return Err(judge(message, "set the variable, or write what the program should get"));
    };
    let why = format!("{leftover} stays as text, because {name} is set nowhere");
    let edits = vec![case.set(path, json!(word.replace(leftover, &format!("$({near})"))))];
    let review = vec![format!("{near} is the only variable of the container with a name as close")];
    Ok(vec![case.intent(format!("Name variable {near} instead of {name}"), why, edits, review)])
}

/// The definition moves before its use.
fn order(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (variable, uses) = (case.text("variable"), case.text("uses"));
    let path = case.container_path().field("env");
    let mut list = case.at(&path).and_then(Value::as_array).cloned().unwrap_or_default();
    let position =
        |list: &[Value], name: &str| list.iter().position(|one| one.get("name").is_some_and(|own| own == name));
    let (Some(use_at), Some(set_at)) = (position(&list, variable), position(&list, uses)) else {
        return Err(Refusal::new(refusal::DRIFTED, format!("{variable} or {uses} is no longer set"), "scan again"));
    };
    if set_at < use_at {
        return Err(Refusal::new(refusal::DRIFTED, format!("{uses} is set before {variable} now"), "scan again"));
    }
    let moved = list.remove(set_at);
    // What the moved one uses must still stand before it.
    let text = moved.get("value").and_then(Value::as_str).unwrap_or_default().to_owned();
    let needs =
        |one: &Value| one.get("name").and_then(Value::as_str).is_some_and(|name| text.contains(&format!("$({name})")));
    if list.iter().skip(use_at).any(needs) || redact::is_masked(&Value::from(list.clone()).to_string()) {
        let message = format!("{uses} itself uses a variable that is set after {variable}");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "sort the variables by hand"));
    }
    list.insert(use_at, moved);
    let why = format!("$({uses}) in {variable} stays as text, because {uses} is set after it");
    let review = vec!["the program then gets another value".to_owned()];
    let edits = vec![case.set(path, json!(list))];
    Ok(vec![case.intent(format!("Set {uses} before {variable}"), why, edits, review)])
}

/// One of the entries stays: the last is what counts now, each other one is another value.
fn duplicate(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let path = case.container_path().field("env");
    let list = case.at(&path).and_then(Value::as_array).cloned().unwrap_or_default();
    let hint = "keep one of them, in the place that is meant to say it";
    if redact::is_masked(&Value::from(list.clone()).to_string()) {
        return Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint));
    }
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, one) in list.iter().enumerate() {
        places.entry(text_of(one, "name")).or_default().push(at);
    }
    let mut choices = Vec::new();
    for (name, places) in places.iter().filter(|(_, places)| places.len() > 1).take(super::CHOICES) {
        for (nth, keep) in places.iter().enumerate().rev() {
            let mut left = list.clone();
            let mut at = 0..;
            left.retain(|_| at.next().is_none_or(|at| at == *keep || !places.contains(&at)));
            let counts = nth + 1 == places.len();
            let alike = places.iter().all(|at| list[*at] == list[*keep]);
            let why = match (alike, counts) {
                (true, _) => "all of them say the same".to_owned(),
                (_, true) => format!("it is what counts now: {}", said(&list[*keep])),
                (_, false) => format!("the program then gets another value: {}", said(&list[*keep])),
            };
            let which = if counts { "last".to_owned() } else { ordinal(nth + 1) };
            let subject = format!("Keep the {which} {name} of container {}", case.name());
            let uses = uses_between(&list, name, places);
            let why = if uses.is_empty() { why } else { format!("{why}; {uses} uses it in between") };
            choices.push(case.choice(path.clone(), json!(left), subject, &why));
            if alike {
                break;
            }
        }
    }
    if choices.is_empty() {
        return Err(drifted(format!("container {} sets no variable twice any more", case.name())));
    }
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}

fn ordinal(number: usize) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        more => format!("{more}th"),
    }
}

/// What an entry of `env` sets, in words; a secret is not told.
fn said(entry: &Value) -> String {
    let name = text_of(entry, "name");
    match entry.get("valueFrom") {
        Some(from) => text::clip(&from.to_string(), 100),
        None if redact::is_secret_variable(name) => "a value that looks secret".to_owned(),
        None => text::clip(redact::text(&format!("{:?}", text_of(entry, "value"))).as_str(), 60),
    }
}

/// The first variable between two entries of a name whose value takes it from the earlier one.
fn uses_between(list: &[Value], name: &str, places: &[usize]) -> String {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return String::new() };
    let takes = |one: &&Value| text_of(one, "value").contains(&format!("$({name})"));
    list[first + 1..*last].iter().find(takes).map(|one| text_of(one, "name").to_owned()).unwrap_or_default()
}
