//! Pushing a new branch, and being refused.

use super::*;

#[tokio::test]
async fn pushing_the_same_commit_again_is_a_success() {
    let lab = Lab::new();
    let (first, result) = pushed(&lab).await;
    result.unwrap();
    let (second, result) = pushed(&lab).await;
    result.unwrap();
    assert_eq!(first, second);
    let (repo, remote, _) = lab.ready("clone").await;
    let branches = repo.branches(&remote, "aifix/").await.unwrap();
    assert_eq!(branches, BTreeMap::from([(BRANCH.to_owned(), first)]));
}

#[tokio::test]
async fn a_branch_of_somebody_else_is_never_moved() {
    for revision in ["main", "main~1"] {
        let lab = Lab::new();
        // Even at the base, from where a plain push would be a fast-forward.
        lab.git("remote.git", &["branch", BRANCH, revision]);
        let before = lab.remote_branch(BRANCH);
        let error = pushed(&lab).await.1.unwrap_err();
        assert_eq!(error.kind, Kind::Refused);
        assert!(error.message.starts_with(&format!("`origin` already has a branch `{BRANCH}`")), "{error}");
        assert_eq!(lab.remote_branch(BRANCH), before);
    }
}

#[tokio::test]
async fn the_words_of_a_remote_that_rejects_are_shown_without_escapes() {
    let lab = Lab::new();
    lab.script(
        "remote.git/hooks/pre-receive",
        "#!/bin/sh\nprintf 'only \\033[31mbots\\033[0m may push to https://bot:hunter2@h/\\n' >&2\nexit 1\n",
    );
    let error = pushed(&lab).await.1.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    let text = error.to_string();
    assert!(
        text.starts_with(&format!(
            "`origin` rejected the branch `{BRANCH}`: [remote rejected] (pre-receive hook declined)"
        )),
        "{text}"
    );
    assert!(text.contains("bots") && !text.contains('\u{1b}') && !text.contains("hunter2"), "{text}");
    assert_eq!(lab.remote_branch(BRANCH), None);
}

#[tokio::test]
async fn a_branch_that_is_a_folder_of_the_new_one_is_named() {
    let lab = Lab::new();
    lab.git("remote.git", &["branch", "aifix", "main"]);
    let error = pushed(&lab).await.1.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.hints[0].contains("is a folder of this name"), "{error:?}");
}

#[tokio::test]
async fn an_unreachable_remote_is_told_from_one_that_refuses() {
    let lab = Lab::new();
    let (repo, _, tip) = lab.ready("clone").await;
    let commit = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    for (url, want) in [
        ("http://bot:hunter2@127.0.0.1:1/x.git".to_owned(), "can't be reached"),
        (format!("http://bot:hunter2@127.0.0.1:{}/x.git", http_server("401 Unauthorized")), "wants other credentials"),
        (
            format!("http://bot:hunter2@127.0.0.1:{}/x.git", http_server("403 Forbidden")),
            "your account may not push there",
        ),
    ] {
        lab.git("clone", &["remote", "set-url", "--push", "origin", &url]);
        let repo = lab.open("clone").unwrap();
        let remote = repo.remote(None).unwrap();
        let error = repo.push(&remote, &commit, &branch(), false).await.unwrap_err();
        assert!(error.kind == Kind::Unreachable && error.message.contains(want), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_at_the_terminal_is_no_unknown_error() {
    let lab = Lab::new();
    let (repo, _, tip) = lab.ready("clone").await;
    let commit = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    let url = format!("http://bot:hunter2@127.0.0.1:{}/x.git", http_server("401 Unauthorized"));
    lab.git("clone", &["remote", "set-url", "--push", "origin", &url]);
    let repo = lab.open("clone").unwrap();
    // Git has a password and does not ask for another, so that this test needs no terminal.
    let error = repo.push(&repo.remote(None).unwrap(), &commit, &branch(), true).await.unwrap_err();
    assert!(error.message.ends_with("Git could not sign in there, as it says above"), "{error:?}");
}

#[tokio::test]
async fn the_users_pre_push_hook_runs_and_sees_no_model_key() {
    let mut lab = Lab::new();
    lab.env.insert("ANTHROPIC_API_KEY".into(), "hunter2".into());
    lab.env.insert("GIT_DIR".into(), "/nowhere".into());
    let seen = lab.path("seen");
    lab.script("clone/.git/hooks/pre-push", &format!("#!/bin/sh\nenv > {}\n", seen.display()));
    lab.env.remove(&OsString::from("GIT_DIR"));
    pushed(&lab).await.1.unwrap();
    let seen = fs::read_to_string(seen).unwrap();
    assert!(seen.contains("GIT_TERMINAL_PROMPT=0") && !seen.contains("hunter2"), "{seen}");
    lab.script("clone/.git/hooks/pre-push", "#!/bin/sh\necho no pushes on Friday >&2\nexit 1\n");
    lab.git("remote.git", &["update-ref", "-d", &format!("refs/heads/{BRANCH}")]);
    let error = pushed(&lab).await.1.unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
    assert!(error.message.starts_with("a pre-push hook") && error.causes[0].contains("Friday"), "{error:?}");
}

#[tokio::test]
async fn a_push_that_is_cut_off_leaves_nothing_or_the_whole_branch() {
    let lab = Lab::new();
    let (repo, remote, tip) = lab.ready("clone").await;
    let commit = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    for pause in [0, 5, 10, 20, 40, 80] {
        let push = async {
            let result = repo.push(&remote, &commit, &branch(), false).await;
            assert!(result.is_ok(), "{result:?}");
        };
        let _ = tokio::time::timeout(std::time::Duration::from_millis(pause), push).await;
        let found = lab.remote_branch(BRANCH);
        assert!(found.is_none() || found == Some(commit.to_string()), "{found:?}");
        lab.git("remote.git", &["fsck", "--strict"]);
    }
    repo.push(&remote, &commit, &branch(), false).await.unwrap();
    assert_eq!(lab.remote_branch(BRANCH), Some(commit.to_string()));
}
