# METADATA
# title: Selectors find their own pods and no others
# description: >-
#   A selector with fewer labels reaches pods of others; one that its own template does not satisfy is
#   refused by the API server, and that of a workload can't change once it exists.
# custom:
#   severity: error
#   term: selector, labels
package aifix.selector_kept

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind == "Service"
	some key in (object.keys(selector(change.before)) - object.keys(selector(change.after)))
	message := sprintf("it no longer asks for the label %s, and reaches more pods", [key])
	verdict := kubernetes.verdict(change, "spec.selector", message)
}

# Unless Git says what the API server refuses: then it goes back to what runs.
deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	not is_refused
	change.object.kind in {"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}
	selector(change.before) != selector(change.after)
	verdict := kubernetes.verdict(change, "spec.selector", "the selector of a workload can't change once it exists")
}

deny contains verdict if {
	some change in input.changes
	some key in (unmatched(change.after) - unmatched(change.before))
	message := sprintf("its own pods do not have the label %s that it selects", [key])
	verdict := kubernetes.verdict(change, "spec.selector", message)
}

is_refused if {
	some code in ["argocd-sync-failed", "config-immutable", "flux-apply-failed", "helm-release-failed", "helmrelease-failed"]
	kubernetes.is_about(code)
}

selector(resource) := kubernetes.map_at(kubernetes.map_at(resource, "spec"), "selector")

# Jobs choose their own labels.
unmatched(resource) := {key |
	resource.kind in {"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}
	labels := kubernetes.map_at(kubernetes.pod_metadata(resource), "labels")
	some key, value in kubernetes.map_at(selector(resource), "matchLabels")
	object.get(labels, key, null) != value
}
