//! The fields that a model may change, and to what.

use super::about::{self, Part};
use super::written;
use crate::llm::{fence, material};
use crate::model::finding::{FieldChange, Finding};
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::path::{Path, Step};
use crate::model::quantity::Quantity;
use crate::model::snapshot::Snapshot;
use crate::redact;
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Which way a quantity may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
    Either,
}

/// What a new value must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Integer {
        min: i64,
        max: i64,
    },
    /// At most eight times, at least an eighth of what it is.
    Quantity(Direction),
    Boolean,
    /// As Go writes it: `30s`, `1m30s`.
    Duration,
    /// One of `allowed`, nothing else.
    OneOf,
    /// One of `allowed`, or words of the model's own, which a person must read.
    Words,
}

/// A field of the live object that a model may change.
#[derive(Debug, Clone, PartialEq)]
pub struct AllowedField {
    pub path: Path,
    /// The live value.
    pub current: Value,
    pub kind: Kind,
    /// Values that stand in a trusted place already: an earlier revision, or names, keys and ports of
    /// the namespace.
    pub allowed: Option<Vec<String>>,
}

impl AllowedField {
    /// As it stands in a prompt.
    pub fn offer(&self) -> material::Field {
        let rule = match (&self.kind, &self.allowed) {
            (Kind::Integer { min, max }, _) => format!("integer from {min} to {max}"),
            (Kind::Quantity(Direction::Up), _) => "quantity, more than now".to_owned(),
            (Kind::Quantity(Direction::Down), _) => "quantity, less than now".to_owned(),
            (Kind::Quantity(Direction::Either), _) => "quantity".to_owned(),
            (Kind::Boolean, _) => "true or false".to_owned(),
            (Kind::Duration, _) => "duration".to_owned(),
            (Kind::OneOf, allowed) => {
                format!("one of: {}", allowed.iter().flatten().cloned().collect::<Vec<_>>().join(", "))
            }
            (Kind::Words, Some(allowed)) => format!("text; earlier: {}", allowed.join(", ")),
            (Kind::Words, None) => "text".to_owned(),
        };
        material::Field {
            path: self.path.to_string(),
            current: redact::text(&written(&self.current)),
            rule: redact::text(&rule),
        }
    }
}

/// Fields that decide who a container is, what it may do or where its files come from.
/// A model changes none of them, not even back.
const NEVER: [&str; 16] = [
    "serviceAccountName",
    "serviceAccount",
    "automountServiceAccountToken",
    "volumes",
    "volumeMounts",
    "volumeDevices",
    "securityContext",
    "imagePullSecrets",
    "imagePullPolicy",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "lifecycle",
    "runtimeClassName",
    "nodeName",
    "terminationMessagePath",
];

static DURATION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(?:\d{1,9}(?:\.\d{1,3})?(?:ns|us|ms|s|m|h))+$").ok());

/// Whether a text is a duration as Go writes it.
pub(crate) fn is_duration(text: &str) -> bool {
    DURATION.as_ref().is_some_and(|shape| shape.is_match(text))
}

/// The fields of the finding's workload that a model may change, the likeliest first: what changed
/// lately, and what the code is about.
pub fn fields(snapshot: &Snapshot, finding: &Finding) -> Vec<AllowedField> {
    let Some((live, base)) = live(snapshot, &finding.object) else { return Vec::new() };
    let Some(spec) = base.get(&live) else { return Vec::new() };
    let shown = redact::value(&live);
    let mut gathered = Gathered { snapshot, finding, live: &live, shown: &shown, out: Vec::new() };
    for list in ["containers", "initContainers"] {
        for container in spec.get(list).and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = container.get("name").and_then(Value::as_str) else { continue };
            if finding.container.as_deref().is_none_or(|wanted| wanted == name) {
                gathered.container(&base.field(list).item(name), container);
            }
        }
    }
    gathered.out
}

/// The live object as JSON, and the path of its pod spec.
fn live(snapshot: &Snapshot, object: &ObjectRef) -> Option<(Value, Path)> {
    if object.kind == "Pod" {
        let pods = &snapshot.pods;
        let pod =
            pods.iter().find(|pod| pod.metadata.name == object.name && pod.metadata.namespace == object.namespace());
        return Some((serde_json::to_value(pod?).ok()?, Path::of("spec")));
    }
    let found = snapshot.resolve(object)?;
    let template = found.template_pointer()?.trim_start_matches('/').replace('/', ".");
    Some((Object::to_value(found), Path::of(&format!("{template}.spec"))))
}

struct Gathered<'g> {
    snapshot: &'g Snapshot,
    finding: &'g Finding,
    live: &'g Value,
    /// The live object without secrets: what a value stands under or behind can make it one.
    shown: &'g Value,
    out: Vec<AllowedField>,
}

impl Gathered<'_> {
    fn container(&mut self, at: &Path, container: &Value) {
        self.changed(at);
        let ports = self.numbers(container);
        for part in about::parts(self.finding.code) {
            match part {
                Part::Resources => self.resources(at),
                Part::Probes => ["startupProbe", "livenessProbe", "readinessProbe"]
                    .into_iter()
                    .for_each(|probe| self.probe(&at.field(probe), container)),
                Part::Ports => {
                    for index in 0..container.get("ports").and_then(Value::as_array).map_or(0, Vec::len) {
                        self.one_of(&at.field("ports").index(index).field("containerPort"), ports.clone());
                    }
                }
                Part::Variables => self.variables(at, container, &ports),
                Part::References => self.references(at, container),
                Part::Words => self.words(at, container),
            }
        }
    }

    fn words(&mut self, container: &Path, value: &Value) {
        for list in ["args", "command"] {
            for index in 0..value.get(list).and_then(Value::as_array).map_or(0, Vec::len) {
                self.add(container.field(list).index(index), Kind::Words, None);
            }
        }
    }

    /// Adds a field that exists, once, unless it is one of [`NEVER`], a URL, a secret, or reads
    /// otherwise in a prompt.
    fn add(&mut self, path: Path, kind: Kind, allowed: Option<Vec<String>>) {
        let Some(current) = path.get(self.live).filter(|value| !value.is_null() && !value.is_object()) else { return };
        let text = written(current);
        let is_banned = path.0.iter().any(|step| matches!(step, Step::Field(name) if NEVER.contains(&name.as_str())));
        let is_shown_as_it_is = path.get(self.shown) == Some(current)
            && redact::field(&path, current) == *current
            && fence::is_plain(&path.to_string())
            && fence::is_plain(&text)
            && text.len() <= 200;
        if is_banned || text.contains("://") || !is_shown_as_it_is || self.out.iter().any(|field| field.path == path) {
            return;
        }
        self.out.push(AllowedField { path, current: current.clone(), kind, allowed });
    }

    /// Adds a field that takes another of these values, when there is another.
    fn one_of(&mut self, path: &Path, values: BTreeSet<String>) {
        let Some(current) = path.get(self.live).map(written) else { return };
        let allowed = usable(values, &current);
        if !allowed.is_empty() {
            self.add(path.clone(), Kind::OneOf, Some(allowed));
        }
    }

    fn earlier(&self, path: &Path) -> Option<&FieldChange> {
        self.finding.change.as_ref()?.fields.iter().find(|change| change.path == *path)
    }

    /// What the last change of this container replaced can come back. An image only as another tag of
    /// the same repository.
    fn changed(&mut self, container: &Path) {
        let changes = self.finding.change.iter().flat_map(|change| &change.fields);
        let back: Vec<(Path, String)> = changes
            .filter(|change| change.path.starts_with(container))
            .filter_map(|change| Some((change.path.clone(), written(change.old.as_ref()?))))
            .collect();
        for (path, old) in back {
            let leaf =
                path.0.last().and_then(|step| if let Step::Field(name) = step { Some(name.as_str()) } else { None });
            let current = path.get(self.live).map(written).unwrap_or_default();
            if leaf == Some("image") && repository(&old) != repository(&current) {
                continue;
            }
            let is_secret = redact::field(&path, &json!(old)) != json!(old);
            if !is_secret {
                self.one_of(&path, BTreeSet::from([old]));
            }
        }
    }

    fn resources(&mut self, container: &Path) {
        let code = self.finding.code.name();
        let kill = matches!(code, "oom-killed" | "evicted-ephemeral-limit");
        let room = code.starts_with("unschedulable-") || code == "quota-exceeded";
        for (list, name) in ["limits", "requests"].iter().flat_map(|list| [(*list, "memory"), (*list, "cpu")]) {
            let path = container.field("resources").field(list).field(name);
            let direction = match list {
                "limits" if kill => Direction::Up,
                "requests" if room => Direction::Down,
                _ => Direction::Either,
            };
            if path.get(self.live).is_some_and(|value| Quantity::of(value).is_some()) {
                self.add(path, Kind::Quantity(direction), None);
            }
        }
    }

    fn probe(&mut self, probe: &Path, container: &Value) {
        let mut ports = self.numbers(container);
        let own = container.get("ports").and_then(Value::as_array).into_iter().flatten();
        ports.extend(own.filter_map(|port| port.get("name")?.as_str().map(str::to_owned)));
        for handler in ["httpGet", "tcpSocket", "grpc"] {
            self.one_of(&probe.field(handler).field("port"), ports.clone());
        }
        // Bounds of sense, not of the API, which knows only the lower ones.
        for (name, min, max) in [
            ("initialDelaySeconds", 0, 600),
            ("periodSeconds", 1, 300),
            ("timeoutSeconds", 1, 120),
            ("failureThreshold", 1, 60),
        ] {
            self.add(probe.field(name), Kind::Integer { min, max }, None);
        }
    }

    /// Port numbers that this container or a Service of the namespace names.
    fn numbers(&self, container: &Value) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut take = |value: Option<&Value>| found.extend(value.filter(|value| value.is_u64()).map(Value::to_string));
        for port in container.get("ports").and_then(Value::as_array).into_iter().flatten() {
            take(port.get("containerPort"));
        }
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"].iter().filter_map(|name| container.get(*name))
        {
            for handler in ["httpGet", "tcpSocket", "grpc"] {
                take(probe.get(handler).and_then(|handler| handler.get("port")));
            }
        }
        let namespace = self.finding.object.namespace();
        for service in self.snapshot.kind("Service").iter().filter(|service| service.metadata.namespace == namespace) {
            for port in service.at("/spec/ports").and_then(Value::as_array).into_iter().flatten() {
                take(port.get("targetPort"));
            }
        }
        found
    }

    fn variables(&mut self, container: &Path, value: &Value, ports: &BTreeSet<String>) {
        for (name, variable) in named(value) {
            if let Some(text) = variable.get("value").and_then(Value::as_str) {
                self.variable(&container.field("env").item(name).field("value"), name, text, ports);
            }
        }
    }

    fn references(&mut self, container: &Path, value: &Value) {
        for (name, _) in named(value) {
            for (source, plural) in [("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")] {
                self.reference(&container.field("env").item(name).field("valueFrom").field(source), plural);
            }
        }
    }

    fn variable(&mut self, path: &Path, name: &str, text: &str, ports: &BTreeSet<String>) {
        if redact::is_secret_variable(name) {
            return;
        }
        let earlier = self.earlier(path).and_then(|change| change.old.as_ref()).map(written);
        let number: Option<i64> = text.parse().ok();
        if name.to_uppercase().ends_with("PORT") && number.is_some() {
            let mut values = ports.clone();
            values.extend(earlier);
            return self.one_of(path, values);
        }
        let kind = match number {
            Some(number) if number >= 0 => Kind::Integer { min: 0, max: number.saturating_mul(64).max(64) },
            _ if matches!(text, "true" | "false") => Kind::Boolean,
            _ if is_duration(text) => Kind::Duration,
            _ if Quantity::parse(text).is_some_and(|quantity| quantity.milli > 0) => Kind::Quantity(Direction::Either),
            _ => Kind::Words,
        };
        // What was there before may come back even where a model may write words.
        if kind == Kind::Words {
            self.out.retain(|field| field.path != *path);
        }
        let allowed = (kind == Kind::Words)
            .then(|| usable(earlier.into_iter().collect(), text))
            .filter(|values| !values.is_empty());
        self.add(path.clone(), kind, allowed);
    }

    /// Names and keys that exist in the namespace.
    fn reference(&mut self, at: &Path, plural: &str) {
        let namespace = self.finding.object.namespace();
        let known = if plural == "secrets" { &self.snapshot.secrets } else { &self.snapshot.config_maps };
        let here = known.iter().filter(|object| object.metadata.namespace == namespace);
        let names: BTreeSet<String> = here.clone().map(|object| object.metadata.name.clone()).collect();
        let current = at.field("name").get(self.live).map(written).unwrap_or_default();
        let keys = here.filter(|object| object.metadata.name == current).find_map(|object| object.keys.clone());
        self.one_of(&at.field("name"), names);
        self.one_of(&at.field("key"), keys.unwrap_or_default());
    }
}

/// The variables of a container by name.
fn named(container: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let variables = container.get("env").and_then(Value::as_array).into_iter().flatten();
    variables.filter_map(|variable| Some((variable.get("name")?.as_str()?, variable)))
}

/// Values that are another than the current one, no URL, and read the same inside a prompt.
fn usable(values: BTreeSet<String>, current: &str) -> Vec<String> {
    let values = values.into_iter();
    values
        .filter(|value| value != current && !value.contains("://") && value.len() <= 200 && fence::is_plain(value))
        .collect()
}

/// Registry and repository of an image, without tag and digest.
pub(crate) fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    name[slash..].find(':').map_or(name, |colon| &name[..slash + colon])
}
