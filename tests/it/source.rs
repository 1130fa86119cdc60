//! Live object to Git: every layout of `tests/repos`.
//!
//! A layout is a folder: `repo/` (the base), `deployed/` (what runs, when it is another revision),
//! `live.yaml`, `crs.yaml` (what controllers' objects say), `cluster.yaml` (ConfigMaps that are read when they are
//! needed), `intent.yaml`, and `expected.diff` or `expected.refusal`.
//! `AIFIX_BLESS=1` writes the expectation; read the difference before you commit it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use aifix::doors::{files, process};
use aifix::model::intent::{Author, Disposition, FieldEdit, Intent, Op};
use aifix::model::kube::Object;
use aifix::model::object::ObjectRef;
use aifix::model::path::{Path, Step};
use aifix::model::proposal::Delta;
use aifix::model::refusal::Refusal;
use aifix::model::snapshot::{Scope, Snapshot};
use aifix::model::tree::{Entry, Tree};
use aifix::render::compare::reference;
use aifix::render::{Filled, MapName};
use aifix::source::lead::{self, Found};
use aifix::source::{Candidate, Located, Maps, Question, Reading, Stop, Tools, locate};
use aifix::yaml::{edit, parse, scalars, split};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

fn repos() -> PathBuf {
    FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/repos")
}

/// The kustomize and the helm of the test run, else those on `PATH`.
pub(super) fn tools() -> Tools {
    tools_with(given("AIFIX_TEST_HELM", "helm"))
}

fn tools_with(helm: Option<PathBuf>) -> Tools {
    Tools::new(given("AIFIX_TEST_KUSTOMIZE", "kustomize"), process::which("kubectl"), helm)
}

/// The Helm 3 of the test run, and its Helm 4 where it has one, with how each calls itself.
pub(super) fn helms() -> Vec<(&'static str, PathBuf)> {
    let newer = process::variable("AIFIX_TEST_HELM4").map(PathBuf::from);
    let all = [("helm 3.", given("AIFIX_TEST_HELM", "helm")), ("helm 4.", newer)];
    all.into_iter().filter_map(|(name, helm)| Some((name, helm?))).collect()
}

fn given(variable: &str, name: &str) -> Option<PathBuf> {
    process::variable(variable).map(PathBuf::from).or_else(|| process::which(name))
}

/// Whether the repository of a layout holds a chart.
fn has_chart(name: &str) -> bool {
    tree(&repos().join(name).join("repo")).entries.keys().any(|path| path.ends_with("Chart.yaml"))
}

fn text(path: &FilePath) -> String {
    String::from_utf8(files::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))).unwrap()
}

fn tree(folder: &FilePath) -> Tree {
    fn walk(folder: &FilePath, prefix: &str, tree: &mut Tree) {
        for name in files::list(folder).unwrap() {
            let (path, key) = (folder.join(&name), format!("{prefix}{name}"));
            if files::is_dir(&path) {
                walk(&path, &format!("{key}/"), tree);
            } else {
                tree.entries.insert(key, Entry::File(Arc::from(files::read(&path).unwrap())));
            }
        }
    }
    let mut tree = Tree::default();
    walk(folder, "", &mut tree);
    tree
}

pub(super) fn in_memory(entries: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in entries {
        let entry = match text.strip_prefix("->") {
            Some(target) => Entry::Link(target.to_owned()),
            None => Entry::File(Arc::from(text.as_bytes())),
        };
        tree.entries.insert((*path).to_owned(), entry);
    }
    tree
}

fn intent(live: &Value, spec: &Value) -> Intent {
    let value = |edit: &Value, name: &str| edit.get(name).cloned();
    let edits = spec["edits"].as_array().unwrap().iter().map(|edit| FieldEdit {
        path: Path::of(edit["path"].as_str().unwrap()),
        op: match edit["op"].as_str() {
            Some("add") => Op::Add,
            Some("remove") => Op::Remove,
            _ => Op::Set,
        },
        old: value(edit, "old"),
        new: value(edit, "new"),
    });
    Intent {
        object: reference(live).unwrap(),
        edits: edits.collect(),
        subject: "Change it".to_owned(),
        why: "The test asks for it".to_owned(),
        evidence: Vec::new(),
        author: Author::Rule,
        disposition: Disposition::Safe,
        review: Vec::new(),
    }
}

const BASE: &str = "3f2a91c0000000000000000000000000000000aa";
const DEPLOYED: &str = "1b2c3d40000000000000000000000000000000bb";

async fn ask(base: &Tree, deployed: Option<&Tree>, live: &Value, spec: &Value, tools: &Tools) -> Result<Located, Stop> {
    ask_seen(base, deployed, live, &[], &InCluster(Vec::new()), spec, tools).await
}

/// ConfigMaps that are only in the cluster.
struct InCluster(Vec<Value>);

impl Maps for InCluster {
    fn read<'d>(&'d self, (namespace, name): &'d MapName) -> Reading<'d> {
        let is_it = |map: &&Value| {
            map["metadata"]["namespace"] == namespace.as_str() && map["metadata"]["name"] == name.as_str()
        };
        let found = self.0.iter().find(is_it).map_or(Filled::Missing, Filled::of);
        let known = if self.0.is_empty() { Err("there is no cluster to ask".to_owned()) } else { Ok(found) };
        Box::pin(std::future::ready(known))
    }
}

/// The same, with what was seen of controllers' objects.
async fn ask_seen(
    base: &Tree,
    deployed: Option<&Tree>,
    live: &Value,
    crs: &[Value],
    maps: &InCluster,
    spec: &Value,
    tools: &Tools,
) -> Result<Located, Stop> {
    let intent = intent(live, spec);
    let mut snapshot = Snapshot::new("layout", Scope::All);
    for value in crs.iter().chain([live]) {
        let object: Object = serde_json::from_value(value.clone()).unwrap();
        snapshot.objects.entry(object.kind.clone()).or_default().push(object);
    }
    let found = if crs.is_empty() { Found::default() } else { lead::find(&snapshot, &intent.object)? };
    let deployed: Vec<Candidate<'_>> = deployed.iter().map(|tree| Candidate { revision: DEPLOYED, tree }).collect();
    let values: Vec<String> =
        spec["values"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    locate(&Question {
        base: Candidate { revision: BASE, tree: base },
        deployed: &deployed,
        path: spec["path"].as_str(),
        values: &values,
        found: &found,
        live,
        fields: &aifix::schema::NoCluster,
        maps,
        intent: &intent,
        choose: spec["choose"].as_u64().map(|n| n as usize),
        allow_shared: spec["allowShared"] == true,
        repo: "github.com/acme/platform",
        branch: "main",
        tools,
    })
    .await
}

fn delta(word: &str, delta: &Delta) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "absent".to_owned(), Value::to_string);
    format!("{word}: {} {}: {} -> {}\n", delta.object.qualified(), delta.path, value(&delta.old), value(&delta.new))
}

/// What a reader of the answer sees: the origin, the proof, the diff.
fn shown(located: &Located) -> String {
    let mut out =
        format!("root: {} ({}) at {}\n", located.origin.path, located.origin.tool.name(), located.origin.revision);
    // Without controllers the first signal says the first line once more.
    let controlled =
        located.origin.trail.first().is_some_and(|first| first.signal != "render" && first.signal != "--path");
    located.origin.trail.iter().skip(usize::from(!controlled)).for_each(|signal| {
        let _ = writeln!(out, "trail: {}: {}", signal.signal, signal.value);
    });
    located.proof.delta.iter().for_each(|one| out.push_str(&delta("delta", one)));
    located.proof.companions.iter().for_each(|one| out.push_str(&delta("companion", one)));
    located.proof.siblings.iter().for_each(|root| {
        let _ = writeln!(out, "same: {root}");
    });
    located.review.iter().for_each(|line| {
        let _ = writeln!(out, "review: {line}");
    });
    let _ = writeln!(out, "renders: {}", located.proof.renders);
    for file in &located.files {
        let old = String::from_utf8_lossy(file.before.as_deref().unwrap_or_default()).into_owned();
        let new = String::from_utf8_lossy(file.after.as_deref().unwrap_or_default()).into_owned();
        let name = if file.before.is_some() { file.path.clone() } else { "/dev/null".to_owned() };
        let diff = similar::TextDiff::from_lines(&old, &new)
            .unified_diff()
            .context_radius(1)
            .header(&name, &file.path)
            .to_string();
        // Fixtures have a carriage return written out: Git and editors would lose it.
        out.push_str(&diff.replace('\r', "\\r"));
    }
    out
}

fn refused(refusal: &Refusal) -> String {
    let details: String = refusal.details.iter().map(|line| format!("  {line}\n")).collect();
    let text = format!("{}: {}\n{details}hint: {}\n", refusal.code, refusal.message, refusal.hint);
    // The numbers depend on the layouts that were read before.
    aifix::redact::unnumbered(&text)
}

async fn check(name: &str, tools: &Tools) -> Result<(), String> {
    let folder = repos().join(name);
    let live = parse::document(&text(&folder.join("live.yaml"))).unwrap();
    let spec = parse::document(&text(&folder.join("intent.yaml"))).unwrap();
    let base = tree(&folder.join("repo"));
    let deployed = files::is_dir(&folder.join("deployed")).then(|| tree(&folder.join("deployed")));
    let all = |name: &str| match folder.join(name) {
        file if files::exists(&file) => parse::all(&text(&file)).unwrap(),
        _ => Vec::new(),
    };
    let (crs, maps) = (all("crs.yaml"), InCluster(all("cluster.yaml")));
    let inflating = Tools::new(tools.kustomize.clone(), tools.kubectl.clone(), tools.helm.clone()).inflating(true);
    let tools = if spec["enableHelm"] == true { &inflating } else { tools };
    let (file, got) = match ask_seen(&base, deployed.as_ref(), &live, &crs, &maps, &spec, tools).await {
        Ok(located) => {
            bytes_outside_the_diff_are_the_same(&base, &located);
            ("expected.diff", shown(&located))
        }
        Err(Stop::Refused(refusal)) => ("expected.refusal", refused(&refusal)),
        Err(Stop::Failed(error)) => return Err(format!("{name}: failed: {error}\n")),
    };
    let path = folder.join(file);
    if process::variable("AIFIX_BLESS").is_some() {
        files::write_scratch(&path, got.as_bytes()).unwrap();
        return Ok(());
    }
    let both = files::exists(&folder.join("expected.diff")) && files::exists(&folder.join("expected.refusal"));
    assert!(!both, "{name} expects two things");
    if !files::exists(&path) {
        return Err(format!("{name}: there is no {file}; got:\n{got}\n"));
    }
    let wanted = text(&path);
    if got == wanted {
        return Ok(());
    }
    let diff = similar::TextDiff::from_lines(&wanted, &got).unified_diff().header("expected", "got").to_string();
    Err(format!("{name}: {file} differs:\n{diff}\n"))
}

/// Every changed file is named by an edit, and `before` is the base's content.
fn bytes_outside_the_diff_are_the_same(base: &Tree, located: &Located) {
    for file in &located.files {
        assert!(located.edits.iter().any(|edit| edit.file == file.path), "{}", file.path);
        assert_eq!(file.before.as_deref(), base.file(&file.path), "{}", file.path);
        let crlf = |bytes: &[u8]| bytes.windows(2).filter(|pair| *pair == b"\r\n").count();
        let lf = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        if let Some(before) = file.before.as_deref().filter(|before| crlf(before) > 0 && crlf(before) == lf(before)) {
            assert_eq!(
                crlf(file.after.as_ref().unwrap()),
                lf(file.after.as_ref().unwrap()),
                "{}: {}",
                file.path,
                before.len()
            );
        }
    }
}

#[tokio::test]
async fn every_layout_gives_the_expected_edit_or_refusal() {
    let tools = tools();
    let bless = process::variable("AIFIX_BLESS").is_some();
    let newer = process::variable("AIFIX_TEST_HELM4").filter(|_| !bless).map(|helm| tools_with(Some(helm.into())));
    let only = process::variable("AIFIX_LAYOUT").and_then(|name| name.into_string().ok());
    let mut wrong = String::new();
    let names = files::list(&repos()).unwrap();
    assert!(names.len() >= 30, "layouts are missing: {names:?}");
    for name in names.iter().filter(|name| only.as_ref().is_none_or(|only| name.starts_with(only.as_str()))) {
        if let Err(text) = check(name, &tools).await {
            wrong.push_str(&text);
        }
        // Helm 4 gives the same, where this run has one.
        if let Some(newer) = newer.as_ref().filter(|_| has_chart(name))
            && let Err(text) = check(name, newer).await
        {
            let _ = writeln!(wrong, "with Helm 4: {text}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What became of the edits of one file.
#[derive(Default, Debug)]
struct Tally {
    files: usize,
    edited: usize,
    refused: usize,
}

/// Sets every scalar and adds to every map; the edit checks its meaning itself, the lines are checked here.
fn edit_everywhere(path: &str, text: &str, most: usize, tally: &mut Tally) {
    let Ok(scalars) = scalars::of(text) else { return };
    tally.files += 1;
    for scalar in scalars.iter().step_by(scalars.len().div_ceil(most).max(1)) {
        let new = match &scalar.value {
            Value::Number(_) => Value::from(20_011),
            Value::Bool(old) => Value::from(!old),
            Value::String(old) if !old.trim_end().contains('\n') => Value::from(format!("x{old}")),
            _ => continue,
        };
        match edit::apply(text, &scalar.place, &edit::Change::Set(new)) {
            Ok(edited) => {
                let differing = text.split('\n').zip(edited.split('\n')).filter(|(old, new)| old != new).count();
                let lines = text.split('\n').count() == edited.split('\n').count();
                assert!(lines && differing <= 1, "{path}: {:?}", scalar.place);
                tally.edited += 1;
            }
            Err(_) => tally.refused += 1,
        }
        let in_map = matches!(scalar.place.path.0.last(), Some(Step::Field(_))) && scalar.place.inner.is_none();
        let Some(parent) = scalar.place.path.parent().filter(|_| in_map) else { continue };
        let place = scalars::Place { path: parent.field("aifixNew"), ..scalar.place.clone() };
        let value = serde_json::json!({"a": {"b": ["on", 1]}});
        match edit::apply(text, &place, &edit::Change::Add(value)) {
            Ok(edited) => {
                let head = text.bytes().zip(edited.bytes()).take_while(|(old, new)| old == new).count();
                let tail = text.bytes().rev().zip(edited.bytes().rev()).take_while(|(old, new)| old == new).count();
                assert!(head + tail >= text.len(), "{path}: {place:?}");
                tally.edited += 1;
            }
            Err(_) => tally.refused += 1,
        }
    }
}

#[test]
fn every_scalar_of_the_layouts_can_be_edited_alone() {
    // Another folder of manifests can be tried by hand, more thoroughly.
    let corpus = process::variable("AIFIX_CORPUS").map(PathBuf::from);
    let most = if corpus.is_some() { 20 } else { 6 };
    let folder = corpus.unwrap_or_else(repos);
    let mut tally = Tally::default();
    for (path, entry) in tree(&folder).entries {
        let Entry::File(bytes) = entry else { continue };
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        if !path.ends_with(".yaml") && !path.ends_with(".yml") && !path.ends_with(".json") || text.len() > 100_000 {
            continue;
        }
        let Ok(ranges) = split::documents(text) else { continue };
        let whole: String = ranges.into_iter().map(|range| &text[range]).collect();
        assert!(whole == text || whole.is_empty(), "{path}");
        edit_everywhere(&path, text, most, &mut tally);
    }
    assert!(tally.files > 20 && tally.edited > 20 * tally.refused, "{tally:?}");
    println!("{tally:?}");
}

const LIVE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: p}\ndata: {LEVEL: info}\n";

async fn hostile(entries: &[(&str, &str)]) -> String {
    let live = parse::document(LIVE).unwrap();
    let spec =
        serde_json::json!({"edits": [{"path": "data.LEVEL", "op": "set", "old": "info", "new": "debug"}], "path": "p"});
    match ask(&in_memory(entries), None, &live, &spec, &tools()).await {
        Ok(located) => shown(&located),
        Err(Stop::Refused(refusal)) => refusal.code.to_owned(),
        Err(Stop::Failed(error)) => error.to_string(),
    }
}

#[tokio::test]
async fn nothing_outside_the_repository_is_read() {
    for (entries, wanted) in [
        (vec![("p/kustomization.yaml", "resources: [a.yaml]\n"), ("p/a.yaml", "->/etc/passwd")], "path-escape"),
        (vec![("p/kustomization.yaml", "configMapGenerator: [{name: a, files: [/etc/hostname]}]\n")], "path-escape"),
        (vec![("p/kustomization.yaml", "resources: ['https://127.0.0.1:1/a.yaml']\n")], "remote-source"),
        (vec![("p/kustomization.yaml", "resources: ['github.com/a/b?ref=v1']\n")], "remote-source"),
        (vec![("p/kustomization.yaml", "resources: [../p]\n")], "render-failed"),
        (vec![("p/kustomization.yaml", "helmCharts: [{name: x}]\n")], "remote-source"),
        (
            vec![
                ("p/kustomization.yaml", "generators: [g.yaml]\n"),
                ("p/g.yaml", "apiVersion: x/v1\nkind: X\nmetadata: {name: a}\n"),
            ],
            "plugin",
        ),
        (vec![("p/a.yaml", "apiVersion: v1\nkind: ConfigMap\n{{ x }}\n")], "yaml-unsafe"),
    ] {
        assert_eq!(hostile(&entries).await, wanted, "{entries:?}");
    }
}

#[tokio::test]
async fn no_spelling_and_no_plugin_reads_a_file_of_the_machine() {
    let outside = files::Scratch::new().unwrap();
    let canary = outside.path().join("canary.txt");
    files::write_scratch(&canary, b"LEVEL=canary-content\n").unwrap();
    let absolute = canary.to_str().unwrap();
    let relative = format!("{}{}", "../".repeat(16), absolute.trim_start_matches('/'));
    let live = parse::document(LIVE).unwrap();
    let spec = serde_json::json!({"edits": [{"path": "data.LEVEL", "old": "info", "new": "debug"}], "path": "p"});
    for path in [absolute, &relative] {
        for (field, config) in [
            ("configmapgenerator: [{name: b, files: [PATH]}]", ""),
            ("configMapGenerator: [{name: b, FILES: [PATH]}]", ""),
            ("configMapGenerator: [{name: b, behavior: merge, Env: PATH}]", ""),
            ("secretGenerator: [{name: b, ENVS: [PATH]}]", ""),
            ("patches: [{PATH: PATH}]", ""),
            ("REPLACEMENTS: [{path: PATH}]", ""),
            ("RESOURCES: [PATH]", ""),
            ("generators: [g.yaml]", "kind: ConfigMapGenerator\nfiles: [PATH]"),
            ("generators: [g.yaml]", "kind: ConfigMapGenerator\nfiles: [k=PATH]"),
            ("generators: [g.yaml]", "kind: ConfigMapGenerator\nFILES: [PATH]"),
            ("generators: [g.yaml]", "kind: SecretGenerator\nenvs: [PATH]"),
            ("generators: [g.yaml]", "kind: SecretGenerator\nenv: PATH"),
            ("transformers: [g.yaml]", "kind: PatchTransformer\npath: PATH\ntarget: {kind: ConfigMap}"),
            ("transformers: [g.yaml]", "kind: PatchStrategicMergeTransformer\npaths: [PATH]"),
            ("transformers: [g.yaml]", "kind: PatchJson6902Transformer\npath: PATH\ntarget: {kind: ConfigMap}"),
            ("transformers: [g.yaml]", "kind: ReplacementTransformer\nreplacements: [{path: PATH}]"),
            ("validators: [g.yaml]", "kind: PatchTransformer\npath: PATH"),
            ("transformers: [t]", "kind: PatchTransformer\npath: PATH"),
        ] {
            let spot = field.replace("PATH]", &format!("{path}]")).replace(": PATH}", &format!(": {path}}}"));
            let config = format!("apiVersion: builtin\nmetadata: {{name: b}}\n{}\n", config.replace("PATH", path));
            let base = in_memory(&[
                ("p/kustomization.yaml", &format!("resources: [a.yaml]\nnamespace: p\n{spot}\n")),
                ("p/a.yaml", LIVE),
                ("p/g.yaml", &config),
                ("p/t/kustomization.yaml", "resources: [../g.yaml]\n"),
            ]);
            let answer = ask(&base, None, &live, &spec, &tools()).await;
            assert!(!format!("{answer:?}").contains("canary-content"), "{spot} {config}");
            let Err(Stop::Refused(refusal)) = answer else { panic!("{spot} {config}") };
            assert!(["path-escape", "yaml-unsafe", "plugin"].contains(&refusal.code), "{spot} {config}: {refusal:?}");
        }
    }
}

#[tokio::test]
async fn a_missing_renderer_says_what_to_install() {
    let base = in_memory(&[("p/kustomization.yaml", "resources: [a.yaml]\nnamespace: p\n"), ("p/a.yaml", LIVE)]);
    let live = parse::document(LIVE).unwrap();
    let spec = serde_json::json!({"edits": [{"path": "data.LEVEL", "old": "info", "new": "debug"}], "path": "p"});
    let Err(Stop::Refused(refusal)) = ask(&base, None, &live, &spec, &Tools::new(None, None, None)).await else {
        panic!()
    };
    assert_eq!(refusal.code, "tool-missing");
    assert!(refusal.hint.contains("install"), "{}", refusal.hint);
}

#[tokio::test]
async fn kubectl_renders_where_there_is_no_kustomize() {
    use std::os::unix::fs::PermissionsExt;
    // Of kubectl its `kustomize` and its `version` are used, and nothing else.
    let scratch = files::Scratch::new().unwrap();
    let kustomize = tools().kustomize.unwrap();
    let version = r#"{"clientVersion": {"gitVersion": "v1.34.2"}, "kustomizeVersion": "v5.7.1"}"#;
    let script = format!(
        "#!/bin/sh\ncase \"$1\" in\nkustomize) shift; exec '{}' build \"$@\" ;;\nversion) [ \"$*\" = 'version --client \
         --output=json' ] && echo '{version}' ;;\n*) exit 9 ;;\nesac\n",
        kustomize.display()
    );
    let kubectl = scratch.path().join("kubectl");
    files::write_scratch(&kubectl, script.as_bytes()).unwrap();
    std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o700)).unwrap();
    let base = in_memory(&[("p/kustomization.yaml", "resources: [a.yaml]\nnamespace: p\n"), ("p/a.yaml", LIVE)]);
    let live = parse::document(LIVE).unwrap();
    let spec = serde_json::json!({"edits": [{"path": "data.LEVEL", "old": "info", "new": "debug"}], "path": "p"});
    let located = ask(&base, None, &live, &spec, &Tools::new(None, Some(kubectl), None)).await;
    let Ok(located) = located else { panic!("{located:?}") };
    assert_eq!(located.proof.renderer, "kustomize 5.7.1");
    assert!(shown(&located).contains("+++ p/a.yaml"), "{}", shown(&located));
}

#[tokio::test]
async fn links_inside_the_repository_render_as_kustomize_does() {
    let base = in_memory(&[
        ("p/kustomization.yaml", "resources: [lib]\nnamespace: p\n"),
        ("p/lib", "->../shared/base"),
        ("shared/base/kustomization.yaml", "resources: [../a.yaml]\n"),
        ("shared/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  LEVEL: info\n"),
    ]);
    let live = parse::document(LIVE).unwrap();
    let spec = serde_json::json!({"edits": [{"path": "data.LEVEL", "old": "info", "new": "debug"}]});
    let located = ask(&base, None, &live, &spec, &tools()).await;
    let Ok(located) = located else { panic!("{located:?}") };
    assert_eq!(located.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["shared/a.yaml"]);
}

#[tokio::test]
async fn an_object_that_nothing_makes_has_no_owner_in_git() {
    let live = parse::document(LIVE).unwrap();
    let spec = serde_json::json!({"edits": [{"path": "data.LEVEL", "old": "info", "new": "debug"}]});
    let base = in_memory(&[("README.md", "a"), ("k/b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n")]);
    let Err(Stop::Refused(refusal)) = ask(&base, None, &live, &spec, &tools()).await else { panic!() };
    assert_eq!(
        (refusal.code, reference(&live)),
        ("no-owner-in-git", Some(ObjectRef::new("v1", "ConfigMap", "p", "a")))
    );
}
