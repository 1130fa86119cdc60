//! Pods that an admission webhook refuses or can't judge.

use super::admission::Refused;
use super::observe::{Observation, named};
use super::row::rows;
use crate::model::code::CodeInfo;
use crate::model::finding::Source;
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::text;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

rows! { "admission";
WEBHOOK_DENIED "webhook-denied" Model:
    "an admission webhook denies a pod";
    "A webhook of the cluster looked at the pod and said no. The message is its own and usually names the field.";
    "a refusal with `admission webhook \"W\" denied the request`.";
    "A rule of the platform that the manifest does not satisfy.";
    "Needs judgement: the message says what to satisfy. A webhook is never bypassed or changed.".
WEBHOOK_SERVICE_MISSING "webhook-service-missing" Model:
    "the Service of an admission webhook does not exist";
    "The Service that the webhook names is not there. With failurePolicy Fail every object that the webhook wants \
     to see is refused.";
    "a refusal with `failed calling webhook \"W\"` and `service \"S\" not found`.";
    "A webhook whose release was removed in part, a namespace that was deleted.";
    "Needs judgement, and not in the workload: install the webhook's release again or remove the rest of it.".
WEBHOOK_UNREACHABLE "webhook-unreachable" None:
    "an admission webhook does not answer";
    "Every object that the webhook wants to see is refused, because it can't be asked and its failurePolicy is Fail.";
    "a refusal with `failed calling webhook \"W\"` and `connection refused`, `context deadline exceeded`, `no \
     endpoints available` or `EOF`.";
    "The webhook's own pods are down, or the control plane can't reach them.";
    "Ask who runs the webhook: what keeps its pods from answering is what to fix.".
WEBHOOK_CA_INVALID "webhook-ca-invalid" None:
    "the certificate of an admission webhook is not trusted";
    "The API server can't verify the webhook's certificate with the caBundle of its configuration, so every object is \
     refused.";
    "a refusal with `failed calling webhook \"W\"` and `tls: failed to verify certificate`.";
    "A certificate that was renewed without its caBundle, one that expired, one for another name.";
    "Ask who runs the webhook to renew its certificate or the caBundle of its configuration.".
POLICY_ENGINE_DENIED "policy-engine-denied" Model:
    "a policy engine denies a pod";
    "Kyverno or Gatekeeper checked the pod against a policy and said no. The message names the policy, the rule and \
     often the path.";
    "a refusal of the webhook `validate.kyverno.svc-fail` or `validation.gatekeeper.sh`.";
    "A rule of the platform that the manifest does not satisfy.";
    "Needs judgement: satisfy the rule. A policy is never bypassed or changed.".
}

static DENIED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?s)admission webhook "([^"]+)" denied the request:? ?(.*)$"#).ok());
static FAILED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?s)failed calling webhook "([^"]+)": (?:failed to call webhook: )?(?:Post "([^"]+)": )?(.*)$"#).ok()
});
static SERVICE_HOST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^https://([^./:]+)\.([^./:]+)\.svc[:./]").ok());

pub(crate) fn observe(refused: &Refused<'_, '_>) -> Option<Observation> {
    denied(refused).or_else(|| failed(refused))
}

fn denied(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = DENIED.as_ref()?.captures(refused.text())?;
    let (webhook, said) = (&found[1], found[2].trim());
    let is_engine = webhook.contains("kyverno") || webhook.contains("gatekeeper");
    let code = if is_engine { &POLICY_ENGINE_DENIED } else { &WEBHOOK_DENIED };
    let first = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let summary = format!("webhook {webhook} denies the pod: {}", text::clip(first, 120));
    let mut seen = refused.observation(code, summary);
    seen.fact("webhook", webhook);
    Some(seen)
}

fn failed(refused: &Refused<'_, '_>) -> Option<Observation> {
    let found = FAILED.as_ref()?.captures(refused.text())?;
    let (webhook, url, why) = (&found[1], found.get(2).map_or("", |url| url.as_str()), found[3].trim());
    let code: &'static CodeInfo = if why.starts_with("service ") && why.ends_with("not found") {
        &WEBHOOK_SERVICE_MISSING
    } else if why.contains("x509:") || why.contains("tls: ") {
        &WEBHOOK_CA_INVALID
    } else {
        &WEBHOOK_UNREACHABLE
    };
    let summary = match code.name {
        "webhook-service-missing" => format!("webhook {webhook} refuses every pod: its {why}"),
        "webhook-ca-invalid" => format!("webhook {webhook} refuses every pod: {why}"),
        _ => format!("webhook {webhook} refuses every pod because it does not answer: {}", text::clip(why, 100)),
    };
    let mut seen = refused.observation(code, summary);
    seen.message = format!("{webhook}: {}", code.name);
    let configuration = configuration(refused, webhook);
    if let Some((object, entry)) = &configuration {
        let policy = entry.get("failurePolicy").and_then(Value::as_str).unwrap_or("Fail");
        let text = format!("{} has webhook {webhook} with failurePolicy {policy}", object.object());
        seen.show(Source::Spec, None, &text, None);
        seen.fact("configuration", object.object().to_string());
    }
    if let Some(host) = SERVICE_HOST.as_ref().and_then(|shape| shape.captures(url)) {
        seen.follows.push(named("Service", &host[2], &host[1]));
        seen.fact("service", format!("{}/{}", &host[2], &host[1]));
    }
    seen.fact("webhook", webhook);
    seen.shared = Some(configuration.map_or_else(
        || ObjectRef::new("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "", webhook),
        |(object, _)| object.object(),
    ));
    Some(seen)
}

/// The configuration that has this webhook, and its entry there.
fn configuration<'v>(refused: &Refused<'v, '_>, webhook: &str) -> Option<(&'v Object, &'v Value)> {
    let kinds = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"];
    let mut all = kinds.iter().flat_map(|kind| refused.view.snapshot.kind(kind));
    all.find_map(|object| {
        let entries = object.at("/webhooks").and_then(Value::as_array)?;
        let entry = entries.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(webhook))?;
        Some((object, entry))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{finding, of, refused, roots};
    use serde_json::json;

    fn calling(why: &str) -> serde_json::Value {
        let message = format!(
            "Internal error occurred: failed calling webhook \"p.x\": failed to call webhook: Post \"https://hook.sys.svc:443/v?timeout=5s\": {why}"
        );
        refused(&message, json!({}))
    }

    #[test]
    fn each_way_to_fail_has_its_code() {
        for (why, code) in [
            ("no endpoints available for service \"hook\"", "webhook-unreachable"),
            ("EOF", "webhook-unreachable"),
            ("x509: certificate has expired or is not yet valid", "webhook-ca-invalid"),
            ("service \"hook\" not found", "webhook-service-missing"),
        ] {
            assert_eq!(roots(&[calling(why)]), [format!("{code} Deployment/web")], "{why}");
        }
    }

    #[test]
    fn a_policy_engine_is_told_apart_by_the_name_of_its_webhook() {
        let message =
            "admission webhook \"validate.kyverno.svc-fail\" denied the request: \n\nresource Pod/a/web was blocked\n";
        let told = finding(&[refused(message, json!({}))], "policy-engine-denied");
        assert_eq!(told.summary, "webhook validate.kyverno.svc-fail denies the pod: resource Pod/a/web was blocked");
    }

    #[test]
    fn an_unreachable_webhook_hangs_under_the_fault_of_its_own_pods() {
        let hook = json!({"kind": "Pod", "metadata": {"name": "hook", "namespace": "sys", "labels": {"app": "hook"}},
            "spec": {"containers": [{"name": "c", "image": "x", "envFrom": [{"configMapRef": {"name": "cfg"}}]}]},
            "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}],
                "containerStatuses": [{"name": "c", "state": {"waiting":
                    {"reason": "CreateContainerConfigError", "message": "configmap \"cfg\" not found"}}}]}});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook", "namespace": "sys"},
            "spec": {"selector": {"app": "hook"}, "ports": [{"port": 443}]}});
        let found = super::super::diagnose(&of(&[calling("EOF"), hook, service]));
        let [root] = found.findings.as_slice() else { panic!("{:?}", found.findings) };
        assert_eq!((root.code.name(), root.object.name.as_str()), ("configmap-missing", "hook"));
        let effects: Vec<&str> = root.effects.iter().map(|effect| effect.code.name()).collect();
        assert_eq!(effects, ["service-no-ready-endpoints", "webhook-unreachable"]);
    }
}
