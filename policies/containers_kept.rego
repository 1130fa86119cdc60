# METADATA
# title: No container is removed
# description: >-
#   A proxy, an agent or an init container that fails is a failure of its own. Without it the pod starts
#   and what it did is left undone.
# custom:
#   severity: error
#   term: containers, initContainers
package aifix.containers_kept

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	after := {container.name | some container in kubernetes.containers(change.after)}
	some container in kubernetes.containers(change.before)
	not container.name in after
	verdict := kubernetes.verdict(change, container.path, sprintf("container %s is removed", [container.name]))
}
