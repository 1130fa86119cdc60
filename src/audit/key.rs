//! The keys of the chain: one in use, the replaced ones kept.
//!
//! A file of lines, each 64 hex digits, the oldest first; the last one is in use. Entries name theirs, so that
//! what was written under a replaced key still verifies.

use super::shown;
use crate::doors::files;
use crate::error::Error;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::ErrorKind;
use std::path::Path;

/// Bytes of a key, written as hex digits.
const LENGTH: usize = 32;
/// Bytes of the file: a thousand keys.
const FILE_LIMIT: u64 = 1 << 16;
/// Hex digits of a key's name.
const NAME: usize = 16;

/// One key, and its name: it is written beside what was hashed, and tells nothing of the key.
pub(super) struct Key {
    mac: Hmac<Sha256>,
    pub(super) name: String,
}

impl Key {
    /// `None` for a length that HMAC can't take; it takes any.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let mut key = Self { mac: Hmac::new_from_slice(bytes).ok()?, name: String::new() };
        key.name = key.hash("key", &[]);
        key.name.truncate(NAME);
        Some(key)
    }

    /// The keyed hash of `parts`, 64 hex digits.
    pub(super) fn hash(&self, purpose: &str, parts: &[&[u8]]) -> String {
        let mut mac = self.mac.clone();
        // The purpose keeps a hash of one kind from standing for another.
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(b"\0");
            mac.update(part);
        }
        hex(&mac.finalize().into_bytes())
    }
}

/// Bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// All keys of a store.
pub(super) struct Ring {
    oldest: Key,
    newer: Vec<Key>,
}

impl Ring {
    /// The one in use.
    pub(super) fn current(&self) -> &Key {
        self.newer.last().unwrap_or(&self.oldest)
    }

    /// The key of this name, and how many are older. The first entries name none: theirs is the oldest.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &Key)> {
        let mut all = std::iter::once(&self.oldest).chain(&self.newer).enumerate();
        all.find(|(_, key)| name.is_empty() || key.name == name)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        1 + self.newer.len()
    }
}

/// Reads the keys. Without a file one is made, unless the store has entries: a new key would turn all of
/// them into forgeries.
pub(super) fn load(file: &Path, written: u64) -> Result<Ring, Error> {
    match files::read_bounded(file, FILE_LIMIT) {
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

fn make(file: &Path) -> Result<Ring, Error> {
    let made = files::create_private(file, line()?.as_bytes()).and_then(|()| files::sync_folder_of(file));
    match made {
        // Another process was faster: all must use its key.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(Error::usage(format!("the key of the records `{}` can't be made", shown(file)))
                .caused_by(&error)
                .hint("check that its folder is there and can be written"))
        }
        _ => reload(file),
    }
}

/// Reads keys that are there.
pub(super) fn reload(file: &Path) -> Result<Ring, Error> {
    let bytes = files::read_bounded(file, FILE_LIMIT).map_err(|error| unreadable(file).caused_by(&error))?;
    parse(file, &bytes)
}

/// Adds a new key, which is in use from then on. The caller holds the store's lock: two at once would lose one.
pub(super) fn rotate(file: &Path) -> Result<Ring, Error> {
    let before = files::read_bounded(file, FILE_LIMIT).map_err(|error| unreadable(file).caused_by(&error))?;
    parse(file, &before)?;
    let mut text = String::from_utf8_lossy(&before).trim_end().to_owned();
    text.push('\n');
    text.push_str(&line()?);
    let cannot = || {
        Error::usage(format!("no key can be added to `{}`", shown(file)))
            .hint("the file and its folder must be yours to write; the key in use stays")
    };
    if !files::is_free_or_regular(file) {
        return Err(cannot().because("it is a link or a device"));
    }
    if text.len() as u64 > FILE_LIMIT {
        return Err(cannot().because("it is full"));
    }
    // Whole or not at all, and on the disk before anything is written under it.
    let written = files::write_private(file, text.as_bytes()).and_then(|()| files::sync_folder_of(file));
    written.map_err(|error| cannot().caused_by(&error))?;
    reload(file)
}

fn line() -> Result<String, Error> {
    Ok(format!("{}\n", hex(&random::<LENGTH>()?)))
}

fn parse(file: &Path, bytes: &[u8]) -> Result<Ring, Error> {
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
    let mut keys: Vec<Key> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let key = one(line.trim()).ok_or_else(|| {
            unreadable(file).because(format!("line {} does not hold {} hex digits", at + 1, 2 * LENGTH))
        })?;
        if keys.iter().any(|known| known.name == key.name) {
            return Err(unreadable(file).because(format!("line {} holds a key that stands there already", at + 1)));
        }
        keys.push(key);
    }
    let mut keys = keys.into_iter();
    let oldest = keys.next().ok_or_else(|| unreadable(file).because("it is empty"))?;
    Ok(Ring { oldest, newer: keys.collect() })
}

fn one(text: &str) -> Option<Key> {
    let is_key = text.len() == 2 * LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digit = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let key: Option<Vec<u8>> = (0..LENGTH).filter(|_| is_key).map(|byte| digit(2 * byte)).collect();
    key.filter(|key| key.len() == LENGTH).and_then(|key| Key::new(&key))
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
