//! StatefulSets: stuck rollouts, claims, names.

use super::admission;
use super::health;
use super::observe::{Explains, Observation, named};
use super::refusal;
use super::row::rows;
use super::view::{Settled, View, Workload};
use super::volumes::claims;
use super::workload::Consequence;
use crate::model::code::CodeInfo;
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Object, Pod};
use crate::model::path::Path;
use crate::text;
use serde_json::Value;

rows! { "statefulset";
STS_BROKEN_ROLLOUT_STUCK "sts-broken-rollout-stuck" Rule:
    "a StatefulSet does not replace its broken pod";
    "The pod is of another revision than the wanted one and is not ready. With the policy OrderedReady the controller \
     waits for it and never replaces it, so a corrected template alone does not heal it.";
    "controller-revision-hash of a failing pod differs from status.updateRevision.";
    "A rollout that failed and was rolled back, or corrected, in the template.";
    "Not by an edit when the template is good already: delete the pod once (`kubectl delete pod`). While the bad \
     template is still live, its field is put back first.".
STS_HEADLESS_SERVICE_MISSING "sts-headless-service-missing" Ask:
    "the Service that names the pods of a StatefulSet does not exist";
    "The pods run, and their DNS names resolve to nothing. No event and no condition says so.";
    "spec.serviceName against the Services of the namespace.";
    "A Service that was not applied, a mistyped name.";
    "A person chooses: a new headless Service of that name with the set's selector (clusterIP: None), because \
     serviceName can't be changed.".
STS_PVC_PENDING "sts-pvc-pending" None:
    "a pod of a StatefulSet waits for its claim";
    "The claim was made from the set's template and has no volume.";
    "a Pending pod and its claim TEMPLATE-SET-N with a fault of its own.";
    "What keeps the claim from being bound.";
    "An effect: the claim's fault is what to fix. Claim templates can't be changed: the set must be made anew with \
     orphaned pods.".
STS_CLAIM_CREATE_FAILED "sts-claim-create-failed" Model:
    "a StatefulSet can't make a claim for its pod";
    "The API refuses the claim, so the pod is not made either.";
    "event FailedCreate on the set with `create Claim C Pod P in StatefulSet S failed error: ...`.";
    "A quota, a webhook, an invalid claim template.";
    "Needs judgement: the message names the cause.".
STS_ON_DELETE_PENDING "sts-on-delete-pending" None:
    "a StatefulSet has a change that waits for its pods to be deleted";
    "With the strategy OnDelete a pod gets the new template only when somebody deletes it.";
    "spec.updateStrategy OnDelete, and pods of another revision than status.updateRevision.";
    "A strategy that leaves the moment to a person.";
    "By intent: delete the pods one by one when the moment is right.".
STS_PARTITION_HOLDS "sts-partition-holds" None:
    "a StatefulSet keeps part of its pods on the old revision";
    "Pods with an ordinal below the partition are not updated.";
    "spec.updateStrategy.rollingUpdate.partition above 0, and pods below it of another revision.";
    "A canary, a rollout in steps that has not been finished.";
    "By intent: lower the partition to roll on.".
STS_TEMPLATE_IMMUTABLE "sts-template-immutable" None:
    "a change of a StatefulSet can't be applied";
    "Only replicas, template, update strategy and a few others can be changed; the API refuses the rest.";
    "a delivery tool reports `updates to statefulset spec for fields other than ... are forbidden`.";
    "A change of volumeClaimTemplates, serviceName or the selector in Git.";
    "Not by an edit: make the set anew with `kubectl delete --cascade=orphan`, so that the pods stay.".
STS_SCALE_DOWN_STUCK "sts-scale-down-stuck" None:
    "a StatefulSet can't be scaled down";
    "It removes one pod after the other, and the last one does not end.";
    "more pods than spec.replicas, and the one with the highest ordinal is being deleted.";
    "What keeps that pod from ending.";
    "An effect: what keeps the pod is what to fix.".
}

/// What the API says to a change of what can't be changed.
pub(crate) const IMMUTABLE: &str = "updates to statefulset spec for fields other than";

fn sets<'v, 's>(view: &'v View<'s>) -> impl Iterator<Item = (&'v Workload<'s>, &'s Object)> {
    let with_source = view.workloads.iter().filter_map(|workload| Some((workload, workload.source?)));
    with_source.filter(|(_, source)| source.kind == "StatefulSet")
}

fn ordinal(pod: &Pod) -> Option<i64> {
    pod.metadata.name.rsplit_once('-')?.1.parse().ok()
}

fn hash(pod: &Pod) -> Option<&String> {
    pod.metadata.labels.get("controller-revision-hash")
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for (workload, source) in sets(view) {
        let on_delete = source.text("/spec/updateStrategy/type") == "OnDelete";
        if on_delete {
            out.extend(pending(workload, source));
        } else {
            out.extend(held(workload, source));
            out.extend(stuck(view, workload, source));
        }
        out.extend(headless(view, workload, source));
        out.extend(claim_refused(view, workload));
    }
    out
}

/// Pods of another revision than the wanted one.
fn outdated<'v, 's>(workload: &'v Workload<'s>, source: &Object) -> Vec<&'v &'s Pod> {
    let wanted = source.text("/status/updateRevision");
    let other = |pod: &&&Pod| !wanted.is_empty() && hash(pod).is_some_and(|hash| hash != wanted);
    workload.pods.iter().filter(other).collect()
}

fn partition(source: &Object) -> i64 {
    source.int("/spec/updateStrategy/rollingUpdate/partition").unwrap_or_default()
}

fn stuck(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Vec<Observation> {
    let parallel = source.text("/spec/podManagementPolicy") == "Parallel";
    let failing = outdated(workload, source).into_iter().filter(|pod| {
        let held_back = ordinal(pod).is_some_and(|at| at < partition(source));
        !parallel && !held_back && pod.metadata.deletion_timestamp.is_none() && !pod.is_ready()
    });
    failing
        .filter_map(|pod| {
            let name = &pod.metadata.name;
            let mut seen = Observation::of_workload(&STS_BROKEN_ROLLOUT_STUCK, workload);
            seen.summary =
                format!("pod {name} is broken and of another revision; it is not replaced until it is deleted");
            seen.pod = Some(name.clone());
            seen.since = pod.metadata.creation_timestamp;
            let has = hash(pod).map_or("", String::as_str);
            let wanted = source.text("/status/updateRevision");
            seen.show(Source::Status, None, &format!("pod {name} is of revision {has}, wanted is {wanted}"), None);
            for status in pod.status.container_statuses.iter().filter(|status| !status.ready) {
                if let Some(waiting) = &status.state.waiting {
                    let text = format!("container {}: {} {}", status.name, waiting.reason, waiting.message);
                    seen.show(Source::Status, None, &text, None);
                }
            }
            let container = pod.spec.containers.first()?;
            let now = source.pod_spec().and_then(|spec| spec.containers.iter().find(|one| one.name == container.name));
            if let Some(now) = now.filter(|now| now.image != container.image) {
                let text = format!("pod {name} has image {}, the template {}", container.image, now.image);
                let path = workload.spec_path().field("containers").item(&now.name).field("image");
                seen.show(Source::Spec, None, &text, Some(path));
            }
            seen.fact("pod", name.as_str());
            // Reverting does not replace it: nothing in Git is left to change.
            seen.class = crate::model::code::FixClass::None;
            seen.settle(health::settled(view, pod))
        })
        .collect()
}

fn by_intent(code: &'static CodeInfo, workload: &Workload<'_>, summary: String, path: &str) -> Observation {
    let mut seen = Observation::of_workload(code, workload);
    seen.show(Source::Spec, None, &summary, Some(Path::of(path)));
    seen.summary = summary;
    seen.severity = Some(Severity::Info);
    seen
}

fn pending(workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let names: Vec<&String> = outdated(workload, source).into_iter().map(|pod| &pod.metadata.name).collect();
    let summary = format!("{} must be deleted to get the new template", text::and(&names));
    (!names.is_empty()).then(|| {
        let mut seen = by_intent(&STS_ON_DELETE_PENDING, workload, summary, "spec.updateStrategy.type");
        seen.fact("pods", names.into_iter().cloned().collect::<Vec<_>>());
        seen
    })
}

fn held(workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let partition = partition(source);
    let below = outdated(workload, source).into_iter().any(|pod| ordinal(pod).is_some_and(|at| at < partition));
    let summary = format!("pods of {} below {partition} stay on the old revision", source.metadata.name);
    below.then(|| by_intent(&STS_PARTITION_HOLDS, workload, summary, "spec.updateStrategy.rollingUpdate.partition"))
}

fn headless(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let (name, namespace) = (source.text("/spec/serviceName"), &source.metadata.namespace);
    if name.is_empty() || view.snapshot.lacks("services") || view.snapshot.find("Service", namespace, name).is_some() {
        return None;
    }
    let summary = format!("Service {name}, which names the pods of {}, does not exist", source.metadata.name);
    let mut seen = by_intent(&STS_HEADLESS_SERVICE_MISSING, workload, summary, "spec.serviceName");
    seen.since = source.metadata.creation_timestamp;
    // A log that asks for a pod by that name makes it a fault.
    let asked = format!("-0.{name}");
    let logs = view.snapshot.logs.iter().filter(|log| log.namespace == *namespace);
    let mut lines = logs.flat_map(|log| log.lines.iter().map(move |line| (log, line)));
    if let Some((log, line)) = lines.find(|(_, line)| line.text.contains(&asked)) {
        let has_pod =
            |other: &&Workload<'_>| other.pods.iter().any(|pod| pod.metadata.name == log.pod && !pod.is_ready());
        if let Some(caller) = view.workloads.iter().find(has_pod) {
            seen.severity = Some(Severity::Error);
            seen.show(Source::Log, line.at, &line.text, None);
            seen.explains.push(Explains { key: caller.key.clone(), codes: &["crash-dns", "crash-app-error"] });
        }
    }
    seen.fact("serviceName", name);
    Some(seen)
}

fn claim_refused(view: &View<'_>, workload: &Workload<'_>) -> Option<Observation> {
    // What refuses it is the root where it is known.
    let refused =
        refusal::of(view, workload).filter(|refused| refused.claim && !admission::is_known(view, workload, refused))?;
    let mut seen = Observation::of_workload(&STS_CLAIM_CREATE_FAILED, workload);
    seen.summary = format!("a claim of {} is refused: {}", workload.top, text::clip(&refused.text, 120));
    seen.message.clone_from(&refused.text);
    seen.since = refused.at;
    seen.show(Source::Event, refused.at, &refused.shown, None);
    Some(seen)
}

/// Effects of claims and of pods that do not end.
pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    let mut out = Vec::new();
    for (workload, source) in sets(view) {
        if refusal::of(view, workload).is_some_and(|one| one.claim && admission::is_known(view, workload, &one)) {
            out.push(Consequence {
                code: &STS_CLAIM_CREATE_FAILED,
                object: source.object(),
                follows: vec![workload.key.clone()],
                container: None,
                summary: format!("StatefulSet {} can't make a claim for its pod", source.metadata.name),
            });
        }
        let templates: Vec<Value> = source.view("/spec/volumeClaimTemplates");
        let names: Vec<&str> = templates.iter().filter_map(|one| one.pointer("/metadata/name")?.as_str()).collect();
        let set = &source.metadata.name;
        for pod in workload.pods.iter().filter(|pod| pod.status.phase == "Pending") {
            let own = |claim: &String| names.iter().any(|name| claim.starts_with(&format!("{name}-{set}-")));
            let waiting: Vec<String> = claims(pod).into_iter().map(|(_, claim)| claim).filter(own).collect();
            if !waiting.is_empty() {
                let namespace = &pod.metadata.namespace;
                out.push(Consequence {
                    code: &STS_PVC_PENDING,
                    object: source.object(),
                    follows: waiting.iter().map(|claim| named("PersistentVolumeClaim", namespace, claim)).collect(),
                    container: None,
                    summary: format!("pod {} waits for claim {}", pod.metadata.name, text::and(&waiting)),
                });
            }
        }
        let ending = workload.pods.iter().filter(|pod| {
            ordinal(pod).is_some_and(|at| usize::try_from(at).is_ok_and(|at| at >= workload.counts.desired))
        });
        let late = |pod: &&&Pod| view.settled(pod.metadata.deletion_timestamp, 60) == Settled::Yes;
        if let Some(pod) = ending.filter(late).max_by_key(|pod| ordinal(pod)) {
            out.push(Consequence {
                code: &STS_SCALE_DOWN_STUCK,
                object: source.object(),
                follows: vec![workload.key.clone()],
                container: None,
                summary: format!("StatefulSet {set} can't be scaled down below pod {}", pod.metadata.name),
            });
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
mod tests {
    use super::super::testing::{OLD, all, event, finding, ready, roots};
    use serde_json::{Value, json};

    fn set(replicas: i64, spec: Value) -> Value {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"replicas": replicas, "serviceName": "", "template": {"spec": {"containers": [{"name": "app", "image": "x"}]}}},
            "status": {"updateRevision": "db-2", "readyReplicas": replicas}});
        for (key, value) in spec.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        object
    }

    fn member(name: &str, hash: &str) -> Value {
        let mut pod = ready(name, json!({"controller-revision-hash": hash}));
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "StatefulSet-db", "controller": true}]);
        pod
    }

    #[test]
    fn a_claim_that_is_refused_is_told_with_its_reason() {
        let message = r#"create Claim data-db-0 Pod db-0 in StatefulSet db failed error: PersistentVolumeClaim "data-db-0" is invalid: spec.resources: Required value"#;
        let mut short = set(1, json!({}));
        short["status"]["readyReplicas"] = json!(0);
        assert_eq!(
            roots(&[short, event("StatefulSet", "db", "FailedCreate", message)]),
            ["sts-claim-create-failed StatefulSet/db"]
        );
    }

    #[test]
    fn a_policy_that_refuses_a_claim_is_the_root() {
        let message = "create Claim data-db-0 Pod db-0 in StatefulSet db failed error: persistentvolumeclaims \"data-db-0\" \
            is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: claims are limited to 1Gi";
        let mut short = set(1, json!({}));
        short["status"]["readyReplicas"] = json!(0);
        let all = [short, event("StatefulSet", "db", "FailedCreate", message)];
        assert_eq!(roots(&all), ["admission-policy-denied StatefulSet/db"]);
        let told = finding(&all, "admission-policy-denied");
        assert!(told.effects.iter().any(|effect| effect.code.name() == "sts-claim-create-failed"));
    }

    #[test]
    fn a_pod_that_does_not_end_holds_the_scale_down() {
        let mut last = member("db-1", "db-2");
        last["metadata"]["deletionTimestamp"] = json!(OLD);
        last["metadata"]["finalizers"] = json!(["x/y"]);
        let told = finding(&[set(1, json!({})), member("db-0", "db-2"), last], "pod-finalizer-stuck");
        assert_eq!(told.effects[0].code.name(), "sts-scale-down-stuck");
    }

    #[test]
    fn old_pods_below_the_partition_or_on_delete_are_by_intent() {
        let old = || member("db-0", "db-1");
        let canary = set(1, json!({"updateStrategy": {"rollingUpdate": {"partition": 1}}}));
        assert_eq!(all(&[canary, old()]), ["sts-partition-holds StatefulSet/db"]);
        let by_hand = set(1, json!({"updateStrategy": {"type": "OnDelete"}}));
        assert_eq!(all(&[by_hand, old()]), ["sts-on-delete-pending StatefulSet/db"]);
        assert!(all(&[set(1, json!({})), member("db-0", "db-2")]).is_empty());
    }
}
