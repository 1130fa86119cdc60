//! The key of the chain.

use super::chain::Key;
use super::shown;
use crate::doors::files;
use crate::error::Error;
use std::io::ErrorKind;
use std::path::Path;

/// Bytes of a key, written as hex digits.
const LENGTH: usize = 32;

/// Reads the key. Without a file one is made, unless the store has entries: a new key would turn all of
/// them into forgeries.
pub(super) fn load(file: &Path, written: u64) -> Result<Key, Error> {
    match files::read_bounded(file, 4096) {
        Ok(bytes) => parse(file, &bytes),
        Err(error) if error.kind() == ErrorKind::NotFound && written > 0 => {
            Err(Error::usage(format!("the key of the records `{}` is gone", shown(file)))
                .because(format!("entries were written under it: {written}"))
                .hint("put it back from a backup, or name it: set AIFIX_AUDIT_KEY_FILE")
                .hint("or start anew: move the folder of the records away"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(file),
        Err(error) => Err(unreadable(file).caused_by(&error)),
    }
}

fn make(file: &Path) -> Result<Key, Error> {
    let mut text: String = random::<LENGTH>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    match files::create_private(file, text.as_bytes()) {
        // Another process was faster: all must use its key.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(Error::usage(format!("the key of the records `{}` can't be made", shown(file)))
                .caused_by(&error)
                .hint("check that its folder is there and can be written"))
        }
        _ => files::read_bounded(file, 4096)
            .map_err(|error| unreadable(file).caused_by(&error))
            .and_then(|bytes| parse(file, &bytes)),
    }
}

fn parse(file: &Path, bytes: &[u8]) -> Result<Key, Error> {
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
    let digit = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let key: Option<Vec<u8>> = (0..LENGTH).map(|byte| digit(2 * byte)).collect();
    key.filter(|_| text.len() == 2 * LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|key| Key::new(&key))
        .ok_or_else(|| unreadable(file).because(format!("it does not hold {} hex digits", 2 * LENGTH)))
}

fn unreadable(file: &Path) -> Error {
    Error::usage(format!("the key of the records `{}` can't be read", shown(file)))
        .hint("put it back from a backup, or name another: set AIFIX_AUDIT_KEY_FILE")
}

/// Bytes from the system's random source.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::usage("the system gave no random bytes").because(error))?;
    Ok(bytes)
}
