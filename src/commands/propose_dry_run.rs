//! `--server-dry-run`: the API server's word on a proof.

use super::look::Seen;
use crate::error::Error;
use crate::model::proposal::{Outcome, Proposal};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;

/// Who applies manifests, as field managers are called; the first one of an object is it.
const APPLIERS: [&str; 6] =
    ["kustomize-controller", "helm-controller", "argocd-controller", "kubectl", "kubectl-client-side-apply", "helm"];

/// Sends every changed object of a proposal to the API server, which stores none; a No is a refusal.
pub(super) async fn ask(outcome: Outcome, seen: &Seen) -> Result<Outcome, Error> {
    let Outcome::Proposed(mut proposal) = outcome else { return Ok(outcome) };
    let Some(cluster) = &seen.cluster else { return Ok(Outcome::Proposed(proposal)) };
    let by = manager(&proposal, &seen.snapshot);
    for change in proposal.objects.iter().filter(|change| !change.after.is_null() && change.object.kind != "Secret") {
        let mut object = change.object.clone();
        let mut whole = change.after.clone();
        if object.namespace.is_none() && change.intended {
            // What leaves the namespace open is applied to that of the object that runs.
            object.namespace.clone_from(&proposal.intent.object.namespace);
            if let Some(namespace) = &object.namespace {
                whole["metadata"]["namespace"] = namespace.clone().into();
            }
        }
        if let Some(said) = cluster.dry_run(&object, &whole, by).await? {
            let text = format!("the API server does not take {}: {said}", object.qualified());
            let refusal = Refusal::new("dry-run", text, "change what it names, or ask who runs the admission check");
            return Ok(Outcome::Refused { finding: Box::new(proposal.finding), refusal });
        }
    }
    proposal.proof.dry_run = Some(by.to_owned());
    Ok(Outcome::Proposed(proposal))
}

/// The field manager that applies the object.
fn manager(proposal: &Proposal, snapshot: &Snapshot) -> &'static str {
    let object = snapshot.seen(&proposal.intent.object);
    let fields = object.as_ref().map(|object| object.metadata.managed_fields.as_slice()).unwrap_or_default();
    let applies = |name: &&&str| fields.iter().any(|entry| entry.subresource.is_empty() && entry.manager == **name);
    APPLIERS.iter().find(applies).copied().unwrap_or("aifix")
}
