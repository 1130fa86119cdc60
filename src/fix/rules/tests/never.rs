//! What no rule, choice or model may do, whatever the code.

use crate::diagnose::testing::{of, refused};
use crate::diagnose::{codes, diagnose};
use crate::fix::case::Case;
use crate::fix::model;
use crate::llm::Said;
use crate::model::code::Code;
use crate::model::finding::Finding;
use crate::model::intent::{Author, Disposition, FieldEdit, Intent, Op};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::snapshot::Snapshot;
use serde_json::{Value, json};

const APP: &str = "spec.template.spec.containers[app]";

/// What is tried: the object, the field, and what it would become; nothing: it is taken away.
fn tried() -> Vec<(&'static str, &'static str, String, Option<Value>)> {
    let web = |what, path: &str, new| (what, "Deployment", path.to_owned(), new);
    let app = |what, field: &str, new| (what, "Deployment", format!("{APP}.{field}"), new);
    let pod = |what, field: &str, new| (what, "Deployment", format!("spec.template.spec.{field}"), new);
    let of = |what, kind, path: &str, new| (what, kind, path.to_owned(), new);
    let all = || json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    vec![
        app("delete a probe", "livenessProbe", None),
        app("delete a probe", "readinessProbe", None),
        app("delete a probe", "startupProbe", None),
        app("delete a limit", "resources", None),
        app("delete a limit", "resources.limits", None),
        app("delete a limit", "resources.limits.memory", None),
        app("delete a request", "resources.requests.cpu", None),
        app("delete a securityContext", "securityContext", None),
        app("delete a securityContext", "securityContext.readOnlyRootFilesystem", None),
        app("loosen a securityContext", "securityContext.readOnlyRootFilesystem", Some(json!(false))),
        app("loosen a securityContext", "securityContext.privileged", Some(json!(true))),
        app("loosen a securityContext", "securityContext.runAsUser", Some(json!(0))),
        pod("delete a securityContext", "securityContext", None),
        pod("loosen a pod", "hostNetwork", Some(json!(true))),
        of("change a policy object", "NetworkPolicy", "spec.ingress", None),
        of("change a policy object", "NetworkPolicy", "spec.podSelector", Some(json!({"matchLabels": {"no": "pod"}}))),
        of("change a policy object", "ResourceQuota", "spec.hard.pods", Some(json!("100"))),
        of("change a policy object", "LimitRange", "spec.limits", Some(json!([]))),
        of("change a policy object", "PodDisruptionBudget", "spec.minAvailable", None),
        of("widen RBAC", "Role", "rules", Some(all())),
        of("widen RBAC", "Role", "rules[0].verbs", Some(json!(["get", "*"]))),
        of("widen RBAC", "Role", "rules[0].verbs", Some(json!(["get", "list", "delete"]))),
        of("widen RBAC", "Role", "rules[1].verbs", Some(json!(["get", "list"]))),
        of("widen RBAC", "Role", "rules[0].resources", Some(json!(["pods", "secrets"]))),
        of("widen RBAC", "ClusterRole", "rules", Some(all())),
        of("widen RBAC", "RoleBinding", "subjects", Some(json!([{"kind": "Group", "name": "system:authenticated"}]))),
        of("widen RBAC", "RoleBinding", "roleRef.name", Some(json!("cluster-admin"))),
        of("touch Secret data", "Secret", "data.pw", Some(json!("eA=="))),
        of("touch Secret data", "Secret", "stringData", Some(json!({"pw": "x"}))),
        app("guess an image tag", "image", Some(json!("web:2"))),
        app("guess an image tag", "image", Some(json!("web"))),
        app("guess an image tag", "image", Some(json!("docker.io/web:1"))),
        web("scale to zero", "spec.replicas", Some(json!(0))),
        web("change an immutable selector", "spec.selector.matchLabels.app", Some(json!("api"))),
        web("change an immutable selector", "spec.selector", None),
    ]
}

fn stage() -> Snapshot {
    let probe = json!({"httpGet": {"path": "/", "port": 8080}});
    let container = json!({"name": "app", "image": "web:1", "livenessProbe": probe, "readinessProbe": probe, "startupProbe": probe,
        "securityContext": {"readOnlyRootFilesystem": true}, "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "10m"}}});
    let spec = json!({"securityContext": {"runAsNonRoot": true}, "containers": [container]});
    let mut web = refused("pods \"web-\" is forbidden: exceeded quota: q", spec);
    web["spec"]["replicas"] = json!(2);
    web["spec"]["selector"] = json!({"matchLabels": {"app": "web"}});
    let one = |kind: &str, api: &str, body: Value| {
        let mut one = super::named(kind, api, "one");
        one.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        one
    };
    let rbac = "rbac.authorization.k8s.io/v1";
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get"]}]);
    of(&[
        web,
        one("NetworkPolicy", "networking.k8s.io/v1", json!({"spec": {"podSelector": {}, "ingress": []}})),
        one("ResourceQuota", "v1", json!({"spec": {"hard": {"pods": "2"}}})),
        one("LimitRange", "v1", json!({"spec": {"limits": [{"type": "Container"}]}})),
        one("PodDisruptionBudget", "policy/v1", json!({"spec": {"minAvailable": 1, "selector": {}}})),
        one("Role", rbac, json!({"rules": rules})),
        one("ClusterRole", rbac, json!({"rules": rules})),
        one("RoleBinding", rbac, json!({"roleRef": {"name": "one"}, "subjects": []})),
        one("Secret", "v1", json!({"data": {"pw": "cHc="}})),
    ])
}

/// The stage's finding as one of each code, with what a refusal of the API server would name.
fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    let first = diagnose(snapshot).findings.into_iter().find(|finding| finding.object.kind == "Deployment").unwrap();
    let of_code = |code| {
        let mut finding = first.clone();
        finding.code = Code(code);
        finding.container = Some("app".to_owned());
        for (name, value) in [("verb", "list"), ("resource", "pods"), ("group", "")] {
            finding.facts[name] = json!(value);
        }
        finding
    };
    codes().into_iter().map(of_code).collect()
}

fn intent(snapshot: &Snapshot, kind: &str, path: &str, new: Option<Value>, disposition: Disposition) -> Intent {
    let object = match kind {
        "Secret" => ObjectRef::new("v1", "Secret", "a", "one"),
        kind => snapshot.kind(kind)[0].object(),
    };
    let live = snapshot.resolve(&object).map(crate::model::kube::Object::to_value).unwrap_or_default();
    let path = Path::of(path);
    let old = path.get(&live).cloned();
    let op = match (&old, &new) {
        (_, None) => Op::Remove,
        (None, _) => Op::Add,
        _ => Op::Set,
    };
    let edits = vec![FieldEdit { path, op, old, new }];
    let (subject, why) = (String::new(), String::new());
    Intent { object, edits, subject, why, evidence: vec![1], author: Author::Rule, disposition, review: Vec::new() }
}

#[test]
fn no_rule_may_do_it_and_no_person_is_offered_it() {
    let snapshot = stage();
    let mut done = Vec::new();
    for finding in findings(&snapshot) {
        let case = Case::new(&snapshot, &finding).unwrap();
        for (what, kind, path, new) in tried() {
            for disposition in [Disposition::Safe, Disposition::Review] {
                let intent = intent(&snapshot, kind, &path, new.clone(), disposition);
                if case.check(&intent).is_ok() {
                    done.push(format!("{}: a rule may {what}: {kind} {path} -> {new:?}", finding.code));
                }
                if !case.ask(String::new(), "", vec![intent]).choices.is_empty() {
                    done.push(format!("{}: a choice may {what}: {kind} {path} -> {new:?}", finding.code));
                }
            }
        }
    }
    assert!(done.is_empty(), "{}", done.join("\n"));
}

#[test]
fn no_model_may_do_it() {
    let snapshot = stage();
    let mut done = Vec::new();
    for finding in findings(&snapshot) {
        let fields = model::fields(&snapshot, &finding);
        for (what, kind, path, new) in tried() {
            let old = intent(&snapshot, kind, &path, new.clone(), Disposition::Review).edits.remove(0).old;
            let text = |value: &Option<Value>| match value {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            };
            for new in [text(&new), "null".to_owned(), "0".to_owned()] {
                let said =
                    Said::Edit { path: path.clone(), old: text(&old), new, evidence: vec![1], reason: String::new() };
                if model::check(&said, &fields, &finding, &[]).is_ok() {
                    done.push(format!("{}: a model may {what}: {kind} {path}", finding.code));
                }
            }
        }
    }
    assert!(done.is_empty(), "{}", done.join("\n"));
}

#[test]
fn the_one_verb_that_was_refused_may_be_chosen() {
    let snapshot = stage();
    let all = findings(&snapshot);
    let finding = all.iter().find(|finding| finding.code.name() == "rbac-verb-missing").unwrap();
    let case = Case::new(&snapshot, finding).unwrap();
    let mut rules = snapshot.kind("Role")[0].view::<Vec<Value>>("/rules");
    rules.push(json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}));
    for (path, new) in [("rules[0].verbs", json!(["get", "list"])), ("rules", json!(rules))] {
        let of = |disposition| intent(&snapshot, "Role", path, Some(new.clone()), disposition);
        assert!(case.check(&of(Disposition::Review)).is_ok(), "{path}");
        assert!(case.check(&of(Disposition::Safe)).is_err(), "{path}: never without a person");
    }
}
