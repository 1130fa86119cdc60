//! Every folder of `tests/lab/codes` is a fault that is made for real, beside healthy twins.

use crate::expected::{Expected, folders, lines, name};
use crate::kit::{Namespace, aifix, kubectl, wait};
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Pods on the node before the next fault is made: it takes 110, and a fault brings a few.
const PODS: usize = 80;
/// Between two faults, so that the node sees the pods of one before the next comes.
const PACE: Duration = Duration::from_millis(400);
/// How long a fault may take to show: a busy kubelet tells its events minutes late.
const LIMIT: Duration = Duration::from_secs(300);
/// How long an answer must hold.
const SETTLE: Duration = Duration::from_secs(10);
/// One scan at a time: the rest of the machine starts containers.
static SCAN: Mutex<()> = Mutex::new(());

#[test]
fn every_fault_is_found_and_its_healthy_twins_stay_silent() {
    let wanted = std::env::var("AIFIX_LAB_CODES").unwrap_or_default();
    let mut all: Vec<PathBuf> = folders().into_iter().filter(|folder| name(folder).contains(&wanted)).collect();
    assert!(!all.is_empty(), "no folder has `{wanted}` in its name");
    // What takes long begins first.
    all.sort_by_key(|folder| !fs::read_to_string(folder.join("expect")).unwrap_or_default().contains("# slow"));
    let began = Instant::now();
    let wrong = Mutex::new(Vec::new());
    // They go together at the end: a kubelet that tells events of namespaces that are gone falls minutes behind.
    let namespaces = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for folder in &all {
            wait_for_room();
            let (wrong, namespaces) = (&wrong, &namespaces);
            threads.spawn(move || match catch_unwind(AssertUnwindSafe(|| make(folder, "code", namespaces))) {
                Ok(seconds) => eprintln!("{seconds:4} s  {}", name(folder)),
                Err(why) => wrong.lock().unwrap().push((folder, said(&*why))),
            });
            std::thread::sleep(PACE);
        }
    });
    // What differs in the crowd is made again by itself: there the node has time, and the answer decides.
    let crowded = wrong.into_inner().unwrap();
    assert!(crowded.len() <= 8, "{} folders differ: {crowded:#?}", crowded.len());
    let wrong: Vec<String> = crowded
        .into_iter()
        .filter_map(|(folder, first)| {
            eprintln!("again by itself: {}, because {first}", name(folder));
            let again = catch_unwind(AssertUnwindSafe(|| make(folder, "again", &namespaces)));
            again.err().map(|why| format!("{}: {}", name(folder), said(&*why)))
        })
        .collect();
    let codes: BTreeSet<String> = all
        .iter()
        .flat_map(|folder| Expected::read(folder, "").codes().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert!(wrong.is_empty(), "{} of {} folders differ:\n\n{}", wrong.len(), all.len(), wrong.join("\n\n"));
    eprintln!("{} codes made by {} faults in {} s", codes.len(), all.len(), began.elapsed().as_secs());
}

pub(crate) fn wait_for_room() {
    let living = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed";
    wait("room on the node", LIMIT, || {
        let pods = kubectl(&["get", "pods", "-A", "-o", "name", "--field-selector", living]).lines().count();
        if pods < PODS { Ok(()) } else { Err(format!("{pods} pods")) }
    });
}

/// Makes one fault and waits until a scan tells it, twice; answers how many seconds it took.
fn make(folder: &Path, prefix: &str, namespaces: &Mutex<Vec<Arc<Namespace>>>) -> u64 {
    let began = Instant::now();
    let fault = Fault::new(folder, prefix);
    namespaces.lock().unwrap().push(Arc::clone(&fault.namespace));
    if folder.join("first.yaml").exists() {
        fault.apply("first.yaml");
        fault.roll_out("first.yaml");
    }
    fault.apply("fault.yaml");
    for object in lines(folder, "delete") {
        // A hook runs only in a container that has begun.
        if fs::read_to_string(folder.join("fault.yaml")).is_ok_and(|text| text.contains("preStop")) {
            let running = "--for=jsonpath={.status.phase}=Running";
            fault.namespace.kubectl(&["wait", running, "--timeout=240s", &fault.filled(&object)]);
        }
        fault.namespace.kubectl(&["delete", "--wait=false", &fault.filled(&object)]);
    }
    let expected = Expected::read(folder, &fault.namespace.0);
    // A scan that could not look at everything says so, and decides nothing here.
    let seen = || {
        let guard = SCAN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let ran = aifix(fault.files.path(), &["scan", "-n", &fault.namespace.0, "-o", "json"]);
        drop(guard);
        let report = ran.json();
        let gaps = report["contexts"][0]["gaps"].as_array().cloned().unwrap_or_default();
        match gaps.iter().find(|gap| gap["essential"] == true) {
            Some(gap) => Err(format!("not everything was seen: {gap}")),
            None => Ok(expected.differs(&report)),
        }
    };
    wait("the expected findings", LIMIT, || {
        let differs = seen()?;
        if differs.is_some() {
            std::thread::sleep(Duration::from_secs(2));
        }
        differs.map_or(Ok(()), Err)
    });
    let seconds = began.elapsed().as_secs();
    std::thread::sleep(SETTLE);
    if let Some(why) = wait("a second look", Duration::from_secs(60), seen) {
        panic!("{} s later the answer changed: {why}", SETTLE.as_secs());
    }
    seconds
}

/// A fault on the cluster: what it made goes away with it, but for its namespace.
pub(crate) struct Fault {
    pub(crate) namespace: Arc<Namespace>,
    folder: PathBuf,
    /// The manifests with the namespace's name filled in.
    pub(crate) files: tempfile::TempDir,
}

impl Fault {
    pub(crate) fn new(folder: &Path, prefix: &str) -> Self {
        let namespace = Arc::new(Namespace::new(&format!("{prefix}-{}", name(folder).replace('.', "-"))));
        let fault = Self { namespace, folder: folder.to_owned(), files: tempfile::tempdir().unwrap() };
        for file in ["first.yaml", "fault.yaml"] {
            if let Ok(text) = fs::read_to_string(folder.join(file)) {
                fs::write(fault.files.path().join(file), fault.filled(&text)).unwrap();
            }
        }
        fault
    }

    fn filled(&self, text: &str) -> String {
        text.replace("NAMESPACE", &self.namespace.0)
    }

    fn file(&self, name: &str) -> String {
        self.files.path().join(name).to_str().unwrap().to_owned()
    }

    /// Again and again: a custom resource is refused until its kind is served.
    pub(crate) fn apply(&self, file: &str) {
        wait("the manifests to be applied", Duration::from_secs(30), || {
            let output = Command::new("kubectl")
                .args(["-n", &self.namespace.0, "apply", "-f", &self.file(file)])
                .output()
                .unwrap();
            if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
        });
    }

    pub(crate) fn roll_out(&self, file: &str) {
        let objects = self.namespace.kubectl(&["get", "-f", &self.file(file), "-o", "name"]);
        for object in objects.lines() {
            if ["deployment.", "statefulset.", "daemonset."].iter().any(|kind| object.starts_with(kind)) {
                self.namespace.kubectl(&["rollout", "status", "--timeout=240s", object]);
            }
        }
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let run = |args: &[&str]| {
            let _ = Command::new("kubectl").args(["-n", &self.namespace.0]).args(args).output();
        };
        for file in ["fault.yaml", "first.yaml"] {
            // What is in the namespace goes with it; an object of the whole cluster has its name.
            if fs::read_to_string(self.folder.join(file)).is_ok_and(|text| text.contains("NAMESPACE")) {
                run(&["delete", "--ignore-not-found", "--wait=false", "-f", &self.file(file)]);
            }
        }
        let kinds = "hpa,cronjobs,jobs,deployments,statefulsets,daemonsets,replicasets,replicationcontrollers,pods";
        run(&["delete", kinds, "--all", "--wait=false", "--grace-period=1"]);
        // What was deleted as part of the fault may be held by a finalizer.
        for object in lines(&self.folder, "delete") {
            run(&["patch", &self.filled(&object), "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
        }
    }
}

/// What a panic said.
pub(crate) fn said(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
