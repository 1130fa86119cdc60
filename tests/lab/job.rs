//! aifix as a CronJob's Job, in an image of its own, scanning its own cluster.

use crate::kit::{Namespace, aifix, failing, faults, kubectl, run, wait};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const TAG: &str = "docker.io/aifix-lab/aifix:1";

/// The recipe of the README, for this namespace and the image of `tests/lab/Dockerfile`.
fn recipe(namespace: &str) -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let block = readme.split("```yaml\n").find(|block| block.contains("kind: CronJob")).unwrap();
    let block = block.split("```").next().unwrap();
    block.replace("registry.example/aifix:0.1.0", TAG).replace("shop", namespace)
}

/// What lies in no namespace; deleted when dropped.
struct Deleted(&'static str, String);

impl Drop for Deleted {
    fn drop(&mut self) {
        let _ = Command::new("kubectl").args(["delete", self.0, &self.1, "--wait=false"]).output();
    }
}

/// Exactly the rights that `doctor --rbac` prints, bound to ServiceAccount `aifix`.
fn bind(namespace: &Namespace, folder: &Path) -> [Deleted; 2] {
    let name = &namespace.0;
    let roles = aifix(folder, &["doctor", "--rbac", "-n", name]).exits(0).out;
    // Other tests may bind the cluster's role at the same time.
    let cluster = format!("aifix-{name}");
    let file = folder.join("roles.yaml");
    std::fs::write(&file, roles.replace("aifix-cluster", &cluster)).unwrap();
    kubectl(&["apply", "-f", file.to_str().unwrap()]);
    namespace.kubectl(&["create", "serviceaccount", "aifix"]);
    let account = format!("--serviceaccount={name}:aifix");
    namespace.kubectl(&["create", "rolebinding", "aifix", "--role=aifix", &account]);
    kubectl(&["create", "clusterrolebinding", &cluster, &format!("--clusterrole={cluster}"), &account]);
    [Deleted("clusterrole", cluster.clone()), Deleted("clusterrolebinding", cluster)]
}

#[test]
fn the_recipe_of_a_cron_job_scans_its_own_cluster_with_the_least_rights() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/image");
    run(Command::new(script).arg(TAG));
    let namespace = Namespace::new("job");
    let name = namespace.0.as_str();
    let folder = tempfile::tempdir().unwrap();
    let fault = faults().join("configmap-missing.yaml");
    namespace.kubectl(&["apply", "-f", fault.to_str().unwrap()]);
    let scan = ["scan", "-n", name, "-l", "app.kubernetes.io/name!=aifix", "-o", "json"];
    let seen = wait("the fault to be seen", Duration::from_secs(90), || {
        let ran = aifix(folder.path(), &scan);
        let found = failing(&ran.json());
        if found.is_empty() { Err(ran.out) } else { Ok(found) }
    });
    assert_eq!(seen, ["configmap-missing Deployment/billing"]);
    let _roles = bind(&namespace, folder.path());

    let file = folder.path().join("cronjob.yaml");
    std::fs::write(&file, recipe(name)).unwrap();
    kubectl(&["apply", "-f", file.to_str().unwrap()]);
    // The lab has no proxy for Services: the API server is reached at the node's own address.
    let spec = "/spec/jobTemplate/spec/template/spec";
    let server = crate::kit::lab("AIFIX_LAB_SERVER");
    let (host, port) = server.trim_start_matches("https://").split_once(':').unwrap();
    let patch = json!([
        {"op": "add", "path": format!("{spec}/hostNetwork"), "value": true},
        {"op": "add", "path": format!("{spec}/containers/0/env"), "value": [
            {"name": "KUBERNETES_SERVICE_HOST", "value": host}, {"name": "KUBERNETES_SERVICE_PORT", "value": port}]},
    ]);
    namespace.kubectl(&["patch", "cronjob", "aifix", "--type=json", "-p", &patch.to_string()]);
    namespace.kubectl(&["create", "job", "once", "--from=cronjob/aifix"]);

    let ended = wait("the Job to end", Duration::from_secs(120), || {
        let pods = namespace.kubectl(&["get", "pods", "-l", "job-name=once", "-o", "json"]);
        let pods: Value = serde_json::from_str(&pods).unwrap();
        let end = pods["items"][0]["status"]["containerStatuses"][0]["state"]["terminated"].clone();
        if end.is_object() { Ok(end) } else { Err(pods.to_string()) }
    });
    let log = namespace.kubectl(&["logs", "job/once"]);
    assert_eq!(ended["exitCode"], 1, "{log}");
    // Hints may stand before the document.
    let report: Value = serde_json::from_str(&log[log.find('{').expect(&log)..]).expect(&log);
    assert_eq!(failing(&report), seen);
    assert_eq!(report["contexts"][0]["name"], "in-cluster");
    assert_eq!(report["contexts"][0]["gaps"], json!([]), "{log}");
    // What the run itself leaves is no new failure.
    let after = aifix(folder.path(), &scan).json();
    assert_eq!(failing(&after), seen);
}
