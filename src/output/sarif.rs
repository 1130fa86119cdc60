//! SARIF 2.1.0: what code-scanning services take.
//!
//! One run per context, told apart by `automationDetails`: a forge closes what a later run of the same
//! name does not report again. <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use super::{json, words};
use crate::error::Error;
use crate::model::code::Code;
use crate::model::finding::{Effect, Severity};
use crate::model::identity::Identity;
use crate::model::object::ObjectRef;
use crate::model::report::{ContextReport, ReportedFinding, ScanReport, SetAside};
use crate::model::snapshot::Gap;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Names what could not be looked at among the notifications.
const NOT_LOOKED_AT: &str = "not-looked-at";

/// The report as a SARIF log.
///
/// # Errors
/// Only a bug: the log can't be serialised.
pub fn scan(report: &ScanReport) -> Result<String, Error> {
    let runs: Vec<Value> = report.contexts.iter().map(|context| run(report, context)).collect();
    json::render(&json!({"$schema": SCHEMA, "version": "2.1.0", "runs": runs}))
}

/// A finding, and what set it aside.
type Seen<'r> = (&'r ReportedFinding, Option<&'r SetAside>);

fn run(report: &ScanReport, context: &ContextReport) -> Value {
    let counted = report.findings.iter().map(|reported| (reported, None));
    let aside = report.set_aside.iter().map(|aside| (&aside.reported, Some(aside)));
    let seen: Vec<Seen<'_>> = counted.chain(aside).filter(|(reported, _)| reported.context == context.name).collect();
    let mut codes: BTreeMap<&str, (Code, Severity)> = BTreeMap::new();
    for (reported, _) in &seen {
        let (code, severity) = (reported.finding.code, reported.finding.severity);
        let worst = codes.entry(code.name()).or_insert((code, severity));
        worst.1 = worst.1.min(severity);
    }
    let index: BTreeMap<&str, usize> = codes.keys().copied().zip(0..).collect();
    let mut same: BTreeMap<Identity, usize> = BTreeMap::new();
    let results: Vec<Value> = seen
        .into_iter()
        .map(|seen| {
            let identity = seen.0.finding.identity();
            let nth = same.entry(identity.clone()).or_default();
            *nth += 1;
            let index = index.get(seen.0.finding.code.name()).copied().unwrap_or_default();
            result(seen, index, &fingerprint(&identity, *nth), context.taken_at)
        })
        .collect();
    json!({
        "tool": {"driver": {
            "name": "aifix",
            "version": env!("CARGO_PKG_VERSION"),
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": codes.values().map(|(code, worst)| rule(*code, *worst)).collect::<Vec<_>>(),
            "notifications": [{
                "id": NOT_LOOKED_AT,
                "shortDescription": {"text": "something could not be looked at"},
            }],
        }},
        "automationDetails": {"id": format!("aifix/{}/", words::name(&context.name))},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation(context)],
        "results": results,
        "properties": {
            "context": words::name(&context.name),
            "scope": words::name(&context.scope),
            "summary": context.summary,
        },
    })
}

/// `oom-killed` is `OomKilled` among the names of rules.
fn rule(code: Code, worst: Severity) -> Value {
    let about = code.0;
    let capitalised = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or(("", word));
        format!("{}{rest}", first.to_uppercase())
    };
    let help =
        format!("{}\n\nSignals: {}\n\nCauses: {}\n\nFix: {}", about.meaning, about.signals, about.causes, about.fix);
    json!({
        "id": about.name,
        "name": about.name.split('-').map(capitalised).collect::<String>(),
        "shortDescription": {"text": about.title},
        "fullDescription": {"text": about.meaning},
        "help": {"text": help},
        "defaultConfiguration": {"level": level(worst)},
        "properties": {"tags": ["kubernetes", about.family], "fix": about.class},
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn result((reported, aside): Seen<'_>, rule: usize, fingerprint: &str, now: Option<Timestamp>) -> Value {
    let finding = &reported.finding;
    let mut lines = vec![format!("{}: {}", words::object(&finding.object), words::summary(finding))];
    lines.extend(words::story(finding, now));
    let suppressions: Vec<Value> = aside
        .map(|aside| json!({"kind": "external", "status": "accepted", "justification": text(&words::reason(aside))}))
        .into_iter()
        .collect();
    json!({
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": level(finding.severity),
        "message": {"text": text(&lines.join("\n"))},
        "locations": [location(reported)],
        "relatedLocations": finding.effects.iter().take(100).zip(1..).map(related).collect::<Vec<_>>(),
        // The first is the one that GitHub tells alerts apart by.
        "partialFingerprints": {"primaryLocationLineHash": fingerprint, "aifixIdentity/v1": fingerprint},
        // Of one run either all results say whether they are suppressed, or none.
        "suppressions": suppressions,
        "properties": {
            "severity": finding.severity,
            "confidence": finding.confidence,
            "fix": finding.fix.class,
            "since": finding.since,
            "sourceProved": reported.source.as_ref().map(|source| source.proved),
            "sourceCommit": reported.source.as_ref().and_then(|source| Some(&source.commit.as_ref()?.id)),
        },
    })
}

/// The same from scan to scan; several faults that are named alike are counted.
fn fingerprint(identity: &Identity, nth: usize) -> String {
    let Identity { code, group, kind, namespace, name, container } = identity;
    let mut hash = Sha256::new();
    for part in [code, group, kind, namespace, name, container] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digits: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{digits}:{nth}")
}

/// Services refuse the whole file when one result has no place in a file.
fn location(reported: &ReportedFinding) -> Value {
    let (uri, line) = words::place(reported);
    let mut logical = vec![logical(&reported.finding.object)];
    if let Some(container) = &reported.finding.container {
        let whole = format!("{}/{}", full_name(&reported.finding.object), words::name(container));
        logical.push(json!({"name": words::name(container), "fullyQualifiedName": whole, "kind": "container"}));
    }
    json!({"physicalLocation": physical(&uri, line), "logicalLocations": logical})
}

fn physical(uri: &str, line: u32) -> Value {
    json!({
        "artifactLocation": {"uri": uri},
        "region": {"startLine": line, "startColumn": 1, "endLine": line, "endColumn": 1},
    })
}

fn logical(object: &ObjectRef) -> Value {
    json!({"name": words::name(&object.name), "fullyQualifiedName": full_name(object), "kind": "resource"})
}

/// `shop/apps/v1/Deployment/web`.
fn full_name(object: &ObjectRef) -> String {
    let parts = [object.namespace(), &object.api_version(), &object.kind, &object.name];
    parts.into_iter().filter(|part| !part.is_empty()).map(words::name).collect::<Vec<_>>().join("/")
}

fn related((effect, id): (&Effect, usize)) -> Value {
    let message = format!("{}: {} ({})", words::object(&effect.object), words::line(&effect.summary, 300), effect.code);
    json!({
        "id": id,
        "message": {"text": text(&message)},
        "physicalLocation": physical(&words::cluster(&effect.object), 1),
        "logicalLocations": [logical(&effect.object)],
    })
}

/// A message of SARIF can hold links, `[words](target)`; a log line must not make one.
fn text(words: &str) -> String {
    words.replace("](", "] (")
}

fn invocation(context: &ContextReport) -> Value {
    let essential = context.gaps.iter().any(|gap| gap.essential);
    let mut invocation = json!({
        "executionSuccessful": !essential,
        "toolExecutionNotifications": context.gaps.iter().map(notification).collect::<Vec<_>>(),
    });
    if let Some(at) = context.taken_at {
        invocation["endTimeUtc"] = json!(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
    invocation
}

fn notification(gap: &Gap) -> Value {
    json!({
        "descriptor": {"id": NOT_LOOKED_AT, "index": 0},
        "level": if gap.essential { "error" } else { "warning" },
        "message": {"text": text(&format!("not looked at: {}", words::gap(gap)))},
    })
}
