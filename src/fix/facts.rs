//! What rules ask a case for, and the refusals they share.

use super::case::Case;
use super::refusal;
use crate::model::intent::Intent;
use crate::model::kube::{Container, Object, PodSpec};
use crate::model::path::{Path, Step};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use serde_json::Value;

/// Logs, history or knowledge of the program decide.
pub(crate) fn judge(message: impl Into<String>, hint: &str) -> Refusal {
    Refusal::new(refusal::NEEDS_JUDGEMENT, message, hint)
}

/// Nothing in the manifests fixes it.
pub(crate) fn outside(message: impl Into<String>, hint: &str) -> Refusal {
    Refusal::new(refusal::NOT_IN_GIT, message, hint)
}

/// The live object is no longer what the evidence was about.
pub(crate) fn drifted(message: impl Into<String>) -> Refusal {
    Refusal::new(refusal::DRIFTED, message, "scan again after the rollout")
}

/// Items of a list below a JSON value.
pub(crate) fn items<'v>(value: &'v Value, list: &str) -> impl Iterator<Item = &'v Value> {
    value.get(list).and_then(Value::as_array).into_iter().flatten()
}

/// Text at a key, empty when there is none.
pub(crate) fn text_of<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What people call a field: its last name, and the item it belongs to.
pub(crate) fn name_of(path: &Path) -> String {
    let name = path.0.iter().rev().find_map(|step| match step {
        Step::Field(name) if name != "value" && name != "name" => Some(name.clone()),
        Step::Item { value, .. } => Some(value.clone()),
        _ => None,
    });
    name.unwrap_or_default()
}

/// Images that a node has, by tag.
pub(crate) fn node_images(node: &Object) -> Vec<String> {
    let images: Vec<Value> = node.view("/status/images");
    let names = images.iter().filter_map(|image| image.get("names")?.as_array()).flatten();
    names.filter_map(Value::as_str).filter(|name| !name.contains('@')).map(str::to_owned).collect()
}

/// Whether a pod, a template or a node has this image.
pub(crate) fn has_image(snapshot: &Snapshot, image: &str) -> bool {
    let has = |spec: &PodSpec| spec.containers.iter().chain(&spec.init_containers).any(|one| one.image == image);
    let told = |object: &&Object| object.template_pointer().is_some() && object.body.may_contain(image);
    snapshot.pods.iter().any(|pod| has(&pod.spec))
        || snapshot.objects.values().flatten().filter(told).any(|object| object.pod_spec().is_some_and(has))
        || snapshot.kind("Node").iter().flat_map(node_images).any(|known| known == image)
}

impl<'s> Case<'s> {
    /// Refuses where several owners share the cause: an edit of one of them heals one of them.
    pub(crate) fn alone(&self) -> Result<(), Refusal> {
        if !self.live.is_null() {
            return Ok(());
        }
        self.alone_or("mend what they share, or name one of them: aifix propose KIND/NAME")
    }

    /// The failing container's name.
    pub(crate) fn name(&self) -> &str {
        self.finding.container.as_deref().unwrap_or_default()
    }

    /// The failing container as the live template has it.
    pub(crate) fn container(&self) -> Result<Container, Refusal> {
        let PodSpec { init_containers, containers, .. } = self.pod_spec();
        let mut all = init_containers.into_iter().chain(containers);
        all.find(|c| c.name == self.name())
            .ok_or_else(|| drifted(format!("container {} is no longer there", self.name())))
    }

    /// A fact that is a list of texts.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.fact(name).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).collect()
    }

    /// A fact that is a number.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.fact(name).and_then(Value::as_i64)
    }

    /// Objects of a kind in the namespace of the finding.
    pub(crate) fn here(&self, kind: &str) -> impl Iterator<Item = &'s Object> + use<'s> {
        let namespace = self.finding.object.namespace().to_owned();
        self.snapshot.kind(kind).iter().filter(move |object| object.metadata.namespace == namespace)
    }

    /// A value of the live object at the path of one edit, set for one reason that a person should know.
    pub(crate) fn choice(&self, path: Path, new: Value, subject: String, why: &str) -> Intent {
        let edits = vec![self.set(path, new)];
        self.intent(subject, why.to_owned(), edits, Vec::new())
    }
}
