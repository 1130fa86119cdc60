//! What a render's difference means. Decides without I/O.

use crate::model::intent::{FieldEdit, Op};
use crate::model::object::ObjectRef;
use crate::model::path::{Path, Step};
use crate::model::proposal::Delta;
use crate::model::refusal::Refusal;
use crate::render::compare::{diff_objects, is_order, same_written};
use crate::render::names::without_hash;
use serde_json::Value;

/// A difference taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What was asked for.
    pub delta: Vec<Delta>,
    /// What comes with it and is allowed to.
    pub companions: Vec<Delta>,
    /// Why a person must look, one line each.
    pub review: Vec<String>,
    /// Everything else.
    pub side_effects: Vec<Delta>,
    /// Whether the object is as it was asked for.
    pub holds: bool,
}

/// Takes the difference between two renders apart.
/// `object` is the rendered object's name before the change, `edits` have its paths.
pub fn judge(object: &ObjectRef, edits: &[FieldEdit], before: &Value, all: &[Delta]) -> Judged {
    let mut judged = Judged {
        delta: Vec::new(),
        companions: Vec::new(),
        review: Vec::new(),
        side_effects: Vec::new(),
        holds: false,
    };
    let rename = rename(object, all);
    let mut own: Vec<Delta> = Vec::new();
    for delta in all {
        if rename.as_ref().is_some_and(|(_, after)| {
            is_whole(delta, object) || delta.object == after.object && delta.path.0.is_empty()
        }) {
            judged.companions.push(without_values(delta));
        } else if delta.object.same_object(object) && !delta.path.0.is_empty() {
            own.push(delta.clone());
        } else if !is_reference(delta, object, rename.as_ref()) {
            judged.side_effects.push(delta.clone());
        } else {
            judged.companions.push(delta.clone());
        }
    }
    if let Some((_, after)) = &rename {
        let new = after.new.as_ref().unwrap_or(&Value::Null);
        own = diff_objects(object, before, new);
        own.retain(|delta| delta.path != Path::of("metadata.name"));
    }
    for delta in own {
        // Another order counts as asked for only where an edit gives it: start order and `$(NAME)` follow it.
        if is_order(&delta) && !edits.iter().any(|edit| orders(edit, &delta)) {
            judged.side_effects.push(delta);
        } else if edits.iter().any(|edit| {
            delta.path.starts_with(&edit.path) || edit.path.starts_with(&delta.path) || names_item(&delta, edit)
        }) {
            judged.delta.push(delta);
        } else if is_reference(&delta, object, rename.as_ref()) {
            judged.companions.push(delta);
        } else {
            judged.side_effects.push(delta);
        }
    }
    take_images(&mut judged, edits);
    judged.holds = edits.iter().all(|edit| reached(edit, before, &judged.delta));
    judged
}

/// Whether an edit of a whole list puts its items into the order of the delta.
fn orders(edit: &FieldEdit, delta: &Delta) -> bool {
    let names = |list: &Option<Value>| {
        let items = list.as_ref()?.as_array()?.iter();
        items.map(|item| item.get("name").cloned()).collect::<Option<Vec<Value>>>().map(Value::from)
    };
    edit.path == delta.path && names(&edit.old) == delta.old && names(&edit.new) == delta.new
}

/// Puts the items of a list into this order of names.
fn reorder(root: &mut Value, path: &Path, names: &Value) {
    let names = names.as_array().cloned().unwrap_or_default();
    if let Some(list) = pointer(root, path) {
        list.sort_by_key(|item| names.iter().position(|name| item.get("name") == Some(name)));
    }
}

/// The merge key of an item that comes into being with the edit: `env[A].name` with `env[A].value`.
fn names_item(delta: &Delta, edit: &FieldEdit) -> bool {
    let Some((Step::Field(key), head)) = delta.path.0.split_last() else { return false };
    let Some(Step::Item { key: own, .. }) = head.last() else { return false };
    own == key && delta.old.is_none() && edit.old.is_none() && edit.path.0.starts_with(head)
}

/// Where the same image in another container changes too: a companion that a person must see.
fn take_images(judged: &mut Judged, edits: &[FieldEdit]) {
    let same = |delta: &Delta| {
        matches!(delta.path.0.last(), Some(Step::Field(name)) if name == "image")
            && edits.iter().any(|edit| edit.op == Op::Set && edit.old == delta.old && edit.new == delta.new)
    };
    let (images, rest): (Vec<Delta>, Vec<Delta>) = judged.side_effects.drain(..).partition(same);
    judged.side_effects = rest;
    judged.review.extend(
        images.iter().map(|delta| format!("{} {} uses the same image and changes too", delta.object, delta.path)),
    );
    judged.companions.extend(images);
}

/// Whether the leaves that changed are those that make the edit.
fn reached(edit: &FieldEdit, before: &Value, delta: &[Delta]) -> bool {
    let mut after = before.clone();
    // From the end: what goes from a list moves what stands behind it.
    for gone in delta.iter().rev().filter(|change| change.new.is_none()) {
        gone.path.remove(&mut after);
        // What is left empty by it is gone too: where the render has an empty map, that is a leaf of its own.
        let above = std::iter::successors(gone.path.parent(), Path::parent);
        for above in above.take_while(|above| !above.0.is_empty()) {
            if above.get(&after).is_some_and(is_empty) {
                above.remove(&mut after);
            }
        }
    }
    for change in delta {
        match &change.new {
            Some(names) if is_order(change) => reorder(&mut after, &change.path, names),
            Some(new) => {
                let whole = ensure(&mut after, &change.path);
                if !whole || !change.path.set(&mut after, new.clone()) {
                    return false;
                }
            }
            None => {}
        }
    }
    let found = edit.path.get(&after);
    match (edit.op, &edit.new) {
        (Op::Remove, _) => found.is_none(),
        (_, Some(new)) => found.is_some_and(|found| equal(&edit.path, new, found)),
        (_, None) => false,
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

/// The same value, leaf by leaf.
fn equal(path: &Path, wanted: &Value, found: &Value) -> bool {
    if same_written(path, wanted, found) {
        return true;
    }
    match (wanted, found) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(&path.field(key), a, b)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).enumerate().all(|(n, (a, b))| equal(&path.index(n), a, b))
        }
        _ => false,
    }
}

/// Makes list items on the way that a new object has and the old one has not.
fn ensure(value: &mut Value, path: &Path) -> bool {
    for length in 1..=path.0.len() {
        let head = Path(path.0[..length].to_vec());
        if head.get(value).is_some() {
            continue;
        }
        let parent = head.parent().unwrap_or_default();
        match &path.0[length - 1] {
            Step::Field(_) => {}
            step => {
                if parent.get(value).is_none_or(|list| !list.is_array()) && !parent.set(value, Value::Array(Vec::new()))
                {
                    return false;
                }
                let item = match step {
                    Step::Item { key, value } => {
                        serde_json::json!({ key.as_str(): value.parse::<i64>().ok().filter(|_| key != "name").map_or_else(|| Value::from(value.as_str()), Value::from) })
                    }
                    _ => Value::Null,
                };
                let Some(list) = pointer(value, &parent) else { return false };
                list.push(item);
            }
        }
    }
    true
}

fn pointer<'v>(value: &'v mut Value, path: &Path) -> Option<&'v mut Vec<Value>> {
    let pointer = path.pointer(value)?;
    value.pointer_mut(&pointer)?.as_array_mut()
}

/// The object went and another one of its name without hash came.
fn rename(object: &ObjectRef, all: &[Delta]) -> Option<(Delta, Delta)> {
    let gone = all.iter().find(|delta| is_whole(delta, object) && delta.new.is_none())?;
    let stem = without_hash(&object.name);
    let came = all.iter().find(|delta| {
        delta.path.0.is_empty()
            && delta.old.is_none()
            && delta.object.kind == object.kind
            && delta.object.namespace == object.namespace
            && delta.object.name != object.name
            && without_hash(&delta.object.name) == stem
    })?;
    (stem != object.name).then(|| (gone.clone(), came.clone()))
}

fn is_whole(delta: &Delta, object: &ObjectRef) -> bool {
    delta.path.0.is_empty() && delta.object.same_object(object)
}

fn without_values(delta: &Delta) -> Delta {
    let name = |value: &Option<Value>| value.as_ref().map(|value| value["metadata"]["name"].clone());
    Delta {
        object: delta.object.clone(),
        path: Path::of("metadata.name"),
        old: name(&delta.old),
        new: name(&delta.new),
    }
}

/// A reference to the renamed object, or a checksum annotation.
fn is_reference(delta: &Delta, object: &ObjectRef, rename: Option<&(Delta, Delta)>) -> bool {
    let checksum = matches!(delta.path.0.last(), Some(Step::Field(name)) if name.starts_with("checksum/"));
    let follows = rename.is_some_and(|(_, came)| {
        delta.old == Some(Value::from(object.name.as_str()))
            && delta.new == Some(Value::from(came.object.name.as_str()))
    });
    checksum || follows
}

/// One place that reaches the field, and what else it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// Position in the list of candidates.
    pub candidate: usize,
    pub side_effects: usize,
    pub layer: usize,
}

/// The best of the places that reach the field: fewest side effects, then nearest to the environment.
///
/// # Errors
/// `ambiguous` when two are equally good and `choose` (from 1) does not say which; `shown` lists them.
pub fn best(probed: &[Probed], shown: &dyn Fn(usize) -> String, choose: Option<usize>) -> Result<usize, Refusal> {
    let rank = |probed: &Probed| (probed.side_effects, probed.layer);
    let Some(least) = probed.iter().map(rank).min() else {
        return Err(Refusal::new(
            "no-effect",
            "no place changes the field as asked",
            "change it by hand, where it is computed",
        ));
    };
    let equal: Vec<usize> = probed.iter().filter(|one| rank(one) == least).map(|one| one.candidate).collect();
    if let [only] = equal.as_slice() {
        return Ok(*only);
    }
    if let Some(picked) = choose.and_then(|n| equal.get(n.checked_sub(1)?)) {
        return Ok(*picked);
    }
    let list = equal.iter().enumerate().map(|(n, candidate)| format!("{}. {}", n + 1, shown(*candidate))).collect();
    Err(Refusal::new(
        "ambiguous",
        format!("{} places make the field equally well", equal.len()),
        "choose with --choose N",
    )
    .with_details(list))
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
