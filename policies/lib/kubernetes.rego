# METADATA
# title: Where Kubernetes objects keep their pods and containers
# description: Shared by the policies, so that each reads every kind of workload alike.
# custom:
#   severity: info
#   term: pod template
package aifix.kubernetes

# The pod spec of an object; `{}` when it has none.
pod_spec(resource) := resource.spec if {
	resource.kind == "Pod"
} else := spec if {
	spec := resource.spec.jobTemplate.spec.template.spec
} else := spec if {
	spec := resource.spec.template.spec
} else := spec if {
	spec := resource.template.spec
} else := {}

# Where that pod spec is.
pod_path(resource) := "spec" if {
	resource.kind == "Pod"
} else := "spec.jobTemplate.spec.template.spec" if {
	resource.spec.jobTemplate
} else := "spec.template.spec" if {
	resource.spec.template
} else := "template.spec"

# Every container of an object: {name, path, spec}.
containers(resource) := {container |
	pod := pod_spec(resource)
	some list in ["initContainers", "containers", "ephemeralContainers"]
	some spec in list_at(pod, list)
	name := object.get(spec, "name", "")
	container := {
		"name": name,
		"path": sprintf("%s.%s[%s]", [pod_path(resource), list, name]),
		"spec": spec,
	}
}

# The spec of the container with this name, `{}` when there is none: container names are unique
# among all lists of a pod.
container_named(resource, name) := spec if {
	some container in containers(resource)
	container.name == name
	spec := container.spec
} else := {}

# A map at a key, `{}` when it is absent or null.
map_at(resource, key) := value if {
	value := resource[key]
	is_object(value)
} else := {}

# A list at a key, `[]` when it is absent or null.
list_at(resource, key) := value if {
	value := resource[key]
	is_array(value)
} else := []

# Both sides of a change are there.
is_update(change) if {
	change.before != null
	change.after != null
}

# Manifests are looked at as they stand.
is_check if input.mode == "check"

# A verdict about a place of an object.
verdict(change, path, message) := {
	"message": message,
	"object": change.object,
	"path": path,
}
