//! Policies in their child process, friendly and hostile.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends where something is not as it should be"
)]

use aifix::model::snapshot::{Scope, Snapshot};
use aifix::model::verdict::Evaluation;
use aifix::model::verdict::{Decision, Verdict};
use aifix::policy::{self, Input, Limits, Set};
use serde_json::{Value, json};
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

/// A build without optimisation beside other tests may be slow; what loops must not take long.
const LIMITS: Limits = Limits { deadline: Duration::from_secs(5), memory: 512 << 20 };
const SHORT: Limits = Limits { deadline: Duration::from_millis(700), memory: 512 << 20 };

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_aifix"))
}

fn evaluate(set: &Set, input: &Value, limits: &Limits) -> Evaluation {
    wait(policy::evaluate(set, input, limits, program()))
}

/// A policy that is evaluated alone, and what it says.
fn alone(rego: &str) -> Verdict {
    alone_within(rego, &LIMITS)
}

fn alone_within(rego: &str, limits: &Limits) -> Verdict {
    let set = Set::of([("p.rego", rego)], json!({})).unwrap();
    let mut evaluation = evaluate(&set, &json!({"a": 1, "n": [1, 2]}), limits);
    assert_eq!(evaluation.policies.len(), 1, "{evaluation:?}");
    assert_eq!(evaluation.policies[0].decision, evaluation.decision());
    assert_eq!(evaluation.verdicts.len(), 1, "{evaluation:?}");
    evaluation.verdicts.remove(0)
}

fn assert_denied(rego: &str, reason: &str) {
    assert_reason(&alone(rego), reason);
}

fn assert_reason(verdict: &Verdict, reason: &str) {
    assert_eq!(verdict.decision, Decision::Deny, "{verdict:?}");
    assert_eq!(verdict.policy, "p");
    assert_eq!(verdict.message, format!("the policy can't be evaluated: {reason}"));
}

fn manifest(image: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "n"},
        "spec": {"containers": [{"name": "app", "image": image}]}})
}

#[test]
fn every_rego_test_of_the_embedded_policies_passes() {
    let results = wait(policy::test(&Set::load(true, &[]).unwrap(), &LIMITS, program()));
    let failed: Vec<_> = results.iter().filter(|result| !result.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(results.len() > 50);
}

#[test]
fn a_verdict_shows_its_policy_rule_place_and_line() {
    let set = Set::load(true, &[]).unwrap();
    let evaluation = wait(policy::check(&[manifest("web:latest")], &set, &LIMITS, program()));
    let [verdict] = &evaluation.verdicts[..] else { panic!("{evaluation:?}") };
    assert_eq!(
        (verdict.policy.as_str(), verdict.rule.as_str(), verdict.decision),
        ("image_tag", "deny", Decision::Deny)
    );
    assert_eq!(verdict.message, "container app runs web:latest, whose tag can name another image tomorrow");
    assert_eq!(verdict.object.as_deref(), Some("Pod n/a"));
    assert_eq!(verdict.path.as_deref(), Some("spec.containers[app].image"));
    let location = verdict.location.as_ref().unwrap();
    assert!(location.to_string().starts_with("policies/image_tag.rego:"), "{location}");
    assert_eq!(location.source, "deny contains verdict if {");
}

#[test]
fn a_clean_manifest_is_allowed_by_every_policy() {
    let set = Set::load(true, &[]).unwrap();
    let evaluation = wait(policy::check(&[manifest("web:1.2")], &set, &LIMITS, program()));
    assert_eq!(evaluation.decision(), Decision::Allow);
    assert!(evaluation.verdicts.is_empty());
    assert_eq!(evaluation.policies.len(), set.policies().count() - 1, "all but the library");
}

#[test]
fn odd_manifests_do_not_slip_through() {
    let set = Set::load(true, &[]).unwrap();
    for (pod, decision) in [
        (json!({"containers": null}), Decision::Allow),
        (json!({"containers": [], "securityContext": null, "volumes": null}), Decision::Allow),
        (json!({"containers": [{"image": "web:latest"}]}), Decision::Deny),
        (json!({"containers": [{"name": "a", "image": 5}]}), Decision::Deny),
        (json!({"containers": [5]}), Decision::Deny),
        (json!({"containers": [{"name": "a", "resources": {"limits": {"memory": "lots"}}}]}), Decision::Deny),
        (
            json!({"containers": [{"name": "a", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]}),
            Decision::Deny,
        ),
        (json!({"ephemeralContainers": [{"name": "a", "securityContext": {"privileged": true}}]}), Decision::Deny),
        (json!({"initContainers": [{"name": "a", "image": "web"}]}), Decision::Deny),
    ] {
        let mut manifest = manifest("web:1");
        manifest["spec"] = pod.clone();
        let evaluation = wait(policy::check(&[manifest], &set, &LIMITS, program()));
        assert_eq!(evaluation.decision(), decision, "{pod}: {:?}", evaluation.verdicts);
    }
}

#[test]
fn of_two_rules_with_one_name_the_one_that_fired_is_shown() {
    let verdict = alone(
        "package p\n\ndeny contains \"one\" if input.a == 2\n\n  deny contains {\"msg\": \"two\"} if input.a == 1\n",
    );
    assert_eq!(verdict.message, "two");
    let location = verdict.location.unwrap();
    assert_eq!((location.line, location.column), (5, 3));
    assert_eq!(location.source, "  deny contains {\"msg\": \"two\"} if input.a == 1");
}

#[test]
fn files_of_one_package_are_told_apart() {
    let files = [
        ("a.rego", "package main\ndeny contains msg if { msg := word(input.a) }"),
        (
            "b.rego",
            "package main\nwarn_b contains \"b\"\ndeny contains \"b too\"\nword(n) := sprintf(\"n is %d\", [n])",
        ),
    ];
    let evaluation = evaluate(&Set::of(files, json!({})).unwrap(), &json!({"a": 1}), &LIMITS);
    let said: Vec<_> =
        evaluation.verdicts.iter().map(|v| (v.policy.as_str(), v.rule.as_str(), v.message.as_str())).collect();
    assert_eq!(said, [("a", "deny", "n is 1"), ("b", "deny", "b too"), ("b", "warn_b", "b")]);
}

#[test]
fn rego_v0_and_v1_stand_side_by_side() {
    let files = [
        ("old.rego", "package old\ndeny[msg] { input.a == 1; msg := \"old\" }"),
        ("new.rego", "package new\nimport rego.v1\nneeds_approval contains \"new\" if input.a == 1"),
    ];
    let evaluation = evaluate(&Set::of(files, json!({})).unwrap(), &json!({"a": 1}), &LIMITS);
    let said: Vec<_> = evaluation.verdicts.iter().map(|v| (v.message.as_str(), v.decision)).collect();
    assert_eq!(said, [("old", Decision::Deny), ("new", Decision::NeedsApproval)]);
}

#[test]
fn a_file_from_windows_is_read_like_any_other() {
    let verdict = alone(
        "\u{feff}package p\r\n\r\ndeny contains \"one\" if input.a == 2\r\ndeny contains \"two\" if {\r\n  input.a == 1\r\n}\r\n",
    );
    assert_eq!(verdict.message, "two");
    assert_eq!(verdict.location.unwrap().source, "deny contains \"two\" if {");
}

#[test]
fn values_of_every_shape_decide() {
    for (rule, message) in [
        ("deny := true", "`deny` holds"),
        ("default deny := \"said\"", "said"),
        ("deny if input.a == 1", "`deny` holds"),
        ("deny contains {\"msg\": \"m\", \"details\": {}}", "m"),
        ("deny contains {\"code\": 7}", "{\"code\":7}"),
        ("deny := 7", "7"),
        ("deny := null", "null"),
        ("deny contains \"\"", "`deny` holds"),
        ("violation_x contains \"v\"", "v"),
        ("deny := [\"listed\"]", "listed"),
    ] {
        let verdict = alone(&format!("package p\n{rule}"));
        assert_eq!((verdict.decision, verdict.message.as_str()), (Decision::Deny, message), "{rule}");
    }
    for rule in ["deny := false", "deny contains \"x\" if input.b", "deny := \"x\" if input.b", "deny := set()"] {
        let set = Set::of([("p.rego", format!("package p\n{rule}").as_str())], json!({})).unwrap();
        assert_eq!(evaluate(&set, &json!({"a": 1}), &LIMITS).decision(), Decision::Allow, "{rule}");
    }
}

#[test]
fn a_policy_that_does_not_parse_is_a_denial_with_the_place() {
    let verdict = alone("package p\ndeny contains msg if {");
    assert_reason(&verdict, "expecting expression");
    assert_eq!(verdict.location.unwrap().to_string(), "p.rego:2:23");
}

#[test]
fn a_missing_builtin_is_a_denial_even_where_it_is_not_reached() {
    for (call, name) in [
        ("crypto.sha256(\"a\") == \"b\"", "crypto.sha256"),
        ("http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}).status_code == 200", "http.send"),
        ("opa.runtime().env.HOME == \"/root\"", "opa.runtime"),
        ("net.lookup_ip_addr(\"localhost\") != set()", "net.lookup_ip_addr"),
        ("io.jwt.decode(\"x\")[0]", "io.jwt.decode"),
    ] {
        let verdict = alone(&format!("package p\ndeny contains \"x\" if {{\n  input.missing\n  {call}\n}}"));
        assert_reason(&verdict, &format!("could not find function {name}"));
        assert_eq!(verdict.location.unwrap().line, 4);
    }
}

#[test]
fn the_builtins_that_policies_use_are_there() {
    let verdict = alone(
        r#"package p
deny contains msg if {
	walk(input, [path, value]); value == 1; path == ["a"]
	regex.match("^a", "ab"); glob.match("a*", [], "ab"); startswith("ab", "a")
	semver.compare("1.0.0", "1.0.1") == -1
	net.cidr_contains("10.0.0.0/8", "10.1.2.3")
	json.unmarshal("{}") == {}; yaml.unmarshal("a: 1").a == 1; object.get({}, "a", 1) == 1
	units.parse_bytes("1Ki") == 1024; base64.decode("YQ==") == "a"; hex.encode("a") == "61"
	print("said")
	msg := concat(" ", ["all", "there"])
}"#,
    );
    assert_eq!(verdict.message, "all there");
}

#[test]
fn a_builtin_that_fails_is_a_denial_with_its_message() {
    assert_denied(
        "package p\ndeny contains \"x\" if startswith(input.a, \"b\")",
        "`startswith` expects string argument. Got `1` instead",
    );
    assert_denied("package p\ndeny contains x if x := to_number(\"b\")", "could not parse string as number");
}

#[test]
fn recursion_is_a_denial_before_it_overflows_the_stack() {
    assert_denied(
        "package p\nf(x) := f(x + 1)\ndeny contains \"x\" if f(1) == 2",
        "recursion: function `f` calls itself",
    );
    assert_denied(
        "package p\nf(x) := g(x)\ng(x) := y if { y := [f(z) | some z in [x]] }\ndeny contains \"x\" if f(1)",
        "recursion: function `f` calls itself",
    );
    let rules = alone("package p\ndeny contains x if x := b\nb := c\nc := b");
    assert!(rules.message.contains("recursion detected"), "{rules:?}");
}

#[test]
fn recursion_through_a_rule_does_not_take_us_down() {
    let verdict = alone("package p\nf(x) := y if { y := r + x }\nr := f(1)\ndeny contains \"x\" if r == 2");
    assert_eq!(verdict.decision, Decision::Deny);
    assert!(verdict.message.contains("recursion"), "{verdict:?}");
}

#[test]
fn a_loop_is_a_denial_within_its_deadline() {
    let started = Instant::now();
    let nested = "package p\ndeny contains \"x\" if {\n  some a in numbers.range(1, 9000)\n  some b in numbers.range(1, 9000)\n  a * b == -1\n}";
    let verdict = alone_within(nested, &SHORT);
    assert!(verdict.message.contains("ran longer than its deadline"), "{verdict:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_loop_inside_a_builtin_is_a_denial_too() {
    let started = Instant::now();
    let verdict = alone_within("package p\ndeny contains \"x\" if count(numbers.range(1, 1000000000)) == 1", &SHORT);
    assert_eq!((verdict.decision, verdict.policy.as_str()), (Decision::Deny, "p"));
    assert!(verdict.message.contains("deadline") || verdict.message.contains("memory"), "{verdict:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// `b` is of a megabyte, `c` of a hundred.
const GROWN: &str =
    "a := sprintf(\"%01000d\", [1])\nb := replace(a, \"0\", a)\nc := replace(b, \"0\", sprintf(\"%0100d\", [1]))\n";

#[test]
fn eating_memory_is_a_denial_that_says_so() {
    let small = Limits { memory: 384 << 20, ..LIMITS };
    let verdict =
        alone_within(&format!("package p\n{GROWN}deny contains \"x\" if count(replace(c, \"0\", b)) == 1"), &small);
    assert_eq!((verdict.decision, verdict.policy.as_str()), (Decision::Deny, "p"));
    assert!(verdict.message.contains("memory"), "{verdict:?}");
    let listed = "package p\ndeny contains x if {\n  some a in numbers.range(1, 3000)\n  some b in numbers.range(1, 3000)\n  x := sprintf(\"%d-%0900d\", [a, b])\n}";
    let verdict = alone_within(listed, &Limits { deadline: Duration::from_secs(60), ..small });
    assert!(verdict.message.contains("memory"), "{verdict:?}");
}

#[test]
fn an_answer_of_100_mb_is_a_denial() {
    let words = format!("package p\n{GROWN}deny contains c");
    let verdict = alone_within(&words, &Limits { deadline: Duration::from_secs(60), memory: 2 << 30 });
    assert_eq!((verdict.decision, verdict.policy.as_str()), (Decision::Deny, "p"));
    assert!(verdict.message.len() < 3_000, "{} bytes", verdict.message.len());
    assert_denied(
        "package p\ndeny contains x if some x in numbers.range(1, 1000)",
        "`deny` gives 1000 verdicts, more than 200",
    );
}

#[test]
fn a_policy_named_like_a_builtin_may_be_one_but_its_functions_may_not_hide_one() {
    let set = Set::of(
        [("startswith.rego", "package startswith\ndeny contains \"x\" if startswith(\"ab\", \"a\")")],
        json!({}),
    );
    let evaluation = evaluate(&set.unwrap(), &json!({}), &LIMITS);
    assert_eq!((evaluation.verdicts[0].policy.as_str(), evaluation.verdicts[0].message.as_str()), ("startswith", "x"));
    assert_denied(
        "package p\nstartswith(a, b) := false\ndeny contains \"x\" if startswith(\"ab\", \"a\")",
        "`startswith` is the name of a builtin; give the rule another",
    );
}

#[test]
fn a_policy_without_a_deciding_rule_is_a_denial() {
    assert_denied(
        "package p\ndenny contains \"x\" if input.a == 1",
        "it has no rule `deny`, `violation`, `needs_approval` or `warn`, and no policy imports it",
    );
}

#[test]
fn nothing_of_our_environment_reaches_the_child() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("child");
    std::fs::write(&script, "#!/bin/sh\ncat >/dev/null\necho \"[$1$HOME$CARGO_MANIFEST_DIR]\" >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let set = Set::of([("p.rego", "package p\ndeny contains \"x\" if false")], json!({})).unwrap();
    let evaluation = wait(policy::evaluate(&set, &json!({}), &LIMITS, &script));
    assert_eq!(
        evaluation.verdicts[0].message,
        "policies can't be evaluated: the evaluator ended with code 3 and said: [__policy]"
    );
}

#[test]
fn a_policy_sees_its_input_and_the_data_of_its_source_only() {
    let verdict = alone("package p\ndeny contains sprintf(\"%v %v\", [object.keys(input), object.keys(data)])");
    assert_eq!(verdict.message, r#"{"a", "n"} set()"#);
}

#[test]
fn text_that_nests_without_end_is_a_denial() {
    for text in ["[", "f(", "{x | ", "not ", "every x in [", "- "] {
        let verdict =
            alone_within(&format!("package p\ndeny contains \"x\" if {{ a := {}1 }}", text.repeat(300)), &SHORT);
        assert_eq!((verdict.decision, verdict.policy.as_str()), (Decision::Deny, "p"), "{text}");
        let lines = format!("{text}\n").repeat(5_000);
        let verdict = alone_within(&format!("package p\ndeny contains \"x\" if {{ a := {lines}1 }}"), &SHORT);
        assert_eq!((verdict.decision, verdict.policy.as_str()), (Decision::Deny, "p"), "{text}");
    }
}

#[test]
fn the_others_still_decide_when_one_policy_kills_the_evaluator() {
    let files = [
        ("a.rego", "package a\ndeny contains \"a\""),
        ("bomb.rego", "package bomb\ndeny contains \"x\" if count(sprintf(\"%0900000000d\", [1])) == 1"),
        ("c.rego", "package c\ndeny contains \"c\" if input.a == 2"),
    ];
    let evaluation = evaluate(&Set::of(files, json!({})).unwrap(), &json!({"a": 1}), &LIMITS);
    let decisions: Vec<_> = evaluation.policies.iter().map(|run| (run.name.as_str(), run.decision)).collect();
    assert_eq!(decisions, [("a", Decision::Deny), ("bomb", Decision::Deny), ("c", Decision::Allow)]);
    assert_eq!(evaluation.verdicts.len(), 2);
}

#[test]
fn what_was_not_reached_before_the_deadline_is_denied() {
    let files = [
        ("a.rego", "package a\ndeny contains \"x\" if count(numbers.range(1, 100000000)) == 1"),
        ("b.rego", "package b\ndeny contains \"b\" if input.a == 2"),
    ];
    let limits = Limits { deadline: Duration::from_millis(300), memory: 4 << 30 };
    let evaluation = evaluate(&Set::of(files, json!({})).unwrap(), &json!({"a": 1}), &limits);
    assert!(evaluation.policies.iter().all(|run| run.decision == Decision::Deny), "{evaluation:?}");
    assert_eq!(evaluation.policies.len(), 2);
    let last = evaluation.verdicts.last().unwrap();
    assert_eq!(last.policy, "b");
    assert!(last.message.contains("it was not reached, because of another: ran longer"), "{last:?}");
}

#[test]
fn a_child_that_can_not_be_started_or_talks_nonsense_is_a_denial() {
    let set = Set::of([("p.rego", "package p\ndeny contains \"x\" if false")], json!({})).unwrap();
    for (program, reason) in
        [("/nonexistent/aifix", "can't be started"), ("/bin/echo", "no whole answer"), ("/bin/false", "code 1")]
    {
        let evaluation = wait(policy::evaluate(&set, &json!({}), &LIMITS, Path::new(program)));
        assert_eq!(evaluation.decision(), Decision::Deny);
        assert!(evaluation.verdicts[0].message.contains(reason), "{program}: {:?}", evaluation.verdicts);
    }
}

#[test]
fn a_child_that_never_answers_is_a_denial() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("child");
    std::fs::write(&script, "#!/bin/sh\nexec sleep 60\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let set = Set::of([("p.rego", "package p\ndeny contains \"x\" if false")], json!({})).unwrap();
    let evaluation = wait(policy::evaluate(&set, &json!({}), &SHORT, &script));
    assert_eq!(evaluation.policies[0].decision, Decision::Deny);
    assert!(evaluation.verdicts[0].message.contains("did not answer before its deadline"), "{evaluation:?}");
}

#[test]
fn a_failing_test_says_why_and_is_named() {
    let files = [
        ("p.rego", "package p\ndeny contains \"x\" if input.a == 1"),
        (
            "p_test.rego",
            "package p_test\nimport data.p\n\ntest_good if count(p.deny) == 1 with input as {\"a\": 1}\n\ntest_undefined if count(p.deny) == 2\n\ntest_false := false\n\ntest_error if p.missing(1)\n",
        ),
    ];
    let results = wait(policy::test(&Set::of(files, json!({})).unwrap(), &LIMITS, program()));
    let shown: Vec<_> = results.iter().map(|r| (r.name.as_str(), r.line, r.passed)).collect();
    assert_eq!(
        shown,
        [("test_good", 4, false), ("test_undefined", 6, false), ("test_false", 8, false), ("test_error", 10, false)]
    );
    assert_eq!(results[3].message, "could not find function p.missing (p_test.rego:10:24)");

    let text = files[1].1.split("test_error").next().unwrap();
    let results =
        wait(policy::test(&Set::of([files[0], ("p_test.rego", text)], json!({})).unwrap(), &LIMITS, program()));
    let shown: Vec<_> = results.iter().map(|r| (r.passed, r.message.as_str())).collect();
    assert_eq!(
        shown,
        [(true, ""), (false, "is undefined: a condition in it does not hold"), (false, "is false, not true")]
    );
}

#[test]
fn a_test_that_kills_the_evaluator_fails_and_the_next_one_runs() {
    let bomb = "package p\ndeny contains \"x\"\ntest_a := true\ntest_bomb if count(sprintf(\"%0900000000d\", [1])) == 1\ntest_c := true\n";
    let results = wait(policy::test(&Set::of([("p.rego", bomb)], json!({})).unwrap(), &LIMITS, program()));
    let mut shown: Vec<_> = results.iter().map(|r| (r.name.as_str(), r.passed)).collect();
    shown.sort();
    assert_eq!(shown, [("test_a", true), ("test_bomb", false), ("test_c", true)]);
}

#[test]
fn secrets_in_a_message_do_not_leave() {
    let verdict = alone("package p\ndeny contains \"Authorization: Bearer abcdefghijklmnop1234\"");
    assert_eq!(aifix::redact::unnumbered(&verdict.message), "Authorization: Bearer <secret>");
}

#[test]
fn a_fix_that_drops_a_probe_and_touches_a_bystander_is_denied_twice() {
    let deployment = |container: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": [container]}}}})
    };
    let before = deployment(json!({"name": "app", "image": "a:1", "livenessProbe": {"exec": {"command": ["true"]}}}));
    let after = deployment(json!({"name": "app", "image": "a:1"}));
    let object = |name: &str| aifix::model::object::ObjectRef::new("apps/v1", "Deployment", "shop", name);
    let config = |value: &str| json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": value}});
    let seen = policy::Surroundings::of(&Snapshot::new("lab", Scope::All));
    let input = Input::change(vec![
        policy::Change::new(object("web"), &before, &after, true, false).within(&seen),
        policy::Change::new(object("other"), &config("1"), &config("2"), false, false).within(&seen),
    ]);
    let evaluation = evaluate(&Set::load(true, &[]).unwrap(), &input.to_value(), &LIMITS);
    let said: Vec<_> = evaluation.verdicts.iter().map(|v| (v.policy.as_str(), v.decision)).collect();
    assert_eq!(said, [("only_intended", Decision::Deny), ("probes_kept", Decision::Deny)]);
}
