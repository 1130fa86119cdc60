//! Missing rights, a missing namespace: said, never read as healthy.

use crate::kit::{Namespace, aifix, failing, faults, kubectl, lab, wait};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

#[test]
fn a_user_without_rights_is_told_so_and_nothing_looks_healthy() {
    let namespace = Namespace::new("forbidden");
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = lab("AIFIX_LAB_VIEWER_KUBECONFIG");
    let ran = aifix(folder.path(), &["scan", "-n", &namespace.0, "--kubeconfig", &kubeconfig]).exits(6);
    assert!(!ran.out.contains("healthy"), "{}", ran.out);
    assert!(
        ran.out.contains("Not looked at") && ran.out.contains("pods") && ran.out.contains("forbidden"),
        "{}",
        ran.out
    );
}

#[test]
fn a_namespace_that_does_not_exist_is_a_usage_error_and_an_empty_one_is_not() {
    let namespace = Namespace::new("empty");
    let folder = tempfile::tempdir().unwrap();
    let ran = aifix(folder.path(), &["scan", "-n", &namespace.0]).exits(0);
    assert!(ran.out.contains("no workloads here"), "{}", ran.out);
    let missing = format!("{}x", namespace.0);
    let ran = aifix(folder.path(), &["scan", "-n", &missing]).exits(2);
    assert!(ran.err.contains(&missing) && ran.err.contains("there is no namespace"), "{}", ran.err);
}

#[test]
fn the_doctor_tells_rights_apart_and_creates_nothing_but_a_review() {
    let folder = tempfile::tempdir().unwrap();
    let ran = aifix(folder.path(), &["doctor", "-n", "default"]);
    assert!(ran.out.contains("works    rights    get and list on"), "{}", ran.out);
    let kubeconfig = lab("AIFIX_LAB_VIEWER_KUBECONFIG");
    let ran = aifix(folder.path(), &["doctor", "-n", "default", "--kubeconfig", &kubeconfig]).exits(2);
    assert!(ran.out.contains("broken   rights") && ran.out.contains("pods"), "{}", ran.out);
    let asked = wait("the reviews in the audit log", Duration::from_secs(10), || {
        let log = std::fs::read_to_string(lab("AIFIX_LAB_AUDIT_LOG")).unwrap();
        let ours: Vec<String> =
            log.lines().filter(|line| line.contains("\"userAgent\":\"aifix/")).map(str::to_owned).collect();
        let reviews = ours.iter().filter(|line| line.contains("selfsubjectrulesreviews")).count();
        if reviews >= 2 { Ok(ours) } else { Err(format!("{reviews} reviews")) }
    });
    for line in asked {
        let event: Value = serde_json::from_str(&line).unwrap();
        let (verb, resource) =
            (event["verb"].as_str().unwrap(), event["objectRef"]["resource"].as_str().unwrap_or_default());
        assert!(
            matches!(verb, "get" | "list")
                || (verb == "create" && matches!(resource, "selfsubjectrulesreviews" | "selfsubjectaccessreviews")),
            "{verb} {resource}"
        );
    }
}

/// Groups whose kinds the laboratory serves and these faults ask for.
const GROUPS: [&str; 9] = [
    "",
    "apps",
    "batch",
    "discovery.k8s.io",
    "networking.k8s.io",
    "policy",
    "autoscaling",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Faults that ask for nodes, volumes, classes and logs, beside a Service that leads nowhere.
const FAULTS: &str = r#"
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: large}
  spec:
    selector: {matchLabels: {app: large}}
    template:
      metadata: {labels: {app: large}}
      spec:
        containers: [{name: app, image: "busybox:1.36", resources: {requests: {cpu: "500"}}}]
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: classless}
  spec:
    selector: {matchLabels: {app: classless}}
    template:
      metadata: {labels: {app: classless}}
      spec:
        priorityClassName: urgnet
        containers: [{name: app, image: "busybox:1.36"}]
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: {name: data}
  spec: {storageClassName: fsat, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
- apiVersion: v1
  kind: Pod
  metadata: {name: db, labels: {app: db}}
  spec:
    containers: [{name: app, image: "busybox:1.36", volumeMounts: [{name: v, mountPath: /v}]}]
    volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]
- apiVersion: v1
  kind: Service
  metadata: {name: db}
  spec: {selector: {app: dbb}, ports: [{port: 80}]}
"#;

/// ClusterRoles and their bindings of one test run, deleted when it is over.
pub(crate) struct Labelled(String);

impl Drop for Labelled {
    fn drop(&mut self) {
        let words = ["delete", "clusterroles,clusterrolebindings", "--wait=false", "-l", &self.0];
        let _ = Command::new("kubectl").args(words).output();
    }
}

/// A ServiceAccount that may read in its namespace what `doctor --rbac` asks for there, and nothing beyond it.
pub(crate) fn bound_to(namespace: &Namespace) -> (String, Labelled) {
    let folder = tempfile::tempdir().unwrap();
    let list = aifix(folder.path(), &["doctor", "--rbac", "-n", &namespace.0, "-o", "json"]).exits(0).json();
    let roles: Vec<Value> =
        list["items"].as_array().unwrap().iter().filter(|one| one["kind"] == "Role").cloned().collect();
    let account = json!({"kind": "ServiceAccount", "name": "aifix", "namespace": namespace.0});
    let items = bound(&roles, "aifix", &account, &namespace.0, None);
    let file = folder.path().join("bound.json");
    std::fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    namespace.kubectl(&["create", "-f", file.to_str().unwrap()]);
    (format!("system:serviceaccount:{}:aifix", namespace.0), Labelled(format!("aifix-lab={}", namespace.0)))
}

/// These roles under a name of their own, bound to this user, without the rule that `dropped` names.
fn bound(roles: &[Value], name: &str, subject: &Value, label: &str, dropped: Option<&Value>) -> Vec<Value> {
    let mut out = Vec::new();
    for role in roles {
        let mut role = role.clone();
        role["metadata"]["name"] = json!(name);
        role["metadata"]["labels"] = json!({"aifix-lab": label});
        role["rules"].as_array_mut().unwrap().retain(|rule| Some(rule) != dropped);
        let kind = role["kind"].as_str().unwrap();
        out.push(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": format!("{kind}Binding"),
            "metadata": role["metadata"],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [subject],
        }));
        out.push(role);
    }
    out
}

#[test]
fn exactly_the_printed_roles_give_the_findings_of_an_admin_and_each_missing_rule_is_told() {
    let namespace = Namespace::new("rights");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    namespace.kubectl(&["apply", "-f", &write("faults.yaml", FAULTS)]);
    for file in ["crash-app-error.yaml", "configmap-missing.yaml"] {
        namespace.kubectl(&["apply", "-f", faults().join(file).to_str().unwrap()]);
    }
    let scan = |user: Option<&str>| {
        let mut words = vec!["scan", "-n", &namespace.0, "--all", "-o", "json"];
        words.extend(user.iter().flat_map(|user| ["--as", user]));
        let report = aifix(folder.path(), &words).json();
        let text = |gap: &Value, field: &str| gap[field].as_str().unwrap().to_owned();
        let gaps = report["contexts"][0]["gaps"].as_array().unwrap();
        let gaps: Vec<String> = gaps.iter().map(|gap| format!("{}: {}", text(gap, "what"), text(gap, "why"))).collect();
        (failing(&report), gaps)
    };
    let want = [
        "configmap-missing Deployment/billing",
        "crash-app-error Deployment/ledger",
        "priorityclass-missing Deployment/classless",
        "service-selector-mismatch Service/db",
        "storageclass-missing PersistentVolumeClaim/data",
        "unschedulable-cpu Deployment/large",
    ];
    wait("six findings", Duration::from_secs(180), || {
        let (found, gaps) = scan(None);
        if found == want && gaps.is_empty() { Ok(()) } else { Err(format!("{found:#?} {gaps:?}")) }
    });

    let yaml = aifix(folder.path(), &["doctor", "--rbac", "-n", &namespace.0]).exits(0).out;
    kubectl(&["apply", "--dry-run=server", "-f", &write("roles.yaml", &yaml)]);
    let list = aifix(folder.path(), &["doctor", "--rbac", "-n", &namespace.0, "-o", "json"]).exits(0).json();
    let roles = list["items"].as_array().unwrap();
    let label = namespace.0.clone();
    let _guard = Labelled(format!("aifix-lab={label}"));
    let account = json!({"kind": "ServiceAccount", "name": "aifix", "namespace": namespace.0});
    let mut all = bound(roles, &format!("{label}-whole"), &account, &label, None);
    let rules: Vec<&Value> = roles.iter().flat_map(|role| role["rules"].as_array().unwrap()).collect();
    let rules: Vec<&Value> =
        rules.into_iter().filter(|rule| GROUPS.contains(&rule["apiGroups"][0].as_str().unwrap())).collect();
    let user = |at: usize| format!("{label}-without-{at}");
    for (at, rule) in rules.iter().enumerate() {
        let subject = json!({"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user(at)});
        all.extend(bound(roles, &user(at), &subject, &label, Some(rule)));
    }
    let all = json!({"apiVersion": "v1", "kind": "List", "items": all});
    namespace.kubectl(&["create", "serviceaccount", "aifix"]);
    kubectl(&["create", "-f", &write("bound.json", &all.to_string())]);

    let robot = format!("system:serviceaccount:{}:aifix", namespace.0);
    wait("the same findings for the ServiceAccount", Duration::from_secs(60), || {
        let (found, gaps) = scan(Some(&robot));
        if found == want && gaps.is_empty() { Ok(()) } else { Err(format!("{found:#?} {gaps:?}")) }
    });
    let mut told = 0;
    for (at, rule) in rules.iter().enumerate() {
        let resources: Vec<&str> =
            rule["resources"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        let (found, gaps) = scan(Some(&user(at)));
        let names = |gap: &&String| {
            let of = |resource: &&str| gap.starts_with(if *resource == "pods/log" { "log of " } else { *resource });
            resources.iter().any(of) && gap.contains("forbidden")
        };
        let own = gaps.iter().filter(names).count();
        assert_eq!(own, gaps.len(), "without {resources:?} nothing else is missing: {gaps:?}");
        assert!(own > 0 || found == want, "without {resources:?} silently {found:#?}");
        told += usize::from(own > 0);
    }
    eprintln!("{told} of {} rules were missed by this scan and told so", rules.len());
    assert!(told >= 18, "{told}");
}
