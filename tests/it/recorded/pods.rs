//! What is found in each recording of a pod's fault.

use super::diagnosis::{healed, roots};
use super::{edited, of_code, recorded};
use aifix::diagnose::diagnose;
use aifix::model::code::FixClass;
use aifix::model::finding::{Confidence, Finding, Severity};
use serde_json::json;

/// Folders of pods' faults: (folder, the one root, its object).
const ROOTS: [(&str, &str, &str); 73] = [
    ("command-not-executable", "command-not-executable", "Deployment/web"),
    ("command-not-executable.directory", "command-not-executable", "Deployment/web"),
    ("command-not-executable.script", "command-not-executable", "Deployment/web"),
    ("command-not-found", "command-not-found", "Deployment/web"),
    ("command-not-found.path", "command-not-found", "Deployment/web"),
    ("configmap-key-missing", "configmap-key-missing", "Deployment/web"),
    ("configmap-missing", "configmap-missing", "Deployment/web"),
    ("crash-abort", "crash-abort", "Deployment/web"),
    ("crash-app-error.exit-130", "crash-app-error", "Deployment/web"),
    ("crash-app-error.exit-2", "crash-app-error", "Deployment/web"),
    ("crash-app-error.exit-255", "crash-app-error", "Deployment/web"),
    ("crash-bad-args", "crash-bad-args", "Deployment/web"),
    ("crash-disk-full", "crash-disk-full", "Deployment/web"),
    ("crash-dns", "crash-dns", "Deployment/web"),
    ("crash-env-missing", "crash-env-missing", "Deployment/web"),
    ("crash-exit-127", "crash-exit-127", "Deployment/web"),
    ("crash-exit-137", "crash-exit-137", "Deployment/web"),
    ("crash-exit-137.child", "crash-exit-137", "Deployment/web"),
    ("crash-exit-143", "crash-exit-143", "Deployment/web"),
    ("crash-exits-zero", "crash-exits-zero", "Deployment/web"),
    ("crash-file-missing.termination-message", "crash-file-missing", "Deployment/web"),
    ("crash-permission-denied", "crash-permission-denied", "Deployment/web"),
    ("crash-port-in-use", "crash-port-in-use", "Deployment/web"),
    ("crash-port-privileged", "crash-port-privileged", "Deployment/web"),
    ("crash-read-only-fs", "crash-read-only-fs", "Deployment/web"),
    ("crash-segfault", "crash-segfault", "Deployment/web"),
    ("ds-unavailable", "crash-permission-denied", "DaemonSet/agent"),
    ("evicted-ephemeral-limit", "evicted-ephemeral-limit", "Deployment/web"),
    ("exec-format-error", "exec-format-error", "Deployment/web"),
    ("hostpath-type-mismatch", "hostpath-type-mismatch", "Deployment/web"),
    ("image-access-denied", "image-access-denied", "Deployment/web"),
    ("image-auth-required", "image-auth-required", "Deployment/web"),
    ("image-name-invalid", "image-name-invalid", "Deployment/web"),
    ("image-never-present", "image-never-present", "Deployment/web"),
    ("image-not-found", "image-not-found", "Deployment/web"),
    ("image-not-found.repo", "image-not-found", "Deployment/web"),
    ("image-platform-missing", "image-platform-missing", "Deployment/web"),
    ("image-pull-secret-missing", "image-pull-secret-missing", "Deployment/web"),
    ("image-rate-limited", "image-rate-limited", "Deployment/web"),
    ("image-registry-error", "image-registry-error", "Deployment/web"),
    ("image-registry-tls", "image-registry-tls", "Deployment/web"),
    ("image-registry-tls.plain-http", "image-registry-tls", "Deployment/web"),
    ("image-registry-unreachable.refused", "image-registry-unreachable", "Deployment/web"),
    ("init-container-failing", "crash-app-error", "Deployment/web"),
    ("job-backoff-exceeded", "crash-migration", "Job/migrate"),
    ("mount-type-mismatch.directory", "mount-type-mismatch", "Deployment/web"),
    ("oom-killed", "oom-killed", "Deployment/web"),
    ("oom-killed.exit-1", "oom-killed", "Deployment/web"),
    ("pod-deadline-exceeded", "pod-deadline-exceeded", "Pod/web"),
    ("post-start-hook-failed", "post-start-hook-failed", "Deployment/web"),
    ("preempted", "preempted", "Deployment/batch"),
    ("probe-exec-command-missing", "probe-exec-command-missing", "Deployment/web"),
    ("probe-path-missing", "probe-path-missing", "Deployment/web"),
    ("probe-scheme-mismatch", "probe-scheme-mismatch", "Deployment/web"),
    ("probe-server-error", "probe-server-error", "Deployment/web"),
    ("probe-server-error.liveness", "probe-server-error", "Deployment/web"),
    ("probe-startup-too-short", "probe-startup-too-short", "Deployment/web"),
    ("probe-timeout", "probe-timeout", "Deployment/web"),
    ("probe-timeout.exec", "probe-timeout", "Deployment/web"),
    ("probe-timeout.liveness-exec", "probe-timeout", "Deployment/web"),
    ("readiness-gate-unset", "readiness-gate-unset", "Deployment/web"),
    ("run-as-non-root", "run-as-non-root", "Deployment/web"),
    ("run-as-root-refused", "run-as-root-refused", "Deployment/web"),
    ("runtime-handler-missing", "runtime-handler-missing", "Deployment/web"),
    ("sandbox-oom", "sandbox-oom", "Deployment/web"),
    ("script-crlf", "script-crlf", "Deployment/web"),
    ("seccomp-profile-missing", "seccomp-profile-missing", "Deployment/web"),
    ("sidecar-not-started", "probe-port-mismatch", "Deployment/web"),
    ("sts-first-pod-blocked", "probe-path-missing", "StatefulSet/db"),
    ("subpath-expr-unset", "subpath-expr-unset", "Deployment/web"),
    ("sysctl-forbidden", "sysctl-forbidden", "Deployment/web"),
    ("volume-configmap-missing", "volume-configmap-missing", "Deployment/web"),
    ("volume-secret-missing", "volume-secret-missing", "Deployment/web"),
];

/// Folders whose one finding is only worth knowing.
const ASIDES: [(&str, &str); 4] = [
    ("evicted-emptydir-limit", "evicted-emptydir-limit"),
    ("oom-child-killed", "oom-child-killed"),
    ("pre-stop-hook-failed", "pre-stop-hook-failed"),
    ("trap-probe-redirect", "probe-redirect-off-host"),
];

/// Services, nodes and autoscalers beside them may have faults of their own.
pub(super) fn is_of_pods(finding: &&Finding) -> bool {
    const FAMILIES: [&str; 7] = ["config", "crash", "eviction", "image", "probe", "start", "workload"];
    FAMILIES.contains(&finding.code.0.family)
}

fn named(findings: &[&Finding]) -> Vec<(String, String)> {
    findings.iter().map(|finding| (finding.code.to_string(), finding.object.to_string())).collect()
}

#[test]
fn each_recording_of_a_pod_has_its_root_and_nothing_that_is_not_there() {
    let mut wrong = Vec::new();
    for (name, code, object) in ROOTS {
        let found = diagnose(&recorded(name));
        let all: Vec<&Finding> = found.findings.iter().filter(is_of_pods).collect();
        if named(&all) != [(code.to_owned(), object.to_owned())] || all[0].severity == Severity::Info {
            wrong.push(format!("{name}: {:?} instead of {code}", named(&all)));
        }
    }
    for (name, codes) in [
        ("volume-configmap-missing.projected", &["volume-configmap-missing", "volume-secret-missing"][..]),
        ("volume-key-missing", &["volume-key-missing"]),
        ("volume-key-missing.secret", &["volume-key-missing"]),
    ] {
        let found = diagnose(&recorded(name));
        for code in codes {
            if of_code(&found, code).is_none() {
                wrong.push(format!("{name} lacks {code}"));
            }
        }
        if of_code(&found, "not-ready").is_some() {
            wrong.push(format!("{name} is explained"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_did_no_harm_is_one_line_and_no_failure() {
    for (name, code) in ASIDES {
        let found = diagnose(&recorded(name));
        let [only] = found.findings.as_slice() else { panic!("{name}: {:?}", found.findings) };
        assert_eq!((only.code.name(), only.severity), (code, Severity::Info), "{name}");
        assert_eq!(found.summary.failing, 0, "{name}");
    }
}

#[test]
fn the_same_pods_are_healthy_once_they_are_ready_whatever_events_and_logs_say() {
    // What cannot run never fails: the pod was ready all the while. A preempted pod is another pod's matter.
    const STAYS: [&str; 3] = ["probe-exec-command-missing", "preempted", "evicted-ephemeral-limit"];
    for (name, code, _) in
        ROOTS.iter().filter(|(name, _, object)| object.starts_with("Deployment") && !STAYS.contains(name))
    {
        let found = diagnose(&healed(name));
        assert_eq!(roots(&found.findings), Vec::<&Finding>::new(), "{name} without {code}");
        assert_eq!((found.summary.failing, found.summary.healthy), (0, 1), "{name}");
    }
}

#[test]
fn a_finding_names_the_key_the_port_the_limit_or_the_closest_name() {
    for (name, code, summary) in [
        (
            "configmap-key-missing",
            "configmap-key-missing",
            "ConfigMap app-config has no key LOGLEVEL; it has LOG_LEVEL",
        ),
        (
            "volume-key-missing",
            "volume-key-missing",
            "volume v cannot be mounted: ConfigMap app-config has no key app.yml; it has app.yaml",
        ),
        (
            "command-not-executable.script",
            "command-not-executable",
            "container app cannot start: /b/run.sh of ConfigMap b (mode 0644) is not executable",
        ),
        (
            "crash-disk-full",
            "crash-disk-full",
            "container app has no space left for /cache/x in volume c of 2Mi (exit 1, 7 restarts)",
        ),
        (
            "crash-port-in-use",
            "crash-port-in-use",
            "container metrics cannot listen on port 8080: container web of its pod has it (exit 1, 7 restarts)",
        ),
        ("image-rate-limited", "image-rate-limited", "registry localhost:5055 limits pulls: 429 Too Many Requests"),
        (
            "image-name-invalid",
            "image-name-invalid",
            "image \"lab/Web:1\" of container app is no valid reference: repository name (lab/Web) must be lowercase",
        ),
        (
            "probe-path-missing",
            "probe-path-missing",
            "readiness and liveness probes of container app ask for /healthz and get 404",
        ),
        ("sandbox-oom", "sandbox-oom", "memory limit 300Ki of container app is below what the runtime itself needs"),
        (
            "preempted",
            "preempted",
            "a pod was preempted by pod web-5747c6fbd-dj5k7 of priority 1000, and its replacement has no place yet",
        ),
        (
            "evicted-ephemeral-limit",
            "evicted-ephemeral-limit",
            "the pod writes more to the node's disk than the 10Mi that its containers may, 7 pods in all",
        ),
        ("sysctl-forbidden", "sysctl-forbidden", "the node does not allow sysctl net.core.somaxconn, 3 pods in all"),
    ] {
        let found = diagnose(&recorded(name));
        assert_eq!(of_code(&found, code).unwrap_or_else(|| panic!("{name} has {code}")).summary, summary);
    }
}

#[test]
fn effects_of_a_pull_secret_and_of_an_eviction_hang_under_it() {
    for (name, root, effect) in [
        ("image-pull-secret-missing", "image-pull-secret-missing", "image-auth-required"),
        ("evicted-ephemeral-limit", "evicted-ephemeral-limit", "evicted-status-unknown"),
        ("sts-first-pod-blocked", "probe-path-missing", "sts-first-pod-blocked"),
        ("sidecar-not-started", "probe-port-mismatch", "sidecar-not-started"),
        ("rolebinding-role-missing", "rolebinding-role-missing", "crash-rbac-forbidden"),
    ] {
        let found = diagnose(&recorded(name));
        let effects = &of_code(&found, root).unwrap().effects;
        assert!(effects.iter().any(|one| one.code.name() == effect), "{name}: {effects:?}");
    }
}

#[test]
fn the_last_transport_fault_does_not_hide_an_earlier_answer() {
    let said = |answer: &str| {
        let text = format!("failed to pull and unpack image \"localhost:5055/app/web:9.9\": {answer}");
        let snapshot = edited("rollout-stalled", "Event", |event| {
            if event["message"].as_str().unwrap().starts_with("Failed to pull image") {
                event["message"] = json!(format!("Failed to pull image \"localhost:5055/app/web:9.9\": {text}"));
            }
        });
        roots(&diagnose(&snapshot).findings)[0].code.name()
    };
    assert_eq!(said("no match for platform in manifest: not found"), "image-platform-missing");
    assert_eq!(said("unexpected status: 401 Unauthorized"), "image-auth-required");
    assert_eq!(said("dial tcp 127.0.0.1:5055: i/o timeout"), "image-registry-unreachable");
}

#[test]
fn one_registry_that_fails_several_workloads_is_one_incident() {
    let found = diagnose(&super::twice("image-registry-error"));
    let [root] = found.findings.as_slice() else { panic!("{:?}", found.findings) };
    assert_eq!(
        (root.code.name(), root.object.to_string()),
        ("image-registry-error", "Registry/localhost:5055".to_owned())
    );
    assert_eq!((root.pods.failing, found.summary.failing), (2, 2));
    assert_eq!(root.effects.iter().filter(|effect| effect.code.name() == "image-registry-error").count(), 2);
}

#[test]
fn what_only_a_log_tells_is_likely_and_what_the_api_says_is_certain() {
    for (name, want) in [
        ("crash-env-missing", Confidence::Likely),
        ("crash-read-only-fs", Confidence::Strong),
        ("oom-child-killed", Confidence::Hypothesis),
        ("run-as-non-root", Confidence::Certain),
    ] {
        assert_eq!(diagnose(&recorded(name)).findings[0].confidence, want, "{name}");
    }
}

#[test]
fn a_secret_key_that_is_missing_in_a_volume_has_the_class_of_its_row() {
    let found = diagnose(&recorded("volume-key-missing.secret"));
    assert_eq!(of_code(&found, "volume-key-missing").unwrap().fix.class, FixClass::Rule);
}
