//! Tests of the store in one process.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;
use tempfile::TempDir;

const AT: &str = "2026-01-02T03:04:05Z";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(dir: &TempDir) -> Store {
    Store::open(dir.path(), None).unwrap()
}

/// A store of three records and five entries.
fn filled(dir: &TempDir) -> Vec<String> {
    let mut store = open(dir);
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(store.append(None, Phase::Proposed, AT, json!({"n": n, "why": "memory"})).unwrap().record);
    }
    store.append(Some(&ids[0]), Phase::Pushed, AT, json!({"commit": "abc"})).unwrap();
    store.append(Some(&ids[1]), Phase::Declined, AT, json!({})).unwrap();
    ids
}

/// What somebody with the file and without the key can do: everything, once the triggers are gone.
fn forge(dir: &TempDir, sql: &str) {
    let connection = Connection::open(dir.path().join(FILE)).unwrap();
    let triggers: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(triggers.len(), 8, "{triggers:?}");
    for trigger in triggers {
        connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    connection.execute_batch(sql).unwrap();
}

fn holds(entries: u64, records: u64) -> Verified {
    Verified { entries, records, keys: 1, ..Verified::default() }
}

fn first_bad(dir: &TempDir) -> Option<u64> {
    open(dir).verify().unwrap().first_bad.map(|bad| bad.seq)
}

#[test]
fn records_come_back_as_they_were_written() {
    let dir = folder();
    let ids = filled(&dir);
    let store = open(&dir);
    assert_eq!(store.verify().unwrap(), holds(5, 3));
    assert!(ids.iter().all(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3);
    let entries = store.entries(&ids[0]).unwrap();
    assert_eq!(
        entries.iter().map(|entry| (entry.seq, entry.phase)).collect::<Vec<_>>(),
        [(1, Phase::Proposed), (4, Phase::Pushed)]
    );
    assert_eq!(entries[0].body, json!({"n": 0, "why": "memory"}));
    let latest: Vec<u64> = store.latest(2).unwrap().iter().map(|record| record.last().unwrap().seq).collect();
    assert_eq!(latest, [5, 4]);
}

#[test]
fn the_start_of_an_id_is_enough_and_a_wrong_one_is_corrected() {
    let dir = folder();
    let ids = filled(&dir);
    let store = open(&dir);
    assert_eq!(store.entries(&ids[2][..12]).unwrap().len(), 1);
    let mut wrong = ids[2].clone();
    wrong.replace_range(3..4, "x");
    let error = store.entries(&wrong).unwrap_err();
    assert_eq!(error.hints, [format!("did you mean `{}`?", ids[2])]);
    assert!(store.entries("").is_err());
    assert_eq!(store.entries("no-such-thing").unwrap_err().hints, ["list the records: `aifix audit list`"]);
}

#[test]
fn a_start_that_several_records_share_asks_for_more() {
    let dir = folder();
    let mut store = open(&dir);
    for record in ["aaaa000000000000", "aaaa111111111111"] {
        store.append(Some(record), Phase::Refused, AT, json!({})).unwrap();
    }
    let error = store.entries("aaaa").unwrap_err();
    assert_eq!(error.message, "2 records start with `aaaa`");
}

#[test]
fn entries_can_be_neither_changed_nor_removed() {
    let dir = folder();
    filled(&dir);
    let connection = Connection::open(dir.path().join(FILE)).unwrap();
    for sql in [
        "UPDATE entries SET at = 'x' WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 5",
        "DELETE FROM entries",
        "REPLACE INTO entries SELECT * FROM entries WHERE seq = 2",
        "INSERT INTO entries VALUES (9, '', '', '', '', '', '', 2, '', '')",
        "UPDATE head SET seq = 3",
        "DELETE FROM head",
    ] {
        let error = connection.execute(sql, []).unwrap_err();
        assert_eq!(error.to_string(), "append only", "{sql}");
    }
    assert_eq!(first_bad(&dir), None);
}

#[test]
fn a_removed_moved_or_added_entry_is_found() {
    for (sql, seq) in [
        ("DELETE FROM entries WHERE seq = 5", 5),
        ("DELETE FROM entries WHERE seq >= 3", 3),
        ("DELETE FROM entries WHERE seq = 1", 2),
        ("DELETE FROM entries WHERE seq = 3", 4),
        ("DELETE FROM entries WHERE seq = 5; UPDATE head SET seq = 4", 4),
        ("DELETE FROM entries WHERE seq = 5; DELETE FROM head", 4),
        ("DELETE FROM entries", 1),
        (
            "UPDATE entries SET seq = 9 WHERE seq = 2; UPDATE entries SET seq = 2 WHERE seq = 3; UPDATE entries SET seq = 3 WHERE seq = 9",
            2,
        ),
        (
            "INSERT INTO entries SELECT 6, record, phase, at, body, hash, hash, rule, key, parts FROM entries WHERE seq = 5",
            6,
        ),
        ("UPDATE head SET hash = (SELECT hash FROM entries WHERE seq = 5)", 5),
        (
            "DELETE FROM entries WHERE seq = 5; UPDATE head SET seq = 4, hash = (SELECT hash FROM entries WHERE seq = 4)",
            4,
        ),
    ] {
        let dir = folder();
        filled(&dir);
        forge(&dir, sql);
        assert_eq!(first_bad(&dir), Some(seq), "{sql}");
    }
}

#[test]
fn nothing_is_added_on_top_of_a_cut_tail() {
    let dir = folder();
    filled(&dir);
    forge(&dir, "DELETE FROM entries WHERE seq = 5");
    let error = open(&dir).append(None, Phase::Proposed, AT, json!({})).unwrap_err();
    assert_eq!(error.causes, ["entries at the end are gone"]);
    assert_eq!(open(&dir).verify().unwrap().entries, 4);
}

#[test]
fn another_key_neither_verifies_nor_adds() {
    let dir = folder();
    filled(&dir);
    let other = dir.path().join("other.key");
    files::create_private(&other, "ab".repeat(32).as_bytes()).unwrap();
    let mut store = Store::open(dir.path(), Some(&other)).unwrap();
    let bad = store.verify().unwrap().first_bad.unwrap();
    assert!(bad.seq == 1 && bad.why.starts_with("it was written under the key ") && bad.why.contains("does not hold"));
    let error = store.append(None, Phase::Proposed, AT, json!({})).unwrap_err();
    assert!(error.message.starts_with("the records were written under another key than"), "{error}");
    assert!(error.hints[0].contains("AIFIX_AUDIT_KEY_FILE"), "{error:?}");
    assert_eq!(store.entries("").unwrap_err().message, "there is no record ``", "reading needs no key");
    assert_eq!(first_bad(&dir), None);
}

#[test]
fn a_key_that_is_gone_is_never_made_anew() {
    let dir = folder();
    filled(&dir);
    let key = dir.path().join("audit.key");
    files::remove(&key).unwrap();
    let error = Store::open(dir.path(), None).unwrap_err();
    assert!(error.message.contains("is gone") && error.hints[0].contains("AIFIX_AUDIT_KEY_FILE"), "{error:?}");
    assert!(!files::exists(&key));
    for text in ["", "zz", &"g".repeat(64), &"é".repeat(32)] {
        files::write_private(&key, text.as_bytes()).unwrap();
        assert!(Store::open(dir.path(), None).unwrap_err().message.contains("can't be read"), "{text}");
    }
}

#[test]
fn the_key_may_lie_elsewhere() {
    let (dir, elsewhere) = (folder(), folder());
    let key = elsewhere.path().join("key");
    Store::open(dir.path(), Some(&key)).unwrap().append(None, Phase::Proposed, AT, json!({})).unwrap();
    assert!(files::exists(&key) && !files::exists(&dir.path().join("audit.key")));
    let missing = elsewhere.path().join("no/folder/key");
    assert!(Store::open(folder().path(), Some(&missing)).unwrap_err().message.contains("can't be made"));
}

#[test]
fn reading_makes_nothing() {
    let dir = folder();
    let none = dir.path().join("none");
    assert!(Store::open_existing(&none, None).unwrap().is_none());
    assert!(!files::exists(&none));
    files::create_private(&dir.path().join(FILE), b"").unwrap();
    assert!(Store::open_existing(dir.path(), None).unwrap().is_none());
    assert_eq!(files::list(dir.path()).unwrap(), [FILE]);
    // As a run leaves it that is killed before its first entry.
    schema::create(&dir.path().join(FILE)).unwrap();
    assert!(Store::open_existing(dir.path(), None).unwrap().is_none());
    assert_eq!(files::list(dir.path()).unwrap(), [FILE]);
}

#[test]
fn a_store_that_was_emptied_is_not_an_empty_store() {
    let dir = folder();
    filled(&dir);
    forge(&dir, "DELETE FROM entries");
    let verified = Store::open_existing(dir.path(), None).unwrap().unwrap().verify().unwrap();
    assert_eq!(verified.first_bad.unwrap().why, "entries at the end are gone");
}

#[test]
fn a_newer_store_is_left_alone() {
    let dir = folder();
    filled(&dir);
    Connection::open(dir.path().join(FILE)).unwrap().pragma_update(None, "user_version", 3).unwrap();
    for error in [Store::open(dir.path(), None).unwrap_err(), Store::open_existing(dir.path(), None).unwrap_err()] {
        assert!(error.message.ends_with("were written by a newer aifix"), "{error}");
    }
}

#[test]
fn a_damaged_file_is_named_and_kept() {
    let dir = folder();
    let path = dir.path().join(FILE);
    let noise = b"this is no SQLite file, whatever it is".repeat(100);
    files::write_private(&path, &noise).unwrap();
    let error = Store::open(dir.path(), None).unwrap_err();
    assert!(error.message.ends_with("are damaged"), "{error}");
    assert_eq!(files::read(&path).unwrap(), noise);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = folder();
    files::create_private(&dir.path().join("file"), b"").unwrap();
    let error = Store::open(&dir.path().join("file/state"), None).unwrap_err();
    assert!(error.message.contains("can't be made") && error.hints[0].contains("AIFIX_STATE_DIR"), "{error}");
}

#[test]
fn a_full_disk_loses_nothing() {
    let dir = folder();
    filled(&dir);
    let mut store = open(&dir);
    // SQLite's own limit stands for the disk.
    store.connection.pragma_update(None, "max_page_count", 12).unwrap();
    let error = store.append(None, Phase::Proposed, AT, json!({"long": "x".repeat(200_000)})).unwrap_err();
    assert!(error.message.starts_with("the disk is full"), "{error}");
    assert_eq!(store.verify().unwrap(), holds(5, 3));
}

#[test]
fn secrets_never_reach_the_file() {
    let dir = folder();
    let secret = "ghp_abcdefghijklmnopqrstuvwxyz0123";
    let body = json!({
        "log": format!("push to https://bot:hunter2@h/ with {secret}"),
        "env": [{"name": "DB_PASSWORD", "value": "correct-horse"}],
        "secret": {"kind": "Secret", "data": {"p": "aHVudGVyMg=="}},
    });
    let entry = open(&dir).append(None, Phase::Failed, AT, body).unwrap();
    let stored = files::read(&dir.path().join(FILE)).unwrap();
    for canary in [secret, "hunter2", "correct-horse", "aHVudGVyMg=="] {
        assert!(!entry.body.to_string().contains(canary), "{canary}");
        assert!(!stored.windows(canary.len()).any(|bytes| bytes == canary.as_bytes()), "{canary}");
    }
    assert_eq!(first_bad(&dir), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_changed_byte_of_any_column_is_found(seq in 1u64..=5, column in 0usize..7, at in any::<prop::sample::Index>(), mask in 1u8..128) {
        let dir = folder();
        filled(&dir);
        let column = ["record", "phase", "at", "body", "previous", "hash", "key"][column];
        let connection = Connection::open(dir.path().join(FILE)).unwrap();
        let old: String = connection
            .query_row(&format!("SELECT {column} FROM entries WHERE seq = ?1"), [seq], |row| row.get(0))
            .unwrap();
        let mut bytes = old.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        let new = String::from_utf8_lossy(&bytes).into_owned();
        connection.execute_batch("DROP TRIGGER entries_stay").unwrap();
        connection.execute(&format!("UPDATE entries SET {column} = ?1 WHERE seq = ?2"), params![new, seq]).unwrap();
        prop_assert_eq!(first_bad(&dir), Some(seq));
    }
}

#[test]
fn a_folder_that_others_could_read_becomes_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    for (before, after) in [(0o755, 0o700), (0o750, 0o700), (0o700, 0o700), (0o1777, 0o1777)] {
        let dir = folder();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(before)).unwrap();
        open(&dir);
        let mode = std::fs::metadata(dir.path()).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, after, "{before:o} became {mode:o}");
    }
}
