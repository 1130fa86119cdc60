//! Disruption budgets and network policies.

use super::observe::Observation;
use super::row::rows;
use super::service::selects;
use super::view::{View, Workload};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::kube::{Event, Object};
use crate::model::path::Path;
use crate::text;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

rows! { "autoscaling";
PDB_BLOCKS_EVERYTHING "pdb-blocks-everything" Ask:
    "a disruption budget never allows an eviction";
    "All pods are healthy and still none may be evicted, so a node with one of them can't be drained.";
    "expectedPods above 0, all healthy, disruptionsAllowed 0, and minAvailable not below expectedPods or \
     maxUnavailable 0.";
    "minAvailable equal to the replicas, a budget for a single replica.";
    "A person chooses, such as maxUnavailable 1. A budget is never loosened by rule.".
PDB_SELECTS_NOTHING "pdb-selects-nothing" Rule:
    "a disruption budget selects no pod";
    "It protects nothing, which is often not what its author believes.";
    "status.expectedPods 0, event NoPods, and no pod or template with the selected labels.";
    "A mistyped label, a workload that was renamed.";
    "When exactly one workload has all selected labels but one, that pair is set for a person to review.".
PDB_UNMANAGED_PODS "pdb-unmanaged-pods" Ask:
    "a disruption budget selects pods without a controller";
    "Percentages and maxUnavailable need a controller that says how many pods there should be.";
    "event UnmanagedPods, or condition DisruptionAllowed=False, reason SyncFailed; expectedPods 0 with healthy pods.";
    "Bare pods, an owner without a scale.";
    "A person chooses: an integer minAvailable works for any pods.".
PDB_MULTIPLE "pdb-multiple" Ask:
    "several disruption budgets select one pod";
    "The API refuses every eviction of such a pod, because it can't tell which budget counts, so a drain of its \
     node does not end.";
    "event MultiplePodDisruptionBudgets on the pod, or two budgets whose selectors match it.";
    "A budget that was renamed and not removed, one for all pods beside one for some.";
    "A person chooses which budget stays: a budget is never taken away by a tool. `kubectl get pdb` shows what \
     each protects; take the others out of Git, or narrow their selectors.".
PDB_UNHEALTHY_BLOCKS_DRAIN "pdb-unhealthy-blocks-drain" Ask:
    "pods that are broken keep a node from being drained";
    "While too few pods are healthy, the budget protects even those that do not work.";
    "unhealthyPodEvictionPolicy unset, and none of the selected pods is ready.";
    "What keeps the pods from being ready, beside a budget with the default policy for unhealthy pods.";
    "An effect: the pods' own fault is what to fix; unhealthyPodEvictionPolicy AlwaysAllow is for a person to choose.".
NETWORKPOLICY_BLOCKS "networkpolicy-blocks" Model:
    "a network policy may block a connection that times out";
    "A policy selects one of the two ends and no rule of it allows the pair. Whether the network enforces policies \
     can't be seen.";
    "a log line with a timeout to a Service, ready pods behind it, and policies that select an end without a rule for \
     the pair.";
    "An egress policy without DNS or without the new dependency, an ingress policy without the new caller.";
    "A possible cause only: a person decides whether the pair may talk.".
NETWORKPOLICY_SELECTS_NOTHING "networkpolicy-selects-nothing" None:
    "a network policy selects no pod";
    "It allows and forbids nothing, which is often not what its author believes.";
    "spec.podSelector against the labels of all pods and templates of the namespace.";
    "A mistyped label, a workload that was renamed.";
    "Worth knowing only. A policy is never changed by rule.".
}

static CHOSE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"Chose "([^"]+)" arbitrarily"#).ok());
static TIMEOUT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:([a-z0-9-]+)(?:\.([a-z0-9-]+))?(?:\.svc[a-z.]*)?:([0-9]+).*(?:i/o timeout|timed out|ETIMEDOUT)|(?:i/o timeout|timed out|ETIMEDOUT).*?([a-z0-9-]+)(?:\.([a-z0-9-]+))?(?:\.svc[a-z.]*)?:([0-9]+))").ok()
});

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let budgets = view.snapshot.kind("PodDisruptionBudget");
    let mut out: Vec<Observation> = budgets.iter().filter_map(|budget| of_budget(view, budget)).collect();
    out.extend(multiple(view));
    out.extend(view.snapshot.kind("NetworkPolicy").iter().filter_map(|policy| no_pods(view, policy)));
    out.extend(blocks(view));
    out
}

fn info(code: &'static CodeInfo, object: &Object, summary: String) -> Observation {
    let mut seen = Observation::of_object(code, object.object());
    seen.summary = summary;
    seen.severity = Some(Severity::Info);
    seen.since = object.metadata.creation_timestamp;
    seen
}

fn labels(object: &Object, pointer: &str) -> BTreeMap<String, String> {
    object.view(&format!("{pointer}/matchLabels"))
}

fn has_expressions(object: &Object, pointer: &str) -> bool {
    object.at(&format!("{pointer}/matchExpressions")).and_then(Value::as_array).is_some_and(|all| !all.is_empty())
}

fn of_budget(view: &View<'_>, budget: &Object) -> Option<Observation> {
    let int = |name: &str| budget.int(&format!("/status/{name}"));
    let (expected, healthy, allowed) = (int("expectedPods")?, int("currentHealthy")?, int("disruptionsAllowed")?);
    let conditions = budget.conditions();
    let failed = conditions.iter().find(|c| c.kind == "DisruptionAllowed" && c.reason == "SyncFailed");
    let events = view.events(&budget.metadata.uid);
    let unmanaged = events.iter().rev().find(|event| event.reason == "UnmanagedPods");
    let name = &budget.metadata.name;
    let wanted = labels(budget, "/spec/selector");
    let pairs: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if failed.is_some() || (expected == 0 && (healthy > 0 || unmanaged.is_some())) {
        let mut seen = info(&PDB_UNMANAGED_PODS, budget, format!("budget {name} selects pods that no controller owns"));
        if let Some(event) = unmanaged {
            seen.show_event(event);
        }
        if let Some(failed) = failed {
            seen.show(Source::Status, failed.last_transition_time.0, &failed.message, None);
        }
        seen.show(Source::Status, None, &format!("expectedPods {expected}, currentHealthy {healthy}"), None);
        return Some(seen);
    }
    if expected == 0 {
        let templates = view.workloads.iter().filter(|w| w.top.namespace() == budget.metadata.namespace);
        // A template that matches and has no pods is scaled to zero by intent.
        if wanted.is_empty()
            || has_expressions(budget, "/spec/selector")
            || templates.clone().any(|w| selects(&wanted, w.labels))
        {
            return None;
        }
        let mut seen =
            info(&PDB_SELECTS_NOTHING, budget, format!("budget {name} selects {}, no pod has it", text::and(&pairs)));
        let near = templates.filter(|w| wanted.iter().filter(|(k, v)| w.labels.get(*k) != Some(v)).count() == 1);
        let near: Vec<String> =
            near.filter(|w| wanted.keys().all(|k| w.labels.contains_key(k))).map(|w| w.top.to_string()).collect();
        if near.len() != 1 {
            seen.class = FixClass::Ask;
        }
        let path = Path::of("spec.selector.matchLabels");
        seen.show(Source::Spec, None, &format!("selector: {}", text::and(&pairs)), Some(path));
        seen.fact("near", near);
        return Some(seen);
    }
    let least = absolute(budget.at("/spec/minAvailable"), expected);
    let most = absolute(budget.at("/spec/maxUnavailable"), expected);
    if healthy >= expected && allowed == 0 && (least.is_some_and(|least| least >= expected) || most == Some(0)) {
        return Some(blocking(view, budget, expected));
    }
    let policy = budget.text("/spec/unhealthyPodEvictionPolicy");
    // The controller leaves the status of a second budget for the same pods as it was.
    let here = view.workloads.iter().filter(|w| w.top.namespace() == budget.metadata.namespace);
    let any_ready = here.flat_map(|w| &w.pods).any(|pod| pod.is_ready() && selects(&wanted, &pod.metadata.labels));
    if healthy == 0 && !any_ready && policy != "AlwaysAllow" && !wanted.is_empty() {
        let mut seen = info(
            &PDB_UNHEALTHY_BLOCKS_DRAIN,
            budget,
            format!("none of the pods of budget {name} is healthy, and none may be evicted"),
        );
        seen.show(
            Source::Spec,
            None,
            "unhealthyPodEvictionPolicy is not AlwaysAllow",
            Some(Path::of("spec.unhealthyPodEvictionPolicy")),
        );
        return Some(seen);
    }
    None
}

fn absolute(value: Option<&Value>, of: i64) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        // Percentages of a budget are rounded up.
        Value::String(text) => Some((text.trim_end_matches('%').parse::<i64>().ok()? * of + 99) / 100),
        _ => None,
    }
}

fn blocking(view: &View<'_>, budget: &Object, expected: i64) -> Observation {
    let name = &budget.metadata.name;
    let summary = format!(
        "budget {name} never allows an eviction of its {}",
        text::count(usize::try_from(expected).unwrap_or_default(), "pod")
    );
    let mut seen = info(&PDB_BLOCKS_EVERYTHING, budget, summary);
    for field in ["minAvailable", "maxUnavailable"] {
        if let Some(value) = budget.at(&format!("/spec/{field}")) {
            let path = Path::of("spec").field(field);
            seen.show(Source::Spec, None, &format!("{field}: {value}"), Some(path));
        }
    }
    let wanted = labels(budget, "/spec/selector");
    let stuck = view.snapshot.pods.iter().filter(|pod| selects(&wanted, &pod.metadata.labels)).find_map(|pod| {
        let events = view.events(&pod.metadata.uid);
        events.iter().rev().find(|event| event.text().contains("violate the pod's disruption budget")).copied()
    });
    // Only a drain that waits makes it a fault.
    if let Some(event) = stuck {
        seen.severity = Some(Severity::Warning);
        seen.show_event(event);
    }
    seen
}

/// Names of the budgets that select the pods of a workload, sorted.
fn selecting<'s>(view: &View<'s>, workload: &Workload<'_>) -> Vec<&'s str> {
    let here = view.snapshot.kind("PodDisruptionBudget").iter();
    let here = here.filter(|budget| budget.metadata.namespace == workload.top.namespace());
    let mut names: Vec<&str> = here
        .filter(|budget| {
            let wanted = labels(budget, "/spec/selector");
            let mut pods = workload.current.iter();
            !wanted.is_empty()
                && !has_expressions(budget, "/spec/selector")
                && pods.any(|pod| selects(&wanted, &pod.metadata.labels))
        })
        .map(|budget| budget.metadata.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn multiple(view: &View<'_>) -> Vec<Observation> {
    let mut out: Vec<Observation> = Vec::new();
    for workload in &view.workloads {
        let told = workload.pods.iter().find_map(|pod| {
            let events: &[&Event] = view.events(&pod.metadata.uid);
            events.iter().rev().find(|event| event.reason == "MultiplePodDisruptionBudgets").copied()
        });
        let names = selecting(view, workload);
        if told.is_none() && names.len() < 2 {
            continue;
        }
        let mut seen = Observation::of_workload(&PDB_MULTIPLE, workload);
        let which = if names.len() < 2 { "several".to_owned() } else { text::and(&names) };
        seen.summary =
            format!("disruption budgets {which} select the pods of {}, so none can be evicted", workload.top);
        // The event is gone after an hour; the budgets tell it as well.
        seen.severity = Some(Severity::Warning);
        if let Some(event) = told {
            seen.since = event.first_seen();
            seen.show_event(event);
            let chosen = CHOSE.as_ref().and_then(|shape| Some(shape.captures(event.text())?[1].to_owned()));
            seen.fact("chosen", chosen);
        }
        for name in &names {
            seen.show(Source::Spec, None, &format!("PodDisruptionBudget {name} selects these pods"), None);
        }
        seen.fact("budgets", names);
        out.push(seen);
    }
    out
}

fn no_pods(view: &View<'_>, policy: &Object) -> Option<Observation> {
    let wanted = labels(policy, "/spec/podSelector");
    // An empty selector is every pod, a deny-all is a practice.
    if wanted.is_empty() || has_expressions(policy, "/spec/podSelector") {
        return None;
    }
    let here = || view.workloads.iter().filter(|w| w.top.namespace() == policy.metadata.namespace);
    let any_pod = here().flat_map(|w| &w.pods).any(|pod| selects(&wanted, &pod.metadata.labels));
    if any_pod || here().any(|w| selects(&wanted, w.labels)) {
        return None;
    }
    let pairs: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let summary = format!("network policy {} selects {}, no pod has it", policy.metadata.name, text::and(&pairs));
    let mut seen = info(&NETWORKPOLICY_SELECTS_NOTHING, policy, summary);
    let path = Path::of("spec.podSelector.matchLabels");
    seen.show(Source::Spec, None, &format!("podSelector: {}", text::and(&pairs)), Some(path));
    Some(seen)
}

/// Timeouts in logs between ends that a policy selects. Both ends must be there and the target ready.
fn blocks(view: &View<'_>) -> Vec<Observation> {
    let policies = view.snapshot.kind("NetworkPolicy");
    if policies.is_empty() || view.snapshot.logs.is_empty() {
        return Vec::new();
    }
    let Some(shape) = TIMEOUT.as_ref() else { return Vec::new() };
    let mut out = Vec::new();
    for log in &view.snapshot.logs {
        let found = log.lines.iter().rev().find_map(|line| {
            let found = shape.captures(&line.text)?;
            let host = found.get(1).or(found.get(4))?.as_str();
            let namespace = found.get(2).or(found.get(5)).map_or(log.namespace.as_str(), |found| found.as_str());
            Some((line, view.snapshot.find("Service", namespace, host)?))
        });
        let Some((line, service)) = found else { continue };
        let pod = view
            .snapshot
            .pods
            .iter()
            .find(|pod| pod.metadata.namespace == log.namespace && pod.metadata.name == log.pod);
        let workload = view
            .workloads
            .iter()
            .find(|w| w.pods.iter().any(|one| one.metadata.name == log.pod && one.metadata.namespace == log.namespace));
        let (Some(pod), Some(workload)) = (pod, workload) else { continue };
        let wanted = super::service::selector(service);
        let target = view.snapshot.pods.iter().find(|one| {
            one.metadata.namespace == service.metadata.namespace
                && !wanted.is_empty()
                && selects(wanted, &one.metadata.labels)
                && one.is_ready()
        });
        let Some(target) = target else { continue };
        let selecting: Vec<&Object> = policies
            .iter()
            .filter(|policy| {
                let ends = [(pod, "Egress"), (target, "Ingress")];
                ends.iter().any(|(end, direction)| {
                    let types: Vec<String> = policy.view("/spec/policyTypes");
                    policy.metadata.namespace == end.metadata.namespace
                        && selects(&labels(policy, "/spec/podSelector"), &end.metadata.labels)
                        && types.iter().any(|one| one == direction)
                })
            })
            .collect();
        if selecting.is_empty() {
            continue;
        }
        let names: Vec<&String> = selecting.iter().map(|policy| &policy.metadata.name).collect();
        let mut seen = Observation::of_workload(&NETWORKPOLICY_BLOCKS, workload);
        seen.summary = format!(
            "network policy {} may block {} from Service {}",
            text::or(&names),
            workload.top,
            service.metadata.name
        );
        seen.confidence = Confidence::Hypothesis;
        seen.severity = Some(Severity::Info);
        seen.since = line.at.or(pod.metadata.creation_timestamp);
        seen.show(Source::Log, line.at, &line.text, None);
        out.push(seen);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{all, event, finding, of, ready, roots};
    use serde_json::{Value, json};

    fn budget(spec: Value, expected: i64, healthy: i64) -> Value {
        let mut spec = spec;
        spec["selector"] = json!({"matchLabels": {"app": "web"}});
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}, "spec": spec,
            "status": {"expectedPods": expected, "currentHealthy": healthy, "disruptionsAllowed": 0}})
    }

    fn pod() -> Value {
        ready("web", json!({"app": "web"}))
    }

    #[test]
    fn a_budget_that_never_allows_one_is_a_fault_only_for_a_drain_that_waits() {
        let never = budget(json!({"minAvailable": "100%"}), 2, 2);
        assert_eq!(all(&[pod(), never.clone()]), ["pdb-blocks-everything PodDisruptionBudget/b"]);
        assert!(roots(&[pod(), never.clone()]).is_empty());
        let waits = event("Pod", "web", "Evict", "Cannot evict pod as it would violate the pod's disruption budget.");
        assert_eq!(roots(&[pod(), never, waits]), ["pdb-blocks-everything PodDisruptionBudget/b"]);
        assert!(
            all(&[pod(), budget(json!({"minAvailable": 1}), 2, 1)]).is_empty(),
            "one is down: it protects the other"
        );
    }

    #[test]
    fn broken_pods_that_a_budget_protects_are_told() {
        let mut broken = pod();
        broken["status"]["conditions"][1]["status"] = json!("False");
        let protects = budget(json!({"minAvailable": 1}), 2, 0);
        let told = all(&[broken, protects.clone()]);
        assert!(told.contains(&"pdb-unhealthy-blocks-drain PodDisruptionBudget/b".to_owned()), "{told:?}");
        assert!(all(&[pod(), protects]).is_empty(), "a status that was not written again");
        let open = budget(json!({"minAvailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"}), 2, 0);
        assert!(all(&[pod(), open]).is_empty());
    }

    #[test]
    fn several_budgets_for_one_pod_are_told_by_its_event() {
        let several = event(
            "Pod",
            "web",
            "MultiplePodDisruptionBudgets",
            r#"Pod "a/web" matches multiple PodDisruptionBudgets.  Chose "b" arbitrarily."#,
        );
        assert_eq!(roots(&[pod(), several]), ["pdb-multiple Pod/web"]);
        let one = budget(json!({"minAvailable": 1}), 2, 2);
        let mut other = one.clone();
        other["metadata"]["name"] = json!("c");
        assert!(all(&[pod(), one.clone()]).is_empty());
        assert!(all(&[pod(), one.clone(), one.clone()]).is_empty(), "a list that has one twice");
        let told = finding(&[pod(), one, other], "pdb-multiple");
        assert_eq!(told.evidence[0].text.as_str(), "PodDisruptionBudget b selects these pods");
    }

    #[test]
    fn a_policy_is_a_possible_cause_of_a_timeout_and_no_more() {
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p"},
            "spec": {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"]}});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"},
            "spec": {"selector": {"app": "db"}, "ports": [{"port": 5432, "targetPort": 8080}]}});
        let with = |objects: &[Value]| {
            let mut snapshot = of(objects);
            snapshot.logs.push(crate::model::snapshot::LogTail {
                namespace: "a".to_owned(),
                pod: "web".to_owned(),
                container: "app".to_owned(),
                previous: false,
                lines: vec![crate::model::snapshot::LogLine {
                    at: None,
                    text: "dial tcp: db:5432: i/o timeout".to_owned(),
                }],
            });
            super::super::diagnose(&snapshot).findings.iter().map(|f| f.code.name()).collect::<Vec<_>>()
        };
        let db = ready("db", json!({"app": "db"}));
        assert_eq!(with(&[pod(), db.clone(), service.clone(), policy]), ["networkpolicy-blocks"]);
        assert!(with(&[pod(), db, service]).is_empty());
    }
}
