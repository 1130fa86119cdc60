package aifix.access_rights_test

import data.aifix.access_rights
import data.aifix.support_test as support

role(rules) := {"kind": "Role", "metadata": {"name": "r", "namespace": "shop"}, "rules": rules}

binding(subjects, name) := {
	"kind": "RoleBinding",
	"metadata": {"name": "b", "namespace": "shop"},
	"subjects": subjects,
	"roleRef": {"kind": "Role", "name": name},
}

read := {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}

write := {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]}

all := {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}

one := {"kind": "ServiceAccount", "name": "one"}

two := {"kind": "ServiceAccount", "name": "two"}

test_a_new_right_is_denied if {
	denied := access_rights.deny with input as support.change(role([read]), role([read, write]))
	support.messages(denied) == {"r gains the right to delete pods"}
	count(access_rights.deny) == 1 with input as support.change(null, role([read]))
}

test_a_right_less_is_fine if {
	count(access_rights.deny) == 0 with input as support.change(role([read, write]), role([read]))
}

test_a_new_subject_or_another_role_is_denied if {
	denied := access_rights.deny with input as support.change(binding([one], "a"), binding([one, two], "b"))
	support.paths(denied) == {"subjects", "roleRef"}
	count(access_rights.deny) == 0 with input as support.change(binding([one, two], "a"), binding([one], "a"))
}

test_another_service_account_is_denied if {
	before := support.deployment({"containers": []})
	after := support.deployment({"containers": [], "serviceAccountName": "admin"})
	denied := access_rights.deny with input as support.change(before, after)
	support.messages(denied) == {"its pods act as the service account admin"}
}

test_a_token_that_was_not_mounted_is_denied if {
	before := support.deployment({"containers": [], "automountServiceAccountToken": false})
	after := support.deployment({"containers": []})
	count(access_rights.deny) == 1 with input as support.change(before, after)
	count(access_rights.deny) == 0 with input as support.change(after, before)
}

test_a_manifest_may_hold_a_role_but_not_all_rights if {
	count(access_rights.deny) == 0 with input as support.check(role([read, write]))
	count(access_rights.deny) == 1 with input as support.check(role([all]))
}

test_collecting_the_rights_of_other_roles_is_denied if {
	before := {"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": []}
	after := object.union(before, {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}})
	denied := access_rights.deny with input as support.change(before, after)
	support.paths(denied) == {"aggregationRule"}
}

test_the_right_that_was_refused_needs_approval if {
	change := support.fixing("rbac-verb-missing", support.change(role([read]), role([read, write])))
	count(access_rights.needs_approval) == 1 with input as change
	count(access_rights.deny) == 0 with input as change
	everything := {"apiGroups": [""], "resources": ["*"], "verbs": ["delete"]}
	wide := support.fixing("rbac-verb-missing", support.change(role([read]), role([read, everything])))
	count(access_rights.deny) == 1 with input as wide
	other := support.change(role([read]), role([read, write]))
	count(access_rights.needs_approval) == 0 with input as other
}

test_the_account_that_was_missing_needs_approval if {
	before := support.deployment({"serviceAccountName": "wbe"})
	change := support.fixing("serviceaccount-missing", support.change(before, support.deployment({"serviceAccountName": "web"})))
	count(access_rights.needs_approval) == 1 with input as change
	count(access_rights.deny) == 0 with input as change
}
