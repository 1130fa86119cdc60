//! Pods that a LimitRange or a quota refuses.

use super::super::case::Case;
use super::super::{history, refusal, room};
use crate::diagnose::requested;
use crate::model::intent::{FieldEdit, Intent};
use crate::model::kube::{Container, PodSpec};
use crate::model::path::Path;
use crate::model::quantity::Quantity;
use crate::model::refusal::Refusal;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("limitrange-max", too_much),
    ("limitrange-min", too_little),
    ("limitrange-ratio", too_far_apart),
    ("limitrange-default-below-request", default_below),
    ("resources-invalid", invalid),
    ("quota-exceeded", exceeded),
    ("quota-must-specify", must_specify),
];

fn refuse(message: String, hint: &str) -> Refusal {
    Refusal::new(refusal::NEEDS_CHOICE, message, hint)
}

/// All containers of the template, each with its list.
fn containers(spec: &PodSpec) -> Vec<(&'static str, &Container)> {
    let lists = [("containers", &spec.containers), ("initContainers", &spec.init_containers)];
    lists.into_iter().flat_map(|(list, all)| all.iter().map(move |container| (list, container))).collect()
}

fn place(case: &Case<'_>, list: &str, container: &Container) -> Path {
    case.spec_path().field(list).item(&container.name).field("resources")
}

/// Whether a path is an amount of this resource in the template.
fn is_amount(case: &Case<'_>, path: &Path, resource: &str) -> bool {
    let text = path.to_string();
    let ends = |field: &str| {
        text.ends_with(&format!("resources.{field}.{resource}"))
            || text.ends_with(&format!("resources.{field}[\"{resource}\"]"))
    };
    path.starts_with(&case.spec_path()) && (ends("limits") || ends("requests"))
}

/// What the last revision had for this resource.
fn earlier(case: &Case<'_>, resource: &str) -> Result<Option<Vec<Intent>>, Refusal> {
    let because = case.finding.summary.clone();
    history::put_back(case, &because, |path| is_amount(case, path, resource))
}

/// The intent with these edits where the namespace and the nodes take them; else a choice.
fn if_taken(
    case: &Case<'_>,
    resource: &str,
    edits: Vec<FieldEdit>,
    subject: String,
    mut review: Vec<String>,
) -> Result<Vec<Intent>, Refusal> {
    match room::takes(case, resource, &edits) {
        Ok(more) => {
            review.extend(more);
            Ok(vec![case.intent(subject, case.finding.summary.clone(), edits, review)])
        }
        Err(why) => Err(refuse(format!("{}, and {why}", case.finding.summary), "make room there, or change the bound")),
    }
}

/// `like` with its digits replaced: the unit family is kept.
fn written(amount: Quantity, like: &Value) -> Value {
    let like = like.as_str().map_or_else(|| like.to_string(), str::to_owned);
    // A cpu of whole cores becomes thousandths where it must.
    let like = if amount.milli % 1000 == 0 { like.as_str() } else { "m" };
    json!(amount.written_like(like))
}

fn too_much(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (resource, scope, field) = (case.text("resource"), case.text("scope"), case.text("field"));
    if let Some(intents) = earlier(case, resource)? {
        return Ok(intents);
    }
    let Some(bound) = case.fact("bound").filter(|bound| Quantity::of(bound).is_some()) else {
        return Err(refuse(case.finding.summary.clone(), "lower it, or raise the bound"));
    };
    let spec = case.pod_spec();
    let shown = bound.as_str().unwrap_or_default();
    if let ("Pod", "limits", None, [only]) = (scope, field, case.fact("value"), spec.containers.as_slice()) {
        let edits = vec![case.set(place(case, "containers", only).field(field).field(resource), bound.clone())];
        let subject = format!("Set the {resource} limit of container {} to {shown}", only.name);
        let review = vec!["a limit appears where there was none".to_owned()];
        return if_taken(case, resource, edits, subject, review);
    }
    let value = case.fact("value").and_then(Quantity::of);
    let choices = containers(&spec).into_iter().filter_map(|(list, container)| {
        let own = room::amount(container, field, resource).filter(|own| Some(*own) == value && scope == "Container")?;
        let at = place(case, list, container);
        let mut edits = vec![case.set(at.field(field).field(resource), bound.clone())];
        // A request may not stay above its limit.
        let request = container.resources.requests.get(resource).and_then(Quantity::of);
        if field == "limits" && request > Quantity::of(bound) {
            edits.push(case.set(at.field("requests").field(resource), bound.clone()));
        }
        let subject = format!("Lower the {resource} of container {} to {shown}", container.name);
        let why = format!("it asks for {}, and {shown} is the most", own.written_like(shown));
        Some(case.intent(subject, why, edits, Vec::new()))
    });
    let choices = choices.collect();
    Err(case.ask(case.finding.summary.clone(), "lower it, or have the LimitRange raised by its owner", choices))
}

fn too_little(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (resource, scope) = (case.text("resource"), case.text("scope"));
    let bound = case.fact("bound").and_then(Quantity::of);
    let Some(least) = bound.filter(|_| scope == "Container") else {
        let hint = "raise the requests of its containers, or have the LimitRange lowered by its owner";
        return Err(refuse(case.finding.summary.clone(), hint));
    };
    let spec = case.pod_spec();
    let mut edits = Vec::new();
    for (list, container) in containers(&spec) {
        let at = place(case, list, container);
        let own = |map: &serde_json::Map<String, Value>| map.get(resource).cloned();
        let (request, limit) = (own(&container.resources.requests), own(&container.resources.limits));
        let is_low = |value: &Option<Value>| value.as_ref().and_then(Quantity::of).is_some_and(|has| has < least);
        let unset = request.is_none() && limit.is_none() && case.fact("value").is_none();
        if is_low(&request) || unset {
            let like = request.clone().or(case.fact("bound").cloned()).unwrap_or_default();
            edits.push(case.set(at.field("requests").field(resource), written(least, &like)));
        }
        if let Some(limit) = limit.filter(|limit| is_low(&Some(limit.clone()))) {
            edits.push(case.set(at.field("limits").field(resource), written(least, &limit)));
        }
    }
    if edits.is_empty() {
        return Err(Refusal::new(refusal::DRIFTED, "no container asks for less than the least any more", "scan again"));
    }
    let subject = format!("Raise the {resource} request to {}", case.text("bound"));
    if_taken(case, resource, edits, subject, Vec::new())
}

fn too_far_apart(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (resource, scope) = (case.text("resource"), case.text("scope"));
    let ratio = case.fact("ratio").and_then(Quantity::of).filter(|ratio| ratio.milli > 0 && scope == "Container");
    let hint = "raise the request, or lower the limit";
    let Some(ratio) = ratio else { return Err(refuse(case.finding.summary.clone(), hint)) };
    let spec = case.pod_spec();
    let mut edits = Vec::new();
    for (list, container) in containers(&spec) {
        let resources = &container.resources;
        let (Some(limit), Some(request)) = (resources.limits.get(resource), resources.requests.get(resource)) else {
            continue;
        };
        let (Some(most), Some(has)) = (Quantity::of(limit), Quantity::of(request)) else { continue };
        let least = (most.milli * 1000 + ratio.milli - 1) / ratio.milli;
        // Bytes are whole.
        let least = if resource == "cpu" { least } else { (least + 999) / 1000 * 1000 };
        if has.milli < least {
            let path = place(case, list, container).field("requests").field(resource);
            edits.push(case.set(path, written(Quantity { milli: least }, request)));
        }
    }
    if edits.is_empty() {
        return Err(refuse(case.finding.summary.clone(), hint));
    }
    let subject = format!("Raise the {resource} request to its limit by {}", case.text("ratio"));
    if_taken(case, resource, edits, subject, vec!["the pod takes more of its node".to_owned()])
}

fn default_below(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let resource = case.text("resource");
    let at = case.container_path().field("resources");
    // The API writes amounts its own way; the template's words are kept.
    let asked = case.at(&at.field("requests").field(resource)).cloned().unwrap_or_default();
    if Quantity::of(&asked) != case.fact("request").and_then(Quantity::of) {
        return Err(Refusal::new(refusal::DRIFTED, format!("the {resource} request has changed"), "scan again"));
    }
    let request = asked.as_str().map_or_else(|| asked.to_string(), str::to_owned);
    let limit = at.field("limits").field(resource);
    if case.at(&limit).is_some() {
        return Err(Refusal::new(refusal::DRIFTED, format!("{limit} is set now"), "scan again"));
    }
    let edits = vec![case.set(limit, asked.clone())];
    let name = case.finding.container.as_deref().unwrap_or_default();
    let subject = format!("Set the {resource} limit of container {name} to {request}");
    let slower = "the container is held back where it was not before";
    let review = if resource == "cpu" { vec![slower.to_owned()] } else { Vec::new() };
    if_taken(case, resource, edits, subject, review)
}

fn invalid(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let resource = case.text("resource");
    match earlier(case, resource)? {
        Some(intents) => Ok(intents),
        None => Err(refuse(
            format!("{}: a webhook or a LimitRange changed one of the two", case.finding.summary),
            "set both so that what changes them leaves the request below the limit",
        )),
    }
}

/// The resources of a quota that are exceeded, without the field before the dot.
fn amounts(case: &Case<'_>) -> Vec<String> {
    let all = case.fact("resources").and_then(Value::as_array).cloned().unwrap_or_default();
    let names = all.iter().filter_map(|one| one.get("resource")?.as_str());
    names.map(|name| name.rsplit_once('.').map_or(name, |(_, last)| last).to_owned()).collect()
}

fn exceeded(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let all = case.fact("resources").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let missing: Vec<String> = all
        .iter()
        .map(|one| format!("{} more of {} for each pod", text(one, "missing"), text(one, "resource")))
        .collect();
    let hint = "have the quota raised by its owner, lower requests, or run fewer replicas";
    let ask = || refuse(case.finding.summary.clone(), hint).with_details(missing.clone());
    if case.alone_or(hint).is_err() {
        return Err(ask());
    }
    let names = amounts(case);
    let good = case.finding.change.as_ref().is_some_and(|change| change.good);
    let is_one = |path: &Path| names.iter().any(|name| is_amount(case, path, name));
    // Only amounts that grew: a lower request is a weaker one, and one that worked.
    if let Some(revert) = history::revert(case, is_one)?.filter(|_| good) {
        let mut before = case.live.clone();
        for edit in &revert.edits {
            match &edit.new {
                Some(new) => edit.path.set(&mut before, new.clone()),
                None => edit.path.remove(&mut before).is_some(),
            };
        }
        let spec = case.spec_path().get(&before).and_then(|spec| PodSpec::deserialize(spec).ok()).unwrap_or_default();
        let now = case.pod_spec();
        let falls = |name: &String| requested(&spec, name) < requested(&now, name);
        if names.iter().any(falls) {
            let why =
                format!("{}; revision {}, whose pods are ready, asks for less", case.finding.summary, revert.from);
            return Ok(vec![case.intent(
                "Put back the requests of the pod".to_owned(),
                why,
                revert.edits,
                revert.review,
            )]);
        }
    }
    Err(ask())
}

/// `limits.memory` and the containers that lack it.
fn wanted(case: &Case<'_>) -> Vec<(String, Vec<String>)> {
    let all = case.fact("wanted").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |one: &Value| {
        let names = one.get("containers").and_then(Value::as_array).into_iter().flatten();
        let names = names.filter_map(Value::as_str).map(str::to_owned).collect();
        Some((one.get("resource")?.as_str()?.to_owned(), names))
    };
    all.iter().filter_map(of).collect()
}

fn must_specify(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let spec = case.pod_spec();
    let missing: Vec<(&'static str, &Container, String)> = wanted(case)
        .into_iter()
        .flat_map(|(resource, names)| {
            let named = containers(&spec).into_iter().filter(move |(_, one)| names.contains(&one.name));
            named.map(move |(list, container)| (list, container, resource.clone()))
        })
        .collect();
    let path = |list: &str, container: &Container, resource: &str| {
        resource.split('.').fold(place(case, list, container), |path, step| path.field(step))
    };
    let is_one = |changed: &Path| {
        missing.iter().any(|(list, container, resource)| {
            let own = path(list, container, resource);
            own.starts_with(changed)
                && changed.starts_with(&case.spec_path())
                && changed.0.len() > case.spec_path().0.len() + 1
        })
    };
    if let Some(intents) = history::put_back(case, &case.finding.summary, is_one)? {
        return Ok(intents);
    }
    // Values are never made up: those of a sibling that has all of them may serve.
    let siblings =
        containers(&spec).into_iter().filter(|(_, one)| !missing.iter().any(|(_, own, _)| own.name == one.name));
    let choices = siblings.filter_map(|(list, sibling)| {
        let edits = missing.iter().map(|(to, container, resource)| {
            let value = path(list, sibling, resource).get(&case.live)?.clone();
            Some(case.set(path(to, container, resource), value))
        });
        let edits: Option<Vec<FieldEdit>> = edits.collect();
        let subject = format!("Set the resources of container {}", sibling.name);
        Some(case.intent(subject, "a sibling in the same pod has them".to_owned(), edits?, Vec::new()))
    });
    let choices = choices.collect();
    Err(case.ask(case.finding.summary.clone(), "set them in each container, as its use shows", choices))
}
