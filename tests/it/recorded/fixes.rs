//! Which edit each recording leads to, or which refusal.

use super::answered::candidates;
use super::{edited, objects, of_code, recorded, snapshot};
use aifix::diagnose::diagnose;
use aifix::model::intent::{Disposition, Intent};
use aifix::model::kube::Keyed;
use aifix::model::snapshot::Snapshot;
use serde_json::{Value, json};

/// The first candidate for the code of a recording.
fn fixed(snapshot: &Snapshot, code: &str) -> Result<Intent, (&'static str, Vec<String>)> {
    let found = diagnose(snapshot);
    let finding = of_code(&found, code).unwrap();
    candidates(snapshot, finding).map(|all| all[0].clone()).map_err(|refusal| (refusal.code, refusal.details))
}

/// `path: old -> new` of each edit.
fn edits(intent: &Intent) -> Vec<String> {
    let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
    intent.edits.iter().map(|e| format!("{}: {} -> {}", e.path, shown(&e.old), shown(&e.new))).collect()
}

#[test]
fn rules_make_exactly_the_edit_that_facts_decide() {
    let container = "spec.template.spec.containers[app]";
    for (name, code, want, disposition) in [
        (
            "oom-killed",
            "oom-killed",
            format!("{container}.resources.limits.memory: \"32Mi\" -> \"64Mi\""),
            Disposition::Review,
        ),
        (
            "oom-killed.exit-1",
            "oom-killed",
            format!("{container}.resources.limits.memory: \"32Mi\" -> \"64Mi\""),
            Disposition::Review,
        ),
        (
            "rollout-stalled",
            "image-not-found",
            format!("{container}.image: \"localhost:5055/app/web:9.9\" -> \"lab/web:1\""),
            Disposition::Safe,
        ),
        (
            "configmap-missing",
            "configmap-missing",
            format!("{container}.envFrom[0].configMapRef.name: \"app-confg\" -> \"app-config\""),
            Disposition::Review,
        ),
        (
            "secret-key-missing",
            "secret-key-missing",
            format!("{container}.env[PW].valueFrom.secretKeyRef.key: \"passwd\" -> \"password\""),
            Disposition::Review,
        ),
        (
            "probe-port-mismatch",
            "probe-port-mismatch",
            format!("{container}.readinessProbe.httpGet.port: 8081 -> 8080"),
            Disposition::Review,
        ),
        (
            "probe-port-mismatch.tcp",
            "probe-port-mismatch",
            format!("{container}.readinessProbe.tcpSocket.port: 5432 -> 8080"),
            Disposition::Review,
        ),
        (
            "probe-port-mismatch.grpc",
            "probe-port-mismatch",
            format!("{container}.readinessProbe.grpc.port: 9000 -> 8080"),
            Disposition::Review,
        ),
        (
            "probe-port-mismatch.liveness",
            "probe-port-mismatch",
            format!("{container}.livenessProbe.httpGet.port: 9090 -> 8080"),
            Disposition::Review,
        ),
        (
            "service-selector-mismatch",
            "service-selector-mismatch",
            "spec.selector.app: \"webb\" -> \"web\"".to_owned(),
            Disposition::Safe,
        ),
    ] {
        let intent = fixed(&recorded(name), code).unwrap();
        assert_eq!(edits(&intent), [want], "{name}");
        assert_eq!(intent.disposition, disposition, "{name}: {:?}", intent.review);
        assert_eq!(intent.review.is_empty(), disposition == Disposition::Safe, "{name}");
        assert!(intent.subject.chars().count() <= 55, "{}", intent.subject);
    }
}

#[test]
fn what_facts_do_not_decide_is_refused_by_name() {
    for (name, code, refusal) in [
        ("image-not-found", "image-not-found", "needs-choice"),
        ("command-not-found", "command-not-found", "needs-judgement"),
        ("crash-app-error.exit-2", "crash-app-error", "needs-judgement"),
        ("unschedulable-cpu", "unschedulable-cpu", "needs-choice"),
        ("probe-port-mismatch.exit-0", "probe-port-mismatch", "needs-judgement"),
        ("job-pod-failure-policy", "crash-app-error", "needs-judgement"),
        ("admission-policy-denied", "admission-policy-denied", "needs-judgement"),
    ] {
        assert_eq!(fixed(&recorded(name), code).map_err(|(code, _)| code), Err(refusal), "{name}");
    }
}

/// A snapshot of these objects with what is odd about the values of ConfigMaps.
fn with_values(name: &str, all: &[Value]) -> Snapshot {
    let maps = all.iter().filter(|object| object["kind"] == "ConfigMap");
    let maps = maps.filter_map(Keyed::config_map).collect();
    Snapshot { config_maps: maps, ..snapshot(name, all) }
}

#[test]
fn only_the_script_that_runs_and_that_was_seen_to_end_its_lines_so_is_written_anew() {
    let with = |edit: &dyn Fn(&mut Value)| {
        let mut all = objects("script-crlf");
        all.iter_mut().filter(|object| object["kind"] == "ConfigMap").for_each(|map| edit(&mut map["data"]));
        let seen = with_values("script-crlf", &all);
        fixed(&seen, "script-crlf").map(|intent| edits(&intent)).map_err(|(code, _)| code)
    };
    let own = Ok(vec!["data[\"run.sh\"]: - -> -".to_owned()]);
    assert_eq!(with(&|data| data["start.bat"] = json!("@echo off\r\n")), own, "what is meant so stays");
    for text in ["#!/bin/none\necho hi\n", "#!/bin/none\nprintf 'GET / HTTP/1.1\r\n'\n", "echo hi\r\n"] {
        assert_eq!(with(&|data| data["run.sh"] = json!(text)), Err("needs-judgement"), "{text:?}");
    }
    let other = |data: &mut Value| *data = json!({"run.sh": "#!/bin/none\n", "other.sh": "#!/bin/sh\r\n"});
    assert_eq!(with(&other), Err("needs-judgement"), "another key is not what runs");
}

#[test]
fn a_script_is_found_by_the_items_of_its_volume() {
    let moved = |items: Value, log: &str| {
        let mut all = objects("script-crlf");
        for object in &mut all {
            for pointer in ["/spec/template/spec", "/spec"] {
                if let Some(spec) = object.pointer_mut(pointer).filter(|spec| spec["volumes"].is_array()) {
                    for volume in spec["volumes"].as_array_mut().unwrap().iter_mut().filter(|one| one["name"] == "v") {
                        volume["configMap"]["items"] = items.clone();
                    }
                }
            }
        }
        if log.starts_with("sh: ") {
            for pod in all.iter_mut().filter(|object| object["kind"] == "Pod") {
                pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] = json!(127);
            }
        }
        let mut seen = with_values("script-crlf", &all);
        seen.logs.iter_mut().flat_map(|tail| &mut tail.lines).for_each(|line| log.clone_into(&mut line.text));
        fixed(&seen, "script-crlf").map(|intent| edits(&intent)).map_err(|(code, _)| code)
    };
    let own = Ok(vec!["data[\"run.sh\"]: - -> -".to_owned()]);
    let items = json!([{"key": "run.sh", "path": "bin/start"}]);
    assert_eq!(moved(items.clone(), "exec /b/bin/start: no such file or directory"), own);
    assert_eq!(moved(items.clone(), "sh: /b/bin/start: not found"), own, "a shell says it in other words");
    assert_eq!(moved(items.clone(), "bash: /b/bin/start: /bin/sh^M: bad interpreter: No such file or directory"), own);
    assert_eq!(moved(items, "exec /b/run.sh: no such file or directory"), Err("needs-judgement"));
}

/// A node of this much memory, and the lists that say there is no quota and no LimitRange.
fn with_lists(mut snapshot: Snapshot, memory: &str) -> Snapshot {
    let node =
        json!({"kind": "Node", "metadata": {"name": "n"}, "status": {"allocatable": {"memory": memory, "cpu": "2"}}});
    snapshot.objects.insert("Node".to_owned(), vec![serde_json::from_value(node).unwrap()]);
    snapshot.objects.entry("LimitRange".to_owned()).or_default();
    snapshot.objects.entry("ResourceQuota".to_owned()).or_default();
    snapshot
}

#[test]
fn a_memory_limit_is_raised_safely_when_node_and_quota_are_known() {
    let intent = fixed(&with_lists(recorded("oom-killed"), "2Gi"), "oom-killed").unwrap();
    assert_eq!(
        (intent.disposition, intent.subject.as_str()),
        (Disposition::Safe, "Raise the memory limit of container app to 64Mi")
    );
}

#[test]
fn a_memory_limit_is_capped_by_node_quota_and_limit_range() {
    let capped = |memory: &str, kind: &str, body: Value| {
        let mut snapshot = with_lists(recorded("oom-killed"), memory);
        let mut object = body;
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": "x", "namespace": "cat-oom-killed"});
        snapshot.objects.insert(kind.to_owned(), vec![serde_json::from_value(object).unwrap()]);
        fixed(&snapshot, "oom-killed").map(|intent| edits(&intent)[0].clone()).map_err(|(code, _)| code)
    };
    let path = "spec.template.spec.containers[app].resources.limits.memory: \"32Mi\" ->";
    let range = |max: &str| json!({"spec": {"limits": [{"type": "Container", "max": {"memory": max}}]}});
    let quota = |hard: &str| json!({"status": {"hard": {"limits.memory": hard}, "used": {"limits.memory": "32Mi"}}});
    assert_eq!(capped("2Gi", "LimitRange", range("48Mi")), Ok(format!("{path} \"48Mi\"")));
    assert_eq!(capped("2Gi", "LimitRange", range("36Mi")), Err("needs-choice"));
    // One pod more for the surge: 32Mi, so 96Mi leave 32Mi for growth.
    assert_eq!(capped("2Gi", "ResourceQuota", quota("96Mi")), Ok(format!("{path} \"64Mi\"")));
    assert_eq!(capped("2Gi", "ResourceQuota", quota("70Mi")), Err("needs-choice"));
    assert_eq!(capped("40Mi", "ResourceQuota", quota("1Gi")), Err("needs-choice"));
}

#[test]
fn a_single_memory_kill_is_for_a_person() {
    let once = with_lists(
        edited("oom-killed", "Pod", |pod| pod["status"]["containerStatuses"][0]["restartCount"] = json!(1)),
        "2Gi",
    );
    assert_eq!(fixed(&once, "oom-killed").unwrap().disposition, Disposition::Review);
}

#[test]
fn a_service_on_the_declared_port_makes_a_probe_fix_safe_but_never_that_of_a_liveness_probe() {
    let serve = |name: &str| {
        let mut all = objects(name);
        let namespace = all.iter().find_map(|o| o["metadata"]["namespace"].as_str()).unwrap().to_owned();
        all.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": namespace},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}}));
        fixed(&snapshot(name, &all), "probe-port-mismatch").unwrap().disposition
    };
    assert_eq!(serve("probe-port-mismatch"), Disposition::Safe);
    assert_eq!(serve("probe-port-mismatch.liveness"), Disposition::Review);
}

#[test]
fn a_port_that_the_settings_name_is_left_alone() {
    let named = |object: &mut Value| {
        object["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{"name": "ADMIN", "value": ":8081"}]);
    };
    let meant = edited("probe-port-mismatch", "Deployment", named);
    // Pods of an earlier template are not judged, so the ReplicaSet has it too.
    let mut meant = meant;
    for set in meant.objects.get_mut("ReplicaSet").unwrap() {
        let mut value = set.to_value();
        named(&mut value);
        *set = serde_json::from_value(value).unwrap();
    }
    assert_eq!(fixed(&meant, "probe-port-mismatch").map_err(|(code, _)| code), Err("needs-judgement"));
}

#[test]
fn an_edit_waits_while_the_live_template_is_not_that_of_the_failing_pods() {
    let moved = edited("oom-killed", "Deployment", |deployment| {
        let limits = &mut deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"];
        limits["memory"] = json!("64Mi");
    });
    assert_eq!(fixed(&moved, "oom-killed").map_err(|(code, _)| code), Err("drifted"));
}

#[test]
fn an_edit_of_what_an_operator_makes_belongs_to_the_operator() {
    let operated = edited("oom-killed", "Deployment", |deployment| {
        deployment["metadata"]["ownerReferences"] = json!([
            {"apiVersion": "x.io/v1", "kind": "App", "name": "shop", "uid": "u", "controller": true}
        ]);
    });
    let found = diagnose(&operated);
    let finding = of_code(&found, "oom-killed").unwrap();
    assert_eq!(finding.object.to_string(), "App/shop");
    assert!(finding.evidence.iter().any(|e| e.text.contains("owner not inspected")));
    assert_eq!(candidates(&operated, finding).unwrap_err().code, "not-in-git");
}

#[test]
fn a_gap_of_config_maps_makes_the_closest_name_unknown() {
    let mut blind = recorded("configmap-missing");
    blind.config_maps.clear();
    blind.gaps.push(aifix::model::snapshot::Gap {
        what: "configmaps in namespace x".to_owned(),
        why: "forbidden".to_owned(),
        essential: false,
        codes: Vec::new(),
    });
    assert_eq!(fixed(&blind, "configmap-missing").map_err(|(code, _)| code), Err("needs-choice"));
}

#[test]
fn without_reading_secrets_their_keys_are_not_chosen() {
    let mut blind = recorded("secret-key-missing");
    blind.secrets.clear();
    assert_eq!(fixed(&blind, "secret-key-missing").map_err(|(code, _)| code), Err("not-in-git"));
}

#[test]
fn a_value_that_worked_is_no_typo() {
    let gone =
        edited("configmap-missing", "Pod", |pod| pod["status"]["containerStatuses"][0]["restartCount"] = json!(1));
    assert_eq!(fixed(&gone, "configmap-missing").map_err(|(code, _)| code), Err("needs-choice"));
}

#[test]
fn what_changed_beside_the_image_is_left_alone_and_named() {
    let mut all = objects("rollout-stalled");
    for object in all.iter_mut().filter(|o| o["kind"] == "ReplicaSet" && o["status"]["readyReplicas"].is_number()) {
        object["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["--old"]);
    }
    let intent = fixed(&snapshot("rollout-stalled", &all), "image-not-found").unwrap();
    assert_eq!(intent.edits.len(), 1);
    assert_eq!(intent.disposition, Disposition::Review);
    assert!(intent.review.iter().any(|why| why.contains(".args")), "{:?}", intent.review);
}

#[test]
fn a_mistyped_key_of_a_selector_is_replaced() {
    let wrong = edited("service-selector-mismatch", "Service", |service| {
        service["spec"]["selector"] = json!({"componnent": "shop"});
    });
    let mut wrong = wrong;
    for deployment in wrong.objects.get_mut("Deployment").unwrap() {
        let mut value = deployment.to_value();
        value["spec"]["template"]["metadata"]["labels"] = json!({"component": "shop"});
        *deployment = serde_json::from_value(value).unwrap();
    }
    let intent = fixed(&wrong, "service-selector-mismatch").unwrap();
    assert_eq!(edits(&intent), ["spec.selector.componnent: \"shop\" -> -", "spec.selector.component: - -> \"shop\""]);
}

#[test]
fn a_selector_that_means_a_role_is_for_a_person() {
    let mut canary = edited("service-selector-mismatch", "Service", |service| {
        service["spec"]["selector"] = json!({"app": "web", "track": "stabel"});
    });
    for deployment in canary.objects.get_mut("Deployment").unwrap() {
        let mut value = deployment.to_value();
        value["spec"]["template"]["metadata"]["labels"]["track"] = json!("stable");
        *deployment = serde_json::from_value(value).unwrap();
    }
    assert_eq!(fixed(&canary, "service-selector-mismatch").map_err(|(code, _)| code), Err("needs-choice"));
}

#[test]
fn a_request_that_fits_no_node_goes_back_to_that_of_the_good_revision() {
    let mut all = objects("unschedulable-cpu");
    let mut old = all.iter().find(|o| o["kind"] == "ReplicaSet").unwrap().clone();
    old["metadata"]["name"] = json!("web-old");
    old["metadata"]["uid"] = json!("old");
    old["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("0");
    old["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("500m");
    old["status"] = json!({"readyReplicas": 1, "replicas": 1});
    all.push(old);
    let intent = fixed(&snapshot("unschedulable-cpu", &all), "unschedulable-cpu").unwrap();
    let path = "spec.template.spec.containers[app].resources.requests.cpu";
    assert_eq!((edits(&intent), intent.disposition), (vec![format!("{path}: \"64\" -> \"500m\"")], Disposition::Safe));
}

#[test]
fn a_command_goes_back_when_the_image_is_the_same() {
    let before = |edit: &dyn Fn(&mut Value)| {
        let mut all = objects("command-not-found");
        let mut old = all.iter().find(|o| o["kind"] == "ReplicaSet").unwrap().clone();
        old["metadata"]["name"] = json!("web-old");
        old["metadata"]["uid"] = json!("old");
        old["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("0");
        edit(&mut old["spec"]["template"]["spec"]["containers"][0]);
        old["status"] = json!({"readyReplicas": 1, "replicas": 1});
        all.push(old);
        fixed(&snapshot("command-not-found", &all), "command-not-found")
    };
    let back = before(&|container| container["command"] = json!(["/bin/server"])).unwrap();
    assert_eq!(
        edits(&back),
        [r#"spec.template.spec.containers[app].command: ["/usr/local/bin/server","--port=80"] -> ["/bin/server"]"#]
    );
    assert_eq!(back.disposition, Disposition::Safe);
    let moved = before(&|container| container["image"] = json!("busybox:1.35"));
    assert_eq!(moved.map_err(|(code, _)| code), Err("needs-choice"));
}

#[test]
fn the_only_change_before_a_crash_is_put_back_for_review_unless_it_protects() {
    let before = |edit: &dyn Fn(&mut Value)| {
        let mut all = objects("crash-app-error.exit-2");
        let mut old = all.iter().find(|o| o["kind"] == "ReplicaSet").unwrap().clone();
        old["metadata"]["name"] = json!("web-old");
        old["metadata"]["uid"] = json!("old");
        old["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("0");
        edit(&mut old["spec"]["template"]["spec"]["containers"][0]);
        old["status"] = json!({"readyReplicas": 1, "replicas": 1});
        all.push(old);
        fixed(&snapshot("crash-app-error.exit-2", &all), "crash-app-error").map_err(|(code, _)| code)
    };
    let back = before(&|container| container["env"] = json!([{"name": "MODE", "value": "a"}])).unwrap();
    assert_eq!(edits(&back), [r#"spec.template.spec.containers[app].env: - -> [{"name":"MODE","value":"a"}]"#]);
    assert_eq!(back.disposition, Disposition::Review);
    let looser = before(&|container| container["securityContext"] = json!({"privileged": true}));
    assert_eq!(looser, Err("weakens"));
    let without = before(&|container| container["readinessProbe"] = json!({"tcpSocket": {"port": 1}}));
    assert!(without.is_ok(), "a probe may come back: {without:?}");
}

#[test]
fn of_a_revision_that_never_proved_to_work_one_change_is_for_review_and_more_are_a_choice() {
    let previous = |more: bool| {
        let mut all = objects("rollout-stalled");
        all.retain(|o| o["kind"] != "Pod" || o["metadata"]["name"].as_str().unwrap().contains("6fd565c56d"));
        for object in all.iter_mut().filter(|o| o["kind"] == "ReplicaSet" && o["status"]["readyReplicas"].is_number()) {
            object["status"] = json!({"replicas": 0});
            if more {
                object["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["--old"]);
            }
        }
        fixed(&snapshot("rollout-stalled", &all), "image-not-found")
    };
    assert_eq!(previous(false).unwrap().disposition, Disposition::Review);
    let (code, details) = previous(true).unwrap_err();
    assert_eq!((code, details.len()), ("needs-choice", 2), "{details:?}");
}

/// Tests that make cases, for the table of classes.
pub(super) const MADE: [fn(); 21] = [
    only_the_script_that_runs_and_that_was_seen_to_end_its_lines_so_is_written_anew,
    a_script_is_found_by_the_items_of_its_volume,
    rules_make_exactly_the_edit_that_facts_decide,
    what_facts_do_not_decide_is_refused_by_name,
    a_memory_limit_is_raised_safely_when_node_and_quota_are_known,
    a_memory_limit_is_capped_by_node_quota_and_limit_range,
    a_single_memory_kill_is_for_a_person,
    a_service_on_the_declared_port_makes_a_probe_fix_safe_but_never_that_of_a_liveness_probe,
    a_port_that_the_settings_name_is_left_alone,
    an_edit_waits_while_the_live_template_is_not_that_of_the_failing_pods,
    an_edit_of_what_an_operator_makes_belongs_to_the_operator,
    a_gap_of_config_maps_makes_the_closest_name_unknown,
    without_reading_secrets_their_keys_are_not_chosen,
    a_value_that_worked_is_no_typo,
    what_changed_beside_the_image_is_left_alone_and_named,
    a_mistyped_key_of_a_selector_is_replaced,
    a_selector_that_means_a_role_is_for_a_person,
    a_request_that_fits_no_node_goes_back_to_that_of_the_good_revision,
    a_command_goes_back_when_the_image_is_the_same,
    the_only_change_before_a_crash_is_put_back_for_review_unless_it_protects,
    of_a_revision_that_never_proved_to_work_one_change_is_for_review_and_more_are_a_choice,
];
