//! Gatekeeper's templates and constraints, read as they are.
//!
//! A ConstraintTemplate brings Rego, a constraint says which objects it is asked about and with
//! which parameters: <https://open-policy-agent.github.io/gatekeeper/website/docs/howto>. What
//! runs in a pod is also asked as the Pod that a controller would make of it, as Gatekeeper's
//! expansion does: most constraints are about Pods, and what is in Git are Deployments.

pub(super) mod documents;
mod matching;
mod review;

use super::decide::{Asker, entries};
use super::location::Fault;
use super::protocol::Constraint;
use super::rounds::Asking;
use super::world::World;
use crate::model::verdict::{Decision, Verdict};
use std::time::Instant;

/// Asks one constraint about every object that it matches. One that can't be asked denies what it matches, and has
/// nothing to say of the rest.
pub(super) fn decide(world: &World<'_>, at: usize, end: Instant) -> Vec<Verdict> {
    let Some(constraint) = world.request.constraints.get(at) else { return Vec::new() };
    let matched = review::rounds(&world.request.input, constraint);
    if matched.rounds.is_empty() {
        return Vec::new();
    }
    let mut out: Vec<Verdict> = matched.assumed.iter().map(|words| warning(constraint, words)).collect();
    let files = constraint.files.get(..1).unwrap_or_default();
    let closure = world.closure(files);
    let faults = faults(world, constraint, &closure);
    if !faults.is_empty() {
        out.extend(faults.into_iter().map(|fault| denial(constraint, fault)));
        return out;
    }
    let evaluator = match world.evaluator(&closure, |_| None) {
        Ok(evaluator) => evaluator,
        Err(fault) => {
            out.push(denial(constraint, fault));
            return out;
        }
    };
    let asking = Asking { rounds: matched.rounds, is_lenient: true, has_exceptions: false };
    let mut asker = Asker { world, files, closure: &closure, asking: &asking, evaluator, end };
    for entry in entries(world, files).iter().filter(|entry| entry.name == RULE) {
        let said = asker.ask(entry, &Vec::new());
        out.extend(said.into_iter().map(|(_, verdict)| of(constraint, verdict)));
    }
    out
}

/// The rule that a template must have.
const RULE: &str = "violation";

/// Why it can't be asked.
fn faults(world: &World<'_>, constraint: &Constraint, closure: &[usize]) -> Vec<Fault> {
    let one = |words: &str| vec![Fault::new(words, None)];
    if !constraint.fault.is_empty() {
        return one(&constraint.fault);
    }
    if constraint.files.iter().any(|at| world.module(*at).is_none()) {
        return one("the Rego of its template can't be used");
    }
    if !entries(world, closure).iter().any(|entry| entry.name == RULE) {
        return one("its template has no rule `violation`");
    }
    let reads = |name: &str| world.parsed(closure).any(|(_, module)| module.reads_data(name));
    if reads("inventory") {
        return one("its template reads `data.inventory`, the other objects of the cluster, which are not known here");
    }
    world.faults(closure)
}

fn denial(constraint: &Constraint, fault: Fault) -> Verdict {
    Verdict {
        policy: constraint.name.clone(),
        rule: String::new(),
        decision: constraint.action,
        message: format!("the constraint can't be evaluated: {}", fault.message),
        object: None,
        path: None,
        location: fault.location,
        held_before: false,
    }
}

/// What had to be taken for granted.
fn warning(constraint: &Constraint, words: &str) -> Verdict {
    let said = denial(constraint, Fault::new("", None));
    Verdict { decision: Decision::Warn, message: words.to_owned(), ..said }
}

/// A verdict of the template's rule, as the constraint means it.
fn of(constraint: &Constraint, verdict: Verdict) -> Verdict {
    Verdict { policy: constraint.name.clone(), decision: verdict.decision.min(constraint.action), ..verdict }
}
