# METADATA
# title: No NetworkPolicy lets more through
# description: >-
#   A pod that does not reach another may be kept from it on purpose. Who may talk to whom is decided
#   by the people who own both.
# custom:
#   severity: critical
#   term: NetworkPolicy
package aifix.network_policy_kept

import data.aifix.kubernetes

deny contains verdict if {
	some change in policies
	some direction in (directions(change.before) - directions(change.after))
	verdict := kubernetes.verdict(change, "spec.policyTypes", sprintf("it no longer judges %s", [direction]))
}

deny contains verdict if {
	some change in policies
	some field in ["ingress", "egress"]
	some rule in kubernetes.list_at(change.after.spec, field)
	not rule in kubernetes.list_at(change.before.spec, field)
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [field]), sprintf("it lets more %s through", [field]))
}

deny contains verdict if {
	some change in policies
	kubernetes.map_at(change.before.spec, "podSelector") != kubernetes.map_at(change.after.spec, "podSelector")
	verdict := kubernetes.verdict(change, "spec.podSelector", "it protects other pods than before")
}

policies contains change if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind == "NetworkPolicy"
}

# Unless it says so it judges what comes in, and what goes out when it has rules for that.
directions(resource) := {direction | some direction in resource.spec.policyTypes} if {
	count(kubernetes.list_at(resource.spec, "policyTypes")) > 0
} else := {"Ingress", "Egress"} if {
	resource.spec.egress
} else := {"Ingress"}
