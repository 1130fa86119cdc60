//! Every recorded failure of a real cluster, diagnosed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a recording that can't be read is a failed test")]

use aifix::diagnose::Diagnosis;
use aifix::model::finding::Finding;
use aifix::model::kube::Keyed;
use aifix::model::snapshot::{LogLine, LogTail, Scope, Snapshot};
use serde_json::Value;
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

/// A snapshot of these objects with the recording's logs and clock.
fn snapshot(name: &str, objects: Vec<Value>) -> Snapshot {
    let mut out = Snapshot::new(name, Scope::All);
    let namespace = objects.iter().find_map(|o| o["metadata"]["namespace"].as_str()).unwrap_or_default().to_owned();
    for object in objects {
        match object["kind"].as_str().unwrap() {
            "Pod" => out.pods.push(serde_json::from_value(object).unwrap()),
            "Event" => out.events.push(serde_json::from_value(object).unwrap()),
            "ConfigMap" => out.config_maps.extend(Keyed::from_value(&object)),
            "Secret" => out.secrets.extend(Keyed::from_value(&object)),
            kind => {
                let list = out.objects.entry(kind.to_owned()).or_default();
                list.push(serde_json::from_value(object.clone()).unwrap());
            }
        }
    }
    let dir = folder().join(name);
    out.taken_at = text(&dir.join("taken-at")).and_then(|at| at.trim().parse().ok());
    out.logs = logs(&text(&dir.join("logs.txt")).unwrap_or_default(), &namespace);
    out
}

fn logs(text: &str, namespace: &str) -> Vec<LogTail> {
    let mut out: Vec<LogTail> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("== pod/") {
            let mut words = head.split(' ');
            out.push(LogTail {
                namespace: namespace.to_owned(),
                pod: words.next().unwrap().to_owned(),
                container: words.next().unwrap().trim_start_matches("container=").to_owned(),
                previous: words.next() == Some("--previous"),
                lines: Vec::new(),
            });
        } else if let Some(tail) = out.last_mut() {
            let (at, said) = match line.split_once(' ') {
                Some((at, said)) if at.parse::<jiff::Timestamp>().is_ok() => (at.parse().ok(), said),
                _ => (None, line),
            };
            tail.lines.push(LogLine { at, text: said.to_owned() });
        }
    }
    out
}

fn recorded(name: &str) -> Snapshot {
    snapshot(name, objects(name))
}

fn of_code<'d>(found: &'d Diagnosis, code: &str) -> Option<&'d Finding> {
    found.findings.iter().find(|finding| finding.code.name() == code)
}

/// Changes each object of a kind.
fn edited(name: &str, kind: &str, edit: impl Fn(&mut Value)) -> Snapshot {
    let mut all = objects(name);
    all.iter_mut().filter(|object| object["kind"] == kind).for_each(edit);
    snapshot(name, all)
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
    snapshot(name, all)
}
