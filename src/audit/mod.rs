//! The store of records: append only, chained, redacted.
//!
//! One SQLite file, `records.db`. Each entry carries the hash of the one before and is hashed itself
//! under a key that lies beside the store or wherever the user keeps it, so that neither a changed, a
//! removed nor an added entry goes unseen by somebody who has the key. Triggers refuse changes; they
//! guard against mistakes, the chain against intent. What was seen, asked and answered lies beside its
//! entry and can be erased: the hash covers digests of it.

mod chain;
mod erase;
mod key;
mod parts;
mod schema;
mod select;
#[cfg(test)]
mod tests;
mod verify;
#[cfg(test)]
mod version_tests;

pub use erase::{Erased, Rotated};
pub use select::{Moment, Select, hit};
pub use verify::{Bad, Verified};

use crate::doors::files;
use crate::error::Error;
use crate::model::record::{Entry, Phase};
use crate::redact;
use crate::text::{Sanitised, nearest};
use chain::Row;
use key::Ring;
use parts::Part;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// The name of the store in its folder.
const FILE: &str = "records.db";

/// An open store.
pub struct Store {
    connection: Connection,
    ring: Ring,
    /// Where the keys are: another process may add one.
    key_file: PathBuf,
    path: PathBuf,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.path.display())
    }
}

/// A record that a commit was pushed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    pub record: String,
    pub commit: String,
    /// Of its entry `proposed`: what the commit's trailer must name.
    pub hash: String,
}

impl Store {
    /// Opens the store in `folder`, making folder, store and key when they are missing. The folder becomes
    /// the owner's alone (mode 0700), also when it was there before. The key is read
    /// from `key_file`, or from `audit.key` in the folder.
    ///
    /// # Errors
    /// A usage error when something can't be made or read, when the store is damaged or written by a
    /// newer aifix, when it can't be written, and when it has entries and the key is gone. A store of an older
    /// aifix gets what is new; its entries stay as they are.
    pub fn open(folder: &Path, key_file: Option<&Path>) -> Result<Self, Error> {
        let made = files::make_private_folder(folder).and_then(|folder| files::tighten_folder(&folder));
        made.map_err(|error| {
            Error::usage(format!("the folder for records `{}` can't be made", shown(folder)))
                .caused_by(&error)
                .hint("choose another place: set AIFIX_STATE_DIR")
        })?;
        let path = folder.join(FILE);
        let connection = schema::create(&path)?;
        Self::with_key(connection, path, folder, key_file)
    }

    /// Opens the store in `folder` to read it; `None` when there is none. Nothing is made.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_existing(folder: &Path, key_file: Option<&Path>) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        if !files::exists(&path) {
            return Ok(None);
        }
        let Some(connection) = schema::open(&path)? else { return Ok(None) };
        if written(&connection).map_err(|error| schema::failed(&path, &error))? == 0 {
            return Ok(None);
        }
        Self::with_key(connection, path, folder, key_file).map(Some)
    }

    fn with_key(connection: Connection, path: PathBuf, folder: &Path, key_file: Option<&Path>) -> Result<Self, Error> {
        let key_file = key_file.map_or_else(|| folder.join("audit.key"), Path::to_owned);
        let written = written(&connection).map_err(|error| schema::failed(&path, &error))?;
        let ring = key::load(&key_file, written)?;
        Ok(Self { connection, ring, key_file, path })
    }

    /// Appends one entry and makes it durable. `record` is the record it belongs to; without one it
    /// starts a new record. `at` is the caller's clock, RFC 3339 in UTC. The body is redacted here.
    ///
    /// # Errors
    /// When it can't be written; the store is then as it was before.
    #[expect(clippy::needless_pass_by_value, reason = "a body that was not redacted ends here")]
    pub fn append(&mut self, record: Option<&str>, phase: Phase, at: &str, body: Value) -> Result<Entry, Error> {
        let failed = |error: &rusqlite::Error| schema::failed(&self.path, error);
        // Immediate: the writers queue here, each sees the last entry of the one before.
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| failed(&e))?;
        let new = New { record, phase, at, body: redact::value(&body) };
        let entry = add(&transaction, &mut self.ring, &self.key_file, new, failed)?;
        transaction.commit().map_err(|e| failed(&e))?;
        Ok(entry)
    }

    /// The entries of one record, oldest first. The start of an id is enough when only one record has it.
    ///
    /// # Errors
    /// A usage error when no record, or more than one, starts so.
    pub fn entries(&self, record: &str) -> Result<Vec<Entry>, Error> {
        let ids = self.ids()?;
        let matching: Vec<&str> =
            ids.iter().map(String::as_str).filter(|id| !record.is_empty() && id.starts_with(record)).collect();
        match matching.as_slice() {
            [only] => self.of_record(only),
            several if several.contains(&record) => self.of_record(record),
            [] => {
                let error = Error::usage(format!("there is no record `{}`", Sanitised::line(record)));
                Err(match nearest(record, ids.iter().map(String::as_str)) {
                    Some(near) => error.hint(format!("did you mean `{}`?", Sanitised::line(near))),
                    None => error.hint("list the records: `aifix audit list`"),
                })
            }
            several => Err(Error::usage(format!("{} records start with `{}`", several.len(), Sanitised::line(record)))
                .hint(format!("give more of the id, such as `{}`", Sanitised::line(several[0])))),
        }
    }

    /// The entries of the `limit` newest records, newest record first; a record is as new as its last
    /// entry.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn latest(&self, limit: usize) -> Result<Vec<Vec<Entry>>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let ids =
            self.strings("SELECT record FROM entries GROUP BY record ORDER BY MAX(seq) DESC LIMIT ?1", params![limit])?;
        ids.iter().map(|id| self.of_record(id)).collect()
    }

    /// As [`Store::latest`], of the records that were asked for.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn select(&self, select: &Select, limit: usize) -> Result<Vec<Vec<Entry>>, Error> {
        let ids = self.strings("SELECT record FROM entries GROUP BY record ORDER BY MAX(seq) DESC", params![])?;
        let records = ids.iter().map(|id| self.of_record(id));
        records.filter(|record| record.as_ref().map_or(true, |entries| select.takes(entries))).take(limit).collect()
    }

    /// Hands out the records that were asked for, the oldest first, one at a time; `take` says whether it wants more.
    ///
    /// # Errors
    /// When the store can't be read, and those of `take`.
    pub fn each(
        &self,
        select: &Select,
        mut take: impl FnMut(Vec<Entry>) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        for id in self.strings("SELECT record FROM entries GROUP BY record ORDER BY MIN(seq)", params![])? {
            let entries = self.of_record(&id)?;
            if select.takes(&entries) && take(entries)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The hashes of all entries: one of them is what `Aifix-Record:` names.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn hashes(&self) -> Result<HashSet<String>, Error> {
        Ok(self.strings("SELECT hash FROM entries", params![])?.into_iter().collect())
    }

    /// The records that a commit was pushed for; not those that found one of an earlier record.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn pushed(&self) -> Result<Vec<Pushed>, Error> {
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT pushed.record, pushed.body, proposed.hash FROM entries AS pushed
                 JOIN entries AS proposed ON proposed.record = pushed.record AND proposed.phase = 'proposed'
                 WHERE pushed.phase = 'pushed' ORDER BY pushed.seq",
            )?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?));
            statement.query_map([], row)?.collect::<Result<Vec<(String, String, String)>, _>>()
        };
        let rows = read().map_err(|error: rusqlite::Error| schema::failed(&self.path, &error))?;
        let own = rows.into_iter().filter_map(|(record, body, hash)| {
            let body: Value = serde_json::from_str(&body).ok()?;
            let is_own = body.get("reused") != Some(&Value::Bool(true));
            let commit = body.get("commit").filter(|_| is_own)?.as_str()?.to_owned();
            Some(Pushed { record, commit, hash })
        });
        Ok(own.collect())
    }

    /// Checks every entry, the links between them, and that the last one is the last one written.
    ///
    /// # Errors
    /// When the store can't be read; what does not hold is part of the answer.
    pub fn verify(&self) -> Result<Verified, Error> {
        verify::verify(&self.connection, &self.ring).map_err(|error| schema::failed(&self.path, &error))
    }

    fn ids(&self) -> Result<Vec<String>, Error> {
        self.strings("SELECT DISTINCT record FROM entries ORDER BY record", params![])
    }

    fn strings(&self, query: &str, parameters: impl rusqlite::Params) -> Result<Vec<String>, Error> {
        let read = || {
            let mut statement = self.connection.prepare(query)?;
            statement.query_map(parameters, |row| row.get(0))?.collect::<Result<Vec<String>, _>>()
        };
        read().map_err(|error: rusqlite::Error| schema::failed(&self.path, &error))
    }

    fn of_record(&self, record: &str) -> Result<Vec<Entry>, Error> {
        let rows = self.rows(record).map_err(|error| schema::failed(&self.path, &error))?;
        rows.into_iter()
            .map(|(row, parts)| {
                let seq = row.seq;
                row.entry(&parts).ok_or_else(|| {
                    Error::usage(format!("entry {seq} of the records can't be read"))
                        .because("it is not what aifix wrote")
                        .hint("see what else does not hold: `aifix audit verify`")
                })
            })
            .collect()
    }

    fn rows(&self, record: &str) -> rusqlite::Result<Vec<(Row, Vec<Part>)>> {
        // One transaction: another process may bring the store to a newer version, or erase.
        let transaction = self.connection.unchecked_transaction()?;
        let version = schema::version(&transaction)?;
        let query = format!("SELECT {} FROM entries WHERE record = ?1 ORDER BY seq", schema::columns(version));
        let rows: Vec<Row> = transaction.prepare(&query)?.query_map([record], Row::read)?.collect::<Result<_, _>>()?;
        rows.into_iter()
            .map(|row| {
                let parts = parts_of(&transaction, &row)?;
                Ok((row, parts))
            })
            .collect()
    }
}

/// The parts that lie beside an entry.
fn parts_of(connection: &Connection, row: &Row) -> rusqlite::Result<Vec<Part>> {
    if row.parts.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT seq, name, salt, text FROM parts WHERE seq = ?1")?;
    statement.query_map([row.seq], verify::part)?.collect()
}

/// An entry that is to be added; its body is redacted.
struct New<'n> {
    record: Option<&'n str>,
    phase: Phase,
    at: &'n str,
    body: Value,
}

/// Adds an entry inside of a transaction that holds the store's lock.
fn add(
    transaction: &Transaction<'_>,
    ring: &mut Ring,
    key_file: &Path,
    new: New<'_>,
    failed: impl Fn(&rusqlite::Error) -> Error,
) -> Result<Entry, Error> {
    let last = sound_end(transaction, ring, key_file, &failed)?;
    let key = ring.current();
    let record = match new.record {
        Some(record) => record.to_owned(),
        None => record_id(key, &new.body)?,
    };
    let mut hull = new.body.clone();
    let mut parts = parts::lift(&mut hull)?;
    // In the order in which they are read.
    parts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut row = Row {
        seq: last.0 + 1,
        record,
        phase: new.phase.name().to_owned(),
        at: new.at.to_owned(),
        body: hull.to_string(),
        previous: last.1,
        hash: String::new(),
        rule: chain::RULE,
        key: key.name.clone(),
        parts: parts::list(&parts, key),
    };
    row.hash = key.entry(&row);
    insert(transaction, &row, &parts, &key.head(row.seq, &row.hash)).map_err(|e| failed(&e))?;
    let Row { seq, record, at, previous, hash, .. } = row;
    Ok(Entry { seq, record, phase: new.phase, at, body: new.body, previous, hash })
}

/// The end of the chain, once it is known to be the one that was written last.
fn sound_end(
    transaction: &Transaction<'_>,
    ring: &mut Ring,
    key_file: &Path,
    failed: &impl Fn(&rusqlite::Error) -> Error,
) -> Result<chain::Link, Error> {
    let read = || Ok((chain::last(transaction)?, chain::heads(transaction, schema::version(transaction)?)?));
    let (last, heads) = read().map_err(|e: rusqlite::Error| failed(&e))?;
    let names = || heads.iter().flatten().map(|head| head.key.as_str());
    // Another process has put a new key into use.
    if names().any(|name| ring.find(name).is_none_or(|(older, _)| older + 1 != ring.len() && !name.is_empty())) {
        *ring = key::reload(key_file)?;
    }
    if let Some(name) = names().find(|name| ring.find(name).is_none()) {
        return Err(Error::usage(format!("the records were written under another key than `{}`", shown(key_file)))
            .because(format!("the newest entry names the key {name}, and that file does not hold it"))
            .hint("name the file that holds it: set AIFIX_AUDIT_KEY_FILE")
            .hint("or put it back from a backup; what was written stays readable"));
    }
    // An entry on top of a cut tail would hide it for ever.
    match chain::check_head(&heads, &last, ring) {
        None => Ok(last),
        Some((_, why)) => Err(Error::usage("nothing can be added to the records, as they do not hold")
            .because(why)
            .hint("see what is wrong: `aifix audit verify`")
            .hint("to go on, keep the folder of the records as evidence and move it away")),
    }
}

fn insert(transaction: &Transaction<'_>, row: &Row, parts: &[Part], head: &str) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO entries (seq, record, phase, at, body, previous, hash, rule, key, parts)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![row.seq, row.record, row.phase, row.at, row.body, row.previous, row.hash, row.rule, row.key, row.parts],
    )?;
    let mut beside = transaction.prepare("INSERT INTO parts (seq, name, salt, text) VALUES (?1, ?2, ?3, ?4)")?;
    for part in parts {
        let (salt, text) = part.kept.as_ref().map(|(salt, text)| (salt, text)).unzip();
        beside.execute(params![row.seq, part.name, salt, text])?;
    }
    mark(transaction, row.seq, head, &row.key)
}

/// Marks the newest entry.
fn mark(transaction: &Transaction<'_>, seq: u64, head: &str, key: &str) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO head (id, seq, hash, key) VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, key = excluded.key",
        params![seq, head, key],
    )?;
    Ok(())
}

/// A new record id: 16 hex digits of the body and a nonce.
fn record_id(key: &key::Key, body: &Value) -> Result<String, Error> {
    let mut id = key.hash("record", &[&key::random::<16>()?, body.to_string().as_bytes()]);
    id.truncate(16);
    Ok(id)
}

/// How many entries were written as far as can be seen: those that are there, or those that the mark of
/// the newest one tells of.
fn written(connection: &Connection) -> rusqlite::Result<u64> {
    let query = "SELECT max((SELECT count(*) FROM entries), coalesce((SELECT max(seq) FROM head), 0))";
    connection.query_row(query, [], |row| row.get(0))
}

fn shown(path: &Path) -> Sanitised {
    Sanitised::line(&path.display().to_string())
}
