//! Objects that stand in files more than once.

use crate::model::kube::Meta;
use crate::model::snapshot::Snapshot;
use std::collections::BTreeSet;

/// Keeps each object once: `kubectl get all,deployments` prints each Deployment twice, and an event is listed in
/// two API groups.
pub(super) fn keep(snapshot: &mut Snapshot) {
    each(&mut snapshot.pods, |pod| ("", &pod.metadata));
    each(&mut snapshot.events, |event| ("", &event.metadata));
    each(&mut snapshot.config_maps, |map| ("", &map.metadata));
    each(&mut snapshot.secrets, |secret| ("", &secret.metadata));
    for objects in snapshot.objects.values_mut() {
        each(objects, |object| (object.api_version.split_once('/').map_or("", |(group, _)| group), &object.metadata));
    }
}

fn each<T>(objects: &mut Vec<T>, name: impl Fn(&T) -> (&str, &Meta)) {
    let mut seen = BTreeSet::new();
    objects.retain(|object| {
        let (group, meta) = name(object);
        // Short of a uid the name has to do: two pods of one name never are at the same time.
        seen.insert((group.to_owned(), meta.namespace.clone(), meta.name.clone(), meta.uid.clone()))
    });
}
