//! Services without an address beside one that has it.

use super::super::case::Case;
use super::ingress::serves;
use crate::diagnose::{ingress_backends, selector};
use crate::model::intent::{FieldEdit, Intent};
use crate::model::kube::Object;
use crate::model::refusal::Refusal;
use serde_json::json;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("service-headless-misuse", beside)];

/// An Ingress sends to the Service of the same pods that has an address and the port.
fn beside(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let own = case.object.map(selector).filter(|own| !own.is_empty());
    let has_address = |one: &&Object| one.text("/spec/clusterIP") != "None" && one.text("/spec/type") != "ExternalName";
    let same: Vec<&Object> =
        case.here("Service").filter(|one| Some(selector(one)) == own).filter(has_address).collect();
    let mut choices = Vec::new();
    for ingress in case.here("Ingress") {
        let all = ingress_backends(ingress);
        let sends: Vec<_> = all.iter().filter(|backend| backend.service == case.target.name).collect();
        let Some(on) = case.on(&ingress.object()).ok().filter(|_| !sends.is_empty()) else { continue };
        for other in same.iter().filter(|other| sends.iter().all(|backend| serves(other, &backend.port))) {
            let name = &other.metadata.name;
            let edits: Vec<FieldEdit> =
                sends.iter().map(|backend| on.set(backend.at.field("name"), json!(name))).collect();
            let why = format!("Service {name} selects the same pods, and has an address and this port");
            let subject = format!("Send Ingress {} to Service {name}", ingress.metadata.name);
            choices.push(on.intent(subject, why, edits, Vec::new()));
        }
    }
    choices.truncate(super::CHOICES);
    let hint = "make a second Service with an address for the same pods, and send the Ingress there";
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}
