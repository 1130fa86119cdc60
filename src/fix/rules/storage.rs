//! Claims without a volume: fixed once made, so made anew.

use super::super::case::Case;
use super::super::reference::Reference;
use super::super::refusal;
use crate::model::intent::{FieldEdit, Intent};
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::model::quantity::Quantity;
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("storageclass-missing", class_missing),
    ("pvc-no-class", no_class),
    ("pvc-no-matching-volume", no_matching_volume),
    ("pvc-volume-name-mismatch", volume_mismatch),
    ("pvc-resize-failed", resize_failed),
    ("provisioner-missing", provisioner_missing),
    ("volume-multi-attach", multi_attach),
];

/// Refuses unless the claim waits and is in Git itself; else what a person does after the sync.
fn anew(case: &Case<'_>) -> Result<String, Refusal> {
    case.alone_or("name another class in each claim")?;
    if let Some(owner) = case.fact("owner").and_then(Value::as_str) {
        let message = format!("claim templates of {owner} can't be changed once it exists");
        let hint = format!("change it in Git, then `kubectl delete {} --cascade=orphan`", owner.to_lowercase());
        return Err(Refusal::new(refusal::IMMUTABLE, message, hint));
    }
    if !crate::schema::is_unbound_claim(&case.live) && case.text("volume").is_empty() {
        let message = format!("{} is bound, or about to be", case.target);
        return Err(Refusal::new(refusal::DRIFTED, message, "scan again"));
    }
    let (name, namespace) = (&case.target.name, case.target.namespace());
    Ok(format!(
        "a claim can't be changed: after the merge `kubectl delete pvc {} -n {}`; it holds nothing yet",
        text::shell_word(name),
        text::shell_word(namespace)
    ))
}

fn class_field() -> Path {
    Path::of("spec.storageClassName")
}

fn class_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let anew = anew(case)?;
    Reference::new(case, "StorageClass", "", class_field())?.decide(case, &[&anew], true)
}

fn no_class(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let anew = anew(case)?;
    let reference = Reference::to(case, "StorageClass", "", class_field(), "")?;
    // None by intent is another thing than none.
    if case.at(&class_field()).is_some() {
        return Err(reference.choose(case));
    }
    reference.decide(case, &[&anew], true)
}

/// What would have to change for a claim to fit a volume; `None` when no change of the claim does it.
fn adapt(case: &Case<'_>, volume: &Object) -> Option<Vec<(FieldEdit, &'static str)>> {
    let claim = case.object?;
    let quantity = |object: &Object, pointer: &str| object.at(pointer).and_then(Quantity::of);
    let holder = volume.text("/spec/claimRef/name");
    let labels = claim.at("/spec/selector").is_some();
    if labels || (!holder.is_empty() && holder != claim.metadata.name) {
        return None;
    }
    let mut out = Vec::new();
    let mut change = |path: &str, new: Option<&Value>, what: &'static str| {
        out.extend(new.map(|new| (case.set(Path::of(path), new.clone()), what)));
    };
    let (wanted, has) = ("/spec/resources/requests/storage", "/spec/capacity/storage");
    if quantity(claim, wanted) > quantity(volume, has) {
        change("spec.resources.requests.storage", volume.at(has), "size");
    }
    let modes = |object: &Object| object.view::<Vec<String>>("/spec/accessModes");
    let offered = modes(volume);
    if modes(claim).iter().any(|mode| !offered.contains(mode)) {
        change("spec.accessModes", volume.at("/spec/accessModes"), "access mode");
    }
    let mode = |object: &Object| object.at("/spec/volumeMode").cloned().unwrap_or_else(|| json!("Filesystem"));
    if mode(claim) != mode(volume) {
        change("spec.volumeMode", Some(&mode(volume)), "volume mode");
    }
    if claim.text("/spec/storageClassName") != volume.text("/spec/storageClassName") {
        change("spec.storageClassName", Some(&json!(volume.text("/spec/storageClassName"))), "class");
    }
    Some(out)
}

fn fitted(case: &Case<'_>, volume: &str, (edit, what): (FieldEdit, &str), anew: &str) -> Intent {
    let new =
        edit.new.as_ref().map(|new| new.as_str().map_or_else(|| new.to_string(), str::to_owned)).unwrap_or_default();
    let subject = format!("Ask for the {what} of volume {volume}: {new}");
    case.intent(subject, format!("volume {volume} misses by its {what} alone"), vec![edit], vec![anew.to_owned()])
}

fn no_matching_volume(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let anew = anew(case)?;
    let class = case.text("class");
    let volumes = case.snapshot.kind("PersistentVolume").iter();
    let of_class = volumes.filter(|volume| volume.text("/spec/storageClassName") == class);
    let near: Vec<Intent> = of_class
        .filter_map(|volume| {
            let mut changes = adapt(case, volume)?.into_iter();
            let (first, None) = (changes.next()?, changes.next()) else { return None };
            Some(fitted(case, &volume.metadata.name, first, &anew))
        })
        .collect();
    let hint = "make a volume that fits, or ask for what one has";
    if near.is_empty() {
        let message = format!("{}; a volume is made by a person", case.finding.summary);
        return Err(Refusal::new(refusal::NOT_IN_GIT, message, hint));
    }
    Err(case.ask(case.finding.summary.clone(), hint, near))
}

fn volume_mismatch(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let anew = anew(case)?;
    let name = case.text("volume");
    let hint = "name another volume, or ask for what it has";
    let changes = case.snapshot.find("PersistentVolume", "", name).and_then(|volume| adapt(case, volume));
    match changes.unwrap_or_default().as_slice() {
        [change] if change.1 == "size" => Ok(vec![fitted(case, name, change.clone(), &anew)]),
        [change] => Err(case.ask(case.finding.summary.clone(), hint, vec![fitted(case, name, change.clone(), &anew)])),
        _ => Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint)),
    }
}

/// What the claim asked for before is in the history of Git alone.
fn resize_failed(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (asked, has) = (case.text("asked"), case.text("has"));
    let message = format!("the driver can't grow the volume from {has} to {asked}");
    let hint = format!(
        "ask for more than {has} and less than {asked}, or take the commit back: aifix propose pvc/{} --revert",
        case.target.name
    );
    Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint))
}

fn provisioner_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let provisioner = case.text("provisioner").to_owned();
    let hint = format!("install or repair {provisioner}");
    let anew = match anew(case) {
        Ok(anew) => anew,
        Err(refusal) => return Err(Refusal { hint, ..refusal }),
    };
    let others = case.fact("otherClasses").and_then(Value::as_array).cloned().unwrap_or_default();
    let others: Vec<&str> = others.iter().filter_map(Value::as_str).collect();
    if others.is_empty() {
        return Err(Refusal::new(refusal::NOT_IN_GIT, case.finding.summary.clone(), hint));
    }
    let choices = others.iter().map(|class| {
        let edits = vec![case.set(class_field(), json!(class))];
        let why = "claims of this class are bound here".to_owned();
        case.intent(format!("Use StorageClass {class}"), why, edits, vec![anew.clone()])
    });
    Err(case.ask(case.finding.summary.clone(), &hint, choices.collect()))
}

/// One replica that replaces itself on another node: its old pod must end first.
fn multi_attach(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let node = case.snapshot.find("Node", "", case.text("holderNode"));
    let is_ready = node.is_some_and(|node| node.conditions().iter().any(|c| c.kind == "Ready" && c.status == "True"));
    let Some(object) = case.object.filter(|object| object.kind == "Deployment" && case.is("holderIsOwn") && is_ready)
    else {
        let hint = "free the volume where it is attached: end the pod or the node that has it";
        return Err(Refusal::new(refusal::NOT_IN_GIT, case.finding.summary.clone(), hint));
    };
    if object.int("/spec/replicas").unwrap_or(1) != 1 || case.autoscalers().next().is_some() {
        let hint = "give each replica a volume of its own (a StatefulSet), or one that many nodes can mount";
        return Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint));
    }
    let why = "a rolling update starts the new pod before the old one lets the volume go".to_owned();
    let intent = super::rollout::recreate(case, why);
    Ok(vec![intent])
}
