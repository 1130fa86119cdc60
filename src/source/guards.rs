//! Files and lines that are never edited, with the words.

use super::lead::Found;
use super::locate::candidate::{field, split_image};
use crate::model::intent::Intent;
use crate::model::object::ObjectRef;
use crate::model::proposal::Delta;
use crate::model::refusal::Refusal;
use crate::yaml::parse;
use serde_json::Value;

/// Objects that are not looked for in Git at all.
pub(super) fn refuse_object(object: &ObjectRef, live: &Value) -> Result<(), Refusal> {
    if object.kind == "Secret" && object.group.is_empty() {
        return Err(Refusal::new(
            "secret-value",
            "secrets are never edited",
            "change it where it is kept, then run `aifix scan`",
        ));
    }
    if object.kind == "SealedSecret" {
        return Err(Refusal::new("encrypted", "secrets are never edited", "seal the new value with kubeseal"));
    }
    let owners = live["metadata"]["ownerReferences"].as_array();
    let owner = owners.into_iter().flatten().find(|owner| owner["controller"] == true);
    let Some(owner) = owner else { return Ok(()) };
    let name = format!("{}/{}", owner["kind"].as_str().unwrap_or("object"), owner["name"].as_str().unwrap_or_default());
    Err(Refusal::new(
        "operator-child",
        format!("{} {} is created by {name}", object.kind, object.name),
        format!("edit that object: {name}"),
    ))
}

/// Images that Argo CD Image Updater keeps: it would write them again. Its annotations are on the Application.
/// <https://argocd-image-updater.readthedocs.io/en/stable/configuration/images/>
pub(super) fn refuse_updated(found: &Found, intent: &Intent) -> Result<(), Refusal> {
    let Some(lead) = &found.lead else { return Ok(()) };
    let listed = lead.folders.iter().find_map(|folder| {
        let live: Value = serde_json::from_str(&folder.control.live).ok()?;
        live.get("metadata")?.get("annotations")?.get(UPDATED)?.as_str().map(str::to_owned)
    });
    let listed = listed.unwrap_or_default();
    let is_listed = |image: &str| {
        // `alias=registry/name:constraint`
        let entries = listed.split(',').map(|entry| entry.split_once('=').map_or(entry, |(_, image)| image).trim());
        entries.filter(|entry| !entry.is_empty()).any(|entry| split_image(entry).0 == split_image(image).0)
    };
    let images = intent.edits.iter().filter(|edit| edit.path.0.last().and_then(field) == Some("image"));
    let Some(edit) = images.into_iter().find(|edit| edit.old.as_ref().and_then(Value::as_str).is_some_and(is_listed))
    else {
        return Ok(());
    };
    let name = lead.controller.qualified();
    Err(Refusal::new(
        "automated-image",
        format!("{} is kept by Argo CD Image Updater, as {name} says", edit.path),
        format!("change the constraint of the image in {UPDATED} of {name}"),
    ))
}

/// The images that are kept, as an annotation of an Application.
const UPDATED: &str = "argocd-image-updater.argoproj.io/image-list";

/// Secrets among what a change makes different.
pub(super) fn refuse_secrets(deltas: &[Delta]) -> Result<(), Refusal> {
    let secret = deltas.iter().find(|delta| delta.object.kind == "Secret" && delta.object.group.is_empty());
    secret.map_or(Ok(()), |delta| {
        let text = format!("it also changes {}, and secrets are never edited", delta.object.qualified());
        Err(Refusal::new("secret-value", text, "change it by hand"))
    })
}

/// A file whose content must not be edited.
pub(super) fn refuse_file(file: &str, text: &str) -> Result<(), Refusal> {
    let documents = parse::all(text).unwrap_or_default();
    let sealed = documents.iter().any(|document| document.get("sops").is_some() || document["kind"] == "SealedSecret");
    if sealed || text.contains("ENC[AES256_GCM") {
        return Err(Refusal::new(
            "encrypted",
            format!("`{file}` is encrypted, and secrets are never edited"),
            format!("edit it with its own tool: sops {file}"),
        ));
    }
    let head = text.lines().take(20).any(|line| line.to_ascii_uppercase().contains("DO NOT EDIT"));
    if head || file.split('/').any(|part| part == "vendor") {
        return Err(Refusal::new(
            "generated",
            format!("`{file}` is generated: it says DO NOT EDIT or is vendored"),
            "change what it is generated from",
        ));
    }
    Ok(())
}

/// A changed line that something else writes, or that is a template.
pub(super) fn refuse_line(file: &str, before: &str, after: &str) -> Result<(), Refusal> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let Some(at) = (0..old.len()).find(|at| new.get(*at) != Some(&old[*at])) else { return Ok(()) };
    // A longer file: lines were added there, and the old line only moved.
    if new.len() > old.len() {
        return Ok(());
    }
    let line = old[at];
    let where_ = format!("{file}:{}", at + 1);
    if let Some(marker) = line.split("$imagepolicy").nth(1) {
        let policy = marker.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let mut parts = policy.splitn(3, ':');
        let policy = format!("{}/{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let policy = policy.trim_end_matches(['"', '}', ' ', '/']);
        return Err(Refusal::new(
            "automated-image",
            format!("this tag is managed by ImagePolicy {policy} ({where_})"),
            "change the policy, or suspend the automation first",
        ));
    }
    // What only loses its carriage returns stays the template that it is.
    let bare = |line: &str| line.replace("\\r", "").replace('\r', "");
    let is_same = new.get(at).is_some_and(|new| bare(new) == bare(line));
    if !is_same && (line.contains("{{") || line.contains("${")) {
        return Err(Refusal::new(
            "templated-line",
            format!("the value at {where_} is a template"),
            "change the value that feeds it",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(result: Result<(), Refusal>) -> &'static str {
        result.map_or_else(|refusal| refusal.code, |()| "")
    }

    #[test]
    fn encrypted_and_generated_files_are_refused() {
        assert_eq!(code(refuse_file("a.yaml", "a: ENC[AES256_GCM,data:x]\n")), "encrypted");
        assert_eq!(code(refuse_file("a.yaml", "a: 1\nsops:\n  version: 3\n")), "encrypted");
        assert_eq!(code(refuse_file("a.yaml", "# Code generated by x; DO NOT EDIT.\na: 1\n")), "generated");
        assert_eq!(code(refuse_file("a.yaml", "a: 1\n---\nkind: SealedSecret\nspec: {}\n")), "encrypted");
        assert_eq!(code(refuse_file("a.yaml", "a: 1\n")), "");
    }

    #[test]
    fn a_line_that_something_else_writes_is_refused() {
        let before = "a: 1\nnewTag: \"1.0\" # {\"$imagepolicy\": \"flux-system:web:tag\"}\n";
        let refusal = refuse_line("k.yaml", before, &before.replace("1.0", "1.1")).err();
        assert_eq!(
            refusal.map(|r| (r.code, r.message)),
            Some(("automated-image", "this tag is managed by ImagePolicy flux-system/web (k.yaml:2)".to_owned()))
        );
        assert_eq!(code(refuse_line("k.yaml", "m: ${MEM:=64Mi}\n", "m: 1Gi\n")), "templated-line");
        let script = "a.sh: \"#!/bin/sh\\r\\necho ${HOME}\\r\\n\"\n";
        assert_eq!(code(refuse_line("k.yaml", script, &script.replace("\\r", ""))), "", "the template stays");
        assert_eq!(code(refuse_line("k.yaml", script, &script.replace("HOME", "PWD"))), "templated-line");
        assert_eq!(code(refuse_line("k.yaml", before, &before.replace("a: 1", "a: 2"))), "");
    }

    #[test]
    fn a_child_of_an_operator_points_to_its_owner() {
        let live = json!({"metadata": {"ownerReferences": [{"kind": "Postgresql", "name": "db", "controller": true}]}});
        let refusal = refuse_object(&ObjectRef::new("apps/v1", "StatefulSet", "p", "db"), &live).err();
        assert_eq!(refusal.map(|r| r.message).as_deref(), Some("StatefulSet db is created by Postgresql/db"));
        assert_eq!(code(refuse_object(&ObjectRef::new("v1", "Secret", "p", "s"), &json!({}))), "secret-value");
        let sealed = ObjectRef::new("bitnami.com/v1alpha1", "SealedSecret", "p", "s");
        assert_eq!(code(refuse_object(&sealed, &json!({}))), "encrypted");
    }
}
