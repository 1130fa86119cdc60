//! A restart, where containers read a setting once.

use super::super::case::Case;
use super::super::facts::drifted;
use super::super::refusal;
use crate::model::intent::Intent;
use crate::model::refusal::Refusal;
use crate::text::shell_word;
use serde_json::json;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("config-changed-not-reloaded", restart)];

/// What `kubectl rollout restart` writes as well.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// The template gets a note of the change that its pods should read: a new template is a rollout.
fn restart(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (map, kind) = (case.text("configMap"), case.target.kind.as_str());
    let message = case.finding.summary.clone();
    if !matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet") {
        let hint = format!("its pods read ConfigMap {map} when they are made anew, which no edit of {kind} does");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    }
    let Some((template, changed)) = case.spec_path().parent().zip(case.finding.since) else {
        return Err(drifted(format!("when ConfigMap {map} changed is not known")));
    };
    let path = template.field("metadata").field("annotations").field(RESTARTED);
    let new = json!(changed.to_string());
    if case.at(&path) == Some(&new) {
        return Err(drifted(format!("{} is told of this change of ConfigMap {map} already", case.target)));
    }
    let strategy = case.object.map_or("", |object| object.text("/spec/updateStrategy/type"));
    let by_hand = if strategy == "OnDelete" { "; each when it is deleted, as its strategy wants" } else { "" };
    let why = format!("its pods are made anew and read ConfigMap {map} as it was written at {changed}{by_hand}");
    let choice = case.choice(path, new, format!("Restart to read ConfigMap {map}"), &why);
    let command = format!(
        "kubectl rollout restart {}/{} -n {}",
        kind.to_lowercase(),
        shell_word(&case.target.name),
        shell_word(case.target.namespace())
    );
    let hint = format!(
        "restart it in Git or by hand ({command}); for the next change let the template follow the ConfigMap: a name \
         with a hash (kustomize configMapGenerator) or an annotation with its checksum (Helm)"
    );
    Err(case.ask(message, &hint, vec![choice]))
}
