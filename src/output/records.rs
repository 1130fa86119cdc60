//! Records as text.

use super::verdicts;
use crate::audit;
use crate::model::path;
use crate::model::record::{Entry, Phase};
use crate::model::verdict::Evaluation;
use crate::text::{self, Sanitised};
use crate::ui::{Page, Paint};
use serde::Deserialize;
use serde_json::Value;

/// One line per record, newest first.
pub fn list(page: &mut Page, records: &[Vec<Entry>]) {
    for entries in records {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { continue };
        let words = format!(
            "{}  {}  {:<12}  {}",
            first.record.get(..8).unwrap_or(&first.record),
            first.at.get(..16).unwrap_or(&first.at).replace('T', " "),
            last.phase.name(),
            about(&first.body),
        );
        page.foreign(Paint::Plain, &words).end();
    }
}

/// `Deployment shop/web  oom-killed`, or `Policy memory_limit_lowered_in_shop`.
fn about(body: &Value) -> String {
    if body.get("suggestion").is_some() {
        return object(body);
    }
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    let (kind, namespace) = (text("/failure/object/kind"), text("/failure/object/namespace"));
    format!("{kind} {namespace}/{}  {}", text("/failure/object/name"), text("/failure/code"))
}

/// One record: what was decided about what, the finding, the diff, the proof, and its entries last.
/// What it leaves out, such as every digest, is in the JSON.
pub fn show(page: &mut Page, entries: &[Entry], width: usize) {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
    let told = Told { page, width };
    told.whole(first, last, entries);
}

/// The body of the first entry, read where its shape is known: what is not there is left out.
struct Told<'p> {
    page: &'p mut Page,
    width: usize,
}

impl Told<'_> {
    fn whole(mut self, first: &Entry, last: &Entry, entries: &[Entry]) {
        let body = &first.body;
        self.title(body, last);
        self.row("record", &first.record);
        self.row("when", &second(&last.at));
        for (label, pointer) in
            [("who", "/context/who"), ("cluster", "/context/cluster"), ("command", "/context/command")]
        {
            self.row(label, text(body, pointer));
        }
        let latest = |name: &str| entries.iter().rev().find_map(|entry| entry.body.get(name)?.as_str());
        let planned = [text(body, "/proposedFix/branch"), text(body, "/suggestion/branch")].concat();
        let branch = latest("branch").unwrap_or(&planned);
        for (label, words) in [
            ("branch", Some(branch)),
            ("commit", latest("commit")),
            ("remote", latest("remote")),
            ("request", latest("url")),
            ("reason", latest("reason")),
        ] {
            self.row(label, words.unwrap_or_default());
        }
        let erased = entries.iter().rev().find(|entry| entry.phase == Phase::Erased);
        if let Some(entry) = erased {
            let (by, why) = (text(&entry.body, "/who"), text(&entry.body, "/reason"));
            let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            self.row("erased", &format!("evidence, prompt and answers, {}{by}{why}", second(&entry.at)));
        }
        if let Some(answer) = entries.iter().rev().find_map(|entry| entry.body.get("answer")) {
            self.row("allowed", &allowed(answer));
        }
        self.finding(body);
        self.refusal(body);
        self.suggestion(body);
        self.fix(body);
        self.proof(body);
        self.page.end().put(Paint::Bold, "Entries").end();
        for entry in entries {
            let words = format!("{:>6}  {}  {:<12}  {}", entry.seq, second(&entry.at), entry.phase.name(), entry.hash);
            self.page.foreign(Paint::Plain, &words).end();
        }
        self.page.line(format_args!("Whole: aifix audit show {} -o json", Sanitised::line(&first.record)));
    }

    /// `pushed  Deployment shop/web  oom-killed`.
    fn title(&mut self, body: &Value, last: &Entry) {
        let paint = match last.phase {
            Phase::Pushed | Phase::PullRequest | Phase::Merged | Phase::Synced | Phase::RolledOut | Phase::Healed => {
                Paint::Green
            }
            Phase::Failed | Phase::Worse | Phase::Reverted => Paint::Red,
            Phase::Proposed
            | Phase::Refused
            | Phase::Declined
            | Phase::Reviewed
            | Phase::Closed
            | Phase::Drifted
            | Phase::Feedback
            | Phase::Erased => Paint::Yellow,
        };
        self.page.put(paint, last.phase.name()).put(Paint::Plain, "  ").foreign(Paint::Bold, &object(body));
        self.page.put(Paint::Plain, "  ").foreign(Paint::Cyan, text(body, "/failure/code")).end();
        let words = [text(body, "/failure/summary"), text(body, "/suggestion/text")].concat();
        let summary = Sanitised::line(&words);
        self.page.wrapped(self.width, "  ", "  ", summary.as_str());
    }

    fn finding(&mut self, body: &Value) {
        let evidence = items(body, "/context/evidence");
        if !evidence.is_empty() {
            self.page.end().put(Paint::Bold, "Evidence").end();
        }
        for item in evidence {
            let words = format!("{}: {}", text(item, "/source"), text(item, "/text"));
            let words = text::clip(Sanitised::line(&words).as_str(), 400);
            self.page.wrapped(self.width, &format!(" {:>2}. ", number(item, "/id")), "     ", &words);
        }
        for effect in items(body, "/context/effects") {
            let of = |name: &str| text(effect, name);
            let words = format!("{}/{}: {} ({})", of("/object/kind"), of("/object/name"), of("/summary"), of("/code"));
            self.page.wrapped(self.width, "  -> ", "     ", Sanitised::line(&words).as_str());
        }
    }

    fn refusal(&mut self, body: &Value) {
        let Some(refusal) = body.get("refusal") else { return };
        self.page.end().put(Paint::Bold, "No safe fix").put(Paint::Plain, ": ");
        self.page.foreign(Paint::Cyan, text(refusal, "/code")).end();
        let details = items(refusal, "/details").iter().filter_map(Value::as_str);
        for words in [text(refusal, "/message")].into_iter().chain(details) {
            self.page.wrapped(self.width, "  ", "    ", Sanitised::line(words).as_str());
        }
        for (at, choice) in items(refusal, "/choices").iter().enumerate() {
            let words = format!("{}: {}", text(choice, "/subject"), text(choice, "/why"));
            self.page.wrapped(self.width, &format!(" {:>2}. ", at + 1), "     ", Sanitised::line(&words).as_str());
        }
        let hint = text(refusal, "/hint");
        if !hint.is_empty() {
            self.page.put(Paint::Cyan, "  hint: ").foreign(Paint::Plain, hint).end();
        }
    }

    fn suggestion(&mut self, body: &Value) {
        let Some(suggestion) = body.get("suggestion") else { return };
        let (right, wrong): (Vec<&Value>, Vec<&Value>) =
            items(suggestion, "/stops").iter().partition(|stop| stop["rightly"] == true);
        self.row("stops", &format!("{} rightly and {} wrongly, of past changes", right.len(), wrong.len()));
        self.page.end();
        for line in text(suggestion, "/policy").lines() {
            self.page.foreign(Paint::Added, line).end();
        }
    }

    fn fix(&mut self, body: &Value) {
        let Some(fix) = body.get("proposedFix") else { return };
        self.page.end().put(Paint::Bold, "Fix").end();
        let words = format!("{}. {}", text(fix, "/intent/subject"), text(fix, "/intent/why"));
        self.page.wrapped(self.width, "  ", "  ", Sanitised::line(&words).as_str());
        for edit in items(fix, "/intent/edits") {
            let words = match text(edit, "/op") {
                "lf" => format!("{}: its lines without carriage returns", path(edit)),
                _ => format!("{}: {} -> {}", path(edit), value(edit, "/old"), value(edit, "/new")),
            };
            self.page.wrapped(self.width, "  - ", "    ", Sanitised::line(&words).as_str());
        }
        let host = text(body, "/prompt/host");
        let opinion = text(body, "/prompt/opinion");
        if !opinion.is_empty() {
            let words = format!("a model at {host} was asked, too: {opinion}");
            self.page.wrapped(self.width, "  ", "  ", Sanitised::line(&words).as_str());
        } else if !host.is_empty() {
            self.page.line(format_args!("  written by a model at {}", Sanitised::line(host)));
        }
        self.page.end();
        for line in text(fix, "/diff").lines() {
            let paint = match line.as_bytes() {
                [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] => Paint::Bold,
                [b'-', ..] => Paint::Removed,
                [b'+', ..] => Paint::Added,
                [b'@', ..] => Paint::Cyan,
                _ => Paint::Plain,
            };
            self.page.foreign(paint, line).end();
        }
    }

    fn proof(&mut self, body: &Value) {
        let Some(proof) = body.pointer("/proposedFix/proof") else { return };
        self.page.end();
        if let Some(Ok(said)) = body.get("policyReport").map(Evaluation::deserialize) {
            verdicts::summary(self.page, &said);
            verdicts::write(self.page, &said, self.width);
        }
        let renderer = Some(text(proof, "/renderer")).filter(|name| !name.is_empty()).unwrap_or("plain manifests");
        let base = text(proof, "/base");
        let renders = usize::try_from(number(proof, "/renders")).unwrap_or_default();
        let words = format!("{} ({renderer}), base {base}", text::count(renders, "render"));
        self.row("proof", &words);
        for delta in items(proof, "/delta").iter().chain(items(proof, "/companions")) {
            let of = |name: &str| text(delta, name);
            let (kind, name, place) = (of("/object/kind"), of("/object/name"), path(delta));
            self.row(
                "renders",
                &format!("{kind}/{name}: {place}: {} -> {}", value(delta, "/old"), value(delta, "/new")),
            );
        }
        for change in items(body, "/proposedFix/objects") {
            let of = |name: &str| text(change, name);
            let namespace = Some(of("/object/namespace")).filter(|name| !name.is_empty());
            let name = namespace.map_or_else(String::new, |namespace| format!("{namespace}/"));
            self.row(
                "whole",
                &format!("{} {name}{}, before and after: -o json", of("/object/kind"), of("/object/name")),
            );
        }
        for words in items(proof, "/siblings").iter().filter_map(Value::as_str) {
            self.row("unchanged", words);
        }
        for words in items(proof, "/masked").iter().filter_map(Value::as_str) {
            self.row("unstable", words);
        }
        for words in items(proof, "/notProved").iter().filter_map(Value::as_str) {
            self.row("unproved", words);
        }
        for words in items(body, "/proposedFix/next/lines").iter().filter_map(Value::as_str) {
            self.row("after it", words);
        }
        for words in items(body, "/proposedFix/intent/review").iter().filter_map(Value::as_str) {
            self.row("review", words);
        }
    }

    fn row(&mut self, label: &str, words: &str) {
        if !words.is_empty() {
            let first = format!("{label:<10}");
            self.page.wrapped(self.width, &first, "          ", Sanitised::line(words).as_str());
        }
    }
}

/// `by Ada <ada@example.com>, who typed the object's name, for critical`.
fn allowed(answer: &Value) -> String {
    let how = match text(answer, "/how") {
        "typed" => "who typed the object's name",
        "yes" => "on the terminal",
        flag => flag,
    };
    let policies: Vec<&str> = items(answer, "/policies").iter().filter_map(Value::as_str).collect();
    let policies = if policies.is_empty() { String::new() } else { format!(", for {}", text::and(&policies)) };
    let by = Some(text(answer, "/by")).filter(|by| !by.is_empty()).unwrap_or("somebody unnamed");
    format!("by {by}, {how}{policies}")
}

/// A time without its fraction.
fn second(at: &str) -> String {
    at.split_once('.').map_or_else(|| at.to_owned(), |(second, _)| format!("{second}Z"))
}

/// `Deployment shop/web` of a record.
fn object(body: &Value) -> String {
    let policy = text(body, "/suggestion/name");
    if !policy.is_empty() {
        return format!("Policy {policy}");
    }
    let (kind, name) = (text(body, "/failure/object/kind"), text(body, "/failure/object/name"));
    match text(body, "/failure/object/namespace") {
        "" => format!("{kind} {name}"),
        namespace => format!("{kind} {namespace}/{name}"),
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

fn items<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The path of an edit. The first records hold its steps alone.
fn path(edit: &Value) -> String {
    match edit.get("path") {
        Some(Value::String(text)) => text.clone(),
        Some(steps) => path::Path::deserialize(steps).map(|path| path.to_string()).unwrap_or_default(),
        None => String::new(),
    }
}

fn value(edit: &Value, pointer: &str) -> String {
    match edit.pointer(pointer) {
        None | Some(Value::Null) => "absent".to_owned(),
        Some(value) => text::clip(&value.to_string(), 120),
    }
}

/// Said when there is nothing to list.
pub fn none(page: &mut Page, folder: &str) {
    page.line(format_args!("No records in {}", Sanitised::line(folder)));
}

/// What says the words, below each record that does.
pub fn found(page: &mut Page, found: &[Vec<Entry>], words: &str) {
    for entries in found {
        list(page, std::slice::from_ref(entries));
        if let Some((place, said)) = audit::hit(entries, words) {
            let place = place.trim_start_matches('/').replace('/', ".");
            page.foreign(Paint::Plain, &format!("          {place}: {}", around(&said, words))).end();
        }
    }
}

/// The line of a text that says the words, cut to what stands around them.
fn around(said: &str, words: &str) -> String {
    const BEFORE: usize = 40;
    let words = words.to_lowercase();
    let line = said.lines().find(|line| line.to_lowercase().contains(&words)).unwrap_or(said).trim();
    let lower = line.to_lowercase();
    let at = lower.find(&words).map_or(0, |at| lower[..at].chars().count());
    let start = at.saturating_sub(BEFORE);
    let rest: String = line.chars().skip(start).collect();
    format!("{}{}", if start > 0 { "..." } else { "" }, text::clip(&rest, 120))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(entries: &[Entry]) -> String {
        let mut page = Page::default();
        show(&mut page, entries, 0);
        page.as_str().to_owned()
    }

    fn entry(seq: u64, phase: Phase, body: Value) -> Entry {
        let at = format!("2026-11-24T08:00:0{seq}.123456789Z");
        let (previous, hash) = (format!("{:064x}", seq - 1), format!("{seq:064x}"));
        Entry { seq, record: "00112233445566aa".into(), phase, at, body, previous, hash }
    }

    fn failure() -> Value {
        json!({"code": "oom-killed", "summary": "container app was killed",
            "object": {"kind": "Deployment", "namespace": "shop", "name": "web"}})
    }

    #[test]
    fn a_record_begins_with_what_came_of_it_and_ends_with_its_entries() {
        let edit =
            json!({"path": "spec.memory", "steps": [{"field": "spec"}], "op": "set", "old": "32Mi", "new": "64Mi"});
        let old_edit = json!({"path": [{"field": "spec"}, {"field": "cpu"}], "op": "add", "old": null, "new": "1"});
        let body = json!({
            "failure": failure(),
            "context": {"who": "Ada <a@example.com>", "cluster": "prod", "command": "aifix propose --push",
                "evidence": [{"id": 1, "source": "status", "text": "OOMKilled"}], "effects": []},
            "proposedFix": {"branch": "aifix/x", "diff": "--- a/w.yaml\n+++ b/w.yaml\n-m: 32Mi\n+m: 64Mi\n",
                "intent": {"subject": "Raise it", "why": "It was killed", "edits": [edit, old_edit]},
                "proof": {"renderer": "", "base": "abc", "renders": 2, "delta": [], "companions": [],
                    "notProved": ["that the pod starts"]}},
            "policyReport": {"verdicts": [], "policies": [{"name": "p", "sha256": "5a5a", "decision": "allow"}]},
        });
        let commit = json!({"commit": "c0ffee", "branch": "aifix/x", "remote": "https://h/o/r"});
        let request = json!({"number": 7, "url": "https://h/o/r/pull/7", "draft": true, "action": "opened"});
        let entries =
            [entry(1, Phase::Proposed, body), entry(2, Phase::Pushed, commit), entry(3, Phase::PullRequest, request)];
        insta::assert_snapshot!(shown(&entries), @r#"
        pull-request  Deployment shop/web  oom-killed
          container app was killed
        record    00112233445566aa
        when      2026-11-24T08:00:03Z
        who       Ada <a@example.com>
        cluster   prod
        command   aifix propose --push
        branch    aifix/x
        commit    c0ffee
        remote    https://h/o/r
        request   https://h/o/r/pull/7

        Evidence
          1. status: OOMKilled

        Fix
          Raise it. It was killed
          - spec.memory: "32Mi" -> "64Mi"
          - spec.cpu: absent -> "1"

        --- a/w.yaml
        +++ b/w.yaml
        -m: 32Mi
        +m: 64Mi

        policies  1 asked: allowed
        proof     2 renders (plain manifests), base abc
        unproved  that the pod starts

        Entries
             1  2026-11-24T08:00:01Z  proposed      0000000000000000000000000000000000000000000000000000000000000001
             2  2026-11-24T08:00:02Z  pushed        0000000000000000000000000000000000000000000000000000000000000002
             3  2026-11-24T08:00:03Z  pull-request  0000000000000000000000000000000000000000000000000000000000000003
        Whole: aifix audit show 00112233445566aa -o json
        "#);
    }

    #[test]
    fn a_refusal_tells_why_and_a_failed_push_tells_its_reason() {
        let refusal =
            json!({"code": "no-effect", "message": "nothing changes", "hint": "do it by hand", "details": ["a: 1"]});
        let out = shown(&[entry(1, Phase::Refused, json!({"failure": failure(), "context": {}, "refusal": refusal}))]);
        assert!(out.starts_with("refused  Deployment shop/web  oom-killed\n"), "{out}");
        assert!(out.contains("No safe fix: no-effect\n  nothing changes\n  a: 1\n  hint: do it by hand\n"), "{out}");
        let failed = entry(2, Phase::Failed, json!({"commit": "c0ffee", "reason": "no \u{1b}[2J route"}));
        let out = shown(&[entry(1, Phase::Proposed, json!({"failure": failure()})), failed]);
        assert!(out.starts_with("failed") && out.contains("reason    no \\e[2J route\n"), "{out}");
    }
}
