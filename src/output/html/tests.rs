//! The HTML page of reports that no cluster gives at once.

use super::write;
use crate::model::code::{Code, CodeInfo, FixClass};
use crate::model::finding::{
    Change, Confidence, Effect, Evidence, FieldChange, Finding, FixHint, PodCounts, Severity, Source,
};
use crate::model::history::Commit;
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::report::{ContextReport, Filter, ReportedFinding, ScanReport, SetAside, SourceLine, Summary};
use crate::model::snapshot::Gap;
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::json;

static STALLED: CodeInfo = code("rollout-stalled");
static FULL: CodeInfo = code("quota-exceeded");

const fn code(name: &'static str) -> CodeInfo {
    CodeInfo {
        name,
        family: "quota",
        title: "a title",
        meaning: "A meaning.",
        signals: "signals",
        causes: "causes",
        class: FixClass::Rule,
        fix: "a fix",
    }
}

/// What tries to leave every place it can stand in.
const HOSTILE: &str = "x'\"><script>alert(1)</script><img src=x onerror=alert(1)><!--]]></style></title></svg>&lt;\u{202e}\u{1b}[31m\u{0}";

fn finding(word: &str, effects: usize) -> Finding {
    let object = |name: String| ObjectRef::new("apps/v1", "Deployment", word, &name);
    Finding {
        code: Code(&FULL),
        severity: Severity::Critical,
        confidence: Confidence::Certain,
        object: object(word.to_owned()),
        container: Some(word.to_owned()),
        pods: PodCounts { failing: 2, ready: 0, desired: 2, names: vec![word.to_owned()] },
        summary: word.to_owned(),
        since: Some(at("2026-11-22T16:00:00Z")),
        evidence: vec![Evidence {
            id: 1,
            source: Source::Log,
            at: Some(at("2026-11-22T16:30:00Z")),
            text: word.to_owned(),
            path: None,
        }],
        effects: (0..effects)
            .map(|n| Effect { code: Code(&STALLED), object: object(format!("{word}-{n}")), summary: word.to_owned() })
            .collect(),
        change: Some(Change {
            from: word.to_owned(),
            to: word.to_owned(),
            good: true,
            fields: vec![
                FieldChange {
                    path: Path::of("spec.template.spec.containers").item(word).field("image"),
                    old: Some(json!(word)),
                    new: None,
                },
                FieldChange {
                    path: Path::of("spec.template.spec.containers[app].env[DB_PASSWORD].value"),
                    old: None,
                    new: Some(json!("hunter22")),
                },
            ],
            manager: Some(word.to_owned()),
            at: None,
            commit: None,
        }),
        fix: FixHint { class: FixClass::Rule, summary: word.to_owned() },
        facts: json!(null),
    }
}

fn at(time: &str) -> jiff::Timestamp {
    time.parse().unwrap()
}

fn context(word: &str, roots: usize) -> ContextReport {
    ContextReport {
        name: word.to_owned(),
        scope: word.to_owned(),
        taken_at: Some(at("2026-11-22T17:00:00Z")),
        summary: Summary { workloads: 9, failing: roots, roots, gaps: 1, ..Summary::default() },
        gaps: vec![Gap { what: word.to_owned(), why: word.to_owned(), essential: true, codes: vec![word.to_owned()] }],
    }
}

fn reported(word: &str, finding: Finding) -> ReportedFinding {
    let (id, subject, author) = ("c0ffee".to_owned(), word.to_owned(), word.to_owned());
    let commit = Some(Commit { id, subject, author, at: None, parents: Vec::new() });
    let source = Some(SourceLine { file: word.to_owned(), line: 1, proved: false, commit });
    ReportedFinding { context: word.to_owned(), finding, source }
}

/// A report that has everything, with `word` wherever foreign text can stand.
fn report(word: &str, effects: usize) -> ScanReport {
    let info = Finding { severity: Severity::Info, ..finding(word, 0) };
    ScanReport {
        contexts: vec![context(word, 2)],
        findings: vec![reported(word, finding(word, effects)), reported(word, finding(word, 1)), reported(word, info)],
        set_aside: vec![SetAside {
            reported: reported(word, Finding { severity: Severity::Warning, ..finding(word, 0) }),
            filter: Filter::Ignored,
            reason: word.to_owned(),
        }],
    }
}

fn page(report: &ScanReport) -> String {
    write(report, Some(&|reported| format!("aifix propose {}", reported.finding.object)))
}

fn parsed(page: &str) -> Document<'_> {
    Document::parse_with_options(page, ParsingOptions { allow_dtd: true, ..ParsingOptions::default() }).unwrap()
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|node| node.text().filter(|_| node.is_text())).collect()
}

fn named<'a, 'i>(document: &'a Document<'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    document.descendants().filter(move |node| node.has_tag_name(name))
}

#[test]
fn hostile_text_makes_no_tag_and_no_attribute() {
    let shape = |word: &str| {
        let page = page(&report(word, 20));
        let document = parsed(&page);
        let tag = |node: Node<'_, '_>| {
            let names: Vec<&str> = node.attributes().map(|attribute| attribute.name()).collect();
            format!("{} {}", node.tag_name().name(), names.join(" "))
        };
        document.descendants().filter(Node::is_element).map(tag).collect::<Vec<String>>()
    };
    assert_eq!(shape(HOSTILE), shape("web"));
}

#[test]
fn hostile_characters_are_shown_not_sent() {
    let page = page(&report(HOSTILE, 20));
    for c in ['\u{202e}', '\u{1b}', '\u{0}'] {
        assert!(!page.contains(c), "{c:?}");
    }
    let document = parsed(&page);
    let heading = text(named(&document, "h3").next().unwrap());
    assert!(heading.contains(r"</title></svg>&lt;\u{202e}\e[31m\u{0}"), "{heading}");
}

#[test]
fn attributes_hold_nothing_foreign() {
    let page = page(&report("canary", 20));
    for node in parsed(&page).descendants() {
        for attribute in node.attributes() {
            assert!(!attribute.value().contains("canary"), "{}: {}", attribute.name(), attribute.value());
        }
    }
}

#[test]
fn names_of_a_megabyte_leave_a_page_that_opens() {
    let page = page(&report(&"<".repeat(1 << 20), 20));
    assert!(page.len() < 300_000, "{}", page.len());
    parsed(&page);
}

#[test]
fn a_changed_secret_is_masked() {
    let page = page(&report("web", 0));
    assert!(!page.contains("hunter22") && page.contains("&lt;secret:"));
}

#[test]
fn what_was_not_looked_at_is_never_folded() {
    let page = page(&report("web", 20));
    let document = parsed(&page);
    let heading = named(&document, "h2").find(|node| text(*node) == "Not looked at").unwrap();
    assert!(heading.ancestors().all(|node| !node.has_tag_name("details")));
    let table = heading.next_sibling_element().unwrap();
    assert!(text(table).contains("could hide web"), "{}", text(table));
}

#[test]
fn what_is_set_aside_is_named_with_its_reason_and_not_as_a_root() {
    let mut report = report("web", 0);
    report.set_aside[0].reason = "known, see the runbook".to_owned();
    report.set_aside[0].reported.finding.object.name = "legacy".to_owned();
    let page = page(&report);
    let document = parsed(&page);
    let heading = named(&document, "h2").find(|node| text(*node) == "Set aside (1)").unwrap();
    let row = text(named(&document, "tr").find(|row| text(*row).contains("legacy")).unwrap());
    assert!(row.contains("ignored: known, see the runbook"), "{row}");
    assert!(heading.ancestors().all(|node| !node.has_tag_name("details")));
    assert!(named(&document, "article").all(|article| !text(article).contains("legacy")));
}

#[test]
fn what_is_worth_knowing_is_folded_and_counted_by_no_root() {
    let page = page(&report("web", 0));
    let document = parsed(&page);
    let folded = named(&document, "details").find(|node| text(*node).contains("Worth knowing (1)")).unwrap();
    assert!(folded.attribute("open").is_none());
    assert_eq!(folded.descendants().filter(|node| node.has_tag_name("article")).count(), 1);
    assert_eq!(named(&document, "nav").next().unwrap().descendants().filter(|node| node.has_tag_name("a")).count(), 2);
}

#[test]
fn links_lead_to_what_is_there() {
    let page = page(&report("web", 3));
    let document = parsed(&page);
    let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    let unique: std::collections::BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(ids.len(), unique.len(), "{ids:?}");
    for link in named(&document, "a") {
        let target = link.attribute("href").unwrap().strip_prefix('#').unwrap();
        assert!(ids.contains(&target), "{target}");
    }
}

#[test]
fn several_contexts_answer_one_by_one_and_findings_name_theirs() {
    let mut report = report("prod", 0);
    report.contexts.push(context("staging", 0));
    report.contexts[1].taken_at = Some(at("2026-11-22T20:00:00Z"));
    report.findings[1].context = "staging".to_owned();
    let page = page(&report);
    let document = parsed(&page);
    assert_eq!(text(named(&document, "h1").next().unwrap()), "2 root causes in 2 contexts");
    let answers = text(named(&document, "header").next().unwrap());
    assert!(answers.contains("staging: nothing failing was seen, but not everything"), "{answers}");
    // Each is as old as its own cluster's clock says.
    let articles: Vec<String> = named(&document, "article").map(text).collect();
    assert!(articles[0].contains("60 min ago") && articles[1].contains("4 h ago"), "{articles:?}");
    assert!(articles[1].contains("Contextstaging"), "{}", articles[1]);
}

#[test]
fn nothing_seen_is_not_nothing_wrong() {
    let report = ScanReport { contexts: vec![context("shop", 0)], findings: Vec::new(), set_aside: Vec::new() };
    let page = page(&report);
    let document = parsed(&page);
    assert_eq!(
        text(named(&document, "title").next().unwrap()),
        "shop: nothing failing was seen, but not everything could be looked at"
    );
    assert_eq!(named(&document, "article").count(), 0);
}

#[test]
fn many_effects_are_folded_with_their_kinds_and_all_are_there() {
    let page = page(&report("web", 80));
    let document = parsed(&page);
    let folded = named(&document, "details").next().unwrap();
    assert!(folded.attribute("open").is_none());
    let summary = text(folded.first_element_child().unwrap());
    assert_eq!(summary, "80 effects 80 rollout-stalled");
    let rows = folded.descendants().filter(|node| node.has_tag_name("tr")).count();
    assert_eq!(rows, 1 + 80);
    // The root, the code and its effects.
    assert_eq!(folded.descendants().filter(|node| node.has_tag_name("text")).count(), 2 + 80);
}

#[test]
fn labels_of_the_graph_lie_below_each_other_and_inside_it() {
    let page = page(&report("a-name-of-some-length-寿司", 80));
    let document = parsed(&page);
    let drawing = named(&document, "svg").next().unwrap();
    let number = |node: Node<'_, '_>, name: &str| node.attribute(name).unwrap().parse::<usize>().unwrap();
    let (width, height) = (number(drawing, "width"), number(drawing, "height"));
    let labels: Vec<Node<'_, '_>> = drawing.descendants().filter(|node| node.has_tag_name("text")).collect();
    for pair in labels.windows(2) {
        assert!(number(pair[1], "y") >= number(pair[0], "y") + 16);
    }
    for label in labels {
        let end = number(label, "x") + textwrap::core::display_width(&text(label)) * 8;
        assert!(end <= width && number(label, "y") < height, "{} ends at {end} of {width}", text(label));
    }
}

#[test]
fn every_colour_can_be_read() {
    let themes: Vec<&str> = super::STYLE.split(":root {").skip(1).collect();
    assert_eq!(themes.len(), 3, "light, dark and print");
    for theme in themes {
        let theme = theme.split('}').next().unwrap();
        let colour = |name: &str| {
            let value = theme.split(&format!("--{name}: #")).nth(1).unwrap_or_else(|| panic!("no {name} in {theme}"));
            luminance(&value[..6])
        };
        for ground in ["page", "card"] {
            for ink in ["ink", "quiet", "bad", "warn", "note", "good"] {
                let (a, b) = (colour(ground).max(colour(ink)), colour(ground).min(colour(ink)));
                let contrast = (a + 0.05) / (b + 0.05);
                // WCAG 2, level AA.
                assert!(contrast >= 4.5, "{ink} on {ground}: {contrast:.2}");
            }
        }
    }
}

fn luminance(hex: &str) -> f64 {
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}
