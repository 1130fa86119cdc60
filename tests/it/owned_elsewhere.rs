//! Fields that something else in the cluster writes.

use crate::harness::{Sandbox, oom_manifest, recorded};
use serde_json::{Value, json};

/// Proposes for the recording with one more object in it.
fn beside(object: &Value) -> (i32, String) {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    let file = std::path::Path::new(&recorded("oom-killed")).join("objects.json");
    let mut list: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    list["items"].as_array_mut().unwrap().push(object.clone());
    let from = sandbox.write("seen/objects.json", &list.to_string());
    let from = from.parent().unwrap().display().to_string();
    let ran = sandbox.aifix_in("work", &["propose", "deployment/web", "--from", &from]);
    (ran.code, format!("{}{}", ran.out, ran.err))
}

#[test]
fn memory_that_a_vertical_autoscaler_writes_is_not_proposed() {
    let scaler = |name: &str, mode: &str| {
        json!({"apiVersion": "autoscaling.k8s.io/v1", "kind": "VerticalPodAutoscaler",
            "metadata": {"name": "sizes", "namespace": "cat-oom-killed"},
            "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "updatePolicy": {"updateMode": mode}}})
    };
    let (code, text) = beside(&scaler("web", "Auto"));
    assert_eq!(code, 4, "{text}");
    for part in ["owned-by-controller", "VerticalPodAutoscaler", "sizes", "resources.limits.memory"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // One that only advises, and one of another workload, write nothing.
    for other in [scaler("web", "Off"), scaler("db", "Auto")] {
        let (code, text) = beside(&other);
        assert_eq!(code, 0, "{text}");
    }
}
