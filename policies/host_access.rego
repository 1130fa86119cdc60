# METADATA
# title: No pod gains access to its node
# description: >-
#   The host's network, processes, files and ports belong to the node and to every other pod on it.
#   A pod that reaches them is outside of its isolation.
# custom:
#   severity: critical
#   term: hostNetwork, hostPID, hostIPC, hostPath, hostPort
package aifix.host_access

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	pod := kubernetes.pod_spec(change.after)
	some field in ["hostNetwork", "hostPID", "hostIPC"]
	pod[field] == true
	not kubernetes.pod_spec(change.before)[field] == true
	path := sprintf("%s.%s", [kubernetes.pod_path(change.after), field])
	verdict := kubernetes.verdict(change, path, sprintf("its pods gain %s", [field]))
}

# Without a user namespace of its own, root in the container is root on the node.
deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	kubernetes.pod_spec(change.before).hostUsers == false
	not kubernetes.pod_spec(change.after).hostUsers == false
	path := sprintf("%s.hostUsers", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, path, "its pods share the users of their node")
}

deny contains verdict if {
	some change in input.changes
	some path in (host_paths(change.after) - host_paths(change.before))
	place := sprintf("%s.volumes", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, place, sprintf("its pods mount %s of their node", [path]))
}

deny contains verdict if {
	some change in input.changes
	some port in (host_ports(change.after) - host_ports(change.before))
	place := sprintf("%s.containers", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, place, sprintf("its pods take port %v of their node", [port]))
}

host_paths(resource) := {volume.hostPath.path |
	some volume in kubernetes.list_at(kubernetes.pod_spec(resource), "volumes")
}

host_ports(resource) := {port.hostPort |
	some container in kubernetes.containers(resource)
	some port in kubernetes.list_at(container.spec, "ports")
	port.hostPort != 0
}
