//! Markdown: a comment for a pull request.
//!
//! Foreign text stands in code spans, in `<code>` or in fences only: there no forge reads a mention, a
//! link, an image or HTML. The hidden first line lets a bot find its comment again.

use super::{codes, words};
use crate::error::Error;
use crate::model::finding::Severity;
use crate::model::report::{ContextReport, ReportedFinding, ScanReport};
use crate::text;
use std::fmt::Write as _;

/// The first line of every comment.
pub const MARKER: &str = "<!-- aifix:scan -->";

/// Characters that a comment of GitHub can hold are 65,536; some are left for a bot's own words.
const LIMIT: usize = 64_000;

/// Rows of the table, and lines of each list, at most; and the characters of each.
const ROWS: usize = 50;
const ROOM: usize = 10_000;

/// The report as a comment.
///
/// # Errors
/// None; formats are called alike.
pub fn scan(report: &ScanReport) -> Result<String, Error> {
    let mut out = format!("{MARKER}\n");
    cut(&mut out, "context", report.contexts.iter().map(|context| head(report, context)));
    let mut findings: Vec<&ReportedFinding> = report.findings.iter().collect();
    findings.sort_by_key(|reported| reported.finding.severity);
    let (roots, info): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|reported| reported.finding.severity != Severity::Info);
    table(&mut out, report, &roots);
    // What may never be left out comes first into the space that there is.
    let tail = [gaps(report), set_aside(report), worth_knowing(report, &info)].concat();
    let mut room = LIMIT.saturating_sub(length(&out) + length(&tail) + 200);
    let mut shown = 0;
    for reported in &roots {
        let folded = details(report, reported);
        let Some(rest) = room.checked_sub(length(&folded)) else { break };
        room = rest;
        out.push_str(&folded);
        shown += 1;
    }
    if shown < roots.len() {
        let all = text::count(roots.len(), "root cause");
        let _ = write!(out, "This comment is full: {shown} of {all} in detail. All of it: `aifix scan`\n\n");
    }
    out.push_str(&tail);
    Ok(format!("{}\n", out.trim_end()))
}

fn head(report: &ScanReport, context: &ContextReport) -> String {
    let (_, answer) = super::scan_text::answer(report, context);
    let at = context.taken_at.map(|at| format!(", {}", at.strftime("%Y-%m-%d %H:%M:%S UTC"))).unwrap_or_default();
    let (scope, name) = (span(&words::name(&context.scope)), span(&words::name(&context.name)));
    format!("### {scope}: {answer}\n\nSeen by aifix in context {name}{at}.\n\n")
}

/// As many of the parts as there is room for, and how many there are more.
fn cut(out: &mut String, noun: &str, mut parts: impl ExactSizeIterator<Item = String>) {
    let all = parts.len();
    let (mut room, mut shown) = (ROOM, 0);
    for part in parts.by_ref().take(ROWS) {
        let Some(rest) = room.checked_sub(length(&part)) else { break };
        room = rest;
        out.push_str(&part);
        shown += 1;
    }
    if shown < all {
        let _ = write!(out, "\n{} more: `aifix scan`\n\n", text::count(all - shown, noun));
    }
}

/// Forges count UTF-16 units or characters; the larger of both.
pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

fn table(out: &mut String, report: &ScanReport, roots: &[&ReportedFinding]) {
    if roots.is_empty() {
        return;
    }
    out.push_str("| Severity | Object | Code | What | Fix |\n|---|---|---|---|---|\n");
    let rows = roots.iter().map(|reported| {
        let finding = &reported.finding;
        let object = cell(&span(&text::clip(&words::subject(report, reported), 120)));
        let what = cell(&prose(&text::clip(&words::summary(finding), 300)));
        let (severity, code, fix) = (finding.severity.name(), finding.code, codes::class(finding.fix.class));
        format!("| {severity} | {object} | `{code}` | {what} | {fix} |\n")
    });
    cut(out, "root cause", rows);
    out.push('\n');
}

/// One root, folded. A fence holds its story: every line there begins with a word of ours.
fn details(report: &ScanReport, reported: &ReportedFinding) -> String {
    let finding = &reported.finding;
    let mut story = vec![format!("what: {}", words::summary(finding))];
    if let Some(source) = &reported.source {
        story.push(format!("source: {}", words::in_git(source)));
        story.extend(words::commit(source).map(|commit| format!("commit: {commit}")));
    }
    story.extend(words::story(finding, words::clock(report, &reported.context)));
    let story = story.join("\n");
    let fence = "`".repeat((longest_run(&story) + 1).max(3));
    let title = html(&text::clip(&words::subject(report, reported), 200));
    format!(
        "<details><summary>{}: <code>{title}</code>, {}</summary>\n\n{fence}text\n{story}\n{fence}\n\n</details>\n\n",
        finding.severity.name(),
        finding.code,
    )
}

/// What was not looked at, never folded.
fn gaps(report: &ScanReport) -> String {
    let mut all: Vec<_> =
        report.contexts.iter().flat_map(|context| context.gaps.iter().map(move |gap| (context, gap))).collect();
    all.sort_by_key(|(_, gap)| !gap.essential);
    let lines = all.iter().map(|(context, gap)| {
        let mark = if gap.essential { "**essential**: " } else { "" };
        let of =
            if report.contexts.len() > 1 { format!("{}: ", span(&words::name(&context.name))) } else { String::new() };
        format!("- {mark}{of}{}\n", prose(&text::clip(&words::gap(gap), 300)))
    });
    list("**Not looked at**", "gap", lines)
}

fn set_aside(report: &ScanReport) -> String {
    let lines = report.set_aside.iter().map(|aside| {
        let object = span(&text::clip(&words::subject(report, &aside.reported), 120));
        let reason = prose(&text::clip(&words::reason(aside), 200));
        format!("- {object}, `{}`: {reason}\n", aside.reported.finding.code)
    });
    list("**Set aside**, not counted", "finding", lines)
}

fn worth_knowing(report: &ScanReport, info: &[&ReportedFinding]) -> String {
    let lines = info.iter().map(|reported| {
        let object = span(&text::clip(&words::subject(report, reported), 120));
        let what = prose(&text::clip(&words::summary(&reported.finding), 200));
        format!("- {object}, `{}`: {what}\n", reported.finding.code)
    });
    let things = text::count(info.len(), "thing");
    match list("", "thing", lines).trim() {
        "" => String::new(),
        list => format!("<details><summary>{things} worth knowing</summary>\n\n{list}\n\n</details>\n"),
    }
}

/// A list under its title, empty without lines.
fn list(title: &str, noun: &str, lines: impl ExactSizeIterator<Item = String>) -> String {
    if lines.len() == 0 {
        return String::new();
    }
    let mut out = format!("{title}\n\n");
    cut(&mut out, noun, lines);
    out.push('\n');
    out
}

/// A sentence: its plain words as they are, everything else in code spans.
pub(super) fn prose(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut odd: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        let (before, core, after) = punctuated(word);
        if is_plain(core) {
            out.extend(flush(&mut odd));
            out.push(word.to_owned());
        } else if before.is_empty() && after.is_empty() {
            odd.push(word);
        } else {
            if !before.is_empty() {
                out.extend(flush(&mut odd));
            }
            odd.push(core);
            out.extend(flush(&mut odd).map(|code| format!("{before}{code}{after}")));
        }
    }
    out.extend(flush(&mut odd));
    out.join(" ")
}

fn flush(odd: &mut Vec<&str>) -> Option<String> {
    let words = std::mem::take(odd);
    (!words.is_empty()).then(|| span(&words.join(" ")))
}

/// A word without the punctuation of a sentence around it.
fn punctuated(word: &str) -> (&str, &str, &str) {
    let rest = word.strip_prefix('(').unwrap_or(word);
    let core = rest.trim_end_matches([',', ';', ':', ')']);
    if core.is_empty() {
        return ("", word, "");
    }
    (&word[..word.len() - rest.len()], core, &rest[core.len()..])
}

/// Letters alone: nothing that a forge makes a link of.
fn is_plain(core: &str) -> bool {
    let is_commit = core.len() >= 7 && core.bytes().all(|byte| byte.is_ascii_hexdigit());
    !core.is_empty() && !is_commit && core.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A code span, its delimiter longer than any run of backticks in it.
pub(super) fn span(text: &str) -> String {
    if text.trim().is_empty() {
        return "` `".to_owned();
    }
    let ticks = "`".repeat(longest_run(text) + 1);
    // One blank on either side is not shown; without it a backtick at an end would join the delimiter.
    let blank = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{ticks}{blank}{text}{blank}{ticks}")
}

/// What stands in a cell of a table. A bar ends a cell even in a code span, and one behind a backslash
/// can't be escaped by another.
fn cell(text: &str) -> String {
    text.replace("\\|", "\\\\u{7c}").replace('|', "\\|")
}

pub(super) fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// Text in an HTML element.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_stand_outside_of_code() {
        assert_eq!(
            prose("container cart was killed at its limit of 32Mi (exit 137), 3 restarts of 4 pods"),
            "container cart was killed at its limit of `32Mi` (exit `137`), `3` restarts of `4` pods"
        );
        assert_eq!(prose("see @team or www.x.org now"), "see `@team` or `www.x.org` now");
        assert_eq!(prose("<img src=x> #12 ![a](b)"), "`<img src=x> #12 ![a](b`)");
        assert_eq!(prose("defaced: deadbeef ("), "`defaced`: `deadbeef (`");
    }

    #[test]
    fn a_span_is_longer_than_what_it_holds() {
        assert_eq!(span("a"), "`a`");
        assert_eq!(span("``a`"), "``` ``a` ```");
        assert_eq!(cell(&span("a|b\\|c")), "`a\\|b\\\\u{7c}c`");
    }
}
