//! aifix as a CronJob's Job, in an image of its own: it scans its own cluster, proposes and follows.

use crate::forge::api;
use crate::kit::{Namespace, Repository, aifix, failing, faults, kubectl, lab, run, wait};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const TAG: &str = "docker.io/aifix-lab/aifix:1";

/// A block of the README that holds `part`.
fn block(language: &str, part: &str) -> String {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    let mut blocks = readme.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.find(|block| block.contains(part)).unwrap().to_owned()
}

/// The recipe of the README, for this namespace, the image of `tests/lab/Dockerfile`, this repository, and a folder
/// of the node where a cluster has a claim. It waits for less long.
fn recipe(namespace: &str, repository: &str, home: &Path) -> String {
    let recipe = block("yaml", "kind: CronJob");
    let replaced = [
        ("https://git.example.com/team/shop.git", repository),
        ("registry.example/aifix:0.1.0", TAG),
        ("shop", namespace),
        ("persistentVolumeClaim: {claimName: aifix}", &format!("hostPath: {{path: {}}}", home.display())),
        ("--all, --wait, 10m", "--all, --stable, 5s, --wait, 30s"),
    ];
    replaced.iter().fold(recipe, |recipe, (of, by)| {
        assert!(recipe.contains(of), "{of}");
        recipe.replace(of, by)
    })
}

/// Makes the Secret that the README describes.
fn secret(namespace: &Namespace, folder: &Path) {
    let config = block("ini", "aifix-git").replace("https://git.example.com", &lab("AIFIX_LAB_GITEA_URL"));
    let login = format!("username={}\npassword={}\n", lab("AIFIX_LAB_GITEA_USER"), lab("AIFIX_LAB_GITEA_TOKEN"));
    let files = [("gitconfig", config), ("login", login)].map(|(name, text)| {
        std::fs::write(folder.join(name), text).unwrap();
        format!("--from-file={}", folder.join(name).display())
    });
    namespace.kubectl(&["create", "secret", "generic", "aifix-git", &files[0], &files[1]]);
}

/// Runs the CronJob now; the exit code and the log of each container.
fn job(namespace: &Namespace, name: &str) -> BTreeMap<String, (i64, String)> {
    namespace.kubectl(&["create", "job", name, "--from=cronjob/aifix"]);
    let label = format!("job-name={name}");
    let ended = wait("the Job to end", Duration::from_secs(180), || {
        let pods = namespace.kubectl(&["get", "pods", "-l", &label, "-o", "json"]);
        let pods: Value = serde_json::from_str(&pods).unwrap();
        let all = pods["items"][0]["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        let ended = all.iter().filter(|one| one["state"]["terminated"].is_object()).count();
        if ended == 3 { Ok(all) } else { Err(pods.to_string()) }
    });
    let read = |one: &Value| {
        let container = one["name"].as_str().unwrap();
        let log = namespace.kubectl(&["logs", &format!("job/{name}"), "-c", container]);
        (container.to_owned(), (one["state"]["terminated"]["exitCode"].as_i64().unwrap(), log))
    };
    ended.iter().map(read).collect()
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
fn the_recipe_of_a_cron_job_scans_proposes_and_follows_with_the_least_rights() {
    if lab("AIFIX_LAB_GITEA_URL").is_empty() {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/image");
    run(Command::new(script).arg(TAG));
    let namespace = Namespace::new("job");
    let name = namespace.0.as_str();
    let folder = tempfile::tempdir().unwrap();
    let fault = std::fs::read_to_string(faults().join("configmap-missing.yaml")).unwrap();
    let manifests = fault.replace("\nmetadata:\n", &format!("\nmetadata:\n  namespace: {name}\n"));
    let file = folder.path().join("billing.yaml");
    std::fs::write(&file, &manifests).unwrap();
    kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let scan = ["scan", "-n", name, "-l", "app.kubernetes.io/name!=aifix", "-o", "json"];
    let seen = wait("the fault to be seen", Duration::from_secs(90), || {
        let ran = aifix(folder.path(), &scan);
        let found = failing(&ran.json());
        if found.is_empty() { Err(ran.out) } else { Ok(found) }
    });
    assert_eq!(seen, ["configmap-missing Deployment/billing"]);
    let _roles = bind(&namespace, folder.path());
    let owner = lab("AIFIX_LAB_GITEA_USER");
    api("POST", &format!("admin/users/{owner}/repos"), &json!({"name": name, "private": true}));
    let repository = Repository::at_the_forge(&format!("{owner}/{name}"), &[("apps/billing.yaml", manifests)]);
    secret(&namespace, folder.path());

    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    for folder in [folder.path(), &home] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let file = folder.path().join("cronjob.yaml");
    std::fs::write(&file, recipe(name, &repository.url(), &home)).unwrap();
    kubectl(&["apply", "-f", file.to_str().unwrap()]);
    // The lab has no proxy for Services: the API server is reached at the node's own address.
    let spec = "/spec/jobTemplate/spec/template/spec";
    let server = lab("AIFIX_LAB_SERVER");
    let (host, port) = server.trim_start_matches("https://").split_once(':').unwrap();
    let variables = [
        json!({"name": "KUBERNETES_SERVICE_HOST", "value": host}),
        json!({"name": "KUBERNETES_SERVICE_PORT", "value": port}),
    ];
    let mut patch = vec![
        json!({"op": "add", "path": format!("{spec}/hostNetwork"), "value": true}),
        json!({"op": "add", "path": format!("{spec}/containers/0/env"), "value": variables}),
    ];
    for container in [1, 2] {
        let path = format!("{spec}/containers/{container}/env/-");
        patch.extend(variables.iter().map(|value| json!({"op": "add", "path": path, "value": value})));
    }
    namespace.kubectl(&["patch", "cronjob", "aifix", "--type=json", "-p", &Value::from(patch).to_string()]);

    let once = job(&namespace, "once");
    let (code, log) = &once["scan"];
    assert_eq!(*code, 1, "{log}");
    // Hints may stand before the document.
    let report: Value = serde_json::from_str(&log[log.find('{').expect(log)..]).expect(log);
    assert_eq!(failing(&report), seen);
    assert_eq!(report["contexts"][0]["name"], "in-cluster");
    assert_eq!(report["contexts"][0]["gaps"], json!([]), "{log}");
    let (code, log) = &once["propose"];
    assert!(*code == 0 && log.contains("(opened as a draft)"), "exit {code}\n{log}");
    // What the run itself leaves is no new failure.
    assert_eq!(failing(&aifix(folder.path(), &scan).json()), seen);

    // A person calls it ready and merges it, and it is applied.
    let pulls = api("GET", &format!("repos/{owner}/{name}/pulls"), &Value::Null);
    assert_eq!((pulls.as_array().map(Vec::len), &pulls[0]["draft"]), (Some(1), &Value::Bool(true)), "{pulls}");
    let pull = format!("repos/{owner}/{name}/pulls/{}", pulls[0]["number"]);
    api("PATCH", &pull, &json!({"title": "Read the settings that are there"}));
    wait("a pull request that can be merged", Duration::from_secs(60), || {
        let seen = api("GET", &pull, &Value::Null);
        if seen["mergeable"] == true { Ok(()) } else { Err(seen.to_string()) }
    });
    api("POST", &format!("{pull}/merge"), &json!({"Do": "merge"}));
    repository.git(&["fetch", "-q", "origin", "main"]);
    let file = folder.path().join("fixed.yaml");
    std::fs::write(&file, repository.git(&["show", "FETCH_HEAD:apps/billing.yaml"])).unwrap();
    kubectl(&["apply", "-f", file.to_str().unwrap()]);
    namespace.kubectl(&["rollout", "status", "--timeout=90s", "deployment/billing"]);

    let twice = job(&namespace, "twice");
    let told = |container: &str| &twice[container];
    assert!(twice.values().all(|(code, _)| *code == 0), "{twice:#?}");
    assert!(told("status").1.contains("healed  Deployment "), "{}", told("status").1);
}
