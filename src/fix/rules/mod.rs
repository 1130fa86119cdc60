//! The rules, one file per family.

mod admission;
mod choices;
mod config;
mod crash;
mod delivery;
mod image;
mod ingress;
mod job;
mod oom;
mod ports;
mod probe;
mod resources;
mod rollout;
mod scaling;
mod scheduling;
mod service;
mod settings;
mod storage;
#[cfg(test)]
mod tests;

use super::case::Case;
use crate::model::intent::Intent;
use crate::model::refusal::Refusal;

/// Decides the edit for one code, or says why it can't.
pub(crate) type Rule = fn(&Case<'_>) -> Result<Vec<Intent>, Refusal>;

/// The families; each file names its own codes.
const FAMILIES: [&[(&str, Rule)]; 18] = [
    admission::RULES,
    choices::RULES,
    config::RULES,
    crash::RULES,
    delivery::RULES,
    image::RULES,
    ingress::RULES,
    job::RULES,
    oom::RULES,
    ports::RULES,
    probe::RULES,
    resources::RULES,
    rollout::RULES,
    scaling::RULES,
    scheduling::RULES,
    service::RULES,
    settings::RULES,
    storage::RULES,
];

/// The rule of a code.
pub(crate) fn of(code: &str) -> Option<Rule> {
    FAMILIES.into_iter().flatten().find(|(name, _)| *name == code).map(|(_, rule)| *rule)
}
