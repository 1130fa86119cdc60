//! What a live object says of where it comes from.

use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::proposal::{Signal, Trust};

/// Which of several Argo CDs applied an object.
pub(super) const INSTALLATION: &str = "argocd.argoproj.io/installation-id";

/// What the marks of controllers on an object name.
pub(super) struct Marks<'o> {
    /// Namespace and name of a Flux Kustomization.
    pub(super) kustomization: Option<(&'o str, &'o str)>,
    /// Namespace and name of a Flux HelmRelease.
    pub(super) release: Option<(&'o str, &'o str)>,
    pub(super) tracking: Option<&'o str>,
    pub(super) installation: Option<&'o str>,
    pub(super) instance: Option<&'o str>,
}

impl<'o> Marks<'o> {
    pub(super) fn of(object: &'o Object) -> Self {
        let label = |name: &str| object.metadata.labels.get(name).map(String::as_str);
        let flux = |tool: &str| {
            let at = |field: &str| label(&format!("{tool}.toolkit.fluxcd.io/{field}"));
            Some((at("namespace")?, at("name")?))
        };
        Self {
            kustomization: flux("kustomize"),
            release: flux("helm"),
            tracking: object.metadata.annotations.get("argocd.argoproj.io/tracking-id").map(String::as_str),
            installation: object.metadata.annotations.get(INSTALLATION).map(String::as_str),
            instance: label("app.kubernetes.io/instance"),
        }
    }
}

/// The signals that lead to no controller's object: a file, a release by hand.
pub(super) fn others(object: &Object) -> Vec<Signal> {
    let known = ["Config Sync source path", "Helm release", "Kustomize origin"];
    claims(object).into_iter().filter(|claim| known.contains(&claim.signal.as_str())).collect()
}

/// The signals on one object, most trusted first. None of them is proved by itself: labels are copied,
/// go stale, and are set by charts.
pub fn claims(object: &Object) -> Vec<Signal> {
    let label = |name: &str| object.metadata.labels.get(name);
    let annotation = |name: &str| object.metadata.annotations.get(name);
    let mut out = Vec::new();
    let mut claim =
        |signal: &str, value: String| out.push(Signal { signal: signal.to_owned(), value, trust: Trust::Claimed });
    if let Some(path) = annotation("configmanagement.gke.io/source-path") {
        claim("Config Sync source path", path.clone());
    }
    for (tool, kind) in [("kustomize", "Flux Kustomization"), ("helm", "Flux HelmRelease")] {
        if let Some(name) = label(&format!("{tool}.toolkit.fluxcd.io/name")) {
            let namespace = label(&format!("{tool}.toolkit.fluxcd.io/namespace")).map_or("?", String::as_str);
            claim(kind, format!("{namespace}/{name}"));
        }
    }
    if let Some(id) = annotation("argocd.argoproj.io/tracking-id") {
        match tracked(id, &object.object()) {
            Some(application) => claim("Argo CD Application", application.to_owned()),
            None => claim("Argo CD tracking id of another object, not believed", id.clone()),
        }
    }
    if let Some(release) = annotation("meta.helm.sh/release-name") {
        let namespace = annotation("meta.helm.sh/release-namespace").map_or("?", String::as_str);
        claim("Helm release", format!("{namespace}/{release}"));
    }
    if let Some(origin) = annotation("config.kubernetes.io/origin") {
        claim("Kustomize origin", origin.replace('\n', ", "));
    }
    let managers: Vec<&str> = object
        .metadata
        .managed_fields
        .iter()
        .filter(|field| field.subresource.is_empty())
        .map(|field| field.manager.as_str())
        .collect();
    if !managers.is_empty() {
        claim("field managers", managers.join(", "));
    }
    out
}

/// The Application of a tracking id `<app>:<group>/<kind>:<namespace>/<name>` that names this very object.
/// A ReplicaSet carries a copy that names its Deployment, so an id that does not is no claim.
pub(super) fn tracked<'i>(id: &'i str, object: &ObjectRef) -> Option<&'i str> {
    let mut parts = id.splitn(3, ':');
    let (application, kind, name) = (parts.next()?, parts.next()?, parts.next()?);
    let itself = kind == format!("{}/{}", object.group, object.kind)
        && name == format!("{}/{}", object.namespace(), object.name);
    itself.then_some(application)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tracking_id_counts_only_when_it_names_the_object_itself() {
        let deployment = ObjectRef::new("apps/v1", "Deployment", "prod", "web");
        assert_eq!(tracked("shop:apps/Deployment:prod/web", &deployment), Some("shop"));
        let copied = ObjectRef::new("apps/v1", "ReplicaSet", "prod", "web-5d4f");
        assert_eq!(tracked("shop:apps/Deployment:prod/web", &copied), None);
    }

    #[test]
    fn the_managed_by_label_proves_nothing_and_the_release_annotation_claims() {
        let object = |metadata: serde_json::Value| {
            serde_json::from_value::<Object>(json!({"kind": "Deployment", "metadata": metadata})).unwrap()
        };
        assert_eq!(claims(&object(json!({"name": "a", "labels": {"app.kubernetes.io/managed-by": "Helm"}}))), []);
        let release = claims(&object(
            json!({"name": "a", "annotations": {"meta.helm.sh/release-name": "r", "meta.helm.sh/release-namespace": "n"}}),
        ));
        assert_eq!((release[0].signal.as_str(), release[0].value.as_str()), ("Helm release", "n/r"));
    }
}
