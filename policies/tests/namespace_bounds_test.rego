package aifix.namespace_bounds_test

import data.aifix.namespace_bounds
import data.aifix.support_test as support

approvals(kind, before, after) := support.paths(verdicts) if {
	change := support.change(support.with_spec(kind, before), support.with_spec(kind, after))
	verdicts := namespace_bounds.needs_approval with input as change
}

test_another_bound_needs_approval if {
	approvals("ResourceQuota", {"hard": {"pods": "4"}}, {"hard": {"pods": "8"}}) == {"spec.hard"}
	approvals("LimitRange", {"limits": [{"type": "Pod"}]}, {"limits": []}) == {"spec.limits"}
	approvals("ResourceQuota", {"hard": {"pods": "4"}}, {}) == {"spec.hard"}
}

test_the_same_bound_and_other_kinds_do_not if {
	approvals("ResourceQuota", {"hard": {"pods": "4"}}, {"hard": {"pods": "4"}}) == set()
	approvals("Foo", {"hard": {"pods": "4"}}, {"hard": {"pods": "8"}}) == set()
}
