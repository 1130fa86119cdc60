//! Policies at the command line and on the road.

use crate::harness::{Sandbox, oom_manifest, recorded};

/// A policy of a team: no memory limit above 48Mi.
const SMALL: &str = "\
package team.small

deny contains message if {
	some change in input.changes
	some container in change.after.spec.template.spec.containers
	container.resources.limits.memory == \"64Mi\"
	message := sprintf(\"container %s gets more than 48Mi\", [container.name])
}
";

fn propose(sandbox: &Sandbox, more: &[&str]) -> crate::harness::Ran {
    let from = recorded("oom-killed");
    let mut args = vec!["propose", "deployment/web", "--from", &from];
    args.extend(more);
    sandbox.aifix_in("work", &args)
}

fn branches(sandbox: &Sandbox) -> usize {
    sandbox.git("remote.git", &["for-each-ref", "refs/heads"]).lines().count()
}

#[test]
fn what_aifix_brings_is_listed_and_passes_its_own_tests() {
    let list = Sandbox::new().aifix(&["policy", "list"]).exits(0).out;
    for name in
        ["privilege", "probes_kept", "limits_kept", "image_tag", "capped_growth", "only_intended", "critical_objects"]
    {
        assert!(list.lines().any(|line| line.starts_with(name)), "{name}: {list}");
    }
    let tests = Sandbox::new().aifix(&["policy", "test"]).exits(0).out;
    let last = tests.lines().last().unwrap();
    assert!(last.ends_with(" passed, 0 failed") && !last.starts_with("0 "), "{last}");
}

#[test]
fn a_policy_that_does_not_parse_is_listed_as_that() {
    let sandbox = Sandbox::new();
    sandbox.write("team/good.rego", SMALL);
    sandbox.write("team/bad.rego", "package team.bad\n\ndeny contains if {\n");
    let out = sandbox.aifix(&["policy", "list", "--policy", "team"]).exits(5).out;
    assert!(out.contains("does not parse  bad  team/bad.rego:3:"), "{out}");
    assert!(
        out.lines().any(|line| line.starts_with("good")) && !out.lines().any(|line| line.starts_with("bad")),
        "{out}"
    );
}

#[test]
fn manifests_are_checked_alone_and_a_denial_shows_its_line() {
    let sandbox = Sandbox::new();
    sandbox.write("ok.yaml", &oom_manifest());
    sandbox.aifix(&["policy", "check", "ok.yaml"]).exits(0);
    sandbox.write("bad.yaml", &oom_manifest().replace("busybox:1.36", "busybox:latest"));
    let ran = sandbox.aifix(&["policy", "check", "bad.yaml"]).exits(5);
    assert!(
        ran.out.contains("--> policies/image_tag.rego:13:1") && ran.out.contains("13 | deny contains verdict if {"),
        "{}",
        ran.out
    );
    let report = sandbox.aifix(&["policy", "check", "bad.yaml", "-o", "json"]).exits(5).json();
    assert_eq!(report["verdicts"][0]["location"]["file"], "policies/image_tag.rego");
    let ran = sandbox.aifix(&["policy", "check", "nowhere.yaml"]).exits(2);
    assert!(ran.err.contains("nowhere.yaml"), "{}", ran.err);
}

#[test]
fn a_teams_own_tests_are_run_and_a_failed_one_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write("team/small.rego", SMALL);
    sandbox.write(
        "team/small_test.rego",
        "package team.small_test\n\nimport data.team.small\n\ntest_nothing_is_denied_without_a_change if {\n\tcount(small.deny) == 0 with input as {\"changes\": []}\n}\n\ntest_wrong if {\n\t1 == 2\n}\n",
    );
    let ran = sandbox.aifix(&["policy", "test", "team"]).exits(5);
    assert_eq!(sandbox.aifix(&["policy", "test", "--policy", "team"]).exits(5).out, ran.out);
    assert!(
        ran.out.contains("test_wrong")
            && ran.out.contains("small_test.rego:9")
            && ran.out.ends_with("1 passed, 1 failed\n"),
        "{}",
        ran.out
    );
}

#[test]
fn a_proposal_shows_what_the_policies_say_and_the_record_keeps_it() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    let ran = propose(&sandbox, &[]).exits(0);
    assert!(ran.out.contains("policies  42 asked: allowed"), "{}", ran.out);
    propose(&sandbox, &["--push", "--yes=review"]).exits(0);
    let records = sandbox.aifix(&["audit", "list", "-o", "json"]).json();
    let policies = records["items"][0]["spec"]["policyReport"]["policies"].as_array().unwrap().clone();
    assert_eq!(policies.len(), 42);
    assert!(policies.iter().all(|policy| policy["sha256"].as_str().is_some_and(|hash| hash.len() == 64)));
}

#[test]
fn a_denied_fix_is_not_pushed_and_says_which_policy_stood_in_the_way() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    sandbox.write("team/small.rego", SMALL);
    let policy = sandbox.path("team");
    let ran = propose(&sandbox, &["--push", "--yes=review", "--policy", policy.to_str().unwrap()]).exits(5);
    assert!(ran.out.contains("policy-denied") && ran.out.contains("container app gets more than 48Mi"), "{}", ran.out);
    assert!(ran.out.contains("small.rego:3:1"), "{}", ran.out);
    assert_eq!(branches(&sandbox), 1);
}

#[test]
fn a_critical_namespace_needs_an_approval_that_yes_never_gives() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    sandbox.write("team/data.yaml", "aifix:\n  critical:\n    namespaces: [cat-oom-killed]\n");
    sandbox.write("team/small.rego", "package team.none\n\nwarn contains \"never\" if { false }\n");
    let policy = sandbox.path("team");
    let ran = propose(&sandbox, &["--push", "--yes=review", "--policy", policy.to_str().unwrap()]).exits(5);
    assert!(ran.err.contains("approval") && ran.err.contains("--yes never gives it"), "{}", ran.err);
    assert_eq!(branches(&sandbox), 1);
}

#[test]
fn a_broken_policy_is_a_denial_with_its_reason() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    for (text, reason) in [
        ("package x\n\ndeny contains \"a\" if { nothing_is_", "x.rego"),
        ("package x\n\nf(n) := f(n + 1)\n\ndeny contains \"a\" if { f(1) }\n", "recurs"),
        (
            "package x\n\ndeny contains \"a\" if { http.send({\"url\": \"http://127.0.0.1\"}).status_code == 200 }\n",
            "http.send",
        ),
    ] {
        sandbox.write("team/x.rego", text);
        let policy = sandbox.path("team");
        let ran = propose(&sandbox, &["--policy", policy.to_str().unwrap()]).exits(5);
        assert!(ran.out.contains(reason), "{reason}: {}", ran.out);
    }
}

#[test]
fn an_approval_is_the_objects_name_typed_on_a_terminal() {
    for (typed, code, pushed) in [("web", 0, 2), ("y", 7, 1), ("", 7, 1)] {
        let sandbox = Sandbox::new();
        sandbox.repository(&[("web.yaml", &oom_manifest())]);
        sandbox.write("team/data.yaml", "aifix:\n  critical:\n    namespaces: [cat-oom-killed]\n");
        sandbox.write("team/none.rego", "package team.none\n\nwarn contains \"never\" if { false }\n");
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
        command.args([
            "propose",
            "deployment/web",
            "--push",
            "--yes=review",
            "--from",
            &recorded("oom-killed"),
            "--policy",
        ]);
        command.arg(sandbox.path("team")).current_dir(sandbox.path("work")).env("TERM", "xterm");
        command.stdin(std::process::Stdio::inherit());
        let mut session = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
        session.exp_string("Type its name (web) to push:").unwrap();
        session.send_line(typed).unwrap();
        let rest = session.exp_eof().unwrap();
        let rexpect::process::WaitStatus::Exited(_, exit) = session.process().wait().unwrap() else { panic!("{rest}") };
        assert_eq!((exit, branches(&sandbox)), (code, pushed), "{typed:?}: {rest}");
    }
}
