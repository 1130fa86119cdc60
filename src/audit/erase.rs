//! Erasing evidence, and putting a new key into use.

use super::{New, Store, add, key, mark, schema, sound_end};
use crate::error::Error;
use crate::model::record::{Entry, Phase};
use crate::redact;
use crate::text::Sanitised;
use rusqlite::{TransactionBehavior, params};
use serde_json::{Value, json};

/// What was erased.
#[derive(Debug, Clone, PartialEq)]
pub struct Erased {
    /// The entry that says so.
    pub entry: Entry,
    /// Entries that lost parts.
    pub entries: Vec<u64>,
    /// Entries that keep theirs: an older aifix hashed them whole.
    pub whole: Vec<u64>,
}

/// Which keys there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Name of the one in use.
    pub key: String,
    /// How many there are.
    pub keys: usize,
}

impl Store {
    /// Erases what was seen, asked and answered from the entries of a record, and appends an entry that says so.
    /// Both or neither happen. `body` tells who asked for it, and why.
    ///
    /// # Errors
    /// When there is nothing to erase, and when it can't be written.
    #[expect(clippy::needless_pass_by_value, reason = "a body that was not redacted ends here")]
    pub fn erase(&mut self, record: &str, at: &str, body: Value) -> Result<Erased, Error> {
        let failed = |error: &rusqlite::Error| schema::failed(&self.path, error);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| failed(&e))?;
        let numbers = |query: &str| {
            let mut statement = transaction.prepare(query)?;
            statement.query_map([record], |row| row.get(0))?.collect::<Result<Vec<u64>, _>>()
        };
        let holding = "SELECT DISTINCT seq FROM parts JOIN entries USING (seq) WHERE record = ?1 AND text IS NOT NULL";
        let entries = numbers(holding).map_err(|e| failed(&e))?;
        let whole = numbers("SELECT seq FROM entries WHERE record = ?1 AND rule = 1").map_err(|e| failed(&e))?;
        if entries.is_empty() {
            let record = Sanitised::line(record);
            return Err(match whole.is_empty() {
                true => Error::usage(format!("there is nothing to erase in record {record}"))
                    .because("it has no evidence, or it was erased before"),
                false => Error::usage(format!("the evidence of record {record} can't be erased"))
                    .because("an older aifix hashed its entries whole: without their evidence they would not verify")
                    .hint("to be rid of it, move the folder of the records away and start anew"),
            });
        }
        let mut body = redact::value(&body);
        body["entries"] = json!(entries);
        let new = New { record: Some(record), phase: Phase::Erased, at, body };
        let entry = add(&transaction, &mut self.ring, &self.key_file, new, failed)?;
        for seq in &entries {
            transaction
                .execute("UPDATE parts SET salt = NULL, text = NULL WHERE seq = ?1", params![seq])
                .map_err(|e| failed(&e))?;
        }
        transaction.commit().map_err(|e| failed(&e))?;
        Ok(Erased { entry, entries, whole })
    }

    /// Puts a new key into use and keeps the others: what they wrote still verifies.
    ///
    /// # Errors
    /// When the key file can't be written, or the store does not hold.
    pub fn rotate(&mut self) -> Result<Rotated, Error> {
        let failed = |error: &rusqlite::Error| schema::failed(&self.path, error);
        // The lock of the store is that of the key file, too: of two keys at once one would be lost.
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| failed(&e))?;
        let last = sound_end(&transaction, &mut self.ring, &self.key_file, &failed)?;
        self.ring = key::rotate(&self.key_file)?;
        let key = self.ring.current();
        // From now on nobody adds under an old key. Killed before, the next entry does the same.
        if last.0 > 0 {
            mark(&transaction, last.0, &key.head(last.0, &last.1), &key.name).map_err(|e| failed(&e))?;
        }
        transaction.commit().map_err(|e| failed(&e))?;
        Ok(Rotated { key: key.name.clone(), keys: self.ring.len() })
    }
}
