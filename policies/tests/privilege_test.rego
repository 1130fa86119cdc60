package aifix.privilege_test

import data.aifix.privilege
import data.aifix.support_test as support

denied(before, after) := paths if {
	verdicts := privilege.deny with input as support.change(support.with_context(before), support.with_context(after))
	prefix := "spec.template.spec.containers[app].securityContext."
	paths := {trim_prefix(path, prefix) | some path in support.paths(verdicts)}
}

test_each_gain_is_denied if {
	denied({}, {"privileged": true}) == {"privileged"}
	denied({}, {"allowPrivilegeEscalation": true}) == {"allowPrivilegeEscalation"}
	denied({"allowPrivilegeEscalation": false}, {}) == {"allowPrivilegeEscalation"}
	denied({"runAsNonRoot": true}, {}) == {"runAsNonRoot"}
	denied({"runAsNonRoot": true}, {"runAsNonRoot": false}) == {"runAsNonRoot"}
	denied({"readOnlyRootFilesystem": true}, {"readOnlyRootFilesystem": false}) == {"readOnlyRootFilesystem"}
	denied({"runAsUser": 1000}, {"runAsUser": 0}) == {"runAsUser"}
	denied({}, {"runAsUser": 0}) == {"runAsUser"}
	denied({}, {"windowsOptions": {"hostProcess": true}}) == {"windowsOptions.hostProcess"}
}

test_what_stays_or_is_given_up_is_fine if {
	denied({"privileged": true}, {"privileged": true}) == set()
	denied({"privileged": true}, {"privileged": false}) == set()
	denied({"allowPrivilegeEscalation": false}, {"allowPrivilegeEscalation": false}) == set()
	denied({"runAsUser": 0}, {"runAsUser": 0}) == set()
	denied({"runAsNonRoot": true}, {"runAsNonRoot": true, "runAsUser": 1000}) == set()
}

test_the_pod_speaks_for_its_containers if {
	before := support.deployment({"securityContext": {"runAsNonRoot": true}, "containers": [{"name": "app"}]})
	after := support.deployment({"securityContext": {"runAsNonRoot": false}, "containers": [{"name": "app"}]})
	count(privilege.deny) == 1 with input as support.change(before, after)
}

test_a_new_privileged_object_is_denied if {
	count(privilege.deny) == 1 with input as support.check(support.with_context({"privileged": true}))
	count(privilege.deny) == 0 with input as support.check(support.with_context({"runAsNonRoot": true}))
}

test_a_revert_is_no_excuse if {
	open := support.with_context({"privileged": true})
	change := support.revert(support.with_context({"privileged": false}), open, open)
	count(privilege.deny) > 0 with input as change
}
