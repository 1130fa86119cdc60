//! Every way a forge can fail, before the push and after it.

use super::{ALL, config, phases, propose, pushed, record, sandbox};
use crate::forge_server::{Act, ForgeServer, Plays};

/// What fails before the push, and so leaves nothing behind.
#[test]
fn a_forge_that_can_not_be_used_is_told_before_anything_is_pushed() {
    for (act, code, words) in [
        (
            Act::Answer(401, "", r#"{"message":"Bad credentials"}"#),
            2,
            "it does not know the token (401): Bad credentials",
        ),
        (Act::Answer(404, "", r#"{"message":"Not Found"}"#), 2, "the token may not see it (404): Not Found"),
        (
            Act::Answer(403, "", r#"{"message":"Resource not accessible by integration"}"#),
            2,
            "the token may not do that",
        ),
        (Act::Answer(403, "", r#"{"message":"API rate limit exceeded for user ID 1."}"#), 3, "too many requests"),
        (Act::Answer(403, "Retry-After: 60\r\n", r#"{"message":"secondary limit"}"#), 3, "it asks to wait 60 s"),
        (Act::Answer(429, "", ""), 3, "too many requests"),
        (Act::Answer(301, "Location: http://127.0.0.1:1/x\r\n", "{}"), 2, "a redirect (301), which is not followed"),
        (Act::Answer(200, "", "<html>sign in</html>"), 3, "its answer is not that of a forge"),
        (Act::Answer(200, "", r#"{"a":1}"#), 3, "its answer is not that of a forge"),
        (Act::Answer(502, "", "<html>bad gateway</html>"), 3, "it failed (502)"),
        (Act::Endless, 3, "the answer is larger than 4194304 bytes"),
        (Act::Close, 3, "it closed the connection before it had answered"),
    ] {
        let server = ForgeServer::start(Plays::GitHub);
        let sandbox = sandbox(&server);
        server.rule("GET", "/pulls", 9, act.clone());
        let ran = propose(&sandbox, &[]).exits(code);
        assert!(ran.err.contains(words) && ran.err.contains("hint:"), "{act:?}: {}", ran.err);
        assert!(pushed(&sandbox).is_empty(), "{act:?}");
    }
}

/// What fails after the push: the branch stands, and the way to open the pull request by hand is named.
#[test]
fn a_pull_request_that_fails_leaves_the_branch_and_names_the_form() {
    for (act, code, words) in [
        (
            Act::Answer(
                403,
                "",
                r#"{"message":"GitHub Actions is not permitted to create or approve pull requests."}"#,
            ),
            2,
            "Allow GitHub Actions to create",
        ),
        (
            Act::Answer(
                422,
                "",
                r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","field":"base","code":"invalid"}]}"#,
            ),
            4,
            "it refused (422): Validation Failed; base invalid",
        ),
        (Act::Answer(500, "", ""), 3, "it failed (500)"),
        (Act::Close, 3, "it closed the connection"),
    ] {
        let server = ForgeServer::start(Plays::GitHub);
        let sandbox = sandbox(&server);
        server.rule("POST", "/pulls", 1, act.clone());
        let ran = propose(&sandbox, &[]).exits(code);
        assert!(ran.err.contains(words), "{act:?}: {}", ran.err);
        let branch = pushed(&sandbox).remove(0);
        let form = format!("{}/acme/shop/compare/main...{branch}?expand=1", server.url());
        assert!(ran.out.contains("not opened; by hand: ") && ran.out.contains(&form), "{}", ran.out);
        let record = record(&sandbox);
        assert_eq!(phases(&record), ["proposed", "pushed", "failed"]);
        assert_eq!(record["status"]["commit"], sandbox.git("remote.git", &["rev-parse", &branch]).as_str());
        // The next run opens it.
        propose(&sandbox, &[]).exits(0);
        assert_eq!(server.kept().len(), 1);
    }
}

#[test]
fn a_short_wait_that_is_asked_for_is_kept() {
    let server = ForgeServer::start(Plays::GitLab);
    let sandbox = sandbox(&server);
    server.rule("POST", "/merge_requests", 1, Act::Answer(429, "Retry-After: 1\r\n", "{}"));
    propose(&sandbox, &[]).exits(0);
    assert_eq!(server.kept().len(), 1);
}

#[test]
fn one_that_somebody_opens_at_the_same_moment_is_found() {
    for plays in ALL {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        propose(&sandbox, &[]).exits(0);
        // The first look does not see it yet.
        let (part, body) = match plays {
            Plays::Gitea => ("/pulls/main/", r#"{"message":"not found"}"#),
            Plays::GitHub => ("/pulls?", "[]"),
            Plays::GitLab => ("/merge_requests?", "[]"),
        };
        server.rule("GET", part, 1, Act::Answer(if plays == Plays::Gitea { 404 } else { 200 }, "", body));
        let ran = propose(&sandbox, &[]).exits(0);
        assert!(ran.out.contains("written anew"), "{plays:?}: {}", ran.out);
        assert_eq!(server.kept().len(), 1);
    }
}

#[test]
fn a_plan_without_drafts_gets_one_that_is_ready() {
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox = sandbox(&server);
    let body = r#"{"message":"Draft pull requests are not supported in this repository."}"#;
    server.rule("POST", "/pulls", 1, Act::Answer(422, "", body));
    let ran = propose(&sandbox, &[]).exits(0);
    assert!(ran.out.contains("/pull/1 (opened)") && !server.kept()[0].draft, "{}", ran.out);
}

#[test]
fn a_repository_that_the_forge_has_not_digested_is_waited_for() {
    let server = ForgeServer::start(Plays::Gitea);
    let sandbox = sandbox(&server);
    server.rule("GET", "/api/v1/repos/acme/shop", 1, Act::Answer(404, "", r#"{"message":"not found"}"#));
    server.rule("GET", "/api/v1/repos/acme/shop", 2, Act::Answer(200, "", r#"{"empty":true}"#));
    propose(&sandbox, &[]).exits(0);
    let looks = server.seen().iter().filter(|seen| seen.target.ends_with("/repos/acme/shop")).count();
    assert_eq!(looks, 3, "until it no longer calls itself empty");
    assert_eq!(server.kept().len(), 1);
}

#[test]
fn a_host_that_is_no_forge_a_folder_and_a_fork_are_told_before_the_push() {
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox = sandbox(&server);
    server.rule("GET", "/api/", 9, Act::Answer(404, "", "<html>"));
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains("is no forge that is known") && ran.err.contains("--forge"), "{}", ran.err);
    sandbox.git("work", &["remote", "set-url", "--push", "origin", "ssh://git@git.example.com/ada/shop.git"]);
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains("name your fork: git remote add fork"), "{}", ran.err);
    sandbox.git("work", &["config", "--unset-all", "remote.origin.pushurl"]);
    sandbox.git("work", &["remote", "set-url", "origin", sandbox.path("remote.git").to_str().unwrap()]);
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains("is a folder"), "{}", ran.err);
    assert!(pushed(&sandbox).is_empty());
}

#[test]
fn a_token_is_not_sent_where_it_could_be_read() {
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox = sandbox(&server);
    config(&sandbox, "[forge.\"git.example.com\"]\nurl = 'http://git.example.com'\nkind = 'github'\n");
    let ran = propose(&sandbox, &[]).exits(0);
    assert!(ran.err.contains("no token is sent to http://git.example.com/"), "{}", ran.err);
    assert!(ran.out.contains("http://git.example.com/acme/shop/compare/"), "{}", ran.out);
}

#[test]
fn the_authorities_that_git_trusts_for_the_host_are_read() {
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox = sandbox(&server);
    sandbox.git("work", &["config", "http.https://other.example.sslCAInfo", "/nowhere/other.pem"]);
    propose(&sandbox, &[]).exits(0);
    sandbox.git("work", &["config", &format!("http.{}.sslCAInfo", server.url()), "/nowhere/ours.pem"]);
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains("the certificates in /nowhere/ours.pem can't be read"), "{}", ran.err);
}
