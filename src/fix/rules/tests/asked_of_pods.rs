//! Pods that leave a choice, each beside a twin.

use super::{Row, answer, check, named, owned_by, with_log};
use crate::diagnose::diagnose;
use crate::diagnose::testing::{OLD, event, of, pending, ready};
use crate::model::finding::{Change, FieldChange};
use crate::model::path::Path;
use crate::model::snapshot::Snapshot;
use serde_json::{Value, json};

fn set(name: &str, spec: &Value) -> Value {
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": spec});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template});
    json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec})
}

/// A pod of the workload that fails, with these containers.
fn crashing(name: &str, of: &str, spec: &Value) -> Value {
    let mut pod = owned_by(ready(name, json!({"app": of})), "StatefulSet", of);
    pod["spec"] = spec.clone();
    pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
    pod["status"]["containerStatuses"][0] = json!({"name": "app", "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": OLD}}});
    pod
}

fn told(snapshot: &Snapshot, code: &str) -> String {
    let found = diagnose(snapshot);
    let finding = found.findings.iter().find(|finding| finding.code.name() == code);
    finding.map_or("none".to_owned(), |finding| answer(snapshot, finding))
}

#[test]
fn one_of_two_entries_of_a_variable_stays() {
    let with = |env: &Value| {
        let mut pod = ready("web", json!({"app": "web"}));
        pod["spec"]["containers"][0]["env"] = env.clone();
        // Pods themselves can't be changed.
        vec![set("web", &pod["spec"]), owned_by(pod, "StatefulSet", "web")]
    };
    let entry = |value: &str| json!({"name": "LEVEL", "value": value});
    let other = json!({"name": "MODE", "value": "x"});
    let (one, two, three) = (entry("info"), entry("debug"), entry("warn"));
    let list = "spec.template.spec.containers[app].env";
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let now = format!("[{one},{other},{two}]");
    check(vec![
        Row {
            code: "env-duplicate",
            objects: with(&json!([one, other, two])),
            answer: leak(format!("needs-choice [{list}: {now} -> [{other},{two}] | {list}: {now} -> [{one},{other}]]")),
            twin: with(&json!([one, other])),
            of_twin: "none",
        },
        Row {
            code: "env-duplicate",
            objects: with(&json!([one, one])),
            answer: leak(format!("needs-choice [{list}: [{one},{one}] -> [{one}]]")),
            twin: with(&json!([one])),
            of_twin: "none",
        },
        Row {
            code: "env-duplicate",
            objects: with(&json!([one, two, three])),
            answer: leak(format!(
                "needs-choice [{list}: [{one},{two},{three}] -> [{three}] | {list}: [{one},{two},{three}] -> [{two}] | \
                 {list}: [{one},{two},{three}] -> [{one}]]"
            )),
            twin: with(&json!([])),
            of_twin: "none",
        },
    ]);
}

#[test]
fn the_words_of_a_choice_tell_values_and_no_secrets() {
    let why = |first: &Value, second: &Value| {
        let mut pod = ready("web", json!({"app": "web"}));
        pod["spec"]["containers"][0]["env"] = json!([first, {"name": "URL", "value": "x/$(A)"}, second]);
        let snapshot = of(&[set("web", &pod["spec"]), owned_by(pod, "StatefulSet", "web")]);
        let finding = diagnose(&snapshot).findings.remove(0);
        super::candidates(&snapshot, &finding)
            .unwrap_err()
            .choices
            .iter()
            .map(|one| one.why.clone())
            .collect::<Vec<_>>()
    };
    let words = why(&json!({"name": "A", "value": "1"}), &json!({"name": "A", "value": "2"}));
    let want = [
        "it is what counts now: \"2\"; URL uses it in between",
        "the program then gets another value: \"1\"; URL uses it in between",
    ];
    assert_eq!(words, want);
    let secret = |value: &str| json!({"name": "DB_PASSWORD", "value": value});
    let words = why(&secret("hunter22"), &secret("letmein1")).join(" ");
    assert!(words.contains("looks secret") && !words.contains("hunter22") && !words.contains("letmein1"), "{words}");
}

#[test]
fn a_changed_config_map_is_read_after_a_restart_that_a_person_chooses() {
    let with = |kind: &str, written: &str, annotations: Value| {
        let map = json!({"kind": "ConfigMap", "metadata": {"name": "cfg", "managedFields":
            [{"manager": "kubectl-edit", "operation": "Update", "time": written}]}});
        let mut pod = ready("web-1", json!({"app": "web"}));
        pod["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "cfg"}}]);
        let mut web = set("web", &pod["spec"]);
        web["kind"] = json!(kind);
        web["spec"]["template"]["metadata"]["annotations"] = annotations;
        if kind == "DaemonSet" {
            web["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
            web["status"] = json!({"desiredNumberScheduled": 1, "numberReady": 1});
        }
        vec![map, web, owned_by(pod, kind, "web")]
    };
    let at = "2026-11-22T16:50:00Z";
    let path = "spec.template.metadata.annotations[\"kubectl.kubernetes.io/restartedAt\"]";
    let answer: &'static str = Box::leak(format!("needs-choice [{path}: - -> \"{at}\"]").into_boxed_str());
    let earlier = "2026-11-22T15:00:00Z";
    let again = json!({"kubectl.kubernetes.io/restartedAt": earlier});
    let told_already = json!({"kubectl.kubernetes.io/restartedAt": at});
    let set: &'static str = Box::leak(format!("needs-choice [{path}: \"{earlier}\" -> \"{at}\"]").into_boxed_str());
    let row = |objects: Vec<Value>, answer, twin: Vec<Value>, of_twin| Row {
        code: "config-changed-not-reloaded",
        objects,
        answer,
        twin,
        of_twin,
    };
    check(vec![
        row(with("StatefulSet", at, json!({})), answer, with("StatefulSet", earlier, json!({})), "none"),
        row(with("StatefulSet", at, again), set, with("StatefulSet", at, told_already), "drifted"),
        row(with("DaemonSet", at, json!({})), answer, with("StatefulSet", at, json!({"checksum/config": "1"})), "none"),
    ]);
    let snapshot = of(&with("DaemonSet", at, json!({})));
    let found = diagnose(&snapshot);
    let finding = found.findings.into_iter().find(|one| one.code.name() == "config-changed-not-reloaded").unwrap();
    let refusal = super::candidates(&snapshot, &finding).unwrap_err();
    assert!(refusal.choices[0].why.contains("when it is deleted"), "{}", refusal.choices[0].why);
    assert!(refusal.hint.contains("kubectl rollout restart daemonset/web -n a"), "{}", refusal.hint);
}

/// A refused program, with these roles bound to its account; what each may is in `rules`.
fn forbidden(line: &str, roles: &[(&str, Value)], more: &[Value]) -> Snapshot {
    let spec = json!({"serviceAccountName": "app", "containers": [{"name": "app", "image": "x"}]});
    let rbac = |kind: &str, name: &str, body: &Value| {
        let mut one = named(kind, "rbac.authorization.k8s.io/v1", name);
        one.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        one
    };
    let mut all = vec![set("web", &spec), crashing("web-0", "web", &spec)];
    for (name, rules) in roles {
        let subjects = json!([{"kind": "ServiceAccount", "name": "app"}]);
        all.push(rbac("Role", name, &json!({"rules": rules})));
        all.push(rbac("RoleBinding", name, &json!({"roleRef": {"kind": "Role", "name": name}, "subjects": subjects})));
    }
    all.extend(more.iter().cloned());
    with_log(of(&all), "web-0", line)
}

/// A binding to a role that was not read: it may be what grants it.
fn unread() -> Value {
    let mut one = named("RoleBinding", "rbac.authorization.k8s.io/v1", "view");
    one["roleRef"] = json!({"kind": "ClusterRole", "name": "view"});
    one["subjects"] = json!([{"kind": "ServiceAccount", "name": "app"}]);
    one
}

const REFUSED: &str = r#"pods is forbidden: User "system:serviceaccount:a:app" cannot list resource "pods" in API group "" in the namespace "a""#;

#[test]
fn the_one_right_goes_into_the_one_role_that_is_bound() {
    let get = || json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]);
    let one = |rules: Value, line: &str| told(&forbidden(line, &[("app", rules)], &[unread()]), "crash-rbac-forbidden");
    let answer = "needs-choice [Role/app rules[0].verbs: [\"get\"] -> [\"get\",\"list\"]]";
    assert_eq!(one(get(), REFUSED), answer);
    let bare = "needs-choice";
    let all = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]);
    assert_eq!(one(all, REFUSED), bare, "it has it already");
    let of_one = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"], "resourceNames": ["x"]}]);
    assert_eq!(one(of_one, REFUSED), bare, "it is given by name");
    let elsewhere = REFUSED.replace("namespace \"a\"", "namespace \"b\"");
    assert_eq!(one(get(), &elsewhere), bare, "a Role gives nothing in another namespace");
    let everywhere = REFUSED.replace("in the namespace \"a\"", "at the cluster scope");
    assert_eq!(one(get(), &everywhere), bare, "nor in the cluster");
    let star = REFUSED.replace("resource \"pods\"", "resource \"*\"");
    assert_eq!(one(get(), &star), bare, "never everything");
    let other = REFUSED.replace("a:app", "a:other");
    assert_eq!(one(get(), &other), bare, "a line about another account");
    let two = forbidden(REFUSED, &[("app", get()), ("b", get())], &[unread()]);
    assert_eq!(told(&two, "crash-rbac-forbidden"), bare, "which of the two is not known");
    assert_eq!(told(&forbidden(REFUSED, &[], &[]), "crash-rbac-forbidden"), bare, "nothing is bound");
}

#[test]
fn the_account_of_the_revision_that_works_may_come_back() {
    let snapshot = forbidden(REFUSED, &[], &[]);
    let found = diagnose(&snapshot);
    let mut finding = found.findings.into_iter().find(|one| one.code.name() == "crash-rbac-forbidden").unwrap();
    let path = Path::of("spec.template.spec.serviceAccountName");
    let fields = vec![FieldChange { path, old: Some(json!("reader")), new: Some(json!("app")) }];
    let change = |good| Change {
        from: "1".to_owned(),
        to: "2".to_owned(),
        good,
        fields: fields.clone(),
        manager: None,
        at: None,
        commit: None,
    };
    finding.change = Some(change(true));
    let back = "needs-choice [spec.template.spec.serviceAccountName: \"app\" -> \"reader\"]";
    assert_eq!(answer(&snapshot, &finding), back);
    finding.change = Some(change(false));
    assert_eq!(answer(&snapshot, &finding), "needs-choice", "it is not known to have worked");
}

#[test]
fn pods_of_a_cron_job_may_get_more_time_and_a_pod_that_is_there_none() {
    let with = |took: Option<i64>| {
        let spec = json!({"restartPolicy": "Never", "activeDeadlineSeconds": 60, "containers": [{"name": "app", "image": "x"}]});
        let job_spec = json!({"template": {"metadata": {"labels": {"app": "report"}}, "spec": spec}});
        let report = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"},
            "spec": {"schedule": "0 * * * *", "jobTemplate": {"spec": job_spec}}, "status": {"lastScheduleTime": OLD}});
        let job = |name: &str, status: Value| {
            let one = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": job_spec, "status": status});
            owned_by(one, "CronJob", "report")
        };
        let mut pod = owned_by(ready("report-2-a", json!({"app": "report"})), "Job", "report-2");
        pod["spec"] = spec.clone();
        pod["status"] = json!({"phase": "Failed", "reason": "DeadlineExceeded", "startTime": OLD,
            "message": "Pod was active on the node longer than the specified deadline"});
        let mut all = vec![report, job("report-2", json!({"startTime": OLD, "active": 1})), pod];
        all.extend(took.map(|seconds| {
            let ended = OLD.parse::<jiff::Timestamp>().unwrap().as_second() + seconds;
            let ended = jiff::Timestamp::from_second(ended).unwrap().to_string();
            job("report-1", json!({"startTime": OLD, "completionTime": ended, "succeeded": 1}))
        }));
        all
    };
    let bare = || {
        let mut pod = ready("app", json!({"app": "app"}));
        pod["spec"]["activeDeadlineSeconds"] = json!(60);
        pod["spec"]["restartPolicy"] = json!("Never");
        pod["status"] = json!({"phase": "Failed", "reason": "DeadlineExceeded", "startTime": OLD,
            "message": "Pod was active on the node longer than the specified deadline"});
        vec![pod]
    };
    let path = "spec.jobTemplate.spec.template.spec.activeDeadlineSeconds";
    let row = |took, seconds: i64| Row {
        code: "pod-deadline-exceeded",
        objects: with(took),
        answer: Box::leak(format!("needs-choice [{path}: 60 -> {seconds}]").into_boxed_str()),
        twin: bare(),
        of_twin: "needs-choice",
    };
    check(vec![row(None, 120), row(Some(40), 120), row(Some(200), 250), row(Some(20_000), 600)]);
    let snapshot = of(&bare());
    let finding = diagnose(&snapshot).findings.remove(0);
    let hint = super::candidates(&snapshot, &finding).unwrap_err().hint;
    assert!(hint.contains("kubectl delete pod app -n a"), "{hint}");
}

#[test]
fn a_readiness_probe_asks_the_port_that_callers_use() {
    let with = |target: &Value, container: &Value| {
        let (spec, caller) =
            (json!({"containers": [container]}), json!({"containers": [{"name": "app", "image": "c"}]}));
        let mut pod = owned_by(ready("web-0", json!({"app": "web"})), "StatefulSet", "web");
        pod["spec"] = spec.clone();
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": target}]}});
        let all = [set("web", &spec), pod, service, set("caller", &caller), crashing("caller-0", "caller", &caller)];
        told(&with_log(of(&all), "caller-0", "dial tcp: web:80: connect: connection refused"), "probe-missing")
    };
    let app = |more: Value| {
        let mut app = json!({"name": "app", "image": "x", "ports": [{"name": "http", "containerPort": 8080}]});
        app.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        app
    };
    let probe = "spec.template.spec.containers[app].readinessProbe: - ->";
    let tcp = |port: &str| format!("{probe} {{\"tcpSocket\":{{\"port\":{port}}}}}");
    assert_eq!(with(&json!(8080), &app(json!({}))), format!("needs-choice [{}]", tcp("8080")));
    assert_eq!(with(&json!("http"), &app(json!({}))), format!("needs-choice [{}]", tcp("\"http\"")));
    assert_eq!(with(&json!("admin"), &app(json!({}))), "needs-choice", "no container has that port");
    let alive =
        |port: Value| app(json!({"livenessProbe": {"httpGet": {"path": "/alive", "port": port}, "periodSeconds": 5}}));
    let same = format!("{probe} {{\"httpGet\":{{\"path\":\"/alive\",\"port\":\"http\"}}}}");
    assert_eq!(with(&json!(8080), &alive(json!("http"))), format!("needs-choice [{same} | {}]", tcp("8080")));
    assert_eq!(with(&json!(8080), &alive(json!(9090))), format!("needs-choice [{}]", tcp("8080")), "another port");
    let probed = app(json!({"readinessProbe": {"tcpSocket": {"port": 8080}}}));
    assert_eq!(with(&json!(8080), &probed), "none");
}

#[test]
fn a_user_is_one_that_the_same_image_runs_as() {
    let with = |image: &str, id: i64| {
        let spec =
            json!({"containers": [{"name": "app", "image": "shop/web:2", "securityContext": {"runAsNonRoot": true}}]});
        let mut pod = owned_by(ready("web-0", json!({"app": "web"})), "StatefulSet", "web");
        pod["spec"] = spec.clone();
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        let message = "container has runAsNonRoot and image has non-numeric user (app), cannot verify user is non-root";
        pod["status"]["containerStatuses"] = json!([{"name": "app", "state":
            {"waiting": {"reason": "CreateContainerConfigError", "message": message}}}]);
        let mut other = ready("other", json!({"app": "other"}));
        other["spec"]["containers"][0]["image"] = json!(image);
        other["spec"]["securityContext"] = json!({"runAsUser": id});
        vec![set("web", &spec), pod, other]
    };
    let row = |twin: Vec<Value>| Row {
        code: "run-as-user-name",
        objects: with("shop/web:1", 1001),
        answer: "needs-choice [spec.template.spec.containers[app].securityContext.runAsUser: - -> 1001]",
        twin,
        of_twin: "needs-choice",
    };
    check(vec![row(with("shop/api:1", 1001)), row(with("shop/web:1", 0))]);
}

#[test]
fn a_pod_may_be_sent_to_where_its_volume_is() {
    let with = |asked: &str, node: &str| {
        let spec = json!({"nodeSelector": {"zone": asked}, "containers": [{"name": "app", "image": "x"}],
            "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]});
        let message = "0/1 nodes are available: 1 node(s) had volume node affinity conflict.";
        let mut pod = owned_by(pending("web-0", spec.clone(), message), "StatefulSet", "web");
        pod["metadata"]["labels"] = json!({"app": "web"});
        let mut claim = named("PersistentVolumeClaim", "v1", "data");
        claim["spec"] = json!({"volumeName": "pv"});
        claim["status"] = json!({"phase": "Bound"});
        let mut volume = named("PersistentVolume", "v1", "pv");
        volume["spec"] = json!({"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions":
            [{"key": "zone", "operator": "In", "values": ["east"]}]}]}}});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": {"zone": node}}});
        vec![set("web", &spec), pod, claim, volume, node]
    };
    let row = |twin: Vec<Value>| Row {
        code: "unschedulable-volume-affinity",
        objects: with("west", "east"),
        answer: "needs-choice [spec.template.spec.nodeSelector.zone: \"west\" -> \"east\"]",
        twin,
        of_twin: "needs-choice",
    };
    // Where it asks for the right place already, or no node is there, the selector is not what is wrong.
    check(vec![row(with("east", "east")), row(with("west", "west"))]);
}

#[test]
fn who_was_preempted_may_get_the_class_of_who_took_the_room() {
    let with = |class: &str| {
        let spec = json!({"priorityClassName": "low", "containers": [{"name": "app", "image": "x"}]});
        let mut waiting = owned_by(
            pending("web-1", spec.clone(), "0/1 nodes are available: 1 Insufficient cpu."),
            "StatefulSet",
            "web",
        );
        waiting["metadata"]["labels"] = json!({"app": "web"});
        let mut strong = ready("strong", json!({"app": "strong"}));
        strong["spec"]["priorityClassName"] = json!(class);
        let mut gone = event("Pod", "web-0", "Preempted", "Preempted by pod Pod-strong on node n");
        gone["type"] = json!("Normal");
        vec![set("web", &spec), waiting, strong, gone]
    };
    check(vec![Row {
        code: "preempted",
        objects: with("high"),
        answer: "needs-choice [spec.template.spec.priorityClassName: \"low\" -> \"high\"]",
        twin: with("system-cluster-critical"),
        of_twin: "needs-choice",
    }]);
}

/// Tests that make cases, for the table of classes.
pub(super) const MADE: &[fn()] = &[
    one_of_two_entries_of_a_variable_stays,
    the_one_right_goes_into_the_one_role_that_is_bound,
    pods_of_a_cron_job_may_get_more_time_and_a_pod_that_is_there_none,
    a_readiness_probe_asks_the_port_that_callers_use,
    a_user_is_one_that_the_same_image_runs_as,
    a_pod_may_be_sent_to_where_its_volume_is,
    who_was_preempted_may_get_the_class_of_who_took_the_room,
];
