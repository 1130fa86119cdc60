//! Recordings, files and packed answers, mutated without end: nothing may panic, hang or print what it must not.
//!
//! `cargo test --test mutation` runs for 60 s. A failure names the seed of its run. Ten times as many runs fit into
//! the same time with `--config profile.dev.package.aifix.opt-level=2`, which keeps all checks of a debug build.
//!
//! - `AIFIX_MUTATION_RUNS`: as many runs, however long they take
//! - `AIFIX_MUTATION_SECONDS`: as long, when no runs are asked
//! - `AIFIX_MUTATION_SEED`: the seed of the first run; each further run has the next one
//! - `AIFIX_PACKED_RUNS`: as many answers in the API server's binary form
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test panics when it fails, and reads its own settings"
)]

mod chance;
mod corpus;
mod edits;
mod edits_runs;
mod invariants;
mod mutate;
mod packed;
mod strings;

use chance::Chance;
use corpus::Corpus;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Processor time that one run may take.
const SLOW: Duration = Duration::from_secs(2);
/// The stack of the threads that commands run on.
const STACK: usize = 2 << 20;

thread_local! {
    /// What the last panic of this thread said, and where.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What a thread saw.
#[derive(Default)]
struct Tally {
    runs: u64,
    refused: u64,
    findings: u64,
    codes: BTreeSet<&'static str>,
    slowest: (Duration, u64),
    /// What broke, with the seed that showed it first and how often.
    broken: BTreeMap<String, (u64, String, u64)>,
}

#[test]
fn no_mutated_recording_breaks_anything() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
        let said = info.payload_as_str().unwrap_or("a panic").to_owned();
        SAID.with(|slot| *slot.borrow_mut() = format!("panic at {place}: {said}"));
    }));
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let runs = number("AIFIX_MUTATION_RUNS");
    let time = Duration::from_secs(number("AIFIX_MUTATION_SECONDS").unwrap_or(60));
    let seed = number("AIFIX_MUTATION_SEED").unwrap_or(1);
    let (corpus, next, began) = (Corpus::load(), AtomicU64::new(0), Instant::now());
    let may_start = |run: u64| runs.map_or_else(|| began.elapsed() < time, |runs| run < runs);
    let work = || {
        let mut tally = Tally::default();
        let folder = tempfile::tempdir().unwrap();
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if !may_start(run) {
                return tally;
            }
            one(&corpus, folder.path(), seed + run, &mut tally);
        }
    };
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let thread = || std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).unwrap();
        let threads: Vec<_> = (0..2).map(|_| thread()).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let _ = std::panic::take_hook();
    report(tallies, began.elapsed());
}

/// One run: what it did is told by its seed alone.
fn one(corpus: &Corpus, folder: &std::path::Path, seed: u64, tally: &mut Tally) {
    let mut chance = Chance::new(seed);
    let (name, files) = mutate::files(corpus, &mut chance);
    // When the process is aborted (by an overflow of the stack), this folder is left with its seed.
    std::fs::write(folder.join("seed"), seed.to_string()).unwrap();
    let snapshot = files.write(folder);
    let before = on_processor();
    let ran = catch_unwind(AssertUnwindSafe(|| invariants::hold(&snapshot, &mut chance)));
    let took = on_processor().saturating_sub(before);
    tally.runs += 1;
    if took > tally.slowest.0 {
        tally.slowest = (took, seed);
    }
    let mut wrong = match ran {
        Ok(Ok(seen)) => {
            tally.refused += u64::from(seen.refused);
            tally.findings += seen.codes.len() as u64;
            tally.codes.extend(seen.codes);
            seen.wrong
        }
        Ok(Err(wrong)) => vec![wrong],
        Err(_) => vec![SAID.take()],
    };
    if took > SLOW {
        wrong.push("a run took too long".to_owned());
    }
    for wrong in wrong {
        let (what, detail) = wrong.split_once('\n').unwrap_or((&wrong, ""));
        let entry = tally.broken.entry(what.to_owned());
        entry.or_insert_with(|| (seed, format!("{name}: {detail}"), 0)).2 += 1;
    }
}

/// Processor time of this thread: a busy machine slows nothing down by this clock.
fn on_processor() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

fn report(tallies: Vec<Tally>, took: Duration) {
    let mut all = Tally::default();
    for tally in tallies {
        all.runs += tally.runs;
        all.refused += tally.refused;
        all.findings += tally.findings;
        all.codes.extend(tally.codes);
        all.slowest = all.slowest.max(tally.slowest);
        for (what, (seed, detail, times)) in tally.broken {
            let entry = all.broken.entry(what).or_insert((seed, detail, 0));
            entry.2 += times;
        }
    }
    eprintln!(
        "{} runs in {} s: {} refused, {} findings of {} codes, {} broken; the slowest took {} ms (seed {})",
        all.runs,
        took.as_secs(),
        all.refused,
        all.findings,
        all.codes.len(),
        all.broken.len(),
        all.slowest.0.as_millis(),
        all.slowest.1
    );
    for (what, (seed, detail, times)) in &all.broken {
        eprintln!("\nAIFIX_MUTATION_SEED={seed} AIFIX_MUTATION_RUNS=1 ({times} times)\n  {what}\n  {detail}");
    }
    assert!(all.broken.is_empty(), "{} invariants are broken", all.broken.len());
    assert!(all.runs > 100 || all.runs == all.refused + 1 || all.runs == 1, "next to nothing ran");
}
