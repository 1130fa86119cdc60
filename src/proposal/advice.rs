//! What a model adds: a fix where no rule decides, an opinion.

use super::candidates::first_of;
use super::{Advisor, Ground, POLICY_DENIED, prove};
use crate::error::Error;
use crate::fix::model::{Case, Consultation, NoFix, label};
use crate::llm::Budget;
use crate::model::finding::Finding;
use crate::model::intent::Intent;
use crate::model::proposal::Proposal;
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::{Value, json};

/// Refusals of a value that another value may not meet; those of a place would meet every value.
const OF_THE_VALUE: [&str; 5] = [POLICY_DENIED, "schema", "immutable-field", "no-effect", "secret-value"];

fn consult<'c>(
    finding: &'c Finding,
    prepared: &'c [Intent],
    ground: &Ground<'_>,
    advisor: Advisor<'c>,
) -> Consultation<'c> {
    let case = Case::new(ground.snapshot, finding, prepared).advised(advisor.counsel);
    Consultation::new(advisor.client, case, Budget::new(advisor.client.settings()))
}

/// Asks until one answer is proved and allowed. What stands in the way of a value, a policy above all, goes
/// back to the model, as long as a call is left.
pub(super) async fn search(
    finding: &Finding,
    prepared: &[Intent],
    ground: &Ground<'_>,
    advisor: Advisor<'_>,
) -> Result<Result<Proposal, Refusal>, Error> {
    let mut consultation = consult(finding, prepared, ground, advisor);
    let mut stood: Vec<Refusal> = Vec::new();
    loop {
        let intent = match consultation.next().await {
            Ok(intent) => intent,
            Err(NoFix::Failed(error)) => return Err(error),
            Err(NoFix::Refused(refusal)) => {
                stood.push(refusal);
                return Ok(Err(first_of(stood).with_model(consultation.record())));
            }
        };
        let (asked, told) = (consultation.record(), label(&intent));
        match prove(finding, intent, ground.choose.first().copied(), ground).await? {
            Ok(mut proposal) => {
                proposal.asked = Some(asked);
                return Ok(Ok(proposal));
            }
            Err(refusal) => {
                let is_of_the_value = OF_THE_VALUE.contains(&refusal.code);
                consultation.object(reasons(&told, &refusal));
                stood.push(refusal);
                if !is_of_the_value || consultation.budget().is_spent() {
                    return Ok(Err(first_of(stood).with_model(asked)));
                }
            }
        }
    }
}

/// A refusal of a change in words for a model.
fn reasons(told: &str, refusal: &Refusal) -> Vec<String> {
    let first = format!("{}: {}", text::clip(told, 120), refusal.message);
    std::iter::once(&first).chain(&refusal.details).map(|words| text::clip(words, 240)).take(4).collect()
}

/// What a model says of a change that a rule decided; it changes nothing of it. The record of the asking has
/// it as `opinion`.
pub(super) async fn opinion(
    proposal: &Proposal,
    prepared: &[Intent],
    ground: &Ground<'_>,
    advisor: Advisor<'_>,
) -> Value {
    let mut consultation = consult(&proposal.finding, prepared, ground, advisor);
    let words = match consultation.next().await {
        Ok(intent) if intent.edits == proposal.intent.edits => "a model chose the same change".to_owned(),
        Ok(intent) => format!("a model dissents and proposes {}", text::clip(&label(&intent), 200)),
        Err(NoFix::Refused(refusal)) => refusal.message,
        Err(NoFix::Failed(error)) => format!("no opinion of a model: {error}"),
    };
    let mut asked = consultation.record();
    asked["opinion"] = json!(crate::redact::text(&words).as_str());
    asked
}
