//! Pulls that last, and tags that moved.

use super::{reference, rows};
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Running, View, Workload};
use crate::model::finding::{Confidence, Source};
use crate::model::kube::{ContainerStatus, Pod};
use crate::text;

/// A pull is worth a line after this, and a failure after [`FAILING`].
const SLOW: i64 = 300;
const FAILING: i64 = 900;

/// A pull without an end or an error.
pub(super) fn slow_pull(container: &Running<'_, '_>) -> Option<Observation> {
    if container.waiting() != "ContainerCreating" && container.waiting() != "PodInitializing" {
        return None;
    }
    let pulls = container.events().filter(|e| matches!(e.reason.as_str(), "Pulling" | "Pulled" | "Failed"));
    let pulling = pulls.last().filter(|event| event.reason == "Pulling")?;
    let age = container.at.view.age(pulling.last_seen()).filter(|age| *age >= SLOW)?;
    let image = container.image();
    let mut seen = Observation::of_container(&rows::IMAGE_PULL_SLOW, container);
    seen.message = image.to_owned();
    seen.summary =
        format!("image {image} of container {} has been pulled for {}", container.status.name, text::duration(age));
    seen.show_event(pulling);
    seen.show(Source::Spec, None, &format!("image: {image}"), Some(container.path().field("image")));
    seen.since = pulling.first_seen().or(seen.since);
    seen.fact("image", image);
    seen.fact("seconds", age);
    Some(if age < FAILING { seen.aside().explaining() } else { seen })
}

/// A ready pod and a failing one of the same revision with other digests under one tag.
pub(super) fn tag_moved(view: &View<'_>) -> Vec<Observation> {
    view.workloads.iter().filter_map(moved).collect()
}

fn moved(workload: &Workload<'_>) -> Option<Observation> {
    let fails = |pod: &Pod, status: &ContainerStatus| {
        !pod.is_ready() && !status.ready && (status.restart_count > 0 || status.state.running.is_some())
    };
    let statuses =
        || workload.current.iter().flat_map(|pod| pod.status.container_statuses.iter().map(move |s| (*pod, s)));
    let (pod, bad) = statuses().find(|(pod, status)| {
        fails(pod, status) && !reference(&status.image).by_digest && digest(&status.image_id).is_some()
    })?;
    let (_, good) = statuses().find(|(pod, other)| {
        pod.is_ready() && other.ready && other.name == bad.name && digest(&other.image_id).is_some()
    })?;
    let image = |pod: &Pod| pod.spec.containers.iter().find(|c| c.name == bad.name).map(|c| c.image.clone());
    let wanted = image(pod)?;
    if digest(&good.image_id) == digest(&bad.image_id) || reference(&wanted).by_digest {
        return None;
    }
    let mut seen = Observation::of_workload(&rows::IMAGE_TAG_MOVED, workload);
    seen.pod = Some(pod.metadata.name.clone());
    seen.container = Some(bad.name.clone());
    seen.confidence = Confidence::Hypothesis;
    seen.message.clone_from(&wanted);
    seen.summary = format!(
        "tag of image {wanted} moved: a ready pod and a failing one of container {} run other digests",
        bad.name
    );
    seen.since = pod.metadata.creation_timestamp;
    seen.show(Source::Status, None, &format!("ready: imageID {}", good.image_id), None);
    seen.show(Source::Status, None, &format!("failing: imageID {}", bad.image_id), None);
    seen.fact("image", wanted);
    seen.fact("good", good.image_id.as_str());
    seen.fact("bad", bad.image_id.as_str());
    Some(seen.aside())
}

/// `sha256:...` of an imageID.
fn digest(id: &str) -> Option<&str> {
    id.rsplit_once("sha256:").map(|(_, digest)| digest).filter(|digest| !digest.is_empty())
}
