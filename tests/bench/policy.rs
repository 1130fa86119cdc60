//! How long 100 policies take on one proposal: `cargo bench --bench policy`.
//!
//! The evaluation is what a run takes beyond one that only starts the child and parses the files. Beside the time by
//! the clock stands that of the processor, which a busy machine does not stretch. Exits 1 when the 100 policies take
//! longer than their mark by the clock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark panics when it can't measure, and prints its table"
)]

use aifix::model::object::ObjectRef;
use aifix::policy::{self, Change, Input, Limits, Set};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const RUNS: usize = 40;
/// What 100 policies may take on one proposal once they are parsed.
const ALLOWED: Duration = Duration::from_millis(50);

fn deployment(memory: &str) -> Value {
    let container = |name: usize| {
        json!({"name": format!("app{name}"), "image": "registry.local/shop/web:1.2.3",
            "resources": {"limits": {"memory": memory, "cpu": "500m"}, "requests": {"memory": "64Mi"}},
            "env": (0..20).map(|at| json!({"name": format!("V{at}"), "value": "x"})).collect::<Vec<_>>()})
    };
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [container(0), container(1)]}}}})
}

/// 40 policies of a change, 40 of conftest, 20 templates with a constraint each.
fn files() -> Vec<(String, String)> {
    let ours = |at: usize| {
        format!(
            "package ours.p{at}\n\ndeny contains msg if {{\n\tsome change in input.changes\n\tsome container in change.after.spec.template.spec.containers\n\tendswith(container.image, \":latest{at}\")\n\tmsg := sprintf(\"%s runs latest\", [container.name])\n}}\n\nwarn contains msg if {{\n\tsome change in input.changes\n\tchange.after.spec.replicas > {}\n\tmsg := \"many\"\n}}\n",
            at + 100
        )
    };
    let conftest = |at: usize| {
        format!(
            "package main.p{at}\n\ndeny[msg] {{\n  input.kind == \"Deployment\"\n  c := input.spec.template.spec.containers[_]\n  not startswith(c.image, \"registry\")\n  msg := sprintf(\"%s is from elsewhere\", [c.image])\n}}\n\nwarn[msg] {{\n  input.spec.replicas < 2\n  msg := \"few\"\n}}\n"
        )
    };
    let gatekeeper = |at: usize| {
        format!(
            "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {{name: k{at}}}\nspec:\n  crd: {{spec: {{names: {{kind: K8sP{at}}}}}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      package k8sp{at}\n\n      violation[{{\"msg\": msg}}] {{\n        c := input_containers[_]\n        c.securityContext.privileged\n        msg := sprintf(\"privileged: %v\", [c.name])\n      }}\n\n      input_containers[c] {{\n        c := input.review.object.spec.containers[_]\n      }}\n---\napiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sP{at}\nmetadata: {{name: it}}\nspec: {{match: {{kinds: [{{apiGroups: [\"\"], kinds: [Pod]}}]}}}}\n"
        )
    };
    (0..40)
        .map(|at| (format!("ours{at}.rego"), ours(at)))
        .chain((0..40).map(|at| (format!("conftest{at}.rego"), conftest(at))))
        .chain((0..20).map(|at| (format!("gatekeeper{at}.yaml"), gatekeeper(at))))
        .collect()
}

/// What runs took.
#[derive(Default)]
struct Figures {
    clock: Vec<Duration>,
    processor: Duration,
}

impl Figures {
    fn measure(&mut self, run: impl FnOnce()) {
        let (started, before) = (Instant::now(), children());
        run();
        self.clock.push(started.elapsed());
        self.processor += children().saturating_sub(before);
    }

    /// The median.
    fn clock(&self) -> Duration {
        let mut times = self.clock.clone();
        times.sort();
        times[times.len() / 2]
    }

    /// The mean: one tick is longer than a run.
    fn processor(&self) -> Duration {
        self.processor / u32::try_from(self.clock.len()).unwrap()
    }
}

/// Processor time of the children that ended, where the system tells: fields 16 and 17 of `/proc/self/stat`, in
/// hundredths of a second.
fn children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    Duration::from_millis((ticks(13) + ticks(14)) * 10)
}

fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files() {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_aifix"));
    let object = ObjectRef::new("apps/v1", "Deployment", "shop", "web");
    let change = Change::new(object, &deployment("32Mi"), &deployment("64Mi"), true, false);
    let input = Input::change(vec![change]).to_value();
    let limits = Limits { deadline: Duration::from_secs(60), ..Limits::default() };
    let mut evaluation = Duration::ZERO;
    for (name, embedded) in [("100 policies", false), ("100 policies and ours", true)] {
        let started = Instant::now();
        let set = Set::load(embedded, &[folder.path().to_owned()]).unwrap();
        let load = started.elapsed();
        let mut parse = Figures::default();
        let mut whole = Figures::default();
        for _ in 0..RUNS {
            parse.measure(|| assert!(runtime.block_on(policy::parse(&set, &limits, program)).is_empty()));
            whole.measure(|| {
                let said = runtime.block_on(policy::evaluate(&set, &input, &limits, program));
                assert!(said.policies.len() >= 100, "{said:?}");
            });
        }
        println!("{name}: read in {load:.1?}");
        println!(
            "  start and parse  {:>9.1?} by the clock, {:>9.1?} of the processor",
            parse.clock(),
            parse.processor()
        );
        println!(
            "  and evaluate     {:>9.1?} by the clock, {:>9.1?} of the processor",
            whole.clock(),
            whole.processor()
        );
        let (clock, processor) =
            (whole.clock().saturating_sub(parse.clock()), whole.processor().saturating_sub(parse.processor()));
        println!("  evaluation alone {clock:>9.1?} by the clock, {processor:>9.1?} of the processor");
        if !embedded {
            evaluation = clock;
        }
    }
    let (is_held, words) = if evaluation <= ALLOWED { (true, "holds") } else { (false, "is missed") };
    println!("100 policies on one proposal take {evaluation:.1?} by the clock, at most {ALLOWED:?}: the mark {words}");
    if is_held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
