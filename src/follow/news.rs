//! What the record does not tell yet.

use super::{State, Subject};
use crate::model::record::Phase;
use serde_json::Value;

/// The phases of a state that are new to the record, in order.
///
/// A phase is told once. After a setback the one that is reached now is told again, and so is another setback.
pub fn news(subject: &Subject, state: &State) -> Vec<(Phase, Value)> {
    let last = |wanted: &dyn Fn(Phase) -> bool| subject.told.iter().rposition(|(phase, _, _)| wanted(*phase));
    let at = |phase: Phase| last(&|told| told == phase);
    let setback = last(&is_setback);
    let outcome = last(&Phase::is_outcome).and_then(|at| subject.told.get(at)).map(|(phase, _, _)| *phase);
    let is_new = |phase: Phase, body: &Value| {
        let Some(told) = at(phase) else { return true };
        match phase {
            Phase::Reviewed => subject.told.get(told).is_none_or(|(_, before, _)| before != body),
            phase if phase != state.phase => false,
            phase if is_setback(phase) => outcome != Some(phase),
            _ => setback.is_some_and(|setback| told < setback),
        }
    };
    state.reached.iter().filter(|(phase, body)| is_new(*phase, body)).cloned().collect()
}

fn is_setback(phase: Phase) -> bool {
    matches!(phase, Phase::Worse | Phase::Reverted | Phase::Drifted | Phase::Closed)
}
