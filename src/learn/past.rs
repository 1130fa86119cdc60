//! Changes that commits made to manifests.

use crate::model::lesson::general;
use crate::yaml::{parse, scalars};
use serde_json::Value;
use std::collections::BTreeMap;

/// One field of one object that a commit changed.
#[derive(Debug, Clone, PartialEq)]
pub struct PastChange {
    pub commit: String,
    /// The commit as people read it; foreign.
    pub shown: String,
    pub kind: String,
    /// `None` where the file does not say it.
    pub namespace: Option<String>,
    pub name: String,
    pub changed: super::patterns::Changed,
}

/// What one file's change says, object by object; a file that can't be read says nothing.
pub fn past_changes(commit: &str, shown: &str, before: Option<&[u8]>, after: Option<&[u8]>) -> Vec<PastChange> {
    let (before, after) = (objects(before), objects(after));
    let mut out = Vec::new();
    for (key, new) in &after {
        let Some(old) = before.get(key) else { continue };
        let (old, new) = (fields(old), fields(new));
        let paths: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for path in paths.into_iter().filter(|path| old.get(*path) != new.get(*path)) {
            let (kind, namespace, name) = key;
            let plain = path.split('\u{0}').next().unwrap_or_default().to_owned();
            out.push(PastChange {
                commit: commit.to_owned(),
                shown: shown.to_owned(),
                kind: kind.clone(),
                namespace: Some(namespace.clone()).filter(|name| !name.is_empty()),
                name: name.clone(),
                changed: super::patterns::Changed {
                    path: plain,
                    old: old.get(path).cloned(),
                    new: new.get(path).cloned(),
                },
            });
        }
    }
    out
}

type Key = (String, String, String);

fn objects(bytes: Option<&[u8]>) -> BTreeMap<Key, Value> {
    let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    let each = parse::all(text).unwrap_or_default().into_iter().filter_map(|object| {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        (!key.0.is_empty()).then_some((key, object))
    });
    each.collect()
}

/// Scalars by path without the names of list items; the place itself stands behind it to tell twins apart.
fn fields(object: &Value) -> BTreeMap<String, Value> {
    let all = scalars::leaves(object).into_iter();
    all.map(|(path, value)| (format!("{}\u{0}{path}", general(&path)), value.clone())).collect()
}
