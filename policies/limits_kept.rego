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
	some change in input.changes
	kubernetes.is_update(change)
	some container in kubernetes.containers(change.before)
	after := kubernetes.container_named(change.after, container.name)
	some list in ["limits", "requests"]
	some resource in (names(container.spec, list) - names(after, list))
	path := sprintf("%s.resources.%s.%s", [container.path, list, resource])
	message := sprintf("container %s loses its %s %s", [container.name, resource, trim_suffix(list, "s")])
	verdict := kubernetes.verdict(change, path, message)
}

names(container, list) := object.keys(kubernetes.map_at(kubernetes.map_at(container, "resources"), list))
