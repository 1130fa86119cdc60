//! What the policy child is told, and what it answers.
//!
//! Standard input: one line of [`Header`], then one [`Request`]. Standard output: one [`Line`]
//! per line. Every step is announced before it starts, so that a child that dies names its culprit.

use crate::model::verdict::Verdict;
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Task {
    /// Reads every file, tests too; those that do not parse are denied.
    Parse,
    Evaluate,
    Test,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) task: Task,
    pub(super) files: Vec<RegoFile>,
    /// The data document of each source.
    pub(super) data: Vec<Value>,
    pub(super) input: Value,
    /// Steps that an earlier child finished.
    pub(super) done: Vec<Step>,
    /// Steps that killed an earlier child.
    pub(super) fatal: Vec<Step>,
}

/// A piece of work that can be named when it kills the child. Numbers index [`Request::files`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Step {
    /// Reading one file.
    Parse(usize),
    /// Evaluating the files of one package.
    Package(Vec<usize>),
    /// Running one test of a file.
    Test(usize, String),
}

impl Step {
    /// The file that is named when only one can be.
    pub(super) fn file(&self) -> Option<usize> {
        match self {
            Self::Parse(file) | Self::Test(file, _) => Some(*file),
            Self::Package(files) => files.first().copied(),
        }
    }
}

/// What came of one file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileVerdicts {
    pub(super) file: usize,
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
}

/// One line of the answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Line {
    Begin(Step),
    /// The step that began last is over.
    Verdicts(Step, Vec<FileVerdicts>),
    Test(Step, TestResult),
    Done,
}
