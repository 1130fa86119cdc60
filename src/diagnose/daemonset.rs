//! DaemonSets: nodes they can't reach, and effects.

use super::observe::Observation;
use super::placement::untolerated;
use super::refusal;
use super::row::rows;
use super::view::{View, Workload};
use super::workload::Consequence;
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Object, Pod};
use crate::model::path::Path;
use crate::text;
use std::collections::BTreeSet;

rows! { "daemonset";
DS_UNSCHEDULABLE "ds-unschedulable" None:
    "a pod of a DaemonSet can't run on its node";
    "Each pod of a DaemonSet is made for one node; the scheduler's message counts all other nodes as not matching.";
    "a Pending pod of a DaemonSet with PodScheduled=False.";
    "A node that is full, or closed to the pod.";
    "An effect: what the scheduler says of that node is what to fix.".
DS_NO_MATCHING_NODES "ds-no-matching-nodes" Rule:
    "no node is selected by a DaemonSet";
    "Its nodeSelector or affinity matches no node, so it wants no pods. There is no event.";
    "status.desiredNumberScheduled 0 and a nodeSelector or affinity.";
    "A mistyped label, a node pool that is not there yet.";
    "When one label differs by a typo from one that nodes have, it is set for a person to review. Otherwise a person \
     chooses.".
DS_TAINTED_NODES "ds-tainted-nodes" Ask:
    "a DaemonSet leaves out nodes with taints";
    "Nodes with a taint that the pods do not tolerate get none of them.";
    "nodes that the selector matches and whose taints the template does not tolerate.";
    "A pool for certain workloads that an agent should run on as well.";
    "Worth knowing only; a toleration is for a person to choose.".
DS_ROLLOUT_STUCK "ds-rollout-stuck" None:
    "a rollout of a DaemonSet does not go on";
    "Pods of the new revision are not ready and use up maxUnavailable, so no further node is updated.";
    "status.updatedNumberScheduled below desiredNumberScheduled while an updated pod is not ready.";
    "What keeps the new pods from being ready.";
    "An effect: the new pods' fault is what to fix.".
DS_POD_CREATE_FAILED "ds-pod-create-failed" None:
    "a DaemonSet can't make its pods";
    "The API refuses them. A DaemonSet has no condition for it, only an event.";
    "event FailedCreate on the DaemonSet.";
    "A policy, a quota, a missing account or class.";
    "An effect: the refusal is what to fix.".
DS_FAILED_PODS "ds-failed-pods" None:
    "a node rejects the pods of a DaemonSet";
    "Pods on the node fail at once and are made anew.";
    "event FailedDaemonPod on the DaemonSet.";
    "A node that rejects the pod: resources, a security setting, a condition of the node.";
    "An effect: why the node rejects them is what to fix.".
DS_SELECTS_ALL "ds-selects-all" Ask:
    "a DaemonSet selects every pod";
    "An empty selector is refused by the controller, because it would take over all pods.";
    "event SelectingAll on the DaemonSet.";
    "A selector without labels, a template value that rendered to nothing.";
    "A person chooses: a selector can't be changed, so the DaemonSet is made anew.".
}

fn sets<'v, 's>(view: &'v View<'s>) -> impl Iterator<Item = (&'v Workload<'s>, &'s Object)> {
    let with_source = view.workloads.iter().filter_map(|workload| Some((workload, workload.source?)));
    with_source.filter(|(_, source)| source.kind == "DaemonSet")
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for (workload, source) in sets(view) {
        out.extend(no_nodes(view, workload, source));
        out.extend(tainted(view, workload, source));
        if let Some(event) = view.events(&source.metadata.uid).iter().rev().find(|e| e.reason == "SelectingAll") {
            let mut seen = Observation::of_workload(&DS_SELECTS_ALL, workload);
            seen.summary = format!("DaemonSet {} selects every pod, so it is not served", source.metadata.name);
            seen.since = event.first_seen();
            seen.show_event(event);
            out.push(seen);
        }
    }
    out
}

fn info(code: &'static CodeInfo, workload: &Workload<'_>, summary: String) -> Observation {
    let mut seen = Observation::of_workload(code, workload);
    seen.summary = summary;
    seen.severity = Some(Severity::Info);
    seen
}

fn no_nodes(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let spec = source.pod_spec()?;
    let none = source.int("/status/desiredNumberScheduled") == Some(0);
    if !none || (spec.node_selector.is_empty() && spec.affinity.is_null()) {
        return None;
    }
    let pairs: Vec<String> = spec.node_selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let what = if pairs.is_empty() { "its affinity".to_owned() } else { text::and(&pairs) };
    let mut summary = format!("no node is selected by DaemonSet {}: {what}", source.metadata.name);
    let nodes = view.snapshot.kind("Node");
    let mut near_found = false;
    for (key, value) in &spec.node_selector {
        let values: BTreeSet<&str> =
            nodes.iter().filter_map(|n| n.metadata.labels.get(key)).map(String::as_str).collect();
        if let Some(near) = text::nearest(value, values).filter(|near| near != value) {
            summary.push_str(&format!("; {key}={near} exists"));
            near_found = true;
        }
    }
    let mut seen = info(&DS_NO_MATCHING_NODES, workload, summary);
    if !near_found {
        seen.class = FixClass::Ask;
    }
    seen.since = source.metadata.creation_timestamp;
    seen.show(Source::Spec, None, &what, Some(Path::of("spec.template.spec.nodeSelector")));
    Some(seen)
}

fn tainted(view: &View<'_>, workload: &Workload<'_>, source: &Object) -> Option<Observation> {
    let pod = Pod { spec: source.pod_spec()?.clone(), ..Pod::default() };
    let selected = |node: &&Object| pod.spec.node_selector.iter().all(|(k, v)| node.metadata.labels.get(k) == Some(v));
    let system =
        |taint: &String| taint.starts_with("node.kubernetes.io/") || taint.starts_with("node-role.kubernetes.io/");
    let nodes = view.snapshot.kind("Node").iter().filter(selected);
    let mut all_taints: BTreeSet<String> = BTreeSet::new();
    let left: Vec<String> = nodes
        .filter_map(|node| {
            let taints: Vec<String> = untolerated(&pod, node).into_iter().filter(|taint| !system(taint)).collect();
            all_taints.extend(taints.iter().cloned());
            (!taints.is_empty()).then(|| format!("{} ({})", node.metadata.name, taints.join(", ")))
        })
        .collect();
    let desired = source.int("/status/desiredNumberScheduled").unwrap_or_default();
    let all = i64::try_from(view.snapshot.kind("Node").len()).unwrap_or_default();
    (!left.is_empty() && desired < all).then(|| {
        let summary = format!("DaemonSet {} leaves out {}", source.metadata.name, text::and(&left));
        let mut seen = info(&DS_TAINTED_NODES, workload, summary);
        for one in &left {
            seen.show(Source::Spec, None, &format!("no toleration for node {one}"), None);
        }
        seen.fact("nodes", left);
        seen.fact("taints", all_taints.into_iter().collect::<Vec<_>>());
        seen
    })
}

pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    let mut out = Vec::new();
    for (workload, source) in sets(view) {
        let name = &source.metadata.name;
        let mut push = |code, summary| {
            out.push(Consequence {
                code,
                object: source.object(),
                follows: vec![workload.key.clone()],
                container: None,
                summary,
            });
        };
        let turned_down = |pod: &&&Pod| pod.condition("PodScheduled").is_some_and(|c| c.status == "False");
        let waiting = workload.current.iter().filter(turned_down).count();
        if waiting > 0 {
            push(
                &DS_UNSCHEDULABLE,
                format!("{} of DaemonSet {name} can't run on its node", text::count(waiting, "pod")),
            );
        }
        let int = |field: &str| source.int(&format!("/status/{field}")).unwrap_or_default();
        let (updated, desired) = (int("updatedNumberScheduled"), int("desiredNumberScheduled"));
        if updated > 0 && updated < desired && workload.current.iter().any(|pod| !pod.is_ready()) {
            push(&DS_ROLLOUT_STUCK, format!("the rollout of DaemonSet {name} stopped at {updated} of {desired} nodes"));
        }
        if refusal::of(view, workload).is_some() {
            push(&DS_POD_CREATE_FAILED, format!("DaemonSet {name} can't make its pods"));
        }
        if view.events(&source.metadata.uid).iter().any(|event| event.reason == "FailedDaemonPod") {
            push(&DS_FAILED_PODS, format!("a node rejects the pods of DaemonSet {name}"));
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
mod tests {
    use super::super::testing::{all, event, finding, pending, roots};
    use serde_json::{Value, json};

    fn set(spec: Value, status: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"},
            "spec": {"template": {"metadata": {"labels": {"app": "agent"}}, "spec": spec}}, "status": status})
    }

    #[test]
    fn the_closest_label_of_a_node_is_named() {
        let node = json!({"kind": "Node", "metadata": {"name": "n", "labels": {"pool": "batch"}}});
        let none = set(json!({"nodeSelector": {"pool": "bacth"}}), json!({"desiredNumberScheduled": 0}));
        let told = finding(&[none, node], "ds-no-matching-nodes");
        assert_eq!(told.summary, "no node is selected by DaemonSet agent: pool=bacth; pool=batch exists");
        assert!(all(&[set(json!({}), json!({"desiredNumberScheduled": 0}))]).is_empty(), "a cluster without nodes");
    }

    #[test]
    fn nodes_with_taints_of_their_own_are_told() {
        let node = |key: &str| json!({"kind": "Node", "metadata": {"name": "n"}, "spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}});
        let none = || set(json!({}), json!({"desiredNumberScheduled": 0}));
        assert_eq!(all(&[none(), node("gpu")]), ["ds-tainted-nodes DaemonSet/agent"]);
        let told = finding(&[none(), node("gpu")], "ds-tainted-nodes");
        assert_eq!(told.evidence[0].text.as_str(), "no toleration for node n (gpu:NoSchedule)");
        assert!(all(&[none(), node("node-role.kubernetes.io/control-plane")]).is_empty());
    }

    #[test]
    fn effects_hang_under_the_fault_of_the_pods() {
        let mut pod = pending(
            "agent-1",
            json!({}),
            "0/2 nodes are available: 1 Too many pods, 1 node(s) didn't match Pod's node affinity/selector.",
        );
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "DaemonSet-agent", "controller": true}]);
        let short = set(json!({}), json!({"desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberReady": 1}));
        let rejected = event(
            "DaemonSet",
            "agent",
            "FailedDaemonPod",
            "Found failed daemon pod a/agent-2 on node n, will try to kill it",
        );
        let told = finding(&[pod, short, rejected], "unschedulable-pods");
        let effects: Vec<&str> = told.effects.iter().map(|effect| effect.code.name()).collect();
        assert_eq!(effects, ["ds-failed-pods", "ds-rollout-stuck", "ds-unavailable", "ds-unschedulable"]);
    }

    #[test]
    fn a_set_that_selects_all_is_not_served() {
        let empty = set(json!({}), json!({"desiredNumberScheduled": 0}));
        assert_eq!(
            roots(&[empty, event("DaemonSet", "agent", "SelectingAll", "This daemon set is selecting all pods.")]),
            ["ds-selects-all DaemonSet/agent"]
        );
    }
}
