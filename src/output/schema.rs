//! The JSON Schema of every document of `-o json`.

use super::json::API_VERSION;
use crate::error::Error;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Every kind of document, and its schema without what it shares with others.
const FILES: [(&str, &str); 15] = [
    ("ScanReport", include_str!("schema/ScanReport.json")),
    ("Explanation", include_str!("schema/Explanation.json")),
    ("ProposalReport", include_str!("schema/ProposalReport.json")),
    ("CodeList", include_str!("schema/CodeList.json")),
    ("PolicyReport", include_str!("schema/PolicyReport.json")),
    ("PolicyReasons", include_str!("schema/PolicyReasons.json")),
    ("Checkup", include_str!("schema/Checkup.json")),
    ("AIFix", include_str!("schema/AIFix.json")),
    ("AIFixList", include_str!("schema/AIFixList.json")),
    ("AIFixEntry", include_str!("schema/AIFixEntry.json")),
    ("PublishedList", include_str!("schema/PublishedList.json")),
    ("RecordDiff", include_str!("schema/RecordDiff.json")),
    ("PatternReport", include_str!("schema/PatternReport.json")),
    ("PolicySuggestions", include_str!("schema/PolicySuggestions.json")),
    ("StatusReport", include_str!("schema/StatusReport.json")),
];

/// What policies read, which no command writes.
const INPUT: (&str, &str) = ("PolicyInput", include_str!("schema/PolicyInput.json"));

/// What they share.
const COMMON: &str = include_str!("schema/common.json");

const OPEN: &str = "Fields are added and never renamed: a reader must accept fields that it does not know.";

/// The kinds of documents that have a schema.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    FILES.iter().chain([&INPUT]).map(|(kind, _)| *kind)
}

/// The schema of one kind, whole; without a kind, of a document of any kind.
///
/// # Errors
/// Only a bug: an embedded schema is no JSON, or there is no such kind.
pub fn of(kind: Option<&str>) -> Result<String, Error> {
    let all = definitions()?;
    let name = kind.unwrap_or("Any");
    let mut whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:{}", [API_VERSION, name].join("/").replace('/', ":")),
    });
    let root = match kind {
        Some(kind) => all.get(kind).cloned().ok_or_else(|| Error::bug(format!("there is no schema of {kind}")))?,
        None => json!({
            "title": "Any document of aifix",
            "oneOf": FILES.map(|(kind, _)| json!({"$ref": reference(kind)})),
        }),
    };
    let mut reached = BTreeSet::new();
    reach(&root, &all, &mut reached);
    let defs: Map<String, Value> =
        reached.into_iter().filter_map(|name| Some((name.to_owned(), all.get(name)?.clone()))).collect();
    if let (Some(whole), Value::Object(root)) = (whole.as_object_mut(), root) {
        whole.extend(root);
        let said = whole.get("description").and_then(Value::as_str).map(|said| format!("{said} ")).unwrap_or_default();
        whole.insert("description".to_owned(), Value::String(format!("{said}{OPEN}")));
        whole.insert("$defs".to_owned(), Value::Object(defs));
    }
    let text = serde_json::to_string_pretty(&whole)
        .map_err(|error| Error::bug("a schema could not be written").caused_by(&error))?;
    Ok(format!("{text}\n"))
}

fn reference(name: &str) -> String {
    format!("#/$defs/{name}")
}

/// Everything that has a name: the kinds, and what is defined beside them.
fn definitions() -> Result<BTreeMap<String, Value>, Error> {
    let mut all = BTreeMap::new();
    for (kind, text) in FILES.into_iter().chain([INPUT, ("", COMMON)]) {
        let mut file: Value = serde_json::from_str(text)
            .map_err(|error| Error::bug(format!("the schema of {kind} is no JSON")).caused_by(&error))?;
        let defs = file.as_object_mut().and_then(|file| file.shift_remove("$defs"));
        if let Some(Value::Object(defs)) = defs {
            all.extend(defs);
        }
        if !kind.is_empty() {
            all.insert(kind.to_owned(), file);
        }
    }
    Ok(all)
}

/// The names that a schema refers to, and those that these refer to.
fn reach<'v>(schema: &'v Value, all: &'v BTreeMap<String, Value>, reached: &mut BTreeSet<&'v str>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| reach(item, all, reached)),
        Value::Object(map) => {
            let named = map.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix("#/$defs/"));
            if let Some((name, target)) = named.and_then(|name| all.get_key_value(name))
                && reached.insert(name)
            {
                reach(target, all, reached);
            }
            map.values().for_each(|item| reach(item, all, reached));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_defined_twice() {
        let mut seen = BTreeSet::new();
        for (kind, text) in FILES.into_iter().chain([INPUT, ("", COMMON)]) {
            let file: Value = serde_json::from_str(text).unwrap();
            let defs = file["$defs"].as_object().into_iter().flat_map(|defs| defs.keys().cloned());
            for name in defs.chain((!kind.is_empty()).then(|| kind.to_owned())) {
                assert!(seen.insert(name.clone()), "{name}");
            }
        }
    }

    #[test]
    fn a_schema_holds_all_that_it_refers_to_and_nothing_else() {
        for kind in kinds().map(Some).chain([None]) {
            let whole: Value = serde_json::from_str(&of(kind).unwrap()).unwrap();
            let text = whole.to_string();
            for name in whole["$defs"].as_object().unwrap().keys() {
                assert!(text.contains(&format!("\"{}\"", reference(name))), "{kind:?}: {name}");
            }
            let named: Vec<&str> =
                text.split("\"#/$defs/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
            for name in named {
                assert!(whole["$defs"].get(name).is_some(), "{kind:?}: {name}");
            }
        }
    }
}
