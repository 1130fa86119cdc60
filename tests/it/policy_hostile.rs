//! Policies that mean no good, and folders that are no policy folders.

use crate::harness::{Ran, Sandbox, oom_manifest, recorded};
use aifix::model::verdict::{Decision, Evaluation};
use aifix::policy::{self, Limits, Set};
use aifix::text::is_invisible;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// Enough for what is honest in a build without optimisation, and short for what never ends.
const LIMITS: Limits = Limits { deadline: Duration::from_millis(1_500), memory: 512 << 20 };

fn evaluate(set: &Set) -> Evaluation {
    let program = Path::new(env!("CARGO_BIN_EXE_aifix"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(policy::evaluate(set, &json!({"a": 1}), &LIMITS, program))
}

#[test]
fn bombs_end_the_child_or_its_rule_and_the_others_still_decide() {
    for (name, body) in [
        ("a range of 10^12", "count(numbers.range(1, 1000000000000)) == 1"),
        ("a range of ranges", "count([1 | some x in numbers.range(1, 3000000); some y in [x, x]; y < 0]) == 1"),
        ("a pattern of patterns", "regex.match(\"((a{1,1000}){1,1000}){1,1000}\", \"a\")"),
        ("a pattern that backtracks elsewhere", "regex.match(\"^(a+)+$\", sprintf(\"%0300000d!\", [1]))"),
        ("an old pattern of patterns", "re_match(\"((a{1,1000}){1,1000}){1,1000}\", \"a\")"),
        ("text that doubles", "count(replace(sprintf(\"%0020000d\", [0]), \"0\", sprintf(\"%0090000d\", [0]))) == 1"),
        ("a network's addresses", "count(net.cidr_expand(\"10.0.0.0/4\")) == 1"),
        ("a tower of lists", "json.unmarshal(concat(\"\", [\"[\" | some x in numbers.range(1, 900000)])) == 1"),
        ("a glob of stars", "glob.match(\"*a*a*a*a*a*a*a*a*a*a*a*b\", [], sprintf(\"%0500000d\", [1]))"),
        ("a shift without end", "bits.lsh(1, 100000000000) == 0"),
    ] {
        let bomb = format!("package bomb\n\nimport rego.v1\n\ndeny contains \"x\" if {{\n\t{body}\n}}\n");
        let files = [
            ("a.rego", "package a\n\ndeny contains \"a\" if input.a == 1\n"),
            ("bomb.rego", bomb.as_str()),
            ("c.rego", "package c\n\nwarn contains \"c\" if input.a == 1\n"),
        ];
        let set = Set::of(files, json!({})).unwrap();
        let started = Instant::now();
        let evaluation = evaluate(&set);
        assert!(started.elapsed() < Duration::from_secs(20), "{name}: {:?}", started.elapsed());
        let of = |policy: &str| evaluation.policies.iter().find(|run| run.name == policy).unwrap().decision;
        assert_eq!(of("a"), Decision::Deny, "{name}: {evaluation:?}");
        // It was denied, or the builtin answered in time and the rule did not hold.
        let said = evaluation.verdicts.iter().find(|verdict| verdict.policy == "bomb");
        let reason = said.map(|verdict| verdict.message.as_str()).unwrap_or_default();
        assert!(of("bomb") == Decision::Allow || reason.contains("can't be evaluated"), "{name}: {evaluation:?}");
        // Whoever comes later is asked by the next child, or denies because the time is over.
        assert!(of("c") >= Decision::Warn, "{name}: {evaluation:?}");
    }
}

#[test]
fn there_is_no_network_and_no_environment_for_a_template_either() {
    let template = |body: &str| {
        format!(
            "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {{name: x}}\nspec:\n  crd: {{spec: {{names: {{kind: K8sX}}}}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      package k8sx\n      violation[{{\"msg\": \"x\"}}] {{ {body} }}\n"
        )
    };
    let constraint = "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sX\nmetadata: {name: it}\nspec: {}\n";
    for (body, reason) in [
        ("http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}).status_code == 200", "http.send"),
        ("opa.runtime().env.HOME == \"/root\"", "opa.runtime"),
        ("net.lookup_ip_addr(\"localhost\")", "net.lookup_ip_addr"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("policy/t.yaml", &template(body));
        sandbox.write("policy/c.yaml", constraint);
        sandbox.write("web.yaml", &oom_manifest());
        let ran = sandbox.aifix(&["policy", "check", "web.yaml", "--policy", "policy"]).exits(5);
        let words = format!("the constraint can't be evaluated: could not find function {reason}");
        assert!(ran.out.contains(&words), "{}", ran.out);
    }
}

#[test]
fn a_constraint_that_kills_the_child_is_denied_and_the_others_are_asked() {
    let sandbox = Sandbox::new();
    let template = |kind: &str, body: &str| {
        format!(
            "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {{name: x}}\nspec:\n  crd: {{spec: {{names: {{kind: {kind}}}}}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      package k8sx\n      violation[{{\"msg\": \"said\"}}] {{ {body} }}\n---\napiVersion: constraints.gatekeeper.sh/v1beta1\nkind: {kind}\nmetadata: {{name: it}}\nspec: {{}}\n"
        )
    };
    sandbox.write(
        "policy/a.yaml",
        &template(
            "K8sBomb",
            "a := sprintf(\"%01000d\", [1]); b := replace(a, \"0\", a); count(replace(b, \"0\", b)) == 1",
        ),
    );
    sandbox.write("policy/b.yaml", &template("K8sGood", "input.review.kind.kind == \"Deployment\""));
    sandbox.write("web.yaml", &oom_manifest());
    let report = sandbox.aifix(&["policy", "check", "web.yaml", "--policy", "policy", "-o", "json"]).exits(5).json();
    let verdicts = report["verdicts"].as_array().unwrap();
    let of = |policy: &str| {
        let found = verdicts.iter().find(|verdict| verdict["policy"] == policy);
        found.map(|verdict| verdict["message"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    assert!(of("K8sBomb/it").contains("can't be evaluated"), "{report:#}");
    assert_eq!(of("K8sGood/it"), "said");
}

#[test]
fn a_folder_of_10_000_files_is_refused_by_its_name() {
    let sandbox = Sandbox::new();
    for at in 0..10_000 {
        sandbox.write(&format!("big/p{at}.rego"), "package p\n");
    }
    sandbox.write("web.yaml", &oom_manifest());
    let ran = sandbox.aifix(&["policy", "check", "web.yaml", "--policy", "big"]).exits(2);
    assert!(ran.err.contains("the policy folder `big` holds 10000 files, more than 1000"), "{}", ran.err);
    assert!(ran.out.is_empty());
}

#[test]
fn hostile_yaml_in_a_policy_folder_is_an_error_and_no_crash() {
    let bomb = (0..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, at| {
        format!("{text}a{}: &a{} [*a{at}, *a{at}, *a{at}]\n", at + 1, at + 1)
    });
    let deep = "[".repeat(30_000);
    let rego = "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nspec: {targets: 7}\n";
    for (name, text, code) in [
        ("bomb", bomb.as_str(), 2),
        ("deep", deep.as_str(), 2),
        ("odd", "apiVersion: [1]\nkind: {}\n---\n7\n", 2),
        ("template", rego, 0),
        ("list", "apiVersion: v1\nkind: List\nitems: 5\n---\naifix: {growth: {factor: 2}}\n", 0),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write("policy/x.yaml", text);
        sandbox.write("web.yaml", &oom_manifest());
        let ran = sandbox.aifix(&["policy", "check", "web.yaml", "--policy", "policy"]);
        assert_eq!(ran.code, code, "{name}: {}{}", ran.out, ran.err);
        assert!(code == 0 || ran.err.contains("x.yaml"), "{name}: {}", ran.err);
    }
}

/// What a terminal or a runner would act on, as Rego and JSON write it.
const ALIVE: &str = "\\u001b[2J\\n::error title=x::pwned\\r\\n ##[error]x ##vso[task.complete]y\\u202e\\u2066rtl\\u200b\\u0007\\u009b31m";

/// Nothing of it is left in what a run said.
#[track_caller]
fn inert(what: &str, ran: &Ran) {
    for text in [&ran.out, &ran.err] {
        let bad = text.chars().find(|c| *c != '\n' && (c.is_control() || is_invisible(*c)));
        assert_eq!(bad, None, "{what}: {text}");
        for line in text.lines() {
            assert!(!line.trim_start().starts_with("::"), "{what}: {line}");
            assert!(!line.contains("##[") && !line.contains("##vso["), "{what}: {line}");
        }
    }
}

/// A policy of each language whose words, names and lines are alive, and deny or warn.
fn alive(sandbox: &Sandbox, folder: &str, rule: &str, action: &str) {
    let file = format!("{folder}/\u{1b}[1m\n::warning::x\u{202e}.rego");
    let item = format!("{{\"message\": \"said {ALIVE}\", \"object\": \"{ALIVE}\", \"path\": \"{ALIVE}\"}}");
    sandbox.write(
        &file,
        &format!(
            "# METADATA\n# title: \"{ALIVE}\"\n# description: \"{ALIVE}\"\npackage alive\n\n\
             {rule} contains {item} if input.changes # \u{1b}[31m\u{202e}##[error]x\n"
        ),
    );
    sandbox.write(
        &format!("{folder}/c.yaml"),
        &format!(
            "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: \"K8s{ALIVE}\"\nmetadata: {{name: \"{ALIVE}\"}}\n\
             spec: {{enforcementAction: {action}}}\n---\n\
             apiVersion: \"kyverno.io/v1\"\nkind: \"{ALIVE}\"\nmetadata: {{name: x}}\n"
        ),
    );
}

#[test]
fn the_words_and_names_of_a_policy_are_inert_wherever_they_are_shown() {
    for (rule, action, code) in [("deny", "deny", 5), ("warn", "warn", 0)] {
        let sandbox = Sandbox::new();
        alive(&sandbox, "team", rule, action);
        let manifest = oom_manifest();
        sandbox.write("web.yaml", &manifest);
        for args in [
            &["policy", "check", "web.yaml", "--policy", "team"][..],
            &["policy", "check", "web.yaml", "--policy", "team", "-o", "json"],
            &["policy", "why", "web.yaml", "--policy", "team"],
            &["policy", "list", "--policy", "team"],
        ] {
            let ran = sandbox.aifix(args);
            assert_eq!(ran.code, if args[1] == "check" { code } else { 0 }, "{args:?}: {}", ran.err);
            assert!(ran.out.contains("pwned"), "{args:?}: {}", ran.out);
            inert(&args.join(" "), &ran);
        }
        // On the road: a warning beside the fix, or a denial in its place; from a folder and from the repository.
        sandbox.repository(&[("k8s/web.yaml", &manifest)]);
        let from = recorded("oom-killed");
        let road = ["propose", "deployment/web", "--from", &from];
        let ran = sandbox.aifix_in("work", &[&road[..], &["--policy", "../team"]].concat()).exits(code);
        assert!(ran.out.contains("said ") && ran.out.contains("pwned"), "{}", ran.out);
        inert("propose --policy", &ran);
        alive(&sandbox, "work/.aifix/policies", rule, action);
        sandbox.git("work", &["add", "-A"]);
        sandbox.git("work", &["commit", "-qm", "Policies"]);
        sandbox.git("work", &["push", "-q", "origin", "main"]);
        let ran = sandbox.aifix_in("work", &road).exits(code);
        assert!(ran.out.contains("said ") && ran.out.contains("pwned"), "{}", ran.out);
        inert("propose", &ran);
    }
}

#[test]
fn the_words_of_a_policy_that_wants_an_approval_or_does_not_parse_are_inert() {
    let sandbox = Sandbox::new();
    alive(&sandbox, "team", "needs_approval", "warn");
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    let from = recorded("oom-killed");
    let road = ["propose", "deployment/web", "--from", &from, "--push", "--yes=review", "--policy", "../team"];
    let ran = sandbox.aifix_in("work", &road).exits(5);
    assert!(ran.err.contains("needs a person's approval") && ran.err.contains("pwned"), "{}", ran.err);
    inert("approval", &ran);
    let file = "team/\u{1b}[1m\n::warning::x\u{202e}.rego";
    for text in [
        "package x\n\ndeny contains \u{1b}[31m\n::error::pwned if {\n",
        "package x\n\n::error::pwned \u{202e} ##[error]x\n",
        "package x\n\ndeny contains \"##[error]\u{202e}\" if nowhere_at_all(1) # \u{1b}[31m\n",
    ] {
        sandbox.write(file, text);
        sandbox.write("web.yaml", &oom_manifest());
        let ran = sandbox.aifix(&["policy", "check", "web.yaml", "--policy", "team"]).exits(5);
        assert!(ran.out.contains("can't be evaluated"), "{}", ran.out);
        inert(text, &ran);
        inert(text, &sandbox.aifix(&["policy", "list", "--policy", "team"]));
        inert(text, &sandbox.aifix_in("work", &road).exits(5));
    }
    // So are the names in an error.
    std::fs::remove_file(sandbox.path(file)).unwrap();
    std::os::unix::fs::symlink("/nonexistent", sandbox.path(file)).unwrap();
    inert("a link", &sandbox.aifix(&["policy", "check", "web.yaml", "--policy", "team"]).exits(2));
}
