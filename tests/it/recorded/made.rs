//! Faults that were not recorded, made from recordings.

use super::diagnosis::{healed, roots};
use super::{edited, objects, of_code, recorded, snapshot};
use aifix::diagnose::diagnose;
use aifix::model::finding::{Confidence, Finding, Severity};
use aifix::model::snapshot::{LogLine, LogTail, Snapshot};
use serde_json::{Value, json};

/// Codes of what fails, worst first.
fn codes(snapshot: &Snapshot) -> Vec<String> {
    roots(&diagnose(snapshot).findings).iter().map(|finding| finding.code.to_string()).collect()
}

/// The one finding that fails.
fn only(snapshot: &Snapshot) -> Finding {
    let found = diagnose(snapshot);
    let all = roots(&found.findings);
    let [one] = all.as_slice() else { panic!("{:?}", found.findings) };
    (*one).clone()
}

/// Gives the one pod of a snapshot this log.
pub(super) fn with_log(mut snapshot: Snapshot, container: &str, lines: &[&str]) -> Snapshot {
    let pod = &snapshot.pods[0].metadata;
    snapshot.logs = vec![LogTail {
        namespace: pod.namespace.clone(),
        pod: pod.name.clone(),
        container: container.to_owned(),
        previous: false,
        lines: lines.iter().map(|line| LogLine { at: None, text: (*line).to_owned() }).collect(),
    }];
    snapshot
}

/// A crash loop with this exit code and log.
pub(super) fn crash(exit: i64, lines: &[&str]) -> Snapshot {
    let base = edited("crash-app-error.exit-2", "Pod", |pod| {
        pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] = json!(exit);
    });
    with_log(base, "app", lines)
}

/// A pod that waits with this reason and message.
fn waits(base: &str, reason: &str, message: &str) -> Snapshot {
    edited(base, "Pod", |pod| {
        let waiting = &mut pod["status"]["containerStatuses"][0]["state"]["waiting"];
        waiting["reason"] = json!(reason);
        waiting["message"] = json!(message);
    })
}

/// The events with this reason say something else.
fn says(base: &str, reason: &str, message: &str) -> Snapshot {
    edited(base, "Event", |event| {
        if event["reason"] == reason {
            event["message"] = json!(message);
        }
    })
}

#[test]
fn pull_messages_that_were_not_recorded_have_their_codes() {
    for (reason, message, want) in [
        (
            "ImagePullBackOff",
            "pulling from host r failed with status code [manifests 1]: 403 Forbidden",
            "image-forbidden",
        ),
        ("ImagePullBackOff", "failed to pull: write /var/lib/x: no space left on device", "image-disk-full"),
        ("ImagePullBackOff", "failed to extract layer sha256:0: unexpected EOF", "image-corrupt"),
        (
            "SignatureValidationFailed",
            "image pull failed for a because the signature validation failed: x",
            "image-signature-rejected",
        ),
        ("ImageInspectError", "Failed to inspect image \"a\": rpc error", "image-inspect-error"),
        ("RegistryUnavailable", "image pull failed for a because the registry is unavailable", "image-registry-error"),
    ] {
        let mut made = waits("image-registry-error", reason, message);
        made.events.retain(|event| event.reason != "Failed");
        assert_eq!(codes(&made), [want], "{message}");
    }
}

#[test]
fn on_older_kubelets_only_the_event_tells_the_cause() {
    for (base, want) in [("image-rate-limited", "image-rate-limited"), ("image-not-found", "image-not-found")] {
        assert_eq!(codes(&waits(base, "ImagePullBackOff", "Back-off pulling image")), [want]);
    }
}

#[test]
fn blanks_around_an_image_are_refused_by_the_api_server() {
    let refused = |why: &'static str| {
        let made = edited("quota-exceeded.pods", "Deployment", move |deployment| {
            for condition in deployment["status"]["conditions"].as_array_mut().unwrap() {
                if condition["type"] == "ReplicaFailure" {
                    condition["message"] = json!(format!("Pod \"web-1\" is invalid: spec.containers[0].image: {why}"));
                }
            }
        });
        let found = diagnose(&made);
        of_code(&found, "image-name-invalid").map(|finding| finding.summary.clone())
    };
    assert_eq!(
        refused("Invalid value: \" web:1\": must not have leading or trailing whitespace").unwrap(),
        "image \" web:1\" of container app has blanks around it"
    );
    assert_eq!(refused("Required value"), None);
}

#[test]
fn a_dns_that_does_not_answer_is_one_incident() {
    let mut both = super::twice("crash-app-error.exit-2");
    both.logs.clear();
    for pod in &both.pods {
        both.logs.push(LogTail {
            namespace: pod.metadata.namespace.clone(),
            pod: pod.metadata.name.clone(),
            container: "app".to_owned(),
            previous: true,
            lines: vec![LogLine { at: None, text: "getaddrinfo EAI_AGAIN db".to_owned() }],
        });
    }
    let found = only(&both);
    assert_eq!((found.code.name(), found.object.to_string()), ("crash-dns", "DNS/cluster".to_owned()));
}

#[test]
fn one_failed_try_is_no_finding_yet() {
    let said = "pulling from host localhost:5055 failed with status code [manifests 1]: 503 Service Unavailable";
    let mut once = waits("image-registry-error", "ErrImagePull", said);
    let second = once.clone();
    once.events.retain(|event| event.reason != "BackOff");
    let begun = once.taken_at.map(|now| now - jiff::SignedDuration::from_secs(15));
    for event in &mut once.events {
        (event.count, event.first_timestamp.0) = (1, begun);
    }
    assert!(of_code(&diagnose(&once), "image-registry-error").is_none());
    // The status of a second try comes before its event is counted: the back-off before it tells, or the time.
    let mut uncounted = once.clone();
    uncounted.events.extend(second.events.into_iter().filter(|event| event.reason == "BackOff"));
    assert_eq!(uncounted.events.len(), once.events.len() + 1);
    assert!(of_code(&diagnose(&uncounted), "image-registry-error").is_some());
    let mut later = once.clone();
    later.taken_at = begun.map(|begun| begun + jiff::SignedDuration::from_secs(20));
    assert!(of_code(&diagnose(&later), "image-registry-error").is_some());
    // A busy kubelet drops events: then the age of the pod tells that there were more tries.
    once.events.clear();
    assert!(of_code(&diagnose(&once), "image-registry-error").is_some());
    once.taken_at = once.pods[0].metadata.creation_timestamp;
    assert!(of_code(&diagnose(&once), "image-registry-error").is_none());
}

#[test]
fn an_image_of_a_volume_has_a_code_of_its_own() {
    let message = "Back-off pulling image \"r.example/data:1\": ErrImagePull: r.example/data:1: not found";
    let volume = |reference: &'static str| {
        edited("image-not-found", "Pod", move |pod| {
            pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"] = json!(message);
            pod["spec"]["volumes"] = json!([{"name": "data", "image": {"reference": reference}}]);
        })
    };
    let found = only(&volume("r.example/data:1"));
    assert_eq!(found.code.name(), "image-volume-failed");
    assert!(found.summary.contains("volume data") && found.summary.contains("image-not-found"), "{}", found.summary);
    assert_eq!(codes(&volume("r.example/other:1")), ["image-not-found"], "another image");
}

#[test]
fn a_pull_is_slow_after_five_minutes_and_a_failure_after_fifteen() {
    let pulling = |seconds: i64| {
        let mut made = waits("image-not-found", "ContainerCreating", "");
        made.events.retain(|event| event.reason == "Pulling");
        let at = made.taken_at.unwrap().as_second() - seconds;
        for event in &mut made.events {
            event.last_timestamp.0 = jiff::Timestamp::from_second(at).ok();
        }
        let found = diagnose(&made);
        of_code(&found, "image-pull-slow").map(|finding| finding.severity)
    };
    assert_eq!(pulling(100), None);
    assert_eq!(pulling(400), Some(Severity::Info));
    assert_eq!(pulling(1000), Some(Severity::Critical));
}

#[test]
fn logs_that_were_not_recorded_have_their_codes() {
    for (exit, line, want) in [
        (1, "java.lang.OutOfMemoryError: Java heap space", "oom-runtime-heap"),
        (134, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "oom-runtime-heap"),
        (1, "yaml: line 12: did not find expected key", "crash-config-parse"),
        (1, "nginx: [emerg] unknown directive \"servr\" in /etc/nginx/conf.d/a.conf:3", "crash-config-parse"),
        (1, "dial tcp 10.1.2.3:5432: connect: connection refused", "crash-dependency-refused"),
        (1, "dial tcp 10.1.2.3:5432: i/o timeout", "crash-dependency-timeout"),
        (1, "FATAL: password authentication failed for user \"app\"", "crash-db-auth"),
        (1, "x509: certificate signed by unknown authority", "crash-tls"),
        (
            127,
            "/app: error while loading shared libraries: libpq.so.5: cannot open shared object file",
            "crash-missing-library",
        ),
        (1, "ModuleNotFoundError: No module named 'flask'", "crash-missing-module"),
        (1, "accept: too many open files", "crash-too-many-files"),
        (1, "Error: your license has expired", "crash-license"),
        (1, "GET https://api.example.com/v1: status 429", "crash-quota-upstream"),
        (1, "error: Dirty database version 12", "crash-migration"),
        (1, "exec /usr/bin/app: exec format error", "exec-format-error"),
        (1, "exec /entry.sh: no such file or directory", "command-not-found"),
        (126, "sh: /b/run: Permission denied", "crash-exit-126"),
        (132, "Illegal instruction", "crash-illegal-instruction"),
        (1, "open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory", "sa-token-missing"),
        (1, "all is lost", "crash-app-error"),
        (1, "listen tcp :80: bind: permission denied", "crash-port-privileged"),
        (1, "listen tcp :8080: bind: permission denied", "crash-app-error"),
        (1, "GET http://api.shop.svc/v1: status 401", "crash-app-error"),
        (1, "connection reset by peer", "crash-app-error"),
    ] {
        let found = only(&crash(exit, &["starting", line]));
        assert_eq!(found.code.name(), want, "{line}");
        assert!(found.evidence.iter().any(|e| e.text == line), "{line} is evidence");
        assert!(
            codes(&with_log(healed("crash-app-error.exit-2"), "app", &[line])).is_empty(),
            "{line} of a healthy pod"
        );
    }
}

#[test]
fn a_variable_that_is_set_is_not_what_is_missing() {
    let set = edited("crash-env-missing", "Pod", |pod| {
        pod["spec"]["containers"][0]["env"] = json!([{"name": "DATABASE_URL", "value": "x"}]);
    });
    assert_eq!(codes(&set), ["crash-app-error"]);
    let close = edited("crash-env-missing", "Pod", |pod| {
        pod["spec"]["containers"][0]["env"] = json!([{"name": "DATABASE_URI", "value": "x"}]);
    });
    assert!(only(&close).summary.contains("it has DATABASE_URI"));
}

#[test]
fn an_init_container_is_killed_for_memory_under_its_own_code() {
    let end = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-11-22T16:46:30Z",
        "finishedAt": "2026-11-22T16:46:33Z"}});
    let killed = edited("init-container-failing", "Pod", |pod| {
        pod["status"]["initContainerStatuses"][0]["lastState"] = end.clone();
        pod["spec"]["initContainers"][0]["resources"] = json!({"limits": {"memory": "32Mi"}});
    });
    assert_eq!(codes(&killed), ["oom-init"]);
}

#[test]
fn a_node_that_runs_out_of_memory_is_told_by_its_event() {
    let made = |node: &str| {
        let mut all = objects("crash-exit-137");
        let pod = all.iter().find(|o| o["kind"] == "Pod").unwrap().clone();
        let at = pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["finishedAt"].clone();
        all.push(json!({"kind": "Event", "reason": "SystemOOM", "type": "Warning", "count": 1, "lastTimestamp": at,
            "message": "System OOM encountered, victim process: java, pid: 7", "metadata": {"name": "o", "namespace": "default"},
            "involvedObject": {"kind": "Node", "name": node, "uid": node}}));
        codes(&snapshot("crash-exit-137", &all))
    };
    assert_eq!(made("lab"), ["oom-node"]);
    assert_eq!(made("other"), ["crash-exit-137"]);
}

#[test]
fn start_and_configuration_errors_that_were_not_recorded_have_their_codes() {
    for (reason, message, want) in [
        ("CreateContainerConfigError", "secret \"db\" not found", "secret-missing"),
        (
            "CreateContainerConfigError",
            "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root",
            "run-as-user-name",
        ),
        ("CreateContainerError", "unable to find user app: no matching entries in passwd file", "run-as-user-unknown"),
        ("CreateContainerError", "context deadline exceeded", "container-create-timeout"),
        ("CreateContainerError", "failed to reserve container name \"app_web\"", "container-create-timeout"),
        ("SomethingNew", "the moon is full", "container-waiting-long"),
    ] {
        assert_eq!(codes(&waits("run-as-non-root", reason, message)), [want], "{message}");
    }
}

#[test]
fn a_generated_name_with_another_hash_is_stale_and_no_typo() {
    let made = |there: &'static str| {
        let mut all = objects("configmap-missing");
        for object in &mut all {
            let text = object.to_string().replace("app-confg", "app-config-6ct58987ht");
            *object = serde_json::from_str(&text).unwrap();
            if object["kind"] == "ConfigMap" {
                object["metadata"]["name"] = json!(there);
            }
        }
        codes(&snapshot("configmap-missing", &all))
    };
    assert_eq!(made("app-config-2b5mkfgt9h"), ["config-hash-stale"]);
    assert_eq!(made("app-config"), ["configmap-missing"]);
}

/// A container that mounts `app.yml` of a ConfigMap which has `app.yaml`, and its log.
fn sub_path(key: &str, line: &str) -> Snapshot {
    let mut all = objects("crash-app-error.exit-2");
    for object in all.iter_mut().filter(|object| object["kind"] == "Pod") {
        object["spec"]["volumes"] = json!([{"name": "v", "configMap": {"name": "app-config"}}]);
        object["spec"]["containers"][0]["volumeMounts"] =
            json!([{"name": "v", "mountPath": "/etc/app/app.yml", "subPath": "app.yml"}]);
    }
    let namespace = all.iter().find(|o| o["kind"] == "Pod").unwrap()["metadata"]["namespace"].clone();
    all.push(
        json!({"kind": "ConfigMap", "metadata": {"name": "app-config", "namespace": namespace}, "data": {key: "x"}}),
    );
    with_log(snapshot("crash-app-error.exit-2", &all), "app", &[line])
}

#[test]
fn a_sub_path_without_its_key_is_the_root_of_a_folder_in_place_of_a_file() {
    let found = only(&sub_path("app.yaml", "read /etc/app/app.yml: is a directory"));
    assert_eq!((found.code.name(), found.confidence), ("subpath-key-missing", Confidence::Strong));
    assert!(found.summary.ends_with("it has app.yaml"), "{}", found.summary);
    assert_eq!(codes(&sub_path("app.yaml", "cannot start")), ["subpath-key-missing"]);
    assert_eq!(codes(&sub_path("app.yml", "cannot start")), ["crash-app-error"], "the key is there");
    assert_eq!(codes(&sub_path("app.yaml", "sh: DATABASE_URL: must be set")), ["crash-env-missing"]);
}

#[test]
fn a_dollar_that_kubernetes_took_is_seen_in_the_log() {
    let made = |args: Value, line: &str| {
        let base =
            edited("crash-app-error.exit-2", "Pod", move |pod| pod["spec"]["containers"][0]["args"] = args.clone());
        codes(&with_log(base, "app", &[line]))
    };
    assert_eq!(made(json!(["--host=$(DB_HOST)"]), "cannot resolve $(DB_HOST)"), ["env-dollar-eaten"]);
    assert_eq!(made(json!(["--host=$(DB_HOST)"]), "httpd: bad address '$(DB_HOST)'"), ["env-dollar-eaten"]);
    assert_eq!(made(json!(["--host=db"]), "cannot resolve $(DB_HOST)"), ["crash-app-error"]);
    assert_eq!(made(json!(["--host=$(DB_HOST)"]), "cannot resolve"), ["crash-app-error"]);
}

#[test]
fn sandbox_errors_have_their_codes() {
    for (message, want) in [
        ("Failed to create pod sandbox: plugin type=\"calico\" failed (add): no address", "sandbox-network"),
        ("Failed to create pod sandbox: failed to allocate for range 0: no IP addresses available", "sandbox-network"),
        ("Failed to create pod sandbox: something new", "not-ready"),
    ] {
        assert_eq!(codes(&says("sandbox-oom", "FailedCreatePodSandBox", message)), [want], "{message}");
    }
}

/// Pods that a node rejected or ended for this reason.
fn rejected(reason: &str, message: &str) -> Snapshot {
    edited("sysctl-forbidden", "Pod", |pod| {
        pod["status"]["reason"] = json!(reason);
        pod["status"]["message"] = json!(message);
    })
}

#[test]
fn pods_that_a_node_rejects_or_ends_have_their_codes() {
    for (reason, message, want) in [
        ("AppArmor", "Pod was rejected: Cannot enforce AppArmor: profile x is not loaded", "apparmor-refused"),
        ("OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu", "node-rejected"),
        ("UnexpectedAdmissionError", "Pod was rejected: Allocate failed due to no healthy devices", "device-missing"),
        ("UnexpectedAdmissionError", "Pod was rejected: something else", "node-rejected"),
        ("NodeShutdown", "Pod was rejected as the node is shutting down.", "node-shutdown-killed"),
        ("Evicted", "The node had condition: [MemoryPressure]. ", "evicted-node-condition"),
        (
            "Evicted",
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. Container app was using \
             900Mi, request is 0, has larger consumption of memory. ",
            "evicted-node-pressure",
        ),
        ("Evicted", "Container app exceeded its local ephemeral storage limit \"1Gi\". ", "evicted-ephemeral-limit"),
    ] {
        assert_eq!(codes(&rejected(reason, message)), [want], "{reason} {message}");
    }
}

#[test]
fn a_pod_that_lost_a_race_once_and_was_replaced_is_history() {
    let mut once = rejected("OutOfcpu", "Pod was rejected: Node didn't have enough resource: cpu");
    once.pods.truncate(1);
    for kind in ["Deployment", "ReplicaSet"] {
        for object in once.objects.get_mut(kind).unwrap() {
            object.body["status"] = json!({"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1});
        }
    }
    let found = diagnose(&once);
    assert!(roots(&found.findings).is_empty(), "{:?}", found.findings);
    assert_eq!(of_code(&found, "node-rejected").map(|finding| finding.severity), Some(Severity::Info));
}

#[test]
fn answers_to_probes_that_were_not_recorded_have_their_codes() {
    for (message, want) in [
        ("Readiness probe failed: HTTP probe failed with statuscode: 401", "probe-auth-required"),
        ("Readiness probe failed: service unhealthy (responded with \"NOT_SERVING\")", "probe-grpc-not-serving"),
        (
            "Readiness probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health): x",
            "probe-grpc-unimplemented",
        ),
        (
            "Readiness probe errored and resulted in unknown state: strconv.Atoi: parsing \"htpp\": invalid syntax",
            "probe-named-port-missing",
        ),
        ("Readiness probe failed: HTTP probe failed with statuscode: 418", "not-ready"),
    ] {
        assert_eq!(codes(&says("probe-port-mismatch", "Unhealthy", message)), [want], "{message}");
    }
    assert_eq!(
        codes(&says("probe-timeout.exec", "Unhealthy", "Readiness probe failed: not yet")),
        ["probe-exec-failed"]
    );
}

#[test]
fn a_declared_port_that_refuses_is_a_slow_start_or_a_program_elsewhere() {
    let declared = |base: &str, port: i64| {
        edited(base, "Pod", move |pod| pod["spec"]["containers"][0]["ports"] = json!([{"containerPort": port}]))
    };
    assert_eq!(codes(&declared("probe-port-mismatch.liveness", 9090)), ["probe-kills-slow-start"]);
    assert_eq!(codes(&declared("probe-port-mismatch.liveness", 9091)), ["probe-port-mismatch"]);
    let says = |line: &str| codes(&with_log(declared("probe-port-mismatch.liveness", 9090), "app", &[line]));
    assert_eq!(says("listening on :8000"), ["probe-app-not-listening"]);
    assert_eq!(says("listening on :9090"), ["probe-kills-slow-start"]);
    assert_eq!(says("sh: DATABASE_URL: must be set"), ["probe-app-not-listening"], "it did not even come up");
    assert_eq!(codes(&declared("probe-port-mismatch", 8081)), ["probe-app-not-listening"]);
    let shorter = with_log(recorded("probe-startup-too-short"), "app", &["listening on :9999"]);
    assert_eq!(codes(&shorter), ["probe-app-not-listening"]);
}

#[test]
fn readiness_that_comes_and_goes_is_told_without_a_failure() {
    let made = |ago: i64| {
        let mut made = healed("probe-server-error");
        let now = made.taken_at.unwrap().as_second();
        let at = |seconds: i64| jiff::Timestamp::from_second(now - seconds).ok();
        for pod in &mut made.pods {
            pod.metadata.creation_timestamp = at(7200);
            for condition in &mut pod.status.conditions {
                condition.last_transition_time.0 = at(ago);
            }
        }
        let found = diagnose(&made);
        of_code(&found, "probe-readiness-flapping").map(|finding| finding.severity)
    };
    assert_eq!(made(60), Some(Severity::Info));
    assert_eq!(made(3600), None);
}

#[test]
fn a_small_cpu_limit_beside_timeouts_is_a_hypothesis() {
    let limited = |cpu: &'static str| {
        let made = edited("probe-timeout", "Pod", move |pod| {
            pod["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": cpu}});
        });
        let found = diagnose(&made);
        of_code(&found, "cpu-throttled").map(|finding| (finding.confidence, finding.severity))
    };
    assert_eq!(limited("100m"), Some((Confidence::Hypothesis, Severity::Info)));
    assert_eq!(limited("1"), None);
}

#[test]
fn a_resize_that_can_never_be_is_a_warning() {
    let pending = |reason: &'static str| {
        let mut made = healed("oom-killed");
        let condition = json!({"type": "PodResizePending", "status": "True", "reason": reason,
            "message": "Node didn't have enough capacity: cpu", "lastTransitionTime": "2026-11-22T16:40:00Z"});
        made.pods[0].status.conditions.push(serde_json::from_value(condition).unwrap());
        let found = diagnose(&made);
        of_code(&found, "resize-infeasible").map(|finding| finding.severity)
    };
    assert_eq!(pending("Infeasible"), Some(Severity::Warning));
    assert_eq!(pending("Deferred"), Some(Severity::Info));
}

#[test]
fn pods_that_a_taint_evicted_and_that_find_no_place_are_told() {
    let tainted = edited("preempted", "Event", |event| {
        if event["reason"] == "Preempted" {
            event["reason"] = json!("TaintManagerEviction");
            event["message"] = json!("Marking for deletion Pod cat-preempted/batch-f5cf6c5f6-abcde");
        }
    });
    assert_eq!(codes(&tainted), ["evicted-taint"]);
}
