//! Gatekeeper's templates and constraints, as public libraries shape them.

use crate::harness::Sandbox;
use aifix::model::object::ObjectRef;
use aifix::model::verdict::{Decision, Evaluation};
use aifix::policy::{self, Change, Input, Limits, Set, Surroundings};
use serde_json::{Value, json};
use std::path::Path;

mod shapes;
mod templates;

pub(crate) use templates::PRIVILEGED;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_aifix"))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn set(sandbox: &Sandbox, files: &[(&str, &str)]) -> Set {
    for (name, text) in files {
        sandbox.write(&format!("policy/{name}"), text);
    }
    Set::load(false, &[sandbox.path("policy")]).unwrap()
}

fn constraint(kind: &str, spec: &str) -> String {
    format!("apiVersion: constraints.gatekeeper.sh/v1beta1\nkind: {kind}\nmetadata:\n  name: it\nspec: {spec}\n")
}

/// What one template with one constraint says of manifests.
fn check(template: &str, kind: &str, spec: &str, manifests: &[Value]) -> Evaluation {
    let sandbox = Sandbox::new();
    let set = set(&sandbox, &[("template.yaml", template), ("constraint.yaml", &constraint(kind, spec))]);
    wait(policy::check(manifests, &set, &Limits::default(), program()))
}

fn messages(evaluation: &Evaluation) -> Vec<&str> {
    evaluation.verdicts.iter().map(|verdict| verdict.message.as_str()).collect()
}

fn pod(container: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop", "labels": {"owner": "ada"}},
        "spec": {"containers": [container]}})
}

fn deployment(container: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}}})
}

const PODS: &str = "kinds: [{apiGroups: [\"\"], kinds: [Pod]}]";

#[test]
fn required_labels_with_a_pattern() {
    let parameters = "parameters: {message: all need an owner, labels: [{key: owner, allowedRegex: \"^[a-z]+$\"}]}";
    let spec = format!("{{match: {{{PODS}}}, {parameters}}}");
    let said = |manifest: Value| {
        let evaluation = check(templates::REQUIRED_LABELS, "K8sRequiredLabels", &spec, &[manifest]);
        messages(&evaluation).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(said(pod(&json!({"name": "a"}))), Vec::<String>::new());
    let mut bare = pod(&json!({"name": "a"}));
    bare["metadata"]["labels"] = json!({});
    assert_eq!(said(bare.clone()), ["all need an owner"]);
    bare["metadata"]["labels"] = json!({"owner": "7"});
    assert_eq!(said(bare), ["Label <owner: 7> does not satisfy allowed regex: ^[a-z]+$"]);
}

#[test]
fn allowed_repositories_with_the_any_of_rego_v0() {
    let spec = format!("{{match: {{{PODS}}}, parameters: {{repos: [\"registry.local/\", \"docker.io/acme/\"]}}}}");
    let say = |image: &str| {
        let manifest = pod(&json!({"name": "a", "image": image}));
        check(templates::ALLOWED_REPOS, "K8sAllowedRepos", &spec, &[manifest]).verdicts.len()
    };
    assert_eq!((say("registry.local/a:1"), say("docker.io/acme/a"), say("docker.io/evil/a")), (0, 0, 1));
}

#[test]
fn container_limits_with_quantities_and_a_library() {
    let spec = format!("{{match: {{{PODS}}}, parameters: {{cpu: 500m, memory: 1Gi, exemptImages: [\"tools/*\"]}}}}");
    let say = |image: &str, limits: Value| {
        let manifest = pod(&json!({"name": "a", "image": image, "resources": {"limits": limits}}));
        let evaluation = check(templates::CONTAINER_LIMITS, "K8sContainerLimits", &spec, &[manifest]);
        messages(&evaluation).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(say("web:1", json!({"cpu": "250m", "memory": "512Mi"})), Vec::<String>::new());
    assert_eq!(
        say("web:1", json!({"cpu": 2, "memory": "2Gi"})),
        [
            "container <a> cpu limit <2> is higher than the maximum allowed of <500m>",
            "container <a> memory limit <2Gi> is higher than the maximum allowed of <1Gi>"
        ]
    );
    assert_eq!(say("web:1", json!({"cpu": "1"})).len(), 2);
    assert_eq!(
        say("web:1", json!({"cpu": "lots", "memory": "1Mi"})),
        ["container <a> cpu limit <lots> could not be parsed"]
    );
    assert_eq!(say("tools/x:1", json!({"cpu": 2, "memory": "2Gi"})), Vec::<String>::new());
}

#[test]
fn replica_limits_service_types_and_wildcard_hosts() {
    let replicas = "{match: {kinds: [{apiGroups: [apps], kinds: [Deployment]}]}, parameters: {ranges: [{min_replicas: 4, max_replicas: 9}]}}";
    let evaluation =
        check(templates::REPLICA_LIMITS, "K8sReplicaLimits", replicas, &[deployment(&json!({"name": "a"}))]);
    assert!(messages(&evaluation)[0].contains("The provided number of replicas is not allowed for Deployment: web"));

    let services = "{match: {kinds: [{apiGroups: [\"\"], kinds: [Service]}]}}";
    let service = |kind: &str| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"type": kind}});
    let evaluation =
        check(templates::BLOCK_NODE_PORT, "K8sBlockNodePort", services, &[service("NodePort"), service("ClusterIP")]);
    assert_eq!(messages(&evaluation), ["User is not allowed to create service of type NodePort"]);
    assert_eq!(evaluation.verdicts[0].object.as_deref(), Some("Service shop/web"));

    let hosts = "{match: {kinds: [{apiGroups: [networking.k8s.io], kinds: [Ingress]}]}}";
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"rules": [{"host": "*.example.com"}, {"host": "a.example.com"}]}});
    let evaluation = check(templates::BLOCK_WILDCARD, "K8sBlockWildcardIngress", hosts, &[ingress]);
    assert_eq!(messages(&evaluation), ["Hostname '*.example.com' is not allowed since it counts as a wildcard"]);
}

#[test]
fn rego_v1_in_code_of_the_engine_rego_and_defaults_of_the_schema() {
    let spec = format!("{{match: {{{PODS}}}}}");
    let evaluation = check(
        templates::HOST_NAMESPACES,
        "K8sHostNamespaces",
        &spec,
        &[
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"hostPID": true}}),
        ],
    );
    assert_eq!(messages(&evaluation), ["web shares hostPID (strict)"]);
}

#[test]
fn a_constraint_on_pods_is_asked_about_the_pods_of_a_deployment_and_shows_the_line_of_its_template() {
    let spec = format!("{{match: {{{PODS}}}}}");
    let container = json!({"name": "app", "securityContext": {"privileged": true}});
    let evaluation = check(PRIVILEGED, "K8sPSPPrivilegedContainer", &spec, &[deployment(&container)]);
    let [verdict] = &evaluation.verdicts[..] else { panic!("{evaluation:?}") };
    assert!(verdict.message.starts_with("Privileged container is not allowed: app"), "{verdict:?}");
    assert_eq!(verdict.policy, "K8sPSPPrivilegedContainer/it");
    assert_eq!(verdict.object.as_deref(), Some("Pod of Deployment shop/web"));
    let location = verdict.location.as_ref().unwrap();
    let text = PRIVILEGED.lines().nth(location.line as usize - 1).unwrap();
    assert!(text.trim().starts_with("violation[") && location.file.ends_with("template.yaml"), "{location:?}");
    assert_eq!(location.source, text.trim_end());
    // A constraint on what is written itself is not.
    let spec = format!("{{match: {{source: Original, {PODS}}}}}");
    let container = json!({"name": "app", "securityContext": {"privileged": true}});
    assert!(check(PRIVILEGED, "K8sPSPPrivilegedContainer", &spec, &[deployment(&container)]).verdicts.is_empty());
}

#[test]
fn what_held_before_is_no_new_violation_and_the_old_object_is_there() {
    let sandbox = Sandbox::new();
    let spec = format!("{{match: {{{PODS}}}, parameters: {{repos: [\"registry.local/\"]}}}}");
    let set = set(&sandbox, &[("t.yaml", templates::ALLOWED_REPOS), ("c.yaml", &constraint("K8sAllowedRepos", &spec))]);
    let change = |before: &Value, after: &Value| {
        let object = ObjectRef::new("v1", "Pod", "shop", "web");
        let input = Input::change(vec![Change::new(object, before, after, true, false)]);
        wait(policy::evaluate(&set, &input.to_value(), &Limits::default(), program()))
    };
    let (bad, worse) = (pod(&json!({"name": "a", "image": "x"})), pod(&json!({"name": "a", "image": "y"})));
    let mut same = bad.clone();
    same["metadata"]["labels"]["tier"] = json!("web");
    let evaluation = change(&bad, &same);
    assert_eq!((evaluation.decision(), evaluation.verdicts[0].held_before), (Decision::Warn, true));
    assert_eq!(change(&bad, &worse).decision(), Decision::Deny);
}

#[test]
fn the_pods_of_a_changed_workload_are_created_and_never_updated() {
    // As the public pod security templates skip what can't be changed of a Pod.
    let template = PRIVILEGED
        .replace("c := input_containers[_]\n", "not is_update(input.review)\n            c := input_containers[_]\n")
        + "\n        is_update(review) {\n            review.operation == \"UPDATE\"\n        }\n";
    let sandbox = Sandbox::new();
    let spec = format!("{{match: {{{PODS}}}}}");
    let set = set(&sandbox, &[("t.yaml", &template), ("c.yaml", &constraint("K8sPSPPrivilegedContainer", &spec))]);
    let container = |privileged: bool| json!({"name": "app", "securityContext": {"privileged": privileged}});
    let (before, after) = (deployment(&container(false)), deployment(&container(true)));
    let object = ObjectRef::new("apps/v1", "Deployment", "shop", "web");
    let input = Input::change(vec![Change::new(object, &before, &after, true, false)]);
    let evaluation = wait(policy::evaluate(&set, &input.to_value(), &Limits::default(), program()));
    assert_eq!(evaluation.decision(), Decision::Deny, "{evaluation:?}");
}

#[test]
fn the_enforcement_action_decides() {
    for (action, decision) in [
        ("enforcementAction: deny", Decision::Deny),
        ("enforcementAction: warn", Decision::Warn),
        ("enforcementAction: dryrun", Decision::Warn),
        ("enforcementAction: scoped, scopedEnforcementActions: [{action: warn}, {action: deny}]", Decision::Deny),
    ] {
        let spec = format!("{{{action}, match: {{{PODS}}}}}");
        let container = json!({"name": "app", "securityContext": {"privileged": true}});
        let evaluation = check(PRIVILEGED, "K8sPSPPrivilegedContainer", &spec, &[pod(&container)]);
        assert_eq!(evaluation.decision(), decision, "{action}: {evaluation:?}");
        assert_eq!(evaluation.policies.len(), 1);
    }
}

#[test]
fn a_namespace_selector_whose_namespace_is_not_known_is_taken_to_hold_and_told() {
    let spec = format!("{{match: {{{PODS}, namespaceSelector: {{matchLabels: {{env: prod}}}}}}}}");
    let container = json!({"name": "app", "securityContext": {"privileged": true}});
    let say = |more: &[Value]| {
        let manifests = [&[pod(&container)][..], more].concat();
        let evaluation = check(PRIVILEGED, "K8sPSPPrivilegedContainer", &spec, &manifests);
        evaluation.verdicts.into_iter().map(|verdict| (verdict.decision, verdict.message)).collect::<Vec<_>>()
    };
    let namespace = |env: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"env": env}}});
    let unknown = say(&[]);
    assert_eq!(unknown.len(), 2);
    assert_eq!(unknown[0].0, Decision::Deny);
    assert_eq!(unknown[1].1, "the labels of namespace shop are not known: its namespaceSelector was taken to hold");
    assert_eq!(say(&[namespace("prod")]).len(), 1);
    assert_eq!(say(&[namespace("test")]).len(), 0);
}

/// A template whose only code is CEL.
const CEL: &str = "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {name: x}\nspec:\n  crd: {spec: {names: {kind: K8sX}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    code: [{engine: K8sNativeValidation, source: {}}]\n";
/// Rego about the other objects of a cluster.
const INVENTORY: &str = "package k8sx\n\nviolation[{\"msg\": \"x\"}] {\n  data.inventory.namespace[_][_].Service[_].spec.type == \"NodePort\"\n}";
/// Rego that does not parse.
const BROKEN: &str = "package k8sx\n\nviolation[{\"msg\": \"x\"}] {";

/// The template of K8sX with this Rego.
fn rego(text: &str) -> String {
    let text = text.replace('\n', "\n      ");
    format!(
        "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\nmetadata: {{name: x}}\nspec:\n  crd: {{spec: {{names: {{kind: K8sX}}}}}}\n  targets:\n  - target: admission.k8s.gatekeeper.sh\n    rego: |\n      {text}\n"
    )
}

#[test]
fn a_constraint_that_can_not_be_asked_denies_and_says_why() {
    let (cel, inventory) = (CEL, rego(INVENTORY));
    for (template, reason) in [
        ("apiVersion: v1\nkind: Pod\n".to_owned(), "there is no ConstraintTemplate of K8sX among the policies"),
        (cel.to_owned(), "its template has no Rego, only code for K8sNativeValidation"),
        (inventory, "its template reads `data.inventory`, the other objects of the cluster, which are not known here"),
        (rego("package k8sx\n\ndeny[{\"msg\": \"x\"}] { true }"), "its template has no rule `violation`"),
        (
            rego("package k8sx\n\nviolation[{\"msg\": \"x\"}] { external_data({\"provider\": \"p\", \"keys\": []}) }"),
            "could not find function external_data",
        ),
    ] {
        let evaluation = check(&template, "K8sX", "{}", &[pod(&json!({"name": "a"}))]);
        let [verdict] = &evaluation.verdicts[..] else { panic!("{reason}: {evaluation:?}") };
        assert_eq!(
            (verdict.policy.as_str(), verdict.decision, verdict.message.as_str()),
            ("K8sX/it", Decision::Deny, format!("the constraint can't be evaluated: {reason}").as_str())
        );
    }
    let evaluation = check(cel, "K8sX", "{enforcementAction: warn}", &[pod(&json!({"name": "a"}))]);
    assert_eq!(evaluation.decision(), Decision::Warn);
    let evaluation = check(&rego(BROKEN), "K8sX", "{}", &[pod(&json!({"name": "a"}))]);
    assert!(messages(&evaluation).iter().any(|text| text.contains("the Rego of its template can't be used")));
    assert!(evaluation.verdicts.iter().any(|verdict| verdict.location.is_some()), "{evaluation:?}");
}

#[test]
fn a_constraint_that_can_not_be_asked_stops_nothing_that_it_does_not_match() {
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"}});
    let missing = "apiVersion: v1\nkind: Pod\n".to_owned();
    let spec = "{match: {kinds: [{apiGroups: [networking.k8s.io], kinds: [Ingress]}], excludedNamespaces: [kube-*]}}";
    for template in [missing, CEL.to_owned(), rego(INVENTORY), rego(BROKEN)] {
        let of = |manifest: &Value| check(&template, "K8sX", spec, std::slice::from_ref(manifest));
        let denied = of(&ingress);
        assert_eq!(denied.decision(), Decision::Deny, "{template}: {denied:?}");
        let denial = denied.verdicts.iter().find(|verdict| verdict.decision == Decision::Deny).unwrap();
        assert!(denial.message.starts_with("the constraint can't be evaluated: "), "{template}: {denial:?}");
        let mut elsewhere = ingress.clone();
        elsewhere["metadata"]["namespace"] = json!("kube-system");
        for other in [deployment(&json!({"name": "a"})), pod(&json!({"name": "a"})), elsewhere] {
            let said = of(&other);
            assert!(said.decision() <= Decision::Warn, "{template}: {said:?}");
            // It was asked all the same, and the report says so.
            assert!(
                said.policies.iter().any(|run| run.name == "K8sX/it" && run.decision == Decision::Allow),
                "{said:?}"
            );
        }
        // Beside what it matches the rest is denied too: the change is one.
        let both = check(&template, "K8sX", spec, &[deployment(&json!({"name": "a"})), ingress.clone()]);
        assert_eq!(both.decision(), Decision::Deny, "{template}: {both:?}");
    }
    // What does not parse is said, whatever is matched.
    let said = check(&rego(BROKEN), "K8sX", spec, &[pod(&json!({"name": "a"}))]);
    assert!(said.verdicts.iter().any(|verdict| verdict.location.is_some()), "{said:?}");
}

#[test]
fn a_match_that_can_not_be_judged_takes_everything_so_that_its_constraint_denies() {
    for matching in [
        "labelSelector: {matchExpressions: [{key: a, operator: Resembles, values: [b]}]}",
        "labelSelector: {matchExpressions: [{key: a, operator: In}]}",
        "labelSelector: {matchLabels: {a: 7}}",
        "labelSelector: 7",
        "kinds: Ingress",
        "kinds: [{kinds: Ingress}]",
        "namespaces: bank",
        "scope: Everywhere",
        "source: Somewhere",
        "name: [a]",
        // The labels of the namespace are not known here.
        "namespaceSelector: {matchLabels: {env: prod}}",
    ] {
        let said = check(CEL, "K8sX", &format!("{{match: {{{matching}}}}}"), &[pod(&json!({"name": "a"}))]);
        assert_eq!(said.decision(), Decision::Deny, "{matching}: {said:?}");
    }
    for whole in ["{match: 7}", "{match: everything}", "{match: null}", "7"] {
        let said = check(CEL, "K8sX", whole, &[pod(&json!({"name": "a"}))]);
        assert_eq!(said.decision(), Decision::Deny, "{whole}: {said:?}");
    }
}

#[test]
fn the_labels_of_a_namespace_come_from_the_snapshot() {
    let namespaces =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"env": "test"}}});
    let namespace: aifix::model::kube::Object = serde_json::from_value(namespaces).unwrap();
    let mut snapshot = aifix::model::snapshot::Snapshot::new(
        "lab",
        aifix::model::snapshot::Scope::Namespaces(vec!["shop".to_owned()]),
    );
    snapshot.objects.insert("Namespace".to_owned(), vec![namespace]);
    let change = Change::new(ObjectRef::new("v1", "Pod", "shop", "web"), &Value::Null, &json!({}), true, false);
    let change = change.within(&Surroundings::of(&snapshot));
    assert_eq!((change.namespace_labels, change.disruption_budgets), (json!({"env": "test"}), json!([])));
}

#[test]
fn templates_and_constraints_are_listed_and_what_is_not_asked_is_named() {
    let sandbox = Sandbox::new();
    let spec = format!("{{enforcementAction: warn, match: {{{PODS}}}}}");
    sandbox.write("policy/t.yaml", PRIVILEGED);
    sandbox.write("policy/c.yaml", &constraint("K8sPSPPrivilegedContainer", &spec));
    sandbox.write("policy/lost.yaml", &constraint("K8sLost", "{}"));
    sandbox.write("policy/unused.yaml", templates::ALLOWED_REPOS);
    let out = sandbox.aifix(&["policy", "list", "--policy", "policy"]).exits(0).out;
    let at = out.find("K8sPSPPrivilegedContainer").unwrap();
    insta::assert_snapshot!(&out[at..], @r"
    K8sPSPPrivilegedContainer/it  warn  policy/c.yaml
      Privileged Container
    K8sLost/it  deny  policy/lost.yaml
      there is no ConstraintTemplate of K8sLost among the policies
    not asked  no constraint uses the template of K8sAllowedRepos
    ");
}

#[test]
fn an_object_that_no_constraint_takes_is_allowed() {
    let spec = "{match: {kinds: [{apiGroups: [\"\"], kinds: [Pod]}], excludedNamespaces: [\"sh*\"]}}";
    let container = json!({"name": "app", "securityContext": {"privileged": true}});
    let evaluation = check(PRIVILEGED, "K8sPSPPrivilegedContainer", spec, &[pod(&container)]);
    assert_eq!((evaluation.decision(), evaluation.policies.len()), (Decision::Allow, 1));
}
