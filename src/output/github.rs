//! Annotations of a GitHub Actions job.
//!
//! A runner obeys every line of stdout that begins with `::`; here only our own lines do. It shows ten
//! annotations of each level per step and drops the others silently, so the worst come first and the
//! others are named in plain lines.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>

use super::words;
use crate::error::Error;
use crate::model::finding::Severity;
use crate::model::report::{ReportedFinding, ScanReport};
use crate::text;
use std::fmt::Write as _;

/// Annotations of one level that a runner takes from one step.
const LIMIT: usize = 10;

/// Characters of one message; a runner takes 64 KB.
const LONG: usize = 16_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    fn of(severity: Severity) -> Self {
        match severity {
            Severity::Critical | Severity::Error => Self::Error,
            Severity::Warning => Self::Warning,
            Severity::Info => Self::Notice,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

struct Annotation {
    level: Level,
    title: String,
    /// Where it is shown: a file, and a line when the file is in Git.
    place: Option<(String, Option<u32>)>,
    lines: Vec<String>,
}

/// The report as workflow commands, and plain lines for what a runner would drop.
///
/// # Errors
/// None; formats are called alike.
pub fn scan(report: &ScanReport) -> Result<String, Error> {
    let mut out = String::new();
    for context in &report.contexts {
        let _ = writeln!(out, "{}", words::headline(report, context));
    }
    let mut all = not_counted(report);
    // An annotation is cut where it grows too long; these lines never are.
    for line in all.iter().flat_map(|one| &one.lines) {
        let _ = writeln!(out, "{line}");
    }
    let mut findings: Vec<&ReportedFinding> = report.findings.iter().collect();
    findings.sort_by_key(|reported| reported.finding.severity);
    all.extend(findings.into_iter().map(|reported| of_finding(report, reported)));
    let mut left_out = Vec::new();
    for level in [Level::Error, Level::Warning, Level::Notice] {
        let (shown, rest): (Vec<_>, Vec<_>) =
            all.iter().filter(|one| one.level == level).enumerate().partition(|(at, _)| *at < LIMIT);
        for (_, one) in shown {
            write(&mut out, one);
        }
        left_out.extend(rest.into_iter().map(|(_, one)| one));
    }
    if !left_out.is_empty() {
        let count = left_out.len();
        let _ = writeln!(out, "{count} more without an annotation, a step has {LIMIT} of each level:");
    }
    for one in left_out {
        let _ = writeln!(out, "  {}: {}", one.level.name(), one.title);
    }
    Ok(out)
}

/// What is no finding that counts, but may never be left out: it comes before all others.
fn not_counted(report: &ScanReport) -> Vec<Annotation> {
    let mut all = Vec::new();
    let gaps = || report.contexts.iter().flat_map(|context| context.gaps.iter().map(move |gap| (context, gap)));
    for (level, essential) in [(Level::Error, true), (Level::Warning, false)] {
        let of =
            |name: &str| if report.contexts.len() > 1 { format!("{}: ", words::name(name)) } else { String::new() };
        let lines: Vec<String> = gaps()
            .filter(|(_, gap)| gap.essential == essential)
            .map(|(context, gap)| format!("not looked at: {}{}", of(&context.name), words::gap(gap)))
            .collect();
        if !lines.is_empty() {
            let title = format!("aifix could not look at {}", text::count(lines.len(), "thing"));
            all.push(Annotation { level, title, place: None, lines });
        }
    }
    if !report.set_aside.is_empty() {
        let title = format!("{} set aside", text::count(report.set_aside.len(), "finding"));
        let lines = report.set_aside.iter().map(|aside| {
            let reported = &aside.reported;
            format!(
                "set aside: {}: {} ({})",
                words::subject(report, reported),
                reported.finding.code,
                words::reason(aside)
            )
        });
        all.push(Annotation { level: Level::Notice, title, place: None, lines: lines.collect() });
    }
    all
}

fn of_finding(report: &ScanReport, reported: &ReportedFinding) -> Annotation {
    let finding = &reported.finding;
    let place = match &reported.source {
        Some(source) => (words::name(&source.file), Some(source.line)),
        None => (words::cluster(&finding.object), None),
    };
    let mut lines = vec![words::summary(finding)];
    lines.extend(words::story(finding, words::clock(report, &reported.context)));
    Annotation {
        level: Level::of(finding.severity),
        title: format!("{}: {}", words::subject(report, reported), finding.code),
        place: Some(place),
        lines,
    }
}

fn write(out: &mut String, one: &Annotation) {
    let _ = write!(out, "::{} title={}", one.level.name(), property(&one.title));
    if let Some((file, line)) = &one.place {
        let _ = write!(out, ",file={}", property(file));
        if let Some(line) = line {
            let _ = write!(out, ",line={line}");
        }
    }
    let _ = writeln!(out, "::{}", message(&text::clip(&one.lines.join("\n"), LONG)));
}

/// As the runner's own toolkit escapes a message.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As the runner's own toolkit escapes a property.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
