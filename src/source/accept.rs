//! Whether the API takes the changed fields.

use crate::model::object::ObjectRef;
use crate::model::proposal::{Checked, Delta, Schema};
use crate::model::refusal::Refusal;
use crate::render::compare::{is_order, reference};
use crate::schema::{self, Describe, Fit, OpenApi};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the changes were checked by.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    pub(super) schema: Vec<Checked>,
    /// What is not known of them.
    pub(super) unknown: Option<String>,
}

/// Checks every change by the fields of its kind; each kind is asked for once.
pub(super) async fn accepted(
    fields: &dyn Describe,
    deltas: impl Iterator<Item = &Delta>,
    before: &[Value],
) -> Result<Accepted, Refusal> {
    let mut kinds: BTreeMap<(String, String), Known> = BTreeMap::new();
    let mut unknown = None;
    // A whole object that comes with the change was made by the renderer, and an order is no value.
    for delta in deltas.filter(|delta| !delta.path.0.is_empty() && !is_order(delta)) {
        let object = before.iter().find(|value| reference(value).is_some_and(|one| one.same_object(&delta.object)));
        if let Some(by_hand) = schema::immutable(&delta.object, object.unwrap_or(&Value::Null), &delta.path) {
            let text = format!("{} of {} can't be changed while it exists", delta.path, delta.object.qualified());
            return Err(Refusal::new("immutable-field", text, by_hand));
        }
        let Some(new) = &delta.new else { continue };
        let key = (delta.object.api_version(), delta.object.kind.clone());
        if !kinds.contains_key(&key) {
            kinds.insert(key.clone(), described(fields, &delta.object).await);
        }
        let document = kinds.get(&key).and_then(|known| known.document.as_deref());
        match schema::fit(document, &delta.object, &delta.path, new) {
            Fit::Wrong(said) => return Err(not_accepted(said)),
            Fit::NoField(said) if delta.old.is_none() => return Err(not_accepted(said)),
            Fit::NotKnown => {
                unknown = Some(format!("that the API takes it: the fields of a {} are not known", delta.object.kind));
            }
            // A newer API has fields that are not known here: what has a value already exists.
            Fit::NoField(_) | Fit::Fits => {}
        }
    }
    Ok(Accepted { schema: kinds.into_values().map(|known| known.checked).collect(), unknown })
}

/// What is known of a kind, and by whom.
struct Known {
    document: Option<Arc<OpenApi>>,
    checked: Checked,
}

async fn described(fields: &dyn Describe, object: &ObjectRef) -> Known {
    let checked = |by, why| Checked { api_version: object.api_version(), kind: object.kind.clone(), by, why };
    let why = match fields.describe(object).await {
        Ok(document) if document.has(object) => {
            return Known { document: Some(document), checked: checked(Schema::Cluster, None) };
        }
        Ok(_) => "the cluster's document lacks the kind".to_owned(),
        Err(why) => why,
    };
    let by = if schema::is_bundled(object) { Schema::Bundled } else { Schema::Unknown };
    Known { document: None, checked: checked(by, Some(why)) }
}

fn not_accepted(said: String) -> Refusal {
    Refusal::new("schema", said, "change it to what the API takes: kubectl explain")
}
