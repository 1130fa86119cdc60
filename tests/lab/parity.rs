//! The OPA CLI and our evaluator asked the same, verdict by verdict.

use aifix::model::path::Path as Field;
use aifix::model::verdict::Verdict;
use aifix::policy::{self, Limits, Set};
use aifix::redact;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What one policy says about one input: by rule the sentences with their places, or that it can't be evaluated.
type Said = BTreeMap<String, Result<BTreeSet<String>, ()>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/parity")
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// The rows of a table, its comments left out.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = text(folder().join(name));
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Rego files of a folder, by name.
fn regos(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "rego"));
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), text(&path))).collect()
}

// Inputs

fn object(of: &Value) -> Value {
    let (group, version) = of["apiVersion"].as_str().unwrap_or("v1").split_once('/').unwrap_or(("", "v1"));
    let meta = &of["metadata"];
    json!({"group": group, "version": version, "kind": of["kind"],
        "namespace": meta["namespace"].as_str().unwrap_or_default(), "name": meta["name"]})
}

fn input(before: &Value, after: &Value, author: &str, edits: &Value) -> Value {
    let mode = if before.is_null() { "check" } else { "change" };
    let change = json!({"object": object(after), "before": before, "after": after, "good": null, "intended": true, "companion": false});
    json!({"mode": mode, "changes": [change], "intent": {"edits": edits}, "finding": {"code": "crash-app-error"},
        "origin": null, "author": author, "disposition": "review", "reverts": null})
}

/// The same, as the revert of a commit before which the object was `good`.
fn reverting(mut input: Value, good: &Value) -> Value {
    input["changes"][0]["good"] = good.clone();
    input["reverts"] = json!({"id": "c0ffee", "subject": "s", "author": "Ada", "at": null});
    input
}

/// Each change there and back again, back as a revert, and each object as it stands.
fn changes() -> Vec<Value> {
    let objects = aifix::yaml::parse::all(&text(folder().join("objects.yaml"))).unwrap();
    let mut out: Vec<Value> = objects.iter().map(|object| input(&Value::Null, object, "", &json!([]))).collect();
    for row in rows("changes.tsv") {
        let [kind, path, new, author] = &row[..] else { panic!("{row:?}") };
        let before = objects.iter().find(|object| object["kind"] == kind.as_str()).unwrap();
        let (field, mut after) = (Field::of(path), before.clone());
        let old = field.get(before).cloned();
        let new = (new != "-").then(|| serde_json::from_str::<Value>(new).unwrap());
        match &new {
            Some(new) => assert!(field.set(&mut after, new.clone()), "{path}"),
            None => drop(field.remove(&mut after).unwrap_or_else(|| panic!("{kind} has no {path}"))),
        }
        let edits = json!([{"path": field, "op": "set", "old": old, "new": new}]);
        out.push(input(before, &after, author, &edits));
        let back = input(&after, before, author, &json!([{"path": field, "op": "set", "old": new, "new": old}]));
        out.push(reverting(back.clone(), before));
        out.push(back);
    }
    out
}

/// Each value where policies find the new side of a change.
fn values() -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(&text(folder().join("values.json"))).unwrap();
    all.iter().map(|value| json!({"mode": "change", "changes": [{"before": null, "after": value}]})).collect()
}

// Ours

fn ours(set: &Set, inputs: &[Value]) -> Vec<BTreeMap<String, Said>> {
    // The binary of a lab run is a release build; this one is what the test was built with.
    let program = Path::new(env!("CARGO_BIN_EXE_aifix"));
    let limits = Limits { deadline: Duration::from_secs(120), memory: 2 << 30 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let one = |input: &Value| {
        let evaluation = runtime.block_on(policy::evaluate(set, input, &limits, program));
        let mut said: BTreeMap<String, Said> = BTreeMap::new();
        for Verdict { policy, rule, message, path, .. } in evaluation.verdicts {
            let rule = said.entry(policy).or_default().entry(rule).or_insert_with(|| Ok(BTreeSet::new()));
            match rule {
                _ if message.starts_with("the policy can't be evaluated") => *rule = Err(()),
                Ok(all) => drop(all.insert(sentence(&message, path.as_deref()))),
                Err(()) => {}
            }
        }
        said
    };
    inputs.iter().map(one).collect()
}

fn sentence(message: &str, path: Option<&str>) -> String {
    redact::text(&format!("{message} @{}", path.unwrap_or_default())).into_string()
}

// Theirs

fn opa(args: &[&str]) -> Result<Value, String> {
    let program = crate::kit::lab("AIFIX_TEST_OPA");
    let output = Command::new(program).arg("eval").args(args).args(["--format", "json"]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match told.pointer("/result/0/expressions/0/value") {
        Some(value) => Ok(value.clone()),
        None => Err(format!("{told} {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// Where OPA finds the policies, in which language, and how their packages are called.
struct Theirs<'p> {
    files: Vec<PathBuf>,
    language: &'static str,
    packages: Vec<(&'p str, String)>,
}

impl Theirs<'_> {
    fn args(&self) -> Vec<&str> {
        let files = self.files.iter().flat_map(|file| ["--data", file.to_str().unwrap()]);
        std::iter::once(self.language).chain(files).collect()
    }

    /// Every package about every input, in one run.
    fn said(&self, inputs: &[Value]) -> Vec<BTreeMap<String, Said>> {
        let scratch = tempfile::tempdir().unwrap();
        let cases = scratch.path().join("cases.json");
        fs::write(&cases, json!({"cases": inputs}).to_string()).unwrap();
        let packages: Vec<String> = self.packages.iter().map(|(name, path)| format!("{name:?}: {path}")).collect();
        let query = format!("[v | c := data.cases[_]; v := {{{}}} with input as c]", packages.join(", "));
        let told = opa(&[self.args(), vec!["--data", cases.to_str().unwrap(), &query]].concat()).unwrap();
        let one = |of: &Value| -> BTreeMap<String, Said> {
            let packages = of.as_object().unwrap().iter();
            packages.map(|(name, rules)| (name.clone(), spoken(rules))).collect()
        };
        told.as_array().unwrap().iter().map(one).collect()
    }

    /// Whether a rule of a package can't be evaluated when a builtin that fails counts.
    fn fails(&self, package: &str, rule: &str, input: &Value) -> bool {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("input.json");
        fs::write(&file, input.to_string()).unwrap();
        let path = &self.packages.iter().find(|(name, _)| *name == package).unwrap().1;
        let query = if rule.is_empty() { path.clone() } else { format!("{path}.{rule}") };
        let strict = ["--strict-builtin-errors", "--input", file.to_str().unwrap(), &query];
        opa(&[self.args(), strict.to_vec()].concat()).is_err_and(|told| told.contains("eval_"))
    }
}

/// The rules of a package that say something.
fn spoken(rules: &Value) -> Said {
    let mut out = Said::new();
    for (rule, value) in rules.as_object().unwrap() {
        let base = ["deny", "violation", "needs_approval", "warn"]
            .iter()
            .any(|base| rule.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')));
        let items = match value {
            _ if !base => continue,
            Value::Bool(false) => Vec::new(),
            Value::Array(items) => items.clone(),
            other => vec![other.clone()],
        };
        let said = items.iter().map(|item| {
            let words =
                item.as_str().or_else(|| item.get("message").or_else(|| item.get("msg")).and_then(Value::as_str));
            let path = item.get("path").and_then(Value::as_str);
            sentence(&words.map_or_else(|| whole(item).to_string(), str::to_owned), path)
        });
        let said: BTreeSet<String> = said.collect();
        if !said.is_empty() {
            out.insert(rule.clone(), Ok(said));
        }
    }
    out
}

/// OPA writes 1000.0 where a number was computed; it is the same number.
fn whole(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => json!(float as i64),
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(whole).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), whole(value))).collect(),
        other => other.clone(),
    }
}

// Compared

#[derive(Default)]
struct Figures {
    cases: usize,
    /// Cases in which a policy said something, and in which both could not evaluate it.
    spoken: usize,
    failed: usize,
    /// `(policy, number of the input)` with what each said.
    different: BTreeMap<(String, usize), String>,
}

fn compare(set: &Set, theirs: &Theirs<'_>, inputs: &[Value]) -> Figures {
    let mut figures = Figures::default();
    for (at, (own, other)) in ours(set, inputs).iter().zip(theirs.said(inputs)).enumerate() {
        for (package, _) in &theirs.packages {
            figures.cases += 1;
            let (own, other) = (own.get(*package).cloned().unwrap_or_default(), &other[*package]);
            figures.spoken += usize::from(!other.is_empty());
            if own == *other {
                continue;
            }
            let agree = own.iter().all(|(rule, said)| match said {
                Ok(said) => other.get(rule).is_some_and(|theirs| theirs.as_ref() == Ok(said)),
                Err(()) => theirs.fails(package, rule, &inputs[at]),
            }) && other.keys().all(|rule| own.contains_key(rule) || own.contains_key(""));
            match agree {
                true => figures.failed += 1,
                false => drop(
                    figures.different.insert(((*package).to_owned(), at), format!("ours {own:?}, theirs {other:?}")),
                ),
            }
        }
    }
    figures
}

fn told(name: &str, figures: &Figures) {
    eprintln!(
        "{name}: {} cases, {} in which a policy says something, {} in which both can't evaluate it, {} that differ",
        figures.cases,
        figures.spoken,
        figures.failed,
        figures.different.len()
    );
}

fn assert_equal(name: &str, figures: &Figures) {
    told(name, figures);
    let lines: Vec<String> =
        figures.different.iter().map(|((policy, at), what)| format!("{policy} on input {at}: {what}")).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

#[test]
fn the_library_says_the_same_in_opa() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let library = regos(&root);
    let files = library.keys().map(|name| root.join(format!("{name}.rego")));
    let theirs = Theirs {
        files: files.chain([root.join("lib"), root.join("data.yaml")]).collect(),
        language: "--v1-compatible",
        packages: library.keys().map(|name| (name.as_str(), format!("data.aifix.{name}"))).collect(),
    };
    let figures = compare(&Set::load(true, &[]).unwrap(), &theirs, &changes());
    assert_equal("the library", &figures);
    assert!(figures.cases > 10_000 && figures.spoken > 150, "too few cases");
}

#[test]
fn policies_of_both_languages_say_the_same_in_opa() {
    for (name, language) in [("v0", "--v0-compatible"), ("v1", "--v1-compatible")] {
        let files = regos(&folder().join(name));
        let paths: Vec<(String, &str)> =
            files.iter().map(|(name, text)| (format!("{name}.rego"), text.as_str())).collect();
        let set = Set::of(paths.iter().map(|(path, text)| (path.as_str(), *text)), json!({})).unwrap();
        let packages = files.keys().map(|name| (name.as_str(), format!("data.{name}"))).collect();
        let figures = compare(&set, &Theirs { files: vec![folder().join(name)], language, packages }, &changes());
        assert_equal(&format!("policies in Rego {name}"), &figures);
        assert!(figures.spoken > 100, "too few cases");
    }
}

#[test]
fn builtins_give_the_same_in_opa_but_for_what_is_listed() {
    let scratch = tempfile::tempdir().unwrap();
    let mut policies = BTreeMap::new();
    for (at, row) in rows("builtins.tsv").iter().enumerate() {
        let [_, expression] = &row[..] else { panic!("{row:?}") };
        let name = format!("b_{at}");
        let rego = format!(
            "package {name}\n\nimport rego.v1\n\nx := input.changes[0].after\n\ndeny contains {{\"value\": y}} if {{\n\ty := {expression}\n}}\n"
        );
        fs::write(scratch.path().join(format!("{name}.rego")), &rego).unwrap();
        policies.insert(name, (row.clone(), rego));
    }
    let files: Vec<(String, &str)> =
        policies.iter().map(|(name, (_, rego))| (format!("{name}.rego"), rego.as_str())).collect();
    let set = Set::of(files.iter().map(|(path, text)| (path.as_str(), *text)), json!({})).unwrap();
    let packages = policies.keys().map(|name| (name.as_str(), format!("data.{name}"))).collect();
    let theirs = Theirs { files: vec![scratch.path().to_owned()], language: "--v1-compatible", packages };
    let figures = compare(&set, &theirs, &values());
    told("builtins", &figures);

    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (name, at) in figures.different.keys() {
        let [builtin, expression] = &policies[name].0[..] else { panic!("{name}") };
        found.entry((builtin.clone(), expression.clone())).or_default().push(at.to_string());
    }
    let found: BTreeSet<Vec<String>> =
        found.into_iter().map(|((builtin, expression), at)| vec![builtin, expression, at.join(",")]).collect();
    let listed: BTreeSet<Vec<String>> = rows("differences.tsv").iter().map(|row| row[..3].to_vec()).collect();
    let differing: BTreeSet<&str> = listed.iter().map(|row| row[0].as_str()).collect();
    eprintln!("differences, all listed: {}", differing.into_iter().collect::<Vec<_>>().join(", "));
    let unknown: Vec<String> = found.difference(&listed).map(|row| row.join("\t")).collect();
    let gone: Vec<String> = listed.difference(&found).map(|row| row.join("\t")).collect();
    let why: Vec<String> = figures.different.iter().map(|((name, at), what)| format!("{name} {at}: {what}")).collect();
    assert!(
        unknown.is_empty() && gone.is_empty(),
        "not listed:\n{}\nlisted, and equal now:\n{}\nall differences:\n{}",
        unknown.join("\n"),
        gone.join("\n"),
        why.join("\n")
    );
    assert!(figures.cases > 300, "too few cases");
}
