//! `aifix policy why`: the rule behind a verdict.

use crate::harness::{Sandbox, oom_manifest, recorded};

/// A policy with a METADATA comment.
const SMALL: &str = "\
# METADATA
# title: No container gets much
# description: The nodes are small.
# custom:
#   severity: warning
#   term: limits.memory
package team.small

warn contains message if {
	some change in input.changes
	some container in change.after.spec.template.spec.containers
	container.resources.limits.memory == \"64Mi\"
	message := sprintf(\"container %s gets more than 48Mi\", [container.name])
}

# What follows is not part of it.
other := 1
";

fn manifest() -> String {
    oom_manifest().replace("32Mi", "64Mi")
}

#[test]
fn a_verdict_is_shown_with_its_rule_what_it_reads_and_what_it_is_for() {
    let sandbox = Sandbox::new();
    sandbox.write("team/small.rego", SMALL);
    sandbox.write("web.yaml", &manifest());
    let ran = sandbox.aifix(&["policy", "why", "web.yaml", "--policy", "team"]).exits(0);
    let text = ran.out.lines().skip(1).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(text, @r#"

      warn  small
        container app gets more than 48Mi
        --> team/small.rego:9:1
        policy    No container gets much
        because   The nodes are small.
        severity  warning
        about     limits.memory
        reads     change.after.spec.template.spec.containers, container.name, container.resources.limits.memory, input.changes
             9 | warn contains message if {
            10 |     some change in input.changes
            11 |     some container in change.after.spec.template.spec.containers
            12 |     container.resources.limits.memory == "64Mi"
            13 |     message := sprintf("container %s gets more than 48Mi", [container.name])
            14 | }
    "#);
    let report = sandbox.aifix(&["policy", "why", "web.yaml", "--policy", "team", "-o", "json"]).exits(0).json();
    let reason = &report["reasons"][0];
    assert_eq!((&report["kind"], &reason["title"]), (&"PolicyReasons".into(), &"No container gets much".into()));
    assert!(reason["source"].as_str().unwrap().ends_with('}'), "{reason:#}");
    let none = sandbox.aifix(&["policy", "why", "web.yaml", "--policy", "team", "--only", "image_tag"]).exits(0);
    assert_eq!(none.out.lines().count(), 1, "{}", none.out);
}

#[test]
fn a_record_is_explained_and_a_policy_that_changed_since_is_named() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    let policy = sandbox.write("team/small.rego", SMALL);
    let folder = sandbox.path("team");
    let folder = folder.to_str().unwrap();
    let from = recorded("oom-killed");
    let args = ["propose", "deployment/web", "--from", &from, "--push", "--yes=review", "--policy", folder];
    sandbox.aifix_in("work", &args).exits(0);
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    let record = list["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
    let why = |more: &[&str]| sandbox.aifix(&[&["policy", "why", &record], more].concat()).exits(0).out;
    let same = why(&["--policy", folder]);
    assert!(same.contains("container app gets more than 48Mi") && same.contains(" 9 | warn contains"), "{same}");
    std::fs::write(policy, format!("{SMALL}\nmore := 2\n")).unwrap();
    let changed = why(&["--policy", folder]);
    assert!(changed.contains("the policy was changed after this was said"), "{changed}");
    assert!(!changed.contains("some change in"), "{changed}");
    let gone = why(&[]);
    assert!(gone.contains("the policy is not among those of today"), "{gone}");
}

#[test]
fn a_denied_fix_is_explained_from_its_record() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    sandbox.write("team/small.rego", &SMALL.replace("warn contains", "deny contains"));
    let folder = sandbox.path("team");
    let folder = folder.to_str().unwrap();
    let from = recorded("oom-killed");
    let args = ["propose", "deployment/web", "--from", &from, "--push", "--yes=review", "--policy", folder];
    sandbox.aifix_in("work", &args).exits(5);
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    let record = list["items"][0]["metadata"]["name"].as_str().unwrap();
    let out = sandbox.aifix(&["policy", "why", record, "--policy", folder]).exits(0).out;
    assert!(out.contains("deny  small") && out.contains(" 9 | deny contains message if {"), "{out}");
}

#[test]
fn what_is_neither_a_file_nor_a_record_is_said() {
    let ran = Sandbox::new().aifix(&["policy", "why", "nowhere"]).exits(2);
    assert!(ran.err.contains("`nowhere` is neither a file nor a record"), "{}", ran.err);
}

#[test]
fn a_constraint_is_explained_by_its_template() {
    let sandbox = Sandbox::new();
    sandbox.write("policy/t.yaml", crate::policy_gatekeeper::PRIVILEGED);
    sandbox.write(
        "policy/c.yaml",
        "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sPSPPrivilegedContainer\nmetadata: {name: it}\nspec: {}\n",
    );
    let privileged = manifest().replace(
        "        image: busybox:1.36\n",
        "        image: busybox:1.36\n        securityContext: {privileged: true}\n",
    );
    sandbox.write("web.yaml", &privileged);
    let only = ["--only", "K8sPSPPrivilegedContainer/it"];
    let args = [&["policy", "why", "web.yaml", "--policy", "policy"][..], &only].concat();
    let out = sandbox.aifix(&args).exits(0).out;
    assert!(out.contains("because   Controls the ability of any container to enable privileged mode."), "{out}");
    assert!(out.contains("22 |         violation[{") || out.contains("| violation[{"), "{out}");
}
