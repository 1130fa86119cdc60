//! The store as other processes meet it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "set-up of tests")]

use aifix::audit::Store;
use aifix::model::record::Phase;
use serde_json::json;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const AT: &str = "2026-01-02T03:04:05Z";

/// This test binary once more, as a writer of `count` entries.
fn writer(folder: &Path, count: usize, out: Stdio) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "audit::a_writer_appends_what_it_is_told_to"])
        .env("STORE", folder)
        .env("COUNT", count.to_string())
        .stdout(out)
        .spawn()
        .unwrap()
}

#[test]
fn a_writer_appends_what_it_is_told_to() {
    // Other tests start this one as a process of its own; by itself it writes nine entries.
    let own = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("STORE").map_or_else(|| own.path().to_owned(), Into::into);
    let count: usize = std::env::var("COUNT").map_or(9, |count| count.parse().unwrap());
    let mut store = Store::open(&folder, None).unwrap();
    let body = |n: usize| json!({"n": n, "context": {"evidence": [{"id": 1, "text": "seen ".repeat(40)}]}});
    let is_asked = std::env::var_os("STORE").is_some();
    // Past the capture of tests: who started this is told what is durable.
    let say = |seq: u64| {
        if is_asked {
            writeln!(std::io::stdout(), "{DURABLE}{seq}").unwrap();
        }
    };
    for n in 0..count {
        let entry = store.append(None, Phase::Proposed, AT, body(n)).unwrap();
        assert_eq!(entry.body, body(n));
        say(entry.seq);
        if n % 4 == 3 {
            let erased = store.erase(&entry.record, AT, json!({})).unwrap();
            say(erased.entry.seq);
        }
        if n % 8 == 7 {
            store.rotate().unwrap();
        }
    }
    assert!(store.verify().unwrap().entries >= count as u64);
}

/// What a writer says before the position of an entry that `append` has answered.
const DURABLE: &str = "durable: ";

/// The newest entry that a writer was told is durable.
fn durable(said: &str) -> u64 {
    let told = said.lines().filter_map(|line| line.strip_prefix(DURABLE)?.parse().ok());
    // Half a line may be the last one.
    if said.ends_with('\n') { told.max().unwrap_or(0) } else { told.max().unwrap_or(0).saturating_sub(1) }
}

#[test]
fn fifty_processes_that_start_at_once_write_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("state");
    let writers: Vec<Child> = (0..50).map(|_| writer(&folder, 3, Stdio::null())).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let verified = Store::open(&folder, None).unwrap().verify().unwrap();
    assert_eq!((verified.entries, verified.records, verified.first_bad), (150, 150, None));
}

/// Numbers that are the same on every machine (xorshift64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// It appends, erases and puts new keys into use, in new folders and in old ones. `AIFIX_KILLS` sets how often.
#[test]
fn a_writer_that_is_killed_at_any_instant_leaves_a_whole_chain() {
    let kills: usize = std::env::var("AIFIX_KILLS").map_or(40, |kills| kills.parse().unwrap());
    let mut chance = Chance(0x5eed);
    let (mut writing, mut entries) = (0, 0);
    let mut dir = tempfile::tempdir().unwrap();
    let mut before = 0;
    for round in 0..kills {
        if round % 8 == 0 {
            dir = tempfile::tempdir().unwrap();
            before = 0;
        }
        let mut child = writer(dir.path(), usize::MAX, Stdio::piped());
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        // Mostly while it writes; else wherever it is, store and keys not yet made.
        let writes = chance.below(4) > 0;
        while writes && !said.contains(DURABLE) {
            assert!(out.read_line(&mut said).unwrap() > 0, "the writer ended: {said}");
        }
        // The instant is what is tried.
        std::thread::sleep(Duration::from_micros(chance.below(if writes { 20_000 } else { 100_000 })));
        child.kill().unwrap();
        out.read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        let mut store = Store::open(dir.path(), None).unwrap();
        let verified = store.verify().unwrap();
        assert_eq!(verified.first_bad, None, "round {round}");
        let durable = durable(&said).max(before);
        assert!(verified.entries >= durable, "round {round}: {} of {durable} are left", verified.entries);
        before = store.append(None, Phase::Declined, AT, json!({})).unwrap().seq;
        assert_eq!(before, verified.entries + 1);
        writing += usize::from(said.contains(DURABLE));
        entries += said.lines().filter(|line| line.starts_with(DURABLE)).count();
    }
    println!("{kills} kills, {writing} while it wrote, {entries} entries");
    assert!(writing > kills / 2, "hardly any writer got to write: {writing} of {kills}");
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
