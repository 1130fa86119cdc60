# METADATA
# title: No Service is reached from further away
# description: >-
#   A port of every node, an address on the internet or no list of allowed sources opens a Service to
#   whoever finds it. That is never what makes a pod ready.
# custom:
#   severity: critical
#   term: Service type, externalIPs, loadBalancerSourceRanges
package aifix.exposure

import data.aifix.kubernetes

reach := {"ClusterIP": 0, "ExternalName": 0, "NodePort": 1, "LoadBalancer": 2}

deny contains verdict if {
	some change in services
	after := type(change.after)
	reach[after] > reach[type(change.before)]
	verdict := kubernetes.verdict(change, "spec.type", sprintf("it becomes reachable from outside as %s", [after]))
}

deny contains verdict if {
	some change in services
	some address in (listed(change.after, "externalIPs") - listed(change.before, "externalIPs"))
	verdict := kubernetes.verdict(change, "spec.externalIPs", sprintf("it takes the traffic of %s", [address]))
}

# No list means everybody.
deny contains verdict if {
	some change in services
	field := "loadBalancerSourceRanges"
	some added in opened(listed(change.before, field), listed(change.after, field))
	verdict := kubernetes.verdict(change, "spec.loadBalancerSourceRanges", sprintf("it becomes reachable from %s", [added]))
}

# Cloud providers tell inner load balancers by annotation.
deny contains verdict if {
	some change in services
	some key, value in annotations(change.before)
	regex.match(`(?i)internal`, key)
	object.get(annotations(change.after), key, null) != value
	verdict := kubernetes.verdict(change, "metadata.annotations", sprintf("%s no longer keeps its load balancer inside", [key]))
}

needs_approval contains verdict if {
	some change in services
	after := change.after.spec.externalName
	after != object.get(change.before.spec, "externalName", "")
	verdict := kubernetes.verdict(change, "spec.externalName", sprintf("its name leads to %s instead", [after]))
}

services contains change if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind == "Service"
}

type(resource) := object.get(resource.spec, "type", "ClusterIP")

listed(resource, field) := {entry | some entry in kubernetes.list_at(resource.spec, field)}

annotations(resource) := kubernetes.map_at(resource.metadata, "annotations")

opened(before, after) := {"everywhere"} if {
	count(before) > 0
	count(after) == 0
} else := {range |
	count(before) > 0
	some range in after
	every known in before {
		not net.cidr_contains(known, range)
	}
}
