//! Rollouts that block themselves, and what only concerns them.

use super::health;
use super::observe::Observation;
use super::row::rows;
use super::scheduling::Unscheduled;
use super::service;
use super::view::{Settled, View, Workload};
use crate::model::code::CodeInfo;
use crate::model::finding::{Severity, Source};
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::text;
use serde_json::Value;
use std::collections::BTreeMap;

rows! { "workload";
ROLLOUT_SURGE_BLOCKED "rollout-surge-blocked" Rule:
    "a rollout needs room that only its own old pods could free";
    "The strategy makes a new pod before an old one ends, and what the new pod needs (a host port, a place beside no \
     other, a volume for one, quota) is held by the old one. Neither moves.";
    "new pods that are Pending or refused while ready pods of the earlier revision hold what they need.";
    "maxSurge above 0 with a resource that exists once.";
    "With several replicas maxSurge 0 and maxUnavailable 1 are set for a person to review. With one replica a person \
     chooses, because every way has a gap.".
ROLLOUT_ZERO_SURGE_ZERO "rollout-zero-surge-zero" Rule:
    "a rollout may by its numbers neither add nor remove a pod";
    "maxSurge is 0 and maxUnavailable rounds down to 0 of the replicas. The controller goes on with one pod at a time \
     all the same.";
    "spec.strategy.rollingUpdate against spec.replicas.";
    "Percentages that were meant for more replicas.";
    "Sets maxUnavailable to 1 for a person to review.".
DEPLOYMENT_PAUSED "deployment-paused" None:
    "a Deployment is paused";
    "Changes of the template do not roll out until it is resumed. The pods that run go on.";
    "spec.paused; condition Progressing=Unknown, reason DeploymentPaused.";
    "A rollout that was paused on purpose, by a person or a tool.";
    "By intent: resume it with `kubectl rollout resume`.".
GENERATION_NOT_OBSERVED "generation-not-observed" None:
    "a controller has not looked at the newest spec";
    "status.observedGeneration is behind metadata.generation for minutes: the controller of this kind does not work.";
    "status.observedGeneration below metadata.generation and no status change for over two minutes.";
    "A controller manager that is down or overloaded.";
    "Ask who runs the cluster: its controller manager does not work (`kubectl get pods -n kube-system`).".
REPLICASET_CREATE_ERROR "replicaset-create-error" Model:
    "a Deployment can't make its ReplicaSet";
    "The API refused the ReplicaSet itself, so no pod of the new revision is even tried.";
    "condition Progressing=False, reason ReplicaSetCreateError.";
    "A quota on ReplicaSets, a webhook, an invalid template.";
    "Needs judgement: the message names the cause.".
SELECTOR_OVERLAP "selector-overlap" Ask:
    "two controllers select the same pods";
    "Each counts and deletes pods of the other, so the numbers never settle.";
    "spec.selector of one controller matches the template labels of another in the namespace, and both own pods.";
    "A manifest that was copied without its labels.";
    "A selector can't be changed: a person decides which one is made anew with labels of its own.".
HISTORY_EXHAUSTED "history-exhausted" None:
    "a Deployment keeps no earlier revision";
    "revisionHistoryLimit is 0, so there is no revision to compare with or to go back to.";
    "spec.revisionHistoryLimit is 0.";
    "A setting that saves a few objects, and that takes away what a rollback needs.";
    "Set revisionHistoryLimit above 0 in Git, so that there is something to go back to.".
MIN_READY_TOO_LONG "min-ready-too-long" None:
    "ready pods do not count as available yet";
    "A pod counts as available only after it was ready for minReadySeconds.";
    "Ready pods, fewer available ones, spec.minReadySeconds longer than they have been ready.";
    "A minReadySeconds that is long beside the length of a rollout; usually meant.";
    "Nothing to change: it resolves itself.".
}

/// A pod of the new revision that waits for what a pod of the old one holds.
pub(crate) fn surge_blocked(pod: &Unscheduled<'_, '_>, blocker: &CodeInfo, reason: &str) -> Observation {
    let seen = pod.observation(&ROLLOUT_SURGE_BLOCKED, reason);
    with_strategy(seen, pod.at.workload, blocker.name, reason)
}

/// A new pod that is refused while the old ones use up the quota.
pub(crate) fn surge_refused(workload: &Workload<'_>, blocker: &str, reason: &str) -> Observation {
    let seen = Observation::of_workload(&ROLLOUT_SURGE_BLOCKED, workload);
    with_strategy(seen, workload, blocker, reason)
}

fn with_strategy(mut seen: Observation, workload: &Workload<'_>, blocker: &str, reason: &str) -> Observation {
    let Some(source) = workload.source else { return seen };
    let surge = source.at("/spec/strategy/rollingUpdate/maxSurge").map_or("25%".to_owned(), shown);
    seen.summary = format!(
        "the rollout of {} needs what its old pods hold: {}",
        source.metadata.name,
        reason.trim_start_matches("node(s) ")
    );
    let path = Path::of("spec.strategy.rollingUpdate.maxSurge");
    seen.show(Source::Spec, None, &format!("maxSurge: {surge}"), Some(path));
    seen.fact("blocker", blocker);
    seen.fact("replicas", source.int("/spec/replicas").unwrap_or(1));
    seen.severity = Some(Severity::Warning);
    seen
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for workload in &view.workloads {
        let Some(source) = workload.source else { continue };
        out.extend(unobserved(view, workload, source));
        if source.kind == "Deployment" {
            out.extend(zero(workload, source));
            out.extend(paused(workload, source));
            out.extend(create_error(workload, source));
            out.extend(no_history(workload, source));
            out.extend(not_yet_available(view, workload, source));
        }
    }
    out.extend(overlaps(view));
    out
}

fn info(code: &'static CodeInfo, workload: &Workload<'_>, summary: String) -> Observation {
    let mut seen = Observation::of_workload(code, workload);
    seen.summary = summary;
    seen.severity = Some(Severity::Info);
    seen
}

/// `50%` of the replicas or a number; percent values of maxUnavailable round down.
fn absolute(value: Option<&Value>, replicas: i64, default: i64) -> i64 {
    match value {
        Some(Value::Number(number)) => number.as_i64().unwrap_or(default),
        Some(Value::String(text)) => {
            let percent = text.trim_end_matches('%').parse::<i64>();
            percent.map_or(default, |percent| replicas.saturating_mul(percent) / 100)
        }
        _ => default,
    }
}

fn zero(workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let replicas = source.int("/spec/replicas").unwrap_or(1);
    let at = |name: &str| source.at(&format!("/spec/strategy/rollingUpdate/{name}"));
    let (surge, unavailable) = (at("maxSurge")?, at("maxUnavailable")?);
    let is_zero = absolute(Some(surge), 100, 1) == 0 && absolute(Some(unavailable), replicas, 1) == 0;
    let updated = source.int("/status/updatedReplicas").unwrap_or(replicas);
    if !is_zero || replicas == 0 || updated >= replicas {
        return None;
    }
    let (surge, unavailable) = (shown(surge), shown(unavailable));
    let text =
        format!("maxSurge {surge} and maxUnavailable {unavailable} of {replicas} allow no step; one pod is taken");
    // Source: ResolveFenceposts in pkg/controller/deployment/util of Kubernetes.
    let mut seen = info(&ROLLOUT_ZERO_SURGE_ZERO, workload, text);
    let path = Path::of("spec.strategy.rollingUpdate.maxUnavailable");
    seen.show(Source::Spec, None, &format!("maxUnavailable: {unavailable}"), Some(path));
    seen.since = source.metadata.creation_timestamp;
    Some(seen)
}

fn paused(workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let is_paused = source.at("/spec/paused").and_then(Value::as_bool) == Some(true);
    let what = if workload.drifted { "with a change that is not rolled out" } else { "without a pending change" };
    is_paused.then(|| {
        let summary = format!("Deployment {} is paused {what}", source.metadata.name);
        let mut seen = info(&DEPLOYMENT_PAUSED, workload, summary);
        seen.show(Source::Spec, None, "paused: true", Some(Path::of("spec.paused")));
        seen
    })
}

fn create_error(workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let conditions = source.conditions();
    let failed = conditions.iter().find(|c| c.status == "False" && c.reason == "ReplicaSetCreateError")?;
    let mut seen = Observation::of_workload(&REPLICASET_CREATE_ERROR, workload);
    seen.summary = format!("Deployment {} can't make its ReplicaSet", source.metadata.name);
    seen.since = failed.last_transition_time.0;
    seen.show(Source::Status, failed.last_transition_time.0, &failed.message, None);
    Some(seen)
}

fn no_history(workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let none = source.int("/spec/revisionHistoryLimit") == Some(0);
    let text = format!("Deployment {} keeps no earlier revision", source.metadata.name);
    none.then(|| {
        let mut seen = info(&HISTORY_EXHAUSTED, workload, text);
        seen.show(Source::Spec, None, "revisionHistoryLimit: 0", Some(Path::of("spec.revisionHistoryLimit")));
        seen
    })
}

fn not_yet_available(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let seconds = source.int("/spec/minReadySeconds").filter(|seconds| *seconds > 0)?;
    let available = source.int("/status/availableReplicas").unwrap_or_default();
    let young = workload.pods.iter().any(|pod| {
        let ready = pod.condition("Ready").filter(|ready| ready.status == "True");
        ready.is_some_and(|ready| view.settled(ready.last_transition_time.0, seconds) == Settled::No)
    });
    let waits = young && usize::try_from(available).unwrap_or_default() < workload.counts.ready;
    let text = format!("pods of {} count as available {seconds} seconds after they are ready", source.metadata.name);
    waits.then(|| {
        let mut seen = info(&MIN_READY_TOO_LONG, workload, text);
        seen.show(Source::Spec, None, &format!("minReadySeconds: {seconds}"), Some(Path::of("spec.minReadySeconds")));
        seen
    })
}

fn unobserved(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let changed = health::changed(source);
    if !health::is_unobserved(source) || view.settled(changed, health::UNOBSERVED) != Settled::Yes {
        return None;
    }
    let seen_generation = health::observed_generation(source).unwrap_or_default();
    let mut seen = Observation::of_workload(&GENERATION_NOT_OBSERVED, workload);
    let (kind, name) = (&source.kind, &source.metadata.name);
    seen.summary = format!("the controller of {kind} {name} has not looked at its newest spec");
    let text = format!("observedGeneration {seen_generation}, generation {}", source.metadata.generation);
    seen.show(Source::Status, changed, &text, None);
    seen.since = changed;
    seen.severity = Some(Severity::Warning);
    Some(seen)
}

/// Two Deployments, StatefulSets or DaemonSets of which one selects the pods of the other.
fn overlaps(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    let with_selector: Vec<(&Workload<'_>, &BTreeMap<String, String>)> = view
        .workloads
        .iter()
        .filter_map(|workload| {
            let source = workload.source?;
            let only_labels = source.at("/spec/selector/matchExpressions").is_none();
            let selector = source.selector();
            let wanted = matches!(source.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet");
            (wanted && only_labels && !selector.is_empty() && workload.counts.desired > 0)
                .then_some((workload, selector))
        })
        .collect();
    let places: BTreeMap<&str, usize> =
        with_selector.iter().enumerate().map(|(at, (workload, _))| (workload.key.as_str(), at)).collect();
    for (at, (one, selector)) in with_selector.iter().enumerate() {
        let selectable = view.selectable(one.top.namespace(), selector);
        let others = selectable.filter_map(|other| places.get(other.key.as_str())).filter(|other| **other > at);
        for (other, of_other) in others.map(|other| &with_selector[*other]) {
            if service::selects(selector, other.labels) && service::selects(of_other, one.labels) {
                let mut seen = Observation::of_workload(&SELECTOR_OVERLAP, one);
                seen.summary = format!("{} and {} select the same pods", one.top, other.top);
                let pairs: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
                let text = format!("{} selects {}", one.top, text::and(&pairs));
                seen.show(Source::Spec, None, &text, Some(Path::of("spec.selector")));
                seen.message = other.key.clone();
                // Owner references keep ReplicaSets apart, so it is a fault only while something is short.
                let fails = one.health == health::Health::Failing || other.health == health::Health::Failing;
                seen.severity = Some(if fails { Severity::Warning } else { Severity::Info });
                out.push(seen);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::absolute;
    use serde_json::json;

    #[test]
    fn a_share_of_any_number_is_a_number() {
        assert_eq!(absolute(Some(&json!("25%")), 10, 0), 2);
        assert_eq!(absolute(Some(&json!("99%")), i64::MAX, 0), i64::MAX / 100);
        assert_eq!(absolute(Some(&json!(3)), 10, 0), 3);
        assert_eq!(absolute(None, 10, 1), 1);
    }
}
