//! References to ConfigMaps and Secrets that do not exist.

use super::super::case::Case;
use super::super::closeness::{only_close, split_hash};
use super::super::facts::outside;
use super::super::{history, refusal};
use super::refs::{Kind, Reference, references};
use super::secret;
use crate::model::intent::{FieldEdit, Intent};
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("config-hash-stale", hash_stale),
    ("configmap-missing", missing),
    ("secret-missing", missing),
    ("volume-configmap-missing", missing),
    ("volume-secret-missing", missing),
];

fn missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let kind = if case.text("object").starts_with("Secret/") { Kind::Secret } else { Kind::ConfigMap };
    let wanted = case.text("missing");
    if kind == Kind::ConfigMap {
        refuse_early(case, wanted, &config_maps(case))?;
    } else {
        case.alone()?;
    }
    let found = references(case, kind, wanted);
    if found.is_empty() {
        let message = format!("{} no longer names {} {wanted}", case.finding.object, kind.name());
        return Err(Refusal::new(refusal::DRIFTED, message, "scan again after the rollout"));
    }
    let why = format!("{} {wanted} does not exist", kind.name());
    let paths: Vec<Path> = found.iter().map(|reference| reference.path.clone()).collect();
    let close = match kind {
        Kind::ConfigMap => close_map(case, wanted, &found),
        Kind::Secret => secret::close(case, wanted, &why, &paths)?,
    };
    if let Some(intents) = close {
        return Ok(intents);
    }
    let named = |path: &Path| paths.iter().any(|own| own.starts_with(path));
    if let Some(intents) = history::put_back(case, &why, named)? {
        return Ok(intents);
    }
    if case.is("worked") {
        return Err(history::worked(case));
    }
    Err(match kind {
        Kind::ConfigMap => choose(case, wanted, &paths),
        Kind::Secret => secret::none(case, wanted, &paths),
    })
}

fn config_maps<'s>(case: &Case<'s>) -> Vec<&'s str> {
    let namespace = case.finding.object.namespace();
    let maps = case.snapshot.config_maps.iter().filter(|map| map.metadata.namespace == namespace);
    maps.map(|map| map.metadata.name.as_str()).collect()
}

/// The one ConfigMap with a close name that has every key which is named.
fn close_map(case: &Case<'_>, wanted: &str, found: &[Reference]) -> Option<Vec<Intent>> {
    let names = config_maps(case);
    let name = only_close(wanted, &names, &[]).filter(|_| !case.is("worked"))?;
    let keys: BTreeSet<&str> = found.iter().flat_map(|one| &one.keys).map(|(key, _)| key.as_str()).collect();
    let namespace = case.finding.object.namespace();
    let mut maps = case.snapshot.config_maps.iter().filter(|map| map.metadata.namespace == namespace);
    let map = maps.find(|map| map.metadata.name == name)?;
    // Unknown keys prove nothing when the pod names some.
    let has_all = match &map.keys {
        Some(there) => keys.iter().all(|key| there.contains(*key)),
        None => keys.is_empty(),
    };
    if !has_all {
        return None;
    }
    let edits: Vec<FieldEdit> = found.iter().map(|one| case.set(one.path.clone(), json!(name))).collect();
    let review = if keys.is_empty() {
        vec![format!("the pod names no key, so only the name speaks for {name}")]
    } else {
        Vec::new()
    };
    let subject = format!("Take ConfigMap {name} instead of {wanted}");
    let why = format!("ConfigMap {wanted} does not exist; {name} is the only one with a name as close");
    Some(vec![case.intent(subject, why, edits, review)])
}

/// A person names another ConfigMap, or creates this one.
fn choose(case: &Case<'_>, wanted: &str, paths: &[Path]) -> Refusal {
    let message = format!("ConfigMap {wanted} does not exist and no other is close enough to be meant");
    let mut names = config_maps(case);
    // Every namespace has it.
    names.retain(|name| *name != "kube-root-ca.crt");
    names.sort_by_key(|name| text::distance(name, wanted));
    let offer = |name: &&str| {
        let edits = paths.iter().map(|path| case.set(path.clone(), json!(name))).collect();
        let why = format!("ConfigMap {wanted} does not exist, {name} does");
        case.intent(format!("Take ConfigMap {name} instead of {wanted}"), why, edits, Vec::new())
    };
    let choices = names.iter().take(super::CHOICES).filter(|_| !paths.is_empty()).map(offer).collect();
    case.ask(message, &format!("create ConfigMap {wanted}, or name one that exists"), choices)
}

fn refuse_early(case: &Case<'_>, wanted: &str, names: &[&str]) -> Result<(), Refusal> {
    if names.contains(&wanted) {
        let message = format!("ConfigMap {wanted} exists now");
        return Err(Refusal::new(refusal::DRIFTED, message, "scan again: the kubelet tries again by itself"));
    }
    if case.snapshot.lacks("configmaps") {
        let message = format!("ConfigMap {wanted} does not exist, and which others exist is not known");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "allow `list` on configmaps, or choose a name"));
    }
    let (base, hash) = split_hash(wanted);
    if let Some(other) = names.iter().find(|name| hash.is_some() && split_hash(name).0 == base) {
        let message = format!("{wanted} carries a content hash and {other} is there: the reference is stale");
        return Err(outside(message, "render and apply the workload and its ConfigMap together"));
    }
    if let Some(owners) = case.fact("owners").and_then(Value::as_array) {
        let mut refusal = choose(case, wanted, &[]);
        let named = owners.iter().filter_map(|owner| owner.get("object")?.as_str());
        refusal.details = vec![format!("create ConfigMap {wanted}")];
        refusal.details.extend(names.iter().map(|name| format!("use ConfigMap {name}")));
        refusal.details.extend(named.map(|owner| format!("named by {owner}")));
        refusal.message =
            format!("{} name ConfigMap {wanted}, which does not exist", text::count(owners.len(), "workload"));
        return Err(refusal);
    }
    Ok(())
}

/// A name that kustomize made: rendered anew it is right; where nothing renders it, a person takes the new name.
fn hash_stale(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let (wanted, fresh) = (case.text("missing"), case.text("fresh"));
    let kind = if case.text("object").starts_with("Secret/") { Kind::Secret } else { Kind::ConfigMap };
    let paths: Vec<Path> = references(case, kind, wanted).into_iter().map(|reference| reference.path).collect();
    let edits: Vec<FieldEdit> = paths.into_iter().map(|path| case.set(path, json!(fresh))).collect();
    let message = format!("{wanted} is gone, {fresh} of the same generator is there");
    if edits.is_empty() {
        return Err(outside(message, "render and apply the workload with its generator"));
    }
    let choice = case.intent(format!("Name {fresh}"), message.clone(), edits, Vec::new());
    Err(case.ask(message, "render and apply the workload with its generator, or name the new one", vec![choice]))
}
