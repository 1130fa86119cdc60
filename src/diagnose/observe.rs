//! What one rule saw on one pod, and the merging of many.

use super::owners;
use super::view::{Running, Settled, View, Workload};
use crate::model::code::{Code, CodeInfo, FixClass};
use crate::model::finding::{Confidence, Evidence, Finding, FixHint, PodCounts, Severity, Source};
use crate::model::kube::Event;
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::redact;
use jiff::Timestamp;
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One fault as one rule sees it.
pub(crate) struct Observation {
    pub code: &'static CodeInfo,
    pub object: ObjectRef,
    /// Key of the workload it hits; empty for a fault of another object, such as a Service.
    pub workload: String,
    pub container: Option<String>,
    pub pod: Option<String>,
    /// What tells two faults of one container apart.
    pub message: String,
    /// The heaviest observation of a group speaks for it: restarts.
    pub weight: i64,
    pub confidence: Confidence,
    /// The class of the code, or a weaker one where facts are missing.
    pub class: FixClass,
    /// Overrides the severity that follows from pod counts.
    pub severity: Option<Severity>,
    pub summary: String,
    pub since: Option<Timestamp>,
    pub evidence: Vec<Evidence>,
    pub facts: Value,
    /// Only worth knowing: it is not why its pod is not ready.
    pub is_aside: bool,
    /// Keys ([`key`]) of objects that its spec names and whose fault would explain this one.
    pub follows: Vec<String>,
    /// Faults elsewhere that this one explains, where the reference points the other way.
    pub explains: Vec<Explains>,
    /// One external cause that hits many owners alike: several are one root on it.
    pub shared: Option<ObjectRef>,
}

/// The faults of one object that another explains.
#[derive(Clone)]
pub(crate) struct Explains {
    /// Of the object with the fault.
    pub key: String,
    /// Names of codes that can follow from it.
    pub codes: &'static [&'static str],
}

/// Names an object in the graph: `Deployment/prod/web`, `Node//a`.
pub(crate) fn key(object: &ObjectRef) -> String {
    named(&object.kind, object.namespace(), &object.name)
}

/// [`key`] of an object that is named by a reference.
pub(crate) fn named(kind: &str, namespace: &str, name: &str) -> String {
    format!("{kind}/{namespace}/{name}")
}

impl Observation {
    /// A fault of a container.
    pub(crate) fn of_container(code: &'static CodeInfo, container: &Running<'_, '_>) -> Self {
        let mut seen = Self::of_workload(code, container.at.workload);
        seen.container = Some(container.status.name.clone());
        seen.pod = Some(container.at.pod.metadata.name.clone());
        seen.weight = container.status.restart_count;
        seen.since = container.at.pod.metadata.creation_timestamp;
        let workload = container.at.workload;
        seen.facts = json!({"list": container.list, "revision": workload.revision, "drifted": workload.drifted});
        seen
    }

    /// A fault of a workload as a whole.
    pub(crate) fn of_workload(code: &'static CodeInfo, workload: &Workload<'_>) -> Self {
        let mut seen = Self::of_object(code, workload.top.clone());
        seen.workload.clone_from(&workload.key);
        seen
    }

    /// A fault of an object that is no workload.
    pub(crate) fn of_object(code: &'static CodeInfo, object: ObjectRef) -> Self {
        Self {
            code,
            object,
            workload: String::new(),
            container: None,
            pod: None,
            message: String::new(),
            weight: 0,
            confidence: Confidence::Certain,
            class: code.class,
            severity: None,
            summary: String::new(),
            since: None,
            evidence: Vec::new(),
            facts: json!({}),
            is_aside: false,
            follows: Vec::new(),
            explains: Vec::new(),
            shared: None,
        }
    }

    /// Only worth knowing: a possible cause, a practice, something that did no harm.
    #[must_use]
    pub(crate) fn aside(mut self) -> Self {
        self.severity = Some(Severity::Info);
        self.is_aside = true;
        self
    }

    /// Worth knowing, and all there is to say about its pod for now.
    #[must_use]
    pub(crate) fn explaining(mut self) -> Self {
        self.is_aside = false;
        self
    }

    /// Adds a fact for `fix/`.
    pub(crate) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        if let Some(map) = self.facts.as_object_mut() {
            map.insert(name.to_owned(), value.into());
        }
    }

    /// Adds evidence; secrets in its text are removed here, and nowhere is it let in without this.
    pub(crate) fn show(&mut self, source: Source, at: Option<Timestamp>, text: &str, path: Option<Path>) {
        let id = u32::try_from(self.evidence.len() + 1).unwrap_or(u32::MAX);
        // An empty message was looked at all the same.
        let text = match text.trim() {
            "" => "(empty)".to_owned(),
            text => redact::text(text).into_string(),
        };
        self.evidence.push(Evidence { id, source, at, text, path });
    }

    /// Adds an event as evidence.
    pub(crate) fn show_event(&mut self, event: &Event) {
        let times = if event.times() > 1 { format!(" (x{})", event.times()) } else { String::new() };
        let text = format!("{}: {}{times}", event.reason, event.text());
        self.show(Source::Event, event.last_seen(), &text, None);
    }

    /// Marks what lacks nothing but age: without a clock it is only worth knowing.
    pub(crate) fn settle(mut self, settled: Settled) -> Option<Self> {
        match settled {
            Settled::Yes => Some(self),
            Settled::No => None,
            Settled::Unknown => {
                self.severity = Some(Severity::Info);
                self.summary.push_str(" (age not known)");
                Some(self)
            }
        }
    }
}

static RANDOM: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
        (r"\b[0-9a-f]{32,64}\b", "ID"),
        (r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b", "IP"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?", "TIME"),
        (r"\b[0-9]+ node\(s\)", "n node(s)"),
        (r"pods? \x22[^\x22]*\x22", "pod"),
    ]
    .into_iter()
    .filter_map(|(shape, name)| Some((Regex::new(shape).ok()?, name)))
    .collect()
});

/// See [`redact::prepare`].
pub fn prepare() {
    LazyLock::force(&RANDOM);
    redact::prepare();
}

/// A message without what differs from pod to pod.
pub(crate) fn normalised(message: &str) -> String {
    let mut out = message.strip_prefix("(combined from similar events): ").unwrap_or(message).to_owned();
    for (shape, name) in RANDOM.iter() {
        out = shape.replace_all(&out, *name).into_owned();
    }
    out
}

/// A finding with what links it to others.
pub(crate) struct Draft {
    pub finding: Finding,
    /// Key of the workload that it was made for, empty for other objects.
    pub workload: String,
    pub follows: Vec<String>,
    pub explains: Vec<Explains>,
    pub shared: Option<ObjectRef>,
}

/// One finding per (owner, revision, container, code, message): pods are counted, the worst speaks.
pub(crate) fn collapse(view: &View<'_>, seen: Vec<Observation>) -> Vec<Draft> {
    type Key = (String, String, String, String, String);
    let mut groups: BTreeMap<Key, Vec<Observation>> = BTreeMap::new();
    for one in seen {
        let place = if one.workload.is_empty() { one.object.qualified() } else { one.workload.clone() };
        let revision = view.workload(&one.workload).map(|w| w.revision.clone()).unwrap_or_default();
        let container = one.container.clone().unwrap_or_default();
        let key = (place, revision, container, one.code.name.to_owned(), normalised(&one.message));
        groups.entry(key).or_default().push(one);
    }
    groups.into_values().filter_map(|group| merge(view, group)).collect()
}

fn merge(view: &View<'_>, mut group: Vec<Observation>) -> Option<Draft> {
    group.sort_by(|a, b| {
        let weight = |one: &Observation| std::cmp::Reverse(one.weight);
        (a.severity.is_some(), weight(a), &a.pod).cmp(&(b.severity.is_some(), weight(b), &b.pod))
    });
    let names: Vec<String> = group.iter().filter_map(|one| one.pod.clone()).collect();
    let since = group.iter().filter_map(|one| one.since).min();
    let mut follows: Vec<String> = group.iter().flat_map(|one| one.follows.clone()).collect();
    follows.sort();
    follows.dedup();
    let explains = group.iter().flat_map(|one| one.explains.clone()).collect();
    let worst = group.into_iter().next()?;
    let workload = view.workload(&worst.workload);
    let counts = workload.map(|w| w.counts).unwrap_or_default();
    let pods = PodCounts {
        failing: names.len(),
        ready: counts.ready,
        desired: counts.desired,
        names: names.into_iter().take(3).collect(),
    };
    let mut finding = Finding {
        code: Code(worst.code),
        severity: worst.severity.unwrap_or_else(|| workload.map_or(Severity::Critical, severity)),
        confidence: worst.confidence,
        object: worst.object,
        container: worst.container,
        pods,
        summary: redact::text(&worst.summary).into_string(),
        since,
        evidence: worst.evidence,
        effects: Vec::new(),
        change: None,
        fix: FixHint { class: worst.class, summary: worst.code.fix.to_owned() },
        facts: worst.facts,
    };
    if let Some(workload) = workload.filter(|w| !w.inspected) {
        note_owner(view, &mut finding, workload);
    }
    Some(Draft { finding, workload: worst.workload, follows, explains, shared: worst.shared })
}

/// Adds evidence to what was found; secrets in its text are removed here.
pub(crate) fn note(finding: &mut Finding, source: Source, at: Option<Timestamp>, text: &str) {
    let id = u32::try_from(finding.evidence.len() + 1).unwrap_or(u32::MAX);
    let text = redact::text(text).into_string();
    finding.evidence.push(Evidence { id, source, at, text, path: None });
}

/// The top owner is a custom resource, or was not seen: an edit belongs there. What it says of itself is told.
fn note_owner(view: &View<'_>, finding: &mut Finding, workload: &Workload<'_>) {
    let mut note = |source, at, text: &str| note(finding, source, at, text);
    let owner = &workload.top;
    let Some(object) = view.snapshot.resolve(owner) else {
        return note(Source::Spec, None, &format!("{owner} owns these pods; owner not inspected"));
    };
    note(Source::Spec, None, &format!("{owner} owns these pods"));
    for c in owners::complaints(object) {
        note(Source::Status, c.last_transition_time.0, &format!("{owner} says {}", owners::complaint(&c)));
    }
}

/// What still serves decides: nothing, some, or all of it by an earlier revision.
fn severity(workload: &Workload<'_>) -> Severity {
    let is_cron_job = workload.source.is_some_and(|source| source.kind == "CronJob");
    let current_serves = workload.current.iter().any(|pod| pod.is_ready());
    match (workload.counts.ready, workload.counts.desired) {
        _ if is_cron_job => Severity::Error,
        (0, _) => Severity::Critical,
        (ready, desired) if ready >= desired && !current_serves => Severity::Warning,
        _ => Severity::Error,
    }
}
