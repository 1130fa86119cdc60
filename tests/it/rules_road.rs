//! From what a cluster reports to a proved edit, for objects of many kinds.

use crate::harness::{Sandbox, recorded};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Kinds that are kept in Git.
const KEPT: [&str; 6] = ["Deployment", "StatefulSet", "CronJob", "Service", "Ingress", "PersistentVolumeClaim"];

/// The manifests of a snapshot's objects, as a person keeps them: no status, nothing that the cluster wrote.
fn manifests(items: &[Value]) -> Vec<(String, String)> {
    let kept = items
        .iter()
        .filter(|item| KEPT.iter().any(|kind| item["kind"] == *kind) && item["metadata"]["ownerReferences"].is_null());
    kept.map(|item| {
        let mut own = item.clone();
        own.as_object_mut().unwrap().shift_remove("status");
        let keep = ["name", "namespace", "labels"];
        own["metadata"].as_object_mut().unwrap().retain(|key, _| keep.contains(&key.as_str()));
        let name =
            format!("k8s/{}-{}.yaml", item["kind"].as_str().unwrap(), item["metadata"]["name"].as_str().unwrap());
        (name, aifix::yaml::edit::render(&own))
    })
    .collect()
}

/// The lines that a proposal for `target` takes and adds.
fn proposed(sandbox: &Sandbox, items: &[Value], from: &str, target: &str) -> Vec<String> {
    chosen(sandbox, items, from, target, &[])
}

/// The same, with the number of the change that a person chose.
fn chosen(sandbox: &Sandbox, items: &[Value], from: &str, target: &str, more: &[&str]) -> Vec<String> {
    let files = manifests(items);
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    sandbox.repository(&files);
    let patch =
        sandbox.aifix_in("work", &[&["propose", target, "--from", from, "-o", "patch"], more].concat()).exits(0).out;
    let changed = |line: &&str| {
        (line.starts_with('-') || line.starts_with('+')) && !line.starts_with("---") && !line.starts_with("+++")
    };
    let short = |line: &str| format!("{}{}", &line[..1], line[1..].trim());
    patch.lines().filter(changed).map(short).collect()
}

#[test]
fn recorded_faults_of_many_kinds_end_in_a_proved_edit() {
    for (folder, target, want) in [
        ("ingress-backend-port-missing", "ingress/web", &["-number: 8080", "+number: 80"][..]),
        ("pvc-no-matching-volume.named", "pvc/data", &["-storage: 5Gi", "+storage: 1Gi"]),
        ("limitrange-ratio", "deployment/web", &["-memory: 16Mi", "+memory: 32Mi"]),
        ("service-target-port-mismatch", "service/web", &["-targetPort: 8081", "+targetPort: 8080"]),
        ("service-named-port-missing", "service/web", &["-targetPort: web", "+targetPort: http"]),
        (
            "rollout-surge-blocked.quota",
            "deployment/web",
            &["-maxSurge: 25%", "-maxUnavailable: 25%", "+maxSurge: 0", "+maxUnavailable: 1"],
        ),
    ] {
        let from = recorded(folder);
        let list: Value =
            serde_json::from_str(&fs::read_to_string(Path::new(&from).join("objects.json")).unwrap()).unwrap();
        let got = proposed(&Sandbox::new(), list["items"].as_array().unwrap(), &from, target);
        assert_eq!(got, want, "{folder}");
    }
}

const OLD: &str = "2026-11-22T16:00:00Z";

/// These objects as a file that aifix reads, in namespace `a`.
fn saved(sandbox: &Sandbox, items: &mut [Value]) -> String {
    for item in items.iter_mut() {
        let name = format!("{}-{}", item["kind"].as_str().unwrap(), item["metadata"]["name"].as_str().unwrap());
        item["metadata"]["namespace"] = json!("a");
        item["metadata"]["uid"] = json!(name);
        item["metadata"]["creationTimestamp"] = json!(OLD);
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    sandbox.write("snapshot/taken-at", "2026-11-22T17:00:00Z");
    sandbox.write("snapshot/objects.json", &list.to_string()).parent().unwrap().to_str().unwrap().to_owned()
}

fn owner(kind: &str, api_version: &str, name: &str) -> Value {
    json!([{"apiVersion": api_version, "kind": kind, "name": name, "uid": format!("{kind}-{name}"), "controller": true}])
}

#[test]
fn a_variable_moves_before_its_use_and_nothing_else_changes() {
    let env = json!([{"name": "URL", "value": "pg:$(HOST)"}, {"name": "HOST", "value": "db"}]);
    let spec = json!({"containers": [{"name": "app", "image": "shop:1", "env": env}]});
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": spec});
    let crashed = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "app", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": OLD}}}]});
    let mut items = [
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}}),
        json!({"apiVersion": "v1", "kind": "Pod", "spec": spec, "status": crashed,
            "metadata": {"name": "web-0", "labels": {"app": "web"}, "ownerReferences": owner("StatefulSet", "apps/v1", "web")}}),
    ];
    let sandbox = Sandbox::new();
    let from = saved(&sandbox, &mut items);
    let got = proposed(&sandbox, &items, &from, "statefulset/web");
    let (taken, added): (Vec<&String>, Vec<&String>) = got.iter().partition(|line| line.starts_with('-'));
    let bare = |lines: Vec<&String>| {
        let mut lines: Vec<String> = lines.iter().map(|line| line[1..].to_owned()).collect();
        lines.sort();
        lines
    };
    assert!(!taken.is_empty() && bare(taken) == bare(added), "lines move, none is written anew: {got:?}");
}

#[test]
fn a_helper_of_a_cron_job_becomes_a_sidecar() {
    let spec = json!({"restartPolicy": "Never", "containers": [{"name": "app", "image": "shop:1"}, {"name": "istio-proxy", "image": "proxy:1"}]});
    let job = json!({"template": {"metadata": {"labels": {"app": "report"}}, "spec": spec}});
    let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [
        {"name": "app", "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": OLD}}},
        {"name": "istio-proxy", "ready": true, "state": {"running": {"startedAt": OLD}}}]});
    let mut items = [
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"},
            "spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": job}}, "status": {"lastScheduleTime": OLD}}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "spec": job, "status": {"startTime": OLD, "active": 1},
            "metadata": {"name": "report-1", "ownerReferences": owner("CronJob", "batch/v1", "report")}}),
        json!({"apiVersion": "v1", "kind": "Pod", "spec": spec, "status": status,
            "metadata": {"name": "report-1-a", "labels": {"app": "report"}, "ownerReferences": owner("Job", "batch/v1", "report-1")}}),
    ];
    let sandbox = Sandbox::new();
    let from = saved(&sandbox, &mut items);
    assert_eq!(proposed(&sandbox, &items, &from, "cronjob/report"), ["+initContainers:", "+restartPolicy: Always"]);
}

#[test]
fn a_path_that_the_repository_lacks_becomes_its_one_close_folder() {
    for (folder, kind, object) in [
        ("flux-ks-wrong-path", "Kustomization", "kustomization/wrong-path"),
        ("argo-wrong-path", "Application", "application/cart"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded-gitops").join(folder);
        let text = fs::read_to_string(path.join("objects.json")).unwrap().replace("overlays/staging", "apps/shpo");
        let list: Value = serde_json::from_str(&text).unwrap();
        let mut own = list["items"].as_array().unwrap().iter().find(|item| item["kind"] == kind).unwrap().clone();
        let namespace = own["metadata"]["namespace"].clone();
        own["metadata"] = json!({"name": own["metadata"]["name"], "namespace": namespace});
        own.as_object_mut().unwrap().shift_remove("status");
        let own = aifix::yaml::edit::render(&own);
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\n";
        let propose = |folders: &[&str], more: &[&str]| {
            let sandbox = Sandbox::new();
            let from = sandbox.write("seen.json", &text);
            let files: Vec<String> = folders.iter().map(|folder| format!("{folder}/shop.yaml")).collect();
            let mut all = vec![("clusters/one.yaml", own.as_str())];
            all.extend(files.iter().map(|file| (file.as_str(), map)));
            sandbox.repository(&all);
            sandbox.aifix_in("work", &[&["propose", object, "--from", from.to_str().unwrap()][..], more].concat())
        };
        let out = propose(&["apps/shop", "apps/cart"], &["-o", "json"]).exits(0).json();
        let proposal = &out["proposals"][0];
        let edit = &proposal["edits"][0];
        assert_eq!(edit["file"], "clusters/one.yaml", "{proposal:#}");
        let prefix = if kind == "Kustomization" { "./" } else { "" };
        assert_eq!(edit["new"], format!("{prefix}apps/shop"), "{proposal:#}");
        assert_eq!(proposal["disposition"], "review");
        for others in [&["apps/cart"][..], &["apps/shop-1", "apps/shop-2"], &["apps/shop", "apps/shoo"]] {
            let refused = propose(others, &["-o", "json"]).exits(4).json();
            assert_eq!(refused["proposals"][0]["refusal"]["code"], "not-in-git", "{others:?}: {refused:#}");
        }
    }
}

#[test]
fn one_of_two_entries_of_a_variable_goes_and_the_other_stays() {
    let env = json!([{"name": "LEVEL", "value": "info"}, {"name": "MODE", "value": "x"}, {"name": "LEVEL", "value": "debug"}]);
    let spec = json!({"containers": [{"name": "app", "image": "shop:1", "env": env}]});
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": spec});
    let runs = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "app", "ready": true, "state": {"running": {"startedAt": OLD}}}]});
    let mut items = [
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}}),
        json!({"apiVersion": "v1", "kind": "Pod", "spec": spec, "status": runs,
            "metadata": {"name": "web-0", "labels": {"app": "web"}, "ownerReferences": owner("StatefulSet", "apps/v1", "web")}}),
    ];
    for (number, value) in [("1", "info"), ("2", "debug")] {
        let sandbox = Sandbox::new();
        let from = saved(&sandbox, &mut items);
        let got = chosen(&sandbox, &items, &from, "statefulset/web", &["--choose", number]);
        assert_eq!(got, ["-- name: LEVEL".to_owned(), format!("-value: {value}")], "{got:?}");
    }
}

#[test]
fn a_path_of_two_ingresses_leaves_the_younger_one() {
    let path = |path: &str, service: &str| json!({"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}});
    let ingress = |name: &str, paths: Value| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
            "spec": {"ingressClassName": "nginx", "rules": [{"host": "shop.example", "http": {"paths": paths}}]}})
    };
    let service = |name: &str| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}});
    let mut items = [
        ingress("a", json!([path("/", "web")])),
        ingress("b", json!([path("/", "api"), path("/api", "api")])),
        service("web"),
        service("api"),
    ];
    let sandbox = Sandbox::new();
    let from = saved(&sandbox, &mut items);
    let got = chosen(&sandbox, &items, &from, "ingress/a", &["--choose", "1"]);
    assert!(got.iter().all(|line| line.starts_with('-')), "lines only go: {got:?}");
    assert!(got.iter().any(|line| line == "-- path: /" || line == "-path: /"), "{got:?}");
    assert!(!got.iter().any(|line| line.contains("/api")), "the other path stays: {got:?}");
}
