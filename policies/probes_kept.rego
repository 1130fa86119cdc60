# METADATA
# title: No probe is removed
# description: >-
#   Without its probe a container counts as ready and alive whatever it does. The symptom is gone and
#   the users still get errors.
# custom:
#   severity: error
#   term: livenessProbe, readinessProbe, startupProbe
package aifix.probes_kept

import data.aifix.kubernetes

deny contains verdict if {
	some entry in lost
	not entry.was_absent
	verdict := kubernetes.verdict(entry.change, entry.path, entry.message)
}

# The commit that is taken back had added it.
needs_approval contains verdict if {
	some entry in lost
	entry.was_absent
	message := sprintf("%s, which it did not have before the commit that is taken back", [entry.message])
	verdict := kubernetes.verdict(entry.change, entry.path, message)
}

lost contains entry if {
	some change in input.changes
	kubernetes.is_update(change)
	some container in kubernetes.containers(change.before)
	some probe in ["livenessProbe", "readinessProbe", "startupProbe"]
	is_object(container.spec[probe])
	after := kubernetes.container_named(change.after, container.name)
	not is_object(object.get(after, probe, null))
	entry := {
		"change": change,
		"path": sprintf("%s.%s", [container.path, probe]),
		"message": sprintf("container %s loses its %s", [container.name, probe]),
		"was_absent": was_absent(change, container.name, probe),
	}
}

was_absent(change, name, probe) if {
	some container in kubernetes.containers(kubernetes.good(change))
	container.name == name
	not is_object(object.get(container.spec, probe, null))
} else := false
