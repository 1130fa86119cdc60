//! Whether the namespace and the nodes take other amounts.

use super::case::Case;
use crate::diagnose::{largest_allocatable, requested};
use crate::model::intent::FieldEdit;
use crate::model::kube::{Container, Object, PodSpec};
use crate::model::quantity::Quantity;
use serde::Deserialize as _;
use serde_json::Value;

/// What a person should look at before these edits of `resource` are made.
///
/// # Errors
/// What would not take the pod then: a limit below its request, a LimitRange, a quota, the nodes.
pub(crate) fn takes(case: &Case<'_>, resource: &str, edits: &[FieldEdit]) -> Result<Vec<String>, String> {
    let spec = edited(case, edits);
    for container in spec.containers.iter().chain(&spec.init_containers) {
        let (request, limit) = (amount(container, "requests", resource), amount(container, "limits", resource));
        if let (Some(request), Some(limit)) = (request, limit)
            && request > limit
        {
            return Err(format!("the {resource} request of container {} would be above its limit", container.name));
        }
    }
    let mut review = Vec::new();
    for (kind, plural) in [("LimitRange", "limitranges"), ("ResourceQuota", "resourcequotas")] {
        if case.snapshot.lacks(plural) || !case.snapshot.objects.contains_key(kind) {
            review.push(format!("{plural} were not seen: whether they allow it is not known"));
        }
    }
    let here = |kind| {
        let all = case.snapshot.kind(kind).iter();
        all.filter(|one: &&Object| one.metadata.namespace == case.target.namespace())
    };
    here("LimitRange").try_for_each(|range| in_range(range, resource, &spec))?;
    here("ResourceQuota").try_for_each(|quota| in_quota(case, quota, resource, &spec))?;
    match largest_allocatable(case.snapshot, resource) {
        Some(node) if requested(&spec, resource) > node => {
            return Err(format!("the largest node has {} {resource}", node.written_like("Mi")));
        }
        Some(_) => {}
        None => review.push("no node was seen: whether it fits is not known".to_owned()),
    }
    let asks = |edit: &FieldEdit| edit.path.to_string().contains(".requests");
    if edits.iter().any(asks) {
        review.extend(case.request_review(resource));
    }
    Ok(review)
}

/// The pod spec after the edits.
fn edited(case: &Case<'_>, edits: &[FieldEdit]) -> PodSpec {
    let mut live = case.live.clone();
    for edit in edits {
        match &edit.new {
            Some(new) => {
                edit.path.set(&mut live, new.clone());
            }
            None => {
                edit.path.remove(&mut live);
            }
        }
    }
    case.spec_path().get(&live).and_then(|spec| PodSpec::deserialize(spec).ok()).unwrap_or_default()
}

/// A container's limit or request; a request that is not set is its limit.
pub(crate) fn amount(container: &Container, field: &str, resource: &str) -> Option<Quantity> {
    let limit = container.resources.limits.get(resource).and_then(Quantity::of);
    match field {
        "limits" => limit,
        _ => container.resources.requests.get(resource).and_then(Quantity::of).or(limit),
    }
}

fn sum(spec: &PodSpec, field: &str, resource: &str) -> Quantity {
    let all = spec.containers.iter().filter_map(|container| amount(container, field, resource));
    Quantity { milli: all.map(|one| one.milli).sum() }
}

fn in_range(range: &Object, resource: &str, spec: &PodSpec) -> Result<(), String> {
    let entries: Vec<Value> = range.view("/spec/limits");
    for entry in &entries {
        let bound = |name: &str| entry.pointer(&format!("/{name}/{resource}")).and_then(Quantity::of);
        let kind = entry.get("type").and_then(Value::as_str).unwrap_or_default();
        let pairs: Vec<(Option<Quantity>, Option<Quantity>)> = match kind {
            "Container" => {
                let all = spec.containers.iter().chain(&spec.init_containers);
                all.map(|one| (amount(one, "requests", resource), amount(one, "limits", resource))).collect()
            }
            "Pod" => vec![(Some(sum(spec, "requests", resource)), Some(sum(spec, "limits", resource)))],
            _ => continue,
        };
        for (request, limit) in pairs {
            let most = request.max(limit);
            if most.zip(bound("max")).is_some_and(|(has, max)| has > max) {
                return Err(format!("{} allows each {kind} less", range.object()));
            }
            if request.zip(bound("min")).is_some_and(|(has, min)| has < min) {
                return Err(format!("{} wants more of each {kind}", range.object()));
            }
        }
    }
    Ok(())
}

/// Every replica anew beside what is used: a rollout may need as much.
fn in_quota(case: &Case<'_>, quota: &Object, resource: &str, spec: &PodSpec) -> Result<(), String> {
    let keys = [
        ("requests", format!("requests.{resource}")),
        ("requests", resource.to_owned()),
        ("limits", format!("limits.{resource}")),
    ];
    for (field, key) in keys {
        let status = |name: &str| quota.at(&format!("/status/{name}"))?.get(&key).and_then(Quantity::of);
        let Some(hard) = status("hard") else { continue };
        let free = hard.milli - status("used").map_or(0, |used| used.milli);
        if sum(spec, field, resource).milli * replicas(case) > free {
            return Err(format!("{} leaves too little {key}", quota.object()));
        }
    }
    Ok(())
}

/// The pods that a workload may have at most.
fn replicas(case: &Case<'_>) -> i128 {
    let most = case.autoscalers().filter_map(|hpa| hpa.int("/spec/maxReplicas")).max();
    let own = case.object.and_then(|object| match object.kind.as_str() {
        "DaemonSet" => object.int("/status/desiredNumberScheduled"),
        "CronJob" => object.int("/spec/jobTemplate/spec/parallelism"),
        "Job" => object.int("/spec/parallelism"),
        _ => object.int("/spec/replicas"),
    });
    i128::from(most.or(own).unwrap_or(1)).max(1)
}
