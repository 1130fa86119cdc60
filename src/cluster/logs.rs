//! Container logs: fetch them, parse them, write them.

use super::Cluster;
use super::client::{ANY, Count};
use super::failure::Failure;
use super::kinds::escape;
use crate::model::snapshot::{Gap, LogLine, LogNeed, LogTail, Snapshot};
use crate::text;
use futures_util::StreamExt;

/// Containers whose logs are read.
const MAX_CONTAINERS: usize = 20;
const AT_ONCE: usize = 8;
/// Bytes that are read of one log, and those of its end that are kept.
const LIMIT: usize = 4 << 20;
const KEPT: usize = 64 << 10;
/// Characters of one line that are kept.
const MAX_LINE: usize = 4096;
/// Lines that are kept of a saved log, as many as are asked of a cluster.
const MAX_LINES: usize = 200;

/// A log, none where there is none, or why it is not known.
pub(super) type Answer = Result<Option<LogTail>, Gap>;

impl Cluster {
    /// Reads the logs of the worst containers: the current run, and the one before where there was one.
    pub(super) async fn ask_logs(&self, needs: &[LogNeed]) -> Vec<Answer> {
        let mut asked = Vec::new();
        for need in needs.iter().take(MAX_CONTAINERS) {
            asked.push((need, false));
            if need.previous {
                asked.push((need, true));
            }
        }
        let asked: Vec<_> = asked.into_iter().map(|(need, previous)| self.read_log(need, previous)).collect();
        futures_util::stream::iter(asked).buffered(AT_ONCE).collect().await
    }

    async fn read_log(&self, need: &LogNeed, previous: bool) -> Answer {
        let LogNeed { namespace, pod, container, .. } = need;
        let path = format!(
            "/api/v1/namespaces/{}/pods/{}/log?container={}&tailLines={MAX_LINES}&limitBytes={LIMIT}&timestamps=true{}",
            escape(namespace),
            escape(pod),
            escape(container),
            if previous { "&previous=true" } else { "" }
        );
        match self.api.read(&path, ANY, Count::Log).await {
            // NOTE: `limitBytes` keeps the first bytes of the tail; a cut one has lost what matters, its end.
            Ok(bytes) if bytes.len() >= LIMIT => Err(Gap {
                what: format!("the end of the log of container {container} of pod {namespace}/{pod}"),
                why: format!("its last {MAX_LINES} lines are longer than {} MiB", LIMIT >> 20),
                essential: false,
                codes: Vec::new(),
            }),
            Ok(bytes) => Ok(tail(need, previous, &String::from_utf8_lossy(end_of(&bytes)))),
            // The container has not started, or has no earlier run.
            Err(Failure::Answer { code: 400, .. }) => Ok(None),
            Err(failure) => Err(Gap {
                what: format!("log of container {container} of pod {namespace}/{pod}"),
                why: failure.to_string(),
                essential: false,
                codes: Vec::new(),
            }),
        }
    }
}

/// Puts the logs of so many asked containers into the snapshot.
pub(super) fn take(snapshot: &mut Snapshot, brought: Vec<Answer>, asked: usize) {
    for answer in brought {
        match answer {
            Ok(Some(tail)) => snapshot.logs.push(tail),
            Ok(None) => {}
            Err(gap) => snapshot.gaps.push(gap),
        }
    }
    if let Some(left @ 1..) = asked.checked_sub(MAX_CONTAINERS) {
        snapshot.gaps.push(Gap {
            what: format!("logs of {}", text::count(left, "further container")),
            why: format!("left out: the logs of at most {MAX_CONTAINERS} containers are read"),
            essential: false,
            codes: Vec::new(),
        });
    }
}

/// The last [`KEPT`] bytes, from the start of a line.
fn end_of(bytes: &[u8]) -> &[u8] {
    let Some(surplus) = bytes.len().checked_sub(KEPT).filter(|surplus| *surplus > 0) else { return bytes };
    let cut = &bytes[surplus..];
    cut.iter().position(|byte| *byte == b'\n').map_or(cut, |at| &cut[at + 1..])
}

fn tail(need: &LogNeed, previous: bool, body: &str) -> Option<LogTail> {
    // The kubelet answers 200 with this sentence when the runtime has lost the file.
    if body.starts_with("unable to retrieve container logs") {
        return None;
    }
    // A container that wrote nothing was looked at all the same: its log is empty, not unknown.
    Some(LogTail {
        namespace: need.namespace.clone(),
        pod: need.pod.clone(),
        container: need.container.clone(),
        previous,
        lines: lines(body),
    })
}

fn lines(body: &str) -> Vec<LogLine> {
    body.lines().map(line).collect()
}

/// A line, its timestamp taken off. A tab stands before a line that has none: see [`write()`].
fn line(line: &str) -> LogLine {
    let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
    // Cheap test first: years have four digits.
    let at = if head.as_bytes().get(4) == Some(&b'-') { head.parse().ok() } else { None };
    let rest = if at.is_some() { rest } else { line.strip_prefix('\t').unwrap_or(line) };
    LogLine { at, text: text::clip(rest, MAX_LINE) }
}

/// Reads `logs.txt`: sections `== pod/NAME container=C current` or `--previous`, with `namespace=N` when told.
/// A section without lines is the log of a container that wrote nothing.
pub(super) fn parse(text: &str, namespace_of: &dyn Fn(&str) -> String) -> Vec<LogTail> {
    let mut tails: Vec<LogTail> = Vec::new();
    for raw in text.lines() {
        if let Some(tail) = raw.strip_prefix("== ").and_then(|head| section(head, namespace_of)) {
            tails.push(tail);
        } else if let Some(tail) = tails.last_mut() {
            tail.lines.push(line(raw));
        }
    }
    tails.iter_mut().for_each(keep_the_end);
    tails.retain(|tail| {
        !tail.lines.first().is_some_and(|line| line.text.starts_with("unable to retrieve container logs"))
    });
    tails
}

fn section(head: &str, namespace_of: &dyn Fn(&str) -> String) -> Option<LogTail> {
    let mut words = head.split(' ');
    let name = words.next()?;
    let pod = name.strip_prefix("pod/").unwrap_or(name);
    let mut tail = LogTail { pod: pod.to_owned(), ..LogTail::default() };
    for word in words {
        match word.split_once('=') {
            Some(("container", container)) => container.clone_into(&mut tail.container),
            Some(("namespace", namespace)) => namespace.clone_into(&mut tail.namespace),
            _ if word == "--previous" => tail.previous = true,
            _ if word == "current" => {}
            _ => return None,
        }
    }
    if tail.container.is_empty() {
        return None;
    }
    if tail.namespace.is_empty() {
        tail.namespace = namespace_of(pod);
    }
    Some(tail)
}

/// How a log begins in what `kubectl cluster-info dump` writes.
pub(super) const DUMP_START: &str = "==== START logs for container ";

/// Parts the logs in what `kubectl cluster-info dump` writes from the rest; they have no timestamps. A line of a
/// log is an empty line of the rest.
pub(super) fn cut_dump(bytes: &[u8]) -> (Vec<u8>, Vec<LogTail>) {
    let (mut rest, mut tails) = (Vec::new(), Vec::<LogTail>::new());
    let mut end: Option<String> = None;
    for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
        let raw_line = String::from_utf8_lossy(raw.trim_ascii_end());
        if end.as_deref() == Some(&*raw_line) {
            end = None;
        } else if end.is_some()
            && let Some(tail) = tails.last_mut()
        {
            // Twice as many as are kept: so no line is moved often.
            if tail.lines.len() >= 2 * MAX_LINES {
                tail.lines.drain(..MAX_LINES);
            }
            tail.lines.push(line(&raw_line));
        } else if let Some(tail) = dump_section(&raw_line) {
            end = Some(raw_line.replacen("START", "END", 1));
            tails.push(tail);
        } else {
            rest.extend_from_slice(raw);
            continue;
        }
        rest.push(b'\n');
    }
    tails.iter_mut().for_each(keep_the_end);
    tails.retain(|tail| tail.lines.iter().any(|line| !line.text.is_empty()));
    (rest, tails)
}

/// `==== START logs for container C of pod N/P ====`.
fn dump_section(line: &str) -> Option<LogTail> {
    let (container, pod) = line.strip_prefix(DUMP_START)?.strip_suffix(" ====")?.split_once(" of pod ")?;
    let (namespace, pod) = pod.split_once('/')?;
    let [namespace, pod, container] = [namespace, pod, container].map(str::to_owned);
    Some(LogTail { namespace, pod, container, ..LogTail::default() })
}

fn keep_the_end(tail: &mut LogTail) {
    let surplus = tail.lines.len().saturating_sub(MAX_LINES);
    tail.lines.drain(..surplus);
}

/// Writes what [`parse()`] reads.
pub(super) fn write(tails: &[LogTail]) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for tail in tails {
        let LogTail { namespace, pod, container, previous, lines } = tail;
        let run = if *previous { "--previous" } else { "current" };
        let _ = writeln!(out, "== pod/{pod} namespace={namespace} container={container} {run}");
        for line in lines {
            // The tab keeps a line that looks like a section from being one.
            let _ = match line.at {
                Some(at) => writeln!(out, "{at} {}", line.text),
                None => writeln!(out, "\t{}", line.text),
            };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEED: fn() -> LogNeed =
        || LogNeed { namespace: "n".into(), pod: "p".into(), container: "c".into(), previous: false };

    #[test]
    fn timestamps_are_taken_off_and_long_lines_clipped() {
        let body = format!("2026-11-22T16:46:43.088638526Z starting\nplain\n{}\n", "x".repeat(5000));
        let tail = tail(&NEED(), false, &body).unwrap();
        assert_eq!(tail.lines[0].text, "starting");
        assert_eq!(tail.lines[0].at.map(jiff::Timestamp::as_second), Some(1_795_366_003));
        assert_eq!((tail.lines[1].at, tail.lines[1].text.as_str()), (None, "plain"));
        assert_eq!(tail.lines[2].text.len(), 4096);
    }

    #[test]
    fn a_lost_log_is_unknown_and_an_empty_one_is_empty() {
        assert_eq!(tail(&NEED(), false, "unable to retrieve container logs for containerd://0123"), None);
        assert_eq!(tail(&NEED(), false, "").map(|tail| tail.lines), Some(Vec::new()));
    }

    #[test]
    fn the_end_of_a_long_log_is_what_is_kept() {
        let mut body = "x".repeat(400).into_bytes();
        body.push(b'\n');
        let mut body = body.repeat(300);
        body.extend(b"FATAL: cannot connect\n");
        let kept = tail(&NEED(), false, &String::from_utf8_lossy(end_of(&body))).unwrap();
        assert_eq!(kept.lines.last().map(|line| line.text.as_str()), Some("FATAL: cannot connect"));
        assert_eq!(kept.lines[0].text.len(), 400, "no line is cut at its start");
        assert!(kept.lines.len() > 100);
    }

    #[test]
    fn a_recorded_file_is_read_by_its_sections() {
        let text = "== pod/web-1 container=app current\n2026-11-22T16:46:43Z a\n== web-1 container=app --previous\nb\n\
                    == pod/web-2 container=app current\n";
        let tails = parse(text, &|_| "prod".to_owned());
        let first = |t: &LogTail| t.lines.first().map(|line| line.text.clone()).unwrap_or_default();
        let seen: Vec<_> = tails.iter().map(|t| (t.pod.as_str(), t.previous, first(t))).collect();
        assert_eq!(seen, [("web-1", false, "a".into()), ("web-1", true, "b".into()), ("web-2", false, String::new())]);
        assert_eq!(tails[0].namespace, "prod");
    }

    #[test]
    fn a_line_that_looks_like_a_section_stays_a_line_when_written() {
        let lines = ["== pod/x container=y current", "\tindented", ""];
        let lines = lines.map(|text| LogLine { at: None, text: text.to_owned() }).to_vec();
        let tail = LogTail { lines, ..tail(&NEED(), true, "x").unwrap() };
        assert_eq!(
            parse(&write(std::slice::from_ref(&tail)), &|_| String::new()),
            [LogTail { previous: true, ..tail }]
        );
    }

    #[test]
    fn a_dump_is_parted_into_logs_and_the_rest() {
        let log = "hello\n==== END logs for container b of pod n/p ====\nlast";
        let text = format!(
            "{{}}\n==== START logs for container a of pod n/p ====\n{log}\n==== END logs for container a of pod n/p ====\n[]\n\
             ==== START logs for container b of pod n/p ====\n\u{0}\n"
        );
        let (rest, tails) = cut_dump(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&rest), "{}\n\n\n\n\n\n[]\n\n\n");
        let seen: Vec<_> = tails.iter().map(|t| (t.container.as_str(), t.lines.len())).collect();
        assert_eq!(seen, [("a", 3), ("b", 1)], "the marks of another log are lines");
        let long = format!("{DUMP_START}a of pod n/p ====\n{}", "x\n".repeat(5000));
        assert_eq!(cut_dump(long.as_bytes()).1[0].lines.len(), MAX_LINES);
    }
}
