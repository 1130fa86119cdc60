//! Lean Kubernetes objects: only what rules read.
//!
//! They are decoded from the API's JSON and can be written back in its shape.
//! Unknown fields are ignored, missing ones take their default.
//! Shapes: <https://kubernetes.io/docs/reference/kubernetes-api/>.

mod keyed;
mod lazy;
mod meta;
mod object;
mod reduced;

pub use keyed::{Keyed, Oddity, may_be};
pub use lazy::Body;
pub use meta::{Fields, ManagedField, Meta};
pub use object::{Object, Unmanaged};
pub use reduced::Reduced;

use crate::model::object::ObjectRef;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Reads `null` as the default: Go clients write it for an empty list or map.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Reads a timestamp; `null` and text that is none are "not known".
fn timestamp<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.and_then(|text| text.parse().ok()))
}

macro_rules! lean {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident : $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            $($(#[$field_doc])* #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")] pub $field: $type,)*
        }
    )*};
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A pod. Healthy ones hold only part of their spec: see [`Reduced`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pod {
    #[serde(deserialize_with = "meta::unmanaged", skip_serializing_if = "is_default")]
    pub metadata: Meta,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub spec: PodSpec,
    #[serde(deserialize_with = "nullable", skip_serializing_if = "is_default")]
    pub status: PodStatus,
}

lean! {
    /// One entry of `metadata.ownerReferences`.
    OwnerReference { api_version: String, kind: String, name: String, uid: String, controller: bool }

    /// `spec` of a pod or of a pod template.
    PodSpec {
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
        affinity: Value,
        tolerations: Vec<Value>,
        topology_spread_constraints: Vec<Value>,
        security_context: Value,
        init_containers: Vec<Container>,
        containers: Vec<Container>,
        volumes: Vec<Value>,
        image_pull_secrets: Vec<Value>,
        scheduling_gates: Vec<Value>,
        readiness_gates: Vec<Value>,
    }
    /// One container of a pod spec.
    Container {
        name: String,
        image: String,
        image_pull_policy: String,
        command: Vec<String>,
        args: Vec<String>,
        working_dir: String,
        env: Vec<EnvVar>,
        env_from: Vec<Value>,
        ports: Vec<ContainerPort>,
        resources: Resources,
        liveness_probe: Option<Box<Probe>>,
        readiness_probe: Option<Box<Probe>>,
        startup_probe: Option<Box<Probe>>,
        volume_mounts: Vec<Value>,
        lifecycle: Value,
        security_context: Value,
        /// `Always` makes an init container a sidecar.
        restart_policy: String,
        termination_message_policy: String,
    }
    /// One entry of `env`.
    EnvVar { name: String, value: Option<String>, value_from: Option<Value> }
    /// One entry of a container's `ports`.
    ContainerPort { name: String, container_port: i64, protocol: String, host_port: i64 }
    /// `resources`; quantities as written.
    Resources { limits: Map<String, Value>, requests: Map<String, Value> }
    /// A probe.
    Probe {
        http_get: Option<HttpGet>,
        tcp_socket: Option<TcpSocket>,
        grpc: Option<TcpSocket>,
        exec: Option<Value>,
        initial_delay_seconds: i64,
        period_seconds: i64,
        timeout_seconds: i64,
        failure_threshold: i64,
        success_threshold: i64,
        termination_grace_period_seconds: Option<i64>,
    }
    /// `httpGet` of a probe; `port` is a number or a name.
    HttpGet { path: String, port: Value, scheme: String, host: String }
    /// `tcpSocket` or `grpc` of a probe.
    TcpSocket { port: Value }

    /// `status` of a pod.
    PodStatus {
        phase: String,
        reason: String,
        message: String,
        conditions: Vec<Condition>,
        init_container_statuses: Vec<ContainerStatus>,
        container_statuses: Vec<ContainerStatus>,
        start_time: Time,
        pod_ip: String,
        nominated_node_name: String,
    }
    /// One container of a pod's status.
    ContainerStatus {
        name: String,
        image: String,
        #[serde(rename = "imageID")]
        image_id: String,
        ready: bool,
        started: Option<bool>,
        restart_count: i64,
        state: ContainerState,
        last_state: ContainerState,
    }
    /// `state` or `lastState`: at most one is set.
    ContainerState { waiting: Option<Waiting>, running: Option<Running>, terminated: Option<Terminated> }
    Waiting { reason: String, message: String }
    Running { started_at: Time }
    Terminated { exit_code: i64, signal: i64, reason: String, message: String, started_at: Time, finished_at: Time }

    /// A condition of any object.
    Condition {
        #[serde(rename = "type")]
        kind: String,
        status: String,
        reason: String,
        message: String,
        last_transition_time: Time,
        last_update_time: Time,
    }

    /// A core/v1 event.
    Event {
        metadata: Meta,
        involved_object: InvolvedObject,
        #[serde(rename = "type")]
        kind: String,
        reason: String,
        message: String,
        count: i64,
        first_timestamp: Time,
        last_timestamp: Time,
        event_time: Time,
        series: Option<Series>,
        source: EventSource,
        reporting_component: String,
    }
    InvolvedObject { kind: String, namespace: String, name: String, uid: String, field_path: String }
    Series { count: i64, last_observed_time: Time }
    EventSource { component: String, host: String }
}

/// A timestamp that may be absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Time(pub Option<Timestamp>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        timestamp(from).map(Self)
    }
}

impl Pod {
    /// Which object it is.
    pub fn object(&self) -> ObjectRef {
        ObjectRef::new("v1", "Pod", &self.metadata.namespace, &self.metadata.name).with_uid(&self.metadata.uid)
    }

    /// The condition of this type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Whether its `Ready` condition is true.
    pub fn is_ready(&self) -> bool {
        self.condition("Ready").is_some_and(|ready| ready.status == "True")
    }
}

impl Event {
    /// When it was last seen: series, then the legacy field, then the event time, then its creation.
    pub fn last_seen(&self) -> Option<Timestamp> {
        self.series
            .as_ref()
            .and_then(|series| series.last_observed_time.0)
            .or(self.last_timestamp.0)
            .or(self.event_time.0)
            .or(self.metadata.creation_timestamp)
    }

    /// When it was first seen.
    pub fn first_seen(&self) -> Option<Timestamp> {
        self.first_timestamp.0.or(self.event_time.0).or(self.metadata.creation_timestamp)
    }

    /// How often it was seen, at least 1.
    pub fn times(&self) -> i64 {
        self.series.as_ref().map_or(self.count, |series| series.count).max(1)
    }

    /// The container its `fieldPath` names: `spec.containers{app}`.
    pub fn container(&self) -> Option<&str> {
        let path = &self.involved_object.field_path;
        path.split_once('{').and_then(|(_, rest)| rest.strip_suffix('}'))
    }

    /// Its message without the prefix that aggregation puts before it.
    pub fn text(&self) -> &str {
        self.message.strip_prefix("(combined from similar events): ").unwrap_or(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nulls_and_unknown_fields_are_read() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "a", "labels": null, "creationTimestamp": null, "x": 1},
            "spec": {"containers": [{"name": "c", "ports": null, "new": {}}]},
            "status": {"containerStatuses": null, "startTime": "2026-11-22T16:35:49Z"}
        }))
        .unwrap_or_default();
        assert_eq!(pod.spec.containers[0].name, "c");
        assert!(pod.status.start_time.0.is_some());
    }

    #[test]
    fn a_scheduler_event_has_a_time_and_a_count() {
        let event: Event = serde_json::from_value(json!({
            "metadata": {"name": "e"}, "eventTime": "2026-11-22T16:50:32.734950Z", "firstTimestamp": null,
            "lastTimestamp": null, "series": {"count": 3, "lastObservedTime": "2026-11-22T16:51:00.000000Z"}
        }))
        .unwrap_or_default();
        assert_eq!((event.times(), event.last_seen().map(Timestamp::as_second)), (3, Some(1_795_366_260)));
    }
}
