//! Runs one command until it ends or a signal comes.

use super::{Command, Session, run};
use crate::error::{Error, exit};
use std::sync::PoisonError;
use tokio::signal::unix::{SignalKind, signal};

/// Runs a command to its exit code. At SIGINT and SIGTERM its future is dropped, which removes its scratch
/// folders and ends its child processes, and the terminal is given back.
///
/// # Errors
/// What the command could not do.
pub fn block(command: Command, session: &Session) -> Result<u8, Error> {
    let failed = |error: std::io::Error| Error::bug("could not start").caused_by(&error);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
    let code = runtime.block_on(async {
        let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
        tokio::select! {
            result = run(command, session) => result,
            _ = tokio::signal::ctrl_c() => Ok(exit::INTERRUPTED),
            _ = terminated.recv() => Ok(exit::TERMINATED),
        }
    });
    // A question that nobody answers any more must not hold the process.
    runtime.shutdown_background();
    session.ui.restore();
    if matches!(code, Ok(exit::INTERRUPTED | exit::TERMINATED)) {
        let left = session.interruptible.lock().unwrap_or_else(PoisonError::into_inner).take();
        session.ui.say(left.map_or_else(|| "Interrupted".to_owned(), |left| format!("Interrupted; {left}")));
    }
    code
}
