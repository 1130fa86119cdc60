//! The rules, one file per family.

mod config;
mod crash;
mod image;
mod oom;
mod probe;
mod scheduling;
mod service;

use super::case::Case;
use crate::model::intent::Intent;
use crate::model::refusal::Refusal;

/// Decides the edit for one code, or says why it can't.
pub(crate) type Rule = fn(&Case<'_>) -> Result<Vec<Intent>, Refusal>;

/// The families; each file names its own codes.
const FAMILIES: [&[(&str, Rule)]; 7] =
    [config::RULES, crash::RULES, image::RULES, oom::RULES, probe::RULES, scheduling::RULES, service::RULES];

/// The rule of a code.
pub(crate) fn of(code: &str) -> Option<Rule> {
    FAMILIES.into_iter().flatten().find(|(name, _)| *name == code).map(|(_, rule)| *rule)
}
