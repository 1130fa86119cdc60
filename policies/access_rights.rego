# METADATA
# title: No right on the cluster is gained
# description: >-
#   Roles and bindings decide who may do what, and a service account is who a pod is. A change of
#   them is a decision of the people who own the cluster, never a repair.
# custom:
#   severity: critical
#   term: RBAC, serviceAccountName
package aifix.access_rights

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	change.object.kind in {"Role", "ClusterRole"}
	not is_refused_verb(change)
	some message in gained(change)
	verdict := kubernetes.verdict(change, "rules", message)
}

# A right that a program was refused may be what it lacks, in its own namespace.
needs_approval contains verdict if {
	some change in input.changes
	is_refused_verb(change)
	some message in gained(change)
	verdict := kubernetes.verdict(change, "rules", message)
}

deny contains verdict if {
	some change in input.changes
	not kubernetes.is_check
	change.object.kind in {"Role", "ClusterRole"}
	kubernetes.map_at(change.after, "aggregationRule") != kubernetes.map_at(change.before, "aggregationRule")
	verdict := kubernetes.verdict(change, "aggregationRule", "it collects the rights of other roles")
}

deny contains verdict if {
	some change in input.changes
	not kubernetes.is_check
	change.object.kind in {"RoleBinding", "ClusterRoleBinding"}
	some subject in kubernetes.list_at(change.after, "subjects")
	not subject in kubernetes.list_at(change.before, "subjects")
	verdict := kubernetes.verdict(change, "subjects", sprintf("%s %s gains rights", [subject.kind, subject.name]))
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind in {"RoleBinding", "ClusterRoleBinding"}
	change.after.roleRef != change.before.roleRef
	verdict := kubernetes.verdict(change, "roleRef", "it binds to another role")
}

is_refused_verb(change) if {
	kubernetes.is_about("rbac-verb-missing")
	change.object.kind == "Role"
	not "*" in {verb |
		some rule in kubernetes.list_at(change.after, "rules")
		some verb in array.concat(kubernetes.list_at(rule, "verbs"), kubernetes.list_at(rule, "resources"))
	}
}

gained(change) := {message |
	not kubernetes.is_check
	some rule in kubernetes.list_at(change.after, "rules")
	not rule in kubernetes.list_at(change.before, "rules")
	message := sprintf("%s gains the right to %s %s", [
		change.object.name,
		concat(", ", kubernetes.list_at(rule, "verbs")),
		concat(", ", array.concat(kubernetes.list_at(rule, "resources"), kubernetes.list_at(rule, "nonResourceURLs"))),
	])
}

# Manifests on their own: what no workload should ship.
deny contains verdict if {
	some change in input.changes
	kubernetes.is_check
	change.object.kind in {"Role", "ClusterRole"}
	some rule in kubernetes.list_at(change.after, "rules")
	"*" in kubernetes.list_at(rule, "verbs")
	"*" in kubernetes.list_at(rule, "resources")
	verdict := kubernetes.verdict(change, "rules", "it may do everything with everything")
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	not kubernetes.is_about("serviceaccount-missing")
	some after in accounts(change)
	path := sprintf("%s.serviceAccountName", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, path, sprintf("its pods act as the service account %s", [after]))
}

# An account that does not exist is a real failure; its right name decides who the pods are.
needs_approval contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	kubernetes.is_about("serviceaccount-missing")
	some after in accounts(change)
	path := sprintf("%s.serviceAccountName", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, path, sprintf("its pods act as the service account %s", [after]))
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	kubernetes.pod_spec(change.before).automountServiceAccountToken == false
	not kubernetes.pod_spec(change.after).automountServiceAccountToken == false
	path := sprintf("%s.automountServiceAccountToken", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, path, "its pods get a token of their service account again")
}

accounts(change) := {account(change.after)} - {account(change.before)}

account(resource) := object.get(kubernetes.pod_spec(resource), "serviceAccountName", "default")
