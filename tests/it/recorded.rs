//! Every recorded failure of a real cluster, diagnosed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a recording that can't be read is a failed test")]

use aifix::cluster::files::load;
use aifix::diagnose::Diagnosis;
use aifix::model::finding::Finding;
use aifix::model::snapshot::Snapshot;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

mod answered;
mod classes;
mod decided;
mod diagnosis;
mod fixes;
mod follows;
mod hidden;
mod made;
mod objects;
mod offers;
mod outcomes;
mod pod_rules;
mod pods;
mod policies;
mod rules;
mod told;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")
}

fn text(path: &std::path::Path) -> Option<String> {
    String::from_utf8(aifix::doors::files::read(path).ok()?).ok()
}

fn names() -> Vec<String> {
    aifix::doors::files::list(&folder()).unwrap()
}

/// The objects of a recording, as the API gave them.
fn objects(name: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(&text(&folder().join(name).join("objects.json")).unwrap()).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// What the containers of a recording wrote.
fn logs(name: &str) -> String {
    text(&folder().join(name).join("logs.txt")).unwrap_or_default()
}

/// A snapshot of these objects with the recording's logs and clock.
fn snapshot(name: &str, objects: &[Value]) -> Snapshot {
    snapshot_with(name, objects, &logs(name))
}

/// The same with other logs, read from files as `scan --from` reads them.
fn snapshot_with(name: &str, objects: &[Value], logs: &str) -> Snapshot {
    let own = tempfile::tempdir().unwrap();
    let (from, to) = (folder().join(name).join("taken-at"), own.path().join(name));
    fs::create_dir(&to).unwrap();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    fs::write(to.join("objects.json"), list.to_string()).unwrap();
    fs::write(to.join("logs.txt"), logs).unwrap();
    if from.exists() {
        fs::copy(from, to.join("taken-at")).unwrap();
    }
    load(&to, None).unwrap()
}

fn recorded(name: &str) -> Snapshot {
    load(&folder().join(name), None).unwrap()
}

fn of_code<'d>(found: &'d Diagnosis, code: &str) -> Option<&'d Finding> {
    found.findings.iter().find(|finding| finding.code.name() == code)
}

/// Changes each object of a kind.
fn edited(name: &str, kind: &str, edit: impl Fn(&mut Value)) -> Snapshot {
    let mut all = objects(name);
    all.iter_mut().filter(|object| object["kind"] == kind).for_each(edit);
    snapshot(name, &all)
}

/// A recording with a second owner that has the same fault: `api` beside `web`.
fn twice(name: &str) -> Snapshot {
    let mut all = objects(name);
    let copy = |object: &Value| {
        let text = object.to_string().replace("\"web", "\"api");
        let mut twin: Value = serde_json::from_str(&text).unwrap();
        let again = |uid: &Value| Value::String(format!("{}-2", uid.as_str().unwrap()));
        twin["metadata"]["uid"] = again(&twin["metadata"]["uid"]);
        for owner in twin["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
            owner["uid"] = again(&owner["uid"]);
        }
        twin
    };
    let kinds = ["Pod", "ReplicaSet", "Deployment"];
    let twins: Vec<Value> = all.iter().filter(|o| kinds.contains(&o["kind"].as_str().unwrap())).map(copy).collect();
    all.extend(twins);
    snapshot(name, &all)
}
