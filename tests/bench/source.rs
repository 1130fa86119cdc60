//! How long `propose` takes after the scan, in repositories small and large.
//!
//! `cargo bench --bench source [-- CASE...]`; kustomize and helm on `PATH`, or in
//! `AIFIX_TEST_KUSTOMIZE` and `AIFIX_TEST_HELM`. No cluster: the failure is a recorded one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark panics when it can't measure, and prints its table"
)]

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// The recorded kill: Deployment `web` of this namespace, killed at 32Mi.
const RECORDED: &str = "oom-killed";
const NAMESPACE: &str = "cat-oom-killed";
/// How often each command runs; the middle one counts.
const RUNS: usize = 3;
/// Which application of a repository is the one that fails.
const FAILING: usize = 3;

#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// One folder an application.
    Plain,
    /// A base and two overlays an application.
    Kustomize,
    /// A chart and the values of two environments an application.
    Helm,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Flux's labels and objects say where.
    Signals,
    /// Nothing says where: every root may be it.
    Searched,
}

struct Case {
    name: &'static str,
    form: Form,
    apps: usize,
    /// Manifests an application has besides its Deployment.
    others: usize,
    /// Every application's Deployment has the same name, in a namespace of its own.
    same_names: bool,
    place: Place,
    /// Seconds after the scan.
    mark: f64,
}

const CASES: [Case; 8] = [
    case("plain-100", Form::Plain, 10, 9, false, Place::Searched, 1.0),
    case("kustomize-100", Form::Kustomize, 5, 14, false, Place::Searched, 2.0),
    case("kustomize-100-signals", Form::Kustomize, 5, 14, false, Place::Signals, 2.0),
    case("kustomize-100-namesakes", Form::Kustomize, 5, 14, true, Place::Searched, 2.0),
    case("helm-100", Form::Helm, 5, 15, false, Place::Searched, 2.0),
    case("kustomize-5000", Form::Kustomize, 100, 44, false, Place::Searched, 30.0),
    case("kustomize-5000-signals", Form::Kustomize, 100, 44, false, Place::Signals, 2.0),
    case("kustomize-5000-namesakes", Form::Kustomize, 100, 44, true, Place::Searched, 30.0),
];

const fn case(
    name: &'static str,
    form: Form,
    apps: usize,
    others: usize,
    same_names: bool,
    place: Place,
    mark: f64,
) -> Case {
    Case { name, form, apps, others, same_names, place, mark }
}

fn main() -> ExitCode {
    let only: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let mut missed = 0;
    println!("| case | files | roots | scan s | propose s | after the scan s | one render s | renders | mark s |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for case in CASES.iter().filter(|case| only.is_empty() || only.iter().any(|name| name == case.name)) {
        missed += usize::from(!case.measure());
    }
    println!("{missed} marks missed");
    ExitCode::from(u8::from(missed > 0))
}

impl Case {
    /// Prints one row; answers whether the mark holds.
    fn measure(&self) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        let files = self.files();
        repository(folder.path(), &files);
        let from = folder.path().join("recorded");
        self.record(&from, &format!("file://{}/remote.git", folder.path().display()));
        let from = from.to_str().unwrap();

        let scan = middle(|| aifix(&work, &["scan", "-o", "json", "--from", from], 1).0);
        let mut report = Value::Null;
        let propose = middle(|| {
            let (seconds, answer) = aifix(&work, &["propose", "deployment/web", "-o", "json", "--from", from], 0);
            report = answer;
            seconds
        });
        let proposal = &report["proposals"][0];
        assert_eq!(proposal["edits"][0]["file"], self.edited(), "{report:#}");
        let after = (propose - scan).max(0.0);
        let render = middle(|| self.render(&work).map_or(0.0, timed));
        println!(
            "| {} | {} | {} | {scan:.2} | {propose:.2} | {after:.2} | {render:.2} | {} | {} {} |",
            self.name,
            files.len(),
            self.roots(),
            proposal["proof"]["renders"],
            self.mark,
            if after < self.mark { "holds" } else { "missed" },
        );
        after < self.mark
    }

    fn roots(&self) -> usize {
        if self.form == Form::Plain { self.apps } else { self.apps * 2 }
    }

    /// One render of the failing root by its tool.
    fn render(&self, work: &Path) -> Option<Command> {
        let folder = work.join(format!("apps/{FAILING:03}"));
        let tool =
            |name: &str, otherwise: &str| Command::new(std::env::var_os(name).unwrap_or_else(|| otherwise.into()));
        let mut command = match self.form {
            Form::Plain => return None,
            Form::Kustomize => tool("AIFIX_TEST_KUSTOMIZE", "kustomize"),
            Form::Helm => tool("AIFIX_TEST_HELM", "helm"),
        };
        match self.form {
            Form::Helm => command.args(["template", "web", ".", "-f", "values-prod.yaml"]),
            _ => command.args(["build", "overlays/prod"]),
        };
        command.current_dir(folder);
        Some(command)
    }

    /// The folder that Flux is told.
    fn root(&self) -> String {
        let overlay = if self.form == Form::Kustomize { "/overlays/prod" } else { "" };
        format!("apps/{FAILING:03}{overlay}")
    }

    fn edited(&self) -> String {
        let name = match self.form {
            Form::Plain => "web.yaml",
            Form::Kustomize => "limits.yaml",
            Form::Helm => "values-prod.yaml",
        };
        format!("{}/{name}", self.root())
    }

    fn files(&self) -> Vec<(String, String)> {
        (0..self.apps).flat_map(|n| self.app(n)).collect()
    }

    fn app(&self, n: usize) -> Vec<(String, String)> {
        let folder = format!("apps/{n:03}");
        let namespace = if n == FAILING { NAMESPACE.to_owned() } else { format!("team-{n:03}") };
        let name = if n == FAILING || self.same_names { "web".to_owned() } else { format!("web-{n:03}") };
        let base = match self.form {
            Form::Plain => folder.clone(),
            Form::Kustomize => format!("{folder}/base"),
            Form::Helm => format!("{folder}/templates"),
        };
        let own = if self.form == Form::Plain { format!("\n  namespace: {namespace}") } else { String::new() };
        let memory = match self.form {
            Form::Plain => "32Mi",
            Form::Kustomize => "128Mi",
            Form::Helm => "{{ .Values.memory }}",
        };
        let mut files = vec![(format!("{base}/web.yaml"), deployment(&name, &own, memory))];
        for other in 0..self.others {
            let text = format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings-{other:02}{own}\ndata:\n  \
                 level: info\n  number: \"{n}\"\n"
            );
            files.push((format!("{base}/settings-{other:02}.yaml"), text));
        }
        match self.form {
            Form::Plain => {}
            Form::Kustomize => {
                let names = files.iter().fold(String::new(), |mut all, (path, _)| {
                    let _ = writeln!(all, "- {}", path.rsplit('/').next().unwrap());
                    all
                });
                files.push((format!("{base}/kustomization.yaml"), format!("resources:\n{names}")));
                for (overlay, namespace) in [("prod", namespace.clone()), ("staging", format!("{namespace}-staging"))] {
                    let text =
                        format!("namespace: {namespace}\nresources:\n- ../../base\npatches:\n- path: limits.yaml\n");
                    files.push((format!("{folder}/overlays/{overlay}/kustomization.yaml"), text));
                    files.push((format!("{folder}/overlays/{overlay}/limits.yaml"), limits(&name)));
                }
            }
            Form::Helm => {
                let chart = format!("apiVersion: v2\nname: app-{n:03}\nversion: 0.1.0\n");
                files.push((format!("{folder}/Chart.yaml"), chart));
                for (file, memory) in [("values", "128Mi"), ("values-prod", "32Mi"), ("values-staging", "64Mi")] {
                    files.push((format!("{folder}/{file}.yaml"), format!("memory: {memory}\n")));
                }
            }
        }
        files
    }

    /// The recorded objects, with Flux's labels and objects when they say where.
    fn record(&self, to: &Path, url: &str) {
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(RECORDED);
        fs::create_dir(to).unwrap();
        for file in ["logs.txt", "taken-at"] {
            fs::copy(recorded.join(file), to.join(file)).unwrap();
        }
        let mut objects: Value = serde_json::from_slice(&fs::read(recorded.join("objects.json")).unwrap()).unwrap();
        if self.place == Place::Signals {
            let items = objects["items"].as_array_mut().unwrap();
            let web = items.iter_mut().find(|one| one["kind"] == "Deployment").unwrap();
            web["metadata"]["labels"] = json!({
                "kustomize.toolkit.fluxcd.io/name": "web", "kustomize.toolkit.fluxcd.io/namespace": NAMESPACE,
            });
            items.extend(flux(url, &self.root()));
        }
        fs::write(to.join("objects.json"), objects.to_string()).unwrap();
    }
}

fn flux(url: &str, path: &str) -> [Value; 2] {
    let ready = json!([{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": "2026-11-22T16:35:49Z"}]);
    [
        json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "web", "namespace": NAMESPACE},
            "spec": {"url": url, "ref": {"branch": "main"}, "interval": "1m"}, "status": {"conditions": ready}}),
        json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "web", "namespace": NAMESPACE},
            "spec": {"sourceRef": {"kind": "GitRepository", "name": "web"}, "path": path, "prune": true, "interval": "1m"},
            "status": {"conditions": ready, "inventory": {"entries": [{"id": format!("{NAMESPACE}_web_apps_Deployment"), "v": "v1"}]}}}),
    ]
}

fn deployment(name: &str, own: &str, memory: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}{own}\nspec:\n  replicas: 1\n  \
         selector:\n    matchLabels: {{app: web}}\n  template:\n    metadata:\n      labels: {{app: web}}\n    spec:\n      \
         terminationGracePeriodSeconds: 2\n      containers:\n        - name: app\n          image: busybox:1.36\n          \
         imagePullPolicy: IfNotPresent\n          command: [\"sh\", \"-c\", \"echo starting; tail /dev/zero\"]\n          \
         resources:\n            limits:\n              memory: {memory}\n"
    )
}

fn limits(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      containers:\n      \
         - name: app\n        resources:\n          limits:\n            memory: 32Mi\n"
    )
}

/// A bare remote with these files on `main`, and a clone of it.
fn repository(folder: &Path, files: &[(String, String)]) {
    let work = folder.join("work");
    let git = |args: &[&str]| {
        let output = command("git", &work).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    fs::create_dir(&work).unwrap();
    git(&["init", "-q", "--bare", "-b", "main", "../remote.git"]);
    git(&["init", "-q", "-b", "main"]);
    for (path, text) in files {
        let path = work.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    git(&["remote", "add", "origin", &format!("file://{}/remote.git", folder.display())]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "Add manifests"]);
    git(&["push", "-q", "origin", "main"]);
}

/// A command without the caller's Git configuration, with the renderers on `PATH`.
fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for name in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{name}_NAME"), "Ada").env(format!("GIT_{name}_EMAIL"), "ada@example.com");
    }
    let folders: Vec<PathBuf> = ["AIFIX_TEST_KUSTOMIZE", "AIFIX_TEST_HELM"]
        .iter()
        .filter_map(|name| Some(PathBuf::from(std::env::var_os(name)?).parent()?.to_owned()))
        .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap()))
        .collect();
    command.env("PATH", std::env::join_paths(folders).unwrap()).env("AIFIX_STATE_DIR", folder.join("../state"));
    command
}

/// Seconds and answer of one run, which must end with this code.
fn aifix(folder: &Path, args: &[&str], code: i32) -> (f64, Value) {
    let began = Instant::now();
    let output = command(env!("CARGO_BIN_EXE_aifix"), folder).args(args).output().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{}", String::from_utf8_lossy(&output.stderr));
    (seconds, serde_json::from_str(&out).unwrap())
}

fn timed(mut command: Command) -> f64 {
    let began = Instant::now();
    assert!(command.output().unwrap().status.success(), "{command:?}");
    began.elapsed().as_secs_f64()
}

/// The middle of some runs.
fn middle(mut run: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..RUNS).map(|_| run()).collect();
    all.sort_by(f64::total_cmp);
    all[RUNS / 2]
}
