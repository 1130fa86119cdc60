# METADATA
# title: No container gains a capability
# description: >-
#   A capability is a piece of root's power over the node's kernel. A program that starts only with
#   one needs a person who knows what else it can do with it.
# custom:
#   severity: critical
#   term: Pod Security, Capabilities
package aifix.capabilities

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	some container in kubernetes.containers(change.after)
	before := kubernetes.container_named(change.before, container.name)
	some capability in (added(container.spec) - added(before))
	path := sprintf("%s.securityContext.capabilities.add", [container.path])
	verdict := kubernetes.verdict(change, path, sprintf("container %s gains the capability %s", [container.name, capability]))
}

deny contains verdict if {
	some change in input.changes
	some container in kubernetes.containers(change.after)
	before := kubernetes.container_named(change.before, container.name)
	not "ALL" in dropped(container.spec)
	some capability in (dropped(before) - dropped(container.spec))
	path := sprintf("%s.securityContext.capabilities.drop", [container.path])
	message := sprintf("container %s keeps the capability %s, which it had dropped", [container.name, capability])
	verdict := kubernetes.verdict(change, path, message)
}

added(container) := capabilities(container, "add")

dropped(container) := capabilities(container, "drop")

# CAP_CHOWN and CHOWN are one.
capabilities(container, list) := {trim_prefix(upper(capability), "CAP_") |
	context := kubernetes.map_at(container, "securityContext")
	some capability in kubernetes.list_at(kubernetes.map_at(context, "capabilities"), list)
}
