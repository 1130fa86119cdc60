//! The formats of a scan: valid by the books of those who read them, whatever a cluster says.

use crate::harness::{Sandbox, recorded};
use aifix::diagnose;
use aifix::model::code::{Code, FixClass};
use aifix::model::finding::{
    Change, Confidence, Effect, Evidence, FieldChange, Finding, FixHint, PodCounts, Severity, Source,
};
use aifix::model::history::Commit;
use aifix::model::object::ObjectRef;
use aifix::model::path::Path;
use aifix::model::report::{ContextReport, Filter, ReportedFinding, ScanReport, SetAside, SourceLine, Summary};
use aifix::model::snapshot::Gap;
use serde_json::{Value, json};

mod github;
mod hostile;
mod junit;
mod markdown;
mod pull_request;
mod sarif;
mod schema;

const FORMATS: [&str; 6] = ["text", "json", "sarif", "junit", "github", "markdown"];

fn code(name: &str) -> Code {
    Code(diagnose::codes().into_iter().find(|code| code.name == name).unwrap())
}

/// A finding on `Deployment/web` of `shop`, foreign text as `said` has it for each field.
pub(crate) fn finding(code_name: &str, severity: Severity, said: &dyn Fn(&str) -> String) -> Finding {
    let at = Some("2026-11-22T16:46:43Z".parse().unwrap());
    let object = |kind: &str| ObjectRef::new(&said("apps/v1"), kind, &said("shop"), &said("web"));
    Finding {
        code: code(code_name),
        severity,
        confidence: Confidence::Certain,
        object: object(&said("Deployment")),
        container: Some(said("app")),
        pods: PodCounts { failing: 1, ready: 0, desired: 2, names: vec![said("web-1")] },
        summary: said("container app was killed at its memory limit of 32Mi (exit 137)"),
        since: at,
        evidence: vec![
            Evidence { id: 1, source: Source::Log, at, text: said("Killed"), path: Some(Path::of(&said("spec.x"))) },
            Evidence { id: 2, source: Source::Spec, at: None, text: said("limits.memory: 32Mi"), path: None },
        ],
        effects: vec![Effect {
            code: code("deployment-unavailable"),
            object: object("Deployment"),
            summary: said("0 of 2 pods are ready"),
        }],
        change: Some(Change {
            from: said("3"),
            to: said("4"),
            good: true,
            fields: vec![FieldChange {
                path: Path::of("spec.template.spec.containers").item(&said("app")).field("image"),
                old: Some(json!(said("web:1"))),
                new: None,
            }],
            manager: Some(said("kubectl")),
            at,
            commit: Some(said("c0ffee")),
        }),
        fix: FixHint { class: FixClass::Rule, summary: said("Raise the memory limit") },
        facts: Value::Null,
    }
}

fn context(name: &str, said: &dyn Fn(&str) -> String) -> ContextReport {
    let gap = |what: &str, essential: bool| Gap {
        what: said(what),
        why: said("timed out"),
        essential,
        codes: vec![said("node-not-ready")],
    };
    ContextReport {
        name: said(name),
        scope: said("shop"),
        taken_at: Some("2026-11-22T16:46:58Z".parse().unwrap()),
        summary: Summary { workloads: 3, healthy: 1, failing: 2, roots: 2, effects: 2, gaps: 2, ..Summary::default() },
        gaps: vec![gap("pods", true), gap("nodes", false)],
    }
}

/// A report in which everything occurs: two contexts, gaps, all severities, a line in Git, a change, effects
/// and findings set aside.
fn report(said: &dyn Fn(&str) -> String) -> ScanReport {
    let reported = |context: &str, code: &str, severity: Severity| ReportedFinding {
        context: said(context),
        finding: finding(code, severity, said),
        source: None,
    };
    let aside = |filter: Filter, reason: &str| SetAside {
        reported: reported("prod", "image-not-found", Severity::Error),
        filter,
        reason: reason.to_owned(),
    };
    let commit = Commit {
        id: "c0ffee0000000000000000000000000000000000".to_owned(),
        subject: said("Save memory"),
        author: said("Ada"),
        at: Some("2026-11-20T10:00:00Z".parse().unwrap()),
        parents: Vec::new(),
    };
    let source = SourceLine { file: said("apps/web.yaml"), line: 12, proved: true, commit: Some(commit) };
    let mut in_git = reported("prod", "oom-killed", Severity::Critical);
    in_git.source = Some(source);
    let mut of_cluster = reported("staging", "crash-app-error", Severity::Warning);
    of_cluster.finding.object.namespace = None;
    ScanReport {
        contexts: vec![context("prod", said), context("staging", said)],
        findings: vec![
            in_git,
            reported("prod", "crash-app-error", Severity::Error),
            reported("prod", "crash-app-error", Severity::Error),
            of_cluster,
            reported("prod", "crash-dns", Severity::Info),
        ],
        set_aside: vec![
            aside(Filter::Baseline, ""),
            aside(Filter::Ignored, &said("known, see the runbook")),
            aside(Filter::Unasked, &said("")),
            aside(Filter::Minor, &said("")),
        ],
    }
}

fn plain(text: &str) -> String {
    text.to_owned()
}

/// A scan of a recording in one format.
fn scan(name: &str, format: &str) -> String {
    Sandbox::new().aifix(&["scan", "--from", &recorded(name), "-o", format]).out
}

#[test]
fn every_format_has_the_same_exit_code_but_sarif() {
    let from = recorded("oom-killed");
    for format in FORMATS {
        let code = if format == "sarif" { 0 } else { 1 };
        let ran = Sandbox::new().aifix(&["scan", "--from", &from, "-o", format]).exits(code);
        assert!(ran.out.contains("oom-killed") && ran.err.is_empty(), "{format}: {}{}", ran.out, ran.err);
    }
}
