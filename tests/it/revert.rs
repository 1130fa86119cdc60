//! `propose --revert`: one commit of a real history is taken back.

use crate::harness::{Ran, Sandbox, oom_manifest, recorded};
use std::fs;
use std::path::Path;

fn recorded_gitops(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded-gitops").join(name);
    assert!(folder.is_dir(), "{} is missing", folder.display());
    folder.to_str().unwrap().to_owned()
}

/// One more commit on `main`, pushed; a file without text is taken away.
fn commit(sandbox: &Sandbox, subject: &str, files: &[(&str, &str)]) -> String {
    for (name, text) in files {
        if text.is_empty() {
            fs::remove_file(sandbox.path(&format!("work/{name}"))).unwrap();
        } else {
            sandbox.write(&format!("work/{name}"), text);
        }
    }
    sandbox.git("work", &["add", "-A"]);
    sandbox.git("work", &["commit", "-qm", subject]);
    sandbox.git("work", &["push", "-q", "origin", "main"]);
    sandbox.git("work", &["rev-parse", "HEAD"])
}

fn propose(sandbox: &Sandbox, object: &str, from: &str, more: &[&str]) -> Ran {
    sandbox.aifix_in("work", &[&["propose", object, "--revert", "--from", from][..], more].concat())
}

/// The branch of aifix on the remote.
fn pushed(sandbox: &Sandbox) -> String {
    sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads/aifix"])
}

#[test]
fn the_commit_that_lowered_a_limit_is_taken_back_and_nothing_else() {
    let sandbox = Sandbox::new();
    let good = oom_manifest().replace("32Mi", "64Mi");
    sandbox.repository(&[("k8s/web.yaml", &good), ("README.md", "x\n")]);
    let bad = commit(&sandbox, "Save memory, closes #7", &[("k8s/web.yaml", &oom_manifest()), ("README.md", "y\n")]);
    let later = oom_manifest().replace("# The shop's front end.", "# The front end of the shop.");
    commit(&sandbox, "Word it better", &[("k8s/web.yaml", &later)]);
    let ran = propose(&sandbox, "deployment/web", &recorded("oom-killed"), &[]).exits(0);
    for part in [
        "-            memory: 32Mi   # small nodes",
        "+            memory: 64Mi   # small nodes",
        &format!("commit: {} \"Save memory, closes #7\" by Ada, 2026-11-22", &bad[..7]),
        &format!("with {} taken back it renders as before it", &bad[..7]),
        "nothing says that Deployment cat-oom-killed/web worked before this commit",
    ] {
        let out = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        let part = part.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(out.contains(&part), "{part:?} is not in:\n{}", ran.out);
    }
    propose(&sandbox, "deployment/web", &recorded("oom-killed"), &["--push", "--yes"]).exits(7);
    propose(&sandbox, "deployment/web", &recorded("oom-killed"), &["--push", "--yes=review"]).exits(0);
    let branch = pushed(&sandbox);
    assert!(branch.starts_with("aifix/cat-oom-killed/deployment-web/oom-killed-"), "{branch}");
    assert_eq!(sandbox.git("remote.git", &["diff", "--numstat", "main", &branch]), "1\t1\tk8s/web.yaml");
    let file = sandbox.git("remote.git", &["show", &format!("{branch}:k8s/web.yaml")]);
    assert_eq!(file.trim_end(), later.replace("32Mi", "64Mi").trim_end());
    let message = sandbox.git("remote.git", &["log", "-1", "--format=%B", &branch]);
    assert_eq!(message.lines().next(), Some("Revert \"Save memory, closes # 7\""));
    assert!(message.contains(&format!("This reverts commit {bad}")), "{message}");
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    let pushed = list["items"].as_array().unwrap().iter().find(|one| one["status"]["phase"] == "pushed").unwrap();
    assert_eq!(pushed["spec"]["proposedFix"]["reverts"]["id"], bad.as_str());
}

#[test]
fn the_revision_that_has_ready_pods_says_which_commit_it_was() {
    let sandbox = Sandbox::new();
    let object = sandbox.aifix(&["scan", "--from", &recorded("rollout-stalled"), "-o", "json"]).json();
    assert_eq!(object["findings"][0]["change"]["fields"][0]["old"], "lab/web:1");
    let manifest = stalled_manifest("localhost:5055/app/web:9.9");
    sandbox.repository(&[("k8s/web.yaml", &manifest.replace("localhost:5055/app/web:9.9", "lab/web:1"))]);
    let bad = commit(&sandbox, "Release 9.9", &[("k8s/web.yaml", &manifest)]);
    let report = propose(&sandbox, "deployment/web", &recorded("rollout-stalled"), &["-o", "json"]).exits(0).json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["reverts"]["id"], bad.as_str());
    assert_eq!(proposal["proof"]["delta"][0]["new"], "lab/web:1");
    assert_eq!(proposal["disposition"], "review");
    // Two commits since then: which of them it was is not known.
    let twice = manifest.replace("localhost:5055/app/web:9.9", "lab/web:2");
    sandbox.git("work", &["reset", "-q", "--hard", "HEAD~1"]);
    sandbox.git("work", &["push", "-qf", "origin", "main"]);
    commit(&sandbox, "Release 2", &[("k8s/web.yaml", &twice)]);
    commit(&sandbox, "Release 9.9", &[("k8s/web.yaml", &manifest)]);
    let report = propose(&sandbox, "deployment/web", &recorded("rollout-stalled"), &["-o", "json"]).exits(4).json();
    let refusal = &report["proposals"][0]["refusal"];
    assert_eq!(refusal["code"], "several-commits");
    assert!(refusal["details"][1].as_str().unwrap().contains("\"Release 2\""), "{refusal}");
}

/// The Deployment of the recording `rollout-stalled`.
fn stalled_manifest(image: &str) -> String {
    let text = fs::read_to_string(Path::new(&recorded("rollout-stalled")).join("objects.json")).unwrap();
    let list: serde_json::Value = serde_json::from_str(&text).unwrap();
    let all = list["items"].as_array().unwrap();
    let mut web =
        all.iter().find(|one| one["kind"] == "Deployment" && one["metadata"]["name"] == "web").unwrap().clone();
    let metadata = serde_json::json!({"name": "web", "namespace": web["metadata"]["namespace"]});
    let object = web.as_object_mut().unwrap();
    object.insert("metadata".to_owned(), metadata);
    object.remove("status");
    let text = serde_json::to_string_pretty(&web).unwrap();
    assert!(text.contains(image), "{text}");
    text + "\n"
}

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\n  namespace: prod\ndata:\n  a: b\n";

#[test]
fn a_kustomization_that_does_not_build_is_as_before_and_flux_is_told_how() {
    let sandbox = Sandbox::new();
    let kustomization = "resources:\n- cm.yaml\n";
    sandbox
        .repository(&[("bad-kustomization/kustomization.yaml", kustomization), ("bad-kustomization/cm.yaml", CONFIG)]);
    let broken = format!("{kustomization}- missing.yaml\n");
    let bad = commit(&sandbox, "Add a thing", &[("bad-kustomization/kustomization.yaml", &broken)]);
    commit(&sandbox, "Change a value", &[("bad-kustomization/cm.yaml", &CONFIG.replace("a: b", "a: c"))]);
    let from = recorded_gitops("flux-ks-bad-kustomization");
    let ran = propose(&sandbox, "kustomization/bad-kustomization", &from, &["--push", "--yes=review"]).exits(0);
    assert!(ran.out.contains("-- missing.yaml"), "{}", ran.out);
    assert!(
        ran.out.contains("flux reconcile kustomization bad-kustomization -n gitops-flux --with-source"),
        "{}",
        ran.out
    );
    let branch = pushed(&sandbox);
    assert_eq!(
        sandbox.git("remote.git", &["diff", "--numstat", "main", &branch]),
        "0\t1\tbad-kustomization/kustomization.yaml"
    );
    let message = sandbox.git("remote.git", &["log", "-1", "--format=%B", &branch]);
    assert!(message.starts_with("Revert \"Add a thing\"\n") && message.contains(&bad), "{message}");
    // What was changed after the bad commit was never applied either.
    assert!(message.contains("data.a: \"b\" -> \"c\""), "{message}");
}

#[test]
fn a_manifest_that_does_not_parse_is_taken_away_again() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("bad-yaml/good.yaml", CONFIG), ("README.md", "x\n")]);
    let torn = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n  namespace: y: z\n";
    commit(&sandbox, "Add a torn file", &[("bad-yaml/cm.yaml", torn)]);
    let from = recorded_gitops("flux-ks-bad-yaml");
    let args = ["--push", "--yes=review", "-o", "json"];
    let report = propose(&sandbox, "kustomization/bad-yaml", &from, &args).exits(0).json();
    let diff = report["proposals"][0]["diff"].as_str().unwrap();
    assert!(diff.contains("deleted file mode 100644\n--- a/bad-yaml/cm.yaml\n+++ /dev/null\n"), "{diff}");
    let branch = pushed(&sandbox);
    assert_eq!(sandbox.git("remote.git", &["diff", "--name-status", "main", &branch]), "D\tbad-yaml/cm.yaml");
    assert_eq!(
        sandbox.git("remote.git", &["rev-parse", &format!("{branch}^{{tree}}")]),
        sandbox.git("work", &["rev-parse", "HEAD~1^{tree}"])
    );
}

#[test]
fn an_immutable_field_goes_back_to_what_was_applied_last() {
    let sandbox = Sandbox::new();
    let object = |label: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: cart-immutable\n  namespace: gitops-bad\nspec:\n  \
             selector:\n    matchLabels: {{app: {label}}}\n  template:\n    metadata:\n      labels: {{app: {label}}}\n    \
             spec:\n      containers:\n      - name: app\n        image: a:1\n"
        )
    };
    sandbox.repository(&[("immutable/cart.yaml", &object("cart"))]);
    let applied = sandbox.git("work", &["rev-parse", "HEAD"]);
    let bad = commit(&sandbox, "Rename the label", &[("immutable/cart.yaml", &object("basket"))]);
    let text = fs::read_to_string(Path::new(&recorded_gitops("flux-ks-immutable")).join("objects.json")).unwrap();
    let text = text.replace("a8cb8f954d4d4a36ecb354d3bf59f893b9426574", &applied);
    assert!(text.contains(&applied));
    sandbox.write("seen/objects.json", &text);
    let from = sandbox.path("seen").to_str().unwrap().to_owned();
    let report = propose(&sandbox, "kustomization/immutable", &from, &["-o", "json"]).exits(0).json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["reverts"]["id"], bad.as_str());
    assert_eq!(proposal["proof"]["delta"][0]["object"]["name"], "cart-immutable");
    assert_eq!(proposal["origin"]["path"], "immutable");
    assert_eq!(proposal["next"]["delivery"], "automatic");
}

#[test]
fn a_line_that_was_changed_again_is_refused_with_its_file() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest().replace("32Mi", "64Mi"))]);
    commit(&sandbox, "Save memory", &[("k8s/web.yaml", &oom_manifest())]);
    let worded = oom_manifest().replace("# small nodes", "# the nodes are small");
    commit(&sandbox, "Word it better", &[("k8s/web.yaml", &worded)]);
    let ran = propose(&sandbox, "deployment/web", &recorded("oom-killed"), &["--push", "--yes=review"]).exits(4);
    assert!(ran.out.contains("(revert-conflict)") && ran.out.contains("k8s/web.yaml was changed again"), "{}", ran.out);
    assert!(ran.out.contains("hint: take it back by hand: git revert"), "{}", ran.out);
    assert_eq!(pushed(&sandbox), "");
}

#[test]
fn other_environments_that_a_revert_changes_are_named() {
    let sandbox = Sandbox::new();
    let base = oom_manifest().replace("  namespace: cat-oom-killed\n", "");
    let overlay = |namespace: &str| format!("namespace: {namespace}\nresources: [../base]\n");
    sandbox.repository(&[
        ("base/web.yaml", &base.replace("32Mi", "64Mi")),
        ("base/kustomization.yaml", "resources: [web.yaml]\n"),
        ("prod/kustomization.yaml", &overlay("cat-oom-killed")),
        ("staging/kustomization.yaml", &overlay("staging")),
    ]);
    commit(&sandbox, "Save memory", &[("base/web.yaml", &base)]);
    let report = propose(&sandbox, "deployment/web", &recorded("oom-killed"), &["-o", "json"]).exits(0).json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["origin"]["path"], "prod");
    let review = proposal["intent"]["review"].to_string();
    assert!(review.contains("`staging` changes too"), "{review}");
}

#[test]
fn without_history_the_way_to_get_it_is_named() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest().replace("32Mi", "64Mi"))]);
    commit(&sandbox, "Save memory", &[("k8s/web.yaml", &oom_manifest())]);
    let remote = format!("file://{}", sandbox.path("remote.git").display());
    sandbox.git("", &["clone", "-q", "--depth=1", &remote, "shallow"]);
    let from = recorded("oom-killed");
    let ran = sandbox.aifix_in("shallow", &["propose", "deployment/web", "--revert", "--from", &from]).exits(4);
    assert!(ran.out.contains("(no-commit)") && ran.out.contains("git fetch --unshallow"), "{}", ran.out);
}

/// What Flux says of a release of `charts/web` whose chart does not render; its source is at `url`.
fn release(url: &str) -> String {
    let said = "Helm upgrade failed for release prod/web with chart web@0.1.0: template: \
                web/templates/config.yaml:6:14: executing \"web/templates/config.yaml\" at <.Values.level.name>: nil pointer";
    let ready = |reason: &str, message: &str, status: &str| {
        serde_json::json!([{"type": "Ready", "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-11-20T08:00:00Z"}])
    };
    let meta = |name: &str| serde_json::json!({"name": name, "namespace": "prod", "uid": name, "generation": 1});
    let source = serde_json::json!({"kind": "GitRepository", "name": "shop"});
    let chart = serde_json::json!({"spec": {"chart": "./charts/web", "sourceRef": source}});
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": meta("web"),
            "spec": {"chart": chart, "interval": "1m", "values": {"level": {"name": "info"}}},
            "status": {"observedGeneration": 1, "conditions": ready("UpgradeFailed", said, "False")}},
        {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": meta("shop"),
            "spec": {"url": url, "ref": {"branch": "main"}, "interval": "1m"},
            "status": {"observedGeneration": 1, "conditions": ready("Succeeded", "stored artifact", "True")}},
    ]})
    .to_string()
}

const TEMPLATE: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  level: {{ .Values.level.name }}\n";

fn chart(sandbox: &Sandbox) -> String {
    let about = "apiVersion: v2\nname: web\nversion: 0.1.0\n";
    sandbox.repository(&[("charts/web/Chart.yaml", about), ("charts/web/templates/config.yaml", TEMPLATE)]);
    let broken = TEMPLATE.replace("level.name }}", "level.name.first }}");
    commit(sandbox, "Name the level", &[("charts/web/templates/config.yaml", &broken)])
}

#[test]
fn a_chart_that_does_not_render_is_as_before_with_the_values_of_its_release() {
    let sandbox = Sandbox::new();
    let bad = chart(&sandbox);
    sandbox.write("seen/objects.json", &release("https://git.example.com/acme/shop"));
    let from = sandbox.path("seen").to_str().unwrap().to_owned();
    let report = propose(&sandbox, "helmrelease/web", &from, &["-o", "json"]).exits(0).json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["reverts"]["id"], bad.as_str());
    assert_eq!((&proposal["origin"]["path"], &proposal["origin"]["tool"]), (&"charts/web".into(), &"helm".into()));
    assert!(proposal["diff"].as_str().unwrap().contains("+  level: {{ .Values.level.name }}"), "{proposal:#}");
    assert!(proposal["next"]["commands"].to_string().contains("flux reconcile helmrelease web -n prod"));
}

/// A Deployment that runs what a HelmRelease of `prod/release.yaml` makes of `charts/web`.
fn running(sandbox: &Sandbox) -> String {
    let text = fs::read_to_string(Path::new(&recorded("oom-killed")).join("objects.json")).unwrap();
    let mut seen: serde_json::Value = serde_json::from_str(&text).unwrap();
    let items = seen["items"].as_array_mut().unwrap();
    let web = items.iter_mut().find(|item| item["kind"] == "Deployment").unwrap();
    web["metadata"]["labels"] = serde_json::json!({
        "helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": NAMESPACE});
    let source = serde_json::json!({"kind": "GitRepository", "name": "shop"});
    items.push(serde_json::json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": {"name": "web", "namespace": NAMESPACE, "labels": {
            "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": NAMESPACE}},
        "spec": {"chart": {"spec": {"chart": "./charts/web", "sourceRef": source}}, "values": {"memory": "32Mi"}}}));
    items.push(serde_json::json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": NAMESPACE}, "spec": {"path": "./prod", "sourceRef": source},
        "status": {"inventory": {"entries": [
            {"id": format!("{NAMESPACE}_web_helm.toolkit.fluxcd.io_HelmRelease"), "v": "v2"}]}}}));
    items.push(serde_json::json!({"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "shop", "namespace": NAMESPACE},
        "spec": {"url": "https://git.example.com/acme/shop", "ref": {"branch": "main"}}}));
    sandbox.write("seen.json", &seen.to_string()).to_str().unwrap().to_owned()
}

const NAMESPACE: &str = "cat-oom-killed";

#[test]
fn a_value_of_a_release_that_kills_is_as_before_its_commit() {
    let sandbox = Sandbox::new();
    let release = |memory: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: web\n  namespace: {NAMESPACE}\n\
             spec:\n  chart:\n    spec:\n      chart: ./charts/web\n      sourceRef: {{kind: GitRepository, name: shop}}\n  \
             values:\n    memory: {memory} # small nodes\n"
        )
    };
    sandbox.repository(&[
        ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("charts/web/templates/web.yaml", &oom_manifest().replace("32Mi", "{{ .Values.memory }}")),
        ("prod/release.yaml", &release("128Mi")),
    ]);
    let bad = commit(&sandbox, "Save memory", &[("prod/release.yaml", &release("32Mi"))]);
    let from = running(&sandbox);
    let report = propose(&sandbox, "deployment/web", &from, &["--push", "--yes=review", "-o", "json"]).exits(0).json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["reverts"]["id"], bad.as_str(), "{report:#}");
    assert_eq!(proposal["proof"]["delta"][0]["new"], "128Mi", "{report:#}");
    let branch = pushed(&sandbox);
    let file = sandbox.git("remote.git", &["show", &format!("{branch}:prod/release.yaml")]);
    assert_eq!(file.trim_end(), release("128Mi").trim_end());
    assert_eq!(sandbox.git("remote.git", &["diff", "--numstat", "main", &branch]), "1\t1\tprod/release.yaml");
}

#[test]
fn a_post_renderer_that_names_nothing_is_as_before() {
    let sandbox = Sandbox::new();
    let release_file = |name: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: web\n  namespace: prod\nspec:\n  \
             interval: 1m\n  chart:\n    spec:\n      chart: ./charts/web\n      sourceRef: {{kind: GitRepository, name: shop}}\n  \
             values: {{level: {{name: info}}}}\n  postRenderers:\n  - kustomize:\n      patches:\n      - patch: |\n          \
             apiVersion: v1\n          kind: ConfigMap\n          metadata:\n            name: {name}\n          \
             data:\n            team: shop\n"
        )
    };
    sandbox.repository(&[
        ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
        ("charts/web/templates/config.yaml", TEMPLATE),
        ("prod/release.yaml", &release_file("web")),
    ]);
    let bad = commit(&sandbox, "Rename the patch", &[("prod/release.yaml", &release_file("wbe"))]);
    let said = "Helm upgrade failed for release prod/web with chart web@0.1.0: error while running post render on \
                manifests: no resource matches strategic merge patch \\\"ConfigMap.v1.[noGrp]/wbe.[noNs]\\\"";
    let text = release("https://git.example.com/acme/shop");
    let from = text.find("Helm upgrade failed").unwrap();
    let to = from + text[from..].find(": nil pointer").unwrap() + ": nil pointer".len();
    let text = format!("{}{said}{}", &text[..from], &text[to..]);
    let mut seen: serde_json::Value = serde_json::from_str(&text).unwrap();
    seen["items"][0]["metadata"]["labels"] = serde_json::json!({
        "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "prod"});
    seen["items"].as_array_mut().unwrap().push(serde_json::json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "prod", "uid": "apps", "generation": 1},
        "spec": {"path": "./prod", "interval": "1m", "sourceRef": {"kind": "GitRepository", "name": "shop"}},
        "status": {"observedGeneration": 1, "lastAttemptedRevision": format!("main@sha1:{bad}"),
            "inventory": {"entries": [{"id": "prod_web_helm.toolkit.fluxcd.io_HelmRelease", "v": "v2"}]}}}));
    sandbox.write("seen/objects.json", &seen.to_string());
    let from = sandbox.path("seen").to_str().unwrap().to_owned();
    let report = propose(&sandbox, "helmrelease/web", &from, &["-o", "json"]).exits(0).json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["reverts"]["id"], bad.as_str(), "{report:#}");
    assert!(proposal["diff"].as_str().unwrap().contains("+            name: web"), "{proposal:#}");
}

#[test]
fn a_release_that_fails_for_another_reason_is_not_taken_back() {
    let sandbox = Sandbox::new();
    chart(&sandbox);
    let text = release("https://git.example.com/acme/shop").replace("template: web/templates", "timed out: web");
    sandbox.write("seen/objects.json", &text);
    let from = sandbox.path("seen").to_str().unwrap().to_owned();
    let ran = propose(&sandbox, "helmrelease/web", &from, &[]).exits(4);
    assert!(ran.out.contains("(no-commit)") && ran.out.contains("fails to render"), "{}", ran.out);
}

#[test]
fn what_a_controller_reads_elsewhere_is_not_taken_back_here() {
    let server = crate::forge_server::ForgeServer::start(crate::forge_server::Plays::GitHub);
    let sandbox = crate::forge::sandbox(&server);
    sandbox.write("seen/objects.json", &release("https://git.example.com/acme/other"));
    let from = sandbox.path("seen").to_str().unwrap().to_owned();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.env("GIT_SSH_COMMAND", sandbox.path("bin/ssh")).current_dir(sandbox.path("work"));
    let ran = Ran::of(&command.args(["propose", "helmrelease/web", "--revert", "--from", &from]).output().unwrap());
    let ran = ran.exits(4);
    assert!(ran.out.contains("(repo-mismatch)") && ran.out.contains("acme/other"), "{}", ran.out);
}
