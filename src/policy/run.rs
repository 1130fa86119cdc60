//! Starts policy children until every step has an answer.

use super::protocol::{Described, Header, Line, RegoFile, Request, Step, SubjectVerdicts, Task, TestResult};
use super::set::Set;
use crate::doors::process::{Finished, Run, RunError, run};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// The hidden subcommand that answers.
pub const SUBCOMMAND: &str = "__policy";
/// Children that may die before the rest is not evaluated any more.
const CHILDREN: usize = 5;
/// Bytes of an answer at most.
const ANSWER: usize = 16 << 20;
/// What the parent waits beyond the child's own deadline.
const GRACE: Duration = Duration::from_secs(2);

/// What a policy child may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For all policies together; for each test when tests are run.
    pub deadline: Duration,
    /// Bytes of address space.
    pub memory: u64,
}

impl Default for Limits {
    /// 5 s and 512 MiB.
    fn default() -> Self {
        Self { deadline: Duration::from_secs(5), memory: 512 << 20 }
    }
}

/// A child that died.
#[derive(Debug)]
pub(super) struct Death {
    /// What it was doing, when that is known.
    pub(super) step: Option<Step>,
    pub(super) reason: String,
}

/// What all children said together.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) verdicts: Vec<SubjectVerdicts>,
    pub(super) tests: Vec<TestResult>,
    pub(super) described: Vec<Described>,
    pub(super) deaths: Vec<Death>,
    /// Every step is answered or died.
    pub(super) is_whole: bool,
}

/// Asks a child; when it dies, asks the next one for what is left.
pub(super) async fn ask(set: &Set, task: Task, input: &Value, limits: &Limits, program: &Path) -> Answer {
    let files = set.files.iter().map(|file| RegoFile {
        source: file.source,
        name: file.name.clone(),
        path: file.path.clone(),
        text: file.text.clone(),
        is_test: file.is_test(),
        is_template: file.is_template,
        of_repository: file.of_repository,
    });
    let mut request = Request {
        task,
        files: files.collect(),
        constraints: set.constraints.iter().map(|constraint| constraint.asked.clone()).collect(),
        data: set.data.clone(),
        input: input.clone(),
        done: Vec::new(),
        fatal: Vec::new(),
    };
    let mut answer = Answer::default();
    let started = Instant::now();
    for _ in 0..CHILDREN {
        let left = match task {
            Task::Parse | Task::Evaluate | Task::Describe => limits.deadline.saturating_sub(started.elapsed()),
            Task::Test => limits.deadline,
        };
        if left.is_zero() {
            break;
        }
        let Err(death) = one(&mut request, &mut answer, left, limits, program).await else {
            answer.is_whole = true;
            break;
        };
        let Some(step) = death.step.clone() else {
            // Another child would do no better.
            answer.deaths.push(death);
            break;
        };
        request.fatal.push(step);
        answer.deaths.push(death);
    }
    answer
}

/// Runs one child and takes what it says.
async fn one(
    request: &mut Request,
    answer: &mut Answer,
    left: Duration,
    limits: &Limits,
    program: &Path,
) -> Result<(), Death> {
    let header =
        Header { memory: limits.memory, deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1) };
    let mut input = serde_json::to_vec(&header).unwrap_or_default();
    input.push(b'\n');
    let died = |step: Option<Step>, reason: String| Err(Death { step, reason });
    if let Err(error) = serde_json::to_writer(&mut input, request) {
        return died(None, format!("the request can't be written: {error}"));
    }
    let mut child = Run::new(program).args([SUBCOMMAND]);
    child.input = input;
    child.output_limit = ANSWER;
    child.deadline = match request.task {
        Task::Parse | Task::Evaluate | Task::Describe => left + GRACE,
        Task::Test => left.saturating_mul(20) + GRACE,
    };
    let finished = match run(child).await {
        Ok(finished) => finished,
        Err(error) => return died(None, unfinished(&error)),
    };
    let mut current = None;
    for line in finished.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(Line::Begin(step)) => current = Some(step),
            Ok(Line::Verdicts(step, verdicts)) => {
                current = None;
                answer.verdicts.extend(verdicts);
                request.done.push(step);
            }
            Ok(Line::Test(step, result)) => {
                current = None;
                answer.tests.push(result);
                request.done.push(step);
            }
            Ok(Line::About(step, described)) => {
                current = None;
                answer.described.push(described);
                request.done.push(step);
            }
            Ok(Line::Done) if finished.code == 0 => return Ok(()),
            // A last line that was cut by the child's death is not an answer.
            Ok(Line::Done) | Err(_) => break,
        }
    }
    died(current, ended(&finished, limits))
}

fn unfinished(error: &RunError) -> String {
    match error {
        RunError::NotFound(_) | RunError::Start { .. } => format!("the policy child can't be started: {error}"),
        RunError::Deadline { .. } => "the policy child did not answer before its deadline".to_owned(),
        RunError::TooMuchOutput { limit, .. } => {
            format!("the policy child answered with more than {} MiB", limit >> 20)
        }
    }
}

/// Why a child ended without a whole answer.
fn ended(finished: &Finished, limits: &Limits) -> String {
    const ABORT: i32 = 128 + 6;
    const KILL: i32 = 128 + 9;
    const SEGV: i32 = 128 + 11;
    const ALARM: i32 = 128 + 14;
    const XCPU: i32 = 128 + 24;
    let says = |words: &str| finished.stderr.contains(words);
    match finished.code {
        ABORT | SEGV if says("overflowed its stack") => "recursion: it overflowed the stack".to_owned(),
        ABORT if says("memory allocation of") => format!("it used more than {} MiB of memory", limits.memory >> 20),
        KILL => "it was killed, most likely for its memory".to_owned(),
        ALARM | XCPU => format!("ran longer than its deadline of {} ms", limits.deadline.as_millis()),
        0 => "the policy child gave no whole answer".to_owned(),
        code => {
            // A panic's first line names a place in our own code.
            let mut words = finished.stderr.lines().map(str::trim).filter(|line| !line.is_empty());
            let said = words.find(|line| !line.starts_with("thread '")).unwrap_or("nothing");
            format!("the evaluator ended with code {code} and said: {}", crate::text::clip(said, 300))
        }
    }
}
