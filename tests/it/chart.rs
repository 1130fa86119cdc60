//! Charts are rendered as their releases say.

use super::harness::{Sandbox, oom_manifest, recorded};
use super::source::{helms, in_memory, tools};
use aifix::doors::files;
use aifix::model::object::ObjectRef;
use aifix::model::path::Path;
use aifix::model::proposal::Tool;
use aifix::render::{Field, Limits, Overlay, Release, Root, Stop, Tools, Values, Workbench};
use serde_json::Value;
use std::time::Duration;

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  \
                      namespace: {{ .Release.Namespace }}\ndata:\n  LEVEL: {{ .Values.level | quote }}\n  \
                      PORT: {{ .Values.port | quote }}\n  KUBE: {{ .Capabilities.KubeVersion.Version }}\n  \
                      MONITORS: {{ .Capabilities.APIVersions.Has \"monitoring.coreos.com/v1\" | quote }}\n";

const CHART: [(&str, &str); 5] = [
    ("c/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
    ("c/values.yaml", "level: info\nport: 80\n"),
    ("c/templates/a.yaml", CONFIG),
    (
        "c/templates/tests/t.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: t\n  annotations: {helm.sh/hook: test}\n",
    ),
    (
        "c/crds/x.yaml",
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x.example.com}\n",
    ),
];

async fn render(more: &[(&str, &str)], release: Release, overlay: &[(&str, &str)]) -> Result<Vec<Value>, Stop> {
    let tree = in_memory(&[CHART.as_slice(), more].concat());
    let tools = tools();
    let bench = Workbench::new(&tree, &Root::chart("c", release), &tools)?;
    let overlay: Overlay = overlay.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    bench.render(&overlay).await
}

fn field(folder: &str, kind: &str, path: &str) -> Field {
    let object = ObjectRef::new("example.com/v1", kind, "flux", "web");
    Field { root: Box::new(Root::new(folder, Tool::Plain)), object, path: Path::of(path) }
}

fn config(objects: &[Value]) -> Value {
    objects.iter().find(|object| object["kind"] == "ConfigMap").cloned().unwrap_or_default()
}

#[tokio::test]
async fn later_values_win_and_sets_beat_them_all() {
    let release = "apiVersion: example.com/v1\nkind: HelmRelease\nmetadata: {name: web, namespace: flux}\nspec:\n  values:\n    level: LEVEL\n";
    let application = "apiVersion: example.com/v1\nkind: Application\nmetadata: {name: web, namespace: flux}\nspec:\n  \
                       values: |\n    level: text\n  parameters:\n  - {name: level, value: \"warn,error\"}\n  - {name: port, value: \"0010\"}\n";
    let map = release.replace("LEVEL", "map");
    let more = [("prod.yaml", "level: file\n"), ("r/r.yaml", map.as_str()), ("a/a.yaml", application)];
    let level = async |values: Vec<Values>, overlay: &[(&str, &str)]| {
        let release = Release { values, ..Release::default() };
        config(&render(&more, release, overlay).await.unwrap())["data"].clone()
    };
    let file = || Values::File("prod.yaml".to_owned());
    let map = || Values::Field(field("r", "HelmRelease", "spec.values"));
    let text = || Values::Field(field("a", "Application", "spec.values"));
    let set = |name: &str, number: usize, text: bool| {
        let value = field("a", "Application", &format!("spec.parameters[{number}].value"));
        Values::Set { name: name.to_owned(), value, text }
    };
    assert_eq!(level(vec![], &[]).await["LEVEL"], "info");
    assert_eq!(level(vec![file(), map()], &[]).await["LEVEL"], "map");
    assert_eq!(level(vec![map(), text(), file()], &[]).await["LEVEL"], "file");
    assert_eq!(level(vec![map(), text()], &[]).await["LEVEL"], "text");
    let both = level(vec![set("level", 0, false), set("port", 1, true), text()], &[]).await;
    assert_eq!((&both["LEVEL"], &both["PORT"]), (&"warn,error".into(), &"0010".into()));
    assert_eq!(level(vec![file(), Values::Fixed("level: fixed".to_owned())], &[]).await["LEVEL"], "fixed");
    let changed = release.replace("LEVEL", "changed");
    assert_eq!(level(vec![file(), map()], &[("r/r.yaml", &changed)]).await["LEVEL"], "changed");
}

#[tokio::test]
async fn a_release_has_its_name_namespace_and_flags() {
    let kinds = |objects: &[Value]| objects.iter().map(|object| object["kind"].clone()).collect::<Vec<_>>();
    let objects = render(&[], Release::default(), &[]).await.unwrap();
    assert_eq!(kinds(&objects), ["CustomResourceDefinition", "ConfigMap", "Pod"]);
    let release = Release {
        name: "shop".to_owned(),
        namespace: "prod".to_owned(),
        skip_crds: true,
        skip_tests: true,
        kube_version: Some("1.31.2".to_owned()),
        api_versions: vec!["monitoring.coreos.com/v1".to_owned()],
        ..Release::default()
    };
    let objects = render(&[], release, &[]).await.unwrap();
    assert_eq!(kinds(&objects), ["ConfigMap"]);
    let config = config(&objects);
    assert_eq!((&config["metadata"]["name"], &config["metadata"]["namespace"]), (&"shop".into(), &"prod".into()));
    assert_eq!((&config["data"]["KUBE"], &config["data"]["MONITORS"]), (&"v1.31.2".into(), &"true".into()));
}

#[tokio::test]
async fn a_name_from_the_cluster_is_never_a_flag() {
    let release = Release { name: "--post-renderer=/bin/true".to_owned(), ..Release::default() };
    let Err(Stop::Refused(refusal)) = render(&[], release, &[]).await else { panic!() };
    assert_eq!(refusal.code, "render-failed");
    assert!(refusal.details[0].contains("invalid release name"), "{refusal:?}");
}

async fn refused(more: &[(&str, &str)], values: Vec<Values>) -> String {
    match render(more, Release { values, ..Release::default() }, &[]).await {
        Err(Stop::Refused(refusal)) => refusal.code.to_owned(),
        other => panic!("{more:?}: {other:?}"),
    }
}

#[tokio::test]
async fn a_chart_reads_nothing_outside_the_repository() {
    let depends = |on: &str| format!("apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies:\n- {on}\n");
    let (outside, absent) = (
        depends("{name: x, version: 1.0.0, repository: 'file://../../x'}"),
        depends("{name: x, version: 1.0.0, repository: 'https://127.0.0.1:1/'}"),
    );
    for (more, wanted) in [
        (("c/templates/b.yaml", "->/etc/passwd"), "path-escape"),
        (("c/templates/b.yaml", "->../../../../etc/hostname"), "path-escape"),
        (("c/templates/sub", "->/etc"), "path-escape"),
        (("c/charts", "->../.."), "path-escape"),
        (("c/templates/loop", "->.."), "render-limit"),
        (("c/templates/gone.yaml", "->nowhere.yaml"), "render-failed"),
        (("c/values.schema.json", r#"{"$ref": "file:///etc/hostname"}"#), "remote-source"),
        (("c/values.schema.json", r#"{"properties": {"a": {"$ref": "http://127.0.0.1:1/a"}}}"#), "remote-source"),
        (("c/templates/b.yaml", "a: {{ getHostByName \"localhost\" }}"), "nondeterministic"),
        (("c/Chart.yaml", outside.as_str()), "path-escape"),
        (("c/Chart.yaml", absent.as_str()), "remote-source"),
        (("c/Chart.yaml", "name: {{ x }}\n"), "yaml-unsafe"),
    ] {
        assert_eq!(refused(&[more], Vec::new()).await, wanted, "{more:?}");
    }
    for (file, wanted) in
        [("/etc/passwd", "path-escape"), ("../x.yaml", "path-escape"), ("c/none.yaml", "render-failed")]
    {
        assert_eq!(refused(&[], vec![Values::File(file.to_owned())]).await, wanted, "{file}");
    }
}

#[tokio::test]
async fn a_file_that_templates_ask_for_is_followed_too() {
    let asks = (
        "c/templates/b.yaml",
        "apiVersion: v1\nkind: X\nmetadata: {name: b}\na: {{ .Files.Get \"canary\" | quote }}\n",
    );
    assert_eq!(refused(&[asks, ("c/canary", "->/etc/hostname")], Vec::new()).await, "path-escape");
    // Nobody asks for it.
    assert!(render(&[("c/canary", "->/etc/hostname")], Release::default(), &[]).await.is_ok());
    let objects =
        render(&[asks, ("c/canary", "->../shared/canary"), ("shared/canary", "yes")], Release::default(), &[]).await;
    let objects = objects.unwrap();
    assert_eq!(objects.iter().find(|object| object["kind"] == "X").map(|object| &object["a"]), Some(&"yes".into()));
}

#[tokio::test]
async fn a_helm_that_prints_without_end_is_ended() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = files::Scratch::new().unwrap();
    let program = scratch.path().join("helm");
    files::write_scratch(&program, b"#!/bin/sh\nexec /usr/bin/yes aifix\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (tree, tools) = (in_memory(&CHART), Tools::new(None, None, Some(program)));
    let bench = Workbench::new(&tree, &Root::chart("c", Release::default()), &tools).unwrap();
    let Err(Stop::Refused(refusal)) = bench.render(&Overlay::new()).await else { panic!() };
    assert_eq!(refusal.code, "render-limit");
    let tools = Tools::new(None, None, None);
    let bench = Workbench::new(&tree, &Root::chart("c", Release::default()), &tools).unwrap();
    let Err(Stop::Refused(refusal)) = bench.render(&Overlay::new()).await else { panic!() };
    assert_eq!((refusal.code, refusal.hint.contains("helm.sh")), ("tool-missing", true));
}

/// What became of a chart with this template under these limits.
async fn endless(template: &str, limits: Limits) -> (&'static str, String) {
    let tree = in_memory(&[CHART.as_slice(), &[("c/templates/b.yaml", template)]].concat());
    let tools = tools().within(limits);
    let bench = Workbench::new(&tree, &Root::chart("c", Release::default()), &tools).unwrap();
    let Err(Stop::Refused(refusal)) = bench.render(&Overlay::new()).await else { panic!("{template}") };
    (refusal.code, refusal.message)
}

#[tokio::test]
async fn a_chart_that_never_ends_is_ended() {
    // 40 loops inside each other, each of ten rounds.
    let loops = |body: &str| format!("{}{body}{}", "{{ range until 10 }}".repeat(40), "{{ end }}".repeat(40));
    let limits = |seconds: u64| Limits { time: Duration::from_secs(seconds), ..Limits::default() };
    let (code, message) = endless(&loops(""), limits(3)).await;
    assert!(code == "render-limit" && message.contains("did not finish within 3 s"), "{code}: {message}");
    // Where it grows without end, memory is what ends it.
    let limits = Limits { memory: 512 << 20, ..limits(120) };
    let (code, message) = endless(&loops("0123456789012345678901234567890123456789"), limits).await;
    if cfg!(target_os = "linux") {
        assert!(code == "render-limit" && message.contains("more than 512 MiB of memory"), "{code}: {message}");
    }
    // What fits into memory may still be too much to read.
    let (code, message) = endless("a: {{ repeat 70000000 \"x\" }}\n", Limits::default()).await;
    assert!(code == "render-limit" && message.contains("more than 64 MiB"), "{code}: {message}");
}

#[tokio::test]
async fn what_is_looked_up_in_the_cluster_is_said() {
    let lookup = ("c/templates/b.yaml", "{{ if lookup \"v1\" \"Secret\" \"a\" \"b\" }}x{{ end }}");
    let (tree, tools) = (in_memory(&[CHART.as_slice(), &[lookup]].concat()), tools());
    let bench = Workbench::new(&tree, &Root::chart("c", Release::default()), &tools).unwrap();
    assert_eq!(
        bench.inputs().notes,
        ["what `c/templates/b.yaml` looks up in the cluster: it renders empty here (`lookup`)"]
    );
}

#[test]
fn a_chart_is_found_from_the_command_line_or_named_with_its_values() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[
        ("c/Chart.yaml", CHART[0].1),
        ("c/templates/web.yaml", &oom_manifest().replace("32Mi", "{{ .Values.memory }}")),
        ("envs/dev.yaml", "memory: 16Mi\n"),
        ("envs/prod.yaml", "# Production.\nmemory: 32Mi   # small nodes\n"),
    ]);
    let propose = |helm: &std::path::Path, more: &[&str]| {
        let path = format!("{}:{}", helm.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
        command.env("PATH", &path).args(["propose", "deployment/web", "--from", &recorded("oom-killed")]).args(more);
        let output = command.current_dir(sandbox.path("work")).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let helms = helms();
    for (name, helm) in &helms {
        for more in [&[][..], &["--path", "c"], &["--path", "c", "--values", "envs/prod.yaml"]] {
            let (code, text) = propose(helm, more);
            assert_eq!(code, Some(0), "{text}");
            for part in ["+memory: 64Mi   # small nodes", "-memory: 32Mi   # small nodes", "envs/prod.yaml", name] {
                assert!(text.contains(part), "{part:?} is not in:\n{text}");
            }
        }
    }
    let propose = |more: &[&str]| propose(&helms[0].1, more);
    let (code, text) = propose(&["--path", "c", "--values", "envs/dev.yaml"]);
    assert!(code == Some(4) && text.contains("drifted-field"), "{text}");
    let (code, text) = propose(&["--values", "envs/prod.yaml"]);
    assert!(code == Some(2) && text.contains("--path"), "{text}");
}

#[test]
fn charts_of_a_kustomization_are_rendered_only_where_a_person_allows_it() {
    let sandbox = Sandbox::new();
    let kustomization = "helmGlobals: {chartHome: ../charts}\nhelmCharts:\n- name: web\n  releaseName: web\n  \
                         namespace: cat-oom-killed\n  valuesInline:\n    memory: 32Mi # small nodes\n";
    let elsewhere = kustomization.replace("name: web\n  release", "name: db\n  repo: https://127.0.0.1:1\n  release");
    sandbox.repository(&[
        ("charts/web/Chart.yaml", CHART[0].1),
        ("charts/web/values.yaml", "memory: 16Mi\n"),
        ("charts/web/templates/web.yaml", &oom_manifest().replace("32Mi", "{{ .Values.memory }}")),
        ("prod/kustomization.yaml", kustomization),
        ("away/kustomization.yaml", &elsewhere),
    ]);
    let from = recorded("oom-killed");
    let propose = |path: &str, more: &[&str]| {
        sandbox.aifix_in("work", &[&["propose", "deployment/web", "--from", &from, "--path", path], more].concat())
    };
    let refused = propose("prod", &[]).exits(4);
    assert!(refused.out.contains("unsupported-renderer") && refused.out.contains("--enable-helm"), "{}", refused.out);
    let allowed = propose("prod", &["--enable-helm"]).exits(0);
    for part in ["-    memory: 32Mi # small nodes", "+    memory: 64Mi # small nodes", "kustomize 5.", "helm 3."] {
        assert!(allowed.out.contains(part), "{part:?}: {}", allowed.out);
    }
    // Nothing is fetched, allowed or not.
    let away = propose("away", &["--enable-helm"]).exits(4);
    assert!(away.out.contains("remote-source") && away.out.contains("which is not in its"), "{}", away.out);
}
