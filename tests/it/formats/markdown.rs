//! Markdown, read by a CommonMark parser with the tables of GitHub.

use super::{finding, plain, report, scan};
use aifix::model::finding::Severity;
use aifix::model::report::ReportedFinding;
use aifix::output::markdown;
use pulldown_cmark::{Event, Options, Parser, Tag};

/// What a forge makes of a comment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// Blocks, in order: where text ends up depends on nothing foreign.
    pub(super) blocks: Vec<String>,
    /// Text outside of code.
    pub(super) text: String,
    pub(super) html: String,
}

/// Reads a comment; a link, an image or inline HTML is a failure.
#[track_caller]
pub(super) fn check(text: &str) -> Read {
    check_marked(text, markdown::MARKER)
}

/// The same for text with another first line.
#[track_caller]
pub(super) fn check_marked(text: &str, marker: &str) -> Read {
    assert!(text.starts_with(&format!("{marker}\n")), "{}", text.lines().next().unwrap_or_default());
    assert!(text.encode_utf16().count() <= 65_536);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut read = Read::default();
    let mut in_code = false;
    for event in Parser::new_ext(text, options | Options::ENABLE_GFM | Options::ENABLE_FOOTNOTES) {
        match event {
            Event::Start(tag @ (Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::Strikethrough)) => {
                panic!("{tag:?}")
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                in_code = true;
                read.blocks.push(format!("{kind:?}"));
            }
            Event::End(pulldown_cmark::TagEnd::CodeBlock) => in_code = false,
            Event::Start(tag) => read.blocks.push(format!("{tag:?}").split(['(', ' ']).next().unwrap().to_owned()),
            Event::Text(_) if in_code => {}
            Event::Text(words) => read.text.push_str(&words),
            Event::Html(html) => read.html.push_str(&html),
            Event::InlineHtml(html) => panic!("{html}"),
            _ => {}
        }
    }
    let html = read.html.replace(marker, "");
    let html = format!("<x>{html}</x>");
    let document = roxmltree::Document::parse(&html).unwrap_or_else(|error| panic!("{error}: {html}"));
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        assert!(matches!(node.tag_name().name(), "x" | "details" | "summary" | "code"), "{html}");
        assert_eq!(node.attributes().count(), 0, "{html}");
    }
    // Outside of code nothing that a forge acts on: mentions, references, addresses.
    let outside: String = document
        .descendants()
        .filter(|node| node.is_text() && !node.ancestors().any(|above| above.has_tag_name("code")))
        .filter_map(|node| node.text())
        .collect();
    for live in ["@", "#", "://", "www.", "<", "!["] {
        assert!(!read.text.contains(live) && !outside.contains(live), "{live}: {}{outside}", read.text);
    }
    read
}

#[test]
fn a_comment_has_a_table_folded_details_gaps_and_what_is_set_aside() {
    let out = markdown::scan(&report(&plain)).unwrap();
    check(&out);
    insta::assert_snapshot!(out, @r#"
    <!-- aifix:scan -->
    ### `shop`: 2 root causes; 2 of 3 workloads fail

    Seen by aifix in context `prod`, 2026-11-22 16:46:58 UTC.

    ### `shop`: 2 root causes; 2 of 3 workloads fail

    Seen by aifix in context `staging`, 2026-11-22 16:46:58 UTC.

    | Severity | Object | Code | What | Fix |
    |---|---|---|---|---|
    | critical | `Deployment/web in shop on prod` | `oom-killed` | container app was killed at its memory limit of `32Mi` (exit `137`) | by rule |
    | error | `Deployment/web in shop on prod` | `crash-app-error` | container app was killed at its memory limit of `32Mi` (exit `137`) | by rule |
    | error | `Deployment/web in shop on prod` | `crash-app-error` | container app was killed at its memory limit of `32Mi` (exit `137`) | by rule |
    | warning | `Deployment/web on staging` | `crash-app-error` | container app was killed at its memory limit of `32Mi` (exit `137`) | by rule |

    <details><summary>critical: <code>Deployment/web in shop on prod</code>, oom-killed</summary>

    ```text
    what: container app was killed at its memory limit of 32Mi (exit 137)
    source: apps/web.yaml:12
    commit: c0ffee0 "Save memory" by Ada, 2026-11-20
    pods: 1 of 2 failing: web-1
    since: 15 s ago
    evidence 1, log (15 s ago): Killed
    evidence 2, spec: limits.memory: 32Mi
    changed: revision 4 against 3 (which has ready pods), by kubectl, 15 s ago
    changed: spec.template.spec.containers[app].image: "web:1" -> absent
    effect: Deployment/web in shop: 0 of 2 pods are ready (deployment-unavailable)
    fix (by rule): Raise the memory limit
    ```

    </details>

    <details><summary>error: <code>Deployment/web in shop on prod</code>, crash-app-error</summary>

    ```text
    what: container app was killed at its memory limit of 32Mi (exit 137)
    pods: 1 of 2 failing: web-1
    since: 15 s ago
    evidence 1, log (15 s ago): Killed
    evidence 2, spec: limits.memory: 32Mi
    changed: revision 4 against 3 (which has ready pods), by kubectl, 15 s ago
    changed: spec.template.spec.containers[app].image: "web:1" -> absent
    effect: Deployment/web in shop: 0 of 2 pods are ready (deployment-unavailable)
    fix (by rule): Raise the memory limit
    ```

    </details>

    <details><summary>error: <code>Deployment/web in shop on prod</code>, crash-app-error</summary>

    ```text
    what: container app was killed at its memory limit of 32Mi (exit 137)
    pods: 1 of 2 failing: web-1
    since: 15 s ago
    evidence 1, log (15 s ago): Killed
    evidence 2, spec: limits.memory: 32Mi
    changed: revision 4 against 3 (which has ready pods), by kubectl, 15 s ago
    changed: spec.template.spec.containers[app].image: "web:1" -> absent
    effect: Deployment/web in shop: 0 of 2 pods are ready (deployment-unavailable)
    fix (by rule): Raise the memory limit
    ```

    </details>

    <details><summary>warning: <code>Deployment/web on staging</code>, crash-app-error</summary>

    ```text
    what: container app was killed at its memory limit of 32Mi (exit 137)
    pods: 1 of 2 failing: web-1
    since: 15 s ago
    evidence 1, log (15 s ago): Killed
    evidence 2, spec: limits.memory: 32Mi
    changed: revision 4 against 3 (which has ready pods), by kubectl, 15 s ago
    changed: spec.template.spec.containers[app].image: "web:1" -> absent
    effect: Deployment/web in shop: 0 of 2 pods are ready (deployment-unavailable)
    fix (by rule): Raise the memory limit
    ```

    </details>

    **Not looked at**

    - **essential**: `prod`: pods: timed out; could hide `node-not-ready`
    - **essential**: `staging`: pods: timed out; could hide `node-not-ready`
    - `prod`: nodes: timed out; could hide `node-not-ready`
    - `staging`: nodes: timed out; could hide `node-not-ready`

    **Set aside**, not counted

    - `Deployment/web in shop on prod`, `image-not-found`: in the baseline
    - `Deployment/web in shop on prod`, `image-not-found`: ignored: known, see the runbook
    - `Deployment/web in shop on prod`, `image-not-found`: not asked for
    - `Deployment/web in shop on prod`, `image-not-found`: below the least severity

    <details><summary>1 thing worth knowing</summary>

    - `Deployment/web in shop on prod`, `crash-dns`: container app was killed at its memory limit of `32Mi` (exit `137`)

    </details>
    "#);
}

#[test]
fn a_healthy_scope_is_a_headline() {
    let out = scan("trap-old-restart", "markdown");
    check(&out);
    insta::assert_snapshot!(out, @r#"
    <!-- aifix:scan -->
    ### `all namespaces`: the only workload is healthy

    Seen by aifix in context `trap-old-restart`, 2026-11-22 16:53:25 UTC.
    "#);
}

#[test]
fn a_comment_never_grows_too_long_and_says_what_was_cut() {
    let mut whole = report(&|text| format!("{text}`|\\|\u{1f600} ").repeat(8));
    let context = whole.contexts[0].name.clone();
    for n in 0..100 {
        let mut found = finding("oom-killed", Severity::Error, &plain);
        found.object.name = format!("web-{n}");
        found.summary = "`|\\|\u{1f600}".repeat(80);
        let reported = ReportedFinding { context: context.clone(), finding: found, source: None };
        let (mut aside, mut info) = (whole.set_aside[1].clone(), reported.clone());
        aside.reported = reported.clone();
        info.finding.severity = Severity::Info;
        let (mut copy, gap) = (whole.contexts[0].clone(), whole.contexts[0].gaps[0].clone());
        copy.name = format!("{context}{n}");
        whole.contexts[0].gaps.push(gap);
        whole.contexts.push(copy);
        whole.set_aside.push(aside);
        whole.findings.extend([reported, info]);
    }
    let out = markdown::scan(&whole).unwrap();
    check(&out);
    assert!(out.encode_utf16().count() > 50_000, "the room is used: {}", out.encode_utf16().count());
    for part in
        ["contexts more: `", "root causes more: `", "of 104 root causes in detail", "gaps more: `", "findings more: `"]
    {
        assert!(out.contains(part), "{part}");
    }
    for part in ["**Not looked at**", "**essential**", "**Set aside**", "101 things worth knowing"] {
        assert!(out.contains(part), "{part}");
    }
}
