//! The rights that a scan needs, from the table it reads by.

use super::kinds::{self, Place, Row};
use super::{Options, connect};
use crate::error::Error;
use crate::model::snapshot::Scope;

/// Where a right must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In each namespace of the scope: a Role is enough.
    Scope,
    /// In the whole cluster: only a ClusterRole can give it.
    Cluster,
}

/// One rule of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// `apps`; empty for the core group.
    pub group: &'static str,
    /// `pods`, `pods/log`: what costs the same stands in one rule.
    pub resources: Vec<&'static str>,
    pub verbs: &'static [&'static str],
    pub reach: Reach,
    /// Without it no workload can be judged.
    pub essential: bool,
    /// A custom kind, which a cluster may not serve.
    pub custom: bool,
    /// Codes that stay unseen without it.
    pub codes: &'static [&'static str],
}

/// Codes that only a log tells. Without it they are `crash-app-error`.
const BY_LOG: &[&str] = &[
    "crash-bad-args",
    "crash-config-parse",
    "crash-db-auth",
    "crash-dependency-refused",
    "crash-dependency-timeout",
    "crash-disk-full",
    "crash-dns",
    "crash-env-missing",
    "crash-file-missing",
    "crash-migration",
    "crash-missing-library",
    "crash-missing-module",
    "crash-permission-denied",
    "crash-port-in-use",
    "crash-rbac-forbidden",
];

/// Every right that a scan uses, and no other.
pub fn grants(read_secret_keys: bool) -> Vec<Grant> {
    let mut all: Vec<Grant> = Vec::new();
    for row in kinds::rows(read_secret_keys) {
        let next = grant(row);
        let alike = all.iter_mut().find(|one| {
            (one.group, one.verbs, one.reach, one.custom) == (next.group, next.verbs, next.reach, next.custom)
                && (one.essential, one.codes) == (next.essential, next.codes)
        });
        match alike {
            Some(one) => one.resources.extend(next.resources),
            None => all.push(next),
        }
    }
    let logs = Grant {
        group: "",
        resources: vec!["pods/log"],
        verbs: &["get"],
        reach: Reach::Scope,
        essential: false,
        custom: false,
        codes: BY_LOG,
    };
    all.insert(1, logs);
    all
}

fn grant(row: &Row) -> Grant {
    Grant {
        group: row.group(),
        resources: vec![row.plural],
        // Read by name too: a namespace, to tell a mistyped one from an empty one; a ConfigMap, for the kind of its values.
        verbs: if matches!(row.plural, "namespaces" | "configmaps") { &["get", "list"] } else { &["list"] },
        reach: if row.place == Place::Scope { Reach::Scope } else { Reach::Cluster },
        essential: row.essential,
        custom: row.custom,
        codes: row.codes,
    }
}

/// The namespaces that these options mean. No request is sent and no credential plugin is run.
///
/// # Errors
/// When a name can't be one of a namespace, or the kubeconfig has no such context.
pub fn scope(options: &Options) -> Result<Scope, Error> {
    connect::scope_of(options)
}
