//! A thousand planted secrets: none is sent, stored, printed or pushed.

mod rendered;
mod shapes;

use crate::forge_server::{ForgeServer, Plays};
use crate::harness::{Ran, Sandbox, recorded};
use crate::model_server::{Act, ModelServer};
use serde_json::{Value, json};
use shapes::{COUNT, Letters, planted};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// Where secrets are planted; those of Git's copy of a live place are the same.
#[derive(Clone, Copy)]
enum Place {
    Variable,
    NamedVariable,
    Argument,
    Script,
    Annotation,
    TemplateAnnotation,
    LastApplied,
    Header,
    PodAnnotation,
    PodMessage,
    Terminated,
    Waiting,
    Condition,
    Event,
    PodEvent,
    LogBefore,
    LogNow,
    Comment,
    OtherDocument,
    SecretText,
    SecretData,
    CommitMessage,
    BrokenFile,
    Answer,
    ServerError,
    ForgeError,
    Guidance,
    InitScript,
    InitVariable,
    InitTerminated,
    InitLog,
    Remote,
    Kubeconfig,
    Plugin,
    Rendered,
    Values,
    Generated,
    Example,
}

/// Some of the shapes in every place.
struct Planting {
    shapes: Vec<usize>,
    secrets: BTreeSet<String>,
}

impl Planting {
    /// The planted texts of a place.
    fn texts(&mut self, place: Place) -> Vec<String> {
        let one = |shape: &usize| planted(*shape, &mut Letters::of(*shape, place as usize));
        let (texts, secrets): (Vec<String>, Vec<String>) = self.shapes.iter().map(one).unzip();
        self.secrets.extend(secrets);
        texts
    }

    fn line(&mut self, place: Place) -> String {
        self.texts(place).join(" | ")
    }

    /// Variables of a container; the names of some say secret, their text is of no known shape.
    fn variables(&mut self) -> Vec<Value> {
        let plain = self.texts(Place::Variable).into_iter().enumerate();
        let mut out: Vec<Value> = plain.map(|(n, text)| json!({"name": format!("V{n}"), "value": text})).collect();
        for (n, shape) in self.shapes.clone().into_iter().enumerate() {
            let secret = planted(shape, &mut Letters::of(shape, Place::NamedVariable as usize)).1;
            self.secrets.insert(secret.clone());
            out.push(json!({"name": format!("DB{n}_PASSWORD"), "value": secret}));
        }
        out
    }

    /// A container as it is live and in Git.
    fn container(&mut self) -> Value {
        let headers = self.texts(Place::Header).into_iter().enumerate();
        let headers: Vec<Value> = headers.map(|(n, text)| json!({"name": format!("H{n}"), "value": text})).collect();
        json!({
            "name": "app", "image": "busybox:1.36", "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", format!("echo starting; : {}; tail /dev/zero", self.line(Place::Script))],
            "args": self.texts(Place::Argument),
            "env": self.variables(),
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080, "httpHeaders": headers}},
            "resources": {"limits": {"memory": "32Mi"}},
        })
    }

    /// A container that ran before it, as it is live and in Git.
    fn init_container(&mut self) -> Value {
        let texts = self.texts(Place::InitVariable).into_iter().enumerate();
        let env: Vec<Value> = texts.map(|(n, text)| json!({"name": format!("I{n}"), "value": text})).collect();
        let script = format!("echo ready; : {}", self.line(Place::InitScript));
        json!({"name": "setup", "image": "busybox:1.36", "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", script], "env": env})
    }

    fn annotations(&mut self, place: Place) -> Value {
        let texts = self.texts(place).into_iter().enumerate();
        Value::Object(texts.map(|(n, text)| (format!("example.com/a{n}"), Value::String(text))).collect())
    }

    /// The recorded memory kill with secrets in every place that a cluster has.
    fn record(&mut self, sandbox: &Sandbox) -> String {
        let from = recorded("oom-killed");
        let read = |name: &str| std::fs::read_to_string(Path::new(&from).join(name)).unwrap();
        let mut objects: Value = serde_json::from_str(&read("objects.json")).unwrap();
        let (container, init) = (self.container(), self.init_container());
        for object in objects["items"].as_array_mut().unwrap() {
            match object["kind"].as_str().unwrap() {
                "Deployment" => {
                    merge(&mut object["metadata"]["annotations"], self.annotations(Place::Annotation));
                    let variable = json!({"name": "DB_PASSWORD", "value": self.line(Place::LastApplied)});
                    let applied = json!({"spec": {"containers": [{"name": "app", "env": [variable]}]}}).to_string();
                    object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
                        json!(applied);
                    object["status"]["conditions"][1]["message"] = json!(self.line(Place::Condition));
                    let template = &mut object["spec"]["template"];
                    template["metadata"]["annotations"] = self.annotations(Place::TemplateAnnotation);
                    merge(&mut template["spec"]["containers"][0], container.clone());
                    template["spec"]["initContainers"] = json!([init]);
                }
                "ReplicaSet" => {
                    merge(&mut object["spec"]["template"]["spec"]["containers"][0], container.clone());
                    object["spec"]["template"]["spec"]["initContainers"] = json!([init]);
                }
                "Pod" => {
                    merge(&mut object["spec"]["containers"][0], container.clone());
                    object["spec"]["initContainers"] = json!([init]);
                    let ended = json!({"exitCode": 0, "reason": "Completed", "message": self.line(Place::InitTerminated),
                        "startedAt": "2026-11-22T16:35:49Z", "finishedAt": "2026-11-22T16:35:50Z"});
                    object["status"]["initContainerStatuses"] =
                        json!([{"name": "setup", "ready": true, "restartCount": 0, "state": {"terminated": ended}}]);
                    object["metadata"]["annotations"] = self.annotations(Place::PodAnnotation);
                    object["status"]["message"] = json!(self.line(Place::PodMessage));
                    let status = &mut object["status"]["containerStatuses"][0];
                    status["lastState"]["terminated"]["message"] = json!(self.line(Place::Terminated));
                    if let Some(waiting) = status["state"].get_mut("waiting") {
                        waiting["message"] = json!(self.line(Place::Waiting));
                    }
                }
                "Event" => {
                    let is_pod = object["involvedObject"]["kind"] == "Pod";
                    let line = self.line(if is_pod { Place::PodEvent } else { Place::Event });
                    object["message"] = json!(format!("{} {line}", object["message"].as_str().unwrap()));
                }
                _ => {}
            }
        }
        sandbox.write("recorded/objects.json", &objects.to_string());
        sandbox.write("recorded/taken-at", &read("taken-at"));
        let at = "2026-11-22T16:46:43.088638526Z";
        let log = |texts: Vec<String>| {
            texts.iter().fold(String::new(), |mut out, text| {
                let _ = writeln!(out, "{at} marker {text}");
                out
            })
        };
        let pod = "== pod/web-6b46dcddd9-lt8jr container=app";
        let (now, before) = (log(self.texts(Place::LogNow)), log(self.texts(Place::LogBefore)));
        let init = log(self.texts(Place::InitLog));
        let init = format!("{} current\n{init}", pod.replace("=app", "=setup"));
        sandbox.write("recorded/logs.txt", &format!("{pod} current\n{now}{pod} --previous\n{before}{init}"));
        sandbox.path("recorded").to_str().unwrap().to_owned()
    }

    /// The same Deployment in Git, with a comment on every line around the limit, beside a ConfigMap and a
    /// Secret.
    fn manifest(&mut self) -> String {
        let mut out = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  namespace: cat-oom-killed\nstringData:\n  a: {}\n",
            json!(self.line(Place::SecretText))
        );
        let encoded = planted(self.shapes[0], &mut Letters::of(self.shapes[0], Place::SecretData as usize)).1;
        self.secrets.insert(encoded.clone());
        let _ = write!(
            out,
            "data:\n  b: {encoded}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  namespace: cat-oom-killed\ndata:\n"
        );
        for (n, text) in self.texts(Place::OtherDocument).into_iter().enumerate() {
            let _ = writeln!(out, "  k{n}: {}", json!(text));
        }
        let (container, init) = (self.container(), self.init_container());
        let (annotations, template) =
            (self.annotations(Place::Annotation), self.annotations(Place::TemplateAnnotation));
        let _ = write!(
            out,
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: cat-oom-killed\n  annotations: \
             {annotations}\nspec:\n  replicas: 1\n  selector:\n    matchLabels: {{app: web}}\n  template:\n    metadata:\n      \
             labels: {{app: web}}\n      annotations: {template}\n    spec:\n      terminationGracePeriodSeconds: 2\n      \
             initContainers:\n      - {init}\n      containers:\n      - name: app\n"
        );
        for (key, value) in container
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "name" | "resources" | "env"))
        {
            let _ = writeln!(out, "        {key}: {value}");
        }
        out.push_str("        env:\n");
        for variable in container["env"].as_array().unwrap() {
            let _ = writeln!(out, "        - name: {}\n          value: {}", variable["name"], variable["value"]);
        }
        let comments = self.texts(Place::Comment);
        let _ = writeln!(out, "        # {}", comments.join(" "));
        let _ = writeln!(out, "        resources:\n          limits:\n            memory: 32Mi # {}", comments[0]);
        for comment in &comments {
            let _ = writeln!(out, "        # {comment}");
        }
        out
    }
}

fn merge(into: &mut Value, from: Value) {
    let Value::Object(from) = from else { return };
    from.into_iter().for_each(|(key, value)| into[key] = value);
}

/// Everything that left, each with where it was seen.
#[derive(Default)]
struct Left(Vec<(String, Vec<u8>)>);

impl Left {
    fn note(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.into(), bytes.into()));
    }

    fn ran(&mut self, name: &str, ran: &Ran) {
        self.note(format!("stdout of {name}"), ran.out.as_str());
        self.note(format!("stderr of {name}"), ran.err.as_str());
    }

    fn files(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.files(&path);
            } else {
                self.note(path.display().to_string(), std::fs::read(&path).unwrap());
            }
        }
    }

    /// `place: secret` for everything that was seen.
    fn seen(&self, secrets: &BTreeSet<String>) -> Vec<String> {
        let holds = |text: &str| secrets.iter().filter(|secret| text.contains(&***secret)).cloned().collect::<Vec<_>>();
        let seen = |(name, bytes): &(String, Vec<u8>)| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            holds(&text)
                .into_iter()
                .map(|secret| {
                    let at = text.find(&secret).unwrap();
                    let line: String =
                        text[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
                    format!("{name}: ...{line}[{secret}]")
                })
                .collect::<Vec<_>>()
        };
        self.0.iter().flat_map(seen).collect()
    }

    fn masks(&self) -> usize {
        self.0.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).matches("<secret:").count()).sum()
    }
}

fn run(sandbox: &Sandbox, args: &[&str]) -> Ran {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.env("GIT_SSH_COMMAND", sandbox.path("bin/ssh")).env("AIFIX_FORGE_TOKEN", "t0p-s3cret");
    Ran::of(&command.args(args).current_dir(sandbox.path("work")).output().unwrap())
}

const LIMIT: &str = "spec.template.spec.containers[app].resources.limits.memory";

/// What a model says that repeats all that it should never have seen.
fn echoes(planting: &mut Planting) -> Vec<Act> {
    let line = planting.line(Place::Answer);
    let story = json!({"sentences": [{"text": format!("It was ended by {line}."), "evidence": [1]},
                                     {"text": "It was ended.", "evidence": [1]}]});
    let wild = json!({"path": LIMIT, "old": "32Mi", "new": line, "evidence": [1], "reason": line});
    let tame = json!({"path": LIMIT, "old": "32Mi", "new": "64Mi", "evidence": [1], "reason": line});
    [story, wild, tame].map(|answer| Act::Say(answer.to_string())).to_vec()
}

/// Plants these shapes everywhere, runs every command that sends, stores, prints or pushes, and returns how
/// many secrets were planted.
fn check(shapes: Vec<usize>) -> BTreeSet<String> {
    let mut planting = Planting { shapes, secrets: BTreeSet::new() };
    let (manifest, mut left) = (planting.manifest(), Left::default());
    let forge = ForgeServer::start(Plays::GitHub);
    let guidance = planting.texts(Place::Guidance).join("\n");
    let files = [("k8s/web.yaml", manifest.as_str()), (".aifix/guidance.md", guidance.as_str())];
    let sandbox = crate::forge::sandbox_of(&forge, &files);
    let message = planting.texts(Place::CommitMessage).join("\n");
    sandbox.git("work", &["commit", "-q", "--allow-empty", "-m", &format!("Tune it\n\n{message}")]);
    sandbox.git("work", &["push", "-q", sandbox.path("remote.git").to_str().unwrap(), "main"]);
    let from = planting.record(&sandbox);
    let [story, wild, tame] = echoes(&mut planting).try_into().unwrap();

    for format in ["text", "json", "sarif", "junit", "github", "markdown", "html"] {
        left.ran(&format!("scan -o {format}"), &run(&sandbox, &["scan", "--all", "--from", &from, "-o", format]));
    }
    let teller = ModelServer::start(&[story]);
    for format in ["text", "json"] {
        let args = ["explain", "deploy/web", "--from", &from, "-o", format, "--llm-url", &teller.url()];
        left.ran(&format!("explain -o {format}"), &run(&sandbox, &args).exits(0));
    }
    let fixer = ModelServer::start(&[wild.clone(), tame.clone(), wild, tame]);
    let propose = ["propose", "deployment/web", "--from", &from, "--llm", "always", "--llm-url", &fixer.url()];
    let shown = run(&sandbox, &[&propose[..], &["--show-prompt"]].concat()).exits(0);
    left.ran("propose --show-prompt", &shown);
    left.ran("propose -o json", &run(&sandbox, &[&propose[..], &["-o", "json"]].concat()).exits(0));
    let pushed = run(&sandbox, &[&propose[..], &["--push", "--yes=review", "--pr"]].concat()).exits(0);
    left.ran("propose --push --pr", &pushed);
    left.ran("snapshot", &run(&sandbox, &["snapshot", "--from", &from, "-o", "saved"]));
    left.files(&sandbox.path("work/saved"));

    let error: &'static str = Box::leak(planting.line(Place::ServerError).into_boxed_str());
    let failing = ModelServer::start(&[Act::Fail(400, "", error)]);
    let args = ["propose", "deployment/web", "--from", &from, "--llm", "always", "--llm-url", &failing.url()];
    left.ran("a failing model", &run(&sandbox, &args));
    for kept in forge.kept() {
        left.note("pull request", format!("{}\n{}", kept.title, kept.body));
    }
    assert_eq!(forge.kept().len(), 1, "{}", pushed.err);
    let error: &'static str =
        Box::leak(json!({"message": planting.line(Place::ForgeError)}).to_string().into_boxed_str());
    forge.rule("POST", "/pulls", 9, crate::forge_server::Act::Answer(422, "", error));
    left.ran("a failing forge", &run(&sandbox, &[&propose[..], &["--push", "--yes=review", "--pr"]].concat()));
    for (n, request) in [teller.seen(), fixer.seen(), failing.seen()].concat().into_iter().enumerate() {
        left.note(format!("request {n}"), format!("{}\n{}", request.head, request.text()));
    }
    for branch in sandbox.git("remote.git", &["for-each-ref", "--format=%(refname)", "refs/heads/aifix"]).lines() {
        left.note("commit message", sandbox.git("remote.git", &["log", "-1", "--format=%B", branch]));
    }
    left.ran("audit list", &run(&sandbox, &["audit", "list", "-o", "json"]).exits(0));
    left.files(&sandbox.path("state"));

    let broken = planting.texts(Place::BrokenFile).join("\n  ");
    sandbox.write("work/k8s/web.yaml", &format!("kind: [\n  {broken}\n{manifest}"));
    sandbox.git("work", &["commit", "-qam", "Break it"]);
    sandbox.git("work", &["push", "-q", sandbox.path("remote.git").to_str().unwrap(), "main"]);
    left.ran("a broken file", &run(&sandbox, &["propose", "deployment/web", "--from", &from]));

    credentials(&mut planting, &sandbox, &from, &mut left);
    left.files(&sandbox.path("state"));

    let seen = left.seen(&planting.secrets);
    assert!(seen.is_empty(), "{} seen, of shapes {:?}:\n{}", seen.len(), planting.shapes, seen.join("\n"));
    // The surroundings did leave: it was the secrets that were taken out.
    assert!(left.masks() > 100, "{}", left.masks());
    let sent = fixer.seen().iter().map(crate::model_server::Seen::text).collect::<String>();
    assert!(sent.matches("marker ").count() >= planting.shapes.len(), "{sent}");
    assert!(sent.contains("The repository's guidance"), "{sent}");
    planting.secrets
}

/// Credentials of the clone's remote and of the kubeconfig, where nothing answers: each failure is printed.
fn credentials(planting: &mut Planting, sandbox: &Sandbox, from: &str, left: &mut Left) {
    // Of no known shape: only where they stand tells what they are.
    let secret =
        |n: usize, place: Place| planted(4, &mut Letters::of(planting.shapes[0] + n * COUNT, place as usize)).1;
    let remote = secret(0, Place::Remote);
    let [token, password, broken] = [0, 1, 2].map(|n| secret(n, Place::Kubeconfig));
    let url = format!("https://ada:{remote}@127.0.0.1:1/acme/shop.git");
    sandbox.git("work", &["remote", "set-url", "origin", &url]);
    let report = ["propose", "deployment/web", "--from", from, "-o", "json"];
    let ran = run(sandbox, &report);
    assert_ne!(ran.code, 0, "nothing listens there");
    left.ran("a remote with a password", &ran);
    left.ran("a scan of it", &run(sandbox, &["scan", "--source", "--from", from]));
    // A plugin that prints what it should not.
    let says = sandbox.write("says", &planting.texts(Place::Plugin).join("\n"));
    let plugin = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": "Never",
        "args": ["-c", format!("cat {} >&2; exit 1", says.display())]});
    for (name, user) in [
        ("a token", json!({"token": token})),
        ("a password", json!({"username": "ada", "password": password})),
        ("a broken key", json!({"client-certificate-data": "x", "client-key-data": broken})),
        ("a plugin", json!({"exec": plugin})),
    ] {
        let cluster = json!({"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": true});
        let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
            "clusters": [{"name": "lab", "cluster": cluster}], "users": [{"name": "me", "user": user}]});
        for (how, text) in [("", config.to_string()), (" in a broken file", format!("{config}]"))] {
            let file = sandbox.write("kubeconfig", &text);
            for words in [&["scan"][..], &["doctor"][..]] {
                let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
                command.env("KUBECONFIG", &file).args(words).current_dir(sandbox.path("work"));
                let ran = Ran::of(&command.output().unwrap());
                assert_ne!(ran.code, 0, "no cluster is there: {}", ran.out);
                left.ran(&format!("{words:?} with {name}{how}"), &ran);
            }
        }
    }
    planting.secrets.extend([remote, token, password, broken]);
}

#[test]
fn an_example_of_an_accepted_fix_tells_no_secret() {
    let sandbox = Sandbox::new();
    let from = recorded("oom-killed");
    sandbox.repository(&[("k8s/web.yaml", &crate::harness::oom_manifest())]);
    let mut planting = Planting { shapes: (0..COUNT).step_by(4).collect(), secrets: BTreeSet::new() };
    let line = planting.line(Place::Example);
    let field = |name: &str| json!({"field": name});
    let path = json!([field("spec"), field("template"), field("spec"), field("containers"),
        {"item": {"key": "name", "value": "app"}}, field("args")]);
    let intent = json!({
        "object": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "cat-oom-killed", "name": "web"},
        "edits": [{"path": path, "op": "add", "new": [line]}],
        "subject": "Tell it more", "why": "because", "evidence": [1], "author": "person", "disposition": "review"});
    let file = sandbox.write("intent.json", &intent.to_string());
    let propose = ["propose", "deployment/web", "--from", &from];
    let given = ["--intent", file.to_str().unwrap(), "--push", "--yes=review"];
    sandbox.aifix_in("work", &[&propose[..], &given].concat()).exits(0);
    let server = ModelServer::start(&[Act::Say(crate::model_server::edit("none", "", ""))]);
    let url = server.url();
    let asked = ["--llm", "always", "--llm-url", &url];
    sandbox.aifix_in("work", &[&propose[..], &asked].concat());
    let mut left = Left::default();
    for seen in server.seen() {
        assert!(seen.user().contains("Fixes that were accepted here before"), "{}", seen.user());
        assert!(seen.user().contains("oom-killed of Deployment: "), "{}", seen.user());
        left.note("request", seen.text());
    }
    left.files(&sandbox.path("state"));
    let seen = left.seen(&planting.secrets);
    assert!(!server.seen().is_empty() && seen.is_empty(), "{}", seen.join("\n"));
}

#[test]
fn none_of_a_thousand_secrets_leaves() {
    let all: Vec<usize> = (0..COUNT).collect();
    let batches: Vec<BTreeSet<String>> = std::thread::scope(|scope| {
        let running: Vec<_> = all.chunks(10).map(|shapes| scope.spawn(|| check(shapes.to_vec()))).collect();
        running.into_iter().map(|batch| batch.join().unwrap()).collect()
    });
    let planted: usize = batches.iter().map(BTreeSet::len).sum();
    assert!(planted >= 1_000, "{planted}");
}

#[test]
fn what_is_asked_for_is_removed_too_and_nothing_else_is() {
    let sandbox = Sandbox::new();
    let from = recorded("image-registry-unreachable.refused");
    let text = std::fs::read_to_string(Path::new(&from).join("objects.json")).unwrap();
    sandbox.write(
        "recorded/objects.json",
        &text.replace("connection refused", "connection refused, ask ada@shop.example.com"),
    );
    sandbox.write("recorded/taken-at", &std::fs::read_to_string(Path::new(&from).join("taken-at")).unwrap());
    let scan =
        |more: &[&str]| sandbox.aifix(&[&["scan", "--from", "recorded", "-o", "json"], more].concat()).exits(1).out;
    let plain = scan(&[]);
    assert!(plain.contains("dial tcp 127.0.0.1:5999") && plain.contains("ask ada@shop.example.com"), "{plain}");
    let both = scan(&["--redact", "emails,addresses"]);
    assert!(both.contains("dial tcp <address:1>:5999") && both.contains("ask <email:1>"), "{both}");
    sandbox.write("home/.config/aifix/config.toml", "[redact]\nalso = ['addresses']\n");
    let one = scan(&[]);
    assert!(one.contains("dial tcp <address:1>:5999") && one.contains("ask ada@shop.example.com"), "{one}");
}
