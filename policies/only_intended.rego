# METADATA
# title: Nothing changes but the intended object and its named companions
# description: >-
#   A shared file or a chart value can reach further than meant. What was not asked for and not shown
#   is not changed.
# custom:
#   severity: critical
#   term: object
package aifix.only_intended

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	change.before != change.after
	not change.intended == true
	not change.companion == true
	message := "it changes too, and is neither what the fix is about nor a companion named in its proof"
	verdict := kubernetes.verdict(change, "", message)
}

deny contains verdict if {
	some change in input.changes
	change.before != null
	change.after == null
	verdict := kubernetes.verdict(change, "", "it is removed")
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	change.before.kind != change.after.kind
	verdict := kubernetes.verdict(change, "kind", "its kind changes: it becomes another object")
}

# Another version of the same group is the same object.
deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	group(change.before) != group(change.after)
	verdict := kubernetes.verdict(change, "apiVersion", "its API group changes: it becomes another object")
}

group(resource) := split(resource.apiVersion, "/")[0] if {
	contains(resource.apiVersion, "/")
} else := ""

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some field in ["name", "namespace"]
	before := object.get(change.before, ["metadata", field], "")
	after := object.get(change.after, ["metadata", field], "")
	before != after
	not is_hash_of(change, field, before, after)
	path := sprintf("metadata.%s", [field])
	verdict := kubernetes.verdict(change, path, sprintf("its %s changes: it becomes another object", [field]))
}

# The name of what kustomize generates ends in a hash of what it holds: with another text it gets another one.
is_hash_of(change, "name", before, after) if {
	change.before.kind == "ConfigMap"
	some stem in [regex.replace(before, `-[2456789bcdfghkmt]{10}$`, "")]
	stem != before
	stem != after
	stem == regex.replace(after, `-[2456789bcdfghkmt]{10}$`, "")
}
