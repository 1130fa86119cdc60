//! Custom resources that are not well while their pods are.

use super::health::{self, Health};
use super::needs::OWNERS;
use super::observe::Observation;
use super::owners::{self, Owners, Top};
use super::row::rows;
use super::view::{View, Workload};
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Condition, Object};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::snapshot::Snapshot;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

rows! { "workload";
CUSTOM_RESOURCE_UNHEALTHY "custom-resource-unhealthy" Model:
    "a custom resource says that it is not well while its pods are";
    "Its controller sees what pods do not show: a member that lags, a backup that fails, a spec that it refuses. What \
     runs goes on.";
    "condition Ready, Available or Healthy False, or Degraded True, for over ten minutes, of a custom resource that \
     owns a workload here whose pods are all ready.";
    "A spec that the operator refuses, a member out of sync, a dependency outside the cluster.";
    "Needs judgement: the message of the condition says what to look at; an edit belongs to that resource, not to \
     what it made.".
}

/// An operator that is at work says so for a while.
const AT_WORK: i64 = 600;

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut owned: BTreeMap<&ObjectRef, Vec<&Workload<'_>>> = BTreeMap::new();
    let custom = view.workloads.iter().filter(|one| owners::is_custom(&one.top.group) && one.top.kind != "Rollout");
    for workload in custom {
        owned.entry(&workload.top).or_default().push(workload);
    }
    let runs_well = |all: &[&Workload<'_>]| {
        all.iter().all(|one| one.health == Health::Healthy)
            && all.iter().flat_map(|one| &one.pods).any(|pod| pod.is_ready())
    };
    let well = owned.into_iter().filter(|(_, all)| runs_well(all));
    well.filter_map(|(top, _)| unwell(view, view.snapshot.resolve(top)?)).collect()
}

fn unwell(view: &View<'_>, object: &Object) -> Option<Observation> {
    // What it says is of an earlier spec.
    let is_behind = health::observed_generation(object).is_some_and(|seen| seen < object.metadata.generation);
    if object.metadata.deletion_timestamp.is_some() || is_behind || is_paused(object) {
        return None;
    }
    let complaints: Vec<Condition> = owners::complaints(object).into_iter().filter(|c| !is_by_intent(c)).collect();
    let since = complaints.iter().map(|c| c.last_transition_time.0).min()?;
    let first = owners::complaint(complaints.first()?);
    let mut seen = Observation::of_object(&CUSTOM_RESOURCE_UNHEALTHY, object.object());
    seen.summary = format!("{} {} says {first}; its pods are ready", object.kind, object.metadata.name);
    seen.severity = Some(Severity::Warning);
    seen.since = since;
    for c in &complaints {
        let path = Path::of("status.conditions");
        seen.show(Source::Status, c.last_transition_time.0, &owners::complaint(c), Some(path));
    }
    seen.settle(view.settled(since, AT_WORK))
}

/// Whether a person has stopped its controller.
fn is_paused(object: &Object) -> bool {
    ["/spec/paused", "/spec/suspend", "/spec/suspended"]
        .into_iter()
        .any(|field| object.at(field).and_then(Value::as_bool) == Some(true))
}

fn is_by_intent(condition: &Condition) -> bool {
    let reason = condition.reason.to_lowercase();
    ["paus", "suspend", "hibernat", "stopped", "disabled"].iter().any(|word| reason.contains(word))
}

/// Custom resources that own pods which run, and were not read: of two kinds at most, those in `listed` counted,
/// which were asked for before. Tasks are left out: thousands of them may have ended.
pub fn unlisted_owners(snapshot: &Snapshot, listed: &[ObjectRef]) -> Vec<ObjectRef> {
    let kind = |owner: &ObjectRef| (owner.group.clone(), owner.kind.clone());
    let before: BTreeSet<(String, String)> = listed.iter().map(kind).collect();
    let left = OWNERS.saturating_sub(before.len());
    if left == 0 || !owners::has_custom(snapshot) {
        return Vec::new();
    }
    let chains = Owners::new(snapshot);
    let is_task = |policy: &str| matches!(policy, "Never" | "OnFailure");
    let run = snapshot.pods.iter().filter(|pod| pod.is_ready() && !is_task(&pod.spec.restart_policy));
    let unseen = run.map(|pod| chains.of_pod(pod).top).filter(|top| matches!(top, Top::Unseen(..))).map(Top::object);
    let mut kinds: BTreeMap<(String, String), BTreeSet<ObjectRef>> = BTreeMap::new();
    for owner in unseen.filter(|owner| owners::is_custom(&owner.group) && owner.kind != "Rollout") {
        let kind = kind(&owner);
        if !before.contains(&kind) {
            kinds.entry(kind).or_default().insert(owner);
        }
    }
    let mut kinds: Vec<BTreeSet<ObjectRef>> = kinds.into_values().collect();
    kinds.sort_by_key(|owners| Reverse(owners.len()));
    kinds.into_iter().take(left).flatten().collect()
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
mod tests {
    use super::super::testing::{NOW, OLD, all, of, ready};
    use super::unlisted_owners;
    use serde_json::{Value, json};

    /// A custom resource `db` with this condition.
    fn widget(condition: Value) -> Value {
        json!({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "db", "generation": 2},
            "spec": {}, "status": {"observedGeneration": 2, "conditions": [condition]}})
    }

    fn condition(kind: &str, status: &str, reason: &str, at: &str) -> Value {
        json!({"type": kind, "status": status, "reason": reason, "message": "1 of 3", "lastTransitionTime": at})
    }

    /// A pod that it owns.
    fn member(name: &str) -> Value {
        let mut pod = ready(name, json!({"app": "db"}));
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "example.org/v1", "kind": "Widget", "name": "db",
            "uid": "Widget-db", "controller": true}]);
        pod
    }

    fn found(widget: Value) -> Vec<String> {
        all(&[member("db-0"), member("db-1"), widget])
    }

    #[test]
    fn what_a_custom_resource_says_of_itself_counts_while_its_pods_are_ready() {
        for (kind, status) in [("Ready", "False"), ("Available", "False"), ("Healthy", "False"), ("Degraded", "True")] {
            let bad = widget(condition(kind, status, "Lags", OLD));
            assert_eq!(found(bad), ["custom-resource-unhealthy Widget/db"], "{kind}");
            let good = if status == "True" { "False" } else { "True" };
            for fine in [good, "Unknown"] {
                assert!(found(widget(condition(kind, fine, "Lags", OLD))).is_empty(), "{kind}={fine}");
            }
        }
        assert!(found(widget(condition("Progressing", "False", "Lags", OLD))).is_empty());
    }

    #[test]
    fn an_operator_at_work_or_at_rest_is_no_fault() {
        let bad = || widget(condition("Ready", "False", "Lags", OLD));
        assert!(found(widget(condition("Ready", "False", "Lags", "2026-11-22T16:55:00Z"))).is_empty(), "at work");
        for reason in ["ReconciliationPaused", "Suspended", "Hibernated"] {
            assert!(found(widget(condition("Ready", "False", reason, OLD))).is_empty(), "{reason}");
        }
        for (at, value) in [
            ("/spec/paused", json!(true)),
            ("/status/observedGeneration", json!(1)),
            ("/metadata/deletionTimestamp", json!(NOW)),
        ] {
            let mut other = bad();
            let (parent, field) = at.rsplit_once('/').unwrap();
            other.pointer_mut(parent).unwrap()[field] = value;
            assert!(found(other).iter().all(|one| !one.starts_with("custom-")), "{at}");
        }
        assert!(all(&[bad()]).is_empty(), "it owns nothing here");
        let mut other = ready("db-0", json!({"app": "db"}));
        other["metadata"]["ownerReferences"] = json!([{"apiVersion": "example.org/v1", "kind": "Widget",
            "name": "other", "uid": "Widget-other", "controller": true}]);
        assert!(all(&[bad(), other]).is_empty(), "another's pod");
    }

    #[test]
    fn where_a_pod_fails_it_is_the_fault_and_the_condition_its_evidence() {
        let mut broken = member("db-1");
        broken["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        let bad = widget(condition("Ready", "False", "Lags", OLD));
        assert_eq!(all(&[member("db-0"), broken, bad]), ["not-ready Widget/db"]);
    }

    #[test]
    fn two_kinds_of_owners_are_asked_for_and_no_tasks() {
        let owned = |kind: &str, n: usize| {
            let mut pod = member(&format!("{kind}-{n}"));
            pod["metadata"]["ownerReferences"][0]["kind"] = json!(kind);
            pod["metadata"]["ownerReferences"][0]["uid"] = json!(format!("{kind}{n}"));
            pod
        };
        let mut task = owned("Task", 0);
        task["spec"]["restartPolicy"] = json!("Never");
        let mut broken = owned("Broken", 0);
        broken["status"]["conditions"] = json!([]);
        let pods = [task, broken, owned("A", 0), owned("B", 0), owned("C", 0), owned("C", 1), owned("C", 1)];
        let asked = |listed: &[_]| unlisted_owners(&of(&pods), listed);
        let first = asked(&[]);
        let kinds: Vec<&str> = first.iter().map(|owner| owner.kind.as_str()).collect();
        assert_eq!(kinds, ["C", "C", "A"]);
        assert!(asked(&first).is_empty());
        assert_eq!(asked(&first[..2]).iter().map(|owner| owner.kind.as_str()).collect::<Vec<_>>(), ["A"]);
        assert!(unlisted_owners(&of(&[ready("web", json!({}))]), &[]).is_empty());
    }
}
