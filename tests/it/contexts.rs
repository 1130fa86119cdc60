//! A scan of several contexts: at once, one report, each with its own gaps.

use crate::api_server::{Act, ApiServer};
use crate::harness::Sandbox;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Barrier};

/// A kubeconfig of these contexts: name, port, user.
pub(crate) fn kubeconfig(contexts: &[(&str, u16, Value)]) -> String {
    let all = |one: &dyn Fn(&(&str, u16, Value)) -> Value| contexts.iter().map(one).collect::<Vec<_>>();
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": contexts[0].0,
        "contexts": all(&|(name, ..)| json!({"name": name, "context": {"cluster": name, "user": name}})),
        "clusters": all(&|(name, port, _)| json!({"name": name, "cluster": {"server": format!("http://127.0.0.1:{port}")}})),
        "users": all(&|(name, _, user)| json!({"name": name, "user": user})),
    })
    .to_string()
}

/// Two clusters, `east` with an oom-killed workload and `west` with a missing ConfigMap.
fn two() -> (Sandbox, ApiServer, ApiServer) {
    let (east, west) = (ApiServer::recorded("oom-killed"), ApiServer::recorded("configmap-missing"));
    let mut sandbox = Sandbox::new();
    sandbox.use_kubeconfig(&kubeconfig(&[("east", east.port(), json!({})), ("west", west.port(), json!({}))]));
    (sandbox, east, west)
}

const BOTH: [&str; 6] = ["scan", "-A", "--context", "west", "--context", "east"];

#[test]
fn one_report_in_the_order_in_which_they_were_typed() {
    let (sandbox, east, west) = two();
    let ran = sandbox.aifix(&[&BOTH[..], &["--context", "west"]].concat()).exits(1);
    let at = |part: &str| ran.out.find(part).unwrap_or_else(|| panic!("no {part:?} in {}", ran.out));
    assert!(at("context west") < at("context east"), "{}", ran.out);
    assert!(at("Deployment/web in cat-configmap-missing on west  configmap-missing") < at("on east  oom-killed"));
    assert!(ran.out.contains("Next: aifix propose Deployment/web -n cat-"), "{}", ran.out);
    assert!(ran.out.trim_end().ends_with(" --context west"), "{}", ran.out);
    assert_eq!((east.targets("/pods?").len(), west.targets("/pods?").len()), (1, 1), "each is read once");

    let report = sandbox.aifix(&[&BOTH[..], &["-o", "json"]].concat()).exits(1).json();
    let names = |list: &str, name: &str| -> Vec<String> {
        report[list].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("contexts", "name"), ["west", "east"]);
    assert_eq!(names("findings", "context"), ["west", "east"]);
    assert_eq!(report["contexts"][1]["summary"]["failing"], 1);
}

#[test]
fn all_are_looked_at_at_once() {
    let (sandbox, east, west) = two();
    // Neither answers before the other was asked: who asks them one after another never gets an answer.
    let both = Arc::new(Barrier::new(2));
    for server in [&east, &west] {
        server.once("/pods?", Act::Meet(Arc::clone(&both)));
    }
    let ran = sandbox.aifix(&[&BOTH[..], &["-o", "json", "--request-timeout", "20s"]].concat()).exits(1);
    let report = ran.json();
    assert_eq!(report["findings"].as_array().unwrap().len(), 2, "{report:#}");
    assert!(report["contexts"].as_array().unwrap().iter().all(|one| one["gaps"] == json!([])), "{report:#}");
}

#[test]
fn one_that_can_not_be_reached_is_a_gap_of_its_own() {
    let (sandbox, east, west) = two();
    east.dies_after(0);
    let report = sandbox.aifix(&[&BOTH[..], &["-o", "json"]].concat()).exits(1).json();
    assert_eq!(report["contexts"][0]["gaps"], json!([]));
    let gap = &report["contexts"][1]["gaps"][0];
    assert_eq!((gap["what"].as_str(), gap["essential"].as_bool()), (Some("context east"), Some(true)), "{gap}");
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
    let ran = sandbox.aifix(&BOTH).exits(1);
    assert!(ran.out.contains("all namespaces: could not be looked at\ncontext east\n"), "{}", ran.out);
    assert!(ran.out.contains("Not looked at in context east\n  essential: context east: "), "{}", ran.out);
    // Nothing that counts elsewhere does not make the gap good.
    sandbox.aifix(&[&BOTH[..], &["--ignore", "configmap-*"]].concat()).exits(6);
    // What was not looked at is not gone.
    west.dies_after(usize::MAX);
    east.dies_after(usize::MAX);
    sandbox.aifix(&[&BOTH[..], &["--write-baseline", "known.json"]].concat()).exits(0);
    east.dies_after(0);
    let ran = sandbox.aifix(&[&BOTH[..], &["--baseline", "known.json"]].concat()).exits(6);
    assert!(!ran.err.contains("gone"), "{}", ran.err);

    west.dies_after(0);
    let ran = sandbox.aifix(&BOTH).exits(3);
    assert!(ran.out.is_empty() && ran.err.contains("none of the 2 contexts could be looked at"), "{}", ran.err);
    assert!(ran.err.contains("context east") && ran.err.contains("context west"), "{}", ran.err);
}

#[test]
fn a_baseline_tells_clusters_apart() {
    let (sandbox, _east, _west) = two();
    sandbox.aifix(&[&BOTH[..], &["--write-baseline", "both.json"]].concat()).exits(0);
    let text = std::fs::read_to_string(sandbox.path("both.json")).unwrap();
    assert!(text.contains("\"context\":\"east\"") && text.contains("\"context\":\"west\""), "{text}");
    sandbox.aifix(&[&BOTH[..], &["--baseline", "both.json"]].concat()).exits(0);
    sandbox.aifix(&["scan", "-A", "--context", "east", "--baseline", "both.json"]).exits(0);
    sandbox.aifix(&["scan", "-A", "--context", "east", "--write-baseline", "one.json"]).exits(0);
    let ran = sandbox.aifix(&[&BOTH[..], &["--baseline", "one.json"]].concat()).exits(2);
    assert!(ran.err.contains("was written of one context"), "{}", ran.err);
}

#[test]
fn a_wrong_name_and_a_second_context_elsewhere_are_usage_errors() {
    let (sandbox, east, _west) = two();
    let ran = sandbox.aifix(&["scan", "--context", "west", "--context", "eest"]).exits(2);
    assert!(ran.err.contains("eest") && ran.err.contains("east"), "{}", ran.err);
    for command in ["explain", "propose", "snapshot", "doctor"] {
        let ran = sandbox.aifix(&[command, "--context", "west", "--context", "east"]).exits(2);
        assert!(ran.err.contains(&format!("`aifix {command}` looks at one context at a time")), "{}", ran.err);
    }
    assert!(east.seen().is_empty());
}

#[test]
fn plugins_that_ask_a_person_wait_for_each_other() {
    let servers: BTreeMap<&str, ApiServer> =
        ["a", "b", "c"].into_iter().map(|name| (name, ApiServer::recorded("oom-killed"))).collect();
    let mut sandbox = Sandbox::new();
    // It fails when another one asks at the same time.
    let script = format!(
        "mkdir {0} || exit 1; sleep 0.2; rmdir {0}; echo '{{\"kind\": \"ExecCredential\", \"status\": {{\"token\": \"t\"}}}}'",
        sandbox.path("asking").display()
    );
    let user = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
        "args": ["-c", script], "interactiveMode": "Always"}});
    let contexts: Vec<_> = servers.iter().map(|(name, server)| (*name, server.port(), user.clone())).collect();
    sandbox.use_kubeconfig(&kubeconfig(&contexts));
    let ran =
        sandbox.aifix(&["scan", "-A", "--context", "a", "--context", "b", "--context", "c", "-o", "json"]).exits(1);
    assert_eq!(ran.json()["findings"].as_array().unwrap().len(), 3, "{}", ran.err);
}
