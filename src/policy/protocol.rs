//! What the policy child is told, and what it answers.
//!
//! Standard input: one line of [`Header`], then one [`Request`]. Standard output: one [`Line`]
//! per line. Every step is announced before it starts, so that a child that dies names its culprit.

use super::coverage::Reached;
use crate::model::verdict::{Decision, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The child limits itself by this before it reads anything else.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Header {
    /// Bytes of address space.
    pub(super) memory: u64,
    /// For the whole evaluation, or for each test.
    pub(super) deadline_ms: u64,
}

/// One Rego file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RegoFile {
    /// Which [`Request::data`] it sees, and which files it can import.
    pub(super) source: usize,
    pub(super) name: String,
    /// As locations show it.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) is_test: bool,
    /// The Rego of a Gatekeeper template: its constraints are asked, not it.
    pub(super) is_template: bool,
    /// The repository's own: it lends nothing to the policies that were given.
    pub(super) of_repository: bool,
}

impl RegoFile {
    /// Whether its own rules decide.
    pub(super) fn is_policy(&self) -> bool {
        !self.is_test && !self.is_template
    }
}

/// One Gatekeeper constraint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Constraint {
    /// `K8sRequiredLabels/owner`.
    pub(super) name: String,
    /// The file that it stands in.
    pub(super) path: String,
    /// The files of its template, the one with the rule `violation` first.
    pub(super) files: Vec<usize>,
    /// Why it can't be asked; empty when it can.
    pub(super) fault: String,
    /// What a violation of it means.
    pub(super) action: Decision,
    /// `spec.match`.
    pub(super) matching: Value,
    /// `spec.parameters`.
    pub(super) parameters: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Task {
    /// Reads every file, tests too; those that do not parse are denied.
    Parse,
    Evaluate,
    Test,
    /// Says what the rules of each file are, without asking them.
    Describe,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) task: Task,
    pub(super) files: Vec<RegoFile>,
    pub(super) constraints: Vec<Constraint>,
    /// The data document of each source.
    pub(super) data: Vec<Value>,
    pub(super) input: Value,
    /// Steps that an earlier child finished.
    pub(super) done: Vec<Step>,
    /// Steps that killed an earlier child.
    pub(super) fatal: Vec<Step>,
}

/// A piece of work that can be named when it kills the child. Numbers index [`Request::files`], but for constraints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Step {
    /// Reading one file.
    Parse(usize),
    /// Evaluating the files of one package.
    Package(Vec<usize>),
    /// Asking one of [`Request::constraints`].
    Constraint(usize),
    /// Running one test of a file.
    Test(usize, String),
}

impl Step {
    /// The policy that is named when only one can be.
    pub(super) fn subject(&self) -> Option<Subject> {
        match self {
            Self::Parse(file) | Self::Test(file, _) => Some(Subject::File(*file)),
            Self::Package(files) => files.first().copied().map(Subject::File),
            Self::Constraint(at) => Some(Subject::Constraint(*at)),
        }
    }
}

/// What a verdict is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Subject {
    File(usize),
    Constraint(usize),
}

/// What came of one policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SubjectVerdicts {
    pub(super) subject: Subject,
    pub(super) verdicts: Vec<Verdict>,
}

/// What came of one test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    /// `test_latest_is_denied`; the file's name when the file itself can't be used.
    pub name: String,
    pub file: String,
    /// From 1.
    pub line: u32,
    pub passed: bool,
    /// Why it failed; empty when it passed.
    pub message: String,
    /// Lines of policies that it was the first to reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reached: Vec<Reached>,
}

/// What one file says, without being asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Described {
    /// Its place in the set.
    pub file: usize,
    /// What it reads as `input`: `changes`, `manifest`, `both`, `review`; empty when that can't be told.
    pub reads: String,
    pub rules: Vec<DescribedRule>,
}

/// One rule of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribedRule {
    /// From 1.
    pub line: u32,
    /// Its text, with the indentation of its first line.
    pub source: String,
    /// The fields that it reads, as written: `input.changes`, `change.after`.
    pub fields: Vec<String>,
}

/// One line of the answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Line {
    Begin(Step),
    /// The step that began last is over.
    Verdicts(Step, Vec<SubjectVerdicts>),
    Test(Step, TestResult),
    About(Step, Described),
    Done,
}
