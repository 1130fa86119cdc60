//! Whether a constraint's `match` takes an object.
//!
//! As Gatekeeper does it (`pkg/mutation/match`): every part that is given must hold, and a part that
//! needs a namespace holds for an object without one.

use super::super::labels::{selects, strings};
use serde_json::Value;

/// Kinds of the built-in groups that have no namespace.
const CLUSTER: [&str; 15] = [
    "APIService",
    "CSIDriver",
    "CSINode",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingWebhookConfiguration",
];

/// What a constraint looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) object: &'s Value,
    /// Empty when it has none, or names none.
    pub(super) namespace: &'s str,
    /// Labels of its namespace; `Null` when they are not known.
    pub(super) namespace_labels: &'s Value,
    /// A Pod that a controller would make.
    pub(super) is_generated: bool,
}

/// Whether it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matched {
    No,
    Yes,
    /// As far as can be seen: the labels of its namespace are asked for, and not known.
    Assumed,
}

impl<'s> Subject<'s> {
    fn text(&self, pointer: &str) -> &'s str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Group and version.
    pub(super) fn api(&self) -> (&'s str, &'s str) {
        let version = self.text("/apiVersion");
        version.split_once('/').unwrap_or(("", version))
    }

    pub(super) fn kind(&self) -> &'s str {
        self.text("/kind")
    }

    pub(super) fn name(&self) -> &'s str {
        self.text("/metadata/name")
    }

    fn is_namespace(&self) -> bool {
        self.kind() == "Namespace" && self.api().0.is_empty()
    }

    /// The namespace that the lists of a constraint are held against.
    fn place(&self) -> &'s str {
        if self.is_namespace() { self.name() } else { self.namespace }
    }
}

/// Whether `spec.match` takes the object.
pub(super) fn matches(wanted: &Value, subject: Subject<'_>) -> Matched {
    let texts = |key: &str| strings(wanted.get(key));
    let is_in = |globs: &[&str]| globs.iter().any(|glob| glob_matches(glob, subject.place()));
    let (namespaces, excluded) = (texts("namespaces"), texts("excludedNamespaces"));
    let source = match wanted.get("source").and_then(Value::as_str) {
        Some("Original") => !subject.is_generated,
        Some("Generated") => subject.is_generated,
        _ => true,
    };
    let name = wanted.get("name").and_then(Value::as_str).unwrap_or_default();
    let holds = source
        && kinds(wanted, subject)
        && scope(wanted, subject)
        && (namespaces.is_empty() || subject.place().is_empty() || is_in(&namespaces))
        && (subject.place().is_empty() || !is_in(&excluded))
        && (name.is_empty() || glob_matches(name, subject.name()))
        && selects(wanted.get("labelSelector"), subject.object.pointer("/metadata/labels").unwrap_or(&Value::Null));
    if !holds {
        return Matched::No;
    }
    namespace_selector(wanted.get("namespaceSelector"), subject)
}

fn namespace_selector(selector: Option<&Value>, subject: Subject<'_>) -> Matched {
    let Some(selector) = selector.filter(|selector| selector.as_object().is_some_and(|parts| !parts.is_empty())) else {
        return Matched::Yes;
    };
    let labels = match subject.object.pointer("/metadata/labels") {
        labels if subject.is_namespace() => labels.unwrap_or(&Value::Null),
        _ if subject.namespace.is_empty() => return Matched::Yes,
        _ if subject.namespace_labels.is_null() => return Matched::Assumed,
        _ => subject.namespace_labels,
    };
    if selects(Some(selector), labels) { Matched::Yes } else { Matched::No }
}

fn kinds(wanted: &Value, subject: Subject<'_>) -> bool {
    let Some(rows) = wanted.get("kinds").and_then(Value::as_array).filter(|rows| !rows.is_empty()) else { return true };
    let has = |row: &Value, key: &str, value: &str| {
        let names = strings(row.get(key));
        names.is_empty() || names.iter().any(|name| *name == "*" || *name == value)
    };
    rows.iter().any(|row| has(row, "kinds", subject.kind()) && has(row, "apiGroups", subject.api().0))
}

fn scope(wanted: &Value, subject: Subject<'_>) -> bool {
    let is_named = !subject.namespace.is_empty();
    match wanted.get("scope").and_then(Value::as_str) {
        Some("Cluster") => subject.is_namespace() || !is_named,
        // A manifest that names no namespace still gets one, unless its kind has none.
        Some("Namespaced") => !subject.is_namespace() && (is_named || !CLUSTER.contains(&subject.kind())),
        _ => true,
    }
}

/// `kube-*`, `*-system` and `*a*`; any other star is itself.
fn glob_matches(glob: &str, text: &str) -> bool {
    match (glob.strip_prefix('*'), glob.strip_suffix('*')) {
        (Some(rest), Some(_)) => rest.strip_suffix('*').is_none_or(|middle| text.contains(middle)),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => glob == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(wanted: &Value, object: &Value, namespace_labels: &Value) -> Matched {
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default().to_owned();
        let subject = Subject { object, namespace: &namespace, namespace_labels, is_generated: false };
        matches(wanted, subject)
    }

    fn pod() -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop-eu", "labels": {"tier": "front"}}})
    }

    #[test]
    fn each_part_of_a_match_holds_as_in_gatekeeper() {
        for (wanted, holds) in [
            (json!({}), true),
            (json!({"kinds": []}), true),
            (json!({"kinds": [{"apiGroups": [""], "kinds": ["Pod"]}]}), true),
            (json!({"kinds": [{"apiGroups": ["apps"], "kinds": ["Pod"]}]}), false),
            (json!({"kinds": [{"apiGroups": ["*"], "kinds": ["*"]}]}), true),
            (json!({"kinds": [{"apiGroups": ["apps"], "kinds": ["*"]}, {"kinds": ["Pod"]}]}), true),
            (json!({"namespaces": ["shop-*"]}), true),
            (json!({"namespaces": ["*-eu"]}), true),
            (json!({"namespaces": ["*op-e*"]}), true),
            (json!({"namespaces": ["shop"]}), false),
            (json!({"excludedNamespaces": ["shop-*"]}), false),
            (json!({"excludedNamespaces": ["kube-*"]}), true),
            (json!({"name": "web-*"}), true),
            (json!({"name": "db"}), false),
            (json!({"scope": "Namespaced"}), true),
            (json!({"scope": "Cluster"}), false),
            (json!({"source": "Generated"}), false),
            (json!({"labelSelector": {"matchLabels": {"tier": "front"}}}), true),
            (json!({"labelSelector": {"matchLabels": {"tier": "back"}}}), false),
            (
                json!({"labelSelector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["a"]}]}}),
                false,
            ),
            (json!({"labelSelector": {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}}), true),
            (
                json!({"labelSelector": {"matchExpressions": [{"key": "x", "operator": "NotIn", "values": ["y"]}]}}),
                true,
            ),
        ] {
            let wanted_is = if holds { Matched::Yes } else { Matched::No };
            assert_eq!(check(&wanted, &pod(), &Value::Null), wanted_is, "{wanted}");
        }
    }

    #[test]
    fn a_namespace_whose_labels_are_not_known_is_taken_and_told() {
        let wanted = json!({"namespaceSelector": {"matchLabels": {"env": "prod"}}});
        assert_eq!(check(&wanted, &pod(), &Value::Null), Matched::Assumed);
        assert_eq!(check(&wanted, &pod(), &json!({"env": "prod"})), Matched::Yes);
        assert_eq!(check(&wanted, &pod(), &json!({})), Matched::No);
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "labels": {"env": "prod"}}});
        assert_eq!(check(&wanted, &namespace, &Value::Null), Matched::Yes);
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}});
        assert_eq!(check(&wanted, &node, &Value::Null), Matched::Yes);
    }

    #[test]
    fn a_namespace_itself_is_held_against_the_lists_by_its_name() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}});
        assert_eq!(check(&json!({"excludedNamespaces": ["kube-*"]}), &namespace, &Value::Null), Matched::No);
        assert_eq!(check(&json!({"scope": "Namespaced"}), &namespace, &Value::Null), Matched::No);
    }
}
