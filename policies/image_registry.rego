# METADATA
# title: Images keep coming from the registry they came from
# description: >-
#   Another registry is another trust: whoever owns it decides what runs. A typo in a registry's name
#   is a real failure, so a person may approve it.
# custom:
#   severity: warning
#   term: container image
package aifix.image_registry

import data.aifix.kubernetes

needs_approval contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some container in kubernetes.containers(change.after)
	host := registry(container.spec.image)
	not host in registries(change.before)
	verdict := kubernetes.verdict(
		change,
		concat(".", [container.path, "image"]),
		sprintf("container %s takes its image from the registry %s, which no container of it used before", [
			container.name,
			host,
		]),
	)
}

registries(resource) := {registry(container.spec.image) |
	some container in kubernetes.containers(resource)
}

# The first part is a registry when it looks like a host:
# https://github.com/distribution/reference/blob/main/normalize.go
registry(image) := host if {
	contains(image, "/")
	host := split(image, "/")[0]
	regex.match(`[.:]|^localhost$`, host)
} else := "docker.io"
