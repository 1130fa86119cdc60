package aifix.isolation_test

import data.aifix.isolation
import data.aifix.support_test as support

test_a_shared_process_space_is_denied if {
	shared := support.deployment({"shareProcessNamespace": true})
	count(isolation.deny) == 1 with input as support.change(support.deployment({}), shared)
	count(isolation.deny) == 0 with input as support.change(shared, shared)
}

in_runtime(name) := support.deployment({"runtimeClassName": name})

test_a_sandbox_that_goes_is_denied if {
	count(isolation.deny) == 1 with input as support.change(in_runtime("gvisor"), support.deployment({}))
	count(isolation.deny) == 0 with input as support.change(support.deployment({}), in_runtime("gvisor"))
}

test_another_sandbox_needs_approval_unless_it_was_missing if {
	change := support.change(in_runtime("gvisr"), in_runtime("gvisor"))
	count(isolation.needs_approval) == 1 with input as change
	count(isolation.needs_approval) == 0 with input as support.fixing("runtimeclass-missing", change)
	count(isolation.needs_approval) == 0 with input as support.change(in_runtime("gvisor"), in_runtime("gvisor"))
}

test_other_names_need_approval if {
	aliased := support.deployment({"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}]})
	resolved := support.deployment({"dnsConfig": {"nameservers": ["10.0.0.1"]}})
	count(isolation.needs_approval) == 1 with input as support.change(support.deployment({}), aliased)
	count(isolation.needs_approval) == 1 with input as support.change(support.deployment({}), resolved)
	count(isolation.needs_approval) == 0 with input as support.change(aliased, aliased)
}
