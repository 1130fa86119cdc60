//! Keys, sub paths and variables that are named and missing.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::{drifted, items, judge, text_of};
use super::super::{history, refusal};
use super::refs::{Kind, mount_path, references};
use crate::model::intent::Intent;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("configmap-key-missing", config_map_key),
    ("secret-key-missing", secret_key_missing),
    ("subpath-expr-unset", sub_path_expr),
    ("subpath-key-missing", sub_path),
    ("volume-key-missing", volume_key),
];

/// Where the live template names this key of this object.
fn paths(case: &Case<'_>, kind: Kind, object: &str, key: &str) -> Vec<Path> {
    let keys = references(case, kind, object).into_iter().flat_map(|reference| reference.keys);
    keys.filter(|(name, _)| name == key).map(|(_, path)| path).collect()
}

fn config_map_key(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let (map, key, keys) = (case.text("configMap"), case.text("key"), case.texts("keys"));
    let paths: Vec<Path> = paths(case, Kind::ConfigMap, map, key)
        .into_iter()
        .filter(|path| path.starts_with(&case.container_path()))
        .collect();
    let read: Vec<String> = case.container()?.env.iter().filter_map(key_of).collect();
    let free: Vec<&str> = keys.iter().copied().filter(|name| !read.iter().any(|other| other == name)).collect();
    of_map(case, map, key, &free, &paths)
}

/// The key of a ConfigMap that a variable reads.
fn key_of(variable: &crate::model::kube::EnvVar) -> Option<String> {
    Some(text_of(variable.value_from.as_ref()?.get("configMapKeyRef")?, "key").to_owned())
}

fn volume_key(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    if case.fact("secret").is_some() {
        return secret_key_missing(case);
    }
    let (map, key, keys) = (case.text("configMap"), case.text("key"), case.texts("keys"));
    let volume = case.spec_path().field("volumes").item(case.text("volume"));
    let paths: Vec<Path> =
        paths(case, Kind::ConfigMap, map, key).into_iter().filter(|path| path.starts_with(&volume)).collect();
    of_map(case, map, key, &keys, &paths)
}

/// The one close key, else the earlier reference, else a person chooses.
fn of_map(case: &Case<'_>, map: &str, key: &str, free: &[&str], paths: &[Path]) -> Result<Vec<Intent>, Refusal> {
    if paths.is_empty() {
        return Err(drifted(format!("{} no longer names key {key} of ConfigMap {map}", case.finding.object)));
    }
    let take = |name: &str, why: String| {
        let edits = paths.iter().map(|path| case.set(path.clone(), json!(name))).collect();
        case.intent(format!("Take key {name} of ConfigMap {map}"), why, edits, Vec::new())
    };
    let why = format!("ConfigMap {map} has no key {key}");
    if let Some(name) = only_close(key, free, &[]).filter(|_| !case.is("worked")) {
        return Ok(vec![take(name, format!("{why}; {name} is the only key with a name as close"))]);
    }
    let named = |path: &Path| paths.iter().any(|own| own.starts_with(path));
    if let Some(found) = history::put_back(case, &why, named)? {
        return Ok(found);
    }
    let mut near = free.to_vec();
    near.sort_by_key(|name| text::distance(name, key));
    let choices = near.iter().take(super::CHOICES).map(|name| take(name, format!("{why}; it has {name}"))).collect();
    let before = if case.is("worked") { ", and it worked before: the key was taken away" } else { "" };
    Err(case.ask(
        format!("{why}{before}"),
        &format!("add {key} to ConfigMap {map}, or name a key that it has"),
        choices,
    ))
}

fn secret_key_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (secret, key) = (case.text("secret"), case.text("key"));
    let paths = paths(case, Kind::Secret, secret, key);
    let namespace = case.finding.object.namespace();
    let known = case
        .snapshot
        .secrets
        .iter()
        .find(|s| s.metadata.namespace == namespace && s.metadata.name == secret)
        .and_then(|s| s.keys.as_ref());
    if known.is_some_and(|keys| keys.contains(key)) {
        let message = format!("Secret {secret} has key {key} now");
        return Err(Refusal::new(refusal::DRIFTED, message, "scan again: the kubelet tries again by itself"));
    }
    let keys: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
    let shared = case.fact("owners").is_some();
    let credential = || vec!["another key of a Secret is another credential".to_owned()];
    if let Some(name) = only_close(key, &keys, &[]).filter(|_| !shared && !case.is("worked") && !paths.is_empty()) {
        let edits = paths.iter().map(|path| case.set(path.clone(), json!(name))).collect();
        let subject = format!("Take key {name} of Secret {secret}");
        let why = format!("Secret {secret} has no key {key}; {name} is the only key with a name as close");
        return Ok(vec![case.intent(subject, why, edits, credential())]);
    }
    let named = |path: &Path| paths.iter().any(|own| own.starts_with(path));
    if let Some(mut revert) = history::revert(case, named)? {
        revert.review.extend(credential());
        let subject = format!("Put back the key of Secret {secret}");
        let why = format!("Secret {secret} has no key {key}; revision {} names another", revert.from);
        return Ok(vec![case.intent(subject, why, revert.edits, revert.review)]);
    }
    if case.is("worked") {
        return Err(history::worked(case));
    }
    let message = format!("Secret {secret} has no key {key}, and values of Secrets are never made up");
    let hint = match known {
        Some(_) => format!("add {key} to Secret {secret} where it comes from, or name a key that it has"),
        None => format!("add {key} to Secret {secret}; --read-secret-keys lets aifix see which keys it has"),
    };
    let details = keys.iter().map(|key| format!("key {key}")).collect();
    Err(Refusal::new(refusal::NOT_IN_GIT, message, hint).with_details(details))
}

/// A folder stands where a file is wanted: the mount names a file that the volume does not make.
fn sub_path(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (wanted, volume, made) = (case.text("missing"), case.text("volume"), case.texts("made"));
    let here = case.container_path();
    let container = case.at(&here).cloned().unwrap_or(Value::Null);
    let is_it = |mount: &&Value| text_of(mount, "name") == volume && text_of(mount, "subPath") == wanted;
    let paths: Vec<Path> = items(&container, "volumeMounts")
        .filter(is_it)
        .map(|mount| mount_path(&here, mount).field("subPath"))
        .collect();
    if paths.is_empty() {
        return Err(drifted(format!("no mount of container {} names {wanted} any more", case.name())));
    }
    let take = |name: &str| {
        let edits = paths.iter().map(|path| case.set(path.clone(), json!(name))).collect();
        let why = format!("volume {volume} makes no {wanted}, so a folder of that name is mounted; it makes {name}");
        case.intent(format!("Mount {name} of volume {volume}"), why, edits, Vec::new())
    };
    if let Some(name) = only_close(wanted, &made, &[]).filter(|_| !case.is("worked")) {
        return Ok(vec![take(name)]);
    }
    let why = format!("volume {volume} makes no {wanted}");
    if let Some(found) = history::put_back(case, &why, |path| paths.iter().any(|own| own.starts_with(path)))? {
        return Ok(found);
    }
    let choices = made.iter().take(super::CHOICES).map(|name| take(name)).collect();
    Err(case.ask(why, "add the key to what the volume is made of, or mount one that it has", choices))
}

/// `$(VAR)` of a subPathExpr that the container does not set.
fn sub_path_expr(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (wanted, names) = (case.text("missing"), case.texts("names"));
    let here = case.container_path();
    let container = case.at(&here).cloned().unwrap_or(Value::Null);
    let reference = format!("$({wanted})");
    let mounts = || items(&container, "volumeMounts").filter(|mount| !text_of(mount, "subPathExpr").is_empty());
    let hit: Vec<&Value> = mounts().filter(|mount| text_of(mount, "subPathExpr").contains(&reference)).collect();
    if hit.is_empty() {
        return Err(drifted(format!("no mount of container {} takes {wanted} any more", case.name())));
    }
    let take = |name: &str| {
        let edit = |mount: &&Value| {
            let new = text_of(mount, "subPathExpr").replace(&reference, &format!("$({name})"));
            case.set(mount_path(&here, mount).field("subPathExpr"), json!(new))
        };
        let why = format!("container {} does not set {wanted}; it sets {name}", case.name());
        case.intent(format!("Mount by {name} instead of {wanted}"), why, hit.iter().map(edit).collect(), Vec::new())
    };
    let taken = |name: &str| mounts().any(|mount| text_of(mount, "subPathExpr").contains(&format!("$({name})")));
    if let Some(name) = only_close(wanted, &names, &[]).filter(|name| !taken(name)) {
        return Ok(vec![take(name)]);
    }
    let message = format!("container {} does not set {wanted}, which a mount names", case.name());
    if names.is_empty() {
        return Err(judge(message, "set the variable, or name the folder itself"));
    }
    let choices = names.iter().take(super::CHOICES).map(|name| take(name)).collect();
    Err(case.ask(message, "set the variable, or name one that is set", choices))
}
