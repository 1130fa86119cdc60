//! Claims that have a volume and may lose or outgrow it.

use super::observe::{Explains, Observation, key};
use super::row::rows;
use super::storage::{Claim, misbound, misfits, plain};
use super::view::{Settled, View};
use super::volumes::claims;
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::text;

rows! { "storage";
PVC_LOST "pvc-lost" None:
    "the volume of a bound claim is gone";
    "The claim was bound and its PersistentVolume was deleted. Pods that run go on; new ones can't start.";
    "claim phase Lost, event ClaimLost.";
    "A PersistentVolume that was deleted by hand.";
    "A decision about data: nothing is changed. Restore the volume, or delete the claim to begin with an empty one.".
PVC_TERMINATING_IN_USE "pvc-terminating-in-use" None:
    "a claim that pods use was deleted";
    "It stays until the last pod that mounts it ends; then the claim goes, and with reclaim policy Delete the data \
     with it.";
    "deletionTimestamp on a claim with the finalizer kubernetes.io/pvc-protection and pods that mount it.";
    "A delete of a release or namespace, a clean-up of the wrong claim.";
    "A deletion can't be taken back. To keep the data set the volume's reclaim policy to Retain before the pods stop.".
PV_RELEASED "pv-released" None:
    "a volume that would fit is still reserved for a claim that is gone";
    "A volume with policy Retain keeps its claimRef when its claim is deleted, so that nothing binds it by accident.";
    "PersistentVolume phase Released or Failed while a pending claim of its class would fit.";
    "A claim that was deleted and made anew.";
    "By hand: clear spec.claimRef of the volume after a look at the data.".
PVC_RESIZE_FAILED "pvc-resize-failed" Ask:
    "the volume of a claim can't be made larger";
    "The request was raised and the driver or the node can't grow the volume.";
    "condition ControllerResizeError or NodeResizeError, a resize status Infeasible, event VolumeResizeFailed.";
    "A size above what the driver offers, a class that does not allow it.";
    "A person chooses: a size that the driver takes, and more than the volume has, for it never shrinks.".
PVC_FS_RESIZE_PENDING "pvc-fs-resize-pending" None:
    "a grown volume waits for a pod to grow its file system";
    "The volume is larger already; its file system grows when a pod mounts it.";
    "condition FileSystemResizePending for over ten minutes and no pod that mounts the claim.";
    "A workload that is scaled to zero.";
    "Nothing to change: it is done when a pod starts.".
}

pub(crate) fn observe(claim: &Claim<'_, '_>) -> Vec<Observation> {
    [lost(claim), terminating(claim), resize(claim)].into_iter().flatten().collect()
}

fn lost(claim: &Claim<'_, '_>) -> Option<Observation> {
    if claim.object.text("/status/phase") != "Lost" {
        return None;
    }
    if let Some(misbound) = misbound(claim) {
        return Some(misbound);
    }
    let volume = claim.object.text("/spec/volumeName");
    let summary = format!("volume {volume} of claim {} is gone, and the data with it", claim.name());
    let mut seen = claim.observation(&PVC_LOST, summary, claim.last("ClaimLost"));
    // What runs goes on; what restarts is lost.
    seen.severity = Some(Severity::Error);
    seen.show(Source::Spec, None, &format!("volumeName: {volume}"), Some(Path::of("spec.volumeName")));
    Some(seen)
}

/// Names of pods that mount a claim and are not done.
fn users(view: &View<'_>, claim: &Object) -> Vec<String> {
    let here = view.snapshot.pods.iter().filter(|pod| pod.metadata.namespace == claim.metadata.namespace);
    let live = here.filter(|pod| !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed"));
    let mut names: Vec<String> = live
        .filter(|pod| claims(pod).iter().any(|(_, name)| *name == claim.metadata.name))
        .map(|pod| pod.metadata.name.clone())
        .collect();
    names.sort();
    names
}

fn terminating(claim: &Claim<'_, '_>) -> Option<Observation> {
    let deleted = claim.object.metadata.deletion_timestamp?;
    let protected = claim.object.metadata.finalizers.iter().any(|name| name == "kubernetes.io/pvc-protection");
    let pods = users(claim.view, claim.object);
    if !protected || pods.is_empty() {
        return None;
    }
    let summary = format!("claim {} was deleted and goes when {} no longer mounts it", claim.name(), text::and(&pods));
    let mut seen = claim.observation(&PVC_TERMINATING_IN_USE, summary, None);
    seen.since = Some(deleted);
    seen.show(Source::Status, Some(deleted), "it is being deleted", Some(Path::of("metadata.deletionTimestamp")));
    let volume = claim.view.snapshot.find("PersistentVolume", "", claim.object.text("/spec/volumeName"));
    if let Some(volume) = volume {
        let policy = volume.text("/spec/persistentVolumeReclaimPolicy");
        seen.show(Source::Spec, None, &format!("reclaim policy of volume {}: {policy}", volume.metadata.name), None);
        seen.fact("reclaimPolicy", policy);
    }
    seen.fact("pods", pods);
    Some(seen)
}

fn resize(claim: &Claim<'_, '_>) -> Option<Observation> {
    let conditions = claim.object.conditions();
    let failed = conditions
        .iter()
        .find(|c| matches!(c.kind.as_str(), "ControllerResizeError" | "NodeResizeError") && c.status == "True");
    let status = claim.object.text("/status/allocatedResourceStatuses/storage");
    let sizes = [("/spec/resources/requests/storage", "asked"), ("/status/capacity/storage", "has")];
    let [asked, has] = sizes.map(|(pointer, _)| claim.object.at(pointer).map(plain).unwrap_or_default());
    let event = claim.last("VolumeResizeFailed").filter(|_| asked != has);
    if failed.is_some() || status.ends_with("Infeasible") || event.is_some() {
        let summary = format!("claim {} can't grow from {has} to {asked}", claim.name());
        let mut seen = claim.observation(&PVC_RESIZE_FAILED, summary, event);
        if let Some(failed) = failed {
            let text = format!("{}: {}", failed.kind, failed.message);
            seen.show(Source::Status, failed.last_transition_time.0, &text, None);
        }
        let path = Path::of("spec.resources.requests.storage");
        seen.show(Source::Spec, None, &format!("requests.storage: {asked}"), Some(path));
        seen.fact("asked", asked);
        seen.fact("has", has);
        return Some(seen);
    }
    let pending = conditions.iter().find(|c| c.kind == "FileSystemResizePending" && c.status == "True")?;
    let late = claim.view.settled(pending.last_transition_time.0, 600) == Settled::Yes;
    (late && users(claim.view, claim.object).is_empty()).then(|| {
        let summary = format!("claim {} grows to {asked} when a pod mounts it", claim.name());
        let mut seen = claim.observation(&PVC_FS_RESIZE_PENDING, summary, None);
        seen.severity = Some(Severity::Info);
        seen
    })
}

/// Volumes that a pending claim could have, were they not reserved for a claim that is gone.
pub(crate) fn released(view: &View<'_>) -> Vec<Observation> {
    let pending = || {
        let claims = view.snapshot.kind("PersistentVolumeClaim").iter();
        claims.filter(|claim| claim.text("/status/phase") == "Pending")
    };
    let volumes = view.snapshot.kind("PersistentVolume").iter();
    volumes
        .filter(|volume| matches!(volume.text("/status/phase"), "Released" | "Failed"))
        .filter_map(|volume| {
            let class = volume.text("/spec/storageClassName");
            let fits = |claim: &&Object| {
                let only_reserved = misfits(claim, volume).iter().all(|why| why.starts_with("is reserved"));
                claim.text("/spec/storageClassName") == class && only_reserved
            };
            let claim = pending().find(fits)?;
            let (name, holder) = (&volume.metadata.name, volume.text("/spec/claimRef/name"));
            let mut seen = Observation::of_object(&PV_RELEASED, volume.object());
            seen.summary =
                format!("volume {name} would fit claim {} and is reserved for {holder}", claim.metadata.name);
            seen.show(Source::Spec, None, &format!("claimRef: {holder}"), Some(Path::of("spec.claimRef")));
            seen.severity = Some(Severity::Warning);
            seen.confidence = Confidence::Strong;
            seen.since = claim.metadata.creation_timestamp;
            seen.explains.push(Explains {
                key: key(&claim.object()),
                codes: &["pvc-no-matching-volume", "pvc-no-class", "storageclass-missing"],
            });
            Some(seen)
        })
        .collect()
}
