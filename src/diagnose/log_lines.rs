//! The last error line of a container's log.

use super::view::Running;
use crate::model::kube::{ContainerStatus, Pod};
use crate::model::snapshot::{LogLine, LogTail};
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// Lines from the end that are looked at.
pub(crate) const WINDOW: usize = 200;

static ANSI: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07").ok());
static STAMP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\[?(?:\d{4}[-/]\d\d[-/]\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?[\s:|-]*").ok()
});
static GENERIC: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)fatal|panic|error|exception|failed|cannot|unable|invalid|refused|denied").ok());
static FRAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\s+(?:at |File \x22)|^\s*\.\.\. \d+ more|^goroutine \d+|^\t?/\S+\.go:\d+").ok());

/// A line that tells an error, or the last line that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastLine {
    pub at: Option<Timestamp>,
    pub text: String,
    /// Whether it has a word of failure in it.
    pub is_error: bool,
}

/// The last error line of the newest run that ended.
pub(crate) fn of(container: &Running<'_, '_>) -> Option<LastLine> {
    runs(container).find_map(last_error)
}

/// The logs of a container, that of the newest run which ended first.
pub(crate) fn runs<'s>(container: &Running<'_, 's>) -> impl Iterator<Item = &'s [LogLine]> {
    // While a container runs, its current log is not yet that of a crash.
    let newest_is_previous = container.status.state.running.is_some();
    let tails = tails(container);
    let pick = |previous: bool| tails.iter().find(|tail| tail.previous == previous).copied();
    let found = [pick(newest_is_previous), pick(!newest_is_previous)];
    found.into_iter().flatten().map(|tail| tail.lines.as_slice())
}

/// The last line of a container's logs that is wanted, newest run first, without colours and envelope.
pub(crate) fn find(container: &Running<'_, '_>, is_wanted: impl Fn(&str) -> bool) -> Option<LastLine> {
    runs(container).find_map(|lines| {
        let window = &lines[lines.len().saturating_sub(WINDOW)..];
        let clean = window.iter().rev().map(|line| (line.at, strip(&line.text)));
        clean
            .filter(|(_, text)| is_usable(text) && is_wanted(text))
            .map(|(at, text)| LastLine { at, text, is_error: true })
            .next()
    })
}

/// The last lines of a container's newest log, newest first.
pub(crate) fn tail(container: &Running<'_, '_>, lines: usize) -> Vec<LastLine> {
    let newest = runs(container).next().unwrap_or_default();
    let clean = newest.iter().rev().map(|line| LastLine { at: line.at, text: strip(&line.text), is_error: false });
    clean.filter(|line| is_usable(&line.text)).take(lines).collect()
}

/// Whether a line is one of a stack trace.
pub(crate) fn is_frame(line: &str) -> bool {
    FRAME.as_ref().is_some_and(|frame| frame.is_match(line))
}

/// The kubelet's answer for a log that is gone comes as a line of it.
pub(crate) fn is_usable(text: &str) -> bool {
    !text.is_empty() && !text.starts_with("unable to retrieve container logs for ")
}

/// Whether any log of this container could be read.
pub(crate) fn readable(container: &Running<'_, '_>) -> bool {
    !tails(container).is_empty()
}

/// All lines of this container, as they came.
pub(crate) fn any_line(container: &Running<'_, '_>, is_wanted: impl Fn(&str) -> bool) -> bool {
    tails(container).iter().flat_map(|tail| &tail.lines).any(|line| is_wanted(&line.text))
}

/// The logs of a container. Of pods that fail alike one log is read, and it speaks for all of them.
fn tails<'s>(container: &Running<'_, 's>) -> Vec<&'s LogTail> {
    let own = of_pod(container, container.at.pod);
    if !own.is_empty() {
        return own;
    }
    let how = manner(container.status);
    let alike = container.at.workload.current.iter().filter(|pod| {
        let mut statuses = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
        statuses.any(|status| status.name == container.status.name && manner(status) == how)
    });
    alike.map(|pod| of_pod(container, pod)).find(|tails| !tails.is_empty()).unwrap_or_default()
}

fn of_pod<'s>(container: &Running<'_, 's>, pod: &Pod) -> Vec<&'s LogTail> {
    let is_its = |tail: &&LogTail| {
        tail.pod == pod.metadata.name
            && tail.namespace == pod.metadata.namespace
            && tail.container == container.status.name
    };
    container.at.view.snapshot.logs.iter().filter(is_its).collect()
}

/// What two containers have in common that fail alike: readiness, reason and exit code.
pub(crate) fn manner(status: &ContainerStatus) -> (bool, Option<(&str, i64)>) {
    let end = status.state.terminated.as_ref().or(status.last_state.terminated.as_ref());
    (status.ready, end.map(|end| (end.reason.as_str(), end.exit_code)))
}

/// The last line with a word of failure that is no stack frame, else the last line with text.
pub(crate) fn last_error(lines: &[LogLine]) -> Option<LastLine> {
    let window = &lines[lines.len().saturating_sub(WINDOW)..];
    let clean = |line: &LogLine| LastLine { at: line.at, text: strip(&line.text), is_error: false };
    let has = |shape: &Option<Regex>, text: &str| shape.as_ref().is_some_and(|shape| shape.is_match(text));
    let usable = |line: &LastLine| is_usable(&line.text);
    let error = window
        .iter()
        .rev()
        .filter(|line| !is_frame(&line.text))
        .map(clean)
        .find(|line| usable(line) && has(&GENERIC, &line.text));
    match error {
        Some(line) => Some(LastLine { is_error: true, ..line }),
        None => window.iter().rev().map(clean).find(usable),
    }
}

/// A line without colours, its own timestamp and the envelope of structured logs.
pub(crate) fn strip(line: &str) -> String {
    let plain = ANSI.as_ref().map_or_else(|| line.into(), |ansi| ansi.replace_all(line, ""));
    let mut text = plain.trim();
    if let Some(found) = STAMP.as_ref().and_then(|stamp| stamp.find(text)) {
        text = text[found.end()..].trim();
    }
    message_of(text).unwrap_or_else(|| text.to_owned())
}

/// The message inside a JSON line: the error where there is one, else the text.
fn message_of(text: &str) -> Option<String> {
    let map: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
    let said = |names: &[&str]| names.iter().find_map(|name| map.get(*name)?.as_str().filter(|s| !s.is_empty()));
    let message = said(&["msg", "message"]);
    let error = said(&["error", "err", "exception"]);
    match (message, error) {
        (Some(message), Some(error)) => Some(format!("{message}: {error}")),
        (one, other) => one.or(other).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &str) -> Option<(String, bool)> {
        let lines: Vec<LogLine> = text.lines().map(|t| LogLine { at: None, text: t.to_owned() }).collect();
        last_error(&lines).map(|line| (line.text, line.is_error))
    }

    #[test]
    fn the_last_line_of_failure_is_found_past_frames_and_chatter() {
        for (log, want) in [
            (
                "starting\npanic: no config\n\ngoroutine 1 [running]:\n\t/src/main.go:10 error\n",
                ("panic: no config", true),
            ),
            ("Error: first\nError: second\nbye", ("Error: second", true)),
            ("ready\nno such bucket", ("no such bucket", false)),
            ("\u{1b}[31m2026-01-02 03:04:05,678 ERROR boom\u{1b}[0m", ("ERROR boom", true)),
            (r#"{"level":"error","msg":"start failed","error":"no db"}"#, ("start failed: no db", true)),
        ] {
            assert_eq!(last(log), Some((want.0.to_owned(), want.1)), "{log}");
        }
    }

    #[test]
    fn a_log_that_is_gone_is_no_line() {
        assert_eq!(last("unable to retrieve container logs for containerd://abc"), None);
        assert_eq!(last("\n \n"), None);
    }
}
