//! What of a repository was not looked at.

use crate::model::tree::{Entry, Tree};
use crate::text;

/// Lines that are listed at most.
const LISTED: usize = 8;

/// One line for each place that may hold the object and could not be read: an answer "not here" says nothing of it.
pub(super) fn unseen(tree: &Tree) -> Vec<String> {
    let mut out: Vec<String> = tree.entries.iter().filter_map(|(path, entry)| not_read(path, entry)).collect();
    if tree.unreadable > 0 {
        out.push(format!("{} that is not UTF-8: not looked at", text::count(tree.unreadable, "name")));
    }
    let more = out.len().saturating_sub(LISTED);
    if more > 0 {
        out.truncate(LISTED);
        out.push(format!("and {more} more"));
    }
    out
}

fn not_read(path: &str, entry: &Entry) -> Option<String> {
    let is_manifest = [".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending));
    if *entry == Entry::Submodule {
        return Some(format!("`{path}` is a submodule: not looked at"));
    }
    if !is_manifest {
        return None;
    }
    if let Some(size) = entry.large() {
        return Some(format!("`{path}` has {} MiB: not looked at", size.div_ceil(1 << 20)));
    }
    entry.is_pointer().then(|| format!("`{path}` is a Git LFS pointer: its content is elsewhere and was not looked at"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn what_may_hold_the_object_and_was_not_read_is_told() {
        let mut tree = Tree { unreadable: 1, ..Tree::default() };
        let file = |text: &str| Entry::File(Arc::from(text.as_bytes()));
        tree.entries
            .insert("a.yaml".into(), file("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"));
        tree.entries.insert("logo.png".into(), file("version https://git-lfs.github.com/spec/v1\n"));
        tree.entries.insert("b.yaml".into(), file("kind: Pod\n"));
        tree.entries.insert("big.json".into(), Entry::Large(6 << 20));
        tree.entries.insert("film.mp4".into(), Entry::Large(6 << 20));
        tree.entries.insert("lib".into(), Entry::Submodule);
        assert_eq!(
            unseen(&tree),
            [
                "`a.yaml` is a Git LFS pointer: its content is elsewhere and was not looked at",
                "`big.json` has 6 MiB: not looked at",
                "`lib` is a submodule: not looked at",
                "1 name that is not UTF-8: not looked at",
            ]
        );
        tree.entries = (0..20).map(|n| (format!("lib{n}"), Entry::Submodule)).collect();
        assert_eq!((unseen(&tree).len(), unseen(&tree).last().cloned()), (LISTED + 1, Some("and 13 more".to_owned())));
    }
}
