//! Claims, Jobs, settings and what the delivery tools report.

use super::{Row, check, named, owned_by};
use crate::diagnose::testing::{OLD, event, ready};
use serde_json::{Value, json};

fn claim(class: Value, size: &str) -> Value {
    let mut one = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}, "status": {"phase": "Pending"}});
    if !class.is_null() {
        one["spec"]["storageClassName"] = class;
    }
    one
}

fn said(reason: &str, message: &str) -> Value {
    event("PersistentVolumeClaim", "data", reason, message)
}

fn volume(size: &str, mode: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
        "spec": {"storageClassName": "manual", "capacity": {"storage": size}, "accessModes": [mode]}, "status": {"phase": "Available"}})
}

fn class(name: &str) -> Value {
    named("StorageClass", "storage.k8s.io/v1", name)
}

#[test]
fn claims_without_a_volume() {
    let missing = |name: &str, classes: &[&str]| {
        let message = format!("storageclass.storage.k8s.io \"{name}\" not found");
        let mut all = vec![claim(json!(name), "5Gi"), said("ProvisioningFailed", &message)];
        all.extend(classes.iter().map(|name| class(name)));
        all
    };
    let unset = |value: Value, classes: &[&str]| {
        let message = "no persistent volumes available for this claim and no storage class is set";
        let mut all = vec![claim(value, "5Gi"), said("FailedBinding", message)];
        all.extend(classes.iter().map(|name| class(name)));
        all
    };
    let manual = |volume: Value| vec![claim(json!("manual"), "5Gi"), volume];
    let asked = |size: &str, mode: &str| {
        let mut own = claim(json!("manual"), "5Gi");
        own["spec"]["volumeName"] = json!("pv");
        vec![
            own,
            volume(size, mode),
            said("VolumeMismatch", "Cannot bind to requested volume \"pv\": requested PV is too small"),
        ]
    };
    let field = "spec.storageClassName";
    let size = "spec.resources.requests.storage";
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    check(vec![
        Row {
            code: "storageclass-missing",
            objects: missing("standrad", &["standard", "local"]),
            answer: leak(format!("review {field}: \"standrad\" -> \"standard\"")),
            twin: missing("gp3", &["standard", "local"]),
            of_twin: leak(format!("needs-choice [{field}: \"gp3\" -> \"local\" | {field}: \"gp3\" -> \"standard\"]")),
        },
        Row {
            code: "storageclass-missing",
            objects: missing("gp3", &["standard"]),
            answer: leak(format!("review {field}: \"gp3\" -> \"standard\"")),
            twin: missing("standard", &["standard"]),
            of_twin: "none",
        },
        Row {
            code: "pvc-no-class",
            objects: unset(Value::Null, &["standard"]),
            answer: leak(format!("review {field}: - -> \"standard\"")),
            twin: unset(json!(""), &["standard"]),
            of_twin: leak(format!("needs-choice [{field}: \"\" -> \"standard\"]")),
        },
        Row {
            code: "pvc-no-matching-volume",
            objects: manual(volume("1Gi", "ReadWriteOnce")),
            answer: leak(format!("needs-choice [{size}: \"5Gi\" -> \"1Gi\"]")),
            twin: manual(volume("1Gi", "ReadOnlyMany")),
            of_twin: "not-in-git",
        },
        Row {
            code: "pvc-volume-name-mismatch",
            objects: asked("1Gi", "ReadWriteOnce"),
            answer: leak(format!("review {size}: \"5Gi\" -> \"1Gi\"")),
            twin: asked("1Gi", "ReadOnlyMany"),
            of_twin: "needs-choice",
        },
    ]);
}

#[test]
fn a_claim_of_a_set_is_never_edited_and_a_larger_one_neither() {
    let mut own = claim(json!("standrad"), "5Gi");
    own["metadata"]["name"] = json!("data-db-0");
    let message = "storageclass.storage.k8s.io \"standrad\" not found";
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
        "spec": {"replicas": 0, "volumeClaimTemplates": [{"metadata": {"name": "data"}}], "template": {"spec": {}}}});
    let of_set =
        vec![own, set, class("standard"), event("PersistentVolumeClaim", "data-db-0", "ProvisioningFailed", message)];
    let mut grown = claim(json!("fast"), "9Gi");
    grown["status"] = json!({"phase": "Bound", "capacity": {"storage": "5Gi"},
        "conditions": [{"type": "ControllerResizeError", "status": "True", "lastTransitionTime": OLD, "message": "no"}]});
    let mut fits = grown.clone();
    fits["status"]["conditions"] = json!([]);
    check(vec![
        Row {
            code: "storageclass-missing",
            objects: of_set,
            answer: "immutable",
            twin: vec![class("standard")],
            of_twin: "none",
        },
        Row {
            code: "pvc-resize-failed",
            objects: vec![grown],
            answer: "needs-choice",
            twin: vec![fits],
            of_twin: "none",
        },
    ]);
}

fn cron_job(spec: Value) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"}, "spec": spec, "status": {"lastScheduleTime": OLD}})
}

#[test]
fn schedules_that_start_nothing() {
    let schedule = |text: &str| {
        vec![
            cron_job(json!({"schedule": text})),
            event("CronJob", "report", "UnparseableSchedule", &format!("unparseable schedule: {text:?} : bad")),
        ]
    };
    let zone = |name: &str| {
        vec![
            cron_job(json!({"schedule": "0 3 * * *", "timeZone": name})),
            event("CronJob", "report", "UnknownTimeZone", &format!("invalid timeZone: \"{name}\": unknown")),
        ]
    };
    let late = |seconds: i64| {
        vec![
            cron_job(json!({"schedule": "* * * * *", "startingDeadlineSeconds": seconds})),
            event("CronJob", "report", "MissSchedule", "Missed scheduled time to start a job: x"),
        ]
    };
    check(vec![
        Row {
            code: "cronjob-invalid-schedule",
            objects: schedule("'0 3 * * *'"),
            answer: "review spec.schedule: \"'0 3 * * *'\" -> \"0 3 * * *\"",
            twin: schedule("99 3 * * *"),
            of_twin: "needs-choice",
        },
        Row {
            code: "cronjob-unknown-timezone",
            objects: zone("Europe/Berln"),
            answer: "review spec.timeZone: \"Europe/Berln\" -> \"Europe/Berlin\"",
            twin: zone("Mars/Olympus_Mons"),
            of_twin: "needs-choice",
        },
        Row {
            code: "cronjob-missed",
            objects: late(5),
            answer: "review spec.startingDeadlineSeconds: 5 -> 60",
            twin: late(30),
            of_twin: "needs-choice",
        },
    ]);
}

#[test]
fn variables_are_set_before_their_use() {
    let with = |env: Value| {
        let mut pod = ready("web", json!({"app": "web"}));
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        pod["status"]["containerStatuses"][0] = json!({"name": "app", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": OLD}}});
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "x", "env": env}]}});
        pod["spec"]["containers"][0]["env"] = template["spec"]["containers"][0]["env"].clone();
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "StatefulSet-web", "controller": true}]);
        let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}});
        vec![pod, set]
    };
    let (host, url) = (json!({"name": "HOST", "value": "db"}), json!({"name": "URL", "value": "pg:$(HOST)"}));
    check(vec![Row {
        code: "env-ref-order",
        objects: with(json!([url, host])),
        answer: "review spec.template.spec.containers[app].env: [{\"name\":\"URL\",\"value\":\"pg:$(HOST)\"},{\"name\":\"HOST\",\"value\":\"db\"}] -> [{\"name\":\"HOST\",\"value\":\"db\"},{\"name\":\"URL\",\"value\":\"pg:$(HOST)\"}]",
        twin: with(json!([host, url])),
        of_twin: "none",
    }]);
}

fn flux(kind: &str, group: &str, name: &str, spec: Value, ready: (&str, &str, &str)) -> Value {
    let (status, reason, message) = ready;
    json!({"apiVersion": format!("{group}.toolkit.fluxcd.io/v1"), "kind": kind, "metadata": {"name": name}, "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": OLD}]}})
}

const GOOD: (&str, &str, &str) = ("True", "Succeeded", "");

#[test]
fn what_delivery_tools_do_not_find() {
    let repository = |branch: &str, ready| {
        flux("GitRepository", "source", branch, json!({"url": "https://git/x", "ref": {"branch": branch}}), ready)
    };
    let gone = ("False", "GitOperationFailed", "couldn't find remote ref \"refs/heads/relaese\"");
    let folder = |name: &str, path: &str, ready| {
        flux(
            "Kustomization",
            "kustomize",
            name,
            json!({"path": path, "sourceRef": {"kind": "GitRepository", "name": "x"}}),
            ready,
        )
    };
    let no_path =
        ("False", "ArtifactFailed", "kustomization path not found: stat /tmp/kustomization-1/apps/shpo: no such file");
    let application = |name: &str, path: &str, status: Value| {
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name},
            "spec": {"source": {"repoURL": "https://git/x", "path": path}}, "status": status})
    };
    let no_app = json!({"conditions": [{"type": "ComparisonError", "message": "desc = apps/shpo: app path does not exist", "lastTransitionTime": OLD}]});
    let synced = || json!({"sync": {"status": "Synced"}});
    let release = |version: &str, history: Value| {
        let mut one = flux(
            "HelmRelease",
            "helm",
            "db",
            json!({"chart": {"spec": {"chart": "pg", "version": version}}}),
            ("False", "ArtifactFailed", "no chart version found for pg-9.9"),
        );
        one["status"]["history"] = history;
        vec![one]
    };
    let ran = json!([{"chartName": "pg", "chartVersion": "9.8", "status": "failed"}, {"chartName": "pg", "chartVersion": "9.7", "status": "superseded"}]);
    let values = |name: &str| {
        let one = flux(
            "HelmRelease",
            "helm",
            "db",
            json!({"valuesFrom": [{"kind": "ConfigMap", "name": name}]}),
            ("False", "ValuesError", "could not find ConfigMap 'a/x'"),
        );
        vec![one, json!({"kind": "ConfigMap", "metadata": {"name": "database"}})]
    };
    let apply = |message: &str| {
        vec![flux("Kustomization", "kustomize", "k", json!({}), ("False", "ReconciliationFailed", message))]
    };
    check(vec![
        Row {
            code: "flux-source-failed",
            objects: vec![repository("relaese", gone), repository("release", GOOD)],
            answer: "review spec.ref.branch: \"relaese\" -> \"release\"",
            twin: vec![repository("relaese", gone)],
            of_twin: "not-in-git",
        },
        Row {
            code: "flux-path-missing",
            objects: vec![folder("k", "./apps/shpo", no_path), folder("other", "./apps/shop", GOOD)],
            answer: "review spec.path: \"./apps/shpo\" -> \"./apps/shop\"",
            twin: vec![folder("k", "./apps/shpo", no_path)],
            of_twin: "not-in-git",
        },
        Row {
            code: "argocd-comparison-error",
            objects: vec![application("a", "apps/shpo", no_app.clone()), application("b", "apps/shop", synced())],
            answer: "review spec.source.path: \"apps/shpo\" -> \"apps/shop\"",
            twin: vec![application("a", "apps/shpo", no_app), application("b", "apps/shop", json!({}))],
            of_twin: "not-in-git",
        },
        Row {
            code: "helmrelease-chart-missing",
            objects: release("9.9", ran),
            answer: "review spec.chart.spec.version: \"9.9\" -> \"9.7\"",
            twin: release("9.9", json!([])),
            of_twin: "needs-choice",
        },
        Row {
            code: "helmrelease-values-missing",
            objects: values("databsae"),
            answer: "review spec.valuesFrom[0].name: \"databsae\" -> \"database\"",
            twin: values("redis"),
            of_twin: "needs-choice [spec.valuesFrom[0].name: \"redis\" -> \"database\"]",
        },
        Row {
            code: "flux-apply-failed",
            objects: apply(
                "Deployment/a/web dry-run failed: failed to create typed patch object: .spec.replcas: field not declared in schema",
            ),
            answer: "needs-judgement",
            twin: apply("Deployment/a/web dry-run failed (Invalid): spec.x: is wrong"),
            of_twin: "needs-judgement",
        },
    ]);
}

#[test]
fn deadlines_follow_the_runs_that_ended_well() {
    let with = |seconds: i64| {
        let job = |name: &str, status: Value| {
            owned_by(
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {}, "status": status}),
                "CronJob",
                "report",
            )
        };
        let end = format!("2026-11-22T15:{:02}:{:02}Z", seconds / 60, seconds % 60);
        let good = job(
            "a",
            json!({"startTime": "2026-11-22T15:00:00Z", "completionTime": end, "conditions": [{"type": "Complete", "status": "True"}]}),
        );
        let late = job(
            "b",
            json!({"startTime": OLD, "conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded",
            "message": "Job was active longer than specified deadline", "lastTransitionTime": "2026-11-22T16:10:00Z"}]}),
        );
        vec![
            cron_job(
                json!({"schedule": "0 * * * *", "jobTemplate": {"spec": {"activeDeadlineSeconds": 600, "template": {"spec": {}}}}}),
            ),
            good,
            late,
        ]
    };
    check(vec![Row {
        code: "job-deadline-exceeded",
        objects: with(590),
        answer: "review spec.jobTemplate.spec.activeDeadlineSeconds: 600 -> 1200",
        twin: with(60),
        of_twin: "needs-choice [spec.jobTemplate.spec.activeDeadlineSeconds: 600 -> 1200]",
    }]);
}

/// Tests that make cases, for the table of classes.
pub(super) const MADE: &[fn()] = &[
    claims_without_a_volume,
    a_claim_of_a_set_is_never_edited_and_a_larger_one_neither,
    schedules_that_start_nothing,
    variables_are_set_before_their_use,
    what_delivery_tools_do_not_find,
    deadlines_follow_the_runs_that_ended_well,
];
