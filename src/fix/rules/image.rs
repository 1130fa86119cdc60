//! Images that cannot be pulled: never guess a tag.

use super::super::case::Case;
use super::super::facts::{drifted, node_images, outside, text_of};
use super::super::{history, refusal};
use super::secret;
use crate::model::intent::Intent;
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("image-auth-required", auth_required),
    ("image-name-invalid", name_invalid),
    ("image-not-found", not_found),
    ("image-pull-secret-missing", pull_secret_missing),
    ("image-volume-failed", volume_failed),
];

fn not_found(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
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
    Err(tags(case))
}

/// Other tags of the same repository that are in use here; none is guessed.
pub(super) fn tags(case: &Case<'_>) -> Refusal {
    let (path, image) = (case.container_path().field("image"), case.text("image"));
    let container = case.name();
    let seen = tags_in_use(case, repository(image), image);
    let hint = "push the tag, or choose one that exists";
    if seen.is_empty() {
        let message = format!("{image} does not exist, and no other tag of {} is in use here", repository(image));
        return Refusal::new(refusal::NEEDS_CHOICE, message, hint);
    }
    let message = format!("{image} does not come; {} in use here", text::count(seen.len(), "other tag"));
    let choices = seen.into_iter().map(|(image, place)| {
        let edits = vec![case.set(path.clone(), json!(image))];
        case.intent(format!("Use image {image} in container {container}"), place, edits, Vec::new())
    });
    case.ask(message, hint, choices.collect())
}

/// A quote or blanks around the whole value are no part of a name; upper case is none that a registry takes.
fn name_invalid(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (path, image) = (case.container_path().field("image"), case.text("image"));
    case.expect(&path, &json!(image))?;
    let bare = image.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    let container = case.name();
    if bare != image && is_plain(bare) {
        let why = format!("the image is written with quotes or blanks that are no part of it: {image:?}");
        let subject = format!("Take the quotes or blanks off the image of {container}");
        let edits = vec![case.set(path, json!(bare))];
        return Ok(vec![case.intent(subject, why, edits, Vec::new())]);
    }
    let lower = image.to_lowercase();
    let runs = case.snapshot.pods.iter().filter(|pod| pod.is_ready()).find(|pod| {
        let mut images = pod.spec.containers.iter().map(|container| container.image.as_str());
        lower != image && images.any(|other| other == lower)
    });
    if let Some(pod) = runs {
        let why = format!("an image is written in lower case; {lower} runs in pod {}", pod.metadata.name);
        let edits = vec![case.set(path, json!(lower))];
        let review = vec!["only the case of its letters says that it is meant".to_owned()];
        return Ok(vec![case.intent(
            format!("Use image {} in container {container}", short(&lower)),
            why,
            edits,
            review,
        )]);
    }
    let why = format!("{image:?} is no image");
    if let Some(found) = history::put_back(case, &why, |changed| *changed == path)? {
        return Ok(found);
    }
    let hint = "write it as REGISTRY/NAME:TAG, in lower case";
    Err(Refusal::new(refusal::NEEDS_CHOICE, format!("{image:?} is no image, and what is meant is not known"), hint))
}

fn is_plain(image: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:@".contains(c);
    let (name, version) = match image.rsplit_once([':', '@']) {
        Some((head, tail)) if !tail.contains('/') => (head, tail),
        _ => (image, ""),
    };
    !name.is_empty() && name.chars().all(fits) && version.chars().all(|c| fits(c) || c.is_ascii_uppercase())
}

/// The pull secrets that pods name which run an image of this registry.
fn pull_secrets_in_use(case: &Case<'_>, registry: &str) -> BTreeMap<String, String> {
    let namespace = case.finding.object.namespace();
    let prefix = format!("{registry}/");
    let here = case.snapshot.pods.iter().filter(|pod| pod.metadata.namespace == namespace && pod.is_ready());
    let pulls = here.filter(|pod| pod.spec.containers.iter().any(|c| c.image.starts_with(&prefix)));
    let named =
        pulls.flat_map(|pod| pod.spec.image_pull_secrets.iter().map(move |secret| (text_of(secret, "name"), pod)));
    named
        .map(|(secret, pod)| (secret.to_owned(), format!("pod {} pulls from {registry} with it", pod.metadata.name)))
        .collect()
}

fn auth_required(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let registry = case.text("registry");
    let account = case.pod_spec().service_account_name;
    let account = if account.is_empty() { "default" } else { account.as_str() };
    let mut accounts = case.here("ServiceAccount").filter(|one| one.metadata.name == account);
    let by_account = accounts.any(|one| !one.view::<Vec<Value>>("/imagePullSecrets").is_empty());
    let path = case.spec_path().field("imagePullSecrets");
    let create = format!("have a pull secret for {registry} made, and name it in imagePullSecrets");
    let used = pull_secrets_in_use(case, registry);
    if by_account || case.at(&path).is_some() || used.is_empty() {
        let message = format!("registry {registry} wants credentials, and no pod here shows which are right");
        return Err(outside(message, &create));
    }
    let offers = |review: Vec<String>| -> Vec<Intent> {
        let offer = |(secret, why): (&String, &String)| {
            let edits = vec![case.set(path.clone(), json!([{"name": secret}]))];
            let why = format!("registry {registry} wants credentials; {why}");
            case.intent(format!("Pull with Secret {secret}"), why, edits, review.clone())
        };
        used.iter().map(offer).collect()
    };
    if used.len() == 1 {
        return Ok(offers(vec!["the pod gets credentials that it had not".to_owned()]));
    }
    Err(case.ask(
        format!("{} are in use for {registry} here", text::count(used.len(), "pull secret")),
        &create,
        offers(Vec::new()),
    ))
}

/// Another Secret is another credential: never without a look.
fn pull_secret_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let (names, on_pod) = (case.texts("names"), case.texts("onPod"));
    let [wanted] = names.as_slice() else {
        return Err(outside(format!("{} do not exist", case.text("missing")), "have them made where they come from"));
    };
    let Some(at) = on_pod.iter().position(|name| name == wanted) else {
        let account = case.text("serviceAccount");
        let message = format!("ServiceAccount {account} names pull secret {wanted}, which does not exist");
        return Err(outside(message, "have the Secret made, or name another one in the ServiceAccount"));
    };
    let path = case.spec_path().field("imagePullSecrets").index(at).field("name");
    case.expect(&path, &json!(wanted))?;
    let why = format!("Secret {wanted} does not exist");
    if let Some(found) = secret::close(case, wanted, &why, std::slice::from_ref(&path))? {
        return Ok(found);
    }
    let list = case.spec_path().field("imagePullSecrets");
    if let Some(found) = history::put_back(case, &why, |changed| changed.starts_with(&list))? {
        return Ok(found);
    }
    Err(secret::none(case, wanted, &[path]))
}

/// An image that is a volume: as that of a container.
fn volume_failed(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let image = case.text("image");
    let root = case.spec_path().field("volumes");
    let volumes = case.at(&root).and_then(Value::as_array).cloned().unwrap_or_default();
    let is_it = |volume: &&Value| volume.pointer("/image/reference").and_then(Value::as_str) == Some(image);
    let Some(name) = volumes.iter().find(is_it).map(|volume| text_of(volume, "name")) else {
        return Err(drifted(format!("no volume has image {image} any more")));
    };
    let path = root.item(name).field("image").field("reference");
    if let Some(found) = history::put_back(case, &format!("{image} does not come"), |changed| *changed == path)? {
        return Ok(found);
    }
    let message = format!("image {image} of volume {name} does not come, and no earlier one is known");
    Err(Refusal::new(refusal::NEEDS_CHOICE, message, "push it, or name an image that exists"))
}

/// The image without registry and folders, as people say it.
fn short(image: &str) -> &str {
    image.rsplit_once('/').map_or(image, |(_, name)| name)
}

/// The image without tag and digest. A colon before the last slash is a port.
pub(super) fn repository(image: &str) -> &str {
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
    let makers = case.snapshot.objects.values().flatten().filter(|object| object.template_pointer().is_some());
    for object in makers.filter(|object| object.body.may_contain(wanted)) {
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
