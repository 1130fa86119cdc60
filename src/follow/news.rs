//! What the record does not tell yet.

use super::{State, Subject};
use crate::model::record::Phase;
use serde_json::Value;

/// The phases of a state that are new to the record, in order.
///
/// A phase is told once. After a setback the one that is reached now is told again, and so is another setback.
pub fn news(subject: &Subject, state: &State) -> Vec<(Phase, Value)> {
    let is_setback = |phase: Phase| matches!(phase, Phase::Worse | Phase::Reverted | Phase::Drifted | Phase::Closed);
    let last = |wanted: &dyn Fn(Phase) -> bool| subject.told.iter().rev().find(|(phase, _, _)| wanted(*phase));
    let outcome = last(&is_outcome).map(|(phase, _, _)| *phase);
    let is_new = |phase: Phase, body: &Value| {
        let told = last(&|told| told == phase);
        if phase == Phase::Reviewed {
            return told.is_none_or(|(_, before, _)| before != body);
        }
        let again = phase == state.phase && outcome != Some(phase);
        told.is_none() || again && (is_setback(phase) || outcome.is_some_and(is_setback))
    };
    state.reached.iter().filter(|(phase, body)| is_new(*phase, body)).cloned().collect()
}

fn is_outcome(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::Merged
            | Phase::Closed
            | Phase::Synced
            | Phase::RolledOut
            | Phase::Healed
            | Phase::Worse
            | Phase::Reverted
            | Phase::Drifted
    )
}
