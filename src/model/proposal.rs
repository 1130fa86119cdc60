//! A proved change of files, ready to be shown.

use super::finding::Finding;
use super::history::Commit;
use super::intent::{Disposition, Intent};
use super::object::ObjectRef;
use super::path::Path;
use super::refusal::Refusal;
use super::verdict::Evaluation;
use serde::Serialize;
use serde_json::Value;

/// How much a signal is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Confirmed by a second fact or by rendering.
    Proved,
    /// Said by the user.
    Given,
    /// Read from a label or an annotation, not confirmed.
    Claimed,
}

/// One step of the way from the live object to Git.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signal {
    pub signal: String,
    pub value: String,
    pub trust: Trust,
}

/// Which tool makes manifests out of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    Plain,
    Kustomize,
    Helm,
}

impl Tool {
    /// `plain`, `kustomize` or `helm`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Kustomize => "kustomize",
            Self::Helm => "helm",
        }
    }
}

/// Where the live object comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    pub tool: Tool,
    /// The repository, without credentials.
    pub repo: String,
    /// The folder that is rendered, `.` for the root.
    pub path: String,
    pub branch: String,
    /// The commit whose render was compared with the live object.
    pub revision: String,
    pub trail: Vec<Signal>,
}

/// One changed place of one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Edit {
    pub file: String,
    /// Which YAML document of the file, from 0.
    pub document: usize,
    /// The place inside that document (or, for a string inside a string, the outer place).
    #[serde(serialize_with = "path_text")]
    pub path: Path,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

fn path_text<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path)
}

/// One leaf of the rendered output that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delta {
    pub object: ObjectRef,
    #[serde(serialize_with = "path_text")]
    pub path: Path,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

/// What was shown about the edit, and what was not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The commit that the edit is based on.
    pub base: String,
    /// `kustomize 5.8.2`, or empty for plain manifests.
    pub renderer: String,
    /// The intended changes of the rendered output.
    pub delta: Vec<Delta>,
    /// Further changes that come with it, each named.
    pub companions: Vec<Delta>,
    /// Fields that differ between two renders of the same input.
    pub noise: usize,
    /// The first of them, as `Secret prod/web data.password`.
    pub masked: Vec<String>,
    /// Other roots of the repository that were rendered and stay the same.
    pub siblings: Vec<String>,
    /// Renders that were made.
    pub renders: usize,
    pub not_proved: Vec<String>,
    /// Where the fields of each changed kind were looked up.
    pub schema: Vec<Checked>,
    /// The field manager that the API server took the objects from, in a dry run; `None`: it was not asked.
    pub dry_run: Option<String>,
}

/// Who says which fields a kind has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Schema {
    /// The cluster itself, by its OpenAPI document.
    Cluster,
    /// The copy of the built-in kinds.
    Bundled,
    /// Nobody that could be asked.
    Unknown,
}

/// By which fields the new values of a kind were checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    pub api_version: String,
    pub kind: String,
    pub by: Schema,
    /// Why it was not the cluster.
    pub why: Option<String>,
}

/// How a merged change reaches the cluster. The worst of what is known counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Nothing that was seen says it.
    #[default]
    Unknown,
    /// A controller applies it by itself.
    Automatic,
    /// A person has to sync, or to do a further step.
    Manual,
    /// Something that was seen keeps it from arriving.
    Blocked,
}

/// What happens after the merge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Next {
    pub delivery: Delivery,
    /// One fact each, worth reading in this order.
    pub lines: Vec<String>,
    /// Commands that bring the merged change to the cluster at once.
    pub commands: Vec<String>,
}

/// The whole text of one changed file, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    pub path: String,
    /// `None`: the file is new.
    pub before: Option<Vec<u8>>,
    /// `None`: the file is taken away.
    pub after: Option<Vec<u8>>,
}

/// One object of the rendered output that differs. `Null` before: it is new; after: it is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectChange {
    pub object: ObjectRef,
    pub before: Value,
    pub after: Value,
    /// The object that the fix is about; any other is a named companion.
    pub intended: bool,
    /// Of a revert: as it was before the commit that is taken back. `Null`: it was not there, or it is no revert.
    pub good: Value,
}

/// A proved change.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub finding: Finding,
    pub intent: Intent,
    pub origin: Origin,
    pub edits: Vec<Edit>,
    pub files: Vec<FileChange>,
    pub objects: Vec<ObjectChange>,
    pub proof: Proof,
    pub next: Next,
    /// The commit that it takes back, instead of changing a field.
    pub reverts: Option<Commit>,
    /// What the policies say of it; never a denial.
    pub evaluation: Evaluation,
    /// What a model was asked and what it cost, when its answer is the intent, or its `opinion` on a rule's;
    /// redacted.
    pub asked: Option<Value>,
    /// What earlier fixes say of it, and of candidates that it was put before; foreign text is in it.
    pub lessons: Vec<String>,
    pub disposition: Disposition,
    /// `aifix/<namespace>/<kind>-<name>/<code>-<8 hex>`.
    pub branch: String,
}

/// What came of one root.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Proposed(Box<Proposal>),
    Refused { finding: Box<Finding>, refusal: Refusal },
}
