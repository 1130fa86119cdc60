# METADATA
# title: Quotas and limit ranges are moved by their owner
# description: >-
#   What a namespace may use was agreed between those who share the cluster. A workload that does not
#   fit asks its owner.
# custom:
#   severity: error
#   term: ResourceQuota, LimitRange
package aifix.namespace_bounds

import data.aifix.kubernetes

needs_approval contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind in {"ResourceQuota", "LimitRange"}
	some field, before in change.before.spec
	object.get(change.after.spec, field, null) != before
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [field]), "it bounds its namespace differently")
}
