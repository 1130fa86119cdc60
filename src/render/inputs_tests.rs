//! What is walked, and what is refused before anything runs.

use super::*;
use crate::model::proposal::Tool;
use crate::render::resolve_tests::{link, tree};
use crate::render::roots::Root;

fn walk(tree: &Tree, path: &str) -> Result<Inputs, Refusal> {
    Inputs::of(tree, &Root::new(path, Tool::Kustomize))
}

fn code(tree: &Tree, path: &str) -> &'static str {
    walk(tree, path).map_or_else(|refusal| refusal.code, |_| "")
}

const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

#[test]
fn every_kind_of_input_is_found_with_its_layer() {
    let tree = tree(&[
        (
            "prod/kustomization.yaml",
            "resources: [../base, own.yaml]\ncomponents: [../c]\npatches: [{path: p.yaml}, {patch: 'a: 1'}]\n\
             patchesStrategicMerge: [s.yaml]\npatchesJson6902: [{path: j.json}]\nconfigurations: [n.yaml]\ncrds: [crd.json]\n\
             replacements: [{path: r.yaml}]\nopenapi: {path: o.json}\n\
             configMapGenerator: [{name: a, files: [k=../f.txt, g.txt], envs: [e.env]}]\nsecretGenerator: [{name: s, env: s.env}]\n",
        ),
        ("prod/own.yaml", OBJECT),
        ("prod/p.yaml", ""),
        ("prod/s.yaml", ""),
        ("prod/j.json", ""),
        ("prod/n.yaml", ""),
        ("prod/crd.json", ""),
        ("prod/r.yaml", ""),
        ("prod/o.json", ""),
        ("f.txt", ""),
        ("prod/g.txt", ""),
        ("prod/e.env", ""),
        ("prod/s.env", ""),
        ("base/kustomization.yaml", "resources: [a.yaml]\n"),
        ("base/a.yaml", OBJECT),
        ("base/unused.yaml", OBJECT),
        ("c/kustomization.yaml", "kind: Component\npatches: [{path: cp.yaml}]\n"),
        ("c/cp.yaml", ""),
    ]);
    let inputs = walk(&tree, "prod").unwrap_or_default();
    assert_eq!(inputs.files.len(), 17);
    assert!(!inputs.files.contains_key("base/unused.yaml"));
    assert_eq!(["prod/p.yaml", "c/cp.yaml", "base/a.yaml"].map(|file| inputs.files[file]), [0, 1, 2]);
}

#[test]
fn what_leads_out_of_the_repository_is_refused() {
    for field in [
        "resources: [/etc/passwd]",
        "resources: [../../x]",
        "configMapGenerator: [{files: [/etc/hostname]}]",
        "configMapGenerator: [{files: [k=/etc/hostname]}]",
        "secretGenerator: [{envs: [../../e]}]",
        "patches: [{path: /p.yaml}]",
        "openapi: {path: /o.json}",
        "resources: ['~/x']",
    ] {
        assert_eq!(code(&tree(&[("prod/kustomization.yaml", field)]), "prod"), "path-escape", "{field}");
    }
    let mut hostile = tree(&[("prod/kustomization.yaml", "resources: [a.yaml]")]);
    link(&mut hostile, "prod/a.yaml", "/etc/passwd");
    assert_eq!(code(&hostile, "prod"), "path-escape");
    link(&mut hostile, "prod/a.yaml", "../../outside.yaml");
    assert_eq!(code(&hostile, "prod"), "path-escape");
    link(&mut hostile, "prod/a.yaml", "a.yaml");
    assert_eq!(code(&hostile, "prod"), "path-escape");
}

#[test]
fn what_would_be_fetched_is_refused() {
    for source in [
        "https://example.com/a.yaml",
        "git@github.com:a/b",
        "github.com/a/b?ref=v1",
        "github.com/a/b",
        "git::https://x/y",
        "example.com/a/b.git",
        "ssh://git@h/r",
        "https://user:hunter2@h/r",
    ] {
        let tree = tree(&[("prod/kustomization.yaml", &format!("resources: ['{source}']\n"))]);
        let refusal = walk(&tree, "prod").err().unwrap_or_else(|| Refusal::new("", "", ""));
        assert_eq!(refusal.code, "remote-source", "{source}");
        assert!(!refusal.message.contains("hunter2"), "{}", refusal.message);
    }
}

#[test]
fn links_inside_the_repository_are_followed() {
    let mut tree = tree(&[
        ("prod/kustomization.yaml", "resources: [lib]\n"),
        ("shared/base/kustomization.yaml", "resources: [../a.yaml]\n"),
        ("shared/a.yaml", OBJECT),
    ]);
    link(&mut tree, "prod/lib", "../shared/base");
    let inputs = walk(&tree, "prod").unwrap_or_default();
    assert_eq!(inputs.links.into_iter().collect::<Vec<_>>(), [("prod/lib".to_owned(), "../shared/base".to_owned())]);
    assert!(inputs.files.contains_key("shared/a.yaml"));
}

#[test]
fn circles_and_endless_nesting_end() {
    assert_eq!(code(&tree(&[("a/kustomization.yaml", "resources: [../a]\n")]), "a"), "render-failed");
    let deep: Vec<(String, String)> = (0..100)
        .map(|n| (format!("k{n}/kustomization.yaml"), format!("resources: [../k{}]\n", n + 1)))
        .chain([("k100/kustomization.yaml".to_owned(), String::new())])
        .collect();
    let deep: Vec<(&str, &str)> = deep.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(code(&tree(&deep), "k0"), "render-limit");
}

#[test]
fn programs_and_charts_are_not_run() {
    for (field, wanted) in [
        ("helmCharts: [{name: x}]", "remote-source"),
        ("helmCharts: [{name: x}]\nhelmGlobals: {chartHome: ../..}", "path-escape"),
        ("helmCharts: [{name: x}]\nhelmGlobals: {chartHome: /}", "path-escape"),
        ("helmCharts: [{name: x}]\nhelmGlobals: {configHome: /root}", "unsupported-renderer"),
        ("helmCharts: [{name: x, releaseName: --post-renderer=/bin/sh}]", "plugin"),
        ("helmCharts: [{name: x, RELEASENAME: --post-renderer=/bin/sh}]", "yaml-unsafe"),
        ("helmChartInflationGenerator: [{chartName: x}]", "unsupported-renderer"),
        ("generators: [g.yaml]", "plugin"),
        ("transformers: [\"apiVersion: x/v1\\nkind: T\\n\"]", "plugin"),
        ("transformers: [\"apiVersion: builtin\\nkind: LabelTransformer\\nmetadata: {name: a}\\n\"]", ""),
        ("generators: [\"apiVersion: builtin\\nkind: ConfigMapGenerator\\nfiles: [/etc/hostname]\\n\"]", "path-escape"),
        ("generators: [\"apiVersion: builtin\\nkind: ConfigMapGenerator\\nfiles: [../../a]\\n\"]", "path-escape"),
        ("generators: [\"apiVersion: builtin\\nkind: ConfigMapGenerator\\nenv: ../../a\\n\"]", "path-escape"),
        ("generators: [\"apiVersion: builtin\\nkind: ConfigMapGenerator\\nENVS: [../../a]\\n\"]", "yaml-unsafe"),
        ("transformers: [\"apiVersion: builtin\\nkind: PatchTransformer\\npath: /a\\n\"]", "path-escape"),
        ("transformers: [\"apiVersion: builtin\\nkind: PatchTransformer\\npath: ../../a\\n\"]", "path-escape"),
        (
            "transformers: [\"apiVersion: builtin\\nkind: ReplacementTransformer\\nreplacements: [{path: /a}]\\n\"]",
            "path-escape",
        ),
        (
            "transformers: [\"apiVersion: builtin\\nkind: LabelTransformer\\nfieldSpecs: [{path: metadata/labels}]\\n\"]",
            "",
        ),
        ("transformers: [../p2]", "plugin"),
        ("CONFIGMAPGENERATOR: [{name: a, files: [/etc/hostname]}]", "yaml-unsafe"),
        ("patches: [{PATH: /a}]", "yaml-unsafe"),
        ("generators: [\"apiVersion: builtin\\nkind: HelmChartInflationGenerator\\nname: x\\n\"]", "plugin"),
    ] {
        let exec = "apiVersion: x/v1\nkind: G\nmetadata:\n  annotations:\n    config.kubernetes.io/function: 'exec: {path: ./x}'\n";
        let files = [("p/kustomization.yaml", field), ("p/g.yaml", exec), ("p2/kustomization.yaml", "")];
        assert_eq!(code(&tree(&files), "p"), wanted, "{field}");
    }
}
