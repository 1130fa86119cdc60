//! What an Application of Argo CD tells of a merged fix.

use super::{item, later, merge, phases, pushed, status};
use crate::harness::Sandbox;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A merged fix: the sandbox, the commit of the merge and the one before the fix.
fn merged() -> (Sandbox, String, String) {
    let sandbox = pushed();
    let before = sandbox.git("work", &["rev-parse", "HEAD"]);
    let merge = merge(&sandbox);
    (sandbox, merge, before)
}

/// The later recording, whose Deployment an Application of this status applies.
fn applied(sandbox: &Sandbox, memory: &str, is_well: bool, status: &Value) -> String {
    let folder = later(sandbox, memory, is_well);
    let file = Path::new(&folder).join("objects.json");
    let mut list: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    let web = items.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
    web["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] = "shop:apps/Deployment:cat-oom-killed/web".into();
    let repository = sandbox.path("remote.git");
    let mut application = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {"source": {"repoURL": repository, "path": "k8s", "targetRevision": "main"}},
        "status": {
            "controllerNamespace": "argocd",
            "resources": [{"group": "apps", "kind": "Deployment", "namespace": "cat-oom-killed", "name": "web"}],
        },
    });
    application["status"].as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    items.push(application);
    fs::write(file, list.to_string()).unwrap();
    folder
}

fn finished(commit: &str) -> Value {
    json!({"sync": {"status": "Synced", "revision": commit},
        "operationState": {"phase": "Succeeded", "syncResult": {"revision": commit}}})
}

#[test]
fn an_application_that_has_synced_the_merge_is_synced_and_healed() {
    let (sandbox, merge, _) = merged();
    let from = applied(&sandbox, "64Mi", true, &finished(&merge));
    let ran = status(&sandbox, &["--from", &from, "--wait", "1m"]).exits(0);
    assert!(ran.out.starts_with("healed  "), "{}", ran.out);
    let synced = format!("synced        Application argocd/shop has applied {}\n", &merge[..7]);
    assert!(ran.out.contains(&synced), "{synced}{}", ran.out);
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged", "synced", "rolled-out", "healed"]);
}

#[test]
fn an_application_that_lacks_the_merge_or_has_only_compared_it_is_not_yet_synced() {
    let (sandbox, merge, before) = merged();
    let running = json!({"sync": {"status": "OutOfSync", "revision": merge},
        "operationState": {"phase": "Running", "syncResult": {"revision": merge}}});
    let failed = json!({"operationState": {"phase": "Failed", "syncResult": {"revision": merge}},
        "history": [{"id": 1, "revision": before}]});
    let lacks = format!("has applied {}, which lacks it", &before[..7]);
    for (status, words) in
        [(finished(&before), lacks.as_str()), (failed, lacks.as_str()), (running, "does not say what it has applied")]
    {
        let from = applied(&sandbox, "32Mi", false, &status);
        let item = item(&sandbox, &["--from", &from]);
        assert_eq!((&item["phase"], &item["end"]), (&json!("merged"), &json!("open")), "{item:#}");
        let told = item["lines"].to_string();
        assert!(told.contains(&format!("not yet: Application argocd/shop {words}")), "{words}: {told}");
    }
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged"]);
}

#[test]
fn a_live_value_that_an_application_with_the_merge_does_not_give_is_drift() {
    let (sandbox, merge, _) = merged();
    let from = applied(&sandbox, "32Mi", false, &finished(&merge));
    let item = item(&sandbox, &["--from", &from]);
    assert_eq!(item["phase"], "drifted", "{item:#}");
}
