//! The deterministic name of a proposal's branch.

use crate::model::finding::Finding;
use crate::model::object::ObjectRef;
use crate::model::proposal::Edit;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Bytes of one part of the name at most.
const PART: usize = 40;

/// What the hash covers besides the edits.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    pub repo: &'p str,
    pub base: &'p str,
    pub root: &'p str,
    /// The commit that is taken back; empty: none.
    pub reverts: &'p str,
}

/// `aifix/<namespace>/<kind>-<name>/<code>-<8 hex>`. The same proposal always gets the same name,
/// so a second run finds the first one's branch instead of making another.
pub fn name(finding: &Finding, object: &ObjectRef, edits: &[Edit], place: &Place<'_>) -> String {
    let mut hash = Sha256::new();
    for part in [place.repo, place.base, place.root] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    for edit in edits {
        let new = edit.new.as_ref().map(ToString::to_string).unwrap_or_default();
        for part in [&edit.file, &edit.document.to_string(), &edit.path.to_string(), &new] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
    }
    hash.update(place.reverts.as_bytes());
    let digest = hash.finalize().iter().take(4).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("{}{}-{digest}", prefix(object), part(finding.code.name()))
}

/// What the names of all branches for one object begin with.
pub fn prefix(object: &ObjectRef) -> String {
    let namespace = if object.namespace().is_empty() { "cluster" } else { object.namespace() };
    format!("aifix/{}/{}-{}/", part(namespace), part(&object.kind), part(&object.name))
}

/// The first of `name`, `name-2`, `name-3`, ... that is not taken by a merged branch.
pub fn free(name: &str, taken: impl Fn(&str) -> bool) -> String {
    (1..)
        .map(|n| if n == 1 { name.to_owned() } else { format!("{name}-{n}") })
        .find(|name| !taken(name))
        .unwrap_or_default()
}

/// Lower-case letters, digits and single dashes: no part of a ref may hold `:`, `..`, or end in `.lock`.
fn part(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        if out.len() >= PART {
            break;
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() { "x".to_owned() } else { out.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_safe_in_a_ref() {
        for (text, want) in
            [("web", "web"), ("web.lock", "web-lock"), ("system:x", "system-x"), ("--", "x"), ("Ünï..x", "n-x")]
        {
            assert_eq!(part(text), want);
        }
        assert!(part(&"a".repeat(300)).len() <= PART);
    }

    #[test]
    fn a_merged_name_is_followed_by_the_next_number() {
        assert_eq!(free("a/b", |name| name == "a/b" || name == "a/b-2"), "a/b-3");
    }
}
