//! Claims that have no volume.

use super::bound;
use super::observe::Observation;
use super::row::rows;
use super::view::View;
use super::volumes::claims;
use super::workload::Consequence;
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Event, Object};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::quantity::Quantity;
use crate::text;
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

rows! { "storage";
STORAGECLASS_MISSING "storageclass-missing" Rule:
    "a claim names a StorageClass that does not exist";
    "Nothing makes a volume for the claim, because its class is not in the cluster and no volume carries that class \
     name.";
    "event ProvisioningFailed on the claim with `storageclass.storage.k8s.io \"C\" not found`; the list of classes.";
    "A mistyped name, a manifest from another cluster or cloud.";
    "When exactly one class differs by a typo, or the cluster has only one, it is set for a person to review. The \
     spec of a claim can't be changed: the pending claim, which holds nothing, must be deleted to be made anew.".
PVC_NO_CLASS "pvc-no-class" Rule:
    "a claim has no storage class and no volume fits it";
    "The claim names no class, or explicitly none, and the cluster has no default class that would make a volume.";
    "event FailedBinding on the claim with `no storage class is set`.";
    "A cluster without a default class, a class that was set to the empty string.";
    "When the class is unset and the cluster has exactly one, it is set for a person to review; the pending claim \
     must be deleted to be made anew. Otherwise a person chooses.".
PVC_NO_MATCHING_VOLUME "pvc-no-matching-volume" Ask:
    "no existing volume fits a claim";
    "The claim can only be bound to a volume that somebody made, and each one differs in size, access mode, class, \
     mode, labels or is taken.";
    "claim Pending with class `\"\"` or a class name that only volumes carry; the volumes and why each does not fit.";
    "A claim that asks for more than the volume has, another access mode, a volume that is still claimed.";
    "A volume that misses by one property is named for a person to choose.".
PVC_VOLUME_NAME_MISMATCH "pvc-volume-name-mismatch" Rule:
    "the volume that a claim names does not fit it";
    "spec.volumeName asks for one volume, and its size, access mode, volume mode or class is not what the claim asks \
     for.";
    "event VolumeMismatch on the claim with `Cannot bind to requested volume \"V\": WHY`.";
    "A claim that asks for more than the named volume has, a class on one side only.";
    "When only the size differs, the request is set to the capacity of the volume for a person to review; the pending \
     claim must be deleted to be made anew.".
PROVISIONER_MISSING "provisioner-missing" Ask:
    "nothing makes the volume that a claim waits for";
    "The class of the claim is served by an external provisioner, and it has not answered for minutes: it probably \
     does not run.";
    "event ExternalProvisioning on the claim for over two minutes and no ProvisioningFailed.";
    "A storage driver that is not installed or is down, a provisioner name that nobody serves.";
    "Not in the workload: install or repair the driver. When claims of other classes are bound, they are named for a \
     person to choose.".
PROVISIONING_FAILED "provisioning-failed" Model:
    "the storage driver can't make the volume of a claim";
    "The provisioner answered with an error: a limit of the cloud account, a zone, a parameter of the class.";
    "event ProvisioningFailed on the claim with `failed to provision volume with StorageClass \"C\"`, or another text \
     than that of a missing class.";
    "A quota of the provider, a zone without capacity, an invalid parameter.";
    "Needs judgement: the message is the driver's own. The class's parameters can't be changed in place.".
PVC_WAITS_FOR_CONSUMER "pvc-waits-for-consumer" None:
    "a claim waits for its pod to be placed";
    "The class binds volumes only once a pod that uses them has a node.";
    "event WaitForFirstConsumer or WaitForPodScheduled on the claim, and a pod that mounts it is Pending.";
    "Whatever keeps the pod from being placed.";
    "An effect: what keeps the pod from being placed is what to fix.".
PVC_MISBOUND "pvc-misbound" Ask:
    "two claims are bound to one volume";
    "Only one of the two is the volume's claim; this one is bound incorrectly and can't be used.";
    "claim phase Lost while its volume is there, bound to another claim; event ClaimMisbound.";
    "Two claims with the same volumeName.";
    "A person chooses which claim keeps the volume: save its data, then make the other claim anew under a name \
     of its own.".
}

static NO_CLASS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"storageclass\.storage\.k8s\.io "([^"]+)" not found"#).ok());
static MISMATCH: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"Cannot bind to requested volume "([^"]+)": (.+)$"#).ok());
static EXTERNAL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"external provisioner '([^']+)'").ok());
static FAILED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?s)failed to provision volume with StorageClass "([^"]+)": (.+)$"#).ok());

/// An external provisioner gets this long.
const PROVISIONING: i64 = 120;

/// One claim and its events.
pub(crate) struct Claim<'v, 's> {
    pub view: &'v View<'s>,
    pub object: &'s Object,
    pub events: &'v [&'s Event],
}

impl<'s> Claim<'_, 's> {
    pub(crate) fn name(&self) -> &'s str {
        &self.object.metadata.name
    }

    /// The class it names: `None` is unset, `""` is none by intent.
    fn class(&self) -> Option<&'s str> {
        self.object.at("/spec/storageClassName").and_then(Value::as_str)
    }

    pub(crate) fn last(&self, reason: &str) -> Option<&'s Event> {
        self.events.iter().rev().copied().find(|event| event.reason == reason)
    }

    /// A finding with the claim's own field as evidence. Alone it stalls nothing: what mounts it counts.
    pub(crate) fn observation(&self, code: &'static CodeInfo, summary: String, event: Option<&Event>) -> Observation {
        let mut seen = Observation::of_object(code, self.object.object());
        seen.summary = summary;
        seen.severity = Some(Severity::Warning);
        seen.since = event.and_then(Event::first_seen).or(self.object.metadata.creation_timestamp);
        if let Some(event) = event {
            seen.show_event(event);
        }
        if let Some(class) = self.class() {
            let path = Path::of("spec.storageClassName");
            seen.show(Source::Spec, None, &format!("storageClassName: {class}"), Some(path));
        }
        seen.fact("class", self.class());
        seen.fact("phase", self.object.text("/status/phase"));
        if let Some(owner) = template_owner(self.view, self.object) {
            seen.show(
                Source::Spec,
                None,
                &format!("the claim is made by {owner}, whose claim templates can't be changed"),
                None,
            );
            seen.fact("owner", owner.to_string());
        }
        seen
    }
}

/// The StatefulSet whose claim template made this claim: `TEMPLATE-SET-N`.
fn template_owner(view: &View<'_>, claim: &Object) -> Option<ObjectRef> {
    let (base, ordinal) = claim.metadata.name.rsplit_once('-')?;
    ordinal.parse::<u32>().ok()?;
    let sets = view.snapshot.kind("StatefulSet").iter();
    let mut here = sets.filter(|set| set.metadata.namespace == claim.metadata.namespace);
    let made_by = |set: &&Object| {
        let templates: Vec<Value> = set.view("/spec/volumeClaimTemplates");
        let names = templates.iter().filter_map(|one| one.pointer("/metadata/name")?.as_str());
        names.into_iter().any(|name| base == format!("{name}-{}", set.metadata.name))
    };
    here.find(made_by).map(Object::object)
}

type Look = fn(&Claim<'_, '_>) -> Option<Observation>;

/// What keeps a pending claim from being bound, the most exact first.
const PENDING: [Look; 6] = [mismatch, provisioning_failed, class_missing, no_matching_volume, no_class, provisioner];

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for object in view.snapshot.kind("PersistentVolumeClaim") {
        let claim = Claim { view, object, events: view.events(&object.metadata.uid) };
        if object.text("/status/phase") == "Pending" && object.metadata.deletion_timestamp.is_none() {
            out.extend(PENDING.iter().find_map(|look| look(&claim)));
        }
        out.extend(bound::observe(&claim));
    }
    out.extend(bound::released(view));
    out
}

fn classes<'s>(view: &View<'s>) -> BTreeSet<&'s str> {
    view.snapshot.kind("StorageClass").iter().map(|class| class.metadata.name.as_str()).collect()
}

fn volumes_of_class<'s>(view: &View<'s>, class: &str) -> Vec<&'s Object> {
    let volumes = view.snapshot.kind("PersistentVolume").iter();
    volumes.filter(|volume| volume.text("/spec/storageClassName") == class).collect()
}

fn class_missing(claim: &Claim<'_, '_>) -> Option<Observation> {
    let event = claim.last("ProvisioningFailed");
    let named = event.and_then(|event| Some(NO_CLASS.as_ref()?.captures(event.text())?.get(1)?.as_str()));
    let classes = classes(claim.view);
    // Events live an hour: the list of classes tells it as well.
    let listed = || claim.class().filter(|class| !class.is_empty() && !classes.is_empty() && !classes.contains(class));
    let name = named.or_else(listed)?;
    // The same event is printed when volumes of that class name are bound by hand.
    if classes.contains(name) || !volumes_of_class(claim.view, name).is_empty() {
        return None;
    }
    let summary = match text::nearest(name, classes.iter().copied()) {
        Some(near) => format!("StorageClass {name} of claim {} does not exist; {near} does", claim.name()),
        None => format!("StorageClass {name} of claim {} does not exist", claim.name()),
    };
    let mut seen = claim.observation(&STORAGECLASS_MISSING, summary, event);
    seen.shared = Some(ObjectRef::new("storage.k8s.io/v1", "StorageClass", "", name));
    seen.fact("missing", name);
    seen.fact("object", format!("StorageClass/{name}"));
    seen.fact("existing", classes.into_iter().collect::<Vec<_>>());
    Some(seen)
}

fn no_class(claim: &Claim<'_, '_>) -> Option<Observation> {
    let event = claim.last("FailedBinding").filter(|event| event.text().contains("no storage class is set"))?;
    let classes = classes(claim.view);
    let explicit = claim.class() == Some("");
    let why = if explicit { "asks for no class" } else { "names no class, and there is no default one" };
    let summary = format!("claim {} {why}; no existing volume fits it", claim.name());
    let mut seen = claim.observation(&PVC_NO_CLASS, summary, Some(event));
    if explicit || classes.len() > 1 {
        seen.class = FixClass::Ask;
    }
    seen.fact("existing", classes.into_iter().collect::<Vec<_>>());
    seen.settle(claim.view.settled(claim.object.metadata.creation_timestamp, 60))
}

fn no_matching_volume(claim: &Claim<'_, '_>) -> Option<Observation> {
    let class = claim.class()?;
    if classes(claim.view).contains(class) {
        return None;
    }
    let volumes = volumes_of_class(claim.view, class);
    if volumes.is_empty() {
        return None;
    }
    let why: Vec<(&str, Vec<String>)> =
        volumes.iter().map(|volume| (volume.metadata.name.as_str(), misfits(claim.object, volume))).collect();
    // A volume that fits will be bound in a moment.
    if why.iter().any(|(_, misfits)| misfits.is_empty()) {
        return None;
    }
    let shown: Vec<String> = why.iter().take(3).map(|(name, why)| format!("{name} ({})", text::and(why))).collect();
    let summary = format!("no volume fits claim {}: {}", claim.name(), shown.join(", "));
    let mut seen = claim.observation(&PVC_NO_MATCHING_VOLUME, summary, claim.events.last().copied());
    for (name, why) in &why {
        seen.show(Source::Status, None, &format!("PersistentVolume {name}: {}", text::and(why)), None);
    }
    seen.fact("volumes", why.iter().map(|(name, why)| json!({"name": name, "misfits": why})).collect::<Vec<_>>());
    seen.settle(claim.view.settled(claim.object.metadata.creation_timestamp, 60))
}

/// Why a volume can't be bound to a claim.
pub(crate) fn misfits(claim: &Object, volume: &Object) -> Vec<String> {
    let mut out = Vec::new();
    let quantity = |object: &Object, pointer: &str| object.at(pointer).and_then(Quantity::of);
    let shown = |object: &Object, pointer: &str| object.at(pointer).map_or_else(String::new, plain);
    let (wanted, has) = ("/spec/resources/requests/storage", "/spec/capacity/storage");
    if quantity(claim, wanted) > quantity(volume, has) {
        out.push(format!("has {}, {} are wanted", shown(volume, has), shown(claim, wanted)));
    }
    let modes = |object: &Object| object.view::<Vec<String>>("/spec/accessModes");
    let offered = modes(volume);
    for mode in modes(claim).iter().filter(|mode| !offered.contains(mode)) {
        out.push(format!("does not offer {mode}"));
    }
    let mode = |object: &Object| object.at("/spec/volumeMode").map_or_else(|| "Filesystem".to_owned(), plain);
    if mode(claim) != mode(volume) {
        out.push(format!("is of volume mode {}", mode(volume)));
    }
    let labels: std::collections::BTreeMap<String, String> = claim.view("/spec/selector/matchLabels");
    if labels.iter().any(|(key, value)| volume.metadata.labels.get(key) != Some(value)) {
        out.push("does not have the selected labels".to_owned());
    }
    let holder = volume.at("/spec/claimRef");
    let is_own = holder.is_some_and(|holder| {
        let text = |name: &str| holder.get(name).and_then(Value::as_str).unwrap_or_default();
        text("name") == claim.metadata.name
            && text("namespace") == claim.metadata.namespace
            && (text("uid").is_empty() || text("uid") == claim.metadata.uid)
    });
    if let Some(name) = holder.and_then(|holder| holder.get("name")?.as_str()).filter(|_| !is_own) {
        out.push(format!("is reserved for claim {name}"));
    }
    out
}

pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn mismatch(claim: &Claim<'_, '_>) -> Option<Observation> {
    let event = claim.last("VolumeMismatch")?;
    let found = MISMATCH.as_ref()?.captures(event.text())?;
    let (volume, why) = (found.get(1)?.as_str(), found.get(2)?.as_str());
    let mut summary = format!("claim {} can't have volume {volume}: {why}", claim.name());
    let object = claim.view.snapshot.find("PersistentVolume", "", volume);
    let misfits = object.map(|object| misfits(claim.object, object)).unwrap_or_default();
    if !misfits.is_empty() {
        summary = format!("claim {} can't have volume {volume}: it {}", claim.name(), text::and(&misfits));
    }
    let mut seen = claim.observation(&PVC_VOLUME_NAME_MISMATCH, summary, Some(event));
    seen.show(Source::Spec, None, &format!("volumeName: {volume}"), Some(Path::of("spec.volumeName")));
    let capacity = object.and_then(|object| object.at("/spec/capacity/storage")).cloned();
    if why.contains("too small") {
        let asked = claim.object.at("/spec/resources/requests/storage").map(plain).unwrap_or_default();
        let path = Path::of("spec.resources.requests.storage");
        seen.show(Source::Spec, None, &format!("requests.storage: {asked}"), Some(path));
    }
    seen.fact("volume", volume);
    seen.fact("why", why);
    seen.fact("capacity", capacity);
    Some(seen)
}

fn provisioner(claim: &Claim<'_, '_>) -> Option<Observation> {
    let event = claim.last("ExternalProvisioning")?;
    let name = EXTERNAL.as_ref()?.captures(event.text())?.get(1)?.as_str();
    let summary = format!("provisioner {name} has not made a volume for claim {}", claim.name());
    let mut seen = claim.observation(&PROVISIONER_MISSING, summary, Some(event));
    let drivers = claim.view.snapshot.kind("CSIDriver");
    if !drivers.is_empty() {
        let there = drivers.iter().any(|driver| driver.metadata.name == name);
        let is = if there { "is registered" } else { "is not registered" };
        seen.show(Source::Status, None, &format!("CSIDriver {name} {is}"), None);
        seen.fact("driver", there);
    }
    let others: BTreeSet<&str> = claim
        .view
        .snapshot
        .kind("PersistentVolumeClaim")
        .iter()
        .filter(|other| other.text("/status/phase") == "Bound")
        .map(|other| other.text("/spec/storageClassName"))
        .filter(|class| !class.is_empty() && Some(*class) != claim.class())
        .collect();
    if others.is_empty() {
        seen.class = FixClass::None;
    }
    seen.shared = claim.class().map(|class| ObjectRef::new("storage.k8s.io/v1", "StorageClass", "", class));
    seen.fact("provisioner", name);
    seen.fact("otherClasses", others.into_iter().collect::<Vec<_>>());
    seen.settle(claim.view.settled(event.first_seen(), PROVISIONING))
}

fn provisioning_failed(claim: &Claim<'_, '_>) -> Option<Observation> {
    let event = claim.last("ProvisioningFailed")?;
    if NO_CLASS.as_ref()?.is_match(event.text()) {
        return None;
    }
    let (class, error) = match FAILED.as_ref()?.captures(event.text()) {
        Some(found) => (found.get(1)?.as_str(), found.get(2)?.as_str().trim()),
        None => (claim.class()?, event.text().trim()),
    };
    let summary = format!("no volume of class {class} for claim {}: {}", claim.name(), text::clip(error, 160));
    let mut seen = claim.observation(&PROVISIONING_FAILED, summary, Some(event));
    if !error.to_lowercase().contains("parameter") {
        seen.class = FixClass::None;
    }
    seen.shared = Some(ObjectRef::new("storage.k8s.io/v1", "StorageClass", "", class));
    seen.fact("error", error);
    Some(seen)
}

/// A Lost claim whose volume is there and another's.
pub(crate) fn misbound(claim: &Claim<'_, '_>) -> Option<Observation> {
    let volume = claim.object.text("/spec/volumeName");
    let found = claim.view.snapshot.find("PersistentVolume", "", volume);
    let (holder, uid) = found.map_or(("", ""), |one| (one.text("/spec/claimRef/name"), one.text("/spec/claimRef/uid")));
    let is_own = holder == claim.name() && (uid.is_empty() || uid == claim.object.metadata.uid);
    let event = claim.last("ClaimMisbound");
    if is_own || (holder.is_empty() && (event.is_none() || claim.last("ClaimLost").is_some())) {
        return None;
    }
    let other = if holder.is_empty() { "another claim".to_owned() } else { format!("claim {holder}") };
    let summary = format!("claim {} can't have volume {volume}, which is bound to {other}", claim.name());
    let mut seen = claim.observation(&PVC_MISBOUND, summary, event);
    seen.show(Source::Spec, None, &format!("volumeName: {volume}"), Some(Path::of("spec.volumeName")));
    seen.fact("holder", holder);
    Some(seen)
}

/// Claims that wait for their pods, which wait for something else.
pub(crate) fn consequences(view: &View<'_>) -> Vec<Consequence> {
    let waits = |claim: &&Object| {
        let last = view.events(&claim.metadata.uid).last();
        claim.text("/status/phase") == "Pending"
            && last.is_some_and(|event| matches!(event.reason.as_str(), "WaitForFirstConsumer" | "WaitForPodScheduled"))
    };
    let pending = view.snapshot.kind("PersistentVolumeClaim").iter().filter(waits);
    pending
        .filter_map(|claim| {
            let mounts = |pod: &&&crate::model::kube::Pod| {
                claims(pod).iter().any(|(_, name)| *name == claim.metadata.name) && pod.status.phase == "Pending"
            };
            let here = view.workloads.iter().filter(|w| w.top.namespace() == claim.metadata.namespace);
            let follows: Vec<String> =
                here.filter(|w| w.pods.iter().any(|pod| mounts(&pod))).map(|w| w.key.clone()).collect();
            (!follows.is_empty()).then(|| Consequence {
                code: &PVC_WAITS_FOR_CONSUMER,
                object: claim.object(),
                follows,
                container: None,
                summary: format!("claim {} waits for its pod to be placed", claim.metadata.name),
            })
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
#[path = "storage_tests.rs"]
mod tests;
