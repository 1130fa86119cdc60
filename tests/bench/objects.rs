//! A cluster that looks lived in: apps, their pods, nodes.

use crate::api::Api;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// When the apps were deployed, long ago.
const LONG_AGO: &str = "2026-01-02T03:04:05Z";
/// Pods are said to run on these; there is no kubelet.
const NODES: usize = 20;

/// Apps in one namespace.
#[derive(Clone, Copy)]
pub(crate) struct Apps {
    pub(crate) count: usize,
    /// Pods of each.
    pub(crate) pods: usize,
}

/// What an app suffers from.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Unschedulable,
    OomKilled,
    ImageMissing,
}

/// What a scan must find in each namespace that [`namespace`] made with `faults`, and nothing else.
pub(crate) const FAULTS: [&str; 3] =
    ["image-not-found Deployment/image", "oom-killed Deployment/memory", "unschedulable-cpu Deployment/big"];

/// The nodes that pods are said to run on.
pub(crate) async fn nodes(api: &Api) {
    let images: Vec<Value> = (0..40)
        .map(
            |n| json!({"names": [format!("registry.example/team/image-{n}@sha256:{n:064}")], "sizeBytes": 123_456_789}),
        )
        .collect();
    for n in 0..NODES {
        let room = json!({"cpu": "16", "memory": "64Gi", "pods": "600", "ephemeral-storage": "200Gi"});
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": format!("node-{n}"), "labels": {"kubernetes.io/hostname": format!("node-{n}"), "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}},
            "status": {"capacity": room, "allocatable": room, "images": images, "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status", "lastHeartbeatTime": LONG_AGO, "lastTransitionTime": LONG_AGO},
            ]},
        });
        api.create("/api/v1/nodes", node, "kubelet", "kubelet").await;
    }
}

/// Makes a namespace with healthy apps and, with `faults`, three that fail; one that is there stays as it is.
pub(crate) async fn namespace(api: &Api, name: &str, apps: Apps, faults: bool) {
    let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    if api.create("/api/v1/namespaces", made, "kubectl", "").await.is_none() {
        return;
    }
    // What controllers would make: the server runs without them.
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    api.create(&core(name, "serviceaccounts"), account, "kube-controller-manager", "").await;
    let authority = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": "-"}});
    api.create(&core(name, "configmaps"), authority, "kube-controller-manager", "").await;
    if faults {
        app(api, name, "big", 2, Fault::Unschedulable).await;
        app(api, name, "memory", 2, Fault::OomKilled).await;
        app(api, name, "image", 2, Fault::ImageMissing).await;
    }
    let mut making = JoinSet::new();
    for n in 0..apps.count {
        let (api, namespace) = (api.clone(), name.to_owned());
        making.spawn(async move { app(&api, &namespace, &format!("app-{n}"), apps.pods, Fault::None).await });
    }
    making.join_all().await;
}

/// One Deployment with all that belongs to it.
async fn app(api: &Api, namespace: &str, name: &str, pods: usize, fault: Fault) {
    let hash = "6d4cf56db6";
    let labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop", "team": "checkout"});
    let mut hashed = labels.clone();
    hashed["pod-template-hash"] = json!(hash);
    let spec = pod_spec(name, fault);
    let ready = if fault == Fault::None { pods } else { 0 };
    let counts = json!({"replicas": pods, "readyReplicas": ready, "availableReplicas": ready, "observedGeneration": 1});
    let mut status = counts.clone();
    status["updatedReplicas"] = json!(pods);
    status["unavailableReplicas"] = json!(pods - ready);
    let (available, progressing) = if fault == Fault::None { ("True", "True") } else { ("False", "False") };
    let progress = if fault == Fault::None { "NewReplicaSetAvailable" } else { "ProgressDeadlineExceeded" };
    status["conditions"] = json!([
        {"type": "Available", "status": available, "reason": "MinimumReplicas", "message": "by its pods", "lastUpdateTime": LONG_AGO, "lastTransitionTime": LONG_AGO},
        {"type": "Progressing", "status": progressing, "reason": progress, "message": format!("ReplicaSet {name}-{hash}"), "lastUpdateTime": LONG_AGO, "lastTransitionTime": LONG_AGO},
    ]);
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": labels, "annotations": {"deployment.kubernetes.io/revision": "1"}},
        "spec": {"replicas": pods, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
        "status": status,
    });
    let (applier, controllers) = ("kubectl-client-side-apply", "kube-controller-manager");
    let uid = api.create(&apps_v1(namespace, "deployments"), deployment, applier, controllers).await;
    let set_name = format!("{name}-{hash}");
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": set_name, "labels": hashed, "annotations": {"deployment.kubernetes.io/revision": "1"}, "ownerReferences": [owner("Deployment", name, uid.as_deref())]},
        "spec": {"replicas": pods, "selector": {"matchLabels": hashed}, "template": {"metadata": {"labels": hashed}, "spec": spec}},
        "status": counts,
    });
    let uid =
        api.create(&apps_v1(namespace, "replicasets"), set, "kube-controller-manager", "kube-controller-manager").await;
    let ports = json!([{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]);
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels},
        "spec": {"selector": labels, "ports": ports},
    });
    api.create(&core(namespace, "services"), service, "kubectl-client-side-apply", "").await;
    let addresses = |n: usize| json!({"addresses": [address(n)], "conditions": {"ready": fault == Fault::None, "serving": fault == Fault::None, "terminating": false}, "targetRef": {"kind": "Pod", "name": pod_name(&set_name, n), "namespace": namespace}});
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": format!("{name}-x7k2p"), "labels": {"kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": (0..pods).filter(|_| fault != Fault::Unschedulable).map(addresses).collect::<Vec<_>>(),
    });
    api.create(
        &format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"),
        slice,
        "kube-controller-manager",
        "",
    )
    .await;
    for n in 0..pods {
        let mut spec = spec.clone();
        if fault != Fault::Unschedulable {
            spec["nodeName"] = json!(format!("node-{}", n % NODES));
        }
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": pod_name(&set_name, n), "labels": hashed, "annotations": {"prometheus.io/scrape": "true", "checksum/config": "9f86d081884c7d659a2feaa0c55ad015"}, "ownerReferences": [owner("ReplicaSet", &set_name, uid.as_deref())]},
            "spec": spec,
            "status": pod_status(n, fault),
        });
        let uid = api.create(&core(namespace, "pods"), pod, "kube-controller-manager", "kubelet").await;
        // Events live for an hour: only some pods have any.
        if n % 5 == 0 {
            let event = json!({
                "apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("{}.17a", pod_name(&set_name, n))},
                "involvedObject": {"kind": "Pod", "namespace": namespace, "name": pod_name(&set_name, n), "uid": uid},
                "type": "Normal", "reason": "Pulled", "message": format!("Container image \"registry.example/team/{name}:1.4.2\" already present on machine"),
                "count": 1, "firstTimestamp": LONG_AGO, "lastTimestamp": LONG_AGO, "source": {"component": "kubelet", "host": "node-1"},
            });
            api.create(&core(namespace, "events"), event, "kubelet", "").await;
        }
    }
}

fn core(namespace: &str, plural: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/{plural}")
}

fn apps_v1(namespace: &str, plural: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/{plural}")
}

fn owner(kind: &str, name: &str, uid: Option<&str>) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true})
}

fn pod_name(set: &str, n: usize) -> String {
    format!("{set}-{n:05}")
}

fn address(n: usize) -> String {
    format!("10.{}.{}.{}", n / 65536, n / 256 % 256, n % 256)
}

/// An app beside a proxy, with what teams write into it.
fn pod_spec(name: &str, fault: Fault) -> Value {
    let env: Vec<Value> =
        (0..12).map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("value of setting {n}")})).collect();
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 3});
    let cpu = if fault == Fault::Unschedulable { "64" } else { "100m" };
    let resources = json!({"requests": {"cpu": cpu, "memory": "64Mi"}, "limits": {"memory": "128Mi"}});
    let hardened =
        json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}});
    json!({
        "schedulerName": "none",
        "containers": [
            {"name": "app", "image": format!("registry.example/team/{name}:1.4.2"), "args": ["--listen", ":8080"], "env": env, "resources": resources,
             "ports": [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}], "securityContext": hardened,
             "readinessProbe": probe("/ready"), "livenessProbe": probe("/live"), "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},
            {"name": "proxy", "image": "registry.example/mesh/proxy:1.20.1", "args": ["proxy", "sidecar", "--concurrency", "2"], "env": env[..6], "resources": resources,
             "securityContext": hardened, "readinessProbe": {"tcpSocket": {"port": 15021}, "periodSeconds": 10}, "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}}]}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app.kubernetes.io/name": name}}}],
    })
}

fn pod_status(n: usize, fault: Fault) -> Value {
    let condition = |kind: &str, well: bool| json!({"type": kind, "status": if well { "True" } else { "False" }, "lastProbeTime": null, "lastTransitionTime": LONG_AGO});
    if fault == Fault::Unschedulable {
        let mut scheduled = condition("PodScheduled", false);
        scheduled["reason"] = json!("Unschedulable");
        scheduled["message"] = json!(
            "0/20 nodes are available: 20 Insufficient cpu. preemption: 0/20 nodes are available: 20 No preemption victims found for incoming pod."
        );
        return json!({"phase": "Pending", "conditions": [scheduled]});
    }
    let well = fault == Fault::None;
    let container = |name: &str, image: &str| json!({"name": name, "image": image, "imageID": format!("{image}@sha256:{:064}", 7), "containerID": format!("containerd://{n:064}"), "ready": true, "started": true, "restartCount": 0, "lastState": {}, "state": {"running": {"startedAt": LONG_AGO}}});
    let mut app = container("app", "registry.example/team/app:1.4.2");
    if fault == Fault::OomKilled {
        let end = json!({"exitCode": 137, "reason": "OOMKilled", "startedAt": LONG_AGO, "finishedAt": "2026-01-02T03:04:35Z", "containerID": format!("containerd://{n:064}")});
        app["restartCount"] = json!(7);
        app["lastState"] = json!({"terminated": end});
        app["state"] = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container=app"}});
    } else if fault == Fault::ImageMissing {
        app["imageID"] = json!("");
        app["state"] = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"registry.example/team/image:1.4.2\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example/team/image:1.4.2\": failed to resolve reference \"registry.example/team/image:1.4.2\": registry.example/team/image:1.4.2: not found"}});
    }
    if !well {
        app["ready"] = json!(false);
        app["started"] = json!(false);
    }
    json!({
        "phase": if fault == Fault::ImageMissing { "Pending" } else { "Running" }, "startTime": LONG_AGO, "qosClass": "Burstable",
        "hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.1"}], "podIP": address(n), "podIPs": [{"ip": address(n)}],
        "conditions": [condition("PodReadyToStartContainers", true), condition("Initialized", true), condition("Ready", well), condition("ContainersReady", well), condition("PodScheduled", true)],
        "containerStatuses": [app, container("proxy", "registry.example/mesh/proxy:1.20.1")],
    })
}
