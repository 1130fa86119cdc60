//! The content of a Git tree at one revision.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// One entry of a [`Tree`].
#[derive(Debug, Clone)]
pub enum Entry {
    /// A regular file: its blob's bytes, without any filter.
    File(Arc<[u8]>),
    /// The same, read when it is first asked for.
    Stored(Stored),
    /// A file too large to be read (bytes).
    Large(u64),
    /// A symbolic link and its target as written.
    Link(String),
    /// A submodule.
    Submodule,
}

impl Entry {
    /// The bytes of a regular file that is not too large.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::File(bytes) => Some(bytes),
            Self::Stored(stored) => match stored.content() {
                Content::Bytes(bytes) => Some(bytes),
                Content::Large(_) | Content::Lost => None,
            },
            Self::Large(_) | Self::Link(_) | Self::Submodule => None,
        }
    }

    /// The size of a file that is too large to be read.
    pub fn large(&self) -> Option<u64> {
        match self {
            Self::Large(size) => Some(*size),
            Self::Stored(stored) => match stored.content() {
                Content::Large(size) => Some(*size),
                Content::Bytes(_) | Content::Lost => None,
            },
            Self::File(_) | Self::Link(_) | Self::Submodule => None,
        }
    }

    /// Whether it stands for a file that Git LFS keeps elsewhere
    /// (<https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>).
    pub fn is_pointer(&self) -> bool {
        self.bytes().is_some_and(|bytes| bytes.starts_with(b"version https://git-lfs.github.com/spec/"))
    }

    /// Whether it is a regular file, as far as is known without reading it.
    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_) | Self::Stored(_))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Stored(one), Self::Stored(other)) if one.0.id == other.0.id => true,
            (Self::Link(one), Self::Link(other)) => one == other,
            (Self::Submodule, Self::Submodule) => true,
            (Self::Link(_) | Self::Submodule, _) | (_, Self::Link(_) | Self::Submodule) => false,
            (one, other) => one.bytes() == other.bytes() && one.large() == other.large(),
        }
    }
}

impl Eq for Entry {}

/// What a stored file holds.
#[derive(Debug, Clone)]
pub enum Content {
    Bytes(Arc<[u8]>),
    /// Too large to be read.
    Large(u64),
    /// It is damaged, or gone since the tree was read.
    Lost,
}

/// Where stored files are.
pub trait Store: Send + Sync {
    /// Reads one of them.
    fn read(&self, id: &BlobId) -> Content;
}

/// The id of a stored file, filled up with zeros.
pub type BlobId = [u8; 32];

/// A file that is read once, when it is first asked for.
#[derive(Clone)]
pub struct Stored(Arc<Cell>);

struct Cell {
    id: BlobId,
    store: Arc<dyn Store>,
    content: OnceLock<Content>,
}

impl Stored {
    /// A file of this store.
    pub fn new(id: BlobId, store: Arc<dyn Store>) -> Self {
        Self(Arc::new(Cell { id, store, content: OnceLock::new() }))
    }

    fn content(&self) -> &Content {
        self.0.content.get_or_init(|| self.0.store.read(&self.0.id))
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stored")
    }
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
        self.entries.get(path)?.bytes()
    }

    /// The text of a regular file that is UTF-8.
    pub fn text(&self, path: &str) -> Option<&str> {
        std::str::from_utf8(self.file(path)?).ok()
    }

    /// All folders, without the root.
    pub fn folders(&self) -> BTreeSet<&str> {
        let above = |path: &str| path.match_indices('/').map(|(at, _)| at).collect::<Vec<_>>();
        self.entries.keys().flat_map(|path| above(path).into_iter().map(|at| &path[..at])).collect()
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
