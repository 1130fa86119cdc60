//! JUnit XML, held against a published schema and read by another project.

use super::{plain, report, scan};
use aifix::output::junit;
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};

/// An element, what may stand in it, and its attributes: those that it must have come first.
struct Element {
    name: &'static str,
    children: &'static [&'static str],
    must: &'static [&'static str],
    may: &'static [&'static str],
}

const fn element(
    name: &'static str,
    children: &'static [&'static str],
    must: &'static [&'static str],
    may: &'static [&'static str],
) -> Element {
    Element { name, children, must, may }
}

/// What the xUnit plugin of Jenkins lets in: it refuses a file that its schema does not describe.
///
/// <https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd>
const SCHEMA: [Element; 7] = [
    element("testsuites", &["testsuite"], &[], &["name", "tests", "failures", "errors", "time"]),
    element(
        "testsuite",
        &["testsuite", "properties", "testcase", "system-out", "system-err"],
        &["name", "tests", "failures", "errors"],
        &["skipped", "timestamp", "time", "hostname", "id", "package", "group", "file", "log", "url"],
    ),
    element(
        "testcase",
        &["skipped", "error", "failure", "system-out", "system-err"],
        &["name"],
        &["classname", "time", "group"],
    ),
    element("failure", &[], &[], &["message", "type"]),
    element("error", &[], &[], &["message", "type"]),
    element("skipped", &[], &[], &["message", "type"]),
    element("system-out", &[], &[], &[]),
];

/// What other readers need beside it: <https://github.com/windyroad/JUnit-Schema/blob/master/JUnit.xsd>
const NEEDED: [(&str, &[&str]); 3] =
    [("testcase", &["name", "classname"]), ("failure", &["type", "message"]), ("error", &["type", "message"])];

/// The characters that XML 1.0 has.
fn is_legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The first thing that the schema does not allow.
fn broken(text: &str) -> Option<String> {
    if let Some(c) = text.chars().find(|c| !is_legal(*c)) {
        return Some(format!("{c:?} is no character of XML"));
    }
    let document = match roxmltree::Document::parse(text) {
        Ok(document) => document,
        Err(error) => return Some(error.to_string()),
    };
    if !document.root_element().has_tag_name("testsuites") {
        return Some("the root is no testsuites".to_owned());
    }
    document.descendants().filter(roxmltree::Node::is_element).find_map(|node| {
        let name = node.tag_name().name();
        let Some(known) = SCHEMA.iter().find(|known| known.name == name) else {
            return Some(format!("{name} is not known"));
        };
        let needed = NEEDED.iter().filter(|(element, _)| *element == name).flat_map(|(_, all)| *all);
        if let Some(lacks) = known.must.iter().chain(needed).find(|attribute| !node.has_attribute(**attribute)) {
            return Some(format!("{name} lacks {lacks}"));
        }
        for attribute in node.attributes() {
            let (field, value) = (attribute.name(), attribute.value());
            if !known.must.iter().chain(known.may).any(|known| *known == field) {
                return Some(format!("{name} has no {field}"));
            }
            let holds = match field {
                "tests" | "failures" | "errors" | "skipped" => value == count(node, field),
                "timestamp" => value.parse::<jiff::Timestamp>().is_ok(),
                "time" => value.parse::<f64>().is_ok_and(|seconds| seconds >= 0.0 && !value.starts_with('+')),
                "name" | "classname" => !value.trim().is_empty(),
                _ => true,
            };
            if !holds {
                return Some(format!("{field} of {name} is {value:?}"));
            }
        }
        let mut below = node.children().filter(roxmltree::Node::is_element).map(|child| child.tag_name().name());
        if let Some(child) = below.find(|child| !known.children.contains(child)) {
            return Some(format!("{child} may not stand in {name}"));
        }
        let ends = node.children().filter(|child| ["failure", "error", "skipped"].contains(&child.tag_name().name()));
        (ends.count() > 1).then(|| format!("a {name} ends in two ways"))
    })
}

/// How many cases of this sort stand below.
fn count(node: roxmltree::Node<'_, '_>, attribute: &str) -> String {
    let tag = match attribute {
        "tests" => "testcase",
        "failures" => "failure",
        "errors" => "error",
        other => other,
    };
    node.descendants().filter(|below| below.has_tag_name(tag)).count().to_string()
}

/// The document must be what its readers know, and its counts be true.
#[track_caller]
pub(super) fn check(text: &str) -> Report {
    assert_eq!(broken(text), None, "{text}");
    Report::deserialize_from_str(text).unwrap()
}

#[test]
fn what_the_schema_does_not_allow_is_seen() {
    let sound = junit::scan(&report(&plain)).unwrap();
    assert_eq!(broken(&sound), None);
    for (there, instead, said) in [
        ("<testsuites name", "<testsuites skipped=\"9\" name", "testsuites has no skipped"),
        ("<testsuites name=\"aifix\" tests=\"1", "<testsuites name=\"aifix\" tests=\"2", "tests of testsuites is"),
        (" classname=", " class=", "testcase lacks classname"),
        (" type=\"gap\"", "", "error lacks type"),
        ("<system-out>", "<system-out><system-out/>", "system-out may not stand in system-out"),
        ("</testsuites>", "<testcase name=\"a\" classname=\"b\"/></testsuites>", "tests of testsuites is"),
        ("T16:46:58Z", " at noon", "timestamp of testsuite is"),
        ("<skipped ", "<failure message=\"\" type=\"\"/><skipped ", "failures of testsuites is"),
        ("looked at", "\u{1}", "is no character of XML"),
        ("testsuites", "suites", "the root is no testsuites"),
        ("</testsuites>", "", "never closed"),
    ] {
        let text = sound.replace(there, instead);
        assert_ne!(text, sound, "{there} is not there");
        let told = broken(&text).unwrap_or_default();
        assert!(told.contains(said), "{there}: {told:?}, not {said:?}");
    }
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
