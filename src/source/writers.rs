//! Who last wrote a field of the live object: managedFields.

use crate::model::path::{Path, Step};
use serde_json::Value;

/// What kind of writer it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Writer {
    /// Something in the cluster that will write it again: an autoscaler.
    Controller(String),
    /// A person with a command: `kubectl-edit`.
    Hand(String),
    /// Whatever applies manifests, or a controller that we do not know.
    Other,
}

impl Writer {
    /// Its name, when it is not who applies manifests.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Controller(name) | Self::Hand(name) => Some(name),
            Self::Other => None,
        }
    }
}

/// The strongest writer of a field. Format: <https://kubernetes.io/docs/reference/using-api/server-side-apply/>.
pub(super) fn writer(live: &Value, path: &Path) -> Writer {
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut hand = None;
    for entry in entries.filter(|entry| owns(&entry["fieldsV1"], &path.0, live)) {
        let manager = entry["manager"].as_str().unwrap_or_default();
        let scale = entry["subresource"] == "scale";
        if manager.contains("autoscal") || scale && !manager.starts_with("kubectl") {
            // An autoscaler writes through the scale subresource.
            let name = if manager == "kube-controller-manager" { "a HorizontalPodAutoscaler" } else { manager };
            return Writer::Controller(name.to_owned());
        }
        if manager.starts_with("kubectl-") && manager != "kubectl-client-side-apply" || scale {
            hand = Some(Writer::Hand(manager.to_owned()));
        }
    }
    hand.unwrap_or(Writer::Other)
}

/// Whether a field set holds the path, or a whole value above it.
fn owns(set: &Value, steps: &[Step], here: &Value) -> bool {
    let Some((step, rest)) = steps.split_first() else { return true };
    let Some(map) = set.as_object() else { return false };
    let next = Path(vec![step.clone()]);
    let value = next.get(here).unwrap_or(&Value::Null);
    let entry = match step {
        Step::Field(name) => map.get(&format!("f:{name}")),
        Step::Index(_) | Step::Item { .. } => map.iter().find_map(|(key, set)| {
            let keys: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
            let same = keys.as_object()?.iter().all(|(key, wanted)| value.get(key) == Some(wanted));
            same.then_some(set)
        }),
    };
    // `{}` owns everything below.
    entry.is_some_and(|set| set.as_object().is_some_and(serde_json::Map::is_empty) || owns(set, rest, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_writer_of_one_field_is_found() {
        let live = json!({"metadata": {"managedFields": [
            {"manager": "kustomize-controller", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}}}}}}},
            {"manager": "kube-controller-manager", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:env": {}}}}}}}},
        ]}, "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "a", "env": [{"name": "A"}]}]}}}});
        let of = |path| writer(&live, &Path::of(path));
        assert_eq!(of("spec.replicas"), Writer::Controller("a HorizontalPodAutoscaler".to_owned()));
        assert_eq!(of("spec.template.spec.containers[web].env[A].value"), Writer::Hand("kubectl-edit".to_owned()));
        assert_eq!(of("spec.template.spec.containers[web].image"), Writer::Other);
        assert_eq!(of("spec.paused"), Writer::Other);
    }
}
