//! No policy of ours stops an honest fix of a recording.

use super::answered::apply;
use super::{names, objects, recorded};
use aifix::diagnose::diagnose;
use aifix::fix;
use aifix::model::finding::Finding;
use aifix::model::intent::Intent;
use aifix::model::verdict::{Decision, Evaluation};
use aifix::policy::{self, Change, Input, Limits, Set, Surroundings};
use serde_json::Value;
use std::path::Path;

/// What needs a person's approval, and by which policy: where data lies, and who delivers what runs.
const APPROVED: [(&str, &str); 2] =
    [("pvc-volume-name-mismatch", "critical_objects"), ("image-not-found", "image_registry")];

/// The object with the edits of an intent; `None` when the recording does not hold it.
fn changed(all: &[Value], intent: &Intent) -> Option<(Value, Value)> {
    let (kind, name) = (intent.object.kind.as_str(), intent.object.name.as_str());
    let before = all.iter().find(|one| one["kind"] == kind && one["metadata"]["name"] == name)?;
    let mut after = before.clone();
    apply(&mut after, intent);
    Some((before.clone(), after))
}

fn asked(
    set: &Set,
    intent: &Intent,
    finding: &Finding,
    (before, after): &(Value, Value),
    seen: &Surroundings,
) -> Evaluation {
    let input = Input {
        intent: serde_json::to_value(intent).unwrap(),
        finding: serde_json::to_value(finding).unwrap(),
        author: serde_json::to_value(intent.author).unwrap(),
        disposition: serde_json::to_value(intent.disposition).unwrap(),
        ..Input::change(vec![Change::new(intent.object.clone(), before, after, true, false).within(seen)])
    };
    let program = Path::new(env!("CARGO_BIN_EXE_aifix"));
    let limits = Limits { deadline: std::time::Duration::from_secs(60), ..Limits::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(policy::evaluate(set, &input.to_value(), &limits, program))
}

#[test]
fn what_facts_decide_passes_every_policy_and_what_a_person_may_choose_is_never_denied() {
    let set = Set::load(true, &[]).unwrap();
    let (mut asked_about, mut wrong) = (0, Vec::new());
    for name in names() {
        let (snapshot, all) = (recorded(&name), objects(&name));
        let seen = Surroundings::of(&snapshot);
        for finding in diagnose(&snapshot).findings {
            let (intents, may_need_approval) = match fix::candidates(&snapshot, &finding) {
                Ok(intents) => (intents, false),
                Err(refusal) => (refusal.choices, true),
            };
            for intent in &intents {
                let Some(pair) = changed(&all, intent) else { continue };
                asked_about += 1;
                for verdict in asked(&set, intent, &finding, &pair, &seen).verdicts {
                    let is_known = APPROVED.contains(&(finding.code.name(), verdict.policy.as_str()));
                    let stops = match verdict.decision {
                        Decision::Deny => true,
                        Decision::NeedsApproval => !(may_need_approval || is_known),
                        Decision::Warn | Decision::Allow => false,
                    };
                    if stops {
                        wrong.push(format!("{name}: {}: {}: {}", finding.code, verdict.policy, verdict.message));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked_about > 30, "{asked_about} fixes of recordings were asked about");
}
