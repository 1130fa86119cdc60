//! Pods that the API refuses: policies, classes and accounts.

use super::observe::{Observation, named};
use super::refusal::{self, Refusal};
use super::row::rows;
use super::view::{View, Workload};
use super::{limits, quota, rollout, webhook};
use crate::model::code::CodeInfo;
use crate::model::finding::Source;
use crate::model::object::ObjectRef;
use crate::text;
use regex::Regex;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

rows! { "admission";
POD_SECURITY_DENIED "pod-security-denied" Rule:
    "a pod asks for more than the namespace's security level allows";
    "The namespace carries a Pod Security level, and the pod fails some of its checks, so it is never created.";
    "a refusal with `violates PodSecurity \"LEVEL:VERSION\"` and the list of checks.";
    "A namespace that was tightened, a manifest without a security context, a workload that needs privileges.";
    "Where all failed checks can be met by a stricter security context (no privilege escalation, no capabilities, the \
     default seccomp profile), those fields are set for a person to review. Privileges and host access are never \
     added, and the namespace's label is never changed.".
SERVICEACCOUNT_MISSING "serviceaccount-missing" Rule:
    "a pod runs as a ServiceAccount that does not exist";
    "Every pod has a ServiceAccount, and the API refuses a pod whose account is not in the namespace.";
    "a refusal with `error looking up service account NS/N`.";
    "A mistyped name, an account that was not applied or was deleted.";
    "When exactly one account differs by a typo and no binding names it, it is set for a person to review. An account \
     with rights is for a person to choose.".
PRIORITYCLASS_MISSING "priorityclass-missing" Rule:
    "a pod names a PriorityClass that does not exist";
    "The API refuses a pod whose priorityClassName names no PriorityClass.";
    "a refusal with `no PriorityClass with name N was found`.";
    "A mistyped name, a manifest from a cluster with other classes.";
    "Puts back the class of the last good revision, or sets the only class that differs by a typo and is no higher, \
     for a person to review.".
RUNTIMECLASS_MISSING "runtimeclass-missing" Rule:
    "a pod names a RuntimeClass that does not exist";
    "The API refuses a pod whose runtimeClassName names no RuntimeClass.";
    "a refusal with `pod rejected: RuntimeClass \"N\" not found`.";
    "A sandbox runtime that is not installed, a mistyped name.";
    "Puts back the class of the last good revision, or sets the only class that differs by a typo, for a person to \
     review.".
ADMISSION_POLICY_DENIED "admission-policy-denied" Model:
    "an admission policy of the cluster denies a pod";
    "A ValidatingAdmissionPolicy with an expression that the pod does not satisfy. The message is the policy's own.";
    "a refusal with `ValidatingAdmissionPolicy 'P' with binding 'B' denied request`.";
    "A field that the policy demands and the manifest lacks.";
    "Needs judgement: the message says what to satisfy. A policy is never bypassed or changed.".
SA_SECRET_NOT_MOUNTABLE "sa-secret-not-mountable" Ask:
    "a pod mounts a Secret that its ServiceAccount does not allow";
    "The account carries kubernetes.io/enforce-mountable-secrets, so only Secrets that it lists can be used.";
    "a refusal with `is not allowed because service account S does not reference that secret`.";
    "A Secret that was added to the pod and not to the account.";
    "A person chooses: list the Secret in the account, or use another.".
CREATE_IN_TERMINATING_NAMESPACE "create-in-terminating-namespace" None:
    "nothing can be created in a namespace that is being deleted";
    "The namespace is Terminating; the API refuses new objects in it.";
    "a refusal with `because it is being terminated`.";
    "A namespace that was deleted while something still works in it.";
    "An effect: see why the namespace is not gone.".
POD_INVALID "pod-invalid" Model:
    "the API finds a pod invalid";
    "The template was accepted and the pod made from it was not: a webhook or a default changed it in between, or the \
     check is made for pods only.";
    "a refusal with `Pod \"X\" is invalid: FIELD: ...`.";
    "A mutating webhook, defaults of a LimitRange, names that are too long.";
    "Needs judgement: the message names the field.".
}

static PSA: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"violates PodSecurity "([a-z]+):([^"]+)": (.*)$"#).ok());
static ACCOUNT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"error looking up service account ([^/]+)/(\S+): "#).ok());
static PRIORITY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"no PriorityClass with name (\S+) was found").ok());
static RUNTIME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"RuntimeClass "([^"]+)" not found"#).ok());
static POLICY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"ValidatingAdmissionPolicy '([^']+)' with binding '([^']+)' denied request: (.*)$").ok()
});
static MOUNTABLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"="([^"]+)" is not allowed because service account (\S+) does not reference that (?:secret|imagePullSecret)"#,
    )
    .ok()
});

/// A refusal of a workload's pods, with the workload.
#[derive(Clone, Copy)]
pub(crate) struct Refused<'v, 's> {
    pub view: &'v View<'s>,
    pub workload: &'v Workload<'s>,
    pub refusal: &'v Refusal,
}

impl<'v> Refused<'v, '_> {
    /// A finding of this code with the refusal as its evidence.
    pub(crate) fn observation(&self, code: &'static CodeInfo, summary: String) -> Observation {
        let mut seen = Observation::of_workload(code, self.workload);
        seen.summary = summary;
        seen.message.clone_from(&self.refusal.text);
        seen.since = self.refusal.at.or(self.workload.source.and_then(|source| source.metadata.creation_timestamp));
        seen.show(Source::Status, self.refusal.at, &self.refusal.shown, None);
        seen.fact("drifted", self.workload.drifted);
        seen.fact("revision", self.workload.revision.clone());
        seen
    }

    /// The text of the refusal.
    pub(crate) fn text(&self) -> &'v str {
        &self.refusal.text
    }
}

type Look = fn(&Refused<'_, '_>) -> Option<Observation>;

/// What a refusal may say, the most exact first.
const LOOKS: [Look; 13] = [
    quota::exceeded,
    quota::must_specify,
    quota::scope,
    limits::observe,
    pod_security,
    webhook::observe,
    policy,
    service_account,
    priority_class,
    runtime_class,
    mountable,
    terminating,
    invalid,
];

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    view.workloads
        .iter()
        .filter_map(|workload| {
            let refusal = refusal::of(view, workload)?;
            let refused = Refused { view, workload, refusal: &refusal };
            let seen = LOOKS.iter().find_map(|look| look(&refused))?;
            Some(blocked_rollout(&refused, &seen).unwrap_or(seen))
        })
        .collect()
}

/// Whether a refusal has a code of its own.
pub(crate) fn is_known(view: &View<'_>, workload: &Workload<'_>, refusal: &Refusal) -> bool {
    let refused = Refused { view, workload, refusal };
    LOOKS.iter().any(|look| look(&refused).is_some())
}

/// A rollout that can't begin because the pods of the earlier revision use up the quota.
fn blocked_rollout(refused: &Refused<'_, '_>, seen: &Observation) -> Option<Observation> {
    let workload = refused.workload;
    let old_serves = workload.current.is_empty() && workload.counts.ready >= workload.counts.desired;
    let is_deployment = workload.source.is_some_and(|source| source.kind == "Deployment");
    if seen.code.name != "quota-exceeded" || !old_serves || !is_deployment {
        return None;
    }
    let mut blocked = rollout::surge_refused(workload, seen.code.name, &seen.summary);
    blocked.since = seen.since;
    for evidence in &seen.evidence {
        blocked.show(evidence.source, evidence.at, &evidence.text, evidence.path.clone());
    }
    Some(blocked)
}

fn pod_security(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = PSA.as_ref()?.captures(refused.text())?;
    let (level, version, detail) = (found[1].to_owned(), found[2].to_owned(), &found[3]);
    let checks = checks(detail);
    let names: Vec<&str> = checks.iter().map(|(name, _)| name.as_str()).collect();
    let summary = format!("the pod violates the {level} level of its namespace: {}", text::and(&names));
    let mut seen = refused.observation(&POD_SECURITY_DENIED, summary);
    for (name, detail) in &checks {
        seen.show(Source::Status, None, &format!("{name}: {detail}"), Some(refused.workload.spec_path()));
    }
    let facts = checks.iter().map(|(name, detail)| json!({"check": name, "detail": detail}));
    seen.fact("checks", facts.collect::<Vec<_>>());
    seen.fact("level", level);
    seen.fact("version", version);
    Some(seen)
}

/// `check (detail), check (detail)`: commas and parentheses occur inside details too.
fn checks(text: &str) -> Vec<(String, String)> {
    let (mut out, mut depth, mut start, mut open) = (Vec::new(), 0_i32, 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => {
                if depth == 0 {
                    open = at;
                }
                depth += 1;
            }
            ')' => {
                depth -= 1;
                if depth == 0 {
                    out.push((text[start..open].trim().to_owned(), text[open + 1..at].to_owned()));
                    start = at + 1;
                }
            }
            ',' if depth == 0 => start = at + 1,
            _ => {}
        }
    }
    out
}

fn service_account(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = ACCOUNT.as_ref()?.captures(refused.text())?;
    let (namespace, name) = (&found[1], &found[2]);
    let accounts = refused.view.snapshot.kind("ServiceAccount").iter();
    let there = accounts.filter(|a| a.metadata.namespace == namespace).map(|a| a.metadata.name.as_str());
    let mut seen = missing(refused, &SERVICEACCOUNT_MISSING, "ServiceAccount", name, there.collect());
    let path = refused.workload.spec_path().field("serviceAccountName");
    seen.show(Source::Spec, None, &format!("serviceAccountName: {name}"), Some(path));
    seen.shared = Some(ObjectRef::new("v1", "ServiceAccount", namespace, name));
    seen.follows.push(named("ServiceAccount", namespace, name));
    Some(seen)
}

fn priority_class(refused: &Refused<'_, '_>) -> Option<Observation> {
    let name = PRIORITY.as_ref()?.captures(refused.text())?[1].to_owned();
    let there = refused.view.snapshot.kind("PriorityClass").iter().map(|class| class.metadata.name.as_str());
    let mut seen = missing(refused, &PRIORITYCLASS_MISSING, "PriorityClass", &name, there.collect());
    let path = refused.workload.spec_path().field("priorityClassName");
    seen.show(Source::Spec, None, &format!("priorityClassName: {name}"), Some(path));
    seen.shared = Some(ObjectRef::new("scheduling.k8s.io/v1", "PriorityClass", "", &name));
    Some(seen)
}

fn runtime_class(refused: &Refused<'_, '_>) -> Option<Observation> {
    let name = RUNTIME.as_ref()?.captures(refused.text())?[1].to_owned();
    let there = refused.view.snapshot.kind("RuntimeClass").iter().map(|class| class.metadata.name.as_str());
    let mut seen = missing(refused, &RUNTIMECLASS_MISSING, "RuntimeClass", &name, there.collect());
    let path = refused.workload.spec_path().field("runtimeClassName");
    seen.show(Source::Spec, None, &format!("runtimeClassName: {name}"), Some(path));
    seen.shared = Some(ObjectRef::new("node.k8s.io/v1", "RuntimeClass", "", &name));
    Some(seen)
}

/// A named object that is not there, with the closest one that is.
fn missing(
    refused: &Refused<'_, '_>,
    code: &'static CodeInfo,
    kind: &str,
    name: &str,
    there: BTreeSet<&str>,
) -> Observation {
    let summary = match text::nearest(name, there.iter().copied()) {
        Some(near) => format!("{kind} {name} does not exist; {near} does"),
        None => format!("{kind} {name} does not exist"),
    };
    let mut seen = refused.observation(code, summary);
    seen.fact("missing", name);
    seen.fact("object", format!("{kind}/{name}"));
    seen.fact("existing", there.into_iter().collect::<Vec<_>>());
    seen
}

fn policy(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = POLICY.as_ref()?.captures(refused.text())?;
    let (policy, binding, said) = (&found[1], &found[2], &found[3]);
    let summary = format!("policy {policy} denies the pod: {}", text::clip(said, 120));
    let mut seen = refused.observation(&ADMISSION_POLICY_DENIED, summary);
    seen.fact("policy", policy);
    seen.fact("binding", binding);
    Some(seen)
}

fn mountable(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = MOUNTABLE.as_ref()?.captures(refused.text())?;
    let (secret, account) = (&found[1], &found[2]);
    let summary = format!("ServiceAccount {account} does not allow its pods the Secret {secret}");
    let mut seen = refused.observation(&SA_SECRET_NOT_MOUNTABLE, summary);
    seen.fact("secret", secret);
    seen.fact("serviceAccount", account);
    Some(seen)
}

fn terminating(refused: &Refused<'_, '_>) -> Option<Observation> {
    let ends = "because it is being terminated";
    let namespace = refused.workload.top.namespace();
    refused.text().contains(ends).then(|| {
        let summary = format!("namespace {namespace} is being deleted and takes nothing new");
        let mut seen = refused.observation(&CREATE_IN_TERMINATING_NAMESPACE, summary);
        seen.follows.push(named("Namespace", "", namespace));
        seen
    })
}

fn invalid(refused: &Refused<'_, '_>) -> Option<Observation> {
    let rest = refused.text().split_once(" is invalid: ").filter(|(head, _)| head.starts_with("Pod "))?.1;
    // A blank in an image name has a code of its own.
    let field = rest.trim_start_matches('[').split_once(": ").map_or("", |(field, _)| field);
    let is_path = !field.is_empty() && !field.contains(' ') && !field.ends_with(".image");
    is_path.then(|| {
        let summary = format!("the API finds {field} of the pod invalid");
        let mut seen = refused.observation(&POD_INVALID, summary);
        seen.fact("field", Value::from(field));
        seen
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, refused, roots};
    use super::checks;
    use serde_json::json;

    #[test]
    fn checks_are_split_at_their_parentheses() {
        let text = "host namespaces (hostNetwork=true), unrestricted capabilities (containers \"a\", \"b\" must set \
                    capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"a\" must set x (y))";
        let names: Vec<String> = checks(text).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["host namespaces", "unrestricted capabilities", "runAsNonRoot != true"]);
    }

    #[test]
    fn the_closest_account_of_the_same_namespace_is_named() {
        let message =
            r#"pods "web-" is forbidden: error looking up service account a/wbe: serviceaccount "wbe" not found"#;
        let account = |name: &str, namespace: &str| json!({"kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}});
        let told = finding(&[refused(message, json!({})), account("web", "a")], "serviceaccount-missing");
        assert_eq!(told.summary, "ServiceAccount wbe does not exist; web does");
        let told = finding(&[refused(message, json!({})), account("web", "b")], "serviceaccount-missing");
        assert_eq!(told.summary, "ServiceAccount wbe does not exist");
    }

    #[test]
    fn texts_of_the_api_name_their_code() {
        for (message, code) in [
            (r#"Pod "web-1" is invalid: spec.hostname: Invalid value: "x_y": must be a name"#, "pod-invalid"),
            (
                r#"pods "web-1" is forbidden: unable to create new content in namespace a because it is being terminated"#,
                "create-in-terminating-namespace",
            ),
            (
                r#"pods "web-1" is forbidden: volume with secret.secretName="db" is not allowed because service account web does not reference that secret"#,
                "sa-secret-not-mountable",
            ),
            ("the server was unable to return a response in the time allotted", "not-ready"),
            (
                r#"Pod "web-1" is invalid: spec.containers[0].image: Invalid value: " x": must not have blanks"#,
                "not-ready",
            ),
        ] {
            assert_eq!(roots(&[refused(message, json!({}))]), [format!("{code} Deployment/web")], "{message}");
        }
    }

    #[test]
    fn a_refusal_of_a_deployment_that_has_its_pods_is_over() {
        let mut healed = refused("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2", json!({}));
        healed["status"]["readyReplicas"] = json!(1);
        healed["status"]["updatedReplicas"] = json!(1);
        assert!(roots(&[healed]).is_empty());
    }
}
