# METADATA
# title: No pod gets onto nodes that are kept for others
# description: >-
#   A taint keeps a node for what needs it. A pod that tolerates everything, or that names its node,
#   gets past all of them and past the scheduler.
# custom:
#   severity: error
#   term: tolerations, nodeName
package aifix.placement

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	some toleration in (tolerations(change.after) - tolerations(change.before))
	what := reach(toleration)
	path := sprintf("%s.tolerations", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, path, sprintf("its pods tolerate %s", [what]))
}

# Its own node's name is in a pod that the scheduler placed.
deny contains verdict if {
	some change in input.changes
	change.object.kind != "Pod"
	after := kubernetes.pod_spec(change.after).nodeName
	after != object.get(kubernetes.pod_spec(change.before), "nodeName", "")
	path := sprintf("%s.nodeName", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, path, sprintf("its pods are put on the node %s past the scheduler", [after]))
}

tolerations(resource) := {toleration | some toleration in kubernetes.list_at(kubernetes.pod_spec(resource), "tolerations")}

reach(toleration) := "every taint" if {
	object.get(toleration, "key", "") == ""
} else := "nodes of the control plane" if {
	toleration.key in {"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"}
}
