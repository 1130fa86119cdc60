//! Pods that were ended from outside.

mod moved;
pub(crate) mod rows;

use super::not_ready::failed_settled;
use super::observe::Observation;
use super::view::{Settled, View, Workload};
use super::workload::Consequence;
use crate::model::finding::{Confidence, Source};
use crate::model::kube::Pod;
use crate::text;
use regex::Regex;
pub(crate) use rows::CODES;
use std::sync::LazyLock;

macro_rules! shape {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}
shape!(POD_LIMIT, r"Pod ephemeral local storage usage exceeds the total limit of containers (\S+?)\.");
shape!(CONTAINER_LIMIT, r#"Container (\S+) exceeded its local ephemeral storage limit "([^"]+)""#);
shape!(EMPTY_DIR, r#"Usage of EmptyDir volume "([^"]+)" exceeds the limit "([^"]+)""#);
shape!(PRESSURE, r"The node was low on resource: ([\w-]+)\.");
shape!(USING, r"(?:Container|Pod) (\S+) was using ([^,\s]+), request is ([^,\s]+),");
shape!(CONDITION, r"The node had condition: \[([^\]]+)\]");

fn found(shape: &LazyLock<Option<Regex>>, text: &str) -> Option<Vec<String>> {
    let found = shape.as_ref()?.captures(text)?;
    Some(found.iter().skip(1).flatten().map(|part| part.as_str().to_owned()).collect())
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let pods = view.workloads.iter().flat_map(|workload| workload.current.iter().map(move |pod| (workload, *pod)));
    let failed = pods.filter(|(_, pod)| pod.status.phase == "Failed" && pod.metadata.deletion_timestamp.is_none());
    let mut out: Vec<Observation> = failed.filter_map(|(workload, pod)| ended(view, workload, pod)).collect();
    out.extend(moved::observe(view));
    out
}

/// A pod that the kubelet ended: what its reason and message say.
fn ended(view: &View<'_>, workload: &Workload<'_>, pod: &Pod) -> Option<Observation> {
    let mut seen = match pod.status.reason.as_str() {
        "Evicted" => evicted(workload, pod)?,
        "DeadlineExceeded" => {
            let mut seen = Observation::of_workload(&rows::POD_DEADLINE_EXCEEDED, workload);
            let deadline = pod.spec.active_deadline_seconds;
            let after = deadline.map_or_else(String::new, |seconds| format!(" of {}", text::duration(seconds)));
            seen.summary = format!("the pod ran longer than its deadline{after}");
            if let Some(deadline) = deadline {
                let path = workload.spec_path().field("activeDeadlineSeconds");
                seen.show(Source::Spec, None, &format!("activeDeadlineSeconds: {deadline}"), Some(path));
            }
            seen.fact("deadline", deadline);
            seen
        }
        "Terminated" | "NodeShutdown" => {
            let mut seen = Observation::of_workload(&rows::NODE_SHUTDOWN_KILLED, workload);
            seen.message.clone_from(&pod.spec.node_name);
            seen.summary = format!("the pod was ended because node {} shut down", pod.spec.node_name);
            seen
        }
        _ => return None,
    };
    seen.pod = Some(pod.metadata.name.clone());
    let disrupted = pod.condition("DisruptionTarget").and_then(|c| c.last_transition_time.0);
    seen.since = disrupted.or(pod.metadata.creation_timestamp);
    let said = format!("{}: {}", pod.status.reason, pod.status.message.trim());
    seen.show(Source::Status, disrupted, &said, None);
    let told = |event: &&&crate::model::kube::Event| event.reason == pod.status.reason;
    if let Some(event) = view.events(&pod.metadata.uid).iter().rfind(told) {
        seen.show_event(event);
    }
    seen.fact("node", pod.spec.node_name.as_str());
    seen.fact("drifted", workload.drifted);
    seen.fact("revision", workload.revision.as_str());
    let alike = workload.current.iter().filter(|other| other.status.reason == pod.status.reason).count();
    seen.fact("times", alike);
    if alike > 1 {
        seen.summary.push_str(&format!(", {} in all", text::count(alike, "pod")));
    }
    let kind = workload.source.map(|source| source.kind.as_str());
    // Left behind by a controller that has its pods: history, unless it comes again and again.
    if failed_settled(view, workload, pod, kind) != Settled::Yes {
        return Some(seen.aside());
    }
    Some(seen)
}

fn evicted(workload: &Workload<'_>, pod: &Pod) -> Option<Observation> {
    let message = pod.status.message.as_str();
    let new = |code, about: &str| {
        let mut seen = Observation::of_workload(code, workload);
        about.clone_into(&mut seen.message);
        seen
    };
    if let Some(parts) = found(&CONTAINER_LIMIT, message) {
        let [container, limit] = parts.as_slice() else { return None };
        let mut seen = new(&rows::EVICTED_EPHEMERAL_LIMIT, container);
        seen.container = Some(container.clone());
        seen.summary = format!("container {container} writes more to the node's disk than its limit of {limit}");
        storage_limit(&mut seen, workload, container, limit);
        return Some(seen);
    }
    if let Some(parts) = found(&POD_LIMIT, message) {
        let limit = parts.first()?;
        let mut seen = new(&rows::EVICTED_EPHEMERAL_LIMIT, limit);
        seen.summary = format!("the pod writes more to the node's disk than the {limit} that its containers may");
        let limited = |c: &&crate::model::kube::Container| c.resources.limits.contains_key("ephemeral-storage");
        let limited: Vec<&str> = pod.spec.containers.iter().filter(limited).map(|c| c.name.as_str()).collect();
        // The text names no container: it is known where only one has a limit.
        if let [only] = limited.as_slice() {
            seen.container = Some((*only).to_owned());
            storage_limit(&mut seen, workload, only, limit);
        }
        return Some(seen);
    }
    if let Some(parts) = found(&EMPTY_DIR, message) {
        let [volume, limit] = parts.as_slice() else { return None };
        let mut seen = new(&rows::EVICTED_EMPTYDIR_LIMIT, volume);
        seen.summary = format!("emptyDir {volume} grows above its limit of {limit}");
        let path = workload.spec_path().field("volumes").item(volume).field("emptyDir").field("sizeLimit");
        seen.show(Source::Spec, None, &format!("sizeLimit: {limit}"), Some(path));
        seen.fact("volume", volume.as_str());
        seen.fact("limit", limit.as_str());
        return Some(seen);
    }
    if let Some(resource) = found(&PRESSURE, message).and_then(|parts| parts.into_iter().next()) {
        let mut seen = new(&rows::EVICTED_NODE_PRESSURE, &resource);
        seen.summary = format!("node {} was low on {resource} and ended the pod", pod.spec.node_name);
        seen.fact("resource", resource.as_str());
        if let Some([name, used, asked]) = found(&USING, message).as_deref() {
            seen.summary.push_str(&format!("; {name} used {used} and requests {asked}"));
            seen.fact("name", name.as_str());
            seen.fact("used", used.as_str());
            seen.fact("request", asked.as_str());
            seen.fact("ofContainer", message.contains(&format!("Container {name} was using")));
        }
        return Some(seen);
    }
    let condition = found(&CONDITION, message).and_then(|parts| parts.into_iter().next())?;
    let mut seen = new(&rows::EVICTED_NODE_CONDITION, &condition);
    seen.confidence = Confidence::Certain;
    seen.summary = format!("node {} has {condition} and does not admit the pod", pod.spec.node_name);
    seen.fact("condition", condition);
    Some(seen)
}

fn storage_limit(seen: &mut Observation, workload: &Workload<'_>, container: &str, limit: &str) {
    let path = workload.spec_path().field("containers").item(container).field("resources").field("limits");
    seen.show(Source::Spec, None, &format!("limits.ephemeral-storage: {limit}"), Some(path.field("ephemeral-storage")));
    seen.fact("limit", limit);
    seen.fact("list", "containers");
}

/// Ends that nobody saw, which follow from what ended the pod.
pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    let unknown = |pod: &Pod| {
        let mut all = pod.status.container_statuses.iter().flat_map(|s| [&s.state, &s.last_state]);
        all.any(|state| state.terminated.as_ref().is_some_and(|end| end.reason == "ContainerStatusUnknown"))
    };
    let hit = view.workloads.iter().filter_map(|workload| {
        let pods = workload.current.iter().filter(|pod| unknown(pod)).count();
        (pods > 0).then(|| Consequence {
            code: &rows::EVICTED_STATUS_UNKNOWN,
            object: workload.top.clone(),
            follows: vec![workload.key.clone()],
            container: None,
            summary: format!(
                "the end of containers of {} was not seen; 137 is a placeholder",
                text::count(pods, "pod")
            ),
        })
    });
    hit.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_evictions_are_parsed() {
        let text = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. Container app was \
                    using 900Mi, request is 0, has larger consumption of memory. ";
        assert_eq!(found(&PRESSURE, text), Some(vec!["memory".to_owned()]));
        assert_eq!(found(&USING, text), Some(vec!["app".to_owned(), "900Mi".to_owned(), "0".to_owned()]));
        let text = "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ";
        assert_eq!(found(&POD_LIMIT, text), Some(vec!["10Mi".to_owned()]));
        let text = "Usage of EmptyDir volume \"c\" exceeds the limit \"5Mi\". ";
        assert_eq!(found(&EMPTY_DIR, text), Some(vec!["c".to_owned(), "5Mi".to_owned()]));
        let text = "The node had condition: [DiskPressure]. ";
        assert_eq!(found(&CONDITION, text), Some(vec!["DiskPressure".to_owned()]));
        assert_eq!(found(&CONTAINER_LIMIT, text), None);
    }
}
