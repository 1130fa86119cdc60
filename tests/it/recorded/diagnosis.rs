//! What is found in each recording, and what is not.

use super::{edited, names, objects, of_code, recorded, snapshot};
use aifix::diagnose::{codes, diagnose, needs};
use aifix::fix;
use aifix::model::finding::{Finding, Severity};
use aifix::model::snapshot::Snapshot;
use serde_json::{Value, json};

pub(super) fn roots(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.severity != Severity::Info).collect()
}

/// The nine codes with fixes and where each is recorded: (folder, code, object). Other codes of pods are
/// in `pods`.
const EXPECTED: [(&str, &str, &str); 23] = [
    ("command-not-found", "command-not-found", "Deployment/web"),
    ("command-not-found.path", "command-not-found", "Deployment/web"),
    ("configmap-missing", "configmap-missing", "Deployment/web"),
    ("crash-app-error.exit-130", "crash-app-error", "Deployment/web"),
    ("crash-app-error.exit-2", "crash-app-error", "Deployment/web"),
    ("crash-app-error.exit-255", "crash-app-error", "Deployment/web"),
    ("cronjob-last-run-failed", "crash-app-error", "CronJob/report"),
    ("image-not-found", "image-not-found", "Deployment/web"),
    ("image-not-found.repo", "image-not-found", "Deployment/web"),
    ("init-container-failing", "crash-app-error", "Deployment/web"),
    ("oom-killed", "oom-killed", "Deployment/web"),
    ("oom-killed.exit-1", "oom-killed", "Deployment/web"),
    ("probe-port-mismatch", "probe-port-mismatch", "Deployment/web"),
    ("probe-port-mismatch.exit-0", "probe-port-mismatch", "Deployment/web"),
    ("probe-port-mismatch.exit-143", "probe-port-mismatch", "Deployment/web"),
    ("probe-port-mismatch.grpc", "probe-port-mismatch", "Deployment/web"),
    ("probe-port-mismatch.liveness", "probe-port-mismatch", "Deployment/web"),
    ("probe-port-mismatch.tcp", "probe-port-mismatch", "Deployment/web"),
    ("rollout-stalled", "image-not-found", "Deployment/web"),
    ("secret-key-missing", "secret-key-missing", "Deployment/web"),
    ("service-selector-mismatch", "service-selector-mismatch", "Service/web"),
    ("sidecar-not-started", "probe-port-mismatch", "Deployment/web"),
    ("unschedulable-cpu", "unschedulable-cpu", "Deployment/web"),
];

/// More folders whose pods end with an error of their own.
const EXPECTED_JOBS: [(&str, &str, &str); 3] = [
    ("job-failed-indexes", "crash-app-error", "Job/migrate"),
    ("job-max-failed-indexes", "crash-app-error", "Job/migrate"),
    ("job-pod-failure-policy", "crash-app-error", "Job/migrate"),
];

/// Folders without any failing finding: traps, and what is only worth knowing.
const QUIET: [&str; 10] = [
    "deployment-paused",
    "hpa-scaling-disabled",
    "ds-no-matching-nodes",
    "sts-on-delete-pending",
    "sts-partition-holds",
    "sts-headless-service-missing",
    "networkpolicy-selects-nothing",
    "config-changed-not-reloaded",
    "oom-child-killed",
    "evicted-emptydir-limit",
];

/// Folders in which a code is an effect of the root that is named.
const EFFECTS: [(&str, &str, &str); 9] = [
    ("rollout-stalled", "image-not-found", "rollout-stalled"),
    ("job-backoff-exceeded", "crash-migration", "job-backoff-exceeded"),
    ("job-failed-indexes", "crash-app-error", "job-failed-indexes"),
    ("job-max-failed-indexes", "crash-app-error", "job-max-failed-indexes"),
    ("job-pod-failure-policy", "crash-app-error", "job-pod-failure-policy"),
    ("init-container-failing", "crash-app-error", "init-container-failing"),
    ("cronjob-last-run-failed", "crash-app-error", "cronjob-last-run-failed"),
    ("ds-unavailable", "crash-permission-denied", "ds-unavailable"),
    ("sidecar-not-started", "probe-port-mismatch", "sidecar-not-started"),
];

const OURS: [&str; 9] = [
    "command-not-found",
    "configmap-missing",
    "crash-app-error",
    "image-not-found",
    "oom-killed",
    "probe-port-mismatch",
    "secret-key-missing",
    "service-selector-mismatch",
    "unschedulable-cpu",
];

fn expected(name: &str) -> Option<(&'static str, &'static str)> {
    let all = EXPECTED.iter().chain(&EXPECTED_JOBS);
    all.filter(|(folder, ..)| *folder == name).map(|(_, code, object)| (*code, *object)).next()
}

#[test]
fn every_recording_has_the_root_it_must_have_and_no_other_of_our_codes() {
    let mut wrong = Vec::new();
    for name in names() {
        let found = diagnose(&recorded(&name));
        let ours: Vec<(&str, String)> = found
            .findings
            .iter()
            .filter(|finding| OURS.contains(&finding.code.name()))
            .map(|finding| (finding.code.name(), finding.object.to_string()))
            .collect();
        let want: Vec<(&str, String)> = expected(&name).map(|(c, o)| (c, o.to_owned())).into_iter().collect();
        if ours != want {
            wrong.push(format!("{name}: {ours:?} instead of {want:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let folders = names();
    for (name, ..) in EXPECTED.iter().chain(&EXPECTED_JOBS) {
        assert!(folders.iter().any(|folder| folder == name), "{name} is recorded");
    }
}

#[test]
fn traps_and_what_is_by_intent_have_nothing_worse_than_info() {
    for name in names() {
        if name.starts_with("trap-") || name.starts_with("pdb-") || QUIET.contains(&name.as_str()) {
            let found = diagnose(&recorded(&name));
            assert_eq!(roots(&found.findings), Vec::<&Finding>::new(), "{name}");
            assert_eq!(found.summary.failing, 0, "{name}");
        }
    }
}

#[test]
fn effects_hang_under_the_root_that_the_specs_link_them_to() {
    for (name, root, effect) in EFFECTS {
        let found = diagnose(&recorded(name));
        let finding = of_code(&found, root).unwrap_or_else(|| panic!("{name} has root {root}"));
        assert!(finding.effects.iter().any(|e| e.code.name() == effect), "{name}: {:?}", finding.effects);
        assert!(of_code(&found, effect).is_none(), "{name}: {effect} is no root");
    }
}

#[test]
fn a_workload_with_unready_pods_never_prints_as_healthy() {
    for name in names() {
        let snapshot = recorded(&name);
        let short = snapshot.kind("Deployment").iter().any(|d| {
            let deadline = d.conditions().iter().any(|c| c.reason == "ProgressDeadlineExceeded");
            deadline && d.int("/status/readyReplicas").unwrap_or(0) < d.int("/spec/replicas").unwrap_or(1)
        });
        let found = diagnose(&snapshot);
        assert!(!short || !roots(&found.findings).is_empty(), "{name}");
        assert!(found.summary.failing == 0 || !roots(&found.findings).is_empty(), "{name}");
        assert!(!short || found.summary.failing > 0, "{name}: {:?}", found.summary);
    }
}

#[test]
fn findings_say_what_a_person_can_check() {
    for (name, code, summary) in [
        ("oom-killed", "oom-killed", "container app was killed at its memory limit of 32Mi (exit 137), 7 restarts"),
        ("configmap-missing", "configmap-missing", "ConfigMap app-confg does not exist; app-config does"),
        (
            "service-selector-mismatch",
            "service-selector-mismatch",
            "Service web selects app=webb, no pod has it; Deployment web has app=web",
        ),
        ("unschedulable-cpu", "unschedulable-cpu", "pods request 64 cpu, the largest node has 2"),
        (
            "cronjob-last-run-failed",
            "crash-app-error",
            "container app ends with exit code 1, 0 restarts: no such bucket",
        ),
    ] {
        let found = diagnose(&recorded(name));
        let finding = of_code(&found, code).unwrap();
        assert_eq!(finding.summary, summary);
        let ids: Vec<u32> = finding.evidence.iter().map(|e| e.id).collect();
        assert_eq!(ids, (1..).take(ids.len()).collect::<Vec<u32>>(), "{name}");
        assert!(finding.since.is_some(), "{name}");
    }
}

#[test]
fn the_order_of_objects_changes_nothing() {
    for name in names() {
        let there = objects(&name);
        let mut back = there.clone();
        back.reverse();
        let mut turned = there.clone();
        turned.rotate_left(there.len() / 3);
        let want = diagnose(&snapshot(&name, &there));
        assert_eq!(diagnose(&snapshot(&name, &back)), want, "{name} reversed");
        assert_eq!(diagnose(&snapshot(&name, &turned)), want, "{name} rotated");
    }
}

#[test]
fn every_code_that_is_found_has_a_row_with_prose() {
    let rows = codes();
    assert!(rows.is_sorted_by_key(|row| row.name));
    for row in &rows {
        for text in [row.title, row.meaning, row.signals, row.causes, row.fix] {
            assert!(text.len() > 15, "{}", row.name);
        }
    }
    for name in names() {
        for finding in &diagnose(&recorded(&name)).findings {
            let used = std::iter::once(finding.code).chain(finding.effects.iter().map(|effect| effect.code));
            for code in used {
                assert!(rows.iter().any(|row| row.name == code.name()), "{code}");
            }
        }
    }
}

/// The pods of a recording as they are once the fault is gone: the events stay, for an hour.
pub(super) fn healed(name: &str) -> Snapshot {
    let mut all = objects(name);
    for object in &mut all {
        match object["kind"].as_str().unwrap() {
            "Pod" => heal_pod(object),
            "Deployment" => {
                let replicas = object["spec"]["replicas"].clone();
                object["status"] =
                    json!({"replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas});
            }
            _ => {}
        }
    }
    snapshot(name, &all)
}

pub(super) fn heal_pod(pod: &mut Value) {
    let status = &mut pod["status"];
    status["phase"] = json!("Running");
    status["conditions"] = json!([{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]);
    let names: Vec<Value> =
        pod["spec"]["containers"].as_array().unwrap().iter().map(|container| container["name"].clone()).collect();
    pod["status"]["initContainerStatuses"] = Value::Null;
    pod["status"]["containerStatuses"] = names
        .into_iter()
        .map(|name| {
            json!({"name": name, "ready": true, "started": true, "restartCount": 0,
                   "state": {"running": {"startedAt": "2026-11-22T16:40:00Z"}}, "lastState": {}})
        })
        .collect();
}

#[test]
fn the_same_workload_with_ready_pods_is_healthy_whatever_its_events_say() {
    for (name, code, _) in EXPECTED
        .iter()
        .filter(|(_, code, object)| *code != "service-selector-mismatch" && object.starts_with("Deployment"))
    {
        let found = diagnose(&healed(name));
        assert_eq!(roots(&found.findings), Vec::<&Finding>::new(), "{name} without {code}");
        assert_eq!((found.summary.failing, found.summary.healthy), (0, 1), "{name}");
    }
}

#[test]
fn a_service_with_the_right_selector_is_silent() {
    let right = edited("service-selector-mismatch", "Service", |service| {
        service["spec"]["selector"] = json!({"app": "web"});
    });
    assert_eq!(roots(&diagnose(&right).findings), Vec::<&Finding>::new());
}

#[test]
fn what_is_too_young_is_not_reported() {
    for (name, at) in [("unschedulable-cpu", "2026-11-22T16:47:30Z"), ("configmap-missing", "2026-11-22T16:35:25Z")] {
        let mut young = recorded(name);
        young.taken_at = at.parse().ok();
        for deployment in young.objects.get_mut("Deployment").unwrap() {
            deployment.body.insert("status", json!({"replicas": 1, "unavailableReplicas": 1}));
        }
        let found = diagnose(&young);
        assert_eq!(roots(&found.findings), Vec::<&Finding>::new(), "{name}");
        assert_eq!(found.summary.in_progress, 1, "{name}");
    }
}

#[test]
fn an_event_of_an_earlier_pod_of_the_same_name_is_not_evidence() {
    let other = edited("probe-port-mismatch", "Event", |event| {
        event["involvedObject"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    });
    let found = diagnose(&other);
    let finding = of_code(&found, "probe-port-mismatch").expect("the spec alone makes it likely");
    assert!(finding.evidence.iter().all(|e| e.source != aifix::model::finding::Source::Event));
}

#[test]
fn without_a_clock_what_lacks_only_age_is_info() {
    let mut timeless = recorded("unschedulable-cpu");
    timeless.taken_at = None;
    timeless.newest = "2026-11-22T16:47:00Z".parse().ok();
    for deployment in timeless.objects.get_mut("Deployment").unwrap() {
        deployment.body.insert("status", json!({"replicas": 1, "unavailableReplicas": 1}));
    }
    let found = diagnose(&timeless);
    let finding = of_code(&found, "unschedulable-cpu").unwrap();
    assert_eq!(finding.severity, Severity::Info);
    assert!(finding.summary.ends_with("(age not known)"));
}

#[test]
fn a_config_map_that_two_owners_name_is_one_root() {
    let mut all = objects("configmap-missing");
    let copy = |object: &Value| {
        let text = object.to_string().replace("\"web", "\"api").replace("865f874d9", "865f874d8");
        let mut twin: Value = serde_json::from_str(&text).unwrap();
        let uid = twin["metadata"]["uid"].as_str().unwrap().to_owned();
        twin["metadata"]["uid"] = json!(format!("{uid}-2"));
        for owner in twin["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
            owner["uid"] = json!(format!("{}-2", owner["uid"].as_str().unwrap()));
        }
        twin
    };
    let kinds = ["Pod", "ReplicaSet", "Deployment"];
    let twins: Vec<Value> = all.iter().filter(|o| kinds.contains(&o["kind"].as_str().unwrap())).map(copy).collect();
    all.extend(twins);
    let both = snapshot("configmap-missing", &all);
    let found = diagnose(&both);
    let [root] = found.findings.as_slice() else { panic!("{:?}", found.findings) };
    assert_eq!(root.object.to_string(), "ConfigMap/app-confg");
    let owners = root.effects.iter().filter(|effect| effect.code.name() == "configmap-missing").count();
    assert_eq!((owners, root.pods.failing), (2, 2));
    assert_eq!(fix::candidates(&both, root).unwrap_err().code, "needs-choice");
    assert_eq!(found.summary.failing, 2);
}

#[test]
fn what_changed_is_told_with_paths_of_the_owner() {
    let found = diagnose(&recorded("rollout-stalled"));
    let change = of_code(&found, "image-not-found").unwrap().change.clone().unwrap();
    assert_eq!((change.from.as_str(), change.to.as_str(), change.good), ("1", "2", true));
    let fields: Vec<String> = change.fields.iter().map(|field| field.path.to_string()).collect();
    assert_eq!(fields, ["spec.template.spec.containers[app].image"]);
    assert!(change.manager.is_some());
}

#[test]
fn the_second_wave_asks_for_what_a_failure_points_to() {
    let kinds = |name: &str| needs(&recorded(name)).kinds;
    assert_eq!(kinds("unschedulable-cpu"), ["nodes"]);
    assert_eq!(kinds("oom-killed"), ["nodes", "resourcequotas", "limitranges", "verticalpodautoscalers"]);
    assert_eq!(kinds("quota-exceeded"), ["resourcequotas", "limitranges"]);
    assert!(kinds("trap-old-restart").is_empty());
    let logs = needs(&recorded("crash-app-error.exit-2")).logs;
    assert_eq!(logs.iter().map(|log| (log.container.as_str(), log.previous)).collect::<Vec<_>>(), [("app", true)]);
    assert!(needs(&recorded("trap-scaled-to-zero")).logs.is_empty());
    assert!(needs(&recorded("command-not-found")).logs.is_empty(), "it never ran");
    let rare = r#"{"kind": "ReplicationController", "name": "web", "uid": "1", "controller": true}"#;
    let mut owned = recorded("trap-old-restart");
    owned.pods[0].metadata.owner_references = vec![serde_json::from_str(rare).unwrap()];
    assert_eq!(needs(&owned).kinds, ["replicationcontrollers"]);
}

#[test]
fn a_grace_period_is_no_failure_and_its_end_and_a_minute_is() {
    let deleted = |at: &str| {
        let mut snapshot = healed("oom-killed");
        for pod in &mut snapshot.pods {
            pod.metadata.deletion_timestamp = at.parse().ok();
            pod.status.conditions.clear();
        }
        for deployment in snapshot.objects.get_mut("Deployment").unwrap() {
            deployment.body.insert("status", json!({"replicas": 1, "unavailableReplicas": 1}));
        }
        let found = diagnose(&snapshot);
        (roots(&found.findings).len(), found.summary.in_progress)
    };
    assert_eq!(deleted("2026-11-22T16:56:58Z"), (0, 1), "ten minutes of grace are left");
    assert_eq!(deleted("2026-11-22T16:46:28Z"), (0, 1));
    assert_eq!(deleted("2026-11-22T16:45:28Z"), (1, 0));
}

#[test]
fn restarts_in_the_past_are_no_finding() {
    let after = |restarts: i64, since: &str, began: Option<&str>| {
        let snapshot = edited("crash-app-error.exit-2", "Pod", |pod| {
            let mut last = pod["status"]["containerStatuses"][0]["lastState"].clone();
            if let Some(began) = began {
                last["terminated"]["startedAt"] = json!(began);
            }
            heal_pod(pod);
            let status = &mut pod["status"]["containerStatuses"][0];
            status["lastState"] = last;
            status["restartCount"] = json!(restarts);
            status["state"]["running"]["startedAt"] = json!(since);
        });
        let found = diagnose(&snapshot);
        of_code(&found, "crash-app-error").is_some()
    };
    let running = |restarts: i64, since: &str| after(restarts, since, None);
    assert!(!running(1, "2026-11-22T16:46:30Z"), "one restart");
    assert!(!running(2, "2026-11-22T16:30:00Z"), "two, and up for over ten minutes");
    assert!(!running(40, "2026-11-22T15:40:00Z"), "forty, and up for over an hour");
    assert!(running(3, "2026-11-22T16:46:20Z"), "three, the last a moment ago");
    assert!(!running(3, "2026-11-22T16:30:00Z"), "each run ended at once, and this one is up for over ten minutes");
    assert!(after(3, "2026-11-22T16:30:00Z", Some("2026-11-22T16:43:00Z")), "this one may end as the last did");
}

#[test]
fn soft_symptoms_of_a_rollout_wait_for_its_deadline_and_hard_ones_do_not() {
    let rolling_with = |name: &str, edit: fn(&mut Snapshot)| {
        let mut snapshot = edited(name, "Deployment", |deployment| {
            deployment["status"]["conditions"] = json!([{"type": "Progressing", "status": "True",
                "reason": "ReplicaSetUpdated", "lastUpdateTime": "2026-11-22T16:42:00Z"}]);
        });
        edit(&mut snapshot);
        let found = diagnose(&snapshot);
        (roots(&found.findings).len(), found.summary.in_progress)
    };
    let rolling = |name: &str| rolling_with(name, |_| ());
    let unexplained = |name: &str| rolling_with(name, |snapshot| snapshot.events.clear());
    assert_eq!(unexplained("probe-scheme-mismatch"), (0, 1), "not ready");
    assert_eq!(unexplained("volume-secret-missing"), (0, 1), "ContainerCreating");
    assert_eq!(rolling("probe-scheme-mismatch"), (1, 0), "a probe that can never pass");
    assert_eq!(rolling("volume-secret-missing"), (1, 0), "a missing reference of a volume");
    assert_eq!(rolling("configmap-missing"), (1, 0), "a missing reference");
    assert_eq!(rolling("command-not-found"), (1, 0), "a start error");
    assert_eq!(rolling("run-as-non-root"), (1, 0), "refused by the kubelet");
}

#[test]
fn secrets_in_logs_do_not_reach_a_finding() {
    let mut leaky = recorded("crash-app-error.exit-2");
    let pod = &leaky.pods[0].metadata;
    leaky.logs = vec![aifix::model::snapshot::LogTail {
        namespace: pod.namespace.clone(),
        pod: pod.name.clone(),
        container: "app".to_owned(),
        previous: true,
        lines: vec![aifix::model::snapshot::LogLine {
            at: None,
            text: "error: cannot connect postgres://app:hunter2@db/x".to_owned(),
        }],
    }];
    let found = diagnose(&leaky);
    let printed = format!("{:?}", found.findings);
    assert!(printed.contains("cannot connect") && !printed.contains("hunter2"), "{printed}");
}

#[test]
fn a_stateful_set_that_starts_pod_after_pod_is_in_progress() {
    let starting = |ready_since: &str| {
        let mut snapshot = recorded("sts-first-pod-blocked");
        for pod in &mut snapshot.pods {
            let mut value = serde_json::to_value(&*pod).unwrap();
            heal_pod(&mut value);
            value["status"]["conditions"][1]["lastTransitionTime"] = json!(ready_since);
            *pod = serde_json::from_value(value).unwrap();
        }
        for set in snapshot.objects.get_mut("StatefulSet").unwrap() {
            set.body["status"]["readyReplicas"] = json!(1);
        }
        let at = snapshot.taken_at.unwrap().as_second() - 600;
        snapshot.pods[0].metadata.creation_timestamp = jiff::Timestamp::from_second(at).ok();
        let found = diagnose(&snapshot);
        (roots(&found.findings).len(), found.summary.in_progress)
    };
    let now = recorded("sts-first-pod-blocked").taken_at.unwrap();
    let ago = |seconds: i64| jiff::Timestamp::from_second(now.as_second() - seconds).unwrap().to_string();
    assert_eq!(starting(&ago(10)), (0, 1), "db-0 became ready a moment ago");
    assert_eq!(starting(&ago(300)), (1, 0), "nothing makes db-1");
}

#[test]
fn cpu_is_the_cause_only_where_it_stands_against_every_node() {
    let mut later = recorded("preempted");
    later.taken_at = "2026-11-22T17:20:00Z".parse().ok();
    let found = diagnose(&later);
    assert!(of_code(&found, "unschedulable-cpu").is_none(), "one of two nodes is cordoned");
    assert!(of_code(&found, "preempted").is_some());
}

#[test]
fn an_exit_that_a_liveness_probe_brought_about_is_no_error_of_the_program() {
    let handled = edited("probe-server-error.liveness", "Pod", |pod| {
        pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] = json!(1);
    });
    let found = diagnose(&handled);
    assert!(of_code(&found, "crash-app-error").is_none(), "its Killing events name the probe");
    assert!(of_code(&found, "probe-server-error").is_some());
}
