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
	some change in input.changes
	kubernetes.is_update(change)
	some container in kubernetes.containers(change.before)
	some probe in ["livenessProbe", "readinessProbe", "startupProbe"]
	is_object(container.spec[probe])
	after := kubernetes.container_named(change.after, container.name)
	not is_object(object.get(after, probe, null))
	path := sprintf("%s.%s", [container.path, probe])
	verdict := kubernetes.verdict(change, path, sprintf("container %s loses its %s", [container.name, probe]))
}
