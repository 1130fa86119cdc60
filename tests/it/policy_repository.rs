//! Policies of the repository itself, and approvals by review.

use crate::forge;
use crate::forge_server::{ForgeServer, Plays};
use crate::harness::{Ran, Sandbox, oom_manifest, recorded};

/// No memory limit of 64Mi, which is what the rule proposes.
const SMALL: &str = "\
package main

deny contains \"no more than 48Mi\" if {
	input.spec.template.spec.containers[_].resources.limits.memory == \"64Mi\"
}
";
/// The namespace of the recording is critical.
const CRITICAL: &str = "aifix:\n  critical:\n    namespaces: [cat-oom-killed]\n";

fn propose(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let from = recorded("oom-killed");
    sandbox.aifix_in("work", &[&["propose", "deployment/web", "--from", &from], more].concat())
}

fn repository(more: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    let manifest = oom_manifest();
    sandbox.repository(&[&[("k8s/web.yaml", manifest.as_str())], more].concat());
    sandbox
}

#[test]
fn the_repositorys_own_folder_denies_with_its_line_and_its_revision() {
    let sandbox = repository(&[(".aifix/policies/small.rego", SMALL)]);
    let ran = propose(&sandbox, &[]).exits(5);
    let base = sandbox.git("work", &["rev-parse", "origin/main"]);
    let place = format!(".aifix/policies/small.rego@{}:3:1", &base[..10]);
    assert!(ran.out.contains("no more than 48Mi") && ran.out.contains(&place), "{}", ran.out);
}

#[test]
fn the_folder_counts_as_it_stands_at_the_base_and_not_in_the_working_tree() {
    let sandbox = repository(&[(".aifix/policies/small.rego", SMALL)]);
    // Taken away here, and still there at the base.
    std::fs::remove_file(sandbox.path("work/.aifix/policies/small.rego")).unwrap();
    sandbox.git("work", &["commit", "-qam", "Take the policy away"]);
    propose(&sandbox, &[]).exits(5);
    let sandbox = repository(&[]);
    sandbox.write("work/.aifix/policies/small.rego", SMALL);
    propose(&sandbox, &[]).exits(0);
}

#[test]
fn the_file_of_the_repository_names_further_folders() {
    let sandbox = repository(&[(".aifix.toml", "policies = ['policy']\n"), ("policy/small.rego", SMALL)]);
    assert!(propose(&sandbox, &[]).exits(5).out.contains("no more than 48Mi"));
    let sandbox = repository(&[(".aifix.toml", "policies = ['policy']\n")]);
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains("the base revision has no policy folder `policy`"), "{}", ran.err);
}

#[test]
fn a_folder_that_can_not_be_read_whole_stops_the_run() {
    let sandbox = repository(&[]);
    std::fs::create_dir_all(sandbox.path("work/.aifix/policies")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", sandbox.path("work/.aifix/policies/x.rego")).unwrap();
    sandbox.git("work", &["add", "-A"]);
    sandbox.git("work", &["commit", "-qm", "A link"]);
    sandbox.git("work", &["push", "-q", "origin", "main"]);
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains("is a link or a submodule"), "{}", ran.err);
    let sandbox = repository(&[(".aifix/policies/README.md", "nothing\n")]);
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains(".aifix/policies of the repository` holds no .rego file"), "{}", ran.err);
}

#[test]
fn the_repository_can_not_give_a_weak_template_to_a_constraint_of_ours() {
    let template = "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {name: x}\nspec:\n  crd: {spec: {names: {kind: K8sX}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      package k8sx\n      violation[{\"msg\": \"x\"}] { false }\n";
    let constraint = "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sX\nmetadata: {name: it}\nspec: {}\n";
    let sandbox = repository(&[(".aifix/policies/t.yaml", template)]);
    sandbox.write("team/c.yaml", constraint);
    let ran = propose(&sandbox, &["--policy", sandbox.path("team").to_str().unwrap()]).exits(5);
    assert!(ran.out.contains("there is no ConstraintTemplate of K8sX"), "{}", ran.out);
    let sandbox = repository(&[(".aifix/policies/t.yaml", template), (".aifix/policies/c.yaml", constraint)]);
    propose(&sandbox, &[]).exits(0);
}

#[test]
fn the_repository_can_tighten_and_never_loosen() {
    let sandbox = repository(&[(".aifix/policies/data.yaml", CRITICAL)]);
    let ran = propose(&sandbox, &["--push", "--yes=review"]).exits(5);
    assert!(
        ran.err.contains("needs a person's approval") && ran.err.contains("--pr opens it as a draft"),
        "{}",
        ran.err
    );
    let sandbox = repository(&[(".aifix/policies/data.yaml", "aifix: {growth: {factor: 1000000}}\n")]);
    assert!(propose(&sandbox, &[]).exits(0).out.contains("asked: allowed"));
}

#[test]
fn the_review_of_a_draft_is_an_approval_and_the_record_says_so() {
    let server = ForgeServer::start(Plays::GitHub);
    let manifest = oom_manifest();
    let files = [("k8s/web.yaml", manifest.as_str()), (".aifix/policies/data.yaml", CRITICAL)];
    let sandbox = forge::sandbox_of(&server, &files);
    let ran = forge::propose(&sandbox, &[]).exits(0);
    assert!(ran.out.contains("(opened as a draft)"), "{}", ran.out);
    let kept = server.kept();
    assert!(kept[0].draft);
    assert!(kept[0].body.contains("they want an approval, which the review of this request gives"), "{}", kept[0].body);
    let records = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    let entries = records["items"][0]["status"]["entries"].as_array().unwrap().clone();
    let pushed = entries.iter().find(|entry| entry["phase"] == "pushed").unwrap();
    assert_eq!(pushed["body"]["approval"], "review", "{pushed:#}");
}

#[test]
fn without_a_token_nobody_can_open_a_draft_and_the_approval_is_typed() {
    let server = ForgeServer::start(Plays::GitHub);
    let manifest = oom_manifest();
    let files = [("k8s/web.yaml", manifest.as_str()), (".aifix/policies/data.yaml", CRITICAL)];
    let sandbox = forge::sandbox_of(&server, &files);
    let ran = forge::propose_with(&sandbox, &[], &[]).exits(5);
    assert!(ran.err.contains("needs a person's approval"), "{}", ran.err);
    assert!(server.kept().is_empty());
}

/// What a run with the team's folder says, whatever the repository adds.
fn with_team(team: &[(&str, &str)], own: &[(&str, &str)]) -> Ran {
    let own: Vec<(String, &str)> = own.iter().map(|(name, text)| (format!(".aifix/policies/{name}"), *text)).collect();
    let own: Vec<(&str, &str)> = own.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let sandbox = repository(&own);
    for (name, text) in team {
        sandbox.write(&format!("team/{name}"), text);
    }
    propose(&sandbox, &["--policy", "../team"])
}

#[test]
fn an_exception_of_the_repository_excuses_nothing_that_was_given() {
    let excuse = "\nexception contains rules if {\n\trules := [\"\"]\n\tinput.kind == \"Deployment\"\n}\n";
    // In the folder itself it does excuse.
    let excused = format!("{SMALL}{excuse}");
    let ran = with_team(&[("small.rego", &excused)], &[]).exits(0);
    assert!(ran.out.contains("excused by a rule `exception`: no more than 48Mi"), "{}", ran.out);
    // In the repository's folder it does not, in the same package and in a file of the same name.
    let own = format!("package main\n\ndeny contains \"never\" if input.kind == \"Never\"\n{excuse}");
    for name in ["small.rego", "other.rego"] {
        let ran = with_team(&[("small.rego", SMALL)], &[(name, &own)]).exits(5);
        assert!(ran.out.contains("no more than 48Mi") && ran.out.contains("small.rego:3:1"), "{}", ran.out);
        assert!(!ran.out.contains("can't be evaluated"), "{}", ran.out);
    }
}

#[test]
fn a_package_of_the_repository_helps_no_policy_that_was_given() {
    let helper = |body: &str| format!("package lib.small\n\nis_large(object) if {body}\n");
    let large = helper("object.spec.template.spec.containers[_].resources.limits.memory == \"64Mi\"");
    let small =
        "package main\n\nimport data.lib.small\n\ndeny contains \"no more than 48Mi\" if small.is_large(input)\n";
    let team = [("small.rego", small), ("lib/small.rego", large.as_str())];
    // The repository's own policy takes the helper beside it, which calls nothing large.
    let blind = helper("object.kind == \"Never\"");
    let own = small.replace("no more", "own: no more");
    let ran = with_team(&team, &[("small.rego", &own), ("lib/small.rego", &blind)]).exits(5);
    assert!(ran.out.contains("no more than 48Mi") && !ran.out.contains("own: no more"), "{}", ran.out);
    assert!(!ran.out.contains("can't be evaluated"), "{}", ran.out);
    // Data of the same name is its own, too.
    let by_data = "package main\n\ndeny contains \"no more than 48Mi\" if {\n\tinput.spec.template.spec.containers[_].resources.limits.memory in data.large\n}\n";
    let team = [("small.rego", by_data), ("large.yaml", "large: [64Mi]\n")];
    let ran =
        with_team(&team, &[("large.yaml", "large: []\n"), ("own.rego", &own), ("lib/small.rego", &blind)]).exits(5);
    assert!(ran.out.contains("no more than 48Mi"), "{}", ran.out);
}

#[test]
fn a_package_named_as_one_of_ours_takes_nothing_from_ours() {
    // So little growth that the fix is too much for our own policy.
    let team = [("data.yaml", "aifix: {growth: {factor: 1.5, least_memory_bytes: 1}}\n")];
    let denied = "the memory limit of container app";
    assert!(with_team(&team, &[]).exits(5).out.contains(denied));
    let blind =
        "package aifix.kubernetes\n\ncontainers(_) := set()\n\nis_check := true\n\nexception contains [\"\"] if true\n";
    let own = "package aifix.capped_growth\n\nimport data.aifix.kubernetes\n\ndeny contains \"own\" if count(kubernetes.containers(input.changes[0].after)) > 0\n\nexception contains [\"\"] if input.changes\n\ncaps := {}\n";
    let ran = with_team(&team, &[("lib/kubernetes.rego", blind), ("capped_growth.rego", own)]).exits(5);
    assert!(ran.out.contains(denied) && ran.out.contains("policies/capped_growth.rego:"), "{}", ran.out);
    assert!(!ran.out.contains("can't be evaluated"), "{}", ran.out);
}

#[test]
fn a_template_of_the_repository_silences_no_policy_that_was_given() {
    let review = "package k8sx\n\nviolation[{\"msg\": \"x\"}] {\n  input.review.object.kind == \"Deployment\"\n}\n";
    let template = "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {name: x}\nspec:\n  crd: {spec: {names: {kind: K8sX}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      package k8sx\n      violation[{\"msg\": \"x\"}] { false }\n";
    let reason = "so it is Gatekeeper's: name the ConstraintTemplate that holds it";
    assert!(with_team(&[("x.rego", review)], &[]).exits(5).out.contains(reason));
    let ran = with_team(&[("x.rego", review)], &[("t.yaml", template)]).exits(5);
    assert!(ran.out.contains(reason), "{}", ran.out);
    // Beside a template that was given, or both in the repository, it is the source of that template.
    with_team(&[("x.rego", review), ("t.yaml", template)], &[]).exits(0);
    let sandbox = repository(&[(".aifix/policies/x.rego", review), (".aifix/policies/t.yaml", template)]);
    propose(&sandbox, &[]).exits(0);
}

#[test]
fn a_folder_of_10_000_files_at_the_base_is_refused_by_its_name() {
    let sandbox = Sandbox::new();
    for at in 0..10_000 {
        sandbox.write(&format!("many/p{at}.rego"), "package p\n");
    }
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    for (folder, settings) in [(".aifix/policies", ""), ("policy", "policies = ['policy']\n")] {
        let place = sandbox.path(&format!("work/{folder}"));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::rename(sandbox.path("many"), &place).unwrap();
        sandbox.write("work/.aifix.toml", settings);
        sandbox.git("work", &["add", "-A"]);
        sandbox.git("work", &["commit", "-qm", "Many policies"]);
        sandbox.git("work", &["push", "-q", "origin", "main"]);
        let ran = propose(&sandbox, &["--push", "--yes=review"]).exits(2);
        let base = sandbox.git("work", &["rev-parse", "origin/main"]);
        let words = format!("the policy folder `{folder}@{}` holds more than 1000 files", &base[..10]);
        assert!(ran.err.contains(&words) && ran.out.is_empty(), "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("hint: keep only policies in that folder"), "{}", ran.err);
        assert_eq!(sandbox.git("remote.git", &["for-each-ref", "refs/heads"]).lines().count(), 1);
        std::fs::rename(&place, sandbox.path("many")).unwrap();
    }
}
