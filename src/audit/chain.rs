//! The keyed chain of entries: how each is hashed.

use super::key::{Key, Ring};
use super::parts::{self, Part};
use crate::model::record::{Entry, Phase};
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

/// What `previous` of the first entry is.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// How new entries are hashed. The first rule covered the whole body; the second covers the key's name, too,
/// and of what can be erased the digests.
pub(super) const RULE: u8 = 2;

/// Position and hash of an entry.
pub(super) type Link = (u64, String);

impl Key {
    /// The hash of an entry: over its other columns as canonical JSON.
    pub(super) fn entry(&self, row: &Row) -> String {
        self.hash("entry", &[&row.canonical()])
    }

    /// The mark of the newest entry.
    pub(super) fn head(&self, seq: u64, hash: &str) -> String {
        self.hash("head", &[format!("{seq} {hash}").as_bytes()])
    }
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) record: String,
    pub(super) phase: String,
    pub(super) at: String,
    /// JSON text without what can be erased; the hash covers its bytes.
    pub(super) body: String,
    pub(super) previous: String,
    pub(super) hash: String,
    pub(super) rule: u8,
    /// Name of the key; empty under the first rule, which knew one alone.
    pub(super) key: String,
    /// Places and digests of what can be erased.
    pub(super) parts: String,
}

impl Row {
    /// Reads the columns that `schema::columns` names.
    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            record: row.get(1)?,
            phase: row.get(2)?,
            at: row.get(3)?,
            body: row.get(4)?,
            previous: row.get(5)?,
            hash: row.get(6)?,
            rule: row.get(7)?,
            key: row.get(8)?,
            parts: row.get(9)?,
        })
    }

    /// JSON without blanks, in this order; the body stands in it as the text that is stored, so that no
    /// other text can mean the same.
    fn canonical(&self) -> Vec<u8> {
        let text = |text: &str| Value::String(text.to_owned()).to_string();
        let mut out = String::with_capacity(self.body.len() + self.parts.len() + 400);
        // Under the first rule nothing stood before `seq`: no text of one rule is one of another.
        if self.rule != 1 {
            out.push_str(&format!(
                r#"{{"rule":{},"key":{},"parts":{},"entry":"#,
                self.rule,
                text(&self.key),
                text(&self.parts)
            ));
        }
        out.push_str(&format!(
            r#"{{"seq":{},"record":{},"phase":{},"at":{},"body":{},"previous":{}}}"#,
            self.seq,
            text(&self.record),
            text(&self.phase),
            text(&self.at),
            self.body,
            text(&self.previous),
        ));
        if self.rule != 1 {
            out.push('}');
        }
        out.into_bytes()
    }

    /// The entry with its parts. `None` when it is not what aifix writes.
    pub(super) fn entry(self, parts: &[Part]) -> Option<Entry> {
        let phase: Phase = serde_json::from_value(Value::String(self.phase)).ok()?;
        let mut body = serde_json::from_str(&self.body).ok()?;
        parts.iter().for_each(|part| parts::restore(&mut body, part));
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

/// The mark of the newest entry, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) hash: String,
    /// Name of its key.
    pub(super) key: String,
}

/// The marks that are there; one whose columns can't be read is `None`.
pub(super) fn heads(connection: &Connection, version: i64) -> rusqlite::Result<Vec<Option<Head>>> {
    let key = if version < 2 { "''" } else { "key" };
    let mut statement = connection.prepare(&format!("SELECT seq, hash, {key} FROM head"))?;
    let mut rows = statement.query([])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        let read = || Ok::<_, rusqlite::Error>(Head { seq: row.get(0)?, hash: row.get(1)?, key: row.get(2)? });
        heads.push(read().ok());
    }
    Ok(heads)
}

/// What is wrong with the mark of the newest entry: where, and why.
pub(super) fn check_head(heads: &[Option<Head>], last: &Link, ring: &Ring) -> Option<(u64, String)> {
    let bad = |seq, why: &str| Some((seq, why.to_owned()));
    match heads {
        [] if last.0 == 0 => None,
        [] => bad(last.0, "the mark of the newest entry is gone"),
        [Some(head)] if head.seq > last.0 => bad(last.0 + 1, "entries at the end are gone"),
        [Some(head)] if head.seq == last.0 => match ring.find(&head.key) {
            None => Some((last.0, unknown_key("the mark of the newest entry", &head.key))),
            Some((_, key)) if head.hash == key.head(last.0, &last.1) => None,
            _ => bad(last.0, "the mark of the newest entry is not what was written, or another key wrote it"),
        },
        _ => bad(last.0, "the mark of the newest entry is not what was written, or another key wrote it"),
    }
}

/// Said of what was hashed under a key that is not at hand.
pub(super) fn unknown_key(what: &str, name: &str) -> String {
    format!("{what} was written under the key {name}, which the key file does not hold")
}

/// The newest entry: the next one follows it.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<Link> {
    let newest = "SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1";
    let last = connection.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(last.unwrap_or((0, GENESIS.to_owned())))
}
