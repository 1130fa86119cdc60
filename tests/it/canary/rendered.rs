//! Secrets in what a renderer reads: patches, generators, values.

use super::{LIMIT, Left, Letters, Place, Planting, planted};
use crate::harness::{Sandbox, manifest, oom_manifest, recorded};
use crate::model_server::{Act, ModelServer, edit};
use serde_json::json;
use std::collections::BTreeSet;

/// Some of the shapes; each stands in one line of YAML.
fn planting() -> Planting {
    Planting { shapes: (0..super::COUNT).step_by(3).collect(), secrets: BTreeSet::new() }
}

/// The texts of a place, each as a comment, and as a value in quotes.
fn written(planting: &mut Planting, place: Place, comment: &str, value: impl Fn(usize, &str) -> String) -> String {
    let comments: String = planting.texts(place).iter().map(|text| format!("{comment}{text}\n")).collect();
    // The same shape at another number has other letters.
    let more: Vec<usize> = planting.shapes.iter().map(|shape| shape + super::COUNT).collect();
    let mut values = String::new();
    for (n, shape) in more.into_iter().enumerate() {
        let mut letters = Letters::of(shape, place as usize);
        let (text, secret) = planted(shape % super::COUNT, &mut letters);
        planting.secrets.insert(secret);
        values.push_str(&value(n, &json!(text).to_string()));
    }
    format!("{comments}{values}")
}

/// Proposes for the recorded kill in this repository: what was printed, sent, stored and pushed holds no secret.
fn check(files: &[(&str, &str)], root: &str, changed: &str, secrets: &BTreeSet<String>) {
    let sandbox = Sandbox::new();
    sandbox.repository(files);
    let (from, mut left) = (recorded("oom-killed"), Left::default());
    let server = ModelServer::start(&[Act::Say(edit(LIMIT, "32Mi", "64Mi"))]);
    let url = server.url();
    let base = ["propose", "deployment/web", "--from", &from, "--path", root, "--llm", "always", "--llm-url", &url];
    for more in [&[][..], &["-o", "json"], &["--push", "--yes=review"]] {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
        // The renderers of the test run stand before those of the machine.
        let given = ["AIFIX_TEST_KUSTOMIZE", "AIFIX_TEST_HELM"].into_iter().filter_map(std::env::var_os);
        let mut places: Vec<_> =
            given.filter_map(|file| Some(std::path::Path::new(&file).parent()?.to_owned())).collect();
        places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        command.env("PATH", std::env::join_paths(places).unwrap());
        let output = command.args([&base[..], more].concat()).current_dir(sandbox.path("work")).output().unwrap();
        let ran = crate::harness::Ran::of(&output).exits(0);
        left.ran(&format!("propose {more:?}"), &ran);
        assert!(ran.out.contains("64Mi"), "{}", ran.out);
    }
    for seen in server.seen() {
        left.note("request", seen.text());
    }
    left.files(&sandbox.path("state"));
    let branch = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname)", "refs/heads/aifix"]);
    left.note("commit message", sandbox.git("remote.git", &["log", "-1", "--format=%B", &branch]));
    let pushed = sandbox.git("remote.git", &["show", &format!("{branch}:{changed}")]);
    assert!(pushed.contains("64Mi") && secrets.iter().any(|secret| pushed.contains(secret)), "the file is as it was");
    let seen = left.seen(secrets);
    assert!(seen.is_empty(), "{} seen:\n{}", seen.len(), seen.join("\n"));
    assert!(left.masks() > 10, "the lines around the change did leave, masked: {}", left.masks());
}

#[test]
fn no_secret_of_a_patch_or_a_generator_of_kustomize_leaves() {
    let mut planting = planting();
    let around = written(&mut planting, Place::Rendered, "        # ", |_, _| String::new());
    let patch = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  namespace: cat-oom-killed\nspec:\n  template:\n    \
         spec:\n      containers:\n      - name: app\n{around}        resources:\n          limits:\n            memory: 32Mi\n{around}"
    );
    let literals = written(&mut planting, Place::Generated, "  # ", |n, text| {
        format!("  - {}\n", json!(format!("K{n}={}", serde_json::from_str::<String>(text).unwrap())))
    });
    let overlay = format!(
        "resources:\n- ../../base\npatches:\n- path: memory.yaml\nconfigMapGenerator:\n- name: c\n  literals:\n{literals}\
         secretGenerator:\n- name: s\n  literals:\n{literals}"
    );
    let base = manifest("cat-oom-killed", "echo starting; tail /dev/zero", None);
    check(
        &[
            ("base/web.yaml", &base),
            ("base/kustomization.yaml", "resources:\n- web.yaml\n"),
            ("overlays/prod/kustomization.yaml", &overlay),
            ("overlays/prod/memory.yaml", &patch),
        ],
        "overlays/prod",
        "overlays/prod/memory.yaml",
        &planting.secrets,
    );
}

#[test]
fn no_secret_of_the_values_of_a_chart_leaves() {
    let mut planting = planting();
    let around = written(&mut planting, Place::Values, "# ", |n, text| format!("note{n}: {text}\n"));
    let own = written(&mut planting, Place::Rendered, "# ", |_, _| String::new());
    let values = format!("{around}memory: 32Mi\n{own}");
    let template = oom_manifest().replace("memory: 32Mi   # small nodes", "memory: {{ .Values.memory }}");
    let kept = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  namespace: cat-oom-killed\nstringData:\n  \
                all: {{ omit .Values \"memory\" | toJson | quote }}\n";
    check(
        &[
            ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
            ("charts/web/values.yaml", &values),
            ("charts/web/templates/web.yaml", &template),
            ("charts/web/templates/db.yaml", kept),
        ],
        "charts/web",
        "charts/web/values.yaml",
        &planting.secrets,
    );
}
