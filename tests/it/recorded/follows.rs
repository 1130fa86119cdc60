//! Faults that follow from other workloads.

use super::diagnosis::roots;
use super::pods::is_of_pods;
use super::{logs, objects, of_code, snapshot, snapshot_with};
use aifix::diagnose::diagnose;
use aifix::model::finding::Severity;
use aifix::model::snapshot::Snapshot;
use serde_json::{Value, json};

/// The objects of a recording, in another namespace and with `web` named anew.
fn moved(name: &str, namespace: &str, web: &str) -> Vec<Value> {
    let all = objects(name);
    let own = all.iter().find_map(|o| o["metadata"]["namespace"].as_str()).unwrap().to_owned();
    let rename = |object: &Value| {
        let text = object.to_string().replace(&own, namespace).replace("\"web", &format!("\"{web}"));
        serde_json::from_str(&text).unwrap()
    };
    all.iter().map(rename).collect()
}

/// Workload `caller` ends with this log line, beside the objects of another recording.
fn beside(name: &str, line: &str) -> Snapshot {
    let mut all = objects(name);
    let namespace = all.iter().find_map(|o| o["metadata"]["namespace"].as_str()).unwrap().to_owned();
    let caller = moved("crash-app-error.exit-2", &namespace, "caller");
    let pod = caller.iter().find(|o| o["kind"] == "Pod").unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    all.extend(caller);
    let said = format!("{}\n== pod/{pod} container=app current\n{line}\n", logs(name));
    snapshot_with(name, &all, &said)
}

fn codes(snapshot: &Snapshot) -> Vec<String> {
    let found = diagnose(snapshot);
    roots(&found.findings).into_iter().filter(is_of_pods).map(|finding| finding.code.to_string()).collect()
}

#[test]
fn a_refused_connection_to_a_service_without_ready_pods_follows_from_their_fault() {
    let found = diagnose(&beside("sts-first-pod-blocked", "Error: connect ECONNREFUSED db:5432"));
    let all: Vec<_> = roots(&found.findings).into_iter().filter(is_of_pods).collect();
    let [root] = all.as_slice() else { panic!("{:?}", found.findings) };
    assert_eq!((root.code.name(), root.object.to_string()), ("probe-path-missing", "StatefulSet/db".to_owned()));
    let caller = |code: &str| root.effects.iter().any(|e| e.code.name() == code && e.object.name == "caller");
    assert!(caller("crash-dependency-refused"), "{:?}", root.effects);
    assert!(caller("deployment-unavailable") || caller("rollout-stalled"), "its own effects come along");
    assert_eq!(found.summary.failing, 2);
}

#[test]
fn a_name_that_no_service_has_is_a_root_of_its_own() {
    let made = beside("sts-first-pod-blocked", "dial tcp: lookup dbb on 10.96.0.10:53: no such host");
    let mut all = codes(&made);
    all.sort();
    assert_eq!(all, ["crash-dns", "probe-path-missing"]);
    let found = diagnose(&made);
    let summary = &of_code(&found, "crash-dns").unwrap().summary;
    assert!(summary.contains("no Service has that name; db does"), "{summary}");
}

#[test]
fn an_external_host_is_not_looked_for_among_services() {
    let found =
        diagnose(&beside("sts-first-pod-blocked", "dial tcp: lookup db.example.com on 10.96.0.10:53: no such host"));
    let finding = of_code(&found, "crash-dns").unwrap();
    assert_eq!(finding.facts.pointer("/target/internal"), Some(&json!(false)));
    assert!(!finding.summary.contains("Service"), "{}", finding.summary);
}

#[test]
fn a_port_that_the_service_does_not_have_is_said() {
    let found = diagnose(&beside("service-target-port-mismatch", "dial tcp: web:9999: connect: connection refused"));
    let finding = of_code(&found, "crash-dependency-refused").unwrap();
    assert!(finding.summary.contains("Service web has no port 9999"), "{}", finding.summary);
}

#[test]
fn a_service_that_refuses_while_its_pods_are_ready_lacks_a_readiness_probe() {
    let severity = |line: &str| {
        let found = diagnose(&beside("service-target-port-mismatch", line));
        of_code(&found, "probe-missing").map(|finding| finding.severity)
    };
    assert_eq!(severity("dial tcp: web:80: connect: connection refused"), Some(Severity::Info));
    assert_eq!(severity("dial tcp: web:80: i/o timeout"), None);
}

#[test]
fn workloads_that_wait_for_each_other_are_one_incident_without_a_root() {
    let namespace = "ring";
    let mut all = moved("crash-app-error.exit-2", namespace, "a");
    let twin = |object: &Value| {
        let text = object.to_string().replace("\"uid\":\"", "\"uid\":\"b-");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    all.extend(moved("crash-app-error.exit-2", namespace, "b").iter().map(twin));
    for name in ["a", "b"] {
        all.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}}));
    }
    let pods: Vec<String> =
        all.iter().filter(|o| o["kind"] == "Pod").map(|o| o["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    let text = |pod: &str, host: &str| format!("== pod/{pod} container=app current\nECONNREFUSED {host}:80\n");
    let made = snapshot_with("crash-app-error.exit-2", &all, &(text(&pods[0], "b") + &text(&pods[1], "a")));
    let found = diagnose(&made);
    assert_eq!(codes(&made), ["crash-dependency-refused"], "one incident");
    assert!(found.findings[0].summary.contains("the root is not known"), "{}", found.findings[0].summary);
}

/// An init container of `web` that has run since then with this log line.
fn waiting(since: &str, line: &str, sts: bool) -> Snapshot {
    let namespace =
        objects("sts-first-pod-blocked").iter().find_map(|o| o["metadata"]["namespace"].as_str().map(str::to_owned));
    let namespace = namespace.unwrap();
    let mut all = moved("init-container-failing", &namespace, "web");
    for pod in all.iter_mut().filter(|o| o["kind"] == "Pod") {
        let status = &mut pod["status"]["initContainerStatuses"][0];
        status["state"] = json!({"running": {"startedAt": since}});
        status["lastState"] = json!({});
        status["restartCount"] = json!(0);
    }
    let pod = all.iter().find(|o| o["kind"] == "Pod").unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    if sts {
        all.extend(objects("sts-first-pod-blocked"));
    }
    let said = format!("== pod/{pod} container=migrate current\n{line}\n");
    let mut made = snapshot_with("init-container-failing", &all, &said);
    made.taken_at = "2026-11-22T17:30:00Z".parse().ok();
    made
}

#[test]
fn an_init_container_that_waits_is_told_with_what_it_waits_for() {
    let found = diagnose(&waiting("2026-11-22T17:00:00Z", "waiting for db:5432", false));
    let finding = of_code(&found, "init-container-stuck").unwrap();
    assert!(finding.summary.contains("waits for db:5432"), "{}", finding.summary);
    let found = diagnose(&waiting("2026-11-22T17:00:00Z", "waiting for db:5432", true));
    assert!(of_code(&found, "init-container-stuck").is_none(), "it follows from the database");
    let root = of_code(&found, "probe-path-missing").unwrap();
    assert!(root.effects.iter().any(|e| e.code.name() == "init-container-stuck"), "{:?}", root.effects);
    let found = diagnose(&waiting("2026-11-22T17:29:30Z", "waiting for db:5432", false));
    assert!(of_code(&found, "init-container-stuck").is_none(), "half a minute");
    let found = diagnose(&waiting("2026-11-22T17:00:00Z", "connected to db:5432", false));
    assert!(of_code(&found, "init-container-stuck").is_none(), "it works");
}

#[test]
fn a_tag_that_moved_is_a_hypothesis_beside_the_fault() {
    let made = |bad: &str| {
        let mut all = objects("crash-app-error.exit-2");
        let mut good = all.iter().find(|o| o["kind"] == "Pod").unwrap().clone();
        good["metadata"]["name"] = json!("web-good");
        good["metadata"]["uid"] = json!("good");
        super::diagnosis::heal_pod(&mut good);
        good["status"]["containerStatuses"][0]["imageID"] = json!("docker.io/library/busybox@sha256:aa");
        for pod in all.iter_mut().filter(|o| o["kind"] == "Pod") {
            pod["status"]["containerStatuses"][0]["imageID"] = json!(format!("docker.io/library/busybox@sha256:{bad}"));
        }
        all.push(good);
        let found = diagnose(&snapshot("crash-app-error.exit-2", &all));
        let fault = of_code(&found, "crash-app-error").unwrap();
        let told = fault
            .evidence
            .iter()
            .any(|one| one.text.starts_with("possible cause: ") && one.text.contains("(image-tag-moved)"));
        assert_eq!(told, bad != "aa", "it hangs under the fault: {:?}", fault.evidence);
        of_code(&found, "image-tag-moved").map(|finding| finding.severity)
    };
    assert_eq!(made("bb"), Some(Severity::Info));
    assert_eq!(made("aa"), None);
}
