//! What is known around a changed object.

use super::labels::selects;
use crate::model::kube::Object;
use crate::model::snapshot::{Gap, Scope, Snapshot};
use serde_json::{Map, Value};

/// Namespaces, disruption budgets and workloads that were seen.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    namespaces: Vec<Value>,
    /// `None`: nobody looked.
    budgets: Option<Vec<Value>>,
    /// What was not seen of them.
    unseen: Vec<Gap>,
    /// Where it was looked, unless everywhere.
    scope: Option<Vec<String>>,
    live: Vec<Value>,
}

impl Surroundings {
    /// Those of a cluster.
    pub fn of(snapshot: &Snapshot) -> Self {
        let all = |kind: &str| snapshot.kind(kind).iter().map(Object::to_value).collect::<Vec<Value>>();
        let live = ["Deployment", "StatefulSet", "ReplicaSet"].into_iter().flat_map(all).collect();
        Self {
            namespaces: all("Namespace"),
            budgets: Some(all("PodDisruptionBudget")),
            unseen: snapshot.gaps_of("poddisruptionbudgets").cloned().collect(),
            scope: match &snapshot.scope {
                Scope::All => None,
                Scope::Namespaces(names) => Some(names.clone()),
            },
            live,
        }
    }

    /// The same with namespaces that were read one by one.
    #[must_use]
    pub fn with_namespaces(mut self, namespaces: &[Value]) -> Self {
        self.namespaces.extend(namespaces.iter().cloned());
        self
    }

    /// Those among manifests: what is not among them is not known.
    pub(super) fn among(manifests: &[&Value]) -> Self {
        let all = |kind: &str| -> Vec<Value> {
            let is_one = |manifest: &&&Value| text(manifest, "/kind") == kind;
            manifests.iter().filter(is_one).map(|manifest| (*manifest).clone()).collect()
        };
        let budgets = all("PodDisruptionBudget");
        let budgets = (!budgets.is_empty()).then_some(budgets);
        Self { namespaces: all("Namespace"), budgets, ..Self::default() }
    }

    /// Labels of a namespace, `Null` when they are not known.
    pub(super) fn namespace_labels(&self, namespace: &str) -> Value {
        let found = self.namespaces.iter().find(|object| text(object, "/metadata/name") == namespace);
        found.map_or(Value::Null, |object| {
            object.pointer("/metadata/labels").cloned().unwrap_or_else(|| Value::Object(Map::new()))
        })
    }

    /// Names of the disruption budgets that select pods of one of these objects, `Null` when that is not known.
    pub(super) fn budgets(&self, namespace: &str, sides: [&Value; 2]) -> Value {
        let was_looked_at = self.scope.as_ref().is_none_or(|names| names.iter().any(|name| name == namespace));
        let is_hidden = !was_looked_at || self.unseen.iter().any(|gap| gap.hides_objects_in(namespace));
        // What belongs to no namespace runs no pods that a budget could protect.
        let budgets = self.budgets.as_ref().filter(|_| namespace.is_empty() || !is_hidden);
        let Some(budgets) = budgets else { return Value::Null };
        let pods: Vec<&Value> = sides.into_iter().filter_map(pod_labels).collect();
        let is_one = |budget: &&Value| {
            let selector = budget.pointer("/spec/selector");
            text(budget, "/metadata/namespace") == namespace
                && selector.is_some()
                && pods.iter().any(|labels| selects(selector, labels))
        };
        budgets.iter().filter(is_one).map(|budget| Value::from(text(budget, "/metadata/name"))).collect()
    }

    /// The most pods that it has: before, after, or now in the cluster. `Null` for what has no replicas.
    pub(super) fn replicas(&self, kind: &str, namespace: &str, name: &str, sides: [&Value; 2]) -> Value {
        let is_live = |object: &&Value| {
            text(object, "/kind") == kind
                && text(object, "/metadata/namespace") == namespace
                && text(object, "/metadata/name") == name
        };
        let live = self.live.iter().find(is_live);
        let of = |object: &Value| object.pointer("/spec/replicas").and_then(Value::as_u64);
        let most = sides.into_iter().chain(live).filter_map(of).max();
        // What is left out is one: `spec.replicas` of the apps API.
        let one = matches!(kind, "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController").then_some(1);
        most.or(one).map_or(Value::Null, Value::from)
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Labels of the pods of an object: of its template, or its own when it is a Pod.
fn pod_labels(object: &Value) -> Option<&Value> {
    let at = match text(object, "/kind") {
        "Pod" => "/metadata/labels",
        "CronJob" => "/spec/jobTemplate/spec/template/metadata/labels",
        _ => "/spec/template/metadata/labels",
    };
    object.pointer(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workload(replicas: u64) -> Value {
        json!({"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": "web"}}}}})
    }

    #[test]
    fn a_budget_is_known_by_its_selector_and_its_namespace() {
        let budget = |name: &str, namespace: &str, selector: Value| {
            json!({"kind": "PodDisruptionBudget", "metadata": {"name": name, "namespace": namespace},
                "spec": {"selector": selector}})
        };
        let manifests = [
            budget("web", "shop", json!({"matchLabels": {"app": "web"}})),
            budget("other", "shop", json!({"matchLabels": {"app": "db"}})),
            budget("elsewhere", "bank", json!({})),
            budget("all", "shop", json!({})),
        ];
        let known = Surroundings::among(&manifests.iter().collect::<Vec<_>>());
        let sides = workload(2);
        assert_eq!(known.budgets("shop", [&Value::Null, &sides]), json!(["web", "all"]));
        assert_eq!(Surroundings::default().budgets("shop", [&Value::Null, &sides]), Value::Null);
    }

    #[test]
    fn budgets_that_could_not_be_listed_are_not_known_and_those_of_a_kind_that_is_not_served_are_none() {
        let known = |scope: &[&str], gaps: &[(&str, &str)]| {
            let scope = if scope.is_empty() {
                Scope::All
            } else {
                Scope::Namespaces(scope.iter().map(|name| (*name).to_owned()).collect())
            };
            let mut snapshot = Snapshot::new("lab", scope);
            snapshot.gaps.extend(gaps.iter().map(|(what, why)| Gap {
                what: (*what).to_owned(),
                why: (*why).to_owned(),
                essential: false,
                codes: Vec::new(),
            }));
            Surroundings::of(&snapshot).budgets("shop", [&workload(1), &workload(2)])
        };
        let (none, unknown) = (json!([]), Value::Null);
        assert_eq!(known(&[], &[]), none);
        assert_eq!(known(&[], &[("pods in all namespaces", "forbidden")]), none);
        assert_eq!(known(&[], &[("poddisruptionbudgets in all namespaces", "forbidden")]), unknown);
        assert_eq!(known(&["shop"], &[("poddisruptionbudgets in namespace shop", "timed out")]), unknown);
        assert_eq!(known(&["shop", "bank"], &[("poddisruptionbudgets in namespace bank", "forbidden")]), none);
        let not_served = "the cluster does not serve poddisruptionbudgets of policy/v1";
        assert_eq!(known(&["shop"], &[("poddisruptionbudgets in namespace shop", not_served)]), none);
        // A change may reach a namespace where nobody looked.
        assert_eq!(known(&["bank"], &[]), unknown);
    }

    #[test]
    fn the_most_replicas_of_before_after_and_now_count() {
        let known = Surroundings { live: vec![workload(7)], ..Surroundings::default() };
        let (before, after) = (workload(2), workload(3));
        assert_eq!(known.replicas("Deployment", "shop", "web", [&before, &after]), json!(7));
        assert_eq!(known.replicas("Deployment", "shop", "db", [&before, &after]), json!(3));
        assert_eq!(known.replicas("Deployment", "shop", "db", [&Value::Null, &json!({})]), json!(1));
        assert_eq!(known.replicas("ConfigMap", "shop", "c", [&Value::Null, &json!({})]), Value::Null);
    }
}
