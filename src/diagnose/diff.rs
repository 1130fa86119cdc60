//! Which leaves differ between two templates.

use crate::model::finding::FieldChange;
use crate::model::path::{Path, Step};
use serde_json::{Map, Value};

/// Keys that name an item of a list, tried in order: they are the merge keys of a pod template.
const MERGE_KEYS: [&str; 5] = ["name", "containerPort", "mountPath", "topologyKey", "ip"];

/// Every leaf that differs, in path order. Lists of plain values are one leaf; an item that one
/// side lacks is one leaf; a map that one side lacks counts as empty.
pub(crate) fn leaves(at: &Path, old: Option<&Value>, new: Option<&Value>) -> Vec<FieldChange> {
    let mut out = Vec::new();
    walk(at, old, new, &mut out);
    out.sort_by(|a, b| a.path.cmp(&b.path));
    out
}

fn walk(at: &Path, old: Option<&Value>, new: Option<&Value>, out: &mut Vec<FieldChange>) {
    let empty = Value::Object(Map::new());
    match (old, new) {
        (old, new) if old == new => {}
        (Some(Value::Object(_)) | None, Some(Value::Object(_)) | None) => {
            let (old, new) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
            let mut keys: Vec<&String> =
                [old, new].into_iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                walk(&at.field(key), old.get(key), new.get(key), out);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if merge_key(old, new).is_some() => {
            let Some(key) = merge_key(old, new) else { return };
            let names = |list: &[Value]| list.iter().filter_map(|item| name_of(item, key)).collect::<Vec<_>>();
            let mut all = names(old);
            all.extend(names(new));
            all.sort();
            all.dedup();
            for name in all {
                let find = |list: &'_ [Value]| list.iter().position(|item| name_of(item, key).as_ref() == Some(&name));
                let (before, after) = (find(old).map(|at| &old[at]), find(new).map(|at| &new[at]));
                let path = at.push(Step::Item { key: key.to_owned(), value: name });
                if before.is_some() && after.is_some() {
                    walk(&path, before, after, out);
                } else {
                    out.push(FieldChange { path, old: before.cloned(), new: after.cloned() });
                }
            }
        }
        (old, new) => out.push(FieldChange { path: at.clone(), old: old.cloned(), new: new.cloned() }),
    }
}

fn name_of(item: &Value, key: &str) -> Option<String> {
    match item.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The key that names every item of both lists, each once.
fn merge_key(old: &[Value], new: &[Value]) -> Option<&'static str> {
    let unique = |list: &[Value], key| {
        let mut names: Vec<_> = list.iter().filter_map(|item| name_of(item, key)).collect();
        names.sort();
        names.dedup();
        names.len() == list.len()
    };
    MERGE_KEYS.into_iter().find(|key| unique(old, key) && unique(new, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_are_compared_by_name_and_lists_of_words_as_one() {
        let old = json!({"containers": [{"name": "a", "image": "x:1", "args": ["-v", "1"]}, {"name": "b"}]});
        let new = json!({"containers": [{"name": "b"}, {"name": "a", "image": "x:2", "args": ["-v"], "resources": {"limits": {"memory": "1Gi"}}}]});
        let changed: Vec<String> =
            leaves(&Path::of("spec"), Some(&old), Some(&new)).iter().map(|c| c.path.to_string()).collect();
        assert_eq!(
            changed,
            ["spec.containers[a].args", "spec.containers[a].image", "spec.containers[a].resources.limits.memory"]
        );
    }

    #[test]
    fn an_item_that_only_one_side_has_is_one_leaf() {
        let changes = leaves(&Path::default(), Some(&json!([{"name": "A", "value": "1"}])), Some(&json!([])));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].old, Some(json!({"name": "A", "value": "1"})));
    }
}
