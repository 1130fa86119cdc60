//! `aifix policy why`: the rule behind each verdict.

use super::Session;
use super::audit::Records;
use super::policy::{limits, manifests};
use crate::doors::files;
use crate::error::{Error, exit};
use crate::model::verdict::{Evaluation, Verdict};
use crate::output::reasons::{self, Reason, Standing};
use crate::policy::{self, Described, Limits, Metadata, Set};
use crate::settings::flags::ReportFormat;
use std::path::PathBuf;

pub(super) async fn run(
    subjects: &[PathBuf],
    only: Option<&str>,
    set: &Set,
    output: ReportFormat,
    session: &Session,
) -> Result<u8, Error> {
    let program = super::program()?;
    let (evaluation, is_record) = match subjects {
        [one] if !files::exists(one) => (recorded(&one.display().to_string(), session)?, true),
        paths => {
            let objects = manifests(paths)?;
            (policy::check(&objects, set, &limits(objects.len()), &program).await, false)
        }
    };
    let described = policy::describe(set, &Limits::default(), &program).await;
    let wanted = |verdict: &&Verdict| only.is_none_or(|name| verdict.policy == name);
    let reasons: Vec<Reason> = evaluation
        .verdicts
        .iter()
        .filter(wanted)
        .map(|verdict| reason(verdict, &evaluation, set, &described, is_record))
        .collect();
    let text = match output {
        ReportFormat::Json => reasons::json(&evaluation, &reasons)?,
        ReportFormat::Text => {
            let mut page = session.ui.page();
            reasons::write(&mut page, &evaluation, &reasons, session.ui.width());
            page.as_str().to_owned()
        }
    };
    session.ui.print(&text)?;
    Ok(exit::DONE)
}

/// What the policies said when a record was written.
fn recorded(id: &str, session: &Session) -> Result<Evaluation, Error> {
    let missing = || {
        Error::usage(format!("`{id}` is neither a file nor a record"))
            .hint("name manifests, or a record of `aifix audit list`")
    };
    let store = Records::of(session)?.open()?.ok_or_else(missing)?;
    let entries = store.entries(id)?;
    let report = entries.iter().find_map(|entry| entry.body.get("policyReport")).cloned();
    let report = report.and_then(|report| serde_json::from_value(report).ok());
    report.ok_or_else(|| {
        Error::usage(format!("the record `{id}` holds no answer of policies"))
            .hint(format!("see what it holds: aifix audit show {id}"))
    })
}

/// A verdict with what is known of the policy that gave it.
fn reason(verdict: &Verdict, said: &Evaluation, set: &Set, described: &[Described], is_record: bool) -> Reason {
    let file = set.files.iter().find(|file| file.name == verdict.policy);
    let constraint = set.constraints.iter().find(|constraint| constraint.name() == verdict.policy);
    let then = said.policies.iter().find(|run| run.name == verdict.policy).map(|run| run.sha256.as_str());
    let now = file.map(|file| file.sha256.as_str()).or(constraint.map(|constraint| constraint.sha256.as_str()));
    let standing = match now {
        _ if !is_record || verdict.policy.is_empty() => Standing::Same,
        None => Standing::Gone,
        Some(now) if then == Some(now) => Standing::Same,
        Some(_) => Standing::Changed,
    };
    let about = match constraint {
        Some(constraint) => {
            Metadata { title: constraint.title.clone(), reason: constraint.reason.clone(), ..Metadata::default() }
        }
        None => file.map(policy::File::metadata).unwrap_or_default(),
    };
    // A rule of another revision would be shown as if it had said it.
    let place = verdict.location.as_ref().filter(|_| standing == Standing::Same);
    let rule = place.and_then(|place| {
        let is_there = |at: usize| set.files.get(at).is_some_and(|file| file.path == place.file);
        let rules = described.iter().filter(|described| is_there(described.file)).flat_map(|file| &file.rules);
        rules.into_iter().find(|rule| rule.line == place.line).cloned()
    });
    Reason { verdict: verdict.clone(), about, standing, rule }
}
