//! Pods that are refused for what they name or may.

use super::super::case::Case;
use super::super::reference::Reference;
use super::super::{history, refusal};
use crate::model::intent::{FieldEdit, Intent};
use crate::model::kube::{Container, PodSpec};
use crate::model::path::{Path, Step};
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("priorityclass-missing", priority_class),
    ("runtimeclass-missing", runtime_class),
    ("serviceaccount-missing", service_account),
    ("pod-security-denied", pod_security),
];

fn priority_class(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    class(case, "PriorityClass", "priorityClassName", "another class is another priority")
}

fn runtime_class(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    class(case, "RuntimeClass", "runtimeClassName", "another class is another isolation")
}

/// A class of the pod: what the last revision named, or the close one that is not the system's own.
fn class(case: &Case<'_>, kind: &str, field: &str, review: &str) -> Result<Vec<Intent>, Refusal> {
    case.alone_or("create the class, or name another in each workload")?;
    let path = case.spec_path().field(field);
    let reference = Reference::new(case, kind, "", path.clone())?.only(|name| !name.starts_with("system-"));
    let because = format!("{kind} {} does not exist", reference.wanted);
    // A runtime class is an isolation: a rule never takes it away.
    let put_back = history::put_back(case, &because, |changed| *changed == path);
    match put_back {
        Ok(Some(intents)) if kind == "PriorityClass" => return Ok(intents),
        Err(refusal) => return Err(refusal),
        _ => {}
    }
    reference.decide(case, &[review], false)
}

/// An account that is bound gives rights, so only one that no binding names is taken.
fn service_account(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone_or("create the account, or name another in each workload")?;
    let namespace = case.target.namespace();
    let path = case.spec_path().field("serviceAccountName");
    let reference = Reference::new(case, "ServiceAccount", namespace, path)?;
    let bindings = ["RoleBinding", "ClusterRoleBinding"];
    let read = bindings.iter().all(|kind| case.snapshot.objects.contains_key(*kind))
        && !case.snapshot.lacks("rolebindings")
        && !case.snapshot.lacks("clusterrolebindings");
    let is_bound = |name: &str| {
        bindings.iter().flat_map(|kind| case.snapshot.kind(kind)).any(|binding| {
            let subjects: Vec<Value> = binding.view("/subjects");
            subjects.iter().any(|one| {
                let text = |field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default();
                let of_namespace = text("name") == format!("system:serviceaccounts:{namespace}");
                let place = if text("namespace").is_empty() { &binding.metadata.namespace } else { text("namespace") };
                of_namespace || (text("kind") == "ServiceAccount" && text("name") == name && place == namespace)
            })
        })
    };
    let pulls = |name: &str| {
        let account = case.snapshot.find("ServiceAccount", namespace, name);
        account.and_then(|one| one.at("/imagePullSecrets")).and_then(Value::as_array).is_some_and(|all| !all.is_empty())
    };
    match reference.close() {
        Some(name) if read && !is_bound(name) && !pulls(name) => {
            let why = format!(
                "ServiceAccount {} does not exist; {name} is the only close one, and no binding names it",
                reference.wanted
            );
            Ok(vec![reference.take(case, name, &why, vec!["another account may do other things".to_owned()])])
        }
        Some(name) => {
            let mut refusal = reference.choose(case);
            refusal.message = match read {
                true => format!("ServiceAccount {} does not exist, and {name} carries rights", reference.wanted),
                false => {
                    format!("ServiceAccount {} does not exist, and what {name} may do was not read", reference.wanted)
                }
            };
            Err(refusal)
        }
        None => Err(reference.choose(case)),
    }
}

/// Checks that a stricter setting of the container satisfies.
const STRICTER: [&str; 4] =
    ["allowPrivilegeEscalation != false", "unrestricted capabilities", "seccompProfile", "runAsNonRoot != true"];

/// Settings that a good revision may have had off.
const RIGHTS: [&str; 4] = ["privileged", "hostNetwork", "hostPID", "hostIPC"];

fn pod_security(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let facts = case.fact("checks").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let checks: Vec<(String, String)> = facts.iter().map(|one| (text(one, "check"), text(one, "detail"))).collect();
    let level = case.text("level");
    let ask = |message: String| {
        let details = checks.iter().map(|(check, detail)| format!("{check}: {detail}")).collect();
        let hint = "do without it in the pod; the level of the namespace is its owner's to choose";
        Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint).with_details(details))
    };
    if checks.iter().any(|(check, _)| !STRICTER.contains(&check.as_str())) {
        let is_right =
            |path: &Path| matches!(path.0.last(), Some(Step::Field(last)) if RIGHTS.contains(&last.as_str()));
        let because = format!("the {level} level of the namespace forbids it");
        if let Some(intents) = history::put_back(case, &because, is_right)? {
            return Ok(intents);
        }
        return ask(format!("the pod asks for more than the {level} level allows"));
    }
    let spec = case.pod_spec();
    let mut edits: Vec<FieldEdit> = Vec::new();
    let mut unsure = None;
    for (check, detail) in &checks {
        let named = named(&spec, detail);
        if named.is_empty() || detail.contains("must not") {
            return ask(format!("{check} is set by the pod, and why is not known"));
        }
        for (list, container) in named {
            let here = case.spec_path().field(list).item(&container.name).field("securityContext");
            edits.push(match check.as_str() {
                "allowPrivilegeEscalation != false" => case.set(here.field("allowPrivilegeEscalation"), json!(false)),
                "seccompProfile" => case.set(here.field("seccompProfile").field("type"), json!("RuntimeDefault")),
                "unrestricted capabilities" if adds_more(container) => {
                    return ask(format!(
                        "container {} adds capabilities that the level does not allow",
                        container.name
                    ));
                }
                "unrestricted capabilities" => case.set(here.field("capabilities").field("drop"), json!(["ALL"])),
                _ => {
                    let user = user(&container.security_context).or(user(&spec.security_context));
                    if user.is_none_or(|user| user == 0) {
                        unsure = Some(format!("which user container {} can run as is not known", container.name));
                    }
                    case.set(here.field("runAsNonRoot"), json!(true))
                }
            });
        }
    }
    if edits.is_empty() {
        return ask("the refusal does not say what it wants".to_owned());
    }
    let review = vec!["a program that needs what is taken away fails".to_owned()];
    let why = format!("the {level} level of the namespace refuses the pod without these settings");
    let intent = case.intent(format!("Meet the {level} level of the namespace"), why, edits, review);
    match unsure {
        Some(message) => {
            Err(case.ask(message, "an image that runs as root fails then: look which user it has", vec![intent]))
        }
        None => Ok(vec![intent]),
    }
}

/// The containers that the detail of a check names before what they must have.
fn named<'c>(spec: &'c PodSpec, detail: &str) -> Vec<(&'static str, &'c Container)> {
    let head = detail.split(" must ").next().unwrap_or_default();
    let names: Vec<&str> = head.split('"').skip(1).step_by(2).collect();
    let lists = [("initContainers", &spec.init_containers), ("containers", &spec.containers)];
    let all = lists.into_iter().flat_map(|(list, all)| all.iter().map(move |container| (list, container)));
    all.filter(|(_, container)| names.contains(&container.name.as_str())).collect()
}

fn adds_more(container: &Container) -> bool {
    let added = container.security_context.pointer("/capabilities/add").and_then(Value::as_array);
    added.into_iter().flatten().any(|name| name != "NET_BIND_SERVICE")
}

fn user(context: &Value) -> Option<i64> {
    context.get("runAsUser").and_then(Value::as_i64)
}
