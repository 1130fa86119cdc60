//! What is told beside a code: words, weight, changes, history.

use super::made::crash;
use super::{edited, objects, of_code, snapshot};
use aifix::diagnose::diagnose;
use aifix::model::finding::{Change, Finding, Severity, Source};
use aifix::model::snapshot::Snapshot;
use serde_json::{Value, json};

/// The worst finding.
fn worst(snapshot: &Snapshot) -> Finding {
    diagnose(snapshot).findings.swap_remove(0)
}

#[test]
fn an_exit_code_is_told_with_what_it_means() {
    for (exit, code, words) in [
        (1, "crash-app-error", "exit code 1, 7 restarts"),
        (2, "crash-app-error", "exit code 2 (wrong use of a shell or of arguments, or a panic of a Go program), 7"),
        (64, "crash-app-error", "(wrong use of its arguments)"),
        (77, "crash-app-error", "(no permission)"),
        (101, "crash-app-error", "(a panic of a Rust program)"),
        (126, "crash-exit-126", "a shell may not execute its command"),
        (127, "crash-exit-127", "a shell does not find its command"),
        (129, "crash-app-error", "(signal 1: its terminal is gone)"),
        (130, "crash-app-error", "(signal 2: it was interrupted)"),
        (132, "crash-illegal-instruction", "an instruction that the processor does not have"),
        (134, "crash-abort", "it aborts itself"),
        (135, "crash-app-error", "(signal 7: memory that is not there"),
        (136, "crash-app-error", "(signal 8: wrong arithmetic, such as a division by zero)"),
        (137, "crash-exit-137", "killed by signal 9, not by its memory limit"),
        (139, "crash-segfault", "it ends with a segmentation fault"),
        (141, "crash-app-error", "(signal 13: it wrote to a pipe that nobody reads)"),
        (143, "crash-exit-143", "asked to end by signal 15"),
        (150, "crash-app-error", "exit code 150 (signal 22), 7"),
        (159, "crash-app-error", "(signal 31: a system call that the seccomp profile forbids)"),
        (193, "crash-app-error", "exit code 193, 7 restarts"),
        (255, "crash-app-error", "(an error that it gives no code of its own, or a lost status)"),
    ] {
        let found = worst(&crash(exit, &[]));
        assert_eq!(found.code.name(), code, "{exit}");
        assert!(found.summary.contains(words), "{exit}: {}", found.summary);
    }
}

/// The severity of a crash in a Deployment of three replicas: ready pods of its revision and of the one before.
fn weighed(ready: usize, old: usize) -> Severity {
    let mut all = objects("crash-app-error.exit-2");
    let find = |kind: &str| all.iter().find(|object| object["kind"] == kind).unwrap().clone();
    let (pod, mut set) = (find("Pod"), find("ReplicaSet"));
    set["metadata"]["name"] = json!("web-old");
    set["metadata"]["uid"] = json!("old");
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("0");
    set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("busybox:1.35");
    let is_ready = |name: &str, owner: Option<&Value>| {
        let mut pod = pod.clone();
        pod["metadata"]["name"] = json!(name);
        pod["metadata"]["uid"] = json!(name);
        if let Some(owner) = owner {
            pod["metadata"]["ownerReferences"][0]["name"] = owner["metadata"]["name"].clone();
            pod["metadata"]["ownerReferences"][0]["uid"] = owner["metadata"]["uid"].clone();
        }
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
        pod["status"]["containerStatuses"] =
            json!([{"name": "app", "ready": true, "restartCount": 0, "state": {"running": {}}}]);
        pod
    };
    let here: Vec<Value> = (0..ready).map(|n| is_ready(&format!("web-new-{n}"), None)).collect();
    let there: Vec<Value> = (0..old).map(|n| is_ready(&format!("web-old-{n}"), Some(&set))).collect();
    let web = all.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
    web["spec"]["replicas"] = json!(3);
    web["status"]["readyReplicas"] = json!(ready + old);
    all.push(set);
    all.extend(here.into_iter().chain(there));
    let found = worst(&snapshot("crash-app-error.exit-2", &all));
    assert_eq!((found.code.name(), found.pods.ready, found.pods.desired), ("crash-app-error", ready + old, 3));
    found.severity
}

/// What serves decides, not how long it fails.
#[test]
fn severity_is_what_still_serves() {
    assert_eq!(weighed(0, 0), Severity::Critical, "nothing is ready");
    assert_eq!(weighed(1, 0), Severity::Error, "one of three is ready");
    assert_eq!(weighed(0, 3), Severity::Warning, "all of the old revision serve");
    assert_eq!(weighed(0, 2), Severity::Error, "the old revision lacks one");
    let run = worst(&super::recorded("cronjob-last-run-failed"));
    assert_eq!((run.object.kind.as_str(), run.severity), ("CronJob", Severity::Error), "the next run may end well");
    let later = edited("crash-app-error.exit-2", "Event", |event| event["count"] = json!(4000));
    assert_eq!(worst(&later).severity, Severity::Critical);
}

fn changed(snapshot: &Snapshot) -> Change {
    let found = worst(snapshot);
    found.change.unwrap_or_else(|| panic!("{}: {}", found.code, found.summary))
}

fn fields(change: &Change) -> Vec<String> {
    let told = |value: &Option<Value>| value.as_ref().map_or("absent".to_owned(), Value::to_string);
    change.fields.iter().map(|f| format!("{}: {} -> {}", f.path, told(&f.old), told(&f.new))).collect()
}

#[test]
fn a_stateful_set_is_held_against_the_revision_whose_pods_are_ready() {
    let mut all = objects("sts-on-delete-pending");
    let status =
        objects("crash-app-error.exit-2").into_iter().find(|one| one["kind"] == "Pod").unwrap()["status"].take();
    let set = all.iter_mut().find(|one| one["kind"] == "StatefulSet").unwrap();
    (set["spec"]["replicas"], set["status"]["replicas"]) = (json!(2), json!(2));
    let mut pod = all.iter().find(|one| one["kind"] == "Pod").unwrap().clone();
    for (field, value) in [("name", "db-1"), ("uid", "one"), ("creationTimestamp", "2026-11-22T16:30:00Z")] {
        pod["metadata"][field] = json!(value);
    }
    pod["metadata"]["labels"]["controller-revision-hash"] = json!("db-d9dc74bbf");
    pod["status"] = status;
    all.push(pod);
    let change = changed(&snapshot("sts-on-delete-pending", &all));
    assert_eq!((change.from.as_str(), change.to.as_str(), change.good), ("1", "2", true));
    assert_eq!(
        fields(&change),
        ["spec.template.spec.containers[app].env: absent -> [{\"name\":\"A\",\"value\":\"2\"}]"]
    );
}

#[test]
fn a_daemon_set_is_held_against_the_revision_whose_pods_are_ready() {
    let mut all = objects("ds-unavailable");
    let find = |kind: &str| all.iter().find(|one| one["kind"] == kind).unwrap().clone();
    let (mut revision, mut pod) = (find("ControllerRevision"), find("Pod"));
    all.iter_mut().find(|one| one["kind"] == "ControllerRevision").unwrap()["revision"] = json!(2);
    let set = all.iter_mut().find(|one| one["kind"] == "DaemonSet").unwrap();
    set["status"]["desiredNumberScheduled"] = json!(2);
    set["status"]["numberReady"] = json!(1);
    for object in [&mut revision, &mut pod] {
        object["metadata"]["name"] = json!("agent-old");
        object["metadata"]["uid"] = json!("old");
        object["metadata"]["labels"]["controller-revision-hash"] = json!("old");
    }
    revision["data"]["spec"]["template"]["spec"]["containers"][0]["image"] = json!("busybox:1.35");
    pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    pod["status"]["containerStatuses"] =
        json!([{"name": "app", "ready": true, "restartCount": 0, "state": {"running": {}}}]);
    let without = snapshot("ds-unavailable", &[all.clone(), vec![revision.clone()]].concat());
    assert!(!changed(&without).good, "no pod of it is ready");
    all.extend([revision, pod]);
    let change = changed(&snapshot("ds-unavailable", &all));
    assert_eq!((change.from.as_str(), change.to.as_str(), change.good), ("1", "2", true));
    let image = "spec.template.spec.containers[app].image: \"busybox:1.35\" -> \"busybox:1.36\"";
    assert_eq!(fields(&change), [image]);
}

/// What is told of the past of a finding.
fn past(found: &Finding) -> Vec<&str> {
    found.evidence.iter().filter(|one| one.source == Source::History).map(|one| one.text.as_str()).collect()
}

#[test]
fn both_managers_of_a_recorded_config_map_are_told_of_what_fails() {
    let name = "config-changed-not-reloaded";
    let crash =
        objects("crash-app-error.exit-2").into_iter().find(|one| one["kind"] == "Pod").unwrap()["status"].take();
    let mut all = objects(name);
    let pod = all.iter_mut().find(|one| one["kind"] == "Pod").unwrap();
    pod["status"] = crash;
    let map =
        all.iter_mut().find(|one| one["kind"] == "ConfigMap" && one["metadata"]["managedFields"].is_array()).unwrap();
    // The recording made the map moments before: here it is older than both writes.
    map["metadata"]["creationTimestamp"] = json!("2026-11-22T16:00:00Z");
    // The patch took over the only key: the first manager gets one of its own.
    map["metadata"]["managedFields"][0]["fieldsV1"]["f:data"]["f:LEVEL"] = json!({});
    let known: Vec<Value> = map["data"].as_object().unwrap().values().cloned().collect();
    let found = diagnose(&snapshot(name, &all));
    let told = of_code(&found, "crash-app-error").unwrap();
    let (words, map) = (past(told), "ConfigMap app-config");
    assert_eq!(words.len(), 2, "{words:?}");
    assert!(words[0].starts_with("key LEVEL of ") && words[0].contains("by kubectl-client-side-apply;"), "{words:?}");
    assert!(words[1].starts_with("key MODE of ") && words[1].contains("by kubectl-patch;"), "{words:?}");
    assert!(words.iter().all(|text| text.contains(map)), "{words:?}");
    let value =
        |text: &&str| known.iter().filter_map(Value::as_str).any(|value| value.len() > 3 && text.contains(value));
    assert!(!words.iter().any(value), "{words:?}");
}
