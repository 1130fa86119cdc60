//! Jobs that do not end in time, and schedules that start none.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::drifted;
use super::super::refusal;
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::schema;
use crate::text::{self, shell_word};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("job-deadline-exceeded", deadline),
    ("pod-deadline-exceeded", pod_deadline),
    ("job-sidecar-never-ends", sidecar),
    ("cronjob-invalid-schedule", schedule),
    ("cronjob-unknown-timezone", time_zone),
    ("cronjob-missed", missed),
];

/// The names of the IANA time zone database, one a line.
const ZONES: &str = include_str!("zones.txt");

/// A helper must have run on for so long after all others ended.
const RUNS_ON: i64 = 600;

/// The spec of the Job that an object makes or is.
fn job_spec(case: &Case<'_>) -> Path {
    match case.target.kind.as_str() {
        "CronJob" => Path::of("spec.jobTemplate.spec"),
        _ => Path::of("spec"),
    }
}

/// Seconds that the good runs of a CronJob took, the longest last.
fn runs(case: &Case<'_>) -> Vec<i64> {
    let time = |job: &Object, field: &str| job.text(&format!("/status/{field}")).parse::<Timestamp>().ok();
    let own = case.snapshot.kind("Job").iter().filter(|job| {
        let by = job.metadata.controller();
        job.metadata.namespace == case.target.namespace()
            && by.is_some_and(|by| by.kind == "CronJob" && by.name == case.target.name)
    });
    let took = |job: &Object| Some(time(job, "completionTime")?.as_second() - time(job, "startTime")?.as_second());
    let mut all: Vec<i64> = own.filter_map(took).collect();
    all.sort_unstable();
    all
}

fn deadline(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = job_spec(case).field("activeDeadlineSeconds");
    let Some(now) = case.at(&path).and_then(Value::as_i64).filter(|now| *now > 0) else {
        // A Job that is killed by its pod's deadline says so as well.
        let message = format!("{} sets no deadline of its own", case.target);
        return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, message, "look at the deadline of its pod template"));
    };
    let double = |review: Vec<String>, why: String| {
        let edits = vec![case.set(path.clone(), json!(now.saturating_mul(2)))];
        case.intent(format!("Give each run {} seconds", now.saturating_mul(2)), why, edits, review)
    };
    let runs = runs(case);
    let near = runs.last().filter(|most| most.saturating_mul(10) > now.saturating_mul(8));
    match near {
        Some(most) => {
            let why = format!("runs that ended well took up to {most} of the {now} seconds");
            Ok(vec![double(vec!["a run that hangs is held twice as long".to_owned()], why)])
        }
        None => {
            let why = match runs.last() {
                Some(most) => format!("runs that ended well took {most} seconds at most, so this one hung"),
                None => "no run that ended well is known".to_owned(),
            };
            let hint = "find out why it takes so long, or allow more time";
            Err(case.ask(format!("{}: {why}", case.finding.summary), hint, vec![double(Vec::new(), why)]))
        }
    }
}

/// Each pod of a CronJob may get more time; a pod that is there never does.
fn pod_deadline(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.spec_path().field("activeDeadlineSeconds");
    let Some(now) = case.at(&path).and_then(Value::as_i64).filter(|now| *now > 0) else {
        return Err(drifted(format!("{} sets no deadline any more", case.target)));
    };
    // A pod takes a shorter one alone.
    let (kind, own) = (case.target.kind.as_str(), shell_word(&case.target.name));
    let anew = format!("raise it in Git and delete the pod, so that it is made again: kubectl delete pod {own}");
    let anew = (kind == "Pod").then(|| format!("{anew} -n {}", shell_word(case.target.namespace())));
    if let Some(by_hand) = anew.or_else(|| schema::immutable(&case.target, &case.live, &path)) {
        let message = format!("{}; how long it needs is not known", case.finding.summary);
        let hint = format!("find out why it takes so long; if it may take longer, {by_hand}");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    }
    // What a good run took, with a quarter to spare; at least as much again as there was.
    let longest = runs(case).last().copied();
    let new =
        longest.map_or(0, |most| most.saturating_add(most / 4)).clamp(now.saturating_mul(2), now.saturating_mul(10));
    let why = match longest {
        Some(most) => format!("runs that ended well took {most} seconds at most; a run that hangs is held longer"),
        None => "no run that ended well is known; a run that hangs is held longer".to_owned(),
    };
    let choice = case.choice(path, json!(new), format!("Give each pod {new} seconds instead of {now}"), &why);
    let hint = "find out why it takes so long, or allow more time";
    Err(case.ask(case.finding.summary.clone(), hint, vec![choice]))
}

/// The helper becomes a sidecar, which ends with the others.
fn sidecar(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let name = case.finding.container.as_deref().unwrap_or_default();
    let from = case.spec_path().field("containers").item(name);
    let hint = "a helper of a Job belongs in initContainers with restartPolicy Always (Kubernetes 1.29 and later)";
    let Some(old) = case.at(&from).cloned() else {
        let message = format!("container {name} is not in the template: something adds it when the pod is made");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "tell what adds it to end with the Job"));
    };
    let mut new = old.clone();
    if let Some(map) = new.as_object_mut() {
        // What the API filled in.
        for (field, value) in [("terminationMessagePath", "/dev/termination-log"), ("terminationMessagePolicy", "File")]
        {
            if map.get(field).is_some_and(|there| there == value) {
                map.shift_remove(field);
            }
        }
        if map.get("resources").is_some_and(|there| *there == json!({})) {
            map.shift_remove("resources");
        }
        map.insert("restartPolicy".to_owned(), json!("Always"));
    }
    let to = case.spec_path().field("initContainers").item(name);
    let edits = vec![
        FieldEdit { path: from, op: Op::Remove, old: Some(old), new: None },
        FieldEdit { path: to, op: Op::Add, old: None, new: Some(new) },
    ];
    let why = format!("container {name} runs on after all others have ended, and a sidecar ends with them");
    let review = vec!["clusters before 1.29 do not know sidecars".to_owned()];
    let intent = case.intent(format!("Make container {name} a sidecar"), why, edits, review);
    let long = case.fact("runsSeconds").and_then(Value::as_i64).is_some_and(|seconds| seconds > RUNS_ON);
    if case.is("helper") && long {
        return Ok(vec![intent]);
    }
    Err(case.ask(format!("{}: whether {name} is a helper is not known", case.finding.summary), hint, vec![intent]))
}

fn schedule(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = Path::of("spec.schedule");
    let now = case.at(&path).and_then(Value::as_str).unwrap_or_default();
    let bare = now.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`'));
    let fields = bare.split_whitespace().count();
    if bare != now && (fields == 5 || (fields == 1 && bare.starts_with('@'))) {
        let why = "the schedule carries quotes or blanks that are part of the text".to_owned();
        let review = vec!["the controller has not read the schedule yet".to_owned()];
        return Ok(vec![case.intent(
            format!("Write the schedule as {bare}"),
            why,
            vec![case.set(path, json!(bare))],
            review,
        )]);
    }
    let hint = "write five fields (minute hour day month weekday), such as `0 3 * * *`";
    Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint))
}

fn time_zone(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = Path::of("spec.timeZone");
    let now = case.at(&path).and_then(Value::as_str).unwrap_or_default();
    let zones: Vec<&str> = ZONES.lines().collect();
    if zones.contains(&now) {
        return Err(Refusal::new(refusal::DRIFTED, format!("time zone {now} is known"), "scan again"));
    }
    let take = |zone: &str, review: Vec<String>| {
        let why = format!("time zone {now} is not known; {zone} is");
        case.intent(format!("Use time zone {zone}"), why, vec![case.set(path.clone(), json!(zone))], review)
    };
    if let Some(zone) = only_close(now, &zones, &[]) {
        return Ok(vec![take(zone, vec!["the runs start at other times than before".to_owned()])]);
    }
    let mut near: Vec<&str> = zones.into_iter().filter(|zone| text::distance(now, zone) <= 4).collect();
    near.sort_by_key(|zone| (text::distance(now, zone), *zone));
    let choices = near.into_iter().take(5).map(|zone| take(zone, Vec::new())).collect();
    Err(case.ask(
        format!("time zone {now} is not known"),
        "write a name of the IANA database, such as Europe/Berlin",
        choices,
    ))
}

fn missed(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = Path::of("spec.startingDeadlineSeconds");
    match case.at(&path).and_then(Value::as_i64) {
        Some(now) if now < 10 => {
            let why = format!("the controller looks every 10 seconds, and a start may be {now} seconds late at most");
            let review = vec!["a start that comes late runs all the same".to_owned()];
            Ok(vec![case.intent(
                "Let a start be 60 seconds late".to_owned(),
                why,
                vec![case.set(path, json!(60))],
                review,
            )])
        }
        _ => {
            let hint =
                "see whether the controller manager was down; startingDeadlineSeconds bounds what is made up for";
            Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint))
        }
    }
}
