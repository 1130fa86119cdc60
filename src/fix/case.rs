//! A finding with the live object that an edit would change.

use super::refusal;
use crate::model::finding::{Confidence, Finding};
use crate::model::intent::{Author, Disposition, FieldEdit, Intent, Op};
use crate::model::kube::{Object, PodSpec};
use crate::model::path::{Path, Step};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use serde::Deserialize as _;
use serde_json::Value;

/// What a rule works on.
pub(crate) struct Case<'s> {
    pub snapshot: &'s Snapshot,
    pub finding: &'s Finding,
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
        let object = snapshot.resolve(named);
        let pod = snapshot.pods.iter().find(|pod| named.kind == "Pod" && pod.object().same_object(named));
        let metadata = object.map(|o| &o.metadata).or(pod.map(|p| &p.metadata));
        let shared = finding.facts.get("owners").is_some();
        let live = match (object, pod) {
            (Some(object), _) => object.to_value(),
            (None, Some(pod)) => serde_json::to_value(pod).unwrap_or_default(),
            // A missing object that several owners name: the rule lists what a person can do.
            (None, None) if shared => Value::Null,
            (None, None) => {
                let message = format!("{named} makes these pods and was not inspected");
                return Err(Refusal::new(refusal::NOT_IN_GIT, message, format!("change the spec of {named}")));
            }
        };
        let editable = object.is_none_or(|o| o.template_pointer().is_some() || o.kind == "Service");
        if !editable {
            let message = format!("{named} is a custom resource that makes these pods");
            return Err(Refusal::new(refusal::NOT_IN_GIT, message, format!("change the spec of {named}")));
        }
        if let Some(owner) = metadata.and_then(|m| m.controller()).filter(|owner| owner.kind != "Node") {
            let message = format!("{}/{} makes {named}, an edit belongs there", owner.kind, owner.name);
            return Err(Refusal::new(refusal::NOT_IN_GIT, message, String::new()));
        }
        if finding.facts.get("drifted").and_then(Value::as_bool) == Some(true) {
            let message = format!("the template of {named} is not that of the failing pods: a rollout is due");
            return Err(Refusal::new(refusal::DRIFTED, message, "scan again after the rollout"));
        }
        Ok(Self { snapshot, finding, live, object })
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
        let message = format!("{path} was {seen} in the failing pods and is {now} in {}", self.finding.object);
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
            object: self.finding.object.clone(),
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
        choices.retain(|choice| self.check(choice).is_ok());
        for choice in &mut choices {
            choice.disposition = Disposition::Review;
            choice.review.insert(0, "facts do not decide it".to_owned());
        }
        Refusal { choices, ..Refusal::new(refusal::NEEDS_CHOICE, message, hint) }
    }

    /// Refusals that hold for every rule, on the edits themselves: fields that can't change,
    /// that another controller writes, or that protect.
    pub(crate) fn check(&self, intent: &Intent) -> Result<(), Refusal> {
        intent.edits.iter().try_for_each(|edit| {
            self.check_mutable(edit)?;
            self.check_owner(edit)?;
            match weakens(edit) {
                Some(what) => Err(Refusal::new(
                    refusal::WEAKENS,
                    format!("{} would {what}", edit.path),
                    "a person must decide that",
                )),
                None => Ok(()),
            }
        })
    }

    fn check_mutable(&self, edit: &FieldEdit) -> Result<(), Refusal> {
        let object = &self.finding.object;
        let fixed = match object.kind.as_str() {
            "Job" => edit.path.starts_with(&Path::of("spec.template")),
            "Pod" => edit.path.0.last() != Some(&Step::Field("image".to_owned())),
            _ => false,
        };
        if !fixed {
            return Ok(());
        }
        let message = format!("{} of {object} can't be changed once it exists", edit.path);
        let hint = format!("change it in Git, delete {object} and let it be made again; its past is lost");
        Err(Refusal::new(refusal::IMMUTABLE, message, hint))
    }

    fn check_owner(&self, edit: &FieldEdit) -> Result<(), Refusal> {
        let last = edit.path.to_string();
        let refused = |by: String| {
            let message = format!("{by} writes {}", edit.path);
            Err(Refusal::new(refusal::OWNED_BY_CONTROLLER, message, "change its settings instead"))
        };
        if last.contains(".resources") {
            let autoscalers = self.snapshot.kind("VerticalPodAutoscaler").iter();
            let mut ours = autoscalers.filter(|vpa| targets(vpa, "/spec/targetRef", self) && !is_off(vpa));
            if let Some(vpa) = ours.next() {
                return refused(vpa.object().to_string());
            }
        }
        let annotations = self.object.map(|object| &object.metadata.annotations);
        let updater = |key: &String| key.starts_with("argocd-image-updater.argoproj.io/");
        if last.ends_with(".image") && annotations.is_some_and(|map| map.keys().any(updater)) {
            return refused("Argo CD Image Updater".to_owned());
        }
        Ok(())
    }

    /// HorizontalPodAutoscalers of this workload.
    pub(crate) fn autoscalers(&self) -> impl Iterator<Item = &'s Object> {
        let object = self.finding.object.clone();
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

fn targets(object: &Object, pointer: &str, case: &Case<'_>) -> bool {
    let owner = &case.finding.object;
    object.metadata.namespace == owner.namespace()
        && object.text(&format!("{pointer}/kind")) == owner.kind
        && object.text(&format!("{pointer}/name")) == owner.name
}

fn is_off(vpa: &Object) -> bool {
    vpa.text("/spec/updatePolicy/updateMode") == "Off"
}

/// Fields whose change takes a protection away or gives a right, by any step of the path.
const GUARDED: [&str; 13] = [
    "securityContext",
    "automountServiceAccountToken",
    "serviceAccountName",
    "serviceAccount",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostPath",
    "hostPort",
    "tolerations",
    "replicas",
    "runtimeClassName",
    "defaultMode",
];

/// What an edit weakens, if it does.
fn weakens(edit: &FieldEdit) -> Option<&'static str> {
    let has = |name: &str| edit.path.0.iter().any(|step| matches!(step, Step::Field(field) if field == name));
    let guarded = GUARDED.iter().any(|name| has(name));
    let guards_inside = |value: &Value| GUARDED.iter().any(|name| value.to_string().contains(&format!("\"{name}\":")));
    let protects = ["livenessProbe", "readinessProbe", "startupProbe", "limits", "requests", "resources"];
    if guarded || edit.new.iter().chain(&edit.old).any(guards_inside) {
        return Some("change a right or a protection");
    }
    if edit.op == Op::Remove && protects.iter().any(|name| has(name)) {
        return Some("take a probe, a limit or a request away");
    }
    None
}
