//! What the rules of pods make of every recording.

use super::answered::candidates;
use super::made::with_log;
use super::{names, objects, of_code, recorded, snapshot};
use aifix::diagnose::diagnose;
use aifix::model::finding::{Finding, Severity};
use aifix::model::intent::{Disposition, Intent};
use aifix::model::refusal::Refusal;
use aifix::model::snapshot::Snapshot;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The families that are about pods.
const FAMILIES: [&str; 7] = ["config", "crash", "eviction", "image", "probe", "scheduling", "start"];

fn ours(finding: &Finding) -> bool {
    FAMILIES.contains(&finding.code.0.family) && finding.severity != Severity::Info
}

fn edits(intent: &Intent) -> String {
    let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), ToString::to_string);
    let all = intent.edits.iter().map(|e| format!("{}: {} -> {}", e.path, shown(&e.old), shown(&e.new)));
    all.collect::<Vec<_>>().join("; ")
}

/// One line for what a rule answers.
fn answer(result: &Result<Vec<Intent>, Refusal>) -> String {
    match result {
        Ok(intents) => {
            let first = &intents[0];
            let disposition = if first.disposition == Disposition::Safe { "safe" } else { "review" };
            format!("{disposition} {}", edits(first))
        }
        Err(refusal) => {
            let mut out = refusal.code.to_owned();
            for (at, choice) in refusal.choices.iter().enumerate() {
                let _ = write!(out, "\n    {}. {}", at + 1, edits(choice));
            }
            out
        }
    }
}

fn answers(name: &str, snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for finding in diagnose(snapshot).findings.iter().filter(|finding| ours(finding)) {
        let said = answer(&candidates(snapshot, finding));
        let _ = writeln!(out, "{name}: {} {}\n  {said}", finding.code, finding.object);
    }
    out
}

#[test]
fn every_recording_leads_to_the_answer_that_was_read_and_kept() {
    let text: String = names().iter().map(|name| answers(name, &recorded(name))).collect();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/recorded/answers.txt");
    if std::env::var_os("AIFIX_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let line = kept.lines().zip(text.lines()).find(|(kept, now)| kept != now);
    assert!(kept == text, "answers.txt differs, write it with AIFIX_BLESS=1 and read it: {line:?}");
}

#[test]
fn what_is_healthy_gets_no_intent() {
    for name in names().iter().filter(|name| name.starts_with("trap-")) {
        let healthy = recorded(name);
        for finding in &diagnose(&healthy).findings {
            assert!(candidates(&healthy, finding).is_err(), "{name}: {}", finding.code);
        }
    }
}

/// The answer for a code of a snapshot.
pub(super) fn said(snapshot: &Snapshot, code: &str) -> String {
    let found = diagnose(snapshot);
    let shown: Vec<&str> = found.findings.iter().map(|finding| finding.code.name()).collect();
    let finding = of_code(&found, code).unwrap_or_else(|| panic!("{code} in {shown:?}"));
    answer(&candidates(snapshot, finding))
}

/// The same change of the template of every pod, ReplicaSet and Deployment.
pub(super) fn everywhere(name: &str, edit: impl Fn(&mut Value)) -> Snapshot {
    let mut all = objects(name);
    for object in &mut all {
        match object["kind"].as_str().unwrap() {
            "Pod" => edit(&mut object["spec"]),
            "Deployment" | "ReplicaSet" => edit(&mut object["spec"]["template"]["spec"]),
            _ => {}
        }
    }
    snapshot(name, &all)
}

/// A ready ReplicaSet of an earlier revision, whose template differs by `edit`.
pub(super) fn after_good(name: &str, edit: impl Fn(&mut Value)) -> Snapshot {
    let mut all = objects(name);
    let mut old = all.iter().find(|o| o["kind"] == "ReplicaSet").unwrap().clone();
    old["metadata"]["name"] = json!("web-old");
    old["metadata"]["uid"] = json!("old");
    old["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("0");
    edit(&mut old["spec"]["template"]["spec"]);
    old["status"] = json!({"readyReplicas": 1, "replicas": 1});
    all.push(old);
    snapshot(name, &all)
}

#[test]
fn what_changed_since_a_good_revision_is_put_back() {
    const C: &str = "spec.template.spec.containers[app]";
    const T: &str = "spec.template.spec";
    type Edit = fn(&mut Value);
    let rows: [(&str, &str, Edit, String); 14] = [
        (
            "crash-segfault",
            "crash-segfault",
            |s| s["containers"][0]["image"] = json!("busybox:1.35"),
            format!("{C}.image"),
        ),
        ("crash-abort", "crash-abort", |s| s["containers"][0]["image"] = json!("busybox:1.35"), format!("{C}.image")),
        (
            "crash-exits-zero",
            "crash-exits-zero",
            |s| s["containers"][0]["command"] = json!(["serve"]),
            format!("{C}.command"),
        ),
        (
            "crash-bad-args",
            "crash-bad-args",
            |s| s["containers"][0]["command"] = json!(["serve"]),
            format!("{C}.command"),
        ),
        (
            "image-access-denied",
            "image-access-denied",
            |s| s["containers"][0]["image"] = json!("lab/web:1"),
            format!("{C}.image"),
        ),
        (
            "image-never-present",
            "image-never-present",
            |s| s["containers"][0]["imagePullPolicy"] = json!("Always"),
            format!("{C}.imagePullPolicy"),
        ),
        (
            "image-registry-unreachable.refused",
            "image-registry-unreachable",
            |s| s["containers"][0]["image"] = json!("lab/web:1"),
            format!("{C}.image"),
        ),
        (
            "run-as-non-root",
            "run-as-non-root",
            |s| s["containers"][0]["securityContext"]["runAsUser"] = json!(1000),
            format!("{C}.securityContext.runAsUser"),
        ),
        (
            "working-dir-invalid",
            "working-dir-invalid",
            |s| s["containers"][0]["workingDir"] = json!("/srv"),
            format!("{C}.workingDir"),
        ),
        (
            "post-start-hook-failed",
            "post-start-hook-failed",
            |s| s["containers"][0]["lifecycle"]["postStart"]["exec"]["command"] = json!(["true"]),
            format!("{C}.lifecycle.postStart.exec.command"),
        ),
        (
            "unschedulable-affinity",
            "unschedulable-affinity",
            |s| s["affinity"] = json!({"nodeAffinity": {"x": 1}}),
            format!("{T}.affinity.nodeAffinity"),
        ),
        (
            "scheduler-name-unknown",
            "scheduler-name-unknown",
            |s| s["schedulerName"] = json!("default-scheduler"),
            format!("{T}.schedulerName"),
        ),
        (
            "probe-path-missing",
            "probe-path-missing",
            |s| s["containers"][0]["readinessProbe"]["httpGet"]["path"] = json!("/ok"),
            format!("{C}.readinessProbe.httpGet.path"),
        ),
        (
            "probe-startup-too-short",
            "probe-startup-too-short",
            |s| s["containers"][0]["startupProbe"]["failureThreshold"] = json!(30),
            format!("{C}.startupProbe.failureThreshold"),
        ),
    ];
    for (name, code, edit, path) in rows {
        let said = said(&after_good(name, edit), code);
        assert!(said.contains(&path) && (said.starts_with("safe") || said.starts_with("review")), "{name}: {said}");
        // The same revision without that difference tells nothing of it.
        let alike = self::said(&after_good(name, |s| s["containers"][0]["terminationMessagePath"] = json!("/x")), code);
        assert!(!alike.contains("terminationMessagePath"), "{name}: {alike}");
    }
}

#[test]
fn what_protects_is_never_put_back_to_less() {
    let root = after_good("run-as-non-root", |s| {
        s["containers"][0]["securityContext"] = json!({"runAsNonRoot": false, "runAsUser": 0});
    });
    assert_eq!(said(&root, "run-as-non-root"), "weakens");
}

#[test]
fn a_quote_or_blanks_around_an_image_are_taken_off() {
    let named = |image: &'static str| {
        let quoted = everywhere("image-name-invalid", move |spec| spec["containers"][0]["image"] = json!(image));
        said(&quoted, "image-name-invalid")
    };
    let path = "spec.template.spec.containers[app].image";
    assert_eq!(named("\"lab/web:1\""), format!("safe {path}: \"\\\"lab/web:1\\\"\" -> \"lab/web:1\""));
    assert_eq!(named("lab/we b:1"), "needs-choice");
    assert_eq!(named("'lab/Web:1'"), "needs-choice");
}

/// A container that ends at once and logs this line.
pub(super) fn logs(line: &str, edit: impl Fn(&mut Value)) -> Snapshot {
    with_log(everywhere("crash-app-error.exit-2", edit), "app", &[line])
}

#[test]
fn a_variable_is_added_from_the_only_one_with_a_close_name() {
    let line = "sh: DATABASE_URL: must be set";
    let env = |entries: Value| {
        said(&logs(line, move |spec| spec["containers"][0]["env"] = entries.clone()), "crash-env-missing")
    };
    let near = env(json!([{"name": "DATABSE_URL", "value": "db:5432"}]));
    assert!(near.starts_with("review spec.template.spec.containers[app].env[DATABASE_URL]: - -> "), "{near}");
    assert!(near.contains("\"value\":\"db:5432\""), "{near}");
    assert_eq!(env(json!([{"name": "CACHE_URL", "value": "x"}])), "needs-judgement");
    let twice = json!([{"name": "DATABSE_URL", "value": "a"}, {"name": "DATABASEURL", "value": "b"}]);
    assert_eq!(env(twice), "needs-judgement");
}

fn service(name: &str, port: i64, namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace, "uid": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port}]}})
}

#[test]
fn a_mistyped_host_is_written_right_where_it_stands_once() {
    let host = |value: &'static str, services: &[&str]| {
        let mut made = logs("dial tcp: lookup orders-databse on 10.0.0.10:53: no such host", move |spec| {
            spec["containers"][0]["args"] = json!(["-v", value]);
        });
        let namespace = made.pods[0].metadata.namespace.clone();
        let all = services.iter().map(|name| serde_json::from_value(service(name, 5432, &namespace)).unwrap());
        made.objects.insert("Service".to_owned(), all.collect());
        said(&made, "crash-dns")
    };
    let path = "spec.template.spec.containers[app].args[1]";
    assert_eq!(
        host("pg://orders-databse/x", &["orders-database"]),
        format!("review {path}: \"pg://orders-databse/x\" -> \"pg://orders-database/x\"")
    );
    assert_eq!(host("pg://elsewhere/x", &["orders-database"]), "needs-judgement", "it stands nowhere");
    assert_eq!(host("pg://orders-databse/x", &["billing"]), "needs-judgement");
}

#[test]
fn a_read_only_root_gets_a_volume_only_where_nothing_of_the_image_is_hidden() {
    let writes = |path: &str| {
        let line = format!("touch: {path}: Read-only file system");
        let made = logs(&line, |spec| {
            spec["containers"][0]["securityContext"] = json!({"readOnlyRootFilesystem": true});
        });
        said(&made, "crash-read-only-fs")
    };
    let scratch = writes("/var/cache/nginx/x");
    assert!(
        scratch.starts_with("review ") && scratch.contains("emptyDir") && scratch.contains("/var/cache/nginx"),
        "{scratch}"
    );
    assert_eq!(writes("/app/data/x"), "needs-choice");
}

#[test]
fn a_user_gets_its_volume_by_a_group_unless_a_database_has_it() {
    let denied = |folder: &'static str, user: i64| {
        let line = format!("mkdir: can't create directory '{folder}/x': Permission denied");
        let made = logs(&line, move |spec| {
            spec["securityContext"] = json!({"runAsUser": user});
            spec["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
            spec["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": folder}]);
        });
        said(&made, "crash-permission-denied")
    };
    let group = denied("/srv/data", 1000);
    assert!(group.starts_with("review spec.template.spec.securityContext.fsGroup: - -> 1000"), "{group}");
    assert_eq!(denied("/var/lib/mysql", 1000), "needs-judgement");
    assert_eq!(denied("/srv/data", 0), "needs-judgement");
}

#[test]
fn more_disk_is_given_only_to_what_was_evicted_again_and_again() {
    let times = |times: usize, limit: &'static str| {
        let mut made = everywhere("evicted-ephemeral-limit", |spec| {
            spec["containers"][0]["resources"] = json!({"limits": {"ephemeral-storage": limit}});
        });
        for pod in &mut made.pods {
            pod.status.message = format!("Container app exceeded its local ephemeral storage limit \"{limit}\". ");
            pod.status.reason = "Evicted".to_owned();
            pod.status.phase = "Failed".to_owned();
        }
        made.pods.truncate(times);
        said(&made, "evicted-ephemeral-limit")
    };
    let path = "spec.template.spec.containers[app].resources.limits.ephemeral-storage";
    assert_eq!(times(2, "20Mi"), format!("review {path}: \"20Mi\" -> \"40Mi\""));
    assert_eq!(times(2, "10Gi"), "needs-choice", "the ceiling");
}

/// With one node that has these labels and offers these resources.
pub(super) fn with_node(mut snapshot: Snapshot, labels: &Value, allocatable: &Value) -> Snapshot {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": labels},
        "status": {"allocatable": allocatable}});
    snapshot.objects.insert("Node".to_owned(), vec![serde_json::from_value(node).unwrap()]);
    snapshot
}

#[test]
fn a_label_that_nodes_have_under_a_close_value_is_taken_and_another_is_a_choice() {
    let select = |value: &'static str| {
        let made = everywhere("unschedulable-node-selector", move |s| s["nodeSelector"] = json!({"pool": value}));
        said(&with_node(made, &json!({"pool": "gateway"}), &json!({})), "unschedulable-node-selector")
    };
    let path = "spec.template.spec.nodeSelector.pool";
    assert_eq!(select("gatewy"), format!("review {path}: \"gatewy\" -> \"gateway\""));
    assert_eq!(select("spot"), format!("needs-choice\n    1. {path}: \"spot\" -> \"gateway\""));
}

#[test]
fn a_device_is_asked_for_by_the_name_that_nodes_offer() {
    let ask = |offered: &str| {
        let made =
            with_node(recorded("unschedulable-extended-resource"), &json!({}), &json!({offered: "1", "cpu": "4"}));
        said(&made, "unschedulable-extended-resource")
    };
    let near = ask("nvidia.com/gpus");
    assert!(near.starts_with("review ") && near.contains("limits[\"nvidia.com/gpus\"]: - -> "), "{near}");
    assert_eq!(ask("amd.com/gpu"), "not-in-git");
}

fn claim(name: &str, namespace: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace, "uid": name}})
}

#[test]
fn a_claim_with_a_close_name_is_taken_when_nothing_uses_it() {
    let made = |wanted: &str, there: &str| {
        let mut all = objects("pvc-missing");
        let namespace = all.iter().find_map(|o| o["metadata"]["namespace"].as_str()).unwrap().to_owned();
        let spec = all.iter().find(|o| o["kind"] == "Pod").unwrap()["spec"]["volumes"].to_string();
        let name = spec.split("claimName\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        for object in &mut all {
            let text = object
                .to_string()
                .replace(&format!("\"claimName\":\"{name}\""), &format!("\"claimName\":\"{wanted}\""));
            let text = text.replace(
                &format!("persistentvolumeclaim \\\"{name}\\\""),
                &format!("persistentvolumeclaim \\\"{wanted}\\\""),
            );
            *object = serde_json::from_str(&text).unwrap();
        }
        all.push(claim(there, &namespace));
        said(&snapshot("pvc-missing", &all), "pvc-missing")
    };
    let near = made("uplods", "uploads");
    assert!(near.starts_with("review ") && near.ends_with("\"uplods\" -> \"uploads\""), "{near}");
    let far = made("uplods", "archive");
    assert!(far.starts_with("needs-choice\n    1. ") && far.ends_with("-> \"archive\""), "{far}");
}

#[test]
fn a_secret_with_a_close_name_is_taken_only_when_all_are_known_and_never_without_a_look() {
    let mut known = recorded("volume-secret-missing");
    let (namespace, spec) = (known.pods[0].metadata.namespace.clone(), json!(known.pods[0].spec.volumes));
    let wanted = spec.to_string().split("secretName\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(said(&known, "volume-secret-missing"), "not-in-git");
    // The same name with other separators.
    let near = format!("{wanted}-").replace('-', ".").trim_end_matches('.').to_owned();
    let near = if near == wanted { format!("{}_{}", &wanted[..2], &wanted[2..]) } else { near };
    let secret = json!({"kind": "Secret", "metadata": {"name": near, "namespace": namespace}});
    known.secrets.extend(aifix::model::kube::Keyed::from_value(&secret));
    let answer = said(&known, "volume-secret-missing");
    assert!(answer.starts_with("review ") && answer.contains(&format!("-> \"{near}\"")), "{answer}");
}

#[test]
fn a_service_that_has_one_other_port_and_answers_there_is_asked_on_it() {
    let asked = |value: &'static str| {
        let mut made = logs("dial tcp: db:5431: connect: connection refused", move |spec| {
            spec["containers"][0]["env"] = json!([{"name": "DB", "value": value}]);
        });
        let namespace = made.pods[0].metadata.namespace.clone();
        made.objects
            .insert("Service".to_owned(), vec![serde_json::from_value(service("db", 5432, &namespace)).unwrap()]);
        let pod = json!({"metadata": {"name": "db", "namespace": namespace, "uid": "db", "labels": {"app": "db"}},
            "spec": {"containers": [{"name": "db", "image": "x"}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "db", "ready": true, "started": true, "state": {"running": {}}}]}});
        made.pods.push(serde_json::from_value(pod).unwrap());
        said(&made, "crash-dependency-refused")
    };
    let path = "spec.template.spec.containers[app].env[DB].value";
    assert_eq!(asked("pg://db:5431/x"), format!("review {path}: \"pg://db:5431/x\" -> \"pg://db:5432/x\""));
    assert_eq!(asked("pg://elsewhere/x"), "needs-judgement", "it stands nowhere");
}

/// Tests that make cases, for the table of classes.
pub(super) const MADE: [fn(); 13] = [
    what_changed_since_a_good_revision_is_put_back,
    what_protects_is_never_put_back_to_less,
    a_quote_or_blanks_around_an_image_are_taken_off,
    a_variable_is_added_from_the_only_one_with_a_close_name,
    a_mistyped_host_is_written_right_where_it_stands_once,
    a_read_only_root_gets_a_volume_only_where_nothing_of_the_image_is_hidden,
    a_user_gets_its_volume_by_a_group_unless_a_database_has_it,
    more_disk_is_given_only_to_what_was_evicted_again_and_again,
    a_label_that_nodes_have_under_a_close_value_is_taken_and_another_is_a_choice,
    a_device_is_asked_for_by_the_name_that_nodes_offer,
    a_claim_with_a_close_name_is_taken_when_nothing_uses_it,
    a_secret_with_a_close_name_is_taken_only_when_all_are_known_and_never_without_a_look,
    a_service_that_has_one_other_port_and_answers_there_is_asked_on_it,
];
