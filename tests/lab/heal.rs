//! Rows of `heals.tsv`: a fault is made, its fix is proposed, proved in Git, applied, and the object is healthy.
//!
//! `AIFIX_LAB_HEALS` is a part of the folders' names: those alone.

use crate::codes::{Fault, wait_for_room};
use crate::expected::{Expected, folders, line, name};
use crate::kit::{Repository, aifix, failing, run, wait};
use aifix::model::path::Path;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(240);
/// Rows at one time: each renders, scans and starts pods.
const TOGETHER: usize = 8;

/// A row: which fault, how its fix is decided, and what is changed.
#[derive(Debug)]
struct Row {
    folder: PathBuf,
    way: String,
    edits: String,
}

fn table() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lab/heals.tsv")
}

fn rows() -> Vec<Row> {
    let all = folders();
    let text = fs::read_to_string(table()).unwrap();
    let row = |line: &str| {
        let [folder, way, edits] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let folder = all.iter().find(|path| name(path) == folder).unwrap_or_else(|| panic!("no fault {folder}"));
        Row { folder: folder.clone(), way: way.to_owned(), edits: edits.to_owned() }
    };
    text.lines().filter(|line| !line.starts_with('#')).map(row).collect()
}

#[test]
fn every_fault_of_the_table_is_healed_by_its_fix() {
    let wanted = std::env::var("AIFIX_LAB_HEALS").unwrap_or_default();
    let rows: Vec<Row> = rows().into_iter().filter(|row| name(&row.folder).contains(&wanted)).collect();
    assert!(!rows.is_empty(), "no row has `{wanted}` in its name");
    let (began, left) = (Instant::now(), Mutex::new(rows.iter()));
    let (healed, wrong) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..TOGETHER.min(rows.len()) {
            threads.spawn(|| {
                while let Some(row) = { left.lock().unwrap().next() } {
                    wait_for_room();
                    match catch_unwind(AssertUnwindSafe(|| heal(row))) {
                        Ok(()) => healed.lock().unwrap().push(row),
                        Err(why) => {
                            wrong.lock().unwrap().push(format!("{}: {}", name(&row.folder), crate::codes::said(&*why)));
                        }
                    }
                }
            });
        }
    });
    let healed = healed.into_inner().unwrap();
    let wrong = wrong.into_inner().unwrap();
    let codes: BTreeSet<&str> = healed.iter().filter_map(|row| name(&row.folder).split('.').next()).collect();
    eprintln!(
        "{} codes healed by {} fixes of {} in {} s",
        codes.len(),
        healed.len(),
        rows.len(),
        began.elapsed().as_secs()
    );
    assert!(wrong.is_empty(), "{} of {} rows differ:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

/// The manifests in which the fault's object is what its healthy twin is.
fn before(fault: &str) -> String {
    let documents = fault.split("\n---\n");
    let is_twin = |document: &&str| document.contains("-twin");
    let (twins, others): (Vec<&str>, Vec<&str>) = documents.partition(is_twin);
    let renamed = twins.iter().map(|document| document.replace("-twin", ""));
    let named = |document: &str| {
        let of = |key: &str| document.lines().find(|line| line.starts_with(key)).map(str::to_owned);
        (of("kind:"), of("metadata:"))
    };
    let renamed: Vec<String> = renamed.collect();
    // What has no twin stays.
    let kept = others.iter().filter(|other| !renamed.iter().any(|twin| named(twin) == named(other)));
    let all: Vec<String> = kept.map(|document| (*document).to_owned()).chain(renamed.iter().cloned()).collect();
    all.join("\n---\n")
}

/// Makes the fault, proposes, applies what was pushed and waits for health.
fn heal(row: &Row) {
    let fault = Fault::new(&row.folder, "heal");
    let namespace = &fault.namespace;
    let text = fs::read_to_string(fault.files.path().join("fault.yaml")).unwrap();
    if row.way == "history" {
        fs::write(fault.files.path().join("before.yaml"), before(&text)).unwrap();
        fault.apply("before.yaml");
        fault.roll_out("before.yaml");
    }
    if row.folder.join("first.yaml").exists() {
        fault.apply("first.yaml");
        fault.roll_out("first.yaml");
    }
    fault.apply("fault.yaml");
    let expected = Expected::read(&row.folder, &namespace.0);
    let of_code = |line: &&String| line.split(' ').next() == name(&row.folder).split('.').next();
    let first = expected.roots.iter().chain(&expected.infos).find(of_code).unwrap();
    let object = first.split(' ').nth(1).unwrap().to_owned();
    let kustomization = format!("namespace: {}\nresources:\n- all.yaml\n", namespace.0);
    let files = [("k8s/kustomization.yaml", kustomization), ("k8s/all.yaml", text)];
    let repository = Repository::new(&format!("heal-{}", namespace.0), &files);
    let mut command = vec!["propose", &object, "-n", &namespace.0, "--push", "--yes=review", "-o", "json"];
    if row.way == "chosen" {
        command.extend(["--choose", "1"]);
    }
    let code = name(&row.folder).split('.').next().unwrap();
    let found = format!("{code} {object}");
    wait("the finding", LIMIT, || {
        let ran = aifix(fault.files.path(), &["scan", "-n", &namespace.0, "-o", "json"]);
        let all = told(&ran.json(), row);
        if all.contains(&found) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(2));
        Err(all.join(", "))
    });
    let proposal = wait("a proposed fix", LIMIT, || {
        let ran = aifix(&repository.work(), &command);
        let report: Value = serde_json::from_str(&ran.out).unwrap_or_default();
        let all = report["proposals"].as_array().cloned().unwrap_or_default();
        let done = all.iter().find(|one| one["pushed"] == true && one["finding"]["code"] == code);
        done.cloned().ok_or_else(|| {
            std::thread::sleep(Duration::from_secs(3));
            format!("exit {}: {} {}", ran.code, all.first().map_or(&Value::Null, |one| &one["refusal"]), ran.err)
        })
    });
    let edits = proposal["intent"]["edits"].as_array().unwrap();
    match row.edits.as_str() {
        "twin" => as_the_twin(&fault, &object, edits),
        wanted => assert_eq!(edits.iter().map(shown).collect::<Vec<_>>().join("; "), wanted),
    }
    let checkout = repository.checkout(proposal["branch"].as_str().unwrap());
    let changed = run(Command::new("git").args(["diff", "--name-only", "HEAD~1", "HEAD"]).current_dir(&checkout));
    assert_eq!(changed.trim(), "k8s/all.yaml", "only its file changes");
    namespace.kubectl(&["apply", "-k", checkout.join("k8s").to_str().unwrap()]);
    let is_of_map = |edit: &Value| edit["path"].as_str().is_some_and(|path| path.starts_with("data["));
    if edits.first().is_some_and(is_of_map) {
        // Its pods read the file anew: after a minute or two and their back-off, or at once when they are made anew.
        namespace.kubectl(&["delete", "pods", "--all", "--wait=false"]);
    }
    wait("a healthy object", LIMIT, || {
        let ran = aifix(fault.files.path(), &["scan", "-n", &namespace.0, "-o", "json"]);
        let own = format!(" {object}");
        let report = ran.json();
        let mut worse: Vec<String> = failing(&report).into_iter().filter(|line| line.ends_with(&own)).collect();
        worse.extend(told(&report, row).into_iter().filter(|line| *line == found));
        if worse.is_empty() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(2));
        Err(worse.join(", "))
    });
    if object.starts_with("Deployment/") {
        namespace.kubectl(&["rollout", "status", "--timeout=120s", &object.to_lowercase()]);
    }
    eprintln!("healed  {}", name(&row.folder));
}

/// `code Kind/name` of what fails, and where a person chooses also of what is merely worth knowing.
fn told(report: &Value, row: &Row) -> Vec<String> {
    let mut all = failing(report);
    let infos = report["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] == "info");
    all.extend(infos.filter(|_| row.way == "chosen").map(line));
    all
}

/// Every edited field becomes what the healthy twin has.
fn as_the_twin(fault: &Fault, object: &str, edits: &[Value]) {
    let twin = fault.namespace.kubectl(&["get", &format!("{object}-twin"), "-o", "json"]);
    let twin: Value = serde_json::from_str(&twin).unwrap();
    for edit in edits {
        let has = Path::of(edit["path"].as_str().unwrap()).get(&twin).cloned().unwrap_or_default();
        assert_eq!(has, edit["new"], "the twin has another value: {}", shown(edit));
    }
}

/// `path: old -> new`; a time is `TIME`.
fn shown(edit: &Value) -> String {
    let value = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => "TIME".to_owned(),
        other => other.to_string(),
    };
    format!("{}: {} -> {}", edit["path"].as_str().unwrap(), value(&edit["old"]), value(&edit["new"]))
}
