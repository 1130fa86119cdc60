//! What the forge tells of a pull request.

use super::{colleague, phases};
use crate::forge;
use crate::forge_server::{ForgeServer, Plays};
use crate::harness::{Ran, Sandbox};
use serde_json::{Value, json};

const TOKEN: &str = "t0p-s3cret-token";

fn status(sandbox: &Sandbox, token: &str, more: &[&str]) -> Ran {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.env("GIT_SSH_COMMAND", sandbox.path("bin/ssh")).env("AIFIX_FORGE_TOKEN", token);
    let ran = Ran::of(&command.arg("status").args(more).current_dir(sandbox.path("work")).output().unwrap());
    assert!(!ran.out.contains(TOKEN) && !ran.err.contains(TOKEN), "the token is never shown");
    ran
}

fn item(sandbox: &Sandbox) -> Value {
    status(sandbox, TOKEN, &["-o", "json"]).json()["items"][0].take()
}

#[test]
fn a_review_and_a_squashed_merge_with_another_value_are_told_by_every_forge() {
    for plays in [Plays::GitHub, Plays::GitLab, Plays::Gitea] {
        let server = ForgeServer::start(plays);
        let sandbox = forge::sandbox(&server);
        forge::propose(&sandbox, &[]).exits(0);
        let words = [("ada", "CHANGES_REQUESTED"), ("ada", "APPROVED"), ("bob", "APPROVED")];
        let words = if plays == Plays::GitLab { &words[1..] } else { &words[..] };
        server.change(0, |one| one.reviews = words.to_vec());
        let open = item(&sandbox);
        assert_eq!(open["phase"], "reviewed", "{plays:?}: {open:#}");
        assert!(open["lines"].to_string().contains("approved by ada and bob"), "{plays:?}: {open:#}");

        // Nothing in Git but the forge's word ties this commit to the request.
        let merge = colleague(&sandbox, "merger", |git| {
            let file = sandbox.path("merger/k8s/web.yaml");
            std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("32Mi", "128Mi")).unwrap();
            git(&["commit", "-qam", "Raise it (#1)"]);
        });
        server.change(0, |one| (one.state, one.merge) = ("merged", Some(merge.clone())));
        let merged = item(&sandbox);
        assert_eq!(merged["phase"], "merged", "{plays:?}: {merged:#}");
        let body = &merged["reached"][1]["body"];
        assert_eq!((&body["mergeCommit"], &body["by"]), (&json!(merge), &json!("grace")), "{plays:?}: {merged:#}");
        assert_eq!(body["changes"][0]["merged"], "128Mi", "{plays:?}: {merged:#}");
        assert_eq!(phases(&sandbox), ["proposed", "pushed", "pull-request", "reviewed", "merged"], "{plays:?}");
    }
}

#[test]
fn the_names_of_reviewers_are_shown_without_escapes() {
    let server = ForgeServer::start(Plays::Gitea);
    let sandbox = forge::sandbox(&server);
    forge::propose(&sandbox, &[]).exits(0);
    server.change(0, |one| one.reviews = vec![("eve\u{1b}[2J\u{202e}\n::error::x", "APPROVED")]);
    let ran = status(&sandbox, TOKEN, &[]).exits(0);
    assert!(ran.out.contains("approved by eve\\e[2J\\u{202e}"), "{}", ran.out);
    assert!(!ran.out.contains(['\u{1b}', '\u{202e}']), "{}", ran.out);
    assert!(!ran.out.lines().any(|line| line.trim_start().starts_with("::")), "{}", ran.out);
}

#[test]
fn a_request_that_was_closed_is_closed_though_its_branch_is_there() {
    let server = ForgeServer::start(Plays::Gitea);
    let sandbox = forge::sandbox(&server);
    forge::propose(&sandbox, &[]).exits(0);
    server.change(0, |one| one.state = "closed");
    let ran = status(&sandbox, TOKEN, &["--wait", "1s"]).exits(1);
    assert!(ran.out.starts_with("closed  ") && ran.out.contains("closed without a merge"), "{}", ran.out);
    assert!(!ran.out.contains("evil.example"), "an address in an answer is not shown: {}", ran.out);
}

#[test]
fn without_a_token_or_an_answer_the_forge_is_named_as_not_looked_at() {
    let server = ForgeServer::start(Plays::Gitea);
    let sandbox = forge::sandbox(&server);
    forge::propose(&sandbox, &[]).exits(0);
    let ran = status(&sandbox, "", &[]).exits(0);
    assert!(ran.out.contains("not looked at forge: no token was found (set AIFIX_FORGE_TOKEN)"), "{}", ran.out);
    server.rule("GET", "/pulls/1", 9, crate::forge_server::Act::Answer(500, "", "{}"));
    let ran = status(&sandbox, TOKEN, &[]).exits(0);
    assert!(ran.out.contains("not looked at forge: ") && ran.out.contains("500"), "{}", ran.out);
}
