//! Images that cannot be pulled: never guess a tag.

use super::super::case::Case;
use super::super::{history, refusal};
use crate::model::intent::Intent;
use crate::model::kube::Object;
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("image-not-found", not_found)];

fn not_found(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.container_path().field("image");
    let image = case.text("image");
    case.expect(&path, &json!(image))?;
    let container = case.finding.container.as_deref().unwrap_or_default();
    if let Some(revert) = history::revert(case, |changed| *changed == path)? {
        let back = revert.edits.first().and_then(|edit| edit.new.as_ref()).and_then(Value::as_str).unwrap_or_default();
        let subject = format!("Put back image {} of container {container}", short(back));
        let ran = if revert.good { "whose pods are ready" } else { "which came before" };
        let why = format!("{image} does not exist in its registry; revision {}, {ran}, has {back}", revert.from);
        return Ok(vec![case.intent(subject, why, revert.edits, revert.review)]);
    }
    if case.is("worked") {
        return Err(history::worked(case));
    }
    let seen = tags_in_use(case, repository(image), image);
    let hint = "push the tag, or choose one that exists";
    if seen.is_empty() {
        let message = format!("{image} does not exist, and no other tag of {} is in use here", repository(image));
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    }
    let message = format!("{image} does not exist; {} in use here", text::count(seen.len(), "other tag"));
    let choices = seen.into_iter().map(|(image, place)| {
        let edits = vec![case.set(path.clone(), json!(image))];
        case.intent(format!("Use image {image} in container {container}"), place, edits, Vec::new())
    });
    Err(case.ask(message, hint, choices.collect()))
}

/// The image without registry and folders, as people say it.
fn short(image: &str) -> &str {
    image.rsplit_once('/').map_or(image, |(_, name)| name)
}

/// The image without tag and digest. A colon before the last slash is a port.
fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(head, _)| head);
    match image.rsplit_once(':') {
        Some((head, tag)) if !tag.contains('/') => head,
        _ => image,
    }
}

/// Images of the same repository that pods, templates or nodes have, each with one place where it was seen.
fn tags_in_use(case: &Case<'_>, wanted: &str, broken: &str) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    let mut add = |image: &str, place: String| {
        if repository(image) == wanted && image != broken {
            seen.entry(image.to_owned()).or_insert(place);
        }
    };
    for pod in case.snapshot.pods.iter().filter(|pod| pod.is_ready()) {
        for container in &pod.spec.containers {
            add(&container.image, format!("ready in pod {}", pod.metadata.name));
        }
    }
    for object in case.snapshot.objects.values().flatten().filter(|object| object.body.may_contain(wanted)) {
        for container in object.pod_spec().map_or(&[][..], |spec| &spec.containers) {
            add(&container.image, format!("in the template of {}", object.object()));
        }
    }
    for node in case.snapshot.kind("Node") {
        for image in node_images(node) {
            add(&image, format!("on node {}", node.metadata.name));
        }
    }
    seen
}

fn node_images(node: &Object) -> Vec<String> {
    let images: Vec<Value> = node.view("/status/images");
    let names = images.iter().filter_map(|image| image.get("names")?.as_array()).flatten();
    names.filter_map(Value::as_str).filter(|name| !name.contains('@')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        for (image, want) in [
            ("localhost:5055/app/web:9.9", "localhost:5055/app/web"),
            ("localhost:5055/app/web", "localhost:5055/app/web"),
            ("busybox", "busybox"),
            ("r/a:1@sha256:abc", "r/a"),
        ] {
            assert_eq!(repository(image), want);
        }
    }
}
