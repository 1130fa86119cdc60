//! Codes that an earlier revision alone can fix by rule.

use super::super::case::Case;
use super::super::facts::{judge, outside};
use super::super::history;
use super::{image, users};
use crate::model::intent::Intent;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::json;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("crash-abort", back),
    ("crash-exits-zero", back),
    ("crash-illegal-instruction", back),
    ("crash-missing-library", back),
    ("crash-missing-module", back),
    ("crash-port-in-use", back),
    ("crash-segfault", back),
    ("image-access-denied", back),
    ("image-never-present", back),
    ("image-platform-missing", offer),
    ("image-registry-unreachable", back),
    ("image-signature-rejected", offer),
    ("post-start-hook-failed", back),
    ("readiness-gate-unset", back),
    ("run-as-non-root", back),
    ("run-as-root-refused", back),
    ("run-as-user-unknown", back),
    ("sysctl-forbidden", back),
    ("unschedulable-affinity", back),
    ("unschedulable-topology-spread", back),
    ("working-dir-invalid", back),
];

/// Which fields a code is about, what is wrong with them, and what there is to do without an earlier revision.
struct Row {
    code: &'static str,
    /// `C` is the failing container, `T` the pod spec.
    fields: &'static [&'static str],
    why: &'static str,
    otherwise: fn(&Case<'_>) -> Refusal,
}

const COMMAND: &[&str] = &["C.command", "C.args"];
const USER: &[&str] = &[
    "C.securityContext.runAsUser",
    "C.securityContext.runAsGroup",
    "T.securityContext.runAsUser",
    "T.securityContext.runAsGroup",
];

const TABLE: &[Row] = &[
    Row {
        code: "crash-abort",
        fields: &["C.image"],
        why: "the program of this image aborts itself",
        otherwise: rebuild,
    },
    Row {
        code: "crash-exits-zero",
        fields: COMMAND,
        why: "the command ends instead of serving",
        otherwise: |case| {
            let message = format!("container {} ends without an error, and no earlier command is known", case.name());
            judge(message, "run it as a Job if it is one, or name the command that serves")
        },
    },
    Row {
        code: "crash-illegal-instruction",
        fields: &["C.image"],
        why: "this image uses instructions that the processor lacks",
        otherwise: rebuild,
    },
    Row { code: "crash-missing-library", fields: &["C.image"], why: "this image lacks a library", otherwise: rebuild },
    Row { code: "crash-missing-module", fields: &["C.image"], why: "this image lacks a module", otherwise: rebuild },
    Row {
        code: "crash-port-in-use",
        fields: &["C.args", "C.command", "C.env", "C.ports"],
        why: "two programs of the pod want the same port",
        otherwise: |case| {
            let port = case.int("port").map_or_else(|| "its port".to_owned(), |port| format!("port {port}"));
            judge(format!("{port} is taken, and no earlier revision differs"), "give one of the two another port")
        },
    },
    Row {
        code: "crash-segfault",
        fields: &["C.image"],
        why: "the program of this image ends with a segmentation fault",
        otherwise: rebuild,
    },
    Row {
        code: "image-access-denied",
        fields: &["C.image"],
        why: "the registry denies this image",
        otherwise: image::tags,
    },
    Row {
        code: "image-never-present",
        fields: &["C.imagePullPolicy", "C.image"],
        why: "the image is not on the node and may not be pulled",
        otherwise: |case| {
            let path = case.container_path().field("imagePullPolicy");
            let subject = format!("Pull the image of container {} if it is not there", case.name());
            let choice = case.choice(path, json!("IfNotPresent"), subject, "the node then takes it from the registry");
            let message = format!("image {} is not on the node, and its pull policy is Never", case.text("image"));
            case.ask(message, "load the image onto the nodes, or let them pull it", vec![choice])
        },
    },
    Row {
        code: "image-platform-missing",
        fields: &["C.image"],
        why: "this image is not built for the node",
        otherwise: rebuild,
    },
    Row {
        code: "image-registry-unreachable",
        fields: &["C.image"],
        why: "the node does not reach the registry of this image",
        otherwise: |case| {
            let message = format!("registry {} does not answer the node", case.text("registry"));
            outside(message, "look at the registry, the node's network and its DNS")
        },
    },
    Row {
        code: "image-signature-rejected",
        fields: &["C.image"],
        why: "the signature of this image is not accepted",
        otherwise: |_| {
            outside("the signature is checked for good reason", "sign the image, or name one that is signed")
        },
    },
    Row {
        code: "post-start-hook-failed",
        fields: &["C.lifecycle.postStart"],
        why: "the hook after the start fails",
        otherwise: |_| judge("why the hook fails is not known: its output is kept nowhere", "run its command by hand"),
    },
    Row {
        code: "readiness-gate-unset",
        fields: &["T.readinessGates"],
        why: "nobody sets the readiness gate",
        otherwise: |case| {
            let gates = case.texts("gates").join(", ");
            outside(format!("the controller that sets {gates} does not"), "look whether that controller runs")
        },
    },
    Row {
        code: "run-as-non-root",
        fields: USER,
        why: "the image runs as root, which runAsNonRoot forbids",
        otherwise: users::choose,
    },
    Row {
        code: "run-as-root-refused",
        fields: USER,
        why: "runAsUser 0 and runAsNonRoot contradict each other",
        otherwise: users::choose,
    },
    Row {
        code: "run-as-user-unknown",
        fields: USER,
        why: "the image does not have this user",
        otherwise: users::choose,
    },
    Row {
        code: "sysctl-forbidden",
        fields: &["T.securityContext.sysctls"],
        why: "the node does not allow the sysctl",
        otherwise: |case| {
            let message = format!("the node does not allow sysctl {}", case.text("sysctl"));
            judge(message, "leave it away, or have the node's kubelet allow it")
        },
    },
    Row {
        code: "unschedulable-affinity",
        fields: &["T.affinity.nodeAffinity"],
        why: "no node satisfies the affinity",
        otherwise: |_| judge("no node satisfies the affinity", "label a node, or ask for labels that nodes have"),
    },
    Row {
        code: "unschedulable-topology-spread",
        fields: &["T.topologySpreadConstraints"],
        why: "the pod can't be spread as it asks",
        otherwise: |case| {
            let keys = case.texts("topologyKeys").join(", ");
            let hint = "label the nodes, or write whenUnsatisfiable: ScheduleAnyway";
            judge(format!("pods can't be spread over {keys}"), hint)
        },
    },
    Row {
        code: "working-dir-invalid",
        fields: &["C.workingDir"],
        why: "the image does not have this working folder",
        otherwise: |case| {
            let message = format!("container {} can't use its working folder", case.name());
            judge(message, "name a folder that the image has, or leave workingDir away")
        },
    },
];

fn rebuild(case: &Case<'_>) -> Refusal {
    let message = format!("the image of container {} is at fault, and no earlier one is known", case.name());
    outside(message, "build the image anew, or name one that worked")
}

fn back(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let Some(row) = TABLE.iter().find(|row| row.code == case.finding.code.name()) else {
        return Err(judge("no rule decides it", "read its evidence"));
    };
    let fields: Vec<Path> = row.fields.iter().map(|field| field_of(case, field)).collect();
    let named = |path: &Path| fields.iter().any(|field| path.starts_with(field));
    if let Some(found) = history::put_back(case, row.why, named)? {
        return Ok(found);
    }
    Err((row.otherwise)(case))
}

/// The same, for a person to choose: the old value may be what must not come back.
fn offer(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let found = back(case)?;
    Err(case.ask("an earlier revision had another value".to_owned(), "choose it, or mend the image", found))
}

/// `C.image` of the failing container, `T.tolerations` of the pod spec.
fn field_of(case: &Case<'_>, field: &str) -> Path {
    match field.split_once('.') {
        Some(("C", rest)) => case.container_path().join(&Path::of(rest)),
        Some((_, rest)) => case.spec_path().join(&Path::of(rest)),
        None => Path::of(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_rule_and_every_rule_its_row() {
        let rows: Vec<&str> = TABLE.iter().map(|row| row.code).collect();
        let rules: Vec<&str> = RULES.iter().map(|(code, _)| *code).collect();
        assert_eq!(rows, rules);
        assert!(
            TABLE.iter().all(|row| row.fields.iter().all(|field| field.starts_with("C.") || field.starts_with("T.")))
        );
    }
}
