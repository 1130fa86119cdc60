//! Tests of erasing, of keys, and of the first version.

use super::*;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

const AT: &str = "2026-01-02T03:04:05Z";
/// The key of `v1.sql`.
const OLD_KEY: &str = "ceb2eaba94bc1f09e1a89b9323174394d963d5cf5b25c6aa910545020cd5a76e";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(dir: &TempDir) -> Store {
    Store::open(dir.path(), None).unwrap()
}

fn raw(dir: &TempDir) -> Connection {
    Connection::open(dir.path().join(FILE)).unwrap()
}

/// A store as the first version left it.
fn old(dir: &TempDir) {
    raw(dir).execute_batch(include_str!("v1.sql")).unwrap();
    files::write_private(&dir.path().join("audit.key"), OLD_KEY.as_bytes()).unwrap();
}

/// A body with something to erase, and with something that stays.
fn body() -> Value {
    json!({
        "failure": {"code": "oom-killed", "summary": "container zebra was killed"},
        "context": {"evidence": [{"id": 1, "text": "the zebra line"}], "effects": [], "who": "Ada"},
        "prompt": {"model": "m", "request": {"messages": ["tell of the zebra"]}, "answers": ["a zebra"]},
        "proposedFix": {"diff": "-a\n+b\n"},
    })
}

fn first_bad(dir: &TempDir) -> Option<(u64, String)> {
    open(dir).verify().unwrap().first_bad.map(|bad| (bad.seq, bad.why))
}

#[test]
fn a_store_of_the_first_version_is_read_as_it_is_and_written_on() {
    let dir = folder();
    old(&dir);
    let reader = Store::open_existing(dir.path(), None).unwrap().unwrap();
    let four = Verified { entries: 4, records: 4, keys: 1, ..Verified::default() };
    assert_eq!(reader.verify().unwrap(), four);
    assert_eq!(reader.entries("09f6").unwrap()[0].body, json!({"n": 0}));
    assert_eq!(schema::version(&reader.connection).unwrap(), 1, "reading changes nothing");
    let dump = |query: &str| -> Vec<String> {
        let connection = raw(&dir);
        let mut statement = connection.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let rows = "SELECT concat_ws('|', seq, record, phase, at, body, previous, hash) FROM entries WHERE seq <= 4";
    let before = dump(rows);
    let mut store = open(&dir);
    assert_eq!(store.verify().unwrap(), four);
    assert_eq!(dump(rows), before, "the old rows stay as they were");
    let entry = store.append(Some("09f68be5114cd347"), Phase::Proposed, AT, body()).unwrap();
    assert_eq!((entry.seq, &entry.previous[..8]), (5, "4298fe8f"));
    let verified = reader.verify().unwrap();
    assert_eq!((verified.entries, verified.first_bad), (5, None), "a reader from before sees the new version");
    assert_eq!(reader.entries("09f6").unwrap()[1].body, body());
    let error = store.erase("fa8c49de5e2024ff", AT, json!({})).unwrap_err();
    assert_eq!(error.message, "the evidence of record fa8c49de5e2024ff can't be erased");
    assert!(error.causes[0].contains("hashed its entries whole"), "{error:?}");
    assert!(error.hints[0].contains("move the folder of the records away"), "{error:?}");
    assert_eq!(store.verify().unwrap().first_bad, None, "nothing was changed");
    assert_eq!(store.erase("09f68be5114cd347", AT, json!({})).unwrap().whole, [1]);
}

#[test]
fn an_old_row_that_was_changed_does_not_verify_in_a_new_store() {
    for sql in [
        "UPDATE entries SET body = '{\"n\":7}' WHERE seq = 2",
        "UPDATE entries SET rule = 2 WHERE seq = 2",
        "UPDATE entries SET key = 'ab' WHERE seq = 2",
        "UPDATE entries SET parts = '/context/evidence ab' || char(10) WHERE seq = 2",
    ] {
        let dir = folder();
        old(&dir);
        open(&dir);
        raw(&dir).execute_batch(&format!("DROP TRIGGER entries_stay; {sql}")).unwrap();
        assert_eq!(first_bad(&dir).map(|bad| bad.0), Some(2), "{sql}");
    }
}

#[test]
fn what_is_erased_is_gone_from_the_file_and_the_chain_holds() {
    let dir = folder();
    let mut store = open(&dir);
    let entry = store.append(None, Phase::Proposed, AT, body()).unwrap();
    let other = store.append(None, Phase::Proposed, AT, body()).unwrap();
    store.append(Some(&entry.record), Phase::Pushed, AT, json!({"commit": "c0ffee"})).unwrap();
    assert_eq!(store.entries(&entry.record).unwrap()[0].body, body());
    let erased = store.erase(&entry.record, AT, json!({"who": "Ada", "reason": "asked for"})).unwrap();
    assert_eq!((erased.entries, erased.whole), (vec![1], vec![]));
    assert_eq!(erased.entry.body, json!({"who": "Ada", "reason": "asked for", "entries": [1]}));
    let verified = store.verify().unwrap();
    assert_eq!((verified.first_bad, verified.erased), (None, vec![1]));
    let entries = store.entries(&entry.record).unwrap();
    assert_eq!(entries[0].hash, entry.hash);
    assert_eq!(
        entries[0].body,
        json!({
            "failure": {"code": "oom-killed", "summary": ""},
            "context": {"evidence": [], "effects": [], "who": "Ada"},
            "prompt": {"model": "m", "request": null, "answers": []},
            "proposedFix": {"diff": "-a\n+b\n"},
        })
    );
    assert_eq!(store.entries(&other.record).unwrap()[0].body, body(), "only the one record");
    let again = store.erase(&entry.record, AT, json!({})).unwrap_err();
    assert!(again.causes[0].contains("erased before"), "{again:?}");
    store.erase(&other.record, AT, json!({})).unwrap();
    let file = files::read(&dir.path().join(FILE)).unwrap();
    assert!(!file.windows(5).any(|bytes| bytes == b"zebra"), "bytes of it are left in the file");
    assert!(file.windows(6).any(|bytes| bytes == b"c0ffee"));
}

#[test]
fn a_short_text_can_not_be_guessed_from_its_digest() {
    let dir = folder();
    let mut store = open(&dir);
    for _ in 0..2 {
        store.append(None, Phase::Refused, AT, json!({"refusal": {"message": "no"}})).unwrap();
    }
    let digests: Vec<String> = raw(&dir)
        .prepare("SELECT parts FROM entries")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(digests[0].starts_with("/refusal/message ") && digests[0] != digests[1], "{digests:?}");
}

#[test]
fn parts_change_only_while_the_newest_entry_says_that_they_were_erased() {
    let dir = folder();
    let mut store = open(&dir);
    let entry = store.append(None, Phase::Proposed, AT, body()).unwrap();
    store.append(None, Phase::Proposed, AT, body()).unwrap();
    store.erase(&entry.record, AT, json!({})).unwrap();
    store.append(Some(&entry.record), Phase::Feedback, AT, json!({})).unwrap();
    for sql in [
        "UPDATE parts SET salt = NULL, text = NULL WHERE seq = 2",
        "UPDATE parts SET text = 'x' WHERE seq = 2",
        "UPDATE parts SET text = 'x', salt = 'y' WHERE seq = 1",
        "DELETE FROM parts WHERE seq = 2",
        "INSERT INTO parts VALUES (2, '/x', 'y', 'z')",
        "REPLACE INTO parts VALUES (2, '/context/evidence', 'y', 'z')",
    ] {
        let error = raw(&dir).execute(sql, []).unwrap_err();
        assert_eq!(error.to_string(), "append only", "{sql}");
    }
}

#[test]
fn a_part_that_was_changed_moved_or_taken_without_a_word_is_found() {
    for (sql, seq, words) in [
        ("UPDATE parts SET text = '[]' WHERE seq = 1 AND name = '/context/evidence'", 1, "not what was written"),
        ("UPDATE parts SET salt = '00' WHERE seq = 1 AND name = '/context/evidence'", 1, "not what was written"),
        ("UPDATE parts SET salt = NULL, text = NULL WHERE seq = 2", 2, "no entry says that they were erased"),
        ("UPDATE parts SET salt = NULL, text = NULL WHERE seq = 1", 1, "no entry says that they were erased"),
        ("DELETE FROM parts WHERE seq = 2", 2, "is gone, and its place with it"),
        ("INSERT INTO parts VALUES (1, '/x', 'y', 'z')", 1, "not written with it"),
        ("INSERT INTO parts VALUES (0, '/x', 'y', 'z')", 1, "not written with it"),
        ("INSERT INTO parts VALUES (99, '/x', 'y', 'z')", 99, "the entry is not"),
        ("UPDATE parts SET seq = 9 WHERE seq = 1", 1, "is gone, and its place with it"),
    ] {
        let dir = folder();
        let mut store = open(&dir);
        store.append(None, Phase::Proposed, AT, body()).unwrap();
        store.append(None, Phase::Proposed, AT, body()).unwrap();
        // It says nothing of those two: it is of another record.
        let third = store.append(None, Phase::Proposed, AT, body()).unwrap();
        store.erase(&third.record, AT, json!({})).unwrap();
        raw(&dir)
            .execute_batch(&format!(
                "DROP TRIGGER parts_come; DROP TRIGGER parts_empty; DROP TRIGGER parts_last; {sql}"
            ))
            .unwrap();
        let (at, why) = first_bad(&dir).unwrap_or_else(|| panic!("{sql}"));
        assert!(at == seq && why.contains(words), "{sql}: {at} {why}");
    }
}

#[test]
fn a_new_key_is_used_and_what_the_old_one_wrote_still_verifies() {
    let dir = folder();
    old(&dir);
    let (mut store, mut other) = (open(&dir), open(&dir));
    let rotated = store.rotate().unwrap();
    assert_eq!(rotated.keys, 2);
    store.append(None, Phase::Proposed, AT, body()).unwrap();
    // A process that was there before takes the new key up.
    other.append(None, Phase::Proposed, AT, body()).unwrap();
    let again = other.rotate().unwrap();
    assert!(again.keys == 3 && again.key != rotated.key);
    store.append(None, Phase::Proposed, AT, body()).unwrap();
    let verified = open(&dir).verify().unwrap();
    assert_eq!((verified.entries, verified.keys, verified.first_bad), (7, 3, None));
    let keys = files::read(&dir.path().join("audit.key")).unwrap();
    assert!(keys.starts_with(OLD_KEY.as_bytes()) && keys.len() == 3 * 65, "{}", keys.len());
}

#[test]
fn a_key_can_be_replaced_before_the_first_entry() {
    let dir = folder();
    open(&dir).rotate().unwrap();
    open(&dir).append(None, Phase::Proposed, AT, json!({})).unwrap();
    assert_eq!(open(&dir).verify().unwrap().first_bad, None);
}

#[test]
fn a_key_that_was_replaced_writes_nothing_more() {
    let dir = folder();
    let mut store = open(&dir);
    store.append(None, Phase::Proposed, AT, json!({})).unwrap();
    let old = files::read(&dir.path().join("audit.key")).unwrap();
    store.rotate().unwrap();
    // Who has only the old key finds that it is not in use any more.
    let mine = dir.path().join("mine.key");
    files::write_private(&mine, &old).unwrap();
    let error = Store::open(dir.path(), Some(&mine)).unwrap().append(None, Phase::Proposed, AT, json!({}));
    assert!(error.unwrap_err().message.starts_with("the records were written under another key than"));
    // What is forged with it at the end is seen.
    store.append(None, Phase::Proposed, AT, json!({})).unwrap();
    let ring = key::reload(&dir.path().join("audit.key")).unwrap();
    let (_, key) = ring.find("").unwrap();
    let last = chain::last(&store.connection).unwrap();
    let mut row = Row {
        seq: 3,
        record: "f".repeat(16),
        phase: "proposed".into(),
        at: AT.into(),
        body: "{}".into(),
        previous: last.1,
        hash: String::new(),
        rule: 2,
        key: key.name.clone(),
        parts: String::new(),
    };
    row.hash = key.entry(&row);
    let transaction = store.connection.transaction().unwrap();
    insert(&transaction, &row, &[], &key.head(3, &row.hash)).unwrap();
    transaction.commit().unwrap();
    assert_eq!(first_bad(&dir), Some((3, "it was written under a key that had been replaced".into())));
}

#[test]
fn a_key_file_that_is_no_ring_is_refused_and_never_replaced() {
    let dir = folder();
    open(&dir).append(None, Phase::Proposed, AT, json!({})).unwrap();
    let file = dir.path().join("audit.key");
    let good = String::from_utf8(files::read(&file).unwrap()).unwrap();
    for (text, why) in [
        (format!("{good}{good}"), "line 2 holds a key that stands there already"),
        (format!("{good}zz\n"), "line 2 does not hold 64 hex digits"),
        (String::new(), "it is empty"),
    ] {
        files::write_private(&file, text.as_bytes()).unwrap();
        let error = Store::open(dir.path(), None).unwrap_err();
        assert_eq!(error.causes, [why]);
        assert_eq!(files::read(&file).unwrap(), text.as_bytes());
    }
}

#[test]
fn a_key_file_that_is_a_link_is_not_rotated() {
    let dir = folder();
    let mut store = open(&dir);
    store.append(None, Phase::Proposed, AT, json!({})).unwrap();
    let (file, real) = (dir.path().join("audit.key"), dir.path().join("real"));
    std::fs::rename(&file, &real).unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    assert_eq!(store.rotate().unwrap_err().causes, ["it is a link or a device"]);
    store.append(None, Phase::Proposed, AT, json!({})).unwrap();
    assert_eq!(first_bad(&dir), None);
}

#[test]
fn a_clock_that_jumps_back_loses_nothing_and_is_told() {
    let dir = folder();
    let mut store = open(&dir);
    for at in [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.5Z",
        "2025-01-01T00:00:00Z",
        "2026-01-02T03:04:06Z",
        "1970-01-01T00:00:00Z",
    ] {
        store.append(None, Phase::Proposed, at, json!({})).unwrap();
    }
    let verified = store.verify().unwrap();
    assert_eq!((verified.first_bad, verified.back_in_time), (None, vec![3, 5]));
    let newest: Vec<u64> = store.latest(2).unwrap().iter().map(|record| record[0].seq).collect();
    assert_eq!(newest, [5, 4], "the order is that of writing");
}

#[test]
fn a_record_is_found_by_the_hash_in_a_commit() {
    let dir = folder();
    let mut store = open(&dir);
    let entry = store.append(None, Phase::Proposed, AT, body()).unwrap();
    assert!(store.hashes().unwrap().contains(&entry.hash));
    let push = |more: &str| json!({"commit": format!("c0ffee{more}"), "reused": !more.is_empty()});
    for more in ["", "1"] {
        store.append(Some(&entry.record), Phase::Pushed, AT, push(more)).unwrap();
    }
    let pushed = Pushed { record: entry.record, commit: "c0ffee".into(), hash: entry.hash };
    assert_eq!(store.pushed().unwrap(), [pushed]);
    let select = |text: &str| Select { text: Some(text.into()), ..Select::default() };
    assert_eq!(store.select(&select("ZEBRA LINE"), 9).unwrap().len(), 1);
    assert_eq!(store.select(&select("lion"), 9).unwrap().len(), 0);
    assert_eq!(store.select(&Select::default(), 0).unwrap().len(), 0);
    let mut seen = Vec::new();
    for _ in 0..2 {
        store.append(None, Phase::Refused, AT, json!({})).unwrap();
    }
    let take = |entries: Vec<Entry>| {
        seen.push(entries[0].seq);
        Ok(if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    store.each(&Select::default(), take).unwrap();
    assert_eq!(seen, [1, 4], "the oldest first, until it is enough");
}

/// Stores of this many entries are checked in seconds; `AIFIX_ENTRIES` and `AIFIX_BODY` (bytes) set the size.
#[test]
fn many_entries_are_checked_within_seconds() {
    let number = |name: &str, default: usize| match crate::settings::environment::Environment::read().get(name) {
        Some(text) => text.to_string_lossy().parse().unwrap(),
        None => default,
    };
    let (entries, size) = (number("AIFIX_ENTRIES", 20_000), number("AIFIX_BODY", 200));
    let dir = folder();
    let mut store = open(&dir);
    // Written in one transaction: what is measured is the check.
    let transaction = store.connection.transaction().unwrap();
    transaction.execute_batch("DROP TRIGGER entries_follow; DROP TRIGGER parts_come").unwrap();
    let key = store.ring.current();
    let mut last = chain::last(&transaction).unwrap();
    let text = "x".repeat(size);
    for seq in 1..=entries as u64 {
        let part = Part {
            name: "/context/evidence".into(),
            kept: Some(("5a".repeat(16), json!([{"text": text}]).to_string())),
        };
        let parts = [part];
        let mut row = Row {
            seq,
            record: format!("{seq:016x}"),
            phase: "proposed".into(),
            at: AT.into(),
            body: json!({"context": {"evidence": []}, "diff": text}).to_string(),
            previous: last.1,
            hash: String::new(),
            rule: 2,
            key: key.name.clone(),
            parts: parts::list(&parts, key),
        };
        row.hash = key.entry(&row);
        insert(&transaction, &row, &parts, &key.head(seq, &row.hash)).unwrap();
        last = (seq, row.hash);
    }
    transaction.commit().unwrap();
    let bytes = std::fs::metadata(dir.path().join(FILE)).unwrap().len();
    let start = std::time::Instant::now();
    let verified = store.verify().unwrap();
    let took = start.elapsed();
    println!("{entries} entries of {bytes} bytes in all: {took:?}");
    assert_eq!((verified.entries, verified.first_bad), (entries as u64, None));
    // Without optimisation it takes many times as long as in a release.
    assert!(took.as_secs() < 30, "{took:?}");
}
