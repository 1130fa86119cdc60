//! A subPath of a volume that has no such file.

use super::rows;
use super::volume::sources;
use crate::diagnose::crash;
use crate::diagnose::health;
use crate::diagnose::log_lines;
use crate::diagnose::observe::Observation;
use crate::diagnose::view::Running;
use crate::model::finding::{Confidence, Source};
use crate::model::path::Step;
use crate::text;
use serde_json::Value;
use std::collections::BTreeSet;

/// A mount whose subPath its volume does not make.
pub(crate) struct Missing {
    /// Position in `volumeMounts`.
    at: usize,
    sub_path: String,
    mount_path: String,
    volume: String,
    object: String,
    /// What the volume makes.
    made: BTreeSet<String>,
}

/// The first mount of a container whose subPath is no path of its ConfigMap or Secret volume.
/// Nothing is said where the keys are not known or the volume is optional.
pub(crate) fn missing(container: &Running<'_, '_>) -> Option<Missing> {
    let mounts = container.spec?.volume_mounts.iter().enumerate();
    mounts.into_iter().find_map(|(at, mount)| {
        let text = |name: &str| mount.get(name).and_then(Value::as_str);
        let (volume, sub_path) = (text("name")?, text("subPath")?.trim_matches('/'));
        let (made, object) = made_by(container, volume)?;
        let there = made
            .iter()
            .any(|path| path == sub_path || path.strip_prefix(sub_path).is_some_and(|rest| rest.starts_with('/')));
        (!there && !sub_path.is_empty()).then(|| Missing {
            at,
            sub_path: sub_path.to_owned(),
            mount_path: text("mountPath").unwrap_or_default().to_owned(),
            volume: volume.to_owned(),
            object,
            made,
        })
    })
}

fn made_by(container: &Running<'_, '_>, volume: &str) -> Option<(BTreeSet<String>, String)> {
    let (snapshot, namespace) = (container.at.view.snapshot, &container.at.pod.metadata.namespace);
    let sources = sources(container.at, volume);
    let first = sources.first()?;
    let object = format!("{} {}", first.kind.name(), first.name);
    let mut made = BTreeSet::new();
    for source in &sources {
        if source.optional {
            return None;
        }
        if source.made.is_empty() {
            made.extend(source.kind.keys(snapshot, namespace, &source.name)?.iter().cloned());
        } else {
            made.extend(source.made.iter().cloned());
        }
    }
    // Other sources (tokens, the downward API) make files of their own.
    let volumes = &container.at.pod.spec.volumes;
    let spec = volumes.iter().find(|v| v.get("name").and_then(Value::as_str) == Some(volume))?;
    let projected = spec.pointer("/projected/sources").and_then(Value::as_array).map_or(0, Vec::len);
    (projected == 0 || projected == sources.len()).then_some((made, object))
}

/// The fault itself: a container that runs well with an empty folder there is only worth a line.
pub(super) fn static_check(container: &Running<'_, '_>) -> Option<Observation> {
    let found = missing(container)?;
    let crashes = crash::is_crashing(container);
    let late = !container.status.ready && container.status.state.running.is_some();
    if !container.status.ready && !crashes && !late {
        return None;
    }
    let Missing { at, sub_path, mount_path, volume, object, made } = found;
    let mut seen = Observation::of_container(&rows::SUBPATH_KEY_MISSING, container);
    seen.confidence = Confidence::Strong;
    seen.message = format!("{volume} {sub_path}");
    let near = text::nearest(&sub_path, made.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |near| format!("; it has {near}"));
    seen.summary = format!(
        "{object} has no key {sub_path}, so container {} finds an empty folder at {mount_path}{near}",
        container.status.name
    );
    let path = container.path().field("volumeMounts").push(Step::Index(at)).field("subPath");
    seen.show(Source::Spec, None, &format!("subPath: {sub_path} of volume {volume}"), Some(path));
    let keys: Vec<&String> = made.iter().collect();
    seen.show(Source::Spec, None, &format!("the volume makes {}", text::and(&keys)), None);
    if let Some(line) = log_lines::find(container, |line| line.to_ascii_lowercase().contains("is a directory")) {
        seen.show(Source::Log, line.at, &line.text, None);
    }
    seen.fact("missing", sub_path);
    seen.fact("volume", volume);
    seen.fact("made", made.iter().cloned().collect::<Vec<_>>());
    // It starts anyway, so that it ran says nothing.
    seen.fact("worked", container.ran_long_in_revision());
    let told_otherwise = crashes && crash::named_by_log(container);
    if container.status.ready || told_otherwise {
        return Some(seen.aside());
    }
    seen.settle(if crashes {
        crate::diagnose::view::Settled::Yes
    } else {
        health::settled(container.at.view, container.at.pod)
    })
}
