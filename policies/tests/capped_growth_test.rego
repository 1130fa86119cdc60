package aifix.capped_growth_test

import data.aifix.capped_growth
import data.aifix.support_test as support

limit(resource, value) := support.with_container({"resources": {"limits": {resource: value}}})

growth := {"factor": 4, "cpu_cores": 8, "memory_bytes": 17179869184, "storage_bytes": 1099511627776, "replicas": 20}

denied(resource, old, new) := support.messages(verdicts) if {
	change := support.change(limit(resource, old), limit(resource, new))
	verdicts := capped_growth.deny with input as change with data.aifix.growth as growth
}

test_more_than_the_factor_is_denied if {
	denied("memory", "64Mi", "257Mi") == {"the memory limit of container app becomes 257Mi, more than 4 times what it was"}
	count(denied("cpu", "100m", "500m")) == 1
	count(denied("cpu", "100m", 1)) == 1
}

test_up_to_the_factor_is_fine if {
	denied("memory", "64Mi", "256Mi") == set()
	denied("memory", "64M", "64Mi") == set()
	denied("cpu", "250m", 1) == set()
	denied("cpu", "1", "0.5") == set()
}

test_more_than_the_cap_is_denied if {
	denied("memory", "10Gi", "17Gi") == {"the memory limit of container app becomes 17Gi, which is above the cap"}
	count(denied("cpu", "6", "9")) == 1
}

test_what_is_above_the_cap_may_shrink if {
	denied("memory", "64Gi", "32Gi") == set()
}

test_a_first_limit_only_has_the_cap if {
	change := support.change(support.with_container({}), limit("memory", "1Gi"))
	count(capped_growth.deny) == 0 with input as change with data.aifix.growth as growth
	huge := support.change(support.with_container({}), limit("memory", "100Gi"))
	count(capped_growth.deny) == 1 with input as huge with data.aifix.growth as growth
}

test_replicas_and_storage_are_capped if {
	before := object.union(support.with_container({}), {"spec": {"replicas": 2}})
	change := support.change(before, object.union(before, {"spec": {"replicas": 9}}))
	count(capped_growth.deny) == 1 with input as change with data.aifix.growth as growth
	more := support.change(before, object.union(before, {"spec": {"replicas": 3}}))
	count(capped_growth.deny) == 0 with input as more with data.aifix.growth as growth
	claim := {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
	larger := object.union(claim, {"spec": {"resources": {"requests": {"storage": "5Gi"}}}})
	count(capped_growth.deny) == 1 with input as support.change(claim, larger) with data.aifix.growth as growth
}

test_the_written_caps_are_read if {
	huge := support.change(support.with_container({}), limit("memory", "100Ti"))
	count(capped_growth.deny) == 1 with input as huge
}

test_a_typo_of_the_unit_may_be_set_right if {
	small := support.change(limit("memory", "300Ki"), limit("memory", "300Mi"))
	count(capped_growth.deny) == 0 with input as small
	count(capped_growth.deny) == 1 with input as support.change(limit("memory", "300Ki"), limit("memory", "600Mi"))
	count(capped_growth.deny) == 1 with input as support.change(limit("ephemeral-storage", "1Mi"), limit("ephemeral-storage", "5Mi"))
}

test_thousandths_of_a_byte_are_read if {
	denied("memory", "134217728000m", "129Mi") == set()
	count(denied("memory", "268435456000m", "2Gi")) == 1
}

test_a_new_workload_and_one_that_says_nothing_are_counted if {
	silent := support.change(support.with_spec("Deployment", {}), support.with_spec("Deployment", {"replicas": 5}))
	count(capped_growth.deny) == 1 with input as silent with data.aifix.growth as growth
	looked_at := support.check(support.with_spec("Deployment", {"replicas": 21}))
	count(capped_growth.deny) == 1 with input as looked_at with data.aifix.growth as growth
}

said(change) := [count(denied), count(asked)] if {
	denied := capped_growth.deny with input as change with data.aifix.growth as growth
	asked := capped_growth.needs_approval with input as change with data.aifix.growth as growth
}

test_a_revert_to_what_it_was_needs_approval if {
	said(support.revert(limit("memory", "64Mi"), limit("memory", "1Gi"), limit("memory", "1Gi"))) == [0, 1]
	said(support.revert(limit("memory", "64Mi"), limit("memory", "1Gi"), limit("memory", "512Mi"))) == [1, 0]
	said(support.revert(limit("memory", "64Mi"), limit("memory", "1Gi"), limit("cpu", 1))) == [1, 0]
	said(support.revert(limit("memory", "64Mi"), limit("memory", "20Gi"), limit("memory", "20Gi"))) == [1, 1]
}

pods(replicas) := support.with_spec("Deployment", {"replicas": replicas})

test_a_revert_to_as_many_pods_needs_approval if {
	said(support.revert(pods(1), pods(10), pods(10))) == [0, 1]
	said(support.revert(pods(1), pods(10), pods(9))) == [1, 0]
	said(support.revert(pods(1), pods(30), pods(30))) == [1, 1]
}
