//! Accepted fixes as examples for a model.

use super::lessons::difference;
use super::{Record, items, lessons, text};
use crate::model::record::{Entry, Phase};
use serde_json::Value;

/// One line for each pushed fix of the same code that was not turned down, those that the past speaks for first:
/// `crash-app-error of Deployment: spec...args[0]: --prot -> --port`. The merged value stands where it differs.
pub fn examples(records: &[Record], code: &str) -> Vec<String> {
    let mut weighed: Vec<(i64, String)> = records
        .iter()
        .filter_map(|record| {
            let known = lessons(std::slice::from_ref(record));
            let weight = known.all.first().map_or(0, |lesson| lesson.outcome.weight());
            Some((weight, example(record, code)?)).filter(|_| weight >= 0)
        })
        .collect();
    weighed.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let mut seen = std::collections::BTreeSet::new();
    weighed.into_iter().map(|(_, line)| line).filter(|line| seen.insert(line.clone())).collect()
}

fn example(record: &[Entry], code: &str) -> Option<String> {
    let pushed = record.iter().any(|entry| matches!(entry.phase, Phase::Pushed | Phase::PullRequest));
    let proposed = record.iter().find(|entry| entry.phase == Phase::Proposed).filter(|_| pushed)?;
    if text(&proposed.body, "/failure/code") != code {
        return None;
    }
    let kind = proposed.body.pointer("/failure/object/kind")?.as_str()?;
    let edits = items(&proposed.body, "/proposedFix/intent/edits").iter();
    let told = edits.filter_map(|edit| {
        let value = |name: &str| match edit.get(name) {
            None | Some(Value::Null) => "absent".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        Some(format!("{}: {} -> {}", edit.get("path")?.as_str()?, value("old"), value("new")))
    });
    let told = told.collect::<Vec<_>>().join("; ");
    let merged = difference(record).map(|difference| format!(" ({difference})")).unwrap_or_default();
    Some(format!("{code} of {kind}: {told}{merged}"))
}
