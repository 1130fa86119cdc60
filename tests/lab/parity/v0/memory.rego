package memory

warn_memory[msg] {
	container := input.changes[_].after.spec.template.spec.containers[_]
	bytes := units.parse_bytes(container.resources.limits.memory)
	bytes > 1024 * 1024 * 256
	msg := sprintf("%s may use %d bytes", [container.name, bytes])
}

violation[{"msg": msg, "details": {"replicas": n}}] {
	n := input.changes[i].after.spec.replicas
	n > 10
	msg := sprintf("change %d runs %d pods", [i, n])
}
