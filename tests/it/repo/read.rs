//! Finding a repository and reading it.

use super::*;

#[tokio::test]
async fn a_sub_directory_is_enough() {
    let lab = Lab::new();
    let (repo, _, tip) = lab.ready("clone/apps/prod").await;
    assert_eq!(repo.root().unwrap().canonicalize().unwrap(), lab.path("clone").canonicalize().unwrap());
    assert_eq!(repo.head(), Some(tip));
}

#[tokio::test]
async fn a_bare_repository_can_be_read_and_pushed_from() {
    let lab = Lab::new();
    lab.git(".", &["clone", "-q", "--bare", "remote.git", "own.git"]);
    let (repo, remote, tip) = lab.ready("own.git").await;
    assert_eq!(repo.root(), None);
    assert_eq!(repo.is_dirty().await, None);
    let commit = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    repo.push(&remote, &commit, &branch(), false).await.unwrap();
    assert_eq!(lab.remote_branch(BRANCH), Some(commit.to_string()));
}

#[tokio::test]
async fn a_sha256_repository_works() {
    let lab = Lab::with_format("sha256");
    let (repo, remote, tip) = lab.ready("clone").await;
    assert_eq!(tip.to_string().len(), 64);
    let commit = repo.commit(&tip, &[memory()], MESSAGE, &branch()).unwrap();
    repo.push(&remote, &commit, &branch(), false).await.unwrap();
    assert_eq!(lab.remote_branch(BRANCH), Some(commit.to_string()));
    lab.git("remote.git", &["fsck", "--strict"]);
}

#[tokio::test]
async fn a_partial_clone_is_filled() {
    let lab = Lab::new();
    lab.git("remote.git", &["config", "uploadpack.allowFilter", "true"]);
    lab.git("remote.git", &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let url = format!("file://{}", lab.path("remote.git").display());
    for filter in ["blob:none", "tree:0"] {
        let name = filter.replace(':', "-");
        lab.git(".", &["clone", "-q", "--no-checkout", "--filter", filter, &url, &name]);
        let (repo, _, tip) = lab.ready(&name).await;
        assert_eq!(repo.tree(&tip).unwrap().file("second"), Some(&b"2"[..]), "{filter}");
    }
}

#[test]
fn a_folder_outside_of_any_repository_is_named() {
    let lab = Lab::empty();
    let error = lab.open("home").unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    assert!(error.message.ends_with("is not in a Git repository"), "{error}");
    assert_eq!(error.hints, ["run inside a clone, or pass --repo PATH"]);
    assert!(lab.open("nowhere").unwrap_err().to_string().contains("No such file"));
}

#[test]
fn formats_that_cannot_be_read_are_refused_by_name() {
    for (key, value, want) in [
        ("extensions.refStorage", "reftable", "reftable"),
        ("extensions.objectFormat", "sha3", "format that can't be read"),
        ("extensions.brandNew", "x", "format that can't be read"),
    ] {
        let lab = Lab::new();
        lab.git("clone", &["config", "core.repositoryFormatVersion", "1"]);
        lab.git("clone", &["config", key, value]);
        let error = lab.open("clone").unwrap_err();
        assert!(error.kind == Kind::Usage && error.message.contains(want), "{key}: {error}");
        assert!(!error.hints.is_empty());
    }
}

#[test]
fn a_missing_and_an_old_git_are_named() {
    let mut lab = Lab::new();
    let tools = lab.path("tools");
    fs::create_dir(&tools).unwrap();
    lab.env.insert("PATH".into(), tools.into());
    let error = lab.open("clone").unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::Usage, "`git` was not found on `PATH`"));
    lab.script("tools/git", "#!/bin/sh\necho git version 2.30.2\n");
    let error = lab.open("clone").unwrap_err();
    assert_eq!(error.message, "Git 2.30 is too old");
    assert_eq!(error.hints, ["install Git 2.39 or newer"]);
}

#[tokio::test]
async fn a_tree_is_read_as_it_is_stored() {
    let lab = Lab::new();
    let blob = |bytes: &[u8]| lab.git_with("clone", &["hash-object", "-w", "--stdin"], bytes);
    let (small, large, link) = (blob(b"x\r\n"), blob(&vec![b'x'; (5 << 20) + 1]), blob(b"/etc/passwd"));
    let raw = |hex: &str| (0..20).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect::<Vec<u8>>();
    let mut bytes = Vec::new();
    for (mode, name, id) in [
        ("100644", &b".."[..], &small),
        ("100644", b".GIT", &small),
        ("100644", b"/etc", &small),
        ("100644", b"caf\xe9", &small),
        ("100644", b"large", &large),
        ("120000", b"link", &link),
        ("160000", b"module", &small),
        ("100755", b"small", &small),
    ] {
        bytes.extend(mode.bytes().chain(*b" ").chain(name.iter().copied()).chain(*b"\0").chain(raw(id)));
    }
    let tree = lab.git_with("clone", &["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], &bytes);
    let commit = lab.git("clone", &["commit-tree", "-m", "x", &tree]);
    let tree = lab.open("clone").unwrap().tree(&CommitId::parse(&commit).unwrap()).unwrap();
    assert_eq!(tree.unreadable, 4);
    let entries: Vec<(&str, &Entry)> = tree.entries.iter().map(|(path, entry)| (path.as_str(), entry)).collect();
    assert_eq!(
        entries,
        [
            ("large", &Entry::Large((5 << 20) + 1)),
            ("link", &Entry::Link("/etc/passwd".into())),
            ("module", &Entry::Submodule),
            ("small", &Entry::File((*b"x\r\n").into())),
        ]
    );
}

#[tokio::test]
async fn a_tree_that_multiplies_without_end_is_refused() {
    let lab = Lab::new();
    let mut id = lab.git_with("clone", &["hash-object", "-w", "--stdin"], b"x");
    let mut kind = "100644 blob";
    for _ in 0..10 {
        let lines: String = (0..10).map(|name| format!("{kind} {id}\tf{name}\n")).collect();
        id = lab.git_with("clone", &["mktree"], lines.as_bytes());
        kind = "040000 tree";
    }
    let commit = lab.git("clone", &["commit-tree", "-m", "bomb", &id]);
    let error = lab.open("clone").unwrap().tree(&CommitId::parse(&commit).unwrap()).unwrap_err();
    assert!(error.message.contains("more than"), "{error}");
}

#[test]
fn a_repository_of_another_owner_is_refused_as_git_does() {
    let mut lab = Lab::new();
    // A variable of Git's own tests; it makes every folder look foreign.
    lab.env.insert("GIT_TEST_ASSUME_DIFFERENT_OWNER".into(), "1".into());
    let error = lab.open("clone").unwrap_err();
    assert!(error.message.contains("belongs to another user"), "{error}");
    assert!(Path::new(error.hints[0].rsplit(' ').next().unwrap().trim_end_matches('`')).is_absolute());
}
