//! The API server's own log as witness: aifix only reads, and little.

use crate::kit::{Namespace, aifix, kubectl, lab};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// What a scan may do, bound to one user: get and list, nothing else.
const RIGHTS: &str = r#"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: USER}
rules:
- {apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch, create, update, patch, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: USER}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: USER}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: USER}]
"#;

#[test]
fn a_scan_beside_200_services_only_reads_and_asks_at_most_30_times() {
    let namespace = Namespace::new("services");
    let folder = tempfile::tempdir().unwrap();
    let mut services = String::new();
    for n in 0..200 {
        let _ = write!(
            services,
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s{n}}}\nspec:\n  selector: {{app: s{n}}}\n  ports: [{{port: 80}}]\n---\n"
        );
    }
    // A pod that can't be scheduled makes the second wave ask for nodes too.
    services.push_str("apiVersion: v1\nkind: Pod\nmetadata: {name: big}\nspec:\n  containers:\n  - name: app\n    image: busybox:1.36\n    resources: {requests: {cpu: \"64\"}}\n");
    let file = folder.path().join("services.yaml");
    fs::write(&file, services).unwrap();
    namespace.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let user = format!("aifix-scan-{}", std::process::id());
    let rights = folder.path().join("rights.yaml");
    fs::write(&rights, RIGHTS.replace("USER", &user)).unwrap();
    kubectl(&["apply", "-f", rights.to_str().unwrap()]);
    std::thread::sleep(std::time::Duration::from_secs(2));

    let ran = aifix(folder.path(), &["scan", "-n", &namespace.0, "--as", &user, "-o", "json"]);
    kubectl(&["delete", "-f", rights.to_str().unwrap()]);
    let report = ran.json();
    let seen = audited(&user);
    assert!(!seen.is_empty(), "the audit log names no request of {user}");
    let verbs: Vec<&str> = seen.iter().filter_map(|event| event["verb"].as_str()).collect();
    assert!(verbs.iter().all(|verb| matches!(*verb, "get" | "list")), "{verbs:?}");
    let uri = |event: &Value| event["requestURI"].as_str().unwrap_or_default().to_owned();
    let counted =
        seen.iter().filter(|event| !uri(event).contains("continue=") && !uri(event).contains("/log?")).count();
    assert!(counted <= 30, "{counted} requests: {:#?}", seen.iter().map(uri).collect::<Vec<_>>());
    let requests = &report["contexts"][0]["summary"]["requests"];
    let said = ["lists", "gets"].iter().filter_map(|name| requests[name].as_u64()).sum::<u64>();
    assert_eq!(
        said,
        counted as u64,
        "the report says {requests}, the audit log {:#?}",
        seen.iter().map(uri).collect::<Vec<_>>()
    );
    eprintln!("requests with 200 Services: {counted}");
}

/// Finished requests of an impersonated user.
fn audited(user: &str) -> Vec<Value> {
    let out =
        Command::new("grep").arg(format!("\"username\":\"{user}\"")).arg(lab("AIFIX_LAB_AUDIT_LOG")).output().unwrap();
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["stage"] == "ResponseComplete" && event["impersonatedUser"]["username"] == user)
        .collect()
}
