//! What holds of every snapshot, whatever is in it.

use super::chance::Chance;
use aifix::cluster::files;
use aifix::diagnose::{self, Diagnosis};
use aifix::fix;
use aifix::model::finding::{Finding, Severity};
use aifix::model::object::ObjectRef;
use aifix::model::report::{ContextReport, ReportedFinding, ScanReport, Summary};
use aifix::model::snapshot::Snapshot;
use aifix::output::{github, html, json, junit, markdown, sarif, scan_text};
use aifix::text::is_invisible;
use aifix::ui::Page;
use std::collections::BTreeSet;
use std::path::Path;

/// What one run saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) refused: bool,
    pub(crate) codes: Vec<&'static str>,
    /// What does not hold: a line, and its details behind a line feed.
    pub(crate) wrong: Vec<String>,
}

/// Reads a snapshot, diagnoses it and writes the answers.
pub(crate) fn hold(folder: &Path, chance: &mut Chance) -> Result<Seen, String> {
    let mut seen = Seen::default();
    let snapshot = match files::load(folder, None) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            seen.refused = true;
            if error.message.is_empty() || error.hints.is_empty() {
                seen.wrong.push(format!("a refusal says too little\n{error:?}"));
            }
            return Ok(seen);
        }
    };
    let mut diagnosis = diagnose::diagnose(&snapshot);
    for finding in &mut diagnosis.findings {
        finding.fix = fix::hint(&snapshot, finding);
    }
    seen.codes = diagnosis.findings.iter().map(|finding| finding.code.0.name).collect();
    let wrong = &mut seen.wrong;
    counts(&diagnosis, wrong);
    let mut saved = String::new();
    for finding in &diagnosis.findings {
        whole(finding, wrong);
        for object in std::iter::once(&finding.object).chain(finding.effects.iter().map(|effect| &effect.object)) {
            if !is_there(&snapshot, object) && !is_named(&snapshot, object, &mut saved) {
                wrong.push(format!("{}: an object that nothing names\n{object:?}", finding.code));
            }
        }
    }
    let report = report(&snapshot, &diagnosis);
    let width = *chance.pick(&[0, 1, 20, 80]);
    let mut page = Page::default();
    scan_text::write(&mut page, &report, scan_text::View { width, all: chance.percent(50), next: None });
    clean("text", page.as_str(), wrong);
    let written = json::scan(&report).map_err(|error| format!("no JSON\n{error:?}"))?;
    clean("json", &written, wrong);
    if chance.below(16) == 0 {
        rarely(&snapshot, &written, chance, wrong);
        formats(&report, wrong);
    }
    Ok(seen)
}

fn nothing_stands_twice(snapshot: &Snapshot) -> bool {
    let objects = snapshot.objects.iter().flat_map(|(kind, all)| all.iter().map(move |one| (&**kind, &one.metadata)));
    let maps = snapshot.config_maps.iter().map(|map| ("ConfigMap", &map.metadata));
    let all: Vec<_> = objects.chain(snapshot.pods.iter().map(|pod| ("Pod", &pod.metadata))).chain(maps).collect();
    let names: BTreeSet<_> = all.iter().map(|(kind, meta)| (kind, &meta.namespace, &meta.name)).collect();
    let uids: BTreeSet<_> = all.iter().map(|(_, meta)| &meta.uid).collect();
    names.len() == all.len() && uids.len() == all.len()
}

/// The formats that are for other programs, and the page.
fn formats(report: &ScanReport, wrong: &mut Vec<String>) {
    for (what, written) in [
        ("sarif", sarif::scan(report)),
        ("junit", junit::scan(report)),
        ("github", github::scan(report)),
        ("markdown", markdown::scan(report)),
        ("html", Ok(html::write(report, None))),
    ] {
        match written {
            Ok(written) => clean(what, &written, wrong),
            Err(error) => wrong.push(format!("no {what}\n{error:?}")),
        }
    }
}

/// What takes too long to be asked every time.
fn rarely(snapshot: &Snapshot, written: &str, chance: &mut Chance, wrong: &mut Vec<String>) {
    if let Err(error) = serde_json::from_str::<serde_json::Value>(written) {
        wrong.push(format!("json can't be read back\n{error}"));
    }
    let _ = diagnose::needs(snapshot);
    for (kind, objects) in &snapshot.objects {
        if let Some(object) = objects.first() {
            let _ = diagnose::checks(snapshot, kind, &object.metadata.name);
        }
    }
    if let Some(pod) = snapshot.pods.first() {
        let _ = diagnose::checks(snapshot, "Pod", &pod.metadata.name);
    }
    let mut other = snapshot.clone();
    chance.shuffle(&mut other.pods);
    chance.shuffle(&mut other.events);
    chance.shuffle(&mut other.config_maps);
    other.objects.values_mut().for_each(|objects| chance.shuffle(objects));
    let (one, two) = (diagnose::diagnose(snapshot), diagnose::diagnose(&other));
    // In a cluster no name and no uid stands twice; in a file of no order it is anybody's guess which one is meant.
    if one != two && nothing_stands_twice(snapshot) {
        wrong.push(format!("the order of lists decides\n{one:?}\n{two:?}"));
    }
}

fn counts(diagnosis: &Diagnosis, wrong: &mut Vec<String>) {
    let summary = diagnosis.summary;
    if summary.workloads != summary.healthy + summary.in_progress + summary.failing {
        wrong.push(format!("the counts of workloads do not add up\n{summary:?}"));
    }
    let infos = diagnosis.findings.iter().map(|finding| finding.severity == Severity::Info);
    if !infos.is_sorted() {
        wrong.push("info comes before what fails".to_owned());
    }
}

fn whole(finding: &Finding, wrong: &mut Vec<String>) {
    let code = finding.code;
    let mut say = |what: &str| wrong.push(format!("{code}: {what}\n{finding:?}"));
    if finding.evidence.is_empty() {
        say("no evidence");
    }
    if !finding.evidence.iter().zip(1..).all(|(evidence, id)| evidence.id == id) {
        say("evidence is not numbered");
    }
    if finding.evidence.iter().any(|evidence| evidence.text.is_empty()) {
        say("evidence without words");
    }
    if finding.summary.is_empty() || finding.fix.summary.is_empty() {
        say("no summary");
    }
    if finding.pods.names.len() > 3 {
        say("more than three names of pods");
    }
}

fn is_there(snapshot: &Snapshot, object: &ObjectRef) -> bool {
    let keyed = match object.kind.as_str() {
        "ConfigMap" => snapshot.config_maps.as_slice(),
        "Secret" => snapshot.secrets.as_slice(),
        _ => &[],
    };
    snapshot.resolve(object).is_some()
        || snapshot.pods.iter().any(|pod| object.kind == "Pod" && pod.metadata.name == object.name)
        || keyed.iter().any(|one| one.metadata.name == object.name)
}

/// Whether some text of the snapshot has the name of the object.
fn is_named(snapshot: &Snapshot, object: &ObjectRef, saved: &mut String) -> bool {
    // Services of a cluster that no object need name.
    if matches!(object.kind.as_str(), "DNS" | "Scheduler") {
        return true;
    }
    if saved.is_empty() {
        *saved = format!("{snapshot:?}");
    }
    let name = format!("{:?}", object.name);
    saved.contains(name.trim_matches('"'))
}

fn clean(what: &str, text: &str, wrong: &mut Vec<String>) {
    let bad = |c: &char| *c != '\n' && (c.is_control() || is_invisible(*c));
    if let Some(c) = text.chars().find(bad) {
        let line = text.lines().find(|line| line.contains(c)).unwrap_or_default();
        wrong.push(format!("{what} has the character {c:?}\n{line:?}"));
    }
    let runs = |line: &str| line.trim_start().starts_with("::") || line.contains("##[") || line.contains("##vso[");
    if let Some(line) = text.lines().find(|line| what == "text" && runs(line)) {
        wrong.push(format!("{what} has a runner's command\n{line:?}"));
    }
}

fn report(snapshot: &Snapshot, diagnosis: &Diagnosis) -> ScanReport {
    let roots = diagnosis.findings.iter().filter(|finding| finding.severity != Severity::Info);
    let summary = Summary {
        workloads: diagnosis.summary.workloads,
        healthy: diagnosis.summary.healthy,
        in_progress: diagnosis.summary.in_progress,
        failing: diagnosis.summary.failing,
        roots: roots.clone().count(),
        effects: roots.map(|finding| finding.effects.len()).sum(),
        gaps: snapshot.gaps.len(),
        requests: snapshot.requests,
    };
    let context = ContextReport {
        name: snapshot.context.clone(),
        scope: snapshot.scope.to_string(),
        taken_at: snapshot.now(),
        summary,
        gaps: snapshot.gaps.clone(),
    };
    let reported = |finding: &Finding| ReportedFinding {
        context: snapshot.context.clone(),
        finding: finding.clone(),
        source: None,
    };
    let findings = diagnosis.findings.iter().map(reported).collect();
    ScanReport { contexts: vec![context], findings, set_aside: Vec::new() }
}
