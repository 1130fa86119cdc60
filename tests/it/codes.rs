//! `tests/CODES.md`: every code, and what shows that it is found.
//!
//! `AIFIX_BLESS=1` writes it anew; read the difference before you commit it.

use aifix::cluster::files::load;
use aifix::diagnose::{codes, diagnose};
use aifix::model::code::{CodeInfo, FixClass};
use aifix::model::finding::Confidence;
use std::collections::BTreeSet;
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
            for finding in diagnose(&snapshot).findings {
                out.extend(finding.effects.iter().map(|effect| effect.code.name().to_owned()));
                out.insert(finding.code.name().to_owned());
            }
        }
    }
    out
}

/// The code of all tests: whole files, and what stands below `#[cfg(test)]` in others.
fn tests() -> String {
    let mut out = String::new();
    let mut folders = vec![root("src"), root("tests/it")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let text = fs::read_to_string(&path).unwrap();
            let is_test = stem == "tests" || stem.ends_with("_tests") || path.starts_with(root("tests"));
            out.push_str(if is_test { &text } else { text.split_once("#[cfg(test)]").map_or("", |parts| parts.1) });
        }
    }
    out
}

/// What shows that a code is found, the most real first.
struct Shown {
    lab: BTreeSet<String>,
    recorded: BTreeSet<String>,
    tests: String,
}

impl Shown {
    fn read() -> Self {
        let mut lab = named_in("tests/lab/codes");
        lab.extend(named_in("tests/lab/faults"));
        Self { lab, recorded: recorded(), tests: tests() }
    }

    fn of(&self, code: &str) -> Vec<&'static str> {
        let tested = self.tests.contains(&format!("\"{code}\"")) || self.tests.contains(&format!("\"{code} "));
        let all = [
            ("lab", self.lab.contains(code)),
            ("recorded", self.recorded.contains(code)),
            ("made", tested && !self.recorded.contains(code)),
        ];
        all.into_iter().filter(|(_, holds)| *holds).map(|(way, _)| way).collect()
    }
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
         `made` {} are shown by objects that a test makes alone. What is marked as a hypothesis is a possible cause, never \
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

#[test]
fn every_code_is_shown_by_something() {
    let shown = Shown::read();
    let bare: Vec<&str> = codes().iter().map(|code| code.name).filter(|code| shown.of(code).is_empty()).collect();
    assert!(bare.is_empty(), "no lab fault, no recording and no test has {bare:?}");
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
