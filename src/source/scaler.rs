//! The autoscaler that sets the replicas of a workload.

use crate::model::intent::{FieldEdit, Op};
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::snapshot::Snapshot;

/// A HorizontalPodAutoscaler, and what makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaler {
    pub object: ObjectRef,
    /// `ScaledObject prod/web` of KEDA: the autoscaler itself is written again.
    maker: Option<String>,
}

impl Scaler {
    /// The one of this workload. One that has 0 replicas is left alone by its autoscaler.
    pub(super) fn of(snapshot: &Snapshot, object: &Object) -> Option<Self> {
        let targets = |hpa: &&Object| {
            hpa.metadata.namespace == object.metadata.namespace
                && hpa.text("/spec/scaleTargetRef/kind") == object.kind
                && hpa.text("/spec/scaleTargetRef/name") == object.metadata.name
        };
        let hpa = snapshot.kind("HorizontalPodAutoscaler").iter().find(targets)?;
        let maker = hpa.metadata.owner_references.iter().find(|owner| owner.controller);
        let maker = maker.map(|owner| format!("{} {}/{}", owner.kind, hpa.metadata.namespace, owner.name));
        (object.int("/spec/replicas") != Some(0)).then(|| Self { object: hpa.object(), maker })
    }

    /// What a person changes instead.
    pub(super) fn hint(&self) -> String {
        match &self.maker {
            Some(maker) => format!("change {maker} instead, which makes it"),
            None => format!("change minReplicas of {} instead", self.object.qualified()),
        }
    }
}

/// Whether an edit says how many replicas there are.
pub(super) fn sets_replicas(edit: &FieldEdit) -> bool {
    edit.path == Path::of("spec.replicas") && edit.op != Op::Remove
}
