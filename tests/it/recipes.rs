//! The CI recipes of the README, run line by line in the environment of a runner.

use crate::api_server::ApiServer;
use crate::forge::reached;
use crate::forge_server::{ForgeServer, Plays};
use crate::harness::{Ran, Sandbox};
use crate::readme::{blocks, shop, shop_config};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

const TOKEN: &str = "t0p-s3cret-token";

/// The block of the README that starts with this comment, parsed.
fn recipe(comment: &str) -> Value {
    let found = blocks("yaml").into_iter().find(|block| block.starts_with(&format!("# {comment}")));
    aifix::yaml::parse::document(&found.unwrap_or_else(|| panic!("no recipe `{comment}`"))).unwrap()
}

/// A machine that has checked out the demo's repository, with a failing cluster.
struct Runner {
    sandbox: Sandbox,
    forge: ForgeServer,
    cluster: ApiServer,
}

impl Runner {
    fn new(plays: Plays) -> Self {
        let (sandbox, cluster) = shop();
        let forge = ForgeServer::start(plays);
        fs::create_dir(sandbox.path("bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_aifix"), sandbox.path("bin/aifix")).unwrap();
        let gh = sandbox
            .write("bin/gh", "#!/bin/sh\necho \"$GH_TOKEN $*\" > \"$HOME/gh\"\ncat comment.md >> \"$HOME/gh\"\n");
        let glab = sandbox.write("bin/glab", "#!/bin/sh\necho \"$GITLAB_TOKEN $GITLAB_HOST $*\" > \"$HOME/glab\"\n");
        for tool in [gh, glab] {
            fs::set_permissions(tool, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let runner = Self { sandbox, forge, cluster };
        runner.checkout();
        runner
    }

    /// A fresh clone at a commit, without a branch of its own, as both runners leave it.
    fn checkout(&self) {
        let _ = fs::remove_dir_all(self.sandbox.path("job"));
        self.sandbox.git("", &["clone", "-q", self.sandbox.path("remote.git").to_str().unwrap(), "job"]);
        self.sandbox.git("job", &["checkout", "-q", "--detach", "origin/main"]);
        self.sandbox.git("job", &["remote", "set-head", "origin", "--delete"]);
        self.sandbox.git("job", &["branch", "-q", "-D", "main"]);
        reached(&self.sandbox, "job", &self.forge);
    }

    /// One script in a shell that stops at the first failure; nobody is known to Git here.
    fn run(&self, script: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.sandbox.command("bash");
        for name in ["AIFIX_STATE_DIR", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"] {
            command.env_remove(name);
        }
        for role in ["AUTHOR", "COMMITTER"] {
            for name in ["NAME", "EMAIL", "DATE"] {
                command.env_remove(format!("GIT_{role}_{name}"));
            }
        }
        let path = format!("{}:{}", self.sandbox.path("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("CI", "true").env("GIT_SSH_COMMAND", self.sandbox.path("bin/ssh"));
        command.envs(variables.iter().copied()).current_dir(self.sandbox.path("job"));
        let ran = Ran::of(&command.args(["-eo", "pipefail", "-c", script]).output().unwrap());
        assert!(!ran.out.contains(TOKEN) && !ran.err.contains(TOKEN), "the token is shown: {}{}", ran.out, ran.err);
        ran
    }

    /// The steps of a GitHub job; what each that ran came to.
    fn steps(&self, steps: &Value, event: &str) -> Vec<(String, Ran)> {
        let server = self.forge.url();
        let (mut ran, mut failed) = (Vec::new(), false);
        for step in steps.as_array().unwrap().iter().filter(|step| step.get("run").is_some()) {
            let runs = match step.get("if").and_then(Value::as_str) {
                None => !failed,
                Some("failure()") => failed,
                Some("failure() && github.event_name == 'pull_request'") => failed && event == "pull_request",
                Some(other) => panic!("nobody knows what `{other}` means"),
            };
            if !runs {
                continue;
            }
            let expanded = |text: &Value| {
                let text = text.as_str().unwrap().replace("${{ github.token }}", TOKEN);
                let text = text.replace("${{ github.event.number }}", "7");
                // A test that fails does not take as long.
                let text = text.replace("--wait 15m", "--wait 1m");
                assert!(!text.contains("${{"), "{text}");
                text
            };
            let own = step.get("env").and_then(Value::as_object).into_iter().flatten();
            let own: Vec<(String, String)> = own.map(|(name, value)| (name.clone(), expanded(value))).collect();
            let mut variables = vec![("GITHUB_ACTIONS", "true"), ("GITHUB_SERVER_URL", server.as_str())];
            variables.extend(own.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            let script = expanded(&step["run"]);
            let done = self.run(&script, &variables);
            failed |= done.code != 0 && step.get("continue-on-error") != Some(&Value::Bool(true));
            ran.push((script, done));
        }
        ran
    }

    /// The lines of a GitLab job: those of `script` in one shell, those of `after_script` in another.
    fn lines(&self, job: &Value, part: &str) -> Ran {
        let lines: Vec<&str> = job[part].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        let server = self.forge.url();
        let host = job["variables"]["GITLAB_HOST"].as_str().unwrap_or_default().replace("$CI_SERVER_URL", &server);
        let variables = [
            ("GITLAB_HOST", host.as_str()),
            ("GITLAB_CI", "true"),
            ("CI_SERVER_URL", server.as_str()),
            ("CI_COMMIT_BRANCH", "main"),
            ("CI_DEFAULT_BRANCH", "main"),
            ("GITLAB_TOKEN", TOKEN),
        ];
        // A test that fails does not take as long.
        self.run(&lines.join("\n").replace("--wait 15m", "--wait 1m"), &variables)
    }

    /// The branches that were pushed.
    fn pushed(&self) -> Vec<String> {
        let heads = ["for-each-ref", "--format=%(refname:short)", "refs/heads/aifix"];
        self.sandbox.git("remote.git", &heads).lines().map(str::to_owned).collect()
    }

    /// One request asks for the one branch, as a draft; its commit is by who the recipe says.
    fn check_the_request(&self) {
        let (pushed, kept) = (self.pushed(), self.forge.kept());
        assert_eq!((pushed.len(), kept.len()), (1, 1), "{pushed:?}");
        assert_eq!((&kept[0].head, kept[0].base.as_str(), kept[0].draft), (&pushed[0], "main", true));
        let log = ["log", "-1", "--format=%an <%ae>%n%cn <%ce>", &pushed[0]];
        assert_eq!(self.sandbox.git("remote.git", &log), "aifix <aifix@example.com>\naifix <aifix@example.com>");
        let diff = self.sandbox.git("remote.git", &["diff", "--numstat", "main", &pushed[0]]);
        assert_eq!(diff, "1\t1\tapps/cart.yaml");
    }

    /// Somebody merges the fix, and goes on from there.
    fn merge(&self, more: &[&str]) {
        let branch = format!("origin/{}", self.pushed()[0]);
        self.sandbox.git("", &["clone", "-q", self.sandbox.path("remote.git").to_str().unwrap(), "desk"]);
        self.sandbox.git("desk", &["merge", "-q", "--no-ff", "-m", "Merge the fix", &branch]);
        if !more.is_empty() {
            self.sandbox.git("desk", more);
        }
        self.sandbox.git("desk", &["push", "-q", "origin", "main"]);
        self.forge.change(0, |one| one.state = "merged");
        fs::remove_dir_all(self.sandbox.path("home/.local")).unwrap();
        self.checkout();
    }

    /// Flux has applied the base branch, and the cart has run since before anybody looked. The records are gone with
    /// the runner that made them: what Flux says tells that the fix is there.
    fn heal(&mut self) {
        let applied = self.sandbox.git("remote.git", &["rev-parse", "main"]);
        let diff = self.sandbox.git("remote.git", &["diff", "-U0", "main~1", "main", "--", "apps/cart.yaml"]);
        let (_, memory) = diff.rsplit_once("memory: ").unwrap();
        let memory = memory.split_whitespace().next().unwrap();
        // The server's clock is two days behind the recording's.
        let snapshot = fs::read_to_string("src/commands/demo/snapshot.json").unwrap();
        let snapshot = snapshot.replace("2026-11-24T", "2026-11-22T");
        let mut objects: Value = serde_json::from_str::<Value>(&snapshot).unwrap()["items"].take();
        for object in objects.as_array_mut().unwrap() {
            let is_pod = object["kind"] == "Pod";
            let spec = if is_pod { "/spec/containers" } else { "/spec/template/spec/containers" };
            let Some(containers) = object.pointer_mut(spec).filter(|all| all[0]["name"] == "cart") else { continue };
            containers[0]["resources"]["limits"]["memory"] = memory.into();
            object["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "shop".into();
            object["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/namespace"] = "flux-system".into();
            object["status"] = if is_pod {
                json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T16:36:00Z"}], "containerStatuses": [
                    {"name": "cart", "ready": true, "started": true, "restartCount": 0, "image": "busybox:1.36",
                     "state": {"running": {"startedAt": "2026-11-22T16:35:59Z"}}}]})
            } else {
                json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1})
            };
        }
        let mut objects = objects.as_array().unwrap().clone();
        objects.retain(|object| object["kind"] != "Event");
        objects.push(json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1beta2", "kind": "Kustomization",
            "metadata": {"name": "shop", "namespace": "flux-system", "generation": 1},
            "spec": {"path": "./apps", "targetNamespace": "shop", "sourceRef": {"kind": "GitRepository", "name": "shop"}},
            "status": {"observedGeneration": 1, "lastAppliedRevision": format!("main@sha1:{applied}"),
                "conditions": [{"type": "Ready", "status": "True"}],
                "inventory": {"entries": [{"id": "shop_cart_apps_Deployment", "v": "v1"}]}}}));
        self.cluster = ApiServer::start(objects, "", 500);
        self.sandbox.use_kubeconfig(&shop_config(&self.cluster));
    }
}

const REVERT: [&str; 5] = ["revert", "--no-edit", "-m", "1", "HEAD"];

#[test]
fn a_job_of_github_annotates_comments_proposes_and_follows() {
    let runner = Runner::new(Plays::GitHub);
    let ran = runner.steps(&recipe("GitHub Actions, after a deployment"), "pull_request");
    assert_eq!(ran.len(), 5, "every step ran");
    let [(_, scan), (_, comment), (_, gh), (_, git), (_, propose)] = &ran[..] else { panic!() };
    assert_eq!((scan.code, gh.code, git.code), (1, 0, 0), "{}{}{}", scan.err, gh.err, git.err);
    assert!(scan.out.contains("::error "), "{}", scan.out);
    assert!(comment.out.is_empty());
    let told = fs::read_to_string(runner.sandbox.path("home/gh")).unwrap();
    let first = format!("{TOKEN} pr comment --edit-last --create-if-none --body-file comment.md 7\n");
    assert!(told.starts_with(&first) && told.contains("oom-killed"), "{told}");
    assert!(matches!(propose.code, 0 | 4 | 7), "{} {}", propose.code, propose.err);
    assert!(propose.out.contains("(opened as a draft)"), "{}{}", propose.out, propose.err);
    runner.check_the_request();

    runner.merge(&REVERT);
    let ran = runner.steps(&recipe("GitHub Actions, when a fix was merged"), "push");
    let [(_, status)] = &ran[..] else { panic!("{}", ran.len()) };
    assert_eq!(status.code, 1, "{}{}", status.out, status.err);
    assert!(status.out.starts_with("reverted  Deployment shop/cart  oom-killed\n"), "{}", status.out);
}

#[test]
fn a_job_of_github_on_a_push_writes_no_comment() {
    let runner = Runner::new(Plays::GitHub);
    let ran = runner.steps(&recipe("GitHub Actions, after a deployment"), "push");
    assert!(!ran.iter().any(|(script, _)| script.starts_with("gh ")) && !runner.sandbox.path("home/gh").exists());
    runner.check_the_request();
}

#[test]
fn a_job_of_gitlab_reports_proposes_and_follows() {
    let runner = Runner::new(Plays::GitLab);
    let jobs = recipe("GitLab CI");
    let scan = runner.lines(&jobs["aifix"], "script");
    assert_eq!(scan.code, 1, "{}", scan.err);
    let report = fs::read_to_string(runner.sandbox.path("job/aifix.xml")).unwrap();
    assert!(report.starts_with("<?xml") && report.contains("oom-killed"), "{report}");
    let propose = runner.lines(&jobs["aifix"], "after_script");
    assert!(propose.out.contains("(opened as a draft)"), "{}{}", propose.out, propose.err);
    runner.check_the_request();
    let commented = runner.lines(&jobs["aifix-comment"], "script");
    assert_eq!(commented.code, 0, "{}", commented.err);
    let told = fs::read_to_string(runner.sandbox.path("home/glab")).unwrap();
    let first = format!("{TOKEN} {} mr note main --unique --message <!-- ", runner.forge.url());
    assert!(told.starts_with(&first) && told.contains("oom-killed"), "{told}");

    runner.merge(&REVERT);
    let status = runner.lines(&jobs["aifix-status"], "script");
    assert_eq!(status.code, 1, "{}{}", status.out, status.err);
    assert!(status.out.starts_with("reverted  Deployment shop/cart  oom-killed\n"), "{}", status.out);
}

#[test]
fn a_job_that_waits_for_a_merged_fix_ends_well_when_it_has_healed() {
    for plays in [Plays::GitHub, Plays::GitLab] {
        let mut runner = Runner::new(plays);
        let jobs = recipe("GitLab CI");
        match plays {
            Plays::GitLab => drop(runner.lines(&jobs["aifix"], "after_script")),
            _ => drop(runner.steps(&recipe("GitHub Actions, after a deployment"), "push")),
        }
        runner.check_the_request();
        runner.merge(&[]);
        runner.heal();
        let status = match plays {
            Plays::GitLab => runner.lines(&jobs["aifix-status"], "script"),
            _ => runner.steps(&recipe("GitHub Actions, when a fix was merged"), "push").remove(0).1,
        };
        assert_eq!(status.code, 0, "{}{}", status.out, status.err);
        assert!(status.out.starts_with("healed  Deployment shop/cart  oom-killed\n"), "{}", status.out);
    }
}
