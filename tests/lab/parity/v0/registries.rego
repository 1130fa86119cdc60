package registries

allowed = ["r.io/", "ghcr.io/team/"]

deny[{"msg": msg, "path": path}] {
	container := containers[_]
	not from_allowed(container.image)
	path := sprintf("containers[%s].image", [container.name])
	msg := sprintf("%s comes from elsewhere", [container.image])
}

from_allowed(image) {
	startswith(image, allowed[_])
}

containers[container] {
	walk(input.changes[_].after, [path, value])
	path[count(path) - 1] == "containers"
	container := value[_]
}
