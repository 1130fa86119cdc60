//! The roles that a scan needs, as kubectl applies them.

use crate::cluster::{Grant, Reach};
use crate::error::Error;
use crate::model::snapshot::Scope;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Name of the roles, and of the ServiceAccount in the commands that bind them.
const NAME: &str = "aifix";
/// Name of the ClusterRole beside a Role: it holds what lies in no namespace.
const BESIDE: &str = "aifix-cluster";
/// Columns of a comment.
const WIDTH: usize = 100;

/// A Role or a ClusterRole.
struct Role<'g> {
    name: &'static str,
    namespace: Option<&'g str>,
    rules: Vec<&'g Grant>,
}

impl Role<'_> {
    const fn kind(&self) -> &'static str {
        if self.namespace.is_some() { "Role" } else { "ClusterRole" }
    }
}

/// One Role per namespace and a ClusterRole beside them; of all namespaces one ClusterRole.
fn roles<'g>(grants: &'g [Grant], scope: &'g Scope) -> Vec<Role<'g>> {
    match scope {
        Scope::All => vec![Role { name: NAME, namespace: None, rules: grants.iter().collect() }],
        Scope::Namespaces(names) => {
            let of = |reach| grants.iter().filter(|grant| grant.reach == reach).collect::<Vec<_>>();
            let mut all: Vec<Role<'_>> =
                names.iter().map(|name| Role { name: NAME, namespace: Some(name), rules: of(Reach::Scope) }).collect();
            all.push(Role { name: BESIDE, namespace: None, rules: of(Reach::Cluster) });
            all
        }
    }
}

/// YAML with a comment per rule: what its absence costs.
pub fn yaml(grants: &[Grant], scope: &Scope) -> String {
    let mut out = String::new();
    comment(&mut out, &format!("The rights that `aifix scan` of {scope} uses. Nothing is ever written."));
    comment(&mut out, "A rule may be left out: a scan then names what it could not look at, and the codes that hides.");
    for role in roles(grants, scope) {
        out.push_str("---\n");
        if role.name == BESIDE {
            out.push_str("# What lies in no namespace, or in one of a delivery tool.\n");
        }
        let _ = writeln!(out, "apiVersion: rbac.authorization.k8s.io/v1\nkind: {}", role.kind());
        let _ = writeln!(out, "metadata:\n  name: {}", role.name);
        if let Some(namespace) = role.namespace {
            let _ = writeln!(out, "  namespace: {}", json!(namespace));
        }
        out.push_str("rules:\n");
        for rule in role.rules {
            comment(&mut out, &cost(rule));
            let (groups, resources, verbs) = (json!([rule.group]), json!(rule.resources), json!(rule.verbs));
            let _ = writeln!(out, "- apiGroups: {groups}\n  resources: {resources}\n  verbs: {verbs}");
        }
    }
    out.push_str("# Give them to a ServiceAccount, here that of a Job which scans:\n");
    for line in bindings(scope) {
        let _ = writeln!(out, "#   {line}");
    }
    comment(
        &mut out,
        "An operator's custom resource that owns what runs is read too; which kinds those are only its cluster knows. \
         Without a rule such as this one unseen: custom-resource-unhealthy.",
    );
    out.push_str("#   - {apiGroups: [example.org], resources: [databases], verbs: [get, list]}\n");
    if matches!(scope, Scope::Namespaces(_)) {
        comment(
            &mut out,
            "`propose` reads by name the ConfigMaps whose values a Flux Kustomization fills in (substituteFrom). Where \
             that is in none of these namespaces:",
        );
        out.push_str("#   kubectl create role aifix-values -n flux-system --verb=get --resource=configmaps\n");
    }
    out
}

/// The same roles as a `List`, which kubectl takes too.
///
/// # Errors
/// Only a bug: the list can't be serialised.
pub fn json(grants: &[Grant], scope: &Scope) -> Result<String, Error> {
    let items: Vec<Value> = roles(grants, scope)
        .iter()
        .map(|role| {
            let rule =
                |rule: &&Grant| json!({"apiGroups": [rule.group], "resources": rule.resources, "verbs": rule.verbs});
            let mut item = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": role.kind(),
                "metadata": {"name": role.name},
                "rules": role.rules.iter().map(rule).collect::<Vec<_>>(),
            });
            if let Some(namespace) = role.namespace {
                item["metadata"]["namespace"] = json!(namespace);
            }
            item
        })
        .collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    let text =
        serde_json::to_string_pretty(&list).map_err(|error| Error::bug("the roles can't be written").because(error))?;
    Ok(text + "\n")
}

/// What the absence of a rule costs.
fn cost(rule: &Grant) -> String {
    if rule.essential {
        return "Without it no workload can be judged.".to_owned();
    }
    let custom = if rule.custom { " Of no use where the kind is not installed." } else { "" };
    format!("Without it unseen: {}.{custom}", rule.codes.join(", "))
}

fn comment(out: &mut String, words: &str) {
    let mut line = "#".to_owned();
    for word in words.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

fn bindings(scope: &Scope) -> Vec<String> {
    let home = match scope {
        Scope::Namespaces(names) => names.first().map_or("default", String::as_str),
        Scope::All => "default",
    };
    let account = format!("--serviceaccount={home}:{NAME}");
    let mut out = vec![format!("kubectl create serviceaccount {NAME} -n {home}")];
    match scope {
        Scope::All => out.push(format!("kubectl create clusterrolebinding {NAME} --clusterrole={NAME} {account}")),
        Scope::Namespaces(names) => {
            out.extend(
                names.iter().map(|name| format!("kubectl create rolebinding {NAME} -n {name} --role={NAME} {account}")),
            );
            out.push(format!("kubectl create clusterrolebinding {BESIDE}-{home} --clusterrole={BESIDE} {account}"));
        }
    }
    out
}
