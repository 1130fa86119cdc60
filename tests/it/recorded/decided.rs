//! Codes that no recording alone lets a rule decide: made from recordings, each beside a twin.

use super::made::with_log;
use super::pod_rules::{after_good, everywhere, said, with_node};
use super::{objects, snapshot};
use aifix::model::snapshot::Snapshot;
use serde_json::{Value, json};

const C: &str = "spec.template.spec.containers[app]";

/// Changes objects of a recording.
struct Made {
    base: &'static str,
    objects: Vec<Value>,
}

fn made(base: &'static str) -> Made {
    Made { base, objects: objects(base) }
}

impl Made {
    /// The same change of the pod spec of every pod and template.
    fn spec(mut self, edit: impl Fn(&mut Value)) -> Self {
        for object in &mut self.objects {
            match object["kind"].as_str().unwrap() {
                "Pod" => edit(&mut object["spec"]),
                "Deployment" | "ReplicaSet" => edit(&mut object["spec"]["template"]["spec"]),
                _ => {}
            }
        }
        self
    }

    fn each(mut self, kind: &str, edit: impl Fn(&mut Value)) -> Self {
        self.objects.iter_mut().filter(|object| object["kind"] == kind).for_each(edit);
        self
    }

    /// What the kubelet says of the waiting container.
    fn waits(self, reason: &'static str, message: &'static str) -> Self {
        self.each("Pod", |pod| {
            let waiting = &mut pod["status"]["containerStatuses"][0]["state"]["waiting"];
            *waiting = json!({"reason": reason, "message": message});
        })
    }

    /// What the events with this reason say.
    fn says(self, reason: &'static str, message: &'static str) -> Self {
        self.each("Event", |event| {
            if event["reason"] == reason {
                event["message"] = json!(message);
            }
        })
    }

    fn exits(self, code: i64) -> Self {
        self.each("Pod", |pod| {
            pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] = json!(code);
        })
    }

    /// An earlier revision with ready pods, whose pod spec differs by `edit`.
    fn good(mut self, edit: impl Fn(&mut Value)) -> Self {
        let mut old = self.objects.iter().find(|object| object["kind"] == "ReplicaSet").unwrap().clone();
        old["metadata"]["name"] = json!("web-old");
        old["metadata"]["uid"] = json!("old");
        old["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("0");
        edit(&mut old["spec"]["template"]["spec"]);
        old["status"] = json!({"readyReplicas": 1, "replicas": 1});
        self.objects.push(old);
        self
    }

    fn and(mut self, mut object: Value) -> Self {
        object["metadata"]["namespace"] = json!(self.namespace());
        self.objects.push(object);
        self
    }

    fn namespace(&self) -> String {
        self.objects.iter().find_map(|object| object["metadata"]["namespace"].as_str()).unwrap().to_owned()
    }

    fn seen(self) -> Snapshot {
        snapshot(self.base, &self.objects)
    }

    fn logs(self, line: &str) -> Snapshot {
        with_log(self.seen(), "app", &[line])
    }
}

/// What shows a code, how the answer begins and what it holds, and the answer to a near twin.
type Row = (&'static str, Snapshot, [&'static str; 2], Snapshot, &'static str);

#[track_caller]
fn check(rows: Vec<Row>) {
    let mut wrong = Vec::new();
    for (code, faulty, [begins, holds], twin, of_twin) in rows {
        let got = said(&faulty, code);
        if !got.starts_with(begins) || !got.contains(holds) {
            wrong.push(format!("{code}: {got}"));
        }
        let got = said(&twin, code);
        if got != of_twin {
            wrong.push(format!("{code} of its twin: {got}, not {of_twin}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const CRASH: &str = "crash-app-error.exit-2";

fn command(words: &'static [&'static str]) -> impl Fn(&mut Value) {
    move |spec| spec["containers"][0]["command"] = json!(words)
}

/// A change that says nothing of any code.
fn aside(spec: &mut Value) {
    spec["containers"][0]["terminationMessagePath"] = json!("/x");
}

#[test]
fn an_image_that_was_changed_goes_back() {
    let crash = |exit: i64, line: &str, good: fn(&mut Value)| made(CRASH).exits(exit).good(good).logs(line);
    let back: fn(&mut Value) = |spec| spec["containers"][0]["image"] = json!("busybox:1.35");
    let library = "/app: error while loading shared libraries: libpq.so.5: cannot open shared object file";
    let module = "ModuleNotFoundError: No module named 'flask'";
    let refused = "image pull failed for a because the signature validation failed: x";
    let signed = |good: fn(&mut Value)| {
        let mut all = made("image-registry-error").waits("SignatureValidationFailed", refused).good(good);
        all.objects.retain(|object| object["reason"] != "Failed");
        all.seen()
    };
    let path = format!("{C}.image");
    let path: &'static str = Box::leak(path.into_boxed_str());
    check(vec![
        (
            "crash-illegal-instruction",
            crash(132, "Illegal instruction", back),
            ["safe ", path],
            crash(132, "Illegal instruction", aside),
            "not-in-git",
        ),
        (
            "crash-missing-library",
            crash(127, library, back),
            ["review ", path],
            crash(127, library, aside),
            "not-in-git",
        ),
        ("crash-missing-module", crash(1, module, back), ["review ", path], crash(1, module, aside), "not-in-git"),
        ("image-signature-rejected", signed(back), ["needs-choice", path], signed(aside), "not-in-git"),
        (
            "image-platform-missing",
            after_good("image-platform-missing", back),
            ["needs-choice", path],
            after_good("image-platform-missing", aside),
            "not-in-git",
        ),
        (
            "exec-format-error",
            after_good("exec-format-error", back),
            ["needs-choice", path],
            after_good("exec-format-error", aside),
            "needs-choice",
        ),
    ]);
    let volume = |good: fn(&mut Value)| {
        let message = "Back-off pulling image \"r.example/data:1\": ErrImagePull: r.example/data:1: not found";
        let all = made("image-not-found")
            .spec(|spec| spec["volumes"] = json!([{"name": "data", "image": {"reference": "r.example/data:1"}}]))
            .waits("ImagePullBackOff", message);
        all.good(good).seen()
    };
    let old: fn(&mut Value) = |spec| spec["volumes"][0]["image"]["reference"] = json!("r.example/data:0");
    let code = "image-volume-failed";
    check(vec![(code, volume(old), ["safe ", "-> \"r.example/data:0\""], volume(aside), "needs-choice")]);
}

#[test]
fn a_command_that_was_changed_goes_back() {
    // The same of a readiness probe: the pod is then not ready.
    let probed = |words: &'static [&'static str]| {
        let mut all = made("probe-exec-command-missing");
        for object in &mut all.objects {
            let text = object.to_string().replace("livenessProbe", "readinessProbe");
            *object = serde_json::from_str(&text.replace("Liveness probe", "Readiness probe")).unwrap();
        }
        let all = all.each("Pod", |pod| {
            pod["status"]["containerStatuses"][0]["ready"] = json!(false);
            for condition in pod["status"]["conditions"].as_array_mut().unwrap() {
                if condition["type"].as_str().unwrap().ends_with("Ready") {
                    condition["status"] = json!("False");
                }
            }
        });
        let back = move |spec: &mut Value| {
            aside(spec);
            spec["containers"][0]["readinessProbe"]["exec"]["command"] = json!(words);
        };
        all.good(back).seen()
    };
    let denied = |good: fn(&mut Value)| made(CRASH).exits(126).good(good).logs("sh: /b/run: Permission denied");
    let back: fn(&mut Value) = |spec| spec["containers"][0]["command"] = json!(["serve"]);
    check(vec![
        (
            "crash-exit-127",
            after_good("crash-exit-127", command(&["serve"])),
            ["review ", ".command"],
            after_good("crash-exit-127", aside),
            "needs-judgement",
        ),
        (
            "crash-port-in-use",
            after_good("crash-port-in-use", |spec| spec["containers"][1]["command"] = json!(["serve"])),
            ["review ", ".command"],
            after_good("crash-port-in-use", aside),
            "needs-judgement",
        ),
        ("crash-exit-126", denied(back), ["needs-choice", ".command"], denied(aside), "needs-choice"),
        (
            "probe-exec-command-missing",
            probed(&["true"]),
            ["review ", "readinessProbe.exec.command"],
            probed(&["/bin/grpc_health_probe", "-addr=:8080"]),
            "needs-choice",
        ),
    ]);
}

#[test]
fn a_setting_of_the_pod_that_was_changed_goes_back() {
    let taint = json!({"kind": "Node", "metadata": {"name": "n"}, "spec": {"taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}]}});
    let tainted = |good: fn(&mut Value)| {
        let mut all = made("unschedulable-node-selector").spec(|spec| {
            spec.as_object_mut().unwrap().shift_remove("nodeSelector");
        });
        all = all.each("Pod", |pod| {
            for condition in pod["status"]["conditions"].as_array_mut().unwrap() {
                condition["message"] = json!("0/1 nodes are available: 1 node(s) had untolerated taint(s).");
            }
        });
        all = all.good(good);
        all.objects.retain(|object| object["kind"] != "Node");
        all.objects.push(taint.clone());
        all.seen()
    };
    let tolerates: fn(&mut Value) =
        |spec| spec["tolerations"] = json!([{"key": "team", "operator": "Exists", "effect": "NoSchedule"}]);
    let user = |good: fn(&mut Value)| {
        let message = "unable to find user app: no matching entries in passwd file";
        made("run-as-non-root").waits("CreateContainerError", message).good(good).seen()
    };
    let number: fn(&mut Value) = |spec| spec["containers"][0]["securityContext"]["runAsUser"] = json!(1000);
    let gates = |spec: &mut Value| spec["readinessGates"] = json!([{"conditionType": "x.io/other"}]);
    check(vec![
        ("unschedulable-taint", tainted(tolerates), ["safe ", "tolerations"], tainted(aside), TOLERATE),
        ("run-as-user-unknown", user(number), ["safe ", "runAsUser"], user(aside), "needs-judgement"),
        (
            "run-as-root-refused",
            after_good("run-as-root-refused", number),
            ["safe ", "runAsUser"],
            after_good("run-as-root-refused", aside),
            "needs-judgement",
        ),
        (
            "sysctl-forbidden",
            after_good("sysctl-forbidden", |spec| spec["securityContext"] = json!({})),
            ["safe ", "sysctls"],
            after_good("sysctl-forbidden", aside),
            "needs-judgement",
        ),
        (
            "readiness-gate-unset",
            after_good("readiness-gate-unset", gates),
            ["safe ", "readinessGates"],
            after_good("readiness-gate-unset", aside),
            "not-in-git",
        ),
        (
            "unschedulable-topology-spread",
            after_good("unschedulable-topology-spread", |spec| {
                spec["topologySpreadConstraints"][0]["topologyKey"] = json!("kubernetes.io/hostname");
            }),
            ["safe ", "topologySpreadConstraints"],
            after_good("unschedulable-topology-spread", aside),
            "needs-judgement",
        ),
        (
            "unschedulable-memory",
            after_good("unschedulable-memory", |spec| {
                spec["containers"][0]["resources"]["requests"]["memory"] = json!("64Mi");
            }),
            ["safe ", "requests.memory"],
            after_good("unschedulable-memory", aside),
            "needs-choice",
        ),
        (
            "image-pull-secret-missing",
            after_good("image-pull-secret-missing", |spec| spec["imagePullSecrets"] = json!([{"name": "pull"}])),
            ["safe ", "imagePullSecrets"],
            after_good("image-pull-secret-missing", aside),
            "not-in-git",
        ),
        (
            "volume-configmap-missing",
            after_good("volume-configmap-missing", |spec| spec["volumes"][0]["configMap"]["name"] = json!("settings")),
            ["safe ", "-> \"settings\""],
            after_good("volume-configmap-missing", aside),
            "needs-choice",
        ),
    ]);
}

const TOLERATE: &str = "needs-choice\n    1. spec.template.spec.tolerations: - -> [{\"key\":\"team\",\"operator\":\"Equal\",\"value\":\"a\",\"effect\":\"NoSchedule\"}]";

#[test]
fn names_and_keys_that_are_nearly_right() {
    let secret = |good: fn(&mut Value)| {
        let all = made("run-as-non-root").waits("CreateContainerConfigError", "secret \"db\" not found");
        let all = all.spec(|spec| {
            spec["containers"][0]["env"] =
                json!([{"name": "PW", "valueFrom": {"secretKeyRef": {"name": "db", "key": "pw"}}}]);
        });
        all.good(good).seen()
    };
    let old: fn(&mut Value) =
        |spec| spec["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]["name"] = json!("orders");
    let map = |key: &str| json!({"kind": "ConfigMap", "metadata": {"name": "app-config"}, "data": {key: "x"}});
    let mounted = |mount: Value| {
        move |spec: &mut Value| {
            spec["volumes"] = json!([{"name": "v", "configMap": {"name": "app-config"}}]);
            spec["containers"][0]["volumeMounts"] = json!([mount]);
        }
    };
    let sub_path = |key: &str| {
        let mount = json!({"name": "v", "mountPath": "/etc/app/app.yml", "subPath": "app.yml"});
        made(CRASH).spec(mounted(mount)).and(map(key)).logs("read /etc/app/app.yml: is a directory")
    };
    let file = |key: &str| {
        let mount = json!({"name": "v", "mountPath": "/etc/app"});
        let line = "open /etc/app/settings.yaml: no such file or directory";
        made(CRASH).spec(mounted(mount)).and(map(key)).logs(line)
    };
    let named = |name: &'static str| {
        move |spec: &mut Value| spec["containers"][0]["env"] = json!([{"name": name, "value": "x"}])
    };
    let stale = |there: &'static str| {
        let mut all = made("configmap-missing");
        for object in &mut all.objects {
            let text = object.to_string().replace("app-confg", "app-config-6ct58987ht");
            *object = serde_json::from_str(&text).unwrap();
            if object["kind"] == "ConfigMap" {
                object["metadata"]["name"] = json!(there);
            }
        }
        all
    };
    check(vec![
        ("secret-missing", secret(old), ["safe ", "-> \"orders\""], secret(aside), "not-in-git"),
        (
            "subpath-key-missing",
            sub_path("app.yaml"),
            ["safe ", ".subPath: \"app.yml\" -> \"app.yaml\""],
            sub_path("other"),
            "needs-choice\n    1. spec.template.spec.containers[app].volumeMounts[mountPath=/etc/app/app.yml].subPath: \"app.yml\" -> \"other\"",
        ),
        ("crash-file-missing", file("setings.yaml"), ["review ", "items"], file("other"), "needs-judgement"),
        (
            "subpath-expr-unset",
            everywhere("subpath-expr-unset", named("NOPE_")),
            ["safe ", "-> \"$(NOPE_)\""],
            everywhere("subpath-expr-unset", |_| {}),
            "needs-judgement",
        ),
        (
            "config-hash-stale",
            stale("app-config-2b5mkfgt9h").seen(),
            ["needs-choice", "-> \"app-config-2b5mkfgt9h\""],
            stale("app-config-2b5mkfgt9h").seen(),
            "needs-choice\n    1. spec.template.spec.containers[app].envFrom[0].configMapRef.name: \"app-config-6ct58987ht\" -> \"app-config-2b5mkfgt9h\"",
        ),
    ]);
}

#[test]
fn credentials_that_other_pods_use_and_tokens_that_were_mounted() {
    let with = |prefix: &'static str| {
        let mut all = made("image-auth-required");
        let mut pod = all.objects.iter().find(|object| object["kind"] == "Pod").unwrap().clone();
        pod["metadata"] = json!({"name": "api", "uid": "api", "namespace": all.namespace()});
        pod["spec"]["containers"][0]["image"] = json!(format!("{prefix}/api:1"));
        pod["spec"]["imagePullSecrets"] = json!([{"name": "regcred"}]);
        pod["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "app", "ready": true, "state": {"running": {}}}]});
        all.objects.push(pod);
        all.seen()
    };
    let line = "open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory";
    let token = |good: fn(&mut Value)| {
        let all = made(CRASH).exits(1).spec(|spec| spec["automountServiceAccountToken"] = json!(false));
        all.good(good).logs(line)
    };
    let mounts: fn(&mut Value) = |spec| spec["automountServiceAccountToken"] = json!(true);
    check(vec![
        (
            "image-auth-required",
            with("localhost:5055"),
            ["review ", "imagePullSecrets: - -> [{\"name\":\"regcred\"}]"],
            with("elsewhere.example"),
            "not-in-git",
        ),
        ("sa-token-missing", token(mounts), ["needs-choice", "-> true"], token(aside), "needs-choice"),
    ]);
}

#[test]
fn probes_that_ask_too_early_too_little_or_by_the_wrong_name() {
    let declared = |port: i64| {
        move |spec: &mut Value| spec["containers"][0]["ports"] = json!([{"name": "http", "containerPort": port}])
    };
    let slow = |line: &str| {
        let base = made("probe-port-mismatch.liveness").spec(declared(9090));
        base.logs(line)
    };
    let two = |spec: &mut Value| {
        spec["containers"][0]["ports"] = json!([{"containerPort": 9090}, {"containerPort": 8000}]);
    };
    let elsewhere = |line: &str| made("probe-port-mismatch.liveness").spec(two).logs(line);
    let message =
        "Readiness probe errored and resulted in unknown state: strconv.Atoi: parsing \"metrcs\": invalid syntax";
    let by_name = |port: &'static str| {
        let all = made("probe-port-mismatch").says("Unhealthy", message).spec(|spec| {
            spec["containers"][0]["readinessProbe"]["httpGet"]["port"] = json!("metrcs");
        });
        all.spec(|spec| {
            spec["containers"][0]["ports"] =
                json!([{"name": "web", "containerPort": 8080}, {"name": port, "containerPort": 9090}]);
        })
        .seen()
    };
    check(vec![
        (
            "probe-kills-slow-start",
            slow("listening on :9090"),
            ["review ", "startupProbe: - -> "],
            made("probe-port-mismatch.liveness")
                .spec(declared(9090))
                .good(|spec| spec["containers"][0]["livenessProbe"]["initialDelaySeconds"] = json!(60))
                .logs("listening on :9090"),
            "review spec.template.spec.containers[app].livenessProbe.initialDelaySeconds: - -> 60",
        ),
        (
            "probe-app-not-listening",
            elsewhere("listening on :8000"),
            ["review ", "livenessProbe.httpGet.port: 9090 -> 8000"],
            slow("listening on :8000"),
            "needs-judgement",
        ),
        (
            "probe-named-port-missing",
            by_name("metrics"),
            ["safe ", "port: \"metrcs\" -> \"metrics\""],
            by_name("admin"),
            "needs-choice\n    1. spec.template.spec.containers[app].readinessProbe.httpGet.port: \"metrcs\" -> \"web\"\n    2. spec.template.spec.containers[app].readinessProbe.httpGet.port: \"metrcs\" -> \"admin\"",
        ),
        (
            "probe-timeout",
            after_good("probe-timeout", aside),
            ["review ", "readinessProbe.timeoutSeconds: 1 -> 3"],
            everywhere("probe-timeout", |_| {}),
            "needs-judgement",
        ),
    ]);
}

#[test]
fn probes_that_a_person_may_point_elsewhere() {
    let login = "Readiness probe failed: HTTP probe failed with statuscode: 401";
    let auth = |live: Value| {
        let all = made("probe-port-mismatch").says("Unhealthy", login);
        all.spec(move |spec| spec["containers"][0]["livenessProbe"] = live.clone()).seen()
    };
    let live = |port: i64| json!({"httpGet": {"path": "/live", "port": port}});
    let lacks = "Readiness probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health): x";
    let grpc = |probe: Value| {
        let all = made("probe-port-mismatch").says("Unhealthy", lacks);
        all.spec(move |spec| spec["containers"][0]["readinessProbe"] = probe.clone()).seen()
    };
    check(vec![
        (
            "probe-auth-required",
            auth(live(8081)),
            ["needs-choice", "readinessProbe.httpGet.path: \"/\" -> \"/live\""],
            auth(live(9999)),
            "needs-choice",
        ),
        (
            "probe-grpc-unimplemented",
            grpc(json!({"grpc": {"port": 8080}, "periodSeconds": 5})),
            ["needs-choice", "-> {\"periodSeconds\":5,\"tcpSocket\":{\"port\":8080}}"],
            grpc(json!({"exec": {"command": ["grpc-health"]}})),
            "needs-choice",
        ),
    ]);
}

#[test]
fn pods_that_used_more_than_they_asked_for() {
    let used = |used: &str| {
        let message = format!(
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. Container app was using {used}, \
             request is 64Mi, has larger consumption of memory. "
        );
        let all = made("sysctl-forbidden").each("Pod", |pod| {
            pod["status"]["reason"] = json!("Evicted");
            pod["status"]["message"] = json!(message);
        });
        with_node(all.seen(), &json!({}), &json!({"memory": "8Gi", "cpu": "4"}))
    };
    let volume = |limit: &'static str| {
        let all = made("evicted-emptydir-limit")
            .spec(move |spec| spec["volumes"][0]["emptyDir"]["sizeLimit"] = json!(limit))
            .each("Pod", |pod| {
                let message = format!("Usage of EmptyDir volume \"c\" exceeds the limit \"{limit}\". ");
                pod["status"] = json!({"phase": "Failed", "reason": "Evicted", "message": message});
            });
        all.each("Deployment", |one| one["status"] = json!({"replicas": 1, "unavailableReplicas": 1})).seen()
    };
    let killed = |limits: Value| {
        let end = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-11-22T16:46:30Z",
            "finishedAt": "2026-11-22T16:46:33Z"}});
        let all = made("init-container-failing")
            .each("Pod", |pod| pod["status"]["initContainerStatuses"][0]["lastState"] = end.clone());
        all.spec(move |spec| spec["initContainers"][0]["resources"] = json!({"limits": limits})).seen()
    };
    check(vec![
        (
            "evicted-node-pressure",
            used("900Mi"),
            ["review ", "requests.memory: - -> \"912Mi\""],
            used("80Mi"),
            "not-in-git",
        ),
        ("evicted-emptydir-limit", volume("5Mi"), ["review ", "\"5Mi\" -> \"10Mi\""], volume("10Gi"), "needs-choice"),
        (
            "oom-init",
            killed(json!({"memory": "32Mi"})),
            ["review ", "\"32Mi\" -> \"64Mi\""],
            killed(json!({})),
            "needs-judgement",
        ),
    ]);
}

#[test]
fn pods_that_wait_for_a_place() {
    let peers = |wanted: &'static str| {
        let all = made("unschedulable-affinity").spec(|spec| {
            spec["affinity"] = json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"tier": wanted}}}]}});
        });
        let all = all.each("Pod", |pod| {
            for condition in pod["status"]["conditions"].as_array_mut().unwrap() {
                condition["message"] = json!("0/1 nodes are available: 1 node(s) didn't match pod affinity rules.");
            }
        });
        all.and(json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "db", "uid": "db", "labels": {"tier": "storage"}},
            "spec": {"containers": []}, "status": {"phase": "Running"}}))
            .seen()
    };
    let bound = |name: &'static str| {
        let all = made("unschedulable-node-selector").spec(|spec| {
            spec.as_object_mut().unwrap().shift_remove("nodeSelector");
            spec["nodeName"] = json!(name);
        });
        let all = all.each("Pod", |pod| pod["status"] = json!({"phase": "Pending"}));
        with_node(all.seen(), &json!({}), &json!({}))
    };
    let held = |replicas: i64| {
        let mut all = made("unschedulable-rwop").each("Deployment", |one| one["spec"]["replicas"] = json!(replicas));
        // The holder is of the revision before.
        let namespace = all.namespace();
        let set = all.objects.iter().find(|one| one["kind"] == "ReplicaSet").unwrap().clone();
        let mut old = set.clone();
        old["metadata"]["name"] = json!("web-old");
        old["metadata"]["uid"] = json!("old");
        old["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("0");
        old["spec"]["template"]["spec"]["containers"][0]["image"] = json!("busybox:1.35");
        let holds = |pod: &&mut Value| pod["kind"] == "Pod" && pod["spec"]["nodeName"].is_string();
        let holder = all.objects.iter_mut().find(holds).unwrap();
        holder["metadata"]["ownerReferences"][0]["name"] = json!("web-old");
        holder["metadata"]["ownerReferences"][0]["uid"] = json!("old");
        holder["spec"]["containers"][0]["image"] = json!("busybox:1.35");
        old["metadata"]["namespace"] = json!(namespace);
        all.objects.push(old);
        all.seen()
    };
    check(vec![
        (
            "unschedulable-pod-affinity",
            peers("storag"),
            ["review ", "\"storag\" -> \"storage\""],
            peers("cache"),
            "needs-judgement",
        ),
        ("unschedulable-rwop", held(1), ["review ", "spec.strategy"], held(2), "needs-choice"),
        ("node-name-unknown", bound("m"), ["needs-choice", "nodeName: \"m\" -> \"n\""], bound("m"), NODE),
    ]);
}

const NODE: &str =
    "needs-choice\n    1. spec.template.spec.nodeName: \"m\" -> \"n\"\n    2. spec.template.spec.nodeName: \"m\" -> -";

#[test]
fn an_init_container_waits_for_a_service_with_a_close_name() {
    let waits = |service: &str| {
        let all = made("init-container-failing").each("Pod", |pod| {
            let status = &mut pod["status"]["initContainerStatuses"][0];
            status["state"] = json!({"running": {"startedAt": "2026-11-22T12:00:00Z"}});
            status["lastState"] = json!({});
            status["restartCount"] = json!(0);
        });
        let all = all.spec(|spec| spec["initContainers"][0]["args"] = json!(["--wait", "ordres:5432"]));
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": service, "uid": "s"},
            "spec": {"selector": {"app": "x"}, "ports": [{"port": 5432}]}});
        with_log(all.and(service).seen(), "migrate", &["waiting for ordres:5432"])
    };
    let edit = "initContainers[migrate].args[1]: \"ordres:5432\" -> \"orders:5432\"";
    check(vec![("init-container-stuck", waits("orders"), ["review ", edit], waits("billing"), "needs-judgement")]);
}

#[test]
fn a_variable_of_a_command_that_is_nearly_one_of_the_container() {
    let with = |word: &'static str, names: &'static [&'static str], line: &str| {
        let set = |spec: &mut Value| {
            let variables = names.iter().map(|name| json!({"name": name, "value": "db"}));
            spec["containers"][0]["env"] = variables.collect();
            spec["containers"][0]["args"] = json!(["--verbose", word]);
        };
        made(CRASH).spec(set).logs(line)
    };
    let near = with("--to=$(UPSTREM_URL)/v1", &["UPSTREAM_URL", "LEVEL"], "cannot resolve $(UPSTREM_URL)");
    let far = with("--to=$(BACKEND)/v1", &["UPSTREAM_URL", "LEVEL"], "cannot resolve $(BACKEND)");
    let two = with("--to=$(UPSTREM_URL)", &["UPSTREAM_URL", "UPSTREAN_URL"], "cannot resolve $(UPSTREM_URL)");
    let lone = with("kill $$", &["UPSTREAM_URL"], "sh: kill: bad number '$'");
    let edit = r#"args[1]: "--to=$(UPSTREM_URL)/v1" -> "--to=$(UPSTREAM_URL)/v1""#;
    let code = "env-dollar-eaten";
    check(vec![(code, near, ["review ", edit], far, "needs-judgement")]);
    assert_eq!([said(&two, code), said(&lone, code)], ["needs-judgement", "needs-judgement"]);
    // A variable that is set is no fault.
    let healthy = with("--to=$(UPSTREAM_URL)/v1", &["UPSTREAM_URL"], "cannot resolve $(UPSTREM_URL)");
    assert!(super::of_code(&aifix::diagnose::diagnose(&healthy), code).is_none());
}

#[test]
fn of_several_changes_the_one_that_the_error_names_is_offered_first() {
    let first = |good: bool, line: &str| {
        let set = |image: &'static str, level: &'static str, address: &'static str| {
            move |spec: &mut Value| {
                let container = &mut spec["containers"][0];
                container["image"] = json!(image);
                container["args"] = json!([level]);
                container["env"] = json!([{"name": "LISTEN_ADDR", "value": address}]);
            }
        };
        let mut all = made(CRASH).spec(set("busybox:1.36", "--level=debug", ":99999")).good(set(
            "busybox:stable",
            "--level=warning",
            ":8080",
        ));
        if !good {
            all.objects.last_mut().unwrap()["status"] = json!({"replicas": 0});
        }
        let snapshot = all.logs(line);
        let found = aifix::diagnose::diagnose(&snapshot);
        let finding = super::of_code(&found, "crash-app-error").unwrap();
        let refusal = super::answered::candidates(&snapshot, finding).unwrap_err();
        assert_eq!(
            (refusal.code, refusal.choices.len(), refusal.details.len()),
            ("needs-choice", 3, 3),
            "{refusal:#?}"
        );
        let mut choices = refusal.choices.into_iter();
        let first = choices.next().unwrap();
        assert!(choices.all(|other| !other.why.contains("the error names")), "only one is named");
        let [edit] = first.edits.as_slice() else { panic!("{first:#?}") };
        (edit.path.to_string().replace(C, "C"), edit.new.clone().unwrap(), first.why)
    };
    for good in [true, false] {
        let (path, new, why) = first(good, "fatal: LISTEN_ADDR is out of range");
        assert_eq!((path.as_str(), new), ("C.env[LISTEN_ADDR].value", json!(":8080")));
        assert!(why.ends_with("the error names LISTEN_ADDR"), "{why}");
        // A word that only the new value has, and one that only the old one had.
        let (path, _, why) = first(good, "fatal: there is no such level as debug");
        assert!(path.starts_with("C.args") && why.ends_with("the error names debug"), "{path} {why}");
        let (path, new, why) = first(good, "fatal: wants what is stable");
        assert_eq!((path.as_str(), new), ("C.image", json!("busybox:stable")), "{why}");
        let (_, _, why) = first(good, "fatal: it does not work");
        assert!(!why.contains("the error names"), "{why}");
    }
}

/// Tests that make cases, for the table of classes.
pub(super) const MADE: [fn(); 12] = [
    a_variable_of_a_command_that_is_nearly_one_of_the_container,
    of_several_changes_the_one_that_the_error_names_is_offered_first,
    an_image_that_was_changed_goes_back,
    a_command_that_was_changed_goes_back,
    a_setting_of_the_pod_that_was_changed_goes_back,
    names_and_keys_that_are_nearly_right,
    credentials_that_other_pods_use_and_tokens_that_were_mounted,
    probes_that_ask_too_early_too_little_or_by_the_wrong_name,
    probes_that_a_person_may_point_elsewhere,
    pods_that_used_more_than_they_asked_for,
    pods_that_wait_for_a_place,
    an_init_container_waits_for_a_service_with_a_close_name,
];
