//! How long and over which files edits are tried.

use crate::chance::Chance;
use crate::edits::{self, Did};
use aifix::yaml::scalars;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What all threads saw: edits, refusals, those of the last step, files that the oracle does not read, and what broke with its first place.
#[derive(Default)]
struct Tally {
    edited: u64,
    refused: u64,
    guarded: u64,
    not_judged: u64,
    broken: BTreeMap<String, (String, u64)>,
}

impl Tally {
    fn take(&mut self, did: Result<Did, String>, place: impl FnOnce() -> String) {
        match did {
            Ok(Did::Edited) => self.edited += 1,
            Ok(Did::Refused) => self.refused += 1,
            Ok(Did::Guarded) => self.guarded += 1,
            Ok(Did::NotJudged) => self.not_judged += 1,
            Err(what) => {
                let kind = what.split(" at ").next().unwrap_or(&what).to_owned();
                self.broken.entry(kind).or_insert_with(|| (format!("{}: {what}", place()), 0)).1 += 1;
            }
        }
    }

    fn end(&self, took: Duration) {
        eprintln!(
            "{} edits, {} refused, {} of the last step, {} not judged, in {} s",
            self.edited,
            self.refused + self.guarded,
            self.guarded,
            self.not_judged,
            took.as_secs()
        );
        for (what, (place, times)) in &self.broken {
            eprintln!("{what} ({times} times)\n  {place}");
        }
        assert!(self.broken.is_empty(), "{} kinds of wrong edits", self.broken.len());
        assert!(self.edited > 0, "nothing was edited");
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

/// Files below a folder with one of these endings, in order, of at most 256 KiB.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let is_yaml = path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known));
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && is_yaml && entry.metadata().unwrap().len() <= 256 << 10 {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn guarded(edit: impl FnOnce() -> Result<Did, String>) -> Result<Did, String> {
    catch_unwind(AssertUnwindSafe(edit)).unwrap_or_else(|_| Err("a panic".to_owned()))
}

fn on_two_threads(work: impl Fn(&mut Tally) + Sync) {
    let (began, all) = (Instant::now(), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut tally = Tally::default();
                work(&mut tally);
                let mut all = all.lock().unwrap();
                all.edited += tally.edited;
                all.refused += tally.refused;
                all.guarded += tally.guarded;
                all.not_judged += tally.not_judged;
                for (what, (place, times)) in tally.broken {
                    all.broken.entry(what).or_insert((place, 0)).1 += times;
                }
            });
        }
    });
    all.lock().unwrap().end(began.elapsed());
}

#[test]
fn no_edit_of_a_mutated_file_does_more_than_was_asked() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut texts: Vec<String> = ["repos", "lab", "recorded-gitops"]
        .iter()
        .flat_map(|folder| files(&here.join(folder), &ALL))
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .filter(|text| text.len() < 6_000)
        .collect();
    texts.sort();
    texts.dedup();
    assert!(texts.len() > 100, "{}", texts.len());
    let (runs, seconds) = (number("AIFIX_EDIT_RUNS"), number("AIFIX_MUTATION_SECONDS").unwrap_or(60));
    let (seed, next, began) = (number("AIFIX_MUTATION_SEED").unwrap_or(1), AtomicU64::new(0), Instant::now());
    on_two_threads(|tally| {
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if runs.map_or_else(|| began.elapsed() >= Duration::from_secs(seconds), |runs| run >= runs) {
                return;
            }
            let mut chance = Chance::new(seed + run);
            let text = edits::mutated(chance.pick::<String>(&texts), &mut chance);
            let did = guarded(|| edits::one(&text, &mut chance));
            let shown = if runs == Some(1) { format!("\n{text:?}") } else { String::new() };
            tally.take(did, || format!("AIFIX_MUTATION_SEED={} AIFIX_EDIT_RUNS=1{shown}", seed + run));
        }
    });
}

/// What our own files end in.
const ALL: [&str; 3] = ["yaml", "yml", "json"];

/// Each scalar set, each key added and removed, at most 120 places of each file (20 of a large one).
/// `AIFIX_EDIT_CORPUS` names another folder whose YAML files are read, such as Go's module cache: each text once.
#[test]
fn every_place_of_a_corpus_is_edited_and_nothing_else() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let all: Vec<PathBuf> = match std::env::var_os("AIFIX_EDIT_CORPUS") {
        Some(folder) => files(Path::new(&folder), &ALL[..2]),
        None => ["repos", "lab"].iter().flat_map(|folder| files(&tests.join(folder), &ALL)).collect(),
    };
    let (next, seen) = (AtomicU64::new(0), Mutex::new(HashSet::new()));
    assert!(all.len() > 100, "{} files", all.len());
    on_two_threads(|tally| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = all.get(usize::try_from(number).unwrap()) else { return };
            if number % 1000 == 0 {
                eprintln!("{number} of {} files", all.len());
            }
            let Ok(text) = std::fs::read_to_string(file) else { continue };
            if !seen.lock().unwrap().insert(text.clone()) {
                continue;
            }
            let Ok(places) = scalars::of(&text) else { continue };
            let most = if text.len() > 32 << 10 { 20 } else { 120 };
            let step = places.len().div_ceil(most).max(1);
            for (number, scalar) in places.iter().enumerate().step_by(step) {
                for change in 0..3 {
                    let new = json!(["on", "a: b #c", "12:30"][number % 3]);
                    let did = guarded(|| edits::check(&text, &scalar.place, &scalar.value, change, new));
                    tally.take(did, || format!("{} {:?} change {change}", file.display(), scalar.place));
                }
            }
        }
    });
    eprintln!("{} different files", seen.into_inner().unwrap().len());
}
