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

pub mod child;
mod decide;
mod embedded;
mod input;
mod location;
mod metadata;
mod protocol;
mod run;
mod set;
mod syntax;
mod walk;
mod world;

pub use input::{Change, Input, Mode};
pub use metadata::Metadata;
pub use protocol::TestResult;
pub use run::{Limits, SUBCOMMAND};
pub use set::{File, Set};

use crate::model::verdict::{Decision, Evaluation, PolicyRun, Verdict};
use crate::redact;
use protocol::{Step, Task};
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
    conclude(set, ask(set, Task::Parse, &Value::Null, limits, program).await).verdicts
}

/// Runs every rule whose name starts with `test_`, each on its own; `limits.deadline` is for each.
/// A file that can't be parsed is a failed test of its own, and so is a child that can't be started.
pub async fn test(set: &Set, limits: &Limits, program: &Path) -> Vec<TestResult> {
    let answer = ask(set, Task::Test, &Value::Null, limits, program).await;
    let mut results = answer.tests;
    for death in &answer.deaths {
        let file = death.step.as_ref().and_then(Step::file).and_then(|at| set.files.get(at));
        let name = match (&death.step, file) {
            (Some(Step::Test(_, name)), _) => name.clone(),
            (_, Some(file)) => file.name.clone(),
            (_, None) => "policy tests".to_owned(),
        };
        let path = file.map(|file| file.path.clone()).unwrap_or_default();
        results.push(TestResult { name, file: path, line: 1, passed: false, message: death.reason.clone() });
    }
    if !answer.is_whole && answer.deaths.iter().all(|death| death.step.is_some()) {
        let message = "not every test was run: too many of them ended the evaluator".to_owned();
        results.push(TestResult {
            name: "policy tests".to_owned(),
            file: String::new(),
            line: 1,
            passed: false,
            message,
        });
    }
    results.sort_by(|a, b| (&a.file, a.line, &a.name).cmp(&(&b.file, b.line, &b.name)));
    results
}

/// Turns what the children said into verdicts; what they did not say is a denial.
fn conclude(set: &Set, answer: Answer) -> Evaluation {
    let mut by_file: BTreeMap<usize, Vec<Verdict>> = BTreeMap::new();
    for found in answer.verdicts {
        by_file.entry(found.file).or_default().extend(found.verdicts);
    }
    let mut unnamed = Vec::new();
    for Death { step, reason } in &answer.deaths {
        match step {
            Some(Step::Package(files)) => {
                for at in files {
                    by_file.entry(*at).or_default().push(denial(set, Some(*at), reason));
                }
            }
            Some(step) => {
                let said = denial(set, step.file(), reason);
                by_file.entry(step.file().unwrap_or_default()).or_default().push(said);
            }
            None => unnamed.push(denial(set, None, reason)),
        }
    }
    let mut missing = Vec::new();
    if !answer.is_whole {
        let reason = answer.deaths.last().map_or("the deadline had passed", |death| death.reason.as_str());
        for (at, _) in set.files.iter().enumerate().filter(|(_, file)| !file.is_test()) {
            if !by_file.contains_key(&at) {
                missing.push((at, denial(set, Some(at), &format!("it was not reached, because of another: {reason}"))));
            }
        }
    }
    let mut decisions: BTreeMap<usize, Decision> = missing.iter().map(|(at, _)| (*at, Decision::Deny)).collect();
    for (at, verdicts) in &by_file {
        let strictest = verdicts.iter().map(|verdict| verdict.decision).max();
        decisions.insert(*at, strictest.unwrap_or(Decision::Allow));
    }
    let run = |(at, decision): (usize, Decision)| {
        let file = set.files.get(at)?;
        Some(PolicyRun { name: file.name.clone(), sha256: file.sha256.clone(), decision })
    };
    let policies = decisions.into_iter().filter_map(run).collect();
    let said = unnamed.into_iter().chain(by_file.into_values().flatten());
    let mut verdicts: Vec<Verdict> = said.chain(missing.into_iter().map(|(_, denied)| denied)).map(clean).collect();
    verdicts.sort_by_key(|verdict| std::cmp::Reverse(verdict.decision));
    Evaluation { verdicts, policies }
}

fn denial(set: &Set, at: Option<usize>, reason: &str) -> Verdict {
    let policy = at.and_then(|at| set.files.get(at)).map(|file| file.name.clone()).unwrap_or_default();
    let subject = if policy.is_empty() { "policies" } else { "the policy" };
    Verdict {
        policy,
        rule: String::new(),
        decision: Decision::Deny,
        message: format!("{subject} can't be evaluated: {reason}"),
        object: None,
        path: None,
        location: None,
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
