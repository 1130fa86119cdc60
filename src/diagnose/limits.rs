//! Pods that a LimitRange refuses.

use super::admission::Refused;
use super::observe::Observation;
use super::row::rows;
use crate::model::finding::Source;
use crate::model::kube::{Container, Object, PodSpec};
use crate::model::quantity::Quantity;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

rows! { "admission";
LIMITRANGE_MAX "limitrange-max" Rule:
    "a container or pod asks for more than the namespace allows";
    "A LimitRange sets a maximum, and the pod's request or limit is above it, or the limit is missing where one is \
     counted.";
    "a refusal with `maximum R usage per Container is M, but limit is L`; the LimitRange of the namespace.";
    "A workload moved from a namespace without a maximum, a maximum that was lowered, a sidecar that adds up.";
    "Puts back the value of the last good revision; a missing limit of a single container is set to the maximum for a \
     person to review. Lowering to the maximum or raising it is for a person to choose.".
LIMITRANGE_MIN "limitrange-min" Rule:
    "a container or pod asks for less than the namespace demands";
    "A LimitRange sets a minimum, and the pod's request is below it.";
    "a refusal with `minimum R usage per Container is M, but request is R`; the LimitRange of the namespace.";
    "A small request in a namespace that bills by request.";
    "Raises the request of the container to the minimum, and its limit when that is below, when the maximum and the \
     quota allow it.".
LIMITRANGE_RATIO "limitrange-ratio" Rule:
    "a limit is too far above its request";
    "A LimitRange bounds how many times the request a limit may be.";
    "a refusal with `R max limit to request ratio per Container is K, but provided ratio is ...`.";
    "A generous limit with a token request.";
    "Raises the request of the container to the limit divided by the ratio, for a person to review, when nodes and \
     quota allow it.".
LIMITRANGE_DEFAULT_BELOW_REQUEST "limitrange-default-below-request" Rule:
    "the default limit of the namespace is below a container's request";
    "The container sets a request and no limit; the LimitRange's default limit is filled in, and it is smaller than \
     the request.";
    "a refusal with `must be less than or equal to R limit of L` while the template has no limit; the LimitRange's \
     default.";
    "A container that sets only its request, a default meant for small containers.";
    "Adds a limit equal to the request when the maximum and the quota allow it.".
RESOURCES_INVALID "resources-invalid" Rule:
    "a container's request is above its limit when the pod is made";
    "The template itself was accepted, so a LimitRange or a mutating webhook changed one of the two afterwards.";
    "a refusal with `must be less than or equal to R limit of L` while the template sets both.";
    "A webhook that rewrites resources, a default that applies to one of them.";
    "Puts back the resources of the last good revision. Otherwise a person chooses.".
}

static BOUND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(maximum|minimum) (\S+) usage per (Container|Pod|PersistentVolumeClaim) is ([^,\s]+?)(?:, but (limit|request) is (\S+?)|\.\s+No (limit|request) is specified)\.?$").ok()
});
static RATIO: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(\S+) max limit to request ratio per (Container|Pod) is ([^,]+), but (?:provided ratio is (\S+)|no request is specified|no limit is specified)").ok()
});
static ABOVE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"spec\.(containers|initContainers)\[(\d+)\]\.resources\.requests: Invalid value: "([^"]+)": must be less than or equal to (\S+) limit of (\S+)"#).ok()
});

pub(crate) fn observe(refused: &Refused<'_, '_>) -> Option<Observation> {
    bound(refused).or_else(|| ratio(refused)).or_else(|| above(refused))
}

/// The LimitRange of the namespace that has this entry.
fn range<'v>(refused: &Refused<'v, '_>, scope: &str, entry: &str, resource: &str) -> Option<&'v Object> {
    let namespace = refused.workload.top.namespace();
    refused.view.snapshot.kind("LimitRange").iter().find(|range| {
        let limits = range.at("/spec/limits").and_then(Value::as_array);
        range.metadata.namespace == namespace
            && limits.into_iter().flatten().any(|one| {
                one.get("type").and_then(Value::as_str) == Some(scope)
                    && one.pointer(&format!("/{entry}/{resource}")).is_some()
            })
    })
}

fn show_range(seen: &mut Observation, refused: &Refused<'_, '_>, scope: &str, entry: &str, resource: &str) {
    if let Some(range) = range(refused, scope, entry, resource) {
        let name = &range.metadata.name;
        let text = format!("LimitRange {name} sets {entry} {resource} for each {scope}");
        seen.show(Source::Spec, None, &text, None);
        seen.fact("limitRange", name.as_str());
    }
}

fn template(refused: &Refused<'_, '_>) -> PodSpec {
    refused.workload.source.and_then(Object::pod_spec).cloned().unwrap_or_default()
}

/// The containers whose value of `field` (`limits`, `requests`) is this one: which of several is meant
/// the message does not tell.
fn having<'c>(spec: &'c PodSpec, field: &str, resource: &str, value: &str) -> Vec<(&'static str, &'c Container)> {
    let wanted = Quantity::parse(value);
    let lists = [("containers", &spec.containers), ("initContainers", &spec.init_containers)];
    let all = lists.into_iter().flat_map(|(list, all)| all.iter().map(move |container| (list, container)));
    all.filter(|(_, container)| {
        let map = if field == "limits" { &container.resources.limits } else { &container.resources.requests };
        map.get(resource).and_then(Quantity::of) == wanted && wanted.is_some()
    })
    .collect()
}

fn bound(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = BOUND.as_ref()?.captures(refused.text())?;
    let (which, resource, scope, bound) = (&found[1], &found[2], &found[3], &found[4]);
    let what = found.get(5).or(found.get(7))?.as_str();
    let value = found.get(6).map(|value| value.as_str());
    let (code, entry, far) = match which {
        "maximum" => (&LIMITRANGE_MAX, "max", "at most"),
        _ => (&LIMITRANGE_MIN, "min", "at least"),
    };
    let has = value.map_or_else(|| format!("no {what} is set"), |value| format!("its {what} is {value}"));
    let kind = scope.to_lowercase();
    let mut seen = refused.observation(code, format!("a {kind} may have {far} {bound} {resource}, and {has}"));
    let field = format!("{what}s");
    let spec = template(refused);
    for (list, container) in value.map(|value| having(&spec, &field, resource, value)).unwrap_or_default() {
        let path = refused.workload.spec_path().field(list).item(&container.name).field("resources");
        let text = format!("container {}: {field}.{resource}: {}", container.name, value.unwrap_or_default());
        seen.show(Source::Spec, None, &text, Some(path.field(&field).field(resource)));
        seen.container = Some(container.name.clone());
    }
    show_range(&mut seen, refused, scope, entry, resource);
    seen.fact("resource", resource);
    seen.fact("scope", scope);
    seen.fact("field", field);
    seen.fact("bound", bound);
    seen.fact("value", value);
    Some(seen)
}

fn ratio(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = RATIO.as_ref()?.captures(refused.text())?;
    let (resource, scope, most) = (&found[1], &found[2], &found[3]);
    let ratio = found.get(4).map(|ratio| ratio.as_str().trim_end_matches('0').trim_end_matches('.'));
    let is = ratio.map_or_else(|| "one of the two is not set".to_owned(), |ratio| format!("it is {ratio} times"));
    let summary = format!("a {resource} limit may be {most} times its request, and {is}");
    let mut seen = refused.observation(&LIMITRANGE_RATIO, summary);
    for container in &template(refused).containers {
        let resources = &container.resources;
        if let (Some(limit), Some(request)) = (resources.limits.get(resource), resources.requests.get(resource)) {
            let path = refused.workload.spec_path().field("containers").item(&container.name).field("resources");
            let text = format!("container {}: {resource} request {request}, limit {limit}", container.name);
            seen.show(Source::Spec, None, &text, Some(path.field("requests").field(resource)));
        }
    }
    show_range(&mut seen, refused, scope, "maxLimitRequestRatio", resource);
    seen.fact("resource", resource);
    seen.fact("scope", scope);
    seen.fact("ratio", most);
    Some(seen)
}

fn above(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = ABOVE.as_ref()?.captures(refused.text())?;
    let (list, request, resource, limit) = (&found[1], &found[3], &found[4], &found[5]);
    let at: usize = found[2].parse().ok()?;
    let spec = template(refused);
    let all = if list == "containers" { &spec.containers } else { &spec.init_containers };
    let container = all.get(at);
    let name = container.map_or_else(|| at.to_string(), |container| container.name.clone());
    let has_limit = container.is_some_and(|container| container.resources.limits.contains_key(resource));
    let (code, summary) = if has_limit {
        let why = format!("container {name} requests {request} {resource} and its limit became {limit}");
        (&RESOURCES_INVALID, why)
    } else {
        let why = format!("container {name} requests {request} {resource} and the default limit is {limit}");
        (&LIMITRANGE_DEFAULT_BELOW_REQUEST, why)
    };
    let mut seen = refused.observation(code, summary);
    let path = refused.workload.spec_path().field(list).item(&name).field("resources");
    let text = format!("requests.{resource}: {request}");
    seen.show(Source::Spec, None, &text, Some(path.field("requests").field(resource)));
    show_range(&mut seen, refused, "Container", "default", resource);
    seen.container = Some(name);
    seen.fact("list", list);
    seen.fact("resource", resource);
    seen.fact("request", request);
    seen.fact("limit", limit);
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, refused, roots};
    use serde_json::json;

    #[test]
    fn a_pod_bound_without_a_limit_is_read_with_its_two_blanks() {
        let message = r#"pods "web-1" is forbidden: maximum cpu usage per Pod is 2.  No limit is specified"#;
        let told = finding(&[refused(message, json!({}))], "limitrange-max");
        assert_eq!(told.summary, "a pod may have at most 2 cpu, and no limit is set");
        assert_eq!(told.facts["value"], json!(null));
    }

    #[test]
    fn a_request_above_a_limit_of_the_template_is_no_default() {
        let message = r#"Pod "web-1" is invalid: spec.containers[0].resources.requests: Invalid value: "256Mi": must be less than or equal to memory limit of 64Mi"#;
        let with = |limits| json!({"containers": [{"name": "app", "resources": {"requests": {"memory": "256Mi"}, "limits": limits}}]});
        let none = roots(&[refused(message, with(json!({})))]);
        assert_eq!(none, ["limitrange-default-below-request Deployment/web"]);
        let both = roots(&[refused(message, with(json!({"memory": "512Mi"})))]);
        assert_eq!(both, ["resources-invalid Deployment/web"]);
    }

    #[test]
    fn the_container_with_the_value_is_named_by_its_path() {
        let message = r#"pods "web-1" is forbidden: minimum memory usage per Container is 64Mi, but request is 16Mi"#;
        let spec = json!({"containers": [
            {"name": "app", "resources": {"requests": {"memory": "16Mi"}}},
            {"name": "log", "resources": {"requests": {"memory": "64Mi"}}}]});
        let told = finding(&[refused(message, spec)], "limitrange-min");
        assert_eq!(told.container.as_deref(), Some("app"));
    }
}
