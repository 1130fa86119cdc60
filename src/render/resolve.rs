//! Where a path in a manifest leads, links followed.

use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use std::collections::{BTreeMap, VecDeque};

/// What is at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    File,
    Folder,
    Missing,
}

/// Links that are followed at most, as Linux does (path_resolution(7)).
const HOPS: usize = 40;

/// Follows `relative` from `folder`; every link on the way is added to `links` with its target.
/// `by` names the file that says so.
pub(super) fn resolve(
    tree: &Tree,
    folder: &str,
    relative: &str,
    by: &str,
    links: &mut BTreeMap<String, String>,
) -> Result<(String, Target), Refusal> {
    if relative.starts_with(['/', '~']) || relative.contains(['\\', '\0']) {
        return Err(escape(by, relative));
    }
    let mut here: Vec<String> = parts(folder).map(str::to_owned).collect();
    let mut rest: VecDeque<String> = parts(relative).map(str::to_owned).collect();
    let mut hops = 0;
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            if here.pop().is_none() {
                return Err(escape(by, relative));
            }
            continue;
        }
        here.push(part);
        let path = here.join("/");
        match tree.entries.get(&path) {
            Some(Entry::Link(target)) => {
                hops += 1;
                if target.starts_with('/') || hops > HOPS {
                    return Err(escape(by, relative));
                }
                links.insert(path, target.clone());
                here.pop();
                for part in parts(target).rev().map(str::to_owned).collect::<Vec<_>>() {
                    rest.push_front(part);
                }
            }
            Some(Entry::Submodule) => {
                return Err(Refusal::new(
                    "remote-source",
                    format!("`{path}` is a submodule, named by `{by}`"),
                    "run aifix in a clone of that repository",
                ));
            }
            _ => {}
        }
    }
    let path = here.join("/");
    let target = match tree.entries.get(&path) {
        Some(Entry::File(_) | Entry::Stored(_) | Entry::Large(_)) => Target::File,
        None if path.is_empty() || tree.below(&path).next().is_some() => Target::Folder,
        _ => Target::Missing,
    };
    Ok((path, target))
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

fn escape(by: &str, relative: &str) -> Refusal {
    Refusal::new(
        "path-escape",
        format!("`{by}` names `{relative}`, which leads out of the repository"),
        "keep every input of the manifests inside the repository",
    )
}
