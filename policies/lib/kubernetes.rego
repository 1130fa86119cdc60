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

# The metadata of its pods; `{}` when it has none.
pod_metadata(resource) := resource.metadata if {
	resource.kind == "Pod"
} else := metadata if {
	metadata := resource.spec.jobTemplate.spec.template.metadata
} else := metadata if {
	metadata := resource.spec.template.metadata
} else := {}

# Labels and annotations of an object and of its pods: `[where, key, value]`.
marks(resource) := {[where, key, value] |
	some where, metadata in {
		"metadata": map_at(resource, "metadata"),
		concat("", [trim_suffix(pod_path(resource), "spec"), "metadata"]): pod_metadata(resource),
	}
	some list in ["labels", "annotations"]
	some key, value in map_at(metadata, list)
}

# How many pods it runs; one when nothing says so.
replicas(resource) := count if {
	count := resource.spec.replicas
	is_number(count)
} else := 1

# A number, or a share of the total as `25%`.
share(value, _) := value if is_number(value)

share(value, total) := floor((total * to_number(trim_suffix(value, "%"))) / 100) if {
	is_string(value)
	endswith(value, "%")
}

# Both sides of a change are there.
is_update(change) if {
	change.before != null
	change.after != null
}

# What a revert brings an object back to: the object before the commit that is taken back. No rule may let more through
# for it than what that very object had.
good(change) := change.good if {
	is_object(input.reverts)
	is_object(change.good)
}

# Manifests are looked at as they stand.
is_check if input.mode == "check"

# The change is the fix of a failure with this code.
is_about(code) if input.finding.code == code

# A verdict about a place of an object.
verdict(change, path, message) := {
	"message": message,
	"object": change.object,
	"path": path,
}
