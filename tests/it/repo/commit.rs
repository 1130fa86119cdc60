//! Commits beside the user's work.

use super::*;

#[tokio::test]
async fn a_commit_keeps_modes_and_bytes_and_has_one_time() {
    let lab = Lab::new();
    let (repo, _, tip) = lab.ready("clone").await;
    let files = [
        memory(),
        edit("run.sh", b"#!/bin/sh\necho 64Mi\n", b"#!/bin/sh\necho 256Mi\n"),
        FileChange { path: "apps/new/patch.yaml".into(), before: None, after: Some(b"a: 1\n".to_vec()) },
    ];
    let commit = repo.commit(&tip, &files, MESSAGE, &branch()).unwrap().to_string();
    assert_eq!(
        lab.git("clone", &["log", "-1", "--format=%P|%an|%ae|%cn|%ad|%cd|%B", &commit]),
        format!("{tip}|Ada|ada@example.com|Ada|Fri Jan 2 03:04:05 2026 +0100|Fri Jan 2 03:04:05 2026 +0100|{MESSAGE}")
    );
    let listed = lab.git("clone", &["ls-tree", "-r", &commit]);
    for (mode, path) in [("100755", "run.sh"), ("100644", "apps/new/patch.yaml"), ("120000", "apps/link")] {
        assert!(listed.lines().any(|line| line.starts_with(mode) && line.ends_with(path)), "{listed}");
    }
    let stored = lab.git("clone", &["cat-file", "blob", &format!("{commit}:apps/prod/web.yaml")]);
    assert_eq!(stored, "kind: Deployment\r\nmemory: 256Mi");
    assert_eq!(lab.git("clone", &["rev-parse", &format!("refs/aifix/heads/{BRANCH}")]), commit);
    lab.git("clone", &["fsck", "--strict"]);
}

#[tokio::test]
async fn the_same_commit_is_not_made_twice_and_an_outdated_one_is_replaced() {
    let mut lab = Lab::new();
    let (repo, _, tip) = lab.ready("clone").await;
    let first = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    lab.env.insert("GIT_COMMITTER_DATE".into(), "2027-01-01 00:00:00 +0000".into());
    let (repo, _, tip) = lab.ready("clone").await;
    assert_eq!(repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap(), first);
    move_base(&lab);
    let (repo, _, tip) = lab.ready("clone").await;
    let second = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    assert_ne!(first, second);
    assert_eq!(repo.resolve(&format!("refs/aifix/heads/{BRANCH}")), Some(second));
}

#[tokio::test]
async fn only_commits_with_the_trailer_are_ours() {
    let lab = Lab::new();
    let (repo, _, tip) = lab.ready("clone").await;
    let commit = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    assert_eq!(repo.made_by_aifix(&commit), Some(true));
    assert_eq!(repo.made_by_aifix(&tip), Some(false));
    assert_eq!(repo.made_by_aifix(&CommitId::parse(&"7".repeat(40)).unwrap()), None);
}

#[tokio::test]
async fn an_edit_that_does_not_fit_the_base_is_never_committed() {
    let lab = Lab::new();
    let (repo, _, tip) = lab.ready("clone").await;
    let new = |path: &str| FileChange { path: path.into(), before: None, after: Some(b"x".to_vec()) };
    for (file, want) in [
        (edit("second", b"other", b"3"), "its content is not what the edit was made for"),
        (edit("nope", b"", b"3"), "it is not there"),
        (edit("apps/link", b"../run.sh", b"3"), "it is no regular file"),
        (edit("second", b"2", b"2"), "without a change"),
        (new("second"), "it should be new"),
        (new("second/x"), "a part of its path is no folder"),
        (new("apps/link/x"), "a part of its path is no folder"),
        (new("../x"), "its path leaves the repository"),
        (new("/etc/x"), "its path leaves the repository"),
        (new("a/.git/hooks/x"), "its path leaves the repository"),
        (new(""), "its path leaves the repository"),
    ] {
        let error = repo.commit(&tip, &[file], MESSAGE, &branch()).unwrap_err();
        assert!(error.kind == Kind::Bug && error.to_string().contains(want), "{want}: {error}");
    }
    assert_eq!(repo.resolve(&format!("refs/aifix/heads/{BRANCH}")), None);
}

#[tokio::test]
async fn nobody_is_made_up_as_author() {
    let lab = Lab::new();
    let (_, _, tip) = lab.ready("clone").await;
    lab.write("home/.gitconfig", b"");
    let error = lab.open("clone").unwrap().commit(&tip, &[memory()], MESSAGE, &branch()).unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    assert_eq!(error.hints.len(), 2);
    assert!(error.hints.iter().all(|hint| hint.contains("git config --global user.")), "{error:?}");
}

#[tokio::test]
async fn a_commit_is_signed_when_the_configuration_says_so() {
    let lab = Lab::new();
    let key = lab.path("home/key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    let public = fs::read_to_string(lab.path("home/key.pub")).unwrap();
    lab.write("home/allowed", format!("ada@example.com {public}").as_bytes());
    for (key, value) in [
        ("gpg.format", "ssh"),
        ("user.signingKey", "~/key.pub"),
        ("gpg.ssh.allowedSignersFile", "~/allowed"),
        ("commit.gpgSign", "true"),
    ] {
        lab.git("clone", &["config", "--global", key, value]);
    }
    let (repo, _, tip) = lab.ready("clone").await;
    let commit = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    lab.git("clone", &["verify-commit", &commit.to_string()]);
    assert_eq!(repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap(), commit);
}

#[tokio::test]
async fn a_commit_that_cannot_be_signed_is_not_made() {
    let lab = Lab::new();
    for (key, value) in [("gpg.format", "ssh"), ("user.signingKey", "/nowhere/key"), ("commit.gpgSign", "true")] {
        lab.git("clone", &["config", key, value]);
    }
    let (repo, _, tip) = lab.ready("clone").await;
    let error = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap_err();
    assert!(error.message.contains("can't be signed"), "{error}");
    assert_eq!(
        error.causes,
        ["Signing program failed", "Couldn't load public key /nowhere/key: No such file or directory"]
    );
    assert_eq!(repo.resolve(&format!("refs/aifix/heads/{BRANCH}")), None);
}

#[tokio::test]
async fn a_ref_that_is_a_folder_of_the_new_one_is_named() {
    let lab = Lab::new();
    let (repo, _, tip) = lab.ready("clone").await;
    lab.git("clone", &["update-ref", "refs/aifix/heads/aifix", &tip.to_string()]);
    let error = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap_err();
    assert!(error.message.contains(&format!("refs/aifix/heads/{BRANCH}")), "{error}");
    assert!(error.hints[0].contains("git for-each-ref"));
}
