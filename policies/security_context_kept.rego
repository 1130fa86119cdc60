# METADATA
# title: No securityContext is removed
# description: >-
#   Each field of a securityContext was set by somebody on purpose. Taking one away makes a start-up
#   failure go away and the protection with it.
# custom:
#   severity: error
#   term: securityContext
package aifix.security_context_kept

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some container in kubernetes.containers(change.before)
	after := kubernetes.container_named(change.after, container.name)
	some field in lost(container.spec, after)
	path := sprintf("%s.securityContext.%s", [container.path, field])
	verdict := kubernetes.verdict(change, path, sprintf("container %s loses securityContext.%s", [container.name, field]))
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some field in lost(kubernetes.pod_spec(change.before), kubernetes.pod_spec(change.after))
	path := sprintf("%s.securityContext.%s", [kubernetes.pod_path(change.before), field])
	verdict := kubernetes.verdict(change, path, sprintf("its pods lose securityContext.%s", [field]))
}

lost(before, after) := object.keys(kubernetes.map_at(before, "securityContext")) - object.keys(kubernetes.map_at(after, "securityContext"))
