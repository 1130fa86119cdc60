//! Volumes whose ConfigMap, Secret or key does not exist.

use super::{Kind, key_facts, no_key, rows, tell_missing};
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Settled, Subject};
use crate::model::finding::Source;
use crate::model::kube::Event;
use crate::model::path::{Path, Step};
use regex::Regex;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A failed mount is a finding when it failed twice or for this long.
const SETTLING: i64 = 30;

static SET_UP: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^MountVolume\.SetUp failed for volume "([^"]+)" : (.*)$"#).ok());
static NO_OBJECT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(configmap|secret) "([^"]+)" not found"#).ok());
static NO_KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?:configmap references non-existent config key|references non-existent (secret|config) key): ([^\s,\]]+)",
    )
    .ok()
});

/// A volume that the kubelet could not set up.
pub(crate) struct MountFailure<'s> {
    pub event: &'s Event,
    pub volume: &'s str,
    pub why: &'s str,
}

/// The newest failure of each volume of a pod that waits for its volumes now.
pub(crate) fn failures<'s>(subject: Subject<'_, 's>) -> Vec<MountFailure<'s>> {
    let waits = subject.containers().iter().any(|c| matches!(c.waiting(), "ContainerCreating" | "PodInitializing"));
    let mut out: Vec<MountFailure<'s>> = Vec::new();
    let events: &[&'s Event] = if waits { subject.view.events(&subject.pod.metadata.uid) } else { &[] };
    for event in events.iter().rev().copied().filter(|event| event.reason == "FailedMount") {
        let Some(found) = SET_UP.as_ref().and_then(|shape| shape.captures(event.text())) else { continue };
        let (Some(volume), Some(why)) = (found.get(1), found.get(2)) else { continue };
        let failure = MountFailure { event, volume: volume.as_str(), why: why.as_str() };
        let lasts = event.times() >= 2 || subject.view.settled(event.first_seen(), SETTLING) != Settled::No;
        if lasts && out.iter().all(|other| other.volume != failure.volume) {
            out.push(failure);
        }
    }
    out.reverse();
    out
}

pub(super) fn observe(subject: Subject<'_, '_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for failure in failures(subject) {
        let objects = NO_OBJECT.iter().flat_map(|shape| shape.captures_iter(failure.why));
        for found in objects {
            let kind = Kind::of(&found[1]);
            out.push(missing_object(subject, &failure, kind, &found[2]));
        }
        let keys = NO_KEY.iter().flat_map(|shape| shape.captures_iter(failure.why));
        for found in keys {
            let kind = found.get(1).map_or(Kind::ConfigMap, |kind| Kind::of(kind.as_str()));
            out.extend(missing_key(subject, &failure, kind, &found[2]));
        }
    }
    out
}

fn missing_object(subject: Subject<'_, '_>, failure: &MountFailure<'_>, kind: Kind, name: &str) -> Observation {
    let code = match kind {
        Kind::ConfigMap => &rows::VOLUME_CONFIGMAP_MISSING,
        Kind::Secret => &rows::VOLUME_SECRET_MISSING,
    };
    let mut seen = start(subject, failure, code);
    tell_missing(&mut seen, subject.view.snapshot, &subject.pod.metadata.namespace, kind, name);
    seen.summary = format!("volume {} cannot be mounted: {}", failure.volume, seen.summary);
    seen.message = format!("{} {name}", failure.volume);
    let named =
        sources(subject, failure.volume).into_iter().filter(|source| source.kind == kind && source.name == name);
    for source in named {
        let what = format!("volume {} mounts {} {name}", failure.volume, kind.name());
        seen.show(Source::Spec, None, &what, Some(source.name_path));
    }
    seen
}

/// The text names no object: it is that of the volume whose items name the key.
fn missing_key(subject: Subject<'_, '_>, failure: &MountFailure<'_>, kind: Kind, key: &str) -> Option<Observation> {
    let all = sources(subject, failure.volume);
    let source = all.into_iter().find(|s| s.kind == kind && s.items.iter().any(|(_, item)| item == key))?;
    let (snapshot, namespace) = (subject.view.snapshot, &subject.pod.metadata.namespace);
    let mut seen = start(subject, failure, &rows::VOLUME_KEY_MISSING);
    let no_key = no_key(snapshot, namespace, kind, &source.name, key);
    seen.summary = format!("volume {} cannot be mounted: {no_key}", failure.volume);
    seen.message = format!("{} {}/{key}", failure.volume, source.name);
    for (path, _) in source.items.iter().filter(|(_, item)| item == key) {
        seen.show(Source::Spec, None, &format!("key {key} of {}", source.name), Some(path.clone()));
    }
    key_facts(&mut seen, &rows::VOLUME_KEY_MISSING, snapshot, namespace, kind, (&source.name, key));
    Some(seen)
}

fn start(
    subject: Subject<'_, '_>,
    failure: &MountFailure<'_>,
    code: &'static crate::model::code::CodeInfo,
) -> Observation {
    let mut seen = Observation::of_workload(code, subject.workload);
    seen.pod = Some(subject.pod.metadata.name.clone());
    seen.since = failure.event.first_seen().or(subject.pod.metadata.creation_timestamp);
    seen.show_event(failure.event);
    let worked = subject.workload.current.iter().any(|pod| pod.is_ready());
    seen.facts = json!({
        "volume": failure.volume, "revision": subject.workload.revision, "drifted": subject.workload.drifted,
        "worked": worked,
    });
    seen
}

/// One ConfigMap or Secret that a volume takes files from.
pub(super) struct VolumeSource {
    pub kind: Kind,
    pub name: String,
    pub optional: bool,
    /// Where the name stands in the top owner.
    name_path: Path,
    /// Path of each item's key and the key.
    items: Vec<(Path, String)>,
    /// The path that each item makes; empty when the keys themselves are the paths.
    pub made: Vec<String>,
}

/// The sources of a volume of a pod.
pub(super) fn sources(subject: Subject<'_, '_>, volume: &str) -> Vec<VolumeSource> {
    let found = subject.pod.spec.volumes.iter().find(|v| v.get("name").and_then(Value::as_str) == Some(volume));
    let root = subject.workload.spec_path().field("volumes").item(volume);
    let Some(found) = found else { return Vec::new() };
    let mut out = Vec::new();
    for (field, leaf) in [("configMap", "name"), ("secret", "secretName")] {
        out.extend(found.get(field).and_then(|value| source(field, leaf, value, &root.field(field))));
    }
    let projected = found.pointer("/projected/sources").and_then(Value::as_array);
    for (at, one) in projected.into_iter().flatten().enumerate() {
        let root = root.field("projected").field("sources").push(Step::Index(at));
        for field in ["configMap", "secret"] {
            out.extend(one.get(field).and_then(|value| source(field, "name", value, &root.field(field))));
        }
    }
    out
}

fn source(field: &str, leaf: &str, value: &Value, root: &Path) -> Option<VolumeSource> {
    let items = value.get("items").and_then(Value::as_array);
    let item = |name: &'static str| {
        let text = move |item: &Value| item.get(name).and_then(Value::as_str).map(str::to_owned);
        items.into_iter().flatten().enumerate().filter_map(move |(at, item)| Some((at, text(item)?)))
    };
    Some(VolumeSource {
        kind: Kind::of(field),
        name: value.get(leaf).and_then(Value::as_str)?.to_owned(),
        optional: value.get("optional").and_then(Value::as_bool) == Some(true),
        name_path: root.field(leaf),
        items: item("key").map(|(at, key)| (root.field("items").push(Step::Index(at)).field("key"), key)).collect(),
        made: item("path").map(|(_, path)| path).collect(),
    })
}
