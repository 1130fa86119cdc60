//! `aifix scan --source`: the line in Git beside each finding.

use crate::harness::{Ran, Sandbox, oom_manifest, recorded};

fn scan(sandbox: &Sandbox, folder: &str, more: &[&str]) -> Ran {
    let from = recorded("oom-killed");
    let mut args = vec!["scan", "--from", &from, "--source"];
    args.extend(more);
    sandbox.aifix_in(folder, &args)
}

#[test]
fn each_format_names_the_line_that_holds_the_field() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest()), ("README.md", "x\n")]);
    let line = oom_manifest().lines().position(|line| line.contains("memory: 32Mi")).unwrap() + 1;
    let report = scan(&sandbox, "work", &["-o", "json"]).exits(1).json();
    assert_eq!(report["findings"][0]["source"], serde_json::json!({"file": "k8s/web.yaml", "line": line}));
    let place = format!("k8s/web.yaml:{line}");
    assert!(scan(&sandbox, "work", &[]).exits(1).out.contains(&format!("  source    {place}\n")));
    assert!(scan(&sandbox, ".", &["--repo", "work", "-o", "html"]).exits(1).out.contains(&place));
    let sarif = scan(&sandbox, "work", &["-o", "sarif"]).exits(0).json();
    let physical = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "k8s/web.yaml");
    assert_eq!(physical["region"]["startLine"], line);
}

#[test]
fn without_a_repository_the_flag_is_refused_with_a_hint() {
    let sandbox = Sandbox::new();
    let ran = scan(&sandbox, ".", &[]).exits(2);
    assert!(ran.out.is_empty() && ran.err.contains("hint"), "{}", ran.err);
    sandbox.repository(&[("k8s/other.yaml", "kind: Other\n")]);
    let report = scan(&sandbox, "work", &["-o", "json"]).exits(1).json();
    assert_eq!(report["findings"][0].get("source"), None, "nothing is claimed");
}
