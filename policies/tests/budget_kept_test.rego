package aifix.budget_kept_test

import data.aifix.budget_kept
import data.aifix.support_test as support

change(before, after) := support.change(
	support.with_spec("PodDisruptionBudget", before),
	support.with_spec("PodDisruptionBudget", after),
)

is_denied(before, after) if count(budget_kept.deny) > 0 with input as change(before, after)

test_a_looser_budget_is_denied if {
	is_denied({"minAvailable": 2}, {"minAvailable": 1})
	is_denied({"minAvailable": "50%"}, {"minAvailable": "25%"})
	is_denied({"minAvailable": "50%"}, {"minAvailable": 60})
	is_denied({"maxUnavailable": 1}, {"maxUnavailable": 2})
	is_denied({"maxUnavailable": 1}, {"maxUnavailable": "2%"})
	is_denied({"minAvailable": 2}, {})
	is_denied({"minAvailable": 2}, {"unhealthyPodEvictionPolicy": "AlwaysAllow", "minAvailable": 2})
}

test_a_stricter_budget_and_the_same_is_fine if {
	not is_denied({"minAvailable": 2}, {"minAvailable": 3})
	not is_denied({"minAvailable": "20%"}, {"minAvailable": "25%"})
	not is_denied({"maxUnavailable": 2}, {"maxUnavailable": 1})
	not is_denied({"maxUnavailable": "20%"}, {"maxUnavailable": "10%"})
	not is_denied({}, {"minAvailable": 1})
	not is_denied({"unhealthyPodEvictionPolicy": "AlwaysAllow"}, {"unhealthyPodEvictionPolicy": "AlwaysAllow"})
}

test_another_selector_needs_approval_unless_it_found_nothing if {
	moved := change({"selector": {"matchLabels": {"app": "wbe"}}}, {"selector": {"matchLabels": {"app": "web"}}})
	count(budget_kept.needs_approval) == 1 with input as moved
	count(budget_kept.needs_approval) == 0 with input as support.fixing("pdb-selects-nothing", moved)
}

test_another_kind_is_none_of_it if {
	other := support.change(support.with_spec("Foo", {"minAvailable": 2}), support.with_spec("Foo", {"minAvailable": 1}))
	count(budget_kept.deny) == 0 with input as other
}
