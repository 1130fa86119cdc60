//! Pods that a ResourceQuota refuses.

use super::admission::Refused;
use super::observe::Observation;
use super::row::rows;
use crate::model::finding::Source;
use crate::model::object::ObjectRef;
use crate::model::quantity::Quantity;
use crate::text;
use regex::Regex;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::LazyLock;

rows! { "quota";
QUOTA_EXCEEDED "quota-exceeded" Rule:
    "a pod does not fit into the quota of its namespace";
    "The namespace's ResourceQuota leaves less than the pod asks for, so it is refused. Pods that run are not touched.";
    "a refusal with `exceeded quota: Q, requested: ..., used: ..., limited: ...`.";
    "More replicas or larger requests than the quota was made for, other workloads in the namespace, a quota that was \
     lowered.";
    "Puts back the requests of the last good revision when those grew. Raising the quota, lowering requests or \
     running fewer replicas is for a person to choose; the missing amounts are named.".
QUOTA_MUST_SPECIFY "quota-must-specify" Rule:
    "a quota demands requests or limits that a container does not set";
    "A quota on requests or limits refuses every pod that leaves them out.";
    "a refusal with `failed quota: Q: must specify ...`.";
    "A quota that was added to the namespace, a container without resources, a LimitRange with defaults that is \
     missing.";
    "Puts back the resources of the last good revision. Values are never invented: those of sibling containers are \
     shown for a person to choose.".
QUOTA_INSUFFICIENT_SCOPE "quota-insufficient-scope" Ask:
    "no quota of the namespace covers a pod of this priority";
    "Consumption of this scope is limited to namespaces whose quota allows it, and here none does.";
    "a refusal with `insufficient quota to consume`.";
    "A PriorityClass that is reserved for certain namespaces.";
    "A person chooses: a priority class that a quota of the namespace is for, each one listed; or a quota with \
     this scope, which is never edited.".
PVC_QUOTA "pvc-quota" Ask:
    "a claim does not fit into the quota of its namespace";
    "The namespace's ResourceQuota leaves less storage, or fewer claims, than a new claim asks for.";
    "a refusal with `exceeded quota` for `requests.storage` or `persistentvolumeclaims`.";
    "Claims of StatefulSets that were scaled down and kept, a quota that was made for less.";
    "A person chooses: raise the quota, ask for less in the claim's manifest, or delete claims that are not \
     used; `kubectl describe quota` shows what is left.".
}

static EXCEEDED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"exceeded quota: (\S+), requested: (.+?), used: (.+?), limited: (.+)$").ok());
static MUST: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"failed quota: (\S+): must specify (.+)$").ok());
static SCOPE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"insufficient quota to (?:consume|match these scopes): (.+)$").ok());

/// `a=1,b=2`.
fn amounts(text: &str) -> BTreeMap<&str, &str> {
    text.split(',').filter_map(|part| part.trim().split_once('=')).collect()
}

pub(crate) fn exceeded(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = EXCEEDED.as_ref()?.captures(refused.text())?;
    let name = found.get(1)?.as_str();
    let (asked, used, limited) =
        (amounts(found.get(2)?.as_str()), amounts(found.get(3)?.as_str()), amounts(found.get(4)?.as_str()));
    let resources: Vec<_> = asked
        .iter()
        .filter_map(|(resource, asked)| {
            let (used, limited) = (*used.get(resource)?, *limited.get(resource)?);
            let of = |text| Quantity::parse(text).map_or(0, |quantity| quantity.milli);
            let missing = Quantity { milli: of(asked) + of(used) - of(limited) }.written_like(asked);
            Some((*resource, *asked, used, limited, missing))
        })
        .collect();
    let shown: Vec<String> = resources
        .iter()
        .map(|(resource, asked, used, limited, _)| format!("{asked} {resource} with {used} of {limited} used"))
        .collect();
    let storage = refused.refusal.claim
        || resources.iter().any(|(name, ..)| *name == "persistentvolumeclaims" || name.ends_with("requests.storage"));
    let (code, what) = if storage { (&PVC_QUOTA, "a claim") } else { (&QUOTA_EXCEEDED, "a pod") };
    let summary = format!("quota {name} is full: {what} asks for {}", text::and(&shown));
    let mut seen = refused.observation(code, summary);
    // Amounts in use come and go; the quota and its resources tell two faults apart.
    let names: Vec<&str> = resources.iter().map(|(resource, ..)| *resource).collect();
    seen.message = format!("{name}: {}", names.join(","));
    let namespace = refused.workload.top.namespace();
    if let Some(quota) = refused.view.snapshot.find("ResourceQuota", namespace, name) {
        for resource in &names {
            let hard = quota.at(&format!("/status/hard/{}", resource.replace('/', "~1")));
            let text = format!(
                "ResourceQuota {name}: hard {resource} is {}",
                hard.map_or_else(String::new, ToString::to_string)
            );
            seen.show(Source::Spec, None, &text, None);
        }
    }
    let facts = resources.iter().map(|(resource, asked, used, limited, missing)| {
        json!({"resource": resource, "requested": asked, "used": used, "limited": limited, "missing": missing})
    });
    seen.fact("resources", facts.collect::<Vec<_>>());
    seen.fact("quota", name);
    seen.shared = Some(ObjectRef::new("v1", "ResourceQuota", namespace, name));
    Some(seen)
}

pub(crate) fn must_specify(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = MUST.as_ref()?.captures(refused.text())?;
    let (name, list) = (found.get(1)?.as_str(), found.get(2)?.as_str());
    // `limits.memory for: app,web; requests.cpu for: app`; older releases name no container.
    let wanted: Vec<(&str, Vec<&str>)> = list
        .split(';')
        .flat_map(|part| match part.trim().split_once(" for: ") {
            Some((resource, containers)) => vec![(resource, containers.split(',').map(str::trim).collect())],
            None => part.split(',').map(|resource| (resource.trim(), Vec::new())).collect(),
        })
        .collect();
    let shown: Vec<String> = wanted
        .iter()
        .map(|(resource, containers)| match containers.as_slice() {
            [] => (*resource).to_owned(),
            containers => format!("{resource} of {}", text::and(containers)),
        })
        .collect();
    let summary = format!("quota {name} demands {}", text::and(&shown));
    let mut seen = refused.observation(&QUOTA_MUST_SPECIFY, summary);
    for (resource, container) in wanted.iter().flat_map(|(r, containers)| containers.iter().map(move |c| (r, c))) {
        let path = refused.workload.spec_path().field("containers").item(container).field("resources");
        let path = resource.split('.').fold(path, |path, step| path.field(step));
        seen.show(Source::Spec, None, &format!("container {container} does not set {resource}"), Some(path));
    }
    let facts = wanted.iter().map(|(resource, containers)| json!({"resource": resource, "containers": containers}));
    seen.fact("wanted", facts.collect::<Vec<_>>());
    seen.fact("quota", name);
    Some(seen)
}

pub(crate) fn scope(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = SCOPE.as_ref()?.captures(refused.text())?;
    let summary = format!("no quota of the namespace allows {}", text::clip(&found[1], 120));
    let mut seen = refused.observation(&QUOTA_INSUFFICIENT_SCOPE, summary);
    seen.fact("scope", &found[1]);
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, of, refused, roots};
    use serde_json::{Value, json};

    const FULL: &str = r#"pods "web-1" is forbidden: exceeded quota: team, requested: limits.cpu=1,requests.memory=1Gi, used: limits.cpu=3500m,requests.memory=7Gi, limited: limits.cpu=4,requests.memory=8Gi"#;

    #[test]
    fn what_is_missing_is_computed_for_each_resource() {
        let told = finding(&[refused(FULL, json!({}))], "quota-exceeded");
        assert_eq!(
            told.summary,
            "quota team is full: a pod asks for 1 limits.cpu with 3500m of 4 used and 1Gi requests.memory with 7Gi of 8Gi used"
        );
        assert_eq!(told.facts["resources"][0]["missing"], json!("1"), "rounded up in the unit of the request");
        assert_eq!(told.facts["resources"][1]["missing"], json!("0"));
    }

    #[test]
    fn ten_deployments_and_one_full_quota_are_one_root_with_ten_effects() {
        let named = |n: i32| {
            let mut one = refused(FULL, json!({}));
            one["metadata"]["name"] = json!(format!("web-{n}"));
            one
        };
        let all: Vec<Value> = (0..10).map(named).collect();
        let found = super::super::diagnose(&of(&all));
        let [root] = found.findings.as_slice() else { panic!("{:?}", found.findings) };
        assert_eq!(root.object.to_string(), "ResourceQuota/team");
        assert_eq!(root.effects.iter().filter(|effect| effect.code.name() == "quota-exceeded").count(), 10);
        assert_eq!((found.summary.failing, root.pods.desired), (10, 10));
    }

    #[test]
    fn containers_without_resources_are_named_with_their_field() {
        let message = r#"pods "web-1" is forbidden: failed quota: team: must specify limits.memory for: app; requests.cpu for: app,log"#;
        let told = finding(&[refused(message, json!({}))], "quota-must-specify");
        assert_eq!(told.summary, "quota team demands limits.memory of app and requests.cpu of app and log");
        let paths: Vec<String> = told.evidence.iter().filter_map(|e| Some(e.path.as_ref()?.to_string())).collect();
        assert_eq!(paths[0], "spec.template.spec.containers[app].resources.limits.memory");
    }

    #[test]
    fn scopes_and_claims_have_codes_of_their_own() {
        let scope = r#"pods "web-1" is forbidden: insufficient quota to consume: [{PriorityClass In [high]}]"#;
        assert_eq!(roots(&[refused(scope, json!({}))]), ["quota-insufficient-scope Deployment/web"]);
        let claims = r#"persistentvolumeclaims "d" is forbidden: exceeded quota: q, requested: requests.storage=5Gi, used: requests.storage=8Gi, limited: requests.storage=10Gi"#;
        assert_eq!(roots(&[refused(claims, json!({}))]), ["pvc-quota Deployment/web"]);
    }
}
