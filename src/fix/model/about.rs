//! Which fields a code is about: a model may change those.

use crate::model::code::Code;

/// A part of a container. What the last change replaced may come back whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Resources,
    Probes,
    Ports,
    /// Values of variables.
    Variables,
    /// Names and keys of ConfigMaps and Secrets.
    References,
    /// Words of the command and its arguments: a person must read each.
    Words,
}

use Part::{Ports, Probes, References, Resources, Variables, Words};

/// The exit code and the log of a program: what it was told is wrong, or it was told too little.
const PROGRAM: &[Part] = &[Ports, Variables, References, Words];
/// A program that gets no room.
const ROOM: &[Part] = &[Resources];
/// A program that does not answer as it is asked; its port may stand in its command.
const ANSWER: &[Part] = &[Probes, Ports, Variables, Words];

/// By family.
const FAMILIES: &[(&str, &[Part])] = &[
    ("config", &[References]),
    ("crash", PROGRAM),
    ("eviction", ROOM),
    ("probe", &[Probes, Ports]),
    ("quota", ROOM),
    ("scheduling", ROOM),
    ("service", &[Ports]),
];

/// Codes that are about something else than their family.
const CODES: &[(&str, &[Part])] = &[
    // An exit code that says nothing: anything may be wrong.
    ("crash-app-error", &[Resources, Probes, Ports, Variables, References, Words]),
    ("crash-exit-137", &[Resources, Probes, Ports, Variables, References, Words]),
    ("crash-exit-143", &[Probes, Ports, Variables, References, Words]),
    ("oom-killed", ROOM),
    ("oom-init", ROOM),
    ("oom-node", ROOM),
    ("oom-child-killed", &[Resources, Variables, Words]),
    ("oom-runtime-heap", &[Resources, Variables, Words]),
    ("limitrange-default-below-request", ROOM),
    ("limitrange-max", ROOM),
    ("limitrange-min", ROOM),
    ("limitrange-ratio", ROOM),
    ("resources-invalid", ROOM),
    ("pod-invalid", &[Resources, Probes, Ports]),
    ("command-not-executable", &[Words]),
    ("command-not-found", &[Words]),
    ("script-crlf", &[Words]),
    ("init-container-stuck", &[Variables, Words]),
    ("container-waiting-long", &[Variables, References]),
    ("sandbox-oom", ROOM),
    ("config-changed-broke", &[Variables, References]),
    ("config-encoding", &[Variables, References]),
    ("config-url-typo", &[Variables]),
    ("config-value-empty", &[Variables, References]),
    ("env-dollar-eaten", &[Variables, Words]),
    ("env-duplicate", &[Variables]),
    ("env-ref-order", &[Variables]),
    ("subpath-expr-unset", &[Variables]),
    ("pod-deadline-exceeded", &[Variables, Words]),
    ("probe-app-not-listening", ANSWER),
    ("probe-port-mismatch", ANSWER),
    ("probe-server-error", ANSWER),
    ("probe-readiness-flapping", &[Resources, Probes, Ports, Variables]),
    ("probe-exec-failed", &[Probes, Variables]),
    ("probe-grpc-not-serving", &[Probes, Ports, Variables]),
    ("unschedulable-host-port", &[Ports]),
    ("sidecar-not-started", ANSWER),
    ("not-ready", &[Probes, Ports, Variables, References]),
    ("rollout-stalled", &[Probes, Ports, Variables, References]),
    ("deployment-unavailable", &[Probes, Ports, Variables, References]),
    ("ds-unavailable", &[Probes, Ports, Variables, References]),
    ("init-container-failing", PROGRAM),
    ("cronjob-last-run-failed", PROGRAM),
    ("job-backoff-exceeded", PROGRAM),
    ("job-deadline-exceeded", PROGRAM),
    ("job-failed-indexes", PROGRAM),
    ("job-max-failed-indexes", PROGRAM),
    ("job-pod-failure-policy", PROGRAM),
    ("job-hanging", PROGRAM),
    ("job-sidecar-never-ends", PROGRAM),
    ("hpa-missing-requests", ROOM),
];

/// What a code is about; nothing where no field of a container is.
pub(super) fn parts(code: Code) -> &'static [Part] {
    let of = |table: &'static [(&str, &'static [Part])], name: &str| {
        table.iter().find(|(known, _)| *known == name).map(|(_, parts)| *parts)
    };
    of(CODES, code.name()).or_else(|| of(FAMILIES, code.0.family)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::codes;

    fn of(name: &str) -> &'static [Part] {
        let row = codes().into_iter().find(|row| row.name == name);
        parts(Code(row.unwrap_or_else(|| panic!("there is no code {name}"))))
    }

    #[test]
    fn every_row_is_about_a_code_or_a_family_that_is_there() {
        for (name, _) in CODES {
            let _ = of(name);
        }
        for (family, _) in FAMILIES {
            assert!(codes().into_iter().any(|row| row.family == *family), "{family}");
        }
    }

    #[test]
    fn a_free_word_is_offered_only_where_the_code_is_about_a_command() {
        for name in ["command-not-found", "crash-bad-args", "crash-exit-127", "job-backoff-exceeded"] {
            assert!(of(name).contains(&Words), "{name}");
        }
        for name in [
            "oom-killed",
            "image-not-found",
            "configmap-missing",
            "unschedulable-cpu",
            "quota-exceeded",
            "probe-timeout",
            "webhook-denied",
            "volume-mount-failed",
            "run-as-non-root",
            "node-lost",
            "service-selector-mismatch",
        ] {
            assert!(!of(name).contains(&Words), "{name}");
        }
    }
}
