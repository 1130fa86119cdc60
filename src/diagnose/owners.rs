//! Who owns a pod, up to the top.

use crate::model::kube::{Meta, Object, Pod};
use crate::model::object::ObjectRef;
use crate::model::snapshot::Snapshot;
use std::collections::BTreeMap;

/// Kinds whose objects make pods, top level or not.
pub(crate) const WORKLOADS: [&str; 7] =
    ["CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "StatefulSet"];

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
    pub top: ObjectRef,
    /// Owners that were seen, nearest first.
    pub links: Vec<&'s Object>,
    /// Whether the top owner was seen and is a workload or the object itself: an edit can go there.
    pub inspected: bool,
}

impl<'s> Owners<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot) -> Self {
        let objects = snapshot.objects.values().flatten();
        let by_uid = objects.filter(|o| !o.metadata.uid.is_empty()).map(|o| (o.metadata.uid.as_str(), o)).collect();
        Self { snapshot, by_uid }
    }

    /// The owners of a pod. A mirror pod is "owned" by its Node, which says nothing about its spec.
    pub(crate) fn of_pod(&self, pod: &'s Pod) -> Chain<'s> {
        self.walk(&pod.metadata, pod.object())
    }

    /// The owners of a workload object.
    pub(crate) fn of_object(&self, object: &'s Object) -> Chain<'s> {
        let mut chain = self.walk(&object.metadata, object.object());
        chain.links.insert(0, object);
        chain
    }

    fn walk(&self, start: &'s Meta, itself: ObjectRef) -> Chain<'s> {
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
                chain.top = ObjectRef::new(&owner.api_version, &owner.kind, &start.namespace, &owner.name);
                chain.top.uid.clone_from(&owner.uid);
                chain.inspected = false;
                break;
            };
            // What an object says of itself goes before what a reference says of it.
            chain.top = object.object();
            chain.inspected = WORKLOADS.contains(&object.kind.as_str());
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
