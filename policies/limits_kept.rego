# METADATA
# title: No limit and no request is removed
# description: >-
#   A container without limit can starve its node, and one without request is placed blindly and
#   evicted first.
# custom:
#   severity: error
#   term: resources.limits, resources.requests
package aifix.limits_kept

import data.aifix.kubernetes

deny contains verdict if {
	some entry in lost
	not entry.was_absent
	verdict := kubernetes.verdict(entry.change, entry.path, entry.message)
}

# The commit that is taken back had added it.
needs_approval contains verdict if {
	some entry in lost
	entry.was_absent
	message := sprintf("%s, which it did not have before the commit that is taken back", [entry.message])
	verdict := kubernetes.verdict(entry.change, entry.path, message)
}

lost contains entry if {
	some change in input.changes
	kubernetes.is_update(change)
	some container in kubernetes.containers(change.before)
	after := kubernetes.container_named(change.after, container.name)
	some list in ["limits", "requests"]
	some resource in (names(container.spec, list) - names(after, list))
	entry := {
		"change": change,
		"path": sprintf("%s.resources.%s.%s", [container.path, list, resource]),
		"message": sprintf("container %s loses its %s %s", [container.name, resource, trim_suffix(list, "s")]),
		"was_absent": was_absent(change, container.name, list, resource),
	}
}

was_absent(change, name, list, resource) if {
	some container in kubernetes.containers(kubernetes.good(change))
	container.name == name
	not resource in names(container.spec, list)
} else := false

names(container, list) := object.keys(kubernetes.map_at(kubernetes.map_at(container, "resources"), list))
