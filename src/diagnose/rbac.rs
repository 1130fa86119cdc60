//! Rights, accounts, certificates and secrets of other tools.

use super::observe::{Explains, Observation, named};
use super::row::rows;
use super::view::{Settled, View};
use crate::model::code::CodeInfo;
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::text;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;

rows! { "rbac";
ROLEBINDING_ROLE_MISSING "rolebinding-role-missing" Ask:
    "a binding names a role that does not exist";
    "The binding grants nothing, and nothing in its status says so: programs that need the rights are refused.";
    "roleRef of RoleBindings and ClusterRoleBindings against the roles.";
    "A mistyped name, a role that was renamed or removed, a Role where a ClusterRole was meant.";
    "A person chooses: make the role, or correct roleRef in Git and delete the binding: it can't be changed.".
ROLEBINDING_SUBJECT_MISSING "rolebinding-subject-missing" Ask:
    "a binding names an account that does not exist";
    "Its rights go to nobody. Often the namespace of the subject is left out or wrong.";
    "subjects of kind ServiceAccount against the accounts of that namespace.";
    "A mistyped name or namespace, an account that was removed.";
    "A person chooses, because a subject gets rights.".
RBAC_VERB_MISSING "rbac-verb-missing" Ask:
    "an account lacks a right that its program needs";
    "The account is bound to roles, and none of their rules covers what the program asks.";
    "a log line `User \"system:serviceaccount:NS:SA\" cannot VERB resource \"R\"` and the rules of the bound roles.";
    "A new version that needs more, a rule without the subresource or API group.";
    "A person chooses: exactly that verb on exactly that resource is the least rule.".
SA_NO_PULL_SECRET "sa-no-pull-secret" Ask:
    "a ServiceAccount names a pull secret that does not exist";
    "Its pods pull without that credential, which fails for a private registry.";
    "imagePullSecrets of the account, and the kubelet's message or the list of Secrets.";
    "A mistyped name, a Secret that was not made in this namespace.";
    "A person chooses: the Secret is made, or another is named.".
CERTIFICATE_NOT_READY "certificate-not-ready" Model:
    "a certificate was not issued";
    "cert-manager could not issue or renew it, so its Secret is missing or out of date.";
    "Certificate condition Ready=False and its message.";
    "An issuer that does not exist or fails, a DNS challenge that does not pass, a rate limit.";
    "Needs judgement: the message, the request and the order name the cause.".
EXTERNAL_SECRET_NOT_SYNCED "external-secret-not-synced" Ask:
    "a Secret of another tool was not made";
    "ExternalSecret, SealedSecret or a secret store driver could not fetch or decrypt it.";
    "ExternalSecret condition Ready=False; SealedSecret condition Synced=False.";
    "A key that the store does not have, a store that refuses, a seal of another cluster.";
    "A person chooses: another remote key, or the credential of the store. Values are never read or changed.".
}

static FORBIDDEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"User "system:serviceaccount:([^:"]+):([^"]+)" cannot ([a-z]+) resource "([^"]+)" in API group "([^"]*)""#,
    )
    .ok()
});

/// A refusal in a log: who may not do what, and the workload whose log it is.
struct Denial<'v> {
    namespace: String,
    account: String,
    verb: String,
    resource: String,
    group: String,
    line: &'v crate::model::snapshot::LogLine,
    workload: String,
}

fn denials<'v>(view: &'v View<'_>) -> Vec<Denial<'v>> {
    let mut out: Vec<Denial<'v>> = Vec::new();
    for log in &view.snapshot.logs {
        let of_pod = view.workloads.iter().find(|workload| {
            workload.pods.iter().any(|pod| pod.metadata.name == log.pod && pod.metadata.namespace == log.namespace)
        });
        let Some(workload) = of_pod else { continue };
        // The pattern is compiled for a line that may be one.
        for line in log.lines.iter().filter(|line| line.text.contains("\" cannot ")) {
            let Some(found) = FORBIDDEN.as_ref().and_then(|shape| shape.captures(&line.text)) else { continue };
            let one = Denial {
                namespace: found[1].to_owned(),
                account: found[2].to_owned(),
                verb: found[3].to_owned(),
                resource: found[4].to_owned(),
                group: found[5].to_owned(),
                line,
                workload: workload.key.clone(),
            };
            let known = |other: &Denial<'_>| {
                other.workload == one.workload && other.verb == one.verb && other.resource == one.resource
            };
            if !out.iter().any(known) {
                out.push(one);
            }
        }
    }
    out
}

/// What a refusal in a log becomes once its cause is known.
const REFUSED: &[&str] = &["crash-rbac-forbidden", "crash-app-error", "not-ready"];

fn explain(seen: &mut Observation, denial: &Denial<'_>) {
    seen.show(Source::Log, denial.line.at, &denial.line.text, None);
    seen.explains.push(Explains { key: denial.workload.clone(), codes: REFUSED });
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let denials = denials(view);
    let mut out = Vec::new();
    for kind in ["RoleBinding", "ClusterRoleBinding"] {
        for binding in view.snapshot.kind(kind) {
            out.extend(role(view, binding, &denials));
            out.extend(subjects(view, binding, &denials));
        }
    }
    out.extend(denials.iter().filter_map(|denial| verb(view, denial)));
    out.extend(view.snapshot.kind("ServiceAccount").iter().filter_map(|account| pull_secret(view, account)));
    out.extend(view.snapshot.kind("Certificate").iter().filter_map(|one| certificate(view, one)));
    for (kind, condition) in [("ExternalSecret", "Ready"), ("SealedSecret", "Synced")] {
        out.extend(view.snapshot.kind(kind).iter().filter_map(|one| secret(view, one, condition)));
    }
    out
}

/// Accounts that a binding gives rights: namespace and name.
fn accounts(binding: &Object) -> Vec<(String, String)> {
    let subjects: Vec<Value> = binding.view("/subjects");
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    subjects
        .iter()
        .filter(|one| text(one, "kind") == "ServiceAccount")
        .map(|one| {
            let namespace = text(one, "namespace");
            // A RoleBinding's own namespace is what is meant where none is given.
            let namespace = if namespace.is_empty() { binding.metadata.namespace.clone() } else { namespace };
            (namespace, text(one, "name"))
        })
        .collect()
}

fn base(code: &'static CodeInfo, object: &Object, summary: String) -> Observation {
    let mut seen = Observation::of_object(code, object.object());
    seen.summary = summary;
    seen.since = object.metadata.creation_timestamp;
    seen.severity = Some(Severity::Warning);
    seen
}

fn role(view: &View<'_>, binding: &Object, denials: &[Denial<'_>]) -> Option<Observation> {
    let (kind, name) = (binding.text("/roleRef/kind"), binding.text("/roleRef/name"));
    let (namespace, list) = match kind {
        "Role" => (binding.metadata.namespace.as_str(), "roles"),
        "ClusterRole" => ("", "clusterroles"),
        _ => return None,
    };
    // Without the list it is not known whether the role is there.
    let listed = view.snapshot.objects.contains_key(kind) && !view.snapshot.lacks(list);
    if !listed || view.snapshot.find(kind, namespace, name).is_some() {
        return None;
    }
    let roles = view.snapshot.kind(kind).iter().filter(|role| role.metadata.namespace == namespace);
    let names: BTreeSet<&str> = roles.map(|role| role.metadata.name.as_str()).collect();
    let near = text::nearest(name, names.iter().copied()).map(|near| format!("; {near} does")).unwrap_or_default();
    let own = &binding.metadata.name;
    let summary = format!("{kind} {name} of {} {own} does not exist{near}", binding.kind);
    let mut seen = base(&ROLEBINDING_ROLE_MISSING, binding, summary);
    seen.show(Source::Spec, None, &format!("roleRef: {kind} {name}"), Some(Path::of("roleRef.name")));
    let bound = accounts(binding);
    for denial in denials.iter().filter(|d| bound.contains(&(d.namespace.clone(), d.account.clone()))) {
        explain(&mut seen, denial);
    }
    seen.fact("missing", name);
    seen.fact("object", format!("{kind}/{name}"));
    seen.fact("existing", names.into_iter().collect::<Vec<_>>());
    Some(seen)
}

fn subjects(view: &View<'_>, binding: &Object, denials: &[Denial<'_>]) -> Vec<Observation> {
    let all = view.snapshot.kind("ServiceAccount");
    let mut out = Vec::new();
    for (namespace, name) in accounts(binding) {
        // Every namespace has an account; one without any was not listed.
        let here: BTreeSet<&str> = all
            .iter()
            .filter(|one| one.metadata.namespace == namespace)
            .map(|one| one.metadata.name.as_str())
            .collect();
        if here.is_empty() || here.contains(name.as_str()) {
            continue;
        }
        let elsewhere = all.iter().find(|one| one.metadata.name == name);
        let hint = match (elsewhere, text::nearest(&name, here.iter().copied())) {
            (Some(other), _) => format!("; there is one in namespace {}", other.metadata.namespace),
            (None, Some(near)) => format!("; {near} does"),
            _ => String::new(),
        };
        let summary = format!(
            "{} {} names ServiceAccount {namespace}/{name}, which does not exist{hint}",
            binding.kind, binding.metadata.name
        );
        let mut seen = base(&ROLEBINDING_SUBJECT_MISSING, binding, summary);
        seen.message = format!("{namespace}/{name}");
        seen.show(
            Source::Spec,
            None,
            &format!("subject ServiceAccount {namespace}/{name}"),
            Some(Path::of("subjects")),
        );
        let meant: Vec<_> = denials.iter().filter(|denial| denial.account == name).collect();
        // A left-over subject harms nobody; one whose account is refused something does.
        if meant.is_empty() {
            seen.severity = Some(Severity::Info);
        }
        meant.into_iter().for_each(|denial| explain(&mut seen, denial));
        out.push(seen);
    }
    out
}

/// Whether a rule of a role covers what was refused.
fn covers(role: &Object, denial: &Denial<'_>) -> bool {
    let rules: Vec<Value> = role.view("/rules");
    let has = |rule: &Value, field: &str, wanted: &str| {
        let list = rule.get(field).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).any(|one| one == wanted || one == "*")
    };
    rules.iter().any(|rule| {
        has(rule, "verbs", &denial.verb)
            && has(rule, "resources", &denial.resource)
            && has(rule, "apiGroups", &denial.group)
    })
}

fn verb(view: &View<'_>, denial: &Denial<'_>) -> Option<Observation> {
    let who = (denial.namespace.clone(), denial.account.clone());
    let bindings = ["RoleBinding", "ClusterRoleBinding"].into_iter().flat_map(|kind| view.snapshot.kind(kind));
    let roles: Vec<Option<&Object>> = bindings
        .filter(|binding| accounts(binding).contains(&who))
        .map(|binding| {
            let (kind, name) = (binding.text("/roleRef/kind"), binding.text("/roleRef/name"));
            let namespace = if kind == "Role" { binding.metadata.namespace.as_str() } else { "" };
            view.snapshot.find(kind, namespace, name)
        })
        .collect();
    // A role that is missing or was not read may be the one that grants it.
    let known: Vec<&Object> = roles.iter().copied().flatten().collect();
    if roles.is_empty() || known.len() < roles.len() || known.iter().any(|role| covers(role, denial)) {
        return None;
    }
    let workload = view.workload(&denial.workload)?;
    let Denial { verb, resource, account, .. } = denial;
    let mut seen = Observation::of_workload(&RBAC_VERB_MISSING, workload);
    seen.summary = format!("ServiceAccount {account} may not {verb} {resource}");
    seen.message = format!("{verb} {resource}");
    seen.confidence = Confidence::Strong;
    seen.since = denial.line.at.or(workload.source.and_then(|source| source.metadata.creation_timestamp));
    explain(&mut seen, denial);
    for role in known {
        let text = format!("{} {} is bound to it and has no rule for that", role.kind, role.metadata.name);
        seen.show(Source::Spec, None, &text, None);
    }
    seen.fact("verb", verb.as_str());
    seen.fact("resource", resource.as_str());
    seen.fact("group", denial.group.as_str());
    Some(seen)
}

fn pull_secret(view: &View<'_>, account: &Object) -> Option<Observation> {
    let (namespace, own) = (&account.metadata.namespace, &account.metadata.name);
    let listed: Vec<Value> = account.view("/imagePullSecrets");
    let runs_as = |pod: &&crate::model::kube::Pod| {
        let name = if pod.spec.service_account_name.is_empty() { "default" } else { &pod.spec.service_account_name };
        pod.metadata.namespace == *namespace && name == own
    };
    let told = |name: &str| {
        view.snapshot.pods.iter().filter(runs_as).any(|pod| {
            let mut events = view.events(&pod.metadata.uid).iter();
            events.any(|event| event.reason == "FailedToRetrieveImagePullSecret" && event.text().contains(name))
        })
    };
    let secrets = &view.snapshot.secrets;
    let absent = |name: &str| {
        let there = secrets.iter().any(|one| one.metadata.namespace == *namespace && one.metadata.name == name);
        if secrets.is_empty() { told(name) } else { !there }
    };
    let (at, name) = listed.iter().enumerate().find_map(|(at, one)| {
        let name = one.get("name")?.as_str()?;
        absent(name).then_some((at, name))
    })?;
    let summary = format!("pull secret {name} of ServiceAccount {own} does not exist");
    let mut seen = base(&SA_NO_PULL_SECRET, account, summary);
    let path = Path::of("imagePullSecrets").index(at).field("name");
    seen.show(Source::Spec, None, &format!("imagePullSecrets: {name}"), Some(path));
    for workload in &view.workloads {
        if workload.pods.iter().any(|pod| runs_as(pod) && !pod.is_ready()) {
            const PULLS: &[&str] = &["image-auth-required", "image-access-denied", "image-pull-secret-missing"];
            seen.explains.push(Explains { key: workload.key.clone(), codes: PULLS });
        }
    }
    // Public images need no credential.
    if seen.explains.is_empty() {
        seen.severity = Some(Severity::Info);
    }
    seen.fact("missing", name);
    Some(seen)
}

/// What a Secret that another tool should have made explains.
const OF_SECRET: &[&str] =
    &["secret-missing", "secret-key-missing", "volume-secret-missing", "image-pull-secret-missing", "not-ready"];

fn certificate(view: &View<'_>, certificate: &Object) -> Option<Observation> {
    let conditions = certificate.conditions();
    let bad = conditions.iter().find(|c| c.kind == "Ready" && c.status == "False")?;
    let name = &certificate.metadata.name;
    let summary = format!("certificate {name} was not issued: {}", text::clip(&bad.message, 140));
    let mut seen = base(&CERTIFICATE_NOT_READY, certificate, summary);
    seen.since = bad.last_transition_time.0.or(seen.since);
    seen.show(Source::Status, bad.last_transition_time.0, &format!("{}: {}", bad.reason, bad.message), None);
    let issuer = format!("{} {}", certificate.text("/spec/issuerRef/kind"), certificate.text("/spec/issuerRef/name"));
    seen.show(Source::Spec, None, &format!("issuer: {}", issuer.trim()), Some(Path::of("spec.issuerRef")));
    let secret = named("Secret", &certificate.metadata.namespace, certificate.text("/spec/secretName"));
    seen.explains.push(Explains { key: secret, codes: OF_SECRET });
    seen.fact("reason", bad.reason.as_str());
    // An order takes a few minutes.
    (view.settled(seen.since, 300) == Settled::Yes || bad.reason == "Failed").then_some(seen)
}

fn secret(view: &View<'_>, object: &Object, kind: &str) -> Option<Observation> {
    let conditions = object.conditions();
    let bad = conditions.iter().find(|c| c.kind == kind && c.status == "False")?;
    let own = &object.metadata.name;
    let target = match object.text("/spec/target/name") {
        "" => own,
        name => name,
    };
    let summary = format!("{} {own} did not make Secret {target}: {}", object.kind, text::clip(&bad.message, 140));
    let mut seen = base(&EXTERNAL_SECRET_NOT_SYNCED, object, summary);
    seen.since = bad.last_transition_time.0.or(seen.since);
    seen.show(Source::Status, bad.last_transition_time.0, &format!("{}: {}", bad.reason, bad.message), None);
    let store = object.text("/spec/secretStoreRef/name");
    if !store.is_empty() {
        seen.show(Source::Spec, None, &format!("store: {store}"), Some(Path::of("spec.secretStoreRef")));
    }
    let key = named("Secret", &object.metadata.namespace, target);
    seen.explains.push(Explains { key, codes: OF_SECRET });
    let settled = view.settled(seen.since, 60);
    seen.settle(settled)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{OLD, all, event, of, ready, roots};
    use serde_json::{Value, json};

    fn account(name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    }

    fn binding(role: &str, account: &str) -> Value {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
            "roleRef": {"kind": "Role", "name": role}, "subjects": [{"kind": "ServiceAccount", "name": account}]})
    }

    fn role(name: &str, verb: &str) -> Value {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": [verb]}]})
    }

    fn with_log(objects: &[Value]) -> Vec<String> {
        let mut pod = ready("web", json!({}));
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        pod["status"]["containerStatuses"][0] = json!({"name": "app", "restartCount": 5, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": OLD}}});
        let mut snapshot = of(&[objects, &[pod]].concat());
        snapshot.logs.push(crate::model::snapshot::LogTail {
            namespace: "a".to_owned(),
            pod: "web".to_owned(),
            container: "app".to_owned(),
            previous: true,
            lines: vec![crate::model::snapshot::LogLine {
                at: None,
                text: r#"pods is forbidden: User "system:serviceaccount:a:web" cannot list resource "pods" in API group "" in the namespace "a""#.to_owned(),
            }],
        });
        let found = super::super::diagnose(&snapshot);
        found.findings.iter().map(|f| format!("{} +{}", f.code, f.effects.len())).collect()
    }

    #[test]
    fn a_refusal_in_a_log_hangs_under_what_is_wrong_with_the_binding() {
        let objects = [binding("raeder", "web"), role("reader", "list"), account("web")];
        assert_eq!(with_log(&objects), ["rolebinding-role-missing +1"]);
        let objects = [binding("reader", "web"), role("reader", "get"), account("web")];
        assert_eq!(with_log(&objects), ["rbac-verb-missing +1"]);
        let objects = [binding("reader", "web"), role("reader", "list"), account("default")];
        assert_eq!(with_log(&objects), ["rolebinding-subject-missing +1"]);
    }

    #[test]
    fn a_subject_that_nobody_misses_is_worth_knowing_only() {
        assert_eq!(
            all(&[binding("reader", "old"), role("reader", "get"), account("web")]),
            ["rolebinding-subject-missing RoleBinding/b"]
        );
        assert!(roots(&[binding("reader", "old"), role("reader", "get"), account("web")]).is_empty());
        assert!(all(&[binding("reader", "web"), role("reader", "get"), account("web")]).is_empty());
    }

    #[test]
    fn a_pull_secret_is_missing_when_the_kubelet_says_so() {
        let mut own = account("default");
        own["imagePullSecrets"] = json!([{"name": "regcred"}]);
        let mut pod = ready("web", json!({}));
        assert!(all(&[own.clone(), pod.clone()]).is_empty(), "Secrets are not read");
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        let said = event(
            "Pod",
            "web",
            "FailedToRetrieveImagePullSecret",
            "Unable to retrieve some image pull secrets (regcred)",
        );
        assert!(all(&[own, pod, said]).contains(&"sa-no-pull-secret ServiceAccount/default".to_owned()));
    }

    #[test]
    fn certificates_and_secrets_of_other_tools_are_told() {
        let with = |api: &str, kind: &str, condition: &str, status: &str| {
            roots(&[json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": {"secretName": "x"},
                "status": {"conditions": [{"type": condition, "status": status, "message": "no", "lastTransitionTime": OLD}]}})])
        };
        assert_eq!(
            with("cert-manager.io/v1", "Certificate", "Ready", "False"),
            ["certificate-not-ready Certificate/x"]
        );
        assert_eq!(
            with("external-secrets.io/v1", "ExternalSecret", "Ready", "False"),
            ["external-secret-not-synced ExternalSecret/x"]
        );
        assert_eq!(
            with("bitnami.com/v1alpha1", "SealedSecret", "Synced", "False"),
            ["external-secret-not-synced SealedSecret/x"]
        );
        assert!(with("cert-manager.io/v1", "Certificate", "Ready", "True").is_empty());
    }
}
