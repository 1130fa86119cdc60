//! The one right that an account was refused.

use super::super::case::Case;
use super::super::facts::{items, text_of};
use super::super::history;
use crate::model::intent::Intent;
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("crash-rbac-forbidden", forbidden), ("rbac-verb-missing", verb)];

/// Exactly the verb on exactly the resource, in a Role that the account has already.
fn verb(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let spec = case.pod_spec();
    let account = if spec.service_account_name.is_empty() { "default" } else { &spec.service_account_name };
    let choices = bound(case, account).into_iter().filter_map(|(binding, role)| least(case, account, binding, role));
    Err(case.ask(case.finding.summary.clone(), &hint(case, account), choices.collect()))
}

/// The same where the roles of the account are not all known, and one Role alone is; or the account that it ran as.
fn forbidden(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let (account, namespace) = (case.text("sa"), case.target.namespace());
    let mut choices = Vec::new();
    // A Role gives rights in its own namespace alone, and a line about another account is no fact about this one.
    let is_own = case.text("ns") == namespace && case.text("namespace") == namespace && !case.is("otherAccount");
    let mut roles = bound(case, account);
    roles.dedup_by_key(|(_, role)| &role.metadata.name);
    if let ([(binding, role)], true) = (roles.as_slice(), is_own) {
        choices.extend(least(case, account, binding, role).filter(|_| !covers(case, role)));
    }
    choices.extend(earlier_account(case, account));
    let message = match choices.is_empty() && roles.is_empty() {
        true => format!("{}: no Role in {namespace} is known to be bound to it", case.finding.summary),
        false => case.finding.summary.clone(),
    };
    Err(case.ask(message, &hint(case, account), choices))
}

fn hint(case: &Case<'_>, account: &str) -> String {
    let (verb, resource) = (case.text("verb"), case.text("resource"));
    format!("allow {verb} on {resource}, and nothing more, in a role of ServiceAccount {account}")
}

fn has(rule: &Value, field: &str, wanted: &str) -> bool {
    items(rule, field).filter_map(Value::as_str).any(|one| one == wanted || one == "*")
}

/// Whether the Role has a rule for it, if only for objects of some names.
fn covers(case: &Case<'_>, role: &Object) -> bool {
    let rules: Vec<Value> = role.view("/rules");
    rules.iter().any(|rule| {
        has(rule, "verbs", case.text("verb"))
            && has(rule, "resources", case.text("resource"))
            && has(rule, "apiGroups", case.text("group"))
    })
}

/// The Roles of the account's namespace that are bound to it, by name, each with its binding.
fn bound<'s>(case: &Case<'s>, account: &str) -> Vec<(&'s Object, &'s Object)> {
    let namespace = case.target.namespace().to_owned();
    let is_it = |one: &Value| {
        let here = text_of(one, "namespace").is_empty() || text_of(one, "namespace") == namespace;
        text_of(one, "kind") == "ServiceAccount" && text_of(one, "name") == account && here
    };
    let bindings = case.snapshot.kind("RoleBinding").iter().filter(|one| one.metadata.namespace == namespace);
    let mut all: Vec<(&Object, &Object)> = bindings
        .filter(|one| one.text("/roleRef/kind") == "Role" && one.view::<Vec<Value>>("/subjects").iter().any(is_it))
        .filter_map(|one| Some((one, case.snapshot.find("Role", &namespace, one.text("/roleRef/name"))?)))
        .collect();
    all.sort_by_key(|(_, role)| &role.metadata.name);
    all
}

/// The Role with the one verb on the one resource, in the rule that is about that resource alone or in a new one.
fn least(case: &Case<'_>, account: &str, binding: &Object, role: &Object) -> Option<Intent> {
    let (verb, resource, group) = (case.text("verb"), case.text("resource"), case.text("group"));
    let on = case.on(&role.object()).ok()?;
    let rules: Vec<Value> = role.view("/rules");
    let only = |rule: &Value, field: &str, wanted: &str| rule.get(field) == Some(&json!([wanted]));
    let same = rules.iter().position(|rule| {
        only(rule, "resources", resource) && only(rule, "apiGroups", group) && rule.get("resourceNames").is_none()
    });
    let edit = match same {
        Some(at) => {
            let mut verbs: Vec<&Value> = items(&rules[at], "verbs").collect();
            let verb = json!(verb);
            verbs.push(&verb);
            on.set(Path::of("rules").index(at).field("verbs"), json!(verbs))
        }
        None => {
            let mut all = rules.clone();
            all.push(json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]}));
            on.set(Path::of("rules"), json!(all))
        }
    };
    let why = match binding.view::<Vec<Value>>("/subjects").len() {
        1 => format!("{} gives it to ServiceAccount {account} alone", binding.object()),
        n => format!("{} gives it to {n} subjects", binding.object()),
    };
    let subject = format!("Allow {verb} on {resource} in Role {}", role.metadata.name);
    Some(on.intent(subject, why, vec![edit], Vec::new()))
}

/// The account of the revision that works.
fn earlier_account(case: &Case<'_>, account: &str) -> Vec<Intent> {
    let root = case.spec_path();
    // The API keeps the same name in a field of old.
    let own = [root.field("serviceAccountName"), root.field("serviceAccount")];
    if !case.finding.change.as_ref().is_some_and(|change| change.good) {
        return Vec::new();
    }
    let why = format!("ServiceAccount {account} may not do it; the pods then have the rights of the other account");
    let back = history::put_back(case, &why, |path| own.contains(path));
    back.ok().flatten().unwrap_or_default()
}
