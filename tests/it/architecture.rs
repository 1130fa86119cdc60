//! The house keeps its plan: imports go down, few rooms touch the outside.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Floor of every room; imports only go down. Modules of floor 0 may import each other.
const FLOORS: [(&str, u8); 24] = [
    ("main", 8),
    ("commands", 7),
    ("output", 6),
    ("proposal", 5),
    ("follow", 5),
    ("learn", 5),
    ("source", 4),
    ("fix", 4),
    ("narrative", 4),
    ("diagnose", 3),
    ("render", 3),
    ("forge", 3),
    ("cluster", 2),
    ("llm", 2),
    ("repo", 2),
    ("yaml", 2),
    ("schema", 2),
    ("policy", 2),
    ("audit", 2),
    ("doors", 1),
    ("settings", 1),
    ("ui", 1),
    ("model", 0),
    ("error", 0),
];

/// Rooms of floor 0 that have no folder.
const GROUND: [&str; 2] = ["text", "redact"];

/// What only these rooms may name.
const OUTSIDE: [(&str, &[&str]); 11] = [
    ("std::fs", &["doors", "settings"]),
    ("std::process::Command", &[]),
    ("tokio::process", &["doors"]),
    ("std::net::Tcp", &[]),
    ("std::net::Udp", &[]),
    ("std::env", &["doors", "settings", "ui"]),
    ("kube::", &["cluster"]),
    ("gix::", &["repo"]),
    ("rusqlite::", &["audit"]),
    ("reqwest::", &["doors"]),
    ("tempfile", &["doors"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
                let name = path.strip_prefix(root().join("src")).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    assert!(found.len() > 30, "the sources were not found");
    found
}

/// A file that holds only unit tests.
fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_str().is_some_and(|stem| stem == "tests" || stem.ends_with("_tests")))
}

fn room(file: &str) -> &str {
    Path::new(file).components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs")
}

fn floor(room: &str) -> Option<u8> {
    if GROUND.contains(&room) {
        return Some(0);
    }
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The code of a file without its tests (which stand last) and comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Rooms that a file names by `crate::room` or `aifix::room`.
fn imports(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for prefix in ["crate::", "aifix::"] {
        for (at, _) in text.match_indices(prefix) {
            let rest = &text[at + prefix.len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
                None => vec![rest],
            };
            for name in names {
                let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
                rooms.push(name[..end].to_owned());
            }
        }
    }
    rooms
}

#[test]
fn imports_only_go_down() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let here = room(&file);
        if here == "lib" {
            continue;
        }
        let Some(level) = floor(here) else { panic!("{file}: the room `{here}` has no floor") };
        for there in imports(&code(&text)) {
            let Some(below) = floor(&there) else { continue };
            if there != here && (below > level || (below == level && level > 0)) {
                wrong.push(format!("{file} (floor {level}) imports {there} (floor {below})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_named_rooms_touch_the_outside() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let text = code(&text);
        for (what, rooms) in OUTSIDE {
            let named = text
                .match_indices(what)
                .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)));
            if named && !rooms.contains(&room(&file)) {
                wrong.push(format!("{file} names {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_ui_writes_to_the_terminal() {
    let writers: Vec<String> = sources()
        .into_iter()
        .filter(|(file, text)| {
            let text = code(text);
            file != "ui.rs"
                && ["println!", "eprintln!", "print!(", "eprint!(", "stdout()", "stderr()"]
                    .iter()
                    .any(|w| text.contains(w))
        })
        .map(|(file, _)| file)
        .collect();
    assert!(writers.is_empty(), "{writers:?}");
}

#[test]
fn pure_rooms_have_no_clock_and_no_chance() {
    for (file, text) in sources() {
        if matches!(room(&file), "diagnose" | "fix" | "model" | "text" | "redact") {
            let text = code(&text);
            for word in
                ["Timestamp::now", "SystemTime", "Instant::now", "rand::", "async fn", "std::fs", "HashMap", "HashSet"]
            {
                // It waits for a model's answer; what it decides with is pure.
                let waits = file.starts_with("fix/model") && word == "async fn";
                assert!(waits || !text.contains(word), "{file} names {word}");
            }
        }
    }
}

#[test]
fn every_file_says_its_job_in_its_first_line() {
    for (file, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        let job = first.strip_prefix("//! ").unwrap_or_else(|| panic!("{file} does not say its job"));
        assert!((10..=60).contains(&job.chars().count()), "{file}: {job:?} has {} characters", job.chars().count());
    }
}
