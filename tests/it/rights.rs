//! `doctor --rbac`: the roles that a scan needs, from the table that it reads by.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use crate::api_server::{Act, ApiServer};
use crate::harness::Sandbox;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The documents that the YAML holds, as `kubectl apply` would read them.
fn documents(yaml: &str) -> Vec<Value> {
    let parts = yaml.split("\n---\n").filter(|part| !part.lines().all(|line| line.starts_with('#')));
    parts.map(|part| serde_saphyr::from_str::<Value>(part).unwrap()).collect()
}

fn resources(role: &Value) -> BTreeSet<String> {
    let rules = role["rules"].as_array().unwrap().iter();
    rules.flat_map(|rule| rule["resources"].as_array().unwrap()).map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_role_and_a_cluster_role_are_printed_without_a_cluster() {
    let sandbox = Sandbox::new();
    let ran = sandbox.aifix(&["doctor", "--rbac", "-n", "shop", "-n", "123"]).exits(0);
    let roles = documents(&ran.out);
    let named: Vec<_> = roles.iter().map(|role| (&role["kind"], &role["metadata"])).collect();
    assert_eq!(
        named,
        [
            (&json!("Role"), &json!({"name": "aifix", "namespace": "shop"})),
            (&json!("Role"), &json!({"name": "aifix", "namespace": "123"})),
            (&json!("ClusterRole"), &json!({"name": "aifix-cluster"})),
        ]
    );
    let (of_namespace, of_cluster) = (resources(&roles[0]), resources(&roles[2]));
    assert!(of_namespace.contains("pods/log") && of_namespace.contains("resourcequotas"), "{of_namespace:?}");
    assert!(of_cluster.contains("nodes") && of_cluster.is_disjoint(&of_namespace), "{of_cluster:?}");
    let binding = "#   kubectl create rolebinding aifix -n shop --role=aifix --serviceaccount=shop:aifix";
    assert!(ran.out.contains(binding), "{}", ran.out);
    let list = sandbox.aifix(&["doctor", "--rbac", "-n", "shop", "-n", "123", "-o", "json"]).exits(0).json();
    assert_eq!((list["kind"].as_str(), list["items"].as_array()), (Some("List"), Some(&roles)));
}

#[test]
fn only_get_and_list_are_asked_for_and_secrets_only_on_demand() {
    let sandbox = Sandbox::new();
    let print = |words: &[&str]| documents(&sandbox.aifix(&[&["doctor", "--rbac"], words].concat()).exits(0).out);
    for (words, has_secrets) in [(&["-A"][..], false), (&["-A", "--read-secret-keys"], true), (&[], false)] {
        let roles = print(words);
        let rules: Vec<&Value> = roles.iter().flat_map(|role| role["rules"].as_array().unwrap()).collect();
        let verbs: BTreeSet<&str> = rules
            .iter()
            .flat_map(|rule| rule["verbs"].as_array().unwrap())
            .map(|verb| verb.as_str().unwrap())
            .collect();
        assert_eq!(verbs, ["get", "list"].into(), "{words:?}");
        assert_eq!(roles.iter().any(|role| resources(role).contains("secrets")), has_secrets, "{words:?}");
        assert!(!roles.iter().any(|role| resources(role).contains("*")), "{words:?}");
    }
    assert_eq!(print(&["-A"]).len(), 1);
    assert_eq!(print(&[])[0]["metadata"]["namespace"], "default", "no kubeconfig names one");
    sandbox.aifix(&["doctor", "--rbac", "-n", "a: b"]).exits(2);
}

#[test]
fn each_rule_says_what_its_absence_costs() {
    let text = Sandbox::new().aifix(&["doctor", "--rbac", "-A"]).exits(0).out;
    let lines: Vec<&str> = text.lines().collect();
    let mut rules = 0;
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("- apiGroups")) {
        rules += 1;
        let comment: Vec<&str> =
            lines[..at].iter().rev().take_while(|line| line.starts_with('#')).map(|line| &line[1..]).collect();
        let comment = comment.into_iter().rev().collect::<String>();
        let essential = comment.contains("no workload can be judged");
        let unseen = comment.split_once("unseen: ").and_then(|(_, codes)| codes.split(['.', ',']).next());
        assert!(essential || unseen.is_some_and(|code| code.contains('-')), "{}: {comment}", lines[at]);
    }
    assert!(rules > 30, "{rules}");
    assert!(lines.iter().all(|line| line.len() <= 100 || !line.starts_with('#')), "comments are wrapped");
}

#[test]
fn the_doctor_says_what_a_missing_right_costs() {
    let server = ApiServer::recorded("oom-killed");
    let rule = json!({"verbs": ["list"], "apiGroups": ["", "apps", "batch"], "resources": ["*"]});
    let named = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log", "namespaces"]});
    let review = json!({"kind": "SelfSubjectRulesReview", "status": {"resourceRules": [rule, named]}});
    server.always("selfsubjectrulesreviews", Act::Body(review.to_string()));
    let sandbox = crate::live::sandbox(&server);
    let out = sandbox.aifix(&["doctor"]).out;
    let limited = out.lines().find(|line| line.starts_with("limited  rights")).unwrap();
    assert!(limited.contains("ingresses") && !limited.contains(" services"), "{out}");
    assert!(out.contains("hint: ingresses: unseen without it are ingress-backend-service-missing"), "{out}");
    assert!(out.contains("aifix doctor --rbac") && !out.contains("hint: nodes"), "{out}");
}

#[test]
fn a_right_of_one_namespace_is_no_right_on_what_lies_in_none() {
    let server = ApiServer::recorded("oom-killed");
    let no = json!({"kind": "SelfSubjectAccessReview", "status": {"allowed": false}});
    server.always("selfsubjectaccessreviews", Act::Body(no.to_string()));
    let sandbox = crate::live::sandbox(&server);
    let out = sandbox.aifix(&["doctor"]).out;
    let limited = out.lines().find(|line| line.starts_with("limited  rights")).unwrap();
    assert!(limited.contains("nodes") && !limited.contains(" services"), "{out}");
    // In all namespaces no right holds.
    let out = sandbox.aifix(&["doctor", "-A"]).exits(2).out;
    assert!(out.lines().any(|line| line.starts_with("broken   rights") && line.contains("pods")), "{out}");
}
