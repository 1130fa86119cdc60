package aifix.autoscaler_bounds_test

import data.aifix.autoscaler_bounds
import data.aifix.support_test as support

denied(before, after) := support.paths(verdicts) if {
	kind := "HorizontalPodAutoscaler"
	change := support.change(support.with_spec(kind, before), support.with_spec(kind, after))
	growth := {"factor": 4, "replicas": 20}
	verdicts := autoscaler_bounds.deny with input as change with data.aifix.growth as growth
}

test_a_lower_floor_is_denied if {
	denied({"minReplicas": 3, "maxReplicas": 5}, {"minReplicas": 1, "maxReplicas": 5}) == {"spec.minReplicas"}
	denied({"minReplicas": 3, "maxReplicas": 5}, {"maxReplicas": 5}) == {"spec.minReplicas"}
}

test_a_ceiling_above_the_cap_or_the_factor_is_denied if {
	denied({"maxReplicas": 15}, {"maxReplicas": 21}) == {"spec.maxReplicas"}
	denied({"maxReplicas": 2}, {"maxReplicas": 9}) == {"spec.maxReplicas"}
}

test_a_step_and_what_was_so_before_is_fine if {
	denied({"minReplicas": 1, "maxReplicas": 3}, {"minReplicas": 2, "maxReplicas": 6}) == set()
	denied({"maxReplicas": 40}, {"maxReplicas": 40}) == set()
	denied({"maxReplicas": 40}, {"maxReplicas": 30}) == set()
}

test_those_of_keda_are_bounded_alike if {
	change := support.change(support.with_spec("ScaledObject", {"minReplicaCount": 2}), support.with_spec("ScaledObject", {"minReplicaCount": 0}))
	count(autoscaler_bounds.deny) == 1 with input as change
}
