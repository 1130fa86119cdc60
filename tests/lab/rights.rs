//! Missing rights, a missing namespace: said, never read as healthy.

use crate::kit::{Namespace, aifix, lab};

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
    let asked = crate::kit::wait("the reviews in the audit log", std::time::Duration::from_secs(10), || {
        let log = std::fs::read_to_string(lab("AIFIX_LAB_AUDIT_LOG")).unwrap();
        let ours: Vec<String> =
            log.lines().filter(|line| line.contains("\"userAgent\":\"aifix/")).map(str::to_owned).collect();
        let reviews = ours.iter().filter(|line| line.contains("selfsubjectrulesreviews")).count();
        if reviews >= 2 { Ok(ours) } else { Err(format!("{reviews} reviews")) }
    });
    for line in asked {
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        let (verb, resource) =
            (event["verb"].as_str().unwrap(), event["objectRef"]["resource"].as_str().unwrap_or_default());
        assert!(
            matches!(verb, "get" | "list") || (verb == "create" && resource == "selfsubjectrulesreviews"),
            "{verb} {resource}"
        );
    }
}
