//! A real forge: pull requests opened, written anew, merged, closed and in conflict.

use crate::kit::{Ran, aifix, lab, run, wait};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A repository at the laboratory's Gitea and a clone of it.
pub(crate) struct Shop {
    root: tempfile::TempDir,
    /// `robot/shop-1-0`.
    path: String,
}

/// As the keeper, who may do everything.
pub(crate) fn api(method: &str, path: &str, body: &Value) -> Value {
    let user = format!("{}:{}", lab("AIFIX_LAB_GITEA_ADMIN"), lab("AIFIX_LAB_GITEA_ADMIN_PASSWORD"));
    let url = format!("{}/api/v1/{path}", lab("AIFIX_LAB_GITEA_URL"));
    let mut command = Command::new("curl");
    command.args(["-sS", "--fail-with-body", "-X", method, "-u", &user, "-H", "Content-Type: application/json"]);
    if !body.is_null() {
        command.args(["-d", &body.to_string()]);
    }
    command.arg(url);
    // After a push Gitea looks at a pull request again, and merges it then.
    let text = wait("Gitea to do it", Duration::from_secs(60), || {
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_busy = text.contains("Please try again later");
        assert!(output.status.success() || is_busy, "{command:?}\n{text}");
        if is_busy { Err(text) } else { Ok(text) }
    });
    if text.trim().is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}

fn recorded() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/oom-killed").to_str().unwrap().to_owned()
}

/// What runs in the recording.
fn manifest() -> String {
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: cat-oom-killed\nspec:\n  replicas: 1\n  \
     selector:\n    matchLabels: {app: web}\n  template:\n    metadata:\n      labels: {app: web}\n    spec:\n      \
     terminationGracePeriodSeconds: 2\n      containers:\n      - name: app\n        image: busybox:1.36\n        \
     imagePullPolicy: IfNotPresent\n        command: [\"sh\", \"-c\", \"echo starting; tail /dev/zero\"]\n        \
     resources:\n          limits:\n            memory: 32Mi   # small nodes\n"
        .to_owned()
}

impl Shop {
    /// Its `main` holds the manifest and these files.
    pub(crate) fn new(more: &[(&str, &str)]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("shop-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
        let owner = lab("AIFIX_LAB_GITEA_USER");
        api("POST", &format!("admin/users/{owner}/repos"), &json!({"name": name, "default_branch": "main"}));
        let shop = Self { root: tempfile::tempdir().unwrap(), path: format!("{owner}/{name}") };
        fs::create_dir(shop.work()).unwrap();
        shop.git(&["init", "-q", "-b", "main"]);
        // As on a workstation: the token lies in a credential helper, for Git and for aifix.
        let url = lab("AIFIX_LAB_GITEA_URL");
        let stored = url.replace("http://", &format!("http://{owner}:{}@", lab("AIFIX_LAB_GITEA_TOKEN")));
        let file = shop.root.path().join("credentials");
        fs::write(&file, format!("{stored}\n")).unwrap();
        shop.git(&["config", "credential.helper", &format!("store --file={}", file.display())]);
        shop.git(&["remote", "add", "origin", &format!("{url}/{}.git", shop.path)]);
        shop.write("k8s/web.yaml", &manifest());
        for (file, text) in more {
            shop.write(file, text);
        }
        shop.commit("Add manifests");
        shop
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "core.hooksPath=/dev/null"];
        run(Command::new("git").args(who).args(args).current_dir(self.work()).env("GIT_TERMINAL_PROMPT", "0"))
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.work().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits everything on `main` and pushes it.
    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", message]);
        self.git(&["push", "-q", "origin", "main"]);
    }

    pub(crate) fn propose(&self, more: &[&str]) -> Ran {
        let from = recorded();
        let args = ["propose", "deployment/web", "--from", &from, "--push", "--yes=review", "--pr", "-o", "json"];
        aifix(&self.work(), &[&args[..], more].concat())
    }

    /// One call below the repository.
    pub(crate) fn api(&self, method: &str, path: &str, body: &Value) -> Value {
        api(method, &format!("repos/{}/{path}", self.path), body)
    }

    /// The pull request with this number, once Gitea knows whether it can be merged.
    pub(crate) fn pull(&self, number: u64, mergeable: bool) -> Value {
        wait("Gitea to tell whether it can be merged", Duration::from_secs(30), || {
            let pull = self.api("GET", &format!("pulls/{number}"), &Value::Null);
            if pull["mergeable"] == mergeable { Ok(pull) } else { Err(pull["mergeable"].to_string()) }
        })
    }

    /// A person calls it ready.
    pub(crate) fn ready(&self, number: u64) {
        self.api("PATCH", &format!("pulls/{number}"), &json!({"title": "Ready"}));
    }

    fn pulls(&self) -> usize {
        self.api("GET", "pulls?state=all", &Value::Null).as_array().unwrap().len()
    }
}

#[test]
fn a_pull_request_is_opened_written_anew_and_merged() {
    let shop = Shop::new(&[(".aifix.toml", "[pull-request]\nlabels = ['fix']\nreviewers = ['keeper']\n")]);
    shop.api("POST", "labels", &json!({"name": "fix", "color": "#00aabb"}));
    let row = shop.propose(&[]).exits(0).json()["proposals"][0].clone();
    let number = row["pullRequest"]["number"].as_u64().unwrap();
    let url = format!("{}/{}/pulls/{number}", lab("AIFIX_LAB_GITEA_URL"), shop.path);
    assert_eq!(row["pullRequest"]["url"], url.as_str());
    // Gitea merges no draft.
    let pull = shop.pull(number, false);
    assert_eq!((&pull["html_url"], &pull["draft"]), (&json!(url), &json!(true)), "{pull:#}");
    assert_eq!((&pull["head"]["ref"], &pull["head"]["sha"]), (&row["branch"], &row["commit"]));
    assert_eq!(pull["labels"][0]["name"], "fix");
    assert_eq!(pull["requested_reviewers"][0]["login"], "keeper");
    assert!(pull["title"].as_str().unwrap().starts_with("WIP: Deployment cat-oom-killed/web: raise"), "{pull:#}");

    // A person calls it ready: that stays so, and only the text is new.
    shop.api("PATCH", &format!("pulls/{number}"), &json!({"title": "Ready", "body": "<!-- aifix:proposal -->\nold"}));
    let again = shop.propose(&[]).exits(0).json()["proposals"][0].clone();
    assert_eq!((&again["pullRequest"]["action"], &again["commit"]), (&json!("updated"), &row["commit"]));
    let pull = shop.pull(number, true);
    assert!(!pull["draft"].as_bool().unwrap() && pull["body"].as_str().unwrap().contains("### Undo"), "{pull:#}");
    assert_eq!(shop.pulls(), 1);

    shop.api("POST", &format!("pulls/{number}/merge"), &json!({"Do": "squash", "delete_branch_after_merge": true}));
    let merged = shop.propose(&[]).exits(4).json();
    assert_eq!(merged["proposals"][0]["refusal"]["code"], "already-fixed", "{merged:#}");
}

#[test]
fn what_a_person_closed_stays_closed() {
    let shop = Shop::new(&[]);
    let row = shop.propose(&[]).exits(0).json()["proposals"][0].clone();
    let number = row["pullRequest"]["number"].as_u64().unwrap();
    shop.api("PATCH", &format!("pulls/{number}"), &json!({"state": "closed"}));
    let ran = shop.propose(&[]).exits(4).json();
    let refusal = &ran["proposals"][0]["refusal"];
    assert!(refusal["message"].as_str().unwrap().contains("closed without a merge"), "{refusal:#}");
    // Under another name it is proposed anew, and then that open one is found, not the closed one.
    let branch = ["--branch", "aifix/second"];
    assert_eq!(shop.propose(&branch).exits(4).json()["proposals"][0]["refusal"]["code"], "already-proposed");
    shop.git(&["push", "-q", "origin", "--delete", row["branch"].as_str().unwrap()]);
    let second = shop.propose(&branch).exits(0).json()["proposals"][0].clone();
    assert_ne!(second["pullRequest"]["number"], number);
    assert_eq!(shop.pulls(), 2);
}

#[test]
fn a_conflict_is_told_and_a_new_branch_resolves_it() {
    let shop = Shop::new(&[]);
    let row = shop.propose(&[]).exits(0).json()["proposals"][0].clone();
    let first = row["pullRequest"]["number"].as_u64().unwrap();
    shop.ready(first);
    shop.pull(first, true);
    // A colleague changes the same line of the base, and not what it says.
    shop.write("k8s/web.yaml", &manifest().replace("# small nodes", "# the nodes are small"));
    shop.commit("Say it better");
    shop.pull(first, false);
    let refusal = shop.propose(&[]).exits(4).json()["proposals"][0]["refusal"].clone();
    assert!(refusal["message"].as_str().unwrap().contains("holds another change"), "{refusal:#}");
    shop.api("PATCH", &format!("pulls/{first}"), &json!({"state": "closed"}));
    shop.git(&["push", "-q", "origin", "--delete", row["branch"].as_str().unwrap()]);
    let second = shop.propose(&["--branch", "aifix/anew"]).exits(0).json()["proposals"][0].clone();
    let second = second["pullRequest"]["number"].as_u64().unwrap();
    shop.ready(second);
    shop.pull(second, true);
}

#[test]
fn a_protected_base_takes_the_pull_request_and_not_the_merge() {
    let shop = Shop::new(&[]);
    let rule = json!({"rule_name": "main", "enable_push": false, "required_approvals": 1});
    shop.api("POST", "branch_protections", &rule);
    let row = shop.propose(&[]).exits(0).json()["proposals"][0].clone();
    let number = row["pullRequest"]["number"].as_u64().unwrap();
    shop.ready(number);
    shop.pull(number, true);
    shop.api("POST", &format!("pulls/{number}/reviews"), &json!({"event": "APPROVED", "body": "yes"}));
    shop.api("POST", &format!("pulls/{number}/merge"), &json!({"Do": "merge"}));
    assert_eq!(shop.propose(&[]).exits(4).json()["proposals"][0]["refusal"]["code"], "already-fixed");
}

#[test]
fn a_branch_of_a_fork_is_asked_for_at_the_repository_that_was_forked() {
    let shop = Shop::new(&[]);
    let (keeper, robot, url) = (lab("AIFIX_LAB_GITEA_ADMIN"), lab("AIFIX_LAB_GITEA_USER"), lab("AIFIX_LAB_GITEA_URL"));
    let name = shop.path.rsplit('/').next().unwrap().to_owned();
    // It is the keeper's now, and who aifix works as has a fork.
    wait("Gitea to digest the first push", Duration::from_secs(30), || {
        let seen = api("GET", &format!("repos/{}", shop.path), &Value::Null);
        if seen["empty"] == false { Ok(()) } else { Err(seen["empty"].to_string()) }
    });
    shop.api("POST", "transfer", &json!({"new_owner": keeper}));
    let shop = Shop { path: format!("{keeper}/{name}"), ..shop };
    shop.api("POST", &format!("forks?sudo={robot}"), &json!({}));
    shop.git(&["remote", "set-url", "origin", &format!("{url}/{keeper}/{name}.git")]);
    shop.git(&["remote", "add", "fork", &format!("{url}/{robot}/{name}.git")]);
    let row = shop.propose(&["--fork", "fork"]).exits(0).json()["proposals"][0].clone();
    let number = row["pullRequest"]["number"].as_u64().unwrap();
    assert_eq!(row["pullRequest"]["url"], format!("{url}/{keeper}/{name}/pulls/{number}").as_str());
    let pull = shop.api("GET", &format!("pulls/{number}"), &Value::Null);
    assert_eq!(
        (&pull["head"]["repo"]["full_name"], &pull["head"]["ref"]),
        (&json!(format!("{robot}/{name}")), &row["branch"])
    );
    assert_eq!((&pull["base"]["repo"]["full_name"], &pull["head"]["sha"]), (&json!(shop.path), &row["commit"]));
    let again = shop.propose(&["--fork", "fork"]).exits(0).json()["proposals"][0].clone();
    assert_eq!((&again["pullRequest"]["action"], &again["commit"]), (&json!("updated"), &row["commit"]));
    assert_eq!(shop.pulls(), 1);
}
