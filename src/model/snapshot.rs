//! What was seen of a cluster, and what was not.

use super::kube::{Event, Keyed, Object, Pod};
use super::object::ObjectRef;
use jiff::Timestamp;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Which namespaces were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Namespaces(Vec<String>),
    All,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Namespaces(names) => f.write_str(&names.join(", ")),
            Self::All => f.write_str("all namespaces"),
        }
    }
}

/// Something that was not seen. "Not looked at" never prints as "healthy".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// `pods in namespace prod`.
    pub what: String,
    /// `forbidden: ...`, `timed out after 10 s`.
    pub why: String,
    /// Pods, workload kinds or events of the asked scope, or a page of them.
    pub essential: bool,
    /// Names of codes that it could hide; empty means any.
    pub codes: Vec<String>,
}

/// How the reason of a gap begins when the cluster has no such kind, as a whole API group may be switched off.
pub const NOT_SERVED: &str = "the cluster does not serve";

impl Gap {
    /// Whether it may hide an object of this namespace. A list of another does not, and of a kind that is not served
    /// there is nothing to hide.
    pub fn hides_objects_in(&self, namespace: &str) -> bool {
        let is_here = self.what.split_once(" in namespace ").is_none_or(|(_, listed)| listed == namespace);
        is_here && !self.why.starts_with(NOT_SERVED)
    }
}

/// The end of one container's log, split in lines, timestamps taken off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTail {
    pub namespace: String,
    pub pod: String,
    pub container: String,
    /// Of the run before the current one.
    pub previous: bool,
    pub lines: Vec<LogLine>,
}

/// One line of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogLine {
    pub at: Option<Timestamp>,
    pub text: String,
}

/// Requests that were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// Discovery and the first page of each list.
    pub lists: usize,
    /// Further pages.
    pub pages: usize,
    pub gets: usize,
    pub logs: usize,
}

/// What was seen at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Name of the kubeconfig context, or of the file.
    pub context: String,
    pub scope: Scope,
    /// The API server's clock; `None` when an offline file does not tell it.
    pub taken_at: Option<Timestamp>,
    /// The newest time that occurs in the objects: a lower bound of the clock.
    pub newest: Option<Timestamp>,
    pub pods: Vec<Pod>,
    pub events: Vec<Event>,
    pub config_maps: Vec<Keyed>,
    /// Empty unless they were asked for.
    pub secrets: Vec<Keyed>,
    /// Everything else, by kind: `Deployment`, `Node`, `Service`.
    pub objects: BTreeMap<String, Vec<Object>>,
    pub logs: Vec<LogTail>,
    pub gaps: Vec<Gap>,
    pub requests: Requests,
}

impl Snapshot {
    /// An empty snapshot.
    pub fn new(context: &str, scope: Scope) -> Self {
        Self {
            context: context.to_owned(),
            scope,
            taken_at: None,
            newest: None,
            pods: Vec::new(),
            events: Vec::new(),
            config_maps: Vec::new(),
            secrets: Vec::new(),
            objects: BTreeMap::new(),
            logs: Vec::new(),
            gaps: Vec::new(),
            requests: Requests::default(),
        }
    }

    /// All objects of a kind.
    pub fn kind(&self, kind: &str) -> &[Object] {
        self.objects.get(kind).map_or(&[], Vec::as_slice)
    }

    /// The object of this kind, namespace and name.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        self.kind(kind).iter().find(|o| o.metadata.namespace == namespace && o.metadata.name == name)
    }

    /// The object that a reference names.
    pub fn resolve(&self, object: &ObjectRef) -> Option<&Object> {
        self.find(&object.kind, object.namespace(), &object.name)
    }

    /// The same, and a ConfigMap without its values.
    pub fn seen(&self, object: &ObjectRef) -> Option<Cow<'_, Object>> {
        let is_it = |map: &&Keyed| map.metadata.namespace == object.namespace() && map.metadata.name == object.name;
        if object.kind == "ConfigMap" && object.group.is_empty() {
            return self.config_maps.iter().find(is_it)?.object().map(Cow::Owned);
        }
        self.resolve(object).map(Cow::Borrowed)
    }

    /// The clock to measure ages with. Offline without a clock it is a lower bound:
    /// ages are then too small, never too large.
    pub fn now(&self) -> Option<Timestamp> {
        self.taken_at.or(self.newest)
    }

    /// Whether a list of this kind is missing: a rule that needs it answers "not known".
    pub fn lacks(&self, plural: &str) -> bool {
        self.gaps_of(plural).next().is_some()
    }

    /// What was not seen of a kind: `poddisruptionbudgets in namespace prod`.
    pub fn gaps_of(&self, plural: &str) -> impl Iterator<Item = &Gap> {
        let is_of =
            move |what: &str| what.strip_prefix(plural).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        self.gaps.iter().filter(move |gap| is_of(&gap.what))
    }
}

/// What the second wave of requests should fetch, because an observed failure points to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Plural names of cluster-scoped or further kinds: `nodes`, `resourcequotas`.
    pub kinds: Vec<&'static str>,
    /// Logs, worst container first.
    pub logs: Vec<LogNeed>,
    /// Namespace and name of ConfigMaps of whose values the kind matters.
    pub maps: Vec<(String, String)>,
}

/// A container whose log may tell the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogNeed {
    pub namespace: String,
    pub pod: String,
    pub container: String,
    /// Whether there is a run before the current one.
    pub previous: bool,
}
