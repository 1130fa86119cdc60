//! Candidate after candidate, until one is proved.

mod advice;
pub mod branch;
mod candidates;
pub mod message;
pub mod record;
mod revert;

use crate::error::Error;
use crate::fix;
use crate::fix::model::Use;
use crate::llm::{Client, Counsel};
use crate::model::finding::Finding;
use crate::model::intent::{Author, Disposition, Intent};
use crate::model::lesson::{Lessons, Tried};
use crate::model::object::ObjectRef;
use crate::model::proposal::{ObjectChange, Outcome, Proposal, Signal, Trust};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::model::tree::Tree;
use crate::model::verdict::{Decision, Evaluation, Verdict};
use crate::policy::{self, Change, Input, Limits, Surroundings};
use crate::schema::Describe;
use crate::source::{self, Candidate, Located, Question, Stop};
use crate::text;
use candidates::{first_of, out_of_range, overtaken, ranked, taught};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The code of a refusal by policy.
pub const POLICY_DENIED: &str = "policy-denied";

/// What proposals of one run stand on.
pub struct Ground<'g> {
    pub snapshot: &'g Snapshot,
    /// The freshly fetched tip of the base branch, and its tree.
    pub base: &'g str,
    pub base_tree: &'g Tree,
    /// Further revisions that may be the deployed one, such as the checkout's HEAD.
    pub deployed: &'g [(String, Tree)],
    /// Identity of the repository; hashed into the branch name.
    pub repo_identity: &'g str,
    /// The repository as people read it, without credentials.
    pub repo: &'g str,
    pub base_branch: &'g str,
    /// A person named the base branch.
    pub based: bool,
    /// `aifix/...` branches of the remote by name.
    pub branches: &'g BTreeMap<String, BranchState>,
    /// Whether an open branch with this very change stands in no way: its pull request is written anew.
    pub reopen: bool,
    pub path: Option<&'g str>,
    pub values: &'g [String],
    /// `--choose N`, from 1: answers in the order of the questions, first which change, then which place.
    pub choose: &'g [usize],
    pub allow_shared: bool,
    pub tools: &'g source::Tools,
    /// The policies that a proposal must pass, and our own binary that evaluates them.
    pub policies: &'g policy::Set,
    pub program: &'g std::path::Path,
    /// Namespaces that were read because a policy asks for their labels.
    pub namespaces: &'g [Value],
    /// Who asks, where and when, as policies are told.
    pub circumstances: policy::Circumstances<'g>,
    /// The model that may be asked, and for what.
    pub model: Option<Advisor<'g>>,
    /// Who says which fields a kind has.
    pub fields: &'g dyn Describe,
    /// Who reads the ConfigMaps whose values a controller fills in.
    pub maps: &'g dyn source::Maps,
    /// Earlier revisions of the base branch.
    pub history: &'g dyn source::History,
    /// Take back the commit that broke it, instead of changing a field.
    pub revert: bool,
    /// What earlier fixes teach: it orders candidates and changes none.
    pub lessons: &'g Lessons,
    /// Changes that were pushed within the last days.
    pub tried: &'g [Tried],
    /// An intent given by the user instead of the rules'.
    pub intent: Option<&'g Intent>,
}

/// A model that may be asked.
#[derive(Clone, Copy)]
pub struct Advisor<'g> {
    pub client: &'g Client,
    pub use_for: Use,
    pub counsel: &'g Counsel,
}

/// What is known of a branch on the remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchState {
    /// Its commit is in the base branch.
    Merged,
    /// It is not, as far as can be seen.
    Open,
}

/// Tries each candidate fix of a finding; the first that can be proved is the proposal,
/// else the refusal of the best candidate says what stood in the way.
///
/// # Errors
/// When a tool or the repository fails; a refusal is an [`Outcome`].
pub async fn find(finding: &Finding, ground: &Ground<'_>) -> Result<Outcome, Error> {
    let refused = |refusal| Outcome::Refused { finding: Box::new(finding.clone()), refusal };
    if ground.revert {
        return Ok(match revert::find(finding, ground).await? {
            Ok(proposal) => Outcome::Proposed(Box::new(proposal)),
            Err(refusal) => refused(refusal),
        });
    }
    let mut choose = ground.choose;
    let ruled = match ground.intent {
        Some(intent) if !intent.object.same_object(&finding.object) => {
            let text =
                format!("the given change is of {}, not of {}", intent.object.qualified(), finding.object.qualified());
            return Ok(refused(Refusal::new("other-object", text, "name the object whose finding it fixes")));
        }
        Some(intent) => Ok(vec![intent.clone()]),
        None => match (ranked(finding, ground), choose.split_first()) {
            (Err(refusal), Some((number, rest))) if !refusal.choices.is_empty() => {
                choose = rest;
                Ok(vec![refusal.chosen(*number).ok_or_else(|| out_of_range(finding, *number, &refusal))?])
            }
            (ruled, _) => ruled,
        },
    };
    // What a person chose needs no advice.
    let decided = ground.intent.is_some() || choose.len() < ground.choose.len();
    let is_asked = |advisor: &Advisor<'_>| !decided && fix::model::serves(finding, advisor.use_for);
    let advisor = ground.model.filter(is_asked);
    let prepared = ruled.as_deref().unwrap_or_default();
    let stood_behind = if decided { Vec::new() } else { overtaken(finding, prepared, ground) };
    let mut stood: Vec<Refusal> = Vec::new();
    for intent in prepared {
        match prove(finding, intent.clone(), choose.first().copied(), ground).await? {
            Ok(mut proposal) => {
                proposal.lessons = taught(finding, &proposal.intent, &stood_behind, ground.lessons);
                if let Some(advisor) = advisor.filter(|advisor| advisor.use_for == Use::Always) {
                    proposal.asked = Some(advice::opinion(&proposal, prepared, ground, advisor).await);
                }
                return Ok(Outcome::Proposed(Box::new(proposal)));
            }
            Err(refusal) => stood.push(refusal),
        }
    }
    if let Some(advisor) = advisor.filter(|advisor| ruled.is_err() || advisor.use_for == Use::Always) {
        match advice::search(finding, prepared, ground, advisor).await? {
            Ok(proposal) => return Ok(Outcome::Proposed(Box::new(proposal))),
            Err(refusal) => stood.push(refusal),
        }
    }
    Ok(refused(match ruled {
        Err(refusal) if stood.is_empty() => refusal,
        Err(refusal) => Refusal { choices: refusal.choices, ..first_of(stood) },
        Ok(_) => first_of(stood),
    }))
}

async fn prove(
    finding: &Finding,
    intent: Intent,
    choose: Option<usize>,
    ground: &Ground<'_>,
) -> Result<Result<Proposal, Refusal>, Error> {
    let live = match live(&intent.object, ground.snapshot) {
        Ok(live) => live,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let found = match source::lead::find(ground.snapshot, &intent.object) {
        Ok(found) => found,
        // A person who names the folder has decided.
        Err(_) if ground.path.is_some() => source::lead::Found::default(),
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(lead) = found.lead.as_ref().filter(|_| ground.path.is_none())
        && let Err(refusal) = lead.check(ground.repo_identity, ground.base_branch, ground.based)
    {
        return Ok(Err(refusal));
    }
    let deployed: Vec<Candidate<'_>> =
        ground.deployed.iter().map(|(revision, tree)| Candidate { revision, tree }).collect();
    let question = Question {
        base: Candidate { revision: ground.base, tree: ground.base_tree },
        deployed: &deployed,
        path: ground.path,
        values: ground.values,
        found: &found,
        live: &live,
        intent: &intent,
        fields: ground.fields,
        maps: ground.maps,
        choose,
        allow_shared: ground.allow_shared,
        repo: ground.repo,
        branch: ground.base_branch,
        tools: ground.tools,
    };
    let mut located = match source::locate(&question).await {
        Ok(located) => located,
        Err(Stop::Refused(refusal)) => return Ok(Err(refusal)),
        Err(Stop::Failed(error)) => return Err(error),
    };
    let mut finding = finding.clone();
    blame(&mut finding, &intent, &mut located, ground);
    let proposal = proposal(&finding, intent, located, ground);
    // After the proof: a fix that is in the base already is "already fixed", whatever branch is left over.
    let own = Some(proposal.branch.as_str()).filter(|_| ground.reopen);
    if let Some(refusal) = still_open(&proposal.intent.object, ground.branches, own) {
        return Ok(Err(refusal));
    }
    Ok(allowed(proposal, ground).await)
}

/// Which commits brought the values that are changed.
fn blame(finding: &mut Finding, intent: &Intent, located: &mut Located, ground: &Ground<'_>) {
    for edit in &located.edits {
        let Some(commit) = source::blame(ground.history, ground.base, edit) else { continue };
        let value = format!("`{}` has this value since {}", edit.file, commit.shown());
        let signal = Signal { signal: "blame".to_owned(), value, trust: Trust::Proved };
        if !located.origin.trail.contains(&signal) {
            located.origin.trail.push(signal);
        }
        if let (Some(change), [own]) = (&mut finding.change, intent.edits.as_slice()) {
            let is_it = change.fields.iter().any(|field| field.path == own.path);
            change.commit = change.commit.take().or(is_it.then_some(commit.id));
        }
    }
}

/// The proposal with what the policies say of it.
async fn allowed(mut proposal: Proposal, ground: &Ground<'_>) -> Result<Proposal, Refusal> {
    proposal.evaluation = evaluate(&proposal, ground).await;
    match proposal.evaluation.decision() {
        Decision::Deny => Err(denied(&proposal.evaluation)),
        Decision::NeedsApproval => {
            proposal.disposition = Disposition::Review;
            Ok(proposal)
        }
        Decision::Warn | Decision::Allow => Ok(proposal),
    }
}

/// What the policies say of a proved change.
async fn evaluate(proposal: &Proposal, ground: &Ground<'_>) -> Evaluation {
    let known = Surroundings::of(ground.snapshot).with_namespaces(ground.namespaces);
    let change = |change: &ObjectChange| {
        let companion = !change.intended;
        Change::new(change.object.clone(), &change.before, &change.after, change.intended, companion)
            .back_to(&change.good)
            .within(&known)
    };
    let Proposal { intent, finding, origin, disposition, reverts, .. } = proposal;
    let input = Input::of(proposal.objects.iter().map(change).collect(), intent, finding, origin, *disposition);
    let input = input.proved(&proposal.proof).reverting(reverts.as_ref()).asked(ground.circumstances);
    policy::evaluate(ground.policies, &input.to_value(), &Limits::default(), ground.program).await
}

/// The denial as a refusal; every denying verdict is a detail, with the line of the policy that said it.
fn denied(evaluation: &Evaluation) -> Refusal {
    let denials: Vec<&Verdict> =
        evaluation.verdicts.iter().filter(|verdict| verdict.decision == Decision::Deny).collect();
    let names: BTreeSet<&str> = denials.iter().map(|verdict| verdict.policy.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let details = denials
        .iter()
        .map(|verdict| match &verdict.location {
            Some(location) => format!("{} ({location}: {})", verdict.message, location.source.trim()),
            None => verdict.message.clone(),
        })
        .collect();
    Refusal::new(
        POLICY_DENIED,
        format!("denied by policy {}", text::and(&names)),
        "change the policy, or fix it by hand",
    )
    .with_details(details)
    .with_policies(evaluation.clone())
}

fn proposal(finding: &Finding, mut intent: Intent, located: Located, ground: &Ground<'_>) -> Proposal {
    if intent.author != Author::Rule {
        intent.disposition = Disposition::Review;
    }
    if !located.review.is_empty() {
        intent.disposition = Disposition::Review;
        intent.review.extend(located.review.iter().cloned());
    }
    let branch = branch(finding, &intent.object, &located, "", ground);
    let object = ground.snapshot.seen(&intent.object);
    let next = object.map(|object| source::next(ground.snapshot, &object, &intent.edits, ground.base_branch));
    let next = next.unwrap_or_default();
    Proposal {
        finding: finding.clone(),
        asked: None,
        lessons: Vec::new(),
        disposition: intent.disposition,
        intent,
        origin: located.origin,
        edits: located.edits,
        files: located.files,
        objects: located.objects,
        proof: located.proof,
        next,
        reverts: None,
        evaluation: Evaluation::default(),
        branch,
    }
}

/// The first name of this proposal's branch that is not taken by a merged one.
fn branch(finding: &Finding, object: &ObjectRef, located: &Located, reverts: &str, ground: &Ground<'_>) -> String {
    let root = &located.origin.path;
    let place = branch::Place { repo: ground.repo_identity, base: ground.base_branch, root, reverts };
    let name = branch::name(finding, object, &located.edits, &place);
    branch::free(&name, |taken| ground.branches.get(taken) == Some(&BranchState::Merged))
}

/// The live object that an intent changes, and whether its controller has seen its last change.
fn live(object: &ObjectRef, snapshot: &Snapshot) -> Result<Value, Refusal> {
    let Some(live) = snapshot.seen(object) else {
        return Err(Refusal::new(
            "not-seen",
            format!("{} was not seen", object.qualified()),
            "the right to list this kind is missing, or it is gone: run the scan again",
        ));
    };
    let observed = live.int("/status/observedGeneration");
    // Flux writes -1 as long as an object has never been ready; its conditions are of this generation all the same.
    if observed.is_some_and(|observed| (0..live.metadata.generation).contains(&observed)) {
        return Err(Refusal::new(
            "rollout-in-progress",
            format!("{} was changed and its controller has not acted on it yet", object.qualified()),
            "wait for the rollout, then run this again",
        ));
    }
    Ok(live.to_value())
}

/// An open branch of ours for the same object, other than `own`: it gets no second one.
fn still_open(object: &ObjectRef, branches: &BTreeMap<String, BranchState>, own: Option<&str>) -> Option<Refusal> {
    let prefix = branch::prefix(object);
    let open = |name: &str, state| name.starts_with(&prefix) && state == BranchState::Open && Some(name) != own;
    let (name, _) = branches.iter().find(|(name, state)| open(name, **state))?;
    Some(Refusal::new(
        "already-proposed",
        format!("branch {name} is open for {}", object.qualified()),
        "merge it or delete it, then run this again",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Scope;

    #[test]
    fn what_was_not_seen_or_is_not_acted_on_yet_is_not_changed() {
        let mut snapshot = Snapshot::new("test", Scope::All);
        let web = |generation: i64| {
            serde_json::from_value(serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "prod", "generation": generation}, "status": {"observedGeneration": 2}}))
        };
        let object = ObjectRef::new("apps/v1", "Deployment", "prod", "web");
        let code = |snapshot: &Snapshot| live(&object, snapshot).map_or_else(|refusal| refusal.code, |_| "");
        assert_eq!(code(&snapshot), "not-seen");
        snapshot.objects.insert("Deployment".to_owned(), vec![web(3).unwrap()]);
        assert_eq!(code(&snapshot), "rollout-in-progress");
        snapshot.objects.insert("Deployment".to_owned(), vec![web(2).unwrap()]);
        assert_eq!(code(&snapshot), "");
    }
}
