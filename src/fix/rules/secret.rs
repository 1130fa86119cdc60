//! Secrets that are named and missing; no value is made up.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::{outside, text_of};
use crate::model::intent::Intent;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The fix that names another Secret, for a person to look at: it is another credential.
pub(super) fn named(case: &Case<'_>, wanted: &str, name: &str, why: &str, paths: &[Path]) -> Intent {
    let edits = paths.iter().map(|path| case.set(path.clone(), json!(name))).collect();
    let review = vec!["another Secret is another credential".to_owned()];
    case.intent(format!("Take Secret {name} instead of {wanted}"), why.to_owned(), edits, review)
}

/// The one Secret with a close name, where every name is known (`--read-secret-keys`).
pub(super) fn close(case: &Case<'_>, wanted: &str, why: &str, paths: &[Path]) -> Result<Option<Vec<Intent>>, Refusal> {
    let namespace = case.finding.object.namespace();
    let all = case.snapshot.secrets.iter().filter(|secret| secret.metadata.namespace == namespace);
    let names: Vec<&str> = all.map(|secret| secret.metadata.name.as_str()).collect();
    let near = only_close(wanted, &names, &[]).filter(|_| !case.is("worked") && !paths.is_empty());
    Ok(near.map(|name| {
        let why = format!("{why}; {name} is the only one with a name as close");
        vec![named(case, wanted, name, &why, paths)]
    }))
}

/// No rule decides: Secrets that started containers use are there, whichever is meant.
pub(super) fn none(case: &Case<'_>, wanted: &str, paths: &[Path]) -> Refusal {
    let hint =
        format!("have Secret {wanted} made where it comes from; --read-secret-keys lets aifix see which there are");
    let message = format!("Secret {wanted} does not exist, and values of Secrets are never made up");
    let known = in_use(case);
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    let near = only_close(wanted, &names, &[]).filter(|_| case.snapshot.secrets.is_empty() && !paths.is_empty());
    let Some(name) = near else { return outside(message, &hint) };
    case.ask(message, &hint, vec![named(case, wanted, name, "a started container uses it", paths)])
}

/// Secrets that started containers of the namespace name: they exist.
fn in_use(case: &Case<'_>) -> BTreeSet<String> {
    let namespace = case.finding.object.namespace();
    let mut out = BTreeSet::new();
    for pod in case.snapshot.pods.iter().filter(|pod| pod.metadata.namespace == namespace && pod.is_ready()) {
        let volumes = pod.spec.volumes.iter().filter_map(|volume| volume.get("secret"));
        out.extend(volumes.map(|secret| text_of(secret, "secretName").to_owned()));
        for container in &pod.spec.containers {
            let variables = container.env.iter().filter_map(|v| v.value_from.as_ref()?.get("secretKeyRef"));
            let whole = container.env_from.iter().filter_map(|source| source.get("secretRef"));
            let needed = variables.chain(whole).filter(|one| one.get("optional") != Some(&Value::Bool(true)));
            out.extend(needed.map(|one| text_of(one, "name").to_owned()));
        }
    }
    out
}
