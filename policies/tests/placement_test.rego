package aifix.placement_test

import data.aifix.placement
import data.aifix.support_test as support

tolerating(toleration) := support.deployment({"tolerations": [toleration]})

denied(before, after) := support.messages(verdicts) if {
	verdicts := placement.deny with input as support.change(before, after)
}

plain := support.deployment({})

test_a_wide_toleration_is_denied if {
	denied(plain, tolerating({"operator": "Exists"})) == {"its pods tolerate every taint"}
	denied(plain, tolerating({"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"})) == {"its pods tolerate nodes of the control plane"}
}

test_one_taint_and_what_was_so_before_is_fine if {
	denied(plain, tolerating({"key": "gpu", "operator": "Exists"})) == set()
	denied(tolerating({"operator": "Exists"}), tolerating({"operator": "Exists"})) == set()
	denied(tolerating({"operator": "Exists"}), plain) == set()
}

test_a_named_node_is_denied if {
	denied(plain, support.deployment({"nodeName": "a"})) == {"its pods are put on the node a past the scheduler"}
	denied(support.deployment({"nodeName": "a"}), support.deployment({"nodeName": "a"})) == set()
	count(placement.deny) == 0 with input as support.check(support.with_spec("Pod", {"nodeName": "a"}))
}
