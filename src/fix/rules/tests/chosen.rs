//! Changes that facts do not decide: a person chooses.

use super::{Row, answer, check, named, owned_by, with_log};
use crate::diagnose::diagnose;
use crate::diagnose::testing::{OLD, of, pending, ready, refused};
use serde_json::{Value, json};

/// A Deployment whose only pod finds no node.
fn unplaced(spec: &Value, why: &str) -> Vec<Value> {
    let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": spec});
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}});
    let set = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "web-1", "labels": {"pod-template-hash": "1"}}, "spec": {"replicas": 1, "template": template}});
    let mut pod = pending("web-1-a", spec.clone(), &format!("0/1 nodes are available: 1 node(s) {why}."));
    pod["metadata"]["labels"] = json!({"app": "web", "pod-template-hash": "1"});
    vec![web, owned_by(set, "Deployment", "web"), owned_by(pod, "ReplicaSet", "web-1")]
}

fn service(target: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": target}]}})
}

#[test]
fn a_port_of_the_node_goes_only_where_a_service_leads_to_it() {
    let container =
        json!({"name": "app", "image": "x", "ports": [{"name": "http", "containerPort": 8080, "hostPort": 80}]});
    let spec = json!({"containers": [container]});
    let with = |target: &str| {
        let mut all = unplaced(&spec, "didn't have free ports for the requested pod ports");
        all.push(service(target));
        all
    };
    check(vec![Row {
        code: "unschedulable-host-port",
        objects: with("http"),
        answer: "needs-choice [spec.template.spec.containers[app].ports[0].hostPort: 80 -> -]",
        twin: with("admin"),
        of_twin: "needs-choice",
    }]);
}

#[test]
fn pods_that_must_stay_apart_may_prefer_it() {
    let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}});
    let with = |terms: Value| {
        let affinity = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}});
        unplaced(&json!({"affinity": affinity, "containers": []}), "didn't match pod anti-affinity rules")
    };
    let root = "spec.template.spec.affinity.podAntiAffinity";
    let answer = format!(
        "needs-choice [{root}.requiredDuringSchedulingIgnoredDuringExecution: [{term}] -> -; \
         {root}.preferredDuringSchedulingIgnoredDuringExecution: - -> [{{\"weight\":100,\"podAffinityTerm\":{term}}}]]"
    );
    check(vec![Row {
        code: "unschedulable-anti-affinity",
        objects: with(json!([term])),
        answer: Box::leak(answer.into_boxed_str()),
        twin: with(json!([])),
        of_twin: "needs-choice",
    }]);
}

#[test]
fn an_account_lists_the_secret_that_its_pods_mount() {
    let with = |account: &str| {
        let message = "pods \"web-1\" is forbidden: volume with secret.secretName=\"db\" is not allowed \
            because service account app does not reference that secret";
        let mut one = named("ServiceAccount", "v1", account);
        one["secrets"] = json!([{"name": "other"}]);
        vec![refused(message, json!({"serviceAccountName": "app", "containers": []})), one]
    };
    check(vec![Row {
        code: "sa-secret-not-mountable",
        objects: with("app"),
        answer: "needs-choice [ServiceAccount/app secrets: [{\"name\":\"other\"}] -> [{\"name\":\"other\"},{\"name\":\"db\"}]]",
        twin: with("default"),
        of_twin: "needs-choice",
    }]);
}

fn budget(spec: &Value, status: &Value) -> Value {
    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec, "status": status})
}

#[test]
fn a_budget_that_blocks_every_drain() {
    let selector = json!({"matchLabels": {"app": "web"}});
    let with = |allowed: i64, spec: Value| {
        let status =
            json!({"expectedPods": 2, "currentHealthy": 2, "desiredHealthy": 2, "disruptionsAllowed": allowed});
        let mut spec = spec;
        spec["selector"] = selector.clone();
        let pods = ["web-1", "web-2"].map(|name| ready(name, json!({"app": "web"})));
        let mut all = pods.to_vec();
        all.push(budget(&spec, &status));
        all
    };
    check(vec![Row {
        code: "pdb-blocks-everything",
        objects: with(0, json!({"minAvailable": 2})),
        answer: "needs-choice [spec.minAvailable: 2 -> -; spec.maxUnavailable: - -> 1]",
        twin: with(1, json!({"minAvailable": 1})),
        of_twin: "none",
    }]);
}

#[test]
fn a_budget_for_pods_without_a_controller_counts_them() {
    let with = |pods: &[&str]| {
        let status = json!({"expectedPods": 0, "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0,
            "conditions": [{"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed",
                "message": "found no controllers for pod", "lastTransitionTime": OLD}]});
        let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}});
        let mut all: Vec<Value> = pods.iter().map(|name| ready(name, json!({"app": "web"}))).collect();
        all.push(budget(&spec, &status));
        all
    };
    check(vec![Row {
        code: "pdb-unmanaged-pods",
        objects: with(&["web-1", "web-2", "web-3"]),
        answer: "needs-choice [spec.minAvailable: - -> 2; spec.maxUnavailable: 1 -> -]",
        twin: with(&["web-1"]),
        of_twin: "needs-choice",
    }]);
}

#[test]
fn a_manifest_may_leave_the_count_to_the_autoscaler() {
    let with = |manager: &str| {
        let mut web = super::deployment(
            "web",
            json!({"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}}),
        );
        web["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Apply", "time": OLD,
            "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
        let hpa = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
            "status": {"currentReplicas": 2, "conditions": [{"type": "ScalingActive", "status": "True",
                "reason": "ValidMetricFound", "message": "", "lastTransitionTime": OLD}]}});
        vec![web, hpa]
    };
    check(vec![Row {
        code: "hpa-fights-git",
        objects: with("kustomize-controller"),
        answer: "needs-choice [Deployment/web spec.replicas: 2 -> -]",
        twin: with("kube-controller-manager"),
        of_twin: "none",
    }]);
}

#[test]
fn an_account_pulls_with_a_secret_that_is_there() {
    let with = |secret: &str| {
        let mut account = named("ServiceAccount", "v1", "default");
        account["imagePullSecrets"] = json!([{"name": "regcred"}]);
        let mut pod = ready("web", json!({"app": "web"}));
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        let mut secret = named("Secret", "v1", secret);
        secret["type"] = json!("kubernetes.io/dockerconfigjson");
        vec![account, pod, secret]
    };
    check(vec![Row {
        code: "sa-no-pull-secret",
        objects: with("registry"),
        answer: "needs-choice [imagePullSecrets[0].name: \"regcred\" -> \"registry\"]",
        twin: with("regcred"),
        of_twin: "none",
    }]);
}

#[test]
fn a_full_claim_grows_where_its_class_can() {
    let told = |grows: bool| {
        let mut pod = ready("web", json!({"app": "web"}));
        pod["spec"]["volumes"] = json!([{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]);
        pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "d", "mountPath": "/var/lib/db"}]);
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        pod["status"]["containerStatuses"][0] = json!({"name": "app", "restartCount": 4, "state": {"waiting":
            {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}});
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "5Gi"}}, "volumeName": "v"},
            "status": {"phase": "Bound"}});
        let mut class = named("StorageClass", "storage.k8s.io/v1", "fast");
        class["allowVolumeExpansion"] = json!(grows);
        let snapshot = of(&[pod, claim, class]);
        let snapshot = with_log(snapshot, "web", "write /var/lib/db/wal: No space left on device");
        let found = diagnose(&snapshot);
        let finding = found.findings.iter().find(|finding| finding.code.name() == "volume-full").unwrap();
        answer(&snapshot, finding)
    };
    let path = "PersistentVolumeClaim/data spec.resources.requests.storage";
    assert_eq!(told(true), format!("needs-choice [{path}: \"5Gi\" -> \"7680Mi\"]"));
    assert_eq!(told(false), "needs-choice");
}

#[test]
fn a_model_may_choose_nothing_that_is_for_a_person() {
    use crate::fix::case::Case;
    use crate::model::intent::Author;
    let objects = with_budget();
    let snapshot = of(&objects);
    let found = diagnose(&snapshot);
    let finding = found.findings.iter().find(|finding| finding.code.name() == "pdb-blocks-everything").unwrap();
    let mut intent = crate::fix::candidates(&snapshot, finding).unwrap_err().choices.remove(0);
    let case = Case::new(&snapshot, finding).unwrap();
    assert!(case.check(&intent).is_ok());
    intent.author = Author::Model;
    assert_eq!(case.check(&intent).unwrap_err().code, "weakens");
}

fn with_budget() -> Vec<Value> {
    let status = json!({"expectedPods": 1, "currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0});
    let spec = json!({"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}});
    vec![ready("web-1", json!({"app": "web"})), budget(&spec, &status)]
}

#[test]
fn broken_pods_may_go_and_more_replicas_may_come() {
    let broken = |policy: Value| {
        let mut spec = json!({"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}});
        spec["unhealthyPodEvictionPolicy"] = policy;
        let mut pod = ready("web-1", json!({"app": "web"}));
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        pod["status"]["containerStatuses"][0]["ready"] = json!(false);
        let status = json!({"expectedPods": 1, "currentHealthy": 0, "desiredHealthy": 1, "disruptionsAllowed": 0});
        vec![pod, budget(&spec, &status)]
    };
    let scaled = |now: i64| {
        vec![json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop"},
            "spec": {"maxReplicas": 5, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
            "status": {"currentReplicas": now, "conditions": [{"type": "ScalingLimited", "status": "True",
                "reason": "TooManyReplicas", "message": "more than the maximum", "lastTransitionTime": OLD}]}})]
    };
    check(vec![
        Row {
            code: "pdb-unhealthy-blocks-drain",
            objects: broken(Value::Null),
            answer: "needs-choice [spec.unhealthyPodEvictionPolicy: null -> \"AlwaysAllow\"]",
            twin: broken(json!("AlwaysAllow")),
            of_twin: "none",
        },
        Row {
            code: "hpa-limited-max",
            objects: scaled(5),
            answer: "needs-choice [spec.maxReplicas: 5 -> 8]",
            twin: scaled(4),
            of_twin: "none",
        },
    ]);
}

#[test]
fn agents_tolerate_what_a_person_says() {
    let set = |tolerations: Value| {
        let spec = json!({"tolerations": tolerations, "containers": []});
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"}, "status": {"desiredNumberScheduled": 0},
            "spec": {"template": {"metadata": {"labels": {"app": "agent"}}, "spec": spec}}})
    };
    let node = json!({"kind": "Node", "metadata": {"name": "n"}, "spec": {"taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}]}});
    check(vec![Row {
        code: "ds-tainted-nodes",
        objects: vec![set(json!([])), node.clone()],
        answer: "needs-choice [spec.template.spec.tolerations: [] -> [{\"key\":\"team\",\"operator\":\"Equal\",\"value\":\"a\",\"effect\":\"NoSchedule\"}]]",
        twin: vec![set(json!([{"operator": "Exists"}])), node],
        of_twin: "none",
    }]);
}

#[test]
fn a_right_goes_to_an_account_that_a_person_names() {
    let bound = |subject: Value, account: &str, namespace: &str| {
        let mut other = named("ServiceAccount", "v1", account);
        other["metadata"]["namespace"] = json!(namespace);
        vec![
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
                "roleRef": {"kind": "Role", "name": "reader"}, "subjects": [subject]}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "reader"}, "rules": []}),
            named("ServiceAccount", "v1", "default"),
            other,
        ]
    };
    let subject = |name: &str| json!({"kind": "ServiceAccount", "name": name});
    check(vec![
        Row {
            code: "rolebinding-subject-missing",
            objects: bound(subject("web"), "web", "prod"),
            answer: "needs-choice [subjects[0].namespace: - -> \"prod\"]",
            twin: bound(subject("web"), "web", "a"),
            of_twin: "none",
        },
        Row {
            code: "rolebinding-subject-missing",
            objects: bound(subject("orders"), "ordres", "a"),
            answer: "needs-choice [subjects[0].name: \"orders\" -> \"ordres\"]",
            twin: bound(subject("orders"), "billing", "a"),
            of_twin: "needs-choice",
        },
    ]);
}

#[test]
fn a_claim_may_take_a_class_whose_driver_works() {
    let waits = |bound: &str| {
        let claim = |name: &str, class: &str, phase: &str| {
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "status": {"phase": phase},
                "spec": {"storageClassName": class, "resources": {"requests": {"storage": "1Gi"}}}})
        };
        let message = "Waiting for a volume to be created either by the external provisioner 'slow.example' or manually by the system administrator.";
        let mut other = claim("other", "fast", bound);
        other["spec"]["volumeName"] = json!("pv-1");
        vec![
            claim("data", "slow", "Pending"),
            other,
            named("StorageClass", "storage.k8s.io/v1", "slow"),
            named("StorageClass", "storage.k8s.io/v1", "fast"),
            crate::diagnose::testing::event("PersistentVolumeClaim", "data", "ExternalProvisioning", message),
        ]
    };
    check(vec![Row {
        code: "provisioner-missing",
        objects: waits("Bound"),
        answer: "needs-choice [spec.storageClassName: \"slow\" -> \"fast\"]",
        twin: waits("Pending"),
        of_twin: "not-in-git",
    }]);
}

/// Tests that make cases, for the table of classes.
pub(super) const MADE: &[fn()] = &[
    a_port_of_the_node_goes_only_where_a_service_leads_to_it,
    pods_that_must_stay_apart_may_prefer_it,
    an_account_lists_the_secret_that_its_pods_mount,
    a_budget_that_blocks_every_drain,
    a_budget_for_pods_without_a_controller_counts_them,
    a_manifest_may_leave_the_count_to_the_autoscaler,
    an_account_pulls_with_a_secret_that_is_there,
    a_full_claim_grows_where_its_class_can,
    broken_pods_may_go_and_more_replicas_may_come,
    agents_tolerate_what_a_person_says,
    a_right_goes_to_an_account_that_a_person_names,
    a_claim_may_take_a_class_whose_driver_works,
];
