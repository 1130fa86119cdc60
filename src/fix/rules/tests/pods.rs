//! Pods that wait for a volume, a helper, a host or a right.

use super::{Row, answer, check, named, owned_by, with_log};
use crate::diagnose::diagnose;
use crate::diagnose::testing::{OLD, event, of, ready};
use serde_json::{Value, json};

#[test]
fn a_volume_that_one_replica_takes_from_itself() {
    let message = "Multi-Attach error for volume \"v\" Volume is already used by pod(s) web-1-a";
    let with = |replicas: i64, strategy: Value, ready_node: &str| {
        let template =
            json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "x"}]}});
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": replicas, "strategy": strategy, "selector": {"matchLabels": {"app": "web"}}, "template": template}});
        let set = |name: &str| {
            owned_by(
                json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "labels": {"pod-template-hash": name}},
            "spec": {"replicas": 1, "template": template}}),
                "Deployment",
                "web",
            )
        };
        let pod = |name: &str, set: &str| {
            owned_by(ready(name, json!({"app": "web", "pod-template-hash": set})), "ReplicaSet", set)
        };
        let mut new = pod("web-2-a", "web-2");
        new["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "ContainerCreating"}}}]});
        let node = json!({"kind": "Node", "metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": ready_node}]}});
        vec![
            web,
            set("web-1"),
            set("web-2"),
            pod("web-1-a", "web-1"),
            new,
            node,
            event("Pod", "web-2-a", "FailedAttachVolume", message),
        ]
    };
    let default = || json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    check(vec![
        Row {
            code: "volume-multi-attach",
            objects: with(1, default(), "True"),
            answer: "review spec.strategy.type: \"RollingUpdate\" -> \"Recreate\"",
            twin: with(2, default(), "True"),
            of_twin: "needs-choice",
        },
        Row {
            code: "volume-multi-attach",
            objects: with(1, json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}), "True"),
            answer: "review spec.strategy.type: \"RollingUpdate\" -> \"Recreate\"; spec.strategy.rollingUpdate: {\"maxSurge\":1} -> -",
            twin: with(1, default(), "Unknown"),
            of_twin: "not-in-git",
        },
    ]);
}

#[test]
fn a_right_is_the_least_and_a_choice() {
    let with = |rules: Value| {
        let mut pod = ready("web", json!({"app": "web"}));
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        pod["spec"]["serviceAccountName"] = json!("app");
        let rbac = |kind: &str, body: Value| {
            let mut one = named(kind, "rbac.authorization.k8s.io/v1", "app");
            one.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            one
        };
        vec![
            pod,
            rbac("Role", json!({"rules": rules})),
            rbac(
                "RoleBinding",
                json!({"roleRef": {"kind": "Role", "name": "app"}, "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": "a"}]}),
            ),
        ]
    };
    let told = |rules: Value| {
        let text = r#"pods is forbidden: User "system:serviceaccount:a:app" cannot list resource "pods" in API group "" in the namespace "a""#;
        let snapshot = with_log(of(&with(rules)), "web", text);
        let found = diagnose(&snapshot);
        let finding = found.findings.iter().find(|finding| finding.code.name() == "rbac-verb-missing").unwrap();
        answer(&snapshot, finding)
    };
    let get = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]});
    assert_eq!(told(json!([get])), "needs-choice [Role/app rules[0].verbs: [\"get\"] -> [\"get\",\"list\"]]");
    let wide = json!([{"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get"]}]);
    let mut more = wide.as_array().unwrap().clone();
    more.push(json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}));
    assert_eq!(told(wide.clone()), format!("needs-choice [Role/app rules: {wide} -> {}]", json!(more)));
}

#[test]
fn a_helper_of_a_job_becomes_a_sidecar() {
    let with = |name: &str| {
        let spec = json!({"restartPolicy": "Never", "containers": [{"name": "app", "image": "x"},
            {"name": name, "image": "y", "terminationMessagePath": "/dev/termination-log", "resources": {"limits": {"memory": "64Mi"}}, "securityContext": {"runAsUser": 1}}]});
        let job_spec = json!({"template": {"metadata": {"labels": {"app": "report"}}, "spec": spec}});
        let report = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"},
            "spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": job_spec}}, "status": {"lastScheduleTime": OLD}});
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "report-1"}, "spec": job_spec, "status": {"startTime": OLD, "active": 1}});
        let mut pod = owned_by(ready("report-1-a", json!({"app": "report"})), "Job", "report-1");
        pod["spec"] = spec;
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        pod["status"]["containerStatuses"] = json!([
            {"name": "app", "state": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": OLD}}},
            {"name": name, "ready": true, "state": {"running": {"startedAt": OLD}}}]);
        vec![report, owned_by(job, "CronJob", "report"), pod]
    };
    let moved = |name: &str| {
        let root = "spec.jobTemplate.spec.template.spec";
        let rest = r#""resources":{"limits":{"memory":"64Mi"}},"securityContext":{"runAsUser":1}"#;
        let old = format!(r#"{{"name":"{name}","image":"y","terminationMessagePath":"/dev/termination-log",{rest}}}"#);
        let new = format!(r#"{{"name":"{name}","image":"y",{rest},"restartPolicy":"Always"}}"#);
        format!("{root}.containers[{name}]: {old} -> -; {root}.initContainers[{name}]: - -> {new}")
    };
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    check(vec![Row {
        code: "job-sidecar-never-ends",
        objects: with("istio-proxy"),
        answer: leak(format!("review {}", moved("istio-proxy"))),
        twin: with("worker"),
        of_twin: leak(format!("needs-choice [{}]", moved("worker"))),
    }]);
}

#[test]
fn a_host_is_corrected_once_the_container_fails_over_it() {
    let with = |url: &str, service: &str, fails: bool| {
        let env = json!([{"name": "UPSTREAM", "value": url}]);
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "x", "env": env}]}});
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}});
        let mut pod = owned_by(ready("web-0", json!({"app": "web"})), "StatefulSet", "web");
        pod["spec"] = template["spec"].clone();
        if fails {
            pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
            pod["status"]["containerStatuses"][0] = json!({"name": "app", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": OLD}}});
        }
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": service}, "spec": {}});
        let snapshot = with_log(of(&[set, pod, service]), "web-0", "dial tcp: lookup ordres: no such host");
        let found = diagnose(&snapshot);
        let finding = found.findings.iter().find(|finding| finding.code.name() == "config-url-typo");
        finding.map_or("none".to_owned(), |finding| answer(&snapshot, finding))
    };
    let field = "spec.template.spec.containers[app].env[UPSTREAM].value";
    assert_eq!(
        with("http://ordres:8080/x", "orders", true),
        format!("review {field}: \"http://ordres:8080/x\" -> \"http://orders:8080/x\"")
    );
    assert_eq!(with("http://ordres:8080", "orders", false), "needs-judgement", "it is only worth knowing");
    assert_eq!(with("http://u:p@ordres:8080", "orders", true), "needs-judgement", "it holds a credential");
    assert_eq!(with("http://orders:8080", "orders", true), "none");
}

#[test]
fn a_set_whose_broken_pod_waits_for_the_image_that_the_template_still_names() {
    let with = |image: &str| {
        let template = |image: &str, level: &str| {
            json!({"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [
                {"name": "app", "image": image, "env": [{"name": "LEVEL", "value": level}]}]}})
        };
        let revision = |number: i64, image: &str, level: &str| {
            let name = format!("db-{number}");
            let one = json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": number,
                "metadata": {"name": name, "labels": {"controller-revision-hash": name}},
                "data": {"spec": {"template": template(image, level)}}});
            owned_by(one, "StatefulSet", "db")
        };
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "db"}}, "template": template(image, "a")},
            "status": {"replicas": 1, "currentRevision": "db-2", "updateRevision": "db-3"}});
        let mut pod = ready("db-0", json!({"app": "db", "controller-revision-hash": "db-2"}));
        pod["spec"]["containers"][0]["image"] = json!("shop/db:bad");
        pod["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}],
            "containerStatuses": [{"name": "app", "ready": false, "state": {"waiting": {"reason": "ImagePullBackOff",
                "message": "Back-off pulling image \"shop/db:bad\": ErrImagePull: failed to resolve reference \"shop/db:bad\": shop/db:bad: not found"}}}]});
        vec![
            set,
            owned_by(pod, "StatefulSet", "db"),
            revision(1, "shop/db:1", "a"),
            revision(2, "shop/db:bad", "b"),
            revision(3, image, "a"),
        ]
    };
    check(vec![Row {
        code: "sts-broken-rollout-stuck",
        objects: with("shop/db:bad"),
        answer: "review spec.template.spec.containers[app].image: \"shop/db:bad\" -> \"shop/db:1\"",
        twin: with("shop/db:1"),
        of_twin: "not-in-git",
    }]);
}

/// Tests that make cases, for the table of classes.
pub(super) const MADE: &[fn()] = &[
    a_volume_that_one_replica_takes_from_itself,
    a_right_is_the_least_and_a_choice,
    a_helper_of_a_job_becomes_a_sidecar,
    a_host_is_corrected_once_the_container_fails_over_it,
    a_set_whose_broken_pod_waits_for_the_image_that_the_template_still_names,
];
