//! Policies written for conftest, beside those for us.

use crate::harness::{Sandbox, oom_manifest};
use aifix::model::object::ObjectRef;
use aifix::model::verdict::{Decision, Evaluation, Verdict};
use aifix::policy::{self, Change, Input, Limits, Set};
use serde_json::{Value, json};
use std::path::Path;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_aifix"))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn deployment(name: &str, image: &str, replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "app", "image": image}]}}}})
}

/// What policies say of one object that changes.
fn change(files: &[(&str, &str)], before: &Value, after: &Value) -> Evaluation {
    let set = Set::of(files.iter().copied(), json!({"limits": {"replicas": 2}})).unwrap();
    let object = ObjectRef::new("apps/v1", "Deployment", "shop", "web");
    let input = Input::change(vec![Change::new(object, before, after, true, false)]);
    wait(policy::evaluate(&set, &input.to_value(), &Limits::default(), program()))
}

fn said(evaluation: &Evaluation) -> Vec<(Decision, &str, bool)> {
    evaluation
        .verdicts
        .iter()
        .map(|verdict| (verdict.decision, verdict.message.as_str(), verdict.held_before))
        .collect()
}

/// As conftest's own examples are written.
const ROOT: &str = "\
package main

import rego.v1

deny_latest contains msg if {
	input.kind == \"Deployment\"
	some container in input.spec.template.spec.containers
	endswith(container.image, \":latest\")
	msg := sprintf(\"%s runs latest\", [container.name])
}

warn contains msg if {
	input.spec.replicas < data.limits.replicas
	msg := \"too few replicas\"
}
";

#[test]
fn a_conftest_policy_gets_each_manifest_as_its_input() {
    let (before, after) = (deployment("web", "a:1", 3), deployment("web", "a:latest", 1));
    let evaluation = change(&[("root.rego", ROOT)], &before, &after);
    assert_eq!(
        said(&evaluation),
        [(Decision::Deny, "app runs latest", false), (Decision::Warn, "too few replicas", false)]
    );
    let verdict = &evaluation.verdicts[0];
    assert_eq!(verdict.object.as_deref(), Some("Deployment shop/web"));
    assert_eq!((verdict.rule.as_str(), verdict.location.as_ref().unwrap().line), ("deny_latest", 5));
}

#[test]
fn what_held_before_the_change_is_shown_and_stops_nothing() {
    let (before, after) = (deployment("web", "a:latest", 3), deployment("web", "a:latest", 5));
    let evaluation = change(&[("root.rego", ROOT)], &before, &after);
    assert_eq!(said(&evaluation), [(Decision::Warn, "app runs latest", true)]);
    assert_eq!(evaluation.decision(), Decision::Warn);
    // A new object has no before.
    let evaluation = change(&[("root.rego", ROOT)], &Value::Null, &after);
    assert_eq!(evaluation.decision(), Decision::Deny);
    // One that is gone is asked about no more.
    assert_eq!(said(&change(&[("root.rego", ROOT)], &before, &Value::Null)), []);
}

#[test]
fn rego_v0_of_conftest_works_beside_v1_and_in_any_namespace() {
    let old = "package k8s.images\n\ndeny[msg] {\n  c := input.spec.template.spec.containers[_]\n  not startswith(c.image, \"registry.local/\")\n  msg := sprintf(\"%s is from elsewhere\", [c.image])\n}\n";
    let evaluation = change(&[("old.rego", old), ("root.rego", ROOT)], &Value::Null, &deployment("web", "a:latest", 3));
    let messages: Vec<&str> = evaluation.verdicts.iter().map(|verdict| verdict.message.as_str()).collect();
    assert_eq!(messages, ["a:latest is from elsewhere", "app runs latest"]);
}

#[test]
fn an_exception_excuses_the_rules_that_it_names_and_no_other() {
    let excuse = |rules: &str| {
        let text = format!(
            "{ROOT}\ndeny contains \"never\" if input.kind == \"Deployment\"\n\nexception contains rules if {{\n\tinput.metadata.name == \"web\"\n\trules := [{rules}]\n}}\n"
        );
        let evaluation = change(&[("root.rego", &text)], &Value::Null, &deployment("web", "a:latest", 3));
        said(&evaluation).into_iter().map(|(decision, text, _)| (decision, text.to_owned())).collect::<Vec<_>>()
    };
    let excused = |text: &str| (Decision::Allow, format!("excused by a rule `exception`: {text}"));
    let denied = |text: &str| (Decision::Deny, text.to_owned());
    assert_eq!(excuse("\"latest\""), [denied("never"), excused("app runs latest")]);
    assert_eq!(excuse("\"\""), [denied("app runs latest"), excused("never")]);
    assert_eq!(excuse("\"other\""), [denied("app runs latest"), denied("never")]);
}

#[test]
fn a_policy_of_ours_still_gets_the_whole_change() {
    let ours = "package ours\n\ndeny contains msg if {\n\tsome change in input.changes\n\tchange.after.spec.replicas > change.before.spec.replicas\n\tmsg := input.mode\n}\n";
    let aliased = "package aliased\n\nimport input as doc\n\ndeny contains \"aliased\" if count(doc.changes) == 1\n";
    let (before, after) = (deployment("web", "a:1", 3), deployment("web", "a:1", 5));
    let evaluation = change(&[("ours.rego", ours), ("aliased.rego", aliased)], &before, &after);
    assert_eq!(said(&evaluation), [(Decision::Deny, "change", false), (Decision::Deny, "aliased", false)]);
}

#[test]
fn a_policy_that_takes_input_whole_gets_both() {
    let text = "package main\n\ndeny contains path[0] if {\n\twalk(input, [path, value])\n\tvalue == \"a:bad\"\n}\n";
    let evaluation = change(&[("a.rego", text)], &Value::Null, &deployment("web", "a:bad", 1));
    assert_eq!(said(&evaluation), [(Decision::Deny, "changes", false), (Decision::Deny, "spec", false)]);
}

#[test]
fn a_policy_whose_input_can_not_be_told_denies_and_may_say_it_itself() {
    let text = "deny contains \"x\" if {\n\tinput.kind == \"Deployment\"\n\tnot input.mode\n}\n";
    let bare = format!("package main\n\n{text}");
    let evaluation = change(&[("a.rego", &bare)], &Value::Null, &deployment("web", "a:1", 1));
    let [verdict] = &evaluation.verdicts[..] else { panic!("{evaluation:?}") };
    assert_eq!(verdict.decision, Decision::Deny);
    assert!(verdict.message.contains("`input.mode` of a change and `input.kind` of a manifest"), "{verdict:?}");
    for (wanted, count) in [("manifest", 1), ("changes", 0)] {
        let text = format!("# METADATA\n# title: x\n# custom:\n#   input: {wanted}\npackage main\n\n{text}");
        let evaluation = change(&[("a.rego", &text)], &Value::Null, &deployment("web", "a:1", 1));
        assert_eq!(evaluation.verdicts.len(), count, "{wanted}: {evaluation:?}");
    }
    let wrong = "# METADATA\n# custom:\n#   input: manifests\npackage main\n\ndeny contains \"x\" if input.kind\n";
    let evaluation = change(&[("a.rego", wrong)], &Value::Null, &deployment("web", "a:1", 1));
    assert!(evaluation.verdicts[0].message.contains("neither `changes` nor `manifest`"), "{evaluation:?}");
}

#[test]
fn gatekeepers_rego_without_its_template_denies() {
    let text = "package k8s\n\nviolation[{\"msg\": msg}] {\n  input.review.object.kind == \"Pod\"\n  msg := \"x\"\n}\n";
    let evaluation = change(&[("a.rego", text)], &Value::Null, &deployment("web", "a:1", 1));
    let [verdict] = &evaluation.verdicts[..] else { panic!("{evaluation:?}") };
    assert!(
        verdict.message.ends_with("so it is Gatekeeper's: name the ConstraintTemplate that holds it"),
        "{verdict:?}"
    );
}

#[test]
fn a_builtin_that_fails_says_nothing_as_in_opa_and_that_is_told() {
    let text = "package main\n\ndeny contains \"x\" if startswith(input.spec.replicas, \"a\")\n\ndeny contains \"y\" if input.kind == \"Deployment\"\n";
    let evaluation = change(&[("a.rego", text)], &Value::Null, &deployment("web", "a:1", 1));
    let [denied, told]: &[Verdict] = &evaluation.verdicts else { panic!("{evaluation:?}") };
    assert_eq!((denied.decision, denied.message.as_str()), (Decision::Deny, "y"));
    assert_eq!(told.decision, Decision::Warn);
    assert!(told.message.starts_with("a builtin failed, and the rule went on without it as in OPA:"), "{told:?}");
}

#[test]
fn data_files_and_examples_stand_beside_conftest_policies() {
    let sandbox = Sandbox::new();
    sandbox.write("policy/root.rego", ROOT);
    sandbox.write("policy/limits.yaml", "limits:\n  replicas: 2\n");
    sandbox.write("policy/kustomization.yaml", "resources: [x]\n");
    sandbox.write("policy/example.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n");
    sandbox.write("policy/other.yaml", "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: a}\n");
    sandbox.write("web.yaml", &oom_manifest());
    let ran = sandbox.aifix(&["policy", "check", "web.yaml", "--policy", "policy"]).exits(0);
    insta::assert_snapshot!(ran.out.lines().skip(1).collect::<Vec<_>>().join("\n"), @r"
      warn  policies
        `policy/other.yaml` holds a ClusterPolicy of kyverno.io, which is not evaluated
      warn  root
        Deployment cat-oom-killed/web: too few replicas
        --> policy/root.rego:12:1
        12 | warn contains msg if {
    ");
    let list = sandbox.aifix(&["policy", "list", "--policy", "policy"]).exits(0).out;
    assert!(list.contains("root  policy/root.rego  each manifest\n"), "{list}");
    assert!(list.contains("not asked  `policy/other.yaml` holds a ClusterPolicy of kyverno.io"), "{list}");
    let bad = oom_manifest().replace("busybox:1.36", "busybox:latest");
    sandbox.write("bad.yaml", &bad);
    let ran = sandbox.aifix(&["policy", "check", "bad.yaml", "--policy", "policy"]).exits(5);
    assert!(ran.out.contains("app runs latest"), "{}", ran.out);
}

#[test]
fn a_policy_for_combined_files_is_refused_and_not_silently_passed() {
    let rule = |body: &str| format!("package main\n\ndeny contains \"x\" if {{\n{body}\n}}\n");
    let web = deployment("web", "a:1", 1);
    for body in [
        "\tinput[_].contents.kind == \"Deployment\"",
        "\tsome i\n\tdoc := input[i]\n\tdoc.contents.kind == \"Deployment\"",
        "\tsome doc in input\n\tdoc[\"contents\"].kind == \"Deployment\"",
        "\tinput[0].contents.kind == \"Deployment\"",
        "\tnot startswith(input[_].path, \"prod/\")",
        "\tall := [doc | doc := input[_].contents; doc.kind == \"Deployment\"]\n\tcount(all) > 0",
    ] {
        let evaluation = change(&[("a.rego", &rule(body))], &Value::Null, &web);
        let [verdict] = &evaluation.verdicts[..] else { panic!("{body}: {evaluation:?}") };
        assert_eq!(verdict.decision, Decision::Deny, "{body}");
        assert!(verdict.message.contains("the list of files that conftest gives with --combine"), "{verdict:?}");
        assert_eq!(verdict.location.as_ref().unwrap().line, 3, "{verdict:?}");
    }
    // A helper that another file imports is looked through, in v0 too.
    let lib = "package lib.files\n\ndeployments[doc] {\n  doc := input[_].contents\n  doc.kind == \"Deployment\"\n}\n";
    let user =
        "package main\n\nimport data.lib.files\n\ndeny[msg] {\n  count(files.deployments) > 0\n  msg := \"x\"\n}\n";
    let evaluation = change(&[("lib.rego", lib), ("user.rego", user)], &Value::Null, &web);
    assert_eq!(evaluation.decision(), Decision::Deny, "{evaluation:?}");
    assert!(evaluation.verdicts[0].message.contains("--combine"), "{evaluation:?}");
    // Fields of that name in a manifest, and a policy that says what it reads, are asked.
    let field = rule("\tinput.kind == \"Deployment\"\n\tsome file in input.spec.files\n\tfile.contents == \"x\"");
    assert_eq!(said(&change(&[("a.rego", &field)], &Value::Null, &web)), []);
    let told = format!("# METADATA\n# custom:\n#   input: manifest\n{}", rule("\tinput[_].path == \"x\""));
    assert_eq!(said(&change(&[("a.rego", &told)], &Value::Null, &web)), []);
}

#[test]
fn what_only_conftest_knows_is_refused_by_its_name() {
    let web = deployment("web", "a:1", 1);
    for (text, reason, line) in [
        (
            "deny contains \"x\" if {\n\tinput.kind == \"Deployment\"\n\tparse_config_file(\"limits.yaml\").replicas == 1\n}\n",
            "could not find function parse_config_file, a builtin of conftest that reads further files",
            5,
        ),
        (
            "deny contains \"x\" if parse_config(\"yaml\", input.spec.text).replicas == 1\n",
            "could not find function parse_config, a builtin of conftest that reads further files",
            3,
        ),
        (
            "deny contains \"x\" if {\n\tinput.kind == \"Deployment\"\n\tendswith(data.conftest.file.name, \".yaml\")\n}\n",
            "it reads `data.conftest`, the file that conftest looks at, which is not known here",
            3,
        ),
    ] {
        let text = format!("package main\n\n{text}");
        let evaluation = change(&[("a.rego", &text)], &Value::Null, &web);
        let [verdict] = &evaluation.verdicts[..] else { panic!("{text}: {evaluation:?}") };
        assert_eq!(verdict.decision, Decision::Deny, "{text}");
        assert!(verdict.message.contains(reason), "{verdict:?}");
        assert_eq!(verdict.location.as_ref().unwrap().line, line, "{verdict:?}");
    }
    // Data that the policies bring themselves is theirs.
    let own = "package main\n\ndeny contains \"own\" if {\n\tinput.kind == data.conftest.kind\n}\n";
    let set = Set::of([("a.rego", own)], json!({"conftest": {"kind": "Deployment"}})).unwrap();
    let evaluation = wait(policy::check(&[web], &set, &Limits::default(), program()));
    assert_eq!(said(&evaluation), [(Decision::Deny, "own", false)]);
}
