//! Small trees for tests.

use crate::model::tree::{Entry, Tree};
use std::sync::Arc;

/// A tree of regular files.
pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let entries = files.iter().map(|(path, text)| ((*path).to_owned(), Entry::File(Arc::from(text.as_bytes()))));
    Tree { entries: entries.collect(), unreadable: 0 }
}

/// Adds a link.
pub(crate) fn link(tree: &mut Tree, path: &str, target: &str) {
    tree.entries.insert(path.to_owned(), Entry::Link(target.to_owned()));
}
