//! Volumes that can't be attached to a node or mounted there.

use super::observe::{Explains, Observation, named};
use super::row::rows;
use super::view::{Subject, View};
use super::volumes::claims;
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Confidence, Source};
use crate::model::kube::Event;
use crate::model::object::ObjectRef;
use crate::text;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

rows! { "storage";
CSI_DRIVER_MISSING "csi-driver-missing" None:
    "the storage driver of a volume does not run";
    "A volume of this driver has to be attached or mounted, and no part of the driver answers: on the node, or in the \
     cluster.";
    "event FailedAttachVolume with `timed out waiting for external-attacher of D CSI driver`; `driver name D not \
     found in the list of registered CSI drivers`.";
    "A driver that is not installed or is down, a node plugin that does not tolerate the node's taints.";
    "Ask who runs the cluster to install or repair the driver: `kubectl get csidrivers,daemonsets -A` shows which \
     run.".
VOLUME_MULTI_ATTACH "volume-multi-attach" Rule:
    "a volume for one node is still attached to another";
    "A ReadWriteOnce volume can be attached to one node at a time, and a pod on another node has it.";
    "event FailedAttachVolume with `Multi-Attach error for volume`.";
    "A rolling update that starts the new pod on another node, replicas on several nodes, a node that is lost.";
    "When the old pod of the same Deployment with one replica and no autoscaler has it on a healthy node, strategy \
     Recreate is set for a person to review: every rollout then has a gap. Otherwise nothing is changed.".
VOLUME_MOUNT_FAILED "volume-mount-failed" Model:
    "a volume can't be mounted on its node";
    "The node has the volume and the mount fails: the server does not answer, the file system is of another type, a \
     path is not there.";
    "event FailedMount with `MountVolume.SetUp failed`, `MountVolume.MountDevice failed` or `path \"P\" does not \
     exist`.";
    "A file server that is down or refuses, a wrong path or file system type, a local path that was removed.";
    "Needs judgement: the output of the mount command is the evidence. Nothing is changed by rule.".
VOLUME_TIMEOUT "volume-timeout" None:
    "volumes of a pod are not ready in time";
    "The kubelet gave up waiting and tries again. It follows another failure, whose event may be gone.";
    "event FailedMount with `timed out waiting for the condition`, and no other reason for the pod.";
    "A claim, an attachment or a mount that fails; its own event says which.";
    "An effect: what keeps the volume from being ready is what to fix.".
MOUNT_CACHE_SYNC "mount-cache-sync" None:
    "the kubelet can't read what a volume is made of";
    "For a moment after a pod is placed the kubelet may not know its ConfigMaps yet. It is harmless unless it lasts.";
    "event FailedMount with `failed to sync configmap cache` or `secret cache` for over two minutes.";
    "A kubelet that can't reach the API server.";
    "Ask who runs the node: its kubelet does not reach the API server (`kubectl describe node NAME`).".
VOLUME_TOKEN_FAILED "volume-token-failed" None:
    "a pod gets no token for its ServiceAccount";
    "The token volume of the pod can't be filled, because the account is gone or the API refuses a token.";
    "event FailedMount for kube-api-access-* with `failed to fetch token` or `serviceaccounts \"X\" not found`.";
    "A ServiceAccount that was deleted after the pod was made.";
    "An effect: the missing ServiceAccount is what to fix.".
VOLUME_FULL "volume-full" Ask:
    "a volume is full";
    "The program can't write to its volume because no space is left.";
    "a log line with `No space left on device` and a path below a mounted claim.";
    "Data that grew, logs or temporary files on the volume, a volume that was sized for less.";
    "A person chooses: a larger request when the class allows it (a volume can't shrink), or less data.".
}

static ATTACHER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"volume "([^"]+)" : timed out waiting for external-attacher of (\S+) CSI driver"#).ok()
});
static UNREGISTERED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"driver name (\S+) not found in the list of registered CSI drivers").ok());
static MULTI: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"Multi-Attach error for volume "([^"]+)" (.+)$"#).ok());
static HOLDER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"already used by pod\(s\) ([^\s,]+)").ok());
static MOUNT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?s)MountVolume\.(SetUp|MountDevice|NewMounter initialization) failed for volume "([^"]+)" : (.+)$"#)
        .ok()
});
static OUTPUT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?s)Output: (.+?)(?:\n\n|$)").ok());
static NO_PATH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"path "([^"]+)" does not exist"#).ok());
static UNMOUNTED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"unmounted volumes=\[([^\]]*)\]").ok());
static FULL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?:no space left on device|ENOSPC|disk quota exceeded)").ok());

/// A volume gets this long, or two tries.
const SETTLING: i64 = 30;

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let starting = view.subjects().filter(|subject| {
        let statuses = subject.pod.status.init_container_statuses.iter().chain(&subject.pod.status.container_statuses);
        let waits = |reason: &str| matches!(reason, "ContainerCreating" | "PodInitializing");
        statuses.into_iter().any(|s| s.state.waiting.as_ref().is_some_and(|w| waits(&w.reason)))
    });
    starting.filter_map(mount).chain(view.subjects().filter_map(full)).collect()
}

/// The newest event that says why; what merely says "not yet" only when there is nothing else.
fn mount(subject: Subject<'_, '_>) -> Option<Observation> {
    let events = subject.view.events(&subject.pod.metadata.uid);
    let failing = |event: &&&Event| matches!(event.reason.as_str(), "FailedMount" | "FailedAttachVolume");
    let all: Vec<&Event> = events.iter().filter(failing).copied().collect();
    let looks: [fn(Subject<'_, '_>, &Event) -> Option<Observation>; 4] = [driver, multi_attach, token, mounting];
    let exact = looks.iter().find_map(|look| all.iter().rev().find_map(|event| Some((look(subject, event)?, *event))));
    if let Some((seen, event)) = exact {
        let tries: i64 = all.iter().map(|event| event.times()).fold(0, i64::saturating_add);
        let settled = subject.view.settled(event.first_seen(), SETTLING);
        return if tries >= 2 { Some(seen) } else { seen.settle(settled) };
    }
    // Any other failed mount has a code of its own: a missing ConfigMap, a file of another type.
    let only_waits = |event: &&Event| event.text().contains("timed out waiting for the condition");
    all.iter().all(only_waits).then(|| all.last()).flatten().and_then(|event| waiting(subject, event))
}

fn base(subject: Subject<'_, '_>, code: &'static CodeInfo, event: &Event, summary: String) -> Observation {
    let mut seen = Observation::of_workload(code, subject.workload);
    seen.pod = Some(subject.pod.metadata.name.clone());
    seen.since = event.first_seen();
    seen.summary = summary;
    seen.message = code.name.to_owned();
    seen.show_event(event);
    let namespace = &subject.pod.metadata.namespace;
    seen.follows.extend(claims(subject.pod).iter().map(|(_, name)| named("PersistentVolumeClaim", namespace, name)));
    seen
}

fn driver(subject: Subject<'_, '_>, event: &Event) -> Option<Observation> {
    let attacher = ATTACHER.as_ref()?.captures(event.text()).and_then(|found| found.get(2));
    let unregistered = UNREGISTERED.as_ref()?.captures(event.text()).and_then(|found| found.get(1));
    let name = attacher.or(unregistered)?.as_str();
    let place = if attacher.is_some() { "in the cluster" } else { "on the node of the pod" };
    let mut seen = base(subject, &CSI_DRIVER_MISSING, event, format!("storage driver {name} does not run {place}"));
    let drivers = subject.view.snapshot.kind("CSIDriver");
    if !drivers.is_empty() {
        let there = drivers.iter().any(|driver| driver.metadata.name == name);
        let is = if there { "is registered" } else { "is not registered" };
        seen.show(Source::Status, None, &format!("CSIDriver {name} {is}"), None);
    }
    seen.shared = Some(ObjectRef::new("storage.k8s.io/v1", "CSIDriver", "", name));
    seen.fact("driver", name);
    seen.fact("node", subject.pod.spec.node_name.as_str());
    Some(seen)
}

fn multi_attach(subject: Subject<'_, '_>, event: &Event) -> Option<Observation> {
    let found = MULTI.as_ref()?.captures(event.text())?;
    let (volume, rest) = (found.get(1)?.as_str(), found.get(2)?.as_str());
    let holder = HOLDER.as_ref()?.captures(rest).and_then(|found| found.get(1)).map(|name| name.as_str());
    let by = holder.map_or_else(|| "another node".to_owned(), |name| format!("pod {name}"));
    let summary = format!("volume {volume} is for one node and still in use by {by}");
    let mut seen = base(subject, &VOLUME_MULTI_ATTACH, event, summary);
    let namespace = &subject.pod.metadata.namespace;
    let pods = subject.view.snapshot.pods.iter();
    let pod = pods.clone().find(|pod| pod.metadata.namespace == *namespace && holder == Some(&pod.metadata.name));
    if let Some(pod) = pod {
        seen.follows.push(named("Node", "", &pod.spec.node_name));
        let own = subject.workload.pods.iter().any(|other| other.metadata.uid == pod.metadata.uid);
        seen.fact("holderIsOwn", own);
        seen.fact("holderNode", pod.spec.node_name.as_str());
    } else {
        seen.class = FixClass::None;
    }
    seen.fact("volume", volume);
    seen.fact("holder", holder);
    Some(seen)
}

fn token(subject: Subject<'_, '_>, event: &Event) -> Option<Observation> {
    let text = event.text();
    let is_token = text.contains("kube-api-access-")
        && (text.contains("failed to fetch token") || text.contains("serviceaccounts \""));
    is_token.then(|| {
        let account = match subject.pod.spec.service_account_name.as_str() {
            "" => "default",
            name => name,
        };
        let summary = format!("the pod gets no token for ServiceAccount {account}");
        let mut seen = base(subject, &VOLUME_TOKEN_FAILED, event, summary);
        seen.follows.push(named("ServiceAccount", &subject.pod.metadata.namespace, account));
        seen
    })
}

fn mounting(subject: Subject<'_, '_>, event: &Event) -> Option<Observation> {
    let found = MOUNT.as_ref()?.captures(event.text())?;
    let (step, volume, why) = (found.get(1)?.as_str(), found.get(2)?.as_str(), found.get(3)?.as_str().trim());
    let path = NO_PATH.as_ref()?.captures(why).and_then(|found| found.get(1)).map(|path| path.as_str());
    let is_mount = why.contains("mount failed") || step == "MountDevice" || (path.is_some() && step != "SetUp");
    if !is_mount || why.contains("hostPath type check failed") {
        return None;
    }
    let output = OUTPUT.as_ref()?.captures(why).and_then(|found| found.get(1)).map(|output| output.as_str().trim());
    let last = output.unwrap_or(why).lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let said = path.map_or_else(|| text::clip(last, 140), |path| format!("path {path} does not exist"));
    let summary = format!("volume {volume} can't be mounted: {said}");
    let mut seen = base(subject, &VOLUME_MOUNT_FAILED, event, summary);
    let spec = subject.pod.spec.volumes.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(volume));
    let kind = spec.and_then(Value::as_object).and_then(|map| map.keys().find(|key| *key != "name")).cloned();
    if let Some(kind) = &kind {
        let path = subject.workload.spec_path().field("volumes").item(volume).field(kind);
        seen.show(Source::Spec, None, &format!("volume {volume} is of type {kind}"), Some(path));
    }
    seen.fact("volume", volume);
    seen.fact("type", kind);
    Some(seen)
}

fn waiting(subject: Subject<'_, '_>, event: &Event) -> Option<Observation> {
    let text = event.text();
    if text.contains("failed to sync configmap cache") || text.contains("failed to sync secret cache") {
        let summary = "the kubelet can't read what the volumes of the pod are made of".to_owned();
        let seen = base(subject, &MOUNT_CACHE_SYNC, event, summary);
        // A moment of it is normal.
        let lasted = event.last_seen()?.as_second() - event.first_seen()?.as_second() >= 120;
        return lasted.then_some(seen);
    }
    let names = UNMOUNTED.as_ref()?.captures(text)?.get(1)?.as_str().replace(' ', ", ");
    let seen = base(subject, &VOLUME_TIMEOUT, event, format!("the volumes {names} of the pod are not ready in time"));
    seen.settle(subject.view.settled(event.first_seen(), 120))
}

/// A log line without space left, with a path below a mounted claim.
fn full(subject: Subject<'_, '_>) -> Option<Observation> {
    let of_claims: Vec<(String, String)> = claims(subject.pod)
        .into_iter()
        .filter_map(|(at, claim)| Some((subject.pod.spec.volumes.get(at)?.get("name")?.as_str()?.to_owned(), claim)))
        .collect();
    let pod = &subject.pod.metadata;
    let failing = |name: &str| {
        let statuses = subject.pod.status.container_statuses.iter();
        statuses.into_iter().any(|status| status.name == name && !status.ready)
    };
    for container in subject.pod.spec.containers.iter().filter(|container| failing(&container.name)) {
        let mounts = container.volume_mounts.iter().filter_map(|mount| {
            let text = |name: &str| mount.get(name).and_then(Value::as_str);
            let claim = of_claims.iter().find(|(volume, _)| text("name") == Some(volume))?;
            Some((text("mountPath")?, &claim.1))
        });
        let mounts: Vec<_> = mounts.filter(|(path, _)| path.len() > 1).collect();
        let tails = subject
            .view
            .snapshot
            .logs
            .iter()
            .filter(|log| log.namespace == pod.namespace && log.pod == pod.name && log.container == container.name);
        let below = |text: &str| mounts.iter().find(|(path, _)| text.contains(&format!("{path}/")));
        for line in tails.flat_map(|log| log.lines.iter().rev()) {
            let Some((path, claim)) = below(&line.text) else { continue };
            if !FULL.as_ref().is_some_and(|shape| shape.is_match(&line.text)) {
                continue;
            }
            let mut seen = Observation::of_workload(&VOLUME_FULL, subject.workload);
            seen.pod = Some(pod.name.clone());
            seen.container = Some(container.name.clone());
            seen.since = line.at.or(pod.creation_timestamp);
            seen.summary = format!("no space is left on claim {claim}, mounted at {path}");
            seen.show(Source::Log, line.at, &line.text, None);
            seen.confidence = Confidence::Likely;
            seen.explains
                .push(Explains { key: subject.workload.key.clone(), codes: &["crash-app-error", "crash-disk-full"] });
            seen.fact("claim", claim.as_str());
            return Some(seen);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
mod tests {
    use super::super::testing::{OLD, event, finding, of, roots};
    use serde_json::{Value, json};

    fn creating(volume: Value) -> Value {
        json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "web"},
            "spec": {"nodeName": "n", "volumes": [volume], "containers": [{"name": "app"}]},
            "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}],
                "containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "ContainerCreating"}}}]}})
    }

    fn told(reason: &str, message: &str) -> Vec<String> {
        let volume = json!({"name": "data", "persistentVolumeClaim": {"claimName": "data"}});
        roots(&[creating(volume), event("Pod", "web", reason, message)])
    }

    #[test]
    fn texts_of_the_kubelet_and_the_attacher_name_their_code() {
        let unknown = "MountVolume.MountDevice failed for volume \"v\" : driver name ebs.csi not found in the list of registered CSI drivers";
        let attacher = "AttachVolume.Attach failed for volume \"v\" : timed out waiting for external-attacher of ebs.csi CSI driver to attach volume h";
        let multi = "Multi-Attach error for volume \"v\" Volume is already used by pod(s) web-1";
        let nfs = "MountVolume.SetUp failed for volume \"v\" : mount failed: exit status 32\nMounting command: mount\nOutput: mount.nfs: No route to host\n";
        let local = "MountVolume.NewMounter initialization failed for volume \"v\" : path \"/mnt/x\" does not exist";
        let late = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data], failed to process volumes=[]: timed out waiting for the condition";
        let account = "MountVolume.SetUp failed for volume \"kube-api-access-x\" : failed to fetch token: serviceaccounts \"web\" not found";
        for (reason, message, code) in [
            ("FailedMount", unknown, "csi-driver-missing"),
            ("FailedAttachVolume", attacher, "csi-driver-missing"),
            ("FailedAttachVolume", multi, "volume-multi-attach"),
            ("FailedMount", nfs, "volume-mount-failed"),
            ("FailedMount", local, "volume-mount-failed"),
            ("FailedMount", late, "volume-timeout"),
            ("FailedMount", account, "volume-token-failed"),
        ] {
            assert_eq!(told(reason, message), [format!("{code} Pod/web")], "{message}");
        }
    }

    #[test]
    fn the_output_of_the_mount_command_is_what_is_told() {
        let nfs = "MountVolume.SetUp failed for volume \"data\" : mount failed: exit status 32\nMounting command: mount\nOutput: mount.nfs: No route to host\n";
        let pod = creating(json!({"name": "data", "nfs": {"server": "s", "path": "/"}}));
        let told = finding(&[pod, event("Pod", "web", "FailedMount", nfs)], "volume-mount-failed");
        assert_eq!(told.summary, "volume data can't be mounted: mount.nfs: No route to host");
    }

    #[test]
    fn a_cache_that_is_late_for_a_moment_is_no_finding() {
        let message = "MountVolume.SetUp failed for volume \"kube-api-access-x\" : failed to sync configmap cache: timed out waiting for the condition";
        let with = |first: &str| {
            let mut late = event("Pod", "web", "FailedMount", message);
            late["firstTimestamp"] = json!(first);
            roots(&[creating(json!({"name": "x", "emptyDir": {}})), late])
        };
        assert_eq!(with(OLD), ["mount-cache-sync Pod/web"]);
        assert_eq!(with("2026-11-22T16:58:59Z"), ["not-ready Pod/web"]);
    }

    #[test]
    fn a_full_claim_is_told_by_the_path_in_the_log() {
        let mut pod = creating(json!({"name": "d", "persistentVolumeClaim": {"claimName": "data"}}));
        pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "d", "mountPath": "/var/lib/db"}]);
        pod["status"]["containerStatuses"][0] = json!({"name": "app", "restartCount": 4, "state": {"waiting":
            {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}});
        let with = |line: &str| {
            let mut snapshot = of(&[pod.clone()]);
            snapshot.logs.push(crate::model::snapshot::LogTail {
                namespace: "a".to_owned(),
                pod: "web".to_owned(),
                container: "app".to_owned(),
                previous: true,
                lines: vec![crate::model::snapshot::LogLine { at: None, text: line.to_owned() }],
            });
            super::super::diagnose(&snapshot).findings[0].code.name()
        };
        assert_eq!(with("write /var/lib/db/wal: No space left on device"), "volume-full");
        assert_ne!(with("write /tmp/x: No space left on device"), "volume-full");
    }
}
