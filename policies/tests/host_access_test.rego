package aifix.host_access_test

import data.aifix.host_access
import data.aifix.support_test as support

plain := {"containers": [{"name": "app"}]}

test_the_hosts_namespaces_are_denied if {
	every field in ["hostNetwork", "hostPID", "hostIPC"] {
		after := support.deployment(object.union(plain, {field: true}))
		denied := host_access.deny with input as support.change(support.deployment(plain), after)
		support.paths(denied) == {sprintf("spec.template.spec.%s", [field])}
	}
}

test_paths_and_ports_of_the_node_are_denied if {
	volume := {"volumes": [{"name": "v", "hostPath": {"path": "/etc"}}]}
	before := support.deployment(plain)
	denied := host_access.deny with input as support.change(before, support.deployment(object.union(plain, volume)))
	support.messages(denied) == {"its pods mount /etc of their node"}
	port := support.deployment({"containers": [{"name": "app", "ports": [{"containerPort": 80, "hostPort": 80}]}]})
	count(host_access.deny) == 1 with input as support.change(before, port)
}

test_what_was_there_stays if {
	agent := support.deployment({"hostNetwork": true, "containers": [{"name": "a", "ports": [{"hostPort": 9100}]}]})
	count(host_access.deny) == 0 with input as support.change(agent, agent)
}

test_a_container_port_is_no_host_port if {
	port := support.deployment({"containers": [{"name": "app", "ports": [{"containerPort": 80}]}]})
	count(host_access.deny) == 0 with input as support.change(support.deployment(plain), port)
}

test_giving_up_the_user_namespace_is_denied if {
	before := support.deployment(object.union(plain, {"hostUsers": false}))
	count(host_access.deny) == 1 with input as support.change(before, support.deployment(plain))
	count(host_access.deny) == 0 with input as support.change(before, before)
}
