//! Images that cannot be pulled.

mod cause;
mod lasting;
pub(crate) mod rows;

use super::observe::Observation;
use super::refusal;
use super::view::{Running, Subject, View, Workload};
use super::workload::Consequence;
use crate::model::finding::Source;
use crate::model::kube::Event;
use crate::model::object::ObjectRef;
use crate::model::path::Step;
use crate::text;
use cause::{Cause, cause, status};
use regex::Regex;
pub(crate) use rows::CODES;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Waiting reasons of a pull that is tried again; its message tells the cause.
const RETRIED: [&str; 2] = ["ErrImagePull", "ImagePullBackOff"];

/// Pull secrets that the kubelet could not read.
const NO_SECRET: &str = "FailedToRetrieveImagePullSecret";

/// Whether a waiting reason belongs to this family.
pub(crate) fn is_about_images(reason: &str) -> bool {
    Cause::of_reason(reason).is_some() || RETRIED.contains(&reason) || reason.contains("ImageVolumeMountFailed")
}

static BLANKS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shape = r#"spec\.(containers|initContainers)\[(\d+)\]\.image: Invalid value: "([^"]*)": must not have leading or trailing"#;
    Regex::new(shape).ok()
});

/// The parts of an image reference.
pub(super) struct Reference<'i> {
    pub registry: &'i str,
    pub repository: &'i str,
    /// `:tag` or `@digest` without its sign; empty when absent.
    pub version: &'i str,
    pub by_digest: bool,
}

/// Reads `registry.example:5000/shop/web:1` as container runtimes do: the first part is a host when it has a dot
/// or a port, or is `localhost`.
pub(super) fn reference(image: &str) -> Reference<'_> {
    let (registry, rest) = match image.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => (host, rest),
        _ => ("docker.io", image),
    };
    let (repository, version, by_digest) = match (rest.split_once('@'), rest.rsplit_once(':')) {
        (Some((name, digest)), _) => (name, digest, true),
        (None, Some((name, tag))) => (name, tag, false),
        (None, None) => (rest, "", false),
    };
    Reference { registry, repository, version, by_digest }
}

/// Seconds after which the kubelet has tried a failed pull a second time.
const RETRY: i64 = 20;

/// The image that a pull message or event names.
fn names_image(text: &str, image: &str) -> bool {
    text.contains(&format!("\"{image}\"")) || text.contains(&format!("{image}:")) || text.ends_with(image)
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out: Vec<Observation> = view.subjects().flat_map(of_pod).collect();
    out.extend(lasting::tag_moved(view));
    out.extend(view.workloads.iter().filter_map(|workload| blanks(view, workload)));
    out
}

/// Blanks around an image never reach the kubelet: the API server refuses the pod.
fn blanks(view: &View<'_>, workload: &Workload<'_>) -> Option<Observation> {
    let refused = refusal::of(view, workload)?.shown;
    let found = BLANKS.as_ref()?.captures(&refused)?;
    let (list, at, image) = (found.get(1)?.as_str(), found.get(2)?.as_str().parse::<usize>().ok()?, found.get(3)?);
    let template = workload.source?.template()?;
    let name = template.pointer(&format!("/spec/{list}/{at}/name")).and_then(Value::as_str)?;
    let mut seen = Observation::of_workload(&rows::IMAGE_NAME_INVALID, workload);
    seen.container = Some(name.to_owned());
    seen.message = image.as_str().to_owned();
    seen.summary = format!("image \"{}\" of container {name} has blanks around it", image.as_str());
    seen.since = workload.source.and_then(|source| source.metadata.creation_timestamp);
    seen.show(Source::Status, None, &refused, None);
    let path = workload.spec_path().field(list).item(name).field("image");
    seen.show(Source::Spec, None, &format!("image: \"{}\"", image.as_str()), Some(path));
    seen.facts = json!({"image": image.as_str(), "list": list, "blanks": true, "drifted": workload.drifted});
    Some(seen)
}

fn of_pod(subject: Subject<'_, '_>) -> Vec<Observation> {
    let secrets = missing_secrets(subject);
    let mut out = Vec::new();
    let mut blames_secret = false;
    for container in subject.containers() {
        match fault(&container) {
            // The registry asks for what the missing secret holds.
            Some((Cause::AuthRequired | Cause::AccessDenied, seen)) if !secrets.is_empty() => {
                if !blames_secret {
                    out.push(pull_secret(subject, &secrets, Some(&seen)));
                    blames_secret = true;
                }
            }
            Some((_, seen)) => out.push(seen),
            None => out.extend(lasting::slow_pull(&container)),
        }
    }
    if !secrets.is_empty() && !blames_secret {
        out.push(pull_secret(subject, &secrets, None).aside());
    }
    out
}

/// What a container's waiting state says about its image, with the observation of it.
fn fault(container: &Running<'_, '_>) -> Option<(Cause, Observation)> {
    let reason = container.waiting();
    let of_reason = Cause::of_reason(reason);
    let is_volume = reason.contains("ImageVolumeMountFailed");
    if of_reason.is_none() && !RETRIED.contains(&reason) && !is_volume {
        return None;
    }
    let message = container.waiting_message();
    let own = container.image();
    let volume = volume_image(container, message, own, is_volume);
    let image = volume.as_ref().map_or(own, |(_, image)| image.as_str());
    let events: Vec<_> = container.events().filter(|e| e.reason == "Failed" && names_image(e.text(), image)).collect();
    // One failed try is no finding yet; the back-off is, and so is a second try. The count of an event comes later
    // than the status, and a busy kubelet drops events: a back-off before, or the time since the first try, tells of
    // a second one too.
    let view = container.at.view;
    let tried_again = || {
        let begun = match events.as_slice() {
            [] => container.at.pod.metadata.creation_timestamp,
            events => events.iter().filter_map(|event| event.first_seen()).min(),
        };
        let backed_off = || container.events().any(|e| e.reason == "BackOff" && names_image(e.text(), image));
        events.iter().any(|event| event.times() >= 2) || view.age(begun).is_some_and(|age| age >= RETRY) || backed_off()
    };
    if reason == "ErrImagePull" && !tried_again() {
        return None;
    }
    // The message tells the last attempt only: an earlier definite answer outlives a fault on the way.
    let last = of_reason.unwrap_or_else(|| cause(message));
    let is_told = |said: Cause| said.is_definite() || last == Cause::Unknown && said != Cause::Unknown;
    let earlier = last.is_transport().then(|| events.iter().rfind(|event| is_told(cause(event.text())))).flatten();
    let why = earlier.map_or(last, |event| cause(event.text()));
    let told = earlier.map_or(message, |event| event.text());
    let (code, summary) = match (&volume, why.code()) {
        (Some((name, _)), _) => {
            let wrapped = why.code().map_or("image-volume-failed", |code| code.name);
            (&rows::IMAGE_VOLUME_FAILED, format!("image {image} of volume {name} does not come ({wrapped})"))
        }
        (None, code) => (code?, summary(container, why, image, told)),
    };
    let mut seen = Observation::of_container(code, container);
    seen.message = image.to_owned();
    seen.summary = summary;
    seen.show(Source::Status, None, &format!("{reason}: {message}"), None);
    if let Some(event) = earlier {
        seen.show_event(event);
    }
    let path = match &volume {
        Some((name, _)) => {
            container.at.workload.spec_path().field("volumes").item(name).field("image").field("reference")
        }
        None => container.path().field("image"),
    };
    seen.show(Source::Spec, None, &format!("image: {image}"), Some(path));
    if why == Cause::NeverPresent {
        let policy = container.path().field("imagePullPolicy");
        seen.show(Source::Spec, None, "imagePullPolicy: Never", Some(policy));
    }
    seen.since = container.events().filter(|e| e.reason == "Failed").filter_map(Event::first_seen).min().or(seen.since);
    facts(&mut seen, container, why, image, told);
    Some((why, seen))
}

fn facts(seen: &mut Observation, container: &Running<'_, '_>, why: Cause, image: &str, told: &str) {
    let parts = reference(image);
    let pod = &container.at.pod.spec;
    seen.fact("image", image);
    seen.fact("registry", parts.registry);
    seen.fact("repository", parts.repository);
    seen.fact("version", parts.version);
    seen.fact("pullPolicy", container.spec.map_or("", |spec| spec.image_pull_policy.as_str()));
    seen.fact("pullSecrets", pull_secrets(&pod.image_pull_secrets));
    seen.fact("node", pod.node_name.as_str());
    seen.fact("platform", platform(container));
    seen.fact("worked", container.started_in_revision());
    if let Some(status) = status(told) {
        seen.fact("status", status);
    }
    // A single registry that fails many workloads is one incident.
    if why.is_of_registry() && seen.code.name != rows::IMAGE_VOLUME_FAILED.name {
        seen.shared = Some(ObjectRef::new("v1", "Registry", "", parts.registry));
    }
}

fn summary(container: &Running<'_, '_>, why: Cause, image: &str, told: &str) -> String {
    let name = &container.status.name;
    let host = reference(image).registry;
    let after = |mark: &str| told.rsplit_once(mark).map_or("", |(_, rest)| rest).trim().to_owned();
    match why {
        Cause::NotFound => format!("image {image} of container {name} does not exist in its registry"),
        Cause::AccessDenied => {
            format!(
                "registry {host} denies image {image} of container {name}: it does not exist, or a right is missing"
            )
        }
        Cause::AuthRequired => {
            let secrets = pull_secrets(&container.at.pod.spec.image_pull_secrets);
            let with = match secrets.as_slice() {
                [] => "the pod has no pull secret".to_owned(),
                some => format!("the pod names {}", text::and(some)),
            };
            format!("registry {host} wants credentials for image {image} of container {name}; {with}")
        }
        Cause::Forbidden => format!("registry {host} forbids the pull of image {image} of container {name}"),
        Cause::RateLimited => format!("registry {host} limits pulls: {}", status(told).unwrap_or("too many requests")),
        Cause::RegistryError => {
            format!("registry {host} fails: {}", status(told).unwrap_or("it is not available"))
        }
        Cause::Unreachable => {
            let why = ["no such host", "connection refused", "i/o timeout", "context deadline exceeded"];
            let why = why.into_iter().find(|text| told.contains(text)).unwrap_or("no answer");
            format!("the node does not reach registry {host}: {why}")
        }
        Cause::Tls => {
            let why = ["x509: ", "tls: ", "http: "].into_iter().map(after).find(|text| !text.is_empty());
            format!("the TLS connection to registry {host} fails: {}", why.unwrap_or_default())
        }
        Cause::Platform => {
            let platform = platform(container).unwrap_or("the platform of the node");
            format!("image {image} of container {name} is not built for {platform}")
        }
        Cause::NameInvalid => {
            let why = after("invalid reference format");
            let why = why.trim_start_matches([':', ' ']);
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            format!("image \"{image}\" of container {name} is no valid reference{why}")
        }
        Cause::NeverPresent => {
            format!("image {image} of container {name} is not on the node, and its pull policy is Never")
        }
        Cause::DiskFull => format!("the node has no room for image {image} of container {name}"),
        Cause::Corrupt => format!("a layer of image {image} of container {name} cannot be unpacked"),
        Cause::Signature => format!("the signature of image {image} of container {name} is not accepted"),
        Cause::Inspect => format!("the node's runtime cannot read image {image} of container {name}"),
        Cause::Unknown => String::new(),
    }
}

/// The architecture of the node that a pod is on, where it was seen.
fn platform<'s>(container: &Running<'_, 's>) -> Option<&'s str> {
    let name = &container.at.pod.spec.node_name;
    let node = container.at.view.snapshot.kind("Node").iter().find(|node| node.metadata.name == *name)?;
    Some(node.text("/status/nodeInfo/architecture")).filter(|text| !text.is_empty())
}

/// The volume of type image that a message is about: its name and its image.
fn volume_image(container: &Running<'_, '_>, message: &str, own: &str, certain: bool) -> Option<(String, String)> {
    if !certain && names_image(message, own) {
        return None;
    }
    container.at.pod.spec.volumes.iter().find_map(|volume| {
        let image = volume.pointer("/image/reference").and_then(Value::as_str)?;
        let name = volume.get("name").and_then(Value::as_str)?;
        names_image(message, image).then(|| (name.to_owned(), image.to_owned()))
    })
}

fn pull_secrets(list: &[Value]) -> Vec<String> {
    list.iter().filter_map(|one| one.get("name")?.as_str()).map(str::to_owned).collect()
}

/// The events about secrets of a pod that the kubelet could not read, and their names.
struct MissingSecrets<'s> {
    event: Option<&'s Event>,
    names: Vec<String>,
}

impl MissingSecrets<'_> {
    fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

fn missing_secrets<'s>(subject: Subject<'_, 's>) -> MissingSecrets<'s> {
    let event = subject.view.events(&subject.pod.metadata.uid).iter().rev().find(|e| e.reason == NO_SECRET).copied();
    let names = event.and_then(|event| event.text().split_once('(')?.1.split_once(')')).map(|(names, _)| names);
    let names: BTreeSet<&str> = names.into_iter().flat_map(|names| names.split(',')).map(str::trim).collect();
    MissingSecrets { event, names: names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect() }
}

fn pull_secret(subject: Subject<'_, '_>, secrets: &MissingSecrets<'_>, blocked: Option<&Observation>) -> Observation {
    let mut seen = Observation::of_workload(&rows::IMAGE_PULL_SECRET_MISSING, subject.workload);
    seen.pod = Some(subject.pod.metadata.name.clone());
    let names = text::and(&secrets.names);
    let does = if secrets.names.len() == 1 { "does" } else { "do" };
    seen.message.clone_from(&names);
    seen.summary = match blocked {
        Some(blocked) => {
            let image = blocked.facts.get("image").and_then(Value::as_str).unwrap_or_default();
            format!("pull secret {names} {does} not exist, and registry {} wants it", reference(image).registry)
        }
        None => format!("pull secret {names} {does} not exist; the images came without it"),
    };
    seen.since = subject.pod.metadata.creation_timestamp;
    if let Some(event) = secrets.event {
        seen.show_event(event);
        seen.since = event.first_seen().or(seen.since);
    }
    if let Some(blocked) = blocked {
        seen.container.clone_from(&blocked.container);
        for evidence in blocked.evidence.iter().take(1) {
            seen.show(evidence.source, evidence.at, &evidence.text, None);
        }
    }
    let named = pull_secrets(&subject.pod.spec.image_pull_secrets);
    for name in named.iter().filter(|name| secrets.names.contains(name)) {
        let at = named.iter().position(|other| other == name).unwrap_or_default();
        let path = subject.workload.spec_path().field("imagePullSecrets").push(Step::Index(at)).field("name");
        seen.show(Source::Spec, None, &format!("imagePullSecrets: {name}"), Some(path));
    }
    seen.facts = json!({
        "missing": names, "object": format!("Secret/{names}"), "names": secrets.names, "onPod": named, "drifted": subject.workload.drifted,
        "serviceAccount": subject.pod.spec.service_account_name, "revision": subject.workload.revision,
    });
    seen
}

/// What follows from a missing pull secret: the registry asks for credentials.
pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    let blocked = view.subjects().filter(|subject| !missing_secrets(*subject).is_empty()).flat_map(|subject| {
        subject.containers().into_iter().filter_map(|container| {
            let (why, seen) = fault(&container)?;
            matches!(why, Cause::AuthRequired | Cause::AccessDenied).then_some(seen)
        })
    });
    let mut out: Vec<Consequence> = Vec::new();
    for seen in blocked {
        if !out.iter().any(|known| known.follows.contains(&seen.workload)) {
            out.push(Consequence {
                code: seen.code,
                object: seen.object,
                follows: vec![seen.workload],
                container: None,
                summary: seen.summary,
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_split_as_runtimes_do() {
        for (image, registry, repository, version) in [
            ("busybox", "docker.io", "busybox", ""),
            ("shop/web:1", "docker.io", "shop/web", "1"),
            ("localhost/web:1", "localhost", "web", "1"),
            ("r.example:5000/shop/web:1", "r.example:5000", "shop/web", "1"),
            ("r.example:5000/shop/web", "r.example:5000", "shop/web", ""),
            ("r.example/web@sha256:00", "r.example", "web", "sha256:00"),
        ] {
            let parts = reference(image);
            assert_eq!((parts.registry, parts.repository, parts.version), (registry, repository, version), "{image}");
        }
    }
}
