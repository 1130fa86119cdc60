//! What known lines of a log mean.
//!
//! Log text is hostile: it only selects a code and fills named captures, which are checked against the snapshot.

mod table;

use super::log_lines::{self, LastLine};
use super::view::Running;
use crate::model::code::CodeInfo;
use crate::model::snapshot::LogLine;
use regex::bytes::{RegexSet, RegexSetBuilder};
use regex::{Captures, Regex};
use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};
use table::{ROWS, Row};

/// A line that a signature recognised.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub id: &'static str,
    /// `None`: an error of the program's own.
    pub code: Option<&'static CodeInfo>,
    pub strong: bool,
    pub line: LastLine,
    captures: BTreeMap<&'static str, String>,
}

impl Hit {
    /// What a named part of the line was.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.captures.get(name).map(String::as_str)
    }
}

/// One shape of a row. It is compiled when a line has it: all of them together take 15 MB.
struct Shape {
    row: &'static Row,
    pattern: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Shape {
    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&self.pattern).ok()).as_ref()
    }
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let shapes = ROWS.iter().flat_map(|row| row.shapes.iter().map(move |shape| (row, shape)));
    let shape = |(row, shape)| Shape { row, pattern: format!("(?i){shape}"), compiled: OnceLock::new() };
    shapes.map(shape).collect()
});

/// All shapes at once: most lines match none. Over bytes: Unicode's classes make it ten times as slow to build.
static ANY: LazyLock<Option<RegexSet>> =
    LazyLock::new(|| RegexSetBuilder::new(SHAPES.iter().map(|shape| &shape.pattern)).unicode(false).build().ok());

/// Lines that begin an error of the program: what stands above them did not end it.
static STOPS: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    [
        ("go-panic", r"^(?:panic|fatal error): (.*)"),
        ("rust-panic", r"^thread '.*' panicked at (.*)"),
        ("java-trace", r"^(?:Caused by|Exception in thread .*?):? ?[\w.$]+(?:Exception|Error)\b(.*)"),
        ("dotnet", r"^Unhandled exception\. [\w.]+: (.*)"),
    ]
    .into_iter()
    .filter_map(|(id, shape)| Some((id, Regex::new(shape).ok()?)))
    .collect()
});
static PY_ERROR: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:\w+\.)*\w+(?:Error|Exception|Exit): ").ok());
static NODE_ERROR: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\w*Error: ").ok());
static LEVEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL|SEVERE|PANIC";
    Regex::new(&format!(r"^(?:\[?\b(?:{words})\b\]?[\s:|-]*|level=\w+ |msg=)+")).ok()
});

/// The first match from the end of the newest run's log, else of the run before.
/// `exit` is the code it ended with, where it ended.
pub(crate) fn of(container: &Running<'_, '_>, exit: Option<i64>) -> Option<Hit> {
    let accepts = |hit: &Hit| accepts(container, exit, hit);
    log_lines::runs(container).find_map(|lines| search(lines, accepts))
}

/// The same in a text that holds the end of a log.
pub(crate) fn of_text(container: &Running<'_, '_>, exit: Option<i64>, text: &str) -> Option<Hit> {
    let lines: Vec<LogLine> = text.lines().map(|text| LogLine { at: None, text: text.to_owned() }).collect();
    search(&lines, |hit| accepts(container, exit, hit))
}

/// Whether the captures of a hit agree with the snapshot.
fn accepts(container: &Running<'_, '_>, exit: Option<i64>, hit: &Hit) -> bool {
    match hit.id {
        // A variable that is set is not what is missing.
        "env-unset" => hit.get("var").is_some_and(|name| !is_set(container, name)),
        // Of a shell that ended with it; in the middle of a script it did not end the program.
        "sh-notfound" => exit == Some(127),
        "child-killed" => exit.is_none(),
        "bind-perm" => hit.get("port").and_then(|port| port.parse::<u32>().ok()).is_none_or(|port| port < 1024),
        // Of a service outside; one of the cluster has faults of its own.
        "http-4xx" if hit.code.is_some() => hit.get("host").is_some_and(|host| is_outside(container, host)),
        _ => true,
    }
}

fn is_outside(container: &Running<'_, '_>, host: &str) -> bool {
    host.contains('.')
        && host.parse::<std::net::IpAddr>().is_err()
        && !super::crash::hosts::resolve(container, host, None).internal
}

/// Whether the container has this variable, as far as is known.
pub(crate) fn is_set(container: &Running<'_, '_>, name: &str) -> bool {
    let Some(spec) = container.spec else { return false };
    let (snapshot, namespace) = (container.at.view.snapshot, &container.at.pod.metadata.namespace);
    spec.env.iter().any(|variable| variable.name == name)
        || spec.env_from.iter().any(|source| {
            let prefix = source.get("prefix").and_then(serde_json::Value::as_str).unwrap_or_default();
            ["configMap", "secret"].into_iter().any(|kind| {
                let named = source.get(format!("{kind}Ref")).and_then(|reference| reference.get("name")?.as_str());
                let keys = named.and_then(|named| super::config::Kind::of(kind).keys(snapshot, namespace, named));
                keys.is_some_and(|keys| keys.iter().any(|key| format!("{prefix}{key}") == name))
            })
        })
}

fn search(lines: &[LogLine], accepts: impl Fn(&Hit) -> bool) -> Option<Hit> {
    let window = without_usage(&lines[lines.len().saturating_sub(log_lines::WINDOW)..]);
    let clean: Vec<String> = window.iter().map(|line| bare(&line.text)).collect();
    for at in (0..window.len()).rev() {
        if log_lines::is_frame(&window[at].text) || !log_lines::is_usable(&clean[at]) {
            continue;
        }
        let line = LastLine { at: window[at].at, text: log_lines::strip(&window[at].text), is_error: true };
        if let Some(hit) = matched(&clean[at], &line, &accepts).or_else(|| stop(window, &clean, at, &line)) {
            return Some(hit);
        }
    }
    None
}

fn matched(text: &str, line: &LastLine, accepts: &impl Fn(&Hit) -> bool) -> Option<Hit> {
    let mut refused: Option<&Row> = None;
    let found = ANY.as_ref()?.matches(text.as_bytes());
    let shapes = found.iter().filter_map(|at| SHAPES.get(at));
    shapes.filter_map(|shape| Some((shape.row, shape.regex()?))).find_map(|(row, shape)| {
        // What the captures of one shape rule out, a vaguer shape of the same row does not bring back.
        if refused.is_some_and(|refused| std::ptr::eq(refused, row)) {
            return None;
        }
        let found = shape.captures(text)?;
        let captures = names(shape, &found);
        let hit = Hit { id: row.id, code: row.code, strong: row.strong, line: line.clone(), captures };
        if accepts(&hit) {
            return Some(hit);
        }
        refused = Some(row);
        None
    })
}

/// The named captures of a match; `host1` and `host2` are both `host`.
fn names(shape: &Regex, found: &Captures<'_>) -> BTreeMap<&'static str, String> {
    const NAMES: [&str; 26] = [
        "host",
        "port",
        "path",
        "var",
        "flag",
        "file",
        "line",
        "text",
        "lib",
        "program",
        "property",
        "kind",
        "module",
        "valid",
        "version",
        "feature",
        "user",
        "name",
        "ns",
        "sa",
        "verb",
        "resource",
        "group",
        "namespace",
        "status",
        "folder",
    ];
    let mut out = BTreeMap::new();
    for name in shape.capture_names().flatten() {
        let Some(value) = found.name(name) else { continue };
        let bare = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let known = NAMES.into_iter().chain(["owner", "inotify"]).find(|known| *known == bare);
        out.extend(known.map(|known| (known, value.as_str().to_owned())));
    }
    out
}

/// An error that has a trace and no signature.
fn stop(window: &[LogLine], clean: &[String], at: usize, line: &LastLine) -> Option<Hit> {
    let has = |shape: &Option<Regex>| shape.as_ref().is_some_and(|shape| shape.is_match(&clean[at]));
    let next = window.get(at + 1).map_or("", |next| next.text.as_str());
    let id = if let Some((id, _)) = STOPS.iter().find(|(_, shape)| shape.is_match(&clean[at])) {
        *id
    } else if has(&PY_ERROR) && clean[..at].iter().any(|text| text.starts_with("Traceback (most recent call last)")) {
        "py-trace"
    } else if has(&NODE_ERROR) && next.trim_start().starts_with("at ") {
        "node-trace"
    } else {
        return None;
    };
    let mut line = line.clone();
    // Its text stands on the line below.
    if id == "rust-panic" && !next.trim().is_empty() {
        line.text = format!("{} {}", line.text, log_lines::strip(next));
    }
    Some(Hit { id, code: None, strong: false, line, captures: BTreeMap::new() })
}

/// Usage text after a line about a bad flag is part of it.
fn without_usage(window: &[LogLine]) -> &[LogLine] {
    let bad_flags = || SHAPES.iter().filter(|shape| shape.row.id == "bad-flag").filter_map(Shape::regex);
    let is_bad_flag = |line: &LogLine| bad_flags().any(|shape| shape.is_match(&bare(&line.text)));
    let is_usage = |line: &LogLine| line.text.trim_start().to_ascii_lowercase().starts_with("usage");
    match window.iter().position(is_usage).and_then(|usage| window[..usage].iter().rposition(is_bad_flag)) {
        Some(flag) => &window[..=flag],
        None => window,
    }
}

/// A line without colours, time, envelope and level.
fn bare(line: &str) -> String {
    let text = log_lines::strip(line);
    match LEVEL.as_ref().and_then(|level| level.find(&text)) {
        Some(found) if found.end() < text.len() => text[found.end()..].to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests;
