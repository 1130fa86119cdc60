//! The check of the whole chain.

use super::chain::{self, GENESIS, Link, Row};
use super::key::Ring;
use super::parts::{self, Part};
use super::schema;
use crate::model::record::Phase;
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// What a check of the whole store found.
///
/// With the key at hand it finds every changed, added, removed or reordered entry, a cut tail (the newest entry
/// is marked under the key), and every part that is gone without an entry that says so. What no store can find
/// by itself is that the whole file was put back to an older copy of itself, or emptied; compare `entries` or
/// the last hash with one that is kept elsewhere. Who has the key can write a store that holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries that were read.
    pub entries: u64,
    /// Records that they belong to.
    pub records: u64,
    /// Keys that they were written under.
    pub keys: u64,
    /// Entries of which parts were erased, as later entries say.
    pub erased: Vec<u64>,
    /// Entries that are dated before the one before them: a clock was set back, or another machine's runs behind.
    pub back_in_time: Vec<u64>,
    /// The first that does not hold.
    pub first_bad: Option<Bad>,
}

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    pub seq: u64,
    /// The record that the entry names; empty when the entry is gone.
    pub record: String,
    /// Why, in a sentence without a full stop.
    pub why: String,
}

pub(super) fn verify(connection: &Connection, ring: &Ring) -> rusqlite::Result<Verified> {
    // One transaction: a writer may append meanwhile.
    let transaction = connection.unchecked_transaction()?;
    let version = schema::version(&transaction)?;
    let mut statement =
        transaction.prepare(&format!("SELECT {} FROM entries ORDER BY seq", schema::columns(version)))?;
    let mut rows = statement.query([])?;
    let mut beside = transaction.prepare(schema::parts(version))?;
    let mut beside = Beside { rows: beside.query([])?, next: None };
    beside.step()?;
    let mut walk = Walk::new(ring);
    while let Some(found) = rows.next()? {
        walk.verified.entries += 1;
        if let Ok(record) = found.get_ref(1)?.as_str()
            && !walk.records.contains(record)
        {
            walk.records.insert(record.to_owned());
        }
        if walk.verified.first_bad.is_some() {
            continue;
        }
        match Row::read(found) {
            Ok(row) => {
                let parts = beside.of(row.seq)?;
                walk.entry(row, &parts);
            }
            Err(_) => {
                let why = "a column of it holds another type of value".to_owned();
                walk.verified.first_bad = Some(Bad { seq: walk.last.0 + 1, record: String::new(), why });
            }
        }
    }
    let left = beside.next.as_ref().map(|(seq, _)| *seq);
    let heads = chain::heads(&transaction, version)?;
    Ok(walk.end(left, &heads))
}

/// The parts of all entries, read along with them.
struct Beside<'s> {
    rows: rusqlite::Rows<'s>,
    next: Option<(u64, Part)>,
}

impl Beside<'_> {
    fn step(&mut self) -> rusqlite::Result<()> {
        self.next = match self.rows.next()? {
            Some(row) => Some((row.get(0)?, part(row)?)),
            None => None,
        };
        Ok(())
    }

    /// The parts of this entry, and of any before it that is not there.
    fn of(&mut self, seq: u64) -> rusqlite::Result<Vec<Part>> {
        let mut parts = Vec::new();
        while let Some((_, part)) = self.next.take_if(|(of, _)| *of <= seq) {
            parts.push(part);
            self.step()?;
        }
        Ok(parts)
    }
}

/// Reads what `schema::parts` names. A salt without a text, or the other way round, is as good as none.
pub(super) fn part(row: &rusqlite::Row<'_>) -> rusqlite::Result<Part> {
    let (salt, text): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
    Ok(Part { name: row.get(1)?, kept: salt.zip(text) })
}

/// The state of a check between two entries.
struct Walk<'r> {
    ring: &'r Ring,
    last: Link,
    /// How many keys are older than the last entry's.
    older: usize,
    at: Option<Timestamp>,
    keys: HashSet<String>,
    records: HashSet<String>,
    /// Entries whose parts are gone, and no entry has said so yet.
    unsaid: BTreeMap<u64, String>,
    verified: Verified,
}

impl<'r> Walk<'r> {
    fn new(ring: &'r Ring) -> Self {
        Self {
            ring,
            last: (0, GENESIS.to_owned()),
            older: 0,
            at: None,
            keys: HashSet::new(),
            records: HashSet::new(),
            unsaid: BTreeMap::new(),
            verified: Verified::default(),
        }
    }

    fn entry(&mut self, row: Row, beside: &[Part]) {
        if let Err(why) = self.check(&row, beside) {
            self.verified.first_bad = Some(Bad { seq: row.seq, record: row.record, why });
            return;
        }
        if let Ok(at) = row.at.parse::<Timestamp>() {
            if self.at.is_some_and(|before| at < before) {
                self.verified.back_in_time.push(row.seq);
            }
            self.at = Some(at);
        }
        if row.phase == Phase::Erased.name() {
            self.said(&row);
        }
        if !self.keys.contains(&row.key) {
            self.keys.insert(row.key);
        }
        self.last = (row.seq, row.hash);
    }

    /// Why an entry does not follow the one before.
    fn check(&mut self, row: &Row, beside: &[Part]) -> Result<(), String> {
        if row.seq != self.last.0 + 1 {
            return Err(format!("it follows entry {}: entries between them are gone", self.last.0));
        }
        let (older, key) = self.ring.find(&row.key).ok_or_else(|| chain::unknown_key("it", &row.key))?;
        if row.hash != key.entry(row) {
            return Err("its content is not what was written, or another key wrote it".to_owned());
        }
        if row.previous != self.last.1 {
            return Err("it does not follow the entry before it".to_owned());
        }
        if older < self.older {
            return Err("it was written under a key that had been replaced".to_owned());
        }
        self.older = older;
        let mut listed = 0;
        for (name, digest) in parts::listed(&row.parts) {
            listed += 1;
            match beside.iter().find(|part| part.name == name) {
                None => return Err(format!("its part `{name}` is gone, and its place with it")),
                Some(Part { kept: None, .. }) => {
                    self.unsaid.insert(row.seq, row.record.clone());
                }
                Some(part) if part.digest(key).as_deref() == Some(digest) => {}
                Some(_) => return Err(format!("its part `{name}` is not what was written")),
            }
        }
        if listed != beside.len() {
            return Err("parts lie beside it that were not written with it".to_owned());
        }
        Ok(())
    }

    /// What an entry `erased` says was erased.
    fn said(&mut self, row: &Row) {
        let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
        let erased = body.get("entries").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64);
        for seq in erased {
            if self.unsaid.get(&seq).is_some_and(|record| *record == row.record) {
                self.unsaid.remove(&seq);
                self.verified.erased.push(seq);
            }
        }
    }

    fn end(mut self, left: Option<u64>, heads: &[Option<chain::Head>]) -> Verified {
        self.verified.records = self.records.len() as u64;
        self.verified.keys = self.keys.len() as u64;
        self.verified.erased.sort_unstable();
        if self.verified.first_bad.is_none() {
            let unsaid = self.unsaid.pop_first().map(|(seq, record)| {
                let why = "parts of it are gone, and no entry says that they were erased".to_owned();
                Bad { seq, record, why }
            });
            let nameless = |(seq, why)| Bad { seq, record: String::new(), why };
            let stray = left.map(|seq| nameless((seq, "parts of it are there, and the entry is not".to_owned())));
            let head = chain::check_head(heads, &self.last, self.ring).map(nameless);
            // A cut tail may have taken along what said it, and leaves the parts of what was cut.
            self.verified.first_bad = head.or(unsaid).or(stray);
        }
        self.verified
    }
}
