# METADATA
# title: No namespace lowers its Pod Security level
# description: >-
#   The level of a namespace is what its owner agreed to run. A pod that the level refuses gets a
#   stricter securityContext, never a looser namespace.
# custom:
#   severity: critical
#   term: pod-security.kubernetes.io
package aifix.pod_security_level

import data.aifix.kubernetes

rank := {"privileged": 0, "baseline": 1, "restricted": 2}

deny contains verdict if {
	some change in namespaces
	is_lower(change, "enforce")
	message := sprintf("pods are held to %s instead of %s", [level(change.after, "enforce"), level(change.before, "enforce")])
	verdict := kubernetes.verdict(change, "metadata.labels", message)
}

warn contains verdict if {
	some change in namespaces
	some mode in ["audit", "warn"]
	is_lower(change, mode)
	verdict := kubernetes.verdict(change, "metadata.labels", sprintf("pods below %s are no longer told of (%s)", [level(change.before, mode), mode]))
}

# An older version of a level asks for less.
deny contains verdict if {
	some change in namespaces
	before := label(change.before, "enforce-version", "latest")
	after := label(change.after, "enforce-version", "latest")
	before != after
	after != "latest"
	verdict := kubernetes.verdict(change, "metadata.labels", sprintf("its level is that of %s instead of %s", [after, before]))
}

namespaces contains change if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind == "Namespace"
}

is_lower(change, mode) if rank[level(change.after, mode)] < rank[level(change.before, mode)]

level(resource, mode) := label(resource, mode, "privileged")

label(resource, name, otherwise) := object.get(labels, sprintf("pod-security.kubernetes.io/%s", [name]), otherwise) if {
	labels := kubernetes.map_at(resource.metadata, "labels")
}
