# METADATA
# title: Replicas stay on different nodes
# description: >-
#   Replicas on one node fail together. A rule that can't be met for want of nodes is a choice between
#   fewer replicas and more nodes.
# custom:
#   severity: warning
#   term: podAntiAffinity, topologySpreadConstraints
package aifix.spread_kept

import data.aifix.kubernetes

warn contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some place in (spread(change.before) - spread(change.after))
	verdict := kubernetes.verdict(change, kubernetes.pod_path(change.after), sprintf("its pods may share a %s again", [place]))
}

spread(resource) := topology | affinity if {
	pod := kubernetes.pod_spec(resource)
	topology := {constraint.topologyKey |
		some constraint in kubernetes.list_at(pod, "topologySpreadConstraints")
		object.get(constraint, "whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
	}
	anti := kubernetes.map_at(kubernetes.map_at(pod, "affinity"), "podAntiAffinity")
	affinity := {term.topologyKey |
		some term in kubernetes.list_at(anti, "requiredDuringSchedulingIgnoredDuringExecution")
	}
}
