//! Nothing that a real cluster says is taken for a secret.

use crate::harness::{Sandbox, oom_manifest, recorded};
use aifix::output::patch;
use aifix::redact;
use serde_json::{Value, json};
use std::path::Path;

/// Every string of `before` that reads otherwise in `after`.
fn masked(before: &Value, after: &Value, at: &str, out: &mut Vec<String>) {
    match (before, after) {
        (Value::Array(old), Value::Array(new)) => {
            old.iter().zip(new).for_each(|(old, new)| masked(old, new, at, out));
        }
        (Value::Object(old), Value::Object(new)) => {
            old.iter().for_each(|(key, old)| masked(old, &new[key], key, out));
        }
        (old, new) if old != new => out.push(format!("{at}: {old} -> {new}")),
        _ => {}
    }
}

#[test]
fn no_digest_id_name_or_message_of_the_recorded_clusters_is_masked() {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    let (mut found, mut read) = (Vec::new(), 0);
    for entry in std::fs::read_dir(recorded).unwrap() {
        let folder = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(folder.join("objects.json")) else { continue };
        let objects: Value = serde_json::from_str(&text).unwrap();
        masked(&objects, &redact::value(&objects), "", &mut found);
        read += 1;
        let logs = std::fs::read_to_string(folder.join("logs.txt")).unwrap_or_default();
        for line in logs.lines().filter(|line| redact::text(line).as_str() != *line) {
            found.push(line.to_owned());
        }
    }
    assert!(read > 100, "{read}");
    // Data of two Secrets that the scenarios are made of, also where kubectl keeps what it applied, and
    // nothing else.
    let (applied, data): (Vec<String>, Vec<String>) = found.into_iter().partition(|line| line.contains("last-applied"));
    assert_eq!(applied.len(), 2, "{applied:#?}");
    assert!(applied.iter().all(|line| line.contains("\"kind\\\":\\\"Secret")), "{applied:#?}");
    let secrets = ["password: \"eA==\"", "tls.crt: \"YQ==\"", "user: \"eQ==\""];
    let mut found: Vec<String> = data.iter().map(|line| redact::unnumbered(line)).collect();
    found.sort();
    assert_eq!(found, secrets.map(|secret| format!("{secret} -> \"<secret>\"")));
}

#[test]
fn no_commit_checksum_or_revision_of_what_delivery_tools_say_is_masked() {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded-gitops");
    let (mut found, mut read, mut revisions) = (Vec::new(), 0, 0);
    for entry in std::fs::read_dir(recorded).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path().join("objects.json")).unwrap();
        let objects: Value = serde_json::from_str(&text).unwrap();
        masked(&objects, &redact::value(&objects), "", &mut found);
        revisions += text.matches("sha1:").count() + text.matches("sha256:").count();
        read += 1;
    }
    assert!(read > 20 && revisions > 100, "{read} recordings name {revisions} commits and checksums");
    assert!(found.is_empty(), "{found:#?}");
}

/// The recording `oom-killed` with one more variable in every container.
fn with_variable(sandbox: &Sandbox, variable: &Value) -> String {
    fn add(value: &mut Value, variable: &Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| add(item, variable)),
            Value::Object(map) => {
                if map.contains_key("image") && map.contains_key("command") {
                    map.insert("env".to_owned(), Value::Array(vec![variable.clone()]));
                }
                map.values_mut().for_each(|item| add(item, variable));
            }
            _ => {}
        }
    }
    let from = recorded("oom-killed");
    for name in ["taken-at", "logs.txt"] {
        if let Ok(text) = std::fs::read_to_string(Path::new(&from).join(name)) {
            sandbox.write(&format!("recorded/{name}"), &text);
        }
    }
    let text = std::fs::read_to_string(Path::new(&from).join("objects.json")).unwrap();
    let mut objects: Value = serde_json::from_str(&text).unwrap();
    add(&mut objects, variable);
    sandbox.write("recorded/objects.json", &objects.to_string());
    sandbox.path("recorded").to_str().unwrap().to_owned()
}

#[test]
fn the_store_of_records_holds_no_password_of_the_lines_around_an_edit() {
    let sandbox = Sandbox::new();
    let env = "        env:\n        - name: DB_PASSWORD\n          value: hunter2hunter2\n";
    let manifest = format!("{}{env}", oom_manifest());
    sandbox.repository(&[("k8s/web.yaml", &manifest)]);
    let from = with_variable(&sandbox, &json!({"name": "DB_PASSWORD", "value": "hunter2hunter2"}));
    let args = ["propose", "deployment/web", "--from", &from, "--push", "--yes=review"];
    sandbox.aifix_in("work", &args).exits(0);
    let mut read = 0;
    for entry in std::fs::read_dir(sandbox.path("state")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(14).any(|window| window == b"hunter2hunter2"));
        // The lines themselves are kept.
        read += usize::from(bytes.windows(11).any(|window| window == b"DB_PASSWORD"));
    }
    assert!(read > 0);
}

#[test]
fn a_patch_of_lines_with_lone_carriage_returns_applies() {
    let sandbox = Sandbox::new();
    let (old, new) = ("# a\r# b\nmemory: 32Mi\n# c\r\nd: e\r", "# a\r# b\nmemory: 64Mi\n# c\r\nd: e\r");
    sandbox.repository(&[("web.yaml", old)]);
    sandbox.write("fix.patch", &patch::file("web.yaml", Some(old.as_bytes()), Some(new.as_bytes())));
    sandbox.git("work", &["apply", sandbox.path("fix.patch").to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(sandbox.path("work/web.yaml")).unwrap(), new);
}
