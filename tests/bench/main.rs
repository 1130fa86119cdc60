//! How fast, how lean, how polite a scan is, beside bare GETs of the same lists.
//!
//! `tests/bench/run` starts an API server of its own, and this; see there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark panics when it can't measure, and prints its table"
)]

mod api;
mod measure;
mod objects;

use api::{Api, Form};
use measure::{Figures, grows_faster, measure};
use objects::Apps;
use std::process::ExitCode;
use std::time::Instant;
use tokio::task::JoinSet;

/// One cluster to scan.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// How many namespaces, scanned with `-A` when it is more than one.
    pub(crate) namespaces: usize,
    pub(crate) apps: Apps,
    /// Whether the marks of memory and diagnosis hold here.
    pub(crate) pods: bool,
}

const fn case(name: &'static str, namespaces: usize, count: usize, pods: usize) -> Case {
    Case { name, namespaces, apps: Apps { count, pods }, pods: pods > 5 }
}

/// `-A` comes first, while there is nothing else.
const CASES: [Case; 7] = [
    case("namespaces-200", 200, 1, 5),
    case("services-100", 1, 100, 1),
    case("services-500", 1, 500, 1),
    case("idle-500", 1, 500, 0),
    case("services-1000", 1, 1000, 1),
    case("pods-1000", 1, 20, 50),
    case("pods-10000", 1, 200, 50),
];

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.first().map(String::as_str) {
        Some("bare") => println!("{}", Api::from_env().read_all(&words[1..], Form::Json).await),
        Some("binary") => println!("{}", Api::from_env().read_all(&words[1..], Form::Binary).await),
        Some("peak") => println!("{}", measure::peak_of(&words[1..])),
        _ => return all(&words).await,
    }
    ExitCode::SUCCESS
}

/// Measures the named cases, or all.
async fn all(only: &[String]) -> ExitCode {
    let api = Api::from_env();
    objects::nodes(&api).await;
    let mut missed = 0;
    let mut measured = Vec::new();
    println!("{}", Figures::HEAD);
    for case in CASES.iter().filter(|case| only.is_empty() || only.iter().any(|name| name == case.name)) {
        let began = Instant::now();
        let mut making = JoinSet::new();
        for n in 0..case.namespaces {
            let (api, name, apps) = (api.clone(), case.namespace(n), case.apps);
            making.spawn(async move { objects::namespace(&api, &name, apps, n == 0).await });
        }
        making.join_all().await;
        eprintln!("{}: objects made in {} s", case.name, began.elapsed().as_secs());
        let figures = measure(&api, case).await;
        println!("{figures}");
        missed += figures.missed().len();
        for what in figures.missed() {
            println!("  missed: {what}");
        }
        measured.push(figures);
    }
    if let Some(what) = grows_faster(&measured) {
        println!("  missed: {what}");
        missed += 1;
    }
    println!("{missed} marks missed");
    ExitCode::from(u8::from(missed > 0))
}

impl Case {
    pub(crate) fn namespace(&self, n: usize) -> String {
        if self.namespaces == 1 { format!("bench-{}", self.name) } else { format!("bench-{}-{n}", self.name) }
    }

    /// The words of the scan.
    pub(crate) fn scan(&self) -> Vec<String> {
        let scope = if self.namespaces == 1 { vec!["-n".to_owned(), self.namespace(0)] } else { vec!["-A".to_owned()] };
        ["scan", "-o", "json"].map(str::to_owned).into_iter().chain(scope).collect()
    }
}
