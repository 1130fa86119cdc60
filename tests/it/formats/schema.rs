//! `aifix schema` is true: every document is valid, and every field that it promises occurs.

use super::{plain, report};
use crate::api_server::ApiServer;
use crate::dry_run::kubeconfig;
use crate::forge;
use crate::forge_server::{self, ForgeServer, Plays};
use crate::harness::{Sandbox, manifest, oom_manifest, recorded};
use crate::model_server::{Act, ModelServer, edit};
use aifix::output::json;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

const KINDS: [&str; 15] = [
    "ScanReport",
    "Explanation",
    "ProposalReport",
    "CodeList",
    "PolicyReport",
    "PolicyReasons",
    "Checkup",
    "AIFix",
    "AIFixList",
    "AIFixEntry",
    "PublishedList",
    "RecordDiff",
    "PatternReport",
    "PolicySuggestions",
    "StatusReport",
];

fn schema(kind: &[&str]) -> Value {
    Sandbox::new().aifix(&[&["schema"], kind].concat()).exits(0).json()
}

/// The schema of any document.
static ANY: LazyLock<Value> = LazyLock::new(|| schema(&[]));

/// Checks a document against the schema of its own kind, and against that of any.
struct Reader {
    kinds: Vec<(String, jsonschema::Validator)>,
    any: jsonschema::Validator,
    /// Properties that had a value, as `Definition/name`.
    seen: BTreeSet<String>,
    documents: usize,
}

impl Reader {
    fn new() -> Self {
        let validator = |schema: &Value| {
            jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|error| panic!("{error}"));
            jsonschema::draft202012::options().should_validate_formats(true).build(schema).unwrap()
        };
        let kinds = KINDS.iter().map(|kind| ((*kind).to_owned(), validator(&schema(&[kind])))).collect();
        Self { kinds, any: validator(&ANY), seen: BTreeSet::new(), documents: 0 }
    }

    #[track_caller]
    fn read(&mut self, document: &Value) {
        let kind = document["kind"].as_str().unwrap_or_else(|| panic!("{document:#}"));
        let (_, validator) = self.kinds.iter().find(|(known, _)| known == kind).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{kind}: {wrong:#?}\n{document:#}");
        assert!(self.any.is_valid(document), "{kind}: not one of any");
        note(&ANY["$defs"][kind], document, kind, &mut self.seen);
        self.documents += 1;
    }
}

/// Notes which properties of a schema have a value in a document.
fn note(schema: &Value, value: &Value, at: &str, seen: &mut BTreeSet<String>) {
    if value.is_null() {
        return;
    }
    if let Some(name) = schema["$ref"].as_str().and_then(|text| text.strip_prefix("#/$defs/")) {
        note(&ANY["$defs"][name], value, name, seen);
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let here = format!("{at}/{name}");
        if let Some(value) = value.get(name).filter(|value| !value.is_null()) {
            note(below, value, &here, seen);
            seen.insert(here);
        }
    }
    for item in value.as_array().into_iter().flatten() {
        note(&schema["items"], item, at, seen);
    }
    for branch in ["oneOf", "anyOf"] {
        for (nth, branch) in schema[branch].as_array().into_iter().flatten().enumerate() {
            note(branch, value, &format!("{at}/{nth}"), seen);
        }
    }
}

/// Every property that a schema promises, by the same names.
fn promised(schema: &Value, at: &str, all: &mut BTreeSet<String>) {
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let here = format!("{at}/{name}");
        promised(below, &here, all);
        all.insert(here);
    }
    if schema["items"].is_object() {
        promised(&schema["items"], at, all);
    }
    for branch in ["oneOf", "anyOf"] {
        for (nth, branch) in schema[branch].as_array().into_iter().flatten().enumerate() {
            promised(branch, &format!("{at}/{nth}"), all);
        }
    }
}

/// Scans of every recording, and an explanation of each first root.
fn scans(reader: &mut Reader, sandbox: &Sandbox) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    for (nth, name) in aifix::doors::files::list(&folder).unwrap().iter().enumerate() {
        let from = recorded(name);
        let document = sandbox.aifix(&["scan", "--from", &from, "-o", "json"]).json();
        reader.read(&document);
        let object = &document["findings"][0]["object"];
        if let (0, Some(kind), Some(name)) = (nth % 4, object["kind"].as_str(), object["name"].as_str()) {
            let ran = sandbox.aifix(&["explain", &format!("{kind}/{name}"), "--from", &from, "-o", "json"]);
            if ran.code == 0 {
                reader.read(&ran.json());
            }
        }
    }
    let (healthy, failing) = (recorded("trap-old-restart"), recorded("oom-killed"));
    reader.read(&sandbox.aifix(&["explain", "deploy/web", "--from", &healthy, "-o", "json"]).exits(0).json());
    reader.read(&sandbox.aifix(&["explain", "--from", &failing, "-o", "json"]).json());
    let told = json!({"sentences": [{"text": "It was ended with exit 139.", "evidence": [1]}]});
    let server = ModelServer::start(&[Act::Say(told.to_string())]);
    let model = ["--llm-url", &server.url(), "-o", "json"];
    let args = [&["explain", "deploy/web", "--from", &failing][..], &model].concat();
    reader.read(&sandbox.aifix(&args).exits(0).json());
    // What no scan of a recording fills: lines in Git, and what filters set aside.
    reader.read(&serde_json::from_str(&json::scan(&report(&plain)).unwrap()).unwrap());
}

/// Proposals that are pushed, refused and written by a model, and their records.
fn proposals(reader: &mut Reader) {
    let sandbox = Sandbox::new();
    let stalled = manifest("cat-rollout-stalled", "sleep 1", None);
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest()), ("stalled/web.yaml", &stalled)]);
    sandbox.write("team/warn.rego", WARNS);
    sandbox.write("team/held.rego", "package main\n\ndeny contains \"old\" if input.kind == \"Deployment\"\n");
    let from = recorded("oom-killed");
    let mut propose = |from: &str, more: &[&str]| {
        let args = [&["propose", "deployment/web", "--from", from, "-o", "json"][..], more].concat();
        let ran = sandbox.aifix_in("work", &args);
        assert!(matches!(ran.code, 0 | 4), "{}{}", ran.out, ran.err);
        reader.read(&ran.json());
    };
    propose(&from, &["--policy", "../team"]);
    propose(&from, &["--policy", "../team", "--push", "--yes=review"]);
    propose(&recorded("crash-app-error.exit-2"), &[]);
    propose(&from, &["--push", "--yes"]);
    propose(&recorded("rollout-stalled"), &["--push", "--yes"]);
    records(reader, &sandbox);
}

/// A pull request that fails, and one that is opened.
fn requests(reader: &mut Reader) {
    let server = ForgeServer::start(Plays::GitHub);
    let sandbox = forge::sandbox(&server);
    server.rule("POST", "/pulls", 1, forge_server::Act::Close);
    for code in [3, 0] {
        reader.read(&forge::propose(&sandbox, &["-o", "json"]).exits(code).json());
        records(reader, &sandbox);
    }
}

/// A commit that is taken back.
fn reverts(reader: &mut Reader) {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest().replace("32Mi", "64Mi"))]);
    sandbox.write("work/k8s/web.yaml", &oom_manifest());
    sandbox.git("work", &["commit", "-qam", "Save memory"]);
    sandbox.git("work", &["push", "-q", "origin", "main"]);
    let from = recorded("oom-killed");
    let args = ["propose", "deployment/web", "--revert", "--from", &from, "-o", "json", "--push", "--yes=review"];
    reader.read(&sandbox.aifix_in("work", &args).exits(0).json());
    records(reader, &sandbox);
    let sandbox = Sandbox::new();
    let from = crate::choose::two_tags(&sandbox);
    let args = ["propose", "deployment/web", "--from", &from, "--at", "2026-11-22T17:00:00Z", "-o", "json"];
    reader.read(&sandbox.aifix_in("work", &args).exits(4).json());
}

/// A change that an API server has tried.
fn tried(reader: &mut Reader) {
    let server = ApiServer::recorded("oom-killed");
    let mut sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    sandbox.use_kubeconfig(&kubeconfig(server.port()));
    let args = ["propose", "deployment/web", "-n", "cat-oom-killed", "--server-dry-run", "-o", "json"];
    reader.read(&sandbox.aifix_in("work", &args).exits(0).json());
}

/// What became of pushed fixes.
fn followed(reader: &mut Reader) {
    for document in crate::status::documents() {
        reader.read(&document);
    }
}

fn records(reader: &mut Reader, sandbox: &Sandbox) {
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    reader.read(&list);
    let items = list["items"].as_array().unwrap();
    let names: Vec<&str> = items.iter().map(|record| record["metadata"]["name"].as_str().unwrap()).collect();
    for name in &names {
        reader.read(&sandbox.aifix(&["audit", "show", name, "-o", "json"]).exits(0).json());
    }
    for line in sandbox.aifix(&["audit", "export", "-o", "jsonl"]).exits(0).out.lines() {
        reader.read(&serde_json::from_str(line).unwrap());
    }
    if let [one, .., other] = names.as_slice() {
        reader.read(&sandbox.aifix(&["audit", "diff", one, other, "-o", "json"]).exits(0).json());
    }
    reader.read(&sandbox.aifix_in("work", &["audit", "list", "--git", "-o", "json"]).exits(0).json());
}

fn model(reader: &mut Reader) {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &manifest("cat-crash-exit-2", "exit 2", None))]);
    let word = "spec.template.spec.containers[app].command[2]";
    let server = ModelServer::start(&[Act::Say("no JSON".to_owned()), Act::Say(edit(word, "exit 2", "sleep 600"))]);
    let from = recorded("crash-app-error.exit-2");
    let args = ["propose", "deployment/web", "--from", &from, "-o", "json", "--push", "--yes=review", "--llm-url"];
    let ran = sandbox.aifix_in("work", &[&args[..], &[&server.url(), "--llm-model", "played"]].concat()).exits(0);
    reader.read(&ran.json());
    records(reader, &sandbox);
    // A rule decides, and a model is asked for its opinion.
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    let limit = "spec.template.spec.containers[app].resources.limits.memory";
    let server = ModelServer::start(&[Act::Say(edit(limit, "32Mi", "100Mi"))]);
    let from = recorded("oom-killed");
    let args =
        ["propose", "deployment/web", "--from", &from, "-o", "json", "--push", "--yes=review", "--llm", "always"];
    let ran = sandbox.aifix_in("work", &[&args[..], &["--llm-url", &server.url()]].concat()).exits(0);
    assert!(ran.json()["proposals"][0]["opinion"].is_string(), "{}", ran.out);
    reader.read(&ran.json());
    records(reader, &sandbox);
}

const WARNS: &str = "\
package team.warns

warn contains {\"message\": \"look at it\", \"object\": \"Deployment web\", \"path\": \"spec.template\"} if {
	some change in input.changes
	change.after.kind == \"Deployment\"
}
";

fn the_rest(reader: &mut Reader) {
    let sandbox = Sandbox::new();
    reader.read(&sandbox.aifix(&["codes", "-o", "json"]).exits(0).json());
    reader.read(&sandbox.aifix(&["codes", "oom-killed", "-o", "json"]).exits(0).json());
    reader.read(&sandbox.aifix(&["doctor", "-o", "json"]).json());
    reader.read(&sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json());
    sandbox.write("bad.yaml", &oom_manifest().replace("busybox:1.36", "busybox:latest"));
    reader.read(&sandbox.aifix(&["policy", "check", "bad.yaml", "-o", "json"]).exits(5).json());
    reader.read(&sandbox.aifix(&["policy", "why", "bad.yaml", "-o", "json"]).exits(0).json());
}

#[test]
fn every_document_is_valid_and_every_promised_field_occurs() {
    let mut reader = Reader::new();
    scans(&mut reader, &Sandbox::new());
    proposals(&mut reader);
    requests(&mut reader);
    reverts(&mut reader);
    tried(&mut reader);
    followed(&mut reader);
    crate::patterns::documents().iter().for_each(|document| reader.read(document));
    model(&mut reader);
    the_rest(&mut reader);
    assert!(reader.documents > 200, "{}", reader.documents);
    let mut all = BTreeSet::new();
    for (name, schema) in ANY["$defs"].as_object().unwrap() {
        promised(schema, name, &mut all);
    }
    let never: Vec<&String> = all.difference(&reader.seen).collect();
    assert!(never.is_empty(), "these never occur: {never:#?}");
    assert!(all.len() > 150, "{}", all.len());
}

#[test]
fn every_field_is_described_and_every_object_is_closed() {
    fn walk(schema: &Value, at: &str) {
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            let said = below["description"].is_string() || below["$ref"].is_string() || below["anyOf"].is_array();
            assert!(said, "{at}/{name} is not described");
            walk(below, &format!("{at}/{name}"));
        }
        // What is made of others by reference is closed where it is whole.
        let closed = [&schema["additionalProperties"], &schema["unevaluatedProperties"]].contains(&&json!(false));
        assert!(closed || !schema["properties"].is_object() || at.ends_with("Fields"), "{at} is not closed");
        for branch in ["oneOf", "anyOf"] {
            schema[branch].as_array().into_iter().flatten().for_each(|below| walk(below, at));
        }
        if schema["items"].is_object() {
            walk(&schema["items"], at);
        }
    }
    for (name, schema) in ANY["$defs"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name}");
        walk(schema, name);
    }
}

#[test]
fn a_field_more_or_a_field_less_is_seen() {
    let mut reader = Reader::new();
    let document: Value = serde_json::from_str(&json::scan(&report(&plain)).unwrap()).unwrap();
    reader.read(&document);
    let valid = |edit: &dyn Fn(&mut Value)| {
        let mut changed = document.clone();
        edit(&mut changed);
        reader.any.is_valid(&changed)
    };
    assert!(valid(&|_| ()));
    assert!(!valid(&|d| d["findings"][0]["more"] = json!(1)));
    assert!(!valid(&|d| d["setAside"][0]["more"] = json!(1)));
    assert!(!valid(&|d| d["contexts"][0]["summary"]["more"] = json!(1)));
    assert!(!valid(&|d| drop(d["findings"][0].as_object_mut().unwrap().remove("context"))));
    assert!(!valid(&|d| d["findings"][0]["severity"] = json!("fatal")));
    assert!(!valid(&|d| d["findings"][0]["evidence"][0]["at"] = json!("yesterday")));
}

#[test]
fn a_kind_is_taken_in_any_case_and_an_unknown_one_is_told_the_nearest() {
    assert_eq!(schema(&["scanreport"]), schema(&["ScanReport"]));
    let ran = Sandbox::new().aifix(&["schema", "ScanReprot"]).exits(2);
    assert!(ran.err.contains("ScanReport") && ran.out.is_empty(), "{}", ran.err);
    let said = schema(&["AIFix"])["description"].as_str().unwrap().to_owned();
    assert!(said.contains("a reader must accept fields that it does not know"), "{said}");
}
