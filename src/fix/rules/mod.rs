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

/// Which rule belongs to which code.
const RULES: [(&str, Rule); 9] = [
    ("command-not-found", crash::command_not_found),
    ("configmap-missing", config::config_map_missing),
    ("crash-app-error", crash::app_error),
    ("image-not-found", image::not_found),
    ("oom-killed", oom::killed),
    ("probe-port-mismatch", probe::port_mismatch),
    ("secret-key-missing", config::secret_key_missing),
    ("service-selector-mismatch", service::selector_mismatch),
    ("unschedulable-cpu", scheduling::cpu),
];

/// The rule of a code.
pub(crate) fn of(code: &str) -> Option<Rule> {
    RULES.iter().find(|(name, _)| *name == code).map(|(_, rule)| *rule)
}
