//! Pods that wait for their volumes: claims and the scheduler.

use super::observe::{Observation, named};
use super::placement::{PVC_MISSING, UNSCHEDULABLE_CLAIMS, UNSCHEDULABLE_PVC_UNBOUND, simple};
use super::row::rows;
use super::scheduling::Unscheduled;
use super::view::Subject;
use crate::model::finding::Source;
use crate::model::kube::{Object, Pod};
use crate::model::object::ObjectRef;
use crate::text;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;

rows! { "scheduling";
UNSCHEDULABLE_VOLUME_AFFINITY "unschedulable-volume-affinity" Ask:
    "a pod's volume lives on nodes that can't take the pod";
    "A local or zonal volume ties its pods to certain nodes, and none of them is open to this pod or is still there.";
    "condition PodScheduled=False with `didn't match PersistentVolume's node affinity` or `volume node affinity \
     conflict`; nodeAffinity of the volume.";
    "A node that was replaced, a pod that a selector sends to another zone.";
    "The data lives where it lives. Where the pod's own nodeSelector sends it elsewhere, a person may choose \
     the volume's place; else bring the node back or move the data.".
UNSCHEDULABLE_VOLUME_ZONE "unschedulable-volume-zone" None:
    "a pod's volume is in a zone without a node for the pod";
    "The volume can be attached in one zone only, and no node of it can take the pod.";
    "condition PodScheduled=False with `had no available volume zone`.";
    "A node pool that does not span the zone of the volume.";
    "Not in Git of the workload: nodes are needed in the zone of the volume.".
UNSCHEDULABLE_VOLUME_LIMIT "unschedulable-volume-limit" None:
    "every node has as many volumes attached as it may";
    "The storage driver limits how many volumes a node takes.";
    "condition PodScheduled=False with `exceed max volume count`.";
    "Many small volumes on few nodes.";
    "Not in Git of the workload: more nodes or fewer volumes.".
UNSCHEDULABLE_VOLUME_BIND "unschedulable-volume-bind" None:
    "a pod waits until its claim gets a volume";
    "The claim binds when its pod is placed, and no volume can be found or made for it.";
    "condition PodScheduled=False with `didn't find available persistent volumes to bind` or `did not have enough \
     free storage`; or a pod without conditions whose claim is pending.";
    "What keeps the claim pending: its class, its provisioner, its size.";
    "An effect: what keeps the claim from being bound is what to fix.".
UNSCHEDULABLE_RWOP "unschedulable-rwop" Rule:
    "a volume for a single pod is in use by another";
    "A claim with access mode ReadWriteOncePod can be used by one pod in the whole cluster, and another pod has it.";
    "condition PodScheduled=False with `ReadWriteOncePod access mode already in-use by another pod`.";
    "More than one replica, or a rolling update of a single writer.";
    "When the old pod of the same Deployment with one replica and no autoscaler holds it, strategy Recreate is set \
     for a person to review: every rollout then has a gap. Otherwise a person chooses.".
}

static NO_CLAIM: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^persistentvolumeclaim "([^"]+)" (not found|is being deleted)"#).ok());

/// Claims that a pod mounts: position of the volume and name of the claim. An ephemeral volume has its
/// claim named after the pod.
pub(crate) fn claims(pod: &Pod) -> Vec<(usize, String)> {
    let name = |volume: &Value| {
        if let Some(claim) = volume.pointer("/persistentVolumeClaim/claimName") {
            return claim.as_str().map(str::to_owned);
        }
        volume.get("ephemeral")?;
        Some(format!("{}-{}", pod.metadata.name, volume.get("name")?.as_str()?))
    };
    pod.spec.volumes.iter().enumerate().filter_map(|(at, volume)| Some((at, name(volume)?))).collect()
}

/// Links a finding to the claims of its pod.
fn follow_claims(seen: &mut Observation, pod: &Pod) -> Vec<String> {
    let names: Vec<String> = claims(pod).into_iter().map(|(_, name)| name).collect();
    seen.follows.extend(names.iter().map(|name| named("PersistentVolumeClaim", &pod.metadata.namespace, name)));
    names
}

/// Claims of a pod as they are in the cluster.
fn seen_claims<'s>(subject: Subject<'_, 's>) -> Vec<&'s Object> {
    let find = |name: &str| {
        let namespace = &subject.pod.metadata.namespace;
        subject.view.snapshot.find("PersistentVolumeClaim", namespace, name)
    };
    claims(subject.pod).iter().filter_map(|(_, name)| find(name)).collect()
}

/// Reasons that hold for all nodes alike.
pub(crate) fn for_all_nodes(pod: &Unscheduled<'_, '_>, reason: &str) -> Option<Observation> {
    if let Some(found) = NO_CLAIM.as_ref().and_then(|shape| shape.captures(reason)) {
        return pod.settle(missing(pod, &found[1], &found[2]));
    }
    if reason.contains("unbound immediate PersistentVolumeClaims") {
        let mut seen = simple(pod, &UNSCHEDULABLE_PVC_UNBOUND, reason);
        let names = follow_claims(&mut seen, pod.at.pod);
        seen.summary = format!("the pod waits for claim {}, which has no volume", text::or(&names));
        seen.fact("claims", names);
        return pod.settle(seen);
    }
    if reason.contains("bound to non-existent persistentvolume") {
        let mut seen = simple(pod, &UNSCHEDULABLE_PVC_UNBOUND, reason);
        let names = follow_claims(&mut seen, pod.at.pod);
        seen.summary = format!("the volume of claim {} is gone", text::or(&names));
        seen.fact("claims", names);
        return pod.settle(seen);
    }
    let is_claim = reason.contains("resourceclaim") || reason.contains("allocate all claims");
    is_claim.then(|| simple(pod, &UNSCHEDULABLE_CLAIMS, reason)).and_then(|seen| pod.settle(seen))
}

fn missing(pod: &Unscheduled<'_, '_>, name: &str, how: &str) -> Observation {
    let (subject, namespace) = (pod.at, &pod.at.pod.metadata.namespace);
    let mut seen = pod.observation(&PVC_MISSING, name);
    let existing = subject.view.snapshot.kind("PersistentVolumeClaim").iter();
    let names: BTreeSet<&str> = existing
        .filter(|claim| claim.metadata.namespace == *namespace)
        .map(|claim| claim.metadata.name.as_str())
        .filter(|other| *other != name)
        .collect();
    seen.summary = match (how, text::nearest(name, names.iter().copied())) {
        ("is being deleted", _) => format!("PersistentVolumeClaim {name} is being deleted"),
        (_, Some(near)) => format!("PersistentVolumeClaim {name} does not exist; {near} does"),
        _ => format!("PersistentVolumeClaim {name} does not exist"),
    };
    for (at, claim) in claims(subject.pod).into_iter().filter(|(_, claim)| claim == name) {
        let path = subject.workload.spec_path().field("volumes").index(at);
        let path = path.field("persistentVolumeClaim").field("claimName");
        seen.show(Source::Spec, None, &format!("claimName: {claim}"), Some(path));
    }
    if subject.view.snapshot.lacks("persistentvolumeclaims") {
        seen.class = crate::model::code::FixClass::Ask;
    }
    seen.follows.push(named("PersistentVolumeClaim", namespace, name));
    seen.shared = Some(ObjectRef::new("v1", "PersistentVolumeClaim", namespace, name));
    seen.fact("missing", name);
    seen.fact("object", format!("PersistentVolumeClaim/{name}"));
    seen.fact("existing", names.into_iter().collect::<Vec<_>>());
    seen
}

/// A pod that the scheduler holds while its claim gets a volume: there is no condition then.
pub(crate) fn awaited(subject: Subject<'_, '_>) -> Option<Observation> {
    let pending: Vec<&str> = seen_claims(subject)
        .into_iter()
        .filter(|claim| claim.text("/status/phase") == "Pending")
        .map(|claim| claim.metadata.name.as_str())
        .collect();
    if pending.is_empty() {
        return None;
    }
    let mut seen = Observation::of_workload(&UNSCHEDULABLE_VOLUME_BIND, subject.workload);
    seen.pod = Some(subject.pod.metadata.name.clone());
    seen.since = subject.pod.metadata.creation_timestamp;
    seen.summary = format!("the pod waits for claim {}, which has no volume", text::or(&pending));
    seen.show(Source::Status, None, &format!("claim {} is Pending", text::and(&pending)), None);
    follow_claims(&mut seen, subject.pod);
    Some(seen)
}

pub(crate) fn bind(pod: &Unscheduled<'_, '_>, reason: &str) -> Observation {
    let mut seen = simple(pod, &UNSCHEDULABLE_VOLUME_BIND, reason);
    follow_claims(&mut seen, pod.at.pod);
    seen
}

pub(crate) fn affinity(pod: &Unscheduled<'_, '_>, reason: &str) -> Observation {
    let mut seen = simple(pod, &UNSCHEDULABLE_VOLUME_AFFINITY, reason);
    for claim in seen_claims(pod.at) {
        let volume = claim.text("/spec/volumeName");
        let where_it_is = pod.at.view.snapshot.find("PersistentVolume", "", volume).map(places).unwrap_or_default();
        if !where_it_is.is_empty() {
            let shown = text::or(&where_it_is);
            seen.summary = format!("volume {volume} of claim {} lives on {shown}", claim.metadata.name);
            seen.show(Source::Spec, None, &format!("PersistentVolume {volume} may be used on {shown}"), None);
        }
    }
    follow_claims(&mut seen, pod.at.pod);
    seen
}

/// `key=value` of the nodes that a volume can be used on.
fn places(volume: &Object) -> Vec<String> {
    let terms = volume.at("/spec/nodeAffinity/required/nodeSelectorTerms").and_then(Value::as_array);
    let expressions = terms.into_iter().flatten().filter_map(|term| term.get("matchExpressions")?.as_array()).flatten();
    expressions
        .flat_map(|one| {
            let key = one.get("key").and_then(Value::as_str).unwrap_or_default();
            let values = one.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            values.map(move |value| format!("{key}={value}")).collect::<Vec<_>>()
        })
        .collect()
}

pub(crate) fn zone(pod: &Unscheduled<'_, '_>, reason: &str) -> Observation {
    simple(pod, &UNSCHEDULABLE_VOLUME_ZONE, reason)
}

pub(crate) fn limit(pod: &Unscheduled<'_, '_>, reason: &str) -> Observation {
    simple(pod, &UNSCHEDULABLE_VOLUME_LIMIT, reason)
}

/// Which pod has the volume decides whether it is a rollout that can't go on.
pub(crate) fn single_writer(pod: &Unscheduled<'_, '_>, reason: &str) -> Observation {
    let mut seen = simple(pod, &UNSCHEDULABLE_RWOP, reason);
    let names: BTreeSet<String> = claims(pod.at.pod).into_iter().map(|(_, name)| name).collect();
    let namespace = &pod.at.pod.metadata.namespace;
    let holder =
        pod.at.view.snapshot.pods.iter().filter(|other| other.metadata.namespace == *namespace).find(|other| {
            !other.spec.node_name.is_empty() && claims(other).iter().any(|(_, name)| names.contains(name))
        });
    let shown: Vec<&String> = names.iter().collect();
    seen.summary = format!("claim {} is for one pod and in use by another", text::and(&shown));
    if let Some(holder) = holder {
        let own = pod.at.workload.pods.iter().any(|other| other.metadata.uid == holder.metadata.uid);
        let replica = pod.at.workload.current.iter().any(|other| other.metadata.uid == holder.metadata.uid);
        seen.summary = format!("claim {} is for one pod, and {} has it", text::and(&shown), holder.metadata.name);
        seen.fact("holder", holder.metadata.name.as_str());
        seen.fact("holderIsOwnOldPod", own && !replica);
    }
    seen
}
