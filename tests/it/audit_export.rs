//! Records for other programs: objects, a log, ConfigMaps, and the definition.

use crate::audit_records::{pushed_and_refused, record};
use crate::harness::Sandbox;
use serde_json::Value;

/// The documents of a YAML stream, as kubectl reads them.
fn documents(text: &str) -> Vec<Value> {
    aifix::yaml::parse::all(text).unwrap()
}

#[test]
fn every_record_is_one_object_and_the_oldest_comes_first() {
    let sandbox = pushed_and_refused();
    let documents = documents(&sandbox.aifix(&["audit", "export"]).exits(0).out);
    let [pushed, refused] = documents.as_slice() else { panic!("{}", documents.len()) };
    assert_eq!(*pushed, record(&sandbox, "pushed"), "the same as `show -o json`");
    assert_eq!(*refused, record(&sandbox, "refused"));
    let text = sandbox.aifix(&["audit", "export", "--phase", "pushed"]).exits(0).out;
    assert!(
        text.contains("    diff: |\n      diff --git a/k8s/web.yaml b/k8s/web.yaml\n"),
        "a diff can be read:\n{text}"
    );
}

#[test]
fn some_records_are_exported_when_they_are_named_or_described() {
    let sandbox = pushed_and_refused();
    let pushed = record(&sandbox, "pushed");
    let id = pushed["metadata"]["name"].as_str().unwrap();
    for args in [&[&id[..10]][..], &[id, id], &["--phase", "pushed"], &["--since", "1h", id]] {
        let text = sandbox.aifix(&[&["audit", "export"], args].concat()).exits(0).out;
        assert_eq!(documents(&text), std::slice::from_ref(&pushed), "{args:?}");
    }
    let text = sandbox.aifix(&["audit", "export", "--since", "2100-01-01"]).exits(0).out;
    assert_eq!(text, "");
    sandbox.aifix(&["audit", "export", "no-such"]).exits(2);
    let ran = Sandbox::new().aifix(&["audit", "export"]).exits(2);
    assert!(ran.err.contains("there are no records in") && ran.err.contains("hint:"), "{}", ran.err);
}

#[test]
fn a_log_has_one_line_for_each_entry() {
    let sandbox = pushed_and_refused();
    let text = sandbox.aifix(&["audit", "export", "-o", "jsonl"]).exits(0).out;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let phases: Vec<&str> = lines.iter().map(|line| line["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["proposed", "pushed", "refused"]);
    assert!(lines.iter().all(|line| line["code"] == "oom-killed" && line["object"]["name"] == "web"), "{text}");
    let pushed = record(&sandbox, "pushed");
    assert_eq!((&lines[1]["commit"], &lines[1]["previous"]), (&pushed["status"]["commit"], &lines[0]["hash"]));
}

#[test]
fn a_config_map_holds_a_record_whole() {
    let sandbox = pushed_and_refused();
    let text = sandbox.aifix(&["audit", "export", "-o", "configmap", "--phase", "pushed"]).exits(0).out;
    let [map] = &documents(&text)[..] else { panic!("{text}") };
    let pushed = record(&sandbox, "pushed");
    assert_eq!(map["metadata"]["name"], format!("aifix-{}", pushed["metadata"]["name"].as_str().unwrap()));
    assert_eq!(map["metadata"]["labels"]["aifix.dev/code"], "oom-killed");
    assert_eq!(documents(map["data"]["aifix.yaml"].as_str().unwrap()), [pushed]);
}

#[test]
fn a_record_that_no_config_map_can_hold_is_named() {
    let sandbox = Sandbox::new();
    let mut store = aifix::audit::Store::open(&sandbox.path("state"), None).unwrap();
    let refusal = |message: &str| serde_json::json!({"refusal": {"code": "x", "message": message, "hint": ""}});
    for message in ["short", &"long ".repeat(300_000)] {
        store.append(None, aifix::model::record::Phase::Refused, "2026-01-02T03:04:05Z", refusal(message)).unwrap();
    }
    let ran = sandbox.aifix(&["audit", "export", "-o", "configmap"]).exits(6);
    assert_eq!(documents(&ran.out).len(), 1);
    assert!(ran.err.contains("is left out: ") && ran.err.contains("-o yaml writes it"), "{}", ran.err);
    assert_eq!(documents(&sandbox.aifix(&["audit", "export"]).exits(0).out).len(), 2);
}

#[test]
fn the_definition_of_records_is_written_and_not_applied() {
    let text = Sandbox::new().aifix(&["schema", "--crd"]).exits(0).out;
    let [definition] = &documents(&text)[..] else { panic!("{text}") };
    assert_eq!(definition["metadata"]["name"], "aifixes.aifix.dev");
    assert_eq!(definition["spec"]["versions"][0]["name"], "v1alpha1");
    let phases =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["phase"];
    let all = aifix::model::record::Phase::ALL.map(aifix::model::record::Phase::name);
    assert_eq!(phases["enum"], serde_json::json!(all), "every phase is one of them");
    Sandbox::new().aifix(&["schema", "--crd", "AIFix"]).exits(2);
}
