//! Branches of forks, branches that a person names, and what the doctor says.

use super::{ALL, TOKEN, propose, propose_with, pushed, sandbox};
use crate::forge_server::{Act, ForgeServer, Plays};
use crate::harness::{Ran, Sandbox};

/// A fork of somebody who may not push to `acme/shop`.
fn fork(sandbox: &Sandbox) {
    sandbox.git("", &["clone", "-q", "--bare", "remote.git", "fork.git"]);
    sandbox.git("work", &["remote", "add", "fork", "ssh://git@git.example.com/ada/shop.git"]);
    sandbox.git("work", &["remote", "set-url", "--push", "origin", "no_push"]);
}

#[test]
fn a_branch_of_a_fork_is_asked_for_at_the_repository_that_was_forked() {
    for (plays, head) in [(Plays::GitHub, "ada:"), (Plays::GitLab, "ada:"), (Plays::Gitea, "ada:")] {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        fork(&sandbox);
        let row = propose(&sandbox, &["--fork", "fork", "-o", "json"]).exits(0).json()["proposals"][0].clone();
        let branch = row["branch"].as_str().unwrap();
        assert!(pushed(&sandbox).is_empty(), "nothing reaches the repository itself");
        let tip = sandbox.git("fork.git", &["rev-parse", branch]);
        assert_eq!((row["commit"].as_str(), &row["pullRequest"]["action"]), (Some(&*tip), &"opened".into()));
        let kept = server.kept();
        assert_eq!((kept.len(), &kept[0].head, kept[0].base.as_str()), (1, &format!("{head}{branch}"), "main"));
        let url = row["pullRequest"]["url"].as_str().unwrap();
        assert!(url.contains("/acme/shop/"), "{plays:?}: {url}");

        let again = propose(&sandbox, &["--fork", "fork", "-o", "json"]).exits(0).json();
        assert_eq!(again["proposals"][0]["pullRequest"]["action"], "updated", "{plays:?}: {again:#}");
        assert_eq!((server.kept().len(), sandbox.git("fork.git", &["rev-parse", branch])), (1, tip));
    }
}

#[test]
fn without_a_token_the_form_asks_for_the_branch_of_the_fork() {
    for (plays, form) in [
        (Plays::GitHub, "/acme/shop/compare/main...ada:aifix/"),
        (Plays::GitLab, "/ada/shop/-/merge_requests/new?"),
        (Plays::Gitea, "/acme/shop/compare/main...ada:aifix/"),
    ] {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        fork(&sandbox);
        let ran = propose_with(&sandbox, &[], &["--fork", "fork"]).exits(0);
        assert!(ran.out.contains(&format!("{}{form}", server.url())), "{plays:?}: {}", ran.out);
    }
}

#[test]
fn what_is_no_fork_of_the_repository_is_told_before_the_push() {
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox = sandbox(&server);
    let ran = propose(&sandbox, &["--fork", "origin"]).exits(2);
    assert!(ran.err.contains("is the repository itself") && ran.err.contains("--remote"), "{}", ran.err);
    sandbox.git("", &["clone", "-q", "--bare", "remote.git", "fork.git"]);
    sandbox.git("work", &["remote", "add", "fork", "ssh://git@other.example.com/ada/shop.git"]);
    let ran = propose(&sandbox, &["--fork", "fork"]).exits(2);
    assert!(ran.err.contains("is at another host"), "{}", ran.err);
    assert!(server.kept().is_empty() && pushed(&sandbox).is_empty());
}

#[test]
fn a_branch_that_a_person_named_has_one_request() {
    for plays in ALL {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        let words = ["--branch", "fix/web", "-o", "json"];
        let first = propose(&sandbox, &words).exits(0).json()["proposals"][0].clone();
        assert_eq!(first["pullRequest"]["action"], "opened", "{first:#}");
        let again = propose(&sandbox, &words).exits(0).json()["proposals"][0].clone();
        assert_eq!(again["pullRequest"]["action"], "updated", "{plays:?}: {again:#}");
        assert_eq!((&again["commit"], server.kept().len()), (&first["commit"], 1));
        // Another change under that name is not mixed with it.
        sandbox.git("work", &["commit", "-q", "--allow-empty", "-m", "Something else"]);
        sandbox.git("work", &["push", "-q", "-f", "../remote.git", "HEAD:fix/web"]);
        let other = propose(&sandbox, &words).exits(4).json();
        assert_eq!(other["proposals"][0]["refusal"]["code"], "already-proposed", "{other:#}");
    }
}

#[test]
fn doctor_says_whether_the_forge_takes_the_token() {
    let doctor = |sandbox: &Sandbox, token: Option<&str>| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
        command.envs(token.map(|token| ("AIFIX_FORGE_TOKEN", token)));
        let ran = Ran::of(&command.args(["doctor"]).current_dir(sandbox.path("work")).output().unwrap());
        assert!(!ran.out.contains(TOKEN) && !ran.err.contains(TOKEN), "{}", ran.out);
        ran.out
    };
    for (plays, name) in [(Plays::GitHub, "GitHub"), (Plays::GitLab, "GitLab"), (Plays::Gitea, "Gitea")] {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        let told = doctor(&sandbox, Some(TOKEN));
        let want =
            format!("{name} at {}, which takes the token of AIFIX_FORGE_TOKEN", &server.url()["http://".len()..]);
        assert!(told.contains(&want), "{told}");
        assert!(doctor(&sandbox, None).contains("no token: --pr can open no request"));
        server.rule("GET", "shop", 9, Act::Answer(401, "", r#"{"message": "Bad credentials"}"#));
        assert!(doctor(&sandbox, Some(TOKEN)).contains("it does not know the token (401)"));
        assert!(server.seen().iter().all(|seen| seen.method == "GET"));
    }
}
