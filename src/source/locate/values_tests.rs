//! Where keys of a release's values stand.

use super::*;
use crate::model::object::ObjectRef;
use crate::model::proposal::Tool;
use crate::render::Root;
use serde_json::json;

fn source<'a>(path: &'a str, layer: usize, text: &'a str) -> Source<'a> {
    Source { path, layer, text, kustomization: None }
}

fn chart(folder: &str, prefix: &[&str], foreign: bool) -> Chart {
    Chart { folder: folder.to_owned(), prefix: prefix.iter().map(|name| (*name).to_owned()).collect(), foreign }
}

fn field(kind: &str, path: &str) -> Field {
    let object = ObjectRef::new("example.com/v1", kind, "flux", "web");
    Field { root: Box::new(Root::new("r", Tool::Plain)), object, path: Path::of(path) }
}

fn release(values: Vec<Values>) -> Release {
    Release { values, ..Release::default() }
}

/// `file: path`, with `+` in front of a value that is not there yet.
fn spot(layers: &Layers, key: &str, own: bool) -> Option<String> {
    let (file, spot, _) = layers.spot(&Path::of(key), own)?;
    let mark = if matches!(spot, Spot::Yaml(_)) { "" } else { "+" };
    Some(Candidate { file, spot, way: Way::Value, old: Value::Null, layer: 0, related: true }.shown())
        .map(|at| format!("{mark}{at}"))
}

const FILES: [(&str, &str); 4] = [
    ("c/values.yaml", "level: info\nlist: [{name: a}, {name: b}]\nonly: 1\n"),
    ("common.yaml", "level: warn\nshared: 1\n"),
    ("prod.yaml", "own: 1\n"),
    ("c/charts/r/values.yaml", "tag: \"7\"\nports: [1]\n"),
];

fn layers(files: &[&str]) -> Layers {
    let sources: Vec<Source<'_>> = FILES.iter().map(|(path, text)| source(path, 0, text)).collect();
    let charts = [chart("c", &[], false), chart("c/charts/r", &["cache"], true)];
    let values = files.iter().map(|file| Values::File((*file).to_owned())).collect();
    Layers::of(&sources, &charts, &release(values))
}

#[test]
fn a_key_is_written_where_it_wins() {
    let both = layers(&["common.yaml", "prod.yaml"]);
    for (key, own, wanted) in [
        ("level", false, "common.yaml: level"),
        ("level", true, "+prod.yaml: level"),
        ("own", false, "prod.yaml: own"),
        ("only", false, "+prod.yaml: only"),
        ("new.key", false, "+prod.yaml: new.key"),
        ("cache.tag", false, "+prod.yaml: cache.tag"),
        ("list[1].name", false, "c/values.yaml: list[1].name"),
        ("list[1].name", true, "+prod.yaml: list"),
        ("cache.ports[0]", false, "+prod.yaml: cache.ports"),
    ] {
        assert_eq!(spot(&both, key, own).as_deref(), Some(wanted), "{key}");
    }
    let bare = layers(&[]);
    assert_eq!(spot(&bare, "level", false).as_deref(), Some("c/values.yaml: level"));
    assert_eq!(spot(&bare, "cache.tag", false).as_deref(), Some("+c/values.yaml: cache.tag"));
}

#[test]
fn a_list_that_only_a_chart_has_is_written_whole() {
    let both = layers(&["prod.yaml"]);
    let Some((_, spot, _)) = both.spot(&Path::of("list[1].name"), true) else { return assert!(!both.all.is_empty()) };
    let candidate = Candidate { file: String::new(), spot, way: Way::Value, old: Value::Null, layer: 0, related: true };
    let text = candidate.apply("own: 1\n", &json!("c")).unwrap_or_default();
    assert_eq!(parse::document(&text), Ok(json!({"own": 1, "list": [{"name": "a"}, {"name": "c"}]})));
}

#[test]
fn what_templates_name_is_a_key_without_a_value() {
    let texts = [
        ("c/values.yaml", "image: {tag: a}\n"),
        ("c/templates/a.yaml", "{{ .Values.image.tag }} {{ $.Values.replicas | default 2 }} {{ .Values.image }}"),
        ("c/charts/r/templates/a.yaml", "{{ .Values.size }} {{ .Values.global.zone }}"),
    ];
    let sources: Vec<Source<'_>> = texts.iter().map(|(path, text)| source(path, 0, text)).collect();
    let charts = [chart("c", &[], false), chart("c/charts/r", &["cache"], false)];
    let found = Layers::of(&sources, &charts, &release(Vec::new()));
    let keys: Vec<String> = found.keys().iter().map(|key| format!("{}={}", key.path, key.value)).collect();
    assert_eq!(keys, ["image.tag=\"a\"", "cache.size=null", "global.zone=null", "replicas=null"]);
}

const OBJECT: &str = "apiVersion: example.com/v1\nkind: HelmRelease\nmetadata: {name: web, namespace: flux}\nspec:\n";

#[test]
fn values_of_a_release_object_stand_in_its_nearest_document() {
    let base = format!("{OBJECT}  values:\n    level: info\n    port: 80\n");
    let patch = format!("{OBJECT}  values:\n    level: debug\n");
    let sources =
        [source("base.yaml", 2, &base), source("patch.yaml", 0, &patch), source("c/values.yaml", 9, "a: 1\n")];
    let found = Layers::of(
        &sources,
        &[chart("c", &[], false)],
        &release(vec![Values::Field(field("HelmRelease", "spec.values"))]),
    );
    assert_eq!(found.merged, json!({"a": 1, "level": "debug", "port": 80}));
    assert_eq!(spot(&found, "level", false).as_deref(), Some("patch.yaml: spec.values.level"));
    assert_eq!(spot(&found, "port", false).as_deref(), Some("base.yaml: spec.values.port"));
    assert_eq!(spot(&found, "a", false).as_deref(), Some("+patch.yaml: spec.values.a"));
}

#[test]
fn a_text_of_values_is_edited_inside_and_a_parameter_beats_it() {
    let text = "apiVersion: example.com/v1\nkind: Application\nmetadata: {name: web}\nspec:\n  values: |\n    image:\n      tag: a\n    port: 80\n  \
                parameters:\n  - {name: image.tag, value: b}\n";
    let sources = [source("a.yaml", 0, text), source("c/values.yaml", 9, "port: 1\n")];
    let set = Values::Set {
        name: "image.tag".to_owned(),
        value: field("Application", "spec.parameters[0].value"),
        text: true,
    };
    let found = Layers::of(
        &sources,
        &[chart("c", &[], false)],
        &release(vec![set, Values::Field(field("Application", "spec.values"))]),
    );
    assert_eq!(spot(&found, "port", false).as_deref(), Some("a.yaml: spec.values > port"));
    assert_eq!(spot(&found, "image.tag", false).as_deref(), Some("a.yaml: spec.parameters[0].value"));
    assert_eq!(found.merged["image"]["tag"], "b");
}

#[test]
fn values_that_a_generator_reads_from_a_file_stand_in_that_file() {
    let spec = json!({"configMapGenerator": [{"name": "web", "files": ["values.yaml=prod.yaml"]}]});
    let own = Source { kustomization: Some(&spec), ..source("k/kustomization.yaml", 0, "") };
    let sources = [own, source("k/prod.yaml", 0, "level: info\n")];
    let value = field("ConfigMap", "data[\"values.yaml\"]");
    let found = Layers::of(&sources, &[], &release(vec![Values::Field(value)]));
    assert_eq!(spot(&found, "level", false).as_deref(), Some("k/prod.yaml: level"));
}

#[test]
fn a_set_value_that_a_generator_makes_stands_in_its_literal_or_its_line() {
    let set = |key: &str| Values::Set {
        name: format!("set.{key}"),
        value: field("ConfigMap", &format!("data.{key}")),
        text: false,
    };
    let spec = json!({"configMapGenerator": [
        {"name": "other", "literals": ["a=0"]},
        {"name": "web", "literals": ["x=y", "a=1=2"], "envs": ["web.env"]}]});
    let own = Source { kustomization: Some(&spec), ..source("k/kustomization.yaml", 0, "") };
    let sources = [own, source("k/web.env", 0, "# b=3\nb=4\n")];
    let found = Layers::of(&sources, &[], &release(vec![set("a"), set("b")]));
    assert_eq!(found.merged, json!({"set": {"a": "1=2", "b": "4"}}));
    let written = |key: &str, text: &str| {
        let key = Key { path: Path::of(key), value: Value::Null };
        let candidate = found.candidate(&key, Way::Value, true)?;
        Some((candidate.shown(), candidate.apply(text, &json!(5)).ok()?))
    };
    let literals = "configMapGenerator:\n- name: other\n- name: web\n  literals:\n  - x=y\n  - a=1=2 # why\n";
    let place = "k/kustomization.yaml: configMapGenerator[1].literals[1]".to_owned();
    assert_eq!(written("set.a", literals), Some((place, literals.replace("a=1=2", "a=5"))));
    assert_eq!(written("set.b", "# b=3\nb=4\n"), Some(("k/web.env:2".to_owned(), "# b=3\nb=5\n".to_owned())));
}

#[test]
fn the_name_of_a_set_value_is_a_path() {
    assert_eq!(set_path("a.b[0].c"), Path::of("a.b[0].c"));
    assert_eq!(set_path("nodeSelector.kubernetes\\.io/os"), Path::of("nodeSelector[\"kubernetes.io/os\"]"));
}
