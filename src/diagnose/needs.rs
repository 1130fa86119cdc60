//! What the second wave of requests should fetch.

use super::crash;
use super::health::{self, Health};
use super::log_lines;
use super::owners;
use super::refusal;
use super::values;
use super::view::{Running, Settled, View, settled};
use crate::model::kube::{Condition, Object, Pod};
use crate::model::object::ObjectRef;
use crate::model::snapshot::{LogNeed, Needs, Snapshot};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Containers whose logs are read at most.
const LOGS: usize = 20;
/// Custom resources that are read at most; each may cost two requests.
pub(super) const OWNERS: usize = 2;

/// Custom kinds whose own objects tell that they failed, whatever else was seen. Where they are not installed
/// nothing is asked.
pub const INSTALLED: [&str; 8] = [
    "kustomizations",
    "helmreleases",
    "applications",
    "httproutes",
    "gateways",
    "certificates",
    "externalsecrets",
    "sealedsecrets",
];

/// What observed failures point to, the most telling kinds first: where more are wanted than may be
/// asked for, the last are left out.
pub fn needs(snapshot: &Snapshot) -> Needs {
    let view = View::new(snapshot);
    let containers: Vec<Running<'_, '_>> = view.subjects().flat_map(super::view::Subject::containers).collect();
    let mut kinds = Kinds::default();
    rare_owners(&view, &mut kinds);
    delivery(&view, &mut kinds);
    nodes(&view, &containers, &mut kinds);
    refusals(&view, &mut kinds);
    volumes(&view, &mut kinds);
    traffic(&view, &mut kinds);
    rights(&containers, &mut kinds);
    told(snapshot, &mut kinds);
    Needs { kinds: kinds.0, logs: logs(&containers), maps: values::wanted(&view) }
}

/// The kinds that what came with the second wave points to: objects that were listed for it, and logs.
pub fn further(snapshot: &Snapshot) -> Needs {
    let makes_pods = |kind: &&str| !snapshot.kind(kind).is_empty();
    let kinds = if ["ReplicationController", "Rollout"].iter().any(makes_pods) {
        // Workloads are judged anew by what they were seen to be.
        needs(snapshot).kinds
    } else {
        let mut kinds = Kinds::default();
        told(snapshot, &mut kinds);
        kinds.0
    };
    Needs { kinds, ..Needs::default() }
}

/// What logs and objects say that need no judging.
fn told(snapshot: &Snapshot, kinds: &mut Kinds) {
    let lines = || snapshot.logs.iter().flat_map(|log| &log.lines);
    if lines().any(|line| tells_platform(&line.text)) {
        kinds.want(["nodes"]);
    }
    if lines().any(|line| is_refusal(&line.text)) {
        kinds.want(RIGHTS);
    }
    if !snapshot.kind("Gateway").is_empty() {
        kinds.want(["gatewayclasses"]);
    }
    deletions(snapshot, kinds);
    delivered(snapshot, kinds);
}

/// Plural names in the order in which they were asked for first.
#[derive(Default)]
struct Kinds(Vec<&'static str>);

impl Kinds {
    fn want<const N: usize>(&mut self, names: [&'static str; N]) {
        for name in names {
            if !self.0.contains(&name) {
                self.0.push(name);
            }
        }
    }
}

/// Owners that few clusters have: a pod or an event names them.
fn rare_owners(view: &View<'_>, kinds: &mut Kinds) {
    let of_pods = view.snapshot.pods.iter().filter_map(|pod| Some(pod.metadata.controller()?.kind.as_str()));
    let of_events = view.snapshot.events.iter().map(|event| event.involved_object.kind.as_str());
    if of_pods.chain(of_events).any(|kind| kind == "ReplicationController") {
        kinds.want(["replicationcontrollers"]);
    }
    // A Rollout without pods keeps its ReplicaSets, and one whose spec is refused has nothing but events.
    let of_sets =
        view.snapshot.kind("ReplicaSet").iter().filter_map(|set| Some(set.metadata.controller()?.kind.as_str()));
    let of_events = view.snapshot.events.iter().map(|event| event.involved_object.kind.as_str());
    if of_sets.chain(of_events).any(|kind| kind == "Rollout") {
        kinds.want(["rollouts"]);
    }
}

/// The kind that delivers what fails, by the mark that it leaves on the workload.
fn delivery(view: &View<'_>, kinds: &mut Kinds) {
    let failing = view.workloads.iter().filter(|workload| workload.health != Health::Healthy);
    for meta in failing.filter_map(|workload| Some(&workload.source?.metadata)) {
        if meta.labels.contains_key("kustomize.toolkit.fluxcd.io/name") {
            kinds.want(["kustomizations"]);
        }
        if meta.labels.contains_key("helm.toolkit.fluxcd.io/name") {
            kinds.want(["helmreleases"]);
        }
        let argo = |key: &String| key.starts_with("argocd.argoproj.io/");
        if meta.labels.keys().chain(meta.annotations.keys()).any(argo) {
            kinds.want(["applications"]);
        }
    }
}

/// Nodes, for pods without one, on one that may be gone or ended them, for images that are built for another
/// platform, for hand-made endpoints, and for memory kills.
fn nodes(view: &View<'_>, containers: &[Running<'_, '_>], kinds: &mut Kinds) {
    let killed =
        containers.iter().any(|c| c.last_exit().is_some_and(|end| end.reason == "OOMKilled" && end.exit_code != 0));
    let waits = view.subjects().any(|subject| {
        let pod = subject.pod;
        let homeless = pod.spec.node_name.is_empty() || pod.status.conditions.is_empty();
        homeless && pod.status.phase != "Failed" && !pod.is_ready()
    });
    let stuck = view.workloads.iter().flat_map(|workload| &workload.pods).any(|pod| {
        // A kubelet that no longer reports leaves its pods unready without a container that says why.
        let lost = pod.condition("Ready").is_some_and(|c| c.status == "False" && c.reason.is_empty());
        let deleted = pod.metadata.deletion_timestamp;
        lost && !pod.spec.node_name.is_empty() && pod.status.phase == "Running"
            || deleted.is_some() && view.settled(deleted, 60) != Settled::No
            || pod.status.reason == "NodeLost"
    });
    let no_nodes = view.snapshot.kind("DaemonSet").iter().any(|set| {
        set.int("/status/desiredNumberScheduled") == Some(0) && set.at("/spec/template/spec/nodeSelector").is_some()
    });
    if killed || waits || stuck || no_nodes || ended_by_node(view) || other_platform(containers) {
        kinds.want(["nodes"]);
    }
    if killed {
        // What caps a higher limit, and who would overwrite it.
        kinds.want(["resourcequotas", "limitranges", "verticalpodautoscalers"]);
    }
    let by_hand = |service: &Object| {
        service.text("/spec/type") != "ExternalName"
            && super::service::selector(service).is_empty()
            && (service.metadata.namespace.as_str(), service.metadata.name.as_str()) != ("default", "kubernetes")
    };
    if view.snapshot.kind("Service").iter().any(by_hand) {
        kinds.want(["endpoints", "nodes"]);
    }
}

/// Pods that the node ended or rejected, or whose sandbox it can't make.
fn ended_by_node(view: &View<'_>) -> bool {
    let failing = || view.workloads.iter().filter(|workload| workload.health != Health::Healthy);
    let ended = failing().flat_map(|workload| &workload.pods).any(|pod| {
        let reason = pod.status.reason.as_str();
        pod.status.phase == "Failed" && !reason.is_empty() && reason != "DeadlineExceeded"
    });
    let sandbox = view.subjects().filter(|subject| !subject.pod.is_ready()).any(|subject| {
        let events = view.events(&subject.pod.metadata.uid);
        events.iter().any(|event| matches!(event.reason.as_str(), "FailedCreatePodSandBox" | "NetworkNotReady"))
    });
    ended || sandbox
}

/// Whether an image seems to be built for another platform than that of the node.
fn other_platform(containers: &[Running<'_, '_>]) -> bool {
    containers.iter().filter(|container| !container.status.ready).any(|container| {
        tells_platform(container.waiting_message())
            || container.last_exit().is_some_and(|end| tells_platform(&end.message))
            || container.events().any(|event| tells_platform(event.text()))
    })
}

fn tells_platform(text: &str) -> bool {
    text.contains("no match for platform") || text.to_lowercase().contains("exec format error")
}

/// What a refusal names.
fn refusals(view: &View<'_>, kinds: &mut Kinds) {
    for workload in &view.workloads {
        let Some(refused) = refusal::of(view, workload) else {
            if workload.health == Health::Failing && workload.pods.len() < workload.counts.desired {
                kinds.want(["resourcequotas", "limitranges"]);
            }
            continue;
        };
        let text = refused.text.as_str();
        if text.contains("admission webhook ") || text.contains("failed calling webhook ") {
            kinds.want(["validatingwebhookconfigurations", "mutatingwebhookconfigurations"]);
        } else if text.contains("ValidatingAdmissionPolicy ") {
            // The message says all.
        } else if text.contains("PriorityClass") {
            kinds.want(["priorityclasses"]);
        } else if text.contains("RuntimeClass") {
            kinds.want(["runtimeclasses"]);
        } else if text.contains("violates PodSecurity") || text.contains("it is being terminated") {
            kinds.want(["namespaces"]);
        } else if text.contains("service account") {
            // An account that is named in a binding has rights: it is no mere typo.
            kinds.want(["rolebindings", "clusterrolebindings"]);
        } else {
            kinds.want(["resourcequotas", "limitranges"]);
            // What is raised to a minimum must still fit a node.
            if text.contains("minimum ") {
                kinds.want(["nodes"]);
            }
        }
    }
}

/// Volumes and classes, for claims without a volume and for mounts that fail.
fn volumes(view: &View<'_>, kinds: &mut Kinds) {
    for claim in view.snapshot.kind("PersistentVolumeClaim") {
        if claim.text("/status/phase") == "Bound" && claim.metadata.deletion_timestamp.is_none() {
            continue;
        }
        kinds.want(["storageclasses", "persistentvolumes"]);
        if view.events(&claim.metadata.uid).iter().any(|event| event.reason == "ExternalProvisioning") {
            kinds.want(["csidrivers"]);
        }
    }
    let starting = || view.subjects().filter(|subject| !subject.pod.is_ready());
    let unplaced =
        |pod: &Pod| pod.condition("PodScheduled").is_some_and(|c| c.status == "False" && c.message.contains("olume"));
    if starting().any(|subject| unplaced(subject.pod)) {
        kinds.want(["persistentvolumes"]);
    }
    for event in starting().flat_map(|subject| view.events(&subject.pod.metadata.uid)) {
        match event.reason.as_str() {
            "FailedAttachVolume" => kinds.want(["persistentvolumes", "csidrivers"]),
            "FailedMount" if event.text().contains("CSI driver") => kinds.want(["csidrivers"]),
            "FailedScheduling" if event.text().contains("olume") => kinds.want(["persistentvolumes"]),
            _ => {}
        }
    }
}

/// Classes of Ingresses without an address and of Gateways, certificates, and the metrics API.
fn traffic(view: &View<'_>, kinds: &mut Kinds) {
    for ingress in view.snapshot.kind("Ingress") {
        let addresses = ingress.at("/status/loadBalancer/ingress").and_then(serde_json::Value::as_array);
        if addresses.is_none_or(Vec::is_empty) {
            kinds.want(["ingressclasses"]);
        }
        let issued = ingress.metadata.annotations.keys().any(|key| key.starts_with("cert-manager.io/"));
        if issued && ingress.at("/spec/tls").is_some() {
            kinds.want(["certificates"]);
        }
    }
    let hpas = view.snapshot.kind("HorizontalPodAutoscaler").iter();
    if hpas.flat_map(Object::conditions).any(|c| c.status == "False" && c.reason == "FailedGetResourceMetric") {
        kinds.want(["apiservices"]);
    }
}

/// Roles and bindings, for a program that was refused something by the API.
const RIGHTS: [&str; 4] = ["rolebindings", "roles", "clusterrolebindings", "clusterroles"];

fn rights(containers: &[Running<'_, '_>], kinds: &mut Kinds) {
    if containers.iter().filter_map(Running::last_exit).any(|end| is_refusal(&end.message)) {
        kinds.want(RIGHTS);
    }
}

fn is_refusal(text: &str) -> bool {
    text.contains("system:serviceaccount:") && text.contains(" cannot ")
}

/// The namespace of what was deleted and does not go away.
fn deletions(snapshot: &Snapshot, kinds: &mut Kinds) {
    let objects = snapshot.objects.values().flatten().map(|object| &object.metadata);
    let maps = snapshot.config_maps.iter().map(|map| &map.metadata);
    let late = |at| settled(snapshot, at, 300) == Settled::Yes;
    if objects.chain(maps).any(|meta| meta.deletion_timestamp.is_some() && late(meta.deletion_timestamp)) {
        kinds.want(["namespaces"]);
    }
    let undiscovered = |c: &Condition| c.kind == "NamespaceDeletionDiscoveryFailure" && c.status == "True";
    if snapshot.kind("Namespace").iter().flat_map(Object::conditions).any(|c| undiscovered(&c)) {
        kinds.want(["apiservices"]);
    }
}

/// What a delivery object is made from, and the custom kinds that it misses.
fn delivered(snapshot: &Snapshot, kinds: &mut Kinds) {
    for object in ["Kustomization", "HelmRelease"].iter().flat_map(|kind| snapshot.kind(kind)) {
        for pointer in ["/spec/sourceRef/kind", "/spec/chart/spec/sourceRef/kind", "/spec/chartRef/kind"] {
            match object.text(pointer) {
                "GitRepository" => kinds.want(["gitrepositories"]),
                "OCIRepository" => kinds.want(["ocirepositories"]),
                "HelmRepository" => kinds.want(["helmrepositories"]),
                "Bucket" => kinds.want(["buckets"]),
                "ExternalArtifact" => kinds.want(["externalartifacts", "artifactgenerators", "gitrepositories"]),
                _ => {}
            }
        }
        let failed = object.conditions().into_iter().find(|c| c.kind == "Ready" && c.status == "False");
        let Some(failed) = failed else { continue };
        if object.kind == "HelmRelease" {
            kinds.want(["helmcharts"]);
        }
        if failed.message.contains("no matches for kind") {
            kinds.want(["customresourcedefinitions"]);
        }
    }
    if !snapshot.kind("Kustomization").is_empty() {
        kinds.want(["imagepolicies", "imageupdateautomations"]);
    }
}

/// Custom resources that own a failing workload, whose conditions may tell why: at most two of them.
pub fn unseen_owners(snapshot: &Snapshot) -> Vec<ObjectRef> {
    if !owners::has_custom(snapshot) {
        return Vec::new();
    }
    let view = View::new(snapshot);
    let failing = view.workloads.iter().filter(|one| one.health == Health::Failing && !one.inspected);
    let unseen = failing
        .map(|workload| &workload.top)
        .filter(|top| owners::is_custom(&top.group) && snapshot.resolve(top).is_none() && top.kind != "Rollout");
    let unseen: BTreeSet<&ObjectRef> = unseen.collect();
    unseen.into_iter().take(OWNERS).cloned().collect()
}

/// The logs of one object's containers, whatever their state: a person asks about it by name.
pub fn logs_of(snapshot: &Snapshot, kind: &str, name: &str) -> Vec<LogNeed> {
    let view = View::new(snapshot);
    let is_it = |object: &ObjectRef| object.kind == kind && object.name == name;
    let subjects = view.subjects().filter(|subject| is_it(&subject.workload.top) || is_it(&subject.pod.object()));
    let containers: Vec<Running<'_, '_>> = subjects.flat_map(super::view::Subject::containers).collect();
    let ran = containers.iter().filter(|one| one.status.state.running.is_some() || one.last_exit().is_some());
    worst(ran)
}

/// Of the containers of a workload that fail alike one, that of the pod which restarted most; worst first.
fn logs(containers: &[Running<'_, '_>]) -> Vec<LogNeed> {
    worst(containers.iter().filter(|container| tells_something(container)))
}

fn worst<'c, 'v: 'c, 's: 'v>(containers: impl Iterator<Item = &'c Running<'v, 's>>) -> Vec<LogNeed> {
    let mut worst = BTreeMap::new();
    for container in containers {
        let workload = container.at.workload.key.as_str();
        let place = (workload, container.status.name.as_str(), log_lines::manner(container.status));
        let held = worst.entry(place).or_insert(container);
        if order(container) < order(held) {
            *held = container;
        }
    }
    let mut all: Vec<&Running<'_, '_>> = worst.into_values().collect();
    all.sort_by_key(|container| order(container));
    all.into_iter()
        .take(LOGS)
        .map(|container| LogNeed {
            namespace: container.at.pod.metadata.namespace.clone(),
            pod: container.at.pod.metadata.name.clone(),
            container: container.status.name.clone(),
            previous: container.status.restart_count > 0,
        })
        .collect()
}

fn order<'c>(container: &Running<'_, 'c>) -> (bool, Reverse<i64>, &'c str, &'c str, &'c str) {
    let meta = &container.at.pod.metadata;
    let name = container.status.name.as_str();
    (container.status.ready, Reverse(container.status.restart_count), &meta.namespace, &meta.name, name)
}

fn tells_something(container: &Running<'_, '_>) -> bool {
    // A container that never ran has no log.
    if container.last_exit().is_some_and(|end| end.reason == "StartError") {
        return false;
    }
    let pod_is_late = || health::settled(container.at.view, container.at.pod) != Settled::No;
    let runs_unready = container.status.state.running.is_some() && !container.status.ready && pod_is_late();
    crash::is_crashing(container)
        || container.last_exit().is_some_and(|end| end.exit_code != 0 && !container.status.ready)
        || runs_unready
}

#[cfg(test)]
mod tests {
    use super::super::testing::{of, refused};
    use super::needs;
    use serde_json::json;

    #[test]
    fn what_is_raised_to_a_minimum_is_held_against_the_nodes() {
        let kinds = |why: &str| {
            let message = format!("pods \"web-1\" is forbidden: {why} memory usage per Container is 64Mi");
            needs(&of(&[refused(&message, json!({"containers": []}))])).kinds
        };
        assert_eq!(kinds("minimum"), ["resourcequotas", "limitranges", "nodes"]);
        assert_eq!(kinds("maximum"), ["resourcequotas", "limitranges"]);
    }
}
