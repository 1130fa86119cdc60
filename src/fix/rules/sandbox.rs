//! Choices about what a node gives a container.

use super::super::case::Case;
use super::super::history;
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("crash-exit-126", other_image),
    ("crash-port-privileged", low_port),
    ("exec-format-error", other_image),
    ("sa-token-missing", token),
    ("seccomp-profile-missing", profile),
];

/// The sysctl that lets any user listen on low ports of the pod's own network; it is one of the safe ones:
/// <https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls>.
pub(in crate::fix) const LOW_PORTS: &str = "net.ipv4.ip_unprivileged_port_start";

fn low_port(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let mut choices = Vec::new();
    let list = case.spec_path().field("securityContext").field("sysctls");
    let mut all = case.at(&list).and_then(Value::as_array).cloned().unwrap_or_default();
    let sets = |one: &Value| one.get("name").and_then(Value::as_str) == Some(LOW_PORTS);
    // On the node's network it would be the node's.
    if !case.pod_spec().host_network && !all.iter().any(sets) {
        all.push(json!({"name": LOW_PORTS, "value": "0"}));
        let why = "any user of this pod may then listen on low ports, and gets no other right";
        choices.push(case.choice(list, json!(all), "Let the pod's users listen on low ports".to_owned(), why));
    }
    let hint = "listen on a higher port, with the Service's targetPort and the probes, or allow low ports";
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}

/// What the container runtime brings instead of a file of the node.
fn profile(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let mut edits = Vec::new();
    for context in contexts(case) {
        let profile = context.field("securityContext").field("seccompProfile");
        if case.at(&profile.field("type")).and_then(Value::as_str) != Some("Localhost") {
            continue;
        }
        edits.push(case.set(profile.field("type"), json!("RuntimeDefault")));
        let file = profile.field("localhostProfile");
        edits.push(FieldEdit { op: Op::Remove, old: case.at(&file).cloned(), path: file, new: None });
    }
    let why = "every node has it; it may allow more, or less, than the profile that is missing".to_owned();
    let choices = match edits.is_empty() {
        true => Vec::new(),
        false => vec![case.intent("Use the runtime's own seccomp profile".to_owned(), why, edits, Vec::new())],
    };
    let hint = "put the profile on the nodes, or use RuntimeDefault";
    Err(case.ask(case.finding.summary.clone(), hint, choices))
}

/// The pod spec and each of its containers.
fn contexts(case: &Case<'_>) -> Vec<Path> {
    let (root, spec) = (case.spec_path(), case.pod_spec());
    let of = |list: &str, names: Vec<String>| {
        let list = root.field(list);
        names.into_iter().map(move |name| list.item(&name)).collect::<Vec<_>>()
    };
    let names = |containers: &[crate::model::kube::Container]| containers.iter().map(|c| c.name.clone()).collect();
    let mut all = vec![root.clone()];
    all.extend(of("initContainers", names(&spec.init_containers)));
    all.extend(of("containers", names(&spec.containers)));
    all
}

/// The image and command of the revision before, and nodes of another processor.
fn other_image(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let here = case.container_path();
    let own = ["image", "command", "args"].map(|field| here.field(field));
    let why = case.finding.summary.clone();
    let mut choices = match history::put_back(case, &why, |path| own.iter().any(|own| path.starts_with(own))) {
        Ok(found) => found.unwrap_or_default(),
        Err(refusal) => refusal.choices,
    };
    if case.finding.code.name() == "exec-format-error" {
        choices.extend(other_nodes(case));
    }
    let hint = "take an image of the node's architecture, or mend the command or its first line";
    Err(case.ask(why, hint, choices).with_details(history::changes(case)))
}

const ARCH: &str = "kubernetes.io/arch";

/// A choice for each architecture that other nodes have.
fn other_nodes(case: &Case<'_>) -> Vec<Intent> {
    let selector = case.spec_path().field("nodeSelector").field(ARCH);
    if case.at(&selector).is_some() {
        return Vec::new();
    }
    let of_node = |name: &str| {
        let node = case.snapshot.kind("Node").iter().find(|node| node.metadata.name == name);
        node.and_then(|node| node.metadata.labels.get(ARCH).cloned())
    };
    let here: BTreeSet<String> = case
        .snapshot
        .pods
        .iter()
        .filter(|pod| case.finding.pods.names.contains(&pod.metadata.name))
        .filter_map(|pod| of_node(&pod.spec.node_name))
        .collect();
    let all: BTreeSet<&String> =
        case.snapshot.kind("Node").iter().filter_map(|node| node.metadata.labels.get(ARCH)).collect();
    let others = all.into_iter().filter(|arch| !here.is_empty() && !here.contains(*arch));
    let take = |arch: &String| {
        let why = "the nodes where it fails have another processor";
        case.choice(selector.clone(), json!(arch), format!("Run on nodes of {arch}"), why)
    };
    others.map(take).collect()
}

/// A token that an earlier revision had; it was taken away for a reason.
fn token(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let field = case.spec_path().field("automountServiceAccountToken");
    let why = case.finding.summary.clone();
    let choices = match history::put_back(case, &why, |path| *path == field) {
        Ok(found) => found.unwrap_or_default(),
        Err(refusal) => refusal.choices,
    };
    Err(case.ask(why, "mount the token again, or run without the API", choices))
}
