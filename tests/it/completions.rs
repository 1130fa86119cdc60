//! Completion scripts: the committed ones are those that the binary prints, and Tab works.

use crate::harness::Sandbox;
use std::path::Path;

#[test]
fn the_committed_scripts_are_those_that_the_binary_prints() {
    let sandbox = Sandbox::new();
    for (shell, file) in
        [("bash", "aifix.bash"), ("zsh", "_aifix"), ("fish", "aifix.fish"), ("powershell", "aifix.ps1")]
    {
        let printed = sandbox.aifix(&["completions", shell]).exits(0).out;
        let committed =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(file)).unwrap();
        assert_eq!(printed, committed, "write it anew: aifix completions {shell} > completions/{file}");
    }
}

/// What bash would offer for the last of `words`.
fn tab(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.env("COMPLETE", "bash").env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
    if sandbox.path("kubeconfig").exists() {
        command.env("KUBECONFIG", sandbox.path("kubeconfig"));
    }
    let output = command.arg("--").args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn commands_kinds_and_contexts_are_offered() {
    let mut sandbox = Sandbox::new();
    assert!(tab(&sandbox, &["aifix", "pro"]).contains(&"propose".to_owned()));
    assert_eq!(tab(&sandbox, &["aifix", "explain", "deplo"]), ["deployment/"]);
    assert_eq!(tab(&sandbox, &["aifix", "scan", "--ignore", "oom-child"]), ["oom-child-killed"]);
    sandbox.use_kubeconfig(
        "apiVersion: v1\nkind: Config\nclusters: []\nusers: []\ncontexts:\n- {name: prod, context: {cluster: c, user: u}}\n\
         - {name: staging, context: {cluster: c, user: u}}\n- {name: 'a;rm -rf ~', context: {cluster: c, user: u}}\ncurrent-context: prod\n",
    );
    assert_eq!(
        tab(&sandbox, &["aifix", "scan", "--context", ""]),
        ["prod", "staging"],
        "a name that is no plain word is not offered"
    );
}

#[test]
fn a_cluster_that_does_not_answer_offers_nothing_and_says_nothing() {
    let mut sandbox = Sandbox::new();
    sandbox.use_kubeconfig(
        "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, user: {}}]\n\
         contexts: [{name: prod, context: {cluster: c, user: u}}]\ncurrent-context: prod\n",
    );
    assert!(tab(&sandbox, &["aifix", "scan", "-n", ""]).is_empty());
    assert!(tab(&sandbox, &["aifix", "explain", "deploy/"]).is_empty());
}

#[test]
fn as_a_plugin_of_kubectl_it_calls_itself_kubectl_aifix() {
    let sandbox = Sandbox::new();
    let plugin = sandbox.path("kubectl-aifix");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_aifix"), &plugin).unwrap();
    let output = sandbox.command(plugin.to_str().unwrap()).arg("scan").arg("--help").output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(out.contains("Usage: kubectl aifix scan"), "{out}");
}
