//! The content of a Git tree at one revision.

use std::collections::BTreeMap;
use std::sync::Arc;

/// One entry of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file: its blob's bytes, without any filter.
    File(Arc<[u8]>),
    /// A file too large to be read (bytes).
    Large(u64),
    /// A symbolic link and its target as written.
    Link(String),
    /// A submodule.
    Submodule,
}

/// All entries of a revision by their path from the repository's root, `/`-separated.
/// Paths that are not UTF-8 are left out and counted.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    pub entries: BTreeMap<String, Entry>,
    pub unreadable: usize,
}

impl Tree {
    /// The bytes of a regular file.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        match self.entries.get(path)? {
            Entry::File(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text of a regular file that is UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.file(path)?).ok()
    }

    /// Paths of all entries below `folder` (`""` is the root), in order.
    pub fn below<'t>(&'t self, folder: &str) -> impl Iterator<Item = (&'t str, &'t Entry)> + use<'t> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{}/", folder.trim_end_matches('/')) };
        self.entries
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, entry)| (path.as_str(), entry))
    }
}
