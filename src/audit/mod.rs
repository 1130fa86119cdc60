//! The store of records: append only, chained, redacted.
//!
//! One SQLite file, `records.db`. Each entry carries the hash of the one before and is hashed itself
//! under a key that lies beside the store or wherever the user keeps it, so that neither a changed, a
//! removed nor an added entry goes unseen by somebody who has the key. Triggers refuse changes; they
//! guard against mistakes, the chain against intent.

mod chain;
mod key;
mod schema;
#[cfg(test)]
mod tests;

pub use chain::{Bad, Verified};

use crate::doors::files;
use crate::error::Error;
use crate::model::record::{Entry, Phase};
use crate::redact;
use crate::text::{Sanitised, nearest};
use chain::{Key, Row};
use rusqlite::{Connection, TransactionBehavior, params};
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};

/// The name of the store in its folder.
const FILE: &str = "records.db";

/// An open store.
pub struct Store {
    connection: Connection,
    key: Key,
    path: PathBuf,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.path.display())
    }
}

impl Store {
    /// Opens the store in `folder`, making folder, store and key when they are missing. The folder becomes
    /// the owner's alone (mode 0700), also when it was there before. The key is read
    /// from `key_file`, or from `audit.key` in the folder.
    ///
    /// # Errors
    /// A usage error when something can't be made or read, when the store is damaged or written by a
    /// newer aifix, and when it has entries and the key is gone.
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
        let beside = folder.join("audit.key");
        let file = key_file.unwrap_or(&beside);
        let written = written(&connection).map_err(|error| schema::failed(&path, &error))?;
        let key = key::load(file, written)?;
        Ok(Self { connection, key, path })
    }

    /// Appends one entry and makes it durable. `record` is the record it belongs to; without one it
    /// starts a new record. `at` is the caller's clock, RFC 3339 in UTC. The body is redacted here.
    ///
    /// # Errors
    /// When it can't be written; the store is then as it was before.
    #[expect(clippy::needless_pass_by_value, reason = "a body that was not redacted ends here")]
    pub fn append(&mut self, record: Option<&str>, phase: Phase, at: &str, body: Value) -> Result<Entry, Error> {
        let body = redact::value(&body);
        let text = body.to_string();
        let record = match record {
            Some(record) => record.to_owned(),
            None => self.key.record_id(&text)?,
        };
        let failed = |error: &rusqlite::Error| schema::failed(&self.path, error);
        // Immediate: the writers queue here, each sees the last entry of the one before.
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| failed(&e))?;
        let last = chain::last(&transaction, &self.key).map_err(|e| failed(&e))?.map_err(|why| {
            Error::usage("nothing can be added to the records, as they do not hold")
                .because(why)
                .hint("see what is wrong: `aifix audit verify`")
                .hint("to go on, keep the folder of the records as evidence and move it away")
        })?;
        let (seq, previous) = (last.0 + 1, last.1);
        let mut row = Row {
            seq,
            record,
            phase: phase.name().to_owned(),
            at: at.to_owned(),
            body: text,
            previous,
            hash: String::new(),
        };
        row.hash = self.key.hash(&row);
        transaction
            .execute(
                "INSERT INTO entries (seq, record, phase, at, body, previous, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![row.seq, row.record, row.phase, row.at, row.body, row.previous, row.hash],
            )
            .map_err(|e| failed(&e))?;
        transaction
            .execute(
                "INSERT INTO head (id, seq, hash) VALUES (1, ?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
                params![row.seq, self.key.head(row.seq, &row.hash)],
            )
            .map_err(|e| failed(&e))?;
        transaction.commit().map_err(|e| failed(&e))?;
        Ok(Entry { seq: row.seq, record: row.record, phase, at: row.at, body, previous: row.previous, hash: row.hash })
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

    /// Checks every entry, the links between them, and that the last one is the last one written.
    ///
    /// # Errors
    /// When the store can't be read; what does not hold is part of the answer.
    pub fn verify(&self) -> Result<Verified, Error> {
        chain::verify(&self.connection, &self.key).map_err(|error| schema::failed(&self.path, &error))
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
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT seq, record, phase, at, body, previous, hash FROM entries WHERE record = ?1 ORDER BY seq",
            )?;
            statement.query_map([record], Row::read)?.collect::<Result<Vec<Row>, _>>()
        };
        let rows = read().map_err(|error: rusqlite::Error| schema::failed(&self.path, &error))?;
        rows.into_iter()
            .map(|row| {
                let seq = row.seq;
                row.entry().ok_or_else(|| {
                    Error::usage(format!("entry {seq} of the records can't be read"))
                        .because("it is not what aifix wrote")
                        .hint("see what else does not hold: `aifix audit verify`")
                })
            })
            .collect()
    }
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
