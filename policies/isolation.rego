# METADATA
# title: Containers stay apart from each other
# description: >-
#   A sandboxed runtime, and processes and names of its own, keep a container that was taken over from
#   its neighbours. None of them is in the way of a program that works.
# custom:
#   severity: error
#   term: shareProcessNamespace, runtimeClassName, hostAliases, dnsConfig
package aifix.isolation

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	kubernetes.pod_spec(change.after).shareProcessNamespace == true
	not kubernetes.pod_spec(change.before).shareProcessNamespace == true
	path := sprintf("%s.shareProcessNamespace", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, path, "its containers see each other's processes and files")
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	before := object.get(kubernetes.pod_spec(change.before), "runtimeClassName", "")
	before != ""
	object.get(kubernetes.pod_spec(change.after), "runtimeClassName", "") == ""
	path := sprintf("%s.runtimeClassName", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, path, sprintf("its pods no longer run in the runtime %s", [before]))
}

# A class that does not exist is a real failure, and its right name a real fix.
needs_approval contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	before := object.get(kubernetes.pod_spec(change.before), "runtimeClassName", "")
	after := object.get(kubernetes.pod_spec(change.after), "runtimeClassName", "")
	not "" in {before, after}
	before != after
	not kubernetes.is_about("runtimeclass-missing")
	path := sprintf("%s.runtimeClassName", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, path, sprintf("its pods run in the runtime %s instead of %s", [after, before]))
}

# Whoever answers for a name decides where the traffic goes.
needs_approval contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some field in ["hostAliases", "dnsConfig"]
	after := object.get(kubernetes.pod_spec(change.after), field, {})
	after != object.get(kubernetes.pod_spec(change.before), field, {})
	path := sprintf("%s.%s", [kubernetes.pod_path(change.after), field])
	verdict := kubernetes.verdict(change, path, sprintf("its pods find other hosts by %s", [field]))
}
