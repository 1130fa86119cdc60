//! The road with a model: off until configured, shown before it is sent, never safe.

use crate::harness::{Ran, Sandbox, manifest, recorded};
use crate::model_server::{Act, ModelServer, edit};
use serde_json::json;

fn web() -> String {
    manifest("cat-crash-exit-2", "exit 2", None)
}

const WORD: &str = "spec.template.spec.containers[app].command[2]";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &web())]);
    sandbox
}

fn propose(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let from = recorded("crash-app-error.exit-2");
    let mut args = vec!["propose", "deployment/web", "--from", &from];
    args.extend(more);
    sandbox.aifix_in("work", &args)
}

fn branches(sandbox: &Sandbox) -> Vec<String> {
    let out = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    out.lines().map(str::to_owned).collect()
}

#[test]
fn without_a_configured_model_nobody_is_asked() {
    let sandbox = sandbox();
    let ran = propose(&sandbox, &[]).exits(4);
    assert!(ran.out.contains("needs-judgement"), "{}", ran.out);
    let ran = propose(&sandbox, &["--llm", "always"]).exits(2);
    assert!(ran.err.contains("no model is configured") && ran.err.contains("--llm-url"), "{}", ran.err);
}

#[test]
fn what_is_shown_is_what_is_sent() {
    let sandbox = sandbox();
    let server = ModelServer::start(&[Act::Say(edit(WORD, "exit 2", "sleep 600"))]);
    let shown = propose(&sandbox, &["--llm-url", &server.url(), "--show-prompt"]).exits(0).out;
    assert!(server.seen().is_empty(), "showing sends nothing");
    propose(&sandbox, &["--llm-url", &server.url()]).exits(0);
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(shown.trim_end_matches('\n').as_bytes(), seen[0].body);
}

#[test]
fn a_models_words_are_marked_recorded_and_pushed_only_by_a_person() {
    let sandbox = sandbox();
    let server = ModelServer::start(&[Act::Say(edit(WORD, "exit 2", "sleep 600"))]);
    let model = ["--llm-url", &server.url(), "--llm-model", "played"];
    let ran = propose(&sandbox, &model).exits(0);
    assert!(ran.out.contains("Written by a model; a person decides:") && ran.out.contains("review"), "{}", ran.out);
    let mut push = model.to_vec();
    push.extend(["--push", "--yes"]);
    propose(&sandbox, &push).exits(7);
    assert_eq!(branches(&sandbox), ["main"], "--yes answers for safe fixes only");
    push.pop();
    push.push("--yes=review");
    propose(&sandbox, &push).exits(0);
    let branch = branches(&sandbox).remove(0);
    let file = sandbox.git("remote.git", &["show", &format!("{branch}:web.yaml")]);
    assert_eq!(file, web().replace("exit 2", "sleep 600").trim_end());
    let message = sandbox.git("remote.git", &["log", "-1", "--format=%B", &branch]);
    assert!(message.contains("Aifix-Model: played"), "{message}");
    let records = sandbox.aifix(&["audit", "list", "-o", "json"]).json();
    let prompt = &records["items"][0]["spec"]["prompt"];
    assert_eq!(prompt["model"], "played");
    assert!(prompt["request"]["messages"][1]["content"].as_str().unwrap().contains("exit code 2"), "{prompt:#}");
    // The answer was remembered: what it cost the first time stands beside it, and this run cost nothing.
    assert_eq!((&prompt["request"]["temperature"], &prompt["request"]["model"]), (&0.into(), &"played".into()));
    assert!(prompt["request"]["max_tokens"].as_u64().unwrap() > 0, "{prompt:#}");
    let tokens = |prompt: u64, answer: u64| json!({"prompt": prompt, "answer": answer, "cached": 0});
    assert_eq!(prompt["answers"][0]["tokens"], tokens(300, 40), "{prompt:#}");
    assert_eq!((&prompt["calls"], &prompt["tokens"]), (&0.into(), &tokens(0, 0)), "{prompt:#}");
    push.push("--no-cache");
    propose(&sandbox, &push).exits(4);
    let records = sandbox.aifix(&["audit", "list", "-o", "json"]).json();
    let asked = &records["items"][0]["spec"]["prompt"];
    assert_eq!((&asked["calls"], &asked["tokens"]), (&1.into(), &tokens(300, 40)), "{asked:#}");
}

#[test]
fn every_failure_of_a_server_has_its_own_message_and_exit_code() {
    let sandbox = sandbox();
    let absent = propose(&sandbox, &["--llm-url", &ModelServer::absent()]).exits(3);
    assert!(absent.err.contains("hint:"), "{}", absent.err);
    let code = |code: &str| serde_json::json!({"error": {"message": "no", "code": code}}).to_string();
    let cases: [(Act, i32); 14] = [
        (Act::Fail(401, "", "Invalid API Key"), 2),
        (Act::Status(429, code("insufficient_quota")), 2),
        (Act::Status(404, code("model_not_found")), 2),
        (Act::Status(400, code("content_filter")), 4),
        (Act::TooLong { needs: 9_000, holds: 2_048 }, 2),
        (Act::Fail(307, "Location: https://other.example/v1\r\n", "moved"), 2),
        (Act::Break, 3),
        (Act::Fail(500, "", "boom"), 3),
        (Act::Fail(429, "Retry-After: 600\r\n", "slow down"), 3),
        (Act::Say("{\"path\": \"spec".into()), 4),
        (Act::Say("I think you should restart it.".into()), 4),
        (Act::Say("{\"image\": \"evil.example/x\"}".into()), 4),
        (Act::Say(edit(WORD, "exit 3", "sleep 1")), 4),
        (Act::Endless, 4),
    ];
    let mut messages = std::collections::BTreeSet::new();
    for (act, code) in cases {
        let server = ModelServer::start(std::slice::from_ref(&act));
        let ran = propose(&sandbox, &["--llm-url", &server.url()]).exits(code);
        let words = ran
            .out
            .lines()
            .chain(ran.err.lines())
            .filter(|line| !line.contains("127.0.0.1"))
            .collect::<Vec<_>>()
            .join("\n");
        assert!(messages.insert(words), "{act:?} says the same as another");
        assert!(code == 4 || ran.err.contains("hint: "), "{act:?}: what to do next is not said: {}", ran.err);
        assert!(server.seen().len() <= 3, "at most 3 calls");
        assert!(!ran.out.contains("evil.example") && !ran.err.contains("evil.example"), "{}{}", ran.out, ran.err);
    }
    assert_eq!(branches(&sandbox), ["main"]);
}

#[test]
fn a_host_that_nobody_agreed_to_is_sent_nothing() {
    let sandbox = sandbox();
    let ran = propose(&sandbox, &["--llm-url", "https://models.example/v1"]).exits(7);
    assert!(ran.err.contains("nobody agreed yet to send evidence to"), "{}", ran.err);
}

#[test]
fn the_users_file_may_name_the_model_and_a_typo_in_it_is_named() {
    let sandbox = sandbox();
    let server = ModelServer::start(&[Act::Say(edit(WORD, "exit 2", "sleep 600"))]);
    sandbox.write("home/.config/aifix/config.toml", &format!("[llm]\nurl = \"{}\"\n", server.url()));
    let ran = propose(&sandbox, &[]).exits(0);
    assert!(ran.out.contains("Written by a model"), "{}", ran.out);
    let ran = propose(&sandbox, &["--llm", "never"]).exits(4);
    assert!(!ran.out.contains("Written by a model"), "{}", ran.out);
    sandbox.write("home/.config/aifix/config.toml", "[lllm]\nurl = \"x\"\n");
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains("did you mean `[llm]`?"), "{}", ran.err);
}

#[test]
fn the_key_comes_from_a_file_or_a_command_and_an_open_file_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = sandbox();
    let server = ModelServer::start(&[Act::Say(edit(WORD, "exit 2", "sleep 600"))]);
    let file = sandbox.write("home/key", "sk-from-file\n");
    let config = |line: &str| {
        sandbox.write("home/.config/aifix/config.toml", &format!("[llm]\nurl = \"{}\"\n{line}\n", server.url()));
    };
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    config(&format!("key-file = {file:?}"));
    mode(0o644);
    let ran = propose(&sandbox, &["--no-cache"]).exits(0);
    assert!(ran.err.contains("can be read by others: chmod 600"), "{}", ran.err);
    mode(0o600);
    let ran = propose(&sandbox, &["--no-cache"]).exits(0);
    assert!(!ran.err.contains("can be read by others"), "{}", ran.err);
    config("key-command = ['printf', 'sk-from-command']");
    let ran = propose(&sandbox, &["--no-cache"]).exits(0);
    assert!(!ran.out.contains("sk-from") && !ran.err.contains("sk-from"), "{}{}", ran.out, ran.err);
    let keys: Vec<bool> = server.seen().iter().map(|seen| seen.head.contains("Bearer sk-from-file")).collect();
    assert_eq!(keys, [true, true, false]);
    assert!(server.seen()[2].head.contains("Bearer sk-from-command"));
    config("key-command = ['false']");
    let ran = propose(&sandbox, &["--no-cache"]).exits(2);
    assert!(ran.err.contains("ended with exit code 1") && ran.err.contains("key-command"), "{}", ran.err);
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn an_unknown_field_of_the_table_is_named_with_the_nearest() {
    let sandbox = sandbox();
    sandbox.write("home/.config/aifix/config.toml", "[llm]\nurl = 'http://127.0.0.1:1'\nkey_file = '/k'\n");
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains("the table [llm] of your settings has an unknown field `key_file`"), "{}", ran.err);
    assert!(ran.err.contains("did you mean `key-file`?"), "{}", ran.err);
}
