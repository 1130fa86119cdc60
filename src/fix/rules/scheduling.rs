//! Requests that no node can hold.

use super::super::case::Case;
use super::super::{history, refusal};
use crate::diagnose::{largest_allocatable, requested};
use crate::model::intent::Intent;
use crate::model::kube::PodSpec;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde::Deserialize as _;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("unschedulable-cpu", cpu)];

fn cpu(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let asked = case.text("requested");
    let root = case.spec_path();
    let Some(largest) = largest_allocatable(case.snapshot, "cpu").filter(|_| case.is("neverFits")) else {
        let message = format!("no node has room for {asked} cpu now; whether one could have is a question of load");
        let details = vec!["lower requests.cpu".to_owned(), "run fewer replicas".to_owned(), "add a node".to_owned()];
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "free cpu, add a node, or lower the request")
            .with_details(details));
    };
    let largest_text = largest.written_like("m");
    let is_request = |path: &Path| path.starts_with(&root) && path.to_string().ends_with("resources.requests.cpu");
    let good = case.finding.change.as_ref().is_some_and(|change| change.good);
    // A lower request is a weaker one: only a revision that works may say so.
    if let Some(mut revert) = history::revert(case, is_request)?.filter(|_| good) {
        let mut wanted = case.live.clone();
        for edit in &revert.edits {
            match &edit.new {
                Some(new) => edit.path.set(&mut wanted, new.clone()),
                None => edit.path.remove(&mut wanted).is_some(),
            };
        }
        let spec = root.get(&wanted).and_then(|spec| PodSpec::deserialize(spec).ok()).unwrap_or_default();
        let total = requested(&spec, "cpu");
        if total <= largest && total < requested(&case.pod_spec(), "cpu") {
            revert.review.extend(case.request_review("cpu"));
            let subject = format!("Put back the cpu request of {}", total.written_like("m"));
            let why = format!(
                "pods request {asked} cpu and the largest node has {largest_text}; revision {} requests {}",
                revert.from,
                total.written_like("m")
            );
            return Ok(vec![case.intent(subject, why, revert.edits, revert.review)]);
        }
    }
    let message = format!("pods request {asked} cpu, the largest node has {largest_text}; what they need is not known");
    let details = vec![format!("lower requests.cpu to at most {largest_text} in all"), "add a larger node".to_owned()];
    Err(Refusal::new(refusal::NEEDS_CHOICE, message, "lower the request, or add a larger node").with_details(details))
}
