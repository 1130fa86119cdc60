//! What there is to tell a model of one failure.

use super::counsel::Counsel;
use crate::model::finding::{Finding, Source};
use crate::redact::{self, Redacted};
use serde_json::Value;

/// What a model is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ask {
    /// A change: one of the candidates, or a new value of a field.
    #[default]
    Change,
    /// The failure in words.
    Narrative,
}

/// A numbered fact; the smaller its rank, the longer it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) id: u32,
    pub(super) rank: u8,
    pub(super) source: &'static str,
    pub(super) text: Redacted,
}

/// A field that may be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As the answer must name it.
    pub path: String,
    /// As the answer must repeat it.
    pub current: Redacted,
    /// What a new value must be: `quantity`, `integer from 1 to 3600`, `one of: 8080, http`.
    pub rule: Redacted,
}

/// Everything a prompt is made of; foreign text comes in redacted or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    pub(super) object: Redacted,
    pub(super) code: &'static str,
    pub(super) summary: Redacted,
    pub(super) evidence: Vec<Fact>,
    /// `path: old -> new` since the earlier revision, and what is known of that one.
    pub(super) changes: (&'static str, Vec<Redacted>),
    pub(super) log: Vec<Redacted>,
    pub ask: Ask,
    pub counsel: Counsel,
    /// Asked for when there are no candidates.
    pub fields: Vec<Field>,
    /// Texts to choose from; each reads the same inside a prompt, see [`super::fence::is_plain`].
    pub candidates: Vec<String>,
    /// What was wrong with earlier answers, in our words.
    pub objections: Vec<String>,
}

impl Material {
    /// What a finding and the end of its container's log tell.
    pub fn new(finding: &Finding, log: &[Redacted]) -> Self {
        let container = finding.container.as_ref().map_or_else(String::new, |name| format!(", container {name}"));
        let mut evidence: Vec<Fact> = finding
            .evidence
            .iter()
            .map(|fact| {
                let (rank, source) = match fact.source {
                    Source::Status => (0, "status"),
                    Source::Event => (1, "event"),
                    Source::Spec => (2, "spec"),
                    Source::History => (3, "history"),
                    Source::Log => (4, "log"),
                };
                Fact { id: fact.id, rank, source, text: redact::text(&fact.text) }
            })
            .collect();
        evidence.sort_by_key(|fact| (fact.rank, fact.id));
        Self {
            object: redact::text(&format!("{}{container}", finding.object.qualified())),
            code: finding.code.name(),
            summary: redact::text(&finding.summary),
            evidence,
            changes: changes(finding),
            log: log.to_vec(),
            ask: Ask::Change,
            counsel: Counsel::default(),
            fields: Vec::new(),
            candidates: Vec::new(),
            objections: Vec::new(),
        }
    }
}

fn changes(finding: &Finding) -> (&'static str, Vec<Redacted>) {
    let Some(change) = &finding.change else { return ("", Vec::new()) };
    let name =
        if change.good { "Changed since the revision that works" } else { "Changed since the previous revision" };
    let lines = change.fields.iter().map(|field| {
        let shown = |value: &Option<Value>| {
            value.as_ref().map_or_else(|| "absent".to_owned(), |value| redact::field(&field.path, value).to_string())
        };
        redact::text(&format!("{}: {} -> {}", field.path, shown(&field.old), shown(&field.new)))
    });
    (name, lines.collect())
}
