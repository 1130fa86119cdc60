# METADATA
# title: No workload pushes others aside
# description: >-
#   A higher priority evicts the pods of others to make room. The classes named system- belong to what
#   the node itself needs.
# custom:
#   severity: error
#   term: priorityClassName
package aifix.priority_class

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	after := class(change.after)
	startswith(after, "system-")
	after != class(change.before)
	verdict := kubernetes.verdict(change, place(change.after), sprintf("its pods get the priority of %s", [after]))
}

# A class that does not exist is a real failure, and its right name a real fix.
needs_approval contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	after := class(change.after)
	not startswith(after, "system-")
	not after in {"", class(change.before)}
	not kubernetes.is_about("priorityclass-missing")
	verdict := kubernetes.verdict(change, place(change.after), sprintf("its pods get the priority of %s", [after]))
}

class(resource) := object.get(kubernetes.pod_spec(resource), "priorityClassName", "")

place(resource) := sprintf("%s.priorityClassName", [kubernetes.pod_path(resource)])
