//! Schedules that do not start a run.

use super::starts::Starts;
use super::{
    CRONJOB_BLOCKED, CRONJOB_CREATE_FAILED, CRONJOB_INVALID_SCHEDULE, CRONJOB_MISSED, CRONJOB_NEVER_RAN,
    CRONJOB_UNKNOWN_TIMEZONE, started,
};
use crate::diagnose::health;
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Settled, View, Workload};
use crate::model::code::FixClass;
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Event, Object};
use crate::model::path::Path;
use crate::text;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

static SCHEDULE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:unparseable schedule(?: for cronjob)?|invalid schedule): (.+?)(?: : (.+))?$").ok()
});
static ZONE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"invalid timeZone: "([^"]*)""#).ok());

/// What the controller says of a schedule.
pub(super) fn schedule(view: &View<'_>, workload: &Workload<'_>, cron_job: &Object) -> Option<Observation> {
    let events = view.events(&cron_job.metadata.uid);
    let last = |reasons: &[&str]| events.iter().rev().copied().find(|event| reasons.contains(&event.reason.as_str()));
    let make = |code, event: Option<&Event>, summary: String, field: &str| {
        let mut seen = Observation::of_workload(code, workload);
        seen.summary = summary;
        seen.severity = Some(Severity::Error);
        seen.since = event.map_or(health::changed(cron_job), Event::first_seen);
        event.into_iter().for_each(|event| seen.show_event(event));
        let value = cron_job.at(&format!("/spec/{field}")).map(Value::to_string).unwrap_or_default();
        seen.show(Source::Spec, None, &format!("{field}: {value}"), Some(Path::of("spec").field(field)));
        seen.fact("field", field);
        seen
    };
    const INVALID: [&str; 3] = ["UnparseableSchedule", "UnParseableCronJobSchedule", "InvalidSchedule"];
    let now = cron_job.text("/spec/schedule");
    // The schedule may have been corrected since.
    if let Some(event) = last(&INVALID).filter(|event| event.text().contains(now)) {
        let why = SCHEDULE.as_ref().and_then(|shape| shape.captures(event.text())).and_then(|found| found.get(2));
        let why = why.map_or("it can't be read", |why| why.as_str());
        // The controller's words for a date that never comes.
        let never = why.contains("time difference between two schedules is less than 1 second");
        let why = if never { "no such date ever comes" } else { why };
        let summary = format!("schedule `{now}` can't be used: {}", text::clip(why, 120));
        return Some(make(&CRONJOB_INVALID_SCHEDULE, Some(event), summary, "schedule"));
    }
    // The event is gone after an hour, and the controller does not repeat it.
    if Starts::parse(now).is_some_and(|starts| starts.never_comes()) {
        let summary = format!("schedule `{now}` can't be used: no such date ever comes");
        return Some(make(&CRONJOB_INVALID_SCHEDULE, None, summary, "schedule"));
    }
    if let Some(event) = last(&["UnknownTimeZone"]) {
        let zone = ZONE.as_ref()?.captures(event.text())?[1].to_owned();
        if cron_job.text("/spec/timeZone") == zone {
            return Some(make(
                &CRONJOB_UNKNOWN_TIMEZONE,
                Some(event),
                format!("time zone {zone} is not known"),
                "timeZone",
            ));
        }
    }
    let young = |event: &&Event| event.times() >= 3 || view.settled(event.last_seen(), 900) == Settled::No;
    if let Some(event) = last(&["FailedCreate"]).filter(young) {
        let text = event.text().trim_start_matches("Error creating job: ");
        let summary = format!("no Job can be made for CronJob {}: {}", cron_job.metadata.name, text::clip(text, 140));
        return Some(make(&CRONJOB_CREATE_FAILED, Some(event), summary, "jobTemplate"));
    }
    let event = last(&["MissSchedule", "TooManyMissedTimes"]).filter(young)?;
    let deadline = cron_job.int("/spec/startingDeadlineSeconds");
    let summary = match deadline {
        Some(seconds) if seconds < 10 => {
            format!("CronJob {} misses its starts: startingDeadlineSeconds is {seconds}", cron_job.metadata.name)
        }
        _ => format!("CronJob {} missed its starts", cron_job.metadata.name),
    };
    let mut seen = make(&CRONJOB_MISSED, Some(event), summary, "startingDeadlineSeconds");
    if deadline.is_none_or(|seconds| seconds >= 10) {
        seen.class = FixClass::Ask;
    }
    seen.severity = Some(Severity::Warning);
    Some(seen)
}

/// About how many seconds lie between two starts at most.
pub(super) fn period(schedule: &str) -> i64 {
    const DAY: i64 = 86_400;
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let every = |field: &str| field.strip_prefix("*/").and_then(|n| n.parse::<i64>().ok());
    match fields.as_slice() {
        ["@hourly"] => 3600,
        ["@daily" | "@midnight"] => DAY,
        [minute, "*", "*", "*", "*"] if *minute == "*" => 60,
        [minute, "*", "*", "*", "*"] => every(minute).map_or(3600, |n| n * 60),
        [_, hour, "*", "*", "*"] => every(hour).map_or(DAY, |n| n * 3600),
        ["@weekly"] | [_, _, "*", "*", _] => 7 * DAY,
        [_, _, _, "*", _] => 31 * DAY,
        _ => 366 * DAY,
    }
}

pub(super) fn blocked(view: &View<'_>, workload: &Workload<'_>, cron_job: &Object) -> Option<Observation> {
    let active: Vec<Value> = cron_job.view("/status/active");
    let names = active.iter().filter_map(|one| one.get("name")?.as_str());
    let jobs = names.filter_map(|name| view.snapshot.find("Job", &cron_job.metadata.namespace, name));
    let oldest = jobs.min_by_key(|job| (started(job), job.metadata.name.clone()))?;
    let began = started(oldest).or(oldest.metadata.creation_timestamp);
    let forbids = cron_job.text("/spec/concurrencyPolicy") == "Forbid";
    let every = period(cron_job.text("/spec/schedule"));
    if !forbids || view.settled(began, 2 * every) != Settled::Yes {
        return None;
    }
    let (name, job) = (&cron_job.metadata.name, &oldest.metadata.name);
    let age = view.age(began).map_or_else(String::new, |age| format!(" for {}", text::duration(age)));
    let mut seen = Observation::of_workload(&CRONJOB_BLOCKED, workload);
    seen.summary = format!("CronJob {name} starts no run because Job {job} has been active{age}");
    seen.since = began;
    seen.severity = Some(Severity::Error);
    let events = view.events(&cron_job.metadata.uid);
    if let Some(event) = events.iter().rev().find(|event| event.reason == "JobAlreadyActive") {
        seen.show_event(event);
    }
    seen.show(Source::Spec, None, "concurrencyPolicy: Forbid", Some(Path::of("spec.concurrencyPolicy")));
    // What is wrong with the pod of the run explains it.
    seen.follows.push(workload.key.clone());
    seen.fact("job", job.as_str());
    Some(seen)
}

pub(super) fn never_ran(view: &View<'_>, workload: &Workload<'_>, cron_job: &Object) -> Option<Observation> {
    let (created, changed) = (cron_job.metadata.creation_timestamp, health::changed(cron_job));
    let schedule = cron_job.text("/spec/schedule");
    let ran = !cron_job.text("/status/lastScheduleTime").is_empty();
    // A start of this minute is not late yet, and a schedule counts from its last edit.
    let late = match Starts::parse(schedule) {
        Some(starts) => {
            let until = view.snapshot.now()?.checked_sub(jiff::SignedDuration::from_mins(1)).ok()?;
            starts.twice_between(changed?, until)
        }
        None => view.settled(changed, 2 * period(schedule)) == Settled::Yes,
    };
    let settled = match view.snapshot.taken_at {
        _ if late => Settled::Yes,
        Some(_) => Settled::No,
        None => Settled::Unknown,
    };
    if ran {
        return None;
    }
    let mut seen = Observation::of_workload(&CRONJOB_NEVER_RAN, workload);
    let name = &cron_job.metadata.name;
    seen.summary = format!("CronJob {name} has never started a run since it was made");
    seen.severity = Some(Severity::Warning);
    seen.since = created;
    seen.show(Source::Spec, None, &format!("schedule: {schedule}"), Some(Path::of("spec.schedule")));
    seen.settle(settled)
}
