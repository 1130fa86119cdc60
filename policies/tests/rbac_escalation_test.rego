package aifix.rbac_escalation_test

import data.aifix.rbac_escalation
import data.aifix.support_test as support

role(rule) := support.resource("ClusterRole", {"rules": [rule]})

may(verbs, resources) := role({"verbs": verbs, "resources": resources})

denied(before, after) := support.messages(verdicts) if {
	verdicts := rbac_escalation.deny with input as support.change(before, after)
}

test_a_way_to_all_rights_is_denied if {
	none := may(["get"], ["pods"])
	denied(none, may(["escalate"], ["roles"])) == {"it gains the right to escalate"}
	denied(none, may(["*"], ["pods"])) == {"it gains every right on something"}
	denied(none, may(["list"], ["secrets"])) == {"it gains the right to read every Secret"}
	denied(none, may(["create"], ["pods/exec"])) == {"it gains the right to use pods/exec"}
}

test_a_plain_right_and_what_was_so_before_is_fine if {
	denied(may([], []), may(["get", "list"], ["pods", "configmaps"])) == set()
	denied(may(["bind"], ["roles"]), may(["bind"], ["roles"])) == set()
	one_secret := role({"verbs": ["get"], "resources": ["secrets"], "resourceNames": ["db"]})
	denied(may([], []), one_secret) == set()
	denied(may([], []), support.resource("Foo", {"rules": [{"verbs": ["*"]}]})) == set()
}

binding(names) := support.resource("RoleBinding", {"subjects": [{"kind": "Group", "name": name} | some name in names]})

test_a_binding_of_everybody_is_denied if {
	count(denied(binding([]), binding(["system:authenticated"]))) == 1
	denied(binding(["system:masters"]), binding(["system:masters"])) == set()
	denied(binding([]), binding(["team"])) == set()
	count(rbac_escalation.deny) == 1 with input as support.check(binding(["system:anonymous"]))
}

test_a_manifest_with_such_a_way_is_named if {
	count(rbac_escalation.warn) == 1 with input as support.check(may(["impersonate"], ["users"]))
	count(rbac_escalation.deny) == 0 with input as support.check(may(["impersonate"], ["users"]))
	count(rbac_escalation.warn) == 0 with input as support.change(may([], []), may(["impersonate"], ["users"]))
}
