//! Who wrote which keys of a workload's ConfigMaps, and when.

use super::settings;
use super::view::{View, Workload};
use crate::model::kube::{Container, Keyed, ManagedField};
use crate::text;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// A write and a failure this far apart may have to do with each other.
pub(super) const NEAR: i64 = 600;
/// Writes that are told of one failure.
const FEW: usize = 6;

/// Every manager's last write to keys of a ConfigMap, newest first. A change of labels is none, nor is what made it.
pub(super) fn of_map(map: &Keyed) -> Vec<(Timestamp, &ManagedField)> {
    let made = map.metadata.creation_timestamp;
    let is_change = |at: Timestamp| made.is_none_or(|made| made.as_second() < at.as_second());
    let entries = map.metadata.managed_fields.iter();
    let mut all: Vec<(Timestamp, &ManagedField)> = entries
        .filter(|entry| matches!(entry.operation.as_str(), "Update" | "Apply") && !keys(entry).is_empty())
        .filter_map(|entry| Some((entry.time.filter(|at| is_change(*at))?, entry)))
        .collect();
    all.sort_by(|(a, one), (b, other)| (b, &one.manager).cmp(&(a, &other.manager)));
    all
}

/// The keys that a manager owns.
fn keys(by: &ManagedField) -> Vec<String> {
    let owned = by.fields_v1.read();
    let fields = ["f:data", "f:binaryData"].into_iter().filter_map(|part| owned.get(part)?.as_object());
    fields.flat_map(|fields| fields.keys()).filter_map(|key| key.strip_prefix("f:")).map(str::to_owned).collect()
}

/// `ConfigMap app was written by kubectl-edit, which owns keys LEVEL and PORT; ...`: a manager's time is that
/// of its last write to any of its keys, and the cluster keeps no old value.
pub(super) fn words(name: &str, by: &ManagedField) -> String {
    let manager = if by.manager.is_empty() { "somebody" } else { by.manager.as_str() };
    match keys(by).as_slice() {
        [] => format!("ConfigMap {name} was written by {manager}; which keys is not known, old values are only in Git"),
        [key] => format!("key {key} of ConfigMap {name} was written by {manager}; its old value is only in Git"),
        keys => {
            let few = text::and(&keys.iter().take(8).collect::<Vec<_>>());
            let more = if keys.len() > 8 { format!(" and {} more", keys.len() - 8) } else { String::new() };
            format!(
                "ConfigMap {name} was written by {manager}, at least one of its keys {few}{more}; old values are only in Git"
            )
        }
    }
}

/// Names of the ConfigMaps that a container reads, by variables or as files.
fn names(volumes: &[Value], container: &Container) -> BTreeSet<String> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let of_env = container.env.iter().filter_map(|one| text(one.value_from.as_ref()?.pointer("/configMapKeyRef/name")));
    let of_all = container.env_from.iter().filter_map(|one| text(one.pointer("/configMapRef/name")));
    let mut names: BTreeSet<String> = of_env.chain(of_all).collect();
    for mount in &container.volume_mounts {
        let Some(volume) = volumes.iter().find(|volume| volume.get("name") == mount.get("name")) else { continue };
        names.extend(text(volume.pointer("/configMap/name")));
        let parts = volume.pointer("/projected/sources").and_then(Value::as_array);
        names.extend(parts.into_iter().flatten().filter_map(|part| text(part.pointer("/configMap/name"))));
    }
    names
}

/// Writes to what a failing container reads (any container, when none is named) that may have to do with its
/// failure: after its pods were made, or shortly before it began. Oldest first.
pub(super) fn told(
    view: &View<'_>,
    workload: &Workload<'_>,
    container: Option<&str>,
    since: Option<Timestamp>,
) -> Vec<(Timestamp, String)> {
    let volumes = settings::volumes(workload);
    let containers = settings::containers(workload).iter().filter(|one| container.is_none_or(|name| one.name == name));
    let names: BTreeSet<String> = containers.flat_map(|container| names(volumes, container)).collect();
    let made = workload.current.iter().filter_map(|pod| pod.metadata.creation_timestamp).min();
    let matters = |at: Timestamp| {
        made.is_some_and(|made| at.as_second() > made.as_second())
            || since.is_some_and(|since| (0..NEAR).contains(&(since.as_second() - at.as_second())))
    };
    let maps = names.iter().filter_map(|name| view.config_map(workload.top.namespace(), name));
    let mut out: Vec<(Timestamp, String)> = maps
        .flat_map(|map| of_map(map).into_iter().map(move |(at, by)| (at, words(&map.metadata.name, by))))
        .filter(|(at, _)| matters(*at))
        .collect();
    out.sort();
    out.split_off(out.len().saturating_sub(FEW))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{OLD, finding, ready};
    use crate::model::finding::Source;
    use serde_json::{Value, json};

    /// What is told of the history of a Deployment that crashes and reads ConfigMap `cfg`, which these wrote.
    fn history(wrote: &Value) -> Vec<String> {
        let container = json!({"name": "app", "image": "x", "volumeMounts": [{"name": "c", "mountPath": "/c"}]});
        let volumes =
            json!([{"name": "c", "configMap": {"name": "cfg"}}, {"name": "d", "configMap": {"name": "other"}}]);
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [container], "volumes": volumes}}}});
        let map = |name: &str| {
            json!({"kind": "ConfigMap", "metadata": {"name": name, "managedFields": wrote,
            "creationTimestamp": "2026-11-22T15:00:00Z"}, "data": {"LEVEL": "the value"}})
        };
        let mut pod = ready("web-1", json!({}));
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web",
            "uid": "Deployment-web", "controller": true}]);
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        pod["status"]["containerStatuses"][0] = json!({"name": "app", "restartCount": 9,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-22T16:59:00Z"}}});
        let found = finding(&[map("cfg"), map("other"), web, pod], "crash-app-error");
        found.evidence.into_iter().filter(|one| one.source == Source::History).map(|one| one.text).collect()
    }

    fn wrote(manager: &str, at: &str, data: &Value) -> Value {
        json!({"manager": manager, "operation": "Update", "time": at, "fieldsV1": {"f:data": data}})
    }

    #[test]
    fn every_manager_is_told_with_its_keys_and_never_a_value() {
        let told = history(&json!([
            wrote("kubectl-edit", "2026-11-22T16:30:00Z", &json!({"f:LEVEL": {}})),
            wrote("helm", "2026-11-22T16:10:00Z", &json!({"f:A": {}, "f:B": {}})),
            wrote("labeller", "2026-11-22T16:40:00Z", &json!({})),
        ]));
        let helm = "ConfigMap cfg was written by helm, at least one of its keys A and B; old values are only in Git";
        let person = "key LEVEL of ConfigMap cfg was written by kubectl-edit; its old value is only in Git";
        assert_eq!(told, [helm, person], "oldest first, of what the container mounts");
    }

    #[test]
    fn only_a_write_that_may_have_to_do_with_the_failure_is_told() {
        let at = |time: &str| history(&json!([wrote("m", time, &json!({"f:A": {}}))])).len();
        assert_eq!(at("2026-11-22T15:30:00Z"), 0, "half an hour before the pods were made at {OLD}");
        assert_eq!(at("2026-11-22T15:55:00Z"), 1, "shortly before");
        assert_eq!(at("2026-11-22T15:00:00Z"), 0, "it was made then");
        assert_eq!(at("2026-11-22T16:20:00Z"), 1);
    }
}
