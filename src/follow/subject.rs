//! What is followed, read from a record.

use crate::model::intent::Op;
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::record::{Entry, Phase};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// One changed place of one file, as it was proposed.
#[derive(Debug, Clone, PartialEq)]
pub struct FileEdit {
    pub file: String,
    pub document: usize,
    pub path: Path,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

/// One changed field of the live object, as it was proposed.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveEdit {
    pub path: Path,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

/// A fix that is followed; without a commit nothing of it was pushed.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    pub record: String,
    /// Hash of the entry `proposed`: the trailer `Aifix-Record:` of its commits.
    pub hash: String,
    pub code: String,
    /// What fails.
    pub object: ObjectRef,
    pub container: Option<String>,
    /// What is changed.
    pub target: ObjectRef,
    pub live: Vec<LiveEdit>,
    pub edits: Vec<FileEdit>,
    /// The context that the failure was seen in, or the name of a file.
    pub cluster: String,
    /// The repository of the base branch, without credentials.
    pub repo: String,
    pub base_branch: String,
    /// The commit that it is based on.
    pub base: String,
    pub branch: String,
    pub commit: String,
    /// Where the branch was pushed.
    pub remote: String,
    pub request: Option<u64>,
    pub pushed: Option<Timestamp>,
    /// What the record tells so far, oldest first.
    pub told: Vec<(Phase, Value, Option<Timestamp>)>,
}

impl Subject {
    /// Reads the entries of one record; `None` when nothing of it was pushed.
    pub fn of(entries: &[Entry]) -> Option<Self> {
        let pushed = entries.iter().rev().find(|entry| entry.phase == Phase::Pushed)?;
        Self::read(entries, Some(pushed))
    }

    /// Reads a record that tells of a fix and not yet of an end: its run waits for an answer, or was killed.
    pub fn proposed(entries: &[Entry]) -> Option<Self> {
        let open = |entry: &Entry| matches!(entry.phase, Phase::Proposed | Phase::Feedback | Phase::Erased);
        entries.iter().all(open).then(|| Self::read(entries, None)).flatten()
    }

    fn read(entries: &[Entry], pushed: Option<&Entry>) -> Option<Self> {
        let proposed = entries.iter().find(|entry| entry.phase == Phase::Proposed)?;
        let body = &proposed.body;
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let object = object(body.pointer("/failure/object")?)?;
        let target = body.pointer("/proposedFix/intent/object").and_then(self::object);
        let of_push = |name: &str| {
            let value = pushed.and_then(|pushed| pushed.body.get(name)).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let request = entries.iter().rev().find(|entry| entry.phase == Phase::PullRequest);
        let at = |entry: &Entry| entry.at.parse().ok();
        Some(Self {
            record: proposed.record.clone(),
            hash: proposed.hash.clone(),
            code: text("/failure/code"),
            target: target.unwrap_or_else(|| object.clone()),
            object,
            container: body.pointer("/failure/container").and_then(Value::as_str).map(str::to_owned),
            live: items(body, "/proposedFix/intent/edits").iter().filter_map(live_edit).collect(),
            edits: items(body, "/proposedFix/edits").iter().filter_map(file_edit).collect(),
            cluster: text("/context/cluster"),
            repo: text("/proposedFix/origin/repo"),
            base_branch: text("/proposedFix/origin/branch"),
            base: text("/proposedFix/proof/base"),
            branch: of_push("branch"),
            commit: of_push("commit"),
            remote: of_push("remote"),
            request: request.and_then(|entry| entry.body.get("number")?.as_u64()),
            pushed: pushed.and_then(at),
            told: entries.iter().map(|entry| (entry.phase, entry.body.clone(), at(entry))).collect(),
        })
    }

    /// Whether the record tells of a phase, and when it did first.
    pub fn told_at(&self, phase: Phase) -> Option<Option<Timestamp>> {
        self.told.iter().find(|(told, _, _)| *told == phase).map(|(_, _, at)| *at)
    }

    /// Files that it changes.
    pub fn files(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.edits.iter().map(|edit| edit.file.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn object(value: &Value) -> Option<ObjectRef> {
    ObjectRef::deserialize(value).ok()
}

fn items<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn present(edit: &Value, name: &str) -> Option<Value> {
    edit.get(name).filter(|value| !value.is_null()).cloned()
}

fn live_edit(edit: &Value) -> Option<LiveEdit> {
    let path = edit.get("steps").and_then(|steps| Path::deserialize(steps).ok());
    let path = path.or_else(|| edit.get("path")?.as_str().map(Path::of))?;
    let op = edit.get("op").and_then(|op| Op::deserialize(op).ok());
    let new = present(edit, "new").filter(|_| op != Some(Op::Remove));
    Some(LiveEdit { path, old: present(edit, "old"), new })
}

fn file_edit(edit: &Value) -> Option<FileEdit> {
    let document = edit.get("document").and_then(Value::as_u64).and_then(|at| usize::try_from(at).ok());
    Some(FileEdit {
        file: edit.get("file")?.as_str()?.to_owned(),
        document: document.unwrap_or_default(),
        path: Path::of(edit.get("path")?.as_str()?),
        old: present(edit, "old"),
        new: present(edit, "new"),
    })
}
