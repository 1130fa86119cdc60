//! The keyed chain of entries, and its check.

use crate::error::Error;
use crate::model::record::{Entry, Phase};
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;
use sha2::Sha256;
use std::collections::HashSet;

/// What `previous` of the first entry is.
const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The key of a store.
pub(super) struct Key(Hmac<Sha256>);

impl Key {
    /// `None` for a length that HMAC can't take; it takes any.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(bytes).ok().map(Self)
    }

    fn mac(&self, purpose: &str, text: &[u8]) -> String {
        let mut mac = self.0.clone();
        // The purpose keeps a hash of one kind from standing for another.
        mac.update(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(text);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The hash of an entry: over its other columns as canonical JSON.
    pub(super) fn hash(&self, row: &Row) -> String {
        self.mac("entry", &row.canonical())
    }

    /// The mark of the newest entry.
    pub(super) fn head(&self, seq: u64, hash: &str) -> String {
        self.mac("head", format!("{seq} {hash}").as_bytes())
    }

    /// A new record id: 16 hex digits of the body and a nonce.
    pub(super) fn record_id(&self, body: &str) -> Result<String, Error> {
        let mut text = super::key::random::<16>()?.to_vec();
        text.extend(body.bytes());
        let mut id = self.mac("record", &text);
        id.truncate(16);
        Ok(id)
    }
}

/// Position and hash of an entry.
type Link = (u64, String);

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) record: String,
    pub(super) phase: String,
    pub(super) at: String,
    /// JSON text; the hash covers its bytes.
    pub(super) body: String,
    pub(super) previous: String,
    pub(super) hash: String,
}

impl Row {
    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            record: row.get(1)?,
            phase: row.get(2)?,
            at: row.get(3)?,
            body: row.get(4)?,
            previous: row.get(5)?,
            hash: row.get(6)?,
        })
    }

    /// JSON without blanks, in this order; the body stands in it as the text that is stored, so that no
    /// other text can mean the same.
    fn canonical(&self) -> Vec<u8> {
        let text = |text: &str| Value::String(text.to_owned()).to_string();
        format!(
            r#"{{"seq":{},"record":{},"phase":{},"at":{},"body":{},"previous":{}}}"#,
            self.seq,
            text(&self.record),
            text(&self.phase),
            text(&self.at),
            self.body,
            text(&self.previous),
        )
        .into_bytes()
    }

    /// `None` when it is not what aifix writes.
    pub(super) fn entry(self) -> Option<Entry> {
        let phase: Phase = serde_json::from_value(Value::String(self.phase)).ok()?;
        let body = serde_json::from_str(&self.body).ok()?;
        Some(Entry {
            seq: self.seq,
            record: self.record,
            phase,
            at: self.at,
            body,
            previous: self.previous,
            hash: self.hash,
        })
    }
}

/// What a check of the whole store found.
///
/// With the key at hand it finds every changed, added, removed or reordered entry, and a cut tail: the
/// newest entry is marked under the key. What no store can find by itself is that the whole file was put
/// back to an older copy of itself, or emptied; compare `entries` or the last hash with one that is kept elsewhere.
/// Who has the key can write a store that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Entries that were read.
    pub entries: u64,
    /// Records that they belong to.
    pub records: u64,
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

pub(super) fn verify(connection: &Connection, key: &Key) -> rusqlite::Result<Verified> {
    // One transaction: a writer may append meanwhile.
    let transaction = connection.unchecked_transaction()?;
    let mut statement =
        transaction.prepare("SELECT seq, record, phase, at, body, previous, hash FROM entries ORDER BY seq")?;
    let mut rows = statement.query([])?;
    let mut records = HashSet::new();
    let mut verified = Verified { entries: 0, records: 0, first_bad: None };
    let mut last = (0, GENESIS.to_owned());
    while let Some(found) = rows.next()? {
        verified.entries += 1;
        if let Ok(record) = found.get_ref(1)?.as_str()
            && !records.contains(record)
        {
            records.insert(record.to_owned());
        }
        if verified.first_bad.is_some() {
            continue;
        }
        match Row::read(found) {
            Ok(row) => {
                let why = check(&row, &last, key);
                last = (row.seq, row.hash);
                verified.first_bad = why.map(|why| Bad { seq: last.0, record: row.record, why });
            }
            Err(_) => {
                let why = "a column of it holds another type of value".to_owned();
                verified.first_bad = Some(Bad { seq: last.0 + 1, record: String::new(), why });
            }
        }
    }
    verified.records = records.len() as u64;
    if verified.first_bad.is_none() {
        verified.first_bad = check_head(&transaction, &last, key)?;
    }
    Ok(verified)
}

/// Why an entry does not follow the one before.
fn check(row: &Row, last: &Link, key: &Key) -> Option<String> {
    if row.seq != last.0 + 1 {
        return Some(format!("it follows entry {}: entries between them are gone", last.0));
    }
    if row.hash != key.hash(row) {
        return Some("its content is not what was written, or another key wrote it".to_owned());
    }
    if row.previous != last.1 {
        return Some("it does not follow the entry before it".to_owned());
    }
    None
}

/// The mark of the newest entry against the newest entry that is there.
fn check_head(connection: &Connection, last: &Link, key: &Key) -> rusqlite::Result<Option<Bad>> {
    let mut statement = connection.prepare("SELECT seq, hash FROM head")?;
    let mut rows = statement.query([])?;
    let mut heads: Vec<Option<Link>> = Vec::new();
    while let Some(row) = rows.next()? {
        heads.push(row.get(0).and_then(|seq| Ok((seq, row.get(1)?))).ok());
    }
    let bad = |seq, why: &str| Ok(Some(Bad { seq, record: String::new(), why: why.to_owned() }));
    match heads.as_slice() {
        [] if last.0 == 0 => Ok(None),
        [] => bad(last.0, "the mark of the newest entry is gone"),
        [Some((seq, _))] if *seq > last.0 => bad(last.0 + 1, "entries at the end are gone"),
        [Some((seq, hash))] if *seq == last.0 && *hash == key.head(last.0, &last.1) => Ok(None),
        _ => bad(last.0, "the mark of the newest entry is not what was written, or another key wrote it"),
    }
}

/// The link that the next entry follows; the inner error says why nothing may follow.
pub(super) fn last(connection: &Connection, key: &Key) -> rusqlite::Result<Result<Link, String>> {
    let last = connection
        .query_row("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or((0, GENESIS.to_owned()));
    // An entry on top of a cut tail would hide it for ever.
    Ok(match check_head(connection, &last, key)? {
        None => Ok(last),
        Some(bad) => Err(bad.why),
    })
}
