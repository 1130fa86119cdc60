//! JUnit XML, read by a strict XML parser and by the parser of another project.

use super::{plain, report, scan};
use aifix::output::junit;
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use std::collections::BTreeSet;

/// What CI servers know, element by element, with the attributes that are known and those that are needed.
const KNOWN: [(&str, &[&str], &[&str]); 7] = [
    ("testsuites", &["name", "tests", "failures", "errors", "skipped"], &["tests"]),
    ("testsuite", &["name", "tests", "failures", "errors", "skipped", "timestamp"], &["name", "tests"]),
    ("testcase", &["name", "classname"], &["name", "classname"]),
    ("failure", &["message", "type"], &["message"]),
    ("error", &["message", "type"], &["message"]),
    ("skipped", &["message"], &["message"]),
    ("system-out", &[], &[]),
];

/// The document must be what its readers know, and its counts be true.
#[track_caller]
pub(super) fn check(text: &str) -> Report {
    let document = roxmltree::Document::parse(text).unwrap();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        let (_, known, needed) = KNOWN.iter().find(|(known, ..)| *known == name).unwrap_or_else(|| panic!("{name}"));
        let attributes: BTreeSet<&str> = node.attributes().map(|attribute| attribute.name()).collect();
        assert!(attributes.iter().all(|attribute| known.contains(attribute)), "{name}: {attributes:?}");
        assert!(needed.iter().all(|attribute| attributes.contains(attribute)), "{name}: {attributes:?}");
        if matches!(name, "testsuites" | "testsuite") {
            let count = |tag: &str| node.descendants().filter(|below| below.has_tag_name(tag)).count().to_string();
            for (attribute, tag) in
                [("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]
            {
                assert_eq!(node.attribute(attribute), Some(count(tag).as_str()), "{name}: {attribute}");
            }
        }
    }
    Report::deserialize_from_str(text).unwrap()
}

fn kind(status: &TestCaseStatus) -> &'static str {
    match status {
        TestCaseStatus::Success { .. } => "passed",
        TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. } => "failed",
        TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, .. } => "error",
        TestCaseStatus::Skipped { .. } => "skipped",
    }
}

#[test]
fn a_root_fails_a_gap_is_an_error_and_what_is_set_aside_is_skipped() {
    let read = check(&junit::scan(&report(&plain)).unwrap());
    let cases: Vec<String> = read
        .test_suites
        .iter()
        .flat_map(|suite| suite.test_cases.iter().map(move |case| (suite, case)))
        .map(|(suite, case)| format!("{:<7}  {}  {}", kind(&case.status), suite.name.as_str(), case.name.as_str()))
        .collect();
    insta::assert_snapshot!(cases.join("\n"), @r#"
    error    prod  looked at shop
    error    prod  not looked at: pods
    skipped  prod  not looked at: nodes
    failed   prod/shop  oom-killed: Deployment/web app
    failed   prod/shop  crash-app-error: Deployment/web app
    failed   prod/shop  crash-app-error: Deployment/web app
    passed   prod/shop  crash-dns: Deployment/web app
    skipped  prod/shop  image-not-found: Deployment/web app
    skipped  prod/shop  image-not-found: Deployment/web app
    skipped  prod/shop  image-not-found: Deployment/web app
    skipped  prod/shop  image-not-found: Deployment/web app
    error    staging  looked at shop
    error    staging  not looked at: pods
    skipped  staging  not looked at: nodes
    failed   staging/(cluster)  crash-app-error: Deployment/web app
    "#);
}

#[test]
fn a_healthy_scope_is_one_case_that_passes() {
    let read = check(&scan("trap-old-restart", "junit"));
    assert_eq!((read.tests, read.failures, read.errors), (1, 0, 0));
    let read = check(&scan("oom-killed", "junit"));
    assert_eq!((read.tests, read.failures, read.errors), (2, 1, 0));
}
