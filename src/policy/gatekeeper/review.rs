//! The admission reviews that a constraint is asked.

use super::super::protocol::Constraint;
use super::super::rounds::{Round, qualified, value};
use super::matching::{Matched, Subject, matches};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What a constraint is asked, and what had to be assumed for it.
#[derive(Debug, Default)]
pub(super) struct Matching {
    pub(super) rounds: Vec<Round>,
    pub(super) assumed: BTreeSet<String>,
}

/// The reviews of every object of a change that the constraint takes.
pub(super) fn rounds(input: &Value, constraint: &Constraint) -> Matching {
    let mut out = Matching::default();
    for change in input.get("changes").and_then(Value::as_array).into_iter().flatten() {
        let side = |name: &str| change.get(name).filter(|side| !side.is_null()).cloned();
        let Some(after) = side("after") else { continue };
        let before = side("before");
        let pods = pod(&after).map(|after| (after, before.as_ref().and_then(pod), true));
        for (after, before, is_generated) in std::iter::once((after, before, false)).chain(pods) {
            Asked { input, change, after: &after, before: before.as_ref(), is_generated }.ask(constraint, &mut out);
        }
    }
    out
}

/// One object that may be asked about.
struct Asked<'a> {
    input: &'a Value,
    change: &'a Value,
    after: &'a Value,
    before: Option<&'a Value>,
    is_generated: bool,
}

impl Asked<'_> {
    fn ask(&self, constraint: &Constraint, out: &mut Matching) {
        let of = |side| self.subject(side);
        let now = matches(&constraint.matching, of(self.after));
        let then = self.before.map_or(Matched::No, |before| matches(&constraint.matching, of(before)));
        match (now, then) {
            (Matched::No, Matched::No) => return,
            (Matched::Yes, _) | (_, Matched::Yes) => {}
            (Matched::Assumed, _) | (_, Matched::Assumed) => {
                let namespace = self.namespace();
                out.assumed.insert(format!(
                    "the labels of namespace {namespace} are not known: its namespaceSelector was taken to hold"
                ));
            }
        }
        let object = self.change.get("object").and_then(qualified);
        let object = if self.is_generated { object.map(|object| format!("Pod of {object}")) } else { object };
        let document = |object: &Value, old: Option<&Value>| {
            value(&json!({"review": self.review(object, old), "parameters": constraint.parameters}))
        };
        // A changed template makes new Pods: to admission each of them is created, never updated.
        let old = |old| if self.is_generated { None } else { old };
        out.rounds.push(Round {
            input: document(self.after, old(self.before)),
            before: self.before.map(|before| document(before, old(Some(before)))),
            object,
        });
    }

    fn namespace(&self) -> &str {
        let own = self.after.pointer("/metadata/namespace").or_else(|| self.change.pointer("/object/namespace"));
        own.and_then(Value::as_str).unwrap_or_default()
    }

    fn labels(&self) -> &Value {
        self.change.get("namespaceLabels").unwrap_or(&Value::Null)
    }

    fn subject<'s>(&'s self, object: &'s Value) -> Subject<'s> {
        Subject {
            object,
            namespace: self.namespace(),
            namespace_labels: self.labels(),
            is_generated: self.is_generated,
        }
    }

    /// `input.review`, as far as an admission request is known before it is made:
    /// <https://open-policy-agent.github.io/gatekeeper/website/docs/input>.
    fn review(&self, object: &Value, old: Option<&Value>) -> Value {
        let subject = self.subject(object);
        let (group, version) = subject.api();
        let who = self.input.pointer("/identity/git").cloned().unwrap_or_else(|| json!(""));
        let mut review = json!({
            "uid": "",
            "kind": {"group": group, "version": version, "kind": subject.kind()},
            "name": subject.name(),
            "operation": if old.is_some() { "UPDATE" } else { "CREATE" },
            "userInfo": {"username": who, "groups": []},
            "object": object,
            "oldObject": old,
            "dryRun": false,
        });
        let namespace = self.namespace();
        if !namespace.is_empty() {
            review["namespace"] = json!(namespace);
            if !self.labels().is_null() {
                let metadata = json!({"name": namespace, "labels": self.labels()});
                let whole = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
                review["_unstable"] = json!({"namespace": whole});
            }
        }
        review
    }
}

/// The Pod that a controller would make of an object, named as Gatekeeper's expansion names it.
fn pod(object: &Value) -> Option<Value> {
    let places = ["/spec/jobTemplate/spec/template", "/spec/template"];
    let template = places.iter().filter_map(|place| object.pointer(place));
    let template = template.into_iter().find(|template| template.pointer("/spec/containers").is_some())?;
    let mut metadata: Map<String, Value> =
        template.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    metadata.insert("name".to_owned(), json!(format!("{name}-pod")));
    if let Some(namespace) = object.pointer("/metadata/namespace") {
        metadata.insert("namespace".to_owned(), namespace.clone());
    }
    Some(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec")}))
}
