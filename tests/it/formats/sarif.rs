//! SARIF by the schema of its makers, and by the rules of the forges that take it.

use super::{plain, report, scan};
use crate::harness::{Sandbox, recorded};
use aifix::output::sarif;
use serde_json::Value;
use std::collections::BTreeSet;

/// The schema of the OASIS SARIF committee, as the crate `serde-sarif` (MIT) carries it.
const SCHEMA: &str = include_str!("sarif-schema-2.1.0.json");

/// The log must be valid, and each of its results have a place in a file.
#[track_caller]
pub(super) fn check(text: &str) -> Value {
    let log: Value = serde_json::from_str(text).unwrap();
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    // The pattern of a field that we do not write has a bracket too many: it is no regular expression.
    for definition in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][definition]["properties"]["language"];
        assert_eq!(language["pattern"].take(), "^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$");
        language.as_object_mut().unwrap().remove("pattern");
    }
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&log).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for run in log["runs"].as_array().unwrap() {
        for result in run["results"].as_array().unwrap() {
            check_result(run, result);
        }
    }
    log
}

fn check_result(run: &Value, result: &Value) {
    let rule = &run["tool"]["driver"]["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
    assert_eq!(rule["id"], result["ruleId"]);
    let related = result["relatedLocations"].as_array().unwrap();
    for place in result["locations"].as_array().unwrap().iter().chain(related) {
        let physical = &place["physicalLocation"];
        let uri = physical["artifactLocation"]["uri"].as_str().unwrap();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~%/".contains(c);
        assert!(uri.chars().all(allowed) && uri.len() < 4_000, "{uri}");
        assert!(uri.split('/').all(|step| !matches!(step, "" | "." | "..")), "{uri}");
        assert!(physical["region"]["startLine"].as_u64().unwrap() >= 1);
    }
    assert_eq!(result["locations"].as_array().unwrap().len(), 1);
    let text = result["message"]["text"].as_str().unwrap();
    assert!(!text.contains("]("), "a link: {text}");
    assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string());
}

#[test]
fn everything_that_a_report_can_hold_is_valid() {
    let log = check(&sarif::scan(&report(&plain)).unwrap());
    let runs = log["runs"].as_array().unwrap();
    let ids: Vec<&Value> = runs.iter().map(|run| &run["automationDetails"]["id"]).collect();
    assert_eq!(ids, ["aifix/prod/", "aifix/staging/"], "contexts are told apart");
    let results = runs[0]["results"].as_array().unwrap();
    let uri = |at: usize| results[at]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
    assert_eq!((uri(0), uri(1)), ("apps/web.yaml", "cluster/shop/Deployment/web"));
    assert_eq!(results[0]["locations"][0]["physicalLocation"]["region"]["startLine"], 12);
    assert_eq!(
        runs[1]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "cluster/Deployment/web"
    );
    let levels: Vec<&Value> = results.iter().map(|result| &result["level"]).collect();
    assert_eq!(levels, ["error", "error", "error", "note", "error", "error", "error", "error"]);
    assert_eq!(runs[1]["results"][0]["level"], "warning");
}

#[test]
fn a_fingerprint_tells_faults_apart_and_outlives_pods_and_times() {
    let prints = |text: &str| -> Vec<String> {
        let log: Value = serde_json::from_str(text).unwrap();
        let results = log["runs"][0]["results"].as_array().unwrap().clone();
        results.iter().map(|r| r["partialFingerprints"]["aifixIdentity/v1"].as_str().unwrap().to_owned()).collect()
    };
    let before = report(&plain);
    let mut after = before.clone();
    for reported in &mut after.findings {
        reported.finding.pods.names = vec!["web-2".into()];
        reported.finding.since = None;
        reported.finding.summary.push_str(", 9 restarts");
        reported.finding.object.uid = "another".into();
        reported.finding.evidence.clear();
    }
    let (before, after) = (prints(&sarif::scan(&before).unwrap()), prints(&sarif::scan(&after).unwrap()));
    assert_eq!(before, after);
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), before.len(), "{before:?}");
}

#[test]
fn what_is_set_aside_is_suppressed_with_its_reason_and_gaps_are_told() {
    let log = check(&sarif::scan(&report(&plain)).unwrap());
    let run = &log["runs"][0];
    let reasons: Vec<&str> = run["results"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|result| result["suppressions"].as_array().unwrap())
        .map(|suppression| suppression["justification"].as_str().unwrap())
        .collect();
    assert_eq!(reasons[..2], ["in the baseline", "ignored: known, see the runbook"]);
    let told = &run["invocations"][0];
    assert_eq!(told["executionSuccessful"], false);
    let messages: Vec<(&str, &str)> = told["toolExecutionNotifications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|told| (told["level"].as_str().unwrap(), told["message"]["text"].as_str().unwrap()))
        .collect();
    assert_eq!(
        messages,
        [
            ("error", "not looked at: pods: timed out; could hide node-not-ready"),
            ("warning", "not looked at: nodes: timed out; could hide node-not-ready")
        ]
    );
}

#[test]
fn a_recording_is_valid_and_a_healthy_one_has_no_results() {
    let log = check(&scan("oom-killed", "sarif"));
    let result = &log["runs"][0]["results"][0];
    insta::assert_snapshot!(result["message"]["text"].as_str().unwrap(), @r#"
    Deployment/web in cat-oom-killed: container app was killed at its memory limit of 32Mi (exit 137), 7 restarts
    pods: 1 of 1 failing: web-6b46dcddd9-lt8jr
    since: 11 min ago
    evidence 1, status (15 s ago): terminated: OOMKilled (exit 137) after 0 s, 7 restarts, now CrashLoopBackOff
    evidence 2, spec: limits.memory: 32Mi
    effect: Deployment/web in cat-oom-killed: Deployment web is unavailable: 0 of 1 pods are ready (deployment-unavailable)
    fix (by rule): Raise the memory limit of container app to 64Mi
    "#);
    let log = check(&scan("trap-old-restart", "sarif"));
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], true);
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 0);
}

#[test]
fn essential_gaps_still_count_in_the_exit_code() {
    let sandbox = Sandbox::new();
    let objects = std::fs::read_to_string(format!("{}/objects.json", recorded("oom-killed"))).unwrap();
    let mut list: Value = serde_json::from_str(&objects).unwrap();
    list["items"].as_array_mut().unwrap().retain(|object| object["kind"] != "Event");
    sandbox.write("no-namespace.json", &list.to_string());
    let ran = sandbox.aifix(&["scan", "--from", "no-namespace.json", "-n", "elsewhere", "-o", "sarif"]).exits(6);
    assert_eq!(check(&ran.out)["runs"][0]["invocations"][0]["executionSuccessful"], false);
}
