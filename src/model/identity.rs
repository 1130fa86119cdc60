//! What a finding is called from one scan to the next.

use super::finding::Finding;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names a finding by what stays when it is found again: no pod, no time, no number is in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    pub code: String,
    /// Empty for the core group.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    pub kind: String,
    /// Empty for cluster-scoped kinds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    pub name: String,
    /// Empty for what is of no single container.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub container: String,
}

impl Finding {
    /// Its name over time.
    pub fn identity(&self) -> Identity {
        Identity {
            code: self.code.name().to_owned(),
            group: self.object.group.clone(),
            kind: self.object.kind.clone(),
            namespace: self.object.namespace().to_owned(),
            name: self.object.name.clone(),
            container: self.container.clone().unwrap_or_default(),
        }
    }
}

/// `Deployment/web in shop oom-killed`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)?;
        if !self.namespace.is_empty() {
            write!(f, " in {}", self.namespace)?;
        }
        write!(f, " {}", self.code)
    }
}
