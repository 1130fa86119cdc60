//! What was looked at of one object, and how it stood.

use super::health::Health;
use super::owners::{Owners, WORKLOADS};
use super::service;
use super::view::{View, Workload};
use crate::model::kube::{Object, Pod};
use crate::model::object::ObjectRef;
use crate::model::snapshot::Snapshot;
use crate::redact;
use crate::text;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `pods`, `rollout`, `events`.
    pub what: &'static str,
    /// How it stood, in a sentence; redacted.
    pub state: String,
    /// Whether it is as it should be.
    pub fine: bool,
}

/// What was looked at of an object; `None` when no such object was seen.
pub fn checks(snapshot: &Snapshot, kind: &str, name: &str) -> Option<(ObjectRef, Vec<Check>)> {
    let view = View::new(snapshot);
    if kind == "Pod" {
        let pod = snapshot.pods.iter().find(|pod| pod.metadata.name == name)?;
        return Some((pod.object(), of_pod(&view, pod)));
    }
    if let Some(workload) = view.workloads.iter().find(|w| w.top.kind == kind && w.top.name == name) {
        return Some((workload.top.clone(), of_workload(&view, workload)));
    }
    let object = snapshot.kind(kind).iter().find(|object| object.metadata.name == name)?;
    let checks = match kind {
        "Service" => of_service(&view, object),
        kind if WORKLOADS.contains(&kind) => of_owned(&view, object),
        _ => of_object(&view, object),
    };
    Some((object.object(), checks))
}

fn of_workload(view: &View<'_>, workload: &Workload<'_>) -> Vec<Check> {
    let counts = &workload.counts;
    let mut out = vec![Check {
        what: "pods",
        state: if counts.desired == 0 {
            "scaled to 0".to_owned()
        } else {
            format!("{} of {} ready", counts.ready, counts.desired)
        },
        fine: counts.ready >= counts.desired,
    }];
    let (state, fine) = match workload.health {
        Health::InProgress => ("still rolling out, within its time", true),
        Health::Failing => ("not complete", false),
        _ => ("complete", true),
    };
    out.push(Check { what: "rollout", state: state.to_owned(), fine });
    out.push(restarts(view, &workload.current));
    if let Some(object) = workload.source {
        out.extend(conditions(object));
    }
    out.push(events(
        view,
        std::iter::once(workload.top.uid.as_str()).chain(workload.pods.iter().map(|pod| pod.metadata.uid.as_str())),
    ));
    out
}

fn of_pod(view: &View<'_>, pod: &Pod) -> Vec<Check> {
    let ready = pod.is_ready();
    vec![
        Check {
            what: "phase",
            state: pod.status.phase.clone(),
            fine: matches!(pod.status.phase.as_str(), "Running" | "Succeeded"),
        },
        Check {
            what: "ready",
            state: if ready { "yes" } else { "no" }.to_owned(),
            fine: ready || pod.status.phase == "Succeeded",
        },
        restarts(view, &[pod]),
        events(view, std::iter::once(pod.metadata.uid.as_str())),
    ]
}

/// A workload below another: it does what its owner wants, so the owner tells how it is.
fn of_owned(view: &View<'_>, object: &Object) -> Vec<Check> {
    let chain = Owners::new(view.snapshot).of_object(object);
    let is_above = |source: &Object| chain.links.iter().any(|link| std::ptr::eq(*link, source));
    let Some(owner) = view.workloads.iter().find(|workload| workload.source.is_some_and(is_above)) else {
        return of_object(view, object);
    };
    let mut out = Vec::new();
    if object.kind == "ReplicaSet" {
        let (ready, wanted) = (object.int("/status/readyReplicas"), object.int("/spec/replicas").unwrap_or(1));
        let state = match wanted {
            0 => "none wanted of this revision".to_owned(),
            wanted => format!("{} of {wanted} ready", ready.unwrap_or_default()),
        };
        out.push(Check { what: "its pods", state, fine: ready.unwrap_or_default() >= wanted });
    }
    out.extend(conditions(object));
    out.push(Check { what: "owner", state: format!("{}; what follows is about it", owner.top), fine: true });
    out.extend(of_workload(view, owner));
    out
}

fn of_service(view: &View<'_>, service: &Object) -> Vec<Check> {
    let check = |what, state: String, fine| Check { what, state, fine };
    let mut out = Vec::new();
    let selector = service::selector(service);
    if service.text("/spec/type") == "ExternalName" {
        let host = service.text("/spec/externalName");
        out.push(check("selector", format!("none: it is another name of {}", redact::text(host)), true));
    } else if selector.is_empty() {
        out.push(check("selector", "none: something else than its pods' labels fills its endpoints".to_owned(), true));
        out.extend(ports(view, service));
    } else {
        let pairs: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
        out.push(check("selector", redact::text(&pairs.join(", ")).into_string(), true));
        let is_behind = |pod: &&Pod| {
            pod.metadata.namespace == service.metadata.namespace
                && !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
                && service::selects(selector, &pod.metadata.labels)
        };
        let pods: Vec<&Pod> = view.snapshot.pods.iter().filter(is_behind).collect();
        let ready = pods.iter().filter(|pod| pod.is_ready()).count();
        out.push(if view.snapshot.lacks("pods") {
            check("pods", "not known: they could not be listed".to_owned(), false)
        } else {
            check("pods", format!("{} selected, {ready} ready", pods.len()), ready > 0)
        });
        out.extend(ports(view, service));
    }
    out.extend(of_object(view, service));
    out
}

/// Each port against what the EndpointSlices of the Service serve under its name.
fn ports(view: &View<'_>, service: &Object) -> Vec<Check> {
    let is_its = |slice: &&Object| {
        slice.metadata.namespace == service.metadata.namespace
            && slice.metadata.labels.get("kubernetes.io/service-name") == Some(&service.metadata.name)
    };
    let slices: Vec<&Object> = view.snapshot.kind("EndpointSlice").iter().filter(is_its).collect();
    let ports = items(service, "/spec/ports").iter().map(|port| {
        let word = |name: &str| match port.get(name) {
            Some(Value::String(text)) => redact::text(text).into_string(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        let (number, protocol, mut target) = (word("port"), word("protocol"), word("targetPort"));
        if target.is_empty() {
            target.clone_from(&number);
        }
        let protocol = if protocol.is_empty() { "TCP" } else { &protocol };
        let (state, fine) = match served(&slices, port.get("name").and_then(Value::as_str).unwrap_or_default()) {
            _ if slices.is_empty() => {
                ("no EndpointSlice of it was seen".to_owned(), view.snapshot.kind("EndpointSlice").is_empty())
            }
            _ if slices.iter().all(|slice| items(slice, "/endpoints").is_empty()) => ("no endpoints".to_owned(), false),
            None => ("no endpoint has this port".to_owned(), false),
            Some((at, ready)) => {
                if at != target {
                    target = format!("{target} ({at})");
                }
                (text::count(ready, "ready endpoint"), ready > 0)
            }
        };
        Check { what: "port", state: format!("{number}/{protocol} to {target}: {state}"), fine }
    });
    ports.collect()
}

fn items<'o>(object: &'o Object, list: &str) -> &'o [Value] {
    object.at(list).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The number under which a named port is served, and how many endpoints are ready there. A Service of two
/// address families has each endpoint in a slice of either, so that the larger family counts.
fn served(slices: &[&Object], port: &str) -> Option<(String, usize)> {
    let mut ready: BTreeMap<&str, usize> = BTreeMap::new();
    let mut number = None;
    for slice in slices {
        let ports = items(slice, "/ports");
        let is_it = |served: &&Value| served.get("name").and_then(Value::as_str).unwrap_or_default() == port;
        let Some(served) = ports.iter().find(is_it) else { continue };
        number = number.or_else(|| Some(served.get("port")?.to_string()));
        // No condition means ready (EndpointConditions of discovery.k8s.io/v1).
        let is_ready = |endpoint: &&Value| endpoint.pointer("/conditions/ready") != Some(&Value::Bool(false));
        *ready.entry(slice.text("/addressType")).or_default() +=
            items(slice, "/endpoints").iter().filter(is_ready).count();
    }
    Some((number?, ready.into_values().max().unwrap_or_default()))
}

fn of_object(view: &View<'_>, object: &Object) -> Vec<Check> {
    let mut out = conditions(object);
    out.push(events(view, std::iter::once(object.metadata.uid.as_str())));
    out
}

fn restarts(view: &View<'_>, pods: &[&Pod]) -> Check {
    let statuses = || pods.iter().flat_map(|pod| &pod.status.container_statuses);
    let count: i64 = statuses().map(|status| status.restart_count).fold(0, i64::saturating_add);
    let last = statuses().filter_map(|status| status.last_state.terminated.as_ref()?.finished_at.0).max();
    let state = match (count, last, view.snapshot.now()) {
        (0, ..) => "none".to_owned(),
        (count, Some(last), Some(now)) => format!("{count}, the last {} ago", text::span(last, now)),
        (count, ..) => count.to_string(),
    };
    // A restart in the past is no failure: the rules have judged it.
    Check { what: "restarts", state, fine: true }
}

fn conditions(object: &Object) -> Vec<Check> {
    object
        .conditions()
        .into_iter()
        .filter(|condition| {
            matches!(
                condition.kind.as_str(),
                "Available" | "Progressing" | "Ready" | "Complete" | "Failed" | "Suspended"
            )
        })
        .map(|condition| {
            let bad = if condition.kind == "Failed" { "True" } else { "False" };
            Check {
                what: "condition",
                state: redact::text(&format!("{}={} {}", condition.kind, condition.status, condition.message))
                    .into_string(),
                fine: condition.status != bad,
            }
        })
        .collect()
}

fn events<'u>(view: &View<'_>, uids: impl Iterator<Item = &'u str>) -> Check {
    let mut warnings: Vec<String> = uids
        .filter(|uid| !uid.is_empty())
        .flat_map(|uid| view.events(uid))
        .filter(|event| event.kind == "Warning")
        .map(|event| format!("{} (x{})", event.reason, event.times()))
        .collect();
    warnings.sort();
    warnings.dedup();
    let state = match warnings.as_slice() {
        [] => "no warnings in the last hour or so".to_owned(),
        some => redact::text(&some[..some.len().min(4)].join(", ")).into_string(),
    };
    Check { what: "events", state, fine: warnings.is_empty() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::testing::{of, ready};
    use serde_json::json;

    fn told(objects: &[Value], kind: &str, name: &str) -> Vec<String> {
        let (_, checks) = checks(&of(objects), kind, name).unwrap();
        checks
            .iter()
            .map(|check| format!("{} {}{}", check.what, check.state, if check.fine { "" } else { " !" }))
            .collect()
    }

    fn service(spec: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": spec})
    }

    #[test]
    fn a_service_is_shown_with_its_pods_and_what_serves_each_port() {
        let slice = |family: &str| {
            json!({"kind": "EndpointSlice", "metadata": {"name": family, "labels": {"kubernetes.io/service-name": "x"}},
                "addressType": family, "ports": [{"name": "web", "port": 8080}],
                "endpoints": [{"addresses": ["1"]}, {"addresses": ["2"], "conditions": {"ready": false}}]})
        };
        let ports = json!([{"name": "web", "port": 80, "targetPort": "http"}, {"name": "admin", "port": 81}]);
        let objects = [
            service(&json!({"selector": {"app": "web"}, "ports": ports})),
            ready("web", json!({"app": "web"})),
            ready("other", json!({"app": "other"})),
            slice("IPv4"),
            slice("IPv6"),
        ];
        assert_eq!(
            told(&objects, "Service", "x"),
            [
                "selector app=web",
                "pods 1 selected, 1 ready",
                "port 80/TCP to http (8080): 1 ready endpoint",
                "port 81/TCP to 81: no endpoint has this port !",
                "events no warnings in the last hour or so",
            ]
        );
    }

    #[test]
    fn a_service_in_front_of_nothing_has_no_endpoints() {
        let slice = json!({"kind": "EndpointSlice", "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "x"}},
            "addressType": "IPv4", "ports": null, "endpoints": null});
        let objects = [service(&json!({"selector": {"app": "web"}, "ports": [{"port": 80}]})), slice];
        let told = told(&objects, "Service", "x");
        assert_eq!(told[1..3], ["pods 0 selected, 0 ready !", "port 80/TCP to 80: no endpoints !"]);
    }

    #[test]
    fn a_service_without_a_selector_says_so() {
        let told = |spec: &Value| told(&[service(spec)], "Service", "x").remove(0);
        assert!(told(&json!({"ports": []})).starts_with("selector none: something else"));
        let alias = json!({"type": "ExternalName", "externalName": "db.example.com"});
        assert_eq!(told(&alias), "selector none: it is another name of db.example.com");
    }

    #[test]
    fn a_replica_set_is_shown_with_its_owner() {
        let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "Deployment-web",
            "controller": true}]);
        let objects = [
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 0}}),
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web-1", "ownerReferences": owner},
                "spec": {"replicas": 0}}),
        ];
        let told = told(&objects, "ReplicaSet", "web-1");
        assert_eq!(
            told[..3],
            [
                "its pods none wanted of this revision",
                "owner Deployment/web; what follows is about it",
                "pods scaled to 0",
            ]
        );
    }
}
