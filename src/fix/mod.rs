//! From a finding to candidate edits of the live object.
//!
//! A rule decides by facts alone; what facts do not decide is refused by name, with what a person
//! needs to choose. Nothing is guessed: `Review` is the default, `Safe` is earned.

mod case;
mod closeness;
mod earned;
pub mod expect;
mod facts;
mod guards;
mod history;
pub mod model;
mod reference;
mod room;
mod rules;
mod weigh;

use crate::model::code::FixClass;
use crate::model::finding::{Confidence, Finding, FixHint, Severity};
use crate::model::intent::{Intent, Op};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use case::Case;

/// Refusal codes of this room.
pub mod refusal {
    /// A person chooses among the candidates in the details.
    pub const NEEDS_CHOICE: &str = "needs-choice";
    /// Logs, history or knowledge of the program decide.
    pub const NEEDS_JUDGEMENT: &str = "needs-judgement";
    /// Nothing in Git fixes it, or the object is made by another one that was not seen.
    pub const NOT_IN_GIT: &str = "not-in-git";
    /// The live object is no longer what the evidence was about.
    pub const DRIFTED: &str = "drifted";
    /// Another controller writes the field.
    pub const OWNED_BY_CONTROLLER: &str = "owned-by-controller";
    /// The field can't be changed: the object must be made anew.
    pub const IMMUTABLE: &str = "immutable";
    /// The edit would take a protection away.
    pub const WEAKENS: &str = "weakens";
}

/// Candidate edits for a finding, best first.
///
/// # Errors
/// A [`Refusal`] that names why no rule may decide, with candidates in its details when a person can.
pub fn candidates(snapshot: &Snapshot, finding: &Finding) -> Result<Vec<Intent>, Refusal> {
    let Some(rule) = rules::of(finding.code.name()) else { return Err(by_hand(finding)) };
    let is_guess = finding.confidence == Confidence::Hypothesis;
    // What a person may choose is told, however little it matters.
    let may_choose = finding.code.0.class == FixClass::Ask;
    let may_wait = finding.severity == Severity::Info && !WRONG_ANYWAY.contains(&finding.code.name());
    if !may_choose && (is_guess || may_wait) {
        let message = format!("{} on {} is only worth knowing", finding.code, finding.object);
        return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, message, "read its evidence"));
    }
    let case = Case::new(snapshot, finding)?;
    let mut intents = rule(&case).map_err(|refusal| offer_revert(refusal, finding))?;
    if is_guess {
        // A possible cause decides nothing.
        return Err(case.ask(finding.summary.clone(), finding.code.0.fix.trim_end_matches('.'), intents));
    }
    // What is there already is no change.
    intents.iter_mut().for_each(|intent| intent.edits.retain(|edit| edit.op == Op::Lf || edit.old != edit.new));
    intents.retain(|intent| !intent.edits.is_empty());
    intents.iter_mut().for_each(|intent| earned::check(finding, intent));
    if intents.is_empty() {
        let message = format!("{} has what would mend it", case.target);
        return Err(Refusal::new(refusal::DRIFTED, message, "scan again after the rollout"));
    }
    intents.iter().try_for_each(|intent| case.check(intent))?;
    if let Some(by_hand) = replaced_by_hand(&case) {
        intents.iter_mut().for_each(|intent| intent.why = format!("{}; {by_hand}", intent.why));
    }
    Ok(intents)
}

/// The edit of a controller's path that its repository does not have, when one of the repository's folders has a
/// close name.
pub fn close_folder(snapshot: &Snapshot, finding: &Finding, folders: &[&str]) -> Option<Intent> {
    let case = Case::new(snapshot, finding).ok()?;
    rules::close_folder(&case, folders).filter(|intent| case.check(intent).is_ok())
}

/// Without a rule the row of the code says what there is to do.
fn by_hand(finding: &Finding) -> Refusal {
    let row = finding.code.0;
    let code = match row.class {
        FixClass::Ask => refusal::NEEDS_CHOICE,
        FixClass::None => refusal::NOT_IN_GIT,
        FixClass::Rule | FixClass::Model => refusal::NEEDS_JUDGEMENT,
    };
    let message = format!("no rule decides {}", row.name);
    match of_map(finding) {
        Some((map, key)) => {
            let hint = format!("read key {key} of ConfigMap {map}, or take back the commit that changed it: --revert");
            Refusal::new(code, message, hint)
        }
        None => Refusal::new(code, message, row.fix.trim_end_matches('.')),
    }
}

/// Codes that do no harm for now, where the edit is decided all the same.
const WRONG_ANYWAY: [&str; 3] = ["ds-no-matching-nodes", "pdb-selects-nothing", "rollout-zero-surge-zero"];

/// An ordered StatefulSet gives no new template to a pod that is not ready.
fn replaced_by_hand(case: &Case<'_>) -> Option<String> {
    let set = case.object.filter(|object| object.kind == "StatefulSet")?;
    let pod = case.finding.pods.names.first()?;
    let parallel = set.text("/spec/podManagementPolicy") == "Parallel";
    (!parallel).then(|| format!("after the sync delete pod {pod} once, the set does not replace it by itself"))
}

/// The ConfigMap and the key that a finding is about, where the template itself did not change.
fn of_map(finding: &Finding) -> Option<(&str, &str)> {
    let text = |name: &str| finding.facts.get(name).and_then(serde_json::Value::as_str);
    text("configMap").zip(text("key")).filter(|_| finding.change.is_none())
}

/// Where no rule decides and a revision came before, the commit that made this one can be taken back.
fn offer_revert(mut refusal: Refusal, finding: &Finding) -> Refusal {
    let is_open = matches!(refusal.code, refusal::NEEDS_CHOICE | refusal::NEEDS_JUDGEMENT);
    if is_open && finding.change.is_some() {
        refusal.hint.push_str("; or take back the commit that changed it: --revert");
    } else if let Some((map, _)) = of_map(finding).filter(|_| is_open) {
        refusal.hint.push_str(&format!("; or take back the commit that changed ConfigMap {map}: --revert"));
    }
    refusal
}

/// What can be done about a finding, in a line: the subject of the first candidate, or why there is none.
pub fn hint(snapshot: &Snapshot, finding: &Finding) -> FixHint {
    match candidates(snapshot, finding) {
        Ok(intents) => {
            let subject = intents.first().map(|intent| intent.subject.clone()).unwrap_or_default();
            FixHint { class: FixClass::Rule, summary: subject }
        }
        // Without a rule the row of the code says what there is to do.
        Err(_) if rules::of(finding.code.name()).is_none() => {
            let row = finding.code.0;
            let class = if row.class == FixClass::Rule { FixClass::Model } else { row.class };
            let first = row.fix.split_inclusive(". ").next().unwrap_or(row.fix);
            FixHint { class, summary: first.trim_end_matches([' ', '.']).to_owned() }
        }
        Err(refusal) => {
            let class = match refusal.code {
                refusal::NEEDS_CHOICE => FixClass::Ask,
                refusal::NOT_IN_GIT | refusal::IMMUTABLE => FixClass::None,
                _ => FixClass::Model,
            };
            FixHint { class, summary: refusal.message }
        }
    }
}
