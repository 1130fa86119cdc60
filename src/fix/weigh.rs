//! Which of several changed fields the error speaks of.

use crate::model::finding::{FieldChange, Finding, Source};
use crate::model::path::{Path, Step};
use crate::redact;
use serde_json::Value;
use std::collections::BTreeSet;

/// A changed field, and the word of it that the error names.
pub(crate) struct Weighed<'f> {
    pub field: &'f FieldChange,
    pub named: Option<String>,
}

/// The changed fields, those that the container's log names first: by the name of what changed, then by words of the
/// new value, then by words of the old one. The others keep their order.
pub(crate) fn by_evidence(finding: &Finding) -> Vec<Weighed<'_>> {
    let lines = finding.evidence.iter().filter(|evidence| evidence.source == Source::Log);
    let said: BTreeSet<String> = lines.flat_map(|line| words(&line.text)).collect();
    let fields = finding.change.iter().flat_map(|change| &change.fields);
    let mut all: Vec<(u8, Weighed<'_>)> = fields.map(|field| weigh(field, &said)).collect();
    all.sort_by_key(|(rank, _)| *rank);
    all.into_iter().map(|(_, weighed)| weighed).collect()
}

fn weigh<'f>(field: &'f FieldChange, said: &BTreeSet<String>) -> (u8, Weighed<'f>) {
    let (old, new) = (told(field.old.as_ref()), told(field.new.as_ref()));
    let own = |ours: &BTreeSet<String>, others: &BTreeSet<String>| {
        ours.difference(others).find(|word| word.chars().count() > 2 && said.contains(*word)).cloned()
    };
    let name = item(&field.path).filter(|name| {
        let all: BTreeSet<String> = words(name).collect();
        !all.is_empty() && all.is_subset(said)
    });
    let (rank, named) = match (name, own(&new, &old), own(&old, &new)) {
        (Some(name), ..) => (0, Some(name.to_owned())),
        (None, Some(word), _) => (1, Some(word)),
        (None, None, Some(word)) => (2, Some(word)),
        (None, None, None) => (3, None),
    };
    (rank, Weighed { field, named })
}

/// The name of the variable, volume or port below a container; not that of the container, which a log may well name.
fn item(path: &Path) -> Option<&str> {
    let mut found = None;
    for pair in path.0.windows(2) {
        if let [Step::Field(list), Step::Item { value, .. }] = pair
            && !matches!(list.as_str(), "containers" | "initContainers")
        {
            found = Some(value.as_str());
        }
    }
    found
}

/// The words of a value; none of one that holds a secret.
fn told(value: Option<&Value>) -> BTreeSet<String> {
    let text = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap_or_default();
    if redact::is_masked(&text) { BTreeSet::new() } else { words(&text).collect() }
}

fn words(text: &str) -> impl Iterator<Item = String> + use<'_> {
    let parts = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    parts.filter(|word| word.chars().count() > 1).map(str::to_lowercase)
}
