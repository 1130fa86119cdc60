//! The HTML page of every recording: whole, well-formed, and needing nothing else.

use crate::grown;
use crate::harness::{Sandbox, recorded};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;
use std::path::Path;

/// Runs a scan as a page and as JSON.
fn scan(from: &str) -> (String, Value) {
    let sandbox = Sandbox::new();
    let page = sandbox.aifix(&["scan", "-A", "--from", from, "-o", "html"]);
    let report = sandbox.aifix(&["scan", "-A", "--from", from, "-o", "json"]);
    assert_eq!((page.code, page.err.as_str()), (report.code, report.err.as_str()), "{from}");
    (page.out, report.json())
}

fn parsed(page: &str) -> Document<'_> {
    Document::parse_with_options(page, ParsingOptions { allow_dtd: true, ..ParsingOptions::default() })
        .unwrap_or_else(|error| panic!("{error}"))
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|node| node.text().filter(|_| node.is_text())).collect()
}

/// Nothing that runs, loads or sends.
fn is_inert(document: &Document<'_>) {
    for node in document.descendants().filter(Node::is_element) {
        let tag = node.tag_name().name();
        for banned in ["script", "iframe", "object", "embed", "img", "image", "link", "base", "form", "use"] {
            assert_ne!(tag, banned);
        }
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on") && !["src", "srcset", "style", "action"].contains(&name), "{tag} {name}");
            assert!(!["href", "id", "aria-labelledby"].contains(&name) || is_plain(value), "{tag} {name}={value}");
            assert!(!value.contains("://"), "{tag} {name}={value}");
        }
    }
    let style = text(document.descendants().find(|node| node.has_tag_name("style")).unwrap());
    assert!(!style.contains("url(") && !style.contains("@import"));
    let policy = document.descendants().find(|node| node.attribute("http-equiv") == Some("Content-Security-Policy"));
    assert_eq!(policy.unwrap().attribute("content"), Some("default-src 'none'; style-src 'unsafe-inline'"));
}

fn is_plain(target: &str) -> bool {
    target.trim_start_matches('#').chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// What JSON says of a finding, and the page must say too.
fn said(finding: &Value) -> Vec<String> {
    let one = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = |object: &Value| format!("{}/{}", one(&object["kind"]), one(&object["name"]));
    let mut said = vec![one(&finding["code"]), one(&finding["severity"]), one(&finding["summary"])];
    said.extend([name(&finding["object"]), one(&finding["fix"]["summary"])]);
    said.extend(finding["evidence"].as_array().unwrap().iter().map(|item| one(&item["text"])));
    for effect in finding["effects"].as_array().unwrap() {
        said.extend([name(&effect["object"]), one(&effect["code"]), one(&effect["summary"])]);
    }
    for field in finding["change"]["fields"].as_array().into_iter().flatten() {
        said.push(one(&field["path"]));
        said.extend([&field["old"], &field["new"]].iter().filter(|v| !v.is_null()).map(ToString::to_string));
    }
    said
}

#[test]
fn every_recording_gives_a_page_that_says_all_and_does_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() > 100, "{names:?}");
    std::thread::scope(|scope| {
        for names in names.chunks(names.len().div_ceil(4)) {
            scope.spawn(|| names.iter().for_each(|name| says_all_and_does_nothing(name)));
        }
    });
}

fn says_all_and_does_nothing(name: &str) {
    let (page, report) = scan(&recorded(name));
    let document = parsed(&page);
    is_inert(&document);
    let body = text(document.root_element());
    for finding in report["findings"].as_array().unwrap() {
        for words in said(finding) {
            // Longer text is cut, and a control character is shown as an escape.
            let words: String = words.chars().take(300).take_while(|c| !c.is_control()).collect();
            assert!(body.contains(&words), "{name}: {words}");
        }
    }
    for gap in report["contexts"][0]["gaps"].as_array().unwrap() {
        assert!(body.contains(gap["what"].as_str().unwrap()), "{name}: {gap}");
    }
}

#[test]
fn a_quota_that_stops_forty_deployments_is_one_article() {
    let sandbox = Sandbox::new();
    grown::grow(Path::new(&recorded("quota-exceeded")), &sandbox.path("grown"), 40);
    let (page, report) = scan(sandbox.path("grown").to_str().unwrap());
    let effects = report["findings"][0]["effects"].as_array().unwrap().len();
    assert!(effects > 80, "{effects}");
    let document = parsed(&page);
    assert_eq!(document.descendants().filter(|node| node.has_tag_name("article")).count(), 1);
    let summary = text(document.descendants().find(|node| node.has_tag_name("summary")).unwrap());
    assert!(summary.starts_with(&format!("{effects} effects ")), "{summary}");
}

#[test]
fn a_hostile_recording_gives_an_inert_page() {
    let sandbox = Sandbox::new();
    grown::make_hostile(Path::new(&recorded("image-not-found")), &sandbox.path("hostile"));
    let (page, _) = scan(sandbox.path("hostile").to_str().unwrap());
    let document = parsed(&page);
    is_inert(&document);
    let title = text(document.descendants().find(|node| node.has_tag_name("h3")).unwrap());
    assert!(title.contains(r"onerror='top.ran = 1'></style></title></svg>\u{202e}\e[2J"), "{title}");
}

#[test]
fn the_command_that_fixes_is_offered_only_where_it_can_be_typed() {
    let (page, _) = scan(&recorded("rollout-stalled"));
    assert!(page.contains("aifix codes image-not-found") && !page.contains("aifix propose"));
}
