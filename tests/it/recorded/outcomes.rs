//! Each recording against what its folder's name promises.

use super::{names, recorded};
use aifix::diagnose::diagnose;
use aifix::model::finding::{Finding, Severity};
use std::collections::BTreeSet;

/// Folders whose code hangs under another root, and why.
const UNDER: [(&str, &str, &str); 12] = [
    ("cronjob-last-run-failed", "crash-app-error", "the run failed because its program did"),
    ("ds-unavailable", "crash-permission-denied", "its pods are not ready because they crash"),
    ("init-container-failing", "crash-app-error", "the others wait because its program fails"),
    ("job-backoff-exceeded", "crash-migration", "the retries were used up by the program"),
    ("job-failed-indexes", "crash-app-error", "the indexes failed because the program did"),
    ("job-max-failed-indexes", "crash-app-error", "the indexes failed because the program did"),
    ("job-pod-failure-policy", "crash-app-error", "the policy acted on the exit of the program"),
    ("namespace-terminating-stuck", "object-finalizer-stuck", "it waits for the object that a finalizer keeps"),
    ("rollout-stalled", "image-not-found", "the new pods lack their image"),
    ("sidecar-not-started", "probe-port-mismatch", "the sidecar does not start because of its probe"),
    ("sts-first-pod-blocked", "probe-path-missing", "the first pod is not ready because of its probe"),
    ("sts-pvc-pending", "storageclass-missing", "the claim is pending because its class is missing"),
];

/// Folders that are merely worth knowing, and why.
const WORTH_KNOWING: [(&str, &str); 13] = [
    ("config-changed-not-reloaded", "the pods run well on what they read at their start"),
    ("deployment-paused", "by intent"),
    ("ds-no-matching-nodes", "no node may be meant to run it, and nothing depends on it"),
    ("evicted-emptydir-limit", "one eviction, and the pod was replaced"),
    ("hpa-scaling-disabled", "the target was scaled to zero by intent"),
    ("networkpolicy-selects-nothing", "it has no effect on any pod"),
    ("oom-child-killed", "the container runs on and is ready"),
    ("pdb-selects-nothing", "it has no effect on any pod"),
    ("pdb-unmanaged-pods", "it matters at the next drain"),
    ("pre-stop-hook-failed", "the pod ended all the same"),
    ("sts-headless-service-missing", "the pods run, and no log misses a peer's name"),
    ("sts-on-delete-pending", "by intent"),
    ("sts-partition-holds", "by intent: a canary"),
];

/// Folders in which a more exact row of the catalogue holds than the one in their name: (folder, code, why).
const MORE_EXACT: [(&str, &str, &str); 1] = [(
    "pvc-no-matching-volume.named",
    "pvc-volume-name-mismatch",
    "the claim names one volume, and that one is too small",
)];

/// Folders with a second fault that is a root of its own.
const BESIDE: [(&str, &str, &str); 1] = [(
    "volume-configmap-missing.projected",
    "volume-secret-missing",
    "the projected volume names a Secret that is missing too",
)];

#[derive(Debug)]
enum Outcome {
    /// These are the only roots.
    Roots(BTreeSet<String>),
    /// This is the only root, with the folder's code among its effects.
    Under(&'static str),
    /// A finding of the folder's code that is no failure.
    WorthKnowing,
    /// Nothing worse than worth knowing.
    Quiet,
}

fn row<const N: usize>(table: &[(&'static str, &'static str, &'static str); N], name: &str) -> Option<&'static str> {
    table.iter().find(|(folder, ..)| *folder == name).map(|(_, code, _)| *code)
}

/// The code that a folder is named after: `CODE` or `CODE.VARIANT`.
fn code_of(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// `None` when the name is no code and stands in no table.
fn promised(name: &str) -> Option<Outcome> {
    if name.starts_with("trap-") {
        return Some(Outcome::Quiet);
    }
    if let Some(root) = row(&UNDER, name) {
        return Some(Outcome::Under(root));
    }
    if WORTH_KNOWING.iter().any(|(folder, _)| *folder == name) {
        return Some(Outcome::WorthKnowing);
    }
    let code = row(&MORE_EXACT, name).unwrap_or(code_of(name));
    let known = aifix::diagnose::codes().iter().any(|row| row.name == code);
    let roots = std::iter::once(code).chain(row(&BESIDE, name)).map(str::to_owned).collect();
    known.then_some(Outcome::Roots(roots))
}

/// What is wrong with the findings of a folder, if anything is.
fn broken(name: &str, findings: &[Finding], failing: usize) -> Option<String> {
    let worse: Vec<&Finding> = findings.iter().filter(|finding| finding.severity != Severity::Info).collect();
    let roots: BTreeSet<String> = worse.iter().map(|finding| finding.code.name().to_owned()).collect();
    let code = code_of(name);
    let Some(outcome) = promised(name) else { return Some("its name is no code, and no table has it".to_owned()) };
    let holds = match &outcome {
        Outcome::Roots(want) => roots == *want && worse.len() == want.len(),
        Outcome::Under(root) => {
            worse.len() == 1
                && roots.contains(*root)
                && worse[0].effects.iter().any(|effect| effect.code.name() == code)
        }
        Outcome::WorthKnowing => {
            worse.is_empty() && failing == 0 && findings.iter().any(|finding| finding.code.name() == code)
        }
        Outcome::Quiet => worse.is_empty() && failing == 0,
    };
    let told: Vec<String> = findings.iter().map(|f| format!("{:?} {}", f.severity, f.code)).collect();
    (!holds).then(|| format!("{told:?}, {failing} failing, instead of {outcome:?}"))
}

#[test]
fn every_recording_ends_as_the_name_of_its_folder_says() {
    let mut wrong = Vec::new();
    for name in names() {
        let found = diagnose(&recorded(&name));
        if let Some(why) = broken(&name, &found.findings, found.summary.failing) {
            wrong.push(format!("{name}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_exception_is_about_a_recording_that_is_there() {
    let folders = names();
    let named = UNDER.iter().map(|row| row.0).chain(MORE_EXACT.iter().map(|row| row.0));
    let named = named.chain(BESIDE.iter().map(|row| row.0));
    for name in named.chain(WORTH_KNOWING.iter().map(|row| row.0)) {
        assert!(folders.iter().any(|folder| folder == name), "{name}");
    }
    assert!(promised("no-such-code.variant").is_none());
}
