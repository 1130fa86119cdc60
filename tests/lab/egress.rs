//! Every connection of a run, seen from a network namespace of its own.

use crate::forge::api;
use crate::kit::{GIT_ENVIRONMENT, Namespace, Repository, aifix, failing, faults, lab, wait};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a run tried to reach, its exit code and its output.
struct Fenced {
    code: i32,
    out: String,
    reached: BTreeSet<String>,
    connections: usize,
}

/// `tcp 127.0.0.1:16443` of a URL.
fn place(url: &str) -> String {
    format!("tcp {}", url.split("://").nth(1).unwrap().split('/').next().unwrap())
}

/// Runs aifix where only the laboratory's servers can be reached, with a model and a forge configured.
fn fenced(folder: &Path, args: &[&str]) -> Fenced {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/servers/fence.py");
    let list = folder.join("../reached");
    let urls = ["AIFIX_LAB_SERVER", "AIFIX_LAB_GITEA_URL", "AIFIX_LAB_LLM_URL"].map(lab);
    let ports = urls.iter().filter(|url| !url.is_empty()).map(|url| place(url).rsplit(':').next().unwrap().to_owned());
    let output = Command::new("python3")
        .arg(script)
        .arg(&list)
        .args(ports)
        .args(["--", env!("CARGO_BIN_EXE_aifix")])
        .args(args)
        .current_dir(folder)
        .env("AIFIX_STATE_DIR", folder.join("../state"))
        .env("AIFIX_FORGE_TOKEN", lab("AIFIX_LAB_GITEA_TOKEN"))
        .env("AIFIX_LLM_URL", lab("AIFIX_LAB_LLM_URL"))
        .env("AIFIX_LLM_MODEL", "lab")
        .envs(GIT_ENVIRONMENT)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let listed = fs::read_to_string(&list).unwrap_or_default();
    let listed: Vec<(&str, &str)> = listed.lines().map(|line| line.rsplit_once(' ').unwrap()).collect();
    let reached = listed.iter().map(|(place, _)| (*place).to_owned()).collect();
    let connections = listed.iter().map(|(_, times)| times.parse::<usize>().unwrap()).sum();
    // What is said comes first: a document ends the text.
    let out = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let _ = fs::remove_file(list);
    Fenced { code: output.status.code().unwrap(), out, reached, connections }
}

/// A repository at the forge with a kustomization of the fault.
fn repository(namespace: &str) -> Repository {
    let owner = lab("AIFIX_LAB_GITEA_USER");
    let name = format!("egress-{}", std::process::id());
    api("POST", &format!("admin/users/{owner}/repos"), &json!({"name": name, "default_branch": "main"}));
    let manifests = fs::read_to_string(faults().join("configmap-missing.yaml")).unwrap();
    let kustomization = format!("namespace: {namespace}\nresources:\n- billing.yaml\n");
    Repository::at_the_forge(
        &format!("{owner}/{name}"),
        &[("k8s/billing.yaml", manifests), ("k8s/kustomization.yaml", kustomization)],
    )
}

#[test]
fn no_run_reaches_a_host_that_the_doctor_did_not_name() {
    let namespace = Namespace::new("egress");
    let fault = faults().join("configmap-missing.yaml");
    namespace.kubectl(&["apply", "-f", fault.to_str().unwrap()]);
    wait("the fault to be seen", Duration::from_secs(90), || {
        let ran = aifix(Path::new("."), &["scan", "-n", &namespace.0, "-o", "json"]);
        if failing(&ran.json()).is_empty() { Err(ran.out) } else { Ok(()) }
    });
    let repository = repository(&namespace.0);
    let work = repository.work();
    let n = namespace.0.as_str();
    let [cluster, forge, model] = ["AIFIX_LAB_SERVER", "AIFIX_LAB_GITEA_URL", "AIFIX_LAB_LLM_URL"]
        .map(|name| Some(lab(name)).filter(|url| !url.is_empty()).map(|url| place(&url)));
    let set = |places: &[&Option<String>]| -> BTreeSet<String> { places.iter().copied().flatten().cloned().collect() };

    let doctor = fenced(&work, &["doctor", "-n", n]);
    assert_eq!(doctor.code, 0, "{}", doctor.out);
    assert_eq!(doctor.reached, set(&[&cluster, &forge]));
    let named = |place: &str| doctor.out.contains(place.trim_start_matches("tcp "));
    assert!([&cluster, &forge, &model].iter().copied().flatten().all(|place| named(place)), "{}", doctor.out);

    let scan = fenced(&work, &["scan", "-n", n, "--source"]);
    assert_eq!((scan.code, scan.reached), (1, set(&[&cluster])), "{}", scan.out);
    // Over HTTP/2 all requests share one.
    assert_eq!(scan.connections, 1, "{}", scan.out);
    let explain = fenced(&work, &["explain", "deployment/billing", "-n", n]);
    assert_eq!((explain.code, explain.reached), (0, set(&[&cluster, &model])), "{}", explain.out);
    let proposed =
        fenced(&work, &["propose", "deployment/billing", "-n", n, "--push", "--yes=review", "--pr", "-o", "json"]);
    assert_eq!(proposed.code, 0, "{}", proposed.out);
    let reached = set(&[&cluster, &forge, &model]);
    assert!(proposed.reached.is_subset(&reached) && set(&[&cluster, &forge]).is_subset(&proposed.reached));
    let report: Value = serde_json::from_str(&proposed.out[proposed.out.find('{').unwrap()..]).unwrap();
    assert!(report["proposals"][0]["pullRequest"].is_object(), "{}", proposed.out);

    let status = fenced(&work, &["status", "--all"]);
    assert_eq!((status.code, status.reached), (0, set(&[&cluster, &forge])), "{}", status.out);
    let snapshot = fenced(&work, &["snapshot", "-n", n, "--file", "../snapshot.json"]);
    assert_eq!((snapshot.code, snapshot.reached), (0, set(&[&cluster])), "{}", snapshot.out);
    let tried = fenced(&work, &["propose", "deployment/billing", "-n", n, "--server-dry-run"]);
    assert!(tried.reached.is_subset(&reached), "{:?}\n{}", tried.reached, tried.out);

    // A policy that would send what it reads has nowhere to send it.
    let hostile = "package main\n\nimport rego.v1\n\ndeny contains msg if {\n\tmsg := http.send({\"method\": \"post\", \
                   \"url\": \"SERVER\", \"body\": input}).raw_body\n}\n";
    fs::create_dir(work.join("../policies")).unwrap();
    fs::write(work.join("../policies/send.rego"), hostile.replace("SERVER", &lab("AIFIX_LAB_GITEA_URL"))).unwrap();
    let sent = fenced(&work, &["policy", "check", "k8s/billing.yaml", "--policy", "../policies"]);
    assert_eq!((sent.code, sent.reached), (5, BTreeSet::new()), "{}", sent.out);

    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/oom-killed");
    for offline in [
        &["scan", "--from", recorded.to_str().unwrap(), "--output", "json"][..],
        &["codes", "oom-killed"],
        &["policy", "list"],
        &["policy", "check", "k8s/billing.yaml"],
        &["audit", "verify"],
        &["audit", "patterns"],
        &["policy", "suggest"],
        &["doctor", "--rbac", "-n", n],
        &["demo", "--yes"],
    ] {
        let ran = fenced(&work, offline);
        assert_eq!(ran.reached, BTreeSet::new(), "{offline:?}\n{}", ran.out);
        assert!(matches!(ran.code, 0 | 1), "{offline:?} exits {}\n{}", ran.code, ran.out);
    }
}
