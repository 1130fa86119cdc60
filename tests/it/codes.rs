//! `tests/CODES.md`: every code, and what shows that it is found.
//!
//! `AIFIX_BLESS=1` writes it anew; read the difference before you commit it.

use aifix::cluster::files::load;
use aifix::diagnose::{codes, diagnose};
use aifix::model::code::{CodeInfo, FixClass};
use aifix::model::finding::{Confidence, Finding, Severity};
use aifix::model::snapshot::Snapshot;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Names before the first dot of the entries of a folder: `CODE` of `CODE.variant` and `CODE.yaml`.
fn named_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root(folder)).into_iter().flatten();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap().split('.').next().unwrap().to_owned();
    entries.map(|entry| name(entry.unwrap())).collect()
}

/// Codes that are found in what was recorded on real clusters, as a root or as an effect.
fn recorded() -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for folder in ["tests/recorded", "tests/recorded-gitops", "tests/snapshots"] {
        for entry in fs::read_dir(root(folder)).unwrap() {
            let path = entry.unwrap().path();
            let Some(snapshot) = Some(path).filter(|path| path.is_dir()).map(|path| load(&path, None).unwrap()) else {
                continue;
            };
            out.extend(found(&snapshot).into_iter().map(str::to_owned));
        }
    }
    out
}

/// Codes of which the lab makes the fault, with a twin beside it: see `lab_codes`.
fn lab() -> BTreeSet<String> {
    named_in("tests/lab/codes")
}

/// What shows that a code is found, the most real first.
struct Shown {
    lab: BTreeSet<String>,
    recorded: BTreeSet<String>,
    made: BTreeSet<String>,
}

impl Shown {
    fn read() -> Self {
        Self { lab: lab(), recorded: recorded(), made: named_in("tests/made") }
    }

    fn of(&self, code: &str) -> Vec<&'static str> {
        let all = [("lab", &self.lab), ("recorded", &self.recorded), ("made", &self.made)];
        all.into_iter().filter(|(_, codes)| codes.contains(code)).map(|(way, _)| way).collect()
    }
}

/// A fixture, and how its twin differs: by `Kind/namespace/name` a JSON merge patch, `null` where the object is not
/// there, the whole object where only the twin has it; `List` is what stands beside the objects: the clock, the logs.
struct Pair {
    code: String,
    fixture: PathBuf,
    differs: Map<String, Value>,
}

fn pairs() -> Vec<Pair> {
    let table = fs::read_to_string(root("tests/twins.json")).unwrap();
    let table: BTreeMap<String, Value> = serde_json::from_str(&table).unwrap();
    let pair = |(code, mut row): (String, Value)| {
        let fixture = root("tests").join(row["fixture"].as_str().unwrap());
        Pair { code, fixture, differs: row["differs"].as_object_mut().unwrap().clone() }
    };
    table.into_iter().map(pair).collect()
}

impl Pair {
    /// The fixture with the differences, read as any other file.
    fn twin(&self) -> Snapshot {
        let own = tempfile::tempdir().unwrap();
        let is_folder = self.fixture.is_dir();
        let file = if is_folder { self.fixture.join("objects.json") } else { self.fixture.clone() };
        let mut list: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        for (key, patch) in &self.differs {
            let before = list.clone();
            match key.as_str() {
                "List" => merge(&mut list, patch),
                _ => differ(list["items"].as_array_mut().unwrap(), key, patch),
            }
            assert_ne!(list, before, "{}: {key} is the same in its twin", self.code);
        }
        fs::write(own.path().join("objects.json"), list.to_string()).unwrap();
        for name in ["logs.txt", "taken-at"] {
            if is_folder && self.fixture.join(name).exists() {
                fs::copy(self.fixture.join(name), own.path().join(name)).unwrap();
            }
        }
        load(own.path(), None).unwrap()
    }
}

fn differ(items: &mut Vec<Value>, key: &str, patch: &Value) {
    let named = |item: &Value| {
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        format!("{}/{}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name")) == key
    };
    match (items.iter_mut().find(|item| named(item)), patch) {
        (Some(_), Value::Null) => items.retain(|item| !named(item)),
        (Some(item), patch) => merge(item, patch),
        (None, patch) => items.push(patch.clone()),
    }
}

/// <https://www.rfc-editor.org/rfc/rfc7386>
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else { return target.clone_from(patch) };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let object = target.as_object_mut().unwrap();
    for (name, value) in fields {
        if value.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// Every code that is found, as a root or as an effect.
fn found(snapshot: &Snapshot) -> BTreeSet<&'static str> {
    let all = diagnose(snapshot).findings;
    let effects = all.iter().flat_map(|finding| &finding.effects).map(|effect| effect.code.name());
    all.iter().map(|finding| finding.code.name()).chain(effects).collect()
}

fn class(class: FixClass) -> &'static str {
    match class {
        FixClass::Rule => "rule",
        FixClass::Ask => "ask",
        FixClass::Model => "model",
        FixClass::None => "none",
    }
}

fn reference(codes: &[&CodeInfo], shown: &Shown) -> String {
    let count = |way: &str| codes.iter().filter(|code| shown.of(code.name).contains(&way)).count();
    let mut out = format!(
        "# Failure codes\n\n\
         {} codes; `aifix codes CODE` tells meaning, signals, causes and fix of one. Generated: `AIFIX_BLESS=1 cargo test \
         --test it codes::`.\n\n\
         fix: `rule` facts decide the edit, `ask` a person chooses, `model` it needs judgement, `none` nothing in Git \
         fixes it. Shown by: `lab` {} are made on a real cluster by `tests/run --lab`, `recorded` {} are found in what was recorded on one, \
         `made` {} by objects that were written for it, many from a recording: `aifix scan -A --all --from tests/made/CODE.json`. Each has a near-twin that \
         stays silent: beside the fault on the lab, else as `tests/twins.json` says. What is marked as a hypothesis is a possible cause, never \
         a proof.\n",
        codes.len(),
        count("lab"),
        count("recorded"),
        count("made")
    );
    let families: BTreeSet<&str> = codes.iter().map(|code| code.family).collect();
    for family in families {
        let _ = write!(out, "\n## {family}\n\n| code | what | fix | shown by |\n|---|---|---|---|\n");
        for code in codes.iter().filter(|code| code.family == family) {
            let ways = shown.of(code.name).join(", ");
            let guess = if code.is_hypothesis() { " (hypothesis)" } else { "" };
            let _ = writeln!(out, "| {} | {}{guess} | {} | {ways} |", code.name, code.title, class(code.class));
        }
    }
    out
}

#[test]
fn the_reference_says_what_is_there() {
    let (path, text) = (root("tests/CODES.md"), reference(&codes(), &Shown::read()));
    if std::env::var_os("AIFIX_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let line = kept.lines().zip(text.lines()).find(|(kept, now)| kept != now);
    assert!(kept == text, "tests/CODES.md is out of date, write it with AIFIX_BLESS=1: {line:?}");
}

#[test]
fn what_is_marked_as_a_hypothesis_is_found_as_one_and_nothing_else_is() {
    let mut guesses = BTreeSet::new();
    for entry in fs::read_dir(root("tests/recorded")).unwrap() {
        let snapshot = load(&entry.unwrap().path(), None).unwrap();
        for finding in diagnose(&snapshot).findings {
            let code = finding.code.0;
            assert_eq!(finding.confidence == Confidence::Hypothesis, code.is_hypothesis(), "{}", code.name);
            guesses.extend(code.is_hypothesis().then_some(code.name));
        }
    }
    // The others are found in what tests make.
    assert_eq!(guesses, BTreeSet::from(["config-changed-not-reloaded", "oom-child-killed"]));
    let marked = codes().iter().filter(|code| code.is_hypothesis()).count();
    assert_eq!(marked, 13, "a code of the list is no row of the catalogue");
}

/// Objects that differ in a twin, and values in them, at most.
const NEAR: (usize, usize) = (4, 25);

fn values(value: &Value) -> usize {
    match value {
        Value::Object(fields) => fields.values().map(values).sum(),
        Value::Array(items) => items.iter().map(values).sum(),
        _ => 1,
    }
}

#[test]
fn every_code_is_shown_and_a_near_twin_is_silent() {
    let (lab, pairs) = (lab(), pairs());
    let mut wrong = Vec::new();
    for code in codes().iter().map(|code| code.name).filter(|code| !lab.contains(*code)) {
        if !pairs.iter().any(|pair| pair.code == code) {
            wrong.push(format!("{code}: no fault on the lab, and no twin in tests/twins.json"));
        }
    }
    for pair in &pairs {
        let (code, twin) = (pair.code.as_str(), pair.twin());
        let shown = load(&pair.fixture, None).unwrap();
        if !found(&shown).contains(code) {
            wrong.push(format!("{code}: {} shows {:?}", pair.fixture.display(), found(&shown)));
        }
        if found(&twin).contains(code) {
            wrong.push(format!("{code}: its twin shows it too"));
        }
        // Silence because nothing was looked at is none.
        if twin.gaps != shown.gaps {
            wrong.push(format!("{code}: its twin lacks {:?}", twin.gaps));
        }
        let size = pair.differs.values().map(values).sum::<usize>();
        if pair.differs.is_empty() || pair.differs.len() > NEAR.0 || size > NEAR.1 {
            wrong.push(format!("{code}: its twin differs in {} objects and {size} values", pair.differs.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_made_fixture_is_of_a_code_and_shows_no_other_root() {
    let pairs = pairs();
    for entry in fs::read_dir(root("tests/made")).unwrap() {
        let path = entry.unwrap().path();
        let pair = pairs.iter().find(|pair| pair.fixture == path);
        let code =
            pair.unwrap_or_else(|| panic!("{} stands in no row of tests/twins.json", path.display())).code.as_str();
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(code));
        let all = diagnose(&load(&path, None).unwrap()).findings;
        // What is merely worth knowing may stand beside the fault that it may be the cause of.
        let own = all.iter().find(|finding| finding.code.name() == code);
        if own.is_some_and(|own| own.severity == Severity::Info) {
            continue;
        }
        let is_other = |finding: &&Finding| {
            let has_it = finding.effects.iter().any(|effect| effect.code.name() == code);
            finding.severity != Severity::Info && finding.code.name() != code && !has_it
        };
        let others: Vec<&str> = all.iter().filter(is_other).map(|finding| finding.code.name()).collect();
        assert!(others.is_empty(), "{}: {others:?}", path.display());
    }
}

#[test]
fn every_row_tells_enough_and_repeats_no_other() {
    let rows = codes();
    for row in &rows {
        for (field, text, least) in [
            ("title", row.title, 15),
            ("meaning", row.meaning, 45),
            ("signals", row.signals, 25),
            ("causes", row.causes, 30),
            ("fix", row.fix, 20),
        ] {
            assert!(text.len() >= least, "{field} of {}: {text:?}", row.name);
            let is_sentence = field == "title" || text.ends_with('.');
            assert!(is_sentence && !text.contains('\n') && !text.contains("  "), "{field} of {}: {text:?}", row.name);
        }
        let same =
            |other: &&&CodeInfo| other.name != row.name && (other.meaning == row.meaning || other.title == row.title);
        assert!(rows.iter().find(same).is_none(), "{} says what another does", row.name);
    }
}
