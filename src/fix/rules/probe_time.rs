//! Probes that wait too little.

use super::super::case::Case;
use super::super::facts::{drifted, judge};
use super::super::{history, refusal};
use crate::diagnose::probe_of;
use crate::model::intent::{FieldEdit, Intent};
use crate::model::kube::Probe;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] =
    &[("probe-kills-slow-start", slow_start), ("probe-startup-too-short", startup), ("probe-timeout", timeout)];

/// No start gets more than this by rule.
const LONGEST: i64 = 600;
/// Nor less, once a startup probe is given.
const SHORTEST: i64 = 60;
/// No single answer gets more than this.
const ANSWER: i64 = 5;

/// Fields that say how patient a probe is.
const PATIENCE: [&str; 4] = ["failureThreshold", "initialDelaySeconds", "periodSeconds", "timeoutSeconds"];

fn period(probe: &Probe) -> i64 {
    if probe.period_seconds > 0 { probe.period_seconds } else { 10 }
}

/// What an earlier revision waited, if that changed.
fn more_patient(case: &Case<'_>, fields: &[&str], why: &str) -> Result<Option<Vec<Intent>>, Refusal> {
    let here = case.container_path();
    let own: Vec<Path> =
        fields.iter().flat_map(|f| PATIENCE.iter().map(move |p| (f, p))).map(|(f, p)| here.field(f).field(p)).collect();
    history::put_back(case, why, |path| own.contains(path))
}

/// A liveness probe kills what has not started yet: a startup probe of the same kind holds it off.
fn slow_start(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let why = format!("container {} is killed before it listens", case.name());
    if case.is("worked") {
        return Err(judge(format!("{why}, and it started in time before"), "look what makes its start slower now"));
    }
    if let Some(found) = more_patient(case, &["livenessProbe"], &why)? {
        return Ok(found);
    }
    let container = case.container()?;
    let here = case.container_path();
    let live = case.at(&here.field("livenessProbe")).cloned();
    let (Some(live), Some(probe)) = (live, probe_of(&container, "livenessProbe")) else {
        return Err(drifted(format!("container {} has no liveness probe any more", container.name)));
    };
    let handler =
        ["httpGet", "tcpSocket", "grpc", "exec"].into_iter().find_map(|name| Some((name, live.get(name)?.clone())));
    let Some((name, handler)) = handler.filter(|_| container.startup_probe.is_none()) else {
        return Err(judge(why, "look why it does not start in time"));
    };
    let lives = case.fact("lifetimes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_i64);
    let longest = lives.max().unwrap_or_default();
    let period = period(probe);
    let wait = SHORTEST.max(3 * longest).min(LONGEST);
    let tries = ((wait + period - 1) / period).max(1);
    let startup = json!({name: handler, "periodSeconds": period, "failureThreshold": tries});
    let edits = vec![case.set(here.field("startupProbe"), startup)];
    let review = vec![format!("how long a start takes is not known: it gets {} s", tries * period)];
    let subject = format!("Give container {} a startup probe", container.name);
    let why = format!("{why}: the liveness probe allows less than a start takes");
    Ok(vec![case.intent(subject, why, edits, review)])
}

fn startup(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let why = format!("container {} is killed by its startup probe before it is up", case.name());
    if case.is("worked") {
        return Err(judge(format!("{why}, and it started in time before"), "look what makes its start slower now"));
    }
    if let Some(found) = more_patient(case, &["startupProbe"], &why)? {
        return Ok(found);
    }
    let container = case.container()?;
    let Some(probe) = probe_of(&container, "startupProbe") else {
        return Err(drifted(format!("container {} has no startup probe any more", container.name)));
    };
    let (period, tries) = (period(probe), if probe.failure_threshold > 0 { probe.failure_threshold } else { 3 });
    let new = (tries * 3).min(LONGEST / period);
    if new <= tries {
        let message = format!("{why}, and it has {} s already", tries * period);
        return Err(Refusal::new(
            refusal::NEEDS_CHOICE,
            message,
            "look why it starts so slowly, or choose failureThreshold",
        ));
    }
    let path = case.container_path().field("startupProbe").field("failureThreshold");
    let review = vec![format!("how long a start takes is not known: it gets {} s", new * period)];
    let why = format!("{why}, after {} s", tries * period);
    Ok(vec![case.intent(
        format!("Give container {} more time to start", container.name),
        why,
        vec![case.set(path, json!(new))],
        review,
    )])
}

/// The default of one second is little; more than five is a matter for the program.
fn timeout(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let fields = case.texts("probes");
    let why = format!("probes of container {} get no answer in time", case.name());
    let container = case.container()?;
    let good = case.finding.change.as_ref().filter(|change| change.good);
    let here = case.container_path();
    let unchanged =
        |field: &str| good.is_some_and(|c| !c.fields.iter().any(|one| one.path.starts_with(&here.field(field))));
    if !case.is("worked")
        && let Some(found) = more_patient(case, &fields, &why)?
    {
        return Ok(found);
    }
    let hint = "look why it is slow: its cpu limit, what it waits for, or whether it hangs";
    let mut edits: Vec<FieldEdit> = Vec::new();
    for field in fields {
        let Some(probe) = probe_of(&container, field) else { continue };
        let new = ANSWER.min(period(probe));
        if probe.timeout_seconds <= 1 && new > 1 && (case.is("worked") || unchanged(field)) {
            edits.push(case.set(here.field(field).field("timeoutSeconds"), json!(new)));
        }
    }
    if edits.is_empty() {
        return Err(judge(format!("{why}, and whether more time helps is not known"), hint));
    }
    let review = vec!["a slower answer is then good enough; why it is slow stays".to_owned()];
    let subject = format!("Give probes of container {} more time", container.name);
    Ok(vec![case.intent(subject, format!("{why}; they got it within a second before"), edits, review)])
}
