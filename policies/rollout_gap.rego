# METADATA
# title: A rollout never stops all pods at once
# description: >-
#   Recreate, or as many unavailable pods as there are, makes a stuck rollout go on by taking the
#   service away each time. For a single pod there is no other way.
# custom:
#   severity: error
#   term: strategy, updateStrategy
package aifix.rollout_gap

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some field in ["strategy", "updateStrategy"]
	gap := gaps(change.after, field)
	not gap in {"", gaps(change.before, field)}
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [field]), gap)
}

gaps(resource, field) := "all its pods are stopped before new ones start" if {
	kubernetes.replicas(resource) > 1
	resource.spec[field].type == "Recreate"
} else := "a rollout may stop all its pods" if {
	total := kubernetes.replicas(resource)
	total > 1
	kubernetes.share(resource.spec[field].rollingUpdate.maxUnavailable, total) >= total
} else := "a rollout may stop the pods of all nodes" if {
	resource.kind == "DaemonSet"
	kubernetes.share(resource.spec[field].rollingUpdate.maxUnavailable, 100) >= 100
} else := ""
