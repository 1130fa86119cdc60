package aifix.limits_kept_test

import data.aifix.limits_kept
import data.aifix.support_test as support

resources(value) := support.with_container({"resources": value})

test_a_limit_or_request_that_goes_is_denied if {
	before := resources({"limits": {"memory": "64Mi"}, "requests": {"cpu": "10m"}})
	denied := limits_kept.deny with input as support.change(before, resources({"limits": {}}))
	support.messages(denied) == {"container app loses its memory limit", "container app loses its cpu request"}
}

test_no_resources_at_all_is_denied if {
	change := support.change(resources({"limits": {"memory": "64Mi"}}), support.with_container({}))
	count(limits_kept.deny) == 1 with input as change
}

test_another_value_is_fine if {
	change := support.change(resources({"limits": {"memory": "64Mi"}}), resources({"limits": {"memory": "128Mi", "cpu": 1}}))
	count(limits_kept.deny) == 0 with input as change
}

test_a_revert_of_what_added_it_needs_approval if {
	before := resources({"limits": {"memory": "64Mi", "cpu": 1}})
	after := resources({"limits": {}})
	change := support.revert(before, after, after)
	count(limits_kept.deny) == 0 with input as change
	asked := limits_kept.needs_approval with input as change
	count(asked) == 2
}

test_a_revert_that_takes_more_is_denied if {
	before := resources({"limits": {"memory": "64Mi", "cpu": 1}})
	change := support.revert(before, resources({}), resources({"limits": {"memory": "32Mi"}}))
	support.messages(limits_kept.deny) == {"container app loses its memory limit"} with input as change
	other := support.revert(before, resources({}), support.deployment({"containers": [{"name": "other"}]}))
	count(limits_kept.deny) == 2 with input as other
}

test_what_it_was_counts_for_a_revert_alone if {
	change := object.union(support.revert(resources({"limits": {"cpu": 1}}), resources({}), resources({})), {"reverts": null})
	count(limits_kept.deny) == 1 with input as change
	nothing := support.revert(resources({"limits": {"cpu": 1}}), resources({}), null)
	count(limits_kept.deny) == 1 with input as nothing
}
