//! What aifix leaves in the user's repository: nothing.

use super::*;

/// The whole road in a clone with work in progress; nothing of the user's changes.
async fn road_leaves_no_trace(lab: &Lab, folder: &str) {
    let before = lab.state(folder);
    let status = lab.git(folder, &["--no-optional-locks", "status", "--porcelain=v2", "--branch"]);
    let (repo, remote, tip) = lab.ready(folder).await;
    assert!(repo.tree(&tip).unwrap().file("apps/prod/web.yaml").is_some());
    let commit = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    repo.push(&remote, &commit, &branch(), false).await.unwrap();
    repo.branches(&remote, "aifix/").await.unwrap();
    repo.is_dirty().await;
    assert_eq!(changed(&before, &lab.state(folder)), BTreeSet::new());
    assert_eq!(lab.git(folder, &["--no-optional-locks", "status", "--porcelain=v2", "--branch"]), status);
    assert_eq!(lab.remote_branch(BRANCH), Some(commit.to_string()));
    assert_eq!(
        lab.git("remote.git", &["diff-tree", "-r", "--name-status", &tip.to_string(), &commit.to_string()]),
        "M\tapps/prod/web.yaml"
    );
    lab.git("remote.git", &["fsck", "--strict"]);
}

fn work_in_progress(lab: &Lab, folder: &str) {
    lab.write(&format!("{folder}/staged"), b"s");
    lab.git(folder, &["add", "staged"]);
    lab.write(&format!("{folder}/run.sh"), b"changed\n");
    lab.write(&format!("{folder}/untracked"), b"u");
}

#[tokio::test]
async fn work_in_progress_stays_byte_identical() {
    let lab = Lab::new();
    work_in_progress(&lab, "clone");
    let tip = move_base(&lab);
    lab.git("remote.git", &["tag", "v9", &tip]);
    road_leaves_no_trace(&lab, "clone").await;
}

#[tokio::test]
async fn a_detached_head_stays_detached() {
    let lab = Lab::new();
    lab.git("clone", &["checkout", "-q", "--detach", "HEAD~1"]);
    work_in_progress(&lab, "clone");
    road_leaves_no_trace(&lab, "clone").await;
    assert_eq!(lab.open("clone").unwrap().head_branch(), None);
}

#[tokio::test]
async fn a_linked_worktree_and_its_main_one_stay_as_they_are() {
    let lab = Lab::new();
    lab.git("clone", &["worktree", "add", "-q", "-b", "other", "../linked"]);
    work_in_progress(&lab, "linked");
    let main = lab.state("clone");
    road_leaves_no_trace(&lab, "linked").await;
    assert_eq!(changed(&main, &lab.state("clone")), BTreeSet::new());
    let repo = lab.open("linked/apps").unwrap();
    assert_eq!(repo.root().unwrap().canonicalize().unwrap(), lab.path("linked").canonicalize().unwrap());
    assert_eq!(repo.head_branch().unwrap().as_str(), "other");
}

#[tokio::test]
async fn a_shallow_single_branch_clone_stays_shallow() {
    let lab = Lab::new();
    let url = format!("file://{}", lab.path("remote.git").display());
    lab.git(".", &["clone", "-q", "--depth=1", "--single-branch", &url, "shallow"]);
    move_base(&lab);
    road_leaves_no_trace(&lab, "shallow").await;
    assert_eq!(lab.git("shallow", &["rev-parse", "--is-shallow-repository"]), "true");
}

#[tokio::test]
async fn an_environment_that_points_elsewhere_does_not_lead_astray() {
    let mut lab = Lab::new();
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"] {
        lab.env.insert(name.into(), "/nowhere".into());
    }
    let (repo, remote, tip) = lab.ready("clone").await;
    let commit = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    repo.push(&remote, &commit, &branch(), false).await.unwrap();
}

#[tokio::test]
async fn user_settings_do_not_make_a_push_or_fetch_do_more() {
    let lab = Lab::new();
    for (key, value) in [
        ("push.followTags", "true"),
        ("fetch.prune", "true"),
        ("fetch.pruneTags", "true"),
        ("remote.origin.tagOpt", "--tags"),
        ("push.default", "matching"),
        ("core.logAllRefUpdates", "always"),
    ] {
        lab.git("clone", &["config", key, value]);
    }
    lab.git("clone", &["tag", "-a", "-m", "x", "v1"]);
    lab.git("remote.git", &["tag", "v2"]);
    let before = lab.state("clone");
    pushed(&lab).await.1.unwrap();
    assert_eq!(changed(&before, &lab.state("clone")), BTreeSet::new());
    assert_eq!(lab.git("remote.git", &["tag"]), "v2");
}
