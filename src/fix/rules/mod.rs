//! The rules, one file per family.

mod admission;
mod back;
mod beside;
mod choices;
mod claims;
mod config;
mod crash;
mod delivery;
mod devices;
mod eviction;
mod files;
mod headless;
mod hosts;
mod image;
mod ingress;
mod job;
mod keys;
mod lines;
mod oom;
mod ports;
mod priority;
mod probe;
mod probe_time;
mod refs;
mod resources;
mod restart;
mod rights;
mod rollout;
mod sandbox;
mod scaling;
mod scheduling;
mod secret;
mod service;
mod settings;
mod spread;
mod start;
mod storage;
#[cfg(test)]
mod tests;
mod unprobed;
mod users;
mod volume_nodes;

pub(super) use delivery::close_folder;
pub(super) use sandbox::LOW_PORTS;

use super::case::Case;
use crate::model::intent::Intent;
use crate::model::refusal::Refusal;

/// Decides the edit for one code, or says why it can't.
pub(crate) type Rule = fn(&Case<'_>) -> Result<Vec<Intent>, Refusal>;

/// More choices than a person reads are not listed.
const CHOICES: usize = 6;

/// The families; each file names its own codes.
const FAMILIES: [&[(&str, Rule)]; 38] = [
    admission::RULES,
    back::RULES,
    beside::RULES,
    choices::RULES,
    claims::RULES,
    config::RULES,
    crash::RULES,
    delivery::RULES,
    devices::RULES,
    eviction::RULES,
    files::RULES,
    headless::RULES,
    hosts::RULES,
    image::RULES,
    ingress::RULES,
    job::RULES,
    keys::RULES,
    lines::RULES,
    oom::RULES,
    ports::RULES,
    priority::RULES,
    probe::RULES,
    probe_time::RULES,
    resources::RULES,
    restart::RULES,
    rights::RULES,
    rollout::RULES,
    sandbox::RULES,
    scaling::RULES,
    scheduling::RULES,
    service::RULES,
    settings::RULES,
    spread::RULES,
    start::RULES,
    storage::RULES,
    unprobed::RULES,
    users::RULES,
    volume_nodes::RULES,
];

/// The rule of a code.
pub(crate) fn of(code: &str) -> Option<Rule> {
    FAMILIES.into_iter().flatten().find(|(name, _)| *name == code).map(|(_, rule)| *rule)
}
