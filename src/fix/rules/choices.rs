//! Changes that only a person may choose.

use super::super::case::Case;
use super::super::facts::text_of;
use super::super::refusal;
use crate::model::intent::Intent;
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::model::quantity::Quantity;
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] =
    &[("rolebinding-subject-missing", subject), ("sa-no-pull-secret", pull_secret), ("volume-full", volume_full)];

/// An account that is there in place of one that is not: of the same name in another namespace, or the nearest here.
fn subject(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let accounts = case.snapshot.kind("ServiceAccount");
    let subjects: Vec<Value> = case.at(&Path::of("subjects")).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut choices = Vec::new();
    for (at, one) in subjects.iter().enumerate().filter(|(_, one)| text_of(one, "kind") == "ServiceAccount") {
        let name = text_of(one, "name");
        let written = text_of(one, "namespace");
        let namespace = if written.is_empty() { case.target.namespace() } else { written };
        if case.snapshot.find("ServiceAccount", namespace, name).is_some() {
            continue;
        }
        let of_subject = |field: &str| Path::of("subjects").index(at).field(field);
        let give = |place: &str, name: &str, path: Path, new: &str| {
            let why = "it then has every right of the role".to_owned();
            let edits = vec![case.set(path, json!(new))];
            case.intent(format!("Bind ServiceAccount {place}/{name}"), why, edits, Vec::new())
        };
        let elsewhere = accounts.iter().map(|account| &account.metadata).filter(|account| account.name == name);
        let elsewhere = elsewhere.map(|other| give(&other.namespace, name, of_subject("namespace"), &other.namespace));
        choices.extend(elsewhere.take(super::CHOICES));
        let here = accounts.iter().filter(|account| account.metadata.namespace == namespace);
        let names: Vec<&str> = here.map(|account| account.metadata.name.as_str()).collect();
        let near = text::nearest(name, names.iter().copied());
        choices.extend(near.map(|near| give(namespace, near, of_subject("name"), near)));
    }
    let hint = "make the account, name one that exists, or take the subject out";
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}

/// Half as much again, where the class can grow; a volume never shrinks.
fn volume_full(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let namespace = case.target.namespace();
    let claim = case.snapshot.find("PersistentVolumeClaim", namespace, case.text("claim"));
    let grows = |claim: &&Object| {
        let class = case.snapshot.find("StorageClass", "", claim.text("/spec/storageClassName"));
        class.and_then(|class| class.at("/allowVolumeExpansion")).and_then(Value::as_bool) == Some(true)
    };
    let hint = "keep less on the volume, or move the data to a larger one";
    let Some(claim) = claim.filter(grows) else {
        let message = format!("{}, and its class is not known to grow volumes", case.finding.summary);
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    };
    let on = case.on(&claim.object())?;
    let path = Path::of("spec.resources.requests.storage");
    let now = on.at(&path).cloned().unwrap_or_default();
    let Some(has) = Quantity::of(&now) else {
        return Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint));
    };
    let shown = now.as_str().unwrap_or_default();
    let new = Quantity::whole(has.units() + (has.units() + 1) / 2).written_like(shown);
    let why = format!("claim {} has {shown}, and its class can grow; it can't shrink again", claim.metadata.name);
    let choice = on.intent(format!("Ask for {new} of storage"), why, vec![on.set(path, json!(new))], Vec::new());
    Err(case.ask(case.finding.summary.clone(), hint, vec![choice]))
}

/// Another Secret is another credential.
fn pull_secret(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let wanted = case.text("missing");
    let path = case.evidence_path().unwrap_or_default();
    case.expect(&path, &json!(wanted))?;
    let here = case.snapshot.secrets.iter().filter(|one| one.metadata.namespace == case.target.namespace());
    let mut names: Vec<&str> = here.map(|one| one.metadata.name.as_str()).collect();
    names.sort_by_key(|name| (text::distance(wanted, name), *name));
    let choices = names.into_iter().take(5).map(|name| {
        let edits = vec![case.set(path.clone(), json!(name))];
        case.intent(format!("Pull with Secret {name}"), "it exists here".to_owned(), edits, Vec::new())
    });
    let hint = format!("make Secret {wanted}, or name another");
    Err(case.ask(case.finding.summary.clone(), &hint, choices.collect()))
}
