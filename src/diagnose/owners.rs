//! Who owns a pod, up to the top.

use crate::model::kube::{Condition, Meta, Object, OwnerReference, Pod};
use crate::model::object::ObjectRef;
use crate::model::snapshot::Snapshot;
use crate::text;
use std::collections::BTreeMap;

/// Kinds whose objects make pods, top level or not.
pub(crate) const WORKLOADS: [&str; 8] =
    ["CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "Rollout", "StatefulSet"];

/// Whether it makes pods. Other projects have a kind of the name Rollout that makes none.
pub(crate) fn is_workload(object: &Object) -> bool {
    match object.kind.as_str() {
        "Rollout" => object.api_version.starts_with("argoproj.io/"),
        kind => WORKLOADS.contains(&kind),
    }
}

/// The same, with a template of its own: a Rollout may borrow that of a Deployment, and an edit goes there.
fn is_editable(object: &Object) -> bool {
    is_workload(object) && object.template_pointer().is_some()
}

/// Whether a group is that of a custom resource.
pub(crate) fn is_custom(group: &str) -> bool {
    group.contains('.') && !group.ends_with(".k8s.io")
}

/// Whether a custom resource owns anything. Few clusters have one: nothing need be judged for that.
pub(crate) fn has_custom(snapshot: &Snapshot) -> bool {
    let objects = snapshot.objects.values().flatten().map(|object| &object.metadata);
    let mut owners = snapshot.pods.iter().map(|pod| &pod.metadata).chain(objects).filter_map(Meta::controller);
    owners.any(|owner| owner.api_version.split('/').next().is_some_and(is_custom))
}

/// The conditions by which an object says that it is not well.
pub(crate) fn complaints(object: &Object) -> Vec<Condition> {
    let is_bad = |c: &Condition| match c.kind.as_str() {
        "Ready" | "Available" | "Healthy" => c.status == "False",
        "Degraded" => c.status == "True",
        _ => false,
    };
    object.conditions().into_iter().filter(is_bad).collect()
}

/// One of [`complaints`] in words: `Ready=False: NoQuorum: 1 of 3 members`.
pub(crate) fn complaint(c: &Condition) -> String {
    let said = [c.reason.as_str(), c.message.trim()].into_iter().filter(|part| !part.is_empty());
    let said: String = said.map(|part| format!(": {}", text::clip(part, 200))).collect();
    format!("{}={}{said}", c.kind, c.status)
}

/// Owners are this many levels deep at most; a longer chain is a circle.
const DEPTH: usize = 8;

/// All objects that can own something, by uid.
pub(crate) struct Owners<'s> {
    snapshot: &'s Snapshot,
    by_uid: BTreeMap<&'s str, &'s Object>,
}

/// The owners of one object.
pub(crate) struct Chain<'s> {
    /// The top owner, or the object itself.
    pub top: Top<'s>,
    /// Owners that were seen, nearest first.
    pub links: Vec<&'s Object>,
    /// Whether the top owner was seen and is a workload or the object itself: an edit can go there.
    pub inspected: bool,
}

/// The top of a chain, as it is known.
#[derive(Clone, Copy)]
pub(crate) enum Top<'s> {
    Pod(&'s Pod),
    Object(&'s Object),
    /// Only a reference of an object in this namespace tells of it.
    Unseen(&'s OwnerReference, &'s str),
}

impl<'s> Top<'s> {
    pub(crate) fn object(self) -> ObjectRef {
        match self {
            Self::Pod(pod) => pod.object(),
            Self::Object(object) => object.object(),
            Self::Unseen(owner, namespace) => {
                ObjectRef::new(&owner.api_version, &owner.kind, namespace, &owner.name).with_uid(&owner.uid)
            }
        }
    }

    /// Its kind, namespace and name.
    pub(crate) fn names(self) -> (&'s str, &'s str, &'s str) {
        match self {
            Self::Pod(pod) => ("Pod", &pod.metadata.namespace, &pod.metadata.name),
            Self::Object(object) => (&object.kind, &object.metadata.namespace, &object.metadata.name),
            Self::Unseen(owner, namespace) => (&owner.kind, namespace, &owner.name),
        }
    }
}

impl<'s> Owners<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot) -> Self {
        let objects = snapshot.objects.values().flatten();
        let by_uid = objects.filter(|o| !o.metadata.uid.is_empty()).map(|o| (o.metadata.uid.as_str(), o)).collect();
        Self { snapshot, by_uid }
    }

    /// The owners of a pod. A mirror pod is "owned" by its Node, which says nothing about its spec.
    pub(crate) fn of_pod(&self, pod: &'s Pod) -> Chain<'s> {
        self.walk(&pod.metadata, Top::Pod(pod))
    }

    /// The owners of a workload object.
    pub(crate) fn of_object(&self, object: &'s Object) -> Chain<'s> {
        let mut chain = self.walk(&object.metadata, Top::Object(object));
        if chain.links.is_empty() && matches!(chain.top, Top::Object(_)) {
            chain.inspected = is_editable(object);
        }
        chain.links.insert(0, object);
        chain
    }

    fn walk(&self, start: &'s Meta, itself: Top<'s>) -> Chain<'s> {
        let mut chain = Chain { top: itself, links: Vec::new(), inspected: true };
        let mut meta = start;
        for _ in 0..DEPTH {
            let Some(owner) = meta.controller().filter(|owner| owner.kind != "Node") else { break };
            // An owner stands in the same namespace or in none: any other is a lie that Kubernetes collects.
            let near = |object: &&Object| [start.namespace.as_str(), ""].contains(&object.metadata.namespace.as_str());
            let object = self.by_uid.get(owner.uid.as_str()).copied().filter(near).or_else(|| {
                let named = self.snapshot.find(&owner.kind, &start.namespace, &owner.name)?;
                (named.metadata.uid.is_empty() || owner.uid.is_empty()).then_some(named)
            });
            let Some(object) = object else {
                chain.top = Top::Unseen(owner, &start.namespace);
                chain.inspected = false;
                break;
            };
            // What an object says of itself goes before what a reference says of it.
            chain.top = Top::Object(object);
            chain.inspected = is_editable(object);
            chain.links.push(object);
            meta = &object.metadata;
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ready, roots};
    use serde_json::json;

    #[test]
    fn an_owner_is_what_it_says_of_itself_whichever_pod_comes_first() {
        let web = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"},
            "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}}});
        let pod = |name: &str, api: &str, kind: &str| {
            let mut pod = ready(name, json!({"app": "web"}));
            pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
            pod["metadata"]["ownerReferences"] =
                json!([{"apiVersion": api, "kind": kind, "name": "web", "uid": "ReplicaSet-web", "controller": true}]);
            pod
        };
        let (one, two) = (pod("web-a", "v1", "Deployment"), pod("web-b", "apps/v1", "ReplicaSet"));
        assert_eq!(roots(&[web.clone(), one.clone(), two.clone()]), roots(&[web.clone(), two, one]));
        assert!(roots(&[web.clone(), pod("web-a", "v1", "Deployment")])[0].ends_with(" ReplicaSet/web"));
    }
}
