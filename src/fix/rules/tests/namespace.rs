//! What a namespace refuses: classes, accounts, bounds, quotas.

use super::{Row, check, deployment, named};
use crate::diagnose::testing::{OLD, refused};
use serde_json::{Value, json};

const CONTAINER: &str = "spec.template.spec.containers[app]";

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn pod(container: Value) -> Value {
    let mut own = json!({"name": "app", "image": "x"});
    own.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    json!({"containers": [own]})
}

#[test]
fn classes_and_accounts() {
    let priority = |name: &str, classes: &[&str]| {
        let message = format!("pods \"web-\" is forbidden: no PriorityClass with name {name} was found");
        let mut all = vec![refused(&message, json!({"priorityClassName": name, "containers": []}))];
        all.extend(classes.iter().map(|name| named("PriorityClass", "scheduling.k8s.io/v1", name)));
        all
    };
    let runtime = |name: &str| {
        let message = format!("pods \"web-\" is forbidden: pod rejected: RuntimeClass \"{name}\" not found");
        let mut class = named("RuntimeClass", "node.k8s.io/v1", "gvisor");
        class["metadata"]["namespace"] = json!("");
        vec![refused(&message, json!({"runtimeClassName": name, "containers": []})), class]
    };
    let account = |binding: &str, subject: &str| {
        let message = "pods \"web-\" is forbidden: error looking up service account a/ordres: serviceaccount \"ordres\" not found";
        let bound = |kind: &str| {
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "b"},
            "roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "ServiceAccount", "name": subject, "namespace": "a"}]})
        };
        let mut all = vec![
            refused(message, json!({"serviceAccountName": "ordres", "containers": []})),
            named("ServiceAccount", "v1", "orders"),
        ];
        all.push(bound("RoleBinding"));
        all.extend((!binding.is_empty()).then(|| bound(binding)));
        all
    };
    check(vec![
        Row {
            code: "priorityclass-missing",
            objects: priority("hihg", &["high", "system-node-critical"]),
            answer: "needs-choice [spec.template.spec.priorityClassName: \"hihg\" -> \"high\"]",
            twin: priority("critcal", &["critical", "system-node-critical"]),
            of_twin: "review spec.template.spec.priorityClassName: \"critcal\" -> \"critical\"",
        },
        Row {
            code: "priorityclass-missing",
            objects: priority("system-node-critcal", &["system-node-critical"]),
            answer: "needs-choice",
            twin: priority("high", &["high"]),
            of_twin: "drifted",
        },
        Row {
            code: "runtimeclass-missing",
            objects: runtime("gvisro"),
            answer: "review spec.template.spec.runtimeClassName: \"gvisro\" -> \"gvisor\"",
            twin: runtime("kata"),
            of_twin: "needs-choice [spec.template.spec.runtimeClassName: \"kata\" -> \"gvisor\"]",
        },
        Row {
            code: "serviceaccount-missing",
            objects: account("ClusterRoleBinding", "other"),
            answer: "review spec.template.spec.serviceAccountName: \"ordres\" -> \"orders\"",
            twin: account("ClusterRoleBinding", "orders"),
            of_twin: "needs-choice [spec.template.spec.serviceAccountName: \"ordres\" -> \"orders\"]",
        },
        Row {
            code: "serviceaccount-missing",
            objects: account("", "other"),
            answer: "needs-choice [spec.template.spec.serviceAccountName: \"ordres\" -> \"orders\"]",
            twin: account("", "orders"),
            of_twin: "needs-choice [spec.template.spec.serviceAccountName: \"ordres\" -> \"orders\"]",
        },
    ]);
}

#[test]
fn levels_of_a_namespace() {
    let level = |checks: &str, container: Value| {
        vec![refused(
            &format!("pods \"web-\" is forbidden: violates PodSecurity \"restricted:latest\": {checks}"),
            pod(container),
        )]
    };
    let all = "allowPrivilegeEscalation != false (container \"app\" must set securityContext.allowPrivilegeEscalation=false), \
        unrestricted capabilities (container \"app\" must set securityContext.capabilities.drop=[\"ALL\"]), \
        runAsNonRoot != true (pod or container \"app\" must set securityContext.runAsNonRoot=true), \
        seccompProfile (pod or container \"app\" must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";
    let context = format!("{CONTAINER}.securityContext");
    check(vec![
        Row {
            code: "pod-security-denied",
            objects: level(all, json!({"securityContext": {"runAsUser": 1000}})),
            answer: leak(format!(
                "review {context}.allowPrivilegeEscalation: - -> false; {context}.capabilities.drop: - -> [\"ALL\"]; \
                 {context}.runAsNonRoot: - -> true; {context}.seccompProfile.type: - -> \"RuntimeDefault\""
            )),
            twin: level(all, json!({})),
            of_twin: leak(format!(
                "needs-choice [{context}.allowPrivilegeEscalation: - -> false; {context}.capabilities.drop: - -> [\"ALL\"]; \
                 {context}.runAsNonRoot: - -> true; {context}.seccompProfile.type: - -> \"RuntimeDefault\"]"
            )),
        },
        Row {
            code: "pod-security-denied",
            objects: level(
                "unrestricted capabilities (container \"app\" must set securityContext.capabilities.drop=[\"ALL\"])",
                json!({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
            ),
            answer: "needs-choice",
            twin: level(
                "privileged (container \"app\" must not set securityContext.privileged=true)",
                json!({"securityContext": {"privileged": true}}),
            ),
            of_twin: "needs-choice",
        },
    ]);
}

/// Objects that say there is room: a node, and these bounds and quota.
fn room(range: Value, hard: Value) -> Vec<Value> {
    vec![
        json!({"kind": "Node", "metadata": {"name": "n"}, "status": {"allocatable": {"memory": "4Gi", "cpu": "4"}}}),
        json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "r"}, "spec": {"limits": [range]}}),
        json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "status": {"hard": hard, "used": {}}}),
    ]
}

fn bounded(message: &str, resources: Value, range: Value, hard: Value) -> Vec<Value> {
    let mut all = vec![refused(message, pod(json!({"resources": resources})))];
    all.extend(room(range, hard));
    all
}

#[test]
fn bounds_of_a_namespace() {
    let memory = format!("{CONTAINER}.resources.requests.memory");
    let limit = format!("{CONTAINER}.resources.limits.memory");
    let small = "pods \"web-\" is forbidden: minimum memory usage per Container is 64Mi, but request is 16Mi";
    let least = || json!({"type": "Container", "min": {"memory": "64Mi"}, "max": {"memory": "1Gi"}});
    let ratio = "pods \"web-\" is forbidden: memory max limit to request ratio per Container is 2, but provided ratio is 4.000000";
    let ratio_of = || json!({"type": "Container", "maxLimitRequestRatio": {"memory": "2"}});
    let above = "Pod \"web-1\" is invalid: spec.containers[0].resources.requests: Invalid value: \"256Mi\": must be less than or equal to memory limit of 64Mi";
    let default = |max: &str| json!({"type": "Container", "default": {"memory": "64Mi"}, "max": {"memory": max}});
    let large = "pods \"web-\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi";
    let pod_form = "pods \"web-\" is forbidden: maximum memory usage per Pod is 1Gi.  No limit is specified";
    let most = |kind: &str| json!({"type": kind, "max": {"memory": "1Gi"}});
    check(vec![
        Row {
            code: "limitrange-min",
            objects: bounded(
                small,
                json!({"requests": {"memory": "16Mi"}, "limits": {"memory": "32Mi"}}),
                least(),
                json!({"requests.memory": "1Gi"}),
            ),
            answer: leak(format!("safe {memory}: \"16Mi\" -> \"64Mi\"; {limit}: \"32Mi\" -> \"64Mi\"")),
            twin: bounded(small, json!({"requests": {"memory": "16Mi"}}), least(), json!({"requests.memory": "32Mi"})),
            of_twin: "needs-choice",
        },
        Row {
            code: "limitrange-ratio",
            objects: bounded(
                ratio,
                json!({"requests": {"memory": "100M"}, "limits": {"memory": "400M"}}),
                ratio_of(),
                json!({}),
            ),
            answer: leak(format!("review {memory}: \"100M\" -> \"200M\"")),
            twin: bounded(
                ratio,
                json!({"requests": {"memory": "200M"}, "limits": {"memory": "400M"}}),
                ratio_of(),
                json!({}),
            ),
            of_twin: "needs-choice",
        },
        Row {
            code: "limitrange-default-below-request",
            objects: bounded(
                above,
                json!({"requests": {"memory": "256Mi"}}),
                default("1Gi"),
                json!({"limits.memory": "1Gi"}),
            ),
            answer: leak(format!("safe {limit}: - -> \"256Mi\"")),
            twin: bounded(above, json!({"requests": {"memory": "256Mi"}}), default("128Mi"), json!({})),
            of_twin: "needs-choice",
        },
        Row {
            code: "limitrange-max",
            objects: bounded(
                large,
                json!({"requests": {"memory": "2Gi"}, "limits": {"memory": "2Gi"}}),
                most("Container"),
                json!({}),
            ),
            answer: leak(format!("needs-choice [{limit}: \"2Gi\" -> \"1Gi\"; {memory}: \"2Gi\" -> \"1Gi\"]")),
            twin: bounded(pod_form, json!({}), most("Pod"), json!({})),
            of_twin: leak(format!("review {limit}: - -> \"1Gi\"")),
        },
        Row {
            code: "resources-invalid",
            objects: bounded(
                above,
                json!({"requests": {"memory": "256Mi"}, "limits": {"memory": "512Mi"}}),
                default("1Gi"),
                json!({}),
            ),
            answer: "needs-choice",
            twin: bounded(above, json!({"requests": {"memory": "256Mi"}}), default("1Gi"), json!({})),
            of_twin: "none",
        },
    ]);
}

#[test]
fn quotas_of_a_namespace() {
    let must =
        "pods \"web-\" is forbidden: failed quota: q: must specify limits.memory for: app; requests.cpu for: app";
    let with_sibling = |resources: Value| {
        vec![refused(
            must,
            json!({"containers": [{"name": "app", "image": "x"}, {"name": "log", "image": "y", "resources": resources}]}),
        )]
    };
    let full = "pods \"web-\" is forbidden: exceeded quota: q, requested: requests.memory=1Gi, used: requests.memory=7Gi, limited: requests.memory=7Gi";
    let resources = format!("{CONTAINER}.resources");
    check(vec![
        Row {
            code: "quota-must-specify",
            objects: with_sibling(json!({"limits": {"memory": "64Mi"}, "requests": {"cpu": "50m"}})),
            answer: leak(format!(
                "needs-choice [{resources}.limits.memory: - -> \"64Mi\"; {resources}.requests.cpu: - -> \"50m\"]"
            )),
            twin: with_sibling(json!({"limits": {"memory": "64Mi"}})),
            of_twin: "needs-choice",
        },
        Row {
            code: "quota-exceeded",
            objects: vec![refused(full, pod(json!({"resources": {"requests": {"memory": "1Gi"}}})))],
            answer: "needs-choice",
            twin: vec![refused("", pod(json!({})))],
            of_twin: "none",
        },
    ]);
}

/// The Deployment of a refusal with its new ReplicaSet and the good one before it.
fn after(good: Value, objects: Vec<Value>) -> Vec<Value> {
    let mut all = objects;
    let by = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "Deployment-web", "controller": true}]);
    let set = |number: i64, template: Value, ready: i64| {
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": format!("web-{number}"), "ownerReferences": by,
            "labels": {"pod-template-hash": number.to_string()}, "annotations": {"deployment.kubernetes.io/revision": number.to_string()}},
            "spec": {"replicas": 1, "template": template}, "status": {"readyReplicas": ready, "replicas": ready}})
    };
    let now = all[0]["spec"]["template"].clone();
    let mut before = now.clone();
    before["spec"] = good;
    all.extend([set(1, before, 1), set(2, now, 0)]);
    all
}

#[test]
fn what_the_last_good_revision_had_comes_first() {
    let full = "pods \"web-\" is forbidden: exceeded quota: q, requested: requests.memory=1Gi, used: requests.memory=7Gi, limited: requests.memory=7Gi";
    let asks = |memory: &str| pod(json!({"resources": {"requests": {"memory": memory}}}));
    let large = "pods \"web-\" is forbidden: maximum memory usage per Container is 1Gi, but request is 2Gi";
    let class = "pods \"web-\" is forbidden: no PriorityClass with name fast was found";
    let of_class = |name: &str| json!({"priorityClassName": name, "containers": []});
    let memory = format!("{CONTAINER}.resources.requests.memory");
    check(vec![
        Row {
            code: "quota-exceeded",
            objects: after(asks("512Mi"), vec![refused(full, asks("1Gi"))]),
            answer: leak(format!("safe {memory}: \"1Gi\" -> \"512Mi\"")),
            twin: after(asks("2Gi"), vec![refused(full, asks("1Gi"))]),
            of_twin: "needs-choice",
        },
        Row {
            code: "limitrange-max",
            objects: after(asks("512Mi"), vec![refused(large, asks("2Gi"))]),
            answer: leak(format!("safe {memory}: \"2Gi\" -> \"512Mi\"")),
            twin: vec![refused(large, asks("2Gi"))],
            of_twin: leak(format!("needs-choice [{memory}: \"2Gi\" -> \"1Gi\"]")),
        },
        Row {
            code: "priorityclass-missing",
            objects: after(of_class("high"), vec![refused(class, of_class("fast"))]),
            answer: "safe spec.template.spec.priorityClassName: \"fast\" -> \"high\"",
            twin: vec![refused(class, of_class("fast"))],
            of_twin: "needs-choice",
        },
    ]);
}

fn rolling(strategy: Value, replicas: i64) -> Value {
    let mut one = deployment(
        "web",
        json!({"replicas": replicas, "strategy": strategy, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {}}}),
    );
    one["status"] = json!({"replicas": replicas, "readyReplicas": replicas, "updatedReplicas": 0, "conditions": [{"type": "Progressing", "status": "True", "lastTransitionTime": OLD}]});
    one
}

#[test]
fn rollouts_that_may_take_no_step() {
    let step = |unavailable: &str, replicas: i64| {
        vec![rolling(json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": unavailable}}), replicas)]
    };
    check(vec![Row {
        code: "rollout-zero-surge-zero",
        objects: step("25%", 3),
        answer: "review spec.strategy.rollingUpdate.maxUnavailable: \"25%\" -> 1",
        twin: step("25%", 4),
        of_twin: "none",
    }]);
}

#[test]
fn amounts_that_the_last_good_revision_had_come_back() {
    let must = "pods \"web-\" is forbidden: failed quota: q: must specify limits.memory for: app";
    let below = "Pod \"web-\" is invalid: spec.containers[0].resources.requests: Invalid value: \"1Gi\": must be less than or equal to memory limit of 512Mi";
    let both =
        |request: &str| pod(json!({"resources": {"requests": {"memory": request}, "limits": {"memory": "512Mi"}}}));
    let limits = || pod(json!({"resources": {"limits": {"memory": "64Mi"}}}));
    let scaler = |all: Vec<Value>| {
        let mut all = all;
        all[0]["status"] = json!({"replicas": 1});
        all.push(json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop"},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
            "status": {"conditions": [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "lastTransitionTime": OLD,
                "message": "failed to get cpu utilization: missing request for cpu in container app of Pod web-1"}]}}));
        all
    };
    let cpu = || pod(json!({"resources": {"requests": {"cpu": "50m"}}}));
    check(vec![
        Row {
            code: "quota-must-specify",
            objects: after(limits(), vec![refused(must, pod(json!({})))]),
            answer: leak(format!("safe {CONTAINER}.resources.limits.memory: - -> \"64Mi\"")),
            twin: after(pod(json!({"image": "y"})), vec![refused(must, pod(json!({})))]),
            of_twin: "needs-choice",
        },
        Row {
            code: "resources-invalid",
            objects: after(both("256Mi"), vec![refused(below, both("1Gi"))]),
            answer: leak(format!("safe {CONTAINER}.resources.requests.memory: \"1Gi\" -> \"256Mi\"")),
            twin: vec![refused(below, both("1Gi"))],
            of_twin: "needs-choice",
        },
        Row {
            code: "hpa-missing-requests",
            objects: scaler(after(cpu(), vec![refused("", pod(json!({})))])),
            answer: leak(format!("safe Deployment/web {CONTAINER}.resources.requests.cpu: - -> \"50m\"")),
            twin: scaler(after(pod(json!({"image": "y"})), vec![refused("", pod(json!({})))])),
            of_twin: "needs-choice",
        },
    ]);
}

/// Tests that make cases, for the table of classes.
pub(super) const MADE: &[fn()] = &[
    classes_and_accounts,
    levels_of_a_namespace,
    bounds_of_a_namespace,
    quotas_of_a_namespace,
    what_the_last_good_revision_had_comes_first,
    rollouts_that_may_take_no_step,
    amounts_that_the_last_good_revision_had_come_back,
];
