//! Runs a scan and what it is compared with, by turns.

use crate::Case;
use crate::api::{Api, Form};
use crate::objects::FAULTS;
use aifix::cluster::{Options, connect};
use aifix::diagnose;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs of each, by turns.
const RUNS: usize = 15;
/// Runs of popeye: it may take long.
const POPEYE_RUNS: usize = 3;
/// Requests that a scan may send, besides further pages and logs.
const REQUESTS: usize = 30;
/// How much longer than bare GETs a scan may take; the larger of the two counts.
const TIMES: f64 = 1.3;
const MORE: Duration = Duration::from_millis(60);
/// How many times slower than a scan popeye has to be.
const POPEYE: u32 = 3;
const PEAK_MIB: u64 = 150;
/// How much more memory each pod may take where there are many than where there are few: what varies by itself.
const PER_POD: f64 = 1.1;
/// For each thousand pods.
const DIAGNOSIS: Duration = Duration::from_millis(50);

/// What was measured of one case.
pub(crate) struct Figures {
    name: &'static str,
    requests: usize,
    pages: usize,
    mib_read: f64,
    scan: Duration,
    bare: Duration,
    /// The same lists in the form in which a scan reads them: told, not judged.
    binary: Duration,
    popeye: Option<Duration>,
    peak_kib: u64,
    pods: usize,
    diagnosis: Duration,
    judges_pods: bool,
    wrong: Vec<String>,
}

pub(crate) async fn measure(api: &Api, case: &Case) -> Figures {
    let log = AuditLog::here();
    let report: Value = serde_json::from_slice(&aifix(case).output().unwrap().stdout).unwrap();
    let asked = log.requests();
    let (pages, firsts): (Vec<String>, Vec<String>) =
        asked.into_iter().filter(|uri| !uri.contains("/log?")).partition(|uri| uri.contains("continue="));
    let lists: Vec<String> = firsts.iter().filter(|uri| uri.contains("limit=")).cloned().collect();
    let mib_read = api.read_all(&lists, Form::Json).await as f64 / f64::from(1 << 20);

    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for run in 0..RUNS {
        for form in ["bare", "binary"] {
            times.entry(form).or_default().push(time(itself(form).args(&lists)));
        }
        times.entry("scan").or_default().push(time(&mut aifix(case)));
        if let Some(mut popeye) = popeye(case).filter(|_| run < POPEYE_RUNS) {
            times.entry("popeye").or_default().push(time(&mut popeye));
        }
    }
    let mut median = |what: &str| times.remove(what).map(middle);
    let (pods, diagnosis) = diagnosis(case).await;
    Figures {
        name: case.name,
        requests: firsts.len(),
        pages: pages.len(),
        mib_read,
        scan: median("scan").unwrap(),
        bare: median("bare").unwrap(),
        binary: median("binary").unwrap(),
        popeye: median("popeye"),
        peak_kib: peak(&case.scan()),
        pods,
        diagnosis,
        judges_pods: case.pods,
        wrong: wrong(case, &report, firsts.len()),
    }
}

/// What the report says that is not so.
fn wrong(case: &Case, report: &Value, requests: usize) -> Vec<String> {
    let text =
        |finding: &Value, pointer: &str| finding.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    let failing = report["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] != "info");
    let mut found: Vec<String> = failing
        .map(|finding| {
            let (kind, name) = (text(finding, "/object/kind"), text(finding, "/object/name"));
            format!("{} {kind}/{name}", text(finding, "/code"))
        })
        .collect();
    found.sort();
    let mut wrong = Vec::new();
    if found != FAULTS {
        wrong.push(format!("found {found:?}, there is {FAULTS:?}"));
    }
    let summary = &report["contexts"][0]["summary"];
    let workloads = case.namespaces * case.apps.count + FAULTS.len();
    if summary["workloads"] != workloads || summary["failing"] != FAULTS.len() {
        wrong.push(format!("of {workloads} workloads {} fail, it says {summary}", FAULTS.len()));
    }
    let said: u64 = ["lists", "gets"].iter().filter_map(|name| summary["requests"][name].as_u64()).sum();
    if said != requests as u64 {
        wrong.push(format!("the audit log has {requests} requests, it says {said}"));
    }
    wrong
}

/// How long the pure part takes: what else to read, and the diagnosis.
async fn diagnosis(case: &Case) -> (usize, Duration) {
    let options = Options {
        kubeconfig: vec![PathBuf::from(std::env::var_os("KUBECONFIG").unwrap())],
        namespaces: vec![case.namespace(0)],
        all_namespaces: case.namespaces > 1,
        ..Options::default()
    };
    let snapshot = connect(&options).await.unwrap().first_wave(&|_| {}).await.unwrap();
    let once = || {
        let began = Instant::now();
        std::hint::black_box(diagnose::needs(&snapshot));
        std::hint::black_box(diagnose::diagnose(&snapshot));
        began.elapsed()
    };
    (snapshot.pods.len(), middle((0..5).map(|_| once()).collect()))
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The bytes stay in a pipe's place, the words of progress are not wanted.
fn time(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    command.status().unwrap();
    began.elapsed()
}

fn aifix(case: &Case) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aifix"));
    command.args(case.scan());
    command
}

fn itself(job: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(job);
    command
}

/// Only where its mark is, with pods and without.
fn popeye(case: &Case) -> Option<Command> {
    let program = std::env::var_os("AIFIX_BENCH_POPEYE").filter(|program| !program.is_empty())?;
    let mut command = Command::new(program);
    command.args(["-n", &case.namespace(0), "-o", "json", "--force-exit-zero"]);
    case.name.ends_with("-500").then_some(command)
}

/// Peak resident memory of a scan, in KiB: the most of three.
fn peak(scan: &[String]) -> u64 {
    let once = || {
        let mut command = itself("peak");
        command.arg(env!("CARGO_BIN_EXE_aifix")).args(scan);
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().parse::<u64>().unwrap()
    };
    (0..3).map(|_| once()).max().unwrap()
}

/// Whether memory grows faster than the pods between the case with the fewest and that with the most. What a scan
/// takes of a namespace without any is set aside.
pub(crate) fn grows_faster(all: &[Figures]) -> Option<String> {
    let judged = || all.iter().filter(|figures| figures.judges_pods);
    let few = judged().min_by_key(|figures| figures.pods)?;
    let many = judged().max_by_key(|figures| figures.pods).filter(|many| many.pods > few.pods)?;
    let idle = peak(&["scan", "-o", "json", "-n", "default"].map(str::to_owned));
    let each = |figures: &Figures| figures.peak_kib.saturating_sub(idle) as f64 / figures.pods as f64;
    let (few_each, many_each) = (each(few), each(many));
    println!(
        "memory: {idle} KiB for nothing, then {few_each:.1} KiB a pod of {} and {many_each:.1} KiB a pod of {}",
        few.pods, many.pods
    );
    (many_each > few_each * PER_POD).then(|| {
        format!("{many_each:.1} KiB a pod of {}, {few_each:.1} KiB a pod of {}: not linear", many.pods, few.pods)
    })
}

/// Peak resident memory of a command, in KiB. A process of its own asks: the kernel counts all children together.
pub(crate) fn peak_of(words: &[String]) -> i64 {
    Command::new(&words[0]).args(&words[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss()
}

/// The API server's audit log, from here on.
struct AuditLog(File);

impl AuditLog {
    fn here() -> Self {
        let mut file = File::open(std::env::var_os("AIFIX_BENCH_AUDIT_LOG").unwrap()).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        Self(file)
    }

    /// Addresses of the requests of aifix.
    fn requests(mut self) -> Vec<String> {
        // A line is written when the answer is through.
        std::thread::sleep(Duration::from_millis(500));
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|event| event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("aifix/")))
            .filter_map(|event| event["requestURI"].as_str().map(str::to_owned))
            .collect()
    }
}

impl Figures {
    pub(crate) const HEAD: &'static str = "case             requests pages   read MiB  scan ms  bare ms  ratio  allowed ms  binary ms  popeye ms  peak MiB  diagnosis ms";

    fn allowed(&self) -> Duration {
        self.bare.mul_f64(TIMES).max(self.bare + MORE)
    }

    /// The marks that do not hold.
    pub(crate) fn missed(&self) -> Vec<String> {
        let mut missed = self.wrong.clone();
        if self.requests > REQUESTS {
            missed.push(format!("{} requests, at most {REQUESTS}", self.requests));
        }
        if self.scan > self.allowed() {
            missed.push(format!("{} ms, at most {} ms", self.scan.as_millis(), self.allowed().as_millis()));
        }
        if self.popeye.is_some_and(|popeye| popeye < self.scan * POPEYE) {
            missed.push(format!("less than {POPEYE} times as fast as popeye"));
        }
        if self.judges_pods && self.peak_kib / 1024 > PEAK_MIB {
            missed.push(format!("{} MiB, at most {PEAK_MIB} MiB", self.peak_kib / 1024));
        }
        if self.judges_pods && self.diagnosis > DIAGNOSIS.mul_f64(self.pods as f64 / 1000.0) {
            missed.push(format!("the diagnosis takes {} ms", self.diagnosis.as_millis()));
        }
        missed
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, requests, pages, mib_read, .. } = self;
        let peak_mib = self.peak_kib / 1024;
        let [scan, bare, allowed, binary, diagnosis] =
            [self.scan, self.bare, self.allowed(), self.binary, self.diagnosis].map(|t| t.as_millis());
        let popeye = self.popeye.map_or_else(|| "-".to_owned(), |time| time.as_millis().to_string());
        let ratio = self.scan.as_secs_f64() / self.bare.as_secs_f64();
        write!(
            f,
            "{name:16} {requests:8} {pages:5} {mib_read:10.1} {scan:8} {bare:8} {ratio:6.2} {allowed:11} {binary:10} {popeye:>10} {peak_mib:9} {diagnosis:13}"
        )
    }
}
