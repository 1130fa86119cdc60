//! The embedded library, asked without a child process.

use super::Set;
use super::child::{Watchdog, answer};
use super::protocol::{Line, RegoFile, Request, Task};
use crate::model::verdict::Verdict;
use serde_json::Value;
use std::time::Duration;

/// What the policies that come with the binary say about `input`.
pub(crate) fn verdicts(input: &Value) -> Vec<Verdict> {
    let set = Set::load(true, &[]).unwrap();
    let files = set.files.iter().filter(|file| !file.is_test()).map(|file| RegoFile {
        source: file.source,
        name: file.name.clone(),
        path: file.path.clone(),
        text: file.text.clone(),
        is_test: false,
        is_template: false,
        of_repository: false,
    });
    let request = Request {
        task: Task::Evaluate,
        files: files.collect(),
        data: set.data.clone(),
        input: input.clone(),
        done: Vec::new(),
        fatal: Vec::new(),
        constraints: Vec::new(),
    };
    let mut out = Vec::new();
    answer(&request, &mut out, &Watchdog::asleep(Duration::from_secs(600))).unwrap();
    let lines = out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .flat_map(|line| match serde_json::from_slice(line).unwrap() {
            Line::Verdicts(_, found) => found.into_iter().flat_map(|file| file.verdicts).collect(),
            _ => Vec::new(),
        })
        .collect()
}
