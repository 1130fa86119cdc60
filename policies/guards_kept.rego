# METADATA
# title: Nothing opts out of what guards it
# description: >-
#   A label or an annotation is enough to leave an admission policy or a mesh. Whoever is left out
#   starts, and talks in the clear.
# custom:
#   severity: critical
#   term: labels, annotations
package aifix.guards_kept

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	some mark in (marks(change.after, "off") - marks(change.before, "off"))
	verdict := kubernetes.verdict(change, mark[0], sprintf("%s takes it out of what guards it", [mark[1]]))
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some mark in (marks(change.before, "on") - marks(change.after, "on"))
	verdict := kubernetes.verdict(change, mark[0], sprintf("it loses %s, which puts it under a guard", [mark[1]]))
}

# `[where, key=value]` of those that are named in the data file, as a key or as a pair.
marks(resource, list) := {[where, pair] |
	some [where, key, value] in kubernetes.marks(resource)
	pair := sprintf("%s=%s", [key, value])
	some named in [key, pair]
	named in data.aifix.guards[list]
}
