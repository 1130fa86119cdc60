//! What signals on an object come to.

use super::*;
use crate::model::snapshot::Scope;
use serde_json::{Value, json};

fn snapshot(objects: &[Value]) -> Snapshot {
    let mut snapshot = Snapshot::new("test", Scope::All);
    for value in objects {
        let object: Object = serde_json::from_value(value.clone()).unwrap();
        snapshot.objects.entry(object.kind.clone()).or_default().push(object);
    }
    snapshot
}

fn web(metadata: &Value) -> Value {
    let mut all = json!({"name": "web", "namespace": "prod"});
    all.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": all})
}

fn ask(objects: &[Value]) -> Result<Found, Refusal> {
    find(&snapshot(objects), &ObjectRef::new("apps/v1", "Deployment", "prod", "web"))
}

const ID: &str = "527c6801ac0ebd24ce4da60973846cc271d86c13";

fn kustomization(name: &str, labels: &Value, listed: &[&str], spec: &Value) -> Value {
    let mut all = json!({"path": "./apps", "sourceRef": {"kind": "GitRepository", "name": "shop"}});
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let entries: Vec<Value> = listed.iter().map(|id| json!({"id": id, "v": "v1"})).collect();
    json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system", "labels": labels}, "spec": all,
        "status": {"inventory": {"entries": entries}, "lastAttemptedRevision": format!("main@sha1:{ID}")}})
}

fn repository(reference: &Value) -> Value {
    json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "shop", "namespace": "flux-system"},
        "spec": {"url": "https://bot:token@git.example.com/acme/shop.git", "ref": reference},
        "status": {"artifact": {"revision": format!("main@sha1:{ID}")}}})
}

fn flux(name: &str) -> Value {
    json!({"kustomize.toolkit.fluxcd.io/name": name, "kustomize.toolkit.fluxcd.io/namespace": "flux-system"})
}

const WEB: &str = "prod_web_apps_Deployment";

#[test]
fn a_kustomization_that_lists_the_object_leads_to_its_folder() {
    let labels = json!({"labels": flux("apps")});
    let found = ask(&[
        web(&labels),
        kustomization("apps", &json!({}), &[WEB], &json!({})),
        repository(&json!({"branch": "main"})),
    ])
    .unwrap();
    let lead = found.lead.unwrap();
    assert_eq!((lead.folders[0].path.as_str(), &lead.base), ("./apps", &Base::Branch("main".to_owned())));
    assert_eq!(lead.revisions, [(ID.to_owned(), NamedBy::Status("lastAttemptedRevision"))]);
    assert_eq!(lead.shown().as_deref(), Some("https://git.example.com/acme/shop.git"));
    assert!(found.trail.iter().all(|signal| !signal.value.contains("token")), "{:?}", found.trail);
}

#[test]
fn a_copied_label_is_not_believed() {
    let objects = [
        web(&json!({"labels": flux("apps")})),
        kustomization("apps", &json!({}), &["prod_db_apps_Deployment"], &json!({})),
        repository(&json!({})),
    ];
    let found = ask(&objects).unwrap();
    assert_eq!(found.lead, None);
    assert_eq!(found.trail[0].value, "flux-system/apps, whose inventory does not list it: not believed");
    let unseen = ask(&objects[..1]).unwrap();
    assert_eq!((unseen.lead, unseen.trail[0].value.as_str()), (None, "flux-system/apps, which was not seen"));
}

#[test]
fn the_kustomization_is_followed_one_hop_up() {
    let ks = "flux-system_apps_kustomize.toolkit.fluxcd.io_Kustomization";
    let own = "flux-system_flux-system_kustomize.toolkit.fluxcd.io_Kustomization";
    let lead = ask(&[
        web(&json!({"labels": flux("apps")})),
        kustomization("apps", &flux("flux-system"), &[WEB], &json!({})),
        kustomization("flux-system", &flux("flux-system"), &[ks, own], &json!({"path": "./clusters/prod"})),
        repository(&json!({"branch": "main"})),
    ])
    .unwrap()
    .lead
    .unwrap();
    let above = lead.folders[0].above.as_ref().unwrap();
    assert_eq!((above.path.as_str(), &above.above), ("./clusters/prod", &None));
}

#[test]
fn what_the_source_follows_is_read_in_flux_order() {
    for (reference, want) in [
        (json!({"branch": "main", "tag": "v1"}), Base::Pinned("tag v1".to_owned())),
        (json!({"name": "refs/heads/x", "branch": "main"}), Base::Branch("x".to_owned())),
        (json!({"semver": "1.x"}), Base::Pinned("the newest tag in 1.x".to_owned())),
        (json!({}), Base::Branch("master".to_owned())),
    ] {
        let labels = json!({"labels": flux("apps")});
        let lead = ask(&[web(&labels), kustomization("apps", &json!({}), &[WEB], &json!({})), repository(&reference)])
            .unwrap()
            .lead
            .unwrap();
        assert_eq!(lead.base, want, "{reference}");
    }
}

fn application(namespace: &str, name: &str, spec: &Value, lists: bool) -> Value {
    let resources = json!([{"group": "apps", "kind": "Deployment", "namespace": "prod", "name": "web"}]);
    json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        "status": {"controllerNamespace": "argocd", "resources": if lists { resources } else { json!([]) },
            "operationState": {"phase": "Succeeded", "syncResult": {"revision": ID}}}})
}

fn tracked_by(name: &str) -> Value {
    json!({"annotations": {"argocd.argoproj.io/tracking-id": format!("{name}:apps/Deployment:prod/web")}})
}

fn source() -> Value {
    json!({"source": {"repoURL": "git@git.example.com:acme/shop.git", "path": "overlays/prod", "targetRevision": "HEAD"}})
}

#[test]
fn an_application_that_lists_the_object_leads_to_its_folder() {
    let found = ask(&[web(&tracked_by("shop")), application("argocd", "shop", &source(), true)]).unwrap();
    let lead = found.lead.unwrap();
    assert_eq!((lead.folders[0].path.as_str(), &lead.base), ("overlays/prod", &Base::Default));
    assert_eq!(lead.revisions, [(ID.to_owned(), NamedBy::Finished)]);
    assert!(is_same(lead.repository.as_deref().unwrap(), "https://git.example.com/Acme/shop"));
}

#[test]
fn a_stale_or_copied_tracking_id_is_not_believed() {
    let stale = ask(&[web(&tracked_by("shop")), application("argocd", "shop", &source(), false)]).unwrap();
    assert_eq!((stale.lead, stale.trail[0].value.as_str()), (None, "shop, which does not list it: not believed"));
    let copied = json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:prod/api"}});
    let copied = ask(&[web(&copied), application("argocd", "shop", &source(), true)]).unwrap();
    assert_eq!(copied.lead, None);
}

#[test]
fn an_application_elsewhere_is_named_with_its_namespace() {
    let apps = [application("team", "shop", &source(), true), application("argocd", "shop", &source(), false)];
    let found = ask(&[&[web(&tracked_by("team_shop"))], &apps[..]].concat()).unwrap();
    assert_eq!(found.lead.map(|lead| lead.controller.qualified()).as_deref(), Some("Application team/shop"));
    let bare = ask(&[&[web(&tracked_by("shop"))], &apps[..]].concat()).unwrap();
    assert_eq!(bare.lead, None);
}

#[test]
fn the_instance_label_counts_only_with_an_application_that_lists_the_object() {
    let label = json!({"labels": {"app.kubernetes.io/instance": "shop"}});
    let found = ask(&[web(&label), application("argocd", "shop", &source(), true)]).unwrap();
    assert!(found.lead.is_some());
    let chart = ask(&[web(&label), application("argocd", "shop", &source(), false)]).unwrap();
    assert_eq!((chart.lead, chart.trail.len()), (None, 0));
}

#[test]
fn two_controllers_of_one_object_are_refused() {
    let marks = json!({"labels": flux("apps"), "annotations": tracked_by("shop")["annotations"]});
    let refusal = ask(&[
        web(&marks),
        kustomization("apps", &json!({}), &[WEB], &json!({})),
        repository(&json!({})),
        application("argocd", "shop", &source(), true),
    ])
    .unwrap_err();
    assert_eq!(refusal.code, "two-managers");
    let both = [application("argocd", "shop", &source(), true), application("argo2", "shop", &source(), true)];
    // The second instance runs in another namespace and says so.
    let mut both = both.to_vec();
    both[1]["status"]["controllerNamespace"] = json!("argo2");
    let refusal = ask(&[&[web(&tracked_by("shop"))], &both[..]].concat()).unwrap_err();
    assert_eq!(refusal.code, "two-managers");
}

#[test]
fn the_last_of_several_sources_is_asked_first() {
    let spec = json!({"sources": [
        {"repoURL": "https://git.example.com/acme/shop", "path": "a", "targetRevision": "main"},
        {"repoURL": "https://git.example.com/acme/shop.git", "path": "b", "targetRevision": "main"},
        {"repoURL": "https://git.example.com/acme/values", "ref": "values"}]});
    let lead = ask(&[web(&tracked_by("shop")), application("argocd", "shop", &spec, true)]).unwrap().lead.unwrap();
    let paths: Vec<(&str, usize)> =
        lead.folders.iter().map(|folder| (folder.path.as_str(), folder.control.source)).collect();
    assert_eq!(paths, [("b", 1), ("a", 0)]);
    assert_eq!(lead.base, Base::Branch("main".to_owned()));
}

#[test]
fn plugins_remote_charts_and_versions_are_named() {
    let ask = |source: Value| {
        ask(&[web(&tracked_by("shop")), application("argocd", "shop", &json!({"source": source}), true)])
    };
    let url = "https://git.example.com/acme/shop";
    assert_eq!(ask(json!({"repoURL": url, "path": "a", "plugin": {"name": "x"}})).unwrap_err().code, "plugin");
    assert_eq!(
        ask(json!({"repoURL": "https://charts.example.com", "chart": "redis"})).unwrap_err().code,
        "remote-source"
    );
    for (revision, want) in [
        ("v1.2.3", Base::Pinned("version v1.2.3".to_owned())),
        ("1.*", Base::Pinned("version 1.*".to_owned())),
        (ID, Base::Pinned(format!("commit {ID}"))),
        ("release", Base::Branch("release".to_owned())),
        ("refs/heads/v1.2", Base::Branch("v1.2".to_owned())),
    ] {
        let lead = ask(json!({"repoURL": url, "path": "a", "targetRevision": revision})).unwrap().lead.unwrap();
        assert_eq!(lead.base, want);
    }
}

#[test]
fn another_repository_and_a_tag_are_refused() {
    let lead = |reference: &Value| {
        let labels = json!({"labels": flux("apps")});
        ask(&[web(&labels), kustomization("apps", &json!({}), &[WEB], &json!({})), repository(reference)])
            .unwrap()
            .lead
            .unwrap()
    };
    let own = "git.example.com/acme/shop";
    let code = |result: Result<(), Refusal>| result.map_or_else(|refusal| refusal.code, |()| "");
    let main = lead(&json!({"branch": "main"}));
    assert_eq!(code(main.check(own, "main", false)), "");
    assert_eq!(code(main.check("git.example.com/acme/other", "main", false)), "repo-mismatch");
    assert_eq!(code(main.check("/srv/git/shop", "main", false)), "");
    assert_eq!(code(main.check(own, "dev", false)), "pinned-revision");
    let tag = lead(&json!({"tag": "v1.4.0"}));
    let refusal = tag.check(own, "main", false).unwrap_err();
    assert_eq!(refusal.message, "Kustomization flux-system/apps follows tag v1.4.0, not a branch");
    assert_eq!(code(tag.check(own, "main", true)), "");
    let hint = main.check("git.example.com/acme/other", "main", false).unwrap_err().hint;
    assert!(!hint.contains("token"), "{hint}");
}

#[test]
fn config_sync_names_the_file_when_its_id_is_of_the_object() {
    let context = r#"{"repo":"https://git.example.com/acme/shop","branch":"main","rev":"HEAD"}"#;
    let synced = |id: &str, context: &str| {
        json!({"annotations": {"configmanagement.gke.io/source-path": "prod/web.yaml",
            "configsync.gke.io/git-context": context, "configsync.gke.io/manager": "prod",
            "configsync.gke.io/resource-id": id, "configmanagement.gke.io/token": ID}})
    };
    let found = ask(&[web(&synced("apps_deployment_prod_web", context))]).unwrap();
    let lead = found.lead.unwrap();
    assert_eq!((lead.folders[0].path.as_str(), lead.folders[0].file.as_deref()), ("prod", Some("prod/web.yaml")));
    assert_eq!(
        (lead.controller.qualified().as_str(), &lead.base),
        ("RepoSync prod/repo-sync", &Base::Branch("main".to_owned()))
    );
    assert_eq!(lead.revisions, [(ID.to_owned(), NamedBy::Synced)]);
    let tag = ask(&[web(&synced("apps_deployment_prod_web", &context.replace("HEAD", "v1")))]).unwrap();
    assert_eq!(tag.lead.map(|lead| lead.base), Some(Base::Pinned("v1".to_owned())));
    let copied = ask(&[web(&synced("apps_deployment_prod_api", context))]).unwrap();
    assert_eq!((copied.lead, copied.trail[0].trust), (None, Trust::Claimed));
    let mut both = synced("apps_deployment_prod_web", context);
    both["labels"] = flux("apps");
    let both = [web(&both), kustomization("apps", &json!({}), &[WEB], &json!({})), repository(&json!({}))];
    assert_eq!(ask(&both).unwrap_err().code, "two-managers");
}

#[test]
fn a_repository_that_includes_others_is_refused() {
    let mut source = repository(&json!({"branch": "main"}));
    source["spec"]["include"] = json!([{"repository": {"name": "lib"}, "fromPath": "deploy", "toPath": "apps/lib"}]);
    let labels = json!({"labels": flux("apps")});
    let refusal = ask(&[web(&labels), kustomization("apps", &json!({}), &[WEB], &json!({})), source]).unwrap_err();
    assert_eq!(refusal.code, "remote-source");
    assert!(refusal.message.contains("includes GitRepository lib at `apps/lib`"), "{}", refusal.message);
}

#[test]
fn what_an_application_says_and_is_not_followed_is_named() {
    let application = |source: Value| {
        let mut all = json!({"repoURL": "https://git.example.com/acme/shop.git", "path": "charts/web"});
        all.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"name": "shop", "namespace": "argocd"}, "spec": {"source": all},
            "status": {"resources": [{"group": "apps", "kind": "Deployment", "namespace": "prod", "name": "web"}]}})
    };
    let live = web(&json!({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:prod/web"}}));
    for (source, word) in [
        (json!({"helm": {"fileParameters": [{"name": "a", "path": "a.txt"}]}}), "helm.fileParameters"),
        (json!({"helm": {"valueFiles": ["envs/*.yaml"]}}), "helm.valueFiles with a pattern"),
        (json!({"kustomize": {"commonAnnotationsEnvsubst": true}}), "kustomize.commonAnnotationsEnvsubst"),
    ] {
        let refusal = ask(&[live.clone(), application(source)]).unwrap_err();
        assert!(refusal.code == "unsupported-renderer" && refusal.message.contains(word), "{refusal:?}");
    }
    let helm = json!({"helm": {"kubeVersion": "1.31.2", "apiVersions": ["a.example.com/v1"],
        "valueFiles": ["prod.yaml"], "ignoreMissingValueFiles": true}});
    let chart = ask(&[live, application(helm)]).unwrap().lead.unwrap().folders.remove(0).chart.unwrap();
    assert_eq!(chart.release.kube_version.as_deref(), Some("1.31.2"));
    assert_eq!((chart.release.api_versions, chart.spares_missing), (vec!["a.example.com/v1".to_owned()], true));
}
