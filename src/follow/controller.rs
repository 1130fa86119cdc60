//! Which commit the controller of an object has applied.

use super::{FileEdit, Subject};
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::snapshot::Snapshot;
use crate::render::within;
use crate::source::lead::{self, Lead};
use serde_json::Value;

/// Controllers above each other that are asked at most.
const HOPS: usize = 4;

/// Who applies the object from Git.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// `Kustomization flux-system/apps`.
    pub name: String,
    /// The commit that it has applied.
    pub applied: Option<String>,
    pub suspended: bool,
}

impl Controller {
    /// The controller of the object that a fix changes.
    pub(super) fn of(snapshot: &Snapshot, subject: &Subject) -> Option<Self> {
        Self::above(snapshot, &subject.target, subject, HOPS)
    }

    fn above(snapshot: &Snapshot, object: &ObjectRef, subject: &Subject, hops: usize) -> Option<Self> {
        let lead = lead::find(snapshot, object).ok()?.lead?;
        let live = snapshot.resolve(&lead.controller);
        let applied = match live {
            Some(release) if release.kind == "HelmRelease" => {
                released(snapshot, release, &lead, subject, hops.checked_sub(1)?)
            }
            _ => synced(&lead).or_else(|| of_kustomization(live?)),
        };
        let suspended = live.and_then(|live| live.at("/spec/suspend")).and_then(Value::as_bool) == Some(true);
        Some(Self { name: lead.controller.qualified(), applied, suspended })
    }
}

/// Of what an Application or a RootSync says.
fn synced(lead: &Lead) -> Option<String> {
    lead.revisions.iter().find(|(_, by)| by.is_synced()).map(|(id, _)| id.clone())
}

fn of_kustomization(live: &Object) -> Option<String> {
    let said = |field: &str| lead::commit(live.text(&format!("/status/{field}")));
    said("lastAppliedOriginRevision").or_else(|| said("lastAppliedRevision"))
}

/// A release has a commit when Helm has deployed it as it is written now, and what the fix changes is of that commit:
/// the chart, the release's own object, or both.
fn released(snapshot: &Snapshot, release: &Object, lead: &Lead, subject: &Subject, hops: usize) -> Option<String> {
    if !is_deployed(release) {
        return None;
    }
    let chart = lead.folders.iter().find(|folder| folder.remote.is_none()).map(|folder| within("", &folder.path));
    let (of_chart, of_object) = parts(&subject.edits, chart.as_deref());
    let mut commits = Vec::new();
    if of_chart {
        commits.push(packed(snapshot, release)?);
    }
    if of_object {
        let object = release.object();
        commits.push(Controller::above(snapshot, &object, subject, hops)?.applied?);
    }
    let first = commits.pop()?;
    commits.iter().all(|other| *other == first).then_some(first)
}

/// Whether the fix changes the chart in Git, and whether it changes what stands beside it. A record that is not here
/// tells no files: both count then.
fn parts(edits: &[FileEdit], chart: Option<&str>) -> (bool, bool) {
    let Some(chart) = chart else { return (false, true) };
    let inside = |edit: &FileEdit| match edit.file.strip_prefix(chart) {
        Some(rest) => chart.is_empty() || rest.starts_with('/'),
        None => false,
    };
    (edits.is_empty() || edits.iter().any(inside), edits.is_empty() || !edits.iter().all(inside))
}

/// Whether Helm has deployed the release as it is written now.
///
/// Values from other objects may have changed since, which nothing in its status tells.
/// Fields: <https://fluxcd.io/flux/components/helm/helmreleases/#helmrelease-status>.
fn is_deployed(release: &Object) -> bool {
    let generation = release.metadata.generation;
    let seen = |field: &str| release.int(&format!("/status/{field}")).is_none_or(|seen| seen == generation);
    let ready = release.conditions().iter().any(|one| one.kind == "Ready" && one.status == "True");
    let from = release.at("/spec/valuesFrom").and_then(Value::as_array).is_some_and(|from| !from.is_empty());
    let newest = newest(release);
    let deployed = match newest {
        Some(newest) => newest["status"] == "deployed",
        // Before `history` was kept.
        None => release.text("/status/lastAppliedRevision") == release.text("/status/lastAttemptedRevision"),
    };
    let observed = release.int("/status/observedGeneration").is_some() && seen("observedGeneration");
    ready && deployed && observed && seen("lastAttemptedGeneration") && !from
}

/// The newest of the releases that Helm keeps.
fn newest(release: &Object) -> Option<&Value> {
    let history = release.at("/status/history")?.as_array()?;
    history.iter().max_by_key(|one| one["version"].as_i64())
}

/// The commit that the deployed chart was packed from. Only a version that bears it proves that: a chart that changes
/// without a new version is not packed again, though its source has moved on.
fn packed(snapshot: &Snapshot, release: &Object) -> Option<String> {
    let version = match newest(release) {
        Some(newest) => newest["chartVersion"].as_str()?,
        None => release.text("/status/lastAppliedRevision"),
    };
    let (namespace, name) = release.text("/status/helmChart").split_once('/')?;
    let chart = snapshot.find("HelmChart", namespace, name)?;
    let commit = lead::commit(chart.text("/status/observedSourceArtifactRevision"))?;
    // `0.3.1+4e5cbb7b97d0`, and `.2` behind it with values files.
    let mark = version.rsplit_once('+')?.1.split('.').next()?;
    (mark.len() >= 7 && commit.starts_with(mark)).then_some(commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::tests::subject;
    use crate::model::path::Path;
    use crate::model::snapshot::Scope;
    use serde_json::json;

    const CHART: &str = "4e5cbb7b97d000000000000000000000000000aa";
    const ABOVE: &str = "1111111111111111111111111111111111111111";

    /// A Deployment of a release, whose chart is in Git and whose object a Kustomization applies.
    fn objects() -> Value {
        let of = |kind: &str, group: &str, name: &str| {
            json!({"apiVersion": group, "kind": kind,
            "metadata": {"name": name, "namespace": "flux", "generation": 3}})
        };
        let mut release = of("HelmRelease", "helm.toolkit.fluxcd.io/v2", "web");
        release["metadata"]["labels"] = json!({"kustomize.toolkit.fluxcd.io/name": "apps",
            "kustomize.toolkit.fluxcd.io/namespace": "flux"});
        release["spec"] = json!({"chart": {"spec": {"chart": "./charts/web", "reconcileStrategy": "Revision",
            "sourceRef": {"kind": "GitRepository", "name": "shop"}}}});
        release["status"] = json!({"observedGeneration": 3, "lastAttemptedGeneration": 3, "helmChart": "flux/flux-web",
        "conditions": [{"type": "Ready", "status": "True"}],
        "history": [
            {"version": 2, "status": "deployed", "chartVersion": "0.3.1+4e5cbb7b97d0"},
            {"version": 1, "status": "superseded", "chartVersion": "0.3.1+000000000000"},
        ]});
        let mut chart = of("HelmChart", "source.toolkit.fluxcd.io/v1", "flux-web");
        chart["status"] = json!({"observedSourceArtifactRevision": format!("main@sha1:{CHART}")});
        let mut source = of("GitRepository", "source.toolkit.fluxcd.io/v1", "shop");
        source["spec"] = json!({"url": "https://git.example/shop", "ref": {"branch": "main"}});
        let mut upper = of("Kustomization", "kustomize.toolkit.fluxcd.io/v1", "apps");
        upper["spec"] = json!({"path": "./apps", "sourceRef": {"kind": "GitRepository", "name": "shop"}});
        upper["status"] = json!({"lastAppliedRevision": format!("main@sha1:{ABOVE}"),
            "inventory": {"entries": [{"id": "flux_web_helm.toolkit.fluxcd.io_HelmRelease"}]}});
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop",
            "labels": {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "flux"}}});
        json!([release, chart, source, upper, web])
    }

    fn applied(files: &[&str], change: impl FnOnce(&mut Value)) -> Option<String> {
        let mut objects = objects();
        change(&mut objects);
        let mut snapshot = Snapshot::new("lab", Scope::All);
        for object in objects.as_array().unwrap() {
            let object: Object = serde_json::from_value(object.clone()).unwrap();
            snapshot.objects.entry(object.kind.clone()).or_default().push(object);
        }
        let edit =
            |file: &&str| FileEdit { file: (*file).to_owned(), document: 0, path: Path::of("a"), old: None, new: None };
        let subject = Subject { edits: files.iter().map(edit).collect(), ..subject() };
        let found = Controller::of(&snapshot, &subject).unwrap();
        assert_eq!(found.name, "HelmRelease flux/web");
        found.applied
    }

    #[test]
    fn a_release_tells_the_commit_of_what_the_fix_changes() {
        let chart = "charts/web/values.yaml";
        for (files, want) in [
            (&[chart][..], Some(CHART)),
            (&["apps/web.yaml"], Some(ABOVE)),
            (&["charts/web-two/values.yaml"], Some(ABOVE)),
            // Two commits, and both count.
            (&[chart, "apps/web.yaml"], None),
            (&[], None),
        ] {
            assert_eq!(applied(files, |_| {}).as_deref(), want, "{files:?}");
        }
        let one = |objects: &mut Value| {
            objects[3]["status"]["lastAppliedRevision"] = json!(format!("main@sha1:{CHART}"));
        };
        assert_eq!(applied(&[chart, "apps/web.yaml"], one).as_deref(), Some(CHART));
        let remote = |objects: &mut Value| {
            objects[0]["spec"]["chart"]["spec"]["sourceRef"] = json!({"kind": "HelmRepository", "name": "charts"});
        };
        assert_eq!(applied(&[], remote).as_deref(), Some(ABOVE), "a chart from elsewhere has no commit of ours");
    }

    /// What an Application of this status, which takes the object from Git, has applied.
    fn of_application(spec: &Value, status: &Value) -> Option<String> {
        let mut status = status.clone();
        status["resources"] = json!([{"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}]);
        let tracked = json!({"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"});
        let mut snapshot = Snapshot::new("lab", Scope::All);
        for object in [
            json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
                "metadata": {"name": "shop", "namespace": "argocd"}, "spec": spec, "status": status}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "shop", "annotations": tracked}}),
        ] {
            let object: Object = serde_json::from_value(object).unwrap();
            snapshot.objects.entry(object.kind.clone()).or_default().push(object);
        }
        let found = Controller::of(&snapshot, &subject()).unwrap();
        assert_eq!(found.name, "Application argocd/shop");
        found.applied
    }

    #[test]
    fn an_application_tells_the_commit_of_its_last_sync_and_none_that_it_only_tried_or_compared() {
        let source = json!({"repoURL": "https://git.example/shop", "path": "apps", "targetRevision": "main"});
        let one = json!({"source": source});
        let state = |phase: &str| json!({"phase": phase, "syncResult": {"revision": CHART}});
        let history = json!([{"id": 0, "revision": CHART}, {"id": 1, "revision": ABOVE}]);
        for (status, want) in [
            (json!({"operationState": state("Succeeded"), "history": history}), Some(CHART)),
            (json!({"operationState": state("Failed"), "history": history}), Some(ABOVE)),
            (json!({"operationState": state("Running"), "sync": {"status": "Synced", "revision": CHART}}), None),
            (json!({"sync": {"status": "Synced", "revision": CHART}}), None),
            (json!({"operationState": {"phase": "Succeeded", "syncResult": {"revision": "1.2.3"}}}), None),
        ] {
            assert_eq!(of_application(&one, &status).as_deref(), want, "{status}");
        }
        let chart = json!({"repoURL": "https://charts.example", "chart": "web", "targetRevision": "1.2.3"});
        let several = json!({"sources": [chart, source]});
        let synced = json!({"operationState": {"phase": "Succeeded", "syncResult": {"revisions": ["1.2.3", CHART]}}});
        assert_eq!(of_application(&several, &synced).as_deref(), Some(CHART));
    }

    #[test]
    fn what_was_hydrated_is_applied_when_its_outcome_was_synced() {
        let dry = json!({"repoURL": "https://git.example/shop", "path": "apps", "targetRevision": "main"});
        let spec = json!({"sourceHydrator": {"drySource": dry, "syncSource": {"targetBranch": "env", "path": "apps"}}});
        let hydrated = json!({"drySHA": CHART, "hydratedSHA": ABOVE});
        let synced = |revision: &str| json!({"phase": "Succeeded", "syncResult": {"revision": revision}});
        for (status, want) in [
            (json!({"sourceHydrator": {"lastSuccessfulOperation": hydrated}, "operationState": synced(ABOVE)}), true),
            (json!({"sourceHydrator": {"lastSuccessfulOperation": hydrated}, "operationState": synced(CHART)}), false),
            (json!({"sourceHydrator": {"lastSuccessfulOperation": hydrated}}), false),
            (
                json!({"sourceHydrator": {"currentOperation": {"drySHA": CHART}}, "operationState": synced(ABOVE)}),
                false,
            ),
        ] {
            assert_eq!(of_application(&spec, &status).is_some(), want, "{status}");
        }
    }

    #[test]
    fn a_release_that_is_not_deployed_as_written_has_applied_nothing_new() {
        let (chart, own) = ("charts/web/values.yaml", "apps/web.yaml");
        let status = |field: &'static str, value: Value| move |objects: &mut Value| objects[0]["status"][field] = value;
        for file in [chart, own] {
            assert_eq!(applied(&[file], status("observedGeneration", json!(2))), None, "{file}");
            assert_eq!(applied(&[file], status("lastAttemptedGeneration", json!(2))), None, "{file}");
            assert_eq!(applied(&[file], status("observedGeneration", Value::Null)), None, "{file}");
            let failed = json!([{"type": "Ready", "status": "False"}]);
            assert_eq!(applied(&[file], status("conditions", failed)), None, "{file}");
            let back = json!([{"version": 3, "status": "failed", "chartVersion": "0.3.1+4e5cbb7b97d0"}]);
            assert_eq!(applied(&[file], status("history", back)), None, "{file}");
            let from =
                |objects: &mut Value| objects[0]["spec"]["valuesFrom"] = json!([{"kind": "ConfigMap", "name": "v"}]);
            assert_eq!(applied(&[file], from), None, "{file}: nothing says of when they are");
        }
        // A rollback, and a chart that was changed without a new version.
        for version in ["0.3.1+000000000000", "0.3.1"] {
            let kept = json!([{"version": 2, "status": "deployed", "chartVersion": version}]);
            assert_eq!(applied(&[chart], status("history", kept.clone())), None, "{version}");
            assert_eq!(applied(&[own], status("history", kept)).as_deref(), Some(ABOVE), "{version}");
        }
    }

    #[test]
    fn an_older_release_tells_it_by_its_revisions() {
        let chart = "charts/web/values.yaml";
        let older = |applied: &'static str| {
            move |objects: &mut Value| {
                let status = objects[0]["status"].as_object_mut().unwrap();
                status.remove("history");
                status.remove("lastAttemptedGeneration");
                status.insert("lastAppliedRevision".to_owned(), json!(applied));
                status.insert("lastAttemptedRevision".to_owned(), json!("0.3.1+4e5cbb7b97d0"));
            }
        };
        assert_eq!(applied(&[chart], older("0.3.1+4e5cbb7b97d0")).as_deref(), Some(CHART));
        assert_eq!(applied(&[chart], older("0.3.1+000000000000")), None);
    }
}
