//! The file of the store: opening, making, and its errors.

use super::shown;
use crate::doors::files;
use crate::error::Error;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// Raised with each change of the tables.
const VERSION: i64 = 1;
/// How long a writer waits for others.
const BUSY: Duration = Duration::from_secs(10);

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

/// Opens the store, making it when it is missing.
pub(super) fn create(path: &Path) -> Result<Connection, Error> {
    // SQLite would make it readable for all; its journal takes the mode over.
    match files::create_private(path, b"") {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Error::usage(format!("the records `{}` can't be made", shown(path)))
                .caused_by(&error)
                .hint("check that the folder can be written, or choose another: set AIFIX_STATE_DIR"));
        }
        _ => {}
    }
    let mut connection = connect(path)?;
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
        Ok(connection)
    };
    connect().map_err(|error| failed(path, &error))
}

fn make_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    if version(connection)? != 0 {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if version(&transaction)? == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn check_version(path: &Path, connection: &Connection) -> Result<(), Error> {
    match version(connection).map_err(|error| failed(path, &error))? {
        VERSION => Ok(()),
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
