//! JSON and YAML files to lean objects, item by item.

use super::document::{Document, Items};
use super::save;
use crate::cluster::failure::foreign;
use crate::cluster::kinds::{self, Row};
use crate::error::Error;
use crate::model::kube::{Event, Keyed, Object, Pod};
use crate::model::snapshot::{Gap, LogTail, Snapshot};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Lists within lists are followed this deep.
const MAX_NESTING: usize = 4;

/// Kinds that make pods.
const WORKLOADS: [&str; 8] =
    ["CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "ReplicationController", "Rollout", "StatefulSet"];

/// What one file held.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pods: Vec<Pod>,
    events: Vec<Event>,
    config_maps: Vec<Keyed>,
    secrets: Vec<Keyed>,
    /// Between the objects of a stream.
    pub(super) logs: Vec<LogTail>,
    objects: BTreeMap<String, Vec<Object>>,
    /// Annotations of the list itself: what `save` wrote about the snapshot.
    notes: BTreeMap<String, String>,
    /// Kinds that lists of their own told of, `Pod` of a `PodList`; one without items was looked at too.
    listed: BTreeSet<String>,
    /// Lists that go on where the file ends: a kind, empty for a mixed list, and what is known of the rest.
    cut: BTreeSet<(String, Option<u64>)>,
    /// A position and a reason, of the first item that is no object.
    odd: Option<String>,
    count: usize,
}

/// Reads every object of a file.
///
/// # Errors
/// When it is neither JSON nor YAML, or something in it is no Kubernetes object.
pub(super) fn objects(file: &str, bytes: &[u8], is_yaml: bool) -> Result<Collected, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let Some(first) = first else {
        return Err(Error::usage(format!("{file} is empty")).hint("a snapshot is what `kubectl get -o json` prints"));
    };
    if let Some((what, hint)) = packed(bytes) {
        return Err(Error::usage(format!("{file} is {what}")).hint(hint));
    }
    let looks_json = matches!(first, b'{' | b'[');
    let collected = match json(file, bytes) {
        Ok(collected) => collected,
        // A YAML file may begin with a flow mapping.
        Err(error) if looks_json && !is_yaml => return Err(error),
        Err(_) => yaml(file, bytes)?,
    };
    if let Some(odd) = &collected.odd {
        return Err(Error::usage(format!("{file}: {odd}")).hint("a snapshot is what `kubectl get -o json` prints"));
    }
    Ok(collected)
}

/// What a file is that has to be unpacked first, and how.
fn packed(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    match bytes {
        [0x1f, 0x8b, ..] => Some(("compressed with gzip", "unpack it first, with `gunzip --keep`")),
        // PowerShell redirects into such files.
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            Some(("text in UTF-16", "write it as UTF-8, with `iconv -f UTF-16 -t UTF-8`"))
        }
        _ => None,
    }
}

/// One document, or several one after the other.
fn json(file: &str, bytes: &[u8]) -> Result<Collected, Error> {
    let mut collected = Collected::default();
    let mut documents = serde_json::Deserializer::from_slice(bytes).into_iter::<Document>();
    for document in documents.by_ref() {
        let document = document.map_err(|error| {
            let what = if error.is_eof() { "the file ends in the middle of it" } else { "it is no JSON" };
            Error::usage(format!("{file}:{}:{}: {what}", error.line(), error.column()))
                .because(foreign(&error.to_string()))
                .hint("write the file again; it may have been cut off")
        })?;
        collected.document(document);
    }
    Ok(collected)
}

fn yaml(file: &str, bytes: &[u8]) -> Result<Collected, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Error::usage(format!("{file} is no text: byte {} is not UTF-8", error.valid_up_to()))
            .hint("a snapshot is what `kubectl get -o json` prints")
    })?;
    let documents = on_a_deep_stack(|| documents_of(text))?.map_err(|error| {
        let at = error.location().map(|at| format!(":{}:{}", at.line(), at.column())).unwrap_or_default();
        Error::usage(format!("{file}{at}: this is neither JSON nor YAML of Kubernetes objects"))
            .hint("a snapshot is what `kubectl get -o json` or `-o yaml` prints")
    })?;
    let mut collected = Collected::default();
    for document in documents {
        collected.document(document);
    }
    Ok(collected)
}

fn documents_of(text: &str) -> Result<Vec<Document>, serde_saphyr::Error> {
    // The view that Kubernetes has: YAML 1.1 booleans and octal numbers. No source lines in errors.
    // kubectl writes no anchors, so size is bounded by the file alone.
    let options = serde_saphyr::options! {
        strict_booleans: false,
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_events: 200_000_000,
            max_nodes: 100_000_000,
            max_documents: 1_000_000,
            max_total_scalar_bytes: 1 << 30,
            max_depth: 100,
            max_aliases: 1_000,
        },
    };
    serde_saphyr::from_multiple_with_options(text, options)
}

/// Runs on a thread of its own: the YAML reader takes up to 30 KiB of stack for each level of nesting,
/// and the thread that calls may have 2 MiB in all.
fn on_a_deep_stack<T: Send>(read: impl FnOnce() -> T + Send) -> Result<T, Error> {
    const STACK: usize = 16 << 20;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read);
        let thread = thread.map_err(|error| Error::bug("no thread could be started").because(error))?;
        thread.join().map_err(|_| Error::bug("the YAML reader panicked"))
    })
}

impl Collected {
    /// Whether it says nothing: no object, and no note that there was none to see.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0 && self.notes.is_empty()
    }

    /// Whether it tells of pods or workloads, if only that there are none.
    pub(super) fn tells_of_workloads(&self) -> bool {
        let is_workload = |kind: &String| WORKLOADS.contains(&kind.as_str());
        !self.pods.is_empty()
            || self.objects.keys().any(is_workload)
            || self.listed.iter().any(|kind| kind == "Pod" || is_workload(kind))
            || save::was_seen(&self.notes)
    }

    /// Puts everything into a snapshot.
    pub(super) fn fill(self, snapshot: &mut Snapshot) {
        snapshot.pods.extend(self.pods);
        snapshot.events.extend(self.events);
        snapshot.config_maps.extend(self.config_maps);
        snapshot.secrets.extend(self.secrets);
        snapshot.logs.extend(self.logs);
        for (kind, objects) in self.objects {
            snapshot.objects.entry(kind).or_default().extend(objects);
        }
        snapshot.gaps.extend(self.cut.into_iter().map(|(kind, left)| cut_off(&kind, left)));
        save::restore(snapshot, &self.notes);
    }

    fn merge(&mut self, other: Self) {
        self.pods.extend(other.pods);
        self.events.extend(other.events);
        self.config_maps.extend(other.config_maps);
        self.secrets.extend(other.secrets);
        self.logs.extend(other.logs);
        for (kind, objects) in other.objects {
            self.objects.entry(kind).or_default().extend(objects);
        }
        self.notes.extend(other.notes);
        self.listed.extend(other.listed);
        self.cut.extend(other.cut);
        self.odd = self.odd.take().or(other.odd);
        self.count += other.count;
    }

    fn document(&mut self, document: Document) {
        match document {
            Document::Nothing => {}
            Document::Scalar => self.say_odd("it is no Kubernetes object"),
            Document::Items(items) => self.items(items, "", ""),
            Document::Object { fields, items: None } => self.object(Value::Object(fields), "the object", 0),
            Document::Object { fields, items: Some(items) } => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let (kind, api_version) = (text("kind"), text("apiVersion"));
                let annotations = fields.get("metadata").and_then(|metadata| metadata.get("annotations"));
                if let Some(notes) = annotations.and_then(|notes| BTreeMap::deserialize(notes).ok()) {
                    self.notes.extend::<BTreeMap<String, String>>(notes);
                }
                // `PodList` names the kind of its items, which then do not say it themselves.
                let of = kind.strip_suffix("List").unwrap_or_default();
                self.list(of, fields.get("metadata"));
                self.items(items, of, &api_version);
            }
        }
    }

    /// Notes a list of this kind, and whether it is a page that others follow.
    fn list(&mut self, kind: &str, metadata: Option<&Value>) {
        if !kind.is_empty() {
            self.listed.insert(kind.to_owned());
        }
        let text = |name: &str| metadata?.get(name)?.as_str();
        if text("continue").is_some_and(|token| !token.is_empty()) {
            let left = metadata.and_then(|metadata| metadata.get("remainingItemCount")?.as_u64());
            self.cut.insert((kind.to_owned(), left));
        }
    }

    fn items(&mut self, items: Items, kind: &str, api_version: &str) {
        self.merge(items.done);
        for (index, mut value) in items.pending {
            if let (Value::Object(fields), false) = (&mut value, kind.is_empty()) {
                fields.entry("kind").or_insert_with(|| kind.into());
                fields.entry("apiVersion").or_insert_with(|| api_version.into());
            }
            self.object(value, &format!("item {}", index + 1), 0);
        }
    }

    fn say_odd(&mut self, odd: &str) {
        self.odd.get_or_insert_with(|| odd.to_owned());
    }

    /// Keeps one object of a kind that is told.
    pub(super) fn object(&mut self, mut value: Value, position: &str, depth: usize) {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, api_version) = (text("kind"), text("apiVersion"));
        if kind.is_empty() {
            return self.say_odd(&format!("{position} has no kind"));
        }
        if kind == "Status" && value.get("metadata").and_then(|m| m.get("name")).is_none() {
            return self.say_odd(&format!("it is an error of the API server: {}", foreign(&text("message"))));
        }
        if let Some(Value::Array(items)) = value.get_mut("items").filter(|_| kind.ends_with("List")) {
            if depth >= MAX_NESTING {
                return self.say_odd(&format!("{position} holds lists within lists"));
            }
            let items = std::mem::take(items);
            let within = kind.strip_suffix("List").unwrap_or_default();
            self.list(within, value.get("metadata"));
            for (index, mut item) in items.into_iter().enumerate() {
                if let (Value::Object(fields), false) = (&mut item, within.is_empty()) {
                    fields.entry("kind").or_insert_with(|| within.into());
                    fields.entry("apiVersion").or_insert_with(|| api_version.clone().into());
                }
                self.object(item, &format!("item {} of {position}", index + 1), depth + 1);
            }
            return;
        }
        self.count += 1;
        let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() {
            return self.say_odd(&format!("{position}, a {}, has no name", foreign(&kind)));
        }
        if let Err(error) = self.keep(&kind, &api_version, value) {
            self.say_odd(&format!("{position}, {} {}: {}", foreign(&kind), foreign(&name), foreign(&error)));
        }
    }

    fn keep(&mut self, kind: &str, api_version: &str, value: Value) -> Result<(), String> {
        let core = api_version.is_empty() || api_version == "v1";
        match kind {
            "Pod" if core => self.pods.push(read::<Pod>(value)?.reduce()),
            "Event" => {
                let value = if core { value } else { core_event(value) };
                let mut event: Event = read(value)?;
                event.metadata.managed_fields = Vec::new();
                self.events.push(event);
            }
            "ConfigMap" | "Secret" if core => {
                let read = if kind == "Secret" { Keyed::from_value(&value) } else { Keyed::config_map(&value) };
                let keyed = read.ok_or("its metadata has an unexpected shape")?;
                if kind == "Secret" { &mut self.secrets } else { &mut self.config_maps }.push(keyed);
            }
            _ => {
                let mut object: Object = read(value)?;
                if !Row::keeps_managers(kind) {
                    object.metadata.managed_fields = Vec::new();
                }
                self.objects.entry(kind.to_owned()).or_default().push(object);
            }
        }
        Ok(())
    }
}

/// A page of a list whose further pages the file has not.
fn cut_off(kind: &str, left: Option<u64>) -> Gap {
    let plural = kinds::by_kind(kind).map_or_else(|| format!("{kind} objects"), |row| row.plural.to_owned());
    let what = if kind.is_empty() { "objects".to_owned() } else { plural };
    let left = left.map_or_else(|| "more objects".to_owned(), |left| format!("{left} more objects"));
    let why = format!("the list in the file is a page of a longer one (metadata.continue): {left} not in it");
    Gap { what, why, essential: true, codes: Vec::new() }
}

fn read<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// An `events.k8s.io/v1` event under the names of core/v1: both are views of one stored object.
fn core_event(mut value: Value) -> Value {
    const NAMES: [(&str, &str); 7] = [
        ("regarding", "involvedObject"),
        ("note", "message"),
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedCount", "count"),
        ("deprecatedSource", "source"),
        ("reportingController", "reportingComponent"),
    ];
    if let Value::Object(fields) = &mut value {
        for (new, core) in NAMES {
            if let Some(field) = fields.remove(new) {
                fields.insert(core.to_owned(), field);
            }
        }
    }
    value
}
