//! Writes a snapshot as a `v1` `List`, redacted.

use crate::cluster::logs;
use crate::model::kube::Keyed;
use crate::model::snapshot::{Gap, Requests, Scope, Snapshot};
use crate::redact;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The API server's clock, RFC 3339.
const TAKEN_AT: &str = "aifix.dev/taken-at";
/// The logs, in the format of `logs.txt`.
const LOGS: &str = "aifix.dev/logs";
/// Where it was taken, and what was not seen.
const SEEN: &str = "aifix.dev/seen";

/// What the objects do not say about a snapshot.
#[derive(Serialize, Deserialize)]
struct Seen {
    context: String,
    /// Absent: all namespaces.
    namespaces: Option<Vec<String>>,
    gaps: Vec<KeptGap>,
    requests: [usize; 4],
    /// Kinds that were listed: one without objects was looked at all the same.
    #[serde(default)]
    kinds: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct KeptGap {
    what: String,
    why: String,
    essential: bool,
    codes: Vec<String>,
}

/// The snapshot as a `List` in JSON, one object a line, which [`load`](super::load) reads back.
/// Recognised secrets are removed; ConfigMaps and Secrets have their key names, and no value.
pub fn save(snapshot: &Snapshot) -> String {
    let mut items: Vec<Value> = Vec::new();
    items.extend(snapshot.pods.iter().map(|pod| typed("v1", "Pod", pod)));
    items.extend(snapshot.events.iter().map(|event| typed("v1", "Event", event)));
    items.extend(snapshot.objects.values().flatten().map(|object| redact::value(&object.to_value())));
    items.extend(snapshot.config_maps.iter().map(|keyed| keys("ConfigMap", keyed)));
    items.extend(snapshot.secrets.iter().map(|keyed| keys("Secret", keyed)));
    let mut lines = items.iter().map(|item| format!("    {item}")).collect::<Vec<_>>().join(",\n");
    if !lines.is_empty() {
        lines = format!("\n{lines}\n  ");
    }
    let metadata = json!({"annotations": annotations(snapshot)});
    format!(
        "{{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\",\n  \"metadata\": {metadata},\n  \"items\": [{lines}]\n}}\n"
    )
}

/// SHA-256 of what [`save`] writes, 64 hex digits; placeholders count without their numbers, which depend on
/// what else a run has seen.
pub fn digest(snapshot: &Snapshot) -> String {
    let digest = Sha256::digest(redact::unnumbered(&save(snapshot)).as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn annotations(snapshot: &Snapshot) -> Map<String, Value> {
    let Requests { lists, pages, gets, logs: log_reads } = snapshot.requests;
    let namespaces = match &snapshot.scope {
        Scope::All => None,
        Scope::Namespaces(names) => Some(names.clone()),
    };
    let kept = |gap: &Gap| KeptGap {
        what: gap.what.clone(),
        why: redact::text(&gap.why).into_string(),
        essential: gap.essential,
        codes: gap.codes.clone(),
    };
    let seen = Seen {
        context: snapshot.context.clone(),
        namespaces,
        gaps: snapshot.gaps.iter().map(kept).collect(),
        requests: [lists, pages, gets, log_reads],
        kinds: snapshot.objects.keys().cloned().collect(),
    };
    let mut notes = Map::new();
    if let Some(at) = snapshot.taken_at {
        notes.insert(TAKEN_AT.to_owned(), Value::String(at.to_string()));
    }
    notes.insert(SEEN.to_owned(), Value::String(serde_json::to_string(&seen).unwrap_or_default()));
    if !snapshot.logs.is_empty() {
        let text = redact::text(&logs::write(&snapshot.logs)).into_string();
        notes.insert(LOGS.to_owned(), Value::String(text));
    }
    notes
}

fn typed(api_version: &str, kind: &str, object: &impl Serialize) -> Value {
    let mut whole = Map::new();
    whole.insert("apiVersion".to_owned(), api_version.into());
    whole.insert("kind".to_owned(), kind.into());
    if let Ok(Value::Object(fields)) = serde_json::to_value(object) {
        whole.extend(fields);
    }
    redact::value(&Value::Object(whole))
}

fn keys(kind: &str, keyed: &Keyed) -> Value {
    let metadata = redact::value(&serde_json::to_value(&keyed.metadata).unwrap_or_default());
    let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
    if let Some(values) = keyed.values() {
        object["data"] = values;
    }
    object
}

/// Whether the notes are those of [`save()`]: the snapshot then tells itself what it lacks.
pub(super) fn was_seen(notes: &BTreeMap<String, String>) -> bool {
    notes.get(SEEN).is_some_and(|text| serde_json::from_str::<Seen>(text).is_ok())
}

/// Reads back what [`save()`] wrote beside the objects. What it did not write is passed over.
pub(super) fn restore(snapshot: &mut Snapshot, notes: &BTreeMap<String, String>) {
    if let Some(at) = notes.get(TAKEN_AT).and_then(|text| text.parse().ok()) {
        snapshot.taken_at = Some(at);
    }
    if let Some(seen) = notes.get(SEEN).and_then(|text| serde_json::from_str::<Seen>(text).ok()) {
        snapshot.context = seen.context;
        snapshot.scope = seen.namespaces.map_or(Scope::All, Scope::Namespaces);
        snapshot.gaps.extend(seen.gaps.into_iter().map(|gap| Gap {
            what: gap.what,
            why: gap.why,
            essential: gap.essential,
            codes: gap.codes,
        }));
        let [lists, pages, gets, logs] = seen.requests;
        snapshot.requests = Requests { lists, pages, gets, logs };
        for kind in seen.kinds {
            snapshot.objects.entry(kind).or_default();
        }
    }
    if let Some(text) = notes.get(LOGS) {
        let logs = super::logs_of(snapshot, text);
        snapshot.logs.extend(logs);
    }
}
