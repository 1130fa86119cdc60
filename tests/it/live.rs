//! Live equals recorded: what a scan asks for is enough to see each recorded failure.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use crate::api_server::ApiServer;
use crate::harness::{Sandbox, recorded};
use aifix::doors::files;
use serde_json::Value;
use std::path::Path;

/// Recordings whose failure a scan does not ask for, and why; `explain` of the object does.
const ASKED_BY_NAME: [(&str, &str); 1] = [(
    "oom-child-killed",
    "only the log of a container that is ready tells it, and a scan reads no log of what is well",
)];

fn sandbox(server: &ApiServer) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.use_kubeconfig(&format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\n\
         contexts: [{{name: lab, context: {{cluster: lab, user: me}}}}]\n\
         clusters: [{{name: lab, cluster: {{server: 'http://127.0.0.1:{}'}}}}]\n\
         users: [{{name: me, user: {{token: t}}}}]\n",
        server.port()
    ));
    sandbox
}

/// The findings of a report, less the context that they come from.
fn findings(sandbox: &Sandbox, words: &[&str]) -> Vec<Value> {
    let report = sandbox.aifix(&[&["scan", "-A", "--all", "-o", "json"], words].concat()).json();
    let mut all = report["findings"].as_array().unwrap().clone();
    for finding in &mut all {
        finding.as_object_mut().unwrap().remove("context");
    }
    all
}

fn codes(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

fn names() -> Vec<String> {
    files::list(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")).unwrap()
}

/// What is wrong with the live scan of a recording, if anything is.
fn difference(name: &str) -> Option<String> {
    let server = ApiServer::recorded(name);
    let sandbox = sandbox(&server);
    let from = findings(&sandbox, &["--from", &recorded(name)]);
    let live = findings(&sandbox, &["--read-secret-keys"]);
    let without_secrets = findings(&sandbox, &[]);
    if codes(&without_secrets) != codes(&live) {
        return Some(format!("{name}: without the keys of Secrets {:?}", codes(&without_secrets)));
    }
    let by_name = ASKED_BY_NAME.iter().any(|(folder, _)| *folder == name);
    let told = |all: &[Value]| serde_json::to_string_pretty(all).unwrap();
    (by_name == (from == live)).then(|| format!("{name}: {}\ninstead of {}", told(&live), told(&from)))
}

#[test]
fn every_recording_served_by_an_api_server_gives_the_findings_of_its_file() {
    let names = names();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let parts = names.chunks(names.len().div_ceil(4));
        let run = |part: &[String]| -> Vec<String> { part.iter().filter_map(|name| difference(name)).collect() };
        let all: Vec<_> = parts.map(|part| scope.spawn(move || run(part))).collect();
        all.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
