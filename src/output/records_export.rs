//! Records for other programs.

use super::json::{self, API_VERSION};
use super::yaml;
use crate::error::Error;
use crate::model::record::Entry;
use crate::redact;
use serde_json::{Map, json};

/// What all data of a ConfigMap may take (kubernetes.io/docs: 1 MiB), less its names.
const CONFIG_MAP_LIMIT: usize = (1 << 20) - 1024;

/// A record that no ConfigMap can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    pub record: String,
    pub bytes: usize,
}

/// One document: the record as `audit show -o json` writes it.
///
/// # Errors
/// Only a bug: an entry can't be serialised.
pub fn yaml(entries: &[Entry]) -> Result<String, Error> {
    Ok(format!("---\n{}", yaml::document(&redact::value(&json::aifix(entries)?))))
}

/// A line for each entry: when it was, what it is about, and all of it. What the first entry says of the failure
/// stands in every line.
///
/// # Errors
/// Only a bug: an entry can't be serialised.
pub fn lines(entries: &[Entry]) -> Result<String, Error> {
    let first = entries.first().map(|entry| &entry.body);
    let says = |pointer: &str| first.and_then(|body| body.pointer(pointer)).cloned().unwrap_or_default();
    let mut out = String::new();
    for entry in entries {
        let own = |name: &str| entry.body.get(name).cloned().unwrap_or_default();
        let line = json!({
            "apiVersion": API_VERSION,
            "kind": "AIFixEntry",
            "time": entry.at,
            "record": entry.record,
            "seq": entry.seq,
            "phase": entry.phase,
            "code": says("/failure/code"),
            "severity": says("/failure/severity"),
            "object": says("/failure/object"),
            "cluster": says("/context/cluster"),
            "who": says("/context/who"),
            "commit": own("commit"),
            "reason": own("reason"),
            "previous": entry.previous,
            "hash": entry.hash,
            "body": entry.body,
        });
        out.push_str(&json::escaped(&redact::value(&line).to_string()));
    }
    Ok(out)
}

/// One ConfigMap that holds the record as YAML.
///
/// # Errors
/// Only a bug: an entry can't be serialised.
pub fn config_map(entries: &[Entry]) -> Result<Result<String, TooLarge>, Error> {
    let document = redact::value(&json::aifix(entries)?);
    let text = yaml::document(&document);
    let record = document["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if text.len() > CONFIG_MAP_LIMIT {
        return Ok(Err(TooLarge { record, bytes: text.len() }));
    }
    let mut labels = Map::new();
    labels.insert("app.kubernetes.io/managed-by".to_owned(), json!("aifix"));
    for (name, value) in [("phase", &document["status"]["phase"]), ("code", &document["spec"]["failure"]["code"])] {
        if value.as_str().is_some_and(is_label) {
            labels.insert(format!("aifix.dev/{name}"), value.clone());
        }
    }
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": format!("aifix-{record}"), "labels": labels},
        "data": {"aifix.yaml": text},
    });
    Ok(Ok(format!("---\n{}", yaml::document(&map))))
}

/// Whether a text can be the value of a label.
fn is_label(text: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && is_end(text.chars().next())
        && is_end(text.chars().last())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
