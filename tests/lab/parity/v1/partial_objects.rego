package partial_objects

limits[name] := memory if {
	some change in input.changes
	container := change.after.spec.template.spec.containers[_]
	name := container.name
	memory := container.resources.limits.memory
}

deny contains sprintf("%v: %v", [name, memory]) if some name, memory in limits

deny_every contains "every container has a limit" if {
	some change in input.changes
	containers := change.after.spec.template.spec.containers
	every container in containers {
		container.resources.limits.memory
	}
}
