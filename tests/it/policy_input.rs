//! What policies are told, and its schema.

use crate::harness::{Sandbox, manifest, oom_manifest, recorded};
use aifix::model::finding::Severity;
use aifix::model::intent::{Author, Disposition, FieldEdit, Intent, Op};
use aifix::model::object::ObjectRef;
use aifix::model::path::Path;
use aifix::model::proposal::{Delta, Origin, Proof, Tool};
use aifix::policy::{Change, Circumstances, Input};
use serde_json::{Value, json};

fn validator() -> jsonschema::Validator {
    let schema = Sandbox::new().aifix(&["schema", "PolicyInput"]).exits(0).json();
    jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

#[track_caller]
fn valid(input: &Value) {
    let validator = validator();
    let wrong: Vec<String> =
        validator.iter_errors(input).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{input:#}");
}

fn deployment(memory: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": memory}}}]}}}})
}

/// A whole change, as a proposal makes it.
fn whole() -> Input {
    let object = ObjectRef::new("apps/v1", "Deployment", "shop", "web");
    let path = Path::of("spec.template.spec.containers[app].resources.limits.memory");
    let (old, new) = (Some(json!("32Mi")), Some(json!("64Mi")));
    let delta = Delta { object: object.clone(), path: path.clone(), old: old.clone(), new: new.clone() };
    let token = Path::of("spec.template.spec.containers[app].env[API_TOKEN].value");
    let secret = Delta { object: object.clone(), path: token, old: None, new: Some(json!("s3cr3t-s3cr3t")) };
    let intent = Intent {
        object: object.clone(),
        edits: vec![FieldEdit { path, op: Op::Set, old, new }],
        subject: "Raise the memory limit to 64Mi".to_owned(),
        why: "It needs more".to_owned(),
        evidence: vec![1],
        author: Author::Rule,
        disposition: Disposition::Safe,
        review: Vec::new(),
    };
    let origin = Origin {
        tool: Tool::Plain,
        repo: "https://git.example.com/shop".to_owned(),
        path: "k8s".to_owned(),
        branch: "main".to_owned(),
        revision: "0123456789".to_owned(),
        trail: Vec::new(),
    };
    let proof = Proof {
        base: "0123456789".to_owned(),
        renderer: String::new(),
        delta: vec![delta],
        companions: vec![secret],
        noise: 0,
        masked: Vec::new(),
        siblings: Vec::new(),
        renders: 2,
        not_proved: Vec::new(),
        schema: Vec::new(),
        dry_run: None,
    };
    let finding = crate::formats::finding("oom-killed", Severity::Error, &str::to_owned);
    let change = Change::new(object, &deployment("32Mi"), &deployment("64Mi"), true, false);
    let circumstances = Circumstances { git: "Ada <ada@example.com>", cluster: "lab", time: "2026-11-28T14:00:00Z" };
    Input::of(vec![change], &intent, &finding, &origin, Disposition::Safe).proved(&proof).asked(circumstances)
}

#[test]
fn a_change_is_told_whole_and_as_its_schema_says() {
    let input = whole().to_value();
    valid(&input);
    assert_eq!(input["delta"][0]["path"], "spec.template.spec.containers[app].resources.limits.memory");
    assert_eq!((&input["delta"][0]["old"], &input["delta"][0]["new"]), (&json!("32Mi"), &json!("64Mi")));
    assert!(!input.to_string().contains("s3cr3t"), "{input}");
    assert_eq!(input["identity"], json!({"git": "Ada <ada@example.com>", "cluster": "lab"}));
    assert_eq!((&input["reverts"], &input["changes"][0]["good"]), (&Value::Null, &Value::Null));
    let mut wrong = input;
    wrong["changes"][0]["more"] = json!(1);
    assert!(!validator().is_valid(&wrong));
}

#[test]
fn manifests_are_told_as_the_schema_says_with_what_lies_beside_them() {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"env": "prod"}}});
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}}});
    let input = Input::check(&[deployment("1Gi"), namespace, budget]).to_value();
    valid(&input);
    let change = &input["changes"][0];
    assert_eq!(change["namespaceLabels"], json!({"env": "prod"}));
    assert_eq!((&change["replicas"], &change["disruptionBudgets"]), (&json!(2), &json!(["web"])));
    let alone = Input::check(&[deployment("1Gi")]).to_value();
    valid(&alone);
    assert_eq!(
        (&alone["changes"][0]["namespaceLabels"], &alone["changes"][0]["disruptionBudgets"]),
        (&Value::Null, &Value::Null)
    );
}

/// It speaks when it was told everything; what is missing makes its body undefined.
const ASKS: &str = r#"package team.asks

warn contains "all of it was told" if {
	input.mode == "change"
	input.delta[0].new == "64Mi"
	input.companions == []
	input.identity.git == "Ada <ada@example.com>"
	is_string(input.identity.cluster)
	time.parse_rfc3339_ns(input.time) > 0
	input.changes[0].replicas == 1
	input.changes[0].before.kind == "Deployment"
	input.author == "rule"
	input.origin.branch == "main"
	input.finding.code == "oom-killed"
}
"#;

#[test]
fn a_proposal_tells_who_asks_where_and_when() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    sandbox.write("team/asks.rego", ASKS);
    let policy = sandbox.path("team");
    let from = recorded("oom-killed");
    let args = ["propose", "deployment/web", "--from", &from, "--policy", policy.to_str().unwrap()];
    let ran = sandbox.aifix_in("work", &args).exits(0);
    assert!(ran.out.contains("all of it was told"), "{}", ran.out);
}

/// It speaks when a revert was told what it goes back to.
const BACK: &str = r#"package team.back

warn contains "it is told what it goes back to" if {
	input.reverts.subject == "Cap it"
	some change in input.changes
	change.good == change.after
	change.good != change.before
}
"#;

#[test]
fn a_revert_tells_what_it_goes_back_to_and_what_it_takes_away_needs_approval() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &manifest("cat-oom-killed", "echo starting; tail /dev/zero", None))]);
    sandbox.write("work/web.yaml", &oom_manifest());
    sandbox.git("work", &["commit", "-qam", "Cap it"]);
    sandbox.git("work", &["push", "-q", "origin", "main"]);
    sandbox.write("team/back.rego", BACK);
    let policy = sandbox.path("team");
    let from = recorded("oom-killed");
    let args = ["propose", "deployment/web", "--revert", "--from", &from, "--policy", policy.to_str().unwrap()];
    let ran = sandbox.aifix_in("work", &args).exits(0);
    let out = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "it is told what it goes back to",
        "loses its memory limit, which it did not have before the commit that is taken back",
    ] {
        assert!(out.contains(part), "{part:?} is not in:\n{}", ran.out);
    }
    let pushed = sandbox.aifix_in("work", &[&args[..], &["--push", "--yes=review"]].concat()).exits(5);
    assert!(pushed.err.contains("needs a person's approval"), "{}", pushed.err);
    // Taking the limit away by hand is denied as ever.
    let step = |name: &str| json!({"field": name});
    let steps = ["spec", "template", "spec", "containers"].map(step).into_iter();
    let app = json!({"item": {"key": "name", "value": "app"}});
    let path: Vec<Value> = steps.chain([app]).chain([step("resources")]).collect();
    let intent = json!({
        "object": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "cat-oom-killed", "name": "web"},
        "edits": [{"path": path, "op": "remove", "old": {"limits": {"memory": "32Mi"}}}],
        "subject": "Let it grow", "why": "because", "evidence": [1], "author": "model", "disposition": "review"});
    let intent = sandbox.write("intent.json", &intent.to_string());
    let args = ["propose", "deployment/web", "--intent", intent.to_str().unwrap(), "--from", &from];
    let ran = sandbox.aifix_in("work", &args).exits(5);
    assert!(ran.out.contains("limits_kept") || ran.err.contains("limits_kept"), "{}{}", ran.out, ran.err);
}
