//! What a model is told of a place: policies, guidance.

use super::Session;
use super::propose_place::Place;
use crate::audit::Store;
use crate::llm::Counsel;
use crate::model::finding::Finding;
use crate::model::record::{Entry, Phase};
use crate::redact;
use crate::settings::resolve;
use serde_json::Value;

/// Where a repository says how it wants changes to be; read from the base branch.
const GUIDANCE: &str = ".aifix/guidance.md";

/// Records that are looked through for accepted fixes.
const RECORDS: usize = 200;

/// Everything that bounds a change about this finding here.
pub(super) fn gather(finding: &Finding, place: &Place, session: &Session) -> Counsel {
    let mut policies: Vec<_> = place.policies.policies().collect();
    // The user's own come after ours, and are said first.
    policies.reverse();
    let demands = policies.iter().filter(|file| file.text.lines().any(|line| line.starts_with("deny")));
    let titles = demands.map(|file| file.metadata().title).filter(|title| !title.is_empty());
    let guidance = place.base_tree.text(GUIDANCE).unwrap_or_default();
    Counsel {
        policies: titles.map(|title| redact::text(&title)).collect(),
        accepted: accepted(finding, session).unwrap_or_default(),
        guidance: redact::text(guidance).as_str().lines().map(redact::text).collect(),
    }
}

/// Our own fixes that were pushed, those of the same code alone. Records that can't be read are none: they
/// are only examples here.
fn accepted(finding: &Finding, session: &Session) -> Option<Vec<redact::Redacted>> {
    let folder = resolve::state_folder(&session.environment).ok()?;
    let key = session.environment.path("AIFIX_AUDIT_KEY_FILE");
    let store = Store::open_existing(&folder, key.as_deref()).ok()??;
    let records = store.latest(RECORDS).ok()?;
    let mut lines: Vec<String> = records.iter().filter_map(|record| example(record, finding)).collect();
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines.truncate(crate::llm::EXAMPLES);
    Some(lines.iter().map(|line| redact::text(line)).collect())
}

/// `crash-app-error of Deployment: spec...args[0]: --prot -> --port`, of a record that was pushed.
fn example(record: &[Entry], finding: &Finding) -> Option<String> {
    let pushed = record.iter().any(|entry| matches!(entry.phase, Phase::Pushed | Phase::PullRequest));
    let proposed = record.iter().find(|entry| entry.phase == Phase::Proposed).filter(|_| pushed)?;
    let failure = proposed.body.get("failure")?;
    if failure.get("code")?.as_str()? != finding.code.name() {
        return None;
    }
    let kind = failure.pointer("/object/kind")?.as_str()?;
    let edits = proposed.body.pointer("/proposedFix/intent/edits")?.as_array()?;
    let told = edits.iter().filter_map(|edit| {
        let value = |name: &str| match edit.get(name) {
            None | Some(Value::Null) => "absent".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        Some(format!("{}: {} -> {}", edit.get("path")?.as_str()?, value("old"), value("new")))
    });
    Some(format!("{} of {kind}: {}", finding.code, told.collect::<Vec<_>>().join("; ")))
}
