//! JUnit XML: what CI servers show as test results.
//!
//! Per context one suite with a case for what was looked at, then one per namespace with a case for each
//! finding. A root cause is a failure, an essential gap an error; what is merely worth knowing passes.

use super::words::{self, escaped};
use crate::error::Error;
use crate::model::finding::Severity;
use crate::model::report::{ContextReport, ReportedFinding, ScanReport, SetAside};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// How a case ended.
enum End {
    Passed,
    Failure { kind: &'static str, message: String },
    Error { message: String },
    Skipped { message: String },
}

struct Case {
    name: String,
    class: String,
    end: End,
    /// Lines that belong to it.
    said: Vec<String>,
}

struct Suite {
    name: String,
    at: Option<Timestamp>,
    cases: Vec<Case>,
}

/// The report as a JUnit document.
///
/// # Errors
/// None; formats are called alike.
pub fn scan(report: &ScanReport) -> Result<String, Error> {
    let suites: Vec<Suite> = report.contexts.iter().flat_map(|context| suites(report, context)).collect();
    // The schema of Jenkins has no `skipped` here, and a file that has it is refused as a whole.
    let (counts, _) = counts(suites.iter().flat_map(|suite| &suite.cases));
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"aifix\" {counts}>\n");
    for suite in &suites {
        write_suite(&mut out, suite);
    }
    out.push_str("</testsuites>\n");
    Ok(out)
}

fn suites(report: &ScanReport, context: &ContextReport) -> Vec<Suite> {
    let (label, at) = (words::name(&context.name), context.taken_at);
    let mut suites = vec![Suite { name: label.clone(), at, cases: looked(report, context, &label) }];
    let mut namespaces: BTreeMap<&str, Vec<Case>> = BTreeMap::new();
    let of_context = |reported: &&ReportedFinding| reported.context == context.name;
    for reported in report.findings.iter().filter(of_context) {
        namespaces.entry(reported.finding.object.namespace()).or_default().push(case(reported, None, at));
    }
    for aside in report.set_aside.iter().filter(|aside| aside.reported.context == context.name) {
        let namespace = aside.reported.finding.object.namespace();
        namespaces.entry(namespace).or_default().push(case(&aside.reported, Some(aside), at));
    }
    suites.extend(namespaces.into_iter().map(|(namespace, cases)| {
        let namespace = if namespace.is_empty() { "(cluster)".to_owned() } else { words::name(namespace) };
        Suite { name: format!("{label}/{namespace}"), at, cases }
    }));
    suites
}

/// The scope, which passes when all that is essential was seen, and each gap.
fn looked(report: &ScanReport, context: &ContextReport, label: &str) -> Vec<Case> {
    let essential = context.gaps.iter().any(|gap| gap.essential);
    let case = |name: String, end: End, said: Vec<String>| Case { name, class: label.to_owned(), end, said };
    let scope = format!("looked at {}", words::name(&context.scope));
    let end =
        if essential { End::Error { message: "not everything could be looked at".to_owned() } } else { End::Passed };
    let mut cases = vec![case(scope, end, vec![words::headline(report, context)])];
    cases.extend(context.gaps.iter().map(|gap| {
        let message = format!("not looked at: {}", words::gap(gap));
        let end = if gap.essential { End::Error { message } } else { End::Skipped { message } };
        case(format!("not looked at: {}", words::name(&gap.what)), end, Vec::new())
    }));
    cases
}

fn case(reported: &ReportedFinding, aside: Option<&SetAside>, now: Option<Timestamp>) -> Case {
    let finding = &reported.finding;
    let container = finding.container.as_deref().map(|name| format!(" {}", words::name(name))).unwrap_or_default();
    let object = format!("{}/{}", words::name(&finding.object.kind), words::name(&finding.object.name));
    let message = words::summary(finding);
    let end = match (aside, finding.severity) {
        (Some(aside), _) => End::Skipped { message: words::reason(aside) },
        (None, Severity::Info) => End::Passed,
        (None, severity) => End::Failure { kind: severity.name(), message: message.clone() },
    };
    let mut said = vec![format!("{}: {message}", finding.severity.name())];
    if let Some(source) = &reported.source {
        said.push(format!("source: {}", words::in_git(source)));
        said.extend(words::commit(source).map(|commit| format!("commit: {commit}")));
    }
    said.extend(words::story(finding, now));
    Case {
        name: format!("{}: {object}{container}", finding.code),
        class: format!("{}.{}", words::name(&reported.context), words::name(finding.object.namespace())),
        end,
        said,
    }
}

/// The attributes that suites and all of them together have, and how many were skipped.
fn counts<'c>(cases: impl Iterator<Item = &'c Case>) -> (String, usize) {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.end {
            End::Passed => {}
            End::Failure { .. } => failures += 1,
            End::Error { .. } => errors += 1,
            End::Skipped { .. } => skipped += 1,
        }
    }
    (format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\""), skipped)
}

fn write_suite(out: &mut String, suite: &Suite) {
    let (counts, skipped) = counts(suite.cases.iter());
    let at = suite.at.map(|at| format!(" timestamp=\"{}\"", at.strftime("%Y-%m-%dT%H:%M:%SZ"))).unwrap_or_default();
    let _ = writeln!(out, "  <testsuite name=\"{}\" {counts} skipped=\"{skipped}\"{at}>", escaped(&suite.name));
    for case in &suite.cases {
        let (name, class) = (escaped(&case.name), escaped(&case.class));
        let _ = writeln!(out, "    <testcase name=\"{name}\" classname=\"{class}\">");
        let said = escaped(&case.said.join("\n"));
        match &case.end {
            End::Failure { kind, message } => {
                let message = escaped(message);
                let _ = writeln!(out, "      <failure message=\"{message}\" type=\"{kind}\">{said}</failure>");
            }
            End::Error { message } => {
                let message = escaped(message);
                let _ = writeln!(out, "      <error message=\"{message}\" type=\"gap\">{said}</error>");
            }
            End::Skipped { message } => {
                let _ = writeln!(out, "      <skipped message=\"{}\"/>", escaped(message));
            }
            End::Passed => {}
        }
        if matches!(case.end, End::Passed | End::Skipped { .. }) && !said.is_empty() {
            let _ = writeln!(out, "      <system-out>{said}</system-out>");
        }
        out.push_str("    </testcase>\n");
    }
    out.push_str("  </testsuite>\n");
}
