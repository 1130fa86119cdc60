//! Choosing a remote and fetching from it.

use super::*;

#[test]
fn the_remote_is_chosen_as_git_push_would() {
    let lab = Lab::new();
    let chosen =
        |wanted| lab.open("clone").unwrap().remote(wanted).map(|remote| remote.name).map_err(|e| e.to_string());
    assert_eq!(chosen(None).unwrap(), "origin");
    lab.git("clone", &["remote", "add", "fork", "git@git.example.com:me/app.git"]);
    assert_eq!(chosen(None).unwrap(), "origin");
    lab.git("clone", &["config", "remote.pushDefault", "fork"]);
    assert_eq!(chosen(None).unwrap(), "fork");
    lab.git("clone", &["config", "branch.main.pushRemote", "origin"]);
    assert_eq!(chosen(None).unwrap(), "origin");
    assert_eq!(chosen(Some("fork")).unwrap(), "fork");
    let error = lab.open("clone").unwrap().remote(Some("frok")).unwrap_err();
    assert_eq!(error.hints, ["did you mean `fork`?"]);
    assert!(lab.open("clone").unwrap().remote(Some("--upload-pack=x")).is_err());
}

#[test]
fn without_a_default_remote_it_is_asked_for() {
    let lab = Lab::new();
    lab.git("clone", &["remote", "rename", "origin", "up"]);
    lab.git("clone", &["config", "--unset-all", "branch.main.remote"]);
    assert_eq!(lab.open("clone").unwrap().remote(None).unwrap().name, "up");
    lab.git("clone", &["remote", "add", "fork", "/srv/fork.git"]);
    assert_eq!(lab.open("clone").unwrap().remote(None).unwrap_err().hints, ["pass --remote fork or up"]);
    lab.git("clone", &["remote", "remove", "fork"]);
    lab.git("clone", &["remote", "remove", "up"]);
    let error = lab.open("clone").unwrap().remote(None).unwrap_err();
    assert_eq!(error.message, "this repository has no remote to push to");
}

#[tokio::test]
async fn the_base_is_given_or_known_or_asked_for() {
    let lab = Lab::new();
    let repo = lab.open("clone").unwrap();
    let remote = repo.remote(None).unwrap();
    assert_eq!(repo.base_branch(&remote, Some("release/1"), false).await.unwrap().as_str(), "release/1");
    assert_eq!(repo.base_branch(&remote, None, false).await.unwrap().as_str(), "main");
    lab.git("clone", &["remote", "set-head", "origin", "-d"]);
    lab.git("remote.git", &["branch", "-m", "main", "trunk"]);
    assert_eq!(repo.base_branch(&remote, None, false).await.unwrap().as_str(), "trunk");
}

#[tokio::test]
async fn each_reason_why_a_fetch_fails_has_its_own_words() {
    let lab = Lab::new();
    let wrong = http_server("401 Unauthorized");
    let broken = http_server("503 Service Unavailable");
    for (url, branch, kind, want) in [
        (lab.path("remote.git").display().to_string(), "nope", Kind::Usage, "it has no such branch"),
        (lab.path("gone.git").display().to_string(), "main", Kind::Usage, "it is not there"),
        (
            format!("http://bot:hunter2@127.0.0.1:{wrong}/x.git"),
            "main",
            Kind::Unreachable,
            "it wants other credentials",
        ),
        (format!("http://127.0.0.1:{wrong}/x.git"), "main", Kind::Unreachable, "it wants other credentials"),
        (format!("http://bot:hunter2@127.0.0.1:{broken}/x.git"), "main", Kind::Unreachable, "it can't be reached"),
        ("http://bot:hunter2@127.0.0.1:1/x.git".to_owned(), "main", Kind::Unreachable, "it can't be reached"),
    ] {
        lab.git("clone", &["remote", "set-url", "origin", &url]);
        let repo = lab.open("clone").unwrap();
        let remote = repo.remote(None).unwrap();
        let error = repo.fetch(&remote, &Branch::parse(branch).unwrap(), false).await.unwrap_err();
        assert!(error.kind == kind && error.message.contains(want), "{url}: {error:?}");
        assert_eq!(error.hints.len(), 1);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn fetches_at_the_same_time_all_succeed() {
    let lab = Lab::new();
    let tip = move_base(&lab);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let repo = lab.open("clone").unwrap();
        tasks.spawn(async move {
            let remote = repo.remote(None).unwrap();
            repo.fetch(&remote, &Branch::parse("main").unwrap(), false).await.unwrap().to_string()
        });
    }
    assert_eq!(tasks.join_all().await, vec![tip; 6]);
}

#[tokio::test]
async fn a_fetch_waits_for_another_one_of_the_same_branch() {
    let lab = Lab::new();
    let lock = lab.path("clone/.git/refs/aifix/base/main.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    // Longer than Git itself waits for a lock (core.filesRefLockTimeout, 100 ms).
    let held = lock.clone();
    let other = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        fs::remove_file(held).unwrap();
    });
    let (repo, _, tip) = lab.ready("clone").await;
    other.join().unwrap();
    assert_eq!(repo.head(), Some(tip));
}

#[tokio::test]
async fn a_commit_is_fetched_by_its_id_once() {
    let lab = Lab::new();
    let tip = CommitId::parse(&move_base(&lab)).unwrap();
    let repo = lab.open("clone").unwrap();
    let remote = repo.remote(None).unwrap();
    assert!(!repo.has(&tip));
    assert!(repo.tree(&tip).unwrap_err().message.contains("is not in this repository"));
    repo.fetch_commit(&remote, &tip, false).await.unwrap();
    assert!(repo.tree(&tip).unwrap().file("third").is_some());
    fs::remove_dir_all(lab.path("remote.git")).unwrap();
    repo.fetch_commit(&remote, &tip, false).await.unwrap();
}
