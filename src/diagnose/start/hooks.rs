//! Lifecycle hooks that fail.

use super::rows;
use crate::diagnose::crash;
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Running, View};
use crate::model::finding::Source;
use crate::text;

/// The kubelet kills a container whose postStart hook fails; the hook's output is nowhere.
pub(super) fn post_start(container: &Running<'_, '_>) -> Option<Observation> {
    let event = container.events().filter(|event| event.reason == "FailedPostStartHook").last()?;
    if !crash::is_crashing(container) {
        return None;
    }
    let mut seen = Observation::of_container(&rows::POST_START_HOOK_FAILED, container);
    let hook = container.spec.and_then(|spec| spec.lifecycle.get("postStart"));
    let shown = hook.map_or_else(String::new, |hook| format!(": {}", text::clip(&hook.to_string(), 120)));
    seen.summary =
        format!("the postStart hook of container {} fails and the container is killed for it", container.status.name);
    seen.show_event(event);
    seen.show(
        Source::Spec,
        None,
        &format!("postStart{shown}"),
        Some(container.path().field("lifecycle").field("postStart")),
    );
    if let Some(end) = container.last_exit() {
        crash::show_exit(&mut seen, container, end);
    }
    seen.since = event.first_seen().or(seen.since);
    seen.fact("hook", hook.cloned());
    seen.fact("worked", container.ran_long_in_revision());
    Some(seen)
}

/// A preStop hook that failed: the pod is mostly gone, its controller is not.
pub(super) fn pre_stop(view: &View<'_>) -> Vec<Observation> {
    let failed = view.snapshot.events.iter().filter(|event| event.reason == "FailedPreStopHook");
    failed
        .filter_map(|event| {
            let workload = view.workload_of_gone(&event.involved_object)?;
            let container = event.container()?;
            let mut seen = Observation::of_workload(&rows::PRE_STOP_HOOK_FAILED, workload);
            seen.container = Some(container.to_owned());
            seen.pod = Some(event.involved_object.name.clone());
            seen.summary = format!("the preStop hook of container {container} failed when a pod was stopped");
            seen.since = event.first_seen();
            seen.show_event(event);
            Some(seen.aside())
        })
        .collect()
}
