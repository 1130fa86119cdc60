//! Every record that a test of this ring makes is what `aifix schema AIFix` says.

use aifix::audit::Store;
use aifix::model::record::Phase;
use aifix::output::{json, schema};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::LazyLock;

static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(&schema::of(Some("AIFix")).unwrap()).unwrap();
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
});

/// What is wrong with the records of a folder. One that does not hold, or that another key wrote, is a test's own.
fn wrong(state: &Path) -> Vec<String> {
    if !state.join("records.db").exists() {
        return Vec::new();
    }
    let Ok(Some(store)) = Store::open_existing(state, None) else { return Vec::new() };
    if store.verify().is_ok_and(|verified| verified.first_bad.is_some()) {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for entries in store.latest(usize::MAX).unwrap_or_default() {
        let document: Value = serde_json::from_str(&json::record(&entries).unwrap()).unwrap();
        wrong.extend(VALIDATOR.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())));
    }
    wrong
}

/// Called by every sandbox at its end.
pub(crate) fn check(state: &Path) {
    let wrong = wrong(state);
    assert!(wrong.is_empty(), "records are not what the schema says: {wrong:#?}");
}

#[test]
fn a_record_with_a_field_too_many_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path(), None).unwrap();
    let at = "2026-01-02T03:04:05Z";
    let refusal = json!({"code": "x", "message": "m", "hint": ""});
    store.append(None, Phase::Refused, at, json!({"refusal": refusal})).unwrap();
    assert_eq!(wrong(dir.path()), Vec::<String>::new());
    let mut more = refusal;
    more["more"] = json!(1);
    store.append(None, Phase::Refused, at, json!({"refusal": more})).unwrap();
    assert_eq!(wrong(dir.path()).len(), 1);
}
