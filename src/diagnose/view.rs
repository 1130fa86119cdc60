//! The snapshot, indexed by what rules ask for.

use super::current::{self, Children, Current};
use super::health::{self, Counts, Health};
use super::labelled::Labelled;
use super::observe;
use super::owners::{Chain, Owners, Top, WORKLOADS, is_workload};
use super::parallel;
use crate::model::kube::{Container, ContainerStatus, Event, InvolvedObject, Keyed, Meta, Object, Pod, Terminated};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::snapshot::Snapshot;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// One workload: the pods of one top-level controller, or one bare pod.
pub(crate) struct Workload<'s> {
    /// Names it in maps: `Deployment/prod/web`.
    pub key: String,
    /// Where a finding is placed: the top owner.
    pub top: ObjectRef,
    /// The top-level workload object that was seen; its template is what an edit changes.
    pub source: Option<&'s Object>,
    /// Whether the top owner itself was seen; else it is a custom resource or out of reach.
    pub inspected: bool,
    /// The labels that its pods will carry.
    pub labels: &'s BTreeMap<String, String>,
    /// Every pod, by name.
    pub pods: Vec<&'s Pod>,
    /// Pods of the current revision: the only ones that are judged.
    pub current: Vec<&'s Pod>,
    /// Names the current revision: a ReplicaSet, a hash, a Job.
    pub revision: String,
    /// Whether the live template is not what the current pods were made from (waiting for a rollout).
    pub drifted: bool,
    pub counts: Counts,
    pub health: Health,
}

impl Workload<'_> {
    /// Path of the pod spec inside [`Self::top`]: `spec.template.spec`, `spec` for a bare pod.
    pub(crate) fn spec_path(&self) -> Path {
        match self.source.and_then(Object::template_pointer) {
            Some(pointer) => Path::of(&format!("{}.spec", pointer.trim_start_matches('/').replace('/', "."))),
            None => Path::of("spec"),
        }
    }
}

/// Whether enough time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    Yes,
    No,
    /// There is no clock, only a lower bound, and that is not enough.
    Unknown,
}

static NONE: BTreeMap<String, String> = BTreeMap::new();

/// Whether `seconds` have passed since `since` when the snapshot was taken.
pub(crate) fn settled(snapshot: &Snapshot, since: Option<Timestamp>, seconds: i64) -> Settled {
    match (age(snapshot, since), snapshot.taken_at) {
        (Some(age), _) if age >= seconds => Settled::Yes,
        (Some(_), Some(_)) => Settled::No,
        _ => Settled::Unknown,
    }
}

fn age(snapshot: &Snapshot, since: Option<Timestamp>) -> Option<i64> {
    Some(snapshot.now()?.as_second() - since?.as_second())
}

/// A snapshot with its indexes.
pub(crate) struct View<'s> {
    pub snapshot: &'s Snapshot,
    pub workloads: Vec<Workload<'s>>,
    events: BTreeMap<&'s str, Vec<&'s Event>>,
    pub children: Children<'s>,
    labelled: Labelled,
    /// By namespace and name.
    config_maps: BTreeMap<(&'s str, &'s str), &'s Keyed>,
    /// Names by namespace.
    services: BTreeMap<&'s str, BTreeSet<&'s str>>,
}

impl<'s> View<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot) -> Self {
        let mut events: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        for event in &snapshot.events {
            events.entry(&event.involved_object.uid).or_default().push(event);
        }
        for group in events.values_mut() {
            group.sort_by_key(|e| (e.last_seen(), e.reason.as_str(), e.message.as_str(), e.metadata.name.as_str()));
        }
        let children = Children::new(snapshot);
        let named = |map: &'s Keyed| ((map.metadata.namespace.as_str(), map.metadata.name.as_str()), map);
        let config_maps = snapshot.config_maps.iter().rev().map(named).collect();
        let mut services: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for Meta { namespace, name, .. } in snapshot.kind("Service").iter().map(|service| &service.metadata) {
            services.entry(namespace).or_default().insert(name);
        }
        let (workloads, labelled) = (workloads(snapshot), Labelled::default());
        let mut view = Self { snapshot, workloads, events, children, labelled, config_maps, services };
        let labels = parallel::map(&view.workloads, |workload| match workload.source {
            Some(source) if source.template_pointer().is_some() => source.template_labels(),
            // Sorted first: which pod speaks for a group may not depend on the order of the list.
            _ => workload.pods.first().map_or(&NONE, |pod| &pod.metadata.labels),
        });
        for (workload, labels) in view.workloads.iter_mut().zip(labels) {
            workload.labels = labels;
        }
        view.labelled = Labelled::new(&view.workloads);
        let judged = parallel::map(&view.workloads, |workload| {
            (current::judge(workload, &view.children), health::counts(workload))
        });
        for (workload, (current, counts)) in view.workloads.iter_mut().zip(judged) {
            let Current { pods, revision, drifted } = current;
            (workload.current, workload.revision, workload.drifted, workload.counts) =
                (pods, revision, drifted, counts);
        }
        let healths = parallel::map(&view.workloads, |workload| health::of(&view, workload));
        for (workload, health) in view.workloads.iter_mut().zip(healths) {
            workload.health = health;
        }
        view
    }

    /// Events of the object with this uid, oldest first. A name alone is never enough: it is used again.
    pub(crate) fn events(&self, uid: &str) -> &[&'s Event] {
        if uid.is_empty() { &[] } else { self.events.get(uid).map_or(&[], Vec::as_slice) }
    }

    /// The ConfigMap of this namespace and name.
    pub(crate) fn config_map(&self, namespace: &str, name: &str) -> Option<&'s Keyed> {
        self.config_maps.get(&(namespace, name)).copied()
    }

    /// Names of the Services of a namespace.
    pub(crate) fn services(&self, namespace: &str) -> Option<&BTreeSet<&'s str>> {
        self.services.get(namespace)
    }

    /// Events of one container of a pod.
    pub(crate) fn container_events<'v>(
        &'v self,
        pod: &'v Pod,
        container: &'v str,
    ) -> impl Iterator<Item = &'s Event> + use<'v, 's> {
        self.events(&pod.metadata.uid).iter().copied().filter(move |event| event.container() == Some(container))
    }

    /// Whether `seconds` have passed since `since`.
    pub(crate) fn settled(&self, since: Option<Timestamp>, seconds: i64) -> Settled {
        settled(self.snapshot, since, seconds)
    }

    /// Seconds since `since`, at least.
    pub(crate) fn age(&self, since: Option<Timestamp>) -> Option<i64> {
        age(self.snapshot, since)
    }

    /// The workload that a key names.
    pub(crate) fn workload(&self, key: &str) -> Option<&Workload<'s>> {
        self.workloads.binary_search_by(|workload| workload.key.as_str().cmp(key)).ok().map(|at| &self.workloads[at])
    }

    /// The workloads that a selector may select by their template or by a pod; none when it is empty.
    pub(crate) fn selectable(
        &self,
        namespace: &str,
        selector: &BTreeMap<String, String>,
    ) -> impl Iterator<Item = &Workload<'s>> {
        self.labelled.among(namespace, selector).iter().map(|at| &self.workloads[*at])
    }

    /// The workload of a pod that an event is about and that may be gone: by its uid, else by the name
    /// that its controller gave it. A ReplicaSet, DaemonSet or Job adds five characters to its own name.
    pub(crate) fn workload_of_gone(&self, pod: &InvolvedObject) -> Option<&Workload<'s>> {
        if pod.kind != "Pod" {
            return None;
        }
        let has_it = |workload: &&Workload<'_>| workload.pods.iter().any(|p| p.metadata.uid == pod.uid);
        if let Some(workload) = self.workloads.iter().find(has_it) {
            return Some(workload);
        }
        let (controller, _) = pod.name.rsplit_once('-')?;
        self.workloads.iter().find(|workload| {
            let makes = |name: &str| name == controller && workload.top.namespace() == pod.namespace;
            let by_sets = |source: &Object| matches!(source.kind.as_str(), "Deployment" | "Rollout");
            let own = workload.source.is_some_and(|source| !by_sets(source) && makes(&source.metadata.name));
            let set = workload.source.filter(|source| by_sets(source));
            let mut sets = set.into_iter().flat_map(|set| self.children.of("ReplicaSet", set));
            own || sets.any(|set| makes(&set.metadata.name))
        })
    }

    /// Every judged pod whose containers may tell something:
    /// not being deleted, not done, not rejected as a whole.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = Subject<'_, 's>> {
        self.workloads.iter().flat_map(move |workload| {
            let pods = workload.current.iter().copied().filter(|pod| {
                pod.metadata.deletion_timestamp.is_none()
                    && pod.status.phase != "Succeeded"
                    && pod.status.reason.is_empty()
            });
            pods.map(move |pod| Subject { view: self, workload, pod })
        })
    }
}

fn workloads<'s>(snapshot: &'s Snapshot) -> Vec<Workload<'s>> {
    let owners = Owners::new(snapshot);
    let mut found: BTreeMap<(&'s str, &'s str, &'s str), Workload<'s>> = BTreeMap::new();
    let mut add = |chain: Chain<'s>, pod| {
        // The top of the chain that makes pods: what lies above it (a custom resource) decides where an edit goes.
        let source = chain.links.iter().rev().copied().find(|object| is_workload(object));
        let names = source.map_or(chain.top, Top::Object).names();
        let workload = found.entry(names).or_insert_with(|| Workload {
            key: observe::named(names.0, names.1, names.2),
            top: chain.top.object(),
            source,
            inspected: chain.inspected,
            labels: &NONE,
            pods: Vec::new(),
            current: Vec::new(),
            revision: String::new(),
            drifted: false,
            counts: Counts::default(),
            health: Health::Healthy,
        });
        workload.pods.extend(pod);
    };
    // The first pod of a group speaks for owners that were not seen.
    let mut pods: Vec<&Pod> = snapshot.pods.iter().collect();
    pods.sort_by_key(|pod| (&pod.metadata.namespace, &pod.metadata.name, &pod.metadata.uid));
    for pod in pods {
        add(owners.of_pod(pod), Some(pod));
    }
    for object in WORKLOADS.iter().flat_map(|kind| snapshot.kind(kind)).filter(|object| is_workload(object)) {
        add(owners.of_object(object), None);
    }
    let mut workloads: Vec<_> = found.into_values().collect();
    // ReplicaSets without pods that none are wanted of are the history of a custom resource.
    workloads.retain(|workload| {
        let is_set = |source: &Object| source.kind == "ReplicaSet" && source.int("/spec/replicas") == Some(0);
        !(workload.pods.is_empty() && workload.source.is_some_and(is_set))
    });
    for workload in &mut workloads {
        workload.pods.sort_by_key(|pod| (pod.metadata.name.as_str(), pod.metadata.uid.as_str()));
    }
    workloads.sort_by(|a, b| a.key.cmp(&b.key));
    workloads
}

/// One judged pod with its surroundings.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'v, 's> {
    pub view: &'v View<'s>,
    pub workload: &'v Workload<'s>,
    pub pod: &'s Pod,
}

/// One container of a judged pod.
#[derive(Clone, Copy)]
pub(crate) struct Running<'v, 's> {
    pub at: Subject<'v, 's>,
    pub status: &'s ContainerStatus,
    /// Its spec in the pod.
    pub spec: Option<&'s Container>,
    /// `containers` or `initContainers`.
    pub list: &'static str,
    /// An init container that runs beside the others.
    pub sidecar: bool,
}

impl<'v, 's> Subject<'v, 's> {
    /// The containers whose state means something now. While an init container is not finished
    /// the main ones wait, which is only an effect.
    pub(crate) fn containers(self) -> Vec<Running<'v, 's>> {
        let mut out = Vec::new();
        if self.pod.condition("PodScheduled").is_some_and(|scheduled| scheduled.status == "False") {
            return out;
        }
        for init in inits(self.pod) {
            let Init { status, spec, sidecar, done } = init;
            if sidecar || !done {
                out.push(Running { at: self, status, spec, list: "initContainers", sidecar });
            }
            if !done {
                return out;
            }
        }
        for status in &self.pod.status.container_statuses {
            let spec = self.pod.spec.containers.iter().find(|c| c.name == status.name);
            out.push(Running { at: self, status, spec, list: "containers", sidecar: false });
        }
        out
    }
}

/// One init container of a pod.
pub(crate) struct Init<'s> {
    pub status: &'s ContainerStatus,
    pub spec: Option<&'s Container>,
    /// Whether it runs beside the others.
    pub sidecar: bool,
    /// Ended well; a sidecar: started.
    pub done: bool,
}

fn inits(pod: &Pod) -> impl Iterator<Item = Init<'_>> {
    pod.status.init_container_statuses.iter().map(|status| {
        let spec = pod.spec.init_containers.iter().find(|c| c.name == status.name);
        let sidecar = spec.is_some_and(|c| c.restart_policy == "Always");
        let ended_well = || status.state.terminated.as_ref().is_some_and(|end| end.exit_code == 0);
        let done = if sidecar { status.started == Some(true) } else { ended_well() };
        Init { status, spec, sidecar, done }
    })
}

/// The init container that the others of this pod wait for.
pub(crate) fn first_unfinished_init(pod: &Pod) -> Option<Init<'_>> {
    inits(pod).find(|init| !init.done)
}

impl<'s> Running<'_, 's> {
    /// The newest end of a run. Right after an exit it stands in `state`, in a crash loop in `lastState`.
    pub(crate) fn last_exit(&self) -> Option<&'s Terminated> {
        self.status.state.terminated.as_ref().or(self.status.last_state.terminated.as_ref())
    }

    /// Reason of its waiting state, empty when it does not wait.
    pub(crate) fn waiting(&self) -> &'s str {
        self.status.state.waiting.as_ref().map_or("", |waiting| waiting.reason.as_str())
    }

    /// Message of its waiting state.
    pub(crate) fn waiting_message(&self) -> &'s str {
        self.status.state.waiting.as_ref().map_or("", |waiting| waiting.message.as_str())
    }

    /// Its image as the spec has it, else as the node resolved it.
    pub(crate) fn image(&self) -> &'s str {
        self.spec.map_or(self.status.image.as_str(), |spec| spec.image.as_str())
    }

    /// Path of this container in the top owner.
    pub(crate) fn path(&self) -> Path {
        self.at.workload.spec_path().field(self.list).item(&self.status.name)
    }

    /// Events that name this container.
    pub(crate) fn events(&self) -> impl Iterator<Item = &'s Event> {
        self.at.view.container_events(self.at.pod, &self.status.name)
    }

    /// Whether a run of this container in the current revision ever started:
    /// then its names and keys were right once.
    pub(crate) fn started_in_revision(&self) -> bool {
        self.at.workload.current.iter().any(|pod| {
            let mut all = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
            all.any(|s| {
                s.name == self.status.name
                    && (s.restart_count > 0 || s.last_state.terminated.is_some() || s.state.running.is_some())
            })
        })
    }

    /// Whether a run of this container in the current revision lasted ten minutes, or a pod of it has been
    /// Ready for that long.
    pub(crate) fn ran_long_in_revision(&self) -> bool {
        const LONG: i64 = 600;
        self.at.workload.current.iter().any(|pod| {
            let ready = pod.condition("Ready").filter(|ready| ready.status == "True");
            let ready_long = ready.and_then(|r| self.at.view.age(r.last_transition_time.0)).is_some_and(|a| a >= LONG);
            let mut all = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
            ready_long
                || all.any(|s| {
                    s.name == self.status.name
                        && [&s.state, &s.last_state]
                            .into_iter()
                            .filter_map(|s| s.terminated.as_ref())
                            .any(|end| run_seconds(end).is_some_and(|seconds| seconds >= LONG))
                })
        })
    }
}

/// How long a run lasted. A container that never started has the Unix epoch as its start.
pub(crate) fn run_seconds(end: &Terminated) -> Option<i64> {
    let start = end.started_at.0.filter(|start| start.as_second() > 0)?;
    Some(end.finished_at.0?.as_second() - start.as_second())
}
