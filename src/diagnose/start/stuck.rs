//! Init containers that wait for something.

use super::rows;
use crate::diagnose::crash::hosts;
use crate::diagnose::log_lines;
use crate::diagnose::observe::Observation;
use crate::diagnose::signatures::{self, Hit};
use crate::diagnose::view::{Running, Settled};
use crate::model::finding::{Confidence, Source};
use crate::text;
use regex::Regex;
use std::sync::LazyLock;

/// An init container that runs longer than this may be waiting.
const LONG: i64 = 120;

/// Lines from the end of a log that tell what it does now.
const LAST: usize = 5;
/// Signatures of a dependency that does not answer.
const NETWORK: [&str; 5] = ["conn-refused", "conn-timeout", "dns-down", "dns-nx", "no-route"];

static WAITING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:waiting|wait for|retry|retrying|sleeping|not (?:yet )?(?:ready|available))\b").ok()
});
/// A command line that tries until something answers.
static LOOP: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(?:until|while !|wait-for|wait_for|wait4|nc -\w*z|pg_isready)\b").ok());

/// A host and port in a log line or on a command line.
static HOSTS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"\b([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*):(\d{2,5})\b",
        r"\bnc (?:-\w+ (?:\d+ )?)*([a-z][a-z0-9.-]*) (\d{2,5})\b",
        r"\b(?:nslookup|getent hosts|host) ([a-z][a-z0-9.-]*)\b()",
        r"(?i)wait(?:ing|s)? (?:for|on) (?:service |host )?([a-z][a-z0-9.-]*)\b()",
    ]
    .into_iter()
    .filter_map(|shape| Regex::new(shape).ok())
    .collect()
});

fn host(text: &str) -> Option<(String, Option<i64>)> {
    let found = HOSTS.iter().find_map(|shape| shape.captures(text))?;
    Some((found[1].to_owned(), found[2].parse().ok()))
}

/// An init container that runs on and on, and what it waits for.
pub(super) fn init_container(container: &Running<'_, '_>) -> Option<Observation> {
    let status = container.status;
    let running = status.state.running.as_ref()?;
    let is_init = container.list == "initContainers" && !container.sidecar;
    if !is_init || status.restart_count > 0 || container.at.view.settled(running.started_at.0, LONG) != Settled::Yes {
        return None;
    }
    let words = container.spec.map(|spec| [spec.command.as_slice(), spec.args.as_slice()].concat().join(" "));
    let words = words.filter(|words| LOOP.as_ref().is_some_and(|shape| shape.is_match(words)));
    let hit = signatures::of(container, None).filter(|hit| NETWORK.contains(&hit.id));
    let line = log_lines::tail(container, LAST)
        .into_iter()
        .find(|line| WAITING.as_ref().is_some_and(|w| w.is_match(&line.text)));
    let port = |hit: &Hit| hit.get("port").and_then(|port| port.parse().ok());
    let said = hit.as_ref().and_then(|hit| Some((hit.get("host")?.to_owned(), port(hit))));
    let named = said
        .or_else(|| line.as_ref().and_then(|line| host(&line.text)))
        .or_else(|| host(words.as_deref().unwrap_or_default()));
    if hit.is_none() && line.is_none() && words.is_none() {
        return None;
    }
    let mut seen = Observation::of_container(&rows::INIT_CONTAINER_STUCK, container);
    seen.confidence = Confidence::Likely;
    seen.since = running.started_at.0;
    let lasted =
        container.at.view.age(running.started_at.0).map_or_else(String::new, |s| format!(" for {}", text::duration(s)));
    seen.summary = format!("init container {} has been running{lasted}", status.name);
    if let Some((host, port)) = named {
        let target = hosts::resolve(container, &host, port);
        let at = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        seen.summary.push_str(&format!(" and waits for {at}"));
        seen.message = at;
        if let Some(trouble) = target.trouble() {
            seen.summary.push_str(&format!(": {trouble}"));
            seen.show(Source::Spec, None, &trouble, None);
        }
        seen.fact("target", target.fact());
        seen.follows = target.follows();
    }
    if let Some(line) = hit.map(|hit| hit.line).or(line) {
        seen.show(Source::Log, line.at, &line.text, None);
    }
    if let Some(words) = words.filter(|words| !words.is_empty()) {
        seen.show(Source::Spec, None, &text::clip(&words, 200), Some(container.path().field("command")));
    }
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_read_from_logs_and_command_lines() {
        for (text, want) in [
            ("waiting for db:5432", Some(("db", Some(5432)))),
            ("sh -c until nc -z -w 2 orders-db 5432; do sleep 1; done", Some(("orders-db", Some(5432)))),
            ("until nslookup cache.shop; do sleep 2; done", Some(("cache.shop", None))),
            ("Waiting for redis", Some(("redis", None))),
            ("applying migration 12", None),
        ] {
            let want = want.map(|(host, port): (&str, _)| (host.to_owned(), port));
            assert_eq!(host(text), want, "{text}");
        }
    }
}
