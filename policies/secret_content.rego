# METADATA
# title: The content of a Secret is not changed
# description: >-
#   A credential that is wrong is made right where it is kept, not in Git, where everybody who reads the
#   repository has it from then on.
# custom:
#   severity: critical
#   term: Secret
package aifix.secret_content

import data.aifix.kubernetes

deny contains verdict if {
	some change in secrets
	not kubernetes.is_check
	some field in ["data", "stringData"]
	some key, value in kubernetes.map_at(change.after, field)
	object.get(kubernetes.map_at(change.before, field), key, null) != value
	verdict := kubernetes.verdict(change, sprintf("%s.%s", [field, key]), sprintf("its key %s gets a value from Git", [key]))
}

# What SOPS encrypted may lie there.
warn contains verdict if {
	some change in secrets
	kubernetes.is_check
	not change.after.sops
	some field in ["data", "stringData"]
	count(kubernetes.map_at(change.after, field)) > 0
	verdict := kubernetes.verdict(change, field, "it lies in Git unencrypted")
}

secrets contains change if {
	some change in input.changes
	change.object.kind == "Secret"
}
