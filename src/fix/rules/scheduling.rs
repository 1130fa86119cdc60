//! Requests too large, schedulers and peers that are not there.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::{items, judge, outside};
use super::super::{history, refusal};
use crate::diagnose::{largest_allocatable, requested};
use crate::model::intent::Intent;
use crate::model::kube::PodSpec;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("scheduler-name-unknown", scheduler),
    ("unschedulable-cpu", request),
    ("unschedulable-memory", request),
    ("unschedulable-pod-affinity", peer),
];

/// A request above every node goes back to a smaller one that worked.
fn request(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (asked, resource) = (case.text("requested"), case.text("resource"));
    let unit = if resource == "cpu" { "m" } else { "Mi" };
    let root = case.spec_path();
    let Some(largest) = largest_allocatable(case.snapshot, resource).filter(|_| case.is("neverFits")) else {
        let message =
            format!("no node has room for {asked} {resource} now; whether one could have is a question of load");
        let details =
            vec![format!("lower requests.{resource}"), "run fewer replicas".to_owned(), "add a node".to_owned()];
        let hint = format!("free {resource}, add a node, or lower the request");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint).with_details(details));
    };
    let largest_text = largest.written_like(unit);
    let ends = [format!("resources.requests.{resource}"), format!("resources.limits.{resource}")];
    let is_request =
        |path: &Path| path.starts_with(&root) && ends.iter().any(|end| path.to_string().ends_with(end.as_str()));
    let good = case.finding.change.as_ref().is_some_and(|change| change.good);
    // A lower request is a weaker one: only a revision that works may say so.
    if let Some(mut revert) = history::revert(case, is_request)?.filter(|_| good) {
        let mut wanted = case.live.clone();
        for edit in &revert.edits {
            match &edit.new {
                Some(new) => edit.path.set(&mut wanted, new.clone()),
                None => edit.path.remove(&mut wanted).is_some(),
            };
        }
        let spec = root.get(&wanted).and_then(|spec| PodSpec::deserialize(spec).ok()).unwrap_or_default();
        let total = requested(&spec, resource);
        if total <= largest && total < requested(&case.pod_spec(), resource) {
            revert.review.extend(case.request_review(resource));
            let subject = format!("Put back the {resource} request of {}", total.written_like(unit));
            let why = format!(
                "pods request {asked} {resource} and the largest node has {largest_text}; revision {} requests {}",
                revert.from,
                total.written_like(unit)
            );
            return Ok(vec![case.intent(subject, why, revert.edits, revert.review)]);
        }
    }
    let message =
        format!("pods request {asked} {resource}, the largest node has {largest_text}; what they need is not known");
    let lower = format!("lower requests.{resource} to at most {largest_text} in all");
    let details = vec![lower, "add a larger node".to_owned()];
    Err(Refusal::new(refusal::NEEDS_CHOICE, message, "lower the request, or add a larger node").with_details(details))
}

fn scheduler(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    const DEFAULT: &str = "default-scheduler";
    let (wanted, path) = (case.text("schedulerName"), case.spec_path().field("schedulerName"));
    if case.is("worked") {
        return Err(outside(format!("scheduler {wanted} placed other pods"), "see why it does not run now"));
    }
    case.expect(&path, &json!(wanted))?;
    let why = format!("no scheduler is called {wanted}");
    if let Some(found) = history::put_back(case, &why, |changed| *changed == path)? {
        return Ok(found);
    }
    let take = |why: String, review: Vec<String>| {
        let edits = vec![case.set(path.clone(), json!(DEFAULT))];
        case.intent(format!("Let {DEFAULT} place the pod"), why, edits, review)
    };
    if only_close(wanted, &[DEFAULT], &[]).is_some() {
        let review = vec!["a second scheduler may be meant that does not run".to_owned()];
        return Ok(vec![take(format!("{why}; {DEFAULT} is close"), review)]);
    }
    let choice = take("every cluster has it".to_owned(), Vec::new());
    Err(case.ask(
        why,
        "see whether that scheduler is installed and runs, or let the default one place the pod",
        vec![choice],
    ))
}

/// A pod that should be near another one whose label no pod has.
fn peer(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let root = case.spec_path().field("affinity").field("podAffinity");
    let root = root.field("requiredDuringSchedulingIgnoredDuringExecution");
    let namespace = case.finding.object.namespace();
    let pods: Vec<_> = case.snapshot.pods.iter().filter(|pod| pod.metadata.namespace == namespace).collect();
    let terms = json!({"terms": case.at(&root)});
    let mut found = Vec::new();
    for (at, term) in items(&terms, "terms").enumerate() {
        let labels = term.pointer("/labelSelector/matchLabels").and_then(Value::as_object);
        for (key, value) in labels.into_iter().flatten() {
            let Some(value) = value.as_str() else { continue };
            if pods.iter().any(|pod| pod.metadata.labels.get(key).map(String::as_str) == Some(value)) {
                continue;
            }
            let values: BTreeSet<&str> =
                pods.iter().filter_map(|pod| pod.metadata.labels.get(key)).map(String::as_str).collect();
            let values: Vec<&str> = values.into_iter().collect();
            let near = only_close(value, &values, &[]).map(str::to_owned);
            found.push((root.index(at).field("labelSelector").field("matchLabels").field(key), value.to_owned(), near));
        }
    }
    if let [(path, value, Some(near))] = found.as_slice() {
        let why = format!("no pod has the label value {value}; {near} is the only one as close");
        let review = vec!["the pod is then bound to where those pods run".to_owned()];
        let edits = vec![case.set(path.clone(), json!(near))];
        return Ok(vec![case.intent(format!("Stay near {near} instead of {value}"), why, edits, review)]);
    }
    if let Some(found) =
        history::put_back(case, "no pod is there that this one must be near", |path| path.starts_with(&root))?
    {
        return Ok(found);
    }
    Err(judge(
        "no pod is there that this one must be near",
        "start those pods, or prefer their nodes instead of requiring them",
    ))
}
