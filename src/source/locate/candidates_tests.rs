//! Which places are found for a field.

use super::*;
use serde_json::json;

fn found(files: &[(&str, usize, &str)], kind: &str, name: &str, path: &str, value: &Value) -> Vec<String> {
    let parsed: Vec<Option<Value>> = files
        .iter()
        .map(|(path, ..)| path.ends_with("kustomization.yaml"))
        .zip(files)
        .map(|(is, (.., text))| if is { parse::document(text).ok() } else { None })
        .collect();
    let sources: Vec<Source<'_>> = files
        .iter()
        .zip(&parsed)
        .map(|((path, layer, text), spec)| Source { path, layer: *layer, text, kustomization: spec.as_ref() })
        .collect();
    let object = ObjectRef::new("apps/v1", kind, "prod", name);
    let target = Target { object: &object, path: &Path::of(path), value };
    candidates(&sources, &target, false).0.iter().map(Candidate::shown).collect()
}

const MEMORY: &str = "spec.template.spec.containers[web].resources.limits.memory";

fn workload(kind: &str, memory: &str) -> String {
    format!(
        "kind: {kind}\nmetadata: {{name: web}}\nspec: {{template: {{spec: {{containers: [{{name: web, resources: {{limits: {{memory: {memory}}}, requests: {{memory: {memory}}}}}}}]}}}}}}\n"
    )
}

#[test]
fn only_the_same_field_of_the_same_kind_counts() {
    let (same, other) = (workload("Deployment", "64Mi"), workload("StatefulSet", "64Mi"));
    let list = format!("kind: List\nitems:\n- {}", same.trim_end().replace('\n', "\n  "));
    let different = workload("Deployment", "32Mi");
    let files = [
        ("base/a.yaml", 2, same.as_str()),
        ("base/b.yaml", 2, other.as_str()),
        ("p.yaml", 0, same.as_str()),
        ("l.yaml", 1, list.as_str()),
        ("d.yaml", 1, different.as_str()),
    ];
    assert_eq!(
        found(&files, "Deployment", "acme-web", MEMORY, &json!("64Mi")),
        [
            "p.yaml: spec.template.spec.containers[0].resources.limits.memory",
            "l.yaml: items[0].spec.template.spec.containers[0].resources.limits.memory",
            "base/a.yaml: spec.template.spec.containers[0].resources.limits.memory",
        ]
    );
}

#[test]
fn typed_places_of_a_kustomization_are_found() {
    let text = "images:\n- {name: app, newName: r/app, newTag: '1.20'}\n- {name: other, newTag: '1.20', newName: q}\nreplicas: [{name: web, count: 3}]\n\
        patches:\n- patch: |-\n    - op: replace\n      path: /spec/replicas\n      value: 3\n  target: {kind: Deployment}\n\
        configMapGenerator:\n- name: web-config\n  literals: [LEVEL=info]\n  envs: [e.env]\n  files: [app.properties]\n";
    let files = [
        ("o/kustomization.yaml", 0, text),
        ("o/e.env", 0, "A=1\nLEVEL=info\n"),
        ("o/app.properties", 0, "x=1\n"),
        ("o/j.json", 0, r#"[{"op":"add","path":"/spec","value":{"replicas":3}}]"#),
    ];
    assert_eq!(
        found(&files, "Deployment", "web", "spec.template.spec.containers[web].image", &json!("r/app:1.20")),
        ["o/kustomization.yaml: images[0].newTag", "o/kustomization.yaml: images[0].newName"]
    );
    assert_eq!(
        found(&files, "Deployment", "web", "spec.replicas", &json!(3)),
        [
            "o/kustomization.yaml: replicas[0].count",
            "o/kustomization.yaml: patches[0].patch > [0].value",
            "o/j.json: [0].value.replicas"
        ]
    );
    assert_eq!(
        found(&files, "ConfigMap", "web-config-thctc996df", "data.LEVEL", &json!("info")),
        ["o/kustomization.yaml: configMapGenerator[0].literals[0]", "o/e.env:2"]
    );
    assert_eq!(
        found(&files, "ConfigMap", "web-config-thctc996df", "data[\"app.properties\"]", &json!("x=1\n")),
        ["o/app.properties"]
    );
}

#[test]
fn only_the_tag_is_written_when_the_tag_decides() {
    let candidate =
        |way| Candidate { file: String::new(), spot: Spot::Whole, way, old: json!("1.20"), layer: 0, related: true };
    let wanted = |way, new| candidate(way).wanted(&json!("host:5000/app:1.20"), &json!(new));
    assert_eq!(wanted(Way::Tag, "host:5000/app:1.21"), Some(json!("1.21")));
    assert_eq!(wanted(Way::Tag, "other/app:1.21"), None);
    assert_eq!(wanted(Way::Name, "other/app:1.20"), Some(json!("other/app")));
    assert_eq!(wanted(Way::Value, "x:1"), Some(json!("x:1")));
    assert_eq!(split_image("host:5000/app"), ("host:5000/app", None, None));
    assert_eq!(split_image("a@sha256:00"), ("a", None, Some("sha256:00")));
}

#[test]
fn sentinels_differ_and_keep_their_type() {
    let object = ObjectRef::new("apps/v1", "Deployment", "p", "web");
    let sentinel = |path: &str, old: Value, n| {
        let candidate = Candidate {
            file: String::new(),
            spot: Spot::Whole,
            way: Way::Value,
            old: old.clone(),
            layer: 0,
            related: true,
        };
        candidate.sentinel(&Target { object: &object, path: &Path::of(path), value: &old }, n).map(|(value, _)| value)
    };
    assert_eq!(sentinel("a.memory", json!("64Mi"), 1), Some(json!("20012Mi")));
    assert_eq!(sentinel("a.port", json!(80), 2), Some(json!(20013)));
    assert_eq!(sentinel("a.path", json!("/healthz"), 2), Some(json!("/aifix-2")));
    assert_eq!(sentinel("a.image", json!("r/app:1"), 3), Some(json!("r/app:aifix-3")));
    assert_eq!(sentinel("a.b", json!(true), 3), None);
    assert_ne!(sentinel("a", json!("x"), 1), sentinel("a", json!("x"), 2));
}
