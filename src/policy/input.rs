//! The document that policies read as `input`.

use crate::model::finding::Finding;
use crate::model::intent::{Disposition, Intent};
use crate::model::object::ObjectRef;
use crate::model::path::Step;
use crate::model::proposal::Origin;
use crate::redact;
use serde::Serialize;
use serde_json::Value;

/// Why policies are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A change is proposed: every object has a before and an after.
    Change,
    /// Manifests are looked at as they are: there is no before.
    Check,
}

/// `input`, whole. Field names are part of the contract with everybody's policies:
///
/// ```json
/// {"mode": "change",
///  "changes": [{"object": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
///               "before": {}, "after": {}, "intended": true, "companion": false}],
///  "intent": {"object": {}, "edits": [{"path": [], "op": "set", "old": 1, "new": 2}], "why": "..."},
///  "finding": {"code": "OOMKilled"}, "origin": {"tool": "kustomize", "path": "apps/web"},
///  "author": "rule", "disposition": "safe"}
/// ```
///
/// `author` is `rule`, `model` or `person`; `disposition` is `safe` or `review`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    pub mode: Mode,
    pub changes: Vec<Change>,
    /// The typed change that was meant, `null` when manifests are checked; so are the others.
    pub intent: Value,
    pub finding: Value,
    pub origin: Value,
    pub author: Value,
    pub disposition: Value,
}

/// One object of the rendered output that differs, or one manifest.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub object: ObjectRef,
    /// `null`: the object is new.
    pub before: Value,
    /// `null`: the object is gone.
    pub after: Value,
    /// The object that the fix is about.
    pub intended: bool,
    /// An object that has to change with it, and is named in the proof.
    pub companion: bool,
}

impl Change {
    /// A change without its secrets. Two different secrets stay different, so that a policy can
    /// see that something changed, never what.
    pub fn new(object: ObjectRef, before: &Value, after: &Value, intended: bool, companion: bool) -> Self {
        Self { object, before: redact::value(before), after: redact::value(after), intended, companion }
    }
}

impl Input {
    /// A change of these objects, with nothing else known yet.
    pub fn change(changes: Vec<Change>) -> Self {
        Self {
            mode: Mode::Change,
            changes,
            intent: Value::Null,
            finding: Value::Null,
            origin: Value::Null,
            author: Value::Null,
            disposition: Value::Null,
        }
    }

    /// What a proposal wants, without its secrets. `disposition` may be stricter than the intent's.
    pub fn of(
        changes: Vec<Change>,
        intent: &Intent,
        finding: &Finding,
        origin: &Origin,
        disposition: Disposition,
    ) -> Self {
        let value = |value: Result<Value, _>| redact::value(&value.unwrap_or_default());
        Self {
            intent: value(serde_json::to_value(without_secrets(intent))),
            finding: value(serde_json::to_value(finding)),
            origin: value(serde_json::to_value(origin)),
            author: serde_json::to_value(intent.author).unwrap_or_default(),
            disposition: serde_json::to_value(disposition).unwrap_or_default(),
            ..Self::change(changes)
        }
    }

    /// Manifests on their own. A `List` counts as its items, and what is no object is left out.
    pub fn check(manifests: &[Value]) -> Self {
        let mut changes = Vec::new();
        for manifest in manifests {
            let items = match manifest.get("items").and_then(Value::as_array) {
                Some(items) if text(manifest, "kind").ends_with("List") => items.as_slice(),
                _ => std::slice::from_ref(manifest),
            };
            for item in items.iter().filter(|item| item.is_object()) {
                let meta = item.get("metadata").unwrap_or(&Value::Null);
                let object = ObjectRef::new(
                    text(item, "apiVersion"),
                    text(item, "kind"),
                    text(meta, "namespace"),
                    text(meta, "name"),
                );
                changes.push(Change::new(object, &Value::Null, item, true, false));
            }
        }
        Self { mode: Mode::Check, ..Self::change(changes) }
    }

    /// The document.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The value of a field or variable whose name says secret is not told.
fn without_secrets(intent: &Intent) -> Intent {
    let mut intent = intent.clone();
    for edit in &mut intent.edits {
        let names_secret = edit.path.0.iter().any(|step| match step {
            Step::Field(name) | Step::Item { value: name, .. } => redact::is_secret_name(name),
            Step::Index(_) => false,
        });
        if names_secret {
            for value in [&mut edit.old, &mut edit.new].into_iter().flatten() {
                *value = redact::masked(value);
            }
        }
    }
    intent
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::intent::{Author, FieldEdit, Op};
    use crate::model::path::Path;
    use serde_json::json;

    fn secret(value: &str) -> Value {
        json!({"kind": "Secret", "data": {"p": value, "q": "c2FtZQ=="}})
    }

    #[test]
    fn a_changed_secret_is_seen_to_change_and_not_read() {
        let object = ObjectRef::new("v1", "Secret", "shop", "db");
        let change = Change::new(object, &secret("b25l"), &secret("dHdv"), true, false);
        assert_ne!(change.before["data"]["p"], change.after["data"]["p"]);
        assert_eq!(change.before["data"]["q"], change.after["data"]["q"]);
        assert!(!serde_json::to_string(&change).unwrap().contains("dHdv"));
    }

    #[test]
    fn a_changed_secret_beside_another_change_is_seen_too() {
        let object = |token: &str, mode: &str| json!({"env": [{"name": "API_TOKEN", "value": token}], "mode": mode, "s": {"password": token}});
        let (before, after) = (object("aaaaaaaaaaaa1", "x"), object("bbbbbbbbbbbb2", "y"));
        let change = Change::new(ObjectRef::new("v1", "X", "", "x"), &before, &after, true, false);
        let masked = |change: &Value| (change["env"][0]["value"].clone(), change["s"]["password"].clone());
        let ((old, password), (new, other)) = (masked(&change.before), masked(&change.after));
        assert!(redact::is_masked(old.as_str().unwrap()) && redact::is_masked(new.as_str().unwrap()), "{old} {new}");
        assert_ne!((&old, &password), (&new, &other));
        // The same secret is known by its number.
        assert_eq!((old, new), (password, other));
        assert_eq!(change.after["mode"], "y");
    }

    #[test]
    fn a_list_counts_as_its_items() {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n"}}]});
        let input =
            Input::check(&[list, json!(null), json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"}})]);
        let names: Vec<_> = input.changes.iter().map(|change| change.object.qualified()).collect();
        assert_eq!(names, ["Deployment n/a", "Pod b"]);
        assert_eq!(input.to_value()["mode"], "check");
    }
    #[test]
    fn an_intent_keeps_its_fields_and_loses_its_secrets() {
        let edit =
            |path: &str, new: &str| FieldEdit { path: Path::of(path), op: Op::Set, old: None, new: Some(json!(new)) };
        let intent = Intent {
            object: ObjectRef::new("apps/v1", "Deployment", "shop", "web"),
            edits: vec![
                edit("spec.template.spec.containers[app].env[DB_PASSWORD].value", "hunter2"),
                edit("spec.template.spec.containers[app].image", "web:2"),
            ],
            subject: "Set it".to_owned(),
            why: "so".to_owned(),
            evidence: Vec::new(),
            author: Author::Model,
            disposition: Disposition::Review,
            review: Vec::new(),
        };
        let edits = without_secrets(&intent).edits;
        assert_eq!(
            (redact::unnumbered(edits[0].new.as_ref().unwrap().as_str().unwrap()), edits[1].new.as_ref()),
            ("<secret>".to_owned(), Some(&json!("web:2")))
        );
        assert_eq!(edits[0].path, intent.edits[0].path);
    }
}
