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
