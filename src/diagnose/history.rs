//! What changed since an earlier revision.

use super::current::{bare_template, newest_replica_set, revision_number};
use super::diff;
use super::settings;
use super::view::{View, Workload};
use crate::model::finding::{Change, FieldChange};
use crate::model::kube::{Object, Pod};
use crate::model::path::{Path, Step};
use crate::redact;
use crate::text;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

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
    made: Option<Timestamp>,
    /// Containers of its pods that ended last with an error, and how.
    ends: BTreeSet<(String, i64)>,
}

/// The difference to the last good revision, or to the previous one when none has ready pods now.
pub(crate) fn change(view: &View<'_>, workload: &Workload<'_>) -> Option<Change> {
    let source = workload.source?;
    let (mut revisions, current) = revisions(view, workload, source)?;
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

/// All revisions, and the one whose pods are judged.
fn revisions(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Option<(Vec<Revision>, Revision)> {
    match source.kind.as_str() {
        "Deployment" | "Rollout" => replica_sets(view, workload, source),
        "StatefulSet" | "DaemonSet" => controller_revisions(view, workload, source),
        _ => None,
    }
}

/// What the revisions allow to say about the cause, beside their difference: that it lies elsewhere.
pub(crate) fn conclusion(view: &View<'_>, workload: &Workload<'_>, container: Option<&str>) -> Option<String> {
    let (revisions, current) = revisions(view, workload, workload.source?)?;
    if workload.drifted || current.template.is_null() {
        return None;
    }
    let (now, others) = (current.number, || revisions.iter().filter(|r| r.number != current.number));
    if let Some(same) = others().filter(|r| r.template == current.template && r.ready > 0).max_by_key(|r| r.number) {
        return Some(format!(
            "revision {now} has the template of revision {}, whose pods are ready, but for restarts and checksums: \
             the failure did not come with a change of the template",
            same.number
        ));
    }
    let has_end = |end: &&(String, i64)| container.is_none_or(|name| end.0 == name);
    let alike = |r: &&Revision| {
        r.failed && r.template != current.template && r.ends.intersection(&current.ends).any(|end| has_end(&end))
    };
    if let Some(other) = others().filter(alike).max_by_key(|r| r.number).filter(|_| current.failed) {
        let exits = other.ends.intersection(&current.ends).find(has_end).map_or(0, |end| end.1);
        return Some(format!(
            "pods of revision {} fail like those of revision {now}, with exit code {exits}: the cause lies outside of \
             what changed in the template",
            other.number
        ));
    }
    let (made, begun) = (current.made?, begun(view, workload, container)?);
    let newest = others().all(|r| r.made.is_none_or(|other| other < made));
    let age = begun.as_second() - made.as_second();
    (newest && age >= OLD).then(|| {
        format!(
            "revision {now} was made {} before the first failure that is known: it did not come with a rollout",
            text::duration(age)
        )
    })
}

/// A failure that begins this many seconds after a rollout did not come with it.
const OLD: i64 = 3600;

/// When pods that were well began to fail: they were old by then, or others of their revision are ready.
fn begun(view: &View<'_>, workload: &Workload<'_>, container: Option<&str>) -> Option<Timestamp> {
    let serves = workload.current.iter().any(|pod| pod.is_ready());
    let failing = workload.current.iter().filter(|pod| !pod.is_ready()).flat_map(|pod| {
        let statuses = pod.status.container_statuses.iter();
        let of_it = statuses.filter(|status| !status.ready && container.is_none_or(|name| status.name == name));
        of_it.map(move |status| (pod, settings::crashes_since(view, pod, status)))
    });
    let mut first: Option<Timestamp> = None;
    for (pod, begun) in failing {
        let (begun, made) = (begun?, pod.metadata.creation_timestamp?);
        if !serves && begun.as_second() - made.as_second() < OLD {
            return None;
        }
        first = Some(first.map_or(begun, |first| first.min(begun)));
    }
    first
}

/// The last ends of containers of these pods that were errors.
fn ends(workload: &Workload<'_>, is_of: impl Fn(&Pod) -> bool) -> BTreeSet<(String, i64)> {
    let statuses = workload.pods.iter().filter(|pod| is_of(pod) && !pod.is_ready());
    let statuses = statuses.flat_map(|pod| &pod.status.container_statuses).filter(|status| !status.ready);
    let ended = statuses.filter_map(|status| {
        let end = status.state.terminated.as_ref().or(status.last_state.terminated.as_ref())?;
        (end.exit_code != 0).then(|| (status.name.clone(), end.exit_code))
    });
    ended.collect()
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
    let is_of = |rs: &Object, pod: &Pod| pod.metadata.controller().is_some_and(|by| by.uid == rs.metadata.uid);
    let reused = |rs: &Object| rs.metadata.annotations.contains_key("deployment.kubernetes.io/revision-history");
    let revision = |rs: &Object| Revision {
        made: rs.metadata.creation_timestamp.filter(|_| !reused(rs)),
        ends: ends(workload, |pod| is_of(rs, pod)),
        number: revision_number(rs),
        template: rs.template().map(bare_template).unwrap_or_default(),
        ready: rs.int("/status/readyReplicas").unwrap_or_default(),
        failed: all_failed(workload, |pod| is_of(rs, pod)),
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
            made: object.metadata.creation_timestamp,
            ends: ends(workload, carries),
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
fn newest_manager(object: &Object) -> Option<(String, Option<Timestamp>)> {
    let writers = object
        .metadata
        .managed_fields
        .iter()
        .filter(|entry| entry.subresource.is_empty() && entry.fields_v1.read().get("f:spec").is_some());
    writers.max_by_key(|entry| entry.time).map(|entry| (entry.manager.clone(), entry.time))
}

fn newest_revision_time(view: &View<'_>, source: &Object) -> Option<Timestamp> {
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

    /// What the revisions of a Deployment that runs image `x:2` say about its crash.
    fn concluded(sets: Vec<Object>, pods: &[Value]) -> Option<String> {
        let mut snapshot = Snapshot::new("t", Scope::All);
        snapshot.taken_at = "2026-11-22T17:00:00Z".parse().ok();
        let deployment = object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "a", "uid": "d"},
            "spec": {"template": template("x:2")}
        }));
        snapshot.objects.insert("Deployment".to_owned(), vec![deployment]);
        snapshot.objects.insert("ReplicaSet".to_owned(), sets);
        snapshot.pods = pods.iter().map(|pod| serde_json::from_value(pod.clone()).unwrap()).collect();
        let view = View::new(&snapshot);
        conclusion(&view, view.workload("Deployment/a/web").unwrap(), Some("app"))
    }

    /// A pod of a revision that was made at `made` and whose only end, at `ended`, had this exit code.
    fn crashed(revision: i64, exit: i64, made: &str, ended: &str) -> Value {
        json!({"metadata": {"name": format!("web-{revision}-{exit}"), "namespace": "a", "creationTimestamp": made,
                "uid": format!("p{revision}"), "ownerReferences": [{"kind": "ReplicaSet",
                "name": format!("web-{revision}"), "uid": format!("r{revision}"), "controller": true}]},
            "status": {"phase": "Running", "containerStatuses": [{"name": "app", "restartCount": 1,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": exit, "reason": "Error", "finishedAt": ended}}}]}})
    }

    #[test]
    fn an_unchanged_template_with_ready_pods_is_not_the_cause() {
        let at = "2026-11-22T16:50:00Z";
        let pods = [crashed(2, 1, at, at)];
        let told = concluded(vec![replica_set(1, "x:2", 1, ""), replica_set(2, "x:2", 0, "")], &pods).unwrap();
        assert!(told.ends_with("the failure did not come with a change of the template"), "{told}");
        assert!(told.starts_with("revision 2 has the template of revision 1, whose pods are ready"), "{told}");
        assert_eq!(concluded(vec![replica_set(1, "x:1", 1, ""), replica_set(2, "x:2", 0, "")], &pods), None);
        assert_eq!(concluded(vec![replica_set(1, "x:2", 0, ""), replica_set(2, "x:2", 0, "")], &pods), None);
    }

    #[test]
    fn revisions_that_fail_alike_have_their_cause_elsewhere() {
        let at = "2026-11-22T16:50:00Z";
        let sets = || vec![replica_set(1, "x:1", 0, ""), replica_set(2, "x:2", 0, "")];
        let told = concluded(sets(), &[crashed(1, 3, at, at), crashed(2, 3, at, at)]).unwrap();
        let why = "pods of revision 1 fail like those of revision 2, with exit code 3: the cause lies outside of what \
                   changed in the template";
        assert_eq!(told, why);
        assert_eq!(concluded(sets(), &[crashed(1, 3, at, at), crashed(2, 4, at, at)]), None);
        assert_eq!(concluded(sets(), &[crashed(2, 3, at, at)]), None);
    }

    #[test]
    fn a_failure_long_after_a_rollout_did_not_come_with_it() {
        let made = |at: &str| {
            let mut set = replica_set(2, "x:2", 0, "");
            set.metadata.creation_timestamp = at.parse().ok();
            vec![set]
        };
        let (early, now) = ("2026-11-22T13:00:00Z", "2026-11-22T16:59:00Z");
        let told = concluded(made(early), &[crashed(2, 1, early, now)]).unwrap();
        assert!(told.starts_with("revision 2 was made ") && told.ends_with("it did not come with a rollout"), "{told}");
        assert_eq!(concluded(made(early), &[crashed(2, 1, now, now)]), None, "its pod is young and has no ready twin");
        assert_eq!(concluded(made("2026-11-22T16:40:00Z"), &[crashed(2, 1, early, now)]), None);
        let mut reused = made(early);
        let history = "deployment.kubernetes.io/revision-history".to_owned();
        reused[0].metadata.annotations.insert(history, "1".to_owned());
        assert_eq!(concluded(reused, &[crashed(2, 1, early, now)]), None, "a rollback took it again");
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
