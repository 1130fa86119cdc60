//! Healthy pods hold only what rules read of them.

use super::{Container, ContainerPort, Meta, Pod, PodSpec, PodStatus, Resources, meta, nullable};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What makes a volume outlast its pod.
const CLAIM: &str = "persistentVolumeClaim";

/// A pod as [`Pod::reduce`] leaves it; what that drops is not even read.
pub struct Reduced(pub Pod);

impl<'de> Deserialize<'de> for Reduced {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Parts { metadata, spec, status } = Parts::deserialize(from)?;
        let mut pod = Pod { metadata, spec: PodSpec::default(), status };
        if let Some(spec) = spec {
            let settled = || serde_json::from_str::<Settled>(spec.get()).map(PodSpec::from);
            let read = if pod.is_undisturbed() { settled() } else { serde_json::from_str(spec.get()) };
            pod.spec = read.map_err(D::Error::custom)?;
        }
        Ok(Self(pod.reduce()))
    }
}

/// A pod whose state tells how much of its spec is wanted.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parts {
    #[serde(deserialize_with = "meta::unmanaged")]
    metadata: Meta,
    spec: Option<Box<RawValue>>,
    #[serde(deserialize_with = "nullable")]
    status: PodStatus,
}

macro_rules! lean {
    ($($name:ident { $($field:ident : $type:ty),* $(,)? })*) => {$(
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct $name { $(#[serde(deserialize_with = "nullable")] $field: $type,)* }
    )*};
}

lean! {
    Settled {
        node_name: String,
        restart_policy: String,
        scheduler_name: String,
        service_account_name: String,
        priority_class_name: String,
        host_network: bool,
        active_deadline_seconds: Option<i64>,
        automount_service_account_token: Option<bool>,
        runtime_class_name: String,
        priority: Option<i64>,
        node_selector: BTreeMap<String, String>,
        init_containers: Vec<SettledContainer>,
        containers: Vec<SettledContainer>,
        volumes: Vec<Volume>,
        image_pull_secrets: Vec<Value>,
        scheduling_gates: Vec<Value>,
        readiness_gates: Vec<Value>,
    }
    SettledContainer { name: String, image: String, ports: Vec<ContainerPort>, resources: Resources }
    Volume { name: String, persistent_volume_claim: Option<Value> }
}

impl From<Settled> for PodSpec {
    fn from(spec: Settled) -> Self {
        let containers = |all: Vec<SettledContainer>| all.into_iter().map(Container::from).collect();
        // A volume has one source.
        let claimed =
            |Volume { name, persistent_volume_claim }| Some(json!({"name": name, CLAIM: persistent_volume_claim?}));
        Self {
            node_name: spec.node_name,
            restart_policy: spec.restart_policy,
            scheduler_name: spec.scheduler_name,
            service_account_name: spec.service_account_name,
            priority_class_name: spec.priority_class_name,
            host_network: spec.host_network,
            active_deadline_seconds: spec.active_deadline_seconds,
            automount_service_account_token: spec.automount_service_account_token,
            runtime_class_name: spec.runtime_class_name,
            priority: spec.priority,
            node_selector: spec.node_selector,
            init_containers: containers(spec.init_containers),
            containers: containers(spec.containers),
            volumes: spec.volumes.into_iter().filter_map(claimed).collect(),
            image_pull_secrets: spec.image_pull_secrets,
            scheduling_gates: spec.scheduling_gates,
            readiness_gates: spec.readiness_gates,
            ..Self::default()
        }
    }
}

impl From<SettledContainer> for Container {
    fn from(SettledContainer { name, image, ports, resources }: SettledContainer) -> Self {
        Self { name, image, ports, resources, ..Self::default() }
    }
}

impl Pod {
    /// Whether it is Ready, not being deleted, and no container of it ever restarted.
    fn is_undisturbed(&self) -> bool {
        let mut statuses = self.status.init_container_statuses.iter().chain(&self.status.container_statuses);
        let restarted = statuses.any(|status| status.restart_count > 0 || status.last_state.terminated.is_some());
        self.is_ready() && !restarted && self.metadata.deletion_timestamp.is_none()
    }

    /// Drops what no rule reads of a healthy pod: it bounds the memory of a scan.
    /// A pod is healthy when it is Ready, not being deleted, and no container of it ever restarted.
    pub fn reduce(mut self) -> Self {
        if !self.is_undisturbed() {
            return self;
        }
        for container in self.spec.containers.iter_mut().chain(&mut self.spec.init_containers) {
            *container = Container {
                name: std::mem::take(&mut container.name),
                image: std::mem::take(&mut container.image),
                ports: std::mem::take(&mut container.ports),
                resources: std::mem::take(&mut container.resources),
                ..Container::default()
            };
        }
        self.spec.affinity = Value::Null;
        self.spec.tolerations = Vec::new();
        self.spec.topology_spread_constraints = Vec::new();
        self.spec.security_context = Value::Null;
        self.spec.volumes.retain(|volume| volume.get(CLAIM).is_some_and(|claim| !claim.is_null()));
        self.metadata.annotations = BTreeMap::new();
        // That a Ready pod is initialized goes without saying.
        let implied = ["Initialized", "ContainersReady", "PodReadyToStartContainers"];
        self.status.conditions.retain(|c| c.status != "True" || !implied.contains(&c.kind.as_str()));
        // What was read one by one has room to grow.
        self.spec.containers.shrink_to_fit();
        self.spec.init_containers.shrink_to_fit();
        self.spec.volumes.shrink_to_fit();
        self.status.conditions.shrink_to_fit();
        self.status.container_statuses.shrink_to_fit();
        self.status.init_container_statuses.shrink_to_fit();
        self.metadata.owner_references.shrink_to_fit();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_what_would_be_dropped() {
        let mut pod = json!({
            "metadata": {"name": "a", "annotations": {"x": "y"}, "labels": {"app": "a"}, "managedFields": [{}]},
            "spec": {
                "nodeName": "n", "restartPolicy": "Always", "serviceAccountName": "sa", "priority": 0,
                "hostNetwork": true, "nodeSelector": {"a": "b"}, "schedulerName": "s", "priorityClassName": "p",
                "activeDeadlineSeconds": 5, "automountServiceAccountToken": false, "runtimeClassName": "r",
                "affinity": {"nodeAffinity": {}}, "tolerations": [{}], "topologySpreadConstraints": [{}],
                "securityContext": {"runAsUser": 1}, "imagePullSecrets": [{"name": "s"}],
                "schedulingGates": [{"name": "g"}], "readinessGates": [{"conditionType": "c"}],
                "initContainers": [{"name": "i", "image": "i:1", "env": [{"name": "A"}]}],
                "containers": [{
                    "name": "c", "image": "c:1", "command": ["x"], "ports": [{"containerPort": 80}],
                    "resources": {"limits": {"cpu": "1"}}, "livenessProbe": {"periodSeconds": 1}, "volumeMounts": [{}]
                }],
                "volumes": [
                    {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}, {"name": "w", "emptyDir": {}},
                    {"name": "n", "persistentVolumeClaim": null},
                ],
            },
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}],
                "containerStatuses": [{"name": "c", "restartCount": 0}],
            },
        });
        let both = |pod: &Value| {
            let Reduced(read) = serde_json::from_str(&pod.to_string()).unwrap();
            assert_eq!(Reduced::deserialize(pod).unwrap().0, read);
            (read, Pod::deserialize(pod).unwrap().reduce())
        };
        let (read, reduced) = both(&pod);
        assert_eq!(read, reduced);
        assert!(read.spec.host_network && read.spec.volumes.len() == 1 && read.spec.affinity.is_null());
        pod["status"]["containerStatuses"][0]["restartCount"] = json!(1);
        let (read, reduced) = both(&pod);
        assert_eq!(read, reduced);
        assert!(!read.spec.affinity.is_null(), "a pod that restarted is kept whole");
        for bare in [json!({}), json!({"spec": null}), json!({"spec": {}, "metadata": null, "status": null})] {
            let (read, reduced) = both(&bare);
            assert_eq!(read, reduced, "{bare}");
        }
        assert!(serde_json::from_str::<Reduced>(r#"{"spec": {"hostNetwork": "yes"}}"#).is_err());
    }
}
