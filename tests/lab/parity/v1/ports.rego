package ports

deny contains verdict if {
	some i, change in input.changes
	some port in change.after.spec.ports
	port.port < 1024
	not port.port in {80, 443}
	verdict := {"message": sprintf("change %v opens %d", [i, port.port]), "path": "spec.ports", "object": change.object}
}

warn contains sprintf("%v of %v ports are named", [count(named), count(all_ports)]) if count(all_ports) > 0

all_ports contains [i, j] if input.changes[i].after.spec.ports[j]

named contains [i, j] if input.changes[i].after.spec.ports[j].name
