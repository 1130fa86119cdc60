//! The document that policies read as `input`.

use super::surroundings::Surroundings;
use crate::model::finding::Finding;
use crate::model::history::Commit;
use crate::model::intent::{Disposition, Intent};
use crate::model::object::ObjectRef;
use crate::model::path::Step;
use crate::model::proposal::{Delta, Origin, Proof};
use crate::redact;
use serde::Serialize;
use serde_json::{Value, json};

/// Why policies are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A change is proposed: every object has a before and an after.
    Change,
    /// Manifests are looked at as they are: there is no before.
    Check,
}

/// `input`, whole. Field names are part of the contract with everybody's policies; `aifix schema PolicyInput`
/// prints them all:
///
/// ```json
/// {"mode": "change",
///  "changes": [{"object": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
///               "before": {}, "after": {}, "good": null, "intended": true, "companion": false,
///               "namespaceLabels": {"env": "prod"}, "replicas": 3, "disruptionBudgets": ["web"]}],
///  "delta": [{"object": {}, "path": "spec.replicas", "old": 1, "new": 2}], "companions": [],
///  "intent": {"object": {}, "edits": [{"path": [], "op": "set", "old": 1, "new": 2}], "why": "..."},
///  "finding": {"code": "OOMKilled"}, "origin": {"tool": "kustomize", "path": "apps/web"},
///  "author": "rule", "disposition": "safe", "reverts": null,
///  "identity": {"git": "Ada <ada@example.com>", "cluster": "prod"}, "time": "2026-11-28T14:00:00Z"}
/// ```
///
/// `author` is `rule`, `model` or `person`; `disposition` is `safe` or `review`. Of a revert `reverts` is the commit
/// that is taken back, and `good` of each change what the object was before it.
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
    /// The commit that is taken back; `null` when fields are changed.
    pub reverts: Value,
    /// The fields of the rendered output that change as they were meant to, and those that come with them.
    pub delta: Value,
    pub companions: Value,
    pub identity: Identity,
    /// When it is asked, RFC 3339; `null` when manifests are checked.
    pub time: Value,
}

/// Who asks, and where; `null` when it is not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Identity {
    /// The Git identity that a commit would carry: `Ada <ada@example.com>`.
    pub git: Value,
    /// The kubeconfig context.
    pub cluster: Value,
}

/// Who asks, where and when.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'c> {
    /// Empty when there is none.
    pub git: &'c str,
    pub cluster: &'c str,
    /// RFC 3339.
    pub time: &'c str,
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
    /// Of a revert: as it was before the commit that is taken back; `null` when it was not there, or nothing is reverted.
    pub good: Value,
    /// The object that the fix is about.
    pub intended: bool,
    /// An object that has to change with it, and is named in the proof.
    pub companion: bool,
    /// Labels of its namespace; `null` when they are not known.
    pub namespace_labels: Value,
    /// The most pods that it has, before, after or now; `null` for what has none.
    pub replicas: Value,
    /// Names of the PodDisruptionBudgets that select its pods; `null` when they are not known.
    pub disruption_budgets: Value,
}

impl Change {
    /// A change without its secrets. Two different secrets stay different, so that a policy can
    /// see that something changed, never what.
    pub fn new(object: ObjectRef, before: &Value, after: &Value, intended: bool, companion: bool) -> Self {
        let (before, after) = (redact::value(before), redact::value(after));
        let (namespace_labels, replicas, disruption_budgets) = (Value::Null, Value::Null, Value::Null);
        let good = Value::Null;
        Self { object, before, after, good, intended, companion, namespace_labels, replicas, disruption_budgets }
    }

    /// The same with what it was before the commit that is taken back.
    #[must_use]
    pub fn back_to(mut self, good: &Value) -> Self {
        self.good = redact::value(good);
        self
    }

    /// The same with what is known around it.
    #[must_use]
    pub fn within(mut self, known: &Surroundings) -> Self {
        let (kind, namespace, name) = (&self.object.kind, self.object.namespace(), &self.object.name);
        let sides = [&self.before, &self.after];
        self.namespace_labels = known.namespace_labels(namespace);
        self.disruption_budgets = known.budgets(namespace, sides);
        self.replicas = known.replicas(kind, namespace, name, sides);
        self
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
            reverts: Value::Null,
            delta: Value::Null,
            companions: Value::Null,
            identity: Identity::default(),
            time: Value::Null,
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

    /// The same with the fields that change, without their secrets.
    #[must_use]
    pub fn proved(mut self, proof: &Proof) -> Self {
        let rows = |deltas: &[Delta]| deltas.iter().map(without_secret).collect();
        self.delta = rows(&proof.delta);
        self.companions = rows(&proof.companions);
        self
    }

    /// The same with the commit that is taken back.
    #[must_use]
    pub fn reverting(mut self, commit: Option<&Commit>) -> Self {
        self.reverts = redact::value(&serde_json::to_value(commit).unwrap_or_default());
        self
    }

    /// The same with who asks, where and when.
    #[must_use]
    pub fn asked(mut self, circumstances: Circumstances<'_>) -> Self {
        let known = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
        self.identity = Identity { git: known(circumstances.git), cluster: known(circumstances.cluster) };
        self.time = known(circumstances.time);
        self
    }

    /// Manifests on their own. A `List` counts as its items, and what is no object is left out.
    pub fn check(manifests: &[Value]) -> Self {
        let mut objects: Vec<&Value> = Vec::new();
        for manifest in manifests {
            let items = match manifest.get("items").and_then(Value::as_array) {
                Some(items) if text(manifest, "kind").ends_with("List") => items.as_slice(),
                _ => std::slice::from_ref(manifest),
            };
            objects.extend(items.iter().filter(|item| item.is_object()));
        }
        let known = Surroundings::among(&objects);
        let change = |item: &&Value| {
            let meta = item.get("metadata").unwrap_or(&Value::Null);
            let object = ObjectRef::new(
                text(item, "apiVersion"),
                text(item, "kind"),
                text(meta, "namespace"),
                text(meta, "name"),
            );
            Change::new(object, &Value::Null, item, true, false).within(&known)
        };
        Self { mode: Mode::Check, ..Self::change(objects.iter().map(change).collect()) }
    }

    /// The document.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

fn without_secret(delta: &Delta) -> Value {
    let shown = |value: &Option<Value>| value.as_ref().map(|value| redact::field(&delta.path, value));
    let path = delta.path.to_string();
    json!({"object": delta.object, "path": path, "old": shown(&delta.old), "new": shown(&delta.new)})
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
    fn the_fields_are_those_that_tell_whose_policy_it_is() {
        let input = Input::change(Vec::new()).to_value();
        let fields: Vec<&str> = input.as_object().unwrap().keys().map(String::as_str).collect();
        let mut sorted = fields.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, super::super::dialect::FIELDS);
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
