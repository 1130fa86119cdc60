//! Which pods belong to the wanted revision.

use super::health;
use super::view::Workload;
use crate::model::kube::{Object, Pod};
use crate::model::snapshot::Snapshot;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The label by which an Argo Rollout tells its revisions apart.
const ROLLOUT_HASH: &str = "rollouts-pod-template-hash";

/// Which pods are judged, and of which revision.
#[derive(Default)]
pub(crate) struct Current<'s> {
    pub pods: Vec<&'s Pod>,
    pub revision: String,
    pub drifted: bool,
}

/// Pods of an earlier revision are context, not findings.
pub(crate) fn judge<'s>(workload: &Workload<'s>, children: &Children<'s>) -> Current<'s> {
    let whole = |revision: &str| Current { pods: workload.pods.clone(), revision: revision.to_owned(), drifted: false };
    let Some(source) = workload.source else { return whole("") };
    match source.kind.as_str() {
        "Deployment" | "Rollout" => deployment(workload, source, children).unwrap_or_else(|| whole("")),
        "StatefulSet" => by_hash(workload, source, source.text("/status/updateRevision")),
        "DaemonSet" => {
            let newest = children
                .of("ControllerRevision", source)
                .max_by_key(|r| (r.int("/revision"), r.metadata.name.as_str()));
            let hash = newest.and_then(|r| r.metadata.labels.get("controller-revision-hash"));
            by_hash(workload, source, hash.map_or("", String::as_str))
        }
        "CronJob" => cron_job(workload, source, children),
        _ => whole(&source.metadata.name),
    }
}

/// What workloads control beside pods, by the controller.
pub(crate) struct Children<'s>(BTreeMap<(&'s str, &'s str), Vec<&'s Object>>);

impl<'s> Children<'s> {
    /// Each is found by its controller's uid, and by its name for a controller that has none.
    pub(crate) fn new(snapshot: &'s Snapshot) -> Self {
        let mut found: BTreeMap<(&str, &str), Vec<&Object>> = BTreeMap::new();
        for object in ["ReplicaSet", "ControllerRevision", "Job"].into_iter().flat_map(|kind| snapshot.kind(kind)) {
            let Some(by) = object.metadata.controller() else { continue };
            found.entry(("", &by.name)).or_default().push(object);
            if !by.uid.is_empty() {
                found.entry(("uid", &by.uid)).or_default().push(object);
            }
        }
        // Of two that stand alike, such as revisions with one number, none may win by its place in a list.
        found.values_mut().for_each(|all| all.sort_by_key(|one| (&one.metadata.namespace, &one.metadata.name)));
        Self(found)
    }

    /// Objects of a kind that `owner` controls, by name.
    pub(crate) fn of<'c>(&'c self, kind: &'c str, owner: &'c Object) -> impl Iterator<Item = &'s Object> + use<'c, 's> {
        let meta = &owner.metadata;
        let key = if meta.uid.is_empty() { ("", meta.name.as_str()) } else { ("uid", meta.uid.as_str()) };
        self.0.get(&key).into_iter().flatten().copied().filter(move |object| {
            object.kind == kind
                && object.metadata.namespace == meta.namespace
                && object.metadata.controller().is_some_and(|by| by.kind == owner.kind)
        })
    }
}

/// The ReplicaSet of a Deployment that has its template, of a Rollout that whose hash it names; on a tie, or when
/// there is none, that of the highest number.
pub(crate) fn newest_replica_set<'s>(children: &Children<'s>, owner: &Object) -> Option<&'s Object> {
    newest(children, owner).map(|(_, newest)| newest)
}

/// The same, and whether it is what the owner asks for.
fn newest<'s>(children: &Children<'s>, owner: &Object) -> Option<(bool, &'s Object)> {
    // Its template may stand in a Deployment that it refers to.
    let hash = (owner.kind == "Rollout").then(|| owner.text("/status/currentPodHash"));
    let is_asked = |set: &Object| match hash {
        Some(hash) => set.metadata.labels.get(ROLLOUT_HASH).is_some_and(|label| label == hash),
        None => has_template(set, owner),
    };
    let all = children.of("ReplicaSet", owner).map(|set| (is_asked(set), set));
    all.max_by_key(|(same, set)| (*same, revision_number(set), set.metadata.name.as_str()))
}

/// Whether two objects have the same template, but for what makes one new. The API writes equal specs as equal texts.
fn has_template(one: &Object, other: &Object) -> bool {
    const SPEC: &str = "/spec/template/spec";
    const METADATA: &str = "/spec/template/metadata";
    let metadata = |object: &Object| object.at(METADATA).map(bare_metadata);
    if one.body.raw(SPEC).is_some_and(|spec| other.body.raw(SPEC) == Some(spec)) {
        let text = |object: &Object| Some(unhashed(object.body.raw(METADATA)?, &object.metadata.labels));
        return text(one).is_some_and(|own| Some(own) == text(other)) || metadata(one) == metadata(other);
    }
    same_template(one.template(), other.template())
}

/// The metadata of a template without the label that tells this ReplicaSet from others, as the API writes it.
fn unhashed(metadata: &str, labels: &BTreeMap<String, String>) -> String {
    let Some(hash) = labels.get("pod-template-hash") else { return metadata.to_owned() };
    let label = format!("\"pod-template-hash\":\"{hash}\"");
    let Some((before, after)) = metadata.split_once(&label) else { return metadata.to_owned() };
    match (before.strip_suffix(','), after.strip_prefix(',')) {
        (_, Some(after)) => [before, after].concat(),
        (Some(before), None) => [before, after].concat(),
        (None, None) => metadata.to_owned(),
    }
}

/// The number of its revision that the owner of a ReplicaSet wrote on it, 0 when absent.
pub(crate) fn revision_number(replica_set: &Object) -> i64 {
    let annotations = &replica_set.metadata.annotations;
    let text = annotations
        .get("deployment.kubernetes.io/revision")
        .or_else(|| annotations.get("rollout.argoproj.io/revision"));
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// A template without what controllers and tools add to make it new: hashes, restarts, checksums.
pub(crate) fn bare_template(template: &Value) -> Value {
    let mut bare = template.clone();
    if let Some(top) = bare.as_object_mut() {
        top.shift_remove("$patch");
        if let Some(metadata) = top.get_mut("metadata") {
            *metadata = bare_metadata(metadata);
        }
    }
    bare
}

/// Whether two templates are the same but for that. What is large in them is compared where it is.
fn same_template(one: Option<&Value>, other: Option<&Value>) -> bool {
    let (Some(Value::Object(one)), Some(Value::Object(other))) = (one, other) else { return one == other };
    let rest =
        |map: &Map<String, Value>| map.keys().filter(|key| !matches!(key.as_str(), "$patch" | "metadata")).count();
    let metadata = |map: &Map<String, Value>| map.get("metadata").map(bare_metadata);
    let same = |(key, value): (&String, &Value)| {
        matches!(key.as_str(), "$patch" | "metadata") || other.get(key).is_some_and(|other| same_value(value, other))
    };
    rest(one) == rest(other) && one.iter().all(same) && metadata(one) == metadata(other)
}

/// `==`, but maps whose keys stand in the same order are not looked up key by key: the API writes them so.
fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && (a.iter().zip(b).all(|((k, v), (l, w))| k == l && same_value(v, w)) || one == other)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(v, w)| same_value(v, w)),
        _ => one == other,
    }
}

fn bare_metadata(metadata: &Value) -> Value {
    let mut bare = metadata.clone();
    if let Some(metadata) = bare.as_object_mut() {
        metadata.retain(|key, value| key != "creationTimestamp" && !value.is_null());
        drop_keys(metadata, "labels", |key| {
            matches!(key, "pod-template-hash" | "controller-revision-hash" | ROLLOUT_HASH)
        });
        drop_keys(metadata, "annotations", |key| {
            key == "kubectl.kubernetes.io/restartedAt" || key.starts_with("checksum/") || key.contains("checksum")
        });
        metadata.retain(|_, value| !value.as_object().is_some_and(Map::is_empty));
    }
    bare
}

fn drop_keys(metadata: &mut Map<String, Value>, name: &str, is_noise: impl Fn(&str) -> bool) {
    if let Some(map) = metadata.get_mut(name).and_then(Value::as_object_mut) {
        map.retain(|key, _| !is_noise(key));
    }
}

fn observed(object: &Object) -> bool {
    health::observed_generation(object).is_none_or(|seen| seen >= object.metadata.generation)
}

fn deployment<'s>(workload: &Workload<'s>, source: &Object, children: &Children<'s>) -> Option<Current<'s>> {
    let (is_same, newest) = newest(children, source)?;
    let is_current = |pod: &&Pod| {
        pod.metadata.controller().is_none_or(|by| by.uid == newest.metadata.uid || by.name == newest.metadata.name)
    };
    let pods = workload.pods.iter().copied().filter(is_current).collect();
    let drifted = !is_same || (source.kind == "Rollout" && !observed(source));
    Some(Current { pods, revision: newest.metadata.name.clone(), drifted })
}

fn by_hash<'s>(workload: &Workload<'s>, source: &Object, hash: &str) -> Current<'s> {
    let has_it = |pod: &&Pod| {
        let label = pod.metadata.labels.get("controller-revision-hash");
        // A StatefulSet's label is `name-hash` and so is `updateRevision`; without a label nothing is known.
        hash.is_empty() || label.is_none_or(|label| label == hash)
    };
    let pods = workload.pods.iter().copied().filter(has_it).collect();
    Current { pods, revision: hash.to_owned(), drifted: !observed(source) }
}

/// Pods of the newest finished Job and of those after it: an older failure is over.
fn cron_job<'s>(workload: &Workload<'s>, source: &Object, children: &Children<'s>) -> Current<'s> {
    let jobs = judged_jobs(children, source);
    let is_current =
        |pod: &&Pod| pod.metadata.controller().is_none_or(|by| jobs.iter().any(|job| job.metadata.uid == by.uid));
    let pods = workload.pods.iter().copied().filter(is_current).collect();
    let revision = jobs.last().map(|job| job.metadata.name.clone()).unwrap_or_default();
    Current { pods, revision, drifted: false }
}

/// The newest finished Job of a CronJob and all newer ones, oldest first.
pub(crate) fn judged_jobs<'s>(children: &Children<'s>, cron_job: &Object) -> Vec<&'s Object> {
    let mut jobs: Vec<&Object> = children.of("Job", cron_job).collect();
    jobs.sort_by_key(|job| (job.metadata.creation_timestamp, job.metadata.name.as_str()));
    let from = jobs.iter().rposition(|job| job_end(job).is_some()).unwrap_or(0);
    jobs.split_off(from)
}

/// `Complete` or `Failed` with its reason, `None` while a Job runs.
pub(crate) fn job_end(job: &Object) -> Option<crate::model::kube::Condition> {
    job.conditions().into_iter().find(|c| matches!(c.kind.as_str(), "Complete" | "Failed") && c.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_are_the_same_when_their_bare_forms_are() {
        let template =
            |metadata: Value, image: &str| json!({"metadata": metadata, "spec": {"containers": [{"image": image}]}});
        let plain = template(json!({"labels": {"app": "a"}}), "a:1");
        let others = [
            plain.clone(),
            template(json!({"creationTimestamp": null, "labels": {"app": "a", "pod-template-hash": "x"}}), "a:1"),
            template(json!({"labels": {"app": "a"}, "annotations": {"checksum/config": "1"}}), "a:1"),
            json!({"$patch": "replace", "spec": plain["spec"], "metadata": plain["metadata"]}),
            template(json!({"labels": {"app": "b"}}), "a:1"),
            template(json!({"labels": {"app": "a"}}), "a:2"),
            json!({"spec": plain["spec"]}),
            json!({"spec": plain["spec"], "metadata": plain["metadata"], "more": 1}),
            Value::Null,
        ];
        let same = |other: &Value| same_template(Some(&plain), Some(other));
        assert_eq!(others.iter().filter(|other| same(other)).count(), 4);
        for other in &others {
            assert_eq!(same(other), bare_template(&plain) == bare_template(other), "{other}");
            assert_eq!(same_template(Some(other), Some(&plain)), same(other), "{other}");
        }
        assert!(same_template(None, None) && !same_template(None, Some(&plain)));
    }

    #[test]
    fn a_replica_set_has_the_template_of_its_deployment_as_the_api_writes_both() {
        let object = |labels: &str, template: &str| -> Object {
            let text = format!(
                r#"{{"metadata":{{"labels":{{{labels}}}}},"spec":{{"template":{{"metadata":{{"labels":{{{template}}}}},"spec":{{"containers":[]}}}}}}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let hash = r#""pod-template-hash":"5d4""#;
        let set = |template: &str| object(hash, template);
        for (own, of_set, same) in [
            (r#""app":"a""#, format!(r#""app":"a",{hash}"#), true),
            (r#""app":"a","zone":"b""#, format!(r#""app":"a",{hash},"zone":"b""#), true),
            (r#""zone":"b""#, format!(r#"{hash},"zone":"b""#), true),
            ("", hash.to_owned(), true),
            (r#""app":"b""#, format!(r#""app":"a",{hash}"#), false),
            (r#""app":"a""#, r#""app":"a""#.to_owned(), true),
        ] {
            assert_eq!(has_template(&set(&of_set), &object("", own)), same, "{of_set}");
        }
    }
}
