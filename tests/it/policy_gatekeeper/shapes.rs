//! Templates that read annotations, old objects and exempt images.

use super::{check, messages, pod, program, set, wait};
use crate::harness::Sandbox;
use aifix::model::object::ObjectRef;
use aifix::model::verdict::Decision;
use aifix::policy::{self, Change, Input, Limits};
use serde_json::{Value, json};

/// A template of `K8sShape` with this Rego v0.
fn template(rego: &str, libs: &str) -> String {
    let block = |text: &str, by: usize| text.trim_matches('\n').replace('\n', &format!("\n{}", " ".repeat(by)));
    let libs = if libs.is_empty() { String::new() } else { format!("    libs:\n    - |\n      {}\n", block(libs, 6)) };
    format!(
        "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {{name: k8sshape}}\nspec:\n  crd:\n    spec:\n      \
         names: {{kind: K8sShape}}\n      validation:\n        openAPIV3Schema:\n          type: object\n          properties:\n            \
         tlsOptional: {{type: boolean}}\n            exemptImages: {{type: array, default: [\"quay.io/system/*\"], items: {{type: string}}}}\n  \
         targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      {}\n{libs}",
        block(rego, 6)
    )
}

const HTTPS_ONLY: &str = r#"
package k8shttpsonly

violation[{"msg": msg}] {
  ingress := input.review.object
  ingress.kind == "Ingress"
  re_match("^(extensions|networking\\.k8s\\.io)/", ingress.apiVersion)
  not is_closed(ingress)
  msg := sprintf("Ingress %v lets plain HTTP in", [ingress.metadata.name])
}

is_closed(ingress) {
  has_tls(ingress)
  ingress.metadata.annotations["kubernetes.io/ingress.allow-http"] == "false"
}

has_tls(ingress) {
  count(ingress.spec.tls) > 0
}

has_tls(_) {
  object.get(object.get(input, "parameters", {}), "tlsOptional", false) == true
}
"#;

fn ingress(name: &str, annotation: Option<&str>, tls: bool) -> Value {
    let mut ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "namespace": "shop"}, "spec": {"rules": [{"host": "shop.example.com"}]}});
    if let Some(value) = annotation {
        ingress["metadata"]["annotations"] = json!({"kubernetes.io/ingress.allow-http": value});
    }
    if tls {
        ingress["spec"]["tls"] = json!([{"hosts": ["shop.example.com"]}]);
    }
    ingress
}

#[test]
fn plain_http_is_seen_in_annotations_and_a_parameter_may_allow_more() {
    let template = template(HTTPS_ONLY, "");
    let all = [
        ingress("open", None, true),
        ingress("said", Some("true"), true),
        ingress("bare", Some("false"), false),
        ingress("closed", Some("false"), true),
    ];
    let said = |spec: &str| messages(&check(&template, "K8sShape", spec, &all)).join("; ");
    let lets = |names: &[&str]| {
        names.iter().map(|name| format!("Ingress {name} lets plain HTTP in")).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(said("{}"), lets(&["open", "said", "bare"]));
    assert_eq!(said("{parameters: {tlsOptional: true}}"), lets(&["open", "said"]));
}

const KEEPS_ITS_TYPE: &str = r#"
package k8skeepstype

violation[{"msg": msg, "details": {"was": was}}] {
  input.review.operation == "UPDATE"
  was := type_of(input.review.oldObject)
  now := type_of(input.review.object)
  was != now
  msg := sprintf("%v/%v may not become %v, it is %v", [input.review.kind.kind, input.review.name, now, was])
}

type_of(service) = type {
  type := object.get(service.spec, "type", "ClusterIP")
}
"#;

#[test]
fn an_old_object_is_compared_with_the_new_one() {
    let sandbox = Sandbox::new();
    let constraint = "apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: K8sShape\nmetadata: {name: it}\nspec: {}\n";
    let set = set(&sandbox, &[("t.yaml", &template(KEEPS_ITS_TYPE, "")), ("c.yaml", constraint)]);
    let service = |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}, "spec": spec});
    let say = |before: &Value, after: &Value| {
        let change = Change::new(ObjectRef::new("v1", "Service", "shop", "web"), before, after, true, false);
        let input = Input::change(vec![change]).to_value();
        let evaluation = wait(policy::evaluate(&set, &input, &Limits::default(), program()));
        messages(&evaluation).join("; ")
    };
    let (open, closed) = (service(json!({"type": "NodePort"})), service(json!({})));
    assert_eq!(say(&closed, &open), "Service/web may not become NodePort, it is ClusterIP");
    assert_eq!(say(&open, &open), "");
    assert_eq!(say(&Value::Null, &open), "", "what is new has no old object");
}

const NO_ESCALATION: &str = r#"
package k8snoescalation

import data.lib.exempt.is_exempt

violation[{"msg": msg}] {
  container := containers[_]
  not is_exempt(container.image)
  not container.securityContext.allowPrivilegeEscalation == false
  msg := sprintf("container %v of %v may escalate", [container.name, container.image])
}

containers[container] {
  lists := {"containers", "initContainers", "ephemeralContainers"}
  container := input.review.object.spec[lists[_]][_]
}
"#;

const EXEMPT: &str = r#"
package lib.exempt

is_exempt(image) {
  pattern := input.parameters.exemptImages[_]
  not endswith(pattern, "*")
  image == pattern
}

is_exempt(image) {
  pattern := input.parameters.exemptImages[_]
  endswith(pattern, "*")
  startswith(image, trim_suffix(pattern, "*"))
}

is_exempt(image) {
  glob.match(input.parameters.exemptImages[_], ["/", ":"], image)
}
"#;

#[test]
fn images_are_exempt_by_name_prefix_and_glob_and_by_the_schemas_default() {
    let template = template(NO_ESCALATION, EXEMPT);
    let images = ["r.io/team/web:1", "r.io/other/web:1", "r.io/proxy:2", "quay.io/system/dns:1", "quay.io/x:1"];
    let pods: Vec<Value> = images.iter().map(|image| pod(&json!({"name": "app", "image": image}))).collect();
    let caught = |spec: &str| {
        let evaluation = check(&template, "K8sShape", spec, &pods);
        let caught = |image: &&&str| messages(&evaluation).iter().any(|text| text.contains(&format!("of {image} may")));
        images.iter().filter(caught).copied().collect::<Vec<_>>()
    };
    let given = "{parameters: {exemptImages: [\"r.io/proxy:2\", \"quay.io/*\", \"r.io/te??/*:1\"]}}";
    assert_eq!(caught(given), ["r.io/other/web:1"]);
    assert_eq!(caught("{}"), ["r.io/team/web:1", "r.io/other/web:1", "r.io/proxy:2", "quay.io/x:1"]);
}

const UNIQUE_HOST: &str = r#"
package k8suniquehost

identical(one, review) {
  one.metadata.namespace == review.object.metadata.namespace
  one.metadata.name == review.object.metadata.name
}

violation[{"msg": msg}] {
  host := input.review.object.spec.rules[_].host
  other := data.inventory.namespace[_][version]["Ingress"][_]
  re_match("^networking\\.k8s\\.io/.+$", version)
  other.spec.rules[_].host == host
  not identical(other, input.review)
  msg := sprintf("another Ingress has the host %v", [host])
}
"#;

#[test]
fn a_template_that_compares_with_other_objects_denies_as_it_can_not_be_asked() {
    let evaluation = check(&template(UNIQUE_HOST, ""), "K8sShape", "{}", &[ingress("web", None, true)]);
    assert_eq!(evaluation.decision(), Decision::Deny);
    assert!(messages(&evaluation)[0].contains("reads `data.inventory`"), "{evaluation:?}");
}
