//! Rego policies on before and after, in a child process.
//!
//! A [`Set`] holds the embedded policies (`policies/`) and those of extra folders. [`evaluate`]
//! hands it with an [`Input`] to a child process of our own binary (`aifix __policy`, which is
//! [`child::run`]), without environment, with a deadline and a bound on memory. Whatever goes
//! wrong is a denial that names the policy: a policy that does not parse, loops, recurses, uses a
//! missing builtin or eats memory can only stop a change, never let one through.
//!
//! A policy is a Rego file with rules named `deny`, `violation`, `needs_approval` or `warn`, each
//! also with a suffix (`deny_root`). Their values are a sentence, or `{message, object, path}`.
//! Files of one package are evaluated together; a file sees only files and data of its own source.
//!
//! What it reads as `input` is seen in its text (`dialect`): the change as a whole, or one manifest
//! at a time as conftest gives it. Gatekeeper's constraints (`gatekeeper`) get an admission review.
//! Of the last two both sides of a change are asked: what held before is no new violation.

pub mod child;
mod conftest;
mod constraints;
mod coverage;
mod data;
mod decide;
mod describe;
mod dialect;
mod embedded;
mod evaluator;
mod folder;
mod gatekeeper;
mod input;
mod labels;
mod location;
mod metadata;
mod own;
mod protocol;
mod rounds;
mod run;
mod set;
mod surroundings;
mod syntax;
#[cfg(test)]
pub(crate) mod testing;
mod walk;
mod world;

pub use constraints::Constraint;
pub use coverage::{FileCoverage, Reached, coverage, percent};
pub use input::{Change, Circumstances, Input, Mode};
pub use metadata::Metadata;
pub use protocol::{Described, DescribedRule, TestResult};
pub use run::{Limits, SUBCOMMAND};
pub use set::{File, Set};
pub use surroundings::Surroundings;

use crate::model::verdict::{Decision, Evaluation, PolicyRun, Verdict};
use crate::redact;
use protocol::{Step, Subject, Task};
use run::{Answer, Death, ask};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Asks every policy of the set about `input` ([`Input::to_value`]).
/// `program` is our own binary, or one that answers to [`SUBCOMMAND`] as it does.
/// It never fails: what can't be evaluated is denied.
pub async fn evaluate(set: &Set, input: &Value, limits: &Limits, program: &Path) -> Evaluation {
    conclude(set, ask(set, Task::Evaluate, input, limits, program).await)
}

/// Asks every policy about manifests as they stand: there is no before.
pub async fn check(manifests: &[Value], set: &Set, limits: &Limits, program: &Path) -> Evaluation {
    evaluate(set, &Input::check(manifests).to_value(), limits, program).await
}

/// Parses every file, tests too. A denial for each that does not parse, with its place; none when all do.
pub async fn parse(set: &Set, limits: &Limits, program: &Path) -> Vec<Verdict> {
    let said = conclude(set, ask(set, Task::Parse, &Value::Null, limits, program).await).verdicts;
    said.into_iter().filter(|verdict| verdict.decision == Decision::Deny).collect()
}

/// What each file's rules are, and what they read; of a file that does not parse nothing.
pub async fn describe(set: &Set, limits: &Limits, program: &Path) -> Vec<Described> {
    ask(set, Task::Describe, &Value::Null, limits, program).await.described
}

/// Runs every rule whose name starts with `test_`, each on its own; `limits.deadline` is for each.
/// A file that can't be parsed is a failed test of its own, and so is a child that can't be started.
pub async fn test(set: &Set, limits: &Limits, program: &Path) -> Vec<TestResult> {
    let answer = ask(set, Task::Test, &Value::Null, limits, program).await;
    let mut results = answer.tests;
    for death in &answer.deaths {
        let file = death.step.as_ref().and_then(Step::subject);
        let file = match file {
            Some(Subject::File(at)) => set.files.get(at),
            Some(Subject::Constraint(_)) | None => None,
        };
        let name = match (&death.step, file) {
            (Some(Step::Test(_, name)), _) => name.clone(),
            (_, Some(file)) => file.name.clone(),
            (_, None) => "policy tests".to_owned(),
        };
        let path = file.map(|file| file.path.clone()).unwrap_or_default();
        let (message, reached) = (death.reason.clone(), Vec::new());
        results.push(TestResult { name, file: path, line: 1, passed: false, message, reached });
    }
    if !answer.is_whole && answer.deaths.iter().all(|death| death.step.is_some()) {
        let message = "not every test was run: too many of them ended the evaluator".to_owned();
        results.push(TestResult {
            name: "policy tests".to_owned(),
            file: String::new(),
            line: 1,
            passed: false,
            message,
            reached: Vec::new(),
        });
    }
    results.sort_by(|a, b| (&a.file, a.line, &a.name).cmp(&(&b.file, b.line, &b.name)));
    results
}

/// Turns what the children said into verdicts; what they did not say is a denial.
fn conclude(set: &Set, answer: Answer) -> Evaluation {
    let mut said: BTreeMap<Subject, Vec<Verdict>> = BTreeMap::new();
    for found in answer.verdicts {
        said.entry(found.subject).or_default().extend(found.verdicts);
    }
    let mut unnamed: Vec<Verdict> = set.aside.iter().map(|words| aside(words)).collect();
    for Death { step, reason } in &answer.deaths {
        match step {
            Some(Step::Package(files)) => {
                for subject in files.iter().copied().map(Subject::File) {
                    said.entry(subject).or_default().push(denial(set, Some(subject), reason));
                }
            }
            Some(step) => {
                let denied = denial(set, step.subject(), reason);
                said.entry(step.subject().unwrap_or(Subject::File(0))).or_default().push(denied);
            }
            None => unnamed.push(denial(set, None, reason)),
        }
    }
    let mut missing = Vec::new();
    if !answer.is_whole {
        let reason = answer.deaths.last().map_or("the deadline had passed", |death| death.reason.as_str());
        for subject in asked(set).filter(|subject| !said.contains_key(subject)) {
            let reason = format!("it was not reached, because of another: {reason}");
            missing.push((subject, denial(set, Some(subject), &reason)));
        }
    }
    let mut decisions: BTreeMap<Subject, Decision> = missing.iter().map(|(at, _)| (*at, Decision::Deny)).collect();
    for (subject, verdicts) in &said {
        let strictest = verdicts.iter().map(|verdict| verdict.decision).max();
        decisions.insert(*subject, strictest.unwrap_or(Decision::Allow));
    }
    let run = |(subject, decision): (Subject, Decision)| {
        let (name, sha256) = set.subject(subject)?;
        Some(PolicyRun { name: name.to_owned(), sha256: sha256.to_owned(), decision })
    };
    let policies = decisions.into_iter().filter_map(run).collect();
    let whole = unnamed.into_iter().chain(said.into_values().flatten());
    let mut verdicts: Vec<Verdict> = whole.chain(missing.into_iter().map(|(_, denied)| denied)).map(clean).collect();
    verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.decision));
    Evaluation { verdicts, policies }
}

/// Everything that may decide.
fn asked(set: &Set) -> impl Iterator<Item = Subject> {
    let is_asked = |file: &File| !file.is_test() && !file.is_template;
    let files = set.files.iter().enumerate().filter(move |(_, file)| is_asked(file)).map(|(at, _)| Subject::File(at));
    files.chain((0..set.constraints.len()).map(Subject::Constraint))
}

fn denial(set: &Set, subject: Option<Subject>, reason: &str) -> Verdict {
    let policy = subject.and_then(|subject| set.subject(subject)).map(|(name, _)| name.to_owned()).unwrap_or_default();
    let words = if policy.is_empty() { "policies" } else { "the policy" };
    Verdict {
        policy,
        rule: String::new(),
        decision: Decision::Deny,
        message: format!("{words} can't be evaluated: {reason}"),
        object: None,
        path: None,
        location: None,
        held_before: false,
    }
}

/// What was found and not asked is said.
fn aside(words: &str) -> Verdict {
    let policy = String::new();
    Verdict {
        policy,
        rule: String::new(),
        decision: Decision::Warn,
        message: words.to_owned(),
        object: None,
        path: None,
        location: None,
        held_before: false,
    }
}

/// A policy may repeat what it read; none of it leaves unredacted.
fn clean(verdict: Verdict) -> Verdict {
    Verdict {
        message: redacted(&verdict.message),
        object: verdict.object.as_deref().map(redacted),
        path: verdict.path.as_deref().map(redacted),
        ..verdict
    }
}

fn redacted(text: &str) -> String {
    redact::text(text).into_string()
}
