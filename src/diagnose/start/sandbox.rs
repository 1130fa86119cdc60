//! Pods whose sandbox or volumes the node cannot set up.

use super::rows;
use crate::diagnose::config::{MountFailure, mount_failures};
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Settled, Subject};
use crate::model::code::CodeInfo;
use crate::model::finding::Source;
use crate::model::kube::Event;
use crate::model::quantity::Quantity;
use regex::Regex;
use std::sync::LazyLock;

/// A failed sandbox is a finding when it failed twice or for this long.
const SETTLING: i64 = 30;
/// The token's volume is as large as the memory limit: below this it cannot hold a token.
const TOKEN: i128 = 64 * 1024 * 1000;

static HANDLER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"no runtime for "([^"]+)" is configured"#).ok());
static PLUGIN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"plugin type="([^"]+)""#).ok());
static HOST_PATH: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"hostPath type check failed: (\S+) is not (.+)").ok());

pub(super) fn observe(subject: Subject<'_, '_>) -> Vec<Observation> {
    let mut out: Vec<Observation> =
        mount_failures(subject).iter().filter_map(|failure| mount(subject, failure)).collect();
    out.extend(sandbox(subject));
    out
}

fn first(shape: &LazyLock<Option<Regex>>, text: &str) -> Option<String> {
    shape.as_ref()?.captures(text)?.get(1).map(|found| found.as_str().to_owned())
}

fn start(subject: Subject<'_, '_>, event: &Event, code: &'static CodeInfo) -> Observation {
    let mut seen = Observation::of_workload(code, subject.workload);
    seen.pod = Some(subject.pod.metadata.name.clone());
    seen.since = event.first_seen().or(subject.pod.metadata.creation_timestamp);
    seen.show_event(event);
    seen.fact("node", subject.pod.spec.node_name.as_str());
    seen.fact("drifted", subject.workload.drifted);
    seen.fact("revision", subject.workload.revision.as_str());
    seen
}

fn mount(subject: Subject<'_, '_>, failure: &MountFailure<'_>) -> Option<Observation> {
    if let Some(found) = HOST_PATH.as_ref().and_then(|shape| shape.captures(failure.why)) {
        let (path, wanted) = (found[1].to_owned(), found[2].trim().to_owned());
        let mut seen = start(subject, failure.event, &rows::HOSTPATH_TYPE_MISMATCH);
        seen.message = format!("{} {path}", failure.volume);
        let node = &subject.pod.spec.node_name;
        seen.summary = format!("{path} of volume {} is not {wanted} on node {node}", failure.volume);
        let field = subject.workload.spec_path().field("volumes").item(failure.volume).field("hostPath");
        seen.show(Source::Spec, None, &format!("hostPath: {path}"), Some(field));
        seen.fact("path", path);
        seen.fact("wanted", wanted);
        return Some(seen);
    }
    let is_token = failure.volume.starts_with("kube-api-access-") && failure.why.contains("no space left on device");
    let tiny = smallest_limit(subject).is_some_and(|(_, limit, _)| limit.milli < TOKEN);
    (is_token && tiny).then(|| {
        let mut seen = start(subject, failure.event, &rows::SANDBOX_OOM);
        seen.summary = limit(&mut seen, subject, None);
        seen
    })
}

/// The newest failure to make the sandbox, while the containers wait for it.
fn sandbox(subject: Subject<'_, '_>) -> Option<Observation> {
    let waits = subject.containers().iter().any(|c| matches!(c.waiting(), "ContainerCreating" | "PodInitializing"));
    let events = subject.view.events(&subject.pod.metadata.uid).iter().rev();
    let is_sandbox = |event: &&Event| matches!(event.reason.as_str(), "FailedCreatePodSandBox" | "NetworkNotReady");
    let event = events.copied().find(is_sandbox).filter(|_| waits)?;
    if event.times() < 2 && subject.view.settled(event.first_seen(), SETTLING) == Settled::No {
        return None;
    }
    let text = event.text();
    if text.contains("container init was OOM-killed") {
        let mut seen = start(subject, event, &rows::SANDBOX_OOM);
        seen.summary = limit(&mut seen, subject, None);
        return Some(seen);
    }
    if let Some(handler) = first(&HANDLER, text) {
        let mut seen = start(subject, event, &rows::RUNTIME_HANDLER_MISSING);
        seen.message.clone_from(&handler);
        seen.summary =
            format!("node {} has no runtime {handler}, which the RuntimeClass names", subject.pod.spec.node_name);
        let path = subject.workload.spec_path().field("runtimeClassName");
        let class = &subject.pod.spec.runtime_class_name;
        seen.show(Source::Spec, None, &format!("runtimeClassName: {class}"), Some(path));
        seen.fact("handler", handler);
        seen.fact("runtimeClass", class.as_str());
        return Some(seen);
    }
    let plugin = first(&PLUGIN, text);
    let is_network = plugin.is_some()
        || event.reason == "NetworkNotReady"
        || ["network: ", "failed to allocate for range"].iter().any(|part| text.contains(part));
    is_network.then(|| {
        let mut seen = start(subject, event, &rows::SANDBOX_NETWORK);
        seen.message.clone_from(&subject.pod.spec.node_name);
        let by = plugin.as_ref().map_or_else(String::new, |plugin| format!(" (plugin {plugin})"));
        seen.summary = format!("node {} cannot set up the network of the pod{by}", subject.pod.spec.node_name);
        seen.fact("plugin", plugin);
        seen
    })
}

/// The container with the smallest memory limit: its name, the limit, and as written.
fn smallest_limit<'s>(subject: Subject<'_, 's>) -> Option<(&'s str, Quantity, String)> {
    let containers = subject.pod.spec.init_containers.iter().chain(&subject.pod.spec.containers);
    let limits = containers.filter_map(|container| {
        let written = container.resources.limits.get("memory")?;
        let shown = written.as_str().map_or_else(|| written.to_string(), str::to_owned);
        Some((container.name.as_str(), Quantity::of(written)?, shown))
    });
    limits.min_by_key(|(_, limit, _)| *limit)
}

/// Tells of the memory limit that is too small for the runtime: that of a container, else the smallest.
pub(super) fn limit(seen: &mut Observation, subject: Subject<'_, '_>, name: Option<&str>) -> String {
    let Some((found, _, written)) = smallest_limit(subject) else {
        return "the runtime's first process was killed for memory: a limit is too low".to_owned();
    };
    let container = name.unwrap_or(found);
    let list =
        if subject.pod.spec.containers.iter().any(|c| c.name == container) { "containers" } else { "initContainers" };
    let path = subject.workload.spec_path().field(list).item(container);
    let path = path.field("resources").field("limits").field("memory");
    seen.show(Source::Spec, None, &format!("limits.memory: {written}"), Some(path));
    seen.container = Some(container.to_owned());
    seen.message.clone_from(&written);
    seen.fact("list", list);
    seen.fact("limit", written.as_str());
    format!("memory limit {written} of container {container} is below what the runtime itself needs")
}
