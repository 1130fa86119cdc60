package aifix.security_context_kept_test

import data.aifix.security_context_kept
import data.aifix.support_test as support

test_a_field_that_goes_is_denied if {
	change := support.change(support.with_context({"runAsUser": 1, "runAsGroup": 2}), support.with_context({"runAsUser": 1}))
	denied := security_context_kept.deny with input as change
	support.paths(denied) == {"spec.template.spec.containers[app].securityContext.runAsGroup"}
}

test_a_whole_context_that_goes_is_denied if {
	change := support.change(support.with_context({"runAsUser": 1}), support.with_container({}))
	count(security_context_kept.deny) == 1 with input as change
}

test_the_context_of_the_pod_counts if {
	before := support.deployment({"securityContext": {"fsGroup": 1}, "containers": []})
	after := support.deployment({"containers": []})
	denied := security_context_kept.deny with input as support.change(before, after)
	support.paths(denied) == {"spec.template.spec.securityContext.fsGroup"}
}

test_a_field_that_changes_or_comes_is_fine if {
	change := support.change(support.with_context({"runAsUser": 1}), support.with_context({"runAsUser": 2, "runAsGroup": 2}))
	count(security_context_kept.deny) == 0 with input as change
}
