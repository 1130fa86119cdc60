# METADATA
# title: An autoscaler keeps its range
# description: >-
#   The lower bound is what serves when traffic comes back, the upper bound is what a runaway may
#   cost. A failure is not fixed by moving either far.
# custom:
#   severity: error
#   term: HorizontalPodAutoscaler, ScaledObject
package aifix.autoscaler_bounds

import data.aifix.kubernetes

fields := {
	"HorizontalPodAutoscaler": {"least": "minReplicas", "most": "maxReplicas"},
	"ScaledObject": {"least": "minReplicaCount", "most": "maxReplicaCount"},
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	field := fields[change.object.kind].least
	before := object.get(change.before, ["spec", field], 1)
	after := object.get(change.after, ["spec", field], 1)
	after < before
	message := sprintf("it may run %v pods instead of %v", [after, before])
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [field]), message)
}

deny contains verdict if {
	some change in input.changes
	field := fields[change.object.kind].most
	after := change.after.spec[field]
	before := object.get(object.get(change, "before", {}), ["spec", field], 0)
	after > before
	after > data.aifix.growth.replicas
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [field]), sprintf("it may run %v pods, which is above the cap", [after]))
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	field := fields[change.object.kind].most
	before := change.before.spec[field]
	after := change.after.spec[field]
	factor := data.aifix.growth.factor
	after > before * factor
	message := sprintf("it may run %v pods, more than %v times what it might", [after, factor])
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [field]), message)
}
