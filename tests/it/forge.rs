//! Pull requests: opened, written anew, left alone, and every way a forge can fail.

mod failing;
mod forks;

use crate::forge_server::{ForgeServer, Plays};
use crate::harness::{Ran, Sandbox, oom_manifest, recorded};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const TOKEN: &str = "t0p-s3cret-token";
const ALL: [Plays; 3] = [Plays::GitHub, Plays::GitLab, Plays::Gitea];

/// A repository at `git.example.com`, reached by an ssh of our own, whose forge is `server`.
pub(crate) fn sandbox(server: &ForgeServer) -> Sandbox {
    sandbox_with(server, &[])
}

fn sandbox_with(server: &ForgeServer, more: &[(&str, &str)]) -> Sandbox {
    let manifest = oom_manifest();
    let mut files = vec![("k8s/web.yaml", manifest.as_str()), ("README.md", "x\n")];
    files.extend(more);
    sandbox_of(server, &files)
}

/// The same with these files alone.
pub(crate) fn sandbox_of(server: &ForgeServer, files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.repository(files);
    reached(&sandbox, "work", server);
    sandbox
}

/// Makes the clone `folder` one of `git.example.com`, reached by an ssh of our own, whose forge is `server`.
pub(crate) fn reached(sandbox: &Sandbox, folder: &str, server: &ForgeServer) {
    sandbox.git(folder, &["remote", "set-url", "origin", "ssh://git@git.example.com/acme/shop.git"]);
    let remote = sandbox.path("remote.git");
    let ssh = sandbox.write(
        "bin/ssh",
        &format!(
            "#!/bin/sh\nfor last; do :; done\nat='{}'\ncase $last in *ada/shop*) at='{}';; esac\ncase $last in\n\
             git-upload-pack*) exec git upload-pack \"$at\";;\n\
             git-receive-pack*) exec git receive-pack \"$at\";;\nesac\nexit 255\n",
            remote.display(),
            sandbox.path("fork.git").display()
        ),
    );
    fs::set_permissions(ssh, fs::Permissions::from_mode(0o755)).unwrap();
    config(sandbox, &format!("[forge.\"git.example.com\"]\nurl = '{}'\n", server.url()));
}

fn config(sandbox: &Sandbox, text: &str) {
    sandbox.write("home/.config/aifix/config.toml", text);
}

/// `aifix propose deployment/web --push --yes=review --pr` with these variables.
pub(crate) fn propose_with(sandbox: &Sandbox, variables: &[(&str, &str)], more: &[&str]) -> Ran {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.env("GIT_SSH_COMMAND", sandbox.path("bin/ssh")).envs(variables.iter().copied());
    command.args(["propose", "deployment/web", "--from", &recorded("oom-killed"), "--push", "--yes=review", "--pr"]);
    let output = command.args(more).current_dir(sandbox.path("work")).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn propose(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let mut ran = propose_with(sandbox, &[("AIFIX_FORGE_TOKEN", TOKEN)], more);
    ran.err = ran.err.replace("\n  caused by: ", ": ");
    assert!(!ran.out.contains(TOKEN) && !ran.err.contains(TOKEN), "the token is never shown");
    ran
}

/// The branches of the remote beside `main`.
fn pushed(sandbox: &Sandbox) -> Vec<String> {
    let out = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads/aifix"]);
    out.lines().map(str::to_owned).collect()
}

fn record(sandbox: &Sandbox) -> serde_json::Value {
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    sandbox.aifix(&["audit", "verify"]).exits(0);
    list["items"][0].clone()
}

fn phases(record: &serde_json::Value) -> Vec<&str> {
    record["status"]["entries"].as_array().unwrap().iter().map(|entry| entry["phase"].as_str().unwrap()).collect()
}

#[test]
fn a_pull_request_is_opened_at_every_forge_and_recorded() {
    for (plays, page, authorization, title) in [
        (Plays::GitHub, "/acme/shop/pull/1", format!("Bearer {TOKEN}"), ""),
        (Plays::GitLab, "/acme/shop/-/merge_requests/1", format!("Bearer {TOKEN}"), "Draft: "),
        (Plays::Gitea, "/acme/shop/pulls/1", format!("token {TOKEN}"), "WIP: "),
    ] {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        let ran = propose(&sandbox, &[]).exits(0);
        let url = format!("{}{page}", server.url());
        assert!(ran.out.contains(&format!("request   {url} (opened as a draft)")), "{plays:?}: {}", ran.out);
        assert!(!ran.out.contains("evil.example"), "an address in an answer is not shown: {}", ran.out);
        let kept = server.kept();
        let branch = &pushed(&sandbox)[0];
        assert_eq!((kept.len(), &kept[0].head, kept[0].base.as_str(), kept[0].draft), (1, branch, "main", true));
        assert!(
            kept[0].title.starts_with(&format!("{title}Deployment cat-oom-killed/web: raise")),
            "{}",
            kept[0].title
        );
        assert!(kept[0].body.starts_with("<!-- aifix:proposal -->\n"), "{}", kept[0].body);
        for seen in server.seen() {
            let is_question = seen.target.ends_with("/version") || seen.target.ends_with("/meta");
            let want = if is_question { "" } else { authorization.as_str() };
            assert_eq!(seen.authorization, want, "{plays:?} {} {}", seen.method, seen.target);
        }
        let record = record(&sandbox);
        assert_eq!(phases(&record), ["proposed", "pushed", "pull-request"]);
        assert_eq!(record["status"]["pullRequest"], serde_json::json!({"number": 1, "url": url}));
        assert!(kept[0].body.contains(record["status"]["entries"][0]["hash"].as_str().unwrap()));
        let told = sandbox.aifix(&["audit", "show", record["metadata"]["name"].as_str().unwrap()]).exits(0).out;
        assert!(told.contains(&format!("request   {url}")) && !told.contains(TOKEN), "{told}");
    }
}

#[test]
fn a_container_without_certificate_authorities_reaches_what_needs_none() {
    let server = ForgeServer::start(Plays::Gitea);
    let sandbox = sandbox(&server);
    let none = sandbox.path("none");
    fs::create_dir(&none).unwrap();
    let none = none.to_str().unwrap();
    let variables = [("AIFIX_FORGE_TOKEN", TOKEN), ("SSL_CERT_DIR", none), ("SSL_CERT_FILE", "/dev/null")];
    let ran = propose_with(&sandbox, &variables, &[]).exits(0);
    assert!(ran.out.contains("(opened as a draft)") && server.kept().len() == 1, "{}{}", ran.out, ran.err);
}

#[test]
fn a_second_run_writes_ours_anew_and_pushes_nothing() {
    for plays in ALL {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        propose(&sandbox, &[]).exits(0);
        let branches = pushed(&sandbox);
        let tip = sandbox.git("remote.git", &["rev-parse", &branches[0]]);
        // A person says that it is ready, and changes the text.
        server.change(0, |one| {
            one.draft = false;
            one.body = "<!-- aifix:proposal -->\nold".to_owned();
        });
        let ran = propose(&sandbox, &["-o", "json"]).exits(0);
        let row = &ran.json()["proposals"][0];
        assert_eq!(row["pullRequest"]["action"], "updated", "{plays:?}: {row:#}");
        assert_eq!((&row["commit"], &row["pushed"]), (&tip.as_str().into(), &true.into()));
        assert_eq!(pushed(&sandbox), branches);
        assert_eq!(sandbox.git("remote.git", &["rev-parse", &branches[0]]), tip);
        let kept = server.kept();
        assert!(kept.len() == 1 && kept[0].body.contains("### Verify"), "{plays:?}");
        assert!(!kept[0].draft && kept[0].title.starts_with("Deployment"), "{plays:?}: {}", kept[0].title);
        assert_eq!(phases(&record(&sandbox)), ["proposed", "pushed", "pull-request"]);
    }
}

#[test]
fn a_pull_request_that_a_person_wrote_stays_as_it_is() {
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox = sandbox(&server);
    propose(&sandbox, &[]).exits(0);
    server.change(0, |one| "by hand".clone_into(&mut one.body));
    let ran = propose(&sandbox, &[]).exits(0);
    assert!(ran.out.contains("open already, not ours, left as it is"), "{}", ran.out);
    assert_eq!(server.kept()[0].body, "by hand");
}

#[test]
fn what_a_person_closed_is_not_proposed_again() {
    for plays in ALL {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        propose(&sandbox, &[]).exits(0);
        let branch = pushed(&sandbox).remove(0);
        server.change(0, |one| one.state = "closed");
        let ran = propose(&sandbox, &[]).exits(4);
        assert!(ran.out.contains("was closed without a merge") && ran.out.contains("reopen it at"), "{}", ran.out);
        sandbox.git("remote.git", &["branch", "-D", &branch]);
        let ran = propose(&sandbox, &["-o", "json"]).exits(4);
        assert_eq!(ran.json()["proposals"][0]["refusal"]["code"], "already-proposed", "{plays:?}");
        assert!(pushed(&sandbox).is_empty(), "nothing is pushed");
        assert_eq!(server.kept().len(), 1);
    }
}

#[test]
fn a_merged_branch_that_is_still_there_is_said_and_one_that_is_gone_makes_room() {
    for plays in ALL {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        propose(&sandbox, &[]).exits(0);
        let branch = pushed(&sandbox).remove(0);
        // Squashed, then reverted: the base lacks the change and the branch is in no history.
        server.change(0, |one| one.state = "merged");
        let ran = propose(&sandbox, &[]).exits(4);
        assert!(ran.out.contains("was merged, and main lacks the change"), "{}", ran.out);
        sandbox.git("remote.git", &["branch", "-D", &branch]);
        propose(&sandbox, &[]).exits(0);
        let states: Vec<&str> = server.kept().iter().map(|one| one.state).collect();
        assert_eq!(states, ["merged", "open"], "{plays:?}");
    }
}

#[test]
fn a_branch_with_another_change_is_not_described_as_ours() {
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox = sandbox(&server);
    propose(&sandbox, &[]).exits(0);
    let branch = pushed(&sandbox).remove(0);
    sandbox.git("", &["clone", "-q", "-b", &branch, sandbox.path("remote.git").to_str().unwrap(), "other"]);
    sandbox.write("other/README.md", "changed by a colleague\n");
    sandbox.git("other", &["commit", "-qam", "Change more"]);
    sandbox.git("other", &["push", "-q"]);
    let ran = propose(&sandbox, &[]).exits(4);
    assert!(ran.out.contains("holds another change than this one"), "{}", ran.out);
}

#[test]
fn the_branch_of_a_push_without_a_pull_request_gets_one_later() {
    let server = ForgeServer::start(Plays::Gitea);
    let sandbox = sandbox(&server);
    let ssh = sandbox.path("bin/ssh");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.args(["propose", "deployment/web", "--from", &recorded("oom-killed"), "--push", "--yes=review"]);
    let output = command.env("GIT_SSH_COMMAND", ssh).current_dir(sandbox.path("work")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(server.seen().is_empty());
    let branches = pushed(&sandbox);
    propose(&sandbox, &[]).exits(0);
    assert_eq!(pushed(&sandbox), branches);
    assert_eq!(server.kept()[0].head, branches[0]);
}

#[test]
fn without_a_token_the_form_is_named_and_the_branch_is_pushed() {
    for (plays, form) in [
        (Plays::GitHub, "/acme/shop/compare/main...BRANCH?expand=1"),
        (
            Plays::GitLab,
            "/acme/shop/-/merge_requests/new?merge_request%5Bsource_branch%5D=CODED&merge_request%5Btarget_branch%5D=main",
        ),
        (Plays::Gitea, "/acme/shop/compare/main...BRANCH"),
    ] {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        // Tokens that belong to other hosts.
        let others = [("GITHUB_TOKEN", TOKEN), ("GITLAB_TOKEN", TOKEN), ("CI_SERVER_URL", "https://gitlab.com")];
        let ran = propose_with(&sandbox, &others, &["--forge", &format!("{plays:?}").to_lowercase()]).exits(0);
        let branch = pushed(&sandbox).remove(0);
        let form = form.replace("CODED", &branch.replace('/', "%2F")).replace("BRANCH", &branch);
        assert!(ran.out.contains(&format!("{}{form}\n", server.url())), "{form} is not in {}", ran.out);
        assert!(ran.out.contains("no token was found (set AIFIX_FORGE_TOKEN)"), "{}", ran.out);
        assert!(server.seen().is_empty(), "nothing is asked without a token: {:?}", server.seen());
        let record = record(&sandbox);
        assert_eq!(phases(&record), ["proposed", "pushed"]);
    }
}

#[test]
fn a_ci_servers_own_token_goes_to_that_server() {
    for (plays, variables, authorization) in [
        (Plays::GitHub, ["GITHUB_SERVER_URL", "GITHUB_TOKEN", "X"], "Bearer"),
        (Plays::GitLab, ["CI_SERVER_URL", "GITLAB_TOKEN", "X"], "Bearer"),
        (Plays::Gitea, ["GITHUB_SERVER_URL", "GITHUB_TOKEN", "GITEA_ACTIONS"], "token"),
    ] {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        let url = server.url();
        let variables = [(variables[0], url.as_str()), (variables[1], TOKEN), (variables[2], "true")];
        propose_with(&sandbox, &variables, &[]).exits(0);
        let seen = server.seen();
        assert!(seen.iter().all(|one| one.authorization == format!("{authorization} {TOKEN}")), "{seen:?}");
        assert!(!seen.iter().any(|one| one.target.contains("version") || one.target.contains("meta")), "{seen:?}");
        assert_eq!(server.kept().len(), 1);
    }
}

#[test]
fn a_credential_helper_of_git_is_asked_and_a_token_in_the_settings_is_used() {
    for (plays, want) in [(Plays::GitHub, "Bearer hunter2"), (Plays::Gitea, "Basic Ym90Omh1bnRlcjI=")] {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox(&server);
        let stored = server.url().replace("http://", "http://bot:hunter2@");
        let file = sandbox.write("credentials", &format!("{stored}\nhttps://bot:wrong@other.example\n"));
        sandbox.git("work", &["config", "credential.helper", &format!("store --file={}", file.display())]);
        let ran = propose_with(&sandbox, &[], &[]).exits(0);
        assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"));
        assert_eq!(server.seen().last().unwrap().authorization, want);
    }
    let server = ForgeServer::start(Plays::Gitea);
    let sandbox = sandbox(&server);
    config(&sandbox, &format!("[forge.\"git.example.com\"]\nurl = '{}'\ntoken = 'f1le'\n", server.url()));
    propose_with(&sandbox, &[], &[]).exits(0);
    assert_eq!(server.seen().last().unwrap().authorization, "token f1le");
    config(&sandbox, "[forge.\"git.example.com\"]\nurl = 'http://u:f1le@h'\n");
    let ran = propose_with(&sandbox, &[], &[]).exits(2);
    assert!(ran.err.contains("holds credentials") && !ran.err.contains("f1le"), "{}", ran.err);
    config(&sandbox, "[forge.\"git.example.com\"]\ntokn = 'f1le'\n");
    let ran = propose_with(&sandbox, &[], &[]).exits(2);
    assert!(ran.err.contains("can't be used") && !ran.err.contains("f1le"), "{}", ran.err);
}

#[test]
fn labels_and_reviewers_come_from_the_repository_and_the_users_file_goes_before() {
    let file = "[pull-request]\nlabels = ['fix', 'aifix']\nreviewers = ['ada']\n";
    for (plays, reviewer) in [(Plays::GitHub, "ada"), (Plays::GitLab, "41"), (Plays::Gitea, "ada")] {
        let server = ForgeServer::start(plays);
        let sandbox = sandbox_with(&server, &[(".aifix.toml", file)]);
        propose(&sandbox, &[]).exits(0);
        let one = server.kept().remove(0);
        assert_eq!(
            (one.labels, one.reviewers),
            (vec!["fix".to_owned(), "aifix".to_owned()], vec![reviewer.to_owned()])
        );
    }
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox = sandbox_with(&server, &[(".aifix.toml", file)]);
    let mine = format!(
        "[forge.\"git.example.com\"]\nurl = '{}'\n[pull-request]\nlabels = []\nreviewers = ['acme/ops']\n",
        server.url()
    );
    config(&sandbox, &mine);
    propose(&sandbox, &[]).exits(0);
    let one = server.kept().remove(0);
    assert_eq!((one.labels, one.reviewers), (vec![], vec!["@ops".to_owned()]));
}

#[test]
fn labels_that_are_refused_do_not_cost_the_pull_request() {
    let server = ForgeServer::start(Plays::GitLab);
    let sandbox = sandbox_with(&server, &[(".aifix.toml", "[pull-request]\nreviewers = ['nobody']\n")]);
    let ran = propose(&sandbox, &[]).exits(0);
    assert!(ran.err.contains("can't ask for a review") && ran.err.contains("there is no user nobody"), "{}", ran.err);
    assert!(ran.out.contains("opened as a draft"), "{}", ran.out);
}

#[test]
fn labels_and_reviewers_that_a_person_took_away_stay_away() {
    let file = "[pull-request]\nlabels = ['fix']\nreviewers = ['ada']\n";
    let server = ForgeServer::start(Plays::GitLab);
    let sandbox = sandbox_with(&server, &[(".aifix.toml", file)]);
    propose(&sandbox, &[]).exits(0);
    server.change(0, |one| (one.labels, one.reviewers) = (vec![], vec![]));
    let ran = propose(&sandbox, &[]).exits(0);
    let one = server.kept().remove(0);
    assert!(ran.out.contains("written anew") && one.labels.is_empty() && one.reviewers.is_empty(), "{one:?}");
}

#[test]
fn on_a_terminal_the_question_names_the_remote_and_the_forge() {
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox = sandbox(&server);
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.env("GIT_SSH_COMMAND", sandbox.path("bin/ssh")).env("AIFIX_FORGE_TOKEN", TOKEN).env("TERM", "xterm");
    command.args(["propose", "deployment/web", "--from", &recorded("oom-killed"), "--push", "--pr"]);
    command.current_dir(sandbox.path("work")).stdin(std::process::Stdio::inherit());
    let mut session = rexpect::session::spawn_command(command, Some(60_000)).unwrap();
    let host = server.url().replace("http://", "");
    session
        .exp_string(&format!("to ssh://git@git.example.com/acme/shop.git and open a pull request at {host}?"))
        .unwrap();
    session.exp_string("[y/N]").unwrap();
    assert!(server.kept().is_empty() && pushed(&sandbox).is_empty(), "nothing before the yes");
    session.send_line("y").unwrap();
    session.exp_string("opened as a draft").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(server.kept().len(), 1);
}

#[test]
fn a_repository_may_not_say_where_tokens_go() {
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox =
        sandbox_with(&server, &[(".aifix.toml", "[forge.\"git.example.com\"]\nurl = 'https://evil.example'\n")]);
    let ran = propose(&sandbox, &[]).exits(2);
    assert!(ran.err.contains("`.aifix.toml` of commit") && ran.err.contains("labels"), "{}", ran.err);
    assert!(pushed(&sandbox).is_empty() && server.kept().is_empty());
}
