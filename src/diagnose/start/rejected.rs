//! Pods that a node rejects.

use super::rows;
use crate::diagnose::not_ready::failed_settled;
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Settled, View, Workload};
use crate::model::code::CodeInfo;
use crate::model::finding::Source;
use crate::model::kube::Pod;
use crate::text;

/// Reasons of a kubelet that does not admit a pod which the scheduler gave it.
const REJECTED: [&str; 8] = [
    "InvalidNodeInfo",
    "NodeAffinity",
    "OutOfcpu",
    "OutOfephemeral-storage",
    "OutOfmemory",
    "OutOfpods",
    "PodOSNotSupported",
    "UnexpectedAdmissionError",
];

/// A race is no failure until it repeats.
const REPEATS: usize = 3;

pub(super) fn observe(view: &View<'_>) -> Vec<Observation> {
    let pods = view.workloads.iter().flat_map(|workload| workload.current.iter().map(move |pod| (workload, *pod)));
    pods.filter(|(_, pod)| pod.status.phase == "Failed" && pod.metadata.deletion_timestamp.is_none())
        .filter_map(|(workload, pod)| rejected(view, workload, pod))
        .collect()
}

fn rejected(view: &View<'_>, workload: &Workload<'_>, pod: &Pod) -> Option<Observation> {
    let (reason, message) = (pod.status.reason.as_str(), pod.status.message.trim());
    let told = message.strip_prefix("Pod was rejected: ").unwrap_or(message);
    let about = |mark: &str| told.split(mark).nth(1).unwrap_or_default().to_owned();
    let (code, summary): (&'static CodeInfo, String) = match reason {
        "AppArmor" => (&rows::APPARMOR_REFUSED, format!("the node rejects the pod: {}", text::clip(told, 120))),
        "SysctlForbidden" => (&rows::SYSCTL_FORBIDDEN, format!("the node does not allow sysctl {}", about("\""))),
        "UnexpectedAdmissionError" if told.contains("Allocate failed") => {
            (&rows::DEVICE_MISSING, format!("the node cannot give the pod a device: {}", text::clip(told, 120)))
        }
        _ if REJECTED.contains(&reason) => {
            (&rows::NODE_REJECTED, format!("a node rejects the pod: {reason}: {}", text::clip(told, 120)))
        }
        _ => return None,
    };
    let mut seen = Observation::of_workload(code, workload);
    seen.pod = Some(pod.metadata.name.clone());
    seen.message = format!("{reason} {told}");
    seen.summary = summary;
    seen.since = pod.metadata.creation_timestamp;
    seen.show(Source::Status, None, &format!("{reason}: {message}"), None);
    if reason == "SysctlForbidden" {
        seen.fact("sysctl", about("\""));
        let path = workload.spec_path().field("securityContext").field("sysctls");
        seen.show(Source::Spec, None, &format!("sysctls: {}", about("\"")), Some(path));
    }
    seen.fact("reason", reason);
    seen.fact("node", pod.spec.node_name.as_str());
    let kind = workload.source.map(|source| source.kind.as_str());
    let alike = workload.current.iter().filter(|other| other.status.reason == reason).count();
    if alike > 1 {
        seen.summary.push_str(&format!(", {} in all", text::count(alike, "pod")));
    }
    let short = workload.counts.ready < workload.counts.desired;
    let is_race = std::ptr::eq(code, &raw const rows::NODE_REJECTED) && alike < REPEATS && kind.is_some();
    let fails = failed_settled(view, workload, pod, kind) == Settled::Yes || short;
    // Left behind by a controller that has its pods: history.
    if is_race || !fails {
        return Some(seen.aside());
    }
    Some(seen)
}
