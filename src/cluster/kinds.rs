//! The kinds that are read, and where they are served.

use std::collections::BTreeMap;

/// Where objects of a kind live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the namespaces of the asked scope.
    Scope,
    /// In no namespace.
    Cluster,
    /// In a namespace that the scope need not name, as delivery objects do.
    Anywhere,
}

/// What is kept of each object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Pods,
    Events,
    /// Metadata and key names, never a value.
    Keys,
    Objects,
}

/// One kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    pub(super) api_version: &'static str,
    pub(super) place: Place,
    pub(super) reading: Reading,
    /// Without it no workload can be judged.
    pub(super) essential: bool,
    /// A custom kind: not being served means that there are none.
    pub(super) custom: bool,
    /// Codes that its absence could hide; empty means any.
    pub(super) codes: &'static [&'static str],
}

impl Row {
    const fn new(plural: &'static str, kind: &'static str, api_version: &'static str) -> Self {
        Self {
            plural,
            kind,
            api_version,
            place: Place::Scope,
            reading: Reading::Objects,
            essential: false,
            custom: false,
            codes: &[],
        }
    }

    const fn workload(plural: &'static str, kind: &'static str, api_version: &'static str) -> Self {
        Self { essential: true, ..Self::new(plural, kind, api_version) }
    }

    const fn cluster(plural: &'static str, kind: &'static str, api_version: &'static str) -> Self {
        Self { place: Place::Cluster, ..Self::new(plural, kind, api_version) }
    }

    const fn custom(self) -> Self {
        Self { custom: true, ..self }
    }

    const fn delivery(plural: &'static str, kind: &'static str, api_version: &'static str) -> Self {
        Self { place: Place::Anywhere, ..Self::new(plural, kind, api_version) }.custom()
    }

    const fn hides(self, codes: &'static [&'static str]) -> Self {
        Self { codes, ..self }
    }

    const fn reading(self, reading: Reading) -> Self {
        Self { reading, ..self }
    }

    /// `apps`; empty for the core group.
    pub(super) fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether who set which field is kept: history needs it of workloads, key names of ConfigMaps.
    pub(super) fn keeps_managers(kind: &str) -> bool {
        matches!(
            kind,
            "Deployment"
                | "ReplicaSet"
                | "StatefulSet"
                | "DaemonSet"
                | "Rollout"
                | "Job"
                | "CronJob"
                | "ConfigMap"
                | "Secret"
        )
    }
}

/// The path of a collection.
pub(super) fn collection(api_version: &str, namespace: Option<&str>, plural: &str) -> String {
    let root = if api_version.contains('/') { "/apis" } else { "/api" };
    match namespace {
        Some(namespace) => format!("{root}/{api_version}/namespaces/{}/{plural}", escape(namespace)),
        None => format!("{root}/{api_version}/{plural}"),
    }
}

/// Escapes one segment of a path or one value of a query (RFC 3986, unreserved characters stay).
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Listed first, always: without them no workload can be judged.
pub(super) const FIRST: [Row; 18] = [
    Row::workload("pods", "Pod", "v1").reading(Reading::Pods),
    Row::workload("events", "Event", "v1").reading(Reading::Events),
    Row::workload("deployments", "Deployment", "apps/v1"),
    Row::workload("replicasets", "ReplicaSet", "apps/v1"),
    Row::workload("statefulsets", "StatefulSet", "apps/v1"),
    Row::workload("daemonsets", "DaemonSet", "apps/v1"),
    Row::workload("jobs", "Job", "batch/v1"),
    Row::workload("cronjobs", "CronJob", "batch/v1"),
    Row::new("controllerrevisions", "ControllerRevision", "apps/v1").hides(&["sts-broken-rollout-stuck"]),
    Row::new("services", "Service", "v1").hides(&[
        "service-selector-mismatch",
        "service-target-port-mismatch",
        "service-named-port-missing",
        "service-no-ready-endpoints",
        "service-duplicate-endpoints",
        "service-external-name-bad",
        "service-headless-misuse",
        "service-loadbalancer-pending",
        "service-protocol-mismatch",
        "ingress-backend-service-missing",
        "ingress-backend-port-missing",
        "sts-headless-service-missing",
        "webhook-service-missing",
    ]),
    Row::new("endpointslices", "EndpointSlice", "discovery.k8s.io/v1").hides(&["service-no-ready-endpoints"]),
    Row::new("ingresses", "Ingress", "networking.k8s.io/v1").hides(&[
        "ingress-backend-service-missing",
        "ingress-backend-port-missing",
        "ingress-backend-dead",
        "ingress-class-missing",
        "ingress-no-class",
        "ingress-tls-secret-missing",
        "ingress-no-address",
        "ingress-host-conflict",
    ]),
    Row::new("networkpolicies", "NetworkPolicy", "networking.k8s.io/v1")
        .hides(&["networkpolicy-blocks", "networkpolicy-selects-nothing"]),
    Row::new("persistentvolumeclaims", "PersistentVolumeClaim", "v1").hides(&[
        "pvc-missing",
        "pvc-no-class",
        "pvc-no-matching-volume",
        "pvc-lost",
        "pvc-misbound",
        "pvc-terminating-in-use",
        "pvc-volume-name-mismatch",
        "storageclass-missing",
        "provisioner-missing",
        "provisioning-failed",
        "pvc-resize-failed",
        "sts-pvc-pending",
    ]),
    Row::new("configmaps", "ConfigMap", "v1").reading(Reading::Keys).hides(&[
        "configmap-missing",
        "configmap-key-missing",
        "volume-configmap-missing",
        "volume-key-missing",
        "config-changed-not-reloaded",
        "config-value-empty",
        "config-encoding",
        "object-finalizer-stuck",
    ]),
    Row::new("serviceaccounts", "ServiceAccount", "v1").hides(&[
        "serviceaccount-missing",
        "sa-no-pull-secret",
        "sa-secret-not-mountable",
    ]),
    Row::new("poddisruptionbudgets", "PodDisruptionBudget", "policy/v1").hides(&[
        "pdb-blocks-everything",
        "pdb-selects-nothing",
        "pdb-unmanaged-pods",
        "pdb-unhealthy-blocks-drain",
        "pdb-multiple",
    ]),
    Row::new("horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling/v2").hides(&[
        "hpa-target-missing",
        "hpa-metrics-unavailable",
        "hpa-missing-requests",
        "hpa-invalid-selector",
        "hpa-ambiguous",
        "hpa-external-metric",
        "hpa-fights-git",
        "hpa-limited-max",
        "hpa-pods-unready",
        "hpa-scaling-disabled",
        "hpa-update-failed",
    ]),
];

/// Only with `--read-secret-keys`: in RBAC the right to list Secrets is the right to read them.
pub(super) const SECRETS: Row = Row::new("secrets", "Secret", "v1").reading(Reading::Keys).hides(&[
    "secret-missing",
    "secret-key-missing",
    "volume-secret-missing",
]);

const SOURCE: &[&str] = &["flux-source-failed", "flux-source-stale", "flux-suspended"];
const AUTOMATION: &[&str] = &["image-automation-stuck"];
const SYNCED: &[&str] = &["external-secret-not-synced"];

/// Listed when an observed failure points to them.
const ON_DEMAND: [Row; 40] = [
    Row::new("resourcequotas", "ResourceQuota", "v1").hides(&["quota-exceeded", "pvc-quota"]),
    Row::new("limitranges", "LimitRange", "v1").hides(&[
        "limitrange-default-below-request",
        "limitrange-max",
        "limitrange-min",
        "limitrange-ratio",
    ]),
    Row::new("replicationcontrollers", "ReplicationController", "v1").hides(&["not-ready"]),
    Row::new("endpoints", "Endpoints", "v1").hides(&["endpoints-manual-stale"]),
    Row::new("roles", "Role", "rbac.authorization.k8s.io/v1").hides(&["rbac-verb-missing", "rolebinding-role-missing"]),
    Row::new("rolebindings", "RoleBinding", "rbac.authorization.k8s.io/v1")
        .hides(&["rolebinding-role-missing", "rolebinding-subject-missing"]),
    Row::cluster("nodes", "Node", "v1").hides(&[
        "node-not-ready",
        "node-lost",
        "node-cordoned",
        "node-tainted",
        "unschedulable-node-selector",
        "unschedulable-taint",
        "image-platform-missing",
    ]),
    Row::cluster("namespaces", "Namespace", "v1").hides(&[
        "namespace-terminating-stuck",
        "namespace-content-failed",
        "namespace-discovery-failed",
        "pod-security-denied",
    ]),
    Row::cluster("persistentvolumes", "PersistentVolume", "v1").hides(&["pvc-no-matching-volume", "pv-released"]),
    Row::cluster("storageclasses", "StorageClass", "storage.k8s.io/v1").hides(&["storageclass-missing"]),
    Row::cluster("csidrivers", "CSIDriver", "storage.k8s.io/v1").hides(&["csi-driver-missing"]),
    Row::cluster("priorityclasses", "PriorityClass", "scheduling.k8s.io/v1").hides(&["priorityclass-missing"]),
    Row::cluster("runtimeclasses", "RuntimeClass", "node.k8s.io/v1").hides(&["runtimeclass-missing"]),
    Row::cluster("ingressclasses", "IngressClass", "networking.k8s.io/v1")
        .hides(&["ingress-class-missing", "ingress-no-class"]),
    Row::cluster("clusterroles", "ClusterRole", "rbac.authorization.k8s.io/v1").hides(&["rolebinding-role-missing"]),
    Row::cluster("clusterrolebindings", "ClusterRoleBinding", "rbac.authorization.k8s.io/v1")
        .hides(&["rbac-verb-missing"]),
    Row::cluster(
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        "admissionregistration.k8s.io/v1",
    )
    .hides(&["webhook-ca-invalid", "webhook-denied", "webhook-service-missing", "webhook-unreachable"]),
    Row::cluster("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1")
        .hides(&["webhook-ca-invalid", "webhook-denied", "webhook-service-missing", "webhook-unreachable"]),
    Row::cluster("apiservices", "APIService", "apiregistration.k8s.io/v1").hides(&["apiservice-unavailable"]),
    Row::cluster("customresourcedefinitions", "CustomResourceDefinition", "apiextensions.k8s.io/v1")
        .hides(&["crd-not-established"]),
    Row::cluster("gatewayclasses", "GatewayClass", "gateway.networking.k8s.io/v1")
        .custom()
        .hides(&["gateway-class-missing"]),
    Row::delivery("gateways", "Gateway", "gateway.networking.k8s.io/v1")
        .hides(&["gateway-class-missing", "gateway-not-programmed"]),
    Row::new("httproutes", "HTTPRoute", "gateway.networking.k8s.io/v1")
        .custom()
        .hides(&["httproute-not-accepted", "httproute-backend-missing"]),
    Row::delivery("applications", "Application", "argoproj.io/v1alpha1").hides(&[
        "argocd-sync-failed",
        "argocd-comparison-error",
        "argocd-out-of-sync",
        "argocd-degraded",
        "argocd-shared-resource",
    ]),
    Row::delivery("kustomizations", "Kustomization", "kustomize.toolkit.fluxcd.io/v1").hides(&[
        "flux-path-missing",
        "flux-build-failed",
        "flux-apply-failed",
        "flux-health-failed",
        "flux-prune-failed",
        "flux-dependency-not-ready",
        "flux-suspended",
        "flux-source-stale",
    ]),
    Row::delivery("helmreleases", "HelmRelease", "helm.toolkit.fluxcd.io/v2").hides(&[
        "helmrelease-failed",
        "helmrelease-chart-missing",
        "helmrelease-values-missing",
    ]),
    Row::delivery("gitrepositories", "GitRepository", "source.toolkit.fluxcd.io/v1").hides(SOURCE),
    Row::delivery("ocirepositories", "OCIRepository", "source.toolkit.fluxcd.io/v1").hides(SOURCE),
    Row::delivery("helmrepositories", "HelmRepository", "source.toolkit.fluxcd.io/v1").hides(SOURCE),
    Row::delivery("buckets", "Bucket", "source.toolkit.fluxcd.io/v1").hides(SOURCE),
    Row::delivery("externalartifacts", "ExternalArtifact", "source.toolkit.fluxcd.io/v1").hides(SOURCE),
    Row::delivery("artifactgenerators", "ArtifactGenerator", "source.extensions.fluxcd.io/v1beta1").hides(SOURCE),
    Row::delivery("helmcharts", "HelmChart", "source.toolkit.fluxcd.io/v1").hides(&["helmrelease-chart-missing"]),
    Row::delivery("imagepolicies", "ImagePolicy", "image.toolkit.fluxcd.io/v1").hides(AUTOMATION),
    Row::delivery("imageupdateautomations", "ImageUpdateAutomation", "image.toolkit.fluxcd.io/v1").hides(AUTOMATION),
    Row::new("rollouts", "Rollout", "argoproj.io/v1alpha1").custom().hides(&["not-ready", "generation-not-observed"]),
    Row::new("certificates", "Certificate", "cert-manager.io/v1").custom().hides(&["certificate-not-ready"]),
    Row::new("externalsecrets", "ExternalSecret", "external-secrets.io/v1").custom().hides(SYNCED),
    Row::new("sealedsecrets", "SealedSecret", "bitnami.com/v1alpha1").custom().hides(SYNCED),
    Row::new("verticalpodautoscalers", "VerticalPodAutoscaler", "autoscaling.k8s.io/v1")
        .custom()
        .hides(&["oom-killed"]),
];

/// Every kind that a scan may list, in the order in which it does.
pub(super) fn rows(read_secret_keys: bool) -> impl Iterator<Item = &'static Row> {
    FIRST.iter().chain(read_secret_keys.then_some(&SECRETS)).chain(&ON_DEMAND)
}

/// The codes that gaps name: what the absence of one list or another could hide.
pub fn hidden_codes() -> Vec<&'static str> {
    rows(true).flat_map(|row| row.codes).copied().collect()
}

/// The row of a plural name that may be listed on demand.
pub(super) fn on_demand(plural: &str) -> Option<&'static Row> {
    ON_DEMAND.iter().find(|row| row.plural == plural)
}

/// How many of the kinds in this map were listed on demand.
pub(super) fn on_demand_in<T>(objects: &BTreeMap<String, T>) -> usize {
    ON_DEMAND.iter().filter(|row| objects.contains_key(row.kind)).count()
}

/// The row of a kind, whatever its group; ours are told apart by their kind.
pub(super) fn by_kind(kind: &str) -> Option<&'static Row> {
    FIRST.iter().chain(&ON_DEMAND).find(|row| row.kind == kind)
}

/// The row of a kind of this group.
pub(super) fn of_kind(group: &str, kind: &str) -> Option<&'static Row> {
    rows(true).find(|row| row.kind == kind && row.group() == group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        assert_eq!(collection("v1", Some("prod"), "pods"), "/api/v1/namespaces/prod/pods");
        assert_eq!(collection("apps/v1", None, "deployments"), "/apis/apps/v1/deployments");
        assert_eq!(collection("v1", Some("../x?"), "pods"), "/api/v1/namespaces/..%2Fx%3F/pods");
    }

    #[test]
    fn every_plural_and_every_kind_of_a_group_is_there_once() {
        let mut plurals: Vec<&str> = rows(true).map(|row| row.plural).collect();
        let all = plurals.len();
        plurals.sort_unstable();
        plurals.dedup();
        assert_eq!(plurals.len(), all);
        assert_eq!(
            of_kind("kustomize.toolkit.fluxcd.io", "Kustomization").map(|row| row.plural),
            Some("kustomizations")
        );
        assert_eq!(of_kind("kustomize.config.k8s.io", "Kustomization"), None);
    }
}
