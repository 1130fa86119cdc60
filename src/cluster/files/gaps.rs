//! What a file does not tell: a gap, and never health.

use crate::model::snapshot::{Gap, Scope, Snapshot};
use crate::text;

fn essential(what: &str, why: String) -> Gap {
    Gap { what: what.to_owned(), why, essential: true, codes: Vec::new() }
}

/// A file of workloads alone says nothing about their pods.
pub(super) fn missing_pods(snapshot: &mut Snapshot) {
    if !snapshot.pods.is_empty() || snapshot.lacks("pods") {
        return;
    }
    let kinds = ["Deployment", "ReplicaSet", "StatefulSet"];
    let wants = kinds.into_iter().flat_map(|kind| snapshot.kind(kind)).find(|o| o.int("/status/replicas") > Some(0));
    if let Some(workload) = wants {
        let why = format!("the file has none, although {} has some", workload.object().qualified());
        snapshot.gaps.push(essential("pods", why));
    }
}

/// A file of other kinds alone, as `kubectl get nodes -o json` writes it.
pub(super) fn no_workloads() -> Gap {
    essential("pods and workloads", "no pods or workloads in the file".to_owned())
}

/// The namespaces among `asked` that a recorded snapshot can't answer for, each an essential gap: it was taken
/// of others, or it has no object of them. Every namespace of a cluster has some, if only its default
/// ServiceAccount. To be called before the snapshot is narrowed to what was asked, which drops what tells.
pub fn unrecorded(snapshot: &Snapshot, asked: &[String]) -> Vec<Gap> {
    let missing = asked.iter().filter_map(|namespace| {
        let why = match &snapshot.scope {
            Scope::Namespaces(recorded) if recorded.contains(namespace) => return None,
            Scope::Namespaces(recorded) => format!("the file was taken of {} only", text::and(recorded)),
            Scope::All if has_objects(snapshot, namespace) => return None,
            Scope::All => "the file has no object of it".to_owned(),
        };
        Some(essential(&format!("namespace {namespace}"), why))
    });
    missing.collect()
}

fn has_objects(snapshot: &Snapshot, namespace: &str) -> bool {
    let keyed = snapshot.config_maps.iter().chain(&snapshot.secrets).map(|one| &one.metadata);
    let pods = snapshot.pods.iter().map(|pod| &pod.metadata);
    let events = snapshot.events.iter().map(|event| &event.metadata);
    let objects = snapshot.objects.values().flatten().map(|object| &object.metadata);
    keyed.chain(pods).chain(events).chain(objects).any(|metadata| metadata.namespace == namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kube::{Keyed, Meta};

    fn names(snapshot: &Snapshot, asked: &[&str]) -> Vec<String> {
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        let gaps = unrecorded(snapshot, &asked);
        assert!(gaps.iter().all(|gap| gap.essential));
        gaps.into_iter().map(|gap| format!("{}: {}", gap.what, gap.why)).collect()
    }

    #[test]
    fn a_namespace_that_was_not_asked_for_is_not_recorded() {
        let of_two = Snapshot::new("x", Scope::Namespaces(vec!["a".to_owned(), "c".to_owned()]));
        assert_eq!(names(&of_two, &["a", "b", "c"]), ["namespace b: the file was taken of a and c only"]);
        assert!(names(&of_two, &[]).is_empty());
    }

    #[test]
    fn a_namespace_without_any_object_is_not_recorded() {
        let mut whole = Snapshot::new("x", Scope::All);
        let metadata = Meta { namespace: "a".to_owned(), ..Meta::default() };
        whole.config_maps.push(Keyed { metadata, keys: None, odd: [].into() });
        assert_eq!(names(&whole, &["a", "b"]), ["namespace b: the file has no object of it"]);
    }
}
