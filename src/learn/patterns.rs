//! What incidents have in common.

use super::{Record, items, text};
use crate::model::lesson::{direction, general};
use crate::model::path::Path;
use crate::model::record::{Entry, Phase};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Incidents that make a pattern at least.
const LEAST: usize = 2;
/// Incidents that make a pattern of time at least: two happen at one hour by chance.
const LEAST_IN_TIME: usize = 4;

/// One failure, of however many records.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    pub record: String,
    pub code: String,
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub since: Option<Timestamp>,
    pub image: Option<String>,
    pub labels: BTreeMap<String, String>,
    /// The author of the commit that brought the changed value; foreign.
    pub author: Option<String>,
    /// The commit that brought it.
    pub commit: Option<String>,
    pub changes: Vec<Changed>,
}

/// A field that was changed before the failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Without the names of list items.
    pub path: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
}

impl Changed {
    /// `lowered`, `raised`, `added`, `removed` or `changed`.
    pub fn verb(&self) -> &'static str {
        match (&self.old, &self.new) {
            (None, _) => "added",
            (_, None) => "removed",
            (old, new) => match direction(old.as_ref(), new.as_ref()) {
                Some("down") => "lowered",
                Some(_) => "raised",
                None => "changed",
            },
        }
    }
}

/// What the incidents of a pattern share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A field was changed before it.
    Change,
    Workload,
    Image,
    Label,
    /// Who made the commit that brought the value.
    Author,
    Time,
    /// The code alone.
    Code,
}

/// Incidents of one code that share something.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pattern {
    pub by: By,
    pub code: String,
    /// `None`: in all namespaces.
    pub namespace: Option<String>,
    /// What they share; foreign.
    pub value: String,
    pub count: usize,
    /// Incidents of the code there.
    pub of: usize,
    pub records: Vec<String>,
}

impl Pattern {
    /// `the memory limit was lowered in 7 of 9 oom-killed incidents in payments`.
    pub fn words(&self) -> String {
        let Self { code, value, count, of, .. } = self;
        let place = self.namespace.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
        let share = format!("{count} of {of} {code} incidents{place}");
        match self.by {
            By::Change => format!("{value} in {share}"),
            By::Workload => format!("{value} had {share}"),
            By::Image => format!("image {value} had {share}"),
            By::Label => format!("label {value} is on {share}"),
            By::Author => format!("the value was brought by {value} in {share}"),
            By::Time => format!("{share} began {value}"),
            By::Code => format!("{code} happened {count} times{place}"),
        }
    }
}

/// Patterns, what most incidents share first.
pub fn patterns(records: &[Record]) -> Vec<Pattern> {
    let incidents = incidents(records);
    let mut groups: BTreeMap<(String, Option<String>), Vec<&Incident>> = BTreeMap::new();
    for incident in &incidents {
        groups.entry((incident.code.clone(), Some(incident.namespace.clone()))).or_default().push(incident);
        groups.entry((incident.code.clone(), None)).or_default().push(incident);
    }
    let mut out = Vec::new();
    for ((code, namespace), group) in &groups {
        let spaces: BTreeSet<&str> = group.iter().map(|incident| incident.namespace.as_str()).collect();
        // Of one namespace it was said already.
        if namespace.is_none() && spaces.len() < 2 {
            continue;
        }
        out.extend(of_group(code, namespace.as_deref(), group));
    }
    out.sort_by(|one, other| {
        let share = |pattern: &Pattern| pattern.count * 1000 / pattern.of.max(1);
        let key = |pattern: &Pattern| (pattern.by == By::Code, std::cmp::Reverse((pattern.count, share(pattern))));
        (key(one), one.by, &one.code, &one.value).cmp(&(key(other), other.by, &other.code, &other.value))
    });
    out
}

fn of_group(code: &str, namespace: Option<&str>, group: &[&Incident]) -> Vec<Pattern> {
    let pattern = |by, value: String, found: &[&Incident]| Pattern {
        by,
        code: code.to_owned(),
        namespace: namespace.filter(|name| !name.is_empty()).map(str::to_owned),
        value,
        count: found.len(),
        of: group.len(),
        records: found.iter().map(|incident| incident.record.clone()).collect(),
    };
    let mut out = Vec::new();
    if group.len() < LEAST {
        return out;
    }
    out.push(pattern(By::Code, code.to_owned(), group));
    let mut by: BTreeMap<(By, String), Vec<&Incident>> = BTreeMap::new();
    for incident in group {
        for (kind, value) in traits(incident) {
            by.entry((kind, value)).or_default().push(incident);
        }
    }
    for ((kind, value), found) in by {
        let workloads: BTreeSet<(&str, &str)> =
            found.iter().map(|incident| (incident.kind.as_str(), incident.name.as_str())).collect();
        let most = found.len() * 2 >= group.len();
        let tells = match kind {
            By::Change | By::Author => most,
            By::Workload => true,
            // What one workload has is said by its name.
            By::Image | By::Label => most && workloads.len() > 1,
            By::Time => most && found.len() >= LEAST_IN_TIME,
            By::Code => false,
        };
        if found.len() >= LEAST && tells {
            out.push(pattern(kind, value, &found));
        }
    }
    out
}

/// What an incident may share with others.
fn traits(incident: &Incident) -> BTreeSet<(By, String)> {
    let mut all: BTreeSet<(By, String)> = incident
        .changes
        .iter()
        .map(|change| (By::Change, format!("{} was {}", field(&change.path), change.verb())))
        .collect();
    all.insert((By::Workload, format!("{}/{}", incident.kind, incident.name)));
    all.extend(incident.image.iter().map(|image| (By::Image, image.clone())));
    all.extend(incident.labels.iter().map(|(key, value)| (By::Label, format!("{key}={value}"))));
    all.extend(incident.author.iter().map(|author| (By::Author, author.clone())));
    if let Some(since) = incident.since {
        all.insert((By::Time, since.strftime("on a %A").to_string()));
        all.insert((By::Time, since.strftime("between %H:00 and %H:59 UTC").to_string()));
    }
    all
}

/// `the memory limit` of a container, else the path.
pub(super) fn field(path: &str) -> String {
    let resource = |list: &str| path.rsplit_once(&format!("resources.{list}.")).map(|(_, name)| name.to_owned());
    match (resource("limits"), resource("requests")) {
        (Some(name), _) => format!("the {name} limit"),
        (_, Some(name)) => format!("the {name} request"),
        _ => path.to_owned(),
    }
}

/// The incidents behind records, oldest first; several records of one failure are one.
pub fn incidents(records: &[Record]) -> Vec<Incident> {
    let mut all: Vec<(Incident, String)> =
        records.iter().filter_map(|record| Some((incident(record)?, record.first()?.at.clone()))).collect();
    all.sort_by(|one, other| (&one.1, &one.0.record).cmp(&(&other.1, &other.0.record)));
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for (incident, at) in all {
        // Without a beginning a day has one failure of a kind.
        let began = incident.since.map_or_else(|| at.get(..10).unwrap_or_default().to_owned(), |at| at.to_string());
        let key = (incident.code.clone(), incident.namespace.clone(), incident.kind.clone(), incident.name.clone());
        if seen.insert((key, began)) {
            out.push(incident);
        }
    }
    out
}

fn incident(record: &[Entry]) -> Option<Incident> {
    let first = record.iter().find(|entry| matches!(entry.phase, Phase::Proposed | Phase::Refused))?;
    let body = &first.body;
    let container = text(body, "/failure/container");
    let object = items(body, "/proposedFix/objects").iter().find(|one| one["intended"] == true);
    let template = object.and_then(|one| one.pointer("/before/spec/template"));
    let containers = template.map_or(&[][..], |template| items(template, "/spec/containers"));
    let own = containers.iter().find(|one| container.is_empty() || one["name"] == container);
    let labels = template.and_then(|template| template.pointer("/metadata/labels")?.as_object());
    let changes = items(body, "/context/change/fields").iter().filter_map(|field| {
        let present = |name: &str| field.get(name).filter(|value| !value.is_null()).cloned();
        let path = general(&Path::of(field.get("path")?.as_str()?));
        Some(Changed { path, old: present("old"), new: present("new") })
    });
    Some(Incident {
        record: first.record.clone(),
        code: text(body, "/failure/code").to_owned(),
        kind: text(body, "/failure/object/kind").to_owned(),
        namespace: text(body, "/failure/object/namespace").to_owned(),
        name: text(body, "/failure/object/name").to_owned(),
        since: text(body, "/failure/since").parse().ok(),
        image: own.and_then(|own| own["image"].as_str()).map(bare_image),
        labels: labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect(),
        author: items(body, "/proposedFix/origin/trail").iter().find_map(author),
        commit: body.pointer("/context/change/commit").and_then(Value::as_str).map(str::to_owned),
        changes: changes.collect(),
    })
}

/// An image without tag and digest.
fn bare_image(image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((bare, tag)) if !tag.contains('/') => bare.to_owned(),
        _ => name.to_owned(),
    }
}

/// Who made the commit of a signal `blame`: `... since 3f2a91c "Lower it" by Ada, 2026-11-20`.
fn author(signal: &Value) -> Option<String> {
    let value = (signal["signal"] == "blame").then(|| signal["value"].as_str()).flatten()?;
    let (_, rest) = value.rsplit_once("\" by ")?;
    Some(rest.rsplit_once(", ").map_or(rest, |(name, _)| name).to_owned())
}
