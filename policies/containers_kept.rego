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
	some entry in removed
	not entry.was_absent
	verdict := kubernetes.verdict(entry.change, entry.path, entry.message)
}

# The commit that is taken back had added it.
needs_approval contains verdict if {
	some entry in removed
	entry.was_absent
	message := sprintf("%s, which was not there before the commit that is taken back", [entry.message])
	verdict := kubernetes.verdict(entry.change, entry.path, message)
}

removed contains entry if {
	some change in input.changes
	kubernetes.is_update(change)
	some container in kubernetes.containers(change.before)
	not container.name in names(change.after)
	entry := {
		"change": change,
		"path": container.path,
		"message": sprintf("container %s is removed", [container.name]),
		"was_absent": was_absent(change, container.name),
	}
}

was_absent(change, name) if {
	good := kubernetes.good(change)
	not name in names(good)
} else := false

names(resource) := {container.name | some container in kubernetes.containers(resource)}
