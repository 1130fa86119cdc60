//! What policies say, with the line that said it.

use crate::model::verdict::{Decision, Evaluation, Verdict};
use crate::policy::{self, FileCoverage, TestResult};
use crate::text::{self, Sanitised};
use crate::ui::{Page, Paint};

/// Every verdict, the strictest first, each under the line of the policy that said it.
pub fn write(page: &mut Page, evaluation: &Evaluation, width: usize) {
    for verdict in &evaluation.verdicts {
        one(page, verdict, width);
    }
}

/// `policies  13 asked: allowed`.
pub fn summary(page: &mut Page, evaluation: &Evaluation) {
    page.put(Paint::Plain, format_args!("policies  {} asked: ", evaluation.policies.len()));
    decision(page, evaluation);
}

/// `3 objects, 13 policies: allowed`.
pub fn headline(page: &mut Page, evaluation: &Evaluation, objects: usize) {
    page.put(Paint::Bold, text::count(objects, "object"));
    page.put(Paint::Plain, format_args!(", {} policies: ", evaluation.policies.len()));
    decision(page, evaluation);
}

fn decision(page: &mut Page, evaluation: &Evaluation) {
    let (paint, words) = match evaluation.decision() {
        Decision::Allow => (Paint::Green, "allowed"),
        Decision::Warn => (Paint::Yellow, "allowed with a warning"),
        Decision::NeedsApproval => (Paint::Yellow, "needs a person's approval"),
        Decision::Deny => (Paint::Red, "denied"),
    };
    page.put(paint, words).end();
}

/// One verdict under the line of the policy that said it.
pub fn one(page: &mut Page, verdict: &Verdict, width: usize) {
    let paint = match verdict.decision {
        Decision::Deny => Paint::Red,
        Decision::NeedsApproval | Decision::Warn => Paint::Yellow,
        Decision::Allow => Paint::Green,
    };
    page.put(Paint::Plain, "  ").put(paint, verdict.decision.name());
    page.put(Paint::Plain, if verdict.held_before { " (held before)  " } else { "  " });
    page.foreign(Paint::Cyan, if verdict.policy.is_empty() { "policies" } else { &verdict.policy }).end();
    let mut words = verdict.message.clone();
    let place: Vec<&str> = [&verdict.object, &verdict.path].into_iter().flatten().map(String::as_str).collect();
    if !place.is_empty() {
        words = format!("{}: {words}", place.join(" "));
    }
    page.wrapped(width, "    ", "    ", Sanitised::line(&words).as_str());
    if let Some(location) = &verdict.location {
        page.put(Paint::Dim, "    --> ").foreign(Paint::Dim, &location.to_string()).end();
        if !location.source.is_empty() {
            let line = format!("{:>6} | {}", location.line, location.source.trim_end());
            page.put(Paint::Dim, Sanitised::line(&text::clip(&line, 200))).end();
        }
    }
}

/// Failed tests with their place, then the count that a test runner reads.
pub fn tests(page: &mut Page, results: &[TestResult], width: usize) {
    for result in results.iter().filter(|result| !result.passed) {
        page.put(Paint::Red, "FAILED").put(Paint::Plain, "  ").foreign(Paint::Bold, &result.name);
        page.put(Paint::Dim, "  ").foreign(Paint::Dim, &format!("{}:{}", result.file, result.line)).end();
        if !result.message.is_empty() {
            page.wrapped(width, "  ", "  ", Sanitised::line(&result.message).as_str());
        }
    }
    let failed = results.iter().filter(|result| !result.passed).count();
    page.line(format_args!("{} passed, {failed} failed", results.len() - failed));
}

/// The files of which lines are not reached, and how much of all is.
pub fn coverage(page: &mut Page, files: &[FileCoverage]) {
    for file in files.iter().filter(|file| !file.is_whole()) {
        page.foreign(Paint::Bold, &file.file).put(Paint::Plain, "  ");
        let missed = file.missed_lines();
        let words = match (missed.is_empty(), file.missed.len()) {
            (true, _) => "no test reaches it".to_owned(),
            (false, 1) => format!("no test reaches line {missed}"),
            (false, _) => format!("no test reaches lines {missed}"),
        };
        page.put(Paint::Yellow, words).end();
    }
    page.line(format_args!("{} % of the policies' lines are reached", policy::percent(files)));
}
