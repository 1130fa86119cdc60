//! Crashes whose log names a path.

use super::mounts;
use crate::diagnose::observe::{Explains, Observation};
use crate::diagnose::signatures::Hit;
use crate::diagnose::start::rows as start_rows;
use crate::diagnose::view::Running;
use crate::model::finding::{Confidence, Source};
use crate::model::kube::Oddity;
use crate::text;
use serde_json::Value;

pub(super) fn file(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> Option<String> {
    let path = hit.get("path")?;
    seen.message = path.to_owned();
    seen.fact("path", path);
    let name = &container.status.name;
    let what = if hit.get("folder").is_some() { "a folder" } else { "nothing" };
    let Some(mount) = mounts::holding(container, path) else {
        return Some(format!("container {name} finds {what} at {path}"));
    };
    let (snapshot, namespace) = (container.at.view.snapshot, &container.at.pod.metadata.namespace);
    let keys = mount.source().and_then(|(kind, object)| kind.keys(snapshot, namespace, object));
    let file = path.rsplit('/').next().unwrap_or(path);
    let near = keys.and_then(|keys| text::nearest(file, keys.iter().map(String::as_str)));
    let of = mount.source().map_or_else(String::new, |(kind, object)| format!(" of {} {object}", kind.name()));
    seen.fact("mount", mount.fact());
    seen.fact("near", near);
    let volume = container.at.workload.spec_path().field("volumes").item(mount.name);
    seen.show(Source::Spec, None, &format!("{} holds volume {}{of}", mount.path, mount.name), Some(volume));
    let near = near.map_or_else(String::new, |near| format!(", which has {near}"));
    Some(format!("container {name} finds {what} at {path} in volume {}{of}{near}", mount.name))
}

pub(super) fn permission(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> Option<String> {
    let path = hit.get("path")?;
    seen.message = path.to_owned();
    seen.fact("path", path);
    seen.fact("notPermitted", hit.get("owner").is_some());
    let user = mounts::security(container, "runAsUser").cloned();
    let as_user = user.as_ref().map_or_else(String::new, |user| format!(" as user {user}"));
    for field in ["runAsUser", "runAsGroup", "fsGroup"] {
        seen.fact(field, mounts::security(container, field).cloned());
    }
    if user.is_some() {
        seen.show(Source::Spec, None, &format!("runs{as_user}"), None);
    }
    let place = match mounts::holding(container, path) {
        Some(mount) => {
            seen.fact("mount", mount.fact());
            let volume = container.at.workload.spec_path().field("volumes").item(mount.name);
            seen.show(
                Source::Spec,
                None,
                &format!("{} holds volume {} ({})", mount.path, mount.name, mount.kind()),
                Some(volume),
            );
            format!(" in volume {}", mount.name)
        }
        None => String::new(),
    };
    Some(format!("container {} may not use {path}{place}{as_user}", container.status.name))
}

pub(super) fn read_only(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> String {
    let name = &container.status.name;
    let root = mounts::security(container, "readOnlyRootFilesystem").and_then(Value::as_bool) == Some(true);
    seen.fact("readOnlyRoot", root);
    let Some(path) = hit.get("path") else {
        return format!("container {name} writes to a read-only file system");
    };
    seen.message = path.to_owned();
    seen.fact("path", path);
    let mount = mounts::holding(container, path);
    seen.fact("mount", mount.as_ref().map(mounts::Mount::fact));
    let proof = match &mount {
        Some(mount) => mount.read_only.then(|| (format!("mount {} is readOnly", mount.path), None)),
        None => root.then(|| {
            let path = container.path().field("securityContext").field("readOnlyRootFilesystem");
            ("readOnlyRootFilesystem: true".to_owned(), Some(path))
        }),
    };
    if let Some((text, path)) = proof {
        seen.confidence = Confidence::Strong;
        seen.show(Source::Spec, None, &text, path);
    }
    format!("container {name} writes to {path}, which is read-only")
}

pub(super) fn disk(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> String {
    let name = &container.status.name;
    let Some(path) = hit.get("path") else { return format!("container {name} has no space left on a volume") };
    seen.message = path.to_owned();
    seen.fact("path", path);
    let Some(mount) = mounts::holding(container, path) else {
        return format!("container {name} has no space left for {path}, which is on the node's disk");
    };
    seen.fact("mount", mount.fact());
    let limit = mount.volume.and_then(|volume| volume.pointer("/emptyDir/sizeLimit")?.as_str());
    let volume = container.at.workload.spec_path().field("volumes").item(mount.name);
    let (limit, shown) = match limit {
        Some(limit) => (format!(" of {limit}"), format!("{}.sizeLimit: {limit}", mount.kind())),
        None => (String::new(), format!("volume {} ({})", mount.name, mount.kind())),
    };
    seen.show(Source::Spec, None, &shown, Some(volume));
    format!("container {name} has no space left for {path} in volume {}{limit}", mount.name)
}

pub(super) fn parse(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> String {
    let name = &container.status.name;
    let line = hit.get("line").map_or_else(String::new, |line| format!(" line {line}"));
    let Some(path) = hit.get("path") else {
        return format!("container {name} cannot parse its configuration: {}", text::clip(&hit.line.text, 120));
    };
    seen.message = format!("{path}{line}");
    seen.fact("path", path);
    seen.fact("line", hit.get("line"));
    let mount = mounts::holding(container, path);
    seen.fact("mount", mount.as_ref().map(mounts::Mount::fact));
    let of = mount.as_ref().and_then(mounts::Mount::source);
    let of = of.map_or_else(String::new, |(kind, object)| format!(" of {} {object}", kind.name()));
    if let Some((map, key)) = of_map(seen, container, path) {
        let volume = mount.map(|mount| container.at.workload.spec_path().field("volumes").item(mount.name));
        seen.show(Source::Spec, None, &format!("{path} is key {key} of ConfigMap {map}"), volume);
    }
    format!("container {name} cannot parse {path}{line}{of}")
}

/// The ConfigMap and the key that a path is, kept as facts.
fn of_map(seen: &mut Observation, container: &Running<'_, '_>, path: &str) -> Option<(String, String)> {
    let (view, namespace) = (container.at.view, &container.at.pod.metadata.namespace);
    let keys = |map: &str| view.config_map(namespace, map).and_then(|map| map.keys.as_ref());
    let has = |map: &str, key: &str| keys(map).is_some_and(|keys| keys.contains(key));
    let found = mounts::holding(container, path)?.key(path, has)?;
    seen.fact("configMap", found.0.as_str());
    seen.fact("key", found.1.as_str());
    Some(found)
}

/// A script of a ConfigMap whose first line ends in a carriage return: no image has an interpreter of that name.
pub(super) fn windows(seen: &mut Observation, container: &Running<'_, '_>, path: &str) -> Option<String> {
    let (name, key) = of_map(seen, container, path)?;
    let workload = container.at.workload;
    let map = container.at.view.config_map(&container.at.pod.metadata.namespace, &name)?;
    if map.odd.get(&key) != Some(&Oddity::WindowsScript) {
        return None;
    }
    seen.code = &start_rows::SCRIPT_CRLF;
    seen.class = start_rows::SCRIPT_CRLF.class;
    path.clone_into(&mut seen.message);
    seen.confidence = Confidence::Strong;
    seen.fact("program", path);
    seen.fact("windows", true);
    // What is odd about the file is this.
    seen.explains.push(Explains { key: workload.key.clone(), codes: &["config-encoding"] });
    let mount = mounts::holding(container, path)?;
    seen.fact("mount", mount.fact());
    let volume = workload.spec_path().field("volumes").item(mount.name);
    let said = format!("the first line of key {key} of ConfigMap {name} ends in a carriage return");
    seen.show(Source::Spec, None, &said, Some(volume));
    let container = &container.status.name;
    Some(format!("container {container} cannot run {path} of ConfigMap {name}: its lines end as on Windows"))
}

/// `exec X: ...` of a runtime that could not start a script or a program.
pub(super) fn program(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> String {
    let name = &container.status.name;
    let is_script = seen.code.name == start_rows::SCRIPT_CRLF.name;
    let first = || container.spec.and_then(|spec| Some(spec.command.first()?.as_str())).filter(|_| is_script);
    let path = hit.get("path").or_else(first).unwrap_or_default();
    if let Some(told) = is_script.then(|| windows(seen, container, path)).flatten() {
        return told;
    }
    seen.message = path.to_owned();
    seen.fact("program", path);
    seen.fact("node", container.at.pod.spec.node_name.as_str());
    let mount = mounts::holding(container, path);
    let of = mount.as_ref().and_then(mounts::Mount::source);
    seen.fact("mount", mount.as_ref().map(mounts::Mount::fact));
    let shown = of.map_or_else(|| path.to_owned(), |(kind, object)| format!("{path} of {} {object}", kind.name()));
    if seen.code.name == start_rows::EXEC_FORMAT_ERROR.name {
        return format!("{shown}, which container {name} runs, is no program for this node");
    }
    if of.is_none() {
        // Not a file that we know to exist: the program itself may be what is missing.
        seen.code = &start_rows::COMMAND_NOT_FOUND;
        seen.class = start_rows::COMMAND_NOT_FOUND.class;
        return format!(
            "container {name} cannot run {shown}: it or its interpreter is not in image {}",
            container.image()
        );
    }
    format!(
        "container {name} cannot run {shown}: its first line names no interpreter of the image, as with Windows line ends"
    )
}
