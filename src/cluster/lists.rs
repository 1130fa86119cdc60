//! The two waves of lists.

use super::Cluster;
use super::client::{Count, JSON};
use super::concern::concerns;
use super::failure::{Failure, foreign, unreachable};
use super::kinds::{self, Place, Row};
use super::logs;
use super::page::{Batch, Listed, list};
use crate::error::Error;
use crate::model::kube::{Keyed, Object};
use crate::model::object::ObjectRef;
use crate::model::snapshot::{Gap, NOT_SERVED, Needs, Scope, Snapshot};
use crate::text;
use futures_util::StreamExt;
use serde::Deserialize;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Requests at one time: each is a connection of its own where the server speaks HTTP/1.1.
const AT_ONCE: usize = 24;
/// Requests beyond the first wave, further pages and logs aside, however often more are asked for.
const MAX_ON_DEMAND: usize = 10;

/// What only the values of a ConfigMap tell.
const BY_VALUES: [&str; 2] = ["config-value-empty", "config-encoding"];

/// One list to ask for.
#[derive(Clone, Copy)]
struct Target<'a> {
    row: &'a Row,
    namespace: Option<&'a str>,
}

impl Target<'_> {
    /// `pods in namespace prod`, `nodes`.
    fn what(&self) -> String {
        match (self.namespace, self.row.place) {
            (Some(namespace), _) => format!("{} in namespace {namespace}", self.row.plural),
            (None, Place::Cluster) => self.row.plural.to_owned(),
            (None, _) => format!("{} in all namespaces", self.row.plural),
        }
    }

    fn gap(&self, why: String) -> Gap {
        Gap {
            what: self.what(),
            why,
            essential: self.row.essential,
            codes: self.row.codes.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Cluster {
    /// Lists every kind without which no workload can be judged, all at once.
    /// `say` is told how far it is.
    ///
    /// # Errors
    /// When nothing at all was answered, the credentials were refused,
    /// or a namespace does not exist. Everything less becomes a gap.
    pub async fn first_wave(&self, say: &(dyn Fn(&str) + Sync)) -> Result<Snapshot, Error> {
        let mut snapshot = Snapshot::new(&self.context, self.scope.clone());
        let secrets = self.read_secret_keys.then_some(&kinds::SECRETS);
        let rows: Vec<&Row> = kinds::FIRST.iter().chain(secrets).collect();
        let targets: Vec<Target<'_>> = rows.iter().flat_map(|row| self.targets(row)).collect();
        if let Scope::Namespaces(names) = &self.scope
            && names.len() > 1
        {
            say(&format!("{} in {} namespaces: {} lists", text::count(rows.len(), "kind"), names.len(), targets.len()));
        }
        let (brought, ()) = futures_util::future::join(self.ask(&targets, say), self.discover()).await;
        self.hopeless(&brought)?;
        for (target, listed) in targets.iter().zip(brought) {
            take(&mut snapshot, *target, listed);
        }
        self.check_namespaces(&snapshot).await?;
        self.stamp(&mut snapshot);
        Ok(snapshot)
    }

    /// Lists the further kinds and reads the logs that observed failures point to.
    pub async fn second_wave(&self, snapshot: &mut Snapshot, needs: &Needs) {
        let mut rows: Vec<&Row> = Vec::new();
        for plural in &needs.kinds {
            let listed_before = kinds::FIRST.iter().any(|row| row.plural == *plural);
            match kinds::on_demand(plural) {
                Some(row) if rows.contains(&row) || snapshot.objects.contains_key(row.kind) => {}
                // Nothing of a custom kind can be there when its group is not served.
                Some(row) if row.custom && !self.serves(row.group()) => {}
                Some(row) if !snapshot.lacks(plural) => rows.push(row),
                None if !listed_before => snapshot.gaps.push(gap(plural, "aifix does not know this kind", &[])),
                _ => {}
            }
        }
        let left = self.left(snapshot);
        for row in rows.iter().skip(left) {
            snapshot.gaps.push(gap(row.plural, &left_out(), row.codes));
        }
        rows.truncate(left);
        let targets: Vec<Target<'_>> = rows.iter().flat_map(|row| self.targets(row)).collect();
        let (brought, logs) = futures_util::future::join(self.ask(&targets, &|_| {}), self.ask_logs(&needs.logs)).await;
        for (target, listed) in targets.iter().zip(brought) {
            if target.row.place == Place::Anywhere && listed.failure.as_ref().and_then(Failure::code) == Some(403) {
                self.within_scope(snapshot, target.row, listed).await;
            } else {
                take(snapshot, *target, listed);
            }
        }
        let (maps, too_many) = needs.maps.split_at(needs.maps.len().min(self.left(snapshot)));
        for (_, name) in too_many {
            snapshot.gaps.push(gap(&format!("values of ConfigMap {name}"), &left_out(), &BY_VALUES));
        }
        self.read_maps(snapshot, maps).await;
        logs::take(snapshot, logs, needs.logs.len());
        self.stamp(snapshot);
    }

    /// How many requests may still be sent beyond the first wave.
    pub(super) fn left(&self, snapshot: &Snapshot) -> usize {
        // To learn the plural of a kind that is not known here costs one more.
        let unknown = snapshot.objects.keys().filter(|kind| kinds::by_kind(kind).is_none()).count();
        MAX_ON_DEMAND.saturating_sub(kinds::on_demand_in(&snapshot.objects) + self.api.sent().gets + unknown)
    }

    /// Looks at the values of single ConfigMaps: what is odd about them is kept, not they.
    async fn read_maps(&self, snapshot: &mut Snapshot, names: &[(String, String)]) {
        let read = names.iter().map(|(namespace, name)| async move {
            let path = format!("/api/v1/namespaces/{}/configmaps/{}", kinds::escape(namespace), kinds::escape(name));
            let bytes = self.api.read(&path, JSON, Count::Get).await?;
            Ok::<_, Failure>(serde_json::from_slice(&bytes).ok().and_then(|value| Keyed::config_map(&value)))
        });
        for ((namespace, name), answer) in names.iter().zip(futures_util::future::join_all(read).await) {
            let known = |map: &&mut Keyed| map.metadata.namespace == *namespace && map.metadata.name == *name;
            match (answer, snapshot.config_maps.iter_mut().find(known)) {
                (Ok(Some(map)), Some(known)) => {
                    known.odd = map.odd;
                    known.keys = map.keys.or(known.keys.take());
                }
                // It was deleted in between.
                (Ok(_), _) => {}
                (Err(failure), _) if failure.code() == Some(404) => {}
                (Err(failure), _) => {
                    let what = format!("values of ConfigMap {name}");
                    snapshot.gaps.push(gap(&what, &failure.to_string(), &BY_VALUES));
                }
            }
        }
    }

    /// Reads these objects, which own what fails: their conditions may tell why.
    pub async fn read_owners(&self, snapshot: &mut Snapshot, owners: &[ObjectRef]) {
        for owner in owners {
            // One to learn its plural, one to read it.
            if self.left(snapshot) < 2 {
                snapshot.gaps.push(gap(&owner.qualified(), &left_out(), &[]));
                continue;
            }
            match self.get(owner).await.map(serde_json::from_value::<Object>) {
                Ok(Ok(mut object)) => {
                    object.metadata.managed_fields = Vec::new();
                    snapshot.objects.entry(owner.kind.clone()).or_default().push(object);
                }
                Ok(Err(error)) => snapshot.gaps.push(gap(&owner.qualified(), &foreign(&error.to_string()), &[])),
                Err(error) => snapshot.gaps.push(gap(&owner.qualified(), &error.to_string(), &[])),
            }
        }
        self.stamp(snapshot);
    }

    fn targets<'a>(&'a self, row: &'a Row) -> Vec<Target<'a>> {
        match (&self.scope, row.place) {
            (Scope::Namespaces(names), Place::Scope) => {
                names.iter().map(|name| Target { row, namespace: Some(name) }).collect()
            }
            _ => vec![Target { row, namespace: None }],
        }
    }

    async fn ask(&self, targets: &[Target<'_>], say: &(dyn Fn(&str) + Sync)) -> Vec<Listed<Batch>> {
        self.api.hope();
        let done = AtomicUsize::new(0);
        let done = &done;
        // NOTE: a vector of futures: a closure over borrowed targets would not be general enough for `Send`.
        let asked: Vec<_> = targets
            .iter()
            .map(|target| async move {
                let listed = list(&self.api, target.row, &self.version(target.row), target.namespace).await;
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                say(&format!("read {done} of {}", text::count(targets.len(), "list")));
                listed
            })
            .collect();
        futures_util::stream::iter(asked).buffered(AT_ONCE).collect().await
    }

    /// Asks once which API groups are served, and in which versions. What is not answered is not known.
    async fn discover(&self) {
        #[derive(Deserialize)]
        struct Groups {
            groups: Vec<Group>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Group {
            name: String,
            preferred_version: Version,
            #[serde(default)]
            versions: Vec<Version>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Version {
            group_version: String,
        }
        let Ok(bytes) = self.api.read("/apis", JSON, Count::List).await else { return };
        let Ok(found) = serde_json::from_slice::<Groups>(&bytes) else { return };
        let of = |group: Group| {
            let all = std::iter::once(group.preferred_version).chain(group.versions);
            let safe = |version: &String| !version.split('/').any(|part| part.is_empty() || part.starts_with('.'));
            (group.name, all.map(|version| version.group_version).filter(safe).collect())
        };
        let _ = self.served.set(found.groups.into_iter().map(of).collect());
    }

    /// Whether a group is served, as far as is known.
    fn serves(&self, group: &str) -> bool {
        self.served.get().is_none_or(|served| served.contains_key(group))
    }

    /// The version to ask for: a custom kind may be served in another than the one that is known here.
    fn version(&self, row: &Row) -> String {
        let versions = self.served.get().filter(|_| row.custom).and_then(|served| served.get(row.group()));
        match versions {
            Some(all) if !all.iter().any(|version| version == row.api_version) => all.first().cloned(),
            _ => None,
        }
        .unwrap_or_else(|| row.api_version.to_owned())
    }

    /// Lists a delivery kind in the asked namespaces after the list of all was forbidden.
    async fn within_scope(&self, snapshot: &mut Snapshot, row: &Row, everywhere: Listed<Batch>) {
        take(snapshot, Target { row, namespace: None }, everywhere);
        let Scope::Namespaces(names) = &self.scope else { return };
        for name in names {
            let target = Target { row, namespace: Some(name) };
            let listed = list(&self.api, row, &self.version(row), Some(name)).await;
            // The gap of all namespaces says it already.
            if listed.failure.is_none() {
                take(snapshot, target, listed);
            }
        }
    }

    /// Whether nothing was answered, so that a report would be about nothing.
    fn hopeless(&self, brought: &[Listed<Batch>]) -> Result<(), Error> {
        let failures: Vec<&Failure> = brought.iter().filter_map(|listed| listed.failure.as_ref()).collect();
        let answered = brought.iter().any(|listed| listed.failure.is_none() || !listed.items.is_empty());
        if answered || failures.iter().any(|failure| failure.code() == Some(403)) {
            return Ok(());
        }
        let refused = failures.iter().find(|failure| failure.code() == Some(401));
        match refused.or_else(|| failures.iter().find(|failure| !matches!(failure, Failure::Gone))) {
            Some(failure) => Err(unreachable(failure, &self.context, &self.server)),
            None => Ok(()),
        }
    }

    /// A mistyped namespace is empty, not healthy. Asked only when nothing was seen in one: every namespace
    /// that exists has at least its default ServiceAccount.
    async fn check_namespaces(&self, snapshot: &Snapshot) -> Result<(), Error> {
        let Scope::Namespaces(names) = &self.scope else { return Ok(()) };
        for name in names {
            let seen = snapshot.pods.iter().any(|pod| pod.metadata.namespace == *name)
                || snapshot.config_maps.iter().chain(&snapshot.secrets).any(|one| one.metadata.namespace == *name)
                || snapshot.objects.values().flatten().any(|object| object.metadata.namespace == *name);
            if seen {
                continue;
            }
            let answer = self.api.read(&format!("/api/v1/namespaces/{}", kinds::escape(name)), JSON, Count::Get).await;
            if answer.err().and_then(|failure| failure.code()) == Some(404) {
                return Err(self.no_namespace(name).await);
            }
        }
        Ok(())
    }

    async fn no_namespace(&self, name: &str) -> Error {
        let row = kinds::on_demand("namespaces");
        let listed = match row {
            Some(row) => list(&self.api, row, row.api_version, None).await.items,
            None => Batch::Objects(Vec::new()),
        };
        let names: Vec<String> = match listed {
            Batch::Objects(objects) => objects.into_iter().map(|object| object.metadata.name).collect(),
            _ => Vec::new(),
        };
        let error = Error::usage(format!("there is no namespace {name} in the cluster of context {}", self.context));
        match text::nearest(name, names.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `-n {near}`?")),
            None => error.hint("list them with `kubectl get namespaces`, or read all with `-A`"),
        }
    }

    pub(super) fn stamp(&self, snapshot: &mut Snapshot) {
        snapshot.taken_at = self.api.clock();
        snapshot.newest = super::files::newest(snapshot);
        snapshot.requests = self.api.sent();
    }
}

pub(super) fn gap(what: &str, why: &str, codes: &[&str]) -> Gap {
    let codes = codes.iter().map(ToString::to_string).collect();
    Gap { what: what.to_owned(), why: why.to_owned(), essential: false, codes }
}

pub(super) fn left_out() -> String {
    format!("left out: at most {MAX_ON_DEMAND} further requests are sent")
}

/// Puts what a list brought into the snapshot, and what it did not bring as a gap.
fn take(snapshot: &mut Snapshot, target: Target<'_>, listed: Listed<Batch>) {
    let Listed { items, failure, odd } = listed;
    if let Some(failure) = failure {
        let not_served = failure.code() == Some(404);
        let part = if items.is_empty() { String::new() } else { "only a part was read: ".to_owned() };
        let mut gap = target.gap(format!("{part}{failure}"));
        if not_served {
            // A whole API group may be switched off; pods and workloads always are served.
            gap.why = format!("{NOT_SERVED} {} of {}", target.row.plural, target.row.api_version);
        }
        // A custom kind that is not served has no objects: nothing was missed.
        if !(not_served && target.row.custom) {
            snapshot.gaps.push(gap);
        }
    }
    if let Some(first) = odd.first() {
        let why = format!("{} could not be read, the first: {first}", text::count(odd.len(), "object"));
        snapshot.gaps.push(target.gap(why));
    }
    match items {
        Batch::Pods(pods) => snapshot.pods.extend(pods),
        Batch::Events(events) => snapshot.events.extend(events),
        Batch::Keyed(keyed) if target.row.kind == "Secret" => snapshot.secrets.extend(keyed),
        Batch::Keyed(keyed) => snapshot.config_maps.extend(keyed),
        Batch::Objects(mut objects) => {
            if let (Scope::Namespaces(names), Place::Anywhere) = (&snapshot.scope, target.row.place) {
                objects.retain(|object| concerns(object, names, snapshot));
            }
            snapshot.objects.entry(target.row.kind.to_owned()).or_default().extend(objects);
        }
    }
}
