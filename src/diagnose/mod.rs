//! From a snapshot to findings, each a root with effects.
//!
//! Pure: no I/O, no clock, no randomness. Rules see one pod at a time and say what they see; what
//! many pods say alike is one finding; what follows from it hangs below it.
//! A new code is one row of `CODES` and one function in the file of its family.

mod addresses;
mod admission;
mod argo;
mod autoscaling;
mod bound;
mod budgets;
mod checks;
#[cfg(test)]
mod codes_tests;
mod config;
mod configured;
mod crash;
mod current;
mod custom;
mod daemonset;
mod delivery;
mod diff;
mod eviction;
mod flux;
mod gateway;
mod graph;
mod health;
mod history;
mod image;
mod ingress;
mod jobs;
mod labelled;
mod limits;
mod log_lines;
mod mounts;
mod namespaces;
mod needs;
mod nodes;
mod not_ready;
mod observe;
mod owners;
pub(crate) mod parallel;
mod placement;
mod ports;
mod probe;
mod quota;
mod rbac;
mod refusal;
mod rollout;
mod row;
mod scheduling;
mod service;
mod settings;
mod signatures;
mod standing;
mod start;
mod statefulset;
mod storage;
#[cfg(test)]
pub(crate) mod testing;
mod unpicked;
mod values;
mod view;
mod volumes;
mod webhook;
mod workload;
mod writes;

pub use checks::{Check, checks};
pub use config::references;
pub use custom::unlisted_owners;
pub(crate) use ingress::backends as ingress_backends;
pub use needs::{INSTALLED, further, logs_of, needs, unseen_owners};
pub use observe::prepare;
pub use probe::{PROBES, handler_port, port_number, probe_of};
pub use scheduling::{largest_allocatable, requested};
pub use service::selector;
pub use standing::{Progress, Standing, standing, written};

use crate::model::code::CodeInfo;
use crate::model::finding::{Finding, Severity, Source};
use crate::model::kube::Pod;
use crate::model::object::ObjectRef;
use crate::model::snapshot::Snapshot;
use health::Health;
use observe::Observation;
use serde::Serialize;
use std::collections::BTreeSet;
use view::View;
use workload::Consequence;

/// How the workloads of a snapshot are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Top-level workloads and bare pods.
    pub workloads: usize,
    pub healthy: usize,
    /// Rolling out or starting within their time.
    pub in_progress: usize,
    /// With a finding worse than info, or short of pods.
    pub failing: usize,
}

/// What was found in a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// Roots, worst first; info comes last.
    pub findings: Vec<Finding>,
    pub summary: Summary,
}

/// The rules that look at pods and objects, one per family.
const RULES: [fn(&View<'_>) -> Vec<Observation>; 29] = [
    admission::observe,
    mounts::observe,
    storage::observe,
    eviction::observe,
    scheduling::observe,
    image::observe,
    config::observe,
    start::observe,
    crash::observe,
    probe::observe,
    rollout::observe,
    service::observe,
    ports::observe,
    addresses::observe,
    ingress::observe,
    gateway::observe,
    nodes::observe,
    namespaces::observe,
    autoscaling::observe,
    budgets::observe,
    statefulset::observe,
    daemonset::observe,
    jobs::observe,
    rbac::observe,
    settings::observe,
    values::observe,
    flux::observe,
    delivery::observe,
    custom::observe,
];

/// What follows from what.
const CONSEQUENCES: [fn(&View<'_>) -> Vec<Consequence>; 11] = [
    workload::consequences,
    service::consequences,
    image::consequences,
    eviction::consequences,
    storage::consequences,
    ingress::consequences,
    gateway::consequences,
    statefulset::consequences,
    daemonset::consequences,
    jobs::consequences,
    delivery::consequences,
];

/// Finds the root causes in a snapshot: the same snapshot gives the same findings, in the same order,
/// however its lists are ordered.
pub fn diagnose(snapshot: &Snapshot) -> Diagnosis {
    diagnose_only(snapshot, |_| true)
}

/// The same, told of the objects that `keep` names alone. The whole snapshot is judged all the same: a Service
/// whose pods were left out would look as if it had none.
pub fn diagnose_only(snapshot: &Snapshot, keep: impl Fn(&ObjectRef) -> bool) -> Diagnosis {
    let view = View::new(snapshot);
    let mut seen: Vec<Observation> = parallel::map(&RULES, |rule| rule(&view)).into_iter().flatten().collect();
    seen.extend(not_ready::observe(&view, &seen));
    let mut drafts = observe::collapse(&view, seen);
    for draft in &mut drafts {
        // A fault of an autoscaler may have come with a change of what it scales.
        let other = draft.finding.facts.get("changedWith").and_then(serde_json::Value::as_str);
        let workload = view.workload(other.unwrap_or(&draft.workload));
        draft.finding.change = workload.and_then(|workload| history::change(&view, workload));
        if let Some(workload) = workload.filter(|_| draft.finding.severity != Severity::Info) {
            past(&view, workload, &mut draft.finding);
        }
    }
    let consequences = parallel::map(&CONSEQUENCES, |of| of(&view)).into_iter().flatten().collect();
    let findings = graph::roots(drafts, consequences);
    let keeps = |finding: &Finding| keep(&finding.object) || finding.effects.iter().any(|effect| keep(&effect.object));
    let findings: Vec<Finding> = findings.into_iter().filter(keeps).collect();
    let summary = summary(&view, &findings, &keep);
    Diagnosis { findings, summary }
}

/// Tells what revisions and ConfigMaps say of a failure of containers, where they say something.
fn past(view: &View<'_>, workload: &view::Workload<'_>, finding: &mut Finding) {
    if !matches!(finding.code.0.family, "crash" | "probe" | "config" | "workload") {
        return;
    }
    let container = finding.container.clone();
    let concluded = history::conclusion(view, workload, container.as_deref());
    let written = writes::told(view, workload, container.as_deref(), finding.since);
    let written = written.into_iter().map(|(at, text)| (Some(at), text));
    for (at, text) in written.chain(concluded.map(|text| (None, text))) {
        observe::note(finding, Source::History, at, &text);
    }
}

/// The top owner of a pod, or the pod itself.
pub fn owner(snapshot: &Snapshot, pod: &Pod) -> ObjectRef {
    owners::Owners::new(snapshot).of_pod(pod).top.object()
}

/// Every row of the catalogue, by name.
pub fn codes() -> Vec<&'static CodeInfo> {
    let families = [
        admission::CODES,
        autoscaling::CODES,
        bound::CODES,
        budgets::CODES,
        custom::CODES,
        daemonset::CODES,
        delivery::CODES,
        flux::CODES,
        jobs::CODES,
        statefulset::CODES,
        gateway::CODES,
        ingress::CODES,
        limits::CODES,
        ports::CODES,
        addresses::CODES,
        mounts::CODES,
        namespaces::CODES,
        nodes::CODES,
        storage::CODES,
        quota::CODES,
        rbac::CODES,
        settings::CODES,
        values::CODES,
        webhook::CODES,
        config::CODES,
        crash::CODES,
        eviction::CODES,
        image::CODES,
        placement::CODES,
        probe::CODES,
        rollout::CODES,
        scheduling::CODES,
        service::CODES,
        start::CODES,
        unpicked::CODES,
        volumes::CODES,
        workload::CODES,
    ];
    let mut all: Vec<&'static CodeInfo> = families.concat();
    all.sort_by_key(|code| code.name);
    all
}

fn summary(view: &View<'_>, findings: &[Finding], keep: &impl Fn(&ObjectRef) -> bool) -> Summary {
    let worse = findings.iter().filter(|finding| finding.severity != Severity::Info);
    let failing: BTreeSet<&ObjectRef> = worse
        .flat_map(|finding| std::iter::once(&finding.object).chain(finding.effects.iter().map(|effect| &effect.object)))
        .collect();
    let mut out = Summary::default();
    for workload in view.workloads.iter().filter(|workload| keep(&workload.top)) {
        out.workloads += 1;
        if workload.health == Health::Failing || failing.contains(&workload.top) {
            out.failing += 1;
        } else if workload.health == Health::InProgress {
            out.in_progress += 1;
        } else {
            out.healthy += 1;
        }
    }
    out
}
