# METADATA
# title: No disruption budget is loosened
# description: >-
#   A budget says how many pods must stay while nodes are drained. A drain that waits for a failing
#   workload ends when that is mended, not when the budget is.
# custom:
#   severity: error
#   term: PodDisruptionBudget
package aifix.budget_kept

import data.aifix.kubernetes

deny contains verdict if {
	some change in budgets
	some field in ["minAvailable", "maxUnavailable"]
	before := object.get(change.before.spec, field, null)
	after := object.get(change.after.spec, field, null)
	before != after
	not is_stricter(field, before, after)
	message := sprintf("%s goes from %v to %v", [field, before, after])
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [field]), message)
}

# A selector with a typo protects nothing: setting it right is a real fix.
needs_approval contains verdict if {
	some change in budgets
	not kubernetes.is_about("pdb-selects-nothing")
	change.before.spec.selector != change.after.spec.selector
	verdict := kubernetes.verdict(change, "spec.selector", "it protects other pods than before")
}

deny contains verdict if {
	some change in budgets
	object.get(change.after.spec, "unhealthyPodEvictionPolicy", "") == "AlwaysAllow"
	object.get(change.before.spec, "unhealthyPodEvictionPolicy", "") != "AlwaysAllow"
	message := "pods that are not ready no longer count as protected"
	verdict := kubernetes.verdict(change, "spec.unhealthyPodEvictionPolicy", message)
}

budgets contains change if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind == "PodDisruptionBudget"
}

# Numbers and shares are compared with their like only.
is_stricter("minAvailable", before, after) if number(after, type_name(before)) > number(before, type_name(before))

is_stricter("maxUnavailable", before, after) if number(after, type_name(before)) < number(before, type_name(before))

# A bound that there was not: a budget has one of them only.
is_stricter(_, null, after) if after != null

number(value, "number") := value if is_number(value)

number(value, "string") := to_number(trim_suffix(value, "%")) if is_string(value)
