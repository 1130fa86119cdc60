# METADATA
# title: The workload still runs after the change
# description: >-
#   Scaling to zero, suspending and pausing make every failure disappear together with the service.
# custom:
#   severity: error
#   term: replicas, suspend, paused
package aifix.still_runs

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some field in ["replicas", "parallelism"]
	change.after.spec[field] == 0
	not change.before.spec[field] == 0
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [field]), "it runs no pod any more")
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some field in ["suspend", "paused"]
	change.after.spec[field] == true
	not change.before.spec[field] == true
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [field]), sprintf("it is stopped by spec.%s", [field]))
}
