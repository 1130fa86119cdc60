# METADATA
# title: What was tested is what is pulled
# description: >-
#   A digest names one image for good, and a pull asks the registry whether the pod may have it. Without
#   them a node runs what somebody left there.
# custom:
#   severity: error
#   term: image digest, imagePullPolicy
package aifix.image_pull

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	some container in kubernetes.containers(change.after)
	before := kubernetes.container_named(change.before, container.name)
	container.spec.imagePullPolicy == "Never"
	not before.imagePullPolicy == "Never"
	path := sprintf("%s.imagePullPolicy", [container.path])
	verdict := kubernetes.verdict(change, path, sprintf("container %s runs what its node happens to have", [container.name]))
}

# Going back to a tag that worked is a real fix.
needs_approval contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some container in kubernetes.containers(change.after)
	before := kubernetes.container_named(change.before, container.name)
	contains(before.image, "@sha256:")
	not contains(object.get(container.spec, "image", ""), "@sha256:")
	path := sprintf("%s.image", [container.path])
	verdict := kubernetes.verdict(change, path, sprintf("container %s is no longer pinned by a digest", [container.name]))
}

warn contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some container in kubernetes.containers(change.after)
	before := kubernetes.container_named(change.before, container.name)
	before.imagePullPolicy == "Always"
	object.get(container.spec, "imagePullPolicy", "") == "IfNotPresent"
	path := sprintf("%s.imagePullPolicy", [container.path])
	message := sprintf("container %s no longer asks the registry each time", [container.name])
	verdict := kubernetes.verdict(change, path, message)
}
