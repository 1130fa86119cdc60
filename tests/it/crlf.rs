//! `propose`: a script of a ConfigMap whose lines end as on Windows, from the log to the pushed branch.

use crate::harness::{Ran, Sandbox, recorded};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n  namespace: cat-script-crlf\ndata:\n";
const GENERATED: &str = "namespace: cat-script-crlf\ngeneratorOptions: {disableNameSuffixHash: true}\n\
    configMapGenerator:\n- name: b\n  files: [run.sh]\n";

/// The recording with other data in the ConfigMap.
fn seen(sandbox: &Sandbox, edit: impl Fn(&mut Value)) -> String {
    let folder = recorded("script-crlf");
    let mut list: Value =
        serde_json::from_str(&fs::read_to_string(Path::new(&folder).join("objects.json")).unwrap()).unwrap();
    list["items"].as_array_mut().unwrap().iter_mut().for_each(edit);
    sandbox.write("seen/objects.json", &list.to_string());
    for name in ["logs.txt", "taken-at"] {
        let text = fs::read_to_string(Path::new(&folder).join(name)).unwrap();
        sandbox.write(&format!("seen/{name}"), &text);
    }
    sandbox.path("seen").to_str().unwrap().to_owned()
}

fn data(object: &mut Value) -> Option<&mut Value> {
    (object["kind"] == "ConfigMap").then(|| &mut object["data"])
}

fn propose(sandbox: &Sandbox, from: &str, more: &[&str]) -> Ran {
    sandbox.aifix_in("work", &[&["propose", "deployment/web", "--from", from][..], more].concat())
}

/// The branch of aifix on the remote, and the lines that it takes and adds.
fn pushed(sandbox: &Sandbox) -> (String, Vec<String>) {
    let branch = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads/aifix"]);
    let diff = sandbox.git("remote.git", &["diff", "-U0", "main", &branch]);
    let is_changed = |line: &&str| line.starts_with(['-', '+']) && !line.starts_with("---") && !line.starts_with("+++");
    let changed = diff.split('\n').filter(is_changed).map(str::to_owned).collect();
    (branch, changed)
}

#[test]
fn the_key_that_runs_is_pushed_without_carriage_returns_and_nothing_else() {
    let sandbox = Sandbox::new();
    let others =
        "  start.bat: \"@echo off\\r\\nstart\\r\\n\"\n  get.http: \"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\"\n";
    let map = format!("{MAP}  # Kept by the shop.\n  run.sh: \"#!/bin/sh\\r\\necho ${{HOME}}\\r\\n\"\n{others}");
    sandbox.repository(&[("k8s/scripts.yaml", &map)]);
    let from = seen(&sandbox, |object| {
        if let Some(data) = data(object) {
            *data = json!({"run.sh": "#!/bin/sh\r\necho ${HOME}\r\n", "start.bat": "@echo off\r\nstart\r\n",
                "get.http": "GET / HTTP/1.1\r\nHost: x\r\n\r\n"});
        }
    });
    let report = propose(&sandbox, &from, &["--push", "--yes=review", "-o", "json"]).exits(0).json();
    let proposal = &report["proposals"][0];
    assert_eq!(proposal["finding"]["code"], "script-crlf");
    assert_eq!(proposal["intent"]["object"]["kind"], "ConfigMap");
    let edit = &proposal["intent"]["edits"][0];
    assert_eq!((&edit["path"], &edit["op"]), (&json!("data[\"run.sh\"]"), &json!("lf")), "{proposal:#}");
    assert_eq!(proposal["disposition"], "review");
    let (branch, changed) = pushed(&sandbox);
    assert!(branch.starts_with("aifix/cat-script-crlf/configmap-b/script-crlf-"), "{branch}");
    let want = ["-  run.sh: \"#!/bin/sh\\r\\necho ${HOME}\\r\\n\"", "+  run.sh: \"#!/bin/sh\\necho ${HOME}\\n\""];
    assert_eq!(changed, want);
    let message = sandbox.git("remote.git", &["log", "-1", "--format=%B", &branch]);
    assert_eq!(
        message.lines().next(),
        Some("ConfigMap cat-script-crlf/b: write run.sh with Unix line ends"),
        "{message}"
    );
    let told = sandbox.aifix(&["audit", "show", proposal["record"].as_str().unwrap()]).exits(0).out;
    assert!(told.contains("its lines without carriage returns"), "{told}");
}

#[test]
fn what_kubectl_folded_loses_its_carriage_returns_alone() {
    let sandbox = Sandbox::new();
    // As `kubectl create configmap --dry-run=client -o yaml` writes it.
    let map =
        format!("{MAP}  run.sh: \"#!/bin/sh\\r\\necho one two three\n    four \\\"five\\\"\\r\\nx=\\\\r\\r\\n\"\n");
    sandbox.repository(&[("k8s/scripts.yaml", &map)]);
    let ran = propose(&sandbox, &recorded("script-crlf"), &["--push", "--yes=review"]).exits(0);
    assert!(ran.out.contains("its first line ends in a carriage return"), "{}", ran.out);
    let (_, changed) = pushed(&sandbox);
    let want = [
        "-  run.sh: \"#!/bin/sh\\r\\necho one two three",
        "-    four \\\"five\\\"\\r\\nx=\\\\r\\r\\n\"",
        "+  run.sh: \"#!/bin/sh\\necho one two three",
        "+    four \\\"five\\\"\\nx=\\\\r\\n\"",
    ];
    assert_eq!(changed, want);
}

#[test]
fn a_generator_s_file_is_written_anew_as_a_whole() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[
        ("k8s/kustomization.yaml", GENERATED),
        ("k8s/run.sh", "#!/bin/sh\r\necho hi\r\n"),
        ("k8s/unused.bat", "@echo off\r\n"),
    ]);
    propose(&sandbox, &recorded("script-crlf"), &["--push", "--yes=review"]).exits(0);
    let (branch, changed) = pushed(&sandbox);
    assert_eq!(changed, ["-#!/bin/sh\r", "-echo hi\r", "+#!/bin/sh", "+echo hi"]);
    assert_eq!(sandbox.git("remote.git", &["diff", "--name-only", "main", &branch]), "k8s/run.sh");
}

#[test]
fn a_literal_of_a_generator_is_edited_in_place() {
    let sandbox = Sandbox::new();
    let kustomization = GENERATED.replace("files: [run.sh]", "literals:\n  - \"run.sh=#!/bin/sh\\r\\necho hi\\r\\n\"");
    sandbox.repository(&[("k8s/kustomization.yaml", &kustomization)]);
    propose(&sandbox, &recorded("script-crlf"), &["--push", "--yes=review"]).exits(0);
    let want = ["-  - \"run.sh=#!/bin/sh\\r\\necho hi\\r\\n\"", "+  - \"run.sh=#!/bin/sh\\necho hi\\n\""];
    assert_eq!(pushed(&sandbox).1, want);
}

#[test]
fn a_name_with_a_hash_follows_the_new_text() {
    let sandbox = Sandbox::new();
    let kustomization =
        GENERATED.replace("generatorOptions: {disableNameSuffixHash: true}\n", "resources: [web.yaml]\n");
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  \
        template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - name: app\n        \
        image: busybox:1.36\n        command: [/b/run.sh]\n        volumeMounts: [{name: v, mountPath: /b}]\n      \
        volumes: [{name: v, configMap: {name: b, defaultMode: 493}}]\n";
    sandbox.repository(&[
        ("k8s/kustomization.yaml", &kustomization),
        ("k8s/web.yaml", web),
        ("k8s/run.sh", "#!/bin/sh\r\necho hi\r\n"),
    ]);
    let from = seen(&sandbox, |object| {
        let text = object.to_string().replace(
            "\"configMap\":{\"defaultMode\":493,\"name\":\"b\"",
            "\"configMap\":{\"defaultMode\":493,\"name\":\"b-b5m459hdcm\"",
        );
        *object = serde_json::from_str(&text).unwrap();
        if object["kind"] == "ConfigMap" {
            object["metadata"]["name"] = json!("b-b5m459hdcm");
        }
    });
    let report = propose(&sandbox, &from, &["--push", "--yes=review", "-o", "json"]).exits(0).json();
    let proof = &report["proposals"][0]["proof"];
    assert!(proof["companions"].to_string().contains("configMap.name"), "{proof:#}");
    assert_eq!(pushed(&sandbox).1, ["-#!/bin/sh\r", "-echo hi\r", "+#!/bin/sh", "+echo hi"]);
}

#[test]
fn what_other_environments_read_is_changed_only_when_that_is_allowed() {
    let sandbox = Sandbox::new();
    let map =
        format!("{MAP}  run.sh: \"#!/bin/sh\\r\\necho hi\\r\\n\"\n").replace("  namespace: cat-script-crlf\n", "");
    let overlay = |namespace: &str| format!("namespace: {namespace}\nresources: [../base]\n");
    sandbox.repository(&[
        ("base/kustomization.yaml", "resources: [scripts.yaml]\n"),
        ("base/scripts.yaml", &map),
        ("prod/kustomization.yaml", &overlay("cat-script-crlf")),
        ("dev/kustomization.yaml", &overlay("dev")),
    ]);
    let from = recorded("script-crlf");
    let refused = propose(&sandbox, &from, &["-o", "json"]).exits(4).json();
    let refusal = &refused["proposals"][0]["refusal"];
    assert_eq!(refusal["code"], "wide-blast", "{refusal}");
    assert!(refusal["hint"].as_str().unwrap().contains("--allow-shared"), "{refusal}");
    propose(&sandbox, &from, &["--allow-shared", "--push", "--yes=review"]).exits(0);
    let (branch, _) = pushed(&sandbox);
    assert_eq!(sandbox.git("remote.git", &["diff", "--name-only", "main", &branch]), "base/scripts.yaml");
}

#[test]
fn a_script_that_git_has_right_or_not_at_all_is_refused_by_name() {
    let code = |map: &str| {
        let sandbox = Sandbox::new();
        sandbox.repository(&[("k8s/scripts.yaml", map)]);
        let out = propose(&sandbox, &recorded("script-crlf"), &["-o", "json"]).exits(4).json();
        out["proposals"][0]["refusal"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(&format!("{MAP}  run.sh: |\n    #!/bin/sh\n    echo hi\n")), "already-fixed");
    assert_eq!(code(&MAP.replace("\ndata:\n", "\ndata: {other: x}\n")), "not-explained");
    assert_eq!(code(&MAP.replace("name: b", "name: c")), "no-owner-in-git");
}

#[test]
fn a_script_of_a_megabyte_and_what_looks_like_a_secret_in_it() {
    let sandbox = Sandbox::new();
    let line = "echo 0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
    let script = format!("#!/bin/sh\r\nexport DB_PASSWORD=hunter2canary9\r\n{}", line.repeat(900_000 / line.len()));
    let mixed = format!("{script}echo the end\n");
    sandbox.repository(&[("k8s/kustomization.yaml", GENERATED), ("k8s/run.sh", &mixed)]);
    let from = seen(&sandbox, |object| {
        if let Some(data) = data(object) {
            data["run.sh"] = json!(mixed);
        }
    });
    let ran = propose(&sandbox, &from, &["--push", "--yes=review"]).exits(0);
    assert!(ran.out.contains("end in a carriage return: one may be meant"), "{}", &ran.out[..2000.min(ran.out.len())]);
    let (branch, _) = pushed(&sandbox);
    let file = sandbox.git("remote.git", &["show", &format!("{branch}:k8s/run.sh")]);
    assert_eq!(file, mixed.replace("\r\n", "\n").trim_end());
    let message = sandbox.git("remote.git", &["log", "-1", "--format=%B", &branch]);
    let kept = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).out;
    assert!(!message.contains("hunter2") && !kept.contains("hunter2"), "{message}");
    let scan = sandbox.aifix(&["scan", "--from", &from, "-o", "json"]).out;
    assert!(!scan.contains("hunter2") && !scan.contains("0123456789"), "no value is kept");
}

/// The recording, failing over a file of the ConfigMap that does not parse.
fn unparsed(sandbox: &Sandbox) -> String {
    let from = seen(sandbox, |object| {
        if let Some(data) = data(object) {
            *data = json!({"a.conf": "user nobody;\nservr {}\n"});
        }
    });
    let log = fs::read_to_string(sandbox.path("seen/logs.txt")).unwrap();
    let said = "nginx: [emerg] unknown directive \"servr\" in /b/a.conf:2";
    sandbox.write("seen/logs.txt", &log.replace("exec /b/run.sh: no such file or directory", said));
    from
}

fn commit(sandbox: &Sandbox, subject: &str, text: &str) -> String {
    sandbox.write("work/k8s/conf.yaml", text);
    sandbox.git("work", &["add", "-A"]);
    sandbox.git("work", &["commit", "-qm", subject]);
    sandbox.git("work", &["push", "-q", "origin", "main"]);
    sandbox.git("work", &["rev-parse", "HEAD"])
}

#[test]
fn the_commit_that_broke_a_configuration_file_is_offered_and_taken_back() {
    let sandbox = Sandbox::new();
    let map = |line: &str| format!("{MAP}  a.conf: |\n    user nobody;\n    {line}\n");
    sandbox.repository(&[("k8s/conf.yaml", &map("server {}")), ("k8s/other.yaml", &MAP.replace("name: b", "name: c"))]);
    let bad = commit(&sandbox, "Tidy the server", &map("servr {}"));
    let from = unparsed(&sandbox);
    let refused = propose(&sandbox, &from, &["-o", "json"]).exits(4).json();
    assert_eq!(refused["proposals"][0]["finding"]["code"], "crash-config-parse");
    let hint = refused["proposals"][0]["refusal"]["hint"].as_str().unwrap();
    assert_eq!(hint, "read key a.conf of ConfigMap b, or take back the commit that changed it: --revert");
    propose(&sandbox, &from, &["--revert", "--push", "--yes"]).exits(7);
    let ran = propose(&sandbox, &from, &["--revert", "--push", "--yes=review"]).exits(0);
    assert!(ran.out.contains("nothing says that ConfigMap cat-script-crlf/b worked"), "{}", ran.out);
    let (branch, changed) = pushed(&sandbox);
    assert_eq!(changed, ["-    servr {}", "+    server {}"]);
    let message = sandbox.git("remote.git", &["log", "-1", "--format=%B", &branch]);
    assert!(message.starts_with("Revert \"Tidy the server\"\n") && message.contains(&bad), "{message}");
}

#[test]
fn a_configuration_that_no_commit_changed_is_not_taken_away() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/other.yaml", &MAP.replace("name: b", "name: c"))]);
    commit(&sandbox, "Add the server", &format!("{MAP}  a.conf: |\n    user nobody;\n    servr {{}}\n"));
    let from = unparsed(&sandbox);
    let refused = propose(&sandbox, &from, &["--revert", "-o", "json"]).exits(4).json();
    let refusal = &refused["proposals"][0]["refusal"];
    assert_eq!(refusal["code"], "no-commit", "{refusal}");
    assert!(refusal["message"].as_str().unwrap().contains("is the one that made ConfigMap"), "{refusal}");
}
