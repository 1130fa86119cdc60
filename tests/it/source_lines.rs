//! `aifix scan --source`: the line in Git beside each finding.

use crate::controlled::{self, URL};
use crate::harness::{Ran, Sandbox, oom_manifest, recorded};
use serde_json::{Value, json};
use std::fs;

fn scan(sandbox: &Sandbox, folder: &str, more: &[&str]) -> Ran {
    let from = recorded("oom-killed");
    let mut args = vec!["scan", "--from", &from, "--source"];
    args.extend(more);
    sandbox.aifix_in(folder, &args)
}

/// Where the first finding's line is, without its commit.
fn place(report: &Value) -> Value {
    let mut source = report["findings"][0]["source"].clone();
    source.as_object_mut().unwrap().remove("commit");
    source
}

#[test]
fn each_format_names_the_line_that_holds_the_field() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest()), ("README.md", "x\n")]);
    let line = oom_manifest().lines().position(|line| line.contains("memory: 32Mi")).unwrap() + 1;
    let report = scan(&sandbox, "work", &["-o", "json"]).exits(1).json();
    assert_eq!(place(&report), json!({"file": "k8s/web.yaml", "line": line, "proved": true}));
    let place = format!("k8s/web.yaml:{line}");
    assert!(scan(&sandbox, "work", &[]).exits(1).out.contains(&format!("  source    {place}\n")));
    assert!(scan(&sandbox, ".", &["--repo", "work", "-o", "html"]).exits(1).out.contains(&place));
    let sarif = scan(&sandbox, "work", &["-o", "sarif"]).exits(0).json();
    let physical = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "k8s/web.yaml");
    assert_eq!(physical["region"]["startLine"], line);
}

#[test]
fn the_commit_that_brought_the_value_is_told_and_only_it() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest().replace("32Mi", "64Mi"))]);
    let commit = |subject: &str, text: &str| {
        sandbox.write("work/k8s/web.yaml", text);
        sandbox.git("work", &["commit", "-qam", subject]);
        sandbox.git("work", &["rev-parse", "HEAD"])
    };
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let bad = commit(&format!("Save memory \u{1b}[2J {token}"), &oom_manifest());
    commit("Word it better", &oom_manifest().replace("# The shop's front end.", "# The front end of the shop."));
    let ran = scan(&sandbox, "work", &["-o", "json"]).exits(1);
    let told = ran.json()["findings"][0]["source"]["commit"].clone();
    assert_eq!((&told["id"], &told["author"]), (&json!(bad), &json!("Ada")));
    assert!(told["at"].as_str().unwrap().starts_with("2026-11-22T"), "{told}");
    let subject = told["subject"].as_str().unwrap();
    assert!(subject.starts_with("Save memory"), "{told}");
    for (format, word) in
        [("text", "commit "), ("markdown", "commit: "), ("junit", "commit: "), ("html", "<dt>Commit</dt><dd>")]
    {
        let ran = scan(&sandbox, "work", &["-o", format]).exits(1);
        let out = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in ["Save memory", "by Ada, 2026-11-22", &format!("{word}{}", &bad[..7])] {
            assert!(out.contains(part), "{format}: {part}: {}", ran.out);
        }
        assert!(!ran.out.contains('\u{1b}') && !ran.out.contains(&token), "{format}: {}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}') && !ran.out.contains(&token), "{}", ran.out);

    // A shallow clone has the line and not the history.
    let origin = format!("file://{}", sandbox.path("work").display());
    sandbox.git(".", &["clone", "-q", "--depth=1", &origin, "shallow"]);
    let report = scan(&sandbox, "shallow", &["-o", "json"]).exits(1).json();
    let source = &report["findings"][0]["source"];
    assert!(source["line"].is_u64() && source.get("commit").is_none(), "{source}");
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

/// The number of the only line that holds a text.
fn line_with(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap() + 1
}

#[test]
fn the_folder_that_the_controller_names_is_asked() {
    // `k8s/` and `apps/` hold the same Deployment: only the Kustomization tells which of them runs.
    let sandbox = controlled::sandbox(URL, &json!({"branch": "prod"}));
    let from = sandbox.path("seen.json");
    let args = ["scan", "--from", from.to_str().unwrap(), "--source"];
    let ran = sandbox.aifix_in("work", &[&args[..], &["-o", "json"]].concat()).exits(1);
    let line = line_with(&oom_manifest(), "memory: 32Mi");
    assert_eq!(place(&ran.json()), json!({"file": "apps/web.yaml", "line": line, "proved": true}));
    let without = scan(&sandbox, "work", &["-o", "json"]).exits(1).json();
    assert_eq!(without["findings"][0].get("source"), None);

    sandbox.git("work", &["remote", "set-url", "origin", "https://git.example.com/acme/other.git"]);
    let ran = sandbox.aifix_in("work", &args).exits(1);
    assert!(!ran.out.contains("  source    "), "{}", ran.out);
    assert!(ran.err.contains("come from https://git.example.com/acme/shop.git"), "{}", ran.err);
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
}

#[test]
fn what_two_controllers_claim_is_proved_by_none() {
    let sandbox = controlled::sandbox(URL, &json!({"branch": "prod"}));
    sandbox.git("work", &["rm", "-qr", "k8s"]);
    sandbox.git("work", &["commit", "-qm", "Only one folder makes it"]);
    let mut seen: Value = serde_json::from_str(&fs::read_to_string(sandbox.path("seen.json")).unwrap()).unwrap();
    let items = seen["items"].as_array_mut().unwrap();
    let web = items.iter_mut().find(|item| item["kind"] == "Deployment").unwrap();
    web["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = json!("shop:apps/Deployment:cat-oom-killed/web");
    items.push(json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {"source": {"repoURL": URL, "path": "apps"}},
        "status": {"resources": [{"group": "apps", "kind": "Deployment", "namespace": "cat-oom-killed", "name": "web"}]}}));
    let both = sandbox.write("both.json", &seen.to_string()).to_str().unwrap().to_owned();
    let ran = sandbox.aifix_in("work", &["propose", "deployment/web", "--from", &both]).exits(4);
    assert!(ran.out.contains("two-managers"), "{}", ran.out);
    let report = sandbox.aifix_in("work", &["scan", "--from", &both, "--source", "-o", "json"]).exits(1).json();
    assert_ne!(report["findings"][0]["source"]["proved"], json!(true), "{report:#}");
}

#[test]
fn a_line_that_no_render_showed_is_called_likely() {
    let base = oom_manifest().replace("  namespace: cat-oom-killed\n", "");
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      \
                 containers:\n      - name: app\n        resources: {limits: {memory: 32Mi}}\n";
    let overlay = "namespace: cat-oom-killed\nresources: [../base]\npatches: [{path: web.yaml}]\n";
    let sandbox = Sandbox::new();
    sandbox.repository(&[
        ("base/kustomization.yaml", "resources: [web.yaml]\n"),
        ("base/web.yaml", &base.replace("32Mi", "64Mi")),
        ("prod/kustomization.yaml", overlay),
        ("prod/web.yaml", patch),
    ]);
    let ran = scan(&sandbox, "work", &["-o", "markdown"]).exits(1);
    assert!(ran.out.contains("source: prod/web.yaml:9\n"), "{}", ran.out);
    // The base alone holds the field, with another value than what runs; what is not committed is not read.
    sandbox.write("work/prod/kustomization.yaml", "namespace: cat-oom-killed\nresources: [../base]\n");
    sandbox.git("work", &["rm", "-q", "prod/web.yaml"]);
    sandbox.git("work", &["commit", "-qam", "Use the base"]);
    sandbox.write("work/base/web.yaml", "");
    let report = scan(&sandbox, "work", &["-o", "json"]).exits(1).json();
    let line = line_with(&base, "memory: 32Mi");
    assert_eq!(place(&report), json!({"file": "base/web.yaml", "line": line, "proved": true}));
    sandbox.write("work/base/web.yaml", &base.replace("busybox:1.36", "elsewhere/busybox:1.36"));
    sandbox.git("work", &["commit", "-qam", "Use another registry"]);
    let ran = scan(&sandbox, "work", &["-o", "junit"]).exits(1);
    assert!(ran.out.contains(&format!("source: base/web.yaml:{line} (likely)")), "{}", ran.out);
}
