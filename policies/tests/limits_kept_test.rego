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
