//! Charts that lie packed in others, and who else would be asked by a renderer.

use super::harness::{Sandbox, oom_manifest, recorded};
use super::loopback::Loopback;
use super::source::{helms, in_memory, tools};
use aifix::doors::files::{self, Scratch};
use aifix::model::proposal::Tool;
use aifix::model::tree::{Entry, Tree};
use aifix::render::{Overlay, Release, Root, Stop, Tools, Values, Workbench};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const PARENT: [(&str, &str); 3] = [
    (
        "c/Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- {name: redis, version: 1.0.0, repository: 'https://charts.example.com'}\n",
    ),
    ("c/values.yaml", "redis:\n  level: of-the-parent\n"),
    ("c/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
];

const INNER: [(&str, &str); 3] = [
    ("redis/Chart.yaml", "apiVersion: v2\nname: redis\nversion: 1.0.0\n"),
    ("redis/values.yaml", "level: its-own\n"),
    (
        "redis/templates/b.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {LEVEL: {{ .Values.level }}}\n",
    ),
];

/// What `helm package` makes of a chart with these files.
fn package(files: &[(&str, &[u8])]) -> Vec<u8> {
    let scratch = Scratch::new().unwrap();
    for (path, bytes) in files {
        files::write_scratch(&scratch.path().join(path), bytes).unwrap();
    }
    let output = Command::new(&helms()[0].1)
        .args(["package", "redis"])
        .current_dir(scratch.path())
        .env("HOME", scratch.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    files::read(&scratch.path().join("redis-1.0.0.tgz")).unwrap()
}

/// The inner chart with further files, packed.
fn packed(more: &[(&str, &str)]) -> Vec<u8> {
    let all: Vec<(&str, &[u8])> = INNER.iter().chain(more).map(|(path, text)| (*path, text.as_bytes())).collect();
    package(&all)
}

fn with(archive: Vec<u8>) -> Tree {
    let mut tree = in_memory(&PARENT);
    tree.entries.insert("c/charts/redis-1.0.0.tgz".to_owned(), Entry::File(Arc::from(archive)));
    tree
}

async fn render(tree: &Tree, tools: &Tools) -> Result<Vec<Value>, Stop> {
    Workbench::new(tree, &Root::chart("c", Release::default()), tools)?.render(&Overlay::new()).await
}

async fn refused(tree: &Tree) -> (&'static str, String) {
    match render(tree, &tools()).await {
        Err(Stop::Refused(refusal)) => (refusal.code, refusal.message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_packed_chart_renders_as_it_was_packed() {
    let tree = with(packed(&[]));
    for (name, helm) in helms() {
        let objects = render(&tree, &Tools::new(None, None, Some(helm))).await.unwrap();
        let inner = objects.iter().find(|object| object["metadata"]["name"] == "b").unwrap();
        assert_eq!(inner["data"]["LEVEL"], "of-the-parent", "{name}");
    }
    // Where a link leads to it, too.
    let mut tree = in_memory(&PARENT);
    tree.entries.insert("vendor/blob".to_owned(), Entry::File(Arc::from(packed(&[]))));
    tree.entries.insert("c/charts/redis-1.0.0.tgz".to_owned(), Entry::Link("../../vendor/blob".to_owned()));
    assert_eq!(render(&tree, &tools()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_refused_of_a_chart_is_refused_of_a_packed_one() {
    let server = Loopback::new();
    let to = |text: &str| text.replace("HOST", &server.address);
    let (reference, language) = (to(r#"{"$ref": "http://HOST/a"}"#), to(r#"{"$schema": "http://HOST/a"}"#));
    for (more, wanted) in [
        (("redis/values.schema.json", reference.as_str()), "remote-source"),
        (("redis/values.schema.json", language.as_str()), "remote-source"),
        (("redis/values.schema.json", r#"{"$ref": "file:///etc/hostname"}"#), "remote-source"),
        (("redis/templates/c.yaml", "a: {{ getHostByName \"localhost\" }}"), "nondeterministic"),
    ] {
        let archive = packed(&[more]);
        let (code, message) = refused(&with(archive.clone())).await;
        let place = format!("`c/charts/redis-1.0.0.tgz/{}`", &more.0["redis/".len()..]);
        assert!(code == wanted && message.contains(&place), "{code}: {message}");
        // One packed in the other is no way around.
        let nested =
            package(&[("redis/Chart.yaml", INNER[0].1.as_bytes()), ("redis/charts/redis-1.0.0.tgz", &archive)]);
        assert_eq!(refused(&with(nested)).await.0, wanted);
        // Nor is a link, whatever it leads to is called.
        let mut linked = in_memory(&PARENT);
        linked.entries.insert("vendor/blob".to_owned(), Entry::File(Arc::from(archive)));
        linked.entries.insert("c/charts/redis-1.0.0.tgz".to_owned(), Entry::Link("../../vendor/blob".to_owned()));
        assert_eq!(refused(&linked).await.0, wanted);
    }
    assert_eq!(server.hits(), 0);
    let mut broken = with(b"no archive".to_vec());
    assert_eq!(refused(&broken).await.0, "render-failed");
    broken.entries.insert("c/charts/_old.tgz".to_owned(), Entry::File(Arc::from(&b"skipped"[..])));
    broken.entries.insert("c/charts/redis-1.0.0.tgz".to_owned(), Entry::File(Arc::from(packed(&[]))));
    assert!(render(&broken, &tools()).await.is_ok());
    let looks = with(packed(&[("redis/templates/c.yaml", "{{ if lookup \"v1\" \"Secret\" \"a\" \"b\" }}x{{ end }}")]));
    let tools = tools();
    let bench = Workbench::new(&looks, &Root::chart("c", Release::default()), &tools).unwrap();
    assert!(bench.inputs().notes[0].contains("`c/charts/redis-1.0.0.tgz/templates/c.yaml`"), "{:?}", bench.inputs());
}

#[tokio::test]
async fn a_file_is_judged_by_the_name_that_helm_sees_and_by_all_of_its_bytes() {
    let chart = [("c/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"), ("c/values.yaml", "a: 1\n")];
    let schema = br#"{"$ref": "file:///etc/hostname", "title": "TITLE"}"#;
    let mark: &[u8] = b"\xef\xbb\xbf";
    let odd = String::from_utf8_lossy(schema).into_owned().into_bytes();
    let odd: Vec<u8> = odd.iter().flat_map(|byte| if *byte == b'T' { vec![0xff] } else { vec![*byte] }).collect();
    for (path, bytes, link) in [
        ("shared/schema.txt", schema.to_vec(), Some("../shared/schema.txt")),
        ("c/values.schema.json", [mark, schema].concat(), None),
        ("c/values.schema.json", odd, None),
    ] {
        let mut tree = in_memory(&chart);
        tree.entries.insert(path.to_owned(), Entry::File(Arc::from(bytes)));
        if let Some(target) = link {
            tree.entries.insert("c/values.schema.json".to_owned(), Entry::Link(target.to_owned()));
        }
        assert_eq!(refused(&tree).await.0, "remote-source", "{path}");
    }
    let mut tree = in_memory(&chart);
    let asks = b"# \xff\na: {{ getHostByName \"localhost\" }}\n";
    tree.entries.insert("c/templates/a.yaml".to_owned(), Entry::File(Arc::from(&asks[..])));
    assert_eq!(refused(&tree).await.0, "nondeterministic");
}

#[tokio::test]
async fn values_that_a_chart_runs_ask_nobody_either() {
    let runs = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {A: {{ tpl .Values.a . | quote }}}\n";
    let asks = "a: '{{ getHostByName \"localhost\" }}'\n";
    let tree = in_memory(&[
        ("c/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("c/templates/a.yaml", runs),
        ("asks.yaml", asks),
        ("asks-not.yaml", "a: '{{ .Release.Name }}'\n"),
        ("k/kustomization.yaml", "helmGlobals: {chartHome: ..}\nhelmCharts:\n- {name: c, valuesFile: ../asks.yaml}\n"),
        (
            "l/kustomization.yaml",
            "helmGlobals: {chartHome: ..}\nhelmCharts:\n- {name: c, valuesInline: {a: '{{ getHostByName 1 }}'}}\n",
        ),
    ]);
    let tools = tools().inflating(true);
    let of = async |root: Root| match Workbench::new(&tree, &root, &tools) {
        Ok(bench) => match bench.render(&Overlay::new()).await {
            Ok(_) => "",
            Err(Stop::Refused(refusal)) => refusal.code,
            Err(Stop::Failed(error)) => panic!("{error}"),
        },
        Err(refusal) => refusal.code,
    };
    let chart = |values: Values| Root::chart("c", Release { values: vec![values], ..Release::default() });
    assert_eq!(of(chart(Values::File("asks-not.yaml".to_owned()))).await, "");
    assert_eq!(of(chart(Values::File("asks.yaml".to_owned()))).await, "nondeterministic");
    assert_eq!(of(chart(Values::Fixed(asks.to_owned()))).await, "nondeterministic");
    assert_eq!(of(Root::new("k", Tool::Kustomize)).await, "nondeterministic");
    assert_eq!(of(Root::new("l", Tool::Kustomize)).await, "nondeterministic");
}

#[test]
fn a_field_that_is_made_in_a_packed_chart_is_generated() {
    let template = oom_manifest();
    let archive = packed(&[("redis/templates/web.yaml", &template)]);
    let sandbox = Sandbox::new();
    sandbox.repository(&PARENT);
    files::write_scratch(&sandbox.path("work/c/charts/redis-1.0.0.tgz"), &archive).unwrap();
    sandbox.git("work", &["add", "-A"]);
    sandbox.git("work", &["commit", "-qm", "Vendor it"]);
    sandbox.git("work", &["push", "-q", "origin", "main"]);
    let ran = sandbox.aifix_in("work", &["propose", "deployment/web", "--from", &recorded("oom-killed")]).exits(4);
    for part in ["generated", "its template is packed in `c/charts/redis-1.0.0.tgz`", "pack it again"] {
        assert!(ran.out.contains(part), "{part:?}: {}", ran.out);
    }
}

/// What a renderer does that is let loose on a folder of the sandbox.
fn loose(sandbox: &Sandbox, program: &Path, args: &[&str]) {
    let output = sandbox.command(program.to_str().unwrap()).args(args).current_dir(sandbox.path("work")).output();
    assert!(!output.unwrap().status.success(), "{args:?}");
}

#[test]
fn a_server_of_this_machine_is_never_asked() {
    let server = Loopback::new();
    let (chart, web) = ("apiVersion: v2\nname: web\nversion: 0.1.0\n", oom_manifest());
    let kustomization = "namespace: cat-oom-killed\nresources:\n- web.yaml\n";
    let schema = r#"{"properties": {"a": {"$ref": "http://HOST/schema"}}}"#;
    let inflate = "helmCharts:\n- {name: web, version: 0.1.0, repo: 'http://HOST/charts', releaseName: web}\n";
    let depends = "dependencies:\n- {name: redis, version: 1.0.0, repository: 'http://HOST/charts'}\n";
    for (files, more, code) in [
        (vec![("p/kustomization.yaml", format!("{kustomization}- http://HOST/a.yaml\n"))], &[][..], "remote-source"),
        (vec![("p/kustomization.yaml", format!("{kustomization}- http://HOST/b?ref=main\n"))], &[], "remote-source"),
        (
            vec![("p/kustomization.yaml", format!("{kustomization}components: ['git::http://HOST/c']\n"))],
            &[],
            "remote-source",
        ),
        (
            vec![("p/kustomization.yaml", format!("{kustomization}patches: [{{path: 'http://HOST/p.yaml'}}]\n"))],
            &[],
            "remote-source",
        ),
        (
            vec![("p/kustomization.yaml", format!("{kustomization}openapi: {{path: 'http://HOST/o.json'}}\n"))],
            &[],
            "remote-source",
        ),
        (vec![("p/kustomization.yaml", inflate.to_owned())], &["--enable-helm"], "remote-source"),
        (vec![("p/Chart.yaml", chart.to_owned()), ("p/values.schema.json", schema.to_owned())], &[], "remote-source"),
        (vec![("p/Chart.yaml", format!("{chart}{depends}"))], &[], "remote-source"),
        (
            vec![
                ("p/Chart.yaml", chart.to_owned()),
                ("p/templates/b.yaml", "a: {{ getHostByName \"HOST\" }}\n".to_owned()),
            ],
            &[],
            "nondeterministic",
        ),
    ] {
        let sandbox = Sandbox::new();
        let here = |text: &str| text.replace("HOST", &server.address);
        let place = if files[0].0.ends_with("Chart.yaml") { "p/templates/web.yaml" } else { "p/web.yaml" };
        let texts: Vec<(&str, String)> = files.iter().map(|(path, text)| (*path, here(text))).collect();
        let mut all: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (*path, text.as_str())).collect();
        all.push((place, &web));
        sandbox.repository(&all);
        let from = recorded("oom-killed");
        let args = [&["propose", "deployment/web", "--from", &from, "--path", "p"], more].concat();
        let ran = sandbox.aifix_in("work", &args).exits(4);
        assert!(ran.out.contains(code), "{files:?}: {}", ran.out);
        assert_eq!(server.hits(), 0, "{files:?}");
    }
    // The server is seen by who does ask.
    let sandbox = Sandbox::new();
    let here = |text: &str| text.replace("HOST", &server.address);
    sandbox.write("work/k/kustomization.yaml", &here("resources: ['http://HOST/a.yaml']\n"));
    sandbox.write("work/c/Chart.yaml", chart);
    sandbox.write("work/c/values.schema.json", &here(schema));
    loose(&sandbox, tools().kustomize.as_ref().unwrap(), &["build", "k"]);
    let by_kustomize = server.hits();
    loose(&sandbox, &helms()[0].1, &["template", "c"]);
    assert!(by_kustomize > 0 && server.hits() > by_kustomize, "{by_kustomize}, then {}", server.hits());
}
