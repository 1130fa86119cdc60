package aifix.still_runs_test

import data.aifix.still_runs
import data.aifix.support_test as support

with_spec(fields) := object.union(support.with_container({}), {"spec": fields})

test_scaling_to_zero_is_denied if {
	denied := still_runs.deny with input as support.change(with_spec({"replicas": 2}), with_spec({"replicas": 0}))
	support.paths(denied) == {"spec.replicas"}
	count(still_runs.deny) == 1 with input as support.change(with_spec({}), with_spec({"replicas": 0}))
}

test_suspending_and_pausing_are_denied if {
	count(still_runs.deny) == 1 with input as support.change(with_spec({}), with_spec({"suspend": true}))
	count(still_runs.deny) == 1 with input as support.change(with_spec({"paused": false}), with_spec({"paused": true}))
}

test_what_stood_still_may_stand_still if {
	stopped := with_spec({"replicas": 0, "suspend": true})
	count(still_runs.deny) == 0 with input as support.change(stopped, stopped)
}

test_fewer_replicas_are_fine if {
	count(still_runs.deny) == 0 with input as support.change(with_spec({"replicas": 3}), with_spec({"replicas": 1}))
}
