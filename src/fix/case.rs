//! A finding with the live object that an edit would change.

use super::{guards, refusal};
use crate::model::finding::{Confidence, Finding};
use crate::model::intent::{Author, Disposition, FieldEdit, Intent, Op};
use crate::model::kube::{Object, PodSpec};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use serde::Deserialize as _;
use serde_json::Value;

/// What a rule works on.
pub(crate) struct Case<'s> {
    pub snapshot: &'s Snapshot,
    pub finding: &'s Finding,
    /// The object that an edit changes: mostly that of the finding.
    pub target: ObjectRef,
    /// The live object as JSON: old values of edits are read here.
    pub live: Value,
    /// The live object when it is no pod.
    pub object: Option<&'s Object>,
}

impl<'s> Case<'s> {
    /// Resolves the object of a finding.
    ///
    /// # Errors
    /// A refusal when it was not seen, is made by something that was not seen, is absent, or waits for a rollout.
    pub(crate) fn new(snapshot: &'s Snapshot, finding: &'s Finding) -> Result<Self, Refusal> {
        let named = &finding.object;
        let case = Self::of(snapshot, finding, named.clone())?;
        if finding.facts.get("drifted").and_then(Value::as_bool) == Some(true) {
            let message = format!("the template of {named} is not that of the failing pods: a rollout is due");
            return Err(Refusal::new(refusal::DRIFTED, message, "scan again after the rollout"));
        }
        Ok(case)
    }

    /// The same finding, to be mended on another object.
    ///
    /// # Errors
    /// As for [`Case::new`].
    pub(crate) fn on(&self, other: &ObjectRef) -> Result<Self, Refusal> {
        Self::of(self.snapshot, self.finding, other.clone())
    }

    fn of(snapshot: &'s Snapshot, finding: &'s Finding, target: ObjectRef) -> Result<Self, Refusal> {
        let named = &target;
        let object = snapshot.resolve(named);
        let pod = snapshot.pods.iter().find(|pod| named.kind == "Pod" && pod.object().same_object(named));
        // Its values are not kept: an edit of one says what becomes of it, not what it is.
        let map = snapshot.seen(named).filter(|_| named.kind == "ConfigMap");
        let metadata = object.map(|o| &o.metadata).or(pod.map(|p| &p.metadata)).or(map.as_ref().map(|m| &m.metadata));
        // Several owners share it, and it is absent or not theirs: the rule lists what a person can do.
        let shared = finding.facts.get("owners").is_some() && target.same_object(&finding.object);
        let live = match (object, pod) {
            (Some(object), _) => object.to_value(),
            (None, Some(pod)) => serde_json::to_value(pod).unwrap_or_default(),
            (None, None) if map.is_some() => map.as_ref().map(|map| map.to_value()).unwrap_or_default(),
            (None, None) if shared => Value::Null,
            (None, None) => {
                let message = format!("{named} makes these pods and was not inspected");
                return Err(Refusal::new(refusal::NOT_IN_GIT, message, format!("change the spec of {named}")));
            }
        };
        if !shared && object.is_some_and(|object| !is_editable(object)) {
            let what = if finding.pods.names.is_empty() {
                "is not changed by rule"
            } else {
                "is a custom resource that makes these pods"
            };
            let message = format!("{named} {what}");
            return Err(Refusal::new(refusal::NOT_IN_GIT, message, format!("change the spec of {named}")));
        }
        if let Some(owner) = metadata.and_then(|m| m.controller()).filter(|owner| owner.kind != "Node") {
            let message = format!("{}/{} makes {named}, an edit belongs there", owner.kind, owner.name);
            let hint = format!("change {}/{} in Git", owner.kind, owner.name);
            return Err(Refusal::new(refusal::NOT_IN_GIT, message, hint));
        }
        Ok(Self { snapshot, finding, live, object, target })
    }

    /// Refuses when several objects have the fault in common: each is an edit of its own.
    pub(crate) fn alone_or(&self, hint: &str) -> Result<(), Refusal> {
        let Some(owners) = self.fact("owners").and_then(Value::as_array) else { return Ok(()) };
        let names = owners.iter().filter_map(|owner| owner.get("object")?.as_str());
        let details = names.map(|name| format!("it hits {name}")).collect();
        let message = format!("{}: one edit does not mend them all", self.finding.summary);
        Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint).with_details(details))
    }

    /// Path of the pod spec in the live object.
    pub(crate) fn spec_path(&self) -> Path {
        match self.object.and_then(Object::template_pointer) {
            Some(pointer) => Path::of(&format!("{}.spec", pointer.trim_start_matches('/').replace('/', "."))),
            None => Path::of("spec"),
        }
    }

    /// The pod spec of the live object.
    pub(crate) fn pod_spec(&self) -> PodSpec {
        self.spec_path().get(&self.live).and_then(|spec| PodSpec::deserialize(spec).ok()).unwrap_or_default()
    }

    /// Path of the failing container.
    pub(crate) fn container_path(&self) -> Path {
        let list = self.fact("list").and_then(Value::as_str).unwrap_or("containers");
        self.spec_path().field(list).item(self.finding.container.as_deref().unwrap_or_default())
    }

    /// A fact of the finding.
    pub(crate) fn fact(&self, name: &str) -> Option<&Value> {
        self.finding.facts.get(name).filter(|value| !value.is_null())
    }

    /// A fact that is text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.fact(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A fact that is yes or no; absent is no.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.fact(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The field that the finding's evidence names first.
    pub(crate) fn evidence_path(&self) -> Option<Path> {
        self.finding.evidence.iter().find_map(|evidence| evidence.path.clone())
    }

    /// The live value at a path.
    pub(crate) fn at(&self, path: &Path) -> Option<&Value> {
        path.get(&self.live)
    }

    /// Refuses when the live value is not the one that the evidence was about.
    pub(crate) fn expect(&self, path: &Path, seen: &Value) -> Result<(), Refusal> {
        if self.at(path) == Some(seen) {
            return Ok(());
        }
        let now = self.at(path).map_or_else(|| "absent".to_owned(), ToString::to_string);
        let message = format!("{path} was {seen} in the failing pods and is {now} in {}", self.target);
        Err(Refusal::new(refusal::DRIFTED, message, "scan again after the rollout, or look who changes it on the way"))
    }

    /// An edit that sets or adds a value.
    pub(crate) fn set(&self, path: Path, new: Value) -> FieldEdit {
        let old = self.at(&path).cloned();
        FieldEdit { op: if old.is_some() { Op::Set } else { Op::Add }, path, old, new: Some(new) }
    }

    /// An intent of a rule. It is `Safe` when there is no reason to look at it.
    pub(crate) fn intent(
        &self,
        subject: String,
        why: String,
        edits: Vec<FieldEdit>,
        mut review: Vec<String>,
    ) -> Intent {
        if !matches!(self.finding.confidence, Confidence::Certain | Confidence::Strong) {
            review.push("the cause is likely, not certain".to_owned());
        }
        Intent {
            object: self.target.clone(),
            edits,
            subject,
            why,
            evidence: self.finding.evidence.iter().map(|evidence| evidence.id).collect(),
            author: Author::Rule,
            disposition: if review.is_empty() { Disposition::Safe } else { Disposition::Review },
            review,
        }
    }

    /// The refusal for what facts do not decide: a person chooses among changes, the likeliest first.
    pub(crate) fn ask(&self, message: String, hint: &str, mut choices: Vec<Intent>) -> Refusal {
        for choice in &mut choices {
            choice.disposition = Disposition::Review;
            choice.review.insert(0, "facts do not decide it".to_owned());
        }
        choices.retain(|choice| self.check(choice).is_ok());
        Refusal { choices, ..Refusal::new(refusal::NEEDS_CHOICE, message, hint) }
    }

    /// Refusals that hold for every rule, on the edits themselves, whichever object they change.
    pub(crate) fn check(&self, intent: &Intent) -> Result<(), Refusal> {
        if intent.object.same_object(&self.target) {
            return guards::check(self, intent);
        }
        guards::check(&self.on(&intent.object)?, intent)
    }

    /// HorizontalPodAutoscalers of this workload.
    pub(crate) fn autoscalers(&self) -> impl Iterator<Item = &'s Object> {
        let object = self.target.clone();
        self.snapshot.kind("HorizontalPodAutoscaler").iter().filter(move |hpa| {
            hpa.metadata.namespace == object.namespace()
                && hpa.text("/spec/scaleTargetRef/kind") == object.kind
                && hpa.text("/spec/scaleTargetRef/name") == object.name
        })
    }

    /// Why a change of `requests.<resource>` needs a look: an autoscaler divides by it.
    pub(crate) fn request_review(&self, resource: &str) -> Option<String> {
        let scales_on = |hpa: &&Object| {
            let metrics = hpa.at("/spec/metrics").and_then(Value::as_array).cloned().unwrap_or_default();
            metrics.iter().any(|metric| {
                metric.pointer("/resource/name").and_then(Value::as_str) == Some(resource)
                    && metric.pointer("/resource/target/type").and_then(Value::as_str) == Some("Utilization")
            })
        };
        let hpa = self.autoscalers().find(scales_on)?;
        Some(format!("{} scales on a share of requests.{resource}", hpa.object()))
    }
}

/// Kinds whose manifests a rule may change, next to those with a pod template.
const EDITABLE: [(&str, &str); 19] = [
    ("", "Service"),
    ("", "PersistentVolumeClaim"),
    ("", "ServiceAccount"),
    ("networking.k8s.io", "Ingress"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("gateway.networking.k8s.io", "Gateway"),
    ("gateway.networking.k8s.io", "HTTPRoute"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("policy", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ("helm.toolkit.fluxcd.io", "HelmRelease"),
    ("source.toolkit.fluxcd.io", "GitRepository"),
    ("source.toolkit.fluxcd.io", "OCIRepository"),
    ("source.toolkit.fluxcd.io", "HelmRepository"),
    ("source.toolkit.fluxcd.io", "HelmChart"),
    ("argoproj.io", "Application"),
];

fn is_editable(object: &Object) -> bool {
    let own = object.object();
    object.template_pointer().is_some() || EDITABLE.contains(&(own.group.as_str(), own.kind.as_str()))
}
