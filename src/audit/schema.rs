//! The file of the store: opening, making, and its errors.

use super::shown;
use crate::doors::files;
use crate::error::Error;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, TransactionBehavior};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// Raised with each change of the tables.
const VERSION: i64 = 2;
/// How long a writer waits for others: fifty that start at once take their turns.
const BUSY: Duration = Duration::from_secs(30);

/// Version 1, from which every store starts.
const TABLES: &str = "
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    record TEXT NOT NULL,
    phase TEXT NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
CREATE INDEX entries_record ON entries (record, seq);
CREATE TRIGGER entries_stay BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER entries_last BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER entries_follow BEFORE INSERT ON entries
    WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entries)
    BEGIN SELECT RAISE(ABORT, 'append only'); END;

CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TRIGGER head_grows BEFORE UPDATE ON head WHEN NEW.seq IS NOT OLD.seq + 1
    BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER head_lasts BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'append only'); END;
";

/// Version 2: what can be erased lies beside its entry, and entries name their key. No row is rewritten.
/// A part can be emptied while the newest entry of all says so of its record, and changed in no other way;
/// the mark of the newest entry may be written anew under a new key.
const PARTS_AND_KEYS: &str = "
ALTER TABLE entries ADD COLUMN rule INTEGER NOT NULL DEFAULT 1;
ALTER TABLE entries ADD COLUMN key TEXT NOT NULL DEFAULT '';
ALTER TABLE entries ADD COLUMN parts TEXT NOT NULL DEFAULT '';
ALTER TABLE head ADD COLUMN key TEXT NOT NULL DEFAULT '';
DROP TRIGGER head_grows;
CREATE TRIGGER head_grows BEFORE UPDATE ON head
    WHEN NEW.id IS NOT OLD.id OR NEW.seq NOT IN (OLD.seq, OLD.seq + 1)
    BEGIN SELECT RAISE(ABORT, 'append only'); END;

CREATE TABLE parts (
    seq INTEGER NOT NULL,
    name TEXT NOT NULL,
    salt TEXT,
    text TEXT,
    PRIMARY KEY (seq, name)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER parts_come BEFORE INSERT ON parts
    WHEN NEW.seq IS NOT (SELECT max(seq) FROM entries)
        OR EXISTS (SELECT 1 FROM parts WHERE seq = NEW.seq AND name = NEW.name)
    BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER parts_empty BEFORE UPDATE ON parts
    WHEN NEW.seq IS NOT OLD.seq OR NEW.name IS NOT OLD.name OR NEW.salt IS NOT NULL OR NEW.text IS NOT NULL
        OR NOT EXISTS (
            SELECT 1 FROM entries AS newest JOIN entries AS own ON own.record = newest.record
            WHERE newest.seq = (SELECT max(seq) FROM entries) AND newest.phase = 'erased' AND own.seq = OLD.seq)
    BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER parts_last BEFORE DELETE ON parts BEGIN SELECT RAISE(ABORT, 'append only'); END;
";

/// The columns of an entry, in the order that `Row::read` takes them. A store of version 1 is read as it is.
pub(super) const fn columns(version: i64) -> &'static str {
    match version {
        ..2 => "seq, record, phase, at, body, previous, hash, 1, '', ''",
        _ => "seq, record, phase, at, body, previous, hash, rule, key, parts",
    }
}

/// The query of all parts, in the order of entries.
pub(super) const fn parts(version: i64) -> &'static str {
    match version {
        ..2 => "SELECT 0, '', NULL, NULL WHERE 0",
        _ => "SELECT seq, name, salt, text FROM parts ORDER BY seq, name",
    }
}

/// Opens the store, making it when it is missing.
pub(super) fn create(path: &Path) -> Result<Connection, Error> {
    // SQLite would make it readable for all; its journal takes the mode over.
    let made = if files::exists(path) { Ok(()) } else { files::create_private(path, b"") };
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Error::usage(format!("the records `{}` can't be made", shown(path)))
                .caused_by(&error)
                .hint("check that the folder can be written, or choose another: set AIFIX_STATE_DIR"));
        }
        _ => {}
    }
    let mut connection = connect(path)?;
    if connection.is_readonly(MAIN_DB).map_err(|error| failed(path, &error))? {
        return Err(Error::usage(format!("the records `{}` can be read and not written", shown(path)))
            .hint("check the rights and the mount of the folder, or choose another place: set AIFIX_STATE_DIR"));
    }
    let made = make_tables(&mut connection);
    made.map_err(|error| failed(path, &error))?;
    check_version(path, &connection)?;
    Ok(connection)
}

/// Opens the store; `None` when nothing was ever written to it.
pub(super) fn open(path: &Path) -> Result<Option<Connection>, Error> {
    let connection = connect(path)?;
    if version(&connection).map_err(|error| failed(path, &error))? == 0 {
        return Ok(None);
    }
    check_version(path, &connection)?;
    Ok(Some(connection))
}

fn connect(path: &Path) -> Result<Connection, Error> {
    let connect = || {
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE,
        )?;
        connection.busy_timeout(BUSY)?;
        // A rollback journal keeps the store one file. EXTRA syncs the folder, too: an entry that was
        // written is there after a power cut (sqlite.org/pragma.html#pragma_synchronous).
        connection.pragma_update(None, "synchronous", "EXTRA")?;
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        // What is erased is overwritten, and not only let go.
        connection.pragma_update(None, "secure_delete", "ON")?;
        Ok(connection)
    };
    connect().map_err(|error| failed(path, &error))
}

fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    if version(connection)? >= VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let found = version(&transaction)?;
    if found < 1 {
        transaction.execute_batch(TABLES)?;
    }
    if found < VERSION {
        transaction.execute_batch(PARTS_AND_KEYS)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}

pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn check_version(path: &Path, connection: &Connection) -> Result<(), Error> {
    match version(connection).map_err(|error| failed(path, &error))? {
        ..=VERSION => Ok(()),
        newer => Err(Error::usage(format!("the records `{}` were written by a newer aifix", shown(path)))
            .because(format!("they have version {newer}, and this aifix knows {VERSION}"))
            .hint("update aifix, or choose another place: set AIFIX_STATE_DIR")),
    }
}

/// What an error of SQLite means to a person.
pub(super) fn failed(path: &Path, error: &rusqlite::Error) -> Error {
    let store = shown(path);
    let elsewhere = "choose another place: set AIFIX_STATE_DIR";
    let (message, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (
            format!("the records `{store}` are damaged"),
            "keep the file, move it away, and put a backup in its place".to_owned(),
        ),
        Some(ErrorCode::DiskFull) => (
            format!("the disk is full: nothing was added to the records `{store}`"),
            "make room, then run it again".to_owned(),
        ),
        Some(ErrorCode::ConstraintViolation) => (
            format!("the records `{store}` only grow"),
            "keep the file; see whether it holds: `aifix audit verify`".to_owned(),
        ),
        Some(
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen | ErrorCode::SystemIoFailure,
        ) => (
            format!("the records `{store}` can't be read or written"),
            format!("check the rights and the disk of the folder, or {elsewhere}"),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            format!("another process has kept the records `{store}` locked for {} s", BUSY.as_secs()),
            "wait for other runs of aifix to end, then run it again".to_owned(),
        ),
        _ => (format!("the records `{store}` can't be used"), format!("look at the cause, or {elsewhere}")),
    };
    Error::usage(message).caused_by(error).hint(hint)
}
