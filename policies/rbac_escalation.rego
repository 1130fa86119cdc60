# METADATA
# title: No role is a way to all others
# description: >-
#   Whoever may escalate, bind or impersonate, read every Secret or run in every pod has all rights, and
#   a group of everybody gives them to everybody.
# custom:
#   severity: critical
#   term: RBAC privilege escalation
package aifix.rbac_escalation

import data.aifix.kubernetes

# https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks
deny contains verdict if {
	some change in input.changes
	not kubernetes.is_check
	some way in (ways(change.after) - ways(change.before))
	verdict := kubernetes.verdict(change, "rules", sprintf("it gains %s", [way]))
}

warn contains verdict if {
	some change in input.changes
	kubernetes.is_check
	some way in ways(change.after)
	verdict := kubernetes.verdict(change, "rules", sprintf("it has %s", [way]))
}

deny contains verdict if {
	some change in input.changes
	some name in (everybody(change.after) - everybody(change.before))
	verdict := kubernetes.verdict(change, "subjects", sprintf("%s is everybody, or a group that no rule can hold", [name]))
}

ways(resource) := {way |
	resource.kind in {"ClusterRole", "Role"}
	some rule in kubernetes.list_at(resource, "rules")
	some way in given(rule)
}

given(rule) := union({
	{sprintf("the right to %s", [verb]) |
		some verb in kubernetes.list_at(rule, "verbs")
		verb in {"bind", "escalate", "impersonate"}
	},
	{"every right on something" | "*" in kubernetes.list_at(rule, "verbs")},
	{"the right to read every Secret" |
		"secrets" in kubernetes.list_at(rule, "resources")
		count(kubernetes.list_at(rule, "resourceNames")) == 0
		some verb in kubernetes.list_at(rule, "verbs")
		verb in {"get", "list", "watch"}
	},
	{sprintf("the right to use %s", [resource]) |
		some resource in kubernetes.list_at(rule, "resources")
		resource in {"nodes/proxy", "pods/exec", "pods/attach", "serviceaccounts/token"}
	},
})

everybody(resource) := {subject.name |
	resource.kind in {"ClusterRoleBinding", "RoleBinding"}
	some subject in kubernetes.list_at(resource, "subjects")
	subject.name in {"system:anonymous", "system:authenticated", "system:masters", "system:unauthenticated"}
}
