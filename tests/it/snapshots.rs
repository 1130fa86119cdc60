//! What kubectl writes, read as it comes: `tests/snapshots`, taken from a real cluster.

use crate::harness::Sandbox;
use serde_json::Value;
use std::path::Path;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path.to_str().unwrap().to_owned()
}

/// `CODE Kind/name`, the number of pieces of evidence from a log, and what was not seen.
fn seen(name: &str) -> (Vec<String>, usize, Vec<Value>) {
    let ran = Sandbox::new().aifix(&["scan", "-A", "--from", &file(name), "-o", "json"]).exits(1);
    let report = ran.json();
    let findings = report["findings"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let named = |finding: &Value| {
        let object = &finding["object"];
        format!("{} {}/{}", text(&finding["code"]), text(&object["kind"]), text(&object["name"]))
    };
    let logged = findings.iter().flat_map(|finding| finding["evidence"].as_array().unwrap());
    let logged = logged.filter(|evidence| evidence["source"] == "log").count();
    (findings.iter().map(named).collect(), logged, report["contexts"][0]["gaps"].as_array().unwrap().clone())
}

#[test]
fn a_dump_of_cluster_info_is_read_as_a_folder_and_as_a_stream_of_json_or_yaml() {
    for name in ["cluster-info", "cluster-info.txt", "cluster-info.yaml"] {
        let (findings, logged, gaps) = seen(name);
        assert_eq!(findings, ["crash-env-missing Deployment/web"], "{name}");
        assert!(logged > 0, "{name}: the log is evidence");
        assert!(gaps.is_empty(), "{name}: {gaps:?}");
    }
}

#[test]
fn a_list_in_yaml_is_read_without_its_logs() {
    let (findings, logged, _) = seen("list.yaml");
    assert_eq!((findings, logged), (vec!["crash-app-error Deployment/web".to_owned()], 0));
}

#[test]
fn a_table_for_people_is_refused_with_what_to_type() {
    let ran = Sandbox::new().aifix(&["scan", "-A", "--from", &file("events.txt")]).exits(2);
    assert!(ran.err.contains("kubectl get -o json"), "{}", ran.err);
}

#[test]
fn a_stream_that_ends_within_a_log_keeps_what_it_told() {
    let sandbox = Sandbox::new();
    let whole = std::fs::read_to_string(file("cluster-info.txt")).unwrap();
    let cut = whole.find("DATABASE_URL: must be set\n==== END").unwrap();
    let path = sandbox.write("cut.txt", &whole[..cut + 25]);
    let ran = sandbox.aifix(&["scan", "-A", "--from", path.to_str().unwrap()]).exits(1);
    assert!(ran.out.contains("crash-env-missing"), "{}", ran.out);
}

#[test]
fn every_cut_of_a_file_is_read_or_refused_by_its_name() {
    let sandbox = Sandbox::new();
    let whole = std::fs::read(file("list.yaml")).unwrap();
    let json = std::fs::read(file("cluster-info/solid-dump/pods.json")).unwrap();
    for (name, bytes) in [("cut.yaml", whole), ("cut.json", json)] {
        for part in 1..8 {
            let path = sandbox.path(name);
            std::fs::write(&path, &bytes[..bytes.len() * part / 8]).unwrap();
            let ran = sandbox.aifix(&["scan", "-A", "--from", path.to_str().unwrap()]);
            let is_told = ran.code == 2 && ran.err.contains(name) && ran.err.contains("hint: ");
            // YAML that ends between two lines is whole.
            assert!(is_told || ran.code < 2 && name == "cut.yaml", "{part}/8 of {name}: {} {}", ran.code, ran.err);
        }
    }
}

#[test]
fn hostile_text_is_shown_harmless() {
    let hostile = "web\u{1b}[2J\u{202e}\n::error::x\u{7}";
    let long = "n".repeat(1 << 20);
    for name in [hostile, &long] {
        let sandbox = Sandbox::new();
        let pod = serde_json::json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": name},
            "status": {"phase": "Failed", "reason": name, "message": name}});
        let path = sandbox.write("f.json", &pod.to_string());
        for format in ["text", "json"] {
            let ran = sandbox.aifix(&["scan", "-A", "--all", "--from", path.to_str().unwrap(), "-o", format]).exits(1);
            let shown = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
            assert!(ran.out.chars().all(shown) && !ran.out.lines().any(|line| line.starts_with("::")), "{}", ran.out);
        }
    }
}

#[test]
fn a_clock_that_is_wrong_is_no_panic_and_no_health() {
    for at in ["1970-01-01T00:00:00Z", "9999-12-30T22:00:00Z"] {
        let ran = Sandbox::new().aifix(&["scan", "-A", "--from", &file("cluster-info"), "--at", at]).exits(1);
        assert!(ran.out.contains("Deployment/web"), "{at}: {}", ran.out);
        assert!(ran.out.contains("crash-env-missing"), "{at}: {}", ran.out);
    }
}

/// Takes away what tells objects of one name apart, and every time.
fn without_uids_and_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let is_time = |value: &Value| value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok());
            map.retain(|key, value| key != "uid" && !is_time(value));
            map.values_mut().for_each(without_uids_and_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_uids_and_times),
        _ => {}
    }
}

#[test]
fn what_has_no_uid_and_no_time_is_diagnosed_and_written_in_every_format() {
    let sandbox = Sandbox::new();
    // A missing ConfigMap may come in a moment: without any time it is worth knowing, no more.
    for (case, code, exit) in [
        ("crash-app-error.exit-2", "crash-app-error", 1),
        ("oom-killed", "oom-killed", 1),
        ("configmap-missing", "configmap-missing", 0),
        ("image-not-found", "image-not-found", 1),
        ("service-selector-mismatch", "service-selector-mismatch", 1),
    ] {
        let folder = crate::harness::recorded(case);
        let text = std::fs::read_to_string(Path::new(&folder).join("objects.json")).unwrap();
        let mut list: Value = serde_json::from_str(&text).unwrap();
        without_uids_and_times(&mut list);
        let text = list.to_string();
        assert!(!text.contains("\"uid\"") && !text.contains("2026-"), "{case}");
        let path = sandbox.write("bare.json", &text);
        for format in ["text", "json", "sarif", "junit", "github", "markdown", "html"] {
            let ran = sandbox.aifix(&["scan", "-A", "--all", "--from", path.to_str().unwrap(), "-o", format]);
            let ran = ran.exits(if format == "sarif" { 0 } else { exit });
            assert!(ran.out.contains(code), "{case} {format}: {}", ran.out);
            assert!(!ran.out.contains("1970-01-01"), "{case} {format}: {}", ran.out);
        }
    }
}
