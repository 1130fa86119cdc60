# METADATA
# title: No container runs the image tag latest
# description: >-
#   The tag latest, and no tag at all, name another image tomorrow. What was tested is then not what
#   runs, and going back to the old revision does not bring the old image back.
# custom:
#   severity: error
#   term: container image
package aifix.image_tag

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	some container in kubernetes.containers(change.after)
	moves(container.spec.image)
	not was_there(change, container)
	verdict := kubernetes.verdict(change, concat(".", [container.path, "image"]), message(container))
}

# It was there before the change: the change is not to blame.
warn contains verdict if {
	some change in input.changes
	some container in kubernetes.containers(change.after)
	moves(container.spec.image)
	was_there(change, container)
	verdict := kubernetes.verdict(change, concat(".", [container.path, "image"]), message(container))
}

message(container) := sprintf("container %s runs %s, whose tag can name another image tomorrow", [
	container.name,
	container.spec.image,
])

was_there(change, container) if {
	before := kubernetes.container_named(change.before, container.name)
	before.image == container.spec.image
}

# A digest pins an image whatever its tag says.
moves(image) if {
	not contains(image, "@")
	tag(image) == "latest"
}

# A colon before the last slash belongs to the registry's port.
tag(image) := part[1] if {
	segments := split(image, "/")
	part := split(segments[count(segments) - 1], ":")
	count(part) == 2
} else := "latest"
