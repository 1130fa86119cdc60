//! What changed since an earlier revision.

use super::current::{bare_template, newest_replica_set, revision_number};
use super::diff;
use super::view::{View, Workload};
use crate::model::finding::{Change, FieldChange};
use crate::model::kube::{Object, Pod};
use crate::model::path::{Path, Step};
use crate::redact;
use serde_json::Value;

/// One template that a workload had.
struct Revision {
    number: i64,
    template: Value,
    /// Pods of it that are ready now.
    ready: i64,
    /// Whether pods of it exist and none is ready.
    failed: bool,
    /// Numbers it had before a rollback gave it the present one.
    earlier_numbers: Vec<i64>,
}

/// The difference to the last good revision, or to the previous one when none has ready pods now.
pub(crate) fn change(view: &View<'_>, workload: &Workload<'_>) -> Option<Change> {
    let source = workload.source?;
    let (mut revisions, current) = match source.kind.as_str() {
        "Deployment" => replica_sets(view, workload, source)?,
        "StatefulSet" | "DaemonSet" => controller_revisions(view, workload, source)?,
        _ => return None,
    };
    revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
    let (earlier, good) = pick(&revisions, &current)?;
    let root = Path::of("spec.template");
    let now = source.template().map_or_else(|| current.template.clone(), bare_template);
    let fields = diff::leaves(&root, Some(&earlier.template), Some(&now)).into_iter().map(redacted).collect::<Vec<_>>();
    let manager = newest_manager(source);
    (!fields.is_empty()).then(|| Change {
        from: earlier.number.to_string(),
        to: current.number.to_string(),
        good,
        fields,
        manager: manager.map(|(name, _)| name),
        at: newest_manager(source).and_then(|(_, at)| at).or(newest_revision_time(view, source)),
        commit: None,
    })
}

/// A change without secrets: values of variables and fields whose name says secret, and known shapes.
fn redacted(mut change: FieldChange) -> FieldChange {
    let named_secret = change.path.0.iter().any(|step| match step {
        Step::Item { value, .. } => redact::is_secret_name(value),
        Step::Field(_) | Step::Index(_) => false,
    });
    let is_value = change.path.0.last() == Some(&Step::Field("value".to_owned()));
    for value in [&mut change.old, &mut change.new].into_iter().flatten() {
        *value = if named_secret && is_value { redact::masked(value) } else { redact::value(value) };
    }
    change
}

/// Good: the newest earlier one with ready pods. Previous: the highest number below the current one whose
/// pods are not known to have failed and which a rollback did not leave.
fn pick<'r>(revisions: &'r [Revision], current: &Revision) -> Option<(&'r Revision, bool)> {
    let other = |r: &&Revision| r.number != current.number && r.template != current.template;
    if let Some(good) = revisions.iter().filter(other).find(|r| r.ready > 0) {
        return Some((good, true));
    }
    let left_by_rollback = |r: &&Revision| {
        revisions.iter().any(|later| {
            let before = later.earlier_numbers.iter().max().copied();
            later.number > r.number && before.is_some_and(|before| before < r.number)
        })
    };
    revisions
        .iter()
        .filter(other)
        .filter(|r| r.number < current.number && !r.failed && !left_by_rollback(r))
        .max_by_key(|r| r.number)
        .map(|previous| (previous, false))
}

fn replica_sets(view: &View<'_>, workload: &Workload<'_>, deployment: &Object) -> Option<(Vec<Revision>, Revision)> {
    let revision = |rs: &Object| Revision {
        number: revision_number(rs),
        template: rs.template().map(bare_template).unwrap_or_default(),
        ready: rs.int("/status/readyReplicas").unwrap_or_default(),
        failed: all_failed(workload, |pod| pod.metadata.controller().is_some_and(|by| by.uid == rs.metadata.uid)),
        earlier_numbers: rs
            .metadata
            .annotations
            .get("deployment.kubernetes.io/revision-history")
            .map(|text| text.split(',').filter_map(|n| n.trim().parse().ok()).collect())
            .unwrap_or_default(),
    };
    let newest = newest_replica_set(&view.children, deployment)?;
    let all = view.children.of("ReplicaSet", deployment).map(revision).collect();
    Some((all, revision(newest)))
}

fn controller_revisions(view: &View<'_>, workload: &Workload<'_>, owner: &Object) -> Option<(Vec<Revision>, Revision)> {
    let hash_of = |revision: &Object| match owner.kind.as_str() {
        // The pods of a StatefulSet carry the ControllerRevision's name, those of a DaemonSet its hash.
        "StatefulSet" => revision.metadata.name.clone(),
        _ => revision.metadata.labels.get("controller-revision-hash").cloned().unwrap_or_default(),
    };
    let revision = |object: &Object| {
        let hash = hash_of(object);
        let carries = |pod: &Pod| pod.metadata.labels.get("controller-revision-hash") == Some(&hash);
        let ready = workload.pods.iter().filter(|pod| pod.is_ready() && carries(pod)).count();
        Revision {
            number: object.int("/revision").unwrap_or_default(),
            template: object.at("/data/spec/template").map(bare_template).unwrap_or_default(),
            ready: i64::try_from(ready).unwrap_or_default(),
            failed: all_failed(workload, carries),
            earlier_numbers: Vec::new(),
        }
    };
    let objects: Vec<&Object> = view.children.of("ControllerRevision", owner).collect();
    let is_current = |object: &&&Object| hash_of(object) == workload.revision;
    let current = objects.iter().find(is_current).or(objects.iter().max_by_key(|o| o.int("/revision")))?;
    Some((objects.iter().map(|object| revision(object)).collect(), revision(current)))
}

fn all_failed(workload: &Workload<'_>, is_of: impl Fn(&Pod) -> bool) -> bool {
    let mut pods = workload.pods.iter().filter(|pod| is_of(pod)).peekable();
    pods.peek().is_some() && pods.all(|pod| !pod.is_ready())
}

/// Who wrote the spec last: a client's name, not a person's.
fn newest_manager(object: &Object) -> Option<(String, Option<jiff::Timestamp>)> {
    let writers = object
        .metadata
        .managed_fields
        .iter()
        .filter(|entry| entry.subresource.is_empty() && entry.fields_v1.read().get("f:spec").is_some());
    writers.max_by_key(|entry| entry.time).map(|entry| (entry.manager.clone(), entry.time))
}

fn newest_revision_time(view: &View<'_>, source: &Object) -> Option<jiff::Timestamp> {
    // A rollback uses the old ReplicaSet again: its creation is then older than the change.
    let newest = newest_replica_set(&view.children, source)?;
    let reused = newest.metadata.annotations.contains_key("deployment.kubernetes.io/revision-history");
    if reused { None } else { newest.metadata.creation_timestamp }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::{Scope, Snapshot};
    use serde_json::json;

    /// A ReplicaSet of Deployment `web`: revision, image, ready pods, earlier numbers.
    fn replica_set(number: i64, image: &str, ready: i64, history: &str) -> Object {
        let mut annotations = json!({"deployment.kubernetes.io/revision": number.to_string()});
        if !history.is_empty() {
            annotations["deployment.kubernetes.io/revision-history"] = json!(history);
        }
        object(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": format!("web-{number}"), "namespace": "a", "uid": format!("r{number}"),
                "annotations": annotations,
                "ownerReferences": [{"kind": "Deployment", "name": "web", "uid": "d", "controller": true}]},
            "spec": {"template": template(image)}, "status": {"readyReplicas": ready}
        }))
    }

    fn template(image: &str) -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": image}]}})
    }

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    fn change_of(image: &str, sets: Vec<Object>) -> Option<(String, bool, Option<Value>)> {
        let mut snapshot = Snapshot::new("t", Scope::All);
        let deployment = object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "a", "uid": "d"},
            "spec": {"template": template(image)}
        }));
        snapshot.objects.insert("Deployment".to_owned(), vec![deployment]);
        snapshot.objects.insert("ReplicaSet".to_owned(), sets);
        let view = View::new(&snapshot);
        let change = change(&view, view.workload("Deployment/a/web").unwrap())?;
        Some((change.from, change.good, change.fields[0].old.clone()))
    }

    #[test]
    fn good_is_the_newest_earlier_revision_with_ready_pods() {
        let sets = vec![replica_set(1, "x:1", 1, ""), replica_set(2, "x:2", 0, ""), replica_set(3, "x:3", 0, "")];
        assert_eq!(change_of("x:3", sets), Some(("1".to_owned(), true, Some(json!("x:1")))));
    }

    #[test]
    fn without_ready_pods_the_one_before_is_merely_previous() {
        let sets = vec![replica_set(1, "x:1", 0, ""), replica_set(2, "x:2", 0, ""), replica_set(3, "x:3", 0, "")];
        assert_eq!(change_of("x:3", sets), Some(("2".to_owned(), false, Some(json!("x:2")))));
    }

    #[test]
    fn what_a_rollback_left_is_not_gone_back_to() {
        // 2 was rolled back: revision 1 became 3. Then came 4.
        let sets = vec![replica_set(2, "x:bad", 0, ""), replica_set(3, "x:1", 0, "1"), replica_set(4, "x:4", 0, "")];
        assert_eq!(change_of("x:4", sets.clone()), Some(("3".to_owned(), false, Some(json!("x:1")))));
        let rolled_back = sets[..2].to_vec();
        assert_eq!(change_of("x:1", rolled_back), None);
    }

    #[test]
    fn a_restart_and_a_hash_are_no_change() {
        let mut old = replica_set(1, "x:1", 1, "");
        let mut new = replica_set(2, "x:1", 0, "");
        old.body["spec"]["template"]["metadata"]["labels"]["pod-template-hash"] = json!("a");
        let restarted = json!({"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"});
        new.body["spec"]["template"]["metadata"]["annotations"] = restarted;
        assert_eq!(change_of("x:1", vec![old, new]), None);
    }

    #[test]
    fn a_secret_in_a_changed_variable_is_not_told() {
        let path = Path::of("spec.template.spec.containers[app].env[DB_PASSWORD].value");
        let told = redacted(FieldChange { path, old: Some(json!("hunter2")), new: Some(json!("hunter3")) });
        assert_ne!(told.old, told.new);
        assert!([told.old, told.new].iter().flatten().all(|value| redact::is_masked(&value.to_string())));
    }
}
