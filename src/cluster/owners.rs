//! Custom resources that own what runs, listed once a kind.

use super::Cluster;
use super::failure::Failure;
use super::kinds::collection;
use super::lists::{gap, left_out};
use super::page::list_known;
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::snapshot::{Scope, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// What only such a resource tells.
const TOLD: [&str; 1] = ["custom-resource-unhealthy"];

impl Cluster {
    /// Reads these objects with one list for each of their kinds, and one request before it to learn its plural.
    pub async fn list_owners(&self, snapshot: &mut Snapshot, owners: &[ObjectRef]) {
        let mut kinds: BTreeMap<(&str, &str), Vec<&ObjectRef>> = BTreeMap::new();
        for owner in owners {
            kinds.entry((&owner.group, &owner.kind)).or_default().push(owner);
        }
        let mut left = self.left(snapshot);
        let mut asked = Vec::new();
        for ((group, kind), owners) in kinds {
            let namespaces = self.namespaces_of(&owners);
            if left < namespaces.len() + 1 {
                snapshot.gaps.push(gap(&format!("{kind} of {group}"), &left_out(), &TOLD));
                continue;
            }
            left -= namespaces.len() + 1;
            asked.push(async move { (kind, group, self.of_kind(&owners, &namespaces).await) });
        }
        for (kind, group, (found, failed)) in futures_util::future::join_all(asked).await {
            snapshot.objects.entry(kind.to_owned()).or_default().extend(found);
            if let Some(why) = failed {
                snapshot.gaps.push(gap(&format!("{kind} of {group}"), &why, &TOLD));
            }
        }
        self.stamp(snapshot);
    }

    /// Where to list: everywhere at once, or in each asked namespace that has one.
    fn namespaces_of(&self, owners: &[&ObjectRef]) -> Vec<Option<String>> {
        match self.scope {
            Scope::All => vec![None],
            Scope::Namespaces(_) => {
                let all: BTreeSet<&String> = owners.iter().filter_map(|owner| owner.namespace.as_ref()).collect();
                all.into_iter().cloned().map(Some).collect()
            }
        }
    }

    /// The objects that there are, and why there may be more.
    async fn of_kind(&self, owners: &[&ObjectRef], namespaces: &[Option<String>]) -> (Vec<Object>, Option<String>) {
        let mut found = Vec::new();
        let Some(first) = owners.first() else { return (found, None) };
        let plural = match self.plural(first).await {
            Ok(plural) => plural,
            Err(error) => return (found, Some(error.to_string())),
        };
        let uids: BTreeSet<String> = owners.iter().map(|owner| owner.uid.clone()).collect();
        let mut failed = None;
        for namespace in namespaces {
            let path = collection(&first.api_version(), namespace.as_deref(), &plural);
            let listed = list_known(&self.api, first, &path, uids.clone()).await;
            found.extend(listed.items);
            // A kind of the cluster stands in no namespace.
            let failure = listed.failure.filter(|failure| failure.code() != Some(404));
            failed = failed.or_else(|| failure.as_ref().map(Failure::to_string));
        }
        (found, failed)
    }
}
