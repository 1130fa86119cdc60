//! The threat table names tests that exist, and what no other file shows.

use crate::forge_server::{ForgeServer, Plays};
use crate::harness::Sandbox;
use crate::llm::tls_server;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every function of every Rust file below a folder.
fn functions(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            functions(&entry, into);
        } else if entry.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&entry).unwrap();
            into.extend(text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next()).map(str::to_owned));
        }
    }
}

#[test]
fn every_test_that_the_table_of_threats_names_is_there() {
    let mut known = BTreeSet::new();
    functions(&root().join("tests"), &mut known);
    functions(&root().join("src"), &mut known);
    let table = fs::read_to_string(root().join("tests/THREATS.md")).unwrap();
    let rows: Vec<&str> =
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Who controls what")).collect();
    assert!(rows.len() >= 20, "{}", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), 4, "{row}");
        let named: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test shows it: {row}");
        for test in named {
            assert!(known.contains(test), "there is no test `{test}`");
        }
    }
}

/// The code of every `Refusal::new("code"` of a text.
fn refusals(text: &str) -> impl Iterator<Item = &str> {
    text.split("Refusal::new(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
}

/// The Rust files below a folder; what stands before their tests, and the tests.
fn halves(folder: &Path, code: &mut String, tests: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_str().unwrap();
        if entry.is_dir() {
            halves(&entry, code, tests);
        } else if name.ends_with("tests.rs") {
            tests.push_str(&fs::read_to_string(&entry).unwrap());
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&entry).unwrap();
            let (before, after) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
            code.push_str(before);
            tests.push_str(after);
        }
    }
}

#[test]
fn every_refusal_is_shown_by_a_layout_or_a_test() {
    let (mut code, mut tests) = (String::new(), String::new());
    halves(&root().join("src"), &mut code, &mut tests);
    // What is in `tests/it` is a test whole.
    let (mut own, mut rest) = (String::new(), String::new());
    halves(&root().join("tests/it"), &mut own, &mut rest);
    let shown = |layout: &Path| fs::read_to_string(layout.join("expected.refusal")).ok();
    let layouts = fs::read_dir(root().join("tests/repos")).unwrap().filter_map(|entry| shown(&entry.unwrap().path()));
    let layouts: BTreeSet<String> = layouts.filter_map(|text| Some(text.split_once(':')?.0.to_owned())).collect();
    let known: BTreeSet<&str> = refusals(&code).collect();
    assert!(known.len() >= 35, "{known:?}");
    let says = |code: &str| [format!("\"{code}\""), format!("({code})")];
    let is_shown = |code: &str| {
        layouts.contains(code) || says(code).iter().any(|words| tests.contains(words) || own.contains(words))
    };
    let missing: Vec<&&str> = known.iter().filter(|code| !is_shown(code)).collect();
    assert!(missing.is_empty(), "no layout and no test shows {missing:?}");
}

#[test]
fn a_certificate_that_nobody_vouches_for_ends_the_run_unless_the_kubeconfig_says_so_and_then_it_is_said() {
    let (_, port) = tls_server(b"\r\n\r\n", 401, r#"{"kind":"Status","status":"Failure","code":401}"#.to_owned());
    let scan = |cluster: &str| {
        let mut sandbox = Sandbox::new();
        sandbox.use_kubeconfig(&format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'https://localhost:{port}'{cluster}}}}}]\n\
             users: [{{name: u, user: {{token: t}}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n"
        ));
        sandbox.aifix(&["scan"]).exits(3).err
    };
    let refused = scan("");
    assert!(refused.contains("certificate") && !refused.contains("unauthorized"), "{refused}");
    let taken = scan(", insecure-skip-tls-verify: true");
    assert!(taken.contains("warning: ") && taken.contains("TLS verification is off for localhost"), "{taken}");
}

#[test]
fn no_child_gets_a_secret_as_an_argument() {
    let token = "t0p-s3cret-token";
    let server = ForgeServer::start(Plays::Gitea);
    let sandbox = crate::forge::sandbox(&server);
    // A program before each real one tells how it was called.
    let list = sandbox.path("arguments");
    for name in ["git", "kustomize", "helm", "kubectl"] {
        let shim = format!(
            "#!/bin/sh\necho \"{name} $*\" >> '{}'\nPATH=$(echo \"$PATH\" | sed 's|[^:]*/shims:||')\nexec {name} \"$@\"\n",
            list.display()
        );
        let file = sandbox.write(&format!("shims/{name}"), &shim);
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", sandbox.path("shims").display(), std::env::var("PATH").unwrap());
    sandbox.git("work", &["config", "credential.helper", "!f() { echo password=hunter2hunter2; }; f"]);
    let variables = [("AIFIX_FORGE_TOKEN", token), ("PATH", path.as_str()), ("AIFIX_LLM_API_KEY", "sk-model-key-1")];
    crate::forge::propose_with(&sandbox, &variables, &[]).exits(0);
    let called = fs::read_to_string(list).unwrap();
    assert!(called.lines().any(|line| line.starts_with("git ") && line.contains("push")), "{called}");
    for secret in [token, "hunter2hunter2", "sk-model-key-1"] {
        assert!(!called.contains(secret), "{called}");
    }
}

#[test]
fn a_document_that_unfolds_without_end_is_refused() {
    let sandbox = Sandbox::new();
    let mut bomb = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nl0: &l0 [a,a,a,a,a,a,a,a,a]\n".to_owned();
    for level in 1..10 {
        let more = vec![format!("*l{}", level - 1); 9].join(",");
        bomb.push_str(&format!("l{level}: &l{level} [{more}]\n"));
    }
    let deep = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\nx: {}\n", "[".repeat(200_000));
    for (name, text) in [("bomb.yaml", &bomb), ("deep.yaml", &deep)] {
        let file = sandbox.write(name, text);
        let file = file.to_str().unwrap();
        let checked = sandbox.aifix(&["policy", "check", file]).exits(2);
        assert!(checked.err.contains("is no manifest"), "{}", checked.err);
        let scanned = sandbox.aifix(&["scan", "--from", file]).exits(2);
        assert!(scanned.err.contains(name), "{}", scanned.err);
    }
}
