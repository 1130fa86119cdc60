package tags

import rego.v1

deny contains msg if {
	some change in input.changes
	container := change.after.spec.template.spec.containers[_]
	[_, tag] := split_image(container.image)
	not regex.match(`^v?\d+(\.\d+)*$`, tag)
	msg := sprintf("%s: the tag %q is no version", [container.name, tag])
}

split_image(image) := [name, tag] if {
	segments := split(image, "/")
	parts := split(segments[count(segments) - 1], ":")
	name := parts[0]
	tag := array.concat(parts, ["latest"])[1]
}
