//! Exported records at a real API server: it takes the definition, and each object whole.

use crate::kit::{Repository, aifix, kubectl, lab, run, wait};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The definition in the cluster, taken away when it is dropped.
struct Definition;

impl Definition {
    fn apply(file: &Path) -> Self {
        let there = Self;
        let text = kubectl(&["apply", "--server-side", "-f", file.to_str().unwrap()]);
        assert!(text.contains("aifixes.aifix.dev"), "{text}");
        // Right after its creation it has no conditions, which `kubectl wait` takes for an error.
        let conditions = wait("the definition to be established", Duration::from_secs(60), || {
            let state = kubectl(&["get", "crd", "aifixes.aifix.dev", "-o", "json"]);
            let state: Value = serde_json::from_str(&state).unwrap();
            let conditions = state["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let is_established = |one: &Value| one["type"] == "Established" && one["status"] == "True";
            if conditions.iter().any(is_established) { Ok(conditions) } else { Err(state["status"].to_string()) }
        });
        let structural = conditions.iter().all(|one| one["type"] != "NonStructuralSchema");
        assert!(structural, "the schema is not structural: {conditions:#?}");
        there
    }
}

impl Drop for Definition {
    fn drop(&mut self) {
        let _ = Command::new("kubectl").args(["delete", "crd", "aifixes.aifix.dev", "--wait=false"]).output();
    }
}

/// A dry run of one file, strictly: an unknown field is an error.
fn try_out(file: &Path) -> Result<Value, String> {
    let output = Command::new("kubectl")
        .args(["create", "-n", "default", "--dry-run=server", "--validate=strict", "-o", "json", "-f"])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(text(&output.stderr))
    }
}

#[test]
fn an_api_server_takes_the_definition_and_each_exported_record_whole() {
    let _ = lab("AIFIX_LAB_SERVER");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let demo = root.join("src/commands/demo");
    let cart = fs::read_to_string(demo.join("repository/apps/cart.yaml")).unwrap();
    let repository = Repository::new("records", &[("apps/cart.yaml", cart)]);
    let (work, from) = (repository.work(), demo.join("snapshot.json"));
    let propose = ["propose", "deployment/cart", "--from", from.to_str().unwrap(), "--push", "--yes=review"];
    aifix(&work, &propose).exits(0);
    aifix(&work, &propose).exits(4);
    let report = aifix(&work, &["audit", "list", "--phase", "pushed", "-o", "json"]).exits(0).json();
    let entries = report["items"][0]["status"]["entries"].as_array().unwrap();
    repository.merge(entries.last().unwrap()["body"]["branch"].as_str().unwrap());
    aifix(&work, &["status"]);

    let write = |name: &str, args: &[&str]| {
        let file = work.join("..").join(name);
        fs::write(&file, aifix(&work, args).exits(0).out).unwrap();
        file
    };
    let _definition = Definition::apply(&write("crd.yaml", &["schema", "--crd"]));
    wait("the API server to serve the kind", Duration::from_secs(30), || {
        let answer = Command::new("kubectl").args(["get", "aifixes", "-n", "default"]).output().unwrap();
        if answer.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&answer.stderr).into_owned()) }
    });
    let list = aifix(&work, &["audit", "list", "-o", "json"]).exits(0).json();
    for record in list["items"].as_array().unwrap() {
        let id = record["metadata"]["name"].as_str().unwrap();
        let file = write("record.yaml", &["audit", "export", id]);
        let taken = try_out(&file).unwrap_or_else(|error| panic!("{error}\n{}", fs::read_to_string(&file).unwrap()));
        assert_eq!(taken["spec"], record["spec"], "nothing is pruned");
        assert_eq!(taken["status"], record["status"], "nothing is pruned");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replacen("\n  phase: ", "\n  phase: not-", 1)).unwrap();
        let error = try_out(&file).unwrap_err();
        assert!(error.contains("status.phase"), "{error}");
        let file = write("map.yaml", &["audit", "export", id, "-o", "configmap"]);
        let map = try_out(&file).unwrap();
        assert_eq!(map["metadata"]["name"], format!("aifix-{id}"));
    }
    let merged = list["items"].as_array().unwrap().iter().find(|record| record["status"]["phase"] == "merged").unwrap();
    assert_eq!(merged["status"]["deployment"]["baseBranch"], "main", "{:#}", merged["status"]);
    run(Command::new("kubectl").args(["explain", "aifix.spec.context.snapshot"]));
    run(Command::new("kubectl").args(["explain", "aifix.status.deployment.mergeCommit"]));
}
