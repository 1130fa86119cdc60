//! The store as other processes meet it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "set-up of tests")]

use aifix::audit::Store;
use aifix::model::record::Phase;
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const AT: &str = "2026-01-02T03:04:05Z";

/// This test binary once more, as a writer of `count` entries.
fn writer(folder: &Path, count: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "audit::a_writer_appends_what_it_is_told_to"])
        .env("STORE", folder)
        .env("COUNT", count.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_writer_appends_what_it_is_told_to() {
    // Other tests start this one as a process of its own; by itself it writes three entries.
    let own = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("STORE").map_or_else(|| own.path().to_owned(), Into::into);
    let count: usize = std::env::var("COUNT").map_or(3, |count| count.parse().unwrap());
    let mut store = Store::open(&folder, None).unwrap();
    for n in 0..count {
        let entry = store.append(None, Phase::Proposed, AT, json!({"n": n})).unwrap();
        assert_eq!(entry.body, json!({"n": n}));
    }
    assert!(store.verify().unwrap().entries >= count as u64);
}

#[test]
fn eight_processes_that_start_at_once_write_one_chain_under_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    let writers: Vec<Child> = (0..8).map(|_| writer(&folder, 25)).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let verified = Store::open(&folder, None).unwrap().verify().unwrap();
    assert_eq!((verified.entries, verified.records, verified.first_bad), (200, 200, None));
}

#[test]
fn a_writer_that_is_killed_leaves_a_whole_chain() {
    let dir = tempfile::tempdir().unwrap();
    let entries = |folder: &Path| match Store::open_existing(folder, None) {
        Ok(Some(store)) => store.verify().unwrap().entries,
        _ => 0,
    };
    for round in 0..8 {
        let before = entries(dir.path());
        let mut child = writer(dir.path(), usize::MAX);
        let deadline = Instant::now() + Duration::from_secs(30);
        while entries(dir.path()) < before + 3 + round {
            assert!(Instant::now() < deadline, "waited for the writer's entries");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut store = Store::open(dir.path(), None).unwrap();
        assert_eq!(store.verify().unwrap().first_bad, None);
        store.append(None, Phase::Declined, AT, json!({})).unwrap();
    }
}

#[test]
fn only_the_user_can_read_store_and_key() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("a/state");
    Store::open(&folder, None).unwrap().append(None, Phase::Refused, AT, json!({})).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let names: HashSet<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, HashSet::from(["records.db".to_owned(), "audit.key".to_owned()]));
    for name in names {
        assert_eq!(mode(&folder.join(&name)), 0o600, "{name}");
    }
}
