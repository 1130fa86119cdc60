//! Nothing that a real cluster says is taken for a secret.

use aifix::redact;
use serde_json::Value;
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
    // Data of two Secrets that the scenarios are made of, and nothing else.
    let secrets = ["password: \"eA==\"", "tls.crt: \"YQ==\"", "user: \"eQ==\""];
    found.sort();
    assert_eq!(found, secrets.map(|secret| format!("{secret} -> \"{}\"", redact::MASK)));
}
