//! Choices for pods that can't share a node.

use super::super::case::Case;
use super::service::target_ports;
use crate::diagnose::selector;
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::kube::{ContainerPort, Object};
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] =
    &[("unschedulable-anti-affinity", prefer), ("unschedulable-host-port", free_port)];

/// The same terms, preferred: pods stay apart where there is room.
fn prefer(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let root = case.spec_path().field("affinity").field("podAntiAffinity");
    let required = root.field("requiredDuringSchedulingIgnoredDuringExecution");
    let preferred = root.field("preferredDuringSchedulingIgnoredDuringExecution");
    let list = |path: &Path| case.at(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let terms = list(&required);
    let mut choices = Vec::new();
    if !terms.is_empty() {
        let mut all = list(&preferred);
        // 100 is the most that a weight can be.
        all.extend(terms.iter().map(|term| json!({"weight": 100, "podAffinityTerm": term})));
        let taken = FieldEdit { op: Op::Remove, old: case.at(&required).cloned(), path: required, new: None };
        let why = "two of these pods may then share a node when no other has room".to_owned();
        let edits = vec![taken, case.set(preferred, json!(all))];
        choices.push(case.intent("Prefer that its pods stay apart".to_owned(), why, edits, Vec::new()));
    }
    let hint = "prefer it instead of requiring it, run fewer replicas, or add a node";
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}

/// The port stays reachable through the Service that targets it.
fn free_port(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let labels = case.object.map(Object::template_labels).cloned().unwrap_or_default();
    let selects = |service: &&Object| {
        let wanted = selector(service);
        !wanted.is_empty() && wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    let services: Vec<&Object> = case.here("Service").filter(selects).collect();
    let mut edits = Vec::new();
    let mut through = Vec::new();
    for container in &case.pod_spec().containers {
        let here = case.spec_path().field("containers").item(&container.name).field("ports");
        for (at, port) in container.ports.iter().enumerate().filter(|(_, port)| port.host_port > 0) {
            // One port that only the node gives would be lost with the rest.
            let Some(service) = services.iter().find(|service| targets(service, port)) else {
                return Err(case.ask(case.finding.summary.clone(), HOST_PORT, Vec::new()));
            };
            let path = here.index(at).field("hostPort");
            edits.push(FieldEdit { op: Op::Remove, old: case.at(&path).cloned(), path, new: None });
            through.push(service.metadata.name.as_str());
        }
    }
    through.dedup();
    let why = format!("Service {} leads to it; who asks the node's own port is cut off", through.join(" and "));
    let choice = case.intent("Drop the port of the node".to_owned(), why, edits, Vec::new());
    Err(case.ask(case.finding.summary.clone(), HOST_PORT, vec![choice]))
}

const HOST_PORT: &str = "drop hostPort when a Service serves it, run fewer replicas, or add a node";

fn targets(service: &Object, port: &ContainerPort) -> bool {
    let is_it = |target: &Value| {
        target.as_i64() == Some(port.container_port)
            || target.as_str().is_some_and(|name| !name.is_empty() && name == port.name)
    };
    target_ports(service).iter().any(is_it)
}
